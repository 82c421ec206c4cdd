/* SPDX-License-Identifier: PostgreSQL */
/* A data directory that came to nothing, and what its links lead to. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "pg/files.h"
#include "test/unit/run.h"

static char top[] = "/tmp/check_setaside.XXXXXX";
static struct mt_err err;

static const char *
at(const char *name)
{
	static char path[2][256];
	static int i;

	i = !i;
	mt_format(path[i], sizeof(path[i]), "%s/%s", top, name);
	return path[i];
}

static void
touch(const char *name)
{
	ck_assert_int_eq(
	    mt_file_write(at(name), name, strlen(name), 0600, &err), 0);
}

static void
make(const char *name)
{
	ck_assert_int_eq(mkdir(at(name), 0700), 0);
}

static void
setup(void)
{
	strcpy(top, "/tmp/check_setaside.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	make("pg");
	make("pg/pg_tblspc");
	touch("pg/PG_VERSION");
}

static void
teardown(void)
{
	ck_assert_int_eq(mt_pg_dir_empty(top, &err), 0);
	rmdir(top);
}

static bool
holds(const char *name)
{
	return mt_file_exists(at(name));
}

START_TEST(it_is_renamed_and_an_older_one_goes)
{
	make("pg.failed");
	touch("pg.failed/old");
	ck_assert_msg(mt_pg_dir_set_aside(at("pg"), &err) == 0, "%s", err.text);
	ck_assert(!holds("pg") && holds("pg.failed/PG_VERSION"));
	ck_assert(!holds("pg.failed/old"));
}
END_TEST

START_TEST(what_links_lead_to_goes_along)
{
	make("wal");
	make("space");
	touch("wal/segment");
	touch("space/table");
	ck_assert_int_eq(symlink(at("wal"), at("pg/pg_wal")), 0);
	ck_assert_int_eq(symlink(at("space"), at("pg/pg_tblspc/16384")), 0);
	ck_assert_msg(mt_pg_dir_set_aside(at("pg"), &err) == 0, "%s", err.text);
	ck_assert(!holds("wal") && !holds("space"));
	ck_assert(holds("wal.failed/segment") && holds("space.failed/table"));
	ck_assert(holds("pg.failed/pg_wal/segment"));
	ck_assert(holds("pg.failed/pg_tblspc/16384/table"));
}
END_TEST

START_TEST(what_cannot_be_renamed_is_told)
{
	ck_assert_int_lt(mt_pg_dir_set_aside(at("none"), &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "/none"));
	ck_assert(holds("pg/PG_VERSION"));
}
END_TEST

START_TEST(what_others_wrote_can_be_synced)
{
	make("space");
	ck_assert_int_eq(symlink(at("space"), at("pg/pg_tblspc/16384")), 0);
	ck_assert_int_eq(symlink(at("gone"), at("pg/pg_tblspc/16385")), 0);
	ck_assert_msg(mt_pg_dir_sync(at("pg"), &err) == 0, "%s", err.text);
	ck_assert_int_lt(mt_pg_dir_sync(at("none"), &err), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("setaside");
	TCase *tc = tcase_create("setaside");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, it_is_renamed_and_an_older_one_goes);
	tcase_add_test(tc, what_links_lead_to_goes_along);
	tcase_add_test(tc, what_cannot_be_renamed_is_told);
	tcase_add_test(tc, what_others_wrote_can_be_synced);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
