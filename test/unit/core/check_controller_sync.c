/* SPDX-License-Identifier: PostgreSQL */
/*
 * The controller in synchronous mode: a turn is given only to who has what any
 * n - k + 1 of the set have, heard after their streaming ended; what a fence of
 * synchronous standbys leaves behind, and a loss that people accept. A holder
 * that is suspected is in check_controller_suspected.c.
 */
#include "core/controller.h"

#include "control_sync.h"
#include "test/unit/run.h"

/* node1 released its turn without a clean end; the log counts on these. */
static void
given_unclean(const char *members, int k)
{
	given_released(false);
	given_mode(MT_SYNC_ON, 1);
	given_log(members, k);
}

static void
given_clean(const char *members, int k)
{
	given_released(true);
	given_mode(MT_SYNC_ON, 1);
	given_log(members, k);
}

/* node1 is silent, and a majority has fenced with nothing left. */
static void
given_fenced(const char *members, int k)
{
	given_leader();
	given_mode(MT_SYNC_ON, 1);
	given_log(members, k);
	given_silence(1);
	decide();
	fence_answer(2, true, 0);
	fence_answer(3, true, 0);
}

/* ---- a release without a clean end -------------------------------------- */

START_TEST(after_an_unclean_release_the_set_is_fenced)
{
	given_unclean("23", 1);
	decide();
	expect_rule("nobody is heard", "released");
	ck_assert(asks(MT_FENCE_SYNC) && !plan.propose);
	after(LONG_MS);
	decide();
	ck_assert_msg(asks(MT_FENCE_SYNC) && !plan.propose,
		      "however long it takes");
	/* Without synchronous mode nobody has to be heard. */
	given_unclean("", 0);
	decide();
	expect_assign("no set", "released", "node2", false);
	ck_assert(!plan.fence);
}
END_TEST

START_TEST(enough_of_the_set_are_heard)
{
	static const struct {
		const char *what, *set;
		int k;
		const char *heard;
		bool assigned;
	} rows[] = {
	    {"both of two", "23", 1, "23", true},
	    {"one of two", "23", 1, "2", false},
	    {"the other", "23", 1, "3", false},
	    {"one, where both had to flush", "23", 2, "2", true},
	    {"one of one", "2", 1, "2", true},
	    {"another", "2", 1, "3", false},
	    {"two of three", "123", 2, "23", true},
	    {"one of three", "123", 2, "3", false},
	    {"two, but all three are wanted", "123", 1, "23", false},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		given_unclean(rows[i].set, rows[i].k);
		given_silence(1);
		heard(rows[i].heard);
		decide();
		expect_rule(rows[i].what, "released");
		ck_assert_msg(plan.propose == rows[i].assigned, "%s (%s)",
			      rows[i].what, plan.why);
		if (!plan.propose)
			continue;
		ck_assert_uint_eq(command->u.assign.expect_sync, SYNC_VERSION);
		ck_assert_int_eq(command->u.assign.ground, MT_GROUND_RELEASE);
	}
}
END_TEST

START_TEST(who_does_not_count_is_not_heard)
{
	NOTHING(given_unclean("23", 2), "fenced in an older epoch", "released",
		heard("23");
		report_of(2)->stopped = report_of(3)->stopped = EPOCH - 1;
		c.fence_asked_ms = NOW);
	NOTHING(given_unclean("23", 2), "other data", "released", heard("23");
		report_of(2)->data_id++; report_of(3)->data_id++;
		c.fence_asked_ms = NOW);
	NOTHING(given_unclean("23", 2), "no position", "released", heard("23");
		report_of(2)->at.timeline = report_of(3)->at.timeline = 0;
		c.fence_asked_ms = NOW);
	NOTHING(given_unclean("23", 2), "silent", "released", heard("23");
		given_silence(2); given_silence(3); c.fence_asked_ms = NOW);
	NOTHING(given_unclean("23", 2), "fenced, but it still streams",
		"released", heard("23");
		report_of(2)->stopped = report_of(3)->stopped = 0;
		c.fence_asked_ms = NOW);
}
END_TEST

