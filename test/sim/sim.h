/* SPDX-License-Identifier: PostgreSQL */
/*
 * The cluster simulator: several nodes in one process under a virtual clock.
 * Real: state, controller, agent, candidates, lease (lib/core) and the Raft
 * driver (lib/consensus). Modelled: network, disk, clocks, the daemon's shell,
 * sentinel and PostgreSQL. Everything is drawn from one seed; the same seed
 * gives the same run to the byte.
 *
 * Times: true time in microseconds (`_us`); a node's own clock in milliseconds
 * (`_ms`), as the code under test sees it.
 */
#ifndef MT_SIM_SIM_H
#define MT_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "consensus/driver.h"
#include "core/agent.h"
#include "core/controller.h"
#include "core/keep.h"
#include "core/suspect.h"
#include "core/sync.h"
#include "daemon/api/health.h"
#include "test/sim/pg.h"

#define SIM_NOBODY (UINT32_C(1) << 30) /* in a set: the placeholder */
#define SIM_BRANCHES_MAX 512
#define SIM_LOG_MAX 8192
#define SIM_FAULTS_MAX 1024
#define SIM_MAX_LAG (1 << 20) /* maximum_lag_on_failover, undrawn */
#define SIM_EPOCHS_MAX 2048
#define SIM_MS INT64_C(1000)
#define SIM_S INT64_C(1000000)
/* No drawn seed lasts longer, but where it is run for its liveness. */
#define SIM_SEED_US (30 * SIM_S)

struct sim;
struct node;

/* ---- events (world.c) --------------------------------------------------- */

enum event_kind {
	EV_WAKE, /* a node's timer */
	EV_MESSAGE,
	EV_LOG_WRITTEN,    /* a batch of the Raft log is durable */
	EV_RECORD_WRITTEN, /* a node record is durable */
	EV_REOPEN,         /* writing works again after a failed write */
	EV_BOOT,           /* a daemon starts */
	EV_THAW,
	EV_GONE,     /* a peer's stream was closed */
	EV_PROBED,   /* a connection to the holder's port has ended */
	EV_JOB,      /* a child of the daemon ends */
	EV_PG,       /* PostgreSQL reaches its next state */
	EV_PG_WRITE, /* a client writes, walsenders send */
	EV_PG_RECEIVE,
	EV_PG_CONFIRM,    /* a walsender learns what its standby has */
	EV_SENTINEL,      /* its timer */
	EV_SENTINEL_KILL, /* and the end of its kill */
	EV_FAULT,         /* the schedule's next */
	EV_AWAKE,         /* a machine wakes */
	EV_OPERATOR,      /* who changes the members tries again */
};

struct message;

struct event {
	int64_t at_us;
	uint64_t seq; /* order of creation, for equal times */
	enum event_kind kind;
	int node;
	uint32_t gen; /* of the daemon's or PostgreSQL's life */
	uint64_t a, b;
	struct message *message; /* owned */
};

/* ---- network (net.c) ----------------------------------------------------- */

enum message_class {
	CLASS_RAFT = 1,
	CLASS_SUPPORT = 2,
	CLASS_FENCE = 4,
	CLASS_REPORT = 8,
	CLASS_PROPOSE = 16,
	CLASS_PG = 32,    /* replication and clones, not messages */
	CLASS_PROBE = 64, /* new connections to PostgreSQL's port, no more */
	CLASS_ALL = 127,
};

struct message {
	struct message *next; /* while held */
	int from, to;
	uint32_t from_life, to_life;
	enum message_class class;
	int kind; /* enum mt_keep_message */
	size_t n;
	uint8_t bytes[];
};

struct link {
	unsigned blocked; /* classes that are lost */
	unsigned held;    /* classes that wait for the link to heal */
	int64_t last_us;  /* last delivery of the ordered stream */
	int64_t extra_us; /* upper bound of additional delay */
	unsigned extra_classes;
	struct message *hold, **hold_end;
};

struct net {
	struct link links[SIM_NODES_MAX][SIM_NODES_MAX];
	int64_t least_us, most_us; /* usual delay */
	int loss_percent;          /* of lease messages and reports */
	int twice_percent;         /* delivered twice, lease messages only */
};

/* ---- one node (node.c) --------------------------------------------------- */

