/* SPDX-License-Identifier: PostgreSQL */
/*
 * Frames of a stream: the same bytes fed whole and in pieces of any size give
 * the same frames and the same end. The first byte chooses what is allowed, the
 * second how the pieces are cut.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "peer/frame.h"

#define STOP 77 /* what the callback returns to stop the feeding */

struct heard {
	struct mt_frame_decoder decoder;
	uint64_t digest;
	int frames;
};

static int
on_frame(void *arg, enum mt_frame_kind kind, const uint8_t *payload, size_t n)
{
	struct heard *h = arg;

	MT_ASSERT((h->decoder.kinds & MT_FRAME_BIT((int)kind)) != 0);
	MT_ASSERT(n <= (size_t)mt_frame_max_bytes((int)kind));
	h->digest = mt_hash(h->digest, &kind, sizeof(kind));
	h->digest = mt_hash(h->digest, &n, sizeof(n));
	h->digest = mt_hash(h->digest, payload, n);
	h->frames++;
	/* as the handshake does */
	if (kind == MT_FRAME_HELLO)
		h->decoder.kinds |= MT_FRAME_OWNER_KINDS;
	return kind == MT_FRAME_PING && n > 0 ? STOP : 0;
}

static int
feed(struct heard *h, const uint8_t *p, size_t n, uint8_t cut, uint32_t kinds)
{
	uint32_t chance = cut * 2654435761u + 1;
	struct mt_err err;
	int rv = 0;

	*h = (struct heard){.digest = MT_HASH_SEED};
	mt_frame_decoder_init(&h->decoder, kinds);
	while (n > 0 && rv == 0) {
		size_t take = n;
		uint8_t *piece;

		if (cut > 0) {
			chance = chance * 1664525u + 1013904223u;
			take = (chance >> 24) % (cut % 2 ? 7 : 31) + 1;
			take = take < n ? take : n;
		}
		piece = fuzz_bytes(p, take);
		rv = mt_frame_feed(&h->decoder, piece, take, on_frame, h, &err);
		free(piece);
		p += take;
		n -= take;
	}
	MT_ASSERT(rv == 0 || rv == STOP || rv == MT_EPROTO);
	mt_frame_decoder_release(&h->decoder);
	return rv;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint32_t kinds[] = {
	    MT_FRAME_BIT(MT_FRAME_HELLO),
	    MT_FRAME_BIT(MT_FRAME_HELLO_ACK) |
		MT_FRAME_BIT(MT_FRAME_HELLO_REFUSE),
	    MT_FRAME_OWNER_KINDS | MT_FRAME_BIT(MT_FRAME_HELLO) |
		MT_FRAME_BIT(MT_FRAME_PING),
	    UINT32_MAX};
	struct heard whole, pieces;
	uint32_t allowed;
	int rv;

	if (n < 2)
		return 0;
	allowed = kinds[data[0] % MT_COUNT(kinds)];
	rv = feed(&whole, data + 2, n - 2, 0, allowed);
	MT_ASSERT(feed(&pieces, data + 2, n - 2, data[1], allowed) == rv);
	MT_ASSERT(whole.frames == pieces.frames);
	MT_ASSERT(whole.digest == pieces.digest);
	return 0;
}

void
fuzz_seeds(void)
{
	static const struct {
		enum mt_frame_kind kind;
		size_t n;
	} frames[] = {{MT_FRAME_HELLO, 120},      {MT_FRAME_RAFT, 33},
		      {MT_FRAME_REPORT, 0},       {MT_FRAME_SUPPORT_REQ, 40},
		      {MT_FRAME_PROPOSE_ANS, 17}, {MT_FRAME_PING, 0},
		      {MT_FRAME_HELLO_REFUSE, 9}};
	uint8_t all[1024] = {3, 5}, one[256] = {0};
	size_t at = 2;

	for (size_t i = 0; i < MT_COUNT(frames); i++) {
		size_t n = MT_FRAME_HEADER_BYTES + frames[i].n;

		memset(one, (int)i, sizeof(one));
		one[0] = 3;
		one[1] = 2;
		mt_frame_put_header(one + 2, frames[i].kind, frames[i].n);
		fuzz_seed(one, n + 2);
		memcpy(all + at, one + 2, n);
		at += n;
	}
	fuzz_seed(all, at);
}
