/* SPDX-License-Identifier: PostgreSQL */
/* The local file: the known format, warnings, errors, defaults. */
#include <check.h>
#include <string.h>

#include "base/text.h"
#include "conf/methods.h"
#include "loaded.h"
#include "test/unit/run.h"

/* The least that a member with PostgreSQL needs. */
#define BASE \
	"scope: batman\n" \
	"name: node1\n" \
	"restapi: {listen: '127.0.0.1:8008'}\n"
#define RAFT "raft: {self_addr: '127.0.0.1:7500', data_dir: /tmp/r}\n"
#define PG \
	"postgresql:\n" \
	"  listen: 127.0.0.1:5432\n" \
	"  data_dir: /tmp/pg/\n"

START_TEST(a_key_without_a_value_is_refused_where_it_stands)
{
	refused("scope:\nname: x\n" RAFT, "1:1", "\"scope\" has no value");
	refused("scope: a\nname: ~\n" RAFT, "2:1", "\"name\" has no value");
	refused(BASE "raft: {self_addr: , data_dir: /x}\n", "4:8",
		"\"raft.self_addr\" has no value");
}
END_TEST

START_TEST(what_is_not_given_has_defaults)
{
	char buf[MT_ADDR_MAX];

	ck_assert_int_eq(load("scope: batman\nname: n\n"
			      "restapi: {listen: '*:8008'}\n"
			      "raft: {self_addr: '10.0.0.1:7500',"
			      " insecure: yes}\n"
			      "postgresql: {listen: '*', data_dir: /tmp/pg//}"),
			 0);
	ck_assert_str_eq(seen, "");
	ck_assert_str_eq(conf->namespace, "service");
	ck_assert_str_eq(conf->raft.data_dir, "/var/lib/matriarch/batman");
	ck_assert_str_eq(conf->postgresql.pgpass,
			 "/var/lib/matriarch/batman/pgpass");
	ck_assert_int_eq(conf->raft.election_timeout_ms, 400);
	ck_assert_int_eq(conf->raft.heartbeat_ms, 50);
	ck_assert_str_eq(
	    mt_addr_format(&conf->restapi.connect_address, buf, sizeof(buf)),
	    "10.0.0.1:8008");
	ck_assert_str_eq(
	    mt_addr_format(&conf->postgresql.connect_address, buf, sizeof(buf)),
	    "10.0.0.1:5432");
	ck_assert_str_eq(conf->postgresql.data_dir, "/tmp/pg");
	ck_assert_str_eq(conf->postgresql.database, "postgres");
	ck_assert_str_eq(conf->postgresql.superuser.username, "postgres");
	ck_assert_str_eq(conf->postgresql.listen_addresses, "*");
	ck_assert_int_eq(conf->postgresql.pg_ctl_timeout_ms, 60000);
	ck_assert_int_eq(conf->postgresql.use_pg_rewind, -1);
	ck_assert_int_eq(conf->failover_priority, 1);
	ck_assert(json_is_object(conf->bootstrap.dcs));
	ck_assert_ptr_null(conf->postgresql.pg_hba);
	mt_conf_free(conf);
}
END_TEST

START_TEST(a_file_without_postgresql_is_a_witness)
{
	ck_assert_int_eq(load(BASE RAFT), 0);
	ck_assert(!conf->has_postgresql);
	mt_conf_free(conf);
	refused(BASE RAFT "postgresql:\n", "5:1", "is empty");
}
END_TEST

START_TEST(an_unknown_key_is_warned_of_with_the_nearest_known_one)
{
	ck_assert_int_eq(load("scpoe: x\n" BASE RAFT PG "  parmeters: {a: 1}\n"
			      "  zzzzzzzzz: {a: 1}\n"
			      "bootstrap: {dcs: {max_lag_on_failover: 5,"
			      " retry_timout: 10}}\n"
			      "loop_wait: 5\n"
			      "tags: {rack: 7}\n"),
			 0);
	warned(
	    ":1:1: unknown key \"scpoe\" is ignored, did you mean \"scope\"");
	warned("\"postgresql.parmeters\" is ignored, did you mean "
	       "\"parameters\"");
	warned("unknown key \"postgresql.zzzzzzzzz\" is ignored\n");
	warned(":11:43: unknown key \"bootstrap.dcs.retry_timout\" is ignored, "
	       "did you mean \"retry_timeout\"");
	warned(":12:1: unknown key \"loop_wait\" is ignored, did you mean "
	       "\"bootstrap.dcs.loop_wait\"");
	ck_assert_ptr_null(strstr(seen, "rack"));
	mt_conf_free(conf);
}
END_TEST

