/* SPDX-License-Identifier: PostgreSQL */
/*
 * A standby whose primary was started with more of what both need alike
 * (max_connections and so on) stops replaying, and would wait so until somebody
 * starts it anew. Happy path: a look finds the replay paused, the control file
 * says what the primary has, the server runs with less: the replay is told to
 * go on, which ends the server; the agent starts it again, then with the
 * control file's values.
 *
 * A pause that somebody else asked for is left alone: it is looked into once.
 * Where the cluster is paused this waits for its end.
 * Versions before 14 end by themselves. It decides nothing of a restart.
 */
#include "base/log.h"
#include "base/text.h"
#include "conf/settings.h"
#include "daemon/postgres_internal.h"
#include "pg/pending.h"

#define RESUME_TIMEOUT_MS 10000
#define VERSION_PAUSES 140000

/* By mt_pg_recorded's order. */
static int
recorded(const struct mt_pg_control *c, size_t i)
{
	const int values[] = {c->max_connections, c->max_prepared_transactions,
			      c->max_locks_per_transaction,
			      c->max_worker_processes, c->max_wal_senders};

	return values[i];
}

static bool
is_less(const struct mt_postgres *pg, const struct mt_pg_control *c)
{
	const json_t *running = json_object_get(pg->seen_settings, "running");
	const char *const *names = mt_pg_recorded();

	for (size_t i = 0; names[i] != NULL; i++) {
		const json_t *has = json_object_get(running, names[i]);

		if (!json_is_integer(has) ||
		    json_integer_value(has) >= recorded(c, i))
			continue;
		mt_warn("the replay is paused: the primary runs with %s = %d, "
			"this standby with %d; it is started anew with the "
			"primary's",
			names[i], recorded(c, i), (int)json_integer_value(has));
		return true;
	}
	return false;
}

static void
resumed(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;

	/* The server ends at once, maybe before it answers. */
	if (!pg->closed && r->err.code == MT_EREFUSED)
		mt_warn("could not resume the replay: %s", r->err.text);
}

static void
control_cb(void *arg, const struct mt_pg_control *control,
	   const struct mt_err *err)
{
	struct mt_postgres *pg = arg;

	pg->conflict_reading = NULL;
	if (pg->closed) {
		postgres__one_closed(pg);
		return;
	}
	if (control == NULL) {
		mt_warn("could not read the control file: %s", err->text);
		return;
	}
	if (postgres__running(pg) && pg->info.replay_paused &&
	    pg->job == MT_JOB_NONE && is_less(pg, control))
		mt_session_query(pg->session,
				 &(struct mt_session_stmt){
				     .sql = "SELECT pg_wal_replay_resume()",
				     .timeout_ms = RESUME_TIMEOUT_MS,
				     .cb = resumed,
				     .arg = pg,
				 });
}

void
postgres__resume(struct mt_postgres *pg)
{
	struct mt_settings settings;
	struct mt_err err;

	if (!pg->info.replay_paused) {
		pg->pause_seen = false;
		return;
	}
	/* A fence pauses for a moment; it is a long action. */
	if (pg->pause_seen || pg->conflict_reading != NULL ||
	    pg->job != MT_JOB_NONE || !pg->is_standby || pg->as_primary ||
	    pg->bins.version_num < VERSION_PAUSES ||
	    json_object_get(pg->seen_settings, "running") == NULL)
		return;
	/* While the cluster is paused nobody would start it again. */
	mt_settings_parse(&settings, pg->document);
	if (settings.pause)
		return;
	pg->pause_seen = true;
	if (mt_pg_control_read(&pg->conflict_reading, pg->loop, &pg->bins,
			       pg->conf->postgresql.data_dir, control_cb, pg,
			       &err) != 0) {
		pg->conflict_reading = NULL;
		mt_warn("%s", err.text);
	}
}

/* How many calls of postgres__one_closed will come. */
int
postgres__resume_close(struct mt_postgres *pg)
{
	if (pg->conflict_reading == NULL)
		return 0;
	mt_child_cancel(pg->conflict_reading);
	return 1;
}
