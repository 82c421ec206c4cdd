/* SPDX-License-Identifier: PostgreSQL */
/* What an agent check hears, row by row, without a socket. */
#include "daemon/api/agent_answer.h"

#include <check.h>
#include <string.h>

#include "base/text.h"
#include "daemon/api/health.h"
#include "test/unit/run.h"

/* A primary with its lease. */
static struct mt_health_input
primary(void)
{
	return (struct mt_health_input){
	    .now_ms = 10000,
	    .holds = true,
	    .epoch = 7,
	    .lease_epoch = 7,
	    .deadline_ms = 10001,
	    .fresh = true,
	    .accepting = true,
	    .leader_lsn = 2000,
	    .maximum_lag_on_failover = 1000,
	};
}

/* A replica that lags 500 bytes behind. */
static struct mt_health_input
replica(void)
{
	return (struct mt_health_input){
	    .now_ms = 10000,
	    .epoch = 7,
	    .fresh = true,
	    .accepting = true,
	    .in_recovery = true,
	    .streaming = true,
	    .leader_lsn = 2000,
	    .replayed_lsn = 1500,
	    .maximum_lag_on_failover = 1000,
	};
}

static const char *
answer(const struct mt_health_input *in, const char *line)
{
	static char buf[MT_AGENT_ANSWER_MAX];

	ck_assert_uint_eq(mt_agent_answer(in, false, line, buf), strlen(buf));
	return buf;
}

static const struct {
	const char *line, *of_primary, *of_replica;
} rows[] = {
    {"", "up\n", "down #not the primary\n"},
    {"primary", "up\n", "down #not the primary\n"},
    {"/primary", "up\n", "down #not the primary\n"},
    {" read-write ", "up\n", "down #not the primary\n"},
    {"leader", "up\n", "down #not the primary\n"},
    {"health", "up\n", "up\n"},
    {"liveness", "up\n", "up\n"},
    {"replica", "down #not a replica\n", "up 50%\n"},
    {"/replica?lag=2kB", "down #not a replica\n", "up 75%\n"},
    {"replica lag=500", "down #not a replica\n", "up 1%\n"},
    {"replica lag=499", "down #not a replica\n", "down #lags too far behind\n"},
    {"replica\tlag=2kB  replication_state=streaming", "down #not a replica\n",
     "up 75%\n"},
    {"replica lag=2kB&tag_zone=a", "down #not a replica\n",
     "down #not a replica of the kind asked for\n"},
    {"read-only", "up 100%\n", "up 50%\n"},
    {"sync", "down #not a replica\n",
     "down #not a replica of the kind asked for\n"},
    {"async", "down #not a replica\n", "up 50%\n"},
    {"GET / HTTP/1.0", "down #no check has this name\n",
     "down #no check has this name\n"},
    {"standby-leader", "down #no valid lease\n", "down #not the primary\n"},
};

START_TEST(a_line_is_a_health_check)
{
	struct mt_health_input p = primary(), r = replica();

	ck_assert_str_eq(answer(&p, rows[_i].line), rows[_i].of_primary);
	ck_assert_str_eq(answer(&r, rows[_i].line), rows[_i].of_replica);
}
END_TEST

