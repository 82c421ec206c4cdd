/* SPDX-License-Identifier: PostgreSQL */
/*
 * The sentinel: ends PostgreSQL when the daemon no longer moves the deadline.
 *
 * Happy path: bind the socket, make the page, fork the postmaster, say HELLO
 * to the daemon, sleep for 90 % of what is left until the deadline, look again.
 * When the postmaster ends by itself and no child of it is left: note its
 * status, remove the socket, say so, leave.
 *
 * Deadline over: SIGQUIT to the postmaster; MT_SENTINEL_QUIT_MS later SIGKILL
 * to all of its descendants, again and again until none is left. They are
 * found by walking /proc: backends call setsid(), so that no group kill would
 * reach them, and being a subreaper makes orphans our own children. A backend
 * whose postmaster was killed can still commit, so a postmaster that ended
 * badly takes its children along at once.
 *
 * A foreign postmaster (one that we did not start) is watched by a pidfd; its
 * orphans go elsewhere, and are known by their program and working directory.
 *
 * If the daemon dies, nothing happens until the deadline. If the sentinel is
 * killed, the kernel sends the postmaster SIGQUIT (PR_SET_PDEATHSIG).
 *
 * Everything here is one thread and one poll(); nothing touches a disk between
 * the start and the end of PostgreSQL, and nothing allocates.
 * It does not judge: whether PostgreSQL may run is the daemon's business.
 */
#include "daemon/sentinel_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define SLEEP_MAX_MS 1000 /* in case a KICK was lost */
#define SWEEP_MS 5        /* between two rounds of SIGKILL */
#define SWEEP_MAX_MS 500  /* the same, when one hangs in the kernel */

/* ---- the end of PostgreSQL ---- */

static void
begin_killing(struct sentinel *s)
{
	sentinel__set_state(s, MT_SENTINEL_KILLING);
	s->sweep_ms = SWEEP_MS;
	s->act_ms = 0;
}

static void
fire(struct sentinel *s, int64_t now_ms)
{
	atomic_store(&s->page->fired_wall_ms, mt_wall_ms());
	atomic_store(&s->page->fired_ms, now_ms);
	if (s->master_gone || sentinel__state(s) == MT_SENTINEL_LINGERING) {
		begin_killing(s);
		return;
	}
	(void)syscall(SYS_pidfd_send_signal, s->master_fd, SIGQUIT, NULL, 0);
	sentinel__set_state(s, MT_SENTINEL_QUITTING);
	s->act_ms = now_ms + MT_SENTINEL_QUIT_MS;
}

/* status is as waitpid gives it, or unknown. */
static void
master_ended(struct sentinel *s, int status)
{
	if (s->master_gone)
		return;
	s->master_gone = true;
	atomic_store(&s->page->exit_status, status);
	s->fds[P_MASTER].fd = -1;
	/* Only status 0 promises that no child is still at work. */
	if (status == 0 && sentinel__state(s) != MT_SENTINEL_QUITTING &&
	    sentinel__state(s) != MT_SENTINEL_KILLING) {
		sentinel__set_state(s, MT_SENTINEL_LINGERING);
		s->act_ms = mt_clock_ms() + MT_SENTINEL_LINGER_MS;
	} else {
		begin_killing(s);
	}
}

