/* SPDX-License-Identifier: PostgreSQL */
/*
 * A small model of PostgreSQL (and, in sentinel.c, of who watches over it):
 * data directory, timelines with their content, start, promotion, stop and
 * crash with their durations, writing wherever it can be done, replication.
 *
 * Modelled on the strict side: a primary that is being stopped, or killed by
 * its sentinel, counts as writable until it is gone; the sentinel takes up to
 * its whole allowance. A promoted server takes the next timeline after the
 * newest that it has seen a history of, as PostgreSQL does.
 *
 * It does not: model the content of tables, replay lag, archives, cascades.
 */
#include "test/sim/sim.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

#define FIRST_LSN UINT64_C(0x2000000)
#define CHECKPOINT_BYTES 120

void
pg_init(struct node *n)
{
	memset(&n->pg, 0, sizeof(n->pg));
	n->pg.data = MT_DATA_EMPTY;
	n->pg.branch = -1;
	n->pg.upstream = -1;
	n->sim->line = -1;
}

/* ---- questions -------------------------------------------------------- */

bool
pg_is_running(const struct node *n)
{
	return n->pg.phase != PG_DOWN;
}

bool
pg_is_accepting(const struct node *n)
{
	return n->pg.phase == PG_UP || n->pg.phase == PG_PROMOTING;
}

bool
pg_in_recovery(const struct node *n)
{
	return !n->pg.writable;
}

uint32_t
pg_timeline(const struct sim *w, const struct pg *pg)
{
	return pg->branch < 0 ? 0 : w->branches[pg->branch].timeline;
}

struct mt_position
pg_position(const struct sim *w, const struct node *n)
{
	uint64_t lsn = n->pg.lsn;

	if (pg_is_running(n) && !n->pg.as_primary &&
	    w->now_us < n->pg.replayed_us)
		lsn = n->pg.replayed_lsn;
	return (struct mt_position){pg_timeline(w, &n->pg), lsn};
}

/* Is data that ends at this LSN of a branch part of the history of another? */
bool
pg_is_ancestor(const struct sim *w, int branch, uint64_t lsn, int of)
{
	while (of >= 0 && of != branch) {
		const struct branch *b = &w->branches[of];

		if (b->parent == branch)
			return lsn <= b->fork_lsn;
		of = b->parent;
	}
	return of >= 0;
}

/* Does its walreceiver get what the upstream writes? */
bool
pg_streams(const struct sim *w, const struct node *s)
{
	const struct node *p;

	if (s->pg.phase != PG_UP || s->pg.as_primary || s->pg.upstream < 0 ||
	    w->now_us < s->pg.replayed_us || w->now_us < s->pg.receives_us)
		return false;
	p = &w->nodes[s->pg.upstream];
	return p != s && p->powered && p->pg.writable && !node_sleeps(p) &&
	       !node_sleeps(s) &&
	       (p->pg.phase == PG_UP ||
		(p->pg.phase == PG_STOPPING && p->pg.fast)) &&
	       net_passes(w, p->i, s->i, CLASS_PG) &&
	       strcmp(p->pg.sysid, s->pg.sysid) == 0 &&
	       (s->pg.branch != p->pg.branch || s->pg.lsn <= p->pg.lsn) &&
	       pg_is_ancestor(w, s->pg.branch, s->pg.lsn, p->pg.branch);
}

int
pg_history(const struct sim *w, const struct node *n, struct mt_history *lines,
	   int max)
{
	int at = n->pg.branch, count = 0, i;

	for (int b = at; b >= 0 && w->branches[b].parent >= 0;
	     b = w->branches[b].parent)
		count++;
	i = count < max ? count : max;
	for (int b = at; i > 0; b = w->branches[b].parent) {
		int parent = w->branches[b].parent;

		memset(&lines[--i], 0, sizeof(lines[i]));
		lines[i].timeline = w->branches[parent].timeline;
		lines[i].lsn = w->branches[b].fork_lsn;
		mt_copy(lines[i].reason, sizeof(lines[i].reason),
			"no recovery target specified");
		mt_copy(lines[i].new_leader, sizeof(lines[i].new_leader),
			w->nodes[w->branches[b].writer].name);
	}
	return count < max ? count : max;
}

/* ---- data directory --------------------------------------------------- */

static int
new_branch(struct sim *w, uint32_t timeline, int parent, uint64_t fork_lsn,
	   int writer)
{
	MT_ASSERT(w->n_branches < SIM_BRANCHES_MAX);
	w->branches[w->n_branches] = (struct branch){
	    .timeline = timeline,
	    .parent = parent,
	    .fork_lsn = fork_lsn,
	    .writer = writer,
	};
	return w->n_branches++;
}

