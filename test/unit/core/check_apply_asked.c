/* SPDX-License-Identifier: PostgreSQL */
/* Who asked for something is told with what was decided for it. */
#include "apply.h"
#include "test/unit/run.h"

static const struct mt_decision *
newest(void)
{
	return mt_state_decision(&s, s.last_decision);
}

static void
is_by(const char *rule, const char *who)
{
	ck_assert_str_eq(newest()->rule, rule);
	ck_assert_str_eq(newest()->by.who, who);
	ck_assert_str_eq(newest()->by.from, who[0] != '\0' ? "fd00::1" : "");
}

START_TEST(a_switchover_is_its_askers_from_end_to_end)
{
	given_initialized(&s);
	is_by("bootstrap", "");
	applied(&s, asked_by("ann", request_put("a", "b")));
	applied(&s, release(1, "a", true));
	is_by("release", "ann");
	applied(&s, assign(1, true, "b", false));
	is_by("released", "ann");
	/* and what comes after it is not */
	applied(&s, release(2, "b", true));
	is_by("release", "");
	applied(&s, assign(2, true, "a", false));
	is_by("released", "");
	mt_state_release(&s);
}
END_TEST

START_TEST(a_failover_is_its_askers)
{
	given_initialized(&s);
	applied(&s, asked_by("-", failover_put("b")));
	applied(&s, assign(1, false, "b", false));
	is_by("released", "-");
	mt_state_release(&s);
}
END_TEST

START_TEST(what_waits_for_its_time_has_asked_for_nothing_yet)
{
	struct mt_command due = due_put("a", "", 0);

	given_initialized(&s);
	applied(&s, asked_by("ann", scheduled_put("a", 1700000000000, 0)));
	applied(&s, release(1, "a", true));
	is_by("release", "");
	applied(&s, assign(1, true, "a", false));
	is_by("released", "");
	/* when it is due, the holder puts it with all that it has */
	due.u.request_put.id = s.request.id;
	due.u.request_put.by = s.request.by;
	applied(&s, due);
	applied(&s, release(2, "a", true));
	is_by("release", "ann");
	mt_state_release(&s);
}
END_TEST

START_TEST(a_turn_that_goes_on_was_asked_for_by_nobody)
{
	given_initialized(&s);
	applied(&s, asked_by("ann", request_put("a", "b")));
	applied(&s, assign(1, false, "a", true));
	is_by("released", "");
	mt_state_release(&s);
}
END_TEST

START_TEST(a_request_that_fails_is_its_askers_or_who_takes_it_back)
{
	struct mt_command clear;

	given_initialized(&s);
	applied(&s, asked_by("ann", request_put("a", "b")));
	clear = request_clear(s.request.id);
	clear.u.request_clear.ok = false;
	applied(&s, clear);
	is_by("switchover-failed", "ann");
	applied(&s, asked_by("ann", scheduled_put("a", 1700000000000, 0)));
	clear.u.request_clear.id = s.request.id;
	applied(&s, asked_by("bob", clear));
	is_by("switchover-failed", "bob");
	mt_state_release(&s);
}
END_TEST

static void
configure(const char *who, json_t *config)
{
	struct mt_command c = config_put(s.config_version, config);

	applied(&s, *who != '\0' ? asked_by(who, c) : c);
	json_decref(config);
}

START_TEST(a_changed_configuration_is_a_decision_of_who_changed_it)
{
	uint64_t version;

	given_initialized(&s);
	configure("ann", json_pack("{s:i}", "ttl", 9));
	is_by("config", "ann");
	ck_assert_str_eq(newest()->why, "changed: ttl");
	ck_assert_int_eq(newest()->at_ms, 1700000000002);
	ck_assert_uint_eq(newest()->epoch, 1);
	ck_assert_str_eq(newest()->from, "");
	ck_assert_str_eq(newest()->to, "");
	configure("bob", json_pack("{s:i,s:b}", "ttl", 9, "pause", 1));
	is_by("pause", "bob");
	configure("ann", json_pack("{s:i,s:b}", "ttl", 8, "pause", 1));
	is_by("config", "ann");
	configure("bob", json_pack("{s:i,s:s}", "ttl", 8, "pause", "off"));
	is_by("resume", "bob");
	/* the same again, or of nobody: no decision */
	version = s.last_decision;
	configure("ann", json_pack("{s:i,s:s}", "ttl", 8, "pause", "off"));
	configure("", json_pack("{s:i}", "ttl", 7));
	ck_assert_uint_eq(s.last_decision, version);
	mt_state_release(&s);
}
END_TEST

START_TEST(a_change_that_is_refused_is_no_decision)
{
	json_t *config = json_pack("{s:i}", "ttl", 9);

	given_initialized(&s);
	refused("old", asked_by("ann", config_put(7, config)));
	json_decref(config);
	mt_state_release(&s);
}
END_TEST

START_TEST(a_change_between_hides_no_phases)
{
	struct mt_command c = assign(1, false, "b", false);

	given_initialized(&s);
	c.u.assign.decision.phases.assigned_ms = 5;
	applied(&s, c);
	configure("ann", json_pack("{s:i}", "ttl", 9));
	ck_assert_ptr_eq(mt_state_untimed(&s),
			 mt_state_decision(&s, s.last_decision - 1));
	applied(&s, decision_put(s.last_decision - 1, 2, "b"));
	refused("no assignment", decision_put(s.last_decision, 2, "b"));
	mt_state_release(&s);
}
END_TEST

START_TEST(the_oldest_member_says_what_may_be_told)
{
	struct mt_command old = member_put("c", 7), later = member_put("d", 8);

	mt_state_init(&s);
	ck_assert_uint_eq(mt_state_command_version(&s), MT_COMMAND_VERSION);
	later.u.member_put.command_version = MT_COMMAND_VERSION + 1;
	applied(&s, later);
	ck_assert_uint_eq(mt_state_command_version(&s), MT_COMMAND_VERSION);
	old.u.member_put.command_version = 1;
	applied(&s, old);
	ck_assert_uint_eq(mt_state_command_version(&s), 1);
	mt_state_release(&s);
}
END_TEST

int
main(void)
{
	RUN_TESTS("apply_asked", a_switchover_is_its_askers_from_end_to_end,
		  a_failover_is_its_askers,
		  what_waits_for_its_time_has_asked_for_nothing_yet,
		  a_turn_that_goes_on_was_asked_for_by_nobody,
		  a_request_that_fails_is_its_askers_or_who_takes_it_back,
		  a_changed_configuration_is_a_decision_of_who_changed_it,
		  a_change_that_is_refused_is_no_decision,
		  a_change_between_hides_no_phases,
		  the_oldest_member_says_what_may_be_told);
}
