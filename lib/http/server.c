/* SPDX-License-Identifier: PostgreSQL */
/*
 * The HTTP server: libh2o on our loop. Happy path: a listener accepts, h2o
 * parses, on_request hands a plain request to the handler, mt_http_respond
 * sends the answer with its length, the connection is kept.
 *
 * Failure modes: too many connections are closed at accept; slow or silent
 * clients end by h2o's timeout, long bodies with 413, long paths with 414. A
 * request whose connection ends is told to its owner once (gone). h2o frees a
 * request with its memory pool; a chunk in that pool with a dispose function is
 * how we learn of it.
 *
 * Closing: the sockets are shut for reading, so that idle connections see an
 * end at once while answers under way go out; what is left after a second is
 * shut wholly. The last connection's close callback takes h2o down, and its
 * timers, which are part of the server's memory, get a turn of the loop to
 * close before that is freed.
 *
 * It does not know paths and does not speak TLS or HTTP/2.
 */
#include "http/server.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include <h2o.h>

#include "base/log.h"
#include "base/text.h"

#define LISTENERS_MAX 8
#define BACKLOG 511
#define PATH_MAX_BYTES 8192
#define REQUEST_TIMEOUT_MS 20000
#define BODY_MAX_BYTES (1024 * 1024)
#define CONNECTIONS_MAX 1024
#define CLOSE_GRACE_MS 1000
#define KEEPALIVE_S 60

struct connection {
	uv_tcp_t tcp; /* first: h2o closes it with on_connection_closed */
	struct mt_http_server *server;
	struct connection *prev, *next;
};

struct request {
	struct mt_http_request pub;
	h2o_req_t *req; /* NULL once answered or gone */
	struct mt_http_server *server;
	struct request *prev, *next; /* among those not answered */
};

struct listener {
	uv_tcp_t tcp;
	struct mt_http_server *server;
};

struct mt_http_server {
	uv_loop_t *loop;
	mt_http_handler handler;
	void *arg;
	h2o_globalconf_t config;
	h2o_context_t context;
	h2o_accept_ctx_t accept;
	struct listener listeners[LISTENERS_MAX];
	int n_listeners;    /* initialised, so to be closed */
	int open_listeners; /* of them, not closed yet */
	uint16_t port;
	struct connection *connections;
	int n_connections, connections_max;
	struct request *requests;
	bool closing;
	uv_timer_t grace; /* also the first of two turns at the end */
	uv_timer_t last;
	void (*closed_cb)(void *arg);
	void *closed_arg;
};

struct handler {
	h2o_handler_t h2o; /* first: h2o allocates and passes it */
	struct mt_http_server *server;
};

static void maybe_closed(struct mt_http_server *server);

/* ---- requests --------------------------------------------------------- */

static void
request_unlink(struct request *r)
{
	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		r->server->requests = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	r->req = NULL;
}

/* h2o frees the request's memory. */
static void
request_dispose(void *p)
{
	struct request *r = p;

	if (r->req == NULL)
		return;
	request_unlink(r);
	if (r->pub.gone != NULL)
		r->pub.gone(&r->pub);
}

static struct request *
request_new(struct mt_http_server *server, h2o_req_t *req)
{
	struct request *r =
	    h2o_mem_alloc_shared(&req->pool, sizeof(*r), request_dispose);

	memset(r, 0, sizeof(*r));
	r->req = req;
	r->server = server;
	r->next = server->requests;
	if (r->next != NULL)
		r->next->prev = r;
	server->requests = r;
	return r;
}

static char *
pool_string(h2o_req_t *req, const char *p, size_t n)
{
	return h2o_strdup(&req->pool, p, n).base;
}

static void
fill_request(struct request *r, h2o_req_t *req)
{
	struct mt_http_request *pub = &r->pub;
	size_t path_bytes = req->path.len;

	pub->method = pool_string(req, req->method.base, req->method.len);
	pub->query = "";
	if (req->query_at != SIZE_MAX) {
		path_bytes = req->query_at;
		pub->query = pool_string(req, req->path.base + path_bytes + 1,
					 req->path.len - path_bytes - 1);
	}
	pub->path = pool_string(req, req->path.base, path_bytes);
	pub->body = req->entity.base;
	pub->body_bytes = req->entity.base == NULL ? 0 : req->entity.len;
	/* h2o takes the length header away from what it hands over, but has an
	 * entity wherever the client announced one */
	pub->has_body = req->entity.base != NULL;
	memset(&pub->peer, 0, sizeof(pub->peer));
	req->conn->callbacks->get_peername(req->conn,
					   (struct sockaddr *)&pub->peer);
}

