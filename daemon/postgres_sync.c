/* SPDX-License-Identifier: PostgreSQL */
/*
 * Synchronous replication at the server: to bring synchronous_standby_names
 * into effect and prove it, and to make a standby receive no more WAL. A reload
 * is taken up by each process of PostgreSQL at a time of its own; it counts as
 * over only when the following has been seen (doc/protocol.md, rules 3 and 18).
 *
 * names: file, reload; a new session shows the text, and each walsender's
 * priority is of the new set; if the number changed, every older walsender is
 * gone; from or to no names at all a checkpoint has run; then the mark.
 *
 * fence: conninfo '' in the file, reload; a new session shows it; no
 * walreceiver lives; the replay has paused (the startup process has taken the
 * reload up); again no walreceiver, twice; position; resume.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "core/sync.h"
#include "daemon/postgres_internal.h"

#define NAMES_TIMEOUT_MS 60000
#define FENCE_TIMEOUT_MS 30000
#define STATEMENT_TIMEOUT_MS 30000
#define AGAIN_MS 20

/* ---- steps of one long action, on a session that is new ---- */

static void step(struct mt_postgres *pg);

static bool
still(const struct mt_postgres *pg)
{
	return !pg->closed &&
	       (pg->job == MT_JOB_NAMES || pg->job == MT_JOB_FENCE);
}

static void
fail(struct mt_postgres *pg, const struct mt_err *err)
{
	mt_session_want(pg->worker, false);
	mt_session_want(pg->identifier, false);
	postgres__job_end(pg, err);
}

/* The statement went well and its action goes on; else that was seen to. */
static bool
went_well(struct mt_postgres *pg, const struct mt_session_result *r)
{
	if (!still(pg))
		return false;
	if (r->err.code == 0)
		return true;
	fail(pg, &r->err);
	return false;
}

static void
again_cb(uv_timer_t *timer)
{
	struct mt_postgres *pg = container_of(timer, struct mt_postgres, again);

	if (still(pg))
		step(pg);
}

/* What was looked for is not there yet: the server tells nobody when it is. */
static void
again(struct mt_postgres *pg)
{
	uv_timer_start(&pg->again, again_cb, AGAIN_MS, 0);
}

static void
ask_on(struct mt_postgres *pg, struct mt_session *session, const char *sql,
       mt_session_cb cb)
{
	struct mt_session_stmt stmt = {
	    .sql = sql,
	    .timeout_ms = STATEMENT_TIMEOUT_MS,
	    .cb = cb,
	    .arg = pg,
	};
	struct mt_err err;

	if (mt_session_query(session, &stmt) != 0)
		return;
	mt_err_set(&err, MT_ENOMEM, "out of memory");
	fail(pg, &err);
}

static void
ask(struct mt_postgres *pg, const char *sql, mt_session_cb cb)
{
	ask_on(pg, pg->worker, sql, cb);
}

static void
go(struct mt_postgres *pg, enum sync_step next)
{
	pg->sync_step = next;
	step(pg);
}

static void
renew_session(struct mt_postgres *pg)
{
	mt_session_want(pg->worker, false);
	mt_session_want(pg->worker, true);
}

/* ---- names ---- */

static void
mark_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;
	struct mt_err err;

	if (!went_well(pg, r))
		return;
	if (mt_lsn_parse(mt_session_value(r, 0, 0), &pg->names_mark) != 0) {
		mt_err_set(&err, MT_EPROTO,
			   "PostgreSQL does not tell how far it has flushed");
		fail(pg, &err);
		return;
	}
	mt_session_want(pg->worker, false);
	pg->names_settled = true;
	pg->names_before = pg->names;
	postgres__job_end(pg, NULL);
	postgres__look_now(pg);
}

static void
checkpoint_cb(void *arg, const struct mt_session_result *r)
{
	if (went_well(arg, r))
		go(arg, SYNC_NUDGE);
}

static void
nudged_cb(void *arg, const struct mt_session_result *r)
{
	if (went_well(arg, r))
		go(arg, SYNC_MARK);
}

/* Rows are the walsenders that are older than this session. */
static void
older_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;

	if (!went_well(pg, r))
		return;
	if (r->n_rows > 0)
		again(pg);
	else
		go(pg, SYNC_CHECKPOINT);
}