START_TEST(sections_of_named_methods_are_no_unknown_keys)
{
	ck_assert_int_eq(
	    load(BASE RAFT PG
		 "  create_replica_methods: [wal_e, basebackup]\n"
		 "  wal_e: {command: x}\n"
		 "bootstrap: {method: pitr, pitr: {command: y}}\n"),
	    0);
	ck_assert_str_eq(seen, "");
	mt_conf_free(conf);
}
END_TEST

static const json_t *
method(const char *name)
{
	return json_object_get(conf->postgresql.replica_sections, name);
}

START_TEST(methods_have_their_sections)
{
	const struct mt_conf_postgresql *pg;

	ck_assert_int_eq(
	    load(BASE RAFT PG
		 "  create_replica_method: [a, basebackup, b, c]\n"
		 "  a: {command: x, keep_data: yes, no_leader: 0}\n"
		 "  b:\n"),
	    0);
	ck_assert_str_eq(seen, "");
	pg = &conf->postgresql;
	ck_assert_uint_eq(json_array_size(pg->create_replica_methods), 4);
	ck_assert(mt_method_says(method("a"), "keep_data"));
	ck_assert(!mt_method_says(method("a"), "no_leader"));
	ck_assert(!mt_method_says(method("a"), "no_params"));
	ck_assert_ptr_null(method("basebackup"));
	ck_assert(json_is_object(method("b")) && json_is_object(method("c")));
	ck_assert(!mt_method_says(method("c"), "keep_data"));
	ck_assert(mt_method_any(pg, "keep_data"));
	ck_assert(!mt_method_any(pg, "no_leader"));
	mt_conf_free(conf);
}
END_TEST

START_TEST(what_a_method_cannot_be_called_with_is_refused)
{
#define METHOD PG "  create_replica_methods: [m]\n"
	refused(BASE RAFT METHOD "  m: x\n", "", "must be a mapping");
	refused(BASE RAFT METHOD "  m: {a: [1]}\n", "", "a single value");
	refused(BASE RAFT METHOD "  m: {keep_data: maybe}\n", "",
		"true or false");
	refused(BASE RAFT METHOD "  m: {command: 3}\n", "", "a command line");
#undef METHOD
	refused(BASE RAFT "bootstrap: {method: m, m: {command: x, "
			  "recovery_conf: 1}}\n",
		"", "must be a mapping");
	refused(BASE RAFT "bootstrap: {method: m, m: {command: x, "
			  "recovery_conf: {a: [1]}}}\n",
		"", "a single value");
}
END_TEST

START_TEST(a_bootstrap_is_initdbs_or_a_commands)
{
	ck_assert_int_eq(load(BASE RAFT
			      "bootstrap: {method: initdb, post_init: a,"
			      " post_bootstrap: b, initdb: {locale: C}}\n"),
			 0);
	ck_assert_str_eq(seen, "");
	ck_assert_ptr_null(conf->bootstrap.section);
	ck_assert_str_eq(conf->bootstrap.post_bootstrap, "b");
	mt_conf_free(conf);
	ck_assert_int_eq(
	    load(BASE RAFT "bootstrap: {method: m, post_init: a, m: {command: "
			   "x, recovery_conf: {restore_command: y}}}\n"),
	    0);
	ck_assert_str_eq(seen, "");
	ck_assert_str_eq(conf->bootstrap.method, "m");
	ck_assert_uint_eq(json_object_size(conf->bootstrap.section), 2);
	ck_assert_str_eq(conf->bootstrap.post_bootstrap, "a");
	mt_conf_free(conf);
	ck_assert_int_eq(load(BASE RAFT "bootstrap: {method: m}\n"), 0);
	warned("has no command; initdb makes the cluster");
	ck_assert_ptr_null(conf->bootstrap.section);
	mt_conf_free(conf);
}
END_TEST

