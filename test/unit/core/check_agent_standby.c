/* SPDX-License-Identifier: PostgreSQL */
/*
 * The life of a standby: data, start, whom to follow; and every row of the
 * decision whether it has diverged.
 */
#include "core/agent.h"

#include "decide.h"
#include "given_sync.h"
#include "test/unit/run.h"

static bool
goes_to(const char *name)
{
	const struct mt_member *m = mt_state_member(&w.state, name);

	return strcmp(w_plan.member, name) == 0 &&
	       strcmp(w_plan.url, m->conn_url) == 0;
}

/* node1's report shows timeline 4, begun at LSN; the state knows of it. */
static void
given_new_timeline(void)
{
	report_of(1)->at = position(TIMELINE + 1, LSN + 0x1000);
	given_past(2, TIMELINE, LSN);
	w.state.history_of = TIMELINE + 1;
}

/* The log has what node2 throws away beyond the end of timeline 3. */
static void
given_named(uint64_t to)
{
	struct mt_decision *d = &w.state.decisions[1];

	w.state.last_decision = 1;
	*d = (struct mt_decision){
	    .id = 1,
	    .rule = "rejoin",
	    .from = "node2",
	    .loss = {.timeline = TIMELINE, .from = LSN, .to = to},
	};
}

START_TEST(data_is_cloned_from_a_serving_primary)
{
	ROW(given_no_data(2), "empty", "standby", MT_ACT_CLONE, );
	EXPECT(goes_to("node1"), "from the holder");
	ROW(given_no_data(2), "not looked at", "standby", MT_ACT_NONE,
	    local()->data = MT_DATA_UNKNOWN);
	ROW(given_no_data(2), "in part: removed first", "standby",
	    MT_ACT_DISCARD, local()->data = MT_DATA_PARTIAL);
	ROW(given_no_data(2), "somebody's files stay", "standby", MT_ACT_NONE,
	    local()->data = MT_DATA_FOREIGN);
	EXPECT_WHY("move its content away");
	ROW(given_no_data(2), "the holder is silent", "standby", MT_ACT_NONE,
	    given_silence(1));
	ROW(given_no_data(2), "the holder does not serve yet", "standby",
	    MT_ACT_NONE, report_of(1)->serving = false);
	ROW(given_no_data(2), "its timeline is not known", "standby",
	    MT_ACT_NONE, report_of(1)->at.timeline = 0);
	ROW(given_no_data(2), "released", "standby", MT_ACT_NONE,
	    w.state.leader.released = true);
	ROW(given_no_data(2), "what is there in part stays until then",
	    "standby", MT_ACT_NONE, local()->data = MT_DATA_PARTIAL;
	    given_silence(1));
	ROW(given_no_data(2), "one job at a time", "standby", MT_ACT_NONE,
	    local()->job = MT_JOB_CLONE);
	EXPECT_WHY("clone");
	ROW(given_no_data(2), "another serves, but holds no turn", "standby",
	    MT_ACT_NONE, given_silence(1);
	    report_of(3)->serving = true);
}
END_TEST

START_TEST(what_failed_is_tried_again_with_growing_pauses)
{
	static const struct {
		int failures;
		int64_t pause_ms;
	} rows[] = {
	    {1, 1000},  {2, 2000},  {3, 4000},    {4, 8000},
	    {5, 16000}, {6, 30000}, {100, 30000},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		ROW(given_no_data(2), "too early", "standby", MT_ACT_NONE,
		    local()->last_job = MT_JOB_CLONE;
		    local()->last_job_failed = true;
		    local()->failures = rows[i].failures;
		    local()->last_job_ms = NOW - rows[i].pause_ms + 1);
		EXPECT(w_plan.look_again_ms == NOW + 1, "it will look again");
		ROW(given_no_data(2), "again", "standby", MT_ACT_CLONE,
		    local()->last_job = MT_JOB_CLONE;
		    local()->last_job_failed = true;
		    local()->failures = rows[i].failures;
		    local()->last_job_ms = NOW - rows[i].pause_ms);
	}
	ROW(given_no_data(2), "another job's failure", "standby", MT_ACT_CLONE,
	    local()->last_job = MT_JOB_START;
	    local()->last_job_failed = true; local()->failures = 1;
	    local()->last_job_ms = NOW);
	ROW(given_no_data(2), "no failure", "standby", MT_ACT_CLONE,
	    local()->last_job = MT_JOB_CLONE;
	    local()->last_job_ms = NOW);
	ROW(given_standby_down(), "a start", "standby", MT_ACT_NONE,
	    local()->last_job = MT_JOB_START;
	    local()->last_job_failed = true; local()->failures = 1;
	    local()->last_job_ms = NOW);
	ROW(given_standby(), "a follow", "standby", MT_ACT_NONE,
	    local()->upstream[0] = '\0';
	    local()->last_job = MT_JOB_FOLLOW; local()->last_job_failed = true;
	    local()->failures = 1; local()->last_job_ms = NOW);
}
END_TEST

