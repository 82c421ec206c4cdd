/* SPDX-License-Identifier: PostgreSQL */
/* PostgreSQL's programs: where they are, and of which version. */
#ifndef MT_PG_BINS_H
#define MT_PG_BINS_H

#include <stddef.h>

#include <uv.h>

#include "base/err.h"
#include "conf/conf.h"
#include "pg/command.h"

#define MT_PG_PATH_MAX 1024

struct mt_pg_bins {
	char dir[MT_PG_PATH_MAX]; /* "/usr/lib/postgresql/15/bin" */
	int version_num;          /* 150020; 0 until mt_pg_bins_version */
	struct mt_conf_bin_names names;
};

/* bin_dir if it is not "" (then the programs must be there), else the first
 * directory of PATH with a postgres in it, else the newest
 * /usr/lib/postgresql/N/bin. Leaves version_num alone, and goes by names. */
int mt_pg_bins_find(struct mt_pg_bins *bins, const char *bin_dir,
		    struct mt_err *err) MT_MUSTCHECK;
/* "postgres (PostgreSQL) 15.20 (Debian ...)" gives 150020 */
int mt_pg_version_parse(const char *text, int *version_num) MT_MUSTCHECK;
/* Path of a program, by its usual name, as an argument. */
void mt_pg_bins_arg(struct mt_argv *argv, const struct mt_pg_bins *bins,
		    const char *program);

/* Run `postgres --version`; sets bins->version_num before cb, once. bins must
 * live until then. 5 s at the most. */
typedef void (*mt_pg_bins_cb)(void *arg, const struct mt_err *err);
int mt_pg_bins_version(struct mt_pg_bins *bins, uv_loop_t *loop,
		       mt_pg_bins_cb cb, void *arg,
		       struct mt_err *err) MT_MUSTCHECK;

#endif
