/* SPDX-License-Identifier: PostgreSQL */
/*
 * Talking with the other nodes: the hello, reports, and where each frame goes.
 * A frame counts only from a member that its stream's hello names.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/encrypt.h"
#include "daemon/node_internal.h"

/* ---- hello ---- */

static int
make_hello(struct mt_node *n, struct mt_hello *h, struct mt_err *err)
{
	char texts[MT_CONF_PARTNERS_MAX + 1][MT_ADDR_MAX];
	const char *addrs[MT_CONF_PARTNERS_MAX + 1];
	const struct mt_conf_raft *r = &n->conf->raft;

	memset(h, 0, sizeof(*h));
	h->cluster_id = n->cluster_id;
	h->member_id = n->raft_id;
	h->incarnation = n->keep.incarnation;
	h->is_witness = !n->conf->has_postgresql;
	h->is_formed = n->phase == NODE_FORMED;
	mt_copy(h->name, sizeof(h->name), n->conf->name);
	mt_addr_format(&r->self_addr, h->addr, sizeof(h->addr));
	addrs[0] = h->addr;
	for (size_t i = 0; i < r->n; i++)
		addrs[i + 1] = mt_addr_format(&r->partner_addrs[i], texts[i],
					      sizeof(texts[i]));
	return mt_hello_set_list(h, addrs, r->n + 1, err);
}

void
node__talk_hello(struct mt_node *n)
{
	struct mt_hello h;
	struct mt_err err;

	if (make_hello(n, &h, &err) == 0)
		mt_peers_set_hello(n->peers, &h);
	n->sent_ms = 0; /* who is new wants to know at once */
}

static int
on_hello(void *arg, const struct mt_hello *theirs, char *why, size_t size)
{
	return node__form_hello(arg, theirs, why, size);
}

static void
on_up(void *arg, const struct mt_peer_info *p)
{
	struct mt_node *n = arg;

	mt_info("peer \"%s\" (%s) is connected", p->hello->name, p->addr);
	n->sent_ms = 0;
	node__wake(n);
}

static void
on_down(void *arg, const struct mt_peer_info *p, enum mt_peer_down reason)
{
	struct mt_node *n = arg;

	mt_warn("peer \"%s\" (%s) is gone: %s", p->hello->name, p->addr,
		mt_peer_down_name(reason));
	for (int i = 0; i < n->reports.n; i++)
		if (reason != MT_PEER_REPLACED &&
		    strcmp(n->reports.seen[i].report.self.name,
			   p->hello->name) == 0)
			n->reports.seen[i].gone = true;
	node__wake(n);
}

static void
on_refused(void *arg, const struct mt_refusal *r)
{
	struct mt_node *n = arg;

	if (!r->we_are_later)
		return;
	node__fail(n,
		   "Can't start; there is already a node named '%s' "
		   "running: %s",
		   n->conf->name, r->text);
}

/* ---- frames ---- */

static void
take_report(struct mt_node *n, const struct mt_hello *from, const uint8_t *p,
	    size_t size)
{
	struct mt_report r;
	struct mt_err err;

	if (mt_report_decode(&r, p, size, &err) != 0) {
		mt_warn("dropped a report of \"%s\": %s", from->name, err.text);
		return;
	}
	if (r.self.raft_id != from->member_id ||
	    strcmp(r.self.name, from->name) != 0 ||
	    r.incarnation != from->incarnation) {
		mt_warn("dropped a report of \"%s\" in the name of \"%s\"",
			from->name, r.self.name);
		return;
	}
	if (mt_reports_take(&n->reports, &r, mt_clock_ms()))
		node__wake(n);
}

static void
take_lease_message(struct mt_node *n, const struct mt_hello *from,
		   enum mt_keep_message kind, const uint8_t *p, size_t size)
{
	uint64_t term = n->driver != NULL ? mt_driver_term(n->driver) : 0;

	if (n->phase != NODE_FORMED)
		return;
	if (mt_keep_receive(&n->keep, &n->state, term, from->member_id, kind, p,
			    size, mt_clock_ms()) != 0)
		mt_warn("dropped a malformed lease message of \"%s\"",
			from->name);
	/* A longer lease must reach the sentinel, and may be awaited. */
	if (kind == MT_KEEP_SUPPORT_ANS)
		node__wake(n);
}

static void
take_raft(struct mt_node *n, const struct mt_hello *from, const uint8_t *p,
	  size_t size)
{
	struct mt_err err;
	int rv;

	if (n->driver == NULL)
		return;
	rv = mt_driver_receive(n->driver, from->member_id, p, size, &err);
	if (rv == MT_EPROTO)
		mt_warn("dropped a malformed Raft message of \"%s\": %s",
			from->name, err.text);
	/* The time of the next tick may have changed, and what is applied. */
	node__wake(n);
}

static void
on_frame(void *arg, const struct mt_hello *from, enum mt_frame_kind kind,
	 const uint8_t *p, size_t size)
{
	struct mt_node *n = arg;

	if (n->closing || from->member_id == 0)
		return;
	switch (kind) {
	case MT_FRAME_RAFT:
		take_raft(n, from, p, size);
		break;
	case MT_FRAME_REPORT:
		take_report(n, from, p, size);
		break;
	case MT_FRAME_SUPPORT_REQ:
		take_lease_message(n, from, MT_KEEP_SUPPORT_REQ, p, size);
		break;
	case MT_FRAME_SUPPORT_ANS:
		take_lease_message(n, from, MT_KEEP_SUPPORT_ANS, p, size);
		break;
	case MT_FRAME_FENCE_REQ:
		take_lease_message(n, from, MT_KEEP_FENCE_REQ, p, size);
		break;
	case MT_FRAME_FENCE_ANS:
		take_lease_message(n, from, MT_KEEP_FENCE_ANS, p, size);
		break;
	case MT_FRAME_PROPOSE:
		node__propose_remote(n, from->member_id, p, size);
		break;
	case MT_FRAME_PROPOSE_ANS:
		node__propose_answered(n, from->member_id, p, size);
		break;
	case MT_FRAME_HELLO:
	case MT_FRAME_HELLO_ACK:
	case MT_FRAME_HELLO_REFUSE:
	case MT_FRAME_PING:
		break; /* the transport's own */
	}
}

