/* SPDX-License-Identifier: PostgreSQL */
/*
 * The lease: each rule of voter and holder, and the proof by enumeration that
 * clocks within the drift that is allowed never leave a holder writing after
 * the promises of a majority.
 */
#include "core/lease.h"

#include <string.h>

#include "base/text.h"

#include "run.h"

#define T0 INT64_C(1000000)
#define TTL INT64_C(5000)
#define DAY_MS (INT64_C(24) * 3600 * 1000)

/* ---- vocabulary -------------------------------------------------------- */

static struct mt_voter voter;
static struct mt_record want, durable;
static struct mt_state state;
static struct mt_support_ans said;
static struct mt_fence_ans fence_said;

/* A voter that has been up for long and has promised ttl_ms before. */
static void
given_voter(int64_t max_ttl_ms, uint64_t fenced)
{
	memset(&state, 0, sizeof(state));
	state.leader.epoch = 5;
	want = (struct mt_record){ .max_ttl_ms = max_ttl_ms,
				   .fenced = fenced };
	durable = want;
	mt_voter_start(&voter, &durable, T0 - DAY_MS);
}

static enum mt_voter_result
asked(uint64_t epoch, int64_t ttl_ms, int64_t now_ms)
{
	const struct mt_support_req req = {
		.raft_id = 1, .incarnation = 11, .seq = 77, .epoch = epoch,
		.ttl_ms = ttl_ms,
	};

	return mt_voter_support(&voter, &want, &durable, &state, &req, now_ms,
				&said);
}

static enum mt_voter_result
fenced(uint64_t epoch, uint64_t term, int64_t now_ms)
{
	const struct mt_fence_req req = {
		.raft_id = 3, .incarnation = 33, .epoch = epoch, .term = term,
	};

	return mt_voter_fence(&voter, &want, &durable, 7, &req, now_ms,
			      &fence_said);
}

static void
written(void)
{
	durable = want;
}

static struct mt_holder holder;
static bool paused;

static void
given_voters(int n, uint64_t index)
{
	struct mt_voters v = { .n = n, .index = index, .term = 1 };

	for (int i = 0; i < n; i++)
		v.raft_id[i] = (uint64_t)i + 1;
	mt_holder_set_voters(&holder, &v);
}

static void
given_holder(int n_voters)
{
	memset(&holder, 0, sizeof(holder));
	given_voters(n_voters, 1);
	mt_holder_start(&holder, 5, TTL, 11);
}

static struct mt_support_req
ask(int64_t now_ms)
{
	struct mt_support_req req;

	mt_holder_ask(&holder, 1, now_ms, &req);
	return req;
}

/* A yes of this voter, whose clock shows the same as ours. */
static struct mt_support_ans
yes_of(uint64_t raft_id, const struct mt_support_req *req, int64_t clock_ms)
{
	return (struct mt_support_ans){
		.raft_id = raft_id,
		.incarnation = 100 + raft_id,
		.holder_incarnation = req->incarnation,
		.seq = req->seq,
		.epoch = req->epoch,
		.yes = true,
		.applied_epoch = req->epoch,
		.clock_ms = clock_ms,
	};
}

static bool
hear(const struct mt_support_ans *ans, int64_t now_ms)
{
	return mt_holder_answer(&holder, ans, now_ms, &paused);
}

static bool
hear_yes(uint64_t raft_id, const struct mt_support_req *req, int64_t now_ms)
{
	struct mt_support_ans ans = yes_of(raft_id, req, now_ms);

	return hear(&ans, now_ms);
}

static int64_t
end_of_round(int64_t asked_ms)
{
	return asked_ms + TTL - mt_lease_margin_ms(TTL);
}

/* ---- arithmetic -------------------------------------------------------- */

START_TEST(the_margin_is_twice_the_drift_rounded_up_and_a_grain)
{
	static const struct {
		int64_t ttl_ms, margin_ms, interval_ms;
	} rows[] = {
		{ 0, 20, 0 },	      { 1, 21, 0 },
		{ 50, 21, 6 },	      { 51, 22, 6 },
		{ 2000, 60, 250 },    { 4000, 100, 500 },
		{ 4001, 101, 500 },   { 5000, 120, 500 },
		{ 30000, 620, 500 },  { 3600000, 72020, 500 },
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		ck_assert_int_eq(mt_lease_margin_ms(rows[i].ttl_ms),
				 rows[i].margin_ms);
		ck_assert_int_eq(mt_lease_interval_ms(rows[i].ttl_ms),
				 rows[i].interval_ms);
	}
}
END_TEST

