/* SPDX-License-Identifier: PostgreSQL */
/*
 * The session against a real server: it connects, asks, is refused, cut off and
 * kept waiting.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "pg/conninfo.h"
#include "story.h"

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

	mt_pg_target_local(&o.target, &a.conf->postgresql, a.parameters, false);
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
	ck_assert_str_eq(info.slots[0].name, "b_1");
	ck_assert(info.slots[0].physical && !info.slots[0].active);
	ck_assert_uint_gt(info.slots[0].restart_lsn, 0);
	ck_assert_uint_le(info.slots[0].restart_lsn, info.current_lsn);
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

void
add_session_chapters(TCase *t)
{
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
}
