/* SPDX-License-Identifier: PostgreSQL */
/*
 * A node without data gets some: a clone of another member, where there is a
 * primary, else what a method of the operator's can make without one. Which
 * method is the job's to try; here it is decided when, and from whom.
 *
 * A member that failed to clone tries again after a pause that doubles. Data
 * that is not whole is removed first, unless a method goes by it.
 */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "conf/options.h"
#include "core/agent_internal.h"
#include "core/clones.h"

#define ALONE_WAIT_MS 10000 /* for a primary, before one does without */

/* ---- from whom ---- */

static bool
offers_itself(const struct mt_member *m)
{
	const struct mt_option *o =
	    mt_option_find(MT_OPT_LOCAL, "tags.clonefrom");
	json_t *tags = m->tags[0] != '\0' ? json_loads(m->tags, 0, NULL) : NULL;
	const json_t *tag = json_object_get(tags, "clonefrom");
	int64_t n = 0;

	if (tag == NULL || mt_option_value(o, tag, &n) != 0)
		n = 0;
	json_decref(tags);
	return n != 0;
}

/* A replica that follows the primary and has the tag. */
static bool
is_source(const struct mt_view *v, const struct mt_seen *seen,
	  const struct mt_seen *primary)
{
	const struct mt_report *r = &seen->report;

	return seen != primary && strcmp(r->self.name, v->local.name) != 0 &&
	       !r->self.witness && !seen->gone &&
	       mt_report_is_fresh(seen, v->now_ms) && r->healthy &&
	       r->streaming && r->pg_role == MT_ROLE_REPLICA &&
	       r->at.timeline == primary->report.at.timeline &&
	       strcmp(r->sysid, v->state->sysid) == 0 &&
	       mt_state_member(v->state, r->self.name) != NULL &&
	       offers_itself(&r->self);
}

/* Members that are cloned at the same time spread over the sources. After a
 * failure it is the primary's turn, then a source's again. */
static const struct mt_seen *
source_of(const struct mt_view *v, const struct mt_seen *primary)
{
	const struct mt_local *l = &v->local;
	const struct mt_seen *found[MT_NODES_MAX];
	uint64_t n = 0;

	for (int i = 0; i < v->reports->n; i++)
		if (is_source(v, &v->reports->seen[i], primary))
			found[n++] = &v->reports->seen[i];
	if (n == 0 || l->errand.from_leader ||
	    (l->last_job == MT_JOB_CLONE && l->last_job_failed &&
	     l->failures % 2 == 1))
		return primary;
	return found[l->raft_id % n];
}

/* ---- when ---- */

/* What is there is of no use. */
static bool
makes_room(const struct mt_view *v, struct mt_plan *p)
{
	if (v->local.data != MT_DATA_PARTIAL ||
	    (v->local.keeps_data && !v->local.errand.from_leader))
		return false;
	p->act = MT_ACT_DISCARD;
	return true;
}

/* From a backup: whoever is primary later, this node will follow it. */
static void
plan_alone(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;

	agent__why(p, "waiting for a primary to clone");
	if (!l->can_restore || l->alone_ms == 0)
		return;
	p->look_again_ms = l->alone_ms + ALONE_WAIT_MS;
	if (v->now_ms < p->look_again_ms)
		return;
	p->look_again_ms = 0;
	if (agent__too_early(v, MT_JOB_CLONE, p) || makes_room(v, p))
		return;
	p->act = MT_ACT_CLONE;
	agent__why(p, "no primary is there to clone");
}

void
agent__plan_clone(const struct mt_view *v, struct mt_plan *p,
		  const struct mt_seen *primary)
{
	if (primary == NULL) {
		plan_alone(v, p);
		return;
	}
	if (agent__too_early(v, MT_JOB_CLONE, p) || makes_room(v, p))
		return;
	if (mt_clones_allow(v, &primary->report)) {
		agent__toward(v, p, MT_ACT_CLONE, source_of(v, primary));
		p->plain = v->local.errand.from_leader;
		return;
	}
	agent__wait_for_place(v, p);
}

void
agent__wait_for_place(const struct mt_view *v, struct mt_plan *p)
{
	p->wants_clone = true;
	mt_format(p->why, sizeof(p->why),
		  "waiting for its place: %" PRId64
		  " members are cloned at a time (max_concurrent_clones)",
		  v->settings->max_concurrent_clones);
}
