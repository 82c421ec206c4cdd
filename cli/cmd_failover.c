/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch failover: this member is to be the primary, whether there is one
 * now or not. The dialogue and the deed are in change.c.
 */
#include <getopt.h>

#include "cli/change.h"

int
mt_cmd_failover(struct mt_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
	    {"candidate", required_argument, NULL, 'n'},
	    {"force", no_argument, NULL, 'F'},
	    {"accept-loss", no_argument, NULL, 'l'},
	    {"dry-run", no_argument, NULL, 'd'},
	    {NULL, 0, NULL, 0},
	};
	struct mt_change p = {.failover = true};
	struct mt_err err;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'n')
			p.candidate = optarg;
		else if (c == 'F')
			p.force = true;
		else if (c == 'l')
			p.accept_loss = true;
		else if (c == 'd')
			p.dry_run = true;
		else
			return mt_cli_usage(argv[0], NULL);
	}
	if (argc - optind > 1)
		return mt_cli_usage(argv[0], "more than one cluster named");
	if (mt_cli_open_cluster(cli, argc - optind, argv + optind, &err) != 0)
		return mt_cli_fail(&err);
	return mt_change_run(cli, &p);
}
