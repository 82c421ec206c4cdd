/* SPDX-License-Identifier: PostgreSQL */
/*
 * The turn of a silent holder: who is fenced when, and that only a majority
 * with nothing left of its promises lets the turn go.
 */
#include "core/controller.h"

#include "control.h"
#include "test/unit/run.h"

START_TEST(a_silent_holder_is_fenced)
{
	NOTHING(given_leader(), "in contact", "steady",
		seen_of(1)->at_ms = NOW - SILENT_MS);
	ck_assert_int_eq(plan.look_again_ms, NOW + 1);
	given_leader();
	seen_of(1)->at_ms = NOW - SILENT_MS - 1;
	decide();
	expect_rule("silent", "holder-silent");
	ck_assert(plan.fence && !plan.propose);
	ck_assert_uint_eq(plan.fence_req.raft_id, 2);
	ck_assert_uint_eq(plan.fence_req.incarnation, 10);
	ck_assert_uint_eq(plan.fence_req.epoch, EPOCH);
	ck_assert_uint_eq(plan.fence_req.term, TERM);
	given_leader();
	seen_of(1)->gone = true;
	decide();
	expect_rule("its stream closed", "holder-silent");
	ck_assert(plan.fence);
}
END_TEST

START_TEST(a_new_leader_gives_everybody_time_to_report)
{
	given_cluster(2);
	mt_controller_init(&c);
	w.reports.seen[0] = w.reports.seen[2];
	w.reports.n = 2; /* node1 has never been heard of */
	decide();
	expect_nothing("just begun", "steady");
	ck_assert_int_eq(plan.look_again_ms, NOW + SILENT_MS);
	after(SILENT_MS - 1);
	decide();
	expect_nothing("still", "steady");
	after(1);
	decide();
	expect_rule("time is up", "holder-silent");
	ck_assert(plan.fence);
}
END_TEST

START_TEST(voters_are_asked_again_when_it_may_help)
{
	given_leader();
	given_silence(1);
	decide();
	ck_assert(plan.fence);
	decide();
	ck_assert_msg(!plan.fence, "not twice in a moment");
	ck_assert_int_eq(plan.look_again_ms, NOW + 100);
	after(99);
	decide();
	ck_assert(!plan.fence);
	after(1);
	decide();
	ck_assert_msg(plan.fence, "no answers: again");
	/* All three have something left: nothing is asked before that ends. */
	fence_answer(1, false, 700);
	fence_answer(2, false, 500);
	fence_answer(3, false, 600);
	after(200);
	decide();
	ck_assert(!plan.fence);
	ck_assert_int_eq(plan.look_again_ms, NOW + 100 + 500);
	after(300);
	decide();
	ck_assert_msg(plan.fence, "node2's has ended");
	/* A yes is not asked for again. */
	fence_answer(1, false, 5000);
	fence_answer(2, true, 0);
	fence_answer(3, false, 5000);
	after(900);
	decide();
	ck_assert(!plan.fence);
	ck_assert_int_eq(plan.look_again_ms, w.view.now_ms + 1000);
}
END_TEST

START_TEST(only_a_majority_with_nothing_left_lets_the_turn_go)
{
	static const struct {
		const char *what;
		struct {
			uint64_t raft_id;
			bool yes;
			int64_t left_ms;
		} answers[3];
		bool assigned;
	} rows[] = {
	    {"none", {{9, true, 0}}, false},
	    {"one", {{2, true, 0}}, false},
	    {"the same twice", {{2, true, 0}, {2, true, 0}}, false},
	    {"two", {{2, true, 0}, {3, true, 0}}, true},
	    {"two, the holder's among them",
	     {{1, true, 0}, {3, true, 0}},
	     true},
	    {"three", {{1, true, 0}, {2, true, 0}, {3, true, 0}}, true},
	    {"one no", {{2, true, 0}, {3, false, 0}}, false},
	    {"something left", {{2, true, 0}, {3, true, 1}}, false},
	    {"no voter", {{2, true, 0}, {9, true, 0}}, false},
	    {"a no after a yes",
	     {{2, true, 0}, {3, true, 0}, {3, false, 10}},
	     false},
	    {"a yes after a no",
	     {{2, true, 0}, {3, false, 10}, {3, true, 0}},
	     true},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		given_leader();
		given_silence(1);
		for (int k = 0; k < 3; k++)
			if (rows[i].answers[k].raft_id != 0)
				fence_answer(rows[i].answers[k].raft_id,
					     rows[i].answers[k].yes,
					     rows[i].answers[k].left_ms);
		decide();
		if (rows[i].assigned) {
			expect_assign(rows[i].what, "holder-silent", "node2",
				      false);
			continue;
		}
		expect_rule(rows[i].what, "holder-silent");
		ck_assert_msg(!plan.propose, "%s", rows[i].what);
	}
}
END_TEST

