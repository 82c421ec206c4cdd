/* SPDX-License-Identifier: PostgreSQL */
/* Where the local configuration is from: files, directories, variables; what is
 * found in it, and how it is shown. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "base/yaml.h"
#include "conf/conf.h"
#include "conf/effective.h"
#include "conf/environ.h"
#include "conf/sample.h"
#include "conf/source.h"
#include "scratch.h"
#include "test/unit/run.h"

#define BASE \
	"scope: batman\n" \
	"name: node1\n" \
	"restapi: {listen: '127.0.0.1:8008'}\n" \
	"raft: {self_addr: '127.0.0.1:7500', data_dir: /tmp/r}\n"
#define PG \
	"postgresql:\n" \
	"  listen: 127.0.0.1:5432\n" \
	"  data_dir: /tmp/pg\n"

static struct mt_findings found;
static struct mt_conf *conf;

static void
end(void)
{
	remove_dir();
	mt_conf_free(conf);
	conf = NULL;
	mt_findings_release(&found);
}

static int
read_with(const char *file, const char *const *variables)
{
	json_t *environment = NULL;
	int rc;

	mt_conf_free(conf);
	conf = NULL;
	mt_findings_release(&found);
	if (variables != NULL)
		environment = mt_conf_environ(variables);
	rc = mt_conf_read(&conf, file, environment, &found);
	json_decref(environment);
	return rc;
}

/* The finding with these words, or NULL. */
static const struct mt_finding *
finding(const char *words)
{
	for (size_t i = 0; i < found.n; i++)
		if (strstr(found.list[i].text, words) != NULL)
			return &found.list[i];
	return NULL;
}

static void
finds(enum mt_finding_kind kind, const char *words)
{
	const struct mt_finding *it = finding(words);

	ck_assert_msg(it != NULL, "no \"%s\"; first is: %s", words,
		      found.n > 0 ? found.list[0].text : "none");
	ck_assert_int_eq(it->kind, kind);
}

static void
set_at(const char *path, const char *place)
{
	char got[512];

	mt_conf_source_place(conf->source, path, got, sizeof(got));
	ck_assert_msg(strstr(got, place) != NULL, "%s is from %s", path, got);
}

START_TEST(all_errors_are_found_in_one_run)
{
	put("a.yml",
	    "scpoe: 1\n"
	    "name: [1]\n"
	    "raft: {self_addr: 5, data_dir: x, partner_addrs: [a, b:1]}\n"
	    "restapi: 7\n"
	    "postgresql: {data_dir: /, listen: 'a:1:2', xx: 1,"
	    " use_unix_socket: 8}\n");
	ck_assert_int_eq(read_with(in_dir("a.yml"), NULL), MT_EINVAL);
	ck_assert_ptr_null(conf);
	finds(MT_FINDING_UNKNOWN, "a.yml:1:1: unknown key \"scpoe\"");
	finds(MT_FINDING_UNKNOWN, "a.yml:5:44: unknown key \"postgresql.xx\"");
	finds(MT_FINDING_ERROR, "a.yml: \"scope\" is missing");
	finds(MT_FINDING_ERROR, "a.yml:2:1: \"name\" must be text");
	finds(MT_FINDING_ERROR, "a.yml:3:8: \"raft.self_addr\" must be");
	finds(MT_FINDING_ERROR, "a.yml:3:22: \"raft.data_dir\" is not an abs");
	finds(MT_FINDING_ERROR, "a.yml:3:51: \"raft.partner_addrs\"");
	finds(MT_FINDING_ERROR, "a.yml:4:1: section \"restapi\" must be");
	finds(MT_FINDING_ERROR, "a.yml:5:14: \"postgresql.data_dir\" is the");
	finds(MT_FINDING_ERROR, "a.yml:5:27: \"postgresql.listen\"");
	finds(MT_FINDING_ERROR, "a.yml:5:51: \"postgresql.use_unix_socket\"");
	/* and none that only follows from one of them */
	ck_assert_uint_eq(found.n_errors, 9);
	ck_assert_uint_eq(found.n, 11);
}
END_TEST

