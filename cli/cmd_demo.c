/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch demo: from nothing to a running cluster on this machine, and to
 * nothing again.
 *
 * Without --tour it shows the cluster and how to connect, and runs until
 * SIGINT or SIGTERM; with it, it tells its story (demo_tour.c) and ends. Either
 * way, and after any failure, all processes are ended and the directory is
 * removed, unless --keep. After a failure the logs are shown and stay on disk.
 * A second signal does not wait for PostgreSQL's clean end.
 */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/demo.h"

#define N_NODES 3
#define TOUR_NODES_MIN 3
#define LOOK_MS 500
#define RESTART_AFTER_MS 10000

static volatile sig_atomic_t interrupted;

static void
on_signal(int signo)
{
	(void)signo;
	interrupted++;
}

int
mt_demo_interrupted(void)
{
	return interrupted;
}

int
mt_demo_pause(struct mt_demo *d, int64_t ms, struct mt_err *err)
{
	struct timespec t = {.tv_sec = (time_t)(ms / 1000),
			     .tv_nsec = (long)(ms % 1000) * 1000000};

	if (interrupted == 0)
		nanosleep(&t, NULL);
	if (interrupted != 0)
		return mt_err_set(err, MT_ECANCELED, "interrupted");
	return mt_demo_reap(d, err);
}

void
mt_demo_say(const struct mt_demo *d, const char *fmt, ...)
{
	va_list ap;

	printf("[%7.3f s] ", (double)(mt_clock_ms() - d->start_ms) / 1000);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static int
parse_int(const char *text, int low, int high, int *value)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || v < low || v > high)
		return -1;
	*value = (int)v;
	return 0;
}

/* 0, or the complaint. */
static const char *
parse(struct mt_demo *d, int argc, char **argv, bool *is_usage)
{
	static const struct option options[] = {
	    {"nodes", required_argument, NULL, 'n'},
	    {"dir", required_argument, NULL, 'd'},
	    {"base-port", required_argument, NULL, 'p'},
	    {"tour", no_argument, NULL, 't'},
	    {"keep", no_argument, NULL, 'k'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'n' &&
		    parse_int(optarg, 1, MT_DEMO_NODES_MAX, &d->n) != 0)
			return "--nodes wants a number from 1 to 9";
		if (c == 'p' &&
		    parse_int(optarg, 1024, 65000, &d->base_port) != 0)
			return "--base-port wants a number from 1024 to 65000";
		if (c == 'd')
			d->wanted_dir = optarg;
		else if (c == 't')
			d->tour = true;
		else if (c == 'k')
			d->keep = true;
		else if (c == '?')
			*is_usage = true;
	}
	if (optind < argc)
		return "it takes no arguments but its options";
	if (d->tour && d->n < TOUR_NODES_MIN)
		return "--tour kills a node, and a cluster of fewer than 3 "
		       "does not survive that; leave --nodes out";
	return NULL;
}

static void
print_guide(const struct mt_demo *d)
{
	printf("node    PostgreSQL  REST API  Raft   directory\n");
	for (int i = 0; i < d->n; i++) {
		const struct mt_demo_node *n = &d->nodes[i];

		printf("%-7s %10d  %8d  %5d  %s\n", n->name, n->pg_port,
		       n->api_port, n->raft_port, n->dir);
	}
	printf("\nConnect to whoever is the primary:\n"
	       "  PGPASSFILE=%s/pgpass psql \"host=%s port=%s user=postgres "
	       "dbname=postgres target_session_attrs=read-write\"\n",
	       d->dir, d->hosts, d->ports);
	printf("Look, from another terminal:\n"
	       "  %s -c %s list\n"
	       "  curl -s http://127.0.0.1:%d/cluster\n",
	       d->self, d->nodes[0].conf, d->nodes[0].api_port);
	if (d->n > 1)
		printf("Hand over:\n"
		       "  %s -c %s switchover\n",
		       d->self, d->nodes[0].conf);
	printf("\nCtrl-C ends it all%s.\n",
	       d->keep ? "; the files stay" : " and removes the files");
	fflush(stdout);
}

/* People may kill daemons to see what happens: say so, and after a while do
 * as systemd would. */
static int
look_after(struct mt_demo *d, struct mt_err *err)
{
	int rv = 0;

	for (int i = 0; rv == 0 && i < d->n; i++) {
		struct mt_demo_node *n = &d->nodes[i];

		if (n->pid != 0 ||
		    mt_clock_ms() - n->ended_ms < RESTART_AFTER_MS)
			continue;
		mt_demo_say(d, "starting matriarchd of %s again", n->name);
		rv = mt_demo_start(d, n, err);
	}
	return rv;
}

static int
show_and_wait(struct mt_demo *d, struct mt_err *err)
{
	int rv = mt_demo_wait_healthy(d, NULL, NULL, d->n - 1, err);

	if (rv == 0)
		rv = mt_demo_print_table(d, err);
	if (rv != 0)
		return rv;
	print_guide(d);
	while (rv == 0) {
		rv = mt_demo_pause(d, LOOK_MS, err);
		if (rv == MT_EPROTO) { /* a daemon ended */
			mt_demo_say(d, "%s", err->text);
			rv = 0;
		}
		if (rv == 0)
			rv = look_after(d, err);
	}
	/* The signal is how it is meant to end. */
	return rv == MT_ECANCELED ? 0 : rv;
}

static int
run(struct mt_demo *d, struct mt_err *err)
{
	int rv = mt_demo_place(d, err);

	if (rv == 0)
		rv = mt_demo_configure(d, err);
	if (rv != 0)
		return rv;
	mt_demo_say(d, "starting %d node%s in %s%s%s", d->n,
		    d->n == 1 ? "" : "s", d->dir,
		    d->user[0] != '\0' ? " as user " : "", d->user);
	for (int i = 0; rv == 0 && i < d->n; i++)
		rv = mt_demo_start(d, &d->nodes[i], err);
	if (rv != 0)
		return rv;
	return d->tour ? mt_demo_tour(d, err) : show_and_wait(d, err);
}

/* Everything ends; files go, stay, or go but for the logs. */
static void
end(struct mt_demo *d, bool failed)
{
	if (d->dir[0] == '\0')
		return;
	if (failed)
		mt_demo_show_logs(d);
	mt_demo_stop(d);
	if (d->keep) {
		printf("files are in %s\n", d->dir);
		return;
	}
	mt_demo_remove(d, failed);
	if (failed)
		fprintf(stderr, "\nThe logs are kept below %s\n", d->dir);
}

int
mt_cmd_demo(struct mt_cli *cli, int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal};
	struct mt_demo *d;
	struct mt_err err = {0};
	const char *complaint;
	bool is_usage = false;
	int rv;

	(void)cli;
	d = calloc(1, sizeof(*d));
	MT_ASSERT(d != NULL);
	d->n = N_NODES;
	d->start_ms = mt_clock_ms();
	complaint = parse(d, argc, argv, &is_usage);
	if (complaint != NULL || is_usage) {
		free(d);
		return mt_cli_usage(argv[0], complaint);
	}
	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	rv = run(d, &err);
	if (rv != 0)
		mt_cli_fail(&err);
	end(d, rv != 0 && rv != MT_ECANCELED);
	mt_http_free(d->http);
	free(d);
	return rv == 0 ? MT_EXIT_DONE : MT_EXIT_FAILED;
}
