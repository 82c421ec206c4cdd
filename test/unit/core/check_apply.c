/* SPDX-License-Identifier: PostgreSQL */
/*
 * Commands applied to the state: what each changes, and that a refusal changes
 * nothing but the index.
 */
#include "core/command.h"

#include "given_command.h"
#include "run.h"

static struct mt_state s;

/* The digest as if nothing but the index had moved. */
static uint64_t
digest_at(uint64_t index)
{
	uint64_t index_now = s.index, digest;

	s.index = index;
	digest = mt_state_digest(&s);
	s.index = index_now;
	return digest;
}

static void
refused(const char *what, struct mt_command cmd)
{
	uint64_t digest = digest_at(0), index = s.index;
	int rv = apply(&s, &cmd);

	ck_assert_msg(rv == MT_EREFUSED, "%s: %d", what, rv);
	ck_assert_msg(s.index == index + 1, "%s: the index moves", what);
	ck_assert_msg(digest_at(0) == digest, "%s: nothing else does", what);
	ck_assert_msg(s.unknown_command == 0, "%s", what);
}

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

/* ---- requests ---------------------------------------------------------- */

START_TEST(one_request_stands_at_a_time)
{
	given_members(&s);
	refused("not initialized", request_put("a", "b"));
	given_initialized(&s);
	refused("not the leader", request_put("b", "a"));
	applied(&s, request_put("a", "b"));
	ck_assert_int_eq(s.request.kind, MT_REQUEST_SWITCHOVER);
	ck_assert_uint_eq(s.request.id, s.index);
	ck_assert_str_eq(s.request.leader, "a");
	ck_assert_str_eq(s.request.candidate, "b");
	refused("another", request_put("a", ""));
	applied(&s, request_clear(s.request.id));
	applied(&s, release(1, "a", true));
	refused("nobody leads", request_put("a", "b"));
	mt_state_release(&s);
}
END_TEST

START_TEST(a_request_is_cleared_by_its_id)
{
	uint64_t id;

	given_initialized(&s);
	refused("none", request_clear(0));
	refused("none stands", request_clear(s.index));
	applied(&s, request_put("a", "b"));
	id = s.request.id;
	refused("another", request_clear(id + 1));
	applied(&s, request_clear(id));
	ck_assert_int_eq(s.request.kind, MT_REQUEST_NONE);
	ck_assert_uint_eq(s.request.id, 0);
	ck_assert_uint_eq(s.outcome.id, id);
	ck_assert(s.outcome.ok);
	ck_assert_str_eq(s.outcome.text, "it was withdrawn");
	refused("twice", request_clear(id));
	mt_state_release(&s);
}
END_TEST

START_TEST(an_assignment_settles_the_request)
{
	static const struct {
		const char *candidate, *holder;
		bool ok;
		const char *text;
	} rows[] = {
	    {"b", "b", true, "Successfully switched over to \"b\""},
	    {"", "b", true, "Successfully switched over to \"b\""},
	    {"b", "c", true, "Switched over to \"c\" instead of \"b\""},
	    {"b", "a", false, "Switchover failed"},
	    {"", "a", false, "Switchover failed"},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		uint64_t id;

		given_initialized(&s);
		applied(&s, member_put("c", 4));
		applied(&s, request_put("a", rows[i].candidate));
		id = s.request.id;
		applied(&s, release(1, "a", true));
		ck_assert_int_eq(s.request.kind, MT_REQUEST_SWITCHOVER);
		applied(&s, assign(1, true, rows[i].holder, false));
		ck_assert_int_eq(s.request.kind, MT_REQUEST_NONE);
		ck_assert_uint_eq(s.outcome.id, id);
		ck_assert(s.outcome.ok == rows[i].ok);
		ck_assert_str_eq(s.outcome.text, rows[i].text);
		mt_state_release(&s);
	}
}
END_TEST

START_TEST(a_failover_needs_no_leader_but_a_candidate)
{
	struct mt_command c = failover_put("b");

	given_members(&s);
	refused("not initialized", c);
	given_initialized(&s);
	refused("nobody", failover_put("z"));
	refused("a witness", failover_put("x"));
	refused("the leader", failover_put("a"));
	c.u.request_put.scheduled_ms = 1;
	refused("scheduled", c);
	c = request_put("a", "b");
	c.u.request_put.accept_loss = true;
	refused("a switchover loses nothing", c);
	c = failover_put("b");
	mt_copy(c.u.request_put.leader, MT_NAME_MAX, "a");
	refused("with a leader", c);
	applied(&s, failover_put("b"));
	ck_assert_int_eq(s.request.kind, MT_REQUEST_FAILOVER);
	refused("another", failover_put("b"));
	refused("another", request_put("a", "b"));
	applied(&s, request_clear(s.request.id));
	applied(&s, release(1, "a", true));
	applied(&s, failover_put("b"));
	applied(&s, request_clear(s.request.id));
	applied(&s, failover_put("a"));
	mt_state_release(&s);
}
END_TEST

