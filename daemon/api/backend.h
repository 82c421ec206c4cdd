/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the API sees of the node. The daemon fills it in; handlers read it and
 * propose commands, and know nothing of how either works.
 */
#ifndef MT_DAEMON_API_BACKEND_H
#define MT_DAEMON_API_BACKEND_H

#include "conf/conf.h"
#include "core/command.h"
#include "core/view.h"
#include "pg/info.h"

struct mt_raft_member {
	uint64_t id;
	char name[MT_NAME_MAX]; /* "" = not known yet */
	char address[MT_ADDR_MAX];
	const char *role; /* "voter", "standby", "spare" */
	bool connected;
	int64_t contact_age_ms; /* since its last message; -1 never */
};

struct mt_raft_info {
	uint64_t id;
	char state[16]; /* "leader", "follower", "candidate", "forming" */
	uint64_t term, leader_id;
	char leader[MT_NAME_MAX];
	uint64_t last_index, commit_index, applied_index, snapshot_index;
	int64_t last_write_ms, max_write_ms; /* of the store */
	int64_t running_write_ms;            /* of the one under way; 0 none */
	uint64_t writes, write_failures;
	int n_members;
	struct mt_raft_member members[MT_NODES_MAX];
	char waiting_for[256]; /* while forming: who is awaited; else "" */
	uint64_t digest;       /* of the state at applied_index */
};

/* How a proposal ended: 0 and applied, or negative and why. */
typedef void (*mt_propose_cb)(void *arg, int rv, uint64_t index,
			      const char *why);

/* Could the configuration be read? 0, or negative and why: it stays. */
typedef void (*mt_reload_cb)(void *arg, int rv, const char *why);

/* 0: what was scheduled, or taken back, is durable; else negative and why. */
typedef void (*mt_schedule_cb)(void *arg, int rv, const char *why);

struct mt_api_backend {
	void *arg;
	const struct mt_conf *conf;
	const char *version;
	/* The view of this instant; pointers in it live until the next turn
	 * of the loop. */
	void (*view)(void *arg, struct mt_view *view);
	/* Lease deadline is part of view.local; this is PostgreSQL's answer. */
	const struct mt_pg_info *(*pg)(void *arg);
	void (*raft)(void *arg, struct mt_raft_info *info);
	/* Until a majority had answered the last renewal of the lease, ms. */
	int64_t (*round_trip)(void *arg);
	/* What the daemon does or waits for, one line, "" = nothing. */
	const char *(*doing)(void *arg);
	/* Wall clock of the last contact with a Raft leader, seconds; 0 never.
	 */
	int64_t (*last_seen)(void *arg);
	/* Through the Raft leader, wherever it is. cb fires exactly once. */
	void (*propose)(void *arg, const struct mt_command *cmd,
			int64_t timeout_ms, mt_propose_cb cb, void *cb_arg);
	/* Read the configuration again; cb fires exactly once, and later. */
	void (*reload)(void *arg, mt_reload_cb cb, void *cb_arg);
	/* Take up an errand (core/errand.h): its number; the one before it is
	 * over. Whether it may be is for the caller to check. */
	uint64_t (*restart)(void *arg, const struct mt_restart *how);
	uint64_t (*reinit)(void *arg, bool from_leader);
	/* The scheduled restart: a body that mt_restart_parse takes (copied),
	 * or NULL: there is to be none. cb fires exactly once. */
	void (*schedule)(void *arg, const json_t *body, mt_schedule_cb cb,
			 void *cb_arg);
	/* How the last one ended. */
	const struct mt_errand_news *(*errand_news)(void *arg);
	/* mt_conf_explain of what is in force; a new reference. */
	json_t *(*explain)(void *arg);
	/* fn is called on the loop at each change of the view; until removed.
	 */
	void (*watch)(void *arg, void (*fn)(void *fn_arg), void *fn_arg);
	void (*unwatch)(void *arg, void (*fn)(void *fn_arg), void *fn_arg);
};

#endif
