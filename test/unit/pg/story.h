/* SPDX-License-Identifier: PostgreSQL */
/*
 * One story about real servers, told by tests that follow one another in one
 * process: what its chapters share. They are in check_jobs.c and story_*.c.
 */
#ifndef MT_TEST_PG_STORY_H
#define MT_TEST_PG_STORY_H

#include <check.h>

#include "pg/bins.h"
#include "pg/jobs.h"
#include "pg/session.h"

struct node {
	struct mt_conf *conf;
	json_t *parameters;
	char url[64];
	struct mt_child *server;
	struct mt_session *session;
	struct mt_pg_job_result result;
	uint64_t data_id;
};

extern char top[64]; /* the folder of all of them */
extern uv_loop_t loop;
extern struct mt_pg_bins bins;
extern struct node a, b;
extern int done, progress, accepting;
extern struct mt_err last_err;
extern struct mt_pg_info info;
extern char value[256];
extern bool telling;

/* Runs the loop until *flag is set. */
void wait_for(const int *flag);
/* Its configuration and folder; free_node() frees the former. */
void make_node(struct node *n, const char *name);
void free_node(struct node *n);
/* For a job of this node: done is set, and its result is in the node. */
struct mt_pg_job_options job_options(struct node *n, const char *source);
void expect_unfinished(struct node *n, const char *what);
void start_server(struct node *n, const struct node *upstream);
void stop_server(struct node *n, int signo);
void stmt_done(void *arg, const struct mt_session_result *r);
/* The code of its end; the first value is in value. */
int ask(struct node *n, const char *sql, int64_t timeout_ms);
/* What the session sees is in info. */
void look(struct node *n);
/* Looks until it is so; false: not in time. */
bool until(struct node *n, bool (*is_so)(void));
bool is_streaming(void);
bool is_primary(void);
void make_session(struct node *n);
/* No chapter after one that went wrong: each begins here, and sets telling to
 * false as its last act. */
void begin(void);

/* Its files say from now on that archive_command is this. */
void archives_by(struct node *n, const char *command);

/* The chapters about the session, with a running. */
void add_session_chapters(TCase *t);
/* Those about what waits to be archived, with a down. */
void add_archive_chapters(TCase *t);
/* A segment that a rewind of a has to read is only there now. */
void leave_to_the_archive(void);

/* Two methods that do not make a replica. */
#define STORY_FAILS \
	"\"bad\": {\"command\": \"/bin/sh -c 'echo one >&2; echo two >&2;" \
	" exit 3'\", \"no_params\": true}, \"liar\": {\"command\": " \
	"\"/bin/true\"}"
/* The methods of b: names in order, and their sections, as JSON. */
void set_methods(const char *names, const char *sections);
/* The chapters about commands: before there is a clone, with one, and after
 * everything was discarded. */
void add_failed_clone_chapters(TCase *t);
void add_method_chapters(TCase *t);
void add_bootstrap_chapters(TCase *t);
/* That about a backup with settings of its own, with a's cluster down. */
void add_restore_chapters(TCase *t);

#endif
