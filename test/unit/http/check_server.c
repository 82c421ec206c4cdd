/* SPDX-License-Identifier: PostgreSQL */
/*
 * The HTTP server over real sockets on loopback. Client and server share one
 * thread: the client sends, then the loop turns until the client has what it
 * waits for.
 */
#include "http/server.h"

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "test/unit/run.h"

static uv_loop_t loop;
static struct mt_http_server *server;
static struct mt_http_request *kept;
static int n_gone, n_requests;
static bool closed;

static void
on_gone(struct mt_http_request *r)
{
	ck_assert_ptr_eq(r, kept);
	ck_assert_ptr_eq(r->owner, &n_gone);
	kept = NULL;
	n_gone++;
}

/* /keep is kept; all else is answered with what was understood of it. */
static void
on_request(void *arg, struct mt_http_request *r)
{
	char text[512];
	struct mt_http_answer answer = {
	    .status = 200,
	    .type = "text/html",
	    .body = text,
	    .header = "x-test",
	    .value = "yes",
	};

	ck_assert_ptr_eq(arg, &n_requests);
	n_requests++;
	if (mt_streq(r->path, "/keep")) {
		ck_assert_ptr_null(kept);
		kept = r;
		r->owner = &n_gone;
		r->gone = on_gone;
		return;
	}
	if (mt_streq(r->path, "/nothing")) {
		answer = (struct mt_http_answer){.status = 204};
	} else {
		mt_format(text, sizeof(text), "%s|%s|%s|%d|%zu|%.*s|%d",
			  r->method, r->path, r->query, r->has_body,
			  r->body_bytes,
			  r->body_bytes < 100 ? (int)r->body_bytes : 0,
			  r->body_bytes ? (const char *)r->body : "",
			  r->peer.ss_family == AF_INET);
		answer.body_bytes = strlen(text);
	}
	mt_http_respond(r, &answer);
}

static void
on_closed(void *arg)
{
	ck_assert_ptr_eq(arg, &closed);
	closed = true;
}

static void
start_with(const struct mt_http_options *options)
{
	struct mt_err err;
	int rv;

	rv = mt_http_start(&server, &loop, options, on_request, &n_requests,
			   &err);
	ck_assert_msg(rv == 0, "%s", err.text);
	ck_assert_uint_ne(mt_http_port(server), 0);
}

static void
setup_with(const struct mt_http_options *options)
{
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	kept = NULL;
	n_gone = n_requests = 0;
	closed = false;
	start_with(options);
}

static void
setup(void)
{
	const struct mt_http_options options = {
	    .host = "127.0.0.1",
	    .request_timeout_ms = 300,
	    .connections_max = 4,
	    .address_max = 4,
	};

	setup_with(&options);
}

static void
teardown(void)
{
	if (server != NULL)
		mt_http_close(server, on_closed, &closed);
	server = NULL;
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert(closed);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}