START_TEST(a_server_that_is_down_is_started_as_a_standby)
{
	ROW(given_standby_down(), "follows the holder", "standby",
	    MT_ACT_START_STANDBY, );
	EXPECT(goes_to("node1"), "the holder");
	ROW(given_standby_down(), "the holder is on its way", "standby",
	    MT_ACT_NONE, report_of(1)->serving = false;
	    local()->turn_ms = NOW - 9999);
	EXPECT(w_plan.look_again_ms == NOW + 1, "not for ever");
	EXPECT_WHY("node1");
	ROW(given_standby_down(), "it does not come", "standby",
	    MT_ACT_START_STANDBY, report_of(1)->serving = false;
	    local()->turn_ms = NOW - 10000);
	EXPECT(w_plan.member[0] == '\0', "follows nobody");
	ROW(given_standby_down(), "nobody holds the turn: be a candidate",
	    "standby", MT_ACT_START_STANDBY, w.state.leader.released = true;
	    local()->turn_ms = NOW);
	EXPECT(w_plan.member[0] == '\0', "follows nobody");
}
END_TEST

START_TEST(a_standby_follows_whoever_holds_the_turn)
{
	ROW(given_standby(), "it does", "standby", MT_ACT_NONE, );
	ROW(given_standby(), "another", "standby", MT_ACT_FOLLOW,
	    mt_copy(local()->upstream, MT_NAME_MAX, "node3"));
	EXPECT(goes_to("node1"), "the holder");
	ROW(given_standby(), "nobody", "standby", MT_ACT_FOLLOW,
	    local()->upstream[0] = '\0');
	ROW(given_standby(), "its address changed", "standby", MT_ACT_FOLLOW,
	    mt_copy(w.state.members[0].conn_url, MT_URL_MAX,
		    "postgres://10.0.0.9:5432/postgres"));
	EXPECT(goes_to("node1"), "the new address");
	ROW(given_standby(), "not accepting yet", "standby", MT_ACT_NONE,
	    local()->upstream[0] = '\0';
	    local()->accepting = false);
	ROW(given_standby(), "the holder does not serve", "standby",
	    MT_ACT_NONE, local()->upstream[0] = '\0';
	    report_of(1)->serving = false);
	ROW(given_standby(), "one job at a time", "standby", MT_ACT_NONE,
	    local()->upstream[0] = '\0';
	    local()->job = MT_JOB_FOLLOW);
	ROW(given_standby(), "a newer timeline, replayed up to its begin",
	    "standby", MT_ACT_FOLLOW, given_new_timeline();
	    local()->upstream[0] = '\0');
	ROW(given_standby(), "replayed beyond it", "standby", MT_ACT_STOP_FAST,
	    given_new_timeline();
	    local()->replayed_lsn = LSN + 1);
	EXPECT_WHY("diverged");
	ROW(given_standby(), "the history is not known yet", "standby",
	    MT_ACT_NONE, given_new_timeline();
	    w.state.history_of = TIMELINE; local()->replayed_lsn = LSN + 1);
}
END_TEST

