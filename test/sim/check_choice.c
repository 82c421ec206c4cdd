/* SPDX-License-Identifier: PostgreSQL */
/*
 * Each assignment stands on one of the protocol's grounds, and gives the turn
 * to whom the rules for candidates choose. What the proposer knew is judged
 * here once more, from what doc/protocol.md and matriarchd(8) say, without the
 * functions under test; the grounds are judged by what is so on all nodes.
 *
 * It does not: say who is chosen where many may be; it says who may not be.
 */
#include "test/sim/sim.h"

#include <inttypes.h>
#include <string.h>

/* ---- grounds ---------------------------------------------------------- */

static bool
is_voter(const struct mt_configuration *c, uint64_t raft_id)
{
	const struct mt_server *s = mt_configuration_find(c, raft_id);

	return s != NULL && s->role == MT_SERVER_VOTER;
}

/* Durably, by a majority of the newest committed configuration. */
static bool
is_fenced(const struct sim *w, const struct node *proposer, uint64_t epoch)
{
	const struct mt_configuration *c =
	    mt_driver_committed_configuration(proposer->driver);
	unsigned fenced = 0;

	for (int i = 0; i < w->n; i++)
		if (is_voter(c, w->nodes[i].raft_id) &&
		    w->nodes[i].record.fenced >= epoch)
			fenced++;
	return fenced > mt_configuration_voters(c) / 2;
}

static const char *
without_ground(const struct node *n, const struct mt_command *c)
{
	const struct mt_state *s = n->state;
	const struct mt_leader *l = &s->leader;
	bool same = strcmp(l->holder, c->u.assign.holder) == 0;

	if (l->epoch != c->u.assign.expect_epoch ||
	    l->released != c->u.assign.expect_released)
		return "another turn than the one that is given on";
	switch (c->u.assign.ground) {
	case MT_GROUND_PROMISES:
		/* After a displacement a release has to wait as well, and for
		 * a loss that is accepted. */
		if (c->u.assign.continues ||
		    (l->released && !l->after_fence && !s->request.accept_loss))
			return "ground N, which is for a turn that is held";
		return is_fenced(n->sim, n, l->epoch)
			   ? NULL
			   : "ground N without a majority that has fenced";
	case MT_GROUND_RELEASE:
		return l->released && !c->u.assign.continues
			   ? NULL
			   : "ground R without a release";
	case MT_GROUND_CONTINUE:
		return same && !l->released && c->u.assign.continues
			   ? NULL
			   : "ground C for another than the holder";
	case MT_GROUND_SYNC_FENCE:
		return n->state->sync.k > 0 && !l->released
			   ? NULL
			   : "ground Y without synchronous sets";
	case MT_GROUND_BOOTSTRAP:
		break;
	}
	return "no ground";
}

/* ---- candidates ------------------------------------------------------- */

/* A report counts for three intervals, at least for a second. */
static int64_t
counts_ms(const struct mt_report *r)
{
	int64_t interval_ms = r->interval_ms != 0 ? r->interval_ms : 1000;

	return interval_ms * 3 > 1000 ? interval_ms * 3 : 1000;
}

/* Of whom nobody may make a primary, whatever is asked for. */
static const char *
unfit(const struct mt_view *v, const struct mt_seen *seen)
{
	const struct mt_report *r = &seen->report;

	if (v->now_ms - seen->at_ms > counts_ms(r) || seen->gone)
		return "is silent";
	if (r->nofailover)
		return "has the tag nofailover";
	if (r->stopping)
		return "is about to end";
	if (r->refuses)
		return "is not to be promoted, as its pre_promote said";
	if (!r->healthy || r->pg_role != MT_ROLE_REPLICA)
		return "is no standby that runs";
	if (r->at.timeline == 0)
		return "has not said how far it is";
	if (strcmp(r->sysid, v->state->sysid) != 0)
		return "is of another cluster";
	return NULL;
}

/* In the set with this data, and out of reach of any primary. */
static bool
is_heard(const struct mt_view *v, const struct mt_report *r)
{
	const struct mt_sync *sync = &v->state->sync;

	for (int i = 0; i < sync->n; i++)
		if (strcmp(sync->standbys[i].name, r->self.name) == 0)
			return sync->standbys[i].data_id == r->data_id &&
			       r->stopped >= v->state->leader.epoch;
	return false;
}

