/* SPDX-License-Identifier: PostgreSQL */
/*
 * THE table of options. Unknown keys, types, defaults and minima come from it,
 * and nowhere else is a default written down.
 */
#ifndef MT_CONF_OPTIONS_H
#define MT_CONF_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"

enum mt_option_type {
	MT_OPT_STRING,
	MT_OPT_SECRET, /* a string that no message shows */
	MT_OPT_BOOL,
	MT_OPT_INT,
	MT_OPT_SECONDS, /* number of seconds or "5min"; value in ms */
	MT_OPT_MS,      /* number of milliseconds or "1s"; value in ms */
	MT_OPT_BYTES,   /* whole number */
	MT_OPT_ENUM,    /* one of words; value is its index */
	MT_OPT_ADDR,    /* host:port */
	MT_OPT_LIST,    /* of strings; one string counts as a list of one */
	MT_OPT_FLAGS,   /* list of "flag" or {option: value}, or a mapping */
	MT_OPT_MAP,     /* a mapping, its keys are free */
	MT_OPT_ANY,     /* not checked */
};

enum mt_option_where {
	MT_OPT_LOCAL = 1,   /* the file of this member */
	MT_OPT_DYNAMIC = 2, /* the cluster's document, bootstrap.dcs */
	MT_OPT_BOTH = 3,
};

enum mt_option_reload {
	MT_RELOAD_LIVE,      /* at once */
	MT_RELOAD_POSTGRES,  /* with PostgreSQL's next restart */
	MT_RELOAD_START,     /* when the daemon starts */
	MT_RELOAD_BOOTSTRAP, /* only while a new cluster is made */
};

struct mt_option {
	const char *path; /* "postgresql.listen" */
	enum mt_option_type type;
	const char *def; /* as a user writes it, or NULL: none */
	int64_t min;     /* of the value; INT64_MIN: none */
	enum mt_option_where where;
	enum mt_option_reload reload;
	bool effective;    /* false: known and accepted, not used yet */
	const char *words; /* MT_OPT_ENUM: "off,on,quorum" */
	const char *help;  /* one line */
};

const struct mt_option *mt_options(size_t *n);

/* The option of a path, or NULL. */
const struct mt_option *mt_option_find(enum mt_option_where where,
				       const char *path);
/* Do options lie below this path? "" always. */
bool mt_option_is_section(enum mt_option_where where, const char *path);
/* The nearest sibling's name for a mistyped key below section, or NULL. */
const char *mt_option_nearest(enum mt_option_where where, const char *section,
			      const char *key, char *buf, size_t size);

/* A value of the types from BOOL to ENUM as a number (ms for times). Does not
 * apply the minimum. MT_EINVAL where it has another type. */
int mt_option_value(const struct mt_option *o, const json_t *v,
		    int64_t *out) MT_MUSTCHECK;
/* The default as a number; 0 where there is none. */
int64_t mt_option_default(const struct mt_option *o);
/* A number, as mt_option_value gives it, as it is written; a new reference. */
json_t *mt_option_written(const struct mt_option *o, int64_t n);
/* What the type asks for, in words: "a number of seconds". */
const char *mt_option_wants(const struct mt_option *o);
/* Has v the option's type? */
bool mt_option_accepts(const struct mt_option *o, const json_t *v);

#endif
