/* SPDX-License-Identifier: PostgreSQL */
/*
 * POST and DELETE /switchover: the checks, and the answers to what becomes of
 * it. /failover is in check_failover.c, dry runs are in check_dry_run.c.
 */
#include <time.h>

#include "asked.h"
#include "test/unit/run.h"

/* The clock of this program can be wound: these stand in for base/clock.c. */
static int64_t skew_ms;

int64_t
mt_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
mt_clock_ms(void)
{
	return mt_wall_ms() + skew_ms;
}

char *
mt_wall_iso(char *buf, int64_t wall_ms)
{
	mt_format(buf, MT_ISO_MAX, "%lld", (long long)wall_ms);
	return buf;
}

#define ANY "{\"leader\":\"node1\"}"

static const struct {
	const char *body;
	int status;
	const char *text;
} refusals[] = {
    {NULL, 411, ""},
    {"", 400, ""},
    {"{", 400, ""},
    {"[1]", 400, ""},
    {"{}", 400, ""},
    {"{\"leader\":5}", 400, "strings"},
    {"{\"candidate\":\"node2\"}", 400, "specific leader"},
    {"{\"leader\":null,\"candidate\":\"node2\"}", 400, "specific leader"},
    {"{\"leader\":\"node1\",\"scheduled_at\":\"2100-01-01T00:00:00\"}", 400,
     "Timezone"},
    {"{\"leader\":\"node1\",\"scheduled_at\":\"2020-01-01T00:00:00Z\"}", 422,
     "in the past"},
    {"{\"leader\":\"node1\",\"scheduled_at\":\"soon\"}", 422, "parse"},
    {"{\"leader\":\"node1\",\"scheduled_at\":true}", 422, "parse"},
    {"{\"leader\":\"node9\",\"scheduled_at\":\"2100-01-01T00:00:00Z\"}", 412,
     "leader does not exist"},
    {"{\"leader\":\"node1\",\"dry_run\":1}", 400, "dry_run"},
    {"{\"leader\":\"node1\",\"candidate\":\"node1\"}", 400, "the same"},
    {"{\"leader\":\"node2\",\"candidate\":\"node3\"}", 412,
     "leader name does not match"},
    {"{\"leader\":\"node1\",\"candidate\":\"node9\"}", 412,
     "candidate does not exist"},
    {"{\"leader\":\"node1\",\"member\":\"node9\"}", 412,
     "candidate does not exist"},
    {"{\"leader\":\"node1\",\"candidate\":\"node4\"}", 412, /* witness */
     "candidate does not exist"},
};

static int
post(const char *body)
{
	read_answer(send_ask("POST", "/switchover", body));
	return status;
}

START_TEST(a_bad_request_is_refused_and_nothing_is_proposed)
{
	ck_assert_int_eq(post(refusals[_i].body), refusals[_i].status);
	ck_assert_msg(strstr(answer_body, refusals[_i].text) != NULL, "%s",
		      answer);
	ck_assert_int_eq(fake.n_proposed, 0);
}
END_TEST

START_TEST(a_switchover_needs_a_leader_and_somebody_else)
{
	fake.settings.pause = true;
	ck_assert_int_eq(post(ANY), 400);
	fake.settings.pause = false;
	fake.reports.seen[1].gone = true;
	fake_report(2)->nofailover = true;
	ck_assert_int_eq(post(ANY), 412);
	ck_assert_str_eq(answer_body, "switchover is not possible: no good "
				      "candidates have been found");
	ck_assert_int_eq(post(BODY), 412);
	ck_assert_str_eq(answer_body, "switchover is not possible: no good "
				      "candidates have been found");
	fake.state.n_members = 1;
	ck_assert_int_eq(post(ANY), 412);
	ck_assert_str_eq(answer_body,
			 "switchover is not possible: cluster does not have "
			 "members except leader");
	fake.state.leader.released = true;
	ck_assert_int_eq(post(ANY), 412);
	ck_assert_int_eq(fake.n_proposed, 0);
}
END_TEST