START_TEST(diverged_data_is_rewound_or_removed_as_it_is_allowed)
{
	static const struct {
		const char *what;
		bool rewind, remove_on_failure, remove_on_diverged;
		bool failed;
		enum mt_act act;
	} rows[] = {
	    {"nothing is allowed", 0, 0, 0, 0, MT_ACT_NONE},
	    {"rewind", 1, 0, 0, 0, MT_ACT_REWIND},
	    {"rewind before removal", 1, 1, 1, 0, MT_ACT_REWIND},
	    {"removal", 0, 0, 1, 0, MT_ACT_DISCARD},
	    {"removal after a rewind only", 0, 1, 0, 0, MT_ACT_NONE},
	    {"rewind failed: again", 1, 0, 0, 1, MT_ACT_REWIND},
	    {"rewind failed: again, though removal of the diverged is "
	     "allowed",
	     1, 0, 1, 1, MT_ACT_REWIND},
	    {"rewind failed: removal", 1, 1, 0, 1, MT_ACT_DISCARD},
	    {"rewind failed, then forbidden", 0, 0, 0, 1, MT_ACT_NONE},
	    {"rewind failed, then forbidden: removal", 0, 1, 0, 1,
	     MT_ACT_DISCARD},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		ROW(given_standby_down(), rows[i].what, "standby", rows[i].act,
		    given_new_timeline();
		    local()->checkpoint.lsn = LSN + 1;
		    w.settings.use_pg_rewind = rows[i].rewind;
		    w.settings.remove_data_directory_on_rewind_failure =
			rows[i].remove_on_failure;
		    w.settings.remove_data_directory_on_diverged_timelines =
			rows[i].remove_on_diverged;
		    local()->last_job_failed = rows[i].failed;
		    local()->last_job =
			rows[i].failed ? MT_JOB_REWIND : MT_JOB_START;
		    local()->failures = rows[i].failed ? 1 : 0;
		    given_named(LSN + 1));
		if (rows[i].act == MT_ACT_REWIND)
			EXPECT(goes_to("node1"), "the holder");
		if (rows[i].act == MT_ACT_NONE)
			EXPECT_WHY("use_pg_rewind");
	}
	ROW(given_standby_down(), "not before the primary's checkpoint",
	    "standby", MT_ACT_NONE, given_new_timeline();
	    local()->checkpoint.lsn = LSN + 1; w.settings.use_pg_rewind = true;
	    report_of(1)->rewindable = false);
	EXPECT_WHY("first checkpoint");
	ROW(given_standby_down(), "a rewind failed just now", "standby",
	    MT_ACT_NONE, given_new_timeline();
	    local()->checkpoint.lsn = LSN + 1; w.settings.use_pg_rewind = true;
	    local()->last_job = MT_JOB_REWIND; local()->last_job_failed = true;
	    local()->failures = 1; local()->last_job_ms = NOW - 999);
	EXPECT_WHY("pg_rewind failed (1 times)");
	EXPECT_WHY("move the data directory away");
	ROW(given_standby_down(), "its source was away: that is no failure",
	    "standby", MT_ACT_REWIND, given_new_timeline();
	    local()->checkpoint.lsn = LSN + 1; w.settings.use_pg_rewind = true;
	    w.settings.remove_data_directory_on_rewind_failure = true;
	    local()->last_job = MT_JOB_REWIND; local()->last_job_failed = true;
	    local()->failures = 1; local()->source_gone = true;
	    given_named(LSN + 1));
	ROW(given_standby_down(), "without hints pg_rewind refuses", "standby",
	    MT_ACT_NONE, given_new_timeline();
	    local()->checkpoint.lsn = LSN + 1; w.settings.use_pg_rewind = true;
	    local()->no_hints = true;
	    w.settings.remove_data_directory_on_rewind_failure = true);
	EXPECT_WHY("wal_log_hints");
	EXPECT_WHY("move the data directory away");
	ROW(given_standby_down(), "without hints it is removed", "standby",
	    MT_ACT_DISCARD, given_new_timeline();
	    local()->checkpoint.lsn = LSN + 1; w.settings.use_pg_rewind = true;
	    local()->no_hints = true; given_named(LSN + 1);
	    w.settings.remove_data_directory_on_diverged_timelines = true);
	ROW(given_standby_down(), "without a primary nothing is removed",
	    "standby", MT_ACT_START_STANDBY, given_silence(1);
	    w.settings.remove_data_directory_on_diverged_timelines = true;
	    local()->checkpoint.lsn = LSN + 1);
}
END_TEST

