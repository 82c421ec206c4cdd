/* SPDX-License-Identifier: PostgreSQL */
/*
 * An operator who changes who votes: one server at a time is added, made a
 * voter, made a standby of the log again, or removed. The production program
 * has its voters from the first start; what is exercised here is the driver,
 * and rule 9, under which a lease bears such changes.
 *
 * Happy path: the leader appends one change, brings the new server up to date,
 * and appends the next when the holder has renewed under the last. Failure
 * modes: whatever a step is refused for, it is tried again a little later, on
 * the leader of then; after some seconds the operator gives up, and what was
 * done by then stays.
 *
 * It does not: remove a node with PostgreSQL, or take the vote of one in a
 * cluster with synchronous replication, for only voters are fenced.
 */
#include "test/sim/members.h"

#include <string.h>

#include "base/text.h"

#define PATIENCE_US (6 * SIM_S)

static struct node *
leader(struct sim *w)
{
	for (int i = 0; i < w->n; i++) {
		struct node *n = &w->nodes[i];

		if (n->alive && !n->frozen && !node_sleeps(n) &&
		    mt_driver_is_ready_leader(n->driver))
			return n;
	}
	return NULL;
}

/* The next change waits until the holder, as far as the leader knows, has
 * renewed under the last; or has let go. */
bool
members_may_go_on(const struct node *l)
{
	const struct mt_configuration *c =
	    mt_driver_committed_configuration(l->driver);
	const struct mt_leader *turn = &l->state->leader;
	const struct mt_seen *seen = mt_reports_find(&l->reports, turn->holder);

	if (turn->released)
		return true;
	return seen != NULL && seen->report.config_index == c->index &&
	       seen->report.config_term == c->term;
}

void
members_change(struct node *l, const struct node *n, int role)
{
	struct mt_configuration c =
	    *mt_driver_committed_configuration(l->driver);
	unsigned k = 0;

	while (k < c.n && c.servers[k].id != n->raft_id)
		k++;
	if (role == MEMBER_GONE) {
		if (k == c.n)
			return;
		c.servers[k] = c.servers[--c.n];
	} else {
		if (k == c.n) {
			c.servers[c.n].id = n->raft_id;
			mt_format(c.servers[c.n].address, MT_RAFT_ADDRESS_MAX,
				  "10.0.0.%d:2380", n->i + 1);
			c.n++;
		}
		c.servers[k].role = (enum mt_server_role)role;
	}
	mt_driver_change(l->driver, &c, 3);
	raft_look(l);
}

int
members_role(const struct node *l, const struct node *n)
{
	const struct mt_server *s = mt_configuration_find(
	    mt_driver_committed_configuration(l->driver), n->raft_id);

	return s != NULL ? (int)s->role : MEMBER_GONE;
}

/* ---- the operator ----------------------------------------------------- */

static void
again(struct sim *w)
{
	sim_push(w, w->now_us + sim_between(w, 50 * SIM_MS, 250 * SIM_MS),
		 EV_OPERATOR, -1, w->wish.number, 0, 0, NULL);
}

/* Another may lead, then this one can be changed. */
static void
make_another_lead(struct sim *w, struct node *l)
{
	mt_driver_transfer(l->driver, 0);
	raft_look(l);
	w->stats.members_waited++;
}

static void
next_step(struct sim *w, struct node *l, struct node *n)
{
	int role = members_role(l, n), next = w->wish.role;

	if (role == MEMBER_GONE)
		next = MT_SERVER_STANDBY; /* first it gets the log */
	if (role == MT_SERVER_VOTER && next == MEMBER_GONE)
		next = MT_SERVER_STANDBY;
	if (next == MT_SERVER_VOTER &&
	    mt_driver_catch_up_status(l->driver, n->raft_id) !=
		MT_CATCH_UP_FINISHED) {
		mt_driver_catch_up(l->driver, n->raft_id);
		raft_look(l);
		return;
	}
	if (role == MT_SERVER_VOTER && n == l) {
		make_another_lead(w, l);
		return;
	}
	if (!members_may_go_on(l)) {
		w->stats.members_waited++;
		return;
	}
	TRACE(w, l, "changes %s: role %d to %d", n->name, role, next);
	members_change(l, n, next);
}

void
members_step(struct sim *w, uint32_t number)
{
	struct node *l = leader(w), *n = &w->nodes[w->wish.node];

	if (number != w->wish.number || w->now_us >= w->wish.until_us)
		return;
	if (l != NULL && members_role(l, n) == w->wish.role) {
		w->stats.members++;
		return;
	}
	if (l != NULL)
		next_step(w, l, n);
	again(w);
}

/* What is wanted of a node from now on; a wish that is not fulfilled yet is
 * forgotten. */
void
members_wish(struct sim *w)
{
	static const int roles[] = {MT_SERVER_VOTER, MT_SERVER_VOTER,
				    MT_SERVER_STANDBY, MEMBER_GONE};
	struct node *n = &w->nodes[sim_between(w, 0, w->n - 1)];
	int role = roles[sim_between(w, 0, 3)];

	if (w->setup.n_spare > 0 && sim_chance(w, 60))
		n = &w->nodes[w->n - 1 -
			      (int)sim_between(w, 0, w->setup.n_spare - 1)];
	if (!n->spare && role == MEMBER_GONE)
		role = MT_SERVER_STANDBY;
	if (w->setup.sync && !n->witness)
		role = MT_SERVER_VOTER;
	w->wish.number++;
	w->wish.node = n->i;
	w->wish.role = role;
	w->wish.until_us = w->now_us + PATIENCE_US;
	TRACE(w, n, "is to have role %d", role);
	again(w);
}

void
members_rest(struct sim *w)
{
	w->wish.number++;
}
