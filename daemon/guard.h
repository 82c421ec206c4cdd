/* SPDX-License-Identifier: PostgreSQL */
/*
 * The daemon's side of the sentinel: start one with a new postmaster, or one
 * that watches a running postmaster, or attach to the one that is there; then
 * arm it again and again. One mt_guard belongs to one postmaster's life.
 *
 * The guard never blocks the loop, and leaves PostgreSQL alone: only the
 * sentinel ends it, at the deadline or by mt_guard_kill().
 */
#ifndef MT_DAEMON_GUARD_H
#define MT_DAEMON_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <uv.h>

#include "base/err.h"

struct mt_guard;

/* All are called on the loop's thread, never from inside a guard call, and
 * none after mt_guard_release(). Each may be NULL. A callback may release. */
struct mt_guard_events {
	/* Exactly once: err == NULL and the postmaster's pid once it has been
	 * executed (or attached to), or what went wrong. err is borrowed. After
	 * an error nothing else is called; only mt_guard_release is left. */
	void (*on_started)(void *arg, pid_t pid, const struct mt_err *err);

	/* The postmaster is gone, at once; its children may still be there. */
	void (*on_died)(void *arg);

	/* Once: the postmaster is gone and so is every child of it, as far as
	 * anybody can know. status is as waitpid gives it, or -1 where it is
	 * not known (foreign postmaster, sentinel lost before). */
	void (*on_exit)(void *arg, int status);

	/* Once: the sentinel died, or serves another daemon; why says which,
	 * borrowed. PostgreSQL, if ours, gets SIGQUIT from the kernel when its
	 * sentinel dies. A foreign one runs on unguarded: stop it, or start
	 * another guard with watch_pid. The postmaster is still watched and
	 * on_exit will come. */
	void (*on_sentinel_lost)(void *arg, const char *why);

	void *arg;
};

/* Everything is copied. */
struct mt_guard_options {
	const char *sentinel_path; /* NULL = mt_guard_find_sentinel() */
	const char *sock_path;     /* raft.data_dir/sentinel.sock, any length */
	char *const *argv;         /* postmaster's, [0] = its absolute path */
	const char *log_path;      /* its output, appended; NULL = ours */
	const char *cwd;           /* NULL = ours */
	int64_t deadline_ms;       /* armed before it starts; 0 = disarmed */
	pid_t watch_pid;           /* > 0: watch this one, argv is NULL */
	uint64_t watch_ticks;      /* its start time, /proc/PID/stat field 22;
				    * 0 = do not compare */
	pid_t grandparent_pid;     /* PG_GRANDPARENT_PID: a pid that a stale
				    * postmaster.pid names but that is no
				    * postmaster; 0 = this process */
	uint64_t timeout_ms;       /* bound for on_started; 0 = 5000 */
};

/*
 * Start a sentinel, and with it the postmaster unless it is to watch one. Its
 * environment is ours without what PostgreSQL must not see (our and Patroni's
 * settings, systemd's sockets, libpq's passwords and defaults). On an error
 * nothing has started and *guard is unchanged. If on_started reports an error
 * the sentinel has ended, or is ending, what it had started.
 * A living sentinel behind sock_path is an error: attach to that one.
 */
int mt_guard_start(struct mt_guard **guard, uv_loop_t *loop,
		   const struct mt_guard_options *options,
		   const struct mt_guard_events *events,
		   struct mt_err *err) MT_MUSTCHECK;

/*
 * Attach to the sentinel behind sock_path; whoever was attached is put off.
 * The page stays as it was: armed, if it was, with the old deadline.
 * MT_ENOENT: there is no sentinel (no socket, or nobody behind it).
 */
int mt_guard_attach(struct mt_guard **guard, uv_loop_t *loop,
		    const char *sock_path, const struct mt_guard_events *events,
		    struct mt_err *err) MT_MUSTCHECK;

/*
 * Let go: no callback after this but closed_cb (may be NULL), the last, after
 * which the memory is gone. The page stays as it is: armed if it was.
 * Released before on_started, a new postmaster is ended by its sentinel.
 */
void mt_guard_release(struct mt_guard *guard, void (*closed_cb)(void *arg),
		      void *arg);

/*
 * Set the deadline (mt_clock_ms) at which PostgreSQL is ended: lease end less
 * MT_SENTINEL_ALLOWANCE_MS. A store in memory: call it as often as you like.
 * MT_EREFUSED: not started yet, sentinel lost (PostgreSQL is then not sure to
 * end in time), fired or mt_guard_kill() called (it ends, or has ended).
 */
int mt_guard_arm(struct mt_guard *guard, int64_t deadline_ms) MT_MUSTCHECK;

/* No deadline from now on (standby, paused, fencing off). Errors as above. */
int mt_guard_disarm(struct mt_guard *guard) MT_MUSTCHECK;

/* End PostgreSQL now, as at a deadline: SIGQUIT, SIGKILL to all 100 ms later.
 * Without a sentinel the postmaster alone gets SIGKILL, a foreign one SIGQUIT.
 */
int mt_guard_kill(struct mt_guard *guard) MT_MUSTCHECK;

/* Send a signal to the postmaster. MT_ENOENT: it is gone. MT_ESYS. */
int mt_guard_signal(struct mt_guard *guard, int signo,
		    struct mt_err *err) MT_MUSTCHECK;

pid_t mt_guard_pid(const struct mt_guard *guard);      /* 0 = not started */
uint64_t mt_guard_ticks(const struct mt_guard *guard); /* its start time */
pid_t mt_guard_sentinel_pid(const struct mt_guard *guard);
bool mt_guard_is_alive(const struct mt_guard *guard);   /* postmaster */
bool mt_guard_is_guarded(const struct mt_guard *guard); /* sentinel lives
							 * and is ours */
bool mt_guard_is_armed(const struct mt_guard *guard);
int64_t mt_guard_deadline_ms(const struct mt_guard *guard); /* 0 = disarmed */
int64_t mt_guard_fired_ms(const struct mt_guard *guard);    /* 0 = never */
unsigned mt_guard_flags(const struct mt_guard *guard); /* mt_sentinel_flag */

/* The sentinel's program: beside our own executable, else in libexecdir. */
int mt_guard_find_sentinel(char *buf, size_t size,
			   struct mt_err *err) MT_MUSTCHECK;

#endif