static int
dial(void)
{
	struct sockaddr_in to = {
	    .sin_family = AF_INET,
	    .sin_port = htons(mt_http_port(server)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void
put(int fd, const char *text)
{
	size_t n = strlen(text);

	ck_assert_int_eq(send(fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
}

static char in[65536];
static size_t n_in;

/* Turn the loop until the client has read something. -1: nothing came within
 * that time; 0: the server closed. */
static ssize_t
read_some(int fd, int64_t within_ms)
{
	int64_t end_ms = mt_clock_ms() + within_ms;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;

	do {
		uv_run(&loop, UV_RUN_NOWAIT);
		if (poll(&p, 1, 2) == 0)
			continue;
		n = recv(fd, in + n_in, sizeof(in) - 1 - n_in, 0);
		if (n < 0)
			n = 0; /* reset counts as closed */
		n_in += (size_t)n;
		in[n_in] = '\0';
		return n;
	} while (mt_clock_ms() < end_ms);
	return -1;
}

/* Everything up to and including this text. */
static void
read_until(int fd, const char *end)
{
	n_in = 0;
	in[0] = '\0';
	while (strstr(in, end) == NULL)
		ck_assert_msg(read_some(fd, 1000) > 0, "got only: %s", in);
}

static void
read_to_the_end(int fd)
{
	ssize_t n;

	n_in = 0;
	in[0] = '\0';
	while ((n = read_some(fd, 3000)) > 0)
		;
	ck_assert_msg(n == 0, "not closed, got: %s", in);
}

/* As many turns of the loop as milliseconds at least: on a busy machine a
 * millisecond may take a hundred. */
static void
turn(int64_t for_ms)
{
	int64_t end_ms = mt_clock_ms() + for_ms;

	for (int64_t i = 0; i < for_ms || mt_clock_ms() < end_ms; i++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		poll(NULL, 0, 1);
	}
}

START_TEST(a_connection_is_kept_and_answers_have_lengths)
{
	int fd = dial();

	for (int i = 0; i < 3; i++) {
		put(fd, "GET //a/b?lag=1&x HTTP/1.1\r\nHost: h\r\n\r\n");
		read_until(fd, "GET|//a/b|lag=1&x|0|0||1");
		ck_assert_ptr_nonnull(strstr(in, "HTTP/1.1 200 OK\r\n"));
		ck_assert_ptr_nonnull(strcasestr(in, "content-length: 24\r\n"));
		ck_assert_ptr_nonnull(strcasestr(in, "server: matriarch\r\n"));
		ck_assert_ptr_nonnull(strcasestr(in, "\r\ndate: "));
		ck_assert_ptr_nonnull(strstr(in, "x-test: yes\r\n"));
		ck_assert_ptr_null(strcasestr(in, "connection: close"));
	}
	close(fd);
}
END_TEST

START_TEST(an_old_client_gets_an_answer_and_the_end)
{
	int fd = dial();

	put(fd, "GET / HTTP/1.0\r\n\r\n");
	read_to_the_end(fd);
	ck_assert_ptr_nonnull(strstr(in, "GET|/||0|0||1"));
	close(fd);
}
END_TEST

START_TEST(head_has_the_length_but_no_body)
{
	int fd = dial();

	put(fd, "HEAD /p HTTP/1.1\r\nHost: h\r\n\r\n");
	read_until(fd, "\r\n\r\n");
	ck_assert_ptr_nonnull(strcasestr(in, "content-length: 15\r\n"));
	turn(20);
	ck_assert_str_eq(strstr(in, "\r\n\r\n"), "\r\n\r\n");
	put(fd, "GET /p HTTP/1.1\r\nHost: h\r\n\r\n");
	read_until(fd, "GET|/p||0|0||1");
	ck_assert_int_eq(strncmp(in, "HTTP/1.1 200", 12), 0);
	close(fd);
}
END_TEST

START_TEST(an_answer_without_content_keeps_the_connection)
{
	int fd = dial();

	put(fd, "OPTIONS /nothing HTTP/1.1\r\nHost: h\r\n\r\n");
	read_until(fd, "\r\n\r\n");
	ck_assert_int_eq(strncmp(in, "HTTP/1.1 204 No Content", 23), 0);
	ck_assert_ptr_null(strcasestr(in, "content-length"));
	ck_assert_ptr_null(strcasestr(in, "transfer-encoding"));
	put(fd, "OPTIONS /p HTTP/1.1\r\nHost: h\r\n\r\n");
	read_until(fd, "OPTIONS|/p||0|0||1");
	ck_assert_int_eq(strncmp(in, "HTTP/1.1 200", 12), 0);
	close(fd);
}
END_TEST

START_TEST(any_method_reaches_the_handler)
{
	int fd = dial();

	put(fd, "BREW /pot HTTP/1.1\r\nHost: h\r\n\r\n");
	read_until(fd, "BREW|/pot||0|0||1");
	close(fd);
}
END_TEST

START_TEST(bodies_arrive_with_a_length_or_in_chunks)
{
	int fd = dial();

	put(fd, "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel");
	turn(20);
	put(fd, "lo");
	read_until(fd, "POST|/b||1|5|hello|1");
	put(fd, "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
		"\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
	read_until(fd, "POST|/b||1|5|abcde|1");
	put(fd, "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
	read_until(fd, "POST|/b||1|0||1");
	put(fd, "POST /b HTTP/1.1\r\nHost: h\r\n\r\n");
	read_until(fd, "POST|/b||0|0||1");
	close(fd);
}
END_TEST

START_TEST(a_body_that_is_too_long_is_refused)
{
	int fd = dial();

	put(fd, "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n"
		"\r\n");
	read_until(fd, "\r\n\r\n");
	ck_assert_int_eq(strncmp(in, "HTTP/1.1 413 ", 13), 0);
	ck_assert_int_eq(n_requests, 0);
	close(fd);
}
END_TEST

START_TEST(a_body_as_long_as_allowed_is_taken)
{
	static char body[1024 * 1024];
	struct pollfd p = {.events = POLLOUT};
	int fd = dial();

	put(fd, "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n"
		"\r\n");
	memset(body, 'x', sizeof(body));
	p.fd = fd;
	for (size_t sent = 0; sent < sizeof(body);) {
		uv_run(&loop, UV_RUN_NOWAIT);
		if (poll(&p, 1, 1) > 0) {
			ssize_t n = send(fd, body + sent, sizeof(body) - sent,
					 MSG_DONTWAIT | MSG_NOSIGNAL);

			ck_assert_int_gt(n, 0);
			sent += (size_t)n;
		}
	}
	read_until(fd, "POST|/b||1|1048576||1");
	close(fd);
}
END_TEST

START_TEST(a_path_that_is_too_long_is_refused)
{
	static char path[9000];
	int fd = dial();

	memset(path, 'a', sizeof(path) - 1);
	put(fd, "GET /");
	put(fd, path);
	put(fd, " HTTP/1.1\r\nHost: h\r\n\r\n");
	read_until(fd, "too long");
	ck_assert_int_eq(strncmp(in, "HTTP/1.1 414 ", 13), 0);
	ck_assert_int_eq(n_requests, 0);
	close(fd);
}
END_TEST

START_TEST(a_slow_client_is_closed)
{
	int64_t from_ms = mt_clock_ms();
	int silent = dial(), slow = dial();

	put(slow, "GET / HTTP/1.1\r\nHo");
	read_to_the_end(slow);
	read_to_the_end(silent);
	ck_assert_int_ge(mt_clock_ms() - from_ms, 250);
	ck_assert_int_le(mt_clock_ms() - from_ms, 1500);
	ck_assert_int_eq(n_requests, 0);
	close(silent);
	close(slow);
}
END_TEST

static const struct mt_http_answer late = {
    .status = 202,
    .type = "text/html",
    .body = "late",
    .body_bytes = 4,
};

START_TEST(an_answer_may_come_later_than_the_request_timeout)
{
	int fd = dial();

	put(fd, "POST /keep HTTP/1.1\r\nHost: h\r\n"
		"Content-Length: 2\r\n\r\n{}");
	turn(400);
	ck_assert_ptr_nonnull(kept);
	ck_assert_uint_eq(kept->body_bytes, 2);
	mt_http_respond(kept, &late);
	read_until(fd, "late");
	ck_assert_ptr_nonnull(strstr(in, "202 Accepted"));
	ck_assert_int_eq(n_gone, 0);
	close(fd);
}
END_TEST

START_TEST(a_late_answer_to_a_client_that_left_does_no_harm)
{
	int fd = dial();

	put(fd, "GET /keep HTTP/1.1\r\nHost: h\r\n\r\n");
	turn(30);
	ck_assert_ptr_nonnull(kept);
	close(fd);
	turn(30);
	if (kept != NULL)
		mt_http_respond(kept, &late);
	turn(30);
	fd = dial();
	put(fd, "GET /p HTTP/1.1\r\nHost: h\r\n\r\n");
	read_until(fd, "GET|/p");
	close(fd);
}
END_TEST

START_TEST(closing_ends_kept_requests_and_idle_connections)
{
	int idle = dial(), waits = dial();
	int64_t from_ms = mt_clock_ms();

	put(idle, "GET /p HTTP/1.1\r\nHost: h\r\n\r\n");
	read_until(idle, "GET|/p");
	put(waits, "GET /keep HTTP/1.1\r\nHost: h\r\n\r\n");
	turn(30);
	ck_assert_ptr_nonnull(kept);
	mt_http_close(server, on_closed, &closed);
	server = NULL;
	ck_assert_int_eq(n_gone, 1);
	ck_assert_ptr_null(kept);
	read_to_the_end(waits);
	ck_assert_int_eq(strncmp(in, "HTTP/1.1 503 ", 13), 0);
	read_to_the_end(idle);
	ck_assert_uint_eq(n_in, 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert(closed);
	ck_assert_int_le(mt_clock_ms() - from_ms, 1000);
	close(idle);
	close(waits);
}
END_TEST

START_TEST(a_port_in_use_is_said_and_nothing_stays_open)
{
	struct mt_http_options options = {.host = "127.0.0.1"};
	struct mt_http_server *second = NULL;
	struct mt_err err;

	options.port = mt_http_port(server);
	ck_assert_int_eq(
	    mt_http_start(&second, &loop, &options, on_request, NULL, &err),
	    MT_ESYS);
	ck_assert_ptr_null(second);
	ck_assert_ptr_nonnull(strstr(err.text, "could not listen on "
					       "\"127.0.0.1:"));
	options.host = "no.such.host.invalid";
	ck_assert_int_eq(
	    mt_http_start(&second, &loop, &options, on_request, NULL, &err),
	    MT_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "could not look up"));
}
END_TEST

static const char *const hosts[] = {NULL, "", "*", "0.0.0.0", "localhost"};

START_TEST(a_wildcard_or_a_name_serves_ipv4)
{
	struct mt_http_options options = {.host = hosts[_i]};
	int fd;

	setup_with(&options);
	fd = dial();
	put(fd, "GET /p HTTP/1.1\r\nHost: h\r\n\r\n");
	read_until(fd, "GET|/p");
	close(fd);
	teardown();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("server");
	TCase *tc = tcase_create("served"), *hosts_tc = tcase_create("hosts");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_connection_is_kept_and_answers_have_lengths);
	tcase_add_test(tc, an_old_client_gets_an_answer_and_the_end);
	tcase_add_test(tc, head_has_the_length_but_no_body);
	tcase_add_test(tc, an_answer_without_content_keeps_the_connection);
	tcase_add_test(tc, any_method_reaches_the_handler);
	tcase_add_test(tc, bodies_arrive_with_a_length_or_in_chunks);
	tcase_add_test(tc, a_body_that_is_too_long_is_refused);
	tcase_add_test(tc, a_body_as_long_as_allowed_is_taken);
	tcase_add_test(tc, a_path_that_is_too_long_is_refused);
	tcase_add_test(tc, a_slow_client_is_closed);
	tcase_add_test(tc, an_answer_may_come_later_than_the_request_timeout);
	tcase_add_test(tc, a_late_answer_to_a_client_that_left_does_no_harm);
	tcase_add_test(tc, closing_ends_kept_requests_and_idle_connections);
	tcase_add_test(tc, a_port_in_use_is_said_and_nothing_stays_open);
	tcase_add_loop_test(hosts_tc, a_wildcard_or_a_name_serves_ipv4, 0,
			    (int)MT_COUNT(hosts));
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, hosts_tc);
	return run_suite(suite);
}
