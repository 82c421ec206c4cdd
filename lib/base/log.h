/* SPDX-License-Identifier: PostgreSQL */
/*
 * The log: one record is one fact. lib/core never logs.
 *
 * Until mt_log_start(), and in programs that do not call it, a record is
 * written to standard error at once, as
 * "YYYY-MM-DD HH:MM:SS,mmm LEVEL: message" (the level stands at column 24,
 * where log scrapers look for it). From then on a record is put into a queue
 * that a thread writes, and no caller ever waits: log_writer.h.
 *
 * A record has a logger, whose name is that of its source file:
 * daemon/postgres_run.c is "matriarch.daemon.postgres.run", see log_filter.h.
 */
#ifndef MT_BASE_LOG_H
#define MT_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log_record.h"

struct mt_log_options; /* base/log_writer.h */

/* fmt and its arguments make the message, at most 4095 bytes. Neither may hold
 * a secret. */
void mt_log_at(enum mt_log_level level, const struct mt_log_place *at,
	       const char *fmt, ...) MT_PRINTF(3, 4);

#define mt_log(level, ...) \
	mt_log_at((level), \
		  &(const struct mt_log_place){__FILE__, __func__, __LINE__}, \
		  __VA_ARGS__)
#define mt_debug(...) mt_log(MT_LOG_DEBUG, __VA_ARGS__)
#define mt_info(...) mt_log(MT_LOG_INFO, __VA_ARGS__)
#define mt_warn(...) mt_log(MT_LOG_WARNING, __VA_ARGS__)
#define mt_error(...) mt_log(MT_LOG_ERROR, __VA_ARGS__)
#define mt_critical(...) mt_log(MT_LOG_CRITICAL, __VA_ARGS__)

/* The least level of all loggers; those that had their own have it no more. */
void mt_log_set_level(enum mt_log_level least);

/* Replace all of it (tests, the sentinel); NULL restores it. text has no
 * control characters and is borrowed for the call. */
typedef void (*mt_log_sink)(void *arg, enum mt_log_level level,
			    const char *text);
void mt_log_set_sink(mt_log_sink sink, void *arg);

/*
 * Open what o names and start the thread. o is copied. Waits for the volume of
 * a directory. On error nothing has started, and the log goes on as before.
 */
int mt_log_start(const struct mt_log_options *o,
		 struct mt_err *err) MT_MUSTCHECK;
/*
 * From here on by o, which is copied; only after mt_log_start(). Levels count
 * at once, the rest from the next record on. Waits for nothing: where the new
 * directory cannot be used the thread says so, and the file stays.
 */
void mt_log_configure(const struct mt_log_options *o);
/* All that was said so far is written, or wait_ms are over: false. */
bool mt_log_drain(int64_t wait_ms);
/* The same; then the thread ends, and the log is as before its start. Where the
 * time was over, it says nothing any more. */
void mt_log_stop(int64_t wait_ms);

struct mt_log_stats {
	size_t waiting; /* records in the queue */
	uint64_t lost;  /* since the start: the queue was full, or nothing
			 * took them */
};
void mt_log_stats(struct mt_log_stats *stats);

#endif
