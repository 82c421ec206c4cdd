/* SPDX-License-Identifier: PostgreSQL */
/* Restarts and new copies that people asked for, as the agent takes them. */
#include "decide.h"
#include "given_sync.h"
#include "test/unit/run.h"

#define ID 3

static void
given_errand(enum mt_errand_kind kind)
{
	local()->errand = (struct mt_errand){
	    .kind = kind,
	    .id = ID,
	    .asked_ms = NOW - 1000,
	    .as_primary = local()->as_primary,
	};
	local()->checkpoint_for = mt_errand_checkpoint(&local()->errand);
}

static void
given_restart_of_primary(void)
{
	given_primary();
	given_errand(MT_ERRAND_RESTART);
}

static void
given_restart_of_standby(void)
{
	given_standby();
	given_errand(MT_ERRAND_RESTART);
}

START_TEST(a_primary_is_stopped_under_a_lease_that_lasts)
{
	ROW(given_restart_of_primary(), "checkpoint first", "errand",
	    MT_ACT_CHECKPOINT, local()->checkpoint_for = 0);
	EXPECT(w_plan.request_id == mt_errand_checkpoint(&local()->errand),
	       "its own");
	ROW(given_restart_of_primary(), "then the stop", "errand",
	    MT_ACT_STOP_FAST, );
	EXPECT(w_plan.for_errand, "is a step of it");
	ROW(given_restart_of_primary(), "no checkpoint without an answer",
	    "errand", MT_ACT_STOP_FAST, local()->checkpoint_for = 0;
	    local()->accepting = false);
	ROW(given_restart_of_primary(), "too little lease", "lease-ending",
	    MT_ACT_STOP_FAST, local()->deadline_ms = NOW + TTL_MS / 4);
	EXPECT(!w_plan.for_errand, "is none of it");
	ROW(given_restart_of_primary(), "exempt, and no lease", "turn",
	    MT_ACT_NONE, w.settings.pause = true;
	    local()->exempt = true; w.state.leader.exempt = 45;
	    local()->deadline_ms = NOW - 1);
	EXPECT_WHY("majority");
	ROW(given_restart_of_primary(), "may have been displaced", "turn",
	    MT_ACT_NAMES, w.settings.synchronous_mode = MT_SYNC_ON;
	    given_log("23", 1); local()->missed_ms = NOW - 1);
	ROW(given_restart_of_primary(), "a job goes on", "turn", MT_ACT_NONE,
	    local()->job = MT_JOB_SLOTS);
	ROW(given_restart_of_primary(), "a switchover was asked for", "turn",
	    MT_ACT_CHECKPOINT, given_request("node2"));
	ROW(given_restart_of_primary(), "the epoch goes on", "turn",
	    MT_ACT_TAKE_EPOCH, w.state.leader.epoch++);
	ROW(given_restart_of_primary(), "in pause, too", "errand",
	    MT_ACT_STOP_FAST, w.settings.pause = true;
	    local()->exempt = true; w.state.leader.exempt = 45);
	ROW(given_restart_of_primary(), "the daemon ends", "stopping",
	    MT_ACT_STOP_FAST, local()->stopping = true);
	ROW(given_restart_of_primary(), "another role", "standby", MT_ACT_NONE,
	    given_standby();
	    local()->errand.kind = MT_ERRAND_RESTART;
	    local()->errand.as_primary = true);
}
END_TEST

static void
given_down_for_restart(void)
{
	given_primary_down();
	given_errand(MT_ERRAND_RESTART);
	local()->errand.as_primary = true;
	local()->errand.stop_ms = NOW - 100;
}

START_TEST(a_primary_is_started_again_in_its_turn)
{
	ROW(given_down_for_restart(), "in the lease", "turn",
	    MT_ACT_START_PRIMARY, );
	ROW(given_down_for_restart(), "the end of its data is not read yet",
	    "turn", MT_ACT_NONE, local()->control = MT_CONTROL_UNKNOWN);
	ROW(given_down_for_restart(), "the lease is over", "turn",
	    MT_ACT_GIVE_UP, local()->deadline_ms = NOW);
	ROW(given_down_for_restart(), "in pause", "turn", MT_ACT_START_PRIMARY,
	    w.settings.pause = true);
	ROW(given_down_for_restart(), "whatever a crash would cost", "turn",
	    MT_ACT_START_PRIMARY, w.settings.primary_start_timeout_ms = 0);
	ROW(given_down_for_restart(), "its start was tried", "turn",
	    MT_ACT_GIVE_UP, local()->errand.started = true);
	ROW(given_down_for_restart(), "the errand is over", "turn",
	    MT_ACT_GIVE_UP, local()->errand.kind = MT_ERRAND_NONE);
	ROW(given_down_for_restart(), "the turn is another's", "standby",
	    MT_ACT_START_STANDBY,
	    mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2");
	    given_serving(2));
	ASKS(given_down_for_restart(), "it goes on asking", true, );
	ASKS(given_down_for_restart(), "not without a lease", false,
	     local()->deadline_ms = NOW);
}
END_TEST

