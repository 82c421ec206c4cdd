/* SPDX-License-Identifier: PostgreSQL */
/*
 * Pause, seen from the agent and from the controller: nothing happens by
 * itself, what an operator asks for does, and a primary outlives its lease only
 * under a committed exemption.
 */
#include "core/agent.h"

#include "decide.h"
#include "test/unit/run.h"

#define OWN_INCARNATION 10

static void
given_pause(void)
{
	w.settings.pause = true;
}

/* Committed, of this daemon's life. */
static void
given_exemption(uint64_t index, uint64_t incarnation)
{
	w.state.leader.exempt = index;
	w.state.leader.exempt_incarnation = incarnation;
	mt_copy(w.state.leader.exempt_reason, MT_RULE_MAX, "pause");
}

static void
given_exempt(void)
{
	given_primary();
	given_pause();
	given_exemption(45, OWN_INCARNATION);
	local()->exempt = true;
}

START_TEST(a_primary_stops_at_its_leases_end_in_pause_too)
{
	ROW(given_primary(), "no exemption", "lease-lapsed",
	    MT_ACT_STOP_IMMEDIATE, given_pause();
	    local()->deadline_ms = NOW);
	ROW(given_primary(), "one in the log, the sentinel not told",
	    "lease-lapsed", MT_ACT_STOP_IMMEDIATE, given_pause();
	    given_exemption(45, OWN_INCARNATION); local()->deadline_ms = NOW);
	ROW(given_primary(), "it is about to end", "lease-ending",
	    MT_ACT_STOP_FAST, given_pause();
	    local()->deadline_ms = NOW + 100);
}
END_TEST

START_TEST(an_exempt_primary_goes_on)
{
	ROW(given_exempt(), "lease over", "turn", MT_ACT_NONE,
	    local()->deadline_ms = NOW - 60000);
	EXPECT(w_plan.look_again_ms == 0, "no deadline to look at");
	ROW(given_exempt(), "never had one in this life", "turn", MT_ACT_NONE,
	    local()->had_lease = false;
	    local()->deadline_ms = 0);
	ROW(given_exempt(), "cut off", "state-unknown", MT_ACT_NONE,
	    local()->state_current = false;
	    local()->deadline_ms = 0);
	ROW(given_exempt(), "cut off, and the pause not known any more",
	    "state-unknown", MT_ACT_NONE, local()->state_current = false;
	    w.settings.pause = false; local()->deadline_ms = 0);
	ROW(given_exempt(), "the pause is over, and no majority supports it",
	    "turn", MT_ACT_NONE, w.settings.pause = false;
	    local()->deadline_ms = NOW - 1);
}
END_TEST

START_TEST(an_exempt_primary_may_ask_for_support_again)
{
	ASKS(given_exempt(), "lapsed", true, local()->deadline_ms = NOW - 1);
	ASKS(given_exempt(), "lapsed and not exempt", false,
	     local()->deadline_ms = NOW - 1;
	     local()->exempt = false);
	ASKS(given_exempt(), "of another epoch", false,
	     local()->deadline_ms = NOW - 1;
	     local()->record.pg_epoch = EPOCH - 1);
}
END_TEST

START_TEST(a_paused_holder_has_itself_exempted_first)
{
	ROW(given_primary(), "not in the log", "turn", MT_ACT_PROPOSE,
	    given_pause());
	EXPECT(w_plan.command.kind == MT_CMD_LEADER_EXEMPT, "exempt");
	EXPECT(w_plan.command.u.exempt.epoch == EPOCH, "of its epoch");
	EXPECT(w_plan.command.u.exempt.incarnation == OWN_INCARNATION, "mine");
	EXPECT(w_plan.command.u.exempt.ends == 0, "a beginning");
	ROW(given_primary(), "in the log", "turn", MT_ACT_EXEMPT, given_pause();
	    given_exemption(45, OWN_INCARNATION));
	ROW(given_primary(),
	    "in the log by an earlier life: its end may be "
	    "on its way",
	    "turn", MT_ACT_PROPOSE, given_pause();
	    given_exemption(45, OWN_INCARNATION - 1));
	ROW(given_primary(), "its end was proposed by this life", "turn",
	    MT_ACT_PROPOSE, given_pause();
	    given_exemption(45, OWN_INCARNATION); local()->exempt_ended = 45);
	EXPECT(w_plan.command.u.exempt.ends == 0, "another one is wanted");
	ROW(given_primary(), "a newer one", "turn", MT_ACT_EXEMPT,
	    given_pause();
	    given_exemption(46, OWN_INCARNATION); local()->exempt_ended = 45);
	ROW(given_primary(), "still promoting", "turn", MT_ACT_NONE,
	    given_pause();
	    local()->in_recovery = true; local()->promote_sent_ms = NOW - 10);
}
END_TEST

