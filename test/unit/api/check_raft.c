/* SPDX-License-Identifier: PostgreSQL */
/* GET /raft and /raft/state, asked over HTTP from a node made up in memory. */
#include "fake.h"
#include "test/unit/run.h"

START_TEST(raft_shows_ids_as_hex_and_who_was_heard_of)
{
	json_t *doc;

	fake.raft = (struct mt_raft_info){
	    .id = UINT64_C(0xf000000000000001),
	    .state = "follower",
	    .term = 3,
	    .leader_id = UINT64_C(0xf000000000000000),
	    .leader = "node1",
	    .last_index = 9,
	    .commit_index = 8,
	    .applied_index = 8,
	    .snapshot_index = 4,
	    .last_write_ms = 1,
	    .max_write_ms = 5,
	    .n_members = 1,
	    .members = {{
		.id = UINT64_C(0xf000000000000000),
		.address = "127.0.0.1:7000",
		.role = "voter",
		.contact_age_ms = -1,
	    }},
	    .waiting_for = "node3",
	    .digest = 0xabc,
	};
	doc = ask_json("/raft");
	ck_assert_json(
	    doc, "{'id':'f000000000000001','name':'node1','state':'follower',"
		 "'term':3,'leader':'node1','leader_id':'f000000000000000',"
		 "'last_index':9,'commit_index':8,'applied_index':8,"
		 "'snapshot_index':4,'digest':'0000000000000abc',"
		 "'last_write_ms':1,'max_write_ms':5,"
		 "'members':[{'id':'f000000000000000','name':null,"
		 "'address':'127.0.0.1:7000','role':'voter','connected':false,"
		 "'contact_age_ms':null}],'waiting_for':'node3'}");
	json_decref(doc);
}
END_TEST

START_TEST(the_state_has_the_names_that_scripts_know)
{
	json_t *doc, *members;

	mt_copy(fake.state.members[1].proxy_url, MT_URL_MAX,
		"postgres://pool:6432/postgres");
	mt_copy(fake.state.members[1].tags, MT_TAGS_MAX,
		"{\"zone\":\"a\",\"nofailover\":false,\"weight\":1.5,"
		"\"fast\":true,\"n\":2}");
	fake_report(0)->rewindable = true;
	fake_report(1)->pending_restart = true;
	mt_copy(fake_report(1)->pending, sizeof(fake_report(1)->pending),
		"{\"port\":{\"old_value\":\"1\",\"new_value\":\"2\"}}");
	fake.state.request.kind = MT_REQUEST_SWITCHOVER;
	fake.state.request.id = 40;
	mt_copy(fake.state.request.leader, MT_NAME_MAX, "node1");
	mt_copy(fake.state.request.candidate, MT_NAME_MAX, "node2");
	doc = ask_json("/raft/state");
	members = json_object_get(doc, "members");
	ck_assert_uint_eq(json_object_size(members), 3);
	ck_assert_json(
	    json_object_get(members, "node1"),
	    "{'conn_url':'postgres://127.0.0.1:5432/postgres',"
	    "'api_url':'http://127.0.0.1:8008/patroni','state':'running',"
	    "'role':'primary','version':'0.1.0','xlog_location':83886336,"
	    "'timeline':2}");
	ck_assert_json(
	    json_object_get(members, "node2"),
	    "{'conn_url':'postgres://[::1]:5433/postgres',"
	    "'api_url':'http://127.0.0.1:8009/patroni',"
	    "'proxy_url':'postgres://pool:6432/postgres','state':'running',"
	    "'role':'replica','version':'0.1.0',"
	    "'tags':{'zone':'a','weight':1.5,'fast':true,'n':2},"
	    "'pending_restart':true,'pending_restart_reason':"
	    "{'port':{'old_value':'1','new_value':'2'}},"
	    "'xlog_location':83886080,"
	    "'receive_lsn':83886080,'replay_lsn':83885824,"
	    "'replication_state':'streaming','timeline':2}");
	json_object_del(doc, "members");
	ck_assert_json(
	    doc, "{'initialize':'7300000000000000001',"
		 "'config':{'ttl':5,'loop_wait':10},'leader':'node1',"
		 "'witnesses':['node4'],"
		 "'sync':{'leader':null,'quorum':0,'sync_standby':null},"
		 "'status':{'optime':83886336,'slots':{'node2':83886080,"
		 "'node3':83886080},'retain_slots':['node2','node3']},"
		 "'failover':{'leader':'node1','member':'node2'},'history':[],"
		 "'failsafe':null,'epoch':7,'config_version':0,'index':40}");
	json_decref(doc);
}
END_TEST

static void
expect_record(const char *member, const char *want)
{
	json_t *doc = ask_json("/raft/state"),
	       *o = json_object_get(json_object_get(doc, "members"), member);

	json_object_del(o, "conn_url");
	json_object_del(o, "api_url");
	json_object_del(o, "version");
	ck_assert_json(o, want);
	json_decref(doc);
}

