/* SPDX-License-Identifier: PostgreSQL */
/* Who of the standbys is wanted in the synchronous set. */
#include <check.h>
#include <string.h>

#include "base/text.h"
#include "core/sync.h"

#include "given_sync.h"
#include "test/unit/run.h"

#define TARGET(mode, count, in, k, what, members, want, ...) \
	do { \
		struct mt_names target; \
		given_sync_primary(mode, count, in, k); \
		__VA_ARGS__; \
		mt_sync_target(&w.view, &target); \
		ck_assert_msg(names_are(&target, members, want), \
			      "%s: not {%s},%d", what, members, want); \
	} while (0)
#define TAGS(number) w.state.members[(number)-1].tags, MT_TAGS_MAX

START_TEST(so_many_are_wanted_as_the_mode_and_the_count_say)
{
	TARGET(MT_SYNC_OFF, 1, "23", 1, "off", "", 0, );
	TARGET(MT_SYNC_ON, 1, "", 0, "on", "2", 1, );
	TARGET(MT_SYNC_ON, 2, "", 0, "on, two", "23", 2, );
	TARGET(MT_SYNC_ON, 3, "", 0, "on, three of two", "23", 2, );
	TARGET(MT_SYNC_ON, 1, "3", 1, "who is in it stays", "3", 1, );
	TARGET(MT_SYNC_ON, 1, "23", 2, "one too many", "2", 1, );
	TARGET(MT_SYNC_QUORUM, 1, "", 0, "quorum", "23", 1, );
	TARGET(MT_SYNC_QUORUM, 2, "", 0, "quorum, two", "23", 2, );
	TARGET(MT_SYNC_QUORUM, 3, "3", 1, "quorum, three of two", "23", 2, );
	TARGET(MT_SYNC_QUORUM, 1, "", 0, "four members", "234", 1,
	       given_another(4));
	TARGET(MT_SYNC_ON, 2, "4", 1, "two of three", "24", 2,
	       given_another(4));
}
END_TEST

static void
given_priority(int number, int priority)
{
	mt_format(TAGS(number), "{\"sync_priority\":%d}", priority);
}

START_TEST(the_order_is_priority_then_standing_then_position_then_name)
{
	TARGET(MT_SYNC_ON, 1, "", 0, "priority before name", "3", 1,
	       given_priority(3, 2));
	TARGET(MT_SYNC_ON, 1, "2", 1, "and before who is in it", "3", 1,
	       given_priority(3, 2));
	TARGET(MT_SYNC_ON, 1, "2", 1, "not a lower one", "2", 1,
	       given_priority(2, 2));
	TARGET(MT_SYNC_ON, 1, "", 0, "below 0 not at all", "3", 1,
	       mt_copy(TAGS(2), "{\"sync_priority\":-99999999999}"));
	TARGET(MT_SYNC_ON, 1, "", 0, "not given is 1", "2", 1,
	       given_priority(3, 1));
	TARGET(MT_SYNC_ON, 1, "", 0, "the furthest", "3", 1,
	       flushed_of(2)->lsn--);
	TARGET(MT_SYNC_ON, 1, "3", 1, "who is in it before the furthest", "3",
	       1, flushed_of(3)->lsn--);
	TARGET(MT_SYNC_ON, 1, "23", 1, "of the log who is waited for", "3", 1,
	       given_names("3", 1));
	TARGET(MT_SYNC_ON, 2, "23", 2, "the highest two", "34", 2,
	       given_another(4);
	       given_priority(4, 3); given_priority(3, 2));
	TARGET(MT_SYNC_QUORUM, 1, "", 0, "in quorum mode all", "23", 1,
	       given_priority(3, 9));
}
END_TEST

START_TEST(who_never_takes_over_is_waited_for_last)
{
	TARGET(MT_SYNC_ON, 1, "", 0, "before it the other", "3", 1,
	       report_of(2)->nofailover = true;
	       given_priority(2, 9));
	TARGET(MT_SYNC_ON, 1, "2", 1, "though it is in it", "3", 1,
	       report_of(2)->nofailover = true);
	TARGET(MT_SYNC_QUORUM, 1, "23", 1, "quorum: not needed", "3", 1,
	       report_of(2)->nofailover = true);
	TARGET(MT_SYNC_QUORUM, 2, "", 0, "quorum: needed", "23", 2,
	       report_of(2)->nofailover = true);
	TARGET(MT_SYNC_QUORUM, 1, "", 0, "quorum: the only one", "2", 1,
	       report_of(2)->nofailover = true;
	       flushed_of(3)->streaming = false);
}
END_TEST

