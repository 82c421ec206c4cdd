/* SPDX-License-Identifier: PostgreSQL */
/*
 * One Raft node: a serial driver around libraft's step function. An event goes
 * in; what it changes is made durable, then messages leave, then committed
 * entries are applied. While a batch is being written all input waits.
 *
 * One thread. No clock, file or socket: the hooks bring them. Hooks run from
 * inside the calls below and may call everything but mt_driver_free(),
 * mt_driver_start() and mt_driver_restart(); what they ask for is queued and
 * runs before the outer call returns.
 */
#ifndef MT_CONSENSUS_DRIVER_H
#define MT_CONSENSUS_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "consensus/log.h"

/* Around defects of libraft 0.22.1. Tests switch one off to show its defect. */
enum mt_guard {
	/* D1: a configuration entry inside a message is filed under the index
	 * of the message's first entry, and a second one overwrites an
	 * unreported first: feed messages in pieces. */
	MT_GUARD_SPLIT = 1 << 0,
	/* D2: the last voter leads without a new term: raise it before the
	 * start, and never go below three voters by removal. */
	MT_GUARD_LONE_VOTER = 1 << 1,
	/* D3: a change is accepted before an entry of the own term is
	 * committed: write a barrier on election, wait for it. */
	MT_GUARD_BARRIER = 1 << 2,
	/* D4: entries below the own snapshot are appended at wrong indexes:
	 * skip them. */
	MT_GUARD_PREV = 1 << 3,
	/* D5: a refused pre-vote carries the candidate's term: put our own. */
	MT_GUARD_PRE_VOTE_TERM = 1 << 4,
	/* D6: the answer to an old term has an uninitialised index: send 0. */
	MT_GUARD_STALE_RESULT = 1 << 5,
	/* D7: a vote's result outside candidate state reads a wrong union
	 * member: drop it. */
	MT_GUARD_VOTE_RESULT = 1 << 6,
	/* D8: a snapshot that arrives while one is being installed leaks. */
	MT_GUARD_SNAPSHOT_TWICE = 1 << 7,
	/* D9: a server that does not know of its promotion refuses to vote:
	 * promote only what caught up, remove only while all others are
	 * caught up, and never the leader. */
	MT_GUARD_PROMOTION = 1 << 8,

	MT_GUARDS_ALL = (1 << 9) - 1,
};

enum mt_raft_role {
	MT_RAFT_CLOSED, /* no libraft: writing failed, or it gave up */
	MT_RAFT_FOLLOWER,
	MT_RAFT_CANDIDATE,
	MT_RAFT_LEADER,
};

enum mt_outcome {
	MT_OUTCOME_APPLIED, /* committed and applied here */
	MT_OUTCOME_LOST,    /* another entry was committed in its place */
	MT_OUTCOME_UNKNOWN, /* closed, or a snapshot jumped over it */
};

enum mt_catch_up {
	MT_CATCH_UP_NONE,
	MT_CATCH_UP_RUNNING,
	MT_CATCH_UP_ABORTED,
	MT_CATCH_UP_FINISHED,
};

struct mt_driver;

struct mt_driver_hooks {
	void *arg;
	/* Milliseconds, monotonic, any origin above 0. */
	uint64_t (*now_ms)(void *arg);
	/* Make the batch durable, then call mt_driver_persisted(), at once or
	 * later. The batch is borrowed until then. */
	void (*persist)(void *arg, const struct mt_batch *batch);
	/* Best effort, in order per receiver. The bytes are borrowed. */
	void (*send)(void *arg, uint64_t to, const void *p, size_t n);
	/* A committed command. Not 0: this node cannot apply it (a newer
	 * version's command); the driver closes and applies nothing more. */
	int (*apply)(void *arg, uint64_t index, uint64_t term, const void *p,
		     size_t n);
	/* A configuration is durable in the log (committed false; it may still
	 * be replaced by an older one), or committed. */
	void (*on_config)(void *arg, const struct mt_configuration *c,
			  bool committed);
	/* The state machine as bytes: malloc() them, they are taken. */
	int (*snapshot)(void *arg, struct mt_blob *out);
	/* Replace the state machine by the one as of index; (NULL, 0) at index
	 * 0 means empty. Not 0: unusable, the driver closes. */
	int (*restore)(void *arg, uint64_t index, const void *p, size_t n);
	/* Role, term or leader (0: none known) changed. */
	void (*on_state)(void *arg, enum mt_raft_role role, uint64_t term,
			 uint64_t leader);
	/* Each submission with a cookie: exactly one on_submitted; if its rv
	 * is 0, exactly one on_done later. rv: MT_EREFUSED (not the leader,
	 * or a condition of the change does not hold), MT_EBUSY, MT_ENOMEM. */
	void (*on_submitted)(void *arg, uint64_t cookie, int rv, uint64_t index,
			     uint64_t term);
	void (*on_done)(void *arg, uint64_t cookie, enum mt_outcome outcome);
	/* The driver closed by itself; words for the log. persist_failed: it
	 * can come back by mt_driver_restart(); otherwise it must not. */
	void (*on_closed)(void *arg, bool persist_failed,
			  const struct mt_err *why);
};

