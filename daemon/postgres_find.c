/* SPDX-License-Identifier: PostgreSQL */
/*
 * What is there already: a server under a sentinel that another daemon left, a
 * server that somebody else started, or a data directory without one.
 *
 * How it goes well: the sentinel's socket answers, and on_started (postgres.c)
 * goes on; or the pid file names a living postmaster, and a new sentinel
 * watches that; or nothing runs, and the directory is inspected. As long as
 * there is no cluster the directory is watched: a server that people start,
 * data that they bring or move away, is found as if the daemon had been started
 * after it. A server that was there is asked where it has its settings from: if
 * not from where we write them, whose it is stays unknown, and it is left
 * alone.
 *
 * How it fails: a postmaster that cannot be watched is said and left alone, and
 * nothing is begun. A directory that is not there is tried again with each turn
 * of the loop; beyond the kernel's limit of watches nothing is noticed, and the
 * daemon has to be started again.
 */
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/postgres_internal.h"

#define QUIET_MS 300 /* after the last change */
#define PLACE_TIMEOUT_MS 5000

static void
watch_foreign(struct mt_postgres *pg, const struct mt_pg_pidfile *f)
{
	char sock[MT_CONF_PATH_MAX + 32];
	struct mt_guard_options o = {
	    .sock_path = postgres__sock_path(pg, sock, sizeof(sock)),
	    .watch_pid = f->pid,
	};
	struct mt_err err;

	mt_warn("PostgreSQL runs (pid %d) without a sentinel", (int)f->pid);
	pg->bare = true;
	if (mt_guard_start(&pg->guard, pg->loop, &o, postgres__guard_events(pg),
			   &err) != 0) {
		pg->guard = NULL;
		postgres__trouble(pg, &err);
		mt_error("%s", err.text);
	}
}

void
postgres__find_server(struct mt_postgres *pg)
{
	const char *dir = pg->conf->postgresql.data_dir;
	char sock[MT_CONF_PATH_MAX + 32];
	struct mt_pg_pidfile f;
	struct mt_err err;

	if (mt_guard_attach(&pg->guard, pg->loop,
			    postgres__sock_path(pg, sock, sizeof(sock)),
			    postgres__guard_events(pg), &err) == 0)
		return; /* on_started goes on */
	pg->guard = NULL;
	if (mt_pg_dir_in_use(dir) && mt_pg_pidfile_read(&f, dir, &err) == 0)
		watch_foreign(pg, &f);
	else
		postgres__inspect(pg);
}

void
mt_postgres_offer(struct mt_postgres *pg)
{
	if (pg->guard != NULL || pg->job != MT_JOB_NONE)
		return;
	/* Somebody may have started it since it was looked at. */
	if (mt_pg_dir_in_use(pg->conf->postgresql.data_dir))
		postgres__find_server(pg);
	else
		pg->fresh = true;
	postgres__wake(pg);
}

void
mt_postgres_taken(struct mt_postgres *pg)
{
	pg->bare = false;
}

/* ---- where it has its settings from ---- */

static void
place_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;
	char path[MT_CONF_PATH_MAX + 64];
	struct mt_err e;

	if (pg->closed)
		return;
	if (r->err.code != 0 || r->n_rows == 0) {
		pg->place_asked = false; /* after the next look */
		return;
	}
	pg->place_known = strcmp(mt_session_value(r, 0, 0), "t") == 0;
	if (pg->place_known) {
		postgres__wake(pg);
		return;
	}
	mt_pg_conf_path(&pg->conf->postgresql, MT_PG_CONF_MAIN, path,
			sizeof(path));
	mt_err_set(&e, MT_EREFUSED,
		   "PostgreSQL reads \"%.64s\" and not \"%.64s\": restart it "
		   "with that, or set postgresql.config_dir",
		   mt_session_value(r, 0, 1), path);
	mt_warn("%s", e.text);
	postgres__trouble(pg, &e);
	postgres__wake(pg);
}

