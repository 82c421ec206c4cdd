/* SPDX-License-Identifier: PostgreSQL */
/* What the holder does for a scheduled switchover and for a failover. */
#include "decide.h"
#include "test/unit/run.h"

#define LATE_MS INT64_C(15000) /* 1.5 times loop_wait */

static const struct mt_command *const command = &w_plan.command;

static void
given_scheduled(int64_t in_ms)
{
	given_primary();
	local()->status_put_ms = NOW;
	given_request("node2");
	w.state.request.scheduled_ms = WALL + in_ms;
}

static void
given_failover(const char *candidate)
{
	given_primary();
	w.state.request = (struct mt_request){
	    .kind = MT_REQUEST_FAILOVER,
	    .id = 44,
	};
	mt_copy(w.state.request.candidate, MT_NAME_MAX, candidate);
}

START_TEST(what_is_scheduled_waits_for_its_time)
{
	ROW(given_scheduled(1), "not due", "turn", MT_ACT_NONE, );
	EXPECT(w_plan.look_again_ms == NOW + 1, "a look when it is");
	ROW(given_scheduled(3600000), "an hour", "turn", MT_ACT_NONE, );
	EXPECT(w_plan.look_again_ms == NOW + 4000 - TTL_MS / 4,
	       "the lease's look comes before");
	ROW(given_scheduled(3600000), "duties go on", "turn", MT_ACT_PROPOSE,
	    local()->status_put_ms = NOW - 10000;
	    local()->at.lsn++);
	EXPECT(command->kind == MT_CMD_STATUS_PUT, "status.put");
	ROW(given_scheduled(3600000), "slots first", "turn", MT_ACT_SLOTS,
	    local()->slots_ready = false);
}
END_TEST

START_TEST(what_is_due_is_put_anew_without_a_time)
{
	ROW(given_scheduled(0), "due", "turn", MT_ACT_PROPOSE, );
	EXPECT(command->kind == MT_CMD_REQUEST_PUT, "request.put");
	EXPECT(command->u.request_put.scheduled_ms == 0, "now");
	EXPECT(command->u.request_put.due, "by the holder");
	EXPECT(command->u.request_put.id == 44, "in place of this one");
	EXPECT(strcmp(command->u.request_put.candidate, "node2") == 0, "to");
	EXPECT(strcmp(command->u.request_put.leader, "node1") == 0, "from");
	ROW(given_scheduled(-LATE_MS), "late", "turn", MT_ACT_PROPOSE, );
	EXPECT(command->kind == MT_CMD_REQUEST_PUT, "request.put");
	ROW(given_scheduled(0), "also to who cannot just now", "turn",
	    MT_ACT_PROPOSE, report_of(2)->nofailover = true);
}
END_TEST

START_TEST(what_is_too_late_is_discarded)
{
	ROW(given_scheduled(-LATE_MS - 1), "too late", "turn",
	    MT_ACT_PROPOSE, );
	EXPECT(command->kind == MT_CMD_REQUEST_CLEAR, "request.clear");
	EXPECT(command->u.request_clear.id == 44, "this one");
	EXPECT(strcmp(command->u.request_clear.text,
		      "Switchover failed: its time passed 15 s ago") == 0,
	       "the reason");
	ROW(given_scheduled(0), "another leads", "turn", MT_ACT_PROPOSE,
	    mt_copy(w.state.request.leader, MT_NAME_MAX, "node3"));
	EXPECT(command->kind == MT_CMD_REQUEST_CLEAR, "request.clear");
}
END_TEST

/* Its sentinel knows that it runs on at the lease's end. */
static void
given_pause(void)
{
	w.settings.pause = true;
	w.state.leader.exempt = 42;
	w.state.leader.exempt_incarnation = local()->incarnation;
	local()->exempt = true;
}

START_TEST(in_pause_nothing_scheduled_is_done)
{
	ROW(given_scheduled(0), "due", "turn", MT_ACT_NONE, given_pause());
	ROW(given_scheduled(-LATE_MS - 1), "late", "turn", MT_ACT_NONE,
	    given_pause());
	ROW(given_scheduled(0), "still exempt afterwards", "turn", MT_ACT_NONE,
	    given_pause();
	    w.settings.pause = false; local()->deadline_ms = NOW + 1);
	ROW(given_primary(), "nobody named", "turn", MT_ACT_PROPOSE,
	    given_request("");
	    given_pause());
	EXPECT(command->kind == MT_CMD_REQUEST_CLEAR, "request.clear");
	ROW(given_primary(), "somebody named", "turn", MT_ACT_CHECKPOINT,
	    given_request("node2");
	    given_pause());
	ROW(given_failover("node3"), "failover", "turn", MT_ACT_CHECKPOINT,
	    given_pause());
}
END_TEST

START_TEST(a_failover_from_a_living_leader_goes_as_a_switchover)
{
	ROW(given_failover("node3"), "checkpoint", "turn", MT_ACT_CHECKPOINT, );
	ROW(given_failover("node3"), "stop", "turn", MT_ACT_STOP_FAST,
	    local()->checkpoint_for = 44);
	EXPECT_WHY("failover to \"node3\"");
	ROW(given_failover("node3"), "it lags", "turn", MT_ACT_PROPOSE,
	    report_of(3)->at.lsn = 1);
	EXPECT(command->kind == MT_CMD_REQUEST_CLEAR, "request.clear");
	EXPECT(strncmp(command->u.request_clear.text,
		       "Failover failed: ", 17) == 0,
	       "the word");
	EXPECT(command->seen.at_ms == w.view.wall_ms &&
		   command->seen.n_verdicts == 3,
	       "on record");
	ROW(given_failover("node3"), "nofailover", "turn", MT_ACT_PROPOSE,
	    report_of(3)->nofailover = true);
	EXPECT(command->kind == MT_CMD_REQUEST_CLEAR, "request.clear");
}
END_TEST

START_TEST(a_leader_that_recovers_from_a_crash_hands_over_at_once)
{
#define RECOVERS \
	local()->accepting = false; \
	local()->job_since_ms = NOW - 1000; \
	local()->job = MT_JOB_START
	ROW(given_failover("node3"), "it may", "turn", MT_ACT_STOP_IMMEDIATE,
	    RECOVERS);
	EXPECT(w_plan.cancel, "the start is over");
	ROW(given_failover("node3"), "nobody could", "turn", MT_ACT_PROPOSE,
	    RECOVERS;
	    given_silence(3));
	EXPECT(command->kind == MT_CMD_REQUEST_CLEAR, "request.clear");
	ROW(given_scheduled(3600000), "not due", "turn", MT_ACT_NONE, RECOVERS);
	ROW(given_failover("node3"), "merely out of touch", "turn", MT_ACT_NONE,
	    local()->accepting = false);
#undef RECOVERS
}
END_TEST

int
main(void)
{
	RUN_TESTS("agent_request", what_is_scheduled_waits_for_its_time,
		  what_is_due_is_put_anew_without_a_time,
		  what_is_too_late_is_discarded,
		  in_pause_nothing_scheduled_is_done,
		  a_failover_from_a_living_leader_goes_as_a_switchover,
		  a_leader_that_recovers_from_a_crash_hands_over_at_once);
}
