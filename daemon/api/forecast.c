/* SPDX-License-Identifier: PostgreSQL */
/*
 * GET /forecast: what if the primary died now? The core's forecast
 * (core/forecast.h) as a document. Each node answers from what it knows.
 */
#include "daemon/api/internal.h"

#include "base/text.h"
#include "core/forecast.h"

static json_t *
outage(const struct mt_forecast *f)
{
	json_t *o = json_object();

	json_object_set_new(o, "node_lost_ms", json_integer(f->node_ms));
	json_object_set_new(o, "postgres_lost_ms", json_integer(f->crash_ms));
	json_object_set_new(o, "switchover_ms", json_integer(f->switchover_ms));
	json_object_set_new(o, "measured", json_boolean(f->measured));
	return o;
}

void
api__get_forecast(struct mt_api *api, struct mt_http_request *r)
{
	const struct mt_api_backend *b = api->backend;
	json_t *o = json_object();
	struct mt_forecast f;
	struct mt_view view;
	bool any;

	b->view(b->arg, &view);
	mt_forecast(&view, &f);
	any = f.candidate[0] != '\0';
	json_object_set_new(o, "leader", api__json_name(f.leader));
	json_object_set_new(o, "candidate", api__json_name(f.candidate));
	json_object_set_new(o, "lost_bytes",
			    f.lost_known
				? json_integer((json_int_t)f.lost_bytes)
				: json_null());
	json_object_set_new(o, "synchronous", json_boolean(f.in_sync));
	json_object_set_new(o, "known_age_ms",
			    any ? json_integer(f.age_ms) : json_null());
	json_object_set_new(o, "outage", any ? outage(&f) : json_null());
	json_object_set_new(o, "members",
			    api__verdicts(f.judged.verdicts, f.judged.n));
	api__respond_json(r, 200, o);
}
