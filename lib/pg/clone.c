/* SPDX-License-Identifier: PostgreSQL */
/*
 * Clone: this member's data directory made anew, by the first method that can.
 *
 * The methods are tried in their order: pg_basebackup (twice, 5 s apart), or a
 * command of the operator's. Each begins with the marker, the emptied directory
 * (unless it says keep_data) and a password file. What a method left is looked
 * at before it is believed: a whole data directory, of this PostgreSQL's major
 * version, of this cluster. Then follow the configuration of a standby that
 * follows nobody yet, a new data id, and the marker is cleared; or it says
 * "restored", where there was no source: such data is nobody's copy until it
 * has followed a primary.
 *
 * A method that fails is logged with the end of what it said; after the last
 * one the job fails with a word on each, and the marker stays. When to try
 * again, and from whom, is decided elsewhere. The source is told nothing; slots
 * are the owner's business.
 */
#include "pg/clone.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "conf/methods.h"
#include "pg/backups.h"
#include "pg/conninfo.h"
#include "pg/files.h"
#include "pg/method.h"

#define BASEBACKUP_TRIES 2
#define BASEBACKUP_PAUSE_MS 5000
#define TAIL_LINES 10

struct mt_pg_clone {
	json_t *methods; /* names, in their order; owned */
	size_t next;     /* the one under way is before it */
	const char *name;
	json_t *section; /* NULL: pg_basebackup */
	int tries;       /* of it */
	bool keep_data, is_clearing;
	/* what the directory turned out to be */
	enum mt_pg_dir kind;
	int major;
	char said[384]; /* by those that failed */
};

static void next_method(struct mt_pg_job *job);
static void start_method(struct mt_pg_job *job);

static void
release(struct mt_pg_job *job)
{
	json_decref(job->clone->methods);
	free(job->clone);
}

static bool
has_source(const struct mt_pg_job *job)
{
	return job->source_url[0] != '\0';
}

/* ---- a method that failed ---- */

/* The last lines, each with the method's name in front. */
static void
log_tail(const char *name, const char *tail)
{
	const char *at = tail + strlen(tail), *end;
	int lines = 0;

	while (at > tail && lines <= TAIL_LINES)
		if (*--at == '\n')
			lines++;
	if (lines > TAIL_LINES)
		at++;
	for (; *at != '\0'; at = *end != '\0' ? end + 1 : end) {
		end = at + strcspn(at, "\n");
		if (end > at)
			mt_error("%s: %.*s", name, (int)(end - at), at);
	}
}

static int
clear_work(struct mt_pg_job *job, struct mt_err *err)
{
	return mt_pg_dir_empty(job->o.conf->postgresql.data_dir, err);
}

static void
method_failed(struct mt_pg_job *job, const struct mt_err *err, const char *tail)
{
	struct mt_pg_clone *c = job->clone;
	size_t n = strlen(c->said);

	if (job->concluded || c->is_clearing) {
		mt_job_end(job, err);
		return;
	}
	log_tail(c->name, tail != NULL ? tail : "");
	if (c->section == NULL && ++c->tries < BASEBACKUP_TRIES) {
		mt_warn("%s; trying again in %d s", err->text,
			BASEBACKUP_PAUSE_MS / 1000);
		mt_job_pause(job, BASEBACKUP_PAUSE_MS, start_method);
		return;
	}
	mt_error("could not make a replica by method \"%s\": %s", c->name,
		 err->text);
	mt_format(c->said + n, sizeof(c->said) - n, "%s%s: %s",
		  n > 0 ? "; " : "", c->name, err->text);
	if (c->keep_data) {
		next_method(job);
		return;
	}
	c->is_clearing = true;
	mt_job_work(job, clear_work, next_method);
}

/* ---- a method that went well, as it says ---- */

static int
conclude(struct mt_pg_job *job, struct mt_err *err)
{
	const struct mt_conf_postgresql *pg = &job->o.conf->postgresql;
	const char *dir = pg->data_dir;
	char path[MT_CONF_PATH_MAX + 16];
	int rc = mt_pg_restore_files(pg, err);

	/* What made the source a primary must not make one of its copy. */
	mt_format(path, sizeof(path), "%s/promote", dir);
	if (rc == 0)
		rc = mt_file_remove(path, err);
	/* pg_basebackup does it by itself. */
	if (rc == 0 && job->clone->section != NULL)
		rc = mt_pg_dir_sync(dir, err);
	return rc ? rc
		  : mt_job_finish_standby(
			job, has_source(job) ? NULL : MT_PG_RESTORED, err);
}

static void
have_sysid(struct mt_pg_job *job)
{
	struct mt_err err = {0};

	if (job->sysid[0] != '\0' && !mt_streq(job->sysid, job->result.sysid)) {
		mt_err_set(&err, MT_EPROTO,
			   "what it made belongs to cluster %s, this cluster "
			   "is %s",
			   job->result.sysid, job->sysid);
		method_failed(job, &err, NULL);
		return;
	}
	mt_job_conclude(job, conclude);
}

