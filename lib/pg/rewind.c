/* SPDX-License-Identifier: PostgreSQL */
/*
 * Rewind: make a data directory that went its own way a copy of another
 * member's again, by pg_rewind.
 *
 * First of all what PostgreSQL did not come to archive is archived, for
 * pg_rewind removes it (archive.c).
 *
 * pg_rewind copies the source's configuration files and our data id over ours:
 * so our files are read before and written back after it, and a new id is made.
 * A standby that crashed is first recovered by pg_rewind itself (a primary was,
 * see recover.c), in a single-user server that reads our configuration and
 * refuses to start where standby.signal is; hence the signal files are taken
 * away before and standby.signal comes back after. Until pg_rewind says that it
 * begins to copy, nothing has been modified that crash recovery would not
 * modify, too: a failure before that undoes our own preparations, clears the
 * marker and is reported as "untouched". After that the directory is of use
 * only to another rewind or not at all.
 *
 * Whether a rewind is needed is not decided here.
 */
#include "pg/job.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pg/backups.h"
#include "pg/conninfo.h"
#include "pg/files.h"

static const enum mt_pg_conf_file kept_files[] = {
    MT_PG_CONF_BASE,
    MT_PG_CONF_HBA,
    MT_PG_CONF_IDENT,
};

/* What is ours to say, what does nothing, and what would leave data that a
 * power cut takes: a rewound standby may be one that commits wait for. */
static const char *const refused[] = {
    "target-pgdata", "source-pgdata",
    "source-server", "write-recovery-conf",
    "dry-run",       "restore-target-wal",
    "config-file",   "no-ensure-shutdown",
    "no-sync",       "version",
    "help",          NULL,
};

struct mt_pg_rewind {
	bool marked;      /* our marker is set */
	bool was_standby; /* had standby.signal */
	bool touched;     /* pg_rewind began to copy */
	bool no_source;   /* it could not connect */
	char *text[MT_COUNT(kept_files)];
	size_t n[MT_COUNT(kept_files)];
};

static void
path_of(const struct mt_pg_job *job, size_t i, char *buf, size_t size)
{
	mt_pg_conf_path(&job->o.conf->postgresql, kept_files[i], buf, size);
}

static int
keep_files(struct mt_pg_job *job, struct mt_err *err)
{
	struct mt_pg_rewind *rw = job->rewind;
	char path[MT_CONF_PATH_MAX + MT_CONF_NAME_MAX + 16];
	int rc = 0;

	for (size_t i = 0; i < MT_COUNT(kept_files) && rc == 0; i++) {
		path_of(job, i, path, sizeof(path));
		rc = mt_file_read(path, (size_t)4 << 20, &rw->text[i],
				  &rw->n[i], err);
		if (rc == MT_ENOENT)
			rc = 0;
	}
	return rc;
}

static int
put_files_back(struct mt_pg_job *job, struct mt_err *err)
{
	mode_t mode = mt_pg_file_mode(job->o.conf->postgresql.data_dir);
	struct mt_pg_rewind *rw = job->rewind;
	char path[MT_CONF_PATH_MAX + MT_CONF_NAME_MAX + 16];
	int rc = 0;

	for (size_t i = 0; i < MT_COUNT(kept_files) && rc == 0; i++) {
		path_of(job, i, path, sizeof(path));
		if (rw->text[i])
			rc = mt_file_write(path, rw->text[i], rw->n[i], mode,
					   err);
	}
	return rc;
}

static const struct mt_conf_user *
user_of(const struct mt_pg_job *job)
{
	const struct mt_conf_postgresql *pg = &job->o.conf->postgresql;

	return pg->rewind.username[0] ? &pg->rewind : &pg->superuser;
}

static int
prepare(struct mt_pg_job *job, struct mt_err *err)
{
	const struct mt_conf *conf = job->o.conf;
	const char *dir = conf->postgresql.data_dir;
	struct mt_pg_follow nobody = {0};
	enum mt_pg_dir kind;
	int rc = mt_pg_dir_classify(dir, &kind, err);

	if (rc == 0 && kind != MT_PG_DIR_CLUSTER)
		rc = mt_err_set(err, MT_EREFUSED,
				"\"%s\" holds no cluster to rewind", dir);
	if (rc == 0)
		rc = mt_job_mark(job, "rewind", err);
	if (rc)
		return rc;
	job->rewind->marked = true;
	job->rewind->was_standby = mt_pg_has_standby_signal(dir);
	rc = mt_job_write_pgpass(job, user_of(job), err);
	if (rc == 0)
		rc = mt_pg_restore_files(&conf->postgresql, err);
	if (rc == 0)
		rc = mt_pg_conf_write(&conf->postgresql, job->o.parameters,
				      &nobody, NULL, err);
	if (rc == 0)
		rc = keep_files(job, err);
	return rc ? rc : mt_pg_standby_signal(dir, false, err);
}

