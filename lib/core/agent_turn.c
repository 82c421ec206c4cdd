/* SPDX-License-Identifier: PostgreSQL */
/*
 * The holder's turn: from the assignment over support, promotion and service to
 * the release. The happy path of a failover: fit standby, support, epoch made
 * durable, promotion, slots, history. A holder that cannot serve gives its
 * epoch up, durably and before it says so: coming back takes a new epoch
 * (doc/protocol.md, rule 7).
 */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "core/agent_internal.h"
#include "core/candidate.h"
#include "core/suspect.h"

#define FIT_WITHIN_MS 15000     /* to become fit, and to find support */
#define PROMOTE_WITHIN_MS 60000 /* from the command to the end of recovery */
#define START_TRIES 3

bool
agent__is_fit(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;

	return l->running && !l->as_primary && l->accepting && l->in_recovery &&
	       l->guarded && l->at.timeline != 0 &&
	       mt_position_compare(l->at, v->state->leader.min) >= 0;
}

/* The data directory that epoch 1 was made of, bootstrapped or found down,
 * before its first start under the lease. */
static bool
first_start(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;

	return l->fresh && !l->running && v->state->leader.continues &&
	       v->state->leader.since == 1 &&
	       strcmp(l->sysid, v->state->sysid) == 0;
}

/* What died before it left recovery is a standby still, on the timeline of the
 * primary before it: only a promotion may make it writable. */
static bool
was_primary(const struct mt_local *l)
{
	return l->control == MT_CONTROL_PRODUCTION ||
	       l->control == MT_CONTROL_SHUT_DOWN;
}

/* Is there another member that would be chosen now? */
static bool
can_hand_over(const struct mt_view *v)
{
	struct mt_candidate_rules others = {.except = v->local.name};
	struct mt_candidates found;

	mt_candidates_judge(v, &others, &found);
	return found.best >= 0;
}

/* Its postmaster died or never ran, and the lease under which it may run as
 * primary is the one that it had or the first. */
bool
agent__may_start_primary(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;

	if (l->running || l->data != MT_DATA_PRESENT || !agent__in_turn(v) ||
	    l->stopping)
		return false;
	if (l->last_job == MT_JOB_START && l->last_job_failed &&
	    l->failures >= START_TRIES)
		return false;
	/* What people had stopped they want to have again, in pause, too. */
	if (mt_errand_is_to_start(l))
		return l->had_lease && agent__lease_lives(v) && was_primary(l);
	if (agent__paused(v))
		return first_start(v);
	/* What hung is restarted where nobody else can take over, and not
	 * again and again. */
	if (l->hung && (l->hung_again || can_hand_over(v)))
		return false;
	if (l->died || l->hung ||
	    (l->last_job == MT_JOB_START && l->last_job_failed))
		return l->had_lease && agent__lease_lives(v) &&
		       was_primary(l) &&
		       (v->settings->primary_start_timeout_ms > 0 ||
			!can_hand_over(v));
	return first_start(v);
}

static void
give_up(const struct mt_view *v, struct mt_plan *p, const char *why)
{
	p->act = MT_ACT_GIVE_UP;
	p->epoch = v->state->leader.epoch;
	agent__why(p, why);
}

/* Why the holder's server is down and not started again. */
static const char *
why_down(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;

	if (l->stopping)
		return "the daemon was asked to end";
	if (l->hung)
		return "PostgreSQL hung, and was ended by force";
	if (l->died)
		return "PostgreSQL died";
	if (mt_state_is_asked(v->state) &&
	    v->state->request.kind == MT_REQUEST_FAILOVER)
		return "a failover was asked for";
	if (mt_state_is_asked(v->state) &&
	    strcmp(v->state->request.leader, l->name) == 0)
		return "a switchover was asked for";
	return "PostgreSQL does not run";
}

static void
take_epoch(const struct mt_view *v, struct mt_plan *p)
{
	p->act = MT_ACT_TAKE_EPOCH;
	p->epoch = v->state->leader.epoch;
}

