/* SPDX-License-Identifier: PostgreSQL */
/*
 * Work on files of the data directory's volume, in libuv's workers: it fsyncs,
 * and a volume that hangs must stop neither the loop nor the lease. One piece
 * at a time, in order; each brings its own inputs and takes nothing of the
 * struct that the loop changes. What it found is taken over on the loop.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/postgres_internal.h"
#include "pg/backups.h"
#include "pg/conninfo.h"
#include "pg/rundirs.h"
#include "pg/timelines.h"

/* ---- the queue ---- */

static void run_next(struct mt_postgres *pg);

static void
work_cb(uv_work_t *req)
{
	struct file_work *w = container_of(req, struct file_work, req);

	w->work(w);
}

static void
after_cb(uv_work_t *req, int status)
{
	struct file_work *w = container_of(req, struct file_work, req);
	struct mt_postgres *pg = w->pg;

	(void)status; /* nobody cancels it */
	/* What done() queues waits behind this one, which is still first. */
	if (!pg->closed)
		w->done(w);
	pg->files = w->next;
	json_decref(w->parameters);
	json_decref(w->other_files);
	free(w);
	if (pg->closed) {
		postgres__one_closed(pg);
		return;
	}
	run_next(pg);
	postgres__wake(pg);
}

static void
run_next(struct mt_postgres *pg)
{
	if (pg->files != NULL)
		uv_queue_work(pg->loop, &pg->files->req, work_cb, after_cb);
}

struct file_work *
postgres__file_work(struct mt_postgres *pg, void (*work)(struct file_work *),
		    void (*done)(struct file_work *))
{
	struct file_work *w = calloc(1, sizeof(*w));

	MT_ASSERT(w != NULL);
	w->pg = pg;
	w->work = work;
	w->done = done;
	return w;
}

void
postgres__file_queue(struct file_work *w)
{
	struct mt_postgres *pg = w->pg;
	struct file_work **at = &pg->files;
	bool idle = pg->files == NULL;

	while (*at != NULL)
		at = &(*at)->next;
	*at = w;
	if (idle)
		run_next(pg);
}

/* At the end: what waits is dropped, what runs is waited for. */
int
postgres__file_close(struct mt_postgres *pg)
{
	struct file_work *w;

	if (pg->files == NULL)
		return 0;
	while ((w = pg->files->next) != NULL) {
		pg->files->next = w->next;
		json_decref(w->parameters);
		json_decref(w->other_files);
		free(w);
	}
	return 1;
}

/* ---- inspect: what is the data directory? ---- */

static void
read_data_id(struct file_work *w)
{
	const char *dir = w->pg->conf->postgresql.data_dir;
	uint64_t id = mt_random_u64() | 1;
	struct mt_err err;
	int rv = mt_pg_data_id_read(dir, &w->data_id, &err);

	if (rv == 0)
		return;
	w->data_id = 0; /* unknown data: it never continues */
	if (rv != MT_ENOENT)
		mt_warn("%s", err.text);
	/* A directory that came to be without us (moved here, restored) gets
	 * an id before anything starts on it; the record does not know it. */
	if (!w->only_read && mt_pg_data_id_write(dir, id, &err) == 0)
		w->data_id = id;
}

static void
inspect_work(struct file_work *w)
{
	const struct mt_conf *c = w->pg->conf;
	char path[MT_CONF_PATH_MAX + 16];

	w->rv = mt_pg_dir_classify(c->postgresql.data_dir, &w->kind, &w->err);
	if (w->rv != 0)
		return;
	if (mt_pg_unfinished_read(c->raft.data_dir, w->what, sizeof(w->what),
				  &w->err) != 0)
		w->what[0] = '\0';
	if (w->kind == MT_PG_DIR_CLUSTER) {
		read_data_id(w);
		mt_pg_wal_newest(c->postgresql.data_dir, w->first_segment);
		mt_format(path, sizeof(path), "%s/backup_label",
			  c->postgresql.data_dir);
		w->has_label = mt_file_exists(path);
	}
}

static void
control_cb(void *arg, const struct mt_pg_control *control,
	   const struct mt_err *err)
{
	struct mt_postgres *pg = arg;

	pg->reading = NULL;
	if (pg->closed) {
		postgres__one_closed(pg);
		return;
	}
	if (control == NULL) {
		pg->data = MT_DATA_FOREIGN;
		postgres__trouble(pg, err);
		mt_error("could not read the control file of \"%s\": %s",
			 pg->conf->postgresql.data_dir, err->text);
	} else {
		pg->control = *control;
		pg->control_known = true;
		mt_copy(pg->sysid, sizeof(pg->sysid), control->sysid);
		pg->data = MT_DATA_PRESENT;
		postgres__end_find(pg);
	}
	postgres__wake(pg);
}

