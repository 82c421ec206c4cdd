/* SPDX-License-Identifier: PostgreSQL */
/* Inside lib/core: what apply.c has in other files. */
#ifndef MT_CORE_APPLY_INTERNAL_H
#define MT_CORE_APPLY_INTERNAL_H

#include "core/command.h"

/* decision.put. Once: whoever comes a second time knows less. */
int apply__phases(struct mt_state *s, const struct mt_command *cmd,
		  struct mt_err *err);
/* The decision of a config.put that is about to change the configuration;
 * false: nobody asked for it over the API. */
bool apply__change(const struct mt_state *s, const struct mt_command *cmd,
		   struct mt_decision *d);

#endif
