/* SPDX-License-Identifier: PostgreSQL */
/* See talk.h. */
#include "talk.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

#define TURNS_MIN 5

uv_loop_t talk_loop;
struct mt_http_server *talk_server;
char talk_in[65536];
size_t talk_n;
struct mt_http_request *talk_kept[TALK_KEPT_MAX];
int talk_n_kept, talk_n_gone, talk_n_requests;

static bool closed;
static char long_body[TALK_LONG_BYTES];

static void
on_gone(struct mt_http_request *r)
{
	(void)r;
	talk_n_gone++;
}

static void
on_request(void *arg, struct mt_http_request *r)
{
	char text[16384];
	struct mt_http_answer answer = {
	    .status = 200,
	    .type = "text/html",
	    .body = text,
	};

	ck_assert_ptr_eq(arg, &talk_n_requests);
	talk_n_requests++;
	if (mt_streq(r->path, "/keep")) {
		ck_assert_int_lt(talk_n_kept, TALK_KEPT_MAX);
		talk_kept[talk_n_kept++] = r;
		r->gone = on_gone;
		return;
	}
	mt_format(text, sizeof(text), "%s|%s|%s|%zu", r->method, r->path,
		  r->query, r->body_bytes);
	answer.body_bytes = strlen(text);
	if (mt_streq(r->path, "/long")) {
		answer.body = long_body;
		answer.body_bytes = sizeof(long_body);
	}
	mt_http_respond(r, &answer);
}

static void
on_closed(void *arg)
{
	ck_assert_ptr_eq(arg, &closed);
	closed = true;
}

void
talk_start(const struct mt_http_options *options)
{
	struct mt_http_options o = *options;
	struct mt_err err;
	int rv;

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(uv_loop_init(&talk_loop), 0);
	talk_n_kept = talk_n_gone = talk_n_requests = 0;
	closed = false;
	if (o.host == NULL)
		o.host = "0.0.0.0";
	rv = mt_http_start(&talk_server, &talk_loop, &o, on_request,
			   &talk_n_requests, &err);
	ck_assert_msg(rv == 0, "%s", err.text);
}

void
talk_end(void)
{
	mt_http_close(talk_server, on_closed, &closed);
	uv_run(&talk_loop, UV_RUN_DEFAULT);
	ck_assert(closed);
	ck_assert_int_eq(uv_loop_close(&talk_loop), 0);
}

int
talk_dial(const char *from)
{
	struct sockaddr_in at = {.sin_family = AF_INET}, to = at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(inet_pton(AF_INET, from, &at.sin_addr), 1);
	to.sin_port = htons(mt_http_port(talk_server));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

void
talk_put_bytes(int fd, const void *p, size_t n)
{
	const char *from = p;
	int64_t end_ms = mt_clock_ms() + 20000;

	while (n > 0) {
		ssize_t sent = send(fd, from, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		uv_run(&talk_loop, UV_RUN_NOWAIT);
		ck_assert_msg(mt_clock_ms() < end_ms, "it does not read");
		if (sent < 0 && errno != EAGAIN)
			return; /* it had enough; its answer tells */
		if (sent > 0) {
			from += sent;
			n -= (size_t)sent;
		}
	}
}

void
talk_put(int fd, const char *text)
{
	talk_put_bytes(fd, text, strlen(text));
}

void
talk_turn(int64_t for_ms)
{
	int64_t end_ms = mt_clock_ms() + for_ms;

	for (int i = 0; i < TURNS_MIN || mt_clock_ms() < end_ms; i++) {
		uv_run(&talk_loop, UV_RUN_NOWAIT);
		poll(NULL, 0, 1);
	}
}

ssize_t
talk_read(int fd, int64_t within_ms)
{
	int64_t end_ms = mt_clock_ms() + within_ms;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;

	do {
		uv_run(&talk_loop, UV_RUN_NOWAIT);
		if (poll(&p, 1, 1) == 0)
			continue;
		n = recv(fd, talk_in + talk_n, sizeof(talk_in) - 1 - talk_n, 0);
		if (n < 0)
			n = 0; /* reset counts as closed */
		talk_n += (size_t)n;
		talk_in[talk_n] = '\0';
		return n;
	} while (mt_clock_ms() < end_ms);
	return -1;
}

void
talk_until(int fd, const char *end)
{
	talk_n = 0;
	talk_in[0] = '\0';
	while (strstr(talk_in, end) == NULL)
		ck_assert_msg(talk_read(fd, 10000) > 0, "got only: %s",
			      talk_in);
}

void
talk_to_the_end(int fd)
{
	ssize_t n;

	talk_n = 0;
	talk_in[0] = '\0';
	while ((n = talk_read(fd, 10000)) > 0)
		;
	ck_assert_msg(n == 0, "not closed, got: %s", talk_in);
}

int
talk_check(const char *from)
{
	int fd = talk_dial(from), is_ok;

	talk_put(fd, "GET /check HTTP/1.0\r\n\r\n");
	talk_to_the_end(fd);
	is_ok = strncmp(talk_in, "HTTP/1.1 200 ", 13) == 0;
	close(fd);
	return is_ok;
}

int
talk_is_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN);
}