static void
reap(struct sentinel *s)
{
	struct signalfd_siginfo info[16];
	int status;
	pid_t pid;

	while (read(s->fds[P_SIGNAL].fd, info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (!s->foreign && pid == s->page->postmaster_pid)
			master_ended(s, status);
	}
}

static void
foreign_ended(struct sentinel *s)
{
	struct timespec t;
	long hz = sysconf(_SC_CLK_TCK);

	/* Process start times count from boot, suspend included. */
	clock_gettime(CLOCK_BOOTTIME, &t);
	s->died_ticks = (uint64_t)t.tv_sec * (uint64_t)hz +
			(uint64_t)t.tv_nsec * (uint64_t)hz / 1000000000u;
	master_ended(s, MT_SENTINEL_STATUS_UNKNOWN);
}

/* One step of what is due. Returns how long to sleep, in ms; -1 = all over. */
static int64_t
step(struct sentinel *s)
{
	int64_t now_ms = mt_clock_ms(), left_ms = SLEEP_MAX_MS;

	if (atomic_load(&s->page->fired_ms) == 0 &&
	    atomic_load(&s->page->armed) != 0) {
		left_ms = atomic_load(&s->page->deadline_ms) - now_ms;
		if (left_ms <= 0)
			fire(s, now_ms);
		/* The timer's clock may be slewed by up to 8.3 %. */
		left_ms -= left_ms / 10;
		if (left_ms > SLEEP_MAX_MS)
			left_ms = SLEEP_MAX_MS;
	}
	switch (sentinel__state(s)) {
	case MT_SENTINEL_STARTING:
	case MT_SENTINEL_WATCHING:
	case MT_SENTINEL_ENDED:
		return left_ms;
	case MT_SENTINEL_QUITTING:
		if (now_ms < s->act_ms)
			return s->act_ms - now_ms;
		begin_killing(s);
		break;
	case MT_SENTINEL_LINGERING:
		if (sentinel__sweep(s, false) == 0)
			return -1;
		if (now_ms < s->act_ms)
			return left_ms < 20 ? left_ms : 20;
		begin_killing(s);
		break;
	case MT_SENTINEL_KILLING:
		break;
	}
	if (now_ms < s->act_ms)
		return s->act_ms - now_ms;
	if (sentinel__sweep(s, true) == 0 && s->master_gone)
		return -1;
	left_ms = s->sweep_ms;
	s->act_ms = now_ms + left_ms;
	if (s->sweep_ms < SWEEP_MAX_MS)
		s->sweep_ms *= 2;
	return left_ms;
}

/* ---- daemons ---- */

static void
drop(struct sentinel *s, int which)
{
	if (s->fds[which].fd >= 0)
		close(s->fds[which].fd);
	s->fds[which].fd = -1;
}

static int
send_msg(struct sentinel *s, enum mt_sentinel_kind kind, const char *text)
{
	struct mt_sentinel_msg msg = {.magic = MT_SENTINEL_MAGIC,
				      .version = MT_SENTINEL_VERSION,
				      .kind = (uint16_t)kind,
				      .owner = atomic_load(&s->page->owner)};
	int fds[MT_SENTINEL_FDS] = {s->page_fd, s->self_fd, s->master_fd};
	union {
		char space[CMSG_SPACE(sizeof(fds))];
		struct cmsghdr align;
	} control = {{0}};
	struct iovec iov = {.iov_base = &msg, .iov_len = sizeof(msg)};
	struct msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (text != NULL)
		snprintf(msg.text, sizeof(msg.text), "%s", text);
	if (kind == MT_SENTINEL_HELLO) {
		hdr.msg_control = control.space;
		hdr.msg_controllen = sizeof(control.space);
		c = CMSG_FIRSTHDR(&hdr);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fds));
		memcpy(CMSG_DATA(c), fds, sizeof(fds));
	}
	if (sendmsg(s->fds[P_CONN].fd, &hdr, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return MT_ESYS;
	return 0;
}

/* An own postmaster that no daemon has heard of must not stay: nobody would
 * ever arm it. */
static void
lost_daemon(struct sentinel *s)
{
	drop(s, P_CONN);
	if (!s->confirmed && !s->foreign &&
	    atomic_load(&s->page->fired_ms) == 0)
		fire(s, mt_clock_ms());
}

static void
attach(struct sentinel *s, int which)
{
	if (sentinel__state(s) == MT_SENTINEL_STARTING) {
		drop(s, which); /* its own daemon comes first */
		return;
	}
	drop(s, P_CONN);
	s->fds[P_CONN].fd = s->fds[which].fd;
	s->fds[which].fd = -1;
	atomic_fetch_add(&s->page->owner, 1);
	s->confirmed = true;
	if (send_msg(s, MT_SENTINEL_HELLO, NULL) != 0)
		lost_daemon(s);
}

static void
read_daemon(struct sentinel *s, int which)
{
	struct mt_sentinel_msg msg;
	ssize_t n = recv(s->fds[which].fd, &msg, sizeof(msg), MSG_DONTWAIT);
	bool is_ours = n == sizeof(msg) && msg.magic == MT_SENTINEL_MAGIC;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (is_ours && which == P_CONN) {
		s->confirmed = true; /* a KICK: step() looks at the page */
	} else if (is_ours && msg.kind == MT_SENTINEL_ATTACH) {
		attach(s, which);
	} else if (which == P_CONN) {
		lost_daemon(s);
	} else {
		drop(s, which);
	}
}

static void
accept_daemon(struct sentinel *s)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int i, fd = accept4(s->fds[P_LISTEN].fd, NULL, NULL,
			    SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
	    peer.uid != geteuid()) {
		close(fd);
		return;
	}
	for (i = P_CLIENT; i < P_MAX - 1 && s->fds[i].fd >= 0; i++)
		;
	drop(s, i); /* all taken: the last has been silent long enough */
	s->fds[i].fd = fd;
}

static void
started(struct sentinel *s)
{
	sentinel__set_state(s, MT_SENTINEL_WATCHING);
	if (send_msg(s, MT_SENTINEL_HELLO, NULL) != 0)
		lost_daemon(s);
}

