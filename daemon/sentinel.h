/* SPDX-License-Identifier: PostgreSQL */
/*
 * The sentinel's own life: fork or find the postmaster, then end it at the
 * deadline that the daemon keeps moving. See daemon/guard.h for the daemon's
 * side and daemon/sentinel_page.h for what both share.
 */
#ifndef MT_DAEMON_SENTINEL_H
#define MT_DAEMON_SENTINEL_H

#include <stdint.h>
#include <sys/types.h>

/* All borrowed for the call. */
struct mt_sentinel_options {
	const char *sock_path; /* where daemons attach */
	const char *log_path;  /* postmaster's output; NULL = inherited */
	const char *cwd;       /* postmaster's; NULL = inherited */
	char *const *argv;     /* postmaster's; NULL when watching */
	pid_t watch_pid;       /* > 0: this one instead of a new one */
	uint64_t watch_ticks;  /* its start time; 0 = do not compare */
	int64_t deadline_ms;   /* armed with it from the first; 0 = not */
	int conn_fd;           /* the starting daemon's socket; taken */
	const char *volume;    /* not a sentinel: mt_sentinel_volume() */
	int64_t every_ms;
};

/*
 * Returns the exit status: 0 after the postmaster and all of its children are
 * gone, 1 if nothing could be started (the reason went to conn_fd). The caller
 * is a process of one thread that holds no other descriptor above 2.
 */
int mt_sentinel_run(const struct mt_sentinel_options *options);

/* sentinel_volume.c: write and sync this file every so often, and a line to
 * standard output each time, until nobody reads that any more. */
int mt_sentinel_volume(const char *path, int64_t every_ms);

#endif