START_TEST(a_majority_is_of_the_newest_committed_voters)
{
	static const int need[] = {0, 1, 2, 2, 3, 3};

	for (int n = 1; n <= 5; n++) {
		given_leader();
		given_silence(1);
		w.view.voters.n = n;
		for (int i = 0; i < n; i++)
			w.view.voters.raft_id[i] = (uint64_t)i + 1;
		for (int i = 1; i <= n; i++) {
			fence_answer((uint64_t)i, true, 0);
			decide();
			expect_rule("silent", "holder-silent");
			ck_assert_msg(plan.propose == (i >= need[n]),
				      "%d of %d", i, n);
		}
	}
	/* Answers of voters that were removed count no more. */
	given_leader();
	given_silence(1);
	fence_answer(2, true, 0);
	fence_answer(3, true, 0);
	w.view.voters.raft_id[2] = 4;
	decide();
	ck_assert(!plan.propose);
}
END_TEST

START_TEST(answers_to_another_question_are_ignored)
{
	struct mt_fence_ans ans = {
	    .raft_id = 2,
	    .epoch = EPOCH,
	    .term = TERM,
	    .yes = true,
	};

	given_leader();
	given_silence(1);
	fence_answer(3, true, 0);
	ans.epoch = EPOCH - 1;
	mt_controller_fenced(&c, &ans, NOW);
	ans.epoch = EPOCH + 1;
	mt_controller_fenced(&c, &ans, NOW);
	ans.epoch = EPOCH;
	ans.term = TERM - 1;
	mt_controller_fenced(&c, &ans, NOW);
	ans.term = TERM + 1;
	mt_controller_fenced(&c, &ans, NOW);
	decide();
	ck_assert(!plan.propose);
	ans.term = TERM;
	mt_controller_fenced(&c, &ans, NOW);
	decide();
	expect_assign("the right one", "holder-silent", "node2", false);
}
END_TEST

START_TEST(more_answerers_than_there_can_be_do_no_harm)
{
	given_leader();
	for (uint64_t id = 1; id <= 3 * MT_NODES_MAX; id++)
		fence_answer(id, true, 0);
	ck_assert_int_eq(c.n_fences, MT_NODES_MAX);
}
END_TEST

START_TEST(the_best_candidate_gets_the_turn_of_a_silent_holder)
{
	ASSIGN(given_leader(), "the furthest", "holder-silent", "node3", false,
	       given_silence(1);
	       fence_answer(2, true, 0); fence_answer(3, true, 0);
	       report_of(3)->at.lsn = LSN + 8);
	ck_assert_uint_eq(command->u.assign.min.lsn, LSN + 8);
	ck_assert_int_eq(command->u.assign.decision.n_verdicts, 3);
	NOTHING(given_leader(), "nobody", "holder-silent", given_silence(1);
		fence_answer(2, true, 0); fence_answer(3, true, 0);
		report_of(2)->nofailover = report_of(3)->nofailover = true);
	ck_assert_ptr_nonnull(strstr(plan.why, "node2: nofailover"));
	ck_assert_int_eq(plan.look_again_ms, NOW + 1000);
	NOTHING(given_leader(), "it came back in time", "steady",
		fence_answer(2, true, 0);
		fence_answer(3, true, 0));
	NOTHING(given_leader(), "nobody but the holder itself, gone",
		"holder-silent", seen_of(1)->gone = true;
		given_silence(2); given_silence(3);
		report_of(1)->pg_role = MT_ROLE_REPLICA;
		fence_answer(2, true, 0); fence_answer(3, true, 0));
}
END_TEST

