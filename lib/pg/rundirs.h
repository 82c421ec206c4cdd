/* SPDX-License-Identifier: PostgreSQL */
/* Directories that a server needs besides its data. */
#ifndef MT_PG_RUNDIRS_H
#define MT_PG_RUNDIRS_H

#include <jansson.h>

#include "base/err.h"

/*
 * Those of unix_socket_directories and stats_temp_directory are made where they
 * are missing, with their parents; relative ones lie in the data directory. An
 * error says which cannot be made, or not be written, and of which parameter.
 */
int mt_pg_run_dirs(const char *data_dir, const json_t *parameters,
		   struct mt_err *err) MT_MUSTCHECK;

#endif
