/* SPDX-License-Identifier: PostgreSQL */
/* Files in and about the data directory, in a scratch directory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>

#include "base/text.h"
#include "pg/files.h"
#include "pg/rundirs.h"
#include "scratch.h"
#include "test/unit/run.h"

START_TEST(a_file_is_written_whole_and_read_bounded)
{
	struct stat st;
	char *text;
	size_t n;

	put("f", "hello");
	put("f", "hi");
	ck_assert_int_eq(mt_file_read(in("f"), 2, &text, &n, NULL), 0);
	ck_assert_uint_eq(n, 2);
	free(text);
	ck_assert_int_eq(mt_file_read(in("f"), 1, &text, &n, NULL), MT_EIO);
	ck_assert_int_eq(mt_file_read(in("g"), 1, &text, &n, NULL), MT_ENOENT);
	ck_assert_int_eq(stat(in("f"), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert(!mt_file_exists(in("f.tmp")));
	ck_assert_int_eq(mt_file_remove(in("f"), NULL), 0);
	ck_assert_int_eq(mt_file_remove(in("f"), NULL), 0);
}
END_TEST

START_TEST(a_big_file_is_read_whole)
{
	char *big = malloc(100001), *got;
	size_t n;

	memset(big, 'x', 100000);
	big[100000] = '\0';
	put("big", big);
	ck_assert_int_eq(mt_file_read(in("big"), 100000, &got, &n, NULL), 0);
	ck_assert_uint_eq(n, 100000);
	free(got);
	ck_assert_int_eq(mt_file_read(in("big"), 99999, &got, &n, NULL),
			 MT_EIO);
	free(big);
}
END_TEST

START_TEST(directories_are_told_apart)
{
	enum mt_pg_dir kind;
	int major;

	ck_assert_int_eq(mt_pg_dir_classify(in("none"), &kind, NULL), 0);
	ck_assert_int_eq(kind, MT_PG_DIR_ABSENT);
	ck_assert_int_eq(mt_pg_dir_classify(dir, &kind, NULL), 0);
	ck_assert_int_eq(kind, MT_PG_DIR_EMPTY);
	put("PG_VERSION", "15\n");
	ck_assert_int_eq(mt_pg_dir_classify(dir, &kind, NULL), 0);
	ck_assert_int_eq(kind, MT_PG_DIR_FOREIGN);
	ck_assert_int_eq(mkdir(in("global"), 0700), 0);
	put("global/pg_control", "x");
	ck_assert_int_eq(mt_pg_dir_classify(dir, &kind, NULL), 0);
	ck_assert_int_eq(kind, MT_PG_DIR_CLUSTER);
	ck_assert_int_eq(mt_pg_dir_major(dir, &major, NULL), 0);
	ck_assert_int_eq(major, 15);
	put("PG_VERSION", "9.6\n");
	ck_assert_int_eq(mt_pg_dir_major(dir, &major, NULL), MT_EIO);
}
END_TEST

START_TEST(a_pid_file_is_read_as_far_as_it_goes)
{
	struct mt_pg_pidfile f;

	ck_assert_int_eq(mt_pg_pidfile_parse(&f,
					     "1234\n/data\n1700000000\n5432\n"
					     "/run/pg\nlocalhost\n  5432001  "
					     " 3\nready   \n",
					     NULL),
			 0);
	ck_assert_int_eq(f.pid, 1234);
	ck_assert_str_eq(f.data_dir, "/data");
	ck_assert_int_eq(f.start_s, 1700000000);
	ck_assert_uint_eq(f.port, 5432);
	ck_assert_str_eq(f.socket_dir, "/run/pg");
	ck_assert_str_eq(f.listen, "localhost");
	ck_assert_str_eq(f.status, "ready");
	ck_assert_int_eq(mt_pg_pidfile_parse(&f, "-77\n/d\n1\n1\n\n", NULL), 0);
	ck_assert_int_eq(f.pid, -77);
	ck_assert_str_eq(f.status, "");
	ck_assert_int_eq(mt_pg_pidfile_parse(&f, "", NULL), MT_EIO);
	ck_assert_int_eq(mt_pg_pidfile_parse(&f, "0\n", NULL), MT_EIO);
	ck_assert_int_eq(mt_pg_pidfile_parse(&f, "12x\n", NULL), MT_EIO);
	ck_assert_int_eq(mt_pg_pidfile_parse(&f, "99999999999\n", NULL),
			 MT_EIO);
	ck_assert_int_eq(mt_pg_pidfile_read(&f, dir, NULL), MT_ENOENT);
}
END_TEST

START_TEST(a_directory_is_in_use_only_by_a_process_that_works_in_it)
{
	char text[64];

	ck_assert(!mt_pg_dir_in_use(dir));
	mt_format(text, sizeof(text), "%ld\n", (long)getpid());
	put("postmaster.pid", text);
	ck_assert(!mt_pg_dir_in_use(dir));
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert(mt_pg_dir_in_use(dir));
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(the_data_id_comes_back_and_damage_is_noticed)
{
	uint64_t id = 0;

	ck_assert_int_eq(mt_pg_data_id_read(dir, &id, NULL), MT_ENOENT);
	ck_assert_int_eq(mt_pg_data_id_write(dir, 0x1234567890abcdef, NULL), 0);
	ck_assert_int_eq(mt_pg_data_id_read(dir, &id, NULL), 0);
	ck_assert_uint_eq(id, 0x1234567890abcdef);
	put("matriarch.id", "123456789\n");
	ck_assert_int_eq(mt_pg_data_id_read(dir, &id, NULL), MT_EIO);
	put("matriarch.id", "1234567890abcdef\nx");
	ck_assert_int_eq(mt_pg_data_id_read(dir, &id, NULL), MT_EIO);
	put("matriarch.id", "");
	ck_assert_int_eq(mt_pg_data_id_read(dir, &id, NULL), MT_EIO);
}
END_TEST

START_TEST(what_is_unfinished_is_remembered)
{
	char what[MT_PG_UNFINISHED_MAX];

	ck_assert_int_eq(mt_pg_unfinished_read(dir, what, sizeof(what), NULL),
			 MT_ENOENT);
	ck_assert_int_eq(mt_pg_unfinished_set(dir, "clone", NULL), 0);
	ck_assert_int_eq(mt_pg_unfinished_read(dir, what, sizeof(what), NULL),
			 0);
	ck_assert_str_eq(what, "clone");
	put("unfinished", "");
	ck_assert_int_eq(mt_pg_unfinished_read(dir, what, sizeof(what), NULL),
			 0);
	ck_assert_str_eq(what, "unknown");
	ck_assert_int_eq(mt_pg_unfinished_clear(dir, NULL), 0);
	ck_assert_int_eq(mt_pg_unfinished_read(dir, what, sizeof(what), NULL),
			 MT_ENOENT);
}
END_TEST

START_TEST(emptying_takes_linked_wal_and_tablespaces_and_nothing_else)
{
	ck_assert_int_eq(mkdir(in("data"), 0700), 0);
	ck_assert_int_eq(mkdir(in("data/base"), 0700), 0);
	ck_assert_int_eq(mkdir(in("data/pg_tblspc"), 0700), 0);
	ck_assert_int_eq(mkdir(in("wal"), 0700), 0);
	ck_assert_int_eq(mkdir(in("space"), 0700), 0);
	ck_assert_int_eq(mkdir(in("space/PG_15_1"), 0700), 0);
	put("data/base/1", "x");
	put("wal/000000010000000000000001", "x");
	put("space/PG_15_1/2", "x");
	put("space/mine", "x");
	put("outside", "x");
	ck_assert_int_eq(symlink(in("wal"), in("data/pg_wal")), 0);
	ck_assert_int_eq(symlink(in("space"), in("data/pg_tblspc/16384")), 0);
	ck_assert_int_eq(symlink(in("outside"), in("data/link")), 0);
	ck_assert_int_eq(symlink(dir, in("data/up")), 0);
	ck_assert_int_eq(mt_pg_dir_empty(in("data"), NULL), 0);
	ck_assert_int_eq(rmdir(in("data")), 0);
	ck_assert_int_eq(rmdir(in("wal")), 0);
	ck_assert(!mt_file_exists(in("space/PG_15_1")));
	ck_assert(mt_file_exists(in("space/mine")));
	ck_assert(mt_file_exists(in("outside")));
	ck_assert_int_eq(mt_pg_dir_empty(in("nowhere"), NULL), 0);
}
END_TEST

START_TEST(what_a_killed_server_left_in_memory_goes_with_its_files)
{
	char text[32];
	struct shmid_ds ds;
	int fds[2], id;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		id = shmget(IPC_PRIVATE, 64, IPC_CREAT | 0600);
		_exit(write(fds[1], &id, sizeof(id)) != sizeof(id));
	}
	ck_assert_int_eq(read(fds[0], &id, sizeof(id)), sizeof(id));
	close(fds[0]);
	close(fds[1]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(shmctl(id, IPC_STAT, &ds), 0);
	mt_format(text, sizeof(text), "%d\n", (int)pid);
	ck_assert_int_eq(mkdir(in("data"), 0700), 0);
	put("data/postmaster.pid", text);
	ck_assert_int_eq(mt_pg_dir_empty(in("data"), NULL), 0);
	ck_assert_int_lt(shmctl(id, IPC_STAT, &ds), 0);
}
END_TEST

START_TEST(signal_files_say_standby_or_nothing)
{
	put("recovery.signal", "");
	ck_assert_int_eq(mt_pg_standby_signal(dir, true, NULL), 0);
	ck_assert(mt_pg_has_standby_signal(dir));
	ck_assert(!mt_file_exists(in("recovery.signal")));
	ck_assert_int_eq(mt_pg_standby_signal(dir, false, NULL), 0);
	ck_assert(!mt_pg_has_standby_signal(dir));
}
END_TEST

START_TEST(directories_of_sockets_are_made_and_must_be_ours)
{
	json_t *p = json_object();
	struct mt_err err;
	char list[256];

	ck_assert_int_eq(mt_pg_run_dirs(dir, p, &err), 0);
	mt_format(list, sizeof(list), " %s, rel , @abstract", in("run/pg"));
	json_object_set_new(p, "unix_socket_directories", json_string(list));
	json_object_set_new(p, "stats_temp_directory", json_string("st"));
	ck_assert_int_eq(mt_pg_run_dirs(dir, p, &err), 0);
	ck_assert(mt_file_exists(in("run/pg")));
	ck_assert(mt_file_exists(in("rel")));
	ck_assert(mt_file_exists(in("st")));
	ck_assert(!mt_file_exists(in("@abstract")));
	ck_assert_int_eq(mt_pg_run_dirs(dir, p, &err), 0);
	put("file", "");
	json_object_set_new(p, "stats_temp_directory", json_string("file"));
	ck_assert_int_eq(mt_pg_run_dirs(dir, p, &err), MT_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "stats_temp_directory"));
	json_object_set_new(p, "stats_temp_directory", json_string("file/x"));
	ck_assert_int_lt(mt_pg_run_dirs(dir, p, &err), 0);
	json_decref(p);
}
END_TEST

START_TEST(the_clusters_document_is_kept_with_the_directorys_mode)
{
	json_t *document =
	    json_loads("{\"ttl\": 5, \"a\": [1, null]}", 0, NULL);
	json_t *got = NULL;
	struct stat before, after;
	char *path = in("patroni.dynamic.json");

	ck_assert_int_eq(mt_pg_dynamic_read(dir, &got, NULL), MT_ENOENT);
	ck_assert_int_eq(mt_pg_dynamic_write(dir, document, NULL), 0);
	expect("patroni.dynamic.json", "{\"ttl\":5,\"a\":[1,null]}");
	ck_assert_int_eq(mt_pg_dynamic_read(dir, &got, NULL), 0);
	ck_assert(json_equal(got, document));
	json_decref(got);
	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(before.st_mode & 0777, 0600);
	/* the same again touches nothing; another one is a file of its own */
	ck_assert_int_eq(mt_pg_dynamic_write(dir, document, NULL), 0);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	ck_assert_int_eq(chmod(dir, 0750), 0);
	json_object_set_new(document, "ttl", json_integer(6));
	ck_assert_int_eq(mt_pg_dynamic_write(dir, document, NULL), 0);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_ne(before.st_ino, after.st_ino);
	ck_assert_int_eq(after.st_mode & 0777, 0640);
	json_decref(document);
	put("patroni.dynamic.json", "[1]");
	ck_assert_int_eq(mt_pg_dynamic_read(dir, &got, NULL), MT_EIO);
	put("patroni.dynamic.json", "{\"ttl\":");
	ck_assert_int_eq(mt_pg_dynamic_read(dir, &got, NULL), MT_EIO);
}
END_TEST

