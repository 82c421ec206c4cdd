/* SPDX-License-Identifier: PostgreSQL */
/*
 * Streams between several nodes on loopback, in one loop: they connect,
 * exchange frames, refuse whom they must and come back after a loss; and raw
 * sockets that misbehave do no harm.
 */
#include "peer/peers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <check.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "peer/peers_internal.h"

#define MAX_NODES 4
#define PATIENCE_MS 5000

struct node {
	struct mt_peers *peers;
	struct mt_hello hello;
	uint16_t port;
	int n_up, n_down, n_refused, n_frames, n_hellos;
	enum mt_peer_down down;
	enum mt_refuse_code refused;
	bool refused_by_us, we_are_later;
	char refused_text[MT_HELLO_TEXT_MAX];
	char from[MT_HELLO_NAME_MAX];
	uint64_t from_id;
	enum mt_frame_kind kind;
	size_t size;
	uint64_t hash;
	bool closed;
	bool refuse_all; /* on_hello says no */
	bool echo;       /* each frame goes back to its sender */
};

static uv_loop_t loop;
static struct node nodes[MAX_NODES];
static int n_lines;
static char last_line[2048];

static void
sink(void *arg, enum mt_log_level level, const char *text)
{
	(void)arg;
	n_lines++;
	mt_copy(last_line, sizeof(last_line), text);
	if (getenv("MT_TEST_LOG") != NULL)
		fprintf(stderr, "%d %s\n", (int)level, text);
}

static int
on_hello(void *arg, const struct mt_hello *theirs, char *why, size_t size)
{
	struct node *node = arg;

	node->n_hellos++;
	if (!node->refuse_all)
		return 0;
	mt_format(why, size, "the owner does not want \"%s\"", theirs->name);
	return -1;
}

static void
on_up(void *arg, const struct mt_peer_info *peer)
{
	struct node *node = arg;

	ck_assert(peer->is_up && peer->is_in && peer->is_out);
	ck_assert_str_eq(peer->addr, peer->hello->addr);
	ck_assert_str_eq(peer->last_error, "");
	node->n_up++;
}

static void
on_down(void *arg, const struct mt_peer_info *peer, enum mt_peer_down reason)
{
	struct node *node = arg;

	ck_assert(!peer->is_up);
	node->n_down++;
	node->down = reason;
	ck_assert_int_le(node->n_down, node->n_up);
}

static void
on_frame(void *arg, const struct mt_hello *from, enum mt_frame_kind kind,
	 const uint8_t *payload, size_t n)
{
	struct node *node = arg;

	node->n_frames++;
	mt_copy(node->from, sizeof(node->from), from->name);
	node->from_id = from->member_id;
	node->kind = kind;
	node->size = n;
	node->hash = mt_hash(MT_HASH_SEED, payload, n);
	if (node->echo)
		mt_peers_send(node->peers, from->member_id, kind, payload, n);
}

static void
on_refused(void *arg, const struct mt_refusal *refusal)
{
	struct node *node = arg;

	node->n_refused++;
	node->refused = refusal->code;
	node->refused_by_us = refusal->by_us;
	node->we_are_later = refusal->we_are_later;
	mt_copy(node->refused_text, sizeof(node->refused_text), refusal->text);
}

static void
on_closed(void *arg)
{
	((struct node *)arg)->closed = true;
}

static const struct mt_peers_callbacks callbacks = {
    .on_hello = on_hello,
    .on_up = on_up,
    .on_down = on_down,
    .on_frame = on_frame,
    .on_refused = on_refused,
};

static void
start_at(int i, const char *name, uint16_t port)
{
	struct node *node = &nodes[i];
	struct mt_peers_options o = {
	    .bind_host = "127.0.0.1",
	    .bind_port = port,
	    .hello = &node->hello,
	    .hello_timeout_ms = 150,
	    .refused_redial_ms = 100,
	    .ping_interval_ms = 50,
	};
	struct mt_err err;

	memset(node, 0, sizeof(*node));
	mt_copy(node->hello.name, sizeof(node->hello.name), name);
	node->hello.member_id = (uint64_t)i + 1;
	node->hello.incarnation = 1;
	ck_assert_int_eq(
	    mt_peers_start(&node->peers, &loop, &o, &callbacks, node, &err), 0);
	node->port = mt_peers_port(node->peers);
	mt_format(node->hello.addr, sizeof(node->hello.addr), "127.0.0.1:%u",
		  (unsigned int)node->port);
	mt_peers_set_hello(node->peers, &node->hello);
}

