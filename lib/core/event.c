/* SPDX-License-Identifier: PostgreSQL */
/*
 * Events of the local PostgreSQL; see the header. A server counts as started
 * when it answers. One that answers in another role than the one that was told
 * last has changed its role, which is told in place of its start. While it is
 * promoted and still in recovery it is neither.
 *
 * Who ended it decides what its end is: a stop was asked for; a crash is none,
 * and is told only if the turn was given up for it. One that was ended to be
 * started again (a primary that hung, or for people) is told when it is up, as
 * one restart, or
 * as stopped once its turn is given up.
 */
#include "core/event.h"

struct list {
	struct mt_event *out;
	int n;
};

static void
tell(struct mt_events *e, struct list *to, enum mt_event_kind kind,
     enum mt_pg_role role)
{
	to->out[to->n++] = (struct mt_event){kind, role};
	e->told = role;
}

static void
look_at_the_end(struct mt_events *e, const struct mt_local *l, struct list *to)
{
	bool given_up = l->record.given_up > e->given_up;

	e->given_up = l->record.given_up;
	if (e->running && !l->running && !l->died &&
	    e->told != MT_ROLE_UNINITIALIZED)
		e->restarting = true;
	if (e->restarting && !l->running &&
	    (!(l->hung || mt_errand_restarts(l)) || given_up)) {
		e->restarting = false;
		tell(e, to, MT_EVENT_STOP, e->told);
	}
	if (!l->running && l->died && given_up && e->told == MT_ROLE_PRIMARY)
		tell(e, to, MT_EVENT_ROLE_CHANGE, MT_ROLE_DEMOTED);
	e->running = l->running;
	if (!l->running)
		e->up = false;
}

static void
look_at_the_role(struct mt_events *e, const struct mt_local *l, struct list *to)
{
	enum mt_pg_role role =
	    l->as_primary ? MT_ROLE_PRIMARY : MT_ROLE_REPLICA;

	if (!l->running || !l->accepting || (l->as_primary && l->in_recovery))
		return;
	if (e->told != MT_ROLE_UNINITIALIZED && e->told != role)
		tell(e, to, MT_EVENT_ROLE_CHANGE, role);
	else if (!e->up)
		tell(e, to, e->restarting ? MT_EVENT_RESTART : MT_EVENT_START,
		     role);
	e->up = true;
	e->restarting = false;
}

int
mt_events_next(struct mt_events *e, const struct mt_local *l,
	       struct mt_event out[MT_EVENTS_MAX])
{
	struct list to = {.out = out};

	look_at_the_end(e, l, &to);
	look_at_the_role(e, l, &to);
	if (l->reloads != e->reloads && e->up)
		tell(e, &to, MT_EVENT_RELOAD, e->told);
	e->reloads = l->reloads;
	return to.n;
}

const char *
mt_event_name(enum mt_event_kind kind)
{
	switch (kind) {
	case MT_EVENT_START:
		return "on_start";
	case MT_EVENT_STOP:
		return "on_stop";
	case MT_EVENT_RESTART:
		return "on_restart";
	case MT_EVENT_RELOAD:
		return "on_reload";
	case MT_EVENT_ROLE_CHANGE:
		return "on_role_change";
	}
	return "unknown";
}
