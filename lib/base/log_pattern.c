/* SPDX-License-Identifier: PostgreSQL */
/*
 * A user's description of a record becomes struct mt_log_format. Happy path: a
 * pattern is cut into literals and conversions "%(name)-8s", with the names,
 * flags, widths and types that Python's operator % takes for a LogRecord.
 * Failure modes: a name that no record has, a type that does not fit the
 * field's values, and what does not fit into the format's bounds are refused
 * with the words that are wrong. Prints nothing: log_format.c does.
 */
#include "base/log_format.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log_internal.h"
#include "base/text.h"

static const struct {
	const char *name;
	enum mt_log_field field;
} names[] = {
    {"asctime", MT_LOG_ASCTIME},
    {"created", MT_LOG_CREATED},
    {"filename", MT_LOG_FILENAME},
    {"funcName", MT_LOG_FUNCNAME},
    {"levelname", MT_LOG_LEVELNAME},
    {"levelno", MT_LOG_LEVELNO},
    {"lineno", MT_LOG_LINENO},
    {"message", MT_LOG_MESSAGE},
    {"module", MT_LOG_MODULE},
    {"msecs", MT_LOG_MSECS},
    {"name", MT_LOG_NAME},
    {"pathname", MT_LOG_PATHNAME},
    {"process", MT_LOG_PROCESS},
    {"processName", MT_LOG_PROCESSNAME},
    {"relativeCreated", MT_LOG_RELATIVE},
    {"thread", MT_LOG_THREAD},
    {"threadName", MT_LOG_THREADNAME},
    /* the text before its arguments were put in; there is only one here */
    {"msg", MT_LOG_MESSAGE},
    /* of Python's exceptions and tasks */
    {"args", MT_LOG_NOTHING},
    {"exc_info", MT_LOG_NOTHING},
    {"exc_text", MT_LOG_NOTHING},
    {"stack_info", MT_LOG_NOTHING},
    {"taskName", MT_LOG_NOTHING},
};

enum log__kind
log__kind_of(enum mt_log_field field)
{
	switch (field) {
	case MT_LOG_CREATED:
	case MT_LOG_MSECS:
	case MT_LOG_RELATIVE:
		return LOG__REAL;
	case MT_LOG_LEVELNO:
	case MT_LOG_LINENO:
	case MT_LOG_PROCESS:
	case MT_LOG_THREAD:
		return LOG__WHOLE;
	case MT_LOG_NOTHING:
		return LOG__NOTHING;
	case MT_LOG_LITERAL:
	case MT_LOG_ASCTIME:
	case MT_LOG_FILENAME:
	case MT_LOG_FUNCNAME:
	case MT_LOG_LEVELNAME:
	case MT_LOG_MESSAGE:
	case MT_LOG_MODULE:
	case MT_LOG_NAME:
	case MT_LOG_PATHNAME:
	case MT_LOG_PROCESSNAME:
	case MT_LOG_THREADNAME:
		break;
	}
	return LOG__TEXT;
}

static int
find_field(const char *name, size_t n, enum mt_log_field *field,
	   struct mt_err *err)
{
	for (size_t i = 0; i < MT_COUNT(names); i++) {
		if (strlen(names[i].name) == n &&
		    memcmp(names[i].name, name, n) == 0) {
			*field = names[i].field;
			return 0;
		}
	}
	return mt_err_set(
	    err, MT_EINVAL,
	    "no record has a field \"%.*s\"; fields are asctime, "
	    "levelname, message, name, module, process and others "
	    "of Python's LogRecord",
	    (int)(n < 64 ? n : 64), name);
}

static int
too_long(struct mt_err *err)
{
	return mt_err_set(err, MT_ENOMEM, "it is too long");
}

