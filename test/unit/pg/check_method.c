/* SPDX-License-Identifier: PostgreSQL */
/* What the commands of methods are called with. */
#include "pg/method.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "test/unit/run.h"

#define STANDARD \
	"--scope=demo|--role=replica|--datadir=/d a|--connstring=host=h|"

static const struct {
	const char *section, *words; /* with | after each */
} rows[] = {
    {"{\"command\": \"/bin/x a 'b c'\"}", "/bin/x|a|b c|" STANDARD},
    {"{\"command\": \"/bin/x\", \"stanza\": \"main\", \"n\": 3, \"r\": 0.5,"
     " \"t\": true, \"f\": false, \"e\": null}",
     "/bin/x|--stanza=main|--n=3|--r=0.5|--t=True|--f=False|--e=|" STANDARD},
    {"{\"command\": \"/bin/x\", \"keep_data\": true, \"no_leader\": 1,"
     " \"no_params\": false}",
     "/bin/x|--keep_data=True|--no_leader=1|--no_params=False|" STANDARD},
    {"{\"command\": \"/bin/x\", \"no_params\": \"yes\", \"keep_data\": true,"
     " \"no_leader\": true, \"delta\": \"on\"}",
     "/bin/x|--delta=on|"},
    {"{}", "/bin/sh|" STANDARD}, /* the method's name */
};

static char *
words_of(const struct mt_argv *a)
{
	static char got[512];
	size_t n = 0;

	got[0] = '\0';
	for (size_t i = 0; i < a->n; i++) {
		mt_format(got + n, sizeof(got) - n, "%s|", a->v[i]);
		n += strlen(got + n);
	}
	return got;
}

START_TEST(a_replica_method_gets_its_keys_and_the_standard_ones)
{
	struct mt_conf *conf = calloc(1, sizeof(*conf));
	json_t *section = json_loads(rows[_i].section, 0, NULL);
	struct mt_argv a = {0};
	struct mt_err err = {0};

	ck_assert(conf != NULL && section != NULL);
	mt_copy(conf->scope, sizeof(conf->scope), "demo");
	mt_copy(conf->postgresql.data_dir, sizeof(conf->postgresql.data_dir),
		"/d a");
	ck_assert_msg(mt_argv_add_replica_method(&a, conf, "/bin/sh", section,
						 "host=h", &err) == 0,
		      "%s", err.text);
	ck_assert_str_eq(words_of(&a), rows[_i].words);
	mt_argv_free(&a);
	json_decref(section);
	free(conf);
}
END_TEST

static const struct {
	const char *section, *words;
} made[] = {
    {"{\"command\": \"/bin/x a\", \"n\": 3}",
     "/bin/x|a|--scope=demo|--datadir=/d a|--n=3|"},
    {"{\"n\": 3, \"command\": \"/bin/x\", \"no_params\": true,"
     " \"keep_existing_recovery_conf\": true, \"recovery_conf\": {\"a\": 1}}",
     "/bin/x|--n=3|"},
};

START_TEST(a_bootstrap_method_gets_the_standard_ones_first)
{
	struct mt_conf *conf = calloc(1, sizeof(*conf));
	json_t *section = json_loads(made[_i].section, 0, NULL);
	struct mt_argv a = {0};
	struct mt_err err = {0};

	ck_assert(conf != NULL && section != NULL);
	mt_copy(conf->scope, sizeof(conf->scope), "demo");
	mt_copy(conf->postgresql.data_dir, sizeof(conf->postgresql.data_dir),
		"/d a");
	ck_assert_msg(mt_argv_add_bootstrap_method(&a, conf, section, &err) ==
			  0,
		      "%s", err.text);
	ck_assert_str_eq(words_of(&a), made[_i].words);
	mt_argv_free(&a);
	json_decref(section);
	free(conf);
}
END_TEST

START_TEST(a_method_without_a_program_is_refused)
{
	struct mt_conf *conf = calloc(1, sizeof(*conf));
	struct mt_argv a = {0};
	struct mt_err err = {0};

	ck_assert_ptr_nonnull(conf);
	ck_assert_int_eq(mt_argv_add_replica_method(&a, conf, "no-such-method",
						    NULL, "", &err),
			 MT_ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "no-such-method"));
	mt_argv_free(&a);
	free(conf);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("method");
	TCase *tc = tcase_create("method");

	tcase_add_loop_test(
	    tc, a_replica_method_gets_its_keys_and_the_standard_ones, 0,
	    (int)MT_COUNT(rows));
	tcase_add_loop_test(tc, a_bootstrap_method_gets_the_standard_ones_first,
			    0, (int)MT_COUNT(made));
	tcase_add_test(tc, a_method_without_a_program_is_refused);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
