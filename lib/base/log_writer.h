/* SPDX-License-Identifier: PostgreSQL */
/*
 * The queue of the log and the thread that writes it. Inside lib/base, but for
 * struct mt_log_options: what a user says of the log.
 */
#ifndef MT_BASE_LOG_WRITER_H
#define MT_BASE_LOG_WRITER_H

#include "base/err.h"
#include "base/log.h"
#include "base/log_file.h"
#include "base/log_filter.h"
#include "base/log_format.h"
#include "base/log_record.h"

struct mt_log_options {
	struct mt_log_filter filter;
	struct mt_log_format format;
	char dir[MT_LOG_DIR_MAX]; /* "": to standard error */
	int mode;                 /* of the file; -1: as the umask says */
	int64_t file_num;         /* older files that are kept; 0: all in one */
	int64_t file_size_bytes;  /* 0: without bound */
	int64_t max_queue_size;   /* records, at least 1 */
};

/* See log.h for what these promise. */
int log__writer_start(const struct mt_log_options *o,
		      struct mt_err *err) MT_MUSTCHECK;
void log__writer_configure(const struct mt_log_options *o);
bool log__writer_drain(int64_t wait_ms);
void log__writer_stop(int64_t wait_ms);
void log__writer_stats(struct mt_log_stats *stats);

/* False: there is no thread, and the caller writes himself. r is copied. */
bool log__writer_take(const struct mt_log_record *r);

#endif
