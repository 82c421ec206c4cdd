/* SPDX-License-Identifier: PostgreSQL */
/*
 * Looking into the running server: two sessions, one for looks and short
 * statements, one for checkpoints, which may take long. A look is made every
 * second, more often while something is awaited of it (mt_postgres_hurry), and
 * at once after a connection.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/postgres_internal.h"
#include "pg/conninfo.h"

#define LOOK_TIMEOUT_MS 5000
#define SETTLE_TIMEOUT_MS 600000
#define USUAL_MS 1000

/* ---- timeline history ---- */

/* Lines of "<timeline>\t<LSN>\t<reason>"; comments and blank lines between. */
static void
parse_history(struct mt_postgres *pg, const char *text)
{
	pg->n_history = 0;
	while (*text != '\0') {
		const char *end = strchrnul(text, '\n');
		struct mt_history h = {0};
		char lsn[MT_LSN_MAX], reason[sizeof(h.reason)] = "";

		/* %u would skip an empty line and read the next one twice */
		if (end > text &&
		    sscanf(text, "%u\t%23[0-9A-Fa-f/]\t%95[^\n]", &h.timeline,
			   lsn, reason) >= 2 &&
		    mt_lsn_parse(lsn, &h.lsn) == 0 && h.timeline > 0) {
			mt_copy(h.reason, sizeof(h.reason), reason);
			if (pg->n_history == MT_HISTORY_MAX) {
				memmove(&pg->history[0], &pg->history[1],
					sizeof(h) * (MT_HISTORY_MAX - 1));
				pg->n_history--;
			}
			pg->history[pg->n_history++] = h;
		}
		text = *end == '\0' ? end : end + 1;
	}
	if (pg->n_history > 0) { /* the newest is the one that we ended */
		struct mt_history *last = &pg->history[pg->n_history - 1];

		/* Or it was ended before this cluster was; nobody knows when.
		 */
		if (!pg->foreign || pg->promote_sent_ms != 0)
			last->at_ms = mt_wall_ms();
		mt_copy(last->new_leader, sizeof(last->new_leader),
			pg->conf->name);
	}
}

static void
history_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;

	pg->history_asked = false;
	if (pg->closed || r->err.code != 0 || r->n_rows == 0 ||
	    mt_session_is_null(r, 0, 0))
		return; /* asked again after the next look */
	parse_history(pg, mt_session_value(r, 0, 0));
	pg->history_of = pg->info.timeline;
	postgres__wake(pg);
}

static void
ask_history(struct mt_postgres *pg)
{
	if (pg->info.in_recovery || pg->info.timeline < 2 ||
	    pg->history_of == pg->info.timeline || pg->history_asked)
		return;
	pg->history_asked = true;
	if (mt_session_history(pg->session, pg->info.timeline, LOOK_TIMEOUT_MS,
			       history_cb, pg) == 0)
		pg->history_asked = false;
}

/* ---- looks ---- */

static void
settled_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;

	if (pg->closed)
		return;
	if (r->err.code != 0)
		mt_warn("checkpoint after the promotion failed: %s",
			r->err.text);
	mt_session_want(pg->settler, false);
	postgres__look_now(pg);
}

/* PostgreSQL's own checkpoint after a promotion takes its time; until there is
 * one nobody can be rewound to this primary. */
static void
settle(struct mt_postgres *pg)
{
	mt_session_want(pg->settler, true);
	mt_session_checkpoint(pg->settler, SETTLE_TIMEOUT_MS, settled_cb, pg);
}

static void
end_of_wait(struct mt_postgres *pg)
{
	if (pg->job == MT_JOB_START) {
		/* It began with them. */
		pg->names_settled = true;
		pg->names_before = pg->names;
		pg->names_mark = pg->info.flush_lsn;
		postgres__backup_files(pg);
		postgres__job_end(pg, NULL);
	} else if (pg->job == MT_JOB_PROMOTE && !pg->info.in_recovery) {
		settle(pg);
		pg->names_mark = pg->info.flush_lsn;
		pg->is_standby = false;
		postgres__role_changed(pg);
		postgres__proven(pg);
		postgres__expect_standbys(pg);
		postgres__job_end(pg, NULL);
	} else if (pg->job == MT_JOB_SLOTS && pg->slots_waiting == 0) {
		postgres__job_end(pg, NULL);
	}
}

