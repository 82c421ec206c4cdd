/* SPDX-License-Identifier: PostgreSQL */
/* The files of HAProxy and PgBouncer, from what a cluster says. */
#include "cli/balance.h"

#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "base/text.h"
#include "test/unit/run.h"

static struct mt_balanced member;
static const char *ca_file;

/* Quotes as ' */
static bool
given(const char *text)
{
	char quoted[1024];
	json_t *doc;
	bool ok;

	mt_copy(quoted, sizeof(quoted), text);
	for (char *p = quoted; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	doc = json_loads(quoted, 0, NULL);
	ck_assert_ptr_nonnull(doc);
	ok = mt_balanced_of(doc, &member);
	json_decref(doc);
	return ok;
}

static void
agent(const char *address)
{
	json_t *doc =
	    json_pack("{s:{s:s}}", "matriarch", "agent_check", address);

	mt_balanced_agent(doc, &member);
	json_decref(doc);
}

static char *
printed(const char *lag)
{
	struct mt_haproxy h = {
	    .scope = "demo",
	    .bind = "*",
	    .lag = lag,
	    .ca_file = ca_file,
	    .primary_port = 5000,
	    .replica_port = 5001,
	    .stats_port = 7000,
	    .n = 1,
	    .members = &member,
	};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	mt_haproxy_print(&h, out);
	fclose(out);
	return text;
}

static void
has(const char *lag, const char *line)
{
	char *text = printed(lag);

	ck_assert_msg(strstr(text, line) != NULL, "no \"%s\" in:\n%s", line,
		      text);
	free(text);
}

static const struct {
	const char *member, *agent, *line;
} servers[] = {
    {"{'name':'n1','host':'10.0.0.1','port':5432,"
     "'api_url':'http://10.0.0.1:8008/patroni'}",
     "", "    server n1 10.0.0.1:5432 check port 8008\n"},
    {"{'name':'n1','host':'10.0.0.1','port':5432,"
     "'api_url':'http://10.0.0.1:8008/patroni'}",
     "*:8009",
     "    server n1 10.0.0.1:5432 check port 8008 agent-check "
     "agent-port 8009 agent-send \"primary\\n\"\n"},
    {"{'name':'n1','host':'10.0.0.1','port':5432,"
     "'api_url':'http://10.1.0.1:8008/patroni'}",
     "10.2.0.1:8009",
     "    server n1 10.0.0.1:5432 check addr 10.1.0.1 port 8008 "
     "agent-check agent-addr 10.2.0.1 agent-port 8009 "
     "agent-send \"replica lag=16MB\\n\" weight 100\n"},
    {"{'name':'n1','host':'10.0.0.1','port':5432,"
     "'api_url':'http://[fd00::1]:8008/patroni'}",
     "*:8009",
     "    server n1 10.0.0.1:5432 check addr [fd00::1] port 8008 "
     "agent-check agent-addr [fd00::1] agent-port 8009 "},
    {"{'name':'a b','host':'::1','port':6432,"
     "'api_url':'https://[::1]:8008/patroni'}",
     "",
     "    server a_b [::1]:6432 check port 8008 check-ssl verify required "
     "ca-file @system-ca weight 100\n"},
    {"{'name':'n1','host':'n1.example','port':5432,"
     "'api_url':'https://n1.example:8008/patroni'}",
     "",
     "    server n1 n1.example:5432 check port 8008 check-ssl verify "
     "required ca-file @system-ca check-sni n1.example verifyhost "
     "n1.example\n"},
};

START_TEST(a_member_is_a_server)
{
	ck_assert(given(servers[_i].member));
	agent(servers[_i].agent);
	has("16MB", servers[_i].line);
	has("16MB", "    option httpchk OPTIONS /replica?lag=16MB\n");
	has(NULL, "    option httpchk OPTIONS /replica\n");
}
END_TEST

START_TEST(an_authority_of_its_own_signs_any_name)
{
	given("{'name':'n1','host':'n1.example','port':5432,"
	      "'api_url':'https://n1.example:8008/patroni'}");
	ca_file = "/ca.pem";
	has(NULL, "    server n1 n1.example:5432 check port 8008 check-ssl "
		  "verify required ca-file /ca.pem\n");
}
END_TEST

START_TEST(who_did_not_answer_has_a_remark)
{
	given(servers[0].member);
	mt_balanced_agent(NULL, &member);
	has(NULL, "    # n1 did not answer");
}
END_TEST

static const char *const bad[] = {
    "{'name':'n1','port':5432,'api_url':'http://h:8008/'}",
    "{'name':'n1','host':'h','api_url':'http://h:8008/'}",
    "{'name':'n1','host':'h','port':70000,'api_url':'http://h:8008/'}",
    "{'name':'n1','host':'h','port':'5432','api_url':'http://h:8008/'}",
    "{'name':'n1','host':'h','port':5432}",
    "{'name':'','host':'h','port':5432,'api_url':'http://h:8008/'}",
    "{'name':'n1','host':'h x','port':5432,'api_url':'http://h:8008/'}",
    "{'name':'n1','host':'h\\nx','port':5432,'api_url':'http://h:8008/'}",
    "{'name':'n1','host':'h','port':5432,'api_url':'http://h x:8008/'}",
    "{'name':'n1','host':'h','port':5432,'api_url':'http://h\\nx:8008/'}",
};

START_TEST(what_is_no_address_does_not_get_into_a_file)
{
	ck_assert(!given(bad[_i]));
}
END_TEST

START_TEST(an_odd_name_is_one_word)
{
	ck_assert(given("{'name':'a\\n b\\\"#','host':'h','port':1,"
			"'api_url':'http://h:8008/'}"));
	ck_assert_str_eq(member.name, "a__b__");
	agent("h\nx:8009");
	ck_assert_uint_eq(member.agent.port, 0);
}
END_TEST

START_TEST(sizes_and_ports_are_checked)
{
	ck_assert(mt_is_size("16MB") && mt_is_size("0") && mt_is_size("1.5kB"));
	ck_assert(!mt_is_size("") && !mt_is_size("MB") && !mt_is_size("1 MB"));
	ck_assert(!mt_is_size("1mb") && !mt_is_size("1&x") &&
		  !mt_is_size("-1"));
	ck_assert_uint_eq(mt_port_of("5000"), 5000);
	ck_assert_uint_eq(mt_port_of("0"), 0);
	ck_assert_uint_eq(mt_port_of("65536"), 0);
	ck_assert_uint_eq(mt_port_of(" 5"), 0);
	ck_assert_uint_eq(mt_port_of("5x"), 0);
	ck_assert(mt_is_word("/etc/a-b.pem") && mt_is_word("@system-ca"));
	ck_assert(!mt_is_word("") && !mt_is_word("a b") && !mt_is_word("a\n"));
}
END_TEST

static char *
pooled(const struct mt_pgbouncer *p)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	mt_pgbouncer_print(p, out);
	fclose(out);
	return text;
}

