/* SPDX-License-Identifier: PostgreSQL */
/* Data that was there before the cluster, seen from its own node, node1. */
#include "decide.h"
#include "test/unit/run.h"

/* A primary that somebody else started; the log knows of no cluster. */
static void
given_stranger(void)
{
	given_new_cluster(1);
	local()->data = MT_DATA_PRESENT;
	local()->data_id = DATA_ID;
	mt_copy(local()->sysid, MT_SYSID_MAX, SYSID);
	local()->running = local()->guarded = local()->as_primary = true;
	local()->foreign = local()->bare = local()->accepting = true;
	local()->at = position(TIMELINE, LSN);
	report_of(1)->has_data = true;
	report_of(1)->no_data = report_of(1)->bootstrap_ready = false;
	report_of(1)->pg_state = MT_PG_RUNNING;
	report_of(1)->pg_role = MT_ROLE_PRIMARY;
	report_of(1)->data_id = DATA_ID;
	report_of(1)->at = local()->at;
	mt_copy(report_of(1)->sysid, MT_SYSID_MAX, SYSID);
}

static void
given_claimed(void)
{
	given_stranger();
	given_claim(1);
	w.state.claim.adopts = DATA_ID;
}

/* A primary's data directory, down and claimed. */
static void
given_claimed_down(void)
{
	given_claimed();
	local()->running = local()->guarded = local()->as_primary = false;
	local()->foreign = local()->bare = local()->accepting = false;
	local()->at = position(0, 0);
	local()->control = MT_CONTROL_SHUT_DOWN;
	local()->checkpoint = position(TIMELINE, LSN);
}

/* The log has epoch 1 for it, and the exemption. */
static void
given_adopted(void)
{
	given_stranger();
	mt_copy(w.state.sysid, MT_SYSID_MAX, SYSID);
	w.state.leader = (struct mt_leader){
	    .epoch = 1,
	    .since = 1,
	    .ttl_ms = TTL_MS,
	    .timeline = TIMELINE,
	    .continues = true,
	    .index = 40,
	    .exempt = 40,
	    .exempt_incarnation = 10,
	    .adopts = DATA_ID,
	};
	mt_copy(w.state.leader.holder, MT_NAME_MAX, "node1");
	mt_copy(w.state.leader.exempt_reason, MT_RULE_MAX, "adoption");
	local()->exempt = true;
}

static void
given_taken(void)
{
	given_adopted();
	local()->record.data_id = DATA_ID;
	local()->record.pg_epoch = 1;
	local()->bare = false; /* it has been taken under this sentinel */
	local()->slots_ready = true;
	w.state.status.optime = local()->at;
}

START_TEST(what_is_not_the_clusters_is_left_alone)
{
	ROW(given_stranger(), "without a lease", "bootstrap", MT_ACT_NONE, );
	ROW(given_stranger(), "without a sentinel", "bootstrap", MT_ACT_NONE,
	    local()->guarded = false);
	ROW(given_stranger(), "a standby", "bootstrap", MT_ACT_NONE,
	    local()->as_primary = false;
	    local()->in_recovery = true);
	ROW(given_stranger(), "one that does not answer", "bootstrap",
	    MT_ACT_NONE, local()->unanswered_ms = NOW - 3600000);
	ROW(given_stranger(), "the daemon ends", "leave", MT_ACT_EXIT,
	    local()->stopping = true);
	EXPECT_WHY("not the cluster's");
	ROW(given_stranger(), "a standby, and the daemon ends", "leave",
	    MT_ACT_EXIT, local()->stopping = true;
	    local()->as_primary = false);
	ROW(given_stranger(), "the cluster is another", "other-cluster",
	    MT_ACT_REFUSE,
	    mt_copy(w.state.sysid, MT_SYSID_MAX, "7300000000000000002"));
	ROW(given_stranger(), "nor is anything begun on an old state",
	    "state-unknown", MT_ACT_NONE, local()->state_current = false);
	ASKS(given_stranger(), "it asks for nothing", false, );
}
END_TEST

