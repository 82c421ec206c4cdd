/* SPDX-License-Identifier: PostgreSQL */
/*
 * The status document: GET /patroni, and the body of health checks. Keys come
 * in the order that the interface lists them; what is not known is left out,
 * never false. Happy path: all is read from memory. While PostgreSQL does not
 * answer, only state and role are told of it. The key "matriarch" is our own.
 */
#include "daemon/api/internal.h"

#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "core/agent.h"

#define USUAL_QUEUE 2 /* records of the log that may wait unsaid */

static json_t *
text_or_null(const char *text)
{
	return *text == '\0' ? json_null() : json_string(text);
}

const char *
api__state_text(const struct mt_view *view, bool accepting)
{
	const struct mt_local *l = &view->local;
	const struct mt_seen *own = mt_reports_find(view->reports, l->name);

	if (l->witness)
		return "witness";
	if (own == NULL)
		return mt_pg_state_name(accepting ? MT_PG_RUNNING
						  : MT_PG_STOPPED);
	if (own->report.pg_state == MT_PG_RUNNING && !accepting)
		return "unknown";
	return mt_pg_state_name(own->report.pg_state);
}

static const char *
role_text(const struct mt_view *view, const struct mt_health_input *in)
{
	const struct mt_local *l = &view->local;
	const struct mt_seen *own = mt_reports_find(view->reports, l->name);

	if (l->witness)
		return "witness";
	if (in->accepting)
		return mt_pg_role_name(in->in_recovery ? MT_ROLE_REPLICA
						       : MT_ROLE_PRIMARY);
	if (own != NULL)
		return mt_pg_role_name(own->report.pg_role);
	return mt_pg_role_name(MT_ROLE_UNINITIALIZED);
}

static json_t *
xlog(const struct mt_pg_info *pg)
{
	uint64_t received =
	    pg->received_lsn != 0 ? pg->received_lsn : pg->replayed_lsn;
	json_t *o = json_object();

	if (!pg->in_recovery) {
		json_object_set_new(o, "location",
				    json_integer((json_int_t)pg->current_lsn));
		return o;
	}
	json_object_set_new(o, "received_location",
			    json_integer((json_int_t)received));
	json_object_set_new(o, "replayed_location",
			    json_integer((json_int_t)pg->replayed_lsn));
	json_object_set_new(o, "replayed_timestamp",
			    text_or_null(pg->replayed_time));
	json_object_set_new(o, "paused", json_boolean(pg->replay_paused));
	return o;
}

static json_t *
replication(const struct mt_pg_info *pg)
{
	json_t *list = json_array();

	for (int i = 0; i < pg->n_walsenders; i++) {
		const struct mt_pg_walsender *w = &pg->walsenders[i];
		json_t *o = json_object();

		json_object_set_new(o, "usename", json_string(w->usename));
		json_object_set_new(o, "application_name",
				    json_string(w->application_name));
		json_object_set_new(o, "client_addr",
				    text_or_null(w->client_addr));
		json_object_set_new(o, "state", json_string(w->state));
		json_object_set_new(o, "sync_state",
				    json_string(w->sync_state));
		json_object_set_new(o, "sync_priority",
				    json_integer(w->sync_priority));
		json_array_append_new(list, o);
	}
	return list;
}

static void
put_postgres(json_t *doc, const struct mt_view *view,
	     const struct mt_health_input *in, const struct mt_pg_info *pg)
{
	if (*pg->start_time != '\0')
		json_object_set_new(doc, "postmaster_start_time",
				    json_string(pg->start_time));
	json_object_set_new(doc, "role", json_string(role_text(view, in)));
	json_object_set_new(doc, "server_version",
			    json_integer(pg->server_version));
	json_object_set_new(doc, "xlog", xlog(pg));
	if (in->sync_standby && pg->in_recovery)
		json_object_set_new(doc, "sync_standby", json_true());
	if (in->quorum_standby && pg->in_recovery)
		json_object_set_new(doc, "quorum_standby", json_true());
	json_object_set_new(doc, "timeline",
			    pg->timeline == 0 ? json_null()
					      : json_integer(pg->timeline));
	if (pg->in_recovery && in->streaming)
		json_object_set_new(doc, "replication_state",
				    json_string("streaming"));
	else if (pg->in_recovery && in->restore)
		json_object_set_new(doc, "replication_state",
				    json_string("in archive recovery"));
	if (pg->n_walsenders > 0)
		json_object_set_new(doc, "replication", replication(pg));
}

