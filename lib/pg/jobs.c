/* SPDX-License-Identifier: PostgreSQL */
/*
 * The engine of the long works, and the simplest of them, discard.
 *
 * Steps run in a worker thread (all that touches files) or as programs; the
 * loop only passes on. Ending is one path for success, failure and cancel: end
 * what is under way and wait for it, remove temporary files in the worker, tell
 * the owner once, free. The marker is set in the first step, before anything is
 * touched, and cleared in the last, after everything is durable; a failure in
 * between leaves it, and that is how the next life of the daemon knows.
 */
#include "pg/job.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "pg/conninfo.h"
#include "pg/control.h"
#include "pg/files.h"

/* ---- ending ---- */

static void
deliver(struct mt_pg_job *job)
{
	if (job->o.on_done)
		job->o.on_done(job->o.arg, &job->result);
	if (job->release)
		job->release(job);
	mt_job_archive_free(job->archive);
	free(job);
}

static void
clean_work(uv_work_t *w)
{
	struct mt_pg_job *job = container_of(w, struct mt_pg_job, work);
	char path[128];

	if (job->pgpass[0])
		unlink(job->pgpass);
	if (job->service[0])
		unlink(job->service);
	if (job->pwfile[0])
		unlink(job->pwfile);
	if (job->tmp_dir[0]) {
		mt_format(path, sizeof(path), "%s/pg_hba.conf", job->tmp_dir);
		unlink(path);
		mt_format(path, sizeof(path), "%s/postgresql.conf",
			  job->tmp_dir);
		unlink(path);
		rmdir(job->tmp_dir);
	}
	if (job->undo && job->result.err.code)
		job->undo(job);
}

static void
clean_done(uv_work_t *w, int status)
{
	(void)status;
	deliver(container_of(w, struct mt_pg_job, work));
}

static void
session_closed(void *arg)
{
	struct mt_pg_job *job = arg;

	job->session = NULL;
	mt_job_settle(job);
}

static void
timer_closed(uv_handle_t *h)
{
	struct mt_pg_job *job =
	    container_of((uv_timer_t *)h, struct mt_pg_job, timer);

	job->has_timer = false;
	mt_job_settle(job);
}

void
mt_job_settle(struct mt_pg_job *job)
{
	if (!job->ending || job->cleaning)
		return;
	if (job->has_timer && !uv_is_closing((uv_handle_t *)&job->timer))
		uv_close((uv_handle_t *)&job->timer, timer_closed);
	if (job->session && !job->session_closing) {
		job->session_closing = true;
		mt_session_close(job->session, session_closed, job);
	}
	if (job->child || job->server || job->session || job->working ||
	    job->has_timer)
		return;
	job->cleaning = true;
	uv_queue_work(job->o.loop, &job->work, clean_work, clean_done);
}

void
mt_job_end(struct mt_pg_job *job, const struct mt_err *err)
{
	if (job->ending)
		return;
	job->ending = true;
	if (err && err->code)
		job->result.err = *err;
	if (job->canceled && !job->concluded)
		mt_err_set(&job->result.err, MT_ECANCELED,
			   "the work was canceled");
	if (job->child)
		mt_child_cancel(job->child);
	if (job->server)
		mt_child_cancel(job->server);
	mt_job_settle(job);
}

/* ---- steps ---- */

static void
step_failed(struct mt_pg_job *job, const struct mt_err *err, const char *tail)
{
	struct mt_err why = *err; /* it may be the job's own */

	if (job->failed && !job->canceled && !job->ending)
		job->failed(job, &why, tail);
	else
		mt_job_end(job, &why);
}

static void
pause_over(uv_timer_t *timer)
{
	struct mt_pg_job *job = container_of(timer, struct mt_pg_job, timer);

	if (!job->ending)
		job->then(job);
}

void
mt_job_pause(struct mt_pg_job *job, int64_t pause_ms,
	     void (*then)(struct mt_pg_job *job))
{
	if (job->ending)
		return;
	if (!job->has_timer)
		uv_timer_init(job->o.loop, &job->timer);
	job->has_timer = true;
	job->then = then;
	uv_update_time(job->o.loop);
	uv_timer_start(&job->timer, pause_over, (uint64_t)pause_ms, 0);
}

static void
work_thread(uv_work_t *w)
{
	struct mt_pg_job *job = container_of(w, struct mt_pg_job, work);

	job->work_rc = job->work_fn(job, &job->work_err);
}

static void
work_done(uv_work_t *w, int status)
{
	struct mt_pg_job *job = container_of(w, struct mt_pg_job, work);

	(void)status;
	job->working = false;
	if (job->ending)
		mt_job_settle(job);
	else if (job->work_rc)
		step_failed(job, &job->work_err, NULL);
	else if (job->canceled && !job->concluded)
		mt_job_end(job, NULL);
	else if (job->then)
		job->then(job);
	else
		mt_job_end(job, NULL);
}

