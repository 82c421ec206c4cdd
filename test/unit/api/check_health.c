/* SPDX-License-Identifier: PostgreSQL */
/* The health checks' decision table, row by row, without a server. */
#include "daemon/api/health.h"

#include <check.h>

#include "base/text.h"
#include "test/unit/run.h"

static const struct {
	const char *path;
	enum mt_health_kind kind;
} paths[] = {
    {"/", MT_HEALTH_PRIMARY},
    {"/primary", MT_HEALTH_PRIMARY},
    {"/master", MT_HEALTH_PRIMARY},
    {"/read-write", MT_HEALTH_PRIMARY},
    {"/leader", MT_HEALTH_LEADER},
    {"/leader/", MT_HEALTH_LEADER},
    {"/standby-leader", MT_HEALTH_STANDBY_LEADER},
    {"/standby_leader", MT_HEALTH_STANDBY_LEADER},
    {"/replica", MT_HEALTH_REPLICA},
    {"/read-only", MT_HEALTH_READ_ONLY},
    {"/read-only-sync", MT_HEALTH_READ_ONLY_SYNC},
    {"/read-only-synchronous", MT_HEALTH_READ_ONLY_SYNC},
    {"/read-only-quorum", MT_HEALTH_READ_ONLY_QUORUM},
    {"/read-only-any-sync", MT_HEALTH_NONE},
    {"/sync", MT_HEALTH_SYNC},
    {"/synchronous", MT_HEALTH_SYNC},
    {"/quorum", MT_HEALTH_QUORUM},
    {"/async", MT_HEALTH_ASYNC},
    {"/asynchronous", MT_HEALTH_ASYNC},
    {"/health", MT_HEALTH_HEALTH},
    {"/liveness", MT_HEALTH_LIVENESS},
    {"/readiness", MT_HEALTH_READINESS},
    {"/nothing", MT_HEALTH_NONE},
    {"/syncx", MT_HEALTH_NONE},
};

START_TEST(a_path_has_its_check)
{
	ck_assert_int_eq(mt_health_kind(paths[_i].path), paths[_i].kind);
}
END_TEST

static const struct {
	const char *text;
	int64_t bytes;
} lags[] = {
    {"0", 0},
    {"1024", 1024},
    {"1024B", 1024},
    {"1kB", 1024},
    {"1.5MB", 1572864},
    {"1 GB", INT64_C(1) << 30},
    {".5TB", INT64_C(1) << 39},
    {"99999999999999999999TB", INT64_MAX},
    {"1KB", -1},
    {"1mb", -1},
    {"-1", -1},
    {"", -1},
    {".", -1},
    {"MB", -1},
    {"1e3", -1},
    {"0x10", -1},
    {"inf", -1},
};

START_TEST(a_lag_is_a_number_with_a_unit)
{
	ck_assert_int_eq(mt_health_lag_bytes(lags[_i].text), lags[_i].bytes);
}
END_TEST

/* ---- the table -------------------------------------------------------- */

enum node {
	PRIMARY,    /* holds the lease, writes */
	STARTING,   /* holds the lease, PostgreSQL does not answer */
	PROMOTING,  /* holds the lease, still in recovery */
	OVER,       /* writes, but the deadline is this moment */
	NO_LEASE,   /* assigned, has no lease yet */
	OLD_EPOCH,  /* its lease is of an epoch before the newest */
	NOT_HOLDER, /* writes under a lease, but another is assigned */
	REPLICA,    /* streams */
	ARCHIVE,    /* replays from the archive */
	SYNC,       /* a synchronous standby */
	QUORUM,     /* a quorum standby */
	UNBALANCED, /* a replica with noloadbalance */
	ALONE,      /* a replica that hears of no Raft leader */
	DOWN,       /* neither a lease nor a server; a witness, too */
};

static struct mt_health_input
input(enum node node)
{
	struct mt_health_input in = {
	    .now_ms = 10000,
	    .holds = node <= OLD_EPOCH,
	    .epoch = 7,
	    .lease_epoch = node <= NOT_HOLDER ? 7 : 0,
	    .deadline_ms = node <= NOT_HOLDER ? 10001 : 0,
	    .fresh = node != ALONE,
	    .accepting = node != DOWN && node != STARTING,
	    .in_recovery =
		node == PROMOTING || (node >= REPLICA && node != DOWN),
	    .streaming = node >= REPLICA && node != ARCHIVE && node != DOWN,
	    .restore = node == ARCHIVE,
	    .sync_standby = node == SYNC,
	    .quorum_standby = node == QUORUM,
	    .noloadbalance = node == UNBALANCED,
	    .leader_lsn = 2000,
	    .has_leader_lsn = true,
	    .received_lsn = 1900,
	    .replayed_lsn = 1500,
	    .maximum_lag_on_failover = 1000,
	};

	if (node == OVER)
		in.deadline_ms = in.now_ms;
	if (node == NO_LEASE)
		in.deadline_ms = 0;
	if (node == OLD_EPOCH)
		in.lease_epoch = 6;
	return in;
}

