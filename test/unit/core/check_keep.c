/* SPDX-License-Identifier: PostgreSQL */
/*
 * The lease of one node at work, with a disk and a network that the test holds
 * in its hands: what leaves the node, and what must be durable before.
 */
#include "core/keep.h"

#include "base/text.h"

#include "given.h"
#include "run.h"

#define SENT_MAX 64

/* ---- vocabulary -------------------------------------------------------- */

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
	int writes; /* begun */
	bool at_once; /* persist answers before it returns */
	struct mt_record disk;
	int n_fenced;
	struct mt_fence_ans fenced;
} k;

static void
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

static void
persist(void *arg, const struct mt_record *record)
{
	ck_assert_ptr_eq(arg, &k);
	k.writes++;
	k.disk = *record;
	if (k.at_once)
		mt_keep_persisted(&k.keep, true, w.view.now_ms);
}

static void
on_fenced(void *arg, const struct mt_fence_ans *ans)
{
	ck_assert_ptr_eq(arg, &k);
	k.n_fenced++;
	k.fenced = *ans;
}

/* node1 at work, long after its start, with this record. */
static void
given_keep(const struct mt_record *record)
{
	const struct mt_keep_hooks hooks = {
		.arg = &k, .send = send_it, .persist = persist,
		.on_fenced = on_fenced,
	};

	memset(&k, 0, sizeof(k));
	mt_keep_start(&k.keep, &hooks, record, NOW - 10 * TTL_MS);
}

static const struct mt_record usual = {
	.incarnation = 10, .max_ttl_ms = TTL_MS, .raft_id = 1,
	.data_id = DATA_ID, .pg_epoch = EPOCH,
};

/* node1, the primary, whose view knows what its keep knows. */
static void
given_keeping_primary(void)
{
	given_primary();
	given_keep(&usual);
}

static int64_t
step(void)
{
	return mt_keep_step(&k.keep, &w.view, &w.view.voters);
}

static int
receive(uint64_t from, enum mt_keep_message kind, const void *p, size_t n)
{
	return mt_keep_receive(&k.keep, &w.state, TERM, from, kind, p, n,
			       w.view.now_ms);
}

static int
ask_support(uint64_t from, uint64_t epoch)
{
	const struct mt_support_req req = {
		.raft_id = from, .incarnation = 20, .seq = 9, .epoch = epoch,
		.ttl_ms = TTL_MS,
	};
	uint8_t buf[MT_LEASE_MESSAGE_MAX];

	return receive(from, MT_KEEP_SUPPORT_REQ, buf,
		       mt_support_req_encode(&req, buf));
}

static int
ask_fence(uint64_t from, uint64_t epoch)
{
	const struct mt_fence_req req = {
		.raft_id = from, .incarnation = 30, .epoch = epoch,
		.term = TERM,
	};
	uint8_t buf[MT_LEASE_MESSAGE_MAX];

	return receive(from, MT_KEEP_FENCE_REQ, buf,
		       mt_fence_req_encode(&req, buf));
}

/* The last message sent, which must be of this kind and to that node. */
static const struct sent *
last_sent(enum mt_keep_message kind, uint64_t to)
{
	const struct sent *s = &k.sent[(k.n_sent - 1) % SENT_MAX];

	ck_assert_int_gt(k.n_sent, 0);
	ck_assert_int_eq(s->kind, kind);
	ck_assert_uint_eq(s->to, to);
	return s;
}

static struct mt_support_ans
support_said(uint64_t to)
{
	const struct sent *s = last_sent(MT_KEEP_SUPPORT_ANS, to);
	struct mt_support_ans ans;

	ck_assert_int_eq(mt_support_ans_decode(&ans, s->bytes, s->n), 0);
	return ans;
}

static struct mt_fence_ans
fence_said(uint64_t to)
{
	const struct sent *s = last_sent(MT_KEEP_FENCE_ANS, to);
	struct mt_fence_ans ans;

	ck_assert_int_eq(mt_fence_ans_decode(&ans, s->bytes, s->n), 0);
	return ans;
}