void
pg_wipe(struct node *n, enum mt_data_kind kind)
{
	struct pg *pg = &n->pg;

	MT_ASSERT(pg->phase == PG_DOWN);
	pg->data = kind;
	pg->restored = pg->bootstrapped = false;
	pg->sysid[0] = '\0';
	pg->data_id = 0;
	pg->branch = -1;
	pg->lsn = pg->checkpoint_lsn = 0;
	pg->known_timeline = 0;
	pg->control = MT_CONTROL_UNKNOWN;
	pg_follow(n, -1);
}

void
pg_restore(struct node *n, uint64_t bytes_back)
{
	struct pg *pg = &n->pg;
	uint64_t least = n->sim->branches[pg->branch].fork_lsn;

	MT_ASSERT(pg->phase == PG_DOWN && pg->data == MT_DATA_PRESENT);
	if (least < FIRST_LSN + CHECKPOINT_BYTES)
		least = FIRST_LSN + CHECKPOINT_BYTES;
	pg->lsn = pg->lsn > least + bytes_back ? pg->lsn - bytes_back : least;
	pg->checkpoint_lsn = pg->lsn;
	pg->control = MT_CONTROL_RECOVERY;
	pg->data_id = sim_rand(n->sim) | 1;
	pg->restored = true;
	pg_follow(n, -1);
}

void
pg_initdb(struct node *n)
{
	struct sim *w = n->sim;
	struct pg *pg = &n->pg;

	pg->data = MT_DATA_PRESENT;
	pg->bootstrapped = true;
	mt_format(pg->sysid, sizeof(pg->sysid), "7%" PRIu64, sim_rand(w) >> 8);
	pg->data_id = sim_rand(w) | 1;
	pg->branch = new_branch(w, 1, -1, 0, n->i);
	pg->known_timeline = 1;
	pg->checkpoint_lsn = FIRST_LSN;
	pg->lsn = FIRST_LSN + CHECKPOINT_BYTES;
	pg->control = MT_CONTROL_SHUT_DOWN;
}

bool
pg_recover(struct node *n)
{
	struct pg *pg = &n->pg;

	if (pg->phase != PG_DOWN || pg->data != MT_DATA_PRESENT)
		return false;
	pg->control = MT_CONTROL_SHUT_DOWN;
	pg->checkpoint_lsn = pg->lsn;
	pg->lsn += CHECKPOINT_BYTES;
	return true;
}

bool
pg_copy(struct node *n, int source)
{
	struct sim *w = n->sim;
	const struct pg *from;
	struct pg *pg = &n->pg;

	if (source < 0)
		return false;
	from = &w->nodes[source].pg;
	if (!from->writable || from->phase != PG_UP ||
	    node_sleeps(&w->nodes[source]) || pg_hangs(&w->nodes[source]) ||
	    !net_passes(w, source, n->i, CLASS_PG) || pg->phase != PG_DOWN)
		return false;
	pg->data = MT_DATA_PRESENT;
	mt_copy(pg->sysid, sizeof(pg->sysid), from->sysid);
	pg->data_id = sim_rand(w) | 1;
	pg->branch = from->branch;
	pg->lsn = pg->checkpoint_lsn = from->lsn;
	pg->known_timeline = from->known_timeline;
	pg->control = MT_CONTROL_RECOVERY;
	return true;
}

/* ---- the server ------------------------------------------------------- */

static int64_t
duration_us(struct sim *w, int64_t least_ms, int64_t most_ms)
{
	int64_t us = sim_between(w, least_ms * SIM_MS, most_ms * SIM_MS);

	return w->setup.slow_pg && sim_chance(w, 20) ? us * 10 : us;
}

void
pg_enter(struct node *n, enum pg_phase phase, int64_t after_us)
{
	n->pg.phase = phase;
	n->pg.phase_end_us = n->sim->now_us + after_us;
	sim_push(n->sim, n->pg.phase_end_us, EV_PG, n->i, n->pg.gen, 0, 0,
		 NULL);
	if (n->alive)
		n->dirty = true;
}

static void
go_down(struct node *n, bool clean)
{
	struct pg *pg = &n->pg;

	if (pg->writable)
		pg->control =
		    clean ? MT_CONTROL_SHUT_DOWN : MT_CONTROL_PRODUCTION;
	else if (!pg->as_primary || pg->phase == PG_PROMOTING)
		pg->control =
		    clean ? MT_CONTROL_SHUT_DOWN_RECOVERY : MT_CONTROL_RECOVERY;
	if (!pg->writable)
		pg->checkpoint_lsn = pg->lsn;
	TRACE(n->sim, n, "postgres is down, %s, timeline %u lsn %" PRIx64,
	      clean ? "clean" : "crashed", pg_timeline(n->sim, pg), pg->lsn);
	pg->phase = PG_DOWN;
	pg->gen++;
	clients_go(n);
	pg->writable = pg->as_primary = false;
	pg->armed = pg->fired = pg->exempt = false;
	pg->unguarded = pg->killed = false;
	pg->sentinel_us = pg->hangs_us = 0;
	if (n->alive)
		n->dirty = true;
}

