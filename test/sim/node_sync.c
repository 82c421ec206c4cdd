/* SPDX-License-Identifier: PostgreSQL */
/*
 * The daemon's part in synchronous replication, in the order of
 * daemon/postgres_sync.c: names are written, reloaded and proven; a fence takes
 * the upstream away, ends the walreceiver, waits for the replay, and only then
 * tells the position.
 *
 * Both are statements of the daemon's session: they stand still while it is
 * frozen and end with it; what they did to the server stays.
 */
#include "test/sim/sim.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

/* ---- names and bits --------------------------------------------------- */

static struct mt_sync_conf
conf_of(const struct sim *w, const struct mt_names *names)
{
	struct mt_sync_conf c = {.k = names->k};

	for (int i = 0; i < names->n; i++) {
		if (strcmp(names->names[i], MT_SYNC_PLACEHOLDER) == 0)
			c.set |= SIM_NOBODY;
		for (int k = 0; k < w->n; k++)
			if (strcmp(names->names[i], w->nodes[k].name) == 0)
				c.set |= UINT32_C(1) << k;
	}
	return c;
}

static void
names_of(const struct sim *w, struct mt_sync_conf c, struct mt_names *names)
{
	memset(names, 0, sizeof(*names));
	for (int i = 0; i < w->n; i++)
		if ((c.set >> i & 1) != 0)
			mt_copy(names->names[names->n++], MT_NAME_MAX,
				w->nodes[i].name);
	if ((c.set & SIM_NOBODY) != 0)
		mt_copy(names->names[names->n++], MT_NAME_MAX,
			MT_SYNC_PLACEHOLDER);
	names->k = c.k;
}

/* What is written for PostgreSQL to read. */
static const char *
text_of(const struct node *n)
{
	static char text[MT_SYNC_TEXT_MAX];
	struct mt_names names;

	names_of(n->sim, n->names, &names);
	return mt_sync_text(text, &names, n->names_any);
}

/* ---- life ------------------------------------------------------------- */

void
sync_boot(struct node *n)
{
	n->knows_upstream = false;
	n->names = n->names_before = n->names_file;
	n->names_any = n->names_file_any;
	n->names_settled = false;
	n->names_from_nowhere = true;
	n->names_mark = n->stopped = 0;
	n->sync_asked = UINT64_MAX; /* what the last process asked for */
	n->n_flushed = 0;
}

void
sync_server_down(struct node *n)
{
	n->names_settled = false;
	n->stopped = 0;
	n->knows_upstream = false;
}

void
sync_start(struct node *n)
{
	n->stopped = 0;
	n->names_file = n->names;
	n->names_file_any = n->names_any;
	n->names_settled = false;
	pg_start_with(n, text_of(n));
}

void
sync_started(struct node *n)
{
	/* It began with them. */
	n->names_settled = true;
	n->names_from_nowhere = false;
	n->names_before = n->names;
	n->names_mark = n->pg.lsn;
}

void
sync_promoted(struct node *n)
{
	const struct sim *w = n->sim;

	n->names_mark = n->pg.lsn;
	/* Nobody can have come yet. */
	n->n_flushed = 0;
	for (int i = 0; i < w->setup.n_data; i++) {
		struct mt_flushed *f = &n->flushed[n->n_flushed++];

		*f = (struct mt_flushed){.last_ms = node_now_ms(n)};
		mt_copy(f->name, sizeof(f->name), w->nodes[i].name);
	}
}

/* ---- jobs ------------------------------------------------------------- */

void
sync_names(struct node *n, const struct mt_plan *plan)
{
	struct mt_sync_conf names = conf_of(n->sim, &plan->names);

	if (!pg_is_running(n))
		return;
	TRACE(n->sim, n, "names: %s", plan->why);
	check_strict(n, names);
	/* From here on what is in effect is a mix, until it is proven. */
	n->names = names;
	n->names_any = n->settings.synchronous_mode == MT_SYNC_QUORUM;
	n->names_settled = false;
	pg_wait_for(n, text_of(n));
	exec_begin_child(n, MT_JOB_NAMES, 1, 30);
}

void
sync_fence(struct node *n, const struct mt_plan *plan)
{
	if (!pg_is_running(n) || n->pg.as_primary)
		return;
	n->knows_upstream = false;
	exec_begin_child(n, MT_JOB_FENCE, 1, 150);
	n->job.fence = plan->epoch;
}

