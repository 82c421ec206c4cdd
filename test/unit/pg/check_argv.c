/* SPDX-License-Identifier: PostgreSQL */
/* Command lines that a person wrote, cut into words. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pg/command.h"
#include "test/unit/run.h"

static const struct {
	const char *text;
	const char *words; /* with | after each */
} good[] = {
    {"/bin/x", "/bin/x|"},
    {"  /bin/x\t a  b\n", "/bin/x|a|b|"},
    {"/bin/x 'a b' \"c d\"", "/bin/x|a b|c d|"},
    {"/bin/x a'b c'd", "/bin/x|ab cd|"},
    {"/bin/x '' \"\"", "/bin/x|||"},
    {"/bin/x a\\ b \\'c", "/bin/x|a b|'c|"},
    {"/bin/x 'a\\n' \"a\\n\\\"b\\\\\"", "/bin/x|a\\n|a\\n\"b\\|"},
    {"/bin/x '$HOME' *.c `id` ; & |", "/bin/x|$HOME|*.c|`id`|;|&|||"},
};

START_TEST(words_are_cut_as_a_shell_cuts_them)
{
	struct mt_argv a = {0};
	char got[256] = "";
	size_t n = 0;

	ck_assert_int_eq(mt_argv_add_words(&a, good[_i].text, NULL), 0);
	for (size_t i = 0; i < a.n; i++) {
		mt_format(got + n, sizeof(got) - n, "%s|", a.v[i]);
		n = strlen(got);
	}
	ck_assert_str_eq(got, good[_i].words);
	ck_assert_ptr_null(a.v[a.n]);
	mt_argv_free(&a);
}
END_TEST

static const struct {
	const char *text, *why;
	int code;
} bad[] = {
    {"", "empty", MT_EINVAL},
    {" \t", "empty", MT_EINVAL},
    {"/bin/x 'a", "quote", MT_EINVAL},
    {"/bin/x \"a\\\"", "quote", MT_EINVAL},
    {"/bin/x a\\", "quote", MT_EINVAL},
    {"no-such-program-anywhere a", "give its path", MT_ENOENT},
};

START_TEST(what_is_no_command_is_refused_with_words)
{
	struct mt_argv a = {0};
	struct mt_err err = {0};

	ck_assert_int_eq(mt_argv_add_words(&a, bad[_i].text, &err),
			 bad[_i].code);
	ck_assert_msg(strstr(err.text, bad[_i].why) != NULL, "%s", err.text);
	mt_argv_free(&a);
}
END_TEST

START_TEST(a_bare_name_is_looked_for_in_the_path)
{
	struct mt_argv a = {0};

	setenv("PATH", "relative:/nonexistent:/bin", 1);
	ck_assert_int_eq(mt_argv_add_words(&a, "sh -c true", NULL), 0);
	ck_assert_str_eq(a.v[0], "/bin/sh");
	ck_assert_str_eq(a.v[1], "-c");
	mt_argv_free(&a);
	unsetenv("PATH");
	ck_assert_int_eq(mt_argv_add_words(&a, "sh", NULL), MT_ENOENT);
	mt_argv_free(&a);
}
END_TEST

START_TEST(words_come_behind_what_is_there)
{
	struct mt_argv a = {0};

	mt_argv_add(&a, "/bin/first");
	ck_assert_int_eq(mt_argv_add_words(&a, "/bin/x y", NULL), 0);
	ck_assert_uint_eq(a.n, 3);
	ck_assert_str_eq(a.v[2], "y");
	mt_argv_free(&a);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("argv");
	TCase *tc = tcase_create("argv");

	tcase_add_loop_test(tc, words_are_cut_as_a_shell_cuts_them, 0,
			    (int)MT_COUNT(good));
	tcase_add_loop_test(tc, what_is_no_command_is_refused_with_words, 0,
			    (int)MT_COUNT(bad));
	tcase_add_test(tc, a_bare_name_is_looked_for_in_the_path);
	tcase_add_test(tc, words_come_behind_what_is_there);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
