/* SPDX-License-Identifier: PostgreSQL */
/*
 * Numbers of timelines. Two servers that are promoted from one timeline without
 * knowing of each other take the same number for different contents, and
 * pg_rewind believes the numbers. The cluster's log therefore gives each turn a
 * number of its own; here PostgreSQL is made to take it.
 */
#include "pg/timelines.h"

#include <string.h>

#include "base/text.h"
#include "pg/files.h"

int
mt_pg_reserve_timelines(const char *data_dir, uint32_t own, uint32_t next,
			struct mt_err *err)
{
	static const char text[] =
	    "# This number was passed over: the cluster had given it to "
	    "another promotion.\n";
	char path[MT_CONF_PATH_MAX + 64];
	int rv = 0;

	for (uint32_t n = own + 1; rv == 0 && n < next; n++) {
		mt_format(path, sizeof(path), "%s/pg_wal/%08X.history",
			  data_dir, n);
		if (!mt_file_exists(path))
			rv = mt_file_write(path, text, strlen(text), 0600, err);
	}
	return rv;
}
