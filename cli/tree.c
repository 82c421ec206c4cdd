/* SPDX-License-Identifier: PostgreSQL */
/*
 * The order of topology: the leader, and below each member those that follow
 * it. A replica stands below the one that its tag "replicatefrom" names if that
 * is a replica of the cluster, and below the leader otherwise. Members whose
 * tags run in a circle have no place in a tree and are left out.
 */
#include "cli/members.h"

#include <string.h>

#include "base/text.h"

/* Deeper than any chain without a circle can be. */
#define DEPTH_MAX 32

static bool
is_leader(const json_t *m)
{
	return strcmp(mt_text_of(m, "role"), "leader") == 0 ||
	       strcmp(mt_text_of(m, "role"), "standby_leader") == 0;
}

/* Name of the replica that m stands below, or NULL for the leader. */
static const char *
parent_of(const json_t *cluster, const json_t *m)
{
	const char *from =
	    mt_text_of(json_object_get(m, "tags"), "replicatefrom");
	const json_t *parent = mt_cluster_member(cluster, from);

	if (parent == NULL || is_leader(parent))
		return NULL;
	return mt_text_of(parent, "name");
}

/* Append all that stand below parent (NULL: the leader), and theirs. */
static void
grow(json_t *rows, const json_t *cluster, const char *parent, int level)
{
	json_t *m;
	size_t i;
	char prefix[2 * DEPTH_MAX + 4];

	if (level > DEPTH_MAX)
		return;
	mt_format(prefix, sizeof(prefix), "%*s+ ", 2 * (level - 1), "");
	json_array_foreach (json_object_get(cluster, "members"), i, m) {
		const char *above = parent_of(cluster, m);

		if (is_leader(m) || !mt_streq(above != NULL ? above : "",
					      parent != NULL ? parent : ""))
			continue;
		json_array_append_new(rows, json_pack("[sO]", prefix, m));
		grow(rows, cluster, mt_text_of(m, "name"), level + 1);
	}
}

json_t *
mt_members_tree(const json_t *cluster)
{
	json_t *rows = json_array(), *m;
	size_t i;

	json_array_foreach (json_object_get(cluster, "members"), i, m)
		if (is_leader(m))
			json_array_append_new(rows, json_pack("[sO]", "", m));
	grow(rows, cluster, NULL, 1);
	return rows;
}
