/* SPDX-License-Identifier: PostgreSQL */
/*
 * The names that PostgreSQL waits for: their text, and those that a standby has
 * before it is promoted.
 */
#include <check.h>
#include <string.h>

#include "base/text.h"
#include "core/sync.h"

#include "given_sync.h"
#include "test/unit/run.h"

/* ---- the text of the names ---------------------------------------------- */

static const char *
text_of(const char *const *names, int k, bool quorum)
{
	static char buf[MT_SYNC_TEXT_MAX];
	struct mt_names n = {.k = k};

	for (; *names != NULL; names++)
		mt_copy(n.names[n.n++], MT_NAME_MAX, *names);
	return mt_sync_text(buf, &n, quorum);
}

#define TEXT(k, quorum, ...) \
	text_of((const char *const[]){__VA_ARGS__, NULL}, k, quorum)

START_TEST(the_names_read_as_postgresql_reads_them)
{
	const char *const none[] = {NULL};

	ck_assert_str_eq(text_of(none, 0, false), "");
	ck_assert_str_eq(text_of(none, 0, true), "");
	ck_assert_str_eq(TEXT(1, false, "n1"), "n1");
	ck_assert_str_eq(TEXT(1, true, "n1"), "ANY 1 (n1)");
	ck_assert_str_eq(TEXT(2, false, "n1", "n2"), "2 (n1,n2)");
	ck_assert_str_eq(TEXT(2, true, "n1", "n2"), "ANY 2 (n1,n2)");
	ck_assert_str_eq(TEXT(1, true, "n1", "n2", "n3"), "ANY 1 (n1,n2,n3)");
	/* FIRST would wait for particular ones: no rule counts on that. */
	ck_assert_str_eq(TEXT(1, false, "n1", "n2"), "ANY 1 (n1,n2)");
}
END_TEST

START_TEST(names_that_are_no_plain_identifiers_are_quoted)
{
	static const struct {
		const char *name, *text;
	} rows[] = {
	    {"node_1", "node_1"},     {"_x", "_x"},
	    {"node-1", "\"node-1\""}, {"Node1", "\"Node1\""},
	    {"1st", "\"1st\""},       {"a.b", "\"a.b\""},
	    {"a b", "\"a b\""},       {"a,b", "\"a,b\""},
	    {"x\"y", "\"x\"\"y\""},   {"first", "\"first\""},
	    {"any", "\"any\""},       {"FIRST", "\"FIRST\""},
	    {"firsts", "firsts"},     {"*", "\"*\""},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++)
		ck_assert_str_eq(TEXT(1, false, rows[i].name), rows[i].text);
	ck_assert_str_eq(TEXT(2, false, "b-1", "c"), "2 (\"b-1\",c)");
}
END_TEST

START_TEST(the_longest_names_have_room)
{
	struct mt_names n = {.n = MT_NODES_MAX, .k = 1};
	char *buf = malloc(MT_SYNC_TEXT_MAX);

	for (int i = 0; i < n.n; i++)
		memset(n.names[i], '"', MT_NAME_MAX - 1);
	mt_sync_text(buf, &n, true);
	ck_assert_uint_eq(strlen(buf),
			  strlen("ANY 1 ()") + MT_NODES_MAX - 1 +
			      MT_NODES_MAX * (2 * (MT_NAME_MAX - 1) + 2));
	free(buf);
}
END_TEST

START_TEST(names_are_equal_whatever_their_order)
{
	const struct mt_names a = {2, 1, {"x", "y"}}, b = {2, 1, {"y", "x"}};
	const struct mt_names k = {2, 2, {"x", "y"}}, c = {2, 1, {"x", "z"}};
	const struct mt_names d = {1, 1, {"x"}};
	struct mt_names sorted = {4, 1, {"d", "a", "c", "b"}};

	ck_assert(mt_names_equal(&a, &b) && mt_names_equal(&a, &a));
	ck_assert(!mt_names_equal(&a, &k) && !mt_names_equal(&a, &c) &&
		  !mt_names_equal(&a, &d));
	mt_names_sort(&sorted);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(sorted.names[i][0], 'a' + i);
}
END_TEST

/* ---- what a standby has before it is promoted --------------------------- */

START_TEST(the_names_of_a_new_primary_meet_the_log_as_it_is)
{
	static const struct {
		const char *log;
		int k;
		const char *names;
		int want;
	} rows[] = {
	    {"", 0, "", 0},      {"2", 1, "", 0},     {"23", 1, "3", 1},
	    {"23", 2, "3", 1},   {"123", 1, "13", 1}, {"123", 2, "13", 2},
	    {"123", 3, "13", 2}, {"13", 1, "13", 1},
	};
	struct mt_names names;

	given_primary();
	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		struct mt_sync_names table = {0};
		struct mt_sync_conf pg = {0}, log = {.k = rows[i].k};
		uint32_t holder = mt_sync_bit(&table, "node2");

		given_log(rows[i].log, rows[i].k);
		mt_sync_names_for(&w.state.sync, "node2", false, &names);
		ck_assert_msg(names_are(&names, rows[i].names, rows[i].want),
			      "of {%s},%d", rows[i].log, rows[i].k);
		pg.k = names.k;
		for (int n = 0; n < names.n; n++)
			pg.set |= mt_sync_bit(&table, names.names[n]);
		for (int n = 0; n < w.state.sync.n; n++)
			log.set |=
			    mt_sync_bit(&table, w.state.sync.standbys[n].name);
		ck_assert(mt_sync_coexist(pg, log, holder));
	}
}
END_TEST

START_TEST(a_strict_new_primary_waits_from_its_first_commit_on)
{
	static const char *const alone[] = {"", "2"};
	struct mt_names names;

	given_primary();
	for (size_t i = 0; i < MT_COUNT(alone); i++) {
		given_log(alone[i], alone[i][0] != '\0');
		mt_sync_names_for(&w.state.sync, "node2", true, &names);
		ck_assert(waits_for_nobody(&names));
	}
	given_log("23", 1);
	mt_sync_names_for(&w.state.sync, "node2", true, &names);
	ck_assert(names_are(&names, "3", 1));
}
END_TEST

int
main(void)
{
	RUN_TESTS("sync_names", the_names_read_as_postgresql_reads_them,
		  names_that_are_no_plain_identifiers_are_quoted,
		  the_longest_names_have_room,
		  names_are_equal_whatever_their_order,
		  the_names_of_a_new_primary_meet_the_log_as_it_is,
		  a_strict_new_primary_waits_from_its_first_commit_on);
}
