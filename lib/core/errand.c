/* SPDX-License-Identifier: PostgreSQL */
/*
 * Errands; see the header. Happy path of a restart: a checkpoint, the stop, the
 * start, it answers. Of a new copy: the stop, the data is thrown away, cloned,
 * started, it answers. Each step is told by what is seen of the server, not by
 * what was ordered.
 *
 * Failure modes: it is not begun in time; its role changes first; it does not
 * start; it is down for long, for a reason that is not the errand's. Then the
 * errand is over, and the node goes on by its own rules.
 */
#include "core/errand.h"

#include <inttypes.h>
#include <string.h>

#include "base/iso.h"
#include "base/text.h"
#include "core/agent.h"
#include "core/request.h"
#include "core/sync.h"

#define BEGIN_WITHIN_MS 10000 /* besides two loop_wait to leave the set */
#define DOWN_AT_MOST_MS 60000 /* without any action */
#define CHECKPOINT_BIT (UINT64_C(1) << 63)

const char *
mt_errand_name(enum mt_errand_kind kind)
{
	switch (kind) {
	case MT_ERRAND_NONE:
		return "";
	case MT_ERRAND_RESTART:
		return "restart";
	case MT_ERRAND_REINIT:
		return "reinitialize";
	}
	return "";
}

uint64_t
mt_errand_checkpoint(const struct mt_errand *e)
{
	return CHECKPOINT_BIT | e->id;
}

/* ---- its steps ---- */

bool
mt_errand_restarts(const struct mt_local *l)
{
	return l->errand.kind == MT_ERRAND_RESTART && l->errand.stop_ms != 0;
}

bool
mt_errand_is_to_start(const struct mt_local *l)
{
	return mt_errand_restarts(l) && !l->running && !l->errand.started;
}

bool
mt_errand_makes_anew(const struct mt_local *l)
{
	return l->errand.kind == MT_ERRAND_REINIT && !l->errand.made;
}

void
mt_errand_see(struct mt_errand *e, const struct mt_local *l)
{
	if (l->data == MT_DATA_PRESENT && l->last_job == MT_JOB_CLONE &&
	    !l->last_job_failed && l->last_job_ms >= e->asked_ms)
		e->made = true;
	if (e->kind == MT_ERRAND_REINIT ? !e->made : e->stop_ms == 0)
		return;
	if (l->job == MT_JOB_START ||
	    (l->last_job == MT_JOB_START && l->last_job_ms >= e->stop_ms))
		e->started = true;
}

void
mt_errand_execute(struct mt_errand *e, const struct mt_plan *p, int64_t now_ms)
{
	if (p->for_errand &&
	    (p->act == MT_ACT_STOP_FAST || p->act == MT_ACT_STOP_IMMEDIATE))
		e->stop_ms = now_ms;
}

enum mt_pg_state
mt_errand_state(const struct mt_local *l, enum mt_pg_state state)
{
	if (l->errand.kind == MT_ERRAND_REINIT && !l->errand.started)
		return MT_PG_CREATING_REPLICA;
	if (mt_errand_restarts(l) && state != MT_PG_RUNNING)
		return MT_PG_RESTARTING;
	return state;
}

int64_t
mt_errand_begin_ms(const struct mt_local *l)
{
	if (l->job == MT_JOB_CHECKPOINT)
		return 0;
	return l->last_job == MT_JOB_CHECKPOINT &&
		       l->last_job_ms > l->errand.asked_ms
		   ? l->last_job_ms
		   : l->errand.asked_ms;
}

/* ---- may it be begun ---- */

static bool
has_role(const struct mt_local *l, const struct mt_restart *r)
{
	enum mt_pg_role role =
	    l->running && l->as_primary ? MT_ROLE_PRIMARY : MT_ROLE_REPLICA;

	return !r->standby_leader && r->role == role;
}

