/* SPDX-License-Identifier: PostgreSQL */
/*
 * Secrets from files. Happy path: each file is read with the configuration, at
 * the start and with every reload, and its line becomes a part of the tree
 * under the secret's own path: who uses the secret does not know where it is
 * from. The part has the file's name, which is all that is ever shown of it.
 *
 * Failure modes: a file that cannot be read, or that others may read, is an
 * error at the option that names it, so that a daemon with it does not start
 * and a reload changes nothing. Who reads the configuration only to find a node
 * (src->is_lenient) goes on without it, with a warning. Does not watch files.
 */
#include "conf/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/source.h"

#define PATH_BYTES 1024
#define OPTION_BYTES 256

/* ---- one file ---- */

static bool
find_in(char *path, size_t size, const char *dir, const char *name)
{
	return dir != NULL && dir[0] != '\0' &&
	       mt_format(path, size, "%s/%s", dir, name) &&
	       access(path, F_OK) == 0;
}

static int
find_file(char *path, size_t size, const char *name, const char *dir,
	  struct mt_err *err)
{
	if (name[0] == '/')
		return mt_copy(path, size, name)
			   ? 0
			   : mt_err_set(err, MT_EINVAL, "its name is too long");
	if (find_in(path, size, getenv("CREDENTIALS_DIRECTORY"), name) ||
	    find_in(path, size, dir, name))
		return 0;
	return mt_err_set(err, MT_EINVAL,
			  "there is no \"%s\" in $CREDENTIALS_DIRECTORY or "
			  "beside the configuration",
			  name);
}

