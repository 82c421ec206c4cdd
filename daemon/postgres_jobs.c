/* SPDX-License-Identifier: PostgreSQL */
/*
 * Actions on the data directory while no server runs on it: bootstrap, clone,
 * rewind, discard. After each the directory is looked at anew.
 */
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/postgres_internal.h"

static void
on_progress(void *arg, const char *what, int percent)
{
	struct mt_postgres *pg = arg;

	if (percent >= 0) {
		if (percent / 10 != pg->percent / 10)
			mt_info("%s: %d %%", what, percent);
		pg->percent = percent;
		postgres__wake(pg);
	} else {
		mt_info("%s", what);
	}
}

/* The bootstrapped directory stays marked as unclaimed until the cluster has
 * taken it: without that it is nobody's. */
static void
take_bootstrap(struct mt_postgres *pg, const struct mt_pg_job_result *r)
{
	struct mt_err err;

	if (mt_pg_unfinished_set(pg->conf->raft.data_dir,
				 POSTGRES_UNCLAIMED, &err) != 0)
		mt_error("%s", err.text);
	pg->bootstrapped = true;
	pg->fresh = true;
	pg->data_id = r->data_id;
	mt_copy(pg->sysid, sizeof(pg->sysid), r->sysid);
	/* Its control file has to be known before it is started. */
	pg->data = MT_DATA_PRESENT;
}

static void
control_cb(void *arg, const struct mt_pg_control *control,
	   const struct mt_err *err)
{
	struct mt_postgres *pg = arg;

	pg->reading = NULL;
	if (pg->closed)
		return;
	if (control != NULL) {
		pg->control = *control;
		pg->control_known = true;
	} else {
		postgres__trouble(pg, err);
	}
	postgres__wake(pg);
}

static void
on_done(void *arg, const struct mt_pg_job_result *r)
{
	struct mt_postgres *pg = arg;
	bool ok = r->err.code == 0;
	struct mt_err err = r->err;

	pg->work = NULL;
	if (pg->closed) {
		postgres__one_closed(pg);
		return;
	}
	if (r->kind == MT_PG_JOB_DISCARD && ok)
		pg->bootstrapped = pg->fresh = false;
	if (r->kind == MT_PG_JOB_BOOTSTRAP && !ok &&
	    r->err.code != MT_ECANCELED)
		pg->bootstrap_failed = true;
	if (r->kind == MT_PG_JOB_BOOTSTRAP && ok) {
		take_bootstrap(pg, r);
		if (mt_pg_control_read(&pg->reading, pg->loop, &pg->bins,
				       pg->conf->postgresql.data_dir,
				       control_cb, pg, &err) != 0)
			postgres__trouble(pg, &err);
		err.code = 0;
	} else {
		postgres__inspect(pg);
	}
	if (ok)
		pg->died = false;
	postgres__job_end(pg, ok ? NULL : &err);
}

static void
run(struct mt_postgres *pg, enum mt_job job, const char *url,
    int (*begin)(struct mt_pg_job **, const struct mt_pg_job_options *,
		 struct mt_err *))
{
	struct mt_pg_job_options o = {
		.loop = pg->loop,
		.conf = pg->conf,
		.bins = &pg->bins,
		.source_url = url,
		.on_progress = on_progress,
		.on_done = on_done,
		.arg = pg,
	};
	struct mt_err err;

	if (pg->job != MT_JOB_NONE || pg->work != NULL || pg->guard != NULL ||
	    pg->parameters == NULL)
		return;
	json_decref(pg->work_parameters);
	pg->work_parameters = json_incref(pg->parameters);
	o.parameters = pg->work_parameters;
	postgres__job_begin(pg, job, 0);
	if (begin(&pg->work, &o, &err) != 0) {
		pg->work = NULL;
		postgres__job_end(pg, &err);
	}
}

void
mt_postgres_bootstrap(struct mt_postgres *pg)
{
	mt_info("initializing a new cluster in \"%s\"",
		pg->conf->postgresql.data_dir);
	run(pg, MT_JOB_BOOTSTRAP, NULL, mt_pg_bootstrap_start);
}

void
mt_postgres_discard(struct mt_postgres *pg)
{
	mt_warn("removing the contents of the data directory \"%s\"",
		pg->conf->postgresql.data_dir);
	run(pg, MT_JOB_DISCARD, NULL, mt_pg_discard_start);
}

void
mt_postgres_clone(struct mt_postgres *pg, const char *member, const char *url)
{
	mt_info("cloning \"%s\" into \"%s\"", member,
		pg->conf->postgresql.data_dir);
	run(pg, MT_JOB_CLONE, url, mt_pg_clone_start);
}

void
mt_postgres_rewind(struct mt_postgres *pg, const char *member,
		   const char *url)
{
	mt_info("rewinding \"%s\" to \"%s\"",
		pg->conf->postgresql.data_dir, member);
	run(pg, MT_JOB_REWIND, url, mt_pg_rewind_start);
}

void
mt_postgres_cancel(struct mt_postgres *pg)
{
	if (pg->work != NULL)
		mt_pg_job_cancel(pg->work);
}

void
mt_postgres_settled(struct mt_postgres *pg)
{
	struct mt_err err;

	if (!pg->bootstrapped)
		return;
	pg->bootstrapped = false;
	if (mt_pg_unfinished_clear(pg->conf->raft.data_dir, &err) != 0)
		mt_error("%s", err.text);
}