/* ---- voter: support ---------------------------------------------------- */

START_TEST(a_voter_says_yes_to_the_epoch_that_it_knows_or_a_newer_one)
{
	given_voter(TTL, 0);
	ck_assert_int_eq(asked(5, TTL, T0), MT_VOTER_ANSWER);
	ck_assert(said.yes);
	ck_assert_uint_eq(said.holder_incarnation, 11);
	ck_assert_uint_eq(said.seq, 77);
	ck_assert_uint_eq(said.epoch, 5);
	ck_assert_uint_eq(said.applied_epoch, 5);
	ck_assert_int_eq(said.clock_ms, T0);
	ck_assert_int_eq(voter.promise_ms, T0 + TTL);
	asked(6, TTL, T0 + 1); /* it lags behind the holder */
	ck_assert(said.yes);
	ck_assert_int_eq(voter.promise_ms, T0 + 1 + TTL);
}
END_TEST

START_TEST(each_ground_on_which_a_voter_says_no)
{
	static const struct {
		const char *what;
		uint64_t fenced, applied, epoch;
		bool released;
		int64_t ttl_ms;
		bool yes;
	} rows[] = {
		{ "granted", 4, 5, 5, false, TTL, true },
		{ "fenced at it", 5, 5, 5, false, TTL, false },
		{ "fenced above it", 6, 5, 5, false, TTL, false },
		{ "fenced below it", 5, 5, 6, false, TTL, true },
		{ "an older epoch", 0, 5, 4, false, TTL, false },
		{ "released", 0, 5, 5, true, TTL, false },
		{ "the one after a release", 0, 5, 6, true, TTL, true },
		{ "epoch 0", 0, 0, 0, false, TTL, false },
		{ "no ttl", 0, 5, 5, false, 0, false },
		{ "negative ttl", 0, 5, 5, false, -1, false },
		{ "lowest ttl", 0, 5, 5, false, INT64_MIN, false },
		{ "absurd ttl", 0, 5, 5, false, DAY_MS + 1, false },
		{ "highest ttl", 0, 5, 5, false, INT64_MAX, false },
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		int64_t before;

		given_voter(TTL, rows[i].fenced);
		state.leader.epoch = rows[i].applied;
		state.leader.released = rows[i].released;
		before = voter.promise_ms;
		ck_assert_msg(asked(rows[i].epoch, rows[i].ttl_ms, T0) ==
				  MT_VOTER_ANSWER, "%s", rows[i].what);
		ck_assert_msg(said.yes == rows[i].yes, "%s", rows[i].what);
		ck_assert_msg(rows[i].yes || voter.promise_ms == before,
			      "%s: a no promises nothing", rows[i].what);
		ck_assert_msg(said.fenced == rows[i].fenced, "%s",
			      rows[i].what);
		ck_assert_msg(memcmp(&want, &durable, sizeof(want)) == 0,
			      "%s", rows[i].what);
	}
}
END_TEST

START_TEST(a_promise_is_one_deadline_across_epochs)
{
	given_voter(TTL, 0);
	asked(5, TTL, T0);
	/* Another holder of a newer epoch promises for less: the deadline
	 * stays where the longest promise is. */
	asked(6, 1000, T0 + 1);
	ck_assert(said.yes);
	ck_assert_int_eq(voter.promise_ms, T0 + TTL);
	fenced(6, 7, T0 + 2000);
	ck_assert(!fence_said.yes);
	ck_assert_int_eq(fence_said.left_ms, TTL - 2000);
}
END_TEST

START_TEST(a_started_voter_holds_still_for_the_longest_promise)
{
	want = durable = (struct mt_record){ .max_ttl_ms = TTL };
	mt_voter_start(&voter, &durable, T0);
	fenced(5, 7, T0);
	ck_assert(!fence_said.yes);
	ck_assert_int_eq(fence_said.left_ms, TTL);
	fenced(5, 7, T0 + TTL - 1);
	ck_assert_int_eq(fence_said.left_ms, 1);
	ck_assert_int_eq(fenced(5, 7, T0 + TTL), MT_VOTER_PERSIST);
	/* Who never promised anything holds nothing up. */
	want = durable = (struct mt_record){0};
	mt_voter_start(&voter, &durable, T0);
	ck_assert_int_eq(fenced(5, 7, T0), MT_VOTER_PERSIST);
}
END_TEST

