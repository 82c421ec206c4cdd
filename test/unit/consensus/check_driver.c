/* SPDX-License-Identifier: PostgreSQL */
/*
 * The driver's life: elections, commits, restarts, snapshots, failed writes.
 */
#include "consensus/driver.h"

#include "nodes.h"
#include "test/unit/run.h"

START_TEST(three_nodes_elect_one_leader_and_apply_the_same)
{
	struct node *l;
	unsigned i;

	bootstrap(3);
	l = elect();
	say(l, "a");
	say(l, "b");
	ck_assert_int_eq(l->submitted, 2);
	ck_assert_int_eq(l->submitted_rv, 0);
	ck_assert_int_eq(l->done, 2);
	ck_assert_int_eq((int)l->outcome, (int)MT_OUTCOME_APPLIED);
	for (i = 1; i <= 3; i++) {
		ck_assert_str_eq(nodes[i].text, "ab");
		ck_assert_uint_eq(mt_driver_leader(nodes[i].d), l->id);
		ck_assert(mt_driver_is_current(nodes[i].d));
		ck_assert_uint_eq(nodes[i].configs, 1);
		ck_assert_uint_eq(nodes[i].committed_configs, 1);
		ck_assert(mt_image_equal(&nodes[i].disk,
					 mt_driver_image(nodes[i].d)));
	}
}
END_TEST

START_TEST(a_follower_refuses_submissions)
{
	struct node *l, *f;

	bootstrap(3);
	l = elect();
	f = &nodes[l->id % 3 + 1];
	say(f, "a");
	ck_assert_int_eq(f->submitted, 1);
	ck_assert_int_eq(f->submitted_rv, MT_EREFUSED);
	ck_assert_int_eq(f->done, 0);
}
END_TEST

START_TEST(restarted_nodes_apply_the_committed_log_again)
{
	unsigned i;

	bootstrap(3);
	say(elect(), "a");
	for (i = 1; i <= 3; i++)
		halt(i);
	drop_packets();
	for (i = 1; i <= 3; i++) {
		boot(i);
		ck_assert_str_eq(nodes[i].text, "");
		ck_assert(!mt_driver_is_current(nodes[i].d));
	}
	say(elect(), "b");
	for (i = 1; i <= 3; i++)
		ck_assert_str_eq(nodes[i].text, "ab");
}
END_TEST

START_TEST(a_node_that_is_far_behind_gets_a_snapshot)
{
	struct node *l;
	unsigned i, far;

	threshold = 5;
	bootstrap(3);
	l = elect();
	far = l->id % 3 + 1;
	cut[far] = true;
	for (i = 0; i < 20; i++)
		say(l, "x");
	ck_assert_uint_gt(mt_driver_image(l->d)->snapshot.index, 10);
	cut[far] = false;
	pass_ms(10 * ELECTION_MS);
	say(elect(), "y");
	ck_assert_str_eq(nodes[far].text, "xxxxxxxxxxxxxxxxxxxxy");
	ck_assert_uint_ge(mt_driver_stats(nodes[far].d)->installed, 1);
	ck_assert_uint_gt(nodes[far].disk.snapshot.index, 10);
	ck_assert_uint_eq(mt_driver_configuration(nodes[far].d)->n, 3);
	halt(far);
	boot(far);
	ck_assert_uint_ge(strlen(nodes[far].text), 10);
}
END_TEST

START_TEST(a_lone_voter_leads_in_a_new_term_each_time)
{
	uint64_t term;
	int i;

	bootstrap(1);
	say(elect(), "a");
	ck_assert_str_eq(nodes[1].text, "a");
	for (i = 0; i < 3; i++) {
		term = mt_driver_term(nodes[1].d);
		ck_assert_uint_ge(term, 2);
		halt(1);
		boot(1);
		ck_assert_ptr_nonnull(leader());
		ck_assert_uint_eq(mt_driver_term(nodes[1].d), term + 1);
		ck_assert_uint_eq(nodes[1].disk.vote, 1);
	}
	ck_assert_str_eq(nodes[1].text, "a");
}
END_TEST

START_TEST(a_lone_voter_that_lost_its_lead_leads_in_a_new_term)
{
	struct raft_message m;
	struct mt_image empty;
	struct mt_blob b;

	bootstrap(1);
	elect();
	/* a stranger's vote request of a later term makes it a follower */
	memset(&m, 0, sizeof m);
	m.type = RAFT_REQUEST_VOTE;
	m.request_vote =
	    (struct raft_request_vote){2, 40, 9, 1, 1, true, false};
	mt_image_init(&empty);
	ck_assert_int_eq(mt_message_encode(&m, &empty, &b, NULL), 0);
	ck_assert_int_eq(mt_driver_receive(nodes[1].d, 9, b.p, b.n, NULL), 0);
	mt_blob_release(&b);
	if (mt_driver_role(nodes[1].d) == MT_RAFT_LEADER)
		return; /* libraft did not listen: nothing lost */
	ck_assert_uint_eq(mt_driver_term(nodes[1].d), 40);
	elect();
	ck_assert_uint_eq(mt_driver_term(nodes[1].d), 41);
	say(&nodes[1], "a");
	ck_assert_str_eq(nodes[1].text, "a");
}
END_TEST

