/* SPDX-License-Identifier: PostgreSQL */
/*
 * Errors with words. Happy path: a function fills struct mt_err once and its
 * callers put context in front. Texts that do not fit are cut, never lost as a
 * whole. Allocates nothing, so it works when memory ran out.
 */
#include "base/err.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define LAST_WORDS_MS 500

static void fill(struct mt_err *err, int code, int sys_errno, const char *fmt,
		 va_list ap) MT_PRINTF(4, 0);

static void
fill(struct mt_err *err, int code, int sys_errno, const char *fmt, va_list ap)
{
	/* Through a copy: an argument may point into the error itself. */
	char text[sizeof(err->text)];

	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	memcpy(err->text, text, sizeof(text));
	err->code = code;
	err->sys_errno = sys_errno;
}

int
mt_err_set(struct mt_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err != NULL) {
		va_start(ap, fmt);
		fill(err, code, 0, fmt, ap);
		va_end(ap);
	}
	return code;
}

int
mt_err_sys(struct mt_err *err, int sys_errno, const char *fmt, ...)
{
	char why[128];
	va_list ap;
	size_t n;

	if (err != NULL) {
		va_start(ap, fmt);
		fill(err, MT_ESYS, sys_errno, fmt, ap);
		va_end(ap);
		n = strlen(err->text);
		snprintf(err->text + n, sizeof(err->text) - n, ": %s",
			 strerror_r(sys_errno, why, sizeof(why)));
	}
	return MT_ESYS;
}

int
mt_err_prefix(struct mt_err *err, const char *fmt, ...)
{
	char text[sizeof(err->text)];
	va_list ap;
	size_t n;

	if (err == NULL)
		return 0;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	n = strlen(text);
	for (const char *p = ": "; *p != '\0' && n < sizeof(text) - 1; p++)
		text[n++] = *p;
	for (const char *p = err->text; *p != '\0' && n < sizeof(text) - 1; p++)
		text[n++] = *p;
	text[n] = '\0';
	memcpy(err->text, text, sizeof(text));
	return err->code;
}

noreturn void
mt_assert_failed(const char *what, const char *file, int line)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

	/* What led to it comes out before it does, and a reader that hangs
	 * keeps it for a moment only. */
	(void)mt_log_drain(LAST_WORDS_MS);
	if (poll(&out, 1, LAST_WORDS_MS) == 1 && (out.revents & POLLOUT) != 0)
		fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line,
			what);
	abort();
}
