/* SPDX-License-Identifier: PostgreSQL */
/*
 * The HTTP client against small servers in threads, each of which takes a
 * number of connections, reads one request and answers it with given bytes.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "base/text.h"
#include "client/http.h"
#include "test/unit/run.h"

#define OK "HTTP/1.1 200 OK\r\nConnection: close\r\n"

struct server {
	pthread_t thread;
	int fd;
	char url[64];
	const char *answer; /* NULL: hang up; "": say nothing until the end */
	bool hasty;         /* answers before it is asked */
	int connections;    /* taken so far */
	char request[4096]; /* the last one */
};

static void
read_request(struct server *s, int fd)
{
	size_t n = 0, want = 0;
	char *end, *length;
	ssize_t k;

	while (n < sizeof(s->request) - 1) {
		k = read(fd, s->request + n, sizeof(s->request) - 1 - n);
		if (k <= 0)
			break;
		n += (size_t)k;
		s->request[n] = '\0';
		end = strstr(s->request, "\r\n\r\n");
		if (end == NULL)
			continue;
		length = strcasestr(s->request, "content-length: ");
		want = (size_t)(end + 4 - s->request) +
		       (length != NULL ? (size_t)atoi(length + 16) : 0);
		if (n >= want)
			break;
	}
}

static void *
serve(void *arg)
{
	struct server *s = arg;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		s->connections++;
		if (!s->hasty)
			read_request(s, fd);
		if (s->answer != NULL && s->answer[0] == '\0')
			(void)read(fd, &(char){0},
				   1); /* until the client goes */
		else if (s->answer != NULL)
			(void)!write(fd, s->answer, strlen(s->answer));
		close(fd);
	}
	return NULL;
}

static void
server_start(struct server *s, const char *answer)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(sin);

	*s = (struct server){.answer = answer};
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&sin, n), 0);
	ck_assert_int_eq(listen(s->fd, 8), 0);
	ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&sin, &n), 0);
	mt_format(s->url, sizeof(s->url), "http://127.0.0.1:%d",
		  ntohs(sin.sin_port));
	ck_assert_int_eq(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void
server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR); /* ends accept */
	pthread_join(s->thread, NULL);
	close(s->fd);
}

/* A URL where nobody listens. */
static void
dead_url(char *buf, size_t size)
{
	struct server s;

	server_start(&s, NULL);
	server_stop(&s);
	mt_copy(buf, size, s.url);
}

static struct mt_http *http;
static struct mt_http_reply reply;
static struct mt_err err;

static void
setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(mt_http_new(&http, "check", &err), 0);
	reply = (struct mt_http_reply){0};
}

static void
teardown(void)
{
	mt_http_reply_release(&reply);
	mt_http_free(http);
}

START_TEST(a_get_gives_status_body_and_json)
{
	struct server s;
	json_t *json;

	server_start(&s, OK "Content-Length: 9\r\n\r\n{\"a\": 12}");
	ck_assert_int_eq(mt_http_add(http, s.url, &err), 0);
	ck_assert_int_eq(mt_http_get(http, "/cluster", 1000, &reply, &err), 0);
	ck_assert_int_eq(reply.status, 200);
	ck_assert_str_eq(reply.body, "{\"a\": 12}");
	ck_assert_str_eq(reply.base, s.url);
	ck_assert_int_eq(mt_http_json(&reply, &json, &err), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(json, "a")), 12);
	json_decref(json);
	server_stop(&s);
	ck_assert(strncmp(s.request, "GET /cluster HTTP/1.1\r\n", 23) == 0);
	ck_assert_ptr_nonnull(strstr(s.request, "User-Agent: check\r\n"));
}
END_TEST

START_TEST(an_empty_body_is_an_empty_string)
{
	struct server s;

	server_start(&s, OK "Content-Length: 0\r\n\r\n");
	ck_assert_int_eq(mt_http_add(http, s.url, &err), 0);
	ck_assert_int_eq(mt_http_get(http, "/", 1000, &reply, &err), 0);
	ck_assert_str_eq(reply.body, "");
	server_stop(&s);
}
END_TEST

