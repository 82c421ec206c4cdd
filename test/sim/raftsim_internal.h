/* SPDX-License-Identifier: PostgreSQL */
/* What the raft simulator's files share. */
#ifndef MT_TEST_RAFTSIM_INTERNAL_H
#define MT_TEST_RAFTSIM_INTERNAL_H

#include "base/err.h"
#include "raftsim.h"

#define NODES_MAX 5
#define TERMS_MAX 16384
#define INDEXES_MAX 16384
#define SUBMITS_MAX 65536
#define MATCH_SLOTS (1 << 16)
#define ELECTION_MS 100
#define HEARTBEAT_MS 20
#define SNAPSHOT_THRESHOLD 20
#define SNAPSHOT_TRAILING 8

struct world;

enum event_kind {
	EVENT_MESSAGE,
	EVENT_DISK, /* a write ends */
	EVENT_TICK,
	EVENT_REPAIR, /* a failed disk works again */
};

struct event {
	uint64_t at_ms, seq;
	enum event_kind kind;
	unsigned node, from;
	unsigned life; /* of the node; older events are void */
	struct mt_blob bytes;
};

struct node {
	struct world *w;
	unsigned id;
	unsigned life;
	struct mt_driver *d; /* NULL: down */
	struct mt_image disk;
	const struct mt_batch *writing; /* borrowed from the driver */
	bool disk_failed;
	uint64_t tick_at_ms;       /* an event is queued for then; 0: none */
	uint64_t machine, applied; /* the state machine: a running hash */
	uint64_t seen_commit;
};

/* An entry as first seen anywhere, by index and term. */
struct seen {
	uint64_t index, term, hash, previous_term;
};

struct submit {
	uint64_t index, term;
	bool open;
};

struct world {
	const struct raftsim_options *o;
	struct raftsim_result *r;
	uint64_t random, now_ms, seq;
	unsigned n_nodes;
	struct node nodes[NODES_MAX + 1]; /* from 1 */
	struct event *queue;
	size_t queue_n, queue_cap;
	/* this run's weather */
	unsigned loss_percent, delay_ms, disk_ms, disk_fails;
	bool in_order, healed;
	bool cut[NODES_MAX + 1][NODES_MAX + 1];
	uint64_t arrival_ms[NODES_MAX + 1][NODES_MAX + 1];
	/* the truth, as far as any node has shown it */
	uint64_t committed; /* highest index */
	uint64_t committed_term[INDEXES_MAX], committed_hash[INDEXES_MAX];
	uint64_t machine_at[INDEXES_MAX]; /* after applying; 0: not yet */
	unsigned leader_of[TERMS_MAX];
	uint64_t committed_before[TERMS_MAX]; /* when its leader was elected */
	struct seen seen[MATCH_SLOTS];
	struct submit submits[SUBMITS_MAX];
	uint64_t n_submits;
};

/* raftsim.c */
unsigned sim_random(struct world *w, unsigned below);
void sim_trace(struct world *w, const char *fmt, ...) MT_PRINTF(2, 3);
void sim_boot(struct node *n);
void sim_crash(struct node *n);
void sim_after(struct node *n); /* after each call into its driver */
void sim_until(struct world *w, uint64_t at_ms);
void sim_submit(struct node *n);
bool sim_leads(const struct node *n);

/* raftsim_check.c */
void check_fail(struct world *w, const char *fmt, ...) MT_PRINTF(2, 3);
bool check_failed(const struct world *w);
void check_batch(struct node *n, const struct mt_batch *batch);
void check_leader(struct node *n, uint64_t term);
void check_commits(struct node *n);
void check_apply(struct node *n, uint64_t index, uint64_t term, const void *p,
		 size_t bytes);
void check_restore(struct node *n, uint64_t index);
void check_current(struct node *n);
void check_configuration(struct node *n);
void check_done(struct node *n, uint64_t cookie, enum mt_outcome outcome);

/* raftsim_nemesis.c */
void nemesis_weather(struct world *w);
void nemesis_step(struct world *w);
void nemesis_heal(struct world *w);

#endif