START_TEST(the_end_of_a_pause_arms_before_it_is_told)
{
	ROW(given_exempt(), "with a lease", "turn", MT_ACT_ARM,
	    w.settings.pause = false);
	ROW(given_exempt(), "with one that is about to end", "turn",
	    MT_ACT_NONE, w.settings.pause = false;
	    local()->deadline_ms = NOW + 100);
	ROW(given_exempt(), "with one of an earlier turn", "turn", MT_ACT_NONE,
	    w.settings.pause = false;
	    local()->lease_epoch = EPOCH - 1);
	ROW(given_exempt(), "armed", "turn", MT_ACT_PROPOSE,
	    w.settings.pause = false;
	    local()->exempt = false);
	EXPECT(w_plan.command.kind == MT_CMD_LEADER_EXEMPT, "exempt");
	EXPECT(w_plan.command.u.exempt.ends == 45, "that one ends");
	ROW(given_primary(), "nothing stands", "turn", MT_ACT_NONE, );
}
END_TEST

START_TEST(nothing_is_started_stopped_or_made_anew_in_pause)
{
	ROW(given_standby_down(), "a standby that is down", "paused",
	    MT_ACT_NONE, given_pause());
	EXPECT_WHY("paused");
	ROW(given_standby_down(), "that died", "paused", MT_ACT_NONE,
	    given_pause();
	    local()->died = true; local()->last_job = MT_JOB_START);
	ROW(given_no_data(2), "no data", "paused", MT_ACT_NONE, given_pause());
	ROW(given_no_data(2), "half a clone", "paused", MT_ACT_NONE,
	    given_pause();
	    local()->data = MT_DATA_PARTIAL);
	ROW(given_standby(), "diverged", "paused", MT_ACT_NONE, given_pause();
	    local()->at.timeline = TIMELINE + 1);
	ROW(given_standby(), "without a sentinel", "paused", MT_ACT_NONE,
	    given_pause();
	    local()->guarded = false);
	ROW(given_standby(), "of another cluster", "paused", MT_ACT_NONE,
	    given_pause();
	    mt_copy(local()->sysid, MT_SYSID_MAX, "1"));
	ROW(given_primary_died(), "the primary: its turn is over", "turn",
	    MT_ACT_GIVE_UP, given_pause());
	ROW(given_primary_died(), "and released", "release", MT_ACT_PROPOSE,
	    given_pause();
	    local()->record.given_up = EPOCH);
	ROW(given_primary_died(), "then it stays down", "paused", MT_ACT_NONE,
	    given_pause();
	    local()->record.given_up = EPOCH; w.state.leader.released = true);
}
END_TEST

START_TEST(what_was_begun_or_granted_is_done_in_pause)
{
	ROW(given_standby(), "another upstream", "paused", MT_ACT_FOLLOW,
	    given_pause();
	    local()->upstream[0] = '\0');
	ROW(given_standby_down(), "stopped by us, for a switchover", "paused",
	    MT_ACT_START_STANDBY, given_pause();
	    local()->last_job = MT_JOB_STOP);
	ROW(given_supported(), "the turn, given on request", "turn",
	    MT_ACT_TAKE_EPOCH, given_pause());
	ROW(given_initialized(), "the first start of a new cluster", "turn",
	    MT_ACT_TAKE_EPOCH, given_pause());
	ROW(given_exempt(), "a switchover to a candidate", "turn",
	    MT_ACT_CHECKPOINT, given_request("node2"));
	ROW(given_exempt(), "a switchover to anybody", "turn", MT_ACT_PROPOSE,
	    given_request(""));
	EXPECT(w_plan.command.kind == MT_CMD_REQUEST_CLEAR, "refused");
}
END_TEST

