/* SPDX-License-Identifier: PostgreSQL */
/*
 * Recovery of a primary that crashed, before it is rewound: pg_rewind compares
 * clean ends only.
 *
 * Happy path: no server runs, the signal files are taken away, and a
 * single-user server replays the write-ahead log to its end, writes a shutdown
 * checkpoint at the end of its input, which is empty, and ends. It listens
 * nowhere, so no client can ever reach what is replayed. What it logs of its
 * progress is passed on.
 *
 * pg_rewind would do the same by itself, but here it may be interrupted: it is
 * a crash recovery like any other and sets no marker, so whoever kills it, the
 * next one begins anew, where a pg_rewind that was interrupted costs the whole
 * directory. It fsyncs. It keeps the segments that recovery would remove and
 * pg_rewind has to read, archived or not. And a stale postmaster.pid whose
 * number went to another process does not stop it.
 *
 * What may fail: the data directory is a copy whose own recovery never began
 * (backup_label), for which a single-user server is no cure; or PostgreSQL
 * itself. The directory is then as after any crash.
 *
 * It does not decide whether to recover, and changes no data id: what the
 * directory has is what it had.
 */
#include "pg/job.h"

#include <string.h>

#include "base/text.h"
#include "pg/files.h"

#define VERSION_KEEP_SIZE 130000

static int
prepare(struct mt_pg_job *job, struct mt_err *err)
{
	const struct mt_conf_postgresql *pg = &job->o.conf->postgresql;
	struct mt_pg_follow nobody = {0};
	struct mt_pg_pidfile f;
	char label[MT_CONF_PATH_MAX + 64];
	enum mt_pg_dir kind;
	int rc = mt_pg_dir_classify(pg->data_dir, &kind, err);

	if (rc == 0 && kind != MT_PG_DIR_CLUSTER)
		rc = mt_err_set(err, MT_EREFUSED,
				"\"%s\" holds no cluster to recover",
				pg->data_dir);
	if (rc == 0 && mt_pg_dir_in_use(pg->data_dir))
		rc = mt_err_set(err, MT_EBUSY,
				"a PostgreSQL server runs in \"%s\"",
				pg->data_dir);
	mt_format(label, sizeof(label), "%s/backup_label", pg->data_dir);
	if (rc == 0 && mt_file_exists(label))
		rc = mt_err_set(err, MT_EREFUSED,
				"\"%s\" is there: the data directory is a "
				"copy that was never started; move it away to "
				"clone it anew",
				label);
	/* It was a primary's. If we end here, it is the next start that says
	 * what it will be. */
	if (rc == 0)
		rc = mt_pg_standby_signal(pg->data_dir, false, err);
	if (rc == 0)
		rc =
		    mt_pg_conf_write(pg, job->o.parameters, &nobody, NULL, err);
	if (rc == 0 && mt_pg_pidfile_read(&f, pg->data_dir, NULL) == 0)
		mt_format(job->grandparent, sizeof(job->grandparent),
			  "PG_GRANDPARENT_PID=%ld",
			  (long)(f.pid < 0 ? -f.pid : f.pid));
	return rc;
}

static void
on_line(void *arg, bool is_stderr, const char *line)
{
	static const char *const telling[] = {"redo ", "interrupted",
					      "not properly shut down"};
	const char *text = strstr(line, "LOG:  ");

	if (!is_stderr || text == NULL)
		return;
	for (size_t i = 0; i < MT_COUNT(telling); i++)
		if (strstr(text, telling[i]) != NULL) {
			mt_job_progress(arg, text + strlen("LOG:  "), -1);
			return;
		}
}

static void
clean(struct mt_pg_job *job)
{
	mt_job_end(job, NULL);
}

static void
recovered(struct mt_pg_job *job)
{
	mt_job_read_sysid(job, true, clean);
}

static void
prepared(struct mt_pg_job *job)
{
	static const char *const settings[] = {
	    /* Nobody is there to wait for, or to be told from. */
	    "synchronous_standby_names=",
	    "listen_addresses=",
	    /* What it says is for us. */
	    "logging_collector=off",
	    "log_destination=stderr",
	    "log_min_messages=warning",
	    "lc_messages=C",
	};
	struct mt_argv argv = {0};
	const char *dir = job->o.conf->postgresql.data_dir;
	char path[MT_CONF_PATH_MAX + MT_CONF_NAME_MAX + 16];

	mt_pg_bins_arg(&argv, job->o.bins, "postgres");
	mt_argv_add(&argv, "--single");
	mt_argv_add(&argv, "-D");
	mt_argv_add(&argv, "%s", dir);
	mt_argv_add(&argv, "--config-file=%s",
		    mt_pg_conf_path(&job->o.conf->postgresql, MT_PG_CONF_MAIN,
				    path, sizeof(path)));
	for (size_t i = 0; i < MT_COUNT(settings); i++) {
		mt_argv_add(&argv, "-c");
		mt_argv_add(&argv, "%s", settings[i]);
	}
	/* All segments: pg_rewind goes back to the last checkpoint that both
	 * have, and those that wait to be archived are archived before it. */
	mt_argv_add(&argv, "-c");
	mt_argv_add(&argv, "%s=2147483647",
		    job->o.bins->version_num >= VERSION_KEEP_SIZE
			? "wal_keep_size"
			: "wal_keep_segments");
	mt_argv_add(&argv, "template1");
	mt_job_progress(job, "single-user recovery", -1);
	mt_job_run(job, &argv, false, on_line, recovered);
}

int
mt_pg_recover_start(struct mt_pg_job **job,
		    const struct mt_pg_job_options *options, struct mt_err *err)
{
	struct mt_pg_job *j = mt_job_new(MT_PG_JOB_RECOVER, options, err);

	if (!j)
		return MT_EINVAL;
	mt_job_work(j, prepare, prepared);
	*job = j;
	return 0;
}
