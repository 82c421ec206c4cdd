/* SPDX-License-Identifier: PostgreSQL */
/*
 * What happens in a run: the cluster's shape and the faults, drawn from the
 * seed. Faults for some seconds, then everything is healed, and the cluster has
 * to work again within a bound.
 */
#include "test/sim/sim.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

#define CONVERGE_US (60 * SIM_S)
#define STABLE_US (1 * SIM_S)
#define ORDERLY_MS 3000 /* after SIGTERM */
#define SLOW_MS 10000
#define SYNC_MS 8000 /* names ahead, a fence, one more try */
#define LOSS_MS 2500 /* beyond the promises, until another serves */

/* ---- drawing ---------------------------------------------------------- */

enum fault {
	F_ISOLATE,
	F_LINK,
	F_SPLIT,
	F_CLASS,
	F_STORM,
	F_LOSS,
	F_HEAL,
	F_KILL,
	F_CRASH,
	F_FREEZE,
	F_PG,
	F_TERMINATE,
	F_SWITCHOVER,
	F_TTL,
	F_DISK,
	F_TRANSFER,
	F_RATE,
	F_FENCE,
	F_REASSIGN,
	F_SYNC,
	F_WIPE,
	F_PAUSE, /* begins it, or ends it */
	FAULTS,
};

/* What kind of trouble a seed has; FAULTS columns. */
static const uint8_t profiles[][FAULTS] = {
    /* is li sp cl st lo he ki cr fr pg te sw tt di tr ra fe re sy wi */
    {3, 3, 3, 3, 2, 1, 3, 3, 2, 3, 3, 1, 1, 1, 2, 1, 1, 2, 1, 1, 1},
    {6, 4, 4, 4, 3, 2, 4, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 2, 1, 1, 0},
    {0, 0, 0, 0, 0, 0, 1, 5, 4, 4, 4, 2, 1, 1, 2, 1, 0, 1, 1, 1, 2},
    {2, 2, 1, 6, 4, 1, 2, 4, 1, 3, 1, 0, 0, 2, 0, 0, 2, 4, 4, 2, 0},
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 5, 1, 0, 1, 1, 0, 0, 3, 0},
    {1, 1, 1, 1, 1, 1, 2, 2, 1, 2, 2, 1, 1, 1, 6, 2, 1, 2, 1, 1, 1},
    {2, 5, 2, 6, 1, 0, 2, 6, 1, 1, 1, 0, 3, 2, 1, 1, 1, 3, 3, 2, 0},
    {4, 3, 2, 8, 1, 0, 3, 2, 3, 2, 3, 1, 1, 0, 0, 1, 0, 2, 1, 8, 1},
};

static void
draw_shape(struct sim *w, struct setup *s)
{
	static const uint8_t shapes[][2] = {
	    {3, 2}, {3, 2}, {3, 2}, {3, 2}, {3, 3}, {3, 3}, {3, 3},
	    {3, 3}, {3, 3}, {5, 3}, {5, 5}, {1, 1}, {2, 2}, {4, 3},
	};
	const uint8_t *shape =
	    shapes[sim_between(w, 0, (int64_t)MT_COUNT(shapes) - 1)];

	s->n = shape[0];
	s->n_data = shape[1];
}

void
schedule_draw(struct sim *w)
{
	struct setup *s = &w->setup;
	const uint8_t *profile =
	    profiles[sim_between(w, 0, (int64_t)MT_COUNT(profiles) - 1)];

	if (w->options.schedule != NULL) {
		scenario_setup(w, w->options.schedule);
		return;
	}
	draw_shape(w, s);
	s->ttl_s = (int)(sim_chance(w, 50) ? sim_between(w, 2, 4)
					   : sim_between(w, 2, 10));
	s->loop_wait_s = (int)sim_between(w, 1, 10);
	s->rewind = sim_chance(w, 70);
	s->start_in_place = sim_chance(w, 70);
	s->snapshot_threshold =
	    sim_chance(w, 70) ? 1024 : (unsigned)sim_between(w, 1, 8);
	s->faults_until_us = sim_between(w, 6 * SIM_S, 22 * SIM_S);
	s->fault_every_us = sim_chance(w, 40)
				? sim_between(w, 60 * SIM_MS, 700 * SIM_MS)
				: sim_between(w, 700 * SIM_MS, 4 * SIM_S);
	s->digests = sim_chance(w, 12);
	s->slow_pg = sim_chance(w, 20);
	for (int i = 0; i < FAULTS; i++)
		s->weights[i] = profile[i];
	schedule_draw_sync(w, s);
	if (!s->sync)
		s->weights[F_SYNC] = s->weights[F_WIPE] = 0;
	/* Not drawn: the other seeds stay as they were. */
	if (w->options.seed % 4 == 3)
		s->weights[F_PAUSE] = 3;
}

