/* SPDX-License-Identifier: PostgreSQL */
/* PostgreSQL's effective parameters. */
#include <check.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "conf/pgconf.h"
#include "test/unit/run.h"

static char seen[8192];

static void
sink(void *arg, enum mt_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	strncat(seen, text, sizeof(seen) - strlen(seen) - 1);
	strncat(seen, "\n", sizeof(seen) - strlen(seen) - 1);
}

/* Parameters of a local file's and a document's parameters, as JSON texts. */
static json_t *
effective(const char *local, const char *dynamic, int version)
{
	struct mt_conf conf = {.scope = "batman", .has_postgresql = true};
	json_t *doc, *out, *params = json_loads(dynamic, 0, NULL);

	seen[0] = '\0';
	mt_log_set_sink(sink, NULL);
	mt_copy(conf.postgresql.listen_addresses,
		sizeof(conf.postgresql.listen_addresses), "10.0.0.1,::1");
	conf.postgresql.port = 5433;
	conf.postgresql.parameters = json_loads(local, 0, NULL);
	ck_assert_ptr_nonnull(params);
	ck_assert_ptr_nonnull(conf.postgresql.parameters);
	doc = json_pack("{s{so}}", "postgresql", "parameters", params);
	out = mt_pgconf_parameters(&conf, doc, version);
	ck_assert_ptr_nonnull(out);
	json_decref(doc);
	json_decref(conf.postgresql.parameters);
	mt_log_set_sink(NULL, NULL);
	return out;
}

static void
is(const json_t *out, const char *name, const char *want)
{
	const char *got = json_string_value(json_object_get(out, name));

	if (want == NULL) {
		ck_assert_msg(got == NULL, "%s is %s", name, got);
		return;
	}
	ck_assert_msg(got != NULL, "%s is absent", name);
	ck_assert_str_eq(got, want);
}

START_TEST(the_controlled_parameters_have_defaults)
{
	json_t *out = effective("{}", "{}", 150004);

	is(out, "max_connections", "100");
	is(out, "max_locks_per_transaction", "64");
	is(out, "max_worker_processes", "8");
	is(out, "max_prepared_transactions", "0");
	is(out, "max_wal_senders", "10");
	is(out, "max_replication_slots", "10");
	is(out, "wal_level", "replica");
	is(out, "hot_standby", "on");
	is(out, "track_commit_timestamp", "off");
	is(out, "wal_log_hints", "on");
	is(out, "wal_keep_size", "128MB");
	is(out, "wal_keep_segments", NULL);
	is(out, "listen_addresses", "10.0.0.1,::1");
	is(out, "port", "5433");
	is(out, "cluster_name", "batman");
	ck_assert_str_eq(seen, "");
	json_decref(out);
}
END_TEST

START_TEST(local_parameters_win_but_for_the_controlled_ones)
{
	json_t *out = effective("{\"work_mem\": \"8MB\", \"Jit\": false,"
				"\"max_connections\": 7}",
				"{\"work_mem\": \"4MB\", \"jit\": true,"
				"\"max_connections\": \"200\","
				"\"pg_stat_statements.max\": 500,"
				"\"random_page_cost\": 1.1}",
				150004);

	is(out, "work_mem", "8MB");
	is(out, "jit", "off");
	is(out, "max_connections", "200");
	is(out, "pg_stat_statements.max", "500");
	is(out, "random_page_cost", "1.1");
	ck_assert_ptr_nonnull(
	    strstr(seen, "\"max_connections\" must be alike"));
	json_decref(out);
}
END_TEST

START_TEST(bad_controlled_values_have_the_default_and_are_said)
{
	json_t *out = effective("{}",
				"{\"max_connections\": 3, \"wal_level\":"
				"\"minimal\", \"hot_standby\": \"off\","
				"\"wal_keep_size\": \"1MB\"}",
				150004);

	is(out, "max_connections", "100");
	is(out, "wal_level", "replica");
	is(out, "hot_standby", "on");
	is(out, "wal_keep_size", "128MB");
	ck_assert_ptr_nonnull(strstr(seen, "\"max_connections\" cannot"));
	ck_assert_ptr_nonnull(strstr(seen, "\"wal_level\" cannot"));
	ck_assert_ptr_nonnull(strstr(seen, "\"hot_standby\" cannot"));
	json_decref(out);
}
END_TEST

