/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the files of the sentinel share.
 */
#ifndef MT_DAEMON_SENTINEL_INTERNAL_H
#define MT_DAEMON_SENTINEL_INTERNAL_H

#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "daemon/sentinel.h"
#include "daemon/sentinel_page.h"

#define CLIENTS_MAX 4 /* connected, but did not ask yet */

struct proc {
	pid_t pid;
	pid_t ppid;
	uint64_t ticks; /* its start, since boot */
	char state;
};

/* What poll() looks at; the clients follow. */
enum {
	P_SIGNAL,
	P_TIMER,
	P_EXEC,
	P_MASTER,
	P_LISTEN,
	P_CONN,
	P_CLIENT,
	P_MAX = P_CLIENT + CLIENTS_MAX
};

struct sentinel {
	const struct mt_sentinel_options *options;
	struct mt_sentinel_page *page;
	struct pollfd fds[P_MAX];
	int page_fd;
	int self_fd;           /* our own pidfd, for daemons */
	int master_fd;         /* the postmaster's pidfd; fds[] forgets it */
	int dir_fd;            /* of the socket */
	const char *sock_name; /* within dir_fd; NULL = not bound */
	DIR *proc;
	pid_t pid; /* ours */
	bool foreign;
	bool confirmed; /* a daemon knows that it has started */
	bool master_gone;
	int64_t act_ms;      /* next step of QUITTING, LINGERING, KILLING */
	int64_t sweep_ms;    /* pause between sweeps */
	uint64_t died_ticks; /* foreign: no orphan is younger than this */
	char exe[PATH_MAX];  /* foreign: what orphans are known by */
	char cwd[PATH_MAX];
};

static inline enum mt_sentinel_state
sentinel__state(const struct sentinel *s)
{
	return (enum mt_sentinel_state)atomic_load(&s->page->state);
}

static inline void
sentinel__set_state(struct sentinel *s, enum mt_sentinel_state next)
{
	atomic_store(&s->page->state, (uint32_t)next);
}

/* sentinel_proc.c. What the kernel knows of a process; MT_ENOENT: none. */
int sentinel__read_stat(int proc_fd, pid_t pid, struct proc *p);
/* Count PostgreSQL's living processes, and send each SIGKILL if so asked. */
unsigned sentinel__sweep(struct sentinel *s, bool by_force);

/* sentinel_start.c: in this order; what is open belongs to s. */
int sentinel__open_socket(struct sentinel *s, struct mt_err *err);
int sentinel__open_page(struct sentinel *s, struct mt_err *err);
int sentinel__open_kernel(struct sentinel *s, struct mt_err *err);
int sentinel__open_master(struct sentinel *s, struct mt_err *err);
void sentinel__harden(struct sentinel *s);

#endif
