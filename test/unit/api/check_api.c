/* SPDX-License-Identifier: PostgreSQL */
/* Routing and documents, asked over HTTP from a node made up in memory. */
#include "fake.h"
#include "test/unit/run.h"

static const struct {
	const char *method, *path;
	int status;
	const char *has; /* in the answer */
} routes[] = {
    {"GET", "/", 200, "\"role\": \"primary\""},
    {"GET", "/primary", 200, "\"role\": \"primary\""},
    {"GET", "//primary", 200, ""},
    {"GET", "///leader", 200, ""},
    {"GET", "/primary?x=1", 200, ""},
    {"HEAD", "/primary", 200, "application/json"},
    {"OPTIONS", "/", 200, "Content-Length: 0"},
    {"OPTIONS", "/primary", 200, "Content-Length: 0"},
    {"GET", "/replica", 503, "\"role\": \"primary\""},
    {"OPTIONS", "/replica", 503, "Content-Length: 0"},
    {"HEAD", "/replica", 503, ""},
    {"GET", "/standby-leader", 503, ""},
    {"GET", "/health", 200, "\"state\": \"running\""},
    {"GET", "/liveness", 200, "Content-Length: 0"},
    {"HEAD", "/liveness", 200, ""},
    {"GET", "/readiness", 200, "Content-Length: 0"},
    {"GET", "/patroni", 200, "\"scope\": \"demo\""},
    {"GET", "/patroni/x", 200, "\"scope\": \"demo\""},
    {"HEAD", "/patroni", 200, "application/json"},
    {"OPTIONS", "/patroni", 204, "allow: GET, HEAD, OPTIONS\r\n"},
    {"GET", "/cluster/", 200, "\"members\""},
    {"OPTIONS", "/cluster", 204, "allow: GET, HEAD, OPTIONS\r\n"},
    {"GET", "/history", 200, "[]"},
    {"GET", "/config", 200, "\"ttl\": 5"},
    {"GET", "/decisions", 200, "[]"},
    {"GET", "/decisions?limit=0", 200, "[]"},
    {"GET", "/decisions/1", 404, "there is no such decision"},
    {"GET", "/decisions/18446744073709551617", 404, "no such decision"},
    {"OPTIONS", "/decisions", 204, "allow: GET, HEAD, OPTIONS\r\n"},
    {"GET", "/forecast", 200, "\"candidate\""},
    {"GET", "/raft", 200, "\"term\""},
    {"GET", "/raft/state", 200, "\"initialize\""},
    {"GET", "/raft//state/", 200, "\"initialize\""},
    {"OPTIONS", "/raft/state", 204, "allow: GET, HEAD, OPTIONS\r\n"},
    {"OPTIONS", "/switchover", 204, "allow: POST, DELETE, OPTIONS\r\n"},
    {"OPTIONS", "/failover", 204, "allow: POST, OPTIONS\r\n"},
    {"POST", "/failover", 411, "length"},
    {"DELETE", "/switchover", 404, "no switchover is scheduled"},
    {"GET", "/switchover", 503, "\"role\": \"primary\""},
    {"GET", "/nothing", 503, "\"role\": \"primary\""},
    {"GET", "/patronix", 503, ""},
    {"HEAD", "/nothing", 503, ""},
    {"OPTIONS", "/nothing", 503, ""},
    {"POST", "/nothing", 501, "Server does not support this operation"},
    {"DELETE", "/failover", 501, "Server does not support this operation"},
    {"DELETE", "/cluster", 501, "Server does not support this operation"},
    {"PATCH", "/x", 501, "Server does not support this operation"},
    {"POST", "/sigterm", 202, "nothing is done"},
    {"POST", "/citus", 200, "OK"},
    {"POST", "/mpp", 200, "OK"},
    {"GET", "/mpp", 503, ""},
    {"BREW", "/primary", 501, "Server does not support this operation"},
};

START_TEST(a_request_finds_its_handler)
{
	ask(routes[_i].method, routes[_i].path);
	ck_assert_msg(status == routes[_i].status &&
			  strstr(answer, routes[_i].has) != NULL,
		      "%s %s: %s", routes[_i].method, routes[_i].path, answer);
	if (strcmp(routes[_i].method, "HEAD") == 0)
		ck_assert_str_eq(answer_body, "");
}
END_TEST

