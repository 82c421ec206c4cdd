/* SPDX-License-Identifier: PostgreSQL */
/*
 * The agent's rules. The order is the safety argument: first what ends a
 * primary that has no right to write (nothing is awaited for that), then what
 * takes too long or hangs, then the end of the daemon, then what needs an
 * up-to-date state, then the holder's turn, then the standby's life. Rules of
 * the turn are in agent_turn.c, those of a standby in agent_standby.c.
 */
#include "core/agent.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "core/agent_internal.h"

#define EXIT_WITHOUT_RELEASE_MS 8000

bool
agent__mine(const struct mt_view *v)
{
	return mt_state_held_by(v->state, v->local.name) &&
	       v->state->leader.epoch > v->local.record.given_up;
}

/* Did this data directory run as primary in the holder's present turn? */
bool
agent__in_turn(const struct mt_view *v)
{
	const struct mt_record *r = &v->local.record;

	return r->data_id != 0 && r->data_id == v->local.data_id &&
	       r->pg_epoch >= v->state->leader.since &&
	       r->pg_epoch <= v->state->leader.epoch;
}

bool
agent__lease_lives(const struct mt_view *v)
{
	return v->now_ms < v->local.deadline_ms;
}

void
agent__why(struct mt_plan *plan, const char *why)
{
	mt_copy(plan->why, sizeof(plan->why), why);
}

/* ---- a primary without the right to write ---- */

static bool
is_witness(const struct mt_view *v)
{
	return v->local.witness;
}

static void
plan_witness(const struct mt_view *v, struct mt_plan *p)
{
	if (v->local.stopping)
		p->act = MT_ACT_EXIT;
}

/* What ran as primary of the cluster, without a sentinel, when this process
 * came, may have been writable for how long nobody knows. */
static bool
unguarded(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;

	return l->running && !mt_agent_is_stranger(v) &&
	       (!l->guarded || (l->bare && agent__is_known(v))) &&
	       (!agent__paused(v) || agent__needs_lease(v));
}

static void
plan_unguarded(const struct mt_view *v, struct mt_plan *p)
{
	/* Nobody would end it at the deadline if this daemon froze. */
	p->act = v->local.as_primary ? MT_ACT_STOP_IMMEDIATE : MT_ACT_STOP_FAST;
	p->cancel = true;
	agent__why(p, "PostgreSQL runs without its sentinel");
}

static bool
runs_as_primary(const struct mt_view *v)
{
	return v->local.running && v->local.as_primary;
}

static bool
lapsed(const struct mt_view *v)
{
	return agent__needs_lease(v) && !agent__lease_lives(v);
}

static void
plan_lapsed(const struct mt_view *v, struct mt_plan *p)
{
	(void)v;
	p->act = MT_ACT_STOP_IMMEDIATE;
	p->cancel = true;
	agent__why(p, "the lease has run out");
}

static bool
lease_ending(const struct mt_view *v)
{
	return agent__needs_lease(v) &&
	       v->now_ms >= v->local.deadline_ms - agent__stop_ahead_ms(v);
}

static void
plan_lease_ending(const struct mt_view *v, struct mt_plan *p)
{
	p->act = MT_ACT_STOP_FAST;
	p->cancel = v->local.job != MT_JOB_STOP;
	p->hurry = true;
	p->look_again_ms = v->local.deadline_ms;
	agent__why(p, "no majority renews the lease, which is about to end");
}

/* ---- a primary that does not answer ---- */

static bool
hung(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;
	int64_t limit_ms = v->settings->primary_hang_timeout_ms;

	return runs_as_primary(v) && limit_ms > 0 && !v->settings->pause &&
	       !mt_agent_is_stranger(v) && l->unanswered_ms != 0 &&
	       v->now_ms - l->unanswered_ms >= limit_ms;
}

/* Whatever else is under way: a fast stop would hang, too. */
static void
plan_hung(const struct mt_view *v, struct mt_plan *p)
{
	p->act = MT_ACT_STOP_IMMEDIATE;
	p->cancel = true;
	p->hung = true;
	p->look_again_ms = v->local.deadline_ms;
	mt_format(p->why, sizeof(p->why), "%s for %" PRId64 " s",
		  v->local.volume_hangs
		      ? "the data volume has taken no write"
		      : "PostgreSQL has not answered a connection",
		  v->settings->primary_hang_timeout_ms / 1000);
}

