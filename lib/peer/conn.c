/* SPDX-License-Identifier: PostgreSQL */
/*
 * One connection, dialled or accepted: deadlines, frames, end.
 *
 * Happy path: it is made (dialled or accepted), its hellos go through
 * handshake.c, then the dialler writes the owner's frames and the acceptor
 * delivers them. Failure: bytes out of form close it with one line in the log;
 * after last words it lingers until the other side has read them; a queue that
 * only grows ends it.
 * Does not dial again and does not decide up or down: the peer does.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "peer/peers_internal.h"

static void
handle_gone(struct conn *c)
{
	struct mt_peers *all = c->all;

	if (--c->n_open > 0)
		return;
	mt_frame_decoder_release(&c->decoder);
	free(c);
	peers__freed(all);
}

static void
timer_closed_cb(uv_handle_t *handle)
{
	handle_gone(handle->data);
}

void
conn__close(struct conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	c->state = CONN_CLOSED;
	*c->back = c->next;
	if (c->next != NULL)
		c->next->back = c->back;
	if (c->is_unproven)
		c->all->n_unproven--;
	if (c->peer != NULL && c->peer->out == c)
		c->peer->out = NULL;
	if (c->peer != NULL && c->peer->in == c)
		c->peer->in = NULL;
	c->peer = NULL;
	mt_stream_close(c->stream);
	uv_close((uv_handle_t *)&c->timer, timer_closed_cb);
}

static enum mt_peer_down
down_reason(int status)
{
	switch (status) {
	case UV_EOF:
		return MT_PEER_CLOSED;
	case UV_ECONNRESET:
	case UV_EPIPE:
		return MT_PEER_RESET;
	case UV_ETIMEDOUT:
		return MT_PEER_TIMEOUT;
	default:
		return MT_PEER_FAILED;
	}
}

/* An end that nobody here chose. text says why. */
void
conn__fail(struct conn *c, enum mt_peer_down reason, bool refused,
	   enum mt_refuse_code code, const char *text)
{
	enum conn_state state = c->state;
	struct peer *peer = c->peer;
	bool was_out = !c->is_in, is_news = true;

	conn__close(c);
	if (peer == NULL || peer->is_removed)
		return;
	if (was_out && state != CONN_LIVE)
		peer__other_way(peer);
	/* That it hung up says less than a refusal that still stands, and of
	 * several addresses the last one's error is told: else each round of
	 * dialling would change the story, and log it. */
	if (!was_out && reason != MT_PEER_PROTOCOL)
		is_news = peer->is_up || peer->refusal == MT_REFUSE_NONE;
	else if (was_out && state == CONN_CONNECTING)
		is_news = peer->i_addr + 1 >= peer->n_addrs;
	if (is_news)
		peer__note(peer, code, text);
	if (was_out && state == CONN_CONNECTING)
		peer__dial_next(peer);
	else if (was_out)
		peer__redial(peer, refused);
	peer__update_up(peer, reason);
}

/* Bytes out of form: one line. */
void
conn__fail_form(struct conn *c, const char *what)
{
	char text[640];

	mt_format(text, sizeof(text), "closed the stream %s %s: %s",
		  c->is_in ? "from" : "to", c->from, what);
	if (c->peer == NULL && peers__may_log(c->all, what))
		mt_warn("%s", text);
	conn__fail(c, MT_PEER_PROTOCOL, false, MT_REFUSE_NONE, text);
}

static void
doom_cb(uv_timer_t *timer)
{
	struct conn *c = timer->data;

	conn__fail(c, c->doom, false, MT_REFUSE_NONE,
		   c->doom == MT_PEER_OVERFLOW
		       ? "it does not take what is written, the queue is full"
		       : "could not write");
}

/* End it, but not from inside the owner's call. */
static void
doom(struct conn *c, enum mt_peer_down reason)
{
	c->doom = reason;
	c->decoder.kinds = 0;
	uv_timer_start(&c->timer, doom_cb, 0, 0);
}

