/* SPDX-License-Identifier: PostgreSQL */
/*
 * The log. Happy path: the line is built on the stack and leaves in one
 * write(2), so that lines of two threads do not mix. Failure modes: a line
 * longer than the buffer is cut; a standard error that does not take it loses
 * it, as a log must never stop the daemon. Control characters become blanks:
 * one line stays one line. No rotation and no files: that is systemd's work.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

#define LINE_MAX_BYTES 4096

static _Atomic int least_level = MT_LOG_INFO;
static mt_log_sink the_sink;
static void *the_sink_arg;

static const char *const level_names[] = {
    [MT_LOG_DEBUG] = "DEBUG",       [MT_LOG_INFO] = "INFO",
    [MT_LOG_WARNING] = "WARNING",   [MT_LOG_ERROR] = "ERROR",
    [MT_LOG_CRITICAL] = "CRITICAL",
};

static void
write_stderr(enum mt_log_level level, const char *text)
{
	char line[LINE_MAX_BYTES + 64], stamp[32];
	struct timeval tv;
	struct tm tm;
	size_t n;

	gettimeofday(&tv, NULL);
	localtime_r(&tv.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(line, sizeof(line), "%s,%03d %s: %s", stamp,
		 (int)(tv.tv_usec / 1000), level_names[level], text);
	for (n = 0; line[n] != '\0'; n++)
		;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* nowhere left to say it */
}

void
mt_log(enum mt_log_level level, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list ap;
	int n;

	if ((int)level < atomic_load(&least_level))
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	if (the_sink != NULL)
		the_sink(the_sink_arg, level, text);
	else
		write_stderr(level, text);
}

void
mt_log_set_level(enum mt_log_level least)
{
	atomic_store(&least_level, (int)least);
}

void
mt_log_set_sink(mt_log_sink sink, void *arg)
{
	the_sink = sink;
	the_sink_arg = arg;
}
