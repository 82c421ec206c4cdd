/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the files of the controller share.
 */
#ifndef MT_CORE_CONTROLLER_INTERNAL_H
#define MT_CORE_CONTROLLER_INTERNAL_H

#include "core/controller.h"

#define CONTROLLER__FENCE_EVERY_MS 100 /* the same question to the voters */

/* How long this rule has been waiting, since it was first the one; ms. */
int64_t controller__waited(struct mt_controller *c, const char *rule,
			   int64_t now_ms);
bool controller__is_voter(const struct mt_view *v, uint64_t raft_id);
/* Has the holder had neither lease nor primary for so long that it cannot know
 * of that? It speaks and does not hear. */
bool controller__idles(const struct mt_controller *c, const struct mt_view *v);

/* controller_fence.c */
bool controller__majority_fenced(const struct mt_controller *c,
				 const struct mt_view *v,
				 enum mt_fence_kind kind);
void controller__plan_fence(struct mt_controller *c, const struct mt_view *v,
			    enum mt_fence_kind kind, struct mt_control_plan *p);
bool controller__heard_enough(const struct mt_view *v, const char *except,
			      struct mt_control_plan *p,
			      struct mt_candidates *found);

/* May the synchronous standbys be fenced now? Then that is noted. */
bool controller__begin_sync_fence(struct mt_controller *c,
				  const struct mt_view *v,
				  struct mt_control_plan *p);

/* controller_command.c */
/* found NULL: the same holder goes on. */
void controller__plan_assign(const struct mt_view *v, struct mt_control_plan *p,
			     enum mt_ground ground, const char *holder,
			     const struct mt_candidates *found);
/* At least 1: 0 is "not known". */
int64_t controller__lasted(int64_t from_ms, int64_t to_ms);
void controller__plan_phases(const struct mt_controller *c,
			     const struct mt_view *v,
			     struct mt_control_plan *p);
/* What was asked for cannot be done, or nobody could for long enough. */
void controller__plan_clear(const struct mt_view *v, struct mt_control_plan *p,
			    const char *why);
void controller__plan_clear_found(const struct mt_view *v,
				  struct mt_control_plan *p,
				  const struct mt_candidates *found);

/* controller_turn.c: rules; true if it is the one */
bool controller__released(struct mt_controller *c, const struct mt_view *v,
			  struct mt_control_plan *p);
bool controller__repair(struct mt_controller *c, const struct mt_view *v,
			struct mt_control_plan *p);
bool controller__ttl(struct mt_controller *c, const struct mt_view *v,
		     struct mt_control_plan *p);
bool controller__suspected(struct mt_controller *c, const struct mt_view *v,
			   struct mt_control_plan *p);
bool controller__silent(struct mt_controller *c, const struct mt_view *v,
			struct mt_control_plan *p);

#endif
