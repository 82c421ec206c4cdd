/* SPDX-License-Identifier: PostgreSQL */
/*
 * The node's parts and who may touch them. Events mark the node dirty
 * (node__wake); once per turn of the loop node__step makes a view, decides and
 * executes. Each file below owns its part of the struct.
 */
#ifndef MT_DAEMON_NODE_INTERNAL_H
#define MT_DAEMON_NODE_INTERNAL_H

#include <uv.h>

#include "base/log.h"
#include "consensus/driver.h"
#include "consensus/store.h"
#include "consensus/writer.h"
#include "core/agent.h"
#include "core/clones.h"
#include "core/controller.h"
#include "core/keep.h"
#include "core/suspect.h"
#include "daemon/api/api.h"
#include "daemon/api/tls.h"
#include "daemon/callbacks.h"
#include "daemon/node.h"
#include "daemon/postgres.h"
#include "peer/peers.h"

struct node_waiter;

#define MT_COMMAND_KINDS (MT_CMD_SYNC_PUT + 1)
#define NODE_WATCHERS_MAX 4

/* propose.c: a command on its way to the log. */
struct node_proposal {
	struct node_proposal *next;
	uint64_t id;
	char *text; /* owned */
	size_t n;
	int64_t until_ms;
	uint64_t sent_to; /* raft id of the leader that has it, 0 = none yet */
	/* who wants to know: another node, or a callback here */
	uint64_t from, from_id;
	mt_propose_cb cb;
	void *cb_arg;
};

/* A kind of command that a plan proposed and that is not settled yet. */
struct node_pending {
	bool in_flight;
	uint64_t index;   /* of the last, to be applied here first */
	int64_t again_ms; /* not before, after a failure */
};

enum node_phase {
	NODE_FORMING, /* waits for the listed members */
	NODE_FORMED,  /* has a Raft image, the driver runs */
};

struct mt_node {
	const struct mt_conf *conf;
	uv_loop_t *loop;
	int exit_status;
	struct mt_err *exit_err;

	/* node.c */
	uv_timer_t timer;
	uv_prepare_t prepare;
	uv_idle_t idle;
	uv_check_t check;
	uv_signal_t signals[3]; /* SIGTERM, SIGINT, SIGHUP */
	bool dirty, closing, closed;
	int open_parts; /* peers, API, PostgreSQL, that close by callback */
	bool stopping;
	int64_t stopping_ms;
	int64_t turn_began_ms; /* of the loop, after it polled */
	struct {
		void (*fn)(void *arg);
		void *arg;
	} watchers[NODE_WATCHERS_MAX];

	/* reload.c */
	bool reading, read_again;      /* the configuration, in a worker */
	struct mt_conf *next_conf;     /* read, and not taken over yet */
	struct mt_tls *next_tls;       /* of next_conf, NULL: plain HTTP */
	struct mt_secure *next_secure; /* the same, NULL: plain streams */
	struct mt_conf *own_conf;      /* conf, once it was read again */
	struct node_waiter *reload_waiters;
	bool unmet_said; /* how bootstrap.dcs differs */

	/* quorum.c */
	enum node_phase phase;
	struct mt_store *store;
	struct mt_disk *disk;
	uv_async_t disk_async;
	struct mt_driver *driver;
	struct mt_image image; /* until the driver has it */
	uint64_t raft_id, cluster_id;
	bool forming_write; /* the first image is being written */
	bool reload_wanted; /* writing failed: try until it works */
	int64_t reload_ms;
	char waiting_for[256];
	int64_t waiting_logged_ms;
	struct mt_voters durable_voters, committed_voters;
	int64_t leader_seen_s; /* wall clock of the last known leader */

