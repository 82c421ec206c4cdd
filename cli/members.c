/* SPDX-License-Identifier: PostgreSQL */
/*
 * The member table of list, topology, switchover and demo.
 *
 * GET /cluster gives the rows; /raft/state gives the system identifier of the
 * header, and both it and /raft what stands below the table (footer.c). A node
 * that does not have the latter two still gives a table.
 *
 * Nothing that a server sends is trusted to have its type: what is missing or
 * odd makes an empty cell.
 */
#include "cli/members.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

#define PG_PORT 5432

const char *
mt_text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

const json_t *
mt_cluster_member(const json_t *cluster, const char *name)
{
	json_t *members = json_object_get(cluster, "members"), *m;
	size_t i;

	json_array_foreach (members, i, m)
		if (strcmp(mt_text_of(m, "name"), name) == 0)
			return m;
	return NULL;
}

const json_t *
mt_cluster_leader(const json_t *cluster)
{
	json_t *members = json_object_get(cluster, "members"), *m;
	size_t i;

	json_array_foreach (members, i, m)
		if (strcmp(mt_text_of(m, "role"), "leader") == 0 ||
		    strcmp(mt_text_of(m, "role"), "standby_leader") == 0)
			return m;
	return NULL;
}

int
mt_cluster_fetch(struct mt_http *http, struct mt_cluster *c, struct mt_err *err)
{
	struct mt_cluster got = {0};
	json_t *members, *m;
	struct mt_err ignored;
	size_t i;
	int rv;

	rv = mt_cli_get(http, "/cluster", &got.cluster, err);
	if (rv != 0)
		return rv;
	members = json_object_get(got.cluster, "members");
	if (!json_is_array(members)) {
		mt_cluster_release(&got);
		return mt_err_set(err, MT_EPROTO,
				  "the answer to \"/cluster\" has no list of "
				  "members; is this a Matriarch node's restapi "
				  "address?");
	}
	json_array_foreach (members, i, m) {
		/* A member without a usable URL is one server less to ask. */
		if (mt_http_add(http, mt_text_of(m, "api_url"), &ignored) != 0)
			continue;
	}
	if (mt_cli_get(http, "/raft", &got.raft, &ignored) != 0)
		got.raft = NULL;
	if (mt_cli_get(http, "/raft/state", &got.state, &ignored) != 0)
		got.state = NULL;
	mt_cluster_release(c);
	*c = got;
	return 0;
}

void
mt_cluster_release(struct mt_cluster *c)
{
	json_decref(c->cluster);
	json_decref(c->raft);
	json_decref(c->state);
	*c = (struct mt_cluster){0};
}

/* " Cluster: NAME (SYSID) " */
static void
header_of(const struct mt_cluster *c, char *buf, size_t size)
{
	const char *scope = mt_text_of(c->cluster, "scope");
	const json_t *sysid = json_object_get(c->state, "initialize");

	if (c->state == NULL) /* nobody to ask: say nothing on it */
		mt_format(buf, size, " Cluster: %s ", scope);
	else if (!json_is_string(sysid))
		mt_format(buf, size, " Cluster: %s (uninitialized) ", scope);
	else if (json_string_length(sysid) == 0)
		mt_format(buf, size, " Cluster: %s (initializing) ", scope);
	else
		mt_format(buf, size, " Cluster: %s (%s) ", scope,
			  json_string_value(sysid));
}

/* Does any host appear twice, or any port that is not PostgreSQL's own? */
static bool
needs_ports(const json_t *members)
{
	json_t *a, *b;
	size_t i, k;

	json_array_foreach (members, i, a) {
		json_t *port = json_object_get(a, "port");

		if (json_is_integer(port) &&
		    json_integer_value(port) != PG_PORT)
			return true;
		json_array_foreach (members, k, b)
			if (k < i && mt_text_of(a, "host")[0] != '\0' &&
			    strcmp(mt_text_of(a, "host"),
				   mt_text_of(b, "host")) == 0)
				return true;
	}
	return false;
}

