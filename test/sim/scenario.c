/* SPDX-License-Identifier: PostgreSQL */
/*
 * Written schedules: each leads straight to the hole that one rule of the lease
 * closes (doc/protocol.md has the numbers). With the rule in place the run
 * holds; the mutant that lacks it must die of it.
 *
 * A schedule is plain code that lets time pass until something holds. Roles are
 * found, not assumed: who is primary, who leads Raft, who is left.
 */
#include "test/sim/scenario.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

/* ---- words of a schedule ---------------------------------------------- */

void
pass(struct sim *w, int64_t ms)
{
	sim_run_to(w, w->now_us + ms * SIM_MS);
}

void
expect(struct sim *w, const char *what, bool (*holds)(struct sim *w, int arg),
       int arg, int64_t ms)
{
	TRACE(w, NULL, "schedule: %s", what);
	if (!sim_run_until(w, holds, arg, ms * SIM_MS) && !w->failed)
		sim_fail(w, "schedule: not reached: %s", what);
}

void
try_for(struct sim *w, const char *what, bool (*holds)(struct sim *w, int arg),
	int arg, int64_t ms)
{
	TRACE(w, NULL, "schedule: %s", what);
	(void)sim_run_until(w, holds, arg, ms * SIM_MS);
}

bool
leads(struct sim *w, int i)
{
	return w->nodes[i].alive &&
	       mt_driver_is_ready_leader(w->nodes[i].driver);
}

bool
epoch_is(struct sim *w, int epoch)
{
	return w->leader.epoch >= (uint64_t)epoch;
}

bool
serves(struct sim *w, int i)
{
	return w->nodes[i].pg.writable && w->nodes[i].slots_ready;
}

bool
gave_up(struct sim *w, int i)
{
	return w->nodes[i].record.given_up >= w->nodes[i].state->leader.epoch;
}

static bool
knows_its_turn(struct sim *w, int i)
{
	return mt_state_held_by(w->nodes[i].state, w->nodes[i].name) &&
	       w->nodes[i].state->leader.epoch == w->leader.epoch;
}

int
the_primary(struct sim *w)
{
	for (int i = 0; i < w->n; i++)
		if (w->nodes[i].pg.writable)
			return i;
	return 0;
}

int
the_other(const struct sim *w, int a, int b)
{
	for (int i = 0; i < w->n; i++)
		if (i != a && i != b && !w->nodes[i].spare)
			return i;
	return 0;
}

void
cut(struct sim *w, int a, int b, unsigned classes, bool hold)
{
	net_block(w, a, b, classes, hold);
	net_block(w, b, a, classes, hold);
}

void
let_lead(struct sim *w, int i)
{
	for (int k = 0; k < 5 && !w->failed && !leads(w, i); k++) {
		for (int j = 0; j < w->n; j++)
			if (j != i && leads(w, j))
				mt_driver_transfer(w->nodes[j].driver,
						   w->nodes[i].raft_id);
		(void)sim_run_until(w, leads, i, 800 * SIM_MS);
	}
	expect(w, "raft's leader is as wanted", leads, i, 10);
}

void
start_all(struct sim *w)
{
	schedule_form(w);
	for (int i = 0; i < w->n; i++)
		node_boot_in(&w->nodes[i], i * 10 * SIM_MS);
	expect(w, "the cluster works", check_converged, 0, 30000);
}

static void
switch_to(struct sim *w, int from, int to)
{
	static struct mt_command c;

	memset(&c, 0, sizeof(c));
	c.kind = MT_CMD_REQUEST_PUT;
	c.u.request_put.kind = MT_REQUEST_SWITCHOVER;
	mt_copy(c.u.request_put.leader, MT_NAME_MAX, w->nodes[from].name);
	mt_copy(c.u.request_put.candidate, MT_NAME_MAX, w->nodes[to].name);
	node_propose(&w->nodes[from], &c);
}

/* A turn of a standby that finds no support: its questions are lost. */
static void
give_turn_without_support(struct sim *w, int p, int l, int x)
{
	uint64_t epoch = w->leader.epoch;

	let_lead(w, l);
	net_block(w, x, p, CLASS_SUPPORT, false);
	net_block(w, x, l, CLASS_SUPPORT, false);
	switch_to(w, p, x);
	expect(w, "the turn is the standby's", epoch_is, (int)epoch + 1, 8000);
	expect(w, "and it knows", knows_its_turn, x, 2000);
	/* the old primary, a standby again */
	pass(w, 1500);
}

/* ---- the schedules ---------------------------------------------------- */

/* A fence outlives the voter's restart. x asks for its epoch again and again
 * without being heard, is fenced, y takes over; then the third restarts, is cut
 * off from y, and hears x. */
