/* SPDX-License-Identifier: PostgreSQL */
/* Fields of JSON objects to and from the core's structs; see the header. */
#include "core/json_fields.h"

#include <string.h>

#include "base/text.h"

void
mt_jset_u64(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)v));
}

void
mt_jset_i64(json_t *o, const char *key, int64_t v)
{
	json_object_set_new(o, key, json_integer(v));
}

void
mt_jset_bool(json_t *o, const char *key, bool v)
{
	json_object_set_new(o, key, json_boolean(v));
}

/* Texts that came from outside may hold bytes that are no UTF-8: those are
 * kept out of the log here, once, for all nodes alike. */
void
mt_jset_str(json_t *o, const char *key, const char *v)
{
	json_t *s = json_string(v);

	json_object_set_new(o, key, s != NULL ? s : json_string("?"));
}

void
mt_jset_position(json_t *o, const char *key, struct mt_position v)
{
	json_t *a = json_array();

	json_array_append_new(a, json_integer(v.timeline));
	json_array_append_new(a, json_integer((json_int_t)v.lsn));
	json_object_set_new(o, key, a);
}

void
mt_jget_u64(const json_t *o, const char *key, uint64_t *v, bool *bad)
{
	const json_t *f = json_object_get(o, key);

	if (f == NULL)
		return;
	if (!json_is_integer(f))
		*bad = true;
	else
		*v = (uint64_t)json_integer_value(f);
}

void
mt_jget_u32(const json_t *o, const char *key, uint32_t *v, bool *bad)
{
	int64_t wide = *v;

	mt_jget_i64(o, key, &wide, bad);
	if (wide < 0 || wide > UINT32_MAX)
		*bad = true;
	else
		*v = (uint32_t)wide;
}

void
mt_jget_i64(const json_t *o, const char *key, int64_t *v, bool *bad)
{
	const json_t *f = json_object_get(o, key);

	if (f == NULL)
		return;
	if (!json_is_integer(f))
		*bad = true;
	else
		*v = json_integer_value(f);
}

void
mt_jget_bool(const json_t *o, const char *key, bool *v, bool *bad)
{
	const json_t *f = json_object_get(o, key);

	if (f == NULL)
		return;
	if (!json_is_boolean(f))
		*bad = true;
	else
		*v = json_is_true(f);
}

void
mt_jget_str(const json_t *o, const char *key, char *buf, size_t size, bool *bad)
{
	const json_t *f = json_object_get(o, key);

	if (f == NULL)
		return;
	if (!json_is_string(f) || !mt_copy(buf, size, json_string_value(f)))
		*bad = true;
}

void
mt_jget_position(const json_t *o, const char *key, struct mt_position *v,
		 bool *bad)
{
	const json_t *a = json_object_get(o, key);
	const json_t *tl = json_array_get(a, 0), *lsn = json_array_get(a, 1);

	if (a == NULL)
		return;
	if (json_array_size(a) != 2 || !json_is_integer(tl) ||
	    !json_is_integer(lsn) || json_integer_value(tl) < 0 ||
	    json_integer_value(tl) > UINT32_MAX) {
		*bad = true;
		return;
	}
	v->timeline = (uint32_t)json_integer_value(tl);
	v->lsn = (uint64_t)json_integer_value(lsn);
}

const json_t *
mt_jget_object(const json_t *o, const char *key, bool *bad)
{
	const json_t *f = json_object_get(o, key);

	if (f == NULL || json_is_object(f))
		return f;
	*bad = true;
	return NULL;
}

const json_t *
mt_jget_array(const json_t *o, const char *key, bool *bad)
{
	const json_t *f = json_object_get(o, key);

	if (f == NULL || json_is_array(f))
		return f;
	*bad = true;
	return NULL;
}

/* An item of a list that is no object has no fields, all defaults. */
static void
need_object(const json_t *o, bool *bad)
{
	if (o != NULL && !json_is_object(o))
		*bad = true;
}

json_t *
mt_member_to_json(const struct mt_member *m)
{
	json_t *o = json_object();

	mt_jset_str(o, "name", m->name);
	mt_jset_u64(o, "raft_id", m->raft_id);
	mt_jset_bool(o, "witness", m->witness);
	mt_jset_i64(o, "command_version", m->command_version);
	mt_jset_str(o, "peer_addr", m->peer_addr);
	mt_jset_str(o, "api_url", m->api_url);
	mt_jset_str(o, "conn_url", m->conn_url);
	/* Nodes that do not know it keep the same digest without it. */
	if (m->proxy_url[0] != '\0')
		mt_jset_str(o, "proxy_url", m->proxy_url);
	mt_jset_str(o, "tags", m->tags);
	mt_jset_str(o, "version", m->version);
	return o;
}

