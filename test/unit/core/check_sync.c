/* SPDX-License-Identifier: PostgreSQL */
/*
 * Synchronous sets: rule COEXIST against the sets of nodes that it speaks of,
 * the planner's ways from everything to everything, the text of the names, and
 * who is wanted. Nodes are bits here: node 0 is the holder, the others are
 * standbys.
 */
#include <check.h>
#include <string.h>

#include "base/text.h"
#include "core/sync.h"

#include "given_sync.h"
#include "hostile.h"
#include "run.h"

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

/* ---- the text of the names ---------------------------------------------- */

static const char *
text_of(const char *const *names, int k, bool quorum)
{
	static char buf[MT_SYNC_TEXT_MAX];
	struct mt_names n = {.k = k};

	for (; *names != NULL; names++)
		mt_copy(n.names[n.n++], MT_NAME_MAX, *names);
	return mt_sync_text(buf, &n, quorum);
}

#define TEXT(k, quorum, ...) \
	text_of((const char *const[]){__VA_ARGS__, NULL}, k, quorum)

START_TEST(the_names_read_as_postgresql_reads_them)
{
	const char *const none[] = {NULL};

	ck_assert_str_eq(text_of(none, 0, false), "");
	ck_assert_str_eq(text_of(none, 0, true), "");
	ck_assert_str_eq(TEXT(1, false, "n1"), "n1");
	ck_assert_str_eq(TEXT(1, true, "n1"), "ANY 1 (n1)");
	ck_assert_str_eq(TEXT(2, false, "n1", "n2"), "2 (n1,n2)");
	ck_assert_str_eq(TEXT(2, true, "n1", "n2"), "ANY 2 (n1,n2)");
	ck_assert_str_eq(TEXT(1, true, "n1", "n2", "n3"), "ANY 1 (n1,n2,n3)");
	/* FIRST would wait for particular ones: no rule counts on that. */
	ck_assert_str_eq(TEXT(1, false, "n1", "n2"), "ANY 1 (n1,n2)");
}
END_TEST

START_TEST(names_that_are_no_plain_identifiers_are_quoted)
{
	static const struct {
		const char *name, *text;
	} rows[] = {
	    {"node_1", "node_1"},     {"_x", "_x"},
	    {"node-1", "\"node-1\""}, {"Node1", "\"Node1\""},
	    {"1st", "\"1st\""},       {"a.b", "\"a.b\""},
	    {"a b", "\"a b\""},       {"a,b", "\"a,b\""},
	    {"x\"y", "\"x\"\"y\""},   {"first", "\"first\""},
	    {"any", "\"any\""},       {"FIRST", "\"FIRST\""},
	    {"firsts", "firsts"},     {"*", "\"*\""},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++)
		ck_assert_str_eq(TEXT(1, false, rows[i].name), rows[i].text);
	ck_assert_str_eq(TEXT(2, false, "b-1", "c"), "2 (\"b-1\",c)");
}
END_TEST

START_TEST(the_longest_names_have_room)
{
	struct mt_names n = {.n = MT_NODES_MAX, .k = 1};
	char *buf = malloc(MT_SYNC_TEXT_MAX);

	for (int i = 0; i < n.n; i++)
		memset(n.names[i], '"', MT_NAME_MAX - 1);
	mt_sync_text(buf, &n, true);
	ck_assert_uint_eq(strlen(buf),
			  strlen("ANY 1 ()") + MT_NODES_MAX - 1 +
			      MT_NODES_MAX * (2 * (MT_NAME_MAX - 1) + 2));
	free(buf);
}
END_TEST

START_TEST(names_are_equal_whatever_their_order)
{
	const struct mt_names a = {2, 1, {"x", "y"}}, b = {2, 1, {"y", "x"}};
	const struct mt_names k = {2, 2, {"x", "y"}}, c = {2, 1, {"x", "z"}};
	const struct mt_names d = {1, 1, {"x"}};
	struct mt_names sorted = {4, 1, {"d", "a", "c", "b"}};

	ck_assert(mt_names_equal(&a, &b) && mt_names_equal(&a, &a));
	ck_assert(!mt_names_equal(&a, &k) && !mt_names_equal(&a, &c) &&
		  !mt_names_equal(&a, &d));
	mt_names_sort(&sorted);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(sorted.names[i][0], 'a' + i);
}
END_TEST

/* ---- what a standby has before it is promoted --------------------------- */

