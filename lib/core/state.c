/* SPDX-License-Identifier: PostgreSQL */
/*
 * The replicated state: its life and the questions that others ask of it. How
 * it changes is in apply.c, how it becomes a snapshot in state_json.c.
 */
#include "core/state.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

void
mt_state_init(struct mt_state *s)
{
	memset(s, 0, sizeof(*s));
}

void
mt_state_release(struct mt_state *s)
{
	json_decref(s->config);
	s->config = NULL;
}

const struct mt_member *
mt_state_member(const struct mt_state *s, const char *name)
{
	for (int i = 0; i < s->n_members; i++)
		if (strcmp(s->members[i].name, name) == 0)
			return &s->members[i];
	return NULL;
}

const struct mt_member *
mt_state_member_by_id(const struct mt_state *s, uint64_t raft_id)
{
	for (int i = 0; i < s->n_members; i++)
		if (s->members[i].raft_id == raft_id)
			return &s->members[i];
	return NULL;
}

uint32_t
mt_state_command_version(const struct mt_state *s)
{
	uint32_t version = MT_COMMAND_VERSION;

	for (int i = 0; i < s->n_members; i++)
		if (s->members[i].command_version < version)
			version = s->members[i].command_version;
	return version;
}

const struct mt_decision *
mt_state_decision(const struct mt_state *s, uint64_t id)
{
	const struct mt_decision *d = &s->decisions[id % MT_DECISIONS_MAX];

	return id != 0 && d->id == id ? d : NULL;
}

int
mt_sync_find(const struct mt_sync *sync, const char *name)
{
	for (int i = 0; i < sync->n; i++)
		if (strcmp(sync->standbys[i].name, name) == 0)
			return i;
	return -1;
}

bool
mt_sync_stands(const struct mt_state *s)
{
	return s->sync.k > 0;
}

const struct mt_decision *
mt_state_untimed(const struct mt_state *s)
{
	for (uint64_t id = s->last_decision; id > 0; id--) {
		const struct mt_decision *d = mt_state_decision(s, id);

		if (d == NULL || d->epoch < s->leader.since)
			break;
		if (d->epoch == s->leader.since && d->phases.assigned_ms != 0 &&
		    strcmp(d->to, s->leader.holder) == 0)
			return d->phases.writable_ms == 0 ? d : NULL;
	}
	return NULL;
}

const struct mt_decision *
mt_state_rejoin(const struct mt_state *s, const char *member,
		const struct mt_loss *loss)
{
	for (uint64_t id = s->last_decision; id > 0; id--) {
		const struct mt_decision *d = mt_state_decision(s, id);

		if (d == NULL)
			break;
		if (strcmp(d->rule, "rejoin") == 0 &&
		    strcmp(d->from, member) == 0 &&
		    d->loss.timeline == loss->timeline &&
		    d->loss.from == loss->from && d->loss.to == loss->to)
			return d;
	}
	return NULL;
}

void
mt_loss_text(const struct mt_loss *loss, const char *how, char *buf,
	     size_t size)
{
	char from[MT_LSN_MAX], to[MT_LSN_MAX];

	mt_lsn_format(from, loss->from);
	mt_lsn_format(to, loss->to);
	if (loss->from != 0 && loss->to != 0)
		mt_format(buf, size,
			  "throws away %" PRIu64
			  " bytes, %s to %s of timeline %u, by %s",
			  loss->to - loss->from, from, to, loss->timeline, how);
	else if (loss->from != 0)
		mt_format(buf, size,
			  "throws away what it has beyond %s of timeline %u, "
			  "whose end is not known, by %s",
			  from, loss->timeline, how);
	else
		mt_format(buf, size,
			  "throws away its end of timeline %u%s%s, which the "
			  "cluster's history does not have, by %s",
			  loss->timeline, loss->to != 0 ? ", up to " : "",
			  loss->to != 0 ? to : "", how);
}

bool
mt_state_held(const struct mt_state *s)
{
	return s->leader.epoch > 0 && !s->leader.released;
}

bool
mt_state_held_by(const struct mt_state *s, const char *name)
{
	return mt_state_held(s) && strcmp(s->leader.holder, name) == 0;
}

bool
mt_state_is_asked(const struct mt_state *s)
{
	return s->request.kind != MT_REQUEST_NONE &&
	       s->request.scheduled_ms == 0;
}

struct mt_origin
mt_state_asked_by(const struct mt_state *s)
{
	const struct mt_origin nobody = {0};

	return mt_state_is_asked(s) ? s->request.by : nobody;
}

uint64_t
mt_state_fork_lsn(const struct mt_state *s, uint32_t timeline)
{
	for (int i = 0; i < s->n_history; i++)
		if (s->history[i].timeline == timeline)
			return s->history[i].lsn;
	return 0;
}

bool
mt_state_asked_for(const struct mt_state *s, const char *name)
{
	return mt_state_is_asked(s) && !s->request.due &&
	       s->request.candidate[0] != '\0' &&
	       strcmp(s->request.candidate, name) == 0;
}
