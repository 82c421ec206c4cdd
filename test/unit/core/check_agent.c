/* SPDX-License-Identifier: PostgreSQL */
/*
 * The agent's table: each rule from one side and the other, and the pairs whose
 * order is the safety argument.
 */
#include "core/agent.h"

#include "decide.h"
#include "given_sync.h"
#include "test/unit/run.h"

START_TEST(a_witness_does_nothing_but_end)
{
	ROW(given_cluster(1), "witness in peace", "witness", MT_ACT_NONE,
	    local()->witness = true);
	ROW(given_cluster(1), "witness asked to end", "witness", MT_ACT_EXIT,
	    local()->witness = local()->stopping = true);
	ROW(given_standby(), "no witness", "standby", MT_ACT_NONE, );
}
END_TEST

START_TEST(a_server_without_a_sentinel_is_ended)
{
	ROW(given_primary(), "primary", "unguarded", MT_ACT_STOP_IMMEDIATE,
	    local()->guarded = false);
	EXPECT(w_plan.cancel, "a job under way ends");
	ROW(given_standby(), "standby", "unguarded", MT_ACT_STOP_FAST,
	    local()->guarded = false);
	ROW(given_primary(), "even where fencing is off: somebody must stop it",
	    "unguarded", MT_ACT_STOP_IMMEDIATE,
	    local()->guarded = local()->fencing = false);
	ROW(given_standby_down(), "nothing runs", "standby",
	    MT_ACT_START_STANDBY, );
}
END_TEST

START_TEST(a_primary_whose_lease_ran_out_is_ended_at_once)
{
	ROW(given_primary(), "one ms too late", "lease-lapsed",
	    MT_ACT_STOP_IMMEDIATE, local()->deadline_ms = NOW - 1);
	ROW(given_primary(), "at the deadline", "lease-lapsed",
	    MT_ACT_STOP_IMMEDIATE, local()->deadline_ms = NOW);
	EXPECT(w_plan.cancel, "a job under way ends");
	ROW(given_primary(), "never had one", "lease-lapsed",
	    MT_ACT_STOP_IMMEDIATE, local()->deadline_ms = 0);
	ROW(given_primary(), "one ms before", "lease-ending", MT_ACT_STOP_FAST,
	    local()->deadline_ms = NOW + 1);
	ROW(given_standby(), "a standby needs none", "standby", MT_ACT_NONE,
	    local()->deadline_ms = 0);
}
END_TEST

START_TEST(the_fast_stop_begins_a_quarter_of_the_ttl_before_the_end)
{
	ROW(given_primary(), "at it", "lease-ending", MT_ACT_STOP_FAST,
	    local()->deadline_ms = NOW + TTL_MS / 4);
	EXPECT(w_plan.cancel, "it ends the job");
	EXPECT(w_plan.look_again_ms == NOW + TTL_MS / 4, "then at once");
	ROW(given_primary(), "the stop is not cancelled by itself",
	    "lease-ending", MT_ACT_STOP_FAST, local()->deadline_ms = NOW + 100;
	    local()->job = MT_JOB_STOP);
	EXPECT(!w_plan.cancel, "the stop goes on");
	ROW(given_primary(), "just before it", "turn", MT_ACT_NONE,
	    local()->deadline_ms = NOW + TTL_MS / 4 + 1);
	EXPECT(w_plan.look_again_ms == NOW + 1, "it will look in time");
}
END_TEST

