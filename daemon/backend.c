/* SPDX-License-Identifier: PostgreSQL */
/* What the API sees of the node. */
#include <string.h>

#include "config.h"

#include "base/clock.h"
#include "base/text.h"
#include "conf/explain.h"
#include "daemon/node_internal.h"

static void
backend_view(void *arg, struct mt_view *view)
{
	node__observe(arg, view);
}

static const struct mt_pg_info *
backend_pg(void *arg)
{
	static const struct mt_pg_info none;
	struct mt_node *n = arg;

	return n->pg != NULL ? mt_postgres_info(n->pg) : &none;
}

static const char *
role_name(const struct mt_driver *d)
{
	switch (mt_driver_role(d)) {
	case MT_RAFT_LEADER:
		return "leader";
	case MT_RAFT_FOLLOWER:
		return "follower";
	case MT_RAFT_CANDIDATE:
		return "candidate";
	case MT_RAFT_CLOSED:
		return "closed";
	}
	return "unknown";
}

static void
add_contact(void *arg, const struct mt_peer_info *p)
{
	struct mt_raft_info *info = arg;

	for (int i = 0; i < info->n_members; i++) {
		struct mt_raft_member *m = &info->members[i];

		if (strcmp(m->address, p->addr) != 0)
			continue;
		m->connected = p->is_up;
		m->contact_age_ms = p->last_contact_ms == 0
					? -1
					: mt_clock_ms() - p->last_contact_ms;
		if (m->name[0] == '\0' && p->hello != NULL)
			mt_copy(m->name, sizeof(m->name), p->hello->name);
	}
}

static void
add_servers(const struct mt_node *n, struct mt_raft_info *info)
{
	static const char *const roles[] = {
	    [MT_SERVER_STANDBY] = "standby",
	    [MT_SERVER_VOTER] = "voter",
	    [MT_SERVER_SPARE] = "spare",
	};
	const struct mt_configuration *c = mt_driver_configuration(n->driver);

	for (unsigned i = 0; i < c->n; i++) {
		struct mt_raft_member *m = &info->members[info->n_members++];
		const struct mt_member *known =
		    mt_state_member_by_id(&n->state, c->servers[i].id);

		*m = (struct mt_raft_member){
		    .id = c->servers[i].id,
		    .role = roles[c->servers[i].role],
		    .contact_age_ms = -1,
		};
		mt_copy(m->address, sizeof(m->address), c->servers[i].address);
		if (known != NULL)
			mt_copy(m->name, sizeof(m->name), known->name);
		if (m->id == n->raft_id) {
			m->connected = true;
			m->contact_age_ms = 0;
			mt_copy(m->name, sizeof(m->name), n->conf->name);
		}
	}
}

static void
backend_raft(void *arg, struct mt_raft_info *info)
{
	struct mt_node *n = arg;
	const struct mt_member *leader;
	struct mt_disk_stats disk;

	memset(info, 0, sizeof(*info));
	info->id = n->raft_id;
	mt_disk_stats(n->disk, &disk);
	info->last_write_ms = disk.last_ms;
	info->max_write_ms = disk.max_ms;
	info->running_write_ms = disk.running_ms;
	info->writes = disk.writes;
	info->write_failures = disk.failures;
	mt_copy(info->waiting_for, sizeof(info->waiting_for), n->waiting_for);
	if (n->driver == NULL) {
		mt_copy(info->state, sizeof(info->state), "forming");
		return;
	}
	mt_copy(info->state, sizeof(info->state), role_name(n->driver));
	info->term = mt_driver_term(n->driver);
	info->leader_id = mt_driver_leader(n->driver);
	leader = mt_state_member_by_id(&n->state, info->leader_id);
	if (leader != NULL)
		mt_copy(info->leader, sizeof(info->leader), leader->name);
	info->last_index = mt_driver_last_index(n->driver);
	info->commit_index = mt_driver_commit_index(n->driver);
	info->applied_index = mt_driver_applied_index(n->driver);
	info->snapshot_index = mt_driver_image(n->driver)->snapshot.index;
	info->digest = mt_state_digest(&n->state);
	add_servers(n, info);
	mt_peers_each(n->peers, add_contact, info);
}

