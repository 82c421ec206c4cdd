/* SPDX-License-Identifier: PostgreSQL */
/*
 * The arguments of pg_basebackup: our own, and the operator's where they do not
 * stand against ours; those are left out and the log says so. Its progress.
 */
#include "pg/clone.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "pg/conninfo.h"

static const char *const refused[] = {
    "pgdata", "format",   "wal-method", "xlog-method",
    "gzip",   "version",  "dbname",     "host",
    "port",   "username", "password",   "no-sync",
    "nosync", "no-clean", "target",     "write-recovery-conf",
    NULL,
};

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

int
clone__basebackup_argv(struct mt_pg_job *job, struct mt_argv *argv,
		       struct mt_err *err)
{
	const struct mt_conf_postgresql *pg = &job->o.conf->postgresql;
	char conninfo[8192];
	json_t *options;
	int rc;

	/* Not under the member's name: what a synchronous primary waits for
	 * is a standby, not the half of a copy that flushes its WAL. */
	rc = mt_pg_tool_conninfo(conninfo, sizeof(conninfo), &pg->replication,
				 NULL, "Matriarch clone", job->source_url,
				 job->o.bins->version_num, err);
	if (rc)
		return rc;
	mt_pg_bins_arg(argv, job->o.bins, "pg_basebackup");
	mt_argv_add(argv, "--pgdata=%s", pg->data_dir);
	mt_argv_add(argv, "--wal-method=stream");
	mt_argv_add(argv, "--dbname=%s", conninfo);
	mt_argv_add(argv, "--no-password");
	mt_argv_add(argv, "--checkpoint=fast");
	mt_argv_add(argv, "--progress");
	options = without_compress(job, pg->basebackup);
	if (!options)
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	rc = mt_argv_add_options(argv, options, refused, true, "pg_basebackup",
				 err);
	json_decref(options);
	return rc;
}

/* "  4321/56789 kB (7%), 0/1 tablespace" */
void
clone__basebackup_line(void *arg, bool is_stderr, const char *line)
{
	struct mt_pg_job *job = arg;
	long long done, all;

	if (sscanf(line, "%lld/%lld kB", &done, &all) == 2 && done >= 0 &&
	    all >= done && all <= INT64_MAX / 1024) {
		job->done_bytes = done * 1024;
		job->all_bytes = all * 1024;
	}
	mt_job_percent_line(job, is_stderr, line);
}
