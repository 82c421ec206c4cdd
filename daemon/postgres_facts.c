/* SPDX-License-Identifier: PostgreSQL */
/*
 * What is known of the local PostgreSQL, for the view, the reports and the API:
 * the struct's fields as facts of the core, its state and its role. It looks
 * nowhere and changes nothing.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "conf/methods.h"
#include "daemon/postgres_internal.h"
#include "pg/conninfo.h"

static bool
have_slots(const struct mt_postgres *pg, const struct mt_state *s,
	   const char *self)
{
	char slot[64];

	for (int i = 0; i < s->n_members; i++) {
		const struct mt_member *m = &s->members[i];
		bool found = false;

		if (m->witness || strcmp(m->name, self) == 0)
			continue;
		mt_pg_slot_name(slot, m->name);
		for (int k = 0; k < pg->info.n_slots && !found; k++)
			found = pg->info.slots[k].physical &&
				strcmp(pg->info.slots[k].name, slot) == 0;
		if (!found)
			return false;
	}
	return true;
}

static void
observe_control(const struct mt_postgres *pg, struct mt_local *l)
{
	const struct mt_pg_control *c = &pg->control;

	l->control = MT_CONTROL_UNKNOWN;
	l->checkpoint = (struct mt_position){0};
	if (!pg->control_known)
		return;
	l->no_hints = !c->checksums && !c->wal_log_hints;
	l->checkpoint.timeline = c->timeline;
	l->checkpoint.lsn = c->checkpoint_lsn;
	switch (c->state) {
	case MT_PGCTL_SHUT_DOWN:
		l->control = MT_CONTROL_SHUT_DOWN;
		break;
	case MT_PGCTL_PRODUCTION:
		/* A copy of a primary that ran, and no log of its own to find
		 * the end of: its recovery begins where the backup did. */
		l->control =
		    pg->has_label && pg->ending == NULL && pg->end.timeline == 0
			? MT_CONTROL_RECOVERY
			: MT_CONTROL_PRODUCTION;
		break;
	case MT_PGCTL_SHUT_DOWN_IN_RECOVERY:
	case MT_PGCTL_ARCHIVE_RECOVERY:
		l->control = c->state == MT_PGCTL_ARCHIVE_RECOVERY
				 ? MT_CONTROL_RECOVERY
				 : MT_CONTROL_SHUT_DOWN_RECOVERY;
		if (c->min_recovery_timeline != 0)
			l->checkpoint.timeline = c->min_recovery_timeline;
		if (c->min_recovery_lsn > l->checkpoint.lsn)
			l->checkpoint.lsn = c->min_recovery_lsn;
		break;
	case MT_PGCTL_UNKNOWN:
	case MT_PGCTL_STARTING_UP:
	case MT_PGCTL_SHUTTING_DOWN:
	case MT_PGCTL_CRASH_RECOVERY:
		l->control = MT_CONTROL_OTHER;
		break;
	}
}

static void
observe_server(const struct mt_postgres *pg, struct mt_local *l)
{
	const struct mt_pg_info *info = &pg->info;

	l->running = postgres__running(pg) && !pg->adopting;
	l->as_primary = pg->as_primary;
	l->guarded = l->running && mt_guard_is_guarded(pg->guard);
	l->foreign = l->running && pg->foreign;
	l->bare = l->running && pg->bare;
	l->accepting =
	    l->running && info->at_ms != 0 && mt_session_accepting(pg->session);
	l->reloads = pg->reloads;
	l->died = pg->died;
	l->died_ms = pg->died_ms;
	l->has_pre_promote = pg->conf->postgresql.pre_promote[0] != '\0';
	l->pre_promoted = pg->pre_promoted;
	l->refused_ms = pg->refused_ms;
	l->promote_sent_ms = pg->promote_sent_ms;
	l->exempt = l->running && pg->as_primary && pg->exempt;
	l->deadline_ms = l->exempt ? 0 : pg->armed_ms;
	mt_copy(l->upstream, sizeof(l->upstream), pg->upstream);
	mt_copy(l->upstream_url, sizeof(l->upstream_url), pg->upstream_url);
	if (info->at_ms == 0)
		return;
	l->rewindable = info->checkpoint_timeline == info->timeline;
	l->in_recovery = info->in_recovery;
	l->streaming = info->streaming;
	l->wal_heard_ms = pg->heard_ms;
	if (!pg->foreign || pg->place_known)
		l->at = pg->at;
	l->replayed_lsn = info->replayed_lsn;
}

