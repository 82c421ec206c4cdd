/* SPDX-License-Identifier: PostgreSQL */
/* The keep of one node, whose disk and network the test holds in its hands. */
#ifndef MT_TEST_CORE_KEEPING_H
#define MT_TEST_CORE_KEEPING_H

#include <check.h>

#include "core/keep.h"

#include "given.h"

#define SENT_MAX 64

struct sent {
	uint64_t to;
	enum mt_keep_message kind;
	uint8_t bytes[MT_LEASE_MESSAGE_MAX];
	size_t n;
};

static struct {
	struct mt_keep keep;
	int n_sent;
	struct sent sent[SENT_MAX];
	int writes;   /* begun */
	bool at_once; /* persist answers before it returns */
	struct mt_record disk;
	int n_fenced;
	struct mt_fence_ans fenced;
} k;

static inline void
send_it(void *arg, uint64_t to, enum mt_keep_message kind, const void *p,
	size_t n)
{
	struct sent *s = &k.sent[k.n_sent++ % SENT_MAX];

	ck_assert_ptr_eq(arg, &k);
	ck_assert_uint_le(n, sizeof(s->bytes));
	s->to = to;
	s->kind = kind;
	s->n = n;
	memcpy(s->bytes, p, n);
}

static inline void
persist(void *arg, const struct mt_record *record)
{
	ck_assert_ptr_eq(arg, &k);
	k.writes++;
	k.disk = *record;
	if (k.at_once)
		mt_keep_persisted(&k.keep, true, w.view.now_ms);
}

static inline void
on_fenced(void *arg, const struct mt_fence_ans *ans)
{
	ck_assert_ptr_eq(arg, &k);
	k.n_fenced++;
	k.fenced = *ans;
}

/* node1 at work, long after its start, with this record. */
static inline void
given_keep(const struct mt_record *record)
{
	const struct mt_keep_hooks hooks = {
	    .arg = &k,
	    .send = send_it,
	    .persist = persist,
	    .on_fenced = on_fenced,
	};

	memset(&k, 0, sizeof(k));
	mt_keep_start(&k.keep, &hooks, record, NOW - 10 * TTL_MS);
}

static const struct mt_record usual = {
    .incarnation = 10,
    .max_ttl_ms = TTL_MS,
    .raft_id = 1,
    .data_id = DATA_ID,
    .pg_epoch = EPOCH,
};

/* node1, the primary, whose view knows what its keep knows. */
static inline void
given_keeping_primary(void)
{
	given_primary();
	given_keep(&usual);
}

static inline int64_t
step(void)
{
	return mt_keep_step(&k.keep, &w.view, &w.view.voters);
}

static inline int
receive(uint64_t from, enum mt_keep_message kind, const void *p, size_t n)
{
	return mt_keep_receive(&k.keep, &w.state, TERM, from, kind, p, n,
			       w.view.now_ms);
}

static inline int
ask_support(uint64_t from, uint64_t epoch)
{
	const struct mt_support_req req = {
	    .raft_id = from,
	    .incarnation = 20,
	    .seq = 9,
	    .epoch = epoch,
	    .ttl_ms = TTL_MS,
	};
	uint8_t buf[MT_LEASE_MESSAGE_MAX];

	return receive(from, MT_KEEP_SUPPORT_REQ, buf,
		       mt_support_req_encode(&req, buf));
}

static inline int
ask_fence(uint64_t from, uint64_t epoch)
{
	const struct mt_fence_req req = {
	    .raft_id = from,
	    .incarnation = 30,
	    .epoch = epoch,
	    .term = TERM,
	};
	uint8_t buf[MT_LEASE_MESSAGE_MAX];

	return receive(from, MT_KEEP_FENCE_REQ, buf,
		       mt_fence_req_encode(&req, buf));
}

/* The last message sent, which must be of this kind and to that node. */
static inline const struct sent *
last_sent(enum mt_keep_message kind, uint64_t to)
{
	const struct sent *s = &k.sent[(k.n_sent - 1) % SENT_MAX];

	ck_assert_int_gt(k.n_sent, 0);
	ck_assert_int_eq(s->kind, kind);
	ck_assert_uint_eq(s->to, to);
	return s;
}

static inline struct mt_support_ans
support_said(uint64_t to)
{
	const struct sent *s = last_sent(MT_KEEP_SUPPORT_ANS, to);
	struct mt_support_ans ans;

	ck_assert_int_eq(mt_support_ans_decode(&ans, s->bytes, s->n), 0);
	return ans;
}

static inline struct mt_fence_ans
fence_said(uint64_t to)
{
	const struct sent *s = last_sent(MT_KEEP_FENCE_ANS, to);
	struct mt_fence_ans ans;

	ck_assert_int_eq(mt_fence_ans_decode(&ans, s->bytes, s->n), 0);
	return ans;
}

/* This voter says yes to the last request. */
static inline int
hear_yes(uint64_t from)
{
	const struct sent *s = &k.sent[(k.n_sent - 1) % SENT_MAX];
	struct mt_support_req req;
	struct mt_support_ans ans;
	uint8_t buf[MT_LEASE_MESSAGE_MAX];

	ck_assert_int_eq(s->kind, MT_KEEP_SUPPORT_REQ);
	ck_assert_int_eq(mt_support_req_decode(&req, s->bytes, s->n), 0);
	ans = (struct mt_support_ans){
	    .raft_id = from,
	    .incarnation = 20,
	    .holder_incarnation = req.incarnation,
	    .seq = req.seq,
	    .epoch = req.epoch,
	    .yes = true,
	    .applied_epoch = req.epoch,
	    .clock_ms = w.view.now_ms,
	};
	return receive(from, MT_KEEP_SUPPORT_ANS, buf,
		       mt_support_ans_encode(&ans, buf));
}

static inline void
write_done(bool ok)
{
	mt_keep_persisted(&k.keep, ok, w.view.now_ms);
}

#endif
