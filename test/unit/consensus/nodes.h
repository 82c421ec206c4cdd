/* SPDX-License-Identifier: PostgreSQL */
/*
 * Up to five drivers in memory, for the tests of the driver: disks that can
 * hang or fail, a network that delivers when told to, and a clock that stands
 * still unless a test moves it.
 */
#ifndef MT_TEST_CONSENSUS_NODES_H
#define MT_TEST_CONSENSUS_NODES_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/codec.h"
#include "consensus/driver.h"

#define NODES 5
#define ELECTION_MS 100
#define HEARTBEAT_MS 20
#define TEXT_MAX 4096

struct packet {
	struct packet *next;
	unsigned from, to;
	struct mt_blob bytes;
};

struct node {
	unsigned id;
	struct mt_driver *d;
	struct mt_image disk;
	const struct mt_batch *writing;
	bool disk_hangs, disk_fails, cannot_apply;
	char text[TEXT_MAX]; /* the state machine: commands in a row */
	uint64_t submitted_index;
	int submitted_rv;
	int submitted, done, closed; /* calls */
	bool closed_by_disk;
	enum mt_outcome outcome;
	unsigned configs, committed_configs;
};

static struct node nodes[NODES + 1];
static struct packet *packets, **packets_end = &packets;
static uint64_t now_ms;
static bool cut[NODES + 1];
static unsigned guards, threshold;

static inline uint64_t
hook_now(void *arg)
{
	(void)arg;
	return now_ms;
}

static inline void
end_write(struct node *n, bool ok)
{
	const struct mt_batch *batch = n->writing;

	n->writing = NULL;
	if (ok)
		mt_image_replay(&n->disk, batch);
	mt_driver_persisted(n->d, ok);
}

static inline void
hook_persist(void *arg, const struct mt_batch *batch)
{
	struct node *n = arg;

	n->writing = batch;
	if (!n->disk_hangs)
		end_write(n, !n->disk_fails);
}

static inline void
hook_send(void *arg, uint64_t to, const void *p, size_t bytes)
{
	const struct node *n = arg;
	struct packet *k = calloc(1, sizeof *k);

	ck_assert_ptr_null(n->writing);
	k->from = n->id;
	k->to = (unsigned)to;
	mt_blob_set(&k->bytes, p, bytes);
	*packets_end = k;
	packets_end = &k->next;
}

static inline int
hook_apply(void *arg, uint64_t index, uint64_t term, const void *p,
	   size_t bytes)
{
	struct node *n = arg;
	size_t at = strlen(n->text);

	ck_assert_uint_gt(index, 0);
	ck_assert_uint_gt(term, 0);
	if (n->cannot_apply)
		return MT_EREFUSED;
	ck_assert_uint_lt(at + bytes, sizeof n->text);
	memcpy(n->text + at, p, bytes);
	n->text[at + bytes] = '\0';
	return 0;
}

static inline void
hook_config(void *arg, const struct mt_configuration *c, bool committed)
{
	struct node *n = arg;

	ck_assert_uint_gt(c->index, 0);
	n->configs += !committed;
	n->committed_configs += committed;
}

static inline int
hook_snapshot(void *arg, struct mt_blob *out)
{
	const struct node *n = arg;

	mt_blob_set(out, n->text, strlen(n->text) + 1);
	return 0;
}

static inline int
hook_restore(void *arg, uint64_t index, const void *p, size_t bytes)
{
	struct node *n = arg;

	ck_assert_uint_le(bytes, sizeof n->text);
	n->text[0] = '\0';
	if (index > 0)
		memcpy(n->text, p, bytes);
	return 0;
}

static inline void
hook_state(void *arg, enum mt_raft_role role, uint64_t term, uint64_t leader)
{
	(void)arg, (void)role, (void)term, (void)leader;
}

static inline void
hook_submitted(void *arg, uint64_t cookie, int rv, uint64_t index,
	       uint64_t term)
{
	struct node *n = arg;

	(void)cookie, (void)term;
	n->submitted++;
	n->submitted_rv = rv;
	n->submitted_index = index;
}

static inline void
hook_done(void *arg, uint64_t cookie, enum mt_outcome outcome)
{
	struct node *n = arg;

	(void)cookie;
	n->done++;
	n->outcome = outcome;
}

