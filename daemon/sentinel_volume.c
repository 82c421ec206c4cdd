/* SPDX-License-Identifier: PostgreSQL */
/*
 * The watcher of the data volume: writes a small file and syncs it, again and
 * again, and says so each time. A volume that hangs holds this program, and
 * nobody else; the daemon notices that it says nothing. A write that fails is
 * an answer, too: the volume does not hang. The kernel ends it with the daemon.
 */
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/sentinel.h"

static void
write_once(const char *path, uint64_t number)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	ssize_t written;

	if (fd < 0)
		return;
	written = pwrite(fd, &number, sizeof(number), 0);
	if (written > 0)
		(void)fsync(fd);
	close(fd);
}

int
mt_sentinel_volume(const char *path, int64_t every_ms)
{
	const struct timespec pause = {
	    .tv_sec = every_ms / 1000,
	    .tv_nsec = every_ms % 1000 * 1000000,
	};

	for (uint64_t number = 1;; number++) {
		write_once(path, number);
		if (write(STDOUT_FILENO, "written\n", 8) != 8)
			return 1; /* nobody listens any more */
		nanosleep(&pause, NULL);
	}
}
