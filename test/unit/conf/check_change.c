/* SPDX-License-Identifier: PostgreSQL */
/* A configuration that takes over from another one while the daemon runs. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/change.h"
#include "conf/options.h"
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

static struct mt_conf *old, *now;
static struct mt_conf_change change;

static struct mt_conf *
read_text(const char *text)
{
	char file[] = "/tmp/check_change.XXXXXX";
	int fd = mkstemp(file);
	struct mt_findings found = {0};
	struct mt_conf *c = NULL;
	int rc;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	rc = mt_conf_read(&c, file, NULL, &found);
	unlink(file);
	ck_assert_msg(rc == 0, "%s", found.n > 0 ? found.list[0].text : "");
	mt_findings_release(&found);
	return c;
}

static bool
succeed(const char *a, const char *b)
{
	old = read_text(a);
	now = read_text(b);
	return mt_conf_succeed(old, now, &change);
}

static void
end(void)
{
	mt_conf_change_release(&change);
	mt_conf_free(old);
	mt_conf_free(now);
}

static void
lists(const json_t *paths, const char *want)
{
	char got[512];

	ck_assert_str_eq(mt_conf_keys(paths, got, sizeof(got)), want);
}

START_TEST(what_is_written_otherwise_and_means_the_same_is_no_change)
{
	ck_assert(succeed(BASE PG "fencing: on\n",
			  BASE "# a comment\n" PG
			       "  authentication: {superuser: {username: "
			       "postgres}}\n"
			       "fencing: yes\nlog: {level: info, "
			       "traceback_level: DEBUG}\n"));
	lists(change.live, "");
	lists(change.postgres, "");
	lists(change.start, "");
	lists(change.bootstrap, "");
	end();
}
END_TEST

START_TEST(each_change_is_said_by_what_it_takes)
{
	ck_assert(succeed(BASE PG, BASE PG
			  "  authentication: {superuser: {password: geheim}}\n"
			  "  parameters: {work_mem: 8MB}\n"
			  "  pg_hba: [local all all trust]\n"
			  "  use_unix_socket: on\n"
			  "  use_pg_rewind: on\n"
			  "  database: other\n"
			  "tags: {nosync: true, zone: a}\n"
			  "bootstrap: {dcs: {ttl: 7}}\n"));
	lists(change.live, "postgresql.authentication.superuser.password, "
			   "postgresql.authentication.rewind.password, "
			   "postgresql.parameters.work_mem, postgresql.pg_hba, "
			   "postgresql.use_pg_rewind, tags.nosync, "
			   "tags.sync_priority, tags.zone");
	lists(change.postgres, "postgresql.use_unix_socket");
	lists(change.start, "postgresql.database");
	lists(change.bootstrap, "bootstrap.dcs.ttl");
	end();
}
END_TEST

START_TEST(identity_and_addresses_stay_and_wait)
{
	static const char *const keys[] = {"scope",
					   "name",
					   "raft.self_addr",
					   "raft.data_dir",
					   "raft.partner_addrs",
					   "restapi.listen",
					   "postgresql.listen",
					   "postgresql.data_dir"};

	ck_assert(succeed(
	    BASE PG "fencing: on\n",
	    "scope: robin\nname: node9\nfencing: off\n"
	    "restapi: {listen: '127.0.0.1:9008'}\n"
	    "raft: {self_addr: '127.0.0.1:9500', data_dir: /tmp/r9,"
	    " partner_addrs: ['127.0.0.1:9501']}\n"
	    "postgresql:\n  listen: 127.0.0.1:9432\n  data_dir: /tmp/pg9\n"));
	for (size_t i = 0; i < MT_COUNT(keys); i++)
		ck_assert_msg(json_object_get(now->waiting, keys[i]) != NULL,
			      "%s does not wait", keys[i]);
	ck_assert_str_eq(now->scope, "batman");
	ck_assert_str_eq(now->name, "node1");
	ck_assert_uint_eq(now->raft.self_addr.port, 7500);
	ck_assert_str_eq(now->raft.data_dir, "/tmp/r");
	ck_assert_uint_eq(now->raft.n, 0);
	ck_assert_uint_eq(now->restapi.listen.port, 8008);
	ck_assert_uint_eq(now->postgresql.port, 5432);
	ck_assert_str_eq(now->postgresql.data_dir, "/tmp/pg");
	ck_assert_str_eq(now->postgresql.pgpass, "/tmp/r/pgpass");
	/* what was derived from them */
	ck_assert_uint_eq(now->restapi.connect_address.port, 8008);
	ck_assert_uint_eq(now->postgresql.connect_address.port, 5432);
	/* the rest does not wait */
	ck_assert(!now->fencing);
	lists(change.live, "fencing");
	ck_assert_str_eq(json_string_value(json_object_get(
			     now->waiting, "postgresql.listen")),
			 "127.0.0.1:9432");
	end();
}
END_TEST

