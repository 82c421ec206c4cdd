/* SPDX-License-Identifier: PostgreSQL */
/* Connection strings, URLs, slot names. */
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <libpq-fe.h>

#include "base/text.h"
#include "pg/conninfo.h"
#include "test/unit/run.h"

static struct mt_conf_postgresql *
make_pg(void)
{
	struct mt_conf_postgresql *pg = calloc(1, sizeof(*pg));

	ck_assert_ptr_nonnull(pg);
	pg->port = 5432;
	mt_copy(pg->listen_addresses, sizeof(pg->listen_addresses), "*");
	mt_copy(pg->database, sizeof(pg->database), "postgres");
	mt_copy(pg->pgpass, sizeof(pg->pgpass), "/var/lib/a b/pg'pass");
	mt_copy(pg->replication.username, sizeof(pg->replication.username),
		"repl user");
	mt_copy(pg->replication.password, sizeof(pg->replication.password),
		"geheim");
	return pg;
}

START_TEST(slot_names_are_made_as_patroni_makes_them)
{
	static const char *const rows[][2] = {
	    {"node1", "node1"},
	    {"Node-1.example", "node_1_example"},
	    {"a b", "au0032b"},
	    {"n\xc3\xa4", "nu0228"},
	    {"\xe2\x82\xac", "u8364"},
	    {"\xc3", "u0195"},
	    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	     "!",
	     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	     "aaaaaau"},
	};
	char buf[64];

	for (size_t i = 0; i < MT_COUNT(rows); i++)
		ck_assert_str_eq(mt_pg_slot_name(buf, rows[i][0]), rows[i][1]);
}
END_TEST

START_TEST(values_are_quoted_where_libpq_needs_it)
{
	static const char *const rows[][2] = {
	    {"abc", "abc"},       {"", "''"},           {"a b", "'a b'"},
	    {"it's", "'it\\'s'"}, {"a\\b", "'a\\\\b'"}, {"a=b", "'a=b'"},
	};
	char buf[64], small[4];

	for (size_t i = 0; i < MT_COUNT(rows); i++)
		ck_assert_str_eq(
		    mt_pg_conninfo_quote(buf, sizeof(buf), rows[i][0]),
		    rows[i][1]);
	ck_assert_ptr_null(mt_pg_conninfo_quote(small, sizeof(small), "abcd"));
	ck_assert_ptr_null(mt_pg_conninfo_quote(small, sizeof(small), "a b"));
}
END_TEST

START_TEST(urls_give_host_port_and_database)
{
	struct mt_pg_target t;
	char db[64];

	ck_assert_int_eq(mt_pg_url_parse(&t, db, sizeof(db),
					 "postgres://10.0.0.1:5433/post?x=y",
					 NULL),
			 0);
	ck_assert_str_eq(t.host, "10.0.0.1");
	ck_assert_str_eq(t.hostaddr, "10.0.0.1");
	ck_assert_uint_eq(t.port, 5433);
	ck_assert_str_eq(db, "post");
	ck_assert_int_eq(
	    mt_pg_url_parse(&t, db, sizeof(db), "postgresql://[::1]", NULL), 0);
	ck_assert_str_eq(t.hostaddr, "::1");
	ck_assert_uint_eq(t.port, 5432);
	ck_assert_str_eq(db, "");
	ck_assert_int_eq(
	    mt_pg_url_parse(&t, NULL, 0, "postgres://db-1:7/x", NULL), 0);
	ck_assert_str_eq(t.host, "db-1");
	ck_assert_str_eq(t.hostaddr, "");
}
END_TEST

START_TEST(urls_that_name_no_single_host_are_refused)
{
	static const char *const bad[] = {
	    "",
	    "http://a:1/",
	    "postgres://",
	    "postgres:///x",
	    "postgres://user:pw@host:1/x",
	    "postgres://*:5432/x",
	    "postgres://a:99999/x",
	};
	struct mt_pg_target t;
	struct mt_err err;

	ck_assert_int_eq(mt_pg_url_parse(&t, NULL, 0, bad[_i], &err),
			 MT_EINVAL);
}
END_TEST

