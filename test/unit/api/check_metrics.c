/* SPDX-License-Identifier: PostgreSQL */
/* GET /metrics, asked over HTTP from a node made up in memory. */
#include "fake.h"
#include "manual.h"

#include <stdio.h>

#include "test/unit/run.h"

/* Names that others' dashboards know, in their order. */
static const char *const known[] = {
    "patroni_version",
    "patroni_postgres_running",
    "patroni_postmaster_start_time",
    "patroni_primary",
    "patroni_xlog_location",
    "patroni_standby_leader",
    "patroni_replica",
    "patroni_sync_standby",
    "patroni_quorum_standby",
    "patroni_xlog_received_location",
    "patroni_xlog_replayed_location",
    "patroni_xlog_replayed_timestamp",
    "patroni_xlog_paused",
    "patroni_postgres_streaming",
    "patroni_postgres_in_archive_recovery",
    "patroni_postgres_server_version",
    "patroni_cluster_unlocked",
    "patroni_failsafe_mode_is_active",
    "patroni_failsafe_mode_enabled",
    "patroni_failsafe_member",
    "patroni_postgres_timeline",
    "patroni_dcs_last_seen",
    "patroni_pending_restart",
    "patroni_is_paused",
    "patroni_postgres_state",
    "patroni_failover_priority",
};

static void
get(void)
{
	ck_assert_int_eq(ask("GET", "/metrics"), 200);
	ck_assert_ptr_nonnull(strstr(answer, "content-type: text/plain\r\n"));
}

/* The one line that begins with this. */
static void
has(const char *name, const char *labels, const char *value)
{
	char line[512];
	size_t n;
	const char *at;

	n = (size_t)snprintf(line, sizeof(line), "\n%s{%s} %s\n", name, labels,
			     value);
	ck_assert_uint_lt(n, sizeof(line));
	at = strstr(answer_body, line);
	ck_assert_msg(at != NULL, "no%s in:\n%.3000s", line, answer_body);
	ck_assert_ptr_null(strstr(at + n - 1, line));
}

static void
is(const char *name, const char *value)
{
	has(name,
	    fake.local.in_recovery ? "scope=\"demo\",name=\"node2\""
				   : "scope=\"demo\",name=\"node1\"",
	    value);
}

static bool
mentions(const char *text)
{
	return strstr(answer_body, text) != NULL;
}

START_TEST(the_known_names_come_in_the_known_order)
{
	const char *at;

	get();
	at = answer_body;
	for (size_t i = 0; i < MT_COUNT(known); i++) {
		char head[128];

		mt_format(head, sizeof(head), "# HELP %s ", known[i]);
		at = strstr(at, "# HELP ");
		ck_assert_msg(at != NULL &&
				  strncmp(at, head, strlen(head)) == 0,
			      "%s is not where it was", known[i]);
		at++;
	}
	ck_assert_ptr_null(strstr(at, "# HELP patroni_"));
	ck_assert_ptr_nonnull(strstr(at, "# HELP matriarch_"));
}
END_TEST

/* HELP, TYPE, then samples of this name and of no other. */
START_TEST(each_line_belongs_to_its_family)
{
	char name[128] = "", *line, *rest;
	int families = 0;

	get();
	for (char *p = answer; (p = strchr(p, '\r')) != NULL; p++)
		*p = ' ';
	rest = (char *)(uintptr_t)answer_body;
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		char of[128], type[16];

		if (sscanf(line, "# HELP %127s", of) == 1) {
			mt_copy(name, sizeof(name), of);
			families++;
			continue;
		}
		if (sscanf(line, "# TYPE %127s %15s", of, type) == 2)
			ck_assert(mt_streq(type, "gauge") ||
				  mt_streq(type, "counter"));
		else if (sscanf(line, "# Values: %127s", of) == 1)
			mt_copy(of, sizeof(of), "patroni_postgres_state");
		else
			ck_assert_int_eq(sscanf(line, "%127[a-z_]{", of), 1);
		ck_assert_str_eq(of, name);
	}
	ck_assert_int_gt(families, (int)MT_COUNT(known));
}
END_TEST

