/* SPDX-License-Identifier: PostgreSQL */
/*
 * The holder's part in synchronous replication: one step at a time from the
 * sets as they are to those that are wanted. Only the holder changes them, for
 * only it knows what its PostgreSQL waits for. The order comes from
 * mt_sync_plan; here are the conditions: nothing is in doubt, PostgreSQL's
 * setting is proven, and who is to count in the log has what was acknowledged
 * before.
 */
#include <string.h>

#include "base/text.h"
#include "core/agent_internal.h"
#include "core/sync.h"

#define CATCH_UP_LOOK_MS 100
#define ELECTION_MS 2000 /* of a Raft leader, at most */

bool
mt_agent_counts_in_sync(const struct mt_view *v)
{
	int in = mt_sync_find(&v->state->sync, v->local.name);

	return in >= 0 && v->local.data_id != 0 &&
	       v->state->sync.standbys[in].data_id == v->local.data_id;
}

/* ---- sets as bits ---- */

static struct mt_sync_conf
conf_of_names(struct mt_sync_names *t, const struct mt_names *names)
{
	struct mt_sync_conf c = {.k = names->k};

	for (int i = 0; i < names->n; i++)
		c.set |= mt_sync_bit(t, names->names[i]);
	return c;
}

static struct mt_sync_conf
conf_of_log(struct mt_sync_names *t, const struct mt_sync *sync)
{
	struct mt_sync_conf c = {.k = sync->k};

	for (int i = 0; i < sync->n; i++)
		c.set |= mt_sync_bit(t, sync->standbys[i].name);
	return c;
}

static void
names_of_conf(const struct mt_sync_names *t, struct mt_sync_conf c,
	      struct mt_names *names)
{
	memset(names, 0, sizeof(*names));
	for (int i = 0; i < t->n; i++)
		if ((c.set >> i & 1) != 0)
			mt_copy(names->names[names->n++], MT_NAME_MAX,
				t->names[i]);
	if ((c.set & MT_SYNC_NOBODY) != 0)
		mt_copy(names->names[names->n++], MT_NAME_MAX,
			MT_SYNC_PLACEHOLDER);
	names->k = c.k;
	mt_names_sort(names);
}

/* ---- the log ---- */

/* A put with the content that stands: when its version has come, whatever this
 * node proposed before can not come any more. */
static void
propose_put(const struct mt_view *v, struct mt_plan *p,
	    const struct mt_names *names)
{
	const struct mt_sync *old = &v->state->sync;
	struct mt_sync *put = &p->command.u.sync_put.sync;

	p->act = MT_ACT_PROPOSE;
	p->command.kind = MT_CMD_SYNC_PUT;
	p->command.u.sync_put.epoch = v->state->leader.epoch;
	if (names == NULL) {
		*put = *old;
	} else {
		put->version = old->version;
		put->n = names->n;
		put->k = names->k;
		for (int i = 0; i < names->n; i++) {
			int in = mt_sync_find(old, names->names[i]);
			const struct mt_seen *seen =
			    mt_reports_find(v->reports, names->names[i]);

			mt_copy(put->standbys[i].name, MT_NAME_MAX,
				names->names[i]);
			if (in >= 0)
				put->standbys[i] = old->standbys[in];
			else if (seen != NULL)
				put->standbys[i].data_id = seen->report.data_id;
		}
	}
	mt_copy(put->leader, sizeof(put->leader), v->local.name);
}

/* Have k of them confirmed all that PostgreSQL may have acknowledged before its
 * present setting was in effect (doc/protocol.md, rule 2)? */
static bool
caught_up(const struct mt_view *v, const struct mt_names *names)
{
	int have = 0;

	for (int i = 0; i < names->n; i++) {
		const struct mt_flushed *f =
		    mt_flushed_find(v, names->names[i]);

		if (strcmp(names->names[i], v->local.name) == 0)
			have++; /* has everything itself */
		else if (f != NULL && f->streaming &&
			 v->local.names_mark != 0 &&
			 f->lsn >= v->local.names_mark)
			have++;
	}
	return have >= names->k;
}

/* ---- one step ---- */

static void
plan_names(const struct mt_view *v, struct mt_plan *p,
	   const struct mt_names *names)
{
	char text[MT_SYNC_TEXT_MAX];

	p->act = MT_ACT_NAMES;
	p->names = *names;
	mt_format(
	    p->why, sizeof(p->why), "PostgreSQL is to wait for \"%.150s\"",
	    mt_sync_text(text, names,
			 v->settings->synchronous_mode == MT_SYNC_QUORUM));
}

/* Is anything of synchronous replication in this node's hands at all? */
static bool
concerned(const struct mt_view *v)
{
	return v->settings->synchronous_mode != MT_SYNC_OFF ||
	       mt_sync_stands(v->state) || v->local.names.n > 0;
}

/* What the log is to count on where no standby is fit. Only the holder has all:
 * nobody else is to be chosen (the operator's way out is another matter). But a
 * strict primary that waits for the whole set acknowledges nothing meanwhile:
 * the set has what it had, and may stay. */