static void
inspect_done(struct file_work *w)
{
	struct mt_postgres *pg = w->pg;
	const char *dir = pg->conf->postgresql.data_dir;
	bool unclaimed = strcmp(w->what, POSTGRES_UNCLAIMED) == 0;
	bool restored = strcmp(w->what, MT_PG_RESTORED) == 0;
	struct mt_err err;

	if (pg->guard != NULL)
		return; /* overtaken by a start */
	if (w->rv != 0) {
		pg->data = MT_DATA_FOREIGN;
		postgres__trouble(pg, &w->err);
		mt_error("%s", w->err.text);
	} else if (w->what[0] != '\0' && !unclaimed && !restored) {
		pg->data = MT_DATA_PARTIAL;
		mt_warn("the data directory \"%s\" is incomplete: a %s did "
			"not finish",
			dir, w->what);
	} else if (w->kind == MT_PG_DIR_ABSENT || w->kind == MT_PG_DIR_EMPTY) {
		pg->data = MT_DATA_EMPTY;
	} else if (w->kind == MT_PG_DIR_FOREIGN) {
		pg->data = MT_DATA_FOREIGN;
	} else {
		pg->bootstrapped = unclaimed;
		pg->restored = restored;
		pg->has_label = w->has_label;
		pg->data_id = w->data_id;
		mt_copy(pg->first_segment, sizeof(pg->first_segment),
			w->first_segment);
		if (pg->reading == NULL &&
		    mt_pg_control_read(&pg->reading, pg->loop, &pg->bins, dir,
				       control_cb, pg, &err) != 0) {
			pg->data = MT_DATA_FOREIGN;
			postgres__trouble(pg, &err);
		}
	}
	postgres__wake(pg);
}

void
postgres__inspect(struct mt_postgres *pg)
{
	/* Recovery before a rewind ends with a checkpoint: what was the end of
	 * the data before that is still its end. */
	if (pg->job != MT_JOB_REWIND && pg->job != MT_JOB_RECOVER)
		postgres__end_cancel(pg);
	pg->control_known = false;
	pg->sysid[0] = '\0';
	pg->data_id = 0;
	pg->data = MT_DATA_UNKNOWN;
	postgres__file_queue(
	    postgres__file_work(pg, inspect_work, inspect_done));
}

/* ---- a server that was there before us ---- */

static void
adopt_work(struct file_work *w)
{
	const struct mt_conf *c = w->pg->conf;

	w->standby = mt_pg_has_standby_signal(c->postgresql.data_dir);
	if (mt_pg_unfinished_read(c->raft.data_dir, w->what, sizeof(w->what),
				  &w->err) != 0)
		w->what[0] = '\0';
	/* Ours has had one since before it started. */
	w->only_read = !w->pg->foreign;
	read_data_id(w);
}

/* Whose it is is known before anybody can log in. */
static void
adopt_control_cb(void *arg, const struct mt_pg_control *control,
		 const struct mt_err *err)
{
	struct mt_postgres *pg = arg;

	pg->reading = NULL;
	if (pg->closed) {
		postgres__one_closed(pg);
		return;
	}
	if (control == NULL) {
		mt_error("could not read the control file of \"%s\": %s",
			 pg->conf->postgresql.data_dir, err->text);
	} else {
		pg->control = *control;
		mt_copy(pg->sysid, sizeof(pg->sysid), control->sysid);
	}
	if (!pg->adopting) /* it has ended meanwhile */
		postgres__inspect(pg);
	else if (pg->found_pid != mt_guard_pid(pg->guard))
		postgres__adopt(pg); /* and another was started */
	else
		postgres__adopted(pg, pg->found_primary, pg->found_id);
}

static void
adopt_done(struct file_work *w)
{
	struct mt_postgres *pg = w->pg;
	struct mt_err err;

	if (!postgres__running(pg))
		return;
	pg->restored = strcmp(w->what, MT_PG_RESTORED) == 0;
	if (!pg->foreign) {
		postgres__adopted(pg, !w->standby, w->data_id);
		return;
	}
	if (pg->reading != NULL)
		return; /* of one before it; its end goes on */
	pg->found_primary = !w->standby;
	pg->found_id = w->data_id;
	pg->found_pid = mt_guard_pid(pg->guard);
	if (mt_pg_control_read(&pg->reading, pg->loop, &pg->bins,
			       pg->conf->postgresql.data_dir, adopt_control_cb,
			       pg, &err) != 0) {
		mt_error("%s", err.text);
		postgres__adopted(pg, pg->found_primary, pg->found_id);
	}
}