static void
respond_text(struct request *r, int status, const char *text)
{
	const struct mt_http_answer answer = {
	    .status = status,
	    .type = "text/html;charset=utf-8",
	    .body = text,
	    .body_bytes = strlen(text),
	};

	mt_http_respond(&r->pub, &answer);
}

static int
on_request(h2o_handler_t *self, h2o_req_t *req)
{
	struct mt_http_server *server = ((struct handler *)self)->server;
	struct request *r = request_new(server, req);

	fill_request(r, req);
	if (server->closing)
		respond_text(r, 503, "shutting down\n");
	else if (req->path.len > PATH_MAX_BYTES)
		respond_text(r, 414, "the path is too long\n");
	else
		server->handler(server->arg, &r->pub);
	return 0;
}

static const char *
reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
	    {200, "OK"},
	    {202, "Accepted"},
	    {204, "No Content"},
	    {400, "Bad Request"},
	    {404, "Not Found"},
	    {405, "Method Not Allowed"},
	    {409, "Conflict"},
	    {411, "Length Required"},
	    {412, "Precondition Failed"},
	    {413, "Payload Too Large"},
	    {414, "URI Too Long"},
	    {422, "Unprocessable Entity"},
	    {500, "Internal Server Error"},
	    {501, "Not Implemented"},
	    {502, "Bad Gateway"},
	    {503, "Service Unavailable"},
	};

	for (size_t i = 0; i < MT_COUNT(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

void
mt_http_respond(struct mt_http_request *request,
		const struct mt_http_answer *answer)
{
	static h2o_generator_t generator = {NULL, NULL};
	struct request *r = container_of(request, struct request, pub);
	h2o_req_t *req = r->req;
	h2o_iovec_t body, text;
	bool empty;

	MT_ASSERT(req != NULL);
	request_unlink(r);
	req->res.status = answer->status;
	req->res.reason = reason(answer->status);
	if (answer->type != NULL) {
		text = h2o_strdup(&req->pool, answer->type, SIZE_MAX);
		h2o_add_header(&req->pool, &req->res.headers,
			       H2O_TOKEN_CONTENT_TYPE, NULL, text.base,
			       text.len);
	}
	if (answer->header != NULL) {
		h2o_iovec_t name =
		    h2o_strdup(&req->pool, answer->header, SIZE_MAX);

		text = h2o_strdup(&req->pool, answer->value, SIZE_MAX);
		h2o_add_header_by_str(&req->pool, &req->res.headers, name.base,
				      name.len, 1, NULL, text.base, text.len);
	}
	body =
	    h2o_strdup(&req->pool, answer->body_bytes > 0 ? answer->body : "",
		       answer->body_bytes);
	/* nothing is not an empty something (RFC 9110, 8.6) */
	req->res.content_length = answer->status == 204 ? SIZE_MAX : body.len;
	empty = body.len == 0 || mt_streq(request->method, "HEAD");
	h2o_start_response(req, &generator);
	h2o_send(req, &body, empty ? 0 : 1, H2O_SEND_STATE_FINAL);
}

/* ---- connections ------------------------------------------------------ */

static void
on_connection_closed(uv_handle_t *handle)
{
	struct connection *c = (struct connection *)(void *)handle;
	struct mt_http_server *server = c->server;

	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		server->connections = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	server->n_connections--;
	free(c);
	maybe_closed(server);
}

static void
on_connection(uv_stream_t *stream, int status)
{
	struct mt_http_server *server =
	    container_of((uv_tcp_t *)stream, struct listener, tcp)->server;
	struct connection *c;
	h2o_socket_t *sock;

	if (status != 0 || server->closing)
		return;
	c = calloc(1, sizeof(*c));
	MT_ASSERT(c != NULL);
	c->server = server;
	if (uv_tcp_init(server->loop, &c->tcp) != 0) {
		free(c);
		return;
	}
	c->next = server->connections;
	if (c->next != NULL)
		c->next->prev = c;
	server->connections = c;
	server->n_connections++;
	if (uv_accept(stream, (uv_stream_t *)&c->tcp) != 0 ||
	    server->n_connections > server->connections_max) {
		uv_close((uv_handle_t *)&c->tcp, on_connection_closed);
		return;
	}
	/* Both are comforts: without them all works, slower. */
	(void)uv_tcp_nodelay(&c->tcp, 1);
	(void)uv_tcp_keepalive(&c->tcp, 1, KEEPALIVE_S);
	sock =
	    h2o_uv_socket_create((uv_stream_t *)&c->tcp, on_connection_closed);
	h2o_accept(&server->accept, sock);
}

/* ---- start ------------------------------------------------------------ */

static int
listen_on(struct mt_http_server *server, const struct sockaddr *addr)
{
	struct listener *l = &server->listeners[server->n_listeners];
	struct sockaddr_storage bound = {0};
	int size = sizeof(bound);
	int rv;

	rv = uv_tcp_init(server->loop, &l->tcp);
	if (rv != 0)
		return rv;
	l->server = server;
	server->n_listeners++;
	server->open_listeners++;
	rv = uv_tcp_bind(&l->tcp, addr, 0);
	if (rv == 0)
		rv = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
	if (rv == 0)
		rv = uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&bound,
					&size);
	if (rv == 0)
		server->port =
		    ntohs(bound.ss_family == AF_INET6
			      ? ((struct sockaddr_in6 *)&bound)->sin6_port
			      : ((struct sockaddr_in *)&bound)->sin_port);
	return rv;
}

/* Both families by one socket, or IPv4 where there is no IPv6. */
static int
listen_on_all(struct mt_http_server *server, uint16_t port, struct mt_err *err)
{
	struct sockaddr_in6 any6;
	struct sockaddr_in any4;
	int rv;

	uv_ip6_addr("::", port, &any6);
	uv_ip4_addr("0.0.0.0", port, &any4);
	rv = listen_on(server, (const struct sockaddr *)&any6);
	if (rv == UV_EAFNOSUPPORT || rv == UV_EADDRNOTAVAIL)
		rv = listen_on(server, (const struct sockaddr *)&any4);
	if (rv != 0)
		return mt_err_sys(err, -rv, "could not listen on \"*:%u\"",
				  port);
	return 0;
}

static void
set_port(struct sockaddr *addr, uint16_t port)
{
	if (addr->sa_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)addr)->sin6_port = htons(port);
	else if (addr->sa_family == AF_INET)
		((struct sockaddr_in *)(void *)addr)->sin_port = htons(port);
}