/* A walreceiver that starts anew reports the beginning of its segment until
 * more arrives, and one that ended takes its timeline's number with it. What
 * was received once is on disk: while the postmaster lives a position does not
 * go back. */
void
postgres__take_position(struct mt_postgres *pg)
{
	const struct mt_pg_info *info = &pg->info;
	struct mt_position at = {.timeline = info->timeline};

	if (!info->in_recovery)
		at.lsn = info->current_lsn;
	else if (info->received_lsn > info->replayed_lsn)
		at.lsn = info->received_lsn;
	else
		at.lsn = info->replayed_lsn;
	if (at.timeline < pg->at.timeline)
		at.timeline = pg->at.timeline;
	if (at.timeline > pg->at.timeline || at.lsn > pg->at.lsn)
		pg->at = at;
}

/* Another message than the look before has seen came after that was asked. */
static void
take_receipt(struct mt_postgres *pg, const struct mt_pg_info *info)
{
	if (pg->info.receipt_time[0] != '\0' && info->receipt_time[0] != '\0' &&
	    strcmp(pg->info.receipt_time, info->receipt_time) != 0)
		pg->heard_ms = pg->receipt_ms;
	pg->receipt_ms = pg->asked_ms;
}

static void
look_cb(void *arg, const struct mt_pg_info *info, const struct mt_err *err)
{
	struct mt_postgres *pg = arg;
	struct mt_err e;

	pg->looking = false;
	if (pg->closed)
		return;
	pg->look_ms = mt_clock_ms() + pg->every_ms;
	if (info == NULL) {
		if (err->code != MT_ECANCELED)
			mt_debug("look failed: %s", err->text);
		return;
	}
	if (!postgres__running(pg))
		return;
	take_receipt(pg, info);
	pg->info = *info;
	postgres__take_position(pg);
	postgres__take_flushed(pg);
	postgres__ask_place(pg);
	if (pg->sysid[0] == '\0')
		mt_copy(pg->sysid, sizeof(pg->sysid), info->sysid);
	if (!info->in_recovery && !pg->as_primary) {
		/* Somebody promoted it by hand. It counts as a primary from
		 * here on, and has no right to be one. */
		mt_err_set(&e, MT_EREFUSED,
			   "PostgreSQL was promoted by somebody else");
		mt_error("%s", e.text);
		postgres__trouble(pg, &e);
		pg->as_primary = true;
	}
	/* Before the end of what was awaited: files that differ by the role
	 * are written with the next look, behind what a new primary owes the
	 * others. */
	postgres__refresh(pg);
	if (info->streaming && !pg->as_primary)
		postgres__proven(pg);
	end_of_wait(pg);
	ask_history(pg);
	postgres__keep_document(pg);
	postgres__ask_pending(pg);
	postgres__resume(pg);
	postgres__ask_users(pg);
	postgres__wake(pg);
}

void
postgres__look_now(struct mt_postgres *pg)
{
	if (pg->looking || !mt_session_accepting(pg->session))
		return;
	pg->looking = true;
	pg->asked_ms = mt_clock_ms();
	if (mt_session_look(pg->session, LOOK_TIMEOUT_MS, look_cb, pg) == 0)
		pg->looking = false;
}

void
mt_postgres_hurry(struct mt_postgres *pg, int64_t every_ms)
{
	int64_t now_ms = mt_clock_ms();

	pg->every_ms = every_ms > 0 ? every_ms : USUAL_MS;
	if (pg->look_ms > now_ms + pg->every_ms)
		pg->look_ms = now_ms + pg->every_ms;
}

int64_t
mt_postgres_next_ms(const struct mt_postgres *pg)
{
	int64_t next = 0, hang;

	if (mt_session_accepting(pg->session) && !pg->looking)
		next = pg->look_ms;
	if (pg->job_until_ms != 0 && (next == 0 || pg->job_until_ms < next))
		next = pg->job_until_ms;
	hang = postgres__hang_next_ms(pg);
	if (hang != 0 && (next == 0 || hang < next))
		next = hang;
	return next;
}

