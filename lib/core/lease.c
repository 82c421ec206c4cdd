/* SPDX-License-Identifier: PostgreSQL */
/*
 * The lease of promises: arithmetic of voter and holder. Each function is one
 * rule of doc/protocol.md; nothing here reads a clock, sends or writes.
 */
#include "core/lease.h"

#include <string.h>

#define ASK_LEAST_MS 500

int64_t
mt_lease_margin_ms(int64_t ttl_ms)
{
	/* Two clocks may differ by rho each, in opposite directions. */
	return (2 * MT_RHO_PERCENT * ttl_ms + 99) / 100 + MT_GRAIN_MS;
}

int64_t
mt_lease_interval_ms(int64_t ttl_ms)
{
	return ttl_ms / 8 < ASK_LEAST_MS ? ttl_ms / 8 : ASK_LEAST_MS;
}

/* ---- voter ---- */

void
mt_voter_start(struct mt_voter *v, const struct mt_record *durable,
	       int64_t now_ms)
{
	/* What this node promised before it restarted is forgotten: it counts
	 * as having promised the most that it ever could, just now. */
	*v = (struct mt_voter){
	    .promise_ms = now_ms + durable->max_ttl_ms,
	    .last_long_ms = now_ms,
	};
}

/* The durable max_ttl must cover a promise before it is given: it is the boot
 * hold. It is lowered only when every longer promise has run out. */
static bool
cover_ttl(struct mt_voter *v, struct mt_record *want,
	  const struct mt_record *durable, int64_t ttl_ms, int64_t now_ms)
{
	int64_t held = want->max_ttl_ms < durable->max_ttl_ms
			   ? want->max_ttl_ms
			   : durable->max_ttl_ms;

	if (ttl_ms > held) {
		if (want->max_ttl_ms < ttl_ms)
			want->max_ttl_ms = ttl_ms;
		return false;
	}
	if (ttl_ms == durable->max_ttl_ms)
		v->last_long_ms = now_ms;
	else if (now_ms - v->last_long_ms > durable->max_ttl_ms &&
		 v->promise_ms <= now_ms + ttl_ms)
		want->max_ttl_ms = ttl_ms;
	return true;
}

enum mt_voter_result
mt_voter_support(struct mt_voter *v, struct mt_record *want,
		 const struct mt_record *durable, const struct mt_state *s,
		 const struct mt_support_req *req, int64_t now_ms,
		 struct mt_support_ans *ans)
{
	*ans = (struct mt_support_ans){
	    .holder_incarnation = req->incarnation,
	    .seq = req->seq,
	    .epoch = req->epoch,
	    .fenced = want->fenced,
	    .applied_epoch = s->leader.epoch,
	    .clock_ms = now_ms,
	};
	/* want, not durable: a fence counts from before its fsync begins. */
	if (s->unknown_command != 0 || req->epoch <= want->fenced ||
	    s->leader.epoch > req->epoch ||
	    (s->leader.epoch == req->epoch && s->leader.released) ||
	    req->ttl_ms <= 0 || req->ttl_ms > MT_TTL_MAX_MS)
		return MT_VOTER_ANSWER;
	if (!cover_ttl(v, want, durable, req->ttl_ms, now_ms))
		return MT_VOTER_PERSIST;
	if (v->promise_ms < now_ms + req->ttl_ms)
		v->promise_ms = now_ms + req->ttl_ms;
	ans->yes = true;
	return MT_VOTER_ANSWER;
}

static int64_t
promise_left(const struct mt_voter *v, int64_t now_ms)
{
	return v->promise_ms > now_ms ? v->promise_ms - now_ms : 0;
}

enum mt_voter_result
mt_voter_fence(struct mt_voter *v, struct mt_record *want,
	       const struct mt_record *durable, uint64_t own_term,
	       const struct mt_fence_req *req, int64_t now_ms,
	       struct mt_fence_ans *ans)
{
	*ans = (struct mt_fence_ans){
	    .epoch = req->epoch,
	    .term = req->term,
	    .fenced = want->fenced,
	    .left_ms = promise_left(v, now_ms),
	};
	if (req->term < own_term || req->epoch < want->fenced)
		return MT_VOTER_ANSWER;
	/* The voter judges, not the asker: a holder that is heard by a
	 * majority cannot be fenced by somebody's impatience. */
	if (req->kind == MT_FENCE_NORMAL && ans->left_ms > 0)
		return MT_VOTER_ANSWER;
	if (req->epoch <= durable->fenced) {
		ans->yes = true;
		return MT_VOTER_ANSWER;
	}
	want->fenced = req->epoch;
	v->pending = *req;
	v->has_pending = true;
	return MT_VOTER_PERSIST;
}

bool
mt_voter_persisted(struct mt_voter *v, const struct mt_record *durable,
		   int64_t now_ms, struct mt_fence_ans *ans)
{
	if (!v->has_pending || durable->fenced < v->pending.epoch)
		return false;
	v->has_pending = false;
	*ans = (struct mt_fence_ans){
	    .epoch = v->pending.epoch,
	    .term = v->pending.term,
	    .fenced = durable->fenced,
	    .left_ms = promise_left(v, now_ms),
	    .yes = true,
	};
	return true;
}