json_t *
api__effective_tags(const json_t *tags, bool stopping)
{
	static const char *const flags[] = {
	    "clonefrom", "nofailover", "noloadbalance", "nosync", "nostream",
	};
	json_t *copy = tags != NULL ? json_copy((json_t *)tags) : json_object();

	if (stopping) {
		json_object_set_new(copy, "nosync", json_true());
		json_object_set_new(copy, "sync_priority", json_integer(0));
	}
	for (size_t i = 0; i < MT_COUNT(flags); i++) {
		const json_t *v = json_object_get(copy, flags[i]);

		if (json_is_false(v) || json_is_null(v) ||
		    (json_is_number(v) && json_number_value(v) == 0))
			json_object_del(copy, flags[i]);
	}
	if (json_object_size(copy) > 0)
		return copy;
	json_decref(copy);
	return NULL;
}

static json_t *
about_us(const struct mt_api *api, const struct mt_view *view,
	 const struct mt_health_input *in)
{
	const struct mt_api_backend *b = api->backend;
	const struct mt_addr *agent = api__agent_address(api->agent);
	char text[MT_ADDR_MAX];
	const char *doing = b->doing(b->arg);
	json_t *o = json_object();

	json_object_set_new(o, "epoch", json_integer((json_int_t)in->epoch));
	if (in->holds && in->lease_epoch == in->epoch &&
	    in->deadline_ms > in->now_ms)
		json_object_set_new(o, "lease_ms",
				    json_integer(in->deadline_ms - in->now_ms));
	if (in->exempt)
		json_object_set_new(
		    o, "exempt",
		    json_string(*view->state->leader.exempt_reason != '\0'
				    ? view->state->leader.exempt_reason
				    : "unknown"));
	if (*doing != '\0')
		json_object_set_new(o, "doing", json_string(doing));
	if (view->local.stopping)
		json_object_set_new(o, "stopping", json_true());
	if (agent != NULL)
		json_object_set_new(
		    o, "agent_check",
		    json_string(mt_addr_format(agent, text, sizeof(text))));
	return o;
}

static void
put_log(json_t *doc)
{
	struct mt_log_stats log;

	mt_log_stats(&log);
	if (log.waiting > USUAL_QUEUE)
		json_object_set_new(doc, "logger_queue_size",
				    json_integer((json_int_t)log.waiting));
	if (log.lost > 0)
		json_object_set_new(doc, "logger_records_lost",
				    json_integer((json_int_t)log.lost));
}

static void
put_cluster(json_t *doc, const struct mt_api *api, const struct mt_view *view,
	    const struct mt_health_input *in)
{
	const struct mt_api_backend *b = api->backend;
	const struct mt_local *l = &view->local;
	const struct mt_seen *own = mt_reports_find(view->reports, l->name);
	const char *sysid = *l->sysid != '\0' ? l->sysid : view->state->sysid;
	json_t *tags =
	    api__effective_tags(b->conf->tags, mt_agent_is_leaving(view));

	if (view->settings->pause)
		json_object_set_new(doc, "pause", json_true());
	if (!in->fresh || api__leader(view) == NULL)
		json_object_set_new(doc, "cluster_unlocked", json_true());
	json_object_set_new(doc, "dcs_last_seen",
			    json_integer(b->last_seen(b->arg)));
	if (tags != NULL)
		json_object_set_new(doc, "tags", tags);
	if (*sysid != '\0')
		json_object_set_new(doc, "database_system_identifier",
				    json_string(sysid));
	api__put_pending(doc, own != NULL ? &own->report : NULL);
	api__put_scheduled(doc, own != NULL ? &own->report : NULL);
	json_object_set_new(doc, "patroni",
			    json_pack("{s:s, s:s, s:s}", "version", b->version,
				      "scope", b->conf->scope, "name",
				      l->name));
	put_log(doc);
	json_object_set_new(doc, "matriarch", about_us(api, view, in));
}

json_t *
api__status_document(const struct mt_api *api, const struct mt_view *view,
		     const struct mt_health_input *in)
{
	const struct mt_api_backend *b = api->backend;
	const struct mt_pg_info *pg = b->pg(b->arg);
	json_t *doc = json_object();

	json_object_set_new(doc, "state",
			    json_string(api__state_text(view, in->accepting)));
	if (in->accepting && pg != NULL && pg->at_ms != 0)
		put_postgres(doc, view, in, pg);
	else
		json_object_set_new(doc, "role",
				    json_string(role_text(view, in)));
	put_cluster(doc, api, view, in);
	return doc;
}

void
api__get_patroni(struct mt_api *api, struct mt_http_request *r)
{
	const struct mt_api_backend *b = api->backend;
	struct mt_health_input in;
	struct mt_view view;

	b->view(b->arg, &view);
	api__health_input(api, &view, &in);
	api__respond_json(r, 200, api__status_document(api, &view, &in));
}
