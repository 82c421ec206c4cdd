/* SPDX-License-Identifier: PostgreSQL */
/*
 * Changes of the configuration, and the guards around libraft's defects that
 * are no matter of schedules (for the others see raftsim --guards).
 */
#include "consensus/driver.h"

#include "nodes.h"
#include "test/unit/run.h"

static void
add_server(struct mt_configuration *c, unsigned id, enum mt_server_role role)
{
	struct mt_server *s = &c->servers[c->n++];

	s->id = id;
	s->role = role;
	s->address[0] = 'n';
	s->address[1] = (char)('0' + id);
	s->address[2] = '\0';
}

START_TEST(a_server_joins_catches_up_and_votes)
{
	struct mt_configuration c;
	struct node *l;

	bootstrap(3);
	boot(4);
	l = elect();
	say(l, "a");
	c = *mt_driver_configuration(l->d);
	add_server(&c, 4, MT_SERVER_VOTER);
	ck_assert_int_eq(mt_driver_may_change(l->d, &c, NULL), MT_EREFUSED);
	c.servers[3].role = MT_SERVER_STANDBY;
	mt_driver_change(l->d, &c, 7);
	pass_ms(5 * HEARTBEAT_MS);
	ck_assert_int_eq(l->submitted_rv, 0);
	ck_assert_int_eq((int)l->outcome, (int)MT_OUTCOME_APPLIED);
	ck_assert_str_eq(nodes[4].text, "a");
	c.servers[3].role = MT_SERVER_VOTER;
	ck_assert_int_eq(mt_driver_may_change(l->d, &c, NULL), MT_EREFUSED);
	mt_driver_catch_up(l->d, 4);
	pass_ms(5 * ELECTION_MS);
	ck_assert_int_eq((int)mt_driver_catch_up_status(l->d, 4),
			 (int)MT_CATCH_UP_FINISHED);
	mt_driver_change(l->d, &c, 8);
	pass_ms(5 * HEARTBEAT_MS);
	ck_assert_uint_eq(mt_configuration_voters(
			      mt_driver_committed_configuration(nodes[4].d)),
			  4);
	/* and removing one again leaves three, but never the leader */
	c = *mt_driver_configuration(l->d);
	ck_assert_int_eq(mt_driver_may_change(l->d, &c, NULL), MT_EREFUSED);
	c.servers[l->id - 1] = c.servers[3];
	c.n = 3;
	ck_assert_int_eq(mt_driver_may_change(l->d, &c, NULL), MT_EREFUSED);
	c = *mt_driver_configuration(l->d);
	c.servers[l->id % 3] = c.servers[3];
	c.n = 3;
	ck_assert_int_eq(mt_driver_may_change(l->d, &c, NULL), 0);
	mt_driver_change(l->d, &c, 9);
	pass_ms(5 * HEARTBEAT_MS);
	ck_assert_uint_eq(mt_driver_committed_configuration(l->d)->n, 3);
	/* below three only by an offline recovery */
	c = *mt_driver_configuration(l->d);
	c.n = 2;
	ck_assert_int_eq(mt_driver_may_change(l->d, &c, NULL), MT_EREFUSED);
}
END_TEST

START_TEST(a_cluster_of_one_grows_to_three)
{
	struct mt_configuration c;
	struct node *l;
	unsigned id;

	bootstrap(1);
	boot(2);
	boot(3);
	l = elect();
	say(l, "a");
	for (id = 2; id <= 3; id++) {
		c = *mt_driver_configuration(l->d);
		add_server(&c, id, MT_SERVER_STANDBY);
		mt_driver_change(l->d, &c, 1);
		pass_ms(5 * HEARTBEAT_MS);
		mt_driver_catch_up(l->d, id);
		pass_ms(5 * HEARTBEAT_MS);
		c.servers[id - 1].role = MT_SERVER_VOTER;
		mt_driver_change(l->d, &c, 2);
		pass_ms(5 * HEARTBEAT_MS);
		ck_assert_int_eq(l->submitted_rv, 0);
		ck_assert_uint_eq(mt_configuration_voters(
				      mt_driver_committed_configuration(l->d)),
				  id);
	}
	halt(1);
	say(elect(), "b");
	ck_assert_str_eq(nodes[2].text, "ab");
	ck_assert_str_eq(nodes[3].text, "ab");
}
END_TEST

START_TEST(leadership_is_handed_over)
{
	struct node *l;
	unsigned to;

	bootstrap(3);
	l = elect();
	to = l->id % 3 + 1;
	say(l, "a");
	mt_driver_transfer(l->d, to);
	pass_ms(5 * HEARTBEAT_MS);
	ck_assert_ptr_eq(elect(), &nodes[to]);
}
END_TEST

static void
hand(struct node *n, unsigned from, const struct raft_message *m)
{
	struct mt_image none;
	struct mt_blob b;

	mt_image_init(&none);
	ck_assert_int_eq(mt_message_encode(m, &none, &b, NULL), 0);
	ck_assert_int_eq(mt_driver_receive(n->d, from, b.p, b.n, NULL), 0);
	mt_blob_release(&b);
}

/* D6: libraft answers an old term with whatever lay on the stack. */
START_TEST(the_answer_to_an_old_term_names_no_index)
{
	struct raft_message m;
	struct mt_message answer;
	struct node *f;

	bootstrap(3);
	f = &nodes[elect()->id % 3 + 1];
	drop_packets();
	memset(&m, 0, sizeof m);
	m.type = RAFT_APPEND_ENTRIES;
	m.append_entries.term = 1;
	hand(f, f->id % 3 + 1, &m);
	ck_assert_ptr_nonnull(packets);
	ck_assert_int_eq(mt_message_decode(&answer, packets->bytes.p,
					   packets->bytes.n, NULL),
			 0);
	ck_assert_int_eq(answer.raft.type, RAFT_APPEND_ENTRIES_RESULT);
	ck_assert_uint_gt(answer.raft.append_entries_result.term, 1);
	ck_assert_uint_eq(answer.raft.append_entries_result.last_log_index, 0);
	mt_message_release(&answer);
}
END_TEST

