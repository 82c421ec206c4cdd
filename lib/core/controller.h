/* SPDX-License-Identifier: PostgreSQL */
/*
 * The controller decides what the cluster does next: which command is
 * proposed, and whom the voters are asked to fence. It is heeded only on the
 * Raft leader, after an entry of its own term was applied. An ordered table of
 * rules; the first that matches plans. What it remembers between two looks are
 * the answers of the voters and when it first saw what it waits for; losing it
 * costs time, never safety.
 */
#ifndef MT_CORE_CONTROLLER_H
#define MT_CORE_CONTROLLER_H

#include "core/candidate.h"
#include "core/command.h"
#include "core/view.h"

struct mt_controller {
	uint64_t term; /* of which the rest speaks */
	uint64_t epoch;
	struct {
		uint64_t raft_id;
		bool yes;         /* fenced, durably */
		bool is_clear;    /* and nothing left of its promise then */
		int64_t again_ms; /* when it may be asked again */
	} fences[MT_NODES_MAX];
	int n_fences;
	int64_t fence_asked_ms;
	uint64_t suspect_epoch; /* whose holder is suspected */
	int64_t suspect_ms;     /* since when, 0 = not */
	int64_t fenced_ms;      /* when a majority had fenced it, 0 = not yet */
	int64_t since_ms;       /* when the present wait began */
	const char *since_rule; /* and for what */
	int64_t transfer_ms;    /* last transfer of Raft leadership */
	int64_t led_since_ms;
	uint64_t led_index; /* applied then */
	uint64_t member_id; /* whose record was proposed last, and when */
	int64_t member_ms;
	/* Since when the holder has neither lease nor primary, by its reports;
	 * 0 = it has one. */
	int64_t idle_ms;
	int64_t repair_ms; /* last assignment on ground C, for back-off */
	/* Ground Y: the epoch whose synchronous standbys are being fenced, 0 =
	 * none; and in which turn that was last begun, when, and how long to
	 * wait before it is begun again in the same. */
	uint64_t sync_epoch, sync_turn;
	int64_t sync_ms, sync_pause_ms;
};

struct mt_control_plan {
	const char *rule;
	bool propose;
	struct mt_command command;
	bool fence; /* send to each voter */
	struct mt_fence_req fence_req;
	uint64_t transfer_to; /* raft id, 0 = none */
	char why[MT_WHY_MAX];
	int64_t look_again_ms; /* latest time of the next look; 0 = none */
};

void mt_controller_init(struct mt_controller *c);
void mt_controller_decide(struct mt_controller *c, const struct mt_view *view,
			  struct mt_control_plan *plan);
/* A voter's answer to a fence. */
void mt_controller_fenced(struct mt_controller *c,
			  const struct mt_fence_ans *ans, int64_t now_ms);

const char *const *mt_controller_rules(void);

#endif
