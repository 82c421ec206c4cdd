/* SPDX-License-Identifier: PostgreSQL */
/*
 * POST /switchover and /failover, DELETE /switchover on any member. Happy path:
 * the body is checked (switchover_check.c), the request is proposed to the
 * cluster, and the answer waits until the member that took the turn writes.
 * The request's id, the log index of its record, says which outcome is ours.
 *
 * Failure modes: a check fails (4xx, nothing happened); the cluster refuses the
 * record or gives the request up (503, failed, with its reason); neither is
 * heard in time, or this daemon ends (503, status unknown: it may still
 * happen). A client that leaves does not take its request back.
 *
 * What is scheduled, or taken back, is answered as soon as it is recorded and
 * known here; a dry run is answered at once (preview.c) and records nothing.
 *
 * Life of struct api__switchover: in the API's list while its request waits;
 * outside of it and without an API while only its proposal is under way; freed
 * when neither holds.
 */
#include "daemon/api/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/iso.h"
#include "base/text.h"

#define WAIT_MIN_MS 10000 /* doubled, as the wait of known servers */

enum errand {
	ERRAND_CHANGE,   /* of the primary, now */
	ERRAND_SCHEDULE, /* later */
	ERRAND_CANCEL,   /* what was scheduled */
};

struct api__switchover {
	struct mt_api *api;              /* NULL: not in the list any more */
	struct mt_http_request *request; /* set as long as api is */
	struct api__switchover *next;
	enum errand errand;
	bool failover;
	char leader[MT_NAME_MAX];    /* who led, "" = nobody */
	char candidate[MT_NAME_MAX]; /* "" = any */
	bool proposing;
	uint64_t id; /* of the record, 0 = not recorded yet */
	int64_t wait_ms, deadline_ms;
};

/* ---- waiting ---------------------------------------------------------- */

static void
on_deadline(uv_timer_t *timer)
{
	api__switchovers_look(timer->data);
}

static void
arm(struct mt_api *api)
{
	int64_t first_ms = INT64_MAX, now_ms = mt_clock_ms();

	for (const struct api__switchover *w = api->switchovers; w != NULL;
	     w = w->next)
		if (w->deadline_ms < first_ms)
			first_ms = w->deadline_ms;
	if (first_ms == INT64_MAX)
		uv_timer_stop(&api->timer);
	else
		uv_timer_start(
		    &api->timer, on_deadline,
		    first_ms > now_ms ? (uint64_t)(first_ms - now_ms) : 0, 0);
}

/* Out of the list. w lives on only while its proposal does. */
static struct mt_http_request *
forget(struct api__switchover *w)
{
	struct mt_http_request *r = w->request;
	struct mt_api *api = w->api;
	struct api__switchover **at = &api->switchovers;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	w->api = NULL;
	w->request = NULL;
	r->gone = NULL;
	if (!w->proposing)
		free(w);
	arm(api);
	return r;
}

static void
on_gone(struct mt_http_request *r)
{
	(void)forget(r->owner);
}

static const char *
word(const struct api__switchover *w)
{
	return w->failover ? "Failover" : "Switchover";
}

static void
answer_success(struct api__switchover *w, const char *holder)
{
	bool as_asked = *w->candidate == '\0' || mt_streq(w->candidate, holder);
	bool failover = w->failover;
	char candidate[MT_NAME_MAX], name[MT_NAME_MAX];
	struct mt_http_request *r;

	mt_copy(candidate, sizeof(candidate), w->candidate);
	mt_copy(name, sizeof(name), holder);
	r = forget(w);
	if (as_asked)
		api__respond_text(r, 200, "Successfully %s over to \"%s\"",
				  failover ? "failed" : "switched", name);
	else
		api__respond_text(r, 200, "%s over to \"%s\" instead of \"%s\"",
				  failover ? "Failed" : "Switched", name,
				  candidate);
}

static void
answer_failure(struct api__switchover *w, const char *why)
{
	const char *what = word(w);
	struct mt_http_request *r = forget(w);

	/* What the log says of it begins with these words already. */
	if (strncmp(why, what, strlen(what)) == 0)
		api__respond_text(r, 503, "%s", why);
	else if (*why == '\0')
		api__respond_text(r, 503, "%s failed", what);
	else
		api__respond_text(r, 503, "%s failed: %s", what, why);
}