#define OURS "matriarch_"

static void
is_told(const char *name, void *arg)
{
	char head[128];

	(void)arg;
	if (strcmp(name, "Li") == 0)
		return;
	mt_format(head, sizeof(head), "# HELP " OURS "%s ", name);
	ck_assert_msg(mentions(head), "there is no %s", name);
}

START_TEST(the_manual_lists_each_name)
{
	char name[128];

	get();
	for (const char *at = answer_body; (at = strstr(at, "# HELP ")) != NULL;
	     at++) {
		ck_assert_int_eq(sscanf(at, "# HELP %127s", name), 1);
		if (strncmp(name, OURS, strlen(OURS)) == 0)
			manual_has("Metrics", ".It Li ", name + strlen(OURS));
		else
			manual_has("Metrics", ".Li ", name);
	}
	manual_words("Metrics", ".It Li ", is_told, NULL);
}
END_TEST

START_TEST(a_primary_tells_where_it_is)
{
	fake_report(0)->pending_restart = true;
	fake_report(0)->failover_priority = 1;
	fake.last_seen = 4000000000;
	get();
	is("patroni_version", "000100");
	is("patroni_postgres_running", "1");
	is("patroni_postmaster_start_time", "1795413600.123");
	is("patroni_primary", "1");
	is("patroni_replica", "0");
	is("patroni_xlog_location", "83886336");
	is("patroni_xlog_received_location", "0");
	is("patroni_postgres_streaming", "0");
	is("patroni_postgres_server_version", "150020");
	is("patroni_cluster_unlocked", "0");
	is("patroni_postgres_timeline", "2");
	is("patroni_dcs_last_seen", "4000000000");
	is("patroni_pending_restart", "1");
	is("patroni_is_paused", "0");
	is("patroni_postgres_state", "5");
	is("patroni_failover_priority", "1");
	is("matriarch_epoch", "7");
	ck_assert(!mentions("matriarch_lease_seconds{scope=\"demo\",name="
			    "\"node1\"} 0.000"));
	ck_assert(mentions("# Values: 0=initializing_new_cluster, 1="));
}
END_TEST

START_TEST(a_standby_tells_how_far_it_is)
{
	fake_local(false);
	fake_sync(MT_SYNC_ON);
	mt_copy(fake.pg.replayed_time, sizeof(fake.pg.replayed_time),
		"2026-11-23 06:00:01+00");
	fake.pg.replay_paused = true;
	fake_report(1)->nofailover = true;
	fake.settings.pause = true;
	get();
	is("patroni_primary", "0");
	is("patroni_replica", "1");
	is("patroni_xlog_location", "0");
	is("patroni_xlog_received_location", "83886080");
	is("patroni_xlog_replayed_location", "83885824");
	is("patroni_xlog_replayed_timestamp", "1795413601.000");
	is("patroni_xlog_paused", "1");
	is("patroni_postgres_streaming", "1");
	is("patroni_sync_standby", "1");
	is("patroni_quorum_standby", "0");
	is("patroni_is_paused", "1");
	is("patroni_failover_priority", "0");
	is("matriarch_lease_seconds", "0.000");
	fake_sync(MT_SYNC_QUORUM);
	get();
	is("patroni_sync_standby", "0");
	is("patroni_quorum_standby", "1");
}
END_TEST