START_TEST(a_start_has_the_time_that_was_given_for_it)
{
	ROW(given_restart_of_primary(), "too long", "turn",
	    MT_ACT_STOP_IMMEDIATE, local()->errand.stop_ms = NOW - 9000;
	    local()->errand.timeout_ms = 5000; local()->errand.started = true;
	    local()->accepting = false; local()->job = MT_JOB_START;
	    local()->job_since_ms = NOW - 5000);
	EXPECT_WHY("timeout of the restart");
	ROW(given_restart_of_primary(), "not too long", "turn", MT_ACT_NONE,
	    local()->errand.stop_ms = NOW - 9000;
	    local()->errand.timeout_ms = 5000; local()->errand.started = true;
	    local()->accepting = false; local()->job = MT_JOB_START;
	    local()->job_since_ms = NOW - 4000);
	EXPECT(w_plan.look_again_ms == NOW + 1000, "then");
	ROW(given_restart_of_primary(), "and nobody could take over", "turn",
	    MT_ACT_NONE, local()->errand.stop_ms = NOW - 9000;
	    local()->errand.timeout_ms = 5000; local()->errand.started = true;
	    local()->accepting = false; local()->job = MT_JOB_START;
	    local()->job_since_ms = NOW - 5000; given_silence(2);
	    given_silence(3));
}
END_TEST

static void
given_in_set(void)
{
	w.settings.synchronous_mode = MT_SYNC_ON;
	given_log("2", 1);
	local()->data_id = data_of(2);
	local()->names_settled = true;
	report_of(3)->data_id = data_of(3);
}

