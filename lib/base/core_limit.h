/* SPDX-License-Identifier: PostgreSQL */
/*
 * Core dumps: the daemon holds passwords in plain text and makes none; what it
 * starts has the limit that the daemon was started with.
 */
#ifndef MT_BASE_CORE_LIMIT_H
#define MT_BASE_CORE_LIMIT_H

/* This process makes no core dumps from now on. The hard limit stays, so that
 * somebody who wants one can say so from outside (prlimit). */
void mt_core_forbid(void);
/* As before mt_core_forbid: between fork and exec (a system call, nothing
 * more), or around a spawn. */
void mt_core_allow(void);

#endif
