/* SPDX-License-Identifier: PostgreSQL */
/*
 * The simulated world: a queue of events in virtual time, nodes with a disk
 * each, and a network.
 *
 * Happy path: boot all nodes, let the nemesis work, heal, wait for commits.
 * Everything random comes from the seed, so that a failing run replays.
 *
 * It does not: simulate PostgreSQL, leases or wall clocks.
 */
#include "raftsim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "raftsim_internal.h"

unsigned
sim_random(struct world *w, unsigned below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return below == 0
		   ? 0
		   : (unsigned)((w->random * UINT64_C(2685821657736338717)) >>
				32) %
			 below;
}

void
sim_trace(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->o->trace)
		return;
	printf("%7llu ", (unsigned long long)w->now_ms);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* ---- the queue: a binary heap by time, then age ---- */

static bool
is_before(const struct event *a, const struct event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->seq < b->seq;
}

static void
push(struct world *w, struct event e)
{
	size_t i;

	e.seq = ++w->seq;
	if (w->queue_n == w->queue_cap) {
		w->queue_cap = w->queue_cap == 0 ? 256 : 2 * w->queue_cap;
		w->queue = realloc(w->queue, w->queue_cap * sizeof *w->queue);
		MT_ASSERT(w->queue != NULL);
	}
	for (i = w->queue_n++; i > 0; i = (i - 1) / 2) {
		if (!is_before(&e, &w->queue[(i - 1) / 2]))
			break;
		w->queue[i] = w->queue[(i - 1) / 2];
	}
	w->queue[i] = e;
}

static struct event
pop(struct world *w)
{
	struct event first = w->queue[0], last = w->queue[--w->queue_n];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < w->queue_n) {
		if (child + 1 < w->queue_n &&
		    is_before(&w->queue[child + 1], &w->queue[child]))
			child++;
		if (!is_before(&w->queue[child], &last))
			break;
		w->queue[i] = w->queue[child];
		i = child;
	}
	w->queue[i] = last;
	return first;
}

/* ---- hooks ---- */

static uint64_t
hook_now(void *arg)
{
	struct node *n = arg;

	return n->w->now_ms;
}

static void
end_write(struct node *n, bool ok)
{
	const struct mt_batch *batch = n->writing;

	n->writing = NULL;
	if (ok)
		mt_image_replay(&n->disk, batch);
	mt_driver_persisted(n->d, ok);
}

static void
hook_persist(void *arg, const struct mt_batch *batch)
{
	struct node *n = arg;
	struct world *w = n->w;

	check_batch(n, batch);
	n->writing = batch;
	if (w->disk_ms == 0)
		end_write(n, true);
	else
		push(w, (struct event){.at_ms = w->now_ms + 1 +
						sim_random(w, w->disk_ms),
				       .kind = EVENT_DISK,
				       .node = n->id,
				       .life = n->life});
}

static void
hook_send(void *arg, uint64_t to, const void *p, size_t bytes)
{
	struct node *n = arg;
	struct world *w = n->w;
	int copies;

	if (to < 1 || to > w->n_nodes || w->cut[n->id][to] ||
	    sim_random(w, 100) < w->loss_percent)
		return;
	copies = !w->in_order && sim_random(w, 100) < 3 ? 2 : 1;
	while (copies-- > 0) {
		uint64_t at_ms = w->now_ms + 1 + sim_random(w, w->delay_ms);
		struct event e = {
		    .kind = EVENT_MESSAGE, .node = (unsigned)to, .from = n->id};

		if (w->in_order && at_ms < w->arrival_ms[n->id][to])
			at_ms = w->arrival_ms[n->id][to];
		w->arrival_ms[n->id][to] = at_ms;
		e.at_ms = at_ms;
		mt_blob_set(&e.bytes, p, bytes);
		push(w, e);
	}
}

static int
hook_apply(void *arg, uint64_t index, uint64_t term, const void *p,
	   size_t bytes)
{
	check_apply(arg, index, term, p, bytes);
	return 0;
}

static void
hook_config(void *arg, const struct mt_configuration *c, bool committed)
{
	struct node *n = arg;
	char text[256];
	size_t at = 0;
	unsigned i;

	if (!n->w->o->trace)
		return;
	text[0] = '\0';
	for (i = 0; i < c->n && at + 16 < sizeof text; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, " %llu%c",
				       (unsigned long long)c->servers[i].id,
				       "svp"[c->servers[i].role]);
	sim_trace(n->w, "n%u %s configuration %llu:%s", n->id,
		  committed ? "committed" : "wrote",
		  (unsigned long long)c->index, text);
}

static int
hook_snapshot(void *arg, struct mt_blob *out)
{
	struct node *n = arg;
	uint64_t v[2] = {n->machine, n->applied};

	check_commits(n); /* the entries go now */
	n->w->r->snapshots++;
	mt_blob_set(out, v, sizeof v);
	return 0;
}

