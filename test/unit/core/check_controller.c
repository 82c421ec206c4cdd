/* SPDX-License-Identifier: PostgreSQL */
/*
 * The controller's table: each rule from one side and the other. The rule for a
 * silent holder is in check_controller_silent.c.
 */
#include "core/controller.h"

#include "control.h"
#include "test/unit/run.h"

/* ---- who leads --------------------------------------------------------- */

START_TEST(only_the_raft_leader_decides)
{
	NOTHING(given_leader(), "well", "steady", );
	NOTHING(given_leader(), "another leads", "not-leading",
		w.view.leads = false;
		given_silence(1));
	NOTHING(given_leader(), "a command that is not known", "not-leading",
		w.state.unknown_command = 2;
		given_silence(1));
}
END_TEST

START_TEST(what_was_remembered_is_of_one_term_and_epoch)
{
	given_leader();
	given_silence(1);
	fence_answer(2, true, 0);
	fence_answer(3, true, 0);
	w.view.term++;
	decide();
	ck_assert_msg(!plan.propose, "answers of another term");
	expect_rule("a new term", "holder-silent");

	given_leader();
	given_silence(1);
	fence_answer(2, true, 0);
	fence_answer(3, true, 0);
	w.state.leader.epoch++;
	w.state.leader.since++;
	decide();
	ck_assert_msg(!plan.propose, "answers of another epoch");

	given_leader();
	given_silence(1);
	fence_answer(2, true, 0);
	fence_answer(3, true, 0);
	w.view.leads = false;
	decide();
	w.view.leads = true;
	decide();
	ck_assert_msg(!plan.propose, "leadership was lost between");
}
END_TEST

/* ---- members ----------------------------------------------------------- */

START_TEST(members_are_put_when_they_are_new_or_changed)
{
	NOTHING(given_leader(), "all known", "steady", );
	COMMAND(given_leader(), "new", "members", MT_CMD_MEMBER_PUT,
		w.state.n_members = 2);
	ck_assert_str_eq(command->u.member_put.name, "node3");
	ck_assert_uint_eq(command->u.member_put.raft_id, 3);
	COMMAND(given_leader(), "raft id", "members", MT_CMD_MEMBER_PUT,
		w.state.members[2].raft_id = 9);
	COMMAND(given_leader(), "witness", "members", MT_CMD_MEMBER_PUT,
		w.state.members[2].witness = true);
	COMMAND(given_leader(), "command version", "members", MT_CMD_MEMBER_PUT,
		w.state.members[2].command_version++);
	COMMAND(given_leader(), "peer address", "members", MT_CMD_MEMBER_PUT,
		w.state.members[2].peer_addr[0] = 'x');
	COMMAND(given_leader(), "api url", "members", MT_CMD_MEMBER_PUT,
		w.state.members[2].api_url[0] = 'x');
	COMMAND(given_leader(), "conn url", "members", MT_CMD_MEMBER_PUT,
		w.state.members[2].conn_url[0] = 'x');
	COMMAND(given_leader(), "proxy url", "members", MT_CMD_MEMBER_PUT,
		w.state.members[2].proxy_url[0] = 'x');
	COMMAND(given_leader(), "tags", "members", MT_CMD_MEMBER_PUT,
		w.state.members[2].tags[0] = 'x');
	COMMAND(given_leader(), "version", "members", MT_CMD_MEMBER_PUT,
		w.state.members[2].version[0] = 'x');
	NOTHING(given_leader(), "no voter", "steady", w.state.n_members = 2;
		w.view.voters.n = 2);
	NOTHING(given_leader(), "an old report", "steady",
		w.state.n_members = 2;
		given_silence(3));
}
END_TEST

/* ---- bootstrap --------------------------------------------------------- */

START_TEST(a_claim_is_made_when_all_voters_are_there)
{
	COMMAND(given_new_leader_of_a_new_cluster(), "all", "initialize",
		MT_CMD_BOOTSTRAP_CLAIM, );
	ck_assert_str_eq(command->u.claim.member, "node1");
	ck_assert_uint_eq(command->u.claim.incarnation, 10);
	COMMAND(given_new_leader_of_a_new_cluster(), "not as primary",
		"initialize", MT_CMD_BOOTSTRAP_CLAIM,
		report_of(1)->nofailover = true);
	ck_assert_str_eq(command->u.claim.member, "node2");
	COMMAND(given_new_leader_of_a_new_cluster(), "not able", "initialize",
		MT_CMD_BOOTSTRAP_CLAIM, report_of(1)->bootstrap_ready = false;
		report_of(2)->bootstrap_failed = true);
	ck_assert_str_eq(command->u.claim.member, "node3");
	COMMAND(given_new_leader_of_a_new_cluster(), "a witness", "initialize",
		MT_CMD_BOOTSTRAP_CLAIM,
		w.state.members[0].witness = report_of(1)->self.witness = true);
	ck_assert_str_eq(command->u.claim.member, "node2");
}
END_TEST

