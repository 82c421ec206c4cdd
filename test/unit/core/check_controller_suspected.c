/* SPDX-License-Identifier: PostgreSQL */
/*
 * The controller in synchronous mode, and a holder that is suspected: silent,
 * its port dead. It is fenced at once and replaced by who has everything.
 */
#include "core/controller.h"

#include "control_sync.h"
#include "test/unit/run.h"

static void
finds(int number, enum mt_port port)
{
	report_of(number)->port = port;
	report_of(number)->port_epoch = EPOCH;
}

/* node1 has been silent for so long, and the others found its port dead. */
static void
given_suspected(const char *members, int k)
{
	given_leader();
	given_mode(MT_SYNC_ON, 1);
	given_log(members, k);
	for (int n = 1; n <= 3; n++) {
		report_of(n)->interval_ms = MT_REPORT_SYNC_INTERVAL_MS;
		seen_of(n)->at_ms = NOW - 50;
	}
	seen_of(1)->at_ms = NOW - 501;
	finds(2, MT_PORT_DEAD);
	finds(3, MT_PORT_DEAD);
}

/* Time goes on, and node1 stays silent. */
static void
later(int64_t ms)
{
	w.view.now_ms += ms;
	seen_of(2)->at_ms = seen_of(3)->at_ms = w.view.now_ms;
}

/* A majority said yes whatever is left of its promises. */
static void
given_sync_fenced(const char *members, int k)
{
	given_suspected(members, k);
	decide();
	fence_answer(2, true, 4000);
	fence_answer(3, true, 4000);
}

START_TEST(a_silent_holder_with_a_dead_port_is_fenced_at_once)
{
	given_suspected("23", 1);
	decide();
	expect_rule("suspected", "holder-suspected");
	ck_assert(asks(MT_FENCE_SYNC) && !plan.propose);
	ck_assert_ptr_nonnull(strstr(plan.why, "port is dead"));
	given_suspected("23", 1);
	seen_of(1)->gone = true;
	decide();
	expect_rule("its stream has ended, too", "holder-suspected");
}
END_TEST

START_TEST(who_is_not_suspected)
{
	NOTHING(given_suspected("23", 1), "heard in time", "steady",
		seen_of(1)->at_ms = NOW - 500);
	ck_assert_int_eq(plan.look_again_ms, NOW + 1);
	NOTHING(given_suspected("23", 1), "its port accepts", "steady",
		finds(3, MT_PORT_ACCEPTS));
	NOTHING(given_suspected("23", 1), "its WAL arrives", "steady",
		finds(2, MT_PORT_STREAMS));
	NOTHING(given_suspected("23", 1), "one does not know yet", "steady",
		finds(3, MT_PORT_UNKNOWN));
	NOTHING(given_suspected("23", 1), "found in another epoch", "steady",
		report_of(3)->port_epoch--);
	NOTHING(given_suspected("23", 1), "one alone finds it dead", "steady",
		seen_of(3)->at_ms = NOW - 1001);
	NOTHING(given_suspected("23", 1), "paused", "steady",
		w.settings.pause = true);
	NOTHING(given_suspected("23", 1), "exempt", "steady",
		w.state.leader.exempt = 30);
	NOTHING(given_suspected("23", 1), "its lease is waited for", "steady",
		w.settings.sync_waits_for_lease = true);
	NOTHING(given_suspected("", 0), "no set stands", "steady", );
	NOTHING(given_suspected("23", 1), "of a longer timeout", "steady",
		w.settings.suspect_timeout_ms = 600);
	/* A closed stream and an open port: the daemon ended, the host lives.
	 */
	given_suspected("23", 1);
	seen_of(1)->gone = true;
	finds(2, MT_PORT_ACCEPTS);
	decide();
	expect_rule("the lease is waited for", "holder-silent");
	ck_assert(asks(MT_FENCE_NORMAL));
}
END_TEST

START_TEST(a_suspicion_ends_when_the_lease_has_to_be_waited_for)
{
	given_sync_fenced("23", 1);
	heard("23");
	w.settings.sync_waits_for_lease = true;
	decide();
	ck_assert_msg(!plan.propose, "ground Y in spite of the setting");
	ck_assert_msg(!asks(MT_FENCE_SYNC), "a fence of kind sync");
	/* Silent for longer: promises have to end, and then it is replaced. */
	given_suspected("23", 1);
	w.settings.sync_waits_for_lease = true;
	seen_of(1)->at_ms = NOW - 3001;
	decide();
	expect_rule("silent for long", "holder-silent");
	ck_assert(asks(MT_FENCE_NORMAL) && !plan.propose);
	/* The other setting is in force at once. */
	w.settings.sync_waits_for_lease = false;
	later(1);
	decide();
	expect_rule("back", "holder-suspected");
}
END_TEST

START_TEST(who_does_not_report_is_not_asked_for_its_finding)
{
	given_suspected("234", 1);
	given_another(4);
	seen_of(4)->at_ms = NOW - 3001;
	finds(4, MT_PORT_ACCEPTS);
	decide();
	expect_rule("it is gone itself", "holder-suspected");
	given_suspected("234", 1);
	given_another(4);
	seen_of(4)->gone = true;
	decide();
	expect_rule("its stream has ended", "holder-suspected");
	/* A witness is a member that finds something. */
	given_suspected("2", 1);
	report_of(3)->self.witness = w.state.members[2].witness = true;
	decide();
	expect_rule("a witness", "holder-suspected");
}
END_TEST

