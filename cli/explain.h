/* SPDX-License-Identifier: PostgreSQL */
/* Decisions and verdicts in plain words, for "why" and "forecast". */
#ifndef MT_CLI_EXPLAIN_H
#define MT_CLI_EXPLAIN_H

#include <stdio.h>

#include <jansson.h>

#include "cli/table.h"

/* The text of a key, "" where it is none. */
const char *mt_explain_text(const json_t *o, const char *key);
/* One line for each of "members": who could, who could not, and why. */
void mt_explain_members(const json_t *members, FILE *out);
/* A decision as GET /decisions/N gives it. */
void mt_explain_decision(const json_t *decision, FILE *out);
/* "250 ms", "5.1 s" */
void mt_explain_ms(int64_t ms, FILE *out);

/* A document in a format that programs read, on one line. */
void mt_explain_data(const json_t *doc, enum mt_format format, FILE *out);

#endif
