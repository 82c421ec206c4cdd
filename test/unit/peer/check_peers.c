/* SPDX-License-Identifier: PostgreSQL */
/*
 * Streams between several nodes on loopback, in one loop: they connect,
 * exchange frames, refuse whom they must and come back after a loss. Raw
 * sockets that misbehave are in check_peers_raw.c.
 */
#include "nodes.h"
#include "test/unit/run.h"

START_TEST(three_nodes_connect_and_exchange_frames)
{
	uint8_t *big = malloc(4 << 20);

	ck_assert_ptr_nonnull(big);
	memset(big, 0x5a, 4 << 20);
	start_all(3);
	ck_assert(
	    mt_peers_send(nodes[0].peers, 3, MT_FRAME_RAFT, big, 4 << 20));
	ck_assert(
	    mt_peers_send(nodes[0].peers, 3, MT_FRAME_SUPPORT_REQ, "x", 1));
	WAIT_FOR(nodes[2].n_frames == 2);
	ck_assert_int_eq((int)nodes[2].kind, MT_FRAME_SUPPORT_REQ);
	ck_assert_str_eq(nodes[2].from, "n1");
	ck_assert_uint_eq(nodes[2].from_id, 1);
	nodes[1].echo = true;
	ck_assert(mt_peers_send_addr(nodes[0].peers, nodes[1].hello.addr,
				     MT_FRAME_REPORT, NULL, 0));
	WAIT_FOR(nodes[0].n_frames == 1);
	ck_assert_uint_eq(nodes[0].from_id, 2);
	ck_assert_uint_eq(nodes[0].size, 0);
	ck_assert_int_eq(nodes[1].n_frames, 1);
	free(big);
}
END_TEST

START_TEST(what_is_not_the_owners_or_too_large_is_not_sent)
{
	static uint8_t bytes[300];

	start_all(2);
	n_lines = 0;
	ck_assert(!mt_peers_send(nodes[0].peers, 2, MT_FRAME_HELLO, bytes, 1));
	ck_assert(!mt_peers_send(nodes[0].peers, 2, MT_FRAME_PING, bytes, 0));
	ck_assert(
	    !mt_peers_send(nodes[0].peers, 2, MT_FRAME_FENCE_REQ, bytes, 257));
	ck_assert_int_eq(n_lines, 3);
	ck_assert(
	    mt_peers_send(nodes[0].peers, 2, MT_FRAME_FENCE_REQ, bytes, 256));
	ck_assert(
	    !mt_peers_send(nodes[0].peers, 9, MT_FRAME_FENCE_REQ, bytes, 1));
	ck_assert(
	    !mt_peers_send(nodes[0].peers, 0, MT_FRAME_FENCE_REQ, bytes, 1));
	ck_assert(!mt_peers_send_addr(nodes[0].peers, "b:1", MT_FRAME_FENCE_REQ,
				      bytes, 1));
	WAIT_FOR(nodes[1].n_frames == 1);
}
END_TEST

START_TEST(frames_keep_their_order)
{
	start_all(2);
	nodes[1].hash = 0;
	for (uint32_t i = 0; i < 2000; i++)
		ck_assert(mt_peers_send(nodes[0].peers, 2, MT_FRAME_RAFT, &i,
					sizeof(i)));
	for (uint32_t i = 0; i < 2000; i++) {
		WAIT_FOR(nodes[1].n_frames > (int)i);
		if (nodes[1].n_frames == (int)i + 1)
			ck_assert_uint_eq(nodes[1].hash,
					  mt_hash(MT_HASH_SEED, &i, sizeof(i)));
	}
}
END_TEST

START_TEST(a_node_refuses_its_own_address_and_itself)
{
	struct mt_err err;

	start(0, "n1");
	ck_assert_int_eq(
	    mt_peers_add(nodes[0].peers, "127.0.0.1", nodes[0].port, &err),
	    MT_EREFUSED);
	/* the same place by another word */
	ck_assert_int_eq(
	    mt_peers_add(nodes[0].peers, "localhost", nodes[0].port, &err), 0);
	WAIT_FOR(nodes[0].n_refused >= 2);
	ck_assert_int_eq((int)nodes[0].refused, MT_REFUSE_SELF);
	ck_assert(!nodes[0].we_are_later);
	ck_assert_int_eq(nodes[0].n_hellos, 0);
}
END_TEST