/* This voter says yes to the last request. */
static int
hear_yes(uint64_t from)
{
	const struct sent *s = &k.sent[(k.n_sent - 1) % SENT_MAX];
	struct mt_support_req req;
	struct mt_support_ans ans;
	uint8_t buf[MT_LEASE_MESSAGE_MAX];

	ck_assert_int_eq(s->kind, MT_KEEP_SUPPORT_REQ);
	ck_assert_int_eq(mt_support_req_decode(&req, s->bytes, s->n), 0);
	ans = (struct mt_support_ans){
		.raft_id = from, .incarnation = 20,
		.holder_incarnation = req.incarnation, .seq = req.seq,
		.epoch = req.epoch, .yes = true, .applied_epoch = req.epoch,
		.clock_ms = w.view.now_ms,
	};
	return receive(from, MT_KEEP_SUPPORT_ANS, buf,
		       mt_support_ans_encode(&ans, buf));
}

static void
write_done(bool ok)
{
	mt_keep_persisted(&k.keep, ok, w.view.now_ms);
}

/* ---- asking ------------------------------------------------------------ */

START_TEST(a_round_goes_to_all_voters_and_the_own_vote_counts)
{
	given_keeping_primary();
	step();
	ck_assert_int_eq(k.n_sent, 2);
	ck_assert_uint_eq(k.sent[0].to, 2);
	ck_assert_uint_eq(k.sent[1].to, 3);
	ck_assert_int_eq(k.keep.holder.lease_end_ms, 0); /* one of three */
	ck_assert_int_eq(k.keep.voter.promise_ms, NOW + TTL_MS);
	ck_assert_int_eq(hear_yes(3), 0);
	ck_assert_int_eq(k.keep.holder.lease_end_ms,
			 NOW + TTL_MS - mt_lease_margin_ms(TTL_MS));
	ck_assert_int_eq(k.writes, 0);
}
END_TEST

START_TEST(a_lone_voter_is_its_own_majority)
{
	given_keeping_primary();
	w.view.voters.n = 1;
	step();
	ck_assert_int_eq(k.n_sent, 0);
	ck_assert(mt_holder_writable(&k.keep.holder, NOW));
}
END_TEST

START_TEST(the_own_vote_passes_the_same_function)
{
	struct mt_record rec = usual;

	/* fenced durably */
	rec.fenced = EPOCH;
	given_primary();
	given_keep(&rec);
	step();
	hear_yes(2);
	ck_assert_int_eq(k.keep.holder.lease_end_ms, 0);
	hear_yes(3);
	ck_assert_int_ne(k.keep.holder.lease_end_ms, 0);
	/* its own boot hold is not covered yet */
	rec = usual;
	rec.max_ttl_ms = 0;
	given_keep(&rec);
	step();
	ck_assert_int_eq(k.writes, 1);
	hear_yes(2);
	ck_assert_int_eq(k.keep.holder.lease_end_ms, 0);
	write_done(true);
	w.view.now_ms += 50;
	step();
	hear_yes(2);
	ck_assert_int_ne(k.keep.holder.lease_end_ms, 0);
	/* a release that it has applied */
	given_keeping_primary();
	step();
	w.state.leader.released = true;
	ask_support(1, EPOCH); /* as if from itself */
	ck_assert_int_eq(k.keep.holder.lease_end_ms, 0);
}
END_TEST

START_TEST(it_asks_often_without_a_lease_and_seldom_with_one)
{
	int64_t again_ms;

	given_keeping_primary();
	again_ms = step();
	ck_assert_int_eq(again_ms, NOW + 50);
	w.view.now_ms = NOW + 49;
	step();
	ck_assert_int_eq(k.n_sent, 2);
	w.view.now_ms = NOW + 50;
	step();
	ck_assert_int_eq(k.n_sent, 4);
	hear_yes(3);
	again_ms = step();
	ck_assert_int_eq(again_ms, NOW + 50 + 500);
	w.view.now_ms = NOW + 549;
	step();
	ck_assert_int_eq(k.n_sent, 4);
	w.view.now_ms = NOW + 550;
	step();
	ck_assert_int_eq(k.n_sent, 6);
}
END_TEST