/* One letter a node, in the order of the enum: y = 200, n = 503. */
static const struct {
	enum mt_health_kind kind;
	const char *query;
	const char *codes;
} rows[] = {
    {MT_HEALTH_PRIMARY, "", "ynnnnnnnnnnnnn"},
    {MT_HEALTH_PRIMARY, "tag_x=1&lag=0", "ynnnnnnnnnnnnn"},
    {MT_HEALTH_LEADER, "", "yyynnnnnnnnnnn"},
    {MT_HEALTH_STANDBY_LEADER, "", "nnnnnnnnnnnnnn"},
    {MT_HEALTH_REPLICA, "", "nnynnnnyyyynyn"},
    {MT_HEALTH_REPLICA, "lag=500", "nnynnnnyyyynyn"},
    {MT_HEALTH_REPLICA, "lag=499", "nnnnnnnnnnnnnn"},
    {MT_HEALTH_REPLICA, "lag=1kB", "nnynnnnyyyynyn"},
    {MT_HEALTH_REPLICA, "lag=nonsense", "nnynnnnyyyynyn"},
    {MT_HEALTH_REPLICA, "lag=&lag=499", "nnnnnnnnnnnnnn"},
    {MT_HEALTH_REPLICA, "lag=499&lag=500", "nnnnnnnnnnnnnn"},
    {MT_HEALTH_REPLICA, "lag=500&lag=499", "nnynnnnyyyynyn"},
    {MT_HEALTH_REPLICA, "lag=nonsense&lag=499", "nnynnnnyyyynyn"},
    {MT_HEALTH_REPLICA, "lag", "nnynnnnyyyynyn"},
    {MT_HEALTH_REPLICA, "LAG=499", "nnynnnnyyyynyn"},
    {MT_HEALTH_REPLICA, "lag=0.4kB", "nnnnnnnnnnnnnn"},
    {MT_HEALTH_REPLICA, "lag=0.5+kB", "nnynnnnyyyynyn"},
    {MT_HEALTH_REPLICA, "lag=%34%39%39", "nnnnnnnnnnnnnn"},
    {MT_HEALTH_REPLICA, "lag=499KB", "nnynnnnyyyynyn"},
    {MT_HEALTH_REPLICA, "replication_state=", "nnynnnnyyyynyn"},
    {MT_HEALTH_REPLICA, "replication_state=x&replication_state=streaming",
     "nnnnnnnnnnnnnn"},
    {MT_HEALTH_REPLICA, "replication_state=streaming", "nnnnnnnynyynyn"},
    {MT_HEALTH_REPLICA, "replication_state=in+archive+recovery",
     "nnnnnnnnynnnnn"},
    {MT_HEALTH_REPLICA, "tag_zone=a", "nnnnnnnnnnnnnn"},
    {MT_HEALTH_READ_ONLY, "", "ynynnnnyyyynyn"},
    {MT_HEALTH_READ_ONLY, "lag=0", "ynnnnnnnnnnnnn"},
    {MT_HEALTH_HEALTH, "", "ynyyyyyyyyyyyn"},
    {MT_HEALTH_SYNC, "", "nnnnnnnnnynnnn"},
    {MT_HEALTH_QUORUM, "", "nnnnnnnnnnynnn"},
    {MT_HEALTH_ASYNC, "", "nnynnnnyynnnnn"},
    {MT_HEALTH_READ_ONLY_SYNC, "", "ynnnnnnnnynnnn"},
    {MT_HEALTH_READ_ONLY_QUORUM, "", "ynnnnnnnnnynnn"},
    {MT_HEALTH_SYNC, "lag=500", "nnnnnnnnnynnnn"},
    {MT_HEALTH_SYNC, "lag=499", "nnnnnnnnnnnnnn"},
    {MT_HEALTH_SYNC, "replication_state=streaming", "nnnnnnnnnynnnn"},
    {MT_HEALTH_SYNC, "tag_zone=a", "nnnnnnnnnnnnnn"},
    {MT_HEALTH_QUORUM, "lag=500", "nnnnnnnnnnynnn"},
    {MT_HEALTH_QUORUM, "lag=499", "nnnnnnnnnnnnnn"},
    {MT_HEALTH_ASYNC, "lag=499", "nnnnnnnnnnnnnn"},
    {MT_HEALTH_ASYNC, "replication_state=streaming", "nnnnnnnynnnnnn"},
    {MT_HEALTH_READ_ONLY_SYNC, "lag=499", "ynnnnnnnnnnnnn"},
    {MT_HEALTH_READ_ONLY_SYNC, "tag_zone=a", "nnnnnnnnnnnnnn"},
    {MT_HEALTH_READ_ONLY_QUORUM, "lag=500", "ynnnnnnnnnynnn"},
    {MT_HEALTH_READ_ONLY_QUORUM, "replication_state=in+archive+recovery",
     "ynnnnnnnnnnnnn"},
    {MT_HEALTH_LIVENESS, "", "yyyyyyyyyyyyyy"},
    {MT_HEALTH_READINESS, "", "yyynnnnynyyyyn"},
    {MT_HEALTH_READINESS, "lag=499", "yyynnnnnnnnnnn"},
    {MT_HEALTH_READINESS, "lag=499&mode=apply", "yyynnnnnnnnnnn"},
    {MT_HEALTH_READINESS, "lag=499&mode=write", "yyynnnnynyyyyn"},
    {MT_HEALTH_READINESS, "lag=499&mode=", "yyynnnnnnnnnnn"},
    {MT_HEALTH_READINESS, "lag=499&mode=write&mode=apply", "yyynnnnynyyyyn"},
    {MT_HEALTH_READINESS, "lag=nonsense", "yyynnnnynyyyyn"},
    {MT_HEALTH_READINESS, "tag_zone=a", "yyynnnnynyyyyn"},
    {MT_HEALTH_NONE, "", "nnnnnnnnnnnnnn"},
};

