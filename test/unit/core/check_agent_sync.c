/* SPDX-License-Identifier: PostgreSQL */
/*
 * The holder's steps between PostgreSQL's names and the log's sets, and their
 * conditions. What a standby of the set does is in check_agent_sync_standby.c.
 */
#include "core/agent.h"

#include "agent_sync.h"
#include "test/unit/run.h"

#define PUT (&w_plan.command.u.sync_put.sync)

static bool
proposes(const char *members, int k)
{
	return w_plan.act == MT_ACT_PROPOSE &&
	       w_plan.command.kind == MT_CMD_SYNC_PUT &&
	       w_plan.command.u.sync_put.epoch == w.state.leader.epoch &&
	       strcmp(PUT->leader, local()->name) == 0 &&
	       PUT->version == w.state.sync.version && log_is(PUT, members, k);
}

static void
member_tags(int number, const char *tags)
{
	mt_copy(w.state.members[number - 1].tags, MT_TAGS_MAX, tags);
}

/* ---- nothing to do ------------------------------------------------------ */

START_TEST(without_synchronous_mode_nothing_is_done)
{
	ROW(given_sync_primary(MT_SYNC_OFF, 1, "", 0), "off", "turn",
	    MT_ACT_NONE, );
	ROW(given_sync_primary(MT_SYNC_OFF, 1, "", 0), "off, in doubt", "turn",
	    MT_ACT_NONE, local()->names_settled = false;
	    local()->sync_in_doubt = true);
}
END_TEST

START_TEST(at_the_target_nothing_is_done)
{
	ROW(given_sync_primary(MT_SYNC_ON, 1, "2", 1), "on", "turn",
	    MT_ACT_NONE, );
	ROW(given_sync_primary(MT_SYNC_ON, 2, "23", 2), "on, two", "turn",
	    MT_ACT_NONE, );
	ROW(given_sync_primary(MT_SYNC_QUORUM, 1, "23", 1), "quorum", "turn",
	    MT_ACT_NONE, );
}
END_TEST

/* ---- what is not proven ------------------------------------------------- */

START_TEST(names_that_are_not_settled_are_written_again)
{
	ROW(given_sync_primary(MT_SYNC_ON, 1, "2", 1), "unsettled", "turn",
	    MT_ACT_NAMES, local()->names_settled = false);
	EXPECT(wants("2", 1), "the same");
	ROW(given_sync_primary(MT_SYNC_ON, 2, "2", 1), "before a step", "turn",
	    MT_ACT_NAMES, local()->names_settled = false);
	EXPECT(wants("2", 1), "the same, not the next");
	ROW(given_sync_primary(MT_SYNC_ON, 1, "2", 1), "before a put", "turn",
	    MT_ACT_NAMES, local()->names_settled = false;
	    local()->sync_in_doubt = true);
	EXPECT(wants("2", 1), "the same");
	ROW(given_sync_primary(MT_SYNC_OFF, 1, "2", 1), "while it ends", "turn",
	    MT_ACT_NAMES, local()->names_settled = false);
	EXPECT(wants("2", 1), "the same");
}
END_TEST

START_TEST(a_put_in_doubt_is_followed_by_one_of_the_same_content)
{
	ROW(given_sync_primary(MT_SYNC_ON, 1, "2", 1), "at the target", "turn",
	    MT_ACT_PROPOSE, local()->sync_in_doubt = true);
	EXPECT(proposes("2", 1), "the same");
	ROW(given_sync_primary(MT_SYNC_QUORUM, 1, "2", 1), "on the way", "turn",
	    MT_ACT_PROPOSE, local()->sync_in_doubt = true);
	EXPECT(proposes("2", 1), "the same, not the next");
	ROW(given_sync_primary(MT_SYNC_ON, 1, "", 0), "nothing yet", "turn",
	    MT_ACT_PROPOSE, local()->sync_in_doubt = true);
	EXPECT(proposes("", 0), "nothing");
	ROW(given_sync_primary(MT_SYNC_ON, 1, "3", 1), "of another holder",
	    "turn", MT_ACT_PROPOSE, local()->sync_in_doubt = true;
	    mt_copy(w.state.sync.leader, MT_NAME_MAX, "node2"));
	EXPECT(proposes("3", 1), "the same under its own name");
	ROW(given_sync_primary(MT_SYNC_ON, 1, "2", 1), "nobody is caught up",
	    "turn", MT_ACT_PROPOSE, local()->sync_in_doubt = true;
	    flushed_of(2)->lsn = 0; local()->names_mark = 0);
}
END_TEST

