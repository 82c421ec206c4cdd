/* SPDX-License-Identifier: PostgreSQL */
/* Parameters that wait for a restart, in words. */
#include <stdlib.h>

#include <check.h>

#include "base/text.h"
#include "pg/pending.h"
#include "test/unit/run.h"

START_TEST(a_value_is_shown_as_postgresql_shows_it)
{
	static const struct {
		const char *text, *unit, *type, *want;
	} rows[] = {
	    {"100", "", "integer", "100"},
	    {"16384", "8kB", "integer", "128MB"},
	    {"128MB", "8kB", "integer", "128MB"},
	    {"0.5GB", "8kB", "integer", "512MB"},
	    {"1048576 kB", "kB", "integer", "1GB"},
	    {"100", "8kB", "integer", "800kB"},
	    {"-1", "8kB", "integer", "-1"},
	    {"0", "kB", "integer", "0"},
	    {"3", "16MB", "integer", "48MB"},
	    {"90", "s", "integer", "90s"},
	    {"120", "s", "integer", "2min"},
	    {"1d", "min", "integer", "1d"},
	    {"5min", "kB", "integer", "5min"}, /* not of its kind */
	    {"nonsense", "kB", "integer", "nonsense"},
	    {"True", NULL, "bool", "on"},
	    {"0", "", "bool", "off"},
	    {"Logical", "", "enum", "Logical"},
	};
	char got[64];

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		ck_assert_str_eq(mt_pg_human(got, sizeof(got), rows[i].text,
					     rows[i].unit, rows[i].type),
				 rows[i].want);
	}
}
END_TEST

static char *
pending(const char *answer, const char *parameters, bool standby)
{
	json_t *a = json_loads(answer, 0, NULL), *out;
	json_t *p = json_loads(parameters, 0, NULL);
	char *text;

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(p);
	out = mt_pg_pending(a, p, standby);
	text = json_dumps(out, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(a);
	json_decref(p);
	json_decref(out);
	return text;
}

static void
is(char *got, const char *want)
{
	ck_assert_str_eq(got, want);
	free(got);
}

START_TEST(what_waits_is_told_with_both_values)
{
	static const char answer[] =
	    "{\"pending\": {\"shared_buffers\": {\"old\": \"128MB\","
	    "\"new\": \"32768\", \"unit\": \"8kB\", \"type\": \"integer\"},"
	    "\"wal_log_hints\": {\"old\": \"on\", \"new\": \"false\","
	    "\"unit\": null, \"type\": \"bool\"}}}";

	is(pending(answer, "{}", false),
	   "{\"shared_buffers\":{\"new_value\":\"256MB\",\"old_value\":"
	   "\"128MB\"},\"wal_log_hints\":{\"new_value\":\"off\",\"old_value\":"
	   "\"on\"}}");
	is(pending("{\"pending\": {}}", "{}", true), "{}");
}
END_TEST

START_TEST(what_a_standby_has_more_of_than_is_configured_waits)
{
	static const char answer[] =
	    "{\"pending\": {}, \"running\": {\"max_connections\": 80,"
	    "\"max_wal_senders\": 10, \"max_worker_processes\": 4}}";
	static const char configured[] =
	    "{\"max_connections\": \"40\", \"max_wal_senders\": \"10\","
	    "\"max_worker_processes\": \"8\"}";

	is(pending(answer, configured, true),
	   "{\"max_connections\":{\"new_value\":\"40\",\"old_value\":"
	   "\"80\"}}");
	/* of a primary the server itself knows */
	is(pending(answer, configured, false), "{}");
}
END_TEST

START_TEST(as_many_are_told_as_fit)
{
	json_t *o = json_pack("{s{}s{}s{}}", "a", "b", "c");
	char buf[32];

	ck_assert_str_eq(mt_pg_pending_text(o, buf, sizeof(buf)),
			 "{\"a\":{},\"b\":{},\"c\":{}}");
	ck_assert_str_eq(mt_pg_pending_text(o, buf, 16), "{\"a\":{},\"b\":{}}");
	ck_assert_str_eq(mt_pg_pending_text(o, buf, 4), "");
	json_object_clear(o);
	ck_assert_str_eq(mt_pg_pending_text(o, buf, sizeof(buf)), "");
	json_decref(o);
}
END_TEST

int
main(void)
{
	RUN_TESTS("pending", a_value_is_shown_as_postgresql_shows_it,
		  what_waits_is_told_with_both_values,
		  what_a_standby_has_more_of_than_is_configured_waits,
		  as_many_are_told_as_fit);
}
