/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch forecast: what would happen if the primary died now, from
 * GET /forecast: who would follow, what could be lost, and for how long nobody
 * could write.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>

#include "cli/explain.h"

static void
outage(const json_t *o, const char *key, const char *what)
{
	printf("  %-34s about ", what);
	mt_explain_ms(json_integer_value(json_object_get(o, key)), stdout);
	putchar('\n');
}

static void
print(const json_t *f)
{
	const char *leader = mt_explain_text(f, "leader");
	const char *candidate = mt_explain_text(f, "candidate");
	const json_t *lost = json_object_get(f, "lost_bytes");
	const json_t *out = json_object_get(f, "outage");

	printf("If %s%s died now:\n",
	       leader[0] != '\0' ? "the primary, "
				 : "the primary (there is "
				   "none at the moment)",
	       leader);
	if (candidate[0] == '\0') {
		printf("  nobody could take over\n");
	} else {
		printf("  %s would take over\n", candidate);
		if (json_is_true(json_object_get(f, "synchronous")))
			printf("  with all that was acknowledged by the rules "
			       "of the synchronous mode\n");
		else if (json_is_integer(lost))
			printf("  %" JSON_INTEGER_FORMAT
			       " bytes of its log could be lost, as known "
			       "%" JSON_INTEGER_FORMAT " ms ago\n",
			       json_integer_value(lost),
			       json_integer_value(
				   json_object_get(f, "known_age_ms")));
		else
			printf("  what could be lost is not known\n");
		printf("\nNobody could write for\n");
		outage(out, "node_lost_ms", "its node lost without a word:");
		outage(out, "postgres_lost_ms", "PostgreSQL alone dead:");
		outage(out, "switchover_ms", "a switchover:");
		if (!json_is_true(json_object_get(out, "measured")))
			printf("  (no promotion has been measured yet)\n");
	}
	mt_explain_members(json_object_get(f, "members"), stdout);
}

int
mt_cmd_forecast(struct mt_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
	    {"format", required_argument, NULL, 'f'},
	    {NULL, 0, NULL, 0},
	};
	enum mt_format format = MT_FORMAT_PRETTY;
	struct mt_err err;
	json_t *forecast;
	int c;

	while ((c = getopt_long(argc, argv, "f:", options, NULL)) != -1) {
		if (c != 'f')
			return mt_cli_usage(argv[0], NULL);
		if (mt_format_parse(optarg, &format, &err) != 0)
			return mt_cli_usage(argv[0], err.text);
	}
	if (format == MT_FORMAT_TSV)
		return mt_cli_usage(argv[0], "a forecast is no table");
	if (argc - optind > 1)
		return mt_cli_usage(argv[0], "more than one cluster named");
	if (mt_cli_open_cluster(cli, argc - optind, argv + optind, &err) != 0 ||
	    mt_cli_get(cli->http, "/forecast", &forecast, &err) != 0)
		return mt_cli_fail(&err);
	if (format == MT_FORMAT_PRETTY)
		print(forecast);
	else
		mt_explain_data(forecast, format, stdout);
	json_decref(forecast);
	return MT_EXIT_DONE;
}