START_TEST(an_assignment_settles_the_failover)
{
	static const struct {
		const char *candidate, *holder;
		bool ok;
		const char *text;
	} rows[] = {
	    {"b", "b", true, "Successfully failed over to \"b\""},
	    {"b", "c", true, "Failed over to \"c\" instead of \"b\""},
	    {"b", "a", false, "Failover failed"},
	    {"a", "a", true, "Successfully failed over to \"a\""},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		given_initialized(&s);
		applied(&s, member_put("c", 4));
		applied(&s, release(1, "a", false));
		applied(&s, failover_put(rows[i].candidate));
		applied(&s, assign(1, true, rows[i].holder, false));
		ck_assert_int_eq(s.request.kind, MT_REQUEST_NONE);
		ck_assert(s.outcome.ok == rows[i].ok);
		ck_assert_str_eq(s.outcome.text, rows[i].text);
		mt_state_release(&s);
	}
}
END_TEST

START_TEST(what_is_scheduled_is_replaced_by_who_has_seen_it)
{
	uint64_t first;

	given_initialized(&s);
	refused("in place of nothing", scheduled_put("a", 5000, 3));
	refused("no member", scheduled_put("z", 5000, 0));
	/* Who leads counts when it is due. */
	applied(&s, scheduled_put("b", 5000, 0));
	ck_assert(!mt_state_is_asked(&s));
	first = s.request.id;
	refused("not seen", scheduled_put("a", 6000, 0));
	refused("not seen, at once", request_put("a", "b"));
	applied(&s, scheduled_put("a", 6000, first));
	ck_assert_int_eq(s.request.scheduled_ms, 6000);
	refused("the older one", scheduled_put("a", 7000, first));
	refused("the older one's end", request_clear(first));
	/* It is due. */
	applied(&s, scheduled_put("a", 0, s.request.id));
	ck_assert(mt_state_is_asked(&s));
	refused("under way", scheduled_put("a", 8000, s.request.id));
	mt_state_release(&s);
}
END_TEST

START_TEST(what_is_scheduled_ends_with_the_turn_of_another)
{
	given_initialized(&s);
	applied(&s, scheduled_put("a", 5000, 0));
	applied(&s, release(1, "a", true));
	applied(&s, assign(1, true, "a", false));
	ck_assert_int_eq(s.request.scheduled_ms, 5000);
	applied(&s, assign(2, false, "b", false));
	ck_assert_int_eq(s.request.kind, MT_REQUEST_NONE);
	ck_assert(!s.outcome.ok);
	ck_assert_str_eq(s.outcome.text,
			 "Switchover failed: the leader has changed");
	mt_state_release(&s);
}
END_TEST

START_TEST(a_continued_turn_settles_nothing)
{
	given_initialized(&s);
	applied(&s, request_put("a", "b"));
	applied(&s, assign(1, false, "a", true));
	ck_assert_int_eq(s.request.kind, MT_REQUEST_SWITCHOVER);
	ck_assert_uint_eq(s.outcome.id, 0);
	/* and without a request the last outcome stands */
	applied(&s, request_clear(s.request.id));
	applied(&s, assign(2, false, "b", false));
	ck_assert_str_eq(s.outcome.text, "it was withdrawn");
	mt_state_release(&s);
}
END_TEST

/* ---- what the holder tells --------------------------------------------- */

START_TEST(only_the_holder_tells_history_and_status)
{
	given_members(&s);
	refused("not initialized", status_put(0, "", 1));
	given_initialized(&s);
	refused("another", status_put(1, "b", 1));
	refused("another epoch", status_put(2, "a", 1));
	refused("another", history_put(1, "b", 1));
	refused("another epoch", history_put(2, "a", 1));
	applied(&s, status_put(1, "a", 99));
	ck_assert_uint_eq(s.status.optime.lsn, 99);
	ck_assert_uint_eq(s.status.optime.timeline, 1);
	applied(&s, status_put(1, "a", 98)); /* it knows */
	ck_assert_uint_eq(s.status.optime.lsn, 98);
	applied(&s, release(1, "a", false));
	refused("released", status_put(1, "a", 1));
	refused("released", history_put(1, "a", 1));
	mt_state_release(&s);
}
END_TEST

