/* SPDX-License-Identifier: PostgreSQL */
/* The node record: what comes back, and what is no record. */
#include "core/record.h"

#include <string.h>

#include "hostile.h"
#include "test/unit/run.h"

static const struct mt_record sample = {
    .incarnation = 1,
    .fenced = UINT64_MAX,
    .max_ttl_ms = INT64_MAX,
    .given_up = 4,
    .data_id = UINT64_C(0x8000000000000001),
    .pg_epoch = 6,
    .raft_id = 7,
    .cluster_id = UINT64_C(0xfedcba9876543210),
};

START_TEST(a_record_comes_back)
{
	uint8_t buf[MT_RECORD_SIZE];
	struct mt_record have;
	struct mt_err err;

	mt_record_encode(&sample, buf);
	ck_assert_int_eq(mt_record_decode(&have, buf, sizeof(buf), &err), 0);
	ck_assert_mem_eq(&have, &sample, sizeof(have));
}
END_TEST

START_TEST(its_bytes_do_not_change_between_versions)
{
	static const uint8_t want[MT_RECORD_SIZE] = {
	    [7] = 1,  [15] = 1, [23] = 2, [31] = 3, [39] = 4,
	    [47] = 5, [55] = 6, [63] = 7, [71] = 8,
	};
	const struct mt_record rec = {1, 2, 3, 4, 5, 6, 7, 8};
	uint8_t buf[MT_RECORD_SIZE];

	mt_record_encode(&rec, buf);
	ck_assert_mem_eq(buf, want, sizeof(buf));
}
END_TEST

START_TEST(every_other_length_is_refused_and_changes_nothing)
{
	uint8_t buf[2 * MT_RECORD_SIZE] = {0};

	mt_record_encode(&sample, buf);
	for (size_t n = 0; n <= sizeof(buf); n++) {
		struct mt_record have = {.fenced = 99};
		struct mt_err err = {0};
		uint8_t *p = exact_copy(buf, n);
		int rv = mt_record_decode(&have, p, n, &err);

		free(p);
		if (n == MT_RECORD_SIZE) {
			ck_assert_int_eq(rv, 0);
			continue;
		}
		ck_assert_int_eq(rv, MT_EIO);
		ck_assert_str_ne(err.text, "");
		ck_assert_uint_eq(have.fenced, 99);
	}
}
END_TEST

START_TEST(another_version_is_refused)
{
	uint8_t buf[MT_RECORD_SIZE];
	struct mt_record have;
	struct mt_err err;

	for (size_t byte = 0; byte < 8; byte++) {
		mt_record_encode(&sample, buf);
		buf[byte] ^= 2;
		ck_assert_int_eq(
		    mt_record_decode(&have, buf, sizeof(buf), &err), MT_EIO);
		ck_assert_ptr_nonnull(strstr(err.text, "version"));
	}
}
END_TEST

START_TEST(a_hold_below_zero_is_refused)
{
	struct mt_record rec = sample;
	uint8_t buf[MT_RECORD_SIZE];
	struct mt_err err;

	rec.max_ttl_ms = -1;
	mt_record_encode(&rec, buf);
	ck_assert_int_eq(mt_record_decode(&rec, buf, sizeof(buf), &err),
			 MT_EIO);
}
END_TEST

START_TEST(damaged_bytes_are_refused_or_read_as_they_are)
{
	uint64_t seed = 2;

	for (int i = 0; i < 20000; i++) {
		uint8_t buf[MT_RECORD_SIZE], back[MT_RECORD_SIZE];
		struct mt_record have;
		struct mt_err err;

		mt_record_encode(&sample, buf);
		damage(buf, sizeof(buf), &seed);
		if (mt_record_decode(&have, buf, sizeof(buf), &err) != 0)
			continue;
		mt_record_encode(&have, back);
		if (memcmp(buf, back, sizeof(buf)) != 0)
			ck_abort_msg("try %d", i);
	}
}
END_TEST

int
main(void)
{
	RUN_TESTS("record", a_record_comes_back,
		  its_bytes_do_not_change_between_versions,
		  every_other_length_is_refused_and_changes_nothing,
		  another_version_is_refused, a_hold_below_zero_is_refused,
		  damaged_bytes_are_refused_or_read_as_they_are);
}
