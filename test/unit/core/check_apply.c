/* SPDX-License-Identifier: PostgreSQL */
/*
 * Commands applied to the state: what each changes, and that a refusal changes
 * nothing but the index. Here members, bootstrap and turns; requests are in
 * check_apply_request.c, what the holder tells is in check_apply_holder.c.
 */
#include "apply.h"
#include "test/unit/run.h"

/* ---- members ----------------------------------------------------------- */

START_TEST(members_are_kept_in_the_order_of_their_names)
{
	static const char *const names[] = {"m", "b", "z", "a", "n", "aa"};

	mt_state_init(&s);
	for (size_t i = 0; i < MT_COUNT(names); i++)
		applied(&s, member_put(names[i], i + 1));
	ck_assert_int_eq(s.n_members, MT_COUNT(names));
	for (int i = 1; i < s.n_members; i++)
		ck_assert_int_lt(
		    strcmp(s.members[i - 1].name, s.members[i].name), 0);
	ck_assert_uint_eq(mt_state_member(&s, "z")->raft_id, 3);
	ck_assert_str_eq(mt_state_member(&s, "z")->peer_addr, "z:2380");
	mt_state_release(&s);
}
END_TEST

START_TEST(a_known_member_is_replaced_in_its_place)
{
	mt_state_init(&s);
	applied(&s, member_put("a", 1));
	applied(&s, member_put("b", 2));
	applied(&s, member_put("c", 3));
	applied(&s, member_put("b", 22));
	ck_assert_int_eq(s.n_members, 3);
	ck_assert_uint_eq(s.members[1].raft_id, 22);
}
END_TEST

START_TEST(there_is_room_for_so_many_members)
{
	char name[MT_NAME_MAX];

	mt_state_init(&s);
	for (int i = MT_NODES_MAX; i > 0; i--) {
		mt_format(name, sizeof(name), "n%02d", i);
		applied(&s, member_put(name, (uint64_t)i));
	}
	refused("first in order", member_put("a", 99));
	refused("last in order", member_put("z", 99));
	applied(&s, member_put("n07", 77)); /* a known one may change */
	ck_assert_uint_eq(mt_state_member(&s, "n07")->raft_id, 77);
	ck_assert_int_eq(s.n_members, MT_NODES_MAX);
}
END_TEST

/* ---- bootstrap --------------------------------------------------------- */

START_TEST(one_member_with_postgresql_may_claim)
{
	given_members(&s);
	refused("nobody", claim("nobody", 1));
	refused("a witness", claim("x", 1));
	applied(&s, claim("a", 10));
	ck_assert_str_eq(s.claim.member, "a");
	ck_assert_uint_eq(s.claim.incarnation, 10);
	refused("another", claim("b", 1));
	refused("itself again", claim("a", 10));
	given_initialized(&s);
	refused("it is initialized", claim("b", 1));
	mt_state_release(&s);
}
END_TEST

START_TEST(a_claim_is_withdrawn_as_it_was_made)
{
	given_members(&s);
	refused("none stands", withdraw("a", 10));
	applied(&s, claim("a", 10));
	refused("of another life", withdraw("a", 9));
	refused("of another", withdraw("b", 10));
	applied(&s, withdraw("a", 10));
	ck_assert_str_eq(s.claim.member, "");
	ck_assert_uint_eq(s.claim.incarnation, 0);
	applied(&s, claim("b", 1));
}
END_TEST

/* The member was slow, so its claim was withdrawn and made anew; what it wished
 * under the first comes now. */
START_TEST(what_was_proposed_under_one_claim_does_nothing_under_the_next)
{
	json_t *config = json_pack("{s:i}", "ttl", 5);
	struct mt_command late = initialize("a", 10, config);
	struct mt_command again = withdraw("a", 10);

	given_members(&s);
	applied(&s, claim("a", 10));
	late.u.initialize.claim = again.u.withdraw = s.claim;
	ck_assert_uint_eq(s.claim.index, s.index);
	applied(&s, again);
	applied(&s, claim("a", 10));
	refused("under the first", late);
	refused("it is withdrawn already", again);
	late.u.initialize.claim = s.claim;
	applied(&s, late);
	json_decref(config);
	mt_state_release(&s);
}
END_TEST

