/* SPDX-License-Identifier: PostgreSQL */
/* The control file of a data directory, as pg_controldata tells it. */
#ifndef MT_PG_CONTROL_H
#define MT_PG_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/err.h"
#include "pg/bins.h"
#include "pg/command.h"

enum mt_pgctl_state {
	MT_PGCTL_UNKNOWN,
	MT_PGCTL_STARTING_UP,
	MT_PGCTL_SHUT_DOWN,
	MT_PGCTL_SHUT_DOWN_IN_RECOVERY,
	MT_PGCTL_SHUTTING_DOWN,
	MT_PGCTL_CRASH_RECOVERY,
	MT_PGCTL_ARCHIVE_RECOVERY,
	MT_PGCTL_PRODUCTION,
};

struct mt_pg_control {
	char sysid[24];
	enum mt_pgctl_state state;
	char state_text[40];               /* "in production" */
	int control_version;               /* 1300 */
	uint64_t checkpoint_lsn, redo_lsn; /* of the latest checkpoint */
	uint32_t timeline, prev_timeline;
	uint64_t min_recovery_lsn;      /* 0: none */
	uint32_t min_recovery_timeline; /* 0: none */
	bool wal_log_hints, checksums;
	uint64_t wal_segment_bytes;
	/* what the primary ran with; -1 where not told */
	int max_connections, max_worker_processes, max_wal_senders;
	int max_prepared_transactions, max_locks_per_transaction;
};

/* Parse pg_controldata's output in English. On error *control is unchanged. */
int mt_pg_control_parse(struct mt_pg_control *control, const char *text,
			struct mt_err *err) MT_MUSTCHECK;

/* One of the two is NULL; both borrowed for the call. Exactly once. */
typedef void (*mt_pg_control_cb)(void *arg, const struct mt_pg_control *control,
				 const struct mt_err *err);

/*
 * Run pg_controldata; 10 s at the most. *child (may be NULL) can be canceled
 * until cb is called. On an error cb is not called.
 */
int mt_pg_control_read(struct mt_child **child, uv_loop_t *loop,
		       const struct mt_pg_bins *bins, const char *data_dir,
		       mt_pg_control_cb cb, void *arg,
		       struct mt_err *err) MT_MUSTCHECK;

#endif
