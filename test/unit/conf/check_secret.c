/* SPDX-License-Identifier: PostgreSQL */
/* Secrets from files of their own; users of PostgreSQL in their old places. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "base/yaml.h"
#include "conf/change.h"
#include "conf/conf.h"
#include "conf/effective.h"
#include "conf/environ.h"
#include "conf/explain.h"
#include "conf/secret.h"
#include "scratch.h"
#include "test/unit/run.h"

#define BASE \
	"scope: batman\n" \
	"name: node1\n" \
	"restapi: {listen: '127.0.0.1:8008'}\n" \
	"raft: {self_addr: '127.0.0.1:7500', data_dir: /tmp/r}\n" \
	"postgresql:\n" \
	"  listen: 127.0.0.1:5432\n" \
	"  data_dir: /tmp/pg\n"
#define AUTH BASE "  authentication:\n"

static struct mt_findings found;
static struct mt_conf *conf;

static void
begin(void)
{
	make_dir();
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void
end(void)
{
	remove_dir();
	mt_conf_free(conf);
	conf = NULL;
	mt_findings_release(&found);
}

static int
read_text(const char *text, const char *const *variables)
{
	json_t *environment = NULL;
	int rc;

	put("a.yml", text);
	mt_conf_free(conf);
	conf = NULL;
	mt_findings_release(&found);
	if (variables != NULL)
		environment = mt_conf_environ(variables);
	rc = mt_conf_read(&conf, in_dir("a.yml"), environment, &found);
	json_decref(environment);
	return rc;
}

static void
loads(const char *text)
{
	ck_assert_msg(read_text(text, NULL) == 0, "%s", found.list[0].text);
}

/* One error, with these words, and nowhere the secret. */
static void
refused(const char *text, const char *words)
{
	ck_assert_int_eq(read_text(text, NULL), MT_EINVAL);
	ck_assert_uint_eq(found.n_errors, 1);
	ck_assert_msg(strstr(found.list[0].text, words) != NULL, "%s",
		      found.list[0].text);
	ck_assert_ptr_null(strstr(found.list[0].text, "hunter"));
}

START_TEST(a_password_is_read_from_its_file_without_the_newline)
{
	put("su", "hunter1\n");
	put("re", "hunter 2\r\n");
	put_mode("rw", "h\xc3\xbcnter3", 0640);
	loads(AUTH "    superuser: {password_file: su}\n"
		   "    replication: {password_file: re}\n"
		   "    rewind: {username: r, password_file: rw}\n");
	ck_assert_uint_eq(found.n, 0);
	ck_assert_str_eq(conf->postgresql.superuser.password, "hunter1");
	ck_assert_str_eq(conf->postgresql.replication.password, "hunter 2");
	ck_assert_str_eq(conf->postgresql.rewind.password, "h\xc3\xbcnter3");
}
END_TEST

START_TEST(credentials_of_systemd_come_before_the_files_folder)
{
	char credentials[128];

	put("su", "beside\n");
	mt_copy(credentials, sizeof(credentials), in_dir("c"));
	ck_assert_int_eq(mkdir(credentials, 0700), 0);
	setenv("CREDENTIALS_DIRECTORY", credentials, 1);
	loads(AUTH "    superuser: {password_file: su}\n");
	ck_assert_str_eq(conf->postgresql.superuser.password, "beside");
	put("c/su", "given\n");
	loads(AUTH "    superuser: {password_file: su}\n");
	ck_assert_str_eq(conf->postgresql.superuser.password, "given");
}
END_TEST

