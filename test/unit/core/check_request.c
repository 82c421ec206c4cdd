/* SPDX-License-Identifier: PostgreSQL */
/* How candidates are judged for what people ask, and what a preview says. */
#include "core/request.h"

#include "given_sync.h"
#include "test/unit/run.h"

static struct mt_preview seen;

static void
preview(enum mt_request_kind kind, const char *candidate)
{
	struct mt_request r = {.kind = kind};

	if (kind == MT_REQUEST_SWITCHOVER)
		mt_copy(r.leader, MT_NAME_MAX, "node1");
	mt_copy(r.candidate, MT_NAME_MAX, candidate);
	mt_request_preview(&w.view, &r, &seen);
}

static const char *
winner(void)
{
	return seen.found.best < 0 ? ""
				   : seen.found.verdicts[seen.found.best].name;
}

/* What a check says of node2; "?" = it cannot be known. */
static const char *
says(enum mt_check check)
{
	const char *said = seen.checked[1].said[check];

	ck_assert_str_eq(seen.found.verdicts[1].name, "node2");
	return said == NULL ? "?" : said;
}

static void
given_failover(const char *candidate, uint64_t id)
{
	w.state.request = (struct mt_request){
	    .kind = MT_REQUEST_FAILOVER,
	    .id = id,
	};
	mt_copy(w.state.request.candidate, MT_NAME_MAX, candidate);
}

static struct mt_candidate_rules
of_nobody(void)
{
	struct mt_candidate_rules rules;

	mt_request_of_nobody(&w.view, &w.state.request, &rules);
	return rules;
}

START_TEST(the_holder_is_as_strict_for_a_failover_as_for_a_switchover)
{
	struct mt_candidate_rules rules;

	given_cluster(1);
	given_failover("node3", INDEX);
	mt_request_of_holder(&w.view, &w.state.request, &rules);
	ck_assert_str_eq(rules.only, "node3");
	ck_assert_str_eq(rules.except, "node1");
	ck_assert(!rules.forced);
}
END_TEST

START_TEST(a_failover_is_forced_only_where_nobody_ended_for_it_in_order)
{
	static const struct {
		const char *what;
		bool released, clean, sync;
		enum mt_request_kind kind;
		uint64_t id; /* the release has index INDEX */
		bool forced;
	} rows[] = {
	    {"the holder is silent", false, false, false, MT_REQUEST_FAILOVER,
	     INDEX, true},
	    {"it died", true, false, false, MT_REQUEST_FAILOVER, INDEX - 1,
	     true},
	    {"it ended for this", true, true, false, MT_REQUEST_FAILOVER,
	     INDEX - 1, false},
	    {"it had ended before", true, true, false, MT_REQUEST_FAILOVER,
	     INDEX + 1, true},
	    {"a switchover", false, false, false, MT_REQUEST_SWITCHOVER, INDEX,
	     false},
	    {"nothing", true, false, false, MT_REQUEST_NONE, 0, false},
	    {"in a synchronous mode", false, false, true, MT_REQUEST_FAILOVER,
	     INDEX, false},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		given_cluster(2);
		given_failover("node3", rows[i].id);
		w.state.request.kind = rows[i].kind;
		w.state.leader.released = rows[i].released;
		w.state.leader.clean = rows[i].clean;
		w.state.leader.index = INDEX;
		if (rows[i].sync)
			w.settings.synchronous_mode = MT_SYNC_ON;
		ck_assert_msg(of_nobody().forced == rows[i].forced, "%s",
			      rows[i].what);
	}
}
END_TEST

START_TEST(the_end_of_a_clean_release_is_demanded_and_its_index)
{
	given_cluster(2);
	w.state.leader.index = INDEX;
	ck_assert_uint_eq(of_nobody().applied, 0);
	ck_assert_uint_eq(of_nobody().least.timeline, 0);
	ck_assert_str_eq(of_nobody().except, "node1");
	ck_assert_ptr_null(of_nobody().only);
	w.state.leader.released = true;
	ck_assert_uint_eq(of_nobody().applied, INDEX);
	ck_assert_uint_eq(of_nobody().least.timeline, 0);
	w.state.leader.clean = true;
	w.state.leader.end = position(TIMELINE, LSN);
	ck_assert_uint_eq(of_nobody().least.lsn, LSN);
}
END_TEST