static int
look_work(struct mt_pg_job *job, struct mt_err *err)
{
	const char *dir = job->o.conf->postgresql.data_dir;
	int rc = mt_pg_dir_classify(dir, &job->clone->kind, err);

	if (rc == 0 && job->clone->kind != MT_PG_DIR_CLUSTER)
		return mt_err_set(err, MT_EPROTO,
				  "it said that all went well, and left no "
				  "whole data directory in \"%s\"",
				  dir);
	return rc ? rc : mt_pg_dir_major(dir, &job->clone->major, err);
}

static void
looked(struct mt_pg_job *job)
{
	int ours = job->o.bins->version_num / 10000;
	struct mt_err err = {0};

	if (job->clone->major != ours) {
		mt_err_set(&err, MT_EPROTO,
			   "what it made is of PostgreSQL %d, the programs are "
			   "of %d",
			   job->clone->major, ours);
		method_failed(job, &err, NULL);
		return;
	}
	mt_job_read_sysid(job, false, have_sysid);
}

static void
made(struct mt_pg_job *job)
{
	mt_job_work(job, look_work, looked);
}

/* ---- one method ---- */

static int
add_command(struct mt_pg_job *job, struct mt_argv *argv, struct mt_err *err)
{
	const struct mt_conf_postgresql *pg = &job->o.conf->postgresql;
	struct mt_pg_clone *c = job->clone;
	char conninfo[8192] = "";
	int rc = 0;

	if (c->section == NULL)
		return clone__basebackup_argv(job, argv, err);
	if (has_source(job))
		rc = mt_pg_tool_conninfo(conninfo, sizeof(conninfo),
					 &pg->replication, pg->database,
					 "Matriarch clone", job->source_url,
					 job->o.bins->version_num, err);
	return rc ? rc
		  : mt_argv_add_replica_method(argv, job->o.conf, c->name,
					       c->section, conninfo, err);
}

static void
prepared(struct mt_pg_job *job)
{
	bool is_ours = job->clone->section == NULL;
	struct mt_argv argv = {0};
	char step[64];
	struct mt_err err = {0};

	if (add_command(job, &argv, &err) != 0) {
		mt_argv_free(&argv);
		method_failed(job, &err, NULL);
		return;
	}
	job->done_bytes = job->all_bytes = 0;
	if (is_ours)
		mt_copy(step, sizeof(step), "pg_basebackup");
	else
		mt_format(step, sizeof(step), "method %s", job->clone->name);
	mt_job_progress(job, step, -1);
	mt_job_run(job, &argv, false, is_ours ? clone__basebackup_line : NULL,
		   made);
}

static int
prepare_work(struct mt_pg_job *job, struct mt_err *err)
{
	const char *dir = job->o.conf->postgresql.data_dir;
	int rc = mt_job_mark(job, "clone", err);

	if (rc == 0 && !job->clone->keep_data)
		rc = mt_pg_dir_empty(dir, err);
	return rc ? rc
		  : mt_job_write_pgpass(
			job, &job->o.conf->postgresql.replication, err);
}

static void
start_method(struct mt_pg_job *job)
{
	mt_job_work(job, prepare_work, prepared);
}

/* ---- which one ---- */

/* Without a source only those can that say so. */
static bool
is_usable(const struct mt_pg_job *job, const json_t *section)
{
	return has_source(job) || mt_method_says(section, "no_leader");
}

static bool
choose(struct mt_pg_job *job)
{
	struct mt_pg_clone *c = job->clone;
	const json_t *sections = job->o.conf->postgresql.replica_sections;

	while (c->next < json_array_size(c->methods)) {
		c->name =
		    json_string_value(json_array_get(c->methods, c->next++));
		if (c->name == NULL)
			continue;
		c->section = mt_streq(c->name, MT_METHOD_BASEBACKUP)
				 ? NULL
				 : json_object_get(sections, c->name);
		c->keep_data = mt_method_says(c->section, "keep_data");
		c->is_clearing = false;
		c->tries = 0;
		if (is_usable(job, c->section))
			return true;
	}
	return false;
}

static void
next_method(struct mt_pg_job *job)
{
	struct mt_err err = {0};

	if (choose(job)) {
		start_method(job);
		return;
	}
	mt_err_set(&err, MT_EIO, "%s", job->clone->said);
	mt_job_end(job, &err);
}

int
mt_pg_clone_start(struct mt_pg_job **job,
		  const struct mt_pg_job_options *options, struct mt_err *err)
{
	struct mt_pg_job *j = mt_job_new(MT_PG_JOB_CLONE, options, err);
	const json_t *methods =
	    options->conf->postgresql.create_replica_methods;

	if (!j)
		return MT_EINVAL;
	j->clone = calloc(1, sizeof(*j->clone));
	if (j->clone == NULL) {
		free(j);
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	}
	j->release = release;
	j->failed = method_failed;
	j->clone->methods = options->plain
				? json_pack("[s]", MT_METHOD_BASEBACKUP)
				: json_incref((json_t *)(uintptr_t)methods);
	if (!choose(j)) {
		mt_err_set(err, MT_EINVAL,
			   "no method in postgresql.create_replica_methods can "
			   "make a replica%s",
			   has_source(j) ? "" : " without a primary");
		release(j);
		free(j);
		return MT_EINVAL;
	}
	start_method(j);
	*job = j;
	return 0;
}
