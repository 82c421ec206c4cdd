/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch demo: a cluster of real nodes on loopback. What its files share:
 *
 *	cmd_demo.c	options, the life of a demo, what is told at its end
 *	demo_place.c	user, scratch directory, programs
 *	demo_conf.c	free ports, passwords, configuration files
 *	demo_node.c	starting, watching and killing processes
 *	demo_watch.c	waiting for the cluster, by its REST API
 *	demo_writer.c	the client that writes rows and counts the gaps
 *	demo_tour.c	the story
 *
 * One demo a process: main thread and, in a tour, the writer's.
 */
#ifndef MT_CLI_DEMO_H
#define MT_CLI_DEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "base/err.h"
#include "client/http.h"

#define MT_DEMO_NODES_MAX 9
#define MT_DEMO_PATH_MAX 512
#define MT_DEMO_BASE_PORT 15400
/* Every wait ends here at the latest. */
#define MT_DEMO_PATIENCE_MS 60000

struct mt_demo_node {
	char name[16];
	char dir[MT_DEMO_PATH_MAX];  /* all of the node is below */
	char conf[MT_DEMO_PATH_MAX]; /* its configuration file */
	char log[MT_DEMO_PATH_MAX];  /* matriarchd's output */
	char data[MT_DEMO_PATH_MAX]; /* PGDATA */
	uint16_t pg_port, api_port, raft_port;
	pid_t pid;        /* of matriarchd; 0 = not running */
	bool wanted;      /* its end would be a failure */
	int64_t ended_ms; /* when it ended, mt_clock_ms */
};

struct mt_demo {
	/* asked for */
	int n;
	const char *wanted_dir; /* --dir, or NULL */
	int base_port;          /* 0: any from MT_DEMO_BASE_PORT on */
	bool tour, keep;
	/* demo_place.c */
	char dir[MT_DEMO_PATH_MAX];
	bool made_dir; /* else it was there, empty */
	char user[64]; /* whom we became; "" = nobody else */
	char daemon[MT_DEMO_PATH_MAX];
	char self[MT_DEMO_PATH_MAX]; /* this program, to be told to people */
	/* demo_conf.c; the passwords are in files of mode 0600 alone */
	char superuser_password[40], replication_password[40];
	char hosts[256], ports[256]; /* comma lists for libpq */
	struct mt_demo_node nodes[MT_DEMO_NODES_MAX];
	struct mt_http *http; /* owned; knows all nodes */
	int64_t start_ms;
};

/* demo_place.c */
/* Find the programs, make the directory, give root up. */
int mt_demo_place(struct mt_demo *d, struct mt_err *err) MT_MUSTCHECK;
/* Remove what was made. The logs stay where keep_logs is set. */
void mt_demo_remove(struct mt_demo *d, bool keep_logs);

/* demo_conf.c */
/* Choose ports and write all files. Ports stay reserved (against other demos)
 * until the process ends. */
int mt_demo_configure(struct mt_demo *d, struct mt_err *err) MT_MUSTCHECK;

/* demo_node.c */
int mt_demo_start(struct mt_demo *d, struct mt_demo_node *n,
		  struct mt_err *err) MT_MUSTCHECK;
/* SIGKILL to the daemon, its sentinel, PostgreSQL and all children of these;
 * returns when none is left. prepare() does the slow part, finding them. */
struct mt_demo_victims {
	pid_t pids[512];
	size_t n;
};
void mt_demo_find(const struct mt_demo *d, const struct mt_demo_node *n,
		  struct mt_demo_victims *v);
int mt_demo_kill(struct mt_demo *d, struct mt_demo_node *n,
		 const struct mt_demo_victims *first,
		 struct mt_err *err) MT_MUSTCHECK;
/* SIGKILL to the postmaster alone. */
int mt_demo_kill_postmaster(struct mt_demo_node *n,
			    struct mt_err *err) MT_MUSTCHECK;
/* Stop all daemons in good order, then kill what remains. */
void mt_demo_stop(struct mt_demo *d);
/* Collect ended children. Error: a daemon ended that should not have. */
int mt_demo_reap(struct mt_demo *d, struct mt_err *err) MT_MUSTCHECK;
/* The last lines of each log, on standard error. */
void mt_demo_show_logs(const struct mt_demo *d);

/* cmd_demo.c */
/* Wait a little. MT_ECANCELED: a signal asked us to end; or reap's error. */
int mt_demo_pause(struct mt_demo *d, int64_t ms,
		  struct mt_err *err) MT_MUSTCHECK;
/* How many signals asked us to end. */
int mt_demo_interrupted(void);
/* A line of the story, with the time since the start in front. */
void mt_demo_say(const struct mt_demo *d, const char *fmt, ...) MT_PRINTF(2, 3);

/* demo_watch.c */
/* Until there is a primary that runs and all others stream from it. leader
 * (NULL: anybody) must be it, not_leader (NULL: nobody) must not. */
int mt_demo_wait_healthy(struct mt_demo *d, const char *leader,
			 const char *not_leader, int n_streaming,
			 struct mt_err *err) MT_MUSTCHECK;
/* The node of the primary, or NULL with the error. */
struct mt_demo_node *mt_demo_primary(struct mt_demo *d, struct mt_err *err);
int mt_demo_switchover(struct mt_demo *d, const char *leader,
		       const char *candidate, char *answer, size_t size,
		       struct mt_err *err) MT_MUSTCHECK;
int mt_demo_print_table(struct mt_demo *d, struct mt_err *err) MT_MUSTCHECK;

/* demo_writer.c */
struct mt_demo_writer;
/* What the writer has seen up to now. */
struct mt_demo_progress {
	int64_t acked;      /* rows whose commit was acknowledged */
	int64_t refused;    /* attempts that were not */
	int64_t longest_ms; /* gap between two acknowledgements since mark */
	int64_t since_reconnect; /* rows acknowledged on this connection */
	int connections;         /* made so far */
	bool connected;          /* the last of them still stands */
	uint16_t port;           /* whom that one leads to */
	char trouble[256];       /* the last failure's words */
};
int mt_demo_writer_start(struct mt_demo_writer **w, const struct mt_demo *d,
			 struct mt_err *err) MT_MUSTCHECK;
void mt_demo_writer_look(struct mt_demo_writer *w, struct mt_demo_progress *p);
/* Begin to look for the longest gap anew. */
void mt_demo_writer_mark(struct mt_demo_writer *w);
/* Until the middle of a pause between two commits; at most 1 s. */
void mt_demo_writer_between(struct mt_demo_writer *w);
/* End the thread. The record of what was acknowledged stays. */
void mt_demo_writer_stop(struct mt_demo_writer *w);
/* Read all rows from the primary: how many of those acknowledged are missing.
 * After stop. */
int mt_demo_writer_check(struct mt_demo_writer *w, int64_t *n_missing,
			 int64_t *n_rows, struct mt_err *err) MT_MUSTCHECK;
void mt_demo_writer_free(struct mt_demo_writer *w);

/* demo_tour.c */
int mt_demo_tour(struct mt_demo *d, struct mt_err *err) MT_MUSTCHECK;

#endif
