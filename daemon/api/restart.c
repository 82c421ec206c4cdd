/* SPDX-License-Identifier: PostgreSQL */
/*
 * POST /restart: this member's PostgreSQL is stopped and started again. Happy
 * path: the body is checked, then the conditions and that nothing else is under
 * way; the errand is taken up, and the answer waits until PostgreSQL is up
 * again.
 *
 * Failure modes: a body that is not understood (400); a condition that is not
 * met, another action under way, a restart that failed or takes longer than its
 * timeout (503, which then goes on). A client that leaves does not take its
 * restart back.
 *
 * Life of struct api__errand: in the API's list until its errand has ended or
 * its client is gone.
 */
#include "daemon/api/internal.h"

#include <stdlib.h>

#include "base/text.h"

struct api__errand {
	struct mt_api *api;
	struct mt_http_request *request;
	struct api__errand *next;
	uint64_t id;
};

static struct mt_http_request *
forget(struct api__errand *w)
{
	struct mt_http_request *r = w->request;
	struct api__errand **at = &w->api->errands;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	r->gone = NULL;
	free(w);
	return r;
}

static void
on_gone(struct mt_http_request *r)
{
	(void)forget(r->owner);
}

static void
look(struct api__errand *w, const struct mt_view *view)
{
	const struct mt_api_backend *b = w->api->backend;
	const struct mt_errand_news *news = b->errand_news(b->arg);

	if (news->id == w->id && news->ok)
		api__respond_text(forget(w), 200, "restarted successfully");
	else if (news->id == w->id)
		api__respond_text(forget(w), 503, "restart failed: %s",
				  news->why);
	else if (news->late_id == w->id)
		api__respond_text(forget(w), 503, "postgres is still starting");
	else if (view->local.errand.id != w->id)
		api__respond_text(forget(w), 503,
				  "restart failed: another action took its "
				  "place");
}

void
api__errands_look(struct mt_api *api)
{
	const struct mt_api_backend *b = api->backend;
	struct api__errand *w, *next;
	struct mt_view view;

	if (api->errands == NULL)
		return;
	b->view(b->arg, &view);
	for (w = api->errands; w != NULL; w = next) {
		next = w->next;
		look(w, &view);
	}
}

void
api__errands_end(struct mt_api *api)
{
	while (api->errands != NULL)
		api__respond_text(forget(api->errands), 503,
				  "restart failed: this daemon ends");
}

static void
restart_now(struct mt_api *api, struct mt_http_request *r,
	    const struct mt_view *view, const struct mt_restart *how)
{
	const struct mt_api_backend *b = api->backend;
	const char *busy = mt_errand_busy(view);
	struct api__errand *w;
	char why[MT_WHY_MAX];

	/* First, as much is not known of a server in the midst of something. */
	if (*busy != '\0') {
		api__respond_text(r, 503, "%s already in progress", busy);
	} else if (*mt_restart_objection(view, how, why, sizeof(why)) != '\0') {
		api__respond_text(r, 503, "%s", why);
	} else if (view->local.stopping) {
		api__respond_text(r, 503, "restart failed: this daemon ends");
	} else if ((w = calloc(1, sizeof(*w))) == NULL) {
		api__respond_text(r, 500, "could not keep the request");
	} else {
		w->api = api;
		w->request = r;
		w->next = api->errands;
		api->errands = w;
		r->owner = w;
		r->gone = on_gone;
		w->id = b->restart(b->arg, how);
	}
}

void
api__post_restart(struct mt_api *api, struct mt_http_request *r)
{
	const struct mt_api_backend *b = api->backend;
	json_t *body = r->body_bytes > 0
			   ? json_loadb(r->body, r->body_bytes, 0, NULL)
			   : json_object();
	struct mt_restart how;
	struct mt_view view;
	struct mt_err err;
	int rv;

	b->view(b->arg, &view);
	rv = mt_restart_parse(body, view.wall_ms, &how, &err);
	if (rv != 0)
		api__respond_text(r, rv == MT_EREFUSED ? 422 : 400, "%s",
				  err.text);
	else if (how.at_ms != 0)
		api__schedule_restart(api, r, &view, body);
	else
		restart_now(api, r, &view, &how);
	json_decref(body);
}
