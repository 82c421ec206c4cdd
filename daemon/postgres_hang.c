/* SPDX-License-Identifier: PostgreSQL */
/*
 * Does the primary still answer, and does its data volume take a write? A
 * server whose processes are stopped, or stuck, accepts connections all the
 * same: the kernel does that for it. So each second a fresh connection is made
 * and a statement sent; any answer counts, a refusal in the server's own words
 * ("too many clients", "in recovery mode") as well. A program beside the daemon
 * (the sentinel's binary) writes and syncs a small file in the data directory
 * and says so; it can be given up, which a thread of ours that waits for a dead
 * volume cannot.
 *
 * What is found is a fact: since when there has been no answer. What comes of
 * it is the agent's business. A lost session is no missing answer, and a loop
 * that stood still starts counting anew: it asked nobody meanwhile.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/postgres_internal.h"

#define PROBE_EVERY_MS 1000
#define PROBE_LEAST_MS 1000
#define STOOD_STILL_MS 3000
#define VOLUME_AGAIN_MS 10000  /* after its watcher failed */
#define AGAIN_WITHIN_MS 600000 /* two hangs in so short a time are a circle */

struct postgres__volume {
	struct mt_postgres *pg;
	struct mt_child *child;
	bool stopping;
};

/* ---- the server ---- */

static void
answered(struct mt_postgres *pg)
{
	pg->probing = false;
	pg->probe_since_ms = 0;
	pg->probe_next_ms = mt_clock_ms() + PROBE_EVERY_MS;
	mt_session_want(pg->probe, false);
}

static void
probe_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;

	if (pg->closed || !pg->probing || r->err.code == MT_ECANCELED)
		return;
	if (r->err.code == 0 || r->sqlstate[0] != '\0') {
		answered(pg);
		return;
	}
	pg->probing = false;
	pg->probe_next_ms = mt_clock_ms() + PROBE_EVERY_MS;
	mt_session_want(pg->probe, false);
	postgres__wake(pg);
}

static void
probe_refused(void *arg, const struct mt_err *err)
{
	struct mt_postgres *pg = arg;

	(void)err;
	if (!pg->closed && pg->probing &&
	    mt_session_last_sqlstate(pg->probe)[0] != '\0')
		answered(pg);
}

int
postgres__hang_open(struct mt_postgres *pg, struct mt_err *err)
{
	/* The statement's deadline is the connection's, too. */
	static const struct mt_session_options options = {
	    .application_name = "Matriarch probe",
	    .connect_timeout_ms = INT32_MAX,
	    .on_refused = probe_refused,
	};

	return postgres__open_session(pg, &pg->probe, &options, err);
}

static void
ask(struct mt_postgres *pg, int64_t now_ms)
{
	const struct mt_session_stmt statement = {
	    .sql = "SELECT 1",
	    .timeout_ms = pg->hang_timeout_ms > PROBE_LEAST_MS
			      ? pg->hang_timeout_ms
			      : PROBE_LEAST_MS,
	    .cb = probe_cb,
	    .arg = pg,
	};

	pg->probing = true;
	if (pg->probe_since_ms == 0)
		pg->probe_since_ms = now_ms;
	mt_session_want(pg->probe, true);
	if (mt_session_query(pg->probe, &statement) == 0)
		answered(pg); /* no memory: that says nothing of the server */
}

/* ---- the data volume ---- */

static void
volume_line(void *arg, bool is_stderr, const char *line)
{
	struct postgres__volume *v = arg;

	if (is_stderr)
		mt_warn("%s", line);
	else if (!v->stopping)
		v->pg->volume_due_ms = mt_clock_ms() + v->pg->volume_every_ms;
}

static void
volume_exit(void *arg, const struct mt_child_result *r)
{
	struct postgres__volume *v = arg;
	struct mt_postgres *pg = v->pg;

	if (!v->stopping)
		mt_warn("could not watch the data volume: %s", r->err.text);
	pg->volume = NULL;
	pg->volume_due_ms = 0;
	if (!v->stopping)
		pg->volume_again_ms = mt_clock_ms() + VOLUME_AGAIN_MS;
	free(v);
	if (pg->closed)
		postgres__one_closed(pg);
	else
		postgres__wake(pg);
}

