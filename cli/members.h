/* SPDX-License-Identifier: PostgreSQL */
/* What the API says of the cluster, and the member tables made of it. */
#ifndef MT_CLI_MEMBERS_H
#define MT_CLI_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "base/err.h"
#include "cli/table.h"
#include "client/http.h"

/* All owned. */
struct mt_cluster {
	json_t *cluster; /* GET /cluster, an object */
	json_t *raft;    /* GET /raft, or NULL where it has no answer */
	json_t *state;   /* GET /raft/state, or NULL */
};

enum mt_members_flag {
	MT_MEMBERS_EXTENDED = 1 << 0, /* with LSNs, restart, schedule, tags */
	MT_MEMBERS_TREE = 1 << 1,     /* leader first, then who follows whom */
};

/* Ask a living node. Its members are added to the servers of http, so that
 * what comes next also finds those that no file names. On error *c stays. */
int mt_cluster_fetch(struct mt_http *http, struct mt_cluster *c,
		     struct mt_err *err) MT_MUSTCHECK;
void mt_cluster_release(struct mt_cluster *c);

/* A member of a /cluster document by name, borrowed, or NULL. */
const json_t *mt_cluster_member(const json_t *cluster, const char *name);
/* The leader (or standby leader), borrowed, or NULL. */
const json_t *mt_cluster_leader(const json_t *cluster);
/* A text of an object, borrowed; "" where there is none. */
const char *mt_text_of(const json_t *object, const char *key);

/* The table; in the pretty format with its header and footer. */
void mt_members_print(const struct mt_cluster *c, enum mt_format format,
		      unsigned flags, FILE *out);

/* Member names in the order of topology, each with its prefix ("+ ", "  + ");
 * array of [prefix, member object], the caller's. */
json_t *mt_members_tree(const json_t *cluster);

/* The lines under the table, each indented by one blank. */
void mt_members_footer(const struct mt_cluster *c, FILE *out);

#endif
