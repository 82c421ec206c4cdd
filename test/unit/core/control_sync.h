/* SPDX-License-Identifier: PostgreSQL */
/* The controller in synchronous mode: who was heard, and what it asks for. */
#ifndef MT_TEST_CORE_CONTROL_SYNC_H
#define MT_TEST_CORE_CONTROL_SYNC_H

#include "control.h"
#include "given_sync.h"

/* Their streaming has ended under the epoch's fence, and they told where. */
static inline void
heard(const char *members)
{
	for (; *members != '\0'; members++) {
		report_of(*members - '0')->fenced = EPOCH;
		report_of(*members - '0')->stopped = EPOCH;
	}
}

static inline bool
asks(enum mt_fence_kind kind)
{
	return plan.fence && plan.fence_req.kind == kind &&
	       plan.fence_req.epoch == EPOCH && plan.fence_req.term == TERM;
}

#endif