/* One row: the text, and how many walsenders are of another mind. */
static void
shown_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;
	json_t *p = postgres__parameters(pg, postgres__role(pg));
	const char *text =
	    json_string_value(json_object_get(p, "synchronous_standby_names"));
	bool shown =
	    strcmp(mt_session_value(r, 0, 0), text != NULL ? text : "") == 0;

	json_decref(p);
	if (!went_well(pg, r))
		return;
	if (!shown) {
		renew_session(pg);
		again(pg);
	} else if (pg->names_managed &&
		   strcmp(mt_session_value(r, 0, 1), "0") != 0) {
		again(pg);
	} else {
		go(pg, pg->names.k != pg->names_before.k ? SYNC_WALSENDERS
							 : SYNC_CHECKPOINT);
	}
}

/* Members are those with a priority; who is none must have none. The text of
 * each name is ours, quoted for SQL. */
static void
ask_shown(struct mt_postgres *pg)
{
	char sql[MT_NODES_MAX * (2 * MT_NAME_MAX + 4) + 512];
	size_t n = (size_t)snprintf(
	    sql, sizeof(sql),
	    "SELECT current_setting('synchronous_standby_names'),"
	    " (SELECT count(*) FROM pg_stat_replication WHERE NOT"
	    " pg_is_in_recovery() AND (sync_priority > 0) <>"
	    " (lower(application_name) IN (''");

	for (int i = 0; i < pg->names.n; i++) {
		n += (size_t)snprintf(sql + n, sizeof(sql) - n, ",lower('");
		for (const char *p = pg->names.names[i]; *p != '\0'; p++) {
			if (*p == '\'')
				sql[n++] = '\'';
			sql[n++] = *p;
		}
		n += (size_t)snprintf(sql + n, sizeof(sql) - n, "')");
	}
	snprintf(sql + n, sizeof(sql) - n, ")))");
	ask(pg, sql, shown_cb);
}

/* ---- fence ---- */

static void
resumed_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;

	if (!went_well(pg, r))
		return;
	mt_session_want(pg->worker, false);
	mt_session_want(pg->identifier, false);
	pg->stopped = pg->fence;
	mt_info("no WAL is received any more, fence %llu, position %u/%llX",
		(unsigned long long)pg->fence, pg->at.timeline,
		(unsigned long long)pg->at.lsn);
	postgres__job_end(pg, NULL);
}

/*
 * Where the data ends. Of all that PostgreSQL tells about a standby, only this
 * names the timeline of the position: after a restart the control file may know
 * of an older one, and a walreceiver that just began names the one that it is
 * to bring. It is the end of the replay, or what was received beyond it on the
 * same timeline; what was received on a newer one has to be replayed first.
 */
static void
identify_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;
	struct mt_position at = {
	    .timeline = (uint32_t)strtoul(mt_session_value(r, 0, 1), NULL, 10),
	};
	struct mt_err err = r->err;

	if (!still(pg))
		return;
	if (err.code == 0 &&
	    (mt_lsn_parse(mt_session_value(r, 0, 2), &at.lsn) != 0 ||
	     at.timeline == 0))
		mt_err_set(&err, MT_EPROTO,
			   "PostgreSQL does not tell where its data ends");
	if (err.code != 0) {
		fail(pg, &err);
	} else if (at.lsn < pg->received) {
		again(pg);
	} else if (pg->sync_step == SYNC_IDENTIFY) {
		go(pg, SYNC_PAUSE);
	} else {
		pg->at = at;
		go(pg, SYNC_RESUME);
	}
}

/* Columns: conninfo, walreceiver's pid, pause state, received in this life,
 * what the startup process waits for. */
static void
fence_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;
	pid_t receiver = (pid_t)atoi(mt_session_value(r, 0, 1));
	bool paused = strcmp(mt_session_value(r, 0, 2), "paused") == 0;
	bool streamed =
	    mt_lsn_parse(mt_session_value(r, 0, 3), &pg->received) == 0;

	if (!went_well(pg, r))
		return;
	if (mt_session_value(r, 0, 0)[0] != '\0') {
		renew_session(pg);
		again(pg);
	} else if (receiver > 0) {
		pg->quiet = 0;
		if (kill(receiver, SIGTERM) != 0 && errno != ESRCH)
			mt_warn("could not end the walreceiver: %s",
				strerror(errno));
		again(pg);
	} else if ((!streamed || pg->adopted) && !pg->at_end &&
		   strcmp(mt_session_value(r, 0, 4),
			  "RecoveryRetrieveRetryInterval") != 0) {
		/* What an earlier life of the server received has no number
		 * but the end of the replay of all of it. */
		again(pg);
	} else if (!paused) {
		pg->at_end = true;
		go(pg, SYNC_IDENTIFY);
	} else if (++pg->quiet < 3) {
		again(pg); /* one that was just forked shows itself */
	} else {
		go(pg, SYNC_POSITION);
	}
}

