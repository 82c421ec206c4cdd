/* SPDX-License-Identifier: PostgreSQL */
/*
 * One child program, run to its end on the loop.
 *
 * The child is forked here rather than by uv_spawn, for three things that one
 * cannot do: it gets a parent death signal, so that no pg_basebackup writes on
 * into a directory that a restarted daemon is about to empty; it leads a
 * process group without leaving the session; and it inherits no descriptor that
 * somebody forgot to mark. Between fork and exec only async-signal-safe calls
 * are made. A failed exec comes back over a pipe. The end is told by a pidfd;
 * the result is delivered when the output is read, too, or 500 ms after the
 * end, should a grandchild keep the pipes open.
 *
 * Cancel and timeout: the group gets a signal, and SIGKILL 3 s later. Does not
 * feed standard input, and keeps only the end of standard error.
 */
#include "pg/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/core_limit.h"
#include "base/text.h"

#define KILL_AFTER_MS 3000
#define DRAIN_MS 500
#define LINE_MAX_BYTES 4096

extern char **environ;

struct stream {
	struct mt_child *child;
	uv_pipe_t pipe;
	bool open, is_stderr;
	size_t n;
	char line[LINE_MAX_BYTES];
};

struct mt_child {
	uv_loop_t *loop;
	struct mt_child_options o; /* argv, env, cwd not used after start */
	char program[64];
	pid_t pid;
	int pidfd;
	uv_poll_t poll;
	uv_timer_t timer;
	struct stream out[2];
	int handles; /* not closed yet */
	bool exited, closing, killing;
	bool timed_out, canceled;
	int exit_status, signo;
	size_t tail_n;
	char tail[MT_CHILD_TAIL_MAX + 1];
	char buf[8192];
};

static bool
env_is_dropped(const char *entry, bool keep_locale)
{
	static const char *const prefixes[] = {
	    "PATRONI_",       "MATRIARCH_",     "PG",
	    "NOTIFY_SOCKET=", "LISTEN_",        "WATCHDOG_",
	    "KUBERNETES_",    "INVOCATION_ID=", "CREDENTIALS_DIRECTORY=",
	};

	for (size_t i = 0; i < MT_COUNT(prefixes); i++)
		if (strncmp(entry, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return !keep_locale && (strncmp(entry, "LC_", 3) == 0 ||
				strncmp(entry, "LANG", 4) == 0);
}

/* Borrowed strings in an allocated array. */
static char **
make_env(const struct mt_child_options *o)
{
	static char lc_all[] = "LC_ALL=C";
	size_t n = 0, i;
	char **env;

	for (i = 0; environ && environ[i]; i++)
		n++;
	for (i = 0; o->env && o->env[i]; i++)
		n++;
	env = calloc(n + 2, sizeof(*env));
	if (!env)
		return NULL;
	n = 0;
	for (i = 0; environ && environ[i]; i++)
		if (!env_is_dropped(environ[i], o->keep_locale))
			env[n++] = environ[i];
	if (!o->keep_locale)
		env[n++] = lc_all;
	for (i = 0; o->env && o->env[i]; i++)
		env[n++] = o->env[i];
	return env;
}

struct fds {
	int null, out[2], err[2], exec[2];
};

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
close_fds(struct fds *f)
{
	close_fd(&f->null);
	for (int i = 0; i < 2; i++) {
		close_fd(&f->out[i]);
		close_fd(&f->err[i]);
		close_fd(&f->exec[i]);
	}
}

/* Above standard error, so that dup2 in the child cannot hit one of ours. */
static bool
lift(int *fd)
{
	int up;

	if (*fd > 2)
		return true;
	up = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
	if (up < 0)
		return false;
	close(*fd);
	*fd = up;
	return true;
}

static int
open_fds(struct fds *f)
{
	*f = (struct fds){-1, {-1, -1}, {-1, -1}, {-1, -1}};
	f->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (f->null < 0 || pipe2(f->out, O_CLOEXEC) < 0 ||
	    pipe2(f->err, O_CLOEXEC) < 0 || pipe2(f->exec, O_CLOEXEC) < 0)
		return -1;
	if (!lift(&f->null))
		return -1;
	for (int i = 0; i < 2; i++)
		if (!lift(&f->out[i]) || !lift(&f->err[i]) ||
		    !lift(&f->exec[i]))
			return -1;
	return 0;
}

static void
mark_descriptors(void)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, 3U, ~0U, 4U /* CLOEXEC */) == 0)
		return;
