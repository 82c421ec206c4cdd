/* SPDX-License-Identifier: PostgreSQL */
/*
 * main() of matriarch-sentinel: reads the arguments that the daemon's guard
 * gave it, leaves the daemon (own session, no descriptor but 0, 1, 2 and the
 * daemon's socket), and lives in mt_sentinel_run().
 *
 * It forks once before anything else: the first process ends at once, so that
 * the daemon has no child to wait for and the sentinel no parent to lose.
 *
 * With --volume it is something else, a child of the daemon that watches the
 * data volume (sentinel_volume.c).
 *
 * It says what it did only after it has done it, and only if standard error
 * takes it: a log reader that hangs must not keep it from its deadline.
 *
 * It is no program for people: wrong arguments get one line and status 2.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/sentinel.h"

static void
log_unless_blocked(void *arg, enum mt_log_level level, const char *text)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
	char line[640];
	ssize_t written;
	int n;

	(void)arg;
	(void)level;
	n = snprintf(line, sizeof(line), "matriarch-sentinel[%ld]: %s\n",
		     (long)getpid(), text);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(line))
		n = (int)sizeof(line) - 1;
	if (poll(&out, 1, 0) != 1 || (out.revents & POLLOUT) == 0)
		return;
	written = write(STDERR_FILENO, line, (size_t)n);
	(void)written; /* nobody is left to be told */
}

static int
parse_number(const char *text, long long least, long long *value)
{
	char *end;

	errno = 0;
	*value = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *value < least)
		return MT_EINVAL;
	return 0;
}

static int
parse_args(int argc, char **argv, struct mt_sentinel_options *o)
{
	static const struct option names[] = {
	    {"socket", required_argument, NULL, 's'},
	    {"log", required_argument, NULL, 'l'},
	    {"cwd", required_argument, NULL, 'c'},
	    {"fd", required_argument, NULL, 'f'},
	    {"watch", required_argument, NULL, 'w'},
	    {"ticks", required_argument, NULL, 't'},
	    {"deadline", required_argument, NULL, 'd'},
	    {"volume", required_argument, NULL, 'v'},
	    {"every", required_argument, NULL, 'e'},
	    {NULL, 0, NULL, 0},
	};
	long long value = 0;
	int c;

	o->conn_fd = -1;
	while ((c = getopt_long(argc, argv, "+", names, NULL)) != -1) {
		if (strchr("fwtde", c) != NULL &&
		    parse_number(optarg, 0, &value) != 0)
			return MT_EINVAL;
		switch (c) {
		case 's':
			o->sock_path = optarg;
			break;
		case 'l':
			o->log_path = optarg;
			break;
		case 'c':
			o->cwd = optarg;
			break;
		case 'f':
			o->conn_fd = (int)value;
			break;
		case 'w':
			o->watch_pid = (pid_t)value;
			break;
		case 't':
			o->watch_ticks = (uint64_t)value;
			break;
		case 'd':
			o->deadline_ms = value;
			break;
		case 'v':
			o->volume = optarg;
			break;
		case 'e':
			o->every_ms = value;
			break;
		default:
			return MT_EINVAL;
		}
	}
	if (optind < argc)
		o->argv = argv + optind;
	if (o->volume != NULL)
		return o->every_ms > 0 ? 0 : MT_EINVAL;
	if (o->sock_path == NULL || o->conn_fd <= STDERR_FILENO ||
	    (o->argv == NULL) == (o->watch_pid <= 0))
		return MT_EINVAL;
	return 0;
}

/* Nothing of the daemon's may stay open here: a listening socket kept by a
 * sentinel would stop the next daemon from binding it. */
static void
close_all_but(int keep)
{
	if (keep > STDERR_FILENO + 1)
		(void)syscall(SYS_close_range, STDERR_FILENO + 1, keep - 1, 0);
	(void)syscall(SYS_close_range, keep + 1, UINT_MAX, 0);
}

int
main(int argc, char **argv)
{
	struct mt_sentinel_options options = {0};
	pid_t pid;

	if (parse_args(argc, argv, &options) != 0) {
		fprintf(stderr, "matriarch-sentinel: wrong arguments; "
				"matriarchd starts this program\n");
		return 2;
	}
	if (options.volume != NULL)
		return mt_sentinel_volume(options.volume, options.every_ms);
	mt_log_set_sink(log_unless_blocked, NULL);
	close_all_but(options.conn_fd);
	pid = fork();
	if (pid < 0) {
		mt_error("could not fork: %s", strerror(errno));
		return 1;
	}
	if (pid > 0)
		_exit(0);
	(void)setsid();
	return mt_sentinel_run(&options);
}
