/* SPDX-License-Identifier: PostgreSQL */
/* What if the primary died now: who, at what cost, for how long. */
#include "core/forecast.h"

#include "given_sync.h"
#include "test/unit/run.h"

static struct mt_forecast f;

static void
forecast(void)
{
	mt_forecast(&w.view, &f);
}

START_TEST(the_candidate_is_the_one_that_the_rules_would_choose)
{
	given_cluster(2);
	report_of(3)->at.lsn = LSN + 8;
	forecast();
	ck_assert_str_eq(f.leader, "node1");
	ck_assert_str_eq(f.candidate, "node3");
	ck_assert_int_eq(f.judged.n, 3);
	ck_assert_str_eq(f.judged.verdicts[0].rule, "leaves");
	ck_assert_str_eq(f.judged.verdicts[1].rule, "behind");
	report_of(3)->nofailover = true;
	forecast();
	ck_assert_str_eq(f.candidate, "node2");
	ck_assert_str_eq(f.judged.verdicts[2].rule, "nofailover");
}
END_TEST

START_TEST(what_only_the_primary_has_could_be_lost)
{
	given_cluster(2);
	report_of(1)->at.lsn = LSN + 0x1000;
	seen_of(1)->at_ms = NOW - 700;
	forecast();
	ck_assert(f.lost_known);
	ck_assert_uint_eq(f.lost_bytes, 0x1000);
	ck_assert_int_eq(f.age_ms, 700);
	w.state.status.optime.lsn = LSN + 0x2000;
	forecast();
	ck_assert_uint_eq(f.lost_bytes, 0x2000);
	/* ahead of what is known of the primary: nothing */
	report_of(2)->at.lsn = LSN + 0x3000;
	forecast();
	ck_assert_uint_eq(f.lost_bytes, 0);
	w.state.status.optime = position(0, 0);
	w.reports.n = 3;
	report_of(1)->at = position(0, 0);
	forecast();
	ck_assert(!f.lost_known);
}
END_TEST

START_TEST(a_lost_node_costs_its_ttl_and_a_promotion)
{
	struct mt_decision *d = &w.state.decisions[4];

	given_cluster(2);
	forecast();
	ck_assert(!f.measured);
	ck_assert_int_ge(f.node_ms, TTL_MS);
	ck_assert_int_lt(f.crash_ms, f.switchover_ms);
	ck_assert_int_lt(f.switchover_ms, f.node_ms);
	w.state.last_decision = 5;
	w.state.decisions[5].id = 5; /* a release: nothing measured */
	d->id = 4;
	d->phases.writable_ms = 7000;
	forecast();
	ck_assert(f.measured);
	ck_assert_int_ge(f.node_ms, TTL_MS + 7000);
	ck_assert_int_le(f.node_ms, TTL_MS + 7500);
}
END_TEST

START_TEST(in_synchronous_mode_the_lease_is_not_waited_for)
{
	given_cluster(2);
	given_mode(MT_SYNC_ON, 1);
	given_log("2", 1);
	forecast();
	ck_assert_int_gt(f.node_ms, 500);
	ck_assert_int_lt(f.node_ms, TTL_MS);
	w.settings.suspect_timeout_ms += 700;
	forecast();
	ck_assert_int_gt(f.node_ms, 1200);
	/* One alone may be the one that is cut off. */
	seen_of(3)->gone = true;
	forecast();
	ck_assert_int_ge(f.node_ms, TTL_MS);
	seen_of(3)->gone = false;
	w.settings.pause = true;
	forecast();
	ck_assert_int_ge(f.node_ms, TTL_MS);
	w.settings.pause = false;
	w.settings.sync_waits_for_lease = true;
	forecast();
	ck_assert_msg(f.node_ms >= TTL_MS, "failover_in_sync is \"lease\"");
}
END_TEST

START_TEST(in_synchronous_mode_the_set_is_asked)
{
	given_cluster(2);
	given_mode(MT_SYNC_ON, 1);
	given_log("2", 1);
	report_of(3)->at.lsn = LSN + 8;
	forecast();
	ck_assert(f.in_sync);
	ck_assert_str_eq(f.candidate, "node2");
	ck_assert_str_eq(f.judged.verdicts[2].rule, "not-in-sync");
	given_silence(2);
	forecast();
	ck_assert_str_eq(f.candidate, "");
	given_cluster(2);
	given_mode(MT_SYNC_QUORUM, 1);
	given_log("23", 1);
	forecast();
	ck_assert_str_eq(f.candidate, "node2");
	/* One of two is not enough: the other alone may have a commit. */
	given_silence(3);
	forecast();
	ck_assert_str_eq(f.candidate, "");
	ck_assert_str_eq(f.judged.verdicts[1].rule, "too-few-heard");
	/* The holder itself does not help, though it counts, and has most. */
	given_cluster(2);
	given_mode(MT_SYNC_ON, 1);
	given_log("12", 1);
	forecast();
	ck_assert_str_eq(f.candidate, "");
	given_log("12", 2);
	forecast();
	ck_assert_str_eq(f.candidate, "node2");
}
END_TEST

START_TEST(without_a_candidate_there_is_no_end_in_sight)
{
	given_cluster(1);
	given_silence(2);
	seen_of(3)->gone = true;
	forecast();
	ck_assert_str_eq(f.candidate, "");
	ck_assert_int_eq(f.node_ms, 0);
	ck_assert(!f.lost_known);
	ck_assert_str_eq(f.judged.verdicts[1].rule, "silent");
	ck_assert_str_eq(f.judged.verdicts[2].rule, "gone");
}
END_TEST

START_TEST(while_nobody_holds_the_turn_there_is_no_leader)
{
	given_cluster(2);
	w.state.leader.released = true;
	forecast();
	ck_assert_str_eq(f.leader, "");
	given_new_cluster(1);
	forecast();
	ck_assert_str_eq(f.candidate, "");
}
END_TEST

int
main(void)
{
	RUN_TESTS("forecast",
		  the_candidate_is_the_one_that_the_rules_would_choose,
		  what_only_the_primary_has_could_be_lost,
		  a_lost_node_costs_its_ttl_and_a_promotion,
		  in_synchronous_mode_the_lease_is_not_waited_for,
		  in_synchronous_mode_the_set_is_asked,
		  without_a_candidate_there_is_no_end_in_sight,
		  while_nobody_holds_the_turn_there_is_no_leader);
}
