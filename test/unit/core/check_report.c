/* SPDX-License-Identifier: PostgreSQL */
/* Reports: what comes back, what is no report, and which one is the newest. */
#include "core/report.h"

#include <string.h>

#include "base/text.h"

#include "hostile.h"
#include "test/unit/run.h"

/* Every byte of it is set, or zero where a text ends. */
static struct mt_report
sample(void)
{
	struct mt_report r;

	memset(&r, 0, sizeof(r));
	r.incarnation = UINT64_MAX;
	r.seq = 2;
	mt_copy(r.self.name, sizeof(r.self.name), "node1");
	r.self.raft_id = UINT64_C(0xfedcba9876543210);
	r.self.witness = true;
	r.self.command_version = UINT32_MAX;
	mt_copy(r.self.peer_addr, sizeof(r.self.peer_addr), "[::1]:2380");
	mt_copy(r.self.api_url, sizeof(r.self.api_url), "http://a:8008/");
	mt_copy(r.self.conn_url, sizeof(r.self.conn_url), "postgres://a/");
	mt_copy(r.self.tags, sizeof(r.self.tags), "{\"nofailover\":true}");
	mt_copy(r.self.version, sizeof(r.self.version), "0.1.0");
	r.applied = 5;
	r.fenced = 6;
	r.given_up = 7;
	r.pg_epoch = 8;
	r.lease_epoch = 9;
	r.data_id = UINT64_MAX - 1;
	r.stopped = 14;
	r.interval_ms = UINT16_MAX;
	r.port_epoch = 15;
	r.port = MT_PORT_STREAMS;
	r.pg_state = MT_PG_CRASHED;
	r.pg_role = MT_ROLE_DEMOTED;
	r.failover_priority = -1;
	mt_copy(r.sysid, sizeof(r.sysid), "7300000000000000001");
	r.at = (struct mt_position){.timeline = 3, .lsn = 10};
	r.replayed_lsn = 11;
	r.server_version = 170002;
	r.config_index = 12;
	r.config_term = 13;
	r.clone_percent = 100;
	r.n_clones = 2;
	r.clones[0] = 16;
	r.clones[1] = UINT64_MAX;
	mt_copy(r.job, sizeof(r.job), "clone");
	mt_copy(r.why, sizeof(r.why), "waiting for a primary to clone");
	mt_copy(r.pending, sizeof(r.pending), "{\"a\":1}");
	return r;
}

static size_t
encoded(uint8_t buf[MT_REPORT_SIZE_MAX])
{
	struct mt_report r = sample();

	return mt_report_encode(&r, buf, MT_REPORT_SIZE_MAX);
}

static void
fill(char *buf, size_t size)
{
	memset(buf, 'x', size - 1);
	buf[size - 1] = '\0';
}

START_TEST(a_report_comes_back)
{
	struct mt_report want = sample(), have;
	uint8_t buf[MT_REPORT_SIZE_MAX];
	struct mt_err err;

	ck_assert_int_eq(mt_report_decode(&have, buf, encoded(buf), &err), 0);
	ck_assert_mem_eq(&have, &want, sizeof(want));
}
END_TEST

START_TEST(each_flag_is_one_of_its_own)
{
	const size_t flags[] = {
	    offsetof(struct mt_report, self.witness),
	    offsetof(struct mt_report, has_data),
	    offsetof(struct mt_report, bootstrap_ready),
	    offsetof(struct mt_report, bootstrap_failed),
	    offsetof(struct mt_report, streaming),
	    offsetof(struct mt_report, writable),
	    offsetof(struct mt_report, serving),
	    offsetof(struct mt_report, nofailover),
	    offsetof(struct mt_report, healthy),
	    offsetof(struct mt_report, pending_restart),
	    offsetof(struct mt_report, unfenced),
	    offsetof(struct mt_report, rewindable),
	    offsetof(struct mt_report, holds_turn),
	    offsetof(struct mt_report, hung),
	    offsetof(struct mt_report, stopping),
	    offsetof(struct mt_report, refuses),
	    offsetof(struct mt_report, restored),
	    offsetof(struct mt_report, wants_clone),
	    offsetof(struct mt_report, no_data),
	    offsetof(struct mt_report, restoring),
	};

	for (size_t i = 0; i < MT_COUNT(flags); i++) {
		struct mt_report want = sample(), have;
		uint8_t buf[MT_REPORT_SIZE_MAX];
		struct mt_err err;
		bool *flag = (bool *)(void *)((char *)&want + flags[i]);
		size_t n;

		*flag = !*flag;
		n = mt_report_encode(&want, buf, sizeof(buf));
		ck_assert_int_eq(mt_report_decode(&have, buf, n, &err), 0);
		ck_assert_mem_eq(&have, &want, sizeof(want));
	}
}
END_TEST

