/* SPDX-License-Identifier: PostgreSQL */
/*
 * The clock that all deadlines are counted in: CLOCK_MONOTONIC_RAW plus
 * (CLOCK_BOOTTIME - CLOCK_MONOTONIC), in milliseconds. Nothing slews it, and it
 * counts suspend. It never goes back within a process, and processes of one
 * boot agree on it, so that a deadline may stand in shared memory.
 */
#ifndef MT_BASE_CLOCK_H
#define MT_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t mt_clock_ms(void);

/* Wall clock, for people's eyes; the one decision that reads it is whether the
 * time has come that people have set for a switchover. */
int64_t mt_wall_ms(void);

#define MT_ISO_MAX 40
/* "2026-11-23T06:00:00.123456+00:00"; returns buf, which has MT_ISO_MAX. */
char *mt_wall_iso(char *buf, int64_t wall_ms);

#endif
