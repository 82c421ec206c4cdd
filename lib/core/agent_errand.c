/* SPDX-License-Identifier: PostgreSQL */
/*
 * What people asked of this PostgreSQL (errand.h): the steps that the agent
 * would not take by itself. A restart: a checkpoint, so that the fast stop has
 * little left to write; a synchronous standby leaves the set; the stop. The
 * start is that of any server that is down: the primary's under the lease that
 * it went on having (agent_turn.c), the standby's as ever. A new copy: the
 * stop, what is thrown away is named, and it is; the clone is as any.
 *
 * What is not safe is not begun: a primary without a lease that lasts, or one
 * that may have been displaced; data that the log counts on; a copy without a
 * primary to copy from. errand.c says for how long that is waited for; the node
 * does meanwhile what it would do without the errand: a fence and a new primary
 * do not wait for people.
 */
#include <string.h>

#include "base/text.h"
#include "core/agent_internal.h"
#include "core/clones.h"

/* ---- restart ---- */

static bool
may_restart(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;

	if (l->errand.stop_ms != 0 || !l->running || l->job != MT_JOB_NONE ||
	    l->as_primary != l->errand.as_primary)
		return false;
	/* What was asked of the turn goes first. */
	if (l->as_primary)
		return agent__mine(v) && !mt_state_is_asked(v->state) &&
		       l->record.pg_epoch == v->state->leader.epoch;
	return !agent__mine(v) && !agent__fences(v);
}

static void
plan_restart(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;

	if (l->accepting &&
	    l->checkpoint_for != mt_errand_checkpoint(&l->errand)) {
		p->act = MT_ACT_CHECKPOINT;
		p->request_id = mt_errand_checkpoint(&l->errand);
	} else if (agent__leaves_set_first(v)) {
		agent__plan_leave_set(v, p);
	} else if (l->as_primary && !agent__lease_lasts(v)) {
		agent__why(p, "waiting for a majority to confirm the lease "
			      "before the restart");
		p->look_again_ms = l->deadline_ms - agent__stop_ahead_ms(v);
	} else if (!l->as_primary || agent__is_supported(v, p)) {
		p->act = MT_ACT_STOP_FAST;
		agent__why(p, "a restart was asked for");
	}
}

/* ---- a new copy ---- */

/* Began before the errand: what it would bring is not wanted any more. */
static bool
is_old_job(const struct mt_local *l)
{
	return l->job != MT_JOB_NONE && l->job_since_ms < l->errand.asked_ms;
}

static bool
may_make_anew(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;

	if (agent__mine(v) || !mt_errand_makes_anew(l))
		return false;
	if (l->running)
		return l->job == MT_JOB_NONE || is_old_job(l);
	if (l->job != MT_JOB_NONE)
		return is_old_job(l);
	return l->data == MT_DATA_PRESENT;
}

static void
plan_anew(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;
	const struct mt_seen *primary = agent__primary_of(v);

	if (!l->running && l->job != MT_JOB_NONE) {
		p->cancel = true;
		agent__why(p, "cancelling what is under way: a new copy was "
			      "asked for");
	} else if (primary == NULL || primary->gone) {
		agent__why(p, "waiting for a primary to clone before the data "
			      "is thrown away");
	} else if (mt_agent_counts_in_sync(v)) {
		agent__why(p, "waiting to be taken out of the synchronous set "
			      "before the data is thrown away");
	} else if (!mt_clones_allow(v, &primary->report)) {
		agent__wait_for_place(v, p);
	} else if (l->running) {
		p->act = MT_ACT_STOP_IMMEDIATE;
		agent__why(p, "a new copy was asked for");
	} else if (l->control == MT_CONTROL_UNKNOWN) {
		agent__why(p, "reading the control file");
	} else if (agent__is_named(v, p, "a reinitialization", primary)) {
		p->act = MT_ACT_DISCARD;
	}
}

/* ---- the rule ---- */

static void
plan(const struct mt_view *v, struct mt_plan *p)
{
	p->for_errand = true;
	if (v->local.errand.kind == MT_ERRAND_RESTART && may_restart(v))
		plan_restart(v, p);
	else if (v->local.errand.kind == MT_ERRAND_REINIT && may_make_anew(v))
		plan_anew(v, p);
}

bool
agent__has_errand(const struct mt_view *v)
{
	struct mt_plan p = {0};

	if (v->local.errand.kind == MT_ERRAND_NONE)
		return false;
	plan(v, &p);
	return p.act != MT_ACT_NONE || p.cancel;
}

void
agent__plan_errand(const struct mt_view *v, struct mt_plan *p)
{
	plan(v, p);
}

void
agent__add_errand(const struct mt_view *v, struct mt_plan *p)
{
	struct mt_plan mine = {0};

	if (v->local.errand.kind == MT_ERRAND_NONE || p->act != MT_ACT_NONE)
		return;
	plan(v, &mine);
	if (p->why[0] == '\0')
		mt_copy(p->why, sizeof(p->why), mine.why);
	p->wants_clone |= mine.wants_clone;
	if (mine.look_again_ms != 0 &&
	    (p->look_again_ms == 0 || mine.look_again_ms < p->look_again_ms))
		p->look_again_ms = mine.look_again_ms;
}

bool
mt_agent_is_leaving(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;

	if (mt_agent_is_stopping(v))
		return true;
	/* Where nobody is primary it may be the one to be chosen. */
	return l->errand.kind != MT_ERRAND_NONE && !l->errand.as_primary &&
	       !l->as_primary && (!l->running || agent__primary_of(v) != NULL);
}
