/* SPDX-License-Identifier: PostgreSQL */
/* Numbers of timelines that are passed over, and given back. */
#include "pg/timelines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <check.h>

#include "pg/files.h"
#include "test/unit/run.h"

static char dir[] = "/tmp/check_timelines.XXXXXX";

static const char *
path_of(unsigned int number)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/pg_wal/%08X.history", dir, number);
	return path;
}

static void
true_history(unsigned int number)
{
	static const char text[] = "1\t0/3000060\tno recovery target\n";
	struct mt_err err;

	ck_assert_int_eq(
	    mt_file_write(path_of(number), text, strlen(text), 0600, &err), 0);
}

static void
setup(void)
{
	char wal[64];

	strcpy(dir, "/tmp/check_timelines.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(wal, sizeof(wal), "%s/pg_wal", dir);
	ck_assert_int_eq(mkdir(wal, 0700), 0);
}

static void
teardown(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(the_numbers_between_are_taken_and_no_others)
{
	struct mt_err err;

	ck_assert_int_eq(mt_pg_reserve_timelines(dir, 3, 6, &err), 0);
	ck_assert(!mt_file_exists(path_of(3)));
	ck_assert(mt_file_exists(path_of(4)));
	ck_assert(mt_file_exists(path_of(5)));
	ck_assert(!mt_file_exists(path_of(6)));
	ck_assert_int_eq(mt_pg_reserve_timelines(dir, 6, 7, &err), 0);
	ck_assert(!mt_file_exists(path_of(7)));
}
END_TEST

START_TEST(a_true_history_is_never_touched)
{
	struct mt_err err;
	char *text;

	true_history(4);
	ck_assert_int_eq(mt_pg_reserve_timelines(dir, 3, 6, &err), 0);
	ck_assert_int_eq(mt_file_read(path_of(4), 1024, &text, NULL, &err), 0);
	ck_assert_int_eq(text[0], '1');
	free(text);
	ck_assert_int_eq(mt_pg_release_timelines(dir, &err), 0);
	ck_assert(mt_file_exists(path_of(4)));
}
END_TEST

START_TEST(only_what_is_above_the_newest_true_history_is_given_back)
{
	struct mt_err err;

	ck_assert_int_eq(mt_pg_reserve_timelines(dir, 1, 4, &err), 0);
	true_history(4);
	ck_assert_int_eq(mt_pg_reserve_timelines(dir, 4, 7, &err), 0);
	ck_assert_int_eq(mt_pg_release_timelines(dir, &err), 0);
	ck_assert(mt_file_exists(path_of(2)));
	ck_assert(mt_file_exists(path_of(3)));
	ck_assert(mt_file_exists(path_of(4)));
	ck_assert(!mt_file_exists(path_of(5)));
	ck_assert(!mt_file_exists(path_of(6)));
}
END_TEST

START_TEST(without_a_directory_there_are_words)
{
	struct mt_err err;

	ck_assert_int_ne(mt_pg_release_timelines("/nonexistent", &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/pg_wal"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("timelines");
	TCase *t = tcase_create("timelines");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_numbers_between_are_taken_and_no_others);
	tcase_add_test(t, a_true_history_is_never_touched);
	tcase_add_test(
	    t, only_what_is_above_the_newest_true_history_is_given_back);
	tcase_add_test(t, without_a_directory_there_are_words);
	suite_add_tcase(s, t);
	return run_suite(s);
}
