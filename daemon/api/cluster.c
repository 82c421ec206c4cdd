/* SPDX-License-Identifier: PostgreSQL */
/*
 * GET /cluster: the members with data, who leads, how far the others are.
 * Happy path: names and addresses come from the replicated state, what changes
 * by the second from the members' reports. A member that is silent is still
 * listed, in state "unknown" and without positions. Witnesses hold no data and
 * are not listed.
 */
#include "daemon/api/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

const struct mt_report *
api__report(const struct mt_view *view, const char *name)
{
	const struct mt_seen *seen = mt_reports_find(view->reports, name);

	if (seen == NULL || seen->gone ||
	    !mt_report_is_fresh(seen, view->now_ms))
		return NULL;
	return &seen->report;
}

const struct mt_member *
api__leader(const struct mt_view *view)
{
	const struct mt_state *s = view->state;

	return mt_state_held(s) ? mt_state_member(s, s->leader.holder) : NULL;
}

/*
 * What the present holder reports counts. The position in the state may still
 * be that of the primary before it, on a timeline that ended, so it only counts
 * where nothing contradicts it.
 */
uint64_t
api__leader_lsn(const struct mt_view *view)
{
	const struct mt_member *leader = api__leader(view);
	const struct mt_report *report =
	    leader == NULL ? NULL : api__report(view, leader->name);
	struct mt_position known = view->state->status.optime;

	if (report == NULL || report->pg_role != MT_ROLE_PRIMARY ||
	    report->at.lsn == 0)
		return known.lsn;
	if (known.timeline == report->at.timeline && known.lsn > report->at.lsn)
		return known.lsn;
	return report->at.lsn;
}

/*
 * The set in the log decides, and it names data: a member that was rewound or
 * cloned since has confirmed nothing. Of a silent one the log's word stands.
 */
const char *
api__sync_role(const struct mt_view *view, const char *name)
{
	const struct mt_state *s = view->state;
	const struct mt_seen *seen = mt_reports_find(view->reports, name);
	int in = mt_sync_find(&s->sync, name);
	uint64_t data_id = seen != NULL ? seen->report.data_id : 0;

	if (mt_streq(name, view->local.name))
		data_id = view->local.data_id;
	if (in < 0 || mt_state_held_by(s, name) ||
	    (data_id != 0 && data_id != s->sync.standbys[in].data_id))
		return NULL;
	switch (view->settings->synchronous_mode) {
	case MT_SYNC_ON:
		return "sync_standby";
	case MT_SYNC_QUORUM:
		return "quorum_standby";
	case MT_SYNC_OFF:
		break;
	}
	return NULL;
}

const char *
api__replication_state(const struct mt_report *report)
{
	if (report->pg_role != MT_ROLE_REPLICA ||
	    report->pg_state != MT_PG_RUNNING)
		return NULL;
	if (report->streaming)
		return "streaming";
	return report->restoring ? "in archive recovery" : NULL;
}

const char *
api__member_state(const struct mt_view *view, const struct mt_member *m)
{
	const struct mt_report *report = api__report(view, m->name);
	const char *replication;

	if (report == NULL)
		return "unknown";
	replication = api__replication_state(report);
	return replication != NULL ? replication
				   : mt_pg_state_name(report->pg_state);
}

/* host and port of "postgres://host:port/db" */
static void
put_host(json_t *o, const char *url)
{
	const char *p = strstr(url, "://"), *end, *colon;
	size_t n;

	if (p == NULL)
		return;
	p += 3;
	n = strcspn(p, "/?");
	end = p + n;
	colon = memrchr(p, ':', n);
	if (colon == NULL || (*p == '[' && end[-1] == ']'))
		colon = end;
	n = (size_t)(colon - p);
	if (n >= 2 && *p == '[' && colon[-1] == ']') {
		p++;
		n -= 2;
	}
	json_object_set_new(o, "host", json_stringn(p, n));
	if (colon < end)
		json_object_set_new(o, "port", json_integer(atoi(colon + 1)));
}

