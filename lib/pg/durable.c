/* SPDX-License-Identifier: PostgreSQL */
/*
 * What another program made is not on disk for that it said so: the filesystems
 * of the data directory, of linked WAL and of tablespaces are synced, with
 * whatever else lies on them. May take long and blocks. A link that leads
 * nowhere is PostgreSQL's to complain of.
 */
#include "pg/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int
sync_at(int at, const char *name, struct mt_err *err)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return mt_err_sys(err, errno, "could not open \"%s\"", name);
	if (syncfs(fd) < 0)
		rc = mt_err_sys(err, errno, "could not sync \"%s\"", name);
	close(fd);
	return rc;
}

int
mt_pg_dir_sync(const char *dir, struct mt_err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), at, rc;
	struct dirent *e;
	DIR *links;

	if (fd < 0)
		return mt_err_sys(err, errno, "could not open \"%s\"", dir);
	rc = sync_at(fd, ".", err);
	if (rc == 0)
		rc = sync_at(fd, "pg_wal", err);
	at = openat(fd, "pg_tblspc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(fd);
	if (at < 0)
		return rc;
	links = fdopendir(at);
	if (!links) {
		close(at);
		return rc ? rc : mt_err_set(err, MT_ENOMEM, "out of memory");
	}
	while (rc == 0 && (e = readdir(links)))
		if (e->d_name[0] != '.')
			rc = sync_at(at, e->d_name, err);
	closedir(links);
	return rc;
}
