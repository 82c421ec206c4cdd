/* SPDX-License-Identifier: PostgreSQL */
/*
 * Places for clones. Happy path: a member's report says that it wants one; it
 * is put on the list, gets a place when one is free, finds itself in the
 * primary's report, clones, and is taken off when its report says neither any
 * more. A member whose reports end has no place. One that has a place and goes
 * on wanting it does not hear us, or hangs: it goes to the end of the list. A
 * new primary finds those that clone in their reports, and counts them.
 */
#include "core/clones.h"

#include <string.h>

#include "base/text.h"

#define UNUSED_MS 10000 /* a place that is not taken for so long is free */

static bool
is_cloning(const struct mt_report *r)
{
	return strcmp(r->job, mt_job_name(MT_JOB_CLONE)) == 0;
}

static const struct mt_report *
heard(const struct mt_view *v, const char *name)
{
	const struct mt_seen *seen = mt_reports_find(v->reports, name);

	if (!mt_report_is_fresh(seen, v->now_ms) || seen->gone ||
	    (!seen->report.wants_clone && !is_cloning(&seen->report)))
		return NULL;
	return &seen->report;
}

static bool
is_known(const struct mt_clones *c, const char *name)
{
	for (int i = 0; i < c->n; i++)
		if (strcmp(c->places[i].name, name) == 0)
			return true;
	return false;
}

/* Off the list with those that want nothing any more. */
static void
forget(struct mt_clones *c, const struct mt_view *v)
{
	int n = 0;

	for (int i = 0; i < c->n; i++) {
		struct mt_clone_place *p = &c->places[i];
		const struct mt_report *r = heard(v, p->name);

		if (r == NULL || r->self.raft_id != p->raft_id)
			continue;
		if (p->has && r->wants_clone &&
		    v->now_ms - p->since_ms >= UNUSED_MS) {
			p->has = false;
			p->since_ms = v->now_ms;
		}
		c->places[n++] = *p;
	}
	c->n = n;
}

/* Onto it with those that do, and with those that clone already. */
static void
learn(struct mt_clones *c, const struct mt_view *v)
{
	for (int i = 0; i < v->reports->n && c->n < MT_NODES_MAX; i++) {
		const struct mt_report *r = &v->reports->seen[i].report;
		struct mt_clone_place *p = &c->places[c->n];

		if (is_known(c, r->self.name) || heard(v, r->self.name) == NULL)
			continue;
		*p = (struct mt_clone_place){
		    .raft_id = r->self.raft_id,
		    .since_ms = v->now_ms,
		    .has = is_cloning(r),
		};
		mt_copy(p->name, sizeof(p->name), r->self.name);
		c->n++;
	}
}

static struct mt_clone_place *
first_in_line(struct mt_clones *c)
{
	struct mt_clone_place *best = NULL;

	for (int i = 0; i < c->n; i++) {
		struct mt_clone_place *p = &c->places[i];

		if (!p->has && (best == NULL || p->since_ms < best->since_ms ||
				(p->since_ms == best->since_ms &&
				 strcmp(p->name, best->name) < 0)))
			best = p;
	}
	return best;
}

void
mt_clones_step(struct mt_clones *c, const struct mt_view *v)
{
	int64_t left = v->settings->max_concurrent_clones;
	struct mt_clone_place *p;

	if (left == 0 || !mt_state_held_by(v->state, v->local.name) ||
	    !v->local.as_primary) {
		c->n = 0;
		return;
	}
	forget(c, v);
	learn(c, v);
	for (int i = 0; i < c->n; i++)
		left -= c->places[i].has;
	while (left-- > 0 && (p = first_in_line(c)) != NULL) {
		p->has = true;
		p->since_ms = v->now_ms;
	}
}

void
mt_clones_tell(const struct mt_clones *c, struct mt_report *r)
{
	r->n_clones = 0;
	for (int i = 0; i < c->n; i++)
		if (c->places[i].has)
			r->clones[r->n_clones++] = c->places[i].raft_id;
}

bool
mt_clones_allow(const struct mt_view *v, const struct mt_report *primary)
{
	if (v->settings->max_concurrent_clones == 0)
		return true;
	for (int i = 0; i < primary->n_clones; i++)
		if (primary->clones[i] == v->local.raft_id)
			return true;
	return false;
}
