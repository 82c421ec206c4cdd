/* SPDX-License-Identifier: PostgreSQL */
/* POST /failover: its checks, and its words for what becomes of it. */
#include "asked.h"
#include "test/unit/run.h"

static const struct {
	const char *body;
	int status;
	const char *text;
} failover_refusals[] = {
    {NULL, 411, ""},
    {"{}", 400, "candidate"},
    {"{\"leader\":\"node1\"}", 400,
     "Failover could be performed only to a specific candidate"},
    {"{\"candidate\":\"node2\",\"scheduled_at\":\"2100-01-01T00:00Z\"}", 400,
     "can't be scheduled"},
    {"{\"candidate\":\"node1\"}", 412, "is the leader already"},
    {"{\"candidate\":\"node9\"}", 412, "candidate does not exist"},
    {"{\"candidate\":\"node4\"}", 412, "candidate does not exist"},
    {"{\"leader\":\"node2\",\"candidate\":\"node3\"}", 412,
     "leader name does not match"},
    {"{\"leader\":\"node2\",\"candidate\":\"node2\"}", 400, "the same"},
    {"{\"candidate\":\"node2\",\"accept_loss\":\"yes\"}", 400,
     "accept_loss must be true or false"},
    {"{\"leader\":\"node1\",\"candidate\":\"node2\",\"accept_loss\":true}", 400,
     "a switchover loses nothing"},
};

START_TEST(a_bad_failover_is_refused_and_nothing_is_proposed)
{
	read_answer(send_ask("POST", "/failover", failover_refusals[_i].body));
	ck_assert_int_eq(status, failover_refusals[_i].status);
	ck_assert_msg(strstr(answer_body, failover_refusals[_i].text) != NULL,
		      "%s", answer);
	ck_assert_int_eq(fake.n_proposed, 0);
}
END_TEST

static int
begin_failover(const char *body)
{
	int fd = send_ask("POST", "/failover", body);

	until_proposed(1);
	ck_assert_int_eq(fake.cmd.kind, MT_CMD_REQUEST_PUT);
	return fd;
}

START_TEST(a_failover_needs_no_leader_and_has_its_own_words)
{
	int fd;

	fake.state.leader.released = true;
	fd = begin_failover("{\"candidate\":\"node2\"}");
	ck_assert_int_eq(fake.cmd.u.request_put.kind, MT_REQUEST_FAILOVER);
	ck_assert_str_eq(fake.cmd.u.request_put.leader, "");
	ck_assert_str_eq(fake.cmd.u.request_put.candidate, "node2");
	recorded(true);
	not_answered(fd);
	fake.state.leader.released = false;
	assigned("node2");
	ended(true, "");
	writes(1);
	answered(fd, 200, "Successfully failed over to \"node2\"");
}
END_TEST

START_TEST(a_failover_that_ends_elsewhere_says_so)
{
	int fd = begin_failover("{\"candidate\":\"node2\"}");

	recorded(true);
	assigned("node3");
	ended(true, "");
	writes(2);
	answered(fd, 200, "Failed over to \"node3\" instead of \"node2\"");
	fake.n_proposed = 0;
	fd = begin_failover("{\"candidate\":\"node2\"}");
	recorded(true);
	ended(false, "Failover failed: node2: silent");
	answered(fd, 503, "Failover failed: node2: silent");
}
END_TEST

START_TEST(that_a_loss_is_accepted_is_recorded)
{
	int fd =
	    begin_failover("{\"candidate\":\"node2\",\"accept_loss\":true}");

	ck_assert(fake.cmd.u.request_put.accept_loss);
	recorded(true);
	not_answered(fd);
	ended(false, "Failover failed: nobody");
	answered(fd, 503, "Failover failed: nobody");
}
END_TEST

START_TEST(a_failover_with_a_leader_is_a_switchover)
{
	int fd = begin_failover(BODY);

	ck_assert_int_eq(fake.cmd.u.request_put.kind, MT_REQUEST_SWITCHOVER);
	ck_assert_str_eq(fake.cmd.u.request_put.leader, "node1");
	recorded(true);
	assigned("node2");
	ended(true, "");
	writes(1);
	answered(fd, 200, "Successfully switched over to \"node2\"");
}
END_TEST

START_TEST(a_failover_to_who_may_not_lead_is_refused)
{
	fake_report(1)->nofailover = true;
	read_answer(send_ask("POST", "/failover", "{\"candidate\":\"node2\"}"));
	ck_assert_int_eq(status, 412);
	ck_assert_str_eq(answer_body, "failover is not possible: no good "
				      "candidates have been found");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("failover");
	TCase *tc = tcase_create("failover");

	tcase_add_checked_fixture(tc, fake_setup, fake_teardown);
	tcase_add_loop_test(tc,
			    a_bad_failover_is_refused_and_nothing_is_proposed,
			    0, (int)MT_COUNT(failover_refusals));
	tcase_add_test(tc, a_failover_needs_no_leader_and_has_its_own_words);
	tcase_add_test(tc, a_failover_that_ends_elsewhere_says_so);
	tcase_add_test(tc, that_a_loss_is_accepted_is_recorded);
	tcase_add_test(tc, a_failover_with_a_leader_is_a_switchover);
	tcase_add_test(tc, a_failover_to_who_may_not_lead_is_refused);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
