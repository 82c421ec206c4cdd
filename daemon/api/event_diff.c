/* SPDX-License-Identifier: PostgreSQL */
/*
 * What changed between two pictures of the cluster, as events: a pure function.
 * Happy path: most pictures are equal, and nothing is told.
 */
#include "daemon/api/events.h"

#include "base/text.h"

static void
tell(const char *type, const json_t *value, api__emit emit, void *arg)
{
	json_t *copy = json_deep_copy(value);

	if (copy != NULL)
		emit(arg, type, copy);
	json_decref(copy);
}

static void
diff_one(const json_t *old, const json_t *new, const char *type, api__emit emit,
	 void *arg)
{
	const json_t *value = json_object_get(new, type);

	if (value != NULL && !json_equal(json_object_get(old, type), value))
		tell(type, value, emit, arg);
}

static void
diff_many(const json_t *old, const json_t *new, const char *type,
	  api__emit emit, void *arg)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)new, key, value)
		if (!json_equal(json_object_get(old, key), value))
			tell(type, value, emit, arg);
}

static void
diff_removed(const json_t *old, const json_t *new, api__emit emit, void *arg)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)old, name, value) {
		json_t *gone;

		if (json_object_get(new, name) != NULL)
			continue;
		gone = json_pack("{s:s, s:b}", "name", name, "removed", 1);
		emit(arg, "member", gone);
		json_decref(gone);
	}
}

void
api__events_diff(const json_t *old, const json_t *new, api__emit emit,
		 void *arg)
{
	const json_t *members = json_object_get(old, "members");

	if (json_equal(old, new))
		return;
	diff_one(old, new, "role", emit, arg);
	diff_one(old, new, "state", emit, arg);
	diff_one(old, new, "leader", emit, arg);
	diff_many(members, json_object_get(new, "members"), "member", emit,
		  arg);
	diff_removed(members, json_object_get(new, "members"), emit, arg);
	diff_many(json_object_get(old, "decisions"),
		  json_object_get(new, "decisions"), "decision", emit, arg);
	diff_one(old, new, "config", emit, arg);
}