START_TEST(what_comes_first_in_a_turn_comes_before_it)
{
	ROW(given_sync_primary(MT_SYNC_ON, 1, "", 0), "slots", "turn",
	    MT_ACT_SLOTS, local()->slots_ready = false);
	ROW(given_sync_primary(MT_SYNC_ON, 1, "", 0), "a job", "turn",
	    MT_ACT_NONE, local()->job = MT_JOB_NAMES);
	ROW(given_sync_primary(MT_SYNC_ON, 1, "", 0), "in recovery", "turn",
	    MT_ACT_NONE, local()->in_recovery = true);
	ROW(given_sync_primary(MT_SYNC_ON, 1, "", 0), "the epoch", "turn",
	    MT_ACT_TAKE_EPOCH, local()->record.pg_epoch--;
	    w.state.leader.since--);
}
END_TEST

/* ---- the order ---------------------------------------------------------- */

START_TEST(the_first_standby_is_awaited_before_it_counts)
{
	ROW(given_sync_primary(MT_SYNC_ON, 1, "", 0), "names first", "turn",
	    MT_ACT_NAMES, );
	EXPECT(wants("2", 1), "node2");
	EXPECT_WHY("node2");
	ROW(given_sync_primary(MT_SYNC_ON, 1, "", 0), "then the log", "turn",
	    MT_ACT_PROPOSE, given_names("2", 1));
	EXPECT(proposes("2", 1), "node2 and its data");
	ROW(given_sync_primary(MT_SYNC_QUORUM, 1, "", 0), "quorum", "turn",
	    MT_ACT_NAMES, );
	EXPECT(wants("23", 1), "all");
}
END_TEST

START_TEST(a_standby_is_added_to_the_log_first)
{
	ROW(given_sync_primary(MT_SYNC_QUORUM, 1, "2", 1), "log", "turn",
	    MT_ACT_PROPOSE, );
	EXPECT(proposes("23", 1), "both");
	ROW(given_sync_primary(MT_SYNC_QUORUM, 1, "2", 1), "then names", "turn",
	    MT_ACT_NAMES, given_log("23", 1));
	EXPECT(wants("23", 1), "both");
}
END_TEST

START_TEST(a_standby_leaves_the_names_first)
{
	ROW(given_sync_primary(MT_SYNC_QUORUM, 1, "23", 1), "names", "turn",
	    MT_ACT_NAMES, member_tags(3, "{\"nosync\":true}"));
	EXPECT(wants("2", 1), "the rest");
	ROW(given_sync_primary(MT_SYNC_QUORUM, 1, "23", 1), "then the log",
	    "turn", MT_ACT_PROPOSE, member_tags(3, "{\"nosync\":true}");
	    given_names("2", 1));
	EXPECT(proposes("2", 1), "the rest");
}
END_TEST

START_TEST(more_have_to_flush_in_postgresql_first_and_fewer_in_the_log)
{
	ROW(given_sync_primary(MT_SYNC_QUORUM, 2, "23", 1), "more", "turn",
	    MT_ACT_NAMES, );
	EXPECT(wants("23", 2), "two");
	ROW(given_sync_primary(MT_SYNC_QUORUM, 2, "23", 1), "then the log",
	    "turn", MT_ACT_PROPOSE, given_names("23", 2));
	EXPECT(proposes("23", 2), "two");
	ROW(given_sync_primary(MT_SYNC_QUORUM, 1, "23", 2), "fewer", "turn",
	    MT_ACT_PROPOSE, );
	EXPECT(proposes("23", 1), "one");
	ROW(given_sync_primary(MT_SYNC_QUORUM, 1, "23", 2), "then the names",
	    "turn", MT_ACT_NAMES, given_log("23", 1));
	EXPECT(wants("23", 1), "one");
}
END_TEST

START_TEST(one_is_replaced_by_way_of_both)
{
	ROW(given_sync_primary(MT_SYNC_ON, 1, "2", 1), "log", "turn",
	    MT_ACT_PROPOSE, member_tags(2, "{\"nosync\":true}"));
	EXPECT(proposes("23", 1), "both");
	ROW(given_sync_primary(MT_SYNC_ON, 1, "2", 1), "names", "turn",
	    MT_ACT_NAMES, member_tags(2, "{\"nosync\":true}");
	    given_log("23", 1));
	EXPECT(wants("3", 1), "the new one");
	ROW(given_sync_primary(MT_SYNC_ON, 1, "2", 1), "log again", "turn",
	    MT_ACT_PROPOSE, member_tags(2, "{\"nosync\":true}");
	    given_log("23", 1); given_names("3", 1));
	EXPECT(proposes("3", 1), "the new one");
}
END_TEST

