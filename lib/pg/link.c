/* SPDX-License-Identifier: PostgreSQL */
/*
 * A session's connection, through libpq's asynchronous calls.
 *
 * Happy path: look the name up where there is one, connect, tell the owner,
 * then send the queue's head, collect its results until libpq has no more,
 * complete it, send the next. A failure drops the connection, fails the running
 * statement (those that wait go on waiting until their deadlines), tells the
 * owner and tries again after a pause that grows from 50 to 500 ms.
 *
 * libpq may close a socket and open another with the same number inside
 * PQconnectPoll, so the watcher is taken down before each call of it and made
 * anew after it. Callbacks may close the session or change what it wants: after
 * each, `gen` tells whether the connection is still the one that was at hand.
 *
 * Nothing is canceled through libpq, which would block: whoever is late loses
 * the connection, and the server is told at the start to look for lost clients
 * (14 and later).
 */
#include "pg/session_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define RETRY_MIN_MS 50
#define RETRY_MAX_MS 500
#define SETUP_MS 5000

static void proceed(struct mt_session *s);

/* One line, for people; LOCATION and the like are left out. */
static void
one_line(char *buf, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 2 < size; text++) {
		if (*text == '\n') {
			if (strncmp(text + 1, "LOCATION:", 9) == 0)
				break;
			while (text[1] == ' ' || text[1] == '\t')
				text++;
			if (text[1])
				buf[n++] = ' ';
		} else {
			buf[n++] = *text;
		}
	}
	buf[n] = '\0';
}

/* "FATAL:  57P03: words": the verbose form is the only way to a connection
 * failure's SQLSTATE. */
static void
find_sqlstate(char *state, const char *text)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	state[0] = '\0';
	while ((text = strstr(text, ":  "))) {
		text += 3;
		if (strspn(text, digits) == 5 && text[5] == ':') {
			memcpy(state, text, 5);
			state[5] = '\0';
			return;
		}
	}
}

static void
ignore_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

/* ---- the socket's watcher ---- */

static void
watcher_closed(uv_handle_t *h)
{
	struct mt_watcher *w = container_of(h, struct mt_watcher, poll);
	struct mt_session *s = w->s;

	free(w);
	s->handles--;
	mt_session_maybe_free(s);
}

static void
unwatch(struct mt_session *s)
{
	if (!s->watcher)
		return;
	uv_close((uv_handle_t *)&s->watcher->poll, watcher_closed);
	s->watcher = NULL;
}

static void
on_poll(uv_poll_t *h, int status, int events)
{
	struct mt_watcher *w = container_of(h, struct mt_watcher, poll);

	(void)status; /* libpq finds the error out by itself */
	(void)events;
	if (w == w->s->watcher)
		proceed(w->s);
}

static int
watch(struct mt_session *s, int events)
{
	struct mt_watcher *w = s->watcher;
	int rc;

	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w)
			return UV_ENOMEM;
		rc = uv_poll_init(s->loop, &w->poll, PQsocket(s->conn));
		if (rc) {
			free(w);
			return rc;
		}
		w->s = s;
		s->watcher = w;
		s->handles++;
	}
	return uv_poll_start(&w->poll, events, on_poll);
}

/* ---- ends ---- */

struct mt_stmt *
mt_link_drop(struct mt_session *s)
{
	struct mt_stmt *t = s->running ? s->queue : NULL;

	unwatch(s);
	if (s->lookup) {
		s->lookup->s = NULL;
		uv_cancel((uv_req_t *)&s->lookup->req);
		s->lookup = NULL;
	}
	PQclear(s->result);
	s->result = NULL;
	if (s->conn)
		PQfinish(s->conn);
	s->conn = NULL;
	s->running = false;
	s->phase = MT_LINK_DOWN;
	s->gen++;
	/* Our own words at the start of a connection mean nothing later. */
	if (s->queue && s->queue->id == 0) {
		if (t == s->queue)
			t = NULL;
		mt_session_fail(s, s->queue, MT_ECANCELED,
				"not connected any more");
	}
	return t;
}

