/* SPDX-License-Identifier: PostgreSQL */
/*
 * The client of a tour: a thread that inserts a row every 10 ms through one
 * libpq connection that names all nodes and wants the one that takes writes,
 * as an application would. When the connection breaks it connects again, at
 * once and then every 20 ms.
 *
 * Each row has a number of its own, and no number is used twice. A number goes
 * on record when its commit has been acknowledged, and only then: a row whose
 * acknowledgement was lost may be there or not, and nobody promised it. The
 * time between two acknowledgements is what a user notices of an event.
 *
 * Statements have a deadline of 2 s, so that a server that hangs cannot hold
 * the thread; connecting is bounded by libpq's connect_timeout.
 */
#include "cli/demo.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "base/clock.h"
#include "base/text.h"

#define PAUSE_MS 10
#define RETRY_MS 20
#define STATEMENT_MS 2000
#define CREATE_TABLE \
	"CREATE TABLE IF NOT EXISTS matriarch_demo (" \
	"id bigint PRIMARY KEY, " \
	"at timestamptz NOT NULL DEFAULT clock_timestamp())"

struct mt_demo_writer {
	const struct mt_demo *d; /* borrowed; what is read of it is fixed */
	pthread_t thread;
	bool running;
	int stop_fd; /* readable: end */
	/* the thread's own */
	PGconn *conn;
	int64_t next_id, last_ack_ms;
	/* under lock */
	pthread_mutex_t lock;
	pthread_cond_t acked; /* one more row is on record */
	int64_t *ids;         /* acknowledged, ascending */
	size_t n, cap;
	struct mt_demo_progress p;
};

static PGconn *
connect_to_primary(const struct mt_demo *d)
{
	const char *const keys[] = {"host",
				    "port",
				    "dbname",
				    "user",
				    "password",
				    "target_session_attrs",
				    "connect_timeout",
				    "tcp_user_timeout",
				    "sslmode",
				    "gssencmode",
				    "application_name",
				    NULL};
	const char *const values[] = {d->hosts,
				      d->ports,
				      "postgres",
				      "postgres",
				      d->superuser_password,
				      "read-write",
				      "2",
				      "2000",
				      "disable",
				      "disable",
				      "matriarch demo",
				      NULL};

	return PQconnectdbParams(keys, values, 0);
}

/* libpq's words on one line. */
static void
copy_trouble(char *buf, size_t size, const char *text)
{
	mt_copy(buf, size, text);
	for (char *c = buf; *c != '\0'; c++)
		if (*c == '\n' || *c == '\t')
			*c = ' ';
	for (size_t n = strlen(buf); n > 0 && buf[n - 1] == ' '; n--)
		buf[n - 1] = '\0';
}

static void
note_trouble(struct mt_demo_writer *w, const char *text)
{
	pthread_mutex_lock(&w->lock);
	w->p.refused++;
	w->p.connected = false;
	copy_trouble(w->p.trouble, sizeof(w->p.trouble), text);
	pthread_mutex_unlock(&w->lock);
}

static void
note_connection(struct mt_demo_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->p.connections++;
	w->p.connected = true;
	w->p.since_reconnect = 0;
	w->p.port = (uint16_t)atoi(PQport(w->conn));
	pthread_mutex_unlock(&w->lock);
}

static void
note_ack(struct mt_demo_writer *w, int64_t id)
{
	int64_t now_ms = mt_clock_ms();

	pthread_mutex_lock(&w->lock);
	if (w->n == w->cap) {
		w->cap = w->cap == 0 ? 4096 : w->cap * 2;
		w->ids = realloc(w->ids, w->cap * sizeof(*w->ids));
		MT_ASSERT(w->ids != NULL);
	}
	w->ids[w->n++] = id;
	if (w->last_ack_ms > 0 && now_ms - w->last_ack_ms > w->p.longest_ms)
		w->p.longest_ms = now_ms - w->last_ack_ms;
	w->last_ack_ms = now_ms;
	w->p.acked++;
	w->p.since_reconnect++;
	pthread_cond_broadcast(&w->acked);
	pthread_mutex_unlock(&w->lock);
}

/* Wait, for the socket too if fd >= 0. False: we are to end. */
static bool
wait_for(struct mt_demo_writer *w, int fd, int timeout_ms)
{
	struct pollfd fds[2] = {
	    {.fd = w->stop_fd, .events = POLLIN},
	    {.fd = fd, .events = POLLIN}, /* < 0 is left out */
	};

	poll(fds, 2, timeout_ms);
	return fds[0].revents == 0;
}

/* Wait until the result of what was sent is complete. */
static bool
await_result(struct mt_demo_writer *w)
{
	int64_t end_ms = mt_clock_ms() + STATEMENT_MS, left_ms;

	while (PQisBusy(w->conn)) {
		left_ms = end_ms - mt_clock_ms();
		if (left_ms <= 0 ||
		    !wait_for(w, PQsocket(w->conn), (int)left_ms) ||
		    !PQconsumeInput(w->conn))
			return false;
	}
	return true;
}

/* One row. False: this connection is of no more use. */
static bool
insert(struct mt_demo_writer *w)
{
	int64_t id = w->next_id++;
	char text[24];
	const char *const values[] = {text};
	PGresult *result;
	bool ok;

	mt_format(text, sizeof(text), "%lld", (long long)id);
	if (!PQsendQueryParams(w->conn,
			       "INSERT INTO matriarch_demo (id) VALUES ($1)", 1,
			       NULL, values, NULL, NULL, 0) ||
	    !await_result(w)) {
		note_trouble(w, PQerrorMessage(w->conn));
		return false;
	}
	result = PQgetResult(w->conn);
	ok = PQresultStatus(result) == PGRES_COMMAND_OK;
	if (ok)
		note_ack(w, id);
	else
		note_trouble(w, PQerrorMessage(w->conn));
	while (result != NULL) {
		PQclear(result);
		if (!await_result(w))
			return false;
		result = PQgetResult(w->conn);
	}
	return ok;
}

