/* SPDX-License-Identifier: PostgreSQL */
/*
 * The long works and the session against real servers: one story, told by tests
 * that follow one another in this process. Servers are children that end with
 * it. Run as root it becomes postgres, else nobody.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>

#include "base/clock.h"
#include "base/text.h"
#include "pg/bins.h"
#include "pg/conninfo.h"
#include "pg/control.h"
#include "pg/files.h"
#include "pg/jobs.h"
#include "pg/params.h"
#include "pg/session.h"

struct node {
	struct mt_conf *conf;
	json_t *parameters;
	char url[64];
	struct mt_child *server;
	struct mt_session *session;
	struct mt_pg_job_result result;
	uint64_t data_id;
};

static char top[64];
static uv_loop_t loop;
static struct mt_pg_bins bins;
static struct node a, b;
static int done, progress;
static struct mt_err last_err;
static struct mt_pg_info info;
static char value[256];

/* ---- harness ---- */

static void
wake_up(uv_timer_t *t)
{
	(void)t;
}

/* Runs the loop until *flag is set. */
static void
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
}

static void
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
	pg->recovery_conf = json_object();
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

static void
free_node(struct node *n)
{
	struct mt_conf *c = n->conf;

	if (!c)
		return;
	json_decref(c->postgresql.basebackup);
	json_decref(c->postgresql.recovery_conf);
	json_decref(c->bootstrap.initdb);
	json_decref(c->bootstrap.pg_hba);
	json_decref(c->bootstrap.users);
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

static struct mt_pg_job_options
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

static void
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

static void
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
				     upstream->url, NULL),
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
	ck_assert_int_eq(
	    mt_pg_postmaster_argv(&argv, &bins, dir, n->parameters, NULL), 0);
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

static void
stop_server(struct node *n, int signo)
{
	mt_session_want(n->session, false);
	done = 0;
	mt_child_signal(n->server, signo);
	wait_for(&done);
}

static void
stmt_done(void *arg, const struct mt_session_result *r)
{
	(void)arg;
	last_err = r->err;
	mt_copy(value, sizeof(value), mt_session_value(r, 0, 0));
	done = 1;
}

static int
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

static void
look(struct node *n)
{
	done = 0;
	ck_assert_uint_ne(mt_session_look(n->session, 10000, look_done, NULL),
			  0);
	wait_for(&done);
	ck_assert_msg(done == 1, "%s", last_err.text);
}

static bool
until(struct node *n, bool (*is_so)(void))
{
	int64_t end = mt_clock_ms() + 15000;

	do
		look(n);
	while (!is_so() && mt_clock_ms() < end);
	return is_so();
}

static bool
is_streaming(void)
{
	return info.streaming && info.received_lsn;
}

static bool
is_primary(void)
{
	return !info.in_recovery;
}

static int accepting = -1;

static void
on_accepting(void *arg, bool yes, const struct mt_err *err)
{
	struct node *n = arg;

	ck_assert(yes == (err == NULL));
	ck_assert(yes == mt_session_accepting(n->session));
	accepting = yes;
}

static void
make_session(struct node *n)
{
	struct mt_session_options o = {
	    .user = n->conf->postgresql.superuser.username,
	    .password = n->conf->postgresql.superuser.password,
	    .database = "postgres",
	    .on_accepting = on_accepting,
	    .arg = n,
	};

	mt_pg_target_local(&o.target, &n->conf->postgresql, n->parameters);
	ck_assert_int_eq(mt_session_create(&n->session, &loop, &o, NULL), 0);
}

/* ---- the story ---- */

static bool telling;

/* No chapter after one that went wrong. */
static void
begin(void)
{
	ck_assert_msg(!telling, "an earlier test failed");
	telling = true;
}

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

START_TEST(the_session_connects_with_a_password_and_looks)
{
	make_session(&a);
	start_server(&a, NULL);
	look(&a);
	ck_assert_int_eq(accepting, 1);
	ck_assert(!info.in_recovery);
	ck_assert_uint_eq(info.timeline, 1);
	ck_assert_str_ne(info.sysid, "");
	ck_assert_uint_gt(info.current_lsn, 0);
	ck_assert_int_eq(info.server_version / 10000, bins.version_num / 10000);
	ck_assert_int_eq(info.n_slots, 0);
	ck_assert_int_gt(mt_session_backend_pid(a.session), 0);
	ck_assert_int_eq(ask(&a,
			     "SELECT string_agg(rolname, ',' ORDER BY"
			     " rolname) FROM pg_roles WHERE rolcanlogin",
			     0),
			 0);
	ck_assert_str_eq(value, "ad\"min,chief,replicator,rewinder");
	ck_assert_int_eq(ask(&a,
			     "SELECT has_function_privilege('rewinder',"
			     "'pg_read_binary_file(text)', 'execute') AND"
			     " (SELECT rolcreatedb AND rolcreaterole AND"
			     " NOT rolsuper FROM pg_roles"
			     " WHERE rolname = 'ad\"min')",
			     0),
			 0);
	ck_assert_str_eq(value, "t");
	ck_assert_int_eq(ask(&a, "SHOW application_name", 0), 0);
	ck_assert_str_eq(value, "Matriarch");
	telling = false;
}
END_TEST