/* Its bytes, at most size; -1: err says why. */
static ssize_t
read_file(const char *path, char *buf, size_t size, struct mt_err *err)
{
	/* A named pipe must not make the reader wait. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t n = -1, got = 1;

	if (fd < 0 || fstat(fd, &st) != 0) {
		mt_err_sys(err, errno, "could not open \"%s\"", path);
	} else if (!S_ISREG(st.st_mode)) {
		mt_err_set(err, MT_EINVAL, "\"%s\" is not a plain file", path);
	} else if ((st.st_mode & 06) != 0) {
		mt_err_set(err, MT_EINVAL,
			   "everybody may read or write \"%s\"; take that away "
			   "by \"chmod o= %s\"",
			   path, path);
	} else {
		for (n = 0; got > 0 && (size_t)n < size; n += got) {
			got = read(fd, buf + n, size - (size_t)n);
			if (got < 0)
				break;
		}
		if (got < 0) {
			mt_err_sys(err, errno, "could not read \"%s\"", path);
			n = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	return n;
}

static int
read_line(char *buf, const char *path, struct mt_err *err)
{
	ssize_t n = read_file(path, buf, MT_SECRET_MAX, err);

	if (n < 0)
		return MT_EINVAL;
	if (n == MT_SECRET_MAX)
		return mt_err_set(err, MT_EINVAL,
				  "\"%s\" has more than %d bytes", path,
				  MT_SECRET_MAX - 1);
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	if (n > 0 && buf[n - 1] == '\r')
		n--;
	buf[n] = '\0';
	if (n == 0)
		return mt_err_set(err, MT_EINVAL, "\"%s\" is empty", path);
	for (ssize_t i = 0; i < n; i++)
		if ((unsigned char)buf[i] < 0x20 || buf[i] == 0x7f)
			return mt_err_set(err, MT_EINVAL,
					  "\"%s\" is not one line of text",
					  path);
	return 0;
}

int
mt_secret_read(char *buf, const char *name, const char *dir, struct mt_err *err)
{
	char path[PATH_BYTES];
	int rv = find_file(path, sizeof(path), name, dir, err);

	if (rv == 0)
		rv = read_line(buf, path, err);
	if (rv != 0)
		explicit_bzero(buf, MT_SECRET_MAX);
	return rv != 0 ? MT_EINVAL : 0;
}

/* ---- in the tree ---- */

const struct mt_option *
mt_secret_file_of(const struct mt_option *o)
{
	char path[OPTION_BYTES];

	if (o->type != MT_OPT_SECRET ||
	    !mt_format(path, sizeof(path), "%s_file", o->path))
		return NULL;
	return mt_option_find(MT_OPT_LOCAL, path);
}

/* The folder of the file that sets a path, or NULL: a variable does. */
static const char *
folder_of(const struct mt_conf_source *src, const char *path, char *buf,
	  size_t size)
{
	const struct mt_yaml_place *place;
	const struct mt_conf_part *part =
	    mt_conf_source_part(src, path, src->n, &place);
	char *slash;

	if (part == NULL || part->is_variable ||
	    !mt_copy(buf, size, part->name))
		return NULL;
	slash = strrchr(buf, '/');
	if (slash == NULL)
		mt_copy(buf, size, ".");
	else
		slash[slash == buf] = '\0';
	return buf;
}

static void
complain(struct mt_conf_source *src, const char *path, bool is_error,
	 const struct mt_err *err)
{
	if (is_error && !src->is_lenient)
		mt_conf_fail(src, path, "\"%s\": %s", path, err->text);
	else
		mt_conf_warn(src, path, "\"%s\": %s; it is ignored", path,
			     err->text);
}

/* Both are given: does what stands in the tree win? */
static bool
inline_wins(struct mt_conf_source *src, const char *path, const char *file)
{
	const struct mt_yaml_place *place;
	const struct mt_conf_part *here, *there;

	if (mt_conf_lookup(src->root, path) == NULL)
		return false;
	here = mt_conf_source_part(src, path, src->n, &place);
	there = mt_conf_source_part(src, file, src->n, &place);
	if (here != there)
		return here > there;
	mt_conf_fail(src, file,
		     "\"%s\" and \"%s\" are both given; take one of them away",
		     file, path);
	return true;
}

static void
add_secret(struct mt_conf_source *src, const struct mt_option *o,
	   const struct mt_option *file)
{
	const json_t *name = mt_conf_lookup(src->root, file->path), *v;
	char secret[MT_SECRET_MAX], dir[PATH_BYTES];
	struct mt_err err;

	if (!json_is_string(name))
		return; /* not given, or a wrong type, which was told */
	if (inline_wins(src, o->path, file->path)) {
		mt_conf_source_drop(src, file->path);
		return;
	}
	if (mt_secret_read(secret, json_string_value(name),
			   folder_of(src, file->path, dir, sizeof(dir)),
			   &err) != 0) {
		complain(src, file->path, o->effective, &err);
		return;
	}
	v = json_string(secret);
	explicit_bzero(secret, sizeof(secret));
	if (v == NULL) {
		mt_err_set(&err, MT_EINVAL, "\"%s\" is not UTF-8",
			   json_string_value(name));
		complain(src, file->path, o->effective, &err);
		return;
	}
	mt_conf_source_put(src, json_string_value(name), true, o->path,
			   (json_t *)v);
	src->parts[src->n - 1].is_secret = true;
}

void
mt_conf_secrets(struct mt_conf_source *src)
{
	size_t n;
	const struct mt_option *o = mt_options(&n), *file;

	for (; n-- > 0; o++) {
		file = mt_secret_file_of(o);
		if (file != NULL)
			add_secret(src, o, file);
	}
}

void
mt_conf_secret_in(struct mt_conf_source *src, const char *path, json_t *object)
{
	json_t *name = json_object_get(object, "password_file");
	char file[OPTION_BYTES], secret[MT_SECRET_MAX], dir[PATH_BYTES];
	struct mt_err err;

	if (name == NULL || json_is_null(name))
		return;
	mt_format(file, sizeof(file), "%s.password_file", path);
	if (!json_is_string(name)) {
		mt_conf_fail(src, file, "\"%s\" must be text", file);
	} else if (json_is_string(json_object_get(object, "password"))) {
		mt_conf_fail(src, file,
			     "\"%s\" and \"%s.password\" are both given; take "
			     "one of them away",
			     file, path);
	} else if (mt_secret_read(secret, json_string_value(name),
				  folder_of(src, file, dir, sizeof(dir)),
				  &err) != 0) {
		complain(src, file, true, &err);
	} else {
		json_object_set_new(object, "password", json_string(secret));
		json_object_del(object, "password_file");
		explicit_bzero(secret, sizeof(secret));
	}
}