static void
given_lag(int number, uint64_t bytes)
{
	w.settings.maximum_lag_on_syncnode = 1000;
	flushed_of(number)->lsn = LSN - bytes;
	local()->at.lsn = LSN;
}

START_TEST(who_lags_is_replaced_by_who_does_not)
{
	TARGET(MT_SYNC_ON, 1, "2", 1, "at the limit", "2", 1,
	       given_lag(2, 1000));
	TARGET(MT_SYNC_ON, 1, "2", 1, "beyond it", "3", 1, given_lag(2, 1001));
	TARGET(MT_SYNC_ON, 1, "2", 1, "whatever its priority", "3", 1,
	       given_lag(2, 1001);
	       given_priority(2, 9));
	TARGET(MT_SYNC_ON, 1, "2", 1, "also by one without failover", "3", 1,
	       given_lag(2, 1001);
	       report_of(3)->nofailover = true);
	TARGET(MT_SYNC_ON, 1, "2", 1, "its walreceiver begins anew", "2", 1,
	       given_lag(2, 1001);
	       flushed_of(2)->most = LSN);
	TARGET(MT_SYNC_ON, 1, "2", 1, "nobody else is there", "2", 1,
	       given_lag(2, 1001);
	       flushed_of(3)->streaming = false);
	TARGET(MT_SYNC_ON, 1, "2", 1, "off", "2", 1, given_lag(2, 1001);
	       w.settings.maximum_lag_on_syncnode = -1);
	TARGET(MT_SYNC_ON, 1, "2", 1, "off as 0", "2", 1, given_lag(2, 1001);
	       w.settings.maximum_lag_on_syncnode = 0);
	TARGET(MT_SYNC_QUORUM, 1, "23", 1, "quorum: left out", "3", 1,
	       given_lag(2, 1001));
	TARGET(MT_SYNC_QUORUM, 2, "23", 2, "quorum: needed", "23", 2,
	       given_lag(2, 1001));
}
END_TEST

START_TEST(who_is_new_has_to_be_well_within_the_limit)
{
	TARGET(MT_SYNC_ON, 2, "3", 1, "half of it", "23", 2, given_lag(2, 500));
	TARGET(MT_SYNC_ON, 2, "3", 1, "more", "3", 1, given_lag(2, 501));
	TARGET(MT_SYNC_ON, 1, "", 0, "alone: behind the primary", "", 0,
	       given_lag(2, 501);
	       flushed_of(3)->streaming = false);
	TARGET(MT_SYNC_ON, 1, "", 0, "alone: near it", "2", 1,
	       given_lag(2, 500);
	       flushed_of(3)->streaming = false);
	TARGET(MT_SYNC_ON, 2, "", 0, "two: behind the furthest", "23", 2,
	       given_lag(2, 5000);
	       given_lag(3, 5500));
}
END_TEST

START_TEST(who_is_about_to_stop_is_not_waited_for)
{
	TARGET(MT_SYNC_ON, 1, "2", 1, "another takes its place", "3", 1,
	       report_of(2)->stopping = true);
	TARGET(MT_SYNC_QUORUM, 1, "23", 1, "in quorum mode", "3", 1,
	       report_of(2)->stopping = true);
	TARGET(MT_SYNC_ON, 2, "23", 2, "fewer are left", "3", 1,
	       report_of(2)->stopping = true);
	TARGET(MT_SYNC_ON, 1, "2", 1, "its daemon is gone by now", "3", 1,
	       report_of(2)->stopping = true;
	       seen_of(2)->gone = true);
	TARGET(MT_SYNC_ON, 1, "2", 1, "it is named already", "3", 1,
	       report_of(2)->stopping = true;
	       given_log("", 0));
	TARGET(MT_SYNC_ON, 1, "2", 1, "nobody is left", "", 0,
	       report_of(2)->stopping = report_of(3)->stopping = true);
	TARGET(MT_SYNC_ON, 1, "2", 1, "strict: it goes on waiting", "2", 1,
	       w.settings.synchronous_mode_strict = true;
	       report_of(2)->stopping = report_of(3)->stopping = true);
}
END_TEST

