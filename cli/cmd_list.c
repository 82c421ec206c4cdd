/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch list and matriarch topology: the member table, once or again and
 * again. Watching goes on after a failure, as it is while nodes come and go
 * that people watch; once, a failure ends with status 1.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/members.h"

#define WATCH_S 2.0

struct options {
	enum mt_format format;
	unsigned flags;
	bool timestamp;
	double watch_s; /* 0: once */
};

static void
print_time(FILE *out)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[32];

	localtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(out, "%s\n", text);
}

static int
show(struct mt_cli *cli, const struct options *o, struct mt_err *err)
{
	struct mt_cluster c = {0};
	int rv = mt_cluster_fetch(cli->http, &c, err);

	if (rv == 0 && o->timestamp)
		print_time(stdout);
	if (rv == 0)
		mt_members_print(&c, o->format, o->flags, stdout);
	mt_cluster_release(&c);
	return rv;
}

static int
watch(struct mt_cli *cli, const struct options *o)
{
	struct timespec pause = {
	    .tv_sec = (time_t)o->watch_s,
	    .tv_nsec = (long)((o->watch_s - floor(o->watch_s)) * 1e9),
	};
	struct mt_err err;

	for (;;) {
		if (isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		if (show(cli, o, &err) != 0)
			mt_cli_fail(&err);
		if (fflush(stdout) != 0)
			return MT_EXIT_FAILED; /* whoever read is gone */
		nanosleep(&pause, NULL);
	}
}

/* Options of both verbs; 0, or negative for wrong use. */
static int
parse(struct options *o, const char *verb, bool is_list, int argc, char **argv)
{
	static const struct option all[] = {
	    {"extended", no_argument, NULL, 'e'},
	    {"timestamp", no_argument, NULL, 't'},
	    {"format", required_argument, NULL, 'f'},
	    {NULL, 0, NULL, 0},
	};
	struct mt_err err;
	char *end;
	int c;

	while ((c = getopt_long(argc, argv, is_list ? "etf:Ww:" : "Ww:",
				is_list ? all : all + 3, NULL)) != -1) {
		switch (c) {
		case 'e':
			o->flags |= MT_MEMBERS_EXTENDED;
			break;
		case 't':
			o->timestamp = true;
			break;
		case 'f':
			if (mt_format_parse(optarg, &o->format, &err) != 0) {
				mt_cli_usage(verb, err.text);
				return -1;
			}
			break;
		case 'W':
			o->watch_s = WATCH_S;
			break;
		case 'w':
			o->watch_s = strtod(optarg, &end);
			if (*end == '\0' && o->watch_s > 0 &&
			    o->watch_s < 86400)
				break;
			mt_cli_usage(verb, "-w wants a number of seconds "
					   "above 0");
			return -1;
		default:
			mt_cli_usage(verb, NULL);
			return -1;
		}
	}
	return 0;
}

static int
run(struct mt_cli *cli, struct options *o, bool is_list, int argc, char **argv)
{
	struct mt_err err;

	if (parse(o, argv[0], is_list, argc, argv) != 0)
		return MT_EXIT_USAGE;
	if (mt_cli_open_cluster(cli, argc - optind, argv + optind, &err) != 0)
		return mt_cli_fail(&err);
	if (o->watch_s > 0)
		return watch(cli, o);
	return show(cli, o, &err) == 0 ? MT_EXIT_DONE : mt_cli_fail(&err);
}

int
mt_cmd_list(struct mt_cli *cli, int argc, char **argv)
{
	struct options o = {0};

	return run(cli, &o, true, argc, argv);
}

int
mt_cmd_topology(struct mt_cli *cli, int argc, char **argv)
{
	struct options o = {.flags = MT_MEMBERS_TREE};

	return run(cli, &o, false, argc, argv);
}