static void
given_starting_standby(const char *upstream, int64_t since_ms)
{
	given_standby();
	local()->accepting = false;
	local()->job = MT_JOB_START;
	local()->job_since_ms = NOW - since_ms;
	local()->patience_ms = 60000;
	mt_copy(local()->upstream, sizeof(local()->upstream), upstream);
}

START_TEST(a_start_is_waited_for_as_long_as_it_is_for_the_primary)
{
	ROW(given_starting_standby("node1", 3600000), "for long", "standby",
	    MT_ACT_NONE, );
	ROW(given_starting_standby("", 60000), "for nobody", "standby",
	    MT_ACT_STOP_FAST, );
	EXPECT(w_plan.cancel, "the start ends");
	EXPECT_WHY("not to follow \"node1\"");
	ROW(given_starting_standby("node3", 60000), "for another", "standby",
	    MT_ACT_STOP_FAST, );
	ROW(given_starting_standby("node3", 59999), "not for long", "standby",
	    MT_ACT_NONE, );
	EXPECT(w_plan.look_again_ms == NOW + 1, "it will look in time");
	ROW(given_starting_standby("node3", 60000), "there is no primary",
	    "standby", MT_ACT_NONE, given_silence(1));
	ROW(given_starting_standby("node3", 60000), "it is up", "standby",
	    MT_ACT_NONE, local()->accepting = true);
	ROW(given_starting_standby("node3", 60000), "all patience", "standby",
	    MT_ACT_NONE, local()->patience_ms = 0);
}
END_TEST

START_TEST(what_crashed_as_primary_is_recovered_before_it_is_rewound)
{
	static const struct {
		const char *what;
		enum mt_control_state control;
		enum mt_act act;
	} rows[] = {
	    {"crashed as primary", MT_CONTROL_PRODUCTION, MT_ACT_RECOVER},
	    {"while it stopped, or recovered", MT_CONTROL_OTHER,
	     MT_ACT_RECOVER},
	    {"stopped", MT_CONTROL_SHUT_DOWN, MT_ACT_REWIND},
	    {"stopped as standby", MT_CONTROL_SHUT_DOWN_RECOVERY,
	     MT_ACT_REWIND},
	    {"crashed as standby", MT_CONTROL_RECOVERY, MT_ACT_REWIND},
	};

#define CRASHED(what, act, ...) \
	ROW(given_standby_down(), what, "standby", act, given_new_timeline(); \
	    local()->checkpoint.lsn = LSN + 96; \
	    local()->control = MT_CONTROL_PRODUCTION; \
	    local()->end = position(TIMELINE, LSN + 96); \
	    w.settings.use_pg_rewind = true; given_named(LSN + 96); \
	    __VA_ARGS__)

	for (size_t i = 0; i < MT_COUNT(rows); i++)
		CRASHED(rows[i].what, rows[i].act,
			local()->control = rows[i].control);
	CRASHED("it failed just now", MT_ACT_NONE,
		local()->last_job = MT_JOB_RECOVER;
		local()->last_job_failed = true; local()->failures = 1;
		local()->last_job_ms = NOW - 999);
	EXPECT_WHY("recovery failed (1 times)");
	CRASHED("again", MT_ACT_RECOVER, local()->last_job = MT_JOB_RECOVER;
		local()->last_job_failed = true; local()->failures = 1;
		local()->last_job_ms = NOW - 1000);
	CRASHED("or removal", MT_ACT_DISCARD,
		local()->last_job = MT_JOB_RECOVER;
		local()->last_job_failed = true; local()->failures = 1;
		w.settings.remove_data_directory_on_rewind_failure = true);
	CRASHED("not for a new clone", MT_ACT_DISCARD,
		w.settings.use_pg_rewind = false;
		w.settings.remove_data_directory_on_diverged_timelines = true);
	CRASHED("not while a failover counts on it", MT_ACT_NONE,
		given_log("12", 1);
		w.state.sync.standbys[1].data_id = local()->data_id);
	EXPECT_WHY("synchronous set");
#undef CRASHED
}
END_TEST

