/* SPDX-License-Identifier: PostgreSQL */
/*
 * Answers without an end, over real sockets on loopback. Client and server
 * share one thread: the loop turns until the client has what it waits for.
 */
#include "http/stream.h"

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "test/unit/run.h"

#define PATIENCE_MS 20000
#define ANSWER_MS 400 /* for the client to take an answer that has an end */

static uv_loop_t loop;
static struct mt_http_server *server;
static struct mt_http_stream *stream;
static int n_ready, n_gone;
static bool closed;
static char in[65536];
static size_t n_in;

static void
on_ready(void *arg)
{
	ck_assert_ptr_eq(arg, &stream);
	n_ready++;
}

static void
on_gone(void *arg)
{
	ck_assert_ptr_eq(arg, &stream);
	stream = NULL;
	n_gone++;
}

static void
on_request(void *arg, struct mt_http_request *r)
{
	static const char *const headers[] = {"x-one", "1", "x-two", "2", NULL};
	const char *word = mt_http_header(r, "x-word");
	const struct mt_http_answer answer = {
	    .status = 200,
	    .type = "text/event-stream",
	    .body = "begin",
	    .body_bytes = 5,
	    .header = "x-word",
	    .value = word == NULL ? "none" : word,
	    .headers = headers,
	};
	const struct mt_http_stream_owner owner = {
	    .arg = &stream,
	    .ready = on_ready,
	    .gone = on_gone,
	};
	bool head = mt_streq(r->method, "HEAD");

	(void)arg;
	if (mt_streq(r->path, "/plain")) {
		mt_http_respond(r, &answer);
		return;
	}
	stream = mt_http_stream_begin(r, &answer, &owner);
	ck_assert_int_eq(mt_http_stream_is_ready(stream), head);
	if (head)
		mt_http_stream_end(stream);
}

static void
on_closed(void *arg)
{
	(void)arg;
	closed = true;
}

static void
setup(void)
{
	const struct mt_http_options options = {
	    .host = "127.0.0.1",
	    .answer_timeout_ms = ANSWER_MS,
	};
	struct mt_err err;

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	n_ready = n_gone = 0;
	stream = NULL;
	closed = false;
	ck_assert_int_eq(
	    mt_http_start(&server, &loop, &options, on_request, NULL, &err), 0);
}

static void
teardown(void)
{
	if (server != NULL)
		mt_http_close(server, on_closed, NULL);
	server = NULL;
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert(closed);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}

static int
ask(const char *text)
{
	struct sockaddr_in to = {
	    .sin_family = AF_INET,
	    .sin_port = htons(mt_http_port(server)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL),
			 (ssize_t)strlen(text));
	n_in = 0;
	in[0] = '\0';
	return fd;
}

static void
turn(void)
{
	uv_run(&loop, UV_RUN_NOWAIT);
	poll(NULL, 0, 1);
}

static void
until_ready(void)
{
	int64_t end_ms = mt_clock_ms() + PATIENCE_MS;

	while (stream == NULL || !mt_http_stream_is_ready(stream)) {
		ck_assert(mt_clock_ms() < end_ms);
		turn();
	}
}

/* Read until this was read; NULL: to the end. */
static void
read_until(int fd, const char *text)
{
	int64_t end_ms = mt_clock_ms() + PATIENCE_MS;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n = 1;

	while (n > 0 && (text == NULL || strstr(in, text) == NULL)) {
		ck_assert_msg(mt_clock_ms() < end_ms, "got only: %s", in);
		uv_run(&loop, UV_RUN_NOWAIT);
		if (poll(&p, 1, 1) == 0)
			continue;
		n = recv(fd, in + n_in, sizeof(in) - 1 - n_in, 0);
		n_in += n > 0 ? (size_t)n : 0;
		in[n_in] = '\0';
	}
	ck_assert_msg(text == NULL || n > 0, "ended after: %s", in);
}

START_TEST(pieces_come_when_they_are_written_and_the_end_keeps_the_connection)
{
	int fd = ask("GET / HTTP/1.1\r\nHost: h\r\nX-Word: yes\r\n\r\n");

	read_until(fd, "5\r\nbegin\r\n");
	ck_assert_ptr_nonnull(strstr(in, "HTTP/1.1 200 OK\r\n"));
	ck_assert_ptr_nonnull(strstr(in, "transfer-encoding: chunked\r\n"));
	ck_assert_ptr_nonnull(strstr(in, "content-type: text/event-stream"));
	ck_assert_ptr_nonnull(strstr(in, "x-word: yes\r\n"));
	ck_assert_ptr_nonnull(strstr(in, "x-one: 1\r\n"));
	ck_assert_ptr_nonnull(strstr(in, "x-two: 2\r\n"));
	until_ready();
	mt_http_stream_write(stream, "first", 5);
	ck_assert(!mt_http_stream_is_ready(stream));
	read_until(fd, "5\r\nfirst\r\n");
	until_ready();
	mt_http_stream_write(stream, "second", 6);
	mt_http_stream_end(stream);
	read_until(fd, "6\r\nsecond\r\n0\r\n\r\n");
	ck_assert_int_eq(n_ready, 2);
	ck_assert_int_eq(n_gone, 0);
	ck_assert_int_eq(send(fd, "GET /plain HTTP/1.1\r\nHost: h\r\n\r\n", 32,
			      MSG_NOSIGNAL),
			 32);
	read_until(fd, "x-word: none\r\n");
	close(fd);
}
END_TEST

