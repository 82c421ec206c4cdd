/* SPDX-License-Identifier: PostgreSQL */
/* Rows of the agent's tables in synchronous mode. */
#ifndef MT_TEST_CORE_AGENT_SYNC_H
#define MT_TEST_CORE_AGENT_SYNC_H

#include "decide.h"
#include "given_sync.h"

static inline bool
wants(const char *members, int k)
{
	return w_plan.act == MT_ACT_NAMES &&
	       names_are(&w_plan.names, members, k);
}

#endif
