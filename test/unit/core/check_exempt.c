/* SPDX-License-Identifier: PostgreSQL */
/* leader.exempt in the log: who may, how long it stands, what it forbids. */
#include "core/command.h"

#include "given_command.h"
#include "test/unit/run.h"

static struct mt_state s;

static int
put(struct mt_command cmd)
{
	return apply(&s, &cmd);
}

START_TEST(only_the_holder_of_the_epoch_is_exempted)
{
	given_initialized(&s);
	ck_assert_int_eq(put(exempt(1, "b", 10, 0)), MT_EREFUSED);
	ck_assert_int_eq(put(exempt(2, "a", 10, 0)), MT_EREFUSED);
	ck_assert_uint_eq(s.leader.exempt, 0);
	applied(&s, exempt(1, "a", 10, 0));
	ck_assert_uint_eq(s.leader.exempt, s.index);
	ck_assert_uint_eq(s.leader.exempt_incarnation, 10);
	ck_assert_str_eq(s.leader.exempt_reason, "pause");
	mt_state_release(&s);
}
END_TEST

START_TEST(silence_is_no_ground_while_it_stands)
{
	given_initialized(&s);
	applied(&s, exempt(1, "a", 10, 0));
	ck_assert_int_eq(put(assign(1, false, "b", false)), MT_EREFUSED);
	ck_assert_uint_eq(s.leader.epoch, 1);
	applied(&s, exempt(1, "a", 10, s.leader.exempt));
	ck_assert_uint_eq(s.leader.exempt, 0);
	applied(&s, assign(1, false, "b", false));
	mt_state_release(&s);
}
END_TEST

START_TEST(it_lasts_as_long_as_the_turn)
{
	uint64_t id;

	given_initialized(&s);
	applied(&s, exempt(1, "a", 10, 0));
	id = s.leader.exempt;
	applied(&s, assign(1, false, "a", true));
	ck_assert_uint_eq(s.leader.epoch, 2);
	ck_assert_uint_eq(s.leader.exempt, id);
	ck_assert_int_eq(put(assign(2, false, "b", false)), MT_EREFUSED);
	applied(&s, release(2, "a", true));
	ck_assert_uint_eq(s.leader.exempt, 0);
	ck_assert_str_eq(s.leader.exempt_reason, "");
	applied(&s, assign(2, true, "b", false));
	ck_assert_uint_eq(s.leader.exempt, 0);
	mt_state_release(&s);
}
END_TEST

START_TEST(an_end_that_comes_late_ends_nothing_newer)
{
	uint64_t id;

	given_initialized(&s);
	applied(&s, exempt(1, "a", 10, 0));
	id = s.leader.exempt;
	applied(&s, exempt(1, "a", 11, 0));
	ck_assert_uint_ne(s.leader.exempt, id);
	ck_assert_int_eq(put(exempt(1, "a", 10, id)), MT_EREFUSED);
	ck_assert_uint_eq(s.leader.exempt_incarnation, 11);
	mt_state_release(&s);
}
END_TEST

START_TEST(an_operators_candidate_may_go_past_it)
{
	given_initialized(&s);
	applied(&s, exempt(1, "a", 10, 0));
	applied(&s, request_put("a", "b"));
	applied(&s, assign(1, false, "b", false));
	ck_assert_str_eq(s.leader.holder, "b");
	ck_assert_uint_eq(s.leader.exempt, 0);
	ck_assert(s.outcome.ok);
	mt_state_release(&s);
	given_initialized(&s);
	applied(&s, exempt(1, "a", 10, 0));
	applied(&s, request_put("a", ""));
	ck_assert_int_eq(put(assign(1, false, "b", false)), MT_EREFUSED);
	mt_state_release(&s);
}
END_TEST

START_TEST(what_became_due_does_not_go_past_it)
{
	struct mt_command later = request_put("a", "b");

	later.u.request_put.scheduled_ms = 1;
	given_initialized(&s);
	applied(&s, later);
	applied(&s, exempt(1, "a", 10, 0));
	ck_assert_int_eq(put(due_put("a", "b", s.request.id)), MT_EREFUSED);
	ck_assert_int_eq(s.request.scheduled_ms, 1);
	applied(&s, exempt(1, "a", 10, s.leader.exempt));
	applied(&s, due_put("a", "b", s.request.id));
	ck_assert(s.request.due);
	applied(&s, exempt(1, "a", 10, 0));
	ck_assert_int_eq(put(assign(1, false, "b", false)), MT_EREFUSED);
	mt_state_release(&s);
}
END_TEST

START_TEST(what_waits_for_its_time_does_not_go_past_it)
{
	struct mt_command later = request_put("a", "b");
	struct mt_command failover = request_put("", "b");

	later.u.request_put.scheduled_ms = 1;
	given_initialized(&s);
	applied(&s, exempt(1, "a", 10, 0));
	applied(&s, later);
	ck_assert_int_eq(put(assign(1, false, "b", false)), MT_EREFUSED);
	failover.u.request_put.kind = MT_REQUEST_FAILOVER;
	failover.u.request_put.id = s.request.id;
	applied(&s, failover);
	applied(&s, assign(1, false, "b", false));
	ck_assert_str_eq(s.leader.holder, "b");
	mt_state_release(&s);
}
END_TEST

START_TEST(a_snapshot_has_it)
{
	struct mt_state other;
	struct mt_err err;
	char *text;
	size_t n;

	given_initialized(&s);
	applied(&s, exempt(1, "a", BIG, 0));
	ck_assert_int_eq(mt_state_save(&s, &text, &n), 0);
	mt_state_init(&other);
	ck_assert_int_eq(mt_state_load(&other, text, n, &err), 0);
	ck_assert_uint_eq(other.leader.exempt, s.leader.exempt);
	ck_assert_uint_eq(other.leader.exempt_incarnation, BIG);
	ck_assert_str_eq(other.leader.exempt_reason, "pause");
	ck_assert_uint_eq(mt_state_digest(&other), mt_state_digest(&s));
	free(text);
	mt_state_release(&other);
	mt_state_release(&s);
}
END_TEST

int
main(void)
{
	RUN_TESTS(
	    "exempt", only_the_holder_of_the_epoch_is_exempted,
	    silence_is_no_ground_while_it_stands, it_lasts_as_long_as_the_turn,
	    an_end_that_comes_late_ends_nothing_newer,
	    an_operators_candidate_may_go_past_it,
	    what_became_due_does_not_go_past_it,
	    what_waits_for_its_time_does_not_go_past_it, a_snapshot_has_it);
}