static struct mt_sync_conf
log_without_standbys(const struct mt_view *v, struct mt_sync_conf log,
		     struct mt_sync_conf target, uint32_t holder)
{
	if (v->settings->synchronous_mode == MT_SYNC_OFF)
		return (struct mt_sync_conf){0};
	if (log.k > 0 && (log.set & ~target.set) == 0 &&
	    mt_sync_coexist(target, log, holder))
		return log;
	return (struct mt_sync_conf){holder, 1};
}

static bool
plan_step(const struct mt_view *v, struct mt_plan *p)
{
	struct mt_sync_names table = {0};
	struct mt_sync_conf pg, log, target, target_log, next = {0};
	struct mt_names wanted, names;
	uint32_t holder = mt_sync_bit(&table, v->local.name);
	bool any = v->settings->synchronous_mode == MT_SYNC_QUORUM;
	bool fit = mt_sync_target(v, &wanted);

	pg = conf_of_names(&table, &v->local.names);
	log = conf_of_log(&table, &v->state->sync);
	target = conf_of_names(&table, &wanted);
	target_log =
	    fit ? target : log_without_standbys(v, log, target, holder);
	switch (mt_sync_plan(pg, log, target, target_log, holder, &next)) {
	case MT_SYNC_STAY:
		if (!fit && wanted.n > 0)
			agent__why(p, "no standby is there, and "
				      "synchronous_mode_strict is on: commits "
				      "wait");
		if (wanted.n == 0 || wanted.k < wanted.n ||
		    v->local.names_any == any)
			return false;
		plan_names(v, p, &wanted); /* the other form of the same */
		return true;
	case MT_SYNC_NAMES:
		names_of_conf(&table, next, &names);
		plan_names(v, p, &names);
		return true;
	case MT_SYNC_PUT:
		names_of_conf(&table, next, &names);
		if (caught_up(v, &names)) {
			propose_put(v, p, &names);
			return true;
		}
		if (p->look_again_ms == 0 ||
		    p->look_again_ms > v->now_ms + CATCH_UP_LOOK_MS)
			p->look_again_ms = v->now_ms + CATCH_UP_LOOK_MS;
		return false;
	case MT_SYNC_STUCK:
		break;
	}
	agent__why(p, "no safe way to the wanted synchronous set");
	return false;
}

bool
agent__plan_sync(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;

	if (!concerned(v))
		return false;
	if (agent__too_early(v, MT_JOB_NAMES, p))
		return false;
	if (!l->names_settled) {
		plan_names(v, p, &l->names);
		return true;
	}
	/* The first word of a new holder or process, and the last of one whose
	 * word is in doubt: the version moves on. */
	if (l->sync_in_doubt) {
		propose_put(v, p, NULL);
		return true;
	}
	return plan_step(v, p);
}

bool
agent__plan_names_ahead(const struct mt_view *v, struct mt_plan *p)
{
	const struct mt_local *l = &v->local;
	bool strict = mt_sync_is_strict(v->settings);
	struct mt_names names;

	if (!mt_sync_stands(v->state) && l->names.n == 0 && !strict)
		return false;
	mt_sync_names_for(&v->state->sync, l->name, strict, &names);
	if (l->names_settled && mt_names_equal(&names, &l->names))
		return false;
	plan_names(v, p, &names);
	return true;
}

/* ---- a standby that is about to be stopped ---- */

/* Where nobody leads Raft it may be an election, which takes a moment, or no
 * majority is left, and nobody can change the set. */
static int64_t
leave_until_ms(const struct mt_view *v)
{
	int64_t since_ms = mt_agent_is_stopping(v)
			       ? v->local.stopping_ms
			       : mt_errand_begin_ms(&v->local);
	int64_t most_ms = 2 * v->settings->loop_wait_ms;

	if (!v->local.state_current && most_ms > ELECTION_MS)
		most_ms = ELECTION_MS;
	return since_ms + most_ms;
}

/* Do commits wait for it, or may they, as far as the primary knows? Who leads
 * Raft knows first what is committed, and takes that away with it. */
static bool
is_waited_for(const struct mt_view *v, const struct mt_seen *holder)
{
	if (mt_agent_counts_in_sync(v))
		return mt_sync_lets_go(v, v->local.name);
	return mt_sync_stands(v->state) &&
	       holder->report.applied < v->state->index;
}

bool
agent__leaves_set_first(const struct mt_view *v)
{
	const struct mt_local *l = &v->local;
	const struct mt_leader *lead = &v->state->leader;
	const struct mt_seen *holder =
	    mt_reports_find(v->reports, lead->holder);

	/* Only a primary that serves, under an epoch that goes on, changes the
	 * set. */
	return l->running && !l->as_primary && l->job != MT_JOB_STOP &&
	       v->state->unknown_command == 0 &&
	       v->now_ms < leave_until_ms(v) && mt_state_held(v->state) &&
	       strcmp(lead->holder, l->name) != 0 &&
	       lead->epoch > l->record.fenced &&
	       mt_report_is_fresh(holder, v->now_ms) && !holder->gone &&
	       holder->report.serving && is_waited_for(v, holder);
}

bool
agent__leaves_set(const struct mt_view *v)
{
	return mt_agent_is_stopping(v) && agent__leaves_set_first(v);
}

void
agent__plan_leave_set(const struct mt_view *v, struct mt_plan *p)
{
	p->look_again_ms = leave_until_ms(v);
	agent__why(p, "waiting to be taken out of the synchronous set before "
		      "PostgreSQL is stopped");
}
