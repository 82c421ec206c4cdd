/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a sentinel is started with: its program, arguments and environment; and
 * how a running one is reached by its socket's path.
 *
 * The environment is PostgreSQL's too: everything that PostgreSQL must not see
 * is left out here, so that the sentinel does not hold it either. Unknown
 * variables pass, because archive commands live on them.
 *
 * Failure is an error of the system or no memory; nothing is kept then.
 * It starts nothing: guard.c does.
 */
#include "daemon/guard_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ARGS_MAX 20 /* those before the postmaster's own */

static bool
is_hidden(const char *var)
{
	/* Ours, the store's, and systemd's hand-over to this very process. */
	static const char *const prefixes[] = {
	    "PATRONI_", "MATRIARCH_", "KUBERNETES_",
	    "LISTEN_",  "WATCHDOG_",  "MEMORY_PRESSURE_"};
	/* libpq's defaults would steer the walreceiver and dblink. */
	static const char *const names[] = {"NOTIFY_SOCKET",
					    "INVOCATION_ID",
					    "JOURNAL_STREAM",
					    "SYSTEMD_EXEC_PID",
					    "MAINPID",
					    "CREDENTIALS_DIRECTORY",
					    "PG_GRANDPARENT_PID",
					    "PG_MALLOC_ARENA_MAX",
					    "PGDATA",
					    "PGHOST",
					    "PGHOSTADDR",
					    "PGPORT",
					    "PGDATABASE",
					    "PGUSER",
					    "PGPASSWORD",
					    "PGPASSFILE",
					    "PGREQUIREAUTH",
					    "PGCHANNELBINDING",
					    "PGSERVICE",
					    "PGSERVICEFILE",
					    "PGOPTIONS",
					    "PGAPPNAME",
					    "PGSSLMODE",
					    "PGREQUIRESSL",
					    "PGSSLCOMPRESSION",
					    "PGSSLCERT",
					    "PGSSLKEY",
					    "PGSSLPASSWORD",
					    "PGSSLROOTCERT",
					    "PGSSLCRL",
					    "PGSSLCRLDIR",
					    "PGSSLSNI",
					    "PGSSLNEGOTIATION",
					    "PGSSLCERTMODE",
					    "PGREQUIREPEER",
					    "PGSSLMINPROTOCOLVERSION",
					    "PGSSLMAXPROTOCOLVERSION",
					    "PGGSSENCMODE",
					    "PGKRBSRVNAME",
					    "PGGSSLIB",
					    "PGGSSDELEGATION",
					    "PGCONNECT_TIMEOUT",
					    "PGCLIENTENCODING",
					    "PGTARGETSESSIONATTRS",
					    "PGLOADBALANCEHOSTS",
					    "PGDATESTYLE",
					    "PGTZ"};
	size_t len = strcspn(var, "="), i;

	for (i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		if (strncmp(var, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	}
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strlen(names[i]) == len && strncmp(var, names[i], len) == 0)
			return true;
	}
	return false;
}

char **
guard__make_env(char *parent, char *arena)
{
	char **env, **p;
	size_t count = 0, i;

	for (p = environ; *p != NULL; p++)
		count++;
	env = calloc(count + 3, sizeof(*env));
	if (env == NULL)
		return NULL;
	for (i = 0, p = environ; *p != NULL; p++) {
		if (!is_hidden(*p) &&
		    (arena == NULL ||
		     strncmp(*p, "MALLOC_ARENA_MAX=", 17) != 0))
			env[i++] = *p;
	}
	env[i++] = parent;
	if (arena != NULL)
		env[i++] = arena;
	return env;
}

char **
guard__make_args(const struct mt_guard_options *o, char *program,
		 char nums[GUARD__NUMS][32])
{
	static char fd[] = "--fd=3";
	size_t argc = 0, i = 0;
	char **args;

	while (o->argv != NULL && o->argv[argc] != NULL)
		argc++;
	args = calloc(argc + ARGS_MAX, sizeof(*args));
	if (args == NULL)
		return NULL;
	args[i++] = program;
	args[i++] = fd;
	args[i++] = (char *)"--socket";
	args[i++] = (char *)o->sock_path;
	if (o->log_path != NULL) {
		args[i++] = (char *)"--log";
		args[i++] = (char *)o->log_path;
	}
	if (o->cwd != NULL) {
		args[i++] = (char *)"--cwd";
		args[i++] = (char *)o->cwd;
	}
	snprintf(nums[0], 32, "--deadline=%lld", (long long)o->deadline_ms);
	args[i++] = nums[0];
	if (o->watch_pid > 0) {
		snprintf(nums[1], 32, "--watch=%ld", (long)o->watch_pid);
		snprintf(nums[2], 32, "--ticks=%llu",
			 (unsigned long long)o->watch_ticks);
		args[i++] = nums[1];
		args[i++] = nums[2];
		return args;
	}
	args[i++] = (char *)"--";
	if (argc > 0)
		memcpy(args + i, o->argv, argc * sizeof(*args));
	return args;
}

/* Through a descriptor of its directory: a path may be longer than what a
 * socket address holds. */
int
guard__connect_socket(const char *path, struct mt_err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	int dir_fd, fd, rv, code;

	snprintf(dir, sizeof(dir), "%.*s",
		 slash == NULL ? 1 : (int)(slash - path) + 1,
		 slash == NULL ? "." : path);
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return mt_err_sys(err, errno, "could not open directory \"%s\"",
				  dir);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/%.64s",
		 dir_fd, slash == NULL ? path : slash + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rv = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	code = errno;
	close(dir_fd);
	if (rv == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	if (code == ENOENT || code == ECONNREFUSED)
		return mt_err_set(err, MT_ENOENT,
				  "no sentinel is behind \"%s\"", path);
	return mt_err_sys(err, code, "could not connect to \"%s\"", path);
}

int
mt_guard_find_sentinel(char *buf, size_t size, struct mt_err *err)
{
	static const char name[] = "matriarch-sentinel";
	char self[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return mt_err_sys(err, errno, "could not read /proc/self/exe");
	self[n] = '\0';
	slash = strrchr(self, '/');
	*slash = '\0';
	snprintf(buf, size, "%s/%s", self, name);
	if (access(buf, X_OK) == 0)
		return 0;
#ifdef MT_LIBEXECDIR
	snprintf(buf, size, "%s/%s", MT_LIBEXECDIR, name);
	if (access(buf, X_OK) == 0)
		return 0;
#endif
	snprintf(buf, size, "%s/../libexec/%s", self, name);
	if (access(buf, X_OK) == 0)
		return 0;
	return mt_err_set(err, MT_ENOENT,
			  "could not find program \"%s\" beside \"%s\" or in "
			  "libexec; install it again",
			  name, self);
}
