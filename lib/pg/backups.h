/* SPDX-License-Identifier: PostgreSQL */
/*
 * Copies of the configuration files in the data directory, so that they come
 * with a copy of it made by whatever means. Synchronous and durable, as all of
 * pg/files.h.
 */
#ifndef MT_PG_BACKUPS_H
#define MT_PG_BACKUPS_H

#include "base/err.h"
#include "conf/conf.h"

/* After a successful start: "<name>.backup" in the data directory of each
 * configuration file that there is; those that are the same are not touched. */
int mt_pg_backup_files(const struct mt_conf_postgresql *pg,
		       struct mt_err *err) MT_MUSTCHECK;
/* After a clone, by whatever method: each configuration file that is missing
 * comes back from its copy. Where there is no copy either, pg_hba.conf and
 * pg_ident.conf come back empty: the server does not start without them. */
int mt_pg_restore_files(const struct mt_conf_postgresql *pg,
			struct mt_err *err) MT_MUSTCHECK;

#endif
