/* SPDX-License-Identifier: PostgreSQL */
/*
 * GET /decisions and /decisions/N: what was decided about the primary, newest
 * first, from the replicated state, so that each node tells the same. Phases
 * are shown as milliseconds since the suspicion; the new holder's, which it
 * measured from the assignment on, are added to that. A number that is not
 * there (any more) is 404.
 */
#include "daemon/api/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "http/query.h"

static void
put_lsn(json_t *o, const char *key, uint64_t lsn)
{
	char text[MT_LSN_MAX];

	json_object_set_new(o, key,
			    lsn == 0 ? json_null()
				     : json_string(mt_lsn_format(text, lsn)));
}

static void
put_position(json_t *o, struct mt_position at)
{
	json_object_set_new(o, "timeline",
			    at.timeline == 0 ? json_null()
					     : json_integer(at.timeline));
	put_lsn(o, "lsn", at.timeline == 0 ? 0 : at.lsn);
}

static json_t *
verdict(const struct mt_verdict *v)
{
	json_t *o = json_object();

	json_object_set_new(o, "name", json_string(v->name));
	json_object_set_new(o, "verdict", json_string(v->rule));
	if (v->age_ms < 0) {
		json_object_set_new(o, "report_age_ms", json_null());
		return o;
	}
	json_object_set_new(o, "report_age_ms", json_integer(v->age_ms));
	json_object_set_new(o, "state",
			    json_string(mt_pg_state_name(v->state)));
	json_object_set_new(o, "role", json_string(mt_pg_role_name(v->role)));
	put_position(o, v->at);
	if (v->at.timeline != 0)
		json_object_set_new(o, "lag",
				    json_integer((json_int_t)v->lag_bytes));
	json_object_set_new(o, "failover_priority",
			    json_integer(v->failover_priority));
	if (v->nofailover)
		json_object_set_new(o, "nofailover", json_true());
	return o;
}

json_t *
api__verdicts(const struct mt_verdict *v, int n)
{
	json_t *list = json_array();

	for (int i = 0; i < n; i++)
		json_array_append_new(list, verdict(&v[i]));
	return list;
}

static void
put_ms(json_t *o, const char *key, int64_t ms, int64_t base_ms)
{
	if (ms != 0)
		json_object_set_new(o, key, json_integer(base_ms + ms));
}

static json_t *
phases(const struct mt_decision *d)
{
	const struct mt_phases *p = &d->phases;
	json_t *o = json_object();
	char at[MT_ISO_MAX];

	json_object_set_new(
	    o, "suspected",
	    json_string(mt_wall_iso(at, d->at_ms - p->assigned_ms)));
	put_ms(o, "fenced_ms", p->fenced_ms, 0);
	put_ms(o, "assigned_ms", p->assigned_ms, 0);
	put_ms(o, "leased_ms", p->leased_ms, p->assigned_ms);
	put_ms(o, "promoted_ms", p->promoted_ms, p->assigned_ms);
	put_ms(o, "writable_ms", p->writable_ms, p->assigned_ms);
	return o;
}

static json_t *
loss(const struct mt_loss *l)
{
	json_t *o = json_object();

	json_object_set_new(o, "timeline", json_integer(l->timeline));
	put_lsn(o, "from", l->from);
	put_lsn(o, "to", l->to);
	json_object_set_new(o, "bytes",
			    l->from == 0 || l->to < l->from
				? json_null()
				: json_integer((json_int_t)(l->to - l->from)));
	return o;
}

json_t *
api__decision_document(const struct mt_decision *d)
{
	json_t *o = json_object(), *primary;
	char at[MT_ISO_MAX];

	json_object_set_new(o, "id", json_integer((json_int_t)d->id));
	json_object_set_new(o, "epoch", json_integer((json_int_t)d->epoch));
	json_object_set_new(o, "at",
			    d->at_ms == 0
				? json_null()
				: json_string(mt_wall_iso(at, d->at_ms)));
	json_object_set_new(o, "rule", json_string(d->rule));
	json_object_set_new(o, "from", api__json_name(d->from));
	json_object_set_new(o, "to", api__json_name(d->to));
	json_object_set_new(o, "why", json_string(d->why));
	if (d->by.who[0] != '\0')
		json_object_set_new(o, "by",
				    json_pack("{ss, ss}", "user", d->by.who,
					      "address", d->by.from));
	if (d->optime.timeline != 0) {
		primary = json_object();
		put_position(primary, d->optime);
		json_object_set_new(o, "primary", primary);
	}
	if (d->phases.assigned_ms != 0)
		json_object_set_new(o, "phases", phases(d));
	if (d->loss.timeline != 0)
		json_object_set_new(o, "lost", loss(&d->loss));
	json_object_set_new(o, "members",
			    api__verdicts(d->verdicts, d->n_verdicts));
	return o;
}

/* A whole number and nothing else. */
static bool
number(const char *text, uint64_t *value)
{
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 18 || text[n] != '\0')
		return false;
	*value = strtoull(text, NULL, 10);
	return true;
}

void
api__get_decisions(struct mt_api *api, struct mt_http_request *r)
{
	const struct mt_api_backend *b = api->backend;
	const char *rest = strstr(r->path, "decisions") + strlen("decisions");
	const struct mt_decision *d;
	uint64_t id, limit = MT_DECISIONS_MAX;
	struct mt_view view;
	char word[24];
	json_t *list;

	/* What is no number is as good as none. */
	if (mt_http_query(r->query, "limit", word, sizeof(word)))
		(void)number(word, &limit);
	b->view(b->arg, &view);
	while (*rest == '/')
		rest++;
	if (*rest != '\0') {
		d = number(rest, &id) ? mt_state_decision(view.state, id)
				      : NULL;
		if (d == NULL)
			api__respond_text(
			    r, 404,
			    "there is no such decision; the "
			    "newest is %llu",
			    (unsigned long long)view.state->last_decision);
		else
			api__respond_json(r, 200, api__decision_document(d));
		return;
	}
	list = json_array();
	for (id = view.state->last_decision; id > 0 && limit > 0; id--) {
		d = mt_state_decision(view.state, id);
		if (d == NULL)
			break;
		json_array_append_new(list, api__decision_document(d));
		limit--;
	}
	api__respond_json(r, 200, list);
}