START_TEST(the_boot_hold_covers_a_promise_before_it_is_given)
{
	given_voter(0, 0);
	ck_assert_int_eq(asked(5, TTL, T0), MT_VOTER_PERSIST);
	ck_assert_int_eq(want.max_ttl_ms, TTL);
	ck_assert_int_le(voter.promise_ms, T0); /* nothing promised yet */
	ck_assert_int_eq(asked(5, TTL, T0 + 50), MT_VOTER_PERSIST);
	written();
	ck_assert_int_eq(asked(5, TTL, T0 + 100), MT_VOTER_ANSWER);
	ck_assert(said.yes);
	ck_assert_int_eq(voter.promise_ms, T0 + 100 + TTL);
	ck_assert_int_eq(asked(6, 2 * TTL, T0 + 200), MT_VOTER_PERSIST);
	ck_assert_int_eq(want.max_ttl_ms, 2 * TTL);
	/* While that is being written, the shorter one is covered. */
	ck_assert_int_eq(asked(5, TTL, T0 + 250), MT_VOTER_ANSWER);
	ck_assert(said.yes);
	ck_assert_int_eq(want.max_ttl_ms, 2 * TTL);
}
END_TEST

START_TEST(the_boot_hold_is_lowered_when_the_longer_promises_are_over)
{
	given_voter(2 * TTL, 0);
	asked(5, 2 * TTL, T0);
	ck_assert(said.yes);
	for (int64_t t = 500; t <= 2 * TTL; t += 500) {
		asked(5, TTL, T0 + t);
		ck_assert(said.yes);
		ck_assert_int_eq(want.max_ttl_ms, 2 * TTL);
	}
	asked(5, TTL, T0 + 2 * TTL + 1);
	ck_assert(said.yes);
	ck_assert_int_eq(want.max_ttl_ms, TTL);
	/* Lowered in memory only: a longer promise must not rely on the
	 * record that is being replaced. */
	ck_assert_int_eq(asked(5, 2 * TTL, T0 + 2 * TTL + 2),
			 MT_VOTER_PERSIST);
	ck_assert_int_eq(want.max_ttl_ms, 2 * TTL);
}
END_TEST

START_TEST(a_promise_between_is_covered_when_the_boot_hold_is_lowered)
{
	struct mt_voter again;

	/* 10 s, then 7 s for a while, then 5 s: the last of the 7 s promises
	 * still stands when 10 s have passed since the last of 10 s. */
	given_voter(10000, 0);
	asked(5, 10000, T0);
	asked(6, 7000, T0 + 9900);
	asked(7, 5000, T0 + 10100);
	ck_assert(said.yes);
	written();
	mt_voter_start(&again, &durable, T0 + 10200);
	ck_assert_msg(again.promise_ms >= voter.promise_ms,
		      "after a restart it holds until %lld, but promised "
		      "until %lld",
		      (long long)(again.promise_ms - T0),
		      (long long)(voter.promise_ms - T0));
}
END_TEST

/* Whatever was promised in whatever order: a restart at any time, with the
 * record as it is on disk then, never ends a promise early. */
START_TEST(no_restart_ends_a_promise_early)
{
	static const int64_t ttls[] = { 2000, 3000, 5000 };
	static const int64_t steps[] = { 900, 1500, 2600 };
	const int depth = 5;
	int all = 1;

	for (int i = 0; i < depth; i++)
		all *= 9;
	for (int code = 0; code < all; code++) {
		int64_t now_ms = T0;
		int c = code;

		given_voter(0, 0);
		for (int i = 0; i < depth; i++, c /= 9) {
			struct mt_voter again;
			uint64_t epoch = 5 + (uint64_t)i;

			now_ms += steps[c % 3];
			if (asked(epoch, ttls[c / 3 % 3], now_ms) ==
			    MT_VOTER_PERSIST) {
				written();
				asked(epoch, ttls[c / 3 % 3], now_ms);
			}
			/* the record may or may not be on disk by then */
			mt_voter_start(&again, &durable, now_ms + 1);
			if (!said.yes || again.promise_ms < voter.promise_ms)
				ck_abort_msg("row %d, step %d", code, i);
			mt_voter_start(&again, &want, now_ms + 1);
			if (again.promise_ms < voter.promise_ms)
				ck_abort_msg("row %d, step %d", code, i);
			written();
		}
	}
}
END_TEST

/* ---- voter: fence ------------------------------------------------------ */

