/* SPDX-License-Identifier: PostgreSQL */
/*
 * One Raft node of three, and whatever the other two may say: any bytes, and
 * messages of small numbers, which are more often in form and get further than
 * bytes alone. Between them time passes, and the disk hangs, fails or goes on.
 *
 * What must hold: memory and disk are alike whenever nothing is being written,
 * both keep the rules of an image, what was committed stays committed, and each
 * submission ends exactly once. That two nodes agree is the simulator's work;
 * so is which configuration counts: a lie gives two of them one index.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "consensus/codec.h"
#include "consensus/driver.h"

#define SELF 1
#define ENTRIES_MAX 6
#define STEPS_MAX 200

enum op {
	OP_BYTES,
	OP_SMALL,
	OP_TIME,
	OP_SUBMIT,
	OP_DISK,
	OP_TRANSFER,
	OP_COUNT,
};

static struct node {
	struct mt_driver *d;
	struct mt_image disk;
	const struct mt_batch *writing;
	bool hangs;
	uint64_t now_ms, committed;
	int submitted, refused, done;
} node;

static uint64_t
on_now(void *arg)
{
	(void)arg;
	return node.now_ms;
}

static void
end_write(bool ok)
{
	const struct mt_batch *batch = node.writing;

	if (batch == NULL)
		return;
	node.writing = NULL;
	if (ok)
		mt_image_replay(&node.disk, batch);
	mt_driver_persisted(node.d, ok);
}

static void
on_persist(void *arg, const struct mt_batch *batch)
{
	(void)arg;
	MT_ASSERT(node.writing == NULL);
	node.writing = batch;
	if (!node.hangs)
		end_write(true);
}

static void
on_send(void *arg, uint64_t to, const void *p, size_t n)
{
	struct mt_message m;

	(void)arg;
	MT_ASSERT(node.writing == NULL && to != SELF);
	/* What we send, the others take. */
	MT_ASSERT(mt_message_decode(&m, p, n, NULL) == 0);
	mt_message_release(&m);
}

static int
on_apply(void *arg, uint64_t index, uint64_t term, const void *p, size_t n)
{
	(void)arg, (void)p, (void)n;
	MT_ASSERT(index > 0 && term > 0);
	return 0;
}

static void
on_config(void *arg, const struct mt_configuration *c, bool committed)
{
	(void)arg, (void)committed;
	MT_ASSERT(c->n > 0 && c->n <= MT_RAFT_SERVERS_MAX);
}

static int
on_snapshot(void *arg, struct mt_blob *out)
{
	(void)arg;
	mt_blob_set(out, "state", 5);
	return 0;
}

static int
on_restore(void *arg, uint64_t index, const void *p, size_t n)
{
	(void)arg, (void)index, (void)p, (void)n;
	return 0;
}

static void
on_state(void *arg, enum mt_raft_role role, uint64_t term, uint64_t leader)
{
	(void)arg, (void)role, (void)term, (void)leader;
}

static void
on_submitted(void *arg, uint64_t cookie, int rv, uint64_t index, uint64_t term)
{
	(void)arg, (void)cookie, (void)index, (void)term;
	node.refused += rv != 0;
}

static void
on_done(void *arg, uint64_t cookie, enum mt_outcome outcome)
{
	(void)arg, (void)cookie, (void)outcome;
	node.done++;
}

static void
on_closed(void *arg, bool persist_failed, const struct mt_err *why)
{
	(void)arg, (void)persist_failed;
	MT_ASSERT(why->text[0] != '\0');
}

static void
boot(void)
{
	static const uint64_t ids[] = {1, 2, 3};
	static const char *const addresses[] = {"n1", "n2", "n3"};
	static const struct mt_driver_options options = {
	    .id = SELF,
	    .address = "n1",
	    .seed = 1,
	    .election_ms = 100,
	    .heartbeat_ms = 20,
	    .snapshot_threshold = 4,
	    .snapshot_trailing = 2,
	    .guards = MT_GUARDS_ALL};
	static const struct mt_driver_hooks hooks = {
	    NULL,     on_now,       on_persist,  on_send,
	    on_apply, on_config,    on_snapshot, on_restore,
	    on_state, on_submitted, on_done,     on_closed};
	struct mt_image image;

	memset(&node, 0, sizeof(node));
	node.now_ms = 1000;
	MT_ASSERT(mt_image_bootstrap(&node.disk, ids, addresses, 3, NULL) == 0);
	mt_image_copy(&image, &node.disk);
	MT_ASSERT(mt_driver_new(&node.d, &options, &hooks, &image, NULL) == 0);
	MT_ASSERT(mt_driver_start(node.d, NULL) == 0);
}

