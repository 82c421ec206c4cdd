/* SPDX-License-Identifier: PostgreSQL */
/*
 * The controller's rules, in their order: keep the list of members, have the
 * cluster initialized, give the turn on to the next holder (controller_turn.c),
 * and keep Raft's leadership off the primary's node.
 */
#include "core/controller_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "core/found.h"

#define CLAIM_WAIT_MS 3000   /* for all members to report, before a claim */
#define MEMBER_EVERY_MS 1000 /* for the same member */
#define SETTLED_MS 5000      /* before Raft leadership is moved */
#define TRANSFER_EVERY_MS 30000
#define IDLE_MS 20000 /* a holder without a lease: it should have released */

void
mt_controller_init(struct mt_controller *c)
{
	memset(c, 0, sizeof(*c));
}

/* How long this rule has been waiting, since it was first the one. */
int64_t
controller__waited(struct mt_controller *c, const char *rule, int64_t now_ms)
{
	if (c->since_rule == NULL || strcmp(c->since_rule, rule) != 0) {
		c->since_rule = rule;
		c->since_ms = now_ms;
	}
	return now_ms - c->since_ms;
}

/* ---- the holder ---- */

/* Note since when the holder has neither a lease nor a primary, by what it
 * says. */
static void
watch_holder(struct mt_controller *c, const struct mt_view *v)
{
	const struct mt_leader *l = &v->state->leader;
	const struct mt_seen *seen = mt_reports_find(v->reports, l->holder);

	if (!mt_state_held(v->state) || v->settings->pause || l->exempt != 0 ||
	    seen == NULL || seen->report.writable ||
	    seen->report.lease_epoch == l->epoch)
		c->idle_ms = 0;
	else if (c->idle_ms == 0)
		c->idle_ms = v->now_ms;
}

bool
controller__idles(const struct mt_controller *c, const struct mt_view *v)
{
	return c->idle_ms != 0 && v->now_ms - c->idle_ms > IDLE_MS;
}

/* ---- members ---- */

static bool
same_member(const struct mt_member *a, const struct mt_member *b)
{
	return a->raft_id == b->raft_id && a->witness == b->witness &&
	       a->command_version == b->command_version &&
	       strcmp(a->peer_addr, b->peer_addr) == 0 &&
	       strcmp(a->api_url, b->api_url) == 0 &&
	       strcmp(a->conn_url, b->conn_url) == 0 &&
	       strcmp(a->proxy_url, b->proxy_url) == 0 &&
	       strcmp(a->tags, b->tags) == 0 &&
	       strcmp(a->version, b->version) == 0;
}

bool
controller__is_voter(const struct mt_view *v, uint64_t raft_id)
{
	for (int i = 0; i < v->voters.n; i++)
		if (v->voters.raft_id[i] == raft_id)
			return true;
	return false;
}

static bool
rule_members(struct mt_controller *c, const struct mt_view *v,
	     struct mt_control_plan *p)
{
	for (int i = 0; i < v->reports->n; i++) {
		const struct mt_member *self = &v->reports->seen[i].report.self;
		const struct mt_member *known =
		    mt_state_member(v->state, self->name);

		if (!mt_report_is_fresh(&v->reports->seen[i], v->now_ms) ||
		    !controller__is_voter(v, self->raft_id) ||
		    (known != NULL && same_member(known, self)))
			continue;
		/* One that is refused must not keep the rules below from
		 * their work. */
		if (c->member_id == self->raft_id &&
		    v->now_ms - c->member_ms < MEMBER_EVERY_MS)
			continue;
		c->member_id = self->raft_id;
		c->member_ms = v->now_ms;
		p->propose = true;
		p->command.kind = MT_CMD_MEMBER_PUT;
		p->command.u.member_put = *self;
		mt_format(p->why, sizeof(p->why), "member \"%s\" is %s",
			  self->name, known == NULL ? "new" : "changed");
		return true;
	}
	return false;
}

/* ---- bootstrap ---- */

