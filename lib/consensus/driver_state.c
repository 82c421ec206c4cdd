/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a driver tells about itself. Terms and indexes are those that are
 * durable; the role is libraft's, so that a leader that stepped down says so
 * before its new term is written.
 */
#include "consensus/driver_internal.h"

uint64_t
mt_driver_id(const struct mt_driver *d)
{
	return d->options.id;
}

enum mt_raft_role
mt_driver_role(const struct mt_driver *d)
{
	if (!d->open)
		return MT_RAFT_CLOSED;
	if (d->starting)
		return MT_RAFT_FOLLOWER;
	switch (d->raft.state) {
	case RAFT_LEADER:
		return MT_RAFT_LEADER;
	case RAFT_CANDIDATE:
		return MT_RAFT_CANDIDATE;
	default:
		return MT_RAFT_FOLLOWER;
	}
}

uint64_t
mt_driver_term(const struct mt_driver *d)
{
	return d->term;
}

uint64_t
mt_driver_leader(const struct mt_driver *d)
{
	/* a leader of a term that is not durable yet is not told */
	if (!driver_is_running(d) || raft_current_term(&d->raft) != d->term)
		return 0;
	if (d->raft.state == RAFT_LEADER)
		return d->options.id;
	if (d->raft.state == RAFT_FOLLOWER)
		return d->raft.follower_state.current_leader.id;
	return 0;
}

uint64_t
mt_driver_last_index(const struct mt_driver *d)
{
	return d->last;
}

uint64_t
mt_driver_commit_index(const struct mt_driver *d)
{
	return d->commit;
}

uint64_t
mt_driver_applied_index(const struct mt_driver *d)
{
	return d->machine_index;
}

bool
mt_driver_is_ready_leader(const struct mt_driver *d)
{
	return driver_is_running(d) && d->raft.state == RAFT_LEADER &&
	       mt_image_term_at(&d->image, d->applied) ==
		   raft_current_term(&d->raft);
}

bool
mt_driver_is_current(const struct mt_driver *d)
{
	if (mt_driver_is_ready_leader(d))
		return true;
	return driver_is_running(d) && d->raft.state == RAFT_FOLLOWER &&
	       mt_driver_leader(d) != 0 && d->heard_term == d->term &&
	       d->applied >= d->heard_commit &&
	       mt_image_term_at(&d->image, d->applied) == d->term;
}

bool
mt_driver_is_transferring(const struct mt_driver *d)
{
	return driver_is_running(d) && raft_transferee(&d->raft) != 0;
}

const struct mt_configuration *
mt_driver_configuration(const struct mt_driver *d)
{
	return &d->newest;
}

const struct mt_configuration *
mt_driver_committed_configuration(const struct mt_driver *d)
{
	return &d->committed;
}

bool
mt_driver_follows_log(const struct mt_driver *d)
{
	const struct raft_configuration *c = &d->raft.configuration;
	const struct mt_server *s;
	unsigned i;

	if (!driver_is_running(d) || d->busy)
		return true; /* on the way */
	if (c->n != d->newest.n)
		return false;
	for (i = 0; i < c->n; i++) {
		s = mt_configuration_find(&d->newest, c->servers[i].id);
		if (s == NULL || (int)s->role != c->servers[i].role)
			return false;
	}
	return true;
}

const struct mt_driver_stats *
mt_driver_stats(const struct mt_driver *d)
{
	return &d->stats;
}

const struct mt_image *
mt_driver_image(const struct mt_driver *d)
{
	return &d->image;
}
