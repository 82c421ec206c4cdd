/* SPDX-License-Identifier: PostgreSQL */
/*
 * The holder's turn: every row of its tables, from the standby that was chosen
 * to the release.
 */
#include "core/agent.h"

#include "decide.h"
#include "test/unit/run.h"

#define FIT_WITHIN_MS 15000
#define PROMOTE_WITHIN_MS 60000

START_TEST(a_chosen_standby_that_is_not_fit_waits_and_then_gives_up)
{
	ROW(given_chosen(), "position unknown", "turn", MT_ACT_NONE,
	    local()->at = position(0, 0));
	EXPECT(w_plan.look_again_ms == local()->turn_ms + FIT_WITHIN_MS + 1,
	       "not for ever");
	ROW(given_chosen(), "not accepting", "turn", MT_ACT_NONE,
	    local()->accepting = false);
	ROW(given_chosen(), "not accepting for too long", "turn",
	    MT_ACT_GIVE_UP, local()->accepting = false;
	    local()->turn_ms = NOW - FIT_WITHIN_MS - 1);
	EXPECT(w_plan.epoch == EPOCH, "this epoch");
	ROW(given_chosen(), "just in time", "turn", MT_ACT_NONE,
	    local()->accepting = false;
	    local()->turn_ms = NOW - FIT_WITHIN_MS);
	ROW(given_chosen(), "behind by a byte", "turn", MT_ACT_GIVE_UP,
	    local()->at.lsn = LSN - 1);
	ROW(given_chosen(), "behind by a timeline, whatever the LSN", "turn",
	    MT_ACT_GIVE_UP, local()->at = position(TIMELINE - 1, LSN * 2));
	ROW(given_chosen(), "further than demanded", "turn", MT_ACT_NONE,
	    local()->at.lsn = LSN + 1);
	EXPECT_WHY("support");
	ROW(given_chosen(), "on a newer timeline", "turn", MT_ACT_NONE,
	    local()->at = position(TIMELINE + 1, 1));
	EXPECT_WHY("support");
	ROW(given_chosen(), "a job under way", "turn", MT_ACT_NONE,
	    local()->job = MT_JOB_FOLLOW;
	    local()->at.lsn = LSN - 1);
}
END_TEST

START_TEST(a_chosen_standby_is_promoted_only_with_support)
{
	ROW(given_chosen(), "none yet", "turn", MT_ACT_NONE, );
	EXPECT_WHY("majority");
	EXPECT(w_plan.look_again_ms == local()->turn_ms + FIT_WITHIN_MS + 1,
	       "not for ever");
	ROW(given_chosen(), "none in time", "turn", MT_ACT_GIVE_UP,
	    local()->turn_ms = NOW - FIT_WITHIN_MS - 1);
	EXPECT_WHY("support");
	ROW(given_supported(), "too little left", "turn", MT_ACT_NONE,
	    local()->deadline_ms = NOW + TTL_MS / 4);
	ROW(given_supported(), "epoch first", "turn", MT_ACT_TAKE_EPOCH, );
	EXPECT(w_plan.epoch == EPOCH, "this epoch");
	ROW(given_supported(), "a record of older data", "turn",
	    MT_ACT_TAKE_EPOCH, local()->record.data_id = DATA_ID + 1;
	    local()->record.pg_epoch = EPOCH);
	ROW(given_supported(), "a record of an older epoch", "turn",
	    MT_ACT_TAKE_EPOCH, local()->record.data_id = DATA_ID;
	    local()->record.pg_epoch = EPOCH - 1);
	ROW(given_supported(), "then promote", "turn", MT_ACT_PROMOTE,
	    local()->record.data_id = DATA_ID;
	    local()->record.pg_epoch = EPOCH);
	EXPECT(w_plan.timeline == TIMELINE + 1, "to the turn's timeline");
	ROW(given_supported(), "support is no right of one that is behind",
	    "turn", MT_ACT_GIVE_UP, local()->at.lsn = LSN - 1);
}
END_TEST