START_TEST(the_furthest_of_those_heard_is_chosen)
{
	ASSIGN(given_unclean("23", 1), "by position", "released", "node3",
	       false, heard("23");
	       report_of(3)->at.lsn++);
	ck_assert(command->u.assign.min.lsn == LSN + 1);
	ASSIGN(given_unclean("23", 1), "by timeline", "released", "node2",
	       false, heard("23");
	       report_of(3)->at = position(TIMELINE - 1, 2 * LSN));
	ASSIGN(given_unclean("23", 1), "equal", "released", "node2", false,
	       heard("23"));
	ASSIGN(given_unclean("2", 1), "who is out of the set may be further",
	       "released", "node2", false, heard("2");
	       report_of(3)->at.lsn++);
	ASSIGN(given_unclean("23", 1), "the lag does not count", "released",
	       "node2", false, heard("23");
	       w.state.status.optime.lsn = 100 * LSN);
}
END_TEST

START_TEST(a_furthest_that_may_not_be_promoted_blocks)
{
	NOTHING(given_unclean("23", 1), "nofailover", "released", heard("23");
		report_of(3)->nofailover = true; report_of(3)->at.lsn++;
		c.fence_asked_ms = NOW);
	ck_assert_ptr_nonnull(strstr(plan.why, "node3: nofailover"));
	NOTHING(given_unclean("23", 1), "unwell", "released", heard("23");
		report_of(3)->healthy = false; report_of(3)->at.lsn++;
		c.fence_asked_ms = NOW);
	ASSIGN(given_unclean("23", 1), "no further than another", "released",
	       "node2", false, heard("23");
	       report_of(3)->nofailover = true);
}
END_TEST

START_TEST(a_member_of_the_set_that_missed_the_fence_is_asked_again)
{
	/* A majority has fenced; node3 is wanted and has not. */
	given_unclean("23", 1);
	decide();
	fence_answer(1, true, 0);
	fence_answer(2, true, 0);
	heard("2");
	after(200);
	decide();
	ck_assert_msg(asks(MT_FENCE_SYNC), "after a release (%s)", plan.why);

	given_fenced("234", 2);
	w.view.voters.n = 4;
	w.view.voters.raft_id[3] = 4;
	given_another(4);
	fence_answer(1, true, 0);
	heard("2");
	after(200);
	given_silence(1);
	decide();
	ck_assert_msg(asks(MT_FENCE_NORMAL), "of a silent holder (%s)",
		      plan.why);
}
END_TEST

/* ---- the old holder ----------------------------------------------------- */

static void
given_old_holder_back(void)
{
	given_unclean("23", 1);
	report_of(1)->pg_role = MT_ROLE_REPLICA;
	report_of(1)->healthy = true;
	report_of(1)->holds_turn = true;
	report_of(1)->pg_epoch = EPOCH;
}

START_TEST(the_old_holder_has_all_that_it_acknowledged)
{
	ASSIGN(given_old_holder_back(), "nobody else is heard", "released",
	       "node1", false, );
	NOTHING(given_old_holder_back(), "its data is another's", "released",
		report_of(1)->holds_turn = false;
		c.fence_asked_ms = NOW);
	NOTHING(given_old_holder_back(), "it does not run", "released",
		report_of(1)->healthy = false;
		c.fence_asked_ms = NOW);
	ASSIGN(given_old_holder_back(), "enough are heard", "released", "node2",
	       false, heard("23"));
}
END_TEST

START_TEST(who_was_asked_to_hand_over_gets_it_back_last)
{
	NOTHING(given_old_holder_back(), "others may be heard yet", "released",
		given_request("");
		c.fence_asked_ms = NOW);
	after(7999);
	decide();
	ck_assert(!plan.propose);
	after(1);
	decide();
	expect_assign("time is up", "released", "node1", false);
	ASSIGN(given_old_holder_back(), "enough are heard", "released", "node2",
	       false, given_request("");
	       heard("23"));
	ASSIGN(given_old_holder_back(), "it was named", "released", "node1",
	       false, given_request("node1"));
}
END_TEST