void
mt_postgres_tick(struct mt_postgres *pg, int64_t now_ms)
{
	struct mt_err err;

	postgres__hang_tick(pg, now_ms);
	if (mt_session_accepting(pg->session) && now_ms >= pg->look_ms)
		postgres__look_now(pg);
	if (pg->job_until_ms == 0 || now_ms < pg->job_until_ms)
		return;
	mt_err_set(&err, MT_ETIMEDOUT, "it took longer than %lld ms",
		   (long long)(pg->job_until_ms - pg->job_since_ms));
	postgres__job_end(pg, &err);
}

/* ---- sessions ---- */

static void
on_accepting(void *arg, bool accepting, const struct mt_err *err)
{
	struct mt_postgres *pg = arg;

	if (accepting) {
		if (pg->foreign)
			postgres__trouble(pg, NULL);
		postgres__look_now(pg);
	} else if (err != NULL) {
		mt_info("lost the session with PostgreSQL: %s", err->text);
		pg->info.at_ms = 0;
	}
	postgres__wake(pg);
}

/* A server that we start is known to let us in. One that was there may know
 * other users, or listen elsewhere. */
static void
on_refused(void *arg, const struct mt_err *err)
{
	struct mt_postgres *pg = arg;
	struct mt_err e;

	if (!pg->foreign || pg->stopping != STOP_NONE)
		return;
	mt_err_set(&e, MT_EREFUSED,
		   "cannot log in to the PostgreSQL that runs: %s", err->text);
	if (strncmp(e.text, pg->trouble, sizeof(pg->trouble) - 1) == 0)
		return;
	mt_warn("%s", e.text);
	postgres__trouble(pg, &e);
	postgres__wake(pg);
}

int
postgres__open_session(struct mt_postgres *pg, struct mt_session **s,
		       const struct mt_session_options *more,
		       struct mt_err *err)
{
	const struct mt_conf_postgresql *c = &pg->conf->postgresql;
	struct mt_session_options o = *more;

	o.user = c->superuser.username;
	o.password = c->superuser.password;
	o.libpq = &c->superuser.libpq;
	o.database = c->database;
	o.arg = pg;
	mt_pg_target_local(&o.target, c, c->parameters, more->replication);
	return mt_session_create(s, pg->loop, &o, err);
}

int
postgres__sessions_open(struct mt_postgres *pg, struct mt_err *err)
{
	static const struct mt_session_options looks = {
	    .on_accepting = on_accepting,
	    .on_refused = on_refused,
	};
	static const struct mt_session_options works;
	static const struct mt_session_options identifies = {
	    .replication = true,
	};
	int rv = postgres__open_session(pg, &pg->session, &looks, err);

	if (rv != 0)
		return rv;
	rv = postgres__open_session(pg, &pg->worker, &works, err);
	if (rv == 0)
		rv = postgres__open_session(pg, &pg->settler, &works, err);
	if (rv == 0)
		rv = postgres__open_session(pg, &pg->identifier, &identifies,
					    err);
	if (rv == 0)
		rv = postgres__hang_open(pg, err);
	if (rv == 0)
		return 0;
	mt_session_close(pg->session, NULL, NULL);
	if (pg->worker != NULL)
		mt_session_close(pg->worker, NULL, NULL);
	if (pg->settler != NULL)
		mt_session_close(pg->settler, NULL, NULL);
	if (pg->identifier != NULL)
		mt_session_close(pg->identifier, NULL, NULL);
	return rv;
}

void
postgres__server_up(struct mt_postgres *pg)
{
	memset(&pg->info, 0, sizeof(pg->info));
	memset(&pg->at, 0, sizeof(pg->at));
	pg->heard_ms = 0;
	pg->history_of = 0;
	postgres__expect_standbys(pg);
	pg->pending[0] = '\0';
	pg->pending_asked = pg->pause_seen = false;
	json_decref(pg->seen_settings);
	pg->seen_settings = NULL;
	pg->pending_ms = 0;
	pg->document_stale = true; /* the data may be another's copy */
	pg->place_known = pg->place_asked = false;
	pg->users_known = pg->users_asked = false;
	pg->users_ms = 0;
	pg->users_trouble[0] = '\0';
	postgres__retarget(pg);
	mt_session_want(pg->session, true);
}

void
postgres__server_down(struct mt_postgres *pg)
{
	memset(&pg->info, 0, sizeof(pg->info));
	pg->history_of = 0;
	mt_session_want(pg->session, false);
	mt_session_want(pg->worker, false);
	mt_session_want(pg->settler, false);
	mt_session_want(pg->identifier, false);
}
