/* SPDX-License-Identifier: PostgreSQL */
/*
 * The byte stream: a TCP socket under libuv, and a pump of secure.c between it
 * and the owner, where it is encrypted.
 *
 * Happy path: dial or accept, bytes both ways, close. The kernel watches the
 * connection: keepalive probes where nothing is sent and TCP_USER_TIMEOUT for
 * both end a stream to a host that went away; no clock of ours is needed, so a
 * process that was stopped and continued does not cut its own streams.
 * Failure: the first error of read, write or connect is told once by on_end.
 * No deadlines for connecting and no framing here.
 */
#include "peer/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"

#define READ_BYTES 16384
#define KEEPALIVE_IDLE_S 1
#define TLS_HANDSHAKE 22 /* the first byte of whoever speaks TLS */

struct mt_stream {
	uv_tcp_t tcp;
	uv_connect_t connect;
	uv_shutdown_t shutdown;
	const struct mt_stream_events *events;
	void *arg;
	struct mt_pump *pump; /* NULL: plain */
	bool is_dialled;
	bool is_begun; /* on_open was called, or first bytes came */
	unsigned int user_timeout_ms;
	bool is_over; /* on_end was called, or close: silence */
	char trouble[256];
	char buf[READ_BYTES];
};

struct write {
	uv_write_t req;
	uint8_t *buf; /* owned */
};

static void
end(struct mt_stream *s, int status)
{
	if (s->is_over)
		return;
	s->is_over = true;
	s->events->on_end(s->arg, status);
}

static void
alloc_cb(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct mt_stream *s = handle->data;

	(void)suggested;
	*buf = uv_buf_init(s->buf, sizeof(s->buf));
}

static void
write_cb(uv_write_t *req, int status)
{
	struct write *w = container_of(req, struct write, req);
	struct mt_stream *s = req->handle->data;

	free(w->buf);
	free(w);
	if (status != 0)
		end(s, status);
}

/* buf is taken */
static int
write_raw(struct mt_stream *s, uint8_t *buf, size_t n, struct mt_err *err)
{
	struct write *w = malloc(sizeof(*w));
	uv_buf_t b;
	int rv;

	if (w == NULL) {
		free(buf);
		return mt_err_set(err, MT_ENOMEM, "no memory for a write");
	}
	w->buf = buf;
	b = uv_buf_init((char *)buf, (unsigned int)n);
	rv = uv_write(&w->req, (uv_stream_t *)&s->tcp, &b, 1, write_cb);
	if (rv != 0) {
		free(w->buf);
		free(w);
		return mt_err_sys(err, -rv, "could not write");
	}
	return 0;
}

/* What the pump has made goes out. */
static int
flush(struct mt_stream *s, struct mt_err *err)
{
	size_t n;
	uint8_t *buf = mt_pump_take(s->pump, &n);

	return buf != NULL ? write_raw(s, buf, n, err) : 0;
}

/* Let the pump work with what has come, and tell what comes of it. */
static void
pump(struct mt_stream *s)
{
	uint8_t plain[READ_BYTES];
	struct mt_err err = {0};
	ssize_t n;

	do {
		n = mt_pump_read(s->pump, plain, sizeof(plain), &err);
		/* Also what it says to the other side about a failure. */
		if (flush(s, NULL) != 0 && n >= 0)
			n = -MT_PUMP_END;
		if (s->is_dialled && !s->is_begun &&
		    mt_pump_is_ready(s->pump)) {
			s->is_begun = true;
			s->events->on_open(s->arg);
		}
		if (n > 0 && !s->is_over)
			s->events->on_bytes(s->arg, plain, (size_t)n);
	} while (n > 0 && !s->is_over);
	if (n == -MT_PUMP_BROKEN) {
		mt_copy(s->trouble, sizeof(s->trouble), err.text);
		end(s, UV_EPROTO);
	} else if (n == -MT_PUMP_END) {
		end(s, UV_EOF);
	}
}

static void
read_cb(uv_stream_t *tcp, ssize_t n, const uv_buf_t *buf)
{
	struct mt_stream *s = tcp->data;

	if (n == 0 || s->is_over)
		return;
	if (n < 0) {
		end(s, (int)n);
		return;
	}
	if (s->pump != NULL && !s->is_dialled && !s->is_begun &&
	    buf->base[0] != TLS_HANDSHAKE) {
		mt_pump_free(s->pump);
		s->pump = NULL;
	}
	s->is_begun = s->is_begun || !s->is_dialled;
	if (s->pump == NULL) {
		s->events->on_bytes(s->arg, (const uint8_t *)buf->base,
				    (size_t)n);
		return;
	}
	mt_pump_put(s->pump, (const uint8_t *)buf->base, (size_t)n);
	pump(s);
}

/* Options are an improvement, not a need: a kernel that has none of them still
 * has a working stream. */
static void
set_options(struct mt_stream *s)
{
	unsigned int timeout_ms = s->user_timeout_ms;
	uv_os_fd_t fd;

	uv_tcp_nodelay(&s->tcp, 1);
	uv_tcp_keepalive(&s->tcp, 1, KEEPALIVE_IDLE_S);
	if (uv_fileno((uv_handle_t *)&s->tcp, &fd) == 0)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms,
				 sizeof(timeout_ms));
}

