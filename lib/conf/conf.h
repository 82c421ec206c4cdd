/* SPDX-License-Identifier: PostgreSQL */
/*
 * The local configuration, of files and variables: read, checked and filled up
 * with defaults. One
 * owner holds struct mt_conf; all in it lives until mt_conf_free. Strings are
 * arrays in the struct ("" where not given), json_t members are references that
 * the struct owns: borrow them or take one of your own.
 */
#ifndef MT_CONF_CONF_H
#define MT_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/log_writer.h"
#include "conf/findings.h"
#include "conf/settings.h"

#define MT_CONF_NAME_MAX 128
#define MT_CONF_PATH_MAX 1024
#define MT_CONF_PARTNERS_MAX 16
/* Connections of health checks that wait to be accepted: those of a burst must
 * not be refused. */
#define MT_CONF_QUEUE_MIN 511
#define MT_CONF_QUEUE_MAX 4096
#define MT_CONF_ALLOWLIST_MAX 256
#define MT_CONF_HEADERS_MAX 32

/* Options of libpq, by its names; "" where not given. sslpassword as password
 * below. */
struct mt_conf_libpq {
	char sslmode[16];
	char sslcert[MT_CONF_PATH_MAX];
	char sslkey[MT_CONF_PATH_MAX];
	char sslpassword[512];
	char sslrootcert[MT_CONF_PATH_MAX];
	char sslcrl[MT_CONF_PATH_MAX];
	char sslcrldir[MT_CONF_PATH_MAX];
	char sslnegotiation[16];
	char gssencmode[16];
	char channel_binding[16];
	char krbsrvname[MT_CONF_NAME_MAX]; /* the same for all users */
};

/* Password: never print it, never put it in argv or an environment. */
struct mt_conf_user {
	char username[MT_CONF_NAME_MAX];
	char password[512]; /* "" where none was given */
	struct mt_conf_libpq libpq;
};

struct mt_conf_log {
	int64_t type;  /* of its words: 0 plain, 1 json */
	int64_t level; /* of its words */
	char dateformat[MT_LOG_DATEFORMAT_MAX];
	char dir[MT_LOG_DIR_MAX]; /* absolute; "": standard error */
	int64_t max_queue_size;   /* 1000 */
	int64_t file_num;         /* 4 */
	int64_t file_size_bytes;  /* 25000000 */
	bool deduplicate_heartbeats;
	struct mt_log_options options; /* what all of it comes to */
};

struct mt_conf_restapi {
	struct mt_addr listen;          /* required */
	struct mt_addr connect_address; /* default: listen */
	struct mt_addr agent_check;     /* port 0: none */
	/* TLS; "" where not given, and without certfile there is none */
	char certfile[MT_CONF_PATH_MAX];
	char keyfile[MT_CONF_PATH_MAX]; /* "": in certfile */
	char keyfile_password[512];     /* as a password below */
	char cafile[MT_CONF_PATH_MAX];
	char ciphers[512];
	int64_t verify_client; /* of its words: none, optional, required */
	/* Basic authentication: both are given, or neither. The password as
	 * that of struct mt_conf_user. */
	char username[MT_CONF_NAME_MAX];
	char password[512];
	json_t *allowlist; /* array of strings: addresses, networks, names */
	bool allowlist_include_members;
	bool allow_shell_settings; /* true */
	/* Objects of text: what answers have besides. Names in lower case; the
	 * second is for TLS, with all that the first has. */
	json_t *http_headers, *https_headers;
	char server_tokens[64];     /* "original" */
	int64_t request_queue_size; /* MT_CONF_QUEUE_MAX */
};

/* How the command line reaches members; "" where not given. */
struct mt_conf_ctl {
	char username[MT_CONF_NAME_MAX]; /* default: those of restapi */
	char password[512];
	bool insecure;
	char cacert[MT_CONF_PATH_MAX]; /* default: restapi.cafile */
	char certfile[MT_CONF_PATH_MAX];
	char keyfile[MT_CONF_PATH_MAX]; /* "": in certfile */
	char keyfile_password[512];
};