struct job {
	enum mt_job kind;
	int64_t since_ms;
	uint32_t number;
	bool done, failed; /* for children of the daemon */
	int source;        /* clone, rewind, follow: node */
	uint64_t request_id;
	uint64_t fence;  /* its epoch */
	uint32_t pg_gen; /* the server's life in which it began */
	int phase;
};

struct node {
	struct sim *sim;
	int i;
	char name[16];
	bool witness;
	bool spare; /* not in the first configuration */
	uint64_t raft_id;

	/* machine */
	bool powered;
	int64_t asleep_us; /* until this time */
	int64_t
	    waking_us; /* its sentinel may take until then; 0 = it has not */
	int64_t clock_us, true_us; /* the clock showed this at that time */
	int64_t rate_ppm;
	int64_t slow_us; /* additional delay of each write */
	bool write_fails;
	bool absent;                 /* its machine stays away */
	unsigned snapshot_threshold; /* taken up at the next boot */

	/* disk */
	struct mt_image disk;
	struct mt_record record;
	struct pg pg;
	struct mt_sync_conf names_file; /* beside the Raft store */
	bool names_file_any;
	/* Known to the checks: where it stood when it was last fenced. */
	uint64_t heard_epoch, heard_data_id;
	struct mt_position heard_at;

	/* daemon */
	bool alive, frozen;
	uint64_t freezes; /* how often: the end of one ends no other */
	bool booting;
	uint32_t life;
	struct mt_driver *driver;
	const struct mt_batch *batch; /* being written */
	bool log_write_fails;
	struct mt_state *state;
	uint64_t chain; /* hash of all that was applied */
	struct mt_settings settings;
	uint64_t settings_version;
	struct mt_keep keep;
	struct mt_record record_writing;
	bool record_busy;
	struct mt_reports reports;
	struct mt_probing probing;
	uint64_t probe; /* number of the last one */
	struct mt_controller controller;
	bool controller_busy; /* a proposal is under way */
	bool closed;          /* the driver, by a failed write */
	bool dirty;           /* a step is due */
	int64_t wake_us;      /* timer is set for this time, 0 = none */
	bool stopping;
	int64_t stopping_ms;
	bool fresh;
	bool slots_ready;
	bool died;
	bool saw_running;
	int64_t died_ms;
	uint64_t turn_epoch;
	int64_t turn_ms;
	struct job job;
	struct mt_errand errand;
	uint64_t errands;
	enum mt_job last_job;
	bool last_job_failed;
	int64_t last_job_ms;
	int failures;
	uint64_t checkpoint_for;
	bool knows_upstream;
	struct mt_sync_conf names, names_before;
	bool names_any, names_settled;
	bool names_from_nowhere; /* nothing is known of those before */
	uint64_t names_mark, sync_asked, stopped;
	struct mt_flushed flushed[SIM_NODES_MAX];
	int n_flushed;
	int64_t promote_sent_ms, status_put_ms;
	uint64_t exempt_ended;
	enum mt_command_kind proposed;
	uint64_t proposed_index;
	int64_t proposed_ms;
	uint64_t report_seq, report_key;
	int64_t report_ms;
	int64_t seen_lease_end_ms;     /* for the check */
	struct mt_health_input health; /* as of its last turn */
	int64_t leader_seen_ms;        /* Raft's, 0 = never */
	uint64_t seen_driver;          /* hash of what matters of the driver */
	int64_t unanswered_ms; /* since when its primary hangs, 0 = not */
	bool hung, hung_twice; /* it was ended for that */
	int64_t hung_ms;       /* the last time, 0 = never */
	const char *last_rule, *last_control_rule; /* for the trace */
	struct event *backlog;                     /* while frozen */
	int n_backlog, cap_backlog;
};

/* ---- the world ----------------------------------------------------------- */

#define SIM_VARIANTS 4

struct logged {
	uint64_t term, hash; /* of the command that was applied */
	uint64_t seen_term;  /* it was committed in this term or before */
	uint64_t chain;      /* hash of everything applied up to here */
	uint64_t digest;     /* of the state after it, 0 = not taken */
	uint64_t whole;      /* the same by mt_state_digest() */
	bool applied;
	/* entries that were ever written at this index */
	struct {
		uint64_t term, hash;
	} written[SIM_VARIANTS];
};

