/* SPDX-License-Identifier: PostgreSQL */
/*
 * Small files in and about the data directory. All of it is synchronous, all
 * that is written is whole and fsynced before the function returns (temporary
 * file, fsync, rename, fsync of the directory). Paths are absolute.
 */
#ifndef MT_PG_FILES_H
#define MT_PG_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <jansson.h>

#include "base/err.h"
#include "conf/conf.h"

/* ---- any file ---- */
int mt_file_write(const char *path, const void *data, size_t n, mode_t mode,
		  struct mt_err *err) MT_MUSTCHECK;
/* The whole file with a terminating zero, to be freed. MT_ENOENT; MT_EIO if it
 * has more than max bytes. n may be NULL. */
int mt_file_read(const char *path, size_t max, char **data, size_t *n,
		 struct mt_err *err) MT_MUSTCHECK;
/* Write it, unless it has that content already. changed, which may be NULL, is
 * set where it was written, and else left as it is. */
int mt_file_renew(const char *path, const void *data, size_t n, mode_t mode,
		  bool *changed, struct mt_err *err) MT_MUSTCHECK;
/* No error if it is not there. Durable. */
int mt_file_remove(const char *path, struct mt_err *err) MT_MUSTCHECK;
bool mt_file_exists(const char *path);

/* ---- the data directory ---- */
enum mt_pg_dir {
	MT_PG_DIR_ABSENT,
	MT_PG_DIR_EMPTY,   /* at most lost+found */
	MT_PG_DIR_CLUSTER, /* PG_VERSION and global/pg_control are there */
	MT_PG_DIR_FOREIGN,
};
int mt_pg_dir_classify(const char *dir, enum mt_pg_dir *kind,
		       struct mt_err *err) MT_MUSTCHECK;
/* What a file of ours in dir has: the group may read it where it may read
 * dir. */
mode_t mt_pg_file_mode(const char *dir);
/* The major version in PG_VERSION: 15. */
int mt_pg_dir_major(const char *dir, int *major,
		    struct mt_err *err) MT_MUSTCHECK;
/*
 * Remove all in it, the directory itself stays; so do linked WAL and tablespace
 * directories, but what PostgreSQL had in them goes. May take long: meant for a
 * worker thread (mt_pg_discard_start). An absent directory is no error.
 */
int mt_pg_dir_empty(const char *dir, struct mt_err *err) MT_MUSTCHECK;

/* Rename it, and what links in it lead to, to <path>.failed; what has that name
 * is removed. */
int mt_pg_dir_set_aside(const char *dir, struct mt_err *err) MT_MUSTCHECK;
/* Make durable what another program wrote into it; may take long. */
int mt_pg_dir_sync(const char *dir, struct mt_err *err) MT_MUSTCHECK;

struct mt_pg_pidfile {
	pid_t pid;
	char data_dir[MT_CONF_PATH_MAX];
	int64_t start_s;
	uint16_t port;
	char socket_dir[MT_CONF_PATH_MAX]; /* "" = none */
	char listen[256];                  /* "" = none yet */
	char status[16]; /* "starting", "ready", "standby", "stopping", "" */
};
/* Lines may be missing from the end; the pid may not. A negative pid (single
 * user mode) is given as it stands. */
int mt_pg_pidfile_parse(struct mt_pg_pidfile *f, const char *text,
			struct mt_err *err) MT_MUSTCHECK;
int mt_pg_pidfile_read(struct mt_pg_pidfile *f, const char *dir,
		       struct mt_err *err) MT_MUSTCHECK;

/* Is there a living postmaster in it, as its pid file and /proc say? */
bool mt_pg_dir_in_use(const char *dir);

/* matriarch.id in the data directory. MT_ENOENT; MT_EIO if damaged. */
int mt_pg_data_id_read(const char *dir, uint64_t *id,
		       struct mt_err *err) MT_MUSTCHECK;
int mt_pg_data_id_write(const char *dir, uint64_t id,
			struct mt_err *err) MT_MUSTCHECK;

/*
 * The marker in raft.data_dir that says what has been done to the data
 * directory and not been finished: "bootstrap", "clone", "rewind", "discard".
 * The jobs set and clear it. MT_ENOENT: nothing is unfinished.
 */
#define MT_PG_UNFINISHED_MAX 32
/* All is there, from a backup and no member: it has followed nobody yet. */
#define MT_PG_RESTORED "restored"
int mt_pg_unfinished_read(const char *raft_dir, char *what, size_t size,
			  struct mt_err *err) MT_MUSTCHECK;
