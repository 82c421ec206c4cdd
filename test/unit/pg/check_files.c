/* SPDX-License-Identifier: PostgreSQL */
/* Files in and about the data directory, in a scratch directory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <check.h>

#include "base/text.h"
#include "pg/backups.h"
#include "pg/files.h"
#include "pg/rundirs.h"
#include "test/unit/run.h"

static char dir[64];

static void
setup(void)
{
	mt_copy(dir, sizeof(dir), "/tmp/mt_check_files.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
teardown(void)
{
	ck_assert_int_eq(mt_pg_dir_empty(dir, NULL), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

static char *
in(const char *name)
{
	static char path[4][256];
	static int i;

	i = (i + 1) % 4;
	mt_format(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static void
put(const char *name, const char *text)
{
	struct mt_err err;

	ck_assert_msg(mt_file_write(in(name), text, strlen(text), 0600, &err) ==
			  0,
		      "%s", err.text);
}

static void
expect(const char *name, const char *text)
{
	char *got;

	ck_assert_int_eq(mt_file_read(in(name), 65536, &got, NULL, NULL), 0);
	ck_assert_str_eq(got, text);
	free(got);
}

static struct mt_conf_postgresql *
make_pg(void)
{
	struct mt_conf_postgresql *pg = calloc(1, sizeof(*pg));

	ck_assert_ptr_nonnull(pg);
	mt_copy(pg->data_dir, sizeof(pg->data_dir), dir);
	return pg;
}

static void
free_pg(struct mt_conf_postgresql *pg)
{
	json_decref(pg->pg_hba);
	free(pg);
}

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

static const char banner[] =
    "# Do not edit this file manually!\n"
    "# It is written by Matriarch, which takes no account of changes\n\n";

START_TEST(the_configuration_is_sorted_quoted_and_includes_initdbs)
{
	struct mt_conf_postgresql *pg = make_pg();
	struct mt_pg_follow follow = {"host=a passfile='/x y'", "n1"};
	json_t *p =
	    json_pack("{s:s,s:s,s:s,s:s,s:s}", "work_mem", "4MB",
		      "archive_command", "echo 'a' \\ b", "primary_conninfo",
		      "evil", "restore_command", "cp a b", "bad name", "x");
	char text[2048];
	bool changed;

	json_object_set_new(p, "recovery_min_apply_delay", json_integer(5));
	json_object_set_new(p, "recovery_target_time",
			    json_string("2000-01-01"));
	put("postgresql.conf", "# initdb's\n");
	ck_assert_int_eq(mt_pg_conf_write(pg, p, &follow, &changed, NULL), 0);
	ck_assert(changed);
	expect("postgresql.base.conf", "# initdb's\n");
	mt_format(text, sizeof(text),
		  "%sinclude 'postgresql.base.conf'\n\n"
		  "archive_command = 'echo ''a'' \\\\ b'\n"
		  "work_mem = '4MB'\n"
		  "hba_file = '%s/pg_hba.conf'\n"
		  "ident_file = '%s/pg_ident.conf'\n"
		  "\n# recovery\n"
		  "recovery_min_apply_delay = '5'\n"
		  "restore_command = 'cp a b'\n"
		  "primary_conninfo = 'host=a passfile=''/x y'''\n"
		  "primary_slot_name = 'n1'\n"
		  "recovery_target = ''\n"
		  "recovery_target_lsn = ''\n"
		  "recovery_target_name = ''\n"
		  "recovery_target_time = ''\n"
		  "recovery_target_xid = ''\n"
		  "recovery_target_timeline = 'latest'\n",
		  banner, dir, dir);
	expect("postgresql.conf", text);
	ck_assert_int_eq(mt_pg_conf_write(pg, p, &follow, &changed, NULL), 0);
	ck_assert(!changed);
	/* A primary differs by these two alone, and the base stays. */
	ck_assert_int_eq(mt_pg_conf_write(pg, p, NULL, &changed, NULL), 0);
	ck_assert(changed);
	expect("postgresql.base.conf", "# initdb's\n");
	json_decref(p);
	free_pg(pg);
}
END_TEST