struct mt_conf_raft {
	bool present; /* always true after mt_conf_load */
	struct mt_addr self_addr;
	struct mt_addr bind_addr; /* default: self_addr */
	/* The other members. Own address and doubles are left out. */
	struct mt_addr partner_addrs[MT_CONF_PARTNERS_MAX];
	size_t n;                        /* of partner_addrs */
	char data_dir[MT_CONF_PATH_MAX]; /* /var/lib/matriarch/<scope> */
	bool insecure; /* plain TCP beyond loopback is wanted; with encryption:
			* beside it */
	/* How streams are encrypted: by a password or a certificate; "" where
	 * not given, never both. */
	char password[512];
	char certfile[MT_CONF_PATH_MAX];
	char keyfile[MT_CONF_PATH_MAX]; /* "": in certfile */
	char keyfile_password[512];
	char cafile[MT_CONF_PATH_MAX]; /* with certfile always */
	int64_t election_timeout_ms;   /* 400 */
	int64_t heartbeat_ms;          /* 50 */
};

/* What a server is when parameters and access lines may differ by it. */
enum mt_conf_role {
	MT_CONF_PRIMARY,
	MT_CONF_REPLICA,
	MT_CONF_ROLES, /* how many there are */
};

/* What stands over parameters, and instead of pg_hba and pg_ident, in a role;
 * each NULL where it is not given. */
struct mt_conf_for_role {
	json_t *parameters; /* object */
	json_t *pg_hba;     /* array of strings */
	json_t *pg_ident;   /* array of strings */
};

/* What programs of PostgreSQL are called; "" as usual. */
struct mt_conf_bin_names {
	char postgres[MT_CONF_NAME_MAX];
	char initdb[MT_CONF_NAME_MAX];
	char pg_controldata[MT_CONF_NAME_MAX];
	char pg_basebackup[MT_CONF_NAME_MAX];
	char pg_rewind[MT_CONF_NAME_MAX];
};

struct mt_conf_postgresql {
	char listen_addresses[512];      /* as for PostgreSQL: "a,b", "*" */
	uint16_t port;                   /* 5432 */
	struct mt_addr connect_address;  /* default: listen's first host, or
					  * raft.self_addr's for a wildcard */
	struct mt_addr proxy_address;    /* port 0: not given */
	char data_dir[MT_CONF_PATH_MAX]; /* absolute */
	/* Where the configuration files are; "" (before it is filled in): in
	 * data_dir. And what postgresql.conf is called without its ending. */
	char config_dir[MT_CONF_PATH_MAX];
	char config_base_name[MT_CONF_NAME_MAX]; /* "" as "postgresql" */
	char custom_conf[MT_CONF_PATH_MAX]; /* included instead; "": none */
	char bin_dir[MT_CONF_PATH_MAX];     /* "": search */
	struct mt_conf_bin_names bin_name;
	char pgpass[MT_CONF_PATH_MAX];     /* <raft.data_dir>/pgpass */
	char database[MT_CONF_NAME_MAX];   /* "postgres" */
	char krbsrvname[MT_CONF_NAME_MAX]; /* "" where not given */
	bool use_unix_socket;
	bool use_unix_socket_repl;
	struct mt_conf_user superuser;   /* name "postgres" if not given */
	struct mt_conf_user replication; /* name "replicator" if not given */
	struct mt_conf_user rewind;      /* superuser if not given */
	json_t *parameters;              /* object, never NULL */
	json_t *pg_hba;                  /* array of strings, or NULL */
	json_t *pg_ident;                /* array of strings, or NULL */
	struct mt_conf_for_role for_role[MT_CONF_ROLES];
	json_t *create_replica_methods; /* array of strings, never NULL */
	/* object: each of them but basebackup to its section, an object of
	 * plain values; never NULL */
	json_t *replica_sections;
	/* pg_basebackup options: array of "flag" or {option: value}; never
	 * NULL; a mapping in the file arrives here as such an array. */
	json_t *basebackup;
	json_t *rewind_options; /* those of pg_rewind, in the same way */
	json_t *recovery_conf;  /* object, never NULL */
	json_t *callbacks;      /* object: "on_start" -> command; never NULL */
	char pre_promote[MT_CONF_PATH_MAX]; /* command, "" = none */
	char before_stop[MT_CONF_PATH_MAX]; /* command, "" = none */
	int64_t pg_ctl_timeout_ms;          /* 60 s */
	/* -1 not given (the dynamic setting counts), 0, 1 */
	int use_pg_rewind;
	int remove_data_directory_on_rewind_failure;
	int remove_data_directory_on_diverged_timelines;
};

