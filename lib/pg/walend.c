/* SPDX-License-Identifier: PostgreSQL */
/*
 * pg_waldump's last words, from PostgreSQL 13 on:
 *
 *   error in WAL record at 0/3000148: invalid record length at 0/3000180: ...
 *   error in WAL record at 0/3000148: record with incorrect prev-link 0/1 at ..
 *   ...: unexpected pageaddr 0/1 in log segment 0000000100..., offset 8192
 *   ...: unexpected pageaddr 0/1 in WAL segment ..., LSN 0/3002000, offset 8192
 *   could not find file "000000010000000000000004": No such file or directory
 *   could not find a valid record after 0/3000180
 *
 * The most telling part wins. A text that is none of these tells nothing.
 */
#include "pg/walend.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* "0/3000180" at p, whatever follows. */
static bool
lsn_at(const char *p, uint64_t *lsn)
{
	char text[MT_LSN_MAX];

	return sscanf(p, "%23[0-9A-Fa-f/]", text) == 1 &&
	       strchr(text, '/') != NULL && mt_lsn_parse(text, lsn) == 0;
}

/* The last "WORD LSN" of the line. */
static bool
last_after(const char *line, const char *word, uint64_t *lsn)
{
	bool found = false;

	for (const char *p = strstr(line, word); p != NULL;
	     p = strstr(p + 1, word))
		if (lsn_at(p + strlen(word), lsn))
			found = true;
	return found;
}

/* "TTTTTTTTHHHHHHHHLLLLLLLL" at the beginning */
int
mt_pg_segment_parse(const char *name, uint64_t segment_bytes,
		    uint32_t *timeline, uint64_t *lsn)
{
	unsigned tl, high, low;
	uint64_t per_high;

	if (segment_bytes == 0 || strspn(name, "0123456789ABCDEF") != 24 ||
	    sscanf(name, "%8x%8x%8x", &tl, &high, &low) != 3)
		return MT_EINVAL;
	per_high = (UINT64_C(1) << 32) / segment_bytes;
	*timeline = tl;
	*lsn = (high * per_high + low) * segment_bytes;
	return 0;
}

static bool
segment_at(const char *p, uint64_t segment_bytes, uint64_t offset,
	   uint64_t *lsn)
{
	uint32_t timeline;

	if (mt_pg_segment_parse(p, segment_bytes, &timeline, lsn) != 0)
		return false;
	*lsn += offset;
	return true;
}

void
mt_pg_wal_newest(const char *data_dir, char first[MT_PG_SEGMENT_MAX])
{
	char path[4096];
	struct dirent *e;
	DIR *d;

	first[0] = '\0';
	mt_format(path, sizeof(path), "%s/pg_wal", data_dir);
	d = opendir(path);
	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		int newer = strncmp(e->d_name, first, 8);

		if (strlen(e->d_name) != 24 ||
		    strspn(e->d_name, "0123456789ABCDEF") != 24)
			continue;
		if (newer > 0 || (newer == 0 && strcmp(e->d_name, first) < 0))
			mt_copy(first, MT_PG_SEGMENT_MAX, e->d_name);
	}
	closedir(d);
}

int
mt_pg_wal_end_parse(const char *line, uint64_t segment_bytes, uint64_t *lsn)
{
	const char *segment = strstr(line, " segment ");
	const char *offset = strstr(line, ", offset ");
	const char *file = strstr(line, "could not find file \"");
	const char *open = strstr(line, "could not open file \"");

	if (segment != NULL && offset != NULL &&
	    segment_at(segment + strlen(" segment "), segment_bytes,
		       strtoull(offset + strlen(", offset "), NULL, 10), lsn))
		return 0;
	if (file == NULL)
		file = open;
	if (file != NULL &&
	    segment_at(strchr(file, '"') + 1, segment_bytes, 0, lsn))
		return 0;
	if (last_after(line, " at ", lsn) || last_after(line, " after ", lsn))
		return 0;
	return MT_ENOENT;
}
