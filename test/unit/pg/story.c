/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the chapters of the story share: two nodes, their servers, jobs and
 * sessions, and one loop that all of it runs in.
 */
#include "story.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "pg/conninfo.h"
#include "pg/files.h"
#include "pg/params.h"

char top[64];
uv_loop_t loop;
struct mt_pg_bins bins;
struct node a, b;
int done, progress;
struct mt_err last_err;
struct mt_pg_info info;
char value[256];

static void
wake_up(uv_timer_t *t)
{
	(void)t;
}

/* Runs the loop until *flag is set. */
void
wait_for(const int *flag)
{
	int64_t until = mt_clock_ms() + 20000;
	uv_timer_t wake;

	uv_timer_init(&loop, &wake);
	while (!*flag) {
		ck_assert_msg(mt_clock_ms() < until, "nothing happened: %s",
			      last_err.text);
		uv_timer_start(&wake, wake_up, 20, 0);
		uv_run(&loop, UV_RUN_ONCE);
	}
	uv_close((uv_handle_t *)&wake, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static uint16_t
free_port(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t n = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, n), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sin, &n), 0);
	close(fd);
	return ntohs(sin.sin_port);
}

static void
set_user(struct mt_conf_user *u, const char *name, const char *password)
{
	mt_copy(u->username, sizeof(u->username), name);
	mt_copy(u->password, sizeof(u->password), password);
	/* Nothing asks for Kerberos, but all have to understand it. */
	mt_copy(u->libpq.krbsrvname, sizeof(u->libpq.krbsrvname), "db");
}

void
make_node(struct node *n, const char *name)
{
	struct mt_conf *c = calloc(1, sizeof(*c));
	struct mt_conf_postgresql *pg;
	char port[8];

	ck_assert_ptr_nonnull(c);
	pg = &c->postgresql;
	mt_copy(c->name, sizeof(c->name), name);
	mt_format(c->raft.data_dir, sizeof(c->raft.data_dir), "%s/%s", top,
		  name);
	ck_assert_int_eq(mkdir(c->raft.data_dir, 0700), 0);
	mt_format(pg->data_dir, sizeof(pg->data_dir), "%s/%s/data", top, name);
	mt_format(pg->pgpass, sizeof(pg->pgpass), "%s/%s/pgpass", top, name);
	c->has_postgresql = true;
	mt_copy(pg->listen_addresses, sizeof(pg->listen_addresses),
		"127.0.0.1");
	mt_copy(pg->database, sizeof(pg->database), "postgres");
	pg->port = free_port();
	pg->pg_ctl_timeout_ms = 10000;
	set_user(&pg->superuser, "chief", "it's \\ secret");
	set_user(&pg->replication, "replicator", "rep:pass");
	set_user(&pg->rewind, "rewinder", "rew pass");
	pg->basebackup = json_pack("[{s:s}]", "max-rate", "500M");
	pg->create_replica_methods = json_pack("[s]", "basebackup");
	pg->replica_sections = json_object();
	c->bootstrap.initdb =
	    json_pack("[s,{s:s},{s:s},{s:s}]", "data-checksums", "encoding",
		      "UTF8", "locale", "C", "auth", "scram-sha-256");
	c->bootstrap.pg_hba =
	    json_pack("[s]", "host replication all 127.0.0.1/32 scram-sha-256");
	c->bootstrap.users =
	    json_pack("{s:{s:s,s:[s,s]}}", "ad\"min", "password", "adm'in",
		      "options", "createrole", "createdb");
	mt_format(port, sizeof(port), "%u", (unsigned)pg->port);
	n->conf = c;
	n->parameters = json_pack(
	    "{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "listen_addresses", "127.0.0.1",
	    "port", port, "unix_socket_directories", "", "wal_log_hints", "on",
	    "shared_buffers", "16MB", "max_connections", "30",
	    "wal_retrieve_retry_interval", "200");
	mt_format(n->url, sizeof(n->url), "postgres://127.0.0.1:%u/postgres",
		  (unsigned)pg->port);
}

void
free_node(struct node *n)
{
	struct mt_conf *c = n->conf;

	if (!c)
		return;
	json_decref(c->postgresql.basebackup);
	json_decref(c->postgresql.create_replica_methods);
	json_decref(c->postgresql.replica_sections);
	json_decref(c->postgresql.rewind_options);
	json_decref(c->bootstrap.initdb);
	json_decref(c->bootstrap.pg_hba);
	json_decref(c->bootstrap.users);
	json_decref(c->bootstrap.section);
	json_decref(n->parameters);
	free(c);
}

static void
job_progress(void *arg, const char *what, int percent)
{
	(void)arg;
	ck_assert(what[0] != '\0');
	ck_assert_int_le(percent, 100);
	if (percent > progress)
		progress = percent;
}

static void
job_done(void *arg, const struct mt_pg_job_result *r)
{
	struct node *n = arg;

	n->result = *r;
	last_err = r->err;
	done = 1;
}

struct mt_pg_job_options
job_options(struct node *n, const char *source)
{
	done = 0;
	progress = -1;
	return (struct mt_pg_job_options){
	    .loop = &loop,
	    .conf = n->conf,
	    .bins = &bins,
	    .parameters = n->parameters,
	    .source_url = source,
	    .on_progress = job_progress,
	    .on_done = job_done,
	    .arg = n,
	};
}

