/* SPDX-License-Identifier: PostgreSQL */
/*
 * Limits and small types that all of lib/core shares. The core allocates
 * nothing but the configuration document: names, lists and texts have fixed
 * room, and a limit that is reached is an error where it is reached.
 */
#ifndef MT_CORE_TYPES_H
#define MT_CORE_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/net.h"

#define MT_NAME_MAX 64 /* member names, with the terminating zero */
/* MT_ADDR_MAX, "host:port", is that of base/addr.h */
#define MT_URL_MAX 320
#define MT_TAGS_MAX 512 /* tags as compact JSON */
#define MT_NODES_MAX 16
#define MT_SYSID_MAX 24 /* PostgreSQL system identifier as text */
#define MT_WHY_MAX 192
#define MT_WHO_MAX 128
#define MT_RULE_MAX 32

/* What the local PostgreSQL is doing; texts and numbers are those of the REST
 * API (mt_pg_state_name). */
enum mt_pg_state {
	MT_PG_INITIALIZING = 0,
	MT_PG_INITDB_FAILED = 1,
	MT_PG_BOOTSTRAPPING = 2, /* by a command of the operator's */
	MT_PG_BOOTSTRAP_FAILED = 3,
	MT_PG_CREATING_REPLICA = 4,
	MT_PG_RUNNING = 5,
	MT_PG_STARTING = 6,
	MT_PG_START_FAILED = 8,
	MT_PG_RESTARTING = 9,
	MT_PG_RESTART_FAILED = 10,
	MT_PG_STOPPING = 11,
	MT_PG_STOPPED = 12,
	MT_PG_STOP_FAILED = 13,
	MT_PG_CRASHED = 14,
};

enum mt_pg_role {
	MT_ROLE_UNINITIALIZED,
	MT_ROLE_REPLICA,
	MT_ROLE_PRIMARY,
	MT_ROLE_PROMOTED, /* promote sent, not yet out of recovery */
	MT_ROLE_DEMOTED,  /* was primary, stopped */
};

const char *mt_pg_state_name(enum mt_pg_state state);
const char *mt_pg_role_name(enum mt_pg_role role);

/* Who asked for something over the API, and from where. who is "" where nobody
 * did, "-" where he did not have to say. */
struct mt_origin {
	char who[MT_WHO_MAX];
	char from[MT_NET_MAX]; /* his address */
};

/* A position in the history of a cluster: the furthest of two is the one with
 * the higher timeline, then the higher LSN, never by LSN alone. */
struct mt_position {
	uint32_t timeline; /* 0 = unknown */
	uint64_t lsn;
};

int mt_position_compare(struct mt_position a, struct mt_position b);

#endif