START_TEST(the_claimant_initializes_and_holds_epoch_1)
{
	json_t *config = json_pack("{s:i}", "ttl", 5);
	const struct mt_decision *d;

	given_members(&s);
	refused("no claim", initialize("a", 10, config));
	applied(&s, claim("a", 10));
	refused("of another life", initialize("a", 11, config));
	refused("of another", initialize("b", 10, config));
	applied(&s, initialize("a", 10, config));
	ck_assert_str_eq(s.sysid, SYSID);
	ck_assert_str_eq(s.claim.member, "");
	ck_assert(json_equal(s.config, config));
	ck_assert_uint_eq(s.config_version, 1);
	ck_assert_uint_eq(s.leader.epoch, 1);
	ck_assert_uint_eq(s.leader.since, 1);
	ck_assert_str_eq(s.leader.holder, "a");
	ck_assert_int_eq(s.leader.ttl_ms, 5000);
	ck_assert(s.leader.continues && !s.leader.released);
	ck_assert_uint_eq(s.leader.index, s.index);
	d = mt_state_decision(&s, 1);
	ck_assert_str_eq(d->rule, "bootstrap");
	ck_assert_str_eq(d->to, "a");
	ck_assert_uint_eq(d->epoch, 1);
	ck_assert_int_eq(d->at_ms, 1700000000000);
	refused("again", initialize("a", 10, config));
	mt_state_release(&s);
	json_decref(config);
}
END_TEST

/* ---- the turn ---------------------------------------------------------- */

START_TEST(an_assignment_begins_a_turn_under_the_next_epoch)
{
	given_initialized(&s);
	applied(&s, assign(1, false, "b", false));
	ck_assert_uint_eq(s.leader.epoch, 2);
	ck_assert_uint_eq(s.leader.since, 2);
	ck_assert_str_eq(s.leader.holder, "b");
	ck_assert_int_eq(s.leader.ttl_ms, 6000);
	ck_assert(!s.leader.continues);
	ck_assert_uint_eq(s.leader.min.lsn, 100);
	ck_assert_uint_eq(s.leader.min.timeline, 2);
	ck_assert_uint_eq(s.leader.index, s.index);
	mt_state_release(&s);
}
END_TEST

START_TEST(a_continued_turn_keeps_its_begin)
{
	given_initialized(&s);
	applied(&s, assign(1, false, "b", false));
	applied(&s, assign(2, false, "b", true));
	applied(&s, assign(3, false, "b", true));
	ck_assert_uint_eq(s.leader.epoch, 4);
	ck_assert_uint_eq(s.leader.since, 2);
	ck_assert(s.leader.continues);
	applied(&s, assign(4, false, "b", false)); /* the same, but anew */
	ck_assert_uint_eq(s.leader.epoch, 5);
	ck_assert_uint_eq(s.leader.since, 5);
	mt_state_release(&s);
}
END_TEST

START_TEST(no_two_turns_share_a_timeline)
{
	given_initialized(&s);
	ck_assert_uint_eq(s.leader.timeline, 1);
	/* the new holder is on timeline 2: the next is 3 */
	applied(&s, assign(1, false, "b", false));
	ck_assert_uint_eq(s.leader.timeline, 3);
	applied(&s, assign(2, false, "b", true)); /* no promotion */
	ck_assert_uint_eq(s.leader.timeline, 3);
	/* it never promoted: its number is not given again */
	applied(&s, assign(3, false, "a", false));
	ck_assert_uint_eq(s.leader.timeline, 4);
	applied(&s, release(4, "a", true));
	ck_assert_uint_eq(s.leader.timeline, 4);
	applied(&s, assign(4, true, "a", false));
	ck_assert_uint_eq(s.leader.timeline, 5);
	mt_state_release(&s);
}
END_TEST

