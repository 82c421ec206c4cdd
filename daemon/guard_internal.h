/* SPDX-License-Identifier: PostgreSQL */
/*
 * Between guard.c and guard_spawn.c: what a sentinel is started with, and how
 * a running one is reached.
 */
#ifndef MT_DAEMON_GUARD_INTERNAL_H
#define MT_DAEMON_GUARD_INTERNAL_H

#include "base/err.h"
#include "daemon/guard.h"

#define GUARD__CHILD_FD 3 /* the sentinel's end of the socket pair */
#define GUARD__NUMS 3

/* The environment for PostgreSQL: an array to free(), its strings are those of
 * environ, parent and arena ("NAME=value"; arena may be NULL), which must
 * outlive it. NULL: no memory. */
char **guard__make_env(char *parent, char *arena);

/* The sentinel's arguments: an array to free(), its strings are borrowed from
 * o, program and nums, which is filled here. NULL: no memory. */
char **guard__make_args(const struct mt_guard_options *o, char *program,
			char nums[GUARD__NUMS][32]);

/* Connect to a sentinel. Returns the socket, or a negative code: MT_ENOENT if
 * nobody is there. */
int guard__connect_socket(const char *path, struct mt_err *err);

#endif
