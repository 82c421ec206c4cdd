/* SPDX-License-Identifier: PostgreSQL */
/* POST /restart and /reinitialize, asked over HTTP from a node made up in
 * memory. */
#include "fake.h"
#include "test/unit/run.h"

static int fd;

static void
changed(void)
{
	fake.watch_fn(fake.watch_arg);
}

/* Ask for a restart, and let it be taken up. */
static void
begin(const char *body)
{
	int64_t end_ms = mt_clock_ms() + 20000;

	fd = send_ask("POST", "/restart", body);
	while (fake.n_restarts == 0 && mt_clock_ms() < end_ms)
		turn(1);
	ck_assert_int_eq(fake.n_restarts, 1);
}

static void
end(bool ok, const char *why)
{
	fake.news.id = fake.local.errand.id;
	fake.news.ok = ok;
	mt_copy(fake.news.why, sizeof(fake.news.why), why);
	memset(&fake.local.errand, 0, sizeof(fake.local.errand));
	changed();
	read_answer(fd);
}

START_TEST(a_restart_is_answered_when_it_is_over)
{
	begin("{\"role\": \"primary\", \"timeout\": 7}");
	ck_assert_int_eq(fake.how.timeout_ms, 7000);
	changed();
	end(true, "");
	ck_assert_int_eq(status, 200);
	ck_assert_str_eq(answer_body, "restarted successfully");
}
END_TEST

START_TEST(a_restart_that_failed_says_why)
{
	begin(NULL);
	end(false, "it fell over");
	ck_assert_int_eq(status, 503);
	ck_assert_str_eq(answer_body, "restart failed: it fell over");
}
END_TEST

START_TEST(a_start_that_takes_long_is_told)
{
	begin("");
	fake.news.late_id = fake.local.errand.id;
	changed();
	read_answer(fd);
	ck_assert_int_eq(status, 503);
	ck_assert_str_eq(answer_body, "postgres is still starting");
}
END_TEST

START_TEST(another_errand_in_its_place_ends_the_wait)
{
	begin("{}");
	fake.local.errand.id += 2;
	fake.news.id = fake.local.errand.id - 1;
	changed();
	read_answer(fd);
	ck_assert_int_eq(status, 503);
}
END_TEST

START_TEST(a_client_that_leaves_does_not_matter)
{
	begin("{}");
	close(fd);
	turn(30);
	fake.news.id = fake.local.errand.id;
	changed();
	turn(30);
}
END_TEST

START_TEST(a_daemon_that_ends_answers)
{
	begin("{}");
	mt_api_close(fake.api, fake_closed, &fake);
	fake.api = NULL;
	read_answer(fd);
	ck_assert_int_eq(status, 503);
}
END_TEST

static void
ask_with(const char *path, const char *body)
{
	read_answer(send_ask("POST", path, body));
}

static void
refused(const char *path, const char *body, int want, const char *text)
{
	ask_with(path, body);
	ck_assert_msg(status == want, "%s %s: %d %s", path, body, status,
		      answer_body);
	ck_assert_msg(strstr(answer_body, text) != NULL, "%s: %s", body,
		      answer_body);
	ck_assert_int_eq(fake.n_restarts + fake.n_reinits, 0);
}

START_TEST(what_is_not_understood_or_not_met_does_nothing)
{
	refused("/restart", "{", 400, "JSON");
	refused("/restart", "[1]", 400, "JSON");
	refused("/restart", "{\"role\": \"master\"}", 400, "role");
	refused("/restart", "{\"schedule\": \"2020-01-01T00:00\"}", 400,
		"Timezone");
	refused("/restart", "{\"schedule\": \"2020-01-01T00:00Z\"}", 422,
		"past");
	refused("/restart", "{\"role\": \"replica\"}", 503,
		"conditions are not satisfied");
	fake.local.job = MT_JOB_START;
	refused("/restart", "{}", 503, "start already in progress");
	fake.local.job = MT_JOB_NONE;
	fake.local.errand.kind = MT_ERRAND_REINIT;
	refused("/restart", "{}", 503, "reinitialize already in progress");
	fake.local.data = MT_DATA_UNKNOWN; /* between its stop and its start */
	refused("/restart", "{}", 503, "reinitialize already in progress");
	fake.local.data = MT_DATA_PRESENT;
	fake.local.errand.kind = MT_ERRAND_NONE;
	fake.local.stopping = true;
	refused("/restart", "{}", 503, "ends");
}
END_TEST

/* ---- for later ---- */

#define LATER "{\"schedule\": \"2099-01-01T00:00+00:00\"}"

static void
begin_schedule(const char *method, const char *body)
{
	int64_t end_ms = mt_clock_ms() + 20000;

	fake.schedule_cb = NULL;
	fd = send_ask(method, "/restart", body);
	while (fake.schedule_cb == NULL && mt_clock_ms() < end_ms)
		turn(1);
	ck_assert_ptr_nonnull(fake.schedule_cb);
}