START_TEST(only_who_may_ask_asks)
{
	static const struct {
		const char *what;
		bool witness, other, released, unguarded, lapsed, unknown;
		uint64_t given_up, pg_epoch;
		int sent;
	} rows[] = {
		{ "the primary", 0, 0, 0, 0, 0, 0, 0, EPOCH, 2 },
		{ "an older give-up", 0, 0, 0, 0, 0, 0, EPOCH - 1, EPOCH, 2 },
		{ "a witness", 1, 0, 0, 0, 0, 0, 0, EPOCH, 0 },
		{ "not the holder", 0, 1, 0, 0, 0, 0, 0, EPOCH, 0 },
		{ "released", 0, 0, 1, 0, 0, 0, 0, EPOCH, 0 },
		{ "no sentinel", 0, 0, 0, 1, 0, 0, 0, EPOCH, 0 },
		{ "lapsed", 0, 0, 0, 0, 1, 0, 0, EPOCH, 0 },
		{ "an unknown command", 0, 0, 0, 0, 0, 1, 0, EPOCH, 0 },
		{ "given up", 0, 0, 0, 0, 0, 0, EPOCH, EPOCH, 0 },
		{ "epoch not taken", 0, 0, 0, 0, 0, 0, 0, EPOCH - 1, 0 },
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		given_keeping_primary();
		local()->witness = rows[i].witness;
		if (rows[i].other)
			mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2");
		w.state.leader.released = rows[i].released;
		local()->guarded = !rows[i].unguarded;
		if (rows[i].lapsed)
			local()->deadline_ms = NOW;
		w.state.unknown_command = rows[i].unknown ? 2 : 0;
		k.keep.want.given_up = k.keep.durable.given_up =
		    local()->record.given_up = rows[i].given_up;
		local()->record.pg_epoch = rows[i].pg_epoch;
		step();
		ck_assert_msg(k.n_sent == rows[i].sent, "%s: %d sent",
			      rows[i].what, k.n_sent);
	}
}
END_TEST

START_TEST(asking_ends_with_the_turn_and_so_does_the_lease)
{
	given_keeping_primary();
	step();
	hear_yes(2);
	mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2");
	w.view.now_ms += 1000;
	ck_assert_int_eq(step(), 0);
	ck_assert_int_eq(k.n_sent, 2);
	ck_assert_int_eq(k.keep.holder.epoch, 0);
	ck_assert_int_eq(mt_holder_deadline_ms(&k.keep.holder), 0);
}
END_TEST

START_TEST(a_continued_turn_keeps_its_lease_and_another_does_not)
{
	int64_t end;

	given_keeping_primary();
	step();
	hear_yes(2);
	end = k.keep.holder.lease_end_ms;
	ck_assert_int_ne(end, 0);
	w.state.leader.epoch = EPOCH + 1; /* since stays */
	local()->record.pg_epoch = EPOCH + 1;
	w.view.now_ms += 10;
	step();
	ck_assert_int_eq(k.n_sent, 4); /* asks at once under the new one */
	ck_assert_uint_eq(k.keep.holder.epoch, EPOCH + 1);
	ck_assert_int_eq(k.keep.holder.lease_end_ms, end);
	w.state.leader.epoch = w.state.leader.since = EPOCH + 3;
	local()->record.pg_epoch = EPOCH + 3;
	w.view.now_ms += 10;
	step();
	ck_assert_uint_eq(k.keep.holder.epoch, EPOCH + 3);
	ck_assert_int_eq(k.keep.holder.lease_end_ms, 0);
	ck_assert(!k.keep.holder.had_lease);
}
END_TEST