int
node__talk_open(struct mt_node *n, struct mt_err *err)
{
	const struct mt_conf_raft *r = &n->conf->raft;
	struct mt_peers_callbacks cb = {
	    .on_hello = on_hello,
	    .on_up = on_up,
	    .on_down = on_down,
	    .on_frame = on_frame,
	    .on_refused = on_refused,
	};
	struct mt_hello h;
	struct mt_peers_options o = {
	    .bind_host = r->bind_addr.host,
	    .bind_port = r->bind_addr.port,
	    .is_insecure = r->insecure,
	    .hello = &h,
	};
	int rv = make_hello(n, &h, err);

	if (rv == 0)
		rv = mt_encrypt_new(n->conf, &o.secure, err);
	if (rv == 0)
		rv = mt_peers_start(&n->peers, n->loop, &o, &cb, n, err);
	if (rv != 0)
		mt_secure_unref(o.secure);
	for (size_t i = 0; rv == 0 && i < r->n; i++)
		rv = mt_peers_add(n->peers, r->partner_addrs[i].host,
				  r->partner_addrs[i].port, err);
	if (rv == 0 && r->insecure)
		mt_warn("raft.insecure: %s",
			o.secure == NULL
			    ? "the streams between the nodes are not encrypted "
			      "and not authenticated"
			    : "members are believed without encryption, too; "
			      "take it away when all of them have it");
	return rv;
}

void
node__encrypt(struct mt_node *n, struct mt_secure *secure)
{
	struct mt_err err;

	if (mt_peers_set_secure(n->peers, secure, &err) == 0)
		return;
	mt_warn("%s", err.text);
	mt_secure_unref(secure);
}

/* ---- reports ---- */

static bool
clones_differ(const struct mt_report *a, const struct mt_report *b)
{
	return a->n_clones != b->n_clones ||
	       memcmp(a->clones, b->clones,
		      a->n_clones * sizeof(a->clones[0])) != 0;
}

/* Would the others decide otherwise if they knew? Positions change all the time
 * and travel with the next regular report, unless a new holder is being
 * chosen. */
static bool
worth_telling(const struct mt_node *n, const struct mt_report *r)
{
	const struct mt_report *o = &n->sent;

	return r->applied != o->applied || r->fenced != o->fenced ||
	       r->given_up != o->given_up || r->pg_epoch != o->pg_epoch ||
	       r->lease_epoch != o->lease_epoch || r->data_id != o->data_id ||
	       r->stopped != o->stopped || r->port != o->port ||
	       r->port_epoch != o->port_epoch || r->pg_state != o->pg_state ||
	       r->pg_role != o->pg_role || r->has_data != o->has_data ||
	       r->no_data != o->no_data || strcmp(r->sysid, o->sysid) != 0 ||
	       r->streaming != o->streaming || r->writable != o->writable ||
	       r->serving != o->serving || r->rewindable != o->rewindable ||
	       r->healthy != o->healthy || r->stopping != o->stopping ||
	       r->refuses != o->refuses || r->restored != o->restored ||
	       r->wants_clone != o->wants_clone || clones_differ(r, o) ||
	       r->bootstrap_ready != o->bootstrap_ready ||
	       r->bootstrap_failed != o->bootstrap_failed ||
	       r->at.timeline != o->at.timeline ||
	       (r->at.lsn != o->at.lsn &&
		(n->state.leader.released || !r->streaming)) ||
	       strcmp(r->self.conn_url, o->self.conn_url) != 0 ||
	       strcmp(r->scheduled, o->scheduled) != 0 ||
	       strcmp(r->job, o->job) != 0 || strcmp(r->why, o->why) != 0;
}

struct letter {
	struct mt_node *n;
	const uint8_t *p;
	size_t size;
};

static void
post(void *arg, const struct mt_peer_info *p)
{
	struct letter *l = arg;

	if (p->is_out && p->hello != NULL && p->hello->member_id != 0)
		mt_peers_send(l->n->peers, p->hello->member_id, MT_FRAME_REPORT,
			      l->p, l->size);
}

void
node__talk_reports(struct mt_node *n, const struct mt_view *view)
{
	struct mt_report r;
	uint8_t buf[MT_REPORT_SIZE_MAX];
	struct letter l = {.n = n, .p = buf};

	if (n->raft_id == 0)
		return;
	node__report(n, view, &r);
	if (n->sent_ms != 0 &&
	    view->now_ms - n->sent_ms < mt_report_interval_ms(&n->state) &&
	    !worth_telling(n, &r))
		return;
	r.seq = ++n->report_seq;
	n->sent = r;
	n->sent_ms = view->now_ms;
	l.size = mt_report_encode(&r, buf, sizeof(buf));
	mt_peers_each(n->peers, post, &l);
	mt_reports_take(&n->reports, &r, view->now_ms);
}

int64_t
node__talk_next_ms(const struct mt_node *n)
{
	return n->raft_id == 0 ? 0
			       : n->sent_ms + mt_report_interval_ms(&n->state);
}