static void
paused_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;

	if (!went_well(pg, r))
		return;
	pg->sync_step = SYNC_FENCE;
	again(pg);
}

#define FENCE_SQL(pause_state) \
	"SELECT current_setting('primary_conninfo')," \
	" (SELECT pid FROM pg_stat_activity" \
	"  WHERE backend_type = 'walreceiver')," pause_state \
	", pg_last_wal_receive_lsn()," \
	" (SELECT wait_event FROM pg_stat_activity" \
	"  WHERE backend_type = 'startup')"

static void
ask_fence(struct mt_postgres *pg)
{
	ask(pg,
	    pg->bins.version_num >= 140000
		? FENCE_SQL(" pg_get_wal_replay_pause_state()")
		: FENCE_SQL(" CASE WHEN pg_is_wal_replay_paused()"
			    " THEN 'paused' END"),
	    fence_cb);
}

/* ---- what is written ---- */

json_t *
postgres__parameters(const struct mt_postgres *pg, enum mt_conf_role role)
{
	char text[MT_SYNC_TEXT_MAX];
	json_t *p = json_copy(pg->parameters[role]);

	if (pg->names_managed)
		json_object_set_new(
		    p, "synchronous_standby_names",
		    json_string(mt_sync_text(text, &pg->names, pg->names_any)));
	return p;
}

static void
names_path(const struct mt_postgres *pg, char *buf, size_t size)
{
	mt_format(buf, size, "%s/names", pg->conf->raft.data_dir);
}

/* In a worker, before the server's file: what may be in effect is known to a
 * daemon that starts in the middle. */
int
postgres__keep_names(struct file_work *w)
{
	char path[MT_CONF_PATH_MAX + 16];
	json_t *o = json_object(), *names = json_array();
	char *text;
	int rv;

	for (int i = 0; i < w->names.n; i++)
		json_array_append_new(names, json_string(w->names.names[i]));
	json_object_set_new(o, "k", json_integer(w->names.k));
	json_object_set_new(o, "any", json_boolean(w->names_any));
	json_object_set_new(o, "names", names);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text == NULL)
		return mt_err_set(&w->err, MT_ENOMEM, "out of memory");
	names_path(w->pg, path, sizeof(path));
	rv = mt_file_write(path, text, strlen(text), 0600, &w->err);
	free(text);
	return rv;
}

void
postgres__recall_names(struct mt_postgres *pg)
{
	char path[MT_CONF_PATH_MAX + 16], *text;
	struct mt_err err;
	const json_t *name;
	json_t *o;
	size_t i;

	names_path(pg, path, sizeof(path));
	if (mt_file_read(path, 65536, &text, NULL, &err) != 0)
		return;
	o = json_loads(text, 0, NULL);
	free(text);
	json_array_foreach (json_object_get(o, "names"), i, name) {
		if (i < MT_NODES_MAX && json_is_string(name))
			mt_copy(pg->names.names[pg->names.n++], MT_NAME_MAX,
				json_string_value(name));
	}
	pg->names.k = (int)json_integer_value(json_object_get(o, "k"));
	pg->names_any = json_is_true(json_object_get(o, "any"));
	pg->names_managed = pg->names.n > 0;
	json_decref(o);
}

static struct mt_flushed *
flushed_of(struct mt_postgres *pg, const char *name)
{
	for (int i = 0; i < pg->n_flushed; i++)
		if (strcmp(pg->flushed[i].name, name) == 0)
			return &pg->flushed[i];
	if (pg->n_flushed == MT_NODES_MAX)
		return NULL;
	mt_copy(pg->flushed[pg->n_flushed].name, MT_NAME_MAX, name);
	return &pg->flushed[pg->n_flushed++];
}

/* After each look: who streams, and since when others do not. */
void
postgres__take_flushed(struct mt_postgres *pg)
{
	int64_t now_ms = mt_clock_ms();

	for (int i = 0; i < pg->n_flushed; i++)
		pg->flushed[i].streaming = false;
	for (int i = 0; i < pg->info.n_walsenders; i++) {
		const struct mt_pg_walsender *s = &pg->info.walsenders[i];
		struct mt_flushed *f = flushed_of(pg, s->application_name);

		if (f == NULL || strcmp(s->state, "streaming") != 0)
			continue;
		f->streaming = true;
		f->lsn = s->flush_lsn;
		if (f->lsn > f->most)
			f->most = f->lsn;
		f->last_ms = now_ms;
	}
}