struct mt_driver_options {
	uint64_t id;
	const char *address; /* copied */
	unsigned seed;
	unsigned election_ms, heartbeat_ms;
	unsigned
	    snapshot_threshold; /* applied entries between snapshots; 0: none */
	unsigned snapshot_trailing; /* entries kept below a snapshot */
	unsigned guards;            /* MT_GUARDS_ALL */
};

/* Takes the image's content (and leaves it empty); checks it. hooks and options
 * are copied. No hook runs. On error *d is unchanged, the image too. */
int mt_driver_new(struct mt_driver **d, const struct mt_driver_options *o,
		  const struct mt_driver_hooks *hooks, struct mt_image *image,
		  struct mt_err *err) MT_MUSTCHECK;
/* Restore the state machine and begin; a lone voter first persists a new term.
 * Once. Error: the state machine could not be restored. */
int mt_driver_start(struct mt_driver *d, struct mt_err *err) MT_MUSTCHECK;
/* Completes everything outstanding (MT_OUTCOME_UNKNOWN, MT_ECANCELED). A
 * persist() under way may be answered never. */
void mt_driver_free(struct mt_driver *d);

/* When to call mt_driver_tick() at the latest, in now_ms()'s time; UINT64_MAX:
 * need not. Ask again after each call into the driver. */
uint64_t mt_driver_next_ms(const struct mt_driver *d);
void mt_driver_tick(struct mt_driver *d);

/* The answer to persist(). !ok: libraft closes at once (its memory is ahead of
 * the disk). */
void mt_driver_persisted(struct mt_driver *d, bool ok);
/* Closed by a failed write, and writing works again: start from the reloaded
 * image, whose content is taken. The state machine is kept where the image
 * holds what it has applied, else restored. MT_EREFUSED: not closed so. */
int mt_driver_restart(struct mt_driver *d, struct mt_image *image,
		      struct mt_err *err) MT_MUSTCHECK;

/* A message from the authenticated server `from`. The bytes are copied. Bytes
 * that break the format are counted and forgotten: 0, or MT_EPROTO with words
 * (close the stream), or MT_EBUSY (queue full: forgotten as the network may).
 */
int mt_driver_receive(struct mt_driver *d, uint64_t from, const void *p,
		      size_t n, struct mt_err *err);

/* Append a command, 1 to MT_RAFT_ENTRY_MAX bytes, copied. */
void mt_driver_submit(struct mt_driver *d, const void *p, size_t n,
		      uint64_t cookie);
/* Change the configuration to c (index and term are ignored): one server added,
 * removed or with another role. */
void mt_driver_change(struct mt_driver *d, const struct mt_configuration *c,
		      uint64_t cookie);
/* Why the change would be refused now: 0 or MT_EREFUSED with words. */
int mt_driver_may_change(struct mt_driver *d, const struct mt_configuration *c,
			 struct mt_err *err);
/* Start to bring a non-voter up to date (leader only, one at a time; anything
 * else is ignored). Poll mt_driver_catch_up_status(). */
void mt_driver_catch_up(struct mt_driver *d, uint64_t id);
enum mt_catch_up mt_driver_catch_up_status(struct mt_driver *d, uint64_t id);
/* Hand leadership over to a voter, 0: any. Ends by itself after election_ms. */
void mt_driver_transfer(struct mt_driver *d, uint64_t id);

uint64_t mt_driver_id(const struct mt_driver *d);
enum mt_raft_role mt_driver_role(const struct mt_driver *d);
uint64_t mt_driver_term(const struct mt_driver *d);         /* durable */
uint64_t mt_driver_leader(const struct mt_driver *d);       /* 0: none known */
uint64_t mt_driver_last_index(const struct mt_driver *d);   /* durable */
uint64_t mt_driver_commit_index(const struct mt_driver *d); /* never falls */
uint64_t mt_driver_applied_index(const struct mt_driver *d);
/* Leader, and an entry of its own term was applied: its state machine holds
 * all that was ever committed before. */
bool mt_driver_is_ready_leader(const struct mt_driver *d);
/* Ready leader; or a follower that heard the leader of the current term since
 * the start, and has applied an entry of that term and everything that this
 * leader said was committed. */
bool mt_driver_is_current(const struct mt_driver *d);
bool mt_driver_is_transferring(const struct mt_driver *d);
/* Newest in the durable log, committed or not; n == 0: none. Borrowed until
 * the next call. */
const struct mt_configuration *
mt_driver_configuration(const struct mt_driver *d);
const struct mt_configuration *
mt_driver_committed_configuration(const struct mt_driver *d);
/* What a leader knows that a server has durably; 0: nothing, or no leader. */
uint64_t mt_driver_match_index(struct mt_driver *d, uint64_t id);

struct mt_driver_stats {
	uint64_t rejected;  /* messages that broke the format */
	uint64_t dropped;   /* messages dropped by a guard or a full queue */
	uint64_t snapshots; /* taken */
	uint64_t installed; /* snapshots from a leader */
	uint64_t commit_fallbacks; /* libraft's commit index went back */
};
const struct mt_driver_stats *mt_driver_stats(const struct mt_driver *d);
/* Does libraft go by the newest configuration of the log, as a server always
 * must (paper, section 6)? For tests: MT_GUARD_SPLIT sees to it. */
bool mt_driver_follows_log(const struct mt_driver *d);
/* The mirror, for tests. */
const struct mt_image *mt_driver_image(const struct mt_driver *d);

#endif
