/* SPDX-License-Identifier: PostgreSQL */
/*
 * Clients of the model of PostgreSQL. Some commit, wait until enough standbys
 * have flushed it, and remember that they were told so. Some lose patience and
 * cancel the wait: their commit stays, and all may see it, but they were told
 * that it may be nowhere else; it is no acknowledged one, and may be lost. Some
 * read: on the primary, which shows a commit when its client stops waiting, and
 * on standbys, which show what they have replayed.
 *
 * They draw from numbers of their own: what they do changes nothing that the
 * cluster does.
 *
 * It does not: let sessions choose not to wait.
 */
#include "test/sim/sim.h"

#include <inttypes.h>
#include <string.h>

#define CANCEL_PERCENT 12 /* at each write, that one loses patience */

static bool
chance(struct sim *w, int percent)
{
	w->clients = w->clients * UINT64_C(6364136223846793005) +
		     UINT64_C(1442695040888963407);
	return (int)((w->clients >> 33) % 100) < percent;
}

/* The server begins to take writes: what its log holds is there for all. */
void
clients_come(struct node *n)
{
	n->pg.n_waiting = 0;
	n->pg.shown = n->pg.lsn;
}

/* Its sessions end with it: nobody who waits is told anything any more. */
void
clients_go(struct node *n)
{
	n->pg.n_waiting = 0;
}

void
clients_commit(struct node *n)
{
	struct pg *pg = &n->pg;

	if (pg->n_waiting < SIM_CLIENTS_MAX)
		pg->waiting[pg->n_waiting++] = pg->lsn;
}

/* Enough standbys have flushed all up to here. */
void
clients_release(struct node *n, uint64_t lsn)
{
	struct pg *pg = &n->pg;
	uint64_t told = 0;
	int left = 0;

	for (int i = 0; i < pg->n_waiting; i++)
		if (pg->waiting[i] <= lsn)
			told = pg->waiting[i];
		else
			pg->waiting[left++] = pg->waiting[i];
	pg->n_waiting = left;
	if (told == 0)
		return;
	if (pg->shown < told)
		pg->shown = told;
	check_acknowledged(n, told);
}

void
clients_cancel(struct node *n)
{
	struct sim *w = n->sim;
	struct pg *pg = &n->pg;

	if (pg->n_waiting == 0 || !chance(w, CANCEL_PERCENT))
		return;
	TRACE(w, n, "a client cancels: %" PRIx64 " is committed here alone",
	      pg->waiting[0]);
	w->stats.cancels++;
	memmove(pg->waiting, pg->waiting + 1,
		(size_t)--pg->n_waiting * sizeof(pg->waiting[0]));
}

/* On a primary each time that something can have changed, on a standby now and
 * then. */
void
clients_read(struct node *n)
{
	struct sim *w = n->sim;

	if (n->pg.writable) {
		check_read(n);
	} else if (n->pg.phase == PG_UP && !node_sleeps(n) && chance(w, 25)) {
		check_standby_read(n);
	}
}