START_TEST(options_of_pg_rewind_are_a_list_or_taken_as_one)
{
	const json_t *list;

	ck_assert_int_eq(load(BASE RAFT PG "  rewind: [debug, {a: b}]\n"), 0);
	ck_assert_str_eq(seen, "");
	list = conf->postgresql.rewind_options;
	ck_assert_uint_eq(json_array_size(list), 2);
	ck_assert_str_eq(json_string_value(json_array_get(list, 0)), "debug");
	mt_conf_free(conf);
	ck_assert_int_eq(load(BASE RAFT PG "  rewind: {sync-method: x}\n"), 0);
	warned("\"postgresql.rewind\" is a mapping, not a list; taken as "
	       "options of pg_rewind: --sync-method");
	ck_assert_uint_eq(json_array_size(conf->postgresql.rewind_options), 1);
	mt_conf_free(conf);
}
END_TEST

START_TEST(missing_keys_are_named_with_an_example)
{
	refused("name: x\n" RAFT, " ", "\"scope\" is missing; add it, as in");
	refused("scope: x\n" RAFT, " ", "\"name\" is missing");
	refused("scope: x\nname: y\n" RAFT, " ", "restapi.listen");
	refused(BASE RAFT "postgresql:\n  data_dir: /x\n", "5:1",
		"\"postgresql.listen\" is missing");
	refused(BASE RAFT "postgresql:\n  listen: :5432\n", "5:1",
		"\"postgresql.data_dir\" is missing");
	refused(BASE "raft: {data_dir: /x}\n", "4:1", "raft.self_addr");
	refused("", " ", "the file is empty");
	refused("- a\n", " ", "not a mapping");
}
END_TEST

START_TEST(a_missing_raft_section_is_shown_as_a_line_that_can_be_pasted)
{
	char *begin, *end, text[1024];

	refused(BASE PG, " ", "section \"raft\" is missing; add a line");
	begin = strstr(last_err.text, "\"raft: {");
	ck_assert_ptr_nonnull(begin);
	end = strstr(begin, "}\"");
	ck_assert_ptr_nonnull(end);
	end[1] = '\0';
	mt_format(text, sizeof(text), BASE PG "%s\nnamespace: x\n", begin + 1);
	refused(text, "7:1", "say so by \"insecure: true\"");
}
END_TEST

START_TEST(wrong_types_and_values_are_refused_at_their_place)
{
	refused("scope: yes\nname: x\n" RAFT, "1:1", "put it in quotes");
	refused(BASE RAFT "postgresql: 5\n", "5:1", "must be a mapping");
	refused(BASE RAFT "postgresql:\n  listen: a:1:2\n  data_dir: /x\n",
		"6:3", "postgresql.listen");
	refused(BASE RAFT "postgresql:\n  listen: a:99999\n  data_dir: /x\n",
		"6:3", "no port from 1 to 65535");
	refused(BASE RAFT "postgresql:\n  listen: a:1\n  data_dir: ''\n", "7:3",
		"is empty");
	refused(BASE RAFT "postgresql:\n  listen: a:1\n  data_dir: pg\n", "7:3",
		"not an absolute path");
	refused(BASE RAFT "postgresql:\n  listen: a:1\n  data_dir: /\n", "7:3",
		"root directory");
	refused(BASE RAFT PG "  parameters: [a]\n", "8:3", "a mapping");
	refused(BASE RAFT PG "  pg_hba: {a: b}\n", "8:3", "a list of text");
	refused(BASE RAFT PG "  use_unix_socket: 7\n", "8:3", "true or false");
	refused(BASE RAFT "fencing: maybe\n", "5:1", "true or false");
	refused(BASE "raft: {self_addr: '*:1'}\n", "4:8", "bind_addr");
	refused(BASE "raft: {self_addr: 'a'}\n", "4:8", "has no port");
	refused("scope: a/b\nname: x\n" RAFT, "1:1", "slash");
	refused("scope: a\nname: \"x\\ny\"\n" RAFT, "2:1", "line break");
	refused("scope: a\nname: "
		"__patroni_strict_sync_replica_placeholder__\n" RAFT,
		"2:1", "reserved");
	refused("scope: x\nname: '*'\n" RAFT, "2:1", "any name");
}
END_TEST

