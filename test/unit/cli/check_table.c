/* SPDX-License-Identifier: PostgreSQL */
/*
 * Tables and their formats, compared byte for byte with what they should be.
 */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "base/text.h"
#include "cli/members.h"
#include "cli/table.h"
#include "test/unit/run.h"

/* Print a table into a string and compare. */
static void
expect_table(const struct mt_table *t, enum mt_format format, const char *want)
{
	char *got = NULL;
	size_t n;
	FILE *out = open_memstream(&got, &n);

	mt_table_print(t, format, out);
	fclose(out);
	ck_assert_str_eq(got, want);
	free(got);
}

static struct mt_cluster
cluster_of(const char *cluster, const char *raft, const char *state)
{
	struct mt_cluster c = {
	    .cluster = json_loads(cluster, 0, NULL),
	    .raft = raft != NULL ? json_loads(raft, 0, NULL) : NULL,
	    .state = state != NULL ? json_loads(state, 0, NULL) : NULL,
	};

	ck_assert_ptr_nonnull(c.cluster);
	return c;
}

static void
expect_members(const char *cluster, const char *raft, const char *state,
	       enum mt_format format, unsigned flags, const char *want)
{
	struct mt_cluster c = cluster_of(cluster, raft, state);
	char *got = NULL;
	size_t n;
	FILE *out = open_memstream(&got, &n);

	mt_members_print(&c, format, flags, out);
	fclose(out);
	ck_assert_str_eq(got, want);
	free(got);
	mt_cluster_release(&c);
}

/* The guide's cluster, in its words. */
#define GUIDE \
	"{\"scope\": \"cluster_1\", \"members\": [" \
	"{\"name\": \"node-1\", \"role\": \"leader\", \"state\": " \
	"\"running\", \"host\": \"10.0.100.1\", \"port\": 5432, " \
	"\"timeline\": 1}," \
	"{\"name\": \"node-2\", \"role\": \"replica\", \"state\": " \
	"\"running\", \"host\": \"10.0.100.2\", \"port\": 5432, " \
	"\"timeline\": 1, \"lag\": 0}]}"

START_TEST(the_table_of_the_guide_is_printed_as_the_guide_shows_it)
{
	expect_members(
	    GUIDE, NULL, NULL, MT_FORMAT_PRETTY, 0,
	    "+ Cluster: cluster_1 -+---------+---------+----+-----------+\n"
	    "| Member | Host       | Role    | State   | TL | Lag in MB |\n"
	    "+--------+------------+---------+---------+----+-----------+\n"
	    "| node-1 | 10.0.100.1 | Leader  | running |  1 |           |\n"
	    "| node-2 | 10.0.100.2 | Replica | running |  1 |         0 |\n"
	    "+--------+------------+---------+---------+----+-----------+\n");
}
END_TEST

START_TEST(the_header_tells_the_system_identifier_or_how_far_it_is)
{
	struct mt_cluster c;
	static const struct {
		const char *state, *want;
	} cases[] = {
	    {"{\"initialize\": \"7362\"}", "+ Cluster: c (7362) --"},
	    {"{\"initialize\": \"\"}", "+ Cluster: c (initializing) "},
	    {"{}", "+ Cluster: c (uninitialized) "},
	    {NULL, "+ Cluster: c -"},
	};

	for (size_t i = 0; i < MT_COUNT(cases); i++) {
		char *got = NULL;
		size_t n;
		FILE *out = open_memstream(&got, &n);

		c = cluster_of("{\"scope\": \"c\", \"members\": []}", NULL,
			       cases[i].state);
		mt_members_print(&c, MT_FORMAT_PRETTY, 0, out);
		fclose(out);
		ck_assert_msg(
		    strncmp(got, cases[i].want, strlen(cases[i].want)) == 0,
		    "%s", got);
		free(got);
		mt_cluster_release(&c);
	}
}
END_TEST

START_TEST(ports_are_shown_for_all_as_soon_as_one_is_unusual)
{
	expect_members("{\"scope\": \"c\", \"members\": ["
		       "{\"name\": \"a\", \"role\": \"leader\", \"host\": "
		       "\"h\", \"port\": 5432},"
		       "{\"name\": \"b\", \"role\": \"sync_standby\", "
		       "\"host\": \"::1\", \"port\": 5433, \"lag\": "
		       "\"unknown\"}]}",
		       NULL, NULL, MT_FORMAT_TSV, 0,
		       "Cluster\tMember\tHost\tRole\tState\tTL\tLag in MB\n"
		       "c\ta\th:5432\tLeader\t\t\t\n"
		       "c\tb\t[::1]:5433\tSync Standby\t\t\tunknown\n");
}
END_TEST

/* What commits wait for is seen at one glance, in the tree too. */
#define QUORUM \
	"{\"scope\": \"c\", \"members\": [" \
	"{\"name\": \"a\", \"role\": \"quorum_standby\"}," \
	"{\"name\": \"b\", \"role\": \"leader\"}," \
	"{\"name\": \"d\", \"role\": \"replica\"}]}"

