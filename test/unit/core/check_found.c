/* SPDX-License-Identifier: PostgreSQL */
/* Data that was there before the cluster: whose becomes the cluster's. */
#include "core/found.h"

#include <check.h>

#include "given.h"
#include "test/unit/run.h"

#define OTHER_SYSID "7300000000000000002"

static struct mt_found found;

/* Nobody has data, all say so. */
static void
given_none(void)
{
	given_new_cluster(2);
}

static struct mt_report *
given_data(int number, enum mt_pg_state state, enum mt_pg_role role,
	   uint64_t lsn)
{
	struct mt_report *r = report_of(number);

	r->no_data = r->bootstrap_ready = false;
	r->has_data = true;
	r->pg_state = state;
	r->pg_role = role;
	r->data_id = 0xd0 + (uint64_t)number;
	r->at = position(TIMELINE, lsn);
	mt_copy(r->sysid, MT_SYSID_MAX, SYSID);
	return r;
}

/* node1 runs as primary, the others as its standbys. */
static void
given_running(void)
{
	given_none();
	given_data(1, MT_PG_RUNNING, MT_ROLE_PRIMARY, LSN);
	given_data(2, MT_PG_RUNNING, MT_ROLE_REPLICA, LSN);
	given_data(3, MT_PG_RUNNING, MT_ROLE_REPLICA, LSN + 100);
}

/* The same, stopped in order: node1 first. */
static void
given_down(void)
{
	given_none();
	given_data(1, MT_PG_STOPPED, MT_ROLE_DEMOTED, LSN);
	given_data(2, MT_PG_STOPPED, MT_ROLE_REPLICA, LSN);
	given_data(3, MT_PG_STOPPED, MT_ROLE_REPLICA, LSN - 100);
}

static void
expect(const char *what, const char *rule, enum mt_found_kind kind,
       const char *name)
{
	mt_found_judge(&w.view, &found);
	ck_assert_msg(strcmp(found.rule, rule) == 0 && found.kind == kind,
		      "%s: want \"%s\", have \"%s\" (%s)", what, rule,
		      found.rule, found.why);
	ck_assert_msg(found.why[0] != '\0', "%s: no reason", what);
	ck_assert_msg(name == NULL || strstr(found.why, name) != NULL,
		      "%s: \"%s\" is not in \"%s\"", what, name, found.why);
	ck_assert_msg((found.report != NULL) ==
			  (kind == MT_FOUND_RUNNING || kind == MT_FOUND_DOWN),
		      "%s: report", what);
	ck_assert_msg(found.report == NULL ||
			  strcmp(found.report->self.name, name) == 0,
		      "%s: of whom", what);
}

#define ROW(given, what, rule, kind, name, ...) \
	do { \
		given; \
		__VA_ARGS__; \
		expect(what, rule, kind, name); \
	} while (0)

START_TEST(a_new_cluster_is_made_only_if_all_have_said_that_they_have_nothing)
{
	ROW(given_none(), "all", "none", MT_FOUND_NOTHING, NULL, );
	ROW(given_none(), "one has not looked", "unheard", MT_FOUND_WAIT,
	    "node3", report_of(3)->no_data = false);
	ROW(given_none(), "one was never heard", "unheard", MT_FOUND_WAIT,
	    "1 of 3", w.reports.n = 2);
	ROW(given_none(), "another of that name was", "unheard", MT_FOUND_WAIT,
	    "1 of 3", report_of(3)->self.raft_id = 99);
	/* Whether it is waited for is not a question of data. */
	ROW(given_none(), "one said so and is silent", "none", MT_FOUND_NOTHING,
	    NULL, given_silence(3));
}
END_TEST

START_TEST(one_running_primary_is_taken)
{
	ROW(given_running(), "with its standbys", "one-primary",
	    MT_FOUND_RUNNING, "node1", );
	ROW(given_none(), "alone", "one-primary", MT_FOUND_RUNNING, "node3",
	    given_data(3, MT_PG_RUNNING, MT_ROLE_PRIMARY, LSN));
	ROW(given_running(), "beside data that is down", "one-primary",
	    MT_FOUND_RUNNING, "node1",
	    given_data(2, MT_PG_STOPPED, MT_ROLE_REPLICA, LSN));
	ROW(given_running(), "beside an old primary", "one-primary",
	    MT_FOUND_RUNNING, "node1",
	    given_data(2, MT_PG_STOPPED, MT_ROLE_DEMOTED, LSN + 1)
		->at.timeline--);
	ROW(given_running(), "and a witness", "one-primary", MT_FOUND_RUNNING,
	    "node1", report_of(3)->has_data = false;
	    report_of(3)->self.witness = report_of(3)->no_data = true);
}
END_TEST

