/* SPDX-License-Identifier: PostgreSQL */
/*
 * The rules by which the turn goes to the next holder. The grounds are those of
 * doc/protocol.md: N (a majority fenced, with nothing left of its promises), R
 * (the holder's own release), C (the same holder again, above a half-done
 * fence) and Y (so many of the synchronous standbys fenced that the holder can
 * acknowledge nothing more); B, the bootstrap, is in the apply of
 * cluster.initialize. In synchronous mode N and R need to hear enough of the
 * set besides.
 */
#include "core/controller_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "core/request.h"
#include "core/suspect.h"
#include "core/sync.h"

#define SILENT_MS MT_REQUEST_SILENT_MS /* no report from the holder */
#define RELEASE_WAIT_MS 3000 /* for reports that know of the release */
#define SET_WAIT_MS \
	1000                /* for a synchronous standby, where another is \
			     * there */
#define SWITCH_WAIT_MS 8000 /* for the candidate that was asked for */
#define FENCE_EVERY_MS CONTROLLER__FENCE_EVERY_MS
#define REPAIR_EVERY_MS 2000
#define HANGS "hangs and cannot be ended"
#define IDLES "has neither a lease nor a primary, and does not let go"

static const struct mt_seen *
holder_seen(const struct mt_view *v)
{
	return mt_reports_find(v->reports, v->state->leader.holder);
}

/* The holder's daemon talks to us, and does not say that it cannot end a
 * PostgreSQL which hangs: that one's lease runs out, and nobody renews it. Nor
 * has it lost its lease for so long that it cannot know of it: one that speaks
 * and does not hear. */
static bool
holder_in_contact(const struct mt_controller *c, const struct mt_view *v)
{
	const struct mt_seen *seen = holder_seen(v);

	return seen != NULL && !seen->gone && !seen->report.hung &&
	       v->now_ms - seen->at_ms <= SILENT_MS && !controller__idles(c, v);
}

/* The same, and so lately that it is not suspected. */
static bool
holder_is_heard(const struct mt_controller *c, const struct mt_view *v)
{
	return holder_in_contact(c, v) && (!mt_sync_stands(v->state) ||
					   v->now_ms - holder_seen(v)->at_ms <=
					       v->settings->suspect_timeout_ms);
}

/* ---- ground R ---- */

/* Would this one, with synchronous_mode on, go before the best so far? */
static bool
goes_first(const struct mt_view *v, const struct mt_candidates *found, int i)
{
	const struct mt_sync *sync = &v->state->sync;

	return v->settings->synchronous_mode == MT_SYNC_ON &&
	       mt_sync_find(sync, found->verdicts[i].name) >= 0 &&
	       mt_sync_find(sync, found->verdicts[found->best].name) < 0;
}

/* May somebody still turn up who would be chosen instead? What a synchronous
 * standby has may be more than its last report tells; it gets a moment. */
static bool
worth_waiting(const struct mt_view *v, const struct mt_candidates *found,
	      int64_t long_ms)
{
	for (int i = 0; i < found->n; i++) {
		const char *rule = found->verdicts[i].rule;

		if (strcmp(rule, "report-too-old") == 0)
			return true;
		if (strcmp(rule, "lacks-the-end") != 0 &&
		    strcmp(rule, "position-unknown") != 0)
			continue;
		if (found->best < 0 ||
		    (long_ms < SET_WAIT_MS && goes_first(v, found, i)))
			return true;
	}
	return false;
}

/* Who gave the turn up and runs as a standby on the same data has everything
 * that was acknowledged in it, whoever else is heard. */
static bool
old_holder_has_all(const struct mt_view *v, struct mt_control_plan *p,
		   struct mt_candidates *found)
{
	/* What it said before its release may be of an earlier turn. */
	struct mt_candidate_rules rules = {
	    .only = v->state->leader.holder,
	    .applied = v->state->leader.index,
	};
	const struct mt_seen *seen = holder_seen(v);

	if (!mt_report_is_fresh(seen, v->now_ms) || !seen->report.holds_turn)
		return false;
	mt_candidates_judge(v, &rules, found);
	if (found->best < 0)
		return false;
	mt_format(p->why, sizeof(p->why),
		  "\"%s\" has all that it acknowledged, and too few of the "
		  "synchronous standbys are heard",
		  v->state->leader.holder);
	return true;
}