START_TEST(a_synchronous_standby_is_told_from_a_replica)
{
	expect_members(QUORUM, NULL, NULL, MT_FORMAT_TSV, 0,
		       "Cluster\tMember\tHost\tRole\tState\tTL\tLag in MB\n"
		       "c\ta\t\tQuorum Standby\t\t\t\n"
		       "c\tb\t\tLeader\t\t\t\n"
		       "c\td\t\tReplica\t\t\t\n");
	expect_members(QUORUM, NULL, NULL, MT_FORMAT_TSV, MT_MEMBERS_TREE,
		       "Cluster\tMember\tHost\tRole\tState\tTL\tLag in MB\n"
		       "c\tb\t\tLeader\t\t\t\n"
		       "c\t+ a\t\tQuorum Standby\t\t\t\n"
		       "c\t+ d\t\tReplica\t\t\t\n");
}
END_TEST

START_TEST(ports_are_shown_where_two_members_share_a_host)
{
	expect_members("{\"scope\": \"c\", \"members\": ["
		       "{\"name\": \"a\", \"host\": \"h\", \"port\": 5432},"
		       "{\"name\": \"b\", \"host\": \"h\", \"port\": 5432}]}",
		       NULL, NULL, MT_FORMAT_TSV, 0,
		       "Cluster\tMember\tHost\tRole\tState\tTL\tLag in MB\n"
		       "c\ta\th:5432\t\t\t\t\n"
		       "c\tb\th:5432\t\t\t\t\n");
}
END_TEST

START_TEST(lag_is_rounded_to_the_nearest_megabyte)
{
	expect_members("{\"scope\": \"c\", \"members\": ["
		       "{\"name\": \"a\", \"lag\": 524287},"
		       "{\"name\": \"b\", \"lag\": 524288},"
		       "{\"name\": \"d\", \"lag\": 1572863}]}",
		       NULL, NULL, MT_FORMAT_TSV, 0,
		       "Cluster\tMember\tHost\tRole\tState\tTL\tLag in MB\n"
		       "c\ta\t\t\t\t\t0\n"
		       "c\tb\t\t\t\t\t1\n"
		       "c\td\t\t\t\t\t1\n");
}
END_TEST

START_TEST(json_is_one_line_without_empty_values)
{
	expect_members(GUIDE, NULL, NULL, MT_FORMAT_JSON, 0,
		       "[{\"Cluster\": \"cluster_1\", \"Member\": \"node-1\", "
		       "\"Host\": \"10.0.100.1\", \"Role\": \"Leader\", "
		       "\"State\": \"running\", \"TL\": 1}, "
		       "{\"Cluster\": \"cluster_1\", \"Member\": \"node-2\", "
		       "\"Host\": \"10.0.100.2\", \"Role\": \"Replica\", "
		       "\"State\": \"running\", \"TL\": 1, "
		       "\"Lag in MB\": 0}]\n");
}
END_TEST

START_TEST(yaml_quotes_what_could_be_read_as_something_else)
{
	struct mt_table t;

	mt_table_init(&t);
	mt_table_column(&t, "A", NULL, 0);
	mt_table_column(&t, "B", NULL, 0);
	mt_table_row(&t);
	mt_table_put(&t, json_string("in archive recovery"));
	mt_table_put(&t, json_string("no"));
	mt_table_row(&t);
	mt_table_put(&t, json_string("a: b"));
	mt_table_put(&t, json_pack("{s:i, s:b}", "a", 1, "off", 1));
	expect_table(&t, MT_FORMAT_YAML,
		     "- A: in archive recovery\n  B: \"no\"\n"
		     "- A: \"a: b\"\n  B: {a: 1, \"off\": true}\n");
	mt_table_release(&t);
}
END_TEST

START_TEST(topology_puts_replicas_below_whom_they_follow)
{
	expect_members("{\"scope\": \"c\", \"members\": ["
		       "{\"name\": \"a\", \"role\": \"replica\", \"tags\": "
		       "{\"replicatefrom\": \"d\"}},"
		       "{\"name\": \"b\", \"role\": \"leader\"},"
		       "{\"name\": \"d\", \"role\": \"replica\"},"
		       "{\"name\": \"e\", \"role\": \"replica\", \"tags\": "
		       "{\"replicatefrom\": \"gone\"}},"
		       "{\"name\": \"x\", \"role\": \"replica\", \"tags\": "
		       "{\"replicatefrom\": \"y\"}},"
		       "{\"name\": \"y\", \"role\": \"replica\", \"tags\": "
		       "{\"replicatefrom\": \"x\"}}]}",
		       NULL, NULL, MT_FORMAT_TSV, MT_MEMBERS_TREE,
		       "Cluster\tMember\tHost\tRole\tState\tTL\tLag in MB\t"
		       "Tags\n"
		       "c\tb\t\tLeader\t\t\t\t\n"
		       "c\t+ d\t\tReplica\t\t\t\t\n"
		       "c\t  + a\t\tReplica\t\t\t\t{replicatefrom: d}\n"
		       "c\t+ e\t\tReplica\t\t\t\t{replicatefrom: gone}\n");
}
END_TEST