#endif
	for (int fd = 3; fd < 1024; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* In the child. Async-signal-safe calls only. */
static void
child_exec(const struct mt_child_options *o, char **env, struct fds *f,
	   pid_t parent)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;
	int saved;

	for (int i = 1; i < 65; i++)
		if (i != SIGKILL && i != SIGSTOP)
			sigaction(i, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	mt_core_allow();
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, o->death_signo ? o->death_signo : SIGKILL);
	if (getppid() != parent)
		_exit(127);
	if (dup2(o->input_fd > 0 ? o->input_fd : f->null, 0) >= 0 &&
	    dup2(f->out[1], 1) >= 0 && dup2(f->err[1], 2) >= 0 &&
	    (!o->cwd || chdir(o->cwd) == 0)) {
		mark_descriptors();
		execve(o->argv[0], o->argv, env);
	}
	saved = errno;
	if (write(f->exec[1], &saved, sizeof(saved)) < 0)
		_exit(126);
	_exit(127);
}

/* Returns the pid, or -1 with errno; the child has been executed then. */
static pid_t
spawn(const struct mt_child_options *o, char **env, struct fds *f)
{
	pid_t parent = getpid(), pid;
	sigset_t all, old;
	int failed = 0;
	ssize_t n;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		child_exec(o, env, f, parent);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return -1;
	close_fd(&f->exec[1]);
	do
		n = read(f->exec[0], &failed, sizeof(failed));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return pid;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	errno = n == (ssize_t)sizeof(failed) && failed ? failed : ECHILD;
	return -1;
}

static const char *
telling_line(char *tail)
{
	static const char *const words[] = {
	    "error:", "fatal:", "ERROR:", "FATAL:", "PANIC:"};
	char *save = NULL, *line, *found = NULL, *last = NULL;

	for (line = strtok_r(tail, "\r\n", &save); line;
	     line = strtok_r(NULL, "\r\n", &save)) {
		last = line;
		for (size_t i = 0; i < MT_COUNT(words); i++)
			if (strstr(line, words[i]))
				found = line;
	}
	return found ? found : last;
}

static void
describe(struct mt_child *c, struct mt_child_result *r)
{
	char copy[MT_CHILD_TAIL_MAX + 1];
	const char *line;

	if (r->exit_status == 0 && !r->timed_out && !r->canceled)
		return;
	memcpy(copy, c->tail, sizeof(copy));
	line = telling_line(copy);
	if (r->canceled) {
		mt_err_set(&r->err, MT_ECANCELED, "%s was canceled",
			   c->program);
		return;
	}
	if (r->timed_out)
		mt_err_set(&r->err, MT_ETIMEDOUT, "%s did not end in time%s%s",
			   c->program, line ? ": " : "", line ? line : "");
	else if (r->signo)
		mt_err_set(&r->err, MT_EPROTO, "%s was ended by signal %d%s%s",
			   c->program, r->signo, line ? ": " : "",
			   line ? line : "");
	else
		mt_err_set(&r->err, MT_EPROTO, "%s failed with status %d%s%s",
			   c->program, r->exit_status, line ? ": " : "",
			   line ? line : "");
}

static void
handle_closed(uv_handle_t *h)
{
	struct mt_child *c = h->data;
	struct mt_child_result r;

	if (--c->handles > 0)
		return;
	r = (struct mt_child_result){
	    .exit_status = c->exit_status,
	    .signo = c->signo,
	    .timed_out = c->timed_out,
	    .canceled = c->canceled,
	    .tail = c->tail,
	};
	describe(c, &r);
	if (c->o.on_exit)
		c->o.on_exit(c->o.arg, &r);
	free(c);
}