START_TEST(of_two_processes_with_one_name_the_later_is_told_so)
{
	start(0, "n1");
	run_for(300);
	start(1, "n1");
	dial(1, 0);
	dial(0, 1);
	WAIT_FOR(nodes[0].n_refused >= 2 && nodes[1].n_refused >= 2);
	ck_assert_int_eq((int)nodes[0].refused, MT_REFUSE_NAME);
	ck_assert_int_eq((int)nodes[1].refused, MT_REFUSE_NAME);
	ck_assert(nodes[1].we_are_later);
	ck_assert(!nodes[0].we_are_later);
	ck_assert_ptr_nonnull(strstr(nodes[1].refused_text, "name \"n1\""));
	ck_assert_int_eq(nodes[0].n_up + nodes[1].n_up, 0);
}
END_TEST

START_TEST(different_lists_are_both_told_to_both)
{
	static const char *const one[] = {"a:1", "b:1"};
	static const char *const two[] = {"a:1", "c:1"};
	struct mt_err err;

	start(0, "n1");
	start(1, "n2");
	ck_assert_int_eq(mt_hello_set_list(&nodes[0].hello, one, 2, &err), 0);
	ck_assert_int_eq(mt_hello_set_list(&nodes[1].hello, two, 2, &err), 0);
	mt_peers_set_hello(nodes[0].peers, &nodes[0].hello);
	mt_peers_set_hello(nodes[1].peers, &nodes[1].hello);
	dial(0, 1);
	WAIT_FOR(nodes[0].n_refused > 0 && nodes[1].n_refused > 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq((int)nodes[i].refused, MT_REFUSE_LIST);
		ck_assert_ptr_nonnull(strstr(nodes[i].refused_text, "a:1,b:1"));
		ck_assert_ptr_nonnull(strstr(nodes[i].refused_text, "a:1,c:1"));
	}
	/* mended: they find together */
	dial(1, 0);
	nodes[1].hello = *mt_peers_hello(nodes[0].peers);
	mt_copy(nodes[1].hello.name, sizeof(nodes[1].hello.name), "n2");
	mt_format(nodes[1].hello.addr, sizeof(nodes[1].hello.addr),
		  "127.0.0.1:%u", (unsigned int)nodes[1].port);
	nodes[1].hello.member_id = 2;
	mt_peers_set_hello(nodes[1].peers, &nodes[1].hello);
	WAIT_FOR(nodes[0].n_up == 1 && nodes[1].n_up == 1);
}
END_TEST

START_TEST(the_owner_can_refuse)
{
	start(0, "n1");
	start(1, "n2");
	nodes[1].refuse_all = true;
	dial(0, 1);
	dial(1, 0);
	WAIT_FOR(nodes[0].n_refused > 1 && nodes[1].n_refused > 1);
	ck_assert_int_eq((int)nodes[0].refused, MT_REFUSE_OWNER);
	ck_assert_str_eq(nodes[0].refused_text,
			 "the owner does not want \"n1\"");
	/* each side tells once, however often it is tried */
	n_lines = 0;
	WAIT_FOR(nodes[0].n_refused > 5 && nodes[1].n_refused > 5);
	ck_assert_int_le(n_lines, 1);
	nodes[1].refuse_all = false;
	WAIT_FOR(nodes[0].n_up == 1 && nodes[1].n_up == 1);
}
END_TEST

START_TEST(who_is_not_dialled_back_is_refused)
{
	start(0, "n1");
	start(1, "n2");
	dial(0, 1);
	WAIT_FOR(nodes[0].n_refused > 0);
	ck_assert_int_eq((int)nodes[0].refused, MT_REFUSE_NOT_LISTED);
	dial(1, 0);
	WAIT_FOR(nodes[0].n_up == 1 && nodes[1].n_up == 1);
}
END_TEST

