/* SPDX-License-Identifier: PostgreSQL */
/* GET /openapi.json describes what there is, and nothing else: the paths and
 * methods. What is answered is held against it by the cluster tests. */
#include "daemon/api/internal.h"
#include "fake.h"
#include "manual.h"
#include "test/unit/run.h"

static json_t *doc;

static void
setup(void)
{
	fake_setup();
	doc = ask_json("/openapi.json");
}

static void
teardown(void)
{
	json_decref(doc);
	fake_teardown();
}

/* A path item, found by its own name or by what it refers to. */
static const json_t *
item(const char *path)
{
	const json_t *it = json_object_get(json_object_get(doc, "paths"), path);
	const char *to = json_string_value(json_object_get(it, "$ref"));
	const char *prefix = "#/components/pathItems/";

	if (to == NULL)
		return it;
	ck_assert_msg(strncmp(to, prefix, strlen(prefix)) == 0, "%s", to);
	it = json_object_get(
	    json_object_get(json_object_get(doc, "components"), "pathItems"),
	    to + strlen(prefix));
	ck_assert_msg(it != NULL, "%s leads nowhere", to);
	return it;
}

static void
is_described(const char *path, const char *method)
{
	char key[16];

	mt_copy(key, sizeof(key), method);
	for (char *p = key; *p != '\0'; p++)
		*p = (char)(*p | 0x20);
	ck_assert_msg(json_object_get(item(path), key) != NULL,
		      "%s %s is not described", method, path);
}

START_TEST(each_route_is_described)
{
	struct api__route_row row;
	size_t i;

	for (i = 0; api__route_row(i, &row); i++) {
		char path[128];

		mt_format(path, sizeof(path), "/%s%s%s", row.segment,
			  row.second != NULL ? "/" : "",
			  row.second != NULL ? row.second : "");
		is_described(path, row.method);
		is_described(path, "OPTIONS");
		if (mt_streq(row.method, "GET"))
			is_described(path, "HEAD");
	}
	ck_assert_uint_gt(i, 10);
}
END_TEST

START_TEST(each_health_check_is_described)
{
	static const char *const methods[] = {"GET", "HEAD", "OPTIONS"};
	const char *name = "";

	for (size_t i = 0; name != NULL; name = mt_health_path(i++))
		for (size_t k = 0; k < MT_COUNT(methods); k++) {
			char path[128];

			mt_format(path, sizeof(path), "/%s", name);
			is_described(path, methods[k]);
		}
}
END_TEST

/* Would the router call a handler for this? */
static bool
is_routed(const char *path, const char *method)
{
	struct api__route_row row;
	const char *as = mt_streq(method, "HEAD") ? "GET" : method;
	const char *second = strchr(path + 1, '/');
	size_t n =
	    second != NULL ? (size_t)(second - path - 1) : strlen(path + 1);

	for (size_t i = 0; api__route_row(i, &row); i++)
		if (strlen(row.segment) == n &&
		    strncmp(row.segment, path + 1, n) == 0 &&
		    (mt_streq(as, row.method) || mt_streq(as, "OPTIONS")) &&
		    (row.second == NULL ||
		     (second != NULL && mt_streq(row.second, second + 1))))
			return true;
	return false;
}

START_TEST(nothing_else_is_described)
{
	const char *path, *key;
	json_t *paths = json_object_get(doc, "paths"), *it;

	json_object_foreach (paths, path, it) {
		bool check = mt_health_kind(path) != MT_HEALTH_NONE;
		const json_t *operation;

		json_object_foreach ((json_t *)(uintptr_t)item(path), key,
				     operation) {
			char method[16];

			if (mt_streq(key, "description") ||
			    mt_streq(key, "parameters"))
				continue;
			mt_copy(method, sizeof(method), key);
			for (char *p = method; *p != '\0'; p++)
				*p = (char)(*p & ~0x20);
			ck_assert_msg(
			    is_routed(path, method) ||
				(check && (mt_streq(method, "GET") ||
					   mt_streq(method, "HEAD") ||
					   mt_streq(method, "OPTIONS"))),
			    "%s %s is described and does not exist", method,
			    path);
			ck_assert_uint_gt(json_object_size(json_object_get(
					      operation, "responses")),
					  0);
		}
	}
}
END_TEST

START_TEST(the_manual_lists_each_path)
{
	const char *path;
	json_t *it;

	json_object_foreach (json_object_get(doc, "paths"), path, it) {
		char text[64];

		mt_copy(text, sizeof(text), path);
		text[strcspn(text, "{")] = '\0';
		manual_has("", ".It ", text);
	}
}
END_TEST

/* Each "$ref" leads to something of this document. */
static void
follow(json_t *v)
{
	const char *to, *key;
	json_t *part;
	size_t i, n;

	json_array_foreach (v, i, part)
		follow(part);
	json_object_foreach (v, key, part)
		follow(part);
	to = json_string_value(json_object_get(v, "$ref"));
	if (to == NULL)
		return;
	ck_assert_msg(*to == '#', "%s", to);
	for (part = doc, to++; *to == '/'; to += n + 1) {
		char step[128];

		n = strcspn(to + 1, "/");
		mt_format(step, sizeof(step), "%.*s", (int)n, to + 1);
		part = json_object_get(part, step);
		ck_assert_msg(part != NULL, "%s leads nowhere", step);
	}
}

START_TEST(it_is_openapi_3_1_and_whole)
{
	ck_assert_int_eq(status, 200);
	ck_assert_str_eq(json_string_value(json_object_get(doc, "openapi")),
			 "3.1.0");
	follow(doc);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("openapi");
	TCase *tc = tcase_create("openapi");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_route_is_described);
	tcase_add_test(tc, each_health_check_is_described);
	tcase_add_test(tc, nothing_else_is_described);
	tcase_add_test(tc, the_manual_lists_each_path);
	tcase_add_test(tc, it_is_openapi_3_1_and_whole);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