START_TEST(a_standby_follows_by_a_string_that_libpq_reads_back)
{
	struct mt_conf_postgresql *pg = make_pg();
	char buf[2048], *words = NULL;
	PQconninfoOption *list;
	int seen = 0;

	ck_assert_int_eq(mt_pg_primary_conninfo(buf, sizeof(buf), pg, "node-1",
						"postgres://10.0.0.2:5433/x",
						150000, NULL),
			 0);
	ck_assert_ptr_null(strstr(buf, "geheim"));
	list = PQconninfoParse(buf, &words);
	ck_assert_ptr_nonnull(list);
	for (PQconninfoOption *o = list; o->keyword; o++) {
		if (!o->val)
			continue;
		seen += mt_streq(o->keyword, "user") &&
			mt_streq(o->val, "repl user");
		seen += mt_streq(o->keyword, "passfile") &&
			mt_streq(o->val, "/var/lib/a b/pg'pass");
		seen += mt_streq(o->keyword, "host") &&
			mt_streq(o->val, "10.0.0.2");
		seen += mt_streq(o->keyword, "application_name") &&
			mt_streq(o->val, "node-1");
		seen += mt_streq(o->keyword, "sslmode") &&
			mt_streq(o->val, "prefer");
	}
	ck_assert_int_eq(seen, 5);
	PQconninfoFree(list);
	ck_assert_int_lt(mt_pg_primary_conninfo(buf, 40, pg, "n",
						"postgres://10.0.0.2:5433/x",
						150000, NULL),
			 0);
	ck_assert_str_eq(buf, "");
	free(pg);
}
END_TEST

static const struct mt_conf_libpq all = {
    .sslmode = "verify-ca",
    .sslcert = "/c",
    .sslkey = "/k",
    .sslpassword = "pass phrase",
    .sslrootcert = "/ca",
    .sslcrl = "/l",
    .sslcrldir = "/d",
    .sslnegotiation = "direct",
    .gssencmode = "disable",
    .channel_binding = "require",
    .krbsrvname = "db service",
};

START_TEST(options_of_libpq_stand_in_the_known_order_as_the_version_has_them)
{
	static const struct {
		int version;
		bool given;
		const char *text;
	} rows[] = {
	    {150000, false,
	     "sslmode=prefer application_name=n gssencmode=prefer "
	     "channel_binding=prefer"},
	    {170000, false,
	     "sslmode=prefer application_name=n gssencmode=prefer "
	     "channel_binding=prefer sslnegotiation=postgres"},
	    {110000, false, "sslmode=prefer application_name=n"},
	    {170000, true,
	     "sslmode=verify-ca sslcert=/c sslkey=/k "
	     "sslpassword='pass phrase' sslrootcert=/ca sslcrl=/l sslcrldir=/d "
	     "application_name=n krbsrvname='db service' "
	     "gssencmode=disable channel_binding=require "
	     "sslnegotiation=direct"},
	    {130000, true,
	     "sslmode=verify-ca sslcert=/c sslkey=/k "
	     "sslpassword='pass phrase' sslrootcert=/ca sslcrl=/l "
	     "application_name=n krbsrvname='db service' "
	     "gssencmode=disable channel_binding=require"},
	    {120000, true,
	     "sslmode=verify-ca sslcert=/c sslkey=/k sslrootcert=/ca sslcrl=/l "
	     "application_name=n krbsrvname='db service' "
	     "gssencmode=disable"},
	};
	struct mt_conf_postgresql *pg = make_pg();
	char buf[2048], want[2048];

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		if (rows[i].given)
			pg->replication.libpq = all;
		ck_assert_int_eq(
		    mt_pg_primary_conninfo(buf, sizeof(buf), pg, "n",
					   "postgres://10.0.0.2:5433/x",
					   rows[i].version, NULL),
		    0);
		mt_format(want, sizeof(want),
			  "dbname=postgres user='repl user' "
			  "passfile='/var/lib/a b/pg\\'pass' host=10.0.0.2 "
			  "port=5433 %s",
			  rows[i].text);
		ck_assert_str_eq(buf, want);
		memset(&pg->replication.libpq, 0,
		       sizeof(pg->replication.libpq));
	}
	free(pg);
}
END_TEST

