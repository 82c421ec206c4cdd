/* SPDX-License-Identifier: PostgreSQL */
/*
 * What happens in a run: the cluster's shape and the faults, drawn from the
 * seed. Faults for some seconds, then everything is healed, and the cluster has
 * to work again within a bound.
 *
 * A seed ends after 30 seconds, whatever happens; most of them are faults
 * nearly to the end. Whether it works again is judged where the bound for that
 * is not longer than what is left: always in seeds whose faults end early. In a
 * quiet one a single fault has bounds of its own. What takes longer (a holder
 * that hears nobody, long promises and slow disks, a loss that people accept)
 * is left to liveness runs, of which fewer are made: the same seeds, faults as
 * long, and all three parts to their end.
 */
#include "test/sim/sim.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "test/sim/faults.h"
#include "test/sim/members.h"

#define FORM_US (8 * SIM_S)
#define HEAL_US (18 * SIM_S)
#define HEAL_SYNC_US (23 * SIM_S) /* sets come back one step at a time */
#define HEAL_LONG_US (60 * SIM_S)
#define STABLE_US (1 * SIM_S)

/* ---- drawing ---------------------------------------------------------- */

/* What kind of trouble a seed has; FAULTS columns. */
static const uint8_t profiles[][FAULTS] = {
    /* is li sp cl st lo he ki cr fr pg te sw tt di tr ra fe re sy wi */
    {3, 3, 3, 3, 2, 1, 3, 3, 2, 3, 3, 1, 1, 1, 2, 1, 1, 2, 1, 1, 1},
    {6, 4, 4, 4, 3, 2, 4, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 2, 1, 1, 0},
    {0, 0, 0, 0, 0, 0, 1, 5, 4, 4, 4, 2, 1, 1, 2, 1, 0, 1, 1, 1, 2},
    {2, 2, 1, 6, 4, 1, 2, 4, 1, 3, 1, 0, 0, 2, 0, 0, 2, 4, 4, 2, 0},
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 5, 1, 0, 1, 1, 0, 0, 3, 0},
    {1, 1, 1, 1, 1, 1, 2, 2, 1, 2, 2, 1, 1, 1, 6, 2, 1, 2, 1, 1, 1},
    {2, 5, 2, 6, 1, 0, 2, 6, 1, 1, 1, 0, 3, 2, 1, 1, 1, 3, 3, 2, 0},
    {4, 3, 2, 8, 1, 0, 3, 2, 3, 2, 3, 1, 1, 0, 0, 1, 0, 2, 1, 8, 1},
};

static void
draw_shape(struct sim *w, struct setup *s)
{
	static const uint8_t shapes[][2] = {
	    {3, 2}, {3, 2}, {3, 2}, {3, 2}, {3, 3}, {3, 3}, {3, 3},
	    {3, 3}, {3, 3}, {5, 3}, {5, 5}, {1, 1}, {2, 2}, {4, 3},
	};
	const uint8_t *shape =
	    shapes[sim_between(w, 0, (int64_t)MT_COUNT(shapes) - 1)];

	s->n = shape[0];
	s->n_data = shape[1];
}

/* So long it may take until all works again: voters that restarted hold a
 * promise, data is copied, requests run into their time, and one thing may wait
 * for the other. Few of 10000 seeds take more than 15 s. */
static int64_t
heal_us(const struct setup *s)
{
	return s->kind == KIND_LONG ? HEAL_LONG_US
	       : s->sync            ? HEAL_SYNC_US
				    : HEAL_US;
}

/* Not drawn: what is drawn stays as it was. */
static enum sim_kind
draw_kind(const struct sim *w)
{
	static const enum sim_kind kinds[8] = {
	    [1] = KIND_HEAL,
	    [6] = KIND_CALM,
	    [7] = KIND_HEAL,
	};

	return w->options.liveness ? KIND_LONG
				   : kinds[w->options.seed % MT_COUNT(kinds)];
}

_Static_assert(FAULTS <= MT_COUNT(((struct setup *)0)->weights), "weights");

