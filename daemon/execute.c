/* SPDX-License-Identifier: PostgreSQL */
/*
 * Plans to effects. A switch over all actions without a default, so that the
 * compiler finds one that nobody carries out.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/node_internal.h"

static const char *
act_name(enum mt_act act)
{
	switch (act) {
	case MT_ACT_NONE:
		return "none";
	case MT_ACT_STOP_FAST:
		return "stop-fast";
	case MT_ACT_STOP_IMMEDIATE:
		return "stop-immediate";
	case MT_ACT_GIVE_UP:
		return "give-up";
	case MT_ACT_TAKE_EPOCH:
		return "take-epoch";
	case MT_ACT_PROPOSE:
		return "propose";
	case MT_ACT_BOOTSTRAP:
		return "bootstrap";
	case MT_ACT_OFFER:
		return "offer";
	case MT_ACT_DISCARD:
		return "discard";
	case MT_ACT_CLONE:
		return "clone";
	case MT_ACT_RECOVER:
		return "recover";
	case MT_ACT_REWIND:
		return "rewind";
	case MT_ACT_START_PRIMARY:
		return "start-primary";
	case MT_ACT_START_STANDBY:
		return "start-standby";
	case MT_ACT_FOLLOW:
		return "follow";
	case MT_ACT_PRE_PROMOTE:
		return "pre-promote";
	case MT_ACT_PROMOTE:
		return "promote";
	case MT_ACT_CHECKPOINT:
		return "checkpoint";
	case MT_ACT_SLOTS:
		return "slots";
	case MT_ACT_NAMES:
		return "names";
	case MT_ACT_FENCE:
		return "fence";
	case MT_ACT_EXEMPT:
		return "exempt";
	case MT_ACT_ARM:
		return "arm";
	case MT_ACT_EXIT:
		return "exit";
	case MT_ACT_REFUSE:
		return "refuse";
	}
	return "unknown";
}

/* It waits for what was begun, which the log says, or as at every start. */
static bool
is_ordinary(const struct mt_view *v, const struct mt_plan *p)
{
	return (v->local.job != MT_JOB_NONE &&
		strcmp(p->why, mt_job_name(v->local.job)) == 0) ||
	       strcmp(p->rule, "being-stopped") == 0 ||
	       strcmp(p->rule, "state-unknown") == 0;
}

void
node__say_holder(const struct mt_node *n, enum mt_log_level level)
{
	mt_log(level, "Lock owner: %s; I am %s",
	       mt_state_held(&n->state) ? n->state.leader.holder : "None",
	       n->conf->name);
}

static void
log_action(const struct mt_node *n, const struct mt_plan *p)
{
	node__say_holder(n, MT_LOG_INFO);
	mt_info("agent: rule=%s act=%s epoch=%" PRIu64 "%s%s%s%s", p->rule,
		act_name(p->act), n->state.leader.epoch,
		p->member[0] != '\0' ? " member=" : "", p->member,
		p->why[0] != '\0' ? " why=" : "", p->why);
}

/* One line when the rule, the action or the reason changes. */
static void
log_plan(struct mt_node *n, const struct mt_view *v, const struct mt_plan *p)
{
	bool same = n->agent_rule == p->rule && n->agent_act == p->act &&
		    strcmp(n->agent_why, p->why) == 0;

	n->agent_rule = p->rule;
	n->agent_act = p->act;
	mt_copy(n->agent_why, sizeof(n->agent_why), p->why);
	if (p->act == MT_ACT_PROPOSE && !same && p->why[0] != '\0')
		mt_warn("agent: rule=%s act=%s why=%s", p->rule,
			act_name(p->act), p->why);
	else if (p->act == MT_ACT_PROPOSE || (same && p->act != MT_ACT_NONE))
		mt_debug("agent: rule=%s act=%s %s", p->rule, act_name(p->act),
			 mt_command_name(p->command.kind));
	else if (p->act != MT_ACT_NONE)
		log_action(n, p);
	else if (!same && p->why[0] != '\0')
		mt_log(p->warn             ? MT_LOG_WARNING
		       : is_ordinary(v, p) ? MT_LOG_DEBUG
					   : MT_LOG_INFO,
		       "agent: rule=%s why=%s", p->rule, p->why);
}

