/* SPDX-License-Identifier: PostgreSQL */
/*
 * The replicated state S: the few facts that all nodes must agree on. It
 * changes only by commands of the Raft log (command.h), deterministically.
 */
#ifndef MT_CORE_STATE_H
#define MT_CORE_STATE_H

#include <jansson.h>

#include "base/err.h"
#include "core/types.h"

#define MT_HISTORY_MAX 64 /* newest timelines that are kept */
#define MT_DECISIONS_MAX 100
/* No snapshot of the state is longer: the limits of its parts together, each
 * written in the worst way. */
#define MT_STATE_BYTES_MAX (3u << 20)
/* Highest command version that we know. 2: commands say who asked for them, and
 * a changed configuration is a decision. */
#define MT_COMMAND_VERSION 2

struct mt_member {
	char name[MT_NAME_MAX];
	uint64_t raft_id;
	bool witness;
	uint32_t command_version;    /* highest that it knows */
	char peer_addr[MT_ADDR_MAX]; /* canonical host:port */
	char api_url[MT_URL_MAX];    /* http://host:port/patroni, or "" */
	char conn_url[MT_URL_MAX];   /* postgres://host:port/db, or "" */
	char proxy_url[MT_URL_MAX];  /* as conn_url, of a proxy, or "" */
	char tags[MT_TAGS_MAX];      /* JSON object, compact, or "" */
	char version[16];            /* of the daemon */
};

struct mt_leader {
	uint64_t epoch; /* 0 = never assigned */
	uint64_t
	    since; /* first epoch of this turn: those between continue it */
	char holder[MT_NAME_MAX];
	int64_t ttl_ms; /* fixed for the epoch */
	/* The number that its promotion takes: the log gives each turn one of
	 * its own, so that no two timelines ever share a number. */
	uint32_t timeline;
	bool continues; /* same holder and data, no promotion */
	/* A promise to a holder before this one may last: it was replaced on
	 * ground Y. Cleared by an assignment on ground N. */
	bool after_fence;
	struct mt_position min; /* the holder must be at least there */
	bool released;
	bool clean;             /* released after a clean shutdown */
	struct mt_position end; /* of the released primary, if clean */
	uint64_t index; /* log index of the assignment, or of the release */
	/* The holder need not stop at its lease's end: log index of the
	 * exemption that stands, 0 = none; it lasts as long as the turn. */
	uint64_t exempt;
	uint64_t exempt_incarnation; /* of the daemon that asked for it */
	char exempt_reason[MT_RULE_MAX];
	/* The data directory that epoch 1 was made of, where it was there
	 * before the cluster; 0 = initdb made it. */
	uint64_t adopts;
};

struct mt_claim {
	char member[MT_NAME_MAX]; /* "" = nobody bootstraps */
	uint64_t incarnation;
	/* Log index of the claim: one member may claim twice in one life. In
	 * commands 0 = whichever of that life. */
	uint64_t index;
	uint64_t adopts; /* data_id of what it is to bring in; 0 = initdb */
};

struct mt_history {
	uint32_t timeline; /* the one that ended */
	uint64_t lsn;      /* where the next began */
	char reason[96];
	int64_t at_ms; /* wall clock, 0 unknown */
	char new_leader[MT_NAME_MAX];
};

enum mt_request_kind {
	MT_REQUEST_NONE,
	MT_REQUEST_SWITCHOVER, /* from this leader, in good order */
	MT_REQUEST_FAILOVER,   /* to this candidate, with or without a leader */
};

struct mt_request {
	enum mt_request_kind kind;
	uint64_t id;                 /* log index of its request.put */
	char leader[MT_NAME_MAX];    /* "" for a failover */
	char candidate[MT_NAME_MAX]; /* "" = any; never for a failover */
	/* Wall clock of when it is to be done, 0 = at once. One that waits for
	 * its time is a note and no more: when it is due, the holder puts it
	 * anew without a time. */
	int64_t scheduled_ms;
	/* Put anew by the holder when it was due. A clock asked for it, and not
	 * people: it is no order to go past an exemption. */
	bool due;
	/* Of a failover: people accept that acknowledged commits are lost,
	 * where the synchronous set cannot be heard. */
	bool accept_loss;
	struct mt_origin by;
};

/* A synchronous standby is a member and the data that it has: data that was
 * cloned, rewound or restored since is not the data that confirmed anything. */
struct mt_sync_standby {
	char name[MT_NAME_MAX];
	uint64_t data_id;
};

/* The synchronous sets: a commit was acknowledged only after k of the standbys
 * had flushed it. k == 0: synchronous mode does not stand. */
struct mt_sync {
	char leader[MT_NAME_MAX]; /* the holder that put it */
	uint64_t version;         /* plus one at each change */
	int n, k;
	struct mt_sync_standby standbys[MT_NODES_MAX]; /* sorted by name */
};

/* On what an assignment stands (doc/protocol.md). */
enum mt_ground {
	MT_GROUND_BOOTSTRAP,  /* B */
	MT_GROUND_PROMISES,   /* N: a majority fenced, nothing left */
	MT_GROUND_RELEASE,    /* R: the holder's own */
	MT_GROUND_CONTINUE,   /* C: the same holder */
	MT_GROUND_SYNC_FENCE, /* Y: the synchronous standbys fenced */
};

/* What became of the last request, for the answer to who made it. */
struct mt_request_result {
	uint64_t id;
	bool ok;
	char text[MT_WHY_MAX];
};

