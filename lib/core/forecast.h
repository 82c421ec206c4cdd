/* SPDX-License-Identifier: PostgreSQL */
/*
 * What if the primary died now? The answer that the rules would give to it, and
 * what it would cost, from what is known at this instant. A forecast promises
 * nothing: positions are as old as the reports that tell them.
 */
#ifndef MT_CORE_FORECAST_H
#define MT_CORE_FORECAST_H

#include "core/candidate.h"

struct mt_forecast {
	char leader[MT_NAME_MAX];    /* "" = nobody holds the turn */
	char candidate[MT_NAME_MAX]; /* "" = nobody could take over */
	struct mt_candidates judged;
	struct mt_position primary; /* as last known, timeline 0 = unknown */
	/* Written by the primary and not received by the candidate, and how old
	 * that knowledge is. lost_known: both positions are known. */
	bool lost_known;
	/* A synchronous set stands: whoever takes over has all that was
	 * acknowledged; lost_bytes are of what was not. */
	bool in_sync;
	uint64_t lost_bytes;
	int64_t age_ms;
	/* How long nobody could write, about: its node gone without a word;
	 * PostgreSQL dead with the daemon alive; a switchover. 0 = there is no
	 * candidate: until the primary is back. */
	int64_t node_ms, crash_ms, switchover_ms;
	/* Did the last promotion tell how long one takes, or is it a guess? */
	bool measured;
};

void mt_forecast(const struct mt_view *view, struct mt_forecast *out);

#endif
