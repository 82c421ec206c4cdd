/* SPDX-License-Identifier: PostgreSQL */
/*
 * The vocabulary of the decision tests: a world that is well, told from one
 * node. A row of a table says what is different in it and what must come of it.
 *
 * The cluster: node1 to node3, Raft ids 1 to 3, all voters, all with
 * PostgreSQL; epoch 5, begun as epoch 5, timeline 3, ttl 5 s.
 */
#ifndef MT_TEST_CORE_GIVEN_H
#define MT_TEST_CORE_GIVEN_H

#include <string.h>

#include "base/text.h"
#include "core/view.h"

#define NOW INT64_C(1000000)
#define WALL INT64_C(1700000000000)
#define SYSID "7300000000000000001"
#define DATA_ID UINT64_C(0xd1d1)
#define EPOCH UINT64_C(5)
#define TERM UINT64_C(7)
#define INDEX UINT64_C(50)
#define TTL_MS INT64_C(5000)
#define TIMELINE 3
#define LSN UINT64_C(0x5000000)
#define FORK1 UINT64_C(0x2000000) /* where timeline 1 ended */
#define FORK2 UINT64_C(0x3000000) /* where timeline 2 ended */

struct world {
	struct mt_view view;
	struct mt_state state;
	struct mt_reports reports;
	struct mt_settings settings;
	struct mt_history history[MT_HISTORY_MAX + 8];
};

static struct world w;

static inline struct mt_position
position(uint32_t timeline, uint64_t lsn)
{
	return (struct mt_position){.timeline = timeline, .lsn = lsn};
}

static inline struct mt_local *
local(void)
{
	return &w.view.local;
}

static inline void
given_member(int i)
{
	struct mt_member *m = &w.state.members[i];

	memset(m, 0, sizeof(*m));
	mt_format(m->name, sizeof(m->name), "node%d", i + 1);
	m->raft_id = (uint64_t)i + 1;
	m->command_version = MT_COMMAND_VERSION;
	mt_format(m->peer_addr, sizeof(m->peer_addr), "10.0.0.%d:2380", i + 1);
	mt_format(m->api_url, sizeof(m->api_url),
		  "http://10.0.0.%d:8008/patroni", i + 1);
	mt_format(m->conn_url, sizeof(m->conn_url),
		  "postgres://10.0.0.%d:5432/postgres", i + 1);
	if (w.state.n_members <= i)
		w.state.n_members = i + 1;
}

/* The report of the member with this number, from 1. */
static inline struct mt_report *
report_of(int number)
{
	return &w.reports.seen[number - 1].report;
}

static inline struct mt_seen *
seen_of(int number)
{
	return &w.reports.seen[number - 1];
}

/* It is up and well, as a standby that has everything. */
static inline void
given_report(int number)
{
	struct mt_seen *seen = seen_of(number);

	*seen = (struct mt_seen){.at_ms = NOW - 200};
	seen->report = (struct mt_report){
	    .incarnation = 10,
	    .seq = 100,
	    .self = w.state.members[number - 1],
	    .applied = INDEX,
	    .pg_epoch = 0,
	    .interval_ms = MT_REPORT_INTERVAL_MS,
	    .pg_state = MT_PG_RUNNING,
	    .pg_role = MT_ROLE_REPLICA,
	    .has_data = true,
	    .streaming = true,
	    .healthy = true,
	    .failover_priority = 1,
	    .at = position(TIMELINE, LSN),
	    .replayed_lsn = LSN,
	};
	mt_copy(seen->report.sysid, sizeof(seen->report.sysid), SYSID);
	if (w.reports.n < number)
		w.reports.n = number;
}

static inline void
given_silence(int number)
{
	seen_of(number)->at_ms = NOW - 60000;
}

static inline void
given_serving(int number)
{
	struct mt_report *r = report_of(number);

	r->pg_role = MT_ROLE_PRIMARY;
	r->pg_epoch = EPOCH;
	r->lease_epoch = EPOCH;
	r->streaming = false;
	r->writable = true;
	r->serving = true;
	r->rewindable = true;
}