START_TEST(our_own_file_never_becomes_the_base)
{
	struct mt_conf_postgresql *pg = make_pg();
	json_t *p = json_object();

	put("postgresql.conf", banner);
	ck_assert_int_eq(mt_pg_conf_write(pg, p, NULL, NULL, NULL), 0);
	expect("postgresql.base.conf", "");
	json_decref(p);
	free_pg(pg);
}
END_TEST

START_TEST(access_lines_are_written_whole_or_appended)
{
	struct mt_conf_postgresql *pg = make_pg();
	json_t *p = json_object(), *lines = json_pack("[s]", "host b");
	char text[512];

	put("pg_hba.conf", "local a\n");
	ck_assert_int_eq(mt_pg_hba_append(pg, lines, NULL), 0);
	expect("pg_hba.conf", "local a\n\nhost b\n");
	ck_assert_int_eq(mt_pg_hba_append(pg, NULL, NULL), 0);
	pg->pg_hba = json_pack("[s,s]", "local x", "host y");
	ck_assert_int_eq(mt_pg_conf_write(pg, p, NULL, NULL, NULL), 0);
	mt_format(text, sizeof(text), "%slocal x\nhost y\n", banner);
	expect("pg_hba.conf", text);
	/* Not ours where the parameter points elsewhere. */
	put("pg_hba.conf", "theirs\n");
	json_object_set_new(p, "hba_file", json_string("/etc/hba"));
	ck_assert_int_eq(mt_pg_conf_write(pg, p, NULL, NULL, NULL), 0);
	expect("pg_hba.conf", "theirs\n");
	json_decref(lines);
	json_decref(p);
	free_pg(pg);
}
END_TEST

