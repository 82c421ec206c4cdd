/* SPDX-License-Identifier: PostgreSQL */
/*
 * A node that exists only in memory, and a client that asks its API over real
 * sockets: three members with data and a witness; node1 is the primary.
 */
#ifndef MT_TEST_API_FAKE_H
#define MT_TEST_API_FAKE_H

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "daemon/api/api.h"

struct fake {
	uv_loop_t loop;
	struct mt_api *api;
	struct mt_api_backend backend;
	struct mt_conf conf;
	struct mt_settings settings;
	struct mt_state state;
	struct mt_reports reports;
	struct mt_local local;
	struct mt_pg_info pg;
	struct mt_raft_info raft;
	char doing[64];
	int64_t last_seen;
	/* the last proposal */
	int n_proposed;
	struct mt_command cmd;
	int64_t timeout_ms;
	mt_propose_cb propose_cb;
	void *propose_arg;
	/* the last reload */
	mt_reload_cb reload_cb;
	void *reload_arg;
	/* the last errand */
	struct mt_restart how;
	int n_restarts, n_reinits;
	bool from_leader;
	struct mt_errand_news news;
	/* the last schedule */
	json_t *schedule;
	mt_schedule_cb schedule_cb;
	void *schedule_arg;
	/* who watches */
	void (*watch_fn)(void *arg);
	void *watch_arg;
	bool closed;
};

static struct fake fake;

/* the last answer */
static int status;
static char answer[262144];
static const char *answer_body;

static inline void
fake_view(void *arg, struct mt_view *view)
{
	struct fake *f = arg;

	*view = (struct mt_view){
	    .now_ms = mt_clock_ms(),
	    .wall_ms = mt_wall_ms(),
	    .state = &f->state,
	    .reports = &f->reports,
	    .settings = &f->settings,
	    .local = f->local,
	};
}

static inline const struct mt_pg_info *
fake_pg(void *arg)
{
	return &((struct fake *)arg)->pg;
}

static inline void
fake_raft(void *arg, struct mt_raft_info *info)
{
	*info = ((struct fake *)arg)->raft;
}

static inline int64_t
fake_round_trip(void *arg)
{
	(void)arg;
	return 7;
}

static inline const char *
fake_doing(void *arg)
{
	return ((struct fake *)arg)->doing;
}

static inline int64_t
fake_last_seen(void *arg)
{
	return ((struct fake *)arg)->last_seen;
}

static inline void
fake_propose(void *arg, const struct mt_command *cmd, int64_t timeout_ms,
	     mt_propose_cb cb, void *cb_arg)
{
	struct fake *f = arg;

	f->n_proposed++;
	f->cmd = *cmd;
	f->timeout_ms = timeout_ms;
	f->propose_cb = cb;
	f->propose_arg = cb_arg;
}

static inline void
fake_reload(void *arg, mt_reload_cb cb, void *cb_arg)
{
	struct fake *f = arg;

	f->reload_cb = cb;
	f->reload_arg = cb_arg;
}

static inline uint64_t
fake_errand(struct fake *f, enum mt_errand_kind kind)
{
	f->local.errand.kind = kind;
	return ++f->local.errand.id;
}

static inline uint64_t
fake_restart(void *arg, const struct mt_restart *how)
{
	struct fake *f = arg;

	f->n_restarts++;
	f->how = *how;
	return fake_errand(f, MT_ERRAND_RESTART);
}

static inline uint64_t
fake_reinit(void *arg, bool from_leader)
{
	struct fake *f = arg;

	f->n_reinits++;
	f->from_leader = from_leader;
	return fake_errand(f, MT_ERRAND_REINIT);
}

static inline void
fake_schedule(void *arg, const json_t *body, mt_schedule_cb cb, void *cb_arg)
{
	struct fake *f = arg;

	json_decref(f->schedule);
	f->schedule = json_deep_copy(body);
	f->schedule_cb = cb;
	f->schedule_arg = cb_arg;
}

static inline const struct mt_errand_news *
fake_errand_news(void *arg)
{
	return &((struct fake *)arg)->news;
}

static inline json_t *
fake_explain(void *arg)
{
	(void)arg;
	return json_pack("[{ssss}]", "key", "ttl", "source", "default");
}

static inline void
fake_watch(void *arg, void (*fn)(void *), void *fn_arg)
{
	struct fake *f = arg;

	ck_assert(f->watch_fn == NULL);
	f->watch_fn = fn;
	f->watch_arg = fn_arg;
}

static inline void
fake_unwatch(void *arg, void (*fn)(void *), void *fn_arg)
{
	struct fake *f = arg;

	ck_assert(f->watch_fn == fn && f->watch_arg == fn_arg);
	f->watch_fn = NULL;
}

static inline struct mt_report *
fake_report(int i)
{
	return &fake.reports.seen[i].report;
}

