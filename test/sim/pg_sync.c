/* SPDX-License-Identifier: PostgreSQL */
/*
 * Synchronous replication in the model of PostgreSQL: walsenders, walreceivers,
 * and clients that wait until enough standbys have flushed.
 *
 * Modelled on the strict side: while a reload is under way the primary waits
 * for the worst mix of all settings that may be in effect; what a standby
 * confirmed counts for good, and news of it may come late, from connections
 * that are gone; walreceivers and walsenders live on without their daemons.
 *
 * clients.c has those who wait. It does not: end a walsender when the network
 * is gone, or have two of them for one standby.
 */
#include "test/sim/sim.h"

#include <inttypes.h>
#include <string.h>

/* What arrives says whence, in which life of the primary it was sent, and to
 * which walreceiver. */
#define PACK(branch, from, life, receiver) \
	((uint64_t)(branch) | (uint64_t)(from) << 16 | \
	 (uint64_t)((life)&0xffff) << 24 | \
	 (uint64_t)((receiver)&0xffffff) << 40)
#define FROM(a) ((int)((a) >> 16 & 0xff))
#define LIFE(a) ((uint32_t)((a) >> 24 & 0xffff))
#define RECEIVER(a) ((uint32_t)((a) >> 40))

void
pg_follow(struct node *n, int upstream)
{
	n->pg.upstream = upstream;
	n->pg.receiver++;
	n->pg.receives_us = 0;
	if (upstream >= 0)
		n->heard_epoch = 0; /* its position is of that time only */
}

void
pg_end_walsenders(struct node *n)
{
	struct sim *w = n->sim;

	for (int i = 0; i < w->n; i++) {
		struct pg *s = &w->nodes[i].pg;

		if (s->upstream != n->i)
			continue;
		s->receiver++;
		s->receives_us =
		    w->now_us + sim_between(w, 10 * SIM_MS, 1000 * SIM_MS);
	}
}

/* ---- names ------------------------------------------------------------ */

void
pg_start_with(struct node *n, const char *names)
{
	pg_read_names(n->sim, names, &n->pg.names);
	n->pg.waits = pg_names_conf(&n->pg.names);
	n->pg.mixed = false;
}

void
pg_wait_for(struct node *n, const char *text)
{
	struct mt_sync_conf *waits = &n->pg.waits, c;
	struct pg_names names;

	pg_read_names(n->sim, text, &names);
	c = pg_names_conf(&names);
	waits->set |= c.set;
	if (c.k < waits->k)
		waits->k = c.k;
	n->pg.mixed = true;
	check_coexist(n->sim);
	pg_acknowledge(n);
}

void
pg_waits_for(struct node *n, const char *names)
{
	pg_start_with(n, names);
	check_coexist(n->sim);
	pg_acknowledge(n);
}

/* ---- streaming -------------------------------------------------------- */

/* To be late is the exception. */
static int64_t
delay_us(struct sim *w, int64_t late_us)
{
	int64_t us = sim_between(w, 200, 5000);

	return late_us > 0 && sim_chance(w, 30)
		   ? us + sim_between(w, 0, late_us)
		   : us;
}

void
pg_send(struct node *n, struct node *s)
{
	struct sim *w = n->sim;

	sim_push(w, w->now_us + delay_us(w, w->setup.lag_us), EV_PG_RECEIVE,
		 s->i, s->pg.gen,
		 PACK(n->pg.branch, n->i, n->pg.gen, s->pg.receiver), n->pg.lsn,
		 NULL);
}

bool
pg_is_received(const struct node *n, const struct event *e)
{
	return RECEIVER(e->a) == (n->pg.receiver & 0xffffff);
}

void
pg_confirm(struct node *n, const struct event *e)
{
	struct sim *w = n->sim;
	struct node *p = &w->nodes[FROM(e->a)];

	if (!w->setup.sync || (p->pg.gen & 0xffff) != LIFE(e->a) ||
	    !net_passes(w, n->i, p->i, CLASS_PG) ||
	    !pg_is_ancestor(w, n->pg.branch, n->pg.lsn, p->pg.branch))
		return;
	sim_push(w, w->now_us + delay_us(w, w->setup.late_us), EV_PG_CONFIRM,
		 p->i, p->pg.gen, PACK(0, n->i, 0, n->pg.receiver), n->pg.lsn,
		 NULL);
}

void
pg_confirmed(struct node *n, const struct event *e)
{
	int i = FROM(e->a);
	uint32_t receiver = RECEIVER(e->a);

	if (!n->pg.writable)
		return;
	if (n->pg.standbys[i].flushed < e->b)
		n->pg.standbys[i].flushed = e->b;
	if (n->pg.standbys[i].receiver < receiver) {
		n->pg.standbys[i].receiver = receiver;
		n->pg.standbys[i].lsn = 0;
	}
	if (n->pg.standbys[i].receiver == receiver &&
	    n->pg.standbys[i].lsn < e->b)
		n->pg.standbys[i].lsn = e->b;
	if (n->pg.standbys[i].receiver == receiver)
		n->pg.standbys[i].heard_us = n->sim->now_us;
	pg_acknowledge(n);
}

/* ---- who has flushed it ------------------------------------------------ */

/* Is there a walsender for its present walreceiver, which has told something?
 * One that hangs, or cannot be reached, is still there; and one whose last word
 * arrives just now, until it learns that it is alone. */
static bool
is_connected(const struct node *n, int i)
{
	const struct node *s = &n->sim->nodes[i];
	uint32_t receiver = n->pg.standbys[i].receiver;

	if (receiver != 0 && n->pg.standbys[i].heard_us == n->sim->now_us)
		return true;
	return receiver != 0 && pg_is_running(s) && s->pg.upstream == n->i &&
	       receiver == (s->pg.receiver & 0xffffff);
}

/* FIRST: the first k of the list that are connected have all up to here. 0:
 * they are too few. */
static uint64_t
first_have(const struct node *n)
{
	const struct pg_names *names = &n->pg.names;
	uint64_t lsn = n->pg.lsn;
	int count = 0;

	for (int i = 0; i < names->n && count < names->k; i++) {
		int s = names->standbys[i];

		if (s < 0 || !is_connected(n, s))
			continue;
		if (lsn > n->pg.standbys[s].flushed)
			lsn = n->pg.standbys[s].flushed;
		count++;
	}
	return count < names->k ? 0 : lsn;
}

/* ANY: k of them have all up to here. 0: there are not so many. */
static uint64_t
any_have(const struct node *n)
{
	const struct pg *pg = &n->pg;
	uint64_t flushed[SIM_NODES_MAX], lsn = pg->lsn;
	int count = 0;

	for (int i = 0; i < n->sim->n; i++) {
		int at = count;

		if ((pg->waits.set >> i & 1) == 0)
			continue;
		for (; at > 0 && flushed[at - 1] < pg->standbys[i].flushed;
		     at--)
			flushed[at] = flushed[at - 1];
		flushed[at] = pg->standbys[i].flushed;
		count++;
	}
	if (pg->waits.k > count)
		return 0;
	if (pg->waits.k > 0 && flushed[pg->waits.k - 1] < lsn)
		lsn = flushed[pg->waits.k - 1];
	return lsn;
}

void
pg_acknowledge(struct node *n)
{
	const struct pg *pg = &n->pg;

	if (pg->writable)
		clients_release(n, pg->mixed || !pg->names.first
				       ? any_have(n)
				       : first_have(n));
}
