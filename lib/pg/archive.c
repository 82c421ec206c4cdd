/* SPDX-License-Identifier: PostgreSQL */
/*
 * What PostgreSQL did not come to archive, before pg_rewind removes it: each
 * file with a .ready in pg_wal/archive_status is given to archive_command, as
 * the archiver would have done, and then marked .done.
 *
 * Happy path: there is none, and nothing is asked. Else the settings are those
 * that "postgres -C" finds in the files of the directory, and the command runs
 * for one file after the other: histories of timelines first, then by name.
 *
 * Failure modes: a file that the command refuses is tried again in the next
 * round, a second later, and does not stand in the way of the others. As long
 * as files are archived it goes on; when none was for a minute, those that are
 * left are named in the log and lost: the member has to come back. The same
 * where archiving is on and there is no command; a library (archive_library)
 * can be run by PostgreSQL only. A command that hangs is ended with that
 * minute.
 *
 * It does not archive the last, unfinished segment: the new primary has its
 * beginning, and archives that as .partial.
 */
#include "pg/job.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "pg/files.h"

#define WITHIN_MS 60000 /* without one that went well */
#define AGAIN_MS 1000   /* between two rounds */
#define ASK_WITHIN_MS 10000
#define FILES_MAX 100000
#define VERSION_LIBRARY 150000
#define PATH_BYTES (MT_CONF_PATH_MAX + 128)
/* PostgreSQL's own idea of a name that it archives (pgarch.h). */
#define NAME_LEAST 16
#define NAME_MOST 40
#define NAME_CHARS "0123456789ABCDEF.history.backup.partial"

enum setting { MODE, COMMAND, LIBRARY, SETTINGS };

static const char *const setting_names[SETTINGS] = {
    [MODE] = "archive_mode",
    [COMMAND] = "archive_command",
    [LIBRARY] = "archive_library",
};

struct file {
	char name[NAME_MOST + 1];
	bool done;
};

struct mt_pg_archive {
	struct mt_pg_job *job;
	uv_timer_t again;
	void (*then)(struct mt_pg_job *job);
	struct file *files;
	size_t n, at; /* at: the one whose turn it is */
	size_t left;  /* not done */
	enum setting asked;
	char value[SETTINGS][4096];
	int64_t good_ms; /* the last that went well, or the beginning */
	bool said;       /* that one was refused */
};

/* ---- what there is ---- */