static inline void
given_past(int i, uint32_t timeline, uint64_t lsn)
{
	w.state.history[i] =
	    (struct mt_history){.timeline = timeline, .lsn = lsn};
	w.state.n_history = i + 1;
}

/* All members are known and report; the turn is node1's, or nobody's if the
 * test changes that. */
static inline void
given_cluster(int me)
{
	memset(&w, 0, sizeof(w));
	w.view.now_ms = NOW;
	w.view.wall_ms = WALL;
	w.view.state = &w.state;
	w.view.reports = &w.reports;
	w.view.settings = &w.settings;
	w.view.history = w.history;
	w.view.leads = true;
	w.view.term = TERM;
	w.view.voters = (struct mt_voters){
	    .n = 3,
	    .raft_id = {1, 2, 3},
	    .index = 1,
	    .term = 1,
	};
	mt_settings_defaults(&w.settings);
	w.settings.ttl_ms = TTL_MS;
	w.state.index = INDEX;
	mt_copy(w.state.sysid, sizeof(w.state.sysid), SYSID);
	for (int i = 0; i < 3; i++)
		given_member(i);
	w.state.leader = (struct mt_leader){
	    .epoch = EPOCH,
	    .since = EPOCH,
	    .ttl_ms = TTL_MS,
	    .timeline = TIMELINE,
	    .index = 40,
	};
	mt_copy(w.state.leader.holder, MT_NAME_MAX, "node1");
	given_past(0, 1, FORK1);
	given_past(1, 2, FORK2);
	w.state.history_of = TIMELINE;
	w.state.status.optime = position(TIMELINE, LSN);
	for (int n = 1; n <= 3; n++)
		given_report(n);
	given_serving(1);

	*local() = (struct mt_local){
	    .raft_id = (uint64_t)me,
	    .incarnation = 10,
	    .state_current = true,
	    .fencing = true,
	    .data = MT_DATA_PRESENT,
	    .data_id = DATA_ID,
	    .control = MT_CONTROL_UNKNOWN,
	    .running = true,
	    .guarded = true,
	    .accepting = true,
	    .in_recovery = true,
	    .at = position(TIMELINE, LSN),
	    .replayed_lsn = LSN,
	    .streaming = true,
	    .turn_ms = NOW - 1000,
	    .record = {.incarnation = 10, .raft_id = (uint64_t)me},
	};
	mt_format(local()->name, MT_NAME_MAX, "node%d", me);
	mt_copy(local()->sysid, MT_SYSID_MAX, SYSID);
}

/* node1, the primary in service, with 4 s of its lease left, supported a
 * moment ago. */
static inline void
given_primary(void)
{
	given_cluster(1);
	local()->as_primary = true;
	local()->in_recovery = false;
	local()->streaming = false;
	local()->slots_ready = true;
	local()->record.data_id = DATA_ID;
	local()->record.pg_epoch = EPOCH;
	local()->lease_epoch = EPOCH;
	local()->had_lease = true;
	local()->deadline_ms = NOW + 4000;
	local()->missed_ms = NOW + 400;
	local()->turn_ms = NOW - 60000;
	w.history[0] = w.state.history[0];
	w.history[1] = w.state.history[1];
	w.view.n_history = 2;
}

/* node2, a standby that follows node1. */
static inline void
given_standby(void)
{
	given_cluster(2);
	mt_copy(local()->upstream, MT_NAME_MAX, "node1");
	mt_copy(local()->upstream_url, MT_URL_MAX, w.state.members[0].conn_url);
}

/* node2, a standby to which the turn was given a second ago. */
static inline void
given_chosen(void)
{
	given_standby();
	mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2");
	w.state.leader.min = position(TIMELINE, LSN);
	w.state.leader.timeline = TIMELINE + 1;
	local()->lease_epoch = EPOCH;
}

/* The same with the support of a majority. */
static inline void
given_supported(void)
{
	given_chosen();
	local()->had_lease = true;
	local()->deadline_ms = NOW + 4000;
	local()->missed_ms = NOW + 400;
}