/* D7: libraft would read a follower's state as a candidate's. */
START_TEST(a_vote_that_nobody_waits_for_is_dropped)
{
	struct raft_message m;
	struct node *f;

	bootstrap(3);
	f = &nodes[elect()->id % 3 + 1];
	memset(&m, 0, sizeof m);
	m.type = RAFT_REQUEST_VOTE_RESULT;
	m.request_vote_result.term = mt_driver_term(f->d);
	m.request_vote_result.vote_granted = true;
	hand(f, f->id % 3 + 1, &m);
	ck_assert_uint_eq(mt_driver_stats(f->d)->dropped, 1);
	ck_assert_int_eq((int)mt_driver_role(f->d), (int)MT_RAFT_FOLLOWER);
}
END_TEST

/* D8: two copies of a snapshot; the second waits for the first one's write,
 * so that libraft never sees it while it installs. */
START_TEST(a_snapshot_that_arrives_twice_is_installed_once)
{
	struct raft_message m;
	struct mt_blob b;
	struct node *l;
	unsigned i, far;

	threshold = 5;
	bootstrap(3);
	l = elect();
	far = l->id % 3 + 1;
	cut[far] = true;
	for (i = 0; i < 20; i++)
		say(l, "x");
	cut[far] = false;
	nodes[far].disk_hangs = true;
	for (i = 0; i < 1000 && nodes[far].writing == NULL; i++) {
		pass_ms(1);
		if (nodes[far].writing != NULL &&
		    nodes[far].writing->kind != MT_BATCH_INSTALLED)
			end_write(&nodes[far], true);
	}
	ck_assert_ptr_nonnull(nodes[far].writing);
	memset(&m, 0, sizeof m);
	m.type = RAFT_INSTALL_SNAPSHOT;
	m.install_snapshot.term = mt_driver_term(l->d);
	m.install_snapshot.last_index = mt_driver_image(l->d)->snapshot.index;
	ck_assert_int_eq(mt_message_encode(&m, mt_driver_image(l->d), &b, NULL),
			 0);
	ck_assert_int_eq(mt_driver_receive(nodes[far].d, l->id, b.p, b.n, NULL),
			 0);
	mt_blob_release(&b);
	nodes[far].disk_hangs = false;
	end_write(&nodes[far], true);
	ck_assert_uint_eq(mt_driver_stats(nodes[far].d)->installed, 1);
	say(elect(), "y");
	ck_assert_str_eq(nodes[far].text, "xxxxxxxxxxxxxxxxxxxxy");
}
END_TEST

/* An append from the log's beginning, as a leader sends it to a server of which
 * it knows nothing, that arrives long after. */
static void
receive_old_append(struct node *n)
{
	struct mt_image log;
	struct raft_message m;
	struct mt_blob b;

	mt_image_init(&log);
	mt_image_copy(&log, &nodes[5].disk); /* entry 1 */
	mt_image_append(&log, 2, MT_ENTRY_COMMAND, "x", 1);
	memset(&m, 0, sizeof m);
	m.type = RAFT_APPEND_ENTRIES;
	m.append_entries.term = mt_driver_term(n->d);
	m.append_entries.n_entries = 2;
	ck_assert_int_eq(mt_message_encode(&m, &log, &b, NULL), 0);
	ck_assert_int_eq(mt_driver_receive(n->d, (uint64_t)(leader() - nodes),
					   b.p, b.n, NULL),
			 0);
	mt_blob_release(&b);
	mt_image_release(&log);
}

static struct node *
compacted_follower(void)
{
	struct node *l, *f;
	int i;

	threshold = 5;
	bootstrap(3);
	mt_image_copy(&nodes[5].disk, &nodes[1].disk);
	mt_image_truncate(&nodes[5].disk, 2);
	l = elect();
	for (i = 0; i < 12; i++)
		say(l, "x");
	f = &nodes[l->id % 3 + 1];
	ck_assert_uint_gt(f->disk.first, 3);
	drop_packets();
	return f;
}

/* D4; without its guard libraft reads beyond the message (raftsim --guards) */
START_TEST(old_entries_below_the_snapshot_change_nothing)
{
	struct node *f = compacted_follower();
	struct mt_image before;

	mt_image_copy(&before, &f->disk);
	receive_old_append(f);
	ck_assert(mt_image_equal(&before, &f->disk));
	ck_assert_ptr_nonnull(packets); /* and they were answered */
	mt_image_release(&before);
	say(leader(), "y");
	ck_assert_str_eq(f->text, "xxxxxxxxxxxxy");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("driver_change");
	TCase *tc = tcase_create("nodes");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_server_joins_catches_up_and_votes);
	tcase_add_test(tc, a_cluster_of_one_grows_to_three);
	tcase_add_test(tc, leadership_is_handed_over);
	tcase_add_test(tc, the_answer_to_an_old_term_names_no_index);
	tcase_add_test(tc, a_vote_that_nobody_waits_for_is_dropped);
	tcase_add_test(tc, a_snapshot_that_arrives_twice_is_installed_once);
	tcase_add_test(tc, old_entries_below_the_snapshot_change_nothing);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