START_TEST(a_missing_voter_is_waited_for_but_not_for_ever)
{
	NOTHING(given_new_leader_of_a_new_cluster(), "one is missing",
		"initialize", given_silence(3));
	after(2999);
	decide();
	expect_nothing("not yet", "initialize");
	after(1);
	decide();
	expect_command("enough", "initialize", MT_CMD_BOOTSTRAP_CLAIM);
}
END_TEST

START_TEST(nothing_is_initialized_beside_data_or_without_anybody)
{
	NOTHING(given_new_leader_of_a_new_cluster(), "data", "initialize",
		report_of(3)->has_data = true);
	ck_assert_ptr_nonnull(strstr(plan.why, "node3"));
	NOTHING(given_new_leader_of_a_new_cluster(), "nobody can", "initialize",
		for (int n = 1; n <= 3; n++) report_of(n)->bootstrap_ready =
		    false);
	ck_assert_str_ne(plan.why, "");
	NOTHING(given_new_leader_of_a_new_cluster(), "all have failed",
		"initialize",
		for (int n = 1; n <= 3; n++) report_of(n)->bootstrap_failed =
		    true);
	NOTHING(given_leader(), "it is initialized", "steady", given_claim(1));
}
END_TEST

/* node3 runs as primary, and nothing is initialized. */
static void
given_found(void)
{
	struct mt_report *r = report_of(3);

	given_new_leader_of_a_new_cluster();
	r->no_data = r->bootstrap_ready = false;
	r->has_data = true;
	r->pg_state = MT_PG_RUNNING;
	r->pg_role = MT_ROLE_PRIMARY;
	r->data_id = DATA_ID;
	r->at = position(TIMELINE, LSN);
	mt_copy(r->sysid, MT_SYSID_MAX, SYSID);
}

START_TEST(data_that_is_there_is_claimed_by_its_id)
{
	COMMAND(given_found(), "it runs", "initialize",
		MT_CMD_BOOTSTRAP_CLAIM, );
	ck_assert_str_eq(command->u.claim.member, "node3");
	ck_assert_uint_eq(command->u.claim.incarnation, 10);
	ck_assert_uint_eq(command->u.claim.adopts, DATA_ID);
	COMMAND(given_found(), "it is down", "initialize",
		MT_CMD_BOOTSTRAP_CLAIM, report_of(3)->pg_state = MT_PG_STOPPED;
		report_of(3)->pg_role = MT_ROLE_DEMOTED);
	ck_assert_uint_eq(command->u.claim.adopts, DATA_ID);
	NOTHING(given_found(), "one is missing", "initialize",
		given_silence(1));
	after(LONG_MS);
	given_silence(1);
	decide();
	expect_nothing("however long", "initialize");
	NOTHING(given_found(), "one has not looked", "initialize",
		report_of(1)->no_data = false);
	NOTHING(given_found(), "another has other data", "initialize",
		*report_of(1) = *report_of(3);
		report_of(1)->self = w.state.members[0];
		report_of(1)->sysid[3]++);
	ck_assert_ptr_nonnull(strstr(plan.why, "node1"));
}
END_TEST

START_TEST(a_claim_of_data_lasts_as_long_as_the_data_is_as_it_was)
{
	NOTHING(given_found(), "at it", "initialize", given_claim(3);
		w.state.claim.adopts = DATA_ID);
	COMMAND(given_found(), "other data", "initialize",
		MT_CMD_BOOTSTRAP_WITHDRAW, given_claim(3);
		w.state.claim.adopts = DATA_ID + 1);
	ck_assert_uint_eq(command->u.withdraw.adopts, DATA_ID + 1);
	COMMAND(given_found(), "a second primary came", "initialize",
		MT_CMD_BOOTSTRAP_WITHDRAW, given_claim(3);
		w.state.claim.adopts = DATA_ID; *report_of(1) = *report_of(3);
		report_of(1)->self = w.state.members[0]);
	COMMAND(given_found(), "another life", "initialize",
		MT_CMD_BOOTSTRAP_WITHDRAW, given_claim(3);
		w.state.claim.adopts = DATA_ID; report_of(3)->incarnation = 11);
	COMMAND(given_found(), "it is gone", "initialize",
		MT_CMD_BOOTSTRAP_WITHDRAW, given_claim(3);
		w.state.claim.adopts = DATA_ID; report_of(3)->has_data = false;
		report_of(3)->no_data = true);
	NOTHING(given_found(), "silent for a moment", "initialize",
		given_claim(3);
		w.state.claim.adopts = DATA_ID; given_silence(3));
	after(3001);
	decide();
	expect_command("silent", "initialize", MT_CMD_BOOTSTRAP_WITHDRAW);
}
END_TEST

