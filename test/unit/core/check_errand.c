/* SPDX-License-Identifier: PostgreSQL */
/*
 * Errands: what a body asks for, the conditions, what stands in the way, and
 * what has become of one.
 */
#include "core/errand.h"

#include <check.h>

#include "core/agent.h"

#include "given_sync.h"
#include "test/unit/run.h"

static char why[MT_WHY_MAX];

/* ---- the body ---- */

static int
parse(const char *text, struct mt_restart *r)
{
	json_t *body = json_loads(text, JSON_DECODE_ANY, NULL);
	struct mt_err err;
	int rv;

	memset(r, 0, sizeof(*r));
	ck_assert_msg(body != NULL, "%s", text);
	rv = mt_restart_parse(body, WALL, r, &err);
	json_decref(body);
	return rv;
}

START_TEST(each_key_of_a_body_has_its_rule)
{
	static const struct {
		const char *body;
		int rv;
	} rows[] = {
	    {"{}", 0},
	    {"[]", MT_EINVAL},
	    {"{\"restart_pending\": false}", 0},
	    {"{\"restart_pending\": \"True\"}", 0},
	    {"{\"role\": \"primary\"}", 0},
	    {"{\"role\": \"replica\"}", 0},
	    {"{\"role\": \"standby_leader\"}", 0},
	    {"{\"role\": \"master\"}", MT_EINVAL},
	    {"{\"role\": 1}", MT_EINVAL},
	    {"{\"postgres_version\": \"15.4\"}", 0},
	    {"{\"postgres_version\": \"9.6.24\"}", 0},
	    {"{\"postgres_version\": \"15\"}", MT_EINVAL},
	    {"{\"postgres_version\": \"15.\"}", MT_EINVAL},
	    {"{\"postgres_version\": \"15.4.\"}", MT_EINVAL},
	    {"{\"postgres_version\": \"1.2.3.4\"}", MT_EINVAL},
	    {"{\"postgres_version\": \"15.4beta\"}", MT_EINVAL},
	    {"{\"postgres_version\": \" 15.4\"}", MT_EINVAL},
	    {"{\"postgres_version\": 15.4}", MT_EINVAL},
	    {"{\"timeout\": 30}", 0},
	    {"{\"timeout\": \"30\"}", 0},
	    {"{\"timeout\": \"1min\"}", 0},
	    {"{\"timeout\": 0}", MT_EINVAL},
	    {"{\"timeout\": -1}", MT_EINVAL},
	    {"{\"timeout\": \"soon\"}", MT_EINVAL},
	    {"{\"timeout\": null}", MT_EINVAL},
	    {"{\"schedule\": \"2026-11-23T06:00+00:00\"}", 0},
	    {"{\"schedule\": \"2026-11-23T06:00\"}", MT_EINVAL},
	    {"{\"schedule\": \"2016-11-23T06:00Z\"}", MT_EREFUSED},
	    {"{\"schedule\": \"tomorrow\"}", MT_EREFUSED},
	    {"{\"schedule\": 1}", MT_EREFUSED},
	    {"{\"shedule\": \"2026-11-23T06:00Z\"}", MT_EINVAL},
	    {"{\"role\": \"replica\", \"force\": true}", MT_EINVAL},
	};
	struct mt_restart r;

	for (size_t i = 0; i < MT_COUNT(rows); i++)
		ck_assert_msg(parse(rows[i].body, &r) == rows[i].rv, "%s",
			      rows[i].body);
}
END_TEST

