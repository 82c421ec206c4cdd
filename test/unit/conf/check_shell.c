/* SPDX-License-Identifier: PostgreSQL */
/* Which changes of the cluster's document can have programs run. */
#include "conf/shell.h"

#include <check.h>
#include <string.h>

#include "base/text.h"
#include "test/unit/run.h"

#define PG(x) "{'postgresql':{" x "}}"
#define GUC(x) PG("'parameters':{" x "}")

static const struct {
	const char *before, *after, *path; /* "" = none */
} rows[] = {
    {"{}", "{'ttl':9}", ""},
    {"{}", GUC("'work_mem':'1MB'"), ""},
    {"{}", GUC("'archive_command':'x'"),
     "postgresql.parameters.archive_command"},
    {GUC("'archive_command':'x'"), GUC("'archive_command':'x'"), ""},
    {GUC("'archive_command':'x'"), GUC("'archive_command':'y'"),
     "postgresql.parameters.archive_command"},
    {GUC("'archive_command':'x'"),
     GUC("'archive_command':'x','work_mem':'1MB'"), ""},
    /* taken away is changed, too, in whatever way */
    {GUC("'archive_command':'x'"), GUC(""),
     "postgresql.parameters.archive_command"},
    {GUC("'archive_command':'x'"), "{}",
     "postgresql.parameters.archive_command"},
    {GUC("'archive_command':'x'"), "{'postgresql':null}",
     "postgresql.parameters.archive_command"},
    {GUC("'archive_command':'x'"), "{'postgresql':7}",
     "postgresql.parameters.archive_command"},
    /* null is nothing, 1 is "1" */
    {"{}", GUC("'archive_command':null"), ""},
    {GUC("'archive_command':null"), "{}", ""},
    {GUC("'restore_command':1"), GUC("'restore_command':'1'"), ""},
    {"{}", GUC("'archive_command':{'a':1}"), ""},
    {"{}", GUC("'archive_command':['x']"),
     "postgresql.parameters.archive_command"},
    /* PostgreSQL's names, in any case and place */
    {"{}", GUC("'Archive_Command':'x'"),
     "postgresql.parameters.Archive_Command"},
    {"{}", GUC("'restore_command':'x'"),
     "postgresql.parameters.restore_command"},
    {"{}", GUC("'archive_cleanup_command':'x'"),
     "postgresql.parameters.archive_cleanup_command"},
    {"{}", GUC("'recovery_end_command':'x'"),
     "postgresql.parameters.recovery_end_command"},
    {"{}", GUC("'ssl_passphrase_command':'x'"),
     "postgresql.parameters.ssl_passphrase_command"},
    {"{}", GUC("'ssl_passphrase_command_supports_reload':'on'"), ""},
    {"{}", GUC("'shared_preload_libraries':'x'"),
     "postgresql.parameters.shared_preload_libraries"},
    {"{}", GUC("'session_preload_libraries':'x'"),
     "postgresql.parameters.session_preload_libraries"},
    {"{}", GUC("'local_preload_libraries':'x'"),
     "postgresql.parameters.local_preload_libraries"},
    {"{}", GUC("'dynamic_library_path':'x'"),
     "postgresql.parameters.dynamic_library_path"},
    {"{}", GUC("'archive_library':'x'"),
     "postgresql.parameters.archive_library"},
    {"{}", GUC("'jit_provider':'x'"), "postgresql.parameters.jit_provider"},
    {"{}", GUC("'plperl.on_plperlu_init':'x'"),
     "postgresql.parameters.plperl.on_plperlu_init"},
    {"{}", GUC("'search_path':'x','log_replication_commands':'on'"), ""},
    {"{}", PG("'parameters_primary':{'archive_command':'x'}"),
     "postgresql.parameters_primary.archive_command"},
    {"{}", PG("'parameters_replica':{'archive_command':'x'}"),
     "postgresql.parameters_replica.archive_command"},
    {"{}", PG("'parameters_standby_leader':{'restore_command':'x'}"),
     "postgresql.parameters_standby_leader.restore_command"},
    {"{}", PG("'recovery_conf':{'restore_command':'x'}"),
     "postgresql.recovery_conf.restore_command"},
    {"{}", "{'standby_cluster':{'host':'h','port':1}}", ""},
    {"{}", "{'standby_cluster':{'host':'h','restore_command':'x'}}",
     "standby_cluster.restore_command"},
    {"{}", "{'standby_cluster':{'archive_cleanup_command':'x'}}",
     "standby_cluster.archive_cleanup_command"},
    {"{}", "{'standby_cluster':{'create_replica_methods':['x']}}",
     "standby_cluster.create_replica_methods"},
    /* the daemon's own */
    {"{}", PG("'callbacks':{'on_start':'x'}"), "postgresql.callbacks.on_start"},
    {"{}", PG("'callbacks':{'new_one':'x'}"), "postgresql.callbacks.new_one"},
    {"{}", PG("'callbacks':'x'"), "postgresql.callbacks"},
    {"{}", PG("'pre_promote':'x'"), "postgresql.pre_promote"},
    {"{}", PG("'before_stop':'x'"), "postgresql.before_stop"},
    {"{}", PG("'create_replica_methods':['x']"),
     "postgresql.create_replica_methods"},
    {PG("'create_replica_methods':['x']"), PG("'create_replica_methods':['x']"),
     ""},
    {"{}", PG("'create_replica_method':'x'"),
     "postgresql.create_replica_method"},
    {"{}", PG("'mine':{'command':'x'}"), "postgresql.mine.command"},
    {"{}", PG("'mine':{'keep_data':true}"), "postgresql.mine.keep_data"},
    {"{}", PG("'bin_dir':'/x'"), "postgresql.bin_dir"},
    {"{}", PG("'bin_name':{'initdb':'x'}"), "postgresql.bin_name.initdb"},
    {"{}", PG("'custom_conf':'/x'"), "postgresql.custom_conf"},
    {"{}", PG("'use_pg_rewind':true,'pg_hba':['x']"), ""},
    {"{}", PG("'basebackup':['verbose']"), ""},
    {"{}", "{'bootstrap':{'mine':{'command':'x'}}}", "bootstrap.mine.command"},
    {"{}", "{'bootstrap':{'post_init':'x'}}", "bootstrap.post_init"},
    /* slots */
    {"{}", "{'slots':{'a':{'type':'logical','plugin':'pgoutput'}}}", ""},
    {"{}", "{'slots':{'a':{'type':'logical','plugin':'/tmp/x.so'}}}",
     "slots.a.plugin"},
};

