/* SPDX-License-Identifier: PostgreSQL */
/*
 * What must hold of synchronous replication. No commit that was acknowledged is
 * missing from the history of a primary that took over while synchronous mode
 * stood. What the primary may be waiting for may stand beside the log's sets,
 * at each moment, and so one of those that a failover asks has each commit.
 * Whoever is given the turn meanwhile was heard among enough others, or has the
 * end of a clean shutdown, or was named by an operator who accepts the loss. In
 * the end the set is as it is wanted.
 *
 * A holder that is displaced before its lease has ended (ground Y) may be
 * writable beside the next: what it acknowledges is in the next one's history,
 * no voter of a majority supports it any more, and it soon says that it is no
 * primary. No turn that is given without a set stands beside such a one.
 *
 * Written from doc/protocol.md, without the functions under test.
 */
#include "test/sim/sim.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define LATE_US (10 * SIM_S)
/* Two rounds of support by a slow clock, and the grain of it. */
#define CLAIM_US (530 * SIM_MS)

/* ---- commits ---------------------------------------------------------- */

void
check_acknowledged(struct node *n, uint64_t lsn)
{
	struct sim *w = n->sim;
	struct branch *b = &w->branches[n->pg.branch];
	bool is_left =
	    w->line >= 0 && !pg_is_ancestor(w, n->pg.branch, lsn, w->line);

	if (lsn <= b->acked || lsn <= b->fork_lsn)
		return;
	/* Who wakes up after another was promoted, and has no synchronous
	 * standbys, may say a last word: the price, as in check_survival. */
	if (is_left && !w->line_is_sync)
		return;
	b->acked = lsn;
	w->stats.acks++;
	if (is_left)
		sim_fail(w,
			 "%s acknowledges %" PRIx64
			 " of timeline %u: lost, it is not in timeline %u",
			 n->name, lsn, b->timeline,
			 w->branches[w->line].timeline);
}

/* The part of a branch that another continues. */
static uint64_t
common_end(const struct sim *w, int branch, int of)
{
	while (of >= 0 && w->branches[of].parent != branch)
		of = w->branches[of].parent;
	return of < 0 ? 0 : w->branches[of].fork_lsn;
}

void
check_survival(struct node *n)
{
	struct sim *w = n->sim;

	w->line_is_sync = w->turn_is_sync;
	w->loss_to = 0;
	if (w->turn_is_sync)
		w->stats.sync_turns++;
	for (int i = 0; i < w->n_branches; i++) {
		struct branch *b = &w->branches[i];
		uint64_t common;

		if (b->acked == 0 ||
		    pg_is_ancestor(w, i, b->acked, n->pg.branch))
			continue;
		common = common_end(w, i, n->pg.branch);
		if (w->turn_is_sync)
			sim_fail(w,
				 "%s is promoted without acknowledged commits: "
				 "lost are those of timeline %u from %" PRIx64
				 " to %" PRIx64,
				 n->name, b->timeline, common, b->acked);
		/* Without synchronous mode that is the price. */
		b->acked = common;
	}
}

/* ---- sets ------------------------------------------------------------- */

static bool
may_coexist(const struct sim *w, const struct node *n)
{
	const struct mt_sync *log = &w->sync;
	const uint32_t flush = n->pg.waits.set & ~SIM_NOBODY;
	uint32_t set = 0;
	int holder = 0, within;

	if (log->k == 0 || n->pg.waits.k > __builtin_popcount(flush))
		return true;
	for (int i = 0; i < log->n; i++) {
		int m = sim_node_by_name(w, log->standbys[i].name);

		if (m == n->i)
			holder = 1;
		if (m >= 0)
			set |= UINT32_C(1) << m;
	}
	/* At least so many of the log's set have each commit, and all of them
	 * but k - 1 are heard. */
	within = n->pg.waits.k - __builtin_popcount(flush & ~set);
	return (within > 0 ? within : 0) + holder >= log->k;
}

void
check_coexist(struct sim *w)
{
	for (int i = 0; i < w->n; i++) {
		const struct node *n = &w->nodes[i];

		if (!n->pg.writable || w->leader.released ||
		    strcmp(w->leader.holder, n->name) != 0 ||
		    n->record.pg_epoch < w->leader.since)
			continue;
		if (!may_coexist(w, n))
			sim_fail(w,
				 "%s may wait for %d of %x, which does not "
				 "coexist with %d of %d in the log",
				 n->name, n->pg.waits.k, n->pg.waits.set,
				 w->sync.k, w->sync.n);
	}
}

/* Who knows that the mode is strict never begins to wait for none. */
void
check_strict(struct node *n, struct mt_sync_conf names)
{
	const struct mt_settings *set = &n->settings;

	if (set->synchronous_mode != MT_SYNC_OFF &&
	    set->synchronous_mode_strict && names.k == 0 &&
	    (n->names.k != 0 || !n->pg.writable))
		sim_fail(n->sim,
			 "%s waits for none in strict mode: not justified",
			 n->name);
}