static void
given_alone(void)
{
	given_sync_primary(MT_SYNC_ON, 1, "2", 1);
	flushed_of(2)->streaming = flushed_of(3)->streaming = false;
	flushed_of(2)->last_ms = flushed_of(3)->last_ms = NOW - 5000;
}

START_TEST(with_no_standby_left_the_log_counts_on_the_holder_alone)
{
	ROW(given_alone(), "log first", "turn", MT_ACT_PROPOSE, );
	EXPECT(proposes("1", 1), "itself");
	ROW(given_alone(), "then names", "turn", MT_ACT_NAMES,
	    given_log("1", 1));
	EXPECT(wants("", 0), "nobody");
	ROW(given_alone(), "there", "turn", MT_ACT_NONE, given_log("1", 1);
	    given_names("", 0));
	ROW(given_alone(), "the mode ends", "turn", MT_ACT_PROPOSE,
	    given_log("1", 1);
	    given_names("", 0); w.settings.synchronous_mode = MT_SYNC_OFF);
	EXPECT(proposes("", 0), "nothing");
}
END_TEST

static void
given_strict(void)
{
	given_alone();
	w.settings.synchronous_mode_strict = true;
}

static bool
wants_nobody(void)
{
	return w_plan.act == MT_ACT_NAMES && w_plan.names.k == 1 &&
	       w_plan.names.n == 1 &&
	       strcmp(w_plan.names.names[0], MT_SYNC_PLACEHOLDER) == 0;
}

static void
given_names_nobody(void)
{
	given_names("", 0);
	mt_copy(local()->names.names[0], MT_NAME_MAX, MT_SYNC_PLACEHOLDER);
	local()->names.n = local()->names.k = 1;
}

START_TEST(a_strict_primary_leaves_all_as_it_is_without_standbys)
{
	ROW(given_strict(), "it waits", "turn", MT_ACT_NONE, );
	EXPECT_WHY("commits wait");
	ROW(given_strict(), "half of what the log knows", "turn",
	    MT_ACT_PROPOSE, given_log("23", 1));
	EXPECT(proposes("1", 1), "alone");
	ROW(given_strict(), "other data: it waits for nobody", "turn",
	    MT_ACT_NAMES, report_of(2)->data_id++);
	EXPECT(wants_nobody(), "the placeholder");
	EXPECT_WHY("\"" MT_SYNC_PLACEHOLDER "\"");
	ROW(given_strict(), "and counts on itself", "turn", MT_ACT_PROPOSE,
	    report_of(2)->data_id++;
	    given_names_nobody());
	EXPECT(proposes("1", 1), "alone");
	ROW(given_strict(), "strict no longer", "turn", MT_ACT_PROPOSE,
	    w.settings.synchronous_mode_strict = false);
	EXPECT(proposes("1", 1), "alone");
}
END_TEST

static void
given_waiting_for_nobody(void)
{
	given_strict();
	given_log("1", 1);
	given_names_nobody();
}

START_TEST(who_comes_ends_the_wait_for_nobody)
{
	ROW(given_waiting_for_nobody(), "it waits", "turn", MT_ACT_NONE, );
	EXPECT_WHY("commits wait");
	ROW(given_waiting_for_nobody(), "in quorum mode, as ANY", "turn",
	    MT_ACT_NAMES, w.settings.synchronous_mode = MT_SYNC_QUORUM);
	EXPECT_WHY("ANY 1 (" MT_SYNC_PLACEHOLDER ")");
	ROW(given_waiting_for_nobody(), "one comes", "turn", MT_ACT_NAMES,
	    flushed_of(3)->streaming = true);
	EXPECT(wants("3", 1), "it is waited for");
	ROW(given_waiting_for_nobody(), "strict no longer", "turn",
	    MT_ACT_NAMES, w.settings.synchronous_mode_strict = false);
	EXPECT(wants("", 0), "none");
}
END_TEST

static void
given_names_failed(int64_t ago_ms)
{
	local()->last_job = MT_JOB_NAMES;
	local()->last_job_failed = true;
	local()->failures = 1;
	local()->last_job_ms = NOW - ago_ms;
}

