/* SPDX-License-Identifier: PostgreSQL */
/*
 * Child programs: argument vectors, and one program run to its end on the loop.
 * The child leads a process group of its own, has a clean environment (no
 * PATRONI_*, MATRIARCH_*, PG*, NOTIFY_SOCKET, LISTEN_*; LC_ALL=C), standard
 * input from /dev/null unless one is given, every descriptor but 0 to 2 closed,
 * the limit of core dumps that the daemon was started with, and is killed by
 * the kernel when the thread that started it dies.
 */
#ifndef MT_PG_COMMAND_H
#define MT_PG_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>
#include <uv.h>

#include "base/err.h"

/* A vector of owned strings, v[n] is NULL. Zeroed is empty. */
struct mt_argv {
	char **v;
	size_t n, cap;
	bool bad; /* memory ran out: check once, at the end */
};

void mt_argv_add(struct mt_argv *a, const char *fmt, ...) MT_PRINTF(2, 3);
void mt_argv_free(struct mt_argv *a);

/*
 * A command line as a person writes it, cut into words as a shell would:
 * blanks divide, '...' and "..." and a backslash keep together; nothing is
 * expanded. The first is looked for in PATH where it is no path. MT_EINVAL: a
 * quote is not closed, or there is no word. MT_ENOENT: no such program.
 */
int mt_argv_add_words(struct mt_argv *a, const char *text,
		      struct mt_err *err) MT_MUSTCHECK;

/*
 * Options of a program as the configuration gives them: an array of "flag" or
 * {option: value} becomes --flag, --option=value. refused: names that must not
 * be given, NULL at the end; then MT_EINVAL names the first, or with skip it is
 * left out and the log says so. options may be NULL.
 */
int mt_argv_add_options(struct mt_argv *a, const json_t *options,
			const char *const *refused, bool skip,
			const char *program, struct mt_err *err) MT_MUSTCHECK;

#define MT_CHILD_TAIL_MAX 4096

struct mt_child_result {
	int exit_status; /* -1: ended by a signal, or not known */
	int signo;       /* 0: ended by itself */
	bool timed_out, canceled;
	const char *tail;  /* the last 4 kB of standard error, borrowed */
	struct mt_err err; /* code 0: exit status 0. Else program, why, and the
			    * last telling line of standard error */
};

struct mt_child;

/* All is copied; argv[0] is a path. */
struct mt_child_options {
	char *const *argv;
	char *const *env;   /* "NAME=value" added, NULL at the end; or NULL */
	const char *cwd;    /* NULL: ours */
	int input_fd;       /* its standard input, above 2; 0: /dev/null */
	bool keep_locale;   /* not LC_ALL=C but our own */
	int64_t timeout_ms; /* 0: none. Then as mt_child_cancel. */
	int death_signo;    /* sent by the kernel if we die; 0: SIGKILL */
	int cancel_signo;   /* 0: SIGTERM */
	/* One line without its end; ends at CR, too (progress). May be NULL. */
	void (*on_line)(void *arg, bool is_stderr, const char *line);
	/* Exactly once, last, never from inside mt_child_start: the program has
	 * ended and its output is read. The child is gone after it. */
	void (*on_exit)(void *arg, const struct mt_child_result *result);
	void *arg;
};

/* On an error nothing runs and *child is unchanged. */
int mt_child_start(struct mt_child **child, uv_loop_t *loop,
		   const struct mt_child_options *options,
		   struct mt_err *err) MT_MUSTCHECK;

/* To the child's group. */
void mt_child_signal(struct mt_child *child, int signo);
/* cancel_signo to the group, SIGKILL 3 s later; on_exit comes with canceled. */
void mt_child_cancel(struct mt_child *child);
pid_t mt_child_pid(const struct mt_child *child);

#endif
