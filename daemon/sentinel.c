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
#include "daemon/sentinel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "daemon/sentinel_page.h"

#define PROCS_MAX 8192    /* of /proc, looked at in one go */
#define CLIMB_MAX 256     /* generations between us and a descendant */
#define CLIENTS_MAX 4     /* connected, but did not ask yet */
#define SLEEP_MAX_MS 1000 /* in case a KICK was lost */
#define SWEEP_MS 5        /* between two rounds of SIGKILL */
#define SWEEP_MAX_MS 500  /* the same, when one hangs in the kernel */

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

static struct proc procs[PROCS_MAX];

static enum mt_sentinel_state
state(const struct sentinel *s)
{
	return (enum mt_sentinel_state)atomic_load(&s->page->state);
}

static void
set_state(struct sentinel *s, enum mt_sentinel_state next)
{
	atomic_store(&s->page->state, (uint32_t)next);
}

/* ---- processes ---- */

static int
read_stat(int proc_fd, pid_t pid, struct proc *p)
{
	char name[32], buf[1024], *rest;
	ssize_t n;
	int fd, ppid;

	snprintf(name, sizeof(name), "%ld/stat", (long)pid);
	fd = openat(proc_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return MT_ENOENT;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return MT_ENOENT;
	buf[n] = '\0';
	/* The name in parentheses may contain anything, so look from behind. */
	rest = strrchr(buf, ')');
	if (rest == NULL ||
	    sscanf(rest + 1,
		   " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d"
		   " %*d %*d %*d %*d %" SCNu64,
		   &p->state, &ppid, &p->ticks) != 3)
		return MT_EPROTO;
	p->pid = pid;
	p->ppid = ppid;
	return 0;
}

static bool
link_is(int proc_fd, pid_t pid, const char *which, const char *want)
{
	static char target[PATH_MAX];
	static const char deleted[] = " (deleted)";
	char name[48], *tail;
	ssize_t n;

	snprintf(name, sizeof(name), "%ld/%s", (long)pid, which);
	n = readlinkat(proc_fd, name, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = '\0';
	/* An upgrade may have replaced the program under its running copies. */
	tail = target + n - (ssize_t)(sizeof(deleted) - 1);
	if (tail > target && strcmp(tail, deleted) == 0)
		*tail = '\0';
	return strcmp(target, want) == 0;
}

static bool
is_foreign_orphan(const struct sentinel *s, const struct proc *p)
{
	if (!s->foreign || !s->master_gone || p->pid == s->pid ||
	    p->ticks > s->died_ticks)
		return false;
	return link_is(dirfd(s->proc), p->pid, "exe", s->exe) &&
	       link_is(dirfd(s->proc), p->pid, "cwd", s->cwd);
}

static int
compare_proc(const void *a, const void *b)
{
	const struct proc *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Does p descend from the postmaster? Of our own postmaster: from us, since
 * orphans come to us. p itself may be the postmaster. */
static bool
is_victim(const struct sentinel *s, size_t count, const struct proc *p)
{
	pid_t root = s->foreign ? s->page->postmaster_pid : s->pid;
	struct proc key, fetched;
	const struct proc *at = p;
	int i;

	if (p->pid == s->pid)
		return false;
	for (i = 0; i < CLIMB_MAX && at != NULL && at->pid > 1; i++) {
		if (at->pid == root)
			return !s->foreign ||
			       at->ticks == s->page->postmaster_ticks;
		key.pid = at->ppid;
		at = bsearch(&key, procs, count, sizeof(key), compare_proc);
		/* More processes than the table takes, or a newer one. */
		if (at == NULL &&
		    read_stat(dirfd(s->proc), key.pid, &fetched) == 0)
			at = &fetched;
	}
	return is_foreign_orphan(s, p);
}

/* By pidfd, and only after a second look: the number may be someone else's by
 * now. */
static void
kill_proc(struct sentinel *s, const struct proc *p)
{
	struct proc now;
	int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);

	if (fd < 0)
		return;
	if (read_stat(dirfd(s->proc), p->pid, &now) == 0 &&
	    now.ticks == p->ticks &&
	    syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0)
		atomic_fetch_add(&s->page->killed, 1);
	close(fd);
}

/* Count the living descendants, and send each SIGKILL if so asked. All are
 * collected before the first dies: a foreign one's children leave the tree. */
static unsigned
sweep(struct sentinel *s, bool by_force)
{
	static struct proc victims[PROCS_MAX];
	struct dirent *entry = NULL;
	unsigned found, total = 0;
	size_t count, i;
	char *end;
	long pid;

	rewinddir(s->proc);
	do {
		for (count = 0;
		     count < PROCS_MAX && (entry = readdir(s->proc)) != NULL;) {
			pid = strtol(entry->d_name, &end, 10);
			if (pid > 0 && *end == '\0' &&
			    read_stat(dirfd(s->proc), (pid_t)pid,
				      &procs[count]) == 0)
				count++;
		}
		/* The kernel lists them in order; bsearch depends on it. */
		for (i = 1; i < count && procs[i - 1].pid < procs[i].pid; i++)
			;
		if (i < count)
			qsort(procs, count, sizeof(*procs), compare_proc);
		for (i = 0, found = 0; i < count; i++) {
			if (procs[i].state != 'Z' && procs[i].state != 'X' &&
			    is_victim(s, count, &procs[i]))
				victims[found++] = procs[i];
		}
		for (i = 0; by_force && i < found; i++)
			kill_proc(s, &victims[i]);
		total += found;
	} while (entry != NULL);
	return total;
}

/* ---- the end of PostgreSQL ---- */

static void
begin_killing(struct sentinel *s)
{
	set_state(s, MT_SENTINEL_KILLING);
	s->sweep_ms = SWEEP_MS;
	s->act_ms = 0;
}

static void
fire(struct sentinel *s, int64_t now_ms)
{
	atomic_store(&s->page->fired_wall_ms, mt_wall_ms());
	atomic_store(&s->page->fired_ms, now_ms);
	if (s->master_gone || state(s) == MT_SENTINEL_LINGERING) {
		begin_killing(s);
		return;
	}
	(void)syscall(SYS_pidfd_send_signal, s->master_fd, SIGQUIT, NULL, 0);
	set_state(s, MT_SENTINEL_QUITTING);
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
	if (status == 0 && state(s) != MT_SENTINEL_QUITTING &&
	    state(s) != MT_SENTINEL_KILLING) {
		set_state(s, MT_SENTINEL_LINGERING);
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
	switch (state(s)) {
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
		if (sweep(s, false) == 0)
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
	if (sweep(s, true) == 0 && s->master_gone)
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
	if (state(s) == MT_SENTINEL_STARTING) {
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

/* ---- the start ---- */

/* Through a descriptor of its directory: a path may be longer than what a
 * socket address holds. */
static void
socket_address(const struct sentinel *s, struct sockaddr_un *addr)
{
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	snprintf(addr->sun_path, sizeof(addr->sun_path),
		 "/proc/self/fd/%d/%.64s", s->dir_fd, s->sock_name);
}

static int
open_socket(struct sentinel *s, struct mt_err *err)
{
	const char *path = s->options->sock_path, *slash = strrchr(path, '/');
	struct sockaddr_un addr;
	char dir[PATH_MAX];
	mode_t mask;
	int fd, rv;

	snprintf(dir, sizeof(dir), "%.*s",
		 slash == NULL ? 1 : (int)(slash - path) + 1,
		 slash == NULL ? "." : path);
	s->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return mt_err_sys(err, errno, "could not open directory \"%s\"",
				  dir);
	s->sock_name = slash == NULL ? path : slash + 1;
	socket_address(s, &addr);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return mt_err_sys(err, errno, "could not create socket");
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 ||
	    errno == EAGAIN) {
		close(fd);
		s->sock_name = NULL;
		return mt_err_set(err, MT_EBUSY,
				  "a sentinel is alive behind \"%s\"", path);
	}
	(void)unlinkat(s->dir_fd, s->sock_name, 0);
	mask = umask(0177);
	rv = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	umask(mask);
	if (rv != 0 || listen(fd, CLIENTS_MAX) != 0) {
		rv = mt_err_sys(err, errno, "could not listen on \"%s\"", path);
		close(fd);
		s->sock_name = NULL;
		return rv;
	}
	s->fds[P_LISTEN].fd = fd;
	return 0;
}

static int
open_page(struct sentinel *s, struct mt_err *err)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *map;

	s->page_fd =
	    memfd_create("matriarch-sentinel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (s->page_fd < 0 || ftruncate(s->page_fd, (off_t)bytes) != 0 ||
	    fcntl(s->page_fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		return mt_err_sys(err, errno, "could not create shared page");
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->page_fd,
		   0);
	if (map == MAP_FAILED)
		return mt_err_sys(err, errno, "could not map shared page");
	s->page = map;
	s->page->magic = MT_SENTINEL_MAGIC;
	s->page->version = MT_SENTINEL_VERSION;
	s->page->bytes = sizeof(*s->page);
	s->page->sentinel_pid = s->pid;
	s->page->exit_status = MT_SENTINEL_STATUS_UNKNOWN;
	s->page->owner = 1;
	s->page->deadline_ms = s->options->deadline_ms;
	s->page->armed = s->options->deadline_ms != 0;
	set_state(s, MT_SENTINEL_STARTING);
	return 0;
}

static int
open_kernel(struct sentinel *s, struct mt_err *err)
{
	sigset_t set;

	/* Whoever tells us to end means the daemon; the end is PostgreSQL's. */
	sigfillset(&set);
	sigdelset(&set, SIGSEGV);
	sigdelset(&set, SIGBUS);
	sigdelset(&set, SIGABRT);
	if (sigprocmask(SIG_SETMASK, &set, NULL) != 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		return mt_err_sys(err, errno, "could not become subreaper");
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	s->fds[P_SIGNAL].fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->fds[P_SIGNAL].fd < 0)
		return mt_err_sys(err, errno, "could not create signalfd");
	s->fds[P_TIMER].fd =
	    timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->fds[P_TIMER].fd < 0)
		return mt_err_sys(err, errno, "could not create timer");
	s->self_fd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	if (s->self_fd < 0)
		return mt_err_sys(err, errno,
				  "could not open pidfd "
				  "(Linux 5.3 is needed)");
	s->proc = opendir("/proc");
	if (s->proc == NULL)
		return mt_err_sys(err, errno, "could not open \"/proc\"");
	return 0;
}

/* In the child. On failure errno goes through the pipe, which a successful
 * exec closes. */
static void
exec_master(const struct mt_sentinel_options *o, pid_t parent, int fail_fd)
{
	sigset_t none;
	int fd, i, code;

	(void)setsid();
	/* A parent that died before the prctl would send nothing. */
	if (prctl(PR_SET_PDEATHSIG, SIGQUIT, 0, 0, 0) != 0 ||
	    getppid() != parent)
		_exit(127);
	for (i = 1; i < _NSIG; i++)
		(void)signal(i, SIG_DFL);
	sigemptyset(&none);
	fd = open("/dev/null", O_RDONLY);
	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
		goto failed;
	if (fd != STDIN_FILENO)
		close(fd);
	if (o->log_path != NULL) {
		fd = open(o->log_path, O_WRONLY | O_APPEND | O_CREAT, 0600);
		if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
		    dup2(fd, STDERR_FILENO) < 0)
			goto failed;
		if (fd > STDERR_FILENO)
			close(fd);
	}
	if (o->cwd != NULL && chdir(o->cwd) != 0)
		goto failed;
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	execv(o->argv[0], o->argv);
failed:
	code = errno;
	i = (int)write(fail_fd, &code, sizeof(code));
	_exit(i < 0 ? 126 : 127);
}

static int
fork_master(struct sentinel *s, struct mt_err *err)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return mt_err_sys(err, errno, "could not create pipe");
	pid = fork();
	if (pid == 0)
		exec_master(s->options, s->pid, fds[1]);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return mt_err_sys(err, errno, "could not fork postmaster");
	}
	s->page->postmaster_pid = pid;
	s->fds[P_EXEC].fd = fds[0];
	return 0;
}

static int
find_foreign(struct sentinel *s)
{
	char name[48];
	ssize_t n;

	s->foreign = true;
	s->page->flags |= MT_SENTINEL_FOREIGN;
	s->page->postmaster_pid = s->options->watch_pid;
	snprintf(name, sizeof(name), "%ld/exe", (long)s->options->watch_pid);
	n = readlinkat(dirfd(s->proc), name, s->exe, sizeof(s->exe) - 1);
	s->exe[n < 0 ? 0 : n] = '\0';
	snprintf(name, sizeof(name), "%ld/cwd", (long)s->options->watch_pid);
	n = readlinkat(dirfd(s->proc), name, s->cwd, sizeof(s->cwd) - 1);
	s->cwd[n < 0 ? 0 : n] = '\0';
	return s->exe[0] == '\0' || s->cwd[0] == '\0' ? MT_ENOENT : 0;
}

static int
open_master(struct sentinel *s, struct mt_err *err)
{
	const struct mt_sentinel_options *o = s->options;
	struct proc p;
	int rv;

	if (o->watch_pid <= 0) {
		rv = fork_master(s, err);
		if (rv != 0)
			return rv;
	} else if (find_foreign(s) != 0) {
		return mt_err_set(err, MT_ENOENT,
				  "could not look at process "
				  "%ld",
				  (long)o->watch_pid);
	}
	/* Opened before its start time is compared: from here on the number
	 * cannot come to mean another process unnoticed. */
	s->master_fd = (int)syscall(SYS_pidfd_open, s->page->postmaster_pid, 0);
	if (s->master_fd < 0)
		return mt_err_sys(err, errno,
				  "could not open pidfd of process "
				  "%ld",
				  (long)s->page->postmaster_pid);
	s->fds[P_MASTER].fd = s->foreign ? s->master_fd : -1;
	if (read_stat(dirfd(s->proc), s->page->postmaster_pid, &p) != 0 ||
	    (o->watch_ticks != 0 && p.ticks != o->watch_ticks))
		return mt_err_set(err, MT_ENOENT, "process %ld is gone",
				  (long)s->page->postmaster_pid);
	s->page->postmaster_ticks = p.ticks;
	return 0;
}

/* After the fork: PostgreSQL shall have none of this. Reset-on-fork is for
 * what the sentinel might ever fork. */
static void
harden(struct sentinel *s)
{
	struct sched_param param = {.sched_priority =
					sched_get_priority_min(SCHED_RR)};
	int fd;

	if (mlockall(MCL_CURRENT | MCL_FUTURE) == 0)
		s->page->flags |= MT_SENTINEL_LOCKED;
	if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &param) == 0)
		s->page->flags |= MT_SENTINEL_REALTIME;
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "-1000", 5) == 5)
		s->page->flags |= MT_SENTINEL_NO_OOM;
	close(fd);
}

static void
started(struct sentinel *s)
{
	set_state(s, MT_SENTINEL_WATCHING);
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
		if (state(s) == MT_SENTINEL_STARTING)
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
	set_state(s, MT_SENTINEL_ENDED);
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
	rv = open_page(&s, &err);
	if (rv == 0)
		rv = open_kernel(&s, &err);
	if (rv == 0)
		rv = open_socket(&s, &err);
	if (rv == 0)
		rv = open_master(&s, &err);
	if (rv != 0) {
		remove_socket(&s);
		if (s.page != NULL)
			(void)send_msg(&s, MT_SENTINEL_FAILED, err.text);
		return 1;
	}
	harden(&s);
	if (s.foreign)
		started(&s);
	rv = watch(&s);
	if (rv == 0)
		finish(&s);
	else
		remove_socket(&s);
	return rv;
}
