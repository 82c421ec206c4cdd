/* SPDX-License-Identifier: PostgreSQL */
/*
 * The store: what is written is read back, and a file that is damaged in any
 * way is refused or reads the same; it never gives an older or another state.
 * The writer's thread on top of it.
 */
#include "consensus/store.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "consensus/writer.h"
#include "test/unit/run.h"

static char dir[64], db[96];
static struct mt_err err;

static void
command(const char *what)
{
	char line[256];

	mt_format(line, sizeof line, "%s %s", what, dir);
	ck_assert_int_eq(system(line), 0);
}

static void
setup(void)
{
	struct stat st;

	/* shared memory where there is some: fsync costs nothing there */
	mt_format(dir, sizeof dir, "%s/check_store.XXXXXX",
		  stat("/dev/shm", &st) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	mt_format(db, sizeof db, "%s/store.db", dir);
}

static void
teardown(void)
{
	command("rm -rf");
}

static struct mt_store *
open_store(struct mt_image *image)
{
	struct mt_store *s = NULL;
	int rv = mt_store_open(&s, dir, true, image, &err);

	ck_assert_msg(rv == 0, "%s", err.text);
	return s;
}

static void
make_image(struct mt_image *image)
{
	static const uint64_t ids[] = {11, 12, 13};
	static const char *const addresses[] = {"a:1", "b:1", "c:1"};

	ck_assert_int_eq(mt_image_bootstrap(image, ids, addresses, 3, NULL), 0);
}

/* Write a batch to the store and to the image. */
static void
write_both(struct mt_store *s, struct mt_image *image, const struct mt_batch *b)
{
	int rv = mt_store_write(s, b, &err);

	ck_assert_msg(rv == 0, "%s", err.text);
	mt_image_replay(image, b);
}

static void
write_entries(struct mt_store *s, struct mt_image *image, uint64_t first,
	      size_t n, uint64_t term)
{
	struct mt_entry e[8];
	struct mt_batch b = {
	    .term = term, .vote = 12, .first = first, .n = n, .entries = e};
	size_t i;

	for (i = 0; i < n; i++)
		e[i] = (struct mt_entry){
		    term, MT_ENTRY_COMMAND, {(uint8_t *)"command", 3 + i % 5}};
	write_both(s, image, &b);
}

static void
reopen_and_compare(struct mt_store **s, const struct mt_image *image)
{
	struct mt_image again;

	mt_store_close(*s);
	*s = open_store(&again);
	ck_assert(mt_image_equal(&again, image));
	mt_image_release(&again);
}

/* A store with all that there is: log, snapshot, record. */
static void
fill(struct mt_image *image)
{
	struct mt_image none;
	struct mt_store *s = open_store(&none);
	struct mt_batch taken = {.kind = MT_BATCH_TAKEN, .trim = 3};

	make_image(image);
	ck_assert_int_eq(mt_store_bootstrap(s, image, &err), 0);
	write_entries(s, image, 2, 5, 2);
	taken.term = image->term;
	taken.vote = image->vote;
	taken.snapshot = (struct mt_snapshot){
	    5, 2, 1, 1, {NULL, 0}, {(uint8_t *)"machine", 7}};
	taken.snapshot.configuration = image->entries[0].data;
	ck_assert_int_eq(mt_store_write(s, &taken, &err), 0);
	mt_image_set_snapshot(image, &taken.snapshot);
	mt_image_trim(image, 3);
	ck_assert_int_eq(mt_store_write_record(s, "record", 6, &err), 0);
	mt_store_close(s);
}

START_TEST(a_fresh_store_is_empty_and_private)
{
	struct mt_image image;
	struct mt_store *s = open_store(&image);
	struct stat st;
	uint8_t record[MT_RECORD_MAX];

	ck_assert(mt_image_is_empty(&image));
	ck_assert(!mt_store_has_image(s));
	ck_assert_uint_eq(mt_store_record(s, record), 0);
	ck_assert_int_eq(stat(dir, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0700);
	ck_assert_int_eq(stat(db, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	mt_store_close(s);
}
END_TEST

START_TEST(batches_are_read_back)
{
	struct mt_image image, none;
	struct mt_store *s = open_store(&none);
	struct mt_batch b = {.term = 7, .vote = 13};

	make_image(&image);
	ck_assert_int_eq(mt_store_bootstrap(s, &image, &err), 0);
	ck_assert(mt_store_has_image(s));
	ck_assert_int_eq(mt_store_bootstrap(s, &image, &err), MT_EREFUSED);
	reopen_and_compare(&s, &image);
	write_entries(s, &image, 2, 8, 2);
	reopen_and_compare(&s, &image);
	write_entries(s, &image, 5, 1, 3); /* cuts the log */
	ck_assert_uint_eq(mt_image_last(&image), 5);
	reopen_and_compare(&s, &image);
	write_both(s, &image, &b); /* term and vote alone */
	reopen_and_compare(&s, &image);
	mt_store_close(s);
	mt_image_release(&image);
}
END_TEST

START_TEST(snapshots_are_read_back)
{
	struct mt_image image, none;
	struct mt_store *s = open_store(&none);
	struct mt_batch b = {.kind = MT_BATCH_INSTALLED, .term = 9};
	struct mt_blob conf = {0};

	make_image(&image);
	mt_blob_set(&conf, image.entries[0].data.p, image.entries[0].data.n);
	ck_assert_int_eq(mt_store_bootstrap(s, &image, &err), 0);
	write_entries(s, &image, 2, 8, 2);
	b.snapshot =
	    (struct mt_snapshot){50, 8, 1, 1, conf, {(uint8_t *)"machine", 7}};
	write_both(s, &image, &b);
	ck_assert_uint_eq(image.first, 51);
	reopen_and_compare(&s, &image);
	write_entries(s, &image, 51, 4, 9);
	reopen_and_compare(&s, &image);
	b.kind = MT_BATCH_TAKEN;
	b.snapshot.index = 53;
	b.snapshot.term = 9;
	b.snapshot.data = (struct mt_blob){0}; /* may be empty */
	b.trim = 51;
	write_both(s, &image, &b);
	ck_assert_uint_eq(image.first, 52);
	reopen_and_compare(&s, &image);
	b.snapshot.index = 54;
	b.trim = 54;
	write_both(s, &image, &b);
	ck_assert_uint_eq(image.n, 0);
	reopen_and_compare(&s, &image);
	mt_blob_release(&conf);
	mt_store_close(s);
	mt_image_release(&image);
}
END_TEST

START_TEST(the_record_lives_with_and_without_an_image)
{
	struct mt_image image, none;
	struct mt_store *s = open_store(&none);
	uint8_t record[MT_RECORD_MAX] = {0};

	ck_assert_int_eq(mt_store_write_record(s, "one", 3, &err), 0);
	mt_image_init(&none);
	reopen_and_compare(&s, &none);
	ck_assert(!mt_store_has_image(s));
	ck_assert_uint_eq(mt_store_record(s, record), 3);
	ck_assert_mem_eq(record, "one", 3);
	make_image(&image);
	ck_assert_int_eq(mt_store_bootstrap(s, &image, &err), 0);
	memset(record, 7, sizeof record);
	ck_assert_int_eq(mt_store_write_record(s, record, sizeof record, &err),
			 0);
	ck_assert_int_eq(mt_store_write_record(s, record, 0, &err), MT_EINVAL);
	ck_assert_int_eq(
	    mt_store_write_record(s, record, sizeof record + 1, &err),
	    MT_EINVAL);
	ck_assert_int_eq(mt_store_test_write(s, &err), 0);
	reopen_and_compare(&s, &image);
	memset(record, 0, sizeof record);
	ck_assert_uint_eq(mt_store_record(s, record), MT_RECORD_MAX);
	ck_assert_uint_eq(record[MT_RECORD_MAX - 1], 7);
	mt_store_close(s);
	mt_image_release(&image);
}
END_TEST

START_TEST(a_second_process_is_kept_out)
{
	struct mt_image image, other;
	struct mt_store *s = open_store(&image), *t = NULL;

	ck_assert_int_eq(mt_store_open(&t, dir, true, &other, &err), MT_EBUSY);
	ck_assert_ptr_nonnull(strstr(err.text, dir));
	mt_store_close(s);
	s = open_store(&image);
	mt_store_close(s);
}
END_TEST

static void
overwrite(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(p, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(missing_foreign_and_empty_files_are_refused)
{
	struct mt_image image;
	struct mt_store *s = NULL;
	char path[128];

	ck_assert_int_eq(mt_store_open(&s, dir, false, &image, &err),
			 MT_ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, db));
	overwrite(db, "", 0); /* SQLite would take it for a new one */
	ck_assert_int_eq(mt_store_open(&s, dir, true, &image, &err), MT_EIO);
	overwrite(db, "not a database, but longer than nothing", 39);
	ck_assert_int_eq(mt_store_open(&s, dir, true, &image, &err), MT_EIO);
	ck_assert_ptr_nonnull(strstr(err.text, db));
	ck_assert_ptr_nonnull(strstr(err.text, "join as a new member"));
	unlink(db);
	mt_format(path, sizeof path, "%s-journal", db);
	overwrite(path, "hot", 3);
	ck_assert_int_eq(mt_store_open(&s, dir, true, &image, &err), MT_EIO);
	unlink(path);
	/* what a crash in the first start leaves is no obstacle */
	mt_format(path, sizeof path, "%s.new", db);
	overwrite(path, "half", 4);
	s = open_store(&image);
	mt_store_close(s);
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

/* ---- damage ---- */

static uint8_t *
read_file(size_t *n)
{
	FILE *f = fopen(db, "re");
	uint8_t *p = malloc(1 << 20);

	ck_assert_ptr_nonnull(f);
	*n = fread(p, 1, 1 << 20, f);
	fclose(f);
	return p;
}

/* Open what is in the file now: refused, or the same as before. */
static bool
is_refused(const struct mt_image *image)
{
	struct mt_store *s = NULL;
	struct mt_image again;
	uint8_t record[MT_RECORD_MAX];
	int rv = mt_store_open(&s, dir, true, &again, &err);

	if (rv != 0) {
		ck_assert_uint_gt(strlen(err.text), 0);
		return true;
	}
	ck_assert(mt_image_equal(&again, image));
	ck_assert(mt_store_has_image(s));
	ck_assert_uint_eq(mt_store_record(s, record), 6);
	ck_assert_mem_eq(record, "record", 6);
	mt_image_release(&again);
	mt_store_close(s);
	return false;
}

/* Bytes that are in use are not zero, mostly; of the unused ones a sample. All
 * of them with CHECK_STORE_ALL=1 in the environment. */
START_TEST(no_flipped_byte_gives_another_state)
{
	bool all = getenv("CHECK_STORE_ALL") != NULL;
	struct mt_image image;
	unsigned flips = 0, refused = 0;
	uint8_t *p;
	size_t i, n;

	fill(&image);
	p = read_file(&n);
	for (i = 0; i < n; i++) {
		uint8_t was = p[i];
		unsigned every = was == 0 ? 29 : 1;

		if (!all && i % every != 0)
			continue;
		p[i] ^= (uint8_t)(1u << (i / 3 % 8));
		overwrite(db, p, n);
		flips++;
		refused += is_refused(&image);
		p[i] = was;
	}
	ck_assert_uint_gt(refused, 400);
	ck_assert_uint_gt(flips, 2 * refused);
	overwrite(db, p, n);
	ck_assert(!is_refused(&image));
	free(p);
	mt_image_release(&image);
}
END_TEST

START_TEST(no_truncation_gives_another_state)
{
	bool all = getenv("CHECK_STORE_ALL") != NULL;
	struct mt_image image;
	uint8_t *p;
	size_t i, n;

	fill(&image);
	p = read_file(&n);
	for (i = 0; i < n; i += all ? 1 : 211) {
		overwrite(db, p, i);
		(void)is_refused(&image);
	}
	/* whole pages missing at the end, too */
	for (i = 512; i < n; i += 512) {
		overwrite(db, p, i);
		if (i % 4096 == 0)
			ck_assert(is_refused(&image));
	}
	free(p);
	mt_image_release(&image);
}
END_TEST

/* A file size limit stands in for a full disk. */
START_TEST(a_full_disk_fails_and_recovers)
{
	static uint8_t big[300 << 10];
	struct mt_entry e = {2, MT_ENTRY_COMMAND, {big, sizeof big}};
	struct mt_batch b = {.term = 2, .first = 2, .n = 1, .entries = &e};
	struct mt_image image, none, again;
	struct mt_store *s = open_store(&none);
	struct rlimit was, limit;

	make_image(&image);
	ck_assert_int_eq(mt_store_bootstrap(s, &image, &err), 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	limit = was;
	limit.rlim_cur = 100 << 10;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(mt_store_write(s, &b, &err), MT_EIO);
	ck_assert_ptr_nonnull(strstr(err.text, db));
	/* not before it was read again */
	b.n = 0;
	ck_assert_int_eq(mt_store_write(s, &b, &err), MT_EIO);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
	ck_assert_int_eq(mt_store_test_write(s, &err), 0);
	ck_assert_int_eq(mt_store_reload(s, &again, &err), 0);
	ck_assert(mt_image_equal(&again, &image));
	mt_image_release(&again);
	b.n = 1;
	write_both(s, &image, &b);
	reopen_and_compare(&s, &image);
	mt_store_close(s);
	mt_image_release(&image);
}
END_TEST

static void
write_until_killed(int fd)
{
	struct mt_image image;
	struct mt_store *s = open_store(&image);
	uint64_t index;

	for (index = mt_image_last(&image) + 1;; index++) {
		struct mt_entry e = {2, MT_ENTRY_COMMAND, {(uint8_t *)"x", 1}};
		struct mt_batch b = {
		    .term = 2, .first = index, .n = 1, .entries = &e};

		if (mt_store_write(s, &b, &err) != 0 ||
		    write(fd, &index, sizeof index) != sizeof index)
			_exit(1);
	}
}

START_TEST(what_was_acknowledged_survives_kills)
{
	struct mt_image image, none;
	struct mt_store *s = open_store(&none);
	uint64_t index, acknowledged = 1;
	int i, fds[2];
	pid_t pid;

	make_image(&image);
	ck_assert_int_eq(mt_store_bootstrap(s, &image, &err), 0);
	mt_store_close(s);
	mt_image_release(&image);
	for (i = 0; i < 20; i++) {
		ck_assert_int_eq(pipe(fds), 0);
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0)
			write_until_killed(fds[1]);
		close(fds[1]);
		ck_assert_int_eq((int)read(fds[0], &index, sizeof index),
				 (int)sizeof index);
		poll(NULL, 0, i % 7); /* somewhere in the next writes */
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		do
			acknowledged = index;
		while (read(fds[0], &index, sizeof index) == sizeof index);
		close(fds[0]);
		s = open_store(&image);
		ck_assert_uint_ge(mt_image_last(&image), acknowledged);
		mt_store_close(s);
		mt_image_release(&image);
	}
}
END_TEST

/* ---- the writer ---- */

static int told[2];
static int completed, last_rv;
static struct mt_image reloaded;

static void
notify(void *arg)
{
	(void)arg;
	ck_assert_int_eq((int)write(told[1], "x", 1), 1);
}

static void
on_written(void *arg, int rv, const struct mt_err *e)
{
	ck_assert_ptr_nonnull(e);
	ck_assert_int_eq(*(int *)arg, completed);
	completed++;
	last_rv = rv;
}

static void
on_reloaded(void *arg, int rv, struct mt_image *image, const struct mt_err *e)
{
	ck_assert_ptr_nonnull(e);
	(void)arg;
	completed++;
	last_rv = rv;
	reloaded = *image;
	mt_image_init(image);
}

static void
wait_for(struct mt_disk *d, int n)
{
	char c;

	while (completed < n) {
		ck_assert_int_eq((int)read(told[0], &c, 1), 1);
		mt_disk_collect(d);
	}
}

START_TEST(the_writer_completes_each_job_once_and_in_order)
{
	static int order[32];
	struct mt_disk_stats stats;
	struct mt_image image, none;
	struct mt_store *s = open_store(&none);
	struct mt_disk *d = NULL;
	struct mt_entry e = {2, MT_ENTRY_COMMAND, {(uint8_t *)"x", 1}};
	struct mt_batch b = {.term = 2, .n = 1, .entries = &e};
	int i;

	make_image(&image);
	ck_assert_int_eq(pipe(told), 0);
	ck_assert_int_eq(mt_disk_start(&d, s, notify, NULL, &err), 0);
	for (i = 0; i < 32; i++)
		order[i] = i;
	mt_disk_bootstrap(d, &image, on_written, &order[0]);
	for (i = 1; i < 20; i++) {
		b.first = (uint64_t)i + 1;
		if (i == 10)
			mt_disk_write_record(d, "record", 6, on_written,
					     &order[i]);
		else if (i < 10)
			mt_disk_write(d, &b, on_written, &order[i]);
		else
			mt_disk_test(d, on_written, &order[i]);
	}
	wait_for(d, 20);
	ck_assert_int_eq(last_rv, 0);
	mt_disk_reload(d, on_reloaded, NULL);
	wait_for(d, 21);
	ck_assert_int_eq(last_rv, 0);
	ck_assert_uint_eq(mt_image_last(&reloaded), 10);
	mt_image_release(&reloaded);
	mt_disk_stats(d, &stats);
	ck_assert_uint_eq(stats.writes, 21);
	ck_assert_uint_eq(stats.failures, 0);
	ck_assert_uint_eq(stats.waiting, 0);
	ck_assert_int_ge(stats.max_ms, stats.last_ms);
	for (i = 21; i < 32; i++)
		mt_disk_test(d, on_written, &order[i]);
	mt_disk_stop(d);
	ck_assert_int_eq(completed, 32);
	mt_store_close(s);
	mt_image_release(&image);
	close(told[0]);
	close(told[1]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store");
	TCase *tc = tcase_create("store");

	tcase_set_timeout(tc, 600); /* with CHECK_STORE_ALL */
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_fresh_store_is_empty_and_private);
	tcase_add_test(tc, batches_are_read_back);
	tcase_add_test(tc, snapshots_are_read_back);
	tcase_add_test(tc, the_record_lives_with_and_without_an_image);
	tcase_add_test(tc, a_second_process_is_kept_out);
	tcase_add_test(tc, missing_foreign_and_empty_files_are_refused);
	tcase_add_test(tc, no_flipped_byte_gives_another_state);
	tcase_add_test(tc, no_truncation_gives_another_state);
	tcase_add_test(tc, a_full_disk_fails_and_recovers);
	tcase_add_test(tc, what_was_acknowledged_survives_kills);
	tcase_add_test(tc, the_writer_completes_each_job_once_and_in_order);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
