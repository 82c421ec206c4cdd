/* SPDX-License-Identifier: PostgreSQL */
/*
 * Reports as bytes, and the table of the newest ones. A report that is not
 * newer than what is known of its node changes nothing.
 */
#include "core/report.h"

#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

#define REPORT_VERSION 1
#define FRESH_LEAST_MS 1000

enum flag {
	F_WITNESS = 1 << 0,
	F_HAS_DATA = 1 << 1,
	F_BOOTSTRAP_READY = 1 << 2,
	F_BOOTSTRAP_FAILED = 1 << 3,
	F_STREAMING = 1 << 4,
	F_WRITABLE = 1 << 5,
	F_SERVING = 1 << 6,
	F_NOFAILOVER = 1 << 7,
	F_HEALTHY = 1 << 8,
	F_PENDING_RESTART = 1 << 9,
	F_UNFENCED = 1 << 10,
	F_HUNG = 1 << 11,
	F_REWINDABLE = 1 << 12,
	F_HOLDS_TURN = 1 << 13,
	F_STOPPING = 1 << 14,
	F_REFUSES = 1 << 15,
	F_RESTORED = 1 << 16,
	F_WANTS_CLONE = 1 << 17,
	F_NO_DATA = 1 << 18,
	F_RESTORING = 1 << 19,
};

static uint32_t
flags_of(const struct mt_report *r)
{
	return (uint32_t)((r->self.witness ? F_WITNESS : 0) |
			  (r->has_data ? F_HAS_DATA : 0) |
			  (r->bootstrap_ready ? F_BOOTSTRAP_READY : 0) |
			  (r->bootstrap_failed ? F_BOOTSTRAP_FAILED : 0) |
			  (r->streaming ? F_STREAMING : 0) |
			  (r->writable ? F_WRITABLE : 0) |
			  (r->serving ? F_SERVING : 0) |
			  (r->nofailover ? F_NOFAILOVER : 0) |
			  (r->healthy ? F_HEALTHY : 0) |
			  (r->pending_restart ? F_PENDING_RESTART : 0) |
			  (r->unfenced ? F_UNFENCED : 0) |
			  (r->rewindable ? F_REWINDABLE : 0) |
			  (r->hung ? F_HUNG : 0) |
			  (r->stopping ? F_STOPPING : 0) |
			  (r->refuses ? F_REFUSES : 0) |
			  (r->restored ? F_RESTORED : 0) |
			  (r->wants_clone ? F_WANTS_CLONE : 0) |
			  (r->holds_turn ? F_HOLDS_TURN : 0) |
			  (r->restoring ? F_RESTORING : 0) |
			  (r->no_data ? F_NO_DATA : 0));
}

size_t
mt_report_encode(const struct mt_report *r, void *buf, size_t size)
{
	struct mt_writer w = {.p = buf, .cap = size};

	mt_put_u8(&w, REPORT_VERSION);
	mt_put_u64(&w, r->incarnation);
	mt_put_u64(&w, r->seq);
	mt_put_str(&w, r->self.name);
	mt_put_u64(&w, r->self.raft_id);
	mt_put_u32(&w, r->self.command_version);
	mt_put_str(&w, r->self.peer_addr);
	mt_put_str(&w, r->self.api_url);
	mt_put_str(&w, r->self.conn_url);
	mt_put_str(&w, r->self.tags);
	mt_put_str(&w, r->self.version);
	mt_put_u64(&w, r->applied);
	mt_put_u64(&w, r->fenced);
	mt_put_u64(&w, r->given_up);
	mt_put_u64(&w, r->pg_epoch);
	mt_put_u64(&w, r->lease_epoch);
	mt_put_u64(&w, r->data_id);
	mt_put_u64(&w, r->stopped);
	mt_put_u16(&w, r->interval_ms);
	mt_put_u64(&w, r->port_epoch);
	mt_put_u8(&w, (uint8_t)r->port);
	mt_put_u8(&w, (uint8_t)r->pg_state);
	mt_put_u8(&w, (uint8_t)r->pg_role);
	mt_put_u32(&w, flags_of(r));
	mt_put_u32(&w, (uint32_t)r->failover_priority);
	mt_put_str(&w, r->sysid);
	mt_put_u32(&w, r->at.timeline);
	mt_put_u64(&w, r->at.lsn);
	mt_put_u64(&w, r->replayed_lsn);
	mt_put_u32(&w, r->server_version);
	mt_put_u64(&w, r->config_index);
	mt_put_u64(&w, r->config_term);
	mt_put_u16(&w, r->clone_percent);
	mt_put_u8(&w, r->n_clones);
	for (int i = 0; i < r->n_clones; i++)
		mt_put_u64(&w, r->clones[i]);
	mt_put_str(&w, r->job);
	mt_put_str(&w, r->why);
	mt_put_str(&w, r->pending);
	mt_put_str(&w, r->self.proxy_url);
	mt_put_str(&w, r->scheduled);
	MT_ASSERT(!w.bad);
	return w.n;
}

static void
take_flags(struct mt_report *r, uint32_t f)
{
	r->self.witness = (f & F_WITNESS) != 0;
	r->has_data = (f & F_HAS_DATA) != 0;
	r->bootstrap_ready = (f & F_BOOTSTRAP_READY) != 0;
	r->bootstrap_failed = (f & F_BOOTSTRAP_FAILED) != 0;
	r->streaming = (f & F_STREAMING) != 0;
	r->writable = (f & F_WRITABLE) != 0;
	r->serving = (f & F_SERVING) != 0;
	r->nofailover = (f & F_NOFAILOVER) != 0;
	r->healthy = (f & F_HEALTHY) != 0;
	r->pending_restart = (f & F_PENDING_RESTART) != 0;
	r->unfenced = (f & F_UNFENCED) != 0;
	r->rewindable = (f & F_REWINDABLE) != 0;
	r->holds_turn = (f & F_HOLDS_TURN) != 0;
	r->hung = (f & F_HUNG) != 0;
	r->stopping = (f & F_STOPPING) != 0;
	r->refuses = (f & F_REFUSES) != 0;
	r->restored = (f & F_RESTORED) != 0;
	r->wants_clone = (f & F_WANTS_CLONE) != 0;
	r->no_data = (f & F_NO_DATA) != 0;
	r->restoring = (f & F_RESTORING) != 0;
}

