/* SPDX-License-Identifier: PostgreSQL */
/*
 * The answer to a dry run: who would get the turn and why not the others, by
 * the functions that decide (core/request.h). Nothing is recorded, nobody is
 * asked: it is what this node knows now, and may be another in a second.
 */
#include "daemon/api/internal.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "core/request.h"

static json_t *
checks(const struct mt_checked *c)
{
	json_t *o = json_object();

	for (int i = 0; i < MT_CHECKS; i++)
		json_object_set_new(
		    o, mt_check_name((enum mt_check)i),
		    c->said[i] == NULL ? json_null() : json_string(c->said[i]));
	return o;
}

static json_t *
member(const struct mt_view *view, const struct mt_verdict *v,
       const struct mt_checked *c)
{
	bool chosen = mt_streq(v->rule, "chosen");
	uint64_t end = api__leader_lsn(view);
	char lsn[MT_LSN_MAX];
	json_t *o = json_object();

	json_object_set_new(o, "name", json_string(v->name));
	json_object_set_new(o, "verdict",
			    json_string(chosen ? "chosen"
					: mt_streq(v->rule, "behind")
					    ? "eligible"
					    : "refused"));
	json_object_set_new(o, "rule", json_string(v->rule));
	json_object_set_new(o, "checks", checks(c));
	json_object_set_new(o, "timeline",
			    v->at.timeline == 0 ? json_null()
						: json_integer(v->at.timeline));
	json_object_set_new(o, "lsn",
			    v->at.timeline == 0
				? json_null()
				: json_string(mt_lsn_format(lsn, v->at.lsn)));
	json_object_set_new(
	    o, "lag",
	    v->at.timeline == 0
		? json_null()
		: json_integer(end > v->at.lsn ? (json_int_t)(end - v->at.lsn)
					       : 0));
	return o;
}

json_t *
api__preview_document(const struct mt_view *view,
		      const struct mt_request *request, const char *refusal)
{
	struct mt_preview p;
	json_t *o = json_object(), *members = json_array();
	char at[MT_ISO_MAX];
	bool possible;

	mt_request_preview(view, request, &p);
	if (*refusal == '\0')
		refusal = p.why;
	possible = *refusal == '\0' && p.found.best >= 0;
	for (int i = 0; i < p.found.n; i++)
		json_array_append_new(
		    members, member(view, &p.found.verdicts[i], &p.checked[i]));
	json_object_set_new(o, "dry_run", json_true());
	json_object_set_new(o, "action",
			    json_string(mt_request_name(request->kind)));
	json_object_set_new(o, "leader",
			    api__json_name(mt_state_held(view->state)
					       ? view->state->leader.holder
					       : ""));
	json_object_set_new(o, "leader_lives", json_boolean(p.by_holder));
	json_object_set_new(o, "candidate", api__json_name(request->candidate));
	if (request->scheduled_ms != 0)
		json_object_set_new(
		    o, "scheduled_at",
		    json_string(mt_wall_iso(at, request->scheduled_ms)));
	json_object_set_new(o, "forced", json_boolean(p.forced));
	json_object_set_new(o, "possible", json_boolean(possible));
	json_object_set_new(
	    o, "winner",
	    possible ? json_string(p.found.verdicts[p.found.best].name)
		     : json_null());
	json_object_set_new(o, "instead", json_boolean(possible && p.instead));
	json_object_set_new(o, "refused",
			    *refusal != '\0' ? json_string(refusal)
					     : json_null());
	json_object_set_new(o, "members", members);
	return o;
}