START_TEST(the_names_of_a_new_primary_meet_the_log_as_it_is)
{
	static const struct {
		const char *log;
		int k;
		const char *names;
		int want;
	} rows[] = {
	    {"", 0, "", 0},      {"2", 1, "", 0},     {"23", 1, "3", 1},
	    {"23", 2, "3", 1},   {"123", 1, "13", 1}, {"123", 2, "13", 2},
	    {"123", 3, "13", 2}, {"13", 1, "13", 1},
	};
	struct mt_names names;

	given_primary();
	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		struct mt_sync_names table = {0};
		struct mt_sync_conf pg = {0}, log = {.k = rows[i].k};
		uint32_t holder = mt_sync_bit(&table, "node2");

		given_log(rows[i].log, rows[i].k);
		mt_sync_names_for(&w.state.sync, "node2", false, &names);
		ck_assert_msg(names_are(&names, rows[i].names, rows[i].want),
			      "of {%s},%d", rows[i].log, rows[i].k);
		pg.k = names.k;
		for (int n = 0; n < names.n; n++)
			pg.set |= mt_sync_bit(&table, names.names[n]);
		for (int n = 0; n < w.state.sync.n; n++)
			log.set |=
			    mt_sync_bit(&table, w.state.sync.standbys[n].name);
		ck_assert(mt_sync_coexist(pg, log, holder));
	}
}
END_TEST

static bool
waits_for_nobody(const struct mt_names *names)
{
	return names->n == 1 && names->k == 1 &&
	       strcmp(names->names[0], MT_SYNC_PLACEHOLDER) == 0;
}

START_TEST(a_strict_new_primary_waits_from_its_first_commit_on)
{
	static const char *const alone[] = {"", "2"};
	struct mt_names names;

	given_primary();
	for (size_t i = 0; i < MT_COUNT(alone); i++) {
		given_log(alone[i], alone[i][0] != '\0');
		mt_sync_names_for(&w.state.sync, "node2", true, &names);
		ck_assert(waits_for_nobody(&names));
	}
	given_log("23", 1);
	mt_sync_names_for(&w.state.sync, "node2", true, &names);
	ck_assert(names_are(&names, "3", 1));
}
END_TEST

/* ---- who is wanted ------------------------------------------------------ */

#define TARGET(mode, count, in, k, what, members, want, ...) \
	do { \
		struct mt_names target; \
		given_sync_primary(mode, count, in, k); \
		__VA_ARGS__; \
		mt_sync_target(&w.view, &target); \
		ck_assert_msg(names_are(&target, members, want), \
			      "%s: not {%s},%d", what, members, want); \
	} while (0)
#define TAGS(number) w.state.members[(number)-1].tags, MT_TAGS_MAX

START_TEST(so_many_are_wanted_as_the_mode_and_the_count_say)
{
	TARGET(MT_SYNC_OFF, 1, "23", 1, "off", "", 0, );
	TARGET(MT_SYNC_ON, 1, "", 0, "on", "2", 1, );
	TARGET(MT_SYNC_ON, 2, "", 0, "on, two", "23", 2, );
	TARGET(MT_SYNC_ON, 3, "", 0, "on, three of two", "23", 2, );
	TARGET(MT_SYNC_ON, 1, "3", 1, "who is in it stays", "3", 1, );
	TARGET(MT_SYNC_ON, 1, "23", 2, "one too many", "2", 1, );
	TARGET(MT_SYNC_QUORUM, 1, "", 0, "quorum", "23", 1, );
	TARGET(MT_SYNC_QUORUM, 2, "", 0, "quorum, two", "23", 2, );
	TARGET(MT_SYNC_QUORUM, 3, "3", 1, "quorum, three of two", "23", 2, );
	TARGET(MT_SYNC_QUORUM, 1, "", 0, "four members", "234", 1,
	       given_another(4));
	TARGET(MT_SYNC_ON, 2, "4", 1, "two of three", "24", 2,
	       given_another(4));
}
END_TEST

static void
given_priority(int number, int priority)
{
	mt_format(TAGS(number), "{\"sync_priority\":%d}", priority);
}