static void
get_member(struct mt_reader *in, struct mt_member *m)
{
	mt_get_str(in, m->name, sizeof(m->name));
	m->raft_id = mt_get_u64(in);
	m->command_version = mt_get_u32(in);
	mt_get_str(in, m->peer_addr, sizeof(m->peer_addr));
	mt_get_str(in, m->api_url, sizeof(m->api_url));
	mt_get_str(in, m->conn_url, sizeof(m->conn_url));
	mt_get_str(in, m->tags, sizeof(m->tags));
	mt_get_str(in, m->version, sizeof(m->version));
}

int
mt_report_decode(struct mt_report *r, const void *p, size_t n,
		 struct mt_err *err)
{
	struct mt_reader in = {.p = p, .left = n};
	struct mt_report got;
	uint8_t version = mt_get_u8(&in), state, role, port;

	if (version != REPORT_VERSION)
		return mt_err_set(err, MT_EPROTO,
				  "report has version %u, this program knows "
				  "%d",
				  version, REPORT_VERSION);
	memset(&got, 0, sizeof(got));
	got.incarnation = mt_get_u64(&in);
	got.seq = mt_get_u64(&in);
	get_member(&in, &got.self);
	got.applied = mt_get_u64(&in);
	got.fenced = mt_get_u64(&in);
	got.given_up = mt_get_u64(&in);
	got.pg_epoch = mt_get_u64(&in);
	got.lease_epoch = mt_get_u64(&in);
	got.data_id = mt_get_u64(&in);
	got.stopped = mt_get_u64(&in);
	got.interval_ms = mt_get_u16(&in);
	got.port_epoch = mt_get_u64(&in);
	port = mt_get_u8(&in);
	state = mt_get_u8(&in);
	role = mt_get_u8(&in);
	take_flags(&got, mt_get_u32(&in));
	got.failover_priority = (int)mt_get_u32(&in);
	mt_get_str(&in, got.sysid, sizeof(got.sysid));
	got.at.timeline = mt_get_u32(&in);
	got.at.lsn = mt_get_u64(&in);
	got.replayed_lsn = mt_get_u64(&in);
	got.server_version = mt_get_u32(&in);
	got.config_index = mt_get_u64(&in);
	got.config_term = mt_get_u64(&in);
	got.clone_percent = mt_get_u16(&in);
	got.n_clones = mt_get_u8(&in);
	for (int i = 0; i < got.n_clones && i < MT_NODES_MAX; i++)
		got.clones[i] = mt_get_u64(&in);
	mt_get_str(&in, got.job, sizeof(got.job));
	mt_get_str(&in, got.why, sizeof(got.why));
	mt_get_str(&in, got.pending, sizeof(got.pending));
	mt_get_str(&in, got.self.proxy_url, sizeof(got.self.proxy_url));
	mt_get_str(&in, got.scheduled, sizeof(got.scheduled));
	if (!mt_reader_done(&in) || state > MT_PG_CRASHED ||
	    role > MT_ROLE_DEMOTED || got.n_clones > MT_NODES_MAX ||
	    port > MT_PORT_STREAMS || got.self.name[0] == '\0' ||
	    got.self.raft_id == 0)
		return mt_err_set(err, MT_EPROTO, "malformed report");
	got.pg_state = (enum mt_pg_state)state;
	got.pg_role = (enum mt_pg_role)role;
	got.port = (enum mt_port)port;
	*r = got;
	return 0;
}

bool
mt_reports_take(struct mt_reports *all, const struct mt_report *r,
		int64_t now_ms)
{
	struct mt_seen *seen = NULL;

	for (int i = 0; i < all->n; i++)
		if (strcmp(all->seen[i].report.self.name, r->self.name) == 0)
			seen = &all->seen[i];
	if (seen != NULL && (r->incarnation < seen->report.incarnation ||
			     (r->incarnation == seen->report.incarnation &&
			      r->seq <= seen->report.seq)))
		return false;
	if (seen == NULL) {
		if (all->n == MT_NODES_MAX)
			return false;
		seen = &all->seen[all->n++];
	}
	*seen = (struct mt_seen){.report = *r, .at_ms = now_ms};
	return true;
}

const struct mt_seen *
mt_reports_find(const struct mt_reports *all, const char *name)
{
	for (int i = 0; i < all->n; i++)
		if (strcmp(all->seen[i].report.self.name, name) == 0)
			return &all->seen[i];
	return NULL;
}

bool
mt_report_is_fresh(const struct mt_seen *seen, int64_t now_ms)
{
	int64_t limit_ms;

	if (seen == NULL)
		return false;
	/* Its own interval: it may not have applied yet what changes it. */
	limit_ms = 3 * (int64_t)seen->report.interval_ms;
	if (limit_ms < FRESH_LEAST_MS)
		limit_ms = FRESH_LEAST_MS;
	return now_ms - seen->at_ms <= limit_ms;
}

int64_t
mt_report_interval_ms(const struct mt_state *s)
{
	return mt_sync_stands(s) ? MT_REPORT_SYNC_INTERVAL_MS
				 : MT_REPORT_INTERVAL_MS;
}
