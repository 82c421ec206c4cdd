/* SPDX-License-Identifier: PostgreSQL */
/*
 * GET /metrics, in the text format of Prometheus. Names that begin with
 * patroni_ are those that existing dashboards know, in the known order, with
 * the labels scope and name and no other; ours begin with matriarch_ and follow
 * them. Happy path: one pass over what the API sees of the node.
 *
 * What is not known has no sample where that is allowed: 0 would be a claim.
 */
#include "daemon/api/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/iso.h"
#include "base/log.h"
#include "base/text.h"
#include "core/forecast.h"
#include "daemon/api/tls.h"

struct page {
	FILE *f;
	const struct mt_api_backend *b;
	struct mt_view view;
	struct mt_health_input in;
	struct mt_pg_info none;
	const struct mt_pg_info *pg; /* none unless it answers */
	const struct mt_report *own; /* NULL: not yet */
};

static void
family(const struct page *p, const char *name, const char *type,
       const char *help)
{
	fprintf(p->f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Label values may hold anything but these three as they are. */
static void
put_value(FILE *f, const char *text)
{
	fputc('"', f);
	for (; *text != '\0'; text++)
		if (*text == '\n')
			fputs("\\n", f);
		else if (*text == '"' || *text == '\\')
			fprintf(f, "\\%c", *text);
		else
			fputc(*text, f);
	fputc('"', f);
}

/* The beginning of a sample's line, up to its value. label NULL = none. */
static void
begin(const struct page *p, const char *name, const char *label,
      const char *value)
{
	fprintf(p->f, "%s{scope=", name);
	put_value(p->f, p->b->conf->scope);
	fputs(",name=", p->f);
	put_value(p->f, p->view.local.name);
	if (label != NULL) {
		fprintf(p->f, ",%s=", label);
		put_value(p->f, value);
	}
	fputs("} ", p->f);
}

static void
put_u64(const struct page *p, const char *name, uint64_t value)
{
	begin(p, name, NULL, NULL);
	fprintf(p->f, "%" PRIu64 "\n", value);
}

static void
put_seconds(const struct page *p, const char *name, const char *label,
	    const char *which, int64_t ms)
{
	begin(p, name, label, which);
	fprintf(p->f, "%s%" PRId64 ".%03d\n", ms < 0 ? "-" : "",
		ms < 0 ? -ms / 1000 : ms / 1000,
		(int)(ms < 0 ? -ms % 1000 : ms % 1000));
}

static void
gauge(const struct page *p, const char *name, const char *help, uint64_t value)
{
	family(p, name, "gauge", help);
	put_u64(p, name, value);
}

static void
counter(const struct page *p, const char *name, const char *help,
	uint64_t value)
{
	family(p, name, "counter", help);
	put_u64(p, name, value);
}

/* A time as PostgreSQL prints it, in seconds since 1970; 0 = unknown. */
static void
gauge_time(const struct page *p, const char *name, const char *help,
	   const char *text)
{
	struct mt_iso iso = {0};

	if (mt_iso_parse(text, &iso) != 0)
		iso.wall_ms = 0;
	family(p, name, "gauge", help);
	put_seconds(p, name, NULL, NULL, iso.wall_ms);
}

/* "4.1.4" is 040104 */
static void
put_version(const struct page *p)
{
	unsigned a = 0, b = 0, c = 0;

	(void)sscanf(p->b->version, "%u.%u.%u", &a, &b, &c);
	family(p, "patroni_version", "gauge",
	       "Version of the daemon, two digits for each part.");
	begin(p, "patroni_version", NULL, NULL);
	fprintf(p->f, "%02u%02u%02u\n", a % 100, b % 100, c % 100);
}

static void
put_postgres(const struct page *p)
{
	const struct mt_pg_info *pg = p->pg;
	bool up = pg->at_ms != 0, standby = up && pg->in_recovery;
	uint64_t received =
	    pg->received_lsn != 0 ? pg->received_lsn : pg->replayed_lsn;

	gauge(p, "patroni_postgres_running",
	      "1 if PostgreSQL runs and answers.", up);
	gauge_time(p, "patroni_postmaster_start_time",
		   "Start of PostgreSQL, in seconds since 1970.",
		   pg->start_time);
	gauge(p, "patroni_primary", "1 if this node is a primary.",
	      up && !standby);
	counter(p, "patroni_xlog_location",
		"Position of the write-ahead log of a primary, in bytes.",
		up && !standby ? pg->current_lsn : 0);
	gauge(p, "patroni_standby_leader",
	      "1 if this node leads a standby cluster.", 0);
	gauge(p, "patroni_replica", "1 if this node is a standby.", standby);
	gauge(p, "patroni_sync_standby",
	      "1 if commits wait for this standby, by name.",
	      standby && p->in.sync_standby);
	gauge(p, "patroni_quorum_standby",
	      "1 if commits wait for this standby, by number.",
	      standby && p->in.quorum_standby);
	counter(p, "patroni_xlog_received_location",
		"Write-ahead log that a standby received, in bytes.",
		standby ? received : 0);
	counter(p, "patroni_xlog_replayed_location",
		"Write-ahead log that a standby replayed, in bytes.",
		standby ? pg->replayed_lsn : 0);
	gauge_time(p, "patroni_xlog_replayed_timestamp",
		   "Time of the last transaction that a standby replayed.",
		   standby ? pg->replayed_time : "");
	gauge(p, "patroni_xlog_paused", "1 if replay is paused.",
	      standby && pg->replay_paused);
	if (up) {
		gauge(p, "patroni_postgres_streaming",
		      "1 if a standby streams.", standby && p->in.streaming);
		gauge(p, "patroni_postgres_in_archive_recovery",
		      "1 if a standby replays from the archive.",
		      standby && !p->in.streaming && p->in.restore);
	}
	gauge(p, "patroni_postgres_server_version",
	      "Version of PostgreSQL, 0 while it does not answer.",
	      (uint64_t)pg->server_version);
}

static void
put_state(const struct page *p)
{
	static const enum mt_pg_state states[] = {
	    MT_PG_INITIALIZING,     MT_PG_INITDB_FAILED,    MT_PG_BOOTSTRAPPING,
	    MT_PG_BOOTSTRAP_FAILED, MT_PG_CREATING_REPLICA, MT_PG_RUNNING,
	    MT_PG_STARTING,         MT_PG_START_FAILED,     MT_PG_RESTARTING,
	    MT_PG_STOPPING,         MT_PG_STOPPED,          MT_PG_STOP_FAILED,
	    MT_PG_CRASHED,
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
	begin(p, name, NULL, NULL);
	fprintf(p->f, "%d\n",
		p->own != NULL && !p->view.local.witness ? (int)p->own->pg_state
							 : -1);
}

static void
put_cluster(const struct page *p)
{
	int priority = p->own != NULL ? p->own->failover_priority : 1;

	gauge(p, "patroni_cluster_unlocked",
	      "1 if nobody is known to hold the turn as primary.",
	      !p->in.fresh || api__leader(&p->view) == NULL);
	gauge(p, "patroni_failsafe_mode_is_active",
	      "1 if the primary goes on by failsafe mode.", 0);
	gauge(p, "patroni_failsafe_mode_enabled", "1 if failsafe mode is on.",
	      0);
	gauge(p, "patroni_failsafe_member",
	      "1 if this node is a member of failsafe mode.", 0);
	gauge(p, "patroni_postgres_timeline", "Timeline of PostgreSQL, or 0.",
	      p->pg->timeline);
	gauge(p, "patroni_dcs_last_seen",
	      "Last contact with a Raft leader, in seconds since 1970.",
	      (uint64_t)p->b->last_seen(p->b->arg));
	gauge(p, "patroni_pending_restart",
	      "1 if a setting waits for a restart of PostgreSQL.",
	      p->own != NULL && p->own->pending_restart);
	gauge(p, "patroni_is_paused", "1 if the cluster is paused.",
	      p->view.settings->pause);
	put_state(p);
	family(p, "patroni_failover_priority", "gauge",
	       "Priority of this node at a failover, 0 = never.");
	begin(p, "patroni_failover_priority", NULL, NULL);
	fprintf(p->f, "%d\n",
		p->own != NULL && p->own->nofailover ? 0 : priority);
}

static void
put_lease(const struct page *p)
{
	const struct mt_health_input *in = &p->in;
	bool held = in->holds && in->lease_epoch == in->epoch &&
		    in->deadline_ms > in->now_ms;

	gauge(p, "matriarch_epoch", "Epoch of the newest assignment.",
	      p->view.state->leader.epoch);
	family(p, "matriarch_lease_seconds", "gauge",
	       "How long this node may act as primary without a new answer.");
	put_seconds(p, "matriarch_lease_seconds", NULL, NULL,
		    held ? in->deadline_ms - in->now_ms : 0);
	gauge(p, "matriarch_last_decision", "Number of the newest decision.",
	      p->view.state->last_decision);
}

static void
put_raft(const struct page *p)
{
	const char *age = "matriarch_raft_contact_age_seconds";
	struct mt_raft_info raft;

	p->b->raft(p->b->arg, &raft);
	gauge(p, "matriarch_raft_leader", "1 if this node is Raft's leader.",
	      mt_streq(raft.state, "leader"));
	gauge(p, "matriarch_raft_term", "Raft's term.", raft.term);
	gauge(p, "matriarch_raft_last_index", "Last entry of the log.",
	      raft.last_index);
	gauge(p, "matriarch_raft_commit_index", "Last committed entry.",
	      raft.commit_index);
	gauge(p, "matriarch_raft_applied_index", "Last applied entry.",
	      raft.applied_index);
	family(p, "matriarch_raft_write_seconds", "gauge",
	       "Time that a write of the log took: the last, the longest.");
	put_seconds(p, "matriarch_raft_write_seconds", "which", "last",
		    raft.last_write_ms);
	put_seconds(p, "matriarch_raft_write_seconds", "which", "longest",
		    raft.max_write_ms);
	family(p, age, "gauge", "Time since the last message of a member.");
	for (int i = 0; i < raft.n_members; i++)
		if (raft.members[i].contact_age_ms >= 0 &&
		    raft.members[i].id != raft.id)
			put_seconds(p, age, "member",
				    *raft.members[i].name != '\0'
					? raft.members[i].name
					: raft.members[i].address,
				    raft.members[i].contact_age_ms);
}

static void
put_forecast(const struct page *p)
{
	const char *outage = "matriarch_forecast_outage_seconds";
	const char *candidate = "matriarch_forecast_candidate";
	struct mt_forecast f;

	mt_forecast(&p->view, &f);
	family(p, candidate, "gauge",
	       "1 for the member that would take over if the primary died.");
	if (*f.candidate != '\0') {
		begin(p, candidate, "member", f.candidate);
		fputs("1\n", p->f);
	}
	family(p, "matriarch_forecast_lost_bytes", "gauge",
	       "Written by the primary, and not yet received by who would "
	       "take over.");
	if (f.lost_known)
		put_u64(p, "matriarch_forecast_lost_bytes", f.lost_bytes);
	family(p, outage, "gauge",
	       "How long nobody could write, about, by what is lost.");
	if (*f.candidate != '\0') {
		put_seconds(p, outage, "lost", "node", f.node_ms);
		put_seconds(p, outage, "lost", "postgres", f.crash_ms);
		put_seconds(p, outage, "lost", "nothing", f.switchover_ms);
	}
}

static void
put_log(const struct page *p)
{
	struct mt_log_stats log;

	mt_log_stats(&log);
	counter(p, "matriarch_log_lost_total",
		"Records of the log that nothing took in time.", log.lost);
	gauge(p, "matriarch_log_queue",
	      "Records of the log that wait to be written.", log.waiting);
}

static void
put_certificate(const struct page *p, const struct mt_api *api)
{
	static const char name[] = "matriarch_restapi_certificate_days_left";
	int64_t days;

	if (!mt_api_certificate_days(api, &days))
		return;
	family(p, name, "gauge",
	       "Days until the certificate of the REST API ends.");
	begin(p, name, NULL, NULL);
	fprintf(p->f, "%" PRId64 "\n", days);
}

void
api__get_metrics(struct mt_api *api, struct mt_http_request *r)
{
	struct page p = {.b = api->backend};
	const struct mt_seen *own;
	char *text = NULL;
	size_t n = 0;

	p.b->view(p.b->arg, &p.view);
	api__health_input(api, &p.view, &p.in);
	own = mt_reports_find(p.view.reports, p.view.local.name);
	p.own = own != NULL ? &own->report : NULL;
	p.pg = p.b->pg(p.b->arg);
	if (p.pg == NULL || !p.in.accepting)
		p.pg = &p.none;
	p.f = open_memstream(&text, &n);
	if (p.f != NULL) {
		put_version(&p);
		put_postgres(&p);
		put_cluster(&p);
		put_lease(&p);
		put_raft(&p);
		put_forecast(&p);
		put_log(&p);
		put_certificate(&p, api);
	}
	if (p.f == NULL || fclose(p.f) != 0) {
		api__respond_text(r, 500, "could not write the answer");
	} else {
		const struct mt_http_answer answer = {
		    .status = 200,
		    .type = "text/plain",
		    .body = text,
		    .body_bytes = n,
		};

		mt_http_respond(r, &answer);
	}
	free(text);
}
