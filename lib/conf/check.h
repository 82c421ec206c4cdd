/* SPDX-License-Identifier: PostgreSQL */
/* Inside lib/conf: the tree against the table of options. */
#ifndef MT_CONF_CHECK_H
#define MT_CONF_CHECK_H

#include "conf/source.h"

/* Compare the whole tree with the table of options; mends known slips in the
 * tree. */
void mt_conf_check(struct mt_conf_source *src);

#endif
