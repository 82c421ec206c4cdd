/* SPDX-License-Identifier: PostgreSQL */
/*
 * What plain scalars mean: the types of YAML 1.1 that users of the known format
 * rely on. Happy path: a word, an integer, a decimal, in this order. Text that
 * is none of them, or that a number cannot hold, stays text. Dates, sums of
 * sixty and infinities are text on purpose: JSON has none of them.
 */
#include "base/yaml_plain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static json_t *
plain_word(const char *s)
{
	static const char *const yes[] = {"true", "yes", "on"};
	static const char *const no[] = {"false", "no", "off"};

	if (s[0] == '\0' || mt_streq(s, "~") || strcasecmp(s, "null") == 0)
		return json_null();
	for (size_t i = 0; i < MT_COUNT(yes); i++) {
		if (strcasecmp(s, yes[i]) == 0)
			return json_true();
		if (strcasecmp(s, no[i]) == 0)
			return json_false();
	}
	return NULL;
}

/* buf: the scalar without "_" between digits. */
static json_t *
plain_int(const char *buf)
{
	const char *p = buf + (*buf == '-' || *buf == '+');
	const char *digits = "0123456789";
	int base = 10;
	long long v;

	if (p[0] == '0' && p[1] == 'x') {
		base = 16;
		p += 2;
		digits = "0123456789abcdefABCDEF";
	} else if (p[0] == '0' && p[1] == 'b') {
		base = 2;
		p += 2;
		digits = "01";
	} else if (p[0] == '0' && p[1] != '\0') {
		base = 8;
		digits = "01234567";
	}
	if (*p == '\0' || p[strspn(p, digits)] != '\0')
		return NULL;
	errno = 0;
	v = strtoll(p, NULL, base);
	if (errno != 0)
		return NULL; /* too big for a number: stays text */
	return json_integer(*buf == '-' ? -v : v);
}

static json_t *
plain_real(const char *buf)
{
	const char *p = buf + (*buf == '-' || *buf == '+');
	size_t whole = strspn(p, "0123456789"), part;
	double v;

	p += whole;
	if (*p++ != '.')
		return NULL;
	part = strspn(p, "0123456789");
	p += part;
	if (whole + part == 0)
		return NULL;
	if (*p == 'e' || *p == 'E') {
		p++;
		if (*p != '-' && *p != '+')
			return NULL;
		p++;
		if (*p == '\0')
			return NULL;
		p += strspn(p, "0123456789");
	}
	if (*p != '\0')
		return NULL;
	v = strtod(buf, NULL);
	return json_real(v); /* NULL where it overflowed: stays text */
}

json_t *
mt_yaml_plain(const char *s)
{
	json_t *v = plain_word(s);
	char buf[64];
	size_t n = 0;

	if (v != NULL || strchr("+-.0123456789", s[0]) == NULL)
		return v;
	for (const char *p = s; *p != '\0'; p++) {
		if (*p == '_' && n > 0)
			continue;
		if (n == sizeof(buf) - 1)
			return NULL;
		buf[n++] = *p;
	}
	buf[n] = '\0';
	v = plain_int(buf);
	return v != NULL ? v : plain_real(buf);
}
