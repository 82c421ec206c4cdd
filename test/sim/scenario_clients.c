/* SPDX-License-Identifier: PostgreSQL */
/*
 * Written schedules about those who use PostgreSQL: whom a commit waits for,
 * and what becomes of one whose client did not wait.
 */
#include "test/sim/scenario.h"

#include "base/text.h"

static uint64_t
acked(const struct sim *w, int p)
{
	return w->branches[w->nodes[p].pg.branch].acked;
}

/* Commits are acknowledged from now on, or none are. */
static void
expect_acks(struct sim *w, int p, bool any, const char *why)
{
	uint64_t before;

	pass(w, 300);
	before = acked(w, p);
	pass(w, 1000);
	if (!w->failed && (acked(w, p) > before) != any)
		sim_fail(w, "schedule: %s", why);
}

static void
set_names(struct sim *w, int p, const char *way, int a, int b)
{
	char text[64];

	mt_format(text, sizeof(text), "%s (%s, %s)", way, w->nodes[a].name,
		  w->nodes[b].name);
	pg_waits_for(&w->nodes[p], text);
}

/* What the model makes of the two ways to name standbys. The daemons have no
 * part in it: the names are set by hand, in a cluster that wants none. */
void
names_in_order(struct sim *w)
{
	int p, a, b;

	start_all(w);
	w->setup.sync = true;
	p = the_primary(w);
	a = the_other(w, p, p);
	b = the_other(w, p, a);
	set_names(w, p, "FIRST 1", b, a);
	expect_acks(w, p, true, "the first is there");
	TRACE(w, NULL, "schedule: the first is connected, and silent");
	cut(w, p, b, CLASS_PG, false);
	expect_acks(w, p, false, "the first of the list is waited for");
	set_names(w, p, "ANY 1", b, a);
	expect_acks(w, p, true, "any of the list will do");
	set_names(w, p, "2", b, a);
	expect_acks(w, p, false, "both are waited for");
	TRACE(w, NULL, "schedule: the first is not connected");
	pg_follow(&w->nodes[b], -1);
	expect_acks(w, p, false, "one alone is not two");
	set_names(w, p, "FIRST 1", b, a);
	expect_acks(w, p, true, "the second takes its place");
	net_heal_all(w);
	pg_waits_for(&w->nodes[p], "");
	expect(w, "all is well", check_converged, 0, 20000);
}

/* The clients of a primary that waits for a standby cancel. Their commits are
 * there, and not on the standby, which takes over: they are lost, and nobody
 * was told that they would not be. */
void
cancelled_is_not_promised(struct sim *w)
{
	uint64_t cancels, end;
	int p, x;

	start_all(w);
	p = the_primary(w);
	x = p == 0 ? 1 : 0;
	pass(w, 1000);
	cut(w, p, x, CLASS_PG, false);
	pass(w, 200);
	cancels = w->stats.cancels;
	pass(w, 3000);
	if (w->stats.cancels < cancels + 3)
		sim_fail(w, "schedule: no client cancels");
	end = w->nodes[p].pg.lsn;
	if (acked(w, p) + 4000 > end)
		sim_fail(w, "schedule: what was cancelled is acknowledged");
	node_crash(&w->nodes[p]);
	expect(w, "the standby serves", serves, x, 12000);
	if (w->branches[w->nodes[x].pg.branch].fork_lsn >= end)
		sim_fail(w, "schedule: nothing is lost");
	node_boot_in(&w->nodes[p], 50 * SIM_MS);
	net_heal_all(w);
	expect(w, "all is well", check_converged, 0, 30000);
}
