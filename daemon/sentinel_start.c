/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the sentinel has before it watches: its socket, its page, what the
 * kernel is to tell it, and the postmaster, forked or found.
 */
#include "daemon/sentinel_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

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

int
sentinel__open_socket(struct sentinel *s, struct mt_err *err)
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

int
sentinel__open_page(struct sentinel *s, struct mt_err *err)
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
	sentinel__set_state(s, MT_SENTINEL_STARTING);
	return 0;
}

int
sentinel__open_kernel(struct sentinel *s, struct mt_err *err)
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

int
sentinel__open_master(struct sentinel *s, struct mt_err *err)
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
	if (sentinel__read_stat(dirfd(s->proc), s->page->postmaster_pid, &p) !=
		0 ||
	    (o->watch_ticks != 0 && p.ticks != o->watch_ticks))
		return mt_err_set(err, MT_ENOENT, "process %ld is gone",
				  (long)s->page->postmaster_pid);
	s->page->postmaster_ticks = p.ticks;
	return 0;
}

/* After the fork: PostgreSQL shall have none of this. Reset-on-fork is for
 * what the sentinel might ever fork. */
void
sentinel__harden(struct sentinel *s)
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