START_TEST(a_history_replaces_the_older_one)
{
	given_initialized(&s);
	applied(&s, history_put(1, "a", 5));
	ck_assert_int_eq(s.n_history, 5);
	ck_assert_uint_eq(s.history[4].timeline, 5);
	ck_assert_uint_eq(s.history[4].lsn, 80);
	ck_assert_uint_eq(s.history_of, 6);
	applied(&s, history_put(1, "a", 3));
	ck_assert_int_eq(s.n_history, 3);
	ck_assert_uint_eq(s.history_of, 4);
	ck_assert_uint_eq(mt_state_fork_lsn(&s, 3), 48);
	ck_assert_uint_eq(mt_state_fork_lsn(&s, 5), 0);
	applied(&s, history_put(1, "a", MT_HISTORY_MAX));
	ck_assert_int_eq(s.n_history, MT_HISTORY_MAX);
	mt_state_release(&s);
}
END_TEST

START_TEST(a_history_keeps_who_followed_when)
{
	struct mt_command cmd = history_put(1, "a", 2);

	mt_copy(cmd.u.history_put.lines[1].new_leader, MT_NAME_MAX, "b");
	cmd.u.history_put.lines[1].at_ms = 1234;
	given_initialized(&s);
	applied(&s, cmd);
	/* The server's own file knows neither. */
	applied(&s, history_put(1, "a", 3));
	ck_assert_str_eq(s.history[1].new_leader, "b");
	ck_assert_int_eq(s.history[1].at_ms, 1234);
	ck_assert_str_eq(s.history[0].new_leader, "");
	ck_assert_str_eq(s.history[2].new_leader, "");
	/* Another end of that timeline is another event. */
	cmd = history_put(1, "a", 3);
	cmd.u.history_put.lines[1].lsn++;
	applied(&s, cmd);
	ck_assert_str_eq(s.history[1].new_leader, "");
	ck_assert_uint_eq(s.history[1].lsn, 33);
	mt_state_release(&s);
}
END_TEST

START_TEST(the_document_changes_from_the_version_that_was_seen)
{
	json_t *config = json_pack("{s:i}", "ttl", 9);

	given_members(&s);
	refused("not initialized", config_put(0, config));
	given_initialized(&s);
	refused("an older one", config_put(0, config));
	refused("a newer one", config_put(2, config));
	applied(&s, config_put(1, config));
	ck_assert_uint_eq(s.config_version, 2);
	ck_assert(json_equal(s.config, config));
	refused("twice", config_put(1, config));
	applied(&s, config_put(2, config));
	ck_assert_uint_eq(s.config_version, 2); /* nothing changed */
	mt_state_release(&s);
	json_decref(config);
}
END_TEST

/* ---- synchronous sets -------------------------------------------------- */

START_TEST(the_holder_puts_the_sets_from_the_version_that_it_saw)
{
	given_initialized(&s);
	ck_assert_uint_eq(s.sync.version, 0);
	ck_assert(!mt_sync_stands(&s));
	applied(&s, sync_put(1, "a", 0, "bc", 1));
	ck_assert_uint_eq(s.sync.version, 1);
	ck_assert_str_eq(s.sync.leader, "a");
	ck_assert(s.sync.n == 2 && s.sync.k == 1 && mt_sync_stands(&s));
	ck_assert_int_eq(mt_sync_find(&s.sync, "c"), 1);
	ck_assert_int_eq(mt_sync_find(&s.sync, "d"), -1);
	ck_assert_uint_eq(s.sync.standbys[0].data_id, BIG + 'b');
	/* the same again settles what was in doubt */
	applied(&s, sync_put(1, "a", 1, "bc", 1));
	ck_assert_uint_eq(s.sync.version, 2);
	refused("an older version", sync_put(1, "a", 1, "b", 1));
	refused("a newer version", sync_put(1, "a", 3, "b", 1));
	refused("another member", sync_put(1, "b", 2, "b", 1));
	refused("another epoch", sync_put(2, "a", 2, "b", 1));
	applied(&s, sync_put(1, "a", 2, "", 0));
	ck_assert(s.sync.n == 0 && !mt_sync_stands(&s));
	ck_assert_uint_eq(s.sync.version, 3);
	applied(&s, release(1, "a", true));
	refused("released", sync_put(1, "a", 3, "b", 1));
	mt_state_release(&s);
}
END_TEST