/* Who may have been displaced begins nothing under a lease that lasts: the next
 * answers tell. */
bool
agent__is_supported(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;

	if (!mt_may_be_displaced(v) || v->now_ms < l->missed_ms)
		return true;
	agent__why(p, "waiting for a majority to confirm the lease");
	p->look_again_ms = l->deadline_ms - agent__stop_ahead_ms(v);
	return false;
}

/* ---- a standby that is to be promoted ---- */

static void
plan_standby_turn(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;
	bool late = v->now_ms - l->turn_ms > FIT_WITHIN_MS;

	if (!agent__is_fit(v)) {
		if (l->accepting && l->at.timeline != 0)
			give_up(v, p,
				"is behind the position that the "
				"assignment demands");
		else if (late)
			give_up(v, p, "did not become fit in time");
		else
			agent__why(p, "waiting for PostgreSQL's position");
		p->look_again_ms = l->turn_ms + FIT_WITHIN_MS + 1;
		return;
	}
	if (!agent__lease_lasts(v)) {
		if (late)
			give_up(v, p, "found no support in time");
		else
			agent__why(p, "waiting for the support of a majority");
		p->look_again_ms = l->turn_ms + FIT_WITHIN_MS + 1;
		return;
	}
	if (!agent__is_supported(v, p))
		return;
	/* The log's sets stay as they are: what the new primary waits for must
	 * meet them from its first commit on (doc/protocol.md, rule 5). */
	if (agent__plan_names_ahead(v, p)) {
		if (late)
			give_up(v, p,
				"did not bring its names into effect "
				"in time");
		else if (agent__too_early(v, MT_JOB_NAMES, p))
			p->act = MT_ACT_NONE;
		return;
	}
	/* The last word is the operator's. */
	if (mt_agent_refuses_until(v) != 0) {
		give_up(v, p, "pre_promote does not let it be promoted");
		return;
	}
	if (l->has_pre_promote && l->pre_promoted != v->state->leader.since) {
		p->act = MT_ACT_PRE_PROMOTE;
		p->epoch = v->state->leader.since;
		return;
	}
	/* Durable before the promotion: a restarted daemon adopts this
	 * PostgreSQL as primary only under this epoch. */
	if (l->record.pg_epoch != v->state->leader.epoch ||
	    l->record.data_id != l->data_id) {
		take_epoch(v, p);
	} else {
		p->act = MT_ACT_PROMOTE;
		p->timeline = v->state->leader.timeline;
	}
}

/* ---- a server that is down ---- */

static void
plan_down(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;

	/* Its volume may be what hangs: that is not waited for. */
	if (l->hung && (l->hung_again || can_hand_over(v))) {
		give_up(v, p, why_down(v));
		return;
	}
	if (l->data == MT_DATA_UNKNOWN) {
		agent__why(p, "looking at the data directory");
		return;
	}
	if (first_start(v) && l->record.pg_epoch != v->state->leader.epoch) {
		take_epoch(v, p);
		return;
	}
	if ((l->died || l->hung || mt_errand_is_to_start(l)) &&
	    l->data == MT_DATA_PRESENT && l->control == MT_CONTROL_UNKNOWN) {
		agent__why(p, "reading the control file");
		return;
	}
	if (!agent__may_start_primary(v)) {
		give_up(v, p, why_down(v));
		return;
	}
	if (l->record.pg_epoch != v->state->leader.epoch) {
		take_epoch(v, p);
	} else if (agent__lease_lasts(v)) {
		if (agent__is_supported(v, p))
			p->act = MT_ACT_START_PRIMARY;
	} else if (v->now_ms - l->turn_ms > FIT_WITHIN_MS) {
		give_up(v, p, "found no support in time");
	} else {
		agent__why(p, "waiting for the support of a majority");
		p->look_again_ms = l->turn_ms + FIT_WITHIN_MS + 1;
	}
}