static void
execute_on_postgres(struct mt_node *n, const struct mt_view *v,
		    const struct mt_plan *p)
{
	int64_t deadline_ms = v->local.deadline_ms;

	switch (p->act) {
	case MT_ACT_STOP_FAST:
	case MT_ACT_STOP_IMMEDIATE:
		if (p->hung)
			mt_postgres_hung(n->pg, v->now_ms);
		mt_postgres_stop(n->pg, p->act == MT_ACT_STOP_IMMEDIATE,
				 p->hurry);
		break;
	case MT_ACT_BOOTSTRAP:
		mt_postgres_bootstrap(n->pg);
		break;
	case MT_ACT_OFFER:
		mt_postgres_offer(n->pg);
		break;
	case MT_ACT_DISCARD:
		mt_postgres_discard(n->pg);
		break;
	case MT_ACT_CLONE:
		mt_postgres_clone(n->pg, p->member, p->url, n->state.sysid,
				  p->plain);
		break;
	case MT_ACT_RECOVER:
		mt_postgres_recover(n->pg);
		break;
	case MT_ACT_REWIND:
		mt_postgres_rewind(n->pg, p->member, p->url);
		break;
	case MT_ACT_START_PRIMARY:
		mt_postgres_start_primary(n->pg, deadline_ms);
		break;
	case MT_ACT_START_STANDBY:
		mt_postgres_start_standby(n->pg, p->member, p->url);
		break;
	case MT_ACT_FOLLOW:
		mt_postgres_follow(n->pg, p->member, p->url);
		break;
	case MT_ACT_PRE_PROMOTE:
		mt_postgres_pre_promote(n->pg, p->epoch);
		break;
	case MT_ACT_PROMOTE:
		mt_postgres_promote(n->pg, deadline_ms, p->timeline);
		break;
	case MT_ACT_CHECKPOINT:
		mt_postgres_checkpoint(n->pg, p->request_id);
		break;
	case MT_ACT_SLOTS:
		mt_postgres_slots(n->pg, &n->state);
		break;
	case MT_ACT_NAMES:
		mt_postgres_names(
		    n->pg, &p->names,
		    n->settings.synchronous_mode == MT_SYNC_QUORUM,
		    p->names.n > 0 ||
			n->settings.synchronous_mode != MT_SYNC_OFF);
		break;
	case MT_ACT_FENCE:
		mt_postgres_fence(n->pg, p->epoch);
		break;
	case MT_ACT_EXEMPT:
		mt_postgres_exempt(n->pg);
		break;
	case MT_ACT_ARM:
		mt_postgres_rearm(n->pg, deadline_ms);
		break;
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
node__execute(struct mt_node *n, const struct mt_view *v, struct mt_plan *p)
{
	uint64_t version = n->state.sync.version; /* before it is applied */

	log_plan(n, v, p);
	n->wants_clone = p->wants_clone;
	if (p->cancel && n->pg != NULL)
		mt_postgres_cancel(n->pg);
	mt_errand_execute(&n->errand, p, v->now_ms);
	switch (p->act) {
	case MT_ACT_NONE:
		break;
	case MT_ACT_GIVE_UP:
		mt_copy(n->gave_up_why, sizeof(n->gave_up_why), p->why);
		mt_keep_give_up(&n->keep, p->epoch);
		break;
	case MT_ACT_TAKE_EPOCH:
		mt_keep_take_epoch(&n->keep, p->epoch, v->local.data_id);
		mt_postgres_taken(n->pg);
		break;
	case MT_ACT_PROPOSE:
		if (p->command.kind == MT_CMD_STATUS_PUT)
			n->status_put_ms = v->now_ms;
		/* From before it may be committed. */
		if (p->command.kind == MT_CMD_LEADER_EXEMPT &&
		    p->command.u.exempt.ends > n->exempt_ended)
			n->exempt_ended = p->command.u.exempt.ends;
		if (node__propose_planned(n, &p->command) &&
		    p->command.kind == MT_CMD_SYNC_PUT)
			n->sync_asked = version;
		if (p->look_again_ms == 0 || p->look_again_ms > v->now_ms + 200)
			p->look_again_ms = v->now_ms + 200;
		break;
	case MT_ACT_EXIT:
		node__exit(n, 0);
		break;
	case MT_ACT_REFUSE:
		node__fail(n, "%s", p->why);
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
		execute_on_postgres(n, v, p);
		break;
	}
}

void
node__execute_control(struct mt_node *n, const struct mt_control_plan *p)
{
	bool same =
	    n->control_rule == p->rule && strcmp(n->control_why, p->why) == 0;

	n->control_rule = p->rule;
	mt_copy(n->control_why, sizeof(n->control_why), p->why);
	if (!same && p->why[0] != '\0')
		mt_info("controller: rule=%s why=%s", p->rule, p->why);
	if (p->fence)
		mt_keep_fence(&n->keep, &n->committed_voters, &p->fence_req,
			      mt_driver_term(n->driver), mt_clock_ms());
	if (p->transfer_to != 0)
		mt_driver_transfer(n->driver, p->transfer_to);
	if (p->propose)
		node__propose_planned(n, &p->command);
}