/* In the worker, after a failure. */
static void
undo(struct mt_pg_job *job)
{
	const struct mt_conf *conf = job->o.conf;
	struct mt_pg_rewind *rw = job->rewind;

	if (rw->touched)
		return;
	if (rw->marked &&
	    ((rw->was_standby && mt_pg_standby_signal(conf->postgresql.data_dir,
						      true, NULL) < 0) ||
	     mt_pg_unfinished_clear(conf->raft.data_dir, NULL) < 0))
		return;
	job->result.untouched = true;
	job->result.no_source = rw->no_source;
}

static void
release(struct mt_pg_job *job)
{
	for (size_t i = 0; i < MT_COUNT(kept_files); i++)
		free(job->rewind->text[i]);
	free(job->rewind);
}

static int
conclude(struct mt_pg_job *job, struct mt_err *err)
{
	int rc = put_files_back(job, err);

	return rc ? rc : mt_job_finish_standby(job, NULL, err);
}

static void
have_sysid(struct mt_pg_job *job)
{
	mt_job_conclude(job, conclude);
}

static void
rewound(struct mt_pg_job *job)
{
	/* Also where no rewind was required: the id may have been known to
	 * others with data that this directory no longer stands for. */
	job->rewind->touched = true;
	mt_job_read_sysid(job, false, have_sysid);
}

/* "need to copy" is the last that pg_rewind says before it writes. */
static void
on_line(void *arg, bool is_stderr, const char *line)
{
	struct mt_pg_job *job = arg;

	if (strstr(line, "need to copy"))
		job->rewind->touched = true;
	/* libpq's words, from 14 on and before */
	if (strstr(line, "connection to server") ||
	    strstr(line, "could not connect to server"))
		job->rewind->no_source = true;
	mt_job_percent_line(job, is_stderr, line);
}

static void
prepared(struct mt_pg_job *job)
{
	const struct mt_conf_postgresql *pg = &job->o.conf->postgresql;
	const json_t *restore;
	struct mt_argv argv = {0};
	struct mt_err err = {0};
	char conninfo[8192], path[MT_CONF_PATH_MAX + MT_CONF_NAME_MAX + 16];
	char usual[MT_CONF_PATH_MAX + 32];

	if (mt_pg_tool_conninfo(conninfo, sizeof(conninfo), user_of(job),
				"postgres", job->o.conf->name, job->source_url,
				job->o.bins->version_num, &err) < 0) {
		mt_job_end(job, &err);
		return;
	}
	mt_pg_bins_arg(&argv, job->o.bins, "pg_rewind");
	mt_argv_add(&argv, "--target-pgdata=%s", pg->data_dir);
	mt_argv_add(&argv, "--source-server=%s", conninfo);
	mt_argv_add(&argv, "--progress");
	/* It looks for postgresql.conf in the data directory else. */
	mt_format(usual, sizeof(usual), "%s/postgresql.conf", pg->data_dir);
	mt_pg_conf_path(pg, MT_PG_CONF_MAIN, path, sizeof(path));
	if (job->o.bins->version_num >= 150000 && !mt_streq(path, usual))
		mt_argv_add(&argv, "--config-file=%s", path);
	restore = json_object_get(job->o.parameters, "restore_command");
	if (json_is_string(restore) && json_string_value(restore)[0])
		mt_argv_add(&argv, "--restore-target-wal");
	if (mt_argv_add_options(&argv, pg->rewind_options, refused, true,
				"pg_rewind", &err) < 0) {
		mt_argv_free(&argv);
		mt_job_end(job, &err);
		return;
	}
	mt_job_progress(job, "pg_rewind", -1);
	mt_job_run(job, &argv, false, on_line, rewound);
}

/* What waits to be archived may be removed from here on. */
static void
archived(struct mt_pg_job *job)
{
	mt_job_work(job, prepare, prepared);
}

int
mt_pg_rewind_start(struct mt_pg_job **job,
		   const struct mt_pg_job_options *options, struct mt_err *err)
{
	struct mt_pg_job *j = mt_job_new(MT_PG_JOB_REWIND, options, err);

	if (!j)
		return MT_EINVAL;
	j->rewind = calloc(1, sizeof(*j->rewind));
	if (!j->rewind) {
		free(j);
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	}
	j->undo = undo;
	j->release = release;
	mt_job_archive(j, archived);
	*job = j;
	return 0;
}
