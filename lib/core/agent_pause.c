/* SPDX-License-Identifier: PostgreSQL */
/*
 * Pause: nothing is decided for the operator. Nobody is started, stopped,
 * promoted, cloned or rewound by itself, and a daemon that ends leaves its
 * PostgreSQL as it is. What an operator asks for (a switchover to a candidate)
 * is carried out (a restart and a new copy, too), and what this daemon itself
 * stopped it starts again as a standby.
 *
 * Pause alone does not let a primary outlive its lease: for that the holder has
 * an exemption committed, under which nobody takes the turn from it because of
 * silence, and only then tells its sentinel to forget the deadline. Back the
 * other way round: armed under a lease first, then the exemption's end is
 * proposed (doc/protocol.md, "Exemption"). A holder that finds no majority for
 * its exemption stops at the lease's end, paused or not.
 */
#include <string.h>

#include "base/text.h"
#include "core/agent_internal.h"

#define EXEMPT_WITHIN_MS 8000 /* then a daemon that ends stops its primary */

bool
agent__paused(const struct mt_view *v)
{
	return v->settings->pause && v->state->sysid[0] != '\0';
}

bool
agent__needs_lease(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;

	if (!l->running || !l->as_primary || l->exempt ||
	    mt_agent_is_stranger(v) || agent__adopts(v))
		return false;
	/* One that has no turn never had a lease. While paused it is the
	 * operator's. */
	return !agent__paused(v) || mt_state_held_by(v->state, l->name);
}

int64_t
agent__stop_ahead_ms(const struct mt_view *v)
{
	int64_t ttl_ms = v->state->leader.ttl_ms;

	/* A longer ttl, just agreed, has not been promised by anybody yet. */
	if (v->local.lease_ttl_ms > 0 && v->local.lease_ttl_ms < ttl_ms)
		ttl_ms = v->local.lease_ttl_ms;
	return ttl_ms / 4;
}

/* A lease of this turn with more left than what is kept for a fast stop. */
bool
agent__lease_lasts(const struct mt_view *v)
{
	return v->local.had_lease &&
	       v->local.lease_epoch >= v->state->leader.since &&
	       v->now_ms + agent__stop_ahead_ms(v) < v->local.deadline_ms;
}

bool
agent__leaves(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;

	return l->stopping && l->running && l->job != MT_JOB_STOP &&
	       (mt_agent_is_stranger(v) ||
		(agent__paused(v) && !agent__needs_lease(v)));
}

bool
agent__will_leave(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;

	return agent__paused(v) && l->job != MT_JOB_STOP && agent__mine(v) &&
	       v->now_ms - l->stopping_ms < EXEMPT_WITHIN_MS;
}

/* ---- a node without the turn ---- */

/* Did this process stop it, or try to start it? Then it may end what it has
 * begun: after a switchover the old primary comes back as a standby. */
static bool
is_ours_to_start(const struct mt_local *l)
{
	return !l->died &&
	       (l->last_job == MT_JOB_STOP || l->last_job == MT_JOB_START);
}

/* People may have a server restarted and a replica made anew. */
static bool
is_asked_for(const struct mt_local *l, enum mt_act act)
{
	if (act == MT_ACT_START_STANDBY)
		return l->errand.kind != MT_ERRAND_NONE;
	return (act == MT_ACT_CLONE || act == MT_ACT_DISCARD) &&
	       mt_errand_makes_anew(l);
}

void
agent__plan_paused(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;

	if (l->running && l->as_primary) {
		agent__why(p, "paused: runs as a second primary, without the "
			      "turn");
		return;
	}
	agent__plan_standby(v, p);
	if (p->act == MT_ACT_NONE || p->act == MT_ACT_FOLLOW ||
	    (p->act == MT_ACT_START_STANDBY && is_ours_to_start(l)) ||
	    is_asked_for(l, p->act))
		return;
	p->act = MT_ACT_NONE;
	p->member[0] = '\0';
	p->look_again_ms = 0;
	agent__why(p, l->running ? "paused: PostgreSQL is left as it is"
				 : "paused: PostgreSQL is not started");
}

/* ---- the exemption ---- */

static void
propose(const struct mt_view *v, struct mt_plan *p, uint64_t ends)
{
	struct mt_command *c = &p->command;

	p->act = MT_ACT_PROPOSE;
	c->kind = MT_CMD_LEADER_EXEMPT;
	c->u.exempt.epoch = v->state->leader.epoch;
	mt_copy(c->u.exempt.holder, sizeof(c->u.exempt.holder), v->local.name);
	c->u.exempt.incarnation = v->local.incarnation;
	c->u.exempt.ends = ends;
	mt_copy(c->u.exempt.reason, sizeof(c->u.exempt.reason), "pause");
}

/* Is what the state says for sure not over? Its end is proposed by this member
 * alone: another incarnation of it, or this one, may have done that, and the
 * command be on its way. */
static bool
is_exempted(const struct mt_view *v)
{
	const struct mt_leader *l = &v->state->leader;

	return l->exempt > v->local.exempt_ended &&
	       l->exempt_incarnation == v->local.incarnation;
}

bool
agent__plan_exempt(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;

	if (agent__paused(v)) {
		if (l->exempt || !l->guarded)
			return false;
		if (is_exempted(v))
			p->act = MT_ACT_EXEMPT;
		else
			propose(v, p, 0);
		return true;
	}
	if (l->exempt) {
		/* Until a majority supports it, it runs on as it is. */
		if (!agent__lease_lasts(v))
			return false;
		p->act = MT_ACT_ARM;
		return true;
	}
	if (v->state->leader.exempt == 0)
		return false;
	propose(v, p, v->state->leader.exempt);
	return true;
}
