/* SPDX-License-Identifier: PostgreSQL */
/* Shared by bootstrap*.c. */
#ifndef MT_PG_BOOTSTRAP_H
#define MT_PG_BOOTSTRAP_H

#include "pg/job.h"

struct bootstrap_step {
	char *sql; /* wiped when freed */
	char what[128];
};

struct mt_pg_bootstrap {
	/* of the command that makes the cluster; NULL: initdb. Borrowed. */
	const json_t *section;
	struct bootstrap_step *steps;
	size_t n, next;
	bool began; /* the directory was empty, and is ours */
	bool stopping;
	bool recovers; /* by settings in tmp_dir */
};

/* bootstrap_sql.c: the steps, the session's settings first */
int bootstrap__make_steps(struct mt_pg_job *job,
			  struct mt_err *err) MT_MUSTCHECK;
void bootstrap__free_steps(struct mt_pg_bootstrap *b);

/* bootstrap_custom.c */
/* Is the configuration fit for a bootstrap by a command? Before anything is
 * done. */
int bootstrap__check_section(const json_t *section,
			     struct mt_err *err) MT_MUSTCHECK;
int bootstrap__command_argv(struct mt_pg_job *job, struct mt_argv *argv,
			    struct mt_err *err) MT_MUSTCHECK;
/* In the worker: what the command left is a cluster; files that are missing,
 * and those that must not be there. */
int bootstrap__take_over(struct mt_pg_job *job,
			 struct mt_err *err) MT_MUSTCHECK;
/* In the worker, with tmp_dir: what the private server recovers by. */
int bootstrap__recovery(struct mt_pg_job *job, struct mt_err *err) MT_MUSTCHECK;

#endif
