/* SPDX-License-Identifier: PostgreSQL */
/* Networks and addresses of both families. */
#include "base/net.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <string.h>

#include "base/text.h"
#include "test/unit/run.h"

static const struct {
	const char *net, *one;
	bool has;
} rows[] = {
    {"10.0.0.1", "10.0.0.1", true},
    {"10.0.0.1", "10.0.0.2", false},
    {"10.0.0.0/8", "10.255.3.4", true},
    {"10.0.0.0/8", "11.0.0.1", false},
    {"10.1.2.3/8", "10.255.3.4", true},
    {"10.0.0.128/25", "10.0.0.128", true},
    {"10.0.0.128/25", "10.0.0.127", false},
    {"0.0.0.0/0", "192.0.2.1", true},
    {"0.0.0.0/0", "fd00::1", false},
    {"::/0", "fd00::1", true},
    {"::/0", "10.0.0.1", true},
    {"fd00::/8", "fdff::1", true},
    {"fd00::/8", "fe00::1", false},
    {"fd00::1", "fd00:0:0::1", true},
    {"::ffff:10.0.0.1", "10.0.0.1", true},
    {"10.0.0.0/8", "::ffff:10.1.2.3", true},
    {"::1", "127.0.0.1", false},
};

START_TEST(a_network_has_the_addresses_below_its_prefix)
{
	struct mt_net net, one;

	ck_assert_int_eq(mt_net_parse(&net, rows[_i].net, NULL), 0);
	ck_assert_int_eq(mt_net_parse(&one, rows[_i].one, NULL), 0);
	ck_assert_msg(mt_net_has(&net, &one) == rows[_i].has, "%s in %s",
		      rows[_i].one, rows[_i].net);
}
END_TEST

START_TEST(what_is_no_network_is_told_so)
{
	static const char *const bad[] = {
	    "",
	    "10.0.0.0/33",
	    "10.0.0.0/",
	    "10.0.0.0/-1",
	    "fd00::/129",
	    "10.0.0",
	    "10.0.0.1.2",
	    "db1",
	    "10.0.0.1 ",
	    "/8",
	    "10.0.0.0/8/",
	    "fe80::1%eth0",
	    "10.0.0.0/0x8",
	};
	struct mt_net net = {.bits = 7};
	struct mt_err err;

	for (size_t i = 0; i < MT_COUNT(bad); i++)
		ck_assert_msg(mt_net_parse(&net, bad[i], &err) == MT_EINVAL,
			      "%s", bad[i]);
	ck_assert_uint_eq(net.bits, 7);
}
END_TEST

START_TEST(a_network_is_no_part_of_a_narrower_one)
{
	struct mt_net wide, narrow;

	ck_assert_int_eq(mt_net_parse(&wide, "10.0.0.0/8", NULL), 0);
	ck_assert_int_eq(mt_net_parse(&narrow, "10.0.0.0/16", NULL), 0);
	ck_assert(mt_net_has(&wide, &narrow));
	ck_assert(!mt_net_has(&narrow, &wide));
}
END_TEST

static void
shows(const char *text, const char *want)
{
	struct mt_net net;
	char buf[MT_NET_MAX];

	ck_assert_int_eq(mt_net_parse(&net, text, NULL), 0);
	ck_assert_str_eq(mt_net_format(&net, buf), want);
}

START_TEST(it_is_shown_in_its_shortest_form)
{
	shows("10.1.2.3", "10.1.2.3");
	shows("10.1.2.3/8", "10.0.0.0/8");
	shows("::ffff:10.1.2.3", "10.1.2.3");
	shows("FD00:0:0::1", "fd00::1");
	shows("fd00::1/64", "fd00::/64");
	shows("0.0.0.0/0", "0.0.0.0/0");
	shows("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1/127",
	      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/127");
}
END_TEST

START_TEST(a_socket_of_either_family_has_one)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr other = {.sa_family = AF_UNIX};
	struct mt_net net;
	char buf[MT_NET_MAX];

	inet_pton(AF_INET, "10.1.2.3", &in.sin_addr);
	ck_assert(mt_net_of(&net, (struct sockaddr *)&in));
	ck_assert_str_eq(mt_net_format(&net, buf), "10.1.2.3");
	inet_pton(AF_INET6, "::ffff:10.1.2.3", &in6.sin6_addr);
	ck_assert(mt_net_of(&net, (struct sockaddr *)&in6));
	ck_assert_str_eq(mt_net_format(&net, buf), "10.1.2.3");
	ck_assert(!mt_net_of(&net, &other));
	ck_assert(!mt_net_of(&net, NULL));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("net");
	TCase *tc = tcase_create("net");

	tcase_add_loop_test(tc, a_network_has_the_addresses_below_its_prefix, 0,
			    (int)MT_COUNT(rows));
	tcase_add_test(tc, what_is_no_network_is_told_so);
	tcase_add_test(tc, a_network_is_no_part_of_a_narrower_one);
	tcase_add_test(tc, it_is_shown_in_its_shortest_form);
	tcase_add_test(tc, a_socket_of_either_family_has_one);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
