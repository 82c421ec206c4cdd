/* SPDX-License-Identifier: PostgreSQL */
/* Inside lib/conf: section log into what the log goes by. */
#ifndef MT_CONF_LOG_H
#define MT_CONF_LOG_H

#include "conf/conf.h"
#include "conf/source.h"

/* The rest of *log, whose single options are filled. */
void mt_fill_log(struct mt_conf_source *src, struct mt_conf_log *log);

#endif
