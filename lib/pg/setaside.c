/* SPDX-License-Identifier: PostgreSQL */
/*
 * A data directory that came to nothing is kept for people to look at, out of
 * the way: it gets the name <dir>.failed, and so do the targets of a linked
 * pg_wal and of tablespaces, whose links go along. What was set aside before is
 * removed. The first failure ends it: what lies where it did is the caller's
 * trouble, for a mount point cannot be renamed. May take long and blocks.
 */
#include "pg/files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

#define SUFFIX ".failed"
#define PATH_BYTES (MT_CONF_PATH_MAX + 300)

static int
make_way(const char *path, struct mt_err *err)
{
	int rc = mt_pg_dir_empty(path, err);

	if (rc == 0 && rmdir(path) < 0 && errno != ENOENT)
		rc = mt_err_sys(err, errno, "could not remove \"%s\"", path);
	return rc;
}

static int
move(const char *path, struct mt_err *err)
{
	char to[PATH_MAX];
	int rc;

	if (!mt_format(to, sizeof(to), "%s" SUFFIX, path))
		return mt_err_set(err, MT_EINVAL, "\"%s\" is too long", path);
	rc = make_way(to, err);
	if (rc == 0 && rename(path, to) < 0)
		rc = mt_err_sys(err, errno, "could not rename \"%s\" to \"%s\"",
				path, to);
	return rc;
}

/* A link within the directory: its target moves, and it points there. */
static int
move_target(const char *link, struct mt_err *err)
{
	char target[PATH_MAX - sizeof(SUFFIX)], to[PATH_MAX];
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	int rc;

	if (n <= 0 || target[0] != '/')
		return 0;
	target[n] = '\0';
	while (n > 1 && target[n - 1] == '/')
		target[--n] = '\0';
	mt_format(to, sizeof(to), "%s" SUFFIX, target);
	rc = move(target, err);
	if (rc == 0 && (unlink(link) < 0 || symlink(to, link) < 0))
		rc = mt_err_sys(err, errno, "could not renew the link \"%s\"",
				link);
	return rc;
}

int
mt_pg_dir_set_aside(const char *dir, struct mt_err *err)
{
	char path[PATH_BYTES];
	struct dirent *e;
	DIR *d;
	int rc;

	mt_format(path, sizeof(path), "%s/pg_wal", dir);
	rc = move_target(path, err);
	mt_format(path, sizeof(path), "%s/pg_tblspc", dir);
	d = opendir(path);
	while (d && rc == 0 && (e = readdir(d))) {
		mt_format(path, sizeof(path), "%s/pg_tblspc/%s", dir,
			  e->d_name);
		if (e->d_name[0] != '.')
			rc = move_target(path, err);
	}
	if (d)
		closedir(d);
	return rc ? rc : move(dir, err);
}