START_TEST(a_fence_is_refused_while_a_promise_lasts)
{
	given_voter(TTL, 0);
	asked(5, TTL, T0);
	ck_assert_int_eq(fenced(5, 7, T0 + 1), MT_VOTER_ANSWER);
	ck_assert(!fence_said.yes);
	ck_assert_int_eq(fence_said.left_ms, TTL - 1);
	ck_assert_uint_eq(fence_said.epoch, 5);
	ck_assert_uint_eq(fence_said.term, 7);
	ck_assert_uint_eq(want.fenced, 0);
	/* and it goes on supporting */
	asked(5, TTL, T0 + 2);
	ck_assert(said.yes);
	ck_assert_int_eq(fenced(5, 7, T0 + 2 + TTL - 1), MT_VOTER_ANSWER);
	ck_assert_int_eq(fence_said.left_ms, 1);
	ck_assert_int_eq(fenced(5, 7, T0 + 2 + TTL), MT_VOTER_PERSIST);
	ck_assert_uint_eq(want.fenced, 5);
}
END_TEST

START_TEST(a_fence_refuses_support_before_it_is_durable)
{
	given_voter(TTL, 0);
	ck_assert_int_eq(fenced(5, 7, T0), MT_VOTER_PERSIST);
	ck_assert_uint_eq(durable.fenced, 0);
	asked(5, TTL, T0 + 1);
	ck_assert(!said.yes);
	ck_assert_uint_eq(said.fenced, 5);
	asked(6, TTL, T0 + 1);
	ck_assert(said.yes);
}
END_TEST

START_TEST(a_fence_is_answered_when_it_is_durable)
{
	struct mt_fence_ans late;

	given_voter(TTL, 0);
	fenced(5, 7, T0);
	ck_assert(!mt_voter_persisted(&voter, &durable, T0 + 1, &late));
	written();
	ck_assert(mt_voter_persisted(&voter, &durable, T0 + 2, &late));
	ck_assert(late.yes);
	ck_assert_uint_eq(late.epoch, 5);
	ck_assert_uint_eq(late.term, 7);
	ck_assert_uint_eq(late.fenced, 5);
	ck_assert_int_eq(late.left_ms, 0);
	ck_assert(!mt_voter_persisted(&voter, &durable, T0 + 3, &late));
	/* asked again: known, no write */
	ck_assert_int_eq(fenced(5, 7, T0 + 4), MT_VOTER_ANSWER);
	ck_assert(fence_said.yes);
	ck_assert_int_eq(fence_said.left_ms, 0);
}
END_TEST

START_TEST(a_promise_given_while_a_fence_is_written_is_told)
{
	struct mt_fence_ans late;

	given_voter(TTL, 0);
	fenced(5, 7, T0);
	asked(6, TTL, T0 + 10); /* above the fence: granted */
	ck_assert(said.yes);
	written();
	ck_assert(mt_voter_persisted(&voter, &durable, T0 + 20, &late));
	ck_assert_int_eq(late.left_ms, TTL - 10);
}
END_TEST

START_TEST(each_ground_on_which_a_fence_is_refused)
{
	given_voter(TTL, 0);
	ck_assert_int_eq(fenced(5, 6, T0), MT_VOTER_ANSWER); /* older term */
	ck_assert(!fence_said.yes);
	ck_assert_uint_eq(want.fenced, 0);
	ck_assert_int_eq(fenced(5, 8, T0), MT_VOTER_PERSIST); /* newer term */
	given_voter(TTL, 6);
	ck_assert_int_eq(fenced(5, 7, T0), MT_VOTER_ANSWER); /* older epoch */
	ck_assert(!fence_said.yes);
	ck_assert_uint_eq(fence_said.fenced, 6);
	ck_assert_int_eq(fenced(6, 7, T0), MT_VOTER_ANSWER); /* that one */
	ck_assert(fence_said.yes);
	ck_assert_int_eq(fenced(7, 7, T0), MT_VOTER_PERSIST);
	ck_assert_uint_eq(want.fenced, 7);
	/* a fence above one that is being written */
	ck_assert_int_eq(fenced(9, 7, T0), MT_VOTER_PERSIST);
	ck_assert_int_eq(fenced(8, 7, T0), MT_VOTER_ANSWER);
	ck_assert(!fence_said.yes);
	ck_assert_uint_eq(want.fenced, 9);
}
END_TEST

START_TEST(a_fence_known_before_is_refused_while_a_newer_promise_lasts)
{
	given_voter(TTL, 5);
	asked(6, TTL, T0);
	ck_assert(said.yes);
	ck_assert_int_eq(fenced(5, 7, T0 + 1), MT_VOTER_ANSWER);
	ck_assert_int_eq(fence_said.left_ms, TTL - 1);
	ck_assert(!fence_said.yes);
}
END_TEST