START_TEST(a_refused_statement_has_the_servers_words_unless_it_is_secret)
{
	ck_assert_int_eq(ask(&a, "SELECT 1 / 0", 0), MT_EREFUSED);
	ck_assert_str_eq(last_err.text, "division by zero (SQLSTATE 22012)");
	done = 0;
	mt_session_query(a.session, &(struct mt_session_stmt){
					.sql = "SELECT geheim",
					.secret = true,
					.cb = stmt_done,
				    });
	wait_for(&done);
	ck_assert_int_eq(last_err.code, MT_EREFUSED);
	ck_assert_ptr_null(strstr(last_err.text, "geheim"));
	ck_assert_int_eq(ask(&a, "COPY pg_class TO STDOUT", 0), MT_EPROTO);
	ck_assert_int_eq(ask(&a, "SELECT 1", 0), 0);
	telling = false;
}
END_TEST

START_TEST(a_late_statement_costs_the_connection_and_the_next_works)
{
	int pid = mt_session_backend_pid(a.session);
	int64_t t = mt_clock_ms();

	ck_assert_int_eq(ask(&a, "SELECT pg_sleep(20)", 200), MT_ETIMEDOUT);
	ck_assert_int_lt(mt_clock_ms() - t, 1000);
	ck_assert_int_eq(ask(&a, "SELECT 1", 0), 0);
	ck_assert_int_ne(mt_session_backend_pid(a.session), pid);
	telling = false;
}
END_TEST

START_TEST(a_canceled_statement_is_told_once)
{
	uint64_t id;

	done = 0;
	id = mt_session_query(a.session, &(struct mt_session_stmt){
					     .sql = "SELECT pg_sleep(20)",
					     .timeout_ms = 30000,
					     .cb = stmt_done,
					 });
	mt_session_cancel(a.session, id);
	ck_assert_int_eq(done, 0);
	wait_for(&done);
	ck_assert_int_eq(last_err.code, MT_ECANCELED);
	mt_session_cancel(a.session, id);
	ck_assert_int_eq(ask(&a, "SELECT 1", 0), 0);
	telling = false;
}
END_TEST

START_TEST(a_killed_backend_is_noticed_at_once)
{
	char sql[64];
	struct node other = {.conf = a.conf, .parameters = a.parameters};

	ck_assert_int_eq(ask(&a, "SELECT 1", 0), 0);
	mt_format(sql, sizeof(sql), "SELECT pg_terminate_backend(%d)",
		  mt_session_backend_pid(a.session));
	make_session(&other);
	mt_session_want(other.session, true);
	ck_assert_int_eq(ask(&other, sql, 0), 0);
	while (accepting)
		uv_run(&loop, UV_RUN_ONCE);
	mt_session_close(other.session, NULL, NULL);
	ck_assert_int_eq(ask(&a, "SELECT 1", 0), 0);
	ck_assert_int_eq(accepting, 1);
	telling = false;
}
END_TEST

static int refusals;

static void
on_refused(void *arg, const struct mt_err *err)
{
	(void)arg;
	last_err = *err;
	refusals++;
}

START_TEST(a_refused_connection_says_why_and_is_tried_again)
{
	struct mt_session_options o = {
	    .user = "chief",
	    .password = "wrong",
	    .database = "postgres",
	    .on_refused = on_refused,
	};
	struct mt_session *s;

	mt_pg_target_local(&o.target, &a.conf->postgresql, a.parameters);
	refusals = 0;
	ck_assert_int_eq(mt_session_create(&s, &loop, &o, NULL), 0);
	mt_session_want(s, true);
	while (refusals < 3)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_str_eq(mt_session_last_sqlstate(s), "28P01");
	ck_assert_ptr_null(strstr(last_err.text, "LOCATION"));
	ck_assert_ptr_null(strstr(last_err.text, "wrong"));
	ck_assert(!mt_session_accepting(s));
	mt_session_close(s, NULL, NULL);
	telling = false;
}
END_TEST

