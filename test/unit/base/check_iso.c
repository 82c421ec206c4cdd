/* SPDX-License-Identifier: PostgreSQL */
/* ISO times: what is one, and which. */
#include <check.h>

#include "base/clock.h"
#include "base/iso.h"
#include "base/text.h"
#include "test/unit/run.h"

static const struct {
	const char *text;
	int64_t wall_ms;
	bool zoned;
} good[] = {
    {"1970-01-01T00:00Z", 0, true},
    {"1970-01-01T00:00:00.001Z", 1, true},
    {"2026-11-23T06:00:00+00:00", INT64_C(1795413600000), true},
    {"2026-11-23 06:00:00 +0000", INT64_C(1795413600000), true},
    {"2026-11-23t07:00+01", INT64_C(1795413600000), true},
    {"2026-11-23T04:30-01:30", INT64_C(1795413600000), true},
    {"2026-11-23T06:00:00.987654321Z", INT64_C(1795413600987), true},
    {"2026-11-23T06:00:00,5 UTC", INT64_C(1795413600500), true},
    {"2026-11-23T06:00", INT64_C(1795413600000), false},
    {"2026-11-23 06:00:00.1", INT64_C(1795413600100), false},
    {"2000-02-29T00:00Z", INT64_C(951782400000), true},
    {"2024-02-29T23:59:59Z", INT64_C(1709251199000), true},
    {"2024-12-31T00:00Z", INT64_C(1735603200000), true},
    {"2100-03-01T00:00Z", INT64_C(4107542400000), true},
    {"9999-12-31T23:59:59Z", INT64_C(253402300799000), true},
};

START_TEST(a_time_is_read)
{
	struct mt_iso iso;

	ck_assert_int_eq(mt_iso_parse(good[_i].text, &iso), 0);
	ck_assert_int_eq(iso.wall_ms, good[_i].wall_ms);
	ck_assert(iso.zoned == good[_i].zoned);
}
END_TEST

static const char *const bad[] = {
    "",
    "now",
    "2026-11-23",
    "2026-11-23T06",
    "2026-11-23T06:0",
    "2026-11-23x06:00",
    "26-11-23T06:00Z",
    "2026-13-01T06:00Z",
    "2026-00-01T06:00Z",
    "2026-04-31T06:00Z",
    "2026-04-00T06:00Z",
    "2026-02-29T06:00Z",
    "2100-02-29T06:00Z",
    "1969-12-31T06:00Z",
    "2026-11-23T24:00Z",
    "2026-11-23T06:60Z",
    "2026-11-23T06:00:60Z",
    "2026-11-23T06:00:00.Z",
    "2026-11-23T06:00:Z",
    "2026-11-23T06:00 CET",
    "2026-11-23T06:00+1",
    "2026-11-23T06:00+01:6",
    "2026-11-23T06:00+01:60",
    "2026-11-23T06:00+16",
    "2026-11-23T06:00+01:00x",
    "2026-11-23T06:00Zx",
    " 2026-11-23T06:00Z",
};

START_TEST(what_is_none_is_refused)
{
	struct mt_iso iso = {.wall_ms = 7, .zoned = true};

	ck_assert_msg(mt_iso_parse(bad[_i], &iso) == MT_EINVAL, "%s", bad[_i]);
	ck_assert_int_eq(iso.wall_ms, 7);
	ck_assert(iso.zoned);
}
END_TEST

START_TEST(it_reads_what_the_clock_writes)
{
	char text[MT_ISO_MAX];
	struct mt_iso iso;

	for (int64_t ms = 0; ms < INT64_C(4e12); ms += INT64_C(86399999) * 37) {
		ck_assert_int_eq(mt_iso_parse(mt_wall_iso(text, ms), &iso), 0);
		ck_assert(iso.wall_ms == ms && iso.zoned);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("iso");
	TCase *tc = tcase_create("iso");

	tcase_add_loop_test(tc, a_time_is_read, 0, (int)MT_COUNT(good));
	tcase_add_loop_test(tc, what_is_none_is_refused, 0, (int)MT_COUNT(bad));
	tcase_add_test(tc, it_reads_what_the_clock_writes);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
