/* SPDX-License-Identifier: PostgreSQL */
/*
 * The answer to an agent check. Happy path: the line names a health check, its
 * words become a query, mt_health_code decides as it does for HTTP, so the two
 * never differ; "up", for a replica with a weight, or "down #" and a reason.
 *
 * A replica that is to have no new sessions has the weight 0, which HAProxy
 * shows as DRAIN. It is not the word "drain": that one changes what an
 * administrator sets, so that only "ready" ends it, and who says "ready" with
 * each answer undoes what an administrator has set by hand.
 *
 * The blank before "#" is none of the manual's: without it HAProxy takes the
 * word for another one and changes nothing.
 *
 * What it does not understand is down, and told why: whoever wrote it reads
 * that on HAProxy's page.
 */
#include "daemon/api/agent_answer.h"

#include <string.h>

#include "base/text.h"
#include "daemon/api/health.h"
#include "http/query.h"

static const char blanks[] = " \t";

/* Into a path and a query, as they stand in a request of HTTP. */
static void
split(const char *line, char path[MT_AGENT_LINE_MAX + 1],
      char query[MT_AGENT_LINE_MAX])
{
	size_t n;

	line += strspn(line, " \t/");
	n = strcspn(line, " \t?");
	mt_format(path, MT_AGENT_LINE_MAX + 1, "/%.*s", (int)n, line);
	line += n;
	line += strspn(line, " \t?");
	mt_copy(query, MT_AGENT_LINE_MAX, line);
	for (n = 0; query[n] != '\0'; n++)
		if (strchr(blanks, query[n]) != NULL)
			query[n] = '&';
}

static bool
is_for_replicas(enum mt_health_kind kind)
{
	switch (kind) {
	case MT_HEALTH_REPLICA:
	case MT_HEALTH_READ_ONLY:
	case MT_HEALTH_SYNC:
	case MT_HEALTH_QUORUM:
	case MT_HEALTH_ASYNC:
	case MT_HEALTH_READ_ONLY_SYNC:
	case MT_HEALTH_READ_ONLY_QUORUM:
		return true;
	case MT_HEALTH_NONE:
	case MT_HEALTH_PRIMARY:
	case MT_HEALTH_LEADER:
	case MT_HEALTH_STANDBY_LEADER:
	case MT_HEALTH_HEALTH:
	case MT_HEALTH_LIVENESS:
	case MT_HEALTH_READINESS:
		break;
	}
	return false;
}

/* What "lag" of the query says, or the cluster's setting. */
static int64_t
limit_of(const struct mt_health_input *in, const char *query, bool *is_asked)
{
	char value[MT_AGENT_LINE_MAX];
	int64_t limit_bytes = -1;

	if (mt_http_query(query, "lag", value, sizeof(value)))
		limit_bytes = mt_health_lag_bytes(value);
	*is_asked = limit_bytes >= 0;
	return *is_asked ? limit_bytes : in->maximum_lag_on_failover;
}

static uint64_t
lag_of(const struct mt_health_input *in)
{
	return in->leader_lsn > in->replayed_lsn
		   ? in->leader_lsn - in->replayed_lsn
		   : 0;
}

int
mt_agent_weight(uint64_t lag_bytes, int64_t limit_bytes)
{
	if (lag_bytes == 0)
		return 100;
	if (limit_bytes <= 0 || lag_bytes >= (uint64_t)limit_bytes)
		return 1;
	return 1 + (int)(99.0 * ((double)((uint64_t)limit_bytes - lag_bytes) /
				 (double)limit_bytes));
}

static const char *
why_down(const struct mt_health_input *in, enum mt_health_kind kind,
	 const char *query)
{
	bool is_asked;
	int64_t limit_bytes = limit_of(in, query, &is_asked);

	if (kind == MT_HEALTH_NONE)
		return "no check has this name";
	if (!in->accepting)
		return "PostgreSQL takes no connections";
	if (!is_for_replicas(kind)) {
		if (kind == MT_HEALTH_READINESS)
			return "not ready";
		return in->in_recovery || !in->holds ? "not the primary"
						     : "no valid lease";
	}
	if (!in->in_recovery)
		return "not a replica";
	if (is_asked && lag_of(in) > (uint64_t)limit_bytes)
		return "lags too far behind";
	return "not a replica of the kind asked for";
}

size_t
mt_agent_answer(const struct mt_health_input *in, bool stopping,
		const char *line, char *buf)
{
	char path[MT_AGENT_LINE_MAX + 1], query[MT_AGENT_LINE_MAX];
	struct mt_health_input balanced = *in; /* that tag makes a weight */
	enum mt_health_kind kind;
	bool is_asked;
	int weight;

	split(line, path, query);
	kind = mt_health_kind(path);
	balanced.noloadbalance = false;
	if (mt_health_code(&balanced, kind, query) != 200) {
		mt_format(buf, MT_AGENT_ANSWER_MAX, "down #%s\n",
			  why_down(in, kind, query));
		return strlen(buf);
	}
	if (!is_for_replicas(kind)) {
		mt_format(buf, MT_AGENT_ANSWER_MAX, "up\n");
		return strlen(buf);
	}
	weight = 100;
	if (in->in_recovery) {
		/* Who hears of no Raft leader does not know its lag. */
		weight = in->fresh
			     ? mt_agent_weight(lag_of(in),
					       limit_of(in, query, &is_asked))
			     : 1;
		if (stopping || in->noloadbalance)
			weight = 0;
	}
	mt_format(buf, MT_AGENT_ANSWER_MAX, "up %d%%\n", weight);
	return strlen(buf);
}