START_TEST(with_the_mode_on_only_a_synchronous_standby_takes_over)
{
	fake_sync(MT_SYNC_ON);
	fake.state.sync.n = 1;
	ck_assert_int_eq(post("{\"leader\":\"node1\",\"candidate\":\"node3\"}"),
			 412);
	ck_assert_str_eq(answer_body, "candidate name does not match with "
				      "sync_standby");
	ck_assert_int_eq(post("{\"leader\":\"node1\",\"candidate\":\"node9\"}"),
			 412);
	ck_assert_str_eq(answer_body, "candidate name does not match with "
				      "sync_standby");
	/* node3 would do, but is none of them */
	fake_report(1)->nofailover = true;
	ck_assert_int_eq(post(ANY), 412);
	ck_assert_str_eq(answer_body, "switchover is not possible: no good "
				      "candidates have been found");
	fake.state.sync.n = fake.state.sync.k = 0;
	ck_assert_int_eq(post(ANY), 412);
	ck_assert_str_eq(answer_body, "switchover is not possible: can not "
				      "find sync_standby");
	ck_assert_int_eq(fake.n_proposed, 0);
}
END_TEST

START_TEST(data_that_was_rewound_since_is_no_synchronous_standby)
{
	fake_sync(MT_SYNC_ON);
	fake_report(1)->data_id = 99;
	ck_assert_int_eq(post(BODY), 412);
	ck_assert_str_eq(answer_body, "candidate name does not match with "
				      "sync_standby");
	ck_assert_int_eq(fake.n_proposed, 0);
}
END_TEST

/* ---- what becomes of it ----------------------------------------------- */

static int
begin(const char *body)
{
	int fd = send_ask("POST", "/switchover", body);

	until_proposed(1);
	ck_assert_int_eq(fake.cmd.kind, MT_CMD_REQUEST_PUT);
	ck_assert_int_eq(fake.cmd.u.request_put.kind, MT_REQUEST_SWITCHOVER);
	ck_assert_str_eq(fake.cmd.u.request_put.leader, "node1");
	ck_assert_int_gt(fake.timeout_ms, 0);
	return fd;
}

START_TEST(a_synchronous_standby_may_be_asked_for)
{
	fake_sync(MT_SYNC_ON);
	begin(BODY);
	fake.n_proposed = 0;
	begin(ANY);
}
END_TEST

START_TEST(in_quorum_mode_any_replica_may_be_asked_for)
{
	fake_sync(MT_SYNC_QUORUM);
	fake.state.sync.n = fake.state.sync.k = 0;
	begin(BODY);
	fake.n_proposed = 0;
	begin(ANY);
}
END_TEST

START_TEST(success_is_answered_once_the_new_primary_writes)
{
	int fd = begin(BODY);

	ck_assert_str_eq(fake.cmd.u.request_put.candidate, "node2");
	recorded(true);
	not_answered(fd);
	assigned("node2");
	ended(true, "");
	not_answered(fd);
	writes(1);
	answered(fd, 200, "Successfully switched over to \"node2\"");
}
END_TEST

START_TEST(a_node_behind_waits_until_it_applied_the_request)
{
	int fd = begin("{\"leader\":\"node1\",\"member\":\"node2\"}");

	ck_assert_str_eq(fake.cmd.u.request_put.candidate, "node2");
	recorded(false);
	not_answered(fd);
	fake.watch_fn(fake.watch_arg);
	not_answered(fd);
	assigned("node2");
	ended(true, "");
	writes(1);
	answered(fd, 200, "Successfully switched over to \"node2\"");
}
END_TEST

START_TEST(another_than_the_candidate_is_named)
{
	int fd = begin(BODY);

	recorded(true);
	assigned("node3");
	ended(true, "");
	writes(2);
	answered(fd, 200, "Switched over to \"node3\" instead of \"node2\"");
}
END_TEST

START_TEST(without_a_candidate_anybody_is_success)
{
	int fd = begin(ANY);

	ck_assert_str_eq(fake.cmd.u.request_put.candidate, "");
	recorded(true);
	assigned("node3");
	ended(true, "");
	writes(2);
	answered(fd, 200, "Successfully switched over to \"node3\"");
}
END_TEST

START_TEST(a_request_that_was_given_up_fails_with_the_reason)
{
	int fd = begin(BODY);

	recorded(true);
	ended(false, "node2: behind");
	answered(fd, 503, "Switchover failed: node2: behind");
}
END_TEST