START_TEST(a_claim_is_withdrawn_from_who_failed_or_fell_silent)
{
	NOTHING(given_new_leader_of_a_new_cluster(), "at it", "initialize",
		given_claim(1));
	COMMAND(given_new_leader_of_a_new_cluster(), "failed", "initialize",
		MT_CMD_BOOTSTRAP_WITHDRAW, given_claim(1);
		report_of(1)->bootstrap_failed = true);
	ck_assert_str_eq(command->u.withdraw.member, "node1");
	ck_assert_uint_eq(command->u.withdraw.incarnation, 10);
	COMMAND(given_new_leader_of_a_new_cluster(), "restarted", "initialize",
		MT_CMD_BOOTSTRAP_WITHDRAW, given_claim(1);
		report_of(1)->incarnation = 11);
	NOTHING(given_new_leader_of_a_new_cluster(), "an older report",
		"initialize", given_claim(1);
		report_of(1)->incarnation = 9);

	NOTHING(given_new_leader_of_a_new_cluster(), "silent", "initialize",
		given_claim(1);
		given_silence(1));
	after(3000);
	decide();
	expect_nothing("silent for a while", "initialize");
	after(1);
	decide();
	expect_command("silent for too long", "initialize",
		       MT_CMD_BOOTSTRAP_WITHDRAW);

	NOTHING(given_new_leader_of_a_new_cluster(), "gone", "initialize",
		given_claim(1);
		seen_of(1)->gone = true);
	after(2000);
	seen_of(1)->gone = false;
	decide();
	expect_nothing("back", "initialize");
	seen_of(1)->gone = true;
	after(2000);
	decide();
	expect_nothing("gone again: the wait begins anew", "initialize");
}
END_TEST

/* ---- ground R ---------------------------------------------------------- */

START_TEST(a_released_turn_goes_to_the_best_at_once)
{
	ASSIGN(given_released(true), "clean", "released", "node2", false, );
	ck_assert_uint_eq(command->u.assign.min.lsn, LSN);
	ck_assert_uint_eq(command->u.assign.min.timeline, TIMELINE);
	ck_assert_int_eq(command->u.assign.decision.n_verdicts, 3);
	ck_assert_str_eq(command->u.assign.decision.verdicts[0].rule, "leaves");
	ck_assert_str_eq(command->u.assign.decision.verdicts[1].rule, "chosen");
	ASSIGN(given_released(true), "priority", "released", "node3", false,
	       report_of(3)->failover_priority = 5);
	ASSIGN(given_released(false), "not clean: the furthest", "released",
	       "node3", false, report_of(3)->at.lsn = LSN + 1);
	ASSIGN(given_released(true), "the new ttl goes with it", "released",
	       "node2", false, w.settings.ttl_ms = 9000);
	NOTHING(given_leader(), "not released", "steady", );
}
END_TEST

START_TEST(a_late_candidate_is_waited_for_a_while)
{
	/* node2's report is older than the release: it may be the better */
	NOTHING(given_released(true), "old report", "released",
		report_of(2)->applied = INDEX - 1);
	ck_assert_int_eq(plan.look_again_ms, NOW + 100);
	ck_assert_ptr_nonnull(strstr(plan.why, "report-too-old"));
	after(1000);
	report_of(2)->applied = INDEX;
	decide();
	expect_assign("it came", "released", "node2", false);

	NOTHING(given_released(true), "old report", "released",
		report_of(2)->applied = INDEX - 1);
	after(2999);
	decide();
	expect_nothing("still", "released");
	after(1);
	decide();
	expect_assign("the other one", "released", "node3", false);
}
END_TEST

