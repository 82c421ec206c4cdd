/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the verbs share: the configuration file, the way to a living node, and
 * the habits of the command line. A verb returns the exit status: 0 what was
 * asked for is done, 1 it was refused or failed, 2 it was asked wrongly.
 */
#ifndef MT_CLI_CLI_H
#define MT_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "client/http.h"
#include "conf/conf.h"

#define MT_CLI_TIMEOUT_MS 5000
#define MT_CLI_CHANGE_MS \
	30000 /* a change of the document waits for a majority */
#define MT_CLI_DEFAULT_FILE "/etc/matriarch/matriarch.yml"

enum mt_exit {
	MT_EXIT_DONE = 0,
	MT_EXIT_FAILED = 1,
	MT_EXIT_USAGE = 2,
};

struct mt_cli {
	const char *file;     /* -c, or NULL */
	bool insecure;        /* -k */
	struct mt_conf *conf; /* owned; after mt_cli_open */
	struct mt_http *http; /* owned; after mt_cli_open */
};

struct mt_verb {
	const char *name;
	const char *usage; /* what follows "matriarch [-c FILE]" */
	const char *help;  /* one line */
	/* argv[0] is the verb; getopt has been reset */
	int (*run)(struct mt_cli *cli, int argc, char **argv);
};

int mt_cmd_list(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_topology(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_switchover(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_failover(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_flush(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_pause(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_resume(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_show_config(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_edit_config(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_config(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_reload(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_restart(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_reinit(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_history(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_why(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_forecast(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_version(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_haproxy(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_pgbouncer(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_demo(struct mt_cli *cli, int argc, char **argv);
int mt_cmd_help(struct mt_cli *cli, int argc, char **argv);

/* Ends with 0. */
const struct mt_verb *mt_cli_verbs(void);

/* "Error: ..." on standard error; returns MT_EXIT_FAILED. */
int mt_cli_fail(const struct mt_err *err);
/* The complaint (may be NULL: getopt has complained) and the usage line of
 * the verb, on standard error; returns MT_EXIT_USAGE. */
int mt_cli_usage(const char *verb, const char *complaint);

/* Read the configuration and note whom to ask: this node's REST API, then
 * each Raft partner's host at the same port. Nobody is asked yet. */
int mt_cli_open(struct mt_cli *cli, struct mt_err *err) MT_MUSTCHECK;
/* A client with the same access and no servers yet; the caller's to free. */
int mt_cli_client(const struct mt_cli *cli, struct mt_http **http,
		  struct mt_err *err) MT_MUSTCHECK;
/* The URL of this node's API with a path, "/config". */
void mt_cli_own_url(const struct mt_cli *cli, const char *path, char *buf,
		    size_t size);
/* The same with the CLUSTER arguments of a verb: each must be the file's
 * scope, as a file leads to one cluster. */
int mt_cli_open_cluster(struct mt_cli *cli, int n, char **names,
			struct mt_err *err) MT_MUSTCHECK;

/* The JSON of a path, status 200 required. *json is the caller's. */
int mt_cli_get(struct mt_http *http, const char *path, json_t **json,
	       struct mt_err *err) MT_MUSTCHECK;

#endif
