/* SPDX-License-Identifier: PostgreSQL */
/*
 * Bootstrap: a new cluster by initdb or a command, with its users.
 *
 * The users are made in a private server, a child of this process that the
 * kernel ends with it: it listens on a socket in a directory of mode 0700 and
 * nowhere else, trusts whoever can reach that, logs no statement and archives
 * nothing. Passwords reach initdb by a temporary file and the server over the
 * socket. After that the operator's post_bootstrap is run on it. Then it is
 * stopped, and must have shut down cleanly; the data id is written, and only
 * then the marker goes. A command's cluster ends its recovery in that server,
 * too, see bootstrap_custom.c.
 *
 * What fails is set aside, for people to look at. Where that cannot be done,
 * and when it is canceled, the marker stays: half a new cluster holds nothing,
 * and the owner discards it.
 *
 * The claim to bootstrap, and what is recorded in the cluster, are not ours.
 */
#include "pg/bootstrap.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "conf/pgconf.h"
#include "pg/conninfo.h"
#include "pg/files.h"
#include "pg/params.h"

#define STATEMENT_MS 30000
/* A recovery takes as long as it takes: a month. */
#define RECOVERY_MS (INT64_C(30) * 24 * 3600 * 1000)

static const char *const refused[] = {
    "pgdata",    "nosync",  "no-sync",  "pwfile",
    "sync-only", "version", "pwprompt", NULL,
};

static void next_step(struct mt_pg_job *job);

static void
release(struct mt_pg_job *job)
{
	bootstrap__free_steps(job->bootstrap);
	free(job->bootstrap);
}

static uint16_t
server_port(const struct mt_pg_job *job)
{
	const char *port =
	    json_string_value(json_object_get(job->o.parameters, "port"));

	return port ? (uint16_t)strtoul(port, NULL, 10)
		    : job->o.conf->postgresql.port;
}

/* ---- the work in threads ---- */

static int
prepare(struct mt_pg_job *job, struct mt_err *err)
{
	const struct mt_conf *conf = job->o.conf;
	const char *password = conf->postgresql.superuser.password;
	const char *dir = conf->postgresql.data_dir;
	enum mt_pg_dir kind;
	int rc = mt_pg_dir_classify(dir, &kind, err);

	if (rc == 0 && kind != MT_PG_DIR_ABSENT && kind != MT_PG_DIR_EMPTY)
		rc = mt_err_set(err, MT_EREFUSED, "\"%s\" is not empty", dir);
	if (rc == 0)
		rc = mt_job_mark(job, "bootstrap", err);
	job->bootstrap->began = rc == 0;
	if (rc == 0 && password[0] && job->bootstrap->section == NULL) {
		mt_format(job->pwfile, sizeof(job->pwfile), "%s/pwfile.job",
			  conf->raft.data_dir);
		rc = mt_file_write(job->pwfile, password, strlen(password),
				   0600, err);
	}
	return rc;
}

/* For the one program that runs beside the server. */
static int
write_pgpass(struct mt_pg_job *job, struct mt_err *err)
{
	const struct mt_conf *conf = job->o.conf;
	struct mt_pgpass_host host = {job->tmp_dir, server_port(job)};

	if (conf->bootstrap.post_bootstrap[0] == '\0')
		return 0;
	mt_format(job->pgpass, sizeof(job->pgpass), "%s/pgpass.job",
		  conf->raft.data_dir);
	return mt_pgpass_write(job->pgpass, &conf->postgresql, &host, 1, err);
}

static int
configure(struct mt_pg_job *job, struct mt_err *err)
{
	static const char hba[] = "local all all trust\n";
	const struct mt_conf *conf = job->o.conf;
	char path[128];
	int rc = 0;

	if (job->bootstrap->section != NULL)
		rc = bootstrap__take_over(job, err);
	if (rc == 0 && json_array_size(conf->postgresql.pg_hba) == 0)
		rc = mt_pg_hba_append(&conf->postgresql, conf->bootstrap.pg_hba,
				      err);
	if (rc)
		return rc;
	mt_copy(job->tmp_dir, sizeof(job->tmp_dir), "/tmp/matriarch-XXXXXX");
	if (!mkdtemp(job->tmp_dir)) {
		job->tmp_dir[0] = '\0';
		return mt_err_sys(err, errno,
				  "could not make a directory in \"/tmp\"");
	}
	mt_format(path, sizeof(path), "%s/pg_hba.conf", job->tmp_dir);
	rc = mt_file_write(path, hba, strlen(hba), 0600, err);
	if (rc == 0)
		rc = write_pgpass(job, err);
	if (rc)
		return rc;
	return job->bootstrap->section != NULL
		   ? bootstrap__recovery(job, err)
		   : mt_pg_conf_write(&conf->postgresql, job->o.parameters,
				      NULL, NULL, err);
}