static void
receive(struct node *n, int branch, uint64_t lsn)
{
	struct pg *pg = &n->pg;
	uint32_t timeline = n->sim->branches[branch].timeline;

	if (branch == pg->branch
		? lsn < pg->lsn
		: !pg_is_ancestor(n->sim, pg->branch, pg->lsn, branch))
		return;
	pg->branch = branch;
	pg->lsn = lsn;
	if (pg->known_timeline < timeline)
		pg->known_timeline = timeline;
}

/* The clean stop of a primary: a checkpoint, which the walsenders still send
 * to all that stream. */
static void
shut_down(struct node *n)
{
	struct sim *w = n->sim;
	struct pg *pg = &n->pg;

	if (pg->writable) {
		pg->checkpoint_lsn = pg->lsn;
		pg->lsn += CHECKPOINT_BYTES;
		for (int i = 0; i < w->n; i++)
			if (w->nodes[i].pg.upstream == n->i &&
			    pg_streams(w, &w->nodes[i]))
				receive(&w->nodes[i], pg->branch, pg->lsn);
	}
	go_down(n, true);
}

/* A standby's position is known when all of its own log is replayed. */
static void
recover(struct node *n)
{
	struct sim *w = n->sim;
	struct pg *pg = &n->pg;

	pg->replayed_us = 0;
	pg->replayed_lsn = pg->lsn;
	if (!w->setup.sync || pg->as_primary || sim_chance(w, 50))
		return;
	pg->replayed_us =
	    w->now_us + sim_between(w, 50 * SIM_MS, 1500 * SIM_MS);
	if (pg->lsn > FIRST_LSN + 65536)
		pg->replayed_lsn -= (uint64_t)sim_between(w, 0, 65536);
}

void
pg_start(struct node *n, bool primary)
{
	struct pg *pg = &n->pg;

	MT_ASSERT(pg->phase == PG_DOWN && pg->data == MT_DATA_PRESENT);
	pg->gen++;
	pg->restored = false;
	pg->as_primary = primary;
	pg->asked_to_stop = pg->fast = false;
	pg->writable = pg->armed = pg->fired = pg->exempt = false;
	memset(pg->standbys, 0, sizeof(pg->standbys));
	recover(n);
	TRACE(n->sim, n, "postgres starts as %s, timeline %u lsn %" PRIx64,
	      primary ? "primary" : "standby", pg_timeline(n->sim, pg),
	      pg->lsn);
	pg_enter(n, PG_STARTING, duration_us(n->sim, 50, primary ? 400 : 300));
}

void
pg_promote(struct node *n, uint32_t timeline)
{
	/* Lower numbers are reserved by the daemon. */
	if (n->pg.known_timeline + 1 < timeline)
		n->pg.known_timeline = timeline - 1;
	n->pg.as_primary = true;
	memset(n->pg.standbys, 0, sizeof(n->pg.standbys));
	pg_follow(n, -1);
	pg_enter(n, PG_PROMOTING, duration_us(n->sim, 20, 200));
}

void
pg_stop(struct node *n, bool fast)
{
	struct pg *pg = &n->pg;

	if (pg->phase == PG_DOWN)
		return;
	pg->asked_to_stop = true;
	if (pg->phase == PG_STOPPING && (fast || !pg->fast))
		return;
	/* Promotion and start end with the signal, what was reached stays. */
	pg->fast = fast;
	TRACE(n->sim, n, "postgres is stopped, %s",
	      fast ? "fast" : "immediately");
	pg_enter(n, PG_STOPPING,
		 fast ? duration_us(n->sim, 30, 600)
		      : sim_between(n->sim, 5 * SIM_MS, 60 * SIM_MS));
}

void
pg_die(struct node *n, const char *why)
{
	if (n->pg.phase == PG_DOWN)
		return;
	TRACE(n->sim, n, "postgres dies: %s", why);
	go_down(n, false);
}

static void
serve(struct node *n)
{
	struct sim *w = n->sim;
	struct pg *pg = &n->pg;

	pg->writable = true;
	pg->control = MT_CONTROL_PRODUCTION;
	TRACE(w, n, "postgres is writable, timeline %u lsn %" PRIx64,
	      pg_timeline(w, pg), pg->lsn);
	sim_push(w, w->now_us, EV_PG_WRITE, n->i, pg->gen, 0, 0, NULL);
	check_writable(n);
	/* A displaced one may only now end a start that it began before. */
	if (!check_is_displaced(w, n))
		w->line = pg->branch;
	check_coexist(w);
	clients_come(n);
	clients_read(n);
}

