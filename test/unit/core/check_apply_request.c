/* SPDX-License-Identifier: PostgreSQL */
/* Requests in the state: which may stand, and what settles them. */
#include "apply.h"
#include "test/unit/run.h"

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

int
main(void)
{
	RUN_TESTS("apply_request", one_request_stands_at_a_time,
		  a_request_is_cleared_by_its_id,
		  an_assignment_settles_the_request,
		  a_failover_needs_no_leader_but_a_candidate,
		  an_assignment_settles_the_failover,
		  what_is_scheduled_is_replaced_by_who_has_seen_it,
		  what_is_scheduled_ends_with_the_turn_of_another,
		  a_continued_turn_settles_nothing);
}
