/* SPDX-License-Identifier: PostgreSQL */
/*
 * Keeping promises: the lease of one node at work. It joins voter, holder and
 * node record: what a message or a decision changes in the record is made
 * durable before anything that depends on it leaves the node. The daemon and
 * the simulator run this same code; they bring the time, carry the messages and
 * write the record.
 */
#ifndef MT_CORE_KEEP_H
#define MT_CORE_KEEP_H

#include "core/lease.h"
#include "core/view.h"

enum mt_keep_message {
	MT_KEEP_SUPPORT_REQ,
	MT_KEEP_SUPPORT_ANS,
	MT_KEEP_FENCE_REQ,
	MT_KEEP_FENCE_ANS,
};

struct mt_keep_hooks {
	void *arg;
	/* To another node, best effort. */
	void (*send)(void *arg, uint64_t to, enum mt_keep_message kind,
		     const void *p, size_t n);
	/* Make it durable, then call mt_keep_persisted, at once or later; one
	 * at a time. */
	void (*persist)(void *arg, const struct mt_record *record);
	/* A voter's answer to our fence, for the controller. */
	void (*on_fenced)(void *arg, const struct mt_fence_ans *ans);
};

struct mt_keep {
	struct mt_keep_hooks hooks;
	uint64_t raft_id, incarnation;
	struct mt_record want, durable;
	struct mt_record writing_record;
	bool writing;
	bool failed; /* the last write failed; retried by mt_keep_step */
	int64_t failed_ms;
	struct mt_voter voter;
	uint64_t fence_asker; /* who waits for the pending fence's answer */
	struct mt_holder holder;
	int64_t asked_ms;    /* last round */
	int64_t interval_ms; /* from one round to the next */
	bool paused;         /* a voter's clock showed that we stood still */
};

/* durable is what the store holds; raft_id may be 0 until the group is formed
 * (mt_keep_set_id). */
void mt_keep_start(struct mt_keep *k, const struct mt_keep_hooks *hooks,
		   const struct mt_record *durable, int64_t now_ms);
void mt_keep_set_id(struct mt_keep *k, uint64_t raft_id);

/* Once per turn of the loop: ask for support if this node may and it is time.
 * voters is the newest configuration of the durable log. Returns when to call
 * again at the latest (ms of the clock), 0 = need not. */
int64_t mt_keep_step(struct mt_keep *k, const struct mt_view *view,
		     const struct mt_voters *voters);

/* A message of another node. MT_EPROTO if it is out of form. */
int mt_keep_receive(struct mt_keep *k, const struct mt_state *s,
		    uint64_t own_term, uint64_t from, enum mt_keep_message kind,
		    const void *p, size_t n, int64_t now_ms);
/* Ask all voters, oneself included, to fence. */
void mt_keep_fence(struct mt_keep *k, const struct mt_voters *voters,
		   const struct mt_fence_req *req, uint64_t own_term,
		   int64_t now_ms);
/* The answer to persist(). */
void mt_keep_persisted(struct mt_keep *k, bool ok, int64_t now_ms);

/* Changes of the record that a decision asks for; true: it is durable. */
bool mt_keep_give_up(struct mt_keep *k, uint64_t epoch);
bool mt_keep_take_epoch(struct mt_keep *k, uint64_t epoch, uint64_t data_id);
bool mt_keep_form(struct mt_keep *k, uint64_t raft_id, uint64_t cluster_id);

/* What of the lease belongs into the view. */
void mt_keep_observe(const struct mt_keep *k, struct mt_local *local);

bool mt_record_equal(const struct mt_record *a, const struct mt_record *b);

#endif
