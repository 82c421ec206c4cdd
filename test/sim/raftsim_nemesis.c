/* SPDX-License-Identifier: PostgreSQL */
/*
 * Who makes trouble: load, crashes, partitions, transfers and membership
 * changes at random; then heals everything and expects commits.
 */
#include <string.h>

#include "base/text.h"
#include "raftsim_internal.h"

#define HEAL_ROUNDS 40

void
nemesis_weather(struct world *w)
{
	w->loss_percent = sim_random(w, 3) ? sim_random(w, 20) : 0;
	w->delay_ms = 1 + sim_random(w, sim_random(w, 3) ? 15 : 60);
	w->disk_ms = sim_random(w, 4) ? 1 + sim_random(w, 20) : 0;
	w->disk_fails = sim_random(w, 4) ? 0 : 100;
	w->in_order = sim_random(w, 2) == 0 || w->o->ordered;
}

static struct node *
any_node(struct world *w)
{
	return &w->nodes[1 + sim_random(w, w->n_nodes)];
}

static void
load(struct world *w)
{
	unsigned i, k;

	for (i = 1; i <= w->n_nodes; i++)
		for (k = sim_leads(&w->nodes[i]) ? 1 + sim_random(w, 3) : 0;
		     k > 0; k--)
			sim_submit(&w->nodes[i]);
}

static void
partition(struct world *w)
{
	unsigned side = sim_random(w, 1u << (NODES_MAX + 1)), x, y;

	for (x = 1; x <= w->n_nodes; x++)
		for (y = 1; y <= w->n_nodes; y++)
			w->cut[x][y] = (side >> x & 1) != (side >> y & 1);
	sim_trace(w, "partition %x", side);
}

static void
isolate(struct world *w, const struct node *n)
{
	unsigned x;

	for (x = 1; x <= w->n_nodes; x++)
		w->cut[n->id][x] = w->cut[x][n->id] = true;
	sim_trace(w, "isolate n%u", n->id);
}

static void
transfer(struct world *w, const struct node *to)
{
	unsigned i;

	for (i = 1; i <= w->n_nodes; i++) {
		struct node *n = &w->nodes[i];

		if (!sim_leads(n))
			continue;
		mt_driver_transfer(n->d, sim_random(w, 3) ? to->id : 0);
		sim_after(n);
	}
}

/* The next role of a server: -1 is none. */
static int
next_role(struct world *w, int role)
{
	if (w->o->mode == RAFTSIM_MEMBERSHIP) {
		if (role == -1 || role == MT_SERVER_SPARE)
			return MT_SERVER_STANDBY;
		if (role == MT_SERVER_STANDBY)
			return sim_random(w, 5) ? MT_SERVER_VOTER : -1;
	} else if (role == -1) {
		return sim_random(w, 3) ? MT_SERVER_STANDBY : MT_SERVER_VOTER;
	} else if (role != MT_SERVER_VOTER) {
		return sim_random(w, 5) ? MT_SERVER_VOTER : -1;
	}
	if (sim_random(w, 2))
		return -1;
	return sim_random(w, 2) ? MT_SERVER_SPARE : MT_SERVER_STANDBY;
}

static void
change_one(struct world *w, struct node *leader)
{
	struct mt_configuration c = *mt_driver_configuration(leader->d);
	unsigned id = 1 + sim_random(w, w->n_nodes), k;
	int role = -1, next;

	for (k = 0; k < c.n && c.servers[k].id != id; k++)
		;
	if (k < c.n)
		role = (int)c.servers[k].role;
	if (role == MT_SERVER_STANDBY &&
	    (w->o->mode == RAFTSIM_MEMBERSHIP
		 ? mt_driver_catch_up_status(leader->d, id) !=
		       MT_CATCH_UP_FINISHED
		 : sim_random(w, 2) == 0)) {
		mt_driver_catch_up(leader->d, id);
		sim_after(leader);
		return;
	}
	next = next_role(w, role);
	if (role == MT_SERVER_VOTER && mt_configuration_voters(&c) == 1)
		return;
	if (role == -1) {
		c.n++;
		c.servers[k].id = id;
		mt_format(c.servers[k].address, sizeof c.servers[k].address,
			  "n%u", id);
	}
	if (next == -1)
		c.servers[k] = c.servers[--c.n];
	else
		c.servers[k].role = (enum mt_server_role)next;
	sim_trace(w, "n%u changes n%u: %d to %d", leader->id, id, role, next);
	w->r->changes++;
	mt_driver_change(leader->d, &c, 0);
	sim_after(leader);
}

static void
change(struct world *w)
{
	unsigned i;

	for (i = 1; i <= w->n_nodes; i++)
		if (sim_leads(&w->nodes[i]))
			change_one(w, &w->nodes[i]);
}

static void
boot_some(struct world *w)
{
	unsigned i;

	for (i = 1; i <= w->n_nodes; i++)
		if (w->nodes[i].d == NULL && sim_random(w, 2))
			sim_boot(&w->nodes[i]);
}

void
nemesis_step(struct world *w)
{
	unsigned what = sim_random(w, 100);
	struct node *n = any_node(w);

	if (what < 40) {
		load(w);
	} else if (what < 46) {
		sim_crash(n);
		if (sim_random(w, 3) == 0)
			sim_boot(n);
	} else if (what < 58) {
		boot_some(w);
	} else if (what < 63) {
		partition(w);
	} else if (what < 66) {
		w->cut[n->id][1 + sim_random(w, w->n_nodes)] ^= true;
	} else if (what < 69) {
		isolate(w, n);
	} else if (what < 78) {
		memset(w->cut, 0, sizeof w->cut);
		sim_trace(w, "heal");
	} else if (what < 81) {
		transfer(w, n);
	} else if (what < 91 && w->o->mode != RAFTSIM_STATIC) {
		change(w);
	}
	sim_until(w, w->now_ms + (sim_random(w, 3)
				      ? sim_random(w, 20)
				      : sim_random(w, 3 * ELECTION_MS)));
}

void
nemesis_heal(struct world *w)
{
	uint64_t base;
	unsigned i, round;

	memset(w->cut, 0, sizeof w->cut);
	w->loss_percent = 0;
	w->healed = true;
	sim_trace(w, "heal for good");
	for (i = 1; i <= w->n_nodes; i++)
		sim_boot(&w->nodes[i]);
	sim_until(w, w->now_ms + 40 * ELECTION_MS);
	base = w->committed;
	for (round = 0; round < HEAL_ROUNDS && !check_failed(w); round++) {
		load(w);
		sim_until(w, w->now_ms + 2 * ELECTION_MS);
		if (w->committed > base + 2)
			return;
	}
	if (check_failed(w))
		return;
	w->r->verdict = RAFTSIM_STUCK;
	mt_format(w->r->why, sizeof w->r->why,
		  "liveness: nothing was committed after %llu",
		  (unsigned long long)w->committed);
}
