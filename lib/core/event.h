/* SPDX-License-Identifier: PostgreSQL */
/*
 * What has become of the local PostgreSQL between two looks at it, for those
 * who are told by a script: postgresql.callbacks.
 */
#ifndef MT_CORE_EVENT_H
#define MT_CORE_EVENT_H

#include "core/view.h"

enum mt_event_kind {
	MT_EVENT_START,
	MT_EVENT_STOP,
	MT_EVENT_RESTART,
	MT_EVENT_RELOAD,
	MT_EVENT_ROLE_CHANGE,
};

struct mt_event {
	enum mt_event_kind kind;
	enum mt_pg_role role; /* it has now */
};

#define MT_EVENTS_MAX 4

/* What was told; zeroed = nothing yet. */
struct mt_events {
	bool running, up; /* as last seen; up: it answered since its start */
	enum mt_pg_role told; /* MT_ROLE_UNINITIALIZED: none yet */
	bool restarting;      /* ended, to be started again; not told */
	uint64_t reloads, given_up;
};

/* Compare with the last look; at most MT_EVENTS_MAX events, oldest first.
 * Returns how many. Call it at each change: what came and went between two
 * calls is not seen. */
int mt_events_next(struct mt_events *e, const struct mt_local *l,
		   struct mt_event out[MT_EVENTS_MAX]);

/* "on_start" */
const char *mt_event_name(enum mt_event_kind kind);

#endif