START_TEST(a_holder_that_hangs_and_cannot_be_ended_is_fenced)
{
	given_leader();
	report_of(1)->hung = true;
	decide();
	expect_rule("its daemon talks all the same", "holder-silent");
	ck_assert(plan.fence);
	ck_assert_ptr_nonnull(strstr(plan.why, "cannot be ended"));
	NOTHING(given_leader(), "it does not hang", "steady", );
}
END_TEST

/* They go on to report, and nothing changes. */
static void
after_with_reports(int64_t ms)
{
	after(ms);
	for (int i = 1; i <= 3; i++)
		seen_of(i)->at_ms = w.view.now_ms;
	decide();
}

START_TEST(a_holder_that_speaks_and_does_not_hear_is_fenced)
{
	given_leader();
	report_of(1)->writable = report_of(1)->serving = false;
	report_of(1)->lease_epoch = 0;
	decide();
	after_with_reports(20000);
	expect_nothing("it may let go", "steady");
	after_with_reports(1);
	expect_rule("it should have", "holder-silent");
	ck_assert(plan.fence && !plan.propose);
	ck_assert_ptr_nonnull(strstr(plan.why, "does not let go"));
	/* What is fenced is not repaired. */
	report_of(2)->fenced = EPOCH;
	for (uint64_t id = 1; id <= 3; id++)
		fence_answer(id, true, 0);
	after_with_reports(100);
	expect_assign("another", "holder-silent", "node2", false);
	given_leader();
	report_of(1)->writable = report_of(1)->serving = false;
	decide();
	after_with_reports(30000);
	expect_nothing("it has a lease: it starts", "steady");
	report_of(1)->lease_epoch = 0;
	after_with_reports(1);
	report_of(1)->lease_epoch = EPOCH;
	after_with_reports(10000);
	report_of(1)->lease_epoch = 0;
	after_with_reports(20000);
	expect_nothing("it had one since", "steady");
	w.state.leader.exempt = 45;
	after_with_reports(30000);
	expect_nothing("it is exempt", "steady");
}
END_TEST

START_TEST(the_record_has_what_was_known_and_how_long_it_took)
{
	const struct mt_decision *d = &command->u.assign.decision;

	given_leader();
	given_silence(1);
	decide();
	expect_rule("silent", "holder-silent");
	after(400);
	fence_answer(2, true, 0);
	fence_answer(3, true, 0);
	report_of(2)->nofailover = report_of(3)->nofailover = true;
	decide();
	expect_nothing("fenced, and nobody to take over", "holder-silent");
	after(100);
	report_of(2)->nofailover = false;
	report_of(2)->at.lsn = LSN - 64;
	decide();
	expect_assign("node2", "holder-silent", "node2", false);
	ck_assert_int_eq(d->phases.fenced_ms, 400);
	ck_assert_int_eq(d->phases.assigned_ms, 500);
	ck_assert_uint_eq(d->optime.lsn, LSN);
	ck_assert_int_eq(d->verdicts[0].age_ms, 60500);
	ck_assert_int_eq(d->verdicts[0].role, MT_ROLE_PRIMARY);
	ck_assert_int_eq(d->verdicts[1].age_ms, 200);
	ck_assert_uint_eq(d->verdicts[1].lag_bytes, 64);
	ck_assert_int_eq(d->verdicts[1].failover_priority, 1);
	ck_assert_int_eq(d->verdicts[1].state, MT_PG_RUNNING);
	ck_assert(d->verdicts[2].nofailover);
}
END_TEST

int
main(void)
{
	RUN_TESTS("controller_silent", a_silent_holder_is_fenced,
		  a_new_leader_gives_everybody_time_to_report,
		  voters_are_asked_again_when_it_may_help,
		  only_a_majority_with_nothing_left_lets_the_turn_go,
		  a_majority_is_of_the_newest_committed_voters,
		  answers_to_another_question_are_ignored,
		  more_answerers_than_there_can_be_do_no_harm,
		  the_best_candidate_gets_the_turn_of_a_silent_holder,
		  a_holder_that_hangs_and_cannot_be_ended_is_fenced,
		  a_holder_that_speaks_and_does_not_hear_is_fenced,
		  the_record_has_what_was_known_and_how_long_it_took);
}
