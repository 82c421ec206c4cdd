/* SPDX-License-Identifier: PostgreSQL */
/*
 * The HTTP server's limits, with clients that hold connections, drip bytes,
 * send much or read nothing. Each limit is set low by the options.
 */
#include <check.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tls.h"
#include "talk.h"
#include "test/unit/http/certs.h"
#include "test/unit/run.h"

#define MANY "127.0.0.2"
#define FEW "127.0.0.3"
#define OTHER "127.0.0.4"

#define BODY_BYTES 900000

static char body[BODY_BYTES];

/* A connection that was served once and is idle now. */
static int
idle(const char *from)
{
	int fd = talk_dial(from);

	talk_put(fd, "GET /idle HTTP/1.1\r\nHost: h\r\n\r\n");
	talk_until(fd, "GET|/idle");
	return fd;
}

static void
still_served(int fd)
{
	talk_put(fd, "GET /again HTTP/1.1\r\nHost: h\r\n\r\n");
	talk_until(fd, "GET|/again");
}

static void
until_closed(int fd)
{
	int64_t end_ms = mt_clock_ms() + 10000;

	while (!talk_is_closed(fd)) {
		ck_assert_msg(mt_clock_ms() < end_ms, "it stays open");
		talk_turn(1);
	}
	close(fd);
}

/* ---- room ------------------------------------------------------------- */

START_TEST(a_new_client_takes_the_place_of_who_waits_longest)
{
	const struct mt_http_options o = {.connections_max = 4,
					  .address_max = 4};
	int fd[4];

	talk_start(&o);
	for (int i = 0; i < 4; i++)
		fd[i] = idle(MANY);
	still_served(fd[0]); /* so it is the second that waits longest */
	ck_assert(talk_check(MANY));
	until_closed(fd[1]);
	ck_assert(!talk_is_closed(fd[2]));
	still_served(fd[0]);
	still_served(fd[2]);
	still_served(fd[3]);
	talk_end();
}
END_TEST

/* whether he came before them or after */
START_TEST(who_has_many_goes_before_who_has_few)
{
	const struct mt_http_options o = {.connections_max = 4,
					  .address_max = 4};
	int few = -1, many[3];

	talk_start(&o);
	if (_i == 0)
		few = idle(FEW);
	for (int i = 0; i < 3; i++)
		many[i] = idle(MANY);
	if (_i == 1)
		few = idle(FEW);
	ck_assert(talk_check(OTHER));
	until_closed(many[0]);
	still_served(few);
	still_served(many[1]);
	talk_end();
}
END_TEST

START_TEST(a_full_address_pushes_nobody_else_out)
{
	const struct mt_http_options o = {.connections_max = 100,
					  .address_max = 2};
	int few, many[2];

	talk_start(&o);
	few = idle(FEW);
	for (int i = 0; i < 2; i++) {
		many[i] = talk_dial(MANY);
		talk_put(many[i], "GET /keep HTTP/1.1\r\nHost: h\r\n\r\n");
	}
	talk_turn(10);
	ck_assert_int_eq(talk_n_kept, 2);
	until_closed(talk_dial(MANY));
	still_served(few);
	talk_end();
}
END_TEST

START_TEST(an_address_has_its_share_and_no_more)
{
	const struct mt_http_options o = {.connections_max = 100,
					  .address_max = 2};
	int few, many[3];

	talk_start(&o);
	few = idle(FEW);
	for (int i = 0; i < 3; i++)
		many[i] = idle(MANY);
	until_closed(many[0]);
	still_served(few);
	still_served(many[1]);
	still_served(many[2]);
	talk_end();
}
END_TEST

START_TEST(with_tls_there_is_room_for_half_as_many)
{
	const struct mt_http_options o = {.connections_max = 100,
					  .address_max = 4,
					  .head_timeout_ms = 60000,
					  .request_timeout_ms = 60000};
	struct mt_tls_files files = {.section = "restapi"};
	struct mt_tls *tls = NULL;
	struct mt_err err;
	int fd[3];

	certs_make("one", NULL, 30);
	files.certfile = certs_path("one.pem");
	ck_assert_msg(mt_tls_new(&tls, &files, NULL, &err) == 0, "%s",
		      err.text);
	talk_start(&o);
	mt_http_secure(talk_server, tls);
	mt_tls_free(tls);
	/* They begin a handshake and go no further. */
	for (int i = 0; i < 3; i++) {
		fd[i] = talk_dial(MANY);
		talk_put_bytes(fd[i], "\x16\x03\x01\x02\x00", 5);
		talk_turn(1);
	}
	until_closed(fd[0]);
	ck_assert(!talk_is_closed(fd[1]));
	ck_assert(!talk_is_closed(fd[2]));
	talk_end();
	certs_remove();
}
END_TEST

