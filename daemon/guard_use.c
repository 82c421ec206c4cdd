/* SPDX-License-Identifier: PostgreSQL */
/*
 * A guard that stands: arming it is a store into the page that the sentinel
 * reads, and a word to it only where the deadline came nearer. The page and the
 * pidfd tell the rest.
 *
 * It kills nothing itself but in mt_guard_kill() without a sentinel.
 */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/guard_internal.h"

void
guard__send(struct mt_guard *g, enum mt_sentinel_kind kind)
{
	struct mt_sentinel_msg msg = {.magic = MT_SENTINEL_MAGIC,
				      .version = MT_SENTINEL_VERSION,
				      .kind = (uint16_t)kind};

	/* If it cannot be sent, the sentinel looks within a second anyhow, and
	 * a broken socket is noticed by the loop. */
	if (g->conn.is_open)
		(void)send(g->conn.fd, &msg, sizeof(msg),
			   MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool
mt_guard_is_guarded(const struct mt_guard *g)
{
	return g->page != NULL && !g->failed && !g->lost && !g->ended &&
	       atomic_load(&g->page->owner) == g->owner;
}

static bool
is_armable(const struct mt_guard *g)
{
	return mt_guard_is_guarded(g) && !g->killed &&
	       atomic_load(&g->page->fired_ms) == 0;
}

int
mt_guard_arm(struct mt_guard *g, int64_t deadline_ms)
{
	int64_t old_ms = INT64_MAX;

	if (!is_armable(g))
		return MT_EREFUSED;
	if (atomic_load(&g->page->armed) != 0)
		old_ms = atomic_load(&g->page->deadline_ms);
	atomic_store(&g->page->deadline_ms, deadline_ms);
	atomic_store(&g->page->armed, 1);
	if (deadline_ms < old_ms)
		guard__send(g, MT_SENTINEL_KICK);
	return 0;
}

int
mt_guard_disarm(struct mt_guard *g)
{
	if (!is_armable(g))
		return MT_EREFUSED;
	atomic_store(&g->page->armed, 0);
	return 0;
}

int
mt_guard_kill(struct mt_guard *g)
{
	/* The children of a foreign one die with no sentinel: the postmaster
	 * itself has to end them, which SIGKILL would keep it from. */
	if (!mt_guard_is_guarded(g))
		return mt_guard_signal(
		    g,
		    mt_guard_flags(g) & MT_SENTINEL_FOREIGN ? SIGQUIT : SIGKILL,
		    NULL);
	/* Refused means that it is at it already. */
	if (mt_guard_arm(g, mt_clock_ms()) == 0)
		guard__send(g, MT_SENTINEL_KICK);
	g->killed = true;
	return 0;
}

int
mt_guard_signal(struct mt_guard *g, int signo, struct mt_err *err)
{
	if (!mt_guard_is_alive(g))
		return mt_err_set(err, MT_ENOENT, "the postmaster is gone");
	if (syscall(SYS_pidfd_send_signal, g->master.fd, signo, NULL, 0) == 0)
		return 0;
	if (errno == ESRCH)
		return mt_err_set(err, MT_ENOENT, "the postmaster is gone");
	return mt_err_sys(err, errno, "could not send signal %d to process %ld",
			  signo, (long)g->page->postmaster_pid);
}

pid_t
mt_guard_pid(const struct mt_guard *g)
{
	return g->page != NULL ? g->page->postmaster_pid : 0;
}

uint64_t
mt_guard_ticks(const struct mt_guard *g)
{
	return g->page != NULL ? g->page->postmaster_ticks : 0;
}

pid_t
mt_guard_sentinel_pid(const struct mt_guard *g)
{
	return g->page != NULL ? g->page->sentinel_pid : 0;
}

bool
mt_guard_is_alive(const struct mt_guard *g)
{
	return g->master.is_open && !g->died;
}

bool
mt_guard_is_armed(const struct mt_guard *g)
{
	return mt_guard_is_guarded(g) && atomic_load(&g->page->armed) != 0;
}

int64_t
mt_guard_deadline_ms(const struct mt_guard *g)
{
	return mt_guard_is_armed(g) ? atomic_load(&g->page->deadline_ms) : 0;
}

int64_t
mt_guard_fired_ms(const struct mt_guard *g)
{
	return g->page != NULL ? atomic_load(&g->page->fired_ms) : 0;
}

unsigned
mt_guard_flags(const struct mt_guard *g)
{
	return g->page != NULL ? g->page->flags : 0;
}
