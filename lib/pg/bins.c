/* SPDX-License-Identifier: PostgreSQL */
/*
 * Where PostgreSQL's programs are, and of which version they are.
 *
 * The directory is chosen once, at start: what the configuration says, else
 * PATH, else the newest version below /usr/lib/postgresql (Debian's place,
 * where PATH has only wrappers). A configured directory without the programs is
 * an error, never passed over. The version is asked of the server program
 * itself.
 */
#include "pg/bins.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "pg/command.h"

#define DEBIAN_DIR "/usr/lib/postgresql"

static const char *
name_of(const struct mt_pg_bins *b, const char *program)
{
	const struct {
		const char *usual, *name;
	} all[] = {
	    {"postgres", b->names.postgres},
	    {"initdb", b->names.initdb},
	    {"pg_controldata", b->names.pg_controldata},
	    {"pg_basebackup", b->names.pg_basebackup},
	    {"pg_rewind", b->names.pg_rewind},
	};

	for (size_t i = 0; i < MT_COUNT(all); i++)
		if (mt_streq(all[i].usual, program) && all[i].name[0] != '\0')
			return all[i].name;
	return program;
}

static bool
has_program(const char *dir, const char *program)
{
	char path[MT_PG_PATH_MAX + 64];

	return mt_format(path, sizeof(path), "%s/%s", dir, program) &&
	       access(path, X_OK) == 0;
}

/* The first program that we need and dir has not, or NULL. */
static const char *
missing_program(const struct mt_pg_bins *b, const char *dir)
{
	static const char *const needed[] = {"postgres", "initdb",
					     "pg_controldata", "pg_basebackup"};

	for (size_t i = 0; i < MT_COUNT(needed); i++)
		if (!has_program(dir, name_of(b, needed[i])))
			return name_of(b, needed[i]);
	return NULL;
}

static int
find_configured(struct mt_pg_bins *b, const char *dir, struct mt_err *err)
{
	const char *missing = missing_program(b, dir);

	if (missing)
		return mt_err_set(err, MT_ENOENT,
				  "there is no program \"%s\" in \"%s\", "
				  "correct postgresql.bin_dir",
				  missing, dir);
	if (!mt_copy(b->dir, sizeof(b->dir), dir))
		return mt_err_set(err, MT_EINVAL,
				  "postgresql.bin_dir is too long");
	return 0;
}

/* dir, or where its postgres is linked to: somebody may have linked one or two
 * of the programs only. */
static bool
try_dir(struct mt_pg_bins *b, const char *dir)
{
	char path[MT_PG_PATH_MAX + 64], *real, *slash;
	bool found = false;

	if (!has_program(dir, name_of(b, "postgres")))
		return false;
	if (!missing_program(b, dir))
		return mt_copy(b->dir, sizeof(b->dir), dir);
	mt_format(path, sizeof(path), "%s/%s", dir, name_of(b, "postgres"));
	real = realpath(path, NULL);
	slash = real ? strrchr(real, '/') : NULL;
	if (slash) {
		*slash = '\0';
		found = !missing_program(b, real) &&
			mt_copy(b->dir, sizeof(b->dir), real);
	}
	free(real);
	return found;
}

static bool
find_in_path(struct mt_pg_bins *b)
{
	const char *path = getenv("PATH");
	char dir[MT_PG_PATH_MAX];
	size_t n;

	for (; path && *path; path += n + (path[n] == ':')) {
		n = strcspn(path, ":");
		if (n == 0 || n >= sizeof(dir) || path[0] != '/')
			continue;
		memcpy(dir, path, n);
		dir[n] = '\0';
		if (try_dir(b, dir))
			return true;
	}
	return false;
}

static bool
find_newest(struct mt_pg_bins *b)
{
	DIR *d = opendir(DEBIAN_DIR);
	struct dirent *e;
	char dir[MT_PG_PATH_MAX];
	long major, best = 0;
	char *end;

	if (!d)
		return false;
	while ((e = readdir(d))) {
		major = strtol(e->d_name, &end, 10);
		if (end == e->d_name || *end || major <= best)
			continue;
		if (mt_format(dir, sizeof(dir), DEBIAN_DIR "/%ld/bin", major) &&
		    !missing_program(b, dir)) {
			best = major;
			mt_copy(b->dir, sizeof(b->dir), dir);
		}
	}
	closedir(d);
	return best > 0;
}

int
mt_pg_bins_find(struct mt_pg_bins *bins, const char *bin_dir,
		struct mt_err *err)
{
	if (bin_dir && bin_dir[0])
		return find_configured(bins, bin_dir, err);
	if (find_in_path(bins) || find_newest(bins))
		return 0;
	return mt_err_set(err, MT_ENOENT,
			  "could not find PostgreSQL's programs in PATH or "
			  "below \"" DEBIAN_DIR "\", install PostgreSQL or set "
			  "postgresql.bin_dir");
}

void
mt_pg_bins_arg(struct mt_argv *argv, const struct mt_pg_bins *bins,
	       const char *program)
{
	mt_argv_add(argv, "%s/%s", bins->dir, name_of(bins, program));
}

int
mt_pg_version_parse(const char *text, int *version_num)
{
	const char *p = strstr(text, "(PostgreSQL) ");
	int major, minor = 0, n = 0;

	if (!p)
		return MT_EPROTO;
	p += strlen("(PostgreSQL) ");
	/* A development version has no dot: "19devel", "18beta1". */
	if (sscanf(p, "%4d%n", &major, &n) != 1 || major < 10)
		return MT_EPROTO;
	if (p[n] == '.' && sscanf(p + n + 1, "%4d", &minor) != 1)
		return MT_EPROTO;
	if (minor < 0 || minor > 9999)
		return MT_EPROTO;
	*version_num = major * 10000 + minor;
	return 0;
}

struct ask {
	struct mt_pg_bins *bins;
	mt_pg_bins_cb cb;
	void *arg;
	int version_num;
};

static void
version_line(void *arg, bool is_stderr, const char *line)
{
	struct ask *a = arg;

	if (!is_stderr && a->version_num == 0 &&
	    mt_pg_version_parse(line, &a->version_num) < 0)
		a->version_num = 0;
}

static void
version_exit(void *arg, const struct mt_child_result *r)
{
	struct ask *a = arg;
	struct mt_err err = r->err;

	if (err.code == 0 && a->version_num == 0)
		mt_err_set(&err, MT_EPROTO,
			   "\"%s/postgres --version\" does not tell a version",
			   a->bins->dir);
	if (err.code == 0)
		a->bins->version_num = a->version_num;
	a->cb(a->arg, err.code ? &err : NULL);
	free(a);
}

int
mt_pg_bins_version(struct mt_pg_bins *bins, uv_loop_t *loop, mt_pg_bins_cb cb,
		   void *arg, struct mt_err *err)
{
	struct ask *a = calloc(1, sizeof(*a));
	struct mt_argv argv = {0};
	struct mt_child *child;
	int rc;

	mt_pg_bins_arg(&argv, bins, "postgres");
	mt_argv_add(&argv, "--version");
	if (!a || argv.bad) {
		rc = mt_err_set(err, MT_ENOMEM, "out of memory");
	} else {
		*a = (struct ask){.bins = bins, .cb = cb, .arg = arg};
		rc = mt_child_start(&child, loop,
				    &(struct mt_child_options){
					.argv = argv.v,
					.timeout_ms = 5000,
					.on_line = version_line,
					.on_exit = version_exit,
					.arg = a,
				    },
				    err);
	}
	mt_argv_free(&argv);
	if (rc)
		free(a);
	return rc;
}
