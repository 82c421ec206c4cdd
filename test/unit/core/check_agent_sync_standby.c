/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a standby of the synchronous set does: names before a promotion, no
 * rewind while it counts, and the end of streaming under a fence; and what a
 * holder that nobody confirmed does not begin.
 */
#include "core/agent.h"

#include "agent_sync.h"
#include "test/unit/run.h"

START_TEST(a_standby_of_the_set_has_names_before_it_is_promoted)
{
	ROW(given_supported(), "none yet", "turn", MT_ACT_NAMES,
	    given_mode(MT_SYNC_ON, 2);
	    given_log("23", 2));
	EXPECT(wants("3", 1), "the other");
	ROW(given_supported(), "old ones", "turn", MT_ACT_NAMES,
	    given_mode(MT_SYNC_ON, 2);
	    given_log("23", 2); given_names("13", 2));
	EXPECT(wants("3", 1), "the other");
	ROW(given_supported(), "not proven", "turn", MT_ACT_NAMES,
	    given_mode(MT_SYNC_ON, 2);
	    given_log("23", 2); given_names("3", 1);
	    local()->names_settled = false);
	EXPECT(wants("3", 1), "again");
	ROW(given_supported(), "in effect", "turn", MT_ACT_TAKE_EPOCH,
	    given_mode(MT_SYNC_ON, 2);
	    given_log("23", 2); given_names("3", 1));
	ROW(given_supported(), "and then", "turn", MT_ACT_PROMOTE,
	    given_mode(MT_SYNC_ON, 2);
	    given_log("23", 2); given_names("3", 1);
	    local()->record.pg_epoch = EPOCH;
	    local()->record.data_id = local()->data_id);
	ROW(given_supported(), "alone in the set", "turn", MT_ACT_TAKE_EPOCH,
	    given_mode(MT_SYNC_ON, 1);
	    given_log("2", 1));
	ROW(given_supported(), "names of a set that is gone", "turn",
	    MT_ACT_NAMES, given_mode(MT_SYNC_OFF, 1);
	    given_names("3", 1));
	EXPECT(wants("", 0), "none");
	ROW(given_supported(), "no set", "turn", MT_ACT_TAKE_EPOCH,
	    given_mode(MT_SYNC_OFF, 1));
}
END_TEST

/* node1 died as primary; it was alone with its lease. */
static void
given_sync_primary_died(void)
{
	given_primary_died();
	given_mode(MT_SYNC_ON, 1);
	given_names("2", 1);
	given_log("23", 1);
}

START_TEST(without_support_nothing_is_begun_under_a_lease)
{
	ROW(given_sync_primary_died(), "supported", "turn",
	    MT_ACT_START_PRIMARY, );
	ROW(given_sync_primary_died(), "it may have been displaced", "turn",
	    MT_ACT_NONE, local()->missed_ms = NOW);
	EXPECT_WHY("confirm");
	ASKS(given_sync_primary_died(), "but it asks", true,
	     local()->missed_ms = NOW);
	ROW(given_primary_died(),
	    "without synchronous mode the lease is enough", "turn",
	    MT_ACT_START_PRIMARY, local()->missed_ms = NOW);
	given_supported();
	given_mode(MT_SYNC_ON, 1);
	given_log("23", 1);
	given_names("3", 1);
	local()->record.pg_epoch = EPOCH;
	local()->record.data_id = local()->data_id;
	decide();
	expect_plan("a promotion", "turn", MT_ACT_PROMOTE);
	local()->missed_ms = NOW;
	decide();
	expect_plan("no promotion", "turn", MT_ACT_NONE);
}
END_TEST

START_TEST(standbys_have_their_names_ahead)
{
	ROW(given_standby(), "in the set", "standby", MT_ACT_NAMES,
	    given_mode(MT_SYNC_ON, 2);
	    given_log("23", 2));
	EXPECT(wants("3", 1), "the other");
	ROW(given_standby(), "has them", "standby", MT_ACT_NONE,
	    given_mode(MT_SYNC_ON, 2);
	    given_log("23", 2); given_names("3", 1));
	ROW(given_standby(), "the set has changed", "standby", MT_ACT_NAMES,
	    given_mode(MT_SYNC_ON, 1);
	    given_log("2", 1); given_names("3", 1));
	EXPECT(wants("", 0), "none");
	ROW(given_standby(), "who to follow comes first", "standby",
	    MT_ACT_FOLLOW, given_mode(MT_SYNC_ON, 2);
	    given_log("23", 2); local()->upstream[0] = '\0');
	ROW(given_standby(), "failed a moment ago", "standby", MT_ACT_NONE,
	    given_mode(MT_SYNC_ON, 2);
	    given_log("23", 2); local()->last_job = MT_JOB_NAMES;
	    local()->last_job_failed = true; local()->failures = 1;
	    local()->last_job_ms = NOW - 10);
	ROW(given_standby(), "no mode", "standby", MT_ACT_NONE,
	    given_mode(MT_SYNC_OFF, 1));
}
END_TEST

