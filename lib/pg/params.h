/* SPDX-License-Identifier: PostgreSQL */
/* How the postmaster is called. */
#ifndef MT_PG_PARAMS_H
#define MT_PG_PARAMS_H

#include <stdbool.h>

#include <jansson.h>

#include "base/err.h"
#include "conf/conf.h"
#include "pg/bins.h"
#include "pg/command.h"
#include "pg/control.h"

/*
 * A hot standby does not start with less than its primary had of the five
 * settings that pg_control records. Returns parameters (a new reference) or a
 * changed copy; *raised (may be NULL) tells which. NULL if memory ran out.
 */
json_t *mt_pg_raise_for_standby(const json_t *parameters,
				const struct mt_pg_control *control,
				bool *raised);

/* postgres -D dir --config-file=... --name=value ... */
int mt_pg_postmaster_argv(struct mt_argv *argv, const struct mt_pg_bins *bins,
			  const struct mt_conf_postgresql *pg,
			  const json_t *parameters,
			  struct mt_err *err) MT_MUSTCHECK;

#endif
