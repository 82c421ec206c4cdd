/* SPDX-License-Identifier: PostgreSQL */
/* Fields of JSON objects: what comes back, what is left alone, what is bad. */
#include "core/json_fields.h"

#include <string.h>

#include "base/text.h"

#include "test/unit/run.h"

static json_t *
parse(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);

	ck_assert_ptr_nonnull(o);
	return o;
}

START_TEST(numbers_of_all_sizes_come_back)
{
	static const uint64_t values[] = {
	    0, 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX,
	};

	for (size_t i = 0; i < MT_COUNT(values); i++) {
		json_t *o = json_object(), *back;
		uint64_t u = 7;
		int64_t v = 7;
		bool bad = false;
		char *text;

		mt_jset_u64(o, "u", values[i]);
		mt_jset_i64(o, "i", (int64_t)values[i]);
		text = json_dumps(o, 0);
		back = parse(text);
		mt_jget_u64(back, "u", &u, &bad);
		mt_jget_i64(back, "i", &v, &bad);
		ck_assert(!bad);
		ck_assert_uint_eq(u, values[i]);
		ck_assert_int_eq(v, (int64_t)values[i]);
		free(text);
		json_decref(o);
		json_decref(back);
	}
}
END_TEST

START_TEST(what_is_absent_is_left_alone)
{
	json_t *o = json_object();
	struct mt_position p = {3, 4};
	char s[8] = "as is";
	uint64_t u = 1;
	int64_t v = 2;
	bool b = true, bad = false;

	for (int i = 0; i < 2; i++) {
		const json_t *from = i == 0 ? o : NULL;

		mt_jget_u64(from, "x", &u, &bad);
		mt_jget_i64(from, "x", &v, &bad);
		mt_jget_bool(from, "x", &b, &bad);
		mt_jget_str(from, "x", s, sizeof(s), &bad);
		mt_jget_position(from, "x", &p, &bad);
	}
	ck_assert(!bad && b);
	ck_assert_uint_eq(u, 1);
	ck_assert_int_eq(v, 2);
	ck_assert_str_eq(s, "as is");
	ck_assert_uint_eq(p.timeline, 3);
	json_decref(o);
}
END_TEST

START_TEST(a_wrong_type_is_bad)
{
	static const char *const types[] = {
	    "null", "true", "1", "1.5", "\"x\"", "[]", "{}", "[1,2]",
	};

	for (size_t i = 0; i < MT_COUNT(types); i++) {
		json_t *o = json_object();
		struct mt_position p;
		char s[8];
		uint64_t u;
		int64_t v;
		bool b, bad;

		json_object_set_new(
		    o, "x", json_loads(types[i], JSON_DECODE_ANY, NULL));
		mt_jget_u64(o, "x", &u, (bad = false, &bad));
		ck_assert(bad == (i != 2));
		mt_jget_i64(o, "x", &v, (bad = false, &bad));
		ck_assert(bad == (i != 2));
		mt_jget_bool(o, "x", &b, (bad = false, &bad));
		ck_assert(bad == (i != 1));
		mt_jget_str(o, "x", s, sizeof(s), (bad = false, &bad));
		ck_assert(bad == (i != 4));
		mt_jget_position(o, "x", &p, (bad = false, &bad));
		ck_assert(bad == (i != 7));
		json_decref(o);
	}
}
END_TEST

START_TEST(what_was_bad_stays_bad)
{
	json_t *o = parse("{\"x\":1}");
	bool bad = true;
	uint64_t u;

	mt_jget_u64(o, "x", &u, &bad);
	mt_jget_u64(o, "absent", &u, &bad);
	ck_assert(bad);
	json_decref(o);
}
END_TEST

START_TEST(a_text_that_does_not_fit_is_bad)
{
	json_t *o = parse("{\"x\":\"1234567\"}");
	char fits[8], cut[7];
	bool bad = false;

	mt_jget_str(o, "x", fits, sizeof(fits), &bad);
	ck_assert(!bad);
	ck_assert_str_eq(fits, "1234567");
	mt_jget_str(o, "x", cut, sizeof(cut), &bad);
	ck_assert(bad);
	json_decref(o);
}
END_TEST

START_TEST(positions_come_back_at_their_bounds)
{
	static const struct mt_position rows[] = {
	    {0, 0},
	    {1, 1},
	    {UINT32_MAX, UINT64_MAX},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		json_t *o = json_object();
		struct mt_position p = {9, 9};
		bool bad = false;

		mt_jset_position(o, "x", rows[i]);
		mt_jget_position(o, "x", &p, &bad);
		ck_assert(!bad);
		ck_assert_int_eq(mt_position_compare(p, rows[i]), 0);
		json_decref(o);
	}
}
END_TEST

