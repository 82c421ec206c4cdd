/* SPDX-License-Identifier: PostgreSQL */
/*
 * The life of a simulated node: machine, daemon, what each kind of end leaves
 * behind, and the events that reach the daemon.
 *
 * The disk (Raft image, node record, data directory) outlives everything; the
 * server and its sentinel outlive the daemon; the daemon's memory outlives
 * nothing. A frozen daemon's events wait for it, its children go on.
 */
#include "test/sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* ---- the lease's hooks ------------------------------------------------ */

static void
on_keep_send(void *arg, uint64_t to, enum mt_keep_message kind, const void *p,
	     size_t size)
{
	struct node *n = arg;
	int i = sim_node_by_id(n->sim, to);
	bool support =
	    kind == MT_KEEP_SUPPORT_REQ || kind == MT_KEEP_SUPPORT_ANS;

	if (i >= 0 && i != n->i)
		net_send(n->sim, n->i, i, support ? CLASS_SUPPORT : CLASS_FENCE,
			 (int)kind, p, size);
}

static void
on_keep_persist(void *arg, const struct mt_record *record)
{
	struct node *n = arg;
	struct sim *w = n->sim;

	n->record_writing = *record;
	n->record_busy = true;
	w->stats.writes++;
	sim_push(w, w->now_us + sim_between(w, 50, 3000) + n->slow_us,
		 EV_RECORD_WRITTEN, n->i, n->life, n->write_fails, 0, NULL);
}

static void
on_keep_fenced(void *arg, const struct mt_fence_ans *ans)
{
	struct node *n = arg;

	TRACE(n->sim, n, "fence answer of %" PRIu64 ": epoch %" PRIu64 " %s",
	      ans->raft_id, ans->epoch, ans->yes ? "yes" : "no");
	if (ans->yes)
		n->sim->stats.fences++;
	mt_controller_fenced(&n->controller, ans, node_now_ms(n));
	n->dirty = true;
}

static void
record_written(struct node *n, bool ok)
{
	n->record_busy = false;
	if (ok) {
		check_record(n, &n->record_writing);
		n->record = n->record_writing;
	} else {
		n->sim->stats.writes_failed++;
	}
	mt_keep_persisted(&n->keep, ok, node_now_ms(n));
	n->dirty = true;
}

/* ---- life ------------------------------------------------------------- */

void
node_init(struct sim *w, int i)
{
	struct node *n = &w->nodes[i];

	n->sim = w;
	n->i = i;
	n->snapshot_threshold = w->setup.snapshot_threshold;
	n->spare = i >= w->setup.n - w->setup.n_spare;
	n->witness = i >= w->setup.n_data;
	n->raft_id = (uint64_t)(101 + 7 * i);
	mt_format(n->name, sizeof(n->name), "n%d", i + 1);
	n->clock_us = sim_between(w, SIM_S, 1000000 * SIM_S);
	n->true_us = w->now_us;
	n->rate_ppm = 1000000;
	n->powered = true;
	n->record.raft_id = n->raft_id;
	n->record.cluster_id = 1;
	n->state = calloc(1, sizeof(*n->state));
	MT_ASSERT(n->state != NULL);
	mt_image_init(&n->disk);
	pg_init(n);
}

void
node_release(struct node *n)
{
	mt_driver_free(n->driver);
	mt_image_release(&n->disk);
	mt_state_release(n->state);
	free(n->state);
	for (int i = 0; i < n->n_backlog; i++)
		free(n->backlog[i].message);
	free(n->backlog);
}

void
node_boot_in(struct node *n, int64_t delay_us)
{
	n->booting = true;
	sim_push(n->sim, n->sim->now_us + delay_us, EV_BOOT, n->i, n->life, 0,
		 0, NULL);
}

