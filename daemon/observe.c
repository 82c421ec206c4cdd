/* SPDX-License-Identifier: PostgreSQL */
/*
 * Facts to view: what the node knows at this instant, for the decisions, for
 * the report to the others and for the API. Nothing is decided here.
 */
#include <stdlib.h>
#include <string.h>

#include "config.h"

#include "base/clock.h"
#include "base/text.h"
#include "conf/pgconf.h"
#include "core/found.h"
#include "daemon/node_internal.h"

static void
observe_raft(struct mt_node *n, struct mt_view *v)
{
	if (n->driver == NULL)
		return;
	v->leads = mt_driver_is_ready_leader(n->driver) &&
		   !mt_driver_is_transferring(n->driver);
	v->term = mt_driver_term(n->driver);
	v->voters = n->committed_voters;
	v->local.state_current = mt_driver_is_current(n->driver);
}

static void
note(int64_t *ms, bool is_so, int64_t at_ms, int64_t since_ms)
{
	if (is_so && *ms == 0)
		*ms = at_ms > since_ms ? at_ms - since_ms : 1;
}

/* Each phase of the own turn when it is first seen. */
static void
observe_phases(struct mt_node *n, struct mt_view *v)
{
	struct mt_local *l = &v->local;
	const struct mt_leader *lead = &n->state.leader;
	struct mt_phases *ph = &n->phases;

	if (!mt_state_held_by(&n->state, l->name))
		return;
	if (n->phases_of != lead->since) {
		n->phases_of = lead->since;
		n->phases_ms = lead->epoch == lead->since ? v->now_ms : 0;
		memset(ph, 0, sizeof(*ph));
	}
	if (n->phases_ms == 0)
		return;
	note(&ph->leased_ms,
	     l->had_lease && l->lease_epoch >= lead->since &&
		 v->now_ms < l->deadline_ms,
	     v->now_ms, n->phases_ms);
	note(&ph->promoted_ms, l->promote_sent_ms >= n->phases_ms,
	     l->promote_sent_ms, n->phases_ms);
	note(&ph->writable_ms,
	     l->accepting && !l->in_recovery && l->as_primary &&
		 v->now_ms < l->deadline_ms,
	     v->now_ms, n->phases_ms);
	l->leased_ms = ph->leased_ms;
	l->promoted_ms = ph->promoted_ms;
	l->writable_ms = ph->writable_ms;
}

static bool
hears_primary(const struct mt_node *n, int64_t now_ms)
{
	for (int i = 0; i < n->reports.n; i++) {
		const struct mt_seen *seen = &n->reports.seen[i];

		if (mt_report_is_fresh(seen, now_ms) && !seen->gone &&
		    (seen->report.pg_role == MT_ROLE_PRIMARY ||
		     seen->report.pg_role == MT_ROLE_PROMOTED))
			return true;
	}
	return false;
}

void
node__observe(struct mt_node *n, struct mt_view *v)
{
	struct mt_local *l = &v->local;

	memset(v, 0, sizeof(*v));
	v->now_ms = mt_clock_ms();
	v->wall_ms = mt_wall_ms();
	v->state = &n->state;
	v->reports = &n->reports;
	v->settings = &n->settings;
	v->bootstrap_config = n->conf->bootstrap.dcs;
	mt_copy(l->name, sizeof(l->name), n->conf->name);
	l->witness = n->pg == NULL;
	l->stopping = n->stopping;
	l->stopping_ms = n->stopping_ms;
	l->fencing = n->conf->fencing;
	if (n->turn_epoch != n->state.leader.epoch || n->turn_ms == 0) {
		n->turn_epoch = n->state.leader.epoch;
		n->turn_ms = v->now_ms;
	}
	l->turn_ms = n->turn_ms;
	if (hears_primary(n, v->now_ms))
		n->alone_ms = 0;
	else if (n->alone_ms == 0)
		n->alone_ms = v->now_ms;
	l->alone_ms = n->alone_ms;
	l->status_put_ms = n->status_put_ms;
	l->exempt_ended = n->exempt_ended;
	if (n->pg != NULL) {
		mt_postgres_observe(n->pg, &n->state, n->settings.use_slots, l);
		node__errand_observe(n, l);
		v->history = mt_postgres_history(n->pg, &v->n_history);
		v->flushed = mt_postgres_flushed(n->pg, &v->n_flushed);
		l->sync_in_doubt = strcmp(n->state.sync.leader, l->name) != 0 ||
				   n->sync_asked >= n->state.sync.version;
	}
	observe_raft(n, v);
	mt_keep_observe(&n->keep, l);
	mt_copy(l->gave_up_why, sizeof(l->gave_up_why), n->gave_up_why);
	observe_phases(n, v);
}

