/* SPDX-License-Identifier: PostgreSQL */
/*
 * GET /raft: this node's side of Raft, for people and monitoring. Happy path:
 * what the daemon knows is written down, before there is a group, too. The
 * state that Raft replicates is in raft_state.c.
 */
#include "daemon/api/internal.h"

static json_t *
raft_members(const struct mt_raft_info *info)
{
	json_t *list = json_array();

	for (int i = 0; i < info->n_members; i++) {
		const struct mt_raft_member *m = &info->members[i];
		json_t *o = json_object();

		json_object_set_new(o, "id", api__json_id(m->id));
		json_object_set_new(o, "name", api__json_name(m->name));
		json_object_set_new(o, "address", json_string(m->address));
		json_object_set_new(o, "role", json_string(m->role));
		json_object_set_new(o, "connected", json_boolean(m->connected));
		json_object_set_new(o, "contact_age_ms",
				    m->contact_age_ms < 0
					? json_null()
					: json_integer(m->contact_age_ms));
		json_array_append_new(list, o);
	}
	return list;
}

void
api__get_raft(struct mt_api *api, struct mt_http_request *r)
{
	const struct mt_api_backend *b = api->backend;
	struct mt_raft_info info = {0};
	struct mt_view view;
	json_t *o = json_object();

	b->view(b->arg, &view);
	b->raft(b->arg, &info);
	json_object_set_new(o, "id", api__json_id(info.id));
	json_object_set_new(o, "name", json_string(view.local.name));
	json_object_set_new(o, "state", json_string(info.state));
	json_object_set_new(o, "term", api__json_number(info.term));
	json_object_set_new(o, "leader", api__json_name(info.leader));
	json_object_set_new(o, "leader_id",
			    info.leader_id == 0 ? json_null()
						: api__json_id(info.leader_id));
	json_object_set_new(o, "last_index", api__json_number(info.last_index));
	json_object_set_new(o, "commit_index",
			    api__json_number(info.commit_index));
	json_object_set_new(o, "applied_index",
			    api__json_number(info.applied_index));
	json_object_set_new(o, "snapshot_index",
			    api__json_number(info.snapshot_index));
	json_object_set_new(o, "digest", api__json_id(info.digest));
	json_object_set_new(o, "last_write_ms",
			    json_integer(info.last_write_ms));
	json_object_set_new(o, "max_write_ms", json_integer(info.max_write_ms));
	json_object_set_new(o, "members", raft_members(&info));
	if (*info.waiting_for != '\0')
		json_object_set_new(o, "waiting_for",
				    json_string(info.waiting_for));
	api__respond_json(r, 200, o);
}
