/* SPDX-License-Identifier: PostgreSQL */
/*
 * The dynamic document on the command line: fetched, set by pairs, and what a
 * change changes.
 */
#ifndef MT_CLI_DOCUMENT_H
#define MT_CLI_DOCUMENT_H

#include <stdio.h>

#include <jansson.h>

#include "base/err.h"
#include "cli/cli.h"

/* Set one "a.b=VALUE" of a YAML value: null removes, and emptied parents with
 * it; below postgresql.parameters the rest of the path is one key. */
int mt_document_set(json_t *document, const char *pair,
		    struct mt_err *err) MT_MUSTCHECK;

/* The unified diff of two texts, three lines around each change; nothing where
 * they are equal. Colours for a terminal are not made. */
void mt_text_diff(const char *before, const char *after, FILE *out);

/* What is in force, and its version. */
int mt_document_fetch(struct mt_http *http, json_t **document,
		      uint64_t *version, struct mt_err *err) MT_MUSTCHECK;

#endif