static int64_t
backend_round_trip(void *arg)
{
	return ((struct mt_node *)arg)->keep.holder.round_trip_ms;
}

static const char *
backend_doing(void *arg)
{
	struct mt_node *n = arg;

	if (n->phase == NODE_FORMING)
		return n->waiting_for;
	node__doing(n, n->doing, sizeof(n->doing));
	return n->doing;
}

static int64_t
backend_last_seen(void *arg)
{
	return ((struct mt_node *)arg)->leader_seen_s;
}

static void
backend_propose(void *arg, const struct mt_command *cmd, int64_t timeout_ms,
		mt_propose_cb cb, void *cb_arg)
{
	node__propose(arg, cmd, timeout_ms, cb, cb_arg);
}

static void
backend_reload(void *arg, mt_reload_cb cb, void *cb_arg)
{
	node__reload(arg, cb, cb_arg);
}

static uint64_t
backend_restart(void *arg, const struct mt_restart *how)
{
	return node__restart(arg, how);
}

static uint64_t
backend_reinit(void *arg, bool from_leader)
{
	return node__reinit(arg, from_leader);
}

static void
backend_schedule(void *arg, const json_t *body, mt_schedule_cb cb, void *cb_arg)
{
	node__schedule(arg, body, cb, cb_arg);
}

static const struct mt_errand_news *
backend_errand_news(void *arg)
{
	return &((struct mt_node *)arg)->errand_news;
}

static json_t *
backend_explain(void *arg)
{
	const struct mt_node *n = arg;
	bool agreed = n->state.config != NULL;
	struct mt_conf_facts f = {
	    .document = agreed ? n->state.config : n->conf->bootstrap.dcs,
	    .document_name = agreed ? "dynamic" : "bootstrap.dcs",
	};

	if (n->pg != NULL) {
		const json_t *seen = mt_postgres_settings(n->pg);

		f.role = mt_postgres_conf_role(n->pg);
		f.parameters = mt_postgres_parameters(n->pg);
		f.pending = json_object_get(seen, "pending");
		f.altered = json_object_get(seen, "altered");
	}
	return mt_conf_explain(n->conf, &f);
}

static void
backend_watch(void *arg, void (*fn)(void *fn_arg), void *fn_arg)
{
	struct mt_node *n = arg;

	for (int i = 0; i < NODE_WATCHERS_MAX; i++)
		if (n->watchers[i].fn == NULL) {
			n->watchers[i].fn = fn;
			n->watchers[i].arg = fn_arg;
			return;
		}
	MT_ASSERT(!"more watchers than there are resources that watch");
}

static void
backend_unwatch(void *arg, void (*fn)(void *fn_arg), void *fn_arg)
{
	struct mt_node *n = arg;

	for (int i = 0; i < NODE_WATCHERS_MAX; i++)
		if (n->watchers[i].fn == fn && n->watchers[i].arg == fn_arg)
			n->watchers[i].fn = NULL;
}

void
node__backend(struct mt_node *n)
{
	n->backend = (struct mt_api_backend){
	    .arg = n,
	    .conf = n->conf,
	    .version = PACKAGE_VERSION,
	    .view = backend_view,
	    .pg = backend_pg,
	    .raft = backend_raft,
	    .round_trip = backend_round_trip,
	    .doing = backend_doing,
	    .last_seen = backend_last_seen,
	    .propose = backend_propose,
	    .reload = backend_reload,
	    .restart = backend_restart,
	    .reinit = backend_reinit,
	    .schedule = backend_schedule,
	    .errand_news = backend_errand_news,
	    .explain = backend_explain,
	    .watch = backend_watch,
	    .unwatch = backend_unwatch,
	};
}