START_TEST(clients_are_verified_by_an_authority_that_is_named)
{
	/* the section of BASE is on one line */
	static const char head[] = "scope: a\nname: x\n" RAFT "restapi:\n"
				   "  listen: '127.0.0.1:8008'\n";
	char text[1024];

	mt_format(text, sizeof(text), "%s  certfile: /x\n%s", head,
		  "  verify_client: always\n");
	refused(text, "7:3", "must be none,optional,required");
	mt_format(text, sizeof(text), "%s  certfile: /x\n%s", head,
		  "  verify_client: Required\n");
	refused(text, "7:3", "in small letters");
	mt_format(text, sizeof(text), "%s  certfile: /x\n%s", head,
		  "  verify_client: optional\n");
	refused(text, "7:3", "as \"restapi.cafile\"");
	mt_format(text, sizeof(text), "%s%s", head,
		  "  verify_client: required\n");
	ck_assert_int_eq(load(text), 0);
	warned("\"restapi.verify_client\" has no effect: without "
	       "\"restapi.certfile\"");
	mt_conf_free(conf);
	mt_format(text, sizeof(text), "%s  certfile: /x\n  cafile: /y\n%s",
		  head, "  verify_client: required\nctl: {insecure: on}\n");
	ck_assert_int_eq(load(text), 0);
	ck_assert_str_eq(seen, "");
	ck_assert_int_eq(conf->restapi.verify_client, 2);
	ck_assert_str_eq(conf->restapi.cafile, "/y");
	ck_assert(conf->ctl.insecure);
	mt_conf_free(conf);
}
END_TEST

START_TEST(the_store_must_not_lie_in_the_data_directory)
{
	refused(BASE
		"raft: {self_addr: '127.0.0.1:1', data_dir: /tmp/pg/r}\n" PG,
		"4:34", "of its own");
	ck_assert_int_eq(load(BASE "raft: {self_addr: '127.0.0.1:1',"
				   " data_dir: /tmp/pgr}\n" PG),
			 0);
	mt_conf_free(conf);
}
END_TEST

#define BEYOND "raft: {self_addr: '10.0.0.1:1', data_dir: /r"

START_TEST(connections_are_encrypted_by_one_of_two_ways)
{
	ck_assert_int_eq(load(BASE BEYOND ", password: short}\n"), 0);
	warned("\"raft.password\" is short");
	ck_assert_str_eq(conf->raft.password, "short");
	mt_conf_free(conf);
	ck_assert_int_eq(load(BASE BEYOND ", certfile: /c, keyfile: /k, "
					  "cafile: /a}\n"),
			 0);
	ck_assert_str_eq(seen, "");
	ck_assert_str_eq(conf->raft.certfile, "/c");
	ck_assert_str_eq(conf->raft.cafile, "/a");
	mt_conf_free(conf);
	refused(BASE BEYOND ", password: x, certfile: /c, cafile: /a}\n",
		"4:60", "two ways");
	refused(BASE BEYOND ", certfile: /c}\n", "4:47",
		"needs \"raft.cafile\"");
	refused(BASE BEYOND ", cafile: /c}\n", "4:47",
		"nothing without \"raft.certfile\"");
	refused(BASE BEYOND ", keyfile: /c}\n", "4:47",
		"nothing without \"raft.certfile\"");
}
END_TEST

START_TEST(plain_connections_beyond_loopback_need_the_users_word)
{
	refused(BASE "raft: {self_addr: '10.0.0.1:1'}\n", "4:1",
		"insecure: true");
	refused(BASE "raft: {self_addr: '127.0.0.1:1',"
		     " bind_addr: '*:1'}\n",
		"4:1", "insecure: true");
	refused(BASE "raft: {self_addr: '127.0.0.1:1',"
		     " partner_addrs: ['b:1']}\n",
		"4:1", "insecure: true");
}
END_TEST