START_TEST(where_there_is_data_nobody_is_left_out)
{
	ROW(given_running(), "silent", "silent", MT_FOUND_WAIT, "node3",
	    given_silence(3));
	ROW(given_running(), "silent, and has none", "silent", MT_FOUND_WAIT,
	    "node3", report_of(3)->has_data = false;
	    report_of(3)->no_data = true; given_silence(3));
	ROW(given_running(), "gone", "silent", MT_FOUND_WAIT, "node2",
	    seen_of(2)->gone = true);
	ROW(given_running(), "never heard", "unheard", MT_FOUND_WAIT, NULL,
	    w.reports.n = 2);
}
END_TEST

START_TEST(what_is_compared_has_to_be_known)
{
	ROW(given_running(), "it does not answer", "untold", MT_FOUND_WAIT,
	    "node2", report_of(2)->pg_state = MT_PG_STARTING);
	ROW(given_running(), "being stopped", "untold", MT_FOUND_WAIT, "node2",
	    report_of(2)->pg_state = MT_PG_STOPPING);
	ROW(given_running(), "not out of recovery yet", "untold", MT_FOUND_WAIT,
	    "node2", report_of(2)->pg_role = MT_ROLE_PROMOTED);
	ROW(given_running(), "no system identifier", "untold", MT_FOUND_WAIT,
	    "node3", report_of(3)->sysid[0] = '\0');
	ROW(given_running(), "no position", "untold", MT_FOUND_WAIT, "node1",
	    report_of(1)->at.timeline = 0);
	ROW(given_running(), "no data id", "untold", MT_FOUND_WAIT, "node1",
	    report_of(1)->data_id = 0);
	ROW(given_down(), "the end is looked for", "untold", MT_FOUND_WAIT,
	    "node1", report_of(1)->at = position(0, 0));
}
END_TEST

START_TEST(two_clusters_are_not_made_one)
{
	ROW(given_running(), "running", "mixed", MT_FOUND_REFUSED, "node3",
	    mt_copy(report_of(3)->sysid, MT_SYSID_MAX, OTHER_SYSID));
	ck_assert_ptr_nonnull(strstr(found.why, "node1"));
	ck_assert_ptr_nonnull(strstr(found.why, SYSID));
	ck_assert_ptr_nonnull(strstr(found.why, OTHER_SYSID));
	ck_assert_ptr_nonnull(strstr(found.why, "move away"));
	ROW(given_down(), "down", "mixed", MT_FOUND_REFUSED, "node2",
	    mt_copy(report_of(2)->sysid, MT_SYSID_MAX, OTHER_SYSID));
	ROW(given_running(), "before anything else is judged", "mixed",
	    MT_FOUND_REFUSED, "node2",
	    given_data(2, MT_PG_RUNNING, MT_ROLE_PRIMARY, LSN);
	    mt_copy(report_of(2)->sysid, MT_SYSID_MAX, OTHER_SYSID));
}
END_TEST

START_TEST(of_two_primaries_none_is_taken)
{
	ROW(given_running(), "two", "two-primaries", MT_FOUND_REFUSED, "node1",
	    report_of(3)->pg_role = MT_ROLE_PRIMARY);
	ck_assert_ptr_nonnull(strstr(found.why, "node3"));
	ck_assert_ptr_nonnull(strstr(found.why, "stop the one"));
	ROW(given_running(), "one of them was stopped", "same-timeline",
	    MT_FOUND_REFUSED, "node3",
	    given_data(3, MT_PG_STOPPED, MT_ROLE_DEMOTED, LSN - 1));
	ck_assert_ptr_nonnull(strstr(found.why, "node1"));
	ck_assert_ptr_nonnull(strstr(found.why, "move away"));
	ROW(given_down(), "both were", "same-timeline", MT_FOUND_REFUSED,
	    "node2", report_of(2)->pg_role = MT_ROLE_DEMOTED);
}
END_TEST

