/* SPDX-License-Identifier: PostgreSQL */
/* PATCH and PUT /config, asked over HTTP from a node made up in memory. */
#include "fake.h"
#include "test/unit/run.h"

static int fd;

/* Ask, and let the request arrive and propose something. */
static void
begin(const char *method, const char *path, const char *body)
{
	int before = fake.n_proposed;

	fd = send_ask(method, path, body);
	until_proposed(before + 1);
}

static void
finish(void)
{
	read_answer(fd);
}

/* The cluster agreed: the state has what was proposed. */
static void
agree(void)
{
	json_t *config = json_deep_copy(fake.cmd.u.config_put.config);

	json_decref(fake.state.config);
	fake.state.config = config;
	fake.state.config_version++;
	fake.state.index++;
	fake.propose_cb(fake.propose_arg, 0, fake.state.index, "");
}

static const struct {
	const char *method, *body;
	int status;
} refusals[] = {
    {"PATCH", NULL, 411},  {"PATCH", "", 400},     {"PATCH", "{}", 400},
    {"PATCH", "[1]", 400}, {"PATCH", "nope", 400}, {"PUT", NULL, 411},
    {"PUT", "{}", 400},    {"PUT", "5", 400},
};

START_TEST(a_bad_body_is_refused)
{
	read_answer(
	    send_ask(refusals[_i].method, "/config", refusals[_i].body));
	ck_assert_int_eq(status, refusals[_i].status);
	ck_assert_int_eq(fake.n_proposed, 0);
}
END_TEST

START_TEST(a_patch_is_merged_proposed_and_answered_whole)
{
	fake.state.config_version = 4;
	begin("PATCH", "/config", "{\"ttl\":9,\"x\":{\"y\":null}}");
	ck_assert_int_eq(fake.n_proposed, 1);
	ck_assert_int_eq(fake.cmd.kind, MT_CMD_CONFIG_PUT);
	ck_assert_uint_eq(fake.cmd.u.config_put.expect_version, 4);
	agree();
	finish();
	ck_assert_int_eq(status, 200);
	ck_assert_str_eq(answer_body, "{\"ttl\": 9, \"loop_wait\": 10, "
				      "\"x\": {\"y\": null}}");
}
END_TEST

START_TEST(it_is_answered_when_this_node_shows_it)
{
	begin("PATCH", "/config", "{\"ttl\":9}");
	fake.propose_cb(fake.propose_arg, 0, fake.state.index + 2, "");
	fake.watch_fn(fake.watch_arg);
	fake.state.index++;
	fake.watch_fn(fake.watch_arg);
	fake.state.index++;
	fake.watch_fn(fake.watch_arg);
	finish();
	ck_assert_int_eq(status, 200);
}
END_TEST

START_TEST(without_a_change_the_same_document_is_confirmed)
{
	begin("PATCH", "/config", "{\"ttl\":\"5\"}");
	/* what this node sees may be old: the log has the word */
	ck_assert(json_equal(fake.cmd.u.config_put.config, fake.state.config));
	agree();
	finish();
	ck_assert_int_eq(status, 200);
	ck_assert_str_eq(answer_body, "{\"ttl\": 5, \"loop_wait\": 10}");
}
END_TEST

START_TEST(a_put_replaces)
{
	begin("PUT", "/config", "{\"ttl\":7}");
	agree();
	finish();
	ck_assert_int_eq(status, 200);
	ck_assert_str_eq(answer_body, "{\"ttl\": 7}");
}
END_TEST

START_TEST(who_lost_the_race_is_merged_anew)
{
	begin("PATCH", "/config", "{\"ttl\":9}");
	fake.propose_cb(fake.propose_arg, MT_EREFUSED, 0, "too late");
	ck_assert_msg(fake.n_proposed == 1, "not before there is news");
	json_object_set_new(fake.state.config, "loop_wait", json_integer(3));
	fake.state.config_version++;
	fake.watch_fn(fake.watch_arg);
	ck_assert_int_eq(fake.n_proposed, 2);
	ck_assert_uint_eq(fake.cmd.u.config_put.expect_version,
			  fake.state.config_version);
	agree();
	finish();
	ck_assert_int_eq(status, 200);
	ck_assert_str_eq(answer_body, "{\"ttl\": 9, \"loop_wait\": 3}");
}
END_TEST