/* ---- holder ---- */

static void
void_rounds(struct mt_holder *h)
{
	memset(h->rounds, 0, sizeof(h->rounds));
	memset(h->confirmed, 0, sizeof(h->confirmed));
}

void
mt_holder_start(struct mt_holder *h, uint64_t epoch, int64_t ttl_ms,
		uint64_t incarnation)
{
	/* The lease of an epoch that this one continues goes on: each voter
	 * has one deadline, whatever the epoch. Who starts another turn calls
	 * mt_holder_stop first. */
	h->epoch = epoch;
	h->ttl_ms = ttl_ms;
	h->incarnation = incarnation;
	void_rounds(h);
}

void
mt_holder_stop(struct mt_holder *h)
{
	uint64_t seq = h->next_seq;
	struct mt_voters voters = h->voters;

	memset(h, 0, sizeof(*h));
	h->next_seq = seq; /* answers to older rounds never match again */
	h->voters = voters;
}

void
mt_holder_set_voters(struct mt_holder *h, const struct mt_voters *voters)
{
	if (h->voters.index == voters->index && h->voters.term == voters->term)
		return;
	h->voters = *voters;
	void_rounds(h);
}

void
mt_holder_ask(struct mt_holder *h, uint64_t raft_id, int64_t now_ms,
	      struct mt_support_req *req)
{
	struct mt_round *r = &h->rounds[++h->next_seq % MT_ROUNDS_MAX];

	*r = (struct mt_round){.seq = h->next_seq, .asked_ms = now_ms};
	*req = (struct mt_support_req){
	    .raft_id = raft_id,
	    .incarnation = h->incarnation,
	    .seq = h->next_seq,
	    .epoch = h->epoch,
	    .ttl_ms = h->ttl_ms,
	};
}

/* The asking time that a majority has confirmed at least, 0 = none. */
static int64_t
majority_asked(const struct mt_holder *h)
{
	int64_t t[MT_NODES_MAX];
	int n = h->voters.n;

	for (int i = 0; i < n; i++) {
		int k = i;

		while (k > 0 && t[k - 1] < h->confirmed[i].asked_ms) {
			t[k] = t[k - 1];
			k--;
		}
		t[k] = h->confirmed[i].asked_ms;
	}
	return n == 0 ? 0 : t[n / 2];
}

/* Did our clock stand still while the voter's went on? Receive times alone
 * would take a delayed answer for a pause, so the span on our side begins when
 * the earlier question was sent. */
static bool
stood_still(const struct mt_confirm *c, const struct mt_support_ans *ans,
	    int64_t now_ms)
{
	int64_t own = now_ms - c->sent_ms;

	if (c->sent_ms == 0 || c->incarnation != ans->incarnation ||
	    ans->clock_ms <= c->voter_clock_ms)
		return false;
	/* Unsigned: of two clocks that make no sense it cannot overflow. */
	return (uint64_t)ans->clock_ms - (uint64_t)c->voter_clock_ms >
	       (uint64_t)(own + mt_lease_margin_ms(own));
}

bool
mt_holder_answer(struct mt_holder *h, const struct mt_support_ans *ans,
		 int64_t now_ms, bool *paused)
{
	const struct mt_round *r = &h->rounds[ans->seq % MT_ROUNDS_MAX];
	struct mt_confirm *c = NULL;
	int64_t asked, end;

	*paused = false;
	if (h->epoch == 0 || ans->epoch != h->epoch || !ans->yes ||
	    ans->holder_incarnation != h->incarnation || r->seq != ans->seq ||
	    r->asked_ms == 0)
		return false;
	for (int i = 0; i < h->voters.n; i++)
		if (h->voters.raft_id[i] == ans->raft_id)
			c = &h->confirmed[i];
	if (c == NULL || c->asked_ms >= r->asked_ms)
		return false;
	if (stood_still(c, ans, now_ms)) {
		*paused = true;
		h->lease_end_ms = h->confirmed_ms = 0;
		void_rounds(h);
		return false;
	}
	*c = (struct mt_confirm){
	    .raft_id = ans->raft_id,
	    .asked_ms = r->asked_ms,
	    .incarnation = ans->incarnation,
	    .voter_clock_ms = ans->clock_ms,
	    .sent_ms = r->asked_ms,
	};
	asked = majority_asked(h);
	end = asked + h->ttl_ms - mt_lease_margin_ms(h->ttl_ms);
	if (asked > h->confirmed_ms)
		h->confirmed_ms = asked;
	if (asked == 0 || end <= h->lease_end_ms)
		return false;
	h->lease_end_ms = end;
	h->lease_ttl_ms = h->ttl_ms;
	h->had_lease = true;
	h->round_index = h->voters.index;
	h->round_term = h->voters.term;
	h->round_trip_ms = now_ms - asked;
	return true;
}

int64_t
mt_holder_deadline_ms(const struct mt_holder *h)
{
	return h->lease_end_ms == 0 ? 0
				    : h->lease_end_ms - MT_KILL_ALLOWANCE_MS;
}

bool
mt_holder_writable(const struct mt_holder *h, int64_t now_ms)
{
	return now_ms < mt_holder_deadline_ms(h);
}