START_TEST(data_ahead_of_the_primary_is_not_thrown_away)
{
	ROW(given_running(), "a standby of a later timeline", "overtaken",
	    MT_FOUND_REFUSED, "node2",
	    report_of(2)->at = position(TIMELINE + 1, 1));
	ck_assert_ptr_nonnull(strstr(found.why, "node1"));
	ROW(given_running(), "an old primary of a later timeline", "overtaken",
	    MT_FOUND_REFUSED, "node2",
	    given_data(2, MT_PG_STOPPED, MT_ROLE_DEMOTED, 1)->at.timeline++);
	ROW(given_running(), "down, and further", "overtaken", MT_FOUND_REFUSED,
	    "node2", given_data(2, MT_PG_STOPPED, MT_ROLE_REPLICA, LSN + 1));
}
END_TEST

START_TEST(of_data_that_is_down_the_furthest_is_taken)
{
	ROW(given_down(), "of equals the primary's", "furthest", MT_FOUND_DOWN,
	    "node1", );
	ROW(given_down(), "wherever that is", "furthest", MT_FOUND_DOWN,
	    "node3", report_of(1)->pg_role = MT_ROLE_REPLICA;
	    report_of(3)->pg_role = MT_ROLE_DEMOTED;
	    report_of(3)->at.lsn = LSN);
	ROW(given_down(), "before what was primary earlier", "furthest",
	    MT_FOUND_DOWN, "node1", report_of(3)->pg_role = MT_ROLE_DEMOTED;
	    report_of(3)->at.timeline--);
	ROW(given_down(), "by timeline first", "furthest", MT_FOUND_DOWN,
	    "node3", report_of(3)->pg_role = MT_ROLE_DEMOTED;
	    report_of(3)->at = position(TIMELINE + 1, 1));
	ROW(given_none(), "the only one", "furthest", MT_FOUND_DOWN, "node2",
	    given_data(2, MT_PG_CRASHED, MT_ROLE_DEMOTED, LSN));
	ROW(given_none(), "beside nothing", "furthest", MT_FOUND_DOWN, "node1",
	    given_data(1, MT_PG_STOPPED, MT_ROLE_DEMOTED, LSN);
	    report_of(1)->nofailover = true);
}
END_TEST

START_TEST(a_standby_becomes_no_primary_by_itself)
{
	ROW(given_running(), "the primary does not run", "standbys-run",
	    MT_FOUND_REFUSED, "node2",
	    given_data(1, MT_PG_STOPPED, MT_ROLE_DEMOTED, LSN));
	ROW(given_down(), "one is the furthest", "standby-furthest",
	    MT_FOUND_REFUSED, "node2", report_of(2)->at.lsn = LSN + 1);
	ROW(given_none(), "it is all there is", "standby-furthest",
	    MT_FOUND_REFUSED, "node2",
	    given_data(2, MT_PG_STOPPED, MT_ROLE_REPLICA, LSN));
}
END_TEST

START_TEST(the_end_of_data_that_is_down)
{
	struct mt_position end;

	given_primary_died();
	local()->end = position(TIMELINE, LSN + 8);
	end = mt_found_end(local());
	ck_assert_int_eq(mt_position_compare(end, position(TIMELINE, LSN + 8)),
			 0);
	local()->end_pending = true;
	ck_assert_uint_eq(mt_found_end(local()).timeline, 0);
	local()->end_pending = false;
	local()->end = position(0, 0);
	end = mt_found_end(local());
	ck_assert_int_eq(mt_position_compare(end, local()->checkpoint), 0);
	local()->data = MT_DATA_EMPTY;
	ck_assert_uint_eq(mt_found_end(local()).timeline, 0);
}
END_TEST

START_TEST(the_rules_are_named_in_order)
{
	static const char *const want[] = {
	    "unheard",     "none",          "silent",           "untold",
	    "mixed",       "two-primaries", "same-timeline",    "overtaken",
	    "one-primary", "standbys-run",  "standby-furthest", "furthest",
	};
	const char *const *have = mt_found_rules();

	for (size_t i = 0; i < MT_COUNT(want); i++)
		ck_assert_str_eq(have[i], want[i]);
	ck_assert_ptr_null(have[MT_COUNT(want)]);
}
END_TEST

int
main(void)
{
	RUN_TESTS(
	    "found",
	    a_new_cluster_is_made_only_if_all_have_said_that_they_have_nothing,
	    one_running_primary_is_taken,
	    where_there_is_data_nobody_is_left_out,
	    what_is_compared_has_to_be_known, two_clusters_are_not_made_one,
	    of_two_primaries_none_is_taken,
	    data_ahead_of_the_primary_is_not_thrown_away,
	    of_data_that_is_down_the_furthest_is_taken,
	    a_standby_becomes_no_primary_by_itself,
	    the_end_of_data_that_is_down, the_rules_are_named_in_order);
}
