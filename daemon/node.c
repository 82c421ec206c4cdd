/* SPDX-License-Identifier: PostgreSQL */
/*
 * The node: wiring, the turn of the loop, and the end. Whatever happens marks
 * the node dirty; once per turn it makes a view, keeps its promises, decides
 * once as agent and, on the Raft leader, once as controller, executes, tells
 * the others, and sets one timer for the next thing that is due.
 */
#include "daemon/node.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/node_internal.h"

#define SLOW_TURN_MS 50
#define HURRY_MS 50 /* between looks while a new holder is being chosen */

static void
idle_cb(uv_idle_t *idle)
{
	(void)idle; /* its being active is all: the loop does not sleep */
}

void
node__wake(struct mt_node *n)
{
	if (n->dirty || n->closing)
		return;
	n->dirty = true;
	/* An active idle handle keeps the loop from sleeping. */
	uv_idle_start(&n->idle, idle_cb);
}

/* ---- one turn ---- */

/* The document may have changed: settings, and PostgreSQL's files. */
static void
take_settings(struct mt_node *n)
{
	uint64_t digest = MT_HASH_SEED;

	for (int i = 0; i < n->state.n_members; i++)
		digest = mt_hash(digest, n->state.members[i].conn_url,
				 strlen(n->state.members[i].conn_url) + 1);
	if (n->settings_version == n->state.config_version + 1 &&
	    digest == n->members_digest)
		return;
	n->settings_version = n->state.config_version + 1;
	n->members_digest = digest;
	mt_settings_parse(&n->settings, n->state.config != NULL
					    ? n->state.config
					    : n->conf->bootstrap.dcs);
	mt_conf_overlay(n->conf, &n->settings);
	if (n->pg != NULL)
		mt_postgres_configure(n->pg, n->state.config, &n->state);
}

/* Positions matter now, or whether WAL still arrives: look often. */
static void
set_pace(struct mt_node *n, const struct mt_view *v)
{
	bool choosing = n->state.leader.released || n->probing.epoch != 0 ||
			(mt_state_held_by(&n->state, n->conf->name) &&
			 (!v->local.as_primary || v->local.in_recovery));

	if (n->pg == NULL)
		return;
	mt_postgres_watch_hang(n->pg,
			       n->settings.pause || mt_agent_is_stranger(v)
				   ? 0
				   : n->settings.primary_hang_timeout_ms);
	mt_postgres_watch_dir(n->pg, v->local.state_current &&
					 n->state.sysid[0] == '\0');
	if (v->local.job == MT_JOB_PROMOTE)
		return;
	mt_postgres_hurry(
	    n->pg, choosing || v->local.job == MT_JOB_START ? HURRY_MS : 0);
	if (n->state.sysid[0] != '\0' &&
	    strcmp(n->state.sysid, v->local.sysid) == 0)
		mt_postgres_settled(n->pg);
}

static int64_t
sooner(int64_t a, int64_t b)
{
	if (a == 0 || b == 0)
		return a == 0 ? b : a;
	return a < b ? a : b;
}

/* The lines that log scrapers look for, every loop_wait. */
static void
heartbeat(struct mt_node *n, const struct mt_view *v)
{
	const char *holder = n->state.leader.holder;
	const char *paused = n->settings.pause ? "PAUSE: " : "";
	char text[sizeof(n->heartbeat)];

	if (n->pg == NULL || v->local.job != MT_JOB_NONE ||
	    v->now_ms - n->heartbeat_ms < n->settings.loop_wait_ms)
		return;
	n->heartbeat_ms = v->now_ms;
	if (v->local.as_primary && mt_state_held_by(&n->state, n->conf->name))
		mt_format(text, sizeof(text),
			  "%sno action. I am (%s), the leader with the lock",
			  paused, n->conf->name);
	else if (mt_state_held(&n->state) && v->local.accepting)
		mt_format(text, sizeof(text),
			  "%sno action. I am (%s), a secondary, and following "
			  "a leader (%s)",
			  paused, n->conf->name, holder);
	else if (n->settings.pause)
		mt_format(text, sizeof(text), "%sno action. I am (%s)", paused,
			  n->conf->name);
	else
		return;
	if (n->conf->log.deduplicate_heartbeats && mt_streq(text, n->heartbeat))
		return;
	mt_copy(n->heartbeat, sizeof(n->heartbeat), text);
	node__say_holder(n, MT_LOG_DEBUG);
	mt_info("%s", text);
}