START_TEST(a_suspected_holder_is_replaced_by_who_has_everything)
{
	given_suspected("23", 1);
	heard("23");
	decide();
	ck_assert_msg(!plan.propose, "no voter has said yes");
	fence_answer(2, true, 4000);
	decide();
	ck_assert_msg(!plan.propose, "one voter of three");
	fence_answer(3, true, 4000);
	decide();
	expect_assign("fenced and heard", "holder-suspected", "node2", false);
	ck_assert_int_eq(command->u.assign.ground, MT_GROUND_SYNC_FENCE);
	ck_assert_uint_eq(command->u.assign.expect_sync, SYNC_VERSION);
	ck_assert_int_ge(command->u.assign.decision.phases.assigned_ms, 1);

	given_sync_fenced("23", 1);
	heard("2");
	later(100);
	decide();
	expect_rule("one of two is not heard", "holder-suspected");
	ck_assert(asks(MT_FENCE_SYNC) && !plan.propose);
	ck_assert_ptr_nonnull(strstr(plan.why, "1 of the 2 synchronous"));
	ASSIGN(given_sync_fenced("23", 2), "one is enough if both flush",
	       "holder-suspected", "node2", false, heard("2"));
	ASSIGN(given_sync_fenced("23", 1), "the furthest", "holder-suspected",
	       "node3", false, heard("23");
	       report_of(3)->at.lsn++);
	given_sync_fenced("23", 1);
	heard("23");
	report_of(3)->data_id++;
	decide();
	ck_assert_msg(!plan.propose, "other data");
	ASSIGN(given_sync_fenced("23", 1), "nothing is left anyway",
	       "holder-suspected", "node2", false, heard("23");
	       fence_answer(2, true, 0); fence_answer(3, true, 0));
	ck_assert_int_eq(command->u.assign.ground, MT_GROUND_PROMISES);
}
END_TEST

START_TEST(fences_go_on_until_the_holder_is_heard)
{
	given_sync_fenced("23", 1);
	heard("2");
	finds(2, MT_PORT_ACCEPTS);
	later(300);
	decide();
	expect_rule("the port is open again", "holder-suspected");
	ck_assert_msg(asks(MT_FENCE_SYNC), "what was begun is done");
	later(100);
	seen_of(1)->at_ms = w.view.now_ms - 100;
	decide();
	expect_assign("it is well", "repair", "node1", true);
	ck_assert_int_eq(command->u.assign.ground, MT_GROUND_CONTINUE);
}
END_TEST

START_TEST(a_silent_holder_is_not_given_another_epoch)
{
	given_sync_fenced("23", 1);
	heard("2");
	decide();
	expect_rule("it is silent since half a second", "holder-suspected");
	ck_assert(!plan.propose);
	given_suspected("23", 1);
	w.settings.ttl_ms = 2 * TTL_MS;
	decide();
	expect_rule("nor another ttl", "holder-suspected");
}
END_TEST

START_TEST(suspicion_in_the_same_turn_backs_off)
{
	int64_t pause_ms[] = {2000, 4000, 8000};

	given_suspected("23", 1);
	decide();
	expect_rule("the first", "holder-suspected");
	for (size_t i = 0; i < MT_COUNT(pause_ms); i++) {
		int64_t begun_ms = w.view.now_ms;

		/* It is heard, gets another epoch, and is silent again. */
		seen_of(1)->at_ms = w.view.now_ms;
		decide();
		w.state.leader.epoch++;
		report_of(2)->port_epoch = report_of(3)->port_epoch =
		    w.state.leader.epoch;
		w.view.now_ms = begun_ms + pause_ms[i] - 1;
		seen_of(1)->at_ms = w.view.now_ms - 600;
		seen_of(2)->at_ms = seen_of(3)->at_ms = w.view.now_ms;
		decide();
		expect_rule("too early", "steady");
		ck_assert_int_le(plan.look_again_ms, begun_ms + pause_ms[i]);
		w.view.now_ms++;
		decide();
		expect_rule("again", "holder-suspected");
	}
	/* Another turn has no such past. */
	seen_of(1)->at_ms = w.view.now_ms;
	decide();
	w.state.leader.since = ++w.state.leader.epoch;
	finds(2, MT_PORT_DEAD);
	finds(3, MT_PORT_DEAD);
	report_of(2)->port_epoch = report_of(3)->port_epoch =
	    w.state.leader.epoch;
	w.view.now_ms += 600;
	seen_of(2)->at_ms = seen_of(3)->at_ms = w.view.now_ms;
	decide();
	expect_rule("another turn", "holder-suspected");
}
END_TEST

int
main(void)
{
	RUN_TESTS("controller_suspected",
		  a_silent_holder_with_a_dead_port_is_fenced_at_once,
		  who_is_not_suspected,
		  a_suspicion_ends_when_the_lease_has_to_be_waited_for,
		  who_does_not_report_is_not_asked_for_its_finding,
		  a_suspected_holder_is_replaced_by_who_has_everything,
		  fences_go_on_until_the_holder_is_heard,
		  a_silent_holder_is_not_given_another_epoch,
		  suspicion_in_the_same_turn_backs_off);
}