START_TEST(a_pause_is_told_and_costs_the_lease)
{
	struct mt_support_ans ans;
	uint8_t buf[MT_LEASE_MESSAGE_MAX];

	given_keeping_primary();
	step();
	hear_yes(2);
	w.view.now_ms += 500;
	step();
	ans = (struct mt_support_ans){
		.raft_id = 2, .incarnation = 20, .holder_incarnation = 10,
		.seq = k.keep.holder.next_seq, .epoch = EPOCH, .yes = true,
		.clock_ms = w.view.now_ms + 3000,
	};
	receive(2, MT_KEEP_SUPPORT_ANS, buf,
		mt_support_ans_encode(&ans, buf));
	ck_assert(k.keep.paused);
	ck_assert_int_eq(k.keep.holder.lease_end_ms, 0);
	mt_keep_observe(&k.keep, local());
	ck_assert_int_eq(local()->deadline_ms, 0);
}
END_TEST

/* ---- voting ------------------------------------------------------------ */

START_TEST(support_is_given_to_the_one_who_asked)
{
	struct mt_support_ans ans;

	given_standby();
	given_keep(&(struct mt_record){ .incarnation = 12, .raft_id = 2,
					.max_ttl_ms = TTL_MS });
	ck_assert_int_eq(ask_support(1, EPOCH), 0);
	ans = support_said(1);
	ck_assert(ans.yes);
	ck_assert_uint_eq(ans.raft_id, 2);
	ck_assert_uint_eq(ans.incarnation, 12);
	ck_assert_uint_eq(ans.holder_incarnation, 20);
	ck_assert_uint_eq(ans.seq, 9);
	ck_assert_int_eq(ans.clock_ms, NOW);
}
END_TEST

START_TEST(a_promise_waits_until_its_boot_hold_is_durable)
{
	given_standby();
	given_keep(&(struct mt_record){ .raft_id = 2 });
	ask_support(1, EPOCH);
	ck_assert_int_eq(k.n_sent, 0);
	ck_assert_int_eq(k.writes, 1);
	ck_assert_int_eq(k.disk.max_ttl_ms, TTL_MS);
	ask_support(1, EPOCH); /* the write is under way: no other */
	ck_assert_int_eq(k.writes, 1);
	ck_assert_int_eq(k.n_sent, 0);
	write_done(true);
	ask_support(1, EPOCH);
	ck_assert(support_said(1).yes);
	ck_assert_int_eq(k.writes, 1);
}
END_TEST

START_TEST(a_fence_is_answered_only_when_it_is_durable)
{
	struct mt_fence_ans ans;

	given_standby();
	given_keep(&(struct mt_record){ .raft_id = 2,
					.max_ttl_ms = TTL_MS });
	ck_assert_int_eq(ask_fence(3, EPOCH), 0);
	ck_assert_int_eq(k.n_sent, 0);
	ck_assert_int_eq(k.writes, 1);
	ask_support(1, EPOCH); /* refused already */
	ck_assert(!support_said(1).yes);
	write_done(true);
	ans = fence_said(3);
	ck_assert(ans.yes);
	ck_assert_uint_eq(ans.raft_id, 2);
	ck_assert_uint_eq(ans.epoch, EPOCH);
	ck_assert_uint_eq(ans.term, TERM);
	ck_assert_int_eq(ans.left_ms, 0);
	ck_assert_uint_eq(k.disk.fenced, EPOCH);
	/* asked again, it needs no write */
	ask_fence(1, EPOCH);
	ck_assert(fence_said(1).yes);
	ck_assert_int_eq(k.writes, 1);
}
END_TEST

START_TEST(a_fence_is_answered_at_once_by_a_disk_that_is)
{
	given_standby();
	given_keep(&(struct mt_record){ .raft_id = 2,
					.max_ttl_ms = TTL_MS });
	k.at_once = true;
	ask_fence(3, EPOCH);
	ck_assert(fence_said(3).yes);
	ck_assert(!k.keep.writing);
}
END_TEST