static const char *
too_far_behind(const struct mt_view *v, const struct mt_report *r)
{
	const struct mt_state *s = v->state;
	uint32_t newest = s->status.optime.timeline > s->history_of
			      ? s->status.optime.timeline
			      : s->history_of;

	if (v->settings->check_timeline && r->at.timeline < newest)
		return "is on an old timeline";
	if (s->status.optime.lsn > r->at.lsn &&
	    (int64_t)(s->status.optime.lsn - r->at.lsn) >
		v->settings->maximum_lag_on_failover)
		return "lags too much";
	return NULL;
}

/* Could nobody say anything against this one? */
static bool
is_flawless(const struct mt_view *v, const struct mt_seen *seen)
{
	const struct mt_leader *l = &v->state->leader;
	const struct mt_report *r = &seen->report;

	if (unfit(v, seen) != NULL || strcmp(l->holder, r->self.name) == 0 ||
	    mt_state_member(v->state, r->self.name) == NULL || r->self.witness)
		return false;
	if (l->released && r->applied < l->index)
		return false;
	if (l->released && l->clean &&
	    (r->at.timeline < l->end.timeline || r->at.lsn < l->end.lsn))
		return false;
	/* Who has the end of a clean shutdown need not be heard. */
	if (v->state->sync.k > 0 && !(l->released && l->clean) &&
	    !is_heard(v, r))
		return false;
	return too_far_behind(v, r) == NULL;
}

/* Counts only where it decides who is expected to take over. */
static bool
in_set(const struct mt_view *v, const struct mt_report *r)
{
	return v->settings->synchronous_mode == MT_SYNC_ON &&
	       mt_sync_find(&v->state->sync, r->self.name) >= 0;
}

static bool
is_ahead(const struct mt_view *v, const struct mt_report *a,
	 const struct mt_report *b)
{
	if (a->at.timeline != b->at.timeline)
		return a->at.timeline > b->at.timeline;
	if (a->at.lsn != b->at.lsn)
		return a->at.lsn > b->at.lsn;
	if (in_set(v, a) != in_set(v, b))
		return in_set(v, a);
	if (a->failover_priority != b->failover_priority)
		return a->failover_priority > b->failover_priority;
	return strcmp(a->self.name, b->self.name) < 0;
}

/* Does people's request, which waits for no time, name a member? */
static bool
names_somebody(const struct mt_state *s)
{
	return s->request.kind != MT_REQUEST_NONE &&
	       s->request.scheduled_ms == 0 && s->request.candidate[0] != '\0';
}

static bool
is_named(const struct mt_state *s, const char *name)
{
	return names_somebody(s) && strcmp(s->request.candidate, name) == 0;
}

/* Who was asked for could not be had, and the set was counted instead: who of
 * it has as much as another may go before that one. */
static bool
is_of_the_counted(const struct mt_view *v, const struct mt_report *chosen,
		  const struct mt_report *other)
{
	return v->state->sync.k > 0 && names_somebody(v->state) &&
	       is_heard(v, chosen) &&
	       mt_position_compare(chosen->at, other->at) == 0;
}

static const char *
passes_over(const struct mt_view *v, const struct mt_seen *chosen,
	    const struct mt_report **other)
{
	const struct mt_state *s = v->state;
	const char *name = chosen->report.self.name;

	*other = NULL;
	/* In good order, or after it. */
	if (is_named(s, name) ||
	    (s->sync.k > 0 && strcmp(s->leader.holder, name) == 0))
		return NULL;
	for (int i = 0; i < v->reports->n; i++) {
		const struct mt_seen *x = &v->reports->seen[i];

		if (x == chosen || !is_flawless(v, x))
			continue;
		*other = &x->report;
		if (s->sync.k == 0 && is_named(s, x->report.self.name))
			return "was asked for";
		if (is_ahead(v, &x->report, &chosen->report) &&
		    !is_of_the_counted(v, &chosen->report, &x->report))
			return "would be better";
		/* Where one was asked for, all may be taken when its time is
		 * up. */
		if (s->sync.k == 0 && !names_somebody(s) &&
		    !is_flawless(v, chosen))
			return "has all that is wanted";
	}
	*other = NULL;
	return NULL;
}

