/* SPDX-License-Identifier: PostgreSQL */
/*
 * Actions on the server: start, stop, promote, follow, checkpoint, slots. Each
 * begins a long action whose end is a fact; none waits.
 */
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/postgres_internal.h"
#include "pg/conninfo.h"
#include "pg/params.h"
#include "pg/timelines.h"

#define SHORT_TIMEOUT_MS 10000
#define CHECKPOINT_TIMEOUT_MS 300000
#define PROMOTE_LOOK_MS 10

void
mt_postgres_arm(struct mt_postgres *pg, int64_t deadline_ms)
{
	if (!postgres__running(pg) || pg->exempt || deadline_ms == pg->armed_ms)
		return;
	pg->armed_ms = deadline_ms;
	if (pg->conf->fencing && mt_guard_arm(pg->guard, deadline_ms) != 0)
		mt_debug("could not arm the sentinel");
}

void
mt_postgres_exempt(struct mt_postgres *pg)
{
	if (!postgres__running(pg) || pg->exempt)
		return;
	/* Whether fencing is on or not: the page remembers it. */
	if (mt_guard_arm(pg->guard, POSTGRES_NEVER_MS) != 0) {
		mt_error("could not exempt PostgreSQL from its deadline");
		return;
	}
	mt_info("PostgreSQL goes on whatever becomes of the lease");
	pg->exempt = true;
	postgres__wake(pg);
}

void
mt_postgres_rearm(struct mt_postgres *pg, int64_t deadline_ms)
{
	int rv;

	if (!postgres__running(pg) || !pg->exempt)
		return;
	rv = pg->conf->fencing ? mt_guard_arm(pg->guard, deadline_ms)
			       : mt_guard_disarm(pg->guard);
	if (rv != 0) {
		mt_error("could not arm the sentinel");
		return;
	}
	mt_info("PostgreSQL ends with its lease again");
	pg->exempt = false;
	pg->armed_ms = deadline_ms;
	postgres__wake(pg);
}

/* ---- stop ---- */

static void
leave_sessions(struct mt_postgres *pg)
{
	mt_session_want(pg->session, false);
	mt_session_want(pg->worker, false);
	mt_session_want(pg->identifier, false);
	pg->info.at_ms = 0;
}

void
postgres__stop_now(struct mt_postgres *pg)
{
	struct mt_err err;

	leave_sessions(pg);
	if (mt_guard_signal(pg->guard, SIGINT, &err) != 0 &&
	    err.code != MT_ENOENT)
		mt_error("%s", err.text);
}

void
mt_postgres_stop(struct mt_postgres *pg, bool immediate, bool hurry)
{
	enum stop_mode mode = immediate ? STOP_IMMEDIATE : STOP_FAST;
	struct mt_err err;

	if (pg->guard == NULL)
		return;
	if (pg->stopping == STOP_FAST && mode == STOP_FAST && hurry &&
	    pg->before_stop != NULL) {
		postgres__script_drop(&pg->before_stop);
		postgres__stop_now(pg);
	}
	if (pg->stopping >= mode)
		return;
	mt_info("stopping PostgreSQL, mode %s",
		immediate ? "immediate" : "fast");
	pg->stopping = mode;
	postgres__pre_promote_cancel(pg);
	if (pg->job != MT_JOB_STOP) {
		if (pg->job != MT_JOB_NONE) {
			mt_err_set(&err, MT_ECANCELED, "overtaken by a stop");
			postgres__job_end(pg, &err);
		}
		postgres__job_begin(pg, MT_JOB_STOP, 0);
	}
	if (immediate) {
		postgres__script_drop(&pg->before_stop);
		leave_sessions(pg);
		if (mt_guard_kill(pg->guard) != 0)
			mt_error("could not end PostgreSQL by force");
	} else if (hurry || !postgres__before_stop(pg)) {
		postgres__stop_now(pg);
	}
}

/* ---- start ---- */

/* The files are written: off it goes. */
static void
role_written(struct file_work *w)
{
	struct mt_postgres *pg = w->pg;
	char sock[MT_CONF_PATH_MAX + 32];
	struct mt_argv argv = {0};
	struct mt_guard_options o = {
	    .sock_path = postgres__sock_path(pg, sock, sizeof(sock)),
	    .deadline_ms = pg->conf->fencing ? w->deadline_ms : 0,
	    .grandparent_pid = w->pidfile.pid,
	};
	int rv = w->rv;

	if (pg->job != MT_JOB_START || pg->guard != NULL)
		return; /* overtaken */
	if (rv == 0)
		rv = mt_pg_postmaster_argv(&argv, &pg->bins,
					   &pg->conf->postgresql, w->parameters,
					   &w->err);
	/* The lease may have run out while the files were written. */
	if (rv == 0 && !w->standby && mt_clock_ms() >= w->deadline_ms)
		rv = mt_err_set(&w->err, MT_ETIMEDOUT,
				"the lease ended before the start");
	if (rv == 0) {
		o.argv = argv.v;
		rv = mt_guard_start(&pg->guard, pg->loop, &o,
				    postgres__guard_events(pg), &w->err);
		if (rv != 0)
			pg->guard = NULL;
	}
	mt_argv_free(&argv);
	if (rv != 0) {
		postgres__job_end(pg, &w->err);
		return;
	}
	pg->as_primary = !w->standby;
	pg->armed_ms = w->deadline_ms;
	pg->exempt = false;
	pg->stale = w->version != pg->version;
}