void
mt_member_from_json(const json_t *o, struct mt_member *m, bool *bad)
{
	memset(m, 0, sizeof(*m));
	need_object(o, bad);
	mt_jget_str(o, "name", m->name, sizeof(m->name), bad);
	mt_jget_u64(o, "raft_id", &m->raft_id, bad);
	mt_jget_bool(o, "witness", &m->witness, bad);
	mt_jget_u32(o, "command_version", &m->command_version, bad);
	mt_jget_str(o, "peer_addr", m->peer_addr, sizeof(m->peer_addr), bad);
	mt_jget_str(o, "api_url", m->api_url, sizeof(m->api_url), bad);
	mt_jget_str(o, "conn_url", m->conn_url, sizeof(m->conn_url), bad);
	mt_jget_str(o, "proxy_url", m->proxy_url, sizeof(m->proxy_url), bad);
	mt_jget_str(o, "tags", m->tags, sizeof(m->tags), bad);
	mt_jget_str(o, "version", m->version, sizeof(m->version), bad);
	if (m->name[0] == '\0' || m->raft_id == 0)
		*bad = true;
}

json_t *
mt_sync_to_json(const struct mt_sync *sync)
{
	json_t *o = json_object(), *standbys = json_array();

	mt_jset_str(o, "leader", sync->leader);
	mt_jset_u64(o, "version", sync->version);
	mt_jset_i64(o, "k", sync->k);
	for (int i = 0; i < sync->n; i++) {
		json_t *s = json_object();

		mt_jset_str(s, "name", sync->standbys[i].name);
		mt_jset_u64(s, "data_id", sync->standbys[i].data_id);
		json_array_append_new(standbys, s);
	}
	json_object_set_new(o, "standbys", standbys);
	return o;
}

/* Well formed: no standbys and k = 0, or 0 < k <= n, sorted, none twice. */
void
mt_sync_from_json(const json_t *o, struct mt_sync *sync, bool *bad)
{
	const json_t *item;
	uint32_t k = 0;
	size_t i;

	memset(sync, 0, sizeof(*sync));
	need_object(o, bad);
	mt_jget_str(o, "leader", sync->leader, sizeof(sync->leader), bad);
	mt_jget_u64(o, "version", &sync->version, bad);
	mt_jget_u32(o, "k", &k, bad);
	json_array_foreach (mt_jget_array(o, "standbys", bad), i, item) {
		struct mt_sync_standby *s = &sync->standbys[i];

		if (i >= MT_NODES_MAX) {
			*bad = true;
			return;
		}
		need_object(item, bad);
		mt_jget_str(item, "name", s->name, sizeof(s->name), bad);
		mt_jget_u64(item, "data_id", &s->data_id, bad);
		if (s->name[0] == '\0' || s->data_id == 0 ||
		    (i > 0 && strcmp(s[-1].name, s->name) >= 0))
			*bad = true;
		sync->n = (int)i + 1;
	}
	if (k > (uint32_t)sync->n || (k == 0) != (sync->n == 0))
		*bad = true;
	sync->k = (int)k;
}

json_t *
mt_history_to_json(const struct mt_history *h)
{
	json_t *o = json_object();

	mt_jset_i64(o, "timeline", h->timeline);
	mt_jset_u64(o, "lsn", h->lsn);
	mt_jset_str(o, "reason", h->reason);
	mt_jset_i64(o, "at_ms", h->at_ms);
	mt_jset_str(o, "new_leader", h->new_leader);
	return o;
}

void
mt_history_from_json(const json_t *o, struct mt_history *h, bool *bad)
{
	memset(h, 0, sizeof(*h));
	need_object(o, bad);
	mt_jget_u32(o, "timeline", &h->timeline, bad);
	if (h->timeline == 0)
		*bad = true;
	mt_jget_u64(o, "lsn", &h->lsn, bad);
	mt_jget_str(o, "reason", h->reason, sizeof(h->reason), bad);
	mt_jget_i64(o, "at_ms", &h->at_ms, bad);
	mt_jget_str(o, "new_leader", h->new_leader, sizeof(h->new_leader), bad);
}

/* What has its default is left out: there are a hundred decisions. */
static void
set_unless_0(json_t *o, const char *key, int64_t v)
{
	if (v != 0)
		mt_jset_i64(o, key, v);
}

static json_t *
verdict_to(const struct mt_verdict *v)
{
	json_t *o = json_object();

	mt_jset_str(o, "name", v->name);
	mt_jset_str(o, "rule", v->rule);
	mt_jset_position(o, "at", v->at);
	set_unless_0(o, "lag", (int64_t)v->lag_bytes);
	set_unless_0(o, "age_ms", v->age_ms);
	set_unless_0(o, "state", (int64_t)v->state);
	set_unless_0(o, "role", (int64_t)v->role);
	set_unless_0(o, "priority", v->failover_priority);
	if (v->nofailover)
		mt_jset_bool(o, "nofailover", true);
	return o;
}

