/* SPDX-License-Identifier: PostgreSQL */
/*
 * The life of one Raft node, and the order in which it does things.
 *
 * Happy path: new, start, then the pump: one thing at a time, in the order
 * durable results, commits, snapshots, input, timer. Only one batch is ever
 * being written, and nothing else happens meanwhile; that keeps libraft away
 * from all the states that it does not expect.
 *
 * Failure modes: a failed write leaves libraft's memory ahead of the disk, so
 * that libraft is closed; the owner reloads and restarts when writing works
 * again. A refused message or command closes for good.
 *
 * It does not: know of sockets, files or clocks.
 */
#include "consensus/driver.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "consensus/driver_internal.h"

#if RAFT_VERSION_MAJOR != 0 || RAFT_VERSION_MINOR != 22
#error "the driver knows libraft 0.22: who owns which memory differs elsewhere"
#endif

#define INPUTS_MAX 4096
#define INPUTS_BYTES_MAX (32u << 20)
/* A timer that lies in the past must not become a busy loop. */
#define REST_MS 2
#define CATCH_UP_ROUND_ELECTIONS 20
#define INSTALL_ELECTIONS 10
#define INFLIGHT_ENTRIES_MAX 256

int
mt_driver_new(struct mt_driver **d, const struct mt_driver_options *o,
	      const struct mt_driver_hooks *hooks, struct mt_image *image,
	      struct mt_err *err)
{
	struct mt_driver *n;
	int rv;

	if (o->id == 0 || o->election_ms == 0 || o->heartbeat_ms == 0 ||
	    o->heartbeat_ms >= o->election_ms)
		return mt_err_set(err, MT_EINVAL,
				  "a raft node needs an id, and timeouts of "
				  "which the heartbeat's is the shorter");
	rv = mt_image_check(image, err);
	if (rv != 0)
		return rv;
	n = calloc(1, sizeof *n);
	if (n == NULL)
		return mt_err_set(err, MT_ENOMEM, "could not make a raft node");
	n->options = *o;
	n->options.address = n->address;
	mt_copy(n->address, sizeof n->address, o->address);
	n->hooks = *hooks;
	n->image = *image;
	mt_image_init(image);
	n->term = n->image.term;
	n->last = mt_image_last(&n->image);
	n->inputs_end = &n->inputs;
	n->outputs_end = &n->outputs;
	*d = n;
	return 0;
}

bool
driver__is_lone_voter(const struct mt_driver *d)
{
	struct mt_configuration c;
	const struct mt_server *s;

	mt_image_configuration(&d->image, &c);
	s = mt_configuration_find(&c, d->options.id);
	return s != NULL && s->role == MT_SERVER_VOTER &&
	       mt_configuration_voters(&c) == 1;
}

/* libraft's side of a start: it reads entries and snapshot, and keeps terms. */
static void
open_raft(struct mt_driver *d)
{
	struct raft_snapshot_metadata metadata;
	struct raft_event event = {.type = RAFT_START};
	struct raft_entry *entries;
	unsigned election = d->options.election_ms;
	size_t i;

	memset(&d->raft, 0, sizeof d->raft);
	MT_ASSERT(raft_init(&d->raft, NULL, NULL, d->options.id, d->address) ==
		  0);
	d->raft.tracer = NULL; /* it formats every step into a static buffer */
	raft_seed(&d->raft, d->options.seed);
	raft_set_pre_vote(&d->raft, true);
	raft_set_election_timeout(&d->raft, election);
	raft_set_heartbeat_timeout(&d->raft, d->options.heartbeat_ms);
	raft_set_install_snapshot_timeout(&d->raft,
					  INSTALL_ELECTIONS * election);
	raft_set_max_catch_up_round_duration(
	    &d->raft, CATCH_UP_ROUND_ELECTIONS * election);
	raft_set_max_inflight_entries(&d->raft, INFLIGHT_ENTRIES_MAX);
	entries = calloc(d->image.n + 1, sizeof *entries);
	MT_ASSERT(entries != NULL);
	for (i = 0; i < d->image.n; i++) {
		const struct mt_entry *e = &d->image.entries[i];

		entries[i].term = e->term;
		entries[i].type = (enum raft_entry_type)e->type;
		entries[i].buf.base = e->data.p;
		entries[i].buf.len = e->data.n;
		entries[i].batch = e->data.p;
	}
	event.start.term = d->image.term;
	event.start.voted_for = d->image.vote;
	event.start.start_index = d->image.first;
	event.start.entries = d->image.n > 0 ? entries : NULL;
	event.start.n_entries = (unsigned)d->image.n;
	if (d->image.snapshot.index > 0) {
		driver__metadata(&d->image.snapshot, &metadata);
		event.start.metadata = &metadata;
	}
	d->open = true;
	d->applied = d->image.snapshot.index;
	/* an error could only be memory, and would have freed our mirror */
	MT_ASSERT(driver__step(d, &event) == 0);
	free(entries);
}