char *
mt_restart_objection(const struct mt_view *v, const struct mt_restart *r,
		     char *why, size_t size)
{
	const struct mt_local *l = &v->local;

	why[0] = '\0';
	if (l->witness)
		mt_copy(why, size, "this member has no PostgreSQL");
	else if (l->data == MT_DATA_UNKNOWN)
		mt_copy(why, size, "the data directory is being looked at");
	else if (l->data != MT_DATA_PRESENT)
		mt_copy(why, size, "there is no data to start PostgreSQL on");
	else if (r->has_role && !has_role(l, r))
		mt_copy(why, size,
			"restart conditions are not satisfied: PostgreSQL has "
			"another role");
	else if (r->below_version != 0 && l->server_version == 0)
		mt_copy(why, size,
			"restart conditions are not satisfied: PostgreSQL's "
			"version is not known while it does not answer");
	else if (r->below_version != 0 && l->server_version >= r->below_version)
		mt_copy(why, size,
			"restart conditions are not satisfied: PostgreSQL is "
			"not older than postgres_version");
	else if (r->if_pending && !l->pending_restart)
		mt_copy(why, size,
			"restart conditions are not satisfied: no parameter "
			"waits for a restart");
	return why;
}

/* Written in whatever zone. */
static bool
same_moment(const char *a, const char *b)
{
	struct mt_iso at, bt;

	return strcmp(a, b) == 0 ||
	       (mt_iso_parse(a, &at) == 0 && mt_iso_parse(b, &bt) == 0 &&
		at.wall_ms == bt.wall_ms);
}

/* More than one and a half loop_wait late it is not run any more: whoever
 * scheduled it chose the time. */
enum mt_due
mt_restart_due(const struct mt_view *v, const struct mt_restart *r,
	       const char *started, const char *started_now, int64_t *look_ms)
{
	int64_t late_ms = v->wall_ms - r->at_ms;
	int64_t most_ms = v->settings->loop_wait_ms * 3 / 2;

	*look_ms = 0;
	if (started[0] != '\0' && started_now[0] != '\0' &&
	    !same_moment(started, started_now))
		return MT_DUE_OVERTAKEN;
	if (late_ms > most_ms)
		return MT_DUE_MISSED;
	if (late_ms < 0) {
		*look_ms = v->now_ms - late_ms;
		return MT_DUE_LATER;
	}
	/* The server that it is for is not known yet, or nothing may begin. */
	if (v->settings->pause || v->local.data == MT_DATA_UNKNOWN ||
	    (started[0] != '\0' && v->local.running && !v->local.accepting) ||
	    mt_errand_busy(v)[0] != '\0' || v->local.stopping) {
		*look_ms = v->now_ms + most_ms - late_ms + 1;
		return MT_DUE_LATER;
	}
	return MT_DUE_NOW;
}

const char *
mt_errand_busy(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;

	if (l->errand.kind != MT_ERRAND_NONE)
		return mt_errand_name(l->errand.kind);
	if (mt_state_is_asked(v->state) && mt_state_held_by(v->state, l->name))
		return mt_request_name(v->state->request.kind);
	switch (l->job) {
	case MT_JOB_BOOTSTRAP:
	case MT_JOB_CLONE:
	case MT_JOB_RECOVER:
	case MT_JOB_REWIND:
	case MT_JOB_START:
	case MT_JOB_STOP:
	case MT_JOB_PRE_PROMOTE:
	case MT_JOB_PROMOTE:
	case MT_JOB_DISCARD:
		return mt_job_name(l->job);
	case MT_JOB_NONE:
	case MT_JOB_CHECKPOINT:
	case MT_JOB_FOLLOW:
	case MT_JOB_SLOTS:
	case MT_JOB_NAMES:
	case MT_JOB_FENCE:
		break;
	}
	/* It was chosen, and is about to be. */
	if (mt_state_held_by(v->state, l->name) && l->running && !l->as_primary)
		return mt_job_name(MT_JOB_PROMOTE);
	return "";
}

char *
mt_reinit_objection(const struct mt_view *v, char *why, size_t size)
{
	const struct mt_local *l = &v->local;

	why[0] = '\0';
	if (l->witness)
		mt_copy(why, size, "this member has no PostgreSQL");
	else if (!mt_state_held(v->state))
		mt_copy(why, size,
			"Cluster has no leader, can not reinitialize");
	else if (mt_state_held_by(v->state, l->name))
		mt_copy(why, size, "I am the leader, can not reinitialize");
	else if (l->data == MT_DATA_FOREIGN || mt_agent_is_stranger(v))
		mt_copy(why, size,
			"what is in the data directory is not this cluster's; "
			"move it away");
	else if (mt_agent_counts_in_sync(v) && !mt_sync_lets_go(v, l->name))
		mt_copy(why, size,
			"commits wait for this member alone "
			"(synchronous_mode_strict), can not reinitialize");
	return why;
}

