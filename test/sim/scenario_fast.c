/* SPDX-License-Identifier: PostgreSQL */
/*
 * Written schedules of ground Y: a synchronous primary is displaced before its
 * lease has ended, or is not. Leases are long here, so that nobody takes the
 * one for the other. Nodes with PostgreSQL come first, witnesses last.
 */
#include "test/sim/scenario.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

#define FAST_MS 3000 /* the leases here last for ten seconds */

/* ---- words ------------------------------------------------------------ */

static bool
has_no_set(struct sim *w, int arg)
{
	(void)arg;
	return w->sync.k == 0;
}

static bool
has_fenced(struct sim *w, int i)
{
	return w->nodes[i].record.fenced >= w->leader.epoch;
}

static bool
receives_nothing(struct sim *w, int i)
{
	return w->nodes[i].heard_epoch >= w->leader.epoch;
}

static bool
is_released(struct sim *w, int epoch)
{
	return w->leader.released || epoch_is(w, epoch + 1);
}

static int
standby(const struct sim *w, int p, int except)
{
	for (int i = 0; i < w->setup.n_data; i++)
		if (i != p && i != except)
			return i;
	return 0;
}

static int
begin(struct sim *w, int *x, int *y, int *l)
{
	int p;

	start_all(w);
	p = the_primary(w);
	*x = standby(w, p, -1);
	*y = standby(w, p, *x);
	*l = w->n - 1;
	let_lead(w, *l);
	pass(w, 1000);
	return p;
}

static void
change_config(struct node *n, const char *key, json_t *value)
{
	static struct mt_command c;
	json_t *config = json_copy(n->state->config);

	json_object_set_new(config, key, value);
	c.kind = MT_CMD_CONFIG_PUT;
	c.u.config_put.expect_version = n->state->config_version;
	c.u.config_put.config = config;
	node_propose(n, &c);
	json_decref(config);
}

/* For so long nobody gets the turn. */
static void
stays(struct sim *w, const char *why, int64_t ms)
{
	uint64_t since = w->leader.since;

	pass(w, ms);
	if (w->leader.since != since)
		sim_fail(w, "schedule: the turn was given on, though %s", why);
}

static bool
is_displaced(struct sim *w, int epoch)
{
	return epoch_is(w, epoch) && w->turn_displaces;
}

/* The primary is cut off from all, and another serves long before its lease
 * has ended. */
static int
displace(struct sim *w, int p)
{
	int next, epoch = (int)w->leader.epoch;

	net_isolate(w, p, CLASS_ALL, false);
	expect(w, "another has the turn", is_displaced, epoch + 1, FAST_MS);
	next = sim_node_by_name(w, w->leader.holder);
	expect(w, "it serves", serves, next, FAST_MS);
	if (!w->nodes[p].pg.writable)
		sim_fail(w, "schedule: the lease had ended");
	return next;
}

/* ---- the schedules ---------------------------------------------------- */

/* Two are writable for a while, and one of them acknowledges nothing. */
void
fast_beside_the_old(struct sim *w)
{
	int x, y, l, p = begin(w, &x, &y, &l);

	(void)displace(w, p);
	pass(w, 5000);
	net_heal_all(w);
	expect(w, "all is well", check_converged, 0, 30000);
}

/* Suspected although it has support and streams: new connections fail, and its
 * reports are lost. Fences end its support, and it goes on streaming to none of
 * those that were heard. */
void
fast_though_well(struct sim *w)
{
	int x, y, l, p = begin(w, &x, &y, &l);
	int epoch = (int)w->leader.epoch;

	net_isolate(w, p, CLASS_REPORT | CLASS_PROBE, false);
	expect(w, "another has the turn", epoch_is, epoch + 1, FAST_MS);
	pass(w, 3000);
	net_heal_all(w);
	expect(w, "all is well", check_converged, 0, 30000);
}

/* It is heard again before enough are fenced, has another epoch at once, and is
 * not suspected again for a while. */
void
fast_in_vain(struct sim *w)
{
	int x, y, l, p = begin(w, &x, &y, &l);

	node_freeze(&w->nodes[y], 60 * SIM_S);
	pass(w, 1500);
	net_isolate(w, p, CLASS_REPORT | CLASS_PROBE, false);
	expect(w, "the leader has fenced", has_fenced, l, FAST_MS);
	stays(w, "one that is needed was not heard", 1000);
	net_heal_all(w);
	pass(w, 500);
	net_isolate(w, p, CLASS_REPORT | CLASS_PROBE, false);
	stays(w, "it was suspected a moment ago", 300);
	net_heal_all(w);
	node_thaw(&w->nodes[y]);
	expect(w, "all is well", check_converged, 0, 30000);
	if (strcmp(w->leader.holder, w->nodes[p].name) != 0)
		sim_fail(w, "schedule: it has lost its turn");
}

