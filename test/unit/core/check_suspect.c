/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a member finds out about a holder that is silent: when it tries the
 * port, and what it makes of that. What the controller makes of the findings
 * is in check_controller_suspected.c.
 */
#include "core/suspect.h"

#include "given_sync.h"
#include "test/unit/run.h"

static struct mt_probing probing;
static char url[MT_URL_MAX];
static int64_t again_ms;

static bool
step(void)
{
	again_ms = 0;
	return mt_probing_step(&probing, &w.view, url, &again_ms);
}

/* node2 follows node1, whose last report is this old. */
static void
given_age(int64_t ms)
{
	given_standby();
	given_mode(MT_SYNC_ON, 1);
	given_log("2", 1);
	memset(&probing, 0, sizeof(probing));
	seen_of(1)->at_ms = NOW - ms;
}

START_TEST(the_port_is_tried_at_half_of_the_silence)
{
	given_age(249);
	ck_assert(!step());
	ck_assert_int_eq(again_ms, NOW + 1);
	ck_assert_uint_eq(probing.epoch, 0);
	given_age(250);
	ck_assert(step());
	ck_assert_str_eq(url, w.state.members[0].conn_url);
	ck_assert_uint_eq(probing.epoch, EPOCH);
	ck_assert_int_eq(probing.found, MT_PORT_UNKNOWN);
	given_age(10);
	seen_of(1)->gone = true;
	ck_assert_msg(step(), "its stream has ended");
	given_age(0);
	w.reports.seen[0] = w.reports.seen[2];
	w.reports.n = 2;
	ck_assert_msg(step(), "never heard, and long in its turn");
	local()->turn_ms = NOW - 249;
	memset(&probing, 0, sizeof(probing));
	ck_assert_msg(!step(), "never heard, and new");
}
END_TEST

START_TEST(nobody_tries_where_nothing_hangs_on_it)
{
	given_age(1000);
	given_log("", 0);
	ck_assert_msg(!step() && again_ms == 0, "no set stands");
	given_age(1000);
	w.state.leader.released = true;
	ck_assert_msg(!step() && again_ms == 0, "released");
	given_age(1000);
	mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2");
	ck_assert_msg(!step() && again_ms == 0, "the holder itself");
	given_age(1000);
	w.state.members[0].conn_url[0] = '\0';
	ck_assert_msg(!step() && again_ms == 0, "no address is known");
	given_age(1000);
	w.settings.sync_waits_for_lease = true;
	ck_assert_msg(!step() && again_ms == 0, "the lease is waited for");
	w.settings.sync_waits_for_lease = false;
	given_age(1000);
	local()->witness = true;
	ck_assert_msg(step(), "a witness does");
}
END_TEST

START_TEST(the_port_is_tried_again_while_the_silence_lasts)
{
	given_age(250);
	ck_assert(step());
	ck_assert_msg(!step() && again_ms == 0, "one is under way");
	mt_probing_ended(&probing, MT_PORT_DEAD);
	ck_assert_int_eq(probing.found, MT_PORT_DEAD);
	ck_assert(!step());
	ck_assert_int_eq(again_ms, NOW + 500);
	w.view.now_ms = NOW + 500;
	ck_assert(step());
	ck_assert_msg(probing.found == MT_PORT_DEAD, "known meanwhile");
	mt_probing_ended(&probing, MT_PORT_ACCEPTS);
	ck_assert_int_eq(probing.found, MT_PORT_ACCEPTS);
}
END_TEST

START_TEST(a_finding_ends_with_the_silence)
{
	given_age(250);
	step();
	mt_probing_ended(&probing, MT_PORT_DEAD);
	seen_of(1)->at_ms = NOW;
	ck_assert(!step());
	ck_assert_int_eq(probing.found, MT_PORT_UNKNOWN);
	ck_assert_uint_eq(probing.epoch, 0);
	/* One that was under way says nothing of the next silence. */
	given_age(250);
	step();
	seen_of(1)->at_ms = NOW;
	step();
	mt_probing_ended(&probing, MT_PORT_DEAD);
	ck_assert_int_eq(probing.found, MT_PORT_UNKNOWN);
	/* Nor of another holder. */
	given_age(250);
	step();
	w.state.leader.epoch++;
	mt_copy(w.state.leader.holder, MT_NAME_MAX, "node3");
	seen_of(3)->at_ms = NOW - 250;
	ck_assert(!step());
	mt_probing_ended(&probing, MT_PORT_DEAD);
	ck_assert_int_eq(probing.found, MT_PORT_UNKNOWN);
	ck_assert(step());
	ck_assert_str_eq(url, w.state.members[2].conn_url);
	ck_assert_int_eq(probing.found, MT_PORT_UNKNOWN);
	ck_assert_uint_eq(probing.epoch, EPOCH + 1);
}
END_TEST

START_TEST(wal_that_arrives_counts_for_more_than_a_dead_port)
{
	given_age(250);
	step();
	mt_probing_ended(&probing, MT_PORT_DEAD);
	ck_assert_int_eq(mt_probing_finding(&probing), MT_PORT_DEAD);
	local()->wal_heard_ms = NOW - 1;
	step();
	ck_assert_msg(mt_probing_finding(&probing) == MT_PORT_DEAD,
		      "it was under way when the silence began");
	local()->wal_heard_ms = NOW;
	step();
	ck_assert_int_eq(mt_probing_finding(&probing), MT_PORT_STREAMS);
	mt_copy(local()->upstream, MT_NAME_MAX, "node3");
	step();
	ck_assert_msg(mt_probing_finding(&probing) == MT_PORT_DEAD,
		      "another's WAL");
	mt_copy(local()->upstream, MT_NAME_MAX, "node1");
	w.view.now_ms = NOW + 499;
	ck_assert(!step());
	ck_assert_int_eq(again_ms, NOW + 500);
	w.view.now_ms = NOW + 501;
	step();
	mt_probing_ended(&probing, MT_PORT_DEAD);
	ck_assert_msg(mt_probing_finding(&probing) == MT_PORT_DEAD,
		      "none came lately");
	local()->wal_heard_ms = NOW + 501;
	step();
	ck_assert_int_eq(mt_probing_finding(&probing), MT_PORT_STREAMS);
	seen_of(1)->at_ms = w.view.now_ms;
	step();
	ck_assert_int_eq(mt_probing_finding(&probing), MT_PORT_UNKNOWN);
}
END_TEST

START_TEST(who_waits_for_standbys_may_be_displaced)
{
	given_sync_primary(MT_SYNC_ON, 1, "2", 1);
	ck_assert(mt_may_be_displaced(&w.view));
	given_log("", 0);
	ck_assert_msg(mt_may_be_displaced(&w.view),
		      "the log may have a set that is not applied here");
	given_names("", 0);
	ck_assert(!mt_may_be_displaced(&w.view));
	given_log("2", 1);
	ck_assert(mt_may_be_displaced(&w.view));
	w.settings.sync_waits_for_lease = true;
	ck_assert_msg(mt_may_be_displaced(&w.view),
		      "who decides may have another configuration");
}
END_TEST

int
main(void)
{
	RUN_TESTS("suspect", the_port_is_tried_at_half_of_the_silence,
		  nobody_tries_where_nothing_hangs_on_it,
		  the_port_is_tried_again_while_the_silence_lasts,
		  a_finding_ends_with_the_silence,
		  wal_that_arrives_counts_for_more_than_a_dead_port,
		  who_waits_for_standbys_may_be_displaced);
}
