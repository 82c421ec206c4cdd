/* SPDX-License-Identifier: PostgreSQL */
/* Strings, hashes, LSNs, random numbers. */
#include <check.h>
#include <string.h>

#include "base/text.h"
#include "test/unit/run.h"

START_TEST(a_copy_is_terminated_and_tells_if_it_was_cut)
{
	char buf[4];

	ck_assert(mt_copy(buf, sizeof(buf), "abc"));
	ck_assert_str_eq(buf, "abc");
	ck_assert(!mt_copy(buf, sizeof(buf), "abcd"));
	ck_assert_str_eq(buf, "abc");
	ck_assert(!mt_copy(buf, 0, "a"));
	ck_assert(mt_format(buf, sizeof(buf), "%d", 123));
	ck_assert(!mt_format(buf, sizeof(buf), "%d", 1234));
	ck_assert_str_eq(buf, "123");
}
END_TEST

START_TEST(an_lsn_comes_back)
{
	char buf[MT_LSN_MAX];
	uint64_t lsn = 0;

	ck_assert_int_eq(mt_lsn_parse("16/B374D848", &lsn), 0);
	ck_assert(lsn == UINT64_C(0x16B374D848));
	ck_assert_str_eq(mt_lsn_format(buf, lsn), "16/B374D848");
	ck_assert_int_eq(mt_lsn_parse("ffffffff/ffffffff", &lsn), 0);
	ck_assert(lsn == UINT64_MAX);
	ck_assert_str_eq(mt_lsn_format(buf, 0), "0/0");
}
END_TEST

START_TEST(what_is_no_lsn_is_refused)
{
	static const char *const bad[] = {
	    "",    "/",    "1/",          "/1",          "1/2 ", "1/2/3",
	    "x/1", "-1/2", "123456789/1", "1/123456789", "0x1/2"};
	uint64_t lsn = 7;

	for (size_t i = 0; i < MT_COUNT(bad); i++)
		ck_assert_int_lt(mt_lsn_parse(bad[i], &lsn), 0);
	ck_assert(lsn == 7);
}
END_TEST

START_TEST(hashes_differ_by_order_seed_and_length)
{
	uint64_t ab = mt_hash(MT_HASH_SEED, "ab", 2);

	ck_assert(ab == mt_hash(MT_HASH_SEED, "ab", 2));
	ck_assert(ab != mt_hash(MT_HASH_SEED, "ba", 2));
	ck_assert(ab != mt_hash(MT_HASH_SEED + 1, "ab", 2));
	ck_assert(mt_hash(MT_HASH_SEED, "", 0) !=
		  mt_hash(MT_HASH_SEED, "\0", 1));
}
END_TEST

START_TEST(hashes_do_not_change_between_versions)
{
	/* Cluster ids are made of it: another value is another cluster. */
	ck_assert(mt_hash(MT_HASH_SEED, "matriarch", 9) ==
		  UINT64_C(0xd8652249822ea2a5));
}
END_TEST

START_TEST(random_numbers_differ)
{
	ck_assert(mt_random_u64() != mt_random_u64());
}
END_TEST

int
main(void)
{
	RUN_TESTS("text", a_copy_is_terminated_and_tells_if_it_was_cut,
		  an_lsn_comes_back, what_is_no_lsn_is_refused,
		  hashes_differ_by_order_seed_and_length,
		  hashes_do_not_change_between_versions, random_numbers_differ);
}