START_TEST(a_bad_file_is_refused_with_its_place_and_never_shown)
{
	static const char text[] = AUTH "    superuser: {password_file: su}\n";
	char big[600];

	refused(text, "a.yml:9:17: \"postgresql.authentication.superuser."
		      "password_file\": there is no \"su\"");
	put_mode("su", "hunter1\n", 0604);
	refused(text, "everybody may read or write");
	put_mode("su", "hunter1\n", 0602);
	refused(text, "chmod o=");
	put("su", "");
	refused(text, "is empty");
	put("su", "\n");
	refused(text, "is empty");
	put("su", "hunter1\nhunter2\n");
	refused(text, "not one line of text");
	put("su", "hunter\xff\n");
	refused(text, "is not UTF-8");
	memset(big, 'h', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	put("su", big);
	refused(text, "more than 511 bytes");
	unlink(in_dir("su"));
	ck_assert_int_eq(mkfifo(in_dir("su"), 0600), 0);
	refused(text, "not a plain file"); /* and nobody waited for a writer */
	unlink(in_dir("su"));
}
END_TEST

START_TEST(both_forms_are_an_error_and_the_later_of_two_sources_wins)
{
	static const char *const variables[] = {
	    "PATRONI_SUPERUSER_PASSWORD=hunter9", NULL};
	static const char *const file[] = {
	    "MATRIARCH_SUPERUSER_PASSWORD_FILE=/nowhere", NULL};
	char name[160];
	const char *own[] = {name, NULL};

	put("su", "hunter1\n");
	refused(AUTH "    superuser: {password: hunter2, password_file: su}\n",
		"are both given");
	ck_assert_int_eq(
	    read_text(AUTH "    superuser: {password_file: su}\n", variables),
	    0);
	ck_assert_str_eq(conf->postgresql.superuser.password, "hunter9");
	ck_assert_int_eq(read_text(BASE, file), MT_EINVAL);
	ck_assert_ptr_nonnull(
	    strstr(found.list[0].text, "MATRIARCH_SUPERUSER_PASSWORD_FILE: "));
	mt_format(name, sizeof(name), "MATRIARCH_SUPERUSER_PASSWORD_FILE=%s/su",
		  dir);
	ck_assert_int_eq(
	    read_text(AUTH "    superuser: {password: hunter2}\n", own), 0);
	ck_assert_str_eq(conf->postgresql.superuser.password, "hunter1");
}
END_TEST

START_TEST(what_is_told_names_the_file_and_is_a_configuration_again)
{
	json_t *all, *list, *it;
	char *text;
	size_t i;
	int seen = 0;

	put("su", "hunter1\n");
	put("u", "hunter3\n");
	loads(AUTH "    superuser: {password_file: su}\n"
		   "bootstrap: {users: {u: {password_file: u}}}\n");
	ck_assert_str_eq(
	    json_string_value(json_object_get(
		json_object_get(conf->bootstrap.users, "u"), "password")),
	    "hunter3");
	all = mt_conf_effective(conf);
	text = mt_yaml_block(all);
	ck_assert_msg(strstr(text, "hunter") == NULL, "%s", text);
	loads(text);
	ck_assert_str_eq(conf->postgresql.superuser.password, "hunter1");
	json_decref(all);
	free(text);
	list = mt_conf_explain(conf, &(struct mt_conf_facts){0});
	text = json_dumps(list, 0);
	ck_assert_ptr_null(strstr(text, "hunter"));
	json_array_foreach (list, i, it)
		if (mt_streq(json_string_value(json_object_get(it, "key")),
			     "postgresql.authentication.superuser.password")) {
			ck_assert_str_eq(
			    json_string_value(json_object_get(it, "source")),
			    "su");
			seen++;
		}
	ck_assert_int_eq(seen, 1);
	json_decref(list);
	free(text);
}
END_TEST

START_TEST(another_content_is_a_change_of_the_password)
{
	static const char text[] = AUTH "    superuser: {password_file: su}\n";
	struct mt_conf_change c;
	struct mt_conf *old;
	char keys[256];

	put("su", "hunter1\n");
	loads(text);
	old = conf;
	conf = NULL;
	put("su", "hunter2\n");
	loads(text);
	ck_assert(mt_conf_succeed(old, conf, &c));
	ck_assert_str_eq(mt_conf_keys(c.live, keys, sizeof(keys)),
			 "postgresql.authentication.superuser.password, "
			 "postgresql.authentication.rewind.password");
	mt_conf_change_release(&c);
	mt_conf_free(old);
}
END_TEST

START_TEST(who_only_looks_for_a_node_goes_on_without_a_file)
{
	struct mt_err err;

	put("a.yml", AUTH "    superuser: {password_file: nowhere}\n");
	ck_assert_int_eq(mt_conf_load(&conf, in_dir("a.yml"), NULL, &err),
			 MT_EINVAL);
	ck_assert_int_eq(mt_conf_peruse(&conf, in_dir("a.yml"), NULL, &err), 0);
	ck_assert_str_eq(conf->postgresql.superuser.password, "");
}
END_TEST

START_TEST(each_secret_has_an_option_for_its_file_and_both_are_in_force)
{
	size_t n;
	const struct mt_option *o = mt_options(&n), *file;

	for (; n-- > 0; o++) {
		if (o->type != MT_OPT_SECRET)
			continue;
		file = mt_secret_file_of(o);
		ck_assert_msg(file != NULL, "%s has no file", o->path);
		ck_assert_msg(file->type == MT_OPT_STRING &&
				  file->effective == o->effective &&
				  file->reload == o->reload,
			      "%s is not as %s", file->path, o->path);
	}
}
END_TEST

START_TEST(variables_are_gone_from_the_environment)
{
	char home[] = "HOME=/root",
	     one[] = "PATRONI_SUPERUSER_PASSWORD=hunter1";
	char two[] = "MATRIARCH_CONFIGURATION=password: hunter2", end[] = "A=b";
	char *list[] = {one, home, two, end, NULL};

	mt_conf_environ_hide(list);
	ck_assert_ptr_eq(list[0], home);
	ck_assert_ptr_eq(list[1], end);
	ck_assert_ptr_null(list[2]);
	ck_assert_ptr_null(memmem(one, sizeof(one), "hunter", 6));
	ck_assert_ptr_null(memmem(two, sizeof(two), "hunter", 6));
}
END_TEST

START_TEST(options_of_libpq_are_read_and_their_words_checked)
{
	loads(AUTH "    superuser: {username: su, sslmode: verify-full,"
		   " sslrootcert: /ca, sslpassword: hunter}\n"
		   "    replication: {sslcert: /c, sslkey: /k, sslcrl: /l,"
		   " sslcrldir: /d, sslnegotiation: direct,"
		   " gssencmode: disable, channel_binding: require}\n");
	ck_assert_str_eq(conf->postgresql.superuser.libpq.sslmode,
			 "verify-full");
	ck_assert_str_eq(conf->postgresql.rewind.libpq.sslrootcert, "/ca");
	ck_assert_str_eq(conf->postgresql.rewind.libpq.sslpassword, "hunter");
	ck_assert_str_eq(conf->postgresql.replication.libpq.sslkey, "/k");
	ck_assert_str_eq(conf->postgresql.replication.libpq.sslnegotiation,
			 "direct");
	ck_assert_str_eq(conf->postgresql.replication.libpq.sslmode, "");
	ck_assert_uint_eq(found.n, 0);
	put("p", "hunter1");
	loads(AUTH "    replication: {sslpassword_file: p}\n");
	ck_assert_str_eq(conf->postgresql.replication.libpq.sslpassword,
			 "hunter1");
	ck_assert_uint_eq(found.n, 1);
	ck_assert_ptr_nonnull(strstr(found.list[0].text, "in its log when"));
	loads(AUTH "    rewind: {username: r}\n"
		   "  krbsrvname: dbs\n");
	ck_assert_str_eq(conf->postgresql.superuser.libpq.krbsrvname, "dbs");
	ck_assert_str_eq(conf->postgresql.replication.libpq.krbsrvname, "dbs");
	ck_assert_str_eq(conf->postgresql.rewind.libpq.krbsrvname, "dbs");
	refused(AUTH "    superuser: {sslmode: verify}\n",
		"9:17: \"postgresql.authentication.superuser.sslmode\" must be "
		"one of disable,");
	refused(AUTH "    rewind: {channel_binding: 'prefer,require'}\n",
		"must be one of disable,prefer,require");
}
END_TEST

START_TEST(users_in_their_old_places_are_taken_with_a_word)
{
	loads(BASE "  superuser: {username: su, password: hunter1}\n"
		   "  replication: {username: re, pasword: hunter2}\n");
	ck_assert_str_eq(conf->postgresql.superuser.username, "su");
	ck_assert_str_eq(conf->postgresql.superuser.password, "hunter1");
	ck_assert_str_eq(conf->postgresql.replication.username, "re");
	ck_assert_str_eq(conf->postgresql.rewind.username, "su");
	ck_assert_int_eq(conf->postgresql.use_pg_rewind, 0);
	ck_assert_uint_eq(found.n, 3);
	ck_assert_ptr_nonnull(strstr(
	    found.list[0].text, ":8:3: \"postgresql.superuser\" is the old "
				"place of \"postgresql.authentication."
				"superuser\"; taken as that"));
	ck_assert_ptr_nonnull(strstr(found.list[2].text, "9:31: unknown key"));
	loads(BASE "  superuser: {username: su}\n"
		   "  pg_rewind: {username: rw}\n");
	ck_assert_str_eq(conf->postgresql.rewind.username, "rw");
	ck_assert_int_eq(conf->postgresql.use_pg_rewind, 1);
	loads(BASE "  pg_rewind: {username: rw}\n");
	ck_assert_str_eq(conf->postgresql.superuser.username, "rw");
	ck_assert_str_eq(conf->postgresql.rewind.username, "rw");
	loads(BASE "  superuser: {username: su}\n"
		   "  authentication: {replication: {username: re}}\n");
	ck_assert_str_eq(conf->postgresql.superuser.username, "postgres");
	ck_assert_int_eq(conf->postgresql.use_pg_rewind, -1);
	ck_assert_ptr_nonnull(strstr(found.list[0].text, "ignored beside"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("secret");
	TCase *tc = tcase_create("secret");
	const TTest *tests[] = {
	    a_password_is_read_from_its_file_without_the_newline,
	    credentials_of_systemd_come_before_the_files_folder,
	    a_bad_file_is_refused_with_its_place_and_never_shown,
	    both_forms_are_an_error_and_the_later_of_two_sources_wins,
	    what_is_told_names_the_file_and_is_a_configuration_again,
	    another_content_is_a_change_of_the_password,
	    who_only_looks_for_a_node_goes_on_without_a_file,
	    each_secret_has_an_option_for_its_file_and_both_are_in_force,
	    variables_are_gone_from_the_environment,
	    options_of_libpq_are_read_and_their_words_checked,
	    users_in_their_old_places_are_taken_with_a_word,
	};

	tcase_add_checked_fixture(tc, begin, end);
	for (size_t i = 0; i < MT_COUNT(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