/* The server of node1, the holder, is down. */
static inline void
given_primary_down(void)
{
	given_primary();
	local()->running = local()->as_primary = false;
	local()->guarded = local()->accepting = false;
	local()->control = MT_CONTROL_SHUT_DOWN;
	local()->checkpoint = position(TIMELINE, LSN);
	local()->at = position(0, 0);
	local()->last_job = MT_JOB_STOP;
}

static inline void
given_primary_died(void)
{
	given_primary_down();
	local()->control = MT_CONTROL_PRODUCTION;
	local()->last_job = MT_JOB_NONE;
	local()->died = true;
	local()->died_ms = NOW - 10;
}

/* The server of node2, a standby, is down; it had everything up to LSN. */
static inline void
given_standby_down(void)
{
	given_standby();
	local()->running = local()->guarded = false;
	local()->accepting = local()->in_recovery = false;
	local()->streaming = false;
	local()->control = MT_CONTROL_SHUT_DOWN_RECOVERY;
	local()->checkpoint = position(TIMELINE, LSN);
	local()->at = position(0, 0);
	local()->turn_ms = NOW - 60000;
}

static inline void
given_no_data(int me)
{
	given_cluster(me);
	local()->data = MT_DATA_EMPTY;
	local()->data_id = 0;
	local()->sysid[0] = '\0';
	local()->running = local()->guarded = false;
	local()->accepting = local()->in_recovery = false;
	local()->streaming = false;
	local()->at = position(0, 0);
	report_of(me)->has_data = false;
	report_of(me)->healthy = false;
	report_of(me)->pg_role = MT_ROLE_UNINITIALIZED;
}

/* Nothing is initialized yet; all three could do it. */
static inline void
given_new_cluster(int me)
{
	given_no_data(me);
	local()->can_bootstrap = true;
	memset(&w.state.leader, 0, sizeof(w.state.leader));
	w.state.sysid[0] = '\0';
	w.state.n_history = 0;
	w.state.history_of = 0;
	w.state.status.optime = position(0, 0);
	for (int n = 1; n <= 3; n++) {
		struct mt_report *r = report_of(n);

		r->has_data = r->healthy = r->streaming = false;
		r->writable = r->serving = false;
		r->no_data = r->bootstrap_ready = true;
		r->pg_role = MT_ROLE_UNINITIALIZED;
		r->at = position(0, 0);
		r->sysid[0] = '\0';
	}
}

/* node1 has bootstrapped, and the log does not know it yet. */
static inline void
given_bootstrapped(void)
{
	given_new_cluster(1);
	local()->bootstrapped = local()->fresh = true;
	local()->data = MT_DATA_PRESENT;
	local()->data_id = DATA_ID;
	mt_copy(local()->sysid, MT_SYSID_MAX, SYSID);
	local()->control = MT_CONTROL_SHUT_DOWN;
	local()->checkpoint = position(1, FORK1);
	local()->last_job = MT_JOB_BOOTSTRAP;
}

static inline void
given_claim(int number)
{
	mt_format(w.state.claim.member, MT_NAME_MAX, "node%d", number);
	w.state.claim.incarnation = 10;
}

/* node1 has bootstrapped, and the log says that the cluster is initialized. */
static inline void
given_initialized(void)
{
	given_cluster(1);
	w.state.leader.epoch = w.state.leader.since = 1;
	w.state.leader.continues = true;
	w.state.leader.timeline = 1;
	w.state.n_history = 0;
	w.state.history_of = 0;
	w.state.status.optime = position(0, 0);
	local()->bootstrapped = local()->fresh = true;
	local()->running = local()->guarded = false;
	local()->accepting = local()->in_recovery = false;
	local()->streaming = false;
	local()->control = MT_CONTROL_SHUT_DOWN;
	local()->checkpoint = position(1, FORK1);
	local()->at = position(0, 0);
	local()->last_job = MT_JOB_BOOTSTRAP;
}

/* A client asked for a switchover from node1. */
static inline void
given_request(const char *candidate)
{
	w.state.request = (struct mt_request){
	    .kind = MT_REQUEST_SWITCHOVER,
	    .id = 44,
	};
	mt_copy(w.state.request.leader, MT_NAME_MAX, "node1");
	mt_copy(w.state.request.candidate, MT_NAME_MAX, candidate);
}

#endif