START_TEST(positions_out_of_form_are_bad)
{
	static const char *const rows[] = {
	    "[1]",     "[1,2,3]", "[-1,2]",    "[4294967296,2]",
	    "[1.5,2]", "[1,2.5]", "[\"1\",2]", "[1,null]",
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		json_t *o = json_object();
		struct mt_position p = {9, 9};
		bool bad = false;

		json_object_set_new(o, "x", json_loads(rows[i], 0, NULL));
		mt_jget_position(o, "x", &p, &bad);
		ck_assert_msg(bad, "%s", rows[i]);
		ck_assert_uint_eq(p.timeline, 9);
		json_decref(o);
	}
}
END_TEST

START_TEST(members_and_lines_and_decisions_come_back)
{
	struct mt_member m = {.name = "a",
			      .raft_id = UINT64_MAX,
			      .witness = true,
			      .command_version = UINT32_MAX,
			      .peer_addr = "p:1",
			      .api_url = "u",
			      .conn_url = "c",
			      .proxy_url = "x",
			      .tags = "{}",
			      .version = "1"},
			 m2;
	struct mt_history h = {.timeline = UINT32_MAX,
			       .lsn = UINT64_MAX,
			       .reason = "r",
			       .at_ms = -1,
			       .new_leader = "b"},
			  h2;
	struct mt_decision d = {.id = 1,
				.epoch = 2,
				.at_ms = 3,
				.rule = "r",
				.from = "a",
				.to = "b",
				.why = "w",
				.n_verdicts = MT_NODES_MAX},
			   d2;
	bool bad = false;
	json_t *o;

	for (int i = 0; i < MT_NODES_MAX; i++) {
		mt_format(d.verdicts[i].name, MT_NAME_MAX, "n%d", i);
		mt_copy(d.verdicts[i].rule, MT_RULE_MAX, "behind");
		d.verdicts[i].at.lsn = (uint64_t)i;
		d.verdicts[i].lag_bytes = (uint64_t)i << 60;
		d.verdicts[i].age_ms = i - 1;
		d.verdicts[i].state = MT_PG_CRASHED;
		d.verdicts[i].role = MT_ROLE_DEMOTED;
		d.verdicts[i].failover_priority = -i;
		d.verdicts[i].nofailover = i % 2 == 1;
	}
	d.optime = (struct mt_position){UINT32_MAX, UINT64_MAX};
	d.phases = (struct mt_phases){1, 2, 3, 4, INT64_MAX};
	d.loss = (struct mt_loss){UINT32_MAX, 1, UINT64_MAX};
	o = mt_member_to_json(&m);
	mt_member_from_json(o, &m2, &bad);
	ck_assert_mem_eq(&m, &m2, sizeof(m));
	json_decref(o);
	/* As nodes have it that do not know the field, and the other way. */
	m.proxy_url[0] = '\0';
	o = mt_member_to_json(&m);
	ck_assert_ptr_null(json_object_get(o, "proxy_url"));
	json_object_set_new(o, "of_tomorrow", json_integer(1));
	mt_member_from_json(o, &m2, &bad);
	ck_assert_mem_eq(&m, &m2, sizeof(m));
	json_decref(o);
	o = mt_history_to_json(&h);
	mt_history_from_json(o, &h2, &bad);
	ck_assert_mem_eq(&h, &h2, sizeof(h));
	json_decref(o);
	o = mt_decision_to_json(&d);
	mt_decision_from_json(o, &d2, &bad);
	ck_assert_mem_eq(&d, &d2, sizeof(d));
	json_decref(o);
	ck_assert(!bad);
}
END_TEST

START_TEST(numbers_that_do_not_fit_are_bad)
{
	static const char *const members[] = {
	    "{\"name\":\"a\",\"raft_id\":1,\"command_version\":-1}",
	    "{\"name\":\"a\",\"raft_id\":1,\"command_version\":4294967297}",
	    "{\"name\":\"a\",\"raft_id\":0}",
	    "{\"name\":\"\",\"raft_id\":1}",
	};
	static const char *const lines[] = {
	    "{}",
	    "{\"timeline\":0}",
	    "{\"timeline\":-1}",
	    "{\"timeline\":4294967296}",
	};

	for (size_t i = 0; i < MT_COUNT(members); i++) {
		json_t *o = parse(members[i]);
		struct mt_member m;
		bool bad = false;

		mt_member_from_json(o, &m, &bad);
		ck_assert_msg(bad, "%s", members[i]);
		json_decref(o);
	}
	for (size_t i = 0; i < MT_COUNT(lines); i++) {
		json_t *o = parse(lines[i]);
		struct mt_history h;
		bool bad = false;

		mt_history_from_json(o, &h, &bad);
		ck_assert_msg(bad, "%s", lines[i]);
		json_decref(o);
	}
}
END_TEST

