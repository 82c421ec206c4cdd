/* SPDX-License-Identifier: PostgreSQL */
/*
 * Who may be promoted, in which order, and why not the others.
 */
#ifndef MT_CORE_CANDIDATE_H
#define MT_CORE_CANDIDATE_H

#include "core/view.h"

struct mt_candidates {
	int n;
	struct mt_verdict verdicts[MT_NODES_MAX]; /* each data member's */
	int best; /* index of the chosen one, -1 = nobody */
};

struct mt_candidate_rules {
	const char *only;         /* the one that was asked for, or NULL */
	const char *except;       /* may not be it, or NULL */
	struct mt_position least; /* must have this, timeline 0 = any */
	uint64_t applied;         /* its report must know the log up to here */
	bool forced; /* how far it is does not matter: people decided that */
	/* Only members of the synchronous set that receive no more WAL since
	 * this fence; 0 = anybody, by the lag. */
	uint64_t stopped;
	/* The same without a fence: who of the set is there. */
	bool in_set;
};

/* Judge all data members by their reports. The best has the furthest position,
 * then the highest failover_priority, then the first name. */
void mt_candidates_judge(const struct mt_view *view,
			 const struct mt_candidate_rules *rules,
			 struct mt_candidates *out);

/* The first thing that speaks against this member, or NULL. seen may be NULL.
 */
const char *mt_candidate_objection(const struct mt_view *view,
				   const struct mt_candidate_rules *rules,
				   const struct mt_member *m,
				   const struct mt_seen *seen);
/* By the synchronous set: what speaks against the best of it, "too-few-heard"
 * or "not-the-furthest", or NULL (doc/protocol.md, rule 6). stopped 0: as if
 * all that are there had been fenced. heard: how many there are, without
 * except. */
const char *mt_candidates_of_set(const struct mt_view *view, const char *except,
				 uint64_t stopped, struct mt_candidates *found,
				 int *heard);

/* The furthest position known of the primary: what the holder reported last,
 * or the status, which may be that of the primary before it. timeline 0: none
 * is known. */
struct mt_position mt_primary_position(const struct mt_view *view);

/* What is known of each data member, without a choice: rule is "holder" for him
 * who has the turn, "not-asked" for all others. */
void mt_candidates_seen(const struct mt_view *view, struct mt_candidates *out);

/* One line for people: "node2: chosen; node3: behind". */
void mt_candidates_text(const struct mt_candidates *c, char *buf, size_t size);

#endif