static bool
claim_is_dead(struct mt_controller *c, const struct mt_view *v)
{
	const struct mt_claim *claim = &v->state->claim;
	const struct mt_seen *seen = mt_reports_find(v->reports, claim->member);

	if (seen != NULL && seen->report.incarnation >= claim->incarnation &&
	    (seen->report.incarnation != claim->incarnation ||
	     seen->report.bootstrap_failed))
		return true;
	if (mt_report_is_fresh(seen, v->now_ms) && !seen->gone) {
		c->since_rule = NULL;
		return false;
	}
	return controller__waited(c, "claim-silent", v->now_ms) > CLAIM_WAIT_MS;
}

/* Data is brought in as it was judged, or not at all. Who is missing for a
 * moment is waited for. */
static bool
claim_is_stale(struct mt_controller *c, const struct mt_view *v)
{
	const struct mt_claim *claim = &v->state->claim;
	struct mt_found found;

	mt_found_judge(v, &found);
	if (found.kind == MT_FOUND_WAIT)
		return claim_is_dead(c, v);
	return (found.kind != MT_FOUND_RUNNING &&
		found.kind != MT_FOUND_DOWN) ||
	       strcmp(found.report->self.name, claim->member) != 0 ||
	       found.report->incarnation != claim->incarnation ||
	       found.report->data_id != claim->adopts;
}

static void
plan_claim(const struct mt_report *r, uint64_t adopts,
	   struct mt_control_plan *p)
{
	struct mt_claim *claim = &p->command.u.claim;

	p->propose = true;
	p->command.kind = MT_CMD_BOOTSTRAP_CLAIM;
	mt_copy(claim->member, sizeof(claim->member), r->self.name);
	claim->incarnation = r->incarnation;
	claim->adopts = adopts;
}

/* No member has data; known: how many are heard now. */
static const struct mt_report *
who_bootstraps(const struct mt_view *v, struct mt_control_plan *p, int *known)
{
	const struct mt_report *best = NULL;

	*known = 0;
	for (int i = 0; i < v->state->n_members; i++) {
		const struct mt_member *m = &v->state->members[i];
		const struct mt_seen *seen =
		    mt_reports_find(v->reports, m->name);

		if (!mt_report_is_fresh(seen, v->now_ms))
			continue;
		(*known)++;
		if (best == NULL && !m->witness &&
		    seen->report.bootstrap_ready &&
		    !seen->report.bootstrap_failed && !seen->report.nofailover)
			best = &seen->report;
	}
	if (best == NULL)
		mt_copy(p->why, sizeof(p->why),
			"no member can initialize the cluster");
	return best;
}

static bool
plan_bootstrap(struct mt_controller *c, const struct mt_view *v,
	       struct mt_control_plan *p)
{
	int known;
	const struct mt_report *r = who_bootstraps(v, p, &known);

	if (r == NULL ||
	    (known < v->voters.n &&
	     controller__waited(c, "claim", v->now_ms) < CLAIM_WAIT_MS))
		return true;
	plan_claim(r, 0, p);
	mt_format(p->why, sizeof(p->why), "\"%s\" is to initialize the cluster",
		  r->self.name);
	return true;
}

static bool
rule_bootstrap(struct mt_controller *c, const struct mt_view *v,
	       struct mt_control_plan *p)
{
	const struct mt_claim *claim = &v->state->claim;
	struct mt_found found;

	if (v->state->sysid[0] != '\0')
		return false;
	if (claim->member[0] != '\0') {
		if (claim->adopts != 0 ? !claim_is_stale(c, v)
				       : !claim_is_dead(c, v)) {
			p->look_again_ms = v->now_ms + CLAIM_WAIT_MS;
			return true;
		}
		p->propose = true;
		p->command.kind = MT_CMD_BOOTSTRAP_WITHDRAW;
		p->command.u.withdraw = *claim;
		mt_format(p->why, sizeof(p->why),
			  "\"%s\" does not initialize the cluster any more",
			  claim->member);
		return true;
	}
	p->look_again_ms = v->now_ms + MT_REPORT_INTERVAL_MS;
	mt_found_judge(v, &found);
	if (found.kind == MT_FOUND_NOTHING)
		return plan_bootstrap(c, v, p);
	mt_copy(p->why, sizeof(p->why), found.why);
	if (found.kind == MT_FOUND_RUNNING || found.kind == MT_FOUND_DOWN)
		plan_claim(found.report, found.report->data_id, p);
	return true;
}