static json_t *
host_cell(const json_t *m, bool with_port)
{
	const char *host = mt_text_of(m, "host");
	json_t *port = json_object_get(m, "port");

	if (host[0] == '\0')
		return NULL;
	if (!with_port || !json_is_integer(port))
		return json_string(host);
	return json_sprintf(strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d",
			    host, (int)json_integer_value(port));
}

/* "sync_standby" becomes "Sync Standby". */
static json_t *
role_cell(const json_t *m)
{
	char role[64];

	mt_copy(role, sizeof(role), mt_text_of(m, "role"));
	for (char *c = role; *c != '\0'; c++) {
		if (*c == '_')
			*c = ' ';
		if (c == role || c[-1] == ' ')
			*c = (char)toupper((unsigned char)*c);
	}
	return json_string(role);
}

/* Bytes become the nearest whole number of MiB; "unknown" stays. */
static json_t *
lag_cell(const json_t *m, const char *key, bool unknown_shown)
{
	json_t *lag = json_object_get(m, key);

	if (json_is_integer(lag))
		return json_integer((json_integer_value(lag) + (1 << 19)) >>
				    20);
	if (unknown_shown && json_is_string(lag))
		return json_incref(lag);
	return NULL;
}

/* A value of the API as it is, but nothing for null and "". */
static json_t *
plain_cell(const json_t *m, const char *key)
{
	json_t *v = json_object_get(m, key);

	if (v == NULL || json_is_null(v) ||
	    (json_is_string(v) && json_string_length(v) == 0) ||
	    (json_is_object(v) && json_object_size(v) == 0))
		return NULL;
	return json_incref(v);
}

static json_t *
reason_cell(const json_t *m, enum mt_format format)
{
	json_t *reasons = json_object_get(m, "pending_restart_reason"), *r;
	const char *name;
	char *text = NULL;
	size_t n;
	FILE *out;
	json_t *cell;

	if (json_object_size(reasons) == 0 || !json_is_object(reasons))
		return NULL;
	if (format != MT_FORMAT_PRETTY)
		return json_incref(reasons);
	out = open_memstream(&text, &n);
	MT_ASSERT(out != NULL);
	json_object_foreach (reasons, name, r) {
		const char *from = mt_text_of(r, "old_value");
		const char *to = mt_text_of(r, "new_value");
		size_t width = strlen(name) + strlen(from) + strlen(to) + 4;

		fputs(ftell(out) > 0 ? "\n" : "", out);
		if (width > 50)
			fprintf(out, "%s: [hidden - too long]", name);
		else
			fprintf(out, "%s: %s->%s", name, from, to);
	}
	MT_ASSERT(fclose(out) == 0);
	cell = json_string(text);
	free(text);
	return cell;
}

static json_t *
schedule_cell(const json_t *m)
{
	json_t *s = json_object_get(m, "scheduled_restart");
	const char *at = mt_text_of(s, "schedule");
	const char *version = mt_text_of(s, "postgres_version");

	if (at[0] == '\0')
		return NULL;
	if (version[0] == '\0')
		return json_string(at);
	return json_sprintf("%s if version < %s", at, version);
}

/* The columns that appear where any member has something to show in them. */
static const struct extra {
	const char *key, *title;
} extras[] = {
    {"pending_restart", "Pending restart"},
    {"pending_restart_reason", "Pending restart reason"},
    {"scheduled_restart", "Scheduled restart"},
    {"tags", "Tags"},
};

static json_t *
extra_cell(const json_t *m, size_t k, enum mt_format format)
{
	switch (k) {
	case 0:
		return json_is_true(json_object_get(m, extras[k].key))
			   ? json_string("*")
			   : NULL;
	case 1:
		return reason_cell(m, format);
	case 2:
		return schedule_cell(m);
	default:
		return plain_cell(m, extras[k].key);
	}
}