START_TEST(the_order_is_priority_then_standing_then_position_then_name)
{
	TARGET(MT_SYNC_ON, 1, "", 0, "priority before name", "3", 1,
	       given_priority(3, 2));
	TARGET(MT_SYNC_ON, 1, "2", 1, "and before who is in it", "3", 1,
	       given_priority(3, 2));
	TARGET(MT_SYNC_ON, 1, "2", 1, "not a lower one", "2", 1,
	       given_priority(2, 2));
	TARGET(MT_SYNC_ON, 1, "", 0, "below 0 not at all", "3", 1,
	       mt_copy(TAGS(2), "{\"sync_priority\":-99999999999}"));
	TARGET(MT_SYNC_ON, 1, "", 0, "not given is 1", "2", 1,
	       given_priority(3, 1));
	TARGET(MT_SYNC_ON, 1, "", 0, "the furthest", "3", 1,
	       flushed_of(2)->lsn--);
	TARGET(MT_SYNC_ON, 1, "3", 1, "who is in it before the furthest", "3",
	       1, flushed_of(3)->lsn--);
	TARGET(MT_SYNC_ON, 1, "23", 1, "of the log who is waited for", "3", 1,
	       given_names("3", 1));
	TARGET(MT_SYNC_ON, 2, "23", 2, "the highest two", "34", 2,
	       given_another(4);
	       given_priority(4, 3); given_priority(3, 2));
	TARGET(MT_SYNC_QUORUM, 1, "", 0, "in quorum mode all", "23", 1,
	       given_priority(3, 9));
}
END_TEST

START_TEST(who_never_takes_over_is_waited_for_last)
{
	TARGET(MT_SYNC_ON, 1, "", 0, "before it the other", "3", 1,
	       report_of(2)->nofailover = true;
	       given_priority(2, 9));
	TARGET(MT_SYNC_ON, 1, "2", 1, "though it is in it", "3", 1,
	       report_of(2)->nofailover = true);
	TARGET(MT_SYNC_QUORUM, 1, "23", 1, "quorum: not needed", "3", 1,
	       report_of(2)->nofailover = true);
	TARGET(MT_SYNC_QUORUM, 2, "", 0, "quorum: needed", "23", 2,
	       report_of(2)->nofailover = true);
	TARGET(MT_SYNC_QUORUM, 1, "", 0, "quorum: the only one", "2", 1,
	       report_of(2)->nofailover = true;
	       flushed_of(3)->streaming = false);
}
END_TEST

static void
given_lag(int number, uint64_t bytes)
{
	w.settings.maximum_lag_on_syncnode = 1000;
	flushed_of(number)->lsn = LSN - bytes;
	local()->at.lsn = LSN;
}

START_TEST(who_lags_is_replaced_by_who_does_not)
{
	TARGET(MT_SYNC_ON, 1, "2", 1, "at the limit", "2", 1,
	       given_lag(2, 1000));
	TARGET(MT_SYNC_ON, 1, "2", 1, "beyond it", "3", 1, given_lag(2, 1001));
	TARGET(MT_SYNC_ON, 1, "2", 1, "whatever its priority", "3", 1,
	       given_lag(2, 1001);
	       given_priority(2, 9));
	TARGET(MT_SYNC_ON, 1, "2", 1, "also by one without failover", "3", 1,
	       given_lag(2, 1001);
	       report_of(3)->nofailover = true);
	TARGET(MT_SYNC_ON, 1, "2", 1, "its walreceiver begins anew", "2", 1,
	       given_lag(2, 1001);
	       flushed_of(2)->most = LSN);
	TARGET(MT_SYNC_ON, 1, "2", 1, "nobody else is there", "2", 1,
	       given_lag(2, 1001);
	       flushed_of(3)->streaming = false);
	TARGET(MT_SYNC_ON, 1, "2", 1, "off", "2", 1, given_lag(2, 1001);
	       w.settings.maximum_lag_on_syncnode = -1);
	TARGET(MT_SYNC_ON, 1, "2", 1, "off as 0", "2", 1, given_lag(2, 1001);
	       w.settings.maximum_lag_on_syncnode = 0);
	TARGET(MT_SYNC_QUORUM, 1, "23", 1, "quorum: left out", "3", 1,
	       given_lag(2, 1001));
	TARGET(MT_SYNC_QUORUM, 2, "23", 2, "quorum: needed", "23", 2,
	       given_lag(2, 1001));
}
END_TEST