void
mt_postgres_observe(const struct mt_postgres *pg, const struct mt_state *s,
		    bool use_slots, struct mt_local *l)
{
	l->data = pg->data;
	mt_copy(l->sysid, sizeof(l->sysid), pg->sysid);
	l->data_id = pg->data_id;
	l->can_bootstrap = pg->conf->bootstrap.present && !pg->bootstrap_failed;
	l->bootstrapped = pg->bootstrapped;
	l->fresh = pg->fresh;
	l->restored = pg->restored;
	l->can_restore = mt_method_any(&pg->conf->postgresql, "no_leader");
	l->keeps_data = mt_method_any(&pg->conf->postgresql, "keep_data");
	observe_control(pg, l);
	observe_server(pg, l);
	l->names = pg->names;
	l->names_settled = pg->names_settled;
	l->names_any = pg->names_any;
	l->names_mark = pg->names_mark;
	l->stopped = pg->stopped;
	l->end_pending = pg->ending != NULL;
	l->end = pg->end;
	l->rewound_ms = pg->rewound_ms;
	l->rewinds = pg->rewinds;
	postgres__hang_observe(pg, l);
	l->slots_ready = !use_slots || have_slots(pg, s, l->name);
	l->job = pg->job;
	l->job_since_ms = pg->job_since_ms;
	l->patience_ms = pg->conf->postgresql.pg_ctl_timeout_ms;
	l->last_job = pg->last_job;
	l->last_job_failed = pg->last_job_failed;
	l->source_gone = pg->source_gone;
	l->last_job_ms = pg->last_job_ms;
	l->failures = pg->failures;
	l->checkpoint_for = pg->checkpoint_for;
}

static bool
is_custom(const struct mt_postgres *pg)
{
	return pg->conf->bootstrap.section != NULL;
}

enum mt_pg_state
mt_postgres_state(const struct mt_postgres *pg)
{
	switch (pg->job) {
	case MT_JOB_BOOTSTRAP:
		return is_custom(pg) ? MT_PG_BOOTSTRAPPING : MT_PG_INITIALIZING;
	case MT_JOB_CLONE:
		return MT_PG_CREATING_REPLICA;
	case MT_JOB_STOP:
		return MT_PG_STOPPING;
	case MT_JOB_START:
		return MT_PG_STARTING;
	case MT_JOB_NONE:
	case MT_JOB_RECOVER:
	case MT_JOB_REWIND:
	case MT_JOB_PRE_PROMOTE:
	case MT_JOB_PROMOTE:
	case MT_JOB_CHECKPOINT:
	case MT_JOB_FOLLOW:
	case MT_JOB_SLOTS:
	case MT_JOB_DISCARD:
	case MT_JOB_NAMES:
	case MT_JOB_FENCE:
		break;
	}
	if (postgres__running(pg))
		return pg->info.at_ms != 0 ? MT_PG_RUNNING : MT_PG_STARTING;
	if (pg->last_job == MT_JOB_START && pg->last_job_failed)
		return MT_PG_START_FAILED;
	if (pg->bootstrap_failed)
		return is_custom(pg) ? MT_PG_BOOTSTRAP_FAILED
				     : MT_PG_INITDB_FAILED;
	return pg->died ? MT_PG_CRASHED : MT_PG_STOPPED;
}

enum mt_pg_role
mt_postgres_role(const struct mt_postgres *pg)
{
	if (pg->data == MT_DATA_EMPTY || pg->data == MT_DATA_PARTIAL)
		return MT_ROLE_UNINITIALIZED;
	if (!postgres__running(pg))
		return pg->control_known &&
			       (pg->control.state == MT_PGCTL_SHUT_DOWN ||
				pg->control.state == MT_PGCTL_PRODUCTION)
			   ? MT_ROLE_DEMOTED
			   : MT_ROLE_REPLICA;
	if (!pg->as_primary)
		return MT_ROLE_REPLICA;
	return pg->info.at_ms != 0 && !pg->info.in_recovery ? MT_ROLE_PRIMARY
							    : MT_ROLE_PROMOTED;
}

const struct mt_pg_info *
mt_postgres_info(const struct mt_postgres *pg)
{
	return &pg->info;
}

const struct mt_history *
mt_postgres_history(const struct mt_postgres *pg, int *n)
{
	*n = pg->history_of != 0 && pg->history_of == pg->info.timeline
		 ? pg->n_history
		 : 0;
	return pg->history;
}

int
mt_postgres_clone_percent(const struct mt_postgres *pg)
{
	return pg->job == MT_JOB_CLONE && pg->percent > 0 ? pg->percent : 0;
}

char *
mt_postgres_progress(const struct mt_postgres *pg, char *buf, size_t size)
{
	int64_t done = 0, all = 0;

	buf[0] = '\0';
	if (pg->job != MT_JOB_CLONE || pg->work == NULL)
		return buf;
	mt_pg_job_bytes(pg->work, &done, &all);
	if (all > 0)
		mt_format(buf, size, "%s, %d %%, %" PRId64 " of %" PRId64 " MB",
			  pg->step, pg->percent, done >> 20, all >> 20);
	else
		mt_format(buf, size, "%s for %" PRId64 " s", pg->step,
			  (mt_clock_ms() - pg->job_since_ms) / 1000);
	return buf;
}

const char *
mt_postgres_trouble(const struct mt_postgres *pg)
{
	return pg->trouble[0] != '\0' ? pg->trouble : pg->users_trouble;
}

bool
mt_postgres_bootstrap_failed(const struct mt_postgres *pg)
{
	return pg->bootstrap_failed;
}
