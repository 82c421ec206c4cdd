/* SPDX-License-Identifier: PostgreSQL */
/*
 * The peers of a node: the calls of the owner, and when a peer counts as up.
 *
 * Happy path: every added address is dialled (dial.c), every connection says
 * hello (conn.c), and a peer whose both streams are accepted and lead to one
 * process of it is up. Failure: whatever ends a stream takes the peer down with
 * a reason, once; dialling goes on. What strangers do at the port is logged at
 * a bounded rate.
 * Does not know who ought to be a member: the owner adds and removes.
 */
#include "peer/peers.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "peer/peers_internal.h"

#define LISTEN_BACKLOG 64
/* Clocks of two processes are compared across one message. */
#define AGE_SLACK_MS 200

const char *
mt_peer_down_name(enum mt_peer_down reason)
{
	switch (reason) {
	case MT_PEER_CLOSED:
		return "closed";
	case MT_PEER_RESET:
		return "reset";
	case MT_PEER_TIMEOUT:
		return "timeout";
	case MT_PEER_REPLACED:
		return "replaced";
	case MT_PEER_REFUSED:
		return "refused";
	case MT_PEER_PROTOCOL:
		return "protocol";
	case MT_PEER_OVERFLOW:
		return "overflow";
	case MT_PEER_REMOVED:
		return "removed";
	case MT_PEER_FAILED:
		return "failed";
	}
	return "unknown";
}

struct peer *
peers__find(struct mt_peers *all, const char *addr)
{
	struct peer *peer;

	for (peer = all->peers; peer != NULL; peer = peer->next)
		if (mt_streq(peer->addr, addr))
			return peer;
	return NULL;
}

void
peers__freed(struct mt_peers *all)
{
	if (--all->n_open > 0)
		return;
	/* Only mt_peers_close() closes the listener, so this is the end. */
	if (all->closed_cb != NULL)
		all->closed_cb(all->closed_arg);
	mt_secure_unref(all->o.secure);
	free(all);
}

bool
peers__may_log(struct mt_peers *all, const char *key)
{
	uint64_t hash = mt_hash(MT_HASH_SEED, key, strlen(key));
	int64_t now_ms = mt_clock_ms();
	size_t i, spare = SAID_SLOTS;

	for (i = 0; i < SAID_SLOTS; i++) {
		bool is_over = all->said[i].until_ms <= now_ms;

		if (!is_over && all->said[i].key == hash)
			return false;
		if (is_over && spare == SAID_SLOTS)
			spare = i;
	}
	/* All taken: a flood of different nonsense. */
	if (spare == SAID_SLOTS)
		return false;
	all->said[spare].key = hash;
	all->said[spare].until_ms = now_ms + SAID_MS;
	return true;
}

static void
fill_info(struct mt_peer_info *info, const struct peer *peer)
{
	const struct conn *out = peer->out;

	*info = (struct mt_peer_info){
	    .addr = peer->addr,
	    .hello = peer->has_hello ? &peer->hello : NULL,
	    .is_out = out != NULL && out->state == CONN_LIVE,
	    .is_in = peer->in != NULL,
	    .is_up = peer->is_up,
	    .last_contact_ms = peer->last_contact_ms,
	    .changed_ms = peer->changed_ms,
	    .queued_bytes =
		out != NULL ? mt_stream_queued_bytes(out->stream) : 0,
	    .refusal = peer->refusal,
	    .last_error = peer->last_error,
	};
}

static bool
both_ways(const struct peer *peer)
{
	return !peer->is_removed && peer->out != NULL && peer->in != NULL &&
	       peer->out->state == CONN_LIVE &&
	       peer->out->theirs.nonce == peer->in->theirs.nonce;
}

void
peer__update_up(struct peer *peer, enum mt_peer_down reason)
{
	struct mt_peers *all = peer->all;
	bool is_up = both_ways(peer);
	struct mt_peer_info info;

	if (is_up == peer->is_up || all->is_closing)
		return;
	peer->is_up = is_up;
	peer->changed_ms = mt_clock_ms();
	if (is_up) {
		peer->refusal = MT_REFUSE_NONE;
		peer->last_error[0] = '\0';
		peer->logged[0] = '\0';
		mt_info("connected with \"%s\" at %s", peer->hello.name,
			peer->addr);
	} else {
		mt_info("lost \"%s\" at %s (%s)%s%s", peer->hello.name,
			peer->addr, mt_peer_down_name(reason),
			peer->last_error[0] != '\0' ? ": " : "",
			peer->last_error);
		mt_copy(peer->logged, sizeof(peer->logged), peer->last_error);
	}
	fill_info(&info, peer);
	if (is_up && all->cb.on_up != NULL)
		all->cb.on_up(all->arg, &info);
	else if (!is_up && all->cb.on_down != NULL)
		all->cb.on_down(all->arg, &info, reason);
}

