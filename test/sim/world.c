/* SPDX-License-Identifier: PostgreSQL */
/*
 * The world: chance, the heap of events, the nodes' clocks, the main loop.
 *
 * Happy path: the earliest event is taken, true time jumps to it, the node or
 * the schedule that it belongs to handles it, invariants are checked where
 * something changed. Events of a life that has ended are dropped by whom they
 * reach. It does not: read a real clock or anything else that differs between
 * two runs.
 */
#include "test/sim/members.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

uint64_t
sim_rand(struct sim *w)
{
	uint64_t z = (w->rng += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

int64_t
sim_between(struct sim *w, int64_t least, int64_t most)
{
	if (most <= least)
		return least;
	return least + (int64_t)(sim_rand(w) % (uint64_t)(most - least + 1));
}

bool
sim_chance(struct sim *w, int percent)
{
	return (int)(sim_rand(w) % 100) < percent;
}

/* ---- events ----------------------------------------------------------- */

static bool
before(const struct event *a, const struct event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->seq < b->seq;
}

void
sim_push(struct sim *w, int64_t at_us, enum event_kind kind, int node,
	 uint32_t gen, uint64_t a, uint64_t b, struct message *message)
{
	struct event e = {
	    .at_us = at_us > w->now_us ? at_us : w->now_us,
	    .seq = ++w->event_seq,
	    .kind = kind,
	    .node = node,
	    .gen = gen,
	    .a = a,
	    .b = b,
	    .message = message,
	};
	size_t i = w->n_heap++;

	if (w->n_heap > w->cap_heap) {
		w->cap_heap = w->cap_heap == 0 ? 256 : w->cap_heap * 2;
		w->heap = realloc(w->heap, w->cap_heap * sizeof(*w->heap));
		MT_ASSERT(w->heap != NULL);
	}
	while (i > 0 && before(&e, &w->heap[(i - 1) / 2])) {
		w->heap[i] = w->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	w->heap[i] = e;
}

static struct event
pop(struct sim *w)
{
	struct event first = w->heap[0], last = w->heap[--w->n_heap];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < w->n_heap) {
		if (child + 1 < w->n_heap &&
		    before(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (!before(&w->heap[child], &last))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = last;
	return first;
}

/* ---- clocks ----------------------------------------------------------- */

int64_t
node_clock_us(const struct node *n)
{
	return n->clock_us +
	       (n->sim->now_us - n->true_us) * n->rate_ppm / 1000000;
}

int64_t
node_now_ms(const struct node *n)
{
	return node_clock_us(n) / 1000;
}

int64_t
node_true_us(const struct node *n, int64_t ms)
{
	int64_t ahead = ms * 1000 - n->clock_us, at;

	if (ahead <= 0)
		return n->true_us;
	at = n->true_us + (ahead * 1000000 + n->rate_ppm - 1) / n->rate_ppm;
	return at;
}

void
node_set_rate(struct node *n, int64_t ppm)
{
	n->clock_us = node_clock_us(n);
	n->true_us = n->sim->now_us;
	n->rate_ppm = ppm;
}

/* ---- the loop --------------------------------------------------------- */

static void
handle(struct sim *w, struct event *e)
{
	struct node *n = e->node >= 0 ? &w->nodes[e->node] : NULL;

	if (n != NULL && sleep_puts_off(n, e))
		return;
	switch (e->kind) {
	case EV_PG:
	case EV_PG_WRITE:
	case EV_PG_RECEIVE:
	case EV_PG_CONFIRM:
	case EV_SENTINEL:
	case EV_SENTINEL_KILL:
		pg_on_event(n, e);
		break;
	case EV_FAULT:
		schedule_fault(w);
		break;
	case EV_OPERATOR:
		members_step(w, e->gen);
		break;
	case EV_AWAKE:
		sleep_on_awake(n);
		break;
	case EV_WAKE:
	case EV_MESSAGE:
	case EV_LOG_WRITTEN:
	case EV_RECORD_WRITTEN:
	case EV_REOPEN:
	case EV_BOOT:
	case EV_THAW:
	case EV_GONE:
	case EV_PROBED:
	case EV_JOB:
		node_on_event(n, e);
		break;
	}
	free(e->message);
	/* What happened to one node may have woken another's daemon. */
	for (int i = 0; i < w->n; i++)
		if (w->nodes[i].dirty && !w->failed)
			node_step(&w->nodes[i]);
}

bool
sim_is_over(const struct sim *w)
{
	return w->failed || sim_left_us(w) <= 0;
}

int64_t
sim_left_us(const struct sim *w)
{
	return w->end_us != 0 ? w->end_us - w->now_us : INT64_MAX;
}

void
sim_run_to(struct sim *w, int64_t until_us)
{
	if (w->end_us != 0 && until_us > w->end_us)
		until_us = w->end_us;
	while (!w->failed && w->n_heap > 0 && w->heap[0].at_us <= until_us) {
		struct event e = pop(w);

		w->now_us = e.at_us;
		w->stats.events++;
		handle(w, &e);
	}
	if (!w->failed && w->now_us < until_us)
		w->now_us = until_us;
}

bool
sim_run_until(struct sim *w, bool (*holds)(struct sim *w, int arg), int arg,
	      int64_t limit_us)
{
	int64_t until_us = w->now_us + limit_us;

	if (w->end_us != 0 && until_us > w->end_us)
		until_us = w->end_us;
	for (;;) {
		if (w->failed)
			return false;
		if (holds(w, arg))
			return true;
		if (w->n_heap == 0 || w->heap[0].at_us > until_us)
			break;
		sim_run_to(w, w->heap[0].at_us);
	}
	sim_run_to(w, until_us);
	return false;
}

void
sim_trace(const struct sim *w, const struct node *n, const char *fmt, ...)
{
	va_list ap;

	printf("%10.3f ", (double)w->now_us / 1000.0);
	if (n != NULL)
		printf("%s %" PRId64 " ", n->name, node_now_ms(n));
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* ---- beginning and end ------------------------------------------------ */

static json_t *
bootstrap_config(const struct setup *s)
{
	static const char *const modes[] = {
	    [MT_SYNC_OFF] = "off",
	    [MT_SYNC_ON] = "on",
	    [MT_SYNC_QUORUM] = "quorum",
	};

	return json_pack(
	    "{s:i,s:i,s:i,s:i,s:s,s:i,s:b,s:I,s:I,s:b,s:{s:b,s:b,s:b}}", "ttl",
	    s->ttl_s, "loop_wait", s->loop_wait_s, "primary_start_timeout",
	    s->start_in_place ? 300 : 0, "primary_hang_timeout", s->hang_s,
	    "synchronous_mode", modes[s->sync_mode], "synchronous_node_count",
	    s->sync_count > 0 ? s->sync_count : 1, "synchronous_mode_strict",
	    s->sync_strict, "maximum_lag_on_syncnode",
	    (json_int_t)(s->sync_lag > 0 ? s->sync_lag : -1),
	    "maximum_lag_on_failover", (json_int_t)s->max_lag, "check_timeline",
	    s->check_timeline, "postgresql", "use_pg_rewind", s->rewind,
	    "remove_data_directory_on_rewind_failure", 1,
	    "remove_data_directory_on_diverged_timelines", 1);
}

void
sim_init(struct sim *w, const struct sim_options *o)
{
	memset(w, 0, sizeof(*w));
	w->options = *o;
	w->rng = o->seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
	for (int i = 0; i < SIM_NODES_MAX; i++)
		for (int k = 0; k < SIM_NODES_MAX; k++)
			w->net.links[i][k].hold_end = &w->net.links[i][k].hold;
	w->clients = o->seed;
	w->now_us = SIM_S;
	if (o->schedule == NULL && !o->liveness)
		w->end_us = w->now_us + SIM_SEED_US;
	w->net.least_us = 100;
	w->net.most_us = 2000;
	schedule_draw(w);
	w->bootstrap_config = bootstrap_config(&w->setup);
	MT_ASSERT(w->bootstrap_config != NULL);
	w->n = w->setup.n;
	for (int i = 0; i < w->n; i++)
		node_init(w, i);
}

void
sim_release(struct sim *w)
{
	w->stats.simulated_us = w->now_us - SIM_S;
	for (int i = 0; i < w->n; i++)
		node_release(&w->nodes[i]);
	for (size_t i = 0; i < w->n_heap; i++)
		free(w->heap[i].message);
	free(w->heap);
	net_release(w);
	json_decref(w->bootstrap_config);
}
