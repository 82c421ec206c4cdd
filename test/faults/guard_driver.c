/* SPDX-License-Identifier: PostgreSQL */
/*
 * A daemon that is nothing but a guard, for sentinel_test.py: obeys lines on
 * standard input, says on standard output what the guard reported.
 *
 *   start SENTINEL SOCKET LOG LEAD_MS COMMAND...   LEAD_MS 0 = not armed
 *   watch SENTINEL SOCKET PID TICKS
 *   attach SOCKET
 *   arm LEAD_MS | renew PERIOD_MS LEAD_MS | rearm COUNT LEAD_MS
 *   disarm | kill | signal NUMBER | state | release
 *
 * Deadlines are printed on CLOCK_BOOTTIME, which the test can read as well.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <uv.h>

#include "base/clock.h"
#include "daemon/guard.h"

static uv_loop_t loop;
static uv_pipe_t input;
static uv_timer_t renewal;
static struct mt_guard *guard;
static int64_t renew_lead_ms;
static char line[8192];
static size_t line_bytes;

static int64_t
boot_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
on_started(void *arg, pid_t pid, const struct mt_err *err)
{
	(void)arg;
	if (err != NULL)
		printf("error %s\n", err->text);
	else
		printf("started %ld %ld\n", (long)pid,
		       (long)mt_guard_sentinel_pid(guard));
}

static void
on_died(void *arg)
{
	(void)arg;
	printf("died %" PRId64 "\n", boot_ms());
}

static void
on_exit_cb(void *arg, int status)
{
	(void)arg;
	printf("exit %d %d\n", status, mt_guard_fired_ms(guard) != 0);
}

static void
on_lost(void *arg, const char *why)
{
	(void)arg;
	printf("lost %s\n", why);
}

static void
on_closed(void *arg)
{
	(void)arg;
	guard = NULL;
	printf("released\n");
}

static const struct mt_guard_events events = {
    .on_started = on_started,
    .on_died = on_died,
    .on_exit = on_exit_cb,
    .on_sentinel_lost = on_lost,
};

static void
renewal_cb(uv_timer_t *timer)
{
	if (guard == NULL ||
	    mt_guard_arm(guard, mt_clock_ms() + renew_lead_ms) != 0)
		uv_timer_stop(timer);
}

static void
start(char **word, int words)
{
	struct mt_guard_options o = {0};
	struct mt_err err = {0};
	int64_t lead_ms;

	o.sentinel_path = word[1];
	o.sock_path = word[2];
	if (strcmp(word[0], "watch") == 0) {
		o.watch_pid = (pid_t)atol(word[3]);
		o.watch_ticks = words > 4 ? strtoull(word[4], NULL, 10) : 0;
	} else {
		o.log_path = word[3];
		lead_ms = atoll(word[4]);
		o.deadline_ms = lead_ms != 0 ? mt_clock_ms() + lead_ms : 0;
		o.argv = word + 5;
	}
	if (mt_guard_start(&guard, &loop, &o, &events, &err) != 0)
		printf("error %s\n", err.text);
}

static void
arm(const char *lead)
{
	int64_t lead_ms = atoll(lead), now_ms = boot_ms();

	if (mt_guard_arm(guard, mt_clock_ms() + lead_ms) == 0)
		printf("armed %" PRId64 "\n", now_ms + lead_ms);
	else
		printf("refused\n");
}

static void
rearm(long count, int64_t lead_ms)
{
	int64_t began_ms = boot_ms();

	while (count-- > 0) {
		if (mt_guard_arm(guard, mt_clock_ms() + lead_ms) != 0)
			printf("refused\n");
	}
	printf("rearmed %" PRId64 "\n", boot_ms() - began_ms);
}

static void
obey(char **word, int words)
{
	struct mt_err err = {0};

	if (strcmp(word[0], "start") == 0 || strcmp(word[0], "watch") == 0) {
		start(word, words);
	} else if (strcmp(word[0], "attach") == 0) {
		if (mt_guard_attach(&guard, &loop, word[1], &events, &err) != 0)
			printf("error %d %s\n", err.code, err.text);
	} else if (strcmp(word[0], "arm") == 0) {
		arm(word[1]);
	} else if (strcmp(word[0], "rearm") == 0) {
		rearm(atol(word[1]), atoll(word[2]));
	} else if (strcmp(word[0], "renew") == 0) {
		renew_lead_ms = atoll(word[2]);
		uv_timer_start(&renewal, renewal_cb, 0,
			       strtoull(word[1], NULL, 10));
		printf("ok\n");
	} else if (strcmp(word[0], "disarm") == 0) {
		printf(mt_guard_disarm(guard) == 0 ? "ok\n" : "refused\n");
	} else if (strcmp(word[0], "kill") == 0) {
		printf(mt_guard_kill(guard) == 0 ? "ok\n" : "refused\n");
	} else if (strcmp(word[0], "signal") == 0) {
		if (mt_guard_signal(guard, atoi(word[1]), &err) == 0)
			printf("ok\n");
		else
			printf("error %s\n", err.text);
	} else if (strcmp(word[0], "state") == 0) {
		printf("state %ld %d %d %d %d %u\n", (long)mt_guard_pid(guard),
		       mt_guard_is_alive(guard), mt_guard_is_guarded(guard),
		       mt_guard_is_armed(guard), mt_guard_fired_ms(guard) != 0,
		       mt_guard_flags(guard));
	} else if (strcmp(word[0], "release") == 0) {
		mt_guard_release(guard, on_closed, NULL);
	}
}

static void
obey_line(char *text)
{
	char *word[64], *save = NULL, *w;
	int words = 0;

	for (w = strtok_r(text, " ", &save); w != NULL && words < 63;
	     w = strtok_r(NULL, " ", &save))
		word[words++] = w;
	word[words] = NULL;
	if (words > 0)
		obey(word, words);
}

static void
alloc_cb(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(line + line_bytes,
			   (unsigned)(sizeof(line) - line_bytes));
}

static void
read_cb(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	char *end;

	(void)buf;
	if (n < 0) {
		uv_close((uv_handle_t *)stream, NULL);
		uv_close((uv_handle_t *)&renewal, NULL);
		if (guard != NULL)
			mt_guard_release(guard, NULL, NULL);
		return;
	}
	line_bytes += (size_t)n;
	while ((end = memchr(line, '\n', line_bytes)) != NULL) {
		*end++ = '\0';
		obey_line(line);
		line_bytes -= (size_t)(end - line);
		memmove(line, end, line_bytes);
	}
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	uv_loop_init(&loop);
	uv_timer_init(&loop, &renewal);
	uv_pipe_init(&loop, &input, 0);
	uv_pipe_open(&input, 0);
	uv_read_start((uv_stream_t *)&input, alloc_cb, read_cb);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop) == 0 ? 0 : 1;
}