static int
conclude(struct mt_pg_job *job, struct mt_err *err)
{
	const struct mt_conf *conf = job->o.conf;
	const char *dir = conf->postgresql.data_dir;
	int rc = 0;

	job->result.data_id = mt_random_u64() | 1;
	if (job->bootstrap->section != NULL)
		rc = mt_pg_standby_signal(dir, false, err);
	if (rc == 0 && job->bootstrap->section != NULL)
		rc = mt_pg_conf_write(&conf->postgresql, job->o.parameters,
				      NULL, NULL, err);
	if (rc == 0 && job->bootstrap->section != NULL)
		rc = mt_pg_dir_sync(dir, err);
	if (rc == 0)
		rc = mt_pg_data_id_write(dir, job->result.data_id, err);
	return rc ? rc : mt_pg_unfinished_clear(conf->raft.data_dir, err);
}

/* A failure, not a cancel: out of the way, so that this node can be cloned. */
static void
undo(struct mt_pg_job *job)
{
	const struct mt_conf *conf = job->o.conf;
	const char *dir = conf->postgresql.data_dir;
	struct mt_err err = {0};
	enum mt_pg_dir kind;
	int rc;

	if (!job->bootstrap->began || job->result.err.code == MT_ECANCELED)
		return;
	rc = mt_pg_dir_classify(dir, &kind, &err);
	/* initdb tidies up after itself */
	if (rc == 0 && kind != MT_PG_DIR_ABSENT && kind != MT_PG_DIR_EMPTY) {
		rc = mt_pg_dir_set_aside(dir, &err);
		if (rc == 0)
			mt_warn("what the bootstrap left is in \"%s.failed\"",
				dir);
	}
	if (rc == 0)
		rc = mt_pg_unfinished_clear(conf->raft.data_dir, &err);
	if (rc)
		mt_warn("could not set aside what the bootstrap left: %s",
			err.text);
}

/* ---- the private server ---- */

static void
have_sysid(struct mt_pg_job *job)
{
	mt_job_conclude(job, conclude);
}

static void
server_exit(void *arg, const struct mt_child_result *r)
{
	struct mt_pg_job *job = arg;
	struct mt_err err = r->err;

	job->server = NULL;
	if (job->ending) {
		mt_job_settle(job);
		return;
	}
	if (job->bootstrap->stopping && err.code == 0) {
		mt_job_read_sysid(job, true, have_sysid);
		return;
	}
	if (err.code == 0)
		mt_err_set(&err, MT_EPROTO, "PostgreSQL ended by itself");
	mt_err_prefix(&err, "the server that makes the users failed");
	mt_job_end(job, &err);
}

static void
session_closed(void *arg)
{
	struct mt_pg_job *job = arg;

	job->session = NULL;
	job->session_closing = false;
	if (job->ending) {
		mt_job_settle(job);
		return;
	}
	job->bootstrap->stopping = true;
	mt_job_progress(job, "stopping", -1);
	mt_child_signal(job->server, SIGINT);
}

static void
step_done(void *arg, const struct mt_session_result *r)
{
	struct mt_pg_job *job = arg;
	struct mt_pg_bootstrap *b = job->bootstrap;
	struct mt_err err = r->err;

	/* The session's end completes it, too; and a server that dies tells
	 * better why. */
	if (job->ending || job->session_closing)
		return;
	if (err.code) {
		mt_err_prefix(&err, "could not set up %s",
			      b->steps[b->next].what);
		mt_job_end(job, &err);
		return;
	}
	b->next++;
	next_step(job);
}

/* A cluster that a command made may lack the user or the database: that does
 * not pass, while a recovery does. */
