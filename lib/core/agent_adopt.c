/* SPDX-License-Identifier: PostgreSQL */
/*
 * Data that was there before the cluster, on its own node (doc/protocol.md,
 * ground A): what is to be done before the cluster is initialized, and when
 * epoch 1 was made of a primary that runs.
 *
 * How it goes well. The claim names this data. A running primary: its sentinel
 * forgets that there are deadlines, then cluster.initialize is proposed, with
 * which the turn and an exemption begin at once; the epoch becomes durable, and
 * from there on the exemption ends as any does: support, lease, sentinel armed,
 * its end proposed (agent_pause.c). Nobody can take the turn before that. Data
 * that is down: proposed, then started as after an initdb, under a lease.
 *
 * How it fails. Whatever is no more as it was claimed is not proposed, and the
 * controller withdraws the claim. A server that is not the cluster's (yet) runs
 * without a lease, and is never stopped: not for a lease, not with the daemon.
 *
 * Whose data it is to be is decided in found.c.
 */
#include <string.h>

#include "base/text.h"
#include "core/agent_internal.h"
#include "core/found.h"

bool
agent__is_known(const struct mt_view *v)
{
	const struct mt_record *r = &v->local.record;

	return r->data_id != 0 && r->data_id == v->local.data_id &&
	       r->pg_epoch != 0;
}

bool
mt_agent_is_stranger(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;

	return l->running && l->foreign && !agent__is_known(v) &&
	       (v->state->sysid[0] == '\0' ||
		(l->sysid[0] != '\0' &&
		 strcmp(v->state->sysid, l->sysid) != 0));
}

/* Without the exemption the end of promises could have given the turn to
 * another: as long as this node has not taken the epoch it cannot have proposed
 * the exemption's end. */
bool
agent__adopts(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;
	const struct mt_leader *lead = &v->state->leader;

	return l->running && l->as_primary && l->foreign && agent__mine(v) &&
	       lead->since == 1 && lead->exempt != 0 && lead->adopts != 0 &&
	       lead->adopts == l->data_id && !agent__in_turn(v);
}

void
agent__plan_adopted(const struct mt_view *v, struct mt_plan *p)
{
	/* A new sentinel, if it and the daemon died in between. */
	if (!v->local.exempt) {
		p->act = MT_ACT_EXEMPT;
		return;
	}
	p->act = MT_ACT_TAKE_EPOCH;
	p->epoch = v->state->leader.epoch;
}

/* ---- before there is a cluster ---- */

bool
agent__claim_is_mine(const struct mt_view *v)
{
	return strcmp(v->state->claim.member, v->local.name) == 0 &&
	       v->state->claim.incarnation == v->local.incarnation;
}

void
agent__plan_initialize(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;
	struct mt_settings set;
	struct mt_command *c = &p->command;

	mt_settings_parse(&set, v->bootstrap_config);
	p->act = MT_ACT_PROPOSE;
	c->kind = MT_CMD_CLUSTER_INITIALIZE;
	c->u.initialize.claim = v->state->claim;
	mt_copy(c->u.initialize.sysid, sizeof(c->u.initialize.sysid), l->sysid);
	c->u.initialize.timeline = 1;
	if (v->state->claim.adopts != 0)
		c->u.initialize.timeline =
		    l->running ? l->at.timeline : mt_found_end(l).timeline;
	c->u.initialize.runs = v->state->claim.adopts != 0 && l->running;
	c->u.initialize.ttl_ms = set.ttl_ms;
	c->u.initialize.at_ms = v->wall_ms;
	c->u.initialize.config = v->bootstrap_config;
}

/* The claim is for the data of this node, by its data_id. */
static void
plan_mine(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;

	if (l->data != MT_DATA_PRESENT ||
	    l->data_id != v->state->claim.adopts || l->sysid[0] == '\0') {
		agent__why(p, "the data is not what was to become the "
			      "cluster's");
	} else if (l->running &&
		   !(l->as_primary && l->accepting && !l->in_recovery &&
		     l->guarded && l->at.timeline != 0)) {
		agent__why(p, "PostgreSQL does not run as primary any more");
	} else if (l->running && !l->exempt) {
		p->act = MT_ACT_EXEMPT;
	} else if (!l->running && mt_found_end(l).timeline == 0) {
		agent__why(p, "looking for the end of the data");
	} else if (!l->running && !l->fresh) {
		p->act = MT_ACT_OFFER;
	} else {
		agent__plan_initialize(v, p);
	}
}

void
agent__plan_claimed(const struct mt_view *v, struct mt_plan *p)
{
	struct mt_found found;

	if (agent__claim_is_mine(v) && v->state->claim.adopts != 0) {
		plan_mine(v, p);
		return;
	}
	if (v->state->claim.member[0] != '\0') {
		mt_format(p->why, sizeof(p->why),
			  "waiting for \"%s\" to initialize the cluster",
			  v->state->claim.member);
		return;
	}
	mt_found_judge(v, &found);
	p->warn = found.kind == MT_FOUND_REFUSED;
	if (found.kind == MT_FOUND_WAIT || p->warn)
		agent__why(p, found.why);
	else
		agent__why(p, "waiting for the cluster to be initialized");
}
