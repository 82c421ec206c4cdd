/* SPDX-License-Identifier: PostgreSQL */
/* What a record of the log looks like, by what users write; its loggers. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/log_filter.h"
#include "base/log_format.h"
#include "base/text.h"
#include "test/unit/run.h"

static struct mt_log_format format;
static struct mt_err err;
static char printed[65536];

/* 2026-11-23 06:00:00.123456 UTC */
static struct mt_log_record record = {
    .level = MT_LOG_WARNING,
    .at = {"daemon/postgres_run.c", "run_it", 42},
    .wall_us = INT64_C(1795413600123456),
    .since_us = 1500,
    .process = 1234,
    .thread = 1234,
    .text = "it is so",
};

static void
begin(void)
{
	setenv("TZ", "UTC0", 1);
	tzset();
	memset(&format, 0, sizeof(format));
	record.text = "it is so";
}

static const char *
print(void)
{
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);

	mt_log_print(&format, &record, to);
	fclose(to);
	ck_assert_uint_gt(n, 0);
	ck_assert_int_eq(text[n - 1], '\n');
	ck_assert_ptr_eq(strchr(text, '\n'), text + n - 1);
	text[n - 1] = '\0';
	mt_copy(printed, sizeof(printed), text);
	free(text);
	return printed;
}

static const struct {
	const char *pattern, *line;
} plain[] = {
    {MT_LOG_PATTERN, "2026-11-23 06:00:00,123 WARNING: it is so"},
    {"%(levelname)-8s|%(message)s", "WARNING |it is so"},
    {"%(levelname)10s|%(levelno)d", "   WARNING|30"},
    {"%(levelname).1s %(message).5s|", "W it is|"},
    {"[%(process)d] %(process)6d|%(process)-6d|%(process)06d",
     "[1234]   1234|1234  |001234"},
    {"%(process)+d|%(process) d|%(process)+07d", "+1234| 1234|+001234"},
    {"%(process)x %(process)X %(process)o %(process)08x",
     "4d2 4D2 2322 000004d2"},
    {"%(name)s %(module)s %(filename)s %(pathname)s",
     "matriarch.daemon.postgres.run postgres_run postgres_run.c "
     "daemon/postgres_run.c"},
    {"%(funcName)s:%(lineno)4d", "run_it:  42"},
    {"%(msecs)03d %(msecs).1f %(msecs)s", "123 123.5 123.456"},
    {"%(created)f %(created)d %(created).2f",
     "1795413600.123456 1795413600 1795413600.12"},
    {"%(relativeCreated)d %(relativeCreated)s", "1 1.500"},
    {"%(processName)s %(threadName)s %(thread)d",
     "MainProcess MainThread 1234"},
    {"%(levelno)s %(levelno)5.1f %(levelno)i %(levelno)u", "30  30.0 30 30"},
    {"100%% %(msg)s%%", "100% it is so%"},
    {"%(exc_info)s|%(taskName)6s|", "None|  None|"},
    {"no field", "no field"},
    {"tab\there\nand %(message)s", "tab\there and it is so"},
};

START_TEST(patterns_print_what_they_say)
{
	begin();
	ck_assert_msg(mt_log_format_plain(&format, plain[_i].pattern, &err) ==
			  0,
		      "%s", err.text);
	ck_assert_str_eq(print(), plain[_i].line);
}
END_TEST

static const struct {
	const char *pattern, *words;
} bad[] = {
    {"%(nothing)s", "no record has a field \"nothing\""},
    {"%(message)", "needs its type right behind it, as in \"%(message)s\""},
    {"%(message) of", "needs its type"},
    {"%(message)d", "needs its type right behind it"},
    {"%(process)", "or d for a number"},
    {"%(created)x", "needs its type"},
    {"%(exc_info)d", "needs its type"},
    {"%(process)*d", "needs its type"},
    {"%(process)c", "needs its type"},
    {"%(message", "is not closed"},
    {"%s", "must be followed by the name of a field"},
    {"50%", "must be followed by the name of a field"},
    {"%(message)1000s", "a width is above 999"},
    {"%(message)99999999999999999999s", "a width is above 999"},
    {"%(message).1000s", "a precision is above 999"},
};

START_TEST(patterns_that_cannot_be_printed_are_refused)
{
	begin();
	ck_assert_int_eq(mt_log_format_plain(&format, bad[_i].pattern, &err),
			 MT_EINVAL);
	ck_assert_msg(strstr(err.text, bad[_i].words) != NULL, "%s", err.text);
}
END_TEST

START_TEST(a_pattern_has_bounds)
{
	char pattern[4 * MT_LOG_TEXT_MAX];

	begin();
	memset(pattern, 'x', sizeof(pattern) - 1);
	pattern[sizeof(pattern) - 1] = '\0';
	ck_assert_int_ne(mt_log_format_plain(&format, pattern, &err), 0);
	begin();
	for (size_t i = 0; i < 2 * MT_LOG_PARTS_MAX; i++)
		memcpy(pattern + 11 * i, "%(message)s", 12);
	ck_assert_int_ne(mt_log_format_plain(&format, pattern, &err), 0);
}
END_TEST

