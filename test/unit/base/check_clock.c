/* SPDX-License-Identifier: PostgreSQL */
/* The clock: direction, agreement, and texts. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "test/unit/run.h"

static int64_t
ms_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

START_TEST(it_never_goes_back)
{
	int64_t last = mt_clock_ms(), now;

	for (int i = 0; i < 100000; i++) {
		now = mt_clock_ms();
		ck_assert(now >= last);
		last = now;
	}
}
END_TEST

START_TEST(it_counts_time_that_passes)
{
	struct timespec ts = {.tv_nsec = 30 * 1000000};
	int64_t before = mt_clock_ms(), passed;

	nanosleep(&ts, NULL);
	passed = mt_clock_ms() - before;
	ck_assert(passed >= 29);
	ck_assert(passed < 10000);
}
END_TEST

START_TEST(it_is_raw_plus_the_time_in_suspend)
{
	int64_t want = ms_of(CLOCK_MONOTONIC_RAW) + ms_of(CLOCK_BOOTTIME) -
		       ms_of(CLOCK_MONOTONIC);
	int64_t off = mt_clock_ms() - want;

	ck_assert(off > -50);
	ck_assert(off < 5000);
}
END_TEST

START_TEST(another_process_reads_the_same_clock)
{
	int64_t mine, theirs = 0;
	int fds[2];
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	mine = mt_clock_ms();
	pid = fork();
	if (pid == 0) {
		theirs = mt_clock_ms();
		_exit(write(fds[1], &theirs, sizeof(theirs)) < 0);
	}
	ck_assert_int_eq(read(fds[0], &theirs, sizeof(theirs)), sizeof(theirs));
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert(theirs >= mine - 2);
	ck_assert(theirs <= mt_clock_ms() + 2);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(wall_times_are_written_in_utc_with_microseconds)
{
	char buf[MT_ISO_MAX];

	ck_assert_str_eq(mt_wall_iso(buf, 0),
			 "1970-01-01T00:00:00.000000+00:00");
	ck_assert_str_eq(mt_wall_iso(buf, INT64_C(1795413600123)),
			 "2026-11-23T06:00:00.123000+00:00");
	ck_assert_str_eq(mt_wall_iso(buf, -1),
			 "1969-12-31T23:59:59.999000+00:00");
	ck_assert(mt_wall_ms() > INT64_C(1577836800000));
}
END_TEST

int
main(void)
{
	RUN_TESTS("clock", it_never_goes_back, it_counts_time_that_passes,
		  it_is_raw_plus_the_time_in_suspend,
		  another_process_reads_the_same_clock,
		  wall_times_are_written_in_utc_with_microseconds);
}
