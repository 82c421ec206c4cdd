/* SPDX-License-Identifier: PostgreSQL */
/*
 * Suspicion; see the header.
 *
 * Happy path: the holder's reports stay away for half of suspect_timeout, or
 * its stream ends; each member that hears it no more connects to its port, and
 * again every suspect_timeout while the silence lasts. When suspect_timeout is
 * over the Raft leader has the findings of all. Failure: a member that finds
 * the port open, receives WAL, still hears the holder or has found nothing yet
 * keeps it from being suspected; then promises have to end as ever. One that
 * does not report is not waited for.
 */
#include "core/suspect.h"

#include <string.h>

#include "base/text.h"

#define MEMBERS_LEAST 2 /* one alone may be the one that is cut off */

static void
by(int64_t *look_again_ms, int64_t at_ms)
{
	if (*look_again_ms == 0 || at_ms < *look_again_ms)
		*look_again_ms = at_ms;
}

/* From when on the holder counts as silent for this member's probe. */
static int64_t
silent_from_ms(const struct mt_view *v)
{
	const struct mt_seen *seen =
	    mt_reports_find(v->reports, v->state->leader.holder);
	int64_t half_ms = v->settings->suspect_timeout_ms / 2;

	if (seen == NULL)
		return v->local.turn_ms + half_ms;
	return seen->gone ? seen->at_ms : seen->at_ms + half_ms;
}

/* A new connection may fail where an old one works. What was under way when the
 * silence began does not count. */
static bool
is_streaming(const struct mt_probing *p, const struct mt_view *v,
	     int64_t *look_again_ms)
{
	const struct mt_local *l = &v->local;
	int64_t until_ms = l->wal_heard_ms + v->settings->suspect_timeout_ms;

	if (p->epoch == 0 || l->wal_heard_ms < p->since_ms ||
	    v->now_ms > until_ms ||
	    strcmp(l->upstream, v->state->leader.holder) != 0)
		return false;
	by(look_again_ms, until_ms + 1);
	return true;
}

bool
mt_probing_step(struct mt_probing *p, const struct mt_view *v,
		char url[MT_URL_MAX], int64_t *look_again_ms)
{
	const struct mt_leader *l = &v->state->leader;
	const struct mt_member *m = mt_state_member(v->state, l->holder);
	int64_t from_ms, again_ms;

	if (!mt_state_held(v->state) || !mt_sync_stands(v->state) ||
	    v->settings->sync_waits_for_lease || m == NULL ||
	    m->conn_url[0] == '\0' || strcmp(l->holder, v->local.name) == 0) {
		p->epoch = 0;
		p->streams = false;
		p->found = MT_PORT_UNKNOWN;
		return false;
	}
	from_ms = silent_from_ms(v);
	if (v->now_ms < from_ms || p->epoch != l->epoch) {
		p->epoch = v->now_ms < from_ms ? 0 : l->epoch;
		p->begun_ms = 0;
		p->since_ms = v->now_ms;
		p->found = MT_PORT_UNKNOWN;
	}
	p->streams = is_streaming(p, v, look_again_ms);
	if (p->epoch == 0) {
		by(look_again_ms, from_ms);
		return false;
	}
	again_ms = p->begun_ms + v->settings->suspect_timeout_ms;
	if (p->under_way || (p->begun_ms != 0 && v->now_ms < again_ms)) {
		if (!p->under_way)
			by(look_again_ms, again_ms);
		return false;
	}
	p->under_way = true;
	p->of = p->epoch;
	p->begun_ms = v->now_ms;
	mt_copy(url, MT_URL_MAX, m->conn_url);
	return true;
}

void
mt_probing_ended(struct mt_probing *p, enum mt_port found)
{
	p->under_way = false;
	if (p->epoch == p->of)
		p->found = found;
}

/* Whatever failover_in_sync says here: who decides may have applied another
 * configuration. */
bool
mt_may_be_displaced(const struct mt_view *v)
{
	return mt_sync_stands(v->state) || v->local.names.n > 0;
}

enum mt_port
mt_probing_finding(const struct mt_probing *p)
{
	return p->streams ? MT_PORT_STREAMS : p->found;
}

/* Its report tells what it finds. */
static bool
is_finder(const struct mt_view *v, const struct mt_seen *seen)
{
	return strcmp(seen->report.self.name, v->state->leader.holder) != 0 &&
	       !seen->gone && mt_report_is_fresh(seen, v->now_ms);
}

bool
mt_may_suspect(const struct mt_view *v)
{
	int n = 0;

	for (int i = 0; i < v->reports->n; i++)
		if (is_finder(v, &v->reports->seen[i]))
			n++;
	return mt_sync_stands(v->state) && !v->settings->pause &&
	       !v->settings->sync_waits_for_lease &&
	       v->state->leader.exempt == 0 && n >= MEMBERS_LEAST;
}

bool
mt_suspects_holder(const struct mt_view *v, int64_t led_since_ms,
		   int64_t *look_again_ms)
{
	const struct mt_leader *l = &v->state->leader;
	const struct mt_seen *holder = mt_reports_find(v->reports, l->holder);
	int64_t silent_ms = holder != NULL ? holder->at_ms : led_since_ms;
	int dead = 0;

	silent_ms += v->settings->suspect_timeout_ms + 1;
	if (v->now_ms < silent_ms) {
		by(look_again_ms, silent_ms);
		return false;
	}
	for (int i = 0; i < v->reports->n; i++) {
		const struct mt_seen *seen = &v->reports->seen[i];

		if (!is_finder(v, seen))
			continue;
		if (seen->report.port != MT_PORT_DEAD ||
		    seen->report.port_epoch != l->epoch)
			return false;
		dead++;
	}
	return dead >= MEMBERS_LEAST;
}
