/* SPDX-License-Identifier: PostgreSQL */
/*
 * One step of libraft: feed an event, put what changed into the mirror, encode
 * the messages, and hand the difference to the owner to be written.
 *
 * Happy path: raft_step() returns an update; term and vote, snapshot and
 * entries become a batch; the messages wait until the batch is durable. An
 * update without a batch sends at once.
 *
 * Failure modes: libraft's error is returned to the caller, which knows what
 * the event was; the mirror is then unchanged.
 *
 * It does not: decide which event comes next; that is driver.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "consensus/driver_internal.h"

/* libraft asks how much disk is left; we answer that nothing is scarce. */
#define CAPACITY 65535

void
driver__metadata(const struct mt_snapshot *s,
		 struct raft_snapshot_metadata *metadata)
{
	struct raft_buffer buf = {.base = s->configuration.p,
				  .len = s->configuration.n};

	metadata->index = s->index;
	metadata->term = s->term;
	metadata->configuration_index = s->configuration_index;
	/* our own decoder passed these bytes: only memory can run out */
	MT_ASSERT(raft_configuration_decode(&buf, &metadata->configuration) ==
		  0);
}

static void
output(struct mt_driver *d, const struct raft_message *message)
{
	struct raft_message m = *message;
	struct driver_output *out;

	if (m.type == RAFT_REQUEST_VOTE_RESULT &&
	    driver_has(d, MT_GUARD_PRE_VOTE_TERM) &&
	    m.request_vote_result.pre_vote &&
	    !m.request_vote_result.vote_granted &&
	    m.request_vote_result.term < d->image.term)
		m.request_vote_result.term = d->image.term;
	if (m.type == RAFT_APPEND_ENTRIES_RESULT &&
	    driver_has(d, MT_GUARD_STALE_RESULT) && d->request_term != 0 &&
	    d->request_term < m.append_entries_result.term)
		m.append_entries_result.last_log_index = 0;
	out = calloc(1, sizeof *out);
	MT_ASSERT(out != NULL);
	out->to = m.server_id;
	MT_ASSERT(mt_message_encode(&m, &d->image, &out->bytes, NULL) == 0);
	*d->outputs_end = out;
	d->outputs_end = &out->next;
}

void
driver__flush(struct mt_driver *d)
{
	while (d->outputs != NULL) {
		struct driver_output *out = d->outputs;

		d->outputs = out->next;
		if (d->outputs == NULL)
			d->outputs_end = &d->outputs;
		d->hooks.send(d->hooks.arg, out->to, out->bytes.p,
			      out->bytes.n);
		mt_blob_release(&out->bytes);
		free(out);
	}
}

void
driver__drop_outputs(struct mt_driver *d)
{
	while (d->outputs != NULL) {
		struct driver_output *out = d->outputs;

		d->outputs = out->next;
		mt_blob_release(&out->bytes);
		free(out);
	}
	d->outputs_end = &d->outputs;
}

/* The leader's snapshot replaces everything; its memory is ours to free. */
static void
take_installed(struct mt_driver *d, struct raft_update *u)
{
	struct raft_snapshot_metadata *metadata = &u->snapshot.metadata;
	struct mt_snapshot s = {0};
	struct raft_buffer conf;

	MT_ASSERT(u->snapshot.offset == 0 && u->snapshot.last);
	MT_ASSERT(raft_configuration_encode(&metadata->configuration, &conf) ==
		  0);
	s.index = metadata->index;
	s.term = metadata->term;
	s.configuration_index = metadata->configuration_index;
	s.configuration_term = d->snapshot_configuration_term;
	s.configuration = (struct mt_blob){.p = conf.base, .n = conf.len};
	s.data = (struct mt_blob){.p = u->snapshot.chunk.base,
				  .n = u->snapshot.chunk.len};
	mt_image_set_snapshot(&d->image, &s);
	mt_image_truncate(&d->image, 0);
	d->image.first = s.index + 1;
	raft_free(conf.base);
	raft_free(u->snapshot.chunk.base);
	raft_configuration_close(&metadata->configuration);
	d->batch.kind = MT_BATCH_INSTALLED;
}

