/* SPDX-License-Identifier: PostgreSQL */
/*
 * Rows of the agent's tables:
 *
 *   ROW(given, "what it is", "rule", act, what is different; ...);
 *
 * EXPECT and EXPECT_WHY look closer at the plan of the last row.
 */
#ifndef MT_TEST_CORE_DECIDE_H
#define MT_TEST_CORE_DECIDE_H

#include <check.h>

#include "core/agent.h"

#include "given.h"

static struct mt_plan w_plan;
static const char *w_what = "";

static inline void
decide(void)
{
	mt_agent_decide(&w.view, &w_plan);
}

static inline void
expect_plan(const char *what, const char *rule, enum mt_act act)
{
	w_what = what;
	ck_assert_msg(strcmp(w_plan.rule, rule) == 0 && w_plan.act == act,
		      "%s: want rule \"%s\", act %d; have \"%s\", %d (%s)",
		      what, rule, (int)act, w_plan.rule, (int)w_plan.act,
		      w_plan.why);
	ck_assert_msg(act != MT_ACT_REFUSE || w_plan.why[0] != '\0',
		      "%s: no reason", what);
}

#define ROW(given, what, rule, act, ...) \
	do { \
		given; \
		__VA_ARGS__; \
		decide(); \
		expect_plan(what, rule, act); \
	} while (0)

#define ASKS(given, what, want, ...) \
	do { \
		given; \
		__VA_ARGS__; \
		ck_assert_msg(mt_agent_may_ask(&w.view) == (want), \
			      "%s: want %s", what, #want); \
	} while (0)

#define EXPECT(cond, what) \
	ck_assert_msg(cond, "%s: %s (%s)", w_what, what, #cond)
#define EXPECT_WHY(part) \
	ck_assert_msg(strstr(w_plan.why, part) != NULL, \
		      "%s: \"%s\" is not in \"%s\"", w_what, part, w_plan.why)

#endif