/* Every address of the host; one that this machine does not have (::1 in a
 * container) is left out as long as another works. */
static int
listen_on_host(struct mt_http_server *server, const char *host, uint16_t port,
	       struct mt_err *err)
{
	const struct addrinfo hints = {
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_PASSIVE,
	};
	uv_getaddrinfo_t look_up;
	int rv, n = 0, failed = 0;

	rv = uv_getaddrinfo(server->loop, &look_up, NULL, host, NULL, &hints);
	if (rv != 0)
		return mt_err_set(err, MT_EINVAL,
				  "could not look up \"%s\": %s", host,
				  uv_strerror(rv));
	for (struct addrinfo *a = look_up.addrinfo;
	     a != NULL && server->n_listeners < LISTENERS_MAX; a = a->ai_next) {
		set_port(a->ai_addr, n > 0 ? server->port : port);
		rv = listen_on(server, a->ai_addr);
		if (rv == 0) {
			n++;
			continue;
		}
		failed = rv;
		if (rv != UV_EAFNOSUPPORT && rv != UV_EADDRNOTAVAIL) {
			n = 0;
			break;
		}
	}
	uv_freeaddrinfo(look_up.addrinfo);
	if (n == 0)
		return mt_err_sys(err, -failed, "could not listen on \"%s:%u\"",
				  host, port);
	return 0;
}