/* ---- a fast stop that takes too long ---- */

/* When the fast stop of a synchronous primary becomes an immediate one; 0 =
 * never. Where a set stands, who takes over has every commit that was
 * acknowledged, even if the stop could not send all that there is. */
static int64_t
stop_due_ms(const struct mt_view *v)
{
	const struct mt_settings *set = v->settings;

	if (!runs_as_primary(v) || v->local.job != MT_JOB_STOP ||
	    set->primary_stop_timeout_ms == 0 ||
	    set->synchronous_mode == MT_SYNC_OFF || !mt_sync_stands(v->state))
		return 0;
	return v->local.job_since_ms + set->primary_stop_timeout_ms;
}

static void
look_when_stop_is_due(const struct mt_view *v, struct mt_plan *p)
{
	int64_t due_ms = stop_due_ms(v);

	if (due_ms != 0 && (p->look_again_ms == 0 || due_ms < p->look_again_ms))
		p->look_again_ms = due_ms;
}

static bool
stop_overdue(const struct mt_view *v)
{
	int64_t due_ms = stop_due_ms(v);

	return due_ms != 0 && v->now_ms >= due_ms;
}

static void
plan_stop_overdue(const struct mt_view *v, struct mt_plan *p)
{
	p->act = MT_ACT_STOP_IMMEDIATE;
	if (agent__needs_lease(v))
		p->look_again_ms = v->local.deadline_ms;
	mt_format(p->why, sizeof(p->why),
		  "the shutdown takes longer than %" PRId64
		  " s (primary_stop_timeout)",
		  v->settings->primary_stop_timeout_ms / 1000);
}

/* ---- the end of the daemon ---- */

static bool
stopping_server(const struct mt_view *v)
{
	return v->local.stopping && v->local.running && !agent__will_leave(v);
}

static void
plan_stopping_server(const struct mt_view *v, struct mt_plan *p)
{
	p->act = MT_ACT_STOP_FAST;
	p->cancel = v->local.job != MT_JOB_STOP;
	look_when_stop_is_due(v, p);
	agent__why(p, "the daemon was asked to end");
}

static void
plan_leave(const struct mt_view *v, struct mt_plan *p)
{
	p->act = MT_ACT_EXIT;
	p->cancel = true;
	agent__why(p, mt_agent_is_stranger(v)
			  ? "PostgreSQL is not the cluster's, and left as it is"
			  : "paused: PostgreSQL is left as it is");
}

static bool
exit_time(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;
	int64_t since =
	    l->last_job_ms > l->stopping_ms ? l->last_job_ms : l->stopping_ms;

	if (!l->stopping || l->running)
		return false;
	/* A server may run that this process has not found yet. */
	if (l->data == MT_DATA_UNKNOWN &&
	    v->now_ms - since <= EXIT_WITHOUT_RELEASE_MS)
		return false;
	return !mt_state_held_by(v->state, l->name) ||
	       v->now_ms - since > EXIT_WITHOUT_RELEASE_MS;
}

static void
plan_exit(const struct mt_view *v, struct mt_plan *p)
{
	(void)v;
	p->act = MT_ACT_EXIT;
	p->cancel = true;
}

/* ---- what has to be waited for ---- */

static bool
being_stopped(const struct mt_view *v)
{
	return v->local.job == MT_JOB_STOP;
}

static void
plan_being_stopped(const struct mt_view *v, struct mt_plan *p)
{
	if (agent__needs_lease(v))
		p->look_again_ms = v->local.deadline_ms;
	look_when_stop_is_due(v, p);
	agent__why(p, "stopping PostgreSQL");
}

static bool
state_unknown(const struct mt_view *v)
{
	const struct mt_record *r = &v->local.record;

	/* What this node did itself is newer than this state: it is old. */
	return !v->local.state_current || v->state->unknown_command != 0 ||
	       v->state->leader.epoch < r->given_up ||
	       v->state->leader.epoch < r->pg_epoch ||
	       v->state->leader.epoch < r->fenced;
}

