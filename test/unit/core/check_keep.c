/* SPDX-License-Identifier: PostgreSQL */
/*
 * The lease of one node at work: when it asks for support, what becomes of its
 * lease, and what of its record is durable before it counts.
 */
#include "core/keep.h"

#include "base/text.h"

#include "keeping.h"
#include "test/unit/run.h"

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

START_TEST(who_may_be_displaced_asks_more_often_and_knows_what_it_missed)
{
	struct mt_local seen = {0};

	given_keeping_primary();
	w.state.sync.n = w.state.sync.k = 1;
	step();
	mt_keep_observe(&k.keep, &seen);
	ck_assert_int_eq(seen.missed_ms, 0);
	hear_yes(3);
	ck_assert_int_eq(step(), NOW + 250);
	mt_keep_observe(&k.keep, &seen);
	ck_assert_int_eq(seen.missed_ms, NOW + 500);
	w.view.now_ms = NOW + 250;
	step();
	ck_assert_int_eq(k.n_sent, 4);
	mt_keep_observe(&k.keep, &seen);
	ck_assert_msg(seen.missed_ms == NOW + 500, "asking is no support");
	hear_yes(2);
	mt_keep_observe(&k.keep, &seen);
	ck_assert_int_eq(seen.missed_ms, NOW + 750);
	/* A new epoch of the same turn is no new beginning; another turn is. */
	w.state.leader.epoch++;
	local()->record.pg_epoch++;
	step();
	mt_keep_observe(&k.keep, &seen);
	ck_assert_int_eq(seen.missed_ms, NOW + 750);
	w.settings.suspect_timeout_ms = 2000;
	step();
	ck_assert_msg(k.keep.interval_ms == 500, "no less often than else");
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
	    {"the primary", 0, 0, 0, 0, 0, 0, 0, EPOCH, 2},
	    {"an older give-up", 0, 0, 0, 0, 0, 0, EPOCH - 1, EPOCH, 2},
	    {"a witness", 1, 0, 0, 0, 0, 0, 0, EPOCH, 0},
	    {"not the holder", 0, 1, 0, 0, 0, 0, 0, EPOCH, 0},
	    {"released", 0, 0, 1, 0, 0, 0, 0, EPOCH, 0},
	    {"no sentinel", 0, 0, 0, 1, 0, 0, 0, EPOCH, 0},
	    {"lapsed", 0, 0, 0, 0, 1, 0, 0, EPOCH, 0},
	    {"an unknown command", 0, 0, 0, 0, 0, 1, 0, EPOCH, 0},
	    {"given up", 0, 0, 0, 0, 0, 0, EPOCH, EPOCH, 0},
	    {"epoch not taken", 0, 0, 0, 0, 0, 0, 0, EPOCH - 1, 0},
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
	    .raft_id = 2,
	    .incarnation = 20,
	    .holder_incarnation = 10,
	    .seq = k.keep.holder.next_seq,
	    .epoch = EPOCH,
	    .yes = true,
	    .clock_ms = w.view.now_ms + 3000,
	};
	receive(2, MT_KEEP_SUPPORT_ANS, buf, mt_support_ans_encode(&ans, buf));
	ck_assert(k.keep.paused);
	ck_assert_int_eq(k.keep.holder.lease_end_ms, 0);
	mt_keep_observe(&k.keep, local());
	ck_assert_int_eq(local()->deadline_ms, 0);
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
	given_keep(&(struct mt_record){.incarnation = 1});
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
	const struct mt_record a = {1, 2, 3, 4, 5, 6, 7, 8};

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
		  who_may_be_displaced_asks_more_often_and_knows_what_it_missed,
		  only_who_may_ask_asks,
		  asking_ends_with_the_turn_and_so_does_the_lease,
		  a_continued_turn_keeps_its_lease_and_another_does_not,
		  a_pause_is_told_and_costs_the_lease,
		  giving_up_is_done_when_it_is_durable,
		  an_epoch_is_taken_when_it_is_durable,
		  forming_is_done_when_it_is_durable,
		  the_view_has_the_old_deadline_until_there_is_a_lease,
		  records_are_equal_in_every_field);
}
