/* SPDX-License-Identifier: PostgreSQL */
/* The rules of access as a table: facts and what they come to. */
#include "daemon/api/access.h"

#include <check.h>
#include <string.h>

#include "base/text.h"
#include "test/unit/run.h"

/* base64 of "ann:s3cret" and of others */
#define RIGHT "Basic YW5uOnMzY3JldA=="

enum list {
	NONE,    /* there is none */
	ELSE,    /* without the client */
	HERE,    /* with the client */
	UNKNOWN, /* of names that have no address yet */
	BY_NET,  /* a network with the client */
};

#define YES MT_ACCESS_GRANTED
#define LISTED MT_ACCESS_NOT_LISTED
#define CERT MT_ACCESS_NO_CERTIFICATE
#define ASKED MT_ACCESS_NO_PASSWORD
#define WRONG MT_ACCESS_WRONG_PASSWORD

static const struct {
	const char *method;
	enum list list, members; /* members NONE: they are not included */
	bool failsafe, tls, wants, verified;
	const char *user, *password, *sent;
	enum mt_access is;
} rows[] = {
    /* nothing is asked for */
    {"POST", NONE, NONE, 0, 0, 0, 0, "", "", "", YES},
    {"DELETE", NONE, NONE, 0, 0, 0, 0, "", "", "", YES},
    {"POST", NONE, NONE, 0, 0, 0, 0, "", "", RIGHT, YES},
    /* who only reads is asked for nothing */
    {"GET", ELSE, ELSE, 0, 1, 1, 0, "ann", "s3cret", "", YES},
    {"HEAD", ELSE, ELSE, 0, 1, 1, 0, "ann", "s3cret", "", YES},
    {"OPTIONS", ELSE, ELSE, 0, 1, 1, 0, "ann", "s3cret", "", YES},
    /* all that is not reading is asked */
    {"PUT", ELSE, NONE, 0, 0, 0, 0, "", "", "", LISTED},
    {"PATCH", ELSE, NONE, 0, 0, 0, 0, "", "", "", LISTED},
    {"BREW", ELSE, NONE, 0, 0, 0, 0, "", "", "", LISTED},
    /* the allowlist, and the members */
    {"POST", HERE, NONE, 0, 0, 0, 0, "", "", "", YES},
    {"POST", BY_NET, NONE, 0, 0, 0, 0, "", "", "", YES},
    {"POST", UNKNOWN, NONE, 0, 0, 0, 0, "", "", "", LISTED},
    {"POST", NONE, HERE, 0, 0, 0, 0, "", "", "", YES},
    {"POST", NONE, ELSE, 0, 0, 0, 0, "", "", "", LISTED},
    {"POST", NONE, UNKNOWN, 0, 0, 0, 0, "", "", "", LISTED},
    {"POST", ELSE, HERE, 0, 0, 0, 0, "", "", "", YES},
    {"POST", HERE, ELSE, 0, 0, 0, 0, "", "", "", YES},
    {"POST", ELSE, ELSE, 0, 0, 0, 0, "", "", "", LISTED},
    /* failsafe: members are not looked at, their flag alone asks nothing */
    {"POST", NONE, ELSE, 1, 0, 0, 0, "", "", "", YES},
    {"POST", ELSE, HERE, 1, 0, 0, 0, "", "", "", LISTED},
    {"POST", HERE, ELSE, 1, 0, 0, 0, "", "", "", YES},
    /* certificates count with TLS only, and where they are asked for */
    {"POST", NONE, NONE, 0, 0, 1, 0, "", "", "", YES},
    {"POST", NONE, NONE, 0, 1, 0, 0, "", "", "", YES},
    {"POST", NONE, NONE, 0, 1, 1, 0, "", "", "", CERT},
    {"POST", NONE, NONE, 0, 1, 1, 1, "", "", "", YES},
    {"POST", ELSE, NONE, 0, 1, 1, 1, "", "", "", LISTED},
    {"POST", ELSE, NONE, 0, 1, 1, 0, "", "", "", LISTED},
    /* passwords */
    {"POST", NONE, NONE, 0, 0, 0, 0, "ann", "s3cret", RIGHT, YES},
    {"POST", NONE, NONE, 0, 0, 0, 0, "ann", "s3cret", "", ASKED},
    {"POST", NONE, NONE, 0, 0, 0, 0, "ann", "s3cret",
     "basic  YW5uOnMzY3JldA==", YES},
    {"POST", NONE, NONE, 0, 0, 0, 0, "ann", "s3cret",
     "Bearer YW5uOnMzY3JldA==", WRONG},
    {"POST", NONE, NONE, 0, 0, 0, 0, "ann", "s3cret", "Basic", WRONG},
    {"POST", NONE, NONE, 0, 0, 0, 0, "ann", "s3cret", "Basic ", WRONG},
    {"POST", NONE, NONE, 0, 0, 0, 0, "ann", "s3cret", "Basic YW5uOnMz", WRONG},
    {"POST", NONE, NONE, 0, 0, 0, 0, "ann", "s3cret", RIGHT "x", WRONG},
    {"POST", NONE, NONE, 0, 0, 0, 0, "ann", "other", RIGHT, WRONG},
    {"POST", NONE, NONE, 0, 0, 0, 0, "bob", "s3cret", RIGHT, WRONG},
    {"POST", NONE, NONE, 0, 0, 0, 0, "", "s3cret", "", ASKED},
    {"POST", NONE, NONE, 0, 0, 0, 0, "a", "b", "Basic YTpi", YES},
    {"POST", NONE, NONE, 0, 0, 0, 0, "a", "bc", "Basic YTpiYw==", YES},
    {"POST", NONE, NONE, 0, 0, 0, 0, "a", "bcd", "Basic YTpiY2Q=", YES},
    {"POST", NONE, NONE, 0, 0, 0, 0, "J\xc3\xb6rg", "\xc3\xbf>?",
     "Basic SsO2cmc6w78+Pw==", YES},
    /* one does not stand for another */
    {"POST", HERE, NONE, 0, 0, 0, 0, "ann", "s3cret", "", ASKED},
    {"POST", ELSE, NONE, 0, 0, 0, 0, "ann", "s3cret", RIGHT, LISTED},
    {"POST", NONE, NONE, 0, 1, 1, 1, "ann", "s3cret", "", ASKED},
    {"POST", NONE, NONE, 0, 1, 1, 0, "ann", "s3cret", RIGHT, CERT},
    {"POST", HERE, NONE, 0, 1, 1, 1, "ann", "s3cret", RIGHT, YES},
};