START_TEST(each_row_of_the_table_holds)
{
	for (int node = PRIMARY; node <= DOWN; node++) {
		struct mt_health_input in = input((enum node)node);
		int want = rows[_i].codes[node] == 'y' ? 200 : 503;
		int code = mt_health_code(&in, rows[_i].kind, rows[_i].query);

		ck_assert_msg(code == want, "kind %d \"%s\" node %d: %d",
			      (int)rows[_i].kind, rows[_i].query, node, code);
	}
}
END_TEST

static const struct {
	const char *query;
	int code;
} tag_rows[] = {
    {"tag_zone=a", 200},
    {"tag_zone=b", 503},
    {"tag_zone=", 200}, /* blank: not asked */
    {"tag_zone=a&tag_zone=b", 200},
    {"tag_zone=b&tag_zone=a", 503},
    {"tag_zone=a&tag_fast=true", 200},
    {"tag_fast=True", 503},
    {"tag_weight=1.4", 200},
    {"tag_n=12", 200},
    {"tag_none=none", 200},
    {"tag_missing=1", 503},
    {"tag_zone", 200},
    {"tag_missing=", 200},
    {"tag_=a", 503},
    {"TAG_zone=b", 200},
    {"tag_zone=%61", 200},
    {"tag_weight=1.40", 503},
    {"tag_n=12.0", 503},
};

START_TEST(a_tag_must_be_there_and_equal)
{
	struct mt_health_input in = input(REPLICA);
	json_t *tags = json_pack("{s:s, s:b, s:f, s:i, s:n}", "zone", "a",
				 "fast", 1, "weight", 1.4, "n", 12, "none");

	in.tags = tags;
	ck_assert_int_eq(
	    mt_health_code(&in, MT_HEALTH_REPLICA, tag_rows[_i].query),
	    tag_rows[_i].code);
	ck_assert_int_eq(
	    mt_health_code(&in, MT_HEALTH_HEALTH, tag_rows[_i].query),
	    tag_rows[_i].code);
	in = input(PRIMARY);
	in.tags = tags;
	ck_assert_int_eq(
	    mt_health_code(&in, MT_HEALTH_PRIMARY, tag_rows[_i].query), 200);
	json_decref(tags);
}
END_TEST

