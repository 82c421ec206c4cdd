/* SPDX-License-Identifier: PostgreSQL */
/*
 * The chapters of the story about a cluster out of a backup that says itself by
 * what it is recovered, and to where: a was made by a command, and is down.
 */
#include "story.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "pg/files.h"

/* It leaves the backup in $2, its settings in $1, and what asks for them. */
#define SCRIPT \
	"cp -a %s/backup/. $2 || exit 1\n" \
	"[ $1 = auto ] || mv $2/postgresql.base.conf $2/postgresql.conf\n" \
	"[ $1 = auto ] && to=postgresql.auto.conf || to=postgresql.conf\n" \
	"cat >>$2/$to <<END\n" \
	"restore_command = 'cp %s/wal/%%f \"%%p\"'\n" \
	"recovery_target_name = 'here'\n" \
	"recovery_target_action = '$3'\n" \
	"END\n" \
	">$2/recovery.signal\n"

static void
do_sql(const char *sql)
{
	ck_assert_msg(ask(&a, sql, 0) == 0, "%s: %s", sql, last_err.text);
}

/* One row is in the backup, another at the target, the last beyond it. */
static void
make_backup(void)
{
	char text[1024], path[128];

	mt_format(path, sizeof(path), "%s/wal", top);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	mt_format(text, sizeof(text), "cp \"%%p\" %s/%%f", path);
	json_object_set_new(a.parameters, "fsync", json_string("off"));
	archives_by(&a, text);
	start_server(&a, NULL);
	do_sql("CREATE TABLE public.kept AS SELECT 'backup' AS x");
	mt_format(text, sizeof(text),
		  "COPY (SELECT 1) TO PROGRAM '%s/pg_basebackup -w -N -c fast"
		  " -X fetch -U chief -h 127.0.0.1 -p %u -D %s/backup'",
		  bins.dir, (unsigned)a.conf->postgresql.port, top);
	do_sql(text);
	do_sql("INSERT INTO public.kept VALUES ('target')");
	do_sql("SELECT pg_create_restore_point('here')");
	do_sql("INSERT INTO public.kept VALUES ('later')");
	do_sql("SELECT pg_switch_wal()");
	stop_server(&a, SIGINT); /* which archives what waits */
	json_object_del(a.parameters, "archive_mode");
	json_object_del(a.parameters, "archive_command");
	mt_format(text, sizeof(text), SCRIPT, top, top);
	mt_format(path, sizeof(path), "%s/restore", top);
	ck_assert_int_eq(mt_file_write(path, text, strlen(text), 0600, NULL),
			 0);
}

/* The cluster of a is made anew, with the settings there. */
static void
restore(const char *settings, const char *action, bool keeps)
{
	struct mt_pg_job_options o = job_options(&a, NULL);
	struct mt_pg_job *job;
	char command[512];

	ck_assert_int_eq(mt_pg_discard_start(&job, &o, &last_err), 0);
	wait_for(&done);
	ck_assert_int_eq(a.result.err.code, 0);
	mt_format(command, sizeof(command), "/bin/sh %s/restore %s %s %s", top,
		  settings, a.conf->postgresql.data_dir, action);
	json_decref(a.conf->bootstrap.section);
	a.conf->bootstrap.section =
	    json_pack("{s:s,s:b,s:b}", "command", command, "no_params", 1,
		      "keep_existing_recovery_conf", keeps);
	o = job_options(&a, NULL);
	ck_assert_int_eq(mt_pg_bootstrap_start(&job, &o, &last_err), 0);
	wait_for(&done);
}

static void
expect_rows(const char *want)
{
	ck_assert_msg(a.result.err.code == 0, "%s", a.result.err.text);
	start_server(&a, NULL);
	do_sql("SELECT string_agg(x, ' ') FROM public.kept");
	ck_assert_str_eq(value, want);
	/* What it was recovered by does not outlive the recovery. */
	do_sql("SELECT current_setting('recovery_target_name')"
	       " || pg_is_in_recovery()");
	ck_assert_str_eq(value, "false");
	stop_server(&a, SIGINT);
}

START_TEST(a_backup_that_says_its_target_is_recovered_to_there_if_wanted)
{
	make_backup();
	restore("auto", "promote", true);
	expect_rows("backup target");
	restore("main", "promote", true);
	expect_rows("backup target");
	restore("auto", "promote", false);
	expect_rows("backup");
	telling = false;
}
END_TEST

START_TEST(a_target_that_nobody_ends_fails_the_bootstrap)
{
	static const char *const actions[] = {"pause", "Shutdown"};
	struct mt_pg_job_options o = job_options(&a, NULL);
	struct mt_pg_job *job;

	restore("auto", "pause", true);
	ck_assert_int_ne(a.result.err.code, 0);
	ck_assert_ptr_nonnull(strstr(a.result.err.text, "server that makes"));
	ck_assert(!mt_file_exists(a.conf->postgresql.data_dir));
	for (size_t i = 0; i < MT_COUNT(actions); i++) {
		json_object_set_new(
		    a.conf->bootstrap.section, "recovery_conf",
		    json_pack("{s:s}", "recovery_target_action", actions[i]));
		ck_assert_int_eq(mt_pg_bootstrap_start(&job, &o, &last_err),
				 MT_EINVAL);
		ck_assert_ptr_nonnull(
		    strstr(last_err.text, "recovery_target_action"));
		ck_assert_ptr_nonnull(strstr(last_err.text, actions[i]));
		ck_assert_ptr_nonnull(strstr(last_err.text, "must be promote"));
	}
	telling = false;
}
END_TEST

void
add_restore_chapters(TCase *t)
{
	tcase_add_test(
	    t, a_backup_that_says_its_target_is_recovered_to_there_if_wanted);
	tcase_add_test(t, a_target_that_nobody_ends_fails_the_bootstrap);
}