/* What the cluster says about a request that is recorded. */
static void
look(struct api__switchover *w, const struct mt_view *view)
{
	const struct mt_state *s = view->state;
	const struct mt_member *holder = api__leader(view);
	const struct mt_report *report;

	if (w->id == 0 || s->index < w->id)
		return;
	/* It is in the log, and this node's next answers know it. */
	if (w->errand == ERRAND_SCHEDULE) {
		api__respond_text(forget(w), 202, "Switchover scheduled");
		return;
	}
	if (w->errand == ERRAND_CANCEL) {
		api__respond_text(forget(w), 200,
				  "scheduled switchover deleted");
		return;
	}
	if (s->request.kind != MT_REQUEST_NONE && s->request.id == w->id)
		return;
	if (s->outcome.id == w->id && !s->outcome.ok) {
		answer_failure(w, s->outcome.text);
		return;
	}
	if (holder == NULL)
		return;
	if (mt_streq(holder->name, w->leader)) {
		answer_failure(w, "the turn is with the old leader");
		return;
	}
	report = api__report(view, holder->name);
	if (report != NULL && report->writable &&
	    report->lease_epoch == s->leader.epoch)
		answer_success(w, holder->name);
}

void
api__switchovers_look(struct mt_api *api)
{
	const struct mt_api_backend *b = api->backend;
	struct api__switchover *w, *next;
	struct mt_view view;

	if (api->switchovers == NULL)
		return;
	b->view(b->arg, &view);
	/* The world as it is comes before the deadline. */
	for (w = api->switchovers; w != NULL; w = next) {
		next = w->next;
		look(w, &view);
	}
	for (w = api->switchovers; w != NULL; w = next) {
		int seconds = (int)(w->wait_ms / 1000);
		const char *what = word(w);

		next = w->next;
		if (w->deadline_ms <= mt_clock_ms())
			api__respond_text(forget(w), 503,
					  "%s status unknown: no outcome "
					  "within %d seconds",
					  what, seconds);
	}
	arm(api);
}

void
api__switchovers_end(struct mt_api *api)
{
	while (api->switchovers != NULL) {
		const char *what = word(api->switchovers);

		api__respond_text(forget(api->switchovers), 503,
				  "%s status unknown: this daemon ends", what);
	}
}

/* ---- proposing -------------------------------------------------------- */

static void
on_proposed(void *arg, int rv, uint64_t index, const char *why)
{
	struct api__switchover *w = arg;
	const char *what = word(w);

	w->proposing = false;
	if (w->api == NULL) {
		free(w);
	} else if (rv == 0) {
		const struct mt_api_backend *b = w->api->backend;
		struct mt_view view;

		w->id = index;
		b->view(b->arg, &view);
		look(w, &view);
	} else if (rv == MT_EREFUSED && w->errand == ERRAND_CANCEL) {
		api__respond_text(forget(w), 409,
				  "scheduled switchover was changed, or has "
				  "begun, meanwhile");
	} else if (rv == MT_EBUSY && w->errand == ERRAND_CANCEL) {
		api__respond_text(forget(w), 503,
				  "scheduled switchover was not deleted: %s",
				  why == NULL ? "" : why);
	} else if (rv == MT_EREFUSED || rv == MT_EBUSY || rv == MT_EINVAL) {
		answer_failure(w, why == NULL ? "" : why);
	} else {
		/* It may have been recorded all the same. */
		api__respond_text(forget(w), 503, "%s status unknown: %s", what,
				  why == NULL ? "" : why);
	}
}

