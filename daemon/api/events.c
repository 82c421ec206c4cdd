/* SPDX-License-Identifier: PostgreSQL */
/*
 * GET /events: changes as server-sent events (the WHATWG's HTML standard,
 * 9.2), for those who would otherwise have to poll. Happy path: at each change
 * of the node's view a picture is taken and compared with the last; what
 * differs goes into the ring, and each stream is written what is after its
 * cursor. A stream begins with a snapshot of the present, or, where the client
 * names an event that the ring still has, with what it missed.
 *
 * What is said of this node's role holds at the moment it is written: a timer
 * at the end of the lease has the loss told even if nothing else happens, and
 * the picture is taken anew before anything is written.
 *
 * Failure modes: a client that left is noticed by the comment that comes every
 * second. One that reads too slowly, so that the ring overtakes it or a piece
 * lies for ten seconds, is cut off; it may come back and resume. More than 64
 * streams get 503. Nothing of this waits: each stream has one piece under way
 * and no queue. A network that goes away tells nobody, so a client has to take
 * silence for the loss of what it was told.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "daemon/api/events.h"
#include "daemon/api/internal.h"
#include "http/query.h"
#include "http/stream.h"

#define STREAMS_MAX 64
#define KEEPALIVE_MS 1000
#define STUCK_MS 10000
#define PIECE_BYTES 65536

/* How soon a browser comes back. */
static const char hello[] = "retry: 1000\n\n";
static const char comment[] = ":\n\n";

struct api__stream {
	struct mt_api *api;
	struct mt_http_stream *http;
	struct api__stream *prev, *next;
	bool wants_snapshot;
	const char *reason; /* of the snapshot */
	uint64_t cursor;    /* the last event that was written */
	int64_t written_ms; /* when the last piece was begun */
};

struct api__events {
	uv_loop_t *loop;
	uv_timer_t timer;
	struct api__ring ring;
	struct api__picture_cache cache;
	json_t *picture;  /* NULL: none was taken yet */
	int64_t until_ms; /* when this node's role ends by itself, 0 = not */
	struct api__stream *streams;
	int n_streams;
	bool ended;
	char piece[PIECE_BYTES];
	void (*closed_cb)(void *arg);
	void *closed_arg;
};

/* ---- streams ---------------------------------------------------------- */

static void
forget(struct api__stream *s)
{
	struct api__events *ev = s->api->events;

	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		ev->streams = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	ev->n_streams--;
	free(s);
}

static void
on_gone(void *arg)
{
	forget(arg);
}

static char *
snapshot(const struct api__stream *s, size_t *n)
{
	const struct api__events *ev = s->api->events;
	const struct mt_conf *conf = s->api->backend->conf;
	json_t *data = json_copy(ev->picture);
	char at[MT_ISO_MAX], *text;

	json_object_set_new(data, "scope", json_string(conf->scope));
	json_object_set_new(data, "reason", json_string(s->reason));
	json_object_set_new(data, "at",
			    json_string(mt_wall_iso(at, mt_wall_ms())));
	text =
	    api__event_text(ev->ring.run, ev->ring.last, "snapshot", data, n);
	json_decref(data);
	return text;
}

/* Write what there is to be told. The picture is of this moment. */
static void
pump(struct api__stream *s)
{
	struct api__events *ev = s->api->events;
	char *text = NULL;
	size_t n = 0;

	if (!mt_http_stream_is_ready(s->http))
		return;
	if (s->wants_snapshot) {
		text = snapshot(s, &n);
		if (text == NULL)
			return;
		s->wants_snapshot = false;
		s->cursor = ev->ring.last;
	} else {
		n = api__ring_copy(&ev->ring, &s->cursor, ev->piece,
				   sizeof(ev->piece));
	}
	if (n > 0) {
		mt_http_stream_write(s->http, text != NULL ? text : ev->piece,
				     n);
		s->written_ms = mt_clock_ms();
	}
	free(text);
}

/* The last piece went out. What was true when it was written may have ended
 * since. */
static void
on_ready(void *arg)
{
	struct api__stream *s = arg;

	if (s->wants_snapshot || s->cursor < s->api->events->ring.last)
		api__events_look(s->api);
}

static bool
is_overtaken(const struct api__stream *s, const struct api__ring *ring)
{
	return !s->wants_snapshot && s->cursor + 1 < ring->first;
}

static void
tend(struct api__stream *s, int64_t now_ms)
{
	bool ready = mt_http_stream_is_ready(s->http);

	if (is_overtaken(s, &s->api->events->ring) ||
	    (!ready && now_ms - s->written_ms >= STUCK_MS)) {
		mt_http_stream_cut(s->http);
		forget(s);
		return;
	}
	pump(s);
	if (mt_http_stream_is_ready(s->http) &&
	    now_ms - s->written_ms >= KEEPALIVE_MS) {
		mt_http_stream_write(s->http, comment, sizeof(comment) - 1);
		s->written_ms = now_ms;
	}
}

/* ---- pictures --------------------------------------------------------- */

