/* SPDX-License-Identifier: PostgreSQL */
/* What PostgreSQL's own program says of parameters. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <check.h>
#include <uv.h>

#include "base/log.h"
#include "base/text.h"
#include "pg/accept.h"
#include "test/unit/run.h"

static char seen[4096];

static void
sink(void *arg, enum mt_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	strncat(seen, text, sizeof(seen) - strlen(seen) - 2);
	strcat(seen, "\n");
}

#define SAYS "2026-11-23 12:44:28.461 GMT [1] LOG:  "
#define RANGE " is outside the valid range for parameter "

START_TEST(what_it_says_of_a_parameter_is_done)
{
	static const struct {
		const char *given, *line, *want;
	} rows[] = {
	    /* unknown */
	    {"{\"a\":\"1\",\"b\":\"2\"}",
	     SAYS "unrecognized configuration parameter \"a\" in file "
		  "\"/dev/stdin\" line 2",
	     "{\"b\":\"2\"}"},
	    /* out of range: units before version 16, and from there on */
	    {"{\"work_mem\":\"1kB\"}",
	     SAYS "1 kB" RANGE "\"work_mem\" (64 .. 2147483647)",
	     "{\"work_mem\":\"64\"}"},
	    {"{\"work_mem\":\"1kB\"}",
	     SAYS "1 kB" RANGE "\"work_mem\" (64 kB .. 2147483647 kB)",
	     "{\"work_mem\":\"64\"}"},
	    {"{\"shared_buffers\":\"8kB\"}",
	     SAYS "1 8kB" RANGE "\"shared_buffers\" (16 8kB .. 99 8kB)",
	     "{\"shared_buffers\":\"16\"}"},
	    {"{\"c\":\"1e9\"}", SAYS "1e+09" RANGE "\"c\" (-1 .. 1.79769e+08)",
	     "{\"c\":\"1.79769e+08\"}"},
	    {"{\"c\":\"-7\"}", SAYS "-7" RANGE "\"c\" (-1 .. 5)",
	     "{\"c\":\"-1\"}"},
	    /* a range that does not help */
	    {"{\"c\":\"-1\"}", SAYS "-7" RANGE "\"c\" (-1 .. 5)", "{}"},
	    {"{\"c\":\"7\"}", SAYS "7" RANGE "\"c\" what", "{}"},
	    /* wrong types; it writes some names in its own way */
	    {"{\"timezone\":\"x\"}",
	     SAYS "invalid value for parameter \"TimeZone\": \"x\"", "{}"},
	    {"{\"jit\":\"x\"}",
	     SAYS "parameter \"jit\" requires a Boolean value", "{}"},
	    /* not ours, or nothing */
	    {"{\"a\":\"1\"}", SAYS "parameter \"aa\" requires a", NULL},
	    {"{\"a\":\"1\"}", SAYS "parameter \"a", NULL},
	    {"{\"a\":\"1\"}", "HINT:  parameter \"a\" likes 1", NULL},
	    {"{\"a\":\"1\"}", SAYS "skipping missing file", NULL},
	    {"{\"a\":\"1\"}", "", NULL},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		json_t *p = json_loads(rows[i].given, 0, NULL);
		bool said;
		char *got;

		seen[0] = '\0';
		mt_log_set_sink(sink, NULL);
		said = mt_pg_accept_line(p, rows[i].line);
		mt_log_set_sink(NULL, NULL);
		got = json_dumps(p, JSON_COMPACT | JSON_SORT_KEYS);
		ck_assert_int_eq(said, rows[i].want != NULL);
		ck_assert_str_eq(got, rows[i].want != NULL ? rows[i].want
							   : rows[i].given);
		/* nothing is changed without a word */
		ck_assert_int_eq(seen[0] != '\0', said);
		free(got);
		json_decref(p);
	}
}
END_TEST

/* ---- a program that behaves as PostgreSQL's ---- */

static struct {
	int calls, code;
	char *text;
} got;

static void
accepted_cb(void *arg, json_t *accepted, const struct mt_err *err)
{
	(void)arg;
	got.calls++;
	got.code = err != NULL ? err->code : 0;
	got.text = accepted != NULL
		       ? json_dumps(accepted, JSON_COMPACT | JSON_SORT_KEYS)
		       : NULL;
}

/* Ask a script that has the file as its standard input. */
static void
ask(const char *script, const char *parameters, bool cancel)
{
	struct mt_pg_bins bins = {.version_num = 150000};
	json_t *p = json_loads(parameters, 0, NULL);
	struct mt_pg_accept *a;
	char path[MT_PG_PATH_MAX + 16];
	struct mt_err err;
	uv_loop_t loop;
	FILE *f;

	memset(&got, 0, sizeof(got));
	mt_copy(bins.dir, sizeof(bins.dir), "/tmp/mt_accept.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(bins.dir));
	mt_format(path, sizeof(path), "%s/postgres", bins.dir);
	f = fopen(path, "w");
	fprintf(f, "#!/bin/sh\n%s\n", script);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(path, 0700), 0);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	seen[0] = '\0';
	mt_log_set_sink(sink, NULL);
	ck_assert_int_eq(
	    mt_pg_accept_start(&a, &loop, &bins, p, accepted_cb, NULL, &err),
	    0);
	json_decref(p); /* it has its own */
	if (cancel)
		mt_pg_accept_cancel(a);
	uv_run(&loop, UV_RUN_DEFAULT);
	mt_log_set_sink(NULL, NULL);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	ck_assert_int_eq(got.calls, 1);
	unlink(path);
	rmdir(bins.dir);
}

START_TEST(it_is_asked_again_until_it_is_content)
{
	/* names first, then values; the words of the log last */
	ask("conf=$(cat /dev/stdin)\n"
	    "case $conf in *log_destination*b*) exit 3;; esac\n"
	    "case $conf in *bad*) echo 'LOG:  unrecognized configuration "
	    "parameter \"bad\" in file' >&2; exit 1;; esac\n"
	    "case $conf in *\"b = '1'\"*) echo 'LOG:  1 is outside the valid "
	    "range for parameter \"b\" (5 .. 9)' >&2; exit 1;; esac\n",
	    "{\"log_destination\": \"syslog\", \"bad\": \"1\", \"b\": \"1\","
	    "\"no name\": \"1\"}",
	    false);
	ck_assert_int_eq(got.code, 0);
	ck_assert_str_eq(got.text,
			 "{\"b\":\"5\",\"log_destination\":\"syslog\"}");
	ck_assert_ptr_nonnull(strstr(seen, "\"no name\" is left out"));
	free(got.text);
}
END_TEST

START_TEST(who_cannot_be_asked_is_told_of)
{
	ask("echo 'FATAL:  no' >&2; exit 1", "{\"a\": \"1\"}", false);
	ck_assert_int_ne(got.code, 0);
	ck_assert_ptr_null(got.text);
	/* one that is never content */
	ask("echo 'LOG:  invalid value for parameter \"a\"' >&2; exit 1",
	    "{\"a\": \"1\"}", false);
	ck_assert_int_ne(got.code, 0);
	ask("sleep 60", "{}", true);
	ck_assert_int_eq(got.code, MT_ECANCELED);
}
END_TEST

int
main(void)
{
	RUN_TESTS("accept", what_it_says_of_a_parameter_is_done,
		  it_is_asked_again_until_it_is_content,
		  who_cannot_be_asked_is_told_of);
}