/* ---- holder ------------------------------------------------------------ */

START_TEST(a_lease_needs_a_majority_of_the_voters)
{
	static const int need[] = { 0, 1, 2, 2, 3, 3, 4, 4 };

	for (int n = 1; n <= 7; n++) {
		struct mt_support_req req;

		given_holder(n);
		req = ask(T0);
		for (int i = 1; i <= n; i++) {
			bool extended =
			    hear_yes((uint64_t)i, &req, T0 + i);

			ck_assert_msg(extended == (i == need[n]),
				      "%d of %d voters", i, n);
			ck_assert_msg((mt_holder_deadline_ms(&holder) != 0) ==
					  (i >= need[n]),
				      "%d of %d voters", i, n);
		}
		ck_assert_int_eq(holder.lease_end_ms, end_of_round(T0));
		ck_assert_int_eq(mt_holder_deadline_ms(&holder),
				 end_of_round(T0) - MT_KILL_ALLOWANCE_MS);
		ck_assert(holder.had_lease);
		ck_assert_int_eq(holder.round_trip_ms, need[n]);
		ck_assert_uint_eq(holder.round_index, 1);
	}
}
END_TEST

START_TEST(without_voters_there_is_no_lease)
{
	struct mt_support_req req;

	given_holder(0);
	req = ask(T0);
	ck_assert(!hear_yes(1, &req, T0));
	ck_assert(!mt_holder_writable(&holder, T0));
}
END_TEST

START_TEST(the_lease_counts_from_the_asking_of_the_slowest_of_the_majority)
{
	struct mt_support_req first, second, third;

	given_holder(5);
	first = ask(T0);
	second = ask(T0 + 500);
	third = ask(T0 + 1000);
	hear_yes(1, &third, T0 + 1001);
	hear_yes(2, &second, T0 + 1002);
	ck_assert(hear_yes(3, &first, T0 + 1003));
	ck_assert_int_eq(holder.lease_end_ms, end_of_round(T0));
	ck_assert(hear_yes(4, &third, T0 + 1004));
	ck_assert_int_eq(holder.lease_end_ms, end_of_round(T0 + 500));
	ck_assert(hear_yes(5, &third, T0 + 1005));
	ck_assert_int_eq(holder.lease_end_ms, end_of_round(T0 + 1000));
}
END_TEST

START_TEST(writing_ends_before_the_lease_does)
{
	struct mt_support_req req;
	int64_t end;

	given_holder(1);
	ck_assert(!mt_holder_writable(&holder, 0));
	ck_assert_int_eq(mt_holder_deadline_ms(&holder), 0);
	req = ask(T0);
	hear_yes(1, &req, T0);
	end = end_of_round(T0) - MT_KILL_ALLOWANCE_MS;
	ck_assert(mt_holder_writable(&holder, T0));
	ck_assert(mt_holder_writable(&holder, end - 1));
	ck_assert(!mt_holder_writable(&holder, end));
}
END_TEST

START_TEST(each_answer_that_does_not_count)
{
	struct mt_support_req req;

	for (int row = 0; row < 9; row++) {
		struct mt_support_ans ans;

		given_holder(3);
		req = ask(T0);
		hear_yes(1, &req, T0 + 1);
		ans = yes_of(2, &req, T0 + 1);
		switch (row) {
		case 0: /* a no */
			ans.yes = false;
			break;
		case 1: /* of another epoch */
			ans.epoch++;
			break;
		case 2: /* to an earlier life of ours */
			ans.holder_incarnation--;
			break;
		case 3: /* of no voter */
			ans.raft_id = 9;
			break;
		case 4: /* to a round that was never asked */
			ans.seq++;
			break;
		case 5: /* to one long ago, whose slot is reused */
			ans.seq += MT_ROUNDS_MAX;
			break;
		case 6:
			ans.seq = 0;
			break;
		case 7: /* the same voter twice */
			ans.raft_id = 1;
			break;
		default: /* nothing is asked any more */
			mt_holder_stop(&holder);
			break;
		}
		ck_assert_msg(!hear(&ans, T0 + 2), "row %d", row);
		ck_assert_msg(!paused, "row %d", row);
		ck_assert_msg(holder.lease_end_ms == 0, "row %d", row);
	}
}
END_TEST

