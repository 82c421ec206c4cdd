/* SPDX-License-Identifier: PostgreSQL */
/*
 * The lease of promises (doc/protocol.md): at most one writable primary.
 *
 * A voter promises the holder of an epoch that it will support no other for a
 * ttl from its own now; one deadline, whatever the epoch. The holder's lease
 * reaches to the time at which a majority of the voters was asked, plus ttl,
 * less a margin for clocks that run at different rates. A fence makes a voter
 * never support an epoch again; it is refused while a promise lasts.
 *
 * Everything here is pure: the caller brings the time, persists the record
 * before it sends what depends on it, and carries the messages.
 */
#ifndef MT_CORE_LEASE_H
#define MT_CORE_LEASE_H

#include "conf/settings.h"
#include "core/record.h"
#include "core/state.h"

#define MT_RHO_PERCENT 1 /* clocks differ by at most this rate */
#define MT_GRAIN_MS 20   /* granularity and scheduling of clock reads */
#define MT_KILL_ALLOWANCE_MS \
	250 /* from sentinel's deadline to the last kill \
	     */

struct mt_support_req {
	uint64_t raft_id, incarnation; /* of the holder */
	uint64_t seq, epoch;
	int64_t ttl_ms;
};

struct mt_support_ans {
	uint64_t raft_id, incarnation; /* of the voter */
	uint64_t holder_incarnation, seq, epoch;
	bool yes;
	uint64_t fenced, applied_epoch;
	int64_t clock_ms; /* the voter's */
};

/* A normal fence is refused while a promise lasts. One for synchronous standbys
 * is not: what makes it safe is that enough of them receive no more. */
enum mt_fence_kind { MT_FENCE_NORMAL, MT_FENCE_SYNC };

struct mt_fence_req {
	uint64_t raft_id, incarnation; /* of the asking leader */
	uint64_t epoch, term;
	enum mt_fence_kind kind;
};

struct mt_fence_ans {
	uint64_t raft_id, incarnation; /* of the voter */
	uint64_t epoch, term;          /* as asked */
	bool yes;                      /* fenced durably */
	int64_t left_ms; /* of its promise when it answered; 0 counts */
	uint64_t fenced;
};

/* ---- voter ---- */

struct mt_voter {
	int64_t promise_ms;   /* own clock; no other is supported before */
	int64_t last_long_ms; /* when the longest ttl was last promised */
	struct mt_fence_req pending; /* fence that waits for its fsync */
	bool has_pending;
};

/* At start every voter counts as having just promised its durable max_ttl. */
void mt_voter_start(struct mt_voter *v, const struct mt_record *durable,
		    int64_t now_ms);

enum mt_voter_result {
	MT_VOTER_ANSWER,  /* *ans is to be sent now */
	MT_VOTER_PERSIST, /* *want changed: write it; answered later or anew */
};

/* want is the record as it will be (memory), durable as it is on disk. */
enum mt_voter_result
mt_voter_support(struct mt_voter *v, struct mt_record *want,
		 const struct mt_record *durable, const struct mt_state *s,
		 const struct mt_support_req *req, int64_t now_ms,
		 struct mt_support_ans *ans);
enum mt_voter_result mt_voter_fence(struct mt_voter *v, struct mt_record *want,
				    const struct mt_record *durable,
				    uint64_t own_term,
				    const struct mt_fence_req *req,
				    int64_t now_ms, struct mt_fence_ans *ans);
/* After a record became durable: is a fence answer due? */
bool mt_voter_persisted(struct mt_voter *v, const struct mt_record *durable,
			int64_t now_ms, struct mt_fence_ans *ans);

/* ---- holder ---- */

#define MT_ROUNDS_MAX 32

struct mt_round {
	uint64_t seq;
	int64_t asked_ms; /* 0 = void */
};

struct mt_confirm {
	uint64_t raft_id;
	int64_t asked_ms;     /* latest round that it said yes to; 0 never */
	uint64_t incarnation; /* of the voter, for the pause check */
	int64_t voter_clock_ms, sent_ms; /* of that answer */
};

struct mt_voters {
	int n;
	uint64_t raft_id[MT_NODES_MAX];
	uint64_t index, term; /* of the configuration entry */
};

struct mt_holder {
	uint64_t epoch; /* 0 = nothing asked */
	int64_t ttl_ms;
	uint64_t incarnation;
	uint64_t next_seq;
	struct mt_round rounds[MT_ROUNDS_MAX];
	struct mt_voters voters; /* newest in the durable log */
	struct mt_confirm confirmed[MT_NODES_MAX];
	int64_t lease_end_ms; /* 0 = none */
	int64_t lease_ttl_ms; /* that it was last extended with */
	bool had_lease;
	int64_t confirmed_ms; /* the newest round that a majority has confirmed
			       * was asked then; 0 = none in this turn */
	uint64_t round_index,
	    round_term;        /* configuration of last whole round */
	int64_t round_trip_ms; /* of the last round that counted */
};

int64_t mt_lease_margin_ms(int64_t ttl_ms);
/* How often to ask: ttl/8, at least every 500 ms. */
int64_t mt_lease_interval_ms(int64_t ttl_ms);

/* Begin asking for an epoch; forgets everything about an older one but not
 * the lease when it continues under the same data (continues). */
void mt_holder_start(struct mt_holder *h, uint64_t epoch, int64_t ttl_ms,
		     uint64_t incarnation);
void mt_holder_stop(struct mt_holder *h);
/* Take up a configuration; a new one voids the open rounds. */
void mt_holder_set_voters(struct mt_holder *h, const struct mt_voters *voters);
/* Open a round now; the request goes to all voters, oneself included. */
void mt_holder_ask(struct mt_holder *h, uint64_t raft_id, int64_t now_ms,
		   struct mt_support_req *req);
/* Returns true if the lease was extended. *paused is set when the voter's
 * clock shows that this machine stood still: the lease is dropped. */
bool mt_holder_answer(struct mt_holder *h, const struct mt_support_ans *ans,
		      int64_t now_ms, bool *paused);
/* Until when writing is allowed: lease end less the kill allowance; 0 none. */
int64_t mt_holder_deadline_ms(const struct mt_holder *h);
bool mt_holder_writable(const struct mt_holder *h, int64_t now_ms);

/* ---- messages ---- */

#define MT_LEASE_MESSAGE_MAX 96
size_t mt_support_req_encode(const struct mt_support_req *m, void *buf);
size_t mt_support_ans_encode(const struct mt_support_ans *m, void *buf);
size_t mt_fence_req_encode(const struct mt_fence_req *m, void *buf);
size_t mt_fence_ans_encode(const struct mt_fence_ans *m, void *buf);
/* Exactly n bytes, or MT_EPROTO. */
int mt_support_req_decode(struct mt_support_req *m, const void *p, size_t n);
int mt_support_ans_decode(struct mt_support_ans *m, const void *p, size_t n);
int mt_fence_req_decode(struct mt_fence_req *m, const void *p, size_t n);
int mt_fence_ans_decode(struct mt_fence_ans *m, const void *p, size_t n);

#endif