START_TEST(a_fence_that_is_refused_says_what_is_left)
{
	struct mt_fence_ans ans;

	given_standby();
	given_keep(&(struct mt_record){ .raft_id = 2,
					.max_ttl_ms = TTL_MS });
	ask_support(1, EPOCH);
	w.view.now_ms += 100;
	ask_fence(3, EPOCH);
	ans = fence_said(3);
	ck_assert(!ans.yes);
	ck_assert_int_eq(ans.left_ms, TTL_MS - 100);
	ck_assert_int_eq(k.writes, 0);
}
END_TEST

START_TEST(a_write_that_fails_is_tried_again_and_answers_nothing)
{
	int64_t again_ms;

	given_standby();
	given_keep(&(struct mt_record){ .raft_id = 2,
					.max_ttl_ms = TTL_MS });
	ask_fence(3, EPOCH);
	write_done(false);
	ck_assert_int_eq(k.n_sent, 0);
	again_ms = step();
	ck_assert_int_eq(again_ms, NOW + 500);
	ck_assert_int_eq(k.writes, 1);
	w.view.now_ms = NOW + 499;
	ask_fence(3, EPOCH);
	ck_assert_int_eq(k.writes, 1);
	ask_support(1, EPOCH); /* in memory it is fenced */
	ck_assert(!support_said(1).yes);
	w.view.now_ms = NOW + 500;
	step();
	ck_assert_int_eq(k.writes, 2);
	write_done(true);
	ck_assert(fence_said(3).yes);
}
END_TEST

START_TEST(what_changes_during_a_write_is_written_after_it)
{
	given_standby();
	given_keep(&(struct mt_record){ .raft_id = 2,
					.max_ttl_ms = TTL_MS });
	ask_fence(3, EPOCH);
	ask_fence(1, EPOCH + 1);
	ck_assert(!mt_keep_give_up(&k.keep, 3));
	ck_assert_int_eq(k.writes, 1);
	ck_assert_uint_eq(k.disk.fenced, EPOCH);
	write_done(true);
	ck_assert_int_eq(k.n_sent, 0); /* the newer is what is asked for */
	ck_assert_int_eq(k.writes, 2);
	ck_assert_uint_eq(k.disk.fenced, EPOCH + 1);
	ck_assert_uint_eq(k.disk.given_up, 3);
	write_done(true);
	ck_assert_uint_eq(fence_said(1).epoch, EPOCH + 1);
	ck_assert(mt_keep_give_up(&k.keep, 3));
	ck_assert_int_eq(k.writes, 2);
}
END_TEST

/* ---- fencing ----------------------------------------------------------- */

START_TEST(a_fence_goes_to_all_voters_and_to_oneself)
{
	const struct mt_fence_req req = {
		.raft_id = 1, .incarnation = 10, .epoch = EPOCH,
		.term = TERM,
	};
	struct mt_fence_ans ans = {
		.raft_id = 3, .epoch = EPOCH, .term = TERM, .yes = true,
	};
	uint8_t buf[MT_LEASE_MESSAGE_MAX];

	given_keeping_primary();
	mt_keep_fence(&k.keep, &w.view.voters, &req, TERM, NOW);
	ck_assert_int_eq(k.n_sent, 2);
	ck_assert_int_eq(k.sent[0].kind, MT_KEEP_FENCE_REQ);
	ck_assert_int_eq(k.n_fenced, 0); /* not durable */
	write_done(true);
	ck_assert_int_eq(k.n_sent, 2);
	ck_assert_int_eq(k.n_fenced, 1);
	ck_assert_uint_eq(k.fenced.raft_id, 1);
	ck_assert(k.fenced.yes);
	ck_assert_int_eq(receive(3, MT_KEEP_FENCE_ANS, buf,
				 mt_fence_ans_encode(&ans, buf)), 0);
	ck_assert_int_eq(k.n_fenced, 2);
	ck_assert_uint_eq(k.fenced.raft_id, 3);
}
END_TEST