/* ---- a holder that was displaced -------------------------------------- */

bool
check_may_displace(const struct sim *w, uint64_t epoch)
{
	MT_ASSERT(epoch < SIM_EPOCHS_MAX);
	return w->displaces[epoch];
}

/* When the turn of this epoch was given to another, 0 = it was not. */
static int64_t
given_on_us(const struct sim *w, uint64_t epoch)
{
	for (uint64_t e = epoch + 1; e <= w->leader.since; e++)
		if (w->turn_us[e] != 0)
			return w->turn_us[e];
	return 0;
}

bool
check_displaced_now(const struct sim *w, uint64_t epoch)
{
	int64_t given_us = given_on_us(w, epoch);

	return w->turn_displaces && given_us != 0 &&
	       w->now_us - given_us <= CLAIM_US;
}

bool
check_was_displaced(const struct sim *w, uint64_t epoch)
{
	int64_t given_us = given_on_us(w, epoch);

	return given_us != 0 && w->now_us - given_us > CLAIM_US;
}

/* The lease of a displaced holder may last, but on answers to questions that
 * were asked before. */
void
check_support(struct node *n)
{
	struct sim *w = n->sim;
	const struct mt_holder *h = &n->keep.holder;
	int64_t given_us = given_on_us(w, h->epoch);
	/* At the earliest: its clock may have gone at another rate since. */
	int64_t ago_ms = node_now_ms(n) - h->confirmed_ms;
	int64_t asked_us = w->now_us - ago_ms * SIM_MS * 102 / 100 - SIM_MS;

	if (given_us != 0 && asked_us > given_us)
		sim_fail(w,
			 "%s has support for epoch %" PRIu64
			 ", which is not justified: the turn was given on",
			 n->name, h->epoch);
}

/* Is it on disk at a majority of the voters that this epoch gets no support? */
static bool
majority_fenced(const struct sim *w, uint64_t epoch)
{
	int fenced = 0;

	for (int i = 0; i < w->n; i++)
		if (w->nodes[i].record.fenced >= epoch)
			fenced++;
	/* Where voters come and go check_choice.c asks who proposes. */
	return fenced > w->n / 2 || w->setup.n_spare > 0 || w->setup.members;
}

/* ---- turns ------------------------------------------------------------ */

static bool
is_justified(const struct sim *w, const struct node *n)
{
	const struct mt_leader *l = &w->leader;
	struct mt_position at = {pg_timeline(w, &n->pg), n->pg.lsn};
	int heard = 0;

	if (n->pg.data != MT_DATA_PRESENT || n->pg.restored)
		return true; /* what it had when it was chosen is gone */
	if (l->released && l->clean && at.timeline >= l->end.timeline &&
	    at.lsn >= l->end.lsn)
		return true;
	/* The old holder, on the data that was the primary's. */
	if (l->released && strcmp(l->holder, n->name) == 0 &&
	    n->record.pg_epoch >= l->since &&
	    n->record.data_id == n->pg.data_id)
		return true;
	for (int i = 0; i < w->sync.n; i++) {
		int m = sim_node_by_name(w, w->sync.standbys[i].name);
		const struct node *s = m >= 0 ? &w->nodes[m] : NULL;

		if (s != NULL && s->heard_epoch >= l->epoch &&
		    s->heard_data_id == w->sync.standbys[i].data_id &&
		    mt_position_compare(s->heard_at, at) <= 0)
			heard++;
	}
	return heard >= w->sync.n - w->sync.k + 1;
}

/* Only who was told so may stop promising; a wish may be late. */
static void
check_mode(struct sim *w, const struct mt_state *s)
{
	struct mt_settings set;

	if (s->config_version != w->config_version) {
		w->config_version = s->config_version;
		mt_settings_parse(&set, s->config);
		if (set.synchronous_mode == MT_SYNC_OFF)
			w->mode_since_us = 0;
		else if (w->mode_since_us == 0)
			w->mode_since_us = w->now_us;
	}
	if (w->sync.k > 0 && s->sync.k == 0 && w->mode_since_us != 0 &&
	    w->now_us - w->mode_since_us > LATE_US)
		sim_fail(w, "the log promises nothing any more, which is not "
			    "justified: the mode is on");
}

/* An operator named this one, whatever is lost by it. */
static bool
is_accepted(const struct sim *w, const char *holder)
{
	return w->request.kind == MT_REQUEST_FAILOVER &&
	       w->request.accept_loss &&
	       strcmp(w->request.candidate, holder) == 0;
}

