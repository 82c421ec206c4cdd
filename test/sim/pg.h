/* SPDX-License-Identifier: PostgreSQL */
/*
 * The model of PostgreSQL: the data directory and the server of one node, its
 * sentinel, its standbys, and its clients.
 */
#ifndef MT_SIM_PG_H
#define MT_SIM_PG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/sync.h"
#include "core/view.h"

#define SIM_NODES_MAX 5

struct sim;
struct node;
struct event;

/* One timeline as it was written by one primary: same timeline, other branch =
 * other content. */
struct branch {
	uint32_t timeline;
	int parent; /* -1 = the first of a cluster */
	uint64_t fork_lsn;
	int writer;     /* node */
	uint64_t acked; /* clients were told that all up to here is there */
};

/* synchronous_standby_names. */
struct pg_names {
	bool first; /* the first k that are connected; else any k */
	int k, n;
	int8_t standbys[SIM_NODES_MAX + 1]; /* in order; -1 = no node */
};

#define SIM_CLIENTS_MAX 64

enum pg_phase { PG_DOWN, PG_STARTING, PG_UP, PG_PROMOTING, PG_STOPPING };

struct pg {
	/* data directory */
	enum mt_data_kind data;
	bool bootstrapped; /* by initdb, and not yet taken by the cluster */
	char sysid[MT_SYSID_MAX];
	uint64_t data_id;
	int branch;
	uint64_t lsn;            /* end of its log */
	uint32_t known_timeline; /* newest whose history it has seen */
	bool restored;           /* and not started since */
	enum mt_control_state control;
	uint64_t checkpoint_lsn;
	int upstream; /* node that it follows, -1 = none */
	/* server */
	enum pg_phase phase;
	uint32_t gen; /* of its life */
	bool as_primary;
	bool asked_to_stop; /* by us */
	bool fast;          /* the stop under way is clean */
	int64_t phase_end_us;
	bool writable; /* out of recovery: counts for the invariant */
	/* What the local log held at the start is shown bit by bit. */
	uint64_t replayed_lsn;
	int64_t replayed_us;
	/* its walreceiver; another one after each change */
	uint32_t receiver;
	int64_t receives_us; /* none before this time */
	int64_t heard_ms;    /* when the last WAL came, by its own clock */
	/* Whom it may be waiting for: bits are nodes. While a reload is under
	 * way the worst mix of all that may be in effect. */
	struct mt_sync_conf waits;
	struct pg_names names; /* in effect, unless mixed */
	bool mixed;            /* a reload is under way: any of waits count */
	struct {
		uint64_t flushed;  /* the most that it ever confirmed */
		uint32_t receiver; /* of the present connection, and what */
		uint64_t lsn;      /* it has confirmed, */
		int64_t heard_us;  /* the last time then */
	} standbys[SIM_NODES_MAX];
	/* its clients: commits that wait, oldest first; up to here all see
	 * all; what a reader saw last, in this life of a standby */
	uint64_t waiting[SIM_CLIENTS_MAX];
	int n_waiting;
	uint64_t shown;
	struct {
		uint32_t gen;
		int branch;
		uint64_t lsn;
	} read;
	/* its sentinel: alive as long as the server */
	bool armed, fired;
	bool exempt;         /* armed for never */
	bool unguarded;      /* it died, and the server ends */
	int64_t hangs_us;    /* until this time */
	bool volume_hangs;   /* then it cannot be killed either */
	bool killed;         /* and was */
	int64_t deadline_ms; /* of the machine's clock */
	int64_t sentinel_us; /* its timer is set for this time; 0 = none */
};

/* postgres.c */
void pg_init(struct node *n);
bool pg_is_running(const struct node *n);
bool pg_is_accepting(const struct node *n);
bool pg_in_recovery(const struct node *n);
bool pg_streams(const struct sim *w, const struct node *standby);
struct mt_position pg_position(const struct sim *w, const struct node *n);
uint32_t pg_timeline(const struct sim *w, const struct pg *pg);
int pg_history(const struct sim *w, const struct node *n,
	       struct mt_history *lines, int max);
void pg_initdb(struct node *n);
void pg_wipe(struct node *n, enum mt_data_kind kind);
/* An earlier copy of its own data, under another data id. */
void pg_restore(struct node *n, uint64_t bytes_back);
bool pg_recover(struct node *n);          /* a crashed primary: shut down */
bool pg_copy(struct node *n, int source); /* clone, rewind: the end of it */
void pg_start(struct node *n, bool primary);
void pg_promote(struct node *n, uint32_t timeline);
void pg_stop(struct node *n, bool fast);
void pg_die(struct node *n, const char *why); /* at once, unasked */
void pg_on_event(struct node *n, const struct event *e);
bool pg_is_ancestor(const struct sim *w, int branch, uint64_t lsn, int of);

void pg_enter(struct node *n, enum pg_phase phase, int64_t after_us);

/* sentinel.c */
void pg_arm(struct node *n, int64_t deadline_ms);
void pg_exempt(struct node *n, bool exempt);
void pg_on_sentinel(struct node *n); /* its timer */
void pg_lose_sentinel(struct node *n);

/* troubles.c */
void node_sleep(struct node *n, int64_t for_us);
bool node_sleeps(const struct node *n);
bool sleep_puts_off(struct node *n, struct event *e); /* e->message is taken */
void sleep_on_awake(struct node *n);
/* Is it a primary that can do something? */
bool node_acts(const struct node *n);
void pg_hang(struct node *n, int64_t for_us, bool volume);
bool pg_hangs(const struct node *n);
void pg_go_on(struct node *n);
bool pg_outlasts(struct node *n);
void hang_observe(struct node *n, struct mt_local *l);

/* pg_sync.c */
void pg_follow(struct node *n, int upstream); /* -1 = receive no more */
/* synchronous_standby_names: at the start, reloaded, and proven. */
void pg_start_with(struct node *n, const char *names);
void pg_wait_for(struct node *n, const char *names);
void pg_waits_for(struct node *n, const char *names);
void pg_end_walsenders(struct node *n);
void pg_acknowledge(struct node *n);
void pg_send(struct node *n, struct node *standby);
/* Is what arrived for the present walreceiver? Then to be confirmed. */
bool pg_is_received(const struct node *n, const struct event *e);
void pg_confirm(struct node *n, const struct event *e);
void pg_confirmed(struct node *n, const struct event *e);

/* pg_names.c */
/* As PostgreSQL reads the text; one that it refuses fails the run. */
void pg_read_names(struct sim *w, const char *text, struct pg_names *names);
struct mt_sync_conf pg_names_conf(const struct pg_names *names);

/* clients.c */
void clients_come(struct node *n);
void clients_go(struct node *n);
void clients_commit(struct node *n);
void clients_release(struct node *n, uint64_t lsn);
void clients_cancel(struct node *n);
void clients_read(struct node *n);

#endif