static void
plan_state_unknown(const struct mt_view *v, struct mt_plan *p)
{
	if (v->state->unknown_command != 0)
		agent__why(p, "the log has a command that this program does "
			      "not know; upgrade it");
	else
		agent__why(p, "waiting for the Raft leader's state");
	if (agent__needs_lease(v))
		p->look_again_ms =
		    v->local.deadline_ms - agent__stop_ahead_ms(v);
}

/* ---- bootstrap ---- */

static bool
bootstrap_lost(const struct mt_view *v)
{
	const struct mt_state *s = v->state;

	/* Data is given away only when it is known whose it is. */
	if (!v->local.bootstrapped || v->local.job != MT_JOB_NONE ||
	    v->local.data != MT_DATA_PRESENT || v->local.running ||
	    v->local.sysid[0] == '\0')
		return false;
	/* While a claim of this member stands, though of its last incarnation,
	 * a command that was proposed then may yet be committed, and name
	 * this data. */
	return s->sysid[0] == '\0' ? strcmp(s->claim.member, v->local.name) != 0
				   : strcmp(s->sysid, v->local.sysid) != 0;
}

static void
plan_bootstrap_lost(const struct mt_view *v, struct mt_plan *p)
{
	(void)v;
	p->act = MT_ACT_DISCARD;
	agent__why(p, "another member initialized the cluster");
}

static bool
not_initialized(const struct mt_view *v)
{
	return v->state->sysid[0] == '\0';
}

static void
plan_bootstrap(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;

	if (l->job != MT_JOB_NONE) {
		agent__why(p, mt_job_name(l->job));
	} else if (l->data == MT_DATA_UNKNOWN) {
		agent__why(p, "looking at the data directory");
	} else if (l->data == MT_DATA_FOREIGN) {
		p->warn = true;
		agent__why(p, "the data directory is not empty and holds no "
			      "cluster that can be read; move its content "
			      "away");
	} else if (l->data == MT_DATA_PARTIAL &&
		   (agent__claim_is_mine(v) ||
		    v->state->claim.member[0] == '\0')) {
		p->act = MT_ACT_DISCARD;
	} else if (!agent__claim_is_mine(v) || v->state->claim.adopts != 0) {
		agent__plan_claimed(v, p);
	} else if (l->bootstrapped) {
		agent__plan_initialize(v, p);
	} else if (l->data == MT_DATA_EMPTY && l->can_bootstrap) {
		p->act = MT_ACT_BOOTSTRAP;
	} else if (l->data == MT_DATA_EMPTY) {
		agent__why(p, "cannot initialize the cluster");
	} else {
		agent__why(p, "cannot initialize the cluster: the data "
			      "directory is not empty");
	}
}

static bool
other_cluster(const struct mt_view *v)
{
	return !agent__paused(v) && v->local.data == MT_DATA_PRESENT &&
	       v->local.sysid[0] != '\0' &&
	       strcmp(v->local.sysid, v->state->sysid) != 0;
}

static void
plan_other_cluster(const struct mt_view *v, struct mt_plan *p)
{
	p->act = MT_ACT_REFUSE;
	mt_format(p->why, sizeof(p->why),
		  "system ID mismatch: the data directory belongs to cluster "
		  "%s, this cluster is %s; move it away to clone it anew",
		  v->local.sysid, v->state->sysid);
}

/* ---- deposed ---- */

static bool
deposed(const struct mt_view *v)
{
	/* While paused a second primary is the operator's affair. */
	return runs_as_primary(v) && !(agent__mine(v) && agent__in_turn(v)) &&
	       !agent__adopts(v) &&
	       (!agent__paused(v) || mt_state_held_by(v->state, v->local.name));
}

static void
plan_deposed(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_leader *l = &v->state->leader;

	p->act = MT_ACT_STOP_IMMEDIATE;
	p->cancel = true;
	mt_format(p->why, sizeof(p->why),
		  "runs as primary, but epoch %" PRIu64 " is \"%s\"'s",
		  l->epoch, l->holder);
}

/* ---- the table ---- */

