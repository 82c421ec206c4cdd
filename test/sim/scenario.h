/* SPDX-License-Identifier: PostgreSQL */
/* The words that written schedules are made of. */
#ifndef MT_SIM_SCENARIO_H
#define MT_SIM_SCENARIO_H

#include "test/sim/sim.h"

void pass(struct sim *w, int64_t ms);
/* Until it holds; the run fails if it does not come to that. */
void expect(struct sim *w, const char *what,
	    bool (*holds)(struct sim *w, int arg), int arg, int64_t ms);
/* The same, and goes on if it does not. */
void try_for(struct sim *w, const char *what,
	     bool (*holds)(struct sim *w, int arg), int arg, int64_t ms);

bool leads(struct sim *w, int node);
bool epoch_is(struct sim *w, int epoch); /* or a later one */
bool serves(struct sim *w, int node);
bool gave_up(struct sim *w, int node);

int the_primary(struct sim *w);
/* A node of the first configuration that is neither. */
int the_other(const struct sim *w, int a, int b);

void cut(struct sim *w, int a, int b, unsigned classes, bool hold);
void let_lead(struct sim *w, int node);
/* Form, boot all, until the cluster works. */
void start_all(struct sim *w);

/* scenario_members.c */
void members_by_durable_log(struct sim *w);
void members_one_by_one(struct sim *w);

/* scenario_sync.c */
void sync_counts_again(struct sim *w);
void sync_put_of_old(struct sim *w);
void sync_fence_lasts(struct sim *w);
void sync_dead_timeline(struct sim *w);
void sync_other_data(struct sim *w);
void sync_loss_accepted(struct sim *w);
void sync_loss_waits(struct sim *w);

/* scenario_fast.c */
void fast_beside_the_old(struct sim *w);
void fast_though_well(struct sim *w);
void fast_in_vain(struct sim *w);
void fast_port_accepts(struct sim *w);
void fast_one_way(struct sim *w);
void fast_streams(struct sim *w);
void fast_hears_enough(struct sim *w);
void fast_majority(struct sim *w);
void fast_without_a_set(struct sim *w);
void fast_then_release(struct sim *w);

/* scenario_pause.c */
void exempt_is_heeded(struct sim *w);
void exempt_until_armed(struct sim *w);
void exempt_anew(struct sim *w);
void exempt_from_what_is_due(struct sim *w);

/* scenario_clients.c */
void names_in_order(struct sim *w);
void cancelled_is_not_promised(struct sim *w);

#endif
