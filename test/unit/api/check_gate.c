/* SPDX-License-Identifier: PostgreSQL */
/* Who is let in, over HTTP: by address, name and password, and after a reload;
 * what answers say besides; what is open to everybody. */
#include "fake.h"
#include "test/unit/run.h"

#define BASIC(x) "Authorization: Basic " x "\r\n"

/* The configuration after a reload, empty at first. */
static struct mt_conf next;

static void
setup(void)
{
	fake_setup();
	memset(&next, 0, sizeof(next));
	next.tags = fake.conf.tags;
	next.restapi.listen = fake.conf.restapi.listen;
	next.restapi.allow_shell_settings = true;
}

static void
teardown(void)
{
	fake_teardown();
	json_decref(next.restapi.allowlist);
	json_decref(next.restapi.http_headers);
}

static void
reload(void)
{
	fake.backend.conf = &next;
	fake.watch_fn(fake.watch_arg);
}

static void
set_password(void)
{
	mt_copy(next.restapi.username, sizeof(next.restapi.username), "ann");
	mt_copy(next.restapi.password, sizeof(next.restapi.password), "s3cret");
}

static int
ask_as(const char *method, const char *path, const char *header)
{
	char text[512];

	mt_format(text, sizeof(text),
		  "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		  "%sContent-Length: 0\r\n\r\n",
		  method, path, header);
	read_answer(send_request(text));
	return status;
}

START_TEST(a_password_is_asked_for_from_the_reload_on)
{
	ck_assert_int_eq(ask_as("PATCH", "/config", ""), 400);
	set_password();
	reload();
	ck_assert_int_eq(ask_as("PATCH", "/config", ""), 401);
	ck_assert_ptr_nonnull(
	    strstr(answer, "www-authenticate: Basic realm=\"Patroni\"\r\n"));
	ck_assert_int_eq(ask_as("PATCH", "/config", BASIC("YW5uOnMzY3JldB==")),
			 401);
	ck_assert_int_eq(ask_as("PATCH", "/config", BASIC("YW5uOnMzY3JldA==")),
			 400);
	ck_assert_ptr_null(strstr(answer, "www-authenticate"));
	ck_assert_ptr_null(strstr(answer, "s3cret"));
	fake.backend.conf = &fake.conf;
	fake.watch_fn(fake.watch_arg);
	ck_assert_int_eq(ask_as("PATCH", "/config", ""), 400);
}
END_TEST

START_TEST(who_reads_needs_no_password)
{
	static const char *const paths[] = {
	    "/",        "/patroni",   "/cluster",    "/config",
	    "/metrics", "/decisions", "/raft/state", "/liveness",
	};

	set_password();
	next.restapi.allowlist = json_pack("[s]", "10.0.0.1");
	reload();
	for (size_t i = 0; i < MT_COUNT(paths); i++)
		ck_assert_int_eq(ask("GET", paths[i]), 200);
	ck_assert_int_eq(ask("OPTIONS", "/switchover"), 204);
}
END_TEST

static const struct {
	const char *method, *path;
} protected[] = {
    {"PATCH", "/config"},      {"PUT", "/config"},    {"POST", "/reload"},
    {"POST", "/switchover"},   {"POST", "/failover"}, {"DELETE", "/switchover"},
    {"POST", "//switchover/"},
};

START_TEST(all_that_changes_something_is_behind_the_gate)
{
	const char *body = strcmp(protected[_i].path, "/config") == 0
			       ? "{\"ttl\":9}"
			       : "{\"leader\":\"node1\",\"dry_run\":true}";

	next.restapi.allowlist = json_pack("[s]", "10.0.0.1");
	reload();
	read_answer(send_ask(protected[_i].method, protected[_i].path, body));
	ck_assert_int_eq(status, 403);
	ck_assert_str_eq(answer_body, "Access is denied");
	ck_assert_int_eq(fake.n_proposed, 0);
	ck_assert_ptr_null(fake.reload_cb);
}
END_TEST