START_TEST(a_second_primary_is_tolerated_in_pause_only)
{
	ROW(given_standby(), "promoted by hand", "paused", MT_ACT_NONE,
	    given_pause();
	    local()->as_primary = true; local()->in_recovery = false);
	EXPECT_WHY("second primary");
	ROW(given_standby(), "the pause is over", "lease-lapsed",
	    MT_ACT_STOP_IMMEDIATE, local()->as_primary = true;
	    local()->in_recovery = false);
	ROW(given_primary(), "the holder, of another turn's data", "deposed",
	    MT_ACT_STOP_IMMEDIATE, given_pause();
	    local()->record.pg_epoch = EPOCH - 1);
	ROW(given_exempt(), "an exempt one that lost the turn by request",
	    "paused", MT_ACT_NONE,
	    mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2"));
	ROW(given_exempt(), "and the pause is over", "deposed",
	    MT_ACT_STOP_IMMEDIATE, w.settings.pause = false;
	    mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2"));
}
END_TEST

START_TEST(a_daemon_that_ends_in_pause_leaves_its_server)
{
	ROW(given_standby(), "standby", "leave", MT_ACT_EXIT, given_pause();
	    local()->stopping = true);
	ROW(given_exempt(), "exempt primary", "leave", MT_ACT_EXIT,
	    local()->stopping = true);
	ROW(given_primary(), "first it is exempted", "turn", MT_ACT_PROPOSE,
	    given_pause();
	    local()->stopping = true; local()->stopping_ms = NOW - 7999);
	ROW(given_primary(), "if that can be had", "stopping", MT_ACT_STOP_FAST,
	    given_pause();
	    local()->stopping = true; local()->stopping_ms = NOW - 8000);
	ROW(given_exempt(), "being stopped for a switchover", "stopping",
	    MT_ACT_STOP_FAST, local()->stopping = true;
	    local()->job = MT_JOB_STOP; local()->stopping_ms = NOW - 10);
	ROW(given_standby_down(), "nothing runs", "exit", MT_ACT_EXIT,
	    given_pause();
	    local()->stopping = true);
	ROW(given_exempt(), "the pause is over", "stopping", MT_ACT_STOP_FAST,
	    local()->stopping = true;
	    w.settings.pause = false);
}
END_TEST

START_TEST(a_longer_ttl_ends_no_lease)
{
	/* Agreed a moment ago; what was promised is 5 s, 4 s of it left. */
	ROW(given_primary(), "from 5 to 30 s", "turn", MT_ACT_TAKE_EPOCH,
	    w.state.leader.ttl_ms = 30000;
	    w.state.leader.epoch++; w.state.leader.continues = true;
	    local()->lease_ttl_ms = 5000);
	ROW(given_primary(), "promised", "lease-ending", MT_ACT_STOP_FAST,
	    w.state.leader.ttl_ms = 30000;
	    local()->lease_ttl_ms = 30000);
	ROW(given_primary(), "a shorter one", "turn", MT_ACT_NONE,
	    w.state.leader.ttl_ms = 2000;
	    local()->lease_ttl_ms = 30000; local()->deadline_ms = NOW + 600);
}
END_TEST

int
main(void)
{
	RUN_TESTS("pause", a_primary_stops_at_its_leases_end_in_pause_too,
		  an_exempt_primary_goes_on,
		  an_exempt_primary_may_ask_for_support_again,
		  a_paused_holder_has_itself_exempted_first,
		  the_end_of_a_pause_arms_before_it_is_told,
		  nothing_is_started_stopped_or_made_anew_in_pause,
		  what_was_begun_or_granted_is_done_in_pause,
		  a_second_primary_is_tolerated_in_pause_only,
		  a_daemon_that_ends_in_pause_leaves_its_server,
		  a_longer_ttl_ends_no_lease);
}
