/* SPDX-License-Identifier: PostgreSQL */
/*
 * The log: one line is one fact. The default sink writes
 * "YYYY-MM-DD HH:MM:SS,mmm LEVEL: message" to standard error (the level stands
 * at column 24, where log scrapers look for it). lib/core never logs.
 */
#ifndef MT_BASE_LOG_H
#define MT_BASE_LOG_H

#include "base/err.h"

enum mt_log_level {
	MT_LOG_DEBUG,
	MT_LOG_INFO,
	MT_LOG_WARNING,
	MT_LOG_ERROR,
	MT_LOG_CRITICAL,
};

void mt_log(enum mt_log_level level, const char *fmt, ...) MT_PRINTF(2, 3);
void mt_log_set_level(enum mt_log_level least);

/* Replace the sink (tests); NULL restores standard error. text has no newline
 * and is borrowed for the call. */
typedef void (*mt_log_sink)(void *arg, enum mt_log_level level,
			    const char *text);
void mt_log_set_sink(mt_log_sink sink, void *arg);

#define mt_debug(...) mt_log(MT_LOG_DEBUG, __VA_ARGS__)
#define mt_info(...) mt_log(MT_LOG_INFO, __VA_ARGS__)
#define mt_warn(...) mt_log(MT_LOG_WARNING, __VA_ARGS__)
#define mt_error(...) mt_log(MT_LOG_ERROR, __VA_ARGS__)
#define mt_critical(...) mt_log(MT_LOG_CRITICAL, __VA_ARGS__)

#endif