int mt_pg_unfinished_set(const char *raft_dir, const char *what,
			 struct mt_err *err) MT_MUSTCHECK;
int mt_pg_unfinished_clear(const char *raft_dir,
			   struct mt_err *err) MT_MUSTCHECK;

/* ---- configuration files ---- */
bool mt_pg_conf_is_name(const char *s);
/* One line: name = 'value'. */
void mt_pg_conf_put(FILE *f, const char *name, const char *value);

/* Whom the server shall follow. conninfo "": nobody. */
struct mt_pg_follow {
	char conninfo[8192];
	char slot[64]; /* "": none */
};

/*
 * Write postgresql.conf, pg_hba.conf and pg_ident.conf (the last two where the
 * configuration gives them), as mt_pgconf_parameters() made parameters. The
 * first time initdb's postgresql.conf becomes postgresql.base.conf, unless
 * custom_conf is included; where config_dir is another directory and has none,
 * it gets initdb's. follow ==
 * NULL: a primary; else the recovery settings are written. In either case
 * primary_conninfo stands in the file, and managed settings are taken out of
 * postgresql.auto.conf. *changed (may be NULL): any file differs from before.
 */
int mt_pg_conf_write(const struct mt_conf_postgresql *pg,
		     const json_t *parameters,
		     const struct mt_pg_follow *follow, bool *changed,
		     struct mt_err *err) MT_MUSTCHECK;
/* The same without a word on recovery: what others said of it counts, in the
 * file that is included or in postgresql.auto.conf, which stays as it is. For a
 * recovery that somebody else has prepared, never for a member. */
int mt_pg_conf_write_plain(const struct mt_conf_postgresql *pg,
			   const json_t *parameters,
			   struct mt_err *err) MT_MUSTCHECK;
/* Lines of those settings that are recovery's; a new string, NULL if memory ran
 * out. */
char *mt_pg_recovery_lines(const json_t *settings);
/* After initdb: lines are added to its pg_hba.conf. NULL is none. */
int mt_pg_hba_append(const struct mt_conf_postgresql *pg, const json_t *lines,
		     struct mt_err *err) MT_MUSTCHECK;

enum mt_pg_conf_file {
	MT_PG_CONF_MAIN, /* postgresql.conf, which is ours */
	MT_PG_CONF_BASE, /* what it includes */
	MT_PG_CONF_HBA,
	MT_PG_CONF_IDENT,
	MT_PG_CONF_FILES,
};
/* Where such a file is, and where its copy for a clone; each returns buf. */
char *mt_pg_conf_path(const struct mt_conf_postgresql *pg,
		      enum mt_pg_conf_file which, char *buf, size_t size);
char *mt_pg_conf_copy_path(const struct mt_conf_postgresql *pg,
			   enum mt_pg_conf_file which, char *buf, size_t size);

/* patroni.dynamic.json in the data directory: the cluster's document as it was
 * last seen here. Read: a new reference to an object; MT_ENOENT; MT_EIO if it
 * is none. */
int mt_pg_dynamic_read(const char *dir, json_t **document,
		       struct mt_err *err) MT_MUSTCHECK;
int mt_pg_dynamic_write(const char *dir, const json_t *document,
			struct mt_err *err) MT_MUSTCHECK;

/* true: standby.signal is there afterwards, false: it is not. recovery.signal
 * is removed in both cases. */
int mt_pg_standby_signal(const char *dir, bool wanted,
			 struct mt_err *err) MT_MUSTCHECK;
bool mt_pg_has_standby_signal(const char *dir);

/* Take the recovery settings out of postgresql.auto.conf. */
int mt_pg_auto_conf_clean(const char *dir, struct mt_err *err) MT_MUSTCHECK;

/* No configuration file of ours is longer. */
#define MT_PG_FILE_MAX_BYTES ((size_t)4 << 20)

/* ---- pgpass ---- */
struct mt_pgpass_host {
	const char *host; /* name, address or socket directory */
	uint16_t port;
};
/* Mode 0600: replication, superuser and rewind user where they have a password,
 * for each host. path is pg->pgpass. Written only if it differs. */
int mt_pgpass_write(const char *path, const struct mt_conf_postgresql *pg,
		    const struct mt_pgpass_host *hosts, size_t n,
		    struct mt_err *err) MT_MUSTCHECK;
/* Mode 0600: the passphrase of a user's client key, as libpq's programs can be
 * given it: under the name MT_PG_SERVICE. */
int mt_pg_service_write(const char *path, const char *passphrase,
			struct mt_err *err) MT_MUSTCHECK;

#endif