START_TEST(an_assignment_counted_over_the_sets_as_they_are)
{
	struct mt_command c = assign(1, false, "b", false);

	given_initialized(&s);
	applied(&s, sync_put(1, "a", 0, "bc", 1));
	refused("before the sets", c);
	c.u.assign.expect_sync = 2;
	refused("after them", c);
	c.u.assign.expect_sync = 1;
	applied(&s, c);
	ck_assert_str_eq(s.leader.holder, "b");
	mt_state_release(&s);
}
END_TEST

START_TEST(an_assignment_leaves_the_sets_as_they_are)
{
	struct mt_command c = assign(1, false, "b", false);
	struct mt_sync before;

	given_initialized(&s);
	applied(&s, sync_put(1, "a", 0, "bc", 2));
	before = s.sync;
	c.u.assign.expect_sync = 1;
	applied(&s, c);
	ck_assert_mem_eq(&s.sync, &before, sizeof(before));
	refused("the old holder's, late", sync_put(1, "a", 1, "c", 1));
	refused("in the new epoch", sync_put(2, "a", 1, "c", 1));
	applied(&s, sync_put(2, "b", 1, "c", 1));
	ck_assert_str_eq(s.sync.leader, "b");
	mt_state_release(&s);
}
END_TEST

START_TEST(a_sync_fence_is_remembered_until_promises_have_ended)
{
	static const struct {
		enum mt_ground ground;
		bool before, after;
	} rows[] = {
	    {MT_GROUND_SYNC_FENCE, false, true},
	    {MT_GROUND_SYNC_FENCE, true, true},
	    {MT_GROUND_PROMISES, true, false},
	    {MT_GROUND_PROMISES, false, false},
	    {MT_GROUND_RELEASE, true, true},
	    {MT_GROUND_RELEASE, false, false},
	    {MT_GROUND_CONTINUE, true, true},
	    {MT_GROUND_CONTINUE, false, false},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		bool same = rows[i].ground == MT_GROUND_CONTINUE;
		struct mt_command c = assign(1, false, same ? "a" : "b", same);

		c.u.assign.ground = rows[i].ground;
		given_initialized(&s);
		applied(&s, sync_put(1, "a", 0, "bc", 1));
		c.u.assign.expect_sync = 1;
		s.leader.after_fence = rows[i].before;
		applied(&s, c);
		ck_assert_msg(s.leader.after_fence == rows[i].after, "row %zu",
			      i);
		mt_state_release(&s);
	}
}
END_TEST

START_TEST(only_a_set_that_stands_is_a_ground_to_displace)
{
	struct mt_command c = assign(1, false, "b", false);

	c.u.assign.ground = MT_GROUND_SYNC_FENCE;
	given_initialized(&s);
	refused("there was never a set", c);
	applied(&s, sync_put(1, "a", 0, "bc", 1));
	refused("it was not seen", c);
	c.u.assign.expect_sync = 1;
	applied(&s, sync_put(1, "a", 1, "", 0));
	refused("it has changed", c);
	c.u.assign.expect_sync = 2;
	refused("it has ended", c);
	ck_assert_uint_eq(s.leader.epoch, 1);
	applied(&s, sync_put(1, "a", 2, "b", 1));
	c.u.assign.expect_sync = 3;
	s.leader.exempt = 5;
	refused("exempt", c);
	s.leader.exempt = 0;
	applied(&s, c);
	ck_assert_str_eq(s.leader.holder, "b");
	ck_assert(s.leader.after_fence);
	mt_state_release(&s);
}
END_TEST

/* ---- what is not known ------------------------------------------------- */

START_TEST(what_is_not_known_is_not_skipped)
{
	static const char *const unknown[] = {
	    "{\"v\":2,\"c\":\"member.put\"}",
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
	    a_failed_failover_is_a_decision, one_request_stands_at_a_time,
	    a_request_is_cleared_by_its_id, an_assignment_settles_the_request,
	    a_failover_needs_no_leader_but_a_candidate,
	    an_assignment_settles_the_failover,
	    what_is_scheduled_is_replaced_by_who_has_seen_it,
	    what_is_scheduled_ends_with_the_turn_of_another,
	    a_continued_turn_settles_nothing,
	    only_the_holder_tells_history_and_status,
	    a_history_replaces_the_older_one, a_history_keeps_who_followed_when,
	    the_document_changes_from_the_version_that_was_seen,
	    the_holder_puts_the_sets_from_the_version_that_it_saw,
	    an_assignment_counted_over_the_sets_as_they_are,
	    an_assignment_leaves_the_sets_as_they_are,
	    a_sync_fence_is_remembered_until_promises_have_ended,
	    only_a_set_that_stands_is_a_ground_to_displace,
	    what_is_not_known_is_not_skipped,
	    what_is_no_command_moves_the_index_only,
	    equal_histories_have_equal_digests);
}
