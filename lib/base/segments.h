/* SPDX-License-Identifier: PostgreSQL */
/*
 * System V shared memory that a killed process has left. It outlives everybody
 * and counts against the machine's limit (kernel.shmmni, 4096): a PostgreSQL
 * that was ended by force leaves one segment, which only the next start in the
 * same data directory removes ("Managing Kernel Resources" in PostgreSQL's
 * manual).
 */
#ifndef MT_BASE_SEGMENTS_H
#define MT_BASE_SEGMENTS_H

#include <sys/types.h>

/* Remove what the process creator made, if our user owns it and nobody is
 * attached. The process has to be dead. Returns how many were removed; what
 * cannot be looked at stays. */
int mt_segments_remove(pid_t creator);

#endif