void
mt_job_work(struct mt_pg_job *job,
	    int (*fn)(struct mt_pg_job *job, struct mt_err *err),
	    void (*then)(struct mt_pg_job *job))
{
	if (job->ending)
		return;
	job->work_fn = fn;
	job->work_err = (struct mt_err){0};
	job->then = then;
	job->working = true;
	uv_queue_work(job->o.loop, &job->work, work_thread, work_done);
}

void
mt_job_conclude(struct mt_pg_job *job,
		int (*fn)(struct mt_pg_job *job, struct mt_err *err))
{
	if (!job->ending)
		job->concluded = true;
	mt_job_work(job, fn, NULL);
}

static void
run_exit(void *arg, const struct mt_child_result *r)
{
	struct mt_pg_job *job = arg;

	job->child = NULL;
	if (job->ending)
		mt_job_settle(job);
	else if (r->err.code || job->canceled)
		step_failed(job, &r->err, r->tail);
	else
		job->then(job);
}

void
mt_job_run(struct mt_pg_job *job, struct mt_argv *argv, bool keep_locale,
	   void (*on_line)(void *arg, bool is_stderr, const char *line),
	   void (*then)(struct mt_pg_job *job))
{
	char passfile[sizeof(job->pgpass) + 16];
	char service[sizeof(job->service) + 16];
	char *env[5] = {NULL};
	size_t n = 0;
	struct mt_err err = {0};

	if (job->pgpass[0]) {
		mt_format(passfile, sizeof(passfile), "PGPASSFILE=%s",
			  job->pgpass);
		env[n++] = passfile;
	}
	if (job->service[0]) {
		mt_format(service, sizeof(service), "PGSERVICEFILE=%s",
			  job->service);
		env[n++] = service;
	}
	if (job->grandparent[0])
		env[n++] = job->grandparent;
	if (job->env)
		env[n++] = (char *)(uintptr_t)job->env;
	job->then = then;
	if (argv->bad)
		mt_err_set(&err, MT_ENOMEM, "out of memory");
	else if (!job->ending)
		err.code = mt_child_start(&job->child, job->o.loop,
					  &(struct mt_child_options){
					      .argv = argv->v,
					      .env = env,
					      .keep_locale = keep_locale,
					      .timeout_ms = job->o.timeout_ms,
					      .on_line = on_line,
					      .on_exit = run_exit,
					      .arg = job,
					  },
					  &err);
	mt_argv_free(argv);
	if (err.code)
		step_failed(job, &err, NULL);
}

static void
control_read(void *arg, const struct mt_pg_control *c, const struct mt_err *e)
{
	struct mt_pg_job *job = arg;
	struct mt_err err = {0};

	job->child = NULL;
	if (e)
		err = *e;
	else
		mt_copy(job->result.sysid, sizeof(job->result.sysid), c->sysid);
	if (!e && job->server_was_clean && c->state != MT_PGCTL_SHUT_DOWN)
		mt_err_set(&err, MT_EPROTO,
			   "PostgreSQL was not shut down cleanly: its state is "
			   "\"%s\"",
			   c->state_text);
	if (job->ending)
		mt_job_settle(job);
	else if (err.code || job->canceled)
		step_failed(job, &err, NULL);
	else
		job->then(job);
}

void
mt_job_read_sysid(struct mt_pg_job *job, bool clean,
		  void (*then)(struct mt_pg_job *job))
{
	struct mt_err err = {0};

	job->then = then;
	job->server_was_clean = clean;
	if (!job->ending &&
	    mt_pg_control_read(&job->child, job->o.loop, job->o.bins,
			       job->o.conf->postgresql.data_dir, control_read,
			       job, &err) < 0)
		mt_job_end(job, &err);
}

void
mt_job_progress(struct mt_pg_job *job, const char *what, int percent)
{
	job->percent = percent;
	if (job->o.on_progress)
		job->o.on_progress(job->o.arg, what, percent);
}

int
mt_job_parse_percent(const char *line)
{
	const char *p = strchr(line, '%');
	int n = 0, factor = 1;

	if (!p || p == line || p[-1] < '0' || p[-1] > '9')
		return -1;
	while (p > line && p[-1] >= '0' && p[-1] <= '9' && factor <= 100) {
		n += (*--p - '0') * factor;
		factor *= 10;
	}
	return n > 100 ? 100 : n;
}

void
mt_job_percent_line(void *arg, bool is_stderr, const char *line)
{
	struct mt_pg_job *job = arg;
	int percent = mt_job_parse_percent(line);

	(void)is_stderr;
	if (percent >= 0 && percent != job->percent)
		mt_job_progress(job,
				job->kind == MT_PG_JOB_REWIND ? "pg_rewind"
							      : "pg_basebackup",
				percent);
}