START_TEST(an_outcome_that_was_overwritten_is_judged_by_who_leads)
{
	int fd = begin(BODY);

	recorded(true);
	ended(true, "");
	fake.state.outcome.id = 45;
	fake.watch_fn(fake.watch_arg);
	read_answer(fd);
	ck_assert_int_eq(status, 503);
	ck_assert_ptr_nonnull(strstr(answer_body, "Switchover failed"));
}
END_TEST

START_TEST(a_refused_proposal_fails_and_a_lost_one_is_unknown)
{
	int fd = begin(BODY);

	fake.propose_cb(fake.propose_arg, MT_EREFUSED, 0,
			"another request stands");
	answered(fd, 503, "Switchover failed: another request stands");
	fake.n_proposed = 0;
	fd = begin(BODY);
	fake.propose_cb(fake.propose_arg, MT_ETIMEDOUT, 0, "no Raft leader");
	answered(fd, 503, "Switchover status unknown: no Raft leader");
}
END_TEST

START_TEST(closing_answers_what_waits_and_outlives_the_proposal)
{
	int fd = begin(BODY), second;

	fake.n_proposed = 0;
	recorded(true);
	second = begin(ANY);
	mt_api_close(fake.api, fake_closed, &fake);
	fake.api = NULL;
	answered(fd, 503, "Switchover status unknown: this daemon ends");
	answered(second, 503, "Switchover status unknown: this daemon ends");
	uv_run(&fake.loop, UV_RUN_DEFAULT);
	ck_assert(fake.closed);
	fake.propose_cb(fake.propose_arg, MT_ECANCELED, 0, "shutting down");
}
END_TEST

START_TEST(a_client_that_left_leaves_nothing_behind)
{
	int fd = begin(BODY);

	close(fd);
	turn(10);
	recorded(true);
	assigned("node2");
	ended(true, "");
	writes(1);
	turn(10);
	ck_assert_int_eq(ask("GET", "/liveness"), 200);
}
END_TEST

/* Ends at once, in place of the record. */
static void
propose_at_once(void *arg, const struct mt_command *cmd, int64_t timeout_ms,
		mt_propose_cb cb, void *cb_arg)
{
	(void)arg;
	(void)cmd;
	(void)timeout_ms;
	cb(cb_arg, MT_EBUSY, 0, "shutting down");
}

START_TEST(a_proposal_may_end_within_its_call)
{
	fake.backend.propose = propose_at_once;
	ck_assert_int_eq(post(BODY), 503);
	ck_assert_str_eq(answer_body, "Switchover failed: shutting down");
}
END_TEST

START_TEST(no_outcome_in_time_is_unknown)
{
	int fd = begin(BODY);

	recorded(true);
	skew_ms = 19000;
	fake.watch_fn(fake.watch_arg);
	not_answered(fd);
	skew_ms = 20000;
	fake.watch_fn(fake.watch_arg);
	skew_ms = 0; /* for the time limit of the client */
	answered(fd, 503,
		 "Switchover status unknown: no outcome within 20 "
		 "seconds");
}
END_TEST

/* ---- scheduled -------------------------------------------------------- */

#define LATER \
	"{\"leader\":\"node1\",\"scheduled_at\":\"2100-01-01T01:00+01:00\"}"
#define LATER_MS INT64_C(4102444800000)

START_TEST(what_is_scheduled_is_answered_once_it_is_known_here)
{
	int fd = begin(LATER);
	json_t *doc;

	ck_assert_int_eq(fake.cmd.u.request_put.scheduled_ms, LATER_MS);
	ck_assert_uint_eq(fake.cmd.u.request_put.id, 0);
	recorded(false);
	not_answered(fd);
	recorded(true);
	fake.watch_fn(fake.watch_arg);
	answered(fd, 202, "Switchover scheduled");
	doc = ask_json("/cluster");
	ck_assert_json(json_object_get(doc, "scheduled_switchover"),
		       "{'at':'4102444800000','from':'node1'}");
	json_decref(doc);
	doc = ask_json("/raft/state");
	ck_assert_json(json_object_get(doc, "failover"),
		       "{'leader':'node1','scheduled_at':'4102444800000'}");
	json_decref(doc);
	/* and the next one says that it knows this one */
	fake.n_proposed = 0;
	close(begin(BODY));
	ck_assert_uint_eq(fake.cmd.u.request_put.id, 41);
	turn(10);
	fake.propose_cb(fake.propose_arg, MT_EREFUSED, 0, "");
}
END_TEST

