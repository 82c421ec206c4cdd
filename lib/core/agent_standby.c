/* SPDX-License-Identifier: PostgreSQL */
/*
 * The life of a node that does not hold the turn: get data, start as a standby,
 * follow the primary; and the comparison of the own end with the timeline
 * history that tells whether it may follow or must be rewound first.
 */
#include <string.h>

#include "base/text.h"
#include "core/agent_internal.h"

#define RETRY_LEAST_MS 1000
#define RETRY_MOST_MS 30000
#define LOOKING_FOR_END "looking for the end of the write-ahead log"
#define HOLDER_SILENT_MS 10000 /* then start without waiting for it */

/* Who can be followed now: the holder, serving as primary. Or NULL. */
const struct mt_seen *
agent__primary_of(const struct mt_view *v)
{
	const struct mt_seen *seen;

	if (!mt_state_held(v->state) ||
	    strcmp(v->state->leader.holder, v->local.name) == 0)
		return NULL;
	/* A fence is for good: its epoch is never followed again. */
	if (v->state->leader.epoch <= v->local.record.fenced)
		return NULL;
	seen = mt_reports_find(v->reports, v->state->leader.holder);
	if (!mt_report_is_fresh(seen, v->now_ms) || !seen->report.serving ||
	    seen->report.at.timeline == 0)
		return NULL;
	return seen;
}

/* As primary: pg_rewind goes by a clean end. Recovery throws nothing away, but
 * it adds a checkpoint, and what is thrown away is named before that. */
static bool
has_crashed(const struct mt_local *l)
{
	return l->control == MT_CONTROL_PRODUCTION ||
	       l->control == MT_CONTROL_OTHER;
}

/* The end of the log of a server that is down, against the fork. A clean
 * shutdown's last record is its checkpoint: a fork beyond the record's start is
 * at or beyond its end, for records are replayed whole. */
static enum mt_join
join_down(const struct mt_local *l, uint64_t fork)
{
	switch (l->control) {
	case MT_CONTROL_SHUT_DOWN:
		return l->checkpoint.lsn < fork ? MT_JOIN_FOLLOW
						: MT_JOIN_REWIND;
	case MT_CONTROL_SHUT_DOWN_RECOVERY:
	case MT_CONTROL_RECOVERY:
		return l->checkpoint.lsn <= fork ? MT_JOIN_FOLLOW
						 : MT_JOIN_REWIND;
	case MT_CONTROL_PRODUCTION:
	case MT_CONTROL_OTHER:
		/* A standby's start replays what there is, and streams from
		 * there on: up to the fork that is what the primary has, too.
		 */
		return l->end.timeline != 0 && l->end.lsn <= fork
			   ? MT_JOIN_FOLLOW
			   : MT_JOIN_REWIND;
	case MT_CONTROL_UNKNOWN:
		break;
	}
	return MT_JOIN_WAIT;
}

enum mt_join
mt_agent_join(const struct mt_state *s, const struct mt_local *l,
	      uint32_t primary_timeline)
{
	uint32_t timeline =
	    l->running ? l->at.timeline : l->checkpoint.timeline;
	bool complete =
	    primary_timeline <= 1 || s->history_of >= primary_timeline;
	uint64_t fork;

	if (!l->running && has_crashed(l)) {
		if (l->end_pending)
			return MT_JOIN_WAIT;
		/* Promoted, it had not come to a checkpoint. */
		if (l->end.timeline != 0)
			timeline = l->end.timeline;
	}
	if (timeline == 0 || primary_timeline == 0)
		return MT_JOIN_WAIT;
	if (timeline == primary_timeline)
		return MT_JOIN_FOLLOW;
	if (timeline > primary_timeline)
		return MT_JOIN_REWIND;
	if (!complete)
		return MT_JOIN_WAIT;
	fork = mt_state_fork_lsn(s, timeline);
	if (fork == 0) /* a timeline that the cluster's history lacks */
		return MT_JOIN_REWIND;
	if (!l->running)
		return join_down(l, fork);
	return l->replayed_lsn <= fork ? MT_JOIN_FOLLOW : MT_JOIN_REWIND;
}

