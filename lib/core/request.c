/* SPDX-License-Identifier: PostgreSQL */
/*
 * How candidates are judged for a request of people, and a preview of that.
 *
 * While the holder is there, a failover is as strict as a switchover: nobody
 * has to lose anything. Where nobody is there, the candidate of a failover is
 * the decision of who asked, however far it is behind; it has to be a running
 * standby without the tag nofailover all the same. In synchronous modes nobody
 * is forced, nor as long as the log has a synchronous set, but by who accepts
 * the loss in so many words.
 *
 * The preview asks mt_candidate_objection, as all do. To find what else speaks
 * against a member it mends what was found in a copy of the facts, and asks
 * again; an objection that it cannot mend ends that, and what comes after it
 * is unknown.
 */
#include "core/request.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "core/sync.h"

static bool
is_candidate(const struct mt_request *r, const char *name)
{
	return r->candidate[0] != '\0' && strcmp(r->candidate, name) == 0;
}

void
mt_request_of_holder(const struct mt_view *view,
		     const struct mt_request *request,
		     struct mt_candidate_rules *rules)
{
	*rules = (struct mt_candidate_rules){
	    .only = request->candidate,
	    .except = view->state->leader.holder,
	};
}

void
mt_request_of_nobody(const struct mt_view *view,
		     const struct mt_request *request,
		     struct mt_candidate_rules *rules)
{
	const struct mt_leader *l = &view->state->leader;
	/* Who ended in good order did so for this request, or came before it.
	 * In the first case there is an end to be waited for. */
	bool in_order = l->released && l->clean && request->id < l->index;

	*rules = (struct mt_candidate_rules){
	    .except = l->holder,
	    .applied = l->released ? l->index : 0,
	};
	if (l->released && l->clean)
		rules->least = l->end;
	if (request->kind == MT_REQUEST_NONE || request->scheduled_ms != 0)
		return;
	rules->only = request->candidate;
	if (request->kind != MT_REQUEST_FAILOVER || in_order ||
	    (view->settings->synchronous_mode != MT_SYNC_OFF &&
	     !request->accept_loss) ||
	    mt_sync_stands(view->state))
		return;
	rules->forced = true;
	if (is_candidate(request, l->holder))
		rules->except = NULL;
}

bool
mt_request_accepts_loss(const struct mt_view *view,
			const struct mt_request *request,
			struct mt_candidate_rules *rules)
{
	const struct mt_leader *l = &view->state->leader;

	if (request->kind != MT_REQUEST_FAILOVER || !request->accept_loss)
		return false;
	*rules = (struct mt_candidate_rules){
	    .only = request->candidate,
	    .except = l->released ? NULL : l->holder,
	    .applied = l->released ? l->index : 0,
	    .forced = true,
	};
	return true;
}

/* The furthest that anybody is known to have had. */
static struct mt_position
furthest_known(const struct mt_view *view)
{
	struct mt_position at = mt_primary_position(view);

	for (int i = 0; i < view->state->sync.n; i++) {
		const struct mt_seen *seen = mt_reports_find(
		    view->reports, view->state->sync.standbys[i].name);

		if (seen != NULL &&
		    mt_position_compare(seen->report.at, at) > 0)
			at = seen->report.at;
	}
	return at;
}

void
mt_request_loss(const struct mt_view *view, const struct mt_verdict *chosen,
		struct mt_loss *loss, char *why, size_t size)
{
	struct mt_position known = furthest_known(view);
	char from[MT_LSN_MAX], to[MT_LSN_MAX];

	mt_lsn_format(from, chosen->at.lsn);
	mt_lsn_format(to, known.lsn);
	*loss = (struct mt_loss){
	    .timeline = chosen->at.timeline,
	    .from = chosen->at.lsn,
	};
	if (known.timeline == chosen->at.timeline &&
	    known.lsn > chosen->at.lsn) {
		loss->to = known.lsn;
		mt_format(why, size,
			  "accepted loss: what was acknowledged beyond %s of "
			  "timeline %u, to %s as far as is known (%" PRIu64
			  " bytes)",
			  from, loss->timeline, to, loss->to - loss->from);
	} else {
		mt_format(why, size,
			  "accepted loss: what was acknowledged beyond %s of "
			  "timeline %u, of which nothing is known",
			  from, loss->timeline);
	}
}

bool
mt_request_holder_lives(const struct mt_view *view)
{
	const struct mt_seen *seen =
	    mt_reports_find(view->reports, view->state->leader.holder);

	return mt_state_held(view->state) && seen != NULL && !seen->gone &&
	       !seen->report.hung &&
	       view->now_ms - seen->at_ms <= MT_REQUEST_SILENT_MS;
}