START_TEST(pgbouncer_goes_where_it_is_told)
{
	static const char *const names[] = {"app"};
	struct mt_pgbouncer p = {
	    .scope = "demo",
	    .host = "127.0.0.1",
	    .primary_port = 5000,
	    .replica_port = 5001,
	    .listen_port = 6432,
	    .auth_file = "/etc/users",
	    .databases = names,
	};
	char *text = pooled(&p);

	ck_assert_ptr_nonnull(strstr(text, "\n* = host=127.0.0.1 port=5000\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nauth_file = /etc/users\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nlisten_port = 6432\n"));
	free(text);
	p.n = 1;
	text = pooled(&p);
	ck_assert_ptr_nonnull(
	    strstr(text, "\napp = host=127.0.0.1 port=5000\n"
			 "app_ro = host=127.0.0.1 port=5001 dbname=app\n"));
	ck_assert_ptr_null(strstr(text, "\n* ="));
	free(text);
	p.is_direct = true;
	text = pooled(&p);
	ck_assert_ptr_nonnull(strstr(text, "print it anew"));
	ck_assert_ptr_null(strstr(text, "5001"));
	free(text);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("balance");
	TCase *tc = tcase_create("balance");

	tcase_add_loop_test(tc, a_member_is_a_server, 0, MT_COUNT(servers));
	tcase_add_test(tc, an_authority_of_its_own_signs_any_name);
	tcase_add_test(tc, who_did_not_answer_has_a_remark);
	tcase_add_loop_test(tc, what_is_no_address_does_not_get_into_a_file, 0,
			    MT_COUNT(bad));
	tcase_add_test(tc, an_odd_name_is_one_word);
	tcase_add_test(tc, sizes_and_ports_are_checked);
	tcase_add_test(tc, pgbouncer_goes_where_it_is_told);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
