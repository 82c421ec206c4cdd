/* SPDX-License-Identifier: PostgreSQL */
/*
 * POST /restart with a time, DELETE /restart. Happy path: nothing is scheduled
 * yet and the cluster is not paused; the body is kept by the node, which calls
 * back when that is durable: 202. Taking it back is the same: 200, or 404 where
 * there is nothing to take back.
 *
 * Failure modes: one is scheduled already (409); the cluster is paused, or it
 * cannot be kept (500); the daemon ends meanwhile (503). A client that goes
 * away changes nothing.
 *
 * Life of struct api__schedule: until the node has called back.
 */
#include "daemon/api/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct api__schedule {
	struct mt_http_request *request; /* NULL: gone */
	bool removes;
};

static void
on_gone(struct mt_http_request *r)
{
	struct api__schedule *s = r->owner;

	s->request = NULL;
}

static void
on_kept(void *arg, int rv, const char *why)
{
	struct api__schedule *s = arg;
	struct mt_http_request *r = s->request;
	bool removes = s->removes;

	free(s);
	if (r == NULL)
		return;
	r->gone = NULL;
	if (rv == MT_EBUSY)
		api__respond_text(r, 409, "%s", why);
	else if (rv != 0)
		api__respond_text(r, rv == MT_ECANCELED ? 503 : 500,
				  "could not %s the scheduled restart: %s",
				  removes ? "delete" : "keep", why);
	else if (removes)
		api__respond_text(r, 200, "scheduled restart deleted");
	else
		api__respond_text(r, 202, "Restart scheduled");
}

static void
keep(struct mt_api *api, struct mt_http_request *r, const json_t *body)
{
	const struct mt_api_backend *b = api->backend;
	struct api__schedule *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		api__respond_text(r, 500, "could not keep the request");
		return;
	}
	s->request = r;
	s->removes = body == NULL;
	r->owner = s;
	r->gone = on_gone;
	b->schedule(b->arg, body, on_kept, s);
}

static bool
is_scheduled(const struct mt_view *view)
{
	return view->local.scheduled_restart;
}

void
api__schedule_restart(struct mt_api *api, struct mt_http_request *r,
		      const struct mt_view *view, const json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT);
	bool fits = text != NULL && strlen(text) < MT_REPORT_SCHEDULED_MAX;

	free(text);
	if (view->local.witness)
		api__respond_text(r, 503, "this member has no PostgreSQL");
	else if (view->settings->pause)
		api__respond_text(r, 500,
				  "Can't schedule restart in the paused state");
	else if (is_scheduled(view))
		api__respond_text(r, 409,
				  "Another restart is already scheduled");
	else if (!fits)
		api__respond_text(r, 400, "the body is too long to be kept");
	else
		keep(api, r, body);
}

void
api__delete_restart(struct mt_api *api, struct mt_http_request *r)
{
	const struct mt_api_backend *b = api->backend;
	struct mt_view view;

	b->view(b->arg, &view);
	if (is_scheduled(&view))
		keep(api, r, NULL);
	else
		api__respond_text(r, 404, "no restart is scheduled");
}

void
api__put_scheduled(json_t *o, const struct mt_report *report)
{
	json_t *s = report != NULL && report->scheduled[0] != '\0'
			? json_loads(report->scheduled, 0, NULL)
			: NULL;

	if (s != NULL)
		json_object_set_new(o, "scheduled_restart", s);
}
