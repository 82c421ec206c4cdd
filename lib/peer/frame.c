/* SPDX-License-Identifier: PostgreSQL */
/*
 * Frames: header, bounds and the decoder of a stream.
 *
 * Happy path: bytes come in, whole frames go out, mostly straight from the
 * caller's buffer; only a frame that is split over several reads is copied.
 * Failure: the first header out of form ends the decoding for good, before
 * anything is allocated for its payload. There is no way to find the next frame
 * after a bad one, so the caller must close the stream.
 * Does not look into payloads.
 */
#include "peer/frame.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

/* Kept between frames; a larger buffer is given back after its frame. */
#define KEEP_BYTES 65536

static const struct {
	int32_t max_bytes;
	const char *name;
} kind_table[] = {
    [MT_FRAME_HELLO] = {8192, "hello"},
    [MT_FRAME_HELLO_ACK] = {8192, "hello_ack"},
    [MT_FRAME_HELLO_REFUSE] = {8192, "hello_refuse"},
    [MT_FRAME_RAFT] = {4 * 1024 * 1024, "raft"},
    [MT_FRAME_REPORT] = {16 * 1024, "report"},
    [MT_FRAME_SUPPORT_REQ] = {256, "support_req"},
    [MT_FRAME_SUPPORT_ANS] = {256, "support_ans"},
    [MT_FRAME_FENCE_REQ] = {256, "fence_req"},
    [MT_FRAME_FENCE_ANS] = {256, "fence_ans"},
    [MT_FRAME_PROPOSE] = {1024 * 1024, "propose"},
    [MT_FRAME_PROPOSE_ANS] = {4096, "propose_ans"},
    [MT_FRAME_PING] = {64, "ping"},
};

int32_t
mt_frame_max_bytes(int kind)
{
	if (kind < 0 || (size_t)kind >= MT_COUNT(kind_table) ||
	    kind_table[kind].name == NULL)
		return -1;
	return kind_table[kind].max_bytes;
}

const char *
mt_frame_kind_name(int kind)
{
	return mt_frame_max_bytes(kind) < 0 ? "unknown" : kind_table[kind].name;
}

void
mt_frame_put_header(uint8_t header[MT_FRAME_HEADER_BYTES],
		    enum mt_frame_kind kind, size_t n)
{
	struct mt_writer w = {.p = header, .cap = MT_FRAME_HEADER_BYTES};

	MT_ASSERT(mt_frame_max_bytes((int)kind) >= 0);
	MT_ASSERT(n <= (size_t)mt_frame_max_bytes((int)kind));
	mt_put_u32(&w, (uint32_t)n);
	mt_put_u8(&w, MT_FRAME_VERSION);
	mt_put_u8(&w, (uint8_t)kind);
	MT_ASSERT(!w.bad && w.n == MT_FRAME_HEADER_BYTES);
}

void
mt_frame_decoder_init(struct mt_frame_decoder *d, uint32_t kinds)
{
	*d = (struct mt_frame_decoder){.kinds = kinds};
}

void
mt_frame_decoder_release(struct mt_frame_decoder *d)
{
	free(d->buf);
	*d = (struct mt_frame_decoder){0};
}

/* Read a whole header, judge it by what is allowed now. */
static int
check_header(const struct mt_frame_decoder *d, const uint8_t *p, int *kind,
	     size_t *n, struct mt_err *err)
{
	struct mt_reader r = {.p = p, .left = MT_FRAME_HEADER_BYTES};
	uint32_t length = mt_get_u32(&r);
	unsigned int version = mt_get_u8(&r);
	int32_t max_bytes;

	*kind = mt_get_u8(&r);
	if (version != MT_FRAME_VERSION)
		return mt_err_set(err, MT_EPROTO,
				  "frame of version %u, expected %u", version,
				  MT_FRAME_VERSION);
	max_bytes = mt_frame_max_bytes(*kind);
	if (max_bytes < 0)
		return mt_err_set(err, MT_EPROTO, "frame of unknown kind %d",
				  *kind);
	if ((d->kinds & MT_FRAME_BIT(*kind)) == 0)
		return mt_err_set(err, MT_EPROTO, "unexpected frame \"%s\"",
				  mt_frame_kind_name(*kind));
	if (length > (uint32_t)max_bytes)
		return mt_err_set(err, MT_EPROTO,
				  "frame \"%s\" of %lu bytes, at most %ld",
				  mt_frame_kind_name(*kind),
				  (unsigned long)length, (long)max_bytes);
	*n = length;
	return 0;
}

/* Take up to want bytes in total into the buffer, from *p. */
static int
collect(struct mt_frame_decoder *d, size_t want, const uint8_t **p, size_t *n,
	struct mt_err *err)
{
	size_t take = want - d->n;

	if (want > d->cap) {
		size_t cap = want < 256 ? 256 : want;
		uint8_t *buf = realloc(d->buf, cap);

		if (buf == NULL)
			return mt_err_set(err, MT_ENOMEM,
					  "no memory for a frame of %zu bytes",
					  want);
		d->buf = buf;
		d->cap = cap;
	}
	if (take > *n)
		take = *n;
	if (take > 0)
		memcpy(d->buf + d->n, *p, take);
	d->n += take;
	*p += take;
	*n -= take;
	return 0;
}

static void
shrink(struct mt_frame_decoder *d)
{
	d->n = 0;
	if (d->cap > KEEP_BYTES) {
		free(d->buf);
		d->buf = NULL;
		d->cap = 0;
	}
}

int
mt_frame_feed(struct mt_frame_decoder *d, const uint8_t *p, size_t n,
	      mt_frame_cb cb, void *arg, struct mt_err *err)
{
	while (n > 0) {
		const uint8_t *header = p;
		size_t length = 0, whole;
		int kind, rv;

		if (d->n > 0 || n < MT_FRAME_HEADER_BYTES) {
			if (d->n < MT_FRAME_HEADER_BYTES) {
				rv = collect(d, MT_FRAME_HEADER_BYTES, &p, &n,
					     err);
				if (rv != 0)
					return rv;
			}
			if (d->n < MT_FRAME_HEADER_BYTES)
				return 0;
			header = d->buf;
		}
		rv = check_header(d, header, &kind, &length, err);
		if (rv != 0)
			return rv;
		whole = MT_FRAME_HEADER_BYTES + length;
		if (header == p && n >= whole) {
			rv = cb(arg, (enum mt_frame_kind)kind,
				p + MT_FRAME_HEADER_BYTES, length);
			p += whole;
			n -= whole;
		} else {
			rv = collect(d, whole, &p, &n, err);
			if (rv != 0)
				return rv;
			if (d->n < whole)
				return 0;
			rv = cb(arg, (enum mt_frame_kind)kind,
				d->buf + MT_FRAME_HEADER_BYTES, length);
			shrink(d);
		}
		if (rv != 0)
			return rv;
	}
	return 0;
}
