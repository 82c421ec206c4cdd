/* SPDX-License-Identifier: PostgreSQL */
/* What is in force, and why. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "conf/change.h"
#include "conf/effective.h"
#include "conf/environ.h"
#include "conf/explain.h"
#include "conf/options.h"
#include "conf/pgconf.h"
#include "conf/settings.h"
#include "test/unit/run.h"

#define BASE \
	"scope: batman\n" \
	"name: node1\n" \
	"restapi: {listen: '127.0.0.1:8008'}\n" \
	"raft: {self_addr: '127.0.0.1:7500', data_dir: /tmp/r}\n"
#define PG \
	"postgresql:\n" \
	"  listen: 127.0.0.1:5432\n" \
	"  data_dir: /tmp/pg\n"

static struct mt_conf *conf;
static struct mt_conf_facts facts;
static json_t *all, *document, *parameters;

static struct mt_conf *
read_text(const char *text, const char *const *variables)
{
	char file[] = "/tmp/check_explain.XXXXXX";
	int fd = mkstemp(file);
	struct mt_findings found = {0};
	json_t *environment =
	    variables != NULL ? mt_conf_environ(variables) : NULL;
	struct mt_conf *c = NULL;
	int rc;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	rc = mt_conf_read(&c, file, environment, &found);
	unlink(file);
	ck_assert_msg(rc == 0, "%s", found.n > 0 ? found.list[0].text : "");
	mt_findings_release(&found);
	json_decref(environment);
	return c;
}

/* What is ignored is told elsewhere. */
static void
no_log(void *arg, enum mt_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
}

static void
explain(const char *doc)
{
	document = doc != NULL ? json_loads(doc, 0, NULL) : NULL;
	ck_assert(doc == NULL || document != NULL);
	facts.document = document;
	facts.document_name = "dynamic";
	mt_log_set_sink(no_log, NULL);
	if (conf->has_postgresql) {
		json_t *common = mt_pgconf_parameters(conf, document, 150000);

		parameters =
		    mt_pgconf_for_role(common, conf, document, facts.role);
		json_decref(common);
	}
	facts.parameters = parameters;
	all = mt_conf_explain(conf, &facts);
}

static void
end(void)
{
	mt_conf_free(conf);
	json_decref(all);
	json_decref(document);
	json_decref(parameters);
	conf = NULL;
	all = document = parameters = NULL;
	memset(&facts, 0, sizeof(facts));
}

static const json_t *
entry(const char *key)
{
	const json_t *it, *found = NULL;
	size_t i;

	json_array_foreach (all, i, it) {
		if (!mt_streq(json_string_value(json_object_get(it, "key")),
			      key))
			continue;
		ck_assert_msg(found == NULL, "%s is told twice", key);
		found = it;
	}
	ck_assert_msg(found != NULL, "%s is not told", key);
	return found;
}

/* value as in JSON; source: its end. */
static void
is(const char *key, const char *value, const char *source)
{
	const json_t *e = entry(key);
	const char *from = json_string_value(json_object_get(e, "source"));
	char *got = json_dumps(json_object_get(e, "value"),
			       JSON_ENCODE_ANY | JSON_COMPACT);

	ck_assert_str_eq(got, value);
	ck_assert_msg(
	    strlen(from) >= strlen(source) &&
		mt_streq(from + strlen(from) - strlen(source), source),
	    "%s is from %s", key, from);
	free(got);
}

/* The i-th that does not count. */
static void
overrides(const char *key, size_t i, const char *value, const char *source)
{
	const json_t *it =
	    json_array_get(json_object_get(entry(key), "overridden"), i);
	const char *from = json_string_value(json_object_get(it, "source"));
	char *got;

	ck_assert_msg(it != NULL, "%s overrides nothing", key);
	got = json_dumps(json_object_get(it, "value"),
			 JSON_ENCODE_ANY | JSON_COMPACT);
	ck_assert_str_eq(got, value);
	ck_assert_msg(strstr(from, source) != NULL, "%s", from);
	free(got);
}

static void
overrides_nothing(const char *key)
{
	ck_assert_ptr_null(json_object_get(entry(key), "overridden"));
}