/* While nothing happens by itself: who was asked for, or who let go. */
static bool
may_decide(const struct mt_view *v, const char *name)
{
	const struct mt_leader *l = &v->state->leader;

	return (!v->settings->pause && l->exempt == 0) ||
	       is_named(v->state, name) ||
	       (l->released && strcmp(l->holder, name) == 0);
}

static void
check_candidate(struct node *n, const struct mt_view *v,
		const struct mt_command *c)
{
	const char *name = c->u.assign.holder, *no;
	const struct mt_seen *seen = mt_reports_find(v->reports, name);
	const struct mt_report *other;
	bool by_set, forced;

	if (seen == NULL) {
		sim_fail(n->sim,
			 "unfit: %s gets the turn, of whom nothing is "
			 "known",
			 name);
		return;
	}
	by_set = v->state->sync.k > 0 && is_heard(v, &seen->report);
	forced = v->state->request.kind == MT_REQUEST_FAILOVER &&
		 is_named(v->state, name);
	no = unfit(v, seen);
	if (no == NULL && !by_set && !forced)
		no = too_far_behind(v, &seen->report);
	if (no == NULL && !may_decide(v, name))
		no = "was not asked for, while paused or exempt";
	if (no == NULL &&
	    mt_position_compare(c->u.assign.min, seen->report.at) != 0)
		no = "is not held to what it said that it has";
	if (no != NULL)
		sim_fail(n->sim, "unfit: %s gets the turn, which %s", name, no);
	no = passes_over(v, seen, &other);
	if (no != NULL)
		sim_fail(n->sim, "unfit: %s gets the turn, but %s %s", name,
			 other->self.name, no);
}

void
check_choice(struct node *n, const struct mt_view *v,
	     const struct mt_command *c)
{
	const char *no = without_ground(n, c);

	if (no != NULL)
		sim_fail(n->sim, "epoch %" PRIu64 " to %s has %s",
			 c->u.assign.expect_epoch + 1, c->u.assign.holder, no);
	else if (!c->u.assign.continues)
		check_candidate(n, v, c);
}

static bool
is_left_behind(const struct sim *w, const struct node *n)
{
	const struct mt_state *s = n->state;
	uint32_t newest = s->status.optime.timeline > s->history_of
			      ? s->status.optime.timeline
			      : s->history_of;

	return (w->setup.check_timeline && pg_timeline(w, &n->pg) < newest) ||
	       (s->status.optime.lsn > n->pg.lsn &&
		(int64_t)(s->status.optime.lsn - n->pg.lsn) > w->setup.max_lag);
}

/* Disks were lost, and what is left of the others is further behind than is
 * allowed: rightly nobody takes over. */
bool
check_lags_hopelessly(const struct sim *w)
{
	for (int i = 0; i < w->n; i++) {
		const struct node *n = &w->nodes[i];

		if (n->pg.writable ||
		    (n->pg.data == MT_DATA_PRESENT && !is_left_behind(w, n)))
			return false;
	}
	return w->stats.wipes > 0;
}

/* ---- requests --------------------------------------------------------- */

/* One that is under way ends before another begins. */
void
check_request(struct sim *w, const struct mt_state *s)
{
	const struct mt_request *was = &w->request;

	if (was->kind != MT_REQUEST_NONE && was->scheduled_ms == 0 &&
	    s->request.kind != MT_REQUEST_NONE && s->request.id != was->id)
		sim_fail(w,
			 "request %" PRIu64 " is taken while %" PRIu64
			 " is under way",
			 s->request.id, was->id);
	if (s->request.id != was->id)
		w->request_by_clock =
		    was->scheduled_ms != 0 && s->request.scheduled_ms == 0 &&
		    s->request.kind == was->kind &&
		    strcmp(s->request.leader, was->leader) == 0 &&
		    strcmp(s->request.candidate, was->candidate) == 0;
	w->request = s->request;
}
