/* SPDX-License-Identifier: PostgreSQL */
/*
 * The settings of the cluster: the dynamic document, parsed. Plain data without
 * pointers, so that the core can hold and compare it. Parsing never fails: what
 * is missing or invalid has its default, what is too low its minimum.
 */
#ifndef MT_CONF_SETTINGS_H
#define MT_CONF_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

/* No lease lasts longer: a day. */
#define MT_TTL_MAX_MS (INT64_C(24) * 3600 * 1000)

enum mt_sync_mode {
	MT_SYNC_OFF,
	MT_SYNC_ON,
	MT_SYNC_QUORUM,
};

/* A member that is none: who waits for it waits. No member may have the name.
 */
#define MT_SYNC_PLACEHOLDER "__patroni_strict_sync_replica_placeholder__"

struct mt_settings {
	int64_t ttl_ms;                   /* 5 s, at least 2 s */
	int64_t loop_wait_ms;             /* 10 s, at least 1 s */
	int64_t retry_timeout_ms;         /* 10 s, at least 3 s */
	int64_t maximum_lag_on_failover;  /* bytes, 1 MiB */
	int64_t max_timelines_history;    /* shown; 0: no limit */
	int64_t max_concurrent_clones;    /* 0: no limit */
	int64_t primary_start_timeout_ms; /* 300 s; 0: hand over at once */
	int64_t primary_stop_timeout_ms;  /* 0: no limit */
	int64_t suspect_timeout_ms;       /* 500 ms, at least 200 ms */
	int64_t primary_hang_timeout_ms;  /* 10 s; 0: off */
	int64_t synchronous_node_count;   /* 1, at least 1 */
	int64_t maximum_lag_on_syncnode;  /* bytes; 0 and less: off */
	enum mt_sync_mode synchronous_mode;
	bool sync_waits_for_lease;    /* failover_in_sync is "lease" */
	bool synchronous_mode_strict; /* commits wait even where nobody is */
	bool check_timeline;
	bool pause;
	bool use_pg_rewind;
	bool use_slots; /* true; always where commits wait for several */
	bool remove_data_directory_on_rewind_failure;
	bool remove_data_directory_on_diverged_timelines;
};

void mt_settings_defaults(struct mt_settings *s);
/* doc is borrowed and may be NULL or anything: then all are defaults. */
void mt_settings_parse(struct mt_settings *s, const json_t *doc);

/* Another name by which the document may have an option, or NULL. */
const char *mt_settings_alias(const char *path);
/* Is path such a name? */
bool mt_settings_is_alias(const char *path);

#endif