void
postgres__adopt(struct mt_postgres *pg)
{
	postgres__file_queue(postgres__file_work(pg, adopt_work, adopt_done));
}

/* ---- the files that make it a primary, or a standby of somebody ---- */

static void
role_work(struct file_work *w)
{
	struct mt_conf_postgresql whole = w->pg->conf->postgresql, *c = &whole;

	whole.pg_hba = json_object_get(w->other_files, "pg_hba");
	whole.pg_ident = json_object_get(w->other_files, "pg_ident");
	w->rv = postgres__keep_names(w);
	if (w->rv != 0)
		return;
	w->rv =
	    mt_pg_conf_write(c, w->parameters, w->standby ? &w->follow : NULL,
			     &w->changed, &w->err);
	if (w->rv != 0 || w->only_conf)
		return;
	w->rv = mt_pg_run_dirs(c->data_dir, w->parameters, &w->err);
	if (w->rv == 0)
		w->rv = mt_pg_standby_signal(c->data_dir, w->standby, &w->err);
	if (w->rv == 0 && w->standby)
		w->rv = mt_pg_release_timelines(c->data_dir, &w->err);
	/* A stale postmaster.pid of another process: told to PostgreSQL,
	 * which would refuse to start over it. */
	if (mt_pg_pidfile_read(&w->pidfile, c->data_dir, &w->err) != 0)
		w->pidfile.pid = 0;
}

struct file_work *
postgres__role_work(struct mt_postgres *pg, json_t *parameters,
		    const struct mt_pg_follow *follow,
		    void (*done)(struct file_work *))
{
	struct file_work *w = postgres__file_work(pg, role_work, done);

	/* A copy: the loop may replace its own, and jansson's counters are
	 * not for two threads. */
	w->parameters = json_deep_copy(parameters);
	w->other_files =
	    json_deep_copy(pg->other_files[follow != NULL ? MT_CONF_REPLICA
							  : MT_CONF_PRIMARY]);
	w->names = pg->names;
	w->names_any = pg->names_any;
	w->version = pg->version;
	w->standby = follow != NULL;
	if (follow != NULL)
		w->follow = *follow;
	return w;
}

/* ---- small things ---- */

static void
warn_done(struct file_work *w)
{
	if (w->rv != 0) {
		postgres__trouble(w->pg, &w->err);
		mt_error("%s", w->err.text);
	}
}

static void
backup_work(struct file_work *w)
{
	w->rv = mt_pg_backup_files(&w->pg->conf->postgresql, &w->err);
}

void
postgres__backup_files(struct mt_postgres *pg)
{
	postgres__file_queue(postgres__file_work(pg, backup_work, warn_done));
}

static void
settle_work(struct file_work *w)
{
	w->rv = mt_pg_unfinished_clear(w->pg->conf->raft.data_dir, &w->err);
}

void
mt_postgres_settled(struct mt_postgres *pg)
{
	if (!pg->joined && postgres__running(pg) && pg->foreign) {
		pg->joined = true;
		postgres__refresh(pg);
	}
	if (!pg->bootstrapped)
		return;
	pg->bootstrapped = false;
	postgres__file_queue(postgres__file_work(pg, settle_work, warn_done));
}

/* A crash before it is done leaves the marker: the next stream clears it. */
void
postgres__proven(struct mt_postgres *pg)
{
	if (!pg->restored)
		return;
	mt_info("what was restored from a backup is the cluster's now");
	pg->restored = false;
	postgres__file_queue(postgres__file_work(pg, settle_work, warn_done));
}

static void
pgpass_work(struct file_work *w)
{
	const struct mt_conf_postgresql *c = &w->pg->conf->postgresql;
	struct mt_pgpass_host hosts[MT_NODES_MAX];

	for (size_t i = 0; i < w->n_targets; i++)
		hosts[i] = (struct mt_pgpass_host){w->targets[i].host,
						   w->targets[i].port};
	w->rv = mt_pgpass_write(c->pgpass, c, hosts, w->n_targets, &w->err);
}

void
postgres__write_pgpass(struct mt_postgres *pg, const struct mt_state *s)
{
	struct file_work *w = postgres__file_work(pg, pgpass_work, warn_done);
	struct mt_err err;

	for (int i = 0; i < s->n_members; i++)
		if (s->members[i].conn_url[0] != '\0' &&
		    mt_pg_url_parse(&w->targets[w->n_targets], NULL, 0,
				    s->members[i].conn_url, &err) == 0)
			w->n_targets++;
	postgres__file_queue(w);
}