/* Is there any data of the cluster that is initialized now? */
static bool
has_data(const struct sim *w, const struct mt_state *s)
{
	for (int i = 0; i < w->n; i++)
		if (w->nodes[i].pg.data == MT_DATA_PRESENT &&
		    strcmp(w->nodes[i].pg.sysid, s->sysid) == 0)
			return true;
	return false;
}

void
check_turn(struct sim *w, const struct mt_state *s)
{
	bool assigned = s->leader.since != w->leader.since;
	bool put = s->sync.version != w->sync.version;
	int holder = sim_node_by_name(w, s->leader.holder);

	if (assigned && w->leader.epoch == 0 && !has_data(w, s))
		sim_fail(w,
			 "the cluster is initialized by %s, which is not "
			 "justified: nobody has its data",
			 s->leader.holder);
	if (assigned) {
		w->turn_is_sync = w->sync.k > 0;
		w->turn_displaces = w->turn_is_sync && s->leader.after_fence;
		w->turn_us[s->leader.since] = w->now_us;
		if (w->turn_displaces && !w->leader.after_fence)
			w->stats.fast_turns++;
		if (w->leader.epoch != 0 && !w->leader.released &&
		    !majority_fenced(w, w->leader.epoch))
			sim_fail(w,
				 "epoch %" PRIu64 " is given to %s, which is "
				 "not justified: no majority is fenced",
				 s->leader.epoch, s->leader.holder);
		if (w->turn_is_sync && holder >= 0 &&
		    !is_justified(w, &w->nodes[holder])) {
			if (!is_accepted(w, s->leader.holder))
				sim_fail(w,
					 "epoch %" PRIu64 " is given to %s, "
					 "which is not justified: too few were "
					 "heard",
					 s->leader.epoch, s->leader.holder);
			w->loss_to = holder + 1;
			w->stats.losses++;
		}
		if (holder >= 0 && w->loss_to == holder + 1)
			w->turn_is_sync = false;
	}
	if (put && (w->leader.released ||
		    strcmp(w->leader.holder, s->sync.leader) != 0))
		sim_fail(w,
			 "%s changes the synchronous sets, which is not "
			 "justified: the turn is not its own",
			 s->sync.leader);
	check_mode(w, s);
	MT_ASSERT(s->leader.epoch < SIM_EPOCHS_MAX);
	w->displaces[s->leader.epoch] = w->turn_displaces;
	w->leader = s->leader;
	w->sync = s->sync;
	if (put) {
		w->stats.puts++;
		check_coexist(w);
	}
}

/* ---- in the end ------------------------------------------------------- */

/* Is nobody left out who would be preferred to one that is in it? */
static bool
is_preferred(const struct sim *w, const struct node *p)
{
	int in = INT_MAX, out = 0;

	for (int i = 0; i < w->setup.n_data; i++) {
		int priority = sim_sync_priority(w, i);

		if (i == p->i)
			continue;
		if (mt_sync_find(&p->state->sync, w->nodes[i].name) >= 0)
			in = priority < in ? priority : in;
		else
			out = priority > out ? priority : out;
	}
	return out <= in;
}

bool
check_sync_restored(const struct sim *w, const struct node *p)
{
	const struct mt_settings *set = &p->settings;
	const struct mt_sync *sync = &p->state->sync;
	int standbys = w->setup.n_data - 1;
	int k = (int)set->synchronous_node_count, n = standbys;

	if (k > standbys)
		k = standbys;
	if (set->synchronous_mode == MT_SYNC_ON)
		n = k;
	if (set->synchronous_mode == MT_SYNC_OFF)
		n = k = 0;
	/* Some may lag a little for ever. */
	if (w->setup.sync_lag > 0 && sync->n >= k && sync->n < n)
		n = sync->n;
	else if (!is_preferred(w, p) && w->setup.sync_lag <= 0)
		return false;
	if (sync->n != n || sync->k != k || p->names.k != k ||
	    __builtin_popcount(p->names.set) != n ||
	    mt_sync_find(sync, p->name) >= 0)
		return false;
	return n == 0 || (p->names_settled && p->pg.waits.k == k);
}

bool
check_sync_hopeless(const struct sim *w)
{
	int left = 0, data = 0;

	if (w->stats.wipes == 0)
		return false;
	for (int i = 0; i < w->n; i++) {
		if (w->nodes[i].pg.writable)
			return false;
		if (w->nodes[i].pg.data == MT_DATA_PRESENT)
			data++;
	}
	if (data == 0 || w->sync.k == 0)
		return data == 0;
	for (int i = 0; i < w->sync.n; i++) {
		int m = sim_node_by_name(w, w->sync.standbys[i].name);

		if (m >= 0 &&
		    w->nodes[m].pg.data_id == w->sync.standbys[i].data_id)
			left++;
	}
	return left < w->sync.n - w->sync.k + 1;
}