START_TEST(who_is_new_has_to_be_well_within_the_limit)
{
	TARGET(MT_SYNC_ON, 2, "3", 1, "half of it", "23", 2, given_lag(2, 500));
	TARGET(MT_SYNC_ON, 2, "3", 1, "more", "3", 1, given_lag(2, 501));
	TARGET(MT_SYNC_ON, 1, "", 0, "alone: behind the primary", "", 0,
	       given_lag(2, 501);
	       flushed_of(3)->streaming = false);
	TARGET(MT_SYNC_ON, 1, "", 0, "alone: near it", "2", 1,
	       given_lag(2, 500);
	       flushed_of(3)->streaming = false);
	TARGET(MT_SYNC_ON, 2, "", 0, "two: behind the furthest", "23", 2,
	       given_lag(2, 5000);
	       given_lag(3, 5500));
}
END_TEST

START_TEST(only_members_that_may_and_can_are_wanted)
{
	TARGET(MT_SYNC_ON, 2, "", 0, "nosync", "3", 1,
	       mt_copy(TAGS(2), "{\"nosync\":true}"));
	TARGET(MT_SYNC_ON, 2, "23", 2, "nosync, in it", "3", 1,
	       mt_copy(TAGS(2), "{\"nosync\":true}"));
	TARGET(MT_SYNC_ON, 2, "", 0, "nosync false", "23", 2,
	       mt_copy(TAGS(2), "{\"nosync\":false}"));
	TARGET(MT_SYNC_ON, 2, "", 0, "no priority", "3", 1,
	       mt_copy(TAGS(2), "{\"sync_priority\":0}"));
	TARGET(MT_SYNC_ON, 2, "", 0, "a priority", "23", 2,
	       mt_copy(TAGS(2), "{\"sync_priority\":1}"));
	TARGET(MT_SYNC_ON, 2, "", 0, "a witness", "3", 1,
	       w.state.members[1].witness = true);
	TARGET(MT_SYNC_ON, 2, "", 0, "names that are one to PostgreSQL", "3", 1,
	       given_another(4);
	       mt_copy(w.state.members[3].name, MT_NAME_MAX, "Node2"));
	TARGET(MT_SYNC_ON, 2, "2", 1, "also in the set", "3", 1,
	       given_another(4);
	       mt_copy(w.state.members[3].name, MT_NAME_MAX, "NODE2"));
	TARGET(MT_SYNC_ON, 2, "", 0, "a witness's name is nothing to it", "23",
	       2, given_another(4);
	       mt_copy(w.state.members[3].name, MT_NAME_MAX, "NODE2");
	       w.state.members[3].witness = true);
	TARGET(MT_SYNC_ON, 2, "", 0, "nofailover counts", "23", 2,
	       report_of(2)->nofailover = true);
	TARGET(MT_SYNC_ON, 2, "", 0, "does not stream", "3", 1,
	       flushed_of(2)->streaming = false);
	TARGET(MT_SYNC_ON, 2, "", 0, "silent", "3", 1, given_silence(2));
	TARGET(MT_SYNC_ON, 2, "", 0, "gone", "3", 1, seen_of(2)->gone = true);
	TARGET(MT_SYNC_ON, 2, "", 0, "unwell", "3", 1,
	       report_of(2)->healthy = false);
	TARGET(MT_SYNC_ON, 2, "", 0, "its data is not known", "3", 1,
	       report_of(2)->data_id = 0);
	TARGET(MT_SYNC_ON, 2, "", 0, "no standby", "3", 1,
	       report_of(2)->pg_role = MT_ROLE_PRIMARY);
	TARGET(MT_SYNC_ON, 2, "", 0, "no member", "2", 1,
	       w.state.n_members = 2);
	TARGET(MT_SYNC_ON, 1, "", 0, "nobody", "", 0,
	       flushed_of(2)->streaming = flushed_of(3)->streaming = false);
}
END_TEST

START_TEST(who_is_in_the_set_stays_for_a_while_without_streaming)
{
	TARGET(MT_SYNC_ON, 1, "3", 1, "a moment", "3", 1,
	       flushed_of(3)->streaming = false;
	       flushed_of(3)->last_ms = NOW - 4999);
	TARGET(MT_SYNC_ON, 1, "3", 1, "too long", "2", 1,
	       flushed_of(3)->streaming = false;
	       flushed_of(3)->last_ms = NOW - 5000);
	TARGET(MT_SYNC_ON, 1, "3", 1, "never seen", "2", 1,
	       w.view.n_flushed = 2);
	TARGET(MT_SYNC_ON, 1, "3", 1, "silent for a moment", "3", 1,
	       seen_of(3)->at_ms = NOW - 4999);
	TARGET(MT_SYNC_ON, 1, "3", 1, "cut off", "2", 1,
	       seen_of(3)->at_ms = NOW - 5000);
	TARGET(MT_SYNC_ON, 1, "3", 1, "its daemon is gone", "3", 1,
	       seen_of(3)->gone = true);
}
END_TEST

