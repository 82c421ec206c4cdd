/* SPDX-License-Identifier: PostgreSQL */
/* What a record of the log is, for those who make, judge and print it. */
#ifndef MT_BASE_LOG_RECORD_H
#define MT_BASE_LOG_RECORD_H

#include <stdint.h>

enum mt_log_level {
	MT_LOG_DEBUG,
	MT_LOG_INFO,
	MT_LOG_WARNING,
	MT_LOG_ERROR,
	MT_LOG_CRITICAL,
};

/* Where in the source a record is made; the texts live for ever. */
struct mt_log_place {
	const char *file; /* "daemon/node.c" */
	const char *func;
	int line;
};

struct mt_log_record {
	enum mt_log_level level;
	struct mt_log_place at;
	int64_t wall_us;  /* since 1970 */
	int64_t since_us; /* since the first record of the process */
	int process, thread;
	const char *text; /* the message as it was made; borrowed */
};

#endif
