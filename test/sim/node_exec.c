/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the agent decided is done to the model of PostgreSQL: at most one long
 * action at a time, each with a duration, some with a chance to fail.
 *
 * Start, stop and promotion belong to the server and go on without the daemon;
 * the other jobs are children of the daemon: they go on while it is frozen, and
 * end unfinished with it.
 */
#include "test/sim/sim.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

static void
begin(struct node *n, enum mt_job kind)
{
	n->job = (struct job){
	    .kind = kind,
	    .since_ms = node_now_ms(n),
	    .number = n->job.number + 1,
	    .source = -1,
	    .pg_gen = n->pg.gen,
	};
	n->dirty = true;
}

/* A child of the daemon: it ends after so long. */
void
exec_begin_child(struct node *n, enum mt_job kind, int64_t least_ms,
		 int64_t most_ms)
{
	int64_t us = sim_between(n->sim, least_ms * SIM_MS, most_ms * SIM_MS);

	begin(n, kind);
	sim_push(n->sim, n->sim->now_us + us, EV_JOB, n->i, n->life,
		 n->job.number, 0, NULL);
}

void
exec_on_job(struct node *n, const struct event *e)
{
	struct job *job = &n->job;

	if (e->a != job->number || job->kind == MT_JOB_NONE)
		return;
	if ((job->kind == MT_JOB_NAMES || job->kind == MT_JOB_FENCE) &&
	    !sync_job(n))
		return;
	job->done = true;
	n->dirty = true;
	switch (job->kind) {
	case MT_JOB_BOOTSTRAP:
		pg_initdb(n);
		n->fresh = true;
		break;
	case MT_JOB_RECOVER:
		job->failed = sim_chance(n->sim, 3) || !pg_recover(n);
		break;
	case MT_JOB_CLONE:
	case MT_JOB_REWIND:
		job->failed = sim_chance(n->sim, 3) || !pg_copy(n, job->source);
		break;
	case MT_JOB_CHECKPOINT:
		job->failed = !n->pg.writable;
		n->checkpoint_for = job->request_id;
		break;
	case MT_JOB_FOLLOW:
		if (n->pg.phase == PG_UP && !n->pg.as_primary)
			pg_follow(n, job->source);
		n->knows_upstream = true;
		break;
	case MT_JOB_SLOTS:
		n->slots_ready = n->pg.writable;
		break;
	case MT_JOB_DISCARD:
		pg_wipe(n, MT_DATA_EMPTY);
		n->fresh = false;
		break;
	case MT_JOB_NONE:
	case MT_JOB_START:
	case MT_JOB_STOP:
	case MT_JOB_PRE_PROMOTE:
	case MT_JOB_PROMOTE:
	case MT_JOB_NAMES:
	case MT_JOB_FENCE:
		break;
	}
}

static bool
has_ended(const struct node *n, bool *failed)
{
	const struct pg *pg = &n->pg;

	*failed = n->job.failed;
	switch (n->job.kind) {
	case MT_JOB_NONE:
		return false;
	case MT_JOB_START:
		*failed = pg->phase == PG_DOWN;
		return pg->phase == PG_UP || pg->phase == PG_DOWN;
	case MT_JOB_STOP:
		return pg->phase == PG_DOWN;
	case MT_JOB_PROMOTE:
		*failed = !pg->writable;
		return pg->phase == PG_DOWN || pg->phase == PG_UP;
	case MT_JOB_NAMES:
	case MT_JOB_FENCE:
		if (pg->gen != n->job.pg_gen || pg->phase == PG_STOPPING) {
			*failed = true;
			return true;
		}
		break;
	case MT_JOB_BOOTSTRAP:
	case MT_JOB_CLONE:
	case MT_JOB_RECOVER:
	case MT_JOB_REWIND:
	case MT_JOB_CHECKPOINT:
	case MT_JOB_FOLLOW:
	case MT_JOB_SLOTS:
	case MT_JOB_DISCARD:
	case MT_JOB_PRE_PROMOTE:
		break;
	}
	return n->job.done;
}

