/* SPDX-License-Identifier: PostgreSQL */
/*
 * Scripts that are waited for: pre_promote, which may refuse a promotion, and
 * before_stop, which goes before a fast stop.
 *
 * Happy path: the command runs as a child, what it prints is logged, and its
 * end goes on with what waits for it: pre_promote's exit status becomes a fact
 * for the agent, before_stop's is ignored and PostgreSQL is signalled.
 *
 * Failure modes: a script that takes too long is ended by force, with its
 * children: pre_promote has refused then. One that cannot be run has refused,
 * too. What overtakes them (an immediate stop, a stop, the end of PostgreSQL)
 * kills them and waits for nothing.
 *
 * It decides neither whether to promote nor whether to stop.
 */
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/postgres_internal.h"

#define PRE_PROMOTE_MS 60000
#define BEFORE_STOP_MS 30000

struct postgres__script {
	struct postgres__script *next; /* of all that run */
	struct mt_postgres *pg;
	struct mt_child *child;
	const char *name;
	uint64_t turn; /* of pre_promote */
	bool dropped;  /* nobody waits for its end any more */
	/* Its end; err has no code where it agreed. */
	void (*ended)(struct postgres__script *s, const struct mt_err *err);
};

static void
on_line(void *arg, bool is_stderr, const char *line)
{
	const struct postgres__script *s = arg;

	(void)is_stderr;
	mt_info("%s: %s", s->name, line);
}

static void
on_exit_(void *arg, const struct mt_child_result *r)
{
	struct postgres__script *s = arg, **at = &s->pg->scripts;
	struct mt_postgres *pg = s->pg;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	if (pg->closed)
		postgres__one_closed(pg);
	else if (!s->dropped)
		s->ended(s, &r->err);
	free(s);
}

/* NULL: it does not run, and err says why. */
static struct postgres__script *
start(struct mt_postgres *pg, const char *name, const char *command,
      int64_t most_ms, struct mt_err *err)
{
	struct postgres__script *s = calloc(1, sizeof(*s));
	struct mt_argv argv = {0};
	struct mt_child_options o = {
	    .keep_locale = true,
	    .timeout_ms = most_ms,
	    .on_line = on_line,
	    .on_exit = on_exit_,
	    .arg = s,
	};
	int rv;

	if (s == NULL) {
		mt_err_set(err, MT_ENOMEM, "out of memory");
		return NULL;
	}
	s->pg = pg;
	s->name = name;
	rv = mt_argv_add_words(&argv, command, err);
	if (rv == 0 && argv.bad)
		rv = mt_err_set(err, MT_ENOMEM, "out of memory");
	o.argv = argv.v;
	if (rv == 0)
		rv = mt_child_start(&s->child, pg->loop, &o, err);
	mt_argv_free(&argv);
	if (rv != 0) {
		free(s);
		return NULL;
	}
	mt_info("%s runs", name);
	s->next = pg->scripts;
	pg->scripts = s;
	return s;
}

void
postgres__script_drop(struct postgres__script **slot)
{
	struct postgres__script *s = *slot;

	*slot = NULL;
	if (s == NULL)
		return;
	mt_warn("%s is ended by force: it is not waited for", s->name);
	s->dropped = true;
	mt_child_signal(s->child, SIGKILL);
}

int
postgres__script_close(struct mt_postgres *pg)
{
	int n = 0;

	for (struct postgres__script *s = pg->scripts; s != NULL; s = s->next) {
		mt_child_signal(s->child, SIGKILL);
		n++;
	}
	return n;
}

/* ---- pre_promote ---- */

static void
refuse(struct mt_postgres *pg, const struct mt_err *err)
{
	pg->refused_ms = mt_clock_ms();
	postgres__job_end(pg, err);
}

static void
pre_promote_ended(struct postgres__script *s, const struct mt_err *err)
{
	struct mt_postgres *pg = s->pg;

	pg->pre_promote = NULL;
	if (err->code != 0) {
		refuse(pg, err);
		return;
	}
	pg->pre_promoted = s->turn;
	postgres__job_end(pg, NULL);
}

void
mt_postgres_pre_promote(struct mt_postgres *pg, uint64_t turn)
{
	struct mt_err err;

	if (pg->job != MT_JOB_NONE || !postgres__running(pg))
		return;
	postgres__job_begin(pg, MT_JOB_PRE_PROMOTE, 0);
	pg->pre_promote =
	    start(pg, "pre_promote", pg->conf->postgresql.pre_promote,
		  PRE_PROMOTE_MS, &err);
	if (pg->pre_promote == NULL) {
		refuse(pg, &err);
		return;
	}
	pg->pre_promote->turn = turn;
	pg->pre_promote->ended = pre_promote_ended;
}

void
postgres__pre_promote_cancel(struct mt_postgres *pg)
{
	struct mt_err err;

	if (pg->pre_promote == NULL)
		return;
	postgres__script_drop(&pg->pre_promote);
	mt_err_set(&err, MT_ECANCELED, "there is no promotion any more");
	postgres__job_end(pg, &err);
}

/* ---- before_stop ---- */

static void
before_stop_ended(struct postgres__script *s, const struct mt_err *err)
{
	struct mt_postgres *pg = s->pg;

	pg->before_stop = NULL;
	if (err->code != 0)
		mt_warn("before_stop: %s; it has no effect", err->text);
	postgres__stop_now(pg);
}

bool
postgres__before_stop(struct mt_postgres *pg)
{
	struct mt_err err;

	if (pg->conf->postgresql.before_stop[0] == '\0')
		return false;
	pg->before_stop =
	    start(pg, "before_stop", pg->conf->postgresql.before_stop,
		  BEFORE_STOP_MS, &err);
	if (pg->before_stop == NULL) {
		mt_error("before_stop was not run: %s", err.text);
		return false;
	}
	pg->before_stop->ended = before_stop_ended;
	return true;
}
