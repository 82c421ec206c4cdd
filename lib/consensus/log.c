/* SPDX-License-Identifier: PostgreSQL */
/*
 * The image of a node's durable Raft state, and the batches that change it.
 *
 * Happy path: the driver appends what libraft reports, hands the difference to
 * its owner as a batch, and reads entries back when it encodes messages. Stores
 * in memory (tests, the simulator) replay batches into an image of their own.
 *
 * Failure modes: memory that runs out aborts, because a mirror that is behind
 * its store would vote wrongly. Images that come from disk are checked by
 * mt_image_check().
 *
 * It does not: know what is committed, or touch a file.
 */
#include "consensus/log.h"

#include <raft.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

_Static_assert((int)MT_ENTRY_COMMAND == (int)RAFT_COMMAND, "entry types");
_Static_assert((int)MT_ENTRY_BARRIER == (int)RAFT_BARRIER, "entry types");
_Static_assert((int)MT_ENTRY_CHANGE == (int)RAFT_CHANGE, "entry types");

void
mt_blob_set(struct mt_blob *b, const void *p, size_t n)
{
	uint8_t *copy = NULL;

	if (n > 0) {
		copy = malloc(n);
		MT_ASSERT(copy != NULL);
		memcpy(copy, p, n);
	}
	free(b->p);
	b->p = copy;
	b->n = n;
}

void
mt_blob_release(struct mt_blob *b)
{
	free(b->p);
	*b = (struct mt_blob){0};
}

static bool
blob_equal(const struct mt_blob *a, const struct mt_blob *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
}

static void
snapshot_release(struct mt_snapshot *s)
{
	mt_blob_release(&s->configuration);
	mt_blob_release(&s->data);
	*s = (struct mt_snapshot){0};
}

static void
snapshot_copy(struct mt_snapshot *dst, const struct mt_snapshot *src)
{
	*dst = *src;
	dst->configuration = (struct mt_blob){0};
	dst->data = (struct mt_blob){0};
	mt_blob_set(&dst->configuration, src->configuration.p,
		    src->configuration.n);
	mt_blob_set(&dst->data, src->data.p, src->data.n);
}

void
mt_image_init(struct mt_image *image)
{
	*image = (struct mt_image){.first = 1};
}

void
mt_image_release(struct mt_image *image)
{
	mt_image_truncate(image, 0);
	free(image->entries);
	snapshot_release(&image->snapshot);
	mt_image_init(image);
}

void
mt_image_copy(struct mt_image *dst, const struct mt_image *src)
{
	size_t i;

	mt_image_init(dst);
	dst->term = src->term;
	dst->vote = src->vote;
	dst->first = src->first;
	snapshot_copy(&dst->snapshot, &src->snapshot);
	for (i = 0; i < src->n; i++)
		mt_image_append(dst, src->entries[i].term, src->entries[i].type,
				src->entries[i].data.p, src->entries[i].data.n);
}

bool
mt_image_equal(const struct mt_image *a, const struct mt_image *b)
{
	const struct mt_snapshot *s = &a->snapshot, *t = &b->snapshot;
	size_t i;

	if (a->term != b->term || a->vote != b->vote || a->first != b->first ||
	    a->n != b->n)
		return false;
	if (s->index != t->index || s->term != t->term ||
	    s->configuration_index != t->configuration_index ||
	    s->configuration_term != t->configuration_term ||
	    !blob_equal(&s->configuration, &t->configuration) ||
	    !blob_equal(&s->data, &t->data))
		return false;
	for (i = 0; i < a->n; i++) {
		const struct mt_entry *e = &a->entries[i], *f = &b->entries[i];

		if (e->term != f->term || e->type != f->type ||
		    !blob_equal(&e->data, &f->data))
			return false;
	}
	return true;
}

bool
mt_image_is_empty(const struct mt_image *image)
{
	return image->term == 0 && image->n == 0 && image->snapshot.index == 0;
}

uint64_t
mt_image_last(const struct mt_image *image)
{
	return image->first + image->n - 1;
}

const struct mt_entry *
mt_image_at(const struct mt_image *image, uint64_t index)
{
	if (index < image->first || index - image->first >= image->n)
		return NULL;
	return &image->entries[index - image->first];
}

uint64_t
mt_image_term_at(const struct mt_image *image, uint64_t index)
{
	const struct mt_entry *e = mt_image_at(image, index);

	if (e != NULL)
		return e->term;
	if (index > 0 && index == image->snapshot.index)
		return image->snapshot.term;
	return 0;
}

void
mt_image_append(struct mt_image *image, uint64_t term, enum mt_entry_type type,
		const void *p, size_t n)
{
	struct mt_entry *e;

	if (image->n == image->cap) {
		image->cap = image->cap == 0 ? 64 : image->cap * 2;
		image->entries = realloc(image->entries,
					 image->cap * sizeof *image->entries);
		MT_ASSERT(image->entries != NULL);
	}
	e = &image->entries[image->n++];
	*e = (struct mt_entry){.term = term, .type = type};
	mt_blob_set(&e->data, p, n);
}

void
mt_image_truncate(struct mt_image *image, uint64_t from)
{
	while (image->n > 0 && mt_image_last(image) >= from)
		mt_blob_release(&image->entries[--image->n].data);
}

void
mt_image_trim(struct mt_image *image, uint64_t upto)
{
	size_t k = 0;

	while (k < image->n && image->first + k <= upto)
		mt_blob_release(&image->entries[k++].data);
	if (k == 0)
		return;
	image->n -= k;
	image->first += k;
	memmove(image->entries, image->entries + k,
		image->n * sizeof *image->entries);
}

