/* SPDX-License-Identifier: PostgreSQL */
/*
 * The chapters of the story about commands of the operator's: those that make
 * replicas, and those that make the cluster.
 */
#include "story.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "pg/files.h"

void
set_methods(const char *names, const char *sections)
{
	struct mt_conf_postgresql *pg = &b.conf->postgresql;

	json_decref(pg->create_replica_methods);
	json_decref(pg->replica_sections);
	pg->create_replica_methods = json_loads(names, 0, NULL);
	pg->replica_sections = json_loads(sections, 0, NULL);
	ck_assert(pg->create_replica_methods != NULL &&
		  pg->replica_sections != NULL);
}

#define KEEPS "{\"k\": {\"command\": \"/bin/true\", \"keep_data\": true}}"
#define RESTORES \
	"{\"k\": {\"command\": \"/bin/true\", \"keep_data\": true," \
	" \"no_leader\": true}}"

START_TEST(a_clone_that_no_method_makes_tells_the_reason_of_each)
{
	struct mt_pg_job_options o = job_options(&b, a.url);
	struct mt_pg_job *job;

	set_methods("[\"bad\", \"liar\"]", "{" STORY_FAILS "}");
	ck_assert_int_eq(mt_pg_clone_start(&job, &o, &last_err), 0);
	wait_for(&done);
	ck_assert_ptr_nonnull(strstr(b.result.err.text, "bad: "));
	ck_assert_ptr_nonnull(strstr(b.result.err.text, "two"));
	ck_assert_ptr_nonnull(strstr(b.result.err.text, "; liar: "));
	ck_assert_ptr_nonnull(strstr(b.result.err.text, "no whole data"));
	expect_unfinished(&b, "clone");
	/* Without a source none of them is to be tried. */
	o.source_url = "";
	ck_assert_int_eq(mt_pg_clone_start(&job, &o, &last_err), MT_EINVAL);
	ck_assert_ptr_nonnull(strstr(last_err.text, "without a primary"));
	telling = false;
}
END_TEST

static void
slept(uv_timer_t *t)
{
	*(int *)t->data = 1;
}

START_TEST(pg_basebackup_is_tried_twice_with_a_pause)
{
	struct mt_pg_job_options o =
	    job_options(&b, "postgres://127.0.0.1:1/postgres");
	int64_t since = mt_clock_ms();
	struct mt_pg_job *job;
	uv_timer_t timer;
	int over = 0;

	/* Whatever the methods are: a plain copy was asked for. */
	set_methods("[\"bad\"]", "{" STORY_FAILS "}");
	o.plain = true;
	ck_assert_int_eq(mt_pg_clone_start(&job, &o, &last_err), 0);
	wait_for(&done);
	ck_assert_int_ge(mt_clock_ms() - since, 5000);
	ck_assert_ptr_nonnull(strstr(b.result.err.text, "basebackup: "));
	expect_unfinished(&b, "clone");
	set_methods("[\"basebackup\"]", "{}");
	/* Nor does a cancel wait for the pause's end. */
	o = job_options(&b, "postgres://127.0.0.1:1/postgres");
	since = mt_clock_ms();
	ck_assert_int_eq(mt_pg_clone_start(&job, &o, &last_err), 0);
	uv_timer_init(&loop, &timer);
	timer.data = &over;
	uv_timer_start(&timer, slept, 1500, 0);
	wait_for(&over);
	uv_close((uv_handle_t *)&timer, NULL);
	ck_assert_int_eq(done, 0);
	mt_pg_job_cancel(job);
	wait_for(&done);
	ck_assert_int_eq(b.result.err.code, MT_ECANCELED);
	ck_assert_int_lt(mt_clock_ms() - since, 4500);
	telling = false;
}
END_TEST

START_TEST(a_method_may_go_by_the_data_that_is_there)
{
	struct mt_pg_job_options o = job_options(&b, a.url);
	uint64_t before = b.result.data_id, id = 0;
	struct mt_pg_job *job;

	set_methods("[\"k\"]", KEEPS);
	o.sysid = "7";
	ck_assert_int_eq(mt_pg_clone_start(&job, &o, &last_err), 0);
	wait_for(&done);
	ck_assert_ptr_nonnull(strstr(b.result.err.text, "this cluster is 7"));
	expect_unfinished(&b, "clone");
	o = job_options(&b, a.url);
	o.sysid = a.result.sysid;
	ck_assert_int_eq(mt_pg_clone_start(&job, &o, &last_err), 0);
	wait_for(&done);
	ck_assert_msg(b.result.err.code == 0, "%s", b.result.err.text);
	ck_assert_int_eq(
	    mt_pg_data_id_read(b.conf->postgresql.data_dir, &id, NULL), 0);
	ck_assert_uint_eq(id, b.result.data_id);
	ck_assert_uint_ne(id, before);
	expect_unfinished(&b, "nothing");
	telling = false;
}
END_TEST