static size_t
nets_of(enum list list, struct mt_net *net)
{
	static const char *const texts[] = {
	    [ELSE] = "10.0.0.9",
	    [HERE] = "10.0.0.1",
	    [BY_NET] = "10.0.0.0/24",
	};

	if (list == NONE || list == UNKNOWN)
		return 0;
	ck_assert_int_eq(mt_net_parse(net, texts[list], NULL), 0);
	return 1;
}

static enum mt_access
decide(int i, bool has_peer)
{
	struct mt_net listed, members;
	struct mt_access_facts f = {
	    .method = rows[i].method,
	    .is_failsafe = rows[i].failsafe,
	    .has_peer = has_peer,
	    .has_allowlist = rows[i].list != NONE,
	    .include_members = rows[i].members != NONE,
	    .listed = &listed,
	    .members = &members,
	    .is_tls = rows[i].tls,
	    .wants_certificate = rows[i].wants,
	    .client_verified = rows[i].verified,
	    .username = rows[i].user,
	    .password = rows[i].password,
	    .authorization = rows[i].sent,
	};

	ck_assert_int_eq(mt_net_parse(&f.peer, "::ffff:10.0.0.1", NULL), 0);
	f.n_listed = nets_of(rows[i].list, &listed);
	f.n_members = nets_of(rows[i].members, &members);
	return mt_access_decide(&f);
}

START_TEST(the_first_rule_that_is_against_it_decides)
{
	ck_assert_msg(decide(_i, true) == rows[_i].is, "row %d: %d", _i,
		      decide(_i, true));
}
END_TEST

START_TEST(who_has_no_address_is_in_no_list)
{
	enum mt_access is = decide(_i, false);

	if (rows[_i].list == NONE && rows[_i].members == NONE)
		ck_assert_int_eq(is, rows[_i].is);
	else if (!mt_access_is_read(rows[_i].method) && !rows[_i].failsafe)
		ck_assert_int_eq(is, LISTED);
}
END_TEST

START_TEST(the_longest_user_and_password_are_compared_whole)
{
	char user[128], password[512], sent[1024];
	struct mt_access_facts f = {
	    .method = "POST",
	    .username = user,
	    .password = password,
	    .authorization = sent,
	};

	memset(user, 'u', sizeof(user));
	memset(password, 'p', sizeof(password));
	user[127] = password[511] = '\0';
	/* 639 bytes, so 852 in base64: 126 letters u make 168 digits */
	mt_copy(sent, sizeof(sent), "Basic ");
	for (int i = 0; i < 42; i++)
		strcat(sent, "dXV1");
	strcat(sent, "dTpw"); /* "u:p" */
	for (int i = 0; i < 170; i++)
		strcat(sent, "cHBw");
	ck_assert_int_eq(mt_access_decide(&f), YES);
	password[510] = 'q';
	ck_assert_int_eq(mt_access_decide(&f), WRONG);
	password[510] = 'p';
	sent[strlen(sent) - 1] = '\0';
	ck_assert_int_eq(mt_access_decide(&f), WRONG);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("access");
	TCase *tc = tcase_create("access");

	tcase_add_loop_test(tc, the_first_rule_that_is_against_it_decides, 0,
			    (int)MT_COUNT(rows));
	tcase_add_loop_test(tc, who_has_no_address_is_in_no_list, 0,
			    (int)MT_COUNT(rows));
	tcase_add_test(tc, the_longest_user_and_password_are_compared_whole);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
