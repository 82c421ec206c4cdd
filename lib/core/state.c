/* SPDX-License-Identifier: PostgreSQL */
/*
 * The replicated state: its life and the questions that others ask of it. How
 * it changes is in apply.c, how it becomes a snapshot in state_json.c.
 */
#include "core/state.h"

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

const struct mt_decision *
mt_state_decision(const struct mt_state *s, uint64_t id)
{
	const struct mt_decision *d = &s->decisions[id % MT_DECISIONS_MAX];

	return id != 0 && d->id == id ? d : NULL;
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
	return mt_state_is_asked(s) && s->request.candidate[0] != '\0' &&
	       strcmp(s->request.candidate, name) == 0;
}
