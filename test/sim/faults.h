/* SPDX-License-Identifier: PostgreSQL */
/* The kinds of faults that a seed draws. */
#ifndef MT_SIM_FAULTS_H
#define MT_SIM_FAULTS_H

#include "test/sim/sim.h"

enum fault {
	F_ISOLATE,
	F_LINK,
	F_SPLIT,
	F_CLASS,
	F_STORM,
	F_LOSS,
	F_HEAL,
	F_KILL,
	F_CRASH,
	F_FREEZE,
	F_PG,
	F_TERMINATE,
	F_SWITCHOVER,
	F_TTL,
	F_DISK,
	F_TRANSFER,
	F_RATE,
	F_FENCE,
	F_REASSIGN,
	F_SYNC,
	F_WIPE,
	F_PAUSE, /* begins it, or ends it */
	F_ONE_WAY,
	F_SENTINEL,
	F_SLEEP,
	F_HANG,
	F_MEMBER,
	F_ERRAND,
	FAULTS,
};

const char *fault_name(enum fault f);
void fault_inject(struct sim *w, enum fault f);
/* Each machine that is down, and is not to stay so, is switched on. */
void fault_boot_the_dead(struct sim *w, int64_t least_us, int64_t most_us);
/* More often than not the one that matters most. */
struct node *fault_some_node(struct sim *w);
bool fault_is_paused(const struct node *n);
void fault_draw_clocks(struct sim *w);
/* It hears nobody, or nobody hears it. */
void fault_one_way(struct sim *w, int node, bool deaf, bool hold);

#endif
