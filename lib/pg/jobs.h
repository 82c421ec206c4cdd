/* SPDX-License-Identifier: PostgreSQL */
/*
 * The long works on a data directory while no server runs on it: bootstrap,
 * clone, recover, rewind, discard. Each but recover, which may be interrupted
 * like any crash recovery, sets the "unfinished" marker in raft.data_dir before
 * it touches anything and clears it when all is done and durable; a job that
 * failed or was canceled leaves the marker, except where it says so. After
 * success the directory has a new data id (but after recover: its data is the
 * same) and the configuration is written;
 * after a clone or rewind as a standby that follows nobody: whom it may follow
 * is for the owner to write (mt_pg_conf_write) before it starts the server. No
 * job touches a directory in which a postmaster runs (MT_EBUSY).
 */
#ifndef MT_PG_JOBS_H
#define MT_PG_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <uv.h>

#include "base/err.h"
#include "conf/conf.h"
#include "pg/bins.h"

struct mt_pg_job;

enum mt_pg_job_kind {
	MT_PG_JOB_BOOTSTRAP,
	MT_PG_JOB_CLONE,
	MT_PG_JOB_RECOVER,
	MT_PG_JOB_REWIND,
	MT_PG_JOB_DISCARD,
};

struct mt_pg_job_result {
	enum mt_pg_job_kind kind;
	struct mt_err err; /* code 0: done; MT_ECANCELED */
	/* REWIND: nothing was touched, the marker is cleared: try again */
	bool untouched;
	bool no_source;   /* and that because it could not be reached */
	char sysid[24];   /* "" after discard */
	uint64_t data_id; /* new; 0 after discard and recover */
};

/* conf, bins and parameters are borrowed until on_done, strings are copied. */
struct mt_pg_job_options {
	uv_loop_t *loop;
	const struct mt_conf *conf;
	const struct mt_pg_bins *bins; /* with its version */
	const json_t *parameters;      /* as from mt_pgconf_parameters */
	/* CLONE, REWIND: the member's conn_url. CLONE: "" where there is none:
	 * then only methods that say no_leader are tried. */
	const char *source_url;
	/* REWIND: how long archive_command may go on failing; 0: a minute */
	int64_t archive_within_ms;
	/* CLONE: the system identifier that the data must have; NULL: any */
	const char *sysid;
	bool plain; /* CLONE: by pg_basebackup, whatever the methods are */
	/* How long one program may take; 0: for ever. Then as canceled, but
	 * MT_ETIMEDOUT. */
	int64_t timeout_ms;
	/* A step began, or went on. percent is -1 where nobody knows. May be
	 * NULL. May cancel. */
	void (*on_progress)(void *arg, const char *what, int percent);
	/* Exactly once, never from inside start; the job is gone after it. */
	void (*on_done)(void *arg, const struct mt_pg_job_result *result);
	void *arg;
};

/* On an error nothing was done and on_done will not come. */
int mt_pg_bootstrap_start(struct mt_pg_job **job,
			  const struct mt_pg_job_options *options,
			  struct mt_err *err) MT_MUSTCHECK;
/* By the methods of the configuration, in their order. The data directory's
 * contents are removed first, unless a method says otherwise. */
int mt_pg_clone_start(struct mt_pg_job **job,
		      const struct mt_pg_job_options *options,
		      struct mt_err *err) MT_MUSTCHECK;
/* A single-user server replays the log of a crashed primary and shuts it down
 * cleanly. source_url is not used. */
int mt_pg_recover_start(struct mt_pg_job **job,
			const struct mt_pg_job_options *options,
			struct mt_err *err) MT_MUSTCHECK;
int mt_pg_rewind_start(struct mt_pg_job **job,
		       const struct mt_pg_job_options *options,
		       struct mt_err *err) MT_MUSTCHECK;
/* Empties the data directory, in a worker thread. source_url is not used. */
int mt_pg_discard_start(struct mt_pg_job **job,
			const struct mt_pg_job_options *options,
			struct mt_err *err) MT_MUSTCHECK;

/* on_done comes with MT_ECANCELED (or with success, if it was done). Twice is
 * no error. A discard cannot be canceled and runs to its end. */
void mt_pg_job_cancel(struct mt_pg_job *job);
enum mt_pg_job_kind mt_pg_job_kind(const struct mt_pg_job *job);
/* What was copied so far, and how much there is; 0: not known. */
void mt_pg_job_bytes(const struct mt_pg_job *job, int64_t *done, int64_t *all);

#endif