static void
on_refused(void *arg, const struct mt_err *why)
{
	struct mt_pg_job *job = arg;
	const char *state = mt_session_last_sqlstate(job->session);
	struct mt_err err = *why;

	if (strncmp(state, "28", 2) != 0 && strncmp(state, "3D", 2) != 0)
		return;
	mt_err_prefix(&err, "could not log in to set up the users");
	mt_job_end(job, &err);
}

/* ---- the operator's last word ---- */

static void
users_done(struct mt_pg_job *job)
{
	job->session_closing = true;
	mt_session_close(job->session, session_closed, job);
}

static void
post_failed(struct mt_pg_job *job, const struct mt_err *err, const char *tail)
{
	struct mt_err why = *err;

	(void)tail;
	job->failed = NULL;
	mt_err_prefix(&why, "post_bootstrap failed");
	mt_job_end(job, &why);
}

static void
post_done(struct mt_pg_job *job)
{
	job->failed = NULL;
	users_done(job);
}

static void
run_post_bootstrap(struct mt_pg_job *job)
{
	const char *command = job->o.conf->bootstrap.post_bootstrap;
	char user[MT_CONF_NAME_MAX * 2 + 3];
	struct mt_argv argv = {0};
	struct mt_err err = {0};

	if (command[0] == '\0') {
		users_done(job);
		return;
	}
	if (mt_argv_add_words(&argv, command, &err) != 0) {
		mt_argv_free(&argv);
		post_failed(job, &err, NULL);
		return;
	}
	mt_pg_conninfo_quote(user, sizeof(user),
			     job->o.conf->postgresql.superuser.username);
	mt_argv_add(&argv, "user=%s host=%s port=%u dbname=postgres", user,
		    job->tmp_dir, (unsigned)server_port(job));
	job->failed = post_failed;
	job->env = "PGOPTIONS=-c synchronous_commit=local "
		   "-c statement_timeout=0";
	mt_job_progress(job, "post_bootstrap", -1);
	mt_job_run(job, &argv, true, NULL, post_done);
}

static void
next_step(struct mt_pg_job *job)
{
	struct mt_pg_bootstrap *b = job->bootstrap;
	int64_t start_ms = b->section != NULL
			       ? RECOVERY_MS
			       : job->o.conf->postgresql.pg_ctl_timeout_ms;

	if (b->next == b->n) {
		run_post_bootstrap(job);
		return;
	}
	if (mt_session_query(
		job->session,
		&(struct mt_session_stmt){
		    .sql = b->steps[b->next].sql,
		    .timeout_ms = b->next == 0 ? start_ms : STATEMENT_MS,
		    .secret = b->next > 0,
		    .cb = step_done,
		    .arg = job,
		}) == 0)
		mt_job_end(job, &(struct mt_err){.code = MT_ENOMEM,
						 .text = "out of memory"});
}

static void
add_private_options(struct mt_argv *argv, const struct mt_pg_job *job)
{
	bool made = job->bootstrap->section != NULL;
	/* What was recovered is not served before it is promoted. Its WAL is
	 * for the archive, later. */
	const char *const settings[] = {
	    "listen_addresses=",
	    "unix_socket_permissions=0700",
	    "unix_socket_group=",
	    "ssl=off",
	    made ? "archive_command=" : "archive_mode=off",
	    made ? "hot_standby=off" : "logging_collector=off",
	    "logging_collector=off",
	    "log_destination=stderr",
	    "synchronous_standby_names=",
	    "log_statement=none",
	    "log_min_duration_statement=-1",
	    "external_pid_file=",
	};

	for (size_t i = 0; i < MT_COUNT(settings); i++) {
		mt_argv_add(argv, "-c");
		mt_argv_add(argv, "%s", settings[i]);
	}
	mt_argv_add(argv, "-c");
	mt_argv_add(argv, "unix_socket_directories=%s", job->tmp_dir);
	mt_argv_add(argv, "-c");
	mt_argv_add(argv, "hba_file=%s/pg_hba.conf", job->tmp_dir);
	if (job->bootstrap->recovers)
		mt_argv_add(argv, "--config-file=%s/postgresql.conf",
			    job->tmp_dir);
}

/* What is run beside it takes as long as it takes. */
static int64_t
server_timeout_ms(const struct mt_pg_job *job)
{
	const struct mt_conf *conf = job->o.conf;

	if (job->bootstrap->section != NULL ||
	    conf->bootstrap.post_bootstrap[0] != '\0')
		return 0;
	return 2 * conf->postgresql.pg_ctl_timeout_ms + 60000;
}

