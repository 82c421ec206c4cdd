/* SPDX-License-Identifier: PostgreSQL */
/*
 * Troubles of a machine and its server that are neither a crash nor a clean
 * end: a machine that sleeps, a server or its volume that hangs.
 *
 * Asleep, nothing runs on a machine, and its clock goes on; what would have
 * happened there happens when it wakes, in its order, and so a primary may do
 * something yet before its sentinel has ended it. A server that hangs writes
 * nothing and takes no fast stop; one whose volume hangs cannot be killed
 * before that is back, and does nothing in between but to be there.
 */
#include "test/sim/sim.h"

#include <inttypes.h>

/* ---- sleep ------------------------------------------------------------ */

bool
node_sleeps(const struct node *n)
{
	return n->asleep_us > n->sim->now_us;
}

void
node_sleep(struct node *n, int64_t for_us)
{
	struct sim *w = n->sim;

	if (!n->powered || node_sleeps(n))
		return;
	TRACE(w, n, "the machine sleeps for %" PRId64 " ms", for_us / 1000);
	n->asleep_us = w->now_us + for_us;
	sim_push(w, n->asleep_us, EV_AWAKE, n->i, 0, 0, 0, NULL);
	node_freeze(n, for_us);
}

/* Timers are told by their time: it moves with them. */
bool
sleep_puts_off(struct node *n, struct event *e)
{
	struct pg *pg = &n->pg;

	if (!node_sleeps(n))
		return false;
	if (e->kind == EV_PG && e->at_us == pg->phase_end_us)
		pg->phase_end_us = n->asleep_us;
	if (e->kind == EV_SENTINEL && e->at_us == pg->sentinel_us)
		pg->sentinel_us = n->asleep_us;
	if (e->kind == EV_WAKE && e->at_us == n->wake_us)
		n->wake_us = n->asleep_us;
	sim_push(n->sim, n->asleep_us, e->kind, e->node, e->gen, e->a, e->b,
		 e->message);
	e->message = NULL;
	return true;
}

/* Its sentinel's timer has run out; so long that one may take. */
void
sleep_on_awake(struct node *n)
{
	struct sim *w = n->sim;
	const struct pg *pg = &n->pg;

	if (!pg->writable || node_sleeps(n))
		return;
	if (w->now_us == n->asleep_us && pg->armed &&
	    node_now_ms(n) >= pg->deadline_ms) {
		n->waking_us = w->now_us + MT_KILL_ALLOWANCE_MS * SIM_MS;
		sim_push(w, n->waking_us, EV_AWAKE, n->i, 0, 0, 0, NULL);
	} else if (node_acts(n)) {
		check_writable(n);
		clients_read(n);
	}
}

bool
node_acts(const struct node *n)
{
	return n->pg.writable && !n->pg.killed && !node_sleeps(n) &&
	       n->waking_us <= n->sim->now_us;
}

/* ---- the server ------------------------------------------------------- */

bool
pg_hangs(const struct node *n)
{
	return n->pg.hangs_us > n->sim->now_us;
}

void
pg_hang(struct node *n, int64_t for_us, bool volume)
{
	struct pg *pg = &n->pg;

	if (pg->phase != PG_UP || !pg->writable || pg_hangs(n))
		return;
	TRACE(n->sim, n, "postgres hangs for %" PRId64 " ms%s", for_us / 1000,
	      volume ? ", with its volume" : "");
	pg->hangs_us = n->sim->now_us + for_us;
	pg->volume_hangs = volume;
	n->dirty = n->alive;
}

/* The volume is back: what was killed meanwhile ends now. */
void
pg_go_on(struct node *n)
{
	struct pg *pg = &n->pg;
	bool hung = pg_hangs(n);

	pg->hangs_us = 0;
	if (pg->killed)
		pg_die(n, "the kill arrives");
	else if (hung && pg->phase == PG_STOPPING)
		pg_enter(n, PG_STOPPING, 30 * SIM_MS);
}

/* Does the end that was asked of it have to wait? */
bool
pg_outlasts(struct node *n)
{
	struct pg *pg = &n->pg;

	if (!pg_hangs(n) || (!pg->fast && !pg->volume_hangs))
		return false;
	if (!pg->fast)
		pg->killed = true;
	pg_enter(n, PG_STOPPING, pg->hangs_us - n->sim->now_us);
	return true;
}

/* What the daemon's probes of its primary find. */
void
hang_observe(struct node *n, struct mt_local *l)
{
	if (!pg_hangs(n) || !n->pg.as_primary)
		n->unanswered_ms = 0;
	else if (n->unanswered_ms == 0)
		n->unanswered_ms = node_now_ms(n);
	l->unanswered_ms = n->unanswered_ms;
	l->volume_hangs = n->unanswered_ms != 0 && n->pg.volume_hangs;
	l->hung = n->hung;
	l->hung_again = n->hung_twice;
}
