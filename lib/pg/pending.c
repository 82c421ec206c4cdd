/* SPDX-License-Identifier: PostgreSQL */
/*
 * Parameters that wait for a restart, in the words of people.
 *
 * The server knows the name, and what it runs with; what it would run with
 * stands in its files as somebody wrote it, and is brought into the form in
 * which it shows the other. It does not know of a value that was raised for a
 * standby: that stands in its file, too, so it is added here. Nothing fails:
 * what cannot be read is shown as it is written.
 */
#include "pg/pending.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* From large to small; bytes and microseconds. */
static const struct unit {
	const char *name;
	int64_t size;
	bool time;
} units[] = {
    {"TB", INT64_C(1) << 40, false},
    {"GB", INT64_C(1) << 30, false},
    {"MB", INT64_C(1) << 20, false},
    {"kB", INT64_C(1) << 10, false},
    {"B", 1, false},
    {"d", INT64_C(86400000000), true},
    {"h", INT64_C(3600000000), true},
    {"min", INT64_C(60000000), true},
    {"s", 1000000, true},
    {"ms", 1000, true},
    {"us", 1, true},
};

const char *const *
mt_pg_recorded(void)
{
	static const char *const names[] = {
	    "max_connections",           "max_prepared_transactions",
	    "max_locks_per_transaction", "max_worker_processes",
	    "max_wal_senders",           NULL};

	return names;
}

static const struct unit *
find_unit(const char *name)
{
	for (size_t i = 0; i < MT_COUNT(units); i++)
		if (mt_streq(units[i].name, name))
			return &units[i];
	return NULL;
}

static char *
human_truth(char *buf, size_t size, const char *text)
{
	static const char *const yes[] = {"on", "true", "yes", "1", "t", "y"};
	static const char *const no[] = {"off", "false", "no", "0", "f", "n"};

	for (size_t i = 0; i < MT_COUNT(yes); i++) {
		if (strcasecmp(text, yes[i]) == 0)
			text = "on";
		else if (strcasecmp(text, no[i]) == 0)
			text = "off";
	}
	mt_copy(buf, size, text);
	return buf;
}

char *
mt_pg_human(char *buf, size_t size, const char *text, const char *unit,
	    const char *type)
{
	const struct unit *base, *given;
	double value, steps;
	int64_t step, n;
	char *end;

	mt_copy(buf, size, text);
	if (type != NULL && mt_streq(type, "bool"))
		return human_truth(buf, size, text);
	if (unit == NULL || unit[0] == '\0')
		return buf;
	/* "8kB": so many of a unit */
	step = strtoll(unit, &end, 10);
	base = find_unit(end);
	if (base == NULL)
		return buf;
	step = (end == unit ? 1 : step) * base->size;
	value = strtod(text, &end);
	if (end == text)
		return buf;
	end += strspn(end, " ");
	given = find_unit(end);
	if (*end != '\0' && (given == NULL || given->time != base->time))
		return buf;
	steps =
	    *end == '\0' ? value : value * (double)given->size / (double)step;
	/* Not above 0 it is a word of its own, such as -1. */
	if (!(steps > 0) || steps > (double)(INT64_MAX / step) / 2)
		return buf;
	n = (int64_t)(steps + 0.5) * step;
	for (size_t i = 0; i < MT_COUNT(units); i++) {
		if (units[i].time != base->time || n % units[i].size != 0)
			continue;
		mt_format(buf, size, "%" PRId64 "%s", n / units[i].size,
			  units[i].name);
		return buf;
	}
	return buf;
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

json_t *
mt_pg_pending(const json_t *answer, const json_t *parameters, bool standby)
{
	const json_t *running = json_object_get(answer, "running"), *has;
	json_t *out = json_object(), *v, *pending;
	const char *const *names = mt_pg_recorded();
	char to[512], from[32];
	const char *name;

	pending = json_object_get(answer, "pending");
	json_object_foreach (pending, name, v) {
		mt_pg_human(to, sizeof(to), text_of(v, "new"),
			    text_of(v, "unit"), text_of(v, "type"));
		json_object_set_new(out, name,
				    json_pack("{ssss}", "old_value",
					      text_of(v, "old"), "new_value",
					      to));
	}
	for (; standby && *names != NULL; names++) {
		const char *want = text_of(parameters, *names);

		has = json_object_get(running, *names);
		if (!json_is_integer(has) || want[0] == '\0' ||
		    json_object_get(out, *names) != NULL ||
		    json_integer_value(has) <= strtoll(want, NULL, 0))
			continue;
		mt_format(from, sizeof(from), "%" JSON_INTEGER_FORMAT,
			  json_integer_value(has));
		json_object_set_new(
		    out, *names,
		    json_pack("{ssss}", "old_value", from, "new_value", want));
	}
	return out;
}

char *
mt_pg_pending_text(const json_t *pending, char *buf, size_t size)
{
	json_t *o = json_copy((json_t *)(uintptr_t)pending), *v;
	const char *name, *last;
	char *text;

	buf[0] = '\0';
	while (json_object_size(o) > 0) {
		text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
		if (text != NULL && mt_copy(buf, size, text)) {
			free(text);
			break;
		}
		free(text);
		buf[0] = '\0';
		last = "";
		json_object_foreach (o, name, v)
			if (strcmp(name, last) > 0)
				last = name;
		json_object_del(o, last);
	}
	json_decref(o);
	return buf;
}
