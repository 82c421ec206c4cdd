/* SPDX-License-Identifier: PostgreSQL */
/*
 * ISO 8601 to milliseconds, by hand: strptime's %z differs between systems, and
 * none tells a time with a zone from one without. Strict: what is left over,
 * out of range or no day of the calendar is an error. Leap seconds, week dates
 * and years of other than four digits are not known.
 */
#include "base/iso.h"

#include <ctype.h>
#include <string.h>

/* Exactly n digits. */
static bool
digits(const char **p, int n, int *value)
{
	*value = 0;
	for (int i = 0; i < n; i++) {
		if (!isdigit((unsigned char)**p))
			return false;
		*value = *value * 10 + (*(*p)++ - '0');
	}
	return true;
}

static bool
skip(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool
is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days since 1970-01-01; false if there is no such day. */
static bool
day_of(int year, int month, int day, int64_t *days)
{
	static const int before[] = {0,   31,  59,  90,  120, 151, 181,
				     212, 243, 273, 304, 334, 365};
	int64_t y = year - 1;
	int leap;

	if (year < 1970 || month < 1 || month > 12)
		return false;
	leap = is_leap(year) ? 1 : 0;
	if (day < 1 ||
	    day > before[month] - before[month - 1] + (month == 2 ? leap : 0))
		return false;
	*days = y * 365 + y / 4 - y / 100 + y / 400 - 719162 +
		before[month - 1] + (month > 2 ? leap : 0) + day - 1;
	return true;
}

/* ".5", ",123456"; more than milliseconds is cut off. */
static bool
fraction(const char **p, int *ms)
{
	int scale = 100;

	*ms = 0;
	if (**p != '.' && **p != ',')
		return true;
	(*p)++;
	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p); (*p)++) {
		*ms += (**p - '0') * scale;
		scale /= 10;
	}
	return true;
}

/* "Z", "UTC", "+01", "+0100", "-01:30", or nothing */
static bool
zone(const char **p, bool *zoned, int *east_minutes)
{
	int hours, minutes = 0, sign;

	while (skip(p, ' '))
		continue;
	*east_minutes = 0;
	*zoned = **p != '\0';
	if (!*zoned)
		return true;
	if (strcmp(*p, "Z") == 0 || strcmp(*p, "z") == 0 ||
	    strcmp(*p, "UTC") == 0) {
		*p += strlen(*p);
		return true;
	}
	sign = **p == '-' ? -1 : 1;
	if (!skip(p, '+') && !skip(p, '-'))
		return false;
	if (!digits(p, 2, &hours))
		return false;
	if (**p != '\0' && (skip(p, ':'), !digits(p, 2, &minutes)))
		return false;
	*east_minutes = sign * (hours * 60 + minutes);
	return hours <= 15 && minutes < 60;
}

int
mt_iso_parse(const char *text, struct mt_iso *iso)
{
	int year, month, day, hour, minute, second = 0, ms = 0, east;
	const char *p = text;
	int64_t days;
	bool zoned;

	if (!digits(&p, 4, &year) || !skip(&p, '-') || !digits(&p, 2, &month) ||
	    !skip(&p, '-') || !digits(&p, 2, &day) ||
	    (!skip(&p, 'T') && !skip(&p, 't') && !skip(&p, ' ')) ||
	    !digits(&p, 2, &hour) || !skip(&p, ':') || !digits(&p, 2, &minute))
		return MT_EINVAL;
	if (skip(&p, ':') && (!digits(&p, 2, &second) || !fraction(&p, &ms)))
		return MT_EINVAL;
	if (!zone(&p, &zoned, &east) || *p != '\0' || hour > 23 ||
	    minute > 59 || second > 59 || !day_of(year, month, day, &days))
		return MT_EINVAL;
	iso->zoned = zoned;
	iso->wall_ms =
	    (((days * 24 + hour) * 60 + minute - east) * 60 + second) * 1000 +
	    ms;
	return 0;
}