START_TEST(what_is_given_up_does_not_come_back)
{
	ROW(given_supported(), "given up as a standby", "release",
	    MT_ACT_PROPOSE, local()->record.given_up = EPOCH);
	ROW(given_primary_died(), "given up as a primary", "release",
	    MT_ACT_PROPOSE, local()->record.given_up = EPOCH);
	ROW(given_primary_died(), "a newer one is another matter", "turn",
	    MT_ACT_START_PRIMARY, local()->record.given_up = EPOCH - 1);
}
END_TEST

START_TEST(a_postmaster_that_died_is_started_again_under_its_lease)
{
	ROW(given_primary_died(), "in the lease", "turn",
	    MT_ACT_START_PRIMARY, );
	ROW(given_primary_died(), "the lease is over", "turn", MT_ACT_GIVE_UP,
	    local()->deadline_ms = NOW);
	EXPECT_WHY("died");
	ROW(given_primary_died(), "died as it was started", "turn",
	    MT_ACT_START_PRIMARY, local()->control = MT_CONTROL_SHUT_DOWN);
	ROW(given_primary_died(), "died before its promotion ended", "turn",
	    MT_ACT_GIVE_UP, local()->control = MT_CONTROL_RECOVERY);
	ROW(given_primary_died(), "stopped as a standby", "turn",
	    MT_ACT_GIVE_UP, local()->control = MT_CONTROL_SHUT_DOWN_RECOVERY);
	ROW(given_primary_died(), "its end is not read yet", "turn",
	    MT_ACT_NONE, local()->control = MT_CONTROL_UNKNOWN);
	ROW(given_primary_died(), "hand over at once", "turn", MT_ACT_GIVE_UP,
	    w.settings.primary_start_timeout_ms = 0);
	ROW(given_primary_died(), "of an older turn", "turn", MT_ACT_GIVE_UP,
	    local()->record.pg_epoch = EPOCH - 1);
	ROW(given_primary_died(), "no lease of this life", "turn",
	    MT_ACT_GIVE_UP, local()->had_lease = false);
	ROW(given_primary_died(), "the data is gone", "turn", MT_ACT_GIVE_UP,
	    local()->data = MT_DATA_EMPTY;
	    local()->data_id = 0);
	ROW(given_primary_died(), "a job goes on", "turn", MT_ACT_NONE,
	    local()->job = MT_JOB_START);
	EXPECT_WHY("start");
	ROW(given_primary_died(), "continued meanwhile: epoch first", "turn",
	    MT_ACT_TAKE_EPOCH, w.state.leader.epoch++);
}
END_TEST

static void
given_starting_primary(int64_t since_ms)
{
	given_primary();
	local()->accepting = false;
	local()->job = MT_JOB_START;
	local()->job_since_ms = NOW - since_ms;
	w.settings.primary_start_timeout_ms = 30000;
}

static void
nobody_else_could(void)
{
	report_of(2)->healthy = report_of(3)->healthy = false;
}

START_TEST(a_primary_that_recovers_for_long_is_replaced_if_that_is_possible)
{
	ROW(given_starting_primary(29999), "not yet", "turn", MT_ACT_NONE,
	    local()->deadline_ms = NOW + 4000);
	EXPECT_WHY("start");
	EXPECT(w_plan.look_again_ms == NOW + 1, "it will look in time");
	ROW(given_starting_primary(30000), "too long", "turn",
	    MT_ACT_STOP_IMMEDIATE, );
	EXPECT(w_plan.cancel, "the start ends");
	EXPECT_WHY("30 s (primary_start_timeout)");
	ROW(given_starting_primary(30000), "nobody else", "turn", MT_ACT_NONE,
	    nobody_else_could());
	EXPECT_WHY("nobody else could take over");
	ROW(given_starting_primary(30000), "it is up", "turn", MT_ACT_NONE,
	    local()->accepting = true);
	ROW(given_starting_primary(30000), "no limit", "turn", MT_ACT_NONE,
	    w.settings.primary_start_timeout_ms = 0);
	ROW(given_starting_primary(30000), "paused", "turn", MT_ACT_NONE,
	    w.settings.pause = true);
}
END_TEST

