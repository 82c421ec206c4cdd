/* SPDX-License-Identifier: PostgreSQL */
/*
 * The long works and the session against real servers: one story, told by tests
 * that follow one another in this process. Servers are children that end with
 * it. Run as root it becomes postgres, else nobody. The chapters about the
 * session are in story_session.c.
 */
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>

#include "base/text.h"
#include "pg/control.h"
#include "pg/files.h"
#include "story.h"

/* ---- the story ---- */

START_TEST(bootstrap_makes_a_cluster_with_its_users)
{
	struct mt_pg_job_options o;
	struct mt_pg_job *job;
	uint64_t id = 0;

	make_node(&a, "a");
	make_node(&b, "b-1");
	o = job_options(&a, NULL);
	ck_assert_int_eq(mt_pg_bootstrap_start(&job, &o, &last_err), 0);
	ck_assert_int_eq(done, 0);
	wait_for(&done);
	ck_assert_msg(a.result.err.code == 0, "%s", a.result.err.text);
	ck_assert_uint_gt(strlen(a.result.sysid), 10);
	ck_assert_int_eq(
	    mt_pg_data_id_read(a.conf->postgresql.data_dir, &id, NULL), 0);
	ck_assert_uint_eq(id, a.result.data_id);
	a.data_id = id;
	expect_unfinished(&a, "nothing");
	telling = false;
}
END_TEST

START_TEST(bootstrap_refuses_a_directory_with_something_in_it)
{
	struct mt_pg_job_options o = job_options(&a, NULL);
	struct mt_pg_job *job;

	ck_assert_int_eq(mt_pg_bootstrap_start(&job, &o, &last_err), 0);
	wait_for(&done);
	ck_assert_int_eq(a.result.err.code, MT_EREFUSED);
	expect_unfinished(&a, "nothing");
	telling = false;
}
END_TEST

START_TEST(a_job_leaves_a_directory_alone_in_which_a_server_runs)
{
	struct mt_pg_job_options o = job_options(&a, NULL);
	struct mt_pg_job *job;

	ck_assert_int_eq(mt_pg_discard_start(&job, &o, &last_err), 0);
	wait_for(&done);
	ck_assert_int_eq(a.result.err.code, MT_EBUSY);
	expect_unfinished(&a, "nothing");
	telling = false;
}
END_TEST

START_TEST(a_canceled_clone_says_so_and_leaves_the_marker)
{
	struct mt_pg_job_options o = job_options(&b, a.url);
	struct mt_pg_job *job;

	ck_assert_int_eq(mt_pg_clone_start(&job, &o, &last_err), 0);
	mt_pg_job_cancel(job);
	mt_pg_job_cancel(job);
	wait_for(&done);
	ck_assert_int_eq(b.result.err.code, MT_ECANCELED);
	expect_unfinished(&b, "clone");
	telling = false;
}
END_TEST

START_TEST(a_clone_is_the_same_cluster_with_another_data_id)
{
	struct mt_pg_job_options o = job_options(&b, a.url);
	struct mt_pg_job *job;

	set_methods("[\"bad\", \"liar\", \"basebackup\"]", "{" STORY_FAILS "}");
	ck_assert_int_eq(ask(&a, "CREATE TABLE public.t AS SELECT 1 AS x", 0),
			 0);
	o = job_options(&b, a.url);
	ck_assert_int_eq(mt_pg_clone_start(&job, &o, &last_err), 0);
	wait_for(&done);
	ck_assert_msg(b.result.err.code == 0, "%s", b.result.err.text);
	ck_assert_int_eq(progress, 100);
	ck_assert_str_eq(b.result.sysid, info.sysid);
	ck_assert_uint_ne(b.result.data_id, a.data_id);
	ck_assert(mt_pg_has_standby_signal(b.conf->postgresql.data_dir));
	expect_unfinished(&b, "nothing");
	telling = false;
}
END_TEST