void
peer__note(struct peer *peer, enum mt_refuse_code code, const char *text)
{
	mt_copy(peer->last_error, sizeof(peer->last_error), text);
	peer->refusal = code;
	/* A peer that was up gets its line when it goes down. */
	if (peer->is_up || mt_streq(peer->logged, peer->last_error))
		return;
	mt_copy(peer->logged, sizeof(peer->logged), peer->last_error);
	if (code != MT_REFUSE_NONE)
		mt_warn("peer %s: %s", peer->addr, text);
	else
		mt_info("peer %s: %s", peer->addr, text);
}

void
peer__take_hello(struct peer *peer, const struct mt_hello *theirs)
{
	/* Two streams bring it: an older one may come later. */
	if (peer->has_hello && peer->hello.nonce == theirs->nonce &&
	    theirs->revision < peer->hello.revision)
		return;
	peer->hello = *theirs;
	peer->has_hello = true;
}

/* Two processes claim one place: which came later? Both sides answer alike. */
static bool
are_we_later(const struct mt_peers *all, enum mt_refuse_code code,
	     const struct mt_hello *theirs)
{
	int64_t ours_ms = mt_clock_ms() - all->started_ms;
	int64_t theirs_ms = (int64_t)(theirs->age_ms & INT64_MAX);

	if (!(code == MT_REFUSE_MEMBER_ID ||
	      (code == MT_REFUSE_NAME &&
	       mt_streq(theirs->name, all->hello.name)) ||
	      (code == MT_REFUSE_ADDRESS &&
	       mt_streq(theirs->addr, all->hello.addr))))
		return false;
	if (theirs_ms - ours_ms > AGE_SLACK_MS)
		return true;
	if (ours_ms - theirs_ms > AGE_SLACK_MS)
		return false;
	return all->hello.nonce > theirs->nonce;
}

void
peers__tell_refused(struct mt_peers *all, enum mt_refuse_code code, bool by_us,
		    const char *addr, const struct mt_hello *theirs,
		    const char *text)
{
	struct mt_refusal refusal = {
	    .code = code,
	    .by_us = by_us,
	    .addr = addr,
	    .name = theirs != NULL ? theirs->name : "",
	    .text = text,
	};

	if (all->is_closing || all->cb.on_refused == NULL)
		return;
	if (theirs != NULL)
		refusal.we_are_later = are_we_later(all, code, theirs);
	all->cb.on_refused(all->arg, &refusal);
}

static void
connection_cb(uv_stream_t *listener, int status)
{
	struct mt_peers *all = listener->data;

	if (status != 0)
		mt_warn("could not accept a connection at the peer port: %s",
			uv_strerror(status));
	else if (!all->is_closing)
		conn__accept(all);
}

static int
listen_at(struct mt_peers *all, const struct sockaddr *sa)
{
	int rv = uv_tcp_bind(&all->listener, sa, 0);

	if (rv != 0)
		return rv;
	return uv_listen((uv_stream_t *)&all->listener, LISTEN_BACKLOG,
			 connection_cb);
}

/* Waits for a look-up if the host is a name: at start nothing else runs. */
static int
listen_on(struct mt_peers *all, const char *host, uint16_t port)
{
	const struct addrinfo hints = {
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	};
	char service[8], bare[MT_ADDR_HOST_MAX];
	bool is_any = host[0] == '\0' || mt_streq(host, "*");
	size_t n = strlen(host);
	struct sockaddr_storage ss;
	uv_getaddrinfo_t req;
	int rv;

	if (is_any) {
		/* Both families by one socket, where the kernel has both. */
		(void)mt_sockaddr_numeric("::", port, &ss);
		rv = listen_at(all, (const struct sockaddr *)&ss);
		if (rv != UV_EAFNOSUPPORT)
			return rv;
		(void)mt_sockaddr_numeric("0.0.0.0", port, &ss);
		return listen_at(all, (const struct sockaddr *)&ss);
	}
	mt_format(service, sizeof(service), "%u", (unsigned int)port);
	if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
		mt_copy(bare, sizeof(bare), host + 1);
		bare[strlen(bare) - 1] = '\0';
		host = bare;
	}
	rv = uv_getaddrinfo(all->loop, &req, NULL, host, service, &hints);
	if (rv != 0)
		return rv;
	rv = listen_at(all, req.addrinfo->ai_addr);
	uv_freeaddrinfo(req.addrinfo);
	return rv;
}

