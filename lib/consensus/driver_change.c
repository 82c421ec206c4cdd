/* SPDX-License-Identifier: PostgreSQL */
/*
 * What only a leader can do: append commands, change the configuration, bring a
 * server up to date, hand over.
 *
 * Happy path: the conditions hold, the entry is appended, and its fate is told
 * when it is known.
 *
 * Failure modes: a condition that does not hold refuses the request with words;
 * nothing has changed then. libraft checks almost none of them itself.
 *
 * It does not: plan a sequence of changes; its caller asks for one after the
 * other.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "consensus/driver_internal.h"

/* Fewer voters than this only by an offline recovery. */
#define VOTERS_MIN 3
#define PENDING_MAX 4096

static int
refuse(struct mt_err *err, const char *why)
{
	return mt_err_set(err, MT_EREFUSED,
			  "could not change the configuration: %s", why);
}

static bool
same_server(const struct mt_server *a, const struct mt_server *b)
{
	return a != NULL && b != NULL && a->role == b->role &&
	       mt_streq(a->address, b->address);
}

/* The one server that differs, or 0: none, or more than one. */
static uint64_t
changed_server(const struct mt_configuration *old,
	       const struct mt_configuration *new)
{
	uint64_t id = 0;
	unsigned i, n = 0;

	for (i = 0; i < old->n; i++)
		if (!same_server(
			&old->servers[i],
			mt_configuration_find(new, old->servers[i].id))) {
			id = old->servers[i].id;
			n++;
		}
	for (i = 0; i < new->n; i++)
		if (mt_configuration_find(old, new->servers[i].id) == NULL) {
			id = new->servers[i].id;
			n++;
		}
	return n == 1 ? id : 0;
}

static bool
votes_in(const struct mt_configuration *c, uint64_t id)
{
	const struct mt_server *s = mt_configuration_find(c, id);

	return s != NULL && s->role == MT_SERVER_VOTER;
}

static bool
is_caught_up(struct mt_driver *d, uint64_t id)
{
	return id == d->options.id ||
	       mt_driver_match_index(d, id) >= raft_commit_index(&d->raft);
}

/* D9: a server votes by its own newest configuration. One that is behind may
 * think that it does not vote, and then a majority may not be found. */
static int
may_promote(struct mt_driver *d, uint64_t id, struct mt_err *err)
{
	if (!driver_has(d, MT_GUARD_PROMOTION))
		return 0;
	if (mt_driver_catch_up_status(d, id) != MT_CATCH_UP_FINISHED ||
	    !is_caught_up(d, id))
		return refuse(err, "the new voter has not caught up yet");
	return 0;
}

static int
may_retire(struct mt_driver *d, const struct mt_configuration *c, uint64_t id,
	   struct mt_err *err)
{
	unsigned i, voters = mt_configuration_voters(c);

	if (driver_has(d, MT_GUARD_LONE_VOTER) && voters < 2)
		return refuse(err, "fewer than two voters would remain");
	if (!driver_has(d, MT_GUARD_PROMOTION))
		return 0;
	if (voters < VOTERS_MIN)
		return refuse(err, "fewer than three voters would remain");
	if (id == d->options.id)
		return refuse(err, "the leader itself would lose its vote; "
				   "transfer leadership first");
	for (i = 0; i < c->n; i++)
		if (c->servers[i].role == MT_SERVER_VOTER &&
		    !is_caught_up(d, c->servers[i].id))
			return refuse(err,
				      "another voter has not caught up yet");
	return 0;
}

int
mt_driver_may_change(struct mt_driver *d, const struct mt_configuration *c,
		     struct mt_err *err)
{
	const struct mt_configuration *old = &d->newest;
	uint64_t commit, id;

	if (!driver_is_running(d) || raft_state(&d->raft) != RAFT_LEADER)
		return refuse(err, "this server does not lead");
	if (d->busy)
		return refuse(err, "the log is being written");
	if (raft_transferee(&d->raft) != 0)
		return refuse(err, "leadership is being transferred");
	commit = raft_commit_index(&d->raft);
	if (driver_has(d, MT_GUARD_BARRIER) &&
	    mt_image_term_at(&d->image, commit) != raft_current_term(&d->raft))
		return refuse(err, "the leader is too new");
	if (d->raft.configuration_uncommitted_index != 0)
		return refuse(err, "another change is not committed yet");
	/* libraft refuses that as well: it looks the server up by the tick */
	if (d->raft.leader_state.promotee_id != 0)
		return refuse(err, "a server is still catching up");
	if (mt_configuration_voters(c) == 0)
		return refuse(err, "no voter would remain");
	id = changed_server(old, c);
	if (id == 0)
		return refuse(err, "it is not a change of exactly one server");
	if (votes_in(c, id) && !votes_in(old, id))
		return may_promote(d, id, err);
	if (!votes_in(c, id) && votes_in(old, id))
		return may_retire(d, c, id, err);
	return 0;
}