static bool
is_doomed(const struct conn *c)
{
	return uv_is_active((const uv_handle_t *)&c->timer) &&
	       c->state == CONN_LIVE;
}

/* Copy a frame to the stream; false: no memory, or the stream is broken. */
bool
conn__put_frame(struct conn *c, enum mt_frame_kind kind, const void *payload,
		size_t n)
{
	uint8_t *buf = malloc(MT_FRAME_HEADER_BYTES + n);

	if (buf == NULL)
		return false;
	mt_frame_put_header(buf, kind, n);
	if (n > 0)
		memcpy(buf + MT_FRAME_HEADER_BYTES, payload, n);
	return mt_stream_write(c->stream, buf, MT_FRAME_HEADER_BYTES + n,
			       NULL) == 0;
}

bool
conn__send(struct conn *c, enum mt_frame_kind kind, const void *payload,
	   size_t n)
{
	size_t queued_bytes;

	if (c->state != CONN_LIVE || is_doomed(c))
		return false;
	queued_bytes = mt_stream_queued_bytes(c->stream);
	if (queued_bytes + MT_FRAME_HEADER_BYTES + n > MAX_QUEUED_BYTES) {
		/* What else is lost is sent again or is worthless by now; Raft
		 * must not go on behind a gap for long. */
		if (kind == MT_FRAME_RAFT)
			doom(c, MT_PEER_OVERFLOW);
		return false;
	}
	if (!conn__put_frame(c, kind, payload, n)) {
		doom(c, MT_PEER_FAILED);
		return false;
	}
	c->peer->last_sent_ms = mt_clock_ms();
	return true;
}

static void
deadline_cb(uv_timer_t *timer)
{
	struct conn *c = timer->data;
	char text[MT_ADDR_MAX + 64];

	if (c->state == CONN_LINGER) {
		conn__close(c);
		return;
	}
	if (c->state == CONN_CONNECTING)
		mt_format(text, sizeof(text),
			  "could not connect to %s: no answer within %u ms",
			  c->from, c->all->o.connect_timeout_ms);
	else
		mt_format(text, sizeof(text), "no hello %s %s within %u ms",
			  c->is_in ? "from" : "in answer from", c->from,
			  c->all->o.hello_timeout_ms);
	if (c->is_in && peers__may_log(c->all, "no hello"))
		mt_info("%s", text);
	conn__fail(c, MT_PEER_TIMEOUT, false, MT_REFUSE_NONE, text);
}

/* The last words are written: let the other side read them. Closing at once
 * with its bytes unread would reset the stream and may take them away. */
void
conn__linger(struct conn *c)
{
	c->state = CONN_LINGER;
	mt_stream_finish(c->stream);
	uv_timer_start(&c->timer, deadline_cb, LINGER_MS, 0);
}

/* The decoder lets through only what fits direction and state. */
static int
frame_cb(void *arg, enum mt_frame_kind kind, const uint8_t *payload, size_t n)
{
	struct conn *c = arg;
	struct mt_peers *all = c->all;

	if (c->state == CONN_LIVE)
		c->peer->last_contact_ms = mt_clock_ms();
	if ((MT_FRAME_BIT(kind) & MT_FRAME_OWNER_KINDS) != 0) {
		if (all->cb.on_frame != NULL)
			all->cb.on_frame(all->arg, &c->theirs, kind, payload,
					 n);
	} else if (kind != MT_FRAME_PING) {
		conn__hello_frame(c, kind, payload, n);
	}
	return c->state == CONN_CLOSED || c->state == CONN_LINGER;
}

static bool
looks_like_http(const uint8_t *p, size_t n)
{
	static const char methods[][5] = {"GET ", "HEAD", "POST", "PUT ",
					  "DELE", "OPTI", "PATC", "CONN",
					  "TRAC", "PRI "};

	for (size_t i = 0; n >= 4 && i < MT_COUNT(methods); i++)
		if (memcmp(p, methods[i], 4) == 0)
			return true;
	return false;
}