void
exec_poll(struct node *n)
{
	bool failed, running = pg_is_running(n);
	enum mt_job kind = n->job.kind;

	if (n->saw_running && !running) {
		n->died = !n->pg.asked_to_stop && kind != MT_JOB_START;
		n->died_ms = node_now_ms(n);
		n->slots_ready = false;
		sync_server_down(n);
	}
	n->saw_running = running;
	if (!has_ended(n, &failed))
		return;
	TRACE(n->sim, n, "%s %s", mt_job_name(kind),
	      failed ? "failed" : "is done");
	n->failures = !failed ? 0 : n->last_job == kind ? n->failures + 1 : 1;
	n->last_job = kind;
	n->last_job_failed = failed;
	n->last_job_ms = node_now_ms(n);
	n->job.kind = MT_JOB_NONE;
	n->dirty = true;
	if (kind == MT_JOB_START && !failed) {
		n->hung = false;
		sync_started(n);
	}
	if (kind == MT_JOB_PROMOTE && !failed)
		sync_promoted(n);
	if (kind == MT_JOB_CLONE && !failed)
		n->sim->stats.clones++;
	if (kind == MT_JOB_REWIND && !failed)
		n->sim->stats.rewinds++;
}

static void
start(struct node *n, const struct mt_view *v, const struct mt_plan *plan,
      bool primary)
{
	if (primary)
		check_promotion(n, v, true);
	n->died = n->fresh = false;
	n->slots_ready = false;
	n->promote_sent_ms = 0;
	pg_follow(n, primary ? -1 : sim_node_by_name(n->sim, plan->member));
	n->knows_upstream = true;
	sync_start(n);
	pg_start(n, primary);
	n->saw_running = true;
	if (primary)
		pg_arm(n, v->local.deadline_ms);
	begin(n, MT_JOB_START);
}

static void
promote(struct node *n, const struct mt_view *v, const struct mt_plan *plan)
{
	check_promotion(n, v, false);
	check_strict(n, n->names);
	TRACE(n->sim, n, "promotes under epoch %" PRIu64,
	      n->state->leader.epoch);
	n->slots_ready = false;
	n->promote_sent_ms = v->now_ms;
	pg_promote(n, plan->timeline);
	pg_arm(n, v->local.deadline_ms);
	begin(n, MT_JOB_PROMOTE);
}

static void
stop(struct node *n, bool fast)
{
	if (n->job.kind == MT_JOB_STOP && fast)
		return;
	pg_stop(n, fast);
	if (n->job.kind != MT_JOB_STOP)
		begin(n, MT_JOB_STOP);
}

static void
copy_from(struct node *n, const struct mt_plan *plan, enum mt_job kind)
{
	pg_wipe(n, MT_DATA_PARTIAL);
	exec_begin_child(n, kind, 200, kind == MT_JOB_CLONE ? 2500 : 1200);
	n->job.source = sim_node_by_name(n->sim, plan->member);
}

/* Long actions: only when none is under way, or when this one is to go first.
 */