static const enum mt_health_kind of_sets[] = {
    MT_HEALTH_SYNC,           MT_HEALTH_QUORUM,           MT_HEALTH_ASYNC,
    MT_HEALTH_READ_ONLY_SYNC, MT_HEALTH_READ_ONLY_QUORUM,
};

START_TEST(who_hears_of_no_raft_leader_knows_no_set)
{
	static const enum node nodes[] = {PRIMARY, REPLICA, SYNC, QUORUM};
	enum mt_health_kind kind = of_sets[_i];

	for (size_t i = 0; i < MT_COUNT(nodes); i++) {
		struct mt_health_input in = input(nodes[i]);

		in.fresh = false;
		ck_assert_int_eq(mt_health_code(&in, kind, ""), 503);
	}
}
END_TEST

START_TEST(a_synchronous_standby_may_be_kept_from_readers)
{
	struct mt_health_input in = input(SYNC);

	in.noloadbalance = true;
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_SYNC, ""), 503);
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_READ_ONLY_SYNC, ""),
			 503);
}
END_TEST

START_TEST(an_unknown_leader_position_is_no_lag_but_not_ready)
{
	struct mt_health_input in = input(REPLICA);

	in.leader_lsn = 0;
	in.has_leader_lsn = false;
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_REPLICA, "lag=0"), 200);
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_READINESS, ""), 503);
}
END_TEST

START_TEST(an_exempt_holder_is_primary_whatever_its_lease)
{
	struct mt_health_input in = input(OVER);

	in.exempt = true;
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_PRIMARY, ""), 200);
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_LEADER, ""), 200);
	in.accepting = false;
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_PRIMARY, ""), 503);
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_LEADER, ""), 200);
	in = input(NOT_HOLDER);
	in.exempt = true;
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_PRIMARY, ""), 503);
}
END_TEST

START_TEST(who_may_be_displaced_is_primary_while_a_majority_supports_it)
{
	struct mt_health_input in = input(PRIMARY);

	in.missed_ms = in.now_ms; /* it has missed a round */
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_PRIMARY, ""), 200);
	in.displaceable = true;
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_PRIMARY, ""), 503);
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_READ_ONLY, ""), 503);
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_LEADER, ""), 200);
	in.missed_ms++;
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_PRIMARY, ""), 200);
	in.missed_ms = 0; /* it never had one */
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_PRIMARY, ""), 503);
	in.exempt = true; /* nobody can take its place */
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_PRIMARY, ""), 200);
}
END_TEST

START_TEST(paused_and_cut_off_the_role_alone_counts)
{
	struct mt_health_input in = input(OVER);

	in.paused = true;
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_PRIMARY, ""), 503);
	in.fresh = false;
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_PRIMARY, ""), 200);
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_LEADER, ""), 200);
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_READ_ONLY, ""), 200);
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_READ_ONLY_SYNC, ""),
			 503);
	in.deposed = true; /* a second primary, and it knows of the first */
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_PRIMARY, ""), 503);
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_LEADER, ""), 503);
	in = input(REPLICA);
	in.paused = true;
	in.fresh = false;
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_PRIMARY, ""), 503);
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_LEADER, ""), 503);
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_REPLICA, ""), 200);
	in = input(DOWN);
	in.paused = true;
	in.fresh = false;
	ck_assert_int_eq(mt_health_code(&in, MT_HEALTH_PRIMARY, ""), 503);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("health");
	TCase *tc = tcase_create("health");

	tcase_add_loop_test(tc, a_path_has_its_check, 0, (int)MT_COUNT(paths));
	tcase_add_loop_test(tc, a_lag_is_a_number_with_a_unit, 0,
			    (int)MT_COUNT(lags));
	tcase_add_loop_test(tc, each_row_of_the_table_holds, 0,
			    (int)MT_COUNT(rows));
	tcase_add_loop_test(tc, a_tag_must_be_there_and_equal, 0,
			    (int)MT_COUNT(tag_rows));
	tcase_add_loop_test(tc, who_hears_of_no_raft_leader_knows_no_set, 0,
			    (int)MT_COUNT(of_sets));
	tcase_add_test(tc, a_synchronous_standby_may_be_kept_from_readers);
	tcase_add_test(tc, an_unknown_leader_position_is_no_lag_but_not_ready);
	tcase_add_test(tc, an_exempt_holder_is_primary_whatever_its_lease);
	tcase_add_test(
	    tc, who_may_be_displaced_is_primary_while_a_majority_supports_it);
	tcase_add_test(tc, paused_and_cut_off_the_role_alone_counts);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