START_TEST(nothing_leaves_before_it_is_durable)
{
	struct node *l;
	unsigned i;

	bootstrap(3);
	l = elect();
	for (i = 1; i <= 3; i++)
		nodes[i].disk_hangs = true;
	mt_driver_submit(l->d, "a", 1, 1);
	ck_assert_ptr_nonnull(l->writing);
	ck_assert_ptr_null(packets); /* hook_send checks the rest */
	ck_assert_uint_eq(mt_driver_next_ms(l->d), UINT64_MAX);
	end_write(l, true);
	ck_assert_ptr_nonnull(packets);
	pass_ms(1);
	ck_assert_str_eq(l->text, "");
	for (i = 1; i <= 3; i++)
		if (nodes[i].writing != NULL)
			end_write(&nodes[i], true);
	pass_ms(1);
	ck_assert_str_eq(l->text, "a");
}
END_TEST

START_TEST(a_failed_write_closes_and_a_restart_goes_on)
{
	struct mt_image image;
	struct mt_err err;
	struct node *l;
	unsigned id;

	bootstrap(3);
	l = elect();
	say(l, "a");
	l->disk_fails = true;
	mt_driver_submit(l->d, "b", 1, 2);
	ck_assert_int_eq(l->closed, 1);
	ck_assert(l->closed_by_disk);
	ck_assert_int_eq(l->submitted, 2);
	ck_assert_int_eq(l->done, 2);
	ck_assert_int_eq((int)l->outcome, (int)MT_OUTCOME_UNKNOWN);
	ck_assert_int_eq((int)mt_driver_role(l->d), (int)MT_RAFT_CLOSED);
	ck_assert_uint_eq(mt_driver_next_ms(l->d), UINT64_MAX);
	say(l, "c");
	ck_assert_int_eq(l->submitted_rv, MT_EREFUSED);
	id = l->id;
	l->disk_fails = false;
	say(elect(), "d");
	mt_image_copy(&image, &nodes[id].disk);
	ck_assert_int_eq(mt_driver_restart(nodes[id].d, &image, &err), 0);
	/* the state machine was kept, not emptied */
	ck_assert_str_eq(nodes[id].text, "a");
	pass_ms(5 * ELECTION_MS);
	say(elect(), "e");
	ck_assert_str_eq(nodes[id].text, "ade");
	ck_assert(mt_driver_is_current(nodes[id].d));
	ck_assert_int_eq(mt_driver_restart(nodes[id].d, &image, &err),
			 MT_EREFUSED);
}
END_TEST

START_TEST(a_command_that_cannot_be_applied_closes_for_good)
{
	struct mt_image image;
	struct mt_err err;
	struct node *l, *f;

	bootstrap(3);
	l = elect();
	f = &nodes[l->id % 3 + 1];
	f->cannot_apply = true;
	say(l, "new");
	ck_assert_int_eq(f->closed, 1);
	ck_assert(!f->closed_by_disk);
	ck_assert_int_eq((int)mt_driver_role(f->d), (int)MT_RAFT_CLOSED);
	mt_image_copy(&image, &f->disk);
	ck_assert_int_eq(mt_driver_restart(f->d, &image, &err), MT_EREFUSED);
	mt_image_release(&image);
	say(l, "er");
	ck_assert_str_eq(l->text, "newer");
}
END_TEST

/* After a restart libraft knows of no commit, and would let a lie of a newer
 * term take away what was applied here. */
START_TEST(another_entry_than_the_committed_one_closes_for_good)
{
	struct mt_image image;
	struct mt_blob bytes = {0};
	struct raft_message m;
	struct node *l, *f;
	uint64_t index;

	bootstrap(3);
	l = elect();
	f = &nodes[l->id % 3 + 1];
	say(l, "a");
	say(l, "b");
	pass_ms(5 * HEARTBEAT_MS);
	f->disk_fails = true;
	say(l, "c");
	ck_assert(f->closed_by_disk);
	cut[f->id] = true;
	f->disk_fails = false;
	mt_image_copy(&image, &f->disk);
	ck_assert_int_eq(mt_driver_restart(f->d, &image, NULL), 0);
	index = mt_driver_applied_index(f->d);
	ck_assert_str_eq(f->text, "ab");

	mt_image_copy(&image, &f->disk);
	mt_image_truncate(&image, index);
	mt_image_append(&image, 99, MT_ENTRY_COMMAND, "lie", 3);
	memset(&m, 0, sizeof m);
	m.type = RAFT_APPEND_ENTRIES;
	m.append_entries = (struct raft_append_entries){
	    .term = 99,
	    .prev_log_index = index - 1,
	    .prev_log_term = mt_image_term_at(&image, index - 1),
	    .n_entries = 1};
	ck_assert_int_eq(mt_message_encode(&m, &image, &bytes, NULL), 0);
	mt_image_release(&image);
	f->closed_by_disk = false;
	ck_assert_int_eq(mt_driver_receive(f->d, l->id, bytes.p, bytes.n, NULL),
			 0);
	mt_blob_release(&bytes);
	ck_assert_int_eq((int)mt_driver_role(f->d), (int)MT_RAFT_CLOSED);
	ck_assert(!f->closed_by_disk);
	ck_assert_str_eq(f->text, "ab");
	ck_assert_uint_eq(mt_image_last(&f->disk), index);
}
END_TEST

