/* SPDX-License-Identifier: PostgreSQL */
/*
 * Written schedules about pause: a primary that is exempt from stopping at its
 * lease's end, and how it comes back under the lease.
 */
#include "test/sim/scenario.h"

#include <string.h>

#include "base/text.h"

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

static bool
puts_request(struct sim *w, int i)
{
	return w->nodes[i].proposed == MT_CMD_REQUEST_PUT;
}

static void
schedule_switchover(struct sim *w, int from, int to, int64_t in_ms)
{
	static struct mt_command c;

	memset(&c, 0, sizeof(c));
	c.kind = MT_CMD_REQUEST_PUT;
	c.u.request_put.kind = MT_REQUEST_SWITCHOVER;
	mt_copy(c.u.request_put.leader, MT_NAME_MAX, w->nodes[from].name);
	mt_copy(c.u.request_put.candidate, MT_NAME_MAX, w->nodes[to].name);
	c.u.request_put.scheduled_ms = w->now_us / SIM_MS + in_ms;
	node_propose(&w->nodes[to], &c);
}

/* The holder puts a scheduled switchover anew, and that is on its way to one
 * leader when the pause comes and the exemption is committed by another. Then
 * it is cut off, and its put arrives. */
void
exempt_from_what_is_due(struct sim *w)
{
	int p, l, x;

	start_all(w);
	p = the_primary(w);
	l = the_other(w, p, p);
	x = the_other(w, p, l);
	let_lead(w, l);
	pass(w, 500);
	schedule_switchover(w, p, x, 1500);
	pass(w, 500);
	net_block(w, p, l, CLASS_PROPOSE, true);
	expect(w, "it is due", puts_request, p, 3000);
	sim_pause(&w->nodes[l], true);
	expect(w, "the primary is paused", knows_pause, p, 1000);
	let_lead(w, x);
	expect(w, "the primary is exempt", is_exempt, p, 5000);
	let_lead(w, l);
	isolate(w, p, CLASS_ALL & ~(unsigned)CLASS_PROPOSE, false);
	TRACE(w, NULL, "schedule: what it put arrives");
	net_heal(w, p, l);
	isolate(w, p, CLASS_ALL, false);
	pass(w, 12000);
	expect(w, "it is still primary", is_exempt, p, 10);
	net_heal_all(w);
	sim_pause(&w->nodes[l], false);
	expect(w, "the cluster works", check_converged, 0, 30000);
}
