/* SPDX-License-Identifier: PostgreSQL */
/*
 * Messages from other servers: what the codec accepted still has to fit our
 * state, and some of it has to be reshaped around libraft's defects.
 *
 * Happy path: the message is copied into what libraft takes ownership of, and
 * stepped. Entries of an append go in pieces if a configuration is among them
 * (MT_GUARD_SPLIT), between which all is persisted and applied.
 *
 * Failure modes: a message that would be undefined behaviour in our state is
 * dropped and counted; Raft repeats what matters. libraft's refusal of an
 * accepted message, or another entry than one that is committed, means that
 * committed logs differ: the driver closes.
 *
 * It does not: check bytes; that is codec.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "consensus/driver_internal.h"

/* libraft keeps the sender's address and does nothing else with it. */
#define ANY_ADDRESS "-"

static bool
drop(struct mt_driver *d)
{
	d->stats.dropped++;
	return true;
}

static void
step_message(struct mt_driver *d, struct raft_message *m)
{
	struct raft_event event = {.type = RAFT_RECEIVE};
	struct mt_err err;
	int rv;

	event.receive.message = m;
	rv = driver__step(d, &event);
	d->request_term = 0;
	if (rv == 0)
		return;
	mt_err_set(&err, MT_EPROTO,
		   "libraft refused a message of type %d from server %llu: %s",
		   (int)m->type, m->server_id, raft_strerror(rv));
	driver__close(d, false, &err);
}

/* libraft's commit index may fall back, and with it goes its refusal of what
 * contradicts a committed entry. Ours does not: closes the driver, and true, if
 * another entry than the committed one is said to be there. */
static bool
contradicts(struct mt_driver *d, uint64_t from, uint64_t index, uint64_t term)
{
	uint64_t ours = mt_image_term_at(&d->image, index);
	struct mt_err err;

	if ((index > d->commit && index > d->machine_index) || ours == 0 ||
	    ours == term)
		return false;
	mt_err_set(&err, MT_EPROTO,
		   "server %llu has entry %llu of term %llu, and here the one "
		   "of term %llu is committed",
		   (unsigned long long)from, (unsigned long long)index,
		   (unsigned long long)term, (unsigned long long)ours);
	driver__close(d, false, &err);
	return true;
}

static bool
receive_snapshot(struct mt_driver *d, struct driver_input *in)
{
	struct raft_message m = in->message.raft;
	struct raft_install_snapshot *v = &m.install_snapshot;
	struct raft_buffer conf = {.base = in->message.configuration.p,
				   .len = in->message.configuration.n};

	if (driver_has(d, MT_GUARD_SNAPSHOT_TWICE) &&
	    d->raft.snapshot.installing)
		return drop(d);
	if (v->term == raft_current_term(&d->raft) &&
	    raft_state(&d->raft) == RAFT_LEADER)
		return drop(d);
	if (v->term >= raft_current_term(&d->raft) &&
	    contradicts(d, in->id, v->last_index, v->last_term))
		return true;
	MT_ASSERT(raft_configuration_decode(&conf, &v->conf) == 0);
	v->data.len = in->message.data.n;
	v->data.base = raft_malloc(v->data.len + 1);
	MT_ASSERT(v->data.base != NULL);
	if (v->data.len > 0)
		memcpy(v->data.base, in->message.data.p, v->data.len);
	d->request_term = v->term;
	d->snapshot_configuration_term = in->message.configuration_term;
	step_message(d, &m);
	return true;
}

/* D4: entries at or below our snapshot are committed and the same everywhere;
 * libraft has forgotten their terms and would file them anew. */
static void
skip_compacted(struct mt_driver *d, struct driver_input *in)
{
	struct raft_append_entries *v = &in->message.raft.append_entries;
	const struct mt_snapshot *s = &d->image.snapshot;
	unsigned k = 0;

	if (!driver_has(d, MT_GUARD_PREV) ||
	    v->prev_log_index >= d->image.first ||
	    v->prev_log_index >= s->index ||
	    v->term < raft_current_term(&d->raft))
		return;
	while (k < v->n_entries && v->prev_log_index + 1 + k <= s->index)
		k++;
	v->n_entries -= k;
	if (k > 0)
		memmove(in->message.entries, in->message.entries + k,
			v->n_entries * sizeof *in->message.entries);
	v->prev_log_index = s->index;
	v->prev_log_term = s->term;
}

/* How many of the remaining entries go into the next piece: a configuration is
 * always the first of its piece, and what is before it is applied before. */
static unsigned
piece_length(struct mt_driver *d, struct driver_input *in)
{
	const struct raft_append_entries *v = &in->message.raft.append_entries;
	const struct mt_entry *e;
	unsigned left = v->n_entries - in->stepped, k;

	if (!driver_has(d, MT_GUARD_SPLIT) || left == 0)
		return left;
	e = in->message.entries + in->stepped;
	if (e[0].type == MT_ENTRY_CHANGE && !in->headed)
		return 0;
	for (k = 1; k < left && e[k].type != MT_ENTRY_CHANGE; k++)
		;
	return k;
}

/* D1: a leader appends a configuration only when the one before is committed.
 * Where our log agrees with its log, our uncommitted one is that one: say so
 * before libraft overwrites it. False: the driver closed. */