/* D2: libraft makes the last voter a leader in the term that it has. That term
 * may have another leader (of a larger configuration), so take a new one. */
static void
launch(struct mt_driver *d)
{
	d->starting = false;
	if (driver_has(d, MT_GUARD_LONE_VOTER) && driver__is_lone_voter(d)) {
		d->open = true;
		d->starting = true;
		d->image.term++;
		d->image.vote = d->options.id;
		d->batch = (struct mt_batch){0};
		driver__write(d);
		return;
	}
	open_raft(d);
}

static int
begin(struct mt_driver *d, struct mt_err *err)
{
	const struct mt_snapshot *s = &d->image.snapshot;

	d->now_ms = d->hooks.now_ms(d->hooks.arg);
	/* What the machine has applied was durable then; if the image still
	 * says the same, its state needs no restoring. */
	if (d->machine_index < s->index ||
	    mt_image_term_at(&d->image, d->machine_index) != d->machine_term)
		d->machine_valid = false;
	if (!d->machine_valid && driver__restore(d) != 0)
		return mt_err_set(err, MT_EREFUSED,
				  "could not use the snapshot of index %llu",
				  (unsigned long long)s->index);
	d->pumping = true;
	d->failed = false;
	d->heard_term = d->heard_commit = 0;
	d->batch = (struct mt_batch){0};
	driver__learn_newest(d, true);
	if (s->index > 0)
		driver__learn_committed(d, s->configuration_index,
					s->configuration_term,
					s->configuration.p, s->configuration.n);
	launch(d);
	d->pumping = false;
	driver__pump(d);
	return 0;
}

int
mt_driver_start(struct mt_driver *d, struct mt_err *err)
{
	MT_ASSERT(!d->open && !d->pumping && !d->told);
	return begin(d, err);
}

int
mt_driver_restart(struct mt_driver *d, struct mt_image *image,
		  struct mt_err *err)
{
	int rv;

	MT_ASSERT(!d->pumping);
	if (d->open || !d->failed)
		return mt_err_set(err, MT_EREFUSED,
				  "could not restart raft: it is not closed, "
				  "or was not closed by a failed write");
	rv = mt_image_check(image, err);
	if (rv != 0)
		return rv;
	mt_image_release(&d->image);
	d->image = *image;
	mt_image_init(image);
	d->term = d->image.term;
	d->last = mt_image_last(&d->image);
	return begin(d, err);
}

static void
free_input(struct driver_input *in)
{
	mt_message_release(&in->message);
	mt_blob_release(&in->bytes);
	free(in);
}

/* Refuse what waits. Hooks may queue more: that is refused as well. */
static void
drop_inputs(struct mt_driver *d, int rv)
{
	while (d->inputs != NULL) {
		struct driver_input *in = d->inputs;

		d->inputs = in->next;
		if (d->inputs == NULL)
			d->inputs_end = &d->inputs;
		d->inputs_n--;
		d->inputs_bytes -= in->bytes.n;
		if (in->kind == DRIVER_SUBMIT || in->kind == DRIVER_CHANGE)
			d->hooks.on_submitted(d->hooks.arg, in->id, rv, 0, 0);
		free_input(in);
	}
}

static void
close_raft(struct mt_driver *d)
{
	if (d->open && !d->starting)
		raft_close(&d->raft, NULL);
	d->open = false;
	d->busy = false;
	d->starting = false;
	d->barrier_due = false;
	d->posted_snapshot = MT_BATCH_NO_SNAPSHOT;
	d->posted_index = 0;
	driver__drop_outputs(d);
}

