/* SPDX-License-Identifier: PostgreSQL */
/*
 * Whom commits are to wait for: the names that a holder wants to come to, and
 * those that a standby keeps ready. The order of preference is that of the
 * manual, matriarch.yml(5), synchronous_mode; who is waited for already comes
 * before who would do as well, so that two that are alike do not take turns.
 */
#include "core/sync.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define GONE_MS 5000 /* not streaming for so long: out of the set */

/* ---- who may be waited for ---- */

/* The tags say how much it is wanted: 0 not at all. nosync wins over the
 * priority. */
static int
sync_priority(const struct mt_member *m)
{
	json_t *tags = m->tags[0] != '\0' ? json_loads(m->tags, 0, NULL) : NULL;
	const json_t *no = json_object_get(tags, "nosync");
	const json_t *given = json_object_get(tags, "sync_priority");
	json_int_t n = json_is_integer(given) ? json_integer_value(given) : 1;

	if (json_is_true(no) || n > INT_MAX)
		n = json_is_true(no) ? 0 : INT_MAX;
	else if (n <= 0)
		n = no != NULL ? 1 : 0;
	json_decref(tags);
	return (int)n;
}

const struct mt_flushed *
mt_flushed_find(const struct mt_view *v, const char *name)
{
	for (int i = 0; i < v->n_flushed; i++)
		if (strcmp(v->flushed[i].name, name) == 0)
			return &v->flushed[i];
	return NULL;
}

static uint64_t
flushed_lsn(const struct mt_view *v, const char *name)
{
	const struct mt_flushed *f = mt_flushed_find(v, name);

	if (f == NULL)
		return 0;
	return f->most > f->lsn ? f->most : f->lsn;
}

/* A partition closes no connection: PostgreSQL believes in the stream of who is
 * cut off until wal_sender_timeout. Who was never heard (we began just now) is
 * not silent. */
static bool
is_silent(const struct mt_view *v, const char *name)
{
	const struct mt_seen *seen = mt_reports_find(v->reports, name);

	return seen != NULL && !mt_report_is_fresh(seen, v->now_ms) &&
	       v->now_ms - seen->at_ms >= GONE_MS;
}

/* Is its data, as far as it is known, that of which the set speaks? */
static bool
has_the_data(const struct mt_view *v, const char *name, int in)
{
	const struct mt_seen *seen = mt_reports_find(v->reports, name);

	return seen == NULL || seen->report.data_id == 0 ||
	       seen->report.data_id == v->state->sync.standbys[in].data_id;
}

/* A member of the set stays in it while it streams, and for a moment after: a
 * receiver that starts anew is worth waiting for, commits wait meanwhile. Its
 * data must be that of which the set speaks. */
static bool
still_fit(const struct mt_view *v, const struct mt_member *m, int in)
{
	const struct mt_flushed *f = mt_flushed_find(v, m->name);

	return has_the_data(v, m->name, in) && f != NULL &&
	       (f->streaming || v->now_ms - f->last_ms < GONE_MS);
}

/* What it tells of itself says that commits could wait for it. */
static bool
seems_fit(const struct mt_view *v, const struct mt_member *m)
{
	const struct mt_seen *seen = mt_reports_find(v->reports, m->name);

	return mt_report_is_fresh(seen, v->now_ms) && !seen->gone &&
	       seen->report.healthy && seen->report.data_id != 0 &&
	       seen->report.pg_role == MT_ROLE_REPLICA;
}

/* Who is new must stream, be well and tell what data it has. */
static bool
newly_fit(const struct mt_view *v, const struct mt_member *m)
{
	const struct mt_flushed *f = mt_flushed_find(v, m->name);

	return seems_fit(v, m) && f != NULL && f->streaming;
}

/* Its last word was that it ends. It is kept also when its daemon is gone: who
 * comes back says otherwise. */
static bool
is_leaving(const struct mt_view *v, const char *name)
{
	const struct mt_seen *seen = mt_reports_find(v->reports, name);

	return seen != NULL && seen->report.stopping;
}