START_TEST(names_that_failed_are_tried_again_after_a_pause)
{
	ROW(given_sync_primary(MT_SYNC_ON, 1, "", 0), "too early", "turn",
	    MT_ACT_NONE, given_names_failed(999));
	EXPECT(w_plan.look_again_ms == NOW + 1, "it looks again");
	ROW(given_sync_primary(MT_SYNC_ON, 1, "", 0), "again", "turn",
	    MT_ACT_NAMES, given_names_failed(1000));
	ROW(given_sync_primary(MT_SYNC_ON, 1, "", 0), "unsettled", "turn",
	    MT_ACT_NONE, local()->names_settled = false;
	    given_names_failed(999));
	ROW(given_sync_primary(MT_SYNC_ON, 1, "", 0), "other work goes on",
	    "turn", MT_ACT_CHECKPOINT, given_names_failed(999);
	    given_request("node2"));
	ROW(given_sync_primary(MT_SYNC_ON, 1, "", 0), "the lease comes first",
	    "turn", MT_ACT_NONE, given_names_failed(0);
	    local()->deadline_ms = NOW + TTL_MS / 4 + 5);
	EXPECT(w_plan.look_again_ms == NOW + 5, "before it ends");
	ROW(given_supported(), "no promotion without them", "turn", MT_ACT_NONE,
	    given_mode(MT_SYNC_ON, 2);
	    given_log("23", 2); given_names_failed(999));
	ROW(given_supported(), "nor for ever", "turn", MT_ACT_GIVE_UP,
	    given_mode(MT_SYNC_ON, 2);
	    given_log("23", 2); given_names_failed(999);
	    local()->turn_ms = NOW - 15001);
}
END_TEST

START_TEST(when_the_mode_ends_the_log_is_emptied_before_the_names)
{
	ROW(given_sync_primary(MT_SYNC_OFF, 1, "2", 1), "log", "turn",
	    MT_ACT_PROPOSE, );
	EXPECT(proposes("", 0), "nothing");
	ROW(given_sync_primary(MT_SYNC_OFF, 1, "2", 1), "names", "turn",
	    MT_ACT_NAMES, given_log("", 0));
	EXPECT(wants("", 0), "nothing");
	ROW(given_sync_primary(MT_SYNC_OFF, 1, "23", 2), "nobody streams",
	    "turn", MT_ACT_PROPOSE, flushed_of(2)->streaming = false;
	    flushed_of(3)->streaming = false; local()->names_mark = 0);
	EXPECT(proposes("", 0), "all at once, and nobody is waited for");
}
END_TEST

START_TEST(the_form_of_the_names_changes_with_the_mode)
{
	ROW(given_sync_primary(MT_SYNC_QUORUM, 2, "23", 2), "to quorum", "turn",
	    MT_ACT_NAMES, local()->names_any = false);
	EXPECT(wants("23", 2), "the same names");
	EXPECT_WHY("ANY 2 (node2,node3)");
	ROW(given_sync_primary(MT_SYNC_ON, 2, "23", 2), "from quorum", "turn",
	    MT_ACT_NAMES, local()->names_any = true);
	EXPECT(wants("23", 2), "the same names");
	EXPECT_WHY("\"2 (node2,node3)");
}
END_TEST

/* ---- who has what was acknowledged before ------------------------------- */

START_TEST(the_log_changes_only_when_enough_are_caught_up)
{
	static const struct {
		const char *what;
		uint64_t lsn2, lsn3, mark;
		bool streams2, streams3, enough;
	} rows[] = {
	    {"both", MARK, MARK, MARK, true, true, true},
	    {"one lacks a byte", MARK, MARK - 1, MARK, true, true, false},
	    {"the other", MARK - 1, MARK, MARK, true, true, false},
	    {"one streams no more", MARK, MARK, MARK, true, false, false},
	    {"no mark was taken", LSN, LSN, 0, true, true, false},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		bool enough = rows[i].enough;

		ROW(given_sync_primary(MT_SYNC_QUORUM, 2, "23", 1),
		    rows[i].what, "turn", enough ? MT_ACT_PROPOSE : MT_ACT_NONE,
		    given_names("23", 2);
		    flushed_of(2)->lsn = rows[i].lsn2;
		    flushed_of(3)->lsn = rows[i].lsn3;
		    flushed_of(2)->streaming = rows[i].streams2;
		    flushed_of(3)->streaming = rows[i].streams3;
		    local()->names_mark = rows[i].mark);
		EXPECT(!enough || proposes("23", 2), "the put");
		EXPECT(enough || w_plan.look_again_ms == NOW + 100,
		       "it looks again soon");
	}
}
END_TEST

