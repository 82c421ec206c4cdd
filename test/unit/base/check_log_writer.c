/* SPDX-License-Identifier: PostgreSQL */
/* Where the log goes: the thread, its queue, the file and its rotation. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_writer.h"
#include "base/text.h"
#include "test/unit/run.h"

#define SOON_MS 10000
#define PIPE_BYTES 4096

static char dir[64];
static struct mt_log_options options;
static struct mt_err err;
static int pipe_fd[2];

/* Each test is a process of its own: no need to put anything back. */
static void
setup(void)
{
	mt_copy(dir, sizeof(dir), "/tmp/check_log.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	memset(&options, 0, sizeof(options));
	options.filter.level = MT_LOG_INFO;
	ck_assert_int_eq(mt_log_format_plain(&options.format,
					     "%(levelname)s %(message)s", &err),
			 0);
	options.mode = -1;
	options.max_queue_size = 1000;
}

static void
teardown(void)
{
	char command[128];

	mt_format(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
}

static void
use_file(void)
{
	mt_copy(options.dir, sizeof(options.dir), dir);
}

/* Standard error, as small a pipe as there is, which nobody reads yet. */
static void
use_pipe(void)
{
	ck_assert_int_eq(pipe(pipe_fd), 0);
	ck_assert_int_ge(fcntl(pipe_fd[1], F_SETPIPE_SZ, PIPE_BYTES), 0);
	ck_assert_int_eq(dup2(pipe_fd[1], STDERR_FILENO), STDERR_FILENO);
}

static void
start(void)
{
	ck_assert_msg(mt_log_start(&options, &err) == 0, "%s", err.text);
}

/* "patroni.log" and suffix; NULL: there is no such file. Static. */
static const char *
content(const char *suffix)
{
	static char text[65536];
	char path[128];
	size_t n;
	FILE *f;

	mt_format(path, sizeof(path), "%s/patroni.log%s", dir, suffix);
	f = fopen(path, "r");
	if (f == NULL)
		return NULL;
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

/* What comes out of the pipe until it holds these words. Static. */
static const char *
read_until(const char *words)
{
	static char text[1 << 20];
	static size_t n;
	int64_t until_ms = mt_clock_ms() + SOON_MS;

	while (strstr(text, words) == NULL) {
		struct pollfd in = {pipe_fd[0], POLLIN, 0};
		ssize_t k;

		ck_assert_msg(mt_clock_ms() < until_ms, "no \"%s\" in:\n%s",
			      words, text);
		if (poll(&in, 1, 100) != 1)
			continue;
		k = read(pipe_fd[0], text + n, sizeof(text) - n - 1);
		ck_assert_int_gt(k, 0);
		n += (size_t)k;
	}
	return text;
}

START_TEST(records_come_out_in_order_and_the_last_at_the_end)
{
	char want[32768];
	size_t n = 0;

	use_file();
	start();
	for (int i = 0; i < 900; i++) {
		mt_info("record %d", i);
		mt_format(want + n, sizeof(want) - n, "INFO record %d\n", i);
		n += strlen(want + n);
	}
	mt_debug("below the level");
	mt_log_stop(SOON_MS);
	ck_assert_str_eq(content(""), want);
}
END_TEST

START_TEST(a_stopped_log_is_as_it_was_before_its_start)
{
	use_pipe();
	use_file();
	start();
	mt_info("one");
	mt_log_stop(SOON_MS);
	mt_log_stop(SOON_MS);
	mt_info("two");
	ck_assert_ptr_nonnull(strstr(read_until("two\n"), " INFO: two\n"));
	ck_assert_str_eq(content(""), "INFO one\n");
	start();
	mt_info("three");
	mt_log_stop(SOON_MS);
	ck_assert_str_eq(content(""), "INFO one\nINFO three\n");
}
END_TEST

/* So that not a byte more fits. */
static void
fill_pipe(void)
{
	int flags = fcntl(pipe_fd[1], F_GETFL);

	ck_assert_int_eq(fcntl(pipe_fd[1], F_SETFL, flags | O_NONBLOCK), 0);
	while (write(pipe_fd[1], ".", 1) == 1)
		;
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(fcntl(pipe_fd[1], F_SETFL, flags), 0);
}

static void
wait_for_waiting(size_t n)
{
	int64_t until_ms = mt_clock_ms() + SOON_MS;
	struct mt_log_stats stats;

	do {
		sched_yield();
		mt_log_stats(&stats);
		ck_assert_int_lt(mt_clock_ms(), until_ms);
	} while (stats.waiting != n);
}

START_TEST(a_full_queue_drops_counts_and_tells_where)
{
	struct mt_log_stats stats;
	const char *text, *gap;

	options.max_queue_size = 10;
	use_pipe();
	fill_pipe();
	start();
	mt_info("first");
	wait_for_waiting(0); /* the thread has it, and hangs */
	for (int i = 0; i < 1000; i++)
		mt_info("before %d", i); /* which waits for nobody */
	mt_log_stats(&stats);
	ck_assert_uint_eq(stats.waiting, 10);
	ck_assert_uint_eq(stats.lost, 990);
	/* Told where they are missing, though nothing follows. */
	text = read_until("dropped here");
	gap = strstr(text, "INFO before 9\nWARNING 990 records of the log were "
			   "dropped here: ");
	ck_assert_msg(gap != NULL, "%s", text);
	mt_info("after");
	text = read_until("INFO after\n");
	ck_assert_ptr_null(strstr(text, "before 10"));
	ck_assert(mt_log_drain(SOON_MS));
	fill_pipe();
	mt_info("first");
	wait_for_waiting(0);
	for (int i = 0; i < 11; i++)
		mt_info("again %d", i);
	read_until("again 0"); /* there is room again */
	mt_info("last");
	text = read_until("INFO last\n");
	ck_assert_ptr_nonnull(
	    strstr(text, "INFO again 9\nWARNING 1 record of the log was "
			 "dropped here: "));
	mt_log_stop(SOON_MS);
}
END_TEST

START_TEST(an_end_waits_for_a_hanging_reader_no_longer_than_it_may)
{
	int64_t began_ms;
	char line[PIPE_BYTES / 2];

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	use_pipe();
	start();
	for (int i = 0; i < 10; i++)
		mt_info("%s", line);
	ck_assert(!mt_log_drain(20));
	began_ms = mt_clock_ms();
	mt_log_stop(100);
	mt_info("nobody is told that any more, and nobody waits for it");
	ck_assert_int_ge(mt_clock_ms() - began_ms, 100);
	ck_assert_int_lt(mt_clock_ms() - began_ms, SOON_MS);
}
END_TEST

START_TEST(what_led_to_a_failed_assertion_is_written)
{
	int status;
	pid_t pid;

	use_file();
	use_pipe();
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		start();
		for (int i = 0; i < 100; i++)
			mt_info("it is about to happen %d", i);
		MT_ASSERT(options.max_queue_size == 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	ck_assert_ptr_nonnull(strstr(content(""), "about to happen 99\n"));
	read_until("assertion failed: options.max_queue_size == 0\n");
}
END_TEST

START_TEST(files_are_kept_up_to_their_number_and_size)
{
	use_file();
	options.file_num = 2;
	options.file_size_bytes = 30;
	start();
	for (int i = 0; i < 9; i++)
		mt_info("number %d", i); /* 14 bytes a line */
	mt_log_stop(SOON_MS);
	ck_assert_str_eq(content(""), "INFO number 8\n");
	ck_assert_str_eq(content(".1"), "INFO number 6\nINFO number 7\n");
	ck_assert_str_eq(content(".2"), "INFO number 4\nINFO number 5\n");
	ck_assert_ptr_null(content(".3"));
	/* the next start goes on in the same file */
	start();
	mt_info("number 9");
	mt_info("a line that is longer than a file may be");
	mt_info("number b");
	mt_log_stop(SOON_MS);
	ck_assert_str_eq(content(""), "INFO number b\n");
	ck_assert_str_eq(content(".1"),
			 "INFO a line that is longer than a file may be\n");
	ck_assert_str_eq(content(".2"), "INFO number 8\nINFO number 9\n");
}
END_TEST

START_TEST(without_a_number_or_a_size_nothing_is_rotated)
{
	use_file();
	options.file_num = _i == 0 ? 0 : 3;
	options.file_size_bytes = _i == 0 ? 10 : 0;
	start();
	mt_info("a line");
	mt_info("another line");
	mt_log_stop(SOON_MS);
	ck_assert_str_eq(content(""), "INFO a line\nINFO another line\n");
	ck_assert_ptr_null(content(".1"));
}
END_TEST

START_TEST(files_that_cannot_be_renamed_let_the_log_grow_on)
{
	char path[128];

	mt_format(path, sizeof(path), "%s/patroni.log.1", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	use_file();
	options.file_num = 1;
	options.file_size_bytes = 30;
	start();
	mt_info("number 0");
	mt_info("number 1");
	mt_info("number 2");
	mt_log_stop(SOON_MS);
	ck_assert_ptr_nonnull(strstr(content(""), "could not rename"));
	ck_assert_ptr_nonnull(strstr(content(""), "INFO number 2\n"));
	ck_assert_ptr_nonnull(strstr(content(""), "INFO number 0\n"));
}
END_TEST

START_TEST(the_file_has_its_mode_and_no_child_has_it)
{
	struct mt_log_file file = {.fd = -1};
	struct stat st;

	umask(0022);
	ck_assert_int_eq(mt_log_file_open(&file, dir, 0660, &err), 0);
	ck_assert_int_eq(fstat(file.fd, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0660);
	ck_assert_int_ne(fcntl(file.fd, F_GETFD) & FD_CLOEXEC, 0);
	mt_log_file_close(&file);
	unlink(file.path);
	ck_assert_int_eq(mt_log_file_open(&file, dir, -1, &err), 0);
	ck_assert_int_eq(fstat(file.fd, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0644);
	mt_log_file_close(&file);
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_an_error_at_the_start)
{
	mt_format(options.dir, sizeof(options.dir), "%s/nowhere", dir);
	ck_assert_int_eq(mt_log_start(&options, &err), MT_ESYS);
	ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/patroni.log\": "
					       "No such file or directory"));
	/* and nothing has started */
	use_pipe();
	mt_info("still here");
	read_until("INFO: still here\n");
}
END_TEST

START_TEST(a_configuration_counts_from_its_place_on)
{
	use_pipe();
	use_file();
	start();
	mt_info("to the file");
	memset(&options.format, 0, sizeof(options.format));
	ck_assert_int_eq(mt_log_format_json(&options.format, "message", &err),
			 0);
	ck_assert(
	    mt_log_filter_add(&options.filter, "matriarch.test", MT_LOG_DEBUG));
	mt_log_configure(&options);
	mt_debug("of the file, as JSON");
	ck_assert(mt_log_drain(SOON_MS));
	options.filter.n = 0;
	options.dir[0] = '\0';
	mt_log_configure(&options);
	mt_debug("below the level again");
	mt_info("to standard error");
	mt_log_stop(SOON_MS);
	ck_assert_str_eq(content(""),
			 "INFO to the file\n"
			 "{\"message\": \"of the file, as JSON\"}\n");
	ck_assert_str_eq(read_until("error"),
			 "{\"message\": \"to standard error\"}\n");
}
END_TEST

START_TEST(a_new_directory_that_cannot_be_used_leaves_the_log_where_it_is)
{
	use_file();
	start();
	mt_info("one");
	mt_format(options.dir, sizeof(options.dir), "%s/nowhere", dir);
	mt_log_configure(&options);
	mt_info("two");
	mt_log_stop(SOON_MS);
	ck_assert_ptr_nonnull(strstr(content(""), "INFO one\nWARNING could not "
						  "open "));
	ck_assert_ptr_nonnull(
	    strstr(content(""), "; the log goes on where it was\nINFO two\n"));
}
END_TEST

START_TEST(a_reload_opens_a_file_that_was_moved_anew)
{
	char path[128], to[128];

	use_file();
	start();
	mt_info("one");
	ck_assert(mt_log_drain(SOON_MS));
	mt_format(path, sizeof(path), "%s/patroni.log", dir);
	mt_format(to, sizeof(to), "%s/patroni.log-yesterday", dir);
	ck_assert_int_eq(rename(path, to), 0);
	mt_info("two");
	mt_log_configure(&options);
	mt_info("three");
	mt_log_stop(SOON_MS);
	ck_assert_str_eq(content("-yesterday"), "INFO one\nINFO two\n");
	ck_assert_str_eq(content(""), "INFO three\n");
}
END_TEST

START_TEST(what_a_full_volume_does_not_take_goes_to_standard_error)
{
	char path[128];

	if (access("/dev/full", W_OK) != 0)
		return; /* a volume that is always full */
	mt_format(path, sizeof(path), "%s/patroni.log", dir);
	ck_assert_int_eq(symlink("/dev/full", path), 0);
	use_pipe();
	use_file();
	start();
	mt_info("one");
	mt_info("two");
	mt_log_stop(SOON_MS);
	ck_assert_ptr_nonnull(
	    strstr(read_until("two\n"), "INFO one\nINFO two\n"));
	ck_assert_ptr_nonnull(
	    strstr(read_until("two\n"), "No space left on device"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("log_writer");
	TCase *tc = tcase_create("log_writer");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, records_come_out_in_order_and_the_last_at_the_end);
	tcase_add_test(tc, a_stopped_log_is_as_it_was_before_its_start);
	tcase_add_test(tc, a_full_queue_drops_counts_and_tells_where);
	tcase_add_test(tc,
		       an_end_waits_for_a_hanging_reader_no_longer_than_it_may);
	tcase_add_test(tc, what_led_to_a_failed_assertion_is_written);
	tcase_add_test(tc, files_are_kept_up_to_their_number_and_size);
	tcase_add_loop_test(tc, without_a_number_or_a_size_nothing_is_rotated,
			    0, 2);
	tcase_add_test(tc, files_that_cannot_be_renamed_let_the_log_grow_on);
	tcase_add_test(tc, the_file_has_its_mode_and_no_child_has_it);
	tcase_add_test(tc,
		       a_directory_that_is_not_there_is_an_error_at_the_start);
	tcase_add_test(tc, a_configuration_counts_from_its_place_on);
	tcase_add_test(
	    tc, a_new_directory_that_cannot_be_used_leaves_the_log_where_it_is);
	tcase_add_test(tc, a_reload_opens_a_file_that_was_moved_anew);
	tcase_add_test(tc,
		       what_a_full_volume_does_not_take_goes_to_standard_error);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