START_TEST(the_old_holder_is_believed_only_after_its_release)
{
	NOTHING(given_old_holder_back(), "an older report", "released",
		report_of(1)->applied = INDEX - 1;
		c.fence_asked_ms = NOW);
}
END_TEST

/* ---- a clean release ---------------------------------------------------- */

START_TEST(who_has_the_clean_end_needs_no_fence)
{
	ASSIGN(given_clean("23", 1), "has it", "released", "node2", false, );
	ck_assert(!plan.fence);
	ASSIGN(given_clean("3", 1), "of the set first", "released", "node3",
	       false, );
	ck_assert(!plan.fence);
	ASSIGN(given_clean("3", 1), "in quorum mode all are alike", "released",
	       "node2", false, w.settings.synchronous_mode = MT_SYNC_QUORUM);
	NOTHING(given_clean("23", 1), "nobody has it yet", "released",
		report_of(2)->at.lsn = report_of(3)->at.lsn = LSN - 1);
}
END_TEST

START_TEST(a_synchronous_standby_gets_a_moment_to_show_the_end)
{
	NOTHING(given_clean("3", 1), "another has the end", "released",
		report_of(3)->at.lsn = LSN - 1);
	after(999);
	report_of(3)->at.lsn = LSN;
	decide();
	expect_assign("now it has it, too", "released", "node3", false);
	NOTHING(given_clean("3", 1), "again", "released",
		report_of(3)->at.lsn = LSN - 1);
	after(1000);
	decide();
	expect_assign("the moment is over", "released", "node2", false);
	ASSIGN(given_clean("3", 1), "in quorum mode it is not waited for",
	       "released", "node2", false, report_of(3)->at.lsn = LSN - 1;
	       w.settings.synchronous_mode = MT_SYNC_QUORUM);
}
END_TEST

START_TEST(when_nobody_has_the_clean_end_in_time_the_set_is_heard)
{
	given_clean("23", 1);
	report_of(2)->at.lsn = report_of(3)->at.lsn = LSN - 1;
	decide();
	after(3000);
	decide();
	expect_rule("time is up", "released");
	ck_assert(asks(MT_FENCE_SYNC) && !plan.propose);
	heard("23");
	decide();
	expect_assign("heard", "released", "node2", false);
}
END_TEST

/* ---- a silent holder ---------------------------------------------------- */

START_TEST(a_silent_holder_needs_promises_ended_and_the_set_heard)
{
	given_leader();
	given_mode(MT_SYNC_ON, 1);
	given_log("23", 1);
	given_silence(1);
	heard("23");
	decide();
	expect_rule("no promise has ended", "holder-silent");
	ck_assert_msg(asks(MT_FENCE_NORMAL) && !plan.propose, "normal");
	fence_answer(2, true, 0);
	decide();
	ck_assert(!plan.propose);
	fence_answer(3, true, 1);
	decide();
	ck_assert_msg(!plan.propose, "something is left");
	fence_answer(3, true, 0);
	decide();
	expect_assign("all", "holder-silent", "node2", false);
	ck_assert_uint_eq(command->u.assign.expect_sync, SYNC_VERSION);
	ck_assert_int_eq(command->u.assign.ground, MT_GROUND_PROMISES);

	given_fenced("23", 1);
	decide();
	ck_assert_msg(!plan.propose, "nobody is heard");
	heard("2");
	decide();
	ck_assert_msg(!plan.propose, "too few");
	ck_assert_ptr_nonnull(strstr(plan.why, "1 of the 2 synchronous"));
	heard("3");
	decide();
	expect_assign("both", "holder-silent", "node2", false);
}
END_TEST