/* ---- what has become of it ---- */

static int64_t
begin_until_ms(const struct mt_view *v)
{
	return mt_errand_begin_ms(&v->local) + 2 * v->settings->loop_wait_ms +
	       BEGIN_WITHIN_MS;
}

/* It stands still, and not for the errand's sake. */
static bool
is_stuck(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;
	int64_t since_ms = l->last_job_ms > l->errand.stop_ms
			       ? l->last_job_ms
			       : l->errand.stop_ms;

	return !l->running && l->job == MT_JOB_NONE &&
	       v->now_ms - since_ms >= DOWN_AT_MOST_MS;
}

static enum mt_errand_result
look_at_start(const struct mt_view *v, char *why, size_t size)
{
	const struct mt_local *l = &v->local;
	const struct mt_errand *e = &l->errand;

	if (l->job == MT_JOB_START)
		return e->timeout_ms > 0 &&
			       v->now_ms - l->job_since_ms >= e->timeout_ms
			   ? MT_ERRAND_LATE
			   : MT_ERRAND_GOES_ON;
	if (l->job != MT_JOB_NONE)
		return MT_ERRAND_GOES_ON;
	if (e->started && !l->running) {
		mt_copy(why, size, "PostgreSQL could not be started");
		return MT_ERRAND_FAILED;
	}
	if (is_stuck(v)) {
		mt_copy(why, size, "PostgreSQL is down, and not started");
		return MT_ERRAND_FAILED;
	}
	if (!l->running || !l->accepting || !e->started)
		return MT_ERRAND_GOES_ON;
	if (e->as_primary && !l->as_primary) {
		mt_copy(why, size,
			"it lost the turn meanwhile, and is a "
			"standby");
		return MT_ERRAND_FAILED;
	}
	return MT_ERRAND_DONE;
}

static enum mt_errand_result
look_at_restart(const struct mt_view *v, char *why, size_t size)
{
	const struct mt_local *l = &v->local;

	if (l->errand.stop_ms != 0)
		return look_at_start(v, why, size);
	if (l->running && l->as_primary != l->errand.as_primary)
		mt_copy(why, size, "its role has changed before it was begun");
	else if (mt_errand_begin_ms(l) != 0 && v->now_ms >= begin_until_ms(v))
		mt_format(why, size,
			  "it could not be begun within %" PRId64 " s",
			  (v->now_ms - l->errand.asked_ms) / 1000);
	else
		return MT_ERRAND_GOES_ON;
	return MT_ERRAND_FAILED;
}

static enum mt_errand_result
look_at_reinit(const struct mt_view *v, char *why, size_t size)
{
	const struct mt_local *l = &v->local;

	if (l->errand.made)
		return look_at_start(v, why, size);
	if (l->data == MT_DATA_PRESENT && mt_state_held_by(v->state, l->name))
		mt_copy(why, size, "this member became the leader");
	else if (l->running && l->job == MT_JOB_NONE &&
		 v->now_ms >= begin_until_ms(v))
		mt_format(why, size,
			  "it could not be begun within %" PRId64 " s",
			  (v->now_ms - l->errand.asked_ms) / 1000);
	else
		return MT_ERRAND_GOES_ON;
	return MT_ERRAND_FAILED;
}

enum mt_errand_result
mt_errand_look(const struct mt_view *v, char *why, size_t size)
{
	why[0] = '\0';
	if (v->local.errand.kind == MT_ERRAND_NONE)
		return MT_ERRAND_GOES_ON;
	if (v->local.stopping) {
		mt_copy(why, size, "the daemon ends");
		return MT_ERRAND_FAILED;
	}
	return v->local.errand.kind == MT_ERRAND_RESTART
		   ? look_at_restart(v, why, size)
		   : look_at_reinit(v, why, size);
}

int64_t
mt_errand_look_ms(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;
	const struct mt_errand *e = &l->errand;

	if (e->kind == MT_ERRAND_NONE)
		return 0;
	if (l->job == MT_JOB_START)
		return e->timeout_ms > 0 ? l->job_since_ms + e->timeout_ms : 0;
	if (l->running)
		return e->stop_ms == 0 && mt_errand_begin_ms(l) != 0
			   ? begin_until_ms(v)
			   : 0;
	return v->now_ms + DOWN_AT_MOST_MS;
}