/* Doubling, capped. */
static int64_t
pause_after(int times)
{
	int64_t pause_ms = RETRY_LEAST_MS;

	for (int i = 1; i < times && pause_ms < RETRY_MOST_MS; i++)
		pause_ms *= 2;
	return pause_ms < RETRY_MOST_MS ? pause_ms : RETRY_MOST_MS;
}

/* After a failed job: is it too early to try again? */
bool
agent__too_early(const struct mt_view *v, enum mt_job job, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;
	int64_t pause_ms = pause_after(l->failures);

	if (l->last_job != job || !l->last_job_failed)
		return false;
	if (v->now_ms - l->last_job_ms >= pause_ms)
		return false;
	if (p->look_again_ms == 0 ||
	    p->look_again_ms > l->last_job_ms + pause_ms)
		p->look_again_ms = l->last_job_ms + pause_ms;
	mt_format(p->why, sizeof(p->why), "%s failed, trying again later",
		  mt_job_name(job));
	return true;
}

void
agent__toward(const struct mt_view *v, struct mt_plan *p, enum mt_act act,
	      const struct mt_seen *member)
{
	const struct mt_member *m =
	    mt_state_member(v->state, member->report.self.name);

	p->act = act;
	mt_copy(p->member, sizeof(p->member), member->report.self.name);
	mt_copy(p->url, sizeof(p->url),
		m != NULL ? m->conn_url : member->report.self.conn_url);
}

/* ---- what joining throws away ---- */

static struct mt_loss
loss_of(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;
	struct mt_position end = l->checkpoint;
	struct mt_loss loss;

	/* A crashed primary's control file knows where it was, not where it
	 * came to; a standby's knows what it must have. */
	if (l->end.timeline != 0)
		end = l->end;
	else if (has_crashed(l))
		end.lsn = 0;
	loss = (struct mt_loss){
	    .timeline = end.timeline,
	    .from = mt_state_fork_lsn(v->state, end.timeline),
	    .to = end.lsn,
	};
	return loss;
}

/* The end is on the primary's own timeline, and not beyond it. */
static bool
has_all_of(const struct mt_report *primary, const struct mt_loss *loss)
{
	return loss->timeline == primary->at.timeline && loss->to != 0 &&
	       loss->to <= primary->at.lsn;
}

/* Before anything is thrown away it stands in the log what. False: it does not
 * yet, and the plan sees to that. */
bool
agent__is_named(const struct mt_view *v, struct mt_plan *p, const char *how,
		const struct mt_seen *primary)
{
	struct mt_loss loss = loss_of(v);
	struct mt_command *c = &p->command;

	if (v->local.end_pending) {
		agent__why(p, LOOKING_FOR_END);
		return false;
	}
	if ((loss.from != 0 && loss.to != 0 && loss.to <= loss.from) ||
	    has_all_of(&primary->report, &loss)) {
		agent__why(p, "nothing is thrown away");
		return true;
	}
	mt_loss_text(&loss, how, p->why, sizeof(p->why));
	if (mt_state_rejoin(v->state, v->local.name, &loss) != NULL)
		return true;
	p->act = MT_ACT_PROPOSE;
	c->kind = MT_CMD_REJOIN_PUT;
	c->u.rejoin_put.epoch = v->state->leader.epoch;
	mt_copy(c->u.rejoin_put.member, sizeof(c->u.rejoin_put.member),
		v->local.name);
	mt_copy(c->u.rejoin_put.how, sizeof(c->u.rejoin_put.how), how);
	c->u.rejoin_put.loss = loss;
	c->u.rejoin_put.at_ms = v->wall_ms;
	return false;
}

/* Rewound a moment ago, and it did not help: the primary may not have come to
 * the checkpoint that pg_rewind goes by. Or it never helps: not all day long.
 */
static bool
rewound_lately(const struct mt_view *v, struct mt_plan *p)
{
	int64_t since_ms = v->local.rewound_ms;
	int64_t pause_ms = pause_after(v->local.rewinds);

	if (since_ms == 0 || v->now_ms - since_ms >= pause_ms)
		return false;
	p->look_again_ms = since_ms + pause_ms;
	mt_format(p->why, sizeof(p->why),
		  "the data was rewound and still differs from the primary's "
		  "(%d times); trying again later",
		  v->local.rewinds);
	return true;
}