START_TEST(in_place_of_a_silent_holder_the_furthest_is_chosen)
{
	ASSIGN(given_fenced("23", 1), "by position", "holder-silent", "node3",
	       false, heard("23");
	       report_of(3)->at.lsn++);
	NOTHING(given_fenced("23", 1), "nofailover blocks", "holder-silent",
		heard("23");
		report_of(3)->nofailover = true; report_of(3)->at.lsn++;
		c.fence_asked_ms = NOW);
	ASSIGN(given_fenced("2", 1), "of the set", "holder-silent", "node2",
	       false, heard("23");
	       report_of(3)->at.lsn++);
	NOTHING(given_fenced("13", 1), "the holder itself is wanted",
		"holder-silent", heard("3");
		c.fence_asked_ms = NOW);
}
END_TEST

START_TEST(without_a_set_the_lag_decides_as_ever)
{
	ASSIGN(given_fenced("", 0), "nobody is heard", "holder-silent", "node2",
	       false, );
	NOTHING(given_fenced("", 0), "all lag", "holder-silent",
		w.state.status.optime.lsn = 100 * LSN);
}
END_TEST

START_TEST(a_half_done_fence_is_repaired_in_synchronous_mode_too)
{
	ASSIGN(given_leader(), "of a standby", "repair", "node1", true,
	       given_mode(MT_SYNC_ON, 1);
	       given_log("23", 1); heard("2"));
	ck_assert_uint_eq(command->u.assign.expect_sync, SYNC_VERSION);
	ck_assert_int_eq(command->u.assign.ground, MT_GROUND_CONTINUE);
}
END_TEST

/* ---- what a fence of the set leaves behind ------------------------------ */

START_TEST(after_a_sync_fence_and_without_a_set_promises_have_to_end)
{
	given_released(true);
	w.state.leader.after_fence = true;
	decide();
	expect_rule("a promise to an earlier holder may last", "released");
	ck_assert(asks(MT_FENCE_NORMAL) && !plan.propose);
	fence_answer(1, true, 0);
	fence_answer(2, true, 1);
	decide();
	ck_assert(!plan.propose);
	fence_answer(2, true, 0);
	decide();
	expect_assign("they have ended", "released", "node2", false);
	ck_assert_msg(command->u.assign.ground == MT_GROUND_PROMISES,
		      "and so nothing has to be remembered any more");
	ASSIGN(given_clean("23", 1), "with a set nothing is waited for",
	       "released", "node2", false, w.state.leader.after_fence = true);
}
END_TEST

/* ---- a loss that people accept ------------------------------------------ */

static void
given_acceptance(const char *candidate, bool accept)
{
	w.state.request = (struct mt_request){
	    .kind = MT_REQUEST_FAILOVER,
	    .id = INDEX + 5,
	    .accept_loss = accept,
	};
	mt_copy(w.state.request.candidate, MT_NAME_MAX, candidate);
}

/* After the time that the set has. */
static void
decide_late(void)
{
	decide();
	after(7999);
	decide();
	ck_assert_msg(!plan.propose, "too early");
	after(1);
	given_silence(1);
	decide();
}

START_TEST(who_accepts_the_loss_has_the_candidate_in_place_of_a_silent_holder)
{
	given_fenced("3", 1);
	given_silence(3);
	report_of(2)->at = position(TIMELINE, LSN - 0x100);
	report_of(3)->at = position(TIMELINE, LSN + 0x20);
	given_acceptance("node2", true);
	decide_late();
	expect_assign("the candidate", "holder-silent", "node2", false);
	ck_assert_int_eq(command->u.assign.ground, MT_GROUND_PROMISES);
	ck_assert_uint_eq(command->u.assign.expect_sync, SYNC_VERSION);
	ck_assert_ptr_nonnull(strstr(command->u.assign.decision.why,
				     "accepted loss: what was acknowledged "
				     "beyond"));
	ck_assert_ptr_nonnull(
	    strstr(command->u.assign.decision.why, "(288 bytes)"));
	ck_assert_uint_eq(command->u.assign.decision.loss.from, LSN - 0x100);
	ck_assert_uint_eq(command->u.assign.decision.loss.to, LSN + 0x20);
	ck_assert_int_ne(command->u.assign.decision.phases.assigned_ms, 0);

	given_fenced("3", 1);
	given_silence(3);
	given_acceptance("node2", false);
	decide_late();
	expect_command("who does not is told", "holder-silent",
		       MT_CMD_REQUEST_CLEAR);

	given_fenced("3", 1);
	given_silence(3);
	report_of(2)->nofailover = true;
	given_acceptance("node2", true);
	decide_late();
	expect_command("nor one that may not", "holder-silent",
		       MT_CMD_REQUEST_CLEAR);
	ck_assert_ptr_nonnull(strstr(plan.why, "node2: nofailover"));
}
END_TEST

