/* SPDX-License-Identifier: PostgreSQL */
/*
 * YAML to a jansson tree, with the place of each key. Scalars keep the type
 * that YAML 1.1 users expect of Patroni's files: plain true/yes/on and their
 * opposites are booleans, plain integers and decimals are numbers, null and ~
 * are null; quoted scalars are strings. Bounded: 1 MiB, depth 32, no aliases to
 * a parent.
 */
#ifndef MT_BASE_YAML_H
#define MT_BASE_YAML_H

#include <jansson.h>

#include "base/err.h"

struct mt_yaml_place {
	char path[256];   /* "bootstrap.dcs.ttl", list items "a.b[0]" */
	int line, column; /* from 1 */
};

struct mt_yaml {
	json_t *root;                 /* owned */
	struct mt_yaml_place *places; /* owned, in file order */
	size_t n_places;
};

/* Errors carry file, line and column. On error *y is unchanged. */
int mt_yaml_load(struct mt_yaml *y, const char *file,
		 struct mt_err *err) MT_MUSTCHECK;
int mt_yaml_parse(struct mt_yaml *y, const char *text, size_t n,
		  const char *name, struct mt_err *err) MT_MUSTCHECK;
void mt_yaml_release(struct mt_yaml *y);
/* Place of a path, or NULL. */
const struct mt_yaml_place *mt_yaml_place(const struct mt_yaml *y,
					  const char *path);

/* On one line; scalars are such that every reader takes them for what they
 * are. Returned, free it. */
char *mt_yaml_flow(const json_t *value);
/* Block style, keys sorted, two blanks a level, lists not indented. Returned,
 * free it; NULL if memory ran out. */
char *mt_yaml_block(const json_t *value);

#endif
