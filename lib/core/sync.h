/* SPDX-License-Identifier: PostgreSQL */
/*
 * Synchronous sets: what PostgreSQL waits for, what the log counts on, and the
 * steps from one to another on which no acknowledged commit is ever lost.
 *
 * A commit is acknowledged when k_pg of the standbys S_pg have flushed it. A
 * failover asks n - k_log + 1 of the standbys S_log, and takes the furthest.
 * The two may stand beside each other only if each set that may have
 * acknowledged meets each set that may be asked (doc/protocol.md, rule
 * COEXIST).
 */
#ifndef MT_CORE_SYNC_H
#define MT_CORE_SYNC_H

#include "core/view.h"

/* A set of standbys, as bits of a table of names, and how many must flush.
 * k == 0 iff the set is empty. */
struct mt_sync_conf {
	uint32_t set;
	int k;
};

/* The bit of MT_SYNC_PLACEHOLDER, which never flushes: in what PostgreSQL waits
 * for, not in the log. */
#define MT_SYNC_NOBODY (UINT32_C(1) << 31)

/* The table of names that the other bits stand for. */
struct mt_sync_names {
	int n;
	char names[2 * MT_NODES_MAX - 1][MT_NAME_MAX];
};
/* The bit of a name, added if it is new. */
uint32_t mt_sync_bit(struct mt_sync_names *t, const char *name);

/* May PostgreSQL's setting stand beside the log's? holder is the bit of the
 * primary, 0 if it has none. */
bool mt_sync_coexist(struct mt_sync_conf pg, struct mt_sync_conf log,
		     uint32_t holder);
/* While a reload is under way the worst mix of both counts. */
struct mt_sync_conf mt_sync_mix(struct mt_sync_conf a, struct mt_sync_conf b);

enum mt_sync_step {
	MT_SYNC_STAY,  /* both are at the target */
	MT_SYNC_NAMES, /* change synchronous_standby_names to *next */
	MT_SYNC_PUT,   /* change the log to *next */
	MT_SYNC_STUCK, /* there is no way: never for well-formed input */
};

/* The first step of the shortest way on which PostgreSQL comes to the target,
 * the log to its own, and each pair on it, the mixes included, may coexist. The
 * two targets differ where no standby is left: PostgreSQL waits for nobody, and
 * the log counts on the holder alone. */
enum mt_sync_step mt_sync_plan(struct mt_sync_conf pg, struct mt_sync_conf log,
			       struct mt_sync_conf target,
			       struct mt_sync_conf target_log, uint32_t holder,
			       struct mt_sync_conf *next);

/* How many of S must be heard, so that one of them has each acknowledged
 * commit: n - k + 1. */
int mt_sync_needed(const struct mt_sync *sync);

/* What the holder wants to come to: from mode, count, and who is fit. False:
 * nobody is. Then it is nothing; in strict mode those that it waits for now,
 * or the placeholder. */
bool mt_sync_target(const struct mt_view *v, struct mt_names *target);
/* Would the holder take this member out of the set, if it is to be stopped?
 * Strict mode keeps it where nobody could take its place. */
bool mt_sync_lets_go(const struct mt_view *v, const char *name);
/* Are commits to wait even where no standby is? */
bool mt_sync_is_strict(const struct mt_settings *set);

/* What a standby of the set has in its names before it is promoted: k of the
 * others, or k - 1 where there are no more, for it has everything itself. In
 * strict mode it waits for nobody rather than for none. */
void mt_sync_names_for(const struct mt_sync *sync, const char *self,
		       bool strict, struct mt_names *names);

/* synchronous_standby_names; buf has MT_SYNC_TEXT_MAX. Returns buf. */
#define MT_SYNC_TEXT_MAX (MT_NODES_MAX * (2 * MT_NAME_MAX + 4) + 32)
char *mt_sync_text(char *buf, const struct mt_names *names, bool quorum);
bool mt_names_equal(const struct mt_names *a, const struct mt_names *b);

#endif