START_TEST(each_value_has_the_source_that_the_loading_code_took_it_from)
{
	static const char *const variables[] = {
	    "PATRONI_NAME=node8", "MATRIARCH_NAME=node7",
	    "PATRONI_SUPERUSER_PASSWORD=geheim", NULL};

	conf = read_text(BASE PG "  use_pg_rewind: on\n"
				 "  pg_ident: [own]\n"
				 "tags: {zone: a, nosync: on}\n",
			 variables);
	explain("{\"ttl\": 7, \"loop_wait\": 0, \"retry_timeout\": \"x\","
		"\"master_start_timeout\": 9,"
		"\"postgresql\": {\"use_pg_rewind\": false,"
		"\"pg_hba\": [\"x\"], \"pg_ident\": [\"y\"],"
		"\"remove_data_directory_on_rewind_failure\": true}}");
	ck_assert_str_eq(conf->name, "node7");
	is("name", "\"node7\"", "MATRIARCH_NAME");
	overrides("name", 0, "\"node8\"", "PATRONI_NAME");
	overrides("name", 1, "\"node1\"", ":2:1");
	is("scope", "\"batman\"", ":1:1");
	is("fencing", "true", "default");
	is("namespace", "\"service\"", "default");
	is("restapi.connect_address", "\"127.0.0.1:8008\"", "default");
	is("postgresql.authentication.superuser.password",
	   "\"" MT_CONF_MASK "\"", "PATRONI_SUPERUSER_PASSWORD");
	is("tags.zone", "\"a\"", ":10:8");
	is("tags.nosync", "true", ":10:17");
	is("ttl", "7", "dynamic");
	overrides_nothing("ttl");
	is("loop_wait", "1", "dynamic");
	overrides("loop_wait", 0, "0", "dynamic");
	is("retry_timeout", "10", "default");
	overrides("retry_timeout", 0, "\"x\"", "dynamic");
	is("primary_start_timeout", "9", "dynamic");
	is("synchronous_mode", "\"off\"", "default");
	is("postgresql.use_pg_rewind", "true", ":8:3");
	overrides("postgresql.use_pg_rewind", 0, "false", "dynamic");
	is("postgresql.pg_hba", "[\"x\"]", "dynamic");
	is("postgresql.pg_ident", "[\"own\"]", ":9:3");
	overrides("postgresql.pg_ident", 0, "[\"y\"]", "dynamic");
	is("postgresql.remove_data_directory_on_rewind_failure", "true",
	   "dynamic");
	is("postgresql.remove_data_directory_on_diverged_timelines", "false",
	   "default");
	end();
}
END_TEST

START_TEST(each_parameter_is_told_by_itself)
{
	json_t *pending =
	    json_pack("{s{ss}}", "max_connections", "new_value", "200");
	json_t *altered = json_pack("{ssssss}", "work_mem", "9MB",
				    "max_connections", "7", "jit", "off");

	conf = read_text(BASE PG "  parameters: {Work_Mem: 8MB, x.y: 1,"
				 " max_connections: 50, port: 1}\n",
			 NULL);
	facts.pending = pending;
	facts.altered = altered;
	explain("{\"postgresql\": {\"parameters\": {\"max_connections\": 200,"
		"\"x.y\": 2, \"log_statement\": \"all\","
		"\"wal_keep_segments\": 4}}}");
	is("postgresql.parameters.max_connections", "\"200\"", "dynamic");
	overrides("postgresql.parameters.max_connections", 0, "50", ":8:");
	ck_assert_str_eq(
	    json_string_value(json_object_get(
		entry("postgresql.parameters.max_connections"), "waits_for")),
	    "postgresql");
	ck_assert_str_eq(
	    json_string_value(json_object_get(
		entry("postgresql.parameters.max_connections"), "new")),
	    "200");
	is("postgresql.parameters.x.y", "\"1\"", ":8:31");
	overrides("postgresql.parameters.x.y", 0, "2", "dynamic");
	is("postgresql.parameters.log_statement", "\"all\"", "dynamic");
	is("postgresql.parameters.wal_keep_size", "\"64MB\"", "dynamic");
	is("postgresql.parameters.max_wal_senders", "\"10\"", "default");
	is("postgresql.parameters.cluster_name", "\"batman\"", ":1:1");
	is("postgresql.parameters.port", "\"5432\"", ":6:3");
	/* by ALTER SYSTEM; it cannot have what is controlled */
	is("postgresql.parameters.work_mem", "\"9MB\"", "ALTER SYSTEM");
	overrides("postgresql.parameters.work_mem", 0, "\"8MB\"", ":8:16");
	is("postgresql.parameters.jit", "\"off\"", "ALTER SYSTEM");
	end();
	json_decref(pending);
	json_decref(altered);
}
END_TEST