START_TEST(each_ground_on_which_an_assignment_is_refused)
{
	given_members(&s);
	refused("not initialized", assign(0, false, "a", false));
	given_initialized(&s);
	refused("an older epoch", assign(0, false, "b", false));
	refused("a newer epoch", assign(2, false, "b", false));
	refused("not released", assign(1, true, "b", false));
	refused("nobody", assign(1, false, "nobody", false));
	refused("a witness", assign(1, false, "x", false));
	refused("another continues", assign(1, false, "b", true));
	applied(&s, release(1, "a", true));
	refused("released meanwhile", assign(1, false, "b", false));
	refused("a released turn continues", assign(1, true, "a", true));
	applied(&s, assign(1, true, "b", false));
	refused("the same twice", assign(1, true, "b", false));
	mt_state_release(&s);
}
END_TEST

START_TEST(an_assignment_forgets_the_release)
{
	given_initialized(&s);
	applied(&s, release(1, "a", true));
	applied(&s, assign(1, true, "a", false));
	ck_assert(!s.leader.released && !s.leader.clean);
	ck_assert_uint_eq(s.leader.end.timeline, 0);
	ck_assert_uint_eq(s.leader.end.lsn, 0);
	mt_state_release(&s);
}
END_TEST

START_TEST(the_holder_releases_its_epoch)
{
	given_initialized(&s);
	refused("another", release(1, "b", true));
	refused("another epoch", release(2, "a", true));
	refused("epoch 0", release(0, "a", true));
	applied(&s, release(1, "a", true));
	ck_assert(s.leader.released && s.leader.clean);
	ck_assert_uint_eq(s.leader.end.lsn, 0x5000028);
	ck_assert_uint_eq(s.leader.index, s.index);
	ck_assert_uint_eq(s.status.optime.lsn, 0x5000028);
	ck_assert_uint_eq(s.leader.epoch, 1);
	refused("twice", release(1, "a", true));
	ck_assert_uint_ne(s.leader.index, s.index);
	mt_state_release(&s);
}
END_TEST

START_TEST(a_release_that_is_not_clean_tells_no_end)
{
	given_initialized(&s);
	applied(&s, status_put(1, "a", 77));
	applied(&s, release(1, "a", false));
	ck_assert(s.leader.released && !s.leader.clean);
	ck_assert_uint_eq(s.leader.end.timeline, 0);
	ck_assert_uint_eq(s.status.optime.lsn, 77);
	mt_state_release(&s);
}
END_TEST

START_TEST(epochs_only_grow)
{
	uint64_t epoch = 0;

	given_initialized(&s);
	for (int i = 0; i < 300; i++) {
		struct mt_command cmd;
		const char *who = i % 3 == 0 ? "b" : "a";

		cmd = i % 7 == 0
			  ? release(s.leader.epoch, s.leader.holder, i % 2)
			  : assign(s.leader.epoch - (i % 5 == 0),
				   s.leader.released, who, i % 4 == 0);
		(void)apply(&s, &cmd);
		ck_assert_uint_ge(s.leader.epoch, epoch);
		ck_assert_uint_le(s.leader.since, s.leader.epoch);
		epoch = s.leader.epoch;
	}
	ck_assert_uint_gt(epoch, 50);
	mt_state_release(&s);
}
END_TEST

START_TEST(decisions_are_numbered_and_the_newest_are_kept)
{
	given_initialized(&s);
	for (int i = 0; i < 250; i++)
		applied(&s, assign(s.leader.epoch, false, "b", i > 0));
	ck_assert_uint_eq(s.last_decision, 251);
	for (uint64_t id = 0; id <= 260; id++) {
		const struct mt_decision *d = mt_state_decision(&s, id);

		if (id <= 251 - MT_DECISIONS_MAX || id > 251) {
			ck_assert_ptr_null(d);
			continue;
		}
		ck_assert_uint_eq(d->id, id);
		ck_assert_uint_eq(d->epoch, id);
		ck_assert_int_eq(d->n_verdicts, 2);
		ck_assert_uint_eq(d->verdicts[1].at.lsn, BIG);
	}
	mt_state_release(&s);
}
END_TEST

static const struct mt_decision *
newest(void)
{
	return mt_state_decision(&s, s.last_decision);
}