static int
add(struct mt_log_format *f, const struct mt_log_part *p, const char *text,
    size_t n, struct mt_err *err)
{
	struct mt_log_part *to = &f->parts[f->n];

	if (f->n == MT_LOG_PARTS_MAX || n > sizeof(f->text) - f->text_n)
		return too_long(err);
	*to = *p;
	to->text = f->text_n;
	to->text_n = n;
	memcpy(f->text + f->text_n, text, n);
	f->text_n += n;
	f->n++;
	return 0;
}

static int
add_literal(struct mt_log_format *f, const char *text, size_t n,
	    struct mt_err *err)
{
	static const struct mt_log_part literal = {.field = MT_LOG_LITERAL};

	return n > 0 ? add(f, &literal, text, n, err) : 0;
}

/* ---- conversions ---- */

static bool
number(const char **p, int *to)
{
	*to = 0;
	for (; isdigit((unsigned char)**p) && *to <= MT_LOG_WIDTH_MAX; (*p)++)
		*to = *to * 10 + (**p - '0');
	return *to <= MT_LOG_WIDTH_MAX;
}

static void
flags(struct mt_log_part *part, const char **p)
{
	for (;; (*p)++) {
		if (**p == '-')
			part->left = true;
		else if (**p == '0')
			part->zeros = true;
		else if (**p == '+')
			part->plus = true;
		else if (**p == ' ')
			part->blank = true;
		else
			return;
	}
}

static int
fits(const struct mt_log_part *part, const char *begin, struct mt_err *err)
{
	static const char *const takes[] = {
	    [LOG__TEXT] = "s",
	    [LOG__WHOLE] = "sdxXofFeEgG",
	    [LOG__REAL] = "sdfFeEgG",
	    [LOG__NOTHING] = "s",
	};
	const char *good = takes[log__kind_of(part->field)];
	int n = (int)(strcspn(begin, ")") + 1);

	if (part->conversion != '\0' && strchr(good, part->conversion) != NULL)
		return 0;
	return mt_err_set(err, MT_EINVAL,
			  "\"%.*s\" needs its type right behind it, as in "
			  "\"%.*ss\"%s",
			  n < 64 ? n : 64, begin, n < 64 ? n : 64, begin,
			  good[1] != '\0' ? ", or d for a number" : "");
}

/* *p is at "%(name)..."; it is left behind the conversion. */
static int
conversion(struct mt_log_part *part, const char **p, struct mt_err *err)
{
	const char *begin = *p, *close = strchr(begin, ')');
	int rv;

	*part = (struct mt_log_part){.precision = -1};
	if (close == NULL)
		return mt_err_set(err, MT_EINVAL,
				  "a bracket behind \"%%\" is not closed");
	rv = find_field(begin + 2, (size_t)(close - begin) - 2, &part->field,
			err);
	if (rv != 0)
		return rv;
	*p = close + 1;
	flags(part, p);
	if (!number(p, &part->width))
		return mt_err_set(err, MT_EINVAL, "a width is above %d",
				  MT_LOG_WIDTH_MAX);
	if (**p == '.') {
		(*p)++;
		if (!number(p, &part->precision))
			return mt_err_set(err, MT_EINVAL,
					  "a precision is above %d",
					  MT_LOG_WIDTH_MAX);
	}
	part->conversion = **p == 'i' || **p == 'u' ? 'd' : **p;
	rv = fits(part, begin, err);
	if (rv == 0)
		(*p)++;
	return rv;
}

int
mt_log_format_plain(struct mt_log_format *f, const char *pattern,
		    struct mt_err *err)
{
	const char *p = pattern;
	struct mt_log_part part;
	int rv = 0;

	f->json = false;
	while (rv == 0 && *p != '\0') {
		size_t n = strcspn(p, "%");

		rv = add_literal(f, p, n, err);
		p += n;
		if (rv != 0 || *p == '\0')
			break;
		if (p[1] == '%') {
			rv = add_literal(f, "%", 1, err);
			p += 2;
		} else if (p[1] != '(') {
			rv = mt_err_set(err, MT_EINVAL,
					"\"%%\" must be followed by the name "
					"of a field, as in \"%%(message)s\"; "
					"a percent sign itself is \"%%%%\"");
		} else {
			rv = conversion(&part, &p, err);
			if (rv == 0)
				rv = add(f, &part, "", 0, err);
		}
	}
	/* one record is one line */
	for (size_t i = 0; i < f->text_n; i++)
		if (f->text[i] == '\n' || f->text[i] == '\r')
			f->text[i] = ' ';
	return rv;
}

