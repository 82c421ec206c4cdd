/* SPDX-License-Identifier: PostgreSQL */
/*
 * The HTTP server's sockets. Happy path: the listeners of all addresses that a
 * name has accept, and each connection is given to h2o until one side ends it.
 *
 * Failure modes: where there are too many, limits.c says who goes. Without a
 * free descriptor libuv closes what comes, or we the listener for a while. A
 * name's address that this machine does not have is left out while another
 * works.
 *
 * What is said on a connection is not its business.
 */
#include "http/internal.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

#define BACKLOG 4096 /* the kernel takes less if net.core.somaxconn is */
#define ACCEPTS_A_TURN 32
#define KEEPALIVE_S 60
#define RELISTEN_MS 200

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
	http__forget_security(c);
	http__left(c);
	free(c);
	http__maybe_closed(server);
}

static void
link_connection(struct mt_http_server *server, struct connection *c)
{
	c->server = server;
	c->next = server->connections;
	if (c->next != NULL)
		c->next->prev = c;
	server->connections = c;
	server->n_connections++;
}

static void
accept_one(struct listener *l)
{
	struct mt_http_server *server = l->server;
	struct connection *c = calloc(1, sizeof(*c));
	h2o_socket_t *sock;

	MT_ASSERT(c != NULL);
	if (uv_tcp_init(server->loop, &c->tcp) != 0) {
		free(c);
		return;
	}
	link_connection(server, c);
	if (uv_accept((uv_stream_t *)&l->tcp, (uv_stream_t *)&c->tcp) != 0 ||
	    !http__enter(c)) {
		uv_close((uv_handle_t *)&c->tcp, on_connection_closed);
		return;
	}
	/* Both are comforts: without them all works, slower. */
	(void)uv_tcp_nodelay(&c->tcp, 1);
	(void)uv_tcp_keepalive(&c->tcp, 1, KEEPALIVE_S);
	sock =
	    h2o_uv_socket_create((uv_stream_t *)&c->tcp, on_connection_closed);
	http__secure_connection(c, sock);
	h2o_accept(&server->accept, sock);
}

static void on_resume(uv_timer_t *timer);
static void pause_listener(struct listener *l);

/* One turn takes some, so that a flood of them does not hold up the rest of the
 * daemon: libuv listens on only after the one at hand was taken. */
static void
on_connection(uv_stream_t *stream, int status)
{
	struct listener *l =
	    container_of((uv_tcp_t *)stream, struct listener, tcp);
	struct mt_http_server *server = l->server;

	if (server->closing)
		return;
	if (status == UV_EMFILE || status == UV_ENFILE)
		pause_listener(l);
	if (status != 0)
		return;
	if (server->n_accepted >= ACCEPTS_A_TURN) {
		l->held = true;
		uv_timer_start(&server->resume, on_resume, 0, 0);
		return;
	}
	server->n_accepted++;
	accept_one(l);
}

static void
on_resume(uv_timer_t *timer)
{
	struct mt_http_server *server =
	    container_of(timer, struct mt_http_server, resume);

	for (int i = 0; i < server->n_listeners && !server->closing; i++) {
		struct listener *l = &server->listeners[i];

		if (!l->held)
			continue;
		l->held = false;
		on_connection((uv_stream_t *)&l->tcp, 0);
	}
}

void
http__shut_connections(struct mt_http_server *server, int how)
{
	for (struct connection *c = server->connections; c != NULL;
	     c = c->next) {
		uv_os_fd_t fd;

		if (uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0)
			(void)shutdown(fd, how);
	}
}

/* ---- listeners -------------------------------------------------------- */

static int
open_listener(struct listener *l)
{
	int rv = uv_tcp_bind(&l->tcp, (const struct sockaddr *)&l->at, 0);

	if (rv == 0)
		rv = uv_listen((uv_stream_t *)&l->tcp,
			       l->server->backlog > 0 ? l->server->backlog
						      : BACKLOG,
			       on_connection);
	return rv;
}

static int
listen_on(struct mt_http_server *server, const struct sockaddr *addr)
{
	struct listener *l = &server->listeners[server->n_listeners];
	int size = sizeof(l->at);
	int rv;

	rv = uv_tcp_init(server->loop, &l->tcp);
	if (rv != 0)
		return rv;
	l->server = server;
	server->n_listeners++;
	server->open_listeners++;
	memcpy(&l->at, addr,
	       addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					   : sizeof(struct sockaddr_in));
	rv = open_listener(l);
	if (rv == 0)
		rv = uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&l->at,
					&size);
	if (rv == 0)
		server->port =
		    ntohs(l->at.ss_family == AF_INET6
			      ? ((struct sockaddr_in6 *)&l->at)->sin6_port
			      : ((struct sockaddr_in *)&l->at)->sin_port);
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

int
http__listen(struct mt_http_server *server, const char *host, uint16_t port,
	     struct mt_err *err)
{
	if (host == NULL || *host == '\0' || mt_streq(host, "*"))
		return listen_on_all(server, port, err);
	return listen_on_host(server, host, port, err);
}

static void
on_listener_closed(uv_handle_t *handle)
{
	struct mt_http_server *server =
	    container_of((uv_tcp_t *)handle, struct listener, tcp)->server;

	server->open_listeners--;
	http__maybe_closed(server);
}

void
http__close_listeners(struct mt_http_server *server)
{
	for (int i = 0; i < server->n_listeners; i++) {
		uv_handle_t *tcp = (uv_handle_t *)&server->listeners[i].tcp;

		if (!uv_is_closing(tcp))
			uv_close(tcp, on_listener_closed);
		else if (server->listeners[i].paused)
			server->open_listeners--;
	}
}

/* ---- without descriptors ---------------------------------------------- */

static void on_paused(uv_handle_t *handle);

static void
on_relisten(uv_timer_t *timer)
{
	struct mt_http_server *server =
	    container_of(timer, struct mt_http_server, relisten);

	for (int i = 0; i < server->n_listeners && !server->closing; i++) {
		struct listener *l = &server->listeners[i];

		if (!l->paused)
			continue;
		if (uv_tcp_init(server->loop, &l->tcp) != 0) {
			uv_timer_start(timer, on_relisten, RELISTEN_MS, 0);
			continue;
		}
		l->paused = false;
		if (open_listener(l) != 0)
			uv_close((uv_handle_t *)&l->tcp, on_paused);
	}
}

static void
on_paused(uv_handle_t *handle)
{
	struct listener *l =
	    container_of((uv_tcp_t *)handle, struct listener, tcp);

	if (l->server->closing) {
		on_listener_closed(handle);
		return;
	}
	l->paused = true;
	uv_timer_start(&l->server->relisten, on_relisten, RELISTEN_MS, 0);
}

/* libuv keeps one descriptor to take and close what it cannot serve. If another
 * thread was faster to take that one, it would try for ever, and only a
 * listener that is closed ends that. */
static void
pause_listener(struct listener *l)
{
	if (uv_is_closing((uv_handle_t *)&l->tcp))
		return;
	mt_error("REST API: there are no descriptors for connections: it "
		 "listens again in a moment");
	uv_close((uv_handle_t *)&l->tcp, on_paused);
}