static void
set_options(struct mt_peers *all, const struct mt_peers_options *options)
{
	struct mt_peers_options *o = &all->o;

	*o = *options;
	o->bind_host = NULL;
	o->hello = NULL;
	o->secure = NULL;
	if (o->connect_timeout_ms == 0)
		o->connect_timeout_ms = 1000;
	if (o->hello_timeout_ms == 0)
		o->hello_timeout_ms = 2000;
	if (o->redial_min_ms == 0)
		o->redial_min_ms = 50;
	if (o->redial_max_ms == 0)
		o->redial_max_ms = 1000;
	if (o->refused_redial_ms == 0)
		o->refused_redial_ms = 1000;
	if (o->user_timeout_ms == 0)
		o->user_timeout_ms = 3000;
	if (o->ping_interval_ms == 0)
		o->ping_interval_ms = 1000;
}

static void
listener_closed_cb(uv_handle_t *handle)
{
	peers__freed(handle->data);
}

int
mt_peers_start(struct mt_peers **peers, uv_loop_t *loop,
	       const struct mt_peers_options *options,
	       const struct mt_peers_callbacks *callbacks, void *arg,
	       struct mt_err *err)
{
	struct mt_peers *all = calloc(1, sizeof(*all));
	int rv;

	if (all == NULL)
		return mt_err_set(err, MT_ENOMEM, "no memory for peers");
	all->loop = loop;
	all->cb = *callbacks;
	all->arg = arg;
	set_options(all, options);
	all->started_ms = mt_clock_ms();
	all->hello = *options->hello;
	all->hello.protocol = MT_HELLO_PROTOCOL;
	all->hello.nonce = mt_random_u64();
	all->hello.revision = 1;
	rv = uv_tcp_init(loop, &all->listener);
	if (rv != 0) {
		free(all);
		return mt_err_sys(err, -rv, "could not create a socket");
	}
	all->listener.data = all;
	all->n_open = 1;
	rv = listen_on(all, options->bind_host, options->bind_port);
	if (rv != 0) {
		uv_close((uv_handle_t *)&all->listener, listener_closed_cb);
		return mt_err_set(err, MT_ESYS,
				  "could not listen for peers on \"%s\" port "
				  "%u: %s",
				  options->bind_host,
				  (unsigned int)options->bind_port,
				  uv_strerror(rv));
	}
	all->o.secure = options->secure;
	*peers = all;
	return 0;
}

int
mt_peers_set_secure(struct mt_peers *peers, struct mt_secure *secure,
		    struct mt_err *err)
{
	struct mt_secure *old = peers->o.secure;

	if ((old == NULL) != (secure == NULL) ||
	    (old != NULL &&
	     mt_secure_is_password(old) != mt_secure_is_password(secure)))
		return mt_err_set(err, MT_EREFUSED,
				  "whether streams are encrypted, by a "
				  "password or by certificates, changes with a "
				  "restart of the daemon only");
	if (old == NULL || mt_secure_same(old, secure)) {
		mt_secure_unref(secure);
		return 0;
	}
	if (mt_secure_is_password(old))
		mt_secure_also(secure, old);
	peers->o.secure = secure;
	mt_secure_unref(old);
	for (struct peer *p = peers->peers; p != NULL; p = p->next)
		p->way = 0;
	return 0;
}

uint16_t
mt_peers_port(const struct mt_peers *peers)
{
	struct sockaddr_storage ss;
	int size = (int)sizeof(ss);
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	memset(&ss, 0, sizeof(ss));
	if (uv_tcp_getsockname(&peers->listener, (struct sockaddr *)&ss,
			       &size) != 0)
		return 0;
	if (ss.ss_family == AF_INET6) {
		memcpy(&v6, &ss, sizeof(v6));
		return ntohs(v6.sin6_port);
	}
	memcpy(&v4, &ss, sizeof(v4));
	return ntohs(v4.sin_port);
}

const struct mt_hello *
mt_peers_hello(const struct mt_peers *peers)
{
	return &peers->hello;
}

void
mt_peers_set_hello(struct mt_peers *peers, const struct mt_hello *hello)
{
	struct mt_hello h = *hello;
	struct conn *c;

	h.protocol = MT_HELLO_PROTOCOL;
	h.nonce = peers->hello.nonce;
	h.revision = peers->hello.revision + 1;
	peers->hello = h;
	for (c = peers->conns; c != NULL; c = c->next)
		if (c->state == CONN_LIVE ||
		    (c->state == CONN_HELLO && !c->is_in))
			conn__send_hello(c);
}

static void
peer_closed_cb(uv_handle_t *handle)
{
	struct peer *peer = handle->data;
	struct mt_peers *all = peer->all;

	free(peer);
	peers__freed(all);
}