START_TEST(a_programs_arguments_name_a_service_and_no_passphrase)
{
	struct mt_conf_user user = {.username = "u", .libpq = all};
	char buf[2048];

	ck_assert_int_eq(mt_pg_tool_conninfo(buf, sizeof(buf), &user, NULL, "a",
					     "postgres://10.0.0.2:5433/x",
					     150000, NULL),
			 0);
	ck_assert_ptr_null(strstr(buf, "phrase"));
	ck_assert_ptr_nonnull(
	    strstr(buf, "user=u host=10.0.0.2 port=5433 service=matriarch "
			"sslmode=verify-ca sslcert=/c sslkey=/k "
			"sslrootcert=/ca "));
	ck_assert_ptr_nonnull(strstr(buf, "channel_binding=require "));
	ck_assert_ptr_nonnull(
	    strstr(buf, " application_name=a krbsrvname='db service' "));
	user.libpq.sslpassword[0] = '\0';
	ck_assert_int_eq(mt_pg_tool_conninfo(buf, sizeof(buf), &user, NULL, "a",
					     "postgres://10.0.0.2:5433/x",
					     150000, NULL),
			 0);
	ck_assert_ptr_null(strstr(buf, "service="));
}
END_TEST

START_TEST(the_local_server_is_reached_by_literal_address_or_socket)
{
	static const struct {
		const char *listen, *dirs;
		bool use_socket;
		const char *host, *hostaddr;
		bool is_socket;
	} rows[] = {
	    {"*", NULL, false, "127.0.0.1", "127.0.0.1", false},
	    {"localhost,10.0.0.1", NULL, false, "127.0.0.1", "127.0.0.1",
	     false},
	    {"10.0.0.1,*", NULL, false, "10.0.0.1", "10.0.0.1", false},
	    {"::", NULL, false, "::1", "::1", false},
	    {"db.example", NULL, false, "db.example", "", false},
	    {"*", NULL, true, "", "", true},
	    {"*", "@abstract, /run/pg , /tmp", true, "/run/pg", "", true},
	    {"*", "", true, "127.0.0.1", "127.0.0.1", false},
	};
	struct mt_conf_postgresql *pg = make_pg();
	struct mt_pg_target t;
	json_t *p = NULL;

	mt_copy(pg->listen_addresses, sizeof(pg->listen_addresses),
		rows[_i].listen);
	pg->use_unix_socket = rows[_i].use_socket;
	if (rows[_i].dirs)
		p = json_pack("{s:s}", "unix_socket_directories",
			      rows[_i].dirs);
	mt_pg_target_local(&t, pg, p, false);
	ck_assert_str_eq(t.host, rows[_i].host);
	ck_assert_str_eq(t.hostaddr, rows[_i].hostaddr);
	ck_assert(t.is_socket == rows[_i].is_socket);
	ck_assert_uint_eq(t.port, 5432);
	/* a replication connection has a word of its own */
	pg->use_unix_socket = !rows[_i].use_socket;
	pg->use_unix_socket_repl = rows[_i].use_socket;
	mt_pg_target_local(&t, pg, p, true);
	ck_assert_str_eq(t.host, rows[_i].host);
	ck_assert(t.is_socket == rows[_i].is_socket);
	json_decref(p);
	free(pg);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("conninfo");
	TCase *t = tcase_create("all");

	tcase_add_test(t, slot_names_are_made_as_patroni_makes_them);
	tcase_add_test(t, values_are_quoted_where_libpq_needs_it);
	tcase_add_test(t, urls_give_host_port_and_database);
	tcase_add_loop_test(t, urls_that_name_no_single_host_are_refused, 0, 7);
	tcase_add_test(t, a_standby_follows_by_a_string_that_libpq_reads_back);
	tcase_add_test(
	    t,
	    options_of_libpq_stand_in_the_known_order_as_the_version_has_them);
	tcase_add_test(t,
		       a_programs_arguments_name_a_service_and_no_passphrase);
	tcase_add_loop_test(
	    t, the_local_server_is_reached_by_literal_address_or_socket, 0, 8);
	suite_add_tcase(s, t);
	return run_suite(s);
}
