/* SPDX-License-Identifier: PostgreSQL */
/*
 * The node's part in the quorum: the store and its thread, the Raft driver and
 * its hooks. A failed write closes libraft alone; the store is then tried until
 * it works again, and the driver starts anew from what is on disk. Support,
 * lease, PostgreSQL and API go on meanwhile.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/node_internal.h"

#define SNAPSHOT_EVERY 256
#define SNAPSHOT_TRAILING 64
#define RELOAD_EVERY_MS 1000

bool
node__leads(const struct mt_node *n)
{
	return n->driver != NULL && mt_driver_is_ready_leader(n->driver);
}

/* ---- the disk ---- */

static void
disk_notify(void *arg) /* on the writer's thread */
{
	struct mt_node *n = arg;

	uv_async_send(&n->disk_async);
}

static void
disk_async_cb(uv_async_t *async)
{
	struct mt_node *n = container_of(async, struct mt_node, disk_async);

	mt_disk_collect(n->disk);
	node__wake(n);
}

static void
written_cb(void *arg, int rv, const struct mt_err *err)
{
	struct mt_node *n = arg;

	if (rv != 0 && rv != MT_ECANCELED)
		mt_error("could not write the Raft store: %s", err->text);
	if (n->driver != NULL)
		mt_driver_persisted(n->driver, rv == 0);
}

static void
record_written_cb(void *arg, int rv, const struct mt_err *err)
{
	struct mt_node *n = arg;

	if (rv != 0 && rv != MT_ECANCELED)
		mt_error("could not write the node record: %s", err->text);
	mt_keep_persisted(&n->keep, rv == 0, mt_clock_ms());
	node__wake(n);
}

static void
reloaded_cb(void *arg, int rv, struct mt_image *image, const struct mt_err *err)
{
	struct mt_node *n = arg;
	struct mt_err e;

	if (n->closing)
		return;
	n->reload_ms = mt_clock_ms() + RELOAD_EVERY_MS;
	if (rv != 0) {
		mt_debug("the Raft store cannot be written yet: %s", err->text);
		return;
	}
	if (mt_driver_restart(n->driver, image, &e) != 0) {
		node__fail(n, "could not start Raft again: %s", e.text);
		return;
	}
	n->reload_wanted = false;
	mt_info("the Raft store can be written again, this node votes again");
}

/* ---- hooks of the lease ---- */

static void
keep_send(void *arg, uint64_t to, enum mt_keep_message kind, const void *p,
	  size_t size)
{
	static const enum mt_frame_kind kinds[] = {
	    [MT_KEEP_SUPPORT_REQ] = MT_FRAME_SUPPORT_REQ,
	    [MT_KEEP_SUPPORT_ANS] = MT_FRAME_SUPPORT_ANS,
	    [MT_KEEP_FENCE_REQ] = MT_FRAME_FENCE_REQ,
	    [MT_KEEP_FENCE_ANS] = MT_FRAME_FENCE_ANS,
	};
	struct mt_node *n = arg;

	if (!n->closing) /* the streams may be gone before the store is */
		mt_peers_send(n->peers, to, kinds[kind], p, size);
}

static void
keep_persist(void *arg, const struct mt_record *record)
{
	struct mt_node *n = arg;
	uint8_t buf[MT_RECORD_SIZE];

	mt_record_encode(record, buf);
	mt_disk_write_record(n->disk, buf, sizeof(buf), record_written_cb, n);
}

static void
keep_on_fenced(void *arg, const struct mt_fence_ans *ans)
{
	struct mt_node *n = arg;

	mt_controller_fenced(&n->controller, ans, mt_clock_ms());
	node__wake(n);
}

/* ---- hooks of the driver ---- */

static uint64_t
driver_now(void *arg)
{
	(void)arg;
	return (uint64_t)mt_clock_ms();
}

static void
driver_persist(void *arg, const struct mt_batch *batch)
{
	struct mt_node *n = arg;

	mt_disk_write(n->disk, batch, written_cb, n);
}

static void
driver_send(void *arg, uint64_t to, const void *p, size_t size)
{
	struct mt_node *n = arg;

	if (!n->closing)
		mt_peers_send(n->peers, to, MT_FRAME_RAFT, p, size);
}

static int
driver_apply(void *arg, uint64_t index, uint64_t term, const void *p,
	     size_t size)
{
	struct mt_node *n = arg;
	struct mt_err err = {0};

	(void)term;
	n->apply_rv = mt_state_apply(&n->state, index, p, size, &err);
	n->apply_index = index;
	mt_copy(n->apply_why, sizeof(n->apply_why), err.text);
	if (n->state.unknown_command != 0) {
		mt_critical("cannot apply entry %" PRIu64 " of the log: %s",
			    index, err.text);
		return -1;
	}
	if (n->apply_rv != 0)
		mt_debug("command %" PRIu64 " was refused: %s", index,
			 err.text);
	node__wake(n);
	return 0;
}

