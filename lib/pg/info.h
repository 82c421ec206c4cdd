/* SPDX-License-Identifier: PostgreSQL */
/*
 * What one look into the running PostgreSQL brings: the answer of the
 * monitoring query over the local session, in plain data.
 */
#ifndef MT_PG_INFO_H
#define MT_PG_INFO_H

#include <stdbool.h>
#include <stdint.h>

#define MT_PG_WALSENDERS_MAX 32

struct mt_pg_walsender {
	char usename[64];
	char application_name[64];
	char client_addr[64]; /* "" = a Unix socket */
	char state[24];
	char sync_state[16];
	int sync_priority;
	uint64_t flush_lsn;
};

#define MT_PG_SLOTS_MAX 32

struct mt_pg_slot {
	char name[64];
	bool physical; /* and not temporary: a member may have it */
	bool active;
	uint64_t restart_lsn; /* the oldest WAL that it keeps; 0 = none */
};

struct mt_pg_info {
	int64_t at_ms;       /* mt_clock_ms() of the answer; 0 = never */
	int server_version;  /* 150020 */
	char start_time[48]; /* postmaster_start_time as PostgreSQL prints it */
	char sysid[24];
	bool in_recovery;
	uint32_t timeline; /* primary: current; standby: received or own */
	uint32_t checkpoint_timeline; /* of the latest checkpoint */
	uint64_t current_lsn;         /* primary */
	uint64_t flush_lsn;           /* primary */
	uint64_t received_lsn;        /* standby, 0 = nothing streamed yet */
	uint64_t replayed_lsn;        /* standby */
	char replayed_time[48];       /* "" = null */
	bool replay_paused;
	bool streaming; /* the walreceiver's status is streaming */
	bool has_receiver;
	uint64_t latest_end_lsn; /* of the walreceiver */
	char receipt_time[48];   /* of its last message; "" = null */
	int n_walsenders;
	struct mt_pg_walsender walsenders[MT_PG_WALSENDERS_MAX];
	int n_slots; /* physical ones first, then by name */
	struct mt_pg_slot slots[MT_PG_SLOTS_MAX];
	int n_sync_waiting; /* sessions whose commit waits for standbys */
};

#endif