START_TEST(what_does_not_exist_does_not_exist_for_anybody)
{
	next.restapi.allowlist = json_pack("[s]", "10.0.0.1");
	reload();
	ck_assert_int_eq(ask("POST", "/nothing"), 501);
}
END_TEST

START_TEST(who_is_in_the_allowlist_passes)
{
	next.restapi.allowlist = json_pack("[s, s]", "10.0.0.1", "127.0.0.0/8");
	reload();
	ck_assert_int_eq(ask_as("PATCH", "/config", ""), 400);
}
END_TEST

/* Until the name was looked up, or for long enough. */
static int
ask_until(int want)
{
	int64_t end_ms = mt_clock_ms() + 20000;

	while (ask_as("PATCH", "/config", "") != want && mt_clock_ms() < end_ms)
		turn(5);
	return status;
}

START_TEST(a_name_lets_pass_when_it_was_looked_up)
{
	next.restapi.allowlist = json_pack("[s]", "localhost");
	reload();
	ck_assert_int_eq(ask_until(400), 400);
	/* and is kept when something else changes */
	fake.state.n_members = 1;
	fake.watch_fn(fake.watch_arg);
	ck_assert_int_eq(ask_as("PATCH", "/config", ""), 400);
}
END_TEST

START_TEST(a_name_that_there_is_not_is_nobodys)
{
	next.restapi.allowlist = json_pack("[s]", "no-such-host.invalid");
	reload();
	ck_assert_int_eq(ask_as("PATCH", "/config", ""), 403);
	turn(50);
	ck_assert_int_eq(ask_as("PATCH", "/config", ""), 403);
}
END_TEST

static void
set_members(const char *url)
{
	for (int i = 0; i < fake.state.n_members; i++)
		mt_copy(fake.state.members[i].api_url, MT_URL_MAX, url);
	fake.watch_fn(fake.watch_arg);
}

START_TEST(members_pass_if_that_is_wanted)
{
	next.restapi.allowlist_include_members = true;
	reload();
	ck_assert_int_eq(ask_as("PATCH", "/config", ""), 400);
	set_members("http://10.0.0.1:8008/patroni");
	ck_assert_int_eq(ask_as("PATCH", "/config", ""), 403);
	set_members("https://[::ffff:127.0.0.1]:8008/patroni");
	ck_assert_int_eq(ask_as("PATCH", "/config", ""), 400);
	set_members("nonsense");
	ck_assert_int_eq(ask_as("PATCH", "/config", ""), 403);
	set_members("http://localhost:8008/patroni");
	ck_assert_int_eq(ask_until(400), 400);
}
END_TEST

START_TEST(the_api_may_end_while_a_name_is_looked_up)
{
	next.restapi.allowlist = json_pack("[s, s, s]", "localhost",
					   "no-such-host.invalid", "other");
	reload();
}
END_TEST