static bool
commit_previous(struct mt_driver *d, uint64_t prev, uint64_t prev_term)
{
	uint64_t index = d->raft.configuration_uncommitted_index;
	const struct mt_entry *e = mt_image_at(&d->image, index);

	if (index == 0 || index > prev || e == NULL ||
	    mt_image_term_at(&d->image, prev) != prev_term)
		return true;
	MT_ASSERT(e->type == MT_ENTRY_CHANGE);
	return driver__committed(d, index, e->data.p, e->data.n) == 0;
}

static void
step_piece(struct mt_driver *d, struct driver_input *in, unsigned n)
{
	struct raft_message m = in->message.raft;
	struct raft_append_entries *v = &m.append_entries;
	const struct mt_entry *e = NULL;
	struct raft_entry *entries = NULL;
	uint8_t *memory = NULL, *at;
	size_t bytes = 0;
	unsigned i;

	if (v->n_entries > 0) /* else there is no array */
		e = in->message.entries + in->stepped;
	if (in->stepped > 0) {
		v->prev_log_index += in->stepped;
		v->prev_log_term = e[-1].term;
	}
	v->n_entries = n;
	if (n > 0) {
		for (i = 0; i < n; i++)
			bytes += e[i].data.n;
		/* one block for all: libraft frees the first one's batch */
		memory = raft_malloc(bytes + 1);
		entries = calloc(n, sizeof *entries);
		MT_ASSERT(memory != NULL && entries != NULL);
	}
	for (i = 0, at = memory; i < n; i++) {
		entries[i].term = e[i].term;
		entries[i].type = (enum raft_entry_type)e[i].type;
		entries[i].buf.base = at;
		entries[i].buf.len = e[i].data.n;
		entries[i].batch = memory;
		if (e[i].data.n > 0)
			memcpy(at, e[i].data.p, e[i].data.n);
		at += e[i].data.n;
	}
	v->entries = entries;
	in->stepped += n;
	in->headed = n == 0;
	d->request_term = v->term;
	step_message(d, &m);
	free(entries);
}

/* The entries that are left to be stepped. */
static bool
any_contradicts(struct mt_driver *d, const struct driver_input *in)
{
	const struct raft_append_entries *v = &in->message.raft.append_entries;

	if (v->term < raft_current_term(&d->raft))
		return false; /* libraft refuses it as late */
	for (unsigned i = in->stepped; i < v->n_entries; i++)
		if (contradicts(d, in->id, v->prev_log_index + 1 + i,
				in->message.entries[i].term))
			return true;
	return false;
}

/* Remember what the leader said is committed. */
static void
hear(struct mt_driver *d, const struct raft_append_entries *v)
{
	if (!d->open || raft_state(&d->raft) != RAFT_FOLLOWER ||
	    raft_current_term(&d->raft) != v->term)
		return;
	if (d->heard_term != v->term)
		d->heard_commit = 0;
	d->heard_term = v->term;
	if (v->leader_commit > d->heard_commit)
		d->heard_commit = v->leader_commit;
}

static bool
receive_append(struct mt_driver *d, struct driver_input *in)
{
	struct raft_append_entries *v = &in->message.raft.append_entries;
	uint64_t prev, prev_term;
	unsigned n;

	/* Only one leader per term: this would be our own message. */
	if (v->term == raft_current_term(&d->raft) &&
	    raft_state(&d->raft) == RAFT_LEADER)
		return drop(d);
	if (in->stepped == 0 && !in->headed)
		skip_compacted(d, in);
	if (any_contradicts(d, in))
		return true;
	prev = v->prev_log_index + in->stepped;
	prev_term = in->stepped == 0
			? v->prev_log_term
			: in->message.entries[in->stepped - 1].term;
	/* An earlier piece was refused: so would be the rest. */
	if ((in->stepped > 0 || in->headed) && prev > 0 &&
	    mt_image_term_at(&d->image, prev) != prev_term)
		return true;
	n = piece_length(d, in);
	if (n > 0 && driver_has(d, MT_GUARD_SPLIT) &&
	    in->message.entries[in->stepped].type == MT_ENTRY_CHANGE &&
	    !commit_previous(d, prev, prev_term))
		return true;
	step_piece(d, in, n);
	hear(d, v);
	return in->stepped == v->n_entries;
}

bool
driver__receive(struct mt_driver *d, struct driver_input *in)
{
	struct raft_message *m = &in->message.raft;

	m->server_id = in->id;
	m->server_address = ANY_ADDRESS;
	switch (m->type) {
	case RAFT_APPEND_ENTRIES:
		return receive_append(d, in);
	case RAFT_INSTALL_SNAPSHOT:
		return receive_snapshot(d, in);
	case RAFT_REQUEST_VOTE_RESULT:
		if (driver_has(d, MT_GUARD_VOTE_RESULT) &&
		    raft_state(&d->raft) != RAFT_CANDIDATE)
			return drop(d);
		break;
	case RAFT_TIMEOUT_NOW:
		/* D2: it would lead in the term that it is in. */
		if (driver_has(d, MT_GUARD_LONE_VOTER) &&
		    driver__is_lone_voter(d))
			return drop(d);
		break;
	case RAFT_REQUEST_VOTE:
	case RAFT_APPEND_ENTRIES_RESULT:
		break;
	}
	step_message(d, m);
	return true;
}