START_TEST(a_clone_streams_from_its_upstream)
{
	make_session(&b);
	start_server(&b, &a);
	ck_assert(until(&b, is_streaming));
	ck_assert(info.in_recovery && info.has_receiver);
	ck_assert_uint_eq(info.timeline, 1);
	ck_assert_uint_gt(info.replayed_lsn, 0);
	look(&a);
	ck_assert_int_eq(info.n_walsenders, 1);
	ck_assert_str_eq(info.walsenders[0].application_name, "b-1");
	ck_assert_str_eq(info.walsenders[0].usename, "replicator");
	ck_assert_str_eq(info.walsenders[0].client_addr, "127.0.0.1/32");
	telling = false;
}
END_TEST

START_TEST(a_promoted_standby_has_a_history)
{
	stop_server(&a, SIGQUIT);
	done = 0;
	mt_session_promote(b.session, 0, stmt_done, NULL);
	wait_for(&done);
	ck_assert_int_eq(last_err.code, 0);
	ck_assert(until(&b, is_primary));
	ck_assert_uint_eq(info.timeline, 2);
	done = 0;
	mt_session_history(b.session, 2, 0, stmt_done, NULL);
	wait_for(&done);
	ck_assert_int_eq(last_err.code, 0);
	ck_assert_int_eq(strncmp(value, "1\t0/", 4), 0);
	done = 0;
	mt_session_checkpoint(b.session, 0, stmt_done, NULL);
	wait_for(&done);
	ck_assert_int_eq(last_err.code, 0);
	done = 0;
	mt_session_slot_create(b.session, "a", 0, stmt_done, NULL);
	wait_for(&done);
	ck_assert_int_eq(last_err.code, 0);
	telling = false;
}
END_TEST

START_TEST(a_rewind_without_source_leaves_everything_as_it_was)
{
	struct mt_pg_job_options o;
	struct mt_pg_job *job;
	uint64_t id = 0;

	/* a goes on alone, and crashes: it has diverged. */
	start_server(&a, NULL);
	ck_assert_int_eq(ask(&a,
			     "INSERT INTO public.t SELECT"
			     " generate_series(1, 5000)",
			     0),
			 0);
	stop_server(&a, SIGQUIT);
	o = job_options(&a, "postgres://127.0.0.1:1/postgres");
	ck_assert_int_eq(mt_pg_rewind_start(&job, &o, &last_err), 0);
	wait_for(&done);
	ck_assert_int_ne(a.result.err.code, 0);
	ck_assert(a.result.untouched && a.result.no_source);
	ck_assert_int_eq(
	    mt_pg_data_id_read(a.conf->postgresql.data_dir, &id, NULL), 0);
	ck_assert_uint_eq(id, a.data_id);
	expect_unfinished(&a, "nothing");
	telling = false;
}
END_TEST

START_TEST(a_rewind_is_given_the_options_of_the_configuration)
{
	struct mt_pg_job_options o = job_options(&a, b.url);
	struct mt_conf *c = a.conf;
	struct mt_pg_job *job;

	c->postgresql.rewind_options = json_pack("[{s:i}]", "no-such", 1);
	ck_assert_int_eq(mt_pg_rewind_start(&job, &o, &last_err), 0);
	wait_for(&done);
	/* Its last word on an option that it does not know. */
	ck_assert_msg(strstr(a.result.err.text, "pg_rewind --help") != NULL,
		      "%s", a.result.err.text);
	ck_assert(a.result.untouched && !a.result.no_source);
	json_decref(c->postgresql.rewind_options);
	c->postgresql.rewind_options = NULL;
	telling = false;
}
END_TEST

static struct mt_pg_control control;

static void
control_done(void *arg, const struct mt_pg_control *c, const struct mt_err *err)
{
	(void)arg;
	ck_assert_msg(c != NULL, "%s", err ? err->text : "");
	control = *c;
	done = 1;
}

static void
read_control(struct node *n)
{
	done = 0;
	ck_assert_int_eq(mt_pg_control_read(NULL, &loop, &bins,
					    n->conf->postgresql.data_dir,
					    control_done, NULL, &last_err),
			 0);
	wait_for(&done);
}

