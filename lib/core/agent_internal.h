/* SPDX-License-Identifier: PostgreSQL */
/* Shared by the files of the agent. */
#ifndef MT_CORE_AGENT_INTERNAL_H
#define MT_CORE_AGENT_INTERNAL_H

#include "core/agent.h"

bool agent__always(const struct mt_view *v);
/* The state gives this node the turn, and it has not given it up. */
bool agent__mine(const struct mt_view *v);
bool agent__in_turn(const struct mt_view *v);
bool agent__lease_lives(const struct mt_view *v);
void agent__why(struct mt_plan *plan, const char *why);

/* agent_adopt.c */
/* The record knows this data directory: it ran as primary under it. */
bool agent__is_known(const struct mt_view *v);
/* Epoch 1 was made of the primary that runs here, and is not taken yet. */
bool agent__adopts(const struct mt_view *v);
void agent__plan_adopted(const struct mt_view *v, struct mt_plan *p);
/* The cluster is not initialized, and this node has data. */
void agent__plan_claimed(const struct mt_view *v, struct mt_plan *p);
void agent__plan_initialize(const struct mt_view *v, struct mt_plan *p);
bool agent__claim_is_mine(const struct mt_view *v);

/* agent_turn.c */
bool agent__is_fit(const struct mt_view *v);
bool agent__may_start_primary(const struct mt_view *v);
void agent__plan_turn(const struct mt_view *v, struct mt_plan *p);
bool agent__must_release(const struct mt_view *v);
void agent__plan_release(const struct mt_view *v, struct mt_plan *p);
/* Who may have been displaced begins nothing; false: p says so. */
bool agent__is_supported(const struct mt_view *v, struct mt_plan *p);

/* agent_request.c; is_due may bring p->look_again_ms forward */
bool agent__request_is_due(const struct mt_view *v, struct mt_plan *p);
void agent__plan_request(const struct mt_view *v, struct mt_plan *p);
/* agent_sync.c: true if it planned something, or waits */
bool agent__plan_sync(const struct mt_view *v, struct mt_plan *p);
/* The names that a standby needs before it may be promoted. */
bool agent__plan_names_ahead(const struct mt_view *v, struct mt_plan *p);
/* A daemon that ends waits until no commit waits for its standby, */
bool agent__leaves_set(const struct mt_view *v);
/* and so does one that was asked for a restart. */
bool agent__leaves_set_first(const struct mt_view *v);
void agent__plan_leave_set(const struct mt_view *v, struct mt_plan *p);

/* After a failed job: is it too early to try again? Doubling, capped. */
bool agent__too_early(const struct mt_view *v, enum mt_job job,
		      struct mt_plan *p);

/* agent_standby.c */
void agent__plan_standby(const struct mt_view *v, struct mt_plan *p);
/* Who can be followed now, or NULL. */
const struct mt_seen *agent__primary_of(const struct mt_view *v);
/* Before anything is thrown away it stands in the log what. False: it does not
 * yet, and the plan sees to that. */
bool agent__is_named(const struct mt_view *v, struct mt_plan *p,
		     const char *how, const struct mt_seen *primary);
/* Streaming is to end under a fence, and has not. */
bool agent__fences(const struct mt_view *v);
void agent__toward(const struct mt_view *v, struct mt_plan *p, enum mt_act act,
		   const struct mt_seen *member);
/* agent_clone.c: make a replica where there is no data; primary may be NULL */
void agent__plan_clone(const struct mt_view *v, struct mt_plan *p,
		       const struct mt_seen *primary);
void agent__wait_for_place(const struct mt_view *v, struct mt_plan *p);

/* agent_errand.c: something is to be done now for what people asked of this
 * PostgreSQL; */
bool agent__has_errand(const struct mt_view *v);
void agent__plan_errand(const struct mt_view *v, struct mt_plan *p);
/* what it waits for, where p has nothing to do. */
void agent__add_errand(const struct mt_view *v, struct mt_plan *p);

/* agent_pause.c */
/* The cluster exists, and its document says pause. */
bool agent__paused(const struct mt_view *v);
/* It runs as primary, and only a lease allows it that. */
bool agent__needs_lease(const struct mt_view *v);
/* How long before the deadline a fast stop begins. */
int64_t agent__stop_ahead_ms(const struct mt_view *v);
bool agent__lease_lasts(const struct mt_view *v);
/* A daemon that ends leaves its PostgreSQL as it is. */
bool agent__leaves(const struct mt_view *v);
/* The same as soon as the exemption stands; that is waited for a while. */
bool agent__will_leave(const struct mt_view *v);
void agent__plan_paused(const struct mt_view *v, struct mt_plan *p);
/* Begin or end the exemption; false: nothing to do about it. */
bool agent__plan_exempt(const struct mt_view *v, struct mt_plan *p);

#endif