/* Who was asked to hand over gets the turn back only if nobody else is heard in
 * time; it may be quicker back than the others end streaming. */
static bool
to_hand_over(const struct mt_view *v, int64_t long_ms)
{
	return mt_state_is_asked(v->state) && long_ms < SWITCH_WAIT_MS &&
	       strcmp(v->state->request.candidate, v->state->leader.holder) !=
		   0;
}

static bool
is_suspended(const struct mt_view *v)
{
	return v->settings->pause || v->state->leader.exempt != 0;
}

/* Is a request under way, to this member and no other? One that waits for its
 * time is none. */
static bool
names_candidate(const struct mt_view *v)
{
	return mt_state_is_asked(v->state) &&
	       v->state->request.candidate[0] != '\0';
}

/* Where nothing happens by itself, the one that an operator named gets the
 * turn, or the holder that let go for that has it back. */
static bool
may_take(const struct mt_view *v, struct mt_control_plan *p,
	 const struct mt_candidates *found)
{
	const struct mt_leader *l = &v->state->leader;
	const char *name = found->verdicts[found->best].name;

	if (!is_suspended(v) ||
	    (names_candidate(v) &&
	     strcmp(name, v->state->request.candidate) == 0) ||
	    (l->released && v->state->request.id < l->index &&
	     strcmp(name, l->holder) == 0))
		return true;
	mt_format(p->why, sizeof(p->why),
		  "\"%s\" has the most, which was not asked for", name);
	return false;
}

/* People accept the loss, of this candidate and no other. After a release, too,
 * only when a majority has fenced with nothing left: who was in the set may
 * have had the turn before the one that let go. */
static bool
take_with_loss(struct mt_controller *c, const struct mt_view *v,
	       struct mt_control_plan *p)
{
	struct mt_candidate_rules rules;
	struct mt_candidates found;
	struct mt_loss loss;

	if (!mt_request_accepts_loss(v, &v->state->request, &rules))
		return false;
	mt_candidates_judge(v, &rules, &found);
	if (found.best < 0) {
		controller__plan_clear_found(v, p, &found);
	} else if (!controller__majority_fenced(c, v, MT_FENCE_NORMAL)) {
		controller__plan_fence(c, v, MT_FENCE_NORMAL, p);
	} else {
		mt_request_loss(v, &found.verdicts[found.best], &loss, p->why,
				sizeof(p->why));
		controller__plan_assign(v, p, MT_GROUND_PROMISES,
					found.verdicts[found.best].name,
					&found);
		p->command.u.assign.decision.loss = loss;
		p->command.u.assign.decision.phases.assigned_ms =
		    controller__lasted(
			0, controller__waited(c, "asked", v->now_ms));
	}
	return true;
}

/* Too few are heard, or another has more than who was asked for: who asked is
 * told so in time, and the rest are asked again. */
static void
plan_more(struct mt_controller *c, const struct mt_view *v,
	  enum mt_fence_kind kind, struct mt_control_plan *p)
{
	char why[MT_WHY_MAX - 48];

	if (mt_state_is_asked(v->state) &&
	    controller__waited(c, "asked", v->now_ms) >= SWITCH_WAIT_MS &&
	    take_with_loss(c, v, p))
		return;
	controller__plan_fence(c, v, kind, p);
	if (mt_state_is_asked(v->state) &&
	    controller__waited(c, "asked", v->now_ms) >= SWITCH_WAIT_MS) {
		mt_format(why, sizeof(why), "%s", p->why);
		controller__plan_clear(v, p, why);
	}
}

/* While paused only an operator chooses. Who asked for anybody is told so, and
 * does not stand in the way of who asks for somebody. */
static bool
may_choose(const struct mt_view *v, struct mt_control_plan *p)
{
	if (!v->settings->pause || names_candidate(v))
		return true;
	mt_copy(p->why, sizeof(p->why),
		"paused: nobody gets the turn without being asked for");
	if (mt_state_is_asked(v->state))
		controller__plan_clear(v, p, "in pause it needs a candidate");
	return false;
}

bool
controller__released(struct mt_controller *c, const struct mt_view *v,
		     struct mt_control_plan *p)
{
	const struct mt_leader *l = &v->state->leader;
	bool asked = mt_state_is_asked(v->state);
	enum mt_ground ground = MT_GROUND_RELEASE;
	struct mt_candidate_rules rules;
	struct mt_candidates found;
	int64_t long_ms;