static void
check(void)
{
	const struct mt_image *image = mt_driver_image(node.d);
	uint64_t committed = mt_driver_commit_index(node.d);
	struct mt_err err;

	MT_ASSERT(committed >= node.committed);
	node.committed = committed;
	if (mt_driver_role(node.d) == MT_RAFT_CLOSED || node.writing != NULL)
		return;
	MT_ASSERT(mt_image_check(image, &err) == 0);
	MT_ASSERT(mt_image_equal(image, &node.disk));
	/* No lie cuts off what was applied. */
	MT_ASSERT(mt_driver_applied_index(node.d) <=
		  mt_driver_last_index(node.d));
}

/* A configuration of n servers from 1 on. */
static void
put_configuration(struct mt_writer *w, unsigned n, unsigned roles)
{
	struct mt_configuration c = {.n = n % 5 + 1};
	struct mt_blob bytes = {0};

	for (unsigned i = 0; i < c.n; i++) {
		c.servers[i].id = i + 1;
		c.servers[i].role =
		    roles >> i & 1 ? MT_SERVER_STANDBY : MT_SERVER_VOTER;
		c.servers[i].address[0] = (char)('a' + i);
	}
	MT_ASSERT(mt_configuration_encode(&c, &bytes, NULL) == 0);
	mt_put_u32(w, (uint32_t)bytes.n);
	mt_put_bytes(w, bytes.p, bytes.n);
	mt_blob_release(&bytes);
}

static void
put_entries(struct mt_writer *w, struct mt_reader *r)
{
	unsigned n = mt_get_u8(r) % (ENTRIES_MAX + 1);

	mt_put_u32(w, n);
	for (unsigned i = 0; i < n; i++) {
		unsigned type = mt_get_u8(r) % 3 + 1;

		mt_put_u64(w, mt_get_u8(r));
		mt_put_u8(w, (uint8_t)type);
		if (type == MT_ENTRY_CHANGE) {
			unsigned servers = mt_get_u8(r);

			put_configuration(w, servers, mt_get_u8(r));
		} else if (type == MT_ENTRY_COMMAND) {
			mt_put_u32(w, 3);
			mt_put_bytes(w, "cmd", 3);
		} else {
			mt_put_u32(w, 0);
		}
	}
}

/* Each number of a message from one byte. */
static void
receive_small(struct mt_reader *r, uint64_t from)
{
	static const uint8_t numbers[] = {
	    [RAFT_REQUEST_VOTE] = 4,     [RAFT_REQUEST_VOTE_RESULT] = 1,
	    [RAFT_APPEND_ENTRIES] = 4,   [RAFT_APPEND_ENTRIES_RESULT] = 3,
	    [RAFT_INSTALL_SNAPSHOT] = 4, [RAFT_TIMEOUT_NOW] = 3};
	static uint8_t bytes[8192];
	struct mt_writer w = {.p = bytes, .cap = sizeof(bytes)};
	unsigned type = mt_get_u8(r) % RAFT_TIMEOUT_NOW + 1;
	uint8_t *exact;

	mt_put_u8(&w, (uint8_t)type);
	for (unsigned i = 0; i < numbers[type]; i++) {
		uint64_t v = mt_get_u8(r);

		/* nobody asks for votes for another */
		mt_put_u64(&w, type == RAFT_REQUEST_VOTE && i == 1 ? from : v);
	}
	if (type == RAFT_REQUEST_VOTE || type == RAFT_REQUEST_VOTE_RESULT) {
		mt_put_u8(&w, mt_get_u8(r) % 4);
	} else if (type == RAFT_APPEND_ENTRIES) {
		put_entries(&w, r);
	} else if (type == RAFT_INSTALL_SNAPSHOT) {
		unsigned servers = mt_get_u8(r);

		put_configuration(&w, servers, mt_get_u8(r));
		mt_put_u32(&w, 5);
		mt_put_bytes(&w, "state", 5);
	}
	MT_ASSERT(!w.bad);
	exact = fuzz_bytes(bytes, w.n);
	(void)mt_driver_receive(node.d, from, exact, w.n, NULL);
	free(exact);
}

