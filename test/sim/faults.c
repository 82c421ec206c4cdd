/* SPDX-License-Identifier: PostgreSQL */
/*
 * The faults: what each of them does to the network, to nodes, disks, clocks
 * and PostgreSQL, and what operators do at bad moments. Each draws from numbers
 * of its own (schedule.c), so that a run without some of them is the same up to
 * where they would have been.
 */
#include "test/sim/sim.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "test/sim/faults.h"
#include "test/sim/members.h"

static struct node *
any_node(struct sim *w)
{
	return &w->nodes[sim_between(w, 0, w->n - 1)];
}

struct node *
fault_some_node(struct sim *w)
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

static const char *const names[] = {
    [F_ISOLATE] = "isolate",
    [F_LINK] = "link",
    [F_SPLIT] = "split",
    [F_CLASS] = "class",
    [F_STORM] = "storm",
    [F_LOSS] = "loss",
    [F_HEAL] = "heal",
    [F_KILL] = "kill",
    [F_CRASH] = "crash",
    [F_FREEZE] = "freeze",
    [F_PG] = "postgres",
    [F_TERMINATE] = "terminate",
    [F_SWITCHOVER] = "switchover",
    [F_TTL] = "ttl",
    [F_DISK] = "disk",
    [F_TRANSFER] = "transfer",
    [F_RATE] = "rate",
    [F_FENCE] = "fence",
    [F_REASSIGN] = "reassign",
    [F_SYNC] = "sync",
    [F_WIPE] = "wipe",
    [F_PAUSE] = "pause",
    [F_ONE_WAY] = "one way",
    [F_SENTINEL] = "sentinel",
    [F_SLEEP] = "sleep",
    [F_HANG] = "hang",
    [F_MEMBER] = "member",
    [F_ERRAND] = "errand",
};

const char *
fault_name(enum fault f)
{
	return names[f];
}

void
fault_draw_clocks(struct sim *w)
{
	bool extremes = sim_chance(w, 40);
	int64_t slow = 1000000 - INT64_C(10000) * w->options.drift_percent;
	int64_t fast = 1000000 + INT64_C(10000) * w->options.drift_percent;

	for (int i = 0; i < w->n; i++)
		node_set_rate(&w->nodes[i],
			      extremes ? sim_chance(w, 50) ? slow : fast
				       : sim_between(w, slow, fast));
}

void
fault_boot_the_dead(struct sim *w, int64_t least_us, int64_t most_us)
{
	for (int i = 0; i < w->n; i++)
		if (!w->nodes[i].alive && !w->nodes[i].booting &&
		    !w->nodes[i].absent)
			node_boot_in(&w->nodes[i],
				     sim_between(w, least_us, most_us));
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
	    CLASS_REPORT | CLASS_PROBE, /* suspected, but well */
	    CLASS_REPORT | CLASS_PROBE | CLASS_FENCE,
	};
	unsigned class =
	    classes[sim_between(w, 0, (int64_t)MT_COUNT(classes) - 1)];
	struct node *n = fault_some_node(w);
	int to = any_node(w)->i;
	bool hold = sim_chance(w, 40);

	if (sim_chance(w, 50))
		net_isolate(w, n->i, class, hold);
	else
		net_block(w, n->i, to, class, hold);
}

void
fault_one_way(struct sim *w, int node, bool deaf, bool hold)
{
	for (int i = 0; i < w->n; i++)
		if (i != node)
			net_block(w, deaf ? i : node, deaf ? node : i,
				  CLASS_ALL, hold);
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

bool
fault_is_paused(const struct node *n)
{
	return json_is_true(json_object_get(n->state->config, "pause"));
}

/* Everybody's API knows who asks. */
static void
ask(struct mt_origin *by)
{
	mt_copy(by->who, sizeof(by->who), "sim");
	mt_copy(by->from, sizeof(by->from), "::1");
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
	ask(&c.u.config_put.by);
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
		ask(&c.u.request_put.by);
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
		} else if (n->state->index % 5 == 0) {
			c.u.request_put.scheduled_ms =
			    (w->now_us + sim_between(w, 0, 6 * SIM_S)) / SIM_MS;
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
		ask(&c.u.config_put.by);
	} else if (f == F_PAUSE) {
		sim_pause(n, !fault_is_paused(n));
		return;
	} else {
		c.kind = MT_CMD_LEADER_ASSIGN;
		c.u.assign.expect_epoch = n->state->leader.epoch;
		c.u.assign.ground = MT_GROUND_CONTINUE;
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

/* What is done to a process; on a machine that sleeps nothing can be. */
static bool
is_on_process(enum fault f)
{
	return f == F_KILL || f == F_TERMINATE || f == F_FREEZE || f == F_PG ||
	       f == F_SENTINEL || f == F_HANG || f == F_ERRAND;
}

static void
fault_end(struct sim *w, struct node *n, enum fault f)
{
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

/* When all is healed a seed may not have the time to wait for what lasts. */
static int64_t
until_healed(const struct sim *w, int64_t us)
{
	int64_t left_us = w->setup.faults_until_us - w->now_us;

	return w->end_us != 0 && us > left_us ? left_us : us;
}

void
fault_inject(struct sim *w, enum fault f)
{
	struct node *n = fault_some_node(w);
	int64_t us;

	w->stats.faults++;
	if (node_sleeps(n) && is_on_process(f))
		return;
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
		fault_end(w, n, f);
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
		fault_draw_clocks(w);
		break;
	case F_FENCE:
		fault_fence(w);
		break;
	case F_ONE_WAY:
		fault_one_way(w, n->i, sim_chance(w, 50), sim_chance(w, 40));
		break;
	case F_SENTINEL:
		if (sim_chance(w, 50))
			node_freeze(n, sim_between(w, 10 * SIM_MS, 9 * SIM_S));
		pg_lose_sentinel(n);
		break;
	case F_SLEEP:
		us = sim_between(w, 50 * SIM_MS, 3 * w->setup.ttl_s * SIM_S);
		node_sleep(n, until_healed(w, us));
		break;
	case F_HANG:
		us = sim_between(w, 100 * SIM_MS, 20 * SIM_S);
		pg_hang(n, until_healed(w, us), sim_chance(w, 40));
		break;
	case F_MEMBER:
		members_wish(w);
		break;
	case F_ERRAND:
		errand_ask(w, n);
		break;
	case FAULTS:
		break;
	}
}