	if (l->epoch == 0 || !l->released)
		return false;
	if (!may_choose(v, p)) {
		c->since_rule = NULL;
		return true;
	}
	mt_request_of_nobody(v, &v->state->request, &rules);
	long_ms =
	    controller__waited(c, asked ? "asked" : "released", v->now_ms);
	p->look_again_ms = v->now_ms + FENCE_EVERY_MS;
	mt_candidates_judge(v, &rules, &found);
	if ((l->clean || !mt_sync_stands(v->state)) &&
	    long_ms < (asked ? SWITCH_WAIT_MS : RELEASE_WAIT_MS) &&
	    (found.best < 0 || worth_waiting(v, &found, long_ms))) {
		mt_candidates_text(&found, p->why, sizeof(p->why));
		return true;
	}
	if (mt_sync_stands(v->state) && (found.best < 0 || !l->clean)) {
		/* Who has the end of a clean shutdown has all. Else: */
		if ((!controller__heard_enough(v, NULL, p, &found) ||
		     !may_take(v, p, &found)) &&
		    (to_hand_over(v, long_ms) ||
		     !old_holder_has_all(v, p, &found) ||
		     !may_take(v, p, &found))) {
			/* All of them: it is not any majority that is wanted.
			 */
			plan_more(c, v, MT_FENCE_SYNC, p);
			return true;
		}
		controller__plan_assign(v, p, MT_GROUND_RELEASE,
					found.verdicts[found.best].name,
					&found);
		p->command.u.assign.decision.phases.assigned_ms =
		    controller__lasted(0, long_ms);
		return true;
	}
	if (found.best < 0) {
		/* Time is up for the wish and for the preference of others:
		 * the furthest is taken, the old holder among them; while
		 * paused the old holder alone, if it let go for this request.
		 */
		memset(&rules, 0, sizeof(rules));
		if (v->settings->pause)
			rules.only = v->state->request.id < l->index
					 ? l->holder
					 : v->state->request.candidate;
		mt_candidates_judge(v, &rules, &found);
	}
	mt_candidates_text(&found, p->why, sizeof(p->why));
	/* Whom a promise of an earlier holder's voters may still hold back
	 * from its own: see mt_leader.after_fence. */
	if (l->after_fence && !mt_sync_stands(v->state)) {
		if (!controller__majority_fenced(c, v, MT_FENCE_NORMAL)) {
			controller__plan_fence(c, v, MT_FENCE_NORMAL, p);
			return true;
		}
		ground = MT_GROUND_PROMISES;
	}
	if (found.best >= 0) {
		controller__plan_assign(
		    v, p, ground, found.verdicts[found.best].name, &found);
		p->command.u.assign.decision.phases.assigned_ms =
		    controller__lasted(0, long_ms);
	} else if (asked) {
		controller__plan_clear_found(v, p, &found);
	}
	return true;
}

/* ---- ground C ---- */

/* A fence that was begun and not finished would starve a healthy holder of
 * support: it gets a new epoch, above the fence. */
bool
controller__repair(struct mt_controller *c, const struct mt_view *v,
		   struct mt_control_plan *p)
{
	const struct mt_leader *l = &v->state->leader;
	const char *who = NULL;

	if (!mt_state_held(v->state) || !holder_is_heard(c, v) ||
	    holder_seen(v)->report.given_up >= l->epoch)
		return false;
	for (int i = 0; i < v->reports->n; i++)
		if (mt_report_is_fresh(&v->reports->seen[i], v->now_ms) &&
		    v->reports->seen[i].report.fenced >= l->epoch)
			who = v->reports->seen[i].report.self.name;
	if (who == NULL)
		return false;
	p->look_again_ms = c->repair_ms + REPAIR_EVERY_MS;
	if (c->repair_ms != 0 && v->now_ms - c->repair_ms < REPAIR_EVERY_MS)
		return true;
	c->repair_ms = v->now_ms;
	mt_format(p->why, sizeof(p->why),
		  "\"%s\" has fenced epoch %" PRIu64 ", but \"%s\" is well",
		  who, l->epoch, l->holder);
	controller__plan_assign(v, p, MT_GROUND_CONTINUE, l->holder, NULL);
	return true;
}