static bool
is_wanted(const json_t *members, size_t k, unsigned flags)
{
	json_t *m;
	size_t i;

	if ((flags & MT_MEMBERS_EXTENDED) != 0)
		return true;
	json_array_foreach (members, i, m) {
		json_t *cell = extra_cell(m, k, MT_FORMAT_JSON);
		bool has = cell != NULL;

		json_decref(cell);
		if (has)
			return true;
	}
	return false;
}

static void
add_columns(struct mt_table *t, const bool *wanted, unsigned flags)
{
	mt_table_column(t, "Cluster", NULL, MT_COLUMN_HIDDEN);
	mt_table_column(t, "Member", NULL, 0);
	mt_table_column(t, "Host", NULL, 0);
	mt_table_column(t, "Role", NULL, 0);
	mt_table_column(t, "State", NULL, 0);
	mt_table_column(t, "TL", NULL, MT_COLUMN_RIGHT);
	mt_table_column(t, "Lag in MB", NULL, MT_COLUMN_RIGHT);
	if ((flags & MT_MEMBERS_EXTENDED) != 0) {
		mt_table_column(t, "Receive LSN", NULL, MT_COLUMN_RIGHT);
		mt_table_column(t, "Receive Lag", "Lag", MT_COLUMN_RIGHT);
		mt_table_column(t, "Replay LSN", NULL, MT_COLUMN_RIGHT);
		mt_table_column(t, "Replay Lag", "Lag", MT_COLUMN_RIGHT);
	}
	for (size_t k = 0; k < MT_COUNT(extras); k++)
		if (wanted[k])
			mt_table_column(t, extras[k].title, NULL, 0);
}

/* Array of [prefix, member]: the order of the rows. */
static json_t *
rows_of(const json_t *cluster, unsigned flags)
{
	json_t *rows, *m;
	size_t i;

	if ((flags & MT_MEMBERS_TREE) != 0)
		return mt_members_tree(cluster);
	rows = json_array();
	json_array_foreach (json_object_get(cluster, "members"), i, m)
		json_array_append_new(rows, json_pack("[sO]", "", m));
	return rows;
}

void
mt_members_print(const struct mt_cluster *c, enum mt_format format,
		 unsigned flags, FILE *out)
{
	const json_t *members = json_object_get(c->cluster, "members");
	json_t *rows = rows_of(c->cluster, flags), *row;
	bool wanted[MT_COUNT(extras)], ports = needs_ports(members);
	struct mt_table t;
	size_t i;

	mt_table_init(&t);
	header_of(c, t.header, sizeof(t.header));
	for (size_t k = 0; k < MT_COUNT(extras); k++)
		wanted[k] = is_wanted(members, k, flags);
	add_columns(&t, wanted, flags);
	json_array_foreach (rows, i, row) {
		const json_t *m = json_array_get(row, 1);

		mt_table_row(&t);
		mt_table_put(&t, plain_cell(c->cluster, "scope"));
		mt_table_put(
		    &t, json_sprintf("%s%s",
				     json_string_value(json_array_get(row, 0)),
				     mt_text_of(m, "name")));
		mt_table_put(&t, host_cell(m, ports));
		mt_table_put(&t, role_cell(m));
		mt_table_put(&t, plain_cell(m, "state"));
		mt_table_put(&t, plain_cell(m, "timeline"));
		mt_table_put(&t, lag_cell(m, "lag", true));
		if ((flags & MT_MEMBERS_EXTENDED) != 0) {
			mt_table_put(&t, plain_cell(m, "receive_lsn"));
			mt_table_put(&t, lag_cell(m, "receive_lag", false));
			mt_table_put(&t, plain_cell(m, "replay_lsn"));
			mt_table_put(&t, lag_cell(m, "replay_lag", false));
		}
		for (size_t k = 0; k < MT_COUNT(extras); k++)
			if (wanted[k])
				mt_table_put(&t, extra_cell(m, k, format));
	}
	mt_table_print(&t, format, out);
	if (format == MT_FORMAT_PRETTY)
		mt_members_footer(c, out);
	mt_table_release(&t);
	json_decref(rows);
}