static void
draw_clocks(struct sim *w)
{
	bool extremes = sim_chance(w, 40);

	for (int i = 0; i < w->n; i++)
		node_set_rate(&w->nodes[i],
			      extremes ? sim_chance(w, 50) ? 990000 : 1010000
				       : sim_between(w, 990000, 1010000));
}

/* ---- faults ----------------------------------------------------------- */

static struct node *
any_node(struct sim *w)
{
	return &w->nodes[sim_between(w, 0, w->n - 1)];
}

/* More often than not the one that matters most. */
static struct node *
some_node(struct sim *w)
{
	struct node *n = any_node(w);

	if (sim_chance(w, 50))
		return n;
	for (int i = 0; i < w->n; i++)
		if (w->nodes[i].pg.as_primary)
			return &w->nodes[i];
	return n;
}

static struct node *
leader(struct sim *w)
{
	for (int i = 0; i < w->n; i++) {
		struct node *n = &w->nodes[i];

		if (n->alive && !n->frozen &&
		    mt_driver_is_ready_leader(n->driver))
			return n;
	}
	return NULL;
}

static void
fault_class(struct sim *w)
{
	static const unsigned classes[] = {
	    CLASS_SUPPORT,
	    CLASS_FENCE,
	    CLASS_REPORT,
	    CLASS_RAFT | CLASS_PROPOSE,
	    CLASS_PROPOSE,
	    CLASS_PG,
	    CLASS_REPORT | CLASS_RAFT | CLASS_PROPOSE,
	    CLASS_ALL & ~(unsigned)CLASS_PG,
	};
	unsigned class =
	    classes[sim_between(w, 0, (int64_t)MT_COUNT(classes) - 1)];
	struct node *n = some_node(w);
	int to = any_node(w)->i;
	bool hold = sim_chance(w, 40);

	if (sim_chance(w, 50))
		net_isolate(w, n->i, class, hold);
	else
		net_block(w, n->i, to, class, hold);
}

static void
fault_split(struct sim *w)
{
	unsigned side = (unsigned)sim_between(w, 1, (1 << w->n) - 2);
	bool hold = sim_chance(w, 40);

	for (int i = 0; i < w->n; i++)
		for (int k = 0; k < w->n; k++)
			if (((side >> i) & 1) != ((side >> k) & 1))
				net_block(w, i, k, CLASS_ALL, hold);
}

static void
fault_storm(struct sim *w)
{
	static const unsigned classes[] = {
	    CLASS_ALL,
	    CLASS_SUPPORT,
	    CLASS_SUPPORT | CLASS_FENCE,
	    CLASS_RAFT,
	};
	unsigned class =
	    classes[sim_between(w, 0, (int64_t)MT_COUNT(classes) - 1)];
	int64_t extra_us = sim_between(w, 10 * SIM_MS, 3 * SIM_S);
	int only = sim_chance(w, 50) ? any_node(w)->i : -1;

	for (int i = 0; i < w->n; i++)
		for (int k = 0; k < w->n; k++)
			if (only < 0 || i == only || k == only) {
				w->net.links[i][k].extra_us = extra_us;
				w->net.links[i][k].extra_classes = class;
			}
	TRACE(w, NULL, "delays up to %" PRId64 " ms, classes %x",
	      extra_us / 1000, class);
}

