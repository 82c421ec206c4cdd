/* SPDX-License-Identifier: PostgreSQL */
/*
 * What may be relied on by those who read (doc/protocol.md, Reading).
 *
 * On the primary under its lease: each commit that was acknowledged, by
 * whichever primary, before the read began; but those that an asynchronous
 * failover, or people who accepted it, have lost. A holder that was displaced
 * before its lease has ended (ground Y) may show what is old, until it stops
 * answering 200 to /primary; check_health.c sees to that.
 *
 * On a standby: what it has shown it goes on showing, for as long as the server
 * runs. It may be behind, and may show what nobody acknowledged.
 */
#include "test/sim/sim.h"

#include <inttypes.h>

bool
check_is_displaced(const struct sim *w, const struct node *n)
{
	for (uint64_t e = n->record.pg_epoch + 1; e <= w->leader.epoch; e++)
		if (check_may_displace(w, e))
			return true;
	return false;
}

static bool
shows(const struct sim *w, const struct node *n, int branch)
{
	const struct branch *b = &w->branches[branch];

	if (branch == n->pg.branch)
		return b->acked <= n->pg.shown;
	return pg_is_ancestor(w, branch, b->acked, n->pg.branch);
}

void
check_read(struct node *n)
{
	struct sim *w = n->sim;

	if (n->pg.phase != PG_UP || !node_acts(n) || pg_hangs(n) ||
	    !check_has_lease(n) || check_is_displaced(w, n))
		return;
	w->stats.reads++;
	for (int i = 0; i < w->n_branches; i++)
		if (w->branches[i].acked != 0 && !shows(w, n, i))
			sim_fail(w,
				 "a read on %s does not see %" PRIx64
				 " of timeline %u, which was acknowledged",
				 n->name, w->branches[i].acked,
				 w->branches[i].timeline);
}

void
check_standby_read(struct node *n)
{
	struct sim *w = n->sim;
	struct pg *pg = &n->pg;
	uint64_t lsn = pg_position(w, n).lsn;

	w->stats.reads++;
	if (pg->read.gen == pg->gen &&
	    (lsn < pg->read.lsn ||
	     !pg_is_ancestor(w, pg->read.branch, pg->read.lsn, pg->branch)))
		sim_fail(w,
			 "a read on %s does not see %" PRIx64
			 ", which it showed before",
			 n->name, pg->read.lsn);
	pg->read.gen = pg->gen;
	pg->read.branch = pg->branch;
	pg->read.lsn = lsn;
}