void
schedule_draw(struct sim *w)
{
	struct setup *s = &w->setup;
	const uint8_t *profile =
	    profiles[sim_between(w, 0, (int64_t)MT_COUNT(profiles) - 1)];

	if (w->options.schedule != NULL) {
		scenario_setup(w, w->options.schedule);
		return;
	}
	draw_shape(w, s);
	s->ttl_s = (int)(sim_chance(w, 50) ? sim_between(w, 2, 4)
					   : sim_between(w, 2, 10));
	s->loop_wait_s = (int)sim_between(w, 1, 10);
	s->rewind = sim_chance(w, 70);
	s->start_in_place = sim_chance(w, 70);
	s->snapshot_threshold =
	    sim_chance(w, 70) ? 1024 : (unsigned)sim_between(w, 1, 8);
	s->faults_until_us = sim_between(w, 6 * SIM_S, 22 * SIM_S);
	s->fault_every_us = sim_chance(w, 40)
				? sim_between(w, 60 * SIM_MS, 700 * SIM_MS)
				: sim_between(w, 700 * SIM_MS, 4 * SIM_S);
	s->digests = sim_chance(w, 12);
	s->slow_pg = sim_chance(w, 20);
	for (int i = 0; i < FAULTS; i++)
		s->weights[i] = profile[i];
	schedule_draw_sync(w, s);
	schedule_draw_traits(w, s);
	if (!s->sync)
		s->weights[F_SYNC] = s->weights[F_WIPE] = 0;
	/* Not drawn: the other seeds stay as they were. */
	if (w->options.seed % 4 == 3)
		s->weights[F_PAUSE] = 3;
	s->kind = draw_kind(w);
	if (s->kind == KIND_HEAL &&
	    s->faults_until_us > SIM_SEED_US - heal_us(s))
		s->faults_until_us = SIM_SEED_US - heal_us(s);
}

/* ---- faults, one after the other --------------------------------------- */

/* While a fault is drawn chance has numbers of its own, by the fault's number:
 * what the others draw does not change where it is left out. */
static uint64_t
begin_draw(struct sim *w, uint64_t number)
{
	uint64_t f[] = {w->options.seed, number}, world = w->rng;

	w->rng = mt_hash(MT_HASH_SEED, f, sizeof(f));
	return world;
}

static bool
is_wanted(const struct sim *w, int k)
{
	return w->options.keep == NULL || w->options.keep[k];
}

static void
note(struct sim *w, int k, const char *name)
{
	w->faults[k].at_us = w->now_us;
	w->faults[k].name = name;
	TRACE(w, NULL, "fault %d: %s", k, name);
}

static void
next_fault(struct sim *w)
{
	if (++w->n_faults < SIM_FAULTS_MAX - 3)
		sim_push(w,
			 w->now_us +
			     sim_between(w, 0, 2 * w->setup.fault_every_us),
			 EV_FAULT, -1, 0, 0, 0, NULL);
}

static enum fault
pick(struct sim *w)
{
	int sum = 0, n, f = 0;

	for (int i = 0; i < FAULTS; i++)
		sum += w->setup.weights[i];
	n = (int)sim_between(w, 0, sum - 1);
	while (n >= w->setup.weights[f])
		n -= w->setup.weights[f++];
	return (enum fault)f;
}

void
schedule_fault(struct sim *w)
{
	int k = w->n_faults;
	uint64_t world;
	enum fault f;

	if (w->now_us >= w->setup.faults_until_us)
		return;
	world = begin_draw(w, (uint64_t)k);
	next_fault(w);
	f = pick(w);
	if (is_wanted(w, k)) {
		note(w, k, fault_name(f));
		if (sim_chance(w, 25))
			net_heal_all(w);
		fault_boot_the_dead(w, 10 * SIM_MS, 3 * SIM_S);
		fault_inject(w, f);
	}
	w->rng = world;
}

/* ---- a run ------------------------------------------------------------ */

void
schedule_heal(struct sim *w)
{
	TRACE(w, NULL, "all is healed");
	members_rest(w);
	net_heal_all(w);
	w->net.loss_percent = w->net.twice_percent = 0;
	for (int i = 0; i < w->n; i++) {
		struct node *n = &w->nodes[i];

		n->slow_us = 0;
		n->write_fails = false;
		pg_go_on(n);
		if (n->frozen)
			node_thaw(n);
		/* Switched on now, not when it was to be. */
		if (n->booting && !n->alive)
			node_boot_in(n, sim_between(w, 0, 500 * SIM_MS));
	}
}

