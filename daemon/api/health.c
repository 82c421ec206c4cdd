/* SPDX-License-Identifier: PostgreSQL */
/*
 * Health checks: the decision, 200 or 503, from a few facts. No clock and no
 * server: the simulator asks it, too.
 *
 * A primary is one that may be sent writes: its lease is valid at this moment
 * and PostgreSQL accepts them. The lease alone (a primary that still starts)
 * makes a leader, not a primary. What is not known for sure is 503. An answer
 * says nothing about the moment after it; the lease's own margin covers that.
 */
#include "daemon/api/health.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/suspect.h"
#include "http/query.h"

#define VALUE_MAX 1024 /* longer than any tag may be */

static bool
is_segment(const char *path, const char *name)
{
	size_t n = strlen(name);

	return strncmp(path, name, n) == 0 &&
	       (path[n] == '\0' || path[n] == '/');
}

/* The order is part of the interface: "/standby-leader" holds "leader". */
static const struct {
	const char *text;
	bool whole; /* the first segment is this, else the path contains it */
	enum mt_health_kind kind;
} paths[] = {
    {"/liveness", true, MT_HEALTH_LIVENESS},
    {"/readiness", true, MT_HEALTH_READINESS},
    {"standby_leader", false, MT_HEALTH_STANDBY_LEADER},
    {"standby-leader", false, MT_HEALTH_STANDBY_LEADER},
    {"leader", false, MT_HEALTH_LEADER},
    {"master", false, MT_HEALTH_PRIMARY},
    {"primary", false, MT_HEALTH_PRIMARY},
    {"read-write", false, MT_HEALTH_PRIMARY},
    {"replica", false, MT_HEALTH_REPLICA},
    {"/read-only-quorum", true, MT_HEALTH_READ_ONLY_QUORUM},
    {"/read-only-sync", true, MT_HEALTH_READ_ONLY_SYNC},
    {"/read-only-synchronous", true, MT_HEALTH_READ_ONLY_SYNC},
    {"read-only", false, MT_HEALTH_READ_ONLY},
    {"health", false, MT_HEALTH_HEALTH},
    {"/sync", true, MT_HEALTH_SYNC},
    {"/synchronous", true, MT_HEALTH_SYNC},
    {"/quorum", true, MT_HEALTH_QUORUM},
    {"/async", true, MT_HEALTH_ASYNC},
    {"/asynchronous", true, MT_HEALTH_ASYNC},
};

enum mt_health_kind
mt_health_kind(const char *path)
{
	if (mt_streq(path, "/") || mt_streq(path, ""))
		return MT_HEALTH_PRIMARY;
	for (size_t i = 0; i < MT_COUNT(paths); i++) {
		if (paths[i].whole) {
			if (is_segment(path, paths[i].text))
				return paths[i].kind;
			continue;
		}
		if (strstr(path, paths[i].text) == NULL)
			continue;
		/* "/read-only-x-sync" is no check at all */
		if (paths[i].kind == MT_HEALTH_READ_ONLY &&
		    (strstr(path, "sync") != NULL ||
		     strstr(path, "quorum") != NULL))
			continue;
		return paths[i].kind;
	}
	return MT_HEALTH_NONE;
}

const char *
mt_health_path(size_t i)
{
	if (i >= MT_COUNT(paths))
		return NULL;
	return paths[i].text + (paths[i].text[0] == '/');
}

int64_t
mt_health_lag_bytes(const char *text)
{
	static const struct {
		const char *name;
		double factor;
	} units[] = {
	    {"", 1},
	    {"B", 1},
	    {"kB", 1024.0},
	    {"MB", 1024.0 * 1024},
	    {"GB", 1024.0 * 1024 * 1024},
	    {"TB", 1024.0 * 1024 * 1024 * 1024},
	};
	double value = 0, place = 1;
	bool digits = false;

	while (*text == ' ')
		text++;
	/* By hand: strtod's decimal point depends on the locale. */
	for (; isdigit((unsigned char)*text); text++, digits = true)
		value = value * 10 + (*text - '0');
	if (*text == '.')
		for (text++; isdigit((unsigned char)*text); text++) {
			place /= 10;
			value += place * (*text - '0');
			digits = true;
		}
	while (*text == ' ')
		text++;
	for (size_t i = 0; digits && i < MT_COUNT(units); i++) {
		if (!mt_streq(text, units[i].name))
			continue;
		value *= units[i].factor;
		return value >= (double)INT64_MAX ? INT64_MAX : (int64_t)value;
	}
	return -1;
}

