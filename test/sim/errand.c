/* SPDX-License-Identifier: PostgreSQL */
/*
 * Operators who have a PostgreSQL restarted, or a replica made anew, at bad
 * moments: the API's checks, the errand in the daemon's memory, its end. What
 * comes of it in between is the agent's.
 */
#include "test/sim/sim.h"

#include <string.h>

#include "base/text.h"

void
errand_observe(struct node *n, struct mt_local *l)
{
	mt_errand_see(&n->errand, l);
	l->errand = n->errand;
}

static void
end(struct node *n, const char *how)
{
	TRACE(n->sim, n, "%s %s", mt_errand_name(n->errand.kind), how);
	memset(&n->errand, 0, sizeof(n->errand));
}

void
errand_look(struct node *n, struct mt_view *v)
{
	char why[MT_WHY_MAX];
	int64_t look_ms;

	switch (mt_errand_look(v, why, sizeof(why))) {
	case MT_ERRAND_GOES_ON:
	case MT_ERRAND_LATE:
		look_ms = mt_errand_look_ms(v);
		if (look_ms > v->now_ms)
			node_wake_by(n, look_ms);
		return;
	case MT_ERRAND_DONE:
		if (n->errand.kind == MT_ERRAND_RESTART)
			n->sim->stats.restarts++;
		else
			n->sim->stats.reinits++;
		end(n, "is done");
		break;
	case MT_ERRAND_FAILED:
		end(n, why);
		break;
	}
	v->local.errand = n->errand;
}

/* What is under way is ended, unfinished. */
void
errand_cancel(struct node *n)
{
	struct job *job = &n->job;

	if (job->kind != MT_JOB_CLONE && job->kind != MT_JOB_REWIND &&
	    job->kind != MT_JOB_RECOVER)
		return;
	job->number++; /* its end is nobody's any more */
	job->done = job->failed = true;
	n->dirty = true;
}

void
errand_check(struct node *n)
{
	const struct sim *w = n->sim;
	int holder = sim_node_by_name(w, n->state->leader.holder);
	const struct pg *from = holder >= 0 ? &w->nodes[holder].pg : NULL;

	/* A disk that was lost a moment ago is no news here yet. */
	if (from != NULL && from->branch < 0)
		return;
	if (from == NULL ||
	    (n->pg.branch == from->branch
		 ? n->pg.lsn > from->lsn
		 : !pg_is_ancestor(w, n->pg.branch, n->pg.lsn, from->branch)))
		check_named(n);
}

void
errand_ask(struct sim *w, struct node *n)
{
	static struct mt_view v;
	char why[MT_WHY_MAX];
	bool reinit = sim_chance(w, 40), force = sim_chance(w, 50);
	int64_t timeout_ms = sim_between(w, 100, 2000);

	if (reinit)
		n = &w->nodes[sim_between(w, 0, w->setup.n_data - 1)];
	if (!n->alive || n->frozen || n->witness || n->stopping)
		return;
	node_view(n, &v);
	if ((!reinit || !force) && mt_errand_busy(&v)[0] != '\0')
		return;
	if (reinit ? *mt_reinit_objection(&v, why, sizeof(why)) != '\0'
		   : *mt_restart_objection(&v, &(struct mt_restart){0}, why,
					   sizeof(why)) != '\0')
		return;
	n->errand = (struct mt_errand){
	    .kind = reinit ? MT_ERRAND_REINIT : MT_ERRAND_RESTART,
	    .id = ++n->errands,
	    .asked_ms = v.now_ms,
	    .timeout_ms = timeout_ms,
	    .as_primary = v.local.running && v.local.as_primary,
	};
	if (!reinit && !v.local.running)
		n->errand.stop_ms = v.now_ms;
	TRACE(n->sim, n, "is asked to %s", mt_errand_name(n->errand.kind));
	n->dirty = true;
}
