/* SPDX-License-Identifier: PostgreSQL */
/*
 * What people ask of the PostgreSQL of one member: a restart, or its data made
 * anew (a reinitialization). A daemon has one such errand at most, in memory:
 * it is no affair of the cluster's, and one whose daemon ends is over.
 *
 * What the errand demands next is for the agent to decide (agent_errand.c).
 * Here: may it be begun, and what has become of it.
 */
#ifndef MT_CORE_ERRAND_H
#define MT_CORE_ERRAND_H

#include <stddef.h>

#include <jansson.h>

#include "base/err.h"
#include "core/types.h"

struct mt_local;
struct mt_plan;
struct mt_view;

enum mt_errand_kind {
	MT_ERRAND_NONE,
	MT_ERRAND_RESTART,
	MT_ERRAND_REINIT,
};

struct mt_errand {
	enum mt_errand_kind kind;
	uint64_t id;      /* of this process; 0 = none */
	int64_t asked_ms; /* when it was taken up */
	/* When its server was told to stop, or was found down: what follows is
	 * the errand's. 0 = not yet. */
	int64_t stop_ms;
	int64_t timeout_ms; /* RESTART: for the start; 0 = no limit */
	bool as_primary;    /* RESTART: the role that it was asked of */
	bool from_leader;   /* REINIT: a plain copy of the primary */
	bool made;          /* REINIT: the new data is there */
	bool started;       /* its start was tried */
};

/* "restart", "reinitialize"; "" for none */
const char *mt_errand_name(enum mt_errand_kind kind);

/* How the last one ended, for those who wait for it. */
struct mt_errand_news {
	uint64_t id; /* 0 = none has ended */
	bool ok;
	char why[MT_WHY_MAX]; /* it failed */
	uint64_t late_id; /* this one is still starting, beyond its timeout */
};

/* What people may set as conditions of a restart, and how it is done. */
struct mt_restart {
	bool if_pending; /* only if a parameter waits for it */
	bool has_role;   /* only in this role */
	enum mt_pg_role role;
	bool standby_leader;    /* in a role that there is not */
	uint32_t below_version; /* only a server older than that; 0 = any */
	int64_t timeout_ms;     /* for the start; 0 = primary_start_timeout */
	int64_t at_ms;          /* wall clock; 0 = now */
};

/* What a body of POST /restart, or what was kept of one, asks for. MT_EINVAL:
 * it is no such body, or its time has no zone. MT_EREFUSED: its time cannot be
 * read, or is not after now_wall_ms. */
int mt_restart_parse(const json_t *body, int64_t now_wall_ms,
		     struct mt_restart *r, struct mt_err *err) MT_MUSTCHECK;

/* Why the conditions are not met, or "". Returns why. */
char *mt_restart_objection(const struct mt_view *v, const struct mt_restart *r,
			   char *why, size_t size);

enum mt_due {
	MT_DUE_LATER,
	MT_DUE_NOW,
	MT_DUE_MISSED,    /* too late to be done */
	MT_DUE_OVERTAKEN, /* PostgreSQL was started anew since */
};

/* Of one that was scheduled: started and started_now say when the postmaster
 * began that it was scheduled for, and the present one; "" = not known. LATER:
 * look_ms says when to look again, 0 = when something happens. */
enum mt_due mt_restart_due(const struct mt_view *v, const struct mt_restart *r,
			   const char *started, const char *started_now,
			   int64_t *look_ms);

/* What is under way that nothing else may be begun beside, as people call it;
 * "" = nothing. Short actions do not count: they are waited for. */
const char *mt_errand_busy(const struct mt_view *v);

/* Why the data of this node cannot be made anew, or "". Returns why. */
char *mt_reinit_objection(const struct mt_view *v, char *why, size_t size);

enum mt_errand_result {
	MT_ERRAND_GOES_ON,
	MT_ERRAND_LATE, /* still starting, and the timeout is over; goes on */
	MT_ERRAND_DONE,
	MT_ERRAND_FAILED,
};

/* Take note of what is seen, before each view; and of what is done for it. */
void mt_errand_see(struct mt_errand *e, const struct mt_local *l);
void mt_errand_execute(struct mt_errand *e, const struct mt_plan *p,
		       int64_t now_ms);

/* What has become of the view's errand; why is set where it failed. */
enum mt_errand_result mt_errand_look(const struct mt_view *v, char *why,
				     size_t size);
/* When to look at the latest, 0 = when something happens. */
int64_t mt_errand_look_ms(const struct mt_view *v);

/* Its steps, as the view shows them. Its server was told to stop for a restart:
 */
bool mt_errand_restarts(const struct mt_local *l);
/* is down, and its start is still to be tried. */
bool mt_errand_is_to_start(const struct mt_local *l);
/* The old data is there, or none, and new is wanted. */
bool mt_errand_makes_anew(const struct mt_local *l);
/* The state of PostgreSQL as people are told it. */
enum mt_pg_state mt_errand_state(const struct mt_local *l,
				 enum mt_pg_state state);
/* The number of its checkpoint, which is no request's. */
uint64_t mt_errand_checkpoint(const struct mt_errand *e);
/* From when it is waited for its beginning; 0 = its checkpoint runs. */
int64_t mt_errand_begin_ms(const struct mt_local *l);

#endif
