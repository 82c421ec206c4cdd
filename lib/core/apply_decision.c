/* SPDX-License-Identifier: PostgreSQL */
/*
 * What commands tell for the record of decisions, beside what they change: the
 * phases of a promotion, and what people made of the configuration. As
 * deterministic as apply.c.
 */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "conf/settings.h"
#include "core/apply_internal.h"

int
apply__phases(struct mt_state *s, const struct mt_command *cmd,
	      struct mt_err *err)
{
	uint64_t id = cmd->u.decision_put.id;
	struct mt_decision *d = &s->decisions[id % MT_DECISIONS_MAX];
	const struct mt_phases *p = &cmd->u.decision_put.phases;

	if (mt_state_decision(s, id) == NULL ||
	    d->epoch != cmd->u.decision_put.epoch ||
	    strcmp(d->to, cmd->u.decision_put.holder) != 0 ||
	    d->phases.writable_ms != 0)
		return mt_err_set(err, MT_EREFUSED,
				  "decision %" PRIu64
				  " is not \"%s\"'s to time",
				  id, cmd->u.decision_put.holder);
	d->phases.leased_ms = p->leased_ms;
	d->phases.promoted_ms = p->promoted_ms;
	d->phases.writable_ms = p->writable_ms;
	return 0;
}

bool
apply__change(const struct mt_state *s, const struct mt_command *cmd,
	      struct mt_decision *d)
{
	struct mt_settings before, after;

	if (cmd->u.config_put.by.who[0] == '\0')
		return false;
	memset(d, 0, sizeof(*d));
	mt_settings_parse(&before, s->config);
	mt_settings_parse(&after, cmd->u.config_put.config);
	mt_copy(d->rule, sizeof(d->rule),
		before.pause == after.pause ? "config"
		: after.pause               ? "pause"
					    : "resume");
	mt_copy(d->why, sizeof(d->why), cmd->u.config_put.why);
	d->by = cmd->u.config_put.by;
	d->at_ms = cmd->u.config_put.at_ms;
	return true;
}
