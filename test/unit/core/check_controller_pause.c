/* SPDX-License-Identifier: PostgreSQL */
/*
 * The controller while paused, and while an exemption stands: nobody gets the
 * turn by silence, the operator's candidate does.
 */
#include "core/controller.h"

#include "control.h"
#include "test/unit/run.h"

static void
given_exempt_leader(void)
{
	given_leader();
	w.state.leader.exempt = 45;
	w.state.leader.exempt_incarnation = 10;
	mt_copy(w.state.leader.exempt_reason, MT_RULE_MAX, "pause");
}

/* The holder has not been heard since before the request. */
static void
given_late_request(const char *candidate)
{
	given_request(candidate);
	report_of(1)->applied = w.state.request.id - 1;
	given_silence(1);
}

static void
all_fenced(void)
{
	for (uint64_t id = 1; id <= 3; id++)
		fence_answer(id, true, 0);
}

START_TEST(a_silent_holder_is_not_replaced_in_pause)
{
	NOTHING(given_leader(), "not exempt", "holder-silent", given_silence(1);
		w.settings.pause = true);
	NOTHING(given_exempt_leader(), "exempt", "holder-silent",
		given_silence(1);
		w.settings.pause = true);
	NOTHING(given_exempt_leader(), "exempt, and fenced long ago",
		"holder-silent", given_silence(1);
		w.settings.pause = true; all_fenced());
}
END_TEST

START_TEST(an_exempt_holder_is_not_replaced_after_the_pause_either)
{
	NOTHING(given_exempt_leader(), "silent", "holder-silent",
		given_silence(1));
	ck_assert_ptr_nonnull(strstr(plan.why, "exempt"));
	NOTHING(given_exempt_leader(), "fenced", "holder-silent",
		given_silence(1);
		decide(); all_fenced());
	given_exempt_leader();
	given_silence(1);
	w.state.leader.exempt = 0;
	decide();
	expect_rule("not exempt any more", "holder-silent");
	ck_assert(plan.fence);
}
END_TEST

START_TEST(a_candidate_asked_for_goes_past_a_silent_holder)
{
	given_exempt_leader();
	w.settings.pause = true;
	given_late_request("node3");
	decide();
	expect_rule("its promises are waited for", "holder-silent");
	ck_assert(plan.fence && !plan.propose);
	all_fenced();
	decide();
	expect_assign("the candidate", "holder-silent", "node3", false);
	given_exempt_leader();
	w.settings.pause = true;
	given_late_request("node3");
	given_silence(3);
	decide();
	all_fenced();
	decide();
	expect_nothing("nobody else", "holder-silent");
	w.view.now_ms += 8001;
	given_silence(3);
	decide();
	expect_command("it is given up", "holder-silent", MT_CMD_REQUEST_CLEAR);
}
END_TEST

START_TEST(a_request_that_the_holder_knew_is_no_order_to_go_past_it)
{
	COMMAND(given_exempt_leader(), "known", "holder-silent",
		MT_CMD_REQUEST_CLEAR, given_late_request("node3");
		report_of(1)->applied = w.state.request.id);
	ck_assert_uint_eq(command->u.request_clear.id, w.state.request.id);
	ck_assert(!command->u.request_clear.ok);
	COMMAND(given_exempt_leader(), "put by the holder when it was due",
		"holder-silent", MT_CMD_REQUEST_CLEAR,
		given_late_request("node3");
		w.state.request.due = true);
	COMMAND(given_exempt_leader(), "without a candidate", "holder-silent",
		MT_CMD_REQUEST_CLEAR, given_late_request(""));
}
END_TEST

static void
given_never_heard(uint64_t request_id)
{
	given_exempt_leader();
	given_late_request("node3");
	w.state.request.id = request_id;
	w.reports.seen[0] = w.reports.seen[2];
	w.reports.n = 2;
}

START_TEST(a_leader_that_never_heard_the_holder_heeds_new_requests_only)
{
	COMMAND(given_never_heard(INDEX), "older than its term",
		"holder-silent", MT_CMD_REQUEST_CLEAR, );
	given_never_heard(INDEX + 1);
	decide();
	expect_rule("made since", "holder-silent");
	ck_assert(plan.fence && !plan.propose);
}
END_TEST