struct sim_options {
	uint64_t seed;
	const char *schedule; /* NULL = drawn */
	bool liveness;        /* drawn, with as long to heal as it takes */
	bool trace;
	bool lease_only;   /* what a mutant is to die of */
	int drift_percent; /* of clocks, at most */
	const bool *keep;  /* only these faults, by number; NULL = all */
};

struct sim_stats {
	uint64_t events, promotions, assignments, fences, releases, boots;
	uint64_t writes, faults, writes_failed, snapshots, renewals, clones,
	    rewinds, wipes, hopeless, acks, stopped, puts, sync_turns, probes,
	    fast_turns, losses, digests, cancels, reads, members,
	    members_waited, restarts, reinits;
	/* How often it was judged that all works again, and that writing went
	 * on after one fault, each within its bound. */
	uint64_t healed, outages;
	int64_t simulated_us;
	int64_t converge_us;
	int64_t outage_us; /* the longest without writing, of one fault */
};

/* What a seed is about; schedule.c says how long each part may take. */
enum sim_kind {
	KIND_STORM, /* faults nearly to the end */
	KIND_HEAL,  /* faults that end early: all has to work again */
	KIND_CALM,  /* all is well, then one fault: writing has to go on */
	KIND_LONG,  /* all three, one after the other: of a liveness run */
};

struct setup {
	enum sim_kind kind;
	int n, n_data, n_spare;
	bool members; /* spare ones come, votes are taken and given */
	int ttl_s, loop_wait_s;
	bool rewind, start_in_place;
	unsigned snapshot_threshold;
	int64_t faults_until_us;
	int weights[32]; /* of each fault */
	bool sync;       /* synchronous replication may come into play */
	enum mt_sync_mode sync_mode; /* at the beginning */
	int sync_count;
	bool sync_strict, sync_priorities;
	int64_t sync_lag;        /* maximum_lag_on_syncnode */
	int64_t lag_us, late_us; /* upper bounds: of streaming, of news */
	int64_t fault_every_us;
	bool digests; /* those of the code under test, too */
	bool slow_pg;
	bool idle;         /* no client writes */
	bool sees_streams; /* daemons notice soon that WAL arrives */
	int64_t max_lag;
	int hang_s; /* primary_hang_timeout */
	bool check_timeline;
	int nofailover; /* the node that has the tag, -1 = none */
	int priority[SIM_NODES_MAX];
};

struct sim {
	struct sim_options options;
	struct setup setup;
	uint64_t rng;
	uint64_t clients; /* the chance of clients.c */
	int64_t now_us;
	int64_t end_us; /* no run goes on beyond this time; 0 = no bound */
	struct event *heap;
	size_t n_heap, cap_heap;
	uint64_t event_seq;
	int n;
	struct node nodes[SIM_NODES_MAX];
	struct net net;
	int n_branches;
	struct branch branches[SIM_BRANCHES_MAX];
	json_t *bootstrap_config;
	struct {
		uint32_t number;
		int node, role;
		int64_t until_us;
	} wish; /* of members.c */
	struct sim_stats stats;
	int n_faults; /* numbered from 1; the last may not have come to it */
	struct {
		int64_t at_us; /* 0 = it was left out */
		const char *name;
	} faults[SIM_FAULTS_MAX];
	/* check.c */
	bool failed;
	char failure[256];
	const char *failure_kind; /* its words without its numbers */
	uint64_t max_applied;
	struct logged log[SIM_LOG_MAX];
	int leader_of[512];      /* term -> node + 1 */
	struct mt_leader leader; /* of the newest applied state */
	struct mt_sync sync;
	struct mt_request request;
	bool request_by_clock; /* it was scheduled, and became due */
	/* check_sync.c */
	/* assigned while synchronous mode stood, and no loss was accepted */
	bool turn_is_sync;
	/* node + 1 for whom a loss was accepted, until anybody is promoted:
	 * it may fail, and get the turn again */
	int loss_to;
	/* And an earlier holder may have a lease still: it was displaced. */
	bool turn_displaces;
	bool displaces[SIM_EPOCHS_MAX];  /* of the turn of each epoch */
	int64_t turn_us[SIM_EPOCHS_MAX]; /* assigned, by its first epoch */
	uint64_t config_version;
	int64_t mode_since_us; /* it is on without a break, 0 = off */
	int line;              /* the branch that clients were last served on */
	bool line_is_sync;
	uint64_t outcome_id; /* of its last request that ended */
};

