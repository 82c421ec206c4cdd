/* SPDX-License-Identifier: PostgreSQL */
/*
 * The Raft driver of a simulated node, and its disk: an image in memory that
 * holds what was persisted and nothing else.
 *
 * Happy path: a batch is written after a delay, then the driver is told. A
 * crash in between loses the batch, or loses only the news of it.
 *
 * Failure modes: a failed write closes the driver; 500 ms later it is restarted
 * from the disk. A driver that closes by itself for another reason fails the
 * run.
 */
#include "test/sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define REOPEN_US (500 * SIM_MS)

int
sim_node_by_id(const struct sim *w, uint64_t raft_id)
{
	for (int i = 0; i < w->n; i++)
		if (w->nodes[i].raft_id == raft_id)
			return i;
	return -1;
}

int
sim_node_by_name(const struct sim *w, const char *name)
{
	for (int i = 0; i < w->n; i++)
		if (strcmp(w->nodes[i].name, name) == 0)
			return i;
	return -1;
}

void
raft_voters(const struct mt_configuration *c, struct mt_voters *v)
{
	memset(v, 0, sizeof(*v));
	v->index = c->index;
	v->term = c->term;
	for (unsigned i = 0; i < c->n; i++)
		if (c->servers[i].role == MT_SERVER_VOTER)
			v->raft_id[v->n++] = c->servers[i].id;
}

/* ---- hooks ------------------------------------------------------------ */

static uint64_t
on_now_ms(void *arg)
{
	return (uint64_t)node_now_ms(arg);
}

static void
on_persist(void *arg, const struct mt_batch *batch)
{
	struct node *n = arg;
	struct sim *w = n->sim;

	n->batch = batch;
	w->stats.writes++;
	n->log_write_fails = n->write_fails;
	sim_push(w, w->now_us + sim_between(w, 50, 3000) + n->slow_us,
		 EV_LOG_WRITTEN, n->i, n->life, 0, 0, NULL);
}

static void
on_send(void *arg, uint64_t to, const void *p, size_t size)
{
	struct node *n = arg;
	int i = sim_node_by_id(n->sim, to);

	if (i >= 0)
		net_send(n->sim, n->i, i, CLASS_RAFT, 0, p, size);
}

static void
trace_leader(struct node *n, const struct mt_leader *before)
{
	const struct mt_leader *l = &n->state->leader;

	if (l->epoch != before->epoch)
		TRACE(n->sim, n, "applies: epoch %" PRIu64 " is %s's%s",
		      l->epoch, l->holder, l->continues ? ", continued" : "");
	else if (l->released != before->released)
		TRACE(n->sim, n, "applies: epoch %" PRIu64 " is released, %s",
		      l->epoch, l->clean ? "clean" : "not clean");
}

static int
on_apply(void *arg, uint64_t index, uint64_t term, const void *p, size_t size)
{
	struct node *n = arg;
	struct mt_leader before = n->state->leader;
	struct mt_err err = {0};

	(void)mt_state_apply(n->state, index, p, size, &err);
	n->dirty = true;
	if (n->state->unknown_command != 0)
		return MT_EREFUSED;
	trace_leader(n, &before);
	if (n->state->leader.epoch < before.epoch)
		sim_fail(n->sim,
			 "%s: the epoch fell from %" PRIu64 " to %" PRIu64,
			 n->name, before.epoch, n->state->leader.epoch);
	check_applied(n, index, term, p, size);
	return 0;
}

static void
on_config(void *arg, const struct mt_configuration *c, bool committed)
{
	struct node *n = arg;

	TRACE(n->sim, n, "configuration of index %" PRIu64 ", %u voters, %s",
	      c->index, mt_configuration_voters(c),
	      committed ? "committed" : "in the log");
	n->dirty = true;
}

static int
on_snapshot(void *arg, struct mt_blob *out)
{
	struct node *n = arg;
	char *text;

	if (mt_state_save(n->state, &text, &out->n) != 0)
		return MT_ENOMEM;
	out->p = (uint8_t *)text;
	n->sim->stats.snapshots++;
	return 0;
}

static int
on_restore(void *arg, uint64_t index, const void *p, size_t size)
{
	struct node *n = arg;
	struct mt_err err = {0};

	n->dirty = true;
	n->settings_version = 0;
	if (size == 0) {
		mt_state_release(n->state);
		mt_state_init(n->state);
	} else if (mt_state_load(n->state, p, size, &err) != 0) {
		sim_fail(n->sim, "%s: %s", n->name, err.text);
		return MT_EIO;
	}
	check_restored(n, index);
	return 0;
}

static void
on_state(void *arg, enum mt_raft_role role, uint64_t term, uint64_t leader)
{
	static const char *const names[] = {"closed", "follower", "candidate",
					    "leader"};
	struct node *n = arg;

	TRACE(n->sim, n, "raft: %s, term %" PRIu64 ", leader %" PRIu64,
	      names[role], term, leader);
	n->dirty = true;
	if (role == MT_RAFT_LEADER)
		check_leader(n, term);
}