START_TEST(alter_system_cannot_say_whom_to_follow)
{
	put("postgresql.auto.conf",
	    "# Do not edit\nwork_mem = '1MB'\n"
	    "primary_conninfo = 'host=x'\n  Recovery_Target_Time='now'\n"
	    "restore_command_x = '1'\nshared_buffers = '1GB'");
	ck_assert_int_eq(mt_pg_auto_conf_clean(dir, NULL), 0);
	expect("postgresql.auto.conf",
	       "# Do not edit\nwork_mem = '1MB'\nrestore_command_x = '1'\n"
	       "shared_buffers = '1GB'");
	ck_assert_int_eq(mt_pg_auto_conf_clean(dir, NULL), 0);
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

START_TEST(copies_of_the_configuration_replace_what_is_missing)
{
	struct mt_conf_postgresql *pg = make_pg();

	put("postgresql.conf", "a");
	put("pg_hba.conf", "b");
	ck_assert_int_eq(mt_pg_backup_files(pg, NULL), 0);
	put("postgresql.conf", "changed");
	ck_assert_int_eq(mt_file_remove(in("pg_hba.conf"), NULL), 0);
	ck_assert_int_eq(mt_pg_restore_files(pg, NULL), 0);
	expect("postgresql.conf", "changed");
	expect("pg_hba.conf", "b");
	expect("pg_ident.conf", "");
	free_pg(pg);
}
END_TEST

static bool
has(const char *name, const char *text)
{
	char *got;
	bool found;

	ck_assert_int_eq(mt_file_read(in(name), 65536, &got, NULL, NULL), 0);
	found = strstr(got, text) != NULL;
	free(got);
	return found;
}

START_TEST(configuration_may_live_in_another_directory)
{
	struct mt_conf_postgresql *pg = make_pg();
	json_t *p = json_pack("{s:s}", "ident_file", "own/ident");
	char text[256];

	mt_copy(pg->data_dir, sizeof(pg->data_dir), in("data"));
	mt_copy(pg->config_dir, sizeof(pg->config_dir), in("etc"));
	mt_copy(pg->config_base_name, sizeof(pg->config_base_name), "main");
	ck_assert_int_eq(mkdir(in("data"), 0750), 0);
	ck_assert_int_eq(mkdir(in("etc"), 0700), 0);
	put("data/postgresql.conf", "# initdb's\n");
	put("data/pg_hba.conf", "local a\n");
	pg->pg_ident = json_pack("[s]", "x");
	/* it begins with initdb's files, which stay where they are */
	ck_assert_int_eq(mt_pg_conf_write(pg, p, NULL, NULL, NULL), 0);
	expect("etc/main.base.conf", "# initdb's\n");
	expect("data/postgresql.conf", "# initdb's\n");
	expect("etc/pg_hba.conf", "local a\n");
	ck_assert(has("etc/main.conf", "include 'main.base.conf'\n"));
	mt_format(text, sizeof(text), "hba_file = '%s/etc/pg_hba.conf'\n", dir);
	ck_assert(has("etc/main.conf", text));
	/* a relative one is one of that directory, and not ours to write */
	mt_format(text, sizeof(text), "ident_file = '%s/etc/own/ident'\n", dir);
	ck_assert(has("etc/main.conf", text));
	ck_assert(!mt_file_exists(in("etc/pg_ident.conf")));
	/* what is there is taken as it is */
	put("data/pg_hba.conf", "other\n");
	ck_assert_int_eq(mt_pg_conf_write(pg, p, NULL, NULL, NULL), 0);
	expect("etc/pg_hba.conf", "local a\n");
	/* copies go to the data, under their own names */
	ck_assert_int_eq(mt_pg_backup_files(pg, NULL), 0);
	expect("data/main.base.conf.backup", "# initdb's\n");
	ck_assert_int_eq(mt_file_remove(in("etc/main.base.conf"), NULL), 0);
	ck_assert_int_eq(mt_pg_restore_files(pg, NULL), 0);
	expect("etc/main.base.conf", "# initdb's\n");
	json_decref(p);
	json_decref(pg->pg_ident);
	free_pg(pg);
}
END_TEST

START_TEST(a_file_of_the_users_is_included_and_left_alone)
{
	struct mt_conf_postgresql *pg = make_pg();
	json_t *p = json_object();

	mt_copy(pg->custom_conf, sizeof(pg->custom_conf), "/etc/it's.conf");
	put("postgresql.conf", "# initdb's\n");
	ck_assert_int_eq(mt_pg_conf_write(pg, p, NULL, NULL, NULL), 0);
	ck_assert(has("postgresql.conf", "include '/etc/it''s.conf'\n"));
	ck_assert(!mt_file_exists(in("postgresql.base.conf")));
	ck_assert_int_eq(mt_pg_backup_files(pg, NULL), 0);
	ck_assert(mt_file_exists(in("postgresql.conf.backup")));
	ck_assert(!mt_file_exists(in("postgresql.base.conf.backup")));
	json_decref(p);
	free_pg(pg);
}
END_TEST

START_TEST(the_group_reads_what_it_may_read_of_the_directory)
{
	struct mt_conf_postgresql *pg = make_pg();
	json_t *p = json_object();
	struct stat st;

	ck_assert_int_eq(chmod(dir, 0750), 0);
	ck_assert_int_eq(mt_pg_conf_write(pg, p, NULL, NULL, NULL), 0);
	ck_assert_int_eq(stat(in("postgresql.conf"), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0640);
	ck_assert_int_eq(mt_pg_standby_signal(dir, true, NULL), 0);
	ck_assert_int_eq(stat(in("standby.signal"), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0640);
	json_decref(p);
	free_pg(pg);
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
		       the_configuration_is_sorted_quoted_and_includes_initdbs);
	tcase_add_test(t, our_own_file_never_becomes_the_base);
	tcase_add_test(t, access_lines_are_written_whole_or_appended);
	tcase_add_test(t, alter_system_cannot_say_whom_to_follow);
	tcase_add_test(t, signal_files_say_standby_or_nothing);
	tcase_add_test(t, copies_of_the_configuration_replace_what_is_missing);
	tcase_add_test(t, configuration_may_live_in_another_directory);
	tcase_add_test(t, a_file_of_the_users_is_included_and_left_alone);
	tcase_add_test(t, the_group_reads_what_it_may_read_of_the_directory);
	tcase_add_test(t, directories_of_sockets_are_made_and_must_be_ours);
	tcase_add_test(t,
		       the_clusters_document_is_kept_with_the_directorys_mode);
	tcase_add_test(t, a_passphrase_is_given_to_programs_by_a_private_file);
	tcase_add_test(t, the_password_file_has_a_line_for_each_user_and_host);
	suite_add_tcase(s, t);
	return run_suite(s);
}
