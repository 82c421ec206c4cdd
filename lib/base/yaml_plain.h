/* SPDX-License-Identifier: PostgreSQL */
/* Inside lib/base: the type of a plain YAML scalar. */
#ifndef MT_BASE_YAML_PLAIN_H
#define MT_BASE_YAML_PLAIN_H

#include <jansson.h>

/* A new reference; NULL: it is text. */
json_t *mt_yaml_plain(const char *s);

#endif