START_TEST(the_longest_report_fits)
{
	struct mt_report want = sample(), have;
	uint8_t buf[MT_REPORT_SIZE_MAX];
	struct mt_err err;
	size_t n;

	fill(want.self.name, sizeof(want.self.name));
	fill(want.self.peer_addr, sizeof(want.self.peer_addr));
	fill(want.self.api_url, sizeof(want.self.api_url));
	fill(want.self.conn_url, sizeof(want.self.conn_url));
	fill(want.self.proxy_url, sizeof(want.self.proxy_url));
	fill(want.self.tags, sizeof(want.self.tags));
	fill(want.self.version, sizeof(want.self.version));
	fill(want.sysid, sizeof(want.sysid));
	fill(want.job, sizeof(want.job));
	want.n_clones = MT_NODES_MAX;
	memset(want.clones, 0xff, sizeof(want.clones));
	fill(want.why, sizeof(want.why));
	fill(want.pending, sizeof(want.pending));
	n = mt_report_encode(&want, buf, sizeof(buf));
	ck_assert_int_eq(mt_report_decode(&have, buf, n, &err), 0);
	ck_assert_mem_eq(&have, &want, sizeof(want));
}
END_TEST

START_TEST(every_truncation_is_refused_and_changes_nothing)
{
	uint8_t buf[MT_REPORT_SIZE_MAX];
	size_t n = encoded(buf);

	for (size_t cut = 0; cut < n; cut++) {
		struct mt_report have = {.seq = 99};
		struct mt_err err = {0};
		uint8_t *p = exact_copy(buf, cut);

		ck_assert_int_eq(mt_report_decode(&have, p, cut, &err),
				 MT_EPROTO);
		ck_assert_str_ne(err.text, "");
		ck_assert_uint_eq(have.seq, 99);
		free(p);
	}
	buf[n] = 0;
	ck_assert_int_eq(
	    mt_report_decode(&(struct mt_report){0}, buf, n + 1, NULL),
	    MT_EPROTO);
}
END_TEST

START_TEST(a_report_without_a_sender_is_refused)
{
	struct mt_report r = sample();
	uint8_t buf[MT_REPORT_SIZE_MAX];
	struct mt_err err;

	r.self.name[0] = '\0';
	ck_assert_int_eq(
	    mt_report_decode(&r, buf, mt_report_encode(&r, buf, sizeof(buf)),
			     &err),
	    MT_EPROTO);
	r = sample();
	r.self.raft_id = 0;
	ck_assert_int_eq(
	    mt_report_decode(&r, buf, mt_report_encode(&r, buf, sizeof(buf)),
			     &err),
	    MT_EPROTO);
}
END_TEST

START_TEST(another_version_is_refused_by_name)
{
	uint8_t buf[MT_REPORT_SIZE_MAX];
	size_t n = encoded(buf);
	struct mt_report have;
	struct mt_err err;

	buf[0]++;
	ck_assert_int_eq(mt_report_decode(&have, buf, n, &err), MT_EPROTO);
	ck_assert_ptr_nonnull(strstr(err.text, "version"));
}
END_TEST

START_TEST(states_and_roles_that_do_not_exist_are_refused)
{
	struct mt_report r = sample(), have;
	uint8_t buf[MT_REPORT_SIZE_MAX];

	for (int v = 0; v < 256; v++) {
		size_t n;

		r = sample();
		r.pg_role = (enum mt_pg_role)v;
		n = mt_report_encode(&r, buf, sizeof(buf));
		ck_assert_int_eq(mt_report_decode(&have, buf, n, NULL),
				 v <= MT_ROLE_DEMOTED ? 0 : MT_EPROTO);
		if (v <= MT_PG_CRASHED)
			continue;
		r = sample();
		r.pg_state = (enum mt_pg_state)v;
		n = mt_report_encode(&r, buf, sizeof(buf));
		ck_assert_int_eq(mt_report_decode(&have, buf, n, NULL),
				 MT_EPROTO);
	}
}
END_TEST

START_TEST(damaged_reports_are_refused_or_read_in_bounds)
{
	uint64_t seed = 3;

	for (int i = 0; i < 20000; i++) {
		uint8_t buf[MT_REPORT_SIZE_MAX];
		size_t n = encoded(buf);
		struct mt_report have;
		struct mt_err err;
		uint8_t *p;

		damage(buf, n, &seed);
		p = exact_copy(buf, n);
		if (mt_report_decode(&have, p, n, &err) == 0) {
			uint8_t back[MT_REPORT_SIZE_MAX];

			if (mt_report_encode(&have, back, sizeof(back)) != n)
				ck_abort_msg("try %d", i);
		}
		free(p);
	}
}
END_TEST

