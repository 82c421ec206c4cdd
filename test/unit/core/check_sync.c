/* SPDX-License-Identifier: PostgreSQL */
/*
 * Synchronous sets: rule COEXIST against the sets of nodes that it speaks of,
 * and the planner's ways from everything to everything. Nodes are bits here:
 * node 0 is the holder, the others are standbys. Names are in
 * check_sync_names.c, who is wanted is in check_sync_target.c.
 */
#include <check.h>

#include "base/text.h"
#include "core/sync.h"

#include "hostile.h"
#include "test/unit/run.h"

#define HOLDER UINT32_C(1)
#define STEPS_MAX 8
#define CONFS 256 /* more than there are of five nodes */

static int
count(uint32_t set)
{
	return __builtin_popcount(set);
}

/* Every setting over these nodes, none at all among them. */
static int
all_confs(uint32_t nodes, struct mt_sync_conf out[CONFS])
{
	int n = 0;

	out[n++] = (struct mt_sync_conf){0};
	for (uint32_t set = 1; set <= nodes; set++)
		for (int k = 1; (set & ~nodes) == 0 && k <= count(set); k++)
			out[n++] = (struct mt_sync_conf){.set = set, .k = k};
	return n;
}

static uint32_t
standbys_of(int n)
{
	return ((UINT32_C(1) << n) - 1) << 1;
}

static bool
same(struct mt_sync_conf a, struct mt_sync_conf b)
{
	return a.set == b.set && a.k == b.k;
}

/* ---- the rule ----------------------------------------------------------- */

/* Does each set of nodes that may have a commit, when it is acknowledged while
 * PostgreSQL goes from one setting to another, meet each set that a failover
 * may have heard? In a reload each part of PostgreSQL has the names and the
 * number of either setting. */
static bool
is_sound(struct mt_sync_conf from, struct mt_sync_conf to,
	 struct mt_sync_conf log, uint32_t holder)
{
	const struct mt_sync sync = {.n = count(log.set), .k = log.k};
	const uint32_t names = (from.set | to.set) & ~MT_SYNC_NOBODY;

	if (log.k == 0)
		return true;
	for (uint32_t acked = 0; acked <= names; acked++) {
		if ((acked & ~names) != 0 ||
		    (count(acked) < from.k && count(acked) < to.k))
			continue;
		for (uint32_t heard = 0; heard <= log.set; heard++)
			if ((heard & ~log.set) == 0 &&
			    count(heard) >= mt_sync_needed(&sync) &&
			    (heard & (acked | holder)) == 0)
				return false;
	}
	return true;
}

static void
check_rule(int n)
{
	struct mt_sync_conf pgs[CONFS], logs[CONFS];
	int n_pg = all_confs(standbys_of(n), pgs);
	int n_log = all_confs(standbys_of(n) | HOLDER, logs);

	for (int p = 0; p < n_pg; p++)
		for (int l = 0; l < n_log; l++) {
			bool may = mt_sync_coexist(pgs[p], logs[l], HOLDER);
			bool sound = is_sound(pgs[p], pgs[p], logs[l], HOLDER);

			ck_assert_msg(!may || sound, "pg %x,%d log %x,%d: lost",
				      pgs[p].set, pgs[p].k, logs[l].set,
				      logs[l].k);
			ck_assert_msg(may || !sound,
				      "pg %x,%d log %x,%d: forbidden for "
				      "nothing",
				      pgs[p].set, pgs[p].k, logs[l].set,
				      logs[l].k);
		}
}

START_TEST(what_may_coexist_is_what_never_loses_an_acknowledged_commit)
{
	for (int n = 1; n <= 4; n++)
		check_rule(n);
}
END_TEST

START_TEST(during_a_reload_the_mix_stands_for_whatever_it_may_be)
{
	struct mt_sync_conf pgs[CONFS], logs[CONFS];
	int n_pg = all_confs(standbys_of(3), pgs);
	int n_log = all_confs(standbys_of(3) | HOLDER, logs);

	for (int a = 0; a < n_pg; a++)
		for (int b = 0; b < n_pg; b++)
			for (int l = 0; l < n_log; l++)
				ck_assert(
				    !mt_sync_coexist(
					mt_sync_mix(pgs[a], pgs[b]), logs[l],
					HOLDER) ||
				    is_sound(pgs[a], pgs[b], logs[l], HOLDER));
}
END_TEST

