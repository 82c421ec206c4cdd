/* SPDX-License-Identifier: PostgreSQL */
/*
 * Which records are wanted. Happy path: of the names that are set the longest
 * one that is the logger's, or above it, decides; else the level of all. Which
 * names there are is known from the list of source files that the build makes.
 * Failure modes: a name that is too long is cut, and matches nothing.
 */
#include "base/log_filter.h"

#include <string.h>

#include "base/text.h"

static const char *const sources[] = {
#include "sources.inc"
};

const char *
mt_log_name(const char *file, char *buf, size_t size)
{
	const char *dot = strrchr(file, '.');
	size_t n = dot != NULL ? (size_t)(dot - file) : strlen(file);

	if (strncmp(file, "lib/", 4) == 0) {
		file += 4;
		n -= 4;
	}
	mt_format(buf, size, "matriarch.%.*s", (int)n, file);
	for (char *p = buf; *p != '\0'; p++)
		if (*p == '/' || *p == '_')
			*p = '.';
	return buf;
}

/* Is name that of the logger, or above it? */
static bool
covers(const char *name, const char *logger)
{
	size_t n = strlen(name);

	return strncmp(name, logger, n) == 0 &&
	       (logger[n] == '\0' || logger[n] == '.');
}

bool
mt_log_is_known(const char *name)
{
	char logger[MT_LOG_NAME_MAX];

	for (size_t i = 0; i < MT_COUNT(sources); i++)
		if (covers(name,
			   mt_log_name(sources[i], logger, sizeof(logger))))
			return true;
	return false;
}

bool
mt_log_filter_add(struct mt_log_filter *f, const char *name,
		  enum mt_log_level level)
{
	if (f->n == MT_LOG_LOGGERS_MAX ||
	    !mt_copy(f->loggers[f->n].name, MT_LOG_NAME_MAX, name))
		return false;
	f->loggers[f->n++].level = level;
	return true;
}

bool
mt_log_filter_passes(const struct mt_log_filter *f, enum mt_log_level level,
		     const char *file)
{
	enum mt_log_level least = f->level;
	char logger[MT_LOG_NAME_MAX];
	size_t longest = 0;

	if (f->n > 0)
		mt_log_name(file, logger, sizeof(logger));
	for (size_t i = 0; i < f->n; i++) {
		size_t n = strlen(f->loggers[i].name);

		if (n > longest && covers(f->loggers[i].name, logger)) {
			longest = n;
			least = f->loggers[i].level;
		}
	}
	return level >= least;
}

enum mt_log_level
mt_log_filter_least(const struct mt_log_filter *f)
{
	enum mt_log_level least = f->level;

	for (size_t i = 0; i < f->n; i++)
		if (f->loggers[i].level < least)
			least = f->loggers[i].level;
	return least;
}