START_TEST(a_server_that_does_not_answer_is_given_up_in_time)
{
	struct mt_session_options o = {
	    .user = "chief",
	    .database = "postgres",
	    .connect_timeout_ms = 100,
	    .on_refused = on_refused,
	};
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t n = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct node mute = {0};

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, n), 0);
	ck_assert_int_eq(listen(fd, 10), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sin, &n), 0);
	mt_copy(o.target.host, sizeof(o.target.host), "127.0.0.1");
	mt_copy(o.target.hostaddr, sizeof(o.target.hostaddr), "127.0.0.1");
	o.target.port = ntohs(sin.sin_port);
	refusals = 0;
	ck_assert_int_eq(mt_session_create(&mute.session, &loop, &o, NULL), 0);
	mt_session_want(mute.session, true);
	ck_assert_int_eq(ask(&mute, "SELECT 1", 500), MT_ETIMEDOUT);
	ck_assert_int_ge(refusals, 2);
	mt_session_close(mute.session, NULL, NULL);
	close(fd);
	telling = false;
}
END_TEST

START_TEST(a_name_is_looked_up_and_each_of_its_addresses_tried)
{
	struct mt_session_options o = {
	    .user = "chief",
	    .password = a.conf->postgresql.superuser.password,
	    .database = "postgres",
	};
	struct node named = {0};

	mt_copy(o.target.host, sizeof(o.target.host), "localhost");
	o.target.port = a.conf->postgresql.port;
	ck_assert_int_eq(mt_session_create(&named.session, &loop, &o, NULL), 0);
	mt_session_want(named.session, true);
	ck_assert_int_eq(ask(&named, "SELECT 1", 5000), 0);
	mt_session_close(named.session, NULL, NULL);
	telling = false;
}
END_TEST

START_TEST(slots_are_made_and_dropped_without_complaint)
{
	for (int i = 0; i < 2; i++) {
		done = 0;
		mt_session_slot_create(a.session, "b_1", 0, stmt_done, NULL);
		wait_for(&done);
		ck_assert_int_eq(last_err.code, 0);
	}
	look(&a);
	ck_assert_int_eq(info.n_slots, 1);
	ck_assert_str_eq(info.slots[0], "b_1");
	for (int i = 0; i < 2; i++) {
		done = 0;
		mt_session_slot_drop(a.session, "b_1", 0, stmt_done, NULL);
		wait_for(&done);
		ck_assert_int_eq(last_err.code, 0);
	}
	look(&a);
	ck_assert_int_eq(info.n_slots, 0);
	done = 0;
	mt_session_slot_create(a.session, "b_1", 0, stmt_done, NULL);
	wait_for(&done);
	done = 0;
	mt_session_history(a.session, 1, 0, stmt_done, NULL);
	wait_for(&done);
	ck_assert_int_eq(last_err.code, 0);
	ck_assert_str_eq(value, "");
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

	ck_assert_int_eq(mt_pg_rewind_start(&job, &o, &last_err), 0);
	wait_for(&done);
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
	tcase_add_test(t, the_session_connects_with_a_password_and_looks);
	tcase_add_test(
	    t, a_refused_statement_has_the_servers_words_unless_it_is_secret);
	tcase_add_test(
	    t, a_late_statement_costs_the_connection_and_the_next_works);
	tcase_add_test(t, a_canceled_statement_is_told_once);
	tcase_add_test(t, a_killed_backend_is_noticed_at_once);
	tcase_add_test(t, a_refused_connection_says_why_and_is_tried_again);
	tcase_add_test(t, a_server_that_does_not_answer_is_given_up_in_time);
	tcase_add_test(t, a_name_is_looked_up_and_each_of_its_addresses_tried);
	tcase_add_test(t, slots_are_made_and_dropped_without_complaint);
	tcase_add_test(t,
		       a_job_leaves_a_directory_alone_in_which_a_server_runs);
	tcase_add_test(t, a_canceled_clone_says_so_and_leaves_the_marker);
	tcase_add_test(t, a_clone_is_the_same_cluster_with_another_data_id);
	tcase_add_test(t, a_clone_streams_from_its_upstream);
	tcase_add_test(t, a_promoted_standby_has_a_history);
	tcase_add_test(t, a_rewind_without_source_leaves_everything_as_it_was);
	tcase_add_test(t, a_copy_that_was_never_started_is_not_recovered);
	tcase_add_test(t, a_recovery_that_fails_has_the_servers_words);
	tcase_add_test(
	    t, a_crashed_primary_is_shut_down_with_all_that_a_rewind_needs);
	tcase_add_test(t, a_rewound_primary_follows_with_its_own_configuration);
	tcase_add_test(t, a_stopped_server_says_so_and_can_be_discarded);
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
		static const char *const dirs[] = {"a/data", "b-1/data", "a",
						   "b-1", ""};

		for (size_t i = 0; i < MT_COUNT(dirs); i++) {
			mt_format(path, sizeof(path), "%s/%s", top, dirs[i]);
			if (mt_pg_dir_empty(path, NULL) == 0)
				rmdir(path);
		}
		rmdir(top);
	}
	return failed || rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
