/* SPDX-License-Identifier: PostgreSQL */
/*
 * Clone: a copy of another member's data directory by pg_basebackup.
 *
 * Marker, emptied directory and password file; pg_basebackup with its WAL
 * streamed beside it; system identifier; configuration of a standby that
 * follows nobody yet, new data id, marker cleared. A failure leaves what is
 * there, and the marker. The source is told nothing; slots are the owner's
 * business. One try: when to try again, and from whom, is decided elsewhere.
 */
#include "pg/job.h"

#include <string.h>

#include "base/text.h"
#include "base/log.h"
#include "pg/backups.h"
#include "pg/conninfo.h"
#include "pg/files.h"

static const char *const refused[] = {
    "pgdata", "format",   "wal-method", "xlog-method",
    "gzip",   "version",  "dbname",     "host",
    "port",   "username", "password",   "no-sync",
    "nosync", "no-clean", "target",     "write-recovery-conf",
    NULL,
};

static int
prepare(struct mt_pg_job *job, struct mt_err *err)
{
	const char *dir = job->o.conf->postgresql.data_dir;
	int rc = mt_job_mark(job, "clone", err);

	if (rc == 0)
		rc = mt_pg_dir_empty(dir, err);
	return rc ? rc
		  : mt_job_write_pgpass(
			job, &job->o.conf->postgresql.replication, err);
}

static int
conclude(struct mt_pg_job *job, struct mt_err *err)
{
	int rc = mt_pg_restore_files(&job->o.conf->postgresql, err);

	return rc ? rc : mt_job_finish_standby(job, err);
}

static void
have_sysid(struct mt_pg_job *job)
{
	mt_job_conclude(job, conclude);
}

static void
copied(struct mt_pg_job *job)
{
	mt_job_read_sysid(job, false, have_sysid);
}

/* Compression on our side makes archives rather than a data directory; from 15
 * on "server-..." is undone on the way. */
static bool
compress_is_fine(const struct mt_pg_job *job, const json_t *value)
{
	const char *s = json_string_value(value);

	return job->o.bins->version_num >= 150000 && s &&
	       strncmp(s, "server", 6) == 0;
}

/* A new reference, NULL if memory ran out. */
static json_t *
without_compress(const struct mt_pg_job *job, const json_t *options)
{
	json_t *out = json_array(), *item, *copy, *v;
	bool flag, bad;
	size_t i;

	json_array_foreach (options, i, item) {
		v = json_object_get(item, "compress");
		flag = json_is_string(item) &&
		       mt_streq(json_string_value(item), "compress");
		bad = flag || (v && !compress_is_fine(job, v));
		if (bad)
			mt_error("option \"compress\" of pg_basebackup must "
				 "begin with \"server\" (PostgreSQL 15 and "
				 "later); it is left out");
		if (flag)
			continue;
		copy = json_copy(item);
		if (bad)
			json_object_del(copy, "compress");
		if (json_array_append_new(out, copy) < 0) {
			json_decref(out);
			return NULL;
		}
	}
	return out;
}

static void
prepared(struct mt_pg_job *job)
{
	const struct mt_conf_postgresql *pg = &job->o.conf->postgresql;
	struct mt_argv argv = {0};
	struct mt_err err = {0};
	char conninfo[8192];
	json_t *options;
	int rc;

	/* Not under the member's name: what a synchronous primary waits for
	 * is a standby, not the half of a copy that flushes its WAL. */
	rc = mt_pg_tool_conninfo(conninfo, sizeof(conninfo), &pg->replication,
				 NULL, "Matriarch clone", job->source_url,
				 job->o.bins->version_num, &err);
	mt_pg_bins_arg(&argv, job->o.bins, "pg_basebackup");
	mt_argv_add(&argv, "--pgdata=%s", pg->data_dir);
	mt_argv_add(&argv, "--wal-method=stream");
	mt_argv_add(&argv, "--dbname=%s", conninfo);
	mt_argv_add(&argv, "--no-password");
	mt_argv_add(&argv, "--checkpoint=fast");
	mt_argv_add(&argv, "--progress");
	options = without_compress(job, pg->basebackup);
	if (rc == 0 && !options)
		rc = mt_err_set(&err, MT_ENOMEM, "out of memory");
	if (rc == 0)
		rc = mt_argv_add_options(&argv, options, refused, true,
					 "pg_basebackup", &err);
	json_decref(options);
	if (rc) {
		mt_argv_free(&argv);
		mt_job_end(job, &err);
		return;
	}
	mt_job_progress(job, "pg_basebackup", -1);
	mt_job_run(job, &argv, false, mt_job_percent_line, copied);
}

int
mt_pg_clone_start(struct mt_pg_job **job,
		  const struct mt_pg_job_options *options, struct mt_err *err)
{
	struct mt_pg_job *j = mt_job_new(MT_PG_JOB_CLONE, options, err);

	if (!j)
		return MT_EINVAL;
	mt_job_work(j, prepare, prepared);
	*job = j;
	return 0;
}