START_TEST(a_daemon_that_ends_stops_its_server_first)
{
	ROW(given_primary(), "primary", "stopping", MT_ACT_STOP_FAST,
	    local()->stopping = true);
	EXPECT(w_plan.cancel, "a job under way ends");
	ROW(given_standby(), "standby", "stopping", MT_ACT_STOP_FAST,
	    local()->stopping = true;
	    local()->job = MT_JOB_STOP);
	EXPECT(!w_plan.cancel, "the stop goes on");
	ROW(given_standby_down(), "no server: it ends", "exit", MT_ACT_EXIT,
	    local()->stopping = true);
	ROW(given_standby_down(), "one may run that was not found yet",
	    "standby", MT_ACT_NONE, local()->stopping = true;
	    local()->stopping_ms = NOW; local()->data = MT_DATA_UNKNOWN);
	ROW(given_standby_down(), "that is not awaited for ever", "exit",
	    MT_ACT_EXIT, local()->stopping = true;
	    local()->stopping_ms = NOW - 8001; local()->data = MT_DATA_UNKNOWN);
	ROW(given_primary_down(), "holder: gives up first", "turn",
	    MT_ACT_GIVE_UP, local()->stopping = true;
	    local()->stopping_ms = NOW - 100);
	ROW(given_primary_down(), "then releases", "release", MT_ACT_PROPOSE,
	    local()->stopping = true;
	    local()->stopping_ms = NOW - 100; local()->record.given_up = EPOCH);
	ROW(given_primary_down(), "then ends", "exit", MT_ACT_EXIT,
	    local()->stopping = true;
	    local()->stopping_ms = NOW - 100; local()->record.given_up = EPOCH;
	    w.state.leader.released = true);
	ROW(given_primary_down(), "a release that no majority takes", "exit",
	    MT_ACT_EXIT, local()->stopping = true;
	    local()->stopping_ms = NOW - 60000;
	    local()->last_job_ms = NOW - 8001;
	    local()->record.given_up = EPOCH);
	ROW(given_primary_down(), "counted from the end of the stop", "release",
	    MT_ACT_PROPOSE, local()->stopping = true;
	    local()->stopping_ms = NOW - 60000;
	    local()->last_job_ms = NOW - 8000;
	    local()->record.given_up = EPOCH);
}
END_TEST

START_TEST(nothing_is_begun_while_the_server_is_being_stopped)
{
	ROW(given_primary(), "primary", "being-stopped", MT_ACT_NONE,
	    local()->job = MT_JOB_STOP);
	EXPECT(w_plan.look_again_ms == local()->deadline_ms,
	       "the deadline holds");
	ROW(given_standby(), "standby", "being-stopped", MT_ACT_NONE,
	    local()->job = MT_JOB_STOP);
	EXPECT(w_plan.look_again_ms == 0, "nothing to look for");
}
END_TEST

/* A synchronous primary that is being stopped for as long as it may. */
static void
given_slow_stop(void)
{
	given_primary();
	given_log("23", 1);
	w.settings.synchronous_mode = MT_SYNC_QUORUM;
	w.settings.primary_stop_timeout_ms = 7000;
	local()->job = MT_JOB_STOP;
	local()->job_since_ms = NOW - 7000;
}

START_TEST(a_synchronous_primary_stops_in_time)
{
	ROW(given_slow_stop(), "it takes as long", "stop-overdue",
	    MT_ACT_STOP_IMMEDIATE, );
	EXPECT_WHY("7 s");
	EXPECT(!w_plan.cancel, "the stop goes on, harder");
	ROW(given_slow_stop(), "not yet", "being-stopped", MT_ACT_NONE,
	    local()->job_since_ms = NOW - 6999);
	EXPECT(w_plan.look_again_ms == NOW + 1, "it will look in time");
	ROW(given_slow_stop(), "for the end of the daemon, too", "stop-overdue",
	    MT_ACT_STOP_IMMEDIATE, local()->stopping = true);
	ROW(given_slow_stop(), "and not yet", "stopping", MT_ACT_STOP_FAST,
	    local()->stopping = true;
	    local()->job_since_ms = NOW - 6999);
	EXPECT(w_plan.look_again_ms == NOW + 1, "it will look in time");
	ROW(given_slow_stop(), "no limit", "being-stopped", MT_ACT_NONE,
	    w.settings.primary_stop_timeout_ms = 0);
	ROW(given_slow_stop(), "the standbys may lack something",
	    "being-stopped", MT_ACT_NONE,
	    w.settings.synchronous_mode = MT_SYNC_OFF);
	ROW(given_slow_stop(), "no set stands yet", "being-stopped",
	    MT_ACT_NONE, given_log("", 0));
	ROW(given_slow_stop(), "another job", "turn", MT_ACT_NONE,
	    local()->job = MT_JOB_CHECKPOINT);
	ROW(given_standby(), "a standby", "being-stopped", MT_ACT_NONE,
	    w.settings.primary_stop_timeout_ms = 7000;
	    w.settings.synchronous_mode = MT_SYNC_ON; given_log("13", 1);
	    local()->job = MT_JOB_STOP; local()->job_since_ms = NOW - 60000);
}
END_TEST

