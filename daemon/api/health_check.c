/* SPDX-License-Identifier: PostgreSQL */
/*
 * Health checks over HTTP. Happy path: facts are read from the view and from
 * what the daemon knows besides, the clock is read last, health.c gives 200 or
 * 503; GET adds the status document.
 */
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "conf/pgconf.h"
#include "daemon/api/health.h"
#include "daemon/api/internal.h"

void
api__health_input(const struct mt_api *api, const struct mt_view *view,
		  struct mt_health_input *in)
{
	const struct mt_api_backend *b = api->backend;
	const struct mt_local *l = &view->local;
	const struct mt_pg_info *pg = b->pg(b->arg);
	const char *sync_role = api__sync_role(view, l->name);
	int64_t seen_s = b->last_seen(b->arg);

	mt_health_of_view(view, in);
	/* one second more: the time of the contact is in whole ones */
	in->fresh = seen_s > 0 && view->wall_ms - seen_s * 1000 <
				      view->settings->ttl_ms + 1000;
	in->noloadbalance = b->conf->noloadbalance;
	in->leader_lsn = api__leader_lsn(view);
	in->tags = b->conf->tags;
	in->has_leader_lsn = in->fresh && in->leader_lsn > 0;
	if (sync_role != NULL) {
		in->sync_standby = mt_streq(sync_role, "sync_standby");
		in->quorum_standby = !in->sync_standby;
	}
	in->restore =
	    !l->witness && mt_pgconf_restores(b->conf, view->state->config);
	if (pg != NULL && pg->has_receiver && in->in_recovery) {
		if (pg->latest_end_lsn > in->leader_lsn)
			in->leader_lsn = pg->latest_end_lsn;
		in->has_leader_lsn |= pg->latest_end_lsn > 0;
	}
	/* Last, so that no work stands between clock and answer. */
	in->now_ms = mt_clock_ms();
}

void
api__health(struct mt_api *api, struct mt_http_request *r, const char *path)
{
	const struct mt_api_backend *b = api->backend;
	enum mt_health_kind kind = mt_health_kind(path);
	struct mt_health_input in;
	struct mt_view view;
	json_t *doc;

	b->view(b->arg, &view);
	api__health_input(api, &view, &in);
	if (kind == MT_HEALTH_LIVENESS || kind == MT_HEALTH_READINESS ||
	    !(mt_streq(r->method, "GET") || mt_streq(r->method, "HEAD"))) {
		api__respond_empty(r, mt_health_code(&in, kind, r->query), NULL,
				   NULL);
		return;
	}
	doc = api__status_document(api, &view, &in);
	in.now_ms = mt_clock_ms();
	api__respond_json(r, mt_health_code(&in, kind, r->query), doc);
}