START_TEST(partners_are_the_other_members_once_each)
{
	ck_assert_int_eq(load(BASE "raft: {self_addr: '127.0.0.1:1',"
				   " partner_addrs: ['localhost:2',"
				   " '127.0.0.1:1', 'LOCALHOST:2']}\n"),
			 0);
	ck_assert_uint_eq(conf->raft.n, 1);
	ck_assert_str_eq(conf->raft.partner_addrs[0].host, "localhost");
	mt_conf_free(conf);
	ck_assert_int_eq(load(BASE "raft: {self_addr: '127.0.0.1:1',"
				   " partner_addrs: 'localhost:2,[::1]:3'}\n"),
			 0);
	ck_assert_uint_eq(conf->raft.n, 2);
	mt_conf_free(conf);
	refused(BASE "raft: {self_addr: '127.0.0.1:1',\n"
		     "  partner_addrs: ['localhost:2', x]}\n",
		"5:34", "\"x\" has no port");
	refused(BASE "raft: {self_addr: '127.0.0.1:1',\n"
		     "  partner_addrs: ['localhost:2', 1429496729600]}\n",
		"5:3", "must be a list of text");
}
END_TEST

START_TEST(listen_takes_several_addresses)
{
	ck_assert_int_eq(load(BASE RAFT "postgresql:\n"
					"  listen: 127.0.0.1,[::1],Host:5433\n"
					"  data_dir: /tmp/pg\n"),
			 0);
	ck_assert_str_eq(conf->postgresql.listen_addresses,
			 "127.0.0.1,::1,host");
	ck_assert_uint_eq(conf->postgresql.port, 5433);
	ck_assert_str_eq(conf->postgresql.connect_address.host, "127.0.0.1");
	ck_assert_uint_eq(conf->postgresql.proxy_address.port, 0);
	mt_conf_free(conf);
	ck_assert_int_eq(load(BASE RAFT PG "  proxy_address: pool\n"), 0);
	ck_assert_str_eq(conf->postgresql.proxy_address.host, "pool");
	ck_assert_uint_eq(conf->postgresql.proxy_address.port, 5432);
	mt_conf_free(conf);
	refused(BASE RAFT PG "  proxy_address: 0.0.0.0:6432\n", "8:3",
		"write the proxy's address");
	ck_assert_int_eq(load(BASE RAFT "postgresql:\n"
					"  listen: '[::1]'\n"
					"  data_dir: /tmp/pg\n"),
			 0);
	ck_assert_uint_eq(conf->postgresql.port, 5432);
	mt_conf_free(conf);
}
END_TEST

START_TEST(passwords_never_stand_in_messages)
{
	ck_assert_int_eq(
	    load(BASE RAFT PG
		 "  authentication:\n"
		 "    superuser: {password: 12345678}\n"
		 "    replication: {pasword: hunter2}\n"
		 "bootstrap: {users: {a: {password: 87654321}}}\n"),
	    0);
	warned("\"postgresql.authentication.superuser.password\" is a number");
	warned("did you mean \"password\"");
	warned("the password of user \"a\" is a number");
	ck_assert_ptr_null(strstr(seen, "12345678"));
	ck_assert_ptr_null(strstr(seen, "hunter2"));
	ck_assert_ptr_null(strstr(seen, "87654321"));
	ck_assert_str_eq(conf->postgresql.superuser.password, "12345678");
	mt_conf_free(conf);
	refused(BASE RAFT PG "  authentication:\n"
			     "    superuser: {password: [hunter2]}\n",
		"9:17", "text in quotes");
	ck_assert_ptr_null(strstr(last_err.text, "hunter2"));
}
END_TEST

