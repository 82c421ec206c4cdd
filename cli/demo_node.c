/* SPDX-License-Identifier: PostgreSQL */
/*
 * Processes of a demo: starting daemons, killing nodes, leaving nothing behind.
 *
 * A node is its daemon, the sentinel, PostgreSQL with all of its backends and
 * whatever these run. They have sessions of their own and outlive the daemon,
 * so they are found in /proc: a process belongs to a node if it descends from
 * us and it is the daemon, works in the node's directory, names that directory
 * in its arguments, or is the child of one that belongs. We are the reaper of
 * orphans, so that all of them keep descending from us, and nobody else's
 * process is ever signalled.
 *
 * Should we be killed ourselves, the daemons get SIGTERM from the kernel and
 * stop their PostgreSQL.
 */
#include "cli/demo.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/segments.h"
#include "base/text.h"

#define PROCESSES_MAX 16384
#define KILL_PATIENCE_MS 10000
#define STOP_PATIENCE_MS 30000
#define LINGER_MS 3000
#define LOG_LINES 20

struct process {
	pid_t pid, parent;
	bool ours;    /* descends from us */
	bool belongs; /* to the node in question */
};

/* Short and uninterrupted: for waits that the kernel bounds anyway. */
static void
nap(long ms)
{
	struct timespec t = {.tv_sec = 0, .tv_nsec = ms * 1000000};

	nanosleep(&t, NULL);
}

static void
become_daemon(const struct mt_demo *d, const struct mt_demo_node *n, int log)
{
	char *argv[] = {(char *)(uintptr_t) "matriarchd",
			(char *)(uintptr_t)n->conf, NULL};
	static const char words[] = "matriarch demo: could not execute "
				    "matriarchd\n";
	int null = open("/dev/null", O_RDONLY);

	setsid(); /* the terminal's Ctrl-C is for us alone */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	close_range(3, ~0U, 0);
	execv(d->daemon, argv);
	if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0)
		_exit(126);
	_exit(127);
}

int
mt_demo_start(struct mt_demo *d, struct mt_demo_node *n, struct mt_err *err)
{
	int log = open(n->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	pid_t pid;

	if (log < 0)
		return mt_err_sys(err, errno, "could not open \"%s\"", n->log);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid == 0)
		become_daemon(d, n, log);
	close(log);
	if (pid < 0)
		return mt_err_sys(err, errno, "could not start \"%s\"",
				  d->daemon);
	n->pid = pid;
	n->wanted = true;
	return 0;
}

int
mt_demo_reap(struct mt_demo *d, struct mt_err *err)
{
	int status, rv = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < d->n; i++) {
			struct mt_demo_node *n = &d->nodes[i];

			if (n->pid != pid)
				continue;
			n->pid = 0;
			n->ended_ms = mt_clock_ms();
			if (!n->wanted)
				continue;
			n->wanted = false;
			if (WIFEXITED(status))
				rv = mt_err_set(err, MT_EPROTO,
						"matriarchd of \"%s\" ended "
						"with status %d",
						n->name, WEXITSTATUS(status));
			else
				rv = mt_err_set(err, MT_EPROTO,
						"matriarchd of \"%s\" was "
						"ended by signal %d",
						n->name, WTERMSIG(status));
		}
	return rv;
}