START_TEST(what_is_thrown_away_is_named_in_the_log_before)
{
	const struct mt_command *c = &w_plan.command;
	const struct mt_loss *loss = &c->u.rejoin_put.loss;

#define DIVERGED(what, act, ...) \
	ROW(given_standby_down(), what, "standby", act, given_new_timeline(); \
	    local()->checkpoint.lsn = LSN + 96; \
	    w.settings.use_pg_rewind = true; __VA_ARGS__)

	DIVERGED("not named", MT_ACT_PROPOSE, );
	EXPECT(c->kind == MT_CMD_REJOIN_PUT, "rejoin.put");
	EXPECT(strcmp(c->u.rejoin_put.member, "node2") == 0, "it does");
	EXPECT(c->u.rejoin_put.epoch == EPOCH, "epoch");
	EXPECT(loss->timeline == TIMELINE && loss->from == LSN &&
		   loss->to == LSN + 96,
	       "from the fork to its end");
	EXPECT_WHY("throws away 96 bytes, 0/5000000 to 0/5000060 of timeline "
		   "3, by pg_rewind");
	DIVERGED("named", MT_ACT_REWIND, given_named(LSN + 96));
	EXPECT_WHY("96 bytes");
	DIVERGED("another end was named", MT_ACT_PROPOSE, given_named(LSN + 8));
	DIVERGED("removed", MT_ACT_PROPOSE, w.settings.use_pg_rewind = false;
		 w.settings.remove_data_directory_on_diverged_timelines = true);
	EXPECT_WHY("by a new clone");
	DIVERGED("removed, named", MT_ACT_DISCARD, given_named(LSN + 96);
		 w.settings.use_pg_rewind = false;
		 w.settings.remove_data_directory_on_diverged_timelines = true);
	DIVERGED("crashed, its end is looked for", MT_ACT_NONE,
		 local()->control = MT_CONTROL_PRODUCTION;
		 local()->end_pending = true);
	DIVERGED("crashed, its end was found", MT_ACT_PROPOSE,
		 local()->control = MT_CONTROL_PRODUCTION;
		 local()->end = position(TIMELINE, LSN + 200));
	EXPECT(loss->to == LSN + 200, "the end that was found");
	DIVERGED("crashed at the fork", MT_ACT_START_STANDBY,
		 local()->control = MT_CONTROL_PRODUCTION;
		 local()->end = position(TIMELINE, LSN));
	DIVERGED("crashed, its end was not found", MT_ACT_PROPOSE,
		 local()->control = MT_CONTROL_PRODUCTION);
	EXPECT(loss->from == LSN && loss->to == 0, "unknown end");
	EXPECT_WHY("whose end is not known");
	DIVERGED("a timeline that the history lacks", MT_ACT_PROPOSE,
		 local()->checkpoint.timeline = TIMELINE + 7);
	EXPECT(loss->from == 0, "unknown fork");
	EXPECT_WHY("the cluster's history does not have");
#undef DIVERGED
}
END_TEST

START_TEST(rewinding_that_does_not_help_is_not_repeated_at_once)
{
	static const struct {
		int rewinds;
		int64_t pause_ms;
	} rows[] = {{1, 1000}, {2, 2000}, {5, 16000}, {6, 30000}, {99, 30000}};

	for (size_t i = 0; i < MT_COUNT(rows); i++)
		for (int late = 0; late < 2; late++) {
			ROW(given_standby_down(), "rewound", "standby",
			    late ? MT_ACT_REWIND : MT_ACT_NONE,
			    given_new_timeline();
			    local()->checkpoint.lsn = LSN + 1;
			    given_named(LSN + 1);
			    w.settings.use_pg_rewind = true;
			    local()->rewinds = rows[i].rewinds;
			    local()->rewound_ms =
				NOW - rows[i].pause_ms + !late);
			if (!late)
				EXPECT_WHY("still differs");
		}
}
END_TEST

