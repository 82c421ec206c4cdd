/* SPDX-License-Identifier: PostgreSQL */
/*
 * Who may stay. Clients that ask and take their answer never meet a limit;
 * those that only hold a connection, or give a byte now and then, pay with it.
 *
 * Room: of connections in all and of one address. Whoever comes while there is
 * none takes the place of who waits longest, of his own address if that has
 * its full share, otherwise of the address that has the most. So the new one
 * always gets in and is answered before his turn to leave comes, unless all
 * the others are just being answered.
 *
 * Time: every connection has one deadline, by its phase. They are total ones:
 * a byte does not move them. A request that waits for its outcome has none of
 * ours: its handler's is the bound, and the number of such requests.
 *
 * Memory: what was read of requests is counted once a turn, and the longest
 * leave when it is too much.
 *
 * To leave is a shutdown: the library sees the end and closes. Who does not
 * take his answer is reset, so that the kernel does not go on trying.
 */
#include "http/internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "http/head.h"

#define HEAD_TIMEOUT_MS 5000
#define REQUEST_TIMEOUT_MS 20000
#define IDLE_TIMEOUT_MS 60000
#define ANSWER_TIMEOUT_MS 20000
#define BODY_MAX_BYTES ((size_t)1024 * 1024)
#define BUFFER_MAX_BYTES ((size_t)16 * 1024 * 1024)
#define CONNECTIONS_MAX 1024
#define CONNECTIONS_MIN 16
#define KEPT_MAX 64
#define KEPT_MAX_BYTES ((size_t)4 * 1024 * 1024)
#define WARN_MS 60000

/* ---- what they are ---------------------------------------------------- */

/* Not more than half of what the process may open: the log, PostgreSQL and the
 * other members come first. */
static int
default_connections(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 ||
	    files.rlim_cur >= 2 * CONNECTIONS_MAX)
		return CONNECTIONS_MAX;
	if (files.rlim_cur <= 2 * CONNECTIONS_MIN)
		return CONNECTIONS_MIN;
	return (int)files.rlim_cur / 2;
}

static int64_t
or_ms(int64_t value_ms, int64_t default_ms)
{
	return value_ms > 0 ? value_ms : default_ms;
}

static size_t
or_bytes(size_t value, size_t other)
{
	return value > 0 ? value : other;
}

static int
or_number(int value, int other)
{
	return value > 0 ? value : other;
}

void
http__limits_fill(struct http__limits *l, const struct mt_http_options *o)
{
	l->head_timeout_ms = or_ms(o->head_timeout_ms, HEAD_TIMEOUT_MS);
	l->request_timeout_ms =
	    or_ms(o->request_timeout_ms, REQUEST_TIMEOUT_MS);
	if (l->head_timeout_ms > l->request_timeout_ms)
		l->head_timeout_ms = l->request_timeout_ms;
	l->idle_timeout_ms = or_ms(o->idle_timeout_ms, IDLE_TIMEOUT_MS);
	l->answer_timeout_ms = or_ms(o->answer_timeout_ms, ANSWER_TIMEOUT_MS);
	l->body_max_bytes = or_bytes(o->body_max_bytes, BODY_MAX_BYTES);
	l->buffer_max_bytes = or_bytes(o->buffer_max_bytes, BUFFER_MAX_BYTES);
	l->connections_max =
	    or_number(o->connections_max, default_connections());
	l->address_max =
	    or_number(o->address_max, (l->connections_max + 3) / 4);
	l->kept_max = or_number(o->kept_max, KEPT_MAX);
}

/* ---- addresses -------------------------------------------------------- */

static void
address_key(uint8_t *key, const struct sockaddr_storage *peer)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	memset(key, 0, 16);
	if (peer->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)peer;

		memcpy(key, mapped, sizeof(mapped));
		memcpy(key + 12, &in->sin_addr, 4);
	} else if (peer->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)peer;
		bool is_v4 = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);

		/* a host may have all of its /64 */
		memcpy(key, &in6->sin6_addr, is_v4 ? 16 : 8);
	}
}

static struct address *
address_of(struct mt_http_server *server, const struct sockaddr_storage *peer)
{
	struct address *a;
	uint8_t key[16];

	address_key(key, peer);
	for (a = server->addresses; a != NULL; a = a->next)
		if (memcmp(a->key, key, sizeof(key)) == 0)
			return a;
	a = calloc(1, sizeof(*a));
	MT_ASSERT(a != NULL);
	memcpy(a->key, key, sizeof(key));
	a->next = server->addresses;
	server->addresses = a;
	return a;
}

