/* SPDX-License-Identifier: PostgreSQL */
/*
 * One turn of a daemon's loop, as daemon/ does it: gather the view, keep the
 * lease, arm the sentinel, let the agent and (on the ready leader) the
 * controller decide, tell the others, set the timer.
 */
#include "test/sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define PROPOSE_AGAIN_MS 500
#define LOOK_MS 50 /* from one look into PostgreSQL to the next */
#define TURNS_MAX 16

/* ---- the view --------------------------------------------------------- */

static void
refresh_settings(struct node *n)
{
	if (n->state->config_version == n->settings_version)
		return;
	n->settings_version = n->state->config_version;
	mt_settings_parse(&n->settings, n->state->config);
}

static void
fill_server(const struct node *n, struct mt_local *l)
{
	const struct sim *w = n->sim;
	const struct pg *pg = &n->pg;

	l->running = pg_is_running(n);
	l->guarded = l->running && !pg->unguarded;
	l->as_primary = pg->as_primary;
	l->accepting = pg_is_accepting(n);
	l->in_recovery = l->accepting && pg_in_recovery(n);
	if (l->accepting) {
		l->at = pg_position(w, n);
		l->replayed_lsn = l->at.lsn;
	}
	if (!l->running) {
		l->control = pg->control;
		l->checkpoint = (struct mt_position){pg_timeline(w, pg),
						     pg->checkpoint_lsn};
		if (pg->data == MT_DATA_PRESENT)
			l->end = pg_position(w, n);
	}
	l->streaming = pg_streams(w, n);
	if (w->setup.sees_streams && l->accepting)
		l->wal_heard_ms = pg->heard_ms - LOOK_MS;
	if (pg->upstream >= 0 && n->knows_upstream) {
		const char *name = w->nodes[pg->upstream].name;

		mt_copy(l->upstream, sizeof(l->upstream), name);
		mt_format(l->upstream_url, sizeof(l->upstream_url),
			  "postgres://%s:5432/postgres", name);
	}
	l->deadline_ms = pg->armed ? pg->deadline_ms : 0;
	l->exempt = l->running && pg->as_primary && pg->exempt;
}

static void
fill_local(const struct node *n, struct mt_local *l)
{
	memset(l, 0, sizeof(*l));
	mt_copy(l->name, sizeof(l->name), n->name);
	l->witness = n->witness;
	l->stopping = n->stopping;
	l->stopping_ms = n->stopping_ms;
	l->state_current = mt_driver_is_current(n->driver);
	l->fencing = true;
	l->data = n->witness ? MT_DATA_EMPTY : n->pg.data;
	if (l->data == MT_DATA_PRESENT) {
		mt_copy(l->sysid, sizeof(l->sysid), n->pg.sysid);
		l->data_id = n->pg.data_id;
	}
	l->can_bootstrap = !n->witness;
	l->bootstrapped = n->pg.bootstrapped;
	l->fresh = n->fresh;
	fill_server(n, l);
	l->slots_ready = n->slots_ready;
	l->died = n->died;
	l->died_ms = n->died_ms;
	l->turn_ms = n->turn_ms;
	l->job = n->job.kind;
	l->job_since_ms = n->job.since_ms;
	l->last_job = n->last_job;
	l->last_job_failed = n->last_job_failed;
	l->last_job_ms = n->last_job_ms;
	l->failures = n->failures;
	l->checkpoint_for = n->checkpoint_for;
	l->promote_sent_ms = n->promote_sent_ms;
	l->status_put_ms = n->status_put_ms;
	l->exempt_ended = n->exempt_ended;
}

void
node_view(struct node *n, struct mt_view *v)
{
	static struct mt_history history[MT_HISTORY_MAX];
	const struct mt_driver *d = n->driver;

	v->now_ms = node_now_ms(n);
	v->wall_ms = n->sim->now_us / 1000;
	v->state = n->state;
	v->reports = &n->reports;
	v->settings = &n->settings;
	v->bootstrap_config = n->sim->bootstrap_config;
	v->history = history;
	v->n_history =
	    n->pg.writable ? pg_history(n->sim, n, history, MT_HISTORY_MAX) : 0;
	v->leads = mt_driver_is_ready_leader(d);
	v->term = mt_driver_term(d);
	raft_voters(mt_driver_committed_configuration(d), &v->voters);
	if (n->turn_epoch != n->state->leader.epoch) {
		n->turn_epoch = n->state->leader.epoch;
		n->turn_ms = v->now_ms;
	}
	if (n->pg.bootstrapped && strcmp(n->pg.sysid, n->state->sysid) == 0)
		n->pg.bootstrapped = false; /* taken by the cluster */
	fill_local(n, &v->local);
	errand_observe(n, &v->local);
	hang_observe(n, &v->local);
	sync_fill_view(n, v);
	mt_keep_observe(&n->keep, &v->local);
}