static void
on_difference(void *arg, const char *type, json_t *data)
{
	struct api__events *ev = arg;
	char at[MT_ISO_MAX];

	json_object_set_new(data, "at",
			    json_string(mt_wall_iso(at, mt_wall_ms())));
	api__ring_push(&ev->ring, type, data);
}

static void
take_picture(struct mt_api *api)
{
	const struct mt_api_backend *b = api->backend;
	struct api__events *ev = api->events;
	struct mt_view view;
	json_t *picture;

	b->view(b->arg, &view);
	picture = api__picture(api, &view, &ev->cache, &ev->until_ms);
	if (ev->picture != NULL)
		api__events_diff(ev->picture, picture, on_difference, ev);
	json_decref(ev->picture);
	ev->picture = picture;
}

static void
on_timer(uv_timer_t *timer)
{
	api__events_look(timer->data);
}

static void
arm(struct mt_api *api)
{
	struct api__events *ev = api->events;
	int64_t now_ms = mt_clock_ms(), wait_ms = INT64_MAX;

	if (ev->n_streams > 0)
		wait_ms = KEEPALIVE_MS;
	if (ev->until_ms != 0 && ev->until_ms - now_ms < wait_ms)
		wait_ms = ev->until_ms > now_ms ? ev->until_ms - now_ms : 0;
	ev->timer.data = api;
	if (wait_ms == INT64_MAX) {
		uv_timer_stop(&ev->timer);
		return;
	}
	uv_update_time(ev->loop);
	uv_timer_start(&ev->timer, on_timer, (uint64_t)wait_ms, 0);
}

void
api__events_look(struct mt_api *api)
{
	struct api__events *ev = api->events;
	struct api__stream *next;
	int64_t now_ms;

	if (ev->ended)
		return;
	take_picture(api);
	now_ms = mt_clock_ms();
	for (struct api__stream *s = ev->streams; s != NULL; s = next) {
		next = s->next;
		tend(s, now_ms);
	}
	arm(api);
}

/* ---- requests --------------------------------------------------------- */

/* What the client heard last: a browser says it in a header, a script may in
 * the query. */
static void
resume(struct api__stream *s, struct mt_http_request *r)
{
	const char *id = mt_http_header(r, "last-event-id");
	char text[64];

	if (id == NULL &&
	    mt_http_query(r->query, "last_event_id", text, sizeof(text)))
		id = text;
	s->reason = id == NULL ? "new" : "lost";
	s->wants_snapshot = id == NULL || !api__ring_find(&s->api->events->ring,
							  id, &s->cursor);
}

void
api__get_events(struct mt_api *api, struct mt_http_request *r)
{
	static const char *const headers[] = {
	    "cache-control", "no-cache", "x-accel-buffering", "no", NULL,
	};
	const struct mt_http_answer answer = {
	    .status = 200,
	    .type = "text/event-stream",
	    .headers = headers,
	    .body = hello,
	    .body_bytes = sizeof(hello) - 1,
	};
	struct mt_http_stream_owner owner = {
	    .ready = on_ready,
	    .gone = on_gone,
	};
	struct api__events *ev = api->events;
	bool head = mt_streq(r->method, "HEAD");
	struct api__stream *s;

	if (ev->n_streams >= STREAMS_MAX && !head) {
		api__respond_text(r, 503, "there are %d event streams already",
				  ev->n_streams);
		return;
	}
	s = calloc(1, sizeof(*s));
	MT_ASSERT(s != NULL);
	s->api = api;
	owner.arg = s;
	resume(s, r);
	s->written_ms = mt_clock_ms();
	s->http = mt_http_stream_begin(r, &answer, &owner);
	if (head) {
		mt_http_stream_end(s->http);
		free(s);
		return;
	}
	s->next = ev->streams;
	if (s->next != NULL)
		s->next->prev = s;
	ev->streams = s;
	ev->n_streams++;
	arm(api);
}

/* ---- life ------------------------------------------------------------- */

struct api__events *
api__events_new(uv_loop_t *loop)
{
	struct api__events *ev = calloc(1, sizeof(*ev));

	MT_ASSERT(ev != NULL);
	ev->loop = loop;
	api__ring_init(&ev->ring, mt_random_u64());
	uv_timer_init(loop, &ev->timer);
	return ev;
}

void
api__events_end(struct mt_api *api)
{
	struct api__events *ev = api->events;

	ev->ended = true;
	uv_timer_stop(&ev->timer);
	while (ev->streams != NULL) {
		mt_http_stream_end(ev->streams->http);
		forget(ev->streams);
	}
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct api__events *ev =
	    container_of((uv_timer_t *)handle, struct api__events, timer);
	void (*cb)(void *arg) = ev->closed_cb;
	void *arg = ev->closed_arg;

	api__ring_release(&ev->ring);
	json_decref(ev->picture);
	json_decref(ev->cache.decisions);
	free(ev);
	cb(arg);
}

void
api__events_close(struct api__events *ev, void (*cb)(void *arg), void *arg)
{
	ev->closed_cb = cb;
	ev->closed_arg = arg;
	uv_close((uv_handle_t *)&ev->timer, on_timer_closed);
}
