/* SPDX-License-Identifier: PostgreSQL */
/*
 * Query strings, "lag=1MB&tag_zone=a": decoded, blank values ignored, of a
 * repeated key the first value counts.
 */
#ifndef MT_HTTP_QUERY_H
#define MT_HTTP_QUERY_H

#include <stdbool.h>
#include <stddef.h>

/* The first value of key that is not blank; false if there is none. A value
 * that does not fit is cut. */
bool mt_http_query(const char *query, const char *key, char *buf, size_t size);

/* Walk over all pairs, repeated keys included: start with *cursor = query;
 * false at the end. What does not fit is cut. */
bool mt_http_query_next(const char **cursor, char *key, size_t key_size,
			char *value, size_t value_size);

#endif
