/* SPDX-License-Identifier: PostgreSQL */
/* The dynamic document as settings. */
#include <check.h>
#include <string.h>

#include "base/err.h"
#include "conf/options.h"
#include "conf/settings.h"
#include "test/unit/run.h"

static struct mt_settings got;

static void
parse(const char *text)
{
	json_t *doc = json_loads(text, JSON_DECODE_ANY, NULL);

	ck_assert_ptr_nonnull(doc);
	mt_settings_parse(&got, doc);
	json_decref(doc);
}

START_TEST(without_a_document_all_are_defaults)
{
	struct mt_settings other;

	mt_settings_defaults(&got);
	ck_assert_int_eq(got.ttl_ms, 5000);
	ck_assert_int_eq(got.loop_wait_ms, 10000);
	ck_assert_int_eq(got.retry_timeout_ms, 10000);
	ck_assert_int_eq(got.maximum_lag_on_failover, 1048576);
	ck_assert_int_eq(got.primary_start_timeout_ms, 300000);
	ck_assert_int_eq(got.primary_stop_timeout_ms, 0);
	ck_assert_int_eq(got.suspect_timeout_ms, 500);
	ck_assert_int_eq(got.max_timelines_history, 0);
	ck_assert_int_eq(got.primary_hang_timeout_ms, 10000);
	ck_assert_int_eq(got.synchronous_mode, MT_SYNC_OFF);
	ck_assert(got.use_slots);
	ck_assert(!got.sync_waits_for_lease);
	ck_assert(!got.use_pg_rewind && !got.pause && !got.check_timeline);
	memset(&other, 0xff, sizeof(other));
	mt_settings_parse(&other, NULL);
	ck_assert_mem_eq(&got, &other, sizeof(got));
	parse("[1, 2]");
	ck_assert_mem_eq(&got, &other, sizeof(got));
}
END_TEST

START_TEST(times_are_numbers_or_text_with_a_unit)
{
	parse("{\"ttl\": 30, \"loop_wait\": 2.5, \"retry_timeout\": \"5 s\","
	      "\"primary_start_timeout\": \"5min\","
	      "\"suspect_timeout\": 700}");
	ck_assert_int_eq(got.ttl_ms, 30000);
	ck_assert_int_eq(got.loop_wait_ms, 2500);
	ck_assert_int_eq(got.retry_timeout_ms, 5000);
	ck_assert_int_eq(got.primary_start_timeout_ms, 300000);
	ck_assert_int_eq(got.suspect_timeout_ms, 700);
	parse("{\"suspect_timeout\": \"1s\", \"ttl\": \"2500ms\"}");
	ck_assert_int_eq(got.suspect_timeout_ms, 1000);
	ck_assert_int_eq(got.ttl_ms, 2500);
}
END_TEST

START_TEST(what_is_too_low_has_its_minimum)
{
	parse("{\"ttl\": 1, \"loop_wait\": 0, \"retry_timeout\": -5,"
	      "\"suspect_timeout\": 1, \"maximum_lag_on_failover\": -1}");
	ck_assert_int_eq(got.ttl_ms, 2000);
	ck_assert_int_eq(got.loop_wait_ms, 1000);
	ck_assert_int_eq(got.retry_timeout_ms, 3000);
	ck_assert_int_eq(got.suspect_timeout_ms, 200);
	ck_assert_int_eq(got.maximum_lag_on_failover, 0);
}
END_TEST

START_TEST(what_cannot_be_read_has_its_default)
{
	parse("{\"ttl\": \"soon\", \"loop_wait\": [], \"pause\": \"maybe\","
	      "\"maximum_lag_on_failover\": \"1MB\","
	      "\"retry_timeout\": \"nan\", \"postgresql\": 5,"
	      "\"primary_hang_timeout\": 1e300, \"check_timeline\": null}");
	ck_assert_int_eq(got.ttl_ms, 5000);
	ck_assert_int_eq(got.loop_wait_ms, 10000);
	ck_assert_int_eq(got.retry_timeout_ms, 10000);
	ck_assert_int_eq(got.maximum_lag_on_failover, 1048576);
	ck_assert_int_eq(got.primary_hang_timeout_ms, 10000);
	ck_assert(!got.pause);
	ck_assert(got.use_slots);
}
END_TEST

