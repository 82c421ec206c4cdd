/* SPDX-License-Identifier: PostgreSQL */
/*
 * Who may be promoted. Each data member gets a verdict: the first check that
 * speaks against it, else "behind" or "chosen". The checks are those that
 * operators know (matriarchd(8)); the order of the best is: furthest position,
 * highest failover_priority, first name.
 */
#include "core/candidate.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "core/sync.h"

/* The newest timeline that the cluster is known to have written on. */
static uint32_t
cluster_timeline(const struct mt_state *s)
{
	uint32_t known = s->status.optime.timeline;

	return known > s->history_of ? known : s->history_of;
}

/* The data that the synchronous set speaks of, out of reach of any primary. */
static bool
is_heard(const struct mt_view *view, const struct mt_report *r,
	 uint64_t stopped)
{
	const struct mt_sync *sync = &view->state->sync;
	int in = mt_sync_find(sync, r->self.name);

	return in >= 0 && sync->standbys[in].data_id == r->data_id &&
	       r->stopped >= stopped && r->at.timeline != 0;
}

/* How many of the set are, and the furthest of them. */
static int
hear(const struct mt_view *view, const char *except, uint64_t stopped,
     struct mt_position *furthest)
{
	int n = 0;

	*furthest = (struct mt_position){0};
	for (int i = 0; i < view->reports->n; i++) {
		const struct mt_seen *seen = &view->reports->seen[i];

		if (!mt_report_is_fresh(seen, view->now_ms) ||
		    !is_heard(view, &seen->report, stopped) ||
		    (except != NULL &&
		     strcmp(seen->report.self.name, except) == 0))
			continue;
		n++;
		if (mt_position_compare(seen->report.at, *furthest) > 0)
			*furthest = seen->report.at;
	}
	return n;
}

const char *
mt_candidate_objection(const struct mt_view *view,
		       const struct mt_candidate_rules *rules,
		       const struct mt_member *m, const struct mt_seen *seen)
{
	const struct mt_report *r = seen != NULL ? &seen->report : NULL;
	uint64_t optime = view->state->status.optime.lsn;

	if (rules->only != NULL && rules->only[0] != '\0' &&
	    strcmp(m->name, rules->only) != 0)
		return "not-asked-for";
	if (rules->except != NULL && strcmp(m->name, rules->except) == 0)
		return "leaves";
	if (r == NULL || !mt_report_is_fresh(seen, view->now_ms))
		return "silent";
	if (seen->gone)
		return "gone";
	if (r->nofailover)
		return "nofailover";
	if (r->refuses)
		return "pre-promote-failed";
	if (r->stopping)
		return "stopping";
	if (!r->healthy)
		return "not-running";
	if (strcmp(r->sysid, view->state->sysid) != 0)
		return "other-cluster";
	if (r->pg_role != MT_ROLE_REPLICA)
		return "not-a-standby";
	if (r->at.timeline == 0)
		return "position-unknown";
	if (r->applied < rules->applied)
		return "report-too-old";
	if (rules->forced)
		return NULL;
	if (r->restored)
		return "restored";
	if (rules->least.timeline != 0 &&
	    (r->at.timeline < rules->least.timeline ||
	     r->at.lsn < rules->least.lsn))
		return "lacks-the-end";
	if (rules->in_set)
		return is_heard(view, r, 0) ? NULL : "not-in-sync";
	if (rules->stopped != 0)
		return is_heard(view, r, rules->stopped) ? NULL
		       : mt_sync_find(&view->state->sync, m->name) < 0
			   ? "not-in-sync"
			   : "not-fenced";
	if (view->settings->check_timeline &&
	    r->at.timeline < cluster_timeline(view->state))
		return "old-timeline";
	if (optime > r->at.lsn &&
	    optime - r->at.lsn >
		(uint64_t)view->settings->maximum_lag_on_failover)
		return "lags";
	return NULL;
}

/* With synchronous_mode on, members of the set go before others that have as
 * much: they are whom people expect. */
static bool
goes_before(const struct mt_view *view, const struct mt_report *r)
{
	return view->settings->synchronous_mode == MT_SYNC_ON &&
	       mt_sync_find(&view->state->sync, r->self.name) >= 0;
}

