/* SPDX-License-Identifier: PostgreSQL */
/* YAML: types, places, errors, bounds. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "base/yaml.h"
#include "test/unit/run.h"

static struct mt_yaml y;
static struct mt_err err;

static int
parse(const char *text)
{
	mt_yaml_release(&y);
	return mt_yaml_parse(&y, text, strlen(text), "f.yml", &err);
}

/* The document as compact JSON, or the error. */
static const char *
read_as(const char *text)
{
	static char out[4096];
	char *s;

	if (parse(text) != 0)
		return err.text;
	s = json_dumps(y.root, JSON_COMPACT | JSON_ENCODE_ANY);
	ck_assert_ptr_nonnull(s);
	mt_copy(out, sizeof(out), s);
	free(s);
	return out;
}

START_TEST(plain_scalars_have_the_types_of_yaml_1_1)
{
	ck_assert_str_eq(read_as("[true, YES, On, false, no, Off]"),
			 "[true,true,true,false,false,false]");
	ck_assert_str_eq(read_as("[~, null, NULL]"), "[null,null,null]");
	ck_assert_str_eq(read_as("[0, 12, -3, +4, 0x1F, 010, 1_000, 0b11]"),
			 "[0,12,-3,4,31,8,1000,3]");
	ck_assert_str_eq(read_as("[1.5, -0.25, .5, 1.5e+3]"),
			 "[1.5,-0.25,0.5,1500.0]");
	ck_assert_str_eq(read_as("a:\nb: x"), "{\"a\":null,\"b\":\"x\"}");
}
END_TEST

START_TEST(what_only_looks_like_a_number_is_text)
{
	ck_assert_str_eq(read_as("[08, 1.2.3, 10.0.0.1, 1e5, -, 5min, y, n]"),
			 "[\"08\",\"1.2.3\",\"10.0.0.1\",\"1e5\",\"-\","
			 "\"5min\",\"y\",\"n\"]");
	ck_assert_str_eq(read_as("[99999999999999999999, 0x, ., 1:30]"),
			 "[\"99999999999999999999\",\"0x\",\".\",\"1:30\"]");
}
END_TEST

START_TEST(quoted_and_tagged_scalars_are_text)
{
	ck_assert_str_eq(read_as("- 'on'\n- \"5\"\n- ''\n- !!str 5\n- |\n  on"),
			 "[\"on\",\"5\",\"\",\"5\",\"on\"]");
	ck_assert_str_eq(read_as("a: !thing x"),
			 "f.yml:1:4: unknown tag; put text that begins with "
			 "\"!\" in quotes");
}
END_TEST

START_TEST(the_slip_of_the_guide_is_two_keys)
{
	ck_assert_str_eq(read_as("slots:\n"
				 "      percona_cluster_1:\n"
				 "      type: physical\n"),
			 "{\"slots\":{\"percona_cluster_1\":null,"
			 "\"type\":\"physical\"}}");
}
END_TEST

START_TEST(every_key_and_item_has_its_place)
{
	const struct mt_yaml_place *p;

	ck_assert_int_eq(parse("a:\n  b:\n    - x\n    - c: 1\n"), 0);
	p = mt_yaml_place(&y, "a.b");
	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(p->line, 2);
	ck_assert_int_eq(p->column, 3);
	p = mt_yaml_place(&y, "a.b[1].c");
	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(p->line, 4);
	ck_assert_int_eq(p->column, 7);
	ck_assert_ptr_nonnull(mt_yaml_place(&y, "a.b[0]"));
	ck_assert_ptr_null(mt_yaml_place(&y, "a.b[2]"));
}
END_TEST

START_TEST(of_a_key_that_stands_twice_the_last_one_counts)
{
	ck_assert_str_eq(read_as("a: 1\nb: 2\na: 3\n"), "{\"a\":3,\"b\":2}");
	ck_assert_int_eq(mt_yaml_place(&y, "a")->line, 3);
}
END_TEST

START_TEST(aliases_are_copies_and_merge_keys_work)
{
	ck_assert_str_eq(read_as("a: &x {b: 1}\nc: *x\n"),
			 "{\"a\":{\"b\":1},\"c\":{\"b\":1}}");
	ck_assert_int_eq(mt_yaml_place(&y, "c.b")->line, 2);
	ck_assert_ptr_ne(json_object_get(y.root, "a"),
			 json_object_get(y.root, "c"));
	ck_assert_str_eq(read_as("a: &x {b: 1, d: 2}\nc: {b: 3, <<: *x}\n"),
			 "{\"a\":{\"b\":1,\"d\":2},\"c\":{\"b\":3,\"d\":2}}");
}
END_TEST