static void
h2o_begin(struct mt_http_server *server, const struct mt_http_options *options)
{
	h2o_hostconf_t *host;
	h2o_pathconf_t *path;
	struct handler *handler;

	h2o_config_init(&server->config);
	server->config.server_name = h2o_iovec_init(H2O_STRLIT("matriarch"));
	server->config.max_request_entity_size = options->body_max_bytes > 0
						     ? options->body_max_bytes
						     : BODY_MAX_BYTES;
	server->config.http1.req_timeout =
	    options->request_timeout_ms > 0
		? (uint64_t)options->request_timeout_ms
		: REQUEST_TIMEOUT_MS;
	/* 2.2.5 has known floods there */
	server->config.http1.upgrade_to_http2 = 0;
	host = h2o_config_register_host(
	    &server->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
	path = h2o_config_register_path(host, "/", 0);
	handler = (struct handler *)(void *)h2o_create_handler(
	    path, sizeof(*handler));
	handler->h2o.on_req = on_request;
	handler->server = server;
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
	const char *host = options->host;
	int rv;

	if (s == NULL)
		return mt_err_set(err, MT_ENOMEM,
				  "could not start an HTTP server");
	s->loop = loop;
	s->handler = handler;
	s->arg = arg;
	s->connections_max = options->connections_max > 0
				 ? options->connections_max
				 : CONNECTIONS_MAX;
	uv_timer_init(loop, &s->grace);
	uv_timer_init(loop, &s->last);
	h2o_begin(s, options);
	if (host == NULL || *host == '\0' || mt_streq(host, "*"))
		rv = listen_on_all(s, options->port, err);
	else
		rv = listen_on_host(s, host, options->port, err);
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

static void
maybe_closed(struct mt_http_server *server)
{
	if (!server->closing || server->n_connections > 0 ||
	    server->open_listeners > 0)
		return;
	if (uv_is_closing((uv_handle_t *)&server->grace))
		return;
	h2o_context_dispose(&server->context);
	h2o_config_dispose(&server->config);
	uv_close((uv_handle_t *)&server->grace, on_grace_closed);
}

static void
on_listener_closed(uv_handle_t *handle)
{
	struct mt_http_server *server =
	    container_of((uv_tcp_t *)handle, struct listener, tcp)->server;

	server->open_listeners--;
	maybe_closed(server);
}

static void
shut_connections(struct mt_http_server *server, int how)
{
	for (struct connection *c = server->connections; c != NULL;
	     c = c->next) {
		uv_os_fd_t fd;

		if (uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0)
			(void)shutdown(fd, how);
	}
}

static void
on_grace_over(uv_timer_t *timer)
{
	shut_connections(container_of(timer, struct mt_http_server, grace),
			 SHUT_RDWR);
}

static void
end_request(struct request *r)
{
	void (*gone)(struct mt_http_request *) = r->pub.gone;

	/* gone first: answering gives the memory away, and owner with it */
	r->pub.gone = NULL;
	if (gone != NULL)
		gone(&r->pub);
	respond_text(r, 503, "shutting down\n");
}

static void
on_nothing_open(uv_timer_t *timer)
{
	maybe_closed(container_of(timer, struct mt_http_server, grace));
}

void
mt_http_close(struct mt_http_server *server, void (*cb)(void *arg), void *arg)
{
	MT_ASSERT(!server->closing);
	server->closing = true;
	server->closed_cb = cb;
	server->closed_arg = arg;
	for (int i = 0; i < server->n_listeners; i++)
		uv_close((uv_handle_t *)&server->listeners[i].tcp,
			 on_listener_closed);
	/* Answers from now on say "Connection: close". The library's function
	 * for this would also arm an HTTP/2 timer that nothing takes down. */
	server->context.shutdown_requested = 1;
	while (server->requests != NULL)
		end_request(server->requests);
	shut_connections(server, SHUT_RD);
	if (server->open_listeners + server->n_connections > 0)
		uv_timer_start(&server->grace, on_grace_over, CLOSE_GRACE_MS,
			       0);
	else
		uv_timer_start(&server->grace, on_nothing_open, 0, 0);
}