/* The segment of this position; on timeline 1 all of them begin alike. */
static bool
has_segment(struct node *n, uint64_t lsn)
{
	uint64_t number = lsn / control.wal_segment_bytes;
	uint64_t each = (UINT64_C(1) << 32) / control.wal_segment_bytes;
	char path[512];

	mt_format(path, sizeof(path), "%s/pg_wal/00000001%08X%08X",
		  n->conf->postgresql.data_dir, (unsigned)(number / each),
		  (unsigned)(number % each));
	return mt_file_exists(path);
}

/* The number that was the postmaster's is another process's by now. */
static pid_t
give_its_number_away(struct node *n)
{
	char path[512], text[32];
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	ck_assert_int_gt(pid, 0);
	mt_format(path, sizeof(path), "%s/postmaster.pid",
		  n->conf->postgresql.data_dir);
	mt_format(text, sizeof(text), "%ld\n", (long)pid);
	ck_assert_int_eq(mt_file_write(path, text, strlen(text), 0600, NULL),
			 0);
	return pid;
}

/* As if it had been archived: recovery may remove it. */
static void
call_it_archived(struct node *n, uint64_t lsn)
{
	char ready[512], done_[512];
	uint64_t number = lsn / control.wal_segment_bytes;

	mt_format(ready, sizeof(ready),
		  "%s/pg_wal/archive_status/0000000100000000%08X.ready",
		  n->conf->postgresql.data_dir, (unsigned)number);
	mt_copy(done_, sizeof(done_), ready);
	mt_copy(strrchr(done_, '.'), sizeof(".ready"), ".done");
	ck_assert_int_eq(rename(ready, done_), 0);
}

static void
recover(struct node *n)
{
	struct mt_pg_job_options o = job_options(n, NULL);
	struct mt_pg_job *job;

	ck_assert_int_eq(mt_pg_recover_start(&job, &o, &last_err), 0);
	wait_for(&done);
}

START_TEST(a_copy_that_was_never_started_is_not_recovered)
{
	char path[512];

	mt_format(path, sizeof(path), "%s/backup_label",
		  a.conf->postgresql.data_dir);
	ck_assert_int_eq(mt_file_write(path, "", 0, 0600, NULL), 0);
	recover(&a);
	ck_assert_int_eq(a.result.err.code, MT_EREFUSED);
	ck_assert_ptr_nonnull(strstr(a.result.err.text, "backup_label"));
	ck_assert_int_eq(mt_file_remove(path, NULL), 0);
	expect_unfinished(&a, "nothing");
	telling = false;
}
END_TEST

START_TEST(a_recovery_that_fails_has_the_servers_words)
{
	json_t *old = a.parameters;

	a.parameters = json_deep_copy(old);
	json_object_set_new(a.parameters, "shared_buffers",
			    json_string("nonsense"));
	recover(&a);
	json_decref(a.parameters);
	a.parameters = old;
	ck_assert_int_eq(a.result.err.code, MT_EPROTO);
	ck_assert_msg(strstr(a.result.err.text, "contains errors"), "%s",
		      a.result.err.text);
	expect_unfinished(&a, "nothing");
	telling = false;
}
END_TEST

START_TEST(a_crashed_primary_is_shut_down_with_all_that_a_rewind_needs)
{
	uint64_t id = 0, redo;
	pid_t other;

	archives_by(&a, "false");
	start_server(&a, NULL);
	/* Nothing else shall keep the segments. */
	ck_assert_int_eq(ask(&a,
			     "SELECT pg_drop_replication_slot(slot_name)"
			     " FROM pg_replication_slots",
			     0),
			 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(ask(&a, "INSERT INTO public.t VALUES (7)", 0),
				 0);
		ck_assert_int_eq(ask(&a, "SELECT pg_switch_wal()", 0), 0);
	}
	stop_server(&a, SIGQUIT);
	read_control(&a);
	ck_assert_int_eq(control.state, MT_PGCTL_PRODUCTION);
	redo = control.redo_lsn;
	ck_assert(has_segment(&a, redo));
	call_it_archived(&a, redo);
	other = give_its_number_away(&a);
	recover(&a);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	ck_assert_msg(a.result.err.code == 0, "%s", a.result.err.text);
	ck_assert_int_eq(progress, -1); /* in words */
	read_control(&a);
	ck_assert_int_eq(control.state, MT_PGCTL_SHUT_DOWN);
	ck_assert_uint_eq(control.timeline, 1);
	ck_assert_uint_gt(control.redo_lsn, redo);
	ck_assert_msg(has_segment(&a, redo), "pg_rewind could not read it");
	ck_assert_int_eq(
	    mt_pg_data_id_read(a.conf->postgresql.data_dir, &id, NULL), 0);
	ck_assert_uint_eq(id, a.data_id);
	expect_unfinished(&a, "nothing");
	telling = false;
}
END_TEST