static void
voters_of(const struct mt_configuration *c, struct mt_voters *v)
{
	*v = (struct mt_voters){.index = c->index, .term = c->term};
	for (unsigned i = 0; i < c->n; i++)
		if (c->servers[i].role == MT_SERVER_VOTER)
			v->raft_id[v->n++] = c->servers[i].id;
}

static void
driver_on_config(void *arg, const struct mt_configuration *c, bool committed)
{
	struct mt_node *n = arg;

	voters_of(c, committed ? &n->committed_voters : &n->durable_voters);
	node__wake(n);
}

_Static_assert(MT_STATE_BYTES_MAX <= MT_RAFT_SNAPSHOT_MAX,
	       "every state fits a snapshot");

static int
driver_snapshot(void *arg, struct mt_blob *out)
{
	struct mt_node *n = arg;
	char *text;
	size_t size;
	int rv = mt_state_save(&n->state, &text, &size);

	if (rv == 0)
		*out = (struct mt_blob){.p = (uint8_t *)text, .n = size};
	return rv;
}

static int
driver_restore(void *arg, uint64_t index, const void *p, size_t size)
{
	struct mt_node *n = arg;
	struct mt_err err;

	if (p == NULL) {
		mt_state_release(&n->state);
		mt_state_init(&n->state);
	} else if (mt_state_load(&n->state, p, size, &err) != 0) {
		mt_critical("could not restore the state as of %" PRIu64 ": %s",
			    index, err.text);
		return -1;
	}
	node__wake(n);
	return 0;
}

static void
driver_on_state(void *arg, enum mt_raft_role role, uint64_t term,
		uint64_t leader)
{
	struct mt_node *n = arg;
	const struct mt_member *m = mt_state_member_by_id(&n->state, leader);

	if (role == MT_RAFT_LEADER)
		mt_info("raft: this node leads term %" PRIu64, term);
	else if (leader != 0)
		mt_info("raft: \"%s\" leads term %" PRIu64,
			m != NULL ? m->name : "another node", term);
	node__wake(n);
}

static void
driver_on_submitted(void *arg, uint64_t cookie, int rv, uint64_t index,
		    uint64_t term)
{
	(void)index;
	(void)term;
	node__propose_submitted(arg, cookie, rv);
}

static void
driver_on_done(void *arg, uint64_t cookie, enum mt_outcome outcome)
{
	node__propose_done(arg, cookie, outcome);
}

static void
driver_on_closed(void *arg, bool persist_failed, const struct mt_err *why)
{
	struct mt_node *n = arg;

	if (!persist_failed) {
		mt_critical("raft: this node takes no part any more: %s",
			    why->text);
		return;
	}
	mt_error("raft: this node does not vote until its store can be "
		 "written: %s",
		 why->text);
	n->reload_wanted = true;
	n->reload_ms = mt_clock_ms() + RELOAD_EVERY_MS;
	node__wake(n);
}

static int
start_driver(struct mt_node *n, struct mt_err *err)
{
	char addr[MT_ADDR_MAX];
	struct mt_driver_options o = {
	    .id = n->raft_id,
	    .address =
		mt_addr_format(&n->conf->raft.self_addr, addr, sizeof(addr)),
	    .seed = (unsigned)mt_random_u64(),
	    .election_ms = (unsigned)n->conf->raft.election_timeout_ms,
	    .heartbeat_ms = (unsigned)n->conf->raft.heartbeat_ms,
	    .snapshot_threshold = SNAPSHOT_EVERY,
	    .snapshot_trailing = SNAPSHOT_TRAILING,
	    .guards = MT_GUARDS_ALL,
	};
	struct mt_driver_hooks hooks = {
	    .arg = n,
	    .now_ms = driver_now,
	    .persist = driver_persist,
	    .send = driver_send,
	    .apply = driver_apply,
	    .on_config = driver_on_config,
	    .snapshot = driver_snapshot,
	    .restore = driver_restore,
	    .on_state = driver_on_state,
	    .on_submitted = driver_on_submitted,
	    .on_done = driver_on_done,
	    .on_closed = driver_on_closed,
	};
	int rv = mt_driver_new(&n->driver, &o, &hooks, &n->image, err);

	if (rv != 0)
		return rv;
	voters_of(mt_driver_configuration(n->driver), &n->durable_voters);
	n->phase = NODE_FORMED;
	return mt_driver_start(n->driver, err);
}

/* ---- opening ---- */

