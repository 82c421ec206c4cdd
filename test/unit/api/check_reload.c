/* SPDX-License-Identifier: PostgreSQL */
/* POST /reload, asked over HTTP from a node made up in memory. */
#include "fake.h"
#include "test/unit/run.h"

static int fd;

/* Ask, and let the request arrive. */
static void
begin(void)
{
	int64_t end_ms = mt_clock_ms() + 20000;

	fake.reload_cb = NULL;
	fd = send_ask("POST", "/reload", NULL);
	while (fake.reload_cb == NULL && mt_clock_ms() < end_ms)
		turn(1);
	ck_assert_ptr_nonnull(fake.reload_cb);
}

START_TEST(what_could_be_read_is_accepted)
{
	begin();
	fake.reload_cb(fake.reload_arg, 0, "");
	read_answer(fd);
	ck_assert_int_eq(status, 202);
	ck_assert_str_eq(answer_body, "reload scheduled");
}
END_TEST

START_TEST(what_could_not_be_read_is_answered_with_its_place)
{
	begin();
	fake.reload_cb(fake.reload_arg, MT_EINVAL, "a.yml:3:1: no");
	read_answer(fd);
	ck_assert_int_eq(status, 500);
	ck_assert_str_eq(answer_body,
			 "the configuration stays as it was: a.yml:3:1: no");
}
END_TEST

START_TEST(a_daemon_that_ends_says_so)
{
	begin();
	fake.reload_cb(fake.reload_arg, MT_ECANCELED, "this daemon ends");
	read_answer(fd);
	ck_assert_int_eq(status, 503);
}
END_TEST

START_TEST(a_client_that_leaves_does_not_matter)
{
	begin();
	close(fd);
	turn(30);
	fake.reload_cb(fake.reload_arg, 0, "");
	turn(30);
}
END_TEST

START_TEST(it_is_only_for_post)
{
	ck_assert_int_eq(ask("PATCH", "/reload"), 501);
	ck_assert_int_eq(ask("OPTIONS", "/reload"), 204);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("reload");
	TCase *tc = tcase_create("reload");

	tcase_add_checked_fixture(tc, fake_setup, fake_teardown);
	tcase_add_test(tc, what_could_be_read_is_accepted);
	tcase_add_test(tc, what_could_not_be_read_is_answered_with_its_place);
	tcase_add_test(tc, a_daemon_that_ends_says_so);
	tcase_add_test(tc, a_client_that_leaves_does_not_matter);
	tcase_add_test(tc, it_is_only_for_post);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