START_TEST(a_standby_is_stopped_when_no_commit_waits_for_it)
{
	ROW(given_restart_of_standby(), "asynchronous", "errand",
	    MT_ACT_STOP_FAST, );
	ROW(given_restart_of_standby(), "in the set", "standby", MT_ACT_NONE,
	    given_in_set());
	EXPECT_WHY("synchronous set");
	EXPECT(mt_agent_is_leaving(&w.view), "and says that it leaves");
	ROW(given_restart_of_standby(), "in the set, for long", "errand",
	    MT_ACT_STOP_FAST, given_in_set();
	    local()->errand.asked_ms = NOW - 20000);
	ROW(given_restart_of_standby(), "nobody could take its place", "errand",
	    MT_ACT_STOP_FAST, given_in_set();
	    w.settings.synchronous_mode_strict = true; given_silence(3));
	ROW(given_restart_of_standby(), "a fence first", "standby",
	    MT_ACT_FENCE, given_in_set();
	    local()->record.fenced = EPOCH);
	ROW(given_restart_of_standby(), "in pause", "errand", MT_ACT_STOP_FAST,
	    w.settings.pause = true);
	ROW(given_standby_down(), "down, in pause", "paused", MT_ACT_NONE,
	    w.settings.pause = true);
	ROW(given_standby_down(), "down, in pause, and asked for", "paused",
	    MT_ACT_START_STANDBY, w.settings.pause = true;
	    given_errand(MT_ERRAND_RESTART));
	ROW(given_restart_of_standby(), "chosen meanwhile", "turn", MT_ACT_NONE,
	    mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2"));
	EXPECT(!w_plan.for_errand, "is another matter");
}
END_TEST

static void
given_anew(void)
{
	given_standby();
	given_errand(MT_ERRAND_REINIT);
}

static void
given_anew_down(void)
{
	given_standby_down();
	given_errand(MT_ERRAND_REINIT);
}

START_TEST(data_is_thrown_away_when_nobody_counts_on_it)
{
	ROW(given_anew(), "running", "errand", MT_ACT_STOP_IMMEDIATE, );
	ROW(given_anew(), "no primary", "standby", MT_ACT_NONE,
	    given_silence(1));
	EXPECT_WHY("waiting for a primary");
	EXPECT(!mt_agent_is_leaving(&w.view), "and may be chosen");
	ROW(given_anew(), "its stream has ended", "standby", MT_ACT_NONE,
	    seen_of(1)->gone = true);
	ROW(given_anew_down(), "no primary, down", "standby",
	    MT_ACT_START_STANDBY, given_silence(1));
	ROW(given_anew(), "in the set", "standby", MT_ACT_NONE, given_in_set());
	EXPECT(mt_agent_is_leaving(&w.view), "and says that it leaves");
	ROW(given_anew(), "in the set, under a fence", "standby", MT_ACT_FENCE,
	    given_in_set();
	    local()->record.fenced = EPOCH);
	ROW(given_anew_down(), "in the set, down", "standby",
	    MT_ACT_START_STANDBY, given_in_set());
	ROW(given_anew(), "in the set, for long", "standby", MT_ACT_NONE,
	    given_in_set();
	    local()->errand.asked_ms = NOW - 25000);
	ROW(given_anew_down(), "the primary has all of it", "errand",
	    MT_ACT_DISCARD, );
	ROW(given_anew_down(), "more than the primary: it is named", "errand",
	    MT_ACT_PROPOSE, local()->checkpoint.lsn = LSN + 1);
	EXPECT(w_plan.command.kind == MT_CMD_REJOIN_PUT, "in the log");
	ROW(given_anew_down(), "an older timeline's end: it is named", "errand",
	    MT_ACT_PROPOSE, local()->checkpoint = position(2, FORK2 + 1));
	ROW(given_anew_down(), "the control file is not read", "standby",
	    MT_ACT_NONE, local()->control = MT_CONTROL_UNKNOWN;
	    local()->checkpoint = position(0, 0));
	ROW(given_anew(), "no place for a clone", "standby", MT_ACT_NONE,
	    w.settings.max_concurrent_clones = 1);
	EXPECT(w_plan.wants_clone, "and it waits for one");
	ROW(given_anew_down(), "in pause", "errand", MT_ACT_DISCARD,
	    w.settings.pause = true);
	ROW(given_anew(), "chosen meanwhile", "turn", MT_ACT_NONE,
	    mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2"));
}
END_TEST

START_TEST(what_is_under_way_is_cancelled)
{
	ROW(given_anew_down(), "a clone", "errand", MT_ACT_NONE,
	    local()->job = MT_JOB_CLONE;
	    local()->job_since_ms = NOW - 2000;
	    local()->data = MT_DATA_PARTIAL);
	EXPECT(w_plan.cancel, "is ended");
	ROW(given_anew_down(), "its own clone", "standby", MT_ACT_NONE,
	    local()->job = MT_JOB_CLONE;
	    local()->job_since_ms = NOW - 500; local()->data = MT_DATA_PARTIAL);
	EXPECT(!w_plan.cancel, "goes on");
	ROW(given_anew(), "a start that takes long", "errand",
	    MT_ACT_STOP_IMMEDIATE, local()->job = MT_JOB_START;
	    local()->job_since_ms = NOW - 2000; local()->accepting = false);
}
END_TEST

START_TEST(a_copy_is_made_as_any)
{
	ROW(given_no_data(2), "of the primary", "standby", MT_ACT_CLONE,
	    given_errand(MT_ERRAND_REINIT));
	EXPECT(!w_plan.plain, "by any method");
	ROW(given_no_data(2), "in pause it is not made", "paused", MT_ACT_NONE,
	    w.settings.pause = true);
	ROW(given_no_data(2), "but for people", "paused", MT_ACT_CLONE,
	    w.settings.pause = true;
	    given_errand(MT_ERRAND_REINIT));
	ROW(given_no_data(2), "of nobody but the primary", "standby",
	    MT_ACT_CLONE, given_errand(MT_ERRAND_REINIT);
	    local()->errand.from_leader = true; mt_copy(
		report_of(3)->self.tags, MT_TAGS_MAX, "{\"clonefrom\":true}"));
	EXPECT(strcmp(w_plan.member, "node1") == 0 && w_plan.plain,
	       "by pg_basebackup");
	ROW(given_no_data(2), "a half of one is removed", "standby",
	    MT_ACT_DISCARD, given_errand(MT_ERRAND_REINIT);
	    local()->data = MT_DATA_PARTIAL; local()->keeps_data = true;
	    local()->errand.from_leader = true);
	ROW(given_standby_down(), "and started in pause", "paused",
	    MT_ACT_START_STANDBY, w.settings.pause = true;
	    given_errand(MT_ERRAND_REINIT); local()->errand.made = true);
}
END_TEST

int
main(void)
{
	RUN_TESTS("agent_errand", a_primary_is_stopped_under_a_lease_that_lasts,
		  a_primary_is_started_again_in_its_turn,
		  a_start_has_the_time_that_was_given_for_it,
		  a_standby_is_stopped_when_no_commit_waits_for_it,
		  data_is_thrown_away_when_nobody_counts_on_it,
		  what_is_under_way_is_cancelled, a_copy_is_made_as_any);
}