static void
fence_is_durable(struct sim *w)
{
	int p, l, x, y, z;
	uint64_t epoch;

	start_all(w);
	p = the_primary(w);
	l = the_other(w, p, p);
	x = the_other(w, p, l);
	give_turn_without_support(w, p, l, x);
	cut(w, x, l, CLASS_RAFT | CLASS_PROPOSE | CLASS_REPORT, false);
	cut(w, x, p, CLASS_RAFT | CLASS_PROPOSE | CLASS_REPORT, false);
	epoch = w->leader.epoch;
	expect(w, "it is replaced", epoch_is, (int)epoch + 1, 12000);
	y = strcmp(w->leader.holder, w->nodes[p].name) == 0 ? p : l;
	z = the_other(w, x, y);
	expect(w, "another serves", serves, y, 5000);
	node_kill(&w->nodes[z]);
	cut(w, y, z, CLASS_ALL, false);
	net_heal(w, x, z);
	node_boot_in(&w->nodes[z], 50 * SIM_MS);
	pass(w, 3000);
}

/* An epoch that was given up stays so through a restart. x's state and that of
 * the third fall back when they restart; no fence stands on this way. */
static void
given_up_is_durable(struct sim *w)
{
	int p, l, x, z;
	uint64_t epoch;

	/* Only x has snapshots, and so a state right after its restart. */
	x = w->n - 1;
	w->nodes[x].snapshot_threshold = 1;
	start_all(w);
	p = the_primary(w);
	l = the_other(w, p, x);
	give_turn_without_support(w, p, l, x);
	epoch = w->leader.epoch;
	z = p;
	expect(w, "it gives up", gave_up, x, 17000);
	pass(w, 2);
	net_block(w, l, x, CLASS_RAFT, false);
	expect(w, "the turn is given on", epoch_is, (int)epoch + 1, 9000);
	if (strcmp(w->leader.holder, w->nodes[p].name) == 0)
		z = l;
	expect(w, "another serves", serves, the_other(w, x, z), 5000);
	node_kill(&w->nodes[x]);
	node_kill(&w->nodes[z]);
	for (int i = 0; i < w->n; i++)
		if (i != x && i != z)
			cut(w, i, z, CLASS_ALL, false);
	cut(w, x, the_other(w, x, z), CLASS_ALL, false);
	net_heal(w, x, z);
	net_heal(w, z, x);
	node_boot_in(&w->nodes[x], 50 * SIM_MS);
	node_boot_in(&w->nodes[z], 50 * SIM_MS);
	pass(w, 3000);
}

/* A release that is under way cannot be taken back. */
static void
release_is_final(struct sim *w)
{
	int p, l, x;

	start_all(w);
	p = the_primary(w);
	l = the_other(w, p, p);
	x = the_other(w, p, l);
	give_turn_without_support(w, p, l, x);
	net_block(w, x, l, CLASS_PROPOSE, true);
	try_for(w, "it gives up", gave_up, x, 17000);
	pass(w, 1500);
	net_heal(w, x, p);
	pass(w, 1000);
	TRACE(w, NULL, "schedule: the release arrives");
	net_block(w, l, x, CLASS_RAFT, false);
	net_block(w, p, x, CLASS_RAFT, false);
	net_heal(w, x, l);
	pass(w, 5000);
}

/* Answers to old questions that come late carry the lease only from when they
 * were asked. */
static void
late_answers(struct sim *w)
{
	int p, b, c;

	start_all(w);
	p = the_primary(w);
	b = the_other(w, p, p);
	c = the_other(w, p, b);
	let_lead(w, b);
	net_block(w, b, p, CLASS_SUPPORT, true);
	net_block(w, c, p, CLASS_SUPPORT, true);
	pass(w, 700);
	for (int i = 0; i < w->n; i++)
		if (i != p)
			net_block(w, p, i, CLASS_ALL & ~(unsigned)CLASS_PG,
				  false);
	pass(w, 4000);
	TRACE(w, NULL, "schedule: the answers arrive");
	net_heal(w, b, p);
	net_heal(w, c, p);
	net_block(w, b, p, CLASS_RAFT, false);
	net_block(w, c, p, CLASS_RAFT, false);
	pass(w, 8000);
}

/* The holder's clock is slow, the voters' are fast. */
static void
drifting_clocks(struct sim *w)
{
	int p;

	start_all(w);
	p = the_primary(w);
	let_lead(w, the_other(w, p, p));
	for (int i = 0; i < w->n; i++)
		node_set_rate(&w->nodes[i], i == p ? 990000 : 1010000);
	pass(w, 1500);
	net_isolate(w, p, CLASS_ALL, false);
	pass(w, 14000);
}

