/* SPDX-License-Identifier: PostgreSQL */
/* matriarchd FILE: see matriarchd(8). */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#include "base/log.h"
#include "conf/conf.h"
#include "daemon/node.h"

static void
usage(FILE *to)
{
	fprintf(to, "usage: matriarchd FILE\n"
		    "       matriarchd --version\n");
}

int
main(int argc, char **argv)
{
	struct mt_conf *conf;
	struct mt_err err = {0};
	int status;

	mt_node_hold_signals(); /* from here on it ends in order */
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("matriarchd %s\n", PACKAGE_VERSION);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return 0;
	}
	if (argc != 2 || argv[1][0] == '-') {
		usage(stderr);
		return 2;
	}
	if (geteuid() == 0) {
		mt_critical("PostgreSQL does not run as root, and neither "
			    "does matriarchd: start it as the user that owns "
			    "the data directory (in a systemd unit: "
			    "User=postgres)");
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	if (mt_conf_load(&conf, argv[1], &err) != 0) {
		mt_critical("%s", err.text);
		return 1;
	}
	mt_info("matriarchd %s starts as \"%s\" of \"%s\"", PACKAGE_VERSION,
		conf->name, conf->scope);
	status = mt_node_run(conf, &err);
	if (status != 0)
		mt_critical("%s", err.text);
	else
		mt_info("ended");
	mt_conf_free(conf);
	return status;
}
