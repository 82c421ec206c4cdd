/* SPDX-License-Identifier: PostgreSQL */
/*
 * What follows a durable batch: libraft is told, committed entries are applied
 * in order, submissions learn their fate, and snapshots are taken.
 *
 * Happy path: persisted -> PERSISTED_ENTRIES -> the commit index moves ->
 * entries are applied one by one, configurations are reported back to libraft
 * as committed.
 *
 * Failure modes: a state machine that cannot apply a command, or cannot use a
 * snapshot, closes the driver for good: skipping would make members differ.
 *
 * It does not: trust libraft's commit index to grow. On a follower it may fall
 * back; what is applied stays applied.
 */
#include <stdlib.h>

#include "base/text.h"
#include "consensus/driver_internal.h"

static void
must_step(struct mt_driver *d, struct raft_event *event)
{
	struct mt_err err;
	int rv = driver__step(d, event);

	if (rv == 0)
		return;
	mt_err_set(&err, MT_EPROTO, "libraft failed: %s", raft_strerror(rv));
	driver__close(d, false, &err);
}

/* Has the batch in the log's durable part a newer configuration, or has it
 * taken the newest away? */
void
driver__learn_newest(struct mt_driver *d, bool force)
{
	struct mt_configuration c;
	bool changed = force;
	size_t i;

	if (d->batch.kind == MT_BATCH_INSTALLED ||
	    (d->batch.n > 0 && d->batch.first <= d->newest.index))
		changed = true;
	for (i = 0; i < d->batch.n && !changed; i++)
		changed = d->batch.entries[i].type == MT_ENTRY_CHANGE;
	if (!changed)
		return;
	mt_image_configuration(&d->image, &c);
	if (c.index == d->newest.index && c.term == d->newest.term)
		return;
	d->newest = c;
	d->hooks.on_config(d->hooks.arg, &d->newest, false);
}

void
driver__learn_committed(struct mt_driver *d, uint64_t index, uint64_t term,
			const void *p, size_t n)
{
	MT_ASSERT(mt_configuration_decode(&d->committed, p, n, NULL) == 0);
	mt_blob_set(&d->committed_bytes, p, n);
	d->committed.index = index;
	d->committed.term = term;
	d->hooks.on_config(d->hooks.arg, &d->committed, true);
}

/* Give the state machine what the image's snapshot holds. */
int
driver__restore(struct mt_driver *d)
{
	const struct mt_snapshot *s = &d->image.snapshot;
	int rv;

	rv = d->hooks.restore(d->hooks.arg, s->index, s->data.p, s->data.n);
	if (rv != 0)
		return rv;
	d->machine_index = s->index;
	d->machine_term = s->term;
	d->machine_valid = true;
	return 0;
}

static void
post_installed(struct mt_driver *d)
{
	struct raft_event event = {.type = RAFT_PERSISTED_SNAPSHOT};
	const struct mt_snapshot *s = &d->image.snapshot;
	struct mt_err err;

	d->stats.installed++;
	if (driver__restore(d) != 0) {
		mt_err_set(&err, MT_EREFUSED,
			   "could not use the leader's snapshot of index %llu",
			   (unsigned long long)s->index);
		driver__close(d, false, &err);
		return;
	}
	d->applied = s->index;
	driver__settle(d, s->index, MT_OUTCOME_UNKNOWN);
	driver__learn_committed(d, s->configuration_index,
				s->configuration_term, s->configuration.p,
				s->configuration.n);
	driver__metadata(s, &event.persisted_snapshot.metadata);
	event.persisted_snapshot.last = true;
	must_step(d, &event);
}

static void
post_taken(struct mt_driver *d)
{
	struct raft_event event = {.type = RAFT_SNAPSHOT};

	d->stats.snapshots++;
	driver__metadata(&d->image.snapshot, &event.snapshot.metadata);
	event.snapshot.trailing = d->options.snapshot_trailing;
	must_step(d, &event);
}

bool
driver__post(struct mt_driver *d)
{
	struct raft_event event = {.type = RAFT_PERSISTED_ENTRIES};
	enum mt_batch_snapshot kind = d->posted_snapshot;

	if (kind != MT_BATCH_NO_SNAPSHOT) {
		d->posted_snapshot = MT_BATCH_NO_SNAPSHOT;
		if (kind == MT_BATCH_INSTALLED)
			post_installed(d);
		else
			post_taken(d);
		return true;
	}
	if (d->posted_index == 0)
		return false;
	event.persisted_entries.index = d->posted_index;
	d->posted_index = 0;
	must_step(d, &event);
	return true;
}