START_TEST(noise_is_no_report)
{
	uint64_t seed = 4;

	for (int i = 0; i < 5000; i++) {
		uint8_t buf[512];
		size_t n = draw(&seed) % sizeof(buf);
		struct mt_report have;

		for (size_t k = 0; k < n; k++)
			buf[k] = (uint8_t)draw(&seed);
		if (n > 0)
			buf[0] = 1;
		if (mt_report_decode(&have, buf, n, NULL) == 0)
			ck_abort_msg("try %d", i);
	}
}
END_TEST

START_TEST(only_a_newer_report_is_taken)
{
	static const struct {
		const char *what;
		uint64_t incarnation, seq;
		bool taken;
	} rows[] = {
	    {"first", 5, 10, true},
	    {"again", 5, 10, false},
	    {"older", 5, 9, false},
	    {"newer", 5, 11, true},
	    {"a gap", 5, 100, true},
	    {"an older life", 4, 1000, false},
	    {"a newer life begins anew", 6, 1, true},
	    {"the old life again", 5, 101, false},
	};
	struct mt_reports all = {0};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		struct mt_report r = sample();

		r.incarnation = rows[i].incarnation;
		r.seq = rows[i].seq;
		ck_assert_msg(mt_reports_take(&all, &r, 1000 + (int)i) ==
				  rows[i].taken,
			      "%s", rows[i].what);
		ck_assert_int_eq(all.n, 1);
		if (rows[i].taken)
			ck_assert_int_eq(all.seen[0].at_ms, 1000 + (int)i);
	}
}
END_TEST

START_TEST(a_report_says_that_its_daemon_is_back)
{
	struct mt_reports all = {0};
	struct mt_report r = sample();

	mt_reports_take(&all, &r, 1);
	all.seen[0].gone = true;
	r.seq++;
	ck_assert(mt_reports_take(&all, &r, 2));
	ck_assert(!all.seen[0].gone);
}
END_TEST

START_TEST(reports_are_kept_by_name_up_to_the_limit)
{
	struct mt_reports all = {0};
	struct mt_report r = sample();

	for (int i = 0; i < MT_NODES_MAX; i++) {
		mt_format(r.self.name, sizeof(r.self.name), "n%d", i);
		ck_assert(mt_reports_take(&all, &r, 1));
	}
	mt_copy(r.self.name, sizeof(r.self.name), "one too many");
	ck_assert(!mt_reports_take(&all, &r, 1));
	ck_assert_int_eq(all.n, MT_NODES_MAX);
	ck_assert_ptr_null(mt_reports_find(&all, "one too many"));
	ck_assert_ptr_eq(mt_reports_find(&all, "n3"), &all.seen[3]);
	ck_assert_ptr_null(mt_reports_find(&all, ""));
	mt_copy(r.self.name, sizeof(r.self.name), "n3");
	r.seq++;
	ck_assert(mt_reports_take(&all, &r, 2));
}
END_TEST

START_TEST(a_report_counts_for_three_intervals_and_a_second)
{
	struct mt_seen seen = {.at_ms = 5000};

	seen.report.interval_ms = 1000;
	ck_assert(mt_report_is_fresh(&seen, 5000));
	ck_assert(mt_report_is_fresh(&seen, 8000));
	ck_assert(!mt_report_is_fresh(&seen, 8001));
	seen.report.interval_ms = 400;
	ck_assert(mt_report_is_fresh(&seen, 6200));
	ck_assert(!mt_report_is_fresh(&seen, 6201));
	seen.report.interval_ms = 100;
	ck_assert(mt_report_is_fresh(&seen, 6000));
	ck_assert(!mt_report_is_fresh(&seen, 6001));
	ck_assert(!mt_report_is_fresh(NULL, 5000));
}
END_TEST

START_TEST(reports_are_more_frequent_while_a_set_stands)
{
	static struct mt_state s;

	ck_assert_int_eq(mt_report_interval_ms(&s), 1000);
	s.sync.n = s.sync.k = 1;
	ck_assert_int_eq(mt_report_interval_ms(&s), 100);
}
END_TEST

int
main(void)
{
	RUN_TESTS("report", a_report_comes_back, each_flag_is_one_of_its_own,
		  the_longest_report_fits,
		  every_truncation_is_refused_and_changes_nothing,
		  a_report_without_a_sender_is_refused,
		  another_version_is_refused_by_name,
		  states_and_roles_that_do_not_exist_are_refused,
		  damaged_reports_are_refused_or_read_in_bounds,
		  noise_is_no_report, only_a_newer_report_is_taken,
		  a_report_says_that_its_daemon_is_back,
		  reports_are_kept_by_name_up_to_the_limit,
		  a_report_counts_for_three_intervals_and_a_second,
		  reports_are_more_frequent_while_a_set_stands);
}
