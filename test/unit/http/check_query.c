/* SPDX-License-Identifier: PostgreSQL */
/* Query strings as load balancers write them, and as they should not. */
#include "http/query.h"

#include <check.h>

#include "test/unit/run.h"

static const struct {
	const char *query, *key, *value; /* NULL = not found */
} rows[] = {
    {"", "lag", NULL},
    {"lag=1MB", "lag", "1MB"},
    {"lag=", "lag", NULL},
    {"lag", "lag", NULL},
    {"lag=&lag=2", "lag", "2"},
    {"lag=1&lag=2", "lag", "1"},
    {"a=b&lag=3", "lag", "3"},
    {"&&lag=3&", "lag", "3"},
    {"lagg=3", "lag", NULL},
    {"replication_state=in+archive%20recovery", "replication_state",
     "in archive recovery"},
    {"tag_a%3Db=c%26d", "tag_a=b", "c&d"},
    {"k=a=b", "k", "a=b"},
    {"k=%", "k", "%"},
    {"k=%4", "k", "%4"},
    {"k=%zz", "k", "%zz"},
    {"k=a%00b", "k", "a%00b"},
    {"k=%C3%bc", "k", "\xc3\xbc"},
    {"=x", "", "x"},
};

START_TEST(a_parameter_has_its_first_value_that_is_not_blank)
{
	char buf[64];
	bool found;

	found = mt_http_query(rows[_i].query, rows[_i].key, buf, sizeof(buf));
	ck_assert_int_eq(found, rows[_i].value != NULL);
	if (found)
		ck_assert_str_eq(buf, rows[_i].value);
}
END_TEST

START_TEST(a_value_that_does_not_fit_is_cut)
{
	char buf[4];

	ck_assert(mt_http_query("k=abcdef", "k", buf, sizeof(buf)));
	ck_assert_str_eq(buf, "abc");
}
END_TEST

START_TEST(a_walk_sees_each_pair)
{
	const char *cursor = "a=1&b&c=&d=4&a=5";
	const char *want[] = {"a", "1", "d", "4", "a", "5"};
	char key[8], value[8];

	for (int i = 0; i < 3; i++) {
		ck_assert(mt_http_query_next(&cursor, key, sizeof(key), value,
					     sizeof(value)));
		ck_assert_str_eq(key, want[2 * i]);
		ck_assert_str_eq(value, want[2 * i + 1]);
	}
	ck_assert(!mt_http_query_next(&cursor, key, sizeof(key), value,
				      sizeof(value)));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("query");
	TCase *tc = tcase_create("query");

	tcase_add_loop_test(tc,
			    a_parameter_has_its_first_value_that_is_not_blank,
			    0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, a_value_that_does_not_fit_is_cut);
	tcase_add_test(tc, a_walk_sees_each_pair);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