void
driver__track(struct mt_driver *d, uint64_t cookie, uint64_t index,
	      uint64_t term)
{
	struct driver_pending *p = calloc(1, sizeof *p);

	MT_ASSERT(p != NULL);
	*p = (struct driver_pending){
	    .next = d->pending, .cookie = cookie, .index = index, .term = term};
	d->pending = p;
	d->pending_n++;
}

/* Everything up to this index is decided, or will never be known. */
void
driver__settle(struct mt_driver *d, uint64_t upto, enum mt_outcome unknown)
{
	struct driver_pending **at = &d->pending, *done = NULL;

	while (*at != NULL) {
		struct driver_pending *p = *at;

		if (p->index > upto) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		p->next = done;
		done = p;
		d->pending_n--;
	}
	/* Only now, when the list is whole again, may hooks run. */
	while (done != NULL) {
		struct driver_pending *p = done;
		enum mt_outcome outcome = unknown;

		done = p->next;
		if (unknown == MT_OUTCOME_APPLIED &&
		    mt_image_term_at(&d->image, p->index) != p->term)
			outcome = MT_OUTCOME_LOST;
		d->hooks.on_done(d->hooks.arg, p->cookie, outcome);
		free(p);
	}
}

static bool
apply_entry(struct mt_driver *d, uint64_t index, const struct mt_entry *e)
{
	struct mt_err err;

	/* After a restart in place the state machine may be ahead. */
	if (index <= d->machine_index)
		return true;
	if (e->type == MT_ENTRY_COMMAND &&
	    d->hooks.apply(d->hooks.arg, index, e->term, e->data.p,
			   e->data.n) != 0) {
		mt_err_set(&err, MT_EREFUSED,
			   "could not apply entry %llu of term %llu",
			   (unsigned long long)index,
			   (unsigned long long)e->term);
		driver__close(d, false, &err);
		return false;
	}
	d->machine_index = index;
	d->machine_term = e->term;
	return true;
}

bool
driver__apply(struct mt_driver *d)
{
	uint64_t commit = raft_commit_index(&d->raft);
	uint64_t index = d->applied + 1;
	const struct mt_entry *e;
	struct mt_err err;
	int rv;

	if (commit > d->raft.last_stored)
		commit = d->raft.last_stored;
	if (commit > d->commit)
		d->commit = commit;
	if (index > commit || d->raft.snapshot.installing)
		return false;
	e = mt_image_at(&d->image, index);
	MT_ASSERT(e != NULL);
	if (!apply_entry(d, index, e))
		return true;
	d->applied = index;
	if (e->type == MT_ENTRY_CHANGE) {
		driver__learn_committed(d, index, e->term, e->data.p,
					e->data.n);
		rv = driver__committed(d, index, e->data.p, e->data.n);
		if (rv != 0) {
			mt_err_set(&err, MT_EPROTO, "libraft failed: %s",
				   raft_strerror(rv));
			driver__close(d, false, &err);
			return true;
		}
	}
	driver__settle(d, index, MT_OUTCOME_APPLIED);
	return true;
}

bool
driver__take_snapshot(struct mt_driver *d)
{
	struct mt_snapshot s = {0};
	unsigned trailing = d->options.snapshot_trailing;

	if (d->options.snapshot_threshold == 0 || d->raft.snapshot.installing ||
	    d->applied <
		d->image.snapshot.index + d->options.snapshot_threshold ||
	    d->committed.n == 0 || d->machine_index != d->applied)
		return false;
	if (d->hooks.snapshot(d->hooks.arg, &s.data) != 0)
		return false;
	/* the log would grow: the owner sees to it that this cannot be */
	if (s.data.n > MT_RAFT_SNAPSHOT_MAX) {
		mt_blob_release(&s.data);
		return false;
	}
	s.index = d->applied;
	s.term = mt_image_term_at(&d->image, d->applied);
	s.configuration_index = d->committed.index;
	s.configuration_term = d->committed.term;
	s.configuration = d->committed_bytes;
	mt_image_set_snapshot(&d->image, &s);
	mt_blob_release(&s.data);
	d->batch = (struct mt_batch){.kind = MT_BATCH_TAKEN};
	if (s.index > trailing)
		d->batch.trim = s.index - trailing;
	mt_image_trim(&d->image, d->batch.trim);
	driver__write(d);
	return true;
}
