/* SPDX-License-Identifier: PostgreSQL */
/*
 * The log's file. Happy path: a line is appended by one write(2); before one
 * that would not fit the files are renamed, each to the next number, and a new
 * one begins. Failure modes: a volume that is full takes no line, and what it
 * took of one is cut off again; files that cannot be renamed let the old one
 * grow on. Who else renames or removes the file (logrotate) sends SIGHUP, which
 * opens it anew. Does not delete: a lower number of files leaves the older ones
 * where they are.
 */
#include "base/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

static int
open_file(const char *path, int mode, int *fd, int64_t *bytes,
	  struct mt_err *err)
{
	struct stat st;
	int got = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
		       mode < 0 ? 0666 : mode);

	/* The umask counts for a mode that was given no more than for chmod. */
	if (got < 0 || fstat(got, &st) != 0 ||
	    (mode >= 0 && (st.st_mode & 07777) != (mode_t)mode &&
	     fchmod(got, (mode_t)mode) != 0)) {
		int rv = mt_err_sys(err, errno, "could not %s \"%s\"",
				    got < 0 ? "open" : "set the mode of", path);

		if (got >= 0)
			close(got);
		return rv;
	}
	*fd = got;
	*bytes = st.st_size;
	return 0;
}

int
mt_log_file_open(struct mt_log_file *f, const char *dir, int mode,
		 struct mt_err *err)
{
	f->fd = -1;
	f->mode = mode;
	if (!mt_format(f->path, sizeof(f->path), "%s/%s", dir,
		       MT_LOG_FILE_NAME))
		return mt_err_set(err, MT_EINVAL, "a path is too long");
	return open_file(f->path, mode, &f->fd, &f->bytes, err);
}

/* number 0 is the file itself. */
static const char *
numbered(const struct mt_log_file *f, int64_t number, char *buf, size_t size)
{
	if (number == 0)
		mt_format(buf, size, "%s", f->path);
	else
		mt_format(buf, size, "%s.%" PRId64, f->path, number);
	return buf;
}

static int
shift(const struct mt_log_file *f, struct mt_err *err)
{
	char from[sizeof(f->path) + 32], to[sizeof(from)];
	int64_t first_free = 1;
	struct stat st;

	/* Only those up to a gap have to move. */
	while (first_free < f->keep &&
	       lstat(numbered(f, first_free, from, sizeof(from)), &st) == 0)
		first_free++;
	for (int64_t i = first_free; i > 0; i--) {
		numbered(f, i - 1, from, sizeof(from));
		numbered(f, i, to, sizeof(to));
		if (rename(from, to) != 0)
			return mt_err_sys(err, errno,
					  "could not rename \"%s\" to \"%s\"",
					  from, to);
	}
	return 0;
}

int
mt_log_file_rotate(struct mt_log_file *f, size_t n, struct mt_err *err)
{
	struct stat st;
	int fd, rv;

	if (f->keep <= 0 || f->rotate_bytes <= 0 ||
	    f->bytes + (int64_t)n <= f->rotate_bytes)
		return 0;
	/* Somebody else may have emptied it. */
	if (fstat(f->fd, &st) == 0 && st.st_size < f->bytes)
		f->bytes = st.st_size;
	if (f->bytes == 0 || f->bytes + (int64_t)n <= f->rotate_bytes)
		return 0;
	f->bytes = 0;
	rv = shift(f, err);
	if (rv == 0)
		rv = open_file(f->path, f->mode, &fd, &f->bytes, err);
	if (rv == 0) {
		close(f->fd);
		f->fd = fd;
	}
	return rv;
}

int
mt_log_file_write(struct mt_log_file *f, const void *p, size_t n,
		  struct mt_err *err)
{
	const char *at = p;
	size_t left = n;

	while (left > 0) {
		ssize_t k = write(f->fd, at, left);
		int code = errno;

		if (k < 0 && code == EINTR)
			continue;
		if (k <= 0) {
			struct stat st;

			/* half a line would spoil the next one, too */
			if (left < n && fstat(f->fd, &st) == 0 &&
			    ftruncate(f->fd, st.st_size - (off_t)(n - left)) !=
				0)
				f->bytes += (int64_t)(n - left);
			return mt_err_sys(err, k < 0 ? code : EIO,
					  "could not write to \"%s\"", f->path);
		}
		at += k;
		left -= (size_t)k;
	}
	f->bytes += (int64_t)n;
	return 0;
}

void
mt_log_file_close(struct mt_log_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}
