/* SPDX-License-Identifier: PostgreSQL */
/*
 * An HTTP/1.1 server on a uv loop. A handler sees plain requests and answers
 * them at once or later; which library speaks HTTP is not its business. All
 * functions belong to the loop's thread. The process ignores SIGPIPE.
 */
#ifndef MT_HTTP_SERVER_H
#define MT_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <uv.h>

#include "base/err.h"

/* What a listener is; zero means the default that the comment names. */
struct mt_http_options {
	const char *host; /* name or address; NULL, "" or "*" = all */
	uint16_t port;    /* 0 = any free one, see mt_http_port */

	/* limits.c has the reasons */
	int64_t head_timeout_ms;    /* from a request's first byte, or from
				     * accept, to the end of its head; 5 s */
	int64_t request_timeout_ms; /* the same, to the end of its body; 20 s */
	int64_t idle_timeout_ms;    /* between two requests; 60 s */
	int64_t answer_timeout_ms;  /* for the client to take it; 20 s */
	size_t body_max_bytes;      /* a longer body gets 413; 1 MiB */
	size_t buffer_max_bytes;    /* what is read and not answered yet, of
				     * all together; 16 MiB */
	int connections_max;        /* 1024, less if the process may not open
				     * so many descriptors */
	int address_max;            /* of one address; a quarter of all. With
				     * TLS half of both */
	int kept_max;               /* requests that change something and are
				     * not answered yet; 64 */
	int backlog;                /* may wait to be accepted; 4096 */
};

/*
 * A request lives until it is answered, or until gone is called. Strings and
 * body are borrowed from it.
 */
struct mt_http_request {
	const char *method;
	const char *path;  /* as sent, without the query */
	const char *query; /* after the "?", "" if there is none */
	const void *body;
	size_t body_bytes;
	bool has_body; /* false: the client did not even announce one */
	struct sockaddr_storage peer;
	bool client_verified; /* by TLS: it showed a certificate that one of
			       * the authorities (mt_tls_files) has signed */
	const char *client_subject; /* whose that is, "CN=ann,O=x"; else "" */
	const char *authorization; /* the header's value, "" if there is none */

	/* A handler that keeps the request for later may set these. gone tells
	 * it that the request ended without its answer, and is the last that
	 * it hears of it: nothing may be answered any more, not even from
	 * within. While a request is kept the connection is not read, so that
	 * a client that left is mostly noticed at the answer only, which then
	 * goes nowhere. */
	void (*gone)(struct mt_http_request *request);
	void *owner;
};

struct mt_http_answer {
	int status;
	const char *type; /* content type, NULL = none */
	const void *body; /* copied; left out for HEAD by the server */
	size_t body_bytes;
	/* one header more, or NULL: name in lower case, both copied */
	const char *header, *value;
	/* and as many as wanted: name, value, name, value, NULL; or NULL */
	const char *const *headers;
};

typedef void (*mt_http_handler)(void *arg, struct mt_http_request *request);

struct mt_http_server;

/* Listen and serve. options is not needed afterwards. The handler is called for
 * each request, whatever its method or path, never from within this call. A
 * host name is looked up here and now. On error nothing listens. */
int mt_http_start(struct mt_http_server **server, uv_loop_t *loop,
		  const struct mt_http_options *options,
		  mt_http_handler handler, void *arg,
		  struct mt_err *err) MT_MUSTCHECK;

/* One header: the name in lower case. Neither is checked. */
struct mt_http_header {
	const char *name, *value;
};

/* What each answer says from now on: its header Server, and n headers besides,
 * of which one that the answer itself has is left out. All are copied. */
void mt_http_set_headers(struct mt_http_server *server, const char *server_name,
			 const struct mt_http_header *headers, size_t n);

/* The port that it listens on. */
uint16_t mt_http_port(const struct mt_http_server *server);

struct mt_tls;

/* Speak TLS, and nothing else, on connections that come from now on; NULL:
 * plain HTTP. Those that are open stay as they are. tls is not needed
 * afterwards, and belongs to one server only. */
void mt_http_secure(struct mt_http_server *server, const struct mt_tls *tls);
bool mt_http_is_secure(const struct mt_http_server *server);

/* The first header of this name, in lower case, or NULL; lives as long as the
 * request. */
const char *mt_http_header(struct mt_http_request *request, const char *name);

/* Answer, once; the request is gone when this returns. */
void mt_http_respond(struct mt_http_request *request,
		     const struct mt_http_answer *answer);

/* Stop listening; requests that are still kept get 503 and their gone is called
 * from within this call; answers under way may take another second. cb is the
 * last callback, the memory is gone after it. NULL is allowed as cb. */
void mt_http_close(struct mt_http_server *server, void (*cb)(void *arg),
		   void *arg);

#endif
