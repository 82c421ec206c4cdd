/* SPDX-License-Identifier: PostgreSQL */
/*
 * Changes of the cluster's dynamic document: the rules by which a partial
 * document is merged into it. Values are not judged here; what settings make of
 * them is the business of who reads the document.
 */
#ifndef MT_CONF_DOCUMENT_H
#define MT_CONF_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/*
 * The document with patch merged into it, both objects, both borrowed and left
 * alone: a new reference, NULL if memory ran out. Keys of the document that
 * patch gives as null are removed; objects are merged into objects; anything
 * else replaces what is there unless its text is the same (101 and "101"); what
 * the document lacks is stored as given, nulls inside it included; arrays are
 * replaced whole. *changed: does the result differ?
 */
json_t *mt_document_merge(const json_t *document, const json_t *patch,
			  bool *changed);

/* The paths at which two documents differ, as "ttl, postgresql.use_slots", of
 * which as many as there is room for; returns buf. Either may be NULL. */
char *mt_document_changes(const json_t *before, const json_t *after, char *buf,
			  size_t size);

/* Do two values have one text? Then 101 is "101". Sections are compared as they
 * are. */
bool mt_document_same(const json_t *a, const json_t *b);

#endif
