/* SPDX-License-Identifier: PostgreSQL */
/*
 * Watching files by name: what programs do to replace a file is noticed, each
 * in a directory of its own, and what they do beside it is not.
 */
#include "http/watch.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "test/unit/run.h"

static char dir[64];
static uv_loop_t loop;
static struct mt_watch *watch;
static int n_changes;

static void
on_change(void *arg)
{
	ck_assert_ptr_eq(arg, &n_changes);
	n_changes++;
}

static void
setup(void)
{
	mt_copy(dir, sizeof(dir), "/tmp/mt-watch-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	watch = mt_watch_new(&loop, on_change, &n_changes);
	n_changes = 0;
}

static void
run(const char *command)
{
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void
teardown(void)
{
	char command[128];

	mt_watch_free(watch);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	mt_format(command, sizeof(command), "rm -rf %s", dir);
	run(command);
}

/* Follow the file's name anew; the number of directories that failed. */
static int
look(const char *file)
{
	const char *paths[] = {file, NULL, ""};

	return mt_watch_set(watch, mt_watch_look(paths, MT_COUNT(paths)));
}

/* Changes within the time, or within a short one if none is expected. */
static bool
told(bool expected)
{
	int64_t end_ms = mt_clock_ms() + (expected ? 5000 : 100);
	int before = n_changes;

	while (n_changes == before && mt_clock_ms() < end_ms) {
		uv_run(&loop, UV_RUN_NOWAIT);
		poll(NULL, 0, 1);
	}
	/* what belongs to the same change */
	for (int i = 0; i < 20; i++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		poll(NULL, 0, 1);
	}
	return n_changes > before;
}

START_TEST(a_file_that_is_written_or_replaced_is_told)
{
	run("echo 1 > cert; echo 1 > other");
	ck_assert_int_eq(look("cert"), 0);
	ck_assert(!told(false));
	run("echo 2 > other; mv other third; rm third");
	ck_assert(!told(false));
	run("echo 2 >> cert");
	ck_assert(told(true));
	run("echo 3 > new; mv new cert");
	ck_assert(told(true));
	run("echo 4 >> cert"); /* the new file as well */
	ck_assert(told(true));
	run("rm cert");
	ck_assert(told(true));
	run("echo 5 > cert");
	ck_assert(told(true));
}
END_TEST

/* live/x/cert.pem -> ../../archive/x/cert1.pem, turned by unlink and symlink */
START_TEST(a_link_that_is_turned_is_told)
{
	run("mkdir -p live/x archive/x; echo 1 > archive/x/cert1.pem;"
	    "ln -s ../../archive/x/cert1.pem live/x/cert.pem");
	ck_assert_int_eq(look("live/x/cert.pem"), 0);
	run("echo 2 > archive/x/cert2.pem");
	ck_assert(!told(false));
	run("ln -sf ../../archive/x/cert2.pem live/x/cert.pem");
	ck_assert(told(true));
	ck_assert_int_eq(look("live/x/cert.pem"), 0);
	run("echo 3 > archive/x/cert2.pem");
	ck_assert(told(true));
}
END_TEST

/* A link to a directory, among others, on the way: ..data -> v1 */
START_TEST(a_link_to_a_directory_that_is_turned_is_told)
{
	run("mkdir v1 v2; echo 1 > v1/cert; echo 2 > v2/cert; ln -s v1 ..data;"
	    "ln -s ..data/cert cert");
	ck_assert_int_eq(look("cert"), 0);
	run("ln -s v2 tmp; mv -T tmp ..data");
	ck_assert(told(true));
	ck_assert_int_eq(look("cert"), 0);
	run("echo 3 > v1/cert");
	ck_assert(!told(false));
	run("echo 3 > v2/cert");
	ck_assert(told(true));
}
END_TEST

START_TEST(a_directory_that_is_replaced_or_comes_later_is_told)
{
	run("mkdir certs; echo 1 > certs/cert");
	ck_assert_int_eq(look("certs/cert"), 0);
	run("mv certs old");
	ck_assert(told(true));
	ck_assert_int_eq(look("certs/cert"), 0); /* is not there */
	run("mkdir certs");
	ck_assert(told(true));
	ck_assert_int_eq(look("certs/cert"), 0);
	run("echo 2 > certs/cert");
	ck_assert(told(true));
}
END_TEST

START_TEST(names_that_lead_nowhere_do_no_harm)
{
	run("ln -s b a; ln -s a b; ln -s /no/such/place/at/all c");
	ck_assert_int_eq(look("a"), 0);
	ck_assert_int_eq(look("c"), 0);
	ck_assert_int_eq(look("./x/../cert"), 0);
	ck_assert_int_eq(look(""), 0);
	ck_assert(!told(false));
}
END_TEST

START_TEST(places_are_the_same_until_a_link_leads_elsewhere)
{
	const char *paths[] = {"cert"};
	struct mt_watch_places *before, *after;

	run("mkdir v1 v2; echo 1 > v1/cert; echo 2 > v2/cert;"
	    "ln -s v1/cert cert");
	before = mt_watch_look(paths, 1);
	after = mt_watch_look(paths, 1);
	ck_assert(mt_watch_same(before, after));
	mt_watch_forget(after);
	run("ln -sf v2/cert cert");
	after = mt_watch_look(paths, 1);
	ck_assert(!mt_watch_same(before, after));
	mt_watch_forget(before);
	mt_watch_forget(after);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("watch");
	TCase *tc = tcase_create("watch");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_file_that_is_written_or_replaced_is_told);
	tcase_add_test(tc, a_link_that_is_turned_is_told);
	tcase_add_test(tc, a_link_to_a_directory_that_is_turned_is_told);
	tcase_add_test(tc, a_directory_that_is_replaced_or_comes_later_is_told);
	tcase_add_test(tc, names_that_lead_nowhere_do_no_harm);
	tcase_add_test(tc, places_are_the_same_until_a_link_leads_elsewhere);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