static inline void
hook_closed(void *arg, bool persist_failed, const struct mt_err *why)
{
	struct node *n = arg;

	ck_assert_uint_gt(strlen(why->text), 0);
	n->closed++;
	n->closed_by_disk = persist_failed;
}

/* ---- the harness ---- */

static inline void
boot(unsigned id)
{
	struct node *n = &nodes[id];
	struct mt_driver_hooks hooks = {
	    n,          hook_now,       hook_persist,  hook_send,
	    hook_apply, hook_config,    hook_snapshot, hook_restore,
	    hook_state, hook_submitted, hook_done,     hook_closed};
	struct mt_driver_options o = {.id = id,
				      .address = "here",
				      .seed = id,
				      .election_ms = ELECTION_MS,
				      .heartbeat_ms = HEARTBEAT_MS,
				      .snapshot_threshold = threshold,
				      .snapshot_trailing = 2,
				      .guards = guards};
	struct mt_image image;
	struct mt_err err;

	mt_image_copy(&image, &n->disk);
	ck_assert_int_eq(mt_driver_new(&n->d, &o, &hooks, &image, &err), 0);
	ck_assert_int_eq(mt_driver_start(n->d, &err), 0);
}

static inline void
halt(unsigned id)
{
	mt_driver_free(nodes[id].d);
	nodes[id].d = NULL;
	nodes[id].writing = NULL;
}

static inline void
setup(void)
{
	unsigned i;

	now_ms = 1000;
	guards = MT_GUARDS_ALL;
	threshold = 0;
	memset(cut, 0, sizeof cut);
	memset(nodes, 0, sizeof nodes);
	for (i = 1; i <= NODES; i++) {
		nodes[i].id = i;
		mt_image_init(&nodes[i].disk);
	}
}

static inline void
drop_packets(void)
{
	while (packets != NULL) {
		struct packet *k = packets;

		packets = k->next;
		mt_blob_release(&k->bytes);
		free(k);
	}
	packets_end = &packets;
}

static inline void
teardown(void)
{
	unsigned i;

	for (i = 1; i <= NODES; i++) {
		mt_driver_free(nodes[i].d);
		mt_image_release(&nodes[i].disk);
	}
	drop_packets();
}

static inline void
bootstrap(unsigned n)
{
	static const uint64_t ids[] = {1, 2, 3, 4, 5};
	static const char *const addresses[] = {"n1", "n2", "n3", "n4", "n5"};
	unsigned i;

	for (i = 1; i <= n; i++)
		ck_assert_int_eq(
		    mt_image_bootstrap(&nodes[i].disk, ids, addresses, n, NULL),
		    0);
	for (i = 1; i <= n; i++)
		boot(i);
}

static inline void
deliver(void)
{
	while (packets != NULL) {
		struct packet *k = packets;

		packets = k->next;
		if (packets == NULL)
			packets_end = &packets;
		if (k->to <= NODES && nodes[k->to].d != NULL && !cut[k->from] &&
		    !cut[k->to])
			(void)mt_driver_receive(nodes[k->to].d, k->from,
						k->bytes.p, k->bytes.n, NULL);
		mt_blob_release(&k->bytes);
		free(k);
	}
}

static inline void
pass_ms(unsigned ms)
{
	unsigned i;

	deliver();
	for (; ms > 0; ms--) {
		now_ms++;
		for (i = 1; i <= NODES; i++)
			if (nodes[i].d != NULL &&
			    mt_driver_next_ms(nodes[i].d) <= now_ms)
				mt_driver_tick(nodes[i].d);
		deliver();
	}
}

static inline struct node *
leader(void)
{
	unsigned i;

	for (i = 1; i <= NODES; i++)
		if (nodes[i].d != NULL && !cut[i] &&
		    mt_driver_is_ready_leader(nodes[i].d))
			return &nodes[i];
	return NULL;
}

static inline struct node *
elect(void)
{
	int i;

	for (i = 0; i < 50 && leader() == NULL; i++)
		pass_ms(ELECTION_MS);
	ck_assert_ptr_nonnull(leader());
	return leader();
}

static inline void
say(struct node *n, const char *text)
{
	mt_driver_submit(n->d, text, strlen(text), 1);
	pass_ms(2 * HEARTBEAT_MS);
}

#endif