START_TEST(who_is_being_answered_is_left_alone)
{
	const struct mt_http_options o = {.connections_max = 2,
					  .address_max = 2};
	int a, b, c;

	talk_start(&o);
	a = talk_dial(MANY);
	talk_put(a, "GET /keep HTTP/1.1\r\nHost: h\r\n\r\n");
	b = talk_dial(MANY);
	talk_put(b, "GET /keep HTTP/1.1\r\nHost: h\r\n\r\n");
	talk_turn(10);
	ck_assert_int_eq(talk_n_kept, 2);
	c = talk_dial(OTHER);
	until_closed(c);
	for (int i = 0; i < 2; i++)
		mt_http_respond(talk_kept[i],
				&(struct mt_http_answer){.status = 200,
							 .body = "kept",
							 .body_bytes = 4});
	talk_until(a, "kept");
	talk_until(b, "kept");
	ck_assert(talk_check(OTHER));
	talk_end();
}
END_TEST

/* As if the daemon may open 64: half of them are for clients, of one address a
 * quarter of those. */
START_TEST(the_default_is_what_the_descriptors_allow)
{
	const struct mt_http_options o = {0};
	struct rlimit files;
	int fd[9];

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = 64;
	setrlimit(RLIMIT_NOFILE, &files);
	talk_start(&o);
	for (int i = 0; i < 9; i++)
		fd[i] = idle(MANY);
	until_closed(fd[0]);
	for (int i = 1; i < 9; i++)
		still_served(fd[i]);
	talk_end();
}
END_TEST

/* few: as many as are open, so that libuv can use the one it kept; or none at
 * all, as if another thread had taken that. */
static const int few_files[] = {0, 3};

START_TEST(without_descriptors_the_loop_does_not_spin)
{
	const struct mt_http_options o = {0};
	struct pollfd ready = {.events = POLLIN};
	struct rlimit files, few;
	int fd;

	talk_start(&o);
	ck_assert(talk_check(MANY));
	fd = talk_dial(MANY);
	getrlimit(RLIMIT_NOFILE, &files);
	few = files;
	few.rlim_cur = few_files[_i] > 0 ? (rlim_t)few_files[_i] : (rlim_t)fd;
	setrlimit(RLIMIT_NOFILE, &few);
	until_closed(fd);
	talk_turn(5);
	ready.fd = uv_backend_fd(&talk_loop);
	ck_assert_int_eq(poll(&ready, 1, 0), 0);
	setrlimit(RLIMIT_NOFILE, &files);
	talk_turn(500);
	ck_assert(talk_check(MANY));
	talk_end();
}
END_TEST

START_TEST(a_turn_of_the_loop_accepts_some_and_no_flood)
{
	const struct mt_http_options o = {.connections_max = 1000,
					  .address_max = 1000};
	int fd[200];

	talk_start(&o);
	for (int i = 0; i < 200; i++) {
		fd[i] = talk_dial(MANY);
		ck_assert_int_gt(send(fd[i], "GET / HTTP/1.0\r\n\r\n", 18, 0),
				 0);
	}
	for (int i = 1; i < 4; i++) {
		uv_run(&talk_loop, UV_RUN_NOWAIT);
		ck_assert_int_le(talk_n_requests, i * 32);
	}
	talk_turn(30);
	ck_assert_int_eq(talk_n_requests, 200);
	talk_end();
}
END_TEST

/* ---- time ------------------------------------------------------------- */

/* What is bounded from above here is bounded by the defaults, which are far
 * away: a busy machine is late, and never early. */

/* A byte now and then, until the server has enough. Returns how long. */
static int64_t
drip(int fd)
{
	int64_t from_ms = mt_clock_ms();

	while (!talk_is_closed(fd)) {
		ck_assert_int_lt(mt_clock_ms() - from_ms, 10000);
		(void)send(fd, "x", 1, MSG_NOSIGNAL);
		talk_turn(20);
	}
	close(fd);
	return mt_clock_ms() - from_ms;
}

