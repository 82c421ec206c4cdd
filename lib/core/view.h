/* SPDX-License-Identifier: PostgreSQL */
/*
 * The view: everything that a node knows at one instant, and so all that a
 * decision may depend on. daemon/observe.c fills it; the agent and the
 * controller only read it.
 */
#ifndef MT_CORE_VIEW_H
#define MT_CORE_VIEW_H

#include "conf/settings.h"
#include "core/errand.h"
#include "core/lease.h"
#include "core/record.h"
#include "core/report.h"
#include "core/state.h"

enum mt_data_kind {
	MT_DATA_UNKNOWN, /* not looked at yet */
	MT_DATA_EMPTY,   /* absent, or an empty directory */
	MT_DATA_PARTIAL, /* a bootstrap, clone or rewind did not finish */
	MT_DATA_PRESENT, /* a cluster, control file read */
	MT_DATA_FOREIGN, /* not empty, and no cluster that we can read */
};

/* pg_control's state, as far as it matters while the server is down */
enum mt_control_state {
	MT_CONTROL_UNKNOWN,
	MT_CONTROL_SHUT_DOWN,          /* clean, was primary */
	MT_CONTROL_SHUT_DOWN_RECOVERY, /* clean, was standby */
	MT_CONTROL_PRODUCTION,         /* crashed or running as primary */
	MT_CONTROL_RECOVERY,           /* crashed or running as standby */
	MT_CONTROL_OTHER,              /* starting up, shutting down */
};

/* Standbys that PostgreSQL waits for, sorted, and how many must flush. */
struct mt_names {
	int n, k;
	char names[MT_NODES_MAX][MT_NAME_MAX];
};

/* What a standby has confirmed to this primary. */
struct mt_flushed {
	char name[MT_NAME_MAX];
	uint64_t lsn;
	uint64_t most; /* in this life of the primary: a walreceiver that starts
			* anew begins lower, which is no lag */
	bool streaming;
	int64_t last_ms; /* when it last streamed, or this primary began */
};

/* A long action beside the loop; one at a time. */
enum mt_job {
	MT_JOB_NONE,
	MT_JOB_BOOTSTRAP, /* initdb, users, clean stop */
	MT_JOB_CLONE,
	MT_JOB_RECOVER, /* what a primary's crash left, by a single-user server
			 */
	MT_JOB_REWIND,
	MT_JOB_START,       /* until it accepts connections */
	MT_JOB_STOP,        /* until the postmaster is gone */
	MT_JOB_PRE_PROMOTE, /* the script that may refuse */
	MT_JOB_PROMOTE,
	MT_JOB_CHECKPOINT,
	MT_JOB_FOLLOW,
	MT_JOB_SLOTS,
	MT_JOB_DISCARD,
	MT_JOB_NAMES, /* synchronous_standby_names, until it is in effect */
	MT_JOB_FENCE, /* until no WAL arrives any more, position read */
};

const char *mt_job_name(enum mt_job job);

struct mt_local {
	char name[MT_NAME_MAX];
	uint64_t raft_id, incarnation;
	bool witness;
	bool stopping;       /* asked to end, PostgreSQL with it */
	int64_t stopping_ms; /* since when */
	bool state_current;  /* applied what the leader says is committed */
	bool fencing;        /* the sentinel is wanted (fencing: on) */

	/* data directory */
	enum mt_data_kind data;
	char sysid[MT_SYSID_MAX];
	uint64_t data_id; /* 0 = none in it */
	bool can_bootstrap;
	bool bootstrapped; /* initialized by this node, and not yet taken by
			    * the cluster */
	bool fresh; /* bootstrapped by this process, or found down under its
		     * claim, and never started since */
	enum mt_control_state control; /* read after each end of the server */
	/* The end of the data as pg_control knows it: the shutdown checkpoint
	 * of a primary, the minimum recovery point of a standby. */
	struct mt_position checkpoint;
	/* The end of its write-ahead log, after a primary's end; timeline 0:
	 * not found. */
	bool end_pending; /* it is being looked for */
	struct mt_position end;
	/* Copied from a backup and from no member, it has followed nobody: how
	 * it came to what it has is not known. */
	bool restored;
	bool can_restore; /* a method makes a replica without a member */
	bool keeps_data;  /* a method goes by what is in the directory */
	/* Since when no primary has been heard of; 0: one is. */
	int64_t alone_ms;
	bool no_hints; /* neither checksums nor wal_log_hints: no pg_rewind */
	int64_t rewound_ms; /* the last rewind's end, 0 = none */
	int rewinds;        /* that went well, in short succession */

