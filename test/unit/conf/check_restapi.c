/* SPDX-License-Identifier: PostgreSQL */
/* Who may use the REST API, and its headers, as they are written. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "loaded.h"
#include "test/unit/run.h"

#define BASE \
	"scope: batman\n" \
	"name: node1\n" \
	"raft: {self_addr: '127.0.0.1:7500', data_dir: /tmp/r}\n" \
	"restapi:\n" \
	"  listen: 127.0.0.1:8008\n"

static struct mt_conf_restapi *
loaded(const char *text)
{
	ck_assert_msg(load(text) == 0, "%s", last_err.text);
	return &conf->restapi;
}

static void
is(json_t *v, const char *want)
{
	char buf[512], *got = json_dumps(v, JSON_COMPACT);

	mt_copy(buf, sizeof(buf), want);
	for (char *p = buf; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	ck_assert_str_eq(got, buf);
	free(got);
}

START_TEST(without_options_all_may_and_nothing_is_added)
{
	const struct mt_conf_restapi *r = loaded(BASE);

	ck_assert_str_eq(r->username, "");
	ck_assert_str_eq(r->password, "");
	is(r->allowlist, "[]");
	is(r->http_headers, "{}");
	is(r->https_headers, "{}");
	ck_assert(!r->allowlist_include_members);
	ck_assert(r->allow_shell_settings);
	ck_assert_str_eq(r->server_tokens, "original");
	ck_assert_int_eq(r->request_queue_size, MT_CONF_QUEUE_MAX);
	mt_conf_free(conf);
}
END_TEST

START_TEST(all_that_is_given_arrives)
{
	const struct mt_conf_restapi *r = loaded(
	    BASE "  authentication: {username: ann, password: s3cret}\n"
		 "  allowlist: [10.0.0.1, 10.0.0.0/8, 'fd00::/8', db1.local]\n"
		 "  allowlist_include_members: on\n"
		 "  allow_shell_settings: off\n"
		 "  server_tokens: ProductOnly\n"
		 "  request_queue_size: 1000\n"
		 "  http_extra_headers: {X-Frame-Options: DENY, X-One: 1}\n"
		 "  https_extra_headers: {x-frame-options: SAMEORIGIN,\n"
		 "    Strict-Transport-Security: 'max-age=1'}\n");

	ck_assert_str_eq(r->username, "ann");
	ck_assert_str_eq(r->password, "s3cret");
	is(r->allowlist, "['10.0.0.1','10.0.0.0/8','fd00::/8','db1.local']");
	ck_assert(r->allowlist_include_members);
	ck_assert(!r->allow_shell_settings);
	ck_assert_str_eq(r->server_tokens, "ProductOnly");
	ck_assert_int_eq(r->request_queue_size, 1000);
	is(r->http_headers, "{'x-frame-options':'DENY','x-one':'1'}");
	is(r->https_headers, "{'x-frame-options':'SAMEORIGIN','x-one':'1',"
			     "'strict-transport-security':'max-age=1'}");
	ck_assert_ptr_null(strstr(seen, "restapi"));
	mt_conf_free(conf);
}
END_TEST

START_TEST(an_allowlist_may_be_one_text)
{
	is(loaded(BASE "  allowlist: 10.0.0.1, db1,fd00::1\n")->allowlist,
	   "['10.0.0.1','db1','fd00::1']");
	mt_conf_free(conf);
}
END_TEST

static const struct {
	const char *text, *at, *words;
} wrong[] = {
    {"  authentication: {username: ann}\n", "6:3", "needs both"},
    {"  authentication: {password: s3cret}\n", "6:3", "needs both"},
    {"  authentication: {username: a:b, password: x}\n", "6:20", "a colon"},
    {"  allowlist: [10.0.0.0/33]\n", "6:15", "from 0 to 32"},
    {"  allowlist:\n  - 10.0.0.1\n  - 10.0.0\n", "8:5", "is no address"},
    {"  allowlist: ['a b']\n", "6:15", "nor is it the name of a host"},
    {"  allowlist: ['-x']\n", "6:15", "nor is it the name of a host"},
    {"  http_extra_headers: {'X Y': a}\n", "6:24", "not named as a header"},
    {"  http_extra_headers: {\"X\\r\\nY\": a}\n", "6:24", "not named"},
    {"  http_extra_headers: {'X-Y:': a}\n", "6:24", "not named as a header"},
    {"  http_extra_headers: {X: \"a\\r\\nSet-Cookie: b\"}\n", "6:24",
     "one line of text"},
    {"  http_extra_headers: {X: [a]}\n", "6:24", "one line of text"},
    {"  https_extra_headers: {X: \"a\\n\"}\n", "6:25", "one line of text"},
};

START_TEST(what_cannot_be_is_an_error_at_its_place)
{
	char text[1024];

	mt_format(text, sizeof(text), "%s%s", BASE, wrong[_i].text);
	refused(text, wrong[_i].at, wrong[_i].words);
	ck_assert_ptr_null(strstr(last_err.text, "s3cret"));
}
END_TEST

START_TEST(who_only_looks_for_a_node_needs_no_password)
{
	static const char text[] =
	    BASE "  authentication: {username: ann, password_file: /no}\n";
	char file[] = "/tmp/check_restapi.XXXXXX";
	int fd = mkstemp(file);

	ck_assert_int_eq(load(text), MT_EINVAL);
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	ck_assert_int_eq(mt_conf_peruse(&conf, file, NULL, &last_err), 0);
	ck_assert_str_eq(conf->restapi.username, "ann");
	ck_assert_str_eq(conf->restapi.password, "");
	unlink(file);
	mt_conf_free(conf);
}
END_TEST

START_TEST(what_the_server_writes_itself_is_left_out_and_said)
{
	const struct mt_conf_restapi *r =
	    loaded(BASE "  http_extra_headers:\n"
			"    Content-Length: 7\n"
			"    transfer-encoding: chunked\n"
			"    Server: mine\n"
			"    X-Mine: yes\n");

	is(r->http_headers, "{'x-mine':'true'}");
	warned("\"restapi.http_extra_headers.Content-Length\" is ignored");
	warned("\"restapi.http_extra_headers.transfer-encoding\" is ignored");
	warned("itself, by \"restapi.server_tokens\"");
	mt_conf_free(conf);
}
END_TEST

START_TEST(numbers_and_words_out_of_range_are_moved_and_said)
{
	const struct mt_conf_restapi *r =
	    loaded(BASE "  server_tokens: none\n"
			"  request_queue_size: 5\n");

	warned("\"restapi.server_tokens\" must be original, productonly");
	warned("\"restapi.request_queue_size\" is below its minimum and "
	       "raised to 511");
	ck_assert_int_eq(r->request_queue_size, 511);
	mt_conf_free(conf);
	ck_assert_int_eq(
	    loaded(BASE "  request_queue_size: 5000\n")->request_queue_size,
	    4096);
	warned("lowered to 4096");
	mt_conf_free(conf);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("restapi");
	TCase *tc = tcase_create("restapi");

	tcase_add_test(tc, without_options_all_may_and_nothing_is_added);
	tcase_add_test(tc, all_that_is_given_arrives);
	tcase_add_test(tc, an_allowlist_may_be_one_text);
	tcase_add_loop_test(tc, what_cannot_be_is_an_error_at_its_place, 0,
			    (int)MT_COUNT(wrong));
	tcase_add_test(tc, who_only_looks_for_a_node_needs_no_password);
	tcase_add_test(tc, what_the_server_writes_itself_is_left_out_and_said);
	tcase_add_test(tc, numbers_and_words_out_of_range_are_moved_and_said);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
