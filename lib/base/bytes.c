/* SPDX-License-Identifier: PostgreSQL */
/*
 * Bounded big-endian encoding. Happy path: put or get a row of fields, then
 * look at bad once. A field that does not fit is not written in part; nothing
 * is written after the first one that did not fit, so that no gap is taken for
 * data. Allocates nothing and keeps nothing.
 */
#include "base/bytes.h"

#include <string.h>

static uint8_t *
room(struct mt_writer *w, size_t n)
{
	uint8_t *p;

	if (w->bad || w->cap - w->n < n) {
		w->bad = true;
		return NULL;
	}
	p = w->p + w->n;
	w->n += n;
	return p;
}

static void
put_be(struct mt_writer *w, uint64_t v, size_t n)
{
	uint8_t *p = room(w, n);

	if (p == NULL)
		return;
	for (size_t i = n; i-- > 0; v >>= 8)
		p[i] = (uint8_t)v;
}

void
mt_put_u8(struct mt_writer *w, uint8_t v)
{
	put_be(w, v, 1);
}

void
mt_put_u16(struct mt_writer *w, uint16_t v)
{
	put_be(w, v, 2);
}

void
mt_put_u32(struct mt_writer *w, uint32_t v)
{
	put_be(w, v, 4);
}

void
mt_put_u64(struct mt_writer *w, uint64_t v)
{
	put_be(w, v, 8);
}

void
mt_put_bytes(struct mt_writer *w, const void *p, size_t n)
{
	uint8_t *to = room(w, n);

	if (to != NULL && n > 0)
		memcpy(to, p, n);
}

void
mt_put_str(struct mt_writer *w, const char *s)
{
	size_t n = strlen(s);

	if (n > UINT16_MAX) {
		w->bad = true;
		return;
	}
	/* Both or nothing: a length without its bytes would mislead. */
	if (w->bad || w->cap - w->n < n + 2) {
		w->bad = true;
		return;
	}
	mt_put_u16(w, (uint16_t)n);
	mt_put_bytes(w, s, n);
}

const void *
mt_get_bytes(struct mt_reader *r, size_t n)
{
	const uint8_t *p;

	if (r->bad || r->left < n) {
		r->bad = true;
		return NULL;
	}
	p = r->p;
	if (n > 0) {
		r->p += n;
		r->left -= n;
	}
	return p;
}

static uint64_t
get_be(struct mt_reader *r, size_t n)
{
	const uint8_t *p = mt_get_bytes(r, n);
	uint64_t v = 0;

	if (p == NULL)
		return 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t
mt_get_u8(struct mt_reader *r)
{
	return (uint8_t)get_be(r, 1);
}

uint16_t
mt_get_u16(struct mt_reader *r)
{
	return (uint16_t)get_be(r, 2);
}

uint32_t
mt_get_u32(struct mt_reader *r)
{
	return (uint32_t)get_be(r, 4);
}

uint64_t
mt_get_u64(struct mt_reader *r)
{
	return get_be(r, 8);
}

void
mt_get_str(struct mt_reader *r, char *buf, size_t size)
{
	size_t n = mt_get_u16(r);
	const char *p = mt_get_bytes(r, n);

	if (size > 0)
		buf[0] = '\0';
	if (r->bad)
		return;
	if (n >= size || (n > 0 && memchr(p, '\0', n) != NULL)) {
		r->bad = true;
		return;
	}
	if (n > 0)
		memcpy(buf, p, n);
	buf[n] = '\0';
}

bool
mt_reader_done(const struct mt_reader *r)
{
	return !r->bad && r->left == 0;
}
