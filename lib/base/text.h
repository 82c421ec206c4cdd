/* SPDX-License-Identifier: PostgreSQL */
/* Small helpers for strings, hashes, LSNs and random numbers. */
#ifndef MT_BASE_TEXT_H
#define MT_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Copy with truncation, always terminated. Returns false if cut. */
bool mt_copy(char *dst, size_t size, const char *src);
bool mt_streq(const char *a, const char *b);
/* a formatted copy; returns false if cut */
bool mt_format(char *dst, size_t size, const char *fmt, ...) MT_PRINTF(3, 4);

/* FNV-1a with a final avalanche; seed with MT_HASH_SEED or a previous value. */
#define MT_HASH_SEED UINT64_C(14695981039346656037)
uint64_t mt_hash(uint64_t seed, const void *p, size_t n);

/* PostgreSQL's text of an LSN, "16/B374D848"; 0 on success. */
#define MT_LSN_MAX 24
char *mt_lsn_format(char *buf, uint64_t lsn);
int mt_lsn_parse(const char *s, uint64_t *lsn);

/* From the kernel; aborts where it has none to give. */
uint64_t mt_random_u64(void);

#ifndef container_of
#define container_of(p, type, member) \
	((type *)(void *)((char *)(p)-offsetof(type, member)))
#endif
#define MT_COUNT(a) (sizeof(a) / sizeof((a)[0]))

#endif
