/* SPDX-License-Identifier: PostgreSQL */
/*
 * Suspicion of a holder whose daemon is silent, in synchronous mode: is its
 * PostgreSQL's port dead, too? Each other member tries the port, witnesses
 * among them, and tells in its reports what it found. A host whose port answers
 * lives, or one whose WAL arrives, and its lease is waited for
 * (doc/protocol.md, ground Y).
 *
 * Nothing of this is part of safety: who is suspected wrongly loses time.
 */
#ifndef MT_CORE_SUSPECT_H
#define MT_CORE_SUSPECT_H

#include "core/view.h"

#define MT_PROBE_DEADLINE_MS 200 /* then the port counts as dead */

/* What one member finds; all zero at first. */
struct mt_probing {
	uint64_t epoch; /* whose holder is silent here, 0 = nobody is */
	bool under_way;
	uint64_t of;      /* the epoch that the one under way is about */
	int64_t begun_ms; /* the last connection, 0 = none yet */
	int64_t since_ms; /* when the silence was noticed */
	bool streams;     /* its WAL arrived since, and lately */
	enum mt_port found;
};

/* Once per turn of the loop. True: connect to *url now, and say with
 * mt_probing_ended what came of it. *look_again_ms is when to call again at
 * the latest, 0 = need not. */
bool mt_probing_step(struct mt_probing *p, const struct mt_view *v,
		     char url[MT_URL_MAX], int64_t *look_again_ms);
void mt_probing_ended(struct mt_probing *p, enum mt_port found);
/* For the report. */
enum mt_port mt_probing_finding(const struct mt_probing *p);

/* May another be primary before this holder's lease has ended? It waits for
 * standbys, though perhaps it has not applied yet that the log counts on them.
 */
bool mt_may_be_displaced(const struct mt_view *v);

/* If the holder's machine were gone, could it be suspected: is synchronous mode
 * in force, is the lease not waited for by failover_in_sync, and would enough
 * members find its port dead? */
bool mt_may_suspect(const struct mt_view *v);

/* Has the holder been silent for suspect_timeout, and do two members at least,
 * and all that report, find its port dead? led_since_ms counts where it was
 * never heard. */
bool mt_suspects_holder(const struct mt_view *v, int64_t led_since_ms,
			int64_t *look_again_ms);

#endif