	/* the agreed, the promised, the reported */
	struct mt_state state;
	struct mt_settings settings;
	uint64_t settings_version, members_digest;
	struct mt_keep keep;
	struct mt_controller controller;
	struct mt_reports reports;
	struct mt_report sent; /* last report */
	int64_t sent_ms;
	uint64_t report_seq;
	int apply_rv; /* of the last applied command */
	uint64_t apply_index;
	char apply_why[MT_WHY_MAX];

	/* probe.c */
	struct mt_probing probing;
	struct node_probe *probe; /* under way, or NULL */

	/* propose.c */
	struct node_proposal *proposals;
	uint64_t next_proposal;
	struct node_pending pending[MT_COMMAND_KINDS];

	/* observe.c, execute.c */
	int64_t turn_ms;
	uint64_t turn_epoch;
	/* Highest version of sync that this process put on, or would have:
	 * until the state is past it something may still come. */
	uint64_t sync_asked;
	int64_t status_put_ms;
	uint64_t exempt_ended; /* the newest whose end was proposed */
	uint64_t phases_of; /* the turn (its first epoch) that they speak of */
	int64_t phases_ms;  /* when it was first seen, 0 = in its middle */
	struct mt_phases phases;
	char gave_up_why[MT_WHY_MAX];
	struct mt_clones clones;
	bool wants_clone; /* as the agent's last plan has it */
	int64_t alone_ms; /* no primary was heard of since; 0: one is */
	const char *agent_rule, *control_rule;
	enum mt_act agent_act;
	char agent_why[MT_WHY_MAX], control_why[MT_WHY_MAX];
	char doing[MT_WHY_MAX]; /* node__doing's, for the API */
	int64_t heartbeat_ms;   /* of the "no action" line */
	char heartbeat[2 * MT_CONF_NAME_MAX + 128]; /* what it said */

	/* errands.c */
	struct mt_errand errand; /* under way; kind NONE: none */
	uint64_t errand_ids;
	struct mt_errand_news errand_news;
	bool restart_failed; /* the last start was for one, and failed */

	/* schedule.c */
	json_t *schedule; /* as its file has it; NULL: none */
	struct mt_restart scheduled;
	bool schedule_writing, schedule_again;

	/* remarks.c */
	bool knew_log;           /* this process has been up to date once */
	uint64_t remarked;       /* the last decision that was looked at */
	uint64_t remarked_epoch; /* in which nobody's turn was noted */
	bool alone;              /* nobody is there to wait for, and that was
				  * said */

	struct mt_peers *peers;
	struct mt_postgres *pg;         /* NULL: witness */
	struct mt_callbacks *callbacks; /* NULL: witness */
	struct mt_api *api;
	struct mt_api_backend backend;
};

/* node.c */
void node__wake(struct mt_node *n);
/* End the daemon with this error; PostgreSQL is left as it is. */
void node__fail(struct mt_node *n, const char *fmt, ...) MT_PRINTF(2, 3);
void node__exit(struct mt_node *n, int status);
/* Ask for an orderly end. */
void node__stop(struct mt_node *n);

/* reload.c */
/* Read the configuration again, and take over what can be. cb, or NULL, is told
 * whether it could be read. */
void node__reload(struct mt_node *n, mt_reload_cb cb, void *arg);
void node__reload_tick(struct mt_node *n);
/* Tell those that wait that the daemon ends; free what is left. */
void node__reload_close(struct mt_node *n);
void node__reload_free(struct mt_node *n);
/* Warn once of what the file's bootstrap.dcs has otherwise. */
void node__say_unmet(struct mt_node *n);

/* quorum.c: store, forming, Raft */
int node__quorum_open(struct mt_node *n, struct mt_err *err) MT_MUSTCHECK;
void node__quorum_tick(struct mt_node *n, int64_t now_ms);
int64_t node__quorum_next_ms(const struct mt_node *n);
void node__quorum_close(struct mt_node *n);
bool node__leads(const struct mt_node *n);