static void
emit_line(struct stream *s)
{
	struct mt_child *c = s->child;

	s->line[s->n] = '\0';
	s->n = 0;
	if (c->o.on_line && s->line[0])
		c->o.on_line(c->o.arg, s->is_stderr, s->line);
}

static void
finish(struct mt_child *c)
{
	if (c->closing)
		return;
	c->closing = true;
	for (int i = 0; i < 2; i++) {
		if (c->out[i].n)
			emit_line(&c->out[i]);
		uv_close((uv_handle_t *)&c->out[i].pipe, handle_closed);
	}
	uv_close((uv_handle_t *)&c->timer, handle_closed);
	/* It has no type where its initialisation failed. */
	if (uv_handle_get_type((uv_handle_t *)&c->poll) == UV_POLL)
		uv_close((uv_handle_t *)&c->poll, handle_closed);
	else
		c->handles--;
	close(c->pidfd);
}

static void
keep_tail(struct mt_child *c, const char *p, size_t n)
{
	size_t drop;

	if (n > MT_CHILD_TAIL_MAX) {
		p += n - MT_CHILD_TAIL_MAX;
		n = MT_CHILD_TAIL_MAX;
	}
	if (c->tail_n + n > MT_CHILD_TAIL_MAX) {
		drop = c->tail_n + n - MT_CHILD_TAIL_MAX;
		memmove(c->tail, c->tail + drop, c->tail_n - drop);
		c->tail_n -= drop;
	}
	memcpy(c->tail + c->tail_n, p, n);
	c->tail_n += n;
	c->tail[c->tail_n] = '\0';
}

static void
on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct mt_child *c = h->data;

	(void)hint;
	*buf = uv_buf_init(c->buf, sizeof(c->buf));
}

static void
on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
	struct mt_child *c = h->data;
	struct stream *s = container_of(h, struct stream, pipe);

	if (n < 0) {
		uv_read_stop(h);
		s->open = false;
		if (c->exited && !c->out[0].open && !c->out[1].open)
			finish(c);
		return;
	}
	if (s->is_stderr)
		keep_tail(c, buf->base, (size_t)n);
	for (ssize_t i = 0; i < n; i++) {
		char ch = buf->base[i];

		if (ch == '\n' || ch == '\r')
			emit_line(s);
		else if (ch != '\0' && s->n < sizeof(s->line) - 1)
			s->line[s->n++] = ch;
	}
}

static void
on_timer(uv_timer_t *t)
{
	struct mt_child *c = t->data;

	if (c->exited) {
		finish(c);
	} else if (c->killing) {
		kill(-c->pid, SIGKILL);
	} else {
		c->timed_out = true;
		c->killing = true;
		mt_child_signal(c, c->o.cancel_signo);
		uv_timer_start(&c->timer, on_timer, KILL_AFTER_MS, 0);
	}
}

static void
on_pidfd(uv_poll_t *h, int status, int events)
{
	struct mt_child *c = h->data;
	siginfo_t si = {0};

	(void)status;
	(void)events;
	/* The zombie still holds the pid: the group is surely ours. */
	if (waitid(P_PIDFD, (id_t)c->pidfd, &si, WEXITED | WNOHANG | WNOWAIT) ==
	    0) {
		if (si.si_pid == 0)
			return;
		if (c->killing || si.si_code != CLD_EXITED)
			kill(-c->pid, SIGKILL);
	}
	si = (siginfo_t){0};
	c->exit_status = -1;
	if (waitid(P_PIDFD, (id_t)c->pidfd, &si, WEXITED | WNOHANG) == 0 &&
	    si.si_pid) {
		if (si.si_code == CLD_EXITED)
			c->exit_status = si.si_status;
		else
			c->signo = si.si_status;
	}
	c->exited = true;
	uv_poll_stop(&c->poll);
	if (!c->out[0].open && !c->out[1].open)
		finish(c);
	else
		uv_timer_start(&c->timer, on_timer, DRAIN_MS, 0);
}

/* Everything below the pid is in place: let the loop watch it. From here on the
 * object is freed by its close callbacks only. */