START_TEST(kept_wal_has_the_name_and_unit_of_the_version)
{
	json_t *out = effective("{}", "{\"wal_keep_segments\": 10}", 140010);

	is(out, "wal_keep_size", "160MB");
	is(out, "wal_keep_segments", NULL);
	ck_assert_ptr_nonnull(
	    strstr(seen, "\"wal_keep_segments\" is unknown from PostgreSQL 13 "
			 "on; it is taken as \"wal_keep_size\", 160MB"));
	json_decref(out);
	out = effective("{}", "{\"wal_keep_segments\": 10}", 120000);
	is(out, "wal_keep_segments", "10");
	ck_assert_str_eq(seen, "");
	json_decref(out);
	out = effective("{}", "{\"wal_keep_size\": \"1GB\"}", 120000);
	is(out, "wal_keep_segments", "64");
	is(out, "wal_keep_size", NULL);
	json_decref(out);
	out = effective(
	    "{}", "{\"wal_keep_size\": 256, \"wal_keep_segments\": 3}", 170000);
	is(out, "wal_keep_size", "256MB");
	json_decref(out);
}
END_TEST

START_TEST(wal_level_has_the_name_of_the_version)
{
	json_t *out =
	    effective("{}", "{\"wal_level\": \"hot_standby\"}", 150004);

	is(out, "wal_level", "replica");
	json_decref(out);
	out = effective("{}", "{\"WAL_LEVEL\": \"logical\"}", 150004);
	is(out, "wal_level", "logical");
	json_decref(out);
}
END_TEST

START_TEST(managed_parameters_and_nested_values_are_left_out)
{
	json_t *out = effective("{\"primary_conninfo\": \"host=x\","
				"\"port\": 1, \"search_path\": [1],"
				"\"gone\": null}",
				"{\"recovery_target_time\": \"now\","
				"\"cluster_name\": \"x\", \"gone\": 5}",
				150004);

	is(out, "primary_conninfo", NULL);
	is(out, "recovery_target_time", NULL);
	is(out, "search_path", NULL);
	is(out, "port", "5433");
	is(out, "cluster_name", "batman");
	is(out, "gone", "5");
	json_decref(out);
}
END_TEST

START_TEST(the_command_line_has_all_that_must_not_be_altered)
{
	ck_assert(mt_pgconf_on_command_line("max_connections"));
	ck_assert(mt_pgconf_on_command_line("Wal_Level"));
	ck_assert(mt_pgconf_on_command_line("listen_addresses"));
	ck_assert(mt_pgconf_on_command_line("port"));
	ck_assert(mt_pgconf_on_command_line("cluster_name"));
	ck_assert(!mt_pgconf_on_command_line("wal_keep_size"));
	ck_assert(!mt_pgconf_on_command_line("wal_keep_segments"));
	ck_assert(!mt_pgconf_on_command_line("work_mem"));
}
END_TEST

START_TEST(other_files_are_the_members_or_else_the_clusters)
{
	struct mt_conf conf = {.scope = "batman", .has_postgresql = true};
	json_t *doc = json_loads("{\"postgresql\": {\"pg_hba\": [\"a\"],"
				 "\"pg_ident\": \"i\"}}",
				 0, NULL);
	json_t *junk =
	    json_loads("{\"postgresql\": {\"pg_hba\": {\"a\": 1}}}", 0, NULL);
	json_t *out, *want;

	out = mt_pgconf_files(&conf, doc, MT_CONF_PRIMARY);
	want =
	    json_loads("{\"pg_hba\": [\"a\"], \"pg_ident\": [\"i\"]}", 0, NULL);
	ck_assert(json_equal(out, want));
	json_decref(out);
	json_decref(want);
	conf.postgresql.pg_hba = json_pack("[s]", "own");
	out = mt_pgconf_files(&conf, doc, MT_CONF_PRIMARY);
	ck_assert_str_eq(json_string_value(
			     json_array_get(json_object_get(out, "pg_hba"), 0)),
			 "own");
	json_decref(out);
	json_decref(conf.postgresql.pg_hba);
	conf.postgresql.pg_hba = NULL;
	out = mt_pgconf_files(&conf, junk, MT_CONF_PRIMARY);
	ck_assert_uint_eq(json_object_size(out), 0);
	json_decref(out);
	out = mt_pgconf_files(&conf, NULL, MT_CONF_PRIMARY);
	ck_assert_uint_eq(json_object_size(out), 0);
	json_decref(out);
	json_decref(doc);
	json_decref(junk);
}
END_TEST

START_TEST(recovery_conf_is_parameters_that_win)
{
	struct mt_conf conf = {.scope = "batman", .has_postgresql = true};
	struct mt_conf_postgresql *p = &conf.postgresql;
	json_t *doc = json_loads(
	    "{\"postgresql\": {\"parameters\": {\"restore_command\": \"a\","
	    "\"recovery_min_apply_delay\": 1, \"max_connections\": 50},"
	    "\"recovery_conf\": {\"Restore_Command\": \"b\","
	    "\"recovery_min_apply_delay\": 2, \"max_connections\": 60,"
	    "\"recovery_target_time\": \"now\"}}}",
	    0, NULL);
	json_t *out;

	p->parameters = json_pack("{ss}", "restore_command", "c");
	p->recovery_conf = json_pack("{si}", "recovery_min_apply_delay", 3);
	mt_log_set_sink(sink, NULL);
	out = mt_pgconf_parameters(&conf, doc, 150000);
	mt_log_set_sink(NULL, NULL);
	is(out, "restore_command", "b");
	is(out, "recovery_min_apply_delay", "3");
	is(out, "recovery_target_time", NULL);
	is(out, "max_connections", "50");
	json_decref(out);
	json_decref(p->parameters);
	json_decref(p->recovery_conf);
	json_decref(doc);
}
END_TEST