struct mt_conf_bootstrap {
	bool present;
	json_t *dcs;    /* object, never NULL: the first dynamic document */
	json_t *initdb; /* array of "flag" or {option: value}, never NULL */
	json_t *pg_hba; /* array of strings, or NULL */
	char method[MT_CONF_NAME_MAX]; /* "initdb" */
	/* of a method that is a command: an object of plain values, and of
	 * recovery_conf, an object; NULL: initdb */
	json_t *section;
	char post_bootstrap[MT_CONF_PATH_MAX]; /* a command; "": none */
	/* object: name -> {password, options: [..]} or {}; never NULL */
	json_t *users;
};

struct mt_conf {
	char file[MT_CONF_PATH_MAX];   /* as given, or "environment" */
	struct mt_conf_source *source; /* where each key is from */
	json_t *environment; /* as given, or NULL; to read it all again */
	bool has_file;       /* was one given? */
	/* Options that were changed while the daemon ran and need its restart:
	 * path to the value as it is written now, or null. */
	json_t *waiting;
	char scope[MT_CONF_NAME_MAX];
	char namespace[MT_CONF_NAME_MAX]; /* "service"; no slashes around */
	char name[MT_CONF_NAME_MAX];
	bool fencing; /* true */
	struct mt_conf_log log;
	struct mt_conf_restapi restapi;
	struct mt_conf_ctl ctl;
	struct mt_conf_raft raft;
	bool has_postgresql; /* false: a witness */
	struct mt_conf_postgresql postgresql;
	struct mt_conf_bootstrap bootstrap;
	json_t *tags;    /* object, never NULL, as in the file */
	bool nofailover; /* failover_priority <= 0 alone sets it, too */
	bool noloadbalance;
	bool clonefrom;
	bool nosync;           /* sync_priority <= 0 alone sets it, too */
	int failover_priority; /* 1; 0 where nofailover */
	int sync_priority;     /* 1; 0 where nosync */
};

/*
 * Read and check the file, or all *.yml and *.yaml of a directory, or nothing
 * but variables where it is NULL; variables (mt_conf_environ, or NULL) win over
 * files. All that is wrong is found; *conf is set only if there is no error.
 */
int mt_conf_read(struct mt_conf **conf, const char *file,
		 const json_t *environment,
		 struct mt_findings *found) MT_MUSTCHECK;
/* As mt_conf_read, and *conf is also set where there is an error, if there was
 * anything to read: what could not be read is empty in it. To look further. */
int mt_conf_examine(struct mt_conf **conf, const char *file,
		    const json_t *environment,
		    struct mt_findings *found) MT_MUSTCHECK;
/* mt_conf_load of who is not the daemon: a file of a secret that cannot be read
 * is a warning. */
int mt_conf_peruse(struct mt_conf **conf, const char *file,
		   const json_t *environment, struct mt_err *err) MT_MUSTCHECK;
/* The same; what was found goes to the log, the first error to *err. */
int mt_conf_load(struct mt_conf **conf, const char *file,
		 const json_t *environment, struct mt_err *err) MT_MUSTCHECK;
/* NULL is allowed. Passwords are wiped. */
void mt_conf_free(struct mt_conf *conf);

/* Let what the local file says win over the cluster's document. */
void mt_conf_overlay(const struct mt_conf *conf, struct mt_settings *s);

#endif
