/* SPDX-License-Identifier: PostgreSQL */
/* Fewer faults that fail in the same way, and the command that runs them. */
#ifndef MT_SIM_SHRINK_H
#define MT_SIM_SHRINK_H

#include "test/sim/sim.h"

/* One run, from its options; w says how it ended. True: all held. */
bool sim_run(struct sim *w, const struct sim_options *o);

/* w has just failed with these options, without a written schedule: print the
 * faults that are enough for it, and how to run them. w is used for that. */
void shrink_print(struct sim *w, const struct sim_options *o);

/* "3,7,9" or "none"; false: not understood. */
bool shrink_parse(const char *list, bool keep[SIM_FAULTS_MAX]);

#endif