START_TEST(in_pause_nothing_is_scheduled)
{
	fake.settings.pause = true;
	ck_assert_int_eq(post(LATER), 400);
	ck_assert_ptr_nonnull(strstr(answer_body, "paused state"));
}
END_TEST

static int
delete_it(void)
{
	return send_ask("DELETE", "/switchover", NULL);
}

START_TEST(what_is_scheduled_is_taken_back)
{
	int fd;

	answered(delete_it(), 404, "no switchover is scheduled");
	fake.state.request.kind = MT_REQUEST_SWITCHOVER;
	fake.state.request.id = 40;
	answered(delete_it(), 404, "no switchover is scheduled");
	ck_assert_int_eq(fake.n_proposed, 0);
	fake.state.request.scheduled_ms = LATER_MS;
	fd = delete_it();
	until_proposed(1);
	ck_assert_int_eq(fake.cmd.kind, MT_CMD_REQUEST_CLEAR);
	ck_assert_uint_eq(fake.cmd.u.request_clear.id, 40);
	fake.state.index = 41;
	fake.propose_cb(fake.propose_arg, 0, 41, "");
	answered(fd, 200, "scheduled switchover deleted");
	fd = delete_it();
	until_proposed(2);
	fake.propose_cb(fake.propose_arg, MT_EREFUSED, 0, "it began");
	read_answer(fd);
	ck_assert_int_eq(status, 409);
	fd = delete_it();
	until_proposed(3);
	fake.propose_cb(fake.propose_arg, MT_EBUSY, 0, "shutting down");
	answered(fd, 503,
		 "scheduled switchover was not deleted: shutting down");
	fd = delete_it();
	until_proposed(4);
	fake.propose_cb(fake.propose_arg, MT_ETIMEDOUT, 0, "no Raft leader");
	answered(fd, 503, "Switchover status unknown: no Raft leader");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("switchover");
	TCase *tc = tcase_create("switchover");

	tcase_add_checked_fixture(tc, fake_setup, fake_teardown);
	tcase_add_loop_test(tc,
			    a_bad_request_is_refused_and_nothing_is_proposed, 0,
			    (int)MT_COUNT(refusals));
	tcase_add_test(tc, a_switchover_needs_a_leader_and_somebody_else);
	tcase_add_test(tc,
		       with_the_mode_on_only_a_synchronous_standby_takes_over);
	tcase_add_test(tc,
		       data_that_was_rewound_since_is_no_synchronous_standby);
	tcase_add_test(tc, a_synchronous_standby_may_be_asked_for);
	tcase_add_test(tc, in_quorum_mode_any_replica_may_be_asked_for);
	tcase_add_test(tc, success_is_answered_once_the_new_primary_writes);
	tcase_add_test(tc, a_node_behind_waits_until_it_applied_the_request);
	tcase_add_test(tc, another_than_the_candidate_is_named);
	tcase_add_test(tc, without_a_candidate_anybody_is_success);
	tcase_add_test(tc, a_request_that_was_given_up_fails_with_the_reason);
	tcase_add_test(tc,
		       an_outcome_that_was_overwritten_is_judged_by_who_leads);
	tcase_add_test(tc, a_refused_proposal_fails_and_a_lost_one_is_unknown);
	tcase_add_test(tc,
		       closing_answers_what_waits_and_outlives_the_proposal);
	tcase_add_test(tc, a_client_that_left_leaves_nothing_behind);
	tcase_add_test(tc, a_proposal_may_end_within_its_call);
	tcase_add_test(tc, no_outcome_in_time_is_unknown);
	tcase_add_test(tc, what_is_scheduled_is_answered_once_it_is_known_here);
	tcase_add_test(tc, in_pause_nothing_is_scheduled);
	tcase_add_test(tc, what_is_scheduled_is_taken_back);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