START_TEST(a_closed_peer_goes_down_and_comes_back_with_a_new_process)
{
	uint16_t port;

	start_all(2);
	port = nodes[1].port;
	stop(1);
	WAIT_FOR(nodes[0].n_down == 1);
	ck_assert(nodes[0].down == MT_PEER_CLOSED ||
		  nodes[0].down == MT_PEER_RESET);
	ck_assert(!mt_peers_send(nodes[0].peers, 2, MT_FRAME_RAFT, "x", 1));
	/* the same incarnation is fine: nothing of it lives */
	start_at(1, "n2", port);
	dial(1, 0);
	WAIT_FOR(nodes[0].n_up == 2 && nodes[1].n_up == 1);
	ck_assert(mt_peers_send(nodes[0].peers, 2, MT_FRAME_RAFT, "x", 1));
	WAIT_FOR(nodes[1].n_frames == 1);
}
END_TEST

START_TEST(a_removed_peer_is_gone_and_can_be_added_again)
{
	start_all(2);
	ck_assert_int_eq(
	    mt_peers_remove(nodes[0].peers, "127.0.0.1", nodes[1].port), 0);
	ck_assert_int_eq(nodes[0].n_down, 1);
	ck_assert_int_eq((int)nodes[0].down, MT_PEER_REMOVED);
	ck_assert_int_eq(
	    mt_peers_remove(nodes[0].peers, "127.0.0.1", nodes[1].port),
	    MT_ENOENT);
	WAIT_FOR(nodes[1].n_down == 1);
	WAIT_FOR(nodes[1].refused == MT_REFUSE_NOT_LISTED);
	dial(0, 1);
	WAIT_FOR(nodes[0].n_up == 2 && nodes[1].n_up == 2);
}
END_TEST

START_TEST(a_hello_sent_anew_reaches_the_other_without_a_new_stream)
{
	struct mt_peer_info info;

	start(0, "n1");
	start(1, "n2");
	nodes[0].hello.member_id = nodes[1].hello.member_id = 0;
	mt_peers_set_hello(nodes[0].peers, &nodes[0].hello);
	mt_peers_set_hello(nodes[1].peers, &nodes[1].hello);
	dial(0, 1);
	dial(1, 0);
	WAIT_FOR(nodes[0].n_up == 1 && nodes[1].n_up == 1);
	ck_assert(!mt_peers_send(nodes[1].peers, 11, MT_FRAME_RAFT, "x", 1));
	nodes[0].hello.member_id = 11;
	nodes[0].hello.is_formed = true;
	nodes[0].hello.cluster_id = 5;
	mt_peers_set_hello(nodes[0].peers, &nodes[0].hello);
	/* frames sent after it come after it */
	ck_assert(mt_peers_send_addr(nodes[0].peers, nodes[1].hello.addr,
				     MT_FRAME_RAFT, "x", 1));
	WAIT_FOR(nodes[1].n_frames == 1);
	ck_assert_uint_eq(nodes[1].from_id, 11);
	ck_assert(mt_peers_send(nodes[1].peers, 11, MT_FRAME_RAFT, "x", 1));
	mt_peers_each(nodes[1].peers, see_peer, &info);
	ck_assert(info.hello->is_formed);
	ck_assert_uint_eq(info.hello->cluster_id, 5);
	run_for(50);
	ck_assert_int_eq(nodes[0].n_down + nodes[1].n_down, 0);
	/* one that contradicts ends it on both sides */
	nodes[1].hello.is_formed = true;
	nodes[1].hello.cluster_id = 6;
	mt_peers_set_hello(nodes[1].peers, &nodes[1].hello);
	WAIT_FOR(nodes[0].n_down == 1 && nodes[1].n_down == 1);
	WAIT_FOR(nodes[0].refused == MT_REFUSE_CLUSTER &&
		 nodes[1].refused == MT_REFUSE_CLUSTER);
}
END_TEST