START_TEST(a_header_that_is_longer_than_the_columns_widens_the_last_one)
{
	struct mt_table t;

	mt_table_init(&t);
	mt_copy(t.header, sizeof(t.header), " Cluster: long (7362) ");
	mt_table_column(&t, "A", NULL, 0);
	mt_table_column(&t, "B", NULL, MT_COLUMN_RIGHT);
	mt_table_row(&t);
	mt_table_put(&t, json_string("x"));
	mt_table_put(&t, json_integer(1));
	expect_table(&t, MT_FORMAT_PRETTY,
		     "+ Cluster: long (7362) +\n"
		     "| A |                B |\n"
		     "+---+------------------+\n"
		     "| x |                1 |\n"
		     "+---+------------------+\n");
	mt_table_release(&t);
}
END_TEST

START_TEST(cells_of_several_lines_put_rulers_between_all_rows)
{
	struct mt_table t;

	mt_table_init(&t);
	mt_table_column(&t, "Name", NULL, 0);
	mt_table_column(&t, "hidden", NULL, MT_COLUMN_HIDDEN);
	mt_table_column(&t, "Text", NULL, 0);
	mt_table_row(&t);
	mt_table_put(&t, json_string("a"));
	mt_table_put(&t, json_string("one that is not shown"));
	mt_table_put(&t, json_string("first\nsecond"));
	mt_table_row(&t);
	mt_table_put(&t, json_string("\xc3\xbc"));
	mt_table_put(&t, NULL);
	mt_table_put(&t, NULL);
	expect_table(&t, MT_FORMAT_PRETTY,
		     "+------+--------+\n"
		     "| Name | Text   |\n"
		     "+------+--------+\n"
		     "| a    | first  |\n"
		     "|      | second |\n"
		     "+------+--------+\n"
		     "| \xc3\xbc    |        |\n"
		     "+------+--------+\n");
	mt_table_release(&t);
}
END_TEST

START_TEST(the_footer_names_witnesses_and_unfenced_members)
{
	struct mt_cluster c = cluster_of(
	    "{\"scope\": \"c\", \"pause\": true, \"members\": ["
	    "{\"name\": \"a\", \"fencing\": \"off\"}, {\"name\": \"b\"}],"
	    "\"scheduled_switchover\": {\"at\": \"T\", \"to\": \"b\"}}",
	    "{\"members\": [{\"name\": \"a\"}, {\"name\": \"w\", "
	    "\"address\": \"h:1\"}]}",
	    "{\"members\": {\"b\": {\"fencing\": false}}, "
	    "\"witnesses\": [\"w\", \"v\"]}");
	char *got = NULL;
	size_t n;
	FILE *out = open_memstream(&got, &n);

	mt_members_footer(&c, out);
	fclose(out);
	ck_assert_str_eq(got, " Maintenance mode: on\n"
			      " Switchover scheduled at: T\n"
			      "                      to: b\n"
			      " Witness: w (h:1), v\n"
			      " fencing: off on a, b\n");
	free(got);
	mt_cluster_release(&c);
}
END_TEST

START_TEST(an_unknown_format_is_refused_with_the_known_ones)
{
	enum mt_format format = MT_FORMAT_TSV;
	struct mt_err err;

	ck_assert_int_eq(mt_format_parse("yml", &format, &err), 0);
	ck_assert_int_eq(format, MT_FORMAT_YAML);
	ck_assert_int_eq(mt_format_parse("xml", &format, &err), MT_EINVAL);
	ck_assert_int_eq(format, MT_FORMAT_YAML);
	ck_assert_ptr_nonnull(strstr(err.text, "pretty"));
}
END_TEST

int
main(void)
{
	RUN_TESTS("table",
		  the_table_of_the_guide_is_printed_as_the_guide_shows_it,
		  the_header_tells_the_system_identifier_or_how_far_it_is,
		  ports_are_shown_for_all_as_soon_as_one_is_unusual,
		  a_synchronous_standby_is_told_from_a_replica,
		  ports_are_shown_where_two_members_share_a_host,
		  lag_is_rounded_to_the_nearest_megabyte,
		  json_is_one_line_without_empty_values,
		  yaml_quotes_what_could_be_read_as_something_else,
		  topology_puts_replicas_below_whom_they_follow,
		  a_header_that_is_longer_than_the_columns_widens_the_last_one,
		  cells_of_several_lines_put_rulers_between_all_rows,
		  the_footer_names_witnesses_and_unfenced_members,
		  an_unknown_format_is_refused_with_the_known_ones);
}