static void
receive_bytes(struct mt_reader *r, uint64_t from)
{
	size_t n = mt_get_u16(r) % 2048;
	const void *p;
	uint8_t *exact;

	n = n < r->left ? n : r->left;
	p = mt_get_bytes(r, n);
	if (p == NULL)
		return;
	exact = fuzz_bytes(p, n);
	(void)mt_driver_receive(node.d, from, exact, n, NULL);
	free(exact);
}

/* As the daemon does when the disk works again. */
static void
restart(void)
{
	struct mt_image image;
	struct mt_err err;
	int rv;

	mt_image_copy(&image, &node.disk);
	node.hangs = false;
	rv = mt_driver_restart(node.d, &image, &err);
	MT_ASSERT(rv == 0 || rv == MT_EREFUSED);
	if (rv != 0)
		mt_image_release(&image);
}

static void
step(struct mt_reader *r)
{
	uint8_t op = mt_get_u8(r), v = op / OP_COUNT;

	switch ((enum op)(op % OP_COUNT)) {
	case OP_BYTES:
		receive_bytes(r, v % 4);
		break;
	case OP_SMALL:
		receive_small(r, v % 4);
		break;
	case OP_TIME:
		node.now_ms += (uint64_t)v * 4;
		if (mt_driver_next_ms(node.d) <= node.now_ms)
			mt_driver_tick(node.d);
		break;
	case OP_SUBMIT:
		node.submitted++;
		mt_driver_submit(node.d, "cmd", 3, 1);
		break;
	case OP_DISK:
		if (v % 4 == 3)
			restart();
		node.hangs = v % 4 == 1;
		if (!node.hangs)
			end_write(v % 4 != 2);
		break;
	case OP_TRANSFER:
		mt_driver_transfer(node.d, v % 4);
		break;
	case OP_COUNT:
		break;
	}
	check();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct mt_reader r = {.p = data, .left = n};

	boot();
	for (int i = 0; i < STEPS_MAX && r.left > 0 && !r.bad; i++)
		step(&r);
	mt_driver_free(node.d);
	MT_ASSERT(node.refused + node.done == node.submitted);
	mt_image_release(&node.disk);
	return 0;
}

#define OP(op, v) ((op) + OP_COUNT * (v))
#define SAY(from, type) OP(OP_SMALL, from), (type)-1

/* clang-format off */
/* Server 2 leads term 2, and sends entries and a snapshot. */
static const uint8_t follow[] = {
	SAY(2, RAFT_REQUEST_VOTE), 2, 2, 1, 1, 0,
	SAY(2, RAFT_APPEND_ENTRIES), 2, 1, 1, 1, 2, 2, 1, 2, 0,
	SAY(2, RAFT_APPEND_ENTRIES), 2, 3, 2, 3, 1, 2, 2, 2, 8,
	SAY(2, RAFT_APPEND_ENTRIES), 2, 4, 2, 4, 0,
	OP(OP_TIME, 5),
	SAY(2, RAFT_INSTALL_SNAPSHOT), 2, 9, 2, 1, 2, 0,
	SAY(2, RAFT_TIMEOUT_NOW), 2, 9, 2,
};
/* The node leads: pre-vote, vote, commands, a disk that hangs and fails. */
static const uint8_t lead[] = {
	OP(OP_TIME, 40), OP(OP_TIME, 20),
	SAY(2, RAFT_REQUEST_VOTE_RESULT), 2, 3,
	SAY(2, RAFT_REQUEST_VOTE_RESULT), 2, 1,
	OP(OP_SUBMIT, 0),
	SAY(2, RAFT_APPEND_ENTRIES_RESULT), 2, 0, 2,
	SAY(3, RAFT_APPEND_ENTRIES_RESULT), 2, 0, 3,
	OP(OP_DISK, 1), OP(OP_SUBMIT, 0), OP(OP_DISK, 0),
	OP(OP_TRANSFER, 2), OP(OP_TIME, 30),
	OP(OP_DISK, 1), OP(OP_SUBMIT, 0), OP(OP_DISK, 2),
	OP(OP_DISK, 3), OP(OP_TIME, 30),
};
/* clang-format on */

void
fuzz_seeds(void)
{
	fuzz_seed(follow, sizeof(follow));
	fuzz_seed(lead, sizeof(lead));
}
