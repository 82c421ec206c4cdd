/* SPDX-License-Identifier: PostgreSQL */
/*
 * The page of GET /metrics and the ways to write on it, for the files that fill
 * it: metrics.c what the cluster is, metrics_node.c this node, metrics_raft.c
 * Raft, the log and the lease.
 */
#ifndef MT_DAEMON_API_METRICS_H
#define MT_DAEMON_API_METRICS_H

#include <stdio.h>

#include "daemon/api/internal.h"

struct api__page {
	FILE *f;
	const struct mt_api_backend *b;
	struct mt_view view;
	struct mt_health_input in;
	struct mt_pg_info none;
	const struct mt_pg_info *pg; /* none unless it answers */
	const struct mt_report *own; /* NULL: not yet */
};

/* HELP and TYPE; samples follow. type is "gauge" or "counter". */
void api__family(const struct api__page *p, const char *name, const char *type,
		 const char *help);
/* The beginning of a sample's line, up to its value. label NULL = none. */
void api__sample(const struct api__page *p, const char *name, const char *label,
		 const char *value);
/* Samples. */
void api__put_u64(const struct api__page *p, const char *name,
		  const char *label, const char *which, uint64_t value);
void api__put_seconds(const struct api__page *p, const char *name,
		      const char *label, const char *which, int64_t ms);
/* Families of one sample. */
void api__gauge(const struct api__page *p, const char *name, const char *help,
		uint64_t value);
void api__counter(const struct api__page *p, const char *name, const char *help,
		  uint64_t value);
void api__gauge_seconds(const struct api__page *p, const char *name,
			const char *help, int64_t ms);

/* metrics_node.c: the known names up to the server's version, */
void api__metrics_postgres(const struct api__page *p);
/* and patroni_postgres_state. */
void api__metrics_state(const struct api__page *p);
/* Ours: the long action, slots, who waits. */
void api__metrics_node(const struct api__page *p);

/* metrics_raft.c */
void api__metrics_lease(const struct api__page *p);
void api__metrics_raft(const struct api__page *p);

#endif