static inline void
fake_member(int i, bool primary)
{
	struct mt_member *m = &fake.state.members[i];
	struct mt_seen *seen = &fake.reports.seen[i];
	struct mt_report *r = &seen->report;

	mt_format(m->name, sizeof(m->name), "node%d", i + 1);
	m->raft_id = UINT64_C(0xf000000000000000) + (uint64_t)i;
	m->witness = i == 3;
	mt_format(m->peer_addr, sizeof(m->peer_addr), "127.0.0.1:%d", 7000 + i);
	mt_format(m->api_url, sizeof(m->api_url), "http://127.0.0.1:%d/patroni",
		  8008 + i);
	if (!m->witness)
		mt_format(m->conn_url, sizeof(m->conn_url),
			  "postgres://%s:%d/postgres",
			  i == 1 ? "[::1]" : "127.0.0.1", 5432 + i);
	mt_copy(m->version, sizeof(m->version), "0.1.0");
	r->self = *m;
	r->incarnation = r->seq = 1;
	seen->at_ms = mt_clock_ms();
	if (m->witness)
		return;
	r->pg_state = MT_PG_RUNNING;
	r->pg_role = primary ? MT_ROLE_PRIMARY : MT_ROLE_REPLICA;
	r->healthy = r->has_data = true;
	r->writable = primary;
	r->lease_epoch = primary ? fake.state.leader.epoch : 0;
	r->streaming = !primary;
	r->at = (struct mt_position){2, primary ? 0x5000100 : 0x5000000};
	r->replayed_lsn = primary ? 0 : 0x4ffff00;
}

/* node2 (of data 22) and node3 (33) are the set, one of them has to confirm. */
static inline void
fake_sync(enum mt_sync_mode mode)
{
	struct mt_sync *sync = &fake.state.sync;

	fake.settings.synchronous_mode = mode;
	mt_copy(sync->leader, sizeof(sync->leader), "node1");
	sync->version = 3;
	sync->n = 2;
	sync->k = 1;
	for (int i = 0; i < 2; i++) {
		mt_format(sync->standbys[i].name, MT_NAME_MAX, "node%d", i + 2);
		sync->standbys[i].data_id = (uint64_t)(i + 2) * 11;
		fake_report(i + 1)->data_id = (uint64_t)(i + 2) * 11;
	}
	fake.local.data_id = fake.local.in_recovery ? 22 : 11;
}

/* This node is the primary (node1) or a replica (node2). */
static inline void
fake_local(bool primary)
{
	struct mt_local *l = &fake.local;

	memset(l, 0, sizeof(*l));
	mt_copy(l->name, sizeof(l->name), primary ? "node1" : "node2");
	mt_copy(l->sysid, sizeof(l->sysid), "7300000000000000001");
	l->data = MT_DATA_PRESENT;
	l->running = l->accepting = true;
	l->as_primary = primary;
	l->in_recovery = l->streaming = !primary;
	l->at = (struct mt_position){2, primary ? 0x5000100 : 0x5000000};
	l->replayed_lsn = primary ? 0 : 0x4ffff00;
	l->lease_epoch = primary ? fake.state.leader.epoch : 0;
	l->deadline_ms = primary ? mt_clock_ms() + 60000 : 0;
	l->missed_ms = l->deadline_ms;
	memset(&fake.pg, 0, sizeof(fake.pg));
	fake.pg.at_ms = mt_clock_ms();
	fake.pg.server_version = 150020;
	mt_copy(fake.pg.start_time, sizeof(fake.pg.start_time),
		"2026-11-23 06:00:00.123456+00:00");
	fake.pg.in_recovery = !primary;
	fake.pg.timeline = 2;
	fake.pg.current_lsn = primary ? 0x5000100 : 0;
	fake.pg.received_lsn = primary ? 0 : 0x5000000;
	fake.pg.replayed_lsn = primary ? 0 : 0x4ffff00;
	fake.pg.streaming = fake.pg.has_receiver = !primary;
	fake.pg.latest_end_lsn = primary ? 0 : 0x5000080;
}

static inline void
fake_cluster(void)
{
	struct mt_state *s = &fake.state;

	mt_state_init(s);
	s->index = 40;
	mt_copy(s->sysid, sizeof(s->sysid), "7300000000000000001");
	s->config = json_pack("{s:i, s:i}", "ttl", 5, "loop_wait", 10);
	s->leader.epoch = s->leader.since = 7;
	mt_copy(s->leader.holder, sizeof(s->leader.holder), "node1");
	s->leader.ttl_ms = 5000;
	s->status.optime = (struct mt_position){2, 0x5000000};
	s->n_members = fake.reports.n = 4;
	for (int i = 0; i < 4; i++)
		fake_member(i, i == 0);
}