START_TEST(a_body_is_understood)
{
	struct mt_restart r;

	ck_assert_int_eq(parse("{\"restart_pending\": 0, \"role\": \"replica\","
			       " \"postgres_version\": \"16.4\","
			       " \"timeout\": \"1min\"}",
			       &r),
			 0);
	ck_assert(r.if_pending && r.has_role && r.role == MT_ROLE_REPLICA);
	ck_assert_uint_eq(r.below_version, 160004);
	ck_assert_int_eq(r.timeout_ms, 60000);
	ck_assert_int_eq(r.at_ms, 0);
	ck_assert_int_eq(parse("{\"postgres_version\": \"9.6.24\"}", &r), 0);
	ck_assert_uint_eq(r.below_version, 90624);
	ck_assert_int_eq(
	    parse("{\"schedule\": \"2026-11-23T06:00+01:00\"}", &r), 0);
	ck_assert_int_eq(r.at_ms, INT64_C(1795410000000));
}
END_TEST

/* ---- the conditions ---- */

static bool
objects(const struct mt_restart *r)
{
	return *mt_restart_objection(&w.view, r, why, sizeof(why)) != '\0';
}

START_TEST(a_restart_goes_by_its_conditions)
{
	given_primary();
	local()->server_version = 150004;
	ck_assert(!objects(&(struct mt_restart){0}));
	ck_assert(!objects(
	    &(struct mt_restart){.has_role = true, .role = MT_ROLE_PRIMARY}));
	ck_assert(objects(
	    &(struct mt_restart){.has_role = true, .role = MT_ROLE_REPLICA}));
	ck_assert(objects(&(struct mt_restart){.has_role = true,
					       .role = MT_ROLE_PRIMARY,
					       .standby_leader = true}));
	ck_assert(!objects(&(struct mt_restart){.below_version = 150005}));
	ck_assert(objects(&(struct mt_restart){.below_version = 150004}));
	ck_assert(objects(&(struct mt_restart){.if_pending = true}));
	local()->pending_restart = true;
	ck_assert(!objects(&(struct mt_restart){.if_pending = true}));
	local()->server_version = 0;
	ck_assert(objects(&(struct mt_restart){.below_version = 150005}));
	ck_assert(!objects(&(struct mt_restart){0}));

	given_standby();
	ck_assert(!objects(
	    &(struct mt_restart){.has_role = true, .role = MT_ROLE_REPLICA}));
	ck_assert(objects(
	    &(struct mt_restart){.has_role = true, .role = MT_ROLE_PRIMARY}));
	given_standby_down();
	ck_assert(!objects(&(struct mt_restart){0}));
	given_no_data(2);
	ck_assert(objects(&(struct mt_restart){0}));
	given_standby();
	local()->witness = true;
	ck_assert(objects(&(struct mt_restart){0}));
}
END_TEST

START_TEST(one_long_action_at_a_time)
{
	given_standby();
	ck_assert_str_eq(mt_errand_busy(&w.view), "");
	local()->job = MT_JOB_FOLLOW;
	ck_assert_str_eq(mt_errand_busy(&w.view), "");
	local()->job = MT_JOB_CLONE;
	ck_assert_str_eq(mt_errand_busy(&w.view), "clone");
	local()->errand.kind = MT_ERRAND_REINIT;
	ck_assert_str_eq(mt_errand_busy(&w.view), "reinitialize");
	local()->errand.kind = MT_ERRAND_RESTART;
	ck_assert_str_eq(mt_errand_busy(&w.view), "restart");
	given_primary();
	given_request("node2");
	ck_assert_str_eq(mt_errand_busy(&w.view), "switchover");
	given_supported();
	ck_assert_str_eq(mt_errand_busy(&w.view), "promote");
}
END_TEST

static bool
may_not_be_made_anew(void)
{
	return *mt_reinit_objection(&w.view, why, sizeof(why)) != '\0';
}

START_TEST(a_replica_is_made_anew_where_somebody_leads)
{
	given_standby();
	ck_assert(!may_not_be_made_anew());
	given_standby_down();
	ck_assert(!may_not_be_made_anew());
	given_no_data(2);
	ck_assert(!may_not_be_made_anew());
	local()->data = MT_DATA_FOREIGN;
	ck_assert(may_not_be_made_anew());
	given_standby();
	w.state.leader.released = true;
	ck_assert(may_not_be_made_anew());
	given_primary();
	ck_assert(may_not_be_made_anew());
	ck_assert_str_eq(why, "I am the leader, can not reinitialize");
	given_primary_down();
	ck_assert(may_not_be_made_anew());
}
END_TEST

