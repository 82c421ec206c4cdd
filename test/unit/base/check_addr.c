/* SPDX-License-Identifier: PostgreSQL */
/* Addresses: canonical form and refusals. */
#include <check.h>
#include <string.h>

#include "base/addr.h"
#include "base/text.h"
#include "test/unit/run.h"

static struct mt_err err;

/* The canonical text, or the error's. */
static const char *
canon(const char *text, uint16_t port)
{
	static char buf[MT_ADDR_MAX];
	struct mt_addr a;

	if (mt_addr_parse(&a, text, port, &err) != 0)
		return err.text;
	return mt_addr_format(&a, buf, sizeof(buf));
}

START_TEST(two_spellings_of_one_address_are_equal_bytes)
{
	struct mt_addr a, b;

	memset(&a, 1, sizeof(a));
	memset(&b, 2, sizeof(b));
	ck_assert_int_eq(mt_addr_parse(&a, "[FD00:0:0::1]:80", 0, &err), 0);
	ck_assert_int_eq(mt_addr_parse(&b, "[fd00::0001]:80", 0, &err), 0);
	ck_assert_mem_eq(&a, &b, sizeof(a));
	ck_assert(mt_addr_equal(&a, &b));
	ck_assert_str_eq(canon("DB1.Example.COM:5432", 0),
			 "db1.example.com:5432");
	ck_assert_str_eq(canon("[::1]:1", 0), "[::1]:1");
	ck_assert_str_eq(canon("[fe80::1%eth0]:1", 0), "[fe80::1%eth0]:1");
}
END_TEST

START_TEST(an_empty_host_is_the_wildcard)
{
	struct mt_addr a;

	ck_assert_str_eq(canon(":8008", 0), "*:8008");
	ck_assert_str_eq(canon("*:8008", 0), "*:8008");
	ck_assert_int_eq(mt_addr_parse(&a, "0.0.0.0:1", 0, &err), 0);
	ck_assert(mt_addr_is_wildcard(&a));
	ck_assert_int_eq(mt_addr_parse(&a, "[::]:1", 0, &err), 0);
	ck_assert(mt_addr_is_wildcard(&a));
}
END_TEST

START_TEST(a_port_may_be_left_out_only_where_there_is_a_default)
{
	ck_assert_str_eq(canon("a", 7), "a:7");
	ck_assert_str_eq(canon("[::1]", 7), "[::1]:7");
	ck_assert_ptr_nonnull(strstr(canon("a", 0), "has no port"));
	ck_assert_ptr_nonnull(strstr(canon("[::1]", 0), "has no port"));
}
END_TEST

START_TEST(nonsense_is_refused_and_leaves_the_result_alone)
{
	static const char *const bad[] = {
	    "a:0",    "a:65536", "a:1x",  "a:",    "a:-1", "::1:5", "[::1",
	    "[::1]x", "[zz]:1",  "a b:1", "a/b:1", "[]:1", "a:1:2"};
	struct mt_addr a = {"kept", 1};

	for (size_t i = 0; i < MT_COUNT(bad); i++)
		ck_assert_int_eq(mt_addr_parse(&a, bad[i], 9, &err), MT_EINVAL);
	ck_assert_str_eq(a.host, "kept");
	ck_assert_ptr_nonnull(strstr(err.text, "\"a:1:2\""));
	ck_assert_ptr_nonnull(strstr(err.text, "write it as"));
}
END_TEST

START_TEST(a_host_as_long_as_the_array_is_refused)
{
	char text[400];
	struct mt_addr a;

	memset(text, 'a', sizeof(text));
	strcpy(text + 255, ":1");
	ck_assert_int_eq(mt_addr_parse(&a, text, 0, &err), 0);
	memset(text, 'a', sizeof(text));
	strcpy(text + 256, ":1");
	ck_assert_int_eq(mt_addr_parse(&a, text, 0, &err), MT_EINVAL);
}
END_TEST

START_TEST(loopback_is_the_whole_net_and_localhost)
{
	static const char *const yes[] = {"127.0.0.1:1", "127.3.2.1:1",
					  "[::1]:1", "LocalHost:1"};
	static const char *const no[] = {"10.0.0.1:1", "*:1", "[::2]:1",
					 "127.example.com:1"};
	struct mt_addr a;

	for (size_t i = 0; i < MT_COUNT(yes); i++) {
		ck_assert_int_eq(mt_addr_parse(&a, yes[i], 0, &err), 0);
		ck_assert(mt_addr_is_loopback(&a));
		ck_assert_int_eq(mt_addr_parse(&a, no[i], 0, &err), 0);
		ck_assert(!mt_addr_is_loopback(&a));
	}
}
END_TEST

START_TEST(a_host_and_a_port_give_the_same_text_as_the_whole)
{
	static const struct {
		const char *host, *want;
	} cases[] = {
	    {"Node1", "node1:7"},
	    {"10.0.0.1", "10.0.0.1:7"},
	    {"FD00:0:0::1", "[fd00::1]:7"},
	    {"[fd00::1]", "[fd00::1]:7"},
	    {"", "*:7"},
	    {"a b", NULL},
	    {"[zz]", NULL},
	    {"[]", NULL},
	    {"a:b", NULL},
	    {"a,b", NULL},
	};
	char text[MT_ADDR_MAX];
	struct mt_addr a, b;

	for (size_t i = 0; i < MT_COUNT(cases); i++) {
		int rv = mt_addr_set(&a, cases[i].host, 7, &err);

		ck_assert_int_eq(rv, cases[i].want != NULL ? 0 : MT_EINVAL);
		if (rv != 0)
			continue;
		mt_addr_format(&a, text, sizeof(text));
		ck_assert_str_eq(text, cases[i].want);
		ck_assert_int_eq(mt_addr_parse(&b, text, 0, &err), 0);
		ck_assert(mt_addr_equal(&a, &b));
	}
	ck_assert_int_eq(mt_addr_set(&a, "a", 0, &err), MT_EINVAL);
}
END_TEST

int
main(void)
{
	RUN_TESTS("addr", two_spellings_of_one_address_are_equal_bytes,
		  an_empty_host_is_the_wildcard,
		  a_port_may_be_left_out_only_where_there_is_a_default,
		  nonsense_is_refused_and_leaves_the_result_alone,
		  a_host_as_long_as_the_array_is_refused,
		  loopback_is_the_whole_net_and_localhost,
		  a_host_and_a_port_give_the_same_text_as_the_whole);
}
