/* SPDX-License-Identifier: PostgreSQL */
/*
 * Looking things up in the table of options, and reading values by their type.
 * Happy path: a path is compared with each row; the table is small and read
 * only when a document is loaded. Values of the wrong type are refused here and
 * worded by the caller, who knows the place. Does not read files.
 */
#include "conf/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* Above this a number of ms is a slip, and sums of a few cannot overflow. */
#define TIME_MAX_MS 1e13
#define NAME_MAX_BYTES 64

const struct mt_option *
mt_option_find(enum mt_option_where where, const char *path)
{
	size_t n;
	const struct mt_option *o = mt_options(&n);

	for (; n-- > 0; o++)
		if ((o->where & where) != 0 && mt_streq(o->path, path))
			return o;
	return NULL;
}

/* What of o's path lies below the section, or NULL. */
static const char *
below(const struct mt_option *o, const char *section)
{
	size_t n = strlen(section);

	if (n == 0)
		return o->path;
	if (strncmp(o->path, section, n) != 0 || o->path[n] != '.')
		return NULL;
	return o->path + n + 1;
}

bool
mt_option_is_section(enum mt_option_where where, const char *path)
{
	size_t n;
	const struct mt_option *o = mt_options(&n);

	for (; n-- > 0; o++)
		if ((o->where & where) != 0 && below(o, path) != NULL)
			return true;
	return false;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits from a to b, where swapping two neighbours counts as one. */
static size_t
distance(const char *a, size_t na, const char *b, size_t nb)
{
	size_t d[3][NAME_MAX_BYTES + 1];
	size_t *before = d[0], *last = d[1], *now = d[2], *spare;

	for (size_t j = 0; j <= nb; j++)
		last[j] = j;
	for (size_t i = 1; i <= na; i++) {
		now[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t change = a[i - 1] == b[j - 1] ? 0 : 1;

			now[j] = least(least(last[j] + 1, now[j - 1] + 1),
				       last[j - 1] + change);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[nb];
}

const char *
mt_option_nearest(enum mt_option_where where, const char *section,
		  const char *key, char *buf, size_t size)
{
	size_t n, nk = strlen(key), best;
	const struct mt_option *o = mt_options(&n);
	bool found = false;

	if (nk == 0 || nk > NAME_MAX_BYTES)
		return NULL;
	best = nk / 3 + 2; /* farther away it is another word */
	for (; n-- > 0; o++) {
		const char *name = below(o, section);
		size_t nn, dist;

		if ((o->where & where) == 0 || name == NULL)
			continue;
		nn = strcspn(name, ".");
		if (nn > NAME_MAX_BYTES || nn >= size)
			continue;
		dist = distance(key, nk, name, nn);
		if (dist >= best || dist >= nn)
			continue;
		best = dist;
		found = true;
		memcpy(buf, name, nn);
		buf[nn] = '\0';
	}
	return found ? buf : NULL;
}

/* Values. */

static int
bool_value(const json_t *v, int64_t *out)
{
	static const char *const yes[] = {"on", "true", "yes", "1"};
	static const char *const no[] = {"off", "false", "no", "0"};

	if (json_is_boolean(v)) {
		*out = json_is_true(v);
		return 0;
	}
	if (json_is_integer(v)) {
		*out = json_integer_value(v);
		return *out == 0 || *out == 1 ? 0 : MT_EINVAL;
	}
	if (!json_is_string(v))
		return MT_EINVAL;
	for (size_t i = 0; i < MT_COUNT(yes); i++) {
		if (strcasecmp(json_string_value(v), yes[i]) == 0) {
			*out = 1;
			return 0;
		}
		if (strcasecmp(json_string_value(v), no[i]) == 0) {
			*out = 0;
			return 0;
		}
	}
	return MT_EINVAL;
}

static int
int_value(const json_t *v, int64_t *out)
{
	const char *s;
	char *end;
	double d;

	if (json_is_integer(v)) {
		*out = json_integer_value(v);
		return 0;
	}
	if (json_is_real(v)) {
		d = json_real_value(v);
		if (!(d > -9e15 && d < 9e15))
			return MT_EINVAL;
		*out = (int64_t)d;
		return (double)*out == d ? 0 : MT_EINVAL;
	}
	if (!json_is_string(v))
		return MT_EINVAL;
	s = json_string_value(v);
	errno = 0;
	*out = strtoll(s, &end, 0);
	return end != s && *end == '\0' && errno == 0 ? 0 : MT_EINVAL;
}

static int
time_value(const json_t *v, double plain_unit_ms, int64_t *out)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = {{"us", 0.001}, {"ms", 1},     {"s", 1e3},
		     {"min", 60e3}, {"h", 3600e3}, {"d", 86400e3}};
	double d, unit = plain_unit_ms;
	const char *s;
	char *end;

	if (json_is_number(v)) {
		d = json_number_value(v);
	} else if (json_is_string(v)) {
		s = json_string_value(v);
		/* strtod would also take "inf", "nan" and " 1" */
		if (s[0] == '\0' || strchr("+-.0123456789", s[0]) == NULL)
			return MT_EINVAL;
		d = strtod(s, &end);
		if (end == s)
			return MT_EINVAL;
		end += strspn(end, " ");
		if (*end != '\0')
			unit = 0;
		for (size_t i = 0; i < MT_COUNT(units); i++)
			if (mt_streq(end, units[i].name))
				unit = units[i].ms;
	} else {
		return MT_EINVAL;
	}
	d *= unit;
	if (unit == 0 || !(d > -TIME_MAX_MS && d < TIME_MAX_MS))
		return MT_EINVAL;
	*out = (int64_t)(d + (d < 0 ? -0.5 : 0.5));
	return 0;
}

static int
enum_value(const char *words, const json_t *v, int64_t *out)
{
	const char *s, *w = words;
	int64_t i = 0, on;

	if (json_is_string(v))
		s = json_string_value(v);
	else if (bool_value(v, &on) == 0)
		s = on ? "on" : "off";
	else
		return MT_EINVAL;
	for (;; i++) {
		size_t n = strcspn(w, ",");

		if (strlen(s) == n && strncasecmp(s, w, n) == 0) {
			*out = i;
			return 0;
		}
		if (w[n] == '\0')
			break;
		w += n + 1;
	}
	/* "true", "yes" and "no" for words that are on and off */
	if (json_is_string(v) && strstr(words, "off") != NULL &&
	    bool_value(v, &on) == 0)
		return enum_value(words, on ? json_true() : json_false(), out);
	return MT_EINVAL;
}

int
mt_option_value(const struct mt_option *o, const json_t *v, int64_t *out)
{
	int64_t got;
	int rc = MT_EINVAL;

	if (o->type == MT_OPT_BOOL)
		rc = bool_value(v, &got);
	else if (o->type == MT_OPT_INT || o->type == MT_OPT_BYTES)
		rc = int_value(v, &got);
	else if (o->type == MT_OPT_SECONDS)
		rc = time_value(v, 1e3, &got);
	else if (o->type == MT_OPT_MS)
		rc = time_value(v, 1, &got);
	else if (o->type == MT_OPT_ENUM)
		rc = enum_value(o->words, v, &got);
	if (rc == 0)
		*out = got;
	return rc;
}

int64_t
mt_option_default(const struct mt_option *o)
{
	int64_t v = 0;
	json_t *text;

	if (o->def == NULL)
		return 0;
	text = json_string(o->def);
	if (text == NULL || mt_option_value(o, text, &v) != 0)
		v = 0;
	json_decref(text);
	return v;
}

json_t *
mt_option_written(const struct mt_option *o, int64_t n)
{
	const char *w = o->words;

	if (o->type == MT_OPT_BOOL)
		return json_boolean(n != 0);
	if (o->type == MT_OPT_SECONDS && n % 1000 != 0)
		return json_real((double)n / 1000);
	if (o->type == MT_OPT_SECONDS)
		return json_integer(n / 1000);
	if (o->type != MT_OPT_ENUM)
		return json_integer(n);
	for (; n > 0; n--)
		w += strcspn(w, ",") + 1;
	return json_stringn(w, strcspn(w, ","));
}

const char *
mt_option_wants(const struct mt_option *o)
{
	static const char *const wants[] = {
	    [MT_OPT_STRING] = "text",
	    [MT_OPT_SECRET] = "text in quotes",
	    [MT_OPT_BOOL] = "true or false",
	    [MT_OPT_INT] = "a whole number",
	    [MT_OPT_SECONDS] = "a number of seconds, or text as in \"5min\"",
	    [MT_OPT_MS] = "a number of milliseconds, or text as in \"1s\"",
	    [MT_OPT_BYTES] = "a whole number of bytes",
	    [MT_OPT_ADDR] = "an address as in \"10.0.0.1:8008\"",
	    [MT_OPT_LIST] = "a list of text",
	    [MT_OPT_FLAGS] = "a list of options, as in \"- checkpoint: fast\"",
	    [MT_OPT_MAP] = "a mapping",
	    [MT_OPT_ANY] = "any value",
	};

	return o->type == MT_OPT_ENUM ? o->words : wants[o->type];
}

static bool
is_string_list(const json_t *v)
{
	const json_t *item;
	size_t i;

	if (json_is_string(v))
		return true;
	json_array_foreach ((json_t *)v, i, item)
		if (!json_is_string(item))
			return false;
	return json_is_array(v);
}

/* One option value: anything that has a text. */
static bool
is_flag_value(const json_t *v)
{
	return !json_is_object(v) && !json_is_array(v);
}

static bool
is_flags(const json_t *v)
{
	const char *key;
	json_t *item, *value;
	size_t i;

	if (json_is_object(v)) {
		json_object_foreach ((json_t *)v, key, value)
			if (!is_flag_value(value))
				return false;
		return true;
	}
	json_array_foreach ((json_t *)v, i, item) {
		if (json_is_string(item))
			continue;
		if (!json_is_object(item) || json_object_size(item) != 1)
			return false;
		json_object_foreach (item, key, value)
			if (!is_flag_value(value))
				return false;
	}
	return json_is_array(v);
}

bool
mt_option_accepts(const struct mt_option *o, const json_t *v)
{
	int64_t n;

	switch (o->type) {
	case MT_OPT_STRING:
	case MT_OPT_SECRET:
		return json_is_string(v) || json_is_integer(v);
	case MT_OPT_ADDR:
		return json_is_string(v);
	case MT_OPT_LIST:
		return is_string_list(v);
	case MT_OPT_FLAGS:
		return is_flags(v);
	case MT_OPT_MAP:
		return json_is_object(v);
	case MT_OPT_ANY:
		return true;
	case MT_OPT_BOOL:
	case MT_OPT_INT:
	case MT_OPT_SECONDS:
	case MT_OPT_MS:
	case MT_OPT_BYTES:
	case MT_OPT_ENUM:
		return mt_option_value(o, v, &n) == 0;
	}
	return false;
}