START_TEST(who_loses_again_and_again_is_told)
{
	for (int i = 0; i < 2; i++) {
		begin(i == 0 ? "PATCH" : "PUT", "/config", "{\"ttl\":9}");
		for (int k = 0; k < 5; k++) {
			fake.state.config_version++;
			fake.propose_cb(fake.propose_arg, MT_EREFUSED, 0,
					"too late");
			fake.watch_fn(fake.watch_arg);
		}
		finish();
		ck_assert_int_eq(status, i == 0 ? 409 : 502);
	}
}
END_TEST

START_TEST(a_version_that_was_asked_for_is_kept_to)
{
	fake.state.config_version = 4;
	read_answer(send_ask("PUT", "/config?version=3", "{\"ttl\":9}"));
	ck_assert_int_eq(status, 409);
	ck_assert_int_eq(fake.n_proposed, 0);
	begin("PUT", "/config?version=4", "{\"ttl\":9}");
	ck_assert_int_eq(fake.n_proposed, 1);
	fake.propose_cb(fake.propose_arg, MT_EREFUSED, 0, "too late");
	finish();
	ck_assert_int_eq(status, 409);
}
END_TEST

START_TEST(without_a_majority_nobody_knows)
{
	begin("PATCH", "/config", "{\"ttl\":9}");
	fake.propose_cb(fake.propose_arg, MT_ETIMEDOUT, 0, "no leader");
	finish();
	ck_assert_int_eq(status, 503);
	begin("PUT", "/config", "{\"ttl\":9}");
	fake.propose_cb(fake.propose_arg, MT_ETIMEDOUT, 0, "no leader");
	finish();
	ck_assert_int_eq(status, 502);
	begin("PATCH", "/config", "{\"ttl\":9}");
	fake.propose_cb(fake.propose_arg, MT_EINVAL, 0, "too large");
	finish();
	ck_assert_int_eq(status, 400);
}
END_TEST

START_TEST(before_there_is_a_document_nothing_can_be_changed)
{
	json_decref(fake.state.config);
	fake.state.config = NULL;
	read_answer(send_ask("PATCH", "/config", "{\"ttl\":9}"));
	ck_assert_int_eq(status, 503);
	read_answer(send_ask("PUT", "/config", "{\"ttl\":9}"));
	ck_assert_int_eq(status, 502);
}
END_TEST

START_TEST(what_is_in_force_is_told)
{
	json_t *doc = ask_json("/config/effective");
	const json_t *option =
	    json_array_get(json_object_get(doc, "options"), 0);

	ck_assert_int_eq(status, 200);
	ck_assert_str_eq(json_string_value(json_object_get(doc, "name")),
			 fake.conf.name);
	ck_assert_str_eq(json_string_value(json_object_get(option, "key")),
			 "ttl");
	json_decref(doc);
}
END_TEST

START_TEST(the_end_of_the_daemon_answers)
{
	begin("PATCH", "/config", "{\"ttl\":9}");
	mt_api_close(fake.api, fake_closed, &fake);
	fake.api = NULL;
	finish();
	ck_assert_int_eq(status, 503);
	/* the proposal ends after its request */
	fake.propose_cb(fake.propose_arg, MT_ECANCELED, 0, "ends");
}
END_TEST

START_TEST(a_client_that_leaves_does_not_end_its_change)
{
	begin("PATCH", "/config", "{\"ttl\":9}");
	close(fd);
	turn(30);
	agree();
	turn(30);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("config");
	TCase *tc = tcase_create("config");

	tcase_add_checked_fixture(tc, fake_setup, fake_teardown);
	tcase_add_loop_test(tc, a_bad_body_is_refused, 0,
			    (int)MT_COUNT(refusals));
	tcase_add_test(tc, a_patch_is_merged_proposed_and_answered_whole);
	tcase_add_test(tc, it_is_answered_when_this_node_shows_it);
	tcase_add_test(tc, without_a_change_the_same_document_is_confirmed);
	tcase_add_test(tc, a_put_replaces);
	tcase_add_test(tc, who_lost_the_race_is_merged_anew);
	tcase_add_test(tc, who_loses_again_and_again_is_told);
	tcase_add_test(tc, a_version_that_was_asked_for_is_kept_to);
	tcase_add_test(tc, without_a_majority_nobody_knows);
	tcase_add_test(tc, before_there_is_a_document_nothing_can_be_changed);
	tcase_add_test(tc, what_is_in_force_is_told);
	tcase_add_test(tc, the_end_of_the_daemon_answers);
	tcase_add_test(tc, a_client_that_leaves_does_not_end_its_change);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
