/* SPDX-License-Identifier: PostgreSQL */
/*
 * The listener of HAProxy's agent checks. Happy path: a connection sends its
 * line, agent_answer.c makes the answer from the facts of that moment, it is
 * written, and the connection closes. A reload opens, moves or closes the
 * listener; connections that stand are answered all the same.
 *
 * Failure modes: what cannot be listened on is told once and tried again, as
 * the node is worth more than its agent check. Of a client nothing is trusted:
 * a line too long, one without an end, or too many connections at once get a
 * reason or are closed, and each has a deadline.
 *
 * Who sends nothing asks for the primary. That is decided late (ASK_MS): a line
 * that was lost once and comes again after 200 ms must not be answered for
 * another role. It is plain TCP, as HAProxy knows nothing else here, and it
 * tells roles and lag, nothing more.
 */
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/api/agent_answer.h"
#include "daemon/api/internal.h"

#define LISTENERS_MAX 4
#define BACKLOG 128
#define CONNECTIONS_MAX 128
#define ASK_MS 500    /* for the line to come */
#define GO_MS 1000    /* for the answer to be read */
#define AGAIN_MS 5000 /* between attempts to listen */

struct listener {
	uv_tcp_t tcp;
	struct api__agent *agent;
	struct listener *next;
};

/* Looking a host up; of an address that is no longer wanted once it is not its
 * agent's. */
struct lookup {
	uv_getaddrinfo_t req;
	struct api__agent *agent;
};

struct connection {
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_write_t write;
	uv_shutdown_t shutdown;
	struct api__agent *agent;
	struct connection *prev, *next;
	char line[MT_AGENT_LINE_MAX];
	size_t n; /* of line */
	char answer[MT_AGENT_ANSWER_MAX];
	bool is_answered, is_written, is_read_out;
	int open; /* handles */
};

struct api__agent {
	uv_loop_t *loop;
	const struct mt_api *api;
	struct mt_addr addr; /* port 0: off */
	uint16_t port;       /* that is listened on, 0 = none */
	struct listener *listeners;
	struct lookup *lookup;
	struct connection *connections;
	int n_connections;
	uv_timer_t again;
	bool is_told; /* that listening failed */
	bool closing;
	int open; /* listeners, look-ups, connections, the timer */
	void (*closed_cb)(void *arg);
	void *closed_arg;
};

static void
part_closed(struct api__agent *a)
{
	void (*cb)(void *arg) = a->closed_cb;
	void *arg = a->closed_arg;

	if (--a->open > 0 || !a->closing)
		return;
	free(a);
	cb(arg);
}

/* ---- a connection ----------------------------------------------------- */

static void
on_handle_closed(uv_handle_t *handle)
{
	struct connection *c = handle->data;
	struct api__agent *a = c->agent;

	if (--c->open > 0)
		return;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		a->connections = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	a->n_connections--;
	free(c);
	part_closed(a);
}

static void
end(struct connection *c)
{
	if (uv_is_closing((uv_handle_t *)&c->tcp))
		return;
	uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
	uv_close((uv_handle_t *)&c->timer, on_handle_closed);
}

static void
on_shutdown(uv_shutdown_t *req, int status)
{
	(void)req;
	(void)status;
}

/* Closing before all was read could undo the answer with a reset. */
static void
on_written(uv_write_t *req, int status)
{
	struct connection *c = container_of(req, struct connection, write);

	c->is_written = true;
	if (status != 0 || c->is_read_out ||
	    uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) != 0)
		end(c);
}

static void
on_go_deadline(uv_timer_t *timer)
{
	end(timer->data);
}

static void
answer(struct connection *c, const char *text)
{
	uv_buf_t buf;

	if (text != NULL)
		mt_copy(c->answer, sizeof(c->answer), text);
	buf = uv_buf_init(c->answer, (unsigned int)strlen(c->answer));
	c->is_answered = true;
	uv_timer_start(&c->timer, on_go_deadline, GO_MS, 0);
	if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written) !=
	    0)
		end(c);
}

static void
answer_line(struct connection *c)
{
	const struct mt_api *api = c->agent->api;
	const struct mt_api_backend *b = api->backend;
	struct mt_health_input in;
	struct mt_view view;

	b->view(b->arg, &view);
	api__health_input(api, &view, &in);
	mt_agent_answer(&in, view.local.stopping, c->line, c->answer);
	answer(c, NULL);
}

