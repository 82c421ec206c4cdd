/* SPDX-License-Identifier: PostgreSQL */
/* Events of the local PostgreSQL, look by look. */
#include "core/event.h"

#include <string.h>

#include "test/unit/run.h"

static struct mt_events e;
static struct mt_local l;

static void
setup(void)
{
	memset(&e, 0, sizeof(e));
	memset(&l, 0, sizeof(l));
}

/* This look brings these, and the next one nothing more. */
static void
brings(int n, const struct mt_event *want)
{
	struct mt_event got[MT_EVENTS_MAX];

	ck_assert_int_eq(mt_events_next(&e, &l, got), n);
	for (int i = 0; i < n; i++) {
		ck_assert_str_eq(mt_event_name(got[i].kind),
				 mt_event_name(want[i].kind));
		ck_assert_str_eq(mt_pg_role_name(got[i].role),
				 mt_pg_role_name(want[i].role));
	}
	ck_assert_int_eq(mt_events_next(&e, &l, got), 0);
}

#define BRINGS(kind, role) \
	brings(1, &(struct mt_event){MT_EVENT_##kind, MT_ROLE_##role})
#define BRINGS_NOTHING() brings(0, NULL)

static void
runs(bool primary)
{
	setup();
	l.running = l.accepting = true;
	l.as_primary = primary;
	l.in_recovery = !primary;
	if (primary)
		BRINGS(START, PRIMARY);
	else
		BRINGS(START, REPLICA);
}

START_TEST(a_server_has_started_when_it_answers)
{
	setup();
	BRINGS_NOTHING();
	l.running = l.as_primary = true;
	BRINGS_NOTHING();
	l.accepting = true;
	BRINGS(START, PRIMARY);
	/* one look without an answer is no new start */
	l.accepting = false;
	BRINGS_NOTHING();
	l.accepting = true;
	BRINGS_NOTHING();
}
END_TEST

START_TEST(a_stop_is_told_and_a_crash_is_not)
{
	runs(false);
	l.running = l.accepting = false;
	BRINGS(STOP, REPLICA);
	l.running = l.accepting = true;
	BRINGS(START, REPLICA);
	l.running = l.accepting = false;
	l.died = true;
	BRINGS_NOTHING();
	l.running = l.accepting = true;
	l.died = false;
	BRINGS(START, REPLICA);
}
END_TEST

START_TEST(a_promotion_is_a_change_of_role_when_it_is_over)
{
	runs(false);
	l.as_primary = true;
	BRINGS_NOTHING();
	l.in_recovery = false;
	BRINGS(ROLE_CHANGE, PRIMARY);
}
END_TEST

START_TEST(a_demotion_is_a_stop_and_a_change_of_role)
{
	runs(true);
	l.running = l.accepting = l.as_primary = false;
	l.record.given_up = 4;
	BRINGS(STOP, PRIMARY);
	l.running = true;
	BRINGS_NOTHING();
	l.accepting = l.in_recovery = true;
	BRINGS(ROLE_CHANGE, REPLICA);
}
END_TEST

START_TEST(a_crashed_primary_that_gives_up_is_demoted)
{
	runs(true);
	l.running = l.accepting = false;
	l.died = true;
	BRINGS_NOTHING();
	l.record.given_up = 4;
	BRINGS(ROLE_CHANGE, DEMOTED);
	l.running = l.accepting = l.in_recovery = true;
	l.as_primary = l.died = false;
	BRINGS(ROLE_CHANGE, REPLICA);
}
END_TEST

START_TEST(a_crashed_primary_that_starts_in_place_has_started)
{
	runs(true);
	l.running = l.accepting = false;
	l.died = true;
	BRINGS_NOTHING();
	l.running = l.accepting = true;
	l.died = false;
	BRINGS(START, PRIMARY);
}
END_TEST

static void
hangs_and_is_ended(void)
{
	runs(true);
	l.hung = true;
	BRINGS_NOTHING();
	l.running = l.accepting = false;
	BRINGS_NOTHING();
}

START_TEST(a_server_that_people_restart_has_been_restarted)
{
	for (int primary = 0; primary < 2; primary++) {
		runs(primary);
		l.errand.kind = MT_ERRAND_RESTART;
		l.errand.stop_ms = 1;
		l.running = l.accepting = false;
		BRINGS_NOTHING();
		l.running = l.accepting = true;
		if (primary)
			BRINGS(RESTART, PRIMARY);
		else
			BRINGS(RESTART, REPLICA);
	}
	runs(true);
	l.errand.kind = MT_ERRAND_RESTART;
	l.errand.stop_ms = 1;
	l.running = l.accepting = false;
	BRINGS_NOTHING();
	l.record.given_up = 4;
	BRINGS(STOP, PRIMARY);
}
END_TEST

START_TEST(what_was_ended_to_be_started_again_has_been_restarted)
{
	hangs_and_is_ended();
	l.running = true;
	BRINGS_NOTHING();
	l.accepting = true;
	l.hung = false;
	BRINGS(RESTART, PRIMARY);
	/* the next stop is one again */
	l.running = l.accepting = false;
	BRINGS(STOP, PRIMARY);
	l.running = l.accepting = true;
	BRINGS(START, PRIMARY);
}
END_TEST

START_TEST(what_hung_and_gave_up_was_stopped)
{
	hangs_and_is_ended();
	l.record.given_up = 4;
	BRINGS(STOP, PRIMARY);
	l.running = l.accepting = l.in_recovery = true;
	l.as_primary = l.hung = false;
	BRINGS(ROLE_CHANGE, REPLICA);
}
END_TEST

START_TEST(a_standby_gives_up_without_a_word)
{
	runs(false);
	l.running = l.accepting = false;
	l.died = true;
	l.record.given_up = 4;
	BRINGS_NOTHING();
}
END_TEST

START_TEST(a_reload_is_told_once_and_only_while_it_runs)
{
	setup();
	l.reloads = 3;
	BRINGS_NOTHING();
	l.running = l.accepting = l.in_recovery = true;
	BRINGS(START, REPLICA);
	l.reloads = 5;
	BRINGS(RELOAD, REPLICA);
	l.running = l.accepting = false;
	l.reloads = 6;
	BRINGS(STOP, REPLICA);
}
END_TEST

START_TEST(what_happened_between_two_looks_comes_in_order)
{
	const struct mt_event want[] = {
	    {MT_EVENT_ROLE_CHANGE, MT_ROLE_PRIMARY},
	    {MT_EVENT_RELOAD, MT_ROLE_PRIMARY},
	};

	runs(false);
	l.as_primary = true;
	l.in_recovery = false;
	l.reloads = 1;
	brings(2, want);
}
END_TEST

int
main(void)
{
	RUN_TESTS("event", a_server_has_started_when_it_answers,
		  a_stop_is_told_and_a_crash_is_not,
		  a_promotion_is_a_change_of_role_when_it_is_over,
		  a_demotion_is_a_stop_and_a_change_of_role,
		  a_crashed_primary_that_gives_up_is_demoted,
		  a_crashed_primary_that_starts_in_place_has_started,
		  a_server_that_people_restart_has_been_restarted,
		  what_was_ended_to_be_started_again_has_been_restarted,
		  what_hung_and_gave_up_was_stopped,
		  a_standby_gives_up_without_a_word,
		  a_reload_is_told_once_and_only_while_it_runs,
		  what_happened_between_two_looks_comes_in_order);
}