static inline void
fake_setup(void)
{
	struct mt_err err;
	int rv;

	signal(SIGPIPE, SIG_IGN);
	memset(&fake, 0, sizeof(fake));
	uv_loop_init(&fake.loop);
	mt_copy(fake.conf.scope, sizeof(fake.conf.scope), "demo");
	fake.conf.tags = json_object();
	fake.conf.restapi.allow_shell_settings = true;
	fake.conf.restapi.listen = (struct mt_addr){"127.0.0.1", 8008};
	fake.last_seen = mt_wall_ms() / 1000;
	mt_settings_defaults(&fake.settings);
	fake_cluster();
	fake_local(true);
	fake.backend = (struct mt_api_backend){
	    .arg = &fake,
	    .conf = &fake.conf,
	    .version = "0.1.0",
	    .view = fake_view,
	    .pg = fake_pg,
	    .raft = fake_raft,
	    .round_trip = fake_round_trip,
	    .doing = fake_doing,
	    .last_seen = fake_last_seen,
	    .propose = fake_propose,
	    .reload = fake_reload,
	    .restart = fake_restart,
	    .reinit = fake_reinit,
	    .schedule = fake_schedule,
	    .errand_news = fake_errand_news,
	    .explain = fake_explain,
	    .watch = fake_watch,
	    .unwatch = fake_unwatch,
	};
	rv = mt_api_start(&fake.api, &fake.loop, "127.0.0.1", 0, &fake.backend,
			  &err);
	ck_assert_msg(rv == 0, "%s", err.text);
}

static inline void
fake_closed(void *arg)
{
	((struct fake *)arg)->closed = true;
}

static inline void
fake_teardown(void)
{
	if (fake.api != NULL)
		mt_api_close(fake.api, fake_closed, &fake);
	uv_run(&fake.loop, UV_RUN_DEFAULT);
	ck_assert(fake.closed);
	ck_assert(fake.watch_fn == NULL);
	ck_assert_int_eq(uv_loop_close(&fake.loop), 0);
	mt_state_release(&fake.state);
	json_decref(fake.conf.tags);
	json_decref(fake.schedule);
}

/* ---- the client ------------------------------------------------------- */

static inline int
send_request(const char *text)
{
	struct sockaddr_in to = {
	    .sin_family = AF_INET,
	    .sin_port = htons(mt_api_port(fake.api)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(send(fd, text, strlen(text), 0),
			 (ssize_t)strlen(text));
	return fd;
}

/* As many turns of the loop as milliseconds at least: on a busy machine a
 * millisecond may take a hundred. */
static inline void
turn(int64_t for_ms)
{
	int64_t end_ms = mt_clock_ms() + for_ms;

	for (int64_t i = 0; i < for_ms || mt_clock_ms() < end_ms; i++) {
		uv_run(&fake.loop, UV_RUN_NOWAIT);
		poll(NULL, 0, 1);
	}
}

/* Until this many commands were proposed. */
static inline void
until_proposed(int n)
{
	int64_t end_ms = mt_clock_ms() + 20000;

	while (fake.n_proposed < n && mt_clock_ms() < end_ms)
		turn(1);
	ck_assert_int_eq(fake.n_proposed, n);
}

/* Read into answer to the end of the connection, then close it. */
static inline size_t
read_all(int fd)
{
	int64_t end_ms = mt_clock_ms() + 20000;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t n = 0;

	for (;;) {
		ssize_t got;

		ck_assert_msg(mt_clock_ms() < end_ms, "no answer");
		uv_run(&fake.loop, UV_RUN_NOWAIT);
		if (poll(&p, 1, 1) == 0)
			continue;
		got = recv(fd, answer + n, sizeof(answer) - 1 - n, 0);
		ck_assert_int_ge(got, 0);
		if (got == 0)
			break;
		n += (size_t)got;
	}
	close(fd);
	answer[n] = '\0';
	return n;
}

static inline void
read_answer(int fd)
{
	ck_assert_uint_gt(read_all(fd), 12);
	status = atoi(answer + 9);
	answer_body = strstr(answer, "\r\n\r\n");
	ck_assert_ptr_nonnull(answer_body);
	answer_body += 4;
}

/* body NULL = none */
static inline int
send_ask(const char *method, const char *path, const char *body)
{
	char text[4096], length[64] = "";

	if (body != NULL)
		mt_format(length, sizeof(length), "Content-Length: %zu\r\n",
			  strlen(body));
	mt_format(text, sizeof(text),
		  "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n%s",
		  method, path, length, body == NULL ? "" : body);
	return send_request(text);
}

static inline int
ask(const char *method, const char *path)
{
	read_answer(send_ask(method, path, NULL));
	return status;
}

/* The body of the answer, parsed; owned by the caller. */
static inline json_t *
ask_json(const char *path)
{
	json_error_t error;
	json_t *doc;

	ask("GET", path);
	ck_assert_ptr_nonnull(
	    strstr(answer, "content-type: application/json\r\n"));
	doc = json_loads(answer_body, 0, &error);
	ck_assert_msg(doc != NULL, "%s: %s", error.text, answer_body);
	return doc;
}

/* Does the document equal this text, its quotes written as '? */
static inline void
ck_assert_json(const json_t *doc, const char *want)
{
	char text[8192];
	char *got = json_dumps(doc, JSON_COMPACT | JSON_ENCODE_ANY);

	ck_assert_ptr_nonnull(got);
	mt_copy(text, sizeof(text), want);
	for (char *p = text; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	ck_assert_str_eq(got, text);
	free(got);
}

#endif