void
driver__close(struct mt_driver *d, bool persist_failed,
	      const struct mt_err *why)
{
	if (!d->open)
		return;
	close_raft(d);
	d->failed = persist_failed;
	driver__settle(d, UINT64_MAX, MT_OUTCOME_UNKNOWN);
	d->hooks.on_closed(d->hooks.arg, persist_failed, why);
}

void
mt_driver_free(struct mt_driver *d)
{
	if (d == NULL)
		return;
	MT_ASSERT(!d->pumping);
	d->pumping = true;
	close_raft(d);
	driver__settle(d, UINT64_MAX, MT_OUTCOME_UNKNOWN);
	drop_inputs(d, MT_ECANCELED);
	mt_image_release(&d->image);
	mt_blob_release(&d->committed_bytes);
	free(d);
}

/* ---- the pump ---- */

static bool
write_barrier(struct mt_driver *d)
{
	static const uint8_t zeros[8];
	uint64_t index;

	if (!d->barrier_due)
		return false;
	d->barrier_due = false;
	if (raft_state(&d->raft) == RAFT_LEADER)
		(void)driver__append(d, MT_ENTRY_BARRIER, zeros, sizeof zeros,
				     &index);
	return true;
}

static bool
next_input(struct mt_driver *d)
{
	struct driver_input *in = d->inputs;
	bool done = true;

	if (in == NULL)
		return false;
	d->inputs = in->next;
	if (d->inputs == NULL)
		d->inputs_end = &d->inputs;
	switch (in->kind) {
	case DRIVER_MESSAGE:
		done = driver__receive(d, in);
		break;
	case DRIVER_SUBMIT:
		driver__submit(d, in);
		break;
	case DRIVER_CHANGE:
		driver__change(d, in);
		break;
	case DRIVER_CATCH_UP:
		driver__catch_up(d, in->id);
		break;
	case DRIVER_TRANSFER:
		driver__transfer(d, in->id);
		break;
	}
	if (!done && d->open) {
		/* the rest of a message goes before all that came later */
		in->next = d->inputs;
		if (d->inputs == NULL)
			d->inputs_end = &in->next;
		d->inputs = in;
		return true;
	}
	d->inputs_n--;
	d->inputs_bytes -= in->bytes.n;
	free_input(in);
	return true;
}

static bool
next_timeout(struct mt_driver *d)
{
	struct raft_event event = {.type = RAFT_TIMEOUT};
	struct mt_err err;
	int rv;

	if (d->now_ms < raft_timeout(&d->raft) || d->now_ms < d->rest_ms)
		return false;
	d->rest_ms = d->now_ms + REST_MS;
	if (raft_state(&d->raft) != RAFT_LEADER &&
	    driver_has(d, MT_GUARD_LONE_VOTER) && driver__is_lone_voter(d)) {
		close_raft(d);
		launch(d);
		return true;
	}
	rv = driver__step(d, &event);
	if (rv != 0) {
		mt_err_set(&err, MT_EPROTO, "libraft failed: %s",
			   raft_strerror(rv));
		driver__close(d, false, &err);
	}
	return true;
}

static bool
tell_state(struct mt_driver *d)
{
	enum mt_raft_role role = mt_driver_role(d);
	uint64_t leader = mt_driver_leader(d);

	if (d->told && role == d->told_role && d->term == d->told_term &&
	    leader == d->told_leader)
		return false;
	d->told = true;
	d->told_role = role;
	d->told_term = d->term;
	d->told_leader = leader;
	d->hooks.on_state(d->hooks.arg, role, d->term, leader);
	return true;
}

static bool
work(struct mt_driver *d)
{
	uint64_t now_ms = d->hooks.now_ms(d->hooks.arg);

	if (now_ms > d->now_ms)
		d->now_ms = now_ms;
	if (d->starting) {
		/* the new term is durable */
		d->starting = false;
		open_raft(d);
		return true;
	}
	return driver__post(d) || write_barrier(d) || driver__apply(d) ||
	       driver__take_snapshot(d) || next_input(d) || next_timeout(d);
}

void
driver__pump(struct mt_driver *d)
{
	if (d->pumping)
		return;
	d->pumping = true;
	do {
		while (d->open && !d->busy && work(d))
			;
		if (!d->open)
			drop_inputs(d, MT_EREFUSED);
	} while (tell_state(d));
	d->pumping = false;
}

