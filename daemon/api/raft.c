/* SPDX-License-Identifier: PostgreSQL */
/*
 * GET /raft: this node's side of Raft, for people and monitoring. GET
 * /raft/state: the replicated state together with the members' reports, under
 * the names that scripts know from other stores; on every node, witnesses too.
 * Neither holds a secret: members record addresses without passwords.
 */
#include "daemon/api/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

static json_t *
number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *
raft_members(const struct mt_raft_info *info)
{
	json_t *list = json_array();

	for (int i = 0; i < info->n_members; i++) {
		const struct mt_raft_member *m = &info->members[i];
		json_t *o = json_object();

		json_object_set_new(o, "id", api__json_id(m->id));
		json_object_set_new(o, "name", api__json_name(m->name));
		json_object_set_new(o, "address", json_string(m->address));
		json_object_set_new(o, "role", json_string(m->role));
		json_object_set_new(o, "connected", json_boolean(m->connected));
		json_object_set_new(o, "contact_age_ms",
				    m->contact_age_ms < 0
					? json_null()
					: json_integer(m->contact_age_ms));
		json_array_append_new(list, o);
	}
	return list;
}

void
api__get_raft(struct mt_api *api, struct mt_http_request *r)
{
	const struct mt_api_backend *b = api->backend;
	struct mt_raft_info info = {0};
	struct mt_view view;
	json_t *o = json_object();

	b->view(b->arg, &view);
	b->raft(b->arg, &info);
	json_object_set_new(o, "id", api__json_id(info.id));
	json_object_set_new(o, "name", json_string(view.local.name));
	json_object_set_new(o, "state", json_string(info.state));
	json_object_set_new(o, "term", number(info.term));
	json_object_set_new(o, "leader", api__json_name(info.leader));
	json_object_set_new(o, "leader_id",
			    info.leader_id == 0 ? json_null()
						: api__json_id(info.leader_id));
	json_object_set_new(o, "last_index", number(info.last_index));
	json_object_set_new(o, "commit_index", number(info.commit_index));
	json_object_set_new(o, "applied_index", number(info.applied_index));
	json_object_set_new(o, "snapshot_index", number(info.snapshot_index));
	json_object_set_new(o, "digest", api__json_id(info.digest));
	json_object_set_new(o, "last_write_ms",
			    json_integer(info.last_write_ms));
	json_object_set_new(o, "max_write_ms", json_integer(info.max_write_ms));
	json_object_set_new(o, "members", raft_members(&info));
	if (*info.waiting_for != '\0')
		json_object_set_new(o, "waiting_for",
				    json_string(info.waiting_for));
	api__respond_json(r, 200, o);
}

/* ---- /raft/state ------------------------------------------------------ */

static void
put_positions(json_t *o, const struct mt_report *report)
{
	uint64_t at = report->at.lsn;

	if (report->pg_role == MT_ROLE_PRIMARY) {
		if (at != 0)
			json_object_set_new(o, "xlog_location", number(at));
	} else {
		if (at != 0 || report->replayed_lsn != 0)
			json_object_set_new(o, "xlog_location",
					    number(at > report->replayed_lsn
						       ? at
						       : report->replayed_lsn));
		if (at != 0)
			json_object_set_new(o, "receive_lsn", number(at));
		if (report->replayed_lsn != 0)
			json_object_set_new(o, "replay_lsn",
					    number(report->replayed_lsn));
		if (report->streaming)
			json_object_set_new(o, "replication_state",
					    json_string("streaming"));
	}
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
	if (report != NULL && report->pending_restart)
		json_object_set_new(o, "pending_restart", json_true());
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
	json_object_set_new(o, "leader", api__json_name(sync->leader));
	json_object_set_new(o, "quorum",
			    json_integer(priority ? 0 : sync->n - sync->k));
	json_object_set_new(o, "sync_standby", api__json_name(names));
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
					      : json_incref(s->config));
	json_object_set_new(o, "leader",
			    leader == NULL ? json_null()
					   : json_string(leader->name));
	put_members(o, &view);
	json_object_set_new(o, "sync", sync_record(&view));
	json_object_set_new(o, "status",
			    json_pack("{s:o, s:{}, s:[]}", "optime",
				      number(api__leader_lsn(&view)), "slots",
				      "retain_slots"));
	json_object_set_new(o, "failover", failover_record(&s->request));
	json_object_set_new(o, "history", api__history_document(&view));
	json_object_set_new(o, "failsafe", json_null());
	json_object_set_new(o, "epoch", number(s->leader.epoch));
	if (s->leader.exempt != 0)
		json_object_set_new(o, "exempt",
				    json_string(s->leader.exempt_reason));
	json_object_set_new(o, "config_version", number(s->config_version));
	json_object_set_new(o, "index", number(s->index));
	api__respond_json(r, 200, o);
}