START_TEST(a_released_turn_waits_for_the_end_of_the_pause)
{
	NOTHING(given_released(true), "paused", "released",
		w.settings.pause = true);
	given_released(true);
	w.settings.pause = true;
	decide();
	after(LONG_MS);
	decide();
	expect_nothing("however long", "released");
	w.settings.pause = false;
	decide();
	expect_assign("resumed", "released", "node2", false);
}
END_TEST

START_TEST(a_released_turn_goes_to_the_candidate_or_back)
{
	ASSIGN(given_released(true), "the candidate", "released", "node3",
	       false, w.settings.pause = true;
	       given_request("node3"));
	given_released(true);
	w.settings.pause = true;
	given_request("node3");
	given_silence(3);
	decide();
	after(8001);
	given_silence(3);
	report_of(1)->healthy = true;
	report_of(1)->pg_role = MT_ROLE_REPLICA;
	decide();
	expect_assign("back, not to node2", "released", "node1", false);
}
END_TEST

static void
given_failover(const char *candidate, uint64_t id)
{
	given_request(candidate);
	w.state.request.kind = MT_REQUEST_FAILOVER;
	w.state.request.leader[0] = '\0';
	w.state.request.id = id;
}

START_TEST(who_asked_for_anybody_before_the_pause_is_told)
{
	COMMAND(given_released(true), "released for it", "released",
		MT_CMD_REQUEST_CLEAR, given_request("");
		w.settings.pause = true);
}
END_TEST

START_TEST(what_waits_for_its_time_is_no_order)
{
	NOTHING(given_exempt_leader(), "silent", "holder-silent",
		given_late_request("node3");
		w.state.request.scheduled_ms = WALL + 1; all_fenced());
	NOTHING(given_released(true), "released", "released",
		given_request("node3");
		w.state.request.scheduled_ms = WALL + 1;
		w.settings.pause = true);
}
END_TEST

START_TEST(a_failover_is_an_order)
{
	given_exempt_leader();
	given_late_request("node3");
	given_failover("node3", w.state.request.id);
	report_of(3)->at.lsn = 1;
	decide();
	all_fenced();
	decide();
	expect_assign("however far behind", "holder-silent", "node3", false);
	ASSIGN(given_released(true), "after a release", "released", "node3",
	       false, w.settings.pause = true;
	       given_failover("node3", INDEX + 1));
}
END_TEST

START_TEST(who_let_go_for_another_reason_is_not_called_back)
{
	given_released(true);
	w.settings.pause = true;
	given_failover("node3", INDEX + 1);
	given_silence(3);
	decide();
	after(8001);
	given_silence(3);
	report_of(1)->healthy = true;
	report_of(1)->pg_role = MT_ROLE_REPLICA;
	decide();
	expect_command("it is given up", "released", MT_CMD_REQUEST_CLEAR);
	ck_assert_int_eq(
	    strncmp(command->u.request_clear.text, "Failover failed: ", 17), 0);
}
END_TEST

START_TEST(the_same_holder_continues_in_pause)
{
	ASSIGN(given_exempt_leader(), "a new ttl", "ttl", "node1", true,
	       w.settings.pause = true;
	       w.settings.ttl_ms = 9000);
	ASSIGN(given_exempt_leader(), "a fence", "repair", "node1", true,
	       w.settings.pause = true;
	       report_of(3)->fenced = EPOCH);
}
END_TEST

int
main(void)
{
	RUN_TESTS("controller_pause",
		  who_asked_for_anybody_before_the_pause_is_told,
		  a_silent_holder_is_not_replaced_in_pause,
		  an_exempt_holder_is_not_replaced_after_the_pause_either,
		  a_candidate_asked_for_goes_past_a_silent_holder,
		  a_request_that_the_holder_knew_is_no_order_to_go_past_it,
		  a_leader_that_never_heard_the_holder_heeds_new_requests_only,
		  a_released_turn_waits_for_the_end_of_the_pause,
		  a_released_turn_goes_to_the_candidate_or_back,
		  what_waits_for_its_time_is_no_order, a_failover_is_an_order,
		  who_let_go_for_another_reason_is_not_called_back,
		  the_same_holder_continues_in_pause);
}
