/* SPDX-License-Identifier: PostgreSQL */
/*
 * POST /switchover and /failover, DELETE /switchover on any member. Happy path:
 * the body is checked against what this node knows, the request is proposed to
 * the cluster, and the answer waits until the member that took the turn writes.
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

/* false: answered. */
static bool
get_truth(struct mt_http_request *r, const json_t *body, const char *key,
	  bool *truth)
{
	const json_t *v = json_object_get(body, key);

	*truth = json_is_true(v);
	if (v == NULL || json_is_null(v) || json_is_boolean(v))
		return true;
	api__respond_text(r, 400, "%s must be true or false", key);
	return false;
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

/* What a body asks for; strings are borrowed from it. */
struct ask {
	bool failover; /* without a leader: to this candidate in any case */
	bool dry_run;
	bool accept_loss;
	const char *leader, *candidate; /* "" = none */
	int64_t scheduled_ms;           /* wall clock, 0 = now */
};

static const char *
action(const struct ask *a)
{
	return a->failover ? "failover" : "switchover";
}

/* The checks against the cluster: why it cannot be, or "". */
static void
check_cluster(const struct mt_view *view, const struct ask *a, char *why,
	      size_t size)
{
	const struct mt_member *holder = api__leader(view);
	bool good;
	int n;

	*why = '\0';
	if (a->failover) {
		if (holder != NULL && mt_streq(holder->name, a->candidate)) {
			mt_format(why, size,
				  "failover is not possible: \"%s\" is the "
				  "leader already",
				  holder->name);
			return;
		}
	} else if (a->scheduled_ms != 0) {
		if (mt_state_member(view->state, a->leader) == NULL) {
			mt_format(why, size, "leader does not exist");
			return;
		}
	} else if (holder == NULL) {
		mt_format(why, size,
			  "switchover is not possible: the cluster has no "
			  "leader");
		return;
	} else if (!mt_streq(holder->name, a->leader)) {
		mt_format(why, size, "leader name does not match: it is \"%s\"",
			  holder->name);
		return;
	}
	n = count_candidates(view, a->leader, a->candidate, &good);
	if (wants_sync(view) && !a->failover && a->scheduled_ms == 0 &&
	    *a->candidate != '\0' && api__sync_role(view, a->candidate) == NULL)
		mt_format(why, size,
			  "candidate name does not match with sync_standby");
	else if (n == 0 && *a->candidate == '\0' && wants_sync(view))
		mt_format(why, size,
			  "%s is not possible: can not find sync_standby",
			  action(a));
	else if (n == 0 && *a->candidate != '\0')
		mt_format(why, size, "candidate does not exist");
	else if (n == 0)
		mt_format(why, size,
			  "%s is not possible: cluster does not have members "
			  "except leader",
			  action(a));
	else if (!good)
		mt_format(why, size,
			  "%s is not possible: no good candidates have been "
			  "found",
			  action(a));
}

/* scheduled_at. false: answered. */
static bool
check_schedule(struct mt_http_request *r, const struct mt_view *view,
	       const json_t *body, struct ask *a)
{
	const json_t *at = json_object_get(body, "scheduled_at");
	struct mt_iso iso;

	if (at == NULL || json_is_null(at))
		return true;
	if (a->failover) {
		api__respond_text(r, 400, "Failover can't be scheduled");
		return false;
	}
	if (view->settings->pause) {
		api__respond_text(r, 400,
				  "Can't schedule switchover in the paused "
				  "state");
		return false;
	}
	if (!json_is_string(at) ||
	    mt_iso_parse(json_string_value(at), &iso) != 0) {
		api__respond_text(r, 422,
				  "Unable to parse scheduled timestamp. It "
				  "should be in an unambiguous format, e.g. "
				  "ISO 8601");
		return false;
	}
	if (!iso.zoned) {
		api__respond_text(r, 400,
				  "Timezone information is mandatory for the "
				  "scheduled switchover");
		return false;
	}
	if (iso.wall_ms <= view->wall_ms) {
		api__respond_text(r, 422,
				  "Cannot schedule switchover in the past");
		return false;
	}
	a->scheduled_ms = iso.wall_ms;
	return true;
}

/* The right keys with the right types. false: answered. */
static bool
check_form(struct mt_http_request *r, const json_t *body, struct ask *a)
{

	if (!get_text(body, "leader", &a->leader) ||
	    !get_text(body, "candidate", &a->candidate) ||
	    (*a->candidate == '\0' &&
	     !get_text(body, "member", &a->candidate))) {
		api__respond_text(r, 400,
				  "leader and candidate must be "
				  "strings");
		return false;
	}
	return get_truth(r, body, "dry_run", &a->dry_run) &&
	       get_truth(r, body, "accept_loss", &a->accept_loss);
}

/* What the body asks for. false: answered. */
static bool
check_body(struct mt_http_request *r, const struct mt_view *view,
	   const json_t *body, struct ask *a)
{
	if (!check_form(r, body, a))
		return false;
	if (a->failover && *a->candidate == '\0') {
		api__respond_text(r, 400,
				  "Failover could be performed only to a "
				  "specific candidate");
		return false;
	}
	if (!a->failover && *a->leader == '\0') {
		api__respond_text(r, 400,
				  "Switchover could be performed only "
				  "from a specific leader");
		return false;
	}
	if (!check_schedule(r, view, body, a))
		return false;
	if (view->settings->pause && *a->candidate == '\0') {
		api__respond_text(r, 400,
				  "Switchover is possible only to a "
				  "specific candidate in a paused "
				  "state");
		return false;
	}
	if (*a->leader != '\0')
		a->failover = false;
	if (a->accept_loss && !a->failover) {
		api__respond_text(r, 400,
				  "accept_loss is for a failover, and names no "
				  "leader: a switchover loses nothing");
		return false;
	}
	if (mt_streq(a->leader, a->candidate)) {
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
	const struct mt_view *view, const struct ask *a)
{
	struct mt_command cmd = {.kind = MT_CMD_REQUEST_PUT};
	struct mt_request *q = &cmd.u.request_put;
	char why[256];

	check_cluster(view, a, why, sizeof(why));
	q->kind = a->failover ? MT_REQUEST_FAILOVER : MT_REQUEST_SWITCHOVER;
	q->scheduled_ms = a->scheduled_ms;
	q->accept_loss = a->accept_loss;
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
	struct ask a = {.failover = failover};
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
	if (check_body(r, &view, body, &a))
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
	propose(api, r, &view, ERRAND_CANCEL, &cmd);
}
