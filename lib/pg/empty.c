/* SPDX-License-Identifier: PostgreSQL */
/*
 * Emptying a data directory.
 *
 * Removes what is in it depth first, with descriptors and without following
 * links, except three kinds: the link pg_wal (its target's contents go) and the
 * links in pg_tblspc (in their targets the directories PG_* go, which are what
 * PostgreSQL makes there). Directories themselves, the link targets included,
 * stay: they may be mount points. The first failure ends it; calling it again
 * goes on. The control file goes first, so that half a cluster is never taken
 * for one; before that the shared memory that a killed server of this directory
 * has left, which nobody could find any more. May take long and blocks.
 */
#include "pg/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/segments.h"
#include "base/text.h"

#define DEPTH_MAX 64

static bool
is_dots(const char *name)
{
	return mt_streq(name, ".") || mt_streq(name, "..");
}

/* What dirfd/name is, without following; 0 = it is gone. */
static mode_t
type_of(int at, const char *name)
{
	struct stat st;

	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return st.st_mode & S_IFMT;
}

static DIR *
open_dir(int at, const char *name, int flags)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
	DIR *d;

	if (fd < 0)
		return NULL;
	d = fdopendir(fd);
	if (!d)
		close(fd);
	return d;
}

/* Remove the contents of d, and close it; only names that begin with prefix. */
static int
remove_contents(DIR *d, const char *prefix, int depth, struct mt_err *err)
{
	int fd = dirfd(d), rc = 0;
	struct dirent *e;
	DIR *sub;

	if (depth > DEPTH_MAX)
		rc = mt_err_set(err, MT_EIO,
				"directories are nested deeper "
				"than %d",
				DEPTH_MAX);
	while (rc == 0 && (errno = 0, e = readdir(d))) {
		if (is_dots(e->d_name) ||
		    strncmp(e->d_name, prefix, strlen(prefix)) != 0 ||
		    (depth == 0 && mt_streq(e->d_name, "lost+found")))
			continue;
		if (type_of(fd, e->d_name) != S_IFDIR) {
			if (unlinkat(fd, e->d_name, 0) < 0 && errno != ENOENT)
				rc = mt_err_sys(err, errno,
						"could not remove "
						"\"%s\"",
						e->d_name);
			continue;
		}
		sub = open_dir(fd, e->d_name, O_NOFOLLOW);
		if (!sub) {
			rc = mt_err_sys(err, errno, "could not open \"%s\"",
					e->d_name);
			continue;
		}
		rc = remove_contents(sub, "", depth + 1, err);
		if (rc == 0 && unlinkat(fd, e->d_name, AT_REMOVEDIR) < 0 &&
		    errno != ENOENT)
			rc = mt_err_sys(err, errno,
					"could not remove the "
					"directory \"%s\"",
					e->d_name);
	}
	closedir(d);
	return rc;
}

static int
empty_target(int at, const char *name, const char *prefix, struct mt_err *err)
{
	DIR *d;
	int rc;

	if (type_of(at, name) != S_IFLNK)
		return 0;
	d = open_dir(at, name, 0);
	if (!d && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!d)
		return mt_err_sys(err, errno,
				  "could not open what \"%s\" "
				  "links to",
				  name);
	rc = remove_contents(d, prefix, 0, err);
	if (rc)
		mt_err_prefix(err, "target of link \"%s\"", name);
	return rc;
}

static int
empty_tablespaces(int at, struct mt_err *err)
{
	DIR *d = open_dir(at, "pg_tblspc", O_NOFOLLOW);
	struct dirent *e;
	int rc = 0;

	if (!d)
		return 0;
	while (rc == 0 && (e = readdir(d)))
		if (!is_dots(e->d_name))
			rc = empty_target(dirfd(d), e->d_name, "PG_", err);
	closedir(d);
	return rc;
}

/* A server that was stopped in order has removed its own, and its pid file. */
static void
remove_segment(const char *dir)
{
	struct mt_pg_pidfile f;

	if (mt_pg_pidfile_read(&f, dir, NULL) == 0 && f.pid > 0 &&
	    kill(f.pid, 0) < 0 && errno == ESRCH)
		mt_segments_remove(f.pid);
}

int
mt_pg_dir_empty(const char *dir, struct mt_err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
	DIR *d;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return mt_err_sys(err, errno, "could not open \"%s\"", dir);
	remove_segment(dir);
	if (unlinkat(fd, "global/pg_control", 0) < 0 && errno != ENOENT &&
	    errno != ENOTDIR)
		rc = mt_err_sys(err, errno, "could not remove \"pg_control\"");
	else
		rc = empty_tablespaces(fd, err);
	if (rc == 0)
		rc = empty_target(fd, "pg_wal", "", err);
	if (rc == 0) {
		d = open_dir(fd, ".", 0);
		rc = d ? remove_contents(d, "", 0, err)
		       : mt_err_sys(err, errno, "could not read it");
	}
	if (rc == 0 && fsync(fd) < 0)
		rc = mt_err_sys(err, errno, "could not fsync it");
	close(fd);
	if (rc)
		mt_err_prefix(err, "could not empty \"%s\"", dir);
	return rc;
}