START_TEST(a_replaced_entry_is_lost_and_says_so)
{
	struct node *old, *new;

	bootstrap(3);
	old = elect();
	cut[old->id] = true;
	drop_packets();
	mt_driver_submit(old->d, "lost", 4, 5);
	drop_packets();
	ck_assert_int_eq(old->submitted_rv, 0);
	ck_assert_int_eq(old->done, 0);
	new = elect();
	ck_assert_ptr_ne(old, new);
	say(new, "kept");
	cut[old->id] = false;
	pass_ms(5 * ELECTION_MS);
	ck_assert_int_eq(old->done, 1);
	ck_assert_int_eq((int)old->outcome, (int)MT_OUTCOME_LOST);
	ck_assert_str_eq(old->text, "kept");
}
END_TEST

START_TEST(freeing_completes_what_is_outstanding)
{
	struct node *l;

	bootstrap(3);
	l = elect();
	l->disk_hangs = true;
	mt_driver_submit(l->d, "a", 1, 1);
	mt_driver_submit(l->d, "b", 1, 2);
	mt_driver_submit(l->d, "c", 1, 3);
	ck_assert_int_eq(l->submitted, 1);
	halt(l->id);
	ck_assert_int_eq(l->submitted, 3);
	ck_assert_int_eq(l->submitted_rv, MT_ECANCELED);
	ck_assert_int_eq(l->done, 1);
	ck_assert_int_eq((int)l->outcome, (int)MT_OUTCOME_UNKNOWN);
}
END_TEST

START_TEST(hostile_bytes_are_counted_and_change_nothing)
{
	static const char junk[] = "\x01junk";
	struct mt_err err;

	bootstrap(3);
	elect();
	ck_assert_int_eq(
	    mt_driver_receive(nodes[1].d, 2, junk, sizeof junk, &err),
	    MT_EPROTO);
	ck_assert_int_eq(
	    mt_driver_receive(nodes[1].d, 1, junk, sizeof junk, &err),
	    MT_EPROTO);
	ck_assert_uint_eq(mt_driver_stats(nodes[1].d)->rejected, 2);
}
END_TEST

START_TEST(an_image_that_breaks_the_rules_is_refused)
{
	struct mt_driver_hooks hooks = {0};
	struct mt_driver_options o = {.id = 1,
				      .address = "here",
				      .election_ms = ELECTION_MS,
				      .heartbeat_ms = HEARTBEAT_MS};
	struct mt_driver *d = NULL;
	struct mt_image image;
	struct mt_err err;

	mt_image_init(&image);
	image.term = 3;
	mt_image_append(&image, 3, MT_ENTRY_COMMAND, "x", 1);
	ck_assert_int_eq(mt_driver_new(&d, &o, &hooks, &image, &err), MT_EIO);
	ck_assert_uint_eq(image.n, 1);
	mt_image_release(&image);
	o.id = 0;
	ck_assert_int_eq(mt_driver_new(&d, &o, &hooks, &image, &err),
			 MT_EINVAL);
	ck_assert_ptr_null(d);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("driver");
	TCase *tc = tcase_create("nodes");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, three_nodes_elect_one_leader_and_apply_the_same);
	tcase_add_test(tc, a_follower_refuses_submissions);
	tcase_add_test(tc, restarted_nodes_apply_the_committed_log_again);
	tcase_add_test(tc, a_node_that_is_far_behind_gets_a_snapshot);
	tcase_add_test(tc, a_lone_voter_leads_in_a_new_term_each_time);
	tcase_add_test(tc, a_lone_voter_that_lost_its_lead_leads_in_a_new_term);
	tcase_add_test(tc, nothing_leaves_before_it_is_durable);
	tcase_add_test(tc, a_failed_write_closes_and_a_restart_goes_on);
	tcase_add_test(tc, a_command_that_cannot_be_applied_closes_for_good);
	tcase_add_test(tc,
		       another_entry_than_the_committed_one_closes_for_good);
	tcase_add_test(tc, a_replaced_entry_is_lost_and_says_so);
	tcase_add_test(tc, freeing_completes_what_is_outstanding);
	tcase_add_test(tc, hostile_bytes_are_counted_and_change_nothing);
	tcase_add_test(tc, an_image_that_breaks_the_rules_is_refused);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
