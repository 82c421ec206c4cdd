/* SPDX-License-Identifier: PostgreSQL */
/*
 * What must hold at every step. Each check runs where the fact that it speaks
 * of can change, and compares it with what is known of all nodes.
 *
 * The lease: no two writable primaries, no two living leases (but where a
 * synchronous primary is displaced before its lease has ended: check_sync.c),
 * each promotion under a living lease of the newest epoch, from the position
 * that it demands.
 * Raft: one leader a term, leader completeness, log matching, the same command
 * applied at an index everywhere; equal states. Data: no timeline with two
 * contents. At the end: everything works again.
 */
#include "test/sim/members.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/text.h"

void
sim_fail(struct sim *w, const char *fmt, ...)
{
	va_list ap;

	if (w->failed)
		return;
	w->failed = true;
	w->failure_kind = fmt;
	va_start(ap, fmt);
	vsnprintf(w->failure, sizeof(w->failure), fmt, ap);
	va_end(ap);
	TRACE(w, NULL, "FAILED: %s", w->failure);
}

/* ---- the lease -------------------------------------------------------- */

static uint64_t
later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void
check_writable(struct node *n)
{
	struct sim *w = n->sim;

	for (int i = 0; i < w->n; i++)
		if (i != n->i && node_acts(&w->nodes[i]) &&
		    !check_may_displace(w, later(n->record.pg_epoch,
						 w->nodes[i].record.pg_epoch)))
			sim_fail(w, "two writable primaries: %s and %s",
				 w->nodes[i].name, n->name);
}

bool
check_has_lease(const struct node *n)
{
	int64_t now_ms;

	if (!n->powered)
		return false;
	now_ms = node_now_ms(n);
	if (n->alive && n->keep.holder.epoch != 0 &&
	    n->keep.holder.lease_end_ms > now_ms)
		return true;
	return n->pg.as_primary &&
	       (n->pg.exempt ||
		(n->pg.armed &&
		 n->pg.deadline_ms + MT_KILL_ALLOWANCE_MS > now_ms));
}

/* The sentinel is told to forget its deadline: what was committed last has to
 * allow that, wherever it was applied. */
void
check_exempt(struct node *n)
{
	const struct mt_leader *l = &n->sim->leader;

	if (l->exempt == 0 || strcmp(l->holder, n->name) != 0)
		sim_fail(n->sim, "%s goes on without an exemption", n->name);
}

/* An operator who has the turn given on past an exempt holder has seen to it
 * that its PostgreSQL is gone. */
static void
operator_acts(struct sim *w, const struct mt_state *s)
{
	const struct mt_leader *next = &s->leader;
	bool asked = s->outcome.id != w->outcome_id && s->outcome.ok;
	const struct mt_leader *l = &w->leader;

	if (!asked || w->request_by_clock || l->exempt == 0 || l->released ||
	    next->epoch == l->epoch || next->since == l->since)
		return;
	for (int i = 0; i < w->n; i++)
		if (strcmp(w->nodes[i].name, l->holder) == 0 &&
		    w->nodes[i].pg.phase != PG_DOWN)
			pg_die(&w->nodes[i], "the operator ends it");
}

static uint64_t
lease_epoch(const struct node *n)
{
	return n->alive && n->keep.holder.epoch != 0 ? n->keep.holder.epoch
						     : n->record.pg_epoch;
}

void
check_lease(struct node *n)
{
	struct sim *w = n->sim;
	int64_t end_ms = n->keep.holder.lease_end_ms;

	if (end_ms <= n->seen_lease_end_ms) {
		n->seen_lease_end_ms = end_ms;
		return;
	}
	n->seen_lease_end_ms = end_ms;
	w->stats.renewals++;
	if (!check_has_lease(n))
		return;
	check_support(n);
	for (int i = 0; i < w->n; i++)
		if (i != n->i && check_has_lease(&w->nodes[i]) &&
		    !check_may_displace(
			w, later(lease_epoch(n), lease_epoch(&w->nodes[i]))))
			sim_fail(w,
				 "two leases: %s's of epoch %" PRIu64
				 " and %s's of epoch %" PRIu64,
				 w->nodes[i].name, lease_epoch(&w->nodes[i]),
				 n->name, lease_epoch(n));
}

