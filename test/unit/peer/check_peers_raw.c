/* SPDX-License-Identifier: PostgreSQL */
/*
 * A node and raw sockets that speak for themselves: who comes anew replaces or
 * is refused, and who misbehaves does no harm.
 */
#include <errno.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "nodes.h"
#include "peer/peers_internal.h"
#include "test/unit/run.h"

/* A socket that speaks for itself, without blocking. */
static int
raw_connect(int i)
{
	struct sockaddr_in sa = {
	    .sin_family = AF_INET,
	    .sin_port = htons(nodes[i].port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void
raw_frame(int fd, enum mt_frame_kind kind, const void *payload, size_t n)
{
	uint8_t header[MT_FRAME_HEADER_BYTES];

	mt_frame_put_header(header, kind, n);
	ck_assert_int_eq(send(fd, header, sizeof(header), MSG_NOSIGNAL),
			 (ssize_t)sizeof(header));
	if (n > 0)
		ck_assert_int_eq(send(fd, payload, n, MSG_NOSIGNAL),
				 (ssize_t)n);
}

static void
raw_hello(int fd, const struct mt_hello *h)
{
	uint8_t bytes[MT_HELLO_BYTES_MAX];

	raw_frame(fd, MT_FRAME_HELLO, bytes, mt_hello_encode(h, bytes));
}

/* What the node says until it ends the stream, or until want bytes came. */
static size_t
raw_read(int fd, uint8_t *buf, size_t size, size_t want)
{
	int64_t end_ms = mt_clock_ms() + PATIENCE_MS;
	size_t n = 0;

	while (n < want) {
		ssize_t got;

		ck_assert_int_lt(mt_clock_ms(), end_ms);
		uv_run(&loop, UV_RUN_ONCE);
		got = recv(fd, buf + n, size - n, MSG_DONTWAIT);
		if (got > 0)
			n += (size_t)got;
		else if (got == 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return n;
}

/* The next thing the node says must be a frame of this kind. */
static void
raw_expect(int fd, enum mt_frame_kind kind, struct mt_hello_refuse *r)
{
	uint8_t buf[MT_HELLO_BYTES_MAX + MT_FRAME_HEADER_BYTES];
	size_t n =
	    raw_read(fd, buf, MT_FRAME_HEADER_BYTES, MT_FRAME_HEADER_BYTES);
	struct mt_err err;
	size_t size;

	ck_assert_uint_eq(n, MT_FRAME_HEADER_BYTES);
	ck_assert_int_eq(buf[5], (int)kind);
	size = (size_t)buf[2] << 8 | buf[3];
	ck_assert_uint_eq(raw_read(fd, buf, size, size), size);
	if (r != NULL)
		ck_assert_int_eq(mt_hello_refuse_decode(r, buf, size, &err), 0);
}

static void
raw_expect_end(int fd)
{
	uint8_t buf[256];

	ck_assert_uint_eq(raw_read(fd, buf, sizeof(buf), sizeof(buf)), 0);
	close(fd);
}

/* A hello as node "n2" at an address that node 0 dials. */
static struct mt_hello
n2_hello(uint64_t nonce, uint64_t incarnation)
{
	struct mt_hello h = *mt_peers_hello(nodes[0].peers);
	struct mt_err err;

	ck_assert_int_eq(mt_peers_add(nodes[0].peers, "127.0.0.1", 1, &err), 0);
	mt_copy(h.name, sizeof(h.name), "n2");
	mt_copy(h.addr, sizeof(h.addr), "127.0.0.1:1");
	h.member_id = 2;
	h.nonce = nonce;
	h.incarnation = incarnation;
	h.connection_seq = 1;
	return h;
}

START_TEST(an_equal_incarnation_of_another_process_is_refused)
{
	struct mt_hello_refuse r;
	struct mt_hello h;
	int first, second;

	start(0, "n1");
	h = n2_hello(1000, 7);
	first = raw_connect(0);
	raw_hello(first, &h);
	raw_expect(first, MT_FRAME_HELLO_ACK, NULL);
	h.nonce = 2000;
	second = raw_connect(0);
	raw_hello(second, &h);
	raw_expect(second, MT_FRAME_HELLO_REFUSE, &r);
	ck_assert_int_eq((int)r.code, MT_REFUSE_INCARNATION);
	ck_assert_ptr_nonnull(strstr(r.text, "an equal incarnation"));
	raw_expect_end(second);
	raw_frame(first, MT_FRAME_REPORT, "x", 1);
	WAIT_FOR(nodes[0].n_frames == 1);
	close(first);
}
END_TEST

START_TEST(a_newer_incarnation_replaces_the_older_and_its_data)
{
	struct mt_hello h;
	int first, second;

	start(0, "n1");
	h = n2_hello(1000, 7);
	first = raw_connect(0);
	raw_hello(first, &h);
	raw_expect(first, MT_FRAME_HELLO_ACK, NULL);
	h.nonce = 2000;
	h.incarnation = 8;
	second = raw_connect(0);
	raw_hello(second, &h);
	raw_expect(second, MT_FRAME_HELLO_ACK, NULL);
	/* nothing of the older one is heard any more */
	raw_expect_end(first);
	ck_assert_int_eq(nodes[0].n_frames, 0);
	raw_frame(second, MT_FRAME_REPORT, "x", 1);
	WAIT_FOR(nodes[0].n_frames == 1);
	close(second);
}
END_TEST

START_TEST(the_same_process_replaces_its_own_stream)
{
	struct mt_hello_refuse r;
	struct mt_hello h;
	int first, second, third;

	start(0, "n1");
	h = n2_hello(1000, 7);
	h.connection_seq = 4;
	first = raw_connect(0);
	raw_hello(first, &h);
	raw_expect(first, MT_FRAME_HELLO_ACK, NULL);
	h.connection_seq = 5;
	second = raw_connect(0);
	raw_hello(second, &h);
	raw_expect(second, MT_FRAME_HELLO_ACK, NULL);
	raw_expect_end(first);
	h.connection_seq = 4;
	third = raw_connect(0);
	raw_hello(third, &h);
	raw_expect(third, MT_FRAME_HELLO_REFUSE, &r);
	ck_assert_int_eq((int)r.code, MT_REFUSE_INCARNATION);
	raw_expect_end(third);
	close(second);
}
END_TEST

START_TEST(the_name_of_a_connected_member_is_taken)
{
	struct mt_hello_refuse r;
	struct mt_hello h;
	struct mt_err err;
	int first, second;

	start(0, "n1");
	h = n2_hello(1000, 7);
	ck_assert_int_eq(mt_peers_add(nodes[0].peers, "127.0.0.1", 2, &err), 0);
	first = raw_connect(0);
	raw_hello(first, &h);
	raw_expect(first, MT_FRAME_HELLO_ACK, NULL);
	h.nonce = 2000;
	h.incarnation = 8;
	mt_copy(h.addr, sizeof(h.addr), "127.0.0.1:2");
	second = raw_connect(0);
	raw_hello(second, &h);
	raw_expect(second, MT_FRAME_HELLO_REFUSE, &r);
	ck_assert_int_eq((int)r.code, MT_REFUSE_TAKEN);
	raw_expect_end(second);
	close(first);
}
END_TEST

START_TEST(garbage_ends_the_connection_with_one_line)
{
	int fd;

	start(0, "n1");
	fd = raw_connect(0);
	n_lines = 0;
	ck_assert_int_eq(send(fd, "garbage garbage", 15, MSG_NOSIGNAL), 15);
	raw_expect_end(fd);
	ck_assert_int_eq(n_lines, 1);
	ck_assert_ptr_nonnull(strstr(last_line, "frame of version"));
	/* the same again is not worth another line */
	fd = raw_connect(0);
	ck_assert_int_eq(send(fd, "garbage garbage", 15, MSG_NOSIGNAL), 15);
	raw_expect_end(fd);
	ck_assert_int_eq(n_lines, 1);
}
END_TEST

START_TEST(frames_before_a_hello_end_the_connection)
{
	int fd;

	start(0, "n1");
	fd = raw_connect(0);
	raw_frame(fd, MT_FRAME_RAFT, "x", 1);
	raw_expect_end(fd);
	ck_assert_int_eq(nodes[0].n_frames, 0);
}
END_TEST

START_TEST(an_accepted_stream_out_of_form_is_closed)
{
	struct mt_hello h;
	uint8_t bad[6] = {0, 0, 0, 0, MT_FRAME_VERSION, 99};
	int fd;

	start(0, "n1");
	h = n2_hello(1000, 7);
	fd = raw_connect(0);
	raw_hello(fd, &h);
	raw_expect(fd, MT_FRAME_HELLO_ACK, NULL);
	ck_assert_int_eq(send(fd, bad, 6, MSG_NOSIGNAL), 6);
	raw_expect_end(fd);
	/* and so is one that turns into another node */
	fd = raw_connect(0);
	raw_hello(fd, &h);
	raw_expect(fd, MT_FRAME_HELLO_ACK, NULL);
	mt_copy(h.name, sizeof(h.name), "n3");
	raw_hello(fd, &h);
	raw_expect_end(fd);
}
END_TEST

START_TEST(who_says_nothing_or_half_a_hello_is_closed)
{
	int silent, half;

	start(0, "n1");
	silent = raw_connect(0);
	half = raw_connect(0);
	ck_assert_int_eq(send(half, "\0\0\1\0\1\1abc", 9, MSG_NOSIGNAL), 9);
	raw_expect_end(silent);
	raw_expect_end(half);
}
END_TEST

START_TEST(an_http_request_is_answered_and_closed)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	char answer[1024] = "";
	int fd;

	start(0, "n1");
	fd = raw_connect(0);
	/* in two pieces: the first is shorter than a header */
	ck_assert_int_eq(send(fd, request, 3, MSG_NOSIGNAL), 3);
	run_for(20);
	ck_assert_int_eq(
	    send(fd, request + 3, sizeof(request) - 4, MSG_NOSIGNAL),
	    (ssize_t)sizeof(request) - 4);
	raw_read(fd, (uint8_t *)answer, sizeof(answer) - 1, sizeof(answer));
	ck_assert_int_eq(strncmp(answer, "HTTP/1.1 400 ", 13), 0);
	ck_assert_ptr_nonnull(strstr(answer, "restapi.listen"));
	close(fd);
}
END_TEST

START_TEST(too_many_without_a_hello_are_turned_away)
{
	int fds[MAX_UNPROVEN], one_more;

	start(0, "n1");
	for (int i = 0; i < MAX_UNPROVEN; i++)
		fds[i] = raw_connect(0);
	one_more = raw_connect(0);
	raw_expect_end(one_more);
	for (int i = 0; i < MAX_UNPROVEN; i++)
		raw_expect_end(fds[i]);
	start(1, "n2");
	dial(0, 1);
	dial(1, 0);
	WAIT_FOR(nodes[0].n_up == 1);
}
END_TEST

/* The node dials here; whoever listens does not read. */
START_TEST(a_peer_that_does_not_read_is_closed_when_the_queue_is_full)
{
	struct sockaddr_in sa = {
	    .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(sa);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	uint8_t *big = calloc(1, 4 << 20), bytes[MT_HELLO_BYTES_MAX];
	struct mt_peer_info info = {.is_out = false};
	struct mt_hello h;
	struct mt_err err;
	int fd = -1;

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&sa, size), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&sa, &size),
			 0);
	start(0, "n1");
	ck_assert_int_eq(
	    mt_peers_add(nodes[0].peers, "127.0.0.1", ntohs(sa.sin_port), &err),
	    0);
	WAIT_FOR((fd = accept(listener, NULL, NULL)) >= 0);
	h = n2_hello(1000, 7);
	mt_format(h.addr, sizeof(h.addr), "127.0.0.1:%u",
		  (unsigned int)ntohs(sa.sin_port));
	raw_frame(fd, MT_FRAME_HELLO_ACK, bytes, mt_hello_encode(&h, bytes));
	WAIT_FOR(mt_peers_send(nodes[0].peers, 2, MT_FRAME_PROPOSE, "x", 1));
	for (int i = 0; i < 5; i++)
		(void)mt_peers_send(nodes[0].peers, 2, MT_FRAME_RAFT, big,
				    4 << 20);
	ck_assert(!mt_peers_send(nodes[0].peers, 2, MT_FRAME_RAFT, big, 1));
	run_for(10);
	ck_assert_int_eq(mt_peers_remove(nodes[0].peers, "127.0.0.1", 1), 0);
	mt_peers_each(nodes[0].peers, see_peer, &info);
	ck_assert(!info.is_out);
	ck_assert_ptr_nonnull(strstr(info.last_error, "queue is full"));
	close(fd);
	close(listener);
	free(big);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("peers_raw");
	TCase *tc = tcase_create("peers_raw");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, an_equal_incarnation_of_another_process_is_refused);
	tcase_add_test(tc, a_newer_incarnation_replaces_the_older_and_its_data);
	tcase_add_test(tc, the_same_process_replaces_its_own_stream);
	tcase_add_test(tc, the_name_of_a_connected_member_is_taken);
	tcase_add_test(tc, garbage_ends_the_connection_with_one_line);
	tcase_add_test(tc, frames_before_a_hello_end_the_connection);
	tcase_add_test(tc, an_accepted_stream_out_of_form_is_closed);
	tcase_add_test(tc, who_says_nothing_or_half_a_hello_is_closed);
	tcase_add_test(tc, an_http_request_is_answered_and_closed);
	tcase_add_test(tc, too_many_without_a_hello_are_turned_away);
	tcase_add_test(
	    tc, a_peer_that_does_not_read_is_closed_when_the_queue_is_full);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
