/* SPDX-License-Identifier: PostgreSQL */
/*
 * The forecast: candidate.c judges as it would for a holder that is gone, and
 * the times are those of the rules (the ttl that promises last, in synchronous
 * mode the silence that is suspected, unless failover_in_sync is "lease") with
 * the last promotion's own time on top. Nothing is known of what clients do
 * meanwhile, nor of how long a recovery would take.
 */
#include "core/forecast.h"

#include <string.h>

#include "base/text.h"
#include "core/suspect.h"

#define PROMOTION_MS 1000 /* where none was measured: support to service */
#define COMMIT_MS 100     /* of the assignment in the log */
#define RELEASE_MS 300    /* reading the end, and reports that know of it */
#define STOP_MS 500       /* a fast stop after a checkpoint */
#define FENCE_MS 300      /* of voters and standbys, until none receives */

/* From the assignment to the first write, as the last one did it. */
static int64_t
promotion_ms(const struct mt_state *s, bool *measured)
{
	for (uint64_t id = s->last_decision; id > 0; id--) {
		const struct mt_decision *d = mt_state_decision(s, id);

		if (d == NULL)
			break;
		if (d->phases.writable_ms != 0) {
			*measured = true;
			return d->phases.writable_ms;
		}
	}
	return PROMOTION_MS;
}

static void
judge_loss(const struct mt_view *view, struct mt_forecast *f)
{
	const struct mt_verdict *v = &f->judged.verdicts[f->judged.best];
	const struct mt_seen *seen = mt_reports_find(view->reports, f->leader);

	f->lost_known = f->primary.timeline != 0 && v->at.timeline != 0;
	f->lost_bytes = v->lag_bytes;
	f->age_ms = v->age_ms;
	if (seen != NULL && view->now_ms - seen->at_ms > f->age_ms)
		f->age_ms = view->now_ms - seen->at_ms;
}

/* As if all of the synchronous set that are there had been fenced just now. */
static void
judge_set(const struct mt_view *view, struct mt_candidates *found)
{
	int heard;
	const char *no = mt_candidates_of_set(view, view->state->leader.holder,
					      0, found, &heard);

	if (no == NULL)
		return;
	if (found->best >= 0)
		mt_copy(found->verdicts[found->best].rule, MT_RULE_MAX, no);
	found->best = -1;
}

void
mt_forecast(const struct mt_view *view, struct mt_forecast *out)
{
	const struct mt_leader *l = &view->state->leader;
	struct mt_candidate_rules rules = {.except = l->holder};
	int64_t took_ms;

	memset(out, 0, sizeof(*out));
	if (mt_state_held(view->state))
		mt_copy(out->leader, sizeof(out->leader), l->holder);
	out->primary = mt_primary_position(view);
	out->in_sync = mt_sync_stands(view->state);
	if (out->in_sync)
		judge_set(view, &out->judged);
	else
		mt_candidates_judge(view, &rules, &out->judged);
	if (out->judged.best < 0)
		return;
	mt_copy(out->candidate, sizeof(out->candidate),
		out->judged.verdicts[out->judged.best].name);
	judge_loss(view, out);
	took_ms = COMMIT_MS + promotion_ms(view->state, &out->measured);
	/* Promises last for a whole ttl from the last renewal. */
	out->node_ms = l->ttl_ms + took_ms;
	if (mt_may_suspect(view))
		out->node_ms =
		    view->settings->suspect_timeout_ms + FENCE_MS + took_ms;
	out->crash_ms = RELEASE_MS + took_ms;
	out->switchover_ms = STOP_MS + RELEASE_MS + took_ms;
}
