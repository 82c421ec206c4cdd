/* SPDX-License-Identifier: PostgreSQL */
/*
 * Shared by guard*.c: what a guard is, what a sentinel is started with, and how
 * a running one is reached.
 */
#ifndef MT_DAEMON_GUARD_INTERNAL_H
#define MT_DAEMON_GUARD_INTERNAL_H

#include "base/err.h"
#include "daemon/guard.h"
#include "daemon/sentinel_page.h"

#define GUARD__CHILD_FD 3 /* the sentinel's end of the socket pair */
#define GUARD__NUMS 3

/* A descriptor that the loop watches; closed with its handle. */
struct guard__watched {
	uv_poll_t poll;
	struct mt_guard *guard;
	int fd;
	bool is_open; /* the handle is initialised and not closing */
};

struct mt_guard {
	uv_loop_t *loop;
	struct mt_guard_events events;
	struct guard__watched conn;   /* sentinel's socket */
	struct guard__watched self;   /* sentinel's pidfd */
	struct guard__watched master; /* postmaster's pidfd */
	uv_timer_t timer;
	uv_process_t process; /* the sentinel's first process, gone at once */
	bool has_process;
	unsigned handles;              /* not closed yet */
	struct mt_sentinel_page *page; /* NULL until HELLO */
	size_t page_bytes;
	uint64_t owner;
	uint64_t timeout_ms;
	bool failed; /* on_started got an error */
	bool died;   /* the postmaster */
	bool ended;  /* the sentinel said that all is over */
	bool lost;   /* the sentinel died or is another's */
	bool killed; /* by mt_guard_kill: no later deadline may undo it */
	bool exited; /* on_exit was called */
	bool released;
	void (*closed_cb)(void *arg);
	void *closed_arg;
};

/* Tell the sentinel, if it is there. */
void guard__send(struct mt_guard *g, enum mt_sentinel_kind kind);

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