START_TEST(ones_own_promise_stands_against_ones_own_fence)
{
	const struct mt_fence_req req = {
		.raft_id = 1, .incarnation = 10, .epoch = EPOCH,
		.term = TERM,
	};

	given_keeping_primary();
	step(); /* promises itself */
	mt_keep_fence(&k.keep, &w.view.voters, &req, TERM, NOW + 1);
	ck_assert_int_eq(k.n_fenced, 1);
	ck_assert(!k.fenced.yes);
	ck_assert_int_eq(k.fenced.left_ms, TTL_MS - 1);
	ck_assert_int_eq(k.writes, 0);
}
END_TEST

/* ---- messages ---------------------------------------------------------- */

START_TEST(messages_out_of_form_or_of_another_sender_are_refused)
{
	const struct mt_support_req sreq = { .raft_id = 3, .epoch = EPOCH,
					     .ttl_ms = TTL_MS };
	const struct mt_support_ans sans = { .raft_id = 3 };
	const struct mt_fence_req freq = { .raft_id = 3, .epoch = EPOCH,
					   .term = TERM };
	const struct mt_fence_ans fans = { .raft_id = 3 };

	for (int kind = MT_KEEP_SUPPORT_REQ; kind <= MT_KEEP_FENCE_ANS + 1;
	     kind++) {
		uint8_t buf[MT_LEASE_MESSAGE_MAX];
		size_t n = 0;

		given_keeping_primary();
		if (kind == MT_KEEP_SUPPORT_REQ)
			n = mt_support_req_encode(&sreq, buf);
		else if (kind == MT_KEEP_SUPPORT_ANS)
			n = mt_support_ans_encode(&sans, buf);
		else if (kind == MT_KEEP_FENCE_REQ)
			n = mt_fence_req_encode(&freq, buf);
		else
			n = mt_fence_ans_encode(&fans, buf);
		ck_assert_int_eq(receive(2, (enum mt_keep_message)kind, buf,
					 n), MT_EPROTO);
		ck_assert_int_eq(receive(3, (enum mt_keep_message)kind, buf,
					 n - 1), MT_EPROTO);
		ck_assert_int_eq(receive(3, (enum mt_keep_message)kind, buf,
					 0), MT_EPROTO);
		ck_assert_int_eq(k.n_sent, 0);
		ck_assert_int_eq(k.n_fenced, 0);
		ck_assert_int_eq(k.writes, 0);
		ck_assert_int_eq(receive(3, (enum mt_keep_message)kind, buf,
					 n),
				 kind <= MT_KEEP_FENCE_ANS ? 0 : MT_EPROTO);
	}
}
END_TEST

/* ---- the record -------------------------------------------------------- */

START_TEST(giving_up_is_done_when_it_is_durable)
{
	given_keeping_primary();
	step();
	hear_yes(2);
	ck_assert(!mt_keep_give_up(&k.keep, EPOCH));
	ck_assert_int_eq(k.writes, 1);
	/* no support is asked from the moment of the decision */
	w.view.now_ms += 1000;
	step();
	ck_assert_int_eq(k.n_sent, 2);
	ck_assert_int_eq(k.keep.holder.epoch, 0);
	/* but the view, from which a release is proposed, knows it later */
	mt_keep_observe(&k.keep, local());
	ck_assert_uint_eq(local()->record.given_up, 0);
	write_done(true);
	ck_assert(mt_keep_give_up(&k.keep, EPOCH));
	mt_keep_observe(&k.keep, local());
	ck_assert_uint_eq(local()->record.given_up, EPOCH);
	/* it never goes back */
	ck_assert(mt_keep_give_up(&k.keep, EPOCH - 1));
	ck_assert_uint_eq(k.keep.want.given_up, EPOCH);
}
END_TEST

