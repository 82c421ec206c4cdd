/* SPDX-License-Identifier: PostgreSQL */
/*
 * Written schedules of synchronous replication: each leads to the hole that one
 * of its rules closes (doc/protocol.md has the numbers). Nodes with PostgreSQL
 * come first, witnesses last.
 */
#include "test/sim/scenario.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

/* ---- words ------------------------------------------------------------ */

static bool
in_set(const struct sim *w, int i)
{
	return mt_sync_find(&w->sync, w->nodes[i].name) >= 0;
}

/* A node with PostgreSQL, not this one, that is in the set or is not. */
static int
standby(const struct sim *w, int p, bool in, int except)
{
	for (int i = 0; i < w->setup.n_data; i++)
		if (i != p && i != except && in_set(w, i) == in)
			return i;
	return 0;
}

static bool
has_proposed_sets(struct sim *w, int i)
{
	return w->nodes[i].sync_asked == w->sync.version;
}

static bool
receives_nothing(struct sim *w, int i)
{
	return w->nodes[i].heard_epoch >= w->leader.epoch;
}

static bool
has_fenced(struct sim *w, int i)
{
	return w->nodes[i].record.fenced >= w->leader.epoch;
}

static bool
follows_again(struct sim *w, int i)
{
	return w->nodes[i].job.kind == MT_JOB_FOLLOW;
}

static void
cut_from_all(struct sim *w, int i, unsigned classes)
{
	net_isolate(w, i, classes, false);
}

/* The primary's last wish, to take y into the set beside x, is on its way to
 * the leader when its machine crashes. */
static void
last_wish(struct sim *w, int *p, int *x, int *y, int *l)
{
	start_all(w);
	*p = the_primary(w);
	*x = standby(w, *p, true, -1);
	*y = standby(w, *p, false, -1);
	*l = w->n - 1;
	let_lead(w, *l);
	pass(w, 500);
	net_block(w, *p, *l, CLASS_PROPOSE, true);
	cut(w, *p, *x, CLASS_PG, false);
	expect(w, "the primary wants another", has_proposed_sets, *p, 9000);
	node_crash(&w->nodes[*p]);
}

/* ---- the schedules ---------------------------------------------------- */

/* A change of the sets that is in the log before the assignment, but was not
 * applied when it was decided on, voids it. */
void
sync_counts_again(struct sim *w)
{
	int p, x, y, l;

	last_wish(w, &p, &x, &y, &l);
	cut_from_all(w, y, CLASS_ALL);
	net_block(w, x, l, CLASS_REPORT, true);
	expect(w, "the standby is fenced", receives_nothing, x, 12000);
	pass(w, 300);
	for (int i = 0; i < w->n; i++)
		w->nodes[i].slow_us = 200 * SIM_MS;
	net_heal(w, p, l);
	pass(w, 20);
	TRACE(w, NULL, "schedule: the standby is heard");
	net_heal(w, x, l);
	pass(w, 4000);
}

/* What an earlier holder wished comes too late. */
void
sync_put_of_old(struct sim *w)
{
	int p, x, y, l;
	uint64_t epoch = 0;

	last_wish(w, &p, &x, &y, &l);
	epoch = w->leader.epoch;
	expect(w, "the standby has the turn", epoch_is, (int)epoch + 1, 15000);
	TRACE(w, NULL, "schedule: the wish arrives");
	net_heal(w, p, l);
	pass(w, 3000);
}

static void
fence_all(struct node *l)
{
	struct mt_voters voters;
	struct mt_fence_req req = {
	    .raft_id = l->raft_id,
	    .incarnation = l->record.incarnation,
	    .epoch = l->state->leader.epoch,
	    .term = mt_driver_term(l->driver),
	};

	raft_voters(mt_driver_committed_configuration(l->driver), &voters);
	mt_keep_fence(&l->keep, &voters, &req, req.term, node_now_ms(l));
}

/* Who was fenced does not follow the same epoch again. x and y hear nothing of
 * the primary but WAL and are fenced, y some time later. If x went on, commits
 * would be acknowledged that are in neither of their reports. */
void
sync_fence_lasts(struct sim *w)
{
	int p, x, y, l;

	start_all(w);
	p = the_primary(w);
	x = standby(w, p, true, -1);
	y = standby(w, p, true, x);
	l = w->n - 1;
	let_lead(w, l);
	pass(w, 1000);
	cut(w, p, x, CLASS_SUPPORT, false);
	cut(w, p, y, CLASS_SUPPORT, false);
	net_block(w, x, l, CLASS_REPORT, true);
	net_block(w, y, l, CLASS_REPORT, true);
	net_block(w, l, y, CLASS_FENCE, false);
	pass(w, 1100 * w->setup.ttl_s);
	fence_all(&w->nodes[l]);
	expect(w, "one is fenced", receives_nothing, x, 3000);
	try_for(w, "it follows again", follows_again, x, 100);
	node_freeze(&w->nodes[x], 20 * SIM_S);
	pass(w, 500);
	net_heal(w, l, y);
	fence_all(&w->nodes[l]);
	expect(w, "the other is fenced", receives_nothing, y, 3000);
	cut(w, p, y, CLASS_PG, false);
	node_freeze(&w->nodes[y], 2 * SIM_S);
	pass(w, 2000);
	cut_from_all(w, p, CLASS_ALL);
	expect(w, "the primary ends", has_fenced, l, 8000);
	net_heal(w, x, l);
	net_heal(w, y, l);
	pass(w, 8000);
}

