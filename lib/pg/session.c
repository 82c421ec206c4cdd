/* SPDX-License-Identifier: PostgreSQL */
/*
 * One session to a server: the queue of statements, deadlines, and what the
 * owner calls. link.c has the connection, ask.c what is asked.
 *
 * One timer serves every deadline (connecting, retrying, each statement) and
 * whatever must not be done from inside a call of the owner's: a statement that
 * is queued is sent by the timer, at once, so that a failure to send never
 * calls back from inside mt_session_query. A statement that is over its
 * deadline while it waits is failed; while it runs, the connection goes with
 * it. The memory stays until the last handle is closed.
 */
#include "pg/session_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define DEFAULT_TIMEOUT_MS 10000

static void tick(struct mt_session *s);

void
mt_session_free_stmt(struct mt_stmt *t)
{
	for (int i = 0; i < t->n_params; i++) {
		explicit_bzero(t->params[i], strlen(t->params[i]));
		free(t->params[i]);
	}
	free(t->params);
	if (t->sql)
		explicit_bzero(t->sql, strlen(t->sql));
	free(t->sql);
	free(t);
}

void
mt_session_maybe_free(struct mt_session *s)
{
	if (!s->closing || s->handles > 0)
		return;
	if (s->closed_cb)
		s->closed_cb(s->closed_arg);
	if (s->password)
		explicit_bzero(s->password, strlen(s->password));
	explicit_bzero(&s->libpq, sizeof(s->libpq));
	free(s->user);
	free(s->password);
	free(s->database);
	free(s->application_name);
	free(s);
}

static void
on_timer(uv_timer_t *t)
{
	tick(t->data);
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a == 0 || (b && b < a) ? b : a;
}

void
mt_session_rearm(struct mt_session *s)
{
	int64_t due = 0, left;

	if (s->closing)
		return;
	if (s->phase == MT_LINK_CONNECTING || s->phase == MT_LINK_RESOLVING)
		due = s->connect_by_ms;
	else if (s->phase == MT_LINK_DOWN && s->wanted)
		due = s->retry_ms;
	for (struct mt_stmt *t = s->queue; t; t = t->next)
		due = earlier(due, t->canceled ? 1 : t->deadline_ms);
	if (s->kick || s->moved)
		due = 1;
	if (due == 0) {
		uv_timer_stop(&s->timer);
		return;
	}
	left = due - mt_clock_ms();
	uv_update_time(s->loop);
	uv_timer_start(&s->timer, on_timer, left > 0 ? (uint64_t)left : 0, 0);
}

void
mt_session_finish(struct mt_session *s, struct mt_stmt *t,
		  struct mt_session_result *r)
{
	struct mt_stmt **p = &s->queue;

	while (*p && *p != t)
		p = &(*p)->next;
	if (*p)
		*p = t->next;
	if (t->cb)
		t->cb(t->arg, r);
	mt_session_free_stmt(t);
}

void
mt_session_fail(struct mt_session *s, struct mt_stmt *t, int code,
		const char *text)
{
	struct mt_session_result r = {0};

	mt_err_set(&r.err, code, "%s", text);
	mt_session_finish(s, t, &r);
}

static void
fail_all(struct mt_session *s)
{
	while (s->queue)
		mt_session_fail(s, s->queue, MT_ECANCELED,
				"the session was ended before the answer");
}

/* ---- time ---- */

/* One statement that is late or canceled, or NULL. */
static struct mt_stmt *
find_due(struct mt_session *s, int64_t now)
{
	for (struct mt_stmt *t = s->queue; t; t = t->next)
		if (t->canceled || t->deadline_ms <= now)
			return t;
	return NULL;
}

static void
tick(struct mt_session *s)
{
	int64_t now = mt_clock_ms();
	struct mt_stmt *t;

	if (s->moved && s->phase == MT_LINK_UP)
		mt_link_lost(s, MT_ECANCELED,
			     "the server's address has changed");
	s->moved = false;
	s->kick = false;
	while (!s->closing && (t = find_due(s, now))) {
		if (s->running && t == s->queue)
			mt_link_lost(
			    s, t->canceled ? MT_ECANCELED : MT_ETIMEDOUT,
			    t->canceled ? "a statement was canceled"
					: "the server did not answer in time");
		else if (t->canceled)
			mt_session_fail(s, t, MT_ECANCELED,
					"the statement was canceled");
		else
			mt_session_fail(
			    s, t, MT_ETIMEDOUT,
			    s->last_err.code
				? s->last_err.text
				: "there was no connection in time");
	}
	if (s->closing)
		return;
	if ((s->phase == MT_LINK_CONNECTING || s->phase == MT_LINK_RESOLVING) &&
	    s->connect_by_ms <= now)
		mt_link_failed(s, MT_ETIMEDOUT,
			       "the server did not answer in time");
	else if (s->phase == MT_LINK_DOWN && s->wanted && s->retry_ms <= now)
		mt_link_start(s);
	else
		mt_link_send(s);
	mt_session_rearm(s);
}

/* ---- public ---- */

static void
timer_closed(uv_handle_t *h)
{
	struct mt_session *s = h->data;

	s->handles--;
	mt_session_maybe_free(s);
}