void
expect_unfinished(struct node *n, const char *what)
{
	char got[MT_PG_UNFINISHED_MAX] = "nothing";

	if (mt_pg_unfinished_read(n->conf->raft.data_dir, got, sizeof(got),
				  NULL) < 0)
		mt_copy(got, sizeof(got), "nothing");
	ck_assert_str_eq(got, what);
	mt_format(value, sizeof(value), "%s/pgpass.job",
		  n->conf->raft.data_dir);
	ck_assert(!mt_file_exists(value));
	mt_format(value, sizeof(value), "%s/pwfile.job",
		  n->conf->raft.data_dir);
	ck_assert(!mt_file_exists(value));
}

static void
server_exit(void *arg, const struct mt_child_result *r)
{
	struct node *n = arg;

	n->server = NULL;
	if (r->err.code)
		last_err = r->err;
	done = 1;
}

void
start_server(struct node *n, const struct node *upstream)
{
	struct mt_pg_follow follow = {0};
	struct mt_argv argv = {0};
	struct mt_pgpass_host host = {"127.0.0.1", 0};
	const char *dir = n->conf->postgresql.data_dir;

	if (upstream) {
		host.port = upstream->conf->postgresql.port;
		ck_assert_int_eq(mt_pg_primary_conninfo(
				     follow.conninfo, sizeof(follow.conninfo),
				     &n->conf->postgresql, n->conf->name,
				     upstream->url, bins.version_num, NULL),
				 0);
		mt_pg_slot_name(follow.slot, n->conf->name);
		ck_assert_int_eq(mt_pgpass_write(n->conf->postgresql.pgpass,
						 &n->conf->postgresql, &host, 1,
						 NULL),
				 0);
	}
	ck_assert_int_eq(mt_pg_standby_signal(dir, upstream != NULL, NULL), 0);
	ck_assert_int_eq(mt_pg_conf_write(&n->conf->postgresql, n->parameters,
					  upstream ? &follow : NULL, NULL,
					  NULL),
			 0);
	ck_assert_int_eq(mt_pg_postmaster_argv(&argv, &bins,
					       &n->conf->postgresql,
					       n->parameters, NULL),
			 0);
	ck_assert_int_eq(mt_child_start(&n->server, &loop,
					&(struct mt_child_options){
					    .argv = argv.v,
					    .death_signo = SIGQUIT,
					    .on_exit = server_exit,
					    .arg = n,
					},
					&last_err),
			 0);
	mt_argv_free(&argv);
	mt_session_want(n->session, true);
}

void
stop_server(struct node *n, int signo)
{
	mt_session_want(n->session, false);
	done = 0;
	mt_child_signal(n->server, signo);
	wait_for(&done);
}

void
stmt_done(void *arg, const struct mt_session_result *r)
{
	(void)arg;
	last_err = r->err;
	mt_copy(value, sizeof(value), mt_session_value(r, 0, 0));
	done = 1;
}

int
ask(struct node *n, const char *sql, int64_t timeout_ms)
{
	done = 0;
	ck_assert_uint_ne(mt_session_query(n->session,
					   &(struct mt_session_stmt){
					       .sql = sql,
					       .timeout_ms = timeout_ms,
					       .cb = stmt_done,
					   }),
			  0);
	wait_for(&done);
	return last_err.code;
}

static void
look_done(void *arg, const struct mt_pg_info *i, const struct mt_err *err)
{
	(void)arg;
	if (i)
		info = *i;
	if (err)
		last_err = *err;
	done = i ? 1 : -1;
}

void
look(struct node *n)
{
	done = 0;
	ck_assert_uint_ne(mt_session_look(n->session, 10000, look_done, NULL),
			  0);
	wait_for(&done);
	ck_assert_msg(done == 1, "%s", last_err.text);
}

bool
until(struct node *n, bool (*is_so)(void))
{
	int64_t end = mt_clock_ms() + 15000;

	do
		look(n);
	while (!is_so() && mt_clock_ms() < end);
	return is_so();
}

bool
is_streaming(void)
{
	return info.streaming && info.received_lsn;
}

bool
is_primary(void)
{
	return !info.in_recovery;
}

int accepting = -1;

static void
on_accepting(void *arg, bool yes, const struct mt_err *err)
{
	struct node *n = arg;

	ck_assert(yes == (err == NULL));
	ck_assert(yes == mt_session_accepting(n->session));
	accepting = yes;
}

void
make_session(struct node *n)
{
	struct mt_session_options o = {
	    .user = n->conf->postgresql.superuser.username,
	    .password = n->conf->postgresql.superuser.password,
	    .database = "postgres",
	    .on_accepting = on_accepting,
	    .arg = n,
	};

	mt_pg_target_local(&o.target, &n->conf->postgresql, n->parameters,
			   false);
	ck_assert_int_eq(mt_session_create(&n->session, &loop, &o, NULL), 0);
}

bool telling;

/* No chapter after one that went wrong. */
void
begin(void)
{
	ck_assert_msg(!telling, "an earlier test failed");
	telling = true;
}