START_TEST(what_a_role_says_of_a_parameter_is_its_source)
{
	conf = read_text(BASE PG "  parameters: {work_mem: 8MB}\n"
				 "  parameters_replica: {Work_Mem: 6MB}\n"
				 "  recovery_conf: {restore_command: 'no'}\n",
			 NULL);
	facts.role = MT_CONF_REPLICA;
	explain("{\"postgresql\": {\"parameters\": {\"work_mem\": \"1MB\","
		"\"jit\": \"on\", \"x.y\": 2}, \"parameters_replica\":"
		"{\"work_mem\": \"2MB\", \"jit\": \"off\","
		"\"max_connections\": 5}, \"recovery_conf\":"
		"{\"restore_command\": \"cp\"}}}");
	is("postgresql.parameters.restore_command", "\"no\"", ":10:19");
	overrides("postgresql.parameters.restore_command", 0, "\"cp\"",
		  "dynamic, recovery_conf");
	is("postgresql.parameters.work_mem", "\"6MB\"", ":9:24");
	overrides("postgresql.parameters.work_mem", 0, "\"2MB\"",
		  "dynamic, parameters_replica");
	overrides("postgresql.parameters.work_mem", 1, "\"8MB\"", ":8:16");
	overrides("postgresql.parameters.work_mem", 2, "\"1MB\"", "dynamic");
	is("postgresql.parameters.jit", "\"off\"",
	   "dynamic, parameters_replica");
	overrides("postgresql.parameters.jit", 0, "\"on\"", "dynamic");
	is("postgresql.parameters.x.y", "\"2\"", "dynamic");
	is("postgresql.parameters.max_connections", "\"100\"", "default");
	end();
}
END_TEST

START_TEST(what_waits_for_a_restart_is_told_with_both_values)
{
	struct mt_conf *old = read_text(BASE PG, NULL);
	struct mt_conf_change change;
	const json_t *e;

	conf = read_text("scope: batman\nname: node1\n"
			 "restapi: {listen: '127.0.0.1:9008'}\n"
			 "raft: {self_addr: '127.0.0.1:7500',"
			 " data_dir: /tmp/r}\n" PG,
			 NULL);
	ck_assert(mt_conf_succeed(old, conf, &change));
	explain(NULL);
	is("restapi.listen", "\"127.0.0.1:8008\"", "the daemon's start");
	e = entry("restapi.listen");
	ck_assert_str_eq(json_string_value(json_object_get(e, "waits_for")),
			 "daemon");
	ck_assert_str_eq(json_string_value(json_object_get(e, "new")),
			 "127.0.0.1:9008");
	ck_assert_ptr_nonnull(strstr(
	    json_string_value(json_object_get(e, "new_source")), ":3:11"));
	mt_conf_change_release(&change);
	mt_conf_free(old);
	end();
}
END_TEST

START_TEST(every_effective_option_is_told_once)
{
	size_t n;
	const struct mt_option *o = mt_options(&n);

	conf = read_text(BASE PG, NULL);
	explain(NULL);
	for (; n-- > 0; o++)
		if (o->effective && !mt_settings_is_alias(o->path) &&
		    !mt_streq(o->path, "postgresql.name") &&
		    !mt_streq(o->path, "postgresql.parameters"))
			entry(o->path);
	end();
}
END_TEST

START_TEST(a_witness_has_nothing_of_postgresql)
{
	const json_t *it;
	size_t i;

	conf = read_text(BASE, NULL);
	explain("{\"postgresql\": {\"use_slots\": false}}");
	json_array_foreach (all, i, it) {
		const char *key = json_string_value(json_object_get(it, "key"));

		ck_assert_msg(strncmp(key, "postgresql.", 11) != 0, "%s", key);
	}
	end();
}
END_TEST

START_TEST(the_document_means_what_the_settings_make_of_it)
{
	/* The numbers of the explanation are those that the core goes by. */
	struct mt_settings s;

	conf = read_text(BASE, NULL);
	explain("{\"ttl\": \"1min\", \"loop_wait\": 0.5,"
		" \"maximum_lag_on_failover\": \"77\"}");
	mt_settings_parse(&s, document);
	ck_assert_int_eq(s.ttl_ms, 60000);
	is("ttl", "60", "dynamic");
	ck_assert_int_eq(s.loop_wait_ms, 1000);
	is("loop_wait", "1", "dynamic");
	ck_assert_int_eq(s.maximum_lag_on_failover, 77);
	is("maximum_lag_on_failover", "77", "dynamic");
	end();
}
END_TEST

int
main(void)
{
	RUN_TESTS("explain",
		  each_value_has_the_source_that_the_loading_code_took_it_from,
		  each_parameter_is_told_by_itself,
		  what_a_role_says_of_a_parameter_is_its_source,
		  what_waits_for_a_restart_is_told_with_both_values,
		  every_effective_option_is_told_once,
		  a_witness_has_nothing_of_postgresql,
		  the_document_means_what_the_settings_make_of_it);
}