static bool
may_start(struct mt_postgres *pg)
{
	return pg->guard == NULL && pg->job == MT_JOB_NONE &&
	       pg->files == NULL && pg->parameters[0] != NULL &&
	       pg->control_known;
}

void
mt_postgres_start_primary(struct mt_postgres *pg, int64_t deadline_ms)
{
	struct file_work *w;
	json_t *p;

	if (!may_start(pg))
		return;
	postgres__end_cancel(pg);
	postgres__job_begin(pg, MT_JOB_START, 0); /* the agent has patience */
	mt_info("starting PostgreSQL as primary");
	pg->is_standby = false;
	p = postgres__parameters(pg, MT_CONF_PRIMARY);
	w = postgres__role_work(pg, p, NULL, role_written);
	json_decref(p);
	w->deadline_ms = deadline_ms;
	postgres__file_queue(w);
}

static json_t *
standby_parameters(const struct mt_postgres *pg)
{
	json_t *own = postgres__parameters(pg, MT_CONF_REPLICA);
	json_t *p = mt_pg_raise_for_standby(own, &pg->control, NULL);

	json_decref(own);
	return p;
}

int
postgres__follow_of(struct mt_postgres *pg, const char *member, const char *url,
		    struct mt_pg_follow *f, struct mt_err *err)
{
	memset(f, 0, sizeof(*f));
	if (member[0] == '\0')
		return 0;
	if (pg->use_slots)
		mt_pg_slot_name(f->slot, pg->conf->name);
	return mt_pg_primary_conninfo(f->conninfo, sizeof(f->conninfo),
				      &pg->conf->postgresql, pg->conf->name,
				      url, pg->bins.version_num, err);
}

void
mt_postgres_start_standby(struct mt_postgres *pg, const char *member,
			  const char *url)
{
	struct mt_pg_follow f;
	struct mt_err err;
	json_t *p;
	int rv;

	if (!may_start(pg))
		return;
	postgres__end_cancel(pg);
	postgres__job_begin(pg, MT_JOB_START, 0); /* the agent has patience */
	mt_info("starting PostgreSQL as a standby%s%s",
		member[0] != '\0' ? " of " : "", member);
	p = standby_parameters(pg);
	rv = p == NULL ? mt_err_set(&err, MT_ENOMEM, "out of memory")
		       : postgres__follow_of(pg, member, url, &f, &err);
	if (rv != 0) {
		json_decref(p);
		postgres__job_end(pg, &err);
		return;
	}
	pg->is_standby = true;
	pg->follow = f;
	pg->stopped = 0;
	postgres__file_queue(postgres__role_work(pg, p, &f, role_written));
	json_decref(p);
	mt_copy(pg->upstream, sizeof(pg->upstream), member);
	mt_copy(pg->upstream_url, sizeof(pg->upstream_url), url);
}

/* ---- on the running server ---- */

static void
statement_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;

	if (pg->closed || pg->job != MT_JOB_FOLLOW)
		return;
	if (r->err.code == 0)
		pg->reloads++;
	postgres__job_end(pg, &r->err);
}

static void
follow_written(struct file_work *w)
{
	struct mt_postgres *pg = w->pg;

	if (pg->job != MT_JOB_FOLLOW)
		return;
	if (w->rv != 0) {
		/* Whom it follows is not known: to be told anew. */
		pg->stale = true;
		pg->upstream[0] = '\0';
		postgres__job_end(pg, &w->err);
		return;
	}
	pg->stale = w->version != pg->version;
	mt_session_reload(pg->session, SHORT_TIMEOUT_MS, statement_cb, pg);
}