static void
pause_then_retry(struct mt_session *s)
{
	s->pause_ms = s->pause_ms ? s->pause_ms * 2 : RETRY_MIN_MS;
	if (s->pause_ms > RETRY_MAX_MS)
		s->pause_ms = RETRY_MAX_MS;
	s->retry_ms = mt_clock_ms() + s->pause_ms;
	mt_session_rearm(s);
}

void
mt_link_lost(struct mt_session *s, int code, const char *text)
{
	struct mt_stmt *t = mt_link_drop(s);
	unsigned gen = s->gen;

	mt_err_set(&s->last_err, code, "%s", text);
	s->pause_ms = 0;
	pause_then_retry(s);
	if (t)
		mt_session_fail(s, t, t->canceled ? MT_ECANCELED : code,
				t->canceled ? "the statement was canceled"
					    : text);
	if (!s->closing && s->wanted && gen == s->gen && s->o.on_accepting)
		s->o.on_accepting(s->o.arg, false, &s->last_err);
}

void
mt_link_failed(struct mt_session *s, int code, const char *text)
{
	char line[400];

	find_sqlstate(s->last_sqlstate, text);
	one_line(line, sizeof(line), text);
	mt_link_drop(s);
	mt_err_set(&s->last_err, code, "could not connect to PostgreSQL: %s",
		   line);
	pause_then_retry(s);
	if (s->o.on_refused)
		s->o.on_refused(s->o.arg, &s->last_err);
}

static void
lost_conn(struct mt_session *s)
{
	char line[400];

	one_line(line, sizeof(line), PQerrorMessage(s->conn));
	mt_link_lost(s, MT_ESYS,
		     line[0] ? line : "the server closed the connection");
}

/* Arm for what libpq waits for. */
static bool
flush(struct mt_session *s)
{
	int rc = PQflush(s->conn);

	if (rc < 0 ||
	    watch(s, rc ? UV_READABLE | UV_WRITABLE : UV_READABLE) < 0) {
		lost_conn(s);
		return false;
	}
	return true;
}

void
mt_link_send(struct mt_session *s)
{
	struct mt_stmt *t = s->queue;
	int ok;

	if (s->phase != MT_LINK_UP || s->running || !t || t->canceled)
		return;
	s->running = true;
	if (t->n_params)
		ok = PQsendQueryParams(s->conn, t->sql, t->n_params, NULL,
				       (const char *const *)t->params, NULL,
				       NULL, 0);
	else
		ok = PQsendQuery(s->conn, t->sql);
	if (ok)
		flush(s);
	else
		lost_conn(s);
}

static bool
is_good(ExecStatusType st)
{
	return st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK ||
	       st == PGRES_EMPTY_QUERY;
}

/* Shutdown, crash of another backend, connection trouble: the statement was not
 * judged. */
static bool
is_end(const char *sqlstate)
{
	return strncmp(sqlstate, "57P", 3) == 0 ||
	       strncmp(sqlstate, "08", 2) == 0;
}

static void
complete(struct mt_session *s)
{
	struct mt_stmt *t = s->queue;
	PGresult *res = s->result;
	struct mt_session_result r = {0};
	const char *state, *words;
	char line[400];

	s->result = NULL;
	s->running = false;
	if (!res) {
		mt_err_set(&r.err, MT_EPROTO, "the server gave no result");
	} else if (is_good(PQresultStatus(res))) {
		r.n_rows = PQntuples(res);
		r.n_cols = PQnfields(res);
		r.res = res;
	} else {
		state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
		words = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
		mt_copy(r.sqlstate, sizeof(r.sqlstate), state ? state : "");
		one_line(line, sizeof(line),
			 t->secret || !words ? "the statement failed" : words);
		mt_err_set(&r.err, is_end(r.sqlstate) ? MT_ESYS : MT_EREFUSED,
			   "%s (SQLSTATE %s)", line, state ? state : "unknown");
	}
	mt_session_finish(s, t, &r);
	PQclear(res);
}

