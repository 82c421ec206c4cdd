/* SPDX-License-Identifier: PostgreSQL */
/*
 * GET /raft/state: the replicated state together with the members' reports,
 * under the names that scripts know from other stores. Happy path: each node
 * answers from what it has, witnesses too. What is agreed is as new as this
 * node's log, what members tell about themselves as their last report; of one
 * that is silent only its record is told.
 *
 * It holds no secret: addresses are recorded without passwords, and what looks
 * like one in the configuration is masked, which GET /config does not do.
 */
#include "daemon/api/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "conf/effective.h"
#include "pg/conninfo.h"

/* Where the data of a server that is down ends is told nowhere. */
static bool
has_position(const struct mt_report *report)
{
	return report->pg_state == MT_PG_RUNNING ||
	       report->pg_state == MT_PG_STARTING ||
	       report->pg_state == MT_PG_RESTARTING;
}

static void
put_lsn(json_t *o, const char *key, uint64_t lsn)
{
	if (lsn != 0)
		json_object_set_new(o, key, api__json_number(lsn));
}

static void
put_positions(json_t *o, const struct mt_report *report)
{
	uint64_t at = report->at.lsn, replayed = report->replayed_lsn;
	const char *replication = api__replication_state(report);

	if (!has_position(report))
		return;
	if (report->pg_role == MT_ROLE_PRIMARY) {
		put_lsn(o, "xlog_location", at);
	} else {
		put_lsn(o, "xlog_location", at > replayed ? at : replayed);
		put_lsn(o, "receive_lsn", at);
		put_lsn(o, "replay_lsn", replayed);
	}
	if (replication != NULL)
		json_object_set_new(o, "replication_state",
				    json_string(replication));
	if (report->at.timeline != 0)
		json_object_set_new(o, "timeline",
				    json_integer(report->at.timeline));
}

static json_t *
member_record(const struct mt_view *view, const struct mt_member *m)
{
	const struct mt_report *report = api__report(view, m->name);
	json_t *o = json_object(), *tags = api__member_tags(view, m);

	json_object_set_new(o, "conn_url", json_string(m->conn_url));
	json_object_set_new(o, "api_url", json_string(m->api_url));
	if (*m->proxy_url != '\0')
		json_object_set_new(o, "proxy_url", json_string(m->proxy_url));
	json_object_set_new(
	    o, "state",
	    json_string(report == NULL ? "unknown"
				       : mt_pg_state_name(report->pg_state)));
	if (report != NULL)
		json_object_set_new(
		    o, "role", json_string(mt_pg_role_name(report->pg_role)));
	json_object_set_new(o, "version", json_string(m->version));
	if (tags != NULL)
		json_object_set_new(o, "tags", tags);
	api__put_pending(o, report);
	api__put_scheduled(o, report);
	/* Until then nobody can be rewound to it. */
	if (report != NULL && report->writable && !report->rewindable)
		json_object_set_new(o, "checkpoint_after_promote",
				    json_false());
	if (report != NULL)
		put_positions(o, report);
	if (view->settings->pause)
		json_object_set_new(o, "pause", json_true());
	return o;
}

static json_t *
failover_record(const struct mt_request *request)
{
	char at[MT_ISO_MAX];
	json_t *o = json_object();

	if (request->kind == MT_REQUEST_NONE)
		return o;
	if (*request->leader != '\0')
		json_object_set_new(o, "leader", json_string(request->leader));
	if (request->scheduled_ms != 0)
		json_object_set_new(
		    o, "scheduled_at",
		    json_string(mt_wall_iso(at, request->scheduled_ms)));
	if (*request->candidate != '\0')
		json_object_set_new(o, "member",
				    json_string(request->candidate));
	if (request->accept_loss)
		json_object_set_new(o, "accept_loss", json_true());
	return o;
}

/* quorum is how many further voices a member of the set needs, which scripts
 * know of quorum mode alone. */
