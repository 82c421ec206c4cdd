/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch why [N]: a decision about the primary in plain words: what was seen
 * of each member, who could have become primary and who could not and why, and
 * how long each phase took. Without a number it is the newest.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/explain.h"

/* *decision is the caller's. */
static int
get(struct mt_cli *cli, const char *which, json_t **decision,
    struct mt_err *err)
{
	char path[64];
	json_t *list;
	int rv;

	if (which != NULL) {
		mt_format(path, sizeof(path), "/decisions/%s", which);
		return mt_cli_get(cli->http, path, decision, err);
	}
	rv = mt_cli_get(cli->http, "/decisions?limit=1", &list, err);
	if (rv != 0)
		return rv;
	*decision = json_incref(json_array_get(list, 0));
	json_decref(list);
	if (*decision == NULL)
		return mt_err_set(err, MT_ENOENT,
				  "nothing has been decided yet");
	return 0;
}

int
mt_cmd_why(struct mt_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
	    {"format", required_argument, NULL, 'f'},
	    {NULL, 0, NULL, 0},
	};
	enum mt_format format = MT_FORMAT_PRETTY;
	const char *which = NULL;
	struct mt_err err;
	json_t *decision;
	int c;

	while ((c = getopt_long(argc, argv, "f:", options, NULL)) != -1) {
		if (c != 'f')
			return mt_cli_usage(argv[0], NULL);
		if (mt_format_parse(optarg, &format, &err) != 0)
			return mt_cli_usage(argv[0], err.text);
	}
	if (format == MT_FORMAT_TSV)
		return mt_cli_usage(argv[0], "a decision is no table");
	if (argc - optind > 1)
		return mt_cli_usage(argv[0], "more than one decision named");
	if (optind < argc)
		which = argv[optind];
	if (which != NULL && (which[strspn(which, "0123456789")] != '\0' ||
			      which[0] == '\0' || strlen(which) > 18))
		return mt_cli_usage(argv[0], "N is the number of a decision");
	if (mt_cli_open_cluster(cli, 0, NULL, &err) != 0 ||
	    get(cli, which, &decision, &err) != 0)
		return mt_cli_fail(&err);
	if (format == MT_FORMAT_PRETTY)
		mt_explain_decision(decision, stdout);
	else
		mt_explain_data(decision, format, stdout);
	json_decref(decision);
	return MT_EXIT_DONE;
}
