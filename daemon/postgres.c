/* SPDX-License-Identifier: PostgreSQL */
/*
 * The local PostgreSQL: its life as seen by the daemon. At the start: is there
 * data, is there a server, does its sentinel live? Then: what its guard tells,
 * configuration, the end of long actions. The actions themselves are in
 * postgres_run.c (the server) and postgres_jobs.c (the data directory), the
 * sessions in postgres_look.c, what the view is told in postgres_facts.c.
 */
#include "daemon/postgres.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/postgres_internal.h"
#include "daemon/sentinel_page.h"

#define LOOK_EVERY_MS 1000
#define UNFENCED_GRACE_MS 2000
#define REWINDS_APART_MS 120000 /* then they are no loop */

void
postgres__wake(struct mt_postgres *pg)
{
	if (!pg->closed)
		pg->wake(pg->wake_arg);
}

void
postgres__trouble(struct mt_postgres *pg, const struct mt_err *err)
{
	if (err == NULL || err->code == 0)
		pg->trouble[0] = '\0';
	else
		mt_copy(pg->trouble, sizeof(pg->trouble), err->text);
}

bool
postgres__running(const struct mt_postgres *pg)
{
	return pg->guard != NULL && pg->guard_ready;
}

char *
postgres__sock_path(const struct mt_postgres *pg, char *buf, size_t size)
{
	mt_format(buf, size, "%s/sentinel.sock", pg->conf->raft.data_dir);
	return buf;
}

/* ---- long actions ---- */

void
postgres__job_begin(struct mt_postgres *pg, enum mt_job job, int64_t timeout_ms)
{
	pg->job = job;
	pg->job_since_ms = mt_clock_ms();
	pg->job_until_ms = timeout_ms > 0 ? pg->job_since_ms + timeout_ms : 0;
	pg->percent = 0;
	postgres__wake(pg);
}

void
postgres__job_end(struct mt_postgres *pg, const struct mt_err *err)
{
	bool failed = err != NULL && err->code != 0;

	if (pg->job == MT_JOB_NONE)
		return;
	if (pg->job == MT_JOB_DISCARD && !failed) {
		/* Making room is a part of what is tried again: it must not
		 * make the pauses between the tries short. */
		pg->job = MT_JOB_NONE;
		pg->job_until_ms = 0;
		postgres__wake(pg);
		return;
	}
	pg->failures = failed && pg->last_job == pg->job ? pg->failures + 1
		       : failed                          ? 1
							 : 0;
	pg->last_job = pg->job;
	pg->last_job_failed = failed;
	pg->last_job_ms = mt_clock_ms();
	if (!failed && pg->job == MT_JOB_START)
		pg->hung = false;
	if (!failed && pg->job == MT_JOB_REWIND) {
		if (pg->last_job_ms - pg->rewound_ms > REWINDS_APART_MS)
			pg->rewinds = 0;
		pg->rewinds++;
		pg->rewound_ms = pg->last_job_ms;
	}
	pg->job = MT_JOB_NONE;
	pg->job_until_ms = 0;
	if (failed)
		mt_error("%s failed: %s", mt_job_name(pg->last_job), err->text);
	postgres__trouble(pg, err);
	postgres__wake(pg);
}

static void
version_cb(void *arg, const struct mt_err *err)
{
	struct mt_postgres *pg = arg;

	pg->asking_version = false;
	if (pg->closed) {
		postgres__one_closed(pg);
		return;
	}
	if (err != NULL && err->code != 0) {
		postgres__trouble(pg, err);
		mt_error("could not find PostgreSQL's version: %s", err->text);
		return;
	}
	postgres__recall_document(pg);
}

/* Nothing is done to a server before its parameters are known. */
void
postgres__configured(struct mt_postgres *pg)
{
	postgres__find_server(pg);
}

int
mt_postgres_open(struct mt_postgres **out, uv_loop_t *loop,
		 const struct mt_conf *conf, void (*wake)(void *arg), void *arg,
		 struct mt_err *err)
{
	struct mt_postgres *pg = calloc(1, sizeof(*pg));
	int rv;

