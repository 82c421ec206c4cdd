/* SPDX-License-Identifier: PostgreSQL */
/* Parameters that wait for a restart, in the words of people. */
#ifndef MT_PG_PENDING_H
#define MT_PG_PENDING_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/*
 * A parameter's value as PostgreSQL shows it: a number without a unit, or in
 * another one, with the largest that divides it ("16384" of unit "8kB" is
 * "128MB"), a truth as on or off. unit and type as in pg_settings, "" and NULL:
 * none. What cannot be read is copied. Returns buf.
 */
char *mt_pg_human(char *buf, size_t size, const char *text, const char *unit,
		  const char *type);

/*
 * answer: what mt_session_settings gave; parameters: those that are configured.
 * An object of name to {"old_value", "new_value"}, a new reference: what the
 * server says of itself, and on a standby what it runs with more of than is
 * configured, because its primary had more.
 */
json_t *mt_pg_pending(const json_t *answer, const json_t *parameters,
		      bool standby);

/* The same as compact JSON; "" where it is empty. The last names are left out
 * where all would not fit. Returns buf. */
char *mt_pg_pending_text(const json_t *pending, char *buf, size_t size);

/* The five that pg_control records of a primary, and of which a standby needs
 * as much; NULL at the end. */
const char *const *mt_pg_recorded(void);

#endif