static void
promoted(struct node *n)
{
	struct sim *w = n->sim;
	struct pg *pg = &n->pg;

	if (pg->known_timeline < pg_timeline(w, pg))
		pg->known_timeline = pg_timeline(w, pg);
	pg->known_timeline++;
	pg->branch =
	    new_branch(w, pg->known_timeline, pg->branch, pg->lsn, n->i);
	pg->lsn += 42;
	check_branch(w, pg->branch);
	/* A displaced one may only now end what it began before: nobody is told
	 * anything by it. */
	if (!check_is_displaced(w, n))
		check_survival(n);
	w->stats.promotions++;
	serve(n);
}

static void
end_phase(struct node *n)
{
	struct pg *pg = &n->pg;
	enum pg_phase phase = pg->phase;

	switch (phase) {
	case PG_STARTING:
	case PG_PROMOTING:
		pg->phase = PG_UP;
		if (n->alive)
			n->dirty = true;
		if (phase == PG_PROMOTING)
			promoted(n);
		else if (pg->as_primary)
			serve(n);
		else
			pg->control = MT_CONTROL_RECOVERY;
		break;
	case PG_STOPPING:
		if (pg_outlasts(n))
			break;
		if (pg->fast)
			shut_down(n);
		else
			go_down(n, false);
		break;
	case PG_UP:
	case PG_DOWN:
		break;
	}
}

/* A walreceiver that connects fetches the histories of all newer timelines,
 * whether it can follow them or not. */
static void
learn_histories(const struct node *n, struct node *s)
{
	uint32_t timeline = pg_timeline(n->sim, &n->pg);

	if (s->pg.phase == PG_UP && !s->pg.as_primary &&
	    net_passes(n->sim, n->i, s->i, CLASS_PG) &&
	    s->pg.known_timeline < timeline)
		s->pg.known_timeline = timeline;
}

/* Clients write, walsenders send. */
static void
write_some(struct node *n)
{
	struct sim *w = n->sim;
	struct pg *pg = &n->pg;
	uint64_t before = pg->lsn;

	if (!pg->writable || pg->phase != PG_UP)
		return;
	if (pg_hangs(n)) {
		sim_push(w, pg->hangs_us, EV_PG_WRITE, n->i, pg->gen, 0, 0,
			 NULL);
		return;
	}
	if (w->branches[pg->branch].writer != n->i)
		sim_fail(w, "%s writes on a timeline that %s began", n->name,
			 w->nodes[w->branches[pg->branch].writer].name);
	if (!w->setup.idle)
		pg->lsn += (uint64_t)sim_between(w, 0, 4000);
	if (pg->lsn > before)
		clients_commit(n);
	for (int i = 0; i < w->n; i++) {
		struct node *s = &w->nodes[i];

		if (s->pg.upstream != n->i)
			continue;
		learn_histories(n, s);
		if (pg_streams(w, s))
			pg_send(n, s);
	}
	pg_acknowledge(n);
	clients_cancel(n);
	clients_read(n);
	check_claim(n);
	sim_push(w, w->now_us + sim_between(w, 50 * SIM_MS, 150 * SIM_MS),
		 EV_PG_WRITE, n->i, pg->gen, 0, 0, NULL);
}

/* ---- events ----------------------------------------------------------- */

void
pg_on_event(struct node *n, const struct event *e)
{
	struct pg *pg = &n->pg;

	if (e->gen != pg->gen || pg->phase == PG_DOWN)
		return;
	switch ((int)e->kind) {
	case EV_PG:
		if (e->at_us == pg->phase_end_us)
			end_phase(n);
		break;
	case EV_PG_WRITE:
		write_some(n);
		break;
	case EV_PG_RECEIVE:
		if (pg->phase != PG_UP || pg->as_primary ||
		    !pg_is_received(n, e))
			break;
		receive(n, (int)(e->a & 0xffff), e->b);
		pg->heard_ms = node_now_ms(n);
		pg_confirm(n, e);
		clients_read(n);
		break;
	case EV_PG_CONFIRM:
		pg_confirmed(n, e);
		break;
	case EV_SENTINEL:
		if (e->at_us == pg->sentinel_us)
			pg_on_sentinel(n);
		break;
	case EV_SENTINEL_KILL:
		pg->fast = false;
		if (!pg_outlasts(n))
			pg_die(n, "its deadline is over");
		break;
	default:
		break;
	}
}