int
mt_session_create(struct mt_session **session, uv_loop_t *loop,
		  const struct mt_session_options *o, struct mt_err *err)
{
	struct mt_session *s = calloc(1, sizeof(*s));
	const char *name =
	    o->application_name ? o->application_name : "Matriarch";

	if (s) {
		s->loop = loop;
		s->o = *o;
		s->user = strdup(o->user);
		s->password = strdup(o->password ? o->password : "");
		s->database = strdup(o->database);
		s->application_name = strdup(name);
		if (o->libpq)
			s->libpq = *o->libpq;
		s->o.libpq = &s->libpq;
	}
	if (!s || !s->user || !s->password || !s->database ||
	    !s->application_name) {
		if (s) {
			s->closing = true;
			mt_session_maybe_free(s);
		}
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	}
	if (s->o.connect_timeout_ms <= 0)
		s->o.connect_timeout_ms = 3000;
	uv_timer_init(loop, &s->timer);
	s->timer.data = s;
	s->handles = 1;
	*session = s;
	return 0;
}

void
mt_session_close(struct mt_session *s, void (*closed_cb)(void *arg), void *arg)
{
	MT_ASSERT(!s->closing);
	s->closing = true;
	s->wanted = false;
	s->closed_cb = closed_cb;
	s->closed_arg = arg;
	mt_link_drop(s);
	uv_timer_stop(&s->timer);
	uv_close((uv_handle_t *)&s->timer, timer_closed);
	fail_all(s);
}

void
mt_session_want(struct mt_session *s, bool wanted)
{
	if (s->closing || s->wanted == wanted)
		return;
	s->wanted = wanted;
	s->pause_ms = 0;
	s->retry_ms = mt_clock_ms();
	if (!wanted) {
		mt_link_drop(s);
		s->last_err = (struct mt_err){0};
		s->last_sqlstate[0] = '\0';
		fail_all(s);
	}
	mt_session_rearm(s);
}

void
mt_session_poke(struct mt_session *s)
{
	if (s->closing || !s->wanted || s->phase != MT_LINK_DOWN)
		return;
	s->retry_ms = mt_clock_ms();
	mt_session_rearm(s);
}

void
mt_session_retarget(struct mt_session *s, const struct mt_pg_target *t)
{
	const struct mt_pg_target *old = &s->o.target;

	if (s->closing ||
	    (mt_streq(t->host, old->host) &&
	     mt_streq(t->hostaddr, old->hostaddr) && t->port == old->port &&
	     t->is_socket == old->is_socket))
		return;
	s->o.target = *t;
	if (s->phase == MT_LINK_UP) {
		s->moved = true;
	} else if (s->phase != MT_LINK_DOWN) {
		mt_link_drop(s);
		s->retry_ms = mt_clock_ms();
	}
	mt_session_rearm(s);
}

int
mt_session_login(struct mt_session *s, const struct mt_conf_user *user)
{
	char *u = strdup(user->username), *p = strdup(user->password);

	if (u == NULL || p == NULL) {
		free(u);
		free(p);
		return MT_ENOMEM;
	}
	explicit_bzero(s->password, strlen(s->password));
	free(s->password);
	free(s->user);
	s->user = u;
	s->password = p;
	s->libpq = user->libpq;
	return 0;
}

bool
mt_session_accepting(const struct mt_session *s)
{
	return s->phase == MT_LINK_UP;
}

const struct mt_err *
mt_session_last_error(const struct mt_session *s)
{
	return &s->last_err;
}

const char *
mt_session_last_sqlstate(const struct mt_session *s)
{
	return s->last_sqlstate;
}

int
mt_session_server_version(const struct mt_session *s)
{
	return s->phase == MT_LINK_UP ? PQserverVersion(s->conn) : 0;
}

int
mt_session_backend_pid(const struct mt_session *s)
{
	return s->phase == MT_LINK_UP ? PQbackendPID(s->conn) : 0;
}

const char *
mt_session_value(const struct mt_session_result *r, int row, int col)
{
	if (!r->res || row < 0 || row >= r->n_rows || col < 0 ||
	    col >= r->n_cols)
		return "";
	return PQgetvalue(r->res, row, col);
}

bool
mt_session_is_null(const struct mt_session_result *r, int row, int col)
{
	if (!r->res || row < 0 || row >= r->n_rows || col < 0 ||
	    col >= r->n_cols)
		return true;
	return PQgetisnull(r->res, row, col) == 1;
}

static struct mt_stmt *
copy_stmt(const struct mt_session_stmt *o)
{
	struct mt_stmt *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->sql = strdup(o->sql);
	if (o->n_params)
		t->params = calloc((size_t)o->n_params, sizeof(*t->params));
	if (!t->sql || (o->n_params && !t->params)) {
		mt_session_free_stmt(t);
		return NULL;
	}
	for (int i = 0; i < o->n_params; i++) {
		t->params[i] = strdup(o->params[i]);
		if (!t->params[i]) {
			mt_session_free_stmt(t);
			return NULL;
		}
		t->n_params = i + 1;
	}
	t->secret = o->secret;
	t->cb = o->cb;
	t->arg = o->arg;
	t->deadline_ms =
	    mt_clock_ms() +
	    (o->timeout_ms > 0 ? o->timeout_ms : DEFAULT_TIMEOUT_MS);
	return t;
}

uint64_t
mt_session_query(struct mt_session *s, const struct mt_session_stmt *o)
{
	struct mt_stmt *t, **p = &s->queue;

	if (s->closing)
		return 0;
	t = copy_stmt(o);
	if (!t)
		return 0;
	t->id = ++s->last_id;
	while (*p)
		p = &(*p)->next;
	*p = t;
	/* A send that fails would call back from inside: the timer does it. */
	s->kick = s->phase == MT_LINK_UP && !s->running;
	mt_session_rearm(s);
	return t->id;
}

void
mt_session_cancel(struct mt_session *s, uint64_t id)
{
	for (struct mt_stmt *t = s->queue; t; t = t->next)
		if (t->id == id && id)
			t->canceled = true;
	mt_session_rearm(s);
}
