/* SPDX-License-Identifier: PostgreSQL */
#include "test/sim/sim.h"
bool scenario_run(struct sim *w, const char *name) { (void)w; (void)name; return false; }
const char *scenario_name(int i) { (void)i; return NULL; }
