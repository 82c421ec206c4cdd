/* SPDX-License-Identifier: PostgreSQL */
/*
 * Every option with the value in force, and why it is that one: where it is
 * from, what else was said and does not count, and what it still waits for.
 */
#ifndef MT_CONF_EXPLAIN_H
#define MT_CONF_EXPLAIN_H

#include <jansson.h>

#include "conf/conf.h"

/* What the local configuration does not know. All borrowed, and may be NULL. */
struct mt_conf_facts {
	const json_t *document;    /* the dynamic document */
	const char *document_name; /* "dynamic" */
	const json_t *parameters;  /* of PostgreSQL, as its file has them */
	enum mt_conf_role role;    /* that they are for */
	/* those that wait for a restart: name to {.., "new_value"} */
	const json_t *pending;
	const json_t *altered; /* name to value, by ALTER SYSTEM */
};

/*
 * An array of objects, a new reference: "key", "value", "source" ("default",
 * "dynamic", "FILE:LINE:COLUMN", a variable's name, ...), "default" where there
 * is one, "waits_for" ("daemon", "postgresql") and "new" where it does, and
 * "overridden", a list of {"source", "value"}. Secrets are masked.
 */
json_t *mt_conf_explain(const struct mt_conf *c, const struct mt_conf_facts *f);

#endif