/* ---- objects ---- */

int
mt_log_format_field(struct mt_log_format *f, const char *name,
		    const char *printed, struct mt_err *err)
{
	struct mt_log_part part = {.precision = -1};
	size_t n = strlen(printed);
	int rv = find_field(name, strlen(name), &part.field, err);

	if (rv != 0)
		return rv;
	f->json = true;
	for (size_t i = 0; i < f->n; i++)
		if (f->parts[i].text_n == n &&
		    memcmp(f->text + f->parts[i].text, printed, n) == 0)
			return mt_err_set(err, MT_EINVAL,
					  "two fields are printed as \"%s\"",
					  printed);
	return add(f, &part, printed, n, err);
}

static int
add_name(struct mt_log_format *f, const char *name, size_t n,
	 struct mt_err *err)
{
	char text[64];

	mt_format(text, sizeof(text), "%.*s", (int)(n < 64 ? n : 63), name);
	return mt_log_format_field(f, text, text, err);
}

int
mt_log_format_json(struct mt_log_format *f, const char *pattern,
		   struct mt_err *err)
{
	static const char between[] = ", \t";
	const char *p = pattern;
	size_t n;
	int rv = 0;

	f->json = true;
	if (strstr(p, "%(") == NULL) {
		for (p += strspn(p, between); *p != '\0' && rv == 0;
		     p += n + strspn(p + n, between)) {
			n = strcspn(p, between);
			rv = add_name(f, p, n, err);
		}
	} else {
		while (rv == 0 && (p = strstr(p, "%(")) != NULL) {
			p += 2;
			n = strcspn(p, ")");
			rv = add_name(f, p, n, err);
		}
	}
	if (rv == 0 && f->n == 0)
		rv = mt_err_set(err, MT_EINVAL, "it names no field");
	return rv;
}

static void
drop_field(struct mt_log_format *f, const char *name)
{
	size_t n = strlen(name), to = 0;

	for (size_t i = 0; i < f->n; i++)
		if (f->parts[i].text_n != n ||
		    memcmp(f->text + f->parts[i].text, name, n) != 0)
			f->parts[to++] = f->parts[i];
	f->n = to;
}

int
mt_log_format_fixed(struct mt_log_format *f, const char *name, const char *json,
		    struct mt_err *err)
{
	char *text = NULL;
	size_t used = strlen(f->fixed), n = 0;
	FILE *to = open_memstream(&text, &n);
	bool fit;

	MT_ASSERT(to != NULL);
	log__put_json(to, name, strlen(name));
	fprintf(to, ": %s", json);
	fclose(to);
	fit = mt_format(f->fixed + used, sizeof(f->fixed) - used, "%s%s",
			used > 0 ? ", " : "", text);
	free(text);
	if (!fit)
		return too_long(err);
	drop_field(f, name);
	return 0;
}

/* ---- dates ---- */

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

size_t
log__put_date(char *buf, size_t size, const char *dateformat,
	      const struct tm *tm)
{
	return strftime(buf, size, dateformat, tm);
}

#pragma GCC diagnostic pop

int
mt_log_format_dates(struct mt_log_format *f, const char *dateformat,
		    struct mt_err *err)
{
	char text[LOG__DATE_MAX];
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	if (dateformat[0] != '\0' &&
	    log__put_date(text, sizeof(text), dateformat, &tm) == 0)
		return mt_err_set(err, MT_EINVAL,
				  "it makes no text, or too long a one");
	if (!mt_copy(f->dateformat, sizeof(f->dateformat), dateformat))
		return too_long(err);
	return 0;
}
