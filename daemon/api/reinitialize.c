/* SPDX-License-Identifier: PostgreSQL */
/*
 * POST /reinitialize: this replica throws its data away and is cloned anew.
 * Happy path: nothing stands against it and nothing else is under way; the
 * errand is taken up, and answered at once: GET /patroni tells "creating
 * replica" until the copy is there.
 *
 * Failure modes: there is no leader, or this is it, or commits wait for its
 * data alone; another action is under way and "force" does not say that it is
 * to be cancelled (503). Nothing has happened then.
 */
#include "daemon/api/internal.h"

#include "base/text.h"
#include "conf/options.h"

/* A truth as a file has it: true, "on", 1. false: answered. */
static bool
get_truth(struct mt_http_request *r, const json_t *body, const char *key,
	  bool *truth)
{
	static const struct mt_option o = {.path = "truth",
					   .type = MT_OPT_BOOL};
	const json_t *v = json_object_get(body, key);
	int64_t n = 0;

	if (v == NULL || json_is_null(v))
		return true;
	if (mt_option_value(&o, v, &n) != 0) {
		api__respond_text(r, 400, "%s must be true or false", key);
		return false;
	}
	*truth = n != 0;
	return true;
}

static void
reinit(struct mt_api *api, struct mt_http_request *r, bool force,
       bool from_leader)
{
	const struct mt_api_backend *b = api->backend;
	char why[MT_WHY_MAX];
	struct mt_view view;
	const char *busy;

	b->view(b->arg, &view);
	busy = mt_errand_busy(&view);
	if (*mt_reinit_objection(&view, why, sizeof(why)) != '\0') {
		api__respond_text(r, 503, "%s", why);
	} else if (view.local.stopping) {
		api__respond_text(r, 503, "this daemon ends");
	} else if (*busy != '\0' && !force) {
		api__respond_text(r, 503, "%s already in progress", busy);
	} else {
		b->reinit(b->arg, from_leader);
		api__respond_text(r, 200, "reinitialize started");
	}
}

void
api__post_reinitialize(struct mt_api *api, struct mt_http_request *r)
{
	json_t *body = r->body_bytes > 0
			   ? json_loadb(r->body, r->body_bytes, 0, NULL)
			   : json_object();
	bool force = false, from_leader = false;

	if (!json_is_object(body))
		api__respond_text(r, 400, "the body must be a JSON object");
	else if (get_truth(r, body, "force", &force) &&
		 get_truth(r, body, "from-leader", &from_leader) &&
		 get_truth(r, body, "from_leader", &from_leader))
		reinit(api, r, force, from_leader);
	json_decref(body);
}