START_TEST(a_directory_is_read_in_the_order_of_names)
{
	put("20-b.yaml", "name: node2\n"
			 "tags: {a: null, c: 3}\n"
			 "postgresql: {parameters: {work_mem: 8MB}}\n");
	put("10-a.yml", BASE PG "  parameters: {work_mem: 4MB, x.y: 1}\n"
				"tags: {a: 1, b: 2}\n");
	put("30-c.yml.bak", "name: node3\n");
	ck_assert_int_eq(mkdir(in_dir("40.yml"), 0700), 0);
	ck_assert_msg(read_with(dir, NULL) == 0, "%s", found.list[0].text);
	ck_assert_uint_eq(found.n, 0);
	ck_assert_str_eq(conf->name, "node2");
	ck_assert_ptr_null(json_object_get(conf->tags, "a"));
	ck_assert_uint_eq(json_object_size(conf->tags), 2);
	ck_assert_str_eq(json_string_value(json_object_get(
			     conf->postgresql.parameters, "work_mem")),
			 "8MB");
	ck_assert_ptr_nonnull(
	    json_object_get(conf->postgresql.parameters, "x.y"));
	set_at("name", "20-b.yaml:1:1");
	set_at("scope", "10-a.yml:1:1");
	set_at("postgresql.parameters.work_mem", "20-b.yaml:3:27");
}
END_TEST

START_TEST(each_file_of_a_directory_must_be_a_mapping)
{
	put("a.yml", BASE);
	put("b.yml", "");
	put("c.yml", "- x\n");
	put("d.yml", "a: [\n");
	ck_assert_int_eq(read_with(dir, NULL), MT_EINVAL);
	finds(MT_FINDING_ERROR, "/b.yml: the file is empty");
	finds(MT_FINDING_ERROR, "/c.yml: not a mapping");
	finds(MT_FINDING_ERROR, "/d.yml:2:1: ");
	ck_assert_uint_eq(found.n, 3);
}
END_TEST

START_TEST(an_empty_directory_and_a_missing_file_are_errors)
{
	ck_assert_int_eq(read_with(dir, NULL), MT_EINVAL);
	finds(MT_FINDING_ERROR, "has no file *.yml or *.yaml");
	ck_assert_int_eq(read_with("/nowhere/x.yml", NULL), MT_EINVAL);
	finds(MT_FINDING_ERROR, "could not open file \"/nowhere/x.yml\"");
}
END_TEST

START_TEST(variables_win_over_files_and_ours_over_patronis)
{
	static const char *const variables[] = {
	    "HOME=/root",
	    "MATRIARCH_NAME=node7",
	    "PATRONI_NAME=node8",
	    "PATRONI_SUPERUSER_PASSWORD=12345",
	    "PATRONI_RAFT_PARTNER_ADDRS=127.0.0.1:7501, 127.0.0.1:7502",
	    "MATRIARCH_POSTGRESQL_USE_UNIX_SOCKET=on",
	    "PATRONI_RESTAPI_CONNECT_ADDRESS=",
	    "PATRONI_LOG_STATIC_FIELDS=a: b, c: d",
	    "PATRONI_LOGLEVEL=DEBUG",
	    NULL};

	put("a.yml", BASE PG "  authentication:\n"
			     "    superuser: {username: su}\n");
	ck_assert_msg(read_with(in_dir("a.yml"), variables) == 0, "%s",
		      found.list[0].text);
	ck_assert_uint_eq(found.n, 0);
	ck_assert_str_eq(conf->name, "node7");
	ck_assert_str_eq(conf->postgresql.superuser.username, "su");
	ck_assert_str_eq(conf->postgresql.superuser.password, "12345");
	ck_assert_uint_eq(conf->raft.n, 2);
	ck_assert(conf->postgresql.use_unix_socket);
	set_at("name", "MATRIARCH_NAME");
	set_at("postgresql.authentication.superuser.password",
	       "PATRONI_SUPERUSER_PASSWORD");
	set_at("postgresql.authentication.superuser.username", "a.yml:9:17");
	set_at("raft.self_addr", "a.yml:4:8");
}
END_TEST

