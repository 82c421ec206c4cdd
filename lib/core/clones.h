/* SPDX-License-Identifier: PostgreSQL */
/*
 * Who may be cloned now, where the cluster's document sets a limit
 * (max_concurrent_clones). The primary decides and says it in its reports:
 * there is one, and every clone needs it. Who waits longest comes first, then
 * the first name.
 */
#ifndef MT_CORE_CLONES_H
#define MT_CORE_CLONES_H

#include "core/view.h"

/* What the primary remembers; zeroed is nothing. */
struct mt_clones {
	int n;
	struct mt_clone_place {
		uint64_t raft_id;
		char name[MT_NAME_MAX];
		int64_t since_ms; /* it waits, or has its place, since then */
		bool has;         /* a place */
	} places[MT_NODES_MAX];
};

/* As primary: take the reports in, and give places away. Without a limit, or as
 * somebody else, everything is forgotten. */
void mt_clones_step(struct mt_clones *c, const struct mt_view *v);
/* Those that have a place, into a report. */
void mt_clones_tell(const struct mt_clones *c, struct mt_report *r);
/* May this node clone, as the primary's report says? */
bool mt_clones_allow(const struct mt_view *v, const struct mt_report *primary);

#endif