START_TEST(a_round_is_forgotten_after_so_many_others)
{
	struct mt_support_req first;

	given_holder(1);
	first = ask(T0);
	for (int i = 1; i < MT_ROUNDS_MAX; i++)
		ask(T0 + i);
	ck_assert(hear_yes(1, &first, T0 + 100));
	given_holder(1);
	first = ask(T0);
	for (int i = 1; i <= MT_ROUNDS_MAX; i++)
		ask(T0 + i);
	ck_assert(!hear_yes(1, &first, T0 + 100));
}
END_TEST

START_TEST(the_lease_never_goes_back)
{
	struct mt_support_req first, second;
	int64_t end;

	given_holder(3);
	first = ask(T0);
	second = ask(T0 + 500);
	hear_yes(1, &second, T0 + 600);
	ck_assert(hear_yes(2, &second, T0 + 600));
	end = holder.lease_end_ms;
	ck_assert(!hear_yes(1, &first, T0 + 700)); /* came late */
	ck_assert(!hear_yes(2, &first, T0 + 700));
	ck_assert(!hear_yes(3, &first, T0 + 700));
	ck_assert_int_eq(holder.lease_end_ms, end);
	/* A continuing epoch of a shorter ttl takes nothing away either. */
	mt_holder_start(&holder, 6, 2000, 11);
	ck_assert_int_eq(holder.lease_end_ms, end);
	first = ask(T0 + 800);
	hear_yes(1, &first, T0 + 810);
	ck_assert(!hear_yes(2, &first, T0 + 810));
	ck_assert_int_eq(holder.lease_end_ms, end);
	first = ask(T0 + 4000);
	hear_yes(1, &first, T0 + 4010);
	ck_assert(hear_yes(2, &first, T0 + 4010));
	ck_assert_int_eq(holder.lease_end_ms,
			 T0 + 4000 + 2000 - mt_lease_margin_ms(2000));
}
END_TEST

START_TEST(a_new_configuration_voids_the_rounds_but_not_the_lease)
{
	struct mt_support_req req;
	int64_t end;

	given_holder(3);
	req = ask(T0);
	hear_yes(1, &req, T0 + 1);
	given_voters(3, 1); /* the same */
	ck_assert(hear_yes(2, &req, T0 + 2));
	end = holder.lease_end_ms;
	req = ask(T0 + 500);
	hear_yes(1, &req, T0 + 501);
	given_voters(5, 2);
	ck_assert_int_eq(holder.lease_end_ms, end);
	for (uint64_t id = 1; id <= 5; id++) /* asked under the old one */
		ck_assert(!hear_yes(id, &req, T0 + 502));
	ck_assert_int_eq(holder.lease_end_ms, end);
	ck_assert_uint_eq(holder.round_index, 1);
	req = ask(T0 + 600);
	hear_yes(1, &req, T0 + 601);
	hear_yes(2, &req, T0 + 601);
	ck_assert(hear_yes(3, &req, T0 + 601));
	ck_assert_uint_eq(holder.round_index, 2);
	ck_assert_uint_eq(holder.round_term, 1);
}
END_TEST

START_TEST(a_configuration_of_another_term_is_another)
{
	struct mt_voters other = {
		.n = 3, .raft_id = { 1, 2, 4 }, .index = 1, .term = 2,
	};
	struct mt_support_req req;

	given_holder(3);
	req = ask(T0);
	hear_yes(1, &req, T0 + 1);
	mt_holder_set_voters(&holder, &other);
	ck_assert(!hear_yes(2, &req, T0 + 2));
	ck_assert_int_eq(holder.lease_end_ms, 0);
}
END_TEST

START_TEST(a_continued_epoch_keeps_the_lease_and_voids_the_rounds)
{
	struct mt_support_req req, old;
	int64_t end;

	given_holder(1);
	req = ask(T0);
	hear_yes(1, &req, T0);
	end = holder.lease_end_ms;
	old = ask(T0 + 500);
	mt_holder_start(&holder, 6, TTL, 11);
	ck_assert_int_eq(holder.lease_end_ms, end);
	ck_assert(holder.had_lease);
	ck_assert(!hear_yes(1, &old, T0 + 501));
	old.epoch = 6; /* not even if it claims the new epoch */
	ck_assert(!hear_yes(1, &old, T0 + 501));
	ck_assert_int_eq(holder.lease_end_ms, end);
}
END_TEST

