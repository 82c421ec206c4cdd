/* SPDX-License-Identifier: PostgreSQL */
/*
 * Metrics of Raft, the log's store and the lease. Happy path: what the daemon
 * knows is written down. What is not known has no sample: the round trip of a
 * node that has no lease, the age of what never came.
 */
#include "base/text.h"
#include "core/lease.h"
#include "daemon/api/metrics.h"

void
api__metrics_lease(const struct api__page *p)
{
	const struct mt_health_input *in = &p->in;
	const struct mt_leader *leader = &p->view.state->leader;
	bool held = in->holds && in->lease_epoch == in->epoch &&
		    in->deadline_ms > in->now_ms;
	int64_t round_trip_ms = p->b->round_trip(p->b->arg);

	api__gauge(p, "matriarch_epoch", "Epoch of the newest assignment.",
		   leader->epoch);
	api__gauge_seconds(
	    p, "matriarch_lease_seconds",
	    "How long this node may act as primary without a new answer.",
	    held ? in->deadline_ms - in->now_ms : 0);
	api__family(p, "matriarch_lease_margin_seconds", "gauge",
		    "By how much a lease ends before the promises to it do.");
	if (leader->epoch != 0)
		api__put_seconds(p, "matriarch_lease_margin_seconds", NULL,
				 NULL, mt_lease_margin_ms(leader->ttl_ms));
	api__family(p, "matriarch_lease_round_trip_seconds", "gauge",
		    "Time until a majority had answered the last renewal.");
	if (held)
		api__put_seconds(p, "matriarch_lease_round_trip_seconds", NULL,
				 NULL, round_trip_ms);
}

static void
put_store(const struct api__page *p, const struct mt_raft_info *raft)
{
	const char *name = "matriarch_raft_write_seconds";

	api__family(p, name, "gauge",
		    "Time that a durable write of the log took: the last, the "
		    "longest.");
	api__put_seconds(p, name, "which", "last", raft->last_write_ms);
	api__put_seconds(p, name, "which", "longest", raft->max_write_ms);
	api__gauge_seconds(p, "matriarch_raft_write_running_seconds",
			   "How long the write under way has taken, 0 = none.",
			   raft->running_write_ms);
	api__counter(p, "matriarch_raft_writes_total",
		     "Durable writes of the log.", raft->writes);
	api__counter(p, "matriarch_raft_write_failures_total",
		     "Those that failed.", raft->write_failures);
}

static void
put_ages(const struct api__page *p, const struct mt_raft_info *raft)
{
	const char *contact = "matriarch_raft_contact_age_seconds";
	const char *report = "matriarch_report_age_seconds";
	const struct mt_reports *all = p->view.reports;

	api__family(p, contact, "gauge",
		    "Time since the last message of a member.");
	for (int i = 0; i < raft->n_members; i++) {
		const struct mt_raft_member *m = &raft->members[i];

		if (m->contact_age_ms >= 0 && m->id != raft->id)
			api__put_seconds(p, contact, "member",
					 *m->name != '\0' ? m->name
							  : m->address,
					 m->contact_age_ms);
	}
	api__family(p, report, "gauge",
		    "Time since the last report of a member.");
	for (int i = 0; i < all->n; i++)
		api__put_seconds(p, report, "member",
				 all->seen[i].report.self.name,
				 p->view.now_ms - all->seen[i].at_ms);
}

void
api__metrics_raft(const struct api__page *p)
{
	static const char *const states[] = {"leader", "follower", "candidate",
					     "forming", "closed"};
	struct mt_raft_info raft;

	p->b->raft(p->b->arg, &raft);
	api__gauge(p, "matriarch_raft_leader",
		   "1 if this node is Raft's leader.",
		   mt_streq(raft.state, "leader"));
	api__family(p, "matriarch_raft_state", "gauge",
		    "1 for the state that this node has in Raft.");
	for (size_t i = 0; i < MT_COUNT(states); i++)
		api__put_u64(p, "matriarch_raft_state", "state", states[i],
			     mt_streq(raft.state, states[i]));
	api__gauge(p, "matriarch_raft_term", "Raft's term.", raft.term);
	api__gauge(p, "matriarch_raft_last_index", "Last entry of the log.",
		   raft.last_index);
	api__gauge(p, "matriarch_raft_commit_index", "Last committed entry.",
		   raft.commit_index);
	api__gauge(p, "matriarch_raft_applied_index", "Last applied entry.",
		   raft.applied_index);
	api__gauge(p, "matriarch_raft_snapshot_index",
		   "Last entry that the newest snapshot holds.",
		   raft.snapshot_index);
	put_store(p, &raft);
	put_ages(p, &raft);
}
