/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the daemons would answer to health checks, by the function that answers
 * them: never 200 for /primary on two nodes, on none whose turn is over by the
 * log, and on none without a lease; where all is well, 200 on the primary, and
 * for /replica on the others. Who was displaced before its lease has ended may
 * say so until its first missed round of support.
 *
 * A daemon that is frozen, or whose machine sleeps, answers nothing.
 */
#include "test/sim/sim.h"

#include <inttypes.h>
#include <string.h>

static bool
answers(const struct node *n, enum mt_health_kind kind)
{
	struct mt_health_input in = n->health;

	if (!n->powered || !n->alive || n->frozen)
		return false;
	in.now_ms = node_now_ms(n);
	in.fresh = n->leader_seen_ms != 0 &&
		   in.now_ms - n->leader_seen_ms < n->settings.ttl_ms + 1000;
	return mt_health_code(&in, kind, "") == 200;
}

/* The one that this process was given, or what the sentinel still counts down
 * of the one before. */
static bool
has_lease(const struct node *n, int64_t now_ms)
{
	const struct mt_holder *h = &n->keep.holder;

	return n->pg.exempt ||
	       (h->had_lease && h->epoch != 0 && h->lease_end_ms > now_ms) ||
	       (n->pg.armed && n->pg.deadline_ms > now_ms);
}

static bool
may_not_know(const struct node *n)
{
	return check_displaced_now(n->sim, n->record.pg_epoch);
}

void
check_claim(struct node *n)
{
	if (check_was_displaced(n->sim, n->record.pg_epoch) &&
	    answers(n, MT_HEALTH_PRIMARY))
		sim_fail(n->sim,
			 "%s still answers 200 to /primary, and was displaced",
			 n->name);
}

/* After each of a node's turns: what it would say from here on. With time alone
 * a 200 becomes a 503 only. */
void
check_health(struct node *n, const struct mt_view *v)
{
	struct sim *w = n->sim;

	mt_health_of_view(v, &n->health);
	if (mt_driver_leader(n->driver) != 0)
		n->leader_seen_ms = v->now_ms;
	if (!answers(n, MT_HEALTH_PRIMARY))
		return;
	if (!has_lease(n, v->now_ms) && !v->settings->pause)
		sim_fail(w, "%s answers 200 to /primary without a lease",
			 n->name);
	for (int i = 0; i < w->n; i++)
		if (i != n->i && answers(&w->nodes[i], MT_HEALTH_PRIMARY) &&
		    !may_not_know(n) && !may_not_know(&w->nodes[i]))
			sim_fail(w, "%s and %s both answer 200 to /primary",
				 w->nodes[i].name, n->name);
	if ((strcmp(w->leader.holder, n->name) != 0 || w->leader.released) &&
	    !may_not_know(n))
		sim_fail(w,
			 "%s answers 200 to /primary, but epoch %" PRIu64
			 " is not its own",
			 n->name, w->leader.epoch);
}

bool
check_answers_well(const struct node *n, bool primary)
{
	return answers(n, primary ? MT_HEALTH_PRIMARY : MT_HEALTH_REPLICA);
}