START_TEST(a_get_goes_on_past_the_dead_and_the_unwell)
{
	struct server ill, well;
	char dead[64];

	dead_url(dead, sizeof(dead));
	server_start(&ill, "HTTP/1.1 503 no\r\nConnection: close\r\n"
			   "Content-Length: 2\r\n\r\nno");
	server_start(&well, OK "Content-Length: 3\r\n\r\nyes");
	ck_assert_int_eq(mt_http_add(http, dead, &err), 0);
	ck_assert_int_eq(mt_http_add(http, ill.url, &err), 0);
	ck_assert_int_eq(mt_http_add(http, well.url, &err), 0);
	ck_assert_int_eq(mt_http_get(http, "/", 1000, &reply, &err), 0);
	ck_assert_str_eq(reply.body, "yes");
	mt_http_reply_release(&reply);
	/* and then starts with who answered */
	ck_assert_int_eq(mt_http_get(http, "/", 1000, &reply, &err), 0);
	ck_assert_str_eq(reply.body, "yes");
	server_stop(&ill);
	server_stop(&well);
	ck_assert_int_eq(ill.connections, 1);
	ck_assert_int_eq(well.connections, 2);
}
END_TEST

START_TEST(where_all_are_unwell_the_first_answer_counts)
{
	struct server a;
	char dead[64];

	dead_url(dead, sizeof(dead));
	server_start(&a, "HTTP/1.1 503 no\r\nConnection: close\r\n"
			 "Content-Length: 2\r\n\r\nno");
	ck_assert_int_eq(mt_http_add(http, a.url, &err), 0);
	ck_assert_int_eq(mt_http_add(http, dead, &err), 0);
	ck_assert_int_eq(mt_http_get(http, "/", 1000, &reply, &err), 0);
	ck_assert_int_eq(reply.status, 503);
	ck_assert_str_eq(reply.body, "no");
	server_stop(&a);
}
END_TEST

START_TEST(when_nobody_answers_the_error_names_each_server)
{
	char one[64], two[64];

	dead_url(one, sizeof(one));
	dead_url(two, sizeof(two));
	ck_assert_int_eq(mt_http_add(http, one, &err), 0);
	ck_assert_int_eq(mt_http_add(http, two, &err), 0);
	ck_assert_int_eq(mt_http_get(http, "/", 1000, &reply, &err), MT_ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, one));
	ck_assert_ptr_nonnull(strstr(err.text, two));
	ck_assert_ptr_nonnull(strstr(err.text, "Connection refused"));
}
END_TEST

START_TEST(a_silent_server_is_given_up_in_time)
{
	struct server s;
	int64_t start_ms = mt_clock_ms();

	server_start(&s, "");
	ck_assert_int_eq(mt_http_add(http, s.url, &err), 0);
	ck_assert_int_eq(mt_http_get(http, "/", 100, &reply, &err),
			 MT_ETIMEDOUT);
	ck_assert_int_lt(mt_clock_ms() - start_ms, 1000);
	server_stop(&s);
}
END_TEST

START_TEST(a_post_sends_its_json_to_the_first_that_takes_it)
{
	struct server s;
	char dead[64];
	json_t *body = json_pack("{ss}", "leader", "node1");

	dead_url(dead, sizeof(dead));
	server_start(&s, "HTTP/1.1 412 no\r\nConnection: close\r\n"
			 "Content-Length: 6\r\n\r\nbehind");
	ck_assert_int_eq(mt_http_add(http, dead, &err), 0);
	ck_assert_int_eq(mt_http_add(http, s.url, &err), 0);
	ck_assert_int_eq(
	    mt_http_post(http, "/switchover", body, 1000, &reply, &err), 0);
	ck_assert_int_eq(reply.status, 412);
	ck_assert_str_eq(reply.body, "behind");
	server_stop(&s);
	ck_assert(strncmp(s.request, "POST /switchover HTTP/1.1\r\n", 27) == 0);
	ck_assert_ptr_nonnull(
	    strstr(s.request, "Content-Type: application/json\r\n"));
	ck_assert_ptr_nonnull(
	    strstr(s.request, "\r\n\r\n{\"leader\":\"node1\"}"));
	json_decref(body);
}
END_TEST