START_TEST(an_old_state_decides_nothing)
{
	ROW(given_standby_down(), "not up to date", "state-unknown",
	    MT_ACT_NONE, local()->state_current = false);
	ROW(given_standby_down(), "a command that is not known",
	    "state-unknown", MT_ACT_NONE, w.state.unknown_command = 2);
	EXPECT_WHY("upgrade");
	ROW(given_standby_down(), "a fence is newer", "state-unknown",
	    MT_ACT_NONE, local()->record.fenced = EPOCH + 1);
	ROW(given_standby_down(), "a give-up is newer", "state-unknown",
	    MT_ACT_NONE, local()->record.given_up = EPOCH + 1);
	ROW(given_standby_down(), "the data is of a newer epoch",
	    "state-unknown", MT_ACT_NONE, local()->record.data_id = DATA_ID;
	    local()->record.pg_epoch = EPOCH + 1);
	ROW(given_standby_down(), "a fence of this epoch", "standby",
	    MT_ACT_START_STANDBY, local()->record.fenced = EPOCH);
	ROW(given_primary(), "a primary is watched meanwhile", "state-unknown",
	    MT_ACT_NONE, local()->state_current = false);
	EXPECT(w_plan.look_again_ms == local()->deadline_ms - TTL_MS / 4,
	       "until its lease ends");
}
END_TEST

START_TEST(a_bootstrap_that_came_too_late_is_discarded)
{
	ROW(given_bootstrapped(), "the claim is another's", "bootstrap-lost",
	    MT_ACT_DISCARD, given_claim(2));
	ROW(given_bootstrapped(), "the claim was withdrawn", "bootstrap-lost",
	    MT_ACT_DISCARD, );
	ROW(given_initialized(), "another has initialized it", "bootstrap-lost",
	    MT_ACT_DISCARD,
	    mt_copy(local()->sysid, MT_SYSID_MAX, "7300000000000000002"));
	ROW(given_bootstrapped(), "one job at a time", "bootstrap", MT_ACT_NONE,
	    given_claim(2);
	    local()->job = MT_JOB_DISCARD);
	ROW(given_initialized(), "it is ours", "turn", MT_ACT_TAKE_EPOCH, );
	/* Its own command may be under way yet. */
	ROW(given_bootstrapped(), "the claim of an earlier life", "bootstrap",
	    MT_ACT_NONE, given_claim(1);
	    w.state.claim.incarnation = 9);
	ROW(given_bootstrapped(), "whose data it is is not known", "bootstrap",
	    MT_ACT_NONE, given_claim(2);
	    local()->sysid[0] = '\0');
	ROW(given_initialized(), "not while it runs", "other-cluster",
	    MT_ACT_REFUSE,
	    mt_copy(local()->sysid, MT_SYSID_MAX, "7300000000000000002");
	    local()->running = local()->guarded = true);
	ROW(given_initialized(), "never what was not bootstrapped here",
	    "other-cluster", MT_ACT_REFUSE, local()->bootstrapped = false;
	    mt_copy(local()->sysid, MT_SYSID_MAX, "7300000000000000002"));
}
END_TEST