static const struct rule {
	const char *name;
	bool (*when)(const struct mt_view *v);
	void (*then)(const struct mt_view *v, struct mt_plan *p);
} rules[] = {
    /* first match wins; matriarchd(8), DECISION ORDER */
    {"witness", is_witness, plan_witness},
    {"unguarded", unguarded, plan_unguarded},
    {"lease-lapsed", lapsed, plan_lapsed},
    {"lease-ending", lease_ending, plan_lease_ending},
    {"leave", agent__leaves, plan_leave},
    {"hung", hung, plan_hung},
    {"stop-overdue", stop_overdue, plan_stop_overdue},
    {"leaving-set", agent__leaves_set, agent__plan_leave_set},
    {"stopping", stopping_server, plan_stopping_server},
    {"exit", exit_time, plan_exit},
    {"being-stopped", being_stopped, plan_being_stopped},
    {"state-unknown", state_unknown, plan_state_unknown},
    {"bootstrap-lost", bootstrap_lost, plan_bootstrap_lost},
    {"bootstrap", not_initialized, plan_bootstrap},
    {"other-cluster", other_cluster, plan_other_cluster},
    {"deposed", deposed, plan_deposed},
    {"errand", agent__has_errand, agent__plan_errand},
    {"turn", agent__mine, agent__plan_turn},
    {"release", agent__must_release, agent__plan_release},
    {"paused", agent__paused, agent__plan_paused},
    {"standby", agent__always, agent__plan_standby},
};

bool
agent__always(const struct mt_view *v)
{
	(void)v;
	return true;
}

void
mt_agent_decide(const struct mt_view *view, struct mt_plan *plan)
{
	const struct rule *r = rules;
	int64_t until_ms;

	while (!r->when(view)) /* "standby" always matches */
		r++;
	memset(plan, 0, sizeof(*plan));
	plan->rule = r->name;
	r->then(view, plan);
	agent__add_errand(view, plan);
	/* Then it is a candidate again, and says so. */
	until_ms = mt_agent_refuses_until(view);
	if (until_ms != 0 &&
	    (plan->look_again_ms == 0 || until_ms < plan->look_again_ms))
		plan->look_again_ms = until_ms;
}

int64_t
mt_agent_refuses_until(const struct mt_view *v)
{
	int64_t until_ms = v->local.refused_ms + v->settings->ttl_ms;

	return v->local.refused_ms != 0 && v->now_ms < until_ms ? until_ms : 0;
}

const char *const *
mt_agent_rules(void)
{
	static const char *names[MT_COUNT(rules) + 1];

	for (size_t i = 0; i < MT_COUNT(rules); i++)
		names[i] = rules[i].name;
	return names;
}

bool
mt_agent_may_ask(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;
	uint64_t epoch = v->state->leader.epoch;

	if (l->witness || !agent__mine(v) || v->state->unknown_command != 0)
		return false;
	/* What hangs and cannot be ended is to lose its lease. */
	if (l->running && l->as_primary)
		return l->guarded && l->record.pg_epoch == epoch &&
		       agent__in_turn(v) &&
		       (l->exempt || (!l->hung && agent__lease_lives(v)));
	if (l->running)
		return agent__is_fit(v);
	/* Down, and to be started as primary under the lease that it has, or
	 * for the first time. */
	return l->record.pg_epoch == epoch && agent__may_start_primary(v);
}

bool
mt_agent_is_stopping(const struct mt_view *v)
{
	return v->local.stopping && !agent__paused(v);
}

bool
mt_agent_holds_turn(const struct mt_view *v)
{
	return agent__in_turn(v);
}

const char *
mt_job_name(enum mt_job job)
{
	switch (job) {
	case MT_JOB_NONE:
		return "";
	case MT_JOB_BOOTSTRAP:
		return "bootstrap";
	case MT_JOB_CLONE:
		return "clone";
	case MT_JOB_RECOVER:
		return "recover";
	case MT_JOB_REWIND:
		return "rewind";
	case MT_JOB_START:
		return "start";
	case MT_JOB_STOP:
		return "stop";
	case MT_JOB_PRE_PROMOTE:
		return "pre_promote";
	case MT_JOB_PROMOTE:
		return "promote";
	case MT_JOB_CHECKPOINT:
		return "checkpoint";
	case MT_JOB_FOLLOW:
		return "follow";
	case MT_JOB_SLOTS:
		return "slots";
	case MT_JOB_DISCARD:
		return "discard";
	case MT_JOB_NAMES:
		return "names";
	case MT_JOB_FENCE:
		return "fence";
	}
	return "unknown";
}
