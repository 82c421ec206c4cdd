/* SPDX-License-Identifier: PostgreSQL */
/*
 * The present as one JSON object, in the form that event_diff.c compares. What
 * changes all the time (positions, lags, what a member is just doing) is not in
 * it: that is for who asks. This node's role is what its health checks say, by
 * the same function and at the same clock.
 */
#include <stdio.h>

#include "base/text.h"
#include "core/agent.h"
#include "daemon/api/events.h"
#include "daemon/api/internal.h"

#define DECISIONS_SHOWN 4 /* an older one may still get its phases */

static const char *
role_name(const struct mt_view *view, const struct mt_health_input *in)
{
	if (view->local.witness)
		return "witness";
	if (mt_health_code(in, MT_HEALTH_PRIMARY, "") == 200)
		return mt_pg_role_name(MT_ROLE_PRIMARY);
	if (in->accepting && in->in_recovery)
		return mt_pg_role_name(MT_ROLE_REPLICA);
	return "none";
}

static json_t *
role(const struct mt_view *view, const struct mt_health_input *in)
{
	return json_pack("{s:s, s:s, s:b, s:b, s:I}", "name", view->local.name,
			 "role", role_name(view, in), "leader",
			 mt_health_code(in, MT_HEALTH_LEADER, "") == 200,
			 "replica",
			 mt_health_code(in, MT_HEALTH_REPLICA, "") == 200,
			 "epoch", (json_int_t)in->epoch);
}

static json_t *
state(const struct mt_view *view, const struct mt_health_input *in)
{
	return json_pack("{s:s, s:s, s:b}", "name", view->local.name, "state",
			 api__state_text(view, in->accepting), "stopping",
			 mt_agent_is_stopping(view));
}

static json_t *
leader(const struct mt_view *view)
{
	const struct mt_member *m = api__leader(view);
	const struct mt_leader *l = &view->state->leader;

	return json_pack("{s:o, s:I, s:I}", "leader",
			 m == NULL ? json_null() : json_string(m->name),
			 "epoch", (json_int_t)l->epoch, "timeline",
			 (json_int_t)l->timeline);
}

static json_t *
config(const struct mt_view *view)
{
	static const char *const modes[] = {
	    [MT_SYNC_OFF] = "off",
	    [MT_SYNC_ON] = "on",
	    [MT_SYNC_QUORUM] = "quorum",
	};

	return json_pack("{s:I, s:b, s:s}", "version",
			 (json_int_t)view->state->config_version, "pause",
			 view->settings->pause, "synchronous_mode",
			 modes[view->settings->synchronous_mode]);
}

static json_t *
members(const struct mt_view *view)
{
	static const char *const unsteady[] = {
	    "receive_lsn", "receive_lag", "replay_lsn", "replay_lag",
	    "lsn",         "lag",         "why",
	};
	json_t *all = json_object();

	for (int i = 0; i < view->state->n_members; i++) {
		const struct mt_member *m = &view->state->members[i];
		json_t *o;

		if (m->witness)
			continue;
		o = api__member_document(view, m);
		for (size_t k = 0; k < MT_COUNT(unsteady); k++)
			json_object_del(o, unsteady[k]);
		json_object_set_new(all, m->name, o);
	}
	return all;
}

static json_t *
decisions(const struct mt_view *view)
{
	uint64_t last = view->state->last_decision;
	json_t *all = json_object();

	for (uint64_t id = last > DECISIONS_SHOWN ? last - DECISIONS_SHOWN + 1
						  : 1;
	     id <= last; id++) {
		const struct mt_decision *d =
		    mt_state_decision(view->state, id);
		char key[24];

		if (d == NULL)
			continue;
		mt_format(key, sizeof(key), "%llu", (unsigned long long)id);
		json_object_set_new(all, key, api__decision_document(d));
	}
	return all;
}

/* When a lease, or the support that a primary needs besides, runs out. */
static int64_t
role_until_ms(const struct mt_health_input *in)
{
	int64_t until_ms = in->deadline_ms;

	if (mt_health_code(in, MT_HEALTH_LEADER, "") != 200 || in->exempt)
		return 0;
	if (in->displaceable && in->missed_ms > in->now_ms &&
	    in->missed_ms < until_ms)
		until_ms = in->missed_ms;
	return until_ms > in->now_ms ? until_ms : 0;
}

json_t *
api__picture(const struct mt_api *api, const struct mt_view *view,
	     struct api__picture_cache *cache, int64_t *until_ms)
{
	struct mt_health_input in;
	json_t *o = json_object();

	if (cache->decisions == NULL || cache->index != view->state->index) {
		json_decref(cache->decisions);
		cache->decisions = decisions(view);
		cache->index = view->state->index;
	}
	json_object_set_new(o, "leader", leader(view));
	json_object_set_new(o, "members", members(view));
	json_object_set(o, "decisions", cache->decisions);
	json_object_set_new(o, "config", config(view));
	/* The clock is read in here, after all the work. */
	api__health_input(api, view, &in);
	json_object_set_new(o, "role", role(view, &in));
	json_object_set_new(o, "state", state(view, &in));
	*until_ms = role_until_ms(&in);
	return o;
}
