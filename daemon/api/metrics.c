/* SPDX-License-Identifier: PostgreSQL */
/*
 * GET /metrics, in the text format of Prometheus. Names that begin with
 * patroni_ are those that existing dashboards know, in the known order, with
 * the labels scope and name and no other; ours begin with matriarch_ and follow
 * them. Happy path: one pass over what the API sees of the node; metrics_node.c
 * and metrics_raft.c write what is of one topic.
 *
 * What is not known has no sample where that is allowed: 0 would be a claim.
 */
#include "daemon/api/metrics.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/text.h"
#include "core/forecast.h"
#include "daemon/api/tls.h"

void
api__family(const struct api__page *p, const char *name, const char *type,
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

void
api__sample(const struct api__page *p, const char *name, const char *label,
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

void
api__put_u64(const struct api__page *p, const char *name, const char *label,
	     const char *which, uint64_t value)
{
	api__sample(p, name, label, which);
	fprintf(p->f, "%" PRIu64 "\n", value);
}

void
api__put_seconds(const struct api__page *p, const char *name, const char *label,
		 const char *which, int64_t ms)
{
	api__sample(p, name, label, which);
	fprintf(p->f, "%s%" PRId64 ".%03d\n", ms < 0 ? "-" : "",
		ms < 0 ? -ms / 1000 : ms / 1000,
		(int)(ms < 0 ? -ms % 1000 : ms % 1000));
}

void
api__gauge(const struct api__page *p, const char *name, const char *help,
	   uint64_t value)
{
	api__family(p, name, "gauge", help);
	api__put_u64(p, name, NULL, NULL, value);
}

void
api__counter(const struct api__page *p, const char *name, const char *help,
	     uint64_t value)
{
	api__family(p, name, "counter", help);
	api__put_u64(p, name, NULL, NULL, value);
}

void
api__gauge_seconds(const struct api__page *p, const char *name,
		   const char *help, int64_t ms)
{
	api__family(p, name, "gauge", help);
	api__put_seconds(p, name, NULL, NULL, ms);
}

/* "4.1.4" is 040104 */
static void
put_version(const struct api__page *p)
{
	unsigned a = 0, b = 0, c = 0;

	(void)sscanf(p->b->version, "%u.%u.%u", &a, &b, &c);
	api__family(p, "patroni_version", "gauge",
		    "Version of the daemon, two digits for each part.");
	api__sample(p, "patroni_version", NULL, NULL);
	fprintf(p->f, "%02u%02u%02u\n", a % 100, b % 100, c % 100);
}

static void
put_cluster(const struct api__page *p)
{
	int priority = p->own != NULL ? p->own->failover_priority : 1;

	api__gauge(p, "patroni_cluster_unlocked",
		   "1 if nobody is known to hold the turn as primary.",
		   !p->in.fresh || api__leader(&p->view) == NULL);
	api__gauge(p, "patroni_failsafe_mode_is_active",
		   "1 if the primary goes on by failsafe mode.", 0);
	api__gauge(p, "patroni_failsafe_mode_enabled",
		   "1 if failsafe mode is on.", 0);
	api__gauge(p, "patroni_failsafe_member",
		   "1 if this node is a member of failsafe mode.", 0);
	api__gauge(p, "patroni_postgres_timeline",
		   "Timeline of PostgreSQL, or 0.", p->pg->timeline);
	api__gauge(p, "patroni_dcs_last_seen",
		   "Last contact with a Raft leader, in seconds since 1970.",
		   (uint64_t)p->b->last_seen(p->b->arg));
	api__gauge(p, "patroni_pending_restart",
		   "1 if a setting waits for a restart of PostgreSQL.",
		   p->own != NULL && p->own->pending_restart);
	api__gauge(p, "patroni_is_paused", "1 if the cluster is paused.",
		   p->view.settings->pause);
	api__metrics_state(p);
	api__family(p, "patroni_failover_priority", "gauge",
		    "Priority of this node at a failover, 0 = never.");
	api__sample(p, "patroni_failover_priority", NULL, NULL);
	fprintf(p->f, "%d\n",
		p->own != NULL && p->own->nofailover ? 0 : priority);
}

static void
put_forecast(const struct api__page *p)
{
	const char *outage = "matriarch_forecast_outage_seconds";
	const char *candidate = "matriarch_forecast_candidate";
	struct mt_forecast f;

	mt_forecast(&p->view, &f);
	api__family(
	    p, candidate, "gauge",
	    "1 for the member that would take over if the primary died.");
	if (*f.candidate != '\0') {
		api__put_u64(p, candidate, "member", f.candidate, 1);
	}
	api__family(p, "matriarch_forecast_lost_bytes", "gauge",
		    "Written by the primary, and not yet received by who would "
		    "take over.");
	if (f.lost_known)
		api__put_u64(p, "matriarch_forecast_lost_bytes", NULL, NULL,
			     f.lost_bytes);
	api__family(p, outage, "gauge",
		    "How long nobody could write, about, by what is lost.");
	if (*f.candidate != '\0') {
		api__put_seconds(p, outage, "lost", "node", f.node_ms);
		api__put_seconds(p, outage, "lost", "postgres", f.crash_ms);
		api__put_seconds(p, outage, "lost", "nothing", f.switchover_ms);
	}
}

static void
put_access(const struct api__page *p)
{
	api__gauge(p, "matriarch_restapi_open",
		   "1 if everybody who reaches the REST API may change the "
		   "cluster.",
		   api__is_open(p->b->conf));
}

static void
put_log(const struct api__page *p)
{
	struct mt_log_stats log;

	mt_log_stats(&log);
	api__counter(p, "matriarch_log_lost_total",
		     "Records of the log that nothing took in time.", log.lost);
	api__gauge(p, "matriarch_log_queue",
		   "Records of the log that wait to be written.", log.waiting);
}

static void
put_certificate(const struct api__page *p, const struct mt_api *api)
{
	static const char name[] = "matriarch_restapi_certificate_days_left";
	int64_t days;

	api__family(p, name, "gauge",
		    "Days until the certificate of the REST API ends.");
	if (!mt_api_certificate_days(api, &days))
		return;
	api__sample(p, name, NULL, NULL);
	fprintf(p->f, "%" PRId64 "\n", days);
}

void
api__get_metrics(struct mt_api *api, struct mt_http_request *r)
{
	struct api__page p = {.b = api->backend};
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
		api__metrics_postgres(&p);
		put_cluster(&p);
		api__metrics_lease(&p);
		api__counter(&p, "matriarch_decisions_total",
			     "Decisions about the primary.",
			     p.view.state->last_decision);
		api__metrics_raft(&p);
		put_forecast(&p);
		api__metrics_node(&p);
		put_access(&p);
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