static void
on_submitted(void *arg, uint64_t cookie, int rv, uint64_t index, uint64_t term)
{
	struct node *n = arg;

	(void)index;
	(void)term;
	if (cookie == 1 && rv != 0)
		n->controller_busy = false;
}

static void
on_done(void *arg, uint64_t cookie, enum mt_outcome outcome)
{
	struct node *n = arg;

	(void)outcome;
	if (cookie == 1) {
		n->controller_busy = false;
		n->dirty = true;
	}
}

static void
on_closed(void *arg, bool persist_failed, const struct mt_err *why)
{
	struct node *n = arg;
	struct sim *w = n->sim;

	TRACE(w, n, "raft closed: %s", why->text);
	n->dirty = true;
	if (!persist_failed) {
		sim_fail(w, "%s: raft closed: %s", n->name, why->text);
		return;
	}
	sim_push(w, w->now_us + REOPEN_US, EV_REOPEN, n->i, n->life, 0, 0,
		 NULL);
}

/* ---- life ------------------------------------------------------------- */

void
raft_start(struct node *n)
{
	static const char addresses[SIM_NODES_MAX][16] = {
	    "10.0.0.1:2380", "10.0.0.2:2380", "10.0.0.3:2380",
	    "10.0.0.4:2380", "10.0.0.5:2380",
	};
	struct mt_driver_hooks hooks = {
	    .arg = n,
	    .now_ms = on_now_ms,
	    .persist = on_persist,
	    .send = on_send,
	    .apply = on_apply,
	    .on_config = on_config,
	    .snapshot = on_snapshot,
	    .restore = on_restore,
	    .on_state = on_state,
	    .on_submitted = on_submitted,
	    .on_done = on_done,
	    .on_closed = on_closed,
	};
	struct mt_driver_options o = {
	    .id = n->raft_id,
	    .address = addresses[n->i],
	    .seed = (unsigned)sim_rand(n->sim),
	    .election_ms = 400,
	    .heartbeat_ms = 50,
	    .snapshot_threshold = n->snapshot_threshold,
	    .snapshot_trailing = n->snapshot_threshold / 2,
	    .guards = MT_GUARDS_ALL,
	};
	struct mt_image image;
	struct mt_err err = {0};

	mt_image_copy(&image, &n->disk);
	if (mt_driver_new(&n->driver, &o, &hooks, &image, &err) != 0 ||
	    mt_driver_start(n->driver, &err) != 0)
		sim_fail(n->sim, "%s: raft does not start: %s", n->name,
			 err.text);
	mt_image_release(&image);
}

void
raft_crash(struct node *n)
{
	/* It may have reached the disk, with nobody left to be told. */
	if (n->batch != NULL && !n->log_write_fails && sim_chance(n->sim, 50)) {
		check_batch(n, n->batch);
		mt_image_replay(&n->disk, n->batch);
	}
	n->batch = NULL;
	mt_driver_free(n->driver);
	n->driver = NULL;
}

void
raft_look(struct node *n)
{
	struct mt_driver *d = n->driver;
	uint64_t seen[] = {
	    mt_driver_applied_index(d),
	    mt_driver_term(d),
	    mt_driver_leader(d),
	    (uint64_t)mt_driver_is_ready_leader(d),
	    (uint64_t)mt_driver_is_current(d),
	};
	uint64_t hash = mt_hash(MT_HASH_SEED, seen, sizeof(seen));
	uint64_t next_ms;

	if (hash != n->seen_driver) {
		n->seen_driver = hash;
		n->dirty = true;
	}
	next_ms = mt_driver_next_ms(d);
	if (next_ms != UINT64_MAX)
		node_wake_by(n, (int64_t)next_ms);
}

static void
reopen(struct node *n)
{
	struct mt_image image;
	struct mt_err err = {0};

	if (n->write_fails) {
		sim_push(n->sim, n->sim->now_us + REOPEN_US, EV_REOPEN, n->i,
			 n->life, 0, 0, NULL);
		return;
	}
	mt_image_copy(&image, &n->disk);
	if (mt_driver_restart(n->driver, &image, &err) != 0)
		sim_fail(n->sim, "%s: raft does not restart: %s", n->name,
			 err.text);
	mt_image_release(&image);
}

void
raft_on_event(struct node *n, struct event *e)
{
	struct message *m = e->message;
	const struct mt_batch *batch = n->batch;
	struct mt_err err;

	switch ((int)e->kind) {
	case EV_MESSAGE:
		if (mt_driver_receive(n->driver, n->sim->nodes[m->from].raft_id,
				      m->bytes, m->n, &err) == MT_EPROTO)
			sim_fail(n->sim, "%s: %s", n->name, err.text);
		break;
	case EV_LOG_WRITTEN:
		n->batch = NULL;
		if (n->log_write_fails) {
			n->sim->stats.writes_failed++;
			mt_driver_persisted(n->driver, false);
			break;
		}
		check_batch(n, batch);
		mt_image_replay(&n->disk, batch);
		mt_driver_persisted(n->driver, true);
		break;
	case EV_REOPEN:
		reopen(n);
		break;
	default:
		break;
	}
	raft_look(n);
}
