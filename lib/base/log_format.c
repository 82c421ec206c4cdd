/* SPDX-License-Identifier: PostgreSQL */
/*
 * A record becomes a line, by a format that log_pattern.c has made. Happy path:
 * part after part is printed, with the padding that Python has, whose widths
 * count characters, not bytes. A JSON object is written as Python's json module
 * does, with a blank behind commas and colons.
 *
 * Failure modes: bytes that are no UTF-8 stay as they are in a plain line, and
 * become U+FFFD in JSON, which would not be JSON otherwise. Control characters
 * of a message become blanks in a plain line: one record stays one line, and
 * nobody who gets text into the log can forge another one.
 */
#include "base/log_format.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/log_filter.h"
#include "base/log_internal.h"
#include "base/text.h"

#define VALUE_MAX 256

static const char *const level_names[] = {
    [MT_LOG_DEBUG] = "DEBUG",       [MT_LOG_INFO] = "INFO",
    [MT_LOG_WARNING] = "WARNING",   [MT_LOG_ERROR] = "ERROR",
    [MT_LOG_CRITICAL] = "CRITICAL",
};

/* ---- values ---- */

static const char *
asctime_of(const struct mt_log_format *f, const struct mt_log_record *r,
	   char *buf)
{
	time_t s = (time_t)(r->wall_us / 1000000);
	struct tm tm;
	size_t n;

	localtime_r(&s, &tm);
	if (f->dateformat[0] != '\0') {
		if (log__put_date(buf, LOG__DATE_MAX, f->dateformat, &tm) == 0)
			buf[0] = '\0';
		return buf;
	}
	n = strftime(buf, LOG__DATE_MAX, "%Y-%m-%d %H:%M:%S", &tm);
	mt_format(buf + n, LOG__DATE_MAX - n, ",%03d",
		  (int)(r->wall_us / 1000 % 1000));
	return buf;
}

static const char *
filename_of(const struct mt_log_record *r)
{
	const char *slash = strrchr(r->at.file, '/');

	return slash != NULL ? slash + 1 : r->at.file;
}

static const char *
module_of(const struct mt_log_record *r, char *buf)
{
	const char *name = filename_of(r);

	mt_format(buf, VALUE_MAX, "%.*s", (int)strcspn(name, "."), name);
	return buf;
}

static const char *
thread_name(const struct mt_log_record *r, char *buf)
{
	if (r->thread == r->process)
		return "MainThread";
	mt_format(buf, VALUE_MAX, "Thread-%d", r->thread);
	return buf;
}

/* buf has VALUE_MAX bytes. */
static const char *
text_of(const struct mt_log_format *f, enum mt_log_field field,
	const struct mt_log_record *r, char *buf)
{
	switch (field) {
	case MT_LOG_ASCTIME:
		return asctime_of(f, r, buf);
	case MT_LOG_FILENAME:
		return filename_of(r);
	case MT_LOG_FUNCNAME:
		return r->at.func;
	case MT_LOG_LEVELNAME:
		return level_names[r->level];
	case MT_LOG_MESSAGE:
		return r->text;
	case MT_LOG_MODULE:
		return module_of(r, buf);
	case MT_LOG_NAME:
		return mt_log_name(r->at.file, buf, VALUE_MAX);
	case MT_LOG_PATHNAME:
		return r->at.file;
	case MT_LOG_PROCESSNAME:
		return "MainProcess";
	case MT_LOG_THREADNAME:
		return thread_name(r, buf);
	case MT_LOG_NOTHING:
	case MT_LOG_LITERAL:
	case MT_LOG_CREATED:
	case MT_LOG_LEVELNO:
	case MT_LOG_LINENO:
	case MT_LOG_MSECS:
	case MT_LOG_PROCESS:
	case MT_LOG_RELATIVE:
	case MT_LOG_THREAD:
		break;
	}
	return "None"; /* as Python writes it */
}

static int64_t
whole_of(enum mt_log_field field, const struct mt_log_record *r)
{
	if (field == MT_LOG_LEVELNO)
		return ((int64_t)r->level + 1) * 10;
	if (field == MT_LOG_LINENO)
		return r->at.line;
	return field == MT_LOG_PROCESS ? r->process : r->thread;
}