/* The exec has happened (end of file), or its errno has come. Returns false
 * when it failed. */
static bool
read_exec(struct sentinel *s)
{
	struct mt_err err = {0};
	int code = 0;
	ssize_t n = read(s->fds[P_EXEC].fd, &code, sizeof(code));

	drop(s, P_EXEC);
	if (n != sizeof(code)) {
		if (sentinel__state(s) == MT_SENTINEL_STARTING)
			started(s);
		return true;
	}
	mt_err_sys(&err, code, "could not execute \"%s\"", s->options->argv[0]);
	(void)send_msg(s, MT_SENTINEL_FAILED, err.text);
	return false;
}

/* ---- the whole ---- */

static void
remove_socket(struct sentinel *s)
{
	if (s->sock_name != NULL)
		(void)unlinkat(s->dir_fd, s->sock_name, 0);
	s->sock_name = NULL;
}

/* Only now is a disk touched again: the socket goes first, so that a new
 * sentinel's, started on our OVER, is not what we remove. */
static void
finish(struct sentinel *s)
{
	atomic_store(&s->page->ended_ms, mt_clock_ms());
	sentinel__set_state(s, MT_SENTINEL_ENDED);
	remove_socket(s);
	(void)send_msg(s, MT_SENTINEL_OVER, NULL);
	if (atomic_load(&s->page->fired_ms) != 0)
		mt_warn("deadline was over: postmaster %ld ended within "
			"%" PRId64 " ms, %u SIGKILLs sent",
			(long)s->page->postmaster_pid,
			s->page->ended_ms - s->page->fired_ms, s->page->killed);
}

static void
sleep_until_event(struct sentinel *s, int64_t sleep_ms)
{
	struct itimerspec t = {0};
	uint64_t times;
	ssize_t n;

	if (sleep_ms < 1)
		sleep_ms = 1;
	t.it_value.tv_sec = sleep_ms / 1000;
	t.it_value.tv_nsec = sleep_ms % 1000 * 1000000;
	(void)timerfd_settime(s->fds[P_TIMER].fd, 0, &t, NULL);
	if (poll(s->fds, P_MAX, -1) < 0) {
		for (int i = 0; i < P_MAX; i++)
			s->fds[i].revents = 0;
	}
	n = read(s->fds[P_TIMER].fd, &times, sizeof(times));
	(void)n;
}

static int
watch(struct sentinel *s)
{
	int64_t sleep_ms;
	int i;

	while ((sleep_ms = step(s)) >= 0) {
		sleep_until_event(s, sleep_ms);
		/* Before the SIGCHLD of the child whose exec failed. */
		if (s->fds[P_EXEC].fd >= 0 && s->fds[P_EXEC].revents != 0 &&
		    !read_exec(s))
			return 1;
		if (s->fds[P_SIGNAL].revents != 0)
			reap(s);
		if (s->fds[P_MASTER].fd >= 0 && s->fds[P_MASTER].revents != 0)
			foreign_ended(s);
		for (i = P_CONN; i < P_MAX; i++) {
			if (s->fds[i].fd >= 0 && s->fds[i].revents != 0)
				read_daemon(s, i);
		}
		if (s->fds[P_LISTEN].revents != 0)
			accept_daemon(s);
	}
	return 0;
}

int
mt_sentinel_run(const struct mt_sentinel_options *options)
{
	static struct sentinel s;
	struct mt_err err = {0};
	int i, rv;

	s.options = options;
	s.pid = getpid();
	s.page_fd = s.self_fd = s.master_fd = s.dir_fd = -1;
	for (i = 0; i < P_MAX; i++) {
		s.fds[i].fd = -1;
		s.fds[i].events = POLLIN;
	}
	s.fds[P_CONN].fd = options->conn_fd;
	rv = fcntl(options->conn_fd, F_SETFD, FD_CLOEXEC);
	if (rv != 0)
		return 1;
	rv = sentinel__open_page(&s, &err);
	if (rv == 0)
		rv = sentinel__open_kernel(&s, &err);
	if (rv == 0)
		rv = sentinel__open_socket(&s, &err);
	if (rv == 0)
		rv = sentinel__open_master(&s, &err);
	if (rv != 0) {
		remove_socket(&s);
		if (s.page != NULL)
			(void)send_msg(&s, MT_SENTINEL_FAILED, err.text);
		return 1;
	}
	sentinel__harden(&s);
	if (s.foreign)
		started(&s);
	rv = watch(&s);
	if (rv == 0)
		finish(&s);
	else
		remove_socket(&s);
	return rv;
}
