/* SPDX-License-Identifier: PostgreSQL */
/* Who may be promoted: every verdict, and the order of those who may. */
#include "core/candidate.h"

#include "given.h"
#include "test/unit/run.h"

static struct mt_candidates found;

static void
judge(const struct mt_candidate_rules *rules)
{
	mt_candidates_judge(&w.view, rules, &found);
}

static const char *
verdict_of(const char *name)
{
	for (int i = 0; i < found.n; i++)
		if (strcmp(found.verdicts[i].name, name) == 0)
			return found.verdicts[i].rule;
	return "nobody";
}

static const char *
best(void)
{
	return found.best < 0 ? "" : found.verdicts[found.best].name;
}

/* What is different about node2, and what is said of it when node1 leaves. */
#define SAYS(want, ...) \
	do { \
		struct mt_candidate_rules rules = {.except = "node1"}; \
		given_cluster(1); \
		__VA_ARGS__; \
		judge(&rules); \
		ck_assert_str_eq(verdict_of("node2"), want); \
		ck_assert((strcmp(best(), "node2") == 0) == \
			  (strcmp(want, "chosen") == 0)); \
	} while (0)

START_TEST(each_verdict)
{
	SAYS("chosen", );
	SAYS("not-asked-for", rules.only = "node3");
	SAYS("chosen", rules.only = "node2");
	SAYS("chosen", rules.only = "");
	SAYS("leaves", rules.except = "node2");
	SAYS("silent", given_silence(2));
	SAYS("silent", seen_of(2)->at_ms = NOW - 3001);
	SAYS("chosen", seen_of(2)->at_ms = NOW - 3000);
	SAYS("silent", mt_copy(report_of(2)->self.name, MT_NAME_MAX, "x"));
	SAYS("gone", seen_of(2)->gone = true);
	SAYS("pre-promote-failed", report_of(2)->refuses = true);
	SAYS("nofailover", report_of(2)->nofailover = true);
	SAYS("stopping", report_of(2)->stopping = true);
	SAYS("not-running", report_of(2)->healthy = false);
	SAYS("other-cluster", mt_copy(report_of(2)->sysid, MT_SYSID_MAX, "1"));
	SAYS("other-cluster", report_of(2)->sysid[0] = '\0');
	SAYS("not-a-standby", report_of(2)->pg_role = MT_ROLE_PRIMARY);
	SAYS("not-a-standby", report_of(2)->pg_role = MT_ROLE_PROMOTED);
	SAYS("not-a-standby", report_of(2)->pg_role = MT_ROLE_DEMOTED);
	SAYS("position-unknown", report_of(2)->at.timeline = 0);
	SAYS("report-too-old", rules.applied = INDEX + 1);
	SAYS("chosen", rules.applied = INDEX);
	SAYS("restored", report_of(2)->restored = true);
	SAYS("behind", report_of(2)->at.lsn = LSN - 1);
}
END_TEST

START_TEST(who_lacks_the_end_of_the_released_primary_is_out)
{
	SAYS("chosen", rules.least = position(TIMELINE, LSN));
	SAYS("lacks-the-end", rules.least = position(TIMELINE, LSN + 1));
	SAYS("lacks-the-end", rules.least = position(TIMELINE + 1, LSN));
	SAYS("chosen", rules.least = position(TIMELINE - 1, LSN));
	SAYS("chosen", rules.least = position(0, LSN + 1)); /* none asked */
}
END_TEST

START_TEST(who_lags_too_far_is_out)
{
	SAYS("chosen", w.settings.maximum_lag_on_failover = 100;
	     w.state.status.optime.lsn = LSN + 100);
	SAYS("lags", w.settings.maximum_lag_on_failover = 100;
	     w.state.status.optime.lsn = LSN + 101);
	SAYS("chosen", w.settings.maximum_lag_on_failover = 0;
	     w.state.status.optime.lsn = LSN);
	SAYS("lags", w.settings.maximum_lag_on_failover = 0;
	     w.state.status.optime.lsn = LSN + 1);
	SAYS("chosen", w.state.status.optime.lsn = 1); /* an old status */
}
END_TEST

