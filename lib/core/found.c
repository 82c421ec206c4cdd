/* SPDX-License-Identifier: PostgreSQL */
/*
 * Whose data becomes the cluster's (doc/protocol.md, ground A). Ordered rules,
 * first match wins. How it goes well: no member has data, and one may make it;
 * or exactly one runs as primary and nobody is ahead of it; or no server runs,
 * and the furthest data is that of a primary. In all other cases nothing is
 * done, and the reason names the members and what people can do. Data is never
 * preferred to other data that may have more: who is not heard, or cannot tell
 * what it has, is waited for without end.
 *
 * It reads reports, nothing else, and claims nothing: controller.c does.
 */
#include "core/found.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

/* What the rules see: the voters' reports, in the order of the voters. */
struct seen {
	const struct mt_view *v;
	int n;
	const struct mt_seen *of[MT_NODES_MAX]; /* NULL: never heard */
	int n_data;
	const struct mt_report *data[MT_NODES_MAX]; /* of those with data */
	struct mt_found *out;
};

static const struct mt_seen *
by_raft_id(const struct mt_view *v, uint64_t raft_id)
{
	for (int i = 0; i < v->reports->n; i++)
		if (v->reports->seen[i].report.self.raft_id == raft_id)
			return &v->reports->seen[i];
	return NULL;
}

static void
collect(const struct mt_view *v, struct mt_found *out, struct seen *s)
{
	memset(s, 0, sizeof(*s));
	s->v = v;
	s->out = out;
	s->n = v->voters.n;
	for (int i = 0; i < s->n; i++) {
		s->of[i] = by_raft_id(v, v->voters.raft_id[i]);
		if (s->of[i] != NULL && s->of[i]->report.has_data)
			s->data[s->n_data++] = &s->of[i]->report;
	}
}

static bool
runs(const struct mt_report *r)
{
	return r->pg_state == MT_PG_RUNNING || r->pg_state == MT_PG_STARTING ||
	       r->pg_state == MT_PG_STOPPING || r->pg_state == MT_PG_RESTARTING;
}

static bool
runs_as_primary(const struct mt_report *r)
{
	return r->pg_state == MT_PG_RUNNING && r->pg_role == MT_ROLE_PRIMARY;
}

/* Is all known that the rules compare? */
static bool
is_told(const struct mt_report *r)
{
	return r->sysid[0] != '\0' && r->data_id != 0 && r->at.timeline != 0 &&
	       (!runs(r) || (r->pg_state == MT_PG_RUNNING &&
			     r->pg_role != MT_ROLE_PROMOTED));
}

/* ---- rules ---- */

static bool
unheard(struct seen *s)
{
	int silent = 0;

	for (int i = 0; i < s->n; i++) {
		const struct mt_report *r;

		if (s->of[i] == NULL) {
			silent++;
			continue;
		}
		r = &s->of[i]->report;
		if (r->has_data || r->no_data)
			continue;
		mt_format(s->out->why, MT_WHY_MAX,
			  "waiting for \"%s\" to tell what data it has",
			  r->self.name);
		return true;
	}
	mt_format(s->out->why, MT_WHY_MAX,
		  "waiting for %d of %d members to tell what data they have",
		  silent, s->n);
	return silent > 0;
}

static bool
none(struct seen *s)
{
	mt_copy(s->out->why, MT_WHY_MAX, "no member has data");
	return s->n_data == 0;
}

static bool
silent(struct seen *s)
{
	for (int i = 0; i < s->n; i++) {
		if (mt_report_is_fresh(s->of[i], s->v->now_ms) &&
		    !s->of[i]->gone)
			continue;
		mt_format(s->out->why, MT_WHY_MAX,
			  "there is data, so all members have to be there: "
			  "waiting for \"%s\"",
			  s->of[i]->report.self.name);
		return true;
	}
	return false;
}

static bool
untold(struct seen *s)
{
	for (int i = 0; i < s->n_data; i++) {
		const struct mt_report *r = s->data[i];

		if (is_told(r))
			continue;
		mt_format(s->out->why, MT_WHY_MAX,
			  runs(r) ? "waiting for the PostgreSQL of \"%s\", "
				    "which runs, to answer as primary or "
				    "standby"
				  : "waiting for \"%s\" to tell where its data "
				    "ends",
			  r->self.name);
		return true;
	}
	return false;
}

static bool
mixed(struct seen *s)
{
	const struct mt_report *a = s->data[0];

	for (int i = 1; i < s->n_data; i++) {
		const struct mt_report *b = s->data[i];

		if (strcmp(a->sysid, b->sysid) == 0)
			continue;
		mt_format(s->out->why, MT_WHY_MAX,
			  "\"%.40s\" has data of cluster %s, \"%.40s\" of "
			  "cluster %s: move away what does not belong here",
			  a->self.name, a->sysid, b->self.name, b->sysid);
		return true;
	}
	return false;
}

static bool
two_primaries(struct seen *s)
{
	const struct mt_report *first = NULL;

	for (int i = 0; i < s->n_data; i++) {
		if (!runs_as_primary(s->data[i]))
			continue;
		if (first == NULL) {
			first = s->data[i];
			continue;
		}
		mt_format(s->out->why, MT_WHY_MAX,
			  "\"%.40s\" and \"%.40s\" both run as primary: stop "
			  "the one that is not to stay, and move its data away",
			  first->self.name, s->data[i]->self.name);
		return true;
	}
	return false;
}

static const struct mt_report *
primary_of(const struct seen *s)
{
	for (int i = 0; i < s->n_data; i++)
		if (runs_as_primary(s->data[i]))
			return s->data[i];
	return NULL;
}

