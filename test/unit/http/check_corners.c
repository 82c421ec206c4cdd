/* SPDX-License-Identifier: PostgreSQL */
/*
 * The corners of HTTP/1: what old, odd and hostile clients send, byte for byte,
 * and what the server makes of it.
 */
#include <check.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "http/head.h"
#include "talk.h"
#include "test/unit/run.h"

#define H "Host: h\r\n"

static void
setup(void)
{
	const struct mt_http_options o = {.body_max_bytes = 1000};

	talk_start(&o);
}

/* Sent on a connection of its own, of which it is the last request. */
static void
sent(const void *p, size_t n)
{
	int fd = talk_dial("127.0.0.1");

	talk_put_bytes(fd, p, n);
	talk_to_the_end(fd);
	close(fd);
}

#define END H "Connection: close\r\n\r\n"

static const struct understood {
	const char *request, *answer;
} understood[] = {
    /* paths and queries arrive as they are */
    {"GET //leader HTTP/1.1\r\n" END, "GET|//leader||0"},
    {"GET /%6ceader?a=%41 HTTP/1.1\r\n" END, "GET|/%6ceader|a=%41|0"},
    {"GET /a%00b HTTP/1.1\r\n" END, "GET|/a%00b||0"},
    {"GET /a/../b/./c HTTP/1.1\r\n" END, "GET|/a/../b/./c||0"},
    {"GET /a?b?c#d HTTP/1.1\r\n" END, "GET|/a|b?c#d|0"},
    {"GET /? HTTP/1.1\r\n" END, "GET|/||0"},
    {"OPTIONS * HTTP/1.1\r\n" END, "OPTIONS|*||0"},
    /* a proxy's form */
    {"GET http://h:8008/a?b=c HTTP/1.1\r\n" END, "GET|/a|b=c|0"},
    {"GET HTTPS://h/leader HTTP/1.1\r\n" END, "GET|/leader||0"},
    {"GET http://h HTTP/1.1\r\n" END, "GET|/||0"},
    {"GET http://h?lag=1 HTTP/1.1\r\n" END, "GET|/|lag=1|0"},
    /* old ones; no host; line feeds alone; an empty line first */
    {"GET /a HTTP/1.0\r\n\r\n", "GET|/a||0"},
    {"POST /a HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}", "POST|/a||2"},
    {"GET /a HTTP/1.1\r\nConnection: close\r\n\r\n", "GET|/a||0"},
    {"GET /a HTTP/1.0\n\n", "GET|/a||0"},
    {"\r\nGET /a HTTP/1.0\r\n\r\n", "GET|/a||0"},
    /* lengths */
    {"GET /a HTTP/1.1\r\nContent-Length: 3\r\n" END "abc", "GET|/a||3"},
    {"PUT /a HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n" END
     "3;x=y\r\nabc\r\n0\r\nTrailer: t\r\n\r\n",
     "PUT|/a||3"},
};

START_TEST(what_is_meant_is_understood)
{
	const struct understood *u = &understood[_i];

	sent(u->request, strlen(u->request));
	ck_assert_int_eq(strncmp(talk_in, "HTTP/1.1 200 ", 13), 0);
	ck_assert_ptr_nonnull(strstr(talk_in, "\r\n\r\n"));
	ck_assert_str_eq(strstr(talk_in, "\r\n\r\n") + 4, u->answer);
	ck_assert_int_eq(talk_n_requests, 1);
}
END_TEST

/* Of each no part may be served, nor what follows it. */
#define AFTER "GET /smuggled HTTP/1.1\r\n" H "\r\n"