/* talk.c: peers, reports, messages */
int node__talk_open(struct mt_node *n, struct mt_err *err) MT_MUSTCHECK;
/* By this from now on (taken); where it cannot be, that is said. */
void node__encrypt(struct mt_node *n, struct mt_secure *secure);
void node__talk_hello(struct mt_node *n);
void node__talk_reports(struct mt_node *n, const struct mt_view *view);
int64_t node__talk_next_ms(const struct mt_node *n);

/* probe.c: the PostgreSQL port of a holder that is silent. Returns when to look
 * again, 0 = need not. */
int64_t node__probe(struct mt_node *n, const struct mt_view *view);
void node__probe_close(struct mt_node *n);

/* forming.c */
void node__form(struct mt_node *n);
int node__form_hello(struct mt_node *n, const struct mt_hello *theirs,
		     char *why, size_t size);
uint64_t node__id_of_address(const char *addr);

/* propose.c */
void node__propose(struct mt_node *n, const struct mt_command *cmd,
		   int64_t timeout_ms, mt_propose_cb cb, void *arg);
/* For plans: one of a kind at a time, not again too soon. False: not now. */
bool node__propose_planned(struct mt_node *n, const struct mt_command *cmd);
void node__propose_remote(struct mt_node *n, uint64_t from, const uint8_t *p,
			  size_t size);
void node__propose_answered(struct mt_node *n, uint64_t from, const uint8_t *p,
			    size_t size);
void node__propose_submitted(struct mt_node *n, uint64_t cookie, int rv);
void node__propose_done(struct mt_node *n, uint64_t cookie,
			enum mt_outcome outcome);
/* Leadership may have changed: send what waits. */
void node__propose_tick(struct mt_node *n, int64_t now_ms);
int64_t node__propose_next_ms(const struct mt_node *n);
void node__propose_close(struct mt_node *n);

/* observe.c, execute.c */
void node__observe(struct mt_node *n, struct mt_view *view);
/* What it waits for, and what its PostgreSQL suffers from. */
void node__doing(const struct mt_node *n, char *buf, size_t size);
void node__report(struct mt_node *n, const struct mt_view *view,
		  struct mt_report *r);
/* The local member as it wants to be known. */
void node__self(const struct mt_node *n, struct mt_member *m);
/* The line about the leader that log scrapers look for. */
void node__say_holder(const struct mt_node *n, enum mt_log_level level);
void node__execute(struct mt_node *n, const struct mt_view *view,
		   struct mt_plan *plan);
void node__execute_control(struct mt_node *n,
			   const struct mt_control_plan *plan);

/* errands.c: what people ask of this PostgreSQL. The number of the errand; the
 * one before it is over. */
uint64_t node__restart(struct mt_node *n, const struct mt_restart *how);
uint64_t node__reinit(struct mt_node *n, bool from_leader);
void node__errand_observe(struct mt_node *n, struct mt_local *l);
/* Has it ended? Returns when to look again, 0 = need not. */
int64_t node__errand_look(struct mt_node *n, struct mt_view *view);
/* The state of PostgreSQL as people are told it. */
enum mt_pg_state node__pg_state(const struct mt_node *n,
				const struct mt_local *l);

/* schedule.c: the scheduled restart. Read what was kept; and the end. */
void node__schedule_open(struct mt_node *n);
void node__schedule_free(struct mt_node *n);
/* body NULL: there is to be none. cb, or NULL, when it is durable. */
void node__schedule(struct mt_node *n, const json_t *body, mt_schedule_cb cb,
		    void *arg);
/* Is it due? Returns when to look again, 0 = need not. */
int64_t node__schedule_look(struct mt_node *n, const struct mt_view *view);
void node__schedule_tell(const struct mt_node *n, char *buf, size_t size);
/* Its time as it was given, "" = none. */
const char *node__schedule_at(const struct mt_node *n);

/* remarks.c: lines for those who watch the log. */
void node__remark(struct mt_node *n, const struct mt_view *view);

/* backend.c */
void node__backend(struct mt_node *n);

#endif
