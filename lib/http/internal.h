/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the files of the HTTP server share: server.c (its life), connections.c
 * (sockets), secure.c (TLS on them) and requests.c (requests and answers).
 */
#ifndef MT_HTTP_INTERNAL_H
#define MT_HTTP_INTERNAL_H

#include <h2o.h>

#include "http/server.h"

#define LISTENERS_MAX 8

struct connection {
	uv_tcp_t tcp;  /* first: h2o closes it with on_connection_closed */
	char last[64]; /* in the handshake: what OpenSSL wrote last */
	size_t n_last;
	struct mt_http_server *server;
	struct connection *prev, *next;
	h2o_socket_t *sock;
	SSL_CTX *tls; /* NULL: plain */
	bool client_verified;
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
	int64_t refused_ms; /* a failed handshake was told of; 0: never */
};

/* Listen on host and port. After an error the caller closes the server, and
 * with it the listeners that there are. */
int http__listen(struct mt_http_server *server, const char *host, uint16_t port,
		 struct mt_err *err) MT_MUSTCHECK;

/* Each listener's end, and each connection's, is told by http__maybe_closed. */
void http__close_listeners(struct mt_http_server *server);

/* Shut all sockets: SHUT_RD lets answers under way go out. */
void http__shut_connections(struct mt_http_server *server, int how);

/* Before h2o has it: with TLS, if the server has that now. And at its end. */
void http__secure_connection(struct connection *c, h2o_socket_t *sock);
void http__forget_security(struct connection *c);
bool http__client_verified(h2o_req_t *req);

/* Have the server's requests arrive at its handler. Comes before
 * h2o_context_init. */
void http__register_handler(struct mt_http_server *server);

/* Answer all that are kept with 503, after their gone. */
void http__end_requests(struct mt_http_server *server);

/* Take the server down if it is closing and nothing is open any more. */
void http__maybe_closed(struct mt_http_server *server);

#endif
