/* SPDX-License-Identifier: PostgreSQL */
/* Errors and the log: what their texts look like. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "test/unit/run.h"

static char seen[8192];
static int seen_level;

static void
sink(void *arg, enum mt_log_level level, const char *text)
{
	(*(int *)arg)++;
	seen_level = (int)level;
	snprintf(seen, sizeof(seen), "%s", text);
}

START_TEST(an_error_keeps_its_code_and_gets_context_in_front)
{
	struct mt_err err;

	ck_assert_int_eq(mt_err_set(&err, MT_EBUSY, "job %d runs", 3),
			 MT_EBUSY);
	ck_assert_int_eq(mt_err_prefix(&err, "could not clone"), MT_EBUSY);
	ck_assert_str_eq(err.text, "could not clone: job 3 runs");
	ck_assert_int_eq(err.sys_errno, 0);
}
END_TEST

START_TEST(a_system_error_ends_in_the_kernels_words)
{
	struct mt_err err;

	ck_assert_int_eq(mt_err_sys(&err, ENOENT, "could not open \"%s\"", "x"),
			 MT_ESYS);
	ck_assert_str_eq(err.text,
			 "could not open \"x\": No such file or directory");
	ck_assert_int_eq(err.sys_errno, ENOENT);
}
END_TEST

START_TEST(an_error_may_quote_itself)
{
	struct mt_err err;

	mt_err_set(&err, MT_EINVAL, "a");
	mt_err_set(&err, MT_EINVAL, "%s b", err.text);
	ck_assert_str_eq(err.text, "a b");
}
END_TEST

START_TEST(long_texts_are_cut_and_terminated)
{
	struct mt_err err;
	char big[1000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	mt_err_sys(&err, ENOENT, "%s", big);
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
	mt_err_prefix(&err, "%s", big);
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
	ck_assert_int_eq(mt_err_set(NULL, MT_EIO, "nobody asks"), MT_EIO);
}
END_TEST

START_TEST(a_log_line_stays_one_line)
{
	int calls = 0;

	mt_log_set_sink(sink, &calls);
	mt_warn("one\ntwo");
	mt_debug("below the level");
	mt_log_set_sink(NULL, NULL);
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq(seen_level, MT_LOG_WARNING);
	ck_assert_str_eq(seen, "one two");
}
END_TEST

int
main(void)
{
	RUN_TESTS("err", an_error_keeps_its_code_and_gets_context_in_front,
		  a_system_error_ends_in_the_kernels_words,
		  an_error_may_quote_itself, long_texts_are_cut_and_terminated,
		  a_log_line_stays_one_line);
}
