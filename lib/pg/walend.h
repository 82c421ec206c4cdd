/* SPDX-License-Identifier: PostgreSQL */
/* Where pg_waldump found the end of a write-ahead log. */
#ifndef MT_PG_WALEND_H
#define MT_PG_WALEND_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MT_PG_SEGMENT_MAX 25 /* "000000010000000000000004" */

/* The first segment in pg_wal of the newest timeline that has any there. Reads
 * a directory: for a worker. "" where there is none. */
void mt_pg_wal_newest(const char *data_dir, char first[MT_PG_SEGMENT_MAX]);
/* What the name of a segment says. MT_EINVAL: it is none. */
int mt_pg_segment_parse(const char *name, uint64_t segment_bytes,
			uint32_t *timeline, uint64_t *lsn) MT_MUSTCHECK;

/* A line of its standard error, where it could not read on. MT_ENOENT: the line
 * tells no position. Where a record is cut off at a page's edge the page counts
 * as the end; where the last valid record is all that is told, its start. */
int mt_pg_wal_end_parse(const char *line, uint64_t segment_bytes,
			uint64_t *lsn) MT_MUSTCHECK;

#endif
