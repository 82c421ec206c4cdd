/* SPDX-License-Identifier: PostgreSQL */
/*
 * Bounded big-endian encoding into and out of byte ranges. A reader or writer
 * that runs past its end becomes bad, stays bad and reads zeros: check once, at
 * the end.
 */
#ifndef MT_BASE_BYTES_H
#define MT_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mt_writer {
	uint8_t *p;    /* borrowed */
	size_t cap, n; /* n <= cap: bytes written */
	bool bad;
};

struct mt_reader {
	const uint8_t *p; /* borrowed */
	size_t left;
	bool bad;
};

void mt_put_u8(struct mt_writer *w, uint8_t v);
void mt_put_u16(struct mt_writer *w, uint16_t v);
void mt_put_u32(struct mt_writer *w, uint32_t v);
void mt_put_u64(struct mt_writer *w, uint64_t v);
void mt_put_bytes(struct mt_writer *w, const void *p, size_t n);
/* u16 length and the bytes, without the terminating zero */
void mt_put_str(struct mt_writer *w, const char *s);

uint8_t mt_get_u8(struct mt_reader *r);
uint16_t mt_get_u16(struct mt_reader *r);
uint32_t mt_get_u32(struct mt_reader *r);
uint64_t mt_get_u64(struct mt_reader *r);
/* Borrowed pointer into the range, or NULL (and bad). */
const void *mt_get_bytes(struct mt_reader *r, size_t n);
/* Into buf with a terminating zero; bad if it does not fit or holds a zero. */
void mt_get_str(struct mt_reader *r, char *buf, size_t size);
/* All consumed and nothing bad? */
bool mt_reader_done(const struct mt_reader *r);

#endif