/* A daemon stands still and its server serves: the lease is waited for. */
void
fast_port_accepts(struct sim *w)
{
	int x, y, l, p = begin(w, &x, &y, &l);
	int epoch = (int)w->leader.epoch;

	node_freeze(&w->nodes[p], 30 * SIM_S);
	stays(w, "its port accepts", 8000);
	pg_die(&w->nodes[p], "killed");
	expect(w, "another has the turn", is_displaced, epoch + 1, 1000);
	pass(w, 20000);
	expect(w, "all is well", check_converged, 0, 30000);
}

/* One way alone works: answers of the port do not come back, and the other
 * members find the same; one that is still heard keeps the turn. */
void
fast_one_way(struct sim *w)
{
	int x, y, l, p = begin(w, &x, &y, &l);
	int epoch = (int)w->leader.epoch;

	net_block(w, p, l, CLASS_ALL, false);
	stays(w, "others hear it", 4000);
	net_heal_all(w);
	expect(w, "all is well", check_converged, 0, 30000);
	let_lead(w, l);
	epoch = (int)w->leader.epoch;
	for (int i = 0; i < w->n; i++)
		if (i != p)
			net_block(w, p, i, CLASS_ALL, false);
	expect(w, "another has the turn", is_displaced, epoch + 1, FAST_MS);
	pass(w, 2000);
	net_heal_all(w);
	expect(w, "all is well", check_converged, 0, 30000);
}

/* New connections fail and the daemon is silent, but WAL arrives. */
void
fast_streams(struct sim *w)
{
	int x, y, l, p, epoch;

	w->setup.sees_streams = true;
	p = begin(w, &x, &y, &l);
	epoch = (int)w->leader.epoch;
	net_isolate(w, p, CLASS_ALL & ~(unsigned)CLASS_PG, false);
	stays(w, "its WAL arrives", 4000);
	net_isolate(w, p, CLASS_PG, false);
	expect(w, "another has the turn", is_displaced, epoch + 1, FAST_MS);
	pass(w, 3000);
	net_heal_all(w);
	expect(w, "all is well", check_converged, 0, 30000);
}

/* Of two one is fenced; the other's daemon stands still, and its PostgreSQL
 * goes on streaming from the old primary. */
void
fast_hears_enough(struct sim *w)
{
	int x, y, l, p = begin(w, &x, &y, &l);

	node_freeze(&w->nodes[y], 60 * SIM_S);
	pass(w, 1500);
	net_isolate(w, p, CLASS_ALL & ~(unsigned)CLASS_PG, false);
	expect(w, "one receives nothing more", receives_nothing, x, FAST_MS);
	stays(w, "one of two is not heard", 2000);
	node_thaw(&w->nodes[y]);
	pass(w, 3000);
	net_heal_all(w);
	expect(w, "all is well", check_converged, 0, 30000);
}

/* Enough standbys are fenced, but not enough voters. */
void
fast_majority(struct sim *w)
{
	int x, y, l, p = begin(w, &x, &y, &l);

	for (int i = 0; i < w->n; i++)
		if (i != x && i != l)
			net_block(w, l, i, CLASS_FENCE, false);
	net_isolate(w, p, CLASS_REPORT | CLASS_PROBE, false);
	expect(w, "one receives nothing more", receives_nothing, x, FAST_MS);
	stays(w, "two of five voters are fenced", 1500);
	net_heal_all(w);
	expect(w, "all is well", check_converged, 0, 30000);
}

/* Without a set nobody is displaced. */
void
fast_without_a_set(struct sim *w)
{
	int x, y, l, p = begin(w, &x, &y, &l);

	net_isolate(w, p, CLASS_ALL, false);
	stays(w, "no set stands", 7000);
	pass(w, 6000);
	net_heal_all(w);
	expect(w, "all is well", check_converged, 0, 30000);
}

/* The mode ends, and the next in turn is asynchronous: no lease of before may
 * live then. */
void
fast_then_release(struct sim *w)
{
	int x, y, l, epoch, next, p = begin(w, &x, &y, &l);

	next = displace(w, p);
	change_config(&w->nodes[l], "synchronous_mode", json_string("off"));
	expect(w, "the set is gone", has_no_set, 0, FAST_MS);
	epoch = (int)w->leader.epoch;
	change_config(&w->nodes[l], "ttl", json_integer(9));
	expect(w, "the turn goes on under another epoch", epoch_is, epoch + 1,
	       FAST_MS);
	epoch = (int)w->leader.epoch;
	node_terminate(&w->nodes[next]);
	expect(w, "the turn is released", is_released, epoch, FAST_MS);
	pass(w, 9000);
	net_heal_all(w);
	node_boot_in(&w->nodes[next], 50 * SIM_MS);
	expect(w, "all is well", check_converged, 0, 30000);
}