START_TEST(old_names_count_where_the_new_one_is_absent)
{
	parse("{\"master_start_timeout\": 7}");
	ck_assert_int_eq(got.primary_start_timeout_ms, 7000);
	parse("{\"master_start_timeout\": 7, \"primary_start_timeout\": 0}");
	ck_assert_int_eq(got.primary_start_timeout_ms, 0);
}
END_TEST

START_TEST(truths_and_modes_have_many_spellings)
{
	parse("{\"pause\": \"Yes\", \"check_timeline\": 1,"
	      "\"synchronous_mode\": \"Quorum\","
	      "\"postgresql\": {\"use_pg_rewind\": true,"
	      "\"use_slots\": \"off\"}}");
	ck_assert(got.pause && got.check_timeline && got.use_pg_rewind);
	ck_assert(!got.use_slots);
	ck_assert_int_eq(got.synchronous_mode, MT_SYNC_QUORUM);
	/* Two walsenders of one standby would count as two standbys. */
	parse("{\"synchronous_mode\": true, \"synchronous_node_count\": 2,"
	      "\"postgresql\": {\"use_slots\": \"off\"}}");
	ck_assert(got.use_slots);
	parse("{\"synchronous_node_count\": 2,"
	      "\"postgresql\": {\"use_slots\": \"off\"}}");
	ck_assert(!got.use_slots);
	parse("{\"failover_in_sync\": \"lease\"}");
	ck_assert(got.sync_waits_for_lease);
	parse("{\"failover_in_sync\": \"fence\"}");
	ck_assert(!got.sync_waits_for_lease);
	parse("{\"synchronous_mode\": true}");
	ck_assert_int_eq(got.synchronous_mode, MT_SYNC_ON);
	parse("{\"synchronous_mode\": \"false\"}");
	ck_assert_int_eq(got.synchronous_mode, MT_SYNC_OFF);
	parse("{\"synchronous_mode\": \"yes\"}");
	ck_assert_int_eq(got.synchronous_mode, MT_SYNC_ON);
}
END_TEST

START_TEST(every_default_in_the_table_is_a_value_of_its_type)
{
	size_t n;
	const struct mt_option *o = mt_options(&n);
	int64_t v;

	for (; n-- > 0; o++) {
		json_t *text;

		if (o->def == NULL)
			continue;
		text = json_string(o->def);
		ck_assert_msg(mt_option_accepts(o, text), "%s", o->path);
		if (mt_option_value(o, text, &v) == 0)
			ck_assert_msg(v >= o->min, "%s", o->path);
		json_decref(text);
	}
}
END_TEST

START_TEST(no_option_stands_twice_or_is_a_section_too)
{
	size_t n;
	const struct mt_option *o = mt_options(&n);

	for (size_t i = 0; i < n; i++) {
		ck_assert_msg(!mt_option_is_section(o[i].where, o[i].path),
			      "%s", o[i].path);
		for (size_t k = 0; k < i; k++)
			ck_assert_msg(strcmp(o[i].path, o[k].path) != 0 ||
					  (o[i].where & o[k].where) == 0,
				      "%s", o[i].path);
	}
}
END_TEST

int
main(void)
{
	RUN_TESTS("settings", without_a_document_all_are_defaults,
		  times_are_numbers_or_text_with_a_unit,
		  what_is_too_low_has_its_minimum,
		  what_cannot_be_read_has_its_default,
		  old_names_count_where_the_new_one_is_absent,
		  truths_and_modes_have_many_spellings,
		  every_default_in_the_table_is_a_value_of_its_type,
		  no_option_stands_twice_or_is_a_section_too);
}