static double
real_of(enum mt_log_field field, const struct mt_log_record *r)
{
	if (field == MT_LOG_CREATED)
		return (double)r->wall_us / 1e6;
	if (field == MT_LOG_MSECS)
		return (double)(r->wall_us % 1000000) / 1e3;
	return (double)r->since_us / 1e3; /* relativeCreated */
}

/* A number without flags and width. */
static const char *
number_of(enum mt_log_field field, char conversion, int precision,
	  const struct mt_log_record *r, char *buf)
{
	bool real = log__kind_of(field) == LOG__REAL;
	double d = real ? real_of(field, r) : (double)whole_of(field, r);
	int64_t w = real ? (int64_t)d : whole_of(field, r);
	int digits = precision < 0 ? 6 : precision < 60 ? precision : 60;
	int least = precision < 0 ? 1 : precision < 200 ? precision : 200;

	switch (conversion) {
	case 'd':
		mt_format(buf, VALUE_MAX, "%.*" PRId64, least, w);
		break;
	case 'x':
		mt_format(buf, VALUE_MAX, "%.*" PRIx64, least, (uint64_t)w);
		break;
	case 'X':
		mt_format(buf, VALUE_MAX, "%.*" PRIX64, least, (uint64_t)w);
		break;
	case 'o':
		mt_format(buf, VALUE_MAX, "%.*" PRIo64, least, (uint64_t)w);
		break;
	case 'e':
		mt_format(buf, VALUE_MAX, "%.*e", digits, d);
		break;
	case 'E':
		mt_format(buf, VALUE_MAX, "%.*E", digits, d);
		break;
	case 'g':
		mt_format(buf, VALUE_MAX, "%.*g", digits, d);
		break;
	case 'G':
		mt_format(buf, VALUE_MAX, "%.*G", digits, d);
		break;
	default: /* f, F */
		mt_format(buf, VALUE_MAX, "%.*f", digits, d);
		break;
	}
	return buf;
}

/* A number as it is where nobody says how. */
static const char *
plain_number(enum mt_log_field field, const struct mt_log_record *r, char *buf)
{
	if (log__kind_of(field) == LOG__WHOLE)
		return number_of(field, 'd', -1, r, buf);
	return number_of(field, 'f', field == MT_LOG_CREATED ? 6 : 3, r, buf);
}

/* ---- plain ---- */

static bool
begins_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static int
characters(const char *s, size_t n)
{
	int count = 0;

	for (size_t i = 0; i < n; i++)
		count += begins_character(s[i]);
	return count;
}

static void
put_times(FILE *to, char c, int n)
{
	for (; n > 0; n--)
		putc(c, to);
}

static void
put_clean(FILE *to, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		putc((unsigned char)s[i] < 0x20 || s[i] == 0x7f ? ' ' : s[i],
		     to);
}

static void
put_text(FILE *to, const struct mt_log_part *p, const char *s)
{
	size_t n = 0;
	int pad, count = 0;

	/* up to the precision, but whole characters */
	while (s[n] != '\0') {
		count += begins_character(s[n]);
		if (p->precision >= 0 && count > p->precision)
			break;
		n++;
	}
	pad = p->width - characters(s, n);
	if (!p->left)
		put_times(to, ' ', pad);
	put_clean(to, s, n);
	if (p->left)
		put_times(to, ' ', pad);
}

static void
put_number(FILE *to, const struct mt_log_part *p, const struct mt_log_record *r)
{
	char buf[VALUE_MAX];
	const char *s =
	    number_of(p->field, p->conversion, p->precision, r, buf);
	const char *sign = *s == '-'  ? "-"
			   : p->plus  ? "+"
			   : p->blank ? " "
				      : "";
	int pad;

	s += *s == '-';
	pad = p->width - (int)strlen(sign) - (int)strlen(s);
	if (!p->left && !p->zeros)
		put_times(to, ' ', pad);
	fputs(sign, to);
	if (!p->left && p->zeros)
		put_times(to, '0', pad);
	fputs(s, to);
	if (p->left)
		put_times(to, ' ', pad);
}