static bool
within(uint64_t leader_lsn, uint64_t own_lsn, int64_t lag_bytes)
{
	return leader_lsn <= own_lsn ||
	       leader_lsn - own_lsn <= (uint64_t)lag_bytes;
}

/* As the node's configured tag is written in a query. */
static void
tag_text(const json_t *tag, char *buf, size_t size)
{
	char *text;

	if (json_is_string(tag)) {
		mt_copy(buf, size, json_string_value(tag));
		return;
	}
	if (json_is_null(tag)) {
		mt_copy(buf, size, "none");
		return;
	}
	text = json_dumps(tag, JSON_ENCODE_ANY | JSON_COMPACT |
				   JSON_REAL_PRECISION(15));
	mt_copy(buf, size, text == NULL ? "" : text);
	free(text);
	for (char *p = buf; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
}

static bool
tags_match(const struct mt_health_input *in, const char *query)
{
	char key[256], value[VALUE_MAX], first[VALUE_MAX], own[VALUE_MAX];
	const char *cursor = query;

	while (mt_http_query_next(&cursor, key, sizeof(key), value,
				  sizeof(value))) {
		const json_t *tag;

		if (strncmp(key, "tag_", 4) != 0)
			continue;
		tag = json_object_get(in->tags, key + 4);
		if (tag == NULL)
			return false;
		/* of a repeated key only the first counts */
		mt_http_query(query, key, first, sizeof(first));
		tag_text(tag, own, sizeof(own));
		if (!mt_streq(first, own))
			return false;
	}
	return true;
}

static bool
lease_is_valid(const struct mt_health_input *in)
{
	return in->holds && in->epoch != 0 &&
	       (in->exempt ||
		(in->lease_epoch == in->epoch && in->deadline_ms > in->now_ms));
}

/* In synchronous mode another may be primary before this lease has ended. Who
 * hears no majority says at once that it is none. */
static bool
is_supported(const struct mt_health_input *in)
{
	return !in->displaceable || in->exempt || in->now_ms < in->missed_ms;
}

/* While paused and cut off, what PostgreSQL is counts, and no lease; but not
 * against what the log is known to say: a second primary, which pause lets run,
 * is none for clients. */
static bool
is_paused_primary(const struct mt_health_input *in)
{
	return in->paused && !in->fresh && !in->deposed && in->accepting &&
	       !in->in_recovery;
}

static bool
is_primary(const struct mt_health_input *in)
{
	if (is_paused_primary(in))
		return true;
	return lease_is_valid(in) && is_supported(in) && in->accepting &&
	       !in->in_recovery;
}

static bool
is_replica(const struct mt_health_input *in, const char *query)
{
	char value[VALUE_MAX];
	const char *state = "";
	int64_t lag_bytes;

	if (!in->accepting || !in->in_recovery || in->noloadbalance)
		return false;
	if (mt_http_query(query, "lag", value, sizeof(value))) {
		lag_bytes = mt_health_lag_bytes(value);
		if (lag_bytes >= 0 &&
		    !within(in->leader_lsn, in->replayed_lsn, lag_bytes))
			return false;
	}
	if (mt_http_query(query, "replication_state", value, sizeof(value))) {
		if (in->streaming)
			state = "streaming";
		else if (in->restore)
			state = "in archive recovery";
		if (!mt_streq(value, state))
			return false;
	}
	return true;
}

static bool
is_ready(const struct mt_health_input *in, const char *query)
{
	int64_t lag_bytes = in->maximum_lag_on_failover;
	uint64_t own_lsn = in->replayed_lsn;
	char value[VALUE_MAX];

	if (lease_is_valid(in))
		return true;
	if (!in->accepting || !in->in_recovery || !in->streaming ||
	    !in->has_leader_lsn)
		return false;
	if (mt_http_query(query, "lag", value, sizeof(value)) &&
	    mt_health_lag_bytes(value) >= 0)
		lag_bytes = mt_health_lag_bytes(value);
	if (mt_http_query(query, "mode", value, sizeof(value)) &&
	    mt_streq(value, "write"))
		own_lsn = in->received_lsn;
	return within(in->leader_lsn, own_lsn, lag_bytes);
}

int
mt_health_code(const struct mt_health_input *in, enum mt_health_kind kind,
	       const char *query)
{
	bool yes = false, filter = true;

	switch (kind) {
	case MT_HEALTH_PRIMARY:
		yes = is_primary(in);
		filter = false;
		break;
	case MT_HEALTH_LEADER:
		yes = in->paused && !in->fresh ? is_paused_primary(in)
					       : lease_is_valid(in);
		filter = false;
		break;
	case MT_HEALTH_LIVENESS:
		/* This runs on the loop that it would ask about. */
		yes = true;
		filter = false;
		break;
	case MT_HEALTH_READINESS:
		yes = is_ready(in, query);
		filter = false;
		break;
	case MT_HEALTH_REPLICA:
		yes = is_replica(in, query);
		break;
	case MT_HEALTH_READ_ONLY:
		yes = is_primary(in) || is_replica(in, query);
		break;
	case MT_HEALTH_HEALTH:
		yes = in->accepting;
		break;
	case MT_HEALTH_SYNC:
		yes = in->fresh && in->sync_standby && is_replica(in, query);
		break;
	case MT_HEALTH_QUORUM:
		yes = in->fresh && in->quorum_standby && is_replica(in, query);
		break;
	case MT_HEALTH_ASYNC:
		yes = in->fresh && !in->sync_standby && !in->quorum_standby &&
		      is_replica(in, query);
		break;
	case MT_HEALTH_READ_ONLY_SYNC:
		yes = in->fresh && (is_primary(in) || (in->sync_standby &&
						       is_replica(in, query)));
		break;
	case MT_HEALTH_READ_ONLY_QUORUM:
		yes = in->fresh && (is_primary(in) || (in->quorum_standby &&
						       is_replica(in, query)));
		break;
	case MT_HEALTH_STANDBY_LEADER: /* there are no standby clusters */
	case MT_HEALTH_NONE:
		break;
	}
	if (yes && filter)
		yes = tags_match(in, query);
	return yes ? 200 : 503;
}

/* ---- the facts -------------------------------------------------------- */

void
mt_health_of_view(const struct mt_view *view, struct mt_health_input *in)
{
	const struct mt_local *l = &view->local;
	const struct mt_state *s = view->state;

	*in = (struct mt_health_input){
	    .now_ms = view->now_ms,
	    .holds = mt_state_held_by(s, l->name),
	    .deposed = mt_state_held(s) && !mt_state_held_by(s, l->name),
	    .epoch = s->leader.epoch,
	    .lease_epoch = l->lease_epoch,
	    .deadline_ms = l->deadline_ms,
	    .exempt = l->exempt,
	    .displaceable = mt_may_be_displaced(view),
	    .missed_ms = l->missed_ms,
	    .paused = view->settings->pause,
	    .maximum_lag_on_failover = view->settings->maximum_lag_on_failover,
	};
	if (l->witness)
		return;
	/* While it is being stopped it refuses new sessions. */
	in->accepting = l->accepting && l->job != MT_JOB_STOP;
	in->in_recovery = l->in_recovery;
	in->streaming = l->in_recovery && l->streaming;
	in->received_lsn = l->in_recovery ? l->at.lsn : 0;
	in->replayed_lsn = l->replayed_lsn;
}