static void
given_none_streams(void)
{
	w.settings.synchronous_mode_strict = true;
	for (int i = 2; i <= 3; i++) {
		flushed_of(i)->streaming = false;
		flushed_of(i)->last_ms = NOW - 5000;
	}
}

START_TEST(a_strict_primary_goes_on_waiting_for_who_may_come_back)
{
	TARGET(MT_SYNC_ON, 1, "3", 1, "the one", "3", 1, given_none_streams());
	TARGET(MT_SYNC_ON, 2, "23", 2, "both", "23", 2, given_none_streams());
	TARGET(MT_SYNC_QUORUM, 1, "23", 1, "one of both", "23", 1,
	       given_none_streams());
	TARGET(MT_SYNC_QUORUM, 1, "23", 1, "not with other data", "2", 1,
	       given_none_streams();
	       report_of(3)->data_id++);
	TARGET(MT_SYNC_QUORUM, 2, "23", 2, "nor with another tag", "3", 1,
	       given_none_streams();
	       mt_copy(TAGS(2), "{\"nosync\":true}"));
	TARGET(MT_SYNC_QUORUM, 2, "23", 2, "one is there", "3", 1,
	       given_none_streams();
	       flushed_of(3)->streaming = true);
	TARGET(MT_SYNC_OFF, 1, "23", 2, "the mode is off", "", 0,
	       given_none_streams());
}
END_TEST

#define TARGET_NOBODY(what, in, k, ...) \
	do { \
		struct mt_names target; \
		given_sync_primary(MT_SYNC_ON, 1, in, k); \
		given_none_streams(); \
		__VA_ARGS__; \
		ck_assert(!mt_sync_target(&w.view, &target)); \
		ck_assert_msg(waits_for_nobody(&target), what); \
	} while (0)

START_TEST(a_strict_primary_without_anybody_to_wait_for_waits_for_nobody)
{
	TARGET_NOBODY("none yet", "", 0, );
	TARGET_NOBODY("other data", "3", 1, report_of(3)->data_id++);
	TARGET_NOBODY("a new primary: it never streamed from it", "3", 1,
		      flushed_of(3)->lsn = 0);
	TARGET_NOBODY("no member", "3", 1, w.state.n_members = 2);
	TARGET_NOBODY("it waits for one that the log does not know", "3", 1,
		      given_log("2", 1));
}
END_TEST

START_TEST(other_data_than_the_set_speaks_of_is_out_of_it)
{
	TARGET(MT_SYNC_ON, 1, "3", 1, "cloned anew", "2", 1,
	       report_of(3)->data_id++);
	TARGET(MT_SYNC_ON, 2, "23", 2, "both wanted", "2", 1,
	       report_of(3)->data_id++);
	TARGET(MT_SYNC_ON, 1, "3", 1, "not told", "3", 1,
	       report_of(3)->data_id = 0);
}
END_TEST

int
main(void)
{
	RUN_TESTS(
	    "sync", what_may_coexist_is_what_never_loses_an_acknowledged_commit,
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
	    as_many_members_as_there_can_be_have_a_way,
	    the_names_read_as_postgresql_reads_them,
	    names_that_are_no_plain_identifiers_are_quoted,
	    the_longest_names_have_room, names_are_equal_whatever_their_order,
	    the_names_of_a_new_primary_meet_the_log_as_it_is,
	    a_strict_new_primary_waits_from_its_first_commit_on,
	    so_many_are_wanted_as_the_mode_and_the_count_say,
	    the_order_is_priority_then_standing_then_position_then_name,
	    who_never_takes_over_is_waited_for_last,
	    who_lags_is_replaced_by_who_does_not,
	    who_is_new_has_to_be_well_within_the_limit,
	    only_members_that_may_and_can_are_wanted,
	    who_is_in_the_set_stays_for_a_while_without_streaming,
	    a_strict_primary_goes_on_waiting_for_who_may_come_back,
	    a_strict_primary_without_anybody_to_wait_for_waits_for_nobody,
	    other_data_than_the_set_speaks_of_is_out_of_it);
}