START_TEST(objects_and_lists_of_a_wrong_type_are_bad)
{
	static const char *const decisions[] = {
	    "[]",
	    "{\"verdicts\":{}}",
	    "{\"verdicts\":1}",
	    "{\"verdicts\":[1]}",
	    "{\"verdicts\":[[]]}",
	    "{\"verdicts\":[{\"at\":1}]}",
	    "{\"verdicts\":[{\"name\":1}]}",
	    "{\"verdicts\":[{\"state\":15}]}",
	    "{\"verdicts\":[{\"state\":-1}]}",
	    "{\"verdicts\":[{\"role\":5}]}",
	    "{\"verdicts\":[{\"priority\":4294967296}]}",
	    "{\"fenced_ms\":-1}",
	    "{\"loss_timeline\":-1}",
	};

	for (size_t i = 0; i < MT_COUNT(decisions); i++) {
		json_t *o = parse(decisions[i]);
		struct mt_decision d;
		bool bad = false;

		mt_decision_from_json(o, &d, &bad);
		ck_assert_msg(bad, "%s", decisions[i]);
		json_decref(o);
	}
}
END_TEST

START_TEST(synchronous_sets_come_back)
{
	struct mt_sync sync = {.leader = "a", .version = UINT64_MAX}, back;
	bool bad = false;
	json_t *o = mt_sync_to_json(&sync);

	mt_sync_from_json(o, &back, &bad);
	ck_assert_mem_eq(&sync, &back, sizeof(sync));
	json_decref(o);
	sync.k = MT_NODES_MAX - 1;
	for (; sync.n < MT_NODES_MAX; sync.n++) {
		mt_format(sync.standbys[sync.n].name, MT_NAME_MAX, "n%02d",
			  sync.n);
		sync.standbys[sync.n].data_id = UINT64_MAX - (uint64_t)sync.n;
	}
	o = mt_sync_to_json(&sync);
	mt_sync_from_json(o, &back, &bad);
	ck_assert_mem_eq(&sync, &back, sizeof(sync));
	json_decref(o);
	ck_assert(!bad);
	/* A state of before there were any. */
	mt_sync_from_json(NULL, &back, &bad);
	ck_assert(!bad && back.n == 0 && back.k == 0 && back.version == 0);
}
END_TEST

#define B "{\"name\":\"b\",\"data_id\":1}"
#define C "{\"name\":\"c\",\"data_id\":2}"

START_TEST(synchronous_sets_out_of_form_are_bad)
{
	static const char *const sets[] = {
	    "[]",
	    "{\"k\":1}",
	    "{\"k\":-1}",
	    "{\"k\":\"1\",\"standbys\":[" B "]}",
	    "{\"k\":0,\"standbys\":[" B "]}",
	    "{\"k\":2,\"standbys\":[" B "]}",
	    "{\"k\":4294967296,\"standbys\":[" B "]}",
	    "{\"k\":1,\"standbys\":{}}",
	    "{\"k\":1,\"standbys\":[1]}",
	    "{\"k\":1,\"standbys\":[" B "," B "]}",
	    "{\"k\":1,\"standbys\":[" C "," B "]}",
	    "{\"k\":1,\"standbys\":[{\"name\":\"b\"}]}",
	    "{\"k\":1,\"standbys\":[{\"data_id\":1}]}",
	    "{\"k\":1,\"standbys\":[{\"name\":\"b\",\"data_id\":0}]}",
	    "{\"k\":1,\"leader\":1,\"standbys\":[" B "]}",
	    "{\"k\":1,\"version\":\"1\",\"standbys\":[" B "]}",
	};
	json_t *o = json_object(), *list = json_array();
	struct mt_sync sync;
	bool bad = false;

	for (size_t i = 0; i < MT_COUNT(sets); i++) {
		json_t *set = parse(sets[i]);

		bad = false;
		mt_sync_from_json(set, &sync, &bad);
		ck_assert_msg(bad, "%s", sets[i]);
		json_decref(set);
	}
	bad = false;
	json_object_set_new(o, "k", json_integer(1));
	json_object_set_new(o, "standbys", list);
	for (int i = 0; i <= MT_NODES_MAX; i++)
		json_array_append_new(list,
				      json_pack("{s:s#,s:i}", "name",
						&"abcdefghijklmnopqrst"[i], 1,
						"data_id", 1));
	mt_sync_from_json(o, &sync, &bad);
	ck_assert_msg(bad, "too many");
	json_decref(o);
}
END_TEST

START_TEST(bytes_that_are_no_utf8_are_kept_out)
{
	json_t *o = json_object();

	mt_jset_str(o, "x", "\xff");
	ck_assert_str_eq(json_string_value(json_object_get(o, "x")), "?");
	mt_jset_str(o, "x", "\xc3\xa9");
	ck_assert_str_eq(json_string_value(json_object_get(o, "x")),
			 "\xc3\xa9");
	json_decref(o);
}
END_TEST

int
main(void)
{
	RUN_TESTS(
	    "json_fields", numbers_of_all_sizes_come_back,
	    what_is_absent_is_left_alone, a_wrong_type_is_bad,
	    what_was_bad_stays_bad, a_text_that_does_not_fit_is_bad,
	    positions_come_back_at_their_bounds, positions_out_of_form_are_bad,
	    members_and_lines_and_decisions_come_back,
	    numbers_that_do_not_fit_are_bad,
	    objects_and_lists_of_a_wrong_type_are_bad,
	    synchronous_sets_come_back, synchronous_sets_out_of_form_are_bad,
	    bytes_that_are_no_utf8_are_kept_out);
}
