/* SPDX-License-Identifier: PostgreSQL */
/*
 * The errand of this node: a restart, or a new copy (core/errand.h). Happy
 * path: the API has checked it and gives it here; the agent sees it in the
 * view and takes its steps; each turn looks at what has become of it, and how
 * it ended stays until the next one has.
 *
 * It decides nothing, and keeps nothing: a daemon that ends has no errand.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/node_internal.h"

static void
end(struct mt_node *n, bool ok, const char *why)
{
	struct mt_errand_news *news = &n->errand_news;
	const char *name = mt_errand_name(n->errand.kind);

	if (ok)
		mt_info("%s: done", name);
	else
		mt_warn("%s failed: %s", name, why);
	news->id = n->errand.id;
	news->ok = ok;
	mt_copy(news->why, sizeof(news->why), why);
	n->restart_failed =
	    !ok && mt_errand_restarts(&(struct mt_local){.errand = n->errand});
	memset(&n->errand, 0, sizeof(n->errand));
}

static struct mt_errand *
begin(struct mt_node *n, enum mt_errand_kind kind)
{
	if (n->errand.kind != MT_ERRAND_NONE)
		end(n, false, "it was cancelled");
	n->errand = (struct mt_errand){
	    .kind = kind,
	    .id = ++n->errand_ids,
	    .asked_ms = mt_clock_ms(),
	};
	n->restart_failed = false;
	node__wake(n);
	return &n->errand;
}

uint64_t
node__restart(struct mt_node *n, const struct mt_restart *how)
{
	struct mt_errand *e = begin(n, MT_ERRAND_RESTART);
	struct mt_view v;

	node__observe(n, &v);
	e->timeout_ms = how->timeout_ms > 0
			    ? how->timeout_ms
			    : n->settings.primary_start_timeout_ms;
	e->as_primary = v.local.running && v.local.as_primary;
	if (!v.local.running)
		e->stop_ms = e->asked_ms;
	mt_info("a restart of PostgreSQL was asked for");
	return e->id;
}

uint64_t
node__reinit(struct mt_node *n, bool from_leader)
{
	struct mt_errand *e = begin(n, MT_ERRAND_REINIT);

	e->from_leader = from_leader;
	mt_info("a new copy of the data was asked for");
	return e->id;
}

void
node__errand_observe(struct mt_node *n, struct mt_local *l)
{
	mt_errand_see(&n->errand, l);
	l->errand = n->errand;
	l->pending_restart = mt_postgres_pending(n->pg)[0] != '\0';
	l->scheduled_restart = n->schedule != NULL;
	l->server_version = (uint32_t)mt_postgres_info(n->pg)->server_version;
	if (l->running && l->accepting)
		n->restart_failed = false;
}

int64_t
node__errand_look(struct mt_node *n, struct mt_view *v)
{
	char why[MT_WHY_MAX];

	switch (mt_errand_look(v, why, sizeof(why))) {
	case MT_ERRAND_GOES_ON:
		return mt_errand_look_ms(v);
	case MT_ERRAND_LATE:
		if (n->errand_news.late_id != n->errand.id)
			mt_warn("PostgreSQL is still starting after its "
				"restart");
		n->errand_news.late_id = n->errand.id;
		return 0;
	case MT_ERRAND_DONE:
		end(n, true, "");
		break;
	case MT_ERRAND_FAILED:
		end(n, false, why);
		break;
	}
	v->local.errand = n->errand;
	return 0;
}

enum mt_pg_state
node__pg_state(const struct mt_node *n, const struct mt_local *l)
{
	enum mt_pg_state state = mt_postgres_state(n->pg);

	if (state == MT_PG_CRASHED && n->settings.pause)
		state = MT_PG_STOPPED; /* as nobody will start it */
	if (state == MT_PG_START_FAILED && n->restart_failed)
		state = MT_PG_RESTART_FAILED;
	return mt_errand_state(l, state);
}
