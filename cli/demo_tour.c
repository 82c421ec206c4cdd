/* SPDX-License-Identifier: PostgreSQL */
/*
 * The story of a tour, told in lines with the time in front: a cluster forms,
 * a client writes, the primary's role moves three times, and no row that was
 * acknowledged is lost.
 *
 *	1. switchover	asked for, in good order
 *	2. node kill	daemon, sentinel and PostgreSQL of the primary's node
 *			at once, as when the power fails; it comes back later
 *	3. postmaster kill	the primary's PostgreSQL alone; its daemon lives
 *
 * Each act ends when the writer has a new connection and 20 more rows on it;
 * its figure is the longest time without an acknowledgement. Figures are told,
 * not judged. Replication is asynchronous in this cluster, so a commit in the
 * very instant of the crash could be acknowledged and yet lost; the second act
 * therefore waits for the pause between two commits, and says so.
 *
 * Any step that fails ends the tour with its reason.
 */
#include "cli/demo.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define LOOK_MS 20
#define ROWS_BETWEEN_ACTS 200
#define ROWS_AFTER_ACT 20

struct tour {
	struct mt_demo *d;
	struct mt_demo_writer *w;
	int64_t switchover_ms, node_ms, postmaster_ms;
};

/* Until the writer has n rows on a connection later than number, and as many
 * as total in all. */
static int
wait_rows(struct tour *t, int number, int64_t n, int64_t total,
	  struct mt_err *err)
{
	int64_t end_ms = mt_clock_ms() + MT_DEMO_PATIENCE_MS;
	struct mt_demo_progress p;
	int rv;

	for (;;) {
		mt_demo_writer_look(t->w, &p);
		if (p.connected && p.connections > number &&
		    p.since_reconnect >= n && p.acked >= total)
			return 0;
		rv = mt_demo_pause(t->d, LOOK_MS, err);
		if (rv != 0)
			return rv;
		if (mt_clock_ms() > end_ms)
			return mt_err_set(err, MT_ETIMEDOUT,
					  "the writer waited %d s for a primary"
					  " that takes its rows: %s",
					  MT_DEMO_PATIENCE_MS / 1000,
					  p.trouble);
	}
}

static const char *
node_at(const struct mt_demo *d, uint16_t pg_port)
{
	for (int i = 0; i < d->n; i++)
		if (d->nodes[i].pg_port == pg_port)
			return d->nodes[i].name;
	return "nobody";
}

/* A calm stretch between two acts: all is healthy, rows go in. */
static int
calm(struct tour *t, int n_streaming, struct mt_err *err)
{
	struct mt_demo_progress p;
	int rv;

	rv = mt_demo_wait_healthy(t->d, NULL, NULL, n_streaming, err);
	if (rv != 0)
		return rv;
	mt_demo_writer_look(t->w, &p);
	return wait_rows(t, 0, 1, p.acked + ROWS_BETWEEN_ACTS, err);
}

/* Wait for the writer's recovery and take its figure. */
static int
measure(struct tour *t, int connections, const char *what, int64_t *ms,
	struct mt_err *err)
{
	struct mt_demo_progress p;
	int rv = wait_rows(t, connections, ROWS_AFTER_ACT, 0, err);

	if (rv != 0)
		return rv;
	mt_demo_writer_look(t->w, &p);
	*ms = p.longest_ms;
	mt_demo_say(t->d,
		    "%s: writes go to %s, after an interruption of "
		    "%lld ms",
		    what, node_at(t->d, p.port), (long long)*ms);
	return 0;
}

static int
act_switchover(struct tour *t, struct mt_err *err)
{
	struct mt_demo *d = t->d;
	struct mt_demo_node *from = mt_demo_primary(d, err), *to;
	struct mt_demo_progress p;
	char answer[256];
	int rv;

	if (from == NULL)
		return err->code;
	to = from == &d->nodes[0] ? &d->nodes[1] : &d->nodes[0];
	mt_demo_say(d, "switchover: asking for %s to take over from %s",
		    to->name, from->name);
	mt_demo_writer_look(t->w, &p);
	mt_demo_writer_mark(t->w);
	rv = mt_demo_switchover(d, from->name, to->name, answer, sizeof(answer),
				err);
	if (rv != 0)
		return rv;
	mt_demo_say(d, "switchover: %s", answer);
	rv = measure(t, p.connections, "switchover", &t->switchover_ms, err);
	if (rv != 0)
		return rv;
	return mt_demo_wait_healthy(d, to->name, NULL, d->n - 1, err);
}