START_TEST(who_is_on_an_old_timeline_is_out_where_that_is_checked)
{
	SAYS("behind", report_of(2)->at.timeline = TIMELINE - 1);
	SAYS("old-timeline", w.settings.check_timeline = true;
	     report_of(2)->at.timeline = TIMELINE - 1);
	SAYS("chosen", w.settings.check_timeline = true);
	SAYS("chosen", w.settings.check_timeline = true;
	     w.state.status.optime.timeline = TIMELINE - 1);
	SAYS("old-timeline", w.settings.check_timeline = true;
	     w.state.history_of = TIMELINE + 1);
	SAYS("old-timeline", w.settings.check_timeline = true;
	     w.state.status.optime.timeline = TIMELINE + 1);
	SAYS("chosen", w.settings.check_timeline = true;
	     w.state.history_of = w.state.status.optime.timeline = 0);
}
END_TEST

START_TEST(a_forced_one_may_be_anywhere_but_must_be_well)
{
#define FORCED rules.only = "node2", rules.forced = true
	SAYS("chosen", FORCED; report_of(2)->at.lsn = 1);
	SAYS("chosen", FORCED; w.settings.check_timeline = true;
	     report_of(2)->at.timeline = 1);
	SAYS("chosen", FORCED; rules.least = position(TIMELINE, LSN + 1));
	SAYS("pre-promote-failed", FORCED; report_of(2)->refuses = true);
	SAYS("chosen", FORCED; report_of(2)->restored = true);
	SAYS("nofailover", FORCED; report_of(2)->nofailover = true);
	SAYS("silent", FORCED; given_silence(2));
	SAYS("stopping", FORCED; report_of(2)->stopping = true);
	SAYS("not-running", FORCED; report_of(2)->healthy = false);
	SAYS("other-cluster", FORCED; report_of(2)->sysid[0] = '\0');
	SAYS("not-a-standby", FORCED; report_of(2)->pg_role = MT_ROLE_PRIMARY);
	SAYS("position-unknown", FORCED; report_of(2)->at.timeline = 0);
	SAYS("report-too-old", FORCED; rules.applied = INDEX + 1);
#undef FORCED
}
END_TEST

/* Each row is bad in two ways: the first reason is told. */
START_TEST(the_first_objection_is_the_one_that_is_told)
{
	SAYS("not-asked-for", rules.only = "node3"; rules.except = "node2");
	SAYS("leaves", rules.except = "node2"; given_silence(2));
	SAYS("leaves", rules.except = "node2"; given_silence(2);
	     report_of(2)->refuses = true);
	/* but what tells why it leaves */
	SAYS("pre-promote-failed", rules.except = "node2";
	     report_of(2)->refuses = true);
	SAYS("silent", given_silence(2); seen_of(2)->gone = true);
	SAYS("gone", seen_of(2)->gone = report_of(2)->nofailover = true);
	SAYS("nofailover",
	     report_of(2)->nofailover = report_of(2)->refuses = true);
	SAYS("pre-promote-failed",
	     report_of(2)->refuses = report_of(2)->stopping = true);
	SAYS("stopping", report_of(2)->stopping = true;
	     report_of(2)->healthy = false);
	SAYS("not-running", report_of(2)->healthy = false;
	     report_of(2)->sysid[0] = '\0');
	SAYS("other-cluster", report_of(2)->sysid[0] = '\0';
	     report_of(2)->pg_role = MT_ROLE_PRIMARY);
	SAYS("not-a-standby", report_of(2)->pg_role = MT_ROLE_PRIMARY;
	     report_of(2)->at.timeline = 0);
	SAYS("position-unknown", report_of(2)->at.timeline = 0;
	     rules.applied = INDEX + 1);
	SAYS("report-too-old", rules.applied = INDEX + 1;
	     rules.least = position(TIMELINE, LSN + 1));
	SAYS("lacks-the-end", rules.least = position(TIMELINE, LSN + 1);
	     w.state.status.optime.lsn = LSN * 2);
	SAYS("lacks-the-end", rules.least = position(TIMELINE, LSN);
	     w.settings.check_timeline = true; report_of(2)->at.timeline--);
	SAYS("old-timeline", w.settings.check_timeline = true;
	     report_of(2)->at = position(1, 1));
}
END_TEST

