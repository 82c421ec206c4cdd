/* SPDX-License-Identifier: PostgreSQL */
/*
 * A configuration that takes the place of another one in a running daemon: what
 * differs, and what of it has to wait.
 */
#ifndef MT_CONF_CHANGE_H
#define MT_CONF_CHANGE_H

#include <stdbool.h>

#include <jansson.h>

#include "conf/conf.h"

/* Paths of options that differ, by what it takes; arrays of strings. */
struct mt_conf_change {
	json_t *live;
	json_t *postgres;  /* a restart of PostgreSQL */
	json_t *start;     /* a restart of the daemon */
	json_t *bootstrap; /* a new cluster */
};

/*
 * What now shall have before it takes over from old: where a change needs a
 * restart, old's values stay in force, and now->waiting has what was written
 * instead. *c is the caller's to release. A witness does not become a member
 * with PostgreSQL, nor the other way: then false, and now must not take over.
 */
bool mt_conf_succeed(const struct mt_conf *old, struct mt_conf *now,
		     struct mt_conf_change *c);
void mt_conf_change_release(struct mt_conf_change *c);

/* "a, b", at most size bytes; returns buf. */
char *mt_conf_keys(const json_t *paths, char *buf, size_t size);

/* What a document asks for and another one, which is in force, has otherwise: a
 * new array of {key, value}, value as in force, null where it has none. */
json_t *mt_conf_unmet(const json_t *asked, const json_t *in_force);

#endif