START_TEST(a_member_record_has_what_is_known_of_the_member)
{
	/* promoted just now */
	expect_record("node1", "{'state':'running','role':'primary',"
			       "'checkpoint_after_promote':false,"
			       "'xlog_location':83886336,'timeline':2}");
	fake_report(2)->streaming = false;
	fake_report(2)->restoring = true;
	expect_record("node3", "{'state':'running','role':'replica',"
			       "'xlog_location':83886080,"
			       "'receive_lsn':83886080,'replay_lsn':83885824,"
			       "'replication_state':'in archive recovery',"
			       "'timeline':2}");
	fake_report(2)->restoring = false;
	fake_report(2)->replayed_lsn = 0x6000000;
	expect_record("node3", "{'state':'running','role':'replica',"
			       "'xlog_location':100663296,"
			       "'receive_lsn':83886080,'replay_lsn':100663296,"
			       "'timeline':2}");
	/* where data ends is not told of a server that is down */
	fake_report(2)->pg_state = MT_PG_STOPPED;
	expect_record("node3", "{'state':'stopped','role':'replica'}");
	fake.settings.pause = true;
	fake.reports.seen[2].gone = true;
	expect_record("node3", "{'state':'unknown','pause':true}");
}
END_TEST

static void
expect_status(const char *want)
{
	json_t *doc = ask_json("/raft/state");

	ck_assert_json(json_object_get(doc, "status"), want);
	json_decref(doc);
}

START_TEST(the_state_tells_where_slots_stand)
{
	mt_copy(fake.state.members[2].name, MT_NAME_MAX, "Node-3.a");
	mt_copy(fake_report(2)->self.name, MT_NAME_MAX, "Node-3.a");
	fake_report(2)->at.lsn = 0x1000000;
	expect_status("{'optime':83886336,'slots':{'node2':83886080,"
		      "'node_3_a':16777216},"
		      "'retain_slots':['node2','node_3_a']}");
	/* a slot stays where its member was when that fell silent */
	fake.reports.seen[2].gone = true;
	expect_status("{'optime':83886336,'slots':{'node2':83886080,"
		      "'node_3_a':16777216},"
		      "'retain_slots':['node2','node_3_a']}");
	fake_report(2)->at.lsn = 0; /* it was never heard of */
	expect_status("{'optime':83886336,'slots':{'node2':83886080},"
		      "'retain_slots':['node2','node_3_a']}");
	fake.settings.use_slots = false;
	expect_status("{'optime':83886336,'slots':{},'retain_slots':[]}");
	fake.settings.use_slots = true;
	fake.state.leader.released = true;
	expect_status("{'optime':83886080,'slots':{},'retain_slots':[]}");
}
END_TEST

START_TEST(the_state_tells_no_secret)
{
	json_t *doc;

	json_decref(fake.state.config);
	fake.state.config = json_pack(
	    "{s:i, s:{s:{s:s, s:s}}, s:s}", "ttl", 5, "postgresql",
	    "recovery_conf", "restore_command", "get %f", "primary_conninfo",
	    "host=a password=x1 port=1", "my_password", "x2");
	doc = ask_json("/raft/state");
	ck_assert_ptr_null(strstr(answer, "x1"));
	ck_assert_ptr_null(strstr(answer, "x2"));
	ck_assert_ptr_nonnull(strstr(answer, "get %f"));
	ck_assert_int_eq(json_integer_value(json_object_get(
			     json_object_get(doc, "config"), "ttl")),
			 5);
	json_decref(doc);
}
END_TEST

static void
expect_sync_record(const char *want)
{
	json_t *doc = ask_json("/raft/state");

	ck_assert_json(json_object_get(doc, "sync"), want);
	json_decref(doc);
}

START_TEST(the_state_has_the_synchronous_set_as_scripts_know_it)
{
	fake_sync(MT_SYNC_QUORUM);
	expect_sync_record(
	    "{'leader':'node1','quorum':1,'sync_standby':'node2,node3'}");
	fake.state.sync.k = 2;
	expect_sync_record(
	    "{'leader':'node1','quorum':0,'sync_standby':'node2,node3'}");
	fake_sync(MT_SYNC_ON);
	expect_sync_record(
	    "{'leader':'node1','quorum':0,'sync_standby':'node2,node3'}");
	/* the primary alone */
	fake.state.sync.n = 1;
	mt_copy(fake.state.sync.standbys[0].name, MT_NAME_MAX, "node1");
	expect_sync_record("{'leader':'node1','quorum':0,'sync_standby':null}");
	fake.state.sync.n = fake.state.sync.k = 0;
	expect_sync_record("{'leader':'node1','quorum':0,'sync_standby':null}");
	/* the mode is off */
	fake.settings.synchronous_mode = MT_SYNC_OFF;
	expect_sync_record("{'leader':null,'quorum':0,'sync_standby':null}");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("raft");
	TCase *tc = tcase_create("raft");

	tcase_add_checked_fixture(tc, fake_setup, fake_teardown);
	tcase_add_test(tc, raft_shows_ids_as_hex_and_who_was_heard_of);
	tcase_add_test(tc, the_state_has_the_names_that_scripts_know);
	tcase_add_test(tc, a_member_record_has_what_is_known_of_the_member);
	tcase_add_test(tc, the_state_tells_where_slots_stand);
	tcase_add_test(tc, the_state_tells_no_secret);
	tcase_add_test(tc,
		       the_state_has_the_synchronous_set_as_scripts_know_it);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