START_TEST(without_postgresql_nothing_is_claimed_of_it)
{
	fake.local.accepting = false;
	fake.local.deadline_ms = 0;
	fake_report(0)->pg_state = MT_PG_CRASHED;
	get();
	is("patroni_postgres_running", "0");
	is("patroni_postmaster_start_time", "0.000");
	is("patroni_primary", "0");
	is("patroni_replica", "0");
	is("patroni_xlog_location", "0");
	is("patroni_postgres_server_version", "0");
	is("patroni_postgres_timeline", "0");
	is("patroni_postgres_state", "14");
	ck_assert(!mentions("patroni_postgres_streaming"));
	ck_assert(!mentions("patroni_postgres_in_archive_recovery"));
	memset(&fake.local, 0, sizeof(fake.local));
	mt_copy(fake.local.name, sizeof(fake.local.name), "node1");
	fake.local.witness = true;
	get();
	is("patroni_postgres_state", "-1");
}
END_TEST

START_TEST(the_forecast_is_told)
{
	for (int i = 0; i < 3; i++)
		mt_copy(fake_report(i)->sysid, MT_SYSID_MAX, fake.state.sysid);
	get();
	has("matriarch_forecast_candidate",
	    "scope=\"demo\",name=\"node1\",member=\"node2\"", "1");
	is("matriarch_forecast_lost_bytes", "256");
	ck_assert(mentions("matriarch_forecast_outage_seconds{scope=\"demo\","
			   "name=\"node1\",lost=\"node\"} "));
	for (int i = 1; i < 4; i++)
		fake_report(i)->nofailover = true;
	get();
	ck_assert(!mentions("matriarch_forecast_candidate{"));
	ck_assert(!mentions("matriarch_forecast_outage_seconds{"));
}
END_TEST

START_TEST(the_log_and_its_members_are_told)
{
	struct mt_raft_info *raft = &fake.raft;

	mt_copy(raft->state, sizeof(raft->state), "leader");
	raft->id = 1;
	raft->term = 4;
	raft->commit_index = 39;
	raft->snapshot_index = 30;
	raft->writes = 12;
	raft->write_failures = 1;
	raft->running_write_ms = 40;
	raft->last_write_ms = 2;
	raft->max_write_ms = 1200;
	raft->n_members = 3;
	for (int i = 0; i < 3; i++) {
		raft->members[i].id = (uint64_t)i + 1;
		raft->members[i].contact_age_ms = i == 2 ? -1 : 50;
	}
	mt_copy(raft->members[1].name, MT_NAME_MAX, "node2");
	get();
	is("matriarch_raft_leader", "1");
	is("matriarch_raft_term", "4");
	is("matriarch_raft_commit_index", "39");
	is("matriarch_raft_snapshot_index", "30");
	is("matriarch_raft_writes_total", "12");
	is("matriarch_raft_write_failures_total", "1");
	is("matriarch_raft_write_running_seconds", "0.040");
	has("matriarch_raft_state",
	    "scope=\"demo\",name=\"node1\",state=\"leader\"", "1");
	has("matriarch_raft_state",
	    "scope=\"demo\",name=\"node1\",state=\"follower\"", "0");
	has("matriarch_raft_write_seconds",
	    "scope=\"demo\",name=\"node1\",which=\"longest\"", "1.200");
	/* neither of itself nor of whom it never heard */
	has("matriarch_raft_contact_age_seconds",
	    "scope=\"demo\",name=\"node1\",member=\"node2\"", "0.050");
}
END_TEST

START_TEST(the_lease_is_told_by_who_has_it)
{
	fake.local.deadline_ms = mt_clock_ms() + 60000;
	fake.state.last_decision = 9;
	get();
	/* 1 % of the ttl and what clocks and kills take */
	is("matriarch_lease_margin_seconds", "0.120");
	is("matriarch_lease_round_trip_seconds", "0.007");
	is("matriarch_decisions_total", "9");
	fake_local(false);
	get();
	is("matriarch_lease_margin_seconds", "0.120");
	ck_assert(!mentions("matriarch_lease_round_trip_seconds{"));
	fake.state.leader.epoch = 0;
	get();
	ck_assert(!mentions("matriarch_lease_margin_seconds{"));
}
END_TEST