static bool
was_primary(const struct mt_report *r)
{
	return r->pg_role == MT_ROLE_PRIMARY || r->pg_role == MT_ROLE_DEMOTED;
}

/* A promotion begins a timeline. Who wrote the same one as another wrote
 * something else, and no comparison of positions would show it. */
static bool
same_timeline(struct seen *s)
{
	for (int i = 0; i < s->n_data; i++)
		for (int k = 0; k < i; k++) {
			const struct mt_report *a = s->data[k], *b = s->data[i];

			if (!was_primary(a) || !was_primary(b) ||
			    a->at.timeline != b->at.timeline)
				continue;
			mt_format(
			    s->out->why, MT_WHY_MAX,
			    "\"%.40s\" and \"%.40s\" were both primary on "
			    "timeline %" PRIu32 ", so they may differ: "
			    "move away what is not to stay",
			    a->self.name, b->self.name, a->at.timeline);
			return true;
		}
	return false;
}

/* A report of the primary may be a second old, a standby that streams from it
 * ahead of that: only its timeline counts. */
static bool
is_ahead(const struct mt_report *r, const struct mt_report *primary)
{
	if (runs(r))
		return r->at.timeline > primary->at.timeline;
	return mt_position_compare(r->at, primary->at) > 0;
}

static bool
overtaken(struct seen *s)
{
	const struct mt_report *primary = primary_of(s);

	for (int i = 0; primary != NULL && i < s->n_data; i++) {
		const struct mt_report *r = s->data[i];

		if (r == primary || !is_ahead(r, primary))
			continue;
		mt_format(s->out->why, MT_WHY_MAX,
			  "the data of \"%.40s\" (timeline %" PRIu32
			  ") is ahead of the primary \"%.40s\" (timeline "
			  "%" PRIu32 "): move away what is not to stay",
			  r->self.name, r->at.timeline, primary->self.name,
			  primary->at.timeline);
		return true;
	}
	return false;
}

static bool
one_primary(struct seen *s)
{
	const struct mt_report *primary = primary_of(s);

	if (primary == NULL)
		return false;
	s->out->report = primary;
	mt_format(s->out->why, MT_WHY_MAX,
		  "\"%s\" runs as primary, and becomes the cluster's",
		  primary->self.name);
	return true;
}

static bool
standbys_run(struct seen *s)
{
	for (int i = 0; i < s->n_data; i++) {
		if (!runs(s->data[i]))
			continue;
		mt_format(s->out->why, MT_WHY_MAX,
			  "\"%.40s\" runs as a standby, and nobody as primary: "
			  "start the primary, or promote one by pg_ctl",
			  s->data[i]->self.name);
		return true;
	}
	return false;
}

/* Of equals, a primary's: only that may be started as it is. */
static const struct mt_report *
furthest_of(const struct seen *s)
{
	const struct mt_report *best = s->data[0];

	for (int i = 1; i < s->n_data; i++) {
		const struct mt_report *r = s->data[i];
		int order = mt_position_compare(r->at, best->at);

		if (order > 0 || (order == 0 && r->pg_role == MT_ROLE_DEMOTED &&
				  best->pg_role != MT_ROLE_DEMOTED))
			best = r;
	}
	return best;
}

static bool
standby_furthest(struct seen *s)
{
	const struct mt_report *best = furthest_of(s);

	mt_format(s->out->why, MT_WHY_MAX,
		  "the furthest data is a standby's, that of \"%s\": start "
		  "PostgreSQL there and promote it by pg_ctl",
		  best->self.name);
	return best->pg_role != MT_ROLE_DEMOTED;
}

static bool
furthest(struct seen *s)
{
	const struct mt_report *best = furthest_of(s);

	s->out->report = best;
	mt_format(s->out->why, MT_WHY_MAX,
		  "no server runs, and the data of \"%s\" is the furthest: it "
		  "becomes the cluster's",
		  best->self.name);
	return true;
}

/* ---- the table ---- */

static const struct rule {
	const char *name;
	enum mt_found_kind kind;
	bool (*when)(struct seen *s); /* fills why */
} rules[] = {
    /* first match wins; matriarchd(8), EXISTING DATA */
    {"unheard", MT_FOUND_WAIT, unheard},
    {"none", MT_FOUND_NOTHING, none},
    {"silent", MT_FOUND_WAIT, silent},
    {"untold", MT_FOUND_WAIT, untold},
    {"mixed", MT_FOUND_REFUSED, mixed},
    {"two-primaries", MT_FOUND_REFUSED, two_primaries},
    {"same-timeline", MT_FOUND_REFUSED, same_timeline},
    {"overtaken", MT_FOUND_REFUSED, overtaken},
    {"one-primary", MT_FOUND_RUNNING, one_primary},
    {"standbys-run", MT_FOUND_REFUSED, standbys_run},
    {"standby-furthest", MT_FOUND_REFUSED, standby_furthest},
    {"furthest", MT_FOUND_DOWN, furthest},
};

void
mt_found_judge(const struct mt_view *v, struct mt_found *found)
{
	const struct rule *r = rules;
	struct seen s;

	memset(found, 0, sizeof(*found));
	collect(v, found, &s);
	while (!r->when(&s)) /* "furthest" always matches */
		r++;
	found->kind = r->kind;
	found->rule = r->name;
}

struct mt_position
mt_found_end(const struct mt_local *l)
{
	if (l->data != MT_DATA_PRESENT || l->end_pending)
		return (struct mt_position){0};
	return l->end.timeline != 0 ? l->end : l->checkpoint;
}

const char *const *
mt_found_rules(void)
{
	static const char *names[MT_COUNT(rules) + 1];

	for (size_t i = 0; i < MT_COUNT(rules); i++)
		names[i] = rules[i].name;
	return names;
}