static void
answer_http(struct conn *c)
{
	static const char body[] = "this port is for the streams between "
				   "Matriarch's nodes; the REST API listens at "
				   "\"restapi.listen\"\n";
	char *buf = malloc(512);
	struct mt_err err;

	if (peers__may_log(c->all, "HTTP"))
		mt_info("an HTTP request came to the peer port from %s",
			c->from);
	if (buf != NULL) {
		mt_format(buf, 512,
			  "HTTP/1.1 400 Bad Request\r\n"
			  "Content-Type: text/plain\r\n"
			  "Content-Length: %zu\r\n"
			  "Connection: close\r\n\r\n%s",
			  sizeof(body) - 1, body);
		/* Nothing is lost if it cannot be written. */
		if (mt_stream_write(c->stream, (uint8_t *)buf, strlen(buf),
				    &err) != 0)
			mt_debug("%s: %s", c->from, err.text);
	}
	conn__linger(c);
}

static void
bytes_cb(void *arg, const uint8_t *p, size_t n)
{
	struct conn *c = arg;
	const uint8_t *first = p;
	size_t n_first = n;
	struct mt_err err;
	int rv;

	if (c->state == CONN_LINGER || is_doomed(c))
		return;
	if (c->is_in && c->all->o.secure != NULL && !c->all->o.is_insecure &&
	    mt_stream_is_plain(c->stream)) {
		if (looks_like_http(p, n))
			answer_http(c);
		else
			conn__refuse(c, MT_REFUSE_INSECURE, NULL,
				     "the streams to this node are encrypted, "
				     "and this one is not: give both the same "
				     "\"raft.password\", or certificates");
		return;
	}
	/* A header that came in pieces is whole in the decoder. */
	if (c->decoder.n > 0) {
		first = c->decoder.buf;
		n_first = MT_FRAME_HEADER_BYTES;
	}
	rv = mt_frame_feed(&c->decoder, p, n, frame_cb, c, &err);
	if (rv >= 0)
		return;
	if (c->is_in && c->state == CONN_HELLO &&
	    looks_like_http(first, n_first))
		answer_http(c);
	else if (c->is_in && c->state == CONN_HELLO && n_first >= 2 &&
		 first[0] == 22 && first[1] == 3)
		conn__fail_form(c, "it is encrypted, and this node has neither "
				   "\"raft.password\" nor \"raft.certfile\"");
	else
		conn__fail_form(c, err.text);
}

static void
open_cb(void *arg)
{
	struct conn *c = arg;

	c->state = CONN_HELLO;
	uv_timer_start(&c->timer, deadline_cb, c->all->o.hello_timeout_ms, 0);
	conn__send_hello(c);
}

static void
end_cb(void *arg, int status)
{
	char text[MT_ADDR_MAX + 320];
	struct conn *c = arg;

	if (c->state == CONN_LINGER) {
		conn__close(c);
		return;
	}
	if (mt_stream_trouble(c->stream)[0] != '\0') {
		mt_format(text, sizeof(text), "%s %s: %s",
			  c->is_in ? "no hello from" : "could not connect to",
			  c->from, mt_stream_trouble(c->stream));
		/* a dialled one's owner is told by its peer */
		if (c->is_in && peers__may_log(c->all, "TLS"))
			mt_warn("%s", text);
	} else if (c->state == CONN_CONNECTING)
		mt_format(text, sizeof(text), "could not connect to %s: %s",
			  c->from, uv_strerror(status));
	else if (c->state == CONN_HELLO)
		mt_format(text, sizeof(text), "no hello %s %s: %s",
			  c->is_in ? "from" : "in answer from", c->from,
			  status == UV_EOF ? "closed by the other side"
					   : uv_strerror(status));
	else
		/* The same words for both streams: mostly they end together,
		 * and that is one line. */
		mt_format(text, sizeof(text), "%s",
			  status == UV_EOF ? "closed by the other side"
					   : uv_strerror(status));
	conn__fail(c, down_reason(status), false, MT_REFUSE_NONE, text);
}