START_TEST(a_primary_is_one_only_until_the_deadline_of_its_lease)
{
	ck_assert_int_eq(ask("GET", "/primary"), 200);
	fake.local.deadline_ms = mt_clock_ms() + 30;
	while (mt_clock_ms() < fake.local.deadline_ms)
		;
	ck_assert_int_eq(ask("GET", "/primary"), 503);
	ck_assert_int_eq(ask("GET", "/leader"), 503);
	ck_assert_int_eq(ask("GET", "/health"), 200);
}
END_TEST

START_TEST(a_primary_that_is_being_stopped_or_was_replaced_is_none)
{
	fake.local.job = MT_JOB_STOP;
	ck_assert_int_eq(ask("GET", "/primary"), 503);
	ck_assert_int_eq(ask("GET", "/leader"), 200);
	fake.local.job = MT_JOB_NONE;
	ck_assert_int_eq(ask("GET", "/primary"), 200);
	fake.state.leader.epoch++;
	ck_assert_int_eq(ask("GET", "/primary"), 503);
	fake.local.lease_epoch++;
	ck_assert_int_eq(ask("GET", "/primary"), 200);
	fake.state.leader.released = true;
	ck_assert_int_eq(ask("GET", "/primary"), 503);
}
END_TEST

START_TEST(the_document_of_a_primary_has_its_keys_in_order)
{
	struct mt_pg_walsender *w = &fake.pg.walsenders[0];
	json_t *doc;

	fake.pg.n_walsenders = 1;
	mt_copy(w->usename, sizeof(w->usename), "replicator");
	mt_copy(w->application_name, sizeof(w->application_name), "node2");
	mt_copy(w->state, sizeof(w->state), "streaming");
	mt_copy(w->sync_state, sizeof(w->sync_state), "async");
	json_object_set_new(fake.conf.tags, "zone", json_string("a"));
	json_object_set_new(fake.conf.tags, "nosync", json_false());
	fake.settings.pause = true;
	fake.last_seen = 4000000000;
	fake.local.deadline_ms = 0;
	doc = ask_json("/patroni");
	ck_assert_json(
	    doc, "{'state':'running',"
		 "'postmaster_start_time':'2026-11-23 06:00:00.123456+00:00',"
		 "'role':'primary','server_version':150020,"
		 "'xlog':{'location':83886336},'timeline':2,"
		 "'replication':[{'usename':'replicator','application_name':"
		 "'node2','client_addr':null,'state':'streaming','sync_state':"
		 "'async','sync_priority':0}],'pause':true,"
		 "'dcs_last_seen':4000000000,'tags':{'zone':'a'},"
		 "'database_system_identifier':'7300000000000000001',"
		 "'patroni':{'version':'0.1.0','scope':'demo','name':'node1'},"
		 "'matriarch':{'epoch':7}}");
	json_decref(doc);
}
END_TEST

START_TEST(the_document_of_a_replica_tells_how_far_it_is)
{
	json_t *doc;

	fake_local(false);
	fake_report(1)->pending_restart = true;
	mt_copy(fake_report(1)->pending, sizeof(fake_report(1)->pending),
		"{\"max_connections\":{\"old_value\":\"40\","
		"\"new_value\":\"60\"}}");
	fake.last_seen = 4000000000;
	mt_copy(fake.doing, sizeof(fake.doing), "following node1");
	doc = ask_json("/replica?lag=1MB&replication_state=streaming");
	ck_assert_int_eq(status, 200);
	ck_assert_json(
	    doc, "{'state':'running',"
		 "'postmaster_start_time':'2026-11-23 06:00:00.123456+00:00',"
		 "'role':'replica','server_version':150020,"
		 "'xlog':{'received_location':83886080,'replayed_location':"
		 "83885824,'replayed_timestamp':null,'paused':false},"
		 "'timeline':2,'replication_state':'streaming',"
		 "'dcs_last_seen':4000000000,"
		 "'database_system_identifier':'7300000000000000001',"
		 "'pending_restart':true,"
		 "'pending_restart_reason':{'max_connections':"
		 "{'old_value':'40','new_value':'60'}},"
		 "'patroni':{'version':'0.1.0','scope':'demo','name':'node2'},"
		 "'matriarch':{'epoch':7,'doing':'following node1'}}");
	json_decref(doc);
	ck_assert_int_eq(ask("GET", "/replica?lag=511"), 503);
	ck_assert_int_eq(ask("GET", "/replica?lag=512"), 200);
	ck_assert_int_eq(ask("GET", "/async"), 200);
	ck_assert_int_eq(ask("GET", "/sync"), 503);
	ck_assert_int_eq(ask("GET", "/readiness"), 200);
}
END_TEST