START_TEST(a_head_is_complete_in_time_or_never)
{
	const struct mt_http_options o = {.head_timeout_ms = 300};
	int64_t ms;
	int fd;

	talk_start(&o);
	fd = talk_dial(MANY);
	talk_put(fd, "GET / HTTP/1.1\r\nHost: ");
	ms = drip(fd);
	ck_assert_int_ge(ms, 250);
	/* The second on a connection has as long as the first. */
	fd = idle(MANY);
	talk_turn(400);
	ck_assert(!talk_is_closed(fd));
	talk_put(fd, "GET / HTTP/1.1\r\nHost: ");
	ms = drip(fd);
	ck_assert_int_ge(ms, 250);
	ck_assert_int_eq(talk_n_requests, 1);
	talk_end();
}
END_TEST

START_TEST(who_says_nothing_at_all_goes_as_early)
{
	const struct mt_http_options o = {.head_timeout_ms = 300};
	int64_t from_ms = mt_clock_ms();

	talk_start(&o);
	until_closed(talk_dial(MANY));
	ck_assert_int_ge(mt_clock_ms() - from_ms, 250);
	talk_end();
}
END_TEST

START_TEST(a_body_has_longer_than_a_head_but_not_for_ever)
{
	const struct mt_http_options o = {.head_timeout_ms = 300,
					  .request_timeout_ms = 1200};
	int64_t ms;
	int fd;

	talk_start(&o);
	fd = talk_dial(MANY);
	talk_put(fd, "PUT / HTTP/1.1\r\nHost: h\r\n"
		     "Content-Length: 5000\r\n\r\n");
	ms = drip(fd);
	ck_assert_int_ge(ms, 1100);
	ck_assert_int_eq(talk_n_requests, 0);
	talk_end();
}
END_TEST

START_TEST(an_idle_connection_ends)
{
	const struct mt_http_options o = {.idle_timeout_ms = 700};
	int64_t from_ms;
	int fd;

	talk_start(&o);
	from_ms = mt_clock_ms();
	fd = idle(MANY);
	until_closed(fd);
	ck_assert_int_ge(mt_clock_ms() - from_ms, 650);
	talk_end();
}
END_TEST

START_TEST(who_does_not_take_its_answer_is_cut_off)
{
	const struct mt_http_options o = {.answer_timeout_ms = 500};
	int64_t from_ms;
	size_t bytes = 0;
	int fd, small = 4096;

	talk_start(&o);
	fd = talk_dial(MANY);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	talk_put(fd, "GET /long HTTP/1.1\r\nHost: h\r\n\r\n");
	from_ms = mt_clock_ms();
	talk_turn(300);
	/* A little now and then is not enough. */
	for (int i = 0; i < 40; i++) {
		talk_n = 0;
		talk_turn(20);
		ck_assert_int_lt(mt_clock_ms() - from_ms, 10000);
		if (recv(fd, talk_in, 10, MSG_DONTWAIT) <= 0)
			break;
	}
	ck_assert_int_ge(mt_clock_ms() - from_ms, 450);
	for (ssize_t n = 1; n > 0; bytes += (size_t)n) {
		talk_n = 0;
		n = talk_read(fd, 1000);
		ck_assert_int_ge(n, 0);
	}
	ck_assert_uint_lt(bytes, TALK_LONG_BYTES);
	close(fd);
	talk_end();
}
END_TEST

START_TEST(who_takes_it_gets_it_all)
{
	const struct mt_http_options o = {0};
	size_t bytes = 0;
	int fd;

	talk_start(&o);
	fd = talk_dial(MANY);
	talk_put(fd, "GET /long HTTP/1.0\r\n\r\n");
	for (ssize_t n = 1; n > 0; bytes += (size_t)n) {
		talk_n = 0;
		n = talk_read(fd, 5000);
		ck_assert_int_ge(n, 0);
	}
	ck_assert_uint_gt(bytes, TALK_LONG_BYTES);
	close(fd);
	talk_end();
}
END_TEST