static void
propose(struct mt_api *api, struct mt_http_request *r,
	const struct mt_view *view, enum errand errand,
	const struct mt_command *cmd)
{
	const struct mt_api_backend *b = api->backend;
	const struct mt_request *request = &cmd->u.request_put;
	struct api__switchover *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		api__respond_text(r, 500, "could not keep the request");
		return;
	}
	w->errand = errand;
	if (errand != ERRAND_CANCEL) {
		const struct mt_member *holder = api__leader(view);

		w->failover = request->kind == MT_REQUEST_FAILOVER;
		mt_copy(w->leader, sizeof(w->leader), request->leader);
		if (w->failover && holder != NULL)
			mt_copy(w->leader, sizeof(w->leader), holder->name);
		mt_copy(w->candidate, sizeof(w->candidate), request->candidate);
	}
	w->api = api;
	w->request = r;
	w->wait_ms = 2 * (view->settings->loop_wait_ms > WAIT_MIN_MS
			      ? view->settings->loop_wait_ms
			      : WAIT_MIN_MS);
	w->deadline_ms = mt_clock_ms() + w->wait_ms;
	w->proposing = true;
	w->next = api->switchovers;
	api->switchovers = w;
	r->owner = w;
	r->gone = on_gone;
	arm(api);
	/* Last: the callback may come from within, and end w. */
	b->propose(b->arg, cmd, view->settings->retry_timeout_ms, on_proposed,
		   w);
}

/* The body was understood. */
static void
perform(struct mt_api *api, struct mt_http_request *r,
	const struct mt_view *view, const struct api__ask *a)
{
	struct mt_command cmd = {.kind = MT_CMD_REQUEST_PUT};
	struct mt_request *q = &cmd.u.request_put;
	char why[256];

	api__check_cluster(view, a, why, sizeof(why));
	q->kind = a->failover ? MT_REQUEST_FAILOVER : MT_REQUEST_SWITCHOVER;
	q->scheduled_ms = a->scheduled_ms;
	q->accept_loss = a->accept_loss;
	api__origin(api, r, &q->by);
	q->id = view->state->request.id;
	/* Names that do not fit are nobody's, and the checks have seen that. */
	mt_copy(q->leader, sizeof(q->leader), a->leader);
	mt_copy(q->candidate, sizeof(q->candidate), a->candidate);
	if (a->dry_run)
		api__respond_json(r, 200, api__preview_document(view, q, why));
	else if (*why != '\0')
		api__respond_text(r, 412, "%s", why);
	else
		propose(api, r, view,
			q->scheduled_ms != 0 ? ERRAND_SCHEDULE : ERRAND_CHANGE,
			&cmd);
}

static void
post(struct mt_api *api, struct mt_http_request *r, bool failover)
{
	const struct mt_api_backend *b = api->backend;
	struct api__ask a = {.failover = failover};
	struct mt_view view;
	json_error_t error;
	json_t *body;

	if (!r->has_body) {
		api__respond_text(r, 411, "a body with its length is needed");
		return;
	}
	body = json_loadb(r->body_bytes > 0 ? r->body : "", r->body_bytes, 0,
			  &error);
	if (json_object_size(body) == 0) {
		api__respond_text(r, 400,
				  "the body must be a JSON object "
				  "with \"%s\"",
				  failover ? "candidate" : "leader");
		json_decref(body);
		return;
	}
	b->view(b->arg, &view);
	if (api__check_body(r, &view, body, &a))
		perform(api, r, &view, &a);
	json_decref(body);
}

void
api__post_switchover(struct mt_api *api, struct mt_http_request *r)
{
	post(api, r, false);
}

void
api__post_failover(struct mt_api *api, struct mt_http_request *r)
{
	post(api, r, true);
}

void
api__delete_switchover(struct mt_api *api, struct mt_http_request *r)
{
	const struct mt_api_backend *b = api->backend;
	struct mt_command cmd = {.kind = MT_CMD_REQUEST_CLEAR};
	struct mt_view view;

	b->view(b->arg, &view);
	if (view.state->request.scheduled_ms == 0) {
		api__respond_text(r, 404, "no switchover is scheduled");
		return;
	}
	cmd.u.request_clear.id = view.state->request.id;
	mt_copy(cmd.u.request_clear.text, sizeof(cmd.u.request_clear.text),
		"Switchover failed: it was cancelled");
	cmd.seen.at_ms = view.wall_ms;
	api__origin(api, r, &cmd.seen.by);
	propose(api, r, &view, ERRAND_CANCEL, &cmd);
}
