/* SPDX-License-Identifier: PostgreSQL */
/*
 * The place of a demo: who runs it, where, and with which programs.
 *
 * PostgreSQL refuses to run as root, so root becomes "postgres", or "nobody"
 * where there is no such user: the whole process does, for good, right after
 * it has made the scratch directory. That user may have no way into the
 * directory that our programs lie in (a clone below /root); then they are
 * copied into the scratch directory, from descriptors opened before.
 *
 * The environment is cleaned of what would steer libpq, PostgreSQL or the
 * daemons from outside, and speaks English, so that logs can be read here.
 *
 * mt_demo_remove removes nothing that the demo did not make: a directory given
 * with --dir has to be empty or absent at the start.
 */
#include "cli/demo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define N_PROGRAMS 2
/* the daemon first; it looks for the other one beside itself */
static const char *const programs[N_PROGRAMS] = {"matriarchd",
						 "matriarch-sentinel"};

struct program {
	char path[MT_DEMO_PATH_MAX];
	int fd; /* -1: not there */
};

extern char **environ;

static void
find_self(char *buf, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", buf, size - 1);

	if (n > 0)
		buf[n] = '\0';
	else
		mt_copy(buf, size, "matriarch");
}

/* Beside our own executable, else in the directories of PATH. */
static bool
find_program(const char *name, char *buf, size_t size)
{
	char self[MT_DEMO_PATH_MAX], *slash, *path, *dir, *rest;
	bool found = false;

	find_self(self, sizeof(self));
	slash = strrchr(self, '/');
	if (slash != NULL) {
		*slash = '\0';
		if (mt_format(buf, size, "%s/%s", self, name) &&
		    access(buf, X_OK) == 0)
			return true;
	}
	path = strdup(getenv("PATH") != NULL ? getenv("PATH") : "");
	for (dir = strtok_r(path, ":", &rest); dir != NULL && !found;
	     dir = strtok_r(NULL, ":", &rest))
		found = dir[0] == '/' &&
			mt_format(buf, size, "%s/%s", dir, name) &&
			access(buf, X_OK) == 0;
	free(path);
	return found;
}

static int
open_programs(struct program *p, struct mt_err *err)
{
	for (size_t i = 0; i < N_PROGRAMS; i++) {
		p[i].fd = -1;
		if (find_program(programs[i], p[i].path, sizeof(p[i].path)))
			p[i].fd = open(p[i].path, O_RDONLY | O_CLOEXEC);
	}
	if (p[0].fd >= 0)
		return 0;
	return mt_err_set(err, MT_ENOENT,
			  "could not find \"%s\" beside this program or in "
			  "PATH; build it with \"make\"",
			  programs[0]);
}