START_TEST(a_passphrase_is_given_to_programs_by_a_private_file)
{
	struct stat st;

	ck_assert_int_eq(mt_pg_service_write(in("pgservice"), "a b=#c", NULL),
			 0);
	expect("pgservice", "[matriarch]\nsslpassword=a b=#c\n");
	ck_assert_int_eq(stat(in("pgservice"), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(the_password_file_has_a_line_for_each_user_and_host)
{
	struct mt_conf_postgresql *pg = make_pg();
	struct mt_pgpass_host hosts[] = {{"10.0.0.1", 5432}, {"/run", 5433}};
	struct stat st;

	mt_copy(pg->replication.username, 16, "repl");
	mt_copy(pg->replication.password, 16, "a:b\\c");
	mt_copy(pg->superuser.username, 16, "postgres");
	mt_copy(pg->superuser.password, 16, "zalando");
	mt_copy(pg->rewind.username, 16, "postgres");
	mt_copy(pg->rewind.password, 16, "zalando");
	put("pgpass", "old");
	ck_assert_int_eq(chmod(in("pgpass"), 0644), 0);
	ck_assert_int_eq(mt_pgpass_write(in("pgpass"), pg, hosts, 2, NULL), 0);
	expect("pgpass", "10.0.0.1:5432:*:repl:a\\:b\\\\c\n"
			 "10.0.0.1:5432:*:postgres:zalando\n"
			 "/run:5433:*:repl:a\\:b\\\\c\n"
			 "/run:5433:*:postgres:zalando\n"
			 "localhost:5433:*:repl:a\\:b\\\\c\n"
			 "localhost:5433:*:postgres:zalando\n");
	ck_assert_int_eq(stat(in("pgpass"), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	free_pg(pg);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("files");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_file_is_written_whole_and_read_bounded);
	tcase_add_test(t, a_big_file_is_read_whole);
	tcase_add_test(t, directories_are_told_apart);
	tcase_add_test(t, a_pid_file_is_read_as_far_as_it_goes);
	tcase_add_test(
	    t, a_directory_is_in_use_only_by_a_process_that_works_in_it);
	tcase_add_test(t, the_data_id_comes_back_and_damage_is_noticed);
	tcase_add_test(t, what_is_unfinished_is_remembered);
	tcase_add_test(
	    t, emptying_takes_linked_wal_and_tablespaces_and_nothing_else);
	tcase_add_test(t,
		       what_a_killed_server_left_in_memory_goes_with_its_files);
	tcase_add_test(t, signal_files_say_standby_or_nothing);
	tcase_add_test(t, directories_of_sockets_are_made_and_must_be_ours);
	tcase_add_test(t,
		       the_clusters_document_is_kept_with_the_directorys_mode);
	tcase_add_test(t, a_passphrase_is_given_to_programs_by_a_private_file);
	tcase_add_test(t, the_password_file_has_a_line_for_each_user_and_host);
	suite_add_tcase(s, t);
	return run_suite(s);
}
