/* SPDX-License-Identifier: PostgreSQL */
/*
 * Bootstrap: a new cluster by initdb, with its users.
 *
 * The users are made in a private server, a child of this process that the
 * kernel ends with it: it listens on a socket in a directory of mode 0700 and
 * nowhere else, trusts whoever can reach that, logs no statement and archives
 * nothing. Passwords reach initdb by a temporary file and the server over the
 * socket. Then it is stopped, and must have shut down cleanly; the data id is
 * written, and only then the marker goes. Whatever fails leaves the marker:
 * half a new cluster holds nothing, and the owner discards it.
 *
 * The claim to bootstrap, and what is recorded in the cluster, are not ours.
 */
#include "pg/job.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/pgconf.h"
#include "pg/files.h"
#include "pg/params.h"

#define STATEMENT_MS 30000

static const char *const refused[] = {
    "pgdata",    "nosync",  "no-sync",  "pwfile",
    "sync-only", "version", "pwprompt", NULL,
};

struct step {
	char *sql; /* wiped when freed */
	char what[128];
};

struct mt_pg_bootstrap {
	struct step *steps;
	size_t n, next;
	bool stopping;
};

static void next_step(struct mt_pg_job *job);

/* ---- the statements ---- */

static void
put_ident(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"')
			fputc('"', f);
		fputc(*s, f);
	}
	fputc('"', f);
}

static void
put_literal(FILE *f, const char *s)
{
	fputc('\'', f);
	for (; *s; s++) {
		if (*s == '\'')
			fputc('\'', f);
		fputc(*s, f);
	}
	fputc('\'', f);
}

/* Takes sql. */
static int
add_step(struct mt_pg_bootstrap *b, char *sql, const char *what)
{
	struct step *steps =
	    sql ? realloc(b->steps, (b->n + 1) * sizeof(*steps)) : NULL;

	if (!steps) {
		free(sql);
		return MT_ENOMEM;
	}
	b->steps = steps;
	b->steps[b->n].sql = sql;
	mt_copy(b->steps[b->n].what, sizeof(b->steps[b->n].what), what);
	b->n++;
	return 0;
}

/* Was the role made by an earlier step? */
static bool
is_made(const struct mt_pg_bootstrap *b, const char *what)
{
	for (size_t i = 0; i < b->n; i++)
		if (mt_streq(b->steps[i].what, what))
			return true;
	return false;
}

/* attributes: "LOGIN REPLICATION"; extra: more SQL, or NULL */
static int
add_role(struct mt_pg_bootstrap *b, const char *name, const char *password,
	 const char *attributes, const char *extra, bool exists)
{
	char *sql = NULL, what[128];
	size_t size = 0;
	FILE *f = open_memstream(&sql, &size);

	if (!f)
		return MT_ENOMEM;
	mt_format(what, sizeof(what), "role \"%s\"", name);
	exists = exists || is_made(b, what);
	fputs(exists ? "ALTER ROLE " : "CREATE ROLE ", f);
	put_ident(f, name);
	fprintf(f, " WITH %s", attributes);
	if (password && password[0]) {
		fputs(" PASSWORD ", f);
		put_literal(f, password);
	}
	if (extra) {
		fputs(extra, f);
		put_ident(f, name);
	}
	if (fclose(f) != 0) {
		free(sql);
		return MT_ENOMEM;
	}
	return add_step(b, sql, what);
}

static int
add_user_options(char *buf, size_t size, const char *name,
		 const json_t *options, struct mt_err *err)
{
	bool login = false;
	const char *s;
	json_t *item;
	size_t i, n;

	buf[0] = '\0';
	json_array_foreach (options, i, item) {
		s = json_string_value(item);
		/* words only: attributes of CREATE ROLE, in any case */
		for (n = 0; s && (isalnum((unsigned char)s[n]) || s[n] == '_' ||
				  s[n] == ' ');
		     n++)
			continue;
		if (!s || s[n])
			return mt_err_set(err, MT_EINVAL,
					  "options of user \"%s\" in "
					  "bootstrap.users must be words such "
					  "as createdb",
					  name);
		login = login || strcasecmp(s, "login") == 0 ||
			strcasecmp(s, "nologin") == 0;
		n = strlen(buf);
		if (!mt_format(buf + n, size - n, "%s ", s))
			return mt_err_set(err, MT_EINVAL,
					  "user \"%s\" has too "
					  "many options",
					  name);
	}
	n = strlen(buf);
	mt_format(buf + n, size - n, "%s", login ? "" : "LOGIN");
	return 0;
}

static int
add_users(struct mt_pg_bootstrap *b, const json_t *users, struct mt_err *err)
{
	json_t *obj = (json_t *)(uintptr_t)users, *user, *password;
	char attributes[512], text[32];
	const char *name;
	int rc = 0;

	json_object_foreach (obj, name, user) {
		rc = add_user_options(attributes, sizeof(attributes), name,
				      json_object_get(user, "options"), err);
		if (rc)
			return rc;
		/* a password of digits arrives as a number */
		password = json_object_get(user, "password");
		text[0] = '\0';
		if (json_is_integer(password))
			mt_format(text, sizeof(text), "%" JSON_INTEGER_FORMAT,
				  json_integer_value(password));
		rc = add_role(b, name,
			      json_is_string(password)
				  ? json_string_value(password)
				  : text,
			      attributes, NULL, false);
		explicit_bzero(text, sizeof(text));
		if (rc)
			return mt_err_set(err, rc, "out of memory");
	}
	return 0;
}