START_TEST(without_an_answer_from_postgresql_only_state_and_role_are_told)
{
	json_t *doc;

	fake.local.accepting = false;
	fake.last_seen = 0;
	fake.local.deadline_ms = 0;
	doc = ask_json("/patroni");
	ck_assert_json(
	    doc, "{'state':'unknown','role':'primary','cluster_unlocked':true,"
		 "'dcs_last_seen':0,"
		 "'database_system_identifier':'7300000000000000001',"
		 "'patroni':{'version':'0.1.0','scope':'demo','name':'node1'},"
		 "'matriarch':{'epoch':7}}");
	json_decref(doc);
	fake_report(0)->pg_state = MT_PG_STARTING;
	doc = ask_json("/patroni");
	ck_assert_str_eq(json_string_value(json_object_get(doc, "state")),
			 "starting");
	json_decref(doc);
}
END_TEST

START_TEST(a_witness_is_alive_and_no_health_check_sends_data_to_it)
{
	json_t *doc;

	memset(&fake.local, 0, sizeof(fake.local));
	mt_copy(fake.local.name, sizeof(fake.local.name), "node4");
	fake.local.witness = true;
	ck_assert_int_eq(ask("GET", "/primary"), 503);
	ck_assert_int_eq(ask("GET", "/replica"), 503);
	ck_assert_int_eq(ask("GET", "/health"), 503);
	ck_assert_int_eq(ask("GET", "/liveness"), 200);
	doc = ask_json("/patroni");
	ck_assert_int_eq(status, 200);
	ck_assert_str_eq(json_string_value(json_object_get(doc, "state")),
			 "witness");
	ck_assert_str_eq(json_string_value(json_object_get(doc, "role")),
			 "witness");
	json_decref(doc);
	ck_assert_int_eq(ask("GET", "/cluster"), 200);
	ck_assert_int_eq(ask("GET", "/raft/state"), 200);
}
END_TEST

START_TEST(the_cluster_lists_members_with_data)
{
	json_t *doc;

	fake_report(2)->at.lsn = 0;
	fake_report(2)->streaming = false;
	fake_report(2)->pg_state = MT_PG_STARTING;
	fake_report(1)->stopping = true; /* no commit is to wait for it */
	mt_copy(fake.state.members[2].tags, MT_TAGS_MAX,
		"{\"nofailover\":true,\"clonefrom\":false}");
	doc = ask_json("/cluster");
	ck_assert_json(doc,
		       "{'members':["
		       "{'name':'node1','role':'leader','state':'running',"
		       "'api_url':'http://127.0.0.1:8008/patroni',"
		       "'host':'127.0.0.1','port':5432,'timeline':2},"
		       "{'name':'node2','role':'replica','state':'streaming',"
		       "'api_url':'http://127.0.0.1:8009/patroni',"
		       "'host':'::1','port':5433,'timeline':2,"
		       "'tags':{'nosync':true,'sync_priority':0},"
		       "'receive_lsn':'0/5000000','receive_lag':256,"
		       "'replay_lsn':'0/4FFFF00','replay_lag':512,"
		       "'lsn':'0/5000000','lag':256},"
		       "{'name':'node3','role':'replica','state':'starting',"
		       "'api_url':'http://127.0.0.1:8010/patroni',"
		       "'host':'127.0.0.1','port':5434,'timeline':2,"
		       "'tags':{'nofailover':true},"
		       "'receive_lsn':'unknown','receive_lag':'unknown',"
		       "'replay_lsn':'0/4FFFF00','replay_lag':512,"
		       "'lsn':'0/4FFFF00','lag':512}],"
		       "'scope':'demo'}");
	json_decref(doc);
}
END_TEST