void
mt_image_set_snapshot(struct mt_image *image,
		      const struct mt_snapshot *snapshot)
{
	struct mt_snapshot copy;

	snapshot_copy(&copy, snapshot);
	snapshot_release(&image->snapshot);
	image->snapshot = copy;
}

void
mt_image_replay(struct mt_image *image, const struct mt_batch *batch)
{
	size_t i;

	image->term = batch->term;
	image->vote = batch->vote;
	if (batch->kind != MT_BATCH_NO_SNAPSHOT)
		mt_image_set_snapshot(image, &batch->snapshot);
	if (batch->kind == MT_BATCH_INSTALLED) {
		mt_image_truncate(image, 0);
		image->first = batch->snapshot.index + 1;
	} else if (batch->kind == MT_BATCH_TAKEN) {
		mt_image_trim(image, batch->trim);
	}
	if (batch->n == 0)
		return;
	mt_image_truncate(image, batch->first);
	if (image->n == 0)
		image->first = batch->first;
	for (i = 0; i < batch->n; i++)
		mt_image_append(
		    image, batch->entries[i].term, batch->entries[i].type,
		    batch->entries[i].data.p, batch->entries[i].data.n);
}

void
mt_batch_copy(struct mt_batch *dst, const struct mt_batch *src)
{
	size_t i;

	*dst = *src;
	dst->snapshot = (struct mt_snapshot){0};
	dst->entries = NULL;
	if (src->kind != MT_BATCH_NO_SNAPSHOT)
		snapshot_copy(&dst->snapshot, &src->snapshot);
	if (src->n == 0)
		return;
	dst->entries = calloc(src->n, sizeof *dst->entries);
	MT_ASSERT(dst->entries != NULL);
	for (i = 0; i < src->n; i++) {
		dst->entries[i].term = src->entries[i].term;
		dst->entries[i].type = src->entries[i].type;
		mt_blob_set(&dst->entries[i].data, src->entries[i].data.p,
			    src->entries[i].data.n);
	}
}

void
mt_batch_release(struct mt_batch *batch)
{
	size_t i;

	for (i = 0; i < batch->n; i++)
		mt_blob_release(&batch->entries[i].data);
	free(batch->entries);
	snapshot_release(&batch->snapshot);
	*batch = (struct mt_batch){0};
}

void
mt_image_configuration(const struct mt_image *image, struct mt_configuration *c)
{
	const struct mt_snapshot *s = &image->snapshot;
	size_t i;

	*c = (struct mt_configuration){0};
	for (i = image->n; i > 0; i--) {
		const struct mt_entry *e = &image->entries[i - 1];

		if (e->type != MT_ENTRY_CHANGE)
			continue;
		MT_ASSERT(mt_configuration_decode(c, e->data.p, e->data.n,
						  NULL) == 0);
		c->index = image->first + i - 1;
		c->term = e->term;
		return;
	}
	if (s->index == 0)
		return;
	MT_ASSERT(mt_configuration_decode(c, s->configuration.p,
					  s->configuration.n, NULL) == 0);
	c->index = s->configuration_index;
	c->term = s->configuration_term;
}

static int
check_snapshot(const struct mt_image *image, struct mt_err *err)
{
	const struct mt_snapshot *s = &image->snapshot;
	struct mt_configuration c = {0};

	if (s->index == 0)
		return 0;
	if (s->term == 0 || s->term > image->term)
		return mt_err_set(err, MT_EIO, "the snapshot's term is wrong");
	if (s->configuration_index == 0 || s->configuration_index > s->index)
		return mt_err_set(err, MT_EIO,
				  "the snapshot's configuration is too new");
	if (s->configuration_term == 0 || s->configuration_term > s->term)
		return mt_err_set(err, MT_EIO,
				  "the term of the snapshot's configuration "
				  "is wrong");
	if (mt_configuration_decode(&c, s->configuration.p, s->configuration.n,
				    err) != 0)
		return mt_err_prefix(err, "the snapshot's configuration");
	return 0;
}

int
mt_image_check(const struct mt_image *image, struct mt_err *err)
{
	struct mt_configuration c = {0};
	uint64_t term = 0;
	size_t i;
	int rv;

	rv = check_snapshot(image, err);
	if (rv != 0)
		return rv;
	if (image->first == 0 || image->first > image->snapshot.index + 1)
		return mt_err_set(err, MT_EIO,
				  "there is a gap below the log's first entry");
	if (mt_image_last(image) < image->snapshot.index)
		return mt_err_set(err, MT_EIO,
				  "the log ends before the snapshot does");
	if (image->term == 0 && (image->n > 0 || image->vote != 0))
		return mt_err_set(err, MT_EIO, "there is a log but no term");
	if (image->n > 0 && image->snapshot.index == 0 &&
	    image->entries[0].type != MT_ENTRY_CHANGE)
		return mt_err_set(err, MT_EIO,
				  "the first entry is no configuration");
	for (i = 0; i < image->n; i++) {
		const struct mt_entry *e = &image->entries[i];

		if (e->term < term || e->term == 0 || e->term > image->term)
			return mt_err_set(err, MT_EIO,
					  "an entry's term is wrong");
		term = e->term;
		if (e->type == MT_ENTRY_CHANGE &&
		    mt_configuration_decode(&c, e->data.p, e->data.n, err) != 0)
			return mt_err_prefix(err, "a configuration entry");
	}
	return 0;
}
