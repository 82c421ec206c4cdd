/* SPDX-License-Identifier: PostgreSQL */
/*
 * Directories that a server needs besides its data: those of its sockets, which
 * a reboot may have taken with /run, and that of the statistics before version
 * 15. Each is looked at before a start, so that what is wrong is told by its
 * name rather than by a server that does not come up. Synchronous.
 */
#include "pg/rundirs.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/conf.h"

static int
make_dir(char *path, const char *parameter, mode_t mode, struct mt_err *err)
{
	struct stat st;

	for (char *p = path + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		(void)mkdir(path, 0755); /* what that means shows below */
		*p = '/';
	}
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return mt_err_sys(err, errno,
				  "could not make the directory \"%s\" of "
				  "\"%s\"",
				  path, parameter);
	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return mt_err_set(err, MT_EINVAL,
				  "\"%s\" of \"%s\" is no directory; give "
				  "another one",
				  path, parameter);
	if (access(path, W_OK | X_OK) < 0)
		return mt_err_sys(err, errno,
				  "the directory \"%s\" of \"%s\" cannot be "
				  "written by the user of the daemon, who runs "
				  "PostgreSQL",
				  path, parameter);
	return 0;
}

/* One of the list, or the whole; not that of a socket without a file. */
static int
need_dir(const char *data_dir, const char *dir, size_t n, const char *parameter,
	 mode_t mode, struct mt_err *err)
{
	char path[2 * MT_CONF_PATH_MAX];

	while (n > 0 && strchr(" \"", dir[n - 1]) != NULL)
		n--;
	if (n == 0 || dir[0] == '@')
		return 0;
	if (!mt_format(path, sizeof(path), "%s%s%.*s",
		       dir[0] == '/' ? "" : data_dir, dir[0] == '/' ? "" : "/",
		       (int)n, dir))
		return mt_err_set(err, MT_EINVAL,
				  "a directory of \"%s\" is too long",
				  parameter);
	return make_dir(path, parameter, mode, err);
}

int
mt_pg_run_dirs(const char *data_dir, const json_t *parameters,
	       struct mt_err *err)
{
	static const char sockets[] = "unix_socket_directories";
	static const char stats[] = "stats_temp_directory";
	const char *p = json_string_value(json_object_get(parameters, sockets));
	const char *s = json_string_value(json_object_get(parameters, stats));
	int rc = 0;

	while (rc == 0 && p != NULL && *p != '\0') {
		size_t n;

		p += strspn(p, " ,\"");
		n = strcspn(p, ",\"");
		rc = need_dir(data_dir, p, n, sockets, 0755, err);
		p += n;
	}
	if (rc == 0 && s != NULL)
		rc = need_dir(data_dir, s, strlen(s), stats, 0700, err);
	return rc;
}