START_TEST(a_stream_lasts_longer_than_an_answer_may)
{
	int fd = ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	int64_t end_ms = mt_clock_ms() + 2 * ANSWER_MS;

	while (mt_clock_ms() < end_ms)
		turn();
	ck_assert_int_eq(n_gone, 0);
	until_ready();
	mt_http_stream_write(stream, "late", 4);
	read_until(fd, "4\r\nlate\r\n");
	close(fd);
}
END_TEST

START_TEST(an_old_client_gets_plain_bytes_and_the_end)
{
	int fd = ask("GET / HTTP/1.0\r\n\r\n");

	until_ready();
	mt_http_stream_write(stream, "first", 5);
	read_until(fd, "\r\n\r\nbeginfirst");
	until_ready();
	mt_http_stream_end(stream);
	read_until(fd, NULL);
	ck_assert_ptr_null(strstr(in, "chunked"));
	ck_assert_str_eq(strstr(in, "\r\n\r\n"), "\r\n\r\nbeginfirst");
	close(fd);
}
END_TEST

START_TEST(head_has_no_body)
{
	int fd = ask("HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");

	read_until(fd, NULL);
	ck_assert_ptr_nonnull(strstr(in, "content-type: text/event-stream"));
	ck_assert_str_eq(strstr(in, "\r\n\r\n"), "\r\n\r\n");
	close(fd);
}
END_TEST

START_TEST(a_client_that_left_is_noticed_by_what_is_written)
{
	int fd = ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	int64_t end_ms = mt_clock_ms() + PATIENCE_MS;

	until_ready();
	close(fd);
	while (stream != NULL) {
		ck_assert(mt_clock_ms() < end_ms);
		if (mt_http_stream_is_ready(stream))
			mt_http_stream_write(stream, ":\n\n", 3);
		turn();
	}
	ck_assert_int_eq(n_gone, 1);
}
END_TEST

/* Write to a client that does not read, until nothing goes any more. */
static void
fill(void)
{
	static char piece[16384];
	int64_t since_ms = mt_clock_ms();

	memset(piece, 'x', sizeof(piece));
	while (mt_clock_ms() - since_ms < 200) {
		if (mt_http_stream_is_ready(stream)) {
			mt_http_stream_write(stream, piece, sizeof(piece));
			since_ms = mt_clock_ms();
		}
		turn();
	}
}

START_TEST(who_does_not_read_is_not_ready_and_may_be_cut)
{
	int fd = ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");

	until_ready();
	fill();
	ck_assert(!mt_http_stream_is_ready(stream));
	mt_http_stream_cut(stream);
	read_until(fd, NULL);
	ck_assert_int_eq(n_gone, 0);
	close(fd);
}
END_TEST

START_TEST(closing_the_server_ends_a_stream_whether_it_is_read_or_not)
{
	int fd = ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	int64_t from_ms;

	until_ready();
	if (_i == 1)
		fill();
	from_ms = mt_clock_ms();
	if (_i == 2)
		mt_http_stream_end(stream);
	mt_http_close(server, on_closed, NULL);
	server = NULL;
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert(closed);
	/* ended by its owner it does not wait for the second of grace */
	if (_i == 2)
		ck_assert_int_lt(mt_clock_ms() - from_ms, 900);
	ck_assert_int_eq(n_gone, _i == 2 ? 0 : 1);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("stream");
	TCase *tc = tcase_create("stream");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(
	    tc,
	    pieces_come_when_they_are_written_and_the_end_keeps_the_connection);
	tcase_add_test(tc, a_stream_lasts_longer_than_an_answer_may);
	tcase_add_test(tc, an_old_client_gets_plain_bytes_and_the_end);
	tcase_add_test(tc, head_has_no_body);
	tcase_add_test(tc, a_client_that_left_is_noticed_by_what_is_written);
	tcase_add_test(tc, who_does_not_read_is_not_ready_and_may_be_cut);
	tcase_add_loop_test(
	    tc, closing_the_server_ends_a_stream_whether_it_is_read_or_not, 0,
	    3);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
