/* SPDX-License-Identifier: PostgreSQL */
/*
 * Answers without an end, as generators of h2o. Happy path: begin sends the
 * head; h2o calls proceed when the kernel has taken what was sent, which is the
 * owner's ready; end sends the last, empty piece.
 *
 * Failure modes: a client that left is noticed by the next piece, whose write
 * fails; h2o then disposes of the request, and stop is the owner's gone. One
 * whose machine is gone, or that does not read, leaves a piece under way: the
 * kernel gives up after TCP_USER_TIMEOUT, and the owner may cut it before that.
 * Where connections make room for others (limits.c) a stream's may be the one.
 * Cutting shuts the socket, so that the write under way fails.
 *
 * It queues nothing and has no timer.
 */
#include "http/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "http/internal.h"

#define SEND_BUFFER_BYTES 65536 /* so that slowness is noticed soon */
#define UNTAKEN_MS 15000

struct mt_http_stream {
	h2o_generator_t generator;
	h2o_req_t *req; /* which holds this memory */
	struct connection *connection;
	struct mt_http_server *server;
	struct mt_http_stream *prev, *next; /* among those not ended */
	struct mt_http_stream_owner owner;
	char *piece; /* under way */
	bool is_ready;
	bool ended; /* by the owner, who hears nothing more */
};

static void
forget_piece(struct mt_http_stream *s)
{
	free(s->piece);
	s->piece = NULL;
}

static void
leave(struct mt_http_stream *s)
{
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		s->server->streams = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	s->ended = true;
}

static void
finish(struct mt_http_stream *s)
{
	http__phase(s->connection, HTTP_ANSWERED);
	h2o_send(s->req, NULL, 0, H2O_SEND_STATE_FINAL);
}

static void
on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
	struct mt_http_stream *s =
	    container_of(generator, struct mt_http_stream, generator);

	(void)req;
	forget_piece(s);
	if (s->ended) {
		finish(s);
		return;
	}
	s->is_ready = true;
	s->owner.ready(s->owner.arg);
}

/* The request goes before its end was sent. */
static void
on_stop(h2o_generator_t *generator, h2o_req_t *req)
{
	struct mt_http_stream *s =
	    container_of(generator, struct mt_http_stream, generator);

	(void)req;
	forget_piece(s);
	if (s->ended)
		return;
	leave(s);
	s->owner.gone(s->owner.arg);
}

static int
socket_of(h2o_req_t *req)
{
	h2o_socket_t *sock = req->conn->callbacks->get_socket(req->conn);

	return sock == NULL ? -1 : h2o_socket_get_fd(sock);
}

static void
send_piece(struct mt_http_stream *s, const void *p, size_t n)
{
	h2o_iovec_t piece;

	MT_ASSERT(n > 0);
	s->piece = malloc(n);
	MT_ASSERT(s->piece != NULL);
	memcpy(s->piece, p, n);
	piece = h2o_iovec_init(s->piece, n);
	h2o_send(s->req, &piece, 1, H2O_SEND_STATE_IN_PROGRESS);
}

struct mt_http_stream *
mt_http_stream_begin(struct mt_http_request *request,
		     const struct mt_http_answer *answer,
		     const struct mt_http_stream_owner *o)
{
	const struct request *r = container_of(request, struct request, pub);
	struct mt_http_server *server = r->server;
	h2o_req_t *req = http__request_take(request);
	struct mt_http_stream *s = h2o_mem_alloc_pool(&req->pool, sizeof(*s));
	int fd = socket_of(req), bytes = SEND_BUFFER_BYTES;
	unsigned ms = UNTAKEN_MS;

	*s = (struct mt_http_stream){
	    .generator = {on_proceed, on_stop},
	    .req = req,
	    .connection = r->connection,
	    .server = server,
	    .next = server->streams,
	    .owner = *o,
	};
	if (s->next != NULL)
		s->next->prev = s;
	server->streams = s;
	http__phase(s->connection, HTTP_STREAMS);
	/* Both are comforts: without them a dead client costs longer. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	http__put_head(server, req, answer);
	req->res.content_length = SIZE_MAX;
	h2o_start_response(req, &s->generator);
	/* h2o keeps the head back until there is something behind it */
	if (mt_streq(request->method, "HEAD"))
		s->is_ready = true;
	else
		send_piece(s, answer->body, answer->body_bytes);
	return s;
}

bool
mt_http_stream_is_ready(const struct mt_http_stream *stream)
{
	return stream->is_ready;
}

void
mt_http_stream_write(struct mt_http_stream *stream, const void *p, size_t n)
{
	MT_ASSERT(stream->is_ready);
	stream->is_ready = false;
	send_piece(stream, p, n);
}

void
mt_http_stream_end(struct mt_http_stream *stream)
{
	leave(stream);
	if (stream->is_ready)
		finish(stream);
}

void
mt_http_stream_cut(struct mt_http_stream *stream)
{
	int fd = socket_of(stream->req);

	if (fd >= 0)
		(void)shutdown(fd, SHUT_RDWR);
	mt_http_stream_end(stream);
}

void
http__end_streams(struct mt_http_server *server)
{
	while (server->streams != NULL) {
		/* its end may be that of its memory */
		const struct mt_http_stream_owner o = server->streams->owner;

		mt_http_stream_end(server->streams);
		o.gone(o.arg);
	}
}
