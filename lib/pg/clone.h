/* SPDX-License-Identifier: PostgreSQL */
/* Shared by clone.c and basebackup.c. */
#ifndef MT_PG_CLONE_H
#define MT_PG_CLONE_H

#include "pg/job.h"

int clone__basebackup_argv(struct mt_pg_job *job, struct mt_argv *argv,
			   struct mt_err *err) MT_MUSTCHECK;
/* on_line of pg_basebackup */
void clone__basebackup_line(void *arg, bool is_stderr, const char *line);

#endif
