/* SPDX-License-Identifier: PostgreSQL */
/*
 * The environment as configuration: MATRIARCH_* and, under the names that users
 * of the known file format have, PATRONI_*; the former win.
 */
#ifndef MT_CONF_ENVIRON_H
#define MT_CONF_ENVIRON_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "conf/options.h"

struct mt_conf_source;

/* Those of list (NULL ends it, as environ) that are ours: an object of name to
 * text, a new reference; NULL if memory ran out. Empty ones are not given. */
json_t *mt_conf_environ(const char *const *list);
/* Take them out of list, and wipe their text: neither /proc nor a child shows a
 * password then. */
void mt_conf_environ_hide(char **list);

/* Inside lib/conf. */

/* A whole configuration in one variable, or NULL; and that variable's name. */
const char *mt_conf_environ_whole(const json_t *environment,
				  const char **variable);
/* All others, each as a part. */
void mt_conf_environ_add(struct mt_conf_source *src, const json_t *environment);
/* "POSTGRESQL_LISTEN", without the prefix; false: it has none. */
bool mt_option_variable(const struct mt_option *o, char *buf, size_t size);

#endif