static void
connect_cb(uv_connect_t *req, int status)
{
	struct mt_stream *s = container_of(req, struct mt_stream, connect);

	if (s->is_over)
		return;
	if (status == 0)
		status =
		    uv_read_start((uv_stream_t *)&s->tcp, alloc_cb, read_cb);
	if (status != 0)
		end(s, status);
	else if (s->pump != NULL)
		pump(s); /* it has the first word */
	else
		s->events->on_open(s->arg);
}

static void
closed_cb(uv_handle_t *handle)
{
	struct mt_stream *s = handle->data;

	if (s->events != NULL)
		s->events->on_closed(s->arg);
	mt_pump_free(s->pump);
	free(s);
}

/* Nobody above knows of it yet: close it without a word. */
static void
abandon(struct mt_stream *s)
{
	s->is_over = true;
	s->events = NULL;
	uv_close((uv_handle_t *)&s->tcp, closed_cb);
}

static struct mt_stream *
stream_new(uv_loop_t *loop, struct mt_secure *secure, bool is_dialled,
	   unsigned int key, unsigned int user_timeout_ms,
	   const struct mt_stream_events *events, void *arg, struct mt_err *err)
{
	struct mt_stream *s = calloc(1, sizeof(*s));
	int rv;

	if (s == NULL) {
		mt_err_set(err, MT_ENOMEM, "no memory for a stream");
		return NULL;
	}
	if (secure != NULL &&
	    mt_pump_new(&s->pump, secure, !is_dialled, key, err) != 0) {
		free(s);
		return NULL;
	}
	rv = uv_tcp_init(loop, &s->tcp);
	if (rv != 0) {
		mt_err_sys(err, -rv, "could not create a socket");
		mt_pump_free(s->pump);
		free(s);
		return NULL;
	}
	s->tcp.data = s;
	s->events = events;
	s->arg = arg;
	s->user_timeout_ms = user_timeout_ms;
	s->is_dialled = is_dialled;
	return s;
}

int
mt_stream_dial(struct mt_stream **s, uv_loop_t *loop, const struct sockaddr *to,
	       struct mt_secure *secure, unsigned int key,
	       unsigned int user_timeout_ms,
	       const struct mt_stream_events *events, void *arg,
	       struct mt_err *err)
{
	struct mt_stream *t;
	int rv;

	t = stream_new(loop, secure, true, key, user_timeout_ms, events, arg,
		       err);
	if (t == NULL)
		return err != NULL ? err->code : MT_ENOMEM;
	rv = uv_tcp_connect(&t->connect, &t->tcp, to, connect_cb);
	if (rv != 0) {
		abandon(t);
		return mt_err_sys(err, -rv, "could not connect");
	}
	set_options(t);
	*s = t;
	return 0;
}

int
mt_stream_accept(struct mt_stream **s, uv_stream_t *listener,
		 struct mt_secure *secure, unsigned int user_timeout_ms,
		 const struct mt_stream_events *events, void *arg,
		 struct mt_err *err)
{
	struct mt_stream *t;
	int rv;

	t = stream_new(listener->loop, secure, false, 0, user_timeout_ms,
		       events, arg, err);
	if (t == NULL)
		return err != NULL ? err->code : MT_ENOMEM;
	rv = uv_accept(listener, (uv_stream_t *)&t->tcp);
	if (rv == 0)
		rv = uv_read_start((uv_stream_t *)&t->tcp, alloc_cb, read_cb);
	if (rv != 0) {
		abandon(t);
		return mt_err_sys(err, -rv, "could not accept a connection");
	}
	set_options(t);
	*s = t;
	return 0;
}

bool
mt_stream_peer(const struct mt_stream *s, struct sockaddr_storage *ss)
{
	int size = (int)sizeof(*ss);

	memset(ss, 0, sizeof(*ss));
	return uv_tcp_getpeername(&s->tcp, (struct sockaddr *)ss, &size) == 0;
}

bool
mt_stream_is_plain(const struct mt_stream *s)
{
	return s->pump == NULL;
}

bool
mt_stream_is_host(const struct mt_stream *s, const char *host)
{
	return s->pump == NULL || mt_pump_is_host(s->pump, host);
}

const char *
mt_stream_trouble(const struct mt_stream *s)
{
	return s->trouble;
}

int
mt_stream_write(struct mt_stream *s, uint8_t *buf, size_t n, struct mt_err *err)
{
	int rv;

	if (s->pump == NULL)
		return write_raw(s, buf, n, err);
	rv = mt_pump_write(s->pump, buf, n, err);
	free(buf);
	return rv == 0 ? flush(s, err) : rv;
}

size_t
mt_stream_queued_bytes(const struct mt_stream *s)
{
	return uv_stream_get_write_queue_size((const uv_stream_t *)&s->tcp);
}

/* The other side's end of stream, or whoever closes us, finishes it. */
static void
shutdown_cb(uv_shutdown_t *req, int status)
{
	(void)req;
	(void)status;
}

void
mt_stream_finish(struct mt_stream *s)
{
	int rv;

	if (s->pump != NULL) {
		mt_pump_finish(s->pump);
		(void)flush(s, NULL);
	}
	rv = uv_shutdown(&s->shutdown, (uv_stream_t *)&s->tcp, shutdown_cb);
	/* Not connected any more: reading tells, or has told. */
	(void)rv;
}

void
mt_stream_close(struct mt_stream *s)
{
	s->is_over = true;
	uv_close((uv_handle_t *)&s->tcp, closed_cb);
}