static int
hook_restore(void *arg, uint64_t index, const void *p, size_t bytes)
{
	struct node *n = arg;
	uint64_t v[2] = {MT_HASH_SEED, 0};

	if (index > 0) {
		MT_ASSERT(bytes == sizeof v);
		memcpy(v, p, sizeof v);
		n->w->r->installs++;
	}
	n->machine = v[0];
	n->applied = v[1];
	check_restore(n, index);
	return 0;
}

static void
hook_state(void *arg, enum mt_raft_role role, uint64_t term, uint64_t leader)
{
	static const char *const names[] = {"closed", "follower", "candidate",
					    "leader"};
	struct node *n = arg;

	sim_trace(n->w, "n%u %s term %llu of %llu", n->id, names[role],
		  (unsigned long long)term, (unsigned long long)leader);
	if (role == MT_RAFT_LEADER)
		check_leader(n, term);
}

static void
hook_submitted(void *arg, uint64_t cookie, int rv, uint64_t index,
	       uint64_t term)
{
	struct node *n = arg;

	if (cookie != 0 && rv == 0)
		n->w->submits[cookie] = (struct submit){index, term, true};
}

static void
hook_done(void *arg, uint64_t cookie, enum mt_outcome outcome)
{
	if (cookie != 0)
		check_done(arg, cookie, outcome);
}

static void
hook_closed(void *arg, bool persist_failed, const struct mt_err *why)
{
	struct node *n = arg;

	sim_trace(n->w, "n%u closed: %s", n->id, why->text);
	if (!persist_failed)
		check_fail(n->w, "node %u closed: %s", n->id, why->text);
}

/* ---- nodes ---- */

bool
sim_leads(const struct node *n)
{
	return n->d != NULL && mt_driver_role(n->d) == MT_RAFT_LEADER;
}

void
sim_after(struct node *n)
{
	uint64_t at_ms;

	if (n->d == NULL)
		return;
	check_commits(n);
	check_current(n);
	check_configuration(n);
	at_ms = mt_driver_next_ms(n->d);
	if (at_ms == UINT64_MAX)
		return;
	if (at_ms <= n->w->now_ms)
		at_ms = n->w->now_ms + 1;
	if (n->tick_at_ms != 0 && n->tick_at_ms <= at_ms)
		return;
	n->tick_at_ms = at_ms;
	push(n->w, (struct event){.at_ms = at_ms,
				  .kind = EVENT_TICK,
				  .node = n->id,
				  .life = n->life});
}

void
sim_boot(struct node *n)
{
	struct world *w = n->w;
	struct mt_driver_hooks hooks = {
	    n,          hook_now,       hook_persist,  hook_send,
	    hook_apply, hook_config,    hook_snapshot, hook_restore,
	    hook_state, hook_submitted, hook_done,     hook_closed};
	struct mt_driver_options o = {
	    .id = n->id,
	    .address = "sim",
	    .seed = sim_random(w, UINT32_MAX),
	    .election_ms = ELECTION_MS,
	    .heartbeat_ms = HEARTBEAT_MS,
	    .snapshot_threshold = SNAPSHOT_THRESHOLD,
	    .snapshot_trailing = SNAPSHOT_TRAILING,
	    .guards = w->o->guards,
	};
	struct mt_image image;
	struct mt_err err;

	if (n->d != NULL)
		return;
	n->seen_commit = 0;
	n->tick_at_ms = 0;
	n->disk_failed = false;
	mt_image_copy(&image, &n->disk);
	if (mt_driver_new(&n->d, &o, &hooks, &image, &err) != 0 ||
	    mt_driver_start(n->d, &err) != 0) {
		mt_image_release(&image);
		check_fail(w, "node %u does not start: %s", n->id, err.text);
	}
	sim_trace(w, "n%u up, last %llu snapshot %llu", n->id,
		  (unsigned long long)mt_image_last(&n->disk),
		  (unsigned long long)n->disk.snapshot.index);
	sim_after(n);
}

void
sim_crash(struct node *n)
{
	if (n->d == NULL)
		return;
	/* the write under way reached the disk, or it did not */
	if (n->writing != NULL && sim_random(n->w, 2) == 0)
		mt_image_replay(&n->disk, n->writing);
	sim_trace(n->w, "n%u down", n->id);
	n->writing = NULL;
	n->life++;
	mt_driver_free(n->d);
	n->d = NULL;
	n->w->r->crashes++;
}

void
sim_submit(struct node *n)
{
	struct world *w = n->w;
	uint64_t v[3] = {w->seq, w->random, n->id};
	uint64_t cookie = ++w->n_submits;

	if (cookie >= SUBMITS_MAX || n->d == NULL)
		return;
	mt_driver_submit(n->d, v, 1 + sim_random(w, sizeof v), cookie);
	sim_after(n);
}