void
node__self(const struct mt_node *n, struct mt_member *m)
{
	const struct mt_conf *c = n->conf;
	char addr[MT_ADDR_MAX];

	memset(m, 0, sizeof(*m));
	mt_copy(m->name, sizeof(m->name), c->name);
	m->raft_id = n->raft_id;
	m->witness = !c->has_postgresql;
	m->command_version = MT_COMMAND_VERSION;
	mt_addr_format(&c->raft.self_addr, m->peer_addr, sizeof(m->peer_addr));
	mt_format(
	    m->api_url, sizeof(m->api_url), "%s://%s/patroni",
	    c->restapi.certfile[0] != '\0' ? "https" : "http",
	    mt_addr_format(&c->restapi.connect_address, addr, sizeof(addr)));
	if (c->has_postgresql)
		mt_format(m->conn_url, sizeof(m->conn_url), "postgres://%s/%s",
			  mt_addr_format(&c->postgresql.connect_address, addr,
					 sizeof(addr)),
			  c->postgresql.database);
	if (c->has_postgresql && c->postgresql.proxy_address.port != 0)
		mt_format(m->proxy_url, sizeof(m->proxy_url),
			  "postgres://%s/%s",
			  mt_addr_format(&c->postgresql.proxy_address, addr,
					 sizeof(addr)),
			  c->postgresql.database);
	if (json_object_size(c->tags) > 0) {
		char *text = json_dumps(c->tags, JSON_COMPACT | JSON_SORT_KEYS);

		if (text != NULL && !mt_copy(m->tags, sizeof(m->tags), text))
			m->tags[0] = '\0';
		free(text);
	}
	mt_copy(m->version, sizeof(m->version), PACKAGE_VERSION);
}

static void
report_server(struct mt_node *n, const struct mt_view *v, struct mt_report *r)
{
	const struct mt_local *l = &v->local;

	r->pg_state = node__pg_state(n, l);
	mt_copy(r->pending, sizeof(r->pending), mt_postgres_pending(n->pg));
	node__schedule_tell(n, r->scheduled, sizeof(r->scheduled));
	r->pending_restart = r->pending[0] != '\0';
	r->pg_role = mt_postgres_role(n->pg);
	r->has_data = l->data == MT_DATA_PRESENT && !l->bootstrapped;
	r->no_data = l->data == MT_DATA_EMPTY || l->data == MT_DATA_PARTIAL ||
		     l->bootstrapped;
	r->bootstrap_ready = l->data == MT_DATA_EMPTY && l->can_bootstrap;
	r->bootstrap_failed = mt_postgres_bootstrap_failed(n->pg);
	r->streaming = l->streaming;
	r->restoring = l->accepting && l->in_recovery && !l->streaming &&
		       mt_pgconf_restores(n->conf, n->state.config);
	r->writable = l->accepting && !l->in_recovery && l->as_primary &&
		      (l->exempt || v->now_ms < l->deadline_ms) &&
		      l->job != MT_JOB_STOP;
	r->serving = r->writable && l->slots_ready;
	r->hung = l->hung && l->running && l->as_primary;
	r->healthy = l->accepting && l->job != MT_JOB_STOP && l->guarded;
	if (l->running || l->accepting)
		r->at = l->at;
	else if (v->state->sysid[0] == '\0')
		r->at = mt_found_end(l);
	r->replayed_lsn = l->replayed_lsn;
	r->rewindable = r->writable && l->rewindable;
	mt_copy(r->sysid, sizeof(r->sysid), l->sysid);
	r->server_version = (uint32_t)mt_postgres_info(n->pg)->server_version;
	r->clone_percent = (uint16_t)mt_postgres_clone_percent(n->pg);
	mt_copy(r->job, sizeof(r->job), mt_job_name(l->job));
}

void
node__doing(const struct mt_node *n, char *buf, size_t size)
{
	const char *trouble = n->pg != NULL ? mt_postgres_trouble(n->pg) : "";
	char done[128] = "";

	if (n->pg != NULL)
		mt_postgres_progress(n->pg, done, sizeof(done));
	mt_format(buf, size, "%s%s%s%s%s%s", n->agent_why,
		  done[0] != '\0' ? " (" : "", done, done[0] != '\0' ? ")" : "",
		  n->agent_why[0] != '\0' && trouble[0] != '\0' ? ": " : "",
		  trouble);
}

void
node__report(struct mt_node *n, const struct mt_view *v, struct mt_report *r)
{
	const struct mt_local *l = &v->local;

	memset(r, 0, sizeof(*r));
	r->incarnation = n->keep.incarnation;
	node__self(n, &r->self);
	r->applied = n->driver != NULL ? mt_driver_applied_index(n->driver) : 0;
	r->fenced = l->record.fenced;
	r->given_up = l->record.given_up;
	r->pg_epoch = l->record.pg_epoch;
	if (v->now_ms < l->deadline_ms)
		r->lease_epoch = l->lease_epoch;
	r->nofailover = n->conf->nofailover;
	r->restored = l->restored && l->data == MT_DATA_PRESENT;
	r->wants_clone = n->wants_clone;
	mt_clones_step(&n->clones, v);
	mt_clones_tell(&n->clones, r);
	r->unfenced = n->pg != NULL && !n->conf->fencing;
	r->failover_priority = n->conf->failover_priority;
	r->config_index = n->keep.holder.round_index;
	r->config_term = n->keep.holder.round_term;
	r->holds_turn = mt_agent_holds_turn(v);
	r->stopping = mt_agent_is_leaving(v);
	r->refuses = mt_agent_refuses_until(v) != 0;
	r->data_id = l->data_id;
	r->stopped = l->stopped;
	r->interval_ms = (uint16_t)mt_report_interval_ms(&n->state);
	r->port_epoch = n->probing.epoch;
	r->port = mt_probing_finding(&n->probing);
	r->pg_state = MT_PG_STOPPED;
	if (n->pg != NULL)
		report_server(n, v, r);
	else
		r->no_data = true;
	node__doing(n, r->why, sizeof(r->why));
}
