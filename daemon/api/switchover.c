/* SPDX-License-Identifier: PostgreSQL */
/*
 * POST /switchover on any member. Happy path: the body is checked against what
 * this node knows, the request is proposed to the cluster, and the answer waits
 * until the member that took the turn writes. The request's id, the log index
 * of its record, says which outcome is ours.
 *
 * Failure modes: a check fails (4xx, nothing happened); the cluster refuses the
 * record or gives the request up (503, failed, with its reason); neither is
 * heard in time, or this daemon ends (503, status unknown: it may still
 * happen). A client that leaves does not take its request back.
 *
 * Life of struct api__switchover: in the API's list while its request waits;
 * outside of it and without an API while only its proposal is under way; freed
 * when neither holds. Scheduling does not exist and is refused.
 */
#include "daemon/api/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define WAIT_MIN_MS 10000 /* doubled, as the wait of known servers */

struct api__switchover {
	struct mt_api *api;              /* NULL: not in the list any more */
	struct mt_http_request *request; /* set as long as api is */
	struct api__switchover *next;
	char leader[MT_NAME_MAX];
	char candidate[MT_NAME_MAX]; /* "" = any */
	bool proposing;
	uint64_t id; /* of the record, 0 = not recorded yet */
	int64_t wait_ms, deadline_ms;
};

/* ---- checks ----------------------------------------------------------- */

/* Text of a key; "" if absent or null. false if it is something else. */
static bool
get_text(const json_t *body, const char *key, const char **text)
{
	const json_t *v = json_object_get(body, key);

	*text = "";
	if (v == NULL || json_is_null(v))
		return true;
	if (!json_is_string(v))
		return false;
	*text = json_string_value(v);
	return true;
}

static bool
is_good(const struct mt_view *view, const struct mt_member *m)
{
	const struct mt_report *report = api__report(view, m->name);

	return report != NULL && !report->nofailover;
}

/* With the mode on only synchronous standbys are asked for; in quorum mode the
 * old primary's clean end waits for any replica. */
static bool
wants_sync(const struct mt_view *view)
{
	return view->settings->synchronous_mode == MT_SYNC_ON;
}

/* Among the members that could take over: how many are there, is one good? */
static int
count_candidates(const struct mt_view *view, const char *leader,
		 const char *candidate, bool *good)
{
	const struct mt_state *s = view->state;
	int n = 0;

	*good = false;
	for (int i = 0; i < s->n_members; i++) {
		const struct mt_member *m = &s->members[i];

		if (m->witness || mt_streq(m->name, leader))
			continue;
		if (*candidate != '\0' && !mt_streq(m->name, candidate))
			continue;
		if (*candidate == '\0' && wants_sync(view) &&
		    api__sync_role(view, m->name) == NULL)
			continue;
		n++;
		*good |= is_good(view, m);
	}
	return n;
}

/* The checks against the cluster. false: answered. */
static bool
check_cluster(struct mt_http_request *r, const struct mt_view *view,
	      const char *leader, const char *candidate)
{
	const struct mt_member *holder = api__leader(view);
	bool good;
	int n;

	if (holder == NULL) {
		api__respond_text(r, 412,
				  "switchover is not possible: "
				  "the cluster has no leader");
		return false;
	}
	if (!mt_streq(holder->name, leader)) {
		api__respond_text(r, 412,
				  "leader name does not match: it is "
				  "\"%s\"",
				  holder->name);
		return false;
	}
	if (*candidate != '\0' && wants_sync(view) &&
	    api__sync_role(view, candidate) == NULL) {
		api__respond_text(r, 412,
				  "candidate name does not match with "
				  "sync_standby");
		return false;
	}
	n = count_candidates(view, leader, candidate, &good);
	if (n == 0 && *candidate != '\0') {
		api__respond_text(r, 412, "candidate does not exist");
		return false;
	}
	if (n == 0 && wants_sync(view)) {
		api__respond_text(r, 412,
				  "switchover is not possible: can not find "
				  "sync_standby");
		return false;
	}
	if (n == 0) {
		api__respond_text(r, 412,
				  "switchover is not possible: cluster does "
				  "not have members except leader");
		return false;
	}
	if (!good) {
		api__respond_text(r, 412,
				  "switchover is not possible: no good "
				  "candidates have been found");
		return false;
	}
	return true;
}

