/* SPDX-License-Identifier: PostgreSQL */
/*
 * How a record of the log looks: a line by a pattern as users of the known
 * format write it, "%(asctime)s %(levelname)-8s %(message)s", which is Python's
 * with the names of its LogRecord; or a JSON object of such fields. Pure: what
 * is printed comes from the record and the format.
 */
#ifndef MT_BASE_LOG_FORMAT_H
#define MT_BASE_LOG_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log_record.h"

#define MT_LOG_PATTERN "%(asctime)s %(levelname)s: %(message)s"
#define MT_LOG_PARTS_MAX 48
#define MT_LOG_TEXT_MAX 4096
#define MT_LOG_DATEFORMAT_MAX 128
#define MT_LOG_WIDTH_MAX 999

enum mt_log_field {
	MT_LOG_LITERAL, /* text of the pattern */
	MT_LOG_ASCTIME,
	MT_LOG_CREATED,
	MT_LOG_FILENAME,
	MT_LOG_FUNCNAME,
	MT_LOG_LEVELNAME,
	MT_LOG_LEVELNO,
	MT_LOG_LINENO,
	MT_LOG_MESSAGE,
	MT_LOG_MODULE,
	MT_LOG_MSECS,
	MT_LOG_NAME,
	MT_LOG_NOTHING, /* known, and never there: exc_info and the like */
	MT_LOG_PATHNAME,
	MT_LOG_PROCESS,
	MT_LOG_PROCESSNAME,
	MT_LOG_RELATIVE,
	MT_LOG_THREAD,
	MT_LOG_THREADNAME,
};

struct mt_log_part {
	enum mt_log_field field;
	size_t text, text_n; /* in mt_log_format.text: literal, printed name */
	bool left, zeros, plus, blank; /* flags of a conversion */
	int width;                     /* in characters */
	int precision;                 /* -1: none */
	char conversion;               /* one of "sdxXofFeEgG" */
};

/* A plain value; {0} prints nothing. */
struct mt_log_format {
	bool json;
	char dateformat[MT_LOG_DATEFORMAT_MAX]; /* for strftime(3); "": ours */
	struct mt_log_part parts[MT_LOG_PARTS_MAX];
	size_t n;
	char text[MT_LOG_TEXT_MAX];
	size_t text_n;
	char fixed[MT_LOG_TEXT_MAX]; /* JSON members that are always alike */
};

/* Text of strftime(3) for asctime; "" is "%Y-%m-%d %H:%M:%S" with a comma and
 * milliseconds. */
int mt_log_format_dates(struct mt_log_format *f, const char *dateformat,
			struct mt_err *err) MT_MUSTCHECK;
/* Lines by a pattern. f was {0} but for its dates. */
int mt_log_format_plain(struct mt_log_format *f, const char *pattern,
			struct mt_err *err) MT_MUSTCHECK;
/* An object of the fields of a pattern, or of a list "message, module". */
int mt_log_format_json(struct mt_log_format *f, const char *pattern,
		       struct mt_err *err) MT_MUSTCHECK;
/* One field more of an object, under the name printed. */
int mt_log_format_field(struct mt_log_format *f, const char *name,
			const char *printed, struct mt_err *err) MT_MUSTCHECK;
/* A member that each object has; json is its value. It takes the place of a
 * field that is printed under that name. */
int mt_log_format_fixed(struct mt_log_format *f, const char *name,
			const char *json, struct mt_err *err) MT_MUSTCHECK;

/* A line and its end. Control characters within are blanks, or as JSON has
 * them. */
void mt_log_print(const struct mt_log_format *f, const struct mt_log_record *r,
		  FILE *to);

#endif
