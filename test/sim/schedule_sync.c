/* SPDX-License-Identifier: PostgreSQL */
/*
 * The part of synchronous replication in what a seed draws: the mode at the
 * beginning, its changes at bad moments, late news, and data that goes back.
 */
#include "test/sim/sim.h"

#include <string.h>

#include "base/text.h"

/* So long the one that was named may take, however long the promises. */
#define LOST_US (60 * SIM_S)

void
schedule_draw_sync(struct sim *w, struct setup *s)
{
	static const int late_ms[] = {0, 0, 60, 600, 3000};

	s->sync = s->n_data > 1 && sim_chance(w, 75);
	if (!s->sync)
		return;
	s->sync_mode = sim_chance(w, 20)   ? MT_SYNC_OFF
		       : sim_chance(w, 50) ? MT_SYNC_ON
					   : MT_SYNC_QUORUM;
	s->sync_count = (int)sim_between(w, 1, 2);
	/* Not drawn: the other seeds stay as they were. */
	s->sync_strict = w->options.seed % 5 == 2;
	s->sync_priorities = w->options.seed % 7 >= 5;
	s->sync_lag = w->options.seed % 3 == 1 ? 20000 : -1;
	s->lag_us =
	    late_ms[sim_between(w, 0, (int64_t)MT_COUNT(late_ms) - 1)] * SIM_MS;
	s->late_us =
	    late_ms[sim_between(w, 0, (int64_t)MT_COUNT(late_ms) - 1)] * SIM_MS;
}

int
sim_sync_priority(const struct sim *w, int node)
{
	return w->setup.sync_priorities
		   ? 1 + (int)((w->options.seed / 7 + (uint64_t)node * 2) % 3)
		   : 1;
}

void
schedule_change_sync(struct sim *w, json_t *config)
{
	static const char *const modes[] = {"off", "on", "quorum"};

	if (sim_chance(w, 70))
		json_object_set_new(
		    config, "synchronous_mode",
		    json_string(modes[(sim_between(w, 0, 6) + 2) / 3]));
	if (sim_chance(w, 60))
		json_object_set_new(config, "synchronous_node_count",
				    json_integer(sim_between(w, 1, 2)));
	if (w->setup.sync_strict)
		json_object_set_new(config, "synchronous_mode_strict",
				    json_boolean(w->config_version % 3 != 2));
}

/* A machine comes back with an empty disk for PostgreSQL, or with an earlier
 * copy of its data. Not where so much is lost by it that nobody could take over
 * any more. */
void
schedule_wipe(struct sim *w, struct node *n)
{
	int left = 0, needed = w->sync.n - w->sync.k + 1;

	for (int i = 0; i < w->setup.n_data; i++)
		if (i != n->i && w->nodes[i].pg.data != MT_DATA_PRESENT)
			return;
	for (int i = 0; i < w->sync.n; i++)
		for (int k = 0; k < w->n; k++)
			if (k != n->i &&
			    strcmp(w->nodes[k].name,
				   w->sync.standbys[i].name) == 0 &&
			    w->nodes[k].pg.data_id ==
				w->sync.standbys[i].data_id)
				left++;
	for (int i = 0; i < w->setup.n_data; i++)
		if (i != n->i && w->nodes[i].pg.writable)
			left = needed; /* it is there to take this one out */
	if (w->leader.epoch == 0 || n->witness ||
	    (w->sync.k > 0 && left < needed))
		return;
	w->stats.wipes++;
	node_crash(n);
	if (n->pg.data == MT_DATA_PRESENT && sim_chance(w, 60)) {
		TRACE(w, n, "its data is that of a backup");
		pg_restore(n, (uint64_t)sim_between(w, 0, 60000));
	} else {
		TRACE(w, n, "its data is gone");
		pg_wipe(n, MT_DATA_EMPTY);
	}
	if (!n->booting)
		node_boot_in(n, sim_between(w, 20 * SIM_MS, 5 * SIM_S));
}

static bool
serves(struct sim *w, int i)
{
	return w->failed ||
	       (w->nodes[i].pg.writable && w->nodes[i].slots_ready);
}

/* Bits of the nodes that have to go; 0: a majority could not stay. */
static unsigned
needed_losses(const struct sim *w)
{
	int heard = w->sync.n, n = 0;
	unsigned lost = 0;

	for (int i = 0; i < w->setup.n_data; i++) {
		bool in = mt_sync_find(&w->sync, w->nodes[i].name) >= 0;

		if (w->nodes[i].pg.writable ||
		    (in && heard > w->sync.n - w->sync.k)) {
			lost |= 1u << i;
			heard -= in ? 1 : 0;
			n++;
		}
	}
	return n < w->setup.n_data && 2 * (w->n - n) > w->n ? lost : 0;
}

/* On whichever node, until it is in the log. */
static void
accept_loss(struct sim *w, int to)
{
	static struct mt_command c;
	uint64_t epoch = w->leader.epoch;

	memset(&c, 0, sizeof(c));
	c.kind = MT_CMD_REQUEST_PUT;
	c.u.request_put.kind = MT_REQUEST_FAILOVER;
	c.u.request_put.accept_loss = true;
	mt_copy(c.u.request_put.candidate, MT_NAME_MAX, w->nodes[to].name);
	for (int tries = 0; tries < 20 && !w->failed; tries++) {
		if (w->leader.epoch != epoch ||
		    w->request.kind != MT_REQUEST_NONE)
			return;
		TRACE(w, &w->nodes[to], "is asked for, with its loss");
		node_propose(&w->nodes[to], &c);
		sim_run_to(w, w->now_us + 2 * SIM_S);
	}
}

bool
schedule_lose_set(struct sim *w)
{
	unsigned lost;
	bool judged;
	int to = 0;

	/* Not drawn: the other seeds stay as they were. */
	if (w->failed || w->setup.members || w->options.seed % 2 != 0 ||
	    w->sync.k == 0 || w->stats.wipes > 0)
		return false;
	lost = needed_losses(w);
	if (lost == 0)
		return false;
	for (int i = 0; i < w->n; i++) {
		struct node *n = &w->nodes[i];

		n->absent = (lost >> i & 1) != 0;
		if (n->absent)
			node_crash(n);
	}
	while (w->nodes[to].absent)
		to++;
	sim_run_to(w, w->now_us + sim_between(w, 0, 10 * SIM_S));
	accept_loss(w, to);
	judged = sim_left_us(w) >= LOST_US;
	if (!sim_run_until(w, serves, to, LOST_US) && judged &&
	    !w->options.lease_only)
		sim_fail(w, "%s does not serve, though the loss was accepted",
			 w->nodes[to].name);
	for (int i = 0; i < w->n; i++)
		w->nodes[i].absent = false;
	return true;
}
