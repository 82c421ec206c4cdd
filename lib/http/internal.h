/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the files of the HTTP server share: server.c (its life), connections.c
 * (sockets), secure.c (TLS on them), requests.c (requests and answers),
 * stream.c (answers without an end) and headers.c (what all answers have).
 */
#ifndef MT_HTTP_INTERNAL_H
#define MT_HTTP_INTERNAL_H

#include <h2o.h>

#include "http/server.h"

#define LISTENERS_MAX 8
/* The library would take 400 KiB. */
#define HTTP_HEAD_MAX_BYTES ((size_t)32 * 1024)

/* Connections of one address, or of one /64 of IPv6. */
struct address {
	uint8_t key[16];
	int n; /* of those that stay */
	struct address *next;
};

enum http__phase {
	HTTP_WAITS,    /* for a request, or for the rest of one */
	HTTP_HANDLED,  /* the handler has it */
	HTTP_STREAMS,  /* an answer without an end: its owner sees to it */
	HTTP_ANSWERED, /* until the client has taken it all */
};

struct connection {
	uv_tcp_t tcp;  /* first: h2o closes it with on_connection_closed */
	char last[64]; /* in the handshake: what OpenSSL wrote last */
	size_t n_last;
	struct mt_http_server *server;
	struct connection *prev, *next;
	h2o_socket_t *sock; /* borrowed; NULL: h2o never had it */
	struct address *address;
	enum http__phase phase;
	uint64_t turn;    /* the order in which phases began */
	int64_t since_ms; /* the phase began */
	int64_t begun_ms; /* so did the request; 0 = it is idle */
	bool has_head;    /* of the request that is being read */
	bool leaving;     /* shut, and no longer counted */
	SSL_CTX *tls;     /* NULL: plain */
	bool client_verified;
	char client_subject[128]; /* whose its certificate is, or "" */
};

struct request {
	struct mt_http_request pub;
	h2o_req_t *req; /* NULL once answered or gone */
	struct mt_http_server *server;
	struct connection *connection;
	struct request *prev, *next; /* among those not answered */
};

struct listener {
	uv_tcp_t tcp;
	struct mt_http_server *server;
	struct sockaddr_storage at;
	bool held;   /* it has a connection for the next turn */
	bool paused; /* closed until there are descriptors */
};

/* As in the options, with the defaults filled in. */
struct http__limits {
	int64_t head_timeout_ms, request_timeout_ms, idle_timeout_ms;
	int64_t answer_timeout_ms;
	size_t body_max_bytes, buffer_max_bytes;
	int connections_max, address_max, kept_max;
};

struct http__header {
	char *name, *value; /* owned */
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
	struct http__limits limits;
	struct connection *connections;
	int n_connections; /* open */
	int n_staying;     /* of them, not leaving */
	struct address *addresses;
	uint64_t turns;      /* given so far */
	int n_accepted;      /* in this turn of the loop */
	uv_timer_t resume;   /* accepts what was held */
	uv_timer_t relisten; /* where it is paused */
	uv_check_t after_poll;
	uv_timer_t deadline;
	int64_t armed_ms;  /* the deadline that is set, INT64_MAX = none */
	int64_t warned_ms; /* that it is full */
	int backlog;
	char *server_name;            /* owned; NULL: the usual one */
	struct http__header *headers; /* owned, of all answers */
	size_t n_headers;
	struct request *requests;
	struct mt_http_stream *streams;
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
/* Lives as long as the connection. */
const char *http__client_subject(h2o_req_t *req);

/* limits.c */
void http__limits_fill(struct http__limits *l,
		       const struct mt_http_options *options);
/* Begin to watch deadlines; end it. */
void http__limits_begin(struct mt_http_server *server);
void http__limits_end(struct mt_http_server *server);
/* A new one counts, with its address. false: there is no room, and nobody who
 * could make it. Otherwise another may leave for it. */
bool http__enter(struct connection *c) MT_MUSTCHECK;
/* It is closed. */
void http__left(struct connection *c);
/* What it does from now on. */
void http__phase(struct connection *c, enum http__phase phase);
/* May a request that changes something be kept beside the others? */
bool http__may_keep(const struct mt_http_server *server, size_t body_bytes);
/* Whose socket that is. */
struct connection *http__connection(h2o_req_t *req);

/* Have the server's requests arrive at its handler. Comes before
 * h2o_context_init. */
void http__register_handler(struct mt_http_server *server);

/* This request is answered from now on: it is not kept any more. */
h2o_req_t *http__request_take(struct mt_http_request *request);

/* Status and headers of an answer; the length is left open. */
void http__put_head(const struct mt_http_server *server, h2o_req_t *req,
		    const struct mt_http_answer *answer);

/* Answer all that are kept with 503, after their gone. */
void http__end_requests(struct mt_http_server *server);

/* End all streams in good order, and tell their owners: gone. */
void http__end_streams(struct mt_http_server *server);

/* Give the response the headers of all answers but those that this one has. */
void http__add_headers(const struct mt_http_server *server, h2o_req_t *req,
		       const struct mt_http_answer *answer);
void http__free_headers(struct mt_http_server *server);

/* Take the server down if it is closing and nothing is open any more. */
void http__maybe_closed(struct mt_http_server *server);

#endif