/* ---- Raft's leadership ---- */

static bool
rule_transfer(struct mt_controller *c, const struct mt_view *v,
	      struct mt_control_plan *p)
{
	if (!mt_state_held_by(v->state, v->local.name) ||
	    v->now_ms - c->led_since_ms < SETTLED_MS ||
	    (c->transfer_ms != 0 &&
	     v->now_ms - c->transfer_ms < TRANSFER_EVERY_MS))
		return false;
	for (int i = 0; i < v->reports->n; i++) {
		const struct mt_seen *seen = &v->reports->seen[i];

		if (strcmp(seen->report.self.name, v->local.name) == 0 ||
		    !mt_report_is_fresh(seen, v->now_ms) || seen->gone ||
		    !controller__is_voter(v, seen->report.self.raft_id) ||
		    seen->report.applied < v->state->index)
			continue;
		c->transfer_ms = v->now_ms;
		p->transfer_to = seen->report.self.raft_id;
		mt_format(p->why, sizeof(p->why),
			  "\"%s\" leads Raft from now on, so that the end of "
			  "the primary's node needs no election",
			  seen->report.self.name);
		return true;
	}
	return false;
}

/* ---- the table ---- */

static bool
rule_steady(struct mt_controller *c, const struct mt_view *v,
	    struct mt_control_plan *p)
{
	(void)v;
	(void)p;
	c->since_rule = NULL;
	return true;
}

static const struct rule {
	const char *name;
	bool (*plan)(struct mt_controller *c, const struct mt_view *v,
		     struct mt_control_plan *p);
} rules[] = {
    /* first match wins; matriarchd(8), DECISION ORDER */
    {"members", rule_members},
    {"initialize", rule_bootstrap},
    {"released", controller__released},
    {"repair", controller__repair},
    {"ttl", controller__ttl},
    {"holder-suspected", controller__suspected},
    {"holder-silent", controller__silent},
    {"transfer", rule_transfer},
    {"steady", rule_steady},
};

void
mt_controller_decide(struct mt_controller *c, const struct mt_view *view,
		     struct mt_control_plan *plan)
{
	memset(plan, 0, sizeof(*plan));
	if (!view->leads || view->state->unknown_command != 0) {
		mt_controller_init(c);
		plan->rule = "not-leading";
		return;
	}
	if (c->term != view->term) {
		mt_controller_init(c);
		c->term = view->term;
		c->led_since_ms = view->now_ms;
		c->led_index = view->state->index;
	}
	if (c->epoch != view->state->leader.epoch) {
		c->epoch = view->state->leader.epoch;
		c->n_fences = 0;
		c->since_rule = NULL;
		c->idle_ms = 0;
	}
	watch_holder(c, view);
	for (size_t i = 0; i < MT_COUNT(rules); i++) {
		int64_t look = plan->look_again_ms;

		plan->rule = rules[i].name;
		if (rules[i].plan(c, view, plan))
			return;
		/* A rule that does not match now may match later. */
		if (look != 0 &&
		    (plan->look_again_ms == 0 || look < plan->look_again_ms))
			plan->look_again_ms = look;
		plan->why[0] = '\0';
	}
}

void
mt_controller_fenced(struct mt_controller *c, const struct mt_fence_ans *ans,
		     int64_t now_ms)
{
	int i = 0;

	/* Answers of another epoch or term speak of another question. */
	if (ans->epoch != c->epoch || ans->term != c->term)
		return;
	while (i < c->n_fences && c->fences[i].raft_id != ans->raft_id)
		i++;
	if (i == MT_NODES_MAX)
		return;
	if (i == c->n_fences)
		c->n_fences++;
	c->fences[i].raft_id = ans->raft_id;
	c->fences[i].yes = ans->yes;
	c->fences[i].is_clear = ans->yes && ans->left_ms == 0;
	c->fences[i].again_ms =
	    now_ms +
	    (ans->left_ms > 0 ? ans->left_ms : CONTROLLER__FENCE_EVERY_MS);
}

const char *const *
mt_controller_rules(void)
{
	static const char *names[MT_COUNT(rules) + 1];

	for (size_t i = 0; i < MT_COUNT(rules); i++)
		names[i] = rules[i].name;
	return names;
}