/* Whatever its facts are, it is up where the check over HTTP is 200. */
START_TEST(it_is_up_exactly_where_http_says_200)
{
	static const char *const checks[] = {"primary", "replica", "read-only",
					     "leader",  "health",  "async"};

	for (unsigned int bits = 0; bits < 512; bits++)
		for (size_t i = 0; i < MT_COUNT(checks); i++) {
			struct mt_health_input in =
			    (bits & 1) != 0 ? primary() : replica();
			char path[32];
			int code;

			if ((bits & 2) != 0)
				in.deadline_ms = in.now_ms;
			if ((bits & 4) != 0)
				in.holds = !in.holds;
			if ((bits & 8) != 0)
				in.accepting = false;
			if ((bits & 16) != 0)
				in.in_recovery = !in.in_recovery;
			if ((bits & 32) != 0)
				in.fresh = false;
			if ((bits & 64) != 0)
				in.paused = true;
			if ((bits & 128) != 0)
				in.displaceable = true; /* and missed */
			if ((bits & 256) != 0)
				in.exempt = true;
			mt_format(path, sizeof(path), "/%s", checks[i]);
			code = mt_health_code(&in, mt_health_kind(path), "");
			ck_assert_msg(
			    (code == 200) ==
				(strncmp(answer(&in, checks[i]), "up", 2) == 0),
			    "%s, facts %u: %d, %s", path, bits, code,
			    answer(&in, checks[i]));
		}
}
END_TEST

START_TEST(a_lease_that_ends_is_down_at_its_end)
{
	struct mt_health_input in = primary();

	in.now_ms = in.deadline_ms;
	ck_assert_str_eq(answer(&in, "primary"), "down #no valid lease\n");
	in.accepting = false;
	ck_assert_str_eq(answer(&in, "primary"),
			 "down #PostgreSQL takes no connections\n");
}
END_TEST

START_TEST(who_is_to_have_no_new_sessions_weighs_nothing)
{
	struct mt_health_input p = primary(), r = replica();
	char buf[MT_AGENT_ANSWER_MAX];

	mt_agent_answer(&r, true, "replica", buf);
	ck_assert_str_eq(buf, "up 0%\n");
	/* There is nobody else for writes. */
	mt_agent_answer(&p, true, "primary", buf);
	ck_assert_str_eq(buf, "up\n");
	mt_agent_answer(&p, true, "read-only", buf);
	ck_assert_str_eq(buf, "up 100%\n");
	r.noloadbalance = p.noloadbalance = true;
	ck_assert_str_eq(answer(&r, "replica"), "up 0%\n");
	ck_assert_str_eq(answer(&p, "primary"), "up\n");
	ck_assert_str_eq(answer(&r, "primary"), "down #not the primary\n");
}
END_TEST

START_TEST(who_does_not_know_its_lag_weighs_least)
{
	struct mt_health_input r = replica();

	r.replayed_lsn = r.leader_lsn;
	ck_assert_str_eq(answer(&r, "replica"), "up 100%\n");
	r.fresh = false;
	ck_assert_str_eq(answer(&r, "replica"), "up 1%\n");
}
END_TEST

START_TEST(a_weight_falls_with_the_lag)
{
	int before = 100;

	for (uint64_t lag = 0; lag <= 1200; lag++) {
		int weight = mt_agent_weight(lag, 1000);

		ck_assert_int_le(weight, before);
		ck_assert_int_ge(weight, 1);
		before = weight;
	}
	ck_assert_int_eq(mt_agent_weight(0, 0), 100);
	ck_assert_int_eq(mt_agent_weight(1, 0), 1);
	ck_assert_int_eq(mt_agent_weight(1, 1000), 99);
	ck_assert_int_eq(mt_agent_weight(999, 1000), 1);
	ck_assert_int_eq(mt_agent_weight(UINT64_MAX, INT64_MAX), 1);
	ck_assert_int_eq(mt_agent_weight(UINT64_C(1) << 62, INT64_MAX), 50);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("agent_answer");
	TCase *tc = tcase_create("agent_answer");

	tcase_add_loop_test(tc, a_line_is_a_health_check, 0, MT_COUNT(rows));
	tcase_add_test(tc, it_is_up_exactly_where_http_says_200);
	tcase_add_test(tc, a_lease_that_ends_is_down_at_its_end);
	tcase_add_test(tc, who_is_to_have_no_new_sessions_weighs_nothing);
	tcase_add_test(tc, who_does_not_know_its_lag_weighs_least);
	tcase_add_test(tc, a_weight_falls_with_the_lag);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