START_TEST(an_epoch_is_taken_when_it_is_durable)
{
	given_keeping_primary();
	ck_assert(mt_keep_take_epoch(&k.keep, EPOCH, DATA_ID));
	ck_assert_int_eq(k.writes, 0);
	ck_assert(!mt_keep_take_epoch(&k.keep, EPOCH + 1, DATA_ID));
	ck_assert(!mt_keep_take_epoch(&k.keep, EPOCH + 1, DATA_ID));
	ck_assert_int_eq(k.writes, 1);
	write_done(true);
	ck_assert(mt_keep_take_epoch(&k.keep, EPOCH + 1, DATA_ID));
	ck_assert(!mt_keep_take_epoch(&k.keep, EPOCH + 1, DATA_ID + 1));
	ck_assert_uint_eq(k.disk.data_id, DATA_ID + 1);
}
END_TEST

START_TEST(forming_is_done_when_it_is_durable)
{
	given_standby();
	given_keep(&(struct mt_record){ .incarnation = 1 });
	ck_assert(!mt_keep_form(&k.keep, 2, 77));
	ck_assert_uint_eq(k.keep.raft_id, 2);
	ck_assert_uint_eq(k.disk.raft_id, 2);
	ck_assert_uint_eq(k.disk.cluster_id, 77);
	write_done(true);
	ck_assert(mt_keep_form(&k.keep, 2, 77));
	mt_keep_set_id(&k.keep, 9);
	mt_keep_observe(&k.keep, local());
	ck_assert_uint_eq(local()->raft_id, 9);
}
END_TEST

START_TEST(the_view_has_the_old_deadline_until_there_is_a_lease)
{
	given_keeping_primary();
	local()->deadline_ms = NOW + 1234; /* of the sentinel's page */
	mt_keep_observe(&k.keep, local());
	ck_assert_int_eq(local()->deadline_ms, NOW + 1234);
	ck_assert(!local()->had_lease);
	step();
	hear_yes(2);
	mt_keep_observe(&k.keep, local());
	ck_assert_int_eq(local()->deadline_ms,
			 mt_holder_deadline_ms(&k.keep.holder));
	ck_assert(local()->had_lease);
	ck_assert_uint_eq(local()->lease_epoch, EPOCH);
	ck_assert_uint_eq(local()->incarnation, 10);
}
END_TEST

START_TEST(records_are_equal_in_every_field)
{
	const struct mt_record a = { 1, 2, 3, 4, 5, 6, 7, 8 };

	ck_assert(mt_record_equal(&a, &a));
	for (size_t at = 0; at < sizeof(a); at += 8) {
		struct mt_record b = a;

		((uint8_t *)&b)[at]++;
		ck_assert(!mt_record_equal(&a, &b));
	}
}
END_TEST

int
main(void)
{
	RUN_TESTS("keep", a_round_goes_to_all_voters_and_the_own_vote_counts,
		  a_lone_voter_is_its_own_majority,
		  the_own_vote_passes_the_same_function,
		  it_asks_often_without_a_lease_and_seldom_with_one,
		  only_who_may_ask_asks,
		  asking_ends_with_the_turn_and_so_does_the_lease,
		  a_continued_turn_keeps_its_lease_and_another_does_not,
		  a_pause_is_told_and_costs_the_lease,
		  support_is_given_to_the_one_who_asked,
		  a_promise_waits_until_its_boot_hold_is_durable,
		  a_fence_is_answered_only_when_it_is_durable,
		  a_fence_is_answered_at_once_by_a_disk_that_is,
		  a_fence_that_is_refused_says_what_is_left,
		  a_write_that_fails_is_tried_again_and_answers_nothing,
		  what_changes_during_a_write_is_written_after_it,
		  a_fence_goes_to_all_voters_and_to_oneself,
		  ones_own_promise_stands_against_ones_own_fence,
		  messages_out_of_form_or_of_another_sender_are_refused,
		  giving_up_is_done_when_it_is_durable,
		  an_epoch_is_taken_when_it_is_durable,
		  forming_is_done_when_it_is_durable,
		  the_view_has_the_old_deadline_until_there_is_a_lease,
		  records_are_equal_in_every_field);
}