static bool
next_phase(struct node *n, int64_t least_ms, int64_t most_ms)
{
	struct sim *w = n->sim;

	n->job.phase++;
	sim_push(w, w->now_us + sim_between(w, least_ms, most_ms) * SIM_MS,
		 EV_JOB, n->i, n->life, n->job.number, 0, NULL);
	return false;
}

static bool
names_phase(struct node *n)
{
	bool first = n->names.set == 0 || n->names_before.set == 0 ||
		     n->names_from_nowhere;

	switch (n->job.phase) {
	case 0: /* written and reloaded */
		n->names_file = n->names;
		n->names_file_any = n->names_any;
		if (n->pg.writable &&
		    (n->names.k != n->names_before.k || n->names_from_nowhere))
			pg_end_walsenders(n);
		/* A change from or to none is seen after a checkpoint. */
		return next_phase(n, 5, first ? 1500 : 200);
	default:
		n->job.failed = sim_chance(n->sim, 2);
		if (n->job.failed)
			return true;
		pg_waits_for(n, text_of(n));
		n->names_settled = true;
		n->names_from_nowhere = false;
		n->names_before = n->names;
		n->names_mark = n->pg.writable ? n->pg.lsn : 0;
		return true;
	}
}

static bool
fence_phase(struct node *n)
{
	struct sim *w = n->sim;
	const struct pg *pg = &n->pg;

	switch (n->job.phase) {
	case 0: /* a new session shows that there is nobody to follow */
		pg_follow(n, -1);
		return next_phase(n, 5, 120);
	case 1:
		if (w->now_us < pg->replayed_us)
			return next_phase(
			    n, 1, 20 + (pg->replayed_us - w->now_us) / SIM_MS);
		break;
	default:
		break;
	}
	n->job.failed = sim_chance(w, 2) || w->now_us < pg->replayed_us;
	if (n->job.failed)
		return true;
	n->stopped = n->job.fence;
	n->heard_epoch = n->job.fence;
	n->heard_data_id = pg->data_id;
	n->heard_at = pg_position(w, n);
	w->stats.stopped++;
	TRACE(w, n, "receives nothing more, fence %" PRIu64 " at %u/%" PRIx64,
	      n->stopped, n->heard_at.timeline, n->heard_at.lsn);
	return true;
}

bool
sync_job(struct node *n)
{
	if (n->pg.gen != n->job.pg_gen || !pg_is_accepting(n)) {
		n->job.failed = true;
		return true;
	}
	return n->job.kind == MT_JOB_NAMES ? names_phase(n) : fence_phase(n);
}

/* ---- the view --------------------------------------------------------- */

static struct mt_flushed *
flushed_of(struct node *n, const char *name)
{
	for (int i = 0; i < n->n_flushed; i++)
		if (strcmp(n->flushed[i].name, name) == 0)
			return &n->flushed[i];
	mt_copy(n->flushed[n->n_flushed].name, MT_NAME_MAX, name);
	return &n->flushed[n->n_flushed++];
}

static void
look_at_standbys(struct node *n)
{
	const struct sim *w = n->sim;

	for (int i = 0; i < n->n_flushed; i++)
		n->flushed[i].streaming = false;
	for (int i = 0; i < w->setup.n_data; i++) {
		const struct node *s = &w->nodes[i];
		struct mt_flushed *f;

		if (s->pg.upstream != n->i || !pg_streams(w, s) ||
		    n->pg.standbys[i].receiver != (s->pg.receiver & 0xffffff))
			continue;
		f = flushed_of(n, s->name);
		f->streaming = true;
		f->lsn = n->pg.standbys[i].lsn;
		if (f->lsn > f->most)
			f->most = f->lsn;
		f->last_ms = node_now_ms(n);
	}
}

void
sync_fill_view(struct node *n, struct mt_view *v)
{
	struct mt_local *l = &v->local;

	if (n->sim->setup.sync && n->pg.writable && pg_is_accepting(n))
		look_at_standbys(n);
	v->flushed = n->flushed;
	v->n_flushed = n->n_flushed;
	names_of(n->sim, n->names, &l->names);
	l->names_any = n->names_any;
	l->names_settled = n->names_settled;
	l->names_mark = n->names_mark;
	l->stopped = n->stopped;
	l->sync_in_doubt = strcmp(n->state->sync.leader, l->name) != 0 ||
			   n->sync_asked >= n->state->sync.version;
}