static void
submitted(struct mt_driver *d, uint64_t cookie, int rv, uint64_t index)
{
	uint64_t term = rv == 0 ? d->image.term : 0;

	if (rv == 0)
		driver__track(d, cookie, index, term);
	d->hooks.on_submitted(d->hooks.arg, cookie, rv, rv == 0 ? index : 0,
			      term);
	/* its write failed at once: nobody will ever tell */
	if (!d->open)
		driver__settle(d, UINT64_MAX, MT_OUTCOME_UNKNOWN);
}

static int
append(struct mt_driver *d, enum mt_entry_type type, const struct mt_blob *b,
       uint64_t *index)
{
	int rv;

	if (d->pending_n >= PENDING_MAX)
		return MT_EBUSY;
	rv = driver__append(d, type, b->p, b->n, index);
	return rv == 0 ? 0 : rv == RAFT_NOMEM ? MT_ENOMEM : MT_EREFUSED;
}

void
driver__submit(struct mt_driver *d, struct driver_input *in)
{
	uint64_t index = 0;
	int rv = MT_EREFUSED;

	if (raft_state(&d->raft) == RAFT_LEADER &&
	    raft_transferee(&d->raft) == 0)
		rv = append(d, MT_ENTRY_COMMAND, &in->bytes, &index);
	submitted(d, in->id, rv, index);
}

void
driver__change(struct mt_driver *d, struct driver_input *in)
{
	struct mt_blob bytes = {0};
	uint64_t index = 0;
	int rv;

	rv = mt_driver_may_change(d, &in->configuration, NULL);
	if (rv == 0)
		rv = mt_configuration_encode(&in->configuration, &bytes, NULL);
	if (rv == 0) {
		struct mt_configuration check = {0};

		/* our decoder is stricter than libraft's encoder */
		rv = mt_configuration_decode(&check, bytes.p, bytes.n, NULL);
	}
	if (rv == 0)
		rv = append(d, MT_ENTRY_CHANGE, &bytes, &index);
	mt_blob_release(&bytes);
	submitted(d, in->id, rv, index);
}

void
driver__catch_up(struct mt_driver *d, uint64_t id)
{
	const struct raft_configuration *c = &d->raft.configuration;
	struct raft_event event = {.type = RAFT_CATCH_UP};
	raft_index index;
	int status;
	unsigned i;

	if (raft_state(&d->raft) != RAFT_LEADER || id == d->options.id ||
	    d->raft.leader_state.promotee_id != 0)
		return;
	for (i = 0; i < c->n && c->servers[i].id != id; i++)
		;
	if (i == c->n || c->servers[i].role == RAFT_VOTER ||
	    raft_catch_up(&d->raft, id, &status) != 0 ||
	    status == RAFT_CATCH_UP_RUNNING)
		return;
	event.catch_up.server_id = id;
	if (driver__step(d, &event) != 0)
		return; /* as if never asked */
	/* libraft ends a round only when the server's index grows, so that one
	 * that has everything would be given up as too slow. */
	if (raft_match_index(&d->raft, id, &index) == 0 &&
	    index == raft_last_index(&d->raft))
		d->barrier_due = true;
}

void
driver__transfer(struct mt_driver *d, uint64_t id)
{
	struct raft_event event = {.type = RAFT_TRANSFER};

	if (raft_state(&d->raft) != RAFT_LEADER || id == d->options.id ||
	    raft_transferee(&d->raft) != 0 ||
	    (id != 0 && !votes_in(&d->newest, id)))
		return;
	event.transfer.server_id = id;
	(void)driver__step(d, &event); /* refused: as if never asked */
}

enum mt_catch_up
mt_driver_catch_up_status(struct mt_driver *d, uint64_t id)
{
	int status;

	if (!driver_is_running(d) || raft_catch_up(&d->raft, id, &status) != 0)
		return MT_CATCH_UP_NONE;
	switch (status) {
	case RAFT_CATCH_UP_RUNNING:
		return MT_CATCH_UP_RUNNING;
	case RAFT_CATCH_UP_ABORTED:
		return MT_CATCH_UP_ABORTED;
	case RAFT_CATCH_UP_FINISHED:
		return MT_CATCH_UP_FINISHED;
	default:
		return MT_CATCH_UP_NONE;
	}
}

uint64_t
mt_driver_match_index(struct mt_driver *d, uint64_t id)
{
	raft_index index;

	if (!driver_is_running(d) ||
	    raft_match_index(&d->raft, id, &index) != 0)
		return 0;
	return index;
}
