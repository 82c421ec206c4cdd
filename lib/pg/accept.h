/* SPDX-License-Identifier: PostgreSQL */
/*
 * Which parameters the server's own program takes. It is asked, so that no list
 * of its parameters, their units, ranges and words stands here.
 */
#ifndef MT_PG_ACCEPT_H
#define MT_PG_ACCEPT_H

#include <stdbool.h>

#include <jansson.h>
#include <uv.h>

#include "base/err.h"
#include "pg/bins.h"

struct mt_pg_accept;

/* Exactly once, never from inside start. accepted: as given, but what the
 * program does not know, or cannot read, is left out, and numbers out of range
 * are at their end of it; each was warned of in the log. NULL with err: it
 * could not be asked, or refuses them without a word on which. Both borrowed.
 */
typedef void (*mt_pg_accept_cb)(void *arg, json_t *accepted,
				const struct mt_err *err);

/* parameters (name to text) are copied; bins must live until cb. 5 s a round,
 * of which there are as many as the program has kinds of complaint. */
int mt_pg_accept_start(struct mt_pg_accept **a, uv_loop_t *loop,
		       const struct mt_pg_bins *bins, const json_t *parameters,
		       mt_pg_accept_cb cb, void *arg,
		       struct mt_err *err) MT_MUSTCHECK;
/* cb comes with MT_ECANCELED. */
void mt_pg_accept_cancel(struct mt_pg_accept *a);

/* Take one line of the program's log into account; false: it says nothing of
 * one of these parameters. Warns. */
bool mt_pg_accept_line(json_t *parameters, const char *line);

#endif