static bool
is_better(const struct mt_view *view, const struct mt_report *a,
	  const struct mt_report *b)
{
	int c = mt_position_compare(a->at, b->at);

	if (c != 0)
		return c > 0;
	if (goes_before(view, a) != goes_before(view, b))
		return goes_before(view, a);
	if (a->failover_priority != b->failover_priority)
		return a->failover_priority > b->failover_priority;
	return strcmp(a->self.name, b->self.name) < 0;
}

struct mt_position
mt_primary_position(const struct mt_view *view)
{
	const struct mt_seen *seen =
	    mt_reports_find(view->reports, view->state->leader.holder);
	struct mt_position at = view->state->status.optime;

	if (seen != NULL &&
	    (seen->report.pg_role == MT_ROLE_PRIMARY ||
	     seen->report.pg_role == MT_ROLE_PROMOTED) &&
	    mt_position_compare(seen->report.at, at) > 0)
		at = seen->report.at;
	return at;
}

/* What is known of a member, for the record. */
static void
describe(const struct mt_view *view, struct mt_position primary,
	 const struct mt_seen *seen, struct mt_verdict *v)
{
	v->age_ms = -1;
	if (seen == NULL)
		return;
	v->at = seen->report.at;
	v->age_ms = view->now_ms - seen->at_ms;
	v->state = seen->report.pg_state;
	v->role = seen->report.pg_role;
	v->failover_priority = seen->report.failover_priority;
	v->nofailover = seen->report.nofailover;
	if (v->at.timeline != 0 && primary.lsn > v->at.lsn)
		v->lag_bytes = primary.lsn - v->at.lsn;
}

void
mt_candidates_seen(const struct mt_view *view, struct mt_candidates *out)
{
	*out = (struct mt_candidates){.best = -1};
	for (int i = 0; i < view->state->n_members; i++) {
		const struct mt_member *m = &view->state->members[i];
		struct mt_verdict *v = &out->verdicts[out->n];
		bool holds = strcmp(m->name, view->state->leader.holder) == 0;

		if (m->witness)
			continue;
		out->n++;
		mt_copy(v->name, sizeof(v->name), m->name);
		mt_copy(v->rule, sizeof(v->rule),
			holds ? "holder" : "not-asked");
		describe(view, mt_primary_position(view),
			 mt_reports_find(view->reports, m->name), v);
	}
}

void
mt_candidates_judge(const struct mt_view *view,
		    const struct mt_candidate_rules *rules,
		    struct mt_candidates *out)
{
	const struct mt_report *best = NULL;

	*out = (struct mt_candidates){.best = -1};
	for (int i = 0; i < view->state->n_members; i++) {
		const struct mt_member *m = &view->state->members[i];
		const struct mt_seen *seen =
		    mt_reports_find(view->reports, m->name);
		struct mt_verdict *v;
		const char *no;

		if (m->witness)
			continue;
		v = &out->verdicts[out->n++];
		mt_copy(v->name, sizeof(v->name), m->name);
		describe(view, mt_primary_position(view), seen, v);
		no = mt_candidate_objection(view, rules, m, seen);
		/* Of two that hold, what tells why it had to leave. */
		if (no != NULL && strcmp(no, "leaves") == 0 &&
		    mt_report_is_fresh(seen, view->now_ms) &&
		    seen->report.refuses)
			no = "pre-promote-failed";
		mt_copy(v->rule, sizeof(v->rule), no != NULL ? no : "behind");
		if (no != NULL ||
		    (best != NULL && !is_better(view, &seen->report, best)))
			continue;
		best = &seen->report;
		out->best = out->n - 1;
	}
	if (out->best >= 0)
		mt_copy(out->verdicts[out->best].rule, MT_RULE_MAX, "chosen");
}

const char *
mt_candidates_of_set(const struct mt_view *view, const char *except,
		     uint64_t stopped, struct mt_candidates *found, int *heard)
{
	const struct mt_candidate_rules rules = {
	    .except = except,
	    .stopped = stopped,
	    .in_set = stopped == 0,
	};
	struct mt_position furthest;

	*heard = hear(view, except, stopped, &furthest);
	mt_candidates_judge(view, &rules, found);
	if (*heard < mt_sync_needed(&view->state->sync))
		return "too-few-heard";
	if (found->best < 0 ||
	    mt_position_compare(found->verdicts[found->best].at, furthest) < 0)
		return "not-the-furthest";
	return NULL;
}

void
mt_candidates_text(const struct mt_candidates *c, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (int i = 0; i < c->n && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%s: %s",
				      i > 0 ? "; " : "", c->verdicts[i].name,
				      c->verdicts[i].rule);
}
