/* SPDX-License-Identifier: PostgreSQL */
/*
 * The way out to one peer: look-up, connect, and again.
 *
 * Happy path: a numeric host, or a look-up in libuv's pool, then one address
 * after the other until one connects; conn.c does the rest. Failure: a short
 * back-off that doubles up to a cap; a refusal waits a fixed while, since it
 * takes a person or a timeout elsewhere to change it. A look-up that hangs is
 * not repeated, so that a broken resolver holds one thread of the pool for each
 * peer at most.
 * Does not decide whether the one it reached is the right one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "peer/peers_internal.h"

static void dial(struct peer *peer);

static void
redial_cb(uv_timer_t *timer)
{
	dial(timer->data);
}

void
peer__dial_in(struct peer *peer, unsigned int delay_ms)
{
	if (!peer->is_removed)
		uv_timer_start(&peer->timer, redial_cb, delay_ms, 0);
}

void
peer__redial(struct peer *peer, bool refused)
{
	const struct mt_peers_options *o = &peer->all->o;
	unsigned int delay_ms = peer->backoff_ms;

	if (refused) {
		peer__dial_in(peer, o->refused_redial_ms);
		return;
	}
	/* A stream that did not last counts as one more failure: else one that
	 * is accepted and thrown away would be dialled in a tight loop. */
	if (peer->out_since_ms != 0 &&
	    mt_clock_ms() - peer->out_since_ms >= (int64_t)o->redial_max_ms)
		delay_ms = 0;
	peer->out_since_ms = 0;
	if (delay_ms < o->redial_min_ms)
		delay_ms = o->redial_min_ms;
	if (delay_ms > o->redial_max_ms)
		delay_ms = o->redial_max_ms;
	peer->backoff_ms = delay_ms * 2;
	peer__dial_in(peer, delay_ms);
}

static void
ping_cb(uv_timer_t *timer)
{
	struct peer *peer = timer->data;
	int64_t idle_ms = mt_clock_ms() - peer->last_sent_ms;

	if (peer->out != NULL && peer->out->state == CONN_LIVE &&
	    idle_ms >= (int64_t)peer->all->o.ping_interval_ms / 2)
		conn__send(peer->out, MT_FRAME_PING, NULL, 0);
}

void
peer__dial_done(struct peer *peer)
{
	unsigned int interval_ms = peer->all->o.ping_interval_ms;

	peer->out_since_ms = mt_clock_ms();
	uv_timer_start(&peer->timer, ping_cb, interval_ms, interval_ms);
}

void
peer__dial_stop(struct peer *peer)
{
	if (peer->lookup == NULL)
		return;
	/* Either its callback comes soon with UV_ECANCELED, or a thread is at
	 * it and it comes when it comes. */
	peer->lookup->peer = NULL;
	(void)uv_cancel((uv_req_t *)&peer->lookup->req);
	peer->lookup = NULL;
}

void
peer__other_way(struct peer *peer)
{
	const struct mt_peers_options *o = &peer->all->o;
	unsigned int ways;

	if (o->secure == NULL)
		return;
	ways = mt_secure_keys(o->secure) + (o->is_insecure ? 1 : 0);
	peer->way = (peer->way + 1) % ways;
}

/* Connect to the address at i_addr, or the next one that allows it. */
static void
try_addrs(struct peer *peer)
{
	while (peer->i_addr < peer->n_addrs) {
		const struct sockaddr *to =
		    (const struct sockaddr *)&peer->addrs[peer->i_addr];
		char text[MT_ADDR_MAX], why[512];
		struct mt_err err;

		if (peer->all->o.secure == NULL && !peer->all->o.is_insecure &&
		    !mt_sockaddr_is_loopback(to)) {
			mt_format(
			    why, sizeof(why),
			    "plain text to %s is not allowed: it is not a "
			    "loopback address and \"raft.insecure\" is "
			    "not set",
			    mt_sockaddr_text(text, to));
			peer__note(peer, MT_REFUSE_INSECURE, why);
		} else if (conn__dial(peer, to, &err) != 0) {
			peer__note(peer, MT_REFUSE_NONE, err.text);
		} else {
			return;
		}
		peer->i_addr++;
	}
	peer__redial(peer, false);
}

void
peer__dial_next(struct peer *peer)
{
	peer->i_addr++;
	try_addrs(peer);
}

static void
take_addrs(struct peer *peer, const struct addrinfo *ai)
{
	peer->n_addrs = 0;
	peer->i_addr = 0;
	for (; ai != NULL && peer->n_addrs < MAX_ADDRS; ai = ai->ai_next) {
		if (ai->ai_addrlen > sizeof(peer->addrs[0]))
			continue;
		memset(&peer->addrs[peer->n_addrs], 0, sizeof(peer->addrs[0]));
		memcpy(&peer->addrs[peer->n_addrs++], ai->ai_addr,
		       ai->ai_addrlen);
	}
}

static void
lookup_cb(uv_getaddrinfo_t *req, int status, struct addrinfo *ai)
{
	struct lookup *lookup = container_of(req, struct lookup, req);
	struct peer *peer = lookup->peer;
	char why[512];

	free(lookup);
	if (peer != NULL) {
		peer->lookup = NULL;
		take_addrs(peer, status == 0 ? ai : NULL);
		if (peer->n_addrs == 0) {
			mt_format(why, sizeof(why),
				  "could not look up \"%s\": %s", peer->host,
				  status == 0 ? "no address"
					      : uv_strerror(status));
			peer__note(peer, MT_REFUSE_NONE, why);
			peer__redial(peer, false);
		} else {
			try_addrs(peer);
		}
	}
	uv_freeaddrinfo(ai);
}

static void
slow_lookup_cb(uv_timer_t *timer)
{
	struct peer *peer = timer->data;
	char why[512];

	mt_format(why, sizeof(why),
		  "still looking up \"%s\": the resolver does not answer",
		  peer->host);
	peer__note(peer, MT_REFUSE_NONE, why);
}

static int
look_up(struct peer *peer)
{
	const struct addrinfo hints = {
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICSERV,
	};
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	char port[8];
	int rv;

	if (lookup == NULL)
		return UV_ENOMEM;
	mt_format(port, sizeof(port), "%u", (unsigned int)peer->port);
	lookup->peer = peer;
	rv = uv_getaddrinfo(peer->all->loop, &lookup->req, lookup_cb,
			    peer->host, port, &hints);
	if (rv != 0) {
		free(lookup);
		return rv;
	}
	peer->lookup = lookup;
	uv_timer_start(&peer->timer, slow_lookup_cb,
		       peer->all->o.connect_timeout_ms, 0);
	return 0;
}

static void
dial(struct peer *peer)
{
	char why[512];
	int rv;

	if (peer->is_removed || peer->out != NULL || peer->lookup != NULL)
		return;
	peer->i_addr = 0;
	peer->n_addrs = 0;
	if (mt_sockaddr_numeric(peer->host, peer->port, &peer->addrs[0])) {
		peer->n_addrs = 1;
		try_addrs(peer);
		return;
	}
	rv = look_up(peer);
	if (rv != 0) {
		mt_format(why, sizeof(why), "could not look up \"%s\": %s",
			  peer->host, uv_strerror(rv));
		peer__note(peer, MT_REFUSE_NONE, why);
		peer__redial(peer, false);
	}
}
