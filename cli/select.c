/* SPDX-License-Identifier: PostgreSQL */
/*
 * Members for a verb. Happy path: the table is shown, so that the user sees of
 * whom he speaks; those of the role and of the names remain, and one question
 * names them all. Names that nobody has are left out as long as one is right.
 */
#include "cli/select.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/ask.h"

static const char *const roles[] = {"leader",  "primary", "standby-leader",
				    "replica", "standby", "any"};

bool
mt_role_is_known(const char *role)
{
	for (size_t i = 0; i < MT_COUNT(roles); i++)
		if (mt_streq(roles[i], role))
			return true;
	return false;
}

/* leader: whoever holds the turn. */
static bool
has_role(const json_t *member, const char *role)
{
	const char *its = mt_text_of(member, "role");
	bool standby_leader = mt_streq(its, "standby_leader");
	bool leads = standby_leader || mt_streq(its, "leader");

	if (role == NULL || mt_streq(role, "any"))
		return true;
	if (mt_streq(role, "leader"))
		return leads;
	if (mt_streq(role, "primary"))
		return leads && !standby_leader;
	if (mt_streq(role, "standby-leader"))
		return standby_leader;
	return !leads;
}

static bool
is_named(const struct mt_selection *s, const json_t *member)
{
	for (int i = 0; i < s->n; i++)
		if (mt_streq(s->names[i], mt_text_of(member, "name")))
			return true;
	return s->n == 0;
}

int
mt_members_confirm(const struct mt_selection *s, const json_t *members,
		   const char *what, const char *until)
{
	char prompt[2048];
	bool yes = false;
	json_t *m;
	size_t i, n;
	int status;

	if (s->force)
		return 0;
	mt_format(prompt, sizeof(prompt), "Are you sure you want to %s%s",
		  what != NULL ? what : s->verb,
		  what != NULL ? "" : " members");
	json_array_foreach ((json_t *)members, i, m) {
		n = strlen(prompt);
		mt_format(prompt + n, sizeof(prompt) - n, "%s %s",
			  i > 0 ? "," : "", mt_text_of(m, "name"));
	}
	n = strlen(prompt);
	mt_format(prompt + n, sizeof(prompt) - n, "%s?",
		  until != NULL ? until : "");
	status = mt_cli_ask_yes(prompt, &yes);
	return status != 0 || yes ? status : mt_cli_aborted();
}

int
mt_members_choose(const struct mt_selection *s, const struct mt_cluster *c,
		  json_t **members)
{
	json_t *chosen = json_array(), *m;
	struct mt_err err;
	size_t i;

	MT_ASSERT(chosen != NULL);
	mt_members_print(c, MT_FORMAT_PRETTY, 0, stdout);
	json_array_foreach (json_object_get(c->cluster, "members"), i, m)
		if (has_role(m, s->role) && is_named(s, m))
			json_array_append(chosen, m);
	if (json_array_size(chosen) > 0) {
		*members = chosen;
		return 0;
	}
	json_decref(chosen);
	mt_err_set(&err, MT_ENOENT, "No %s among provided members",
		   s->role != NULL ? s->role : "any");
	return mt_cli_fail(&err);
}

int
mt_members_select(const struct mt_selection *s, const struct mt_cluster *c,
		  json_t **members)
{
	int status = mt_members_choose(s, c, members);

	if (status == 0) {
		status = mt_members_confirm(s, *members, NULL, NULL);
		if (status != 0)
			json_decref(*members);
	}
	return status;
}

int
mt_member_tell(const struct mt_cli *cli, const json_t *member, const char *path,
	       const json_t *body, int64_t timeout_ms,
	       struct mt_http_reply *reply, struct mt_err *err)
{
	struct mt_http *http = NULL;
	int rv = mt_cli_client(cli, &http, err);

	if (rv == 0)
		rv = mt_http_add(http, mt_text_of(member, "api_url"), err);
	if (rv == 0 && body == NULL)
		rv = mt_http_delete(http, path, timeout_ms, reply, err);
	else if (rv == 0)
		rv = mt_http_post(http, path, body, timeout_ms, reply, err);
	mt_http_free(http);
	return rv;
}