void
schedule_form(struct sim *w)
{
	const char *addresses[SIM_NODES_MAX];
	uint64_t ids[SIM_NODES_MAX];
	char names[SIM_NODES_MAX][24];
	struct mt_err err;
	unsigned n = 0;

	for (int i = 0; i < w->n; i++) {
		if (w->nodes[i].spare)
			continue;
		mt_format(names[i], sizeof(names[i]), "10.0.0.%d:2380", i + 1);
		addresses[n] = names[i];
		ids[n++] = w->nodes[i].raft_id;
	}
	for (int i = 0; i < w->n; i++)
		if (!w->nodes[i].spare &&
		    mt_image_bootstrap(&w->nodes[i].disk, ids, addresses, n,
				       &err) != 0)
			sim_fail(w, "%s", err.text);
}

/* A paused cluster does nothing by itself: the operator ends it. */
static void
end_pause(struct sim *w)
{
	for (int i = 0; i < w->n; i++) {
		struct node *n = &w->nodes[i];

		if (n->alive && !n->frozen && fault_is_paused(n)) {
			sim_pause(n, false);
			return;
		}
	}
}

/* The last machine that sleeps has woken by then. */
static int64_t
all_awake_us(const struct sim *w)
{
	int64_t at_us = w->now_us;

	for (int i = 0; i < w->n; i++)
		if (at_us < w->nodes[i].asleep_us)
			at_us = w->nodes[i].asleep_us;
	return at_us;
}

/* All works, and so for a while. It has to within the bound, where what is left
 * of the seed is as long; false where it does not. */
static bool
converge(struct sim *w)
{
	int64_t begin_us = all_awake_us(w), since_us = 0;
	int64_t bound_us = heal_us(&w->setup), until_us = begin_us + bound_us;
	bool judged = sim_left_us(w) >= until_us - w->now_us;

	while (!sim_is_over(w) && w->now_us < until_us) {
		fault_boot_the_dead(w, 10 * SIM_MS, 500 * SIM_MS);
		end_pause(w);
		sim_run_to(w, w->now_us + 100 * SIM_MS);
		if (!check_converged(w, 0))
			since_us = 0;
		else if (since_us == 0)
			since_us = w->now_us;
		else if (w->now_us - since_us >= STABLE_US)
			break;
	}
	if (w->failed)
		return false;
	if (since_us == 0 &&
	    (check_sync_hopeless(w) || check_lags_hopelessly(w))) {
		w->stats.hopeless++;
		return false;
	}
	if (judged)
		w->stats.healed++;
	if (since_us != 0) {
		if (w->stats.converge_us < w->now_us - begin_us)
			w->stats.converge_us = w->now_us - begin_us;
		return true;
	}
	if (judged && !w->options.lease_only)
		sim_fail(w, "does not work again %d s after all was healed",
			 (int)(bound_us / SIM_S));
	return false;
}

/* Faults, and all healed. True: it works again. */
static bool
storm(struct sim *w)
{
	next_fault(w);
	sim_run_to(w, w->setup.faults_until_us);
	schedule_heal(w);
	return converge(w);
}

void
schedule_run(struct sim *w)
{
	bool well;
	int k;

	schedule_form(w);
	TRACE(w, NULL, "%d nodes, %d with data, %d spare, ttl %d s%s", w->n,
	      w->setup.n_data, w->setup.n_spare, w->setup.ttl_s,
	      w->setup.rewind ? ", pg_rewind" : "");
	w->setup.faults_until_us += w->now_us;
	fault_draw_clocks(w);
	for (int i = 0; i < w->n; i++)
		node_boot_in(&w->nodes[i], sim_between(w, 0, 400 * SIM_MS));
	if (sim_chance(w, 60))
		sim_run_until(w, check_converged, 0, FORM_US);
	well = w->setup.kind == KIND_CALM
		   ? sim_run_until(w, check_converged, 0, FORM_US)
		   : storm(w);
	k = ++w->n_faults;
	(void)begin_draw(w, (uint64_t)k);
	if (sim_chance(w, 60) && w->n >= 3 && well && is_wanted(w, k)) {
		note(w, k, "one fault while all is well");
		schedule_one(w);
		well = converge(w);
	}
	k = ++w->n_faults;
	(void)begin_draw(w, (uint64_t)k);
	if (!well || !is_wanted(w, k) || w->setup.kind < KIND_CALM)
		return;
	note(w, k, "loss of too many, accepted");
	if (schedule_lose_set(w))
		(void)converge(w);
}
