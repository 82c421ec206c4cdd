/* SPDX-License-Identifier: PostgreSQL */
/*
 * Rows of the controller's tables, seen from node2, which leads Raft, while
 * node1 holds the turn.
 *
 *   COMMAND(given, "what it is", "rule", kind, what is different; ...);
 */
#ifndef MT_TEST_CORE_CONTROL_H
#define MT_TEST_CORE_CONTROL_H

#include <check.h>

#include "core/controller.h"

#include "given.h"

#define SILENT_MS 1500
#define LONG_MS 60000 /* longer than anything that is waited for */

static struct mt_controller c;
static struct mt_control_plan plan;
static const struct mt_command *const command = &plan.command;

static inline void
decide(void)
{
	mt_controller_decide(&c, &w.view, &plan);
}

/* Time goes on; whoever is well goes on reporting. */
static inline void
after(int64_t ms)
{
	w.view.now_ms += ms;
	for (int i = 0; i < w.reports.n; i++)
		if (w.view.now_ms - ms - w.reports.seen[i].at_ms < SILENT_MS)
			w.reports.seen[i].at_ms = w.view.now_ms - 200;
}

/* node2 leads, and has for long. */
static inline void
given_leader(void)
{
	given_cluster(2);
	mt_controller_init(&c);
	w.view.now_ms -= LONG_MS;
	decide();
	w.view.now_ms += LONG_MS;
}

static inline void
given_new_leader_of_a_new_cluster(void)
{
	given_new_cluster(2);
	mt_controller_init(&c);
}

static inline void
given_released(bool clean)
{
	given_leader();
	w.state.leader.released = true;
	w.state.leader.clean = clean;
	if (clean)
		w.state.leader.end = position(TIMELINE, LSN);
	w.state.leader.index = INDEX;
	report_of(1)->pg_role = MT_ROLE_DEMOTED;
	report_of(1)->healthy = report_of(1)->serving = false;
	report_of(1)->writable = false;
	report_of(1)->pg_state = MT_PG_STOPPED;
}

static inline void
fence_answer(uint64_t raft_id, bool yes, int64_t left_ms)
{
	const struct mt_fence_ans ans = {
	    .raft_id = raft_id,
	    .incarnation = 10,
	    .epoch = w.state.leader.epoch,
	    .term = w.view.term,
	    .yes = yes,
	    .left_ms = left_ms,
	};

	mt_controller_fenced(&c, &ans, w.view.now_ms);
}

static inline void
expect_rule(const char *what, const char *rule)
{
	ck_assert_msg(strcmp(plan.rule, rule) == 0,
		      "%s: want rule \"%s\", have \"%s\" (%s)", what, rule,
		      plan.rule, plan.why);
}

static inline void
expect_nothing(const char *what, const char *rule)
{
	expect_rule(what, rule);
	ck_assert_msg(!plan.propose && !plan.fence && plan.transfer_to == 0,
		      "%s: it does something (%s)", what, plan.why);
}

static inline void
expect_command(const char *what, const char *rule, enum mt_command_kind kind)
{
	expect_rule(what, rule);
	ck_assert_msg(
	    plan.propose && command->kind == kind,
	    "%s: want \"%s\", have \"%s\" (%s)", what, mt_command_name(kind),
	    plan.propose ? mt_command_name(command->kind) : "", plan.why);
	ck_assert_msg(plan.why[0] != '\0', "%s: it says why", what);
}

static inline void
expect_assign(const char *what, const char *rule, const char *to,
	      bool continues)
{
	expect_command(what, rule, MT_CMD_LEADER_ASSIGN);
	ck_assert_msg(strcmp(command->u.assign.holder, to) == 0 &&
			  command->u.assign.continues == continues,
		      "%s: want %s, have %s", what, to,
		      command->u.assign.holder);
	ck_assert_uint_eq(command->u.assign.expect_epoch, w.state.leader.epoch);
	ck_assert(command->u.assign.expect_released == w.state.leader.released);
	ck_assert_int_eq(command->u.assign.ttl_ms, w.settings.ttl_ms);
	ck_assert_str_eq(command->u.assign.decision.rule, rule);
	ck_assert_str_eq(command->u.assign.decision.from,
			 w.state.leader.holder);
	ck_assert_str_eq(command->u.assign.decision.to, to);
	ck_assert_int_eq(command->u.assign.decision.at_ms, WALL);
}

#define NOTHING(given, what, rule, ...) \
	do { \
		given; \
		__VA_ARGS__; \
		decide(); \
		expect_nothing(what, rule); \
	} while (0)

#define COMMAND(given, what, rule, kind, ...) \
	do { \
		given; \
		__VA_ARGS__; \
		decide(); \
		expect_command(what, rule, kind); \
	} while (0)

#define ASSIGN(given, what, rule, to, continues, ...) \
	do { \
		given; \
		__VA_ARGS__; \
		decide(); \
		expect_assign(what, rule, to, continues); \
	} while (0)

#endif
