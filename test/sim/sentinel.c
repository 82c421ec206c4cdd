/* SPDX-License-Identifier: PostgreSQL */
/*
 * The sentinel of a simulated PostgreSQL: it lives as long as the server, and
 * kills it when the deadline that it was armed with is over, after up to its
 * whole allowance. If it dies itself, the postmaster gets a signal for that
 * (PR_SET_PDEATHSIG), and ends.
 */
#include "test/sim/sim.h"

#define KILL_MS (MT_KILL_ALLOWANCE_MS - 10)

static void
set_timer(struct node *n)
{
	n->pg.sentinel_us = node_true_us(n, n->pg.deadline_ms);
	sim_push(n->sim, n->pg.sentinel_us, EV_SENTINEL, n->i, n->pg.gen, 0, 0,
		 NULL);
}

void
pg_arm(struct node *n, int64_t deadline_ms)
{
	struct pg *pg = &n->pg;

	if (pg->phase == PG_DOWN || pg->fired || pg->exempt ||
	    (pg->armed && pg->deadline_ms == deadline_ms))
		return;
	pg->armed = true;
	pg->deadline_ms = deadline_ms;
	if (pg->sentinel_us == 0 ||
	    node_true_us(n, deadline_ms) < pg->sentinel_us)
		set_timer(n);
}

void
pg_exempt(struct node *n, bool exempt)
{
	struct pg *pg = &n->pg;

	if (pg->phase == PG_DOWN || pg->fired)
		return;
	TRACE(n->sim, n,
	      exempt ? "the sentinel forgets its deadline"
		     : "the sentinel has a deadline again");
	pg->exempt = exempt;
	if (exempt)
		pg->armed = false;
}

void
pg_on_sentinel(struct node *n)
{
	struct pg *pg = &n->pg;

	pg->sentinel_us = 0;
	if (!pg->armed || pg->fired)
		return;
	if (node_now_ms(n) < pg->deadline_ms) {
		set_timer(n);
		return;
	}
	pg->fired = true;
	TRACE(n->sim, n, "the sentinel kills postgres");
	sim_push(n->sim,
		 n->sim->now_us +
		     sim_between(n->sim, 0, KILL_MS * SIM_MS * 98 / 100),
		 EV_SENTINEL_KILL, n->i, pg->gen, 0, 0, NULL);
}

void
pg_lose_sentinel(struct node *n)
{
	struct pg *pg = &n->pg;

	if (pg->phase == PG_DOWN || pg->unguarded)
		return;
	TRACE(n->sim, n, "the sentinel dies");
	pg->unguarded = true;
	pg->armed = pg->exempt = false;
	pg->fast = false;
	pg_enter(n, PG_STOPPING, sim_between(n->sim, 5 * SIM_MS, 60 * SIM_MS));
}