bool
controller__ttl(struct mt_controller *c, const struct mt_view *v,
		struct mt_control_plan *p)
{
	const struct mt_leader *l = &v->state->leader;

	if (!mt_state_held(v->state) || !holder_is_heard(c, v) ||
	    v->settings->ttl_ms == l->ttl_ms ||
	    !holder_seen(v)->report.writable)
		return false;
	mt_format(p->why, sizeof(p->why),
		  "ttl changes from %" PRId64 " to %" PRId64 " ms", l->ttl_ms,
		  v->settings->ttl_ms);
	controller__plan_assign(v, p, MT_GROUND_CONTINUE, l->holder, NULL);
	return true;
}

/* ---- ground N ---- */

/* The operator asked for a candidate when the holder was silent already: it
 * has not told since that it knows of the request, and will not carry it out.
 */
static bool
is_forced(const struct mt_controller *c, const struct mt_view *v)
{
	const struct mt_seen *seen = holder_seen(v);
	const uint64_t id = v->state->request.id;

	/* One that was never heard here may have known all that this leader
	 * found in the log when it began. */
	return is_suspended(v) && names_candidate(v) &&
	       !v->state->request.due &&
	       id > (seen != NULL ? seen->report.applied : c->led_index);
}

/* Pause suspends the decision. An exempt holder may be running on, whatever
 * its voters have forgotten: silence is no ground then. */
static bool
is_held_back(const struct mt_controller *c, const struct mt_view *v,
	     struct mt_control_plan *p)
{
	const struct mt_leader *l = &v->state->leader;

	if (is_forced(c, v) || !is_suspended(v))
		return false;
	p->look_again_ms = v->now_ms + MT_REPORT_INTERVAL_MS;
	if (v->settings->pause)
		mt_format(p->why, sizeof(p->why),
			  "\"%s\" is silent; paused: nobody takes its place",
			  l->holder);
	else
		mt_format(p->why, sizeof(p->why),
			  "\"%s\" is silent and was exempt from stopping "
			  "(%s): it may be running; start its daemon, or ask "
			  "for a failover to a candidate",
			  l->holder, l->exempt_reason);
	/* One that it knew of is not taken for an order to go past it. */
	if (mt_state_is_asked(v->state)) {
		char why[MT_WHY_MAX - 48];

		mt_format(why, sizeof(why), "%s", p->why);
		controller__plan_clear(v, p, why);
	}
	return true;
}

/* Outside of synchronous mode: the furthest, or who was asked for, for a
 * while. */
static void
judge_silent(struct mt_controller *c, const struct mt_view *v,
	     struct mt_control_plan *p, struct mt_candidates *found)
{
	struct mt_candidate_rules rules;

	mt_request_of_nobody(v, &v->state->request, &rules);
	mt_candidates_judge(v, &rules, found);
	if (!mt_state_is_asked(v->state)) {
		c->since_rule = NULL;
	} else if (found->best < 0 &&
		   controller__waited(c, "asked", v->now_ms) >=
		       SWITCH_WAIT_MS) {
		/* Time is up for the wish; nobody else takes its place where
		 * only who asked may decide that. */
		if (!is_forced(c, v)) {
			rules = (struct mt_candidate_rules){
			    .except = v->state->leader.holder};
			mt_candidates_judge(v, &rules, found);
		}
		if (found->best < 0)
			controller__plan_clear_found(v, p, found);
	}
}

/* ---- ground Y ---- */

/* Once fences are out they go on until the holder is heard again: by then it
 * needs a new epoch, which "repair" gives it. */
static bool
is_sync_fencing(struct mt_controller *c, const struct mt_view *v,
		struct mt_control_plan *p)
{
	const struct mt_leader *l = &v->state->leader;

	if (v->settings->sync_waits_for_lease) {
		c->sync_epoch = 0;
		return false;
	}
	if (!mt_state_held(v->state) || !mt_sync_stands(v->state) ||
	    is_suspended(v) || holder_is_heard(c, v)) {
		c->sync_epoch = 0;
		if (mt_state_held(v->state) && mt_sync_stands(v->state) &&
		    holder_is_heard(c, v))
			p->look_again_ms = holder_seen(v)->at_ms +
					   v->settings->suspect_timeout_ms + 1;
		return false;
	}
	return c->sync_epoch == l->epoch ||
	       (mt_suspects_holder(v, c->led_since_ms, &p->look_again_ms) &&
		controller__begin_sync_fence(c, v, p));
}