const char *
mt_request_name(enum mt_request_kind kind)
{
	switch (kind) {
	case MT_REQUEST_NONE:
		return "";
	case MT_REQUEST_SWITCHOVER:
		return "switchover";
	case MT_REQUEST_FAILOVER:
		return "failover";
	}
	return "";
}

/* ---- preview ---- */

const char *
mt_check_name(enum mt_check check)
{
	static const char *const names[MT_CHECKS] = {
	    "asked",    "reachable", "tags",     "running",
	    "position", "sync",      "timeline", "lag",
	};

	return names[check];
}

/* A copy of all that speaks for or against one member. */
struct facts {
	const struct mt_view *view;
	struct mt_candidate_rules rules;
	struct mt_seen seen;
};

static void
mend_asked(struct facts *f)
{
	f->rules.only = NULL;
}

static void
mend_leaves(struct facts *f)
{
	f->rules.except = NULL;
}

static void
mend_nofailover(struct facts *f)
{
	f->seen.report.nofailover = false;
}

static void
mend_refuses(struct facts *f)
{
	f->seen.report.refuses = false;
}

static void
mend_stopping(struct facts *f)
{
	f->seen.report.stopping = false;
}

static void
mend_least(struct facts *f)
{
	f->rules.least = (struct mt_position){0};
}

static void
mend_applied(struct facts *f)
{
	f->rules.applied = 0;
}

static void
mend_restored(struct facts *f)
{
	f->seen.report.restored = false;
}

static void
mend_timeline(struct facts *f)
{
	f->seen.report.at.timeline = UINT32_MAX;
}

/* Without a mend nothing after it can be told: of a member that is silent we
 * know only how it was. */
static const struct {
	const char *rule;
	enum mt_check check;
	void (*mend)(struct facts *f);
} objections[] = {
    {"not-asked-for", MT_CHECK_ASKED, mend_asked},
    {"leaves", MT_CHECK_ASKED, mend_leaves},
    {"silent", MT_CHECK_REACHABLE, NULL},
    {"gone", MT_CHECK_REACHABLE, NULL},
    {"nofailover", MT_CHECK_TAGS, mend_nofailover},
    {"pre-promote-failed", MT_CHECK_RUNNING, mend_refuses},
    {"stopping", MT_CHECK_RUNNING, mend_stopping},
    {"not-running", MT_CHECK_RUNNING, NULL},
    {"other-cluster", MT_CHECK_RUNNING, NULL},
    {"not-a-standby", MT_CHECK_RUNNING, NULL},
    {"position-unknown", MT_CHECK_POSITION, NULL},
    {"report-too-old", MT_CHECK_POSITION, mend_applied},
    {"restored", MT_CHECK_POSITION, mend_restored},
    {"lacks-the-end", MT_CHECK_POSITION, mend_least},
    {"not-in-sync", MT_CHECK_SYNC, NULL},
    {"not-fenced", MT_CHECK_SYNC, NULL},
    {"old-timeline", MT_CHECK_TIMELINE, mend_timeline},
    {"lags", MT_CHECK_LAG, NULL},
};

static void
check_member(const struct mt_view *view, const struct mt_candidate_rules *rules,
	     const char *name, struct mt_checked *out)
{
	const struct mt_member *m = mt_state_member(view->state, name);
	const struct mt_seen *seen = mt_reports_find(view->reports, name);
	struct facts f = {.view = view, .rules = *rules};
	int known = 0; /* checks below are decided */

	*out = (struct mt_checked){{0}};
	if (seen != NULL)
		f.seen = *seen;
	for (;;) {
		const char *no = mt_candidate_objection(
		    view, &f.rules, m, seen != NULL ? &f.seen : NULL);
		size_t i = 0;

		while (no != NULL && i < MT_COUNT(objections) &&
		       strcmp(objections[i].rule, no) != 0)
			i++;
		if (no != NULL && i == MT_COUNT(objections))
			return;
		while (known < (no != NULL ? (int)objections[i].check
					   : (int)MT_CHECKS)) {
			if (out->said[known] == NULL)
				out->said[known] = "ok";
			known++;
		}
		if (no == NULL)
			return;
		if (out->said[objections[i].check] == NULL)
			out->said[objections[i].check] = objections[i].rule;
		if (objections[i].mend == NULL)
			return;
		objections[i].mend(&f);
	}
}

