/* SPDX-License-Identifier: PostgreSQL */
/*
 * Raft's properties, checked against what all nodes have shown so far: election
 * safety, log matching, leader completeness, state machine safety,
 * configuration taken from the log; and what the driver itself promises about
 * submissions and about being current.
 *
 * A node's view is compared with the truth at the moment it could act on it:
 * when a batch is written, when it leads, when it commits, when it applies.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "raftsim_internal.h"

void
check_fail(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (w->r->verdict != RAFTSIM_PASSED)
		return;
	w->r->verdict = RAFTSIM_UNSAFE;
	va_start(ap, fmt);
	vsnprintf(w->r->why, sizeof w->r->why, fmt, ap);
	va_end(ap);
	sim_trace(w, "VIOLATION: %s", w->r->why);
}

bool
check_failed(const struct world *w)
{
	return w->r->verdict != RAFTSIM_PASSED;
}

static uint64_t
hash_entry(const struct mt_entry *e)
{
	uint64_t h = mt_hash(MT_HASH_SEED, &e->term, sizeof e->term);
	uint8_t type = (uint8_t)e->type;

	return mt_hash(mt_hash(h, &type, 1), e->data.p, e->data.n);
}

static struct seen *
find_seen(struct world *w, uint64_t index, uint64_t term)
{
	uint64_t key[2] = {index, term};
	uint64_t k = mt_hash(MT_HASH_SEED, key, sizeof key) % MATCH_SLOTS;

	while (w->seen[k].index != 0 &&
	       (w->seen[k].index != index || w->seen[k].term != term))
		k = (k + 1) % MATCH_SLOTS;
	return &w->seen[k];
}

/* Log matching: index and term name one entry, and all before it. */
static void
check_entry(struct node *n, uint64_t index, const struct mt_entry *e)
{
	struct world *w = n->w;
	uint64_t previous = mt_image_term_at(mt_driver_image(n->d), index - 1);
	struct seen *s = find_seen(w, index, e->term);
	uint64_t hash = hash_entry(e);

	if (s->index == 0) {
		*s = (struct seen){index, e->term, hash, previous};
	} else if (s->hash != hash) {
		check_fail(w,
			   "log matching: node %u has another entry %llu of "
			   "term %llu",
			   n->id, (unsigned long long)index,
			   (unsigned long long)e->term);
	} else if (previous != 0 && s->previous_term != 0 &&
		   previous != s->previous_term) {
		check_fail(w,
			   "log matching: node %u has another entry before "
			   "%llu of term %llu",
			   n->id, (unsigned long long)index,
			   (unsigned long long)e->term);
	}
	if (index <= n->applied && index <= w->committed &&
	    w->committed_term[index] != 0 &&
	    w->committed_term[index] != e->term)
		check_fail(w, "node %u overwrites its committed entry %llu",
			   n->id, (unsigned long long)index);
}

void
check_batch(struct node *n, const struct mt_batch *batch)
{
	size_t i;

	if (n->d == NULL)
		return;
	for (i = 0; i < batch->n; i++)
		check_entry(n, batch->first + i, &batch->entries[i]);
}

void
check_leader(struct node *n, uint64_t term)
{
	struct world *w = n->w;
	const struct mt_image *image = mt_driver_image(n->d);
	uint64_t i;

	w->r->elections++;
	if (term >= TERMS_MAX) {
		check_fail(w, "the simulator ran out of terms");
		return;
	}
	if (w->leader_of[term] != 0 && w->leader_of[term] != n->id)
		check_fail(w, "election safety: nodes %u and %u lead term %llu",
			   w->leader_of[term], n->id, (unsigned long long)term);
	if (w->leader_of[term] == 0)
		w->committed_before[term] = w->committed;
	w->leader_of[term] = n->id;
	for (i = image->snapshot.index + 1; i <= w->committed; i++)
		if (mt_image_term_at(image, i) != w->committed_term[i])
			check_fail(w,
				   "leader completeness: node %u leads term "
				   "%llu without committed entry %llu of term "
				   "%llu",
				   n->id, (unsigned long long)term,
				   (unsigned long long)i,
				   (unsigned long long)w->committed_term[i]);
}

