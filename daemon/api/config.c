/* SPDX-License-Identifier: PostgreSQL */
/*
 * GET /config: the dynamic configuration as the cluster agreed on it; 502 while
 * there is none, before the cluster is initialised. GET /config/effective: what
 * is in force on this member, and why. They cannot change anything.
 */
#include "daemon/api/internal.h"

void
api__get_config(struct mt_api *api, struct mt_http_request *r)
{
	const struct mt_api_backend *b = api->backend;
	struct mt_view view;

	b->view(b->arg, &view);
	if (view.state->config == NULL)
		api__respond_text(r, 502,
				  "the cluster has no configuration "
				  "yet");
	else
		api__respond_json(r, 200, json_incref(view.state->config));
}

void
api__get_config_effective(struct mt_api *api, struct mt_http_request *r)
{
	const struct mt_api_backend *b = api->backend;

	api__respond_json(r, 200,
			  json_pack("{ssssso}", "name", b->conf->name, "file",
				    b->conf->file, "options",
				    b->explain(b->arg)));
}