static void
judge(const struct mt_view *view, const struct mt_candidate_rules *rules,
      struct mt_preview *out)
{
	mt_candidates_judge(view, rules, &out->found);
	for (int i = 0; i < out->found.n; i++)
		check_member(view, rules, out->found.verdicts[i].name,
			     &out->checked[i]);
}

/* By the set, as the controller goes by it: whatever was asked for, the
 * furthest of enough that are heard, or nobody. */
static void
preview_set(const struct mt_view *view, const struct mt_request *request,
	    struct mt_preview *out)
{
	const struct mt_leader *l = &view->state->leader;
	const struct mt_candidate_rules rules = {
	    .except = l->released ? NULL : l->holder,
	    .stopped = l->epoch,
	};
	int heard, needed = mt_sync_needed(&view->state->sync);
	struct mt_candidates found;
	const char *no = mt_candidates_of_set(view, rules.except, rules.stopped,
					      &found, &heard);

	judge(view, &rules, out);
	if (no != NULL && heard < needed) {
		mt_format(out->why, sizeof(out->why),
			  "%d of the %d synchronous standbys that have to be "
			  "heard are",
			  heard, needed);
	} else if (no != NULL) {
		mt_format(out->why, sizeof(out->why),
			  "of the synchronous standbys the furthest cannot "
			  "take over");
	} else if ((view->settings->pause || l->exempt != 0) &&
		   !is_candidate(request, found.verdicts[found.best].name)) {
		no = "not-asked-for";
		mt_format(out->why, sizeof(out->why),
			  "\"%s\" has the most, which was not asked for",
			  found.verdicts[found.best].name);
	}
	if (no == NULL)
		return;
	/* Who seems the best is not. */
	if (found.best >= 0)
		mt_copy(out->found.verdicts[found.best].rule, MT_RULE_MAX, no);
	out->found.best = -1;
}

/* Where too few are heard: who gave the turn up has all of it. */
static bool
preview_old_holder(const struct mt_view *view, struct mt_preview *out)
{
	const struct mt_leader *l = &view->state->leader;
	const struct mt_candidate_rules rules = {
	    .only = l->holder,
	    .applied = l->index,
	};
	const struct mt_seen *seen = mt_reports_find(view->reports, l->holder);
	struct mt_candidates found;

	if (!l->released || !mt_report_is_fresh(seen, view->now_ms) ||
	    !seen->report.holds_turn || view->settings->pause)
		return false;
	mt_candidates_judge(view, &rules, &found);
	if (found.best >= 0)
		judge(view, &rules, out);
	return found.best >= 0;
}

/* Nobody has the turn, and a synchronous set stands. */
static void
preview_in_sync(const struct mt_view *view, const struct mt_request *request,
		struct mt_preview *out)
{
	const struct mt_leader *l = &view->state->leader;
	struct mt_candidate_rules rules;

	/* Who has the end of a clean shutdown has all. */
	mt_request_of_nobody(view, request, &rules);
	if (l->released && l->clean)
		judge(view, &rules, out);
	if (!l->released || !l->clean || out->found.best < 0)
		preview_set(view, request, out);
	if (out->found.best < 0 && preview_old_holder(view, out))
		out->why[0] = '\0';
	if (out->found.best < 0 &&
	    mt_request_accepts_loss(view, request, &rules)) {
		out->forced = true;
		out->why[0] = '\0';
		judge(view, &rules, out);
	}
	out->instead =
	    out->found.best >= 0 && request->candidate[0] != '\0' &&
	    !is_candidate(request, out->found.verdicts[out->found.best].name);
}

void
mt_request_preview(const struct mt_view *view, const struct mt_request *request,
		   struct mt_preview *out)
{
	struct mt_candidate_rules rules, second;
	struct mt_request now = *request;

	/* As if it were put now, after all that the log has. */
	now.id = UINT64_MAX;
	now.scheduled_ms = 0;
	memset(out, 0, sizeof(*out));
	out->by_holder = mt_request_holder_lives(view);
	if (!out->by_holder && mt_sync_stands(view->state)) {
		preview_in_sync(view, &now, out);
		return;
	}
	if (out->by_holder)
		mt_request_of_holder(view, &now, &rules);
	else
		mt_request_of_nobody(view, &now, &rules);
	out->forced = rules.forced;
	judge(view, &rules, out);
	if (out->found.best >= 0 || out->by_holder)
		return;
	/* Nobody has the turn: when the wait for the candidate is over, it is
	 * given to another; but not where only people decide. */
	if (view->settings->pause || view->state->leader.exempt != 0)
		return;
	second = rules;
	second.only = NULL;
	second.forced = false;
	mt_candidates_judge(view, &second, &out->found);
	out->instead = out->found.best >= 0;
}
