/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the controller asks of the voters and of the synchronous standbys before
 * the turn is given on, and what counts as their answer. A fence of kind normal
 * counts with nothing left of the voter's promise; one of kind sync counts
 * whatever is left, for it is not the lease that keeps the old primary from
 * acknowledging then, but the synchronous standbys that receive no more.
 */
#include "core/controller_internal.h"

#include <stdio.h>

#include "base/text.h"
#include "core/sync.h"

#define FENCE_EVERY_MS CONTROLLER__FENCE_EVERY_MS
#define SYNC_PAUSE_LEAST_MS 2000
#define SYNC_PAUSE_MOST_MS 60000

bool
controller__majority_fenced(const struct mt_controller *c,
			    const struct mt_view *v, enum mt_fence_kind kind)
{
	int yes = 0;

	for (int i = 0; i < c->n_fences; i++)
		if (c->fences[i].yes &&
		    (kind == MT_FENCE_SYNC || c->fences[i].is_clear) &&
		    controller__is_voter(v, c->fences[i].raft_id))
			yes++;
	return yes > v->voters.n / 2;
}

/* Ask again where it may help, not more often than FENCE_EVERY_MS. */
void
controller__plan_fence(struct mt_controller *c, const struct mt_view *v,
		       enum mt_fence_kind kind, struct mt_control_plan *p)
{
	int64_t next = v->now_ms + MT_REPORT_INTERVAL_MS;
	bool ask = false;

	for (int i = 0; i < v->voters.n; i++) {
		int64_t again = 0;
		bool yes = false;

		for (int k = 0; k < c->n_fences; k++)
			if (c->fences[k].raft_id == v->voters.raft_id[i]) {
				/* A fence of kind sync is not refused for what
				 * is left: who said no may say yes at once. */
				if (kind == MT_FENCE_NORMAL || c->fences[k].yes)
					again = c->fences[k].again_ms;
				yes = c->fences[k].yes && c->fences[k].is_clear;
			}
		if (!yes && again <= v->now_ms)
			ask = true;
		else if (!yes && again < next)
			next = again;
	}
	if (ask && v->now_ms - c->fence_asked_ms >= FENCE_EVERY_MS) {
		c->fence_asked_ms = v->now_ms;
		p->fence = true;
		p->fence_req = (struct mt_fence_req){
		    .raft_id = v->local.raft_id,
		    .incarnation = v->local.incarnation,
		    .epoch = v->state->leader.epoch,
		    .term = v->term,
		    .kind = kind,
		};
	}
	if (ask && next > c->fence_asked_ms + FENCE_EVERY_MS)
		next = c->fence_asked_ms + FENCE_EVERY_MS;
	p->look_again_ms = next;
}

/* In synchronous mode every assignment needs to hear n - k + 1 of the set after
 * a fence that ended their streaming, and none of them further than the one
 * that is chosen. True: *found has it. */
bool
controller__heard_enough(const struct mt_view *v, const char *except,
			 struct mt_control_plan *p, struct mt_candidates *found)
{
	int heard, needed = mt_sync_needed(&v->state->sync);
	const char *no = mt_candidates_of_set(v, except, v->state->leader.epoch,
					      found, &heard);

	if (heard < needed)
		mt_format(p->why, sizeof(p->why),
			  "%d of the %d synchronous standbys that have to be "
			  "heard are",
			  heard, needed);
	else
		mt_candidates_text(found, p->why, sizeof(p->why));
	return no == NULL;
}

/* A suspicion that came to nothing costs a stall of all commits, until the
 * holder has a new epoch. The next in the same turn has to wait, longer each
 * time. */
bool
controller__begin_sync_fence(struct mt_controller *c, const struct mt_view *v,
			     struct mt_control_plan *p)
{
	const struct mt_leader *l = &v->state->leader;

	if (c->sync_turn != l->since) {
		c->sync_turn = l->since;
		c->sync_pause_ms = 0;
	}
	if (c->sync_pause_ms != 0 &&
	    v->now_ms - c->sync_ms < c->sync_pause_ms) {
		p->look_again_ms = c->sync_ms + c->sync_pause_ms;
		return false;
	}
	c->sync_ms = v->now_ms;
	c->sync_pause_ms =
	    c->sync_pause_ms == 0 ? SYNC_PAUSE_LEAST_MS : 2 * c->sync_pause_ms;
	if (c->sync_pause_ms > SYNC_PAUSE_MOST_MS)
		c->sync_pause_ms = SYNC_PAUSE_MOST_MS;
	c->sync_epoch = l->epoch;
	c->fenced_ms = 0;
	if (c->suspect_ms == 0 || c->suspect_epoch != l->epoch)
		c->suspect_ms = v->now_ms;
	c->suspect_epoch = l->epoch;
	return true;
}