static const struct refused {
	int status;
	const char *request;
} refused[] = {
    /* two lengths */
    {400, "POST /a HTTP/1.1\r\n" H "Content-Length: 3\r\n"
	  "Content-Length: 4\r\n\r\nabc" AFTER},
    {400, "POST /a HTTP/1.1\r\n" H "Content-Length: 3\r\n"
	  "content-length: 3\r\n\r\nabc" AFTER},
    {400, "POST /a HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\nabc" AFTER},
    {400, "POST /a HTTP/1.1\r\n" H "Content-Length: 5\r\n"
	  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" AFTER},
    {400, "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n"
	  "Content-Length: 5\r\n\r\n0\r\n\r\n" AFTER},
    {400, "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n"
	  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" AFTER},
    {400, "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n"
	  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" AFTER},
    /* no length that all agree on */
    {400, "POST /a HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\nabc" AFTER},
    {400, "POST /a HTTP/1.1\r\n" H "Content-Length: -3\r\n\r\nabc" AFTER},
    {400, "POST /a HTTP/1.1\r\n" H "Content-Length: 0x3\r\n\r\nabc" AFTER},
    {400, "POST /a HTTP/1.1\r\n" H "Content-Length:\r\n\r\nabc" AFTER},
    {400, "POST /a HTTP/1.1\r\n" H
	  "Content-Length: 99999999999999999999999\r\n\r\nabc" AFTER},
    {400, "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n\r\nabc" AFTER},
    {400, "POST /a HTTP/1.1\r\n" H
	  "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" AFTER},
    {400, "POST /a HTTP/1.0\r\n" H "Connection: keep-alive\r\n"
	  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" AFTER},
    {400, "POST /a HTTP/1.1\r\n" H "Transfer-Encoding:\r\n chunked\r\n\r\n"
	  "0\r\n\r\n" AFTER},
    {400, "POST /a HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n"
	  "0\r\n\r\n" AFTER},
    {400, "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
	  "zz\r\n\r\n" AFTER},
    {400, "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
	  "fffffffffffffffff\r\n\r\n" AFTER},
    /* no head that all agree on */
    {400, "GET /a HTTP/1.1\r\n" H H "\r\n" AFTER},
    {400, "GET /a HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n" AFTER},
    {400, "GET /a HTTP/1.1\r\n" H ": x\r\n\r\n" AFTER},
    {400, "GET /a HTTP/1.1\r\n" H "x\r\n\r\n" AFTER},
    {400, "GET /a HTTP/1.1\r\n" H "x y: z\r\n\r\n" AFTER},
    {400, "GET /a HTTP/1.1\r\n" H "x: a\rb\r\n\r\n" AFTER},
    {400, "GET  HTTP/1.1\r\n" H "\r\n" AFTER},
    {400, " /a HTTP/1.1\r\n" H "\r\n" AFTER},
    {400, "GET leader HTTP/1.1\r\n" H "\r\n" AFTER},
    {400, "GET * HTTP/1.1\r\n" H "\r\n" AFTER},
    {400, "CONNECT h:1 HTTP/1.1\r\n" H "\r\n" AFTER},
    {400, "GET /a\r\n" AFTER},
    {400, "GET /a HTTP/2.0\r\n" H "\r\n" AFTER},
    {400, "\x16\x03\x01\x02\x01\x01\x01\xfc\x03\x03 hello over there\r\n"},
    {400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" AFTER},
    /* too much */
    {413, "POST /a HTTP/1.1\r\n" H "Content-Length: 1001\r\n\r\n"},
    {413, "POST /a HTTP/1.1\r\n" H "Content-Length: 999999999999\r\n\r\n"},
    {417, "POST /a HTTP/1.1\r\n" H "Expect: tea\r\n"
	  "Content-Length: 1\r\n\r\n"},
};

START_TEST(what_may_be_understood_in_two_ways_is_refused)
{
	const struct refused *r = &refused[_i];
	char line[32];

	sent(r->request, strlen(r->request));
	mt_format(line, sizeof(line), "HTTP/1.1 %d ", r->status);
	ck_assert_msg(strncmp(talk_in, line, strlen(line)) == 0,
		      "not %d but: %s", r->status, talk_in);
	ck_assert_ptr_nonnull(strcasestr(talk_in, "connection: close\r\n"));
	ck_assert_ptr_null(strstr(talk_in, "smuggled"));
	ck_assert_int_eq(talk_n_requests, 0);
}
END_TEST

START_TEST(a_zero_byte_is_refused_wherever_it_stands)
{
	static const char whole[] = "GET /a HTTP/1.1\r\nX: y\r\n\r\n";

	for (size_t i = 0; i + 5 < sizeof(whole); i++) {
		char text[sizeof(whole)];

		memcpy(text, whole, sizeof(whole));
		text[i] = '\0';
		sent(text, sizeof(text) - 1);
		ck_assert_int_eq(strncmp(talk_in, "HTTP/1.1 400 ", 13), 0);
	}
	ck_assert_int_eq(talk_n_requests, 0);
}
END_TEST

/* "GET /aaa... HTTP/1.0" of so many bytes of path */
static void
sent_path(size_t n)
{
	static char text[40000];

	mt_format(text, sizeof(text), "GET /");
	memset(text + 5, 'a', n - 1);
	mt_format(text + 4 + n, 64, " HTTP/1.0\r\n\r\n");
	sent(text, strlen(text));
}

START_TEST(heads_have_bounds_for_path_bytes_and_fields)
{
	static char text[40000];
	size_t n;

	sent_path(8192);
	ck_assert_int_eq(strncmp(talk_in, "HTTP/1.1 200 ", 13), 0);
	sent_path(8193);
	ck_assert_int_eq(strncmp(talk_in, "HTTP/1.1 414 ", 13), 0);
	ck_assert_int_eq(talk_n_requests, 1);
	sent_path(30000);
	ck_assert_int_eq(strncmp(talk_in, "HTTP/1.1 414 ", 13), 0);
	ck_assert_int_eq(talk_n_requests, 1);
	for (int fields = 100; fields <= 101; fields++) {
		mt_format(text, sizeof(text), "GET /a HTTP/1.0\r\n");
		for (int i = 0; i < fields; i++) {
			n = strlen(text);
			mt_format(text + n, sizeof(text) - n, "X: y\r\n");
		}
		n = strlen(text);
		mt_format(text + n, sizeof(text) - n, "\r\n");
		sent(text, strlen(text));
		ck_assert_int_eq(
		    strncmp(talk_in,
			    fields == 100 ? "HTTP/1.1 200 " : "HTTP/1.1 400 ",
			    13),
		    0);
	}
	ck_assert_int_eq(talk_n_requests, 2);
	mt_format(text, sizeof(text), "GET /a HTTP/1.0\r\nX: ");
	n = strlen(text);
	memset(text + n, 'x', 33000);
	mt_format(text + n + 33000, 64, "\r\n\r\n");
	sent(text, strlen(text));
	ck_assert_int_eq(strncmp(talk_in, "HTTP/1.1 431 ", 13), 0);
	/* One that goes on is cut off, whether it says so or not. */
	n = strlen(text) - 4;
	sent(text, n);
	ck_assert_int_eq(talk_n_requests, 2);
}
END_TEST

START_TEST(chunks_without_end_are_refused_when_they_are_too_many)
{
	int fd = talk_dial("127.0.0.1");

	talk_put(fd,
		 "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 100 && !talk_is_closed(fd); i++) {
		talk_put(fd, "14\r\n01234567890123456789\r\n");
		talk_turn(1);
		if (talk_read(fd, 0) >= 0)
			break;
	}
	talk_to_the_end(fd);
	close(fd);
	ck_assert_int_eq(talk_n_requests, 0);
	fd = talk_dial("127.0.0.1");
	talk_put(fd,
		 "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
		 "400\r\n");
	for (int i = 0; i < 1024; i++)
		talk_put(fd, "x");
	talk_to_the_end(fd);
	close(fd);
	ck_assert_int_eq(strncmp(talk_in, "HTTP/1.1 413 ", 13), 0);
}
END_TEST

START_TEST(a_client_that_expects_a_word_gets_it)
{
	int fd = talk_dial("127.0.0.1");

	talk_put(fd, "PUT /a HTTP/1.1\r\n" H "Expect: 100-continue\r\n"
		     "Content-Length: 3\r\n\r\n");
	talk_until(fd, "\r\n\r\n");
	ck_assert_str_eq(talk_in, "HTTP/1.1 100 Continue\r\n\r\n");
	talk_put(fd, "abc");
	talk_until(fd, "PUT|/a||3");
	close(fd);
}
END_TEST

START_TEST(requests_sent_at_once_are_answered_in_order)
{
	const char *at;
	int fd = talk_dial("127.0.0.1");

	talk_put(fd, "GET /1 HTTP/1.1\r\n" H "\r\n"
		     "POST /2 HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\n{}"
		     "PUT /3 HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n"
		     "\r\n1\r\nx\r\n0\r\n\r\n"
		     "GET /4 HTTP/1.1\r\n" END);
	talk_to_the_end(fd);
	close(fd);
	at = strstr(talk_in, "GET|/1||0");
	ck_assert_ptr_nonnull(at);
	at = strstr(at, "POST|/2||2");
	ck_assert_ptr_nonnull(at);
	at = strstr(at, "PUT|/3||1");
	ck_assert_ptr_nonnull(at);
	ck_assert_ptr_nonnull(strstr(at, "GET|/4||0"));
}
END_TEST

START_TEST(a_head_that_comes_byte_by_byte_is_a_head)
{
	static const char text[] = "GET /a?b HTTP/1.1\r\n" END;
	int fd = talk_dial("127.0.0.1");

	for (const char *p = text; *p != '\0'; p++)
		talk_put_bytes(fd, p, 1);
	talk_to_the_end(fd);
	close(fd);
	ck_assert_ptr_nonnull(strstr(talk_in, "GET|/a|b|0"));
}
END_TEST

START_TEST(a_head_without_end_is_none)
{
	static const char text[] = "\r\nGET / HTTP/1.0\r\nX: y\r\n\r\nbody";
	const char *why;

	for (size_t n = 0; n < sizeof(text) - 6; n++) {
		ck_assert_uint_eq(mt_http_head_bytes(text, n), 0);
		ck_assert_int_eq(mt_http_head_judge(text, n, &why), 400);
	}
	ck_assert_uint_eq(mt_http_head_bytes(text, sizeof(text) - 1),
			  sizeof(text) - 5);
	ck_assert_int_eq(mt_http_head_judge(text, sizeof(text) - 1, &why), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("corners");
	TCase *tc = tcase_create("talk"), *pure = tcase_create("pure");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, talk_end);
	tcase_add_loop_test(tc, what_is_meant_is_understood, 0,
			    (int)MT_COUNT(understood));
	tcase_add_loop_test(tc, what_may_be_understood_in_two_ways_is_refused,
			    0, (int)MT_COUNT(refused));
	tcase_add_test(tc, a_zero_byte_is_refused_wherever_it_stands);
	tcase_add_test(tc, heads_have_bounds_for_path_bytes_and_fields);
	tcase_add_test(tc,
		       chunks_without_end_are_refused_when_they_are_too_many);
	tcase_add_test(tc, a_client_that_expects_a_word_gets_it);
	tcase_add_test(tc, requests_sent_at_once_are_answered_in_order);
	tcase_add_test(tc, a_head_that_comes_byte_by_byte_is_a_head);
	tcase_add_test(pure, a_head_without_end_is_none);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, pure);
	return run_suite(suite);
}