START_TEST(a_rewound_primary_follows_with_its_own_configuration)
{
	struct mt_pg_job_options o = job_options(&a, b.url);
	struct mt_pg_job *job;

	/* One that helps, and those that are not given: it is no dry run. */
	a.conf->postgresql.rewind_options =
	    json_pack("[s,s,{s:s},{s:b},s]", "debug", "dry-run",
		      "target-pgdata", "/nowhere", "no-sync", 1, "version");
	leave_to_the_archive();
	ck_assert_int_eq(mt_pg_rewind_start(&job, &o, &last_err), 0);
	wait_for(&done);
	json_object_del(a.parameters, "restore_command");
	ck_assert_msg(a.result.err.code == 0, "%s", a.result.err.text);
	ck_assert_uint_ne(a.result.data_id, a.data_id);
	ck_assert_uint_ne(a.result.data_id, b.result.data_id);
	ck_assert_int_eq(progress, 100);
	expect_unfinished(&a, "nothing");
	start_server(&a, &b);
	ck_assert(until(&a, is_streaming));
	ck_assert_uint_eq(info.timeline, 2);
	ck_assert_int_eq(ask(&a, "SELECT count(*) FROM public.t", 0), 0);
	ck_assert_str_eq(value, "1");
	ck_assert_int_eq(ask(&a, "SHOW port", 0), 0);
	ck_assert_uint_eq(strtoul(value, NULL, 10), a.conf->postgresql.port);
	telling = false;
}
END_TEST

START_TEST(a_stopped_server_says_so_and_can_be_discarded)
{
	struct mt_pg_job_options o;
	struct mt_pg_job *job;
	enum mt_pg_dir kind;

	stop_server(&a, SIGINT);
	stop_server(&b, SIGINT);
	read_control(&b);
	ck_assert_int_eq(control.state, MT_PGCTL_SHUT_DOWN);
	ck_assert_uint_eq(control.timeline, 2);
	ck_assert(control.checksums);
	for (int i = 0; i < 2; i++) {
		struct node *n = i ? &b : &a;

		o = job_options(n, NULL);
		ck_assert_int_eq(mt_pg_discard_start(&job, &o, &last_err), 0);
		wait_for(&done);
		ck_assert_int_eq(n->result.err.code, 0);
		ck_assert_int_eq(mt_pg_dir_classify(
				     n->conf->postgresql.data_dir, &kind, NULL),
				 0);
		ck_assert_int_eq(kind, MT_PG_DIR_EMPTY);
		expect_unfinished(n, "nothing");
	}
	telling = false;
}
END_TEST

static void
waiting_done(void *arg, const struct mt_session_result *r)
{
	int *n = arg;

	ck_assert_int_eq(r->err.code, MT_ECANCELED);
	(*n)++;
}

