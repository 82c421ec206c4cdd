/* SPDX-License-Identifier: PostgreSQL */
/*
 * The voter's half of the lease: what it promises, when it may be fenced, and
 * that no restart ends a promise early.
 */
#include "core/lease.h"

#include <string.h>

#include "base/text.h"

#include "test/unit/run.h"

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
	want = (struct mt_record){.max_ttl_ms = max_ttl_ms, .fenced = fenced};
	durable = want;
	mt_voter_start(&voter, &durable, T0 - DAY_MS);
}

static enum mt_voter_result
asked(uint64_t epoch, int64_t ttl_ms, int64_t now_ms)
{
	const struct mt_support_req req = {
	    .raft_id = 1,
	    .incarnation = 11,
	    .seq = 77,
	    .epoch = epoch,
	    .ttl_ms = ttl_ms,
	};

	return mt_voter_support(&voter, &want, &durable, &state, &req, now_ms,
				&said);
}

static enum mt_voter_result
fenced_as(enum mt_fence_kind kind, uint64_t epoch, uint64_t term,
	  int64_t now_ms)
{
	const struct mt_fence_req req = {
	    .raft_id = 3,
	    .incarnation = 33,
	    .epoch = epoch,
	    .term = term,
	    .kind = kind,
	};

	return mt_voter_fence(&voter, &want, &durable, 7, &req, now_ms,
			      &fence_said);
}

static enum mt_voter_result
fenced(uint64_t epoch, uint64_t term, int64_t now_ms)
{
	return fenced_as(MT_FENCE_NORMAL, epoch, term, now_ms);
}

static void
written(void)
{
	durable = want;
}

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
	    {"granted", 4, 5, 5, false, TTL, true},
	    {"fenced at it", 5, 5, 5, false, TTL, false},
	    {"fenced above it", 6, 5, 5, false, TTL, false},
	    {"fenced below it", 5, 5, 6, false, TTL, true},
	    {"an older epoch", 0, 5, 4, false, TTL, false},
	    {"released", 0, 5, 5, true, TTL, false},
	    {"the one after a release", 0, 5, 6, true, TTL, true},
	    {"epoch 0", 0, 0, 0, false, TTL, false},
	    {"no ttl", 0, 5, 5, false, 0, false},
	    {"negative ttl", 0, 5, 5, false, -1, false},
	    {"lowest ttl", 0, 5, 5, false, INT64_MIN, false},
	    {"absurd ttl", 0, 5, 5, false, DAY_MS + 1, false},
	    {"highest ttl", 0, 5, 5, false, INT64_MAX, false},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		int64_t before;

		given_voter(TTL, rows[i].fenced);
		state.leader.epoch = rows[i].applied;
		state.leader.released = rows[i].released;
		before = voter.promise_ms;
		ck_assert_msg(asked(rows[i].epoch, rows[i].ttl_ms, T0) ==
				  MT_VOTER_ANSWER,
			      "%s", rows[i].what);
		ck_assert_msg(said.yes == rows[i].yes, "%s", rows[i].what);
		ck_assert_msg(rows[i].yes || voter.promise_ms == before,
			      "%s: a no promises nothing", rows[i].what);
		ck_assert_msg(said.fenced == rows[i].fenced, "%s",
			      rows[i].what);
		ck_assert_msg(memcmp(&want, &durable, sizeof(want)) == 0, "%s",
			      rows[i].what);
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
	want = durable = (struct mt_record){.max_ttl_ms = TTL};
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
	ck_assert_int_eq(asked(5, 2 * TTL, T0 + 2 * TTL + 2), MT_VOTER_PERSIST);
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
	static const int64_t ttls[] = {2000, 3000, 5000};
	static const int64_t steps[] = {900, 1500, 2600};
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

START_TEST(a_sync_fence_waits_for_no_promise_and_tells_what_is_left)
{
	struct mt_fence_ans late;

	given_voter(TTL, 0);
	asked(5, TTL, T0);
	ck_assert_int_eq(fenced_as(MT_FENCE_SYNC, 5, 7, T0 + 10),
			 MT_VOTER_PERSIST);
	ck_assert_uint_eq(want.fenced, 5);
	asked(5, TTL, T0 + 11);
	ck_assert_msg(!said.yes, "supported no more from then on");
	ck_assert(!mt_voter_persisted(&voter, &durable, T0 + 12, &late));
	written();
	ck_assert(mt_voter_persisted(&voter, &durable, T0 + 13, &late));
	ck_assert(late.yes);
	ck_assert_int_eq(late.left_ms, TTL - 13);
	/* It does not count as a normal one until that has ended. */
	ck_assert_int_eq(fenced(5, 7, T0 + TTL - 1), MT_VOTER_ANSWER);
	ck_assert(!fence_said.yes);
	ck_assert_int_eq(fence_said.left_ms, 1);
	ck_assert_int_eq(fenced(5, 7, T0 + TTL), MT_VOTER_ANSWER);
	ck_assert(fence_said.yes);
	ck_assert_int_eq(fence_said.left_ms, 0);
}
END_TEST

START_TEST(a_sync_fence_is_refused_for_old_terms_and_epochs_too)
{
	given_voter(TTL, 6);
	ck_assert_int_eq(fenced_as(MT_FENCE_SYNC, 7, 6, T0), MT_VOTER_ANSWER);
	ck_assert_msg(!fence_said.yes, "an older term");
	ck_assert_int_eq(fenced_as(MT_FENCE_SYNC, 5, 7, T0), MT_VOTER_ANSWER);
	ck_assert_msg(!fence_said.yes, "an older epoch");
	ck_assert_uint_eq(fence_said.fenced, 6);
	ck_assert_int_eq(fenced_as(MT_FENCE_SYNC, 6, 7, T0), MT_VOTER_ANSWER);
	ck_assert_msg(fence_said.yes, "that one");
	ck_assert_uint_eq(want.fenced, 6);
}
END_TEST

int
main(void)
{
	RUN_TESTS("lease_voter",
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
		  a_sync_fence_waits_for_no_promise_and_tells_what_is_left,
		  a_sync_fence_is_refused_for_old_terms_and_epochs_too);
}
