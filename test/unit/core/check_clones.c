/* SPDX-License-Identifier: PostgreSQL */
/* Who may be cloned now: places, the line for them, and how they are freed. */
#include "core/clones.h"

#include <stdio.h>

#include "given.h"
#include "test/unit/run.h"

static struct mt_clones c;
static char has[64];

/* The primary of given.h, with a limit; 2 to 5 are members without data. */
static void
given_limit(int64_t limit)
{
	memset(&c, 0, sizeof(c));
	given_primary();
	w.settings.max_concurrent_clones = limit;
	for (int n = 2; n <= 5; n++) {
		given_member(n - 1);
		given_report(n);
		report_of(n)->has_data = false;
	}
}

static void
wants(int number)
{
	report_of(number)->wants_clone = true;
	report_of(number)->job[0] = '\0';
}

static void
clones(int number)
{
	report_of(number)->wants_clone = false;
	mt_copy(report_of(number)->job, sizeof(report_of(number)->job),
		"clone");
}

static void
ends(int number)
{
	report_of(number)->wants_clone = false;
	report_of(number)->job[0] = '\0';
}

static void
later(int64_t ms)
{
	w.view.now_ms += ms;
	for (int i = 0; i < w.reports.n; i++)
		w.reports.seen[i].at_ms += ms;
}

/* The numbers of those that have a place, in the order of the list. */
static const char *
step(void)
{
	struct mt_report r = {0};
	size_t n = 0;

	mt_clones_step(&c, &w.view);
	mt_clones_tell(&c, &r);
	has[0] = '\0';
	for (int i = 0; i < r.n_clones; i++)
		n += (size_t)snprintf(has + n, sizeof(has) - n, "%d",
				      (int)r.clones[i]);
	return has;
}

START_TEST(so_many_get_a_place_by_name)
{
	given_limit(2);
	ck_assert_str_eq(step(), "");
	for (int n = 5; n >= 2; n--)
		wants(n);
	ck_assert_str_eq(step(), "23");
	ck_assert_str_eq(step(), "23");
	clones(2);
	clones(3);
	ck_assert_str_eq(step(), "23");
	ends(3);
	ck_assert_str_eq(step(), "24");
	ends(2);
	clones(4);
	ck_assert_str_eq(step(), "45");
}
END_TEST

START_TEST(who_waits_longest_comes_before_the_first_name)
{
	given_limit(1);
	wants(5);
	ck_assert_str_eq(step(), "5");
	clones(5);
	wants(4);
	step();
	later(1000);
	wants(2);
	step();
	ends(5);
	ck_assert_str_eq(step(), "4");
	/* It failed, and wants a place again after a while: behind the others.
	 */
	ends(4);
	ck_assert_str_eq(step(), "2");
	wants(4);
	clones(2);
	later(1000);
	wants(3);
	ck_assert_str_eq(step(), "2");
	ends(2);
	ck_assert_str_eq(step(), "3");
	ends(3);
	ck_assert_str_eq(step(), "4");
}
END_TEST

START_TEST(who_dies_frees_its_place)
{
	given_limit(1);
	wants(2);
	wants(3);
	ck_assert_str_eq(step(), "2");
	clones(2);
	ck_assert_str_eq(step(), "2");
	seen_of(2)->gone = true;
	ck_assert_str_eq(step(), "3");
	clones(3);
	seen_of(2)->gone = false;
	wants(2);
	ck_assert_str_eq(step(), "3");
	given_silence(3);
	ck_assert_str_eq(step(), "2");
	/* Another node under its name is another one. */
	report_of(2)->self.raft_id = 9;
	ck_assert_str_eq(step(), "9");
}
END_TEST

START_TEST(who_does_not_take_its_place_goes_to_the_end)
{
	given_limit(1);
	wants(2);
	ck_assert_str_eq(step(), "2");
	wants(3);
	later(9999);
	ck_assert_str_eq(step(), "2");
	later(1);
	ck_assert_str_eq(step(), "3");
	clones(3);
	later(60000);
	ck_assert_str_eq(step(), "3"); /* it clones, however long */
}
END_TEST

START_TEST(a_new_primary_counts_those_that_clone)
{
	given_limit(2);
	clones(5);
	wants(2);
	wants(3);
	ck_assert_str_eq(step(), "25");
	given_limit(1);
	clones(4);
	clones(5); /* more than the limit that was lowered meanwhile */
	wants(2);
	ck_assert_str_eq(step(), "45");
}
END_TEST

START_TEST(only_the_primary_and_a_limit_make_places)
{
	given_limit(1);
	wants(2);
	ck_assert_str_eq(step(), "2");
	w.settings.max_concurrent_clones = 0;
	ck_assert_str_eq(step(), "");
	w.settings.max_concurrent_clones = 1;
	local()->as_primary = false;
	ck_assert_str_eq(step(), "");
	local()->as_primary = true;
	w.state.leader.released = true;
	ck_assert_str_eq(step(), "");
}
END_TEST

int
main(void)
{
	RUN_TESTS("clones", so_many_get_a_place_by_name,
		  who_waits_longest_comes_before_the_first_name,
		  who_dies_frees_its_place,
		  who_does_not_take_its_place_goes_to_the_end,
		  a_new_primary_counts_those_that_clone,
		  only_the_primary_and_a_limit_make_places);
}
