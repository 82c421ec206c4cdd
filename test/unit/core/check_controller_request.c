/* SPDX-License-Identifier: PostgreSQL */
/* What the controller does for people where nobody has the turn. */
#include "control.h"
#include "test/unit/run.h"

#define WAIT_MS 8000 /* for the candidate */

static void
given_failover(const char *candidate, uint64_t id)
{
	w.state.request = (struct mt_request){
	    .kind = MT_REQUEST_FAILOVER,
	    .id = id,
	};
	mt_copy(w.state.request.candidate, MT_NAME_MAX, candidate);
}

/* The holder is silent, and all promises have ended. */
static void
given_fenced(void)
{
	given_leader();
	given_silence(1);
	fence_answer(2, true, 0);
	fence_answer(3, true, 0);
}

static void
expect_clear(const char *what, const char *rule, const char *text)
{
	expect_command(what, rule, MT_CMD_REQUEST_CLEAR);
	ck_assert_uint_eq(command->u.request_clear.id, w.state.request.id);
	ck_assert(!command->u.request_clear.ok);
	ck_assert_int_gt(command->seen.n_verdicts, 0);
	ck_assert_msg(strstr(command->u.request_clear.text, text) != NULL,
		      "%s: %s", what, command->u.request_clear.text);
}

START_TEST(a_failover_goes_to_who_was_asked_for_however_far_it_is)
{
	ASSIGN(given_fenced(), "it lags", "holder-silent", "node3", false,
	       given_failover("node3", INDEX);
	       report_of(3)->at.lsn = 1);
	ck_assert_uint_eq(command->u.assign.min.lsn, 1);
	ck_assert_str_eq(command->u.assign.decision.verdicts[1].rule,
			 "not-asked-for");
	ASSIGN(given_fenced(), "an old timeline", "holder-silent", "node3",
	       false, given_failover("node3", INDEX);
	       w.settings.check_timeline = true; report_of(3)->at.timeline = 1);
	ASSIGN(given_released(true), "the release was before", "released",
	       "node3", false, given_failover("node3", INDEX + 1);
	       report_of(3)->at.lsn = 1);
	ASSIGN(given_released(false), "the holder died meanwhile", "released",
	       "node3", false, given_failover("node3", INDEX - 1);
	       report_of(3)->at.lsn = 1);
	ASSIGN(given_released(false), "the old holder itself", "released",
	       "node1", false, given_failover("node1", INDEX + 1);
	       report_of(1)->healthy = true;
	       report_of(1)->pg_role = MT_ROLE_REPLICA);
}
END_TEST

START_TEST(no_failover_before_the_promises_have_ended)
{
	given_leader();
	given_silence(1);
	given_failover("node3", INDEX);
	fence_answer(2, true, 0);
	decide();
	expect_rule("one yes", "holder-silent");
	ck_assert(!plan.propose);
}
END_TEST

START_TEST(who_ended_in_order_for_a_failover_is_not_lost)
{
	NOTHING(given_released(true), "it lacks the end", "released",
		given_failover("node3", INDEX - 1);
		report_of(3)->at.lsn = LSN - 1);
	after(WAIT_MS - 1);
	decide();
	expect_nothing("still", "released");
	after(1);
	decide();
	expect_assign("who has it", "released", "node2", false);
}
END_TEST

START_TEST(a_candidate_that_cannot_is_waited_for_and_then_another_taken)
{
	NOTHING(given_fenced(), "silent", "holder-silent",
		given_failover("node3", INDEX);
		given_silence(3));
	after(WAIT_MS - 1);
	decide();
	expect_nothing("still", "holder-silent");
	after(1);
	decide();
	expect_assign("another", "holder-silent", "node2", false);
	NOTHING(given_fenced(), "nofailover", "holder-silent",
		given_failover("node3", INDEX);
		report_of(3)->nofailover = true);
	NOTHING(given_fenced(), "of a switchover that was begun",
		"holder-silent", given_request("node3");
		given_silence(3));
	ASSIGN(given_fenced(), "is preferred to a better one", "holder-silent",
	       "node3", false, given_request("node3");
	       report_of(2)->at.lsn++);
	ASSIGN(given_fenced(), "but not while it waits for its time",
	       "holder-silent", "node2", false, given_request("node3");
	       w.state.request.scheduled_ms = WALL + 1000);
}
END_TEST

START_TEST(where_nobody_can_the_request_ends)
{
	NOTHING(given_fenced(), "nobody", "holder-silent",
		given_failover("node3", INDEX);
		given_silence(3); report_of(2)->nofailover = true);
	after(WAIT_MS);
	decide();
	expect_clear("its end", "holder-silent", "Failover failed: ");
	expect_clear("why", "holder-silent", "node3: silent");
	w.state.request.kind = MT_REQUEST_NONE;
	decide();
	expect_nothing("as before", "holder-silent");
	/* The wait for a second one is as long. */
	given_failover("node3", INDEX + 9);
	decide();
	expect_nothing("a second one", "holder-silent");

	NOTHING(given_released(true), "nobody", "released",
		given_request("node3");
		given_silence(2); given_silence(3));
	after(WAIT_MS);
	decide();
	expect_clear("its end", "released", "Switchover failed: ");
}
END_TEST

int
main(void)
{
	RUN_TESTS("controller_request",
		  a_failover_goes_to_who_was_asked_for_however_far_it_is,
		  no_failover_before_the_promises_have_ended,
		  who_ended_in_order_for_a_failover_is_not_lost,
		  a_candidate_that_cannot_is_waited_for_and_then_another_taken,
		  where_nobody_can_the_request_ends);
}
