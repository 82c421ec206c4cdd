/* SPDX-License-Identifier: PostgreSQL */
/* Dry runs of a switchover and a failover: told, and not proposed. */
#include "fake.h"
#include "test/unit/run.h"

static json_t *
dry(const char *path, const char *body)
{
	json_t *doc;

	read_answer(send_ask("POST", path, body));
	ck_assert_int_eq(status, 200);
	ck_assert_int_eq(fake.n_proposed, 0);
	doc = json_loads(answer_body, 0, NULL);
	ck_assert_ptr_nonnull(doc);
	return doc;
}

START_TEST(a_dry_run_tells_who_and_why_and_proposes_nothing)
{
	json_t *doc, *members;

	for (int i = 1; i < 3; i++)
		mt_copy(fake_report(i)->sysid, MT_SYSID_MAX, fake.state.sysid);
	fake_report(2)->nofailover = true;
	doc = dry("/switchover", "{\"leader\":\"node1\",\"dry_run\":true,"
				 "\"candidate\":\"node2\"}");
	members = json_object_get(doc, "members");
	ck_assert_uint_eq(json_array_size(members), 3);
	ck_assert_json(json_array_get(members, 1),
		       "{'name':'node2','verdict':'chosen','rule':'chosen',"
		       "'checks':{'asked':'ok','reachable':'ok','tags':'ok',"
		       "'running':'ok','position':'ok','sync':'ok',"
		       "'timeline':'ok','lag':'ok'},'timeline':2,"
		       "'lsn':'0/5000000','lag':256}");
	ck_assert_json(
	    json_object_get(json_array_get(members, 2), "checks"),
	    "{'asked':'not-asked-for','reachable':'ok','tags':'nofailover',"
	    "'running':'ok','position':'ok','sync':'ok','timeline':'ok',"
	    "'lag':'ok'}");
	json_object_del(doc, "members");
	ck_assert_json(doc, "{'dry_run':true,'action':'switchover',"
			    "'leader':'node1','leader_lives':true,"
			    "'candidate':'node2','forced':false,"
			    "'possible':true,'winner':'node2',"
			    "'instead':false,'refused':null}");
	json_decref(doc);
}
END_TEST

START_TEST(a_dry_run_of_what_would_be_refused_says_so)
{
	json_t *doc;

	fake.reports.seen[1].gone = true;
	doc = dry("/failover", "{\"candidate\":\"node2\",\"dry_run\":true}");
	ck_assert_str_eq(json_string_value(json_object_get(doc, "refused")),
			 "failover is not possible: no good candidates have "
			 "been found");
	ck_assert(json_is_null(json_object_get(doc, "winner")));
	ck_assert(json_is_false(json_object_get(doc, "possible")));
	json_decref(doc);
}
END_TEST

START_TEST(a_dry_run_without_a_leader_goes_by_the_synchronous_set)
{
	json_t *doc, *members;

	for (int i = 0; i < 3; i++)
		mt_copy(fake_report(i)->sysid, MT_SYSID_MAX, fake.state.sysid);
	fake_sync(MT_SYNC_ON);
	fake.state.sync.n = 1; /* node2 */
	fake.reports.seen[0].gone = true;
	doc = dry("/failover", "{\"candidate\":\"node3\",\"dry_run\":true}");
	ck_assert(json_is_false(json_object_get(doc, "possible")));
	ck_assert_ptr_nonnull(
	    strstr(json_string_value(json_object_get(doc, "refused")),
		   "of the 1 synchronous standbys that have to be heard"));
	members = json_object_get(doc, "members");
	ck_assert_str_eq(json_string_value(json_object_get(
			     json_array_get(members, 1), "rule")),
			 "not-fenced");
	ck_assert_str_eq(json_string_value(json_object_get(
			     json_array_get(members, 2), "rule")),
			 "not-in-sync");
	json_decref(doc);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("dry_run");
	TCase *tc = tcase_create("dry_run");

	tcase_add_checked_fixture(tc, fake_setup, fake_teardown);
	tcase_add_test(tc, a_dry_run_tells_who_and_why_and_proposes_nothing);
	tcase_add_test(tc, a_dry_run_of_what_would_be_refused_says_so);
	tcase_add_test(tc,
		       a_dry_run_without_a_leader_goes_by_the_synchronous_set);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
