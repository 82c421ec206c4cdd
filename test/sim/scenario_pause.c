/* SPDX-License-Identifier: PostgreSQL */
/*
 * Written schedules about pause: a primary that is exempt from stopping at its
 * lease's end, and how it comes back under the lease.
 */
#include "test/sim/scenario.h"

static bool
is_exempt(struct sim *w, int i)
{
	return w->nodes[i].pg.exempt;
}

static bool
is_armed(struct sim *w, int i)
{
	return !w->nodes[i].pg.exempt && w->nodes[i].pg.armed;
}

static bool
knows_pause(struct sim *w, int i)
{
	return w->nodes[i].settings.pause;
}

static bool
knows_no_pause(struct sim *w, int i)
{
	return !w->nodes[i].settings.pause;
}

static void
isolate(struct sim *w, int i, unsigned classes, bool hold)
{
	for (int k = 0; k < w->n; k++)
		if (k != i)
			cut(w, i, k, classes, hold);
}

/* Raft is led by another than the primary, *l; the primary is exempt. */
static int
pause_all(struct sim *w, int *l)
{
	int p;

	start_all(w);
	p = the_primary(w);
	*l = the_other(w, p, p);
	let_lead(w, *l);
	sim_pause(&w->nodes[*l], true);
	expect(w, "the primary is exempt", is_exempt, p, 5000);
	return p;
}

/* Paused or not any more, the turn stays with the exempt one. */
void
exempt_is_heeded(struct sim *w)
{
	int l, p = pause_all(w, &l);

	isolate(w, p, CLASS_ALL, false);
	pass(w, 12000);
	expect(w, "it is still primary", is_exempt, p, 10);
	sim_pause(&w->nodes[l], false);
	expect(w, "the pause is over", knows_no_pause, l, 5000);
	pass(w, 12000);
	net_heal_all(w);
	expect(w, "its lease counts again", is_armed, p, 5000);
	expect(w, "the cluster works", check_converged, 0, 30000);
}

/* The exemption ends when the lease is back, not when the pause ends. */
void
exempt_until_armed(struct sim *w)
{
	int l, p = pause_all(w, &l);

	isolate(w, p, CLASS_SUPPORT, false);
	pass(w, 12000);
	sim_pause(&w->nodes[l], false);
	expect(w, "it knows that the pause is over", knows_no_pause, p, 5000);
	pass(w, 2000);
	isolate(w, p, CLASS_ALL, false);
	pass(w, 20000);
	net_heal_all(w);
	expect(w, "the cluster works", check_converged, 0, 30000);
}

/* The pause ends and begins anew while the first exemption's end travels. */
void
exempt_anew(struct sim *w)
{
	int l, p = pause_all(w, &l);

	isolate(w, p, CLASS_PROPOSE, true);
	sim_pause(&w->nodes[l], false);
	expect(w, "it is armed", is_armed, p, 5000);
	pass(w, 50);
	sim_pause(&w->nodes[l], true);
	expect(w, "it is paused again", knows_pause, p, 5000);
	pass(w, 100);
	net_heal_all(w);
	pass(w, 3000);
	sim_pause(&w->nodes[l], false);
	isolate(w, p, CLASS_ALL, false);
	expect(w, "the pause is over", knows_no_pause, l, 5000);
	pass(w, 20000);
	net_heal_all(w);
	expect(w, "the cluster works", check_converged, 0, 30000);
}