START_TEST(widths_count_characters)
{
	begin();
	record.text = "Zürich";
	ck_assert_int_eq(
	    mt_log_format_plain(
		&format, "%(message)8s|%(message)-8s|%(message).2s|", &err),
	    0);
	ck_assert_str_eq(print(), "  Zürich|Zürich  |Zü|");
}
END_TEST

START_TEST(control_characters_of_a_message_are_blanks_in_a_line)
{
	begin();
	record.text = "one\ntwo\tthree\x1b[0m\x7f\r";
	ck_assert_int_eq(mt_log_format_plain(&format, "%(message)s", &err), 0);
	ck_assert_str_eq(print(), "one two three [0m  ");
}
END_TEST

START_TEST(dates_are_printed_as_is_asked_for)
{
	begin();
	ck_assert_int_eq(mt_log_format_dates(&format, "%d.%m.%y %H h", &err),
			 0);
	ck_assert_int_eq(mt_log_format_plain(&format, "%(asctime)s!", &err), 0);
	ck_assert_str_eq(print(), "23.11.26 06 h!");
	begin();
	ck_assert_int_ne(mt_log_format_dates(&format,
					     "%c%c%c%c%c%c%c%c%c%c%c%c"
					     "%c%c%c%c%c%c%c%c%c%c%c",
					     &err),
			 0);
}
END_TEST

START_TEST(a_format_that_nobody_made_prints_an_empty_line)
{
	begin();
	ck_assert_str_eq(print(), "");
}
END_TEST

/* ---- JSON ---- */

START_TEST(json_has_the_fields_of_a_pattern_in_its_order)
{
	begin();
	ck_assert_int_eq(mt_log_format_json(&format, MT_LOG_PATTERN, &err), 0);
	ck_assert_str_eq(print(), "{\"asctime\": \"2026-11-23 06:00:00,123\", "
				  "\"levelname\": \"WARNING\", "
				  "\"message\": \"it is so\"}");
	begin();
	ck_assert_int_eq(mt_log_format_json(
			     &format, "message, process lineno,exc_info", &err),
			 0);
	ck_assert_str_eq(print(), "{\"message\": \"it is so\", \"process\": "
				  "1234, \"lineno\": 42, \"exc_info\": null}");
}
END_TEST

START_TEST(json_fields_have_the_names_that_users_give_them)
{
	begin();
	ck_assert_int_eq(
	    mt_log_format_field(&format, "asctime", "@timestamp", &err), 0);
	ck_assert_int_eq(
	    mt_log_format_field(&format, "message", "what \"it\" is", &err), 0);
	ck_assert_int_eq(mt_log_format_field(&format, "msecs", "ms", &err), 0);
	ck_assert_str_eq(print(),
			 "{\"@timestamp\": \"2026-11-23 06:00:00,123\", "
			 "\"what \\\"it\\\" is\": \"it is so\", "
			 "\"ms\": 123.456}");
	ck_assert_int_eq(mt_log_format_field(&format, "levelname", "ms", &err),
			 MT_EINVAL);
	ck_assert_str_eq(err.text, "two fields are printed as \"ms\"");
	ck_assert_int_eq(mt_log_format_field(&format, "level", "l", &err),
			 MT_EINVAL);
	ck_assert_int_eq(mt_log_format_json(&format, "%(level)s", &err),
			 MT_EINVAL);
	begin();
	ck_assert_int_eq(mt_log_format_json(&format, " ,", &err), MT_EINVAL);
}
END_TEST

START_TEST(fixed_members_follow_and_win)
{
	begin();
	ck_assert_int_eq(mt_log_format_json(&format, "message, name", &err), 0);
	ck_assert_int_eq(mt_log_format_fixed(&format, "a", "[1, null]", &err),
			 0);
	ck_assert_int_eq(mt_log_format_fixed(&format, "name", "\"n\"", &err),
			 0);
	ck_assert_str_eq(print(), "{\"message\": \"it is so\", \"a\": "
				  "[1, null], \"name\": \"n\"}");
	ck_assert_int_eq(mt_log_format_fixed(&format, "message", "1", &err), 0);
	ck_assert_str_eq(print(),
			 "{\"a\": [1, null], \"name\": \"n\", \"message\": 1}");
}
END_TEST

static const struct {
	const char *text, *json; /* json: between the quotes */
} escapes[] = {
    {"a \"b\" \\c", "a \\\"b\\\" \\\\c"},
    {"\b\f\n\r\t", "\\b\\f\\n\\r\\t"},
    {"\x01\x1b[0m\x7f", "\\u0001\\u001b[0m\\u007f"},
    {"Zürich € \xf0\x9f\x90\x98", "Zürich € \xf0\x9f\x90\x98"},
    {"\xff|", "\\ufffd|"},
    {"Z\xfcrich", "Z\\ufffdrich"},               /* Latin 1 */
    {"\xc0\xaf|", "\\ufffd\\ufffd|"},            /* longer than needed */
    {"\xed\xa0\x80|", "\\ufffd\\ufffd\\ufffd|"}, /* half a pair */
    {"\xf4\x90\x80\x80|", "\\ufffd\\ufffd\\ufffd\\ufffd|"}, /* too high */
    {"cut \xe2\x82", "cut \\ufffd\\ufffd"},
};

