/* SPDX-License-Identifier: PostgreSQL */
/* The words of a node about what was decided, and about its waiting. */
#include "core/remark.h"

#include "given_sync.h"
#include "test/unit/run.h"

static struct mt_decision d;

/* node1 leaves, node2 was chosen, node3 speaks. */
static void
given_choice(const char *rule)
{
	d = (struct mt_decision){.id = 1, .epoch = EPOCH, .n_verdicts = 3};
	mt_copy(d.from, sizeof(d.from), "node1");
	mt_copy(d.to, sizeof(d.to), "node2");
	for (int i = 0; i < 3; i++) {
		struct mt_verdict *v = &d.verdicts[i];

		mt_format(v->name, sizeof(v->name), "node%d", i + 1);
		v->at = position(TIMELINE, LSN);
		v->failover_priority = 1;
	}
	mt_copy(d.verdicts[0].rule, MT_RULE_MAX, "leaves");
	mt_copy(d.verdicts[1].rule, MT_RULE_MAX, "chosen");
	mt_copy(d.verdicts[2].rule, MT_RULE_MAX, rule);
}

#define SAYS(rule, want, ...) \
	do { \
		char text[MT_WHY_MAX]; \
		given_choice(rule); \
		__VA_ARGS__; \
		ck_assert( \
		    mt_remark_on_choice(&d, "node3", text, sizeof(text)) == \
		    ((want)[0] != '\0')); \
		ck_assert_str_eq(text, want); \
	} while (0)

START_TEST(who_was_not_chosen_says_why)
{
	SAYS("nofailover",
	     "following a different leader because I am not "
	     "allowed to promote", );
	SAYS("behind", "Wal position of node2 is ahead of my wal position",
	     d.verdicts[1].at.lsn++);
	SAYS("lags", "Wal position of node2 is ahead of my wal position",
	     d.verdicts[1].at.lsn++);
	SAYS("behind", "Wal position of node2 is ahead of my wal position",
	     d.verdicts[1].at = position(TIMELINE + 1, 1));
	SAYS("behind",
	     "node2 has equally tolerable WAL position and priority 2, while "
	     "this node has priority 1",
	     d.verdicts[1].failover_priority = 2);
}
END_TEST

START_TEST(where_there_are_no_words_nothing_is_said)
{
	SAYS("behind", "", );
	SAYS("silent", "", d.verdicts[1].at.lsn++);
	SAYS("not-in-sync", "", d.verdicts[1].at.lsn++);
	SAYS("nofailover", "", mt_copy(d.verdicts[1].rule, MT_RULE_MAX, "x"));
	SAYS("nofailover", "", d.n_verdicts = 2);
	SAYS("nofailover", "", mt_copy(d.to, sizeof(d.to), "node3"));
	SAYS("nofailover", "", d.to[0] = '\0');
}
END_TEST

#define WAITS(want, ...) \
	do { \
		given_sync_primary(MT_SYNC_ON, 1, "2", 1); \
		w.settings.synchronous_mode_strict = true; \
		flushed_of(2)->streaming = flushed_of(3)->streaming = false; \
		flushed_of(2)->last_ms = flushed_of(3)->last_ms = 0; \
		__VA_ARGS__; \
		ck_assert_msg(mt_remark_waits_for_nobody(&w.view) == (want), \
			      "%s", #__VA_ARGS__); \
	} while (0)

START_TEST(a_strict_primary_alone_waits_for_nobody)
{
	WAITS(true, );
	WAITS(true, given_names("", 0); given_log("", 0));
	WAITS(false, flushed_of(3)->streaming = true);
	WAITS(false, w.settings.synchronous_mode_strict = false);
	WAITS(false, w.settings.synchronous_mode = MT_SYNC_OFF);
	WAITS(false, local()->in_recovery = true);
	WAITS(false, local()->accepting = false);
	WAITS(false, local()->as_primary = false);
	WAITS(false, mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2"));
}
END_TEST

int
main(void)
{
	RUN_TESTS("remark", who_was_not_chosen_says_why,
		  where_there_are_no_words_nothing_is_said,
		  a_strict_primary_alone_waits_for_nobody);
}
