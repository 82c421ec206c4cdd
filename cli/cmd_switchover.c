/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch switchover: the primary hands over in good order, now or at a time.
 * The dialogue and the deed are in change.c.
 */
#include <getopt.h>

#include "cli/change.h"

int
mt_cmd_switchover(struct mt_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
	    {"leader", required_argument, NULL, 'l'},
	    {"primary", required_argument, NULL, 'l'},
	    {"candidate", required_argument, NULL, 'n'},
	    {"scheduled", required_argument, NULL, 's'},
	    {"force", no_argument, NULL, 'F'},
	    {"dry-run", no_argument, NULL, 'd'},
	    {NULL, 0, NULL, 0},
	};
	struct mt_change p = {0};
	struct mt_err err;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'l')
			p.leader = optarg;
		else if (c == 'n')
			p.candidate = optarg;
		else if (c == 's')
			p.scheduled = optarg;
		else if (c == 'F')
			p.force = true;
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