/* A member as the proposer of a decision knew it, and what it made of that. */
struct mt_verdict {
	char name[MT_NAME_MAX];
	char rule[MT_RULE_MAX]; /* "chosen", "behind", "nofailover", ... */
	struct mt_position at;
	uint64_t lag_bytes; /* behind the primary's last known position */
	int64_t age_ms;     /* of its last report; -1: it never sent one */
	enum mt_pg_state state;
	enum mt_pg_role role;
	int failover_priority;
	bool nofailover;
};

/* How long each phase of an assignment took, by monotonic clocks. 0: it did not
 * take place, or is not known; what took no time at all counts as 1 ms. */
struct mt_phases {
	/* Since the proposer suspected the holder, or saw its release: that
	 * was at_ms - assigned_ms by the wall clock. */
	int64_t fenced_ms;
	int64_t assigned_ms;
	/* Since the new holder saw the assignment. The commit of the log
	 * between the two is in neither. */
	int64_t leased_ms;
	int64_t promoted_ms; /* told to promote */
	int64_t writable_ms; /* first seen so */
};

/* What a member threw away to join: its own end of a timeline, from where the
 * cluster's history left that. 0: not known. */
struct mt_loss {
	uint32_t timeline;
	uint64_t from, to;
};

struct mt_decision {
	uint64_t id;    /* from 1 */
	uint64_t epoch; /* that it led to, or during which it was made */
	int64_t at_ms;  /* wall clock of the proposer */
	/* The controller's rule, or "bootstrap", "adoption", "release" (from
	 * gave the turn up), "switchover-failed", "failover-failed", "rejoin"
	 * (from threw data away), "config", "pause", "resume" (people changed
	 * the configuration). */
	char rule[MT_RULE_MAX];
	char from[MT_NAME_MAX], to[MT_NAME_MAX];
	char why[MT_WHY_MAX];
	struct mt_origin by;       /* who asked for what led to it */
	struct mt_position optime; /* last known of the primary */
	struct mt_phases phases;
	struct mt_loss loss;
	int n_verdicts;
	struct mt_verdict verdicts[MT_NODES_MAX];
};

struct mt_state {
	uint64_t index;           /* last applied command */
	uint32_t unknown_command; /* version met that we do not know, or 0 */
	char sysid[MT_SYSID_MAX]; /* "" = not initialized */
	struct mt_claim claim;
	json_t *config; /* owned; NULL before initialization */
	uint64_t config_version;
	struct mt_leader leader;
	int n_members;
	struct mt_member members[MT_NODES_MAX]; /* sorted by name */
	struct mt_sync sync;
	struct mt_request request;
	struct mt_request_result outcome;
	uint32_t history_of; /* the timeline that it leads to */
	int n_history;
	struct mt_history history[MT_HISTORY_MAX];
	uint64_t last_decision;
	struct mt_decision decisions[MT_DECISIONS_MAX]; /* id % MAX */
	struct {
		struct mt_position optime; /* last known of the primary */
	} status;
};

void mt_state_init(struct mt_state *s);
void mt_state_release(struct mt_state *s);

/* Snapshot: the whole state as one JSON text. *text is owned by the caller
 * (free). load replaces *s, or leaves it untouched on error. */
int mt_state_save(const struct mt_state *s, char **text,
		  size_t *n) MT_MUSTCHECK;
int mt_state_load(struct mt_state *s, const char *text, size_t n,
		  struct mt_err *err) MT_MUSTCHECK;
/* Equal at equal index on all nodes. */
uint64_t mt_state_digest(const struct mt_state *s);

const struct mt_member *mt_state_member(const struct mt_state *s,
					const char *name);
const struct mt_member *mt_state_member_by_id(const struct mt_state *s,
					      uint64_t raft_id);
const struct mt_decision *mt_state_decision(const struct mt_state *s,
					    uint64_t id);
/* The command version that all members know. A command of a later one would
 * divide them, or make the old ones stop. */
uint32_t mt_state_command_version(const struct mt_state *s);
/* The place of a member in the synchronous set, -1 = it is not in it. */
int mt_sync_find(const struct mt_sync *sync, const char *name);
bool mt_sync_stands(const struct mt_state *s);
/* The newest assignment whose phases its holder has to tell: of its turn's
 * first epoch. NULL: none, or told. */
const struct mt_decision *mt_state_untimed(const struct mt_state *s);
/* The decision that names what this member threw away, or NULL. */
const struct mt_decision *mt_state_rejoin(const struct mt_state *s,
					  const char *member,
					  const struct mt_loss *loss);
/* What is thrown away, in words: "throws away 96 bytes ..., by pg_rewind". */
void mt_loss_text(const struct mt_loss *loss, const char *how, char *buf,
		  size_t size);
/* Does anybody hold the turn (assigned and not released)? */
bool mt_state_held(const struct mt_state *s);
bool mt_state_held_by(const struct mt_state *s, const char *name);
/* Is a request under way: one that does not wait for its time? */
bool mt_state_is_asked(const struct mt_state *s);
/* By whom, if so. */
struct mt_origin mt_state_asked_by(const struct mt_state *s);
/* Did people ask for this member, and for no other, to be next? Then an exempt
 * holder may lose the turn without having released it. */
bool mt_state_asked_for(const struct mt_state *s, const char *name);
/* Where the history left this timeline, 0 = it is the newest or unknown. */
uint64_t mt_state_fork_lsn(const struct mt_state *s, uint32_t timeline);

#endif
