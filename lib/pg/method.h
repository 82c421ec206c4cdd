/* SPDX-License-Identifier: PostgreSQL */
/*
 * Commands of methods: what one is called with. Its section (conf/methods.h)
 * gives the command line and arguments; the standard ones tell it what to make
 * and from where. A password is in none of them.
 */
#ifndef MT_PG_METHOD_H
#define MT_PG_METHOD_H

#include <jansson.h>

#include "base/err.h"
#include "conf/conf.h"
#include "pg/command.h"

/*
 * To make a replica: the words of "command", or the method's name without one;
 * --key=value for each other key of the section; then --scope, --role=replica,
 * --datadir and --connstring, unless the section says no_params. connstring ""
 * where there is no source.
 */
int mt_argv_add_replica_method(struct mt_argv *argv, const struct mt_conf *conf,
			       const char *method, const json_t *section,
			       const char *connstring,
			       struct mt_err *err) MT_MUSTCHECK;

/*
 * To make a new cluster: the words of "command", --scope and --datadir unless
 * the section says no_params, then --key=value of its other keys.
 */
int mt_argv_add_bootstrap_method(struct mt_argv *argv,
				 const struct mt_conf *conf,
				 const json_t *section,
				 struct mt_err *err) MT_MUSTCHECK;

#endif
