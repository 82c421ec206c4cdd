/* SPDX-License-Identifier: PostgreSQL */
/*
 * The promises of one node at work: what leaves the node, and what must be
 * durable before. The holder's side is in check_keep.c.
 */
#include "core/keep.h"

#include "base/text.h"

#include "keeping.h"
#include "test/unit/run.h"

/* ---- voting ------------------------------------------------------------ */

START_TEST(support_is_given_to_the_one_who_asked)
{
	struct mt_support_ans ans;

	given_standby();
	given_keep(&(struct mt_record){
	    .incarnation = 12, .raft_id = 2, .max_ttl_ms = TTL_MS});
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
	given_keep(&(struct mt_record){.raft_id = 2});
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
	given_keep(&(struct mt_record){.raft_id = 2, .max_ttl_ms = TTL_MS});
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
	given_keep(&(struct mt_record){.raft_id = 2, .max_ttl_ms = TTL_MS});
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
	given_keep(&(struct mt_record){.raft_id = 2, .max_ttl_ms = TTL_MS});
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
	given_keep(&(struct mt_record){.raft_id = 2, .max_ttl_ms = TTL_MS});
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
	given_keep(&(struct mt_record){.raft_id = 2, .max_ttl_ms = TTL_MS});
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
	    .raft_id = 1,
	    .incarnation = 10,
	    .epoch = EPOCH,
	    .term = TERM,
	};
	struct mt_fence_ans ans = {
	    .raft_id = 3,
	    .epoch = EPOCH,
	    .term = TERM,
	    .yes = true,
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
	ck_assert_int_eq(
	    receive(3, MT_KEEP_FENCE_ANS, buf, mt_fence_ans_encode(&ans, buf)),
	    0);
	ck_assert_int_eq(k.n_fenced, 2);
	ck_assert_uint_eq(k.fenced.raft_id, 3);
}
END_TEST

START_TEST(ones_own_promise_stands_against_ones_own_fence)
{
	const struct mt_fence_req req = {
	    .raft_id = 1,
	    .incarnation = 10,
	    .epoch = EPOCH,
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
	const struct mt_support_req sreq = {
	    .raft_id = 3, .epoch = EPOCH, .ttl_ms = TTL_MS};
	const struct mt_support_ans sans = {.raft_id = 3};
	const struct mt_fence_req freq = {
	    .raft_id = 3, .epoch = EPOCH, .term = TERM};
	const struct mt_fence_ans fans = {.raft_id = 3};

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
		ck_assert_int_eq(receive(2, (enum mt_keep_message)kind, buf, n),
				 MT_EPROTO);
		ck_assert_int_eq(
		    receive(3, (enum mt_keep_message)kind, buf, n - 1),
		    MT_EPROTO);
		ck_assert_int_eq(receive(3, (enum mt_keep_message)kind, buf, 0),
				 MT_EPROTO);
		ck_assert_int_eq(k.n_sent, 0);
		ck_assert_int_eq(k.n_fenced, 0);
		ck_assert_int_eq(k.writes, 0);
		ck_assert_int_eq(receive(3, (enum mt_keep_message)kind, buf, n),
				 kind <= MT_KEEP_FENCE_ANS ? 0 : MT_EPROTO);
	}
}
END_TEST

int
main(void)
{
	RUN_TESTS("keep_voter", support_is_given_to_the_one_who_asked,
		  a_promise_waits_until_its_boot_hold_is_durable,
		  a_fence_is_answered_only_when_it_is_durable,
		  a_fence_is_answered_at_once_by_a_disk_that_is,
		  a_fence_that_is_refused_says_what_is_left,
		  a_write_that_fails_is_tried_again_and_answers_nothing,
		  what_changes_during_a_write_is_written_after_it,
		  a_fence_goes_to_all_voters_and_to_oneself,
		  ones_own_promise_stands_against_ones_own_fence,
		  messages_out_of_form_or_of_another_sender_are_refused);
}