/* One member of the set is further than all others, but on a timeline that
 * ended: of the two that are heard the other has what was acknowledged since.
 */
void
sync_dead_timeline(struct sim *w)
{
	int p, x, l, dead;
	uint64_t epoch;

	start_all(w);
	p = the_primary(w);
	dead = standby(w, p, true, -1);
	let_lead(w, standby(w, p, true, dead));
	pass(w, 1000);
	node_kill(&w->nodes[dead]);
	/* Who has never heard it does not take it for silent. */
	for (int i = 0; i < w->n; i++)
		if (i != p && i != dead) {
			cut(w, p, i, CLASS_PG, false);
			node_kill(&w->nodes[i]);
			node_boot_in(&w->nodes[i], 50 * SIM_MS);
		}
	pass(w, 3500);
	node_crash(&w->nodes[p]);
	epoch = w->leader.epoch;
	expect(w, "another has the turn", epoch_is, (int)epoch + 1, 15000);
	x = sim_node_by_name(w, w->leader.holder);
	expect(w, "it serves", serves, x, 5000);
	pass(w, 900);
	w->setup.idle = true;
	pass(w, 300);
	l = dead;
	for (int i = 0; i < w->n; i++)
		if (i != x && leads(w, i))
			l = i;
	for (int i = 0; i < w->n; i++)
		if (i != dead && i != l)
			net_block(w, i, l, CLASS_REPORT, false);
	node_crash(&w->nodes[x]);
	node_boot_in(&w->nodes[dead], 50 * SIM_MS);
	expect(w, "a third has the turn", epoch_is, (int)epoch + 2, 15000);
	pass(w, 5000);
}

/* A standby comes back with an earlier copy of its data, while the primary is
 * gone. */
void
sync_other_data(struct sim *w)
{
	int p, x, y;

	start_all(w);
	p = the_primary(w);
	x = standby(w, p, true, -1);
	y = standby(w, p, true, x);
	let_lead(w, w->n - 1);
	pass(w, 3000);
	node_crash(&w->nodes[p]);
	node_crash(&w->nodes[x]);
	node_crash(&w->nodes[y]);
	pg_restore(&w->nodes[x], 30000);
	node_boot_in(&w->nodes[x], 50 * SIM_MS);
	pass(w, 8000);
	node_boot_in(&w->nodes[y], 50 * SIM_MS);
	expect(w, "the other serves", serves, y, 15000);
}

static void
ask_failover(struct sim *w, int by, int to, bool accept_loss)
{
	static struct mt_command c;

	memset(&c, 0, sizeof(c));
	c.kind = MT_CMD_REQUEST_PUT;
	c.u.request_put.kind = MT_REQUEST_FAILOVER;
	c.u.request_put.accept_loss = accept_loss;
	mt_copy(c.u.request_put.candidate, MT_NAME_MAX, w->nodes[to].name);
	node_propose(&w->nodes[by], &c);
}

/* The primary and its synchronous standby are gone. The third, which lacks
 * what was acknowledged last, gets the turn when it is asked for with these
 * words and not before. */
void
sync_loss_accepted(struct sim *w)
{
	int p, x, y, l;
	uint64_t epoch;

	start_all(w);
	p = the_primary(w);
	x = standby(w, p, true, -1);
	y = standby(w, p, false, -1);
	l = w->n - 1;
	let_lead(w, l);
	pass(w, 500);
	cut(w, p, y, CLASS_PG, false);
	pass(w, 1000);
	epoch = w->leader.epoch;
	node_crash(&w->nodes[p]);
	node_crash(&w->nodes[x]);
	pass(w, 5000);
	ask_failover(w, l, y, false);
	pass(w, 12000);
	if (w->leader.epoch != epoch || w->request.kind != MT_REQUEST_NONE)
		sim_fail(w, "schedule: a failover is not given up");
	ask_failover(w, l, y, true);
	expect(w, "the third has the turn", epoch_is, (int)epoch + 1, 12000);
	expect(w, "it serves", serves, y, 5000);
	if (w->stats.losses != 1)
		sim_fail(w, "schedule: nothing was lost by it");
	pass(w, 3000);
	net_heal_all(w);
	node_boot_in(&w->nodes[p], 50 * SIM_MS);
	node_boot_in(&w->nodes[x], 50 * SIM_MS);
	expect(w, "all is well", check_converged, 0, 30000);
}

/* The primary is cut off with a long lease, and of the two that would have to
 * be fenced one is lost when that has begun. A loss that is accepted is none of
 * the rule that the old primary's lease has to end first. */
void
sync_loss_waits(struct sim *w)
{
	int p, x, y, l;
	uint64_t epoch;

	start_all(w);
	p = the_primary(w);
	x = standby(w, p, true, -1);
	y = standby(w, p, true, x);
	l = w->n - 1;
	let_lead(w, l);
	pass(w, 1000);
	epoch = w->leader.epoch;
	cut_from_all(w, p, CLASS_ALL);
	expect(w, "a fence has begun", has_fenced, l, 3000);
	node_crash(&w->nodes[y]);
	ask_failover(w, l, x, true);
	expect(w, "the other has the turn", epoch_is, (int)epoch + 1, 60000);
	expect(w, "it serves", serves, x, 5000);
	net_heal_all(w);
	node_boot_in(&w->nodes[y], 50 * SIM_MS);
	expect(w, "all is well", check_converged, 0, 40000);
}