/* PostgreSQL waits for it, or is told to. */
static bool
named(const struct mt_view *v, const char *name)
{
	for (int i = 0; i < v->local.names.n; i++)
		if (strcmp(v->local.names.names[i], name) == 0)
			return true;
	return false;
}

/* PostgreSQL compares names without their case: either would be taken for the
 * other. */
static bool
has_a_double(const struct mt_view *v, const struct mt_member *m)
{
	for (int i = 0; i < v->state->n_members; i++) {
		const struct mt_member *other = &v->state->members[i];

		if (other != m && !other->witness &&
		    strcasecmp(other->name, m->name) == 0)
			return true;
	}
	return false;
}

static bool
fit_standby(const struct mt_view *v, const struct mt_member *m)
{
	int in = mt_sync_find(&v->state->sync, m->name);

	if (m->witness || strcmp(m->name, v->local.name) == 0 ||
	    sync_priority(m) == 0 || has_a_double(v, m) ||
	    is_leaving(v, m->name) || is_silent(v, m->name))
		return false;
	if (in >= 0)
		return still_fit(v, m, in);
	/* On its way into the set: the change of names itself ends its
	 * stream for a moment. */
	if (named(v, m->name)) {
		const struct mt_flushed *f = mt_flushed_find(v, m->name);

		if (f != NULL && v->now_ms - f->last_ms < GONE_MS)
			return true;
	}
	return newly_fit(v, m);
}

bool
mt_sync_is_strict(const struct mt_settings *set)
{
	return set->synchronous_mode != MT_SYNC_OFF &&
	       set->synchronous_mode_strict;
}

bool
mt_sync_lets_go(const struct mt_view *v, const char *name)
{
	if (!mt_sync_is_strict(v->settings))
		return true;
	for (int i = 0; i < v->state->n_members; i++) {
		const struct mt_member *m = &v->state->members[i];

		if (!m->witness && strcmp(m->name, name) != 0 &&
		    strcmp(m->name, v->state->leader.holder) != 0 &&
		    sync_priority(m) > 0 && seems_fit(v, m) &&
		    !is_leaving(v, m->name))
			return true;
	}
	return false;
}

static void
wait_for_nobody(struct mt_names *names)
{
	mt_copy(names->names[0], MT_NAME_MAX, MT_SYNC_PLACEHOLDER);
	names->n = names->k = 1;
}

/* With nobody fit, a strict primary goes on waiting for those that it waits
 * for, as long as each may come back with what it has: it streamed from this
 * server, on the data that the log knows. */
static void
go_on_waiting(const struct mt_view *v, struct mt_names *target)
{
	for (int i = 0; i < v->local.names.n; i++) {
		const char *name = v->local.names.names[i];
		const struct mt_member *m = mt_state_member(v->state, name);
		int in = mt_sync_find(&v->state->sync, name);

		if (m != NULL && sync_priority(m) > 0 &&
		    flushed_lsn(v, name) != 0 && in >= 0 &&
		    has_the_data(v, name, in))
			mt_copy(target->names[target->n++], MT_NAME_MAX, name);
	}
	target->k = v->local.names.k < target->n ? v->local.names.k : target->n;
	if (target->n == 0)
		wait_for_nobody(target);
}

/* ---- who is wanted ---- */

/* A standby that commits may wait for, and what speaks for it. */
struct wish {
	const char *name;
	bool lags, nofailover;
	int priority; /* the tag's */
	int standing; /* 2 PostgreSQL waits for it, 1 the log has it, 0 new */
	uint64_t lsn; /* of one that is new */
};

/* Less than 0: a comes first. */
static int
compare_wishes(const struct wish *a, const struct wish *b)
{
	if (a->lags != b->lags)
		return a->lags ? 1 : -1;
	if (a->nofailover != b->nofailover)
		return a->nofailover ? 1 : -1;
	if (a->priority != b->priority)
		return a->priority > b->priority ? -1 : 1;
	if (a->standing != b->standing)
		return a->standing > b->standing ? -1 : 1;
	if (a->lsn != b->lsn)
		return a->lsn > b->lsn ? -1 : 1;
	return strcmp(a->name, b->name);
}