static void
fault_disk(struct sim *w)
{
	struct node *n = any_node(w);

	n->slow_us =
	    sim_chance(w, 50) ? 0 : sim_between(w, 5 * SIM_MS, 2 * SIM_S);
	n->write_fails = sim_chance(w, 20);
	TRACE(w, n, "each write takes %" PRId64 " ms more%s", n->slow_us / 1000,
	      n->write_fails ? " and fails" : "");
}

static bool
is_paused(const struct node *n)
{
	return json_is_true(json_object_get(n->state->config, "pause"));
}

void
sim_pause(struct node *n, bool pause)
{
	static struct mt_command c;
	json_t *config = json_copy(n->state->config);

	if (pause)
		json_object_set_new(config, "pause", json_true());
	else
		json_object_del(config, "pause");
	c.kind = MT_CMD_CONFIG_PUT;
	c.u.config_put.expect_version = n->state->config_version;
	c.u.config_put.config = config;
	node_propose(n, &c);
	json_decref(config);
}

static void
fault_command(struct sim *w, enum fault f)
{
	static struct mt_command c;
	struct node *n = any_node(w);
	json_t *config = NULL;

	if (!n->alive || n->frozen || n->state->leader.epoch == 0)
		return;
	memset(&c, 0, sizeof(c));
	if (f == F_SWITCHOVER) {
		c.kind = MT_CMD_REQUEST_PUT;
		c.u.request_put.kind = MT_REQUEST_SWITCHOVER;
		mt_copy(c.u.request_put.leader, MT_NAME_MAX,
			n->state->leader.holder);
		if (sim_chance(w, 50))
			mt_copy(c.u.request_put.candidate, MT_NAME_MAX,
				w->nodes[sim_between(w, 0, w->setup.n_data - 1)]
				    .name);
		/* No draw: older seeds keep their schedules. */
		if (c.u.request_put.candidate[0] != '\0' &&
		    n->state->index % 2 == 0) {
			c.u.request_put.kind = MT_REQUEST_FAILOVER;
			c.u.request_put.leader[0] = '\0';
			c.u.request_put.accept_loss = n->state->index % 4 == 0;
		}
	} else if (f == F_TTL || f == F_SYNC) {
		config = json_copy(n->state->config);
		if (f == F_TTL)
			json_object_set_new(
			    config, "ttl", json_integer(sim_between(w, 2, 10)));
		else
			schedule_change_sync(w, config);
		c.kind = MT_CMD_CONFIG_PUT;
		c.u.config_put.expect_version = n->state->config_version;
		c.u.config_put.config = config;
	} else if (f == F_PAUSE) {
		sim_pause(n, !is_paused(n));
		return;
	} else {
		c.kind = MT_CMD_LEADER_ASSIGN;
		c.u.assign.expect_epoch = n->state->leader.epoch;
		mt_copy(c.u.assign.holder, MT_NAME_MAX,
			n->state->leader.holder);
		c.u.assign.ttl_ms = n->state->leader.ttl_ms;
		c.u.assign.continues = true;
		mt_copy(c.u.assign.decision.rule, MT_RULE_MAX, "schedule");
	}
	node_propose(n, &c);
	json_decref(config);
}

/* A controller that has not heard the holder, though others have. */
static void
fault_fence(struct sim *w)
{
	struct node *n = leader(w);
	struct mt_voters voters;
	struct mt_fence_req req;

	if (n == NULL || n->state->leader.epoch == 0)
		return;
	raft_voters(mt_driver_committed_configuration(n->driver), &voters);
	req = (struct mt_fence_req){
	    .raft_id = n->raft_id,
	    .incarnation = n->record.incarnation,
	    .epoch = n->state->leader.epoch,
	    .term = mt_driver_term(n->driver),
	};
	TRACE(w, n, "fences without need");
	mt_keep_fence(&n->keep, &voters, &req, req.term, node_now_ms(n));
	n->dirty = true;
}

static void
fault_end(struct sim *w, enum fault f)
{
	struct node *n = some_node(w);
	int64_t down_us = sim_chance(w, 50)
			      ? sim_between(w, 20 * SIM_MS, 500 * SIM_MS)
			      : sim_between(w, 500 * SIM_MS, 8 * SIM_S);

	if (f == F_KILL)
		node_kill(n);
	else if (f == F_CRASH)
		node_crash(n);
	else
		node_terminate(n);
	if (f != F_TERMINATE && !n->booting)
		node_boot_in(n, down_us);
}