/* world.c */
uint64_t sim_rand(struct sim *w);
int64_t sim_between(struct sim *w, int64_t least, int64_t most); /* both in */
bool sim_chance(struct sim *w, int percent);
void sim_push(struct sim *w, int64_t at_us, enum event_kind kind, int node,
	      uint32_t gen, uint64_t a, uint64_t b, struct message *message);
int64_t node_clock_us(const struct node *n);
int64_t node_now_ms(const struct node *n);
/* The true time at which the node's clock shows this. */
int64_t node_true_us(const struct node *n, int64_t ms);
void node_set_rate(struct node *n, int64_t ppm);
void sim_init(struct sim *w, const struct sim_options *o);
void sim_release(struct sim *w);
/* Until this time, the end, or a failure. */
void sim_run_to(struct sim *w, int64_t until_us);
bool sim_is_over(const struct sim *w);
/* So much is left until the end; INT64_MAX where there is none. */
int64_t sim_left_us(const struct sim *w);
/* Until it holds: true; or limit passes: false. */
bool sim_run_until(struct sim *w, bool (*holds)(struct sim *w, int arg),
		   int arg, int64_t limit_us);
void sim_trace(const struct sim *w, const struct node *n, const char *fmt, ...)
    MT_PRINTF(3, 4);
/* Arguments are not evaluated without a trace. */
#define TRACE(w, n, ...) \
	((w)->options.trace ? sim_trace(w, n, __VA_ARGS__) : (void)0)

/* net.c */
void net_send(struct sim *w, int from, int to, enum message_class class,
	      int kind, const void *p, size_t n);
void net_block(struct sim *w, int from, int to, unsigned classes, bool hold);
void net_heal(struct sim *w, int from, int to);
void net_heal_all(struct sim *w);
void net_isolate(struct sim *w, int node, unsigned classes, bool hold);
bool net_passes(const struct sim *w, int from, int to, unsigned class);
void net_release(struct sim *w);

/* node.c: life */
void node_init(struct sim *w, int i);
void node_boot(struct node *n);
void node_boot_in(struct node *n, int64_t delay_us);
void node_kill(struct node *n);  /* the daemon, by SIGKILL */
void node_crash(struct node *n); /* the machine */
void node_freeze(struct node *n, int64_t for_us);
void node_thaw(struct node *n);
void node_terminate(struct node *n); /* SIGTERM */
void node_exit(struct node *n);
void node_release(struct node *n);
void node_on_event(struct node *n, struct event *e);

/* node_step.c: one turn of the loop */
void node_step(struct node *n);
void node_wake_by(struct node *n, int64_t at_ms);
/* false: nothing was sent */
bool node_propose(struct node *n, const struct mt_command *cmd);

/* What its decisions go by, as of now. */
void node_view(struct node *n, struct mt_view *v);

/* errand.c: restarts and new copies that people ask for */
/* Mostly of this node. */
void errand_ask(struct sim *w, struct node *n);
void errand_observe(struct node *n, struct mt_local *l);
void errand_look(struct node *n, struct mt_view *v);
void errand_cancel(struct node *n);
/* Its data is thrown away: the holder has it, or the log names it. */
void errand_check(struct node *n);

/* node_raft.c: the driver and its disk */
void raft_start(struct node *n);
void raft_crash(struct node *n);
void raft_on_event(struct node *n, struct event *e);
void raft_voters(const struct mt_configuration *c, struct mt_voters *v);
/* Something that the node's decisions depend on may have changed. */
void raft_look(struct node *n);
int sim_node_by_id(const struct sim *w, uint64_t raft_id);
int sim_node_by_name(const struct sim *w, const char *name);

/* node_exec.c: what the agent decided */
void exec_plan(struct node *n, const struct mt_view *view,
	       const struct mt_plan *plan);
void exec_poll(struct node *n); /* has the job ended? */
void exec_on_job(struct node *n, const struct event *e);
void exec_begin_child(struct node *n, enum mt_job kind, int64_t least_ms,
		      int64_t most_ms);