static void
on_ask_deadline(uv_timer_t *timer)
{
	struct connection *c = timer->data;

	if (c->n == 0)
		answer_line(c);
	else
		answer(c, "down #the request has no line end\n");
}

static void
on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
	struct connection *c = handle->data;
	static char ignored[512];

	(void)hint;
	*buf = c->is_answered
		   ? uv_buf_init(ignored, sizeof(ignored))
		   : uv_buf_init(c->line + c->n,
				 (unsigned int)(sizeof(c->line) - 1 - c->n));
}

static void
on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct connection *c = stream->data;
	size_t end_at;

	(void)buf;
	c->is_read_out = got < 0;
	if ((got < 0 && got != UV_EOF) || (c->is_read_out && c->is_written)) {
		end(c);
		return;
	}
	if (c->is_answered)
		return;
	c->n += got > 0 ? (size_t)got : 0;
	c->line[c->n] = '\0';
	end_at = strcspn(c->line, "\r\n");
	if (end_at < c->n || got == UV_EOF) {
		c->line[end_at] = '\0';
		answer_line(c);
	} else if (c->n == sizeof(c->line) - 1) {
		answer(c, "down #the request is too long\n");
	}
}

static void
on_connection(uv_stream_t *stream, int status)
{
	struct api__agent *a =
	    container_of((uv_tcp_t *)stream, struct listener, tcp)->agent;
	struct connection *c;

	if (status != 0 || a->closing)
		return;
	c = calloc(1, sizeof(*c));
	MT_ASSERT(c != NULL);
	c->agent = a;
	c->tcp.data = c->timer.data = c;
	c->open = 2;
	a->open++;
	a->n_connections++;
	c->next = a->connections;
	if (c->next != NULL)
		c->next->prev = c;
	a->connections = c;
	uv_timer_init(a->loop, &c->timer);
	uv_tcp_init(a->loop, &c->tcp);
	if (uv_accept(stream, (uv_stream_t *)&c->tcp) != 0 ||
	    a->n_connections > CONNECTIONS_MAX) {
		end(c);
		return;
	}
	(void)uv_tcp_nodelay(&c->tcp, 1);
	uv_update_time(a->loop);
	uv_timer_start(&c->timer, on_ask_deadline, ASK_MS, 0);
	if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
		end(c);
}

/* ---- listening -------------------------------------------------------- */

static void
on_listener_closed(uv_handle_t *handle)
{
	struct listener *l =
	    container_of((uv_tcp_t *)handle, struct listener, tcp);
	struct api__agent *a = l->agent;

	free(l);
	part_closed(a);
}

static void
stop_listening(struct api__agent *a)
{
	struct listener *l, *next = a->listeners;

	a->listeners = NULL;
	a->port = 0;
	a->lookup = NULL;
	uv_timer_stop(&a->again);
	while ((l = next) != NULL) {
		next = l->next;
		uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
	}
}

static int
listen_on(struct api__agent *a, const struct sockaddr *addr)
{
	struct listener *l = calloc(1, sizeof(*l));
	int rv;

	MT_ASSERT(l != NULL);
	l->agent = a;
	uv_tcp_init(a->loop, &l->tcp);
	a->open++;
	l->next = a->listeners;
	a->listeners = l;
	rv = uv_tcp_bind(&l->tcp, addr, 0);
	if (rv == 0)
		rv = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
	if (rv == 0)
		return 0;
	a->listeners = l->next;
	uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
	return rv;
}

/* Every address of the host but those that this machine does not have. */
static int
listen_on_each(struct api__agent *a, struct addrinfo *ai)
{
	int rv, failed = 0, n = 0;

	for (; ai != NULL && n < LISTENERS_MAX; ai = ai->ai_next) {
		rv = listen_on(a, ai->ai_addr);
		if (rv == 0) {
			n++;
			continue;
		}
		failed = rv;
		if (rv != UV_EAFNOSUPPORT && rv != UV_EADDRNOTAVAIL) {
			stop_listening(a);
			return rv;
		}
	}
	return n > 0 ? 0 : failed;
}