/* The cluster's history: timeline 1 ended at FORK1, 2 at FORK2; 3 is on. */
START_TEST(each_way_to_join_a_primary)
{
	static const struct {
		const char *what;
		bool running;
		enum mt_control_state control;
		uint32_t timeline, primary;
		uint64_t lsn; /* end of the data; replayed if it runs */
		enum mt_join want;
	} rows[] = {
	    {"unknown own timeline", true, 0, 0, 3, 1, MT_JOIN_WAIT},
	    {"unknown primary's timeline", true, 0, 3, 0, 1, MT_JOIN_WAIT},
	    {"same timeline", true, 0, 3, 3, LSN, MT_JOIN_FOLLOW},
	    {"same timeline, down", false, MT_CONTROL_SHUT_DOWN, 3, 3, LSN,
	     MT_JOIN_FOLLOW},
	    {"same timeline, crashed", false, MT_CONTROL_PRODUCTION, 3, 3, LSN,
	     MT_JOIN_FOLLOW},
	    {"a newer timeline than the primary's", true, 0, 4, 3, 1,
	     MT_JOIN_REWIND},
	    {"newer, down", false, MT_CONTROL_SHUT_DOWN, 4, 3, 1,
	     MT_JOIN_REWIND},
	    {"newer, and the history lacks", true, 0, 4, 3, 1, MT_JOIN_REWIND},
	    {"running, short of the fork", true, 0, 2, 3, FORK2 - 1,
	     MT_JOIN_FOLLOW},
	    {"running, at the fork", true, 0, 2, 3, FORK2, MT_JOIN_FOLLOW},
	    {"running, beyond the fork", true, 0, 2, 3, FORK2 + 1,
	     MT_JOIN_REWIND},
	    {"two timelines back, at its own fork", true, 0, 1, 3, FORK1,
	     MT_JOIN_FOLLOW},
	    {"two timelines back, short of the later fork", true, 0, 1, 3,
	     FORK2 - 1, MT_JOIN_REWIND},
	    {"clean primary, short of the fork", false, MT_CONTROL_SHUT_DOWN, 2,
	     3, FORK2 - 1, MT_JOIN_FOLLOW},
	    {"clean primary, its last record is the fork's", false,
	     MT_CONTROL_SHUT_DOWN, 2, 3, FORK2, MT_JOIN_REWIND},
	    {"clean primary, beyond", false, MT_CONTROL_SHUT_DOWN, 2, 3,
	     FORK2 + 1, MT_JOIN_REWIND},
	    {"clean standby, at the fork", false, MT_CONTROL_SHUT_DOWN_RECOVERY,
	     2, 3, FORK2, MT_JOIN_FOLLOW},
	    {"clean standby, beyond", false, MT_CONTROL_SHUT_DOWN_RECOVERY, 2,
	     3, FORK2 + 1, MT_JOIN_REWIND},
	    {"crashed standby, at the fork", false, MT_CONTROL_RECOVERY, 2, 3,
	     FORK2, MT_JOIN_FOLLOW},
	    {"crashed standby, beyond", false, MT_CONTROL_RECOVERY, 2, 3,
	     FORK2 + 1, MT_JOIN_REWIND},
	    {"crashed primary, short of the fork: who knows", false,
	     MT_CONTROL_PRODUCTION, 2, 3, FORK2 - 1, MT_JOIN_REWIND},
	    {"stopped half-way", false, MT_CONTROL_OTHER, 2, 3, FORK2 - 1,
	     MT_JOIN_REWIND},
	    {"control file not read", false, MT_CONTROL_UNKNOWN, 2, 3,
	     FORK2 - 1, MT_JOIN_WAIT},
	    {"the history does not lead to the primary yet", true, 0, 2, 4,
	     FORK2 - 1, MT_JOIN_WAIT},
	    {"nor does it, by two, from the newest that it knows", true, 0, 3,
	     5, FORK2 - 1, MT_JOIN_WAIT},
	    {"the history is one ahead of the primary", true, 0, 1, 2, FORK1,
	     MT_JOIN_FOLLOW},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		struct mt_local l = {
		    .running = rows[i].running,
		    .control = rows[i].control,
		};
		enum mt_join have;

		given_cluster(2);
		if (l.running) {
			l.at = position(rows[i].timeline, UINT64_MAX);
			l.replayed_lsn = rows[i].lsn;
		} else {
			l.checkpoint = position(rows[i].timeline, rows[i].lsn);
		}
		have = mt_agent_join(&w.state, &l, rows[i].primary);
		ck_assert_msg(have == rows[i].want, "%s: want %d, have %d",
			      rows[i].what, (int)rows[i].want, (int)have);
	}
}
END_TEST

