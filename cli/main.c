/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch [-c FILE] [-k] VERB ...: the command line of a cluster.
 *
 * Parses what stands before the verb and hands over to it; each verb is one
 * cmd_*.c. Wrong use ends with status 2 and the usage line on standard error,
 * everything else that fails with status 1 and "Error: ...".
 */
#include "cli/cli.h"

#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config.h"

static int
complain(const char *complaint)
{
	if (complaint != NULL)
		fprintf(stderr, "matriarch: %s\n", complaint);
	fprintf(stderr, "usage: matriarch [-c FILE] [-k] VERB [ARGUMENT ...]; "
			"\"matriarch help\" lists the verbs\n");
	return MT_EXIT_USAGE;
}

static int
run_verb(struct mt_cli *cli, int argc, char **argv)
{
	char complaint[128];

	for (const struct mt_verb *v = mt_cli_verbs(); v->name != NULL; v++)
		if (strcmp(v->name, argv[0]) == 0) {
			optind = 0; /* glibc: start anew on this argv */
			return v->run(cli, argc, argv);
		}
	snprintf(complaint, sizeof(complaint), "there is no verb \"%s\"",
		 argv[0]);
	return complain(complaint);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"config-file", required_argument, NULL, 'c'},
	    {"insecure", no_argument, NULL, 'k'},
	    {"version", no_argument, NULL, 'V'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	struct mt_cli cli = {0};
	int c, status;

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN); /* a server that hangs up is an error code */
	/* The daemon warns of what is odd in its file; here it would only
	 * stand between the user and the table. */
	mt_log_set_level(MT_LOG_ERROR);
	while ((c = getopt_long(argc, argv, "+c:kVh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			cli.file = optarg;
			break;
		case 'k':
			cli.insecure = true;
			break;
		case 'V':
			printf("matriarch version %s\n", PACKAGE_VERSION);
			return MT_EXIT_DONE;
		case 'h':
			return mt_cmd_help(&cli, 1, NULL);
		default:
			return complain(NULL);
		}
	}
	if (optind >= argc)
		return complain("a verb is missing");
	status = run_verb(&cli, argc - optind, argv + optind);
	mt_http_free(cli.http);
	mt_conf_free(cli.conf);
	if (fflush(stdout) != 0 && status == MT_EXIT_DONE)
		status = MT_EXIT_FAILED;
	return status;
}