static json_t *
parse(const char *text)
{
	char buf[512];
	json_t *v;

	mt_copy(buf, sizeof(buf), text);
	for (char *p = buf; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	v = json_loads(buf, 0, NULL);
	ck_assert_msg(v != NULL, "%s", text);
	return v;
}

START_TEST(a_change_is_told_by_its_first_path)
{
	json_t *before = parse(rows[_i].before), *after = parse(rows[_i].after);
	char path[128] = "";
	bool differs = mt_conf_shell_differs(before, after, path, sizeof(path));

	ck_assert_msg(strcmp(path, rows[_i].path) == 0, "%s to %s: \"%s\"",
		      rows[_i].before, rows[_i].after, path);
	ck_assert(differs == (rows[_i].path[0] != '\0'));
	json_decref(before);
	json_decref(after);
}
END_TEST

START_TEST(without_a_document_all_is_new)
{
	json_t *doc = parse(GUC("'archive_command':'x'"));
	char path[12];

	ck_assert(mt_conf_shell_differs(NULL, doc, path, sizeof(path)));
	ck_assert_str_eq(path, "postgresql.");
	ck_assert(mt_conf_shell_differs(doc, NULL, path, sizeof(path)));
	ck_assert(!mt_conf_shell_differs(NULL, NULL, path, sizeof(path)));
	json_decref(doc);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("shell");
	TCase *tc = tcase_create("shell");

	tcase_add_loop_test(tc, a_change_is_told_by_its_first_path, 0,
			    (int)MT_COUNT(rows));
	tcase_add_test(tc, without_a_document_all_is_new);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
