/* SPDX-License-Identifier: PostgreSQL */
/* Numbers of timelines. */
#ifndef MT_PG_TIMELINES_H
#define MT_PG_TIMELINES_H

#include <stdint.h>

#include "base/err.h"

/*
 * Make the next promotion of the standby in data_dir take at least the number
 * `next`: PostgreSQL takes the one after the newest that it finds a history
 * file of, counting up from its own (findNewestTimeLine), so each number
 * between gets a file without entries. Such a file is nobody's history: a
 * standby that finds it notes that its timeline is no child of its own, and
 * goes on. own is the standby's timeline. Durable.
 */
int mt_pg_reserve_timelines(const char *data_dir, uint32_t own, uint32_t next,
			    struct mt_err *err) MT_MUSTCHECK;

/*
 * Remove such files above the newest true history. A promotion that did not
 * come to its end leaves them, and a standby that is started on them refuses:
 * the newest timeline that it finds is no child of its own. Those below stay: a
 * standby fetches every history between its timeline and its primary's.
 */
int mt_pg_release_timelines(const char *data_dir,
			    struct mt_err *err) MT_MUSTCHECK;

#endif