static int
copy_program(const struct program *p, const char *to, struct mt_err *err)
{
	char buf[65536];
	ssize_t n;
	int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

	if (fd < 0)
		return mt_err_sys(err, errno, "could not create \"%s\"", to);
	while ((n = read(p->fd, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0, k; at < n; at += k) {
			k = write(fd, buf + at, (size_t)(n - at));
			if (k < 0) {
				n = -1;
				break;
			}
		}
	if (n < 0) {
		mt_err_sys(err, errno, "could not copy \"%s\" to \"%s\"",
			   p->path, to);
		close(fd);
		return err->code;
	}
	if (close(fd) != 0)
		return mt_err_sys(err, errno, "could not write \"%s\"", to);
	return 0;
}

/* Settle which file is the daemon; copies where we may not run the original. */
static int
settle_programs(struct mt_demo *d, struct program *p, struct mt_err *err)
{
	char to[MT_DEMO_PATH_MAX];
	int rv = 0;

	mt_copy(d->daemon, sizeof(d->daemon), p[0].path);
	if (access(p[0].path, X_OK) == 0 &&
	    (p[1].fd < 0 || access(p[1].path, X_OK) == 0))
		return 0;
	mt_format(to, sizeof(to), "%s/bin", d->dir);
	if (mkdir(to, 0755) != 0)
		return mt_err_sys(err, errno, "could not create \"%s\"", to);
	for (size_t i = 0; rv == 0 && i < N_PROGRAMS; i++)
		if (p[i].fd >= 0) {
			mt_format(to, sizeof(to), "%s/bin/%s", d->dir,
				  programs[i]);
			rv = copy_program(&p[i], to, err);
		}
	mt_format(d->daemon, sizeof(d->daemon), "%s/bin/%s", d->dir,
		  programs[0]);
	return rv;
}

static bool
is_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	bool empty = true;

	if (dir == NULL)
		return false;
	while (empty && (e = readdir(dir)) != NULL)
		empty =
		    strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	closedir(dir);
	return empty;
}

static int
make_dir(struct mt_demo *d, struct mt_err *err)
{
	char real[PATH_MAX];

	if (d->wanted_dir == NULL) {
		mt_copy(d->dir, sizeof(d->dir), "/tmp/matriarch-XXXXXX");
		if (mkdtemp(d->dir) == NULL) {
			d->dir[0] = '\0';
			return mt_err_sys(err, errno,
					  "could not create a "
					  "scratch directory in \"/tmp\"");
		}
		d->made_dir = true;
		return 0;
	}
	if (mkdir(d->wanted_dir, 0700) == 0)
		d->made_dir = true;
	else if (errno != EEXIST)
		return mt_err_sys(err, errno, "could not create \"%s\"",
				  d->wanted_dir);
	else if (!is_empty(d->wanted_dir))
		return mt_err_set(err, MT_EINVAL,
				  "\"%s\" is no empty directory; name one that "
				  "is empty or does not exist",
				  d->wanted_dir);
	/* Absolute, because the working directory is about to change. */
	if (realpath(d->wanted_dir, real) == NULL)
		return mt_err_sys(err, errno, "could not resolve \"%s\"",
				  d->wanted_dir);
	if (!mt_copy(d->dir, sizeof(d->dir), real)) {
		d->dir[0] = '\0';
		return mt_err_set(err, MT_EINVAL, "--dir is too long");
	}
	return 0;
}

static int
drop_root(struct mt_demo *d, struct mt_err *err)
{
	struct passwd *pw = getpwnam("postgres");

	if (pw == NULL)
		pw = getpwnam("nobody");
	if (pw == NULL || pw->pw_uid == 0)
		return mt_err_set(err, MT_ENOENT,
				  "PostgreSQL does not run as root, and there "
				  "is neither a user \"postgres\" nor "
				  "\"nobody\"; run the demo as another user");
	if (chown(d->dir, pw->pw_uid, pw->pw_gid) != 0)
		return mt_err_sys(err, errno,
				  "could not give \"%s\" to user "
				  "\"%s\"",
				  d->dir, pw->pw_name);
	mt_copy(d->user, sizeof(d->user), pw->pw_name);
	if (setgid(pw->pw_gid) != 0 ||
	    initgroups(pw->pw_name, pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0)
		return mt_err_sys(err, errno, "could not become user \"%s\"",
				  pw->pw_name);
	/* Belt and braces: what follows starts programs. */
	MT_ASSERT(setuid(0) != 0);
	return 0;
}

static void
clean_environment(const struct mt_demo *d)
{
	static const char *const prefixes[] = {"PG", "PATRONI", "MATRIARCH",
					       "LC_", "LANG"};
	char name[256];
	size_t i = 0, n;

	while (environ != NULL && environ[i] != NULL) {
		bool remove = false;

		for (size_t k = 0; k < MT_COUNT(prefixes); k++)
			remove = remove || strncmp(environ[i], prefixes[k],
						   strlen(prefixes[k])) == 0;
		n = strcspn(environ[i], "=");
		if (remove && n < sizeof(name)) {
			memcpy(name, environ[i], n);
			name[n] = '\0';
			unsetenv(name); /* the next one moves to i */
		} else {
			i++;
		}
	}
	setenv("LC_ALL", "C", 1);
	setenv("HOME", d->dir, 1); /* no certificates or .pgpass of others */
}

int
mt_demo_place(struct mt_demo *d, struct mt_err *err)
{
	struct program p[N_PROGRAMS];
	int rv;

	find_self(d->self, sizeof(d->self));
	rv = open_programs(p, err);
	if (rv != 0)
		goto close_programs;
	rv = make_dir(d, err);
	if (rv == 0 && geteuid() == 0)
		rv = drop_root(d, err);
	if (rv != 0)
		goto close_programs;
	clean_environment(d);
	if (chdir(d->dir) != 0) {
		rv = mt_err_sys(err, errno,
				"could not enter \"%s\"%s%s; "
				"choose another --dir",
				d->dir, d->user[0] != '\0' ? " as user " : "",
				d->user);
		goto close_programs;
	}
	rv = settle_programs(d, p, err);
close_programs:
	for (size_t i = 0; i < N_PROGRAMS; i++)
		if (p[i].fd >= 0)
			close(p[i].fd);
	return rv;
}

static bool keeping_logs; /* nftw has no argument to hand through */
static const char *root_of_removal;

static int
remove_cb(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	size_t n = strlen(path);

	(void)st;
	(void)ftw;
	if (strcmp(path, root_of_removal) == 0)
		return 0;
	if (keeping_logs && n > 4 && strcmp(path + n - 4, ".log") == 0)
		return 0;
	/* What does not go (a directory that still has logs) stays. */
	if (type == FTW_DP)
		rmdir(path);
	else
		unlink(path);
	return 0;
}

void
mt_demo_remove(struct mt_demo *d, bool keep_logs)
{
	if (d->dir[0] == '\0')
		return;
	keeping_logs = keep_logs;
	root_of_removal = d->dir;
	nftw(d->dir, remove_cb, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	if (d->made_dir && chdir("/") == 0)
		rmdir(d->dir); /* stays where logs are kept in it */
}