static int64_t
decide(struct mt_node *n)
{
	struct mt_view v;
	struct mt_plan plan;
	struct mt_control_plan control;
	int64_t next;

	node__observe(n, &v);
	next = sooner(node__errand_look(n, &v), node__schedule_look(n, &v));
	next = sooner(next, mt_keep_step(&n->keep, &v, &n->durable_voters));
	node__observe(n, &v); /* the own vote may have completed a round */
	if (n->keep.paused) {
		n->keep.paused = false;
		mt_warn("this machine stood still for a while: the lease is "
			"dropped");
	}
	if (n->pg != NULL && v.local.as_primary && v.local.had_lease)
		mt_postgres_arm(n->pg, v.local.deadline_ms);
	if (n->callbacks != NULL)
		mt_callbacks_look(n->callbacks, &v.local);
	mt_agent_decide(&v, &plan);
	node__execute(n, &v, &plan);
	next = sooner(next, plan.look_again_ms);
	if (n->closing)
		return 0;
	mt_controller_decide(&n->controller, &v, &control);
	node__execute_control(n, &control);
	next = sooner(next, control.look_again_ms);
	next = sooner(next, node__probe(n, &v));
	node__observe(n, &v);
	set_pace(n, &v);
	heartbeat(n, &v);
	node__remark(n, &v);
	node__talk_reports(n, &v);
	return sooner(next, node__talk_next_ms(n));
}

static void
timer_cb(uv_timer_t *timer)
{
	node__wake(container_of(timer, struct mt_node, timer));
}

static void
step(struct mt_node *n)
{
	int64_t now_ms = mt_clock_ms(), next, wait_ms;

	node__quorum_tick(n, now_ms);
	if (n->closing)
		return;
	node__reload_tick(n);
	take_settings(n);
	node__say_unmet(n);
	node__propose_tick(n, now_ms);
	if (n->pg != NULL)
		mt_postgres_tick(n->pg, now_ms);
	next = decide(n);
	if (n->closing)
		return;
	next = sooner(next, node__quorum_next_ms(n));
	next = sooner(next, node__propose_next_ms(n));
	if (n->pg != NULL)
		next = sooner(next, mt_postgres_next_ms(n->pg));
	for (int i = 0; i < NODE_WATCHERS_MAX; i++)
		if (n->watchers[i].fn != NULL)
			n->watchers[i].fn(n->watchers[i].arg);
	if (next == 0)
		return;
	wait_ms = next - mt_clock_ms();
	uv_update_time(n->loop);
	uv_timer_start(&n->timer, timer_cb, wait_ms > 1 ? (uint64_t)wait_ms : 1,
		       0);
}

static void
prepare_cb(uv_prepare_t *prepare)
{
	struct mt_node *n = container_of(prepare, struct mt_node, prepare);
	int64_t busy_ms;

	if (n->dirty && !n->closing) {
		n->dirty = false;
		uv_idle_stop(&n->idle);
		step(n);
	}
	busy_ms = mt_clock_ms() - n->turn_began_ms;
	if (n->turn_began_ms != 0 && busy_ms > SLOW_TURN_MS)
		mt_warn("the event loop was busy for %lld ms",
			(long long)busy_ms);
}

static void
check_cb(uv_check_t *check)
{
	struct mt_node *n = container_of(check, struct mt_node, check);

	/* Right after the loop has polled; what its callbacks took is in the
	 * next turn's account from here on. */
	n->turn_began_ms = mt_clock_ms();
}

/* ---- signals ---- */

static const int heeded[] = {SIGTERM, SIGINT, SIGHUP};

static void
mask_heeded(int how)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < MT_COUNT(heeded); i++)
		sigaddset(&set, heeded[i]);
	pthread_sigmask(how, &set, NULL);
}

void
mt_node_hold_signals(void)
{
	mask_heeded(SIG_BLOCK);
}

static void
signal_cb(uv_signal_t *signal, int signo)
{
	if (signo == SIGHUP)
		node__reload(signal->data, NULL, NULL);
	else
		node__stop(signal->data);
}

static void
no_work(uv_work_t *work)
{
	(void)work;
}

static void
no_work_done(uv_work_t *work, int status)
{
	(void)status;
	free(work);
}

/* Signals were held since main() began, so a new thread holds them for good.
 * libuv makes all of its workers with the first piece of work: given now, the
 * signals come to this thread only, which can hold them again at the end. */
static void
heed_signals(struct mt_node *n)
{
	uv_work_t *work = calloc(1, sizeof(*work));

	MT_ASSERT(work != NULL);
	uv_queue_work(n->loop, work, no_work, no_work_done);
	for (size_t i = 0; i < MT_COUNT(heeded); i++) {
		uv_signal_init(n->loop, &n->signals[i]);
		n->signals[i].data = n;
		uv_signal_start(&n->signals[i], signal_cb, heeded[i]);
	}
	mask_heeded(SIG_UNBLOCK);
}

/* ---- the end ---- */

void
node__stop(struct mt_node *n)
{
	if (n->stopping)
		return;
	mt_info("asked to end");
	n->stopping = true;
	n->stopping_ms = mt_clock_ms();
	node__wake(n);
}