void
mt_postgres_follow(struct mt_postgres *pg, const char *member, const char *url)
{
	struct mt_pg_follow f;
	struct file_work *w;
	struct mt_err err;
	json_t *p;
	int rv;

	if (pg->job != MT_JOB_NONE || !postgres__running(pg))
		return;
	postgres__job_begin(pg, MT_JOB_FOLLOW, SHORT_TIMEOUT_MS);
	mt_info("following \"%s\"", member);
	p = standby_parameters(pg);
	rv = p == NULL ? mt_err_set(&err, MT_ENOMEM, "out of memory")
		       : postgres__follow_of(pg, member, url, &f, &err);
	if (rv != 0) {
		json_decref(p);
		postgres__job_end(pg, &err);
		return;
	}
	pg->follow = f;
	pg->stopped = 0;
	w = postgres__role_work(pg, p, &f, follow_written);
	w->only_conf = true;
	json_decref(p);
	mt_copy(pg->upstream, sizeof(pg->upstream), member);
	mt_copy(pg->upstream_url, sizeof(pg->upstream_url), url);
	postgres__file_queue(w);
}

static void
promote_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;

	if (pg->closed || pg->job != MT_JOB_PROMOTE)
		return;
	if (r->err.code != 0)
		postgres__job_end(pg, &r->err);
	else
		postgres__look_now(pg);
}

static void
reserve_work(struct file_work *w)
{
	w->rv = mt_pg_reserve_timelines(w->pg->conf->postgresql.data_dir,
					w->own_timeline, w->timeline, &w->err);
}

static void
reserve_done(struct file_work *w)
{
	struct mt_postgres *pg = w->pg;

	if (pg->job != MT_JOB_PROMOTE)
		return; /* overtaken by a stop */
	if (w->rv != 0)
		postgres__job_end(pg, &w->err);
	else
		mt_session_promote(pg->session, SHORT_TIMEOUT_MS, promote_cb,
				   pg);
}

void
mt_postgres_promote(struct mt_postgres *pg, int64_t deadline_ms,
		    uint32_t timeline)
{
	struct file_work *w;

	if (pg->job != MT_JOB_NONE || !postgres__running(pg))
		return;
	mt_info("promoting PostgreSQL to timeline %u", timeline);
	pg->exempt = false;
	/* Armed and a primary in our eyes from before the command: it may be
	 * obeyed although its answer never comes. */
	pg->as_primary = true;
	mt_postgres_arm(pg, deadline_ms);
	pg->promote_sent_ms = mt_clock_ms();
	postgres__job_begin(pg, MT_JOB_PROMOTE, 0);
	mt_postgres_hurry(pg, PROMOTE_LOOK_MS);
	if (pg->at.timeline + 1 >= timeline) { /* it takes it by itself */
		mt_session_promote(pg->session, SHORT_TIMEOUT_MS, promote_cb,
				   pg);
		return;
	}
	w = postgres__file_work(pg, reserve_work, reserve_done);
	w->own_timeline = pg->at.timeline;
	w->timeline = timeline;
	postgres__file_queue(w);
}

static void
checkpoint_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;

	if (pg->closed)
		return;
	if (pg->job != MT_JOB_CHECKPOINT)
		return;
	/* Without it the stop takes longer; that is all. */
	if (r->err.code != 0)
		mt_warn("checkpoint before the stop failed: %s", r->err.text);
	pg->checkpoint_for = pg->checkpoint_id;
	mt_session_want(pg->worker, false);
	postgres__job_end(pg, NULL);
}

void
mt_postgres_checkpoint(struct mt_postgres *pg, uint64_t request_id)
{
	if (pg->job != MT_JOB_NONE)
		return;
	pg->checkpoint_id = request_id;
	postgres__job_begin(pg, MT_JOB_CHECKPOINT, 0);
	mt_session_want(pg->worker, true);
	mt_session_checkpoint(pg->worker, CHECKPOINT_TIMEOUT_MS, checkpoint_cb,
			      pg);
}

static void
slot_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;

	if (pg->closed)
		return;
	if (r->err.code != 0) {
		mt_error("could not create a replication slot: %s",
			 r->err.text);
		pg->slots_failed = true;
	}
	if (--pg->slots_waiting > 0)
		return;
	/* Whether all are there now is for the next look to tell. */
	if (pg->slots_failed && pg->job == MT_JOB_SLOTS)
		postgres__job_end(pg, &r->err);
	postgres__look_now(pg);
}

void
mt_postgres_slots(struct mt_postgres *pg, const struct mt_state *s)
{
	char slot[64];

	if (pg->job != MT_JOB_NONE)
		return;
	postgres__job_begin(pg, MT_JOB_SLOTS, SHORT_TIMEOUT_MS);
	pg->slots_failed = false;
	pg->slots_waiting = 1;
	for (int i = 0; i < s->n_members; i++) {
		const struct mt_member *m = &s->members[i];

		if (m->witness || strcmp(m->name, pg->conf->name) == 0)
			continue;
		mt_pg_slot_name(slot, m->name);
		pg->slots_waiting++;
		if (mt_session_slot_create(pg->session, slot, SHORT_TIMEOUT_MS,
					   slot_cb, pg) == 0)
			pg->slots_waiting--;
	}
	if (--pg->slots_waiting == 0)
		postgres__look_now(pg);
}
