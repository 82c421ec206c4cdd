/* SPDX-License-Identifier: PostgreSQL */
/*
 * The hello on a connection: sending it, judging the other's, accepting.
 *
 * Happy path, dialled: send hello, get hello_ack. Accepted: get hello, judge
 * it, send hello_ack. Both ends judge. Either side sends its half anew when its
 * hello changes. Failure: the acceptor refuses in words, the dialler closes;
 * both tell their owners. A connection that another one replaces is closed
 * before the new one counts, so that nothing of the old one is delivered after
 * something of the new one.
 * The rules themselves are in hello.c, and in the owner's on_hello.
 */
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "peer/peers_internal.h"

void
conn__send_hello(struct conn *c)
{
	struct mt_hello h = c->all->hello;
	uint8_t payload[MT_HELLO_BYTES_MAX];
	size_t n;

	h.connection_seq = c->seq;
	h.age_ms = (uint64_t)(mt_clock_ms() - c->all->started_ms);
	n = mt_hello_encode(&h, payload);
	/* One that could not be written shows at the hello deadline, or by the
	 * broken stream. */
	(void)conn__put_frame(c, c->is_in ? MT_FRAME_HELLO_ACK : MT_FRAME_HELLO,
			      payload, n);
}

/* An accepted connection is refused in words. theirs may be NULL. */
void
conn__refuse(struct conn *c, enum mt_refuse_code code,
	     const struct mt_hello *theirs, const char *text)
{
	struct mt_peers *all = c->all;
	struct mt_hello_refuse r = {.code = code};
	struct peer *peer = c->peer;
	uint8_t payload[MT_HELLO_BYTES_MAX];

	if (peer == NULL && theirs != NULL)
		peer = peers__find(all, theirs->addr);
	mt_copy(r.text, sizeof(r.text), text);
	if (code != MT_REFUSE_INSECURE) {
		r.nonce = all->hello.nonce;
		r.age_ms = (uint64_t)(mt_clock_ms() - all->started_ms);
		mt_copy(r.name, sizeof(r.name), all->hello.name);
		mt_copy(r.addr, sizeof(r.addr), all->hello.addr);
	}
	(void)conn__put_frame(c, MT_FRAME_HELLO_REFUSE, payload,
			      mt_hello_refuse_encode(&r, payload));
	conn__linger(c);
	if (c->peer != NULL) {
		c->peer->in = NULL;
		c->peer = NULL;
	}
	/* While it is up, it is another process that was refused. */
	if (peer != NULL && !peer->is_up)
		peer__note(peer, code, text);
	else if (peers__may_log(all, text))
		mt_warn("refused a stream from %s: %s", c->from, text);
	peers__tell_refused(all, code, true, theirs != NULL ? theirs->addr : "",
			    theirs, text);
	if (peer != NULL && !peer->is_removed)
		peer__update_up(peer, MT_PEER_REFUSED);
}

/* Protocol's rules and owner's. A hello sent anew must be of the same node. */
static enum mt_refuse_code
judge(struct conn *c, const struct mt_hello *theirs, char *why, size_t size)
{
	struct mt_peers *all = c->all;
	enum mt_refuse_code code;
	struct mt_addr at;
	bool replaces;

	/* one of another protocol's version has no address */
	if (theirs->addr[0] != '\0' &&
	    (mt_addr_parse(&at, theirs->addr, 0, NULL) != 0 ||
	     !mt_stream_is_host(c->stream, at.host))) {
		mt_format(why, size,
			  "\"%s\" says that it is at %s, and its certificate "
			  "is not for that host: its subjectAltName has to "
			  "name the host of its \"raft.self_addr\"",
			  theirs->name, theirs->addr);
		return MT_REFUSE_CERTIFICATE;
	}
	code = mt_hello_check(&all->hello, theirs, why, size);
	if (code != MT_REFUSE_NONE)
		return code;
	if (!c->is_in && !mt_streq(theirs->addr, c->peer->addr)) {
		mt_format(why, size,
			  "dialled %s, but \"%s\" says that it is at %s",
			  c->peer->addr, theirs->name, theirs->addr);
		return MT_REFUSE_ADDRESS;
	}
	for (struct conn *o = all->conns; c->is_in && o != NULL; o = o->next) {
		if (o == c || !o->is_in || o->state != CONN_LIVE)
			continue;
		code =
		    mt_hello_succeeds(&o->theirs, theirs, &replaces, why, size);
		if (code != MT_REFUSE_NONE)
			return code;
	}
	why[0] = '\0';
	if (all->cb.on_hello != NULL &&
	    all->cb.on_hello(all->arg, theirs, why, size) != 0)
		return MT_REFUSE_OWNER;
	if (c->is_in && c->state != CONN_CLOSED &&
	    peers__find(all, theirs->addr) == NULL) {
		mt_format(why, size, "%s is no peer of \"%s\" at %s",
			  theirs->addr, all->hello.name, all->hello.addr);
		return MT_REFUSE_NOT_LISTED;
	}
	return MT_REFUSE_NONE;
}