START_TEST(an_alias_to_its_own_parent_is_refused)
{
	ck_assert_str_eq(read_as("a: &x\n  b: *x\n"),
			 "f.yml:2:6: no complete anchor for this alias; put "
			 "text that begins with \"*\" in quotes");
}
END_TEST

START_TEST(errors_name_line_and_column)
{
	ck_assert_str_eq(read_as("a: b: c\n"),
			 "f.yml:1:5: mapping values are not allowed in this "
			 "context");
	ck_assert_int_eq(err.code, MT_EINVAL);
	ck_assert_int_eq(parse("a: 1\n\tb: 2\n"), MT_EINVAL);
	ck_assert_ptr_eq(strstr(err.text, "f.yml:2:1: "), err.text);
	ck_assert_str_eq(read_as("a: 1\n---\nb: 2\n"),
			 "f.yml:2:1: more than one document");
	ck_assert_str_eq(read_as("{[1]: 2}\n"),
			 "f.yml:1:2: a key must be a plain word");
	ck_assert_str_eq(read_as("a: \"x\\0y\"\n"),
			 "f.yml:1:4: text holds a zero byte");
}
END_TEST

START_TEST(on_an_error_the_result_is_untouched)
{
	struct mt_yaml mine = {.n_places = 42};

	ck_assert_int_eq(mt_yaml_parse(&mine, "{", 1, "f", NULL), MT_EINVAL);
	ck_assert_uint_eq(mine.n_places, 42);
	ck_assert_ptr_null(mine.root);
}
END_TEST

START_TEST(an_empty_file_is_null)
{
	ck_assert_str_eq(read_as(""), "null");
	ck_assert_str_eq(read_as("# nothing\n"), "null");
}
END_TEST

START_TEST(depth_size_and_anchors_are_bounded)
{
	char *big = malloc(1100000);
	size_t n = 0;

	memset(big, '[', 100);
	big[100] = '\0';
	ck_assert_str_eq(read_as(big),
			 "f.yml:1:34: nested too deeply, at most 32");
	memset(big, ' ', 1100000);
	ck_assert_int_eq(mt_yaml_parse(&y, big, 1024 * 1024 + 1, "f", &err),
			 MT_EINVAL);
	for (int i = 0; i < 257; i++)
		n += (size_t)sprintf(big + n, "- &a%d 1\n", i);
	ck_assert_str_eq(read_as(big),
			 "f.yml:257:3: too many anchors, at most 256");
	free(big);
}
END_TEST

START_TEST(aliases_of_aliases_do_not_fill_the_memory)
{
	char text[4096];
	size_t n;

	n = (size_t)sprintf(text, "- &a0 [1,1,1,1,1,1,1,1,1]\n");
	for (int i = 1; i < 10; i++) {
		n += (size_t)sprintf(text + n, "- &a%d [", i);
		for (int k = 0; k < 9; k++)
			n += (size_t)sprintf(text + n, "*a%d%s", i - 1,
					     k < 8 ? " ," : " ");
		n += (size_t)sprintf(text + n, "]\n");
	}
	ck_assert_int_eq(parse(text), MT_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "too many values"));
}
END_TEST

START_TEST(bytes_that_are_no_utf8_are_refused)
{
	ck_assert_int_eq(parse("a: \xff\n"), MT_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "f.yml:"));
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_named)
{
	ck_assert_int_eq(mt_yaml_load(&y, "/nonexistent/x.yml", &err), MT_ESYS);
	ck_assert_str_eq(err.text,
			 "could not open file \"/nonexistent/x.yml\": "
			 "No such file or directory");
	ck_assert_int_eq(mt_yaml_load(&y, "/", &err), MT_ESYS);
}
END_TEST

int
main(void)
{
	RUN_TESTS(
	    "yaml", plain_scalars_have_the_types_of_yaml_1_1,
	    what_only_looks_like_a_number_is_text,
	    quoted_and_tagged_scalars_are_text,
	    the_slip_of_the_guide_is_two_keys, every_key_and_item_has_its_place,
	    of_a_key_that_stands_twice_the_last_one_counts,
	    aliases_are_copies_and_merge_keys_work,
	    an_alias_to_its_own_parent_is_refused, errors_name_line_and_column,
	    on_an_error_the_result_is_untouched, an_empty_file_is_null,
	    depth_size_and_anchors_are_bounded,
	    aliases_of_aliases_do_not_fill_the_memory,
	    bytes_that_are_no_utf8_are_refused,
	    a_file_that_cannot_be_read_is_named);
}
