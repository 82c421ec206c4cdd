/* SPDX-License-Identifier: PostgreSQL */
/*
 * Small files: written whole and durably, read bounded, and what the data
 * directory and the files of the node say about themselves.
 *
 * A write goes to "<path>.tmp", is fsynced, renamed over the old file, and the
 * directory is fsynced: after a crash the old or the new content is there. All
 * failures are returned, none is logged. This file does not know what stands in
 * the configuration files: confwrite.c does.
 */
#include "pg/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define PATH_BYTES (MT_CONF_PATH_MAX + 64)

static int
sync_dir_of(const char *path, struct mt_err *err)
{
	char dir[PATH_BYTES];
	char *slash;
	int fd, rc = 0;

	mt_copy(dir, sizeof(dir), path);
	slash = strrchr(dir, '/');
	if (!slash)
		mt_copy(dir, sizeof(dir), ".");
	else
		slash[slash == dir] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return mt_err_sys(err, errno, "could not open \"%s\"", dir);
	if (fsync(fd) < 0)
		rc = mt_err_sys(err, errno, "could not fsync \"%s\"", dir);
	close(fd);
	return rc;
}

static int
write_all(int fd, const char *p, size_t n)
{
	ssize_t done;

	while (n) {
		done = write(fd, p, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

int
mt_file_write(const char *path, const void *data, size_t n, mode_t mode,
	      struct mt_err *err)
{
	char tmp[PATH_BYTES];
	int fd, rc = 0;

	if (!mt_format(tmp, sizeof(tmp), "%s.tmp", path))
		return mt_err_set(err, MT_EINVAL,
				  "path \"%.64s...\" is too "
				  "long",
				  path);
	/* Never write into what a link or an old descriptor leads to. */
	if (unlink(tmp) < 0 && errno != ENOENT)
		return mt_err_sys(err, errno, "could not remove \"%s\"", tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return mt_err_sys(err, errno, "could not create \"%s\"", tmp);
	if (write_all(fd, data, n) < 0 || fchmod(fd, mode) < 0)
		rc = mt_err_sys(err, errno, "could not write \"%s\"", tmp);
	if (rc == 0 && fsync(fd) < 0)
		rc = mt_err_sys(err, errno, "could not fsync \"%s\"", tmp);
	close(fd);
	if (rc == 0 && rename(tmp, path) < 0)
		rc = mt_err_sys(err, errno, "could not rename \"%s\" to \"%s\"",
				tmp, path);
	if (rc == 0)
		return sync_dir_of(path, err);
	unlink(tmp);
	return rc;
}

int
mt_file_read(const char *path, size_t max, char **data, size_t *n,
	     struct mt_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	size_t used = 0, cap = 4096;
	char *p, *q;
	ssize_t got = 1;

	if (fd < 0 && errno == ENOENT)
		return mt_err_set(err, MT_ENOENT, "there is no \"%s\"", path);
	if (fd < 0)
		return mt_err_sys(err, errno, "could not open \"%s\"", path);
	p = malloc(cap + 1);
	while (p && rc == 0 && got) {
		if (used == cap) {
			q = cap > max ? NULL : realloc(p, cap * 2 + 1);
			if (!q)
				break;
			p = q;
			cap *= 2;
		}
		got = read(fd, p + used, cap - used);
		if (got < 0 && errno != EINTR)
			rc = mt_err_sys(err, errno, "could not read \"%s\"",
					path);
		else if (got > 0)
			used += (size_t)got;
		else if (got < 0)
			got = 1;
	}
	close(fd);
	if (rc == 0 && !p)
		rc = mt_err_set(err, MT_ENOMEM, "out of memory");
	if (rc == 0 && (used > max || got))
		rc = mt_err_set(err, MT_EIO, "\"%s\" has more than %zu bytes",
				path, max);
	if (rc) {
		free(p);
		return rc;
	}
	p[used] = '\0';
	*data = p;
	if (n)
		*n = used;
	return 0;
}

int
mt_file_renew(const char *path, const void *data, size_t n, mode_t mode,
	      bool *changed, struct mt_err *err)
{
	char *old = NULL;
	size_t old_n = 0;
	bool same = mt_file_read(path, n, &old, &old_n, NULL) == 0 &&
		    old_n == n && memcmp(old, data, n) == 0;

	free(old);
	if (same)
		return 0;
	if (changed)
		*changed = true;
	return mt_file_write(path, data, n, mode, err);
}

int
mt_file_remove(const char *path, struct mt_err *err)
{
	if (unlink(path) == 0)
		return sync_dir_of(path, err);
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	return mt_err_sys(err, errno, "could not remove \"%s\"", path);
}

bool
mt_file_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static bool
exists_in(const char *dir, const char *name)
{
	char path[PATH_BYTES];

	return mt_format(path, sizeof(path), "%s/%s", dir, name) &&
	       mt_file_exists(path);
}

int
mt_pg_dir_classify(const char *dir, enum mt_pg_dir *kind, struct mt_err *err)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	bool empty = true;

	if (!d && errno == ENOENT) {
		*kind = MT_PG_DIR_ABSENT;
		return 0;
	}
	if (!d)
		return mt_err_sys(err, errno, "could not open \"%s\"", dir);
	errno = 0;
	while (empty && (e = readdir(d)))
		empty = mt_streq(e->d_name, ".") || mt_streq(e->d_name, "..") ||
			mt_streq(e->d_name, "lost+found");
	closedir(d);
	if (empty)
		*kind = MT_PG_DIR_EMPTY;
	else if (exists_in(dir, "PG_VERSION") &&
		 exists_in(dir, "global/pg_control"))
		*kind = MT_PG_DIR_CLUSTER;
	else
		*kind = MT_PG_DIR_FOREIGN;
	return 0;
}

mode_t
mt_pg_file_mode(const char *dir)
{
	struct stat st;

	return stat(dir, &st) == 0 && (st.st_mode & 050) == 050 ? 0640 : 0600;
}

int
mt_pg_dir_major(const char *dir, int *major, struct mt_err *err)
{
	char path[PATH_BYTES], *text, *end;
	long n;
	int rc;

	mt_format(path, sizeof(path), "%s/PG_VERSION", dir);
	rc = mt_file_read(path, 64, &text, NULL, err);
	if (rc)
		return rc;
	n = strtol(text, &end, 10);
	if (end == text || (*end != '\n' && *end != '\0') || n < 10 || n > 999)
		rc = mt_err_set(err, MT_EIO,
				"\"%s\" holds no version that is "
				"supported",
				path);
	else
		*major = (int)n;
	free(text);
	return rc;
}

/* The next line of *text into buf; false at the end or where it does not fit.
 */
static bool
next_line(const char **text, char *buf, size_t size)
{
	size_t n = strcspn(*text, "\n");
	bool fits = n < size;

	if (!**text)
		return false;
	if (fits) {
		memcpy(buf, *text, n);
		while (n && (buf[n - 1] == ' ' || buf[n - 1] == '\r'))
			n--;
		buf[n] = '\0';
	}
	n = strcspn(*text, "\n");
	*text += n + ((*text)[n] == '\n');
	return fits;
}

int
mt_pg_pidfile_parse(struct mt_pg_pidfile *f, const char *text,
		    struct mt_err *err)
{
	struct mt_pg_pidfile r = {0};
	char line[MT_CONF_PATH_MAX], *end;
	long n;

	errno = 0;
	if (!next_line(&text, line, sizeof(line)) ||
	    (n = strtol(line, &end, 10), end == line || *end) || errno ||
	    n == 0 || n > INT32_MAX || n < -INT32_MAX)
		return mt_err_set(err, MT_EIO,
				  "postmaster.pid does not begin with a pid");
	r.pid = (pid_t)n;
	if (next_line(&text, r.data_dir, sizeof(r.data_dir)) &&
	    next_line(&text, line, sizeof(line))) {
		r.start_s = strtoll(line, NULL, 10);
		if (next_line(&text, line, sizeof(line))) {
			n = strtol(line, NULL, 10);
			r.port = n > 0 && n < 65536 ? (uint16_t)n : 0;
		}
		/* Line 5 socket directory, 6 address, 7 shared memory, 8 status
		 */
		if (next_line(&text, r.socket_dir, sizeof(r.socket_dir)) &&
		    next_line(&text, r.listen, sizeof(r.listen)) &&
		    next_line(&text, line, sizeof(line)))
			next_line(&text, r.status, sizeof(r.status));
	}
	*f = r;
	return 0;
}

int
mt_pg_pidfile_read(struct mt_pg_pidfile *f, const char *dir, struct mt_err *err)
{
	char path[PATH_BYTES], *text;
	int rc;

	mt_format(path, sizeof(path), "%s/postmaster.pid", dir);
	rc = mt_file_read(path, 8192, &text, NULL, err);
	if (rc)
		return rc;
	rc = mt_pg_pidfile_parse(f, text, err);
	free(text);
	return rc;
}

/* A postmaster's working directory is its data directory. */
bool
mt_pg_dir_in_use(const char *dir)
{
	struct mt_pg_pidfile f;
	struct stat a, b;
	char path[64];
	pid_t pid;

	if (mt_pg_pidfile_read(&f, dir, NULL) < 0)
		return false;
	pid = f.pid < 0 ? -f.pid : f.pid;
	if (kill(pid, 0) < 0)
		return false;
	mt_format(path, sizeof(path), "/proc/%ld/cwd", (long)pid);
	return stat(path, &a) == 0 && stat(dir, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int
mt_pg_data_id_read(const char *dir, uint64_t *id, struct mt_err *err)
{
	char path[PATH_BYTES], *text;
	uint64_t v = 0;
	int n = 0, rc;

	mt_format(path, sizeof(path), "%s/matriarch.id", dir);
	rc = mt_file_read(path, 64, &text, NULL, err);
	if (rc)
		return rc;
	if (sscanf(text, "%16" SCNx64 "%n", &v, &n) != 1 || n != 16 ||
	    !mt_streq(text + n, "\n") || v == 0)
		rc = mt_err_set(err, MT_EIO, "\"%s\" is damaged", path);
	else
		*id = v;
	free(text);
	return rc;
}

int
mt_pg_data_id_write(const char *dir, uint64_t id, struct mt_err *err)
{
	char path[PATH_BYTES], text[32];

	mt_format(path, sizeof(path), "%s/matriarch.id", dir);
	mt_format(text, sizeof(text), "%016" PRIx64 "\n", id);
	return mt_file_write(path, text, strlen(text), mt_pg_file_mode(dir),
			     err);
}

int
mt_pg_unfinished_read(const char *raft_dir, char *what, size_t size,
		      struct mt_err *err)
{
	char path[PATH_BYTES], *text;
	int rc;

	mt_format(path, sizeof(path), "%s/unfinished", raft_dir);
	rc = mt_file_read(path, 256, &text, NULL, err);
	if (rc)
		return rc;
	text[strcspn(text, "\n")] = '\0';
	/* Damaged or not, it stands there: something is unfinished. */
	mt_copy(what, size, text[0] ? text : "unknown");
	free(text);
	return 0;
}

int
mt_pg_unfinished_set(const char *raft_dir, const char *what, struct mt_err *err)
{
	char path[PATH_BYTES], text[MT_PG_UNFINISHED_MAX];

	mt_format(path, sizeof(path), "%s/unfinished", raft_dir);
	mt_format(text, sizeof(text), "%s\n", what);
	return mt_file_write(path, text, strlen(text), 0600, err);
}

int
mt_pg_unfinished_clear(const char *raft_dir, struct mt_err *err)
{
	char path[PATH_BYTES];

	mt_format(path, sizeof(path), "%s/unfinished", raft_dir);
	return mt_file_remove(path, err);
}

bool
mt_pg_has_standby_signal(const char *dir)
{
	return exists_in(dir, "standby.signal");
}

int
mt_pg_standby_signal(const char *dir, bool wanted, struct mt_err *err)
{
	char standby[PATH_BYTES], recovery[PATH_BYTES];
	int rc;

	mt_format(standby, sizeof(standby), "%s/standby.signal", dir);
	mt_format(recovery, sizeof(recovery), "%s/recovery.signal", dir);
	if (!wanted)
		rc = mt_file_remove(standby, err);
	else if (!mt_file_exists(standby))
		rc = mt_file_write(standby, "", 0, mt_pg_file_mode(dir), err);
	else
		rc = 0;
	return rc ? rc : mt_file_remove(recovery, err);
}