START_TEST(a_standby_that_does_not_stream_may_read_the_archive)
{
	json_t *doc;

	fake_report(1)->streaming = false;
	fake_report(1)->restoring = true;
	doc = ask_json("/cluster");
	ck_assert_str_eq(
	    json_string_value(json_object_get(
		json_array_get(json_object_get(doc, "members"), 1), "state")),
	    "in archive recovery");
	json_decref(doc);
}
END_TEST

START_TEST(a_silent_member_is_listed_as_unknown)
{
	json_t *doc, *m;

	fake.reports.seen[1].gone = true;
	fake.reports.seen[2].at_ms -= 60000;
	fake.settings.pause = true;
	doc = ask_json("/cluster");
	ck_assert(json_is_true(json_object_get(doc, "pause")));
	for (size_t i = 1; i < 3; i++) {
		m = json_array_get(json_object_get(doc, "members"), i);
		ck_assert_str_eq(json_string_value(json_object_get(m, "state")),
				 "unknown");
		ck_assert_str_eq(json_string_value(json_object_get(m, "lag")),
				 "unknown");
		ck_assert_ptr_null(json_object_get(m, "timeline"));
	}
	json_decref(doc);
}
END_TEST

START_TEST(a_history_entry_has_what_is_known)
{
	struct mt_history *h = fake.state.history;
	json_t *doc;

	fake.state.n_history = 2;
	h[0] = (struct mt_history){.timeline = 1, .lsn = 100};
	mt_copy(h[0].reason, sizeof(h[0].reason), "no recovery target");
	h[1] = h[0];
	h[1].timeline = 2;
	h[1].at_ms = 1763877600123;
	mt_copy(h[1].new_leader, sizeof(h[1].new_leader), "node2");
	doc = ask_json("/history");
	ck_assert_json(doc, "[[1,100,'no recovery target'],"
			    "[2,100,'no recovery target',"
			    "'2025-11-23T06:00:00.123000+00:00','node2']]");
	json_decref(doc);
}
END_TEST

START_TEST(the_history_shows_as_many_entries_as_the_settings_say)
{
	static const struct {
		int64_t most;
		const char *text;
	} rows[] = {
	    {0, "[[1,8,''],[2,16,''],[3,24,'']]"},
	    {1, "[[3,24,'']]"},
	    {2, "[[2,16,''],[3,24,'']]"},
	    {3, "[[1,8,''],[2,16,''],[3,24,'']]"},
	    {INT64_MAX, "[[1,8,''],[2,16,''],[3,24,'']]"},
	};
	json_t *doc;

	fake.state.n_history = 3;
	for (uint32_t i = 0; i < 3; i++)
		fake.state.history[i] =
		    (struct mt_history){.timeline = i + 1, .lsn = 8 * (i + 1)};
	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		fake.settings.max_timelines_history = rows[i].most;
		doc = ask_json("/history");
		ck_assert_json(doc, rows[i].text);
		json_decref(doc);
		doc = ask_json("/raft/state");
		ck_assert_json(json_object_get(doc, "history"), rows[i].text);
		json_decref(doc);
	}
	ck_assert_msg(mt_state_fork_lsn(&fake.state, 1) == 8,
		      "the state lost what decisions need");
}
END_TEST

START_TEST(there_is_no_configuration_before_the_cluster)
{
	json_decref(fake.state.config);
	fake.state.config = NULL;
	ck_assert_int_eq(ask("GET", "/config"), 502);
}
END_TEST

/* Status code of each check that knows synchronous standbys. */
static void
expect_checks(int sync, int quorum, int async, int read_only_sync,
	      int read_only_quorum)
{
	ck_assert_int_eq(ask("GET", "/sync"), sync);
	ck_assert_int_eq(ask("GET", "/synchronous"), sync);
	ck_assert_int_eq(ask("GET", "/quorum"), quorum);
	ck_assert_int_eq(ask("GET", "/async"), async);
	ck_assert_int_eq(ask("GET", "/asynchronous"), async);
	ck_assert_int_eq(ask("GET", "/read-only-sync"), read_only_sync);
	ck_assert_int_eq(ask("GET", "/read-only-synchronous"), read_only_sync);
	ck_assert_int_eq(ask("GET", "/read-only-quorum"), read_only_quorum);
}