START_TEST(the_furthest_is_chosen_then_the_priority_then_the_name)
{
	static const struct {
		const char *what;
		struct mt_position at2, at3;
		int priority2, priority3;
		const char *best;
	} rows[] = {
	    {"equal: the first name", {3, 10}, {3, 10}, 1, 1, "node2"},
	    {"the higher LSN", {3, 10}, {3, 11}, 1, 1, "node3"},
	    {"the timeline before the LSN", {2, 99}, {3, 10}, 1, 1, "node3"},
	    {"the timeline, the other way", {3, 10}, {2, 99}, 1, 1, "node2"},
	    {"the priority", {3, 10}, {3, 10}, 1, 2, "node3"},
	    {"the priority before the name", {3, 10}, {3, 10}, 2, 1, "node2"},
	    {"the position before the priority",
	     {3, 11},
	     {3, 10},
	     1,
	     100,
	     "node2"},
	    {"the timeline before the priority",
	     {3, 10},
	     {2, 11},
	     1,
	     100,
	     "node2"},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		const struct mt_candidate_rules rules = {
		    .except = "node1",
		};

		given_cluster(1);
		w.state.status.optime = position(0, 0);
		report_of(2)->at = rows[i].at2;
		report_of(3)->at = rows[i].at3;
		report_of(2)->failover_priority = rows[i].priority2;
		report_of(3)->failover_priority = rows[i].priority3;
		judge(&rules);
		ck_assert_msg(strcmp(best(), rows[i].best) == 0,
			      "%s: want %s, have %s", rows[i].what,
			      rows[i].best, best());
		ck_assert_str_eq(verdict_of(rows[i].best), "chosen");
		ck_assert_str_eq(verdict_of("node1"), "leaves");
	}
}
END_TEST

START_TEST(the_order_of_the_reports_does_not_matter)
{
	const struct mt_candidate_rules rules = {.except = "node1"};
	struct mt_seen seen;

	given_cluster(1);
	report_of(3)->at.lsn = LSN + 1;
	seen = w.reports.seen[0];
	w.reports.seen[0] = w.reports.seen[2];
	w.reports.seen[2] = seen;
	judge(&rules);
	ck_assert_str_eq(best(), "node3");
}
END_TEST

START_TEST(a_witness_is_no_candidate)
{
	const struct mt_candidate_rules rules = {0};

	given_cluster(1);
	w.state.members[1].witness = true;
	judge(&rules);
	ck_assert_int_eq(found.n, 2);
	ck_assert_str_eq(verdict_of("node2"), "nobody");
	ck_assert_str_eq(best(), "node3");
}
END_TEST

START_TEST(there_may_be_nobody)
{
	const struct mt_candidate_rules rules = {.except = "node1"};
	char text[MT_WHY_MAX];

	given_cluster(1);
	given_silence(2);
	report_of(3)->nofailover = true;
	judge(&rules);
	ck_assert_int_eq(found.best, -1);
	ck_assert_int_eq(found.n, 3);
	mt_candidates_text(&found, text, sizeof(text));
	ck_assert_str_eq(text,
			 "node1: leaves; node2: silent; node3: nofailover");
	w.state.n_members = 0;
	judge(&rules);
	ck_assert_int_eq(found.best, -1);
	mt_candidates_text(&found, text, sizeof(text));
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(the_text_is_cut_where_the_room_ends)
{
	const struct mt_candidate_rules rules = {0};
	char whole[MT_WHY_MAX];

	given_cluster(1);
	judge(&rules);
	mt_candidates_text(&found, whole, sizeof(whole));
	for (size_t size = 1; size <= strlen(whole) + 1; size++) {
		char *cut = malloc(size);

		mt_candidates_text(&found, cut, size);
		ck_assert_uint_eq(strlen(cut), size - 1);
		ck_assert_mem_eq(cut, whole, size - 1);
		free(cut);
	}
}
END_TEST

START_TEST(verdicts_tell_the_positions)
{
	const struct mt_candidate_rules rules = {0};

	given_cluster(1);
	given_silence(2); /* the last known one */
	w.reports.n = 2;
	judge(&rules);
	ck_assert_uint_eq(found.verdicts[1].at.lsn, LSN);
	ck_assert_uint_eq(found.verdicts[2].at.timeline, 0);
}
END_TEST

int
main(void)
{
	RUN_TESTS("candidate", each_verdict,
		  who_lacks_the_end_of_the_released_primary_is_out,
		  who_lags_too_far_is_out,
		  who_is_on_an_old_timeline_is_out_where_that_is_checked,
		  a_forced_one_may_be_anywhere_but_must_be_well,
		  the_first_objection_is_the_one_that_is_told,
		  the_furthest_is_chosen_then_the_priority_then_the_name,
		  the_order_of_the_reports_does_not_matter,
		  a_witness_is_no_candidate, there_may_be_nobody,
		  the_text_is_cut_where_the_room_ends,
		  verdicts_tell_the_positions);
}
