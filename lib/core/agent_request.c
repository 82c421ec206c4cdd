/* SPDX-License-Identifier: PostgreSQL */
/*
 * The holder obeys what people asked for. A scheduled switchover waits for its
 * time; when it is due it is put anew without a time, so that the log, and not
 * the clocks, says that it is under way. Then: is there a candidate, checkpoint
 * first, so that the fast stop has little left to write, and stop; the stop
 * lets the walsenders send all that there is. The rest is as after any stop:
 * the epoch is given up and released.
 *
 * What cannot be is ended with a reason, and the primary goes on. In pause, and
 * until the exemption has ended after it, a scheduled request is left alone,
 * and its time may pass.
 */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "core/agent_internal.h"
#include "core/request.h"

static void
clear_request(const struct mt_view *v, struct mt_plan *p, const char *why,
	      const struct mt_candidates *found)
{
	const struct mt_request *r = &v->state->request;

	p->act = MT_ACT_PROPOSE;
	p->command.kind = MT_CMD_REQUEST_CLEAR;
	p->command.u.request_clear.id = r->id;
	mt_format(p->command.u.request_clear.text,
		  sizeof(p->command.u.request_clear.text), "%s failed: %s",
		  r->kind == MT_REQUEST_FAILOVER ? "Failover" : "Switchover",
		  why);
	p->command.seen.at_ms = v->wall_ms;
	p->command.seen.optime = v->local.at;
	if (found == NULL)
		return;
	p->command.seen.n_verdicts = found->n;
	memcpy(p->command.seen.verdicts, found->verdicts,
	       sizeof(found->verdicts));
}

static void
plan_due(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_request *r = &v->state->request;
	int64_t late_ms = v->wall_ms - r->scheduled_ms;

	if (late_ms > v->settings->loop_wait_ms * 3 / 2) {
		char why[MT_WHY_MAX - 32];

		mt_format(why, sizeof(why), "its time passed %" PRId64 " s ago",
			  late_ms / 1000);
		clear_request(v, p, why, NULL);
		return;
	}
	p->act = MT_ACT_PROPOSE;
	p->command.kind = MT_CMD_REQUEST_PUT;
	p->command.u.request_put = *r;
	p->command.u.request_put.scheduled_ms = 0;
	p->command.u.request_put.due = true;
	agent__why(p, "the scheduled switchover is due");
}

/* Is there something to do now for what people asked? */
bool
agent__request_is_due(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_request *r = &v->state->request;
	int64_t left_ms;

	if (r->kind == MT_REQUEST_NONE)
		return false;
	if (r->scheduled_ms == 0)
		return true;
	left_ms = r->scheduled_ms - v->wall_ms;
	if (left_ms > 0 &&
	    (p->look_again_ms == 0 || v->now_ms + left_ms < p->look_again_ms))
		p->look_again_ms = v->now_ms + left_ms;
	/* While it is exempt, a request without a time is an order to go past
	 * it if it falls silent: that one people give, and no clock. */
	return left_ms <= 0 && !v->settings->pause &&
	       v->state->leader.exempt == 0;
}

void
agent__plan_request(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_request *r = &v->state->request;
	struct mt_candidate_rules rules;
	struct mt_candidates found;

	mt_request_of_holder(v, r, &rules);
	mt_candidates_judge(v, &rules, &found);
	if (r->kind == MT_REQUEST_SWITCHOVER &&
	    strcmp(r->leader, v->local.name) != 0) {
		clear_request(v, p, "the leader has changed", NULL);
	} else if (r->scheduled_ms != 0) {
		plan_due(v, p);
	} else if (v->settings->pause && r->candidate[0] == '\0') {
		clear_request(v, p, "in pause it needs a candidate", NULL);
	} else if (found.best < 0) {
		char text[MT_WHY_MAX - 48];

		mt_candidates_text(&found, text, sizeof(text));
		clear_request(v, p, text, &found);
	} else if (v->local.accepting && v->local.checkpoint_for != r->id) {
		p->act = MT_ACT_CHECKPOINT;
		p->request_id = r->id;
	} else {
		/* One that still recovers from a crash has nothing to send. */
		p->act = v->local.accepting ? MT_ACT_STOP_FAST
					    : MT_ACT_STOP_IMMEDIATE;
		p->cancel = !v->local.accepting;
		mt_format(p->why, sizeof(p->why), "%s to \"%s\"",
			  mt_request_name(r->kind),
			  found.verdicts[found.best].name);
	}
}
