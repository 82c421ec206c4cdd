/* SPDX-License-Identifier: PostgreSQL */
/* Child programs: output, ends of all kinds, environment, options. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "pg/command.h"
#include "test/unit/run.h"

struct seen {
	char out[4096], err[4096];
	int exits;
	struct mt_child_result result;
	char tail[MT_CHILD_TAIL_MAX + 1];
};

static void
on_line(void *arg, bool is_stderr, const char *line)
{
	struct seen *s = arg;
	char *to = is_stderr ? s->err : s->out;
	size_t n = strlen(to);

	mt_format(to + n, sizeof(s->out) - n, "%s|", line);
}

static void
on_exit_cb(void *arg, const struct mt_child_result *r)
{
	struct seen *s = arg;

	s->exits++;
	s->result = *r;
	mt_copy(s->tail, sizeof(s->tail), r->tail);
}

static void
run_script(struct seen *s, const char *script, int64_t timeout_ms,
	   int64_t cancel_ms, char *const *env)
{
	char *argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
			(char *)(uintptr_t)script, NULL};
	struct mt_child *child;
	struct mt_err err = {0};
	uv_loop_t loop;
	int64_t until = mt_clock_ms() + cancel_ms;

	memset(s, 0, sizeof(*s));
	uv_loop_init(&loop);
	ck_assert_msg(mt_child_start(&child, &loop,
				     &(struct mt_child_options){
					 .argv = argv,
					 .env = env,
					 .timeout_ms = timeout_ms,
					 .on_line = on_line,
					 .on_exit = on_exit_cb,
					 .arg = s,
				     },
				     &err) == 0,
		      "%s", err.text);
	ck_assert_int_eq(s->exits, 0);
	while (cancel_ms && mt_clock_ms() < until) {
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
	if (cancel_ms) {
		mt_child_cancel(child);
		mt_child_cancel(child);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(s->exits, 1);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}

START_TEST(lines_of_both_outputs_and_the_status_arrive)
{
	struct seen s;

	run_script(&s, "echo one; echo two >&2; printf 'a\\rb'; exit 0", 0, 0,
		   NULL);
	ck_assert_str_eq(s.out, "one|a|b|");
	ck_assert_str_eq(s.err, "two|");
	ck_assert_int_eq(s.result.exit_status, 0);
	ck_assert_int_eq(s.result.err.code, 0);
}
END_TEST

START_TEST(a_failure_says_the_line_that_tells_most)
{
	struct seen s;

	run_script(&s, "echo 'x: error: no room' >&2; echo bye >&2; exit 3", 0,
		   0, NULL);
	ck_assert_int_eq(s.result.exit_status, 3);
	ck_assert_int_eq(s.result.err.code, MT_EPROTO);
	ck_assert_str_eq(s.result.err.text,
			 "sh failed with status 3: x: error: no room");
	ck_assert_str_eq(s.tail, "x: error: no room\nbye\n");
}
END_TEST

START_TEST(only_the_end_of_long_error_output_is_kept)
{
	struct seen s;

	run_script(&s,
		   "i=0; while [ $i -lt 900 ]; do echo line-$i >&2; "
		   "i=$((i+1)); done; exit 1",
		   0, 0, NULL);
	ck_assert_uint_eq(strlen(s.tail), MT_CHILD_TAIL_MAX);
	ck_assert_ptr_nonnull(strstr(s.tail, "line-899\n"));
}
END_TEST

START_TEST(a_signal_ends_with_its_number)
{
	struct seen s;

	run_script(&s, "kill -KILL $$", 0, 0, NULL);
	ck_assert_int_eq(s.result.signo, SIGKILL);
	ck_assert_int_eq(s.result.exit_status, -1);
}
END_TEST

START_TEST(a_timeout_ends_the_whole_group)
{
	struct seen s;
	int64_t t = mt_clock_ms();

	run_script(&s, "sleep 30 & sleep 30; echo no", 100, 0, NULL);
	ck_assert_int_eq(s.result.err.code, MT_ETIMEDOUT);
	ck_assert(s.result.timed_out);
	ck_assert_int_lt(mt_clock_ms() - t, 15000);
	ck_assert_str_eq(s.out, "");
}
END_TEST

START_TEST(a_cancel_ends_it_and_says_so)
{
	struct seen s;

	run_script(&s, "sleep 30", 0, 50, NULL);
	ck_assert_int_eq(s.result.err.code, MT_ECANCELED);
	ck_assert(s.result.canceled);
}
END_TEST

START_TEST(the_environment_has_no_settings_and_no_secrets)
{
	char *env[] = {(char *)(uintptr_t) "PGPASSFILE=/p", NULL};
	struct seen s;

	setenv("PATRONI_SUPERUSER_PASSWORD", "geheim", 1);
	setenv("MATRIARCH_X", "geheim", 1);
	setenv("PGPASSWORD", "geheim", 1);
	setenv("NOTIFY_SOCKET", "/run/geheim", 1);
	setenv("LC_MESSAGES", "de_DE", 1);
	setenv("MT_KEEP", "kept", 1);
	run_script(&s,
		   "env | grep -E '^(PATRONI|MATR|PG|NOTIFY|LC_|MT_)' | "
		   "sort",
		   0, 0, env);
	ck_assert_str_eq(s.out, "LC_ALL=C|MT_KEEP=kept|PGPASSFILE=/p|");
}
END_TEST

START_TEST(no_descriptor_is_inherited)
{
	struct seen s;
	int fd = dup(1);

	ck_assert_int_ge(fd, 3);
	run_script(&s,
		   "for f in 3 4 5 6 7 8 9; do "
		   "[ -e /proc/$$/fd/$f ] && echo $f; done; true",
		   0, 0, NULL);
	close(fd);
	ck_assert_str_eq(s.out, "");
}
END_TEST

START_TEST(a_program_that_is_not_there_is_an_error_at_once)
{
	char *argv[] = {(char *)(uintptr_t) "/nonexistent/x", NULL};
	struct mt_child *child = NULL;
	struct mt_err err = {0};
	uv_loop_t loop;

	uv_loop_init(&loop);
	ck_assert_int_eq(mt_child_start(&child, &loop,
					&(struct mt_child_options){
					    .argv = argv,
					},
					&err),
			 MT_ESYS);
	ck_assert_int_eq(err.sys_errno, ENOENT);
	ck_assert_ptr_null(child);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

START_TEST(a_grandchild_that_keeps_the_output_does_not_hold_us)
{
	struct seen s;
	int64_t t = mt_clock_ms();

	run_script(&s, "sleep 5 & echo done; exit 0", 0, 0, NULL);
	ck_assert_int_lt(mt_clock_ms() - t, 4500);
	ck_assert_str_eq(s.out, "done|");
	ck_assert_int_eq(s.result.err.code, 0);
}
END_TEST

START_TEST(options_become_long_options)
{
	static const char *const refused[] = {"pgdata", NULL};
	json_t *o = json_pack("[s,{s:s},{s:i}]", "data-checksums", "encoding",
			      "UTF8", "wal-segsize", 16);
	struct mt_argv a = {0};

	ck_assert_int_eq(
	    mt_argv_add_options(&a, o, refused, false, "initdb", NULL), 0);
	ck_assert_uint_eq(a.n, 3);
	ck_assert_str_eq(a.v[0], "--data-checksums");
	ck_assert_str_eq(a.v[1], "--encoding=UTF8");
	ck_assert_str_eq(a.v[2], "--wal-segsize=16");
	mt_argv_free(&a);
	json_decref(o);
}
END_TEST

static void
no_log(void *arg, enum mt_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
}

START_TEST(refused_options_and_their_short_forms_are_refused)
{
	static const char *const refused[] = {"pgdata", "nosync", NULL};
	static const char *const names[] = {"pgdata", "pgd", "nosync",
					    "-D",     "",    "a b"};
	json_t *o = json_pack("[{s:s}]", names[_i], "x");
	struct mt_argv a = {0};
	struct mt_err err = {0};

	mt_log_set_sink(no_log, NULL);
	ck_assert_int_eq(
	    mt_argv_add_options(&a, o, refused, false, "initdb", &err),
	    MT_EINVAL);
	ck_assert_int_eq(
	    mt_argv_add_options(&a, o, refused, true, "initdb", &err), 0);
	ck_assert_uint_eq(a.n, 0);
	mt_argv_free(&a);
	json_decref(o);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("command");
	TCase *t = tcase_create("all");

	tcase_add_test(t, lines_of_both_outputs_and_the_status_arrive);
	tcase_add_test(t, a_failure_says_the_line_that_tells_most);
	tcase_add_test(t, only_the_end_of_long_error_output_is_kept);
	tcase_add_test(t, a_signal_ends_with_its_number);
	tcase_add_test(t, a_timeout_ends_the_whole_group);
	tcase_add_test(t, a_cancel_ends_it_and_says_so);
	tcase_add_test(t, the_environment_has_no_settings_and_no_secrets);
	tcase_add_test(t, no_descriptor_is_inherited);
	tcase_add_test(t, a_program_that_is_not_there_is_an_error_at_once);
	tcase_add_test(t, a_grandchild_that_keeps_the_output_does_not_hold_us);
	tcase_add_test(t, options_become_long_options);
	tcase_add_loop_test(
	    t, refused_options_and_their_short_forms_are_refused, 0, 6);
	suite_add_tcase(s, t);
	return run_suite(s);
}