START_TEST(an_idle_stream_stays_fresh_by_pings)
{
	struct mt_peer_info info;
	int64_t now_ms;

	start_all(2);
	run_for(300);
	mt_peers_each(nodes[1].peers, see_peer, &info);
	now_ms = mt_clock_ms();
	ck_assert_int_lt(now_ms - info.last_contact_ms, 200);
	ck_assert_int_eq(nodes[1].n_frames, 0);
	ck_assert(info.is_up);
}
END_TEST

START_TEST(a_second_listener_on_the_port_is_an_error)
{
	struct mt_peers *second = NULL;
	struct mt_err err;
	struct mt_peers_options o = {.bind_host = "127.0.0.1"};

	start(0, "n1");
	o.bind_port = nodes[0].port;
	o.hello = &nodes[0].hello;
	ck_assert_int_lt(
	    mt_peers_start(&second, &loop, &o, &callbacks, NULL, &err), 0);
	ck_assert_ptr_null(second);
	ck_assert_ptr_nonnull(strstr(err.text, "could not listen"));
}
END_TEST

START_TEST(plain_text_beyond_loopback_is_refused_in_words)
{
	struct mt_peer_info info = {.refusal = MT_REFUSE_NONE};
	struct mt_err err;

	start(0, "n1");
	ck_assert_int_eq(mt_peers_add(nodes[0].peers, "192.0.2.1", 9, &err), 0);
	run_for(20);
	mt_peers_each(nodes[0].peers, see_peer, &info);
	ck_assert_int_eq((int)info.refusal, MT_REFUSE_INSECURE);
	ck_assert_ptr_nonnull(strstr(info.last_error, "raft.insecure"));
}
END_TEST

START_TEST(closing_in_the_midst_of_everything_leaves_nothing)
{
	struct mt_err err;

	for (int i = 0; i < 20; i++) {
		start(0, "n1");
		start(1, "n2");
		dial(0, 1);
		dial(1, 0);
		ck_assert_int_eq(
		    mt_peers_add(nodes[0].peers, "localhost", 1, &err), 0);
		for (int k = 0; k < i; k++)
			uv_run(&loop, UV_RUN_NOWAIT);
		stop(0);
		stop(1);
	}
}
END_TEST

int
main(void)
{
	const TTest *tests[] = {
	    three_nodes_connect_and_exchange_frames,
	    what_is_not_the_owners_or_too_large_is_not_sent,
	    frames_keep_their_order,
	    a_node_refuses_its_own_address_and_itself,
	    of_two_processes_with_one_name_the_later_is_told_so,
	    different_lists_are_both_told_to_both,
	    the_owner_can_refuse,
	    who_is_not_dialled_back_is_refused,
	    a_closed_peer_goes_down_and_comes_back_with_a_new_process,
	    a_removed_peer_is_gone_and_can_be_added_again,
	    a_hello_sent_anew_reaches_the_other_without_a_new_stream,
	    an_idle_stream_stays_fresh_by_pings,
	    a_second_listener_on_the_port_is_an_error,
	    closing_in_the_midst_of_everything_leaves_nothing,
	};
	Suite *suite = suite_create("peers");
	TCase *plain = tcase_create("plain");
	TCase *encrypted = tcase_create("encrypted");

	tcase_add_checked_fixture(plain, setup, teardown);
	tcase_add_checked_fixture(encrypted, setup_encrypted, teardown);
	tcase_set_timeout(plain, 30);
	tcase_set_timeout(encrypted, 30);
	for (size_t i = 0; i < MT_COUNT(tests); i++) {
		tcase_add_test(plain, tests[i]);
		tcase_add_test(encrypted, tests[i]);
	}
	tcase_add_test(plain, plain_text_beyond_loopback_is_refused_in_words);
	suite_add_tcase(suite, plain);
	suite_add_tcase(suite, encrypted);
	return run_suite(suite);
}