static void *
write_rows(void *arg)
{
	struct mt_demo_writer *w = arg;

	while (wait_for(w, -1, w->conn != NULL ? PAUSE_MS : RETRY_MS)) {
		if (w->conn == NULL) {
			w->conn = connect_to_primary(w->d);
			if (PQstatus(w->conn) == CONNECTION_OK) {
				note_connection(w);
			} else {
				note_trouble(w, PQerrorMessage(w->conn));
				PQfinish(w->conn);
				w->conn = NULL;
				continue;
			}
		}
		if (!insert(w)) {
			PQfinish(w->conn);
			w->conn = NULL;
		}
	}
	PQfinish(w->conn);
	w->conn = NULL;
	return NULL;
}

static int
create_table(const struct mt_demo *d, struct mt_err *err)
{
	PGconn *conn = connect_to_primary(d);
	PGresult *result = NULL;
	char why[256];
	int rv = 0;

	if (PQstatus(conn) == CONNECTION_OK)
		result = PQexec(conn, CREATE_TABLE);
	if (result == NULL || PQresultStatus(result) != PGRES_COMMAND_OK) {
		copy_trouble(why, sizeof(why), PQerrorMessage(conn));
		rv = mt_err_set(err, MT_EPROTO,
				"could not create the writer's table: %s", why);
	}
	PQclear(result);
	PQfinish(conn);
	return rv;
}

static int
start_thread(struct mt_demo_writer *w, struct mt_err *err)
{
	sigset_t all, old;
	int rv;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rv = pthread_create(&w->thread, NULL, write_rows, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rv != 0)
		return mt_err_sys(err, rv, "could not start the writer");
	w->running = true;
	return 0;
}

int
mt_demo_writer_start(struct mt_demo_writer **writer, const struct mt_demo *d,
		     struct mt_err *err)
{
	struct mt_demo_writer *w;
	pthread_condattr_t attr;
	int rv = create_table(d, err);

	if (rv != 0)
		return rv;
	w = calloc(1, sizeof(*w));
	MT_ASSERT(w != NULL);
	w->d = d;
	w->next_id = 1;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->acked, &attr);
	pthread_condattr_destroy(&attr);
	w->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (w->stop_fd < 0)
		rv = mt_err_sys(err, errno, "could not start the writer");
	else
		rv = start_thread(w, err);
	if (rv != 0) {
		mt_demo_writer_free(w);
		return rv;
	}
	*writer = w;
	return 0;
}

void
mt_demo_writer_look(struct mt_demo_writer *w, struct mt_demo_progress *p)
{
	pthread_mutex_lock(&w->lock);
	*p = w->p;
	pthread_mutex_unlock(&w->lock);
}

void
mt_demo_writer_mark(struct mt_demo_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->p.longest_ms = 0;
	pthread_mutex_unlock(&w->lock);
}

void
mt_demo_writer_between(struct mt_demo_writer *w)
{
	struct timespec end, pause = {.tv_nsec = PAUSE_MS * 1000000L / 2};
	int64_t before;
	int rv = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec++;
	pthread_mutex_lock(&w->lock);
	before = w->p.acked;
	while (rv == 0 && w->p.acked == before)
		rv = pthread_cond_timedwait(&w->acked, &w->lock, &end);
	pthread_mutex_unlock(&w->lock);
	nanosleep(&pause, NULL);
}

void
mt_demo_writer_stop(struct mt_demo_writer *w)
{
	uint64_t one = 1;

	if (!w->running)
		return;
	MT_ASSERT(write(w->stop_fd, &one, sizeof(one)) == sizeof(one));
	pthread_join(w->thread, NULL);
	w->running = false;
}

int
mt_demo_writer_check(struct mt_demo_writer *w, int64_t *n_missing,
		     int64_t *n_rows, struct mt_err *err)
{
	PGconn *conn = connect_to_primary(w->d);
	PGresult *result = NULL;
	char why[256];
	int row = 0, rows;

	if (PQstatus(conn) == CONNECTION_OK)
		result = PQexec(conn, "SELECT id FROM matriarch_demo "
				      "ORDER BY id");
	if (result == NULL || PQresultStatus(result) != PGRES_TUPLES_OK) {
		copy_trouble(why, sizeof(why), PQerrorMessage(conn));
		mt_err_set(err, MT_EPROTO, "could not read the rows: %s", why);
		PQclear(result);
		PQfinish(conn);
		return err->code;
	}
	rows = PQntuples(result);
	*n_rows = rows;
	*n_missing = 0;
	for (size_t i = 0; i < w->n; i++) { /* both are in ascending order */
		while (row < rows &&
		       atoll(PQgetvalue(result, row, 0)) < w->ids[i])
			row++;
		if (row == rows ||
		    atoll(PQgetvalue(result, row, 0)) != w->ids[i])
			++*n_missing;
	}
	PQclear(result);
	PQfinish(conn);
	return 0;
}

void
mt_demo_writer_free(struct mt_demo_writer *w)
{
	if (w == NULL)
		return;
	mt_demo_writer_stop(w);
	if (w->stop_fd >= 0)
		close(w->stop_fd);
	pthread_cond_destroy(&w->acked);
	pthread_mutex_destroy(&w->lock);
	free(w->ids);
	free(w);
}