static int
watch(struct mt_child *c, struct fds *f)
{
	int rc;

	uv_timer_init(c->loop, &c->timer);
	c->timer.data = c;
	c->handles = 4;
	rc = uv_poll_init(c->loop, &c->poll, c->pidfd);
	c->poll.data = c;
	if (rc == 0)
		rc = uv_poll_start(&c->poll, UV_READABLE, on_pidfd);
	for (int i = 0; i < 2; i++) {
		struct stream *s = &c->out[i];
		int *fd = i ? &f->err[0] : &f->out[0];

		s->child = c;
		s->is_stderr = i == 1;
		uv_pipe_init(c->loop, &s->pipe, 0);
		s->pipe.data = c;
		if (rc == 0)
			rc = uv_pipe_open(&s->pipe, *fd);
		if (rc == 0) {
			*fd = -1;
			s->open = true;
			rc = uv_read_start((uv_stream_t *)&s->pipe, on_alloc,
					   on_read);
		}
	}
	if (rc == 0 && c->o.timeout_ms > 0)
		rc = uv_timer_start(&c->timer, on_timer,
				    (uint64_t)c->o.timeout_ms, 0);
	return rc;
}

static int
start_process(struct mt_child *c, const struct mt_child_options *o,
	      struct fds *f, struct mt_err *err)
{
	char **env = make_env(o);
	int saved;

	if (!env)
		return mt_err_set(err, MT_ENOMEM,
				  "could not start \"%s\": "
				  "out of memory",
				  o->argv[0]);
	c->pid = spawn(o, env, f);
	saved = errno;
	free(env);
	if (c->pid < 0)
		return mt_err_sys(err, saved, "could not start \"%s\"",
				  o->argv[0]);
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->pidfd < 0) {
		saved = errno;
		kill(-c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
		return mt_err_sys(err, saved, "could not watch \"%s\"",
				  o->argv[0]);
	}
	fcntl(c->pidfd, F_SETFD, FD_CLOEXEC);
	return 0;
}

int
mt_child_start(struct mt_child **child, uv_loop_t *loop,
	       const struct mt_child_options *options, struct mt_err *err)
{
	const char *slash = strrchr(options->argv[0], '/');
	struct mt_child *c = calloc(1, sizeof(*c));
	struct fds f;
	int rc;

	if (!c)
		return mt_err_set(err, MT_ENOMEM,
				  "could not start \"%s\": "
				  "out of memory",
				  options->argv[0]);
	c->loop = loop;
	c->o = *options;
	if (!c->o.cancel_signo)
		c->o.cancel_signo = SIGTERM;
	mt_copy(c->program, sizeof(c->program),
		slash ? slash + 1 : options->argv[0]);
	if (open_fds(&f) < 0)
		rc = mt_err_sys(err, errno, "could not start \"%s\"",
				options->argv[0]);
	else
		rc = start_process(c, options, &f, err);
	if (rc) {
		close_fds(&f);
		free(c);
		return rc;
	}
	close_fd(&f.out[1]);
	close_fd(&f.err[1]);
	rc = watch(c, &f);
	close_fds(&f);
	if (rc) {
		/* The caller must hear of it once: here. */
		kill(-c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
		c->o.on_exit = NULL;
		c->o.on_line = NULL;
		finish(c);
		return mt_err_set(err, MT_ESYS, "could not watch \"%s\": %s",
				  options->argv[0], uv_strerror(rc));
	}
	*child = c;
	return 0;
}

void
mt_child_signal(struct mt_child *child, int signo)
{
	if (!child->exited)
		kill(-child->pid, signo);
}

void
mt_child_cancel(struct mt_child *child)
{
	if (child->exited || child->canceled)
		return;
	child->canceled = true;
	if (child->killing)
		return;
	child->killing = true;
	mt_child_signal(child, child->o.cancel_signo);
	uv_timer_start(&child->timer, on_timer, KILL_AFTER_MS, 0);
}

pid_t
mt_child_pid(const struct mt_child *child)
{
	return child->pid;
}
