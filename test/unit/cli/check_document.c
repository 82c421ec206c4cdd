/* SPDX-License-Identifier: PostgreSQL */
/* The dynamic document as YAML, by pairs, and as a diff. */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "base/text.h"
#include "base/yaml.h"
#include "cli/document.h"
#include "test/unit/run.h"

static json_t *
read_yaml(const char *text)
{
	struct mt_yaml y;
	struct mt_err err;
	json_t *o;

	ck_assert_msg(mt_yaml_parse(&y, text, strlen(text), "test", &err) == 0,
		      "%s", err.text);
	o = json_incref(y.root);
	mt_yaml_release(&y);
	return o;
}

START_TEST(yaml_is_sorted_and_comes_back)
{
	static const char text[] = "loop_wait: 10\n"
				   "maximum_lag_on_failover: 1048576\n"
				   "postgresql:\n"
				   "  parameters:\n"
				   "    archive_command: \"cp %p /x/%f\"\n"
				   "    max_connections: 100\n"
				   "    some: \"on\"\n"
				   "    work_mem: 8MB\n"
				   "  pg_hba:\n"
				   "  - host all all all md5\n"
				   "  - local all all trust\n"
				   "  recovery_conf: {}\n"
				   "  use_pg_rewind: true\n"
				   "slots:\n"
				   "  a: null\n"
				   "ttl: 5\n";
	json_t *o = read_yaml(text), *again;
	char *got = mt_yaml_block(o);

	/* a value that begins with a digit is quoted */
	ck_assert_ptr_nonnull(strstr(got, "    work_mem: \"8MB\"\n"));
	again = read_yaml(got);
	ck_assert(json_equal(o, again));
	ck_assert_ptr_nonnull(strstr(got, "  pg_hba:\n  - host all"));
	ck_assert_int_eq(strncmp(got, text, 40), 0);
	json_decref(again);
	json_decref(o);
	free(got);
	o = json_object();
	got = mt_yaml_block(o);
	ck_assert_str_eq(got, "{}\n");
	json_decref(o);
	free(got);
}
END_TEST

static const struct {
	const char *pair, *want;
} pairs[] = {
    {"ttl=20", "a: {b: 1}\nttl: 20\n"},
    {"ttl=\"20\"", "a: {b: 1}\nttl: \"20\"\n"},
    {"x.y.z=on", "a: {b: 1}\nttl: 5\nx: {y: {z: true}}\n"},
    {"a.b=null", "ttl: 5\n"},
    {"a.b=", "ttl: 5\n"},
    {"a.c=null", "a: {b: 1}\nttl: 5\n"},
    {"x.y=null", "a: {b: 1}\nttl: 5\n"},
    {"ttl=[1, 2]", "a: {b: 1}\nttl: [1, 2]\n"},
    {"ttl={c: d}", "a: {b: 1}\nttl: {c: d}\n"},
    {"ttl=a=b", "a: {b: 1}\nttl: a=b\n"},
    {"postgresql.parameters.pg_stat.max=9",
     "a: {b: 1}\nttl: 5\npostgresql: {parameters: {pg_stat.max: 9}}\n"},
    {"nothing", NULL},
    {"=1", NULL},
    {"a..b=1", NULL},
    {"a.=1", NULL},
};

START_TEST(a_pair_sets_or_removes)
{
	json_t *o = read_yaml("a: {b: 1}\nttl: 5\n"), *want;
	struct mt_err err = {0};
	int rv = mt_document_set(o, pairs[_i].pair, &err);

	if (pairs[_i].want == NULL) {
		ck_assert_int_eq(rv, MT_EINVAL);
		ck_assert_str_ne(err.text, "");
	} else {
		want = read_yaml(pairs[_i].want);
		ck_assert_msg(rv == 0, "%s: %s", pairs[_i].pair, err.text);
		ck_assert_msg(json_equal(o, want), "%s", pairs[_i].pair);
		json_decref(want);
	}
	json_decref(o);
}
END_TEST

static void
expect_diff(const char *a, const char *b, const char *want)
{
	char *got = NULL;
	size_t n;
	FILE *out = open_memstream(&got, &n);

	mt_text_diff(a, b, out);
	fclose(out);
	ck_assert_str_eq(got, want);
	free(got);
}

START_TEST(a_diff_shows_what_changes_and_what_is_around)
{
	expect_diff("a\nb\n", "a\nb\n", "");
	expect_diff("a\nb\nc\n", "a\nx\nc\n",
		    "--- \n+++ \n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
	expect_diff("", "a\n", "--- \n+++ \n@@ -0,0 +1,1 @@\n+a\n");
	expect_diff("a\n", "", "--- \n+++ \n@@ -1,1 +0,0 @@\n-a\n");
	expect_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n",
		    "1\nx\n3\n4\n5\n6\n7\n8\n9\n10\n11\ny\n",
		    "--- \n+++ \n@@ -1,5 +1,5 @@\n 1\n-2\n+x\n 3\n 4\n 5\n"
		    "@@ -9,4 +9,4 @@\n 9\n 10\n 11\n-12\n+y\n");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("document");
	TCase *tc = tcase_create("document");

	tcase_add_test(tc, yaml_is_sorted_and_comes_back);
	tcase_add_loop_test(tc, a_pair_sets_or_removes, 0,
			    (int)MT_COUNT(pairs));
	tcase_add_test(tc, a_diff_shows_what_changes_and_what_is_around);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
