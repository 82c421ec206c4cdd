/* SPDX-License-Identifier: PostgreSQL */
/*
 * The table of verbs, and help, which prints it. A new verb is a row here, a
 * file cmd_VERB.c and a section in matriarch(1).
 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

int
mt_cmd_help(struct mt_cli *cli, int argc, char **argv)
{
	const struct mt_verb *v;

	(void)cli;
	for (v = mt_cli_verbs(); argc > 1 && v->name != NULL; v++)
		if (strcmp(v->name, argv[1]) == 0) {
			printf("usage: matriarch [-c FILE] %s\n\n%s.\n",
			       v->usage, v->help);
			return MT_EXIT_DONE;
		}
	if (argc > 1)
		return mt_cli_usage("help", "there is no such verb");
	printf("usage: matriarch [-c FILE] VERB [ARGUMENT ...]\n\n"
	       "  -c, --config-file FILE  the configuration of a node of the "
	       "cluster\n"
	       "                          (else $PATRONICTL_CONFIG_FILE, else\n"
	       "                          " MT_CLI_DEFAULT_FILE ")\n"
	       "  -V, --version           print the version\n"
	       "  -h, --help              print this\n\n"
	       "verbs:\n");
	for (v = mt_cli_verbs(); v->name != NULL; v++)
		printf("  %-11s %s\n", v->name, v->help);
	printf("\nmatriarch help VERB shows how a verb is written.\n");
	return MT_EXIT_DONE;
}

static const struct mt_verb verbs[] = {
    {"list", "list [CLUSTER] [-e] [-t] [-f FORMAT] [-W | -w SECONDS]",
     "Show the members of the cluster, their roles and their lag", mt_cmd_list},
    {"topology", "topology [CLUSTER] [-W | -w SECONDS]",
     "Show the members as a tree, replicas below whom they follow",
     mt_cmd_topology},
    {"switchover",
     "switchover [CLUSTER] [--leader NAME] [--candidate NAME] "
     "[--scheduled TIME] [--force] [--dry-run]",
     "Hand the primary's role to another member, in good order",
     mt_cmd_switchover},
    {"failover",
     "failover [CLUSTER] [--candidate NAME] [--accept-loss] [--force] "
     "[--dry-run]",
     "Make a member the primary, with or without a leader", mt_cmd_failover},
    {"flush",
     "flush CLUSTER [MEMBER ...] restart|switchover [-r ROLE] [--force]",
     "Take a scheduled restart or switchover back", mt_cmd_flush},
    {"pause", "pause [CLUSTER] [--wait]",
     "Suspend all automatic action until resume", mt_cmd_pause},
    {"resume", "resume [CLUSTER] [--wait]", "End the pause", mt_cmd_resume},
    {"show-config", "show-config [CLUSTER]",
     "Show the cluster's dynamic configuration", mt_cmd_show_config},
    {"edit-config",
     "edit-config [CLUSTER] [-q] [-s PATH=VALUE] [-p PARAMETER=VALUE] "
     "[--apply FILE] [--replace FILE] [--force]",
     "Change the cluster's dynamic configuration", mt_cmd_edit_config},
    {"config", "config explain [KEY] [-f FORMAT]",
     "Show what is in force on this member, and why", mt_cmd_config},
    {"reload", "reload CLUSTER [MEMBER ...] [-r ROLE] [--force]",
     "Have members read their own configuration again", mt_cmd_reload},
    {"restart",
     "restart CLUSTER [MEMBER ...] [-r ROLE] [--any] [--scheduled TIME] "
     "[--pg-version V] [--pending] [--timeout T] [--force]",
     "Restart the PostgreSQL of members, now or later", mt_cmd_restart},
    {"reinit", "reinit CLUSTER [MEMBER ...] [--force] [--from-leader] [--wait]",
     "Throw a replica's data away, and clone it anew", mt_cmd_reinit},
    {"history", "history [CLUSTER] [-f FORMAT]",
     "Show when the primary changed, and why", mt_cmd_history},
    {"why", "why [N] [-f FORMAT]",
     "Explain the last decision about the primary, or number N", mt_cmd_why},
    {"forecast", "forecast [CLUSTER] [-f FORMAT]",
     "Show what would happen if the primary died now", mt_cmd_forecast},
    {"haproxy",
     "haproxy [CLUSTER] [--bind ADDRESS] [--primary-port PORT] "
     "[--replica-port PORT] [--stats-port PORT] [--lag SIZE] [--ca-file FILE] "
     "[--crt FILE]",
     "Print HAProxy's configuration for the cluster", mt_cmd_haproxy},
    {"pgbouncer",
     "pgbouncer [CLUSTER] [-d DATABASE ...] [--host HOST] "
     "[--primary-port PORT] [--replica-port PORT] [--direct] "
     "[--listen-port PORT] [--auth-file FILE]",
     "Print PgBouncer's configuration for the cluster", mt_cmd_pgbouncer},
    {"version", "version [CLUSTER [MEMBER ...]]",
     "Show the version of this program, or of the members", mt_cmd_version},
    {"demo", "demo [--nodes N] [--dir DIR] [--base-port P] [--tour] [--keep]",
     "Start a cluster on this machine, to look at", mt_cmd_demo},
    {"help", "help [VERB]", "Show this list, or how a verb is written",
     mt_cmd_help},
    {NULL, NULL, NULL, NULL},
};

const struct mt_verb *
mt_cli_verbs(void)
{
	return verbs;
}