START_TEST(another_turn_begins_without_a_lease)
{
	struct mt_support_req req, again;

	given_holder(1);
	req = ask(T0);
	hear_yes(1, &req, T0);
	mt_holder_stop(&holder);
	ck_assert(!mt_holder_writable(&holder, T0 + 1));
	ck_assert(!holder.had_lease);
	mt_holder_start(&holder, 7, TTL, 11);
	ck_assert_int_eq(mt_holder_deadline_ms(&holder), 0);
	again = ask(T0 + 10);
	ck_assert_uint_gt(again.seq, req.seq);
	ck_assert_int_eq(holder.voters.n, 1);
	ck_assert(hear_yes(1, &again, T0 + 11));
}
END_TEST

/* ---- pause ------------------------------------------------------------- */

/* Two rounds; the voter's clock moved by so much between its answers, while
 * the second came back_ms after the first was sent. */
static bool
pause_seen(int64_t clock_moved_ms, int64_t back_ms)
{
	struct mt_support_req first, second;
	struct mt_support_ans ans;

	given_holder(1);
	first = ask(T0);
	ans = yes_of(1, &first, 9000000);
	ck_assert(hear(&ans, T0 + 3));
	second = ask(T0 + back_ms - 1);
	ans = yes_of(1, &second, 9000000 + clock_moved_ms);
	if (hear(&ans, T0 + back_ms))
		ck_assert(!paused);
	return paused;
}

START_TEST(a_pause_of_this_machine_drops_the_lease)
{
	struct mt_support_req req;

	ck_assert(!pause_seen(600, 600));
	ck_assert(!pause_seen(100, 600));
	ck_assert(!pause_seen(600 + mt_lease_margin_ms(600), 600));
	ck_assert(pause_seen(601 + mt_lease_margin_ms(600), 600));
	ck_assert_int_eq(holder.lease_end_ms, 0);
	ck_assert_int_eq(mt_holder_deadline_ms(&holder), 0);
	ck_assert(holder.had_lease); /* it lapsed: that is not forgotten */
	/* and what was confirmed before counts no more, open rounds too */
	req = ask(T0 + 700);
	ck_assert(hear_yes(1, &req, T0 + 701));
	ck_assert(!paused);
}
END_TEST

START_TEST(a_delayed_answer_is_no_pause)
{
	struct mt_support_req first, second;
	struct mt_support_ans ans;

	/* The first answer was under way for 400 ms: between the two receive
	 * times lie 200 ms, in which the voter's clock moved by 590. */
	given_holder(1);
	first = ask(T0);
	ans = yes_of(1, &first, 9000005);
	hear(&ans, T0 + 400);
	second = ask(T0 + 590);
	ans = yes_of(1, &second, 9000595);
	ck_assert(hear(&ans, T0 + 600));
	ck_assert(!paused);
}
END_TEST

START_TEST(a_restarted_voter_shows_no_pause)
{
	struct mt_support_req first, second;
	struct mt_support_ans ans;

	given_holder(1);
	first = ask(T0);
	ans = yes_of(1, &first, 1000);
	hear(&ans, T0 + 1);
	second = ask(T0 + 500);
	ans = yes_of(1, &second, 99999999);
	ans.incarnation++;
	ck_assert(hear(&ans, T0 + 501));
	ck_assert(!paused);
	/* a clock that went back is none either */
	first = ask(T0 + 1000);
	ans = yes_of(1, &first, 5);
	ans.incarnation++;
	ck_assert(hear(&ans, T0 + 1001));
	ck_assert(!paused);
}
END_TEST

/* ---- drift ------------------------------------------------------------- */

/* Real time in microseconds; a clock shows offset + real time * rate. */
struct clock {
	int64_t offset_ms;
	int rate_percent; /* 99 to 101 */
};

static int64_t
shows(const struct clock *c, int64_t real_us)
{
	return c->offset_ms + real_us / 1000 * c->rate_percent / 100;
}

/* When does this clock first show t? */
static int64_t
real_us_at(const struct clock *c, int64_t t_ms)
{
	int64_t us = (t_ms - c->offset_ms) * 100000 / c->rate_percent - 3000;

	while (shows(c, us) < t_ms)
		us += 1000;
	return us;
}

/* One round of three voters, the holder being the first: the real time from
 * which a majority could be fenced, against that at which writing has ended. */