START_TEST(the_new_holder_times_its_own_decision_once)
{
	given_initialized(&s);
	applied(&s, assign(1, false, "b", false));
	refused("of another epoch", decision_put(2, 1, "b"));
	refused("of another holder", decision_put(2, 2, "a"));
	refused("of none", decision_put(3, 2, "b"));
	refused("of none", decision_put(0, 0, ""));
	applied(&s, decision_put(2, 2, "b"));
	ck_assert_int_eq(newest()->phases.leased_ms, 10);
	ck_assert_int_eq(newest()->phases.promoted_ms, 20);
	ck_assert_int_eq(newest()->phases.writable_ms, 30);
	refused("twice", decision_put(2, 2, "b"));
	mt_state_release(&s);
}
END_TEST

START_TEST(what_a_member_throws_away_is_recorded_once)
{
	given_initialized(&s);
	refused("another epoch", rejoin_put(2, "b", 0x1000060));
	refused("no member", rejoin_put(1, "z", 0x1000060));
	applied(&s, rejoin_put(1, "b", 0x1000060));
	ck_assert_str_eq(newest()->rule, "rejoin");
	ck_assert_str_eq(newest()->from, "b");
	ck_assert_str_eq(newest()->to, "a");
	ck_assert_str_eq(newest()->why,
			 "throws away 96 bytes, 0/1000000 to 0/1000060 of "
			 "timeline 1, by pg_rewind");
	ck_assert_uint_eq(newest()->loss.to, 0x1000060);
	ck_assert_int_eq(newest()->at_ms, 1700000000002);
	refused("twice", rejoin_put(1, "b", 0x1000060));
	applied(&s, rejoin_put(1, "b", 0x1000080));
	applied(&s, rejoin_put(1, "a", 0x1000080));
	mt_state_release(&s);
}
END_TEST

START_TEST(a_release_and_a_failed_switchover_are_decisions)
{
	struct mt_command failed = request_clear(0);

	given_initialized(&s);
	applied(&s, request_put("a", "b"));
	failed.u.request_clear.id = s.request.id;
	failed.u.request_clear.ok = false;
	mt_copy(failed.u.request_clear.text, MT_WHY_MAX, "b: silent");
	failed.seen.at_ms = 1700000000003;
	failed.seen.n_verdicts = 1;
	mt_copy(failed.seen.verdicts[0].rule, MT_RULE_MAX, "silent");
	applied(&s, failed);
	ck_assert_str_eq(newest()->rule, "switchover-failed");
	ck_assert_str_eq(newest()->from, "a");
	ck_assert_str_eq(newest()->to, "b");
	ck_assert_str_eq(newest()->why, "b: silent");
	ck_assert_int_eq(newest()->at_ms, 1700000000003);
	ck_assert_str_eq(newest()->verdicts[0].rule, "silent");
	applied(&s, release(1, "a", true));
	ck_assert_str_eq(newest()->rule, "release");
	ck_assert_str_eq(newest()->from, "a");
	ck_assert_str_eq(newest()->to, "");
	ck_assert_str_eq(newest()->why, "asked to end");
	ck_assert_uint_eq(newest()->epoch, 1);
	ck_assert_uint_eq(newest()->optime.lsn, 0x5000028);
	mt_state_release(&s);
}
END_TEST

START_TEST(a_failed_failover_is_a_decision)
{
	struct mt_command put = request_put("", "b");
	struct mt_command failed = request_clear(0);

	given_initialized(&s);
	put.u.request_put.kind = MT_REQUEST_FAILOVER;
	applied(&s, put);
	failed.u.request_clear.id = s.request.id;
	failed.u.request_clear.ok = false;
	applied(&s, failed);
	ck_assert_str_eq(newest()->rule, "failover-failed");
	ck_assert_str_eq(newest()->from, "");
	ck_assert_str_eq(newest()->to, "b");
	mt_state_release(&s);
}
END_TEST

/* ---- what is not known ------------------------------------------------- */