START_TEST(what_came_while_the_process_was_stopped_is_read_first)
{
	const struct mt_http_options o = {.head_timeout_ms = 1000,
					  .request_timeout_ms = 1000,
					  .idle_timeout_ms = 1000};
	int fresh, kept;

	talk_start(&o);
	kept = idle(MANY);
	fresh = talk_dial(FEW);
	talk_turn(5);
	ck_assert_int_gt(send(kept, "GET /a HTTP/1.0\r\n\r\n", 19, 0), 0);
	ck_assert_int_gt(send(fresh, "GET /b HTTP/1.0\r\n\r\n", 19, 0), 0);
	poll(NULL, 0, 1500); /* longer than any deadline here */
	talk_until(kept, "GET|/a");
	talk_until(fresh, "GET|/b");
	talk_end();
}
END_TEST

/* ---- memory and kept requests ----------------------------------------- */

START_TEST(bodies_of_all_have_one_bound)
{
	const struct mt_http_options o = {.buffer_max_bytes = 3 * 1024 * 1024};
	int fd[6], n_ok = 0;

	talk_start(&o);
	memset(body, 'x', sizeof(body));
	for (int i = 0; i < 6; i++) {
		fd[i] = talk_dial(MANY);
		talk_put(fd[i], "PUT /b HTTP/1.1\r\nHost: h\r\n"
				"Content-Length: 900000\r\n\r\n");
		talk_put_bytes(fd[i], body, BODY_BYTES - 1);
	}
	talk_turn(20);
	ck_assert(talk_check(FEW));
	for (int i = 0; i < 6; i++) {
		if (talk_is_closed(fd[i]))
			continue;
		talk_put(fd[i], "x");
		talk_until(fd[i], "PUT|/b||900000");
		n_ok++;
	}
	ck_assert_int_ge(n_ok, 1);
	ck_assert_int_le(n_ok, 3);
	talk_end();
}
END_TEST

START_TEST(requests_that_wait_are_bounded_and_checks_are_not)
{
	static const char keep[] = "POST /keep HTTP/1.1\r\nHost: h\r\n"
				   "Content-Length: 2\r\n\r\n{}";
	const struct mt_http_answer done = {.status = 202};
	const struct mt_http_options o = {.kept_max = 2};
	int fd[4];

	talk_start(&o);
	for (int i = 0; i < 3; i++) {
		fd[i] = talk_dial(MANY);
		talk_put(fd[i], keep);
		talk_turn(5);
	}
	ck_assert_int_eq(talk_n_kept, 2);
	talk_until(fd[2], "too many requests wait");
	ck_assert_int_eq(strncmp(talk_in, "HTTP/1.1 503 ", 13), 0);
	ck_assert(talk_check(FEW));
	mt_http_respond(talk_kept[0], &done);
	talk_until(fd[0], "202 Accepted");
	fd[3] = talk_dial(MANY);
	talk_put(fd[3], keep);
	talk_turn(10);
	ck_assert_int_eq(talk_n_kept, 3);
	talk_end();
	ck_assert_int_eq(talk_n_gone, 2);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("limits");
	TCase *tc = tcase_create("limits");

	mt_log_set_level(MT_LOG_CRITICAL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_new_client_takes_the_place_of_who_waits_longest);
	tcase_add_loop_test(tc, who_has_many_goes_before_who_has_few, 0, 2);
	tcase_add_test(tc, a_full_address_pushes_nobody_else_out);
	tcase_add_test(tc, an_address_has_its_share_and_no_more);
	tcase_add_test(tc, with_tls_there_is_room_for_half_as_many);
	tcase_add_test(tc, who_is_being_answered_is_left_alone);
	tcase_add_test(tc, the_default_is_what_the_descriptors_allow);
	tcase_add_test(tc, a_turn_of_the_loop_accepts_some_and_no_flood);
	tcase_add_test(tc, a_head_is_complete_in_time_or_never);
	tcase_add_test(tc, who_says_nothing_at_all_goes_as_early);
	tcase_add_test(tc, a_body_has_longer_than_a_head_but_not_for_ever);
	tcase_add_test(tc, an_idle_connection_ends);
	tcase_add_test(tc, who_does_not_take_its_answer_is_cut_off);
	tcase_add_test(tc, who_takes_it_gets_it_all);
	tcase_add_test(tc,
		       what_came_while_the_process_was_stopped_is_read_first);
	tcase_add_test(tc, bodies_of_all_have_one_bound);
	tcase_add_test(tc, requests_that_wait_are_bounded_and_checks_are_not);
	tcase_add_loop_test(tc, without_descriptors_the_loop_does_not_spin, 0,
			    (int)MT_COUNT(few_files));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