/* Canonical address of a node; one to listen on is none. */
static int
node_addr(struct mt_addr *a, char text[MT_ADDR_MAX], const char *host,
	  uint16_t port, struct mt_err *err)
{
	int rv = mt_addr_set(a, host, port, err);

	if (rv != 0)
		return rv;
	mt_addr_format(a, text, MT_ADDR_MAX);
	if (mt_addr_is_wildcard(a))
		return mt_err_set(err, MT_EINVAL,
				  "\"%s\" is no address of a node", text);
	return 0;
}

int
mt_peers_add(struct mt_peers *peers, const char *host, uint16_t port,
	     struct mt_err *err)
{
	struct peer **last = &peers->peers, *peer;
	char addr[MT_ADDR_MAX];
	struct mt_addr a;
	int rv;

	rv = node_addr(&a, addr, host, port, err);
	if (rv != 0)
		return rv;
	if (mt_streq(addr, peers->hello.addr))
		return mt_err_set(err, MT_EREFUSED,
				  "%s is this node's own address", addr);
	for (; *last != NULL; last = &(*last)->next)
		if (mt_streq((*last)->addr, addr))
			return 0;
	peer = calloc(1, sizeof(*peer));
	if (peer == NULL)
		return mt_err_set(err, MT_ENOMEM, "no memory for peer %s",
				  addr);
	peer->all = peers;
	mt_copy(peer->host, sizeof(peer->host), a.host);
	peer->port = a.port;
	mt_copy(peer->addr, sizeof(peer->addr), addr);
	peer->changed_ms = mt_clock_ms();
	uv_timer_init(peers->loop, &peer->timer);
	peer->timer.data = peer;
	peers->n_open++;
	*last = peer;
	peer__dial_in(peer, 0);
	return 0;
}

/* Take it out of the list and end all it has. Memory goes with its timer. */
static void
peer_end(struct peer *peer)
{
	struct peer **p = &peer->all->peers;

	while (*p != peer)
		p = &(*p)->next;
	*p = peer->next;
	peer->is_removed = true;
	peer__dial_stop(peer);
	if (peer->out != NULL)
		conn__close(peer->out);
	if (peer->in != NULL)
		conn__close(peer->in);
	uv_close((uv_handle_t *)&peer->timer, peer_closed_cb);
	peer__update_up(peer, MT_PEER_REMOVED);
}

int
mt_peers_remove(struct mt_peers *peers, const char *host, uint16_t port)
{
	char addr[MT_ADDR_MAX];
	struct mt_addr a;
	struct peer *peer;

	if (node_addr(&a, addr, host, port, NULL) != 0)
		return MT_EINVAL;
	peer = peers__find(peers, addr);
	if (peer == NULL)
		return MT_ENOENT;
	peer_end(peer);
	return 0;
}

static bool
send_to(struct peer *peer, enum mt_frame_kind kind, const void *payload,
	size_t n)
{
	if (peer == NULL || peer->out == NULL)
		return false;
	if ((int)kind < 0 || (int)kind > 31 ||
	    (MT_FRAME_BIT(kind) & MT_FRAME_OWNER_KINDS) == 0 ||
	    n > (size_t)mt_frame_max_bytes((int)kind)) {
		mt_error("frame \"%s\" of %zu bytes to %s is out of bounds",
			 mt_frame_kind_name((int)kind), n, peer->addr);
		return false;
	}
	return conn__send(peer->out, kind, payload, n);
}

bool
mt_peers_send(struct mt_peers *peers, uint64_t member_id,
	      enum mt_frame_kind kind, const void *payload, size_t n)
{
	struct peer *peer = peers->peers;

	while (peer != NULL &&
	       !(peer->has_hello && peer->hello.member_id == member_id &&
		 peer->out != NULL && peer->out->state == CONN_LIVE))
		peer = peer->next;
	return member_id != 0 && send_to(peer, kind, payload, n);
}

bool
mt_peers_send_addr(struct mt_peers *peers, const char *addr,
		   enum mt_frame_kind kind, const void *payload, size_t n)
{
	return send_to(peers__find(peers, addr), kind, payload, n);
}

void
mt_peers_each(struct mt_peers *peers,
	      void (*cb)(void *arg, const struct mt_peer_info *peer), void *arg)
{
	struct mt_peer_info info;
	struct peer *peer;

	for (peer = peers->peers; peer != NULL; peer = peer->next) {
		fill_info(&info, peer);
		cb(arg, &info);
	}
}

void
mt_peers_close(struct mt_peers *peers, void (*closed_cb)(void *arg), void *arg)
{
	MT_ASSERT(!peers->is_closing);
	peers->is_closing = true;
	peers->closed_cb = closed_cb;
	peers->closed_arg = arg;
	while (peers->peers != NULL)
		peer_end(peers->peers);
	while (peers->conns != NULL)
		conn__close(peers->conns);
	uv_close((uv_handle_t *)&peers->listener, listener_closed_cb);
}