START_TEST(only_the_claimant_initializes_the_cluster)
{
	ROW(given_new_cluster(1), "nobody yet", "bootstrap", MT_ACT_NONE, );
	ROW(given_new_cluster(1), "another", "bootstrap", MT_ACT_NONE,
	    given_claim(2));
	EXPECT_WHY("node2");
	ROW(given_new_cluster(1), "it does", "bootstrap", MT_ACT_BOOTSTRAP,
	    given_claim(1));
	ROW(given_new_cluster(1), "of an earlier life", "bootstrap",
	    MT_ACT_NONE, given_claim(1);
	    w.state.claim.incarnation = 9);
	ROW(given_new_cluster(1), "at it", "bootstrap", MT_ACT_NONE,
	    given_claim(1);
	    local()->job = MT_JOB_BOOTSTRAP);
	EXPECT_WHY("bootstrap");
	ROW(given_new_cluster(1), "what a try left is removed", "bootstrap",
	    MT_ACT_DISCARD, given_claim(1);
	    local()->data = MT_DATA_PARTIAL);
	ROW(given_new_cluster(1), "removed even without a claim", "bootstrap",
	    MT_ACT_DISCARD, local()->data = MT_DATA_PARTIAL);
	ROW(given_new_cluster(1), "data of somebody's stays", "bootstrap",
	    MT_ACT_NONE, given_claim(1);
	    local()->data = MT_DATA_FOREIGN);
	ROW(given_new_cluster(1), "a cluster of somebody's stays", "bootstrap",
	    MT_ACT_NONE, given_claim(1);
	    local()->data = MT_DATA_PRESENT);
	ROW(given_new_cluster(1), "without the section it cannot", "bootstrap",
	    MT_ACT_NONE, given_claim(1);
	    local()->can_bootstrap = false);
}
END_TEST

START_TEST(a_bootstrapped_directory_is_proposed_with_its_settings)
{
	json_t *config = json_pack("{s:i,s:i}", "ttl", 8, "loop_wait", 10);

	ROW(given_bootstrapped(), "done", "bootstrap", MT_ACT_PROPOSE,
	    given_claim(1);
	    w.view.bootstrap_config = config);
	EXPECT(w_plan.command.kind == MT_CMD_CLUSTER_INITIALIZE, "command");
	EXPECT(strcmp(w_plan.command.u.initialize.claim.member, "node1") == 0,
	       "claimant");
	EXPECT(w_plan.command.u.initialize.claim.incarnation == 10,
	       "incarnation");
	EXPECT(strcmp(w_plan.command.u.initialize.sysid, SYSID) == 0, "sysid");
	EXPECT(w_plan.command.u.initialize.ttl_ms == 8000, "ttl");
	EXPECT(w_plan.command.u.initialize.at_ms == WALL, "time");
	EXPECT(w_plan.command.u.initialize.config == config, "document");
	json_decref(config);
}
END_TEST

START_TEST(the_data_of_another_cluster_is_refused)
{
	ROW(given_standby_down(), "another", "other-cluster", MT_ACT_REFUSE,
	    mt_copy(local()->sysid, MT_SYSID_MAX, "7300000000000000002"));
	EXPECT_WHY("7300000000000000002");
	EXPECT_WHY(SYSID);
	ROW(given_standby_down(), "not read yet", "standby",
	    MT_ACT_START_STANDBY, local()->sysid[0] = '\0');
	ROW(given_no_data(2), "no data", "standby", MT_ACT_CLONE,
	    mt_copy(local()->sysid, MT_SYSID_MAX, "7300000000000000002"));
}
END_TEST