START_TEST(checks_tell_a_synchronous_standby_from_the_others)
{
	fake_local(false);
	fake_sync(MT_SYNC_ON);
	expect_checks(200, 503, 503, 200, 503);
	fake_sync(MT_SYNC_QUORUM);
	expect_checks(503, 200, 503, 503, 200);
	/* not in the set */
	fake.state.sync.standbys[0] = fake.state.sync.standbys[1];
	fake.state.sync.n = 1;
	expect_checks(503, 503, 200, 503, 503);
	/* the mode is off, the set still stands */
	fake_sync(MT_SYNC_OFF);
	expect_checks(503, 503, 200, 503, 503);
	/* the primary */
	fake_local(true);
	fake_sync(MT_SYNC_QUORUM);
	expect_checks(503, 503, 503, 200, 200);
}
END_TEST

START_TEST(a_set_that_may_be_old_makes_no_synchronous_standby)
{
	fake_local(false);
	fake_sync(MT_SYNC_ON);
	fake.last_seen -= 60;
	expect_checks(503, 503, 503, 503, 503);
}
END_TEST

START_TEST(other_data_than_the_set_names_makes_no_synchronous_standby)
{
	fake_local(false);
	fake_sync(MT_SYNC_ON);
	fake.local.data_id = 99;
	expect_checks(503, 503, 200, 503, 503);
}
END_TEST

/* What documents say of node2, asked as itself. */
static void
expect_told(const char *flag, const char *role)
{
	json_t *doc = ask_json("/patroni"), *m;

	ck_assert(json_is_true(json_object_get(doc, "sync_standby")) ==
		  (strcmp(flag, "sync_standby") == 0));
	ck_assert(json_is_true(json_object_get(doc, "quorum_standby")) ==
		  (strcmp(flag, "quorum_standby") == 0));
	json_decref(doc);
	doc = ask_json("/cluster");
	m = json_array_get(json_object_get(doc, "members"), 1);
	ck_assert_str_eq(json_string_value(json_object_get(m, "role")), role);
	json_decref(doc);
}

START_TEST(documents_name_synchronous_standbys_by_the_mode)
{
	fake_local(false);
	fake_sync(MT_SYNC_ON);
	expect_told("sync_standby", "sync_standby");
	fake_sync(MT_SYNC_QUORUM);
	expect_told("quorum_standby", "quorum_standby");
	/* silent ones count on in the log */
	fake.reports.seen[1].gone = true;
	expect_told("quorum_standby", "quorum_standby");
	fake_sync(MT_SYNC_OFF);
	expect_told("", "replica");
	/* it took over from the set and is still named in it */
	fake_sync(MT_SYNC_ON);
	mt_copy(fake.state.leader.holder, MT_NAME_MAX, "node2");
	expect_told("", "leader");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("api");
	TCase *tc = tcase_create("api");

	tcase_add_checked_fixture(tc, fake_setup, fake_teardown);
	tcase_add_loop_test(tc, a_request_finds_its_handler, 0,
			    (int)MT_COUNT(routes));
	tcase_add_test(tc,
		       a_primary_is_one_only_until_the_deadline_of_its_lease);
	tcase_add_test(tc,
		       a_primary_that_is_being_stopped_or_was_replaced_is_none);
	tcase_add_test(tc, the_document_of_a_primary_has_its_keys_in_order);
	tcase_add_test(tc, the_document_of_a_replica_tells_how_far_it_is);
	tcase_add_test(
	    tc, without_an_answer_from_postgresql_only_state_and_role_are_told);
	tcase_add_test(tc,
		       a_witness_is_alive_and_no_health_check_sends_data_to_it);
	tcase_add_test(tc, the_cluster_lists_members_with_data);
	tcase_add_test(tc, a_standby_that_does_not_stream_may_read_the_archive);
	tcase_add_test(tc, a_silent_member_is_listed_as_unknown);
	tcase_add_test(tc, a_history_entry_has_what_is_known);
	tcase_add_test(tc,
		       the_history_shows_as_many_entries_as_the_settings_say);
	tcase_add_test(tc, there_is_no_configuration_before_the_cluster);
	tcase_add_test(tc, checks_tell_a_synchronous_standby_from_the_others);
	tcase_add_test(tc, a_set_that_may_be_old_makes_no_synchronous_standby);
	tcase_add_test(
	    tc, other_data_than_the_set_names_makes_no_synchronous_standby);
	tcase_add_test(tc, documents_name_synchronous_standbys_by_the_mode);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