/* ---- reports ---------------------------------------------------------- */

static enum mt_pg_state
pg_state_of(const struct node *n)
{
	switch (n->pg.phase) {
	case PG_STARTING:
		return MT_PG_STARTING;
	case PG_UP:
	case PG_PROMOTING:
		return MT_PG_RUNNING;
	case PG_STOPPING:
		return MT_PG_STOPPING;
	case PG_DOWN:
		break;
	}
	if (n->job.kind == MT_JOB_CLONE)
		return MT_PG_CREATING_REPLICA;
	if (n->job.kind == MT_JOB_BOOTSTRAP)
		return MT_PG_INITIALIZING;
	return n->died ? MT_PG_CRASHED : MT_PG_STOPPED;
}

static enum mt_pg_role
pg_role_of(const struct mt_local *l)
{
	if (l->data != MT_DATA_PRESENT)
		return MT_ROLE_UNINITIALIZED;
	if (l->running && l->as_primary)
		return l->accepting && !l->in_recovery ? MT_ROLE_PRIMARY
						       : MT_ROLE_PROMOTED;
	return l->running ? MT_ROLE_REPLICA : MT_ROLE_DEMOTED;
}

static void
fill_member(const struct node *n, struct mt_member *m)
{
	mt_copy(m->name, sizeof(m->name), n->name);
	m->raft_id = n->raft_id;
	m->witness = n->witness;
	m->command_version = MT_COMMAND_VERSION;
	mt_format(m->peer_addr, sizeof(m->peer_addr), "%s:2380", n->name);
	if (!n->witness)
		mt_format(m->conn_url, sizeof(m->conn_url),
			  "postgres://%s:5432/postgres", n->name);
	if (n->sim->setup.sync_priorities)
		mt_format(m->tags, sizeof(m->tags), "{\"sync_priority\":%d}",
			  sim_sync_priority(n->sim, n->i));
}

static void
fill_report(const struct node *n, const struct mt_view *v, struct mt_report *r)
{
	const struct mt_local *l = &v->local;

	memset(r, 0, sizeof(*r));
	fill_member(n, &r->self);
	r->incarnation = n->record.incarnation;
	r->applied = n->state->index;
	r->fenced = l->record.fenced;
	r->given_up = l->record.given_up;
	r->pg_epoch = l->record.pg_epoch;
	r->lease_epoch =
	    mt_holder_writable(&n->keep.holder, v->now_ms) ? l->lease_epoch : 0;
	r->pg_state = pg_state_of(n);
	r->pg_role = pg_role_of(l);
	r->has_data = l->data == MT_DATA_PRESENT && !l->bootstrapped;
	r->no_data = !r->has_data;
	r->bootstrap_ready = l->can_bootstrap && l->data == MT_DATA_EMPTY;
	r->streaming = l->streaming;
	r->writable = n->pg.writable && l->accepting;
	r->serving = r->writable && n->slots_ready;
	r->rewindable = r->writable;
	r->healthy = l->accepting;
	r->hung = l->hung && l->running && l->as_primary;
	r->nofailover = n->sim->setup.nofailover == n->i;
	r->failover_priority = n->sim->setup.priority[n->i];
	mt_copy(r->sysid, sizeof(r->sysid), l->sysid);
	r->data_id = l->data_id;
	r->stopped = l->stopped;
	r->interval_ms = (uint16_t)mt_report_interval_ms(n->state);
	r->port_epoch = n->probing.epoch;
	r->port = mt_probing_finding(&n->probing);
	r->holds_turn = mt_agent_holds_turn(v);
	r->stopping = mt_agent_is_leaving(v);
	r->refuses = mt_agent_refuses_until(v) != 0;
	r->at = l->at;
	r->replayed_lsn = l->replayed_lsn;
	r->server_version = 170000;
	r->config_index = n->keep.holder.round_index;
	r->config_term = n->keep.holder.round_term;
}