/* What the body asks for, strings borrowed from it. false: answered. */
static bool
check_body(struct mt_http_request *r, const struct mt_view *view,
	   const json_t *body, const char **leader, const char **candidate)
{
	const json_t *at = json_object_get(body, "scheduled_at");

	if (!get_text(body, "leader", leader) ||
	    !get_text(body, "candidate", candidate) ||
	    (**candidate == '\0' && !get_text(body, "member", candidate))) {
		api__respond_text(r, 400,
				  "leader and candidate must be "
				  "strings");
		return false;
	}
	if (**leader == '\0') {
		api__respond_text(r, 400,
				  "Switchover could be performed only "
				  "from a specific leader");
		return false;
	}
	if (at != NULL && !json_is_null(at)) {
		api__respond_text(r, 400,
				  "a switchover cannot be scheduled: leave "
				  "scheduled_at out to do it now");
		return false;
	}
	if (view->settings->pause && **candidate == '\0') {
		api__respond_text(r, 400,
				  "Switchover is possible only to a "
				  "specific candidate in a paused "
				  "state");
		return false;
	}
	if (mt_streq(*leader, *candidate)) {
		api__respond_text(r, 400,
				  "Switchover target and source are "
				  "the same");
		return false;
	}
	return true;
}

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

static void
answer_success(struct api__switchover *w, const char *holder)
{
	bool as_asked = *w->candidate == '\0' || mt_streq(w->candidate, holder);
	char candidate[MT_NAME_MAX], name[MT_NAME_MAX];
	struct mt_http_request *r;

	mt_copy(candidate, sizeof(candidate), w->candidate);
	mt_copy(name, sizeof(name), holder);
	r = forget(w);
	if (as_asked)
		api__respond_text(r, 200,
				  "Successfully switched over to "
				  "\"%s\"",
				  name);
	else
		api__respond_text(r, 200,
				  "Switched over to \"%s\" instead of "
				  "\"%s\"",
				  name, candidate);
}

static void
answer_failure(struct api__switchover *w, const char *why)
{
	struct mt_http_request *r = forget(w);

	if (*why == '\0')
		api__respond_text(r, 503, "Switchover failed");
	else
		api__respond_text(r, 503, "Switchover failed: %s", why);
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

		next = w->next;
		if (w->deadline_ms <= mt_clock_ms())
			api__respond_text(forget(w), 503,
					  "Switchover status unknown: no "
					  "outcome within %d seconds",
					  seconds);
	}
	arm(api);
}

void
api__switchovers_end(struct mt_api *api)
{
	while (api->switchovers != NULL)
		api__respond_text(forget(api->switchovers), 503,
				  "Switchover status unknown: this daemon "
				  "ends");
}

/* ---- proposing -------------------------------------------------------- */

static void
on_proposed(void *arg, int rv, uint64_t index, const char *why)
{
	struct api__switchover *w = arg;
	struct mt_view view;

	w->proposing = false;
	if (w->api == NULL) {
		free(w);
	} else if (rv == 0) {
		const struct mt_api_backend *b = w->api->backend;

		w->id = index;
		b->view(b->arg, &view);
		look(w, &view);
	} else if (rv == MT_EREFUSED || rv == MT_EBUSY || rv == MT_EINVAL) {
		answer_failure(w, why == NULL ? "" : why);
	} else {
		/* It may have been recorded all the same. */
		api__respond_text(forget(w), 503,
				  "Switchover status unknown: %s",
				  why == NULL ? "" : why);
	}
}

static void
propose(struct mt_api *api, struct mt_http_request *r,
	const struct mt_view *view, const char *leader, const char *candidate)
{
	const struct mt_api_backend *b = api->backend;
	struct mt_command cmd = {.kind = MT_CMD_REQUEST_PUT};
	struct api__switchover *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		api__respond_text(r, 500, "could not keep the request");
		return;
	}
	/* Both are names of members, so they fit. */
	mt_copy(w->leader, sizeof(w->leader), leader);
	mt_copy(w->candidate, sizeof(w->candidate), candidate);
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
	cmd.u.request_put.kind = MT_REQUEST_SWITCHOVER;
	mt_copy(cmd.u.request_put.leader, MT_NAME_MAX, leader);
	mt_copy(cmd.u.request_put.candidate, MT_NAME_MAX, candidate);
	/* Last: the callback may come from within, and end w. */
	b->propose(b->arg, &cmd, view->settings->retry_timeout_ms, on_proposed,
		   w);
}

void
api__post_switchover(struct mt_api *api, struct mt_http_request *r)
{
	const struct mt_api_backend *b = api->backend;
	const char *leader, *candidate;
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
				  "with \"leader\"");
		json_decref(body);
		return;
	}
	b->view(b->arg, &view);
	if (check_body(r, &view, body, &leader, &candidate) &&
	    check_cluster(r, &view, leader, candidate))
		propose(api, r, &view, leader, candidate);
	json_decref(body);
}
