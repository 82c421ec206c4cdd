/* SPDX-License-Identifier: PostgreSQL */
/*
 * Query strings. Happy path: split at "&" and the first "=", decode "+" and
 * "%XX" into the caller's room. A broken escape stays as it was written, and so
 * does "%00", which would end the string early. Allocates nothing and does not
 * know which parameters exist.
 */
#include "http/query.h"

#include <string.h>

#include "base/text.h"

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static void
decode(const char *p, const char *end, char *buf, size_t size)
{
	size_t n = 0;

	for (; p < end && n + 1 < size; p++) {
		char c = *p;

		if (c == '+') {
			c = ' ';
		} else if (c == '%' && end - p > 2) {
			int high = hex_digit(p[1]), low = hex_digit(p[2]);

			if (high >= 0 && low >= 0 && high + low > 0) {
				c = (char)(high << 4 | low);
				p += 2;
			}
		}
		buf[n++] = c;
	}
	if (size > 0)
		buf[n] = '\0';
}

bool
mt_http_query_next(const char **cursor, char *key, size_t key_size, char *value,
		   size_t value_size)
{
	while (**cursor != '\0') {
		const char *start = *cursor;
		const char *end = start + strcspn(start, "&");
		const char *equals = memchr(start, '=', (size_t)(end - start));

		*cursor = *end == '&' ? end + 1 : end;
		if (equals == NULL || equals + 1 == end)
			continue; /* blank */
		decode(start, equals, key, key_size);
		decode(equals + 1, end, value, value_size);
		return true;
	}
	return false;
}

bool
mt_http_query(const char *query, const char *key, char *buf, size_t size)
{
	char name[256];

	while (mt_http_query_next(&query, name, sizeof(name), buf, size))
		if (mt_streq(name, key))
			return true;
	return false;
}
