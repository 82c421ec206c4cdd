/* SPDX-License-Identifier: PostgreSQL */
/*
 * The local configuration as a tree again: what is in force, whether it was
 * given or not, for people to read. Secrets are masked.
 */
#ifndef MT_CONF_EFFECTIVE_H
#define MT_CONF_EFFECTIVE_H

#include <jansson.h>

#include "conf/conf.h"
#include "conf/options.h"

#define MT_CONF_MASK "********"

/* What an option of the file has in force, as it is written in a file: a new
 * reference, or NULL where it has nothing. Secrets are not masked. */
json_t *mt_conf_value(const struct mt_conf *c, const struct mt_option *o);

/* All that was given and all that is in force, masked; a new reference. */
json_t *mt_conf_effective(const struct mt_conf *c);

/* Mask what looks like a secret, by its name or within its text, of a value
 * that stands at path; a new reference. */
json_t *mt_conf_masked(const char *path, const json_t *v);

#endif