START_TEST(what_waits_for_its_time_is_no_wish_yet)
{
	given_cluster(2);
	given_request("node3");
	ck_assert_str_eq(of_nobody().only, "node3");
	w.state.request.scheduled_ms = WALL;
	ck_assert_ptr_null(of_nobody().only);
}
END_TEST

START_TEST(the_old_holder_itself_may_be_forced)
{
	given_cluster(2);
	given_failover("node1", INDEX + 1);
	w.state.leader.released = true;
	ck_assert_ptr_null(of_nobody().except);
	w.state.leader.clean = true;
	w.state.leader.index = INDEX + 2;
	ck_assert_str_eq(of_nobody().except, "node1");
}
END_TEST

START_TEST(the_holder_lives_while_it_reports)
{
	given_cluster(2);
	ck_assert(mt_request_holder_lives(&w.view));
	report_of(1)->hung = true;
	ck_assert(!mt_request_holder_lives(&w.view));
	report_of(1)->hung = false;
	seen_of(1)->at_ms = NOW - MT_REQUEST_SILENT_MS;
	ck_assert(mt_request_holder_lives(&w.view));
	seen_of(1)->at_ms--;
	ck_assert(!mt_request_holder_lives(&w.view));
	given_cluster(2);
	seen_of(1)->gone = true;
	ck_assert(!mt_request_holder_lives(&w.view));
	given_cluster(2);
	w.state.leader.released = true;
	ck_assert(!mt_request_holder_lives(&w.view));
	given_cluster(2);
	mt_copy(w.state.leader.holder, MT_NAME_MAX, "node9");
	ck_assert(!mt_request_holder_lives(&w.view));
}
END_TEST

/* ---- previews ---- */

START_TEST(a_preview_names_who_would_be_chosen)
{
	given_cluster(3);
	preview(MT_REQUEST_SWITCHOVER, "");
	ck_assert_str_eq(winner(), "node2");
	ck_assert(seen.by_holder && !seen.forced && !seen.instead);
	preview(MT_REQUEST_SWITCHOVER, "node3");
	ck_assert_str_eq(winner(), "node3");
	preview(MT_REQUEST_FAILOVER, "node3");
	ck_assert_str_eq(winner(), "node3");
	ck_assert(!seen.forced);
	given_silence(3);
	preview(MT_REQUEST_FAILOVER, "node3");
	ck_assert_str_eq(winner(), "");
}
END_TEST

START_TEST(a_preview_without_a_leader_forces_or_takes_another_instead)
{
	given_cluster(3);
	given_silence(1);
	report_of(2)->at.lsn = 1;
	preview(MT_REQUEST_FAILOVER, "node2");
	ck_assert_str_eq(winner(), "node2");
	ck_assert(!seen.by_holder && seen.forced && !seen.instead);
	report_of(2)->nofailover = true;
	preview(MT_REQUEST_FAILOVER, "node2");
	ck_assert_str_eq(winner(), "node3");
	ck_assert(seen.instead);
	report_of(3)->nofailover = true;
	preview(MT_REQUEST_FAILOVER, "node2");
	ck_assert_str_eq(winner(), "");
	ck_assert(!seen.instead);
}
END_TEST

START_TEST(a_preview_after_a_clean_release_forces_as_the_request_will_be)
{
	given_cluster(3);
	w.state.leader.released = w.state.leader.clean = true;
	w.state.leader.end = position(TIMELINE, LSN + 1);
	w.state.leader.index = INDEX;
	preview(MT_REQUEST_FAILOVER, "node2");
	ck_assert(seen.forced);
	ck_assert_str_eq(winner(), "node2");
}
END_TEST

