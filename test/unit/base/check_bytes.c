/* SPDX-License-Identifier: PostgreSQL */
/* Encoding: what comes back, and what hostile input does. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "test/unit/run.h"

START_TEST(what_is_put_comes_back_big_endian)
{
	uint8_t buf[64];
	struct mt_writer w = {.p = buf, .cap = sizeof(buf)};
	struct mt_reader r;
	char s[8];

	mt_put_u8(&w, 0xab);
	mt_put_u16(&w, 0x1234);
	mt_put_u32(&w, 0xdeadbeef);
	mt_put_u64(&w, UINT64_C(0x0102030405060708));
	mt_put_str(&w, "name");
	mt_put_bytes(&w, "xy", 2);
	ck_assert(!w.bad);
	ck_assert_uint_eq(w.n, 1 + 2 + 4 + 8 + 6 + 2);
	ck_assert_uint_eq(buf[1], 0x12);
	ck_assert_uint_eq(buf[3], 0xde);

	r = (struct mt_reader){.p = buf, .left = w.n};
	ck_assert_uint_eq(mt_get_u8(&r), 0xab);
	ck_assert_uint_eq(mt_get_u16(&r), 0x1234);
	ck_assert_uint_eq(mt_get_u32(&r), 0xdeadbeef);
	ck_assert(mt_get_u64(&r) == UINT64_C(0x0102030405060708));
	mt_get_str(&r, s, sizeof(s));
	ck_assert_str_eq(s, "name");
	ck_assert(!mt_reader_done(&r));
	ck_assert_mem_eq(mt_get_bytes(&r, 2), "xy", 2);
	ck_assert(mt_reader_done(&r));
}
END_TEST

START_TEST(a_full_writer_is_bad_and_stays_so)
{
	uint8_t buf[4] = {9, 9, 9, 9};
	struct mt_writer w = {.p = buf, .cap = 3};

	mt_put_u16(&w, 0x0102);
	mt_put_u16(&w, 0x0304);
	ck_assert(w.bad);
	ck_assert_uint_eq(w.n, 2);
	mt_put_u8(&w, 5); /* would fit, but behind a gap */
	ck_assert_uint_eq(w.n, 2);
	ck_assert_uint_eq(buf[2], 9);
	ck_assert_uint_eq(buf[3], 9);
}
END_TEST

START_TEST(a_string_that_does_not_fit_writes_nothing)
{
	uint8_t buf[5];
	struct mt_writer w = {.p = buf, .cap = sizeof(buf)};
	char *big = malloc(70000);

	mt_put_str(&w, "four");
	ck_assert(w.bad);
	ck_assert_uint_eq(w.n, 0);
	memset(big, 'x', 69999);
	big[69999] = '\0';
	w = (struct mt_writer){.p = buf, .cap = sizeof(buf)};
	mt_put_str(&w, big);
	ck_assert(w.bad);
	free(big);
}
END_TEST

START_TEST(reading_past_the_end_gives_zeros_for_good)
{
	const uint8_t buf[3] = {1, 2, 3};
	struct mt_reader r = {.p = buf, .left = sizeof(buf)};

	ck_assert_uint_eq(mt_get_u32(&r), 0);
	ck_assert(r.bad);
	ck_assert_uint_eq(mt_get_u8(&r), 0);
	ck_assert_ptr_null(mt_get_bytes(&r, 0));
	ck_assert(!mt_reader_done(&r));
}
END_TEST

START_TEST(a_read_string_fits_and_holds_no_zero)
{
	const uint8_t zero[] = {0, 3, 'a', 0, 'b'};
	const uint8_t lies[] = {0xff, 0xff, 'a'};
	const uint8_t exact[] = {0, 3, 'a', 'b', 'c'};
	struct mt_reader r = {.p = zero, .left = sizeof(zero)};
	char s[4];

	mt_get_str(&r, s, sizeof(s));
	ck_assert(r.bad);
	ck_assert_str_eq(s, "");
	r = (struct mt_reader){.p = lies, .left = sizeof(lies)};
	mt_get_str(&r, s, sizeof(s));
	ck_assert(r.bad);
	r = (struct mt_reader){.p = exact, .left = sizeof(exact)};
	mt_get_str(&r, s, 3);
	ck_assert(r.bad);
	r = (struct mt_reader){.p = exact, .left = sizeof(exact)};
	mt_get_str(&r, s, 4);
	ck_assert(mt_reader_done(&r));
	ck_assert_str_eq(s, "abc");
}
END_TEST

int
main(void)
{
	RUN_TESTS("bytes", what_is_put_comes_back_big_endian,
		  a_full_writer_is_bad_and_stays_so,
		  a_string_that_does_not_fit_writes_nothing,
		  reading_past_the_end_gives_zeros_for_good,
		  a_read_string_fits_and_holds_no_zero);
}
