/* SPDX-License-Identifier: PostgreSQL */
/*
 * The agent decides what the local PostgreSQL does next: an ordered table of
 * rules, first match wins, one action at most. Same view, same action. The
 * order is the safety argument; matriarchd(8), DECISION ORDER, lists it.
 */
#ifndef MT_CORE_AGENT_H
#define MT_CORE_AGENT_H

#include "core/command.h"
#include "core/view.h"

enum mt_act {
	MT_ACT_NONE,
	MT_ACT_STOP_FAST,
	MT_ACT_STOP_IMMEDIATE,
	MT_ACT_GIVE_UP,    /* make record.given_up = epoch durable */
	MT_ACT_TAKE_EPOCH, /* make record.pg_epoch, data_id durable */
	MT_ACT_PROPOSE,    /* command */
	MT_ACT_BOOTSTRAP,  /* initdb, users, clean stop */
	MT_ACT_OFFER,      /* data that is claimed: is it still down? */
	MT_ACT_DISCARD,    /* remove an unfinished or unwanted data dir */
	MT_ACT_CLONE,      /* from member; "": without one */
	MT_ACT_RECOVER,    /* a crashed primary's data, before a rewind */
	MT_ACT_REWIND,     /* from member */
	MT_ACT_START_PRIMARY,
	MT_ACT_START_STANDBY, /* following member, or nobody */
	MT_ACT_FOLLOW,        /* member */
	MT_ACT_PRE_PROMOTE,   /* ask the script; epoch */
	MT_ACT_PROMOTE,
	MT_ACT_CHECKPOINT, /* for request */
	MT_ACT_SLOTS,      /* create those that are missing */
	MT_ACT_NAMES,      /* names: bring them into effect, and prove it */
	MT_ACT_FENCE,      /* receive no more WAL, read the position; epoch */
	MT_ACT_EXEMPT,     /* the sentinel forgets its deadline */
	MT_ACT_ARM,        /* and has one again */
	MT_ACT_EXIT,       /* the daemon's work is done */
	MT_ACT_REFUSE,     /* end with an error: why */
};

struct mt_plan {
	const char *rule;
	enum mt_act act;
	char why[MT_WHY_MAX]; /* shown in state and log */
	char member[MT_NAME_MAX];
	char url[MT_URL_MAX]; /* of member */
	uint64_t epoch;       /* GIVE_UP, TAKE_EPOCH, PRE_PROMOTE, FENCE */
	uint64_t request_id;  /* CHECKPOINT */
	uint32_t timeline; /* PROMOTE: the new one has at least this number */
	struct mt_names names;
	struct mt_command command;
	bool cancel;           /* ends a long action under way first */
	bool warn;             /* why is for people to act on */
	bool hung;             /* STOP_IMMEDIATE: for it does not answer */
	bool hurry;            /* STOP_FAST: no script is waited for */
	bool wants_clone;      /* and waits for its place, core/clones.h */
	bool for_errand;       /* the act is a step of the view's errand */
	bool plain;            /* CLONE: of the primary, by pg_basebackup */
	int64_t look_again_ms; /* the latest time of the next look; 0 = none */
};

void mt_agent_decide(const struct mt_view *view, struct mt_plan *plan);

/* May the holder ask for support now (doc/protocol.md, support.req)? */
bool mt_agent_may_ask(const struct mt_view *view);

/* Did this data directory run as primary in the present turn: has it all that
 * was ever acknowledged in it? */
bool mt_agent_holds_turn(const struct mt_view *view);

/* Until when its pre_promote has refused to have this node promoted; 0 = it has
 * not. */
int64_t mt_agent_refuses_until(const struct mt_view *view);

/* Does the daemon end, and its PostgreSQL with it? */
bool mt_agent_is_stopping(const struct mt_view *view);
/* The same, or is its standby about to be stopped, or down, for what people
 * asked of it: commits are not to wait for it, and it is no candidate. */
bool mt_agent_is_leaving(const struct mt_view *view);
/* Does the log count on the data of this node (synchronous set)? */
bool mt_agent_counts_in_sync(const struct mt_view *view);
/* Does its server run without being the cluster's: found running, and no state
 * that this node has speaks of its data? Nothing is done to it. */
bool mt_agent_is_stranger(const struct mt_view *view);

/* How a data directory joins a primary on another or the same timeline. */
enum mt_join { MT_JOIN_FOLLOW, MT_JOIN_REWIND, MT_JOIN_WAIT };
enum mt_join mt_agent_join(const struct mt_state *s, const struct mt_local *l,
			   uint32_t primary_timeline);

/* The rules' names in order, for the manual's test; NULL at the end. */
const char *const *mt_agent_rules(void);

#endif