/* It failed, and not because the primary was away for a moment. */
static bool
rewind_failed(const struct mt_local *l)
{
	return (l->last_job == MT_JOB_REWIND ||
		l->last_job == MT_JOB_RECOVER) &&
	       l->last_job_failed && !l->source_gone;
}

#define WAY_OUT "move the data directory away to clone it anew"

/* Too early after a failure: says what else can be done. */
static bool
failed_lately(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;

	if (!agent__too_early(v, MT_JOB_REWIND, p) &&
	    !agent__too_early(v, MT_JOB_RECOVER, p))
		return false;
	if (rewind_failed(l))
		mt_format(
		    p->why, sizeof(p->why),
		    "%s failed (%d times), trying again later; or " WAY_OUT,
		    l->last_job == MT_JOB_REWIND ? "pg_rewind" : "recovery",
		    l->failures);
	return true;
}

static void
plan_pg_rewind(const struct mt_view *v, struct mt_plan *p,
	       const struct mt_seen *primary)
{
	/* Before that pg_rewind sees the old timeline at both ends, and thinks
	 * that there is nothing to do. */
	if (!primary->report.rewindable)
		agent__why(p, "waiting for the primary's first checkpoint on "
			      "its timeline");
	else if (!failed_lately(v, p) && !rewound_lately(v, p) &&
		 agent__is_named(v, p, "pg_rewind", primary))
		agent__toward(v, p,
			      has_crashed(&v->local) ? MT_ACT_RECOVER
						     : MT_ACT_REWIND,
			      primary);
}

static void
plan_rewind(const struct mt_view *v, struct mt_plan *p,
	    const struct mt_seen *primary)
{
	const struct mt_local *l = &v->local;
	const struct mt_settings *set = v->settings;
	bool remove =
	    rewind_failed(l) && set->remove_data_directory_on_rewind_failure;

	/* What it has may be what a failover counts on, as long as the log
	 * says so; the holder takes it out. */
	if (mt_agent_counts_in_sync(v)) {
		agent__why(p, "waiting to be taken out of the synchronous "
			      "set before the data is changed");
		return;
	}
	if (set->use_pg_rewind && !l->no_hints && !remove)
		plan_pg_rewind(v, p, primary);
	else if (remove || set->remove_data_directory_on_diverged_timelines) {
		if (agent__is_named(v, p, "a new clone", primary))
			p->act = MT_ACT_DISCARD;
	} else if (set->use_pg_rewind)
		mt_format(p->why, sizeof(p->why),
			  "the data has diverged from \"%s\", and pg_rewind "
			  "needs data checksums or wal_log_hints: " WAY_OUT,
			  primary->report.self.name);
	else
		mt_format(p->why, sizeof(p->why),
			  "the data has diverged from \"%s\": set "
			  "postgresql.use_pg_rewind, or " WAY_OUT,
			  primary->report.self.name);
}

static void
plan_down(const struct mt_view *v, struct mt_plan *p,
	  const struct mt_seen *primary)
{
	const struct mt_local *l = &v->local;
	int64_t waited = v->now_ms - l->turn_ms;

	if (primary == NULL) {
		/* A holder that is on its way is worth waiting for: it tells
		 * whether this data must be rewound. Without one this node
		 * must run to be a candidate. */
		if (mt_state_held(v->state) && waited < HOLDER_SILENT_MS &&
		    v->state->leader.epoch > l->record.fenced &&
		    strcmp(v->state->leader.holder, l->name) != 0) {
			p->look_again_ms = l->turn_ms + HOLDER_SILENT_MS;
			mt_format(p->why, sizeof(p->why),
				  "waiting for \"%s\" to serve",
				  v->state->leader.holder);
		} else if (!agent__too_early(v, MT_JOB_START, p)) {
			p->act = MT_ACT_START_STANDBY;
		}
		return;
	}
	switch (mt_agent_join(v->state, l, primary->report.at.timeline)) {
	case MT_JOIN_FOLLOW:
		if (!agent__too_early(v, MT_JOB_START, p))
			agent__toward(v, p, MT_ACT_START_STANDBY, primary);
		break;
	case MT_JOIN_REWIND:
		plan_rewind(v, p, primary);
		break;
	case MT_JOIN_WAIT:
		agent__why(p, l->end_pending
				  ? LOOKING_FOR_END
				  : "waiting for the primary's timeline "
				    "history");
		break;
	}
}