START_TEST(data_that_commits_wait_for_alone_stays)
{
	given_standby();
	given_log("2", 1);
	local()->data_id = data_of(2);
	w.settings.synchronous_mode = MT_SYNC_ON;
	ck_assert(!may_not_be_made_anew());
	w.settings.synchronous_mode_strict = true;
	report_of(3)->data_id = data_of(3);
	ck_assert(!may_not_be_made_anew());
	given_silence(3);
	ck_assert(may_not_be_made_anew());
}
END_TEST

/* ---- its time ---- */

#define BEGAN "2026-11-23 06:00:00+00"
#define THE_SAME "2026-11-23 07:00:00+01"
#define ANOTHER "2026-11-23 06:00:01+00"

static enum mt_due
due(int64_t late_ms, const char *started_now, int64_t *look_ms)
{
	struct mt_restart r = {.at_ms = WALL - late_ms};

	return mt_restart_due(&w.view, &r, BEGAN, started_now, look_ms);
}

START_TEST(a_scheduled_restart_is_done_at_its_time_or_never)
{
	int64_t most_ms, look_ms;

	given_standby();
	most_ms = w.settings.loop_wait_ms * 3 / 2;
	ck_assert_int_eq(due(-3000, BEGAN, &look_ms), MT_DUE_LATER);
	ck_assert_int_eq(look_ms, NOW + 3000);
	ck_assert_int_eq(due(0, BEGAN, &look_ms), MT_DUE_NOW);
	ck_assert_int_eq(due(0, THE_SAME, &look_ms), MT_DUE_NOW);
	ck_assert_int_eq(due(most_ms, BEGAN, &look_ms), MT_DUE_NOW);
	ck_assert_int_eq(due(most_ms + 1, BEGAN, &look_ms), MT_DUE_MISSED);
	ck_assert_int_eq(due(-3000, ANOTHER, &look_ms), MT_DUE_OVERTAKEN);
	ck_assert_int_eq(due(0, ANOTHER, &look_ms), MT_DUE_OVERTAKEN);
	ck_assert_int_eq(due(-3000, "", &look_ms), MT_DUE_LATER);
	ck_assert_int_eq(due(0, "", &look_ms), MT_DUE_NOW);
}
END_TEST

START_TEST(a_scheduled_restart_waits_while_nothing_may_begin)
{
	int64_t most_ms, look_ms;

	given_standby();
	most_ms = w.settings.loop_wait_ms * 3 / 2;
	w.settings.pause = true;
	ck_assert_int_eq(due(1000, BEGAN, &look_ms), MT_DUE_LATER);
	ck_assert_int_eq(look_ms, NOW + most_ms - 1000 + 1);
	ck_assert_int_eq(due(most_ms + 1, BEGAN, &look_ms), MT_DUE_MISSED);
	given_standby();
	local()->job = MT_JOB_REWIND;
	ck_assert_int_eq(due(0, BEGAN, &look_ms), MT_DUE_LATER);
	given_standby();
	local()->stopping = true;
	ck_assert_int_eq(due(0, BEGAN, &look_ms), MT_DUE_LATER);
	given_standby();
	local()->data = MT_DATA_UNKNOWN;
	ck_assert_int_eq(due(0, "", &look_ms), MT_DUE_LATER);
	/* Which server it is, is not known yet. */
	given_standby();
	local()->accepting = false;
	ck_assert_int_eq(due(0, "", &look_ms), MT_DUE_LATER);
}
END_TEST

/* ---- what has become of it ---- */

static void
given_errand(enum mt_errand_kind kind)
{
	local()->errand = (struct mt_errand){
	    .kind = kind,
	    .id = 3,
	    .asked_ms = NOW - 1000,
	    .timeout_ms = 5000,
	    .as_primary = local()->as_primary,
	};
}