void
postgres__ask_place(struct mt_postgres *pg)
{
	const struct mt_conf_postgresql *c = &pg->conf->postgresql;
	char path[MT_CONF_PATH_MAX + 64], usual[MT_CONF_PATH_MAX + 64];
	const char *params[] = {path, "f"};
	struct mt_session_stmt stmt = {
	    /* Its own word on its directory: ours may go by a link. */
	    .sql = "SELECT s = $1 OR ($2 = 't' AND s ="
		   " pg_catalog.current_setting('data_directory')"
		   " || '/postgresql.conf'), s"
		   " FROM pg_catalog.current_setting('config_file') s",
	    .params = params,
	    .n_params = 2,
	    .timeout_ms = PLACE_TIMEOUT_MS,
	    .cb = place_cb,
	    .arg = pg,
	};

	if (!pg->foreign || pg->place_known || pg->place_asked)
		return;
	mt_pg_conf_path(c, MT_PG_CONF_MAIN, path, sizeof(path));
	mt_format(usual, sizeof(usual), "%s/postgresql.conf", c->data_dir);
	if (strcmp(path, usual) == 0)
		params[1] = "t";
	pg->place_asked = mt_session_query(pg->session, &stmt) != 0;
}

/* ---- changes by others ---- */

static void
stop_watching(struct mt_postgres *pg)
{
	pg->watching = false;
	uv_fs_event_stop(&pg->changes);
	uv_timer_stop(&pg->settle);
}

static bool
is_idle(const struct mt_postgres *pg)
{
	return pg->guard == NULL && pg->job == MT_JOB_NONE &&
	       pg->work == NULL && pg->files == NULL && pg->reading == NULL &&
	       !pg->asking_version && pg->data != MT_DATA_UNKNOWN;
}

static void
settle_cb(uv_timer_t *timer)
{
	struct mt_postgres *pg =
	    container_of(timer, struct mt_postgres, settle);

	if (!pg->watching)
		return;
	stop_watching(pg); /* it may be another directory by now */
	if (is_idle(pg))
		postgres__find_server(pg);
	postgres__wake(pg);
}

static void
changed_cb(uv_fs_event_t *handle, const char *name, int events, int status)
{
	struct mt_postgres *pg =
	    container_of(handle, struct mt_postgres, changes);

	(void)name;
	(void)events;
	(void)status;
	uv_timer_start(&pg->settle, settle_cb, QUIET_MS, 0);
}

void
mt_postgres_watch_dir(struct mt_postgres *pg, bool wanted)
{
	const char *dir = pg->conf->postgresql.data_dir;

	wanted = wanted && is_idle(pg);
	if (wanted == pg->watching)
		return;
	if (!wanted) {
		stop_watching(pg);
		return;
	}
	pg->watching = uv_fs_event_start(&pg->changes, changed_cb, dir, 0) == 0;
	/* What was done since it was looked at: it came to be, and may have
	 * something in it; or a server was started. */
	if (pg->watching && (pg->was_absent || mt_pg_dir_in_use(dir)))
		uv_timer_start(&pg->settle, settle_cb, QUIET_MS, 0);
	/* Or it was moved away: then there is nothing that could tell. */
	if (!pg->watching && !pg->was_absent && pg->data != MT_DATA_EMPTY)
		postgres__find_server(pg);
	pg->was_absent = !pg->watching;
}

/* ---- the handles ---- */

void
postgres__find_open(struct mt_postgres *pg)
{
	uv_fs_event_init(pg->loop, &pg->changes);
	uv_timer_init(pg->loop, &pg->settle);
}

static void
changes_closed_cb(uv_handle_t *h)
{
	postgres__one_closed(
	    container_of((uv_fs_event_t *)h, struct mt_postgres, changes));
}

static void
settle_closed_cb(uv_handle_t *h)
{
	postgres__one_closed(
	    container_of((uv_timer_t *)h, struct mt_postgres, settle));
}

int
postgres__find_close(struct mt_postgres *pg)
{
	pg->watching = false;
	uv_close((uv_handle_t *)&pg->changes, changes_closed_cb);
	uv_close((uv_handle_t *)&pg->settle, settle_closed_cb);
	return 2;
}