/* Keep the first error, else the last result. False: the connection is of no
 * use any more. */
static bool
take_result(struct mt_session *s, PGresult *res)
{
	ExecStatusType st = PQresultStatus(res);

	if (s->result && !is_good(PQresultStatus(s->result))) {
		PQclear(res);
	} else {
		PQclear(s->result);
		s->result = res;
	}
	return st != PGRES_COPY_IN && st != PGRES_COPY_OUT &&
	       st != PGRES_COPY_BOTH;
}

static void
read_results(struct mt_session *s)
{
	unsigned gen = s->gen;
	PGresult *res;
	PGnotify *n;

	if (!PQconsumeInput(s->conn)) {
		lost_conn(s);
		return;
	}
	while (gen == s->gen && s->running && !PQisBusy(s->conn)) {
		res = PQgetResult(s->conn);
		if (!res) {
			complete(s);
			if (gen == s->gen)
				mt_link_send(s);
		} else if (!take_result(s, res)) {
			mt_link_lost(s, MT_EPROTO,
				     "statements that copy are not used "
				     "here");
		}
	}
	if (gen != s->gen)
		return;
	PQisBusy(s->conn); /* parses what came unasked */
	while ((n = PQnotifies(s->conn)))
		PQfreemem(n);
	if (PQstatus(s->conn) == CONNECTION_BAD)
		lost_conn(s);
	else
		flush(s);
}

/* ---- connecting ---- */

static void
queue_setup(struct mt_session *s)
{
	struct mt_stmt *t;

	if (PQserverVersion(s->conn) < 140000)
		return;
	t = calloc(1, sizeof(*t));
	if (!t)
		return;
	t->sql = strdup("SET client_connection_check_interval = '1s';"
			"SET idle_session_timeout = 0");
	t->deadline_ms = mt_clock_ms() + SETUP_MS;
	if (!t->sql) {
		mt_session_free_stmt(t);
		return;
	}
	t->next = s->queue;
	s->queue = t;
}

static void
connected(struct mt_session *s)
{
	unsigned gen = s->gen;

	s->phase = MT_LINK_UP;
	s->pause_ms = 0;
	s->last_err = (struct mt_err){0};
	s->last_sqlstate[0] = '\0';
	PQsetErrorVerbosity(s->conn, PQERRORS_DEFAULT);
	PQsetnonblocking(s->conn, 1);
	queue_setup(s);
	if (s->o.on_accepting)
		s->o.on_accepting(s->o.arg, true, NULL);
	if (gen != s->gen)
		return;
	mt_session_rearm(s);
	if (flush(s))
		mt_link_send(s);
}

static void
poll_connection(struct mt_session *s, PostgresPollingStatusType st)
{
	int rc = 0;

	switch (st) {
	case PGRES_POLLING_READING:
		rc = watch(s, UV_READABLE);
		break;
	case PGRES_POLLING_WRITING:
		rc = watch(s, UV_WRITABLE);
		break;
	case PGRES_POLLING_OK:
		connected(s);
		break;
	case PGRES_POLLING_FAILED:
		mt_link_failed(s, MT_ESYS, PQerrorMessage(s->conn));
		break;
	case PGRES_POLLING_ACTIVE:
		break;
	}
	if (rc < 0)
		mt_link_failed(s, MT_ESYS, uv_strerror(rc));
}

static void
proceed(struct mt_session *s)
{
	if (s->phase == MT_LINK_CONNECTING) {
		unwatch(s);
		poll_connection(s, PQconnectPoll(s->conn));
	} else if (s->phase == MT_LINK_UP) {
		read_results(s);
	}
}