START_TEST(in_pause_nobody_is_taken_instead)
{
	given_cluster(3);
	given_silence(1);
	given_silence(3);
	preview(MT_REQUEST_FAILOVER, "node3");
	ck_assert(seen.instead);
	w.settings.pause = true;
	preview(MT_REQUEST_FAILOVER, "node3");
	ck_assert(!seen.instead);
	ck_assert_int_lt(seen.found.best, 0);
	w.settings.pause = false;
	w.state.leader.exempt = 42;
	preview(MT_REQUEST_FAILOVER, "node3");
	ck_assert(!seen.instead);
	ck_assert_int_lt(seen.found.best, 0);
}
END_TEST

#define SAYS(check, want, ...) \
	do { \
		given_cluster(3); \
		w.settings.maximum_lag_on_failover = 100; \
		w.settings.check_timeline = true; \
		__VA_ARGS__; \
		preview(MT_REQUEST_SWITCHOVER, ""); \
		ck_assert_str_eq(says(MT_CHECK_##check), want); \
	} while (0)

START_TEST(each_check_is_told_also_behind_the_first_objection)
{
	SAYS(ASKED, "ok", );
	SAYS(REACHABLE, "ok", );
	SAYS(TAGS, "ok", );
	SAYS(RUNNING, "ok", );
	SAYS(POSITION, "ok", );
	SAYS(TIMELINE, "ok", );
	SAYS(LAG, "ok", );
	SAYS(REACHABLE, "gone", seen_of(2)->gone = true);
	SAYS(TAGS, "?", seen_of(2)->gone = true);
	SAYS(REACHABLE, "silent", given_silence(2));
	SAYS(LAG, "?", given_silence(2));
	SAYS(TAGS, "nofailover", report_of(2)->nofailover = true);
	SAYS(RUNNING, "ok", report_of(2)->nofailover = true);
	SAYS(LAG, "lags", report_of(2)->nofailover = true;
	     report_of(2)->at.lsn = LSN - 101);
	SAYS(RUNNING, "not-running", report_of(2)->healthy = false);
	SAYS(POSITION, "?", report_of(2)->healthy = false);
	SAYS(TIMELINE, "old-timeline", report_of(2)->at.timeline--);
	SAYS(LAG, "ok", report_of(2)->at.timeline--);
	SAYS(LAG, "lags", report_of(2)->at.timeline--;
	     report_of(2)->at.lsn = LSN - 101);
	SAYS(POSITION, "position-unknown", report_of(2)->at.timeline = 0);
	SAYS(LAG, "?", report_of(2)->at.timeline = 0);
}
END_TEST

START_TEST(who_was_not_asked_for_is_checked_all_the_same)
{
	given_cluster(3);
	report_of(2)->nofailover = true;
	preview(MT_REQUEST_SWITCHOVER, "node3");
	ck_assert_str_eq(says(MT_CHECK_ASKED), "not-asked-for");
	ck_assert_str_eq(says(MT_CHECK_REACHABLE), "ok");
	ck_assert_str_eq(says(MT_CHECK_TAGS), "nofailover");
	ck_assert_str_eq(says(MT_CHECK_LAG), "ok");
	/* Without a leader its report has to know of that, too. */
	w.state.leader.released = w.state.leader.clean = true;
	w.state.leader.end = position(TIMELINE, LSN);
	w.state.leader.index = INDEX + 1;
	preview(MT_REQUEST_SWITCHOVER, "node3");
	ck_assert_str_eq(says(MT_CHECK_POSITION), "report-too-old");
	ck_assert_str_eq(says(MT_CHECK_LAG), "ok");
}
END_TEST

/* ---- in synchronous mode ---- */

/* node1 is silent, the log counts on these, and these were heard. */
static void
given_sync_silence(const char *members, int k, const char *heard)
{
	given_cluster(3);
	given_mode(MT_SYNC_QUORUM, 1);
	given_log(members, k);
	given_silence(1);
	for (; *heard != '\0'; heard++)
		report_of(*heard - '0')->stopped = EPOCH;
}

/* node1 gave its turn up without a clean end, and is back as a standby. */
static void
given_cluster_report_back(void)
{
	seen_of(1)->at_ms = NOW;
	report_of(1)->pg_role = MT_ROLE_REPLICA;
	report_of(1)->holds_turn = true;
	w.state.leader.released = true;
	w.state.leader.index = INDEX;
}

static void
expect_winner(const char *what, const char *name, bool instead, const char *why)
{
	ck_assert_msg(strcmp(winner(), name) == 0, "%s: \"%s\" (%s)", what,
		      winner(), seen.why);
	ck_assert_msg(seen.instead == instead, "%s: instead", what);
	ck_assert_msg(why == NULL ? seen.why[0] == '\0'
				  : strstr(seen.why, why) != NULL,
		      "%s: why \"%s\"", what, seen.why);
	ck_assert(!seen.by_holder && !seen.forced);
}

START_TEST(without_a_leader_the_synchronous_set_is_what_counts)
{
	given_sync_silence("23", 1, "23");
	report_of(3)->at.lsn++;
	w.settings.maximum_lag_on_failover = 0;
	preview(MT_REQUEST_FAILOVER, "node3");
	expect_winner("all are heard", "node3", false, NULL);
	preview(MT_REQUEST_FAILOVER, "node2");
	expect_winner("the furthest, whoever was asked for", "node3", true,
		      NULL);
	ck_assert_str_eq(says(MT_CHECK_SYNC), "ok");
	given_sync_silence("23", 1, "2");
	preview(MT_REQUEST_FAILOVER, "node2");
	expect_winner("one is not enough", "", false, "1 of the 2 synchronous");
	ck_assert_str_eq(seen.found.verdicts[1].rule, "too-few-heard");
	ck_assert_str_eq(seen.found.verdicts[2].rule, "not-fenced");
	given_sync_silence("23", 2, "2");
	preview(MT_REQUEST_SWITCHOVER, "");
	expect_winner("one is", "node2", false, NULL);
	given_sync_silence("3", 1, "");
	preview(MT_REQUEST_FAILOVER, "node2");
	expect_winner("none is, of the other", "", false, "0 of the 1");
	ck_assert_str_eq(seen.found.verdicts[1].rule, "not-in-sync");
	ck_assert_str_eq(says(MT_CHECK_SYNC), "not-in-sync");
	ck_assert_str_eq(says(MT_CHECK_POSITION), "ok");
	ck_assert_str_eq(says(MT_CHECK_LAG), "?");
	given_sync_silence("23", 1, "23");
	report_of(3)->at.lsn++;
	report_of(3)->nofailover = true;
	preview(MT_REQUEST_FAILOVER, "node2");
	expect_winner("the furthest may not", "", false, "the furthest cannot");
	ck_assert_str_eq(seen.found.verdicts[1].rule, "not-the-furthest");
	given_sync_silence("23", 1, "23");
	w.settings.pause = true;
	preview(MT_REQUEST_FAILOVER, "node3");
	expect_winner("in pause who was asked for", "", false, "not asked for");
	preview(MT_REQUEST_FAILOVER, "node2");
	expect_winner("who has the most", "node2", false, NULL);
}
END_TEST

START_TEST(after_a_release_the_end_counts_or_the_set_or_the_old_holder)
{
	given_sync_silence("3", 1, "");
	w.state.leader.released = w.state.leader.clean = true;
	w.state.leader.index = INDEX;
	w.state.leader.end = position(TIMELINE, LSN);
	preview(MT_REQUEST_FAILOVER, "node2");
	expect_winner("who has the end", "node2", false, NULL);
	w.state.leader.end.lsn++;
	preview(MT_REQUEST_FAILOVER, "node2");
	expect_winner("who has not", "", false, "0 of the 1");
	report_of(3)->stopped = EPOCH;
	preview(MT_REQUEST_FAILOVER, "node2");
	expect_winner("the set", "node3", true, NULL);
	given_sync_silence("3", 1, "");
	given_cluster_report_back();
	preview(MT_REQUEST_FAILOVER, "node2");
	expect_winner("it has all itself", "node1", true, NULL);
	w.settings.pause = true;
	preview(MT_REQUEST_FAILOVER, "node2");
	expect_winner("in pause it was not asked for", "", false, "0 of the 1");
}
END_TEST

START_TEST(an_accepted_loss_is_taken_where_the_set_is_not_heard)
{
	struct mt_request r = {
	    .kind = MT_REQUEST_FAILOVER,
	    .candidate = "node2",
	    .accept_loss = true,
	};

	given_sync_silence("3", 1, "");
	mt_request_preview(&w.view, &r, &seen);
	ck_assert_str_eq(winner(), "node2");
	ck_assert(seen.forced && !seen.instead && seen.why[0] == '\0');
	report_of(3)->stopped = EPOCH;
	mt_request_preview(&w.view, &r, &seen);
	expect_winner("it is heard", "node3", true, NULL);
	/* Mode on, and no set yet. */
	given_sync_silence("", 0, "");
	w.state.request = r;
	ck_assert(of_nobody().forced);
	w.state.request.accept_loss = false;
	ck_assert(!of_nobody().forced);
}
END_TEST

START_TEST(what_may_be_lost_is_said)
{
	struct mt_verdict chosen = {.at = {TIMELINE, LSN}};
	struct mt_loss loss;
	char why[MT_WHY_MAX];

	given_sync_silence("3", 1, "");
	w.state.status.optime = position(TIMELINE, LSN + 16);
	report_of(1)->at = position(TIMELINE, LSN);
	mt_request_loss(&w.view, &chosen, &loss, why, sizeof(why));
	ck_assert_uint_eq(loss.timeline, TIMELINE);
	ck_assert_uint_eq(loss.from, LSN);
	ck_assert_uint_eq(loss.to, LSN + 16);
	ck_assert_ptr_nonnull(strstr(why, "(16 bytes)"));
	report_of(3)->at = position(TIMELINE, LSN + 32);
	mt_request_loss(&w.view, &chosen, &loss, why, sizeof(why));
	ck_assert_uint_eq(loss.to, LSN + 32);
	report_of(3)->at = position(TIMELINE + 1, LSN + 32);
	mt_request_loss(&w.view, &chosen, &loss, why, sizeof(why));
	ck_assert_uint_eq(loss.to, 0);
	ck_assert_ptr_nonnull(strstr(why, "of which nothing is known"));
}
END_TEST

START_TEST(the_names_of_checks_and_kinds_do_not_change)
{
	static const char *const names[] = {
	    "asked",    "reachable", "tags",     "running",
	    "position", "sync",      "timeline", "lag",
	};

	for (int i = 0; i < MT_CHECKS; i++)
		ck_assert_str_eq(mt_check_name((enum mt_check)i), names[i]);
	ck_assert_str_eq(mt_request_name(MT_REQUEST_NONE), "");
	ck_assert_str_eq(mt_request_name(MT_REQUEST_SWITCHOVER), "switchover");
	ck_assert_str_eq(mt_request_name(MT_REQUEST_FAILOVER), "failover");
}
END_TEST

int
main(void)
{
	RUN_TESTS("request", in_pause_nobody_is_taken_instead,
		  the_holder_is_as_strict_for_a_failover_as_for_a_switchover,
		  a_failover_is_forced_only_where_nobody_ended_for_it_in_order,
		  the_end_of_a_clean_release_is_demanded_and_its_index,
		  what_waits_for_its_time_is_no_wish_yet,
		  the_old_holder_itself_may_be_forced,
		  the_holder_lives_while_it_reports,
		  a_preview_names_who_would_be_chosen,
		  a_preview_without_a_leader_forces_or_takes_another_instead,
		  a_preview_after_a_clean_release_forces_as_the_request_will_be,
		  each_check_is_told_also_behind_the_first_objection,
		  who_was_not_asked_for_is_checked_all_the_same,
		  without_a_leader_the_synchronous_set_is_what_counts,
		  after_a_release_the_end_counts_or_the_set_or_the_old_holder,
		  an_accepted_loss_is_taken_where_the_set_is_not_heard,
		  what_may_be_lost_is_said,
		  the_names_of_checks_and_kinds_do_not_change);
}
