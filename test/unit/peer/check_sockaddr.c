/* SPDX-License-Identifier: PostgreSQL */
/* Socket addresses: told from names, spelled as base/addr.h spells them. */
#include "peer/sockaddr.h"

#include <string.h>

#include <check.h>

#include "base/text.h"
#include "test/unit/run.h"

START_TEST(loopback_is_told_in_all_its_forms)
{
	static const struct {
		const char *host;
		bool is_loopback;
	} cases[] = {
	    {"127.0.0.1", true}, {"127.8.9.1", true},
	    {"::1", true},       {"::ffff:127.0.0.1", true},
	    {"10.0.0.1", false}, {"::ffff:10.0.0.1", false},
	    {"fd00::1", false},  {"0.0.0.0", false},
	    {"::", false},
	};
	struct sockaddr_storage ss;

	for (size_t i = 0; i < MT_COUNT(cases); i++) {
		ck_assert(mt_sockaddr_numeric(cases[i].host, 1, &ss));
		ck_assert_int_eq(
		    mt_sockaddr_is_loopback((const struct sockaddr *)&ss),
		    cases[i].is_loopback);
	}
	ck_assert(!mt_sockaddr_numeric("localhost", 1, &ss));
}
END_TEST

START_TEST(the_text_is_the_canonical_one)
{
	static const char *const hosts[] = {"10.0.0.1", "fd00::1", "::1",
					    "::ffff:10.0.0.1"};
	char text[MT_ADDR_MAX], want[MT_ADDR_MAX];
	struct sockaddr_storage ss;
	struct mt_addr a;
	struct mt_err err;

	for (size_t i = 0; i < MT_COUNT(hosts); i++) {
		ck_assert(mt_sockaddr_numeric(hosts[i], 5100, &ss));
		ck_assert_int_eq(mt_addr_set(&a, hosts[i], 5100, &err), 0);
		ck_assert_str_eq(
		    mt_sockaddr_text(text, (const struct sockaddr *)&ss),
		    mt_addr_format(&a, want, sizeof(want)));
	}
	memset(&ss, 0, sizeof(ss));
	ck_assert_str_eq(mt_sockaddr_text(text, (const struct sockaddr *)&ss),
			 "unknown");
}
END_TEST

int
main(void)
{
	RUN_TESTS("sockaddr", loopback_is_told_in_all_its_forms,
		  the_text_is_the_canonical_one);
}
