/* SPDX-License-Identifier: PostgreSQL */
/*
 * The HTTP server's life: libh2o on our loop. Happy path: a listener accepts
 * (connections.c), h2o parses, the handler sees plain requests and answers them
 * (requests.c), the connection is kept.
 *
 * Failure modes: too many, slow or silent clients end by limits.c, long bodies
 * with 413.
 *
 * Closing: the sockets are shut for reading, so that idle connections see an
 * end at once while answers under way go out; what is left after a second is
 * shut wholly. The last connection's close callback takes h2o down, and its
 * timers, which are part of the server's memory, get a turn of the loop to
 * close before that is freed.
 *
 * It does not know paths and does not speak HTTP/2.
 */
#include "http/internal.h"

#include <stdlib.h>

#include "base/text.h"

#define CLOSE_GRACE_MS 1000

static void
h2o_begin(struct mt_http_server *server)
{
	const struct http__limits *l = &server->limits;

	h2o_config_init(&server->config);
	server->config.server_name = h2o_iovec_init(H2O_STRLIT("matriarch"));
	server->config.max_request_entity_size = l->body_max_bytes;
	/* One timer for all that a client may wait with; those of limits.c end
	 * each part of it earlier. */
	server->config.http1.req_timeout =
	    (uint64_t)(l->idle_timeout_ms + 2 * l->request_timeout_ms);
	server->config.handshake_timeout = server->config.http1.req_timeout;
	/* 2.2.5 has known floods there */
	server->config.http1.upgrade_to_http2 = 0;
	http__register_handler(server);
	h2o_context_init(&server->context, server->loop, &server->config);
	server->accept.ctx = &server->context;
	server->accept.hosts = server->config.hosts;
}

int
mt_http_start(struct mt_http_server **server, uv_loop_t *loop,
	      const struct mt_http_options *options, mt_http_handler handler,
	      void *arg, struct mt_err *err)
{
	struct mt_http_server *s = calloc(1, sizeof(*s));
	int rv;

	if (s == NULL)
		return mt_err_set(err, MT_ENOMEM,
				  "could not start an HTTP server");
	s->loop = loop;
	s->handler = handler;
	s->arg = arg;
	http__limits_fill(&s->limits, options);
	s->backlog = options->backlog;
	uv_timer_init(loop, &s->grace);
	uv_timer_init(loop, &s->last);
	http__limits_begin(s);
	h2o_begin(s);
	rv = http__listen(s, options->host, options->port, err);
	if (rv != 0) {
		mt_http_close(s, NULL, NULL);
		return rv;
	}
	*server = s;
	return 0;
}

uint16_t
mt_http_port(const struct mt_http_server *server)
{
	return server->port;
}

/* ---- close ------------------------------------------------------------ */

static void
on_last_closed(uv_handle_t *handle)
{
	struct mt_http_server *server =
	    container_of((uv_timer_t *)handle, struct mt_http_server, last);
	void (*cb)(void *arg) = server->closed_cb;
	void *arg = server->closed_arg;

	http__free_headers(server);
	free(server);
	if (cb != NULL)
		cb(arg);
}

static void
on_grace_closed(uv_handle_t *handle)
{
	struct mt_http_server *server =
	    container_of((uv_timer_t *)handle, struct mt_http_server, grace);

	/* One turn more: h2o's own timers close in this one. */
	uv_close((uv_handle_t *)&server->last, on_last_closed);
}

void
http__maybe_closed(struct mt_http_server *server)
{
	if (!server->closing || server->n_connections > 0 ||
	    server->open_listeners > 0)
		return;
	if (uv_is_closing((uv_handle_t *)&server->grace))
		return;
	h2o_context_dispose(&server->context);
	h2o_config_dispose(&server->config);
	mt_http_secure(server, NULL);
	http__limits_end(server);
	uv_close((uv_handle_t *)&server->grace, on_grace_closed);
}

static void
on_grace_over(uv_timer_t *timer)
{
	http__shut_connections(
	    container_of(timer, struct mt_http_server, grace), SHUT_RDWR);
}

static void
on_nothing_open(uv_timer_t *timer)
{
	http__maybe_closed(container_of(timer, struct mt_http_server, grace));
}

void
mt_http_close(struct mt_http_server *server, void (*cb)(void *arg), void *arg)
{
	MT_ASSERT(!server->closing);
	server->closing = true;
	server->closed_cb = cb;
	server->closed_arg = arg;
	http__close_listeners(server);
	/* Answers from now on say "Connection: close". The library's function
	 * for this would also arm an HTTP/2 timer that nothing takes down. */
	server->context.shutdown_requested = 1;
	http__end_requests(server);
	http__end_streams(server);
	http__shut_connections(server, SHUT_RD);
	if (server->open_listeners + server->n_connections > 0)
		uv_timer_start(&server->grace, on_grace_over, CLOSE_GRACE_MS,
			       0);
	else
		uv_timer_start(&server->grace, on_nothing_open, 0, 0);
}