START_TEST(whatever_a_message_holds_json_is_json)
{
	char want[256];
	json_t *v;

	begin();
	record.text = escapes[_i].text;
	ck_assert_int_eq(mt_log_format_json(&format, "message", &err), 0);
	mt_format(want, sizeof(want), "{\"message\": \"%s\"}",
		  escapes[_i].json);
	ck_assert_str_eq(print(), want);
	v = json_loads(printed, 0, NULL);
	ck_assert_ptr_nonnull(v);
	json_decref(v);
}
END_TEST

START_TEST(every_byte_makes_json)
{
	char text[4096];
	json_t *v;

	begin();
	ck_assert_int_eq(mt_log_format_json(&format, "message", &err), 0);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)(1 + (i * 7 + i / 255) % 255);
	text[sizeof(text) - 1] = '\0';
	record.text = text;
	v = json_loads(print(), 0, NULL);
	ck_assert_ptr_nonnull(v);
	json_decref(v);
}
END_TEST

/* ---- loggers ---- */

START_TEST(loggers_are_named_after_files)
{
	char name[MT_LOG_NAME_MAX];

	ck_assert_str_eq(mt_log_name("lib/pg/jobs.c", name, sizeof(name)),
			 "matriarch.pg.jobs");
	ck_assert_str_eq(
	    mt_log_name("daemon/api/config_change.c", name, sizeof(name)),
	    "matriarch.daemon.api.config.change");
	ck_assert(mt_log_is_known("matriarch"));
	ck_assert(mt_log_is_known("matriarch.daemon.postgres"));
	ck_assert(mt_log_is_known("matriarch.daemon.postgres.run"));
	ck_assert(!mt_log_is_known("matriarch.daemon.post"));
	ck_assert(!mt_log_is_known("matri"));
	ck_assert(!mt_log_is_known("urllib3"));
	ck_assert(!mt_log_is_known(""));
}
END_TEST

static bool
passes(const struct mt_log_filter *f, enum mt_log_level level, const char *file)
{
	return mt_log_filter_passes(f, level, file);
}

START_TEST(the_longest_name_that_is_set_decides)
{
	static struct mt_log_filter f;

	memset(&f, 0, sizeof(f));
	f.level = MT_LOG_WARNING;
	ck_assert(mt_log_filter_add(&f, "matriarch.daemon", MT_LOG_DEBUG));
	ck_assert(
	    mt_log_filter_add(&f, "matriarch.daemon.postgres", MT_LOG_ERROR));
	ck_assert(mt_log_filter_add(&f, "matriarch.pe", MT_LOG_DEBUG));
	ck_assert(passes(&f, MT_LOG_DEBUG, "daemon/node.c"));
	ck_assert(!passes(&f, MT_LOG_WARNING, "daemon/postgres_run.c"));
	ck_assert(!passes(&f, MT_LOG_WARNING, "daemon/postgres.c"));
	ck_assert(passes(&f, MT_LOG_ERROR, "daemon/postgres.c"));
	ck_assert(!passes(&f, MT_LOG_INFO, "lib/peer/conn.c"));
	ck_assert(passes(&f, MT_LOG_WARNING, "lib/peer/conn.c"));
	ck_assert_int_eq(mt_log_filter_least(&f), MT_LOG_DEBUG);
	while (f.n < MT_LOG_LOGGERS_MAX)
		ck_assert(mt_log_filter_add(&f, "matriarch", MT_LOG_INFO));
	ck_assert(!mt_log_filter_add(&f, "matriarch", MT_LOG_INFO));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("log_format");
	TCase *tc = tcase_create("log_format");

	tcase_add_loop_test(tc, patterns_print_what_they_say, 0,
			    (int)MT_COUNT(plain));
	tcase_add_loop_test(tc, patterns_that_cannot_be_printed_are_refused, 0,
			    (int)MT_COUNT(bad));
	tcase_add_test(tc, a_pattern_has_bounds);
	tcase_add_test(tc, widths_count_characters);
	tcase_add_test(tc,
		       control_characters_of_a_message_are_blanks_in_a_line);
	tcase_add_test(tc, dates_are_printed_as_is_asked_for);
	tcase_add_test(tc, a_format_that_nobody_made_prints_an_empty_line);
	tcase_add_test(tc, json_has_the_fields_of_a_pattern_in_its_order);
	tcase_add_test(tc, json_fields_have_the_names_that_users_give_them);
	tcase_add_test(tc, fixed_members_follow_and_win);
	tcase_add_loop_test(tc, whatever_a_message_holds_json_is_json, 0,
			    (int)MT_COUNT(escapes));
	tcase_add_test(tc, every_byte_makes_json);
	tcase_add_test(tc, loggers_are_named_after_files);
	tcase_add_test(tc, the_longest_name_that_is_set_decides);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