START_TEST(the_age_of_each_report_is_told)
{
	fake.reports.seen[2].at_ms = mt_clock_ms() - 90000;
	get();
	ck_assert(mentions("matriarch_report_age_seconds{scope=\"demo\",name="
			   "\"node1\",member=\"node1\"} 0."));
	ck_assert(mentions("matriarch_report_age_seconds{scope=\"demo\",name="
			   "\"node1\",member=\"node3\"} 90."));
}
END_TEST

START_TEST(a_long_action_is_told_while_it_lasts)
{
	get();
	is("matriarch_jobs_running", "0");
	ck_assert(!mentions("matriarch_job_seconds{"));
	fake.local.job = MT_JOB_CLONE;
	fake.local.job_since_ms = mt_clock_ms() - 80000;
	get();
	is("matriarch_jobs_running", "1");
	ck_assert(mentions("matriarch_job_seconds{scope=\"demo\",name="
			   "\"node1\",job=\"clone\"} 80."));
}
END_TEST

static void
slot(int i, const char *name, uint64_t lsn, bool active)
{
	struct mt_pg_slot *s = &fake.pg.slots[i];

	mt_copy(s->name, sizeof(s->name), name);
	s->restart_lsn = lsn;
	s->active = active;
	fake.pg.n_slots = i + 1;
}

START_TEST(what_slots_keep_is_told)
{
	slot(0, "node2", 0x5000000, true);
	slot(1, "node3", 0, false); /* has reserved nothing */
	slot(2, "gone", 0x4000100, false);
	fake.pg.n_sync_waiting = 3;
	get();
	has("matriarch_slot_retained_bytes",
	    "scope=\"demo\",name=\"node1\",slot=\"node2\"", "256");
	has("matriarch_slot_retained_bytes",
	    "scope=\"demo\",name=\"node1\",slot=\"gone\"", "16777216");
	ck_assert(!mentions("matriarch_slot_retained_bytes{scope=\"demo\","
			    "name=\"node1\",slot=\"node3\""));
	has("matriarch_slot_active",
	    "scope=\"demo\",name=\"node1\",slot=\"node2\"", "1");
	has("matriarch_slot_active",
	    "scope=\"demo\",name=\"node1\",slot=\"node3\"", "0");
	is("matriarch_sync_waiting_sessions", "3");
	/* of a standby what it received counts */
	fake_local(false);
	slot(0, "node3", 0x4ffff00, true);
	get();
	has("matriarch_slot_retained_bytes",
	    "scope=\"demo\",name=\"node2\",slot=\"node3\"", "256");
	ck_assert(!mentions("matriarch_sync_waiting_sessions{"));
}
END_TEST

START_TEST(labels_are_written_so_that_they_can_be_read)
{
	mt_copy(fake.conf.scope, sizeof(fake.conf.scope), "a\"b\\c\nd");
	get();
	has("patroni_primary", "scope=\"a\\\"b\\\\c\\nd\",name=\"node1\"", "1");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("metrics");
	TCase *tc = tcase_create("metrics");

	tcase_add_checked_fixture(tc, fake_setup, fake_teardown);
	tcase_add_test(tc, the_known_names_come_in_the_known_order);
	tcase_add_test(tc, each_line_belongs_to_its_family);
	tcase_add_test(tc, the_manual_lists_each_name);
	tcase_add_test(tc, a_primary_tells_where_it_is);
	tcase_add_test(tc, a_standby_tells_how_far_it_is);
	tcase_add_test(tc, without_postgresql_nothing_is_claimed_of_it);
	tcase_add_test(tc, the_forecast_is_told);
	tcase_add_test(tc, the_log_and_its_members_are_told);
	tcase_add_test(tc, the_lease_is_told_by_who_has_it);
	tcase_add_test(tc, the_age_of_each_report_is_told);
	tcase_add_test(tc, a_long_action_is_told_while_it_lasts);
	tcase_add_test(tc, what_slots_keep_is_told);
	tcase_add_test(tc, labels_are_written_so_that_they_can_be_read);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