START_TEST(what_was_made_without_a_source_is_marked_as_restored)
{
	struct mt_pg_job_options o = job_options(&b, "");
	char path[MT_CONF_PATH_MAX + 16];
	struct mt_pg_job *job;

	mt_format(path, sizeof(path), "%s/promote",
		  b.conf->postgresql.data_dir);
	ck_assert_int_eq(mt_file_write(path, "", 0, 0600, NULL), 0);
	set_methods("[\"basebackup\", \"k\"]", RESTORES);
	ck_assert_int_eq(mt_pg_clone_start(&job, &o, &last_err), 0);
	wait_for(&done);
	ck_assert_msg(b.result.err.code == 0, "%s", b.result.err.text);
	ck_assert(!mt_file_exists(path));
	ck_assert(mt_pg_has_standby_signal(b.conf->postgresql.data_dir));
	expect_unfinished(&b, MT_PG_RESTORED);
	ck_assert_int_eq(mt_pg_unfinished_clear(b.conf->raft.data_dir, NULL),
			 0);
	set_methods("[\"basebackup\"]", "{}");
	telling = false;
}
END_TEST

/* What makes the cluster of a: initdb as a command, with this superuser. */
static void
set_bootstrap(const char *superuser)
{
	char command[512];

	mt_format(command, sizeof(command),
		  "%s/initdb -A trust --no-sync -U %s -D %s", bins.dir,
		  superuser, a.conf->postgresql.data_dir);
	mt_copy(a.conf->bootstrap.method, sizeof(a.conf->bootstrap.method),
		"made");
	json_decref(a.conf->bootstrap.section);
	a.conf->bootstrap.section =
	    json_pack("{s:s,s:b}", "command", command, "no_params", 1);
}

START_TEST(a_commands_cluster_without_the_superuser_is_set_aside)
{
	struct mt_pg_job_options o = job_options(&a, NULL);
	struct mt_pg_job *job;

	set_bootstrap("somebody");
	ck_assert_int_eq(mt_pg_bootstrap_start(&job, &o, &last_err), 0);
	wait_for(&done);
	ck_assert_ptr_nonnull(strstr(a.result.err.text, "could not log in"));
	ck_assert_ptr_nonnull(strstr(a.result.err.text, "chief"));
	expect_unfinished(&a, "nothing");
	mt_format(value, sizeof(value), "%s.failed/PG_VERSION",
		  a.conf->postgresql.data_dir);
	ck_assert(mt_file_exists(value));
	ck_assert(!mt_file_exists(a.conf->postgresql.data_dir));
	telling = false;
}
END_TEST

START_TEST(a_commands_cluster_has_our_users_afterwards)
{
	struct mt_pg_job_options o = job_options(&a, NULL);
	struct mt_pg_job *job;

	set_bootstrap("chief");
	mt_copy(a.conf->bootstrap.post_bootstrap,
		sizeof(a.conf->bootstrap.post_bootstrap),
		"/bin/sh -c 'echo out of luck >&2; exit 7' post");
	ck_assert_int_eq(mt_pg_bootstrap_start(&job, &o, &last_err), 0);
	wait_for(&done);
	ck_assert_ptr_nonnull(strstr(a.result.err.text, "post_bootstrap"));
	ck_assert_ptr_nonnull(strstr(a.result.err.text, "out of luck"));
	expect_unfinished(&a, "nothing");
	/* Both users are there, whoever has made them, and can log in. */
	mt_copy(a.conf->bootstrap.post_bootstrap,
		sizeof(a.conf->bootstrap.post_bootstrap),
		"/bin/sh -c 'test -n \"$PGPASSFILE\"' post");
	o = job_options(&a, NULL);
	ck_assert_int_eq(mt_pg_bootstrap_start(&job, &o, &last_err), 0);
	wait_for(&done);
	ck_assert_msg(a.result.err.code == 0, "%s", a.result.err.text);
	ck_assert_uint_ne(a.result.data_id, 0);
	expect_unfinished(&a, "nothing");
	start_server(&a, NULL);
	ck_assert_int_eq(ask(&a,
			     "SELECT string_agg(rolname, ' ' ORDER BY rolname)"
			     " FROM pg_authid WHERE rolpassword IS NOT NULL",
			     0),
			 0);
	ck_assert_str_eq(value, "ad\"min chief replicator rewinder");
	stop_server(&a, SIGINT);
	telling = false;
}
END_TEST

void
add_failed_clone_chapters(TCase *t)
{
	tcase_add_test(t,
		       a_clone_that_no_method_makes_tells_the_reason_of_each);
	tcase_add_test(t, pg_basebackup_is_tried_twice_with_a_pause);
}

void
add_method_chapters(TCase *t)
{
	tcase_add_test(t, a_method_may_go_by_the_data_that_is_there);
	tcase_add_test(t, what_was_made_without_a_source_is_marked_as_restored);
}

void
add_bootstrap_chapters(TCase *t)
{
	tcase_add_test(t,
		       a_commands_cluster_without_the_superuser_is_set_aside);
	tcase_add_test(t, a_commands_cluster_has_our_users_afterwards);
}
