/* SPDX-License-Identifier: PostgreSQL */
/* Inside lib/conf: single options of a checked file into struct mt_conf. */
#ifndef MT_CONF_FILL_H
#define MT_CONF_FILL_H

#include "conf/conf.h"
#include "conf/options.h"
#include "conf/source.h"

/* All members that one option fills alone: the given value or the default. */
void mt_fill_rows(struct mt_conf_source *src, struct mt_conf *c);
/* All json_t members, in the shapes that conf.h promises. */
void mt_fill_json(struct mt_conf_source *src, struct mt_conf *c);
/* What such a member has, as it is written in a file: a new reference, or NULL
 * where it has nothing, and where no member is the option's alone. */
json_t *mt_fill_value(const struct mt_conf *c, const struct mt_option *o);
/* Options that need a restart of the daemon keep old's values. */
void mt_fill_keep(const struct mt_conf *old, struct mt_conf *now);
void mt_fill_release(struct mt_conf *c);

/* Section "raft", after the rows. */
int mt_fill_raft(struct mt_conf_source *src, struct mt_conf *c);

/* The lists and mappings of section "restapi", after the rows. */
int mt_fill_restapi(struct mt_conf_source *src, struct mt_conf_restapi *r);

/* Is dir (MT_CONF_PATH_MAX) a usable absolute path? Drops slashes at its end.
 */
int mt_fill_directory(struct mt_conf_source *src, const char *path, char *dir);

#endif