static void
start_connection(struct mt_session *s)
{
	const struct mt_pg_target *t = &s->o.target;
	struct mt_pg_option more[MT_PG_OPTIONS_MAX];
	const char *keys[32], *values[32];
	size_t n_first, n_more = mt_pg_libpq_options(more, &s->libpq,
						     PQlibVersion(), &n_first);
	char port[8];
	int n = 0;

#define ADD(k, v) (keys[n] = (k), values[n++] = (v))
	mt_format(port, sizeof(port), "%u", (unsigned)t->port);
	if (t->host[0])
		ADD("host", t->host);
	if (!t->is_socket)
		ADD("hostaddr", s->hostaddr);
	ADD("port", port);
	ADD("user", s->user);
	if (s->password && s->password[0])
		ADD("password", s->password);
	ADD("dbname", s->database);
	if (s->o.replication)
		ADD("replication", "database");
	ADD("application_name", s->application_name);
	ADD("client_encoding", "UTF8");
	/* Asking for Kerberos may wait for the network: only if told to. */
	if (s->libpq.gssencmode[0] == '\0')
		ADD("gssencmode", "disable");
	for (size_t i = 0; i < n_more; i++)
		if (s->libpq.gssencmode[0] != '\0' ||
		    !mt_streq(more[i].key, "gssencmode"))
			ADD(more[i].key, more[i].value);
	ADD("target_session_attrs", "any");
	ADD("options", "-c search_path=pg_catalog -c statement_timeout=0 "
		       "-c lock_timeout=0 -c synchronous_commit=local");
	keys[n] = values[n] = NULL;
#undef ADD
	s->phase = MT_LINK_CONNECTING;
	s->conn = PQconnectStartParams(keys, values, 0);
	if (!s->conn) {
		mt_link_failed(s, MT_ENOMEM, "out of memory");
		return;
	}
	PQsetErrorVerbosity(s->conn, PQERRORS_VERBOSE);
	PQsetNoticeProcessor(s->conn, ignore_notice, NULL);
	mt_session_rearm(s);
	if (PQstatus(s->conn) == CONNECTION_BAD)
		mt_link_failed(s, MT_ESYS, PQerrorMessage(s->conn));
	else /* libpq's rule: as if PQconnectPoll had said WRITING */
		poll_connection(s, PGRES_POLLING_WRITING);
}

/* Of several addresses each attempt takes the next. */
static int
choose_address(struct mt_session *s, const struct addrinfo *list)
{
	const struct addrinfo *ai;
	unsigned n = 0, i;

	for (ai = list; ai; ai = ai->ai_next)
		n++;
	if (n == 0)
		return UV_EAI_NODATA;
	for (ai = list, i = s->attempt++ % n; i > 0; i--)
		ai = ai->ai_next;
	return uv_ip_name(ai->ai_addr, s->hostaddr, sizeof(s->hostaddr));
}

static void
on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
	struct mt_lookup *l = container_of(req, struct mt_lookup, req);
	struct mt_session *s = l->s;
	int rc = status;

	if (s) {
		s->lookup = NULL;
		if (rc == 0)
			rc = choose_address(s, res);
		if (rc == 0)
			start_connection(s);
		else
			mt_link_failed(s, MT_ESYS, uv_strerror(rc));
	}
	uv_freeaddrinfo(res);
	free(l);
}

void
mt_link_start(struct mt_session *s)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct mt_lookup *l;
	int rc = UV_ENOMEM;

	s->connect_by_ms = mt_clock_ms() + s->o.connect_timeout_ms;
	mt_copy(s->hostaddr, sizeof(s->hostaddr), s->o.target.hostaddr);
	if (s->o.target.is_socket || s->hostaddr[0]) {
		start_connection(s);
		return;
	}
	s->phase = MT_LINK_RESOLVING;
	l = calloc(1, sizeof(*l));
	if (l) {
		l->s = s;
		rc = uv_getaddrinfo(s->loop, &l->req, on_resolved,
				    s->o.target.host, NULL, &hints);
	}
	if (rc == 0) {
		s->lookup = l;
		mt_session_rearm(s);
	} else {
		free(l);
		mt_link_failed(s, MT_ESYS, uv_strerror(rc));
	}
}