static void
exec_job(struct node *n, const struct mt_view *v, const struct mt_plan *plan)
{
	enum mt_job under_way = n->job.kind;

	if (under_way != MT_JOB_NONE && !plan->cancel &&
	    plan->act != MT_ACT_STOP_IMMEDIATE)
		return;
	switch (plan->act) {
	case MT_ACT_STOP_FAST:
		stop(n, true);
		break;
	case MT_ACT_STOP_IMMEDIATE:
		if (plan->hung && !n->hung) {
			n->hung_twice = n->hung_ms != 0;
			n->hung_ms = v->now_ms;
			n->hung = true;
		}
		stop(n, false);
		break;
	case MT_ACT_OFFER: /* no data is there before the cluster */
		sim_fail(n->sim, "%s offers data", n->name);
		break;
	case MT_ACT_BOOTSTRAP:
		pg_wipe(n, MT_DATA_PARTIAL);
		exec_begin_child(n, MT_JOB_BOOTSTRAP, 200, 1200);
		break;
	case MT_ACT_DISCARD:
		if (plan->for_errand)
			errand_check(n);
		n->pg.data = MT_DATA_PARTIAL;
		exec_begin_child(n, MT_JOB_DISCARD, 10, 200);
		break;
	case MT_ACT_CLONE:
		copy_from(n, plan, MT_JOB_CLONE);
		break;
	case MT_ACT_RECOVER:
		check_named(n);
		exec_begin_child(n, MT_JOB_RECOVER, 100, 1200);
		break;
	case MT_ACT_REWIND:
		check_named(n);
		copy_from(n, plan, MT_JOB_REWIND);
		break;
	case MT_ACT_START_PRIMARY:
		start(n, v, plan, true);
		break;
	case MT_ACT_START_STANDBY:
		start(n, v, plan, false);
		break;
	case MT_ACT_FOLLOW:
		n->stopped = 0;
		exec_begin_child(n, MT_JOB_FOLLOW, 5, 100);
		n->job.source = sim_node_by_name(n->sim, plan->member);
		break;
	case MT_ACT_PROMOTE:
		promote(n, v, plan);
		break;
	case MT_ACT_CHECKPOINT:
		exec_begin_child(n, MT_JOB_CHECKPOINT, 20, 500);
		n->job.request_id = plan->request_id;
		break;
	case MT_ACT_SLOTS:
		exec_begin_child(n, MT_JOB_SLOTS, 5, 60);
		break;
	case MT_ACT_NAMES:
		sync_names(n, plan);
		break;
	case MT_ACT_FENCE:
		sync_fence(n, plan);
		break;
	case MT_ACT_EXEMPT:
		check_exempt(n);
		pg_exempt(n, true);
		n->dirty = true;
		break;
	case MT_ACT_ARM:
		pg_exempt(n, false);
		pg_arm(n, v->local.deadline_ms);
		n->dirty = true;
		break;
	case MT_ACT_PRE_PROMOTE: /* no node has the script */
	case MT_ACT_NONE:
	case MT_ACT_GIVE_UP:
	case MT_ACT_TAKE_EPOCH:
	case MT_ACT_PROPOSE:
	case MT_ACT_EXIT:
	case MT_ACT_REFUSE:
		break;
	}
}

void
exec_plan(struct node *n, const struct mt_view *v, const struct mt_plan *plan)
{
	uint64_t version = n->state->sync.version; /* before it is applied */

	mt_errand_execute(&n->errand, plan, v->now_ms);
	if (plan->cancel)
		errand_cancel(n);
	switch (plan->act) {
	case MT_ACT_NONE:
		break;
	case MT_ACT_GIVE_UP:
		if (n->keep.want.given_up < plan->epoch)
			TRACE(n->sim, n, "gives up epoch %" PRIu64 ": %s",
			      plan->epoch, plan->why);
		if (mt_keep_give_up(&n->keep, plan->epoch))
			n->dirty = true;
		break;
	case MT_ACT_TAKE_EPOCH:
		if (mt_keep_take_epoch(&n->keep, plan->epoch, v->local.data_id))
			n->dirty = true;
		break;
	case MT_ACT_PROPOSE:
		if (node_propose(n, &plan->command) &&
		    plan->command.kind == MT_CMD_SYNC_PUT)
			n->sync_asked = version;
		break;
	case MT_ACT_EXIT:
		node_exit(n);
		break;
	case MT_ACT_REFUSE:
		sim_fail(n->sim, "%s refuses to go on: %s", n->name, plan->why);
		break;
	case MT_ACT_STOP_FAST:
	case MT_ACT_STOP_IMMEDIATE:
	case MT_ACT_BOOTSTRAP:
	case MT_ACT_OFFER:
	case MT_ACT_DISCARD:
	case MT_ACT_CLONE:
	case MT_ACT_RECOVER:
	case MT_ACT_REWIND:
	case MT_ACT_START_PRIMARY:
	case MT_ACT_START_STANDBY:
	case MT_ACT_FOLLOW:
	case MT_ACT_PRE_PROMOTE:
	case MT_ACT_PROMOTE:
	case MT_ACT_CHECKPOINT:
	case MT_ACT_SLOTS:
	case MT_ACT_NAMES:
	case MT_ACT_FENCE:
	case MT_ACT_EXEMPT:
	case MT_ACT_ARM:
		exec_job(n, v, plan);
		break;
	}
}