	if (pg == NULL)
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	pg->loop = loop;
	pg->conf = conf;
	pg->wake = wake;
	pg->wake_arg = arg;
	pg->every_ms = LOOK_EVERY_MS;
	postgres__recall_names(pg);
	pg->bins.names = conf->postgresql.bin_name;
	rv = mt_pg_bins_find(&pg->bins, conf->postgresql.bin_dir, err);
	if (rv == 0)
		rv = postgres__sessions_open(pg, err);
	if (rv != 0) {
		free(pg);
		return rv;
	}
	uv_timer_init(loop, &pg->again);
	postgres__find_open(pg);
	rv = mt_pg_bins_version(&pg->bins, loop, version_cb, pg, err);
	pg->asking_version = rv == 0;
	if (rv != 0) {
		mt_postgres_close(pg, NULL, NULL);
		return rv;
	}
	*out = pg;
	return 0;
}

/* ---- the guard's news ---- */

static void
on_started(void *arg, pid_t pid, const struct mt_err *err)
{
	struct mt_postgres *pg = arg;

	if (err != NULL) {
		struct mt_err e = *err;

		mt_guard_release(pg->guard, NULL, NULL);
		pg->guard = NULL;
		pg->as_primary = false;
		if (pg->job == MT_JOB_START) {
			postgres__job_end(pg, &e);
		} else if (mt_pg_dir_in_use(pg->conf->postgresql.data_dir)) {
			/* It runs, and nothing is known of it: it stays so. */
			mt_error("%s", e.text);
			postgres__trouble(pg, &e);
		} else {
			postgres__inspect(pg);
		}
		return;
	}
	pg->guard_ready = true;
	pg->died = false;
	pg->fresh = false;
	if (pg->job != MT_JOB_START) { /* it was there before us */
		pg->adopting = true;
		pg->foreign =
		    (mt_guard_flags(pg->guard) & MT_SENTINEL_FOREIGN) != 0;
		pg->armed_ms = mt_guard_deadline_ms(pg->guard);
		pg->exempt = pg->armed_ms == POSTGRES_NEVER_MS;
		postgres__adopt(pg);
		return;
	}
	mt_info("started PostgreSQL, pid %d", (int)pid);
	postgres__server_up(pg);
	postgres__wake(pg);
}

void
postgres__adopted(struct mt_postgres *pg, bool as_primary, uint64_t data_id)
{
	pg->adopting = false;
	pg->adopted = true;
	pg->is_standby = !as_primary;
	/* Told to promote, and not yet done: its sentinel is armed. */
	if (!as_primary && mt_guard_is_armed(pg->guard)) {
		as_primary = true;
		pg->promote_sent_ms = mt_clock_ms();
	}
	pg->as_primary = as_primary;
	/* What it was told before may not be in effect everywhere. */
	pg->names_settled = false;
	pg->names_before.k = pg->names_before.n = -1;
	pg->data = MT_DATA_PRESENT;
	pg->data_id = data_id;
	/* An unfenced server's lease is not known any more. It gets a moment
	 * to find support, for that is what "fencing: off" asks for. */
	if (as_primary && !pg->conf->fencing && !pg->exempt)
		pg->armed_ms = mt_clock_ms() + UNFENCED_GRACE_MS;
	mt_info("found PostgreSQL running, pid %d, as %s",
		(int)mt_guard_pid(pg->guard),
		as_primary ? "primary" : "standby");
	postgres__server_up(pg);
	postgres__wake(pg);
}

/* The postmaster and all its children are gone. */
static void
on_exit_(void *arg, int status)
{
	struct mt_postgres *pg = arg;
	bool asked = pg->stopping != STOP_NONE;
	struct mt_err err = {0};

	if (!asked && pg->job != MT_JOB_START) {
		pg->died = true;
		pg->died_ms = mt_clock_ms();
	}
	mt_log(asked ? MT_LOG_INFO : MT_LOG_WARNING,
	       "PostgreSQL has ended%s, wait status %d",
	       asked ? "" : " by itself", status);
	if (mt_guard_fired_ms(pg->guard) != 0)
		mt_warn("its sentinel ended it at the lease's deadline");
	postgres__guard_gone(pg);
	if (pg->job == MT_JOB_STOP) {
		postgres__job_end(pg, NULL);
	} else if (pg->job != MT_JOB_NONE) {
		mt_err_set(&err, MT_EIO, "PostgreSQL ended meanwhile");
		postgres__job_end(pg, &err);
	}
	postgres__inspect(pg);
}