static void
verdict_from(const json_t *o, struct mt_verdict *v, bool *bad)
{
	int64_t state = 0, role = 0, priority = 0;

	need_object(o, bad);
	mt_jget_str(o, "name", v->name, sizeof(v->name), bad);
	mt_jget_str(o, "rule", v->rule, sizeof(v->rule), bad);
	mt_jget_position(o, "at", &v->at, bad);
	mt_jget_u64(o, "lag", &v->lag_bytes, bad);
	mt_jget_i64(o, "age_ms", &v->age_ms, bad);
	mt_jget_i64(o, "state", &state, bad);
	mt_jget_i64(o, "role", &role, bad);
	mt_jget_i64(o, "priority", &priority, bad);
	mt_jget_bool(o, "nofailover", &v->nofailover, bad);
	if (state < 0 || state > MT_PG_CRASHED || role < 0 ||
	    role > MT_ROLE_DEMOTED || priority < INT32_MIN ||
	    priority > INT32_MAX) {
		*bad = true;
		return;
	}
	v->state = (enum mt_pg_state)state;
	v->role = (enum mt_pg_role)role;
	v->failover_priority = (int)priority;
}

static void
phases_to(const struct mt_phases *p, json_t *o)
{
	set_unless_0(o, "fenced_ms", p->fenced_ms);
	set_unless_0(o, "assigned_ms", p->assigned_ms);
	set_unless_0(o, "leased_ms", p->leased_ms);
	set_unless_0(o, "promoted_ms", p->promoted_ms);
	set_unless_0(o, "writable_ms", p->writable_ms);
}

static void
phases_from(const json_t *o, struct mt_phases *p, bool *bad)
{
	mt_jget_i64(o, "fenced_ms", &p->fenced_ms, bad);
	mt_jget_i64(o, "assigned_ms", &p->assigned_ms, bad);
	mt_jget_i64(o, "leased_ms", &p->leased_ms, bad);
	mt_jget_i64(o, "promoted_ms", &p->promoted_ms, bad);
	mt_jget_i64(o, "writable_ms", &p->writable_ms, bad);
	if (p->fenced_ms < 0 || p->assigned_ms < 0 || p->leased_ms < 0 ||
	    p->promoted_ms < 0 || p->writable_ms < 0)
		*bad = true;
}

void
mt_jset_origin(json_t *o, const struct mt_origin *by)
{
	if (by->who[0] == '\0')
		return;
	mt_jset_str(o, "by", by->who);
	mt_jset_str(o, "by_from", by->from);
}

void
mt_jget_origin(const json_t *o, struct mt_origin *by, bool *bad)
{
	mt_jget_str(o, "by", by->who, sizeof(by->who), bad);
	mt_jget_str(o, "by_from", by->from, sizeof(by->from), bad);
	if (by->who[0] == '\0' && by->from[0] != '\0')
		*bad = true;
}

void
mt_jset_loss(json_t *o, const struct mt_loss *l)
{
	set_unless_0(o, "loss_timeline", l->timeline);
	set_unless_0(o, "loss_from", (int64_t)l->from);
	set_unless_0(o, "loss_to", (int64_t)l->to);
}

void
mt_jget_loss(const json_t *o, struct mt_loss *l, bool *bad)
{
	mt_jget_u32(o, "loss_timeline", &l->timeline, bad);
	mt_jget_u64(o, "loss_from", &l->from, bad);
	mt_jget_u64(o, "loss_to", &l->to, bad);
}

json_t *
mt_decision_to_json(const struct mt_decision *d)
{
	json_t *o = json_object(), *verdicts = json_array();

	mt_jset_u64(o, "id", d->id);
	mt_jset_u64(o, "epoch", d->epoch);
	mt_jset_i64(o, "at_ms", d->at_ms);
	mt_jset_str(o, "rule", d->rule);
	mt_jset_str(o, "from", d->from);
	mt_jset_str(o, "to", d->to);
	mt_jset_str(o, "why", d->why);
	mt_jset_origin(o, &d->by);
	if (d->optime.timeline != 0)
		mt_jset_position(o, "optime", d->optime);
	phases_to(&d->phases, o);
	mt_jset_loss(o, &d->loss);
	for (int i = 0; i < d->n_verdicts; i++)
		json_array_append_new(verdicts, verdict_to(&d->verdicts[i]));
	json_object_set_new(o, "verdicts", verdicts);
	return o;
}

void
mt_decision_from_json(const json_t *o, struct mt_decision *d, bool *bad)
{
	const json_t *v;
	size_t i;

	memset(d, 0, sizeof(*d));
	need_object(o, bad);
	mt_jget_u64(o, "id", &d->id, bad);
	mt_jget_u64(o, "epoch", &d->epoch, bad);
	mt_jget_i64(o, "at_ms", &d->at_ms, bad);
	mt_jget_str(o, "rule", d->rule, sizeof(d->rule), bad);
	mt_jget_str(o, "from", d->from, sizeof(d->from), bad);
	mt_jget_str(o, "to", d->to, sizeof(d->to), bad);
	mt_jget_str(o, "why", d->why, sizeof(d->why), bad);
	mt_jget_origin(o, &d->by, bad);
	mt_jget_position(o, "optime", &d->optime, bad);
	phases_from(o, &d->phases, bad);
	mt_jget_loss(o, &d->loss, bad);
	json_array_foreach (mt_jget_array(o, "verdicts", bad), i, v) {
		if (i >= MT_NODES_MAX) {
			*bad = true;
			return;
		}
		verdict_from(v, &d->verdicts[i], bad);
		d->n_verdicts = (int)i + 1;
	}
}