START_TEST(without_patience_it_is_handed_over_only_to_somebody)
{
	ROW(given_primary_died(), "to node2", "turn", MT_ACT_GIVE_UP,
	    w.settings.primary_start_timeout_ms = 0);
	ROW(given_primary_died(), "to nobody", "turn", MT_ACT_START_PRIMARY,
	    w.settings.primary_start_timeout_ms = 0;
	    nobody_else_could());
}
END_TEST

START_TEST(a_start_that_fails_is_tried_three_times)
{
	ROW(given_primary_down(), "once failed", "turn", MT_ACT_START_PRIMARY,
	    local()->last_job = MT_JOB_START;
	    local()->last_job_failed = true; local()->failures = 1);
	ROW(given_primary_down(), "twice failed", "turn", MT_ACT_START_PRIMARY,
	    local()->last_job = MT_JOB_START;
	    local()->last_job_failed = true; local()->failures = 2);
	ROW(given_primary_down(), "three times", "turn", MT_ACT_GIVE_UP,
	    local()->last_job = MT_JOB_START;
	    local()->last_job_failed = true; local()->failures = 3);
	ROW(given_primary_down(), "no lease left", "turn", MT_ACT_GIVE_UP,
	    local()->last_job = MT_JOB_START;
	    local()->last_job_failed = true; local()->failures = 1;
	    local()->deadline_ms = NOW);
}
END_TEST

