/* SPDX-License-Identifier: PostgreSQL */
/*
 * What pg_controldata prints: on an error the target is untouched, otherwise
 * what must be there is.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "pg/control.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct mt_pg_control c, before;
	char *text = fuzz_text(data, n);
	struct mt_err err;

	memset(&c, 0x5a, sizeof(c));
	before = c;
	if (mt_pg_control_parse(&c, text, &err) == 0) {
		FUZZ_ENDS(c.sysid);
		FUZZ_ENDS(c.state_text);
		MT_ASSERT(c.sysid[0] >= '0' && c.sysid[0] <= '9');
		MT_ASSERT(c.state != MT_PGCTL_UNKNOWN);
		MT_ASSERT(c.max_connections >= -1);
	} else {
		MT_ASSERT(err.code == MT_EPROTO || err.code == MT_EIO);
		MT_ASSERT(memcmp(&c, &before, sizeof(c)) == 0);
	}
	free(text);
	return 0;
}

void
fuzz_seeds(void)
{
	static const char text[] =
	    "pg_control version number:            1300\n"
	    "Database system identifier:           7301234567890123456\n"
	    "Database cluster state:               in production\n"
	    "Latest checkpoint location:           16/B374D848\n"
	    "Latest checkpoint's REDO location:    16/B374D810\n"
	    "Latest checkpoint's TimeLineID:       2\n"
	    "Latest checkpoint's PrevTimeLineID:   1\n"
	    "Minimum recovery ending location:     0/0\n"
	    "Min recovery ending loc's timeline:   0\n"
	    "wal_log_hints setting:                on\n"
	    "max_connections setting:              100\n"
	    "max_worker_processes setting:         8\n"
	    "max_wal_senders setting:              10\n"
	    "max_prepared_xacts setting:           0\n"
	    "max_locks_per_xact setting:           64\n"
	    "Bytes per WAL segment:                16777216\n"
	    "Data page checksum version:           1\n";

	fuzz_seed(text, strlen(text));
}
