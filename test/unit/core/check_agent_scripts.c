/* SPDX-License-Identifier: PostgreSQL */
/*
 * The operator's scripts in the agent's decisions: pre_promote before a
 * promotion, and where before_stop is not waited for.
 */
#include "core/agent.h"

#include "decide.h"
#include "test/unit/run.h"

/* node2 holds the turn, with support, and has a script to ask. */
static void
given_asking(void)
{
	given_supported();
	local()->has_pre_promote = true;
}

START_TEST(a_script_is_asked_once_before_a_promotion)
{
	ROW(given_chosen(), "not without support", "turn", MT_ACT_NONE,
	    local()->has_pre_promote = true);
	ROW(given_asking(), "asked", "turn", MT_ACT_PRE_PROMOTE, );
	EXPECT(w_plan.epoch == EPOCH, "for this turn");
	ROW(given_asking(), "what it said before does not count", "turn",
	    MT_ACT_PRE_PROMOTE, local()->pre_promoted = EPOCH - 1);
	ROW(given_asking(), "it runs", "turn", MT_ACT_NONE,
	    local()->job = MT_JOB_PRE_PROMOTE);
	EXPECT(!w_plan.cancel, "and is waited for");
	ROW(given_asking(), "it agreed", "turn", MT_ACT_TAKE_EPOCH,
	    local()->pre_promoted = EPOCH);
	ROW(given_asking(), "to this turn, whatever its epoch is now", "turn",
	    MT_ACT_TAKE_EPOCH, local()->pre_promoted = EPOCH;
	    w.state.leader.epoch = EPOCH + 1; local()->lease_epoch = EPOCH + 1);
	ROW(given_asking(), "the lease ran out meanwhile", "turn", MT_ACT_NONE,
	    local()->pre_promoted = EPOCH;
	    local()->deadline_ms = NOW - 1);
	ROW(given_primary_died(), "a start in place is no promotion", "turn",
	    MT_ACT_START_PRIMARY, local()->has_pre_promote = true);
}
END_TEST

START_TEST(who_is_refused_gives_the_turn_up_and_is_no_candidate_for_ttl)
{
	ROW(given_asking(), "refused", "turn", MT_ACT_GIVE_UP,
	    local()->refused_ms = NOW - 10);
	EXPECT_WHY("pre_promote");
	EXPECT(w_plan.epoch == EPOCH, "this epoch");
	ROW(given_asking(), "long ago", "turn", MT_ACT_PRE_PROMOTE,
	    local()->refused_ms = NOW - TTL_MS;
	    w.settings.ttl_ms = TTL_MS);
	ROW(given_standby(), "it says so in time", "standby", MT_ACT_NONE,
	    local()->refused_ms = NOW - 10;
	    w.settings.ttl_ms = TTL_MS);
	EXPECT(w_plan.look_again_ms == NOW - 10 + TTL_MS, "and then not");
	ck_assert_int_eq(mt_agent_refuses_until(&w.view), NOW - 10 + TTL_MS);
	local()->refused_ms = 0;
	ck_assert_int_eq(mt_agent_refuses_until(&w.view), 0);
}
END_TEST

START_TEST(a_script_for_a_turn_that_is_anothers_is_ended)
{
	ROW(given_standby(), "displaced", "standby", MT_ACT_NONE,
	    local()->job = MT_JOB_PRE_PROMOTE);
	EXPECT(w_plan.cancel, "ended");
	ROW(given_standby(), "no other job is", "standby", MT_ACT_NONE,
	    local()->job = MT_JOB_FOLLOW);
	EXPECT(!w_plan.cancel, "not ended");
}
END_TEST

START_TEST(at_the_end_of_the_lease_no_script_is_waited_for)
{
	ROW(given_primary(), "about to end", "lease-ending", MT_ACT_STOP_FAST,
	    local()->deadline_ms = NOW + 100);
	EXPECT(w_plan.hurry, "at once");
	ROW(given_primary(), "one runs", "lease-ending", MT_ACT_STOP_FAST,
	    local()->deadline_ms = NOW + 100;
	    local()->job = MT_JOB_STOP);
	EXPECT(w_plan.hurry, "it is ended");
	ROW(given_primary(), "the daemon ends", "stopping", MT_ACT_STOP_FAST,
	    local()->stopping = true);
	EXPECT(!w_plan.hurry, "that may wait");
}
END_TEST

int
main(void)
{
	RUN_TESTS("agent_scripts", a_script_is_asked_once_before_a_promotion,
		  who_is_refused_gives_the_turn_up_and_is_no_candidate_for_ttl,
		  a_script_for_a_turn_that_is_anothers_is_ended,
		  at_the_end_of_the_lease_no_script_is_waited_for);
}