/* ---- data that counts --------------------------------------------------- */

static void
given_diverged(void)
{
	given_standby_down();
	local()->checkpoint = position(TIMELINE + 1, LSN);
	given_mode(MT_SYNC_ON, 1);
	w.settings.use_pg_rewind = true;
}

START_TEST(nothing_is_rewound_while_the_log_counts_on_it)
{
	/* What is to be thrown away is named first: rejoin.put. */
	ROW(given_diverged(), "no set", "standby", MT_ACT_PROPOSE, );
	ROW(given_diverged(), "in the set", "standby", MT_ACT_NONE,
	    given_log("23", 1));
	EXPECT_WHY("waiting to be taken out of the synchronous set");
	ROW(given_diverged(), "the set has another", "standby", MT_ACT_PROPOSE,
	    given_log("3", 1));
	ROW(given_diverged(), "the set speaks of other data", "standby",
	    MT_ACT_PROPOSE, given_log("23", 1);
	    local()->data_id++);
	ROW(given_diverged(), "nor is it removed", "standby", MT_ACT_NONE,
	    given_log("23", 1);
	    w.settings.use_pg_rewind = false;
	    w.settings.remove_data_directory_on_diverged_timelines = true);
	ROW(given_diverged(), "nor after a rewind that failed", "standby",
	    MT_ACT_NONE, given_log("23", 1);
	    local()->last_job = MT_JOB_REWIND; local()->last_job_failed = true;
	    w.settings.remove_data_directory_on_rewind_failure = true);
}
END_TEST

/* ---- a daemon that ends ------------------------------------------------- */

static void
given_ending(void)
{
	given_standby();
	given_mode(MT_SYNC_ON, 1);
	given_log("2", 1);
	w.settings.loop_wait_ms = 10000;
	local()->stopping = true;
	local()->stopping_ms = NOW - 100;
}

START_TEST(a_standby_leaves_the_set_before_it_is_stopped)
{
	ROW(given_ending(), "in the set", "leaving-set", MT_ACT_NONE, );
	EXPECT_WHY("waiting to be taken out of the synchronous set");
	EXPECT(w_plan.look_again_ms == NOW - 100 + 20000, "for so long");
	EXPECT(!w_plan.cancel, "nothing is ended for it");
	ROW(given_ending(), "in the end", "stopping", MT_ACT_STOP_FAST,
	    local()->stopping_ms = NOW - 20000);
	ROW(given_ending(), "out of it", "stopping", MT_ACT_STOP_FAST,
	    given_log("3", 1));
	ROW(given_ending(), "the primary does not know it yet", "leaving-set",
	    MT_ACT_NONE, given_log("3", 1);
	    report_of(1)->applied = INDEX - 1);
	ROW(given_ending(), "there is no set", "stopping", MT_ACT_STOP_FAST,
	    given_log("", 0);
	    report_of(1)->applied = INDEX - 1);
	ROW(given_ending(), "the set speaks of other data", "stopping",
	    MT_ACT_STOP_FAST, local()->data_id++);
	ROW(given_ending(), "the only one of strict mode", "stopping",
	    MT_ACT_STOP_FAST, w.settings.synchronous_mode_strict = true;
	    given_silence(3));
	ROW(given_ending(), "one of two", "leaving-set", MT_ACT_NONE,
	    w.settings.synchronous_mode_strict = true);
	ROW(given_ending(), "paused: it is left alone", "leave", MT_ACT_EXIT,
	    w.settings.pause = true);
	ROW(given_ending(), "it stops already", "stopping", MT_ACT_STOP_FAST,
	    local()->job = MT_JOB_STOP);
	ROW(given_ending(), "it is down", "exit", MT_ACT_EXIT,
	    local()->running = local()->guarded = false);
}
END_TEST