static void
inject(struct sim *w, enum fault f)
{
	struct node *n = some_node(w);

	w->stats.faults++;
	switch (f) {
	case F_ISOLATE:
		net_isolate(w, n->i, CLASS_ALL, sim_chance(w, 40));
		break;
	case F_LINK:
		net_block(w, n->i, any_node(w)->i, CLASS_ALL,
			  sim_chance(w, 40));
		break;
	case F_SPLIT:
		if (w->n > 1)
			fault_split(w);
		break;
	case F_CLASS:
		fault_class(w);
		break;
	case F_STORM:
		fault_storm(w);
		break;
	case F_LOSS:
		w->net.loss_percent = (int)sim_between(w, 0, 60);
		w->net.twice_percent = (int)sim_between(w, 0, 30);
		break;
	case F_HEAL:
		net_heal_all(w);
		break;
	case F_KILL:
	case F_CRASH:
	case F_TERMINATE:
		fault_end(w, f);
		break;
	case F_FREEZE:
		node_freeze(
		    n, sim_between(w, 10 * SIM_MS, 3 * w->setup.ttl_s * SIM_S));
		break;
	case F_PG:
		pg_die(n, "killed");
		break;
	case F_SWITCHOVER:
	case F_TTL:
	case F_REASSIGN:
	case F_SYNC:
	case F_PAUSE:
		fault_command(w, f);
		break;
	case F_WIPE:
		schedule_wipe(w, n);
		break;
	case F_DISK:
		fault_disk(w);
		break;
	case F_TRANSFER:
		n = leader(w);
		if (n != NULL)
			mt_driver_transfer(n->driver, any_node(w)->raft_id);
		break;
	case F_RATE:
		draw_clocks(w);
		break;
	case F_FENCE:
		fault_fence(w);
		break;
	case FAULTS:
		break;
	}
}

static void
boot_the_dead(struct sim *w, int64_t least_us, int64_t most_us)
{
	for (int i = 0; i < w->n; i++)
		if (!w->nodes[i].alive && !w->nodes[i].booting &&
		    !w->nodes[i].absent)
			node_boot_in(&w->nodes[i],
				     sim_between(w, least_us, most_us));
}

static void
next_fault(struct sim *w)
{
	sim_push(w, w->now_us + sim_between(w, 0, 2 * w->setup.fault_every_us),
		 EV_FAULT, -1, 0, 0, 0, NULL);
}

void
schedule_fault(struct sim *w)
{
	int sum = 0, pick, f = 0;

	if (w->now_us >= w->setup.faults_until_us)
		return;
	for (int i = 0; i < FAULTS; i++)
		sum += w->setup.weights[i];
	pick = (int)sim_between(w, 0, sum - 1);
	while (pick >= w->setup.weights[f])
		pick -= w->setup.weights[f++];
	if (sim_chance(w, 25))
		net_heal_all(w);
	boot_the_dead(w, 10 * SIM_MS, 3 * SIM_S);
	inject(w, (enum fault)f);
	next_fault(w);
}

/* ---- a run ------------------------------------------------------------ */

void
schedule_heal(struct sim *w)
{
	TRACE(w, NULL, "all is healed");
	net_heal_all(w);
	w->net.loss_percent = w->net.twice_percent = 0;
	for (int i = 0; i < w->n; i++) {
		struct node *n = &w->nodes[i];

		n->slow_us = 0;
		n->write_fails = false;
		if (n->frozen)
			sim_push(w, w->now_us, EV_THAW, i, n->life, 0, 0, NULL);
	}
}

void
schedule_form(struct sim *w)
{
	const char *addresses[SIM_NODES_MAX];
	uint64_t ids[SIM_NODES_MAX];
	char names[SIM_NODES_MAX][24];
	struct mt_err err;
	unsigned n = 0;

	for (int i = 0; i < w->n; i++) {
		if (w->nodes[i].spare)
			continue;
		mt_format(names[i], sizeof(names[i]), "10.0.0.%d:2380", i + 1);
		addresses[n] = names[i];
		ids[n++] = w->nodes[i].raft_id;
	}
	for (int i = 0; i < w->n; i++)
		if (!w->nodes[i].spare &&
		    mt_image_bootstrap(&w->nodes[i].disk, ids, addresses, n,
				       &err) != 0)
			sim_fail(w, "%s", err.text);
}