bool
controller__suspected(struct mt_controller *c, const struct mt_view *v,
		      struct mt_control_plan *p)
{
	const struct mt_leader *l = &v->state->leader;
	struct mt_candidates found;
	bool is_clear;

	if (!is_sync_fencing(c, v, p))
		return false;
	if (!controller__majority_fenced(c, v, MT_FENCE_SYNC)) {
		controller__plan_fence(c, v, MT_FENCE_SYNC, p);
		mt_format(p->why, sizeof(p->why),
			  "\"%s\" is silent, and its PostgreSQL's port is "
			  "dead; fencing the voters",
			  l->holder);
		return true;
	}
	if (c->fenced_ms == 0)
		c->fenced_ms = v->now_ms;
	if (!controller__heard_enough(v, l->holder, p, &found) ||
	    !may_take(v, p, &found)) {
		plan_more(c, v, MT_FENCE_SYNC, p);
		return true;
	}
	is_clear = controller__majority_fenced(c, v, MT_FENCE_NORMAL);
	mt_format(p->why, sizeof(p->why),
		  "\"%s\" is silent, its PostgreSQL's port is dead, and it can "
		  "acknowledge nothing more: a majority and %d of the "
		  "synchronous standbys have fenced epoch %" PRIu64,
		  l->holder, mt_sync_needed(&v->state->sync), l->epoch);
	controller__plan_assign(
	    v, p, is_clear ? MT_GROUND_PROMISES : MT_GROUND_SYNC_FENCE,
	    found.verdicts[found.best].name, &found);
	controller__plan_phases(c, v, p);
	return true;
}

/* ---- ground N ---- */

bool
controller__silent(struct mt_controller *c, const struct mt_view *v,
		   struct mt_control_plan *p)
{
	const struct mt_leader *l = &v->state->leader;
	struct mt_candidates found;
	const struct mt_seen *seen = holder_seen(v);
	const char *does;

	if (!mt_state_held(v->state))
		return false;
	if (holder_in_contact(c, v)) {
		c->suspect_ms = c->fenced_ms = 0;
		p->look_again_ms = seen->at_ms + SILENT_MS + 1;
		return false;
	}
	/* A new Raft leader has not heard everybody yet. */
	if (seen == NULL && v->now_ms - c->led_since_ms < SILENT_MS) {
		p->look_again_ms = c->led_since_ms + SILENT_MS;
		return false;
	}
	if (is_held_back(c, v, p)) {
		c->since_rule = NULL;
		return true;
	}
	if (c->suspect_ms == 0 || c->suspect_epoch != l->epoch) {
		c->suspect_epoch = l->epoch;
		c->suspect_ms = v->now_ms;
		c->fenced_ms = 0;
	}
	does = seen != NULL && seen->report.hung ? HANGS
	       : controller__idles(c, v)         ? IDLES
						 : "is silent";
	if (!controller__majority_fenced(c, v, MT_FENCE_NORMAL)) {
		c->since_rule = NULL;
		controller__plan_fence(c, v, MT_FENCE_NORMAL, p);
		mt_format(p->why, sizeof(p->why),
			  "\"%s\" %s; waiting for the promises of a majority "
			  "to end",
			  l->holder, does);
		return true;
	}
	if (c->fenced_ms == 0)
		c->fenced_ms = v->now_ms;
	if (mt_sync_stands(v->state)) {
		if (!controller__heard_enough(v, l->holder, p, &found) ||
		    !may_take(v, p, &found)) {
			plan_more(c, v, MT_FENCE_NORMAL, p);
			return true;
		}
		p->why[0] = '\0';
	} else {
		judge_silent(c, v, p, &found);
	}
	if (found.best < 0) {
		if (!p->propose)
			mt_candidates_text(&found, p->why, sizeof(p->why));
		p->look_again_ms = v->now_ms + MT_REPORT_INTERVAL_MS;
		return true;
	}
	mt_format(p->why, sizeof(p->why),
		  "\"%s\" %s, and a majority has fenced epoch %" PRIu64,
		  l->holder, does, l->epoch);
	controller__plan_assign(v, p, MT_GROUND_PROMISES,
				found.verdicts[found.best].name, &found);
	controller__plan_phases(c, v, p);
	return true;
}