START_TEST(nothing_is_lost_where_the_set_is_heard_in_time)
{
	given_fenced("3", 1);
	given_acceptance("node2", true);
	decide();
	ck_assert(!plan.propose);
	after(4000);
	given_silence(1);
	heard("3");
	decide();
	expect_assign("who has everything", "holder-silent", "node3", false);
	ck_assert_uint_eq(command->u.assign.decision.loss.timeline, 0);
}
END_TEST

START_TEST(a_loss_is_accepted_only_where_all_promises_have_ended)
{
	given_leader();
	given_mode(MT_SYNC_ON, 1);
	given_log("3", 1);
	given_silence(1);
	given_silence(3);
	given_acceptance("node2", true);
	decide();
	after(20000);
	given_silence(1);
	fence_answer(2, true, 0);
	fence_answer(3, true, 1);
	decide();
	ck_assert_msg(!plan.propose, "of a silent holder");

	/* After a release nobody else has to wait for them. */
	given_unclean("3", 1);
	given_silence(1);
	given_silence(3);
	given_acceptance("node2", true);
	decide();
	ck_assert(asks(MT_FENCE_SYNC));
	fence_answer(2, true, 0);
	fence_answer(3, true, 1);
	after(8000);
	given_silence(1);
	decide();
	ck_assert_msg(!plan.propose && asks(MT_FENCE_NORMAL),
		      "after a release");
	fence_answer(3, true, 0);
	decide();
	expect_assign("they have ended", "released", "node2", false);
	ck_assert_int_eq(command->u.assign.ground, MT_GROUND_PROMISES);
}
END_TEST

START_TEST(the_old_holder_comes_before_a_loss)
{
	given_old_holder_back();
	given_log("3", 1);
	given_silence(3);
	given_acceptance("node2", true);
	decide();
	after(8000);
	decide();
	expect_assign("it has all", "released", "node1", false);
}
END_TEST

int
main(void)
{
	RUN_TESTS(
	    "controller_sync", after_an_unclean_release_the_set_is_fenced,
	    enough_of_the_set_are_heard, who_does_not_count_is_not_heard,
	    the_furthest_of_those_heard_is_chosen,
	    a_furthest_that_may_not_be_promoted_blocks,
	    a_member_of_the_set_that_missed_the_fence_is_asked_again,
	    the_old_holder_has_all_that_it_acknowledged,
	    who_was_asked_to_hand_over_gets_it_back_last,
	    the_old_holder_is_believed_only_after_its_release,
	    who_has_the_clean_end_needs_no_fence,
	    a_synchronous_standby_gets_a_moment_to_show_the_end,
	    when_nobody_has_the_clean_end_in_time_the_set_is_heard,
	    a_silent_holder_needs_promises_ended_and_the_set_heard,
	    in_place_of_a_silent_holder_the_furthest_is_chosen,
	    without_a_set_the_lag_decides_as_ever,
	    a_half_done_fence_is_repaired_in_synchronous_mode_too,
	    after_a_sync_fence_and_without_a_set_promises_have_to_end,
	    who_accepts_the_loss_has_the_candidate_in_place_of_a_silent_holder,
	    nothing_is_lost_where_the_set_is_heard_in_time,
	    a_loss_is_accepted_only_where_all_promises_have_ended,
	    the_old_holder_comes_before_a_loss);
}
