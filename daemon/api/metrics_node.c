/* SPDX-License-Identifier: PostgreSQL */
/*
 * Metrics of this node: its PostgreSQL, under the known names, and of ours what
 * it is busy with and what holds it up. Happy path: the newest look into
 * PostgreSQL is written down. While that does not answer its numbers are 0 or
 * left out, as the names' old users expect.
 */
#include <stdlib.h>

#include "base/iso.h"
#include "base/text.h"
#include "daemon/api/metrics.h"

/* A time as PostgreSQL prints it, in seconds since 1970; 0 = unknown. */
static void
gauge_time(const struct api__page *p, const char *name, const char *help,
	   const char *text)
{
	struct mt_iso iso = {0};

	if (mt_iso_parse(text, &iso) != 0)
		iso.wall_ms = 0;
	api__family(p, name, "gauge", help);
	api__put_seconds(p, name, NULL, NULL, iso.wall_ms);
}

void
api__metrics_postgres(const struct api__page *p)
{
	const struct mt_pg_info *pg = p->pg;
	bool up = pg->at_ms != 0, standby = up && pg->in_recovery;
	uint64_t received =
	    pg->received_lsn != 0 ? pg->received_lsn : pg->replayed_lsn;

	api__gauge(p, "patroni_postgres_running",
		   "1 if PostgreSQL runs and answers.", up);
	gauge_time(p, "patroni_postmaster_start_time",
		   "Start of PostgreSQL, in seconds since 1970.",
		   pg->start_time);
	api__gauge(p, "patroni_primary", "1 if this node is a primary.",
		   up && !standby);
	api__counter(p, "patroni_xlog_location",
		     "Position of the write-ahead log of a primary, in bytes.",
		     up && !standby ? pg->current_lsn : 0);
	api__gauge(p, "patroni_standby_leader",
		   "1 if this node leads a standby cluster.", 0);
	api__gauge(p, "patroni_replica", "1 if this node is a standby.",
		   standby);
	api__gauge(p, "patroni_sync_standby",
		   "1 if commits wait for this standby, by name.",
		   standby && p->in.sync_standby);
	api__gauge(p, "patroni_quorum_standby",
		   "1 if commits wait for this standby, by number.",
		   standby && p->in.quorum_standby);
	api__counter(p, "patroni_xlog_received_location",
		     "Write-ahead log that a standby received, in bytes.",
		     standby ? received : 0);
	api__counter(p, "patroni_xlog_replayed_location",
		     "Write-ahead log that a standby replayed, in bytes.",
		     standby ? pg->replayed_lsn : 0);
	gauge_time(p, "patroni_xlog_replayed_timestamp",
		   "Time of the last transaction that a standby replayed.",
		   standby ? pg->replayed_time : "");
	api__gauge(p, "patroni_xlog_paused", "1 if replay is paused.",
		   standby && pg->replay_paused);
	if (up) {
		api__gauge(p, "patroni_postgres_streaming",
			   "1 if a standby streams.",
			   standby && p->in.streaming);
		api__gauge(p, "patroni_postgres_in_archive_recovery",
			   "1 if a standby replays from the archive.",
			   standby && !p->in.streaming && p->in.restore);
	}
	api__gauge(p, "patroni_postgres_server_version",
		   "Version of PostgreSQL, 0 while it does not answer.",
		   (uint64_t)pg->server_version);
}

void
api__metrics_state(const struct api__page *p)
{
	static const enum mt_pg_state states[] = {
	    MT_PG_INITIALIZING,     MT_PG_INITDB_FAILED,    MT_PG_BOOTSTRAPPING,
	    MT_PG_BOOTSTRAP_FAILED, MT_PG_CREATING_REPLICA, MT_PG_RUNNING,
	    MT_PG_STARTING,         MT_PG_START_FAILED,     MT_PG_RESTARTING,
	    MT_PG_RESTART_FAILED,   MT_PG_STOPPING,         MT_PG_STOPPED,
	    MT_PG_STOP_FAILED,      MT_PG_CRASHED,
	};
	const char *name = "patroni_postgres_state";

	fprintf(p->f,
		"# HELP %s State of PostgreSQL, as a number.\n# Values:", name);
	for (size_t i = 0; i < MT_COUNT(states); i++) {
		char text[64];

		mt_copy(text, sizeof(text), mt_pg_state_name(states[i]));
		for (char *c = text; *c != '\0'; c++)
			if (*c == ' ')
				*c = '_';
		fprintf(p->f, "%s%d=%s", i > 0 ? ", " : " ", (int)states[i],
			text);
	}
	fprintf(p->f, "\n# TYPE %s gauge\n", name);
	api__sample(p, name, NULL, NULL);
	fprintf(p->f, "%d\n",
		p->own != NULL && !p->view.local.witness ? (int)p->own->pg_state
							 : -1);
}

/* ---- ours ------------------------------------------------------------- */

static void
put_job(const struct api__page *p)
{
	const struct mt_local *l = &p->view.local;
	const char *name = "matriarch_job_seconds";

	api__gauge(p, "matriarch_jobs_running",
		   "Long actions on PostgreSQL that are under way.",
		   l->job != MT_JOB_NONE);
	api__family(p, name, "gauge",
		    "How long the long action has been under way.");
	if (l->job != MT_JOB_NONE)
		api__put_seconds(p, name, "job", mt_job_name(l->job),
				 p->view.now_ms - l->job_since_ms);
}

/* A slot that lost its WAL retains none, and one that is new reserved none. */
static void
put_slots(const struct api__page *p)
{
	const struct mt_pg_info *pg = p->pg;
	const char *retained = "matriarch_slot_retained_bytes";
	const char *active = "matriarch_slot_active";
	uint64_t end = pg->current_lsn;

	if (pg->in_recovery)
		end = pg->received_lsn > pg->replayed_lsn ? pg->received_lsn
							  : pg->replayed_lsn;
	api__family(p, retained, "gauge",
		    "Write-ahead log that a replication slot keeps.");
	for (int i = 0; i < pg->n_slots; i++) {
		uint64_t lsn = pg->slots[i].restart_lsn;

		if (lsn != 0)
			api__put_u64(p, retained, "slot", pg->slots[i].name,
				     end > lsn ? end - lsn : 0);
	}
	api__family(p, active, "gauge", "1 while a replication slot is used.");
	for (int i = 0; i < pg->n_slots; i++)
		api__put_u64(p, active, "slot", pg->slots[i].name,
			     pg->slots[i].active);
}

void
api__metrics_node(const struct api__page *p)
{
	put_job(p);
	put_slots(p);
	api__family(p, "matriarch_sync_waiting_sessions", "gauge",
		    "Sessions whose commit waits for a synchronous standby.");
	if (p->pg->at_ms != 0 && !p->pg->in_recovery)
		api__put_u64(p, "matriarch_sync_waiting_sessions", NULL, NULL,
			     (uint64_t)p->pg->n_sync_waiting);
}