static void
volume_start(struct mt_postgres *pg, int64_t now_ms)
{
	struct postgres__volume *v = calloc(1, sizeof(*v));
	char program[MT_CONF_PATH_MAX];
	struct mt_argv argv = {0};
	struct mt_child_options o = {
	    .on_line = volume_line,
	    .on_exit = volume_exit,
	    .arg = v,
	};
	struct mt_err err;
	int rv;

	MT_ASSERT(v != NULL);
	v->pg = pg;
	pg->volume_every_ms = pg->hang_timeout_ms / 3;
	if (pg->volume_every_ms < PROBE_EVERY_MS)
		pg->volume_every_ms = PROBE_EVERY_MS;
	rv = mt_guard_find_sentinel(program, sizeof(program), &err);
	if (rv == 0) {
		mt_argv_add(&argv, "%s", program);
		mt_argv_add(&argv, "--volume=%s/matriarch.volume",
			    pg->conf->postgresql.data_dir);
		mt_argv_add(&argv, "--every=%lld",
			    (long long)pg->volume_every_ms);
		o.argv = argv.v;
		rv = argv.bad ? mt_err_set(&err, MT_ENOMEM, "out of memory")
			      : mt_child_start(&v->child, pg->loop, &o, &err);
	}
	mt_argv_free(&argv);
	if (rv != 0) {
		mt_warn("could not watch the data volume: %s", err.text);
		pg->volume_again_ms = now_ms + VOLUME_AGAIN_MS;
		free(v);
		return;
	}
	pg->volume = v;
	pg->volume_due_ms = now_ms + pg->volume_every_ms;
}

static void
volume_stop(struct mt_postgres *pg)
{
	if (pg->volume == NULL || pg->volume->stopping)
		return;
	pg->volume->stopping = true;
	mt_child_cancel(pg->volume->child);
}

/* ---- both ---- */

/* While it starts it is given the time that a start may take. */
static bool
is_watched(const struct mt_postgres *pg)
{
	return pg->hang_timeout_ms > 0 && postgres__running(pg) &&
	       !pg->adopting && pg->as_primary && pg->job != MT_JOB_START &&
	       mt_guard_is_alive(pg->guard);
}

static void
rest(struct mt_postgres *pg)
{
	pg->hang_tick_ms = 0;
	if (pg->probing || pg->probe_since_ms != 0)
		mt_session_want(pg->probe, false);
	pg->probing = false;
	pg->probe_since_ms = 0;
	pg->probe_next_ms = 0;
	pg->volume_due_ms = 0;
	volume_stop(pg);
}

void
mt_postgres_watch_hang(struct mt_postgres *pg, int64_t timeout_ms)
{
	if (timeout_ms == pg->hang_timeout_ms)
		return;
	rest(pg); /* and anew, with the new interval */
	pg->hang_timeout_ms = timeout_ms;
	pg->volume_again_ms = 0;
	postgres__wake(pg);
}

void
postgres__hang_tick(struct mt_postgres *pg, int64_t now_ms)
{
	if (!is_watched(pg)) {
		rest(pg);
		return;
	}
	if (pg->hang_tick_ms != 0 &&
	    now_ms - pg->hang_tick_ms > STOOD_STILL_MS) {
		if (pg->probe_since_ms != 0)
			pg->probe_since_ms = now_ms;
		if (pg->volume_due_ms != 0)
			pg->volume_due_ms = now_ms + pg->volume_every_ms;
	}
	pg->hang_tick_ms = now_ms;
	if (!pg->probing && now_ms >= pg->probe_next_ms)
		ask(pg, now_ms);
	if (pg->volume == NULL && now_ms >= pg->volume_again_ms)
		volume_start(pg, now_ms);
}

int64_t
postgres__hang_next_ms(const struct mt_postgres *pg)
{
	int64_t next = pg->probe_next_ms;

	if (!is_watched(pg))
		return 0;
	if (pg->probing || pg->hang_tick_ms == 0)
		next = pg->hang_tick_ms + PROBE_EVERY_MS;
	if (pg->probe_since_ms != 0 && !pg->hung &&
	    pg->probe_since_ms + pg->hang_timeout_ms < next)
		next = pg->probe_since_ms + pg->hang_timeout_ms;
	return next > 0 ? next : 1;
}

void
postgres__hang_observe(const struct mt_postgres *pg, struct mt_local *l)
{
	bool late = pg->volume_due_ms != 0 && mt_clock_ms() > pg->volume_due_ms;

	l->unanswered_ms = pg->probe_since_ms;
	if (late &&
	    (l->unanswered_ms == 0 || pg->volume_due_ms < l->unanswered_ms)) {
		l->unanswered_ms = pg->volume_due_ms;
		l->volume_hangs = true;
	}
	l->hung = pg->hung;
	l->hung_again = pg->hung_before_ms != 0 &&
			pg->hung_ms - pg->hung_before_ms < AGAIN_WITHIN_MS;
}

void
mt_postgres_hung(struct mt_postgres *pg, int64_t now_ms)
{
	if (pg->hung)
		return;
	pg->hung = true;
	pg->hung_before_ms = pg->hung_ms;
	pg->hung_ms = now_ms;
}

int
postgres__hang_close(struct mt_postgres *pg)
{
	if (pg->volume == NULL)
		return 0;
	volume_stop(pg);
	return 1;
}
