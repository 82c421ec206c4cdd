/* SPDX-License-Identifier: PostgreSQL */
/*
 * Which records are wanted. Loggers are named after source files: "matriarch",
 * then the path without "lib/" and ".c", with dots for "/" and "_", so that
 * those of one topic have a name in common. A level that is set for a name
 * counts for all names below it: "matriarch.daemon.postgres" for
 * "matriarch.daemon.postgres.run", too.
 */
#ifndef MT_BASE_LOG_FILTER_H
#define MT_BASE_LOG_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log_record.h"

#define MT_LOG_NAME_MAX 96
#define MT_LOG_LOGGERS_MAX 32

struct mt_log_filter {
	enum mt_log_level level; /* of loggers without one of their own */
	struct {
		char name[MT_LOG_NAME_MAX];
		enum mt_log_level level;
	} loggers[MT_LOG_LOGGERS_MAX];
	size_t n;
};

/* The logger of a source file as __FILE__ names it; returns buf. */
const char *mt_log_name(const char *file, char *buf, size_t size);
/* Is name that of a logger, or of some in common? */
bool mt_log_is_known(const char *name);
/* False: there is no room for another one, or for its name. */
bool mt_log_filter_add(struct mt_log_filter *f, const char *name,
		       enum mt_log_level level);
bool mt_log_filter_passes(const struct mt_log_filter *f,
			  enum mt_log_level level, const char *file);
/* Below this one nothing passes, whoever says it. */
enum mt_log_level mt_log_filter_least(const struct mt_log_filter *f);

#endif
