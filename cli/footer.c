/* SPDX-License-Identifier: PostgreSQL */
/*
 * The lines below a member table: what concerns the whole cluster, and the
 * members that are no rows because nobody connects to them.
 *
 * A witness votes and has no PostgreSQL, so /cluster does not list it;
 * /raft/state does, and /raft has its address.
 */
#include "cli/members.h"

#include <string.h>

#include "base/text.h"

/* The record of a member in /raft/state, in a "members" object or flat. */
static const json_t *
record_of(const json_t *state, const char *name)
{
	char key[256];
	const json_t *m =
	    json_object_get(json_object_get(state, "members"), name);

	if (m != NULL)
		return m;
	mt_format(key, sizeof(key), "members/%s", name);
	return json_object_get(state, key);
}

/* The address of a Raft member by its name, "" where /raft has none. */
static const char *
address_of(const json_t *raft, const char *name)
{
	json_t *m;
	size_t i;

	json_array_foreach (json_object_get(raft, "members"), i, m)
		if (strcmp(mt_text_of(m, "name"), name) == 0)
			return mt_text_of(m, "address");
	return "";
}

/* "fencing": false or "off", wherever the API shows it. */
static bool
is_off(const json_t *object)
{
	const json_t *fencing = json_object_get(object, "fencing");

	return json_is_false(fencing) ||
	       mt_streq(mt_text_of(object, "fencing"), "off");
}

static void
witnesses(const struct mt_cluster *c, FILE *out)
{
	const char *lead = " Witness: ";
	json_t *w;
	size_t i;

	json_array_foreach (json_object_get(c->state, "witnesses"), i, w) {
		const char *name = json_string_value(w);
		const char *address;

		if (name == NULL)
			continue;
		address = address_of(c->raft, name);
		fprintf(out, "%s%s", lead, name);
		if (address[0] != '\0')
			fprintf(out, " (%s)", address);
		lead = ", ";
	}
	if (lead[0] == ',')
		putc('\n', out);
}

static void
unfenced(const struct mt_cluster *c, FILE *out)
{
	json_t *m;
	size_t i;
	const char *lead = " fencing: off on ";

	json_array_foreach (json_object_get(c->cluster, "members"), i, m) {
		const char *name = mt_text_of(m, "name");

		if (!is_off(m) && !is_off(record_of(c->state, name)))
			continue;
		fprintf(out, "%s%s", lead, name);
		lead = ", ";
	}
	if (lead[0] == ',')
		putc('\n', out);
}

void
mt_members_footer(const struct mt_cluster *c, FILE *out)
{
	const json_t *planned =
	    json_object_get(c->cluster, "scheduled_switchover");

	if (json_is_true(json_object_get(c->cluster, "pause")))
		fputs(" Maintenance mode: on\n", out);
	if (mt_text_of(planned, "at")[0] != '\0') {
		const char *from = mt_text_of(planned, "from");
		const char *to = mt_text_of(planned, "to");

		fprintf(out, " Switchover scheduled at: %s\n",
			mt_text_of(planned, "at"));
		if (from[0] != '\0')
			fprintf(out, "%24s: %s\n", "from", from);
		if (to[0] != '\0')
			fprintf(out, "%24s: %s\n", "to", to);
	}
	witnesses(c, out);
	unfenced(c, out);
}