/* What is told at once when it changes. */
static uint64_t
report_key(const struct node *n, const struct mt_report *r)
{
	uint64_t f[] = {
	    n->state->leader.index,
	    r->fenced,
	    r->given_up,
	    r->pg_epoch,
	    r->lease_epoch,
	    (uint64_t)r->pg_state,
	    (uint64_t)r->pg_role,
	    r->has_data,
	    r->bootstrap_ready,
	    r->streaming,
	    r->writable,
	    r->serving,
	    r->healthy,
	    r->stopping,
	    r->at.timeline,
	    n->state->leader.released ||
		    (r->pg_role == MT_ROLE_REPLICA && !r->streaming)
		? r->at.lsn
		: 0,
	    r->data_id,
	    r->stopped,
	    r->port_epoch,
	    (uint64_t)r->port,
	    r->holds_turn,
	    r->config_index,
	    r->config_term,
	};

	return mt_hash(MT_HASH_SEED, f, sizeof(f)) | 1;
}

static void
tell(struct node *n, const struct mt_view *v)
{
	struct mt_report r;
	uint8_t buf[MT_REPORT_SIZE_MAX];
	uint64_t key;
	size_t size;

	fill_report(n, v, &r);
	key = report_key(n, &r);
	if (key == n->report_key &&
	    v->now_ms - n->report_ms < mt_report_interval_ms(n->state))
		return;
	n->report_key = key;
	n->report_ms = v->now_ms;
	r.seq = ++n->report_seq;
	size = mt_report_encode(&r, buf, sizeof(buf));
	mt_reports_take(&n->reports, &r, v->now_ms);
	n->dirty = true; /* the own report is looked at, too */
	for (int i = 0; i < n->sim->n; i++)
		if (i != n->i)
			net_send(n->sim, n->i, i, CLASS_REPORT, 0, buf, size);
}

/* ---- proposals -------------------------------------------------------- */

static void
submit(struct node *n, const struct mt_command *cmd, uint64_t cookie)
{
	uint64_t leader = mt_driver_leader(n->driver);
	int i = sim_node_by_id(n->sim, leader);
	char *text;
	size_t size;

	MT_ASSERT(mt_command_encode(cmd, &text, &size) == 0);
	TRACE(n->sim, n, "proposes %s", text);
	if (i == n->i)
		mt_driver_submit(n->driver, text, size, cookie);
	else if (i >= 0)
		net_send(n->sim, n->i, i, CLASS_PROPOSE, 0, text, size);
	free(text);
}

bool
node_propose(struct node *n, const struct mt_command *cmd)
{
	int64_t now_ms = node_now_ms(n);

	/* Again only when something changed, or when it seems to be lost. */
	if (n->proposed == cmd->kind && n->proposed_index == n->state->index &&
	    now_ms - n->proposed_ms < PROPOSE_AGAIN_MS) {
		node_wake_by(n, n->proposed_ms + PROPOSE_AGAIN_MS);
		return false;
	}
	if (mt_driver_leader(n->driver) == 0)
		return false;
	n->proposed = cmd->kind;
	n->proposed_index = n->state->index;
	n->proposed_ms = now_ms;
	if (cmd->kind == MT_CMD_STATUS_PUT)
		n->status_put_ms = now_ms;
	if (cmd->kind == MT_CMD_LEADER_EXEMPT &&
	    cmd->u.exempt.ends > n->exempt_ended)
		n->exempt_ended = cmd->u.exempt.ends;
	submit(n, cmd, 2);
	node_wake_by(n, now_ms + PROPOSE_AGAIN_MS);
	return true;
}

/* ---- the turn --------------------------------------------------------- */

void
node_wake_by(struct node *n, int64_t at_ms)
{
	int64_t at_us = node_true_us(n, at_ms);

	if (at_us <= n->sim->now_us)
		at_us = n->sim->now_us + SIM_MS / 2;
	if (n->wake_us != 0 && n->wake_us <= at_us)
		return;
	n->wake_us = at_us;
	sim_push(n->sim, at_us, EV_WAKE, n->i, n->life, 0, 0, NULL);
}