/* The answers to the fence of one epoch say nothing of the next. */
static void
fence_answers_of_old(struct sim *w)
{
	int p, l, v;
	uint64_t epoch;

	start_all(w);
	p = the_primary(w);
	l = w->n - 1; /* the witness */
	v = the_other(w, p, l);
	let_lead(w, l);
	epoch = w->leader.epoch;
	net_isolate(w, p, CLASS_ALL, false);
	expect(w, "the other has the turn", epoch_is, (int)epoch + 1, 15000);
	net_heal_all(w);
	expect(w, "all is well", check_converged, 0, 20000);
	pass(w, 1500);
	net_block(w, v, l, CLASS_REPORT, false);
	pass(w, 5000);
}

/* A voter that restarts keeps the promise that it has forgotten. */
static void
boot_hold(struct sim *w)
{
	int p, b, v;

	start_all(w);
	p = the_primary(w);
	v = the_other(w, p, p);
	b = the_other(w, p, v);
	let_lead(w, v);
	cut(w, p, v, CLASS_SUPPORT, false);
	pass(w, 1100 * w->setup.ttl_s);
	node_kill(&w->nodes[b]);
	node_boot_in(&w->nodes[b], 30 * SIM_MS);
	cut(w, p, v, CLASS_ALL, false);
	cut(w, p, b, CLASS_ALL, false);
	pass(w, 10000);
}

static bool
is_claimed(struct sim *w, int arg)
{
	(void)arg;
	for (int i = 0; i < w->n; i++)
		if (w->nodes[i].state->claim.member[0] != '\0')
			return true;
	return false;
}

static bool
is_not_claimed(struct sim *w, int arg)
{
	return !is_claimed(w, arg);
}

/* The claimant's word that it has initialized the cluster is on its way while
 * it is taken for silent. It throws its data away, is heard, and claims again;
 * then the word arrives. */
static void
claim_of_old(struct sim *w)
{
	int c = 0;

	schedule_form(w);
	for (int i = 0; i < w->n; i++)
		node_boot_in(&w->nodes[i], i * 10 * SIM_MS);
	expect(w, "a member claims", is_claimed, 0, 8000);
	for (int i = 0; i < w->n; i++)
		if (w->nodes[i].state->claim.member[0] != '\0')
			c = sim_node_by_name(w,
					     w->nodes[i].state->claim.member);
	TRACE(w, NULL, "schedule: %s is not heard", w->nodes[c].name);
	for (int i = 0; i < w->n; i++)
		if (i != c) {
			net_block(w, c, i, CLASS_PROPOSE, true);
			net_block(w, c, i, CLASS_REPORT, false);
		}
	expect(w, "its claim is withdrawn", is_not_claimed, 0, 8000);
	pass(w, 500);
	for (int i = 0; i < w->n; i++)
		w->net.links[c][i].blocked = 0;
	expect(w, "a member claims again", is_claimed, 0, 8000);
	net_heal_all(w);
	expect(w, "the cluster works", check_converged, 0, 20000);
}

/* An idle cluster writes nothing to its Raft store. */
static void
idle(struct sim *w)
{
	uint64_t writes;

	start_all(w);
	w->setup.idle = true;
	/* the last status, and Raft's leader off the primary's node */
	pass(w, 12000);
	writes = w->stats.writes;
	pass(w, 15000);
	if (w->stats.writes != writes)
		sim_fail(w, "an idle cluster wrote %d times",
			 (int)(w->stats.writes - writes));
	expect(w, "it works still", check_converged, 0, 10);
}

/* ---- the table -------------------------------------------------------- */