/* A paused cluster does nothing by itself: the operator ends it. */
static void
end_pause(struct sim *w)
{
	for (int i = 0; i < w->n; i++) {
		struct node *n = &w->nodes[i];

		if (n->alive && !n->frozen && is_paused(n)) {
			sim_pause(n, false);
			return;
		}
	}
}

/* Within the bound, and so for a while. */
static void
converge(struct sim *w)
{
	int64_t begin_us = w->now_us, since_us = 0;

	while (!w->failed && w->now_us - begin_us < CONVERGE_US) {
		boot_the_dead(w, 10 * SIM_MS, 500 * SIM_MS);
		end_pause(w);
		sim_run_to(w, w->now_us + 100 * SIM_MS);
		if (!check_converged(w, 0))
			since_us = 0;
		else if (since_us == 0)
			since_us = w->now_us;
		else if (w->now_us - since_us >= STABLE_US)
			break;
	}
	if (since_us == 0 && check_sync_hopeless(w)) {
		w->stats.hopeless++;
		return;
	}
	w->stats.converge_us = w->now_us - begin_us;
	if (!w->failed && since_us == 0 && !w->options.lease_only)
		sim_fail(w, "does not work again %d s after all was healed",
			 (int)(CONVERGE_US / SIM_S));
}

static bool
another_serves(struct sim *w, int gone)
{
	for (int i = 0; i < w->n; i++)
		if (i != gone && w->nodes[i].pg.writable &&
		    w->nodes[i].slots_ready)
			return true;
	return false;
}

/* With all well, one machine goes away: the rest must do without. */
static void
lose_one(struct sim *w)
{
	struct node *n = some_node(w);
	int64_t limit_ms = 0;

	if (w->n < 3 || w->failed || check_sync_hopeless(w))
		return;
	/* A voter that restarted lately holds the most that it may have
	 * promised; the rest are an election, some messages, a promotion. */
	for (int i = 0; i < w->n; i++)
		if (limit_ms < w->nodes[i].record.max_ttl_ms)
			limit_ms = w->nodes[i].record.max_ttl_ms;
	limit_ms += limit_ms * 2 / 100 + LOSS_MS;
	n->absent = true;
	if (sim_chance(w, 60)) {
		node_crash(n);
	} else {
		node_terminate(n);
		/* No promise is waited for. */
		limit_ms = ORDERLY_MS;
	}
	if (w->setup.sync)
		limit_ms += SYNC_MS;
	if (w->setup.slow_pg) /* to stop, to be promoted */
		limit_ms += SLOW_MS;
	if (!sim_run_until(w, another_serves, n->i, limit_ms * SIM_MS) &&
	    !w->failed && !w->options.lease_only && !check_sync_hopeless(w))
		sim_fail(w, "no primary %d ms after %s was lost", (int)limit_ms,
			 n->name);
	n->absent = false;
	converge(w);
}

void
schedule_run(struct sim *w)
{
	schedule_form(w);
	TRACE(w, NULL, "%d nodes, %d with data, ttl %d s%s", w->n,
	      w->setup.n_data, w->setup.ttl_s,
	      w->setup.rewind ? ", pg_rewind" : "");
	w->setup.faults_until_us += w->now_us;
	draw_clocks(w);
	for (int i = 0; i < w->n; i++)
		node_boot_in(&w->nodes[i], sim_between(w, 0, 400 * SIM_MS));
	if (sim_chance(w, 60))
		sim_run_until(w, check_converged, 0, 8 * SIM_S);
	next_fault(w);
	sim_run_to(w, w->setup.faults_until_us);
	schedule_heal(w);
	converge(w);
	if (sim_chance(w, 40))
		lose_one(w);
	if (schedule_lose_set(w))
		converge(w);
}