static void begin(struct api__agent *a);

static void
on_again(uv_timer_t *timer)
{
	begin(container_of(timer, struct api__agent, again));
}

static void
conclude(struct api__agent *a, int rv)
{
	char text[MT_ADDR_MAX];

	mt_addr_format(&a->addr, text, sizeof(text));
	if (rv == 0) {
		a->port = a->addr.port;
		a->is_told = false;
		mt_info("agent checks of HAProxy are answered on \"%s\"", text);
		return;
	}
	if (!a->is_told)
		mt_error("could not listen on \"%s\" "
			 "(\"restapi.agent_check\"): %s; it is tried again "
			 "every %d s",
			 text, uv_strerror(rv), AGAIN_MS / 1000);
	a->is_told = true;
	uv_timer_start(&a->again, on_again, AGAIN_MS, 0);
}

static void
on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *first)
{
	struct lookup *l = container_of(req, struct lookup, req);
	struct api__agent *a = l->agent;

	if (a->lookup == l) {
		a->lookup = NULL;
		conclude(a, status != 0 ? status : listen_on_each(a, first));
	}
	uv_freeaddrinfo(first);
	free(l);
	part_closed(a);
}

static void
begin(struct api__agent *a)
{
	static const struct addrinfo hints = {
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct lookup *l;
	char port[8];
	struct sockaddr_in6 any6;
	struct sockaddr_in any4;
	int rv;

	if (mt_streq(a->addr.host, "*")) {
		/* both families by one socket, or IPv4 alone */
		uv_ip6_addr("::", a->addr.port, &any6);
		uv_ip4_addr("0.0.0.0", a->addr.port, &any4);
		rv = listen_on(a, (const struct sockaddr *)&any6);
		if (rv == UV_EAFNOSUPPORT || rv == UV_EADDRNOTAVAIL)
			rv = listen_on(a, (const struct sockaddr *)&any4);
		conclude(a, rv);
		return;
	}
	l = calloc(1, sizeof(*l));
	MT_ASSERT(l != NULL);
	l->agent = a;
	mt_format(port, sizeof(port), "%u", (unsigned int)a->addr.port);
	rv = uv_getaddrinfo(a->loop, &l->req, on_lookup, a->addr.host, port,
			    &hints);
	if (rv != 0) {
		free(l);
		conclude(a, rv);
		return;
	}
	a->lookup = l;
	a->open++;
}

/* ---- its life --------------------------------------------------------- */

struct api__agent *
api__agent_new(const struct mt_api *api, uv_loop_t *loop)
{
	struct api__agent *a = calloc(1, sizeof(*a));

	MT_ASSERT(a != NULL);
	a->api = api;
	a->loop = loop;
	a->open = 1;
	uv_timer_init(loop, &a->again);
	api__agent_configure(a);
	return a;
}

void
api__agent_configure(struct api__agent *a)
{
	const struct mt_addr *wanted =
	    &a->api->backend->conf->restapi.agent_check;
	char text[MT_ADDR_MAX];

	if (mt_addr_equal(wanted, &a->addr))
		return;
	if (a->addr.port != 0 && wanted->port == 0)
		mt_info("agent checks of HAProxy are no longer answered on "
			"\"%s\"",
			mt_addr_format(&a->addr, text, sizeof(text)));
	/* First, as the new one may overlap it. */
	stop_listening(a);
	a->addr = *wanted;
	a->is_told = false;
	if (wanted->port != 0)
		begin(a);
}

const struct mt_addr *
api__agent_address(const struct api__agent *a)
{
	return a->port != 0 ? &a->addr : NULL;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	part_closed(
	    container_of((uv_timer_t *)handle, struct api__agent, again));
}

void
api__agent_close(struct api__agent *a, void (*cb)(void *arg), void *arg)
{
	struct lookup *l = a->lookup;

	/* At once: the node that answers are made of is coming down. */
	a->closing = true;
	a->closed_cb = cb;
	a->closed_arg = arg;
	stop_listening(a);
	if (l != NULL)
		(void)uv_cancel((uv_req_t *)&l->req);
	for (struct connection *c = a->connections; c != NULL; c = c->next)
		end(c);
	uv_close((uv_handle_t *)&a->again, on_timer_closed);
}
