/* SPDX-License-Identifier: PostgreSQL */
/*
 * Methods: sections that the user names, of commands that make a replica
 * (postgresql.create_replica_methods) or a new cluster (bootstrap.method). A
 * section is an object of plain values; what its command is given of it is
 * pg/method.h's.
 */
#ifndef MT_CONF_METHODS_H
#define MT_CONF_METHODS_H

#include <stdbool.h>

#include <jansson.h>

#include "conf/conf.h"
#include "conf/source.h"

/* The one that is no command. */
#define MT_METHOD_BASEBACKUP "basebackup"

/* The sections of those methods that are commands, each an object, empty where
 * the file has none. What is wrong is told; NULL without memory. */
json_t *mt_fill_methods(struct mt_conf_source *src, const json_t *names);

/* The section of bootstrap.method, an object of plain values and of
 * "recovery_conf", an object; a new reference, NULL where that is initdb or has
 * no command. What is wrong is told. */
json_t *mt_fill_bootstrap_method(struct mt_conf_source *src,
				 const char *method);

/* Is a truth of a section ("no_params", "keep_data", "no_leader") given, and
 * true? section may be NULL. */
bool mt_method_says(const json_t *section, const char *key);

/* Is there a method of making a replica that says so? */
bool mt_method_any(const struct mt_conf_postgresql *pg, const char *key);

#endif
