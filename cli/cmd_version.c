/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch version: of this program; with a cluster's name also of each
 * member's daemon and PostgreSQL, asked of the members one by one. A member
 * that does not answer has a line that says so, and the status is 1.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/members.h"
#include "config.h"

/* 150020 is 15.20, 90624 is 9.6.24. */
static void
print_server_version(json_int_t number)
{
	if (number >= 100000)
		printf(" PostgreSQL %d.%d", (int)(number / 10000),
		       (int)(number % 10000));
	else if (number > 0)
		printf(" PostgreSQL %d.%d.%d", (int)(number / 10000),
		       (int)(number / 100 % 100), (int)(number % 100));
}

static int
ask(struct mt_cli *cli, const json_t *m)
{
	struct mt_http_reply reply = {0};
	json_t *doc = NULL;
	struct mt_err err;
	int rv;

	rv = mt_http_get_url(cli->http, mt_text_of(m, "api_url"),
			     MT_CLI_TIMEOUT_MS, &reply, &err);
	if (rv == 0)
		rv = mt_http_json(&reply, &doc, &err);
	if (rv == 0) {
		printf("%s: Matriarch %s", mt_text_of(m, "name"),
		       mt_text_of(json_object_get(doc, "patroni"), "version"));
		print_server_version(
		    json_integer_value(json_object_get(doc, "server_version")));
		putchar('\n');
	} else {
		printf("%s: failed to get the version: %s\n",
		       mt_text_of(m, "name"), err.text);
	}
	json_decref(doc);
	mt_http_reply_release(&reply);
	return rv;
}

static bool
is_named(const char *name, int n, char **names)
{
	for (int i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return n == 0;
}

static int
members(struct mt_cli *cli, int n, char **names)
{
	int status = MT_EXIT_DONE, found = 0;
	struct mt_cluster c = {0};
	struct mt_err err;
	json_t *m;
	size_t i;

	if (mt_cluster_fetch(cli->http, &c, &err) != 0)
		return mt_cli_fail(&err);
	putchar('\n');
	json_array_foreach (json_object_get(c.cluster, "members"), i, m) {
		if (!is_named(mt_text_of(m, "name"), n, names))
			continue;
		found++;
		if (ask(cli, m) != 0)
			status = MT_EXIT_FAILED;
	}
	mt_cluster_release(&c);
	if (found < n) {
		mt_err_set(&err, MT_ENOENT,
			   "%d of the %d names are no members of \"%s\"",
			   n - found, n, cli->conf->scope);
		return mt_cli_fail(&err);
	}
	return status;
}

int
mt_cmd_version(struct mt_cli *cli, int argc, char **argv)
{
	static const struct option none[] = {{NULL, 0, NULL, 0}};
	struct mt_err err;

	if (getopt_long(argc, argv, "", none, NULL) != -1)
		return mt_cli_usage(argv[0], NULL);
	printf("matriarch version %s\n", PACKAGE_VERSION);
	if (optind == argc)
		return MT_EXIT_DONE;
	if (mt_cli_open_cluster(cli, 1, argv + optind, &err) != 0)
		return mt_cli_fail(&err);
	return members(cli, argc - optind - 1, argv + optind + 1);
}