static void
put_lsn(json_t *o, const char *lsn_key, const char *lag_key, uint64_t lsn,
	uint64_t leader_lsn)
{
	char text[MT_LSN_MAX];
	uint64_t lag = leader_lsn > lsn ? leader_lsn - lsn : 0;

	if (lsn == 0) {
		json_object_set_new(o, lsn_key, json_string("unknown"));
		json_object_set_new(o, lag_key, json_string("unknown"));
		return;
	}
	json_object_set_new(o, lsn_key, json_string(mt_lsn_format(text, lsn)));
	json_object_set_new(o, lag_key, json_integer((json_int_t)lag));
}

json_t *
api__member_document(const struct mt_view *view, const struct mt_member *m)
{
	const struct mt_report *report = api__report(view, m->name);
	bool leads = api__leader(view) == m;
	uint64_t received = report == NULL ? 0 : report->at.lsn;
	uint64_t replayed = report == NULL ? 0 : report->replayed_lsn;
	uint64_t leader_lsn = api__leader_lsn(view);
	const char *role = leads ? "leader" : api__sync_role(view, m->name);
	json_t *o = json_object(), *tags;

	json_object_set_new(o, "name", json_string(m->name));
	json_object_set_new(o, "role",
			    json_string(role != NULL ? role : "replica"));
	json_object_set_new(o, "state",
			    json_string(api__member_state(view, m)));
	if (*m->api_url != '\0')
		json_object_set_new(o, "api_url", json_string(m->api_url));
	put_host(o, m->conn_url);
	if (report != NULL && report->at.timeline != 0)
		json_object_set_new(o, "timeline",
				    json_integer(report->at.timeline));
	api__put_pending(o, report);
	api__put_scheduled(o, report);
	if (report != NULL && report->unfenced)
		json_object_set_new(o, "fencing", json_string("off"));
	if (report != NULL && *report->why != '\0')
		json_object_set_new(o, "why", json_string(report->why));
	tags = api__member_tags(view, m);
	if (tags != NULL)
		json_object_set_new(o, "tags", tags);
	if (leads)
		return o;
	put_lsn(o, "receive_lsn", "receive_lag", received, leader_lsn);
	put_lsn(o, "replay_lsn", "replay_lag", replayed, leader_lsn);
	put_lsn(o, "lsn", "lag", received > replayed ? received : replayed,
		leader_lsn);
	return o;
}

void
api__put_pending(json_t *o, const struct mt_report *report)
{
	json_t *reasons;

	if (report == NULL || !report->pending_restart)
		return;
	json_object_set_new(o, "pending_restart", json_true());
	reasons = json_loads(report->pending, 0, NULL);
	if (reasons != NULL)
		json_object_set_new(o, "pending_restart_reason", reasons);
}

json_t *
api__member_tags(const struct mt_view *view, const struct mt_member *m)
{
	const struct mt_report *report = api__report(view, m->name);
	json_t *tags = *m->tags == '\0' ? NULL : json_loads(m->tags, 0, NULL);
	json_t *effective =
	    api__effective_tags(tags, report != NULL && report->stopping);

	json_decref(tags);
	return effective;
}

static json_t *
scheduled(const struct mt_request *request)
{
	char at[MT_ISO_MAX];
	json_t *o = json_object();

	json_object_set_new(
	    o, "at", json_string(mt_wall_iso(at, request->scheduled_ms)));
	json_object_set_new(o, "from", json_string(request->leader));
	if (*request->candidate != '\0')
		json_object_set_new(o, "to", json_string(request->candidate));
	return o;
}

void
api__get_cluster(struct mt_api *api, struct mt_http_request *r)
{
	const struct mt_api_backend *b = api->backend;
	json_t *doc = json_object(), *members = json_array();
	struct mt_view view;

	b->view(b->arg, &view);
	for (int i = 0; i < view.state->n_members; i++)
		if (!view.state->members[i].witness)
			json_array_append_new(
			    members, api__member_document(
					 &view, &view.state->members[i]));
	json_object_set_new(doc, "members", members);
	if (view.settings->pause)
		json_object_set_new(doc, "pause", json_true());
	if (view.state->request.scheduled_ms != 0)
		json_object_set_new(doc, "scheduled_switchover",
				    scheduled(&view.state->request));
	json_object_set_new(doc, "scope", json_string(b->conf->scope));
	api__respond_json(r, 200, doc);
}