START_TEST(the_end_of_the_released_primary_is_waited_for)
{
	NOTHING(given_released(true), "all lack it", "released",
		report_of(2)->at.lsn = report_of(3)->at.lsn = LSN - 1);
	after(500);
	report_of(3)->at.lsn = LSN;
	decide();
	expect_assign("one has it", "released", "node3", false);
	ASSIGN(given_released(true), "who lacks it does not delay who has it",
	       "released", "node2", false, report_of(3)->at.lsn = LSN - 1);
	NOTHING(given_released(true), "positions unknown", "released",
		report_of(2)->at.timeline = report_of(3)->at.timeline = 0);
	ASSIGN(given_released(false), "not clean: no end is demanded",
	       "released", "node2", false,
	       report_of(2)->at.lsn = report_of(3)->at.lsn = LSN - 1);
}
END_TEST

START_TEST(after_the_wait_the_old_holder_may_come_back)
{
	NOTHING(given_released(true), "nobody", "released", given_silence(2);
		given_silence(3));
	after(3000);
	decide();
	expect_nothing("still nobody", "released");
	ck_assert_ptr_nonnull(strstr(plan.why, "node1: not-running"));
	report_of(1)->healthy = true; /* it started as a standby */
	report_of(1)->pg_role = MT_ROLE_REPLICA;
	decide();
	expect_assign("the old holder", "released", "node1", false);
	NOTHING(given_released(true), "not before", "released",
		given_silence(2);
		given_silence(3); report_of(1)->healthy = true;
		report_of(1)->pg_role = MT_ROLE_REPLICA);
}
END_TEST

START_TEST(a_switchover_waits_for_the_candidate_that_was_asked_for)
{
	ASSIGN(given_released(true), "there", "released", "node3", false,
	       given_request("node3"));
	ASSIGN(given_released(true), "anybody", "released", "node2", false,
	       given_request(""));
	NOTHING(given_released(true), "silent", "released",
		given_request("node3");
		given_silence(3));
	after(7999);
	decide();
	expect_nothing("still", "released");
	after(1);
	decide();
	expect_assign("another instead", "released", "node2", false);
}
END_TEST

START_TEST(the_wait_begins_anew_with_each_release)
{
	NOTHING(given_released(true), "nobody", "released", given_silence(2);
		given_silence(3));
	after(2900);
	w.state.leader.epoch += 1;
	w.state.leader.since += 1;
	report_of(1)->healthy = true;
	report_of(1)->pg_role = MT_ROLE_REPLICA;
	decide();
	expect_nothing("of the next epoch", "released");
	after(2900);
	decide();
	expect_nothing("not yet", "released");
}
END_TEST

/* ---- ground C ---------------------------------------------------------- */

START_TEST(a_healthy_holder_is_repaired_after_a_stale_fence)
{
	ASSIGN(given_leader(), "fenced by a voter", "repair", "node1", true,
	       report_of(3)->fenced = EPOCH);
	ck_assert_uint_eq(command->u.assign.min.timeline, 0);
	ASSIGN(given_leader(), "by itself", "repair", "node1", true,
	       report_of(1)->fenced = EPOCH);
	ASSIGN(given_leader(), "above it", "repair", "node1", true,
	       report_of(3)->fenced = EPOCH + 4);
	NOTHING(given_leader(), "an older fence", "steady",
		report_of(3)->fenced = EPOCH - 1);
	NOTHING(given_leader(), "an old report", "steady",
		report_of(3)->fenced = EPOCH;
		given_silence(3));
	NOTHING(given_leader(), "it has given up", "steady",
		report_of(3)->fenced = EPOCH;
		report_of(1)->given_up = EPOCH);
	given_leader();
	report_of(3)->fenced = EPOCH;
	given_silence(1);
	decide();
	expect_rule("a silent holder is not repaired", "holder-silent");
	given_released(true);
	report_of(3)->fenced = EPOCH;
	decide();
	expect_rule("a released turn is not repaired", "released");
}
END_TEST

START_TEST(repairs_are_held_apart)
{
	ASSIGN(given_leader(), "first", "repair", "node1", true,
	       report_of(3)->fenced = EPOCH);
	w.state.leader.epoch++; /* applied, but fenced again */
	report_of(3)->fenced = EPOCH + 1;
	after(1999);
	decide();
	expect_nothing("too early", "repair");
	ck_assert_int_eq(plan.look_again_ms, w.view.now_ms + 1);
	after(1);
	decide();
	expect_assign("again", "repair", "node1", true);
}
END_TEST

START_TEST(another_ttl_comes_with_another_epoch)
{
	ASSIGN(given_leader(), "longer", "ttl", "node1", true,
	       w.settings.ttl_ms = 8000);
	ck_assert_int_eq(command->u.assign.ttl_ms, 8000);
	ASSIGN(given_leader(), "shorter", "ttl", "node1", true,
	       w.settings.ttl_ms = 3000);
	NOTHING(given_leader(), "not while it is not writable", "steady",
		w.settings.ttl_ms = 8000;
		report_of(1)->writable = false);
	given_leader();
	w.settings.ttl_ms = 8000;
	given_silence(1);
	decide();
	expect_rule("not while it is silent", "holder-silent");
}
END_TEST

