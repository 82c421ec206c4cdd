/* SPDX-License-Identifier: PostgreSQL */
/*
 * Times that people give for a switchover or a restart. What cannot be
 * scheduled, or is no time, is told, and nothing is asked of a server.
 */
#include "cli/when.h"

#include <string.h>
#include <time.h>

#include "base/iso.h"
#include "cli/cli.h"

int
mt_cli_when(const char *text, const json_t *cluster, const char *verb, char *at)
{
	struct mt_iso iso;
	struct mt_err err;

	if (strcmp(text, "now") == 0)
		return 0;
	if (json_is_true(json_object_get(cluster, "pause"))) {
		mt_err_set(&err, MT_EREFUSED,
			   "Can't schedule %s in the paused state", verb);
		return mt_cli_fail(&err);
	}
	if (mt_iso_parse(text, &iso) != 0) {
		mt_err_set(&err, MT_EINVAL,
			   "\"%s\" is no time; write it as " MT_CLI_WHEN_EXAMPLE
			   ", or \"now\"",
			   text);
		return mt_cli_fail(&err);
	}
	if (!iso.zoned) { /* it is meant as the clock on the wall here */
		time_t t = (time_t)(iso.wall_ms / 1000);
		struct tm tm;

		gmtime_r(&t, &tm);
		tm.tm_isdst = -1;
		iso.wall_ms = (int64_t)mktime(&tm) * 1000 + iso.wall_ms % 1000;
	}
	mt_wall_iso(at, iso.wall_ms);
	return 0;
}
