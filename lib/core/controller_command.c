/* SPDX-License-Identifier: PostgreSQL */
/*
 * The commands that the controller's rules end in, with what the decision
 * record is to tell: an assignment, and the end of a request that failed. Which
 * rule and when is controller_turn.c's.
 */
#include "core/controller_internal.h"

#include <string.h>

#include "base/text.h"

void
controller__plan_assign(const struct mt_view *v, struct mt_control_plan *p,
			enum mt_ground ground, const char *holder,
			const struct mt_candidates *found)
{
	const struct mt_leader *l = &v->state->leader;
	struct mt_command *c = &p->command;
	struct mt_decision *d = &c->u.assign.decision;
	struct mt_candidates all;

	p->propose = true;
	c->kind = MT_CMD_LEADER_ASSIGN;
	c->u.assign.expect_epoch = l->epoch;
	c->u.assign.expect_released = l->released;
	c->u.assign.expect_sync = v->state->sync.version;
	c->u.assign.ground = ground;
	mt_copy(c->u.assign.holder, sizeof(c->u.assign.holder), holder);
	c->u.assign.ttl_ms = v->settings->ttl_ms;
	c->u.assign.continues = found == NULL;
	d->at_ms = v->wall_ms;
	mt_copy(d->rule, sizeof(d->rule), p->rule);
	mt_copy(d->from, sizeof(d->from), l->holder);
	mt_copy(d->to, sizeof(d->to), holder);
	mt_copy(d->why, sizeof(d->why), p->why);
	d->optime = mt_primary_position(v);
	if (found == NULL) {
		mt_candidates_seen(v, &all);
		found = &all;
	} else {
		c->u.assign.min = found->verdicts[found->best].at;
	}
	d->n_verdicts = found->n;
	memcpy(d->verdicts, found->verdicts, sizeof(d->verdicts));
}

int64_t
controller__lasted(int64_t from_ms, int64_t to_ms)
{
	return to_ms > from_ms ? to_ms - from_ms : 1;
}

void
controller__plan_phases(const struct mt_controller *c, const struct mt_view *v,
			struct mt_control_plan *p)
{
	struct mt_phases *ph = &p->command.u.assign.decision.phases;

	ph->fenced_ms = controller__lasted(c->suspect_ms, c->fenced_ms);
	ph->assigned_ms = controller__lasted(c->suspect_ms, v->now_ms);
}

void
controller__plan_clear(const struct mt_view *v, struct mt_control_plan *p,
		       const char *why)
{
	const struct mt_request *r = &v->state->request;
	struct mt_request_result *o = &p->command.u.request_clear;

	p->propose = true;
	p->command.kind = MT_CMD_REQUEST_CLEAR;
	o->id = r->id;
	mt_format(o->text, sizeof(o->text), "%s failed: %s",
		  r->kind == MT_REQUEST_FAILOVER ? "Failover" : "Switchover",
		  why);
	mt_copy(p->why, sizeof(p->why), o->text);
	p->command.seen.at_ms = v->wall_ms;
	p->command.seen.optime = mt_primary_position(v);
}

void
controller__plan_clear_found(const struct mt_view *v, struct mt_control_plan *p,
			     const struct mt_candidates *found)
{
	char text[MT_WHY_MAX - 48];

	mt_candidates_text(found, text, sizeof(text));
	controller__plan_clear(v, p, text);
	p->command.seen.n_verdicts = found->n;
	memcpy(p->command.seen.verdicts, found->verdicts,
	       sizeof(found->verdicts));
}