void
mt_driver_persisted(struct mt_driver *d, bool ok)
{
	bool pumping = d->pumping;
	struct mt_err err;

	/* closed meanwhile: nobody waits for it */
	if (!d->busy)
		return;
	d->busy = false;
	/* Hooks must not start the next step before these messages left. */
	d->pumping = true;
	if (ok) {
		d->term = d->image.term;
		d->last = mt_image_last(&d->image);
		d->posted_snapshot = d->batch.kind;
		d->posted_index =
		    d->batch.n > 0 ? d->batch.first + d->batch.n - 1 : 0;
		driver__learn_newest(d, false);
		driver__flush(d);
	} else {
		mt_err_set(&err, MT_EIO, "could not write the raft log");
		driver__close(d, true, &err);
	}
	d->pumping = pumping;
	driver__pump(d);
}

void
mt_driver_tick(struct mt_driver *d)
{
	driver__pump(d);
}

uint64_t
mt_driver_next_ms(const struct mt_driver *d)
{
	uint64_t next_ms;

	if (!d->open || d->busy)
		return UINT64_MAX;
	next_ms = raft_timeout(&d->raft);
	return next_ms > d->rest_ms ? next_ms : d->rest_ms;
}

/* ---- input ---- */

void
driver__queue(struct mt_driver *d, struct driver_input *in)
{
	in->next = NULL;
	*d->inputs_end = in;
	d->inputs_end = &in->next;
	d->inputs_n++;
	d->inputs_bytes += in->bytes.n;
	driver__pump(d);
}

static bool
is_full(const struct mt_driver *d, size_t n)
{
	return d->inputs_n >= INPUTS_MAX ||
	       d->inputs_bytes + n > INPUTS_BYTES_MAX;
}

static struct driver_input *
new_input(enum driver_kind kind, uint64_t id)
{
	struct driver_input *in = calloc(1, sizeof *in);

	MT_ASSERT(in != NULL);
	in->kind = kind;
	in->id = id;
	return in;
}

int
mt_driver_receive(struct mt_driver *d, uint64_t from, const void *p, size_t n,
		  struct mt_err *err)
{
	struct driver_input *in;
	int rv;

	if (!d->open || is_full(d, n)) {
		d->stats.dropped++;
		return mt_err_set(err, MT_EBUSY,
				  "dropped a raft message: the log is closed "
				  "or far behind");
	}
	if (from == 0 || from == d->options.id) {
		d->stats.rejected++;
		return mt_err_set(err, MT_EPROTO,
				  "refused a raft message: it says that it is "
				  "our own");
	}
	in = new_input(DRIVER_MESSAGE, from);
	mt_blob_set(&in->bytes, p, n);
	rv = mt_message_decode(&in->message, in->bytes.p, in->bytes.n, err);
	if (rv == 0 && in->message.raft.type == RAFT_REQUEST_VOTE &&
	    in->message.raft.request_vote.candidate_id != from) {
		rv = mt_err_set(err, MT_EPROTO,
				"refused a raft message: server %llu asks for "
				"votes for another",
				(unsigned long long)from);
	}
	if (rv != 0) {
		d->stats.rejected++;
		free_input(in);
		return rv;
	}
	driver__queue(d, in);
	return 0;
}

void
mt_driver_submit(struct mt_driver *d, const void *p, size_t n, uint64_t cookie)
{
	struct driver_input *in;

	if (n == 0 || n > MT_RAFT_ENTRY_MAX || is_full(d, n)) {
		int rv = is_full(d, n) ? MT_EBUSY : MT_EINVAL;

		d->hooks.on_submitted(d->hooks.arg, cookie, rv, 0, 0);
		return;
	}
	in = new_input(DRIVER_SUBMIT, cookie);
	mt_blob_set(&in->bytes, p, n);
	driver__queue(d, in);
}

void
mt_driver_change(struct mt_driver *d, const struct mt_configuration *c,
		 uint64_t cookie)
{
	struct driver_input *in = new_input(DRIVER_CHANGE, cookie);

	in->configuration = *c;
	driver__queue(d, in);
}

void
mt_driver_catch_up(struct mt_driver *d, uint64_t id)
{
	driver__queue(d, new_input(DRIVER_CATCH_UP, id));
}

void
mt_driver_transfer(struct mt_driver *d, uint64_t id)
{
	driver__queue(d, new_input(DRIVER_TRANSFER, id));
}