static int
start_server(struct mt_pg_job *job, struct mt_err *err)
{
	const struct mt_conf_postgresql *pg = &job->o.conf->postgresql;
	struct mt_argv argv = {0};
	int rc;

	/* The last of two options counts. */
	rc = mt_pg_postmaster_argv(&argv, job->o.bins, pg, job->o.parameters,
				   err);
	add_private_options(&argv, job);
	if (rc == 0 && argv.bad)
		rc = mt_err_set(err, MT_ENOMEM, "out of memory");
	if (rc == 0)
		rc = mt_child_start(&job->server, job->o.loop,
				    &(struct mt_child_options){
					.argv = argv.v,
					.keep_locale = true,
					.timeout_ms = server_timeout_ms(job),
					.death_signo = SIGQUIT,
					.cancel_signo = SIGQUIT,
					.on_exit = server_exit,
					.arg = job,
				    },
				    err);
	mt_argv_free(&argv);
	return rc;
}

static void
configured(struct mt_pg_job *job)
{
	const struct mt_conf_postgresql *pg = &job->o.conf->postgresql;
	struct mt_session_options o = {
	    .target = {.port = server_port(job), .is_socket = true},
	    .user = pg->superuser.username,
	    .database = "postgres",
	    .on_refused = on_refused,
	    .arg = job,
	};
	struct mt_err err = {0};

	mt_copy(o.target.host, sizeof(o.target.host), job->tmp_dir);
	mt_job_progress(job, job->bootstrap->recovers ? "recovery" : "users",
			-1);
	if (start_server(job, &err) < 0 ||
	    mt_session_create(&job->session, job->o.loop, &o, &err) < 0) {
		mt_job_end(job, &err);
		return;
	}
	mt_session_want(job->session, true);
	next_step(job);
}

static void
initialised(struct mt_pg_job *job)
{
	mt_job_work(job, configure, configured);
}

static void
run_command(struct mt_pg_job *job)
{
	struct mt_argv argv = {0};
	struct mt_err err = {0};

	if (bootstrap__command_argv(job, &argv, &err) < 0) {
		mt_argv_free(&argv);
		mt_job_end(job, &err);
		return;
	}
	mt_job_progress(job, job->o.conf->bootstrap.method, -1);
	mt_job_run(job, &argv, true, NULL, initialised);
}

static void
run_initdb(struct mt_pg_job *job)
{
	const struct mt_conf_postgresql *pg = &job->o.conf->postgresql;
	struct mt_argv argv = {0};
	struct mt_err err = {0};

	mt_pg_bins_arg(&argv, job->o.bins, "initdb");
	if (mt_argv_add_options(&argv, job->o.conf->bootstrap.initdb, refused,
				false, "initdb", &err) < 0) {
		mt_argv_free(&argv);
		mt_job_end(job, &err);
		return;
	}
	mt_argv_add(&argv, "--pgdata=%s", pg->data_dir);
	mt_argv_add(&argv, "--username=%s", pg->superuser.username);
	if (job->pwfile[0])
		mt_argv_add(&argv, "--pwfile=%s", job->pwfile);
	mt_job_progress(job, "initdb", -1);
	mt_job_run(job, &argv, true, NULL, initialised);
}

int
mt_pg_bootstrap_start(struct mt_pg_job **job,
		      const struct mt_pg_job_options *options,
		      struct mt_err *err)
{
	struct mt_pg_job *j = mt_job_new(MT_PG_JOB_BOOTSTRAP, options, err);
	int rc;

	if (!j)
		return MT_EINVAL;
	j->bootstrap = calloc(1, sizeof(*j->bootstrap));
	if (!j->bootstrap) {
		free(j);
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	}
	j->release = release;
	j->undo = undo;
	j->bootstrap->section = options->conf->bootstrap.section;
	rc = bootstrap__check_section(j->bootstrap->section, err);
	if (rc == 0)
		rc = bootstrap__make_steps(j, err);
	if (rc) {
		release(j);
		free(j);
		return rc;
	}
	mt_job_work(j, prepare,
		    j->bootstrap->section != NULL ? run_command : run_initdb);
	*job = j;
	return 0;
}