void
check_promotion(struct node *n, const struct mt_view *v, bool start)
{
	struct sim *w = n->sim;
	const struct mt_leader *l = &n->state->leader;
	struct mt_position at = pg_position(w, n);
	const char *broken = NULL;

	if (!mt_holder_writable(&n->keep.holder, v->now_ms))
		broken = "without a living lease";
	else if (n->keep.holder.epoch != l->epoch)
		broken = "with the lease of another epoch";
	else if (!mt_state_held_by(n->state, n->name))
		broken = "without holding the turn";
	else if ((strcmp(w->leader.holder, n->name) != 0 ||
		  w->leader.released) &&
		 !check_displaced_now(w, l->epoch))
		broken = "although the turn has been given on";
	else if (l->epoch < w->leader.since &&
		 !check_displaced_now(w, l->epoch))
		broken = "under an epoch of an earlier turn";
	else if (n->record.pg_epoch != l->epoch ||
		 n->record.data_id != n->pg.data_id)
		broken = "before the epoch is durable";
	else if (!start && mt_position_compare(at, l->min) < 0)
		broken = "behind the position that the turn demands";
	if (broken != NULL)
		sim_fail(w, "%s becomes primary under epoch %" PRIu64 " %s",
			 n->name, l->epoch, broken);
}

/* What is thrown away stands in the log before. */
void
check_named(struct node *n)
{
	struct mt_position at = pg_position(n->sim, n);
	struct mt_loss loss = {
	    .timeline = at.timeline,
	    .from = mt_state_fork_lsn(n->state, at.timeline),
	    .to = at.lsn,
	};

	if ((loss.from == 0 || loss.to > loss.from) &&
	    mt_state_rejoin(n->state, n->name, &loss) == NULL)
		sim_fail(n->sim,
			 "%s throws away its end of timeline %u, which the "
			 "log does not say",
			 n->name, loss.timeline);
}

void
check_record(struct node *n, const struct mt_record *next)
{
	if (n->sim->options.lease_only)
		return;
	if (next->fenced < n->record.fenced ||
	    next->given_up < n->record.given_up ||
	    next->incarnation < n->record.incarnation ||
	    next->raft_id != n->record.raft_id)
		sim_fail(n->sim, "%s: the node record went back", n->name);
}

/* ---- data ------------------------------------------------------------- */

static bool
contains(const struct sim *w, int of, int branch)
{
	while (of >= 0 && of != branch)
		of = w->branches[of].parent;
	return of >= 0;
}

/* A new branch: does anybody have its timeline with another content? */
void
check_branch(struct sim *w, int branch)
{
	for (int i = 0; i < w->n; i++)
		for (int b = 0; b < branch; b++)
			if (w->branches[b].timeline ==
				w->branches[branch].timeline &&
			    contains(w, w->nodes[i].pg.branch, b))
				sim_fail(
				    w,
				    "timeline %u has two contents: %s's "
				    "and %s's new one",
				    w->branches[b].timeline, w->nodes[i].name,
				    w->nodes[w->branches[branch].writer].name);
}

/* ---- Raft ------------------------------------------------------------- */

static struct logged *
at(struct sim *w, uint64_t index)
{
	MT_ASSERT(index < SIM_LOG_MAX);
	return &w->log[index];
}

void
check_leader(struct node *n, uint64_t term)
{
	struct sim *w = n->sim;
	const struct mt_image *image = mt_driver_image(n->driver);

	MT_ASSERT(term < MT_COUNT(w->leader_of));
	if (w->leader_of[term] != 0 && w->leader_of[term] != n->i + 1)
		sim_fail(w, "two raft leaders in term %" PRIu64 ": %s and %s",
			 term, w->nodes[w->leader_of[term] - 1].name, n->name);
	w->leader_of[term] = n->i + 1;
	for (uint64_t i = image->snapshot.index + 1; i <= w->max_applied; i++)
		if (w->log[i].applied && w->log[i].seen_term < term &&
		    mt_image_term_at(image, i) != w->log[i].term)
			sim_fail(w,
				 "raft leader %s of term %" PRIu64
				 " lacks the committed entry %" PRIu64,
				 n->name, term, i);
}

static uint64_t
hash_of(enum mt_entry_type type, const void *p, size_t size)
{
	uint64_t t = (uint64_t)type;

	return mt_hash(mt_hash(MT_HASH_SEED, &t, sizeof(t)), p, size);
}