static json_t *
sync_record(const struct mt_view *view)
{
	const struct mt_sync *sync = &view->state->sync;
	bool priority = view->settings->synchronous_mode == MT_SYNC_ON;
	char names[MT_NODES_MAX * (MT_NAME_MAX + 1)] = "";
	json_t *o = json_object();
	size_t n = 0;

	for (int i = 0; i < sync->n; i++)
		if (strcmp(sync->standbys[i].name, sync->leader) != 0)
			n += (size_t)snprintf(names + n, sizeof(names) - n,
					      "%s%s", n > 0 ? "," : "",
					      sync->standbys[i].name);
	/* Where the mode is off scripts find nobody's name. */
	json_object_set_new(
	    o, "leader",
	    api__json_name(view->settings->synchronous_mode != MT_SYNC_OFF ||
				   mt_sync_stands(view->state)
			       ? sync->leader
			       : ""));
	json_object_set_new(o, "quorum",
			    json_integer(priority ? 0 : sync->n - sync->k));
	json_object_set_new(o, "sync_standby", api__json_name(names));
	return o;
}

/*
 * The primary has a slot for each other member, and it keeps what that has not
 * flushed: so the slot stands where the member's newest report says, also that
 * of one which is silent.
 */
static void
put_slots(json_t *slots, json_t *retain, const struct mt_view *view)
{
	const struct mt_member *leader = api__leader(view);
	const struct mt_state *s = view->state;

	if (leader == NULL || !view->settings->use_slots)
		return;
	for (int i = 0; i < s->n_members; i++) {
		const struct mt_member *m = &s->members[i];
		const struct mt_seen *seen =
		    mt_reports_find(view->reports, m->name);
		char slot[64];

		if (m->witness || m == leader)
			continue;
		mt_pg_slot_name(slot, m->name);
		if (seen != NULL)
			put_lsn(slots, slot, seen->report.at.lsn);
		json_array_append_new(retain, json_string(slot));
	}
}

static json_t *
status_record(const struct mt_view *view)
{
	json_t *o = json_object();
	json_t *slots = json_object(), *retain = json_array();

	put_slots(slots, retain, view);
	json_object_set_new(o, "optime",
			    api__json_number(api__leader_lsn(view)));
	json_object_set_new(o, "slots", slots);
	json_object_set_new(o, "retain_slots", retain);
	return o;
}

static void
put_members(json_t *o, const struct mt_view *view)
{
	const struct mt_state *s = view->state;
	json_t *members = json_object(), *witnesses = json_array();

	for (int i = 0; i < s->n_members; i++) {
		const struct mt_member *m = &s->members[i];

		if (m->witness)
			json_array_append_new(witnesses, json_string(m->name));
		else
			json_object_set_new(members, m->name,
					    member_record(view, m));
	}
	json_object_set_new(o, "members", members);
	if (json_array_size(witnesses) > 0)
		json_object_set(o, "witnesses", witnesses);
	json_decref(witnesses);
}

void
api__get_raft_state(struct mt_api *api, struct mt_http_request *r)
{
	const struct mt_api_backend *b = api->backend;
	const struct mt_member *leader;
	const struct mt_state *s;
	struct mt_view view;
	json_t *o = json_object();

	b->view(b->arg, &view);
	s = view.state;
	leader = api__leader(&view);
	/* "" while a member bootstraps, nothing before that */
	json_object_set_new(o, "initialize",
			    s->sysid[0] == '\0' && s->claim.member[0] == '\0'
				? json_null()
				: json_string(s->sysid));
	json_object_set_new(o, "config",
			    s->config == NULL ? json_null()
					      : mt_conf_masked("", s->config));
	json_object_set_new(o, "leader",
			    leader == NULL ? json_null()
					   : json_string(leader->name));
	put_members(o, &view);
	json_object_set_new(o, "sync", sync_record(&view));
	json_object_set_new(o, "status", status_record(&view));
	json_object_set_new(o, "failover", failover_record(&s->request));
	json_object_set_new(o, "history", api__history_document(&view));
	json_object_set_new(o, "failsafe", json_null());
	json_object_set_new(o, "epoch", api__json_number(s->leader.epoch));
	if (s->leader.exempt != 0)
		json_object_set_new(o, "exempt",
				    json_string(s->leader.exempt_reason));
	json_object_set_new(o, "config_version",
			    api__json_number(s->config_version));
	json_object_set_new(o, "index", api__json_number(s->index));
	api__respond_json(r, 200, o);
}
