/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a body of POST /switchover or /failover asks for, and the checks against
 * what this node knows. First the form: keys, types, what goes with what, the
 * time; a fault is answered here, by 400 or 422. Then the cluster: who leads,
 * who could take over; its objection is words, for an answer or a preview.
 *
 * It records nothing. What the cluster knows when it takes the request up may
 * be another matter.
 */
#include "daemon/api/internal.h"

#include "base/iso.h"
#include "base/text.h"

/* Text of a key; "" if absent or null. false if it is something else. */
static bool
get_text(const json_t *body, const char *key, const char **text)
{
	const json_t *v = json_object_get(body, key);

	*text = "";
	if (v == NULL || json_is_null(v))
		return true;
	if (!json_is_string(v))
		return false;
	*text = json_string_value(v);
	return true;
}

/* false: answered. */
static bool
get_truth(struct mt_http_request *r, const json_t *body, const char *key,
	  bool *truth)
{
	const json_t *v = json_object_get(body, key);

	*truth = json_is_true(v);
	if (v == NULL || json_is_null(v) || json_is_boolean(v))
		return true;
	api__respond_text(r, 400, "%s must be true or false", key);
	return false;
}

static bool
is_good(const struct mt_view *view, const struct mt_member *m)
{
	const struct mt_report *report = api__report(view, m->name);

	return report != NULL && !report->nofailover;
}

/* With the mode on only synchronous standbys are asked for; in quorum mode the
 * old primary's clean end waits for any replica. */
static bool
wants_sync(const struct mt_view *view)
{
	return view->settings->synchronous_mode == MT_SYNC_ON;
}

/* Among the members that could take over: how many are there, is one good? */
static int
count_candidates(const struct mt_view *view, const char *leader,
		 const char *candidate, bool *good)
{
	const struct mt_state *s = view->state;
	int n = 0;

	*good = false;
	for (int i = 0; i < s->n_members; i++) {
		const struct mt_member *m = &s->members[i];

		if (m->witness || mt_streq(m->name, leader))
			continue;
		if (*candidate != '\0' && !mt_streq(m->name, candidate))
			continue;
		if (*candidate == '\0' && wants_sync(view) &&
		    api__sync_role(view, m->name) == NULL)
			continue;
		n++;
		*good |= is_good(view, m);
	}
	return n;
}

static const char *
action(const struct api__ask *a)
{
	return a->failover ? "failover" : "switchover";
}

void
api__check_cluster(const struct mt_view *view, const struct api__ask *a,
		   char *why, size_t size)
{
	const struct mt_member *holder = api__leader(view);
	bool good;
	int n;

	*why = '\0';
	if (a->failover) {
		if (holder != NULL && mt_streq(holder->name, a->candidate)) {
			mt_format(why, size,
				  "failover is not possible: \"%s\" is the "
				  "leader already",
				  holder->name);
			return;
		}
	} else if (a->scheduled_ms != 0) {
		if (mt_state_member(view->state, a->leader) == NULL) {
			mt_format(why, size, "leader does not exist");
			return;
		}
	} else if (holder == NULL) {
		mt_format(why, size,
			  "switchover is not possible: the cluster has no "
			  "leader");
		return;
	} else if (!mt_streq(holder->name, a->leader)) {
		mt_format(why, size, "leader name does not match: it is \"%s\"",
			  holder->name);
		return;
	}
	n = count_candidates(view, a->leader, a->candidate, &good);
	if (wants_sync(view) && !a->failover && a->scheduled_ms == 0 &&
	    *a->candidate != '\0' && api__sync_role(view, a->candidate) == NULL)
		mt_format(why, size,
			  "candidate name does not match with sync_standby");
	else if (n == 0 && *a->candidate == '\0' && wants_sync(view))
		mt_format(why, size,
			  "%s is not possible: can not find sync_standby",
			  action(a));
	else if (n == 0 && *a->candidate != '\0')
		mt_format(why, size, "candidate does not exist");
	else if (n == 0)
		mt_format(why, size,
			  "%s is not possible: cluster does not have members "
			  "except leader",
			  action(a));
	else if (!good)
		mt_format(why, size,
			  "%s is not possible: no good candidates have been "
			  "found",
			  action(a));
}

/* scheduled_at. false: answered. */
static bool
check_schedule(struct mt_http_request *r, const struct mt_view *view,
	       const json_t *body, struct api__ask *a)
{
	const json_t *at = json_object_get(body, "scheduled_at");
	struct mt_iso iso;

	if (at == NULL || json_is_null(at))
		return true;
	if (a->failover) {
		api__respond_text(r, 400, "Failover can't be scheduled");
		return false;
	}
	if (view->settings->pause) {
		api__respond_text(r, 400,
				  "Can't schedule switchover in the paused "
				  "state");
		return false;
	}
	if (!json_is_string(at) ||
	    mt_iso_parse(json_string_value(at), &iso) != 0) {
		api__respond_text(r, 422,
				  "Unable to parse scheduled timestamp. It "
				  "should be in an unambiguous format, e.g. "
				  "ISO 8601");
		return false;
	}
	if (!iso.zoned) {
		api__respond_text(r, 400,
				  "Timezone information is mandatory for the "
				  "scheduled switchover");
		return false;
	}
	if (iso.wall_ms <= view->wall_ms) {
		api__respond_text(r, 422,
				  "Cannot schedule switchover in the past");
		return false;
	}
	a->scheduled_ms = iso.wall_ms;
	return true;
}

/* The right keys with the right types. false: answered. */
static bool
check_form(struct mt_http_request *r, const json_t *body, struct api__ask *a)
{

	if (!get_text(body, "leader", &a->leader) ||
	    !get_text(body, "candidate", &a->candidate) ||
	    (*a->candidate == '\0' &&
	     !get_text(body, "member", &a->candidate))) {
		api__respond_text(r, 400,
				  "leader and candidate must be "
				  "strings");
		return false;
	}
	return get_truth(r, body, "dry_run", &a->dry_run) &&
	       get_truth(r, body, "accept_loss", &a->accept_loss);
}

bool
api__check_body(struct mt_http_request *r, const struct mt_view *view,
		const json_t *body, struct api__ask *a)
{
	if (!check_form(r, body, a))
		return false;
	if (a->failover && *a->candidate == '\0') {
		api__respond_text(r, 400,
				  "Failover could be performed only to a "
				  "specific candidate");
		return false;
	}
	if (!a->failover && *a->leader == '\0') {
		api__respond_text(r, 400,
				  "Switchover could be performed only "
				  "from a specific leader");
		return false;
	}
	if (!check_schedule(r, view, body, a))
		return false;
	if (view->settings->pause && *a->candidate == '\0') {
		api__respond_text(r, 400,
				  "Switchover is possible only to a "
				  "specific candidate in a paused "
				  "state");
		return false;
	}
	if (*a->leader != '\0')
		a->failover = false;
	if (a->accept_loss && !a->failover) {
		api__respond_text(r, 400,
				  "accept_loss is for a failover, and names no "
				  "leader: a switchover loses nothing");
		return false;
	}
	if (mt_streq(a->leader, a->candidate)) {
		api__respond_text(r, 400,
				  "Switchover target and source are "
				  "the same");
		return false;
	}
	return true;
}