/* Parent of a living process; false for zombies and those that are gone. */
static bool
read_stat(pid_t pid, pid_t *parent)
{
	char path[64], buf[1024], *end, state;
	int fd, ppid;
	ssize_t n;

	mt_format(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	end = strrchr(buf, ')'); /* the name before it may hold anything */
	if (end == NULL || sscanf(end, ") %c %d", &state, &ppid) != 2)
		return false;
	*parent = ppid;
	return state != 'Z' && state != 'X';
}

static bool
works_in(pid_t pid, const char *dir)
{
	char path[64], cwd[MT_DEMO_PATH_MAX * 2];
	size_t n = strlen(dir);
	ssize_t k;

	mt_format(path, sizeof(path), "/proc/%d/cwd", (int)pid);
	k = readlink(path, cwd, sizeof(cwd) - 1);
	if (k < (ssize_t)n)
		return false;
	cwd[k] = '\0';
	return strncmp(cwd, dir, n) == 0 && (cwd[n] == '/' || cwd[n] == '\0');
}

/* Is the directory named anywhere in the arguments? */
static bool
names(pid_t pid, const char *dir)
{
	char path[64], buf[16384], want[MT_DEMO_PATH_MAX + 2];
	ssize_t n;
	int fd;

	mt_format(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	mt_format(want, sizeof(want), "%s/", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof(buf));
	close(fd);
	return n > 0 && memmem(buf, (size_t)n, want, strlen(want)) != NULL;
}

static size_t
list_processes(struct process *all, size_t max)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	size_t n = 0;

	while (dir != NULL && n < max && (e = readdir(dir)) != NULL) {
		struct process p = {0};

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		p.pid = (pid_t)atoi(e->d_name);
		if (p.pid != getpid() && read_stat(p.pid, &p.parent))
			all[n++] = p;
	}
	if (dir != NULL)
		closedir(dir);
	return n;
}

/* Hand a mark down from parents to children until nothing changes. */
static void
spread(struct process *all, size_t n)
{
	bool changed;

	do {
		changed = false;
		for (size_t i = 0; i < n; i++)
			for (size_t k = 0; k < n; k++) {
				struct process *c = &all[i], *p = &all[k];

				if (c->parent != p->pid)
					continue;
				if ((p->ours && !c->ours) ||
				    (p->belongs && !c->belongs))
					changed = true;
				c->ours = c->ours || p->ours;
				c->belongs = c->belongs || p->belongs;
			}
	} while (changed);
}

void
mt_demo_find(const struct mt_demo *d, const struct mt_demo_node *n,
	     struct mt_demo_victims *v)
{
	struct process *all = calloc(PROCESSES_MAX, sizeof(*all));
	size_t count;

	(void)d;
	v->n = 0;
	MT_ASSERT(all != NULL);
	count = list_processes(all, PROCESSES_MAX);
	for (size_t i = 0; i < count; i++)
		all[i].ours = all[i].parent == getpid();
	spread(all, count);
	for (size_t i = 0; i < count; i++)
		all[i].belongs = all[i].ours && (all[i].pid == n->pid ||
						 works_in(all[i].pid, n->dir) ||
						 names(all[i].pid, n->dir));
	spread(all, count);
	for (size_t i = 0; i < count; i++)
		if (all[i].ours && all[i].belongs && v->n < MT_COUNT(v->pids))
			v->pids[v->n++] = all[i].pid;
	free(all);
}

static void
add(struct mt_demo_victims *to, const struct mt_demo_victims *v)
{
	for (size_t i = 0; i < v->n; i++) {
		size_t k = 0;

		while (k < to->n && to->pids[k] != v->pids[i])
			k++;
		if (k == to->n && k < MT_COUNT(to->pids))
			to->pids[to->n++] = v->pids[i];
	}
}

int
mt_demo_kill(struct mt_demo *d, struct mt_demo_node *n,
	     const struct mt_demo_victims *first, struct mt_err *err)
{
	int64_t end_ms = mt_clock_ms() + KILL_PATIENCE_MS;
	struct mt_demo_victims v = {0}, killed = {0};
	struct mt_err ignored;

	n->wanted = false;
	if (first != NULL)
		v = *first;
	else
		mt_demo_find(d, n, &v);
	while (v.n > 0) {
		/* Whoever is born while we kill is found in the next round. */
		for (size_t i = 0; i < v.n; i++)
			kill(v.pids[i], SIGKILL);
		add(&killed, &v);
		if (mt_clock_ms() > end_ms)
			return mt_err_set(err, MT_ETIMEDOUT,
					  "%d processes of \"%s\" do not die",
					  (int)v.n, n->name);
		nap(5);
		if (mt_demo_reap(d, &ignored) != 0 && err != NULL)
			return mt_err_set(err, ignored.code, "%s",
					  ignored.text);
		mt_demo_find(d, n, &v);
	}
	/* a machine without power loses its memory, too */
	for (size_t i = 0; i < killed.n; i++)
		mt_segments_remove(killed.pids[i]);
	return 0;
}

int
mt_demo_kill_postmaster(struct mt_demo_node *n, struct mt_err *err)
{
	char path[MT_DEMO_PATH_MAX + 32];
	FILE *in;
	int pid = 0;

	mt_format(path, sizeof(path), "%s/postmaster.pid", n->data);
	in = fopen(path, "re");
	if (in == NULL)
		return mt_err_sys(err, errno, "could not open \"%s\"", path);
	if (fscanf(in, "%d", &pid) != 1)
		pid = 0;
	fclose(in);
	/* A stale number could be anybody's: it has to be one of ours. */
	if (pid <= 1 || !works_in(pid, n->dir))
		return mt_err_set(err, MT_ENOENT,
				  "\"%s\" names no running postmaster", path);
	if (kill(pid, SIGKILL) != 0)
		return mt_err_sys(err, errno,
				  "could not kill the postmaster "
				  "of \"%s\" (pid %d)",
				  n->name, pid);
	return 0;
}

static bool
any_daemon(struct mt_demo *d)
{
	struct mt_err ignored;
	bool any = false;

	if (mt_demo_reap(d, &ignored) != 0)
		any = false; /* its end is what we want by now */
	for (int i = 0; i < d->n; i++)
		any = any || d->nodes[i].pid > 0;
	return any;
}

static bool
any_process(struct mt_demo *d)
{
	struct mt_demo_victims v = {0};

	for (int i = 0; i < d->n && v.n == 0; i++)
		mt_demo_find(d, &d->nodes[i], &v);
	return v.n > 0;
}

void
mt_demo_stop(struct mt_demo *d)
{
	int64_t end_ms = mt_clock_ms() + STOP_PATIENCE_MS;
	int interrupts = mt_demo_interrupted();

	for (int i = 0; i < d->n; i++) {
		d->nodes[i].wanted = false;
		if (d->nodes[i].pid > 0)
			kill(d->nodes[i].pid, SIGTERM);
	}
	/* A signal that comes now asks for haste. */
	while (any_daemon(d) && mt_clock_ms() < end_ms &&
	       mt_demo_interrupted() == interrupts)
		nap(20);
	end_ms = mt_clock_ms() + LINGER_MS;
	while (any_process(d) && !any_daemon(d) && mt_clock_ms() < end_ms &&
	       mt_demo_interrupted() == interrupts)
		nap(20);
	for (int i = 0; i < d->n; i++)
		if (mt_demo_kill(d, &d->nodes[i], NULL, NULL) != 0)
			fprintf(stderr,
				"matriarch: processes of \"%s\" do "
				"not die\n",
				d->nodes[i].name);
}

/* Where the last lines begin. */
static const char *
tail_of(const char *text, size_t n)
{
	int lines = 0;

	for (const char *c = text + n; c > text; c--)
		if (c[-1] == '\n' && c != text + n && ++lines == LOG_LINES)
			return c;
	return text;
}

void
mt_demo_show_logs(const struct mt_demo *d)
{
	for (int i = 0; i < d->n; i++) {
		char buf[16384];
		FILE *in = fopen(d->nodes[i].log, "re");
		size_t n = 0;

		if (in == NULL)
			continue; /* it never started */
		if (fseek(in, -(long)sizeof(buf) + 1, SEEK_END) != 0)
			rewind(in);
		n = fread(buf, 1, sizeof(buf) - 1, in);
		buf[n] = '\0';
		fclose(in);
		fprintf(stderr, "\n--- %s: the end of %s\n%s", d->nodes[i].name,
			d->nodes[i].log, tail_of(buf, n));
	}
}
