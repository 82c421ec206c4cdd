/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the holder of the turn tells the state: its position and history, the
 * document, and the synchronous sets.
 */
#include "apply.h"
#include "test/unit/run.h"

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

int
main(void)
{
	RUN_TESTS("apply_holder", only_the_holder_tells_history_and_status,
		  a_history_replaces_the_older_one,
		  a_history_keeps_who_followed_when,
		  the_document_changes_from_the_version_that_was_seen,
		  the_holder_puts_the_sets_from_the_version_that_it_saw,
		  an_assignment_counted_over_the_sets_as_they_are,
		  an_assignment_leaves_the_sets_as_they_are,
		  a_sync_fence_is_remembered_until_promises_have_ended,
		  only_a_set_that_stands_is_a_ground_to_displace);
}