static const char quiet_sql[] =
    "SET log_statement = 'none'; SET log_duration = off;"
    "SET log_min_duration_statement = -1;"
    "SET log_min_error_statement = 'panic';"
    "SET log_min_duration_sample = -1;"
    "SET log_transaction_sample_rate = 0;"
    "SET standard_conforming_strings = on;"
    "SET synchronous_commit = local;"
    "SET pg_stat_statements.track_utility = off;"
    "SET pgaudit.log = 'none'";

static const char rewind_sql[] =
    ";GRANT EXECUTE ON FUNCTION"
    " pg_catalog.pg_ls_dir(text, boolean, boolean),"
    " pg_catalog.pg_stat_file(text, boolean),"
    " pg_catalog.pg_read_binary_file(text),"
    " pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) TO ";

static int
make_steps(struct mt_pg_job *job, struct mt_err *err)
{
	const struct mt_conf_postgresql *pg = &job->o.conf->postgresql;
	struct mt_pg_bootstrap *b = job->bootstrap;
	const char *super = pg->superuser.username;
	int rc = add_step(b, strdup(quiet_sql), "session");

	if (rc == 0 && pg->superuser.password[0])
		rc = add_role(b, super, pg->superuser.password,
			      "SUPERUSER LOGIN", NULL, true);
	if (rc == 0 && pg->replication.username[0])
		rc = add_role(b, pg->replication.username,
			      pg->replication.password, "REPLICATION LOGIN",
			      NULL, mt_streq(pg->replication.username, super));
	if (rc == 0 && pg->rewind.username[0] &&
	    !mt_streq(pg->rewind.username, super))
		rc = add_role(b, pg->rewind.username, pg->rewind.password,
			      "LOGIN", rewind_sql, false);
	if (rc)
		return mt_err_set(err, rc, "out of memory");
	return add_users(b, job->o.conf->bootstrap.users, err);
}

static void
release(struct mt_pg_job *job)
{
	struct mt_pg_bootstrap *b = job->bootstrap;

	for (size_t i = 0; i < b->n; i++) {
		explicit_bzero(b->steps[i].sql, strlen(b->steps[i].sql));
		free(b->steps[i].sql);
	}
	free(b->steps);
	free(b);
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
	if (rc == 0 && password[0]) {
		mt_format(job->pwfile, sizeof(job->pwfile), "%s/pwfile.job",
			  conf->raft.data_dir);
		rc = mt_file_write(job->pwfile, password, strlen(password),
				   0600, err);
	}
	return rc;
}

static int
configure(struct mt_pg_job *job, struct mt_err *err)
{
	static const char hba[] = "local all all trust\n";
	const struct mt_conf *conf = job->o.conf;
	char path[128];
	int rc = 0;

	if (json_array_size(conf->postgresql.pg_hba) == 0)
		rc = mt_pg_hba_append(&conf->postgresql, conf->bootstrap.pg_hba,
				      err);
	if (rc == 0)
		rc = mt_pg_conf_write(&conf->postgresql, job->o.parameters,
				      NULL, NULL, err);
	if (rc)
		return rc;
	mt_copy(job->tmp_dir, sizeof(job->tmp_dir), "/tmp/matriarch-XXXXXX");
	if (!mkdtemp(job->tmp_dir)) {
		job->tmp_dir[0] = '\0';
		return mt_err_sys(err, errno,
				  "could not make a directory in \"/tmp\"");
	}
	mt_format(path, sizeof(path), "%s/pg_hba.conf", job->tmp_dir);
	return mt_file_write(path, hba, strlen(hba), 0600, err);
}

static int
conclude(struct mt_pg_job *job, struct mt_err *err)
{
	const struct mt_conf *conf = job->o.conf;
	int rc;

	job->result.data_id = mt_random_u64() | 1;
	rc = mt_pg_data_id_write(conf->postgresql.data_dir, job->result.data_id,
				 err);
	return rc ? rc : mt_pg_unfinished_clear(conf->raft.data_dir, err);
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

static void
next_step(struct mt_pg_job *job)
{
	struct mt_pg_bootstrap *b = job->bootstrap;
	int64_t start_ms = job->o.conf->postgresql.pg_ctl_timeout_ms;

	if (b->next == b->n) {
		job->session_closing = true;
		mt_session_close(job->session, session_closed, job);
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
	static const char *const settings[] = {
	    "listen_addresses=",      "unix_socket_permissions=0700",
	    "unix_socket_group=",     "ssl=off",
	    "archive_mode=off",       "logging_collector=off",
	    "log_destination=stderr", "synchronous_standby_names=",
	    "log_statement=none",     "log_min_duration_statement=-1",
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
		rc = mt_child_start(
		    &job->server, job->o.loop,
		    &(struct mt_child_options){
			.argv = argv.v,
			.keep_locale = true,
			.timeout_ms = 2 * pg->pg_ctl_timeout_ms + 60000,
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
	    .target = {.port = pg->port, .is_socket = true},
	    .user = pg->superuser.username,
	    .database = "postgres",
	};
	const char *port =
	    json_string_value(json_object_get(job->o.parameters, "port"));
	struct mt_err err = {0};

	if (port)
		o.target.port = (uint16_t)strtoul(port, NULL, 10);
	mt_copy(o.target.host, sizeof(o.target.host), job->tmp_dir);
	mt_job_progress(job, "users", -1);
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
prepared(struct mt_pg_job *job)
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
	rc = make_steps(j, err);
	if (rc) {
		release(j);
		free(j);
		return rc;
	}
	mt_job_work(j, prepare, prepared);
	*job = j;
	return 0;
}
