/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch history: one row for each timeline that ended, from GET /history,
 * whose entries are arrays of three to five values. What is missing at an
 * entry's end is an empty cell, and in JSON and YAML an empty string.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>

#include "cli/table.h"

static void
print(const json_t *history, enum mt_format format)
{
	static const char *const titles[] = {"TL", "LSN", "Reason", "Timestamp",
					     "New Leader"};
	struct mt_table t;
	json_t *entry;
	size_t i;

	mt_table_init(&t);
	for (size_t k = 0; k < 5; k++)
		mt_table_column(&t, titles[k], NULL,
				k < 2 ? MT_COLUMN_RIGHT : 0);
	json_array_foreach (history, i, entry) {
		mt_table_row(&t);
		for (size_t k = 0; k < 5; k++) {
			json_t *v = json_array_get(entry, k);

			if (v == NULL || json_is_null(v))
				mt_table_put(&t, json_string(""));
			else
				mt_table_put(&t, json_incref(v));
		}
	}
	mt_table_print(&t, format, stdout);
	mt_table_release(&t);
}

int
mt_cmd_history(struct mt_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
	    {"format", required_argument, NULL, 'f'},
	    {NULL, 0, NULL, 0},
	};
	enum mt_format format = MT_FORMAT_PRETTY;
	struct mt_err err;
	json_t *history;
	int c;

	while ((c = getopt_long(argc, argv, "f:", options, NULL)) != -1) {
		if (c != 'f')
			return mt_cli_usage(argv[0], NULL);
		if (mt_format_parse(optarg, &format, &err) != 0)
			return mt_cli_usage(argv[0], err.text);
	}
	if (argc - optind > 1)
		return mt_cli_usage(argv[0], "more than one cluster named");
	if (mt_cli_open_cluster(cli, argc - optind, argv + optind, &err) != 0)
		return mt_cli_fail(&err);
	if (mt_cli_get(cli->http, "/history", &history, &err) != 0)
		return mt_cli_fail(&err);
	if (json_is_array(history)) {
		print(history, format);
		json_decref(history);
		return MT_EXIT_DONE;
	}
	json_decref(history);
	mt_err_set(&err, MT_EPROTO,
		   "the answer to \"/history\" is no list; is this a Matriarch "
		   "node's restapi address?");
	return mt_cli_fail(&err);
}
