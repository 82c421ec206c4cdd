/* SPDX-License-Identifier: PostgreSQL */
/* Inside lib/conf: a read file, and complaints that carry their place. */
#ifndef MT_CONF_CHECK_H
#define MT_CONF_CHECK_H

#include "base/err.h"
#include "base/yaml.h"

struct mt_conf_source {
	struct mt_yaml yaml;
	const char *file;   /* borrowed */
	struct mt_err *err; /* borrowed, not NULL */
};

/* "FILE:LINE:COLUMN: ..."; the place is that of path or of the nearest section
 * around it that is there. Returns MT_EINVAL. */
int mt_conf_fail(struct mt_conf_source *src, const char *path, const char *fmt,
		 ...) MT_PRINTF(3, 4);
void mt_conf_warn(struct mt_conf_source *src, const char *path, const char *fmt,
		  ...) MT_PRINTF(3, 4);

/* Compare the whole file with the table of options; mends known slips in the
 * tree. */
int mt_conf_check(struct mt_conf_source *src) MT_MUSTCHECK;

/* The value of a path of plain section names; NULL if absent or null. */
json_t *mt_conf_lookup(const json_t *root, const char *path);

#endif