START_TEST(what_may_coexist_in_a_mix_may_before_and_after_it)
{
	struct mt_sync_conf pgs[CONFS], logs[CONFS];
	int n_pg = all_confs(standbys_of(3), pgs);
	int n_log = all_confs(standbys_of(3) | HOLDER, logs);

	for (int a = 0; a < n_pg; a++)
		for (int b = 0; b < n_pg; b++)
			for (int l = 0; l < n_log; l++)
				ck_assert(
				    !mt_sync_coexist(
					mt_sync_mix(pgs[a], pgs[b]), logs[l],
					HOLDER) ||
				    (mt_sync_coexist(pgs[a], logs[l], HOLDER) &&
				     mt_sync_coexist(pgs[b], logs[l], HOLDER)));
}
END_TEST

/* To each setting of PostgreSQL, as it is and with one that never flushes. */
START_TEST(who_never_flushes_is_counted_for_nothing)
{
	struct mt_sync_conf pgs[CONFS], logs[CONFS];
	int n_pg = all_confs(standbys_of(3), pgs);
	int n_log = all_confs(standbys_of(3) | HOLDER, logs);

	for (int p = 0; p < n_pg; p++)
		for (int more = 0; more <= 1; more++)
			for (int l = 0; l < n_log; l++) {
				struct mt_sync_conf pg = pgs[p];

				pg.set |= MT_SYNC_NOBODY;
				pg.k += more;
				ck_assert_msg(
				    mt_sync_coexist(pg, logs[l], HOLDER) ==
					is_sound(pg, pg, logs[l], HOLDER),
				    "pg %x,%d log %x,%d", pg.set, pg.k,
				    logs[l].set, logs[l].k);
			}
}
END_TEST

START_TEST(the_orders_that_lose_commits_are_forbidden)
{
	const uint32_t b = 2, c = 4, d = 8;
	const struct {
		const char *what;
		struct mt_sync_conf pg, log;
	} rows[] = {
	    {"a standby leaves the log first", {b | c, 1}, {b, 1}},
	    {"a standby joins PostgreSQL first", {b | c, 1}, {b, 1}},
	    {"k is lowered in PostgreSQL first", {b | c, 1}, {b | c, 2}},
	    {"k is raised in the log first", {b | c | d, 1}, {b | c | d, 2}},
	    {"the names are emptied first", {0, 0}, {b, 1}},
	    {"another standby alone", {c, 1}, {b, 1}},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++)
		ck_assert_msg(!mt_sync_coexist(rows[i].pg, rows[i].log, HOLDER),
			      "%s", rows[i].what);
}
END_TEST

START_TEST(a_reload_that_changes_members_and_number_at_once_is_forbidden)
{
	const struct mt_sync_conf from = {2 | 4 | 8, 2}, to = {2, 1};
	const struct mt_sync_conf log = {2 | 4 | 8, 2};

	ck_assert(mt_sync_coexist(from, log, HOLDER));
	ck_assert(!mt_sync_coexist(mt_sync_mix(from, to), log, HOLDER));
}
END_TEST

START_TEST(a_failover_hears_all_but_those_that_may_lack_a_commit)
{
	for (int n = 1; n <= 4; n++)
		for (int k = 1; k <= n; k++) {
			const struct mt_sync sync = {.n = n, .k = k};

			ck_assert_int_eq(mt_sync_needed(&sync), n - k + 1);
		}
}
END_TEST

/* ---- the ways ----------------------------------------------------------- */

struct pair {
	struct mt_sync_conf pg, log;
};

static void
check_step(struct pair at, enum mt_sync_step step, struct mt_sync_conf next,
	   struct mt_sync_conf target_log)
{
	ck_assert_msg(step == MT_SYNC_NAMES || step == MT_SYNC_PUT,
		      "pg %x,%d log %x,%d: no way", at.pg.set, at.pg.k,
		      at.log.set, at.log.k);
	ck_assert((next.k == 0) == (next.set == 0) &&
		  next.k <= count(next.set));
	if (step == MT_SYNC_NAMES) {
		ck_assert((next.set & HOLDER) == 0 && !same(next, at.pg));
		ck_assert(
		    mt_sync_coexist(mt_sync_mix(at.pg, next), at.log, HOLDER));
	} else {
		ck_assert(!same(next, at.log));
		ck_assert((next.set & HOLDER & ~at.log.set & ~target_log.set) ==
			  0);
		ck_assert((next.set & MT_SYNC_NOBODY) == 0);
		ck_assert(mt_sync_coexist(at.pg, next, HOLDER));
	}
}

/* Walk to the target. Returns the number of steps; *dropped tells that the log
 * promised nothing on the way, though it did before and is to afterwards. */
static int
walk(struct pair at, struct pair to, bool *dropped)
{
	struct mt_sync_conf next;
	int steps = 0;
	bool kept = at.log.k > 0 && to.log.k > 0;

	*dropped = false;
	for (;; steps++) {
		enum mt_sync_step step =
		    mt_sync_plan(at.pg, at.log, to.pg, to.log, HOLDER, &next);

		if (step == MT_SYNC_STAY)
			break;
		check_step(at, step, next, to.log);
		ck_assert_int_lt(steps, STEPS_MAX);
		if (step == MT_SYNC_NAMES)
			at.pg = next;
		else
			at.log = next;
		*dropped = *dropped || (kept && at.log.k == 0);
	}
	ck_assert(same(at.pg, to.pg) && same(at.log, to.log));
	return steps;
}