START_TEST(a_delete_has_no_body_and_is_made_once)
{
	struct server s, other;

	server_start(&s, "HTTP/1.1 503 no\r\nConnection: close\r\n"
			 "Content-Length: 4\r\n\r\nbusy");
	server_start(&other, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	ck_assert_int_eq(mt_http_add(http, s.url, &err), 0);
	ck_assert_int_eq(mt_http_add(http, other.url, &err), 0);
	ck_assert_int_eq(mt_http_delete(http, "/x", 1000, &reply, &err), 0);
	ck_assert_int_eq(reply.status, 503);
	ck_assert_str_eq(reply.body, "busy");
	server_stop(&s);
	server_stop(&other);
	ck_assert(strncmp(s.request, "DELETE /x HTTP/1.1\r\n", 20) == 0);
	ck_assert_str_eq(other.request, "");
}
END_TEST

/* A second server must not be asked for what the first may be doing. */
START_TEST(a_post_that_may_have_been_heard_is_not_made_twice)
{
	struct server gone, other;
	json_t *body = json_pack("{ss}", "leader", "node1");

	server_start(&gone, NULL);
	server_start(&other, OK "Content-Length: 0\r\n\r\n");
	ck_assert_int_eq(mt_http_add(http, gone.url, &err), 0);
	ck_assert_int_eq(mt_http_add(http, other.url, &err), 0);
	ck_assert_int_eq(
	    mt_http_post(http, "/switchover", body, 1000, &reply, &err),
	    MT_EPROTO);
	server_stop(&gone);
	server_stop(&other);
	ck_assert_int_eq(gone.connections, 1);
	ck_assert_int_eq(other.connections, 0);
	json_decref(body);
}
END_TEST

START_TEST(an_answer_that_is_no_json_is_told_with_a_remedy)
{
	struct server s;
	json_t *json = NULL;

	server_start(&s, OK "Content-Length: 5\r\n\r\nhello");
	ck_assert_int_eq(mt_http_add(http, s.url, &err), 0);
	ck_assert_int_eq(mt_http_get(http, "/", 1000, &reply, &err), 0);
	ck_assert_int_eq(mt_http_json(&reply, &json, &err), MT_EPROTO);
	ck_assert_ptr_null(json);
	ck_assert_ptr_nonnull(strstr(err.text, "restapi"));
	server_stop(&s);
}
END_TEST

START_TEST(an_answer_without_an_end_is_cut_off)
{
	struct server s;
	size_t n = MT_HTTP_BODY_MAX_BYTES + 4096;
	char *answer = malloc(n + sizeof(OK) + 2);

	strcpy(answer, OK "\r\n");
	memset(answer + strlen(OK) + 2, 'x', n);
	answer[strlen(OK) + 2 + n] = '\0';
	server_start(&s, answer);
	ck_assert_int_eq(mt_http_add(http, s.url, &err), 0);
	ck_assert_int_eq(mt_http_get(http, "/", 5000, &reply, &err), MT_EPROTO);
	ck_assert_ptr_nonnull(strstr(err.text, "too long"));
	server_stop(&s);
	free(answer);
}
END_TEST

START_TEST(servers_are_urls_and_doubles_count_once)
{
	static const char *const bad[] = {
	    "",          "host:80",      "ftp://host",
	    "http://",   "http:///path", "http://user@host",
	    "http://a b"};

	ck_assert_int_eq(mt_http_add(http, "http://h:1/patroni", &err), 0);
	ck_assert_int_eq(mt_http_add(http, "http://h:1", &err), 0);
	ck_assert_int_eq(mt_http_add(http, "http://[::1]:1", &err), 0);
	ck_assert_uint_eq(mt_http_count(http), 2);
	for (size_t i = 0; i < MT_COUNT(bad); i++)
		ck_assert_int_eq(mt_http_add(http, bad[i], &err), MT_EINVAL);
	ck_assert_uint_eq(mt_http_count(http), 2);
}
END_TEST

START_TEST(name_and_password_go_along_where_they_are_given)
{
	/* base64 of ada:pass-7 */
	static const char header[] =
	    "Authorization: Basic YWRhOnBhc3MtNw==\r\n";
	const struct mt_http_access access = {
	    .username = "ada", .password = "pass-7", .keyfile = ""};
	struct server s;

	server_start(&s, OK "Content-Length: 3\r\n\r\nyes");
	ck_assert_int_eq(mt_http_add(http, s.url, &err), 0);
	ck_assert_int_eq(mt_http_get(http, "/", 1000, &reply, &err), 0);
	ck_assert_ptr_null(strstr(s.request, "Authorization"));
	mt_http_reply_release(&reply);
	ck_assert_int_eq(mt_http_use(http, &access, &err), 0);
	ck_assert_int_eq(mt_http_get(http, "/", 1000, &reply, &err), 0);
	server_stop(&s);
	ck_assert_ptr_nonnull(strstr(s.request, header));
}
END_TEST

/* Nothing was heard then, so that another may be asked, whatever it is. */
START_TEST(what_tls_fails_for_names_the_option_and_no_secret)
{
	const struct mt_http_access access = {
	    .cacert = "/nowhere/ca.crt",
	    .keyfile_password = "pass-7",
	};
	char url[80];
	struct server s;
	json_t *body = json_object();

	server_start(&s, OK "Content-Length: 3\r\n\r\nyes");
	s.hasty = true;
	mt_format(url, sizeof(url), "https%s", s.url + 4);
	ck_assert_int_eq(mt_http_add(http, url, &err), 0);
	ck_assert_int_eq(mt_http_get(http, "/", 2000, &reply, &err), MT_ENOENT);
	ck_assert_msg(strstr(err.text, "TLS could not be agreed on") != NULL,
		      "%s", err.text);
	ck_assert_int_eq(mt_http_use(http, &access, &err), 0);
	ck_assert_int_eq(mt_http_post(http, "/", body, 2000, &reply, &err),
			 MT_ENOENT);
	ck_assert_msg(strstr(err.text, "the file \"ctl.cacert\"") != NULL, "%s",
		      err.text);
	ck_assert_ptr_null(strstr(err.text, "pass-7"));
	json_decref(body);
	server_stop(&s);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("client");
	TCase *tc = tcase_create("http");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_get_gives_status_body_and_json);
	tcase_add_test(tc, an_empty_body_is_an_empty_string);
	tcase_add_test(tc, a_get_goes_on_past_the_dead_and_the_unwell);
	tcase_add_test(tc, where_all_are_unwell_the_first_answer_counts);
	tcase_add_test(tc, when_nobody_answers_the_error_names_each_server);
	tcase_add_test(tc, a_silent_server_is_given_up_in_time);
	tcase_add_test(tc, a_post_sends_its_json_to_the_first_that_takes_it);
	tcase_add_test(tc, a_delete_has_no_body_and_is_made_once);
	tcase_add_test(tc, a_post_that_may_have_been_heard_is_not_made_twice);
	tcase_add_test(tc, an_answer_that_is_no_json_is_told_with_a_remedy);
	tcase_add_test(tc, an_answer_without_an_end_is_cut_off);
	tcase_add_test(tc, servers_are_urls_and_doubles_count_once);
	tcase_add_test(tc, name_and_password_go_along_where_they_are_given);
	tcase_add_test(tc, what_tls_fails_for_names_the_option_and_no_secret);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