START_TEST(tags_that_contradict_are_said_and_nofailover_wins)
{
	ck_assert_int_eq(load(BASE RAFT "tags: {nofailover: true,"
					" failover_priority: 1}\n"),
			 0);
	warned("Conflicting configuration between nofailover: True and "
	       "failover_priority: 1. Defaulting to nofailover: True");
	ck_assert(conf->nofailover);
	ck_assert_int_eq(conf->failover_priority, 0);
	mt_conf_free(conf);
	ck_assert_int_eq(load(BASE RAFT "tags: {failover_priority: 0}\n"), 0);
	ck_assert(conf->nofailover);
	ck_assert_str_eq(seen, "");
	mt_conf_free(conf);
	ck_assert_int_eq(load(BASE RAFT "tags: {failover_priority: 5}\n"), 0);
	ck_assert(!conf->nofailover);
	ck_assert_int_eq(conf->failover_priority, 5);
	mt_conf_free(conf);
}
END_TEST

START_TEST(nosync_and_its_priority_agree_and_nosync_wins)
{
	ck_assert_int_eq(
	    load(BASE RAFT "tags: {nosync: 1, sync_priority: 3}\n"), 0);
	warned("Conflicting configuration between nosync: True and "
	       "sync_priority: 3. Defaulting to nosync: True");
	ck_assert(conf->nosync && !conf->nofailover);
	ck_assert_int_eq(conf->sync_priority, 0);
	ck_assert(json_is_true(json_object_get(conf->tags, "nosync")));
	mt_conf_free(conf);
	ck_assert_int_eq(load(BASE RAFT "tags: {sync_priority: -1}\n"), 0);
	ck_assert(conf->nosync);
	ck_assert_str_eq(seen, "");
	mt_conf_free(conf);
	ck_assert_int_eq(load(BASE RAFT "tags: {sync_priority: 7}\n"), 0);
	ck_assert(!conf->nosync);
	ck_assert_int_eq(conf->sync_priority, 7);
	mt_conf_free(conf);
}
END_TEST

START_TEST(values_below_the_minimum_are_said)
{
	ck_assert_int_eq(
	    load(BASE RAFT "bootstrap: {dcs: {ttl: 1, loop_wait: soon}}\n"), 0);
	warned("\"bootstrap.dcs.ttl\" is below its minimum and raised to 2000 "
	       "ms");
	warned("\"bootstrap.dcs.loop_wait\" must be a number of seconds");
	mt_conf_free(conf);
}
END_TEST

START_TEST(a_local_setting_wins_over_the_clusters)
{
	struct mt_settings s;

	ck_assert_int_eq(load(BASE RAFT PG "  use_pg_rewind: on\n"), 0);
	mt_settings_defaults(&s);
	mt_conf_overlay(conf, &s);
	ck_assert(s.use_pg_rewind);
	ck_assert(!s.remove_data_directory_on_rewind_failure);
	mt_conf_free(conf);
}
END_TEST

int
main(void)
{
	RUN_TESTS("conf", a_key_without_a_value_is_refused_where_it_stands,
		  what_is_not_given_has_defaults,
		  a_file_without_postgresql_is_a_witness,
		  an_unknown_key_is_warned_of_with_the_nearest_known_one,
		  sections_of_named_methods_are_no_unknown_keys,
		  methods_have_their_sections,
		  what_a_method_cannot_be_called_with_is_refused,
		  a_bootstrap_is_initdbs_or_a_commands,
		  options_of_pg_rewind_are_a_list_or_taken_as_one,
		  missing_keys_are_named_with_an_example,
		  a_missing_raft_section_is_shown_as_a_line_that_can_be_pasted,
		  wrong_types_and_values_are_refused_at_their_place,
		  clients_are_verified_by_an_authority_that_is_named,
		  the_store_must_not_lie_in_the_data_directory,
		  connections_are_encrypted_by_one_of_two_ways,
		  plain_connections_beyond_loopback_need_the_users_word,
		  partners_are_the_other_members_once_each,
		  listen_takes_several_addresses,
		  passwords_never_stand_in_messages,
		  tags_that_contradict_are_said_and_nofailover_wins,
		  nosync_and_its_priority_agree_and_nosync_wins,
		  values_below_the_minimum_are_said,
		  a_local_setting_wins_over_the_clusters);
}