static void
start(int i, const char *name)
{
	start_at(i, name, 0);
}

static void
dial(int i, int to)
{
	struct mt_err err;

	ck_assert_int_eq(
	    mt_peers_add(nodes[i].peers, "127.0.0.1", nodes[to].port, &err), 0);
}

static void
stop(int i)
{
	mt_peers_close(nodes[i].peers, on_closed, &nodes[i]);
	nodes[i].peers = NULL;
	while (!nodes[i].closed)
		uv_run(&loop, UV_RUN_ONCE);
}

static void
tick_cb(uv_timer_t *timer)
{
	(void)timer;
}

/* Run the loop until cond holds. */
#define WAIT_FOR(cond) \
	do { \
		int64_t wait_end_ms_ = mt_clock_ms() + PATIENCE_MS; \
		while (!(cond)) { \
			ck_assert_msg(mt_clock_ms() < wait_end_ms_, \
				      "waited in vain for %s; log: %s", #cond, \
				      last_line); \
			uv_run(&loop, UV_RUN_ONCE); \
		} \
	} while (0)

static void
run_for(int64_t ms)
{
	int64_t end_ms = mt_clock_ms() + ms;

	while (mt_clock_ms() < end_ms)
		uv_run(&loop, UV_RUN_ONCE);
}

static uv_timer_t tick;

static void
setup(void)
{
	memset(nodes, 0, sizeof(nodes));
	n_lines = 0;
	mt_log_set_sink(sink, NULL);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	/* uv_run() must come back now and then for WAIT_FOR to look. */
	uv_timer_init(&loop, &tick);
	uv_timer_start(&tick, tick_cb, 5, 5);
}

