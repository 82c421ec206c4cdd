/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the jobs have in common, for bootstrap.c, clone.c, recover.c, rewind.c
 * and archive.c, which is a part of the last. A job is a chain of steps: work
 * in a thread, or a program; each names the step that follows. A step that
 * fails, or a cancel, ends the chain: whatever is under way is ended, then the
 * temporary files go, then on_done comes.
 */
#ifndef MT_PG_JOB_H
#define MT_PG_JOB_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "pg/command.h"
#include "pg/jobs.h"
#include "pg/session.h"

struct mt_pg_bootstrap; /* bootstrap.c */
struct mt_pg_clone;     /* clone.c */
struct mt_pg_rewind;    /* rewind.c */
struct mt_pg_archive;   /* archive.c */

struct mt_pg_job {
	struct mt_pg_job_options o;
	enum mt_pg_job_kind kind;
	char source_url[512]; /* "": none */
	char sysid[24];       /* that the data must have; "": any */

	/* under way; one of the first two at a time */
	struct mt_child *child;
	bool working;
	struct mt_child *server;
	struct mt_session *session;
	bool session_closing;

	uv_work_t work;
	int (*work_fn)(struct mt_pg_job *job, struct mt_err *err);
	int work_rc;
	struct mt_err work_err;
	void (*then)(struct mt_pg_job *job);
	/* Told instead of the job's end when a step failed; tail is the end of
	 * what a program said, or NULL. NULL: the job ends. */
	void (*failed)(struct mt_pg_job *job, const struct mt_err *err,
		       const char *tail);
	uv_timer_t timer; /* of mt_job_pause() */
	bool has_timer;

	bool canceled, ending, cleaning;
	bool concluded;        /* the last step began: no cancel any more */
	bool server_was_clean; /* pg_control must say so */
	int percent;
	int64_t done_bytes, all_bytes; /* copied; 0: not known */
	struct mt_pg_job_result result;

	/* temporary: removed at the end; "" = none */
	char pgpass[MT_CONF_PATH_MAX + 32];
	char service[MT_CONF_PATH_MAX + 32];
	char pwfile[MT_CONF_PATH_MAX + 32];
	char tmp_dir[64];
	/* for the program's environment: an old postmaster.pid does not count;
	 * "" = there is none */
	char grandparent[48];
	const char *env; /* one more "NAME=value", or NULL */
	/* at the end, in the worker thread; may be NULL */
	void (*undo)(struct mt_pg_job *job);
	void (*release)(struct mt_pg_job *job); /* frees what follows */
	struct mt_pg_bootstrap *bootstrap;
	struct mt_pg_clone *clone;
	struct mt_pg_rewind *rewind;
	struct mt_pg_archive *archive; /* NULL: did not come to that */
};

/* NULL if memory ran out or the options are not complete: err says why. */
struct mt_pg_job *mt_job_new(enum mt_pg_job_kind kind,
			     const struct mt_pg_job_options *options,
			     struct mt_err *err);

/* fn in a worker thread, then the next step on the loop. */
void mt_job_work(struct mt_pg_job *job,
		 int (*fn)(struct mt_pg_job *job, struct mt_err *err),
		 void (*then)(struct mt_pg_job *job));
/* As mt_job_work, for the last step: it cannot be canceled. */
void mt_job_conclude(struct mt_pg_job *job,
		     int (*fn)(struct mt_pg_job *job, struct mt_err *err));
/* A program with PGPASSFILE where there is one; takes argv. on_line may be
 * NULL, its arg is the job. */
void mt_job_run(struct mt_pg_job *job, struct mt_argv *argv, bool keep_locale,
		void (*on_line)(void *arg, bool is_stderr, const char *line),
		void (*then)(struct mt_pg_job *job));
/* Nothing for a while, then the next step. */
void mt_job_pause(struct mt_pg_job *job, int64_t pause_ms,
		  void (*then)(struct mt_pg_job *job));
/* pg_controldata into result.sysid; needs a clean shutdown where clean. */
void mt_job_read_sysid(struct mt_pg_job *job, bool clean,
		       void (*then)(struct mt_pg_job *job));
/* Files that wait for archive_command are archived, or named in the log. */
void mt_job_archive(struct mt_pg_job *job, void (*then)(struct mt_pg_job *job));
/* On the loop, with the job that had it. NULL is none. */
void mt_job_archive_free(struct mt_pg_archive *archive);
/* End with an error (the first counts), or with NULL well. */
void mt_job_end(struct mt_pg_job *job, const struct mt_err *err);
/* Something that was under way has ended: go on with ending. */
void mt_job_settle(struct mt_pg_job *job);

void mt_job_progress(struct mt_pg_job *job, const char *what, int percent);
/* on_line for programs that print "( 12%)"; what is job->kind's */
void mt_job_percent_line(void *arg, bool is_stderr, const char *line);
/* The number before the first "%" in a line, -1 if none. */
int mt_job_parse_percent(const char *line);

/* In the worker: the directory is used by no server, the marker is set. */
int mt_job_mark(struct mt_pg_job *job, const char *what, struct mt_err *err);
/* In the worker: password file for source_url, empty without one, and a service
 * file where user, who will connect, has a passphrase. */
int mt_job_write_pgpass(struct mt_pg_job *job, const struct mt_conf_user *user,
			struct mt_err *err);
/* In the worker: configuration of a standby that follows nobody,
 * standby.signal, new data id, marker cleared, or set to another word. */
int mt_job_finish_standby(struct mt_pg_job *job, const char *mark,
			  struct mt_err *err);

#endif
