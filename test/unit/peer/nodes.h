/* SPDX-License-Identifier: PostgreSQL */
/*
 * Several nodes on loopback in one loop. Each counts what it is told; WAIT_FOR
 * runs the loop until what is waited for has come.
 */
#ifndef MT_TEST_PEER_NODES_H
#define MT_TEST_PEER_NODES_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "peer/peers.h"

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

/* What a node's streams are encrypted by; nothing: plain. */
struct armour {
	const char *password;
	const char *cert, *ca; /* files; the key is beside the certificate */
	bool is_insecure;
};

static uv_loop_t loop;
static struct node nodes[MAX_NODES];
static struct armour armours[MAX_NODES];
static int n_lines;
static char last_line[2048];

static inline void
sink(void *arg, enum mt_log_level level, const char *text)
{
	(void)arg;
	n_lines++;
	mt_copy(last_line, sizeof(last_line), text);
	if (getenv("MT_TEST_LOG") != NULL)
		fprintf(stderr, "%d %s\n", (int)level, text);
}

static inline int
on_hello(void *arg, const struct mt_hello *theirs, char *why, size_t size)
{
	struct node *node = arg;

	node->n_hellos++;
	if (!node->refuse_all)
		return 0;
	mt_format(why, size, "the owner does not want \"%s\"", theirs->name);
	return -1;
}

static inline void
on_up(void *arg, const struct mt_peer_info *peer)
{
	struct node *node = arg;

	ck_assert(peer->is_up && peer->is_in && peer->is_out);
	ck_assert_str_eq(peer->addr, peer->hello->addr);
	ck_assert_str_eq(peer->last_error, "");
	node->n_up++;
}

static inline void
on_down(void *arg, const struct mt_peer_info *peer, enum mt_peer_down reason)
{
	struct node *node = arg;

	ck_assert(!peer->is_up);
	node->n_down++;
	node->down = reason;
	ck_assert_int_le(node->n_down, node->n_up);
}

static inline void
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

static inline void
on_refused(void *arg, const struct mt_refusal *refusal)
{
	struct node *node = arg;

	node->n_refused++;
	node->refused = refusal->code;
	node->refused_by_us = refusal->by_us;
	node->we_are_later = refusal->we_are_later;
	mt_copy(node->refused_text, sizeof(node->refused_text), refusal->text);
}

static inline void
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

/* NULL: plain */
static inline struct mt_secure *
arm(const struct armour *a)
{
	struct mt_secure_options o = {
	    .password = a->password,
	    .cluster = "batman",
	    .files = {.certfile = a->cert, .cafile = a->ca},
	};
	struct mt_secure *s = NULL;
	struct mt_err err;

	if (a->password != NULL || a->cert != NULL)
		ck_assert_msg(mt_secure_new(&s, &o, &err) == 0, "%s", err.text);
	return s;
}

static inline void
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
	    .secure = arm(&armours[i]),
	    .is_insecure = armours[i].is_insecure,
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

static inline void
start(int i, const char *name)
{
	start_at(i, name, 0);
}

static inline void
dial(int i, int to)
{
	struct mt_err err;

	ck_assert_int_eq(
	    mt_peers_add(nodes[i].peers, "127.0.0.1", nodes[to].port, &err), 0);
}

static inline void
stop(int i)
{
	mt_peers_close(nodes[i].peers, on_closed, &nodes[i]);
	nodes[i].peers = NULL;
	while (!nodes[i].closed)
		uv_run(&loop, UV_RUN_ONCE);
}

static inline void
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

static inline void
run_for(int64_t ms)
{
	int64_t end_ms = mt_clock_ms() + ms;

	while (mt_clock_ms() < end_ms)
		uv_run(&loop, UV_RUN_ONCE);
}

static uv_timer_t tick;

static inline void
setup(void)
{
	memset(nodes, 0, sizeof(nodes));
	memset(armours, 0, sizeof(armours));
	n_lines = 0;
	mt_log_set_sink(sink, NULL);
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	/* uv_run() must come back now and then for WAIT_FOR to look. */
	uv_timer_init(&loop, &tick);
	uv_timer_start(&tick, tick_cb, 5, 5);
}

/* The same with encryption by a password. */
static inline void
setup_encrypted(void)
{
	setup();
	for (int i = 0; i < MAX_NODES; i++)
		armours[i].password = "the same on all of them";
}

static inline void
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
static inline void
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

static inline void
see_peer(void *arg, const struct mt_peer_info *peer)
{
	*(struct mt_peer_info *)arg = *peer;
}

#endif