/* The incarnation is counted up durably before any other node hears of us. */
static int
begin_incarnation(struct mt_node *n, struct mt_record *rec, struct mt_err *err)
{
	uint8_t buf[MT_RECORD_MAX];
	size_t size = mt_store_record(n->store, buf);
	int rv;

	memset(rec, 0, sizeof(*rec));
	if (size > 0) {
		rv = mt_record_decode(rec, buf, size, err);
		if (rv != 0)
			return rv;
	}
	rec->incarnation++;
	mt_record_encode(rec, buf);
	return mt_store_write_record(n->store, buf, MT_RECORD_SIZE, err);
}

int
node__quorum_open(struct mt_node *n, struct mt_err *err)
{
	struct mt_keep_hooks hooks = {
	    .arg = n,
	    .send = keep_send,
	    .persist = keep_persist,
	    .on_fenced = keep_on_fenced,
	};
	struct mt_record rec;
	int rv = mt_store_open(&n->store, n->conf->raft.data_dir, true,
			       &n->image, err);

	if (rv != 0)
		return rv;
	rv = begin_incarnation(n, &rec, err);
	if (rv == 0 && mt_store_has_image(n->store) && rec.raft_id == 0)
		rv = mt_err_set(err, MT_EIO,
				"the Raft store in \"%s\" has a log but no "
				"identity; it is damaged: remove it, the node "
				"then has to join anew",
				n->conf->raft.data_dir);
	if (rv == 0)
		rv = mt_disk_start(&n->disk, n->store, disk_notify, n, err);
	if (rv != 0) {
		mt_store_close(n->store);
		n->store = NULL;
		return rv;
	}
	uv_async_init(n->loop, &n->disk_async, disk_async_cb);
	n->raft_id = rec.raft_id;
	n->cluster_id = rec.cluster_id;
	mt_keep_start(&n->keep, &hooks, &rec, mt_clock_ms());
	if (mt_store_has_image(n->store))
		return start_driver(n, err);
	n->phase = NODE_FORMING;
	return 0;
}

/* The first image is durable: from here on this node is a voter. */
static void
bootstrapped_cb(void *arg, int rv, const struct mt_err *err)
{
	struct mt_node *n = arg;
	struct mt_err e;

	n->forming_write = false;
	if (rv == MT_ECANCELED || n->closing)
		return;
	if (rv != 0) {
		mt_error("could not write the first Raft image: %s", err->text);
		mt_image_release(&n->image);
		mt_image_init(&n->image);
		return;
	}
	if (start_driver(n, &e) != 0) {
		node__fail(n, "could not start Raft: %s", e.text);
		return;
	}
	n->waiting_for[0] = '\0';
	mt_info("the members have formed a Raft group, cluster id %016" PRIx64,
		n->cluster_id);
	node__talk_hello(n);
	node__wake(n);
}

void
node__quorum_tick(struct mt_node *n, int64_t now_ms)
{
	if (n->phase == NODE_FORMING) {
		node__form(n);
		if (!n->forming_write && !mt_image_is_empty(&n->image)) {
			n->forming_write = true;
			mt_disk_bootstrap(n->disk, &n->image, bootstrapped_cb,
					  n);
		}
		return;
	}
	if (n->reload_wanted && now_ms >= n->reload_ms) {
		n->reload_ms = INT64_MAX; /* until it has answered */
		mt_disk_reload(n->disk, reloaded_cb, n);
	}
	if (mt_driver_next_ms(n->driver) <= (uint64_t)now_ms)
		mt_driver_tick(n->driver);
	if (mt_driver_leader(n->driver) != 0)
		n->leader_seen_s = mt_wall_ms() / 1000;
}

int64_t
node__quorum_next_ms(const struct mt_node *n)
{
	uint64_t next;
	int64_t ms = 0;

	if (n->driver == NULL)
		return 0;
	next = mt_driver_next_ms(n->driver);
	if (next != UINT64_MAX)
		ms = (int64_t)next;
	if (n->reload_wanted && n->reload_ms != INT64_MAX &&
	    (ms == 0 || n->reload_ms < ms))
		ms = n->reload_ms;
	return ms;
}

void
node__quorum_close(struct mt_node *n)
{
	struct mt_driver *d = n->driver;

	if (n->disk != NULL) {
		n->driver = NULL;
		mt_disk_stop(n->disk);
		n->disk = NULL;
		n->driver = d;
		uv_close((uv_handle_t *)&n->disk_async, NULL);
	}
	if (d != NULL)
		mt_driver_free(d);
	n->driver = NULL;
	if (n->store != NULL)
		mt_store_close(n->store);
	n->store = NULL;
	mt_image_release(&n->image);
	mt_state_release(&n->state);
}
