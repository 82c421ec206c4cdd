/* SPDX-License-Identifier: PostgreSQL */
/*
 * What --dry-run prints: a row for each member with what was looked at, and a
 * sentence on who would be the primary. A check that could not be made has an
 * empty cell. What a server sends is not trusted to have its type.
 */
#include "cli/change.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/members.h"
#include "cli/table.h"

/* A check is a column; "asked" is told by the rule alone. */
static const struct {
	const char *key, *title;
} checks[] = {
    {"reachable", "Reachable"},
    {"tags", "Tags"},
    {"running", "Running"},
    {"position", "Position"},
    {"sync", "Sync"},
    {"timeline", "Timeline"},
    {"lag", "Lag"},
};

static json_t *
cell(const json_t *object, const char *key)
{
	json_t *v = json_object_get(object, key);

	return json_is_string(v) || json_is_integer(v) ? json_incref(v) : NULL;
}

static void
print_table(const json_t *doc)
{
	struct mt_table t;
	json_t *m;
	size_t i;

	mt_table_init(&t);
	mt_format(t.header, sizeof(t.header), " Dry run of a %s ",
		  mt_text_of(doc, "action"));
	mt_table_column(&t, "Member", NULL, 0);
	mt_table_column(&t, "Verdict", NULL, 0);
	mt_table_column(&t, "Rule", NULL, 0);
	for (size_t k = 0; k < MT_COUNT(checks); k++)
		mt_table_column(&t, checks[k].title, NULL, 0);
	mt_table_column(&t, "TL", NULL, MT_COLUMN_RIGHT);
	mt_table_column(&t, "LSN", NULL, MT_COLUMN_RIGHT);
	mt_table_column(&t, "Lag in bytes", NULL, MT_COLUMN_RIGHT);
	json_array_foreach (json_object_get(doc, "members"), i, m) {
		const json_t *c = json_object_get(m, "checks");

		mt_table_row(&t);
		mt_table_put(&t, cell(m, "name"));
		mt_table_put(&t, cell(m, "verdict"));
		mt_table_put(&t, cell(m, "rule"));
		for (size_t k = 0; k < MT_COUNT(checks); k++)
			mt_table_put(&t, cell(c, checks[k].key));
		mt_table_put(&t, cell(m, "timeline"));
		mt_table_put(&t, cell(m, "lsn"));
		mt_table_put(&t, cell(m, "lag"));
	}
	mt_table_print(&t, MT_FORMAT_PRETTY, stdout);
	mt_table_release(&t);
}

int
mt_change_preview(const struct mt_http_reply *reply)
{
	const char *winner, *refused, *candidate;
	struct mt_err err;
	json_t *doc;
	int status = MT_EXIT_FAILED;

	if (mt_http_json(reply, &doc, &err) != 0)
		return mt_cli_fail(&err);
	if (!json_is_true(json_object_get(doc, "dry_run"))) {
		json_decref(doc);
		mt_err_set(&err, MT_EPROTO,
			   "%s does not know dry runs: it may have done what "
			   "was asked",
			   reply->base);
		return mt_cli_fail(&err);
	}
	print_table(doc);
	if (json_is_true(json_object_get(doc, "forced")))
		printf("There is no leader: how far the candidate is behind "
		       "does not count, and what it lacks is lost\n");
	winner = mt_text_of(doc, "winner");
	refused = mt_text_of(doc, "refused");
	candidate = mt_text_of(doc, "candidate");
	if (json_is_true(json_object_get(doc, "instead")))
		printf("\"%s\" would become the primary instead of \"%s\"",
		       winner, candidate);
	else if (winner[0] != '\0')
		printf("\"%s\" would become the primary", winner);
	else
		printf("Nothing would happen: %s",
		       refused[0] != '\0' ? refused
					  : "nobody can become the primary");
	if (winner[0] != '\0')
		status = MT_EXIT_DONE;
	printf("; nothing was changed\n");
	json_decref(doc);
	return status;
}
