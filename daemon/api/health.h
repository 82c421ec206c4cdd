/* SPDX-License-Identifier: PostgreSQL */
/*
 * Health checks: which status code a path gets, as a pure function of a few
 * facts, so that each row of the table is tested without a server.
 */
#ifndef MT_DAEMON_API_HEALTH_H
#define MT_DAEMON_API_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct mt_view;

enum mt_health_kind {
	MT_HEALTH_NONE, /* no check has this path: 503 */
	MT_HEALTH_PRIMARY,
	MT_HEALTH_LEADER,
	MT_HEALTH_STANDBY_LEADER,
	MT_HEALTH_REPLICA,
	MT_HEALTH_READ_ONLY,
	MT_HEALTH_HEALTH,
	MT_HEALTH_SYNC,
	MT_HEALTH_QUORUM,
	MT_HEALTH_ASYNC,
	MT_HEALTH_READ_ONLY_SYNC,
	MT_HEALTH_READ_ONLY_QUORUM,
	MT_HEALTH_LIVENESS,
	MT_HEALTH_READINESS,
};

struct mt_health_input {
	int64_t now_ms; /* of this very moment */
	/* lease */
	bool holds;     /* the newest epoch known names this node */
	bool deposed;   /* it names another one */
	uint64_t epoch; /* of that assignment */
	uint64_t lease_epoch;
	int64_t deadline_ms; /* of the lease; 0 = none */
	bool exempt;       /* needs none: nobody else gets the turn meanwhile */
	bool displaceable; /* another may be primary before that deadline */
	int64_t missed_ms; /* from when on a round of support is missed */
	/* cluster */
	bool fresh; /* a Raft leader was heard of within a ttl */
	bool paused;
	/* PostgreSQL; a witness has none and leaves all this false */
	bool accepting; /* answers, and is not being stopped */
	bool in_recovery;
	bool streaming;
	bool restore; /* a restore_command is set */
	bool sync_standby, quorum_standby;
	bool noloadbalance;
	uint64_t leader_lsn; /* the furthest known of the primary, 0 unknown */
	bool has_leader_lsn; /* at least the walreceiver or a fresh view told */
	uint64_t received_lsn, replayed_lsn;
	int64_t maximum_lag_on_failover;
	const json_t *tags; /* as configured, object, may be NULL */
};

/* What the view alone says; the rest is left 0. */
void mt_health_of_view(const struct mt_view *view, struct mt_health_input *in);

/* The check of a path (without query), by the known order of tests. */
enum mt_health_kind mt_health_kind(const char *path);

/* The paths that have a check, one by one, without the slash; NULL: no more.
 * Besides them "/" has one. */
const char *mt_health_path(size_t i);

/* 200 or 503. query as in the request, "" for none. */
int mt_health_code(const struct mt_health_input *in, enum mt_health_kind kind,
		   const char *query);

/* "10MB", "1.5kB", "1024": bytes; -1 if unparsable. */
int64_t mt_health_lag_bytes(const char *text);

#endif