#define LOOKS(given, what, want, ...) \
	do { \
		given; \
		__VA_ARGS__; \
		mt_errand_see(&local()->errand, local()); \
		ck_assert_msg(mt_errand_look(&w.view, why, sizeof(why)) == \
				  (want), \
			      "%s: want %s (%s)", what, #want, why); \
	} while (0)

static void
given_asked(void)
{
	given_primary();
	given_errand(MT_ERRAND_RESTART);
}

static void
given_stopped(void)
{
	given_asked();
	local()->running = local()->accepting = local()->as_primary = false;
	local()->errand.stop_ms = NOW - 500;
	local()->last_job = MT_JOB_STOP;
	local()->last_job_ms = NOW - 100;
}

static void
given_starting(void)
{
	given_stopped();
	local()->running = local()->as_primary = true;
	local()->job = MT_JOB_START;
	local()->job_since_ms = NOW - 50;
}

static void
given_started(void)
{
	given_starting();
	local()->accepting = true;
	local()->job = MT_JOB_NONE;
	local()->last_job = MT_JOB_START;
	local()->last_job_ms = NOW;
}

START_TEST(a_restart_is_done_when_it_answers_again)
{
	LOOKS(given_asked(), "asked", MT_ERRAND_GOES_ON, );
	LOOKS(given_stopped(), "down", MT_ERRAND_GOES_ON, );
	LOOKS(given_starting(), "starting", MT_ERRAND_GOES_ON, );
	LOOKS(given_started(), "up", MT_ERRAND_DONE, );
	LOOKS(given_started(), "up, and it does not answer", MT_ERRAND_GOES_ON,
	      local()->accepting = false);
	LOOKS(given_asked(), "up from before", MT_ERRAND_GOES_ON,
	      local()->last_job = MT_JOB_START;
	      local()->last_job_ms = NOW - 100000);
	LOOKS(given_stopped(), "stopping", MT_ERRAND_GOES_ON,
	      local()->running = local()->as_primary = true;
	      local()->job = MT_JOB_STOP);
	/* What was seen once counts. */
	given_starting();
	mt_errand_see(&local()->errand, local());
	local()->job = MT_JOB_NONE;
	local()->last_job = MT_JOB_FOLLOW;
	LOOKS(, "another job since", MT_ERRAND_DONE, local()->accepting = true);
}
END_TEST

START_TEST(a_restart_that_did_not_work_is_over)
{
	LOOKS(given_starting(), "its time is over", MT_ERRAND_LATE,
	      local()->job_since_ms = NOW - 5000);
	LOOKS(given_starting(), "no limit", MT_ERRAND_GOES_ON,
	      local()->job_since_ms = NOW - 5000000;
	      local()->errand.timeout_ms = 0);
	LOOKS(given_started(), "the start failed", MT_ERRAND_FAILED,
	      local()->running = local()->as_primary = false;
	      local()->last_job_failed = true);
	given_starting();
	mt_errand_see(&local()->errand, local());
	local()->job = MT_JOB_NONE;
	local()->last_job = MT_JOB_STOP;
	LOOKS(, "the start was ended", MT_ERRAND_FAILED,
	      local()->running = false);
	LOOKS(given_stopped(), "down for long", MT_ERRAND_FAILED,
	      local()->last_job_ms = NOW - 60000;
	      local()->errand.stop_ms = NOW - 60000);
	LOOKS(given_started(), "a standby now", MT_ERRAND_FAILED,
	      local()->as_primary = false);
	LOOKS(given_asked(), "another role first", MT_ERRAND_FAILED,
	      local()->as_primary = false);
	LOOKS(given_asked(), "not begun for long", MT_ERRAND_FAILED,
	      local()->errand.asked_ms = NOW - 30000);
	LOOKS(given_asked(), "its checkpoint takes long", MT_ERRAND_GOES_ON,
	      local()->errand.asked_ms = NOW - 30000;
	      local()->job = MT_JOB_CHECKPOINT);
	LOOKS(given_asked(), "its checkpoint took long", MT_ERRAND_GOES_ON,
	      local()->errand.asked_ms = NOW - 30000;
	      local()->last_job = MT_JOB_CHECKPOINT;
	      local()->last_job_ms = NOW - 1000);
	LOOKS(given_stopped(), "the daemon ends", MT_ERRAND_FAILED,
	      local()->stopping = true);
}
END_TEST

static void
given_anew(void)
{
	given_standby();
	given_errand(MT_ERRAND_REINIT);
}

static void
given_copy(void)
{
	given_no_data(2);
	given_errand(MT_ERRAND_REINIT);
	local()->data = MT_DATA_PRESENT;
	local()->last_job = MT_JOB_CLONE;
	local()->last_job_ms = NOW - 100;
}

START_TEST(a_new_copy_is_done_when_it_answers)
{
	LOOKS(given_anew(), "asked", MT_ERRAND_GOES_ON, );
	ck_assert_int_eq(mt_errand_state(local(), MT_PG_RUNNING),
			 MT_PG_CREATING_REPLICA);
	LOOKS(given_no_data(2), "thrown away", MT_ERRAND_GOES_ON,
	      given_errand(MT_ERRAND_REINIT));
	LOOKS(given_copy(), "a clone from before", MT_ERRAND_GOES_ON,
	      local()->last_job_ms = NOW - 2000);
	ck_assert(!local()->errand.made);
	LOOKS(given_copy(), "a clone that failed", MT_ERRAND_GOES_ON,
	      local()->last_job_failed = true;
	      local()->data = MT_DATA_PARTIAL);
	ck_assert(!local()->errand.made);
	LOOKS(given_copy(), "copied", MT_ERRAND_GOES_ON, );
	ck_assert(local()->errand.made);
	ck_assert_int_eq(mt_errand_state(local(), MT_PG_STOPPED),
			 MT_PG_CREATING_REPLICA);
	local()->running = local()->accepting = true;
	local()->last_job = MT_JOB_START;
	local()->last_job_ms = NOW;
	LOOKS(, "up", MT_ERRAND_DONE, );
	ck_assert_int_eq(mt_errand_state(local(), MT_PG_RUNNING),
			 MT_PG_RUNNING);
	LOOKS(given_anew(), "chosen as primary", MT_ERRAND_FAILED,
	      mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2"));
	LOOKS(given_anew(), "not begun for long", MT_ERRAND_FAILED,
	      local()->errand.asked_ms = NOW - 30000);
}
END_TEST

START_TEST(people_are_told_of_a_restart)
{
	given_asked();
	ck_assert_int_eq(mt_errand_state(local(), MT_PG_RUNNING),
			 MT_PG_RUNNING);
	given_stopped();
	ck_assert_int_eq(mt_errand_state(local(), MT_PG_STOPPING),
			 MT_PG_RESTARTING);
	ck_assert_int_eq(mt_errand_state(local(), MT_PG_STARTING),
			 MT_PG_RESTARTING);
	ck_assert_int_eq(mt_errand_state(local(), MT_PG_RUNNING),
			 MT_PG_RUNNING);
}
END_TEST

int
main(void)
{
	RUN_TESTS(
	    "errand", each_key_of_a_body_has_its_rule, a_body_is_understood,
	    a_restart_goes_by_its_conditions, one_long_action_at_a_time,
	    a_replica_is_made_anew_where_somebody_leads,
	    data_that_commits_wait_for_alone_stays,
	    a_scheduled_restart_is_done_at_its_time_or_never,
	    a_scheduled_restart_waits_while_nothing_may_begin,
	    a_restart_is_done_when_it_answers_again,
	    a_restart_that_did_not_work_is_over,
	    a_new_copy_is_done_when_it_answers, people_are_told_of_a_restart);
}