static void
put_plain(FILE *to, const struct mt_log_format *f,
	  const struct mt_log_record *r)
{
	char buf[VALUE_MAX];

	for (size_t i = 0; i < f->n; i++) {
		const struct mt_log_part *p = &f->parts[i];
		enum log__kind kind = log__kind_of(p->field);

		if (p->field == MT_LOG_LITERAL)
			fwrite(f->text + p->text, 1, p->text_n, to);
		else if (p->conversion != 's')
			put_number(to, p, r);
		else if (kind == LOG__TEXT || kind == LOG__NOTHING)
			put_text(to, p, text_of(f, p->field, r, buf));
		else
			put_text(to, p, plain_number(p->field, r, buf));
	}
}

/* ---- JSON ---- */

/* Length of the character at s, of at most n bytes; 0: it is no UTF-8. */
static size_t
utf8_length(const unsigned char *s, size_t n)
{
	static const struct {
		unsigned char mask, is;
		uint32_t least;
	} forms[] = {{0x80, 0x00, 0},
		     {0xe0, 0xc0, 0x80},
		     {0xf0, 0xe0, 0x800},
		     {0xf8, 0xf0, 0x10000}};

	for (size_t k = 0; k < MT_COUNT(forms) && k < n; k++) {
		uint32_t c = s[0] & (unsigned char)~forms[k].mask;

		if ((s[0] & forms[k].mask) != forms[k].is)
			continue;
		for (size_t i = 1; i <= k; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[i] & 0x3f);
		}
		if (c < forms[k].least || c > 0x10ffff ||
		    (c >= 0xd800 && c <= 0xdfff))
			return 0;
		return k + 1;
	}
	return 0;
}

static void
put_escaped(FILE *to, char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", name[] = "\"\\bfnrt";
	const char *at = strchr(from, c);

	if (at != NULL)
		fprintf(to, "\\%c", name[at - from]);
	else
		fprintf(to, "\\u%04x", (unsigned char)c);
}

void
log__put_json(FILE *to, const char *text, size_t n)
{
	putc('"', to);
	for (size_t i = 0; i < n;) {
		const char *s = text + i;
		size_t len = utf8_length((const unsigned char *)s, n - i);

		if (len == 0)
			fputs("\\ufffd", to);
		else if (len == 1 &&
			 (*s < 0x20 || *s == '"' || *s == '\\' || *s == 0x7f))
			put_escaped(to, *s);
		else
			fwrite(s, 1, len, to);
		i += len > 0 ? len : 1;
	}
	putc('"', to);
}

static void
put_value(FILE *to, const struct mt_log_format *f, enum mt_log_field field,
	  const struct mt_log_record *r)
{
	char buf[VALUE_MAX];
	const char *s;

	switch (log__kind_of(field)) {
	case LOG__TEXT:
		s = text_of(f, field, r, buf);
		log__put_json(to, s, strlen(s));
		break;
	case LOG__WHOLE:
	case LOG__REAL:
		fputs(plain_number(field, r, buf), to);
		break;
	case LOG__NOTHING:
		fputs("null", to);
		break;
	}
}

static void
put_object(FILE *to, const struct mt_log_format *f,
	   const struct mt_log_record *r)
{
	putc('{', to);
	for (size_t i = 0; i < f->n; i++) {
		const struct mt_log_part *p = &f->parts[i];

		if (i > 0)
			fputs(", ", to);
		log__put_json(to, f->text + p->text, p->text_n);
		fputs(": ", to);
		put_value(to, f, p->field, r);
	}
	if (f->fixed[0] != '\0')
		fprintf(to, "%s%s", f->n > 0 ? ", " : "", f->fixed);
	putc('}', to);
}

void
mt_log_print(const struct mt_log_format *f, const struct mt_log_record *r,
	     FILE *to)
{
	if (f->json)
		put_object(to, f, r);
	else
		put_plain(to, f, r);
	putc('\n', to);
}