START_TEST(a_witness_stays_one)
{
	ck_assert(!succeed(BASE, BASE PG));
	end();
	ck_assert(!succeed(BASE PG, BASE));
	end();
}
END_TEST

START_TEST(every_option_that_needs_a_restart_keeps_its_value)
{
	/* A row of the table that says START and that nobody copies back would
	 * change a running daemon under its feet. */
	ck_assert(
	    succeed(BASE PG "  bin_dir: /a\n  pgpass: /a/p\n  database: a\n"
			    "namespace: a\n",
		    "scope: b\nname: b\nnamespace: b\n"
		    "restapi: {listen: '127.0.0.1:1'}\n"
		    "raft: {self_addr: '127.0.0.1:2', bind_addr: '127.0.0.1:3',"
		    " data_dir: /b, insecure: on, election_timeout: 500,"
		    " heartbeat: 60, partner_addrs: ['127.0.0.1:4']}\n"
		    "postgresql:\n  listen: 127.0.0.1:5\n  data_dir: /c\n"
		    "  bin_dir: /b\n  pgpass: /b/p\n  database: b\n"));
	mt_conf_change_release(&change);
	/* all waits: nothing differs but what is written */
	json_object_clear(now->waiting);
	ck_assert(mt_conf_succeed(old, now, &change));
	lists(change.start, "");
	end();
}
END_TEST

START_TEST(what_the_first_document_asks_for_and_the_cluster_has_not)
{
	json_t *asked =
	    json_pack("{sisss{sbs{sssi}}sn}", "ttl", 30, "synchronous_mode",
		      "on", "postgresql", "use_slots", 1, "parameters",
		      "work_mem", "4MB", "max_connections", 100, "gone");
	json_t *has =
	    json_pack("{sisss{sbs{ss}}}", "ttl", 5, "synchronous_mode", "on",
		      "postgresql", "use_slots", 1, "parameters",
		      "max_connections", "100");
	json_t *list = mt_conf_unmet(asked, has), *it;

	ck_assert_uint_eq(json_array_size(list), 2);
	it = json_array_get(list, 0);
	ck_assert_str_eq(json_string_value(json_object_get(it, "key")), "ttl");
	ck_assert_int_eq(json_integer_value(json_object_get(it, "value")), 5);
	it = json_array_get(list, 1);
	ck_assert_str_eq(json_string_value(json_object_get(it, "key")),
			 "postgresql.parameters.work_mem");
	ck_assert(json_is_null(json_object_get(it, "value")));
	json_decref(list);
	json_decref(asked);
	json_decref(has);
}
END_TEST

int
main(void)
{
	RUN_TESTS("change",
		  what_is_written_otherwise_and_means_the_same_is_no_change,
		  each_change_is_said_by_what_it_takes,
		  identity_and_addresses_stay_and_wait, a_witness_stays_one,
		  every_option_that_needs_a_restart_keeps_its_value,
		  what_the_first_document_asks_for_and_the_cluster_has_not);
}