START_TEST(a_restart_is_scheduled_when_it_is_kept)
{
	begin_schedule("POST", LATER);
	ck_assert_json(fake.schedule, "{'schedule':'2099-01-01T00:00+00:00'}");
	fake.schedule_cb(fake.schedule_arg, 0, "");
	read_answer(fd);
	ck_assert_int_eq(status, 202);
	ck_assert_str_eq(answer_body, "Restart scheduled");
	begin_schedule("POST", LATER);
	fake.schedule_cb(fake.schedule_arg, MT_ESYS, "disk full");
	read_answer(fd);
	ck_assert_int_eq(status, 500);
	begin_schedule("POST", LATER);
	close(fd);
	turn(30);
	fake.schedule_cb(fake.schedule_arg, 0, "");
}
END_TEST

START_TEST(a_scheduled_restart_is_deleted)
{
	ask("DELETE", "/restart");
	ck_assert_int_eq(status, 404);
	fake.local.scheduled_restart = true;
	begin_schedule("DELETE", NULL);
	ck_assert_ptr_null(fake.schedule);
	fake.schedule_cb(fake.schedule_arg, 0, "");
	read_answer(fd);
	ck_assert_int_eq(status, 200);
}
END_TEST

START_TEST(what_cannot_be_scheduled_is_not)
{
	char body[512] = "{\"schedule\": \"2099-01-01T00:00Z\", "
			 "\"timeout\": \"";
	size_t n = strlen(body);

	fake.local.scheduled_restart = true;
	refused("/restart", LATER, 409, "already scheduled");
	fake.local.scheduled_restart = false;
	fake.settings.pause = true;
	refused("/restart", LATER, 500, "paused state");
	fake.settings.pause = false;
	memset(body + n, ' ', 300);
	mt_copy(body + n + 300, sizeof(body) - n - 300, "1min\"}");
	refused("/restart", body, 400, "");
	ck_assert(fake.schedule_cb == NULL);
}
END_TEST

START_TEST(a_schedule_is_shown_where_members_are)
{
	static const char *const paths[] = {"/patroni", "/cluster",
					    "/raft/state"};

	mt_copy(fake_report(0)->scheduled, MT_REPORT_SCHEDULED_MAX, LATER);
	for (size_t i = 0; i < MT_COUNT(paths); i++) {
		ask("GET", paths[i]);
		ck_assert_msg(strstr(answer_body,
				     "\"scheduled_restart\": {\"schedule\": "
				     "\"2099-01-01T00:00+00:00\"}") != NULL,
			      "%s: %s", paths[i], answer_body);
	}
}
END_TEST

START_TEST(a_replica_begins_to_be_made_anew)
{
	fake_local(false);
	ask_with("/reinitialize", NULL);
	ck_assert_int_eq(status, 200);
	ck_assert_str_eq(answer_body, "reinitialize started");
	ck_assert(fake.n_reinits == 1 && !fake.from_leader);
	fake.local.errand.kind = MT_ERRAND_NONE;
	ask_with("/reinitialize", "{\"from-leader\": \"on\"}");
	ck_assert(fake.n_reinits == 2 && fake.from_leader);
	fake.local.job = MT_JOB_CLONE;
	ask_with("/reinitialize", "{\"force\": true, \"from_leader\": true}");
	ck_assert_int_eq(status, 200);
	ck_assert(fake.n_reinits == 3 && fake.from_leader);
}
END_TEST

START_TEST(who_is_not_made_anew_says_why)
{
	refused("/reinitialize", "{\"force\": true}", 503,
		"I am the leader, can not reinitialize");
	fake_local(false);
	refused("/reinitialize", "{", 400, "JSON");
	refused("/reinitialize", "{\"force\": \"maybe\"}", 400, "force");
	fake.local.job = MT_JOB_CLONE;
	refused("/reinitialize", "{}", 503, "clone already in progress");
	fake.local.errand.kind = MT_ERRAND_RESTART;
	refused("/reinitialize", "{\"force\": false}", 503,
		"restart already in progress");
	fake.state.leader.released = true;
	refused("/reinitialize", "{\"force\": true}", 503, "no leader");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("restart");
	TCase *tc = tcase_create("restart");

	tcase_add_checked_fixture(tc, fake_setup, fake_teardown);
	tcase_add_test(tc, a_restart_is_answered_when_it_is_over);
	tcase_add_test(tc, a_restart_that_failed_says_why);
	tcase_add_test(tc, a_start_that_takes_long_is_told);
	tcase_add_test(tc, another_errand_in_its_place_ends_the_wait);
	tcase_add_test(tc, a_client_that_leaves_does_not_matter);
	tcase_add_test(tc, a_daemon_that_ends_answers);
	tcase_add_test(tc, what_is_not_understood_or_not_met_does_nothing);
	tcase_add_test(tc, a_restart_is_scheduled_when_it_is_kept);
	tcase_add_test(tc, a_scheduled_restart_is_deleted);
	tcase_add_test(tc, what_cannot_be_scheduled_is_not);
	tcase_add_test(tc, a_schedule_is_shown_where_members_are);
	tcase_add_test(tc, a_replica_begins_to_be_made_anew);
	tcase_add_test(tc, who_is_not_made_anew_says_why);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