/* A primary begins: nobody can have come yet. */
void
postgres__expect_standbys(struct mt_postgres *pg)
{
	pg->n_flushed = 0;
	for (int i = 0; i < pg->n_members; i++) {
		struct mt_flushed *f = flushed_of(pg, pg->members[i]);

		if (f == NULL)
			break;
		*f = (struct mt_flushed){.last_ms = mt_clock_ms()};
		mt_copy(f->name, sizeof(f->name), pg->members[i]);
	}
}

const struct mt_flushed *
mt_postgres_flushed(const struct mt_postgres *pg, int *n)
{
	*n = pg->n_flushed;
	return pg->flushed;
}

/* ---- the order ---- */

static void
step(struct mt_postgres *pg)
{
	switch (pg->sync_step) {
	case SYNC_SHOWN:
		ask_shown(pg);
		break;
	case SYNC_WALSENDERS:
		ask(pg,
		    "SELECT pg_terminate_backend(pid) FROM pg_stat_replication"
		    " WHERE NOT pg_is_in_recovery() AND backend_start <"
		    " (SELECT backend_start FROM pg_stat_activity"
		    "  WHERE pid = pg_backend_pid())",
		    older_cb);
		break;
	case SYNC_CHECKPOINT:
		if (pg->names_before.n >= 0 &&
		    (pg->names.n == 0) == (pg->names_before.n == 0))
			go(pg, SYNC_NUDGE);
		else
			ask(pg, "CHECKPOINT", checkpoint_cb);
		break;
	case SYNC_NUDGE:
		/* Who waits is released by a standby's next reply, not by the
		 * reload: a little WAL, that nobody waits for, brings one. */
		ask(pg,
		    "SET synchronous_commit = local;"
		    " SELECT CASE WHEN NOT pg_is_in_recovery()"
		    " THEN txid_current() END",
		    nudged_cb);
		break;
	case SYNC_MARK:
		ask(pg,
		    "SELECT CASE WHEN pg_is_in_recovery() THEN '0/0'"
		    " ELSE pg_current_wal_flush_lsn() END",
		    mark_cb);
		break;
	case SYNC_FENCE:
		ask_fence(pg);
		break;
	case SYNC_PAUSE:
		ask(pg, "SELECT pg_wal_replay_pause()", paused_cb);
		break;
	case SYNC_IDENTIFY:
	case SYNC_POSITION:
		ask_on(pg, pg->identifier, "IDENTIFY_SYSTEM", identify_cb);
		break;
	case SYNC_RESUME:
		ask(pg, "SELECT pg_wal_replay_resume()", resumed_cb);
		break;
	}
}

static void
reloaded_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;

	if (!went_well(pg, r))
		return;
	renew_session(pg);
	step(pg);
}

static void
written(struct file_work *w)
{
	struct mt_postgres *pg = w->pg;

	if (!still(pg))
		return;
	if (w->rv != 0)
		fail(pg, &w->err);
	else
		mt_session_reload(pg->session, STATEMENT_TIMEOUT_MS,
				  reloaded_cb, pg);
}

static void
begin(struct mt_postgres *pg, enum mt_job job, int64_t timeout_ms,
      enum sync_step first)
{
	json_t *p = postgres__parameters(pg, postgres__role(pg));
	struct file_work *w;

	postgres__job_begin(pg, job, timeout_ms);
	pg->sync_step = first;
	w = postgres__role_work(pg, p, pg->is_standby ? &pg->follow : NULL,
				written);
	json_decref(p);
	w->only_conf = true;
	postgres__file_queue(w);
}

void
mt_postgres_names(struct mt_postgres *pg, const struct mt_names *names,
		  bool any, bool managed)
{
	if (pg->job != MT_JOB_NONE || !postgres__running(pg))
		return;
	/* From here on what is in effect is a mix, until it is proven. */
	pg->names = *names;
	pg->names_any = any;
	pg->names_managed = managed;
	pg->names_settled = false;
	begin(pg, MT_JOB_NAMES, NAMES_TIMEOUT_MS, SYNC_SHOWN);
}

void
mt_postgres_fence(struct mt_postgres *pg, uint64_t epoch)
{
	if (pg->job != MT_JOB_NONE || !postgres__running(pg) || !pg->is_standby)
		return;
	mt_info("epoch %llu is fenced: no WAL is to be received any more",
		(unsigned long long)epoch);
	pg->fence = epoch;
	pg->quiet = 0;
	pg->at_end = false;
	pg->received = 0;
	mt_session_want(pg->identifier, true);
	memset(&pg->follow, 0, sizeof(pg->follow));
	pg->upstream[0] = '\0';
	begin(pg, MT_JOB_FENCE, FENCE_TIMEOUT_MS, SYNC_FENCE);
}