START_TEST(a_crashed_primary_joins_by_the_end_of_its_log)
{
	static const struct {
		const char *what;
		bool pending;
		struct mt_position end;
		enum mt_join want;
	} rows[] = {
	    {"it is looked for", true, {0, 0}, MT_JOIN_WAIT},
	    {"it was not found", false, {0, 0}, MT_JOIN_REWIND},
	    {"short of the fork", false, {2, FORK2 - 1}, MT_JOIN_FOLLOW},
	    {"at the fork", false, {2, FORK2}, MT_JOIN_FOLLOW},
	    {"beyond", false, {2, FORK2 + 1}, MT_JOIN_REWIND},
	    {"promoted, not come to a checkpoint: the primary's timeline",
	     false,
	     {3, LSN},
	     MT_JOIN_FOLLOW},
	    {"promoted to a newer timeline", false, {4, LSN}, MT_JOIN_REWIND},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++)
		for (int half_way = 0; half_way < 2; half_way++) {
			struct mt_local l = {
			    .control = half_way ? MT_CONTROL_OTHER
						: MT_CONTROL_PRODUCTION,
			    .checkpoint = {2, FORK2 - 500},
			    .end_pending = rows[i].pending,
			    .end = rows[i].end,
			};

			given_cluster(2);
			ck_assert_msg(mt_agent_join(&w.state, &l, 3) ==
					  rows[i].want,
				      "%s", rows[i].what);
		}
}
END_TEST

START_TEST(a_timeline_that_the_history_lacks_has_diverged)
{
	struct mt_local l = {.running = true, .at = {1, 1}, .replayed_lsn = 1};

	given_cluster(2);
	w.state.n_history = 0;
	w.state.history_of = 0;
	ck_assert_int_eq(mt_agent_join(&w.state, &l, 3), MT_JOIN_WAIT);
	given_past(0, 2, FORK2); /* timeline 1 was cut off or never was */
	w.state.history_of = 3;
	ck_assert_int_eq(mt_agent_join(&w.state, &l, 3), MT_JOIN_REWIND);
	ck_assert_int_eq(mt_agent_join(&w.state, &l, 1), MT_JOIN_FOLLOW);
}
END_TEST

START_TEST(a_join_that_must_wait_changes_nothing)
{
	ROW(given_standby_down(), "no history", "standby", MT_ACT_NONE,
	    given_new_timeline();
	    w.state.history_of = TIMELINE);
	EXPECT_WHY("history");
	ROW(given_standby_down(), "no control file", "standby", MT_ACT_NONE,
	    given_new_timeline();
	    local()->control = MT_CONTROL_UNKNOWN);
	ROW(given_standby_down(), "with both", "standby", MT_ACT_START_STANDBY,
	    given_new_timeline());
	EXPECT(goes_to("node1"), "the holder");
}
END_TEST

int
main(void)
{
	RUN_TESTS("agent_standby", data_is_cloned_from_a_serving_primary,
		  what_failed_is_tried_again_with_growing_pauses,
		  a_server_that_is_down_is_started_as_a_standby,
		  a_standby_follows_whoever_holds_the_turn,
		  diverged_data_is_rewound_or_removed_as_it_is_allowed,
		  a_start_is_waited_for_as_long_as_it_is_for_the_primary,
		  what_crashed_as_primary_is_recovered_before_it_is_rewound,
		  what_is_thrown_away_is_named_in_the_log_before,
		  rewinding_that_does_not_help_is_not_repeated_at_once,
		  each_way_to_join_a_primary,
		  a_crashed_primary_joins_by_the_end_of_its_log,
		  a_timeline_that_the_history_lacks_has_diverged,
		  a_join_that_must_wait_changes_nothing);
}
