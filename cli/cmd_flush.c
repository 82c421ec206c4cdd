/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch flush CLUSTER switchover: take back what was scheduled. Any living
 * node passes it on. That there is nothing to take back is no failure; that it
 * has begun meanwhile is one.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/members.h"

#define FLUSH_TIMEOUT_MS 30000

static int
flush_switchover(struct mt_cli *cli)
{
	struct mt_http_reply reply = {0};
	struct mt_cluster c = {0};
	struct mt_err err;
	bool is_scheduled;
	int status = MT_EXIT_DONE;

	if (mt_cluster_fetch(cli->http, &c, &err) != 0)
		return mt_cli_fail(&err);
	is_scheduled =
	    json_is_object(json_object_get(c.cluster, "scheduled_switchover"));
	mt_cluster_release(&c);
	if (!is_scheduled) {
		printf("No pending scheduled switchover\n");
		return MT_EXIT_DONE;
	}
	if (mt_http_delete(cli->http, "/switchover", FLUSH_TIMEOUT_MS, &reply,
			   &err) != 0)
		return mt_cli_fail(&err);
	if (reply.status == 200 || reply.status == 404) {
		printf("Success: %s\n", reply.body);
	} else {
		printf("Failed: %d, %s\n", reply.status, reply.body);
		status = MT_EXIT_FAILED;
	}
	mt_http_reply_release(&reply);
	return status;
}

int
mt_cmd_flush(struct mt_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
	    {"force", no_argument, NULL, 'F'},
	    {NULL, 0, NULL, 0},
	};
	struct mt_err err;
	int c;

	/* Nothing is asked, so --force changes nothing. */
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (c != 'F')
			return mt_cli_usage(argv[0], NULL);
	if (argc - optind != 2)
		return mt_cli_usage(argv[0],
				    "name the cluster and what to take back");
	if (strcmp(argv[optind + 1], "switchover") != 0)
		return mt_cli_usage(argv[0],
				    "only \"switchover\" can be taken back");
	if (mt_cli_open_cluster(cli, 1, argv + optind, &err) != 0)
		return mt_cli_fail(&err);
	return flush_switchover(cli);
}