static const struct scenario {
	const char *name;
	int n, n_data, n_spare, ttl_s;
	void (*run)(struct sim *w);
	enum mt_sync_mode sync_mode;
	int sync_count;
} scenarios[] = {
    {"idle", 3, 2, 0, 2, idle, MT_SYNC_OFF, 0},
    {"claim-of-old", 3, 1, 0, 3, claim_of_old, MT_SYNC_OFF, 0},
    {"fence-is-durable", 3, 3, 0, 3, fence_is_durable, MT_SYNC_OFF, 0},
    {"given-up-is-durable", 3, 3, 0, 3, given_up_is_durable, MT_SYNC_OFF, 0},
    {"release-is-final", 3, 3, 0, 4, release_is_final, MT_SYNC_OFF, 0},
    {"late-answers", 3, 3, 0, 8, late_answers, MT_SYNC_OFF, 0},
    {"drifting-clocks", 3, 3, 0, 10, drifting_clocks, MT_SYNC_OFF, 0},
    {"fence-answers-of-old", 3, 2, 0, 8, fence_answers_of_old, MT_SYNC_OFF, 0},
    {"boot-hold", 3, 3, 0, 4, boot_hold, MT_SYNC_OFF, 0},
    {"voters-by-durable-log", 5, 3, 2, 4, members_by_durable_log, MT_SYNC_OFF,
     0},
    {"voters-one-by-one", 5, 3, 2, 4, members_one_by_one, MT_SYNC_OFF, 0},
    {"sync-counts-again", 5, 3, 0, 3, sync_counts_again, MT_SYNC_ON, 1},
    {"sync-put-of-old", 5, 3, 0, 3, sync_put_of_old, MT_SYNC_ON, 1},
    {"sync-fence-lasts", 5, 3, 0, 3, sync_fence_lasts, MT_SYNC_QUORUM, 1},
    {"sync-dead-timeline", 5, 5, 0, 3, sync_dead_timeline, MT_SYNC_QUORUM, 2},
    {"sync-other-data", 5, 3, 0, 3, sync_other_data, MT_SYNC_QUORUM, 2},
    {"fast-beside-the-old", 3, 2, 0, 10, fast_beside_the_old, MT_SYNC_ON, 1},
    {"fast-though-well", 5, 3, 0, 10, fast_though_well, MT_SYNC_QUORUM, 1},
    {"fast-in-vain", 5, 3, 0, 10, fast_in_vain, MT_SYNC_QUORUM, 1},
    {"fast-port-accepts", 5, 3, 0, 10, fast_port_accepts, MT_SYNC_QUORUM, 1},
    {"fast-one-way", 5, 3, 0, 10, fast_one_way, MT_SYNC_QUORUM, 1},
    {"fast-streams", 5, 3, 0, 10, fast_streams, MT_SYNC_QUORUM, 1},
    {"fast-hears-enough", 5, 3, 0, 10, fast_hears_enough, MT_SYNC_QUORUM, 1},
    {"fast-majority", 5, 3, 0, 10, fast_majority, MT_SYNC_QUORUM, 2},
    {"fast-without-a-set", 3, 2, 0, 10, fast_without_a_set, MT_SYNC_OFF, 0},
    {"fast-then-release", 5, 3, 0, 10, fast_then_release, MT_SYNC_QUORUM, 1},
    {"sync-loss-accepted", 5, 3, 0, 3, sync_loss_accepted, MT_SYNC_ON, 1},
    {"sync-loss-waits", 5, 3, 0, 25, sync_loss_waits, MT_SYNC_QUORUM, 1},
    {"names-in-order", 3, 3, 0, 3, names_in_order, MT_SYNC_OFF, 0},
    {"cancelled-is-not-promised", 3, 2, 0, 3, cancelled_is_not_promised,
     MT_SYNC_ON, 1},
    {"exempt-is-heeded", 3, 3, 0, 3, exempt_is_heeded, MT_SYNC_OFF, 0},
    {"exempt-until-armed", 3, 3, 0, 3, exempt_until_armed, MT_SYNC_OFF, 0},
    {"exempt-anew", 3, 3, 0, 3, exempt_anew, MT_SYNC_OFF, 0},
    {"exempt-from-what-is-due", 3, 3, 0, 3, exempt_from_what_is_due,
     MT_SYNC_OFF, 0},
};

static const struct scenario *
find(const char *name)
{
	for (size_t i = 0; i < MT_COUNT(scenarios); i++)
		if (strcmp(scenarios[i].name, name) == 0)
			return &scenarios[i];
	return NULL;
}

void
scenario_setup(struct sim *w, const char *name)
{
	const struct scenario *s = find(name);

	w->setup.n = s != NULL ? s->n : 1;
	w->setup.n_data = s != NULL ? s->n_data : 1;
	w->setup.n_spare = s != NULL ? s->n_spare : 0;
	w->setup.ttl_s = s != NULL ? s->ttl_s : 5;
	w->setup.sync_mode = s != NULL ? s->sync_mode : MT_SYNC_OFF;
	w->setup.sync_count = s != NULL ? s->sync_count : 0;
	w->setup.sync = w->setup.sync_mode != MT_SYNC_OFF;
	w->setup.loop_wait_s = 10;
	w->setup.rewind = w->setup.start_in_place = true;
	w->setup.snapshot_threshold = 0;
	w->setup.max_lag = SIM_MAX_LAG;
	w->setup.nofailover = -1;
	w->setup.hang_s = 10;
}

bool
scenario_run(struct sim *w, const char *name)
{
	const struct scenario *s = find(name);

	if (s != NULL)
		s->run(w);
	return s != NULL;
}

const char *
scenario_name(int i)
{
	return i < (int)MT_COUNT(scenarios) ? scenarios[i].name : NULL;
}