START_TEST(what_ran_as_primary_of_the_cluster_is_not_strange)
{
	ROW(given_stranger(), "ours, without a sentinel", "unguarded",
	    MT_ACT_STOP_IMMEDIATE, local()->record.data_id = DATA_ID;
	    local()->record.pg_epoch = 1);
	ROW(given_stranger(), "ours, with one", "lease-lapsed",
	    MT_ACT_STOP_IMMEDIATE, local()->record.data_id = DATA_ID;
	    local()->record.pg_epoch = 1; local()->bare = false);
	ROW(given_primary(), "its sentinel was started for it", "unguarded",
	    MT_ACT_STOP_IMMEDIATE, local()->guarded = false);
	ROW(given_taken(), "taken, and its sentinel is lost", "unguarded",
	    MT_ACT_STOP_IMMEDIATE, local()->guarded = false);
}
END_TEST

START_TEST(a_standby_of_the_cluster_goes_on_under_a_new_sentinel)
{
	ROW(given_standby(), "it follows", "standby", MT_ACT_FOLLOW,
	    local()->foreign = local()->bare = true;
	    local()->upstream[0] = '\0');
	ROW(given_standby(), "where it stands is not known", "standby",
	    MT_ACT_NONE, local()->foreign = local()->bare = true;
	    local()->upstream[0] = '\0'; local()->at = position(0, 0));
	ROW(given_standby(), "ended as ours", "stopping", MT_ACT_STOP_FAST,
	    local()->foreign = local()->bare = true;
	    local()->stopping = true);
	/* In a cluster that exists the benefit of the doubt is not its. */
	ROW(given_primary(), "nor a primary that tells nothing", "lease-lapsed",
	    MT_ACT_STOP_IMMEDIATE, local()->foreign = local()->bare = true;
	    local()->record.data_id = local()->data_id = 0;
	    local()->deadline_ms = 0; local()->sysid[0] = '\0';
	    mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2"));
	ROW(given_primary(), "a second primary does not", "lease-lapsed",
	    MT_ACT_STOP_IMMEDIATE, local()->foreign = local()->bare = true;
	    local()->record.data_id = 0; local()->deadline_ms = 0;
	    mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2"));
}
END_TEST

START_TEST(a_running_primary_is_exempt_before_it_is_proposed)
{
	json_t *config = json_pack("{s:i}", "ttl", 8);

	ROW(given_claimed(), "first", "bootstrap", MT_ACT_EXEMPT, );
	ROW(given_claimed(), "then", "bootstrap", MT_ACT_PROPOSE,
	    w.view.bootstrap_config = config;
	    local()->exempt = true);
	EXPECT(w_plan.command.kind == MT_CMD_CLUSTER_INITIALIZE, "command");
	EXPECT(w_plan.command.u.initialize.claim.adopts == DATA_ID, "data");
	EXPECT(w_plan.command.u.initialize.runs, "it runs");
	EXPECT(w_plan.command.u.initialize.timeline == TIMELINE, "timeline");
	EXPECT(w_plan.command.u.initialize.ttl_ms == 8000, "ttl");
	EXPECT(strcmp(w_plan.command.u.initialize.sysid, SYSID) == 0, "sysid");
	json_decref(config);
}
END_TEST

START_TEST(what_is_not_as_it_was_claimed_is_not_proposed)
{
	ROW(given_claimed(), "other data", "bootstrap", MT_ACT_NONE,
	    w.state.claim.adopts++);
	ROW(given_claimed(), "of another life", "bootstrap", MT_ACT_NONE,
	    w.state.claim.incarnation = 9);
	ROW(given_claimed(), "another's", "bootstrap", MT_ACT_NONE,
	    given_claim(2));
	EXPECT_WHY("node2");
	ROW(given_claimed(), "a standby", "bootstrap", MT_ACT_NONE,
	    local()->as_primary = false;
	    local()->in_recovery = true);
	ROW(given_claimed(), "no session", "bootstrap", MT_ACT_NONE,
	    local()->accepting = false);
	ROW(given_claimed(), "no sentinel", "bootstrap", MT_ACT_NONE,
	    local()->guarded = false);
	ROW(given_claimed(), "no system identifier yet", "bootstrap",
	    MT_ACT_NONE, local()->sysid[0] = '\0');
	/* Never initdb where a claim speaks of data. */
	ROW(given_new_cluster(1), "the data is gone", "bootstrap", MT_ACT_NONE,
	    given_claim(1);
	    w.state.claim.adopts = DATA_ID);
}
END_TEST

START_TEST(data_that_is_down_is_looked_at_again_and_proposed)
{
	json_t *config = json_object();

	ROW(given_claimed_down(), "does it run?", "bootstrap", MT_ACT_OFFER, );
	ROW(given_claimed_down(), "its end first", "bootstrap", MT_ACT_NONE,
	    local()->end_pending = true);
	ROW(given_claimed_down(), "then", "bootstrap", MT_ACT_PROPOSE,
	    w.view.bootstrap_config = config;
	    local()->fresh = true; local()->end = position(TIMELINE + 1, LSN));
	EXPECT(!w_plan.command.u.initialize.runs, "it does not run");
	EXPECT(w_plan.command.u.initialize.timeline == TIMELINE + 1,
	       "the timeline of its end");
	json_decref(config);
}
END_TEST

START_TEST(who_is_not_claimed_says_what_is_in_the_way)
{
	ROW(given_stranger(), "refused", "bootstrap", MT_ACT_NONE,
	    *report_of(3) = *report_of(1);
	    report_of(3)->self = w.state.members[2]);
	EXPECT_WHY("both run as primary");
	EXPECT(w_plan.warn, "it is a warning");
	ROW(given_stranger(), "waiting", "bootstrap", MT_ACT_NONE,
	    given_silence(3));
	EXPECT_WHY("node3");
	EXPECT(!w_plan.warn, "it is none");
	ROW(given_new_cluster(1), "what cannot be read", "bootstrap",
	    MT_ACT_NONE, local()->data = MT_DATA_FOREIGN);
	EXPECT_WHY("move its content away");
	EXPECT(w_plan.warn, "it is a warning");
}
END_TEST

START_TEST(an_adopted_primary_takes_its_epoch_without_a_lease)
{
	ROW(given_adopted(), "at once", "turn", MT_ACT_TAKE_EPOCH, );
	EXPECT(w_plan.epoch == 1, "epoch");
	ROW(given_adopted(), "under a new sentinel", "turn", MT_ACT_EXEMPT,
	    local()->exempt = false);
	ROW(given_adopted(), "a newer epoch of this turn", "turn",
	    MT_ACT_TAKE_EPOCH, w.state.leader.epoch = 2);
	EXPECT(w_plan.epoch == 2, "epoch");
	ROW(given_adopted(), "other data", "deposed", MT_ACT_STOP_IMMEDIATE,
	    w.state.leader.adopts++);
	ROW(given_adopted(), "the turn went on", "deposed",
	    MT_ACT_STOP_IMMEDIATE,
	    mt_copy(w.state.leader.holder, MT_NAME_MAX, "node2"));
	ROW(given_adopted(), "nothing was exempt", "lease-lapsed",
	    MT_ACT_STOP_IMMEDIATE, w.state.leader.exempt = 0;
	    local()->exempt = false);
	ASKS(given_adopted(), "no support before the epoch is durable",
	     false, );
}
END_TEST

START_TEST(the_exemption_ends_under_a_lease)
{
	ASKS(given_taken(), "it asks", true, );
	ROW(given_taken(), "no lease yet", "turn", MT_ACT_NONE, );
	ROW(given_taken(), "a lease", "turn", MT_ACT_ARM,
	    local()->had_lease = true;
	    local()->lease_epoch = 1; local()->deadline_ms = NOW + 4000;
	    local()->missed_ms = NOW + 400);
	ROW(given_taken(), "armed", "turn", MT_ACT_PROPOSE,
	    local()->exempt = false;
	    local()->had_lease = true; local()->lease_epoch = 1;
	    local()->deadline_ms = NOW + 4000; local()->missed_ms = NOW + 400);
	EXPECT(w_plan.command.kind == MT_CMD_LEADER_EXEMPT, "command");
	EXPECT(w_plan.command.u.exempt.ends == 40, "that exemption");
	ROW(given_taken(), "from then on the lease counts", "lease-lapsed",
	    MT_ACT_STOP_IMMEDIATE, local()->exempt = false;
	    local()->had_lease = true; local()->lease_epoch = 1;
	    local()->deadline_ms = NOW);
}
END_TEST

int
main(void)
{
	RUN_TESTS("agent_adopt", what_is_not_the_clusters_is_left_alone,
		  what_ran_as_primary_of_the_cluster_is_not_strange,
		  a_standby_of_the_cluster_goes_on_under_a_new_sentinel,
		  a_running_primary_is_exempt_before_it_is_proposed,
		  what_is_not_as_it_was_claimed_is_not_proposed,
		  data_that_is_down_is_looked_at_again_and_proposed,
		  who_is_not_claimed_says_what_is_in_the_way,
		  an_adopted_primary_takes_its_epoch_without_a_lease,
		  the_exemption_ends_under_a_lease);
}