START_TEST(closing_completes_what_waits)
{
	struct mt_session_stmt stmt = {.sql = "SELECT 1", .cb = waiting_done};
	int n = 0;

	mt_session_want(a.session, true);
	stmt.arg = &n;
	for (int i = 0; i < 3; i++)
		ck_assert_uint_ne(mt_session_query(a.session, &stmt), 0);
	mt_session_close(a.session, NULL, NULL);
	ck_assert_int_eq(n, 3);
	mt_session_close(b.session, NULL, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	telling = false;
}
END_TEST

/* ---- setting out ---- */

static void
version_done(void *arg, const struct mt_err *err)
{
	(void)arg;
	if (err)
		fprintf(stderr, "%s\n", err->text);
}

/* PostgreSQL does not run as root. */
static int
become_somebody(void)
{
	struct passwd *pw;

	if (geteuid() != 0)
		return 0;
	pw = getpwnam("postgres");
	if (!pw)
		pw = getpwnam("nobody");
	if (!pw || chown(top, pw->pw_uid, pw->pw_gid) < 0 ||
	    setgroups(0, NULL) < 0 || setgid(pw->pw_gid) < 0 ||
	    setuid(pw->pw_uid) < 0)
		return -1;
	prctl(PR_SET_DUMPABLE, 1);
	return 0;
}

static int
set_out(void)
{
	struct mt_err err;

	if (mt_pg_bins_find(&bins, "", &err) < 0) {
		printf("skipped: %s\n", err.text);
		return 1;
	}
	mt_copy(top, sizeof(top), "/tmp/mt_check_jobs.XXXXXX");
	if (!mkdtemp(top) || become_somebody() < 0 || chdir(top) < 0) {
		perror("could not set out");
		return -1;
	}
	uv_loop_init(&loop);
	if (mt_pg_bins_version(&bins, &loop, version_done, NULL, &err) < 0)
		return -1;
	uv_run(&loop, UV_RUN_DEFAULT);
	return bins.version_num ? 0 : -1;
}

static void
add_story(TCase *t)
{
	tcase_add_checked_fixture(t, begin, NULL);
	tcase_add_test(t, bootstrap_makes_a_cluster_with_its_users);
	tcase_add_test(t, bootstrap_refuses_a_directory_with_something_in_it);
	add_session_chapters(t);
	tcase_add_test(t,
		       a_job_leaves_a_directory_alone_in_which_a_server_runs);
	tcase_add_test(t, a_canceled_clone_says_so_and_leaves_the_marker);
	add_failed_clone_chapters(t);
	tcase_add_test(t, a_clone_is_the_same_cluster_with_another_data_id);
	add_method_chapters(t);
	tcase_add_test(t, a_clone_streams_from_its_upstream);
	tcase_add_test(t, a_promoted_standby_has_a_history);
	tcase_add_test(t, a_rewind_without_source_leaves_everything_as_it_was);
	tcase_add_test(t, a_rewind_is_given_the_options_of_the_configuration);
	tcase_add_test(t, a_copy_that_was_never_started_is_not_recovered);
	tcase_add_test(t, a_recovery_that_fails_has_the_servers_words);
	tcase_add_test(
	    t, a_crashed_primary_is_shut_down_with_all_that_a_rewind_needs);
	add_archive_chapters(t);
	tcase_add_test(t, a_rewound_primary_follows_with_its_own_configuration);
	tcase_add_test(t, a_stopped_server_says_so_and_can_be_discarded);
	add_bootstrap_chapters(t);
	add_restore_chapters(t);
	tcase_add_test(t, closing_completes_what_waits);
}

int
main(void)
{
	Suite *s = suite_create("jobs");
	TCase *t = tcase_create("story");
	SRunner *r = srunner_create(s);
	int failed = 0, rc = set_out();
	char path[128];

	suite_add_tcase(s, t);
	if (rc == 0) {
		add_story(t);
		srunner_set_fork_status(r, CK_NOFORK);
		srunner_run_all(r, CK_NORMAL);
		failed = srunner_ntests_failed(r);
	}
	srunner_free(r);
	free_node(&a);
	free_node(&b);
	if (failed == 0 && top[0]) {
		static const char *const dirs[] = {
		    "a/data.failed", "a/data", "b-1/data", "a", "b-1", ""};

		for (size_t i = 0; i < MT_COUNT(dirs); i++) {
			mt_format(path, sizeof(path), "%s/%s", top, dirs[i]);
			if (mt_pg_dir_empty(path, NULL) == 0)
				rmdir(path);
		}
		rmdir(top);
	}
	return failed || rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