START_TEST(a_bad_variable_is_named)
{
	static const char *const variables[] = {
	    "PATRONI_NAEM=x",
	    "PATRONI_RAFT_INSECURE=perhaps",
	    "PATRONI_ETCD_HOSTS=a,b",
	    "PATRONI_RAFT_SELF_ADDR=nowhere",
	    "PATRONI_RAFT_DATA_DIR=\xff",
	    NULL};

	put("a.yml", BASE);
	ck_assert_int_eq(read_with(in_dir("a.yml"), variables), MT_EINVAL);
	finds(MT_FINDING_UNKNOWN, "PATRONI_NAEM: no option belongs to");
	finds(MT_FINDING_WARNING,
	      "PATRONI_RAFT_INSECURE: \"raft.insecure\" must be true or false");
	finds(MT_FINDING_WARNING, "PATRONI_RAFT_DATA_DIR: \"raft.data_dir\" "
				  "must be UTF-8");
	finds(MT_FINDING_WARNING,
	      "PATRONI_ETCD_HOSTS: section \"etcd\" is ignored");
	finds(MT_FINDING_ERROR, "PATRONI_RAFT_SELF_ADDR: \"raft.self_addr\"");
	ck_assert_uint_eq(found.n, 5);
}
END_TEST

START_TEST(variables_alone_are_a_configuration)
{
	static const char *const variables[] = {
	    "PATRONI_SCOPE=batman", "PATRONI_NAME=n",
	    "PATRONI_RESTAPI_LISTEN=127.0.0.1:8008",
	    "MATRIARCH_RAFT_SELF_ADDR=127.0.0.1:7500", NULL};
	static const char *const none[] = {NULL};

	ck_assert_msg(read_with(NULL, variables) == 0, "%s",
		      found.list[0].text);
	ck_assert_str_eq(conf->scope, "batman");
	ck_assert(!conf->has_postgresql);
	ck_assert_int_eq(read_with(NULL, none), MT_EINVAL);
	finds(MT_FINDING_ERROR, "no configuration: name a file");
}
END_TEST

START_TEST(one_variable_may_hold_it_all_where_there_is_no_file)
{
	static const char *const variables[] = {"PATRONI_CONFIGURATION=" BASE,
						"PATRONI_NAME=other", NULL};

	ck_assert_msg(read_with("/nowhere/x.yml", variables) == 0, "%s",
		      found.list[0].text);
	ck_assert_str_eq(conf->name, "node1");
	set_at("name", "PATRONI_CONFIGURATION:2:1");
	put("a.yml", BASE);
	ck_assert_int_eq(read_with(in_dir("a.yml"), variables), 0);
	ck_assert_str_eq(conf->name, "other");
}
END_TEST

START_TEST(each_option_with_a_variable_has_one_of_its_own)
{
	char a[128], b[128];
	size_t n;
	const struct mt_option *o = mt_options(&n);

	for (size_t i = 0; i < n; i++) {
		if (!mt_option_variable(&o[i], a, sizeof(a)))
			continue;
		ck_assert_int_eq(o[i].where, MT_OPT_LOCAL);
		for (size_t k = i + 1; k < n; k++)
			ck_assert_msg(
			    !mt_option_variable(&o[k], b, sizeof(b)) ||
				!mt_streq(a, b),
			    "%s is that of %s and of %s", a, o[i].path,
			    o[k].path);
	}
}
END_TEST

