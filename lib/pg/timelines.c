/* SPDX-License-Identifier: PostgreSQL */
/*
 * Numbers of timelines. Two servers that are promoted from one timeline without
 * knowing of each other take the same number for different contents, and
 * pg_rewind believes the numbers. The cluster's log therefore gives each turn a
 * number of its own; here PostgreSQL is made to take it.
 */
#include "pg/timelines.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pg/files.h"

#define HISTORY_MAX_BYTES (1 << 20)
#define PASSED_OVER "# This number was passed over"

static bool
is_passed_over(const char *path, struct mt_err *err, int *rv)
{
	char *text;
	bool found;

	*rv = mt_file_read(path, HISTORY_MAX_BYTES, &text, NULL, err);
	if (*rv != 0)
		return false;
	found = strncmp(text, PASSED_OVER, strlen(PASSED_OVER)) == 0;
	free(text);
	return found;
}

/* "0000000A.history" */
static bool
history_number(const char *name, uint32_t *number)
{
	char rest[16];

	return strlen(name) == strlen("0000000A.history") &&
	       sscanf(name, "%8x%15s", number, rest) == 2 &&
	       strcmp(rest, ".history") == 0;
}

/* Go over the histories: the newest true one, or removing above it. */
static int
each_history(const char *data_dir, uint32_t *newest, bool removing,
	     struct mt_err *err)
{
	char dir[MT_CONF_PATH_MAX + 16], path[MT_CONF_PATH_MAX + 64];
	struct dirent *e;
	uint32_t number;
	DIR *d;
	int rv = 0;

	mt_format(dir, sizeof(dir), "%s/pg_wal", data_dir);
	d = opendir(dir);
	if (d == NULL)
		return mt_err_sys(err, errno, "could not open \"%s\"", dir);
	while (rv == 0 && (e = readdir(d)) != NULL) {
		if (!history_number(e->d_name, &number) || number <= *newest)
			continue;
		mt_format(path, sizeof(path), "%s/%.16s", dir, e->d_name);
		if (removing)
			rv = mt_file_remove(path, err);
		else if (!is_passed_over(path, err, &rv) && rv == 0)
			*newest = number;
	}
	closedir(d);
	return rv;
}

int
mt_pg_release_timelines(const char *data_dir, struct mt_err *err)
{
	uint32_t newest = 0;
	int rv = each_history(data_dir, &newest, false, err);

	/* What is above the newest true one is passed over, all of it. */
	return rv != 0 ? rv : each_history(data_dir, &newest, true, err);
}

int
mt_pg_reserve_timelines(const char *data_dir, uint32_t own, uint32_t next,
			struct mt_err *err)
{
	static const char text[] =
	    PASSED_OVER ": the cluster had given it to another "
			"promotion.\n";
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
