/* SPDX-License-Identifier: PostgreSQL */
/* pg_controldata's output, and the versions of PostgreSQL's programs. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "base/text.h"
#include "pg/bins.h"
#include "pg/control.h"
#include "pg/params.h"
#include "test/unit/run.h"

static const char standby[] =
    "pg_control version number:            1300\n"
    "Catalog version number:               202209061\n"
    "Database system identifier:           7421894362108812345\n"
    "Database cluster state:               shut down in recovery\n"
    "pg_control last modified:             Mon 01 Jan 2024 10:00:00\n"
    "Latest checkpoint location:           16/B374D848\n"
    "Latest checkpoint's REDO location:    16/B374D810\n"
    "Latest checkpoint's REDO WAL file:    0000000300000016000000B3\n"
    "Latest checkpoint's TimeLineID:       3\n"
    "Latest checkpoint's PrevTimeLineID:   2\n"
    "Latest checkpoint's full_page_writes: on\n"
    "Fake LSN counter for unlogged rels:   0/3E8\n"
    "Minimum recovery ending location:     16/B374D8C0\n"
    "Min recovery ending loc's timeline:   3\n"
    "Backup start location:                0/0\n"
    "wal_level setting:                    replica\n"
    "wal_log_hints setting:                on\n"
    "max_connections setting:              120\n"
    "max_worker_processes setting:         9\n"
    "max_wal_senders setting:              11\n"
    "max_prepared_xacts setting:           2\n"
    "max_locks_per_xact setting:           65\n"
    "track_commit_timestamp setting:       off\n"
    "Bytes per WAL segment:                16777216\n"
    "Data page checksum version:           1\n";

START_TEST(all_fields_of_a_standby_are_read)
{
	struct mt_pg_control c;
	struct mt_err err;

	ck_assert_int_eq(mt_pg_control_parse(&c, standby, &err), 0);
	ck_assert_str_eq(c.sysid, "7421894362108812345");
	ck_assert_int_eq(c.state, MT_PGCTL_SHUT_DOWN_IN_RECOVERY);
	ck_assert_str_eq(c.state_text, "shut down in recovery");
	ck_assert_int_eq(c.control_version, 1300);
	ck_assert_uint_eq(c.checkpoint_lsn, 0x16B374D848);
	ck_assert_uint_eq(c.redo_lsn, 0x16B374D810);
	ck_assert_uint_eq(c.timeline, 3);
	ck_assert_uint_eq(c.prev_timeline, 2);
	ck_assert_uint_eq(c.min_recovery_lsn, 0x16B374D8C0);
	ck_assert_uint_eq(c.min_recovery_timeline, 3);
	ck_assert(c.wal_log_hints && c.checksums);
	ck_assert_int_eq(c.max_connections, 120);
	ck_assert_int_eq(c.max_worker_processes, 9);
	ck_assert_int_eq(c.max_wal_senders, 11);
	ck_assert_int_eq(c.max_prepared_transactions, 2);
	ck_assert_int_eq(c.max_locks_per_transaction, 65);
	ck_assert_uint_eq(c.wal_segment_bytes, 16777216);
}
END_TEST

START_TEST(every_state_has_its_value)
{
	static const struct {
		const char *text;
		enum mt_pgctl_state state;
	} rows[] = {
	    {"starting up", MT_PGCTL_STARTING_UP},
	    {"shut down", MT_PGCTL_SHUT_DOWN},
	    {"shutting down", MT_PGCTL_SHUTTING_DOWN},
	    {"in crash recovery", MT_PGCTL_CRASH_RECOVERY},
	    {"in archive recovery", MT_PGCTL_ARCHIVE_RECOVERY},
	    {"in production", MT_PGCTL_PRODUCTION},
	};
	struct mt_pg_control c;
	char text[512];

	mt_format(text, sizeof(text),
		  "Database system identifier: 7\nDatabase cluster state:  %s\n"
		  "Latest checkpoint location: 0/1\n"
		  "Latest checkpoint's TimeLineID: 1\n",
		  rows[_i].text);
	ck_assert_int_eq(mt_pg_control_parse(&c, text, NULL), 0);
	ck_assert_int_eq(c.state, rows[_i].state);
	ck_assert_int_eq(c.max_connections, -1);
}
END_TEST

START_TEST(nonsense_is_an_error_and_changes_nothing)
{
	static const char *const bad[] = {
	    "",
	    "no such file\n",
	    "Database system identifier: 7\n",
	    "Database system identifier: 7\nDatabase cluster state: happy\n"
	    "Latest checkpoint location: 0/1\n"
	    "Latest checkpoint's TimeLineID: 1\n",
	    "Database system identifier: x\n",
	    "Latest checkpoint location: zzz\n",
	    "Latest checkpoint's TimeLineID: 99999999999\n",
	    "WARNING: Calculated CRC checksum does not match value stored "
	    "in file.\n"
	    "Database system identifier: 7\nDatabase cluster state: "
	    "shut down\nLatest checkpoint location: 0/1\n"
	    "Latest checkpoint's TimeLineID: 1\n",
	};
	struct mt_pg_control c = {.timeline = 42};
	struct mt_err err = {0};

	ck_assert_int_lt(mt_pg_control_parse(&c, bad[_i], &err), 0);
	ck_assert_uint_eq(c.timeline, 42);
	ck_assert(err.text[0] != '\0');
}
END_TEST

START_TEST(versions_of_all_kinds_are_read)
{
	int v = 0;

	ck_assert_int_eq(mt_pg_version_parse("postgres (PostgreSQL) 15.20 "
					     "(Debian 15.20-0+deb12u1)",
					     &v),
			 0);
	ck_assert_int_eq(v, 150020);
	ck_assert_int_eq(
	    mt_pg_version_parse("postgres (PostgreSQL) 18beta1", &v), 0);
	ck_assert_int_eq(v, 180000);
	ck_assert_int_lt(mt_pg_version_parse("postgres (PostgreSQL) 9.6.1", &v),
			 0);
	ck_assert_int_lt(mt_pg_version_parse("psql", &v), 0);
}
END_TEST

START_TEST(a_standby_gets_what_its_primary_had_if_that_is_more)
{
	struct mt_pg_control c;
	json_t *p = json_pack("{s:s,s:s,s:s}", "max_connections", "100",
			      "max_wal_senders", "50", "port", "5432"),
	       *q;
	bool raised;

	ck_assert_int_eq(mt_pg_control_parse(&c, standby, NULL), 0);
	q = mt_pg_raise_for_standby(p, &c, &raised);
	ck_assert(raised);
	ck_assert_str_eq(
	    json_string_value(json_object_get(q, "max_connections")), "120");
	ck_assert_str_eq(
	    json_string_value(json_object_get(q, "max_wal_senders")), "50");
	ck_assert_str_eq(
	    json_string_value(json_object_get(p, "max_connections")), "100");
	json_decref(q);
	json_decref(p);
}
END_TEST

START_TEST(the_postmaster_gets_the_controlled_parameters)
{
	struct mt_pg_bins bins = {.dir = "/x/bin"};
	json_t *p =
	    json_pack("{s:s,s:s}", "max_connections", "100", "work_mem", "4MB");
	struct mt_conf_postgresql pg = {.data_dir = "/d"};
	struct mt_argv a = {0};

	ck_assert_int_eq(mt_pg_postmaster_argv(&a, &bins, &pg, p, NULL), 0);
	ck_assert_uint_eq(a.n, 5);
	ck_assert_str_eq(a.v[0], "/x/bin/postgres");
	ck_assert_str_eq(a.v[3], "--config-file=/d/postgresql.conf");
	ck_assert_str_eq(a.v[4], "--max_connections=100");
	ck_assert_ptr_null(a.v[5]);
	mt_argv_free(&a);
	mt_copy(pg.config_dir, sizeof(pg.config_dir), "/etc/pg");
	mt_copy(pg.config_base_name, sizeof(pg.config_base_name), "main");
	ck_assert_int_eq(mt_pg_postmaster_argv(&a, &bins, &pg, p, NULL), 0);
	ck_assert_str_eq(a.v[2], "/d");
	ck_assert_str_eq(a.v[3], "--config-file=/etc/pg/main.conf");
	mt_argv_free(&a);
	json_decref(p);
}
END_TEST

START_TEST(programs_may_have_other_names)
{
	struct mt_pg_bins bins = {.dir = "/x"};
	char dir[] = "/tmp/mt_check_bins.XXXXXX", path[128];
	static const char *const there[] = {"postgres-15", "initdb",
					    "pg_controldata", "pg_basebackup"};
	struct mt_argv a = {0};
	struct mt_err err;

	mt_copy(bins.names.postgres, sizeof(bins.names.postgres),
		"postgres-15");
	mt_pg_bins_arg(&a, &bins, "postgres");
	mt_pg_bins_arg(&a, &bins, "pg_waldump");
	ck_assert_str_eq(a.v[0], "/x/postgres-15");
	ck_assert_str_eq(a.v[1], "/x/pg_waldump");
	mt_argv_free(&a);
	/* they are looked for under those */
	ck_assert_ptr_nonnull(mkdtemp(dir));
	for (size_t i = 0; i < MT_COUNT(there); i++) {
		mt_format(path, sizeof(path), "%s/%s", dir, there[i]);
		ck_assert_int_eq(close(open(path, O_CREAT | O_WRONLY, 0700)),
				 0);
	}
	ck_assert_int_eq(mt_pg_bins_find(&bins, dir, &err), 0);
	mt_copy(bins.names.initdb, sizeof(bins.names.initdb), "mk");
	ck_assert_int_eq(mt_pg_bins_find(&bins, dir, &err), MT_ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "\"mk\""));
	for (size_t i = 0; i < MT_COUNT(there); i++) {
		mt_format(path, sizeof(path), "%s/%s", dir, there[i]);
		unlink(path);
	}
	rmdir(dir);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("control");
	TCase *t = tcase_create("all");

	tcase_add_test(t, all_fields_of_a_standby_are_read);
	tcase_add_loop_test(t, every_state_has_its_value, 0, 6);
	tcase_add_loop_test(t, nonsense_is_an_error_and_changes_nothing, 0, 8);
	tcase_add_test(t, versions_of_all_kinds_are_read);
	tcase_add_test(t, a_standby_gets_what_its_primary_had_if_that_is_more);
	tcase_add_test(t, the_postmaster_gets_the_controlled_parameters);
	tcase_add_test(t, programs_may_have_other_names);
	suite_add_tcase(s, t);
	return run_suite(s);
}