static void
forget(struct node *n)
{
	n->seen_driver = 0;
	n->settings_version = 0;
	mt_settings_defaults(&n->settings);
	memset(&n->reports, 0, sizeof(n->reports));
	n->probing = (struct mt_probing){0};
	n->probe++; /* what the last process began is not for this one */
	mt_controller_init(&n->controller);
	n->controller_busy = n->stopping = n->fresh = false;
	n->slots_ready = n->died = n->saw_running = false;
	n->record_busy = false;
	n->wake_us = n->stopping_ms = n->died_ms = n->turn_ms = 0;
	n->turn_epoch = 0;
	n->job = (struct job){.number = n->job.number + 1};
	n->last_job = MT_JOB_NONE;
	memset(&n->errand, 0, sizeof(n->errand));
	n->last_job_failed = false;
	n->last_job_ms = 0;
	n->failures = 0;
	n->checkpoint_for = 0;
	n->promote_sent_ms = n->status_put_ms = 0;
	n->exempt_ended = 0;
	n->proposed = MT_CMD_NONE;
	n->report_seq = n->report_key = 0;
	n->report_ms = n->seen_lease_end_ms = n->leader_seen_ms = 0;
	memset(&n->health, 0, sizeof(n->health));
	n->unanswered_ms = 0;
	n->hung = n->hung_twice = false;
	n->hung_ms = 0;
	n->last_rule = n->last_control_rule = "";
	sync_boot(n);
}

void
node_boot(struct node *n)
{
	struct mt_keep_hooks hooks = {
	    .arg = n,
	    .send = on_keep_send,
	    .persist = on_keep_persist,
	    .on_fenced = on_keep_fenced,
	};

	n->booting = false;
	if (n->alive)
		return;
	n->powered = n->alive = true;
	n->frozen = false;
	n->life++;
	n->record.incarnation++;
	forget(n);
	TRACE(n->sim, n, "boots, incarnation %" PRIu64, n->record.incarnation);
	n->sim->stats.boots++;
	mt_state_release(n->state);
	mt_state_init(n->state);
	mt_keep_start(&n->keep, &hooks, &n->record, node_now_ms(n));
	raft_start(n);
	raft_look(n);
	n->dirty = true;
}

/* The daemon's process is gone; the kernel closes its streams. */
static void
end_daemon(struct node *n, bool tell)
{
	struct sim *w = n->sim;

	if (!n->alive)
		return;
	n->alive = n->frozen = n->dirty = false;
	for (int i = 0; i < n->n_backlog; i++)
		free(n->backlog[i].message);
	n->n_backlog = 0;
	if (n->record_busy && !n->write_fails && sim_chance(w, 50)) {
		check_record(n, &n->record_writing);
		n->record = n->record_writing;
	}
	n->record_busy = false;
	raft_crash(n);
	for (int i = 0; i < w->n && tell; i++)
		if (i != n->i && w->nodes[i].alive &&
		    net_passes(w, n->i, i, CLASS_RAFT))
			sim_push(w, w->now_us + sim_between(w, 100, 3000),
				 EV_GONE, i, w->nodes[i].life, (uint64_t)n->i,
				 n->record.incarnation, NULL);
}

void
node_kill(struct node *n)
{
	TRACE(n->sim, n, "the daemon is killed");
	end_daemon(n, true);
}

void
node_exit(struct node *n)
{
	TRACE(n->sim, n, "the daemon ends");
	end_daemon(n, true);
}

void
node_crash(struct node *n)
{
	TRACE(n->sim, n, "the machine crashes");
	end_daemon(n, false);
	pg_die(n, "the machine crashed");
	n->powered = false;
	n->asleep_us = n->waking_us = 0;
	n->clock_us = sim_between(n->sim, 5 * SIM_MS, 20 * SIM_S);
	n->true_us = n->sim->now_us;
}

void
node_freeze(struct node *n, int64_t for_us)
{
	if (!n->alive || n->frozen)
		return;
	TRACE(n->sim, n, "the daemon is frozen");
	n->frozen = true;
	n->freezes++;
	sim_push(n->sim, n->sim->now_us + for_us, EV_THAW, n->i, n->life,
		 n->freezes, 0, NULL);
}

/* Before its time. */
void
node_thaw(struct node *n)
{
	sim_push(n->sim, n->sim->now_us, EV_THAW, n->i, n->life, n->freezes, 0,
		 NULL);
}

void
node_terminate(struct node *n)
{
	if (!n->alive || n->stopping)
		return;
	TRACE(n->sim, n, "the daemon is asked to end");
	n->stopping = true;
	n->stopping_ms = node_now_ms(n);
	n->dirty = true;
}

/* ---- events ----------------------------------------------------------- */

