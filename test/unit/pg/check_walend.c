/* SPDX-License-Identifier: PostgreSQL */
/* What pg_waldump of each version says where it cannot read on. */
#include "pg/walend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <check.h>

#include "pg/files.h"
#include "test/unit/run.h"

#define MIB (UINT64_C(1) << 20)

static const struct {
	const char *line;
	uint64_t segment_bytes, lsn; /* lsn 0: says nothing */
} lines[] = {
    {"pg_waldump: error: error in WAL record at 0/404B5F8: invalid record "
     "length at 0/404B620: wanted 24, got 0",
     16 * MIB, 0x404B620},
    {"pg_waldump: fatal: error in WAL record at 0/3000148: invalid record "
     "length at 0/3000180: expected at least 24, got 0",
     16 * MIB, 0x3000180},
    {"pg_waldump: error: error in WAL record at 1/FF000148: record with "
     "incorrect prev-link 0/1 at 1/FF000180",
     16 * MIB, UINT64_C(0x1FF000180)},
    {"pg_waldump: error: error in WAL record at 0/3001FD8: unexpected pageaddr "
     "0/1002000 in log segment 000000010000000000000003, offset 8192",
     16 * MIB, 0x3002000},
    {"pg_waldump: error: error in WAL record at 0/3001FD8: invalid magic "
     "number "
     "0000 in WAL segment 000000010000000200000003, LSN 2/3002000, offset "
     "8192",
     16 * MIB, UINT64_C(0x203002000)},
    {"pg_waldump: error: error in WAL record at 0/3001FD8: invalid magic "
     "number "
     "0000 in log segment 000000010000000000000003, offset 8192",
     MIB, 0x302000},
    {"pg_waldump: error: could not find file \"000000010000000000000004\": No "
     "such file or directory",
     16 * MIB, 0x4000000},
    {"pg_waldump: error: could not open file \"0000000200000001000000FF\": No "
     "such file or directory",
     16 * MIB, UINT64_C(0x1FF000000)},
    {"pg_waldump: error: could not find a valid record after 0/3000028",
     16 * MIB, 0x3000028},
    {"pg_waldump: error: error in WAL record at 0/3000148", 16 * MIB,
     0x3000148},
    {"pg_waldump: error: could not open directory \"x\"", 16 * MIB, 0},
    {"look at that", 16 * MIB, 0},
    {"look at /", 16 * MIB, 0},
    {"in log segment 00000001, offset 8192", 16 * MIB, 0},
    {"", 16 * MIB, 0},
};

START_TEST(the_most_telling_position_is_taken)
{
	uint64_t lsn = 0;
	int rv =
	    mt_pg_wal_end_parse(lines[_i].line, lines[_i].segment_bytes, &lsn);

	ck_assert_msg((rv == 0) == (lines[_i].lsn != 0), "%s", lines[_i].line);
	if (rv == 0)
		ck_assert_msg(lsn == lines[_i].lsn, "%s: %llx", lines[_i].line,
			      (unsigned long long)lsn);
}
END_TEST

START_TEST(a_segments_name_is_its_position)
{
	uint32_t timeline;
	uint64_t lsn;

	ck_assert_int_eq(mt_pg_segment_parse("0000000A00000001000000FF",
					     16 * MIB, &timeline, &lsn),
			 0);
	ck_assert_uint_eq(timeline, 10);
	ck_assert_uint_eq(lsn, UINT64_C(0x1FF000000));
	ck_assert_int_lt(
	    mt_pg_segment_parse("0000000A.history", 16 * MIB, &timeline, &lsn),
	    0);
	ck_assert_int_lt(
	    mt_pg_segment_parse("0000000A00000001000000FF", 0, &timeline, &lsn),
	    0);
	ck_assert_int_lt(mt_pg_segment_parse("", 16 * MIB, &timeline, &lsn), 0);
}
END_TEST

START_TEST(the_newest_timelines_first_segment_is_found)
{
	static const char *const names[] = {
	    "000000010000000000000002",
	    "000000020000000000000004",
	    "000000020000000000000003",
	    "000000010000000000000005",
	    "00000009.history",
	    "archive_status",
	    "000000090000000000000003.partial",
	};
	char dir[] = "/tmp/check_walend.XXXXXX", path[128];
	char first[MT_PG_SEGMENT_MAX] = "?";
	struct mt_err err;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	mt_pg_wal_newest(dir, first);
	ck_assert_str_eq(first, "");
	snprintf(path, sizeof(path), "%s/pg_wal", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/pg_wal/%s", dir, names[i]);
		ck_assert_int_eq(mt_file_write(path, "x", 1, 0600, &err), 0);
	}
	mt_pg_wal_newest(dir, first);
	ck_assert_str_eq(first, "000000020000000000000003");
	snprintf(path, sizeof(path), "rm -r %s", dir);
	ck_assert_int_eq(system(path), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("walend");
	TCase *tc = tcase_create("walend");

	tcase_add_loop_test(tc, the_most_telling_position_is_taken, 0,
			    sizeof(lines) / sizeof(lines[0]));
	tcase_add_test(tc, a_segments_name_is_its_position);
	tcase_add_test(tc, the_newest_timelines_first_segment_is_found);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
