/* SPDX-License-Identifier: PostgreSQL */
/* The agent check over sockets, of a node made up in memory. */
#include "fake.h"
#include "test/unit/run.h"

static uint16_t port;
/* An address of the loopback that no other test uses: ports there stay free. */
static char host[32];
static in_addr_t address;

/* A port that was free a moment ago. */
static uint16_t
free_port(void)
{
	struct sockaddr_in at = {
	    .sin_family = AF_INET,
	    .sin_addr.s_addr = address,
	};
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	close(fd);
	return ntohs(at.sin_port);
}

/* A connection, or -1 if nobody listens. */
static int
dial(uint16_t at_port)
{
	struct sockaddr_in to = {
	    .sin_family = AF_INET,
	    .sin_port = htons(at_port),
	    .sin_addr.s_addr = address,
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
until_listening(uint16_t at_port)
{
	int64_t end_ms = mt_clock_ms() + 20000;
	int fd;

	while ((fd = dial(at_port)) < 0) {
		ck_assert_msg(mt_clock_ms() < end_ms, "nobody listens");
		turn(1);
	}
	return fd;
}

/* 0 = off */
static void
configure(const char *at, uint16_t at_port)
{
	struct mt_addr *a = &fake.conf.restapi.agent_check;

	mt_copy(a->host, sizeof(a->host), at);
	a->port = at_port;
	mt_api_reloaded(fake.api);
}

/* All that comes until the end of the connection. */
static const char *
rest(int fd)
{
	(void)read_all(fd);
	return answer;
}

static const char *
says(uint16_t at_port, const char *line)
{
	int fd = until_listening(at_port);

	ck_assert_int_eq(send(fd, line, strlen(line), MSG_NOSIGNAL),
			 (ssize_t)strlen(line));
	return rest(fd);
}

static void
setup(void)
{
	fake_setup();
	mt_format(host, sizeof(host), "127.97.%d.%d", getpid() / 250 % 250,
		  getpid() % 250 + 1);
	address = inet_addr(host);
	port = free_port();
	configure(host, port);
}

START_TEST(each_role_has_its_answer)
{
	ck_assert_str_eq(says(port, "primary\n"), "up\n");
	ck_assert_str_eq(says(port, "replica\r\n"), "down #not a replica\n");
	fake_local(false);
	ck_assert_str_eq(says(port, "primary\n"), "down #not the primary\n");
	ck_assert_str_eq(says(port, "replica lag=16MB\n"), "up 99%\n");
	fake.local.stopping = true;
	ck_assert_str_eq(says(port, "replica\n"), "up 0%\n");
}
END_TEST

START_TEST(a_lease_that_has_ended_is_down)
{
	fake.local.deadline_ms = mt_clock_ms();
	ck_assert_str_eq(says(port, "primary\n"), "down #no valid lease\n");
}
END_TEST

START_TEST(who_sends_nothing_asks_for_the_primary)
{
	int64_t began_ms = mt_clock_ms();
	int fd;

	ck_assert_str_eq(says(port, ""), "up\n");
	/* long enough for a line that was lost once, and sent again */
	ck_assert_int_ge(mt_clock_ms() - began_ms, 450);
	fd = until_listening(port);
	began_ms = mt_clock_ms();
	shutdown(fd, SHUT_WR);
	ck_assert_str_eq(rest(fd), "up\n");
	ck_assert_int_lt(mt_clock_ms() - began_ms, 400);
}
END_TEST

START_TEST(an_end_of_the_stream_ends_the_line)
{
	int fd = until_listening(port);

	ck_assert_int_eq(send(fd, "replica", 7, 0), 7);
	shutdown(fd, SHUT_WR);
	ck_assert_str_eq(rest(fd), "down #not a replica\n");
}
END_TEST

START_TEST(a_line_may_come_in_pieces)
{
	int fd = until_listening(port);

	ck_assert_int_eq(send(fd, "repl", 4, 0), 4);
	turn(20);
	ck_assert_int_eq(send(fd, "ica\nmore\n", 9, 0), 9);
	ck_assert_str_eq(rest(fd), "down #not a replica\n");
}
END_TEST

START_TEST(half_a_line_is_no_question)
{
	ck_assert_str_eq(says(port, "primary"),
			 "down #the request has no line end\n");
}
END_TEST

START_TEST(a_long_line_is_told_so)
{
	char text[4096];

	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_str_eq(says(port, text), "down #the request is too long\n");
}
END_TEST

START_TEST(too_many_at_once_are_closed)
{
	int fds[200], closed = 0;
	char byte;

	for (size_t i = 0; i < MT_COUNT(fds); i++) {
		fds[i] = until_listening(port);
		turn(1);
	}
	for (size_t i = 0; i < MT_COUNT(fds); i++) {
		/* answered after its deadline, or closed without a word */
		ssize_t n = recv(fds[i], &byte, 1, MSG_DONTWAIT);

		closed += n == 0;
		close(fds[i]);
	}
	ck_assert_int_gt(closed, 0);
	turn(30);
	ck_assert_str_eq(says(port, "primary\n"), "up\n");
}
END_TEST

START_TEST(who_does_not_read_is_left_after_a_while)
{
	int fd = until_listening(port);
	int64_t end_ms = mt_clock_ms() + 20000;

	ck_assert_int_eq(send(fd, "primary\n", 8, 0), 8);
	/* it neither reads nor closes, and still sends */
	turn(100);
	while (send(fd, "x", 1, MSG_NOSIGNAL) == 1) {
		ck_assert(mt_clock_ms() < end_ms);
		turn(5);
	}
	close(fd);
}
END_TEST

START_TEST(a_reload_opens_moves_and_closes_it)
{
	uint16_t other = free_port();
	int fd = until_listening(port);

	turn(5);
	configure("*", other);
	/* who was connected is answered */
	ck_assert_int_eq(send(fd, "primary\n", 8, 0), 8);
	ck_assert_str_eq(rest(fd), "up\n");
	ck_assert_str_eq(says(other, "primary\n"), "up\n");
	ck_assert_int_lt(dial(port), 0);
	configure(host, other); /* the same port */
	ck_assert_str_eq(says(other, "primary\n"), "up\n");
	configure("", 0);
	ck_assert_int_lt(dial(other), 0);
}
END_TEST

START_TEST(a_port_that_is_taken_is_tried_again)
{
	struct sockaddr_in at = {
	    .sin_family = AF_INET,
	    .sin_addr.s_addr = address,
	};
	uint16_t other = free_port();
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_port = htons(other);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	configure(host, other);
	turn(50);
	close(fd);
	ck_assert_str_eq(says(other, "primary\n"), "up\n");
}
END_TEST

START_TEST(the_status_tells_where_it_listens)
{
	char want[64];
	json_t *doc;

	close(until_listening(port));
	mt_format(want, sizeof(want), "%s:%u", host, (unsigned int)port);
	doc = ask_json("/patroni");
	ck_assert_str_eq(json_string_value(json_object_get(
			     json_object_get(doc, "matriarch"), "agent_check")),
			 want);
	json_decref(doc);
	configure("", 0);
	doc = ask_json("/patroni");
	ck_assert_ptr_null(
	    json_object_get(json_object_get(doc, "matriarch"), "agent_check"));
	json_decref(doc);
}
END_TEST

/* The fixture's end checks that nothing is left. */
START_TEST(the_end_waits_for_nobody)
{
	int fd = until_listening(port), second = until_listening(port);

	turn(5);
	ck_assert_int_eq(send(second, "primary\n", 8, 0), 8);
	turn(5);
	configure("localhost", free_port()); /* a look-up under way */
	mt_api_close(fake.api, fake_closed, &fake);
	fake.api = NULL;
	uv_run(&fake.loop, UV_RUN_DEFAULT);
	close(fd);
	close(second);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("agent_check");
	TCase *tc = tcase_create("agent_check");

	tcase_add_checked_fixture(tc, setup, fake_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, each_role_has_its_answer);
	tcase_add_test(tc, a_lease_that_has_ended_is_down);
	tcase_add_test(tc, who_sends_nothing_asks_for_the_primary);
	tcase_add_test(tc, an_end_of_the_stream_ends_the_line);
	tcase_add_test(tc, a_line_may_come_in_pieces);
	tcase_add_test(tc, half_a_line_is_no_question);
	tcase_add_test(tc, a_long_line_is_told_so);
	tcase_add_test(tc, too_many_at_once_are_closed);
	tcase_add_test(tc, who_does_not_read_is_left_after_a_while);
	tcase_add_test(tc, a_reload_opens_moves_and_closes_it);
	tcase_add_test(tc, a_port_that_is_taken_is_tried_again);
	tcase_add_test(tc, the_status_tells_where_it_listens);
	tcase_add_test(tc, the_end_waits_for_nobody);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