void
postgres__guard_gone(struct mt_postgres *pg)
{
	mt_guard_release(pg->guard, NULL, NULL);
	pg->guard = NULL;
	pg->guard_ready = false;
	pg->names_settled = false;
	pg->stopped = 0;
	pg->adopted = false;
	pg->adopting = false;
	pg->foreign = pg->bare = pg->joined = false;
	pg->as_primary = false;
	pg->stopping = STOP_NONE;
	postgres__script_drop(&pg->before_stop);
	pg->upstream[0] = '\0';
	pg->upstream_url[0] = '\0';
	pg->armed_ms = 0;
	pg->exempt = false;
	pg->reloading = false;
	pg->pending[0] = '\0';
	pg->promote_sent_ms = 0;
	postgres__server_down(pg);
}

static void
on_died(void *arg)
{
	struct mt_postgres *pg = arg;

	/* Its backends may live a moment longer: on_exit tells. */
	mt_session_want(pg->session, false);
	postgres__wake(pg);
}

static void
on_sentinel_lost(void *arg, const char *why)
{
	struct mt_postgres *pg = arg;

	mt_error("the sentinel of PostgreSQL is lost: %s", why);
	postgres__wake(pg);
}

const struct mt_guard_events *
postgres__guard_events(struct mt_postgres *pg)
{
	static struct mt_guard_events events = {
	    .on_started = on_started,
	    .on_died = on_died,
	    .on_exit = on_exit_,
	    .on_sentinel_lost = on_sentinel_lost,
	};

	events.arg = pg;
	return &events;
}

/* ---- the end ---- */

void
postgres__one_closed(void *arg)
{
	struct mt_postgres *pg = arg;

	if (--pg->closing > 0)
		return;
	json_decref(pg->document);
	json_decref(pg->kept_document);
	for (int i = 0; i < MT_CONF_ROLES; i++) {
		json_decref(pg->given[i]);
		json_decref(pg->parameters[i]);
		json_decref(pg->other_files[i]);
	}
	json_decref(pg->work_parameters);
	json_decref(pg->seen_settings);
	if (pg->closed_cb != NULL)
		pg->closed_cb(pg->closed_arg);
	free(pg);
}

static void
again_closed_cb(uv_handle_t *h)
{
	postgres__one_closed(
	    container_of((uv_timer_t *)h, struct mt_postgres, again));
}

void
mt_postgres_close(struct mt_postgres *pg, void (*closed_cb)(void *arg),
		  void *arg)
{
	pg->closed = true;
	pg->closed_cb = closed_cb;
	pg->closed_arg = arg;
	pg->closing = 1; /* this call */
	if (pg->work != NULL) {
		pg->closing++; /* job_done counts it down */
		mt_pg_job_cancel(pg->work);
	}
	if (pg->asking_version)
		pg->closing++; /* version_cb does; it takes no time */
	if (pg->accepting != NULL) {
		pg->closing++; /* accepted_cb does */
		mt_pg_accept_cancel(pg->accepting);
	}
	if (pg->reading != NULL) {
		pg->closing++; /* control_cb does */
		mt_child_cancel(pg->reading);
	}
	if (pg->guard != NULL) {
		pg->closing++;
		mt_guard_release(pg->guard, postgres__one_closed, pg);
	}
	pg->closing++;
	uv_close((uv_handle_t *)&pg->again, again_closed_cb);
	pg->closing += postgres__find_close(pg);
	postgres__end_cancel(pg);
	pg->closing += 5 + postgres__file_close(pg) + postgres__hang_close(pg) +
		       postgres__resume_close(pg) + postgres__script_close(pg);
	mt_session_close(pg->probe, postgres__one_closed, pg);
	mt_session_close(pg->session, postgres__one_closed, pg);
	mt_session_close(pg->worker, postgres__one_closed, pg);
	mt_session_close(pg->settler, postgres__one_closed, pg);
	mt_session_close(pg->identifier, postgres__one_closed, pg);
	postgres__one_closed(pg);
}
