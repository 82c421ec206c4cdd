/* SPDX-License-Identifier: PostgreSQL */
/*
 * The processes of PostgreSQL, found by walking /proc, and their end by force.
 * A process is known by its number and its start; nothing here allocates.
 */
#include "daemon/sentinel_internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROCS_MAX 8192 /* of /proc, looked at in one go */
#define CLIMB_MAX 256  /* generations between us and a descendant */

static struct proc procs[PROCS_MAX];

int
sentinel__read_stat(int proc_fd, pid_t pid, struct proc *p)
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
		    sentinel__read_stat(dirfd(s->proc), key.pid, &fetched) == 0)
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
	if (sentinel__read_stat(dirfd(s->proc), p->pid, &now) == 0 &&
	    now.ticks == p->ticks &&
	    syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0)
		atomic_fetch_add(&s->page->killed, 1);
	close(fd);
}

/* Count the living descendants, and send each SIGKILL if so asked. All are
 * collected before the first dies: a foreign one's children leave the tree. */
unsigned
sentinel__sweep(struct sentinel *s, bool by_force)
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
			    sentinel__read_stat(dirfd(s->proc), (pid_t)pid,
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