#define LETS_GO(want, ...) \
	do { \
		given_sync_primary(MT_SYNC_ON, 1, "2", 1); \
		w.settings.synchronous_mode_strict = true; \
		__VA_ARGS__; \
		ck_assert_msg(mt_sync_lets_go(&w.view, "node2") == (want), \
			      "%s", #__VA_ARGS__); \
	} while (0)

START_TEST(strict_mode_lets_nobody_go_whom_nobody_replaces)
{
	LETS_GO(true, );
	LETS_GO(false, report_of(3)->stopping = true);
	LETS_GO(false, report_of(3)->healthy = false);
	LETS_GO(false, report_of(3)->pg_role = MT_ROLE_UNINITIALIZED);
	LETS_GO(false, given_silence(3));
	LETS_GO(false, seen_of(3)->gone = true);
	LETS_GO(false, mt_copy(TAGS(3), "{\"nosync\":true}"));
	LETS_GO(false, w.state.members[2].witness = true);
	LETS_GO(true, w.settings.synchronous_mode_strict = false;
		given_silence(3));
}
END_TEST

START_TEST(only_members_that_may_and_can_are_wanted)
{
	TARGET(MT_SYNC_ON, 2, "", 0, "nosync", "3", 1,
	       mt_copy(TAGS(2), "{\"nosync\":true}"));
	TARGET(MT_SYNC_ON, 2, "23", 2, "nosync, in it", "3", 1,
	       mt_copy(TAGS(2), "{\"nosync\":true}"));
	TARGET(MT_SYNC_ON, 2, "", 0, "nosync false", "23", 2,
	       mt_copy(TAGS(2), "{\"nosync\":false}"));
	TARGET(MT_SYNC_ON, 2, "", 0, "no priority", "3", 1,
	       mt_copy(TAGS(2), "{\"sync_priority\":0}"));
	TARGET(MT_SYNC_ON, 2, "", 0, "a priority", "23", 2,
	       mt_copy(TAGS(2), "{\"sync_priority\":1}"));
	TARGET(MT_SYNC_ON, 2, "", 0, "a witness", "3", 1,
	       w.state.members[1].witness = true);
	TARGET(MT_SYNC_ON, 2, "", 0, "names that are one to PostgreSQL", "3", 1,
	       given_another(4);
	       mt_copy(w.state.members[3].name, MT_NAME_MAX, "Node2"));
	TARGET(MT_SYNC_ON, 2, "2", 1, "also in the set", "3", 1,
	       given_another(4);
	       mt_copy(w.state.members[3].name, MT_NAME_MAX, "NODE2"));
	TARGET(MT_SYNC_ON, 2, "", 0, "a witness's name is nothing to it", "23",
	       2, given_another(4);
	       mt_copy(w.state.members[3].name, MT_NAME_MAX, "NODE2");
	       w.state.members[3].witness = true);
	TARGET(MT_SYNC_ON, 2, "", 0, "nofailover counts", "23", 2,
	       report_of(2)->nofailover = true);
	TARGET(MT_SYNC_ON, 2, "", 0, "does not stream", "3", 1,
	       flushed_of(2)->streaming = false);
	TARGET(MT_SYNC_ON, 2, "", 0, "silent", "3", 1, given_silence(2));
	TARGET(MT_SYNC_ON, 2, "", 0, "gone", "3", 1, seen_of(2)->gone = true);
	TARGET(MT_SYNC_ON, 2, "", 0, "unwell", "3", 1,
	       report_of(2)->healthy = false);
	TARGET(MT_SYNC_ON, 2, "", 0, "its data is not known", "3", 1,
	       report_of(2)->data_id = 0);
	TARGET(MT_SYNC_ON, 2, "", 0, "no standby", "3", 1,
	       report_of(2)->pg_role = MT_ROLE_PRIMARY);
	TARGET(MT_SYNC_ON, 2, "", 0, "no member", "2", 1,
	       w.state.n_members = 2);
	TARGET(MT_SYNC_ON, 1, "", 0, "nobody", "", 0,
	       flushed_of(2)->streaming = flushed_of(3)->streaming = false);
}
END_TEST

START_TEST(who_is_in_the_set_stays_for_a_while_without_streaming)
{
	TARGET(MT_SYNC_ON, 1, "3", 1, "a moment", "3", 1,
	       flushed_of(3)->streaming = false;
	       flushed_of(3)->last_ms = NOW - 4999);
	TARGET(MT_SYNC_ON, 1, "3", 1, "too long", "2", 1,
	       flushed_of(3)->streaming = false;
	       flushed_of(3)->last_ms = NOW - 5000);
	TARGET(MT_SYNC_ON, 1, "3", 1, "never seen", "2", 1,
	       w.view.n_flushed = 2);
	TARGET(MT_SYNC_ON, 1, "3", 1, "silent for a moment", "3", 1,
	       seen_of(3)->at_ms = NOW - 4999);
	TARGET(MT_SYNC_ON, 1, "3", 1, "cut off", "2", 1,
	       seen_of(3)->at_ms = NOW - 5000);
	TARGET(MT_SYNC_ON, 1, "3", 1, "its daemon is gone", "3", 1,
	       seen_of(3)->gone = true);
}
END_TEST

static void
given_none_streams(void)
{
	w.settings.synchronous_mode_strict = true;
	for (int i = 2; i <= 3; i++) {
		flushed_of(i)->streaming = false;
		flushed_of(i)->last_ms = NOW - 5000;
	}
}

START_TEST(a_strict_primary_goes_on_waiting_for_who_may_come_back)
{
	TARGET(MT_SYNC_ON, 1, "3", 1, "the one", "3", 1, given_none_streams());
	TARGET(MT_SYNC_ON, 2, "23", 2, "both", "23", 2, given_none_streams());
	TARGET(MT_SYNC_QUORUM, 1, "23", 1, "one of both", "23", 1,
	       given_none_streams());
	TARGET(MT_SYNC_QUORUM, 1, "23", 1, "not with other data", "2", 1,
	       given_none_streams();
	       report_of(3)->data_id++);
	TARGET(MT_SYNC_QUORUM, 2, "23", 2, "nor with another tag", "3", 1,
	       given_none_streams();
	       mt_copy(TAGS(2), "{\"nosync\":true}"));
	TARGET(MT_SYNC_QUORUM, 2, "23", 2, "one is there", "3", 1,
	       given_none_streams();
	       flushed_of(3)->streaming = true);
	TARGET(MT_SYNC_OFF, 1, "23", 2, "the mode is off", "", 0,
	       given_none_streams());
}
END_TEST

#define TARGET_NOBODY(what, in, k, ...) \
	do { \
		struct mt_names target; \
		given_sync_primary(MT_SYNC_ON, 1, in, k); \
		given_none_streams(); \
		__VA_ARGS__; \
		ck_assert(!mt_sync_target(&w.view, &target)); \
		ck_assert_msg(waits_for_nobody(&target), what); \
	} while (0)

START_TEST(a_strict_primary_without_anybody_to_wait_for_waits_for_nobody)
{
	TARGET_NOBODY("none yet", "", 0, );
	TARGET_NOBODY("other data", "3", 1, report_of(3)->data_id++);
	TARGET_NOBODY("a new primary: it never streamed from it", "3", 1,
		      flushed_of(3)->lsn = 0);
	TARGET_NOBODY("no member", "3", 1, w.state.n_members = 2);
	TARGET_NOBODY("it waits for one that the log does not know", "3", 1,
		      given_log("2", 1));
}
END_TEST

START_TEST(other_data_than_the_set_speaks_of_is_out_of_it)
{
	TARGET(MT_SYNC_ON, 1, "3", 1, "cloned anew", "2", 1,
	       report_of(3)->data_id++);
	TARGET(MT_SYNC_ON, 2, "23", 2, "both wanted", "2", 1,
	       report_of(3)->data_id++);
	TARGET(MT_SYNC_ON, 1, "3", 1, "not told", "3", 1,
	       report_of(3)->data_id = 0);
}
END_TEST

int
main(void)
{
	RUN_TESTS("sync_target",
		  so_many_are_wanted_as_the_mode_and_the_count_say,
		  the_order_is_priority_then_standing_then_position_then_name,
		  who_never_takes_over_is_waited_for_last,
		  who_lags_is_replaced_by_who_does_not,
		  who_is_new_has_to_be_well_within_the_limit,
		  who_is_about_to_stop_is_not_waited_for,
		  strict_mode_lets_nobody_go_whom_nobody_replaces,
		  only_members_that_may_and_can_are_wanted,
		  who_is_in_the_set_stays_for_a_while_without_streaming,
		  a_strict_primary_goes_on_waiting_for_who_may_come_back,
		  a_strict_primary_without_anybody_to_wait_for_waits_for_nobody,
		  other_data_than_the_set_speaks_of_is_out_of_it);
}