	/* server */
	bool running;    /* a postmaster exists, whatever it does */
	bool as_primary; /* it runs or was started as primary, or promotes */
	bool guarded;    /* its sentinel is attached */
	bool foreign;    /* which did not start it, but found it running */
	bool bare; /* this process found it running without one, and did not
		    * take an epoch since */
	bool accepting; /* answers our session */
	bool in_recovery;
	struct mt_position at; /* primary: current; standby: received */
	uint64_t replayed_lsn;
	bool streaming;
	int64_t wal_heard_ms; /* a message came to its walreceiver after that, 0
			       * = not known */
	char upstream[MT_NAME_MAX];    /* whom it was told to follow */
	char upstream_url[MT_URL_MAX]; /* and where */
	bool rewindable;  /* as primary: its checkpoint is of its timeline */
	bool slots_ready; /* as primary: one for each member */
	/* Since when the primary has not answered a fresh connection, or its
	 * data volume no write; 0 = both answer, or nobody asks. */
	int64_t unanswered_ms;
	bool volume_hangs; /* it is the volume */
	bool hung;         /* was ended by force for that, and not replaced */
	bool hung_again;   /* and not for the first time lately */
	uint64_t reloads;  /* of its configuration, by this process */
	bool died;         /* the postmaster ended and nobody had asked it to */
	int64_t died_ms;

	char gave_up_why[MT_WHY_MAX]; /* its last turn; "" = not known */
	/* How long after this node saw the assignment of its present turn; 0 =
	 * not yet, or this process did not see it; see mt_phases. */
	int64_t leased_ms, promoted_ms, writable_ms;

	/* what was promised, durably */
	struct mt_record record;

	/* lease of this node for the epoch in hand */
	uint64_t lease_epoch;
	int64_t turn_ms;     /* when this node first saw the state's epoch */
	bool had_lease;      /* for lease_epoch, in this process's life */
	int64_t deadline_ms; /* writing must have ended; 0 = no lease. After a
			      * restart: what the old sentinel was armed with */

	int64_t
	    lease_ttl_ms; /* that the lease was last extended with, 0 none */
	/* From then on it has missed a round of support; 0 = it had none. */
	int64_t missed_ms;
	/* As primary it runs on at the lease's end, and its sentinel knows:
	 * an exemption of this turn was committed, and it was not armed since.
	 */
	bool exempt;
	/* The newest exemption whose end this process has proposed: it may be
	 * over although the state still has it. */
	uint64_t exempt_ended;

	/* long actions */
	enum mt_job job;
	int64_t job_since_ms;
	int64_t patience_ms;  /* with a start for another primary; 0 = all */
	enum mt_job last_job; /* the last that ended */
	bool last_job_failed;
	bool source_gone;        /* for it could not reach its source */
	int64_t last_job_ms;     /* when it ended */
	int failures;            /* of the same job, in a row */
	uint64_t checkpoint_for; /* request id whose checkpoint is done */
	bool has_pre_promote;    /* a script is asked before a promotion */
	uint64_t pre_promoted;   /* the turn, by its first epoch, that it let */
	int64_t refused_ms;      /* when it last refused, 0 = never */
	int64_t promote_sent_ms; /* 0 = not sent in this turn */
	int64_t status_put_ms;   /* when the status was last proposed */

	/* what people asked of this server */
	struct mt_errand errand;
	uint32_t server_version; /* 150004; 0 = not known */
	bool pending_restart;    /* a parameter waits for it */
	bool scheduled_restart;  /* there is one */

	/* synchronous replication */
	struct mt_names names; /* as last written to the server's files */
	bool names_settled;    /* and proven to be in effect, no older one is */
	uint64_t names_mark;   /* as primary: its flush LSN taken after that */
	bool names_any;        /* written as ANY */
	/* Of this process's sync.puts some may still be on their way to the
	 * log: until the version changes PostgreSQL's setting may not. */
	bool sync_in_doubt;
	/* The fence under which it receives nothing and its position was read;
	 * 0 = it may be receiving. */
	uint64_t stopped;
};

struct mt_view {
	int64_t now_ms, wall_ms;
	const struct mt_state *state;
	const struct mt_reports *reports;
	const struct mt_settings *settings;
	struct mt_local local;
	json_t *bootstrap_config;         /* of the local file; borrowed */
	const struct mt_history *history; /* the server's own, as primary */
	int n_history;
	const struct mt_flushed *flushed; /* by standbys, as primary */
	int n_flushed;
	/* Raft, for the controller */
	bool leads; /* leader, and an entry of its own term is applied */
	uint64_t term;
	struct mt_voters voters; /* newest committed configuration */
};

const struct mt_flushed *mt_flushed_find(const struct mt_view *v,
					 const char *name);
void mt_names_sort(struct mt_names *names);

#endif