/* node_sync.c: names and fences, as daemon/postgres_sync.c */
void sync_boot(struct node *n);
void sync_server_down(struct node *n);
void sync_start(struct node *n);    /* the server is about to be started */
void sync_started(struct node *n);  /* the START job is done */
void sync_promoted(struct node *n); /* the PROMOTE job is done */
void sync_names(struct node *n, const struct mt_plan *plan);
void sync_fence(struct node *n, const struct mt_plan *plan);
bool sync_job(struct node *n); /* its next phase; true: it was the last */
void sync_fill_view(struct node *n, struct mt_view *v);

/* check.c */
void sim_fail(struct sim *w, const char *fmt, ...) MT_PRINTF(2, 3);
void check_writable(struct node *n);
void check_lease(struct node *n);
/* May it act as primary for some time yet, as far as it knows? */
bool check_has_lease(const struct node *n);
void check_promotion(struct node *n, const struct mt_view *view, bool start);
void check_exempt(struct node *n);
void check_named(struct node *n);
void check_branch(struct sim *w, int branch);
void check_leader(struct node *n, uint64_t term);
void check_batch(struct node *n, const struct mt_batch *batch);
void check_applied(struct node *n, uint64_t index, uint64_t term, const void *p,
		   size_t size);
void check_record(struct node *n, const struct mt_record *next);
void check_restored(struct node *n, uint64_t index);
bool check_converged(struct sim *w, int arg);

/* digest.c */
uint64_t digest_of(const struct node *n);

/* check_choice.c */
void check_choice(struct node *n, const struct mt_view *view,
		  const struct mt_command *assign);
void check_request(struct sim *w, const struct mt_state *s);
bool check_lags_hopelessly(const struct sim *w);

/* check_read.c */
/* Has the turn of the epoch under which it serves been given on by ground Y, or
 * any turn since? */
bool check_is_displaced(const struct sim *w, const struct node *n);
void check_read(struct node *n);
void check_standby_read(struct node *n);

/* check_health.c */
void check_health(struct node *n, const struct mt_view *view);
/* Between two turns: does it still say what is over? */
void check_claim(struct node *n);
bool check_answers_well(const struct node *n, bool primary);

/* check_sync.c */
bool check_may_displace(const struct sim *w, uint64_t epoch);
/* Was the holder of this epoch displaced so lately that it need not know? */
bool check_displaced_now(const struct sim *w, uint64_t epoch);
/* Or so long ago that it must know? */
bool check_was_displaced(const struct sim *w, uint64_t epoch);
void check_support(struct node *n);
void check_turn(struct sim *w, const struct mt_state *s);
void check_coexist(struct sim *w);
void check_acknowledged(struct node *n, uint64_t lsn);
/* These it is about to wait for, or these, to be promoted. */
void check_strict(struct node *n, struct mt_sync_conf names);
void check_survival(struct node *n);
bool check_sync_restored(const struct sim *w, const struct node *primary);
/* A disk was wiped, and too few are left with the data that counts. */
bool check_sync_hopeless(const struct sim *w);

/* schedule.c: drawn faults; scenario.c: written ones */
void schedule_draw(struct sim *w);
void schedule_fault(struct sim *w);
void schedule_heal(struct sim *w);
void schedule_run(struct sim *w);
/* schedule_one.c */
void schedule_one(struct sim *w);
/* An operator begins or ends the pause, on this node. */
void sim_pause(struct node *n, bool pause);
void schedule_form(struct sim *w);
/* schedule_traits.c */
void schedule_draw_traits(struct sim *w, struct setup *s);
/* schedule_sync.c */
int sim_sync_priority(const struct sim *w, int node); /* its tag, 1 to 3 */
void schedule_draw_sync(struct sim *w, struct setup *s);
void schedule_change_sync(struct sim *w, json_t *config);
void schedule_wipe(struct sim *w, struct node *n);
/* The primary is lost, and so much of the set that only an operator who accepts
 * the loss can help, who does. False: not in this run. */
bool schedule_lose_set(struct sim *w);
void scenario_setup(struct sim *w, const char *name);
bool scenario_run(struct sim *w, const char *name); /* false: no such */
const char *scenario_name(int i);                   /* NULL at the end */

#endif
