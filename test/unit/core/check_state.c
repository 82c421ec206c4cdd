/* SPDX-License-Identifier: PostgreSQL */
/* The questions that others ask of the state. */
#include "core/state.h"

#include "given_command.h"
#include "test/unit/run.h"

static struct mt_state s;

START_TEST(a_new_state_is_empty)
{
	memset(&s, 0xff, sizeof(s));
	mt_state_init(&s);
	ck_assert_uint_eq(s.index, 0);
	ck_assert_int_eq(s.n_members, 0);
	ck_assert_ptr_null(s.config);
	ck_assert(!mt_state_held(&s));
	ck_assert(!mt_state_held_by(&s, ""));
	ck_assert_ptr_null(mt_state_member(&s, ""));
	ck_assert_ptr_null(mt_state_member_by_id(&s, 0));
	ck_assert_ptr_null(mt_state_decision(&s, 0));
	ck_assert_ptr_null(mt_state_decision(&s, 1));
	ck_assert_uint_eq(mt_state_fork_lsn(&s, 1), 0);
	mt_state_release(&s);
	mt_state_release(&s); /* twice does no harm */
}
END_TEST

START_TEST(members_are_found_by_name_and_by_id)
{
	given_members(&s);
	ck_assert_uint_eq(mt_state_member(&s, "b")->raft_id, 2);
	ck_assert_str_eq(mt_state_member_by_id(&s, 3)->name, "x");
	ck_assert(mt_state_member(&s, "x")->witness);
	ck_assert_ptr_null(mt_state_member(&s, "bb"));
	ck_assert_ptr_null(mt_state_member_by_id(&s, 4));
}
END_TEST

START_TEST(a_turn_is_held_from_the_assignment_to_the_release)
{
	given_members(&s);
	ck_assert(!mt_state_held(&s));
	given_initialized(&s);
	ck_assert(mt_state_held(&s));
	ck_assert(mt_state_held_by(&s, "a"));
	ck_assert(!mt_state_held_by(&s, "b"));
	applied(&s, release(1, "a", true));
	ck_assert(!mt_state_held(&s));
	ck_assert(!mt_state_held_by(&s, "a"));
	applied(&s, assign(1, true, "b", false));
	ck_assert(mt_state_held_by(&s, "b"));
	mt_state_release(&s);
}
END_TEST

START_TEST(a_fork_is_known_by_its_timeline)
{
	given_initialized(&s);
	applied(&s, history_put(1, "a", 3));
	ck_assert_uint_eq(mt_state_fork_lsn(&s, 1), 16);
	ck_assert_uint_eq(mt_state_fork_lsn(&s, 3), 48);
	ck_assert_uint_eq(mt_state_fork_lsn(&s, 4), 0);
	ck_assert_uint_eq(mt_state_fork_lsn(&s, 0), 0);
	mt_state_release(&s);
}
END_TEST

int
main(void)
{
	RUN_TESTS("state", a_new_state_is_empty,
		  members_are_found_by_name_and_by_id,
		  a_turn_is_held_from_the_assignment_to_the_release,
		  a_fork_is_known_by_its_timeline);
}