/* Log matching: what has the same index and term is the same. */
void
check_batch(struct node *n, const struct mt_batch *batch)
{
	for (size_t i = 0; i < batch->n; i++) {
		const struct mt_entry *e = &batch->entries[i];
		struct logged *l = at(n->sim, batch->first + i);
		uint64_t hash = hash_of(e->type, e->data.p, e->data.n);
		int k = 0;

		while (k < SIM_VARIANTS - 1 && l->written[k].term != 0 &&
		       l->written[k].term != e->term)
			k++;
		if (l->written[k].term == e->term && l->written[k].hash != hash)
			sim_fail(n->sim,
				 "%s: entry %" PRIu64 " of term %" PRIu64
				 " differs from another node's",
				 n->name, batch->first + i, e->term);
		l->written[k].term = e->term;
		l->written[k].hash = hash;
	}
}

/* By our own digest in each run; that of the code under test, which takes
 * longer, in some. */
static void
compare_digest(struct node *n, struct logged *l, uint64_t index)
{
	uint64_t digest = digest_of(n);
	uint64_t whole = n->sim->setup.digests ? mt_state_digest(n->state) : 0;

	if (l->digest != 0 && (l->digest != digest || l->whole != whole))
		sim_fail(n->sim, "%s: another state at index %" PRIu64, n->name,
			 index);
	l->digest = digest;
	l->whole = whole;
	n->sim->stats.digests++;
}

void
check_applied(struct node *n, uint64_t index, uint64_t term, const void *p,
	      size_t size)
{
	struct sim *w = n->sim;
	struct logged *l = at(w, index);
	uint64_t hash = hash_of(MT_ENTRY_COMMAND, p, size);

	n->chain = mt_hash(n->chain, &hash, sizeof(hash));
	if (l->applied &&
	    (l->term != term || l->hash != hash || l->chain != n->chain)) {
		sim_fail(w, "%s applied another command at index %" PRIu64,
			 n->name, index);
		return;
	}
	if (!l->applied && index <= w->max_applied)
		sim_fail(w,
			 "%s applied a command at index %" PRIu64
			 ", where the others had none",
			 n->name, index);
	if (!l->applied)
		l->seen_term = mt_driver_term(n->driver);
	l->applied = true;
	l->term = term;
	l->hash = hash;
	l->chain = n->chain;
	compare_digest(n, l, index);
	if (index <= w->max_applied)
		return;
	w->max_applied = index;
	if (n->state->leader.epoch > w->leader.epoch)
		w->stats.assignments++;
	if (n->state->leader.released && !w->leader.released)
		w->stats.releases++;
	operator_acts(w, n->state);
	w->outcome_id = n->state->outcome.id;
	check_turn(w, n->state);
	check_request(w, n->state);
}

void
check_restored(struct node *n, uint64_t index)
{
	n->chain = MT_HASH_SEED;
	for (uint64_t i = index; i > 0; i--)
		if (n->sim->log[i].applied) {
			n->chain = n->sim->log[i].chain;
			compare_digest(n, &n->sim->log[i], i);
			break;
		}
}

/* ---- liveness --------------------------------------------------------- */

static bool
is_well(const struct sim *w, const struct node *n, const struct node *primary)
{
	if (n->spare && primary->alive &&
	    members_role(primary, n) == MEMBER_GONE)
		return true;
	if (!n->alive || n->frozen || n->stopping ||
	    !mt_driver_is_current(n->driver) ||
	    !mt_state_held_by(n->state, primary->name) ||
	    n->state->request.kind != MT_REQUEST_NONE || n->settings.pause ||
	    n->state->leader.exempt != 0)
		return false;
	if (n->witness)
		return true;
	if (n == primary)
		return n->slots_ready && !pg_hangs(n) &&
		       check_answers_well(n, true) &&
		       n->record.pg_epoch == n->state->leader.epoch;
	return pg_streams(w, n) && check_answers_well(n, false) &&
	       n->pg.branch == primary->pg.branch;
}

/* One primary, and all others stream from it. */
bool
check_converged(struct sim *w, int arg)
{
	const struct node *primary = NULL;

	(void)arg;
	for (int i = 0; i < w->n; i++)
		if (w->nodes[i].pg.writable && w->nodes[i].pg.phase == PG_UP)
			primary = &w->nodes[i];
	if (primary == NULL)
		return false;
	for (int i = 0; i < w->n; i++)
		if (!is_well(w, &w->nodes[i], primary))
			return false;
	return check_sync_restored(w, primary);
}