START_TEST(a_server_that_was_stopped_gives_the_turn_up)
{
	ROW(given_primary_down(), "stopped", "turn", MT_ACT_GIVE_UP, );
	EXPECT_WHY("does not run");
	ROW(given_primary_down(), "stopped after its bootstrap", "turn",
	    MT_ACT_GIVE_UP, local()->bootstrapped = true;
	    w.state.leader.epoch = w.state.leader.since = 1;
	    w.state.leader.continues = true; local()->record.pg_epoch = 1;
	    local()->lease_epoch = 1);
	ROW(given_primary_down(), "stopped at the end of its first lease",
	    "turn", MT_ACT_GIVE_UP, local()->bootstrapped = true;
	    w.state.leader.epoch = w.state.leader.since = 1;
	    w.state.leader.continues = true; local()->record.pg_epoch = 1;
	    local()->lease_epoch = 1; local()->deadline_ms = NOW - 1);
	ROW(given_primary_down(), "the data is not looked at yet", "turn",
	    MT_ACT_NONE, local()->data = MT_DATA_UNKNOWN);
	ROW(given_primary_down(), "by the end of the daemon", "turn",
	    MT_ACT_GIVE_UP, local()->stopping = true;
	    local()->stopping_ms = NOW);
	ROW(given_primary_down(), "given a turn without any data", "turn",
	    MT_ACT_GIVE_UP, local()->data = MT_DATA_EMPTY;
	    local()->data_id = 0);
	ROW(given_standby_down(), "a standby that does not run", "turn",
	    MT_ACT_GIVE_UP,
	    mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2"));
}
END_TEST

START_TEST(the_first_start_needs_the_epoch_and_support)
{
	ROW(given_initialized(), "epoch first", "turn", MT_ACT_TAKE_EPOCH, );
	EXPECT(w_plan.epoch == 1, "epoch 1");
	ROW(given_initialized(), "then support", "turn", MT_ACT_NONE,
	    local()->record.data_id = DATA_ID;
	    local()->record.pg_epoch = 1);
	EXPECT_WHY("majority");
	ROW(given_initialized(), "no support in time", "turn", MT_ACT_GIVE_UP,
	    local()->record.data_id = DATA_ID;
	    local()->record.pg_epoch = 1;
	    local()->turn_ms = NOW - FIT_WITHIN_MS - 1);
	ROW(given_initialized(), "then start", "turn", MT_ACT_START_PRIMARY,
	    local()->record.data_id = DATA_ID;
	    local()->record.pg_epoch = 1; local()->had_lease = true;
	    local()->lease_epoch = 1; local()->deadline_ms = NOW + 4000);
	ROW(given_initialized(), "not under the end of a lease", "turn",
	    MT_ACT_NONE, local()->record.data_id = DATA_ID;
	    local()->record.pg_epoch = 1; local()->had_lease = true;
	    local()->lease_epoch = 1; local()->deadline_ms = NOW + 1000);
	ROW(given_initialized(), "continued before it began", "turn",
	    MT_ACT_TAKE_EPOCH, local()->record.data_id = DATA_ID;
	    local()->record.pg_epoch = 1; w.state.leader.epoch = 2;
	    w.state.leader.ttl_ms = 4000);
	ROW(given_initialized(), "a restarted daemon did not bootstrap", "turn",
	    MT_ACT_GIVE_UP, local()->fresh = false);
	ROW(given_initialized(), "it died before it had a lease", "turn",
	    MT_ACT_GIVE_UP, local()->died = true;
	    local()->fresh = false);
}
END_TEST

START_TEST(a_primary_does_its_duties_in_order)
{
	ROW(given_primary(), "all done", "turn", MT_ACT_NONE, );
	EXPECT(w_plan.look_again_ms == local()->deadline_ms - TTL_MS / 4,
	       "it looks before its lease ends");
	ROW(given_primary(), "a new epoch before all else", "turn",
	    MT_ACT_TAKE_EPOCH, w.state.leader.epoch++;
	    local()->slots_ready = false; local()->accepting = false);
	ROW(given_primary(), "waits until it accepts", "turn", MT_ACT_NONE,
	    local()->accepting = false;
	    local()->slots_ready = false);
	ROW(given_primary(), "waits until it is promoted", "turn", MT_ACT_NONE,
	    local()->in_recovery = true;
	    local()->promote_sent_ms = NOW - PROMOTE_WITHIN_MS;
	    local()->slots_ready = false);
	ROW(given_primary(), "a promotion without end", "turn",
	    MT_ACT_STOP_IMMEDIATE, local()->in_recovery = true;
	    local()->promote_sent_ms = NOW - PROMOTE_WITHIN_MS - 1);
	EXPECT(w_plan.cancel, "a job under way ends");
	ROW(given_primary(), "one job at a time", "turn", MT_ACT_NONE,
	    local()->job = MT_JOB_SLOTS;
	    local()->slots_ready = false);
	EXPECT_WHY("slots");
	ROW(given_primary(), "slots before history", "turn", MT_ACT_SLOTS,
	    local()->slots_ready = false;
	    w.state.history_of = 2);
	ROW(given_primary(), "history before requests", "turn", MT_ACT_PROPOSE,
	    w.state.history_of = 2;
	    given_request("node2"));
	EXPECT(w_plan.command.kind == MT_CMD_HISTORY_PUT, "history.put");
	ROW(given_primary(), "requests before the status", "turn",
	    MT_ACT_CHECKPOINT, given_request("node2");
	    w.state.status.optime.lsn = LSN - 1);
	ROW(given_primary(), "the status at last", "turn", MT_ACT_PROPOSE,
	    w.state.status.optime.lsn = LSN - 1);
	EXPECT(w_plan.command.kind == MT_CMD_STATUS_PUT, "status.put");
}
END_TEST

START_TEST(the_history_is_told_when_a_timeline_has_begun)
{
	ROW(given_primary(), "known", "turn", MT_ACT_NONE, );
	ROW(given_primary(), "timeline 1 has none", "turn", MT_ACT_NONE,
	    local()->at.timeline = 1;
	    w.view.n_history = 0; w.state.n_history = 0; w.state.history_of = 0;
	    w.state.status.optime = local()->at);
	ROW(given_primary(), "not read yet", "turn", MT_ACT_NONE,
	    w.state.history_of = 2;
	    w.view.n_history = 0);
	ROW(given_primary(), "none told yet", "turn", MT_ACT_PROPOSE,
	    w.state.n_history = 0;
	    w.state.history_of = 0);
	ROW(given_primary(), "new", "turn", MT_ACT_PROPOSE,
	    w.state.n_history = 1;
	    w.state.history_of = 2);
	EXPECT(w_plan.command.u.history_put.timeline == TIMELINE, "to it");
	EXPECT(w_plan.command.u.history_put.epoch == EPOCH, "epoch");
	EXPECT(strcmp(w_plan.command.u.history_put.holder, "node1") == 0,
	       "holder");
	EXPECT(w_plan.command.u.history_put.n == 2, "all lines");
	EXPECT(w_plan.command.u.history_put.lines[1].lsn == FORK2, "line");
}
END_TEST

START_TEST(of_a_long_history_the_newest_lines_are_told)
{
	const int all = MT_HISTORY_MAX + 5;

	given_primary();
	for (int i = 0; i < all; i++)
		w.history[i] = (struct mt_history){
		    .timeline = (uint32_t)i + 1,
		    .lsn = (uint64_t)i + 1,
		};
	w.view.n_history = all;
	local()->at.timeline = (uint32_t)all + 1;
	decide();
	expect_plan("long", "turn", MT_ACT_PROPOSE);
	EXPECT(w_plan.command.u.history_put.n == MT_HISTORY_MAX, "bounded");
	EXPECT(w_plan.command.u.history_put.lines[0].timeline == 6, "first");
	EXPECT(
	    w_plan.command.u.history_put.lines[MT_HISTORY_MAX - 1].timeline ==
		(uint32_t)all,
	    "last");
}
END_TEST

START_TEST(the_status_is_put_no_more_often_than_the_loop_waits)
{
	ROW(given_primary(), "nothing new", "turn", MT_ACT_NONE, );
	ROW(given_primary(), "too early", "turn", MT_ACT_NONE,
	    w.state.status.optime.lsn = LSN - 1;
	    local()->status_put_ms = NOW - w.settings.loop_wait_ms + 1);
	ROW(given_primary(), "time", "turn", MT_ACT_PROPOSE,
	    w.state.status.optime.lsn = LSN - 1;
	    local()->status_put_ms = NOW - w.settings.loop_wait_ms);
	EXPECT(w_plan.command.u.status_put.epoch == EPOCH, "epoch");
	EXPECT(w_plan.command.u.status_put.optime.lsn == LSN, "position");
	EXPECT(w_plan.command.u.status_put.optime.timeline == TIMELINE,
	       "timeline");
	ROW(given_primary(), "position unknown", "turn", MT_ACT_NONE,
	    local()->at = position(0, 0));
}
END_TEST

START_TEST(a_switchover_checkpoints_and_then_stops)
{
	ROW(given_primary(), "checkpoint", "turn", MT_ACT_CHECKPOINT,
	    given_request("node2"));
	EXPECT(w_plan.request_id == 44, "for this request");
	ROW(given_primary(), "checkpoint for another", "turn",
	    MT_ACT_CHECKPOINT, given_request("node2");
	    local()->checkpoint_for = 43);
	ROW(given_primary(), "stop", "turn", MT_ACT_STOP_FAST,
	    given_request("node2");
	    local()->checkpoint_for = 44);
	EXPECT_WHY("node2");
	ROW(given_primary(), "to anybody", "turn", MT_ACT_STOP_FAST,
	    given_request("");
	    local()->checkpoint_for = 44);
	EXPECT_WHY("node2");
}
END_TEST

START_TEST(a_switchover_that_cannot_be_is_ended)
{
	const struct mt_request_result *end = &w_plan.command.u.request_clear;

	ROW(given_primary(), "the candidate is silent", "turn", MT_ACT_PROPOSE,
	    given_request("node2");
	    given_silence(2));
	EXPECT(w_plan.command.kind == MT_CMD_REQUEST_CLEAR, "request.clear");
	EXPECT(end->id == 44 && !end->ok, "failed");
	EXPECT(strstr(end->text, "Switchover failed") != NULL, "text");
	EXPECT(strstr(end->text, "node2: silent") != NULL, "reason");
	ROW(given_primary(), "nobody is left", "turn", MT_ACT_PROPOSE,
	    given_request("");
	    given_silence(2); given_silence(3));
	ROW(given_primary(), "to itself", "turn", MT_ACT_PROPOSE,
	    given_request("node1"));
	ROW(given_primary(), "of another leader", "turn", MT_ACT_PROPOSE,
	    given_request("node2");
	    mt_copy(w.state.request.leader, MT_NAME_MAX, "node3"));
	EXPECT(strstr(end->text, "leader has changed") != NULL, "reason");
	ROW(given_primary(), "even after the checkpoint", "turn",
	    MT_ACT_PROPOSE, given_request("node2");
	    given_silence(2); local()->checkpoint_for = 44);
}
END_TEST

static void
given_hung(void)
{
	given_primary_died();
	local()->died = false;
	local()->last_job = MT_JOB_STOP;
	local()->hung = true;
}

START_TEST(a_primary_that_hung_is_replaced_or_else_started_again_once)
{
	ROW(given_hung(), "others can", "turn", MT_ACT_GIVE_UP, );
	EXPECT_WHY("hung");
	ROW(given_hung(), "others can, and its volume hangs", "turn",
	    MT_ACT_GIVE_UP, local()->data = MT_DATA_UNKNOWN);
	ROW(given_hung(), "nobody can", "turn", MT_ACT_START_PRIMARY,
	    given_silence(2);
	    given_silence(3));
	ROW(given_hung(), "nobody can, but it is no primary's data", "turn",
	    MT_ACT_GIVE_UP, given_silence(2);
	    given_silence(3); local()->control = MT_CONTROL_RECOVERY);
	ROW(given_hung(), "nobody can, and it hung a moment before", "turn",
	    MT_ACT_GIVE_UP, given_silence(2);
	    given_silence(3); local()->hung_again = true);
	ROW(given_hung(), "nobody can, the control file is not read", "turn",
	    MT_ACT_NONE, given_silence(2);
	    given_silence(3); local()->control = MT_CONTROL_UNKNOWN);
	ROW(given_hung(), "nobody can, the lease is over", "turn",
	    MT_ACT_GIVE_UP, given_silence(2);
	    given_silence(3); local()->deadline_ms = NOW);
}
END_TEST

START_TEST(the_holder_tells_the_times_of_its_turn_once)
{
	const struct mt_command *c = &w_plan.command;
	struct mt_decision *d;

#define TIMED(what, act, ...) \
	ROW(given_primary(), what, "turn", act, w.state.last_decision = 9; \
	    d = &w.state.decisions[9]; \
	    *d = (struct mt_decision){.id = 9, .epoch = EPOCH}; \
	    mt_copy(d->to, MT_NAME_MAX, "node1"); d->phases.assigned_ms = 5; \
	    local()->leased_ms = 10; local()->promoted_ms = 20; \
	    local()->writable_ms = 30; __VA_ARGS__)

	TIMED("all known", MT_ACT_PROPOSE, );
	EXPECT(c->kind == MT_CMD_DECISION_PUT, "decision.put");
	EXPECT(c->u.decision_put.id == 9, "of its turn's decision");
	EXPECT(c->u.decision_put.epoch == EPOCH, "epoch");
	EXPECT(c->u.decision_put.phases.leased_ms == 10 &&
		   c->u.decision_put.phases.promoted_ms == 20 &&
		   c->u.decision_put.phases.writable_ms == 30,
	       "the times");
	TIMED("told already", MT_ACT_NONE, d->phases.writable_ms = 30);
	TIMED("not all seen", MT_ACT_NONE, local()->promoted_ms = 0);
	TIMED("another's", MT_ACT_NONE, mt_copy(d->to, MT_NAME_MAX, "node2"));
	TIMED("of an older turn", MT_ACT_NONE, d->epoch = EPOCH - 1);
	TIMED("nobody measured its beginning", MT_ACT_NONE,
	      d->phases.assigned_ms = 0);
	TIMED("of a turn that was continued", MT_ACT_PROPOSE,
	      w.state.leader.epoch = EPOCH + 1;
	      local()->record.pg_epoch = EPOCH + 1; w.state.last_decision = 10;
	      w.state.decisions[10] =
		  (struct mt_decision){.id = 10, .epoch = EPOCH + 1});
	EXPECT(c->u.decision_put.id == 9, "of its turn's decision");
#undef TIMED
}
END_TEST

START_TEST(a_release_and_a_failed_switchover_say_why_and_when)
{
	ROW(given_primary_down(), "remembered", "release", MT_ACT_PROPOSE,
	    local()->record.given_up = EPOCH;
	    mt_copy(local()->gave_up_why, MT_WHY_MAX, "PostgreSQL died"));
	EXPECT(strcmp(w_plan.command.u.release.why, "PostgreSQL died") == 0,
	       "why");
	EXPECT(w_plan.command.u.release.at_ms == WALL, "when");
	ROW(given_primary_down(), "forgotten", "release", MT_ACT_PROPOSE,
	    local()->record.given_up = EPOCH);
	EXPECT(w_plan.command.u.release.why[0] != '\0', "something");
	ROW(given_primary_down(), "a switchover", "turn", MT_ACT_GIVE_UP,
	    given_request("node2"));
	EXPECT_WHY("switchover");
	ROW(given_primary_down(), "SIGTERM", "turn", MT_ACT_GIVE_UP,
	    local()->stopping = true;
	    local()->stopping_ms = NOW);
	EXPECT_WHY("asked to end");
	ROW(given_primary(), "no candidate", "turn", MT_ACT_PROPOSE,
	    given_request("node2");
	    given_silence(2));
	EXPECT(w_plan.command.seen.at_ms == WALL, "when");
	EXPECT(w_plan.command.seen.n_verdicts == 3, "of whom");
	EXPECT(strcmp(w_plan.command.seen.verdicts[1].rule, "silent") == 0 &&
		   w_plan.command.seen.verdicts[1].age_ms == 60000,
	       "what was known");
}
END_TEST

START_TEST(a_release_tells_the_end_of_a_clean_stop_only)
{
	const struct mt_command *c = &w_plan.command;

	ROW(given_primary_down(), "clean", "release", MT_ACT_PROPOSE,
	    local()->record.given_up = EPOCH);
	EXPECT(c->kind == MT_CMD_LEADER_RELEASE, "leader.release");
	EXPECT(c->u.release.epoch == EPOCH, "epoch");
	EXPECT(strcmp(c->u.release.holder, "node1") == 0, "holder");
	EXPECT(c->u.release.clean, "clean");
	EXPECT(c->u.release.end.lsn == LSN &&
		   c->u.release.end.timeline == TIMELINE,
	       "end");
	ROW(given_primary_down(), "not read yet", "release", MT_ACT_NONE,
	    local()->record.given_up = EPOCH;
	    local()->control = MT_CONTROL_UNKNOWN);
	ROW(given_primary_died(), "crashed", "release", MT_ACT_PROPOSE,
	    local()->record.given_up = EPOCH);
	EXPECT(!c->u.release.clean && c->u.release.end.timeline == 0, "no end");
	ROW(given_primary_down(), "stopped as a standby", "release",
	    MT_ACT_PROPOSE, local()->record.given_up = EPOCH;
	    local()->control = MT_CONTROL_SHUT_DOWN_RECOVERY);
	EXPECT(!c->u.release.clean, "no end");
	ROW(given_primary_down(), "a primary of an older turn", "release",
	    MT_ACT_PROPOSE, local()->record.given_up = EPOCH;
	    local()->record.pg_epoch = EPOCH - 1);
	EXPECT(!c->u.release.clean, "no end");
	ROW(given_primary_down(), "other data", "release", MT_ACT_PROPOSE,
	    local()->record.given_up = EPOCH;
	    local()->data_id++);
	EXPECT(!c->u.release.clean, "no end");
	ROW(given_chosen(), "a running standby", "release", MT_ACT_PROPOSE,
	    local()->record.given_up = EPOCH);
	EXPECT(!c->u.release.clean, "no end");
	ROW(given_primary_down(), "no data left", "release", MT_ACT_PROPOSE,
	    local()->record.given_up = EPOCH;
	    local()->data = MT_DATA_EMPTY; local()->data_id = 0;
	    local()->control = MT_CONTROL_UNKNOWN);
	EXPECT(!c->u.release.clean, "no end");
}
END_TEST

START_TEST(a_release_is_repeated_until_the_log_shows_it)
{
	ROW(given_primary_down(), "again", "release", MT_ACT_PROPOSE,
	    local()->record.given_up = EPOCH);
	ROW(given_primary_down(), "a continued epoch that was given up too",
	    "release", MT_ACT_PROPOSE, local()->record.given_up = EPOCH + 1;
	    w.state.leader.epoch = EPOCH + 1);
	ROW(given_primary_down(), "shown", "standby", MT_ACT_START_STANDBY,
	    local()->record.given_up = EPOCH;
	    w.state.leader.released = true);
	ROW(given_primary_down(), "passed on", "standby", MT_ACT_NONE,
	    local()->record.given_up = EPOCH;
	    w.state.leader.epoch++;
	    mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2");
	    local()->turn_ms = NOW);
	ROW(given_primary_down(), "given anew: another epoch", "turn",
	    MT_ACT_GIVE_UP, local()->record.given_up = EPOCH;
	    w.state.leader.epoch++);
	EXPECT(w_plan.epoch == EPOCH + 1, "the new one");
}
END_TEST

int
main(void)
{
	RUN_TESTS(
	    "agent_turn",
	    a_chosen_standby_that_is_not_fit_waits_and_then_gives_up,
	    a_chosen_standby_is_promoted_only_with_support,
	    what_is_given_up_does_not_come_back,
	    a_postmaster_that_died_is_started_again_under_its_lease,
	    a_primary_that_recovers_for_long_is_replaced_if_that_is_possible,
	    without_patience_it_is_handed_over_only_to_somebody,
	    a_start_that_fails_is_tried_three_times,
	    a_server_that_was_stopped_gives_the_turn_up,
	    the_first_start_needs_the_epoch_and_support,
	    a_primary_does_its_duties_in_order,
	    the_history_is_told_when_a_timeline_has_begun,
	    of_a_long_history_the_newest_lines_are_told,
	    the_status_is_put_no_more_often_than_the_loop_waits,
	    a_switchover_checkpoints_and_then_stops,
	    a_switchover_that_cannot_be_is_ended,
	    a_primary_that_hung_is_replaced_or_else_started_again_once,
	    the_holder_tells_the_times_of_its_turn_once,
	    a_release_and_a_failed_switchover_say_why_and_when,
	    a_release_tells_the_end_of_a_clean_stop_only,
	    a_release_is_repeated_until_the_log_shows_it);
}