START_TEST(a_primary_out_of_turn_is_ended_at_once)
{
	ROW(given_primary(), "the turn is another's", "deposed",
	    MT_ACT_STOP_IMMEDIATE,
	    mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2"));
	EXPECT(w_plan.cancel, "a job under way ends");
	EXPECT_WHY("node2");
	ROW(given_primary(), "released", "deposed", MT_ACT_STOP_IMMEDIATE,
	    w.state.leader.released = true);
	ROW(given_primary(), "given up", "deposed", MT_ACT_STOP_IMMEDIATE,
	    local()->record.given_up = EPOCH);
	ROW(given_primary(), "its data is of an older turn", "deposed",
	    MT_ACT_STOP_IMMEDIATE, local()->record.pg_epoch = EPOCH - 1);
	ROW(given_primary(), "assigned anew, but not continued", "deposed",
	    MT_ACT_STOP_IMMEDIATE,
	    w.state.leader.epoch = w.state.leader.since = EPOCH + 1);
	ROW(given_primary(), "data that the record does not know", "deposed",
	    MT_ACT_STOP_IMMEDIATE, local()->data_id = DATA_ID + 1);
	ROW(given_primary(), "data without an id", "deposed",
	    MT_ACT_STOP_IMMEDIATE,
	    local()->data_id = local()->record.data_id = 0);
	ROW(given_primary(), "continued: it takes the new epoch", "turn",
	    MT_ACT_TAKE_EPOCH, w.state.leader.epoch = EPOCH + 1);
	ROW(given_primary(), "continued twice", "turn", MT_ACT_TAKE_EPOCH,
	    w.state.leader.epoch = EPOCH + 2);
	EXPECT(w_plan.epoch == EPOCH + 2, "the newest");
}
END_TEST

/* Each row is a world in which two rules match: the first must win. */
START_TEST(the_order_of_the_rules_holds)
{
	ROW(given_primary(), "no sentinel before lapsed", "unguarded",
	    MT_ACT_STOP_IMMEDIATE, local()->guarded = false;
	    local()->deadline_ms = 0);
	ROW(given_primary(), "lapsed before the end of the daemon",
	    "lease-lapsed", MT_ACT_STOP_IMMEDIATE, local()->deadline_ms = NOW;
	    local()->stopping = true);
	ROW(given_primary(), "lapsed before a stop under way", "lease-lapsed",
	    MT_ACT_STOP_IMMEDIATE, local()->deadline_ms = NOW;
	    local()->job = MT_JOB_STOP);
	ROW(given_primary(), "lapsed before an old state", "lease-lapsed",
	    MT_ACT_STOP_IMMEDIATE, local()->deadline_ms = NOW;
	    local()->state_current = false);
	ROW(given_primary(), "lapsed before an unknown command", "lease-lapsed",
	    MT_ACT_STOP_IMMEDIATE, local()->deadline_ms = NOW;
	    w.state.unknown_command = 2);
	ROW(given_primary(), "lapsed before another cluster", "lease-lapsed",
	    MT_ACT_STOP_IMMEDIATE, local()->deadline_ms = NOW;
	    mt_copy(w.state.sysid, MT_SYSID_MAX, "1"));
	ROW(given_primary(), "lapsed before deposed", "lease-lapsed",
	    MT_ACT_STOP_IMMEDIATE, local()->deadline_ms = NOW;
	    w.state.leader.released = true);
	ROW(given_primary(), "lapsed before everything of the turn",
	    "lease-lapsed", MT_ACT_STOP_IMMEDIATE, local()->deadline_ms = NOW;
	    w.state.leader.epoch++; local()->slots_ready = false);
	ROW(given_primary(), "ending before an old state", "lease-ending",
	    MT_ACT_STOP_FAST, local()->deadline_ms = NOW + 1;
	    local()->state_current = false);
	ROW(given_primary(), "the daemon's end before an old state", "stopping",
	    MT_ACT_STOP_FAST, local()->stopping = true;
	    local()->state_current = false);
	ROW(given_primary(), "an old state before deposed", "state-unknown",
	    MT_ACT_NONE, local()->state_current = false;
	    w.state.leader.released = true);
	ROW(given_primary(), "deposed before the release", "deposed",
	    MT_ACT_STOP_IMMEDIATE, local()->record.given_up = EPOCH);
	ROW(given_primary_down(), "given up before released", "turn",
	    MT_ACT_GIVE_UP, );
	ROW(given_supported(), "epoch taken before promoted", "turn",
	    MT_ACT_TAKE_EPOCH, );
}
END_TEST

START_TEST(only_an_armed_primary_or_a_fit_standby_asks_for_support)
{
	ASKS(given_primary(), "primary", true, );
	ASKS(given_primary(), "witness", false, local()->witness = true);
	ASKS(given_primary(), "lapsed", false, local()->deadline_ms = NOW);
	ASKS(given_primary(), "no sentinel", false, local()->guarded = false);
	ASKS(given_primary(), "epoch not taken yet", false,
	     w.state.leader.epoch++);
	ASKS(given_primary(), "given up", false,
	     local()->record.given_up = EPOCH);
	ASKS(given_primary(), "released", false,
	     w.state.leader.released = true);
	ASKS(given_primary(), "not the holder", false,
	     mt_copy(w.state.leader.holder, MT_NAME_MAX, "node3"));
	ASKS(given_primary(), "unknown data", false, local()->data_id++);
	ASKS(given_primary(), "unknown command", false,
	     w.state.unknown_command = 2);
	ASKS(given_primary(), "while it is being stopped in time", true,
	     local()->job = MT_JOB_STOP;
	     local()->stopping = true);
	ASKS(given_chosen(), "fit standby", true, );
	ASKS(given_chosen(), "behind", false, local()->at.lsn = LSN - 1);
	ASKS(given_chosen(), "behind by the timeline", false,
	     local()->at.timeline = TIMELINE - 1);
	ASKS(given_chosen(), "no sentinel", false, local()->guarded = false);
	ASKS(given_chosen(), "not accepting", false,
	     local()->accepting = false);
	ASKS(given_chosen(), "no position", false,
	     local()->at = position(0, 0));
	ASKS(given_primary_down(), "stopped on purpose", false, );
	ASKS(given_primary_died(), "died in its lease", true, );
	ASKS(given_primary_died(), "died, lease over", false,
	     local()->deadline_ms = NOW);
	ASKS(given_primary_died(), "died before its promotion ended", false,
	     local()->control = MT_CONTROL_RECOVERY);
	ASKS(given_primary_died(), "died, hands over at once", false,
	     w.settings.primary_start_timeout_ms = 0);
	ASKS(given_initialized(), "first start, epoch not taken", false, );
	ASKS(given_initialized(), "first start", true,
	     local()->record.data_id = DATA_ID;
	     local()->record.pg_epoch = 1);
	ASKS(given_primary_down(), "data not present", false,
	     local()->data = MT_DATA_PARTIAL);
}
END_TEST

START_TEST(a_primary_that_does_not_answer_in_time_is_ended)
{
	ROW(given_primary(), "answers", "turn", MT_ACT_NONE, );
	ROW(given_primary(), "not for long", "turn", MT_ACT_NONE,
	    local()->unanswered_ms = NOW - 9999);
	ROW(given_primary(), "for 10 s", "hung", MT_ACT_STOP_IMMEDIATE,
	    local()->unanswered_ms = NOW - 10000);
	EXPECT(w_plan.hung && w_plan.cancel, "for that reason");
	EXPECT_WHY("has not answered a connection for 10 s");
	ROW(given_primary(), "its volume", "hung", MT_ACT_STOP_IMMEDIATE,
	    local()->unanswered_ms = NOW - 10000;
	    local()->volume_hangs = true);
	EXPECT_WHY("data volume");
	ROW(given_primary(), "switched off", "turn", MT_ACT_NONE,
	    local()->unanswered_ms = NOW - 100000;
	    w.settings.primary_hang_timeout_ms = 0);
	ROW(given_primary(), "paused", "turn", MT_ACT_PROPOSE,
	    local()->unanswered_ms = NOW - 100000;
	    w.settings.pause = true);
	ROW(given_standby(), "a standby", "standby", MT_ACT_NONE,
	    local()->unanswered_ms = NOW - 100000);
	ROW(given_primary(), "its fast stop hangs", "hung",
	    MT_ACT_STOP_IMMEDIATE, local()->unanswered_ms = NOW - 10000;
	    local()->job = MT_JOB_STOP);
	ROW(given_primary(), "the daemon ends", "hung", MT_ACT_STOP_IMMEDIATE,
	    local()->unanswered_ms = NOW - 10000;
	    local()->stopping = true);
	ROW(given_primary(), "a lost session is no hang", "turn", MT_ACT_NONE,
	    local()->accepting = false);
}
END_TEST

START_TEST(what_hangs_and_cannot_be_ended_loses_its_lease)
{
	ASKS(given_primary(), "well", true, );
	ASKS(given_primary(), "being ended", false, local()->hung = true);
}
END_TEST

START_TEST(the_rules_are_named_in_order)
{
	static const char *const want[] = {
	    "witness",        "unguarded", "lease-lapsed",  "lease-ending",
	    "leave",          "hung",      "stop-overdue",  "leaving-set",
	    "stopping",       "exit",      "being-stopped", "state-unknown",
	    "bootstrap-lost", "bootstrap", "other-cluster", "deposed",
	    "errand",         "turn",      "release",       "paused",
	    "standby",
	};
	const char *const *have = mt_agent_rules();

	for (size_t i = 0; i < MT_COUNT(want); i++)
		ck_assert_str_eq(have[i], want[i]);
	ck_assert_ptr_null(have[MT_COUNT(want)]);
}
END_TEST

START_TEST(the_same_view_gives_the_same_plan)
{
	struct mt_plan first;

	given_supported();
	decide();
	first = w_plan;
	decide();
	ck_assert_mem_eq(&first, &w_plan, sizeof(first));
}
END_TEST

START_TEST(every_job_has_a_name)
{
	ck_assert_str_eq(mt_job_name(MT_JOB_NONE), "");
	for (int job = MT_JOB_BOOTSTRAP; job <= MT_JOB_DISCARD; job++) {
		ck_assert_str_ne(mt_job_name((enum mt_job)job), "");
		ck_assert_str_ne(mt_job_name((enum mt_job)job), "unknown");
	}
	ck_assert_str_eq(mt_job_name((enum mt_job)99), "unknown");
}
END_TEST

int
main(void)
{
	RUN_TESTS("agent", a_witness_does_nothing_but_end,
		  a_server_without_a_sentinel_is_ended,
		  a_primary_whose_lease_ran_out_is_ended_at_once,
		  the_fast_stop_begins_a_quarter_of_the_ttl_before_the_end,
		  a_daemon_that_ends_stops_its_server_first,
		  nothing_is_begun_while_the_server_is_being_stopped,
		  a_synchronous_primary_stops_in_time,
		  an_old_state_decides_nothing,
		  a_primary_that_does_not_answer_in_time_is_ended,
		  what_hangs_and_cannot_be_ended_loses_its_lease,
		  a_bootstrap_that_came_too_late_is_discarded,
		  only_the_claimant_initializes_the_cluster,
		  a_bootstrapped_directory_is_proposed_with_its_settings,
		  the_data_of_another_cluster_is_refused,
		  a_primary_out_of_turn_is_ended_at_once,
		  the_order_of_the_rules_holds,
		  only_an_armed_primary_or_a_fit_standby_asks_for_support,
		  the_rules_are_named_in_order,
		  the_same_view_gives_the_same_plan, every_job_has_a_name);
}
