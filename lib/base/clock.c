/* SPDX-License-Identifier: PostgreSQL */
/*
 * The clock of all deadlines: RAW + (BOOTTIME - MONOTONIC). RAW is not slewed
 * by NTP; the difference of the other two is the time spent in suspend.
 *
 * Happy path: four clock readings, no lock. The offset is read between two
 * readings of MONOTONIC, and again if they lie more than 100 us apart: then the
 * thread was scheduled away in between and the offset would be that much wrong.
 * A new offset is taken over only if it moved by more than 1 ms, so that
 * reading noise does not become jitter. Safe from any thread. A kernel without
 * these clocks ends the process: nothing here works without time.
 */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define READ_SPREAD_MAX_NS (100 * INT64_C(1000))
#define OFFSET_STEP_MIN_NS (1 * NS_PER_MS)
#define READ_TRIES 16

static _Atomic int64_t suspended_ns = INT64_MIN; /* MIN: never read */
static _Atomic int64_t last_ns = INT64_MIN;

static int64_t
read_ns(clockid_t id)
{
	struct timespec ts;

	MT_ASSERT(clock_gettime(id, &ts) == 0);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* Time spent in suspend. Returns false if no reading was tight enough. */
static bool
read_suspended(int64_t *ns)
{
	int64_t before, boot, after;

	for (int i = 0; i < READ_TRIES; i++) {
		before = read_ns(CLOCK_MONOTONIC);
		boot = read_ns(CLOCK_BOOTTIME);
		after = read_ns(CLOCK_MONOTONIC);
		*ns = boot - before;
		if (after - before <= READ_SPREAD_MAX_NS)
			return true;
	}
	return false;
}

static int64_t
offset_ns(void)
{
	int64_t known = atomic_load(&suspended_ns), seen, moved;

	/* A loose reading is taken only where there is nothing better yet. */
	if (!read_suspended(&seen) && known != INT64_MIN)
		return known;
	if (known != INT64_MIN) {
		moved = seen > known ? seen - known : known - seen;
		if (moved <= OFFSET_STEP_MIN_NS)
			return known;
	} else if (seen < OFFSET_STEP_MIN_NS) {
		/* never suspended: all processes agree on exactly zero */
		seen = 0;
	}
	atomic_store(&suspended_ns, seen);
	return seen;
}

int64_t
mt_clock_ms(void)
{
	int64_t now = offset_ns() + read_ns(CLOCK_MONOTONIC_RAW);
	int64_t last = atomic_load(&last_ns);

	while (now > last)
		if (atomic_compare_exchange_weak(&last_ns, &last, now))
			return now / NS_PER_MS;
	return last / NS_PER_MS;
}

int64_t
mt_wall_ms(void)
{
	return read_ns(CLOCK_REALTIME) / NS_PER_MS;
}

char *
mt_wall_iso(char *buf, int64_t wall_ms)
{
	int64_t s = wall_ms / 1000, ms = wall_ms % 1000;
	struct tm tm;
	time_t t;
	size_t n;

	if (ms < 0) {
		ms += 1000;
		s--;
	}
	t = (time_t)s;
	if (gmtime_r(&t, &tm) == NULL)
		memset(&tm, 0, sizeof(tm));
	n = strftime(buf, MT_ISO_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, MT_ISO_MAX - n, ".%06d+00:00", (int)ms * 1000);
	return buf;
}
