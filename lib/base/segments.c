/* SPDX-License-Identifier: PostgreSQL */
/*
 * Happy path: the kernel's table of segments is walked by index (SHM_STAT of
 * Linux), and what fits is removed. A segment that vanishes between two calls,
 * or that is somebody else's, is passed over. It does not wait for anybody to
 * detach.
 */
#include "base/segments.h"

#include <stddef.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

int
mt_segments_remove(pid_t creator)
{
	/* the kernel writes a shm_info, whose size both types hold */
	union {
		struct shmid_ds ds;
		struct shm_info info;
	} u;
	int last = shmctl(0, SHM_INFO, &u.ds), n = 0;

	for (int i = 0; i <= last; i++) {
		int id = shmctl(i, SHM_STAT, &u.ds);

		if (id >= 0 && u.ds.shm_cpid == creator &&
		    u.ds.shm_nattch == 0 && u.ds.shm_perm.uid == geteuid() &&
		    shmctl(id, IPC_RMID, NULL) == 0)
			n++;
	}
	return n;
}