/* Kill it, see who takes over, bring it back. */
static int
act_node_kill(struct tour *t, struct mt_err *err)
{
	struct mt_demo *d = t->d;
	struct mt_demo_node *victim = mt_demo_primary(d, err);
	struct mt_demo_victims v;
	struct mt_demo_progress p;
	int rv;

	if (victim == NULL)
		return err->code;
	mt_demo_find(d, victim, &v);
	mt_demo_say(d,
		    "node kill: SIGKILL to all %d processes of %s, between "
		    "two commits (replication is asynchronous here)",
		    (int)v.n, victim->name);
	mt_demo_writer_look(t->w, &p);
	mt_demo_writer_mark(t->w);
	mt_demo_writer_between(t->w);
	rv = mt_demo_kill(d, victim, &v, err);
	if (rv == 0)
		rv = measure(t, p.connections, "node kill", &t->node_ms, err);
	if (rv == 0)
		rv = mt_demo_wait_healthy(d, NULL, victim->name, d->n - 2, err);
	if (rv != 0)
		return rv;
	rv = mt_demo_print_table(d, err);
	if (rv != 0)
		return rv;
	mt_demo_say(d, "node kill: starting %s again", victim->name);
	rv = mt_demo_start(d, victim, err);
	if (rv == 0)
		rv = mt_demo_wait_healthy(d, NULL, victim->name, d->n - 1, err);
	if (rv == 0)
		mt_demo_say(d, "node kill: %s is back and streams",
			    victim->name);
	return rv;
}

static int
act_postmaster_kill(struct tour *t, struct mt_err *err)
{
	struct mt_demo *d = t->d;
	struct mt_demo_node *victim = mt_demo_primary(d, err);
	struct mt_demo_progress p;
	int rv;

	if (victim == NULL)
		return err->code;
	mt_demo_say(d,
		    "postmaster kill: SIGKILL to the postmaster of %s, its "
		    "daemon lives",
		    victim->name);
	mt_demo_writer_look(t->w, &p);
	mt_demo_writer_mark(t->w);
	rv = mt_demo_kill_postmaster(victim, err);
	if (rv == 0)
		rv = measure(t, p.connections, "postmaster kill",
			     &t->postmaster_ms, err);
	if (rv == 0)
		rv = mt_demo_wait_healthy(d, NULL, NULL, d->n - 1, err);
	return rv;
}

static int
begin(struct tour *t, struct mt_err *err)
{
	struct mt_demo *d = t->d;
	struct mt_demo_node *primary;
	int rv;

	rv = mt_demo_wait_healthy(d, NULL, NULL, d->n - 1, err);
	if (rv != 0)
		return rv;
	primary = mt_demo_primary(d, err);
	if (primary == NULL)
		return err->code;
	mt_demo_say(d, "formed: %s is the primary, %d replicas stream from it",
		    primary->name, d->n - 1);
	rv = mt_demo_print_table(d, err);
	if (rv == 0)
		rv = mt_demo_writer_start(&t->w, d, err);
	if (rv != 0)
		return rv;
	mt_demo_say(d,
		    "writing a row every 10 ms through host=%s port=%s "
		    "target_session_attrs=read-write",
		    d->hosts, d->ports);
	return calm(t, d->n - 1, err);
}

static int
finish(struct tour *t, struct mt_err *err)
{
	struct mt_demo *d = t->d;
	int64_t n_missing, n_rows;
	struct mt_demo_progress p;
	int rv;

	mt_demo_writer_stop(t->w);
	mt_demo_writer_look(t->w, &p);
	rv = mt_demo_writer_check(t->w, &n_missing, &n_rows, err);
	if (rv != 0)
		return rv;
	mt_demo_say(d,
		    "%lld rows were acknowledged, %lld of them are missing "
		    "(%lld rows in the table)",
		    (long long)p.acked, (long long)n_missing,
		    (long long)n_rows);
	rv = mt_demo_print_table(d, err);
	if (rv != 0)
		return rv;
	printf("longest interruption of writes\n"
	       "  switchover       %6lld ms\n"
	       "  node kill        %6lld ms\n"
	       "  postmaster kill  %6lld ms\n\n",
	       (long long)t->switchover_ms, (long long)t->node_ms,
	       (long long)t->postmaster_ms);
	fflush(stdout);
	if (n_missing > 0)
		return mt_err_set(err, MT_EIO,
				  "%lld acknowledged rows are missing",
				  (long long)n_missing);
	return 0;
}

int
mt_demo_tour(struct mt_demo *d, struct mt_err *err)
{
	struct tour t = {.d = d};
	int rv;

	rv = begin(&t, err);
	if (rv == 0)
		rv = act_switchover(&t, err);
	if (rv == 0)
		rv = calm(&t, d->n - 1, err);
	if (rv == 0)
		rv = act_node_kill(&t, err);
	if (rv == 0)
		rv = calm(&t, d->n - 1, err);
	if (rv == 0)
		rv = act_postmaster_kill(&t, err);
	if (rv == 0)
		rv = calm(&t, d->n - 1, err);
	if (rv == 0)
		rv = finish(&t, err);
	mt_demo_writer_free(t.w);
	return rv;
}