static void
take_entries(struct mt_driver *d, struct raft_update *u)
{
	uint64_t first = u->entries.index;
	void *memory = u->entries.batch[0].batch;
	unsigned i;

	mt_image_truncate(&d->image, first);
	if (d->image.n == 0)
		d->image.first = first;
	MT_ASSERT(mt_image_last(&d->image) + 1 == first);
	for (i = 0; i < u->entries.n; i++) {
		const struct raft_entry *e = &u->entries.batch[i];

		mt_image_append(&d->image, e->term, (enum mt_entry_type)e->type,
				e->buf.base, e->buf.len);
	}
	d->batch.first = first;
	d->batch.n = u->entries.n;
	raft_free(memory);
}

/* The mirror has changed: fill in the rest of the batch and have it written. */
void
driver__write(struct mt_driver *d)
{
	struct mt_batch *b = &d->batch;

	b->term = d->image.term;
	b->vote = d->image.vote;
	if (b->kind != MT_BATCH_NO_SNAPSHOT)
		b->snapshot = d->image.snapshot;
	if (b->n > 0)
		b->entries = &d->image.entries[b->first - d->image.first];
	d->busy = true;
	d->hooks.persist(d->hooks.arg, b);
}

int
driver__step(struct mt_driver *d, struct raft_event *event)
{
	struct raft_update u;
	bool dirty = false;
	unsigned i;
	int rv;

	MT_ASSERT(!d->busy);
	event->time = d->now_ms;
	event->capacity = CAPACITY;
	rv = raft_step(&d->raft, event, &u);
	if (rv != 0)
		return rv;
	d->batch = (struct mt_batch){0};
	if (u.flags & (RAFT_UPDATE_CURRENT_TERM | RAFT_UPDATE_VOTED_FOR)) {
		d->image.term = raft_current_term(&d->raft);
		d->image.vote = raft_voted_for(&d->raft);
		dirty = true;
	}
	if (u.flags & RAFT_UPDATE_SNAPSHOT) {
		take_installed(d, &u);
		dirty = true;
	}
	if (u.flags & RAFT_UPDATE_ENTRIES) {
		take_entries(d, &u);
		dirty = true;
	}
	if (u.flags & RAFT_UPDATE_MESSAGES)
		for (i = 0; i < u.messages.n; i++)
			output(d, &u.messages.batch[i]);
	if (u.flags & RAFT_UPDATE_COMMIT_INDEX &&
	    raft_commit_index(&d->raft) < d->commit)
		d->stats.commit_fallbacks++;
	/* Paper, section 8: a leader learns what is committed by an entry of
	 * its own term. libraft writes one only if it has uncommitted
	 * entries, and accepts changes without it. */
	if (u.flags & RAFT_UPDATE_STATE)
		d->barrier_due = driver_has(d, MT_GUARD_BARRIER) &&
				 raft_state(&d->raft) == RAFT_LEADER &&
				 !(u.flags & RAFT_UPDATE_ENTRIES);
	if (dirty)
		driver__write(d);
	else
		driver__flush(d);
	return 0;
}

int
driver__append(struct mt_driver *d, enum mt_entry_type type, const void *p,
	       size_t n, uint64_t *index)
{
	struct raft_entry e = {.term = raft_current_term(&d->raft),
			       .type = (enum raft_entry_type)type};
	struct raft_event event = {.type = RAFT_SUBMIT};
	int rv;

	*index = raft_last_index(&d->raft) + 1;
	e.buf.base = raft_malloc(n);
	MT_ASSERT(e.buf.base != NULL);
	memcpy(e.buf.base, p, n);
	e.buf.len = n;
	e.batch = e.buf.base;
	event.submit.entries = &e;
	event.submit.n = 1;
	rv = driver__step(d, &event);
	if (rv != 0)
		raft_free(e.batch);
	return rv;
}

int
driver__committed(struct mt_driver *d, uint64_t index, const void *p, size_t n)
{
	struct raft_event event = {.type = RAFT_CONFIGURATION};
	struct raft_buffer buf = {.base = (void *)p, .len = n};

	event.configuration.index = index;
	MT_ASSERT(raft_configuration_decode(&buf, &event.configuration.conf) ==
		  0);
	return driver__step(d, &event);
}
