/* SPDX-License-Identifier: PostgreSQL */
/*
 * What people ask for: switchover and failover. Who would get the turn, by the
 * same rules for who decides (agent and controller) and for who only wants to
 * know (a dry run).
 */
#ifndef MT_CORE_REQUEST_H
#define MT_CORE_REQUEST_H

#include "core/candidate.h"
#include "core/view.h"

/* Judge for a request as the holder does before it lets go. */
void mt_request_of_holder(const struct mt_view *view,
			  const struct mt_request *request,
			  struct mt_candidate_rules *rules);

/* Judge for a request as the controller does where nobody has the turn: it was
 * released, or its holder is silent. request may be none. */
void mt_request_of_nobody(const struct mt_view *view,
			  const struct mt_request *request,
			  struct mt_candidate_rules *rules);

/* Is it a failover of which people accept what it loses? Then how its candidate
 * is judged, and nobody else is, where the synchronous set cannot be heard. */
bool mt_request_accepts_loss(const struct mt_view *view,
			     const struct mt_request *request,
			     struct mt_candidate_rules *rules);
/* What may be lost with who is chosen so, also in words. */
void mt_request_loss(const struct mt_view *view,
		     const struct mt_verdict *chosen, struct mt_loss *loss,
		     char *why, size_t size);

/* The holder's daemon talks to us, and can end its PostgreSQL. */
#define MT_REQUEST_SILENT_MS 1500
bool mt_request_holder_lives(const struct mt_view *view);

/* "switchover", "failover", "" */
const char *mt_request_name(enum mt_request_kind kind);

/* What is looked at of each member, in this order. */
enum mt_check {
	MT_CHECK_ASKED,     /* is it asked for, and another than the leader? */
	MT_CHECK_REACHABLE, /* does its daemon talk? */
	MT_CHECK_TAGS,
	MT_CHECK_RUNNING,  /* does a standby of this cluster run there? */
	MT_CHECK_POSITION, /* is it known, and does it have the end? */
	MT_CHECK_SYNC,     /* was it waited for, and is it told apart? */
	MT_CHECK_TIMELINE,
	MT_CHECK_LAG,
	MT_CHECKS,
};

const char *mt_check_name(enum mt_check check);

/* One member: for each check "ok", the name of the rule that speaks against
 * it, or NULL where it cannot be known. */
struct mt_checked {
	const char *said[MT_CHECKS];
};

struct mt_preview {
	bool by_holder; /* the leader is there, and would let go in order */
	bool forced;    /* how far the candidate is does not matter */
	bool instead;   /* the best is another than who was asked for */
	char why[MT_WHY_MAX]; /* nobody is: of a synchronous set; or "" */
	struct mt_candidates found;
	struct mt_checked checked[MT_NODES_MAX]; /* of found.verdicts[i] */
};

/* What would come of this request now. */
void mt_request_preview(const struct mt_view *view,
			const struct mt_request *request,
			struct mt_preview *out);

#endif