static void
control(struct node *n, struct mt_view *v)
{
	static struct mt_control_plan plan;

	mt_controller_decide(&n->controller, v, &plan);
	if (plan.look_again_ms != 0)
		node_wake_by(n, plan.look_again_ms);
	if (plan.rule != n->last_control_rule) {
		n->last_control_rule = plan.rule;
		TRACE(n->sim, n, "controller: %s %s", plan.rule, plan.why);
	}
	if (plan.propose && !n->controller_busy) {
		TRACE(n->sim, n, "controller proposes: %s, %s", plan.rule,
		      plan.why);
		if (plan.command.kind == MT_CMD_LEADER_ASSIGN)
			check_choice(n, v, &plan.command);
		n->controller_busy = true;
		submit(n, &plan.command, 1);
	}
	if (plan.fence)
		mt_keep_fence(&n->keep, &v->voters, &plan.fence_req, v->term,
			      v->now_ms);
	if (plan.transfer_to != 0)
		mt_driver_transfer(n->driver, plan.transfer_to);
}

/* A connection to the holder's port: the kernel of a machine that is there
 * accepts it as long as there is a postmaster, and refuses it else. */
static void
probe(struct node *n, const struct mt_view *v)
{
	struct sim *w = n->sim;
	char url[MT_URL_MAX];
	int64_t again_ms = 0, us;
	int to = sim_node_by_name(w, n->state->leader.holder);
	enum mt_port found = MT_PORT_DEAD;

	if (mt_probing_step(&n->probing, v, url, &again_ms)) {
		us = sim_between(w, 200, 4000);
		if (to < 0 || !w->nodes[to].powered ||
		    node_sleeps(&w->nodes[to]) ||
		    !net_passes(w, n->i, to, CLASS_PG) ||
		    !net_passes(w, n->i, to, CLASS_PROBE))
			us = MT_PROBE_DEADLINE_MS * SIM_MS;
		else if (pg_is_running(&w->nodes[to]))
			found = MT_PORT_ACCEPTS;
		TRACE(w, n, "tries the port %s, which %s", url,
		      found == MT_PORT_ACCEPTS ? "accepts" : "is dead");
		w->stats.probes++;
		sim_push(w, w->now_us + us, EV_PROBED, n->i, n->life,
			 (uint64_t)found, ++n->probe, NULL);
	}
	if (again_ms != 0)
		node_wake_by(n, again_ms);
}

static void
turn(struct node *n)
{
	static struct mt_view v;
	static struct mt_plan plan;
	struct mt_voters newest;
	int64_t again_ms, deadline_ms;

	exec_poll(n);
	refresh_settings(n);
	node_view(n, &v);
	errand_look(n, &v);
	raft_voters(mt_driver_configuration(n->driver), &newest);
	again_ms = mt_keep_step(&n->keep, &v, &newest);
	mt_keep_observe(&n->keep, &v.local);
	check_lease(n);
	deadline_ms = mt_holder_deadline_ms(&n->keep.holder);
	if (n->pg.as_primary && n->keep.holder.had_lease && deadline_ms != 0)
		pg_arm(n, deadline_ms);
	if (again_ms != 0)
		node_wake_by(n, again_ms);
	mt_agent_decide(&v, &plan);
	if (plan.rule != n->last_rule) {
		n->last_rule = plan.rule;
		TRACE(n->sim, n, "agent: %s %s", plan.rule, plan.why);
	}
	if (plan.look_again_ms != 0)
		node_wake_by(n, plan.look_again_ms);
	exec_plan(n, &v, &plan);
	if (!n->alive)
		return;
	if (v.leads)
		control(n, &v);
	check_health(n, &v);
	probe(n, &v);
	tell(n, &v);
	node_wake_by(n, n->report_ms + mt_report_interval_ms(n->state));
}

void
node_step(struct node *n)
{
	int turns = 0;

	while (n->dirty && n->alive && !n->frozen && !n->sim->failed) {
		n->dirty = false;
		if (turns++ == TURNS_MAX) {
			node_wake_by(n, node_now_ms(n) + 1);
			break;
		}
		turn(n);
		if (n->alive)
			raft_look(n);
	}
	if (!n->alive)
		n->dirty = false;
}