/* From each pair that may stand to each target. Standbys are interchangeable,
 * so PostgreSQL's are the first ones. */
static void
walk_all(int n, bool may_drop)
{
	struct mt_sync_conf pgs[CONFS], logs[CONFS];
	int n_pg = all_confs(standbys_of(n), pgs);
	int n_log = all_confs(standbys_of(n) | HOLDER, logs);
	const struct mt_sync_conf alone = {HOLDER, 1};
	bool dropped;

	for (int p = 0; p < n_pg; p++) {
		if (pgs[p].set != standbys_of(count(pgs[p].set)))
			continue;
		for (int l = 0; l < n_log; l++) {
			struct pair at = {pgs[p], logs[l]};

			if (!mt_sync_coexist(at.pg, at.log, HOLDER))
				continue;
			/* The last: nobody is left but the holder. */
			for (int t = 0; t <= n_pg; t++) {
				struct pair to = {pgs[t % n_pg], pgs[t % n_pg]};

				if (t == n_pg)
					to.log = alone;
				walk(at, to, &dropped);
				ck_assert_msg(may_drop || !dropped,
					      "pg %x,%d log %x,%d to %x,%d: "
					      "by way of no set at all",
					      at.pg.set, at.pg.k, at.log.set,
					      at.log.k, to.log.set, to.log.k);
			}
		}
	}
}

START_TEST(each_step_keeps_the_rule_and_the_way_ends_at_the_target)
{
	walk_all(3, true);
}
END_TEST

START_TEST(four_standbys_come_from_everything_to_everything_too)
{
	walk_all(4, true);
}
END_TEST

/* Nobody is left, and yet all is to be waited for; and back. */
START_TEST(to_wait_for_nobody_has_a_way_in_and_out)
{
	struct mt_sync_conf pgs[CONFS], logs[CONFS];
	int n_pg = all_confs(standbys_of(3), pgs);
	int n_log = all_confs(standbys_of(3) | HOLDER, logs);
	const struct pair strict = {{MT_SYNC_NOBODY, 1}, {HOLDER, 1}};
	bool dropped;

	for (int p = 0; p < n_pg; p++) {
		for (int l = 0; l < n_log; l++) {
			struct pair at = {pgs[p], logs[l]};

			if (!mt_sync_coexist(at.pg, at.log, HOLDER))
				continue;
			walk(at, strict, &dropped);
			ck_assert(!dropped);
		}
		walk(strict, (struct pair){pgs[p], pgs[p]}, &dropped);
		ck_assert(!dropped);
	}
}
END_TEST

START_TEST(no_way_between_two_sets_leads_over_none)
{
	walk_all(3, false);
}
END_TEST

/* A draw of sets of up to fifteen standbys. */
START_TEST(as_many_members_as_there_can_be_have_a_way)
{
	const uint32_t all = standbys_of(MT_NODES_MAX - 1);
	uint64_t seed = 1;
	bool dropped;

	for (int i = 0; i < 60; i++) {
		struct mt_sync_conf pg = {.set = (uint32_t)draw(&seed) & all};
		struct mt_sync_conf to = {.set = (uint32_t)draw(&seed) & all};
		struct pair at, way_to;

		pg.k = 1 + (int)(draw(&seed) % (uint64_t)count(pg.set));
		to.k = 1 + (int)(draw(&seed) % (uint64_t)count(to.set));
		at = (struct pair){pg, pg};
		way_to = (struct pair){to, to};
		walk(at, way_to, &dropped);
	}
}
END_TEST

int
main(void)
{
	RUN_TESTS("sync",
		  what_may_coexist_is_what_never_loses_an_acknowledged_commit,
		  during_a_reload_the_mix_stands_for_whatever_it_may_be,
		  what_may_coexist_in_a_mix_may_before_and_after_it,
		  who_never_flushes_is_counted_for_nothing,
		  the_orders_that_lose_commits_are_forbidden,
		  a_reload_that_changes_members_and_number_at_once_is_forbidden,
		  a_failover_hears_all_but_those_that_may_lack_a_commit,
		  each_step_keeps_the_rule_and_the_way_ends_at_the_target,
		  four_standbys_come_from_everything_to_everything_too,
		  to_wait_for_nobody_has_a_way_in_and_out,
		  no_way_between_two_sets_leads_over_none,
		  as_many_members_as_there_can_be_have_a_way);
}
