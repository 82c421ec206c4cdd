/* SPDX-License-Identifier: PostgreSQL */
/*
 * The state as JSON: snapshots and the digest. The keys are sorted, so that
 * equal states have equal texts. A field that is added later has a default for
 * snapshots without it; a snapshot of a higher version is refused.
 */
#include "core/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/settings.h"
#include "core/json_fields.h"

#define SNAPSHOT_VERSION 1

static json_t *
save_leader(const struct mt_leader *l)
{
	json_t *o = json_object();

	mt_jset_u64(o, "epoch", l->epoch);
	mt_jset_u64(o, "since", l->since);
	mt_jset_str(o, "holder", l->holder);
	mt_jset_i64(o, "ttl_ms", l->ttl_ms);
	mt_jset_i64(o, "timeline", l->timeline);
	mt_jset_bool(o, "continues", l->continues);
	mt_jset_bool(o, "after_fence", l->after_fence);
	mt_jset_position(o, "min", l->min);
	mt_jset_bool(o, "released", l->released);
	mt_jset_bool(o, "clean", l->clean);
	mt_jset_position(o, "end", l->end);
	mt_jset_u64(o, "index", l->index);
	mt_jset_u64(o, "exempt", l->exempt);
	mt_jset_u64(o, "exempt_incarnation", l->exempt_incarnation);
	mt_jset_str(o, "exempt_reason", l->exempt_reason);
	mt_jset_u64(o, "adopts", l->adopts);
	return o;
}

static void
load_leader(const json_t *o, struct mt_leader *l, bool *bad)
{
	mt_jget_u64(o, "epoch", &l->epoch, bad);
	mt_jget_u64(o, "since", &l->since, bad);
	mt_jget_str(o, "holder", l->holder, sizeof(l->holder), bad);
	mt_jget_i64(o, "ttl_ms", &l->ttl_ms, bad);
	if (l->ttl_ms < 0 || l->ttl_ms > MT_TTL_MAX_MS)
		*bad = true;
	mt_jget_u32(o, "timeline", &l->timeline, bad);
	mt_jget_bool(o, "continues", &l->continues, bad);
	mt_jget_bool(o, "after_fence", &l->after_fence, bad);
	mt_jget_position(o, "min", &l->min, bad);
	mt_jget_bool(o, "released", &l->released, bad);
	mt_jget_bool(o, "clean", &l->clean, bad);
	mt_jget_position(o, "end", &l->end, bad);
	mt_jget_u64(o, "index", &l->index, bad);
	mt_jget_u64(o, "exempt", &l->exempt, bad);
	mt_jget_u64(o, "exempt_incarnation", &l->exempt_incarnation, bad);
	mt_jget_str(o, "exempt_reason", l->exempt_reason,
		    sizeof(l->exempt_reason), bad);
	mt_jget_u64(o, "adopts", &l->adopts, bad);
}

static json_t *
save_request(const struct mt_state *s)
{
	json_t *o = json_object();

	mt_jset_i64(o, "kind", s->request.kind);
	mt_jset_u64(o, "id", s->request.id);
	mt_jset_str(o, "leader", s->request.leader);
	mt_jset_str(o, "candidate", s->request.candidate);
	mt_jset_i64(o, "scheduled_ms", s->request.scheduled_ms);
	mt_jset_bool(o, "due", s->request.due);
	mt_jset_bool(o, "accept_loss", s->request.accept_loss);
	mt_jset_origin(o, &s->request.by);
	mt_jset_u64(o, "outcome_id", s->outcome.id);
	mt_jset_bool(o, "outcome_ok", s->outcome.ok);
	mt_jset_str(o, "outcome", s->outcome.text);
	return o;
}

static void
load_request(const json_t *o, struct mt_state *s, bool *bad)
{
	int64_t kind = 0;

	mt_jget_i64(o, "kind", &kind, bad);
	if (kind < MT_REQUEST_NONE || kind > MT_REQUEST_FAILOVER)
		*bad = true;
	else
		s->request.kind = (enum mt_request_kind)kind;
	mt_jget_u64(o, "id", &s->request.id, bad);
	mt_jget_str(o, "leader", s->request.leader, sizeof(s->request.leader),
		    bad);
	mt_jget_str(o, "candidate", s->request.candidate,
		    sizeof(s->request.candidate), bad);
	mt_jget_i64(o, "scheduled_ms", &s->request.scheduled_ms, bad);
	mt_jget_bool(o, "due", &s->request.due, bad);
	mt_jget_bool(o, "accept_loss", &s->request.accept_loss, bad);
	mt_jget_origin(o, &s->request.by, bad);
	mt_jget_u64(o, "outcome_id", &s->outcome.id, bad);
	mt_jget_bool(o, "outcome_ok", &s->outcome.ok, bad);
	mt_jget_str(o, "outcome", s->outcome.text, sizeof(s->outcome.text),
		    bad);
}

