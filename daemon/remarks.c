/* SPDX-License-Identifier: PostgreSQL */
/*
 * Lines in the log that people's tools look for, once each: why this node was
 * not chosen, and that commits wait for nobody. Nothing depends on them. What
 * was decided before this process knew the log is not told again.
 */
#include "base/log.h"
#include "base/text.h"
#include "core/remark.h"
#include "daemon/node_internal.h"

/* With the tag nofailover: nobody has the turn, or who has it is silent. */
static void
on_nobody(struct mt_node *n, const struct mt_view *v)
{
	const struct mt_leader *l = &n->state.leader;
	const struct mt_seen *seen = mt_reports_find(&n->reports, l->holder);

	if (!n->conf->nofailover || !v->local.accepting || l->epoch == 0 ||
	    v->local.as_primary || n->remarked_epoch == l->epoch ||
	    (mt_state_held(&n->state) && mt_report_is_fresh(seen, v->now_ms)))
		return;
	n->remarked_epoch = l->epoch;
	mt_info(MT_REMARK_NOFAILOVER);
}

static void
on_decisions(struct mt_node *n)
{
	const struct mt_decision *d;
	char text[MT_WHY_MAX];

	for (; n->remarked < n->state.last_decision; n->remarked++) {
		d = mt_state_decision(&n->state, n->remarked + 1);
		if (d == NULL || d->epoch == n->remarked_epoch + 1 ||
		    !mt_remark_on_choice(d, n->conf->name, text, sizeof(text)))
			continue;
		mt_info("%s", text);
	}
}

static void
on_strict_mode(struct mt_node *n, const struct mt_view *v)
{
	bool alone = mt_remark_waits_for_nobody(v);

	if (alone && !n->alone)
		mt_warn(MT_REMARK_STRICT ": commits wait");
	n->alone = alone;
}

void
node__remark(struct mt_node *n, const struct mt_view *v)
{
	if (n->pg == NULL)
		return;
	if (!n->knew_log) {
		n->remarked = n->state.last_decision;
		n->knew_log = v->local.state_current;
	}
	on_decisions(n);
	on_nobody(n, v);
	on_strict_mode(n, v);
}