START_TEST(what_is_not_known_is_not_skipped)
{
	static const char *const unknown[] = {
	    "{\"v\":3,\"c\":\"member.put\"}",
	    "{\"v\":1,\"c\":\"leader.unheard\"}",
	    "{\"v\":9000000000000000000,\"c\":\"member.put\"}",
	    "{\"v\":7,\"c\":\"x\",\"whatever\":[1,2,{}]}",
	};

	for (size_t i = 0; i < MT_COUNT(unknown); i++) {
		struct mt_err err;
		uint64_t digest;

		given_members(&s);
		digest = mt_state_digest(&s);
		ck_assert_int_eq(mt_state_apply(&s, s.index + 1, unknown[i],
						strlen(unknown[i]), &err),
				 MT_EREFUSED);
		ck_assert_uint_ne(s.unknown_command, 0);
		ck_assert_uint_eq(mt_state_digest(&s), digest);
		ck_assert_ptr_nonnull(strstr(err.text, "upgrade"));
	}
}
END_TEST

START_TEST(what_is_no_command_moves_the_index_only)
{
	static const char *const bad[] = {
	    "",
	    "x",
	    "[]",
	    "{}",
	    "{\"v\":1}",
	    "{\"c\":\"member.put\"}",
	    "{\"v\":0,\"c\":\"member.put\"}",
	    "{\"v\":1,\"c\":\"member.put\"}",
	    "{\"v\":1,\"c\":\"member.put\",\"member\":{\"name\":\"\"}}",
	    "{\"v\":1,\"c\":\"none\"",
	};

	for (size_t i = 0; i < MT_COUNT(bad); i++) {
		uint64_t index, digest;

		given_members(&s);
		index = s.index;
		digest = digest_at(0);
		ck_assert_int_eq(
		    mt_state_apply(&s, index + 1, bad[i], strlen(bad[i]), NULL),
		    MT_EPROTO);
		ck_assert_uint_eq(s.index, index + 1);
		ck_assert_uint_eq(s.unknown_command, 0);
		ck_assert_uint_eq(digest_at(0), digest);
	}
}
END_TEST

START_TEST(equal_histories_have_equal_digests)
{
	struct mt_state other;
	struct mt_command first = member_put("c", 4);
	struct mt_command second = member_put("d", 5);

	given_initialized(&s);
	given_initialized(&other);
	ck_assert_uint_eq(mt_state_digest(&s), mt_state_digest(&other));
	applied(&s, first);
	ck_assert_uint_ne(mt_state_digest(&s), mt_state_digest(&other));
	applied(&other, second);
	ck_assert_uint_ne(mt_state_digest(&s), mt_state_digest(&other));
	applied(&s, second);
	applied(&other, first);
	ck_assert_uint_eq(mt_state_digest(&s), mt_state_digest(&other));
	mt_state_release(&s);
	mt_state_release(&other);
}
END_TEST

int
main(void)
{
	RUN_TESTS(
	    "apply", members_are_kept_in_the_order_of_their_names,
	    a_known_member_is_replaced_in_its_place,
	    there_is_room_for_so_many_members,
	    one_member_with_postgresql_may_claim,
	    a_claim_is_withdrawn_as_it_was_made,
	    what_was_proposed_under_one_claim_does_nothing_under_the_next,
	    the_claimant_initializes_and_holds_epoch_1,
	    an_assignment_begins_a_turn_under_the_next_epoch,
	    a_continued_turn_keeps_its_begin, no_two_turns_share_a_timeline,
	    each_ground_on_which_an_assignment_is_refused,
	    an_assignment_forgets_the_release, the_holder_releases_its_epoch,
	    a_release_that_is_not_clean_tells_no_end, epochs_only_grow,
	    decisions_are_numbered_and_the_newest_are_kept,
	    the_new_holder_times_its_own_decision_once,
	    what_a_member_throws_away_is_recorded_once,
	    a_release_and_a_failed_switchover_are_decisions,
	    a_failed_failover_is_a_decision, what_is_not_known_is_not_skipped,
	    what_is_no_command_moves_the_index_only,
	    equal_histories_have_equal_digests);
}