static void
check_round(const struct clock clocks[3], int64_t ttl_ms,
	    const int64_t out_us[3], const int64_t back_us[3])
{
	int64_t sent_us = 3600000000, ends_us[3], sorted, writes_end_us;
	struct mt_support_req req;
	bool lease = false;

	memset(&holder, 0, sizeof(holder));
	given_voters(3, 1);
	mt_holder_start(&holder, 5, ttl_ms, 11);
	req = ask(shows(&clocks[0], sent_us));
	for (int i = 0; i < 3; i++) {
		int64_t there_us = sent_us + out_us[i];
		struct mt_voter v = {0};
		struct mt_record rec = { .max_ttl_ms = ttl_ms };
		struct mt_support_ans ans;

		state.leader.epoch = 5;
		mt_voter_support(&v, &rec, &rec, &state, &req,
				 shows(&clocks[i], there_us), &ans);
		ans.raft_id = (uint64_t)i + 1;
		ends_us[i] = real_us_at(&clocks[i], v.promise_ms);
		lease |= hear(&ans, shows(&clocks[0], there_us + back_us[i]));
	}
	if (!lease)
		ck_abort_msg("a majority said yes, but there is no lease");
	/* Two of three promises over: the middle one. */
	sorted = ends_us[0] > ends_us[1] ? ends_us[0] : ends_us[1];
	if (ends_us[2] < sorted) {
		int64_t low = ends_us[0] < ends_us[1] ? ends_us[0]
						      : ends_us[1];

		sorted = ends_us[2] > low ? ends_us[2] : low;
	}
	writes_end_us = real_us_at(&clocks[0], holder.lease_end_ms);
	if (writes_end_us > sorted)
		ck_abort_msg("ttl %lld, rates %d %d %d: the lease ends %lld "
			     "us after the promises",
			     (long long)ttl_ms, clocks[0].rate_percent,
			     clocks[1].rate_percent, clocks[2].rate_percent,
			     (long long)(writes_end_us - sorted));
}

START_TEST(a_lease_ends_before_the_promises_whatever_the_clocks)
{
	static const int64_t ttls[] = { 2000, 5000, 10000, 30000, 60000 };
	static const int rates[] = { 99, 100, 101 };
	static const int64_t offsets[] = { 0, 7777777, 123 };
	static const int64_t delays_us[] = { 0, 1000, 400000 };

	for (int code = 0; code < 5 * 27 * 9 * 9; code++) {
		int c = code / 5;
		int64_t out_us[3] = { 0, delays_us[c / 27 % 3],
				      delays_us[c / 81 % 3] };
		int64_t back_us[3] = { 0, delays_us[c / 243 % 3],
				       delays_us[c / 729 % 3] };
		struct clock clocks[3];

		for (int i = 0, r = c % 27; i < 3; i++, r /= 3)
			clocks[i] = (struct clock){ offsets[i],
						    rates[r % 3] };
		check_round(clocks, ttls[code % 5], out_us, back_us);
	}
}
END_TEST

int
main(void)
{
	RUN_TESTS(
	    "lease", the_margin_is_twice_the_drift_rounded_up_and_a_grain,
	    a_voter_says_yes_to_the_epoch_that_it_knows_or_a_newer_one,
	    each_ground_on_which_a_voter_says_no,
	    a_promise_is_one_deadline_across_epochs,
	    a_started_voter_holds_still_for_the_longest_promise,
	    the_boot_hold_covers_a_promise_before_it_is_given,
	    the_boot_hold_is_lowered_when_the_longer_promises_are_over,
	    a_promise_between_is_covered_when_the_boot_hold_is_lowered,
	    no_restart_ends_a_promise_early,
	    a_fence_is_refused_while_a_promise_lasts,
	    a_fence_refuses_support_before_it_is_durable,
	    a_fence_is_answered_when_it_is_durable,
	    a_promise_given_while_a_fence_is_written_is_told,
	    each_ground_on_which_a_fence_is_refused,
	    a_fence_known_before_is_refused_while_a_newer_promise_lasts,
	    a_lease_needs_a_majority_of_the_voters,
	    without_voters_there_is_no_lease,
	    the_lease_counts_from_the_asking_of_the_slowest_of_the_majority,
	    writing_ends_before_the_lease_does,
	    each_answer_that_does_not_count,
	    a_round_is_forgotten_after_so_many_others,
	    the_lease_never_goes_back,
	    a_new_configuration_voids_the_rounds_but_not_the_lease,
	    a_configuration_of_another_term_is_another,
	    a_continued_epoch_keeps_the_lease_and_voids_the_rounds,
	    another_turn_begins_without_a_lease,
	    a_pause_of_this_machine_drops_the_lease,
	    a_delayed_answer_is_no_pause,
	    a_restarted_voter_shows_no_pause,
	    a_lease_ends_before_the_promises_whatever_the_clocks);
}