static bool
is_same_node(const struct conn *c, const struct mt_hello *theirs)
{
	return c->theirs.nonce == theirs->nonce &&
	       c->theirs.connection_seq == theirs->connection_seq &&
	       mt_streq(c->theirs.name, theirs->name) &&
	       mt_streq(c->theirs.addr, theirs->addr);
}

/* The first hello of an accepted connection is good: this is the stream of
 * that peer from now on. */
static void
enter(struct conn *c, struct peer *peer)
{
	struct conn *old = peer->in;

	if (old != NULL) {
		conn__close(old);
		peer__update_up(peer, MT_PEER_REPLACED);
		if (peer->is_removed || c->state == CONN_CLOSED)
			return;
	}
	c->state = CONN_LIVE;
	c->is_unproven = false;
	c->all->n_unproven--;
	c->peer = peer;
	peer->in = c;
	uv_timer_stop(&c->timer);
	c->decoder.kinds = MT_FRAME_BIT(MT_FRAME_HELLO) |
			   MT_FRAME_BIT(MT_FRAME_PING) | MT_FRAME_OWNER_KINDS;
	conn__send_hello(c);
	peer->last_contact_ms = mt_clock_ms();
	peer__take_hello(peer, &c->theirs);
	/* It lives: no reason to wait any longer. A stream of ours to an
	 * earlier process leads nowhere. */
	if (peer->out != NULL && peer->out->state == CONN_LIVE &&
	    peer->out->theirs.nonce != c->theirs.nonce) {
		conn__close(peer->out);
		peer__dial_in(peer, 0);
	} else if (peer->out == NULL && peer->lookup == NULL) {
		peer__dial_in(peer, 0);
	}
	peer__update_up(peer, MT_PEER_REPLACED);
}

static void
on_hello(struct conn *c, const struct mt_hello *theirs)
{
	char why[MT_HELLO_TEXT_MAX] = "";
	enum mt_refuse_code code;

	if (c->state == CONN_LIVE && !is_same_node(c, theirs)) {
		conn__fail_form(c, "a hello sent anew is of another node");
		return;
	}
	code = judge(c, theirs, why, sizeof(why));
	if (c->state == CONN_CLOSED)
		return;
	if (code != MT_REFUSE_NONE) {
		conn__refuse(c, code, theirs, why);
		return;
	}
	c->theirs = *theirs;
	if (c->state == CONN_HELLO) {
		enter(c, peers__find(c->all, theirs->addr));
		return;
	}
	conn__send_hello(c);
	peer__take_hello(c->peer, theirs);
}

static void
on_hello_ack(struct conn *c, const struct mt_hello *theirs)
{
	struct mt_peers *all = c->all;
	char why[MT_HELLO_TEXT_MAX] = "";
	struct peer *peer = c->peer;
	enum mt_refuse_code code;

	if (c->state == CONN_LIVE && !is_same_node(c, theirs)) {
		conn__fail_form(c, "a hello sent anew is of another node");
		return;
	}
	code = judge(c, theirs, why, sizeof(why));
	if (c->state == CONN_CLOSED)
		return;
	if (code != MT_REFUSE_NONE) {
		peers__tell_refused(all, code, true, peer->addr, theirs, why);
		if (c->state != CONN_CLOSED)
			conn__fail(c, MT_PEER_REFUSED, true, code, why);
		return;
	}
	c->theirs = *theirs;
	peer->last_contact_ms = mt_clock_ms();
	peer__take_hello(peer, theirs);
	if (c->state == CONN_LIVE)
		return;
	c->state = CONN_LIVE;
	uv_timer_stop(&c->timer);
	peer->last_sent_ms = peer->last_contact_ms;
	peer__dial_done(peer);
	peer__update_up(peer, MT_PEER_REPLACED);
}

/* We were refused. */
static void
on_hello_refuse(struct conn *c, const struct mt_hello_refuse *r)
{
	struct mt_hello theirs = {
	    .nonce = r->nonce,
	    .age_ms = r->age_ms,
	};
	struct peer *peer = c->peer;
	const char *text = r->text;
	struct mt_peers *all = c->all;

	mt_copy(theirs.name, sizeof(theirs.name), r->name);
	mt_copy(theirs.addr, sizeof(theirs.addr), r->addr);
	peers__tell_refused(all, r->code, false, peer->addr, &theirs, text);
	if (c->state != CONN_CLOSED)
		conn__fail(c, MT_PEER_REFUSED, true, r->code, text);
}

void
conn__hello_frame(struct conn *c, enum mt_frame_kind kind, const uint8_t *p,
		  size_t n)
{
	struct mt_hello_refuse r;
	struct mt_hello theirs;
	struct mt_err err;
	int rv;

	if (kind == MT_FRAME_HELLO_REFUSE)
		rv = mt_hello_refuse_decode(&r, p, n, &err);
	else
		rv = mt_hello_decode(&theirs, p, n, &err);
	if (rv != 0)
		conn__fail_form(c, err.text);
	else if (kind == MT_FRAME_HELLO_REFUSE)
		on_hello_refuse(c, &r);
	else if (kind == MT_FRAME_HELLO)
		on_hello(c, &theirs);
	else
		on_hello_ack(c, &theirs);
}
