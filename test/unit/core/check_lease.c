/* SPDX-License-Identifier: PostgreSQL */
/*
 * The holder's half of the lease, and the proof by enumeration that clocks
 * within the drift that is allowed never leave a holder writing after the
 * promises of a majority. The voter's half is in check_lease_voter.c.
 */
#include "core/lease.h"

#include <string.h>

#include "base/text.h"

#include "test/unit/run.h"

#define T0 INT64_C(1000000)
#define TTL INT64_C(5000)

/* ---- vocabulary -------------------------------------------------------- */

static struct mt_holder holder;
static bool paused;

static void
given_voters(int n, uint64_t index)
{
	struct mt_voters v = {.n = n, .index = index, .term = 1};

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
	    {0, 20, 0},        {1, 21, 0},
	    {50, 21, 6},       {51, 22, 6},
	    {2000, 60, 250},   {4000, 100, 500},
	    {4001, 101, 500},  {5000, 120, 500},
	    {30000, 620, 500}, {3600000, 72020, 500},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		ck_assert_int_eq(mt_lease_margin_ms(rows[i].ttl_ms),
				 rows[i].margin_ms);
		ck_assert_int_eq(mt_lease_interval_ms(rows[i].ttl_ms),
				 rows[i].interval_ms);
	}
}
END_TEST

/* ---- holder ------------------------------------------------------------ */

START_TEST(a_lease_needs_a_majority_of_the_voters)
{
	static const int need[] = {0, 1, 2, 2, 3, 3, 4, 4};

	for (int n = 1; n <= 7; n++) {
		struct mt_support_req req;

		given_holder(n);
		req = ask(T0);
		for (int i = 1; i <= n; i++) {
			bool extended = hear_yes((uint64_t)i, &req, T0 + i);

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
	    .n = 3,
	    .raft_id = {1, 2, 4},
	    .index = 1,
	    .term = 2,
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
	static const struct mt_state state = {.leader = {.epoch = 5}};
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
		struct mt_record rec = {.max_ttl_ms = ttl_ms};
		struct mt_support_ans ans;

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
		int64_t low = ends_us[0] < ends_us[1] ? ends_us[0] : ends_us[1];

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
	static const int64_t ttls[] = {2000, 5000, 10000, 30000, 60000};
	static const int rates[] = {99, 100, 101};
	static const int64_t offsets[] = {0, 7777777, 123};
	static const int64_t delays_us[] = {0, 1000, 400000};

	for (int code = 0; code < 5 * 27 * 9 * 9; code++) {
		int c = code / 5;
		int64_t out_us[3] = {0, delays_us[c / 27 % 3],
				     delays_us[c / 81 % 3]};
		int64_t back_us[3] = {0, delays_us[c / 243 % 3],
				      delays_us[c / 729 % 3]};
		struct clock clocks[3];

		for (int i = 0, r = c % 27; i < 3; i++, r /= 3)
			clocks[i] = (struct clock){offsets[i], rates[r % 3]};
		check_round(clocks, ttls[code % 5], out_us, back_us);
	}
}
END_TEST

int
main(void)
{
	RUN_TESTS(
	    "lease", the_margin_is_twice_the_drift_rounded_up_and_a_grain,
	    a_lease_needs_a_majority_of_the_voters,
	    without_voters_there_is_no_lease,
	    the_lease_counts_from_the_asking_of_the_slowest_of_the_majority,
	    writing_ends_before_the_lease_does, each_answer_that_does_not_count,
	    a_round_is_forgotten_after_so_many_others,
	    the_lease_never_goes_back,
	    a_new_configuration_voids_the_rounds_but_not_the_lease,
	    a_configuration_of_another_term_is_another,
	    a_continued_epoch_keeps_the_lease_and_voids_the_rounds,
	    another_turn_begins_without_a_lease,
	    a_pause_of_this_machine_drops_the_lease,
	    a_delayed_answer_is_no_pause, a_restarted_voter_shows_no_pause,
	    a_lease_ends_before_the_promises_whatever_the_clocks);
}