START_TEST(nobody_is_waited_for_who_cannot_change_the_set)
{
	ROW(given_ending(), "released", "stopping", MT_ACT_STOP_FAST,
	    w.state.leader.released = true);
	ROW(given_ending(), "its own turn", "stopping", MT_ACT_STOP_FAST,
	    mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2"));
	ROW(given_ending(), "fenced", "stopping", MT_ACT_STOP_FAST,
	    local()->record.fenced = EPOCH);
	ROW(given_ending(), "silent", "stopping", MT_ACT_STOP_FAST,
	    given_silence(1));
	ROW(given_ending(), "gone", "stopping", MT_ACT_STOP_FAST,
	    seen_of(1)->gone = true);
	ROW(given_ending(), "not serving", "stopping", MT_ACT_STOP_FAST,
	    report_of(1)->serving = false);
	ROW(given_ending(), "it could not see it", "stopping", MT_ACT_STOP_FAST,
	    w.state.unknown_command = 9);
	ROW(given_ending(), "an election, maybe", "leaving-set", MT_ACT_NONE,
	    local()->state_current = false);
	EXPECT(w_plan.look_again_ms == NOW - 100 + 2000, "it is over soon");
	ROW(given_ending(), "no quorum", "stopping", MT_ACT_STOP_FAST,
	    local()->state_current = false;
	    local()->stopping_ms = NOW - 2000);
}
END_TEST

/* ---- the fence ---------------------------------------------------------- */

static void
given_fenced(void)
{
	given_standby();
	given_mode(MT_SYNC_ON, 1);
	given_log("23", 1);
	given_names("3", 1);
	local()->record.fenced = EPOCH;
}

START_TEST(under_a_fence_streaming_ends)
{
	ROW(given_fenced(), "fenced", "standby", MT_ACT_FENCE, );
	EXPECT(w_plan.epoch == EPOCH, "for that epoch");
	ROW(given_fenced(), "an older end does not count", "standby",
	    MT_ACT_FENCE, local()->stopped = EPOCH - 1);
	ROW(given_fenced(), "it has ended", "standby", MT_ACT_NONE,
	    local()->stopped = EPOCH);
	ROW(given_fenced(), "released", "standby", MT_ACT_FENCE,
	    w.state.leader.released = true);
	ROW(given_fenced(), "an older epoch", "standby", MT_ACT_NONE,
	    local()->record.fenced = EPOCH - 1);
	ROW(given_fenced(), "no synchronous mode", "standby", MT_ACT_NONE,
	    given_log("", 0);
	    given_names("", 0));
	ROW(given_fenced(), "it does not answer", "standby", MT_ACT_NONE,
	    local()->accepting = false);
	ROW(given_fenced(), "it failed a moment ago", "standby", MT_ACT_NONE,
	    local()->last_job = MT_JOB_FENCE;
	    local()->last_job_failed = true; local()->failures = 1;
	    local()->last_job_ms = NOW - 10);
	ROW(given_fenced(), "one job at a time", "standby", MT_ACT_NONE,
	    local()->job = MT_JOB_NAMES);
}
END_TEST

START_TEST(a_fenced_epoch_is_never_followed_again)
{
	ROW(given_fenced(), "another upstream", "standby", MT_ACT_NONE,
	    local()->stopped = EPOCH;
	    local()->upstream[0] = '\0');
	ROW(given_fenced(), "of no synchronous set", "standby", MT_ACT_NONE,
	    given_log("", 0);
	    given_names("", 0); local()->upstream[0] = '\0');
	ROW(given_no_data(2), "nor cloned", "standby", MT_ACT_NONE,
	    local()->record.fenced = EPOCH);
	ROW(given_standby_down(), "nor started after", "standby",
	    MT_ACT_START_STANDBY, local()->record.fenced = EPOCH);
	EXPECT(w_plan.member[0] == '\0', "it follows nobody");
	ROW(given_fenced(), "the next epoch is", "standby", MT_ACT_FOLLOW,
	    local()->stopped = EPOCH;
	    w.state.leader.epoch = EPOCH + 1; local()->upstream[0] = '\0');
	EXPECT(strcmp(w_plan.member, "node1") == 0, "its holder");
}
END_TEST

int
main(void)
{
	RUN_TESTS("agent_sync_standby",
		  a_standby_of_the_set_has_names_before_it_is_promoted,
		  without_support_nothing_is_begun_under_a_lease,
		  standbys_have_their_names_ahead,
		  nothing_is_rewound_while_the_log_counts_on_it,
		  a_standby_leaves_the_set_before_it_is_stopped,
		  nobody_is_waited_for_who_cannot_change_the_set,
		  under_a_fence_streaming_ends,
		  a_fenced_epoch_is_never_followed_again);
}