static void
thaw(struct node *n)
{
	struct event *backlog = n->backlog;
	int count = n->n_backlog;

	if (!n->frozen)
		return;
	TRACE(n->sim, n, "the daemon goes on");
	n->frozen = false;
	n->dirty = true;
	n->backlog = NULL;
	n->n_backlog = n->cap_backlog = 0;
	for (int i = 0; i < count; i++) {
		if (!n->sim->failed)
			node_on_event(n, &backlog[i]);
		free(backlog[i].message);
	}
	free(backlog);
}

static void
put_off(struct node *n, struct event *e)
{
	if (n->n_backlog == n->cap_backlog) {
		n->cap_backlog = n->cap_backlog == 0 ? 64 : n->cap_backlog * 2;
		n->backlog = realloc(n->backlog, (size_t)n->cap_backlog *
						     sizeof(*n->backlog));
		MT_ASSERT(n->backlog != NULL);
	}
	n->backlog[n->n_backlog++] = *e;
	e->message = NULL;
}

/* There is no stream with one that is in no configuration. */
static void
on_report(struct node *n, const struct message *m)
{
	struct mt_report r;
	struct mt_err err;

	if (mt_configuration_find(mt_driver_configuration(n->driver),
				  n->sim->nodes[m->from].raft_id) == NULL)
		return;
	if (mt_report_decode(&r, m->bytes, m->n, &err) != 0)
		sim_fail(n->sim, "%s: %s", n->name, err.text);
	else if (mt_reports_take(&n->reports, &r, node_now_ms(n)))
		n->dirty = true;
}

static void
on_message(struct node *n, struct event *e)
{
	const struct message *m = e->message;
	uint64_t from = n->sim->nodes[m->from].raft_id;

	switch (m->class) {
	case CLASS_RAFT:
		raft_on_event(n, e);
		break;
	case CLASS_SUPPORT:
	case CLASS_FENCE:
		if (mt_keep_receive(&n->keep, n->state,
				    mt_driver_term(n->driver), from,
				    (enum mt_keep_message)m->kind, m->bytes,
				    m->n, node_now_ms(n)) != 0)
			sim_fail(n->sim, "%s: malformed lease message",
				 n->name);
		if (m->kind == MT_KEEP_SUPPORT_ANS)
			n->dirty = true;
		break;
	case CLASS_REPORT:
		on_report(n, m);
		break;
	case CLASS_PROPOSE:
		mt_driver_submit(n->driver, m->bytes, m->n, 2);
		raft_look(n);
		break;
	case CLASS_PG:
	case CLASS_PROBE:
	case CLASS_ALL:
		break;
	}
}

static void
on_gone(struct node *n, const struct event *e)
{
	const char *name = n->sim->nodes[e->a].name;

	for (int i = 0; i < n->reports.n; i++) {
		struct mt_seen *seen = &n->reports.seen[i];

		if (strcmp(seen->report.self.name, name) == 0 &&
		    seen->report.incarnation <= e->b)
			seen->gone = true;
	}
	n->dirty = true;
}

void
node_on_event(struct node *n, struct event *e)
{
	if (e->kind == EV_BOOT) {
		if (e->gen == n->life)
			node_boot(n);
		return;
	}
	if (e->kind == EV_MESSAGE ? e->message->to_life != n->life
				  : e->gen != n->life)
		return;
	if (!n->alive)
		return;
	/* A statement of its session waits for a frozen daemon. */
	if (e->kind == EV_JOB &&
	    !(n->frozen &&
	      (n->job.kind == MT_JOB_NAMES || n->job.kind == MT_JOB_FENCE))) {
		exec_on_job(n, e);
		return;
	}
	if (e->kind == EV_THAW) {
		if (e->a == n->freezes)
			thaw(n);
		return;
	}
	if (n->frozen) {
		put_off(n, e);
		return;
	}
	switch ((int)e->kind) {
	case EV_MESSAGE:
		on_message(n, e);
		break;
	case EV_LOG_WRITTEN:
	case EV_REOPEN:
		raft_on_event(n, e);
		break;
	case EV_RECORD_WRITTEN:
		record_written(n, e->a == 0);
		break;
	case EV_GONE:
		on_gone(n, e);
		break;
	case EV_PROBED:
		if (e->b == n->probe) {
			mt_probing_ended(&n->probing, (enum mt_port)e->a);
			n->dirty = true;
		}
		break;
	case EV_WAKE:
		if (e->at_us == n->wake_us) {
			n->wake_us = 0;
			n->dirty = true;
			mt_driver_tick(n->driver);
		}
		break;
	default:
		break;
	}
}