START_TEST(of_a_quorum_only_so_many_have_to_be_caught_up)
{
	ROW(given_sync_primary(MT_SYNC_QUORUM, 1, "", 0), "one of two", "turn",
	    MT_ACT_PROPOSE, given_names("23", 1);
	    flushed_of(3)->lsn = 0);
	EXPECT(proposes("23", 1), "both in the log");
	ROW(given_sync_primary(MT_SYNC_QUORUM, 1, "", 0), "none", "turn",
	    MT_ACT_NONE, given_names("23", 1);
	    flushed_of(2)->lsn = flushed_of(3)->lsn = MARK - 1);
}
END_TEST

START_TEST(the_wait_for_others_keeps_nothing_from_its_work)
{
	ROW(given_sync_primary(MT_SYNC_ON, 1, "", 0), "a switchover", "turn",
	    MT_ACT_CHECKPOINT, given_names("2", 1);
	    flushed_of(2)->lsn = 0; given_request("node2"));
	ROW(given_sync_primary(MT_SYNC_ON, 1, "", 0), "the status", "turn",
	    MT_ACT_PROPOSE, given_names("2", 1);
	    flushed_of(2)->lsn = 0; local()->at.lsn += 16);
	EXPECT(w_plan.command.kind == MT_CMD_STATUS_PUT, "is put");
}
END_TEST

/* ---- after a promotion -------------------------------------------------- */

START_TEST(the_first_sets_of_a_new_primary_are_those_of_the_old_one)
{
	/* node1 was in the set {1,3} of node2 and has names for node3. */
	ROW(given_sync_primary(MT_SYNC_ON, 1, "13", 1), "takes them over",
	    "turn", MT_ACT_PROPOSE, given_names("3", 1);
	    local()->sync_in_doubt = true);
	EXPECT(proposes("13", 1), "as they are");
	ROW(given_sync_primary(MT_SYNC_ON, 1, "13", 1), "leaves them itself",
	    "turn", MT_ACT_PROPOSE, given_names("3", 1));
	EXPECT(proposes("3", 1), "the other");
	ROW(given_sync_primary(MT_SYNC_ON, 1, "13", 1), "not caught up", "turn",
	    MT_ACT_NONE, given_names("3", 1);
	    flushed_of(3)->lsn = MARK - 1);
}
END_TEST

START_TEST(a_new_primary_that_was_alone_in_the_set_counts_until_another_does)
{
	ROW(given_sync_primary(MT_SYNC_ON, 1, "1", 1), "names", "turn",
	    MT_ACT_NAMES, given_names("", 0));
	EXPECT(wants("2", 1), "the other");
	ROW(given_sync_primary(MT_SYNC_ON, 1, "1", 1), "lacks a byte", "turn",
	    MT_ACT_NONE, given_names("2", 1);
	    flushed_of(2)->lsn = MARK - 1);
	ROW(given_sync_primary(MT_SYNC_ON, 1, "1", 1), "the log", "turn",
	    MT_ACT_PROPOSE, given_names("2", 1));
	EXPECT(proposes("2", 1), "the other");
}
END_TEST

int
main(void)
{
	RUN_TESTS(
	    "agent_sync", without_synchronous_mode_nothing_is_done,
	    at_the_target_nothing_is_done,
	    names_that_are_not_settled_are_written_again,
	    a_put_in_doubt_is_followed_by_one_of_the_same_content,
	    what_comes_first_in_a_turn_comes_before_it,
	    the_first_standby_is_awaited_before_it_counts,
	    a_standby_is_added_to_the_log_first,
	    a_standby_leaves_the_names_first,
	    more_have_to_flush_in_postgresql_first_and_fewer_in_the_log,
	    one_is_replaced_by_way_of_both,
	    with_no_standby_left_the_log_counts_on_the_holder_alone,
	    a_strict_primary_leaves_all_as_it_is_without_standbys,
	    who_comes_ends_the_wait_for_nobody,
	    names_that_failed_are_tried_again_after_a_pause,
	    when_the_mode_ends_the_log_is_emptied_before_the_names,
	    the_form_of_the_names_changes_with_the_mode,
	    the_log_changes_only_when_enough_are_caught_up,
	    of_a_quorum_only_so_many_have_to_be_caught_up,
	    the_wait_for_others_keeps_nothing_from_its_work,
	    the_first_sets_of_a_new_primary_are_those_of_the_old_one,
	    a_new_primary_that_was_alone_in_the_set_counts_until_another_does);
}