static void
teardown(void)
{
	for (int i = 0; i < MAX_NODES; i++)
		if (nodes[i].peers != NULL)
			stop(i);
	uv_close((uv_handle_t *)&tick, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	mt_log_set_sink(NULL, NULL);
}

/* Nodes 0..n-1, each dialling every other. */
static void
start_all(int n)
{
	static const char *const names[] = {"n1", "n2", "n3", "n4"};

	for (int i = 0; i < n; i++)
		start(i, names[i]);
	for (int i = 0; i < n; i++)
		for (int k = 0; k < n; k++)
			if (i != k)
				dial(i, k);
	for (int i = 0; i < n; i++)
		WAIT_FOR(nodes[i].n_up == n - 1);
}

START_TEST(three_nodes_connect_and_exchange_frames)
{
	uint8_t *big = malloc(4 << 20);

	ck_assert_ptr_nonnull(big);
	memset(big, 0x5a, 4 << 20);
	start_all(3);
	ck_assert(
	    mt_peers_send(nodes[0].peers, 3, MT_FRAME_RAFT, big, 4 << 20));
	ck_assert(
	    mt_peers_send(nodes[0].peers, 3, MT_FRAME_SUPPORT_REQ, "x", 1));
	WAIT_FOR(nodes[2].n_frames == 2);
	ck_assert_int_eq((int)nodes[2].kind, MT_FRAME_SUPPORT_REQ);
	ck_assert_str_eq(nodes[2].from, "n1");
	ck_assert_uint_eq(nodes[2].from_id, 1);
	nodes[1].echo = true;
	ck_assert(mt_peers_send_addr(nodes[0].peers, nodes[1].hello.addr,
				     MT_FRAME_REPORT, NULL, 0));
	WAIT_FOR(nodes[0].n_frames == 1);
	ck_assert_uint_eq(nodes[0].from_id, 2);
	ck_assert_uint_eq(nodes[0].size, 0);
	ck_assert_int_eq(nodes[1].n_frames, 1);
	free(big);
}
END_TEST

START_TEST(what_is_not_the_owners_or_too_large_is_not_sent)
{
	static uint8_t bytes[300];

	start_all(2);
	n_lines = 0;
	ck_assert(!mt_peers_send(nodes[0].peers, 2, MT_FRAME_HELLO, bytes, 1));
	ck_assert(!mt_peers_send(nodes[0].peers, 2, MT_FRAME_PING, bytes, 0));
	ck_assert(
	    !mt_peers_send(nodes[0].peers, 2, MT_FRAME_FENCE_REQ, bytes, 257));
	ck_assert_int_eq(n_lines, 3);
	ck_assert(
	    mt_peers_send(nodes[0].peers, 2, MT_FRAME_FENCE_REQ, bytes, 256));
	ck_assert(
	    !mt_peers_send(nodes[0].peers, 9, MT_FRAME_FENCE_REQ, bytes, 1));
	ck_assert(
	    !mt_peers_send(nodes[0].peers, 0, MT_FRAME_FENCE_REQ, bytes, 1));
	ck_assert(!mt_peers_send_addr(nodes[0].peers, "b:1", MT_FRAME_FENCE_REQ,
				      bytes, 1));
	WAIT_FOR(nodes[1].n_frames == 1);
}
END_TEST

START_TEST(frames_keep_their_order)
{
	start_all(2);
	nodes[1].hash = 0;
	for (uint32_t i = 0; i < 2000; i++)
		ck_assert(mt_peers_send(nodes[0].peers, 2, MT_FRAME_RAFT, &i,
					sizeof(i)));
	for (uint32_t i = 0; i < 2000; i++) {
		WAIT_FOR(nodes[1].n_frames > (int)i);
		if (nodes[1].n_frames == (int)i + 1)
			ck_assert_uint_eq(nodes[1].hash,
					  mt_hash(MT_HASH_SEED, &i, sizeof(i)));
	}
}
END_TEST

START_TEST(a_node_refuses_its_own_address_and_itself)
{
	struct mt_err err;

	start(0, "n1");
	ck_assert_int_eq(
	    mt_peers_add(nodes[0].peers, "127.0.0.1", nodes[0].port, &err),
	    MT_EREFUSED);
	/* the same place by another word */
	ck_assert_int_eq(
	    mt_peers_add(nodes[0].peers, "localhost", nodes[0].port, &err), 0);
	WAIT_FOR(nodes[0].n_refused >= 2);
	ck_assert_int_eq((int)nodes[0].refused, MT_REFUSE_SELF);
	ck_assert(!nodes[0].we_are_later);
	ck_assert_int_eq(nodes[0].n_hellos, 0);
}
END_TEST

START_TEST(of_two_processes_with_one_name_the_later_is_told_so)
{
	start(0, "n1");
	run_for(300);
	start(1, "n1");
	dial(1, 0);
	dial(0, 1);
	WAIT_FOR(nodes[0].n_refused >= 2 && nodes[1].n_refused >= 2);
	ck_assert_int_eq((int)nodes[0].refused, MT_REFUSE_NAME);
	ck_assert_int_eq((int)nodes[1].refused, MT_REFUSE_NAME);
	ck_assert(nodes[1].we_are_later);
	ck_assert(!nodes[0].we_are_later);
	ck_assert_ptr_nonnull(strstr(nodes[1].refused_text, "name \"n1\""));
	ck_assert_int_eq(nodes[0].n_up + nodes[1].n_up, 0);
}
END_TEST

START_TEST(different_lists_are_both_told_to_both)
{
	static const char *const one[] = {"a:1", "b:1"};
	static const char *const two[] = {"a:1", "c:1"};
	struct mt_err err;

	start(0, "n1");
	start(1, "n2");
	ck_assert_int_eq(mt_hello_set_list(&nodes[0].hello, one, 2, &err), 0);
	ck_assert_int_eq(mt_hello_set_list(&nodes[1].hello, two, 2, &err), 0);
	mt_peers_set_hello(nodes[0].peers, &nodes[0].hello);
	mt_peers_set_hello(nodes[1].peers, &nodes[1].hello);
	dial(0, 1);
	WAIT_FOR(nodes[0].n_refused > 0 && nodes[1].n_refused > 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq((int)nodes[i].refused, MT_REFUSE_LIST);
		ck_assert_ptr_nonnull(strstr(nodes[i].refused_text, "a:1,b:1"));
		ck_assert_ptr_nonnull(strstr(nodes[i].refused_text, "a:1,c:1"));
	}
	/* mended: they find together */
	dial(1, 0);
	nodes[1].hello = *mt_peers_hello(nodes[0].peers);
	mt_copy(nodes[1].hello.name, sizeof(nodes[1].hello.name), "n2");
	mt_format(nodes[1].hello.addr, sizeof(nodes[1].hello.addr),
		  "127.0.0.1:%u", (unsigned int)nodes[1].port);
	nodes[1].hello.member_id = 2;
	mt_peers_set_hello(nodes[1].peers, &nodes[1].hello);
	WAIT_FOR(nodes[0].n_up == 1 && nodes[1].n_up == 1);
}
END_TEST

START_TEST(the_owner_can_refuse)
{
	start(0, "n1");
	start(1, "n2");
	nodes[1].refuse_all = true;
	dial(0, 1);
	dial(1, 0);
	WAIT_FOR(nodes[0].n_refused > 1 && nodes[1].n_refused > 1);
	ck_assert_int_eq((int)nodes[0].refused, MT_REFUSE_OWNER);
	ck_assert_str_eq(nodes[0].refused_text,
			 "the owner does not want \"n1\"");
	/* each side tells once, however often it is tried */
	n_lines = 0;
	WAIT_FOR(nodes[0].n_refused > 5 && nodes[1].n_refused > 5);
	ck_assert_int_le(n_lines, 1);
	nodes[1].refuse_all = false;
	WAIT_FOR(nodes[0].n_up == 1 && nodes[1].n_up == 1);
}
END_TEST

START_TEST(who_is_not_dialled_back_is_refused)
{
	start(0, "n1");
	start(1, "n2");
	dial(0, 1);
	WAIT_FOR(nodes[0].n_refused > 0);
	ck_assert_int_eq((int)nodes[0].refused, MT_REFUSE_NOT_LISTED);
	dial(1, 0);
	WAIT_FOR(nodes[0].n_up == 1 && nodes[1].n_up == 1);
}
END_TEST

START_TEST(a_closed_peer_goes_down_and_comes_back_with_a_new_process)
{
	uint16_t port;

	start_all(2);
	port = nodes[1].port;
	stop(1);
	WAIT_FOR(nodes[0].n_down == 1);
	ck_assert(nodes[0].down == MT_PEER_CLOSED ||
		  nodes[0].down == MT_PEER_RESET);
	ck_assert(!mt_peers_send(nodes[0].peers, 2, MT_FRAME_RAFT, "x", 1));
	/* the same incarnation is fine: nothing of it lives */
	start_at(1, "n2", port);
	dial(1, 0);
	WAIT_FOR(nodes[0].n_up == 2 && nodes[1].n_up == 1);
	ck_assert(mt_peers_send(nodes[0].peers, 2, MT_FRAME_RAFT, "x", 1));
	WAIT_FOR(nodes[1].n_frames == 1);
}
END_TEST

START_TEST(a_removed_peer_is_gone_and_can_be_added_again)
{
	start_all(2);
	ck_assert_int_eq(
	    mt_peers_remove(nodes[0].peers, "127.0.0.1", nodes[1].port), 0);
	ck_assert_int_eq(nodes[0].n_down, 1);
	ck_assert_int_eq((int)nodes[0].down, MT_PEER_REMOVED);
	ck_assert_int_eq(
	    mt_peers_remove(nodes[0].peers, "127.0.0.1", nodes[1].port),
	    MT_ENOENT);
	WAIT_FOR(nodes[1].n_down == 1);
	WAIT_FOR(nodes[1].refused == MT_REFUSE_NOT_LISTED);
	dial(0, 1);
	WAIT_FOR(nodes[0].n_up == 2 && nodes[1].n_up == 2);
}
END_TEST

static void
see_peer(void *arg, const struct mt_peer_info *peer)
{
	*(struct mt_peer_info *)arg = *peer;
}

START_TEST(a_hello_sent_anew_reaches_the_other_without_a_new_stream)
{
	struct mt_peer_info info;

	start(0, "n1");
	start(1, "n2");
	nodes[0].hello.member_id = nodes[1].hello.member_id = 0;
	mt_peers_set_hello(nodes[0].peers, &nodes[0].hello);
	mt_peers_set_hello(nodes[1].peers, &nodes[1].hello);
	dial(0, 1);
	dial(1, 0);
	WAIT_FOR(nodes[0].n_up == 1 && nodes[1].n_up == 1);
	ck_assert(!mt_peers_send(nodes[1].peers, 11, MT_FRAME_RAFT, "x", 1));
	nodes[0].hello.member_id = 11;
	nodes[0].hello.is_formed = true;
	nodes[0].hello.cluster_id = 5;
	mt_peers_set_hello(nodes[0].peers, &nodes[0].hello);
	/* frames sent after it come after it */
	ck_assert(mt_peers_send_addr(nodes[0].peers, nodes[1].hello.addr,
				     MT_FRAME_RAFT, "x", 1));
	WAIT_FOR(nodes[1].n_frames == 1);
	ck_assert_uint_eq(nodes[1].from_id, 11);
	ck_assert(mt_peers_send(nodes[1].peers, 11, MT_FRAME_RAFT, "x", 1));
	mt_peers_each(nodes[1].peers, see_peer, &info);
	ck_assert(info.hello->is_formed);
	ck_assert_uint_eq(info.hello->cluster_id, 5);
	run_for(50);
	ck_assert_int_eq(nodes[0].n_down + nodes[1].n_down, 0);
	/* one that contradicts ends it on both sides */
	nodes[1].hello.is_formed = true;
	nodes[1].hello.cluster_id = 6;
	mt_peers_set_hello(nodes[1].peers, &nodes[1].hello);
	WAIT_FOR(nodes[0].n_down == 1 && nodes[1].n_down == 1);
	WAIT_FOR(nodes[0].refused == MT_REFUSE_CLUSTER &&
		 nodes[1].refused == MT_REFUSE_CLUSTER);
}
END_TEST

START_TEST(an_idle_stream_stays_fresh_by_pings)
{
	struct mt_peer_info info;
	int64_t now_ms;

	start_all(2);
	run_for(300);
	mt_peers_each(nodes[1].peers, see_peer, &info);
	now_ms = mt_clock_ms();
	ck_assert_int_lt(now_ms - info.last_contact_ms, 200);
	ck_assert_int_eq(nodes[1].n_frames, 0);
	ck_assert(info.is_up);
}
END_TEST

START_TEST(a_second_listener_on_the_port_is_an_error)
{
	struct mt_peers *second = NULL;
	struct mt_err err;
	struct mt_peers_options o = {.bind_host = "127.0.0.1"};

	start(0, "n1");
	o.bind_port = nodes[0].port;
	o.hello = &nodes[0].hello;
	ck_assert_int_lt(
	    mt_peers_start(&second, &loop, &o, &callbacks, NULL, &err), 0);
	ck_assert_ptr_null(second);
	ck_assert_ptr_nonnull(strstr(err.text, "could not listen"));
}
END_TEST

START_TEST(plain_text_beyond_loopback_is_refused_in_words)
{
	struct mt_peer_info info = {.refusal = MT_REFUSE_NONE};
	struct mt_err err;

	start(0, "n1");
	ck_assert_int_eq(mt_peers_add(nodes[0].peers, "192.0.2.1", 9, &err), 0);
	run_for(20);
	mt_peers_each(nodes[0].peers, see_peer, &info);
	ck_assert_int_eq((int)info.refusal, MT_REFUSE_INSECURE);
	ck_assert_ptr_nonnull(strstr(info.last_error, "raft.insecure"));
}
END_TEST

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

START_TEST(closing_in_the_midst_of_everything_leaves_nothing)
{
	struct mt_err err;

	for (int i = 0; i < 20; i++) {
		start(0, "n1");
		start(1, "n2");
		dial(0, 1);
		dial(1, 0);
		ck_assert_int_eq(
		    mt_peers_add(nodes[0].peers, "localhost", 1, &err), 0);
		for (int k = 0; k < i; k++)
			uv_run(&loop, UV_RUN_NOWAIT);
		stop(0);
		stop(1);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("peers");
	TCase *tc = tcase_create("peers");
	SRunner *sr;
	int n_failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, three_nodes_connect_and_exchange_frames);
	tcase_add_test(tc, what_is_not_the_owners_or_too_large_is_not_sent);
	tcase_add_test(tc, frames_keep_their_order);
	tcase_add_test(tc, a_node_refuses_its_own_address_and_itself);
	tcase_add_test(tc, of_two_processes_with_one_name_the_later_is_told_so);
	tcase_add_test(tc, different_lists_are_both_told_to_both);
	tcase_add_test(tc, the_owner_can_refuse);
	tcase_add_test(tc, who_is_not_dialled_back_is_refused);
	tcase_add_test(
	    tc, a_closed_peer_goes_down_and_comes_back_with_a_new_process);
	tcase_add_test(tc, a_removed_peer_is_gone_and_can_be_added_again);
	tcase_add_test(
	    tc, a_hello_sent_anew_reaches_the_other_without_a_new_stream);
	tcase_add_test(tc, an_idle_stream_stays_fresh_by_pings);
	tcase_add_test(tc, a_second_listener_on_the_port_is_an_error);
	tcase_add_test(tc, plain_text_beyond_loopback_is_refused_in_words);
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
	tcase_add_test(tc, closing_in_the_midst_of_everything_leaves_nothing);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed != 0;
}