/* What this node newly believes to be committed. */
void
check_commits(struct node *n)
{
	struct world *w = n->w;
	uint64_t commit = mt_driver_commit_index(n->d);

	if (commit >= INDEXES_MAX) {
		check_fail(w, "the simulator ran out of indexes");
		return;
	}
	for (; n->seen_commit < commit; n->seen_commit++) {
		uint64_t i = n->seen_commit + 1;
		const struct mt_entry *e =
		    mt_image_at(mt_driver_image(n->d), i);
		uint64_t hash;

		if (e == NULL) /* in a snapshot: compared when restored */
			continue;
		hash = hash_entry(e);
		if (w->committed_term[i] == 0) {
			w->committed_term[i] = e->term;
			w->committed_hash[i] = hash;
			w->r->commits++;
		} else if (w->committed_hash[i] != hash) {
			check_fail(
			    w,
			    "state machine safety: node %u commits "
			    "another entry %llu, of term %llu instead of "
			    "%llu",
			    n->id, (unsigned long long)i,
			    (unsigned long long)e->term,
			    (unsigned long long)w->committed_term[i]);
		}
		if (i > w->committed)
			w->committed = i;
	}
}

void
check_apply(struct node *n, uint64_t index, uint64_t term, const void *p,
	    size_t bytes)
{
	struct world *w = n->w;

	if (index <= n->applied || index >= INDEXES_MAX) {
		check_fail(w, "node %u applies entry %llu after %llu", n->id,
			   (unsigned long long)index,
			   (unsigned long long)n->applied);
		return;
	}
	n->machine = mt_hash(n->machine, &index, sizeof index);
	n->machine = mt_hash(n->machine, &term, sizeof term);
	n->machine = mt_hash(n->machine, p, bytes);
	n->applied = index;
	if (w->machine_at[index] == 0)
		w->machine_at[index] = n->machine;
	else if (w->machine_at[index] != n->machine)
		check_fail(w,
			   "state machine safety: node %u differs after entry "
			   "%llu",
			   n->id, (unsigned long long)index);
}

void
check_restore(struct node *n, uint64_t index)
{
	struct world *w = n->w;

	if (n->applied > index ||
	    (n->applied > 0 && w->machine_at[n->applied] != n->machine))
		check_fail(w,
			   "state machine safety: node %u has a wrong snapshot "
			   "of %llu",
			   n->id, (unsigned long long)index);
}

/* A node that calls itself current holds what was committed before its term's
 * leader was elected. */
void
check_current(struct node *n)
{
	struct world *w = n->w;
	uint64_t term = mt_driver_term(n->d);

	if (!mt_driver_is_current(n->d) || term >= TERMS_MAX)
		return;
	if (mt_driver_applied_index(n->d) < w->committed_before[term])
		check_fail(w,
			   "node %u is current at %llu, but %llu was committed "
			   "before term %llu",
			   n->id,
			   (unsigned long long)mt_driver_applied_index(n->d),
			   (unsigned long long)w->committed_before[term],
			   (unsigned long long)term);
}

/* A node goes by the newest configuration of its log, and knows the committed
 * one by index and term, out of a snapshot, too: rule 9. */
void
check_configuration(struct node *n)
{
	const struct mt_configuration *c =
	    mt_driver_committed_configuration(n->d);
	uint64_t truth = c->index > 0 ? n->w->committed_term[c->index] : 0;

	if (truth != 0 && c->term != truth)
		check_fail(n->w,
			   "configuration: node %u takes the one of %llu for "
			   "one of term %llu, not %llu",
			   n->id, (unsigned long long)c->index,
			   (unsigned long long)c->term,
			   (unsigned long long)truth);
	if (!mt_driver_follows_log(n->d))
		check_fail(
		    n->w,
		    "configuration: node %u goes by another one than "
		    "its log's newest, %llu",
		    n->id,
		    (unsigned long long)mt_driver_configuration(n->d)->index);
}

void
check_done(struct node *n, uint64_t cookie, enum mt_outcome outcome)
{
	struct world *w = n->w;
	struct submit *s = &w->submits[cookie];
	uint64_t truth;

	check_commits(n);
	truth = w->committed_term[s->index];
	if (!s->open)
		check_fail(w, "submission %llu is done twice",
			   (unsigned long long)cookie);
	s->open = false;
	if (outcome == MT_OUTCOME_APPLIED && truth != s->term)
		check_fail(w,
			   "submission %llu is called applied, but entry %llu "
			   "is of term %llu",
			   (unsigned long long)cookie,
			   (unsigned long long)s->index,
			   (unsigned long long)truth);
	if (outcome == MT_OUTCOME_LOST && (truth == 0 || truth == s->term))
		check_fail(w, "submission %llu is called lost, and is not",
			   (unsigned long long)cookie);
}
