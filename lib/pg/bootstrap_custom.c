/* SPDX-License-Identifier: PostgreSQL */
/*
 * A bootstrap by a command of the operator's: what is checked before it, what
 * it is called with, and what its cluster recovers by.
 *
 * Happy path: the command restores a backup into the data directory; the
 * private server of bootstrap.c replays it to the target of recovery_conf and
 * promotes itself. That server's configuration includes the usual one and lies
 * with its socket: when it is gone, so are the settings of recovery. Settings
 * that the command left are removed, or, with keep_existing_recovery_conf,
 * obeyed until then: ours says nothing of recovery, which would count more than
 * theirs. A target that nobody could end (pause), and a standby that never ends
 * its recovery, are refused rather than waited for.
 */
#include "pg/bootstrap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "conf/methods.h"
#include "pg/backups.h"
#include "pg/files.h"
#include "pg/method.h"

#define ACTION "recovery_target_action"

static bool
keeps(const struct mt_pg_bootstrap *b)
{
	return mt_method_says(b->section, "keep_existing_recovery_conf");
}

int
bootstrap__check_section(const json_t *section, struct mt_err *err)
{
	const json_t *conf = json_object_get(section, "recovery_conf");
	const char *action = json_string_value(json_object_get(conf, ACTION));

	if (action != NULL && strcasecmp(action, "promote") != 0)
		return mt_err_set(err, MT_EINVAL,
				  ACTION " of a bootstrap must be promote, not "
					 "\"%s\": nobody could end the "
					 "recovery",
				  action);
	return 0;
}

int
bootstrap__command_argv(struct mt_pg_job *job, struct mt_argv *argv,
			struct mt_err *err)
{
	return mt_argv_add_bootstrap_method(argv, job->o.conf,
					    job->bootstrap->section, err);
}

int
bootstrap__take_over(struct mt_pg_job *job, struct mt_err *err)
{
	const char *dir = job->o.conf->postgresql.data_dir;
	int ours = job->o.bins->version_num / 10000, major = 0;
	char path[MT_CONF_PATH_MAX + 16];
	enum mt_pg_dir kind;
	int rc = mt_pg_dir_classify(dir, &kind, err);

	if (rc == 0 && kind != MT_PG_DIR_CLUSTER)
		rc = mt_err_set(err, MT_EPROTO,
				"the command said that all went well, and left "
				"no whole data directory in \"%s\"",
				dir);
	if (rc == 0)
		rc = mt_pg_dir_major(dir, &major, err);
	if (rc == 0 && major != ours)
		rc = mt_err_set(err, MT_EPROTO,
				"what the command made is of PostgreSQL %d, "
				"the programs are of %d",
				major, ours);
	if (rc == 0 && keeps(job->bootstrap) && mt_pg_has_standby_signal(dir))
		rc = mt_err_set(err, MT_EPROTO,
				"the command left \"standby.signal\", and a "
				"standby never ends its recovery; make it "
				"leave \"recovery.signal\"");
	mt_format(path, sizeof(path), "%s/promote", dir);
	if (rc == 0)
		rc = mt_file_remove(path, err);
	return rc ? rc : mt_pg_restore_files(&job->o.conf->postgresql, err);
}

/* Ours is read first, so that what is said here counts. */
static int
write_settings(struct mt_pg_job *job, const json_t *settings,
	       struct mt_err *err)
{
	const struct mt_conf_postgresql *pg = &job->o.conf->postgresql;
	char *lines = mt_pg_recovery_lines(settings), *text = NULL;
	char ours[MT_CONF_PATH_MAX + MT_CONF_NAME_MAX + 16], path[128];
	int rc;

	if (lines == NULL ||
	    asprintf(&text, "include '%s'\n" ACTION " = 'promote'\n%s",
		     mt_pg_conf_path(pg, MT_PG_CONF_MAIN, ours, sizeof(ours)),
		     lines) < 0) {
		free(lines);
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	}
	mt_format(path, sizeof(path), "%s/postgresql.conf", job->tmp_dir);
	rc = mt_file_write(path, text, strlen(text), 0600, err);
	free(lines);
	free(text);
	return rc;
}

int
bootstrap__recovery(struct mt_pg_job *job, struct mt_err *err)
{
	const struct mt_conf_postgresql *pg = &job->o.conf->postgresql;
	struct mt_pg_bootstrap *b = job->bootstrap;
	const json_t *settings = json_object_get(b->section, "recovery_conf");
	char path[MT_CONF_PATH_MAX + 32];
	int rc;

	if (keeps(b) && json_object_size(settings) == 0)
		return mt_pg_conf_write_plain(pg, job->o.parameters, err);
	rc = mt_pg_standby_signal(pg->data_dir, false, err);
	if (rc == 0)
		rc = mt_pg_conf_write(pg, job->o.parameters, NULL, NULL, err);
	if (rc || json_object_size(settings) == 0)
		return rc;
	b->recovers = true;
	mt_format(path, sizeof(path), "%s/recovery.signal", pg->data_dir);
	rc = mt_file_write(path, "", 0, 0600, err);
	return rc ? rc : write_settings(job, settings, err);
}