/* ---- what several have to do in the worker ---- */

int
mt_job_mark(struct mt_pg_job *job, const char *what, struct mt_err *err)
{
	const char *dir = job->o.conf->postgresql.data_dir;

	if (mt_pg_dir_in_use(dir))
		return mt_err_set(err, MT_EBUSY,
				  "a PostgreSQL server runs in \"%s\"", dir);
	return mt_pg_unfinished_set(job->o.conf->raft.data_dir, what, err);
}

int
mt_job_write_pgpass(struct mt_pg_job *job, const struct mt_conf_user *user,
		    struct mt_err *err)
{
	struct mt_pgpass_host host;
	struct mt_pg_target t = {0};
	bool any = job->source_url[0] != '\0';
	int rc = any ? mt_pg_url_parse(&t, NULL, 0, job->source_url, err) : 0;

	if (rc)
		return rc;
	host = (struct mt_pgpass_host){t.host, t.port};
	mt_format(job->pgpass, sizeof(job->pgpass), "%s/pgpass.job",
		  job->o.conf->raft.data_dir);
	rc = mt_pgpass_write(job->pgpass, &job->o.conf->postgresql, &host,
			     any ? 1 : 0, err);
	if (rc || !user->libpq.sslpassword[0])
		return rc;
	mt_format(job->service, sizeof(job->service), "%s/pgservice.job",
		  job->o.conf->raft.data_dir);
	return mt_pg_service_write(job->service, user->libpq.sslpassword, err);
}

int
mt_job_finish_standby(struct mt_pg_job *job, const char *mark,
		      struct mt_err *err)
{
	const struct mt_conf *conf = job->o.conf;
	const char *dir = conf->postgresql.data_dir;
	struct mt_pg_follow nobody = {0};
	int rc;

	job->result.data_id = mt_random_u64() | 1;
	rc = mt_pg_standby_signal(dir, true, err);
	if (rc == 0)
		rc = mt_pg_conf_write(&conf->postgresql, job->o.parameters,
				      &nobody, NULL, err);
	if (rc == 0)
		rc = mt_pg_data_id_write(dir, job->result.data_id, err);
	if (rc == 0 && mark != NULL)
		return mt_pg_unfinished_set(conf->raft.data_dir, mark, err);
	if (rc == 0)
		rc = mt_pg_unfinished_clear(conf->raft.data_dir, err);
	return rc;
}

/* ---- life ---- */

struct mt_pg_job *
mt_job_new(enum mt_pg_job_kind kind, const struct mt_pg_job_options *o,
	   struct mt_err *err)
{
	bool from = kind == MT_PG_JOB_CLONE || kind == MT_PG_JOB_REWIND;
	struct mt_pg_job *job;

	if (!o->conf->has_postgresql || (from && !o->source_url)) {
		mt_err_set(err, MT_EINVAL, "nothing to work on");
		return NULL;
	}
	job = calloc(1, sizeof(*job));
	if (!job) {
		mt_err_set(err, MT_ENOMEM, "out of memory");
		return NULL;
	}
	job->o = *o;
	job->kind = kind;
	job->result.kind = kind;
	job->percent = -1;
	if (from &&
	    !mt_copy(job->source_url, sizeof(job->source_url), o->source_url)) {
		mt_err_set(err, MT_EINVAL, "the source's URL is too long");
		free(job);
		return NULL;
	}
	mt_copy(job->sysid, sizeof(job->sysid),
		o->sysid != NULL ? o->sysid : "");
	return job;
}

void
mt_pg_job_cancel(struct mt_pg_job *job)
{
	if (job->kind == MT_PG_JOB_DISCARD || job->concluded)
		return;
	job->canceled = true;
	/* A step in the worker is waited for: work_done() looks. */
	if (!job->working)
		mt_job_end(job, NULL);
}

enum mt_pg_job_kind
mt_pg_job_kind(const struct mt_pg_job *job)
{
	return job->kind;
}

void
mt_pg_job_bytes(const struct mt_pg_job *job, int64_t *done, int64_t *all)
{
	*done = job->done_bytes;
	*all = job->all_bytes;
}

static int
discard_work(struct mt_pg_job *job, struct mt_err *err)
{
	int rc = mt_job_mark(job, "discard", err);

	if (rc == 0)
		rc = mt_pg_dir_empty(job->o.conf->postgresql.data_dir, err);
	if (rc == 0)
		rc = mt_pg_unfinished_clear(job->o.conf->raft.data_dir, err);
	return rc;
}

int
mt_pg_discard_start(struct mt_pg_job **job,
		    const struct mt_pg_job_options *options, struct mt_err *err)
{
	struct mt_pg_job *j = mt_job_new(MT_PG_JOB_DISCARD, options, err);

	if (!j)
		return MT_EINVAL;
	mt_job_conclude(j, discard_work);
	*job = j;
	return 0;
}