START_TEST(each_answer_has_the_headers_that_are_wanted)
{
	ck_assert_int_eq(ask("GET", "/patroni"), 200);
	ck_assert_ptr_nonnull(strstr(answer, "Server: matriarch\r\n"));
	ck_assert_ptr_null(strstr(answer, "x-frame-options"));
	next.restapi.http_headers =
	    json_pack("{ss, ss}", "x-frame-options", "DENY", "allow", "x");
	mt_copy(next.restapi.server_tokens, 64, "Minimal");
	set_password();
	reload();
	ck_assert_int_eq(ask("GET", "/patroni"), 200);
	ck_assert_ptr_nonnull(strstr(answer, "Server: Patroni/0.1.0\r\n"));
	ck_assert_ptr_nonnull(strstr(answer, "x-frame-options: DENY\r\n"));
	ck_assert_int_eq(ask("HEAD", "/replica"), 503);
	ck_assert_ptr_nonnull(strstr(answer, "x-frame-options: DENY\r\n"));
	ck_assert_int_eq(ask("DELETE", "/switchover"), 401);
	ck_assert_ptr_nonnull(strstr(answer, "x-frame-options: DENY\r\n"));
	ck_assert_int_eq(ask("POST", "/nothing"), 501);
	ck_assert_ptr_nonnull(strstr(answer, "x-frame-options: DENY\r\n"));
	/* the answer's own is the one that counts */
	ck_assert_int_eq(ask("OPTIONS", "/patroni"), 204);
	ck_assert_ptr_nonnull(strstr(answer, "allow: GET"));
	ck_assert_ptr_null(strstr(answer, "allow: x"));
	fake.backend.conf = &fake.conf;
	mt_copy(fake.conf.restapi.server_tokens, 64, "productonly");
	fake.watch_fn(fake.watch_arg);
	ck_assert_int_eq(ask("GET", "/patroni"), 200);
	ck_assert_ptr_nonnull(strstr(answer, "Server: Patroni\r\n"));
	ck_assert_ptr_null(strstr(answer, "x-frame-options"));
}
END_TEST

static bool
is_open(const char *host)
{
	mt_copy(next.restapi.listen.host, sizeof(next.restapi.listen.host),
		host);
	reload();
	ck_assert_int_eq(ask("GET", "/metrics"), 200);
	return strstr(answer, "\nmatriarch_restapi_open{scope=\"demo\","
			      "name=\"node1\"} 1\n") != NULL;
}

START_TEST(an_api_that_everybody_may_use_is_measured)
{
	mt_copy(next.scope, sizeof(next.scope), "demo");
	mt_copy(next.name, sizeof(next.name), "node1");
	ck_assert(is_open("*"));
	ck_assert(is_open("10.0.0.1"));
	ck_assert(!is_open("127.0.0.1"));
	next.restapi.allowlist_include_members = true;
	ck_assert(!is_open("*"));
	next.restapi.allowlist_include_members = false;
	next.restapi.allowlist = json_pack("[s]", "10.0.0.1");
	ck_assert(!is_open("*"));
	json_array_clear(next.restapi.allowlist);
	ck_assert(is_open("*"));
	mt_copy(next.restapi.certfile, MT_CONF_PATH_MAX, "/x");
	ck_assert(is_open("*"));
	next.restapi.verify_client = 1;
	ck_assert(!is_open("*"));
	next.restapi.certfile[0] = '\0';
	ck_assert(is_open("*"));
	set_password();
	ck_assert(!is_open("*"));
}
END_TEST

/* The so many-th proposal, which then ends: who asked is not kept for ever. */
static void
proposed(int n)
{
	until_proposed(n);
	fake.propose_cb(fake.propose_arg, MT_ETIMEDOUT, 0, "");
}

START_TEST(settings_that_run_programs_can_be_kept_from_the_api)
{
	static const char patch[] =
	    "{\"postgresql\":{\"parameters\":{\"archive_command\":\"x\"}}}";

	next.restapi.allow_shell_settings = false;
	reload();
	read_answer(send_ask("PATCH", "/config", patch));
	ck_assert_int_eq(status, 403);
	ck_assert_ptr_nonnull(
	    strstr(answer_body, "\"postgresql.parameters.archive_command\""));
	read_answer(send_ask("PUT", "/config", patch));
	ck_assert_int_eq(status, 403);
	ck_assert_int_eq(fake.n_proposed, 0);
	/* it is there already */
	json_object_set_new(
	    fake.state.config, "postgresql",
	    json_pack("{s:{ss}}", "parameters", "archive_command", "x"));
	close(send_ask("PATCH", "/config", patch));
	proposed(1);
	close(send_ask("PATCH", "/config", "{\"ttl\":9}"));
	proposed(2);
	read_answer(send_ask("PUT", "/config", "{\"ttl\":9}"));
	ck_assert_int_eq(status, 403);
	next.restapi.allow_shell_settings = true;
	close(send_ask("PUT", "/config", "{\"ttl\":9}"));
	proposed(3);
}
END_TEST

