/* SPDX-License-Identifier: PostgreSQL */
/*
 * Written schedules of rule 9: voters are added one at a time while a holder
 * renews. Three voters, two more to come; the changes are asked of the driver
 * directly. The gate between them is the controller's: the next change only if
 * the holder has reported a whole round under the configuration that is
 * committed.
 */
#include "test/sim/members.h"
#include "test/sim/scenario.h"

static struct node *
leader(struct sim *w)
{
	for (int i = 0; i < w->n; i++)
		if (leads(w, i))
			return &w->nodes[i];
	return NULL;
}

/* Has the holder renewed under the committed configuration, as far as the
 * leader knows? */
static bool
may_go_on(struct sim *w, int arg)
{
	const struct node *l = leader(w);

	(void)arg;
	return l != NULL && members_may_go_on(l);
}

static void
change(struct sim *w, int i, enum mt_server_role role)
{
	struct node *l = leader(w);

	if (l != NULL)
		members_change(l, &w->nodes[i], (int)role);
}

static bool
is_standby(struct sim *w, int i)
{
	const struct node *l = leader(w);

	return l != NULL && members_role(l, &w->nodes[i]) == MT_SERVER_STANDBY;
}

static bool
is_voter(struct sim *w, int i)
{
	const struct node *l = leader(w);

	return l != NULL && members_role(l, &w->nodes[i]) == MT_SERVER_VOTER;
}

static bool
caught_up(struct sim *w, int i)
{
	const struct node *l = leader(w);

	return l != NULL &&
	       mt_driver_catch_up_status(l->driver, w->nodes[i].raft_id) ==
		   MT_CATCH_UP_FINISHED;
}

static void
add_standby(struct sim *w, int i)
{
	change(w, i, MT_SERVER_STANDBY);
	expect(w, "it gets the log", is_standby, i, 2000);
	expect(w, "the holder renews under that", may_go_on, 0, 4000);
}

/* True if the gate let it pass. */
static bool
make_voter(struct sim *w, int i)
{
	struct node *l = leader(w);

	if (w->failed || l == NULL)
		return false;
	mt_driver_catch_up(l->driver, w->nodes[i].raft_id);
	raft_look(l);
	expect(w, "it catches up", caught_up, i, 5000);
	if (!sim_run_until(w, may_go_on, 0, 1500 * SIM_MS))
		return false;
	change(w, i, MT_SERVER_VOTER);
	expect(w, "it votes", is_voter, i, 3000);
	return true;
}

/* The primary, the leader and one more; both spares get the log. */
static void
prepare(struct sim *w, int *p, int *b, int *c)
{
	start_all(w);
	*p = the_primary(w);
	*c = the_other(w, *p, *p);
	*b = the_other(w, *p, *c);
	let_lead(w, *c);
	add_standby(w, 3);
	add_standby(w, 4);
}

static void
cut_from_log(struct sim *w, int i)
{
	for (int k = 0; k < w->n; k++)
		if (k != i)
			cut(w, i, k, CLASS_RAFT | CLASS_PROPOSE, false);
}

/* The holder is cut off from the log, not from its voters: it must not be left
 * more than one change behind. */
void
members_one_by_one(struct sim *w)
{
	int p, b, c;

	prepare(w, &p, &b, &c);
	cut_from_log(w, p);
	(void)make_voter(w, 3);
	(void)make_voter(w, 4);
	for (int k = 0; k < w->n; k++)
		if (k != p && k != b)
			cut(w, p, k, CLASS_SUPPORT | CLASS_REPORT, false);
	cut_from_log(w, b);
	net_isolate(w, b, CLASS_REPORT, false);
	pass(w, 12000);
}

/* The holder renewed under the first change, so that the second may follow;
 * then it restarts, and what it has applied falls back. */
void
members_by_durable_log(struct sim *w)
{
	int p, b, c;

	for (int i = 0; i < w->n; i++)
		w->nodes[i].snapshot_threshold = 1;
	prepare(w, &p, &b, &c);
	/* Its snapshot holds its turn, and no later configuration. */
	w->nodes[p].snapshot_threshold = 0;
	node_kill(&w->nodes[p]);
	node_boot_in(&w->nodes[p], 50 * SIM_MS);
	pass(w, 1500);
	let_lead(w, c);
	(void)make_voter(w, 3);
	expect(w, "the holder renews under that", may_go_on, 0, 4000);
	cut_from_log(w, p);
	(void)make_voter(w, 4);
	cut_from_log(w, b);
	net_isolate(w, b, CLASS_REPORT, false);
	node_kill(&w->nodes[p]);
	for (int k = 0; k < w->n; k++)
		if (k != p && k != b)
			cut(w, p, k, CLASS_SUPPORT | CLASS_REPORT, false);
	node_boot_in(&w->nodes[p], 50 * SIM_MS);
	pass(w, 12000);
}