static void
address_forget(struct mt_http_server *server, struct address *a)
{
	struct address **at = &server->addresses;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	free(a);
}

static void
address_text(const struct address *a, char *buf, size_t size)
{
	struct in6_addr in6;
	bool is_v4;

	memcpy(&in6, a->key, sizeof(in6));
	is_v4 = IN6_IS_ADDR_V4MAPPED(&in6);
	if (inet_ntop(is_v4 ? AF_INET : AF_INET6, a->key + (is_v4 ? 12 : 0),
		      buf, (socklen_t)size) == NULL)
		mt_copy(buf, size, "?");
}

/* ---- leaving ---------------------------------------------------------- */

static void
uncount(struct connection *c)
{
	struct address *a = c->address;

	if (a == NULL)
		return;
	c->address = NULL;
	c->server->n_staying--;
	if (--a->n == 0)
		address_forget(c->server, a);
}

static void
leave(struct connection *c)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	uv_os_fd_t fd;

	if (c->leaving)
		return;
	c->leaving = true;
	uncount(c);
	if (uv_fileno((uv_handle_t *)&c->tcp, &fd) != 0)
		return;
	if (c->phase == HTTP_ANSWERED)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset,
				 sizeof(reset));
	(void)shutdown(fd, SHUT_RDWR);
}

void
http__left(struct connection *c)
{
	uncount(c);
}

/* ---- room ------------------------------------------------------------- */

static bool
may_leave(const struct connection *c)
{
	return !c->leaving && c->sock != NULL && c->phase != HTTP_HANDLED;
}

/* Should a make room before b does? */
static bool
goes_first(const struct connection *a, const struct connection *b)
{
	if (a->address->n != b->address->n)
		return a->address->n > b->address->n;
	return a->turn < b->turn;
}

/* Of this address, or of any; NULL: there is none. */
static struct connection *
who_leaves(struct mt_http_server *server, const struct address *of)
{
	struct connection *first = NULL;

	for (struct connection *c = server->connections; c != NULL; c = c->next)
		if (may_leave(c) && (of == NULL || c->address == of) &&
		    (first == NULL || goes_first(c, first)))
			first = c;
	return first;
}

static void
warn_full(struct mt_http_server *server, const struct address *a)
{
	int64_t now_ms = mt_clock_ms();
	char text[INET6_ADDRSTRLEN];

	if (server->warned_ms != 0 && now_ms < server->warned_ms + WARN_MS)
		return;
	server->warned_ms = now_ms;
	address_text(a, text, sizeof(text));
	mt_warn("REST API: %d connections are open, %d of them of %s: those "
		"that wait longest are closed for new ones",
		server->n_staying, a->n, text);
}

bool
http__enter(struct connection *c)
{
	struct mt_http_server *server = c->server;
	const struct http__limits *l = &server->limits;
	/* a handshake under way holds more than 50 KiB */
	int share = mt_http_is_secure(server) ? 2 : 1;
	struct sockaddr_storage peer = {0};
	struct connection *first = NULL;
	int size = sizeof(peer);
	bool full_address, full;

	if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&peer, &size) != 0)
		return false;
	c->address = address_of(server, &peer);
	c->address->n++;
	server->n_staying++;
	http__phase(c, HTTP_WAITS);
	c->begun_ms = c->since_ms; /* it came to ask */
	full_address = c->address->n > (l->address_max + share - 1) / share;
	full = server->n_staying > (l->connections_max + share - 1) / share;
	if (!full && !full_address)
		return true;
	first = who_leaves(server, full_address ? c->address : NULL);
	warn_full(server, first == NULL ? c->address : first->address);
	if (first == NULL)
		return false;
	leave(first);
	return true;
}

bool
http__may_keep(const struct mt_http_server *server, size_t body_bytes)
{
	int n = 0;

	for (const struct request *r = server->requests; r != NULL;
	     r = r->next) {
		n++;
		body_bytes += r->pub.body_bytes;
	}
	return n < server->limits.kept_max && body_bytes <= KEPT_MAX_BYTES;
}

/* ---- time and memory -------------------------------------------------- */

struct connection *
http__connection(h2o_req_t *req)
{
	return req->conn->callbacks->get_socket(req->conn)->on_close.data;
}

void
http__phase(struct connection *c, enum http__phase phase)
{
	c->phase = phase;
	c->turn = ++c->server->turns;
	c->since_ms = mt_clock_ms();
	c->begun_ms = 0;
	c->has_head = false;
}

