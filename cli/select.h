/* SPDX-License-Identifier: PostgreSQL */
/* Which members a verb is for: by role, by name, and by the user's word. */
#ifndef MT_CLI_SELECT_H
#define MT_CLI_SELECT_H

#include "cli/cli.h"
#include "cli/members.h"

struct mt_selection {
	const char *verb; /* as in "Are you sure you want to VERB members" */
	const char *role; /* -r, or NULL: any */
	int n;            /* of names; 0: all of the role */
	char **names;     /* borrowed */
	bool force;       /* nothing is asked */
};

/* The names of roles that -r takes, as an error tells them. */
bool mt_role_is_known(const char *role);

/* The same in two steps. what: the words of the question, NULL: the verb's,
 * "restart members"; until: what follows the names, or NULL. */
int mt_members_choose(const struct mt_selection *s, const struct mt_cluster *c,
		      json_t **members);
int mt_members_confirm(const struct mt_selection *s, const json_t *members,
		       const char *what, const char *until);

/* POST a body to a member's own API; DELETE where body is NULL. */
int mt_member_tell(const struct mt_cli *cli, const json_t *member,
		   const char *path, const json_t *body, int64_t timeout_ms,
		   struct mt_http_reply *reply,
		   struct mt_err *err) MT_MUSTCHECK;

/* Show the members, choose, ask. 0 and *members, an array that is the caller's;
 * or the exit status. */
int mt_members_select(const struct mt_selection *s, const struct mt_cluster *c,
		      json_t **members);

#endif
