/* SPDX-License-Identifier: PostgreSQL */
/* What a dead process left goes; what somebody uses, or others made, stays. */
#include "base/segments.h"

#include <stdbool.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/unit/run.h"

static bool
exists(int id)
{
	struct shmid_ds ds;

	return shmctl(id, IPC_STAT, &ds) == 0;
}

static int
make(void)
{
	int id = shmget(IPC_PRIVATE, 64, IPC_CREAT | 0600);

	ck_assert_int_ge(id, 0);
	return id;
}

/* A child that makes one and dies. */
static pid_t
leave(int *id)
{
	int fds[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		*id = shmget(IPC_PRIVATE, 64, IPC_CREAT | 0600);
		_exit(write(fds[1], id, sizeof(*id)) != sizeof(*id));
	}
	ck_assert_int_eq(read(fds[0], id, sizeof(*id)), sizeof(*id));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	close(fds[0]);
	close(fds[1]);
	ck_assert(exists(*id));
	return pid;
}

START_TEST(what_the_dead_left_goes_and_nothing_else)
{
	int ours = make(), left, other;
	pid_t pid = leave(&left);

	leave(&other);
	ck_assert_int_eq(mt_segments_remove(pid), 1);
	ck_assert(!exists(left));
	ck_assert(exists(ours));
	ck_assert(exists(other));
	ck_assert_int_eq(mt_segments_remove(pid), 0);
	ck_assert_int_eq(shmctl(ours, IPC_RMID, NULL), 0);
	ck_assert_int_eq(shmctl(other, IPC_RMID, NULL), 0);
}
END_TEST

START_TEST(what_is_attached_stays)
{
	int left;
	pid_t pid = leave(&left);
	void *at = shmat(left, NULL, 0);

	ck_assert_ptr_ne(at, (void *)-1);
	ck_assert_int_eq(mt_segments_remove(pid), 0);
	ck_assert(exists(left));
	ck_assert_int_eq(shmdt(at), 0);
	ck_assert_int_eq(mt_segments_remove(pid), 1);
	ck_assert(!exists(left));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("segments");
	TCase *tc = tcase_create("segments");

	tcase_add_test(tc, what_the_dead_left_goes_and_nothing_else);
	tcase_add_test(tc, what_is_attached_stays);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