START_TEST(a_role_has_its_own_over_all_of_the_common_ones)
{
	struct mt_conf conf = {.scope = "batman", .has_postgresql = true};
	struct mt_conf_postgresql *p = &conf.postgresql;
	json_t *common = json_pack("{ssssss}", "a", "common", "b", "common",
				   "max_connections", "100");
	json_t *doc = json_loads("{\"postgresql\": {\"parameters_primary\":"
				 "{\"A\": \"doc\", \"b\": \"doc\", \"port\": 1,"
				 "\"max_connections\": 7, \"n\": null}}}",
				 0, NULL);
	json_t *out;

	p->for_role[MT_CONF_PRIMARY].parameters =
	    json_pack("{sssi}", "b", "own", "wal_keep_size", 1);
	seen[0] = '\0';
	mt_log_set_sink(sink, NULL);
	out = mt_pgconf_for_role(common, &conf, doc, MT_CONF_PRIMARY);
	mt_log_set_sink(NULL, NULL);
	is(out, "a", "doc");
	is(out, "b", "own");
	is(out, "max_connections", "100");
	is(out, "wal_keep_size", NULL);
	is(out, "port", NULL);
	is(out, "n", NULL);
	ck_assert_ptr_nonnull(strstr(seen, "\"max_connections\" in "
					   "\"parameters_primary\" of the "
					   "dynamic configuration must be "));
	ck_assert_ptr_nonnull(strstr(seen, "\"wal_keep_size\" in "
					   "\"parameters_primary\" of the "
					   "local file must be "));
	json_decref(out);
	out = mt_pgconf_for_role(common, &conf, doc, MT_CONF_REPLICA);
	is(out, "a", "common");
	is(out, "b", "common");
	json_decref(out);
	is(common, "a", "common"); /* is not changed */
	json_decref(p->for_role[MT_CONF_PRIMARY].parameters);
	json_decref(common);
	json_decref(doc);
}
END_TEST

/* The lines of a role: "L" the file's own for it, "l" its common ones, "D" and
 * "d" the document's. */
START_TEST(a_role_has_its_own_lines_or_the_common_ones)
{
	static const struct {
		const char *given, *want;
	} rows[] = {
	    {"LlDd", "L"}, {"lDd", "D"}, {"ld", "l"}, {"d", "d"}, {"", NULL},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		struct mt_conf conf = {.has_postgresql = true};
		struct mt_conf_postgresql *p = &conf.postgresql;
		json_t *doc = json_object(), *out, *got;
		json_t *section = json_object();
		const char *g = rows[i].given;

		json_object_set_new(doc, "postgresql", section);
		if (strchr(g, 'L') != NULL)
			p->for_role[MT_CONF_REPLICA].pg_ident =
			    json_pack("[s]", "L");
		if (strchr(g, 'l') != NULL)
			p->pg_ident = json_pack("[s]", "l");
		if (strchr(g, 'D') != NULL)
			json_object_set_new(section, "pg_ident_replica",
					    json_pack("[s]", "D"));
		if (strchr(g, 'd') != NULL)
			json_object_set_new(section, "pg_ident",
					    json_pack("[s]", "d"));
		out = mt_pgconf_files(&conf, doc, MT_CONF_REPLICA);
		got = json_object_get(out, "pg_ident");
		ck_assert_int_eq(got != NULL, rows[i].want != NULL);
		if (got != NULL)
			ck_assert_str_eq(
			    json_string_value(json_array_get(got, 0)),
			    rows[i].want);
		json_decref(out);
		json_decref(doc);
		json_decref(p->pg_ident);
		json_decref(p->for_role[MT_CONF_REPLICA].pg_ident);
	}
}
END_TEST

int
main(void)
{
	RUN_TESTS("pgconf", the_controlled_parameters_have_defaults,
		  local_parameters_win_but_for_the_controlled_ones,
		  bad_controlled_values_have_the_default_and_are_said,
		  kept_wal_has_the_name_and_unit_of_the_version,
		  wal_level_has_the_name_of_the_version,
		  managed_parameters_and_nested_values_are_left_out,
		  the_command_line_has_all_that_must_not_be_altered,
		  other_files_are_the_members_or_else_the_clusters,
		  recovery_conf_is_parameters_that_win,
		  a_role_has_its_own_over_all_of_the_common_ones,
		  a_role_has_its_own_lines_or_the_common_ones);
}