static void
sort_wishes(struct wish *list, int n)
{
	for (int i = 1; i < n; i++)
		for (int j = i;
		     j > 0 && compare_wishes(&list[j], &list[j - 1]) < 0; j--) {
			struct wish t = list[j];

			list[j] = list[j - 1];
			list[j - 1] = t;
		}
}

/* Lag is behind the furthest of them, or behind the primary where there is one
 * alone. Who is new has to be at half the limit: at the limit itself it would
 * come and go. */
static void
judge_lag(const struct mt_view *v, struct wish *list, int n)
{
	uint64_t end = n == 1 ? v->local.at.lsn : 0;
	int64_t limit = v->settings->maximum_lag_on_syncnode;

	for (int i = 0; i < n; i++)
		if (flushed_lsn(v, list[i].name) > end)
			end = flushed_lsn(v, list[i].name);
	for (int i = 0; i < n && limit > 0; i++)
		list[i].lags =
		    end - flushed_lsn(v, list[i].name) >
		    (uint64_t)(list[i].standing > 0 ? limit : limit / 2);
}

static int
list_wishes(const struct mt_view *v, struct wish list[MT_NODES_MAX])
{
	int n = 0;

	for (int i = 0; i < v->state->n_members; i++) {
		const struct mt_member *m = &v->state->members[i];
		const struct mt_seen *seen =
		    mt_reports_find(v->reports, m->name);
		struct wish *w = &list[n];

		if (!fit_standby(v, m))
			continue;
		n++;
		*w = (struct wish){
		    .name = m->name,
		    .nofailover = seen != NULL && seen->report.nofailover,
		    .priority = sync_priority(m),
		    .standing = named(v, m->name) ? 2
				: mt_sync_find(&v->state->sync, m->name) >= 0
				    ? 1
				    : 0,
		};
		if (w->standing == 0)
			w->lsn = flushed_lsn(v, m->name);
	}
	judge_lag(v, list, n);
	sort_wishes(list, n);
	return n;
}

/* In quorum mode all are, but those that one would rather not have only where
 * too few others are there. Who is new and lags is never taken. */
static bool
is_wanted(const struct wish *w, bool quorum, int n, int want)
{
	if (w->lags && w->standing == 0)
		return false;
	return n < want || (quorum && !w->lags && !w->nofailover);
}

bool
mt_sync_target(const struct mt_view *v, struct mt_names *target)
{
	const struct mt_settings *set = v->settings;
	bool quorum = set->synchronous_mode == MT_SYNC_QUORUM;
	int n, want = (int)set->synchronous_node_count;
	struct wish list[MT_NODES_MAX];

	memset(target, 0, sizeof(*target));
	if (set->synchronous_mode == MT_SYNC_OFF)
		return false;
	n = list_wishes(v, list);
	for (int i = 0; i < n; i++)
		if (is_wanted(&list[i], quorum, target->n, want))
			mt_copy(target->names[target->n++], MT_NAME_MAX,
				list[i].name);
	target->k = target->n < want ? target->n : want;
	if (target->n == 0) {
		if (mt_sync_is_strict(set))
			go_on_waiting(v, target);
		return false;
	}
	mt_names_sort(target);
	return true;
}

void
mt_sync_names_for(const struct mt_sync *sync, const char *self, bool strict,
		  struct mt_names *names)
{
	memset(names, 0, sizeof(*names));
	for (int i = 0; i < sync->n; i++)
		if (strcmp(sync->standbys[i].name, self) != 0)
			mt_copy(names->names[names->n++], MT_NAME_MAX,
				sync->standbys[i].name);
	names->k = sync->k < names->n ? sync->k : names->n;
	mt_names_sort(names);
	if (names->n == 0 && strict)
		wait_for_nobody(names);
}