/* ---- the primary in service ---- */

static bool
history_is_old(const struct mt_view *v)
{
	const struct mt_state *s = v->state;

	return v->n_history > 0 && v->local.at.timeline >= 2 &&
	       s->history_of != v->local.at.timeline;
}

static void
plan_history(const struct mt_view *v, struct mt_plan *p)
{
	int first =
	    v->n_history > MT_HISTORY_MAX ? v->n_history - MT_HISTORY_MAX : 0;
	struct mt_command *c = &p->command;

	p->act = MT_ACT_PROPOSE;
	c->kind = MT_CMD_HISTORY_PUT;
	c->u.history_put.epoch = v->state->leader.epoch;
	mt_copy(c->u.history_put.holder, sizeof(c->u.history_put.holder),
		v->local.name);
	c->u.history_put.timeline = v->local.at.timeline;
	for (int i = first; i < v->n_history; i++)
		c->u.history_put.lines[c->u.history_put.n++] = v->history[i];
}

/* The turn's assignment is recorded without what only this node can tell. */
static bool
is_untimed(const struct mt_view *v)
{
	return v->local.leased_ms != 0 && v->local.promoted_ms != 0 &&
	       v->local.writable_ms != 0 && mt_state_untimed(v->state) != NULL;
}

static void
plan_times(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;
	struct mt_command *c = &p->command;

	p->act = MT_ACT_PROPOSE;
	c->kind = MT_CMD_DECISION_PUT;
	c->u.decision_put.id = mt_state_untimed(v->state)->id;
	c->u.decision_put.epoch = v->state->leader.since;
	mt_copy(c->u.decision_put.holder, sizeof(c->u.decision_put.holder),
		l->name);
	c->u.decision_put.phases.leased_ms = l->leased_ms;
	c->u.decision_put.phases.promoted_ms = l->promoted_ms;
	c->u.decision_put.phases.writable_ms = l->writable_ms;
}

static bool
status_is_old(const struct mt_view *v)
{
	return v->local.at.timeline != 0 &&
	       mt_position_compare(v->local.at, v->state->status.optime) != 0 &&
	       v->now_ms - v->local.status_put_ms >= v->settings->loop_wait_ms;
}

static void
plan_status(const struct mt_view *v, struct mt_plan *p)
{
	struct mt_command *c = &p->command;

	p->act = MT_ACT_PROPOSE;
	c->kind = MT_CMD_STATUS_PUT;
	c->u.status_put.epoch = v->state->leader.epoch;
	mt_copy(c->u.status_put.holder, sizeof(c->u.status_put.holder),
		v->local.name);
	c->u.status_put.optime = v->local.at;
}

/* How long it may recover from a crash, or start anew for people, while another
 * could serve; 0 = for ever. */
static int64_t
start_within_ms(const struct mt_view *v)
{
	return mt_errand_restarts(&v->local)
		   ? v->local.errand.timeout_ms
		   : v->settings->primary_start_timeout_ms;
}

static bool
start_overdue(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;
	int64_t most_ms = start_within_ms(v);

	return l->job == MT_JOB_START && !l->accepting && most_ms > 0 &&
	       !agent__paused(v) && v->now_ms - l->job_since_ms >= most_ms;
}

static void
plan_start_overdue(const struct mt_view *v, struct mt_plan *p)
{
	int64_t most_s = start_within_ms(v) / 1000;

	if (!can_hand_over(v)) {
		mt_format(p->why, sizeof(p->why),
			  "the start takes longer than %" PRId64
			  " s, and nobody else could take over",
			  most_s);
		return;
	}
	p->act = MT_ACT_STOP_IMMEDIATE;
	p->cancel = true;
	mt_format(p->why, sizeof(p->why),
		  "the start takes longer than %" PRId64 " s (%s)", most_s,
		  mt_errand_restarts(&v->local) ? "timeout of the restart"
						: "primary_start_timeout");
}