static void
is_by(const struct mt_origin *by, const char *who)
{
	ck_assert_str_eq(by->who, who);
	ck_assert_str_eq(by->from, "127.0.0.1");
}

static void
send_as(const char *method, const char *path, const char *header,
	const char *body)
{
	char text[512];

	mt_format(text, sizeof(text),
		  "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		  "%sContent-Length: %zu\r\n\r\n%s",
		  method, path, header, strlen(body), body);
	close(send_request(text));
}

START_TEST(what_is_proposed_tells_who_asked_and_from_where)
{
	static const char ann[] = BASIC("YW5uOnMzY3JldA==");

	send_as("PATCH", "/config", "", "{\"ttl\":9,\"a\":{\"b\":1}}");
	proposed(1);
	is_by(&fake.cmd.u.config_put.by, "-");
	ck_assert_str_eq(fake.cmd.u.config_put.why, "changed: ttl, a");
	ck_assert_int_gt(fake.cmd.u.config_put.at_ms, 1600000000000);
	set_password();
	reload();
	send_as("PATCH", "/config", ann, "{\"ttl\":9}");
	proposed(2);
	is_by(&fake.cmd.u.config_put.by, "ann");
	send_as("POST", "/switchover", ann, "{\"leader\":\"node1\"}");
	proposed(3);
	is_by(&fake.cmd.u.request_put.by, "ann");
	send_as("POST", "/failover", ann, "{\"candidate\":\"node2\"}");
	proposed(4);
	is_by(&fake.cmd.u.request_put.by, "ann");
	fake.state.request.kind = MT_REQUEST_SWITCHOVER;
	fake.state.request.scheduled_ms = 4000000000000;
	send_as("DELETE", "/switchover", ann, "");
	proposed(5);
	is_by(&fake.cmd.seen.by, "ann");
}
END_TEST

START_TEST(decisions_tell_who_asked)
{
	struct mt_decision *d = fake.state.decisions;
	json_t *doc;

	fake.state.last_decision = 2;
	d[1].id = 1;
	d[2].id = 2;
	mt_copy(d[2].rule, sizeof(d[2].rule), "config");
	d[2].by = (struct mt_origin){"ann", "fd00::1"};
	doc = ask_json("/decisions/2");
	ck_assert_json(json_object_get(doc, "by"),
		       "{'user':'ann','address':'fd00::1'}");
	json_decref(doc);
	doc = ask_json("/decisions/1");
	ck_assert_ptr_null(json_object_get(doc, "by"));
	json_decref(doc);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("gate");
	TCase *tc = tcase_create("gate");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, a_password_is_asked_for_from_the_reload_on);
	tcase_add_test(tc, who_reads_needs_no_password);
	tcase_add_loop_test(tc, all_that_changes_something_is_behind_the_gate,
			    0, (int)MT_COUNT(protected));
	tcase_add_test(tc, what_does_not_exist_does_not_exist_for_anybody);
	tcase_add_test(tc, who_is_in_the_allowlist_passes);
	tcase_add_test(tc, a_name_lets_pass_when_it_was_looked_up);
	tcase_add_test(tc, a_name_that_there_is_not_is_nobodys);
	tcase_add_test(tc, members_pass_if_that_is_wanted);
	tcase_add_test(tc, the_api_may_end_while_a_name_is_looked_up);
	tcase_add_test(tc, each_answer_has_the_headers_that_are_wanted);
	tcase_add_test(tc, an_api_that_everybody_may_use_is_measured);
	tcase_add_test(tc, settings_that_run_programs_can_be_kept_from_the_api);
	tcase_add_test(tc, what_is_proposed_tells_who_asked_and_from_where);
	tcase_add_test(tc, decisions_tell_who_asked);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