/* Histories first, as in the archiver: who recovers needs them. */
static int
compare(const void *pa, const void *pb)
{
	const struct file *a = pa, *b = pb;
	bool is_a = strstr(a->name, ".history") != NULL;
	bool is_b = strstr(b->name, ".history") != NULL;

	if (is_a != is_b)
		return is_a ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* "NAME.ready" of a file that is there. */
static bool
is_ready(const char *dir, const char *entry, char name[NAME_MOST + 1])
{
	const char *dot = strrchr(entry, '.');
	char path[PATH_BYTES];
	size_t n;

	if (dot == NULL || strcmp(dot, ".ready") != 0)
		return false;
	n = (size_t)(dot - entry);
	if (n < NAME_LEAST || n > NAME_MOST || strspn(entry, NAME_CHARS) < n)
		return false;
	memcpy(name, entry, n);
	name[n] = '\0';
	mt_format(path, sizeof(path), "%s/pg_wal/%s", dir, name);
	return mt_file_exists(path);
}

/* In the worker. */
static int
list(struct mt_pg_job *job, struct mt_err *err)
{
	struct mt_pg_archive *a = job->archive;
	const char *dir = job->o.conf->postgresql.data_dir;
	char path[PATH_BYTES];
	const struct dirent *e;
	size_t cap = 0;
	DIR *d;

	if (mt_pg_dir_in_use(dir))
		return mt_err_set(err, MT_EBUSY,
				  "a PostgreSQL server runs in \"%s\"", dir);
	mt_format(path, sizeof(path), "%s/pg_wal/archive_status", dir);
	d = opendir(path);
	if (d == NULL)
		return errno == ENOENT
			   ? 0
			   : mt_err_sys(err, errno, "could not open \"%s\"",
					path);
	while ((e = readdir(d)) != NULL && a->n < FILES_MAX) {
		struct file f = {.done = false}, *more;

		if (!is_ready(dir, e->d_name, f.name))
			continue;
		if (a->n == cap) {
			cap = cap == 0 ? 64 : 2 * cap;
			more = realloc(a->files, cap * sizeof(*more));
			if (more == NULL) {
				closedir(d);
				return mt_err_set(err, MT_ENOMEM,
						  "out of memory");
			}
			a->files = more;
		}
		a->files[a->n++] = f;
	}
	closedir(d);
	if (a->n > 0)
		qsort(a->files, a->n, sizeof(*a->files), compare);
	a->left = a->n;
	return 0;
}

/* ---- the end ---- */

static void
finish(struct mt_pg_archive *a)
{
	if (a->n > a->left)
		mt_info("archived %zu files of the write-ahead log that "
			"PostgreSQL had not come to",
			a->n - a->left);
	for (size_t i = 0; i < a->n; i++)
		if (!a->files[i].done)
			mt_warn("not archived: %s", a->files[i].name);
	a->then(a->job);
}

static void
abandon(struct mt_pg_archive *a, const char *why)
{
	mt_warn("%zu files of the write-ahead log wait to be archived, and are "
		"not: %s",
		a->left, why);
	finish(a);
}

/* After something that was under way: does the job end, too? */
static bool
is_over(struct mt_pg_job *job)
{
	if (job->ending)
		mt_job_settle(job);
	else if (job->canceled)
		mt_job_end(job, NULL);
	return job->ending;
}

/* ---- one file after the other ---- */

static void next(struct mt_pg_archive *a);

static void
again_cb(uv_timer_t *timer)
{
	struct mt_pg_archive *a =
	    container_of(timer, struct mt_pg_archive, again);

	if (!a->job->ending)
		next(a);
}

/* In the worker: as the archiver renames it. */
static int
mark(struct mt_pg_job *job, struct mt_err *err)
{
	struct mt_pg_archive *a = job->archive;
	const char *dir = job->o.conf->postgresql.data_dir;
	const char *name = a->files[a->at].name;
	char ready[PATH_BYTES], done[PATH_BYTES];
	int fd;

	mt_format(ready, sizeof(ready), "%s/pg_wal/archive_status/%s.ready",
		  dir, name);
	mt_format(done, sizeof(done), "%s/pg_wal/archive_status/%s.done", dir,
		  name);
	if (rename(ready, done) != 0)
		return mt_err_sys(err, errno, "could not rename \"%s\"", ready);
	mt_format(ready, sizeof(ready), "%s/pg_wal/archive_status", dir);
	fd = open(ready, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		mt_warn("could not sync \"%s\": %s", ready, strerror(errno));
	if (fd >= 0)
		close(fd);
	return 0;
}

static void
marked(struct mt_pg_job *job)
{
	struct mt_pg_archive *a = job->archive;

	a->files[a->at++].done = true;
	a->left--;
	next(a);
}

static void
tried(void *arg, const struct mt_child_result *r)
{
	struct mt_pg_archive *a = arg;

	a->job->child = NULL;
	if (is_over(a->job))
		return;
	if (r->err.code == 0) {
		a->good_ms = mt_clock_ms();
		mt_job_work(a->job, mark, marked);
		return;
	}
	if (!a->said)
		mt_warn("archive_command refused \"%s\", and is tried again: "
			"%s",
			a->files[a->at].name, r->err.text);
	a->said = true;
	a->at++;
	next(a);
}

/* As the manual has it: %p is the path, from the data directory on, %f the
 * file's name, %% a percent sign; any other stands for itself. */
static char *
command_for(const char *command, const char *name)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return NULL;
	for (const char *p = command; *p != '\0'; p++) {
		if (p[0] == '%' && p[1] == 'p')
			fprintf(f, "pg_wal/%s", name);
		else if (p[0] == '%' && p[1] == 'f')
			fputs(name, f);
		else
			fputc(*p, f);
		if (p[0] == '%' && (p[1] == 'p' || p[1] == 'f' || p[1] == '%'))
			p++;
	}
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void
run(struct mt_pg_archive *a, int64_t left_ms)
{
	struct mt_pg_job *job = a->job;
	char *command = command_for(a->value[COMMAND], a->files[a->at].name);
	char shell[] = "/bin/sh", option[] = "-c";
	char *argv[] = {shell, option, command, NULL};
	const struct mt_child_options o = {
	    .argv = argv,
	    .cwd = job->o.conf->postgresql.data_dir,
	    .keep_locale = true,
	    .timeout_ms = left_ms,
	    .on_exit = tried,
	    .arg = a,
	};
	struct mt_err err;

	if (command == NULL)
		abandon(a, "out of memory");
	else if (mt_child_start(&job->child, job->o.loop, &o, &err) != 0)
		abandon(a, err.text);
	free(command);
}

static void
next(struct mt_pg_archive *a)
{
	int64_t within_ms = a->job->o.archive_within_ms > 0
				? a->job->o.archive_within_ms
				: WITHIN_MS;
	int64_t left_ms = a->good_ms + within_ms - mt_clock_ms();

	while (a->at < a->n && a->files[a->at].done)
		a->at++;
	if (a->left == 0) {
		finish(a);
	} else if (left_ms <= 0) {
		abandon(a, "archive_command failed for so long");
	} else if (a->at < a->n) {
		run(a, left_ms);
	} else { /* the next round */
		a->at = 0;
		uv_timer_start(&a->again, again_cb, AGAIN_MS, 0);
	}
}

/* ---- how ---- */

static void
begin(struct mt_pg_archive *a)
{
	const char *library = a->value[LIBRARY];
	char why[256];

	if (strcmp(a->value[MODE], "on") != 0 &&
	    strcmp(a->value[MODE], "always") != 0) {
		a->n = a->left = 0; /* nobody wants them */
		finish(a);
	} else if (library[0] != '\0') {
		mt_format(why, sizeof(why),
			  "archive_library is set (\"%s\"), which only "
			  "PostgreSQL itself can run",
			  library);
		abandon(a, why);
	} else if (a->value[COMMAND][0] == '\0') {
		abandon(a, "archive_command is not set");
	} else {
		mt_job_progress(a->job, "archive_command", -1);
		a->good_ms = mt_clock_ms();
		if (!is_over(a->job))
			next(a);
	}
}

static void ask(struct mt_pg_archive *a);

static void
on_line(void *arg, bool is_stderr, const char *line)
{
	struct mt_pg_archive *a = arg;
	char *value = a->value[a->asked];
	size_t n = strlen(value);

	if (!is_stderr)
		mt_format(value + n, sizeof(a->value[0]) - n, "%s%s",
			  n > 0 ? "\n" : "", line);
}

static void
answered(void *arg, const struct mt_child_result *r)
{
	struct mt_pg_archive *a = arg;

	a->job->child = NULL;
	if (is_over(a->job))
		return;
	if (r->err.code != 0) {
		abandon(a, r->err.text);
		return;
	}
	a->asked++;
	if (a->asked == LIBRARY &&
	    a->job->o.bins->version_num < VERSION_LIBRARY)
		a->asked++;
	if (a->asked == SETTINGS)
		begin(a);
	else
		ask(a);
}

static void
ask(struct mt_pg_archive *a)
{
	struct mt_pg_job *job = a->job;
	const struct mt_conf_postgresql *pg = &job->o.conf->postgresql;
	char path[MT_CONF_PATH_MAX + MT_CONF_NAME_MAX + 16];
	struct mt_argv argv = {0};
	struct mt_err err = {0};
	int rv;

	mt_pg_bins_arg(&argv, job->o.bins, "postgres");
	mt_argv_add(&argv, "-D");
	mt_argv_add(&argv, "%s", pg->data_dir);
	mt_argv_add(&argv, "--config-file=%s",
		    mt_pg_conf_path(pg, MT_PG_CONF_MAIN, path, sizeof(path)));
	mt_argv_add(&argv, "-C");
	mt_argv_add(&argv, "%s", setting_names[a->asked]);
	rv = argv.bad ? mt_err_set(&err, MT_ENOMEM, "out of memory")
		      : mt_child_start(&job->child, job->o.loop,
				       &(struct mt_child_options){
					   .argv = argv.v,
					   .timeout_ms = ASK_WITHIN_MS,
					   .on_line = on_line,
					   .on_exit = answered,
					   .arg = a,
				       },
				       &err);
	mt_argv_free(&argv);
	if (rv != 0)
		abandon(a, err.text);
}

static void
listed(struct mt_pg_job *job)
{
	struct mt_pg_archive *a = job->archive;

	if (a->n == 0)
		a->then(job);
	else
		ask(a);
}

void
mt_job_archive(struct mt_pg_job *job, void (*then)(struct mt_pg_job *job))
{
	struct mt_err err;

	job->archive = calloc(1, sizeof(*job->archive));
	if (job->archive == NULL) {
		mt_err_set(&err, MT_ENOMEM, "out of memory");
		mt_job_end(job, &err);
		return;
	}
	job->archive->job = job;
	job->archive->then = then;
	uv_timer_init(job->o.loop, &job->archive->again);
	mt_job_work(job, list, listed);
}

static void
closed_cb(uv_handle_t *h)
{
	struct mt_pg_archive *a =
	    container_of((uv_timer_t *)h, struct mt_pg_archive, again);

	free(a->files);
	free(a);
}

void
mt_job_archive_free(struct mt_pg_archive *a)
{
	if (a != NULL)
		uv_close((uv_handle_t *)&a->again, closed_cb);
}
