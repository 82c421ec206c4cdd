/* SPDX-License-Identifier: PostgreSQL */
/* A node without data: when it is cloned, from whom, and what goes before. */
#include "core/agent.h"

#include "decide.h"
#include "test/unit/run.h"

#define TAG(number, text) \
	mt_copy(report_of(number)->self.tags, \
		sizeof(report_of(number)->self.tags), text)

static bool
goes_to(const char *name)
{
	const struct mt_member *m = mt_state_member(&w.state, name);

	return strcmp(w_plan.member, name) == 0 &&
	       strcmp(w_plan.url, m->conn_url) == 0;
}

/* node2 without data, node3 a replica that offers itself. */
static void
given_offer(void)
{
	given_no_data(2);
	TAG(3, "{\"clonefrom\":true}");
}

static void
given_failures(int n)
{
	local()->last_job = MT_JOB_CLONE;
	local()->last_job_failed = true;
	local()->failures = n;
	local()->last_job_ms = NOW - 60000;
}

#define FROM(name, what, ...) \
	do { \
		ROW(given_offer(), what, "standby", MT_ACT_CLONE, \
		    __VA_ARGS__); \
		EXPECT(goes_to(name), "from " name); \
	} while (0)

START_TEST(a_replica_with_the_tag_is_the_source)
{
	FROM("node3", "it offers itself", );
	FROM("node3", "in words", TAG(3, "{\"clonefrom\":\"yes\"}"));
	FROM("node1", "the tag is off", TAG(3, "{\"clonefrom\":false}"));
	FROM("node1", "the tag is no truth", TAG(3, "{\"clonefrom\":\"x\"}"));
	FROM("node1", "no tags", TAG(3, ""));
	FROM("node1", "silent", given_silence(3));
	FROM("node1", "gone", seen_of(3)->gone = true);
	FROM("node1", "down", report_of(3)->healthy = false);
	FROM("node1", "follows nobody", report_of(3)->streaming = false);
	FROM("node1", "on another timeline", report_of(3)->at.timeline--);
	FROM("node1", "no replica", report_of(3)->pg_role = MT_ROLE_DEMOTED);
	FROM("node1", "of another cluster", report_of(3)->sysid[0]++);
	FROM("node1", "a witness", report_of(3)->self.witness = true);
	FROM("node1", "itself, and the primary has the tag, too",
	     report_of(3)->self.tags[0] = '\0';
	     TAG(1, "{\"clonefrom\":true}"); TAG(2, "{\"clonefrom\":true}"));
}
END_TEST

START_TEST(after_a_failure_it_is_the_others_turn)
{
	FROM("node1", "failed once", given_failures(1));
	FROM("node3", "twice", given_failures(2));
	FROM("node1", "three times", given_failures(3));
	FROM("node3", "another job failed", given_failures(1);
	     local()->last_job = MT_JOB_START);
}
END_TEST

START_TEST(several_sources_are_shared)
{
	bool seen[2] = {false, false};

	for (uint64_t id = 7; id < 9; id++) {
		given_offer();
		given_member(3);
		given_report(4);
		TAG(4, "{\"clonefrom\":true}");
		local()->raft_id = id;
		decide();
		expect_plan("one of two", "standby", MT_ACT_CLONE);
		seen[goes_to("node4")] = true;
	}
	ck_assert(seen[0] && seen[1]);
}
END_TEST

START_TEST(with_a_limit_it_waits_for_its_place)
{
	ROW(given_offer(), "no limit", "standby", MT_ACT_CLONE, );
	EXPECT(!w_plan.wants_clone, "it needs no place");
	ROW(given_offer(), "no place", "standby", MT_ACT_NONE,
	    w.settings.max_concurrent_clones = 1);
	EXPECT(w_plan.wants_clone, "it says so");
	EXPECT_WHY("max_concurrent_clones");
	ROW(given_offer(), "another has it", "standby", MT_ACT_NONE,
	    w.settings.max_concurrent_clones = 1;
	    report_of(1)->n_clones = 1; report_of(1)->clones[0] = 3);
	ROW(given_offer(), "it has one", "standby", MT_ACT_CLONE,
	    w.settings.max_concurrent_clones = 1;
	    report_of(1)->n_clones = 2; report_of(1)->clones[0] = 3;
	    report_of(1)->clones[1] = 2);
	ROW(given_offer(), "one that is no primary's word", "standby",
	    MT_ACT_NONE, w.settings.max_concurrent_clones = 1;
	    report_of(3)->n_clones = 1; report_of(3)->clones[0] = 2);
	ROW(given_offer(), "room is made before", "standby", MT_ACT_DISCARD,
	    w.settings.max_concurrent_clones = 1;
	    local()->data = MT_DATA_PARTIAL);
	ROW(given_offer(), "it pauses after a failure", "standby", MT_ACT_NONE,
	    w.settings.max_concurrent_clones = 1;
	    given_failures(1); local()->last_job_ms = NOW);
	EXPECT(!w_plan.wants_clone, "and wants no place meanwhile");
}
END_TEST

START_TEST(what_is_there_stays_for_a_method_that_goes_by_it)
{
	ROW(given_offer(), "in part", "standby", MT_ACT_DISCARD,
	    local()->data = MT_DATA_PARTIAL);
	ROW(given_offer(), "in part, and kept", "standby", MT_ACT_CLONE,
	    local()->data = MT_DATA_PARTIAL;
	    local()->keeps_data = true);
}
END_TEST

static void
given_alone(void)
{
	given_no_data(2);
	given_silence(1);
	local()->can_restore = true;
	local()->alone_ms = NOW - 10000;
}

START_TEST(without_a_primary_a_backup_is_restored)
{
	ROW(given_alone(), "nobody there", "standby", MT_ACT_CLONE, );
	EXPECT(w_plan.member[0] == '\0' && w_plan.url[0] == '\0', "no source");
	ROW(given_alone(), "no method can", "standby", MT_ACT_NONE,
	    local()->can_restore = false);
	EXPECT_WHY("waiting for a primary");
	ROW(given_alone(), "too early", "standby", MT_ACT_NONE,
	    local()->alone_ms = NOW - 9999);
	EXPECT(w_plan.look_again_ms == NOW + 1, "it will look again");
	ROW(given_alone(), "one is heard of", "standby", MT_ACT_NONE,
	    local()->alone_ms = 0);
	ROW(given_alone(), "one serves", "standby", MT_ACT_CLONE,
	    given_report(1);
	    given_serving(1));
	EXPECT(goes_to("node1"), "a clone");
	ROW(given_alone(), "a pause after a failure", "standby", MT_ACT_NONE,
	    given_failures(1);
	    local()->last_job_ms = NOW);
	ROW(given_alone(), "in part", "standby", MT_ACT_DISCARD,
	    local()->data = MT_DATA_PARTIAL);
	ROW(given_alone(), "no cluster yet: it is to be initialized",
	    "bootstrap", MT_ACT_NONE, w.state.sysid[0] = '\0');
	ROW(given_alone(), "paused", "paused", MT_ACT_NONE,
	    w.settings.pause = true);
	ROW(given_alone(), "no limit holds it back", "standby", MT_ACT_CLONE,
	    w.settings.max_concurrent_clones = 1);
}
END_TEST

int
main(void)
{
	RUN_TESTS("agent_clone", a_replica_with_the_tag_is_the_source,
		  after_a_failure_it_is_the_others_turn,
		  several_sources_are_shared,
		  with_a_limit_it_waits_for_its_place,
		  what_is_there_stays_for_a_method_that_goes_by_it,
		  without_a_primary_a_backup_is_restored);
}
