/* SPDX-License-Identifier: PostgreSQL */
/*
 * Actions on the data directory while no server runs on it: bootstrap, clone,
 * recover, rewind, discard. After each the directory is looked at anew.
 */
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/postgres_internal.h"

/* For a crash recovery, which begins anew after it; twice as long each time. */
#define RECOVER_WITHIN_MS (INT64_C(3600) * 1000)
#define RECOVER_DOUBLED_MOST 5

static void
on_progress(void *arg, const char *what, int percent)
{
	struct mt_postgres *pg = arg;

	mt_copy(pg->step, sizeof(pg->step), what);
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
mark_work(struct file_work *w)
{
	w->rv = mt_pg_unfinished_set(w->pg->conf->raft.data_dir,
				     POSTGRES_UNCLAIMED, &w->err);
}

static void
mark_done(struct file_work *w)
{
	struct mt_postgres *pg = w->pg;

	if (w->rv != 0)
		mt_error("%s", w->err.text);
	pg->fresh = pg->bootstrapped = true;
	postgres__inspect(pg);
	postgres__job_end(pg, w->rv == 0 ? NULL : &w->err);
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
	if (ok)
		pg->died = false;
	pg->source_gone = !ok && r->no_source;
	if (r->kind == MT_PG_JOB_BOOTSTRAP && ok) {
		postgres__file_queue(
		    postgres__file_work(pg, mark_work, mark_done));
		return;
	}
	postgres__inspect(pg);
	postgres__job_end(pg, ok ? NULL : &err);
}

static void
run_with(struct mt_postgres *pg, enum mt_job job, struct mt_pg_job_options o,
	 int (*begin)(struct mt_pg_job **, const struct mt_pg_job_options *,
		      struct mt_err *))
{
	enum mt_conf_role role =
	    job == MT_JOB_BOOTSTRAP ? MT_CONF_PRIMARY : MT_CONF_REPLICA;
	struct mt_err err;

	if (pg->job != MT_JOB_NONE || pg->work != NULL || pg->guard != NULL ||
	    pg->parameters[role] == NULL)
		return;
	o.loop = pg->loop;
	o.conf = pg->conf;
	o.bins = &pg->bins;
	o.on_progress = on_progress;
	o.on_done = on_done;
	o.arg = pg;
	json_decref(pg->work_parameters);
	pg->work_parameters = json_incref(pg->parameters[role]);
	o.parameters = pg->work_parameters;
	postgres__job_begin(pg, job, 0);
	if (begin(&pg->work, &o, &err) != 0) {
		pg->work = NULL;
		postgres__job_end(pg, &err);
	}
}

static void
run(struct mt_postgres *pg, enum mt_job job, const char *url,
    int64_t timeout_ms,
    int (*begin)(struct mt_pg_job **, const struct mt_pg_job_options *,
		 struct mt_err *))
{
	run_with(pg, job,
		 (struct mt_pg_job_options){.source_url = url,
					    .timeout_ms = timeout_ms},
		 begin);
}

void
mt_postgres_bootstrap(struct mt_postgres *pg)
{
	mt_info("initializing a new cluster in \"%s\"",
		pg->conf->postgresql.data_dir);
	run(pg, MT_JOB_BOOTSTRAP, NULL, 0, mt_pg_bootstrap_start);
}

void
mt_postgres_discard(struct mt_postgres *pg)
{
	mt_warn("removing the contents of the data directory \"%s\"",
		pg->conf->postgresql.data_dir);
	run(pg, MT_JOB_DISCARD, NULL, 0, mt_pg_discard_start);
}

void
mt_postgres_clone(struct mt_postgres *pg, const char *member, const char *url,
		  const char *sysid, bool plain)
{
	if (member[0] != '\0')
		mt_info("cloning \"%s\" into \"%s\"", member,
			pg->conf->postgresql.data_dir);
	else
		mt_info("making a replica in \"%s\" without a primary",
			pg->conf->postgresql.data_dir);
	run_with(pg, MT_JOB_CLONE,
		 (struct mt_pg_job_options){
		     .source_url = url, .sysid = sysid, .plain = plain},
		 mt_pg_clone_start);
}

void
mt_postgres_recover(struct mt_postgres *pg)
{
	int n = pg->last_job == MT_JOB_RECOVER ? pg->failures : 0;

	if (n > RECOVER_DOUBLED_MOST)
		n = RECOVER_DOUBLED_MOST;
	mt_info("recovering \"%s\" from its crash as primary",
		pg->conf->postgresql.data_dir);
	run(pg, MT_JOB_RECOVER, NULL, RECOVER_WITHIN_MS << n,
	    mt_pg_recover_start);
}

void
mt_postgres_rewind(struct mt_postgres *pg, const char *member, const char *url)
{
	mt_info("rewinding \"%s\" to \"%s\"", pg->conf->postgresql.data_dir,
		member);
	run(pg, MT_JOB_REWIND, url, 0, mt_pg_rewind_start);
}

void
mt_postgres_cancel(struct mt_postgres *pg)
{
	if (pg->work != NULL)
		mt_pg_job_cancel(pg->work);
	postgres__pre_promote_cancel(pg);
}
