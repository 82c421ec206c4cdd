/* SPDX-License-Identifier: PostgreSQL */
/*
 * Does the PostgreSQL port of a holder that is silent take a connection? When
 * to ask is core/suspect.c's decision; here is the asking.
 *
 * Happy path: the host is numeric or is looked up; one address after the other
 * is connected to, MT_PROBE_DEADLINE_MS each, and the connection is closed
 * again; the first that is accepted answers the question. Failure: refused or
 * unanswered everywhere is a dead port; a name that cannot be looked up, or a
 * machine that cannot connect to anything, says nothing about another's. A
 * look-up that hangs is not begun again. It does not: send a byte.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/node_internal.h"
#include "peer/sockaddr.h"
#include "pg/conninfo.h"

#define ADDRS_MAX 4

struct node_probe {
	struct mt_node *n; /* NULL: nobody wants to know any more */
	char url[MT_URL_MAX];
	uv_getaddrinfo_t lookup;
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_connect_t connect;
	struct sockaddr_storage addrs[ADDRS_MAX];
	int n_addrs, i_addr;
	int open; /* handles */
	enum mt_port found;
};

static const char *
port_name(enum mt_port port)
{
	switch (port) {
	case MT_PORT_UNKNOWN:
		return "is not known";
	case MT_PORT_ACCEPTS:
		return "accepts connections";
	case MT_PORT_DEAD:
		return "is dead";
	case MT_PORT_STREAMS: /* is not found at the port */
		break;
	}
	return "";
}

static void
end(struct node_probe *p, enum mt_port found)
{
	struct mt_node *n = p->n;

	if (n != NULL) {
		if (found != n->probing.found)
			mt_info("\"%s\" is silent; its PostgreSQL's port (%s) "
				"%s",
				n->state.leader.holder, p->url,
				port_name(found));
		n->probe = NULL;
		mt_probing_ended(&n->probing, found);
		node__wake(n);
	}
	free(p);
}

/* ---- one address ---- */

static void try_addrs(struct node_probe *p);

static void
closed_cb(uv_handle_t *handle)
{
	struct node_probe *p = handle->data;

	if (--p->open > 0)
		return;
	if (p->n == NULL || p->found == MT_PORT_ACCEPTS ||
	    ++p->i_addr == p->n_addrs)
		end(p, p->found);
	else
		try_addrs(p);
}

static void
close_both(struct node_probe *p)
{
	if (uv_is_closing((uv_handle_t *)&p->tcp))
		return;
	uv_close((uv_handle_t *)&p->tcp, closed_cb);
	uv_close((uv_handle_t *)&p->timer, closed_cb);
}

static void
connect_cb(uv_connect_t *connect, int status)
{
	struct node_probe *p =
	    container_of(connect, struct node_probe, connect);

	switch (status) {
	case 0:
		p->found = MT_PORT_ACCEPTS;
		break;
	case UV_ECANCELED: /* the deadline said what it is */
	case UV_ENETUNREACH:
	case UV_ENETDOWN:
	case UV_EADDRNOTAVAIL:
		break;
	default:
		p->found = MT_PORT_DEAD;
		break;
	}
	close_both(p);
}

static void
deadline_cb(uv_timer_t *timer)
{
	struct node_probe *p = timer->data;

	p->found = MT_PORT_DEAD;
	close_both(p);
}

static void
try_addrs(struct node_probe *p)
{
	uv_loop_t *loop = p->n->loop;

	uv_tcp_init(loop, &p->tcp);
	uv_timer_init(loop, &p->timer);
	p->tcp.data = p->timer.data = p;
	p->open = 2;
	uv_update_time(loop);
	uv_timer_start(&p->timer, deadline_cb, MT_PROBE_DEADLINE_MS, 0);
	if (uv_tcp_connect(&p->connect, &p->tcp,
			   (const struct sockaddr *)&p->addrs[p->i_addr],
			   connect_cb) != 0)
		close_both(p);
}

/* ---- the name ---- */

static void
lookup_cb(uv_getaddrinfo_t *lookup, int status, struct addrinfo *first)
{
	struct node_probe *p = container_of(lookup, struct node_probe, lookup);

	for (struct addrinfo *ai = status == 0 ? first : NULL;
	     ai != NULL && p->n_addrs < ADDRS_MAX; ai = ai->ai_next)
		if (ai->ai_addrlen <= sizeof(p->addrs[0]))
			memcpy(&p->addrs[p->n_addrs++], ai->ai_addr,
			       ai->ai_addrlen);
	uv_freeaddrinfo(first);
	if (p->n == NULL || p->n_addrs == 0)
		end(p, MT_PORT_UNKNOWN);
	else
		try_addrs(p);
}

static bool
look_up(struct node_probe *p, const struct mt_pg_target *to)
{
	const struct addrinfo hints = {
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICSERV,
	};
	char port[8];

	mt_format(port, sizeof(port), "%u", (unsigned int)to->port);
	return uv_getaddrinfo(p->n->loop, &p->lookup, lookup_cb, to->host, port,
			      &hints) == 0;
}

static void
begin(struct mt_node *n, const char *url)
{
	struct node_probe *p = calloc(1, sizeof(*p));
	struct mt_pg_target to;
	struct mt_err err;

	if (p == NULL || mt_pg_url_parse(&to, NULL, 0, url, &err) != 0) {
		free(p);
		mt_probing_ended(&n->probing, MT_PORT_UNKNOWN);
		return;
	}
	p->n = n;
	mt_copy(p->url, sizeof(p->url), url);
	n->probe = p;
	if (mt_sockaddr_numeric(to.host, to.port, &p->addrs[0])) {
		p->n_addrs = 1;
		try_addrs(p);
	} else if (!look_up(p, &to)) {
		end(p, MT_PORT_UNKNOWN);
	}
}

int64_t
node__probe(struct mt_node *n, const struct mt_view *view)
{
	char url[MT_URL_MAX];
	int64_t look_again_ms = 0;

	if (n->phase == NODE_FORMED &&
	    mt_probing_step(&n->probing, view, url, &look_again_ms))
		begin(n, url);
	return look_again_ms;
}

void
node__probe_close(struct mt_node *n)
{
	struct node_probe *p = n->probe;

	if (p == NULL)
		return;
	n->probe = NULL;
	p->n = NULL;
	if (p->open > 0)
		close_both(p);
	else
		(void)uv_cancel((uv_req_t *)&p->lookup);
}