static void
part_closed(void *arg)
{
	struct mt_node *n = arg;

	if (--n->open_parts > 0)
		return;
	node__propose_close(n);
	node__probe_close(n);
	node__quorum_close(n);
	uv_close((uv_handle_t *)&n->timer, NULL);
	uv_close((uv_handle_t *)&n->prepare, NULL);
	uv_close((uv_handle_t *)&n->idle, NULL);
	uv_close((uv_handle_t *)&n->check, NULL);
	for (size_t i = 0; i < MT_COUNT(n->signals); i++)
		uv_close((uv_handle_t *)&n->signals[i], NULL);
}

void
node__exit(struct mt_node *n, int status)
{
	if (n->closing)
		return;
	n->closing = true;
	n->exit_status = status;
	/* When its handle is closed a signal would have its default effect. */
	mt_node_hold_signals();
	n->open_parts = 1;
	uv_idle_stop(&n->idle);
	node__reload_close(n);
	if (n->api != NULL) {
		n->open_parts++;
		mt_api_close(n->api, part_closed, n);
	}
	if (n->pg != NULL) {
		n->open_parts++;
		mt_postgres_close(n->pg, part_closed, n);
	}
	if (n->callbacks != NULL) {
		n->open_parts++;
		mt_callbacks_close(n->callbacks, part_closed, n);
	}
	if (n->peers != NULL) {
		n->open_parts++;
		mt_peers_close(n->peers, part_closed, n);
	}
	part_closed(n);
}

void
node__fail(struct mt_node *n, const char *fmt, ...)
{
	char text[sizeof(n->exit_err->text)];
	va_list ap;

	if (n->closing)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	mt_err_set(n->exit_err, MT_EREFUSED, "%s", text);
	node__exit(n, 1);
}

/* ---- the beginning ---- */

static void
open_loop(struct mt_node *n)
{
	uv_timer_init(n->loop, &n->timer);
	uv_prepare_init(n->loop, &n->prepare);
	uv_idle_init(n->loop, &n->idle);
	uv_check_init(n->loop, &n->check);
	uv_prepare_start(&n->prepare, prepare_cb);
	uv_check_start(&n->check, check_cb);
	heed_signals(n);
}

static void
pg_wake(void *arg)
{
	node__wake(arg);
}

static int
open_api(struct mt_node *n, struct mt_err *err)
{
	const struct mt_conf_restapi *c = &n->conf->restapi;
	struct mt_tls_files files;
	struct mt_tls *tls = NULL;
	int rv = 0;

	mt_api_tls_files(c, &files);
	if (files.certfile[0] != '\0')
		rv = mt_tls_new(&tls, &files, NULL, err);
	if (rv == 0)
		rv = mt_api_start(&n->api, n->loop, c->listen.host,
				  c->listen.port, &n->backend, err);
	if (rv == 0)
		mt_api_secure(n->api, c, tls); /* before anybody is accepted */
	else
		mt_tls_free(tls);
	return rv;
}

static int
open_parts(struct mt_node *n, struct mt_err *err)
{
	const struct mt_conf *c = n->conf;
	int rv = node__quorum_open(n, err);

	if (rv == 0)
		rv = node__talk_open(n, err);
	node__backend(n);
	if (rv == 0)
		rv = open_api(n, err);
	if (rv == 0 && c->has_postgresql)
		rv = mt_postgres_open(&n->pg, n->loop, c, pg_wake, n, err);
	if (rv == 0 && c->has_postgresql) {
		n->callbacks = mt_callbacks_new(n->loop, c);
		if (n->callbacks == NULL)
			rv = mt_err_set(err, MT_ENOMEM, "out of memory");
		node__schedule_open(n);
	}
	return rv;
}

int
mt_node_run(const struct mt_conf *conf, struct mt_err *err)
{
	struct mt_node *n = calloc(1, sizeof(*n));
	uv_loop_t loop;
	int status;

	if (n == NULL) {
		mt_err_set(err, MT_ENOMEM, "out of memory");
		return 1;
	}
	uv_loop_init(&loop);
	n->loop = &loop;
	n->conf = conf;
	n->exit_err = err;
	n->sync_asked = UINT64_MAX; /* what the last process asked for */
	mt_state_init(&n->state);
	mt_image_init(&n->image);
	mt_controller_init(&n->controller);
	mt_settings_parse(&n->settings, conf->bootstrap.dcs);
	open_loop(n);
	if (open_parts(n, err) != 0)
		node__exit(n, 1);
	else
		node__wake(n);
	uv_run(&loop, UV_RUN_DEFAULT);
	status = n->exit_status;
	node__reload_free(n);
	node__schedule_free(n);
	uv_loop_close(&loop);
	free(n);
	return status;
}