static bool
is_closing(const struct connection *c)
{
	return c->sock == NULL || uv_is_closing((const uv_handle_t *)&c->tcp);
}

/* What it holds of requests that are not answered. The library's empty buffer
 * is one that all share. */
static size_t
buffered(const struct connection *c)
{
	return c->sock->input->bytes == NULL ? 0 : c->sock->input->capacity;
}

static int64_t
deadline_ms(struct connection *c, int64_t now_ms)
{
	const struct http__limits *l = &c->server->limits;
	const h2o_buffer_t *in = c->sock->input;

	if (c->phase == HTTP_HANDLED || c->phase == HTTP_STREAMS)
		return INT64_MAX;
	if (c->phase == HTTP_ANSWERED)
		return c->since_ms + l->answer_timeout_ms;
	if (c->begun_ms == 0 && in->size > 0)
		c->begun_ms = now_ms;
	if (c->begun_ms == 0)
		return c->since_ms + l->idle_timeout_ms;
	/* Looked at only when it matters. */
	if (!c->has_head && (now_ms >= c->begun_ms + l->head_timeout_ms ||
			     in->size > HTTP_HEAD_MAX_BYTES)) {
		c->has_head =
		    in->size > 0 && mt_http_head_bytes(in->bytes, in->size) > 0;
		if (!c->has_head)
			return now_ms;
	}
	return c->begun_ms +
	       (c->has_head ? l->request_timeout_ms : l->head_timeout_ms);
}

static void
on_deadline(uv_timer_t *timer)
{
	/* It only ends the poll. What came meanwhile is read before anybody is
	 * judged: this process may have been stopped for a while. */
	container_of(timer, struct mt_http_server, deadline)->armed_ms =
	    INT64_MAX;
}

static void
arm(struct mt_http_server *server, int64_t first_ms, int64_t now_ms)
{
	if (first_ms == server->armed_ms)
		return;
	server->armed_ms = first_ms;
	if (first_ms == INT64_MAX)
		uv_timer_stop(&server->deadline);
	else
		uv_timer_start(
		    &server->deadline, on_deadline,
		    first_ms > now_ms ? (uint64_t)(first_ms - now_ms) : 0, 0);
}

/* Whose deadline passed leaves; returns the first of the others. */
static int64_t
end_late_ones(struct mt_http_server *server, int64_t now_ms)
{
	int64_t first_ms = INT64_MAX;

	for (struct connection *c = server->connections; c != NULL;
	     c = c->next) {
		int64_t end_ms;

		if (is_closing(c) || c->leaving)
			continue;
		end_ms = deadline_ms(c, now_ms);
		if (end_ms <= now_ms)
			leave(c);
		else if (end_ms < first_ms)
			first_ms = end_ms;
	}
	return first_ms;
}

/* While they hold too much, the one that holds most leaves. */
static void
end_long_ones(struct mt_http_server *server)
{
	struct connection *longest;
	size_t bytes;

	do {
		longest = NULL;
		bytes = 0;
		for (struct connection *c = server->connections; c != NULL;
		     c = c->next) {
			if (is_closing(c) || !may_leave(c))
				continue;
			bytes += buffered(c);
			if (longest == NULL || buffered(c) > buffered(longest))
				longest = c;
		}
		if (bytes <= server->limits.buffer_max_bytes)
			return;
		leave(longest);
	} while (longest != NULL);
}

static void
on_after_poll(uv_check_t *check)
{
	struct mt_http_server *server =
	    container_of(check, struct mt_http_server, after_poll);
	int64_t now_ms = mt_clock_ms();

	server->n_accepted = 0;
	arm(server, end_late_ones(server, now_ms), now_ms);
	end_long_ones(server);
}

void
http__limits_begin(struct mt_http_server *server)
{
	server->armed_ms = INT64_MAX;
	uv_timer_init(server->loop, &server->deadline);
	uv_timer_init(server->loop, &server->resume);
	uv_timer_init(server->loop, &server->relisten);
	uv_check_init(server->loop, &server->after_poll);
	uv_check_start(&server->after_poll, on_after_poll);
}

void
http__limits_end(struct mt_http_server *server)
{
	uv_close((uv_handle_t *)&server->deadline, NULL);
	uv_close((uv_handle_t *)&server->resume, NULL);
	uv_close((uv_handle_t *)&server->relisten, NULL);
	uv_close((uv_handle_t *)&server->after_poll, NULL);
}
