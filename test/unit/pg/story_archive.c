/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a crashed primary did not come to archive, before it is rewound: the
 * chapters with node a, which has diverged, and is down.
 */
#include "story.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "pg/files.h"

#define WITHIN_MS 1500

static char first[64]; /* the first that waited */
static int waiting;    /* how many did */
static char said[8192];

static void
sink(void *arg, enum mt_log_level level, const char *text)
{
	size_t n = strlen(said);

	(void)arg;
	if (level >= MT_LOG_WARNING)
		mt_format(said + n, sizeof(said) - n, "%s\n", text);
}

/* Of the entries of a folder of a's, how many end so; the first is in *name.
 */
static int
count(const char *folder, const char *end, char *name, size_t size)
{
	char path[512];
	const struct dirent *e;
	int n = 0;
	DIR *d;

	mt_format(path, sizeof(path), "%s/%s", top, folder);
	d = opendir(path);
	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name), k = strlen(end);

		if (e->d_name[0] == '.' || len < k ||
		    strcmp(e->d_name + len - k, end) != 0)
			continue;
		n++;
		if (name != NULL &&
		    (name[0] == '\0' || strcmp(e->d_name, name) < 0))
			mt_copy(name, size, e->d_name);
	}
	closedir(d);
	return n;
}

static int
still_waiting(void)
{
	return count("a/data/pg_wal/archive_status", ".ready", NULL, 0);
}

void
archives_by(struct node *n, const char *command)
{
	json_object_set_new(n->parameters, "archive_mode", json_string("on"));
	json_object_set_new(n->parameters, "archive_command",
			    json_string(command));
	ck_assert_int_eq(mt_pg_conf_write(&n->conf->postgresql, n->parameters,
					  NULL, NULL, NULL),
			 0);
}

static void
rewind_from(const char *url)
{
	struct mt_pg_job_options o = job_options(&a, url);
	struct mt_pg_job *job;

	o.archive_within_ms = WITHIN_MS;
	said[0] = '\0';
	mt_log_set_sink(sink, NULL);
	ck_assert_int_eq(mt_pg_rewind_start(&job, &o, &last_err), 0);
	wait_for(&done);
	mt_log_set_sink(NULL, NULL);
	ck_assert(a.result.untouched && a.result.no_source);
}

START_TEST(what_no_command_can_archive_is_named_and_not_waited_for)
{
	int64_t began_ms = mt_clock_ms();

	waiting = count("a/data/pg_wal/archive_status", ".ready", first,
			sizeof(first));
	ck_assert_int_ge(waiting, 3);
	*strchr(first, '.') = '\0';
	archives_by(&a, "");
	rewind_from("postgres://127.0.0.1:1/postgres");
	ck_assert_int_lt(mt_clock_ms() - began_ms, WITHIN_MS);
	ck_assert_ptr_nonnull(strstr(said, "archive_command is not set"));
	ck_assert_ptr_nonnull(strstr(said, "not archived: "));
	ck_assert_ptr_nonnull(strstr(said, first));
	ck_assert_int_eq(still_waiting(), waiting);
	telling = false;
}
END_TEST

START_TEST(what_the_command_refuses_is_named_in_the_end_and_the_rest_archived)
{
	char command[512], path[256];

	mt_format(path, sizeof(path), "%s/archive", top);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	mt_format(command, sizeof(command),
		  "test %%f != %s && cp \"%%p\" %s/%%f && echo 100%%%% >>%s/%%f"
		  ".log",
		  first, path, path);
	archives_by(&a, command);
	rewind_from("postgres://127.0.0.1:1/postgres");
	ck_assert_int_eq(still_waiting(), 1);
	ck_assert_int_eq(count("archive", ".log", NULL, 0), waiting - 1);
	mt_format(path, sizeof(path), "not archived: %s\n", first);
	ck_assert_ptr_nonnull(strstr(said, path));
	ck_assert_ptr_nonnull(
	    strstr(said, "archive_command failed for so long"));
	telling = false;
}
END_TEST

START_TEST(a_segment_is_archived_whole_and_once)
{
	char command[512], path[256], *text = NULL;
	size_t size;

	mt_format(path, sizeof(path), "%s/archive", top);
	mt_format(
	    command, sizeof(command),
	    "test ! -f %s/%%f && cp \"%%p\" %s/%%f && echo 100%%%% >%s/%%f"
	    ".log",
	    path, path, path);
	archives_by(&a, command);
	rewind_from("postgres://127.0.0.1:1/postgres");
	ck_assert_str_eq(said, "");
	ck_assert_int_eq(still_waiting(), 0);
	mt_format(path, sizeof(path), "%s/archive/%s", top, first);
	ck_assert_int_eq(
	    mt_file_read(path, (size_t)64 << 20, &text, &size, NULL), 0);
	ck_assert_uint_eq(size, (size_t)16 << 20);
	free(text);
	mt_format(path, sizeof(path), "%s/archive/%s.log", top, first);
	ck_assert_int_eq(mt_file_read(path, 64, &text, NULL, NULL), 0);
	ck_assert_str_eq(text, "100%\n");
	free(text);
	telling = false;
}
END_TEST

static struct mt_pg_job *job_that_hangs;

static void
cancel_it(uv_timer_t *timer)
{
	char path[256];

	mt_format(path, sizeof(path), "%s/a/data/it_runs", top);
	if (!mt_file_exists(path))
		return;
	mt_pg_job_cancel(job_that_hangs);
	uv_close((uv_handle_t *)timer, NULL);
}

START_TEST(an_archiving_that_hangs_can_be_canceled)
{
	struct mt_pg_job_options o = job_options(&a, b.url);
	char path[256];
	uv_timer_t timer;

	mt_format(path, sizeof(path),
		  "%s/a/data/pg_wal/archive_status/%s.ready", top, first);
	ck_assert_int_eq(mt_file_write(path, "", 0, 0600, NULL), 0);
	archives_by(&a, ">it_runs; sleep 61.5");
	ck_assert_int_eq(mt_pg_rewind_start(&job_that_hangs, &o, &last_err), 0);
	uv_timer_init(&loop, &timer);
	uv_timer_start(&timer, cancel_it, 10, 10);
	wait_for(&done);
	ck_assert_int_eq(a.result.err.code, MT_ECANCELED);
	ck_assert(mt_file_exists(path));
	ck_assert_int_eq(mt_file_remove(path, NULL), 0);
	mt_format(path, sizeof(path), "%s/a/data/it_runs", top);
	ck_assert_int_eq(mt_file_remove(path, NULL), 0);
	archives_by(&a, "true");
	expect_unfinished(&a, "nothing");
	telling = false;
}
END_TEST

void
leave_to_the_archive(void)
{
	char path[512];

	mt_format(path, sizeof(path), "%s/a/data/pg_wal/%s", top, first);
	ck_assert_int_eq(mt_file_remove(path, NULL), 0);
	mt_format(path, sizeof(path), "cp %s/archive/%%f %%p", top);
	json_object_set_new(a.parameters, "restore_command", json_string(path));
}

void
add_archive_chapters(TCase *t)
{
	tcase_add_test(t,
		       what_no_command_can_archive_is_named_and_not_waited_for);
	tcase_add_test(
	    t,
	    what_the_command_refuses_is_named_in_the_end_and_the_rest_archived);
	tcase_add_test(t, a_segment_is_archived_whole_and_once);
	tcase_add_test(t, an_archiving_that_hangs_can_be_canceled);
}