/* ---- transfer ---------------------------------------------------------- */

/* node1 leads Raft and holds the turn, and has for long. */
static void
given_leading_primary(void)
{
	given_cluster(1);
	mt_controller_init(&c);
	decide();
	after(5000);
}

START_TEST(raft_leadership_moves_away_from_the_primary)
{
	given_leading_primary();
	decide();
	expect_rule("settled", "transfer");
	ck_assert_uint_eq(plan.transfer_to, 2);
	ck_assert_str_ne(plan.why, "");
	after(29999);
	decide();
	expect_nothing("not again so soon", "steady");
	after(1);
	decide();
	expect_rule("again", "transfer");
	NOTHING(given_leading_primary(), "not settled", "steady",
		w.view.now_ms--);
	NOTHING(given_leading_primary(), "the turn is another's", "steady",
		mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2"));
}
END_TEST

START_TEST(raft_leadership_goes_to_a_voter_that_is_up_to_date)
{
	given_leading_primary();
	report_of(2)->applied = INDEX - 1;
	decide();
	ck_assert_uint_eq(plan.transfer_to, 3);
	given_leading_primary();
	seen_of(2)->gone = true;
	decide();
	ck_assert_uint_eq(plan.transfer_to, 3);
	given_leading_primary();
	w.view.voters.raft_id[1] = 9;
	decide();
	ck_assert_uint_eq(plan.transfer_to, 3);
	given_leading_primary();
	given_silence(2);
	decide();
	ck_assert_uint_eq(plan.transfer_to, 3);
	NOTHING(given_leading_primary(), "nobody is", "steady",
		report_of(2)->applied = report_of(3)->applied = 0);
}
END_TEST

/* ---- order ------------------------------------------------------------- */

START_TEST(the_order_of_the_rules_holds)
{
	static const char *const want[] = {
	    "members",          "initialize",    "released", "repair", "ttl",
	    "holder-suspected", "holder-silent", "transfer", "steady",
	};
	const char *const *have = mt_controller_rules();

	for (size_t i = 0; i < MT_COUNT(want); i++)
		ck_assert_str_eq(have[i], want[i]);
	ck_assert_ptr_null(have[MT_COUNT(want)]);

	COMMAND(given_new_leader_of_a_new_cluster(), "members before the claim",
		"members", MT_CMD_MEMBER_PUT, w.state.n_members = 2);
	COMMAND(given_released(true), "members before a release", "members",
		MT_CMD_MEMBER_PUT, w.state.n_members = 2);
	ASSIGN(given_leader(), "repair before ttl: both in one", "repair",
	       "node1", true, report_of(3)->fenced = EPOCH;
	       w.settings.ttl_ms = 8000);
	ck_assert_int_eq(command->u.assign.ttl_ms, 8000);
	ASSIGN(given_leading_primary(), "ttl before transfer", "ttl", "node1",
	       true, w.settings.ttl_ms = 8000);
}
END_TEST

int
main(void)
{
	RUN_TESTS("controller", only_the_raft_leader_decides,
		  what_was_remembered_is_of_one_term_and_epoch,
		  members_are_put_when_they_are_new_or_changed,
		  a_claim_is_made_when_all_voters_are_there,
		  a_missing_voter_is_waited_for_but_not_for_ever,
		  nothing_is_initialized_beside_data_or_without_anybody,
		  data_that_is_there_is_claimed_by_its_id,
		  a_claim_of_data_lasts_as_long_as_the_data_is_as_it_was,
		  a_claim_is_withdrawn_from_who_failed_or_fell_silent,
		  a_released_turn_goes_to_the_best_at_once,
		  a_late_candidate_is_waited_for_a_while,
		  the_end_of_the_released_primary_is_waited_for,
		  after_the_wait_the_old_holder_may_come_back,
		  a_switchover_waits_for_the_candidate_that_was_asked_for,
		  the_wait_begins_anew_with_each_release,
		  a_healthy_holder_is_repaired_after_a_stale_fence,
		  repairs_are_held_apart, another_ttl_comes_with_another_epoch,
		  raft_leadership_moves_away_from_the_primary,
		  raft_leadership_goes_to_a_voter_that_is_up_to_date,
		  the_order_of_the_rules_holds);
}