START_TEST(what_is_in_force_is_shown_without_secrets)
{
	json_t *all;
	char *text;
	struct mt_yaml y;
	struct mt_err err;

	put("a.yml", BASE
	    "  # \n"
	    "postgresql:\n"
	    "  listen: 'localhost,[::1]:5433'\n"
	    "  data_dir: /tmp/pg\n"
	    "  authentication: {superuser: {password: hunter1}}\n"
	    "  superuser: {password: hunter2}\n"
	    "  parameters: {password_encryption: scram-sha-256}\n"
	    "  create_replica_methods: [wal]\n"
	    "  wal: {api_token: hunter3, command: 'x --password=hunter4 y'}\n"
	    "  recovery_conf:\n"
	    "    restore_command: curl http://me:hunter5@host/%f\n"
	    "    primary_conninfo: host=a password = 'hunter6' user=b\n"
	    "bootstrap: {users: {u: {password: hunter7}}}\n");
	ck_assert_msg(read_with(in_dir("a.yml"), NULL) == 0, "%s",
		      found.list[0].text);
	all = mt_conf_effective(conf);
	text = mt_yaml_block(all);
	ck_assert_msg(strstr(text, "hunter") == NULL, "%s", text);
	ck_assert_msg(mt_yaml_parse(&y, text, strlen(text), "t", &err) == 0,
		      "%s", err.text);
#define HAS(path, value) \
	ck_assert_str_eq(json_string_value(mt_conf_lookup(y.root, path)), value)
	HAS("postgresql.listen", "localhost,[::1]:5433");
	HAS("postgresql.parameters.password_encryption", "scram-sha-256");
	HAS("postgresql.authentication.superuser.username", "postgres");
	HAS("postgresql.authentication.superuser.password", MT_CONF_MASK);
	HAS("postgresql.wal.command", "x --password=" MT_CONF_MASK " y");
	HAS("postgresql.recovery_conf.restore_command",
	    "curl http://me:" MT_CONF_MASK "@host/%f");
	HAS("postgresql.recovery_conf.primary_conninfo",
	    "host=a password = " MT_CONF_MASK "' user=b");
	HAS("raft.bind_addr", "127.0.0.1:7500");
	HAS("namespace", "service");
#undef HAS
	ck_assert_int_eq(json_integer_value(mt_conf_lookup(
			     y.root, "postgresql.pg_ctl_timeout")),
			 60);
	mt_yaml_release(&y);
	free(text);
	json_decref(all);
}
END_TEST

START_TEST(the_sample_that_is_printed_is_the_trees)
{
	FILE *f = fopen("etc/matriarch.yml", "r");
	char *text = calloc(1, 1 << 18);

	ck_assert_msg(f != NULL, "run in the top directory");
	ck_assert_uint_gt(fread(text, 1, (1 << 18) - 1, f), 0);
	fclose(f);
	ck_assert_str_eq(mt_conf_sample(), text);
	free(text);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("source");
	TCase *tc = tcase_create("source");

	tcase_add_checked_fixture(tc, make_dir, end);
	tcase_add_test(tc, all_errors_are_found_in_one_run);
	tcase_add_test(tc, a_directory_is_read_in_the_order_of_names);
	tcase_add_test(tc, each_file_of_a_directory_must_be_a_mapping);
	tcase_add_test(tc, an_empty_directory_and_a_missing_file_are_errors);
	tcase_add_test(tc, variables_win_over_files_and_ours_over_patronis);
	tcase_add_test(tc, a_bad_variable_is_named);
	tcase_add_test(tc, variables_alone_are_a_configuration);
	tcase_add_test(tc, one_variable_may_hold_it_all_where_there_is_no_file);
	tcase_add_test(tc, each_option_with_a_variable_has_one_of_its_own);
	tcase_add_test(tc, what_is_in_force_is_shown_without_secrets);
	tcase_add_test(tc, the_sample_that_is_printed_is_the_trees);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