/* A failed write: the bytes may be there or not; the node goes on later. */
static void
fail_disk(struct node *n)
{
	struct world *w = n->w;

	if (sim_random(w, 2) == 0)
		mt_image_replay(&n->disk, n->writing);
	n->disk_failed = true;
	end_write(n, false);
	push(w, (struct event){.at_ms = w->now_ms + 1 +
					sim_random(w, 5 * ELECTION_MS),
			       .kind = EVENT_REPAIR,
			       .node = n->id,
			       .life = n->life});
}

static void
repair_disk(struct node *n)
{
	struct mt_image image;
	struct mt_err err;

	n->disk_failed = false;
	n->w->r->restarts++;
	mt_image_copy(&image, &n->disk);
	if (mt_driver_restart(n->d, &image, &err) != 0)
		check_fail(n->w, "node %u does not restart: %s", n->id,
			   err.text);
	mt_image_release(&image);
}

static void
execute(struct world *w, struct event *e)
{
	struct node *n = &w->nodes[e->node];
	struct mt_err err;

	w->r->events++;
	if (n->d == NULL || (e->kind != EVENT_MESSAGE && e->life != n->life))
		return;
	switch (e->kind) {
	case EVENT_MESSAGE:
		if (mt_driver_receive(n->d, e->from, e->bytes.p, e->bytes.n,
				      &err) == MT_EPROTO)
			check_fail(w, "node %u: %s", n->id, err.text);
		break;
	case EVENT_DISK:
		if (n->writing == NULL)
			break;
		if (w->disk_fails > 0 && !w->healed &&
		    sim_random(w, w->disk_fails) == 0)
			fail_disk(n);
		else
			end_write(n, true);
		break;
	case EVENT_TICK:
		n->tick_at_ms = 0;
		mt_driver_tick(n->d);
		break;
	case EVENT_REPAIR:
		repair_disk(n);
		break;
	}
	sim_after(n);
}

void
sim_until(struct world *w, uint64_t at_ms)
{
	while (w->queue_n > 0 && w->queue[0].at_ms <= at_ms &&
	       !check_failed(w)) {
		struct event e = pop(w);

		w->now_ms = e.at_ms;
		execute(w, &e);
		mt_blob_release(&e.bytes);
	}
	w->now_ms = at_ms;
}

/* ---- a run ---- */

static void
make_world(struct world *w)
{
	static const uint64_t ids[] = {1, 2, 3, 4, 5};
	static const char *const addresses[] = {"n1", "n2", "n3", "n4", "n5"};
	unsigned i, voters;

	w->random = w->o->seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	for (i = 0; i < 8; i++)
		sim_random(w, 2);
	w->now_ms = 1000;
	w->n_nodes =
	    w->o->mode == RAFTSIM_STATIC ? 3 + 2 * sim_random(w, 2) : NODES_MAX;
	voters = w->n_nodes;
	if (w->o->mode == RAFTSIM_MEMBERSHIP)
		voters = 3 + sim_random(w, 3);
	else if (w->o->mode == RAFTSIM_RECKLESS)
		voters = 2 + sim_random(w, 4);
	nemesis_weather(w);
	for (i = 1; i <= NODES_MAX; i++) {
		struct node *n = &w->nodes[i];

		n->w = w;
		n->id = i;
		if (i <= voters)
			MT_ASSERT(mt_image_bootstrap(&n->disk, ids, addresses,
						     voters, NULL) == 0);
		else
			mt_image_init(&n->disk);
	}
}

static void
drop_world(struct world *w)
{
	unsigned i;

	for (i = 1; i <= NODES_MAX; i++) {
		struct node *n = &w->nodes[i];

		if (n->d != NULL)
			mt_driver_free(n->d);
		mt_image_release(&n->disk);
	}
	while (w->queue_n > 0)
		mt_blob_release(&w->queue[--w->queue_n].bytes);
	free(w->queue);
	free(w);
}

void
raftsim_run(const struct raftsim_options *o, struct raftsim_result *r)
{
	struct world *w = calloc(1, sizeof *w);
	unsigned i;

	MT_ASSERT(w != NULL);
	*r = (struct raftsim_result){0};
	w->o = o;
	w->r = r;
	make_world(w);
	for (i = 1; i <= w->n_nodes; i++)
		sim_boot(&w->nodes[i]);
	sim_until(w, w->now_ms + sim_random(w, 4 * ELECTION_MS));
	for (i = 0; i < o->steps && !check_failed(w); i++)
		nemesis_step(w);
	if (!check_failed(w))
		nemesis_heal(w);
	drop_world(w);
}