static void
stream_closed_cb(void *arg)
{
	handle_gone(arg);
}

static const struct mt_stream_events events = {
    .on_open = open_cb,
    .on_bytes = bytes_cb,
    .on_end = end_cb,
    .on_closed = stream_closed_cb,
};

static struct conn *
conn_new(struct mt_peers *all, bool is_in, enum conn_state state,
	 uint32_t kinds)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->all = all;
	c->is_in = is_in;
	c->state = state;
	mt_frame_decoder_init(&c->decoder, kinds);
	return c;
}

/* The stream is there: count and list it, start its deadline. */
static void
conn_begin(struct conn *c, unsigned int deadline_ms)
{
	struct mt_peers *all = c->all;

	uv_timer_init(all->loop, &c->timer);
	c->timer.data = c;
	c->n_open = 2;
	all->n_open++;
	c->next = all->conns;
	c->back = &all->conns;
	if (c->next != NULL)
		c->next->back = &c->next;
	all->conns = c;
	uv_timer_start(&c->timer, deadline_cb, deadline_ms, 0);
}

int
conn__dial(struct peer *peer, const struct sockaddr *to, struct mt_err *err)
{
	struct mt_peers *all = peer->all;
	struct mt_secure *secure = all->o.secure;
	struct conn *c;
	int rv;

	c = conn_new(all, false, CONN_CONNECTING,
		     MT_FRAME_BIT(MT_FRAME_HELLO_ACK) |
			 MT_FRAME_BIT(MT_FRAME_HELLO_REFUSE));
	if (c == NULL)
		return mt_err_set(err, MT_ENOMEM, "no memory for a stream");
	mt_sockaddr_text(c->from, to);
	/* the ways are its keys, then none */
	if (secure != NULL && peer->way >= mt_secure_keys(secure))
		secure = NULL;
	rv = mt_stream_dial(&c->stream, all->loop, to, secure, peer->way,
			    all->o.user_timeout_ms, &events, c, err);
	if (rv != 0) {
		free(c);
		return mt_err_prefix(err, "%s", peer->addr);
	}
	c->seq = ++all->connection_seq;
	c->peer = peer;
	peer->out = c;
	/* with a handshake the other process, too, has to do something */
	conn_begin(c,
		   all->o.connect_timeout_ms +
		       (all->o.secure != NULL ? all->o.hello_timeout_ms : 0));
	return 0;
}

void
conn__accept(struct mt_peers *all)
{
	struct sockaddr_storage ss;
	struct mt_err err;
	struct conn *c;
	char why[512];

	c = conn_new(all, true, CONN_HELLO, MT_FRAME_BIT(MT_FRAME_HELLO));
	if (c == NULL) {
		mt_error("no memory for a stream");
		return;
	}
	if (mt_stream_accept(&c->stream, (uv_stream_t *)&all->listener,
			     all->o.secure, all->o.user_timeout_ms, &events, c,
			     &err) != 0) {
		mt_warn("%s", err.text);
		free(c);
		return;
	}
	c->is_unproven = true;
	all->n_unproven++;
	conn_begin(c, all->o.hello_timeout_ms);
	if (!mt_stream_peer(c->stream, &ss)) {
		conn__close(c);
		return;
	}
	mt_sockaddr_text(c->from, (const struct sockaddr *)&ss);
	if (all->n_unproven > MAX_UNPROVEN) {
		if (peers__may_log(all, "too many"))
			mt_warn("closed a connection from %s: %d others have "
				"not said hello yet",
				c->from, MAX_UNPROVEN);
		conn__close(c);
	} else if (all->o.secure == NULL && !all->o.is_insecure &&
		   !mt_sockaddr_is_loopback((const struct sockaddr *)&ss)) {
		mt_format(why, sizeof(why),
			  "plain text from %s is not allowed: it is not a "
			  "loopback address and \"raft.insecure\" is not set",
			  c->from);
		conn__refuse(c, MT_REFUSE_INSECURE, NULL, why);
	}
}
