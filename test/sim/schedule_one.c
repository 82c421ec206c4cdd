/* SPDX-License-Identifier: PostgreSQL */
/*
 * With all well, one thing breaks: writing has to go on within a bound that
 * follows from what broke. A cluster that is safe and dead fails here.
 *
 * The bounds: what voters have promised, by the longest of them, for a holder
 * that only falls silent; nothing of that for one that ends in good order or
 * whose daemon lives. Then an election, some messages, a promotion.
 */
#include "test/sim/sim.h"

#include <string.h>

#include "test/sim/faults.h"

#define ORDERLY_MS 3000 /* after SIGTERM, or where the daemon lives */
#define SLOW_MS 10000
#define SYNC_MS 8000 /* names ahead, a fence, one more try */
#define IDLE_MS 20000
#define FAST_MS 5000 /* where no promise is waited for */
#define LOSS_MS 2500 /* beyond the promises, until another serves */

enum loss {
	L_CRASH,
	L_TERMINATE,
	L_POSTGRES, /* dies; its daemon lives */
	L_FREEZE,   /* the daemon: the sentinel ends PostgreSQL */
	L_CUT,
	L_MUTE, /* nobody hears it */
	L_DEAF, /* it hears nobody */
	L_DAEMON,
	L_SENTINEL,
	L_SLEEP,
	L_HANG,
	L_VOLUME,
	LOSSES,
};

static const struct {
	const char *name;
	int percent; /* of the cases */
	bool rest;   /* it has to be another */
} losses[] = {
    [L_CRASH] = {"its machine crashes", 25, true},
    [L_TERMINATE] = {"it is asked to end", 15, true},
    [L_POSTGRES] = {"its PostgreSQL dies", 10, false},
    [L_FREEZE] = {"its daemon is frozen", 10, true},
    [L_CUT] = {"it is cut off", 10, true},
    [L_MUTE] = {"nobody hears it", 5, true},
    [L_DEAF] = {"it hears nobody", 5, true},
    [L_DAEMON] = {"its daemon is killed", 5, false},
    [L_SENTINEL] = {"its sentinel dies", 3, false},
    [L_SLEEP] = {"its machine sleeps", 4, true},
    [L_HANG] = {"its PostgreSQL hangs", 4, false},
    [L_VOLUME] = {"its data volume hangs", 4, false},
};

static enum loss
draw(struct sim *w)
{
	int n = (int)sim_between(w, 0, 99), i = 0;

	while (n >= losses[i].percent)
		n -= losses[i++].percent;
	return (enum loss)i;
}

/* A voter that restarted lately holds the most that it may have promised. */
static int64_t
promised_ms(const struct sim *w)
{
	int64_t most_ms = 0;

	for (int i = 0; i < w->n; i++)
		if (most_ms < w->nodes[i].record.max_ttl_ms)
			most_ms = w->nodes[i].record.max_ttl_ms;
	return most_ms * 102 / 100;
}

/* Is it a primary whose lease need not be waited for? Not if it was suspected
 * in vain in this turn: then the next suspicion is patient. */
static bool
is_replaced_fast(const struct sim *w, const struct node *n)
{
	for (int i = 0; i < w->n; i++)
		if (w->nodes[i].controller.sync_turn == w->leader.since &&
		    w->nodes[i].controller.sync_pause_ms != 0)
			return false;
	return w->sync.k > 0 && strcmp(w->leader.holder, n->name) == 0 &&
	       mt_sync_find(&w->sync, n->name) < 0;
}

static int64_t
limit_ms(const struct sim *w, const struct node *n, enum loss loss)
{
	int64_t limit = promised_ms(w) + LOSS_MS;

	if (loss == L_TERMINATE || loss == L_POSTGRES || loss == L_SENTINEL ||
	    loss == L_HANG)
		limit = ORDERLY_MS;
	if (loss == L_HANG || loss == L_VOLUME) /* until it is noticed */
		limit += w->setup.hang_s * 1000;
	/* It is promised to until it stops asking; its reports go on. */
	if (loss == L_DEAF)
		limit += promised_ms(w) + IDLE_MS;
	if (w->setup.sync)
		limit += SYNC_MS;
	if (loss == L_CRASH && is_replaced_fast(w, n) && limit > FAST_MS)
		limit = FAST_MS;
	if (w->setup.slow_pg) /* to stop, to be promoted */
		limit += SLOW_MS;
	return limit;
}

/* gone: a node that does not count, -1 = none */
static bool
is_served(struct sim *w, int gone)
{
	for (int i = 0; i < w->n; i++)
		if (i != gone && node_acts(&w->nodes[i]) &&
		    !pg_hangs(&w->nodes[i]) && w->nodes[i].slots_ready)
			return true;
	return false;
}

static void
break_it(struct sim *w, struct node *n, enum loss loss, int64_t limit)
{
	switch (loss) {
	case L_CRASH:
		n->absent = true;
		node_crash(n);
		break;
	case L_TERMINATE:
		n->absent = true;
		node_terminate(n);
		break;
	case L_POSTGRES:
		pg_die(n, "killed");
		break;
	case L_FREEZE:
		node_freeze(n, 60 * SIM_S);
		break;
	case L_CUT:
		net_isolate(w, n->i, CLASS_ALL, sim_chance(w, 50));
		break;
	case L_MUTE:
	case L_DEAF:
		fault_one_way(w, n->i, loss == L_DEAF, false);
		break;
	case L_DAEMON:
		node_kill(n);
		node_boot_in(n, sim_between(w, 20 * SIM_MS, 500 * SIM_MS));
		break;
	case L_SENTINEL:
		pg_lose_sentinel(n);
		break;
	case L_SLEEP:
		/* It is not woken with the rest. */
		node_sleep(n, (limit + 1000) * SIM_MS);
		break;
	case L_HANG:
	case L_VOLUME:
		pg_hang(n, 60 * SIM_S, loss == L_VOLUME);
		break;
	case LOSSES:
		break;
	}
}

void
schedule_one(struct sim *w)
{
	struct node *n = fault_some_node(w);
	enum loss loss = draw(w);
	int64_t limit, begin_us = w->now_us;
	bool judged;

	/* Where little lag is allowed, who is left may rightly not do. */
	if (w->setup.max_lag < SIM_MAX_LAG)
		loss = L_TERMINATE;
	limit = limit_ms(w, n, loss);
	if (limit * SIM_MS > sim_left_us(w)) {
		loss = L_CRASH; /* has not so long a bound */
		limit = limit_ms(w, n, loss);
	}
	judged = limit * SIM_MS <= sim_left_us(w);
	TRACE(w, n, "all is well, and %s", losses[loss].name);
	break_it(w, n, loss, limit);
	w->stats.outages += judged;
	if (!sim_run_until(w, is_served, losses[loss].rest ? n->i : -1,
			   limit * SIM_MS) &&
	    judged && !w->failed && !w->options.lease_only &&
	    !check_sync_hopeless(w))
		sim_fail(w, "no primary %d ms after it broke: %s, %s",
			 (int)limit, n->name, losses[loss].name);
	if (judged && w->stats.outage_us < w->now_us - begin_us)
		w->stats.outage_us = w->now_us - begin_us;
	n->absent = false;
	schedule_heal(w);
}