static void
plan_starting(const struct mt_view *v, struct mt_plan *p)
{
	int64_t due_ms = v->local.job_since_ms + start_within_ms(v);

	agent__why(p, mt_job_name(v->local.job));
	if (due_ms > v->now_ms &&
	    (p->look_again_ms == 0 || due_ms < p->look_again_ms))
		p->look_again_ms = due_ms;
}

static void
plan_primary(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;

	if (!l->exempt)
		p->look_again_ms = l->deadline_ms - agent__stop_ahead_ms(v);
	if (l->record.pg_epoch != v->state->leader.epoch) {
		take_epoch(v, p);
	} else if (l->accepting && l->in_recovery && l->promote_sent_ms != 0 &&
		   ((l->job == MT_JOB_NONE && l->last_job == MT_JOB_PROMOTE &&
		     l->last_job_failed) ||
		    v->now_ms - l->promote_sent_ms > PROMOTE_WITHIN_MS)) {
		p->act = MT_ACT_STOP_IMMEDIATE;
		p->cancel = true;
		agent__why(p, "the promotion failed");
	} else if (l->job == MT_JOB_START && !l->accepting &&
		   mt_state_is_asked(v->state)) {
		agent__plan_request(v, p);
	} else if (start_overdue(v)) {
		plan_start_overdue(v, p);
	} else if (l->job == MT_JOB_START && !l->accepting) {
		plan_starting(v, p);
	} else if (!l->accepting || l->in_recovery || l->job != MT_JOB_NONE) {
		agent__why(p, mt_job_name(l->job));
	} else if (agent__plan_exempt(v, p)) {
		return;
	} else if (!l->slots_ready) {
		p->act = MT_ACT_SLOTS;
	} else if (history_is_old(v)) {
		plan_history(v, p);
	} else if (agent__plan_sync(v, p)) {
		return;
	} else if (is_untimed(v)) {
		plan_times(v, p);
	} else if (agent__request_is_due(v, p)) {
		agent__plan_request(v, p);
	} else if (status_is_old(v)) {
		plan_status(v, p);
	}
}

void
agent__plan_turn(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;

	if (agent__adopts(v)) {
		agent__plan_adopted(v, p);
	} else if (l->running && l->as_primary) {
		plan_primary(v, p);
	} else if (l->job != MT_JOB_NONE) {
		p->look_again_ms = l->turn_ms + FIT_WITHIN_MS + 1;
		agent__why(p, mt_job_name(l->job));
	} else if (l->running) {
		plan_standby_turn(v, p);
	} else {
		plan_down(v, p);
	}
}

/* ---- release ---- */

bool
agent__must_release(const struct mt_view *v)
{
	return mt_state_held_by(v->state, v->local.name) &&
	       v->state->leader.epoch <= v->local.record.given_up &&
	       !(v->local.running && v->local.as_primary);
}

/* Repeated until the log shows it. The end of the data is told only after a
 * clean shutdown as primary of this turn: then a standby that has it has all.
 */
void
agent__plan_release(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;
	struct mt_command *c = &p->command;
	bool was_primary = !l->running && agent__in_turn(v);

	if (was_primary && l->control == MT_CONTROL_UNKNOWN &&
	    l->data == MT_DATA_PRESENT) {
		agent__why(p, "reading the control file");
		return;
	}
	p->act = MT_ACT_PROPOSE;
	c->kind = MT_CMD_LEADER_RELEASE;
	c->u.release.epoch = v->state->leader.epoch;
	mt_copy(c->u.release.holder, sizeof(c->u.release.holder), l->name);
	c->u.release.clean = was_primary && l->control == MT_CONTROL_SHUT_DOWN;
	if (c->u.release.clean)
		c->u.release.end = l->checkpoint;
	c->u.release.at_ms = v->wall_ms;
	mt_copy(c->u.release.why, sizeof(c->u.release.why),
		l->gave_up_why[0] != '\0' ? l->gave_up_why
					  : "it gave the turn up earlier");
}
