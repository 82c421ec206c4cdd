/* SPDX-License-Identifier: PostgreSQL */
/*
 * Remarks for a node's own log. The Raft leader chooses among all members, and
 * its verdicts come with the decision; here the one about this node becomes
 * the sentence that a node says which judges itself. It decides nothing.
 */
#include "core/remark.h"

#include <string.h>

#include "base/text.h"
#include "core/sync.h"

static const struct mt_verdict *
find(const struct mt_decision *d, const char *name)
{
	for (int i = 0; i < d->n_verdicts; i++)
		if (strcmp(d->verdicts[i].name, name) == 0)
			return &d->verdicts[i];
	return NULL;
}

/* It stood there, and had too little. */
static bool
is_outdone(const struct mt_verdict *v)
{
	static const char *const rules[] = {"behind", "lags", "old-timeline",
					    "lacks-the-end"};

	for (size_t i = 0; i < MT_COUNT(rules); i++)
		if (strcmp(v->rule, rules[i]) == 0)
			return true;
	return false;
}

bool
mt_remark_on_choice(const struct mt_decision *d, const char *name, char *buf,
		    size_t size)
{
	const struct mt_verdict *mine = find(d, name), *best = find(d, d->to);
	int c;

	buf[0] = '\0';
	if (mine == NULL || best == NULL || mine == best ||
	    strcmp(best->rule, "chosen") != 0)
		return false;
	c = mt_position_compare(best->at, mine->at);
	if (strcmp(mine->rule, "nofailover") == 0)
		mt_copy(buf, size, MT_REMARK_NOFAILOVER);
	else if (is_outdone(mine) && c > 0)
		mt_format(buf, size,
			  "Wal position of %s is ahead of my wal position",
			  best->name);
	else if (is_outdone(mine) && c == 0 &&
		 best->failover_priority > mine->failover_priority)
		mt_format(buf, size,
			  "%s has equally tolerable WAL position and priority "
			  "%d, while this node has priority %d",
			  best->name, best->failover_priority,
			  mine->failover_priority);
	return buf[0] != '\0';
}

bool
mt_remark_waits_for_nobody(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;
	struct mt_names names;

	return mt_sync_is_strict(v->settings) && l->running && l->as_primary &&
	       l->accepting && !l->in_recovery &&
	       mt_state_held_by(v->state, l->name) &&
	       !mt_sync_target(v, &names);
}