/* Was it told to follow this primary, where that is now? */
static bool
is_upstream(const struct mt_view *v, const struct mt_seen *primary)
{
	const struct mt_member *m =
	    mt_state_member(v->state, primary->report.self.name);

	return m == NULL || (strcmp(v->local.upstream, m->name) == 0 &&
			     strcmp(v->local.upstream_url, m->conn_url) == 0);
}

/* A start is waited for however long it takes, as long as it is for the right
 * primary: what this one waits for, another may have had. */
static void
plan_starting(const struct mt_view *v, struct mt_plan *p,
	      const struct mt_seen *primary)
{
	const struct mt_local *l = &v->local;

	agent__why(p, mt_job_name(l->job));
	if (!l->running || l->accepting || l->patience_ms == 0 ||
	    primary == NULL || is_upstream(v, primary))
		return;
	p->look_again_ms = l->job_since_ms + l->patience_ms;
	if (v->now_ms < p->look_again_ms)
		return;
	p->look_again_ms = 0;
	p->act = MT_ACT_STOP_FAST;
	p->cancel = true;
	mt_format(p->why, sizeof(p->why),
		  "has been starting for long, and not to follow \"%s\"",
		  primary->report.self.name);
}

bool
agent__fences(const struct mt_view *v)
{
	const struct mt_record *r = &v->local.record;

	return mt_sync_stands(v->state) && v->local.stopped < r->fenced &&
	       v->state->leader.epoch <= r->fenced;
}

static void
plan_running(const struct mt_view *v, struct mt_plan *p,
	     const struct mt_seen *primary)
{
	const struct mt_local *l = &v->local;

	if (!l->accepting)
		return;
	if (agent__fences(v) && !agent__too_early(v, MT_JOB_FENCE, p)) {
		p->act = MT_ACT_FENCE;
		p->epoch = l->record.fenced;
		agent__why(p, "the primary's epoch is fenced");
		return;
	}
	if (primary == NULL)
		return;
	switch (mt_agent_join(v->state, l, primary->report.at.timeline)) {
	case MT_JOIN_REWIND:
		p->act = MT_ACT_STOP_FAST;
		agent__why(p, "the data has diverged from the primary's");
		break;
	case MT_JOIN_FOLLOW:
		if (!is_upstream(v, primary) &&
		    !agent__too_early(v, MT_JOB_FOLLOW, p))
			agent__toward(v, p, MT_ACT_FOLLOW, primary);
		else if (!agent__too_early(v, MT_JOB_NAMES, p))
			agent__plan_names_ahead(v, p);
		break;
	case MT_JOIN_WAIT:
		break;
	}
}

void
agent__plan_standby(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;
	const struct mt_seen *primary = agent__primary_of(v);

	if (l->job == MT_JOB_START) {
		plan_starting(v, p, primary);
		return;
	}
	if (l->job != MT_JOB_NONE) {
		agent__why(p, mt_job_name(l->job));
		/* Whatever it says, the turn is another's. */
		p->cancel = l->job == MT_JOB_PRE_PROMOTE;
		return;
	}
	switch (l->data) {
	case MT_DATA_UNKNOWN:
		agent__why(p, "looking at the data directory");
		break;
	case MT_DATA_EMPTY:
	case MT_DATA_PARTIAL:
		agent__plan_clone(v, p, primary);
		break;
	case MT_DATA_FOREIGN:
		agent__why(p, "the data directory is not empty and holds no "
			      "cluster; move its content away");
		break;
	case MT_DATA_PRESENT:
		if (l->running)
			plan_running(v, p, primary);
		else
			plan_down(v, p, primary);
		break;
	}
}
