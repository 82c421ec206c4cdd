/* SPDX-License-Identifier: PostgreSQL */
/* Inside lib/conf: single options of a checked file into struct mt_conf. */
#ifndef MT_CONF_FILL_H
#define MT_CONF_FILL_H

#include "conf/check.h"
#include "conf/conf.h"

/* All members that one option fills alone: the file's value or the default. */
int mt_fill_rows(struct mt_conf_source *src, struct mt_conf *c) MT_MUSTCHECK;
/* All json_t members, in the shapes that conf.h promises. */
int mt_fill_json(struct mt_conf_source *src, struct mt_conf *c) MT_MUSTCHECK;
void mt_fill_release(struct mt_conf *c);

/* Is dir (MT_CONF_PATH_MAX) a usable absolute path? Drops slashes at its end.
 */
int mt_fill_directory(struct mt_conf_source *src, const char *path,
		      char *dir) MT_MUSTCHECK;

#endif