static json_t *
save_all(const struct mt_state *s)
{
	json_t *o = json_object(), *claim = json_object();
	json_t *members = json_array(), *history = json_array();
	json_t *decisions = json_array();
	uint64_t n_decisions = s->last_decision < MT_DECISIONS_MAX
				   ? s->last_decision
				   : MT_DECISIONS_MAX;

	mt_jset_i64(o, "version", SNAPSHOT_VERSION);
	mt_jset_u64(o, "index", s->index);
	mt_jset_str(o, "sysid", s->sysid);
	mt_jset_str(claim, "member", s->claim.member);
	mt_jset_u64(claim, "incarnation", s->claim.incarnation);
	mt_jset_u64(claim, "index", s->claim.index);
	mt_jset_u64(claim, "adopts", s->claim.adopts);
	json_object_set_new(o, "claim", claim);
	json_object_set_new(o, "config",
			    s->config != NULL ? json_incref(s->config)
					      : json_null());
	mt_jset_u64(o, "config_version", s->config_version);
	json_object_set_new(o, "leader", save_leader(&s->leader));
	for (int i = 0; i < s->n_members; i++)
		json_array_append_new(members,
				      mt_member_to_json(&s->members[i]));
	json_object_set_new(o, "members", members);
	json_object_set_new(o, "sync", mt_sync_to_json(&s->sync));
	json_object_set_new(o, "request", save_request(s));
	for (int i = 0; i < s->n_history; i++)
		json_array_append_new(history,
				      mt_history_to_json(&s->history[i]));
	json_object_set_new(o, "history", history);
	mt_jset_i64(o, "history_of", s->history_of);
	for (uint64_t left = n_decisions; left > 0; left--) {
		const struct mt_decision *d =
		    mt_state_decision(s, s->last_decision - left + 1);

		if (d != NULL)
			json_array_append_new(decisions,
					      mt_decision_to_json(d));
	}
	json_object_set_new(o, "decisions", decisions);
	mt_jset_u64(o, "last_decision", s->last_decision);
	mt_jset_position(o, "optime", s->status.optime);
	return o;
}

int
mt_state_save(const struct mt_state *s, char **text, size_t *n)
{
	json_t *o = save_all(s);
	char *t = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);

	json_decref(o);
	if (t == NULL)
		return MT_ENOMEM;
	*text = t;
	*n = strlen(t);
	return 0;
}

static void
load_lists(const json_t *o, struct mt_state *s, bool *bad)
{
	const json_t *item;
	size_t i;

	json_array_foreach (mt_jget_array(o, "members", bad), i, item) {
		if (i >= MT_NODES_MAX) {
			*bad = true;
			break;
		}
		mt_member_from_json(item, &s->members[i], bad);
		s->n_members = (int)i + 1;
	}
	json_array_foreach (mt_jget_array(o, "history", bad), i, item) {
		if (i >= MT_HISTORY_MAX) {
			*bad = true;
			break;
		}
		mt_history_from_json(item, &s->history[i], bad);
		s->n_history = (int)i + 1;
	}
	json_array_foreach (mt_jget_array(o, "decisions", bad), i, item) {
		struct mt_decision d = {0};

		mt_decision_from_json(item, &d, bad);
		s->decisions[d.id % MT_DECISIONS_MAX] = d;
	}
}

static void
load_all(const json_t *o, struct mt_state *s, bool *bad)
{
	const json_t *claim = mt_jget_object(o, "claim", bad);
	json_t *config = json_object_get(o, "config");

	mt_jget_u64(o, "index", &s->index, bad);
	mt_jget_str(o, "sysid", s->sysid, sizeof(s->sysid), bad);
	mt_jget_str(claim, "member", s->claim.member, sizeof(s->claim.member),
		    bad);
	mt_jget_u64(claim, "incarnation", &s->claim.incarnation, bad);
	mt_jget_u64(claim, "index", &s->claim.index, bad);
	mt_jget_u64(claim, "adopts", &s->claim.adopts, bad);
	if (json_is_object(config))
		s->config = json_incref(config);
	else if (!json_is_null(config))
		*bad = true;
	mt_jget_u64(o, "config_version", &s->config_version, bad);
	load_leader(mt_jget_object(o, "leader", bad), &s->leader, bad);
	mt_sync_from_json(mt_jget_object(o, "sync", bad), &s->sync, bad);
	load_request(mt_jget_object(o, "request", bad), s, bad);
	mt_jget_u32(o, "history_of", &s->history_of, bad);
	load_lists(o, s, bad);
	mt_jget_u64(o, "last_decision", &s->last_decision, bad);
	mt_jget_position(o, "optime", &s->status.optime, bad);
}

int
mt_state_load(struct mt_state *s, const char *text, size_t n,
	      struct mt_err *err)
{
	json_error_t je;
	json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
	struct mt_state *got;
	int64_t version = 0;
	bool bad = false;

	if (o == NULL)
		return mt_err_set(err, MT_EIO,
				  "could not read snapshot of the state: %s",
				  je.text);
	mt_jget_i64(o, "version", &version, &bad);
	if (bad || version != SNAPSHOT_VERSION) {
		json_decref(o);
		return mt_err_set(err, MT_EIO,
				  "snapshot of the state has version %lld, "
				  "this program knows %d; upgrade it",
				  (long long)version, SNAPSHOT_VERSION);
	}
	got = calloc(1, sizeof(*got));
	if (got == NULL) {
		json_decref(o);
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	}
	load_all(o, got, &bad);
	json_decref(o);
	if (bad) {
		mt_state_release(got);
		free(got);
		return mt_err_set(err, MT_EIO,
				  "snapshot of the state is malformed");
	}
	mt_state_release(s);
	*s = *got;
	free(got);
	return 0;
}

uint64_t
mt_state_digest(const struct mt_state *s)
{
	char *text;
	size_t n;
	uint64_t h;

	if (mt_state_save(s, &text, &n) != 0)
		return 0;
	h = mt_hash(MT_HASH_SEED, text, n);
	free(text);
	return h;
}
