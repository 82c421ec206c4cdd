/* SPDX-License-Identifier: PostgreSQL */
/*
 * Frames: whatever way the bytes are cut, the same frames come out; and nothing
 * out of form gets past the header.
 */
#include "peer/frame.h"

#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "base/text.h"
#include "test/unit/run.h"

#define ALL_KINDS UINT32_MAX
#define MAX_SEEN 8

struct seen {
	size_t n;
	int kinds[MAX_SEEN];
	size_t sizes[MAX_SEEN];
	uint64_t hashes[MAX_SEEN];
	int stop_at; /* stop after this many frames; 0: never */
};

static const enum mt_frame_kind known[] = {
    MT_FRAME_HELLO,       MT_FRAME_HELLO_ACK,   MT_FRAME_HELLO_REFUSE,
    MT_FRAME_RAFT,        MT_FRAME_REPORT,      MT_FRAME_SUPPORT_REQ,
    MT_FRAME_SUPPORT_ANS, MT_FRAME_FENCE_REQ,   MT_FRAME_FENCE_ANS,
    MT_FRAME_PROPOSE,     MT_FRAME_PROPOSE_ANS, MT_FRAME_PING,
};

static int
see(void *arg, enum mt_frame_kind kind, const uint8_t *payload, size_t n)
{
	struct seen *s = arg;

	ck_assert_uint_lt(s->n, MAX_SEEN);
	s->kinds[s->n] = (int)kind;
	s->sizes[s->n] = n;
	s->hashes[s->n++] = mt_hash(MT_HASH_SEED, payload, n);
	return s->stop_at != 0 && (int)s->n == s->stop_at ? 7 : 0;
}

static size_t
put(uint8_t *out, enum mt_frame_kind kind, size_t n, uint8_t fill)
{
	mt_frame_put_header(out, kind, n);
	for (size_t i = 0; i < n; i++)
		out[MT_FRAME_HEADER_BYTES + i] = (uint8_t)(fill + i);
	return MT_FRAME_HEADER_BYTES + n;
}

/* Three frames: short, empty, longer. */
static size_t
three(uint8_t *out)
{
	size_t n = put(out, MT_FRAME_REPORT, 11, 3);

	n += put(out + n, MT_FRAME_PING, 0, 0);
	return n + put(out + n, MT_FRAME_RAFT, 400, 9);
}

static void
check_three(const struct seen *s)
{
	uint8_t bytes[512];
	struct mt_frame_decoder d;
	struct seen whole = {0};
	struct mt_err err;

	mt_frame_decoder_init(&d, ALL_KINDS);
	ck_assert_int_eq(
	    mt_frame_feed(&d, bytes, three(bytes), see, &whole, &err), 0);
	mt_frame_decoder_release(&d);
	ck_assert_uint_eq(s->n, 3);
	ck_assert_int_eq(s->kinds[0], MT_FRAME_REPORT);
	ck_assert_uint_eq(s->sizes[0], 11);
	ck_assert_int_eq(s->kinds[1], MT_FRAME_PING);
	ck_assert_uint_eq(s->sizes[1], 0);
	ck_assert_int_eq(s->kinds[2], MT_FRAME_RAFT);
	ck_assert_uint_eq(s->sizes[2], 400);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_eq(s->hashes[i], whole.hashes[i]);
}

START_TEST(frames_come_out_the_same_split_at_every_byte)
{
	uint8_t bytes[512];
	size_t n = three(bytes);

	for (size_t cut = 0; cut <= n; cut++) {
		struct mt_frame_decoder d;
		struct seen s = {0};
		struct mt_err err;

		mt_frame_decoder_init(&d, ALL_KINDS);
		ck_assert_int_eq(mt_frame_feed(&d, bytes, cut, see, &s, &err),
				 0);
		ck_assert_int_eq(
		    mt_frame_feed(&d, bytes + cut, n - cut, see, &s, &err), 0);
		check_three(&s);
		mt_frame_decoder_release(&d);
	}
}
END_TEST

START_TEST(frames_come_out_the_same_in_pieces_of_any_size)
{
	uint8_t bytes[512];
	size_t n = three(bytes);

	for (size_t piece = 1; piece < 40; piece++) {
		struct mt_frame_decoder d;
		struct seen s = {0};
		struct mt_err err;

		mt_frame_decoder_init(&d, ALL_KINDS);
		for (size_t at = 0; at < n; at += piece)
			ck_assert_int_eq(
			    mt_frame_feed(&d, bytes + at,
					  n - at < piece ? n - at : piece, see,
					  &s, &err),
			    0);
		check_three(&s);
		mt_frame_decoder_release(&d);
	}
}
END_TEST

START_TEST(every_kind_goes_through_at_its_bound_and_not_beyond)
{
	for (size_t i = 0; i < MT_COUNT(known); i++) {
		size_t max = (size_t)mt_frame_max_bytes((int)known[i]);
		uint8_t *bytes = malloc(max + MT_FRAME_HEADER_BYTES);
		struct mt_frame_decoder d;
		struct seen s = {0};
		struct mt_err err;
		size_t n;

		ck_assert_ptr_nonnull(bytes);
		n = put(bytes, known[i], max, 1);
		mt_frame_decoder_init(&d, ALL_KINDS);
		/* in two pieces, so that the decoder keeps it */
		ck_assert_int_eq(mt_frame_feed(&d, bytes, n - 1, see, &s, &err),
				 0);
		ck_assert_int_eq(
		    mt_frame_feed(&d, bytes + n - 1, 1, see, &s, &err), 0);
		ck_assert_uint_eq(s.n, 1);
		ck_assert_uint_eq(s.sizes[0], max);
		ck_assert_uint_le(d.cap, 65536);
		bytes[3]++;
		for (size_t b = 3; bytes[b] == 0; b--)
			bytes[b - 1]++;
		ck_assert_int_eq(mt_frame_feed(&d, bytes, 6, see, &s, &err),
				 MT_EPROTO);
		ck_assert_ptr_nonnull(strstr(err.text, "at most"));
		mt_frame_decoder_release(&d);
		free(bytes);
	}
}
END_TEST

START_TEST(every_other_kind_and_version_is_refused)
{
	for (int kind = 0; kind < 256; kind++) {
		uint8_t bytes[6] = {
		    0, 0, 0, 0, MT_FRAME_VERSION, (uint8_t)kind};
		struct mt_frame_decoder d;
		struct seen s = {0};
		struct mt_err err;
		int rv;

		mt_frame_decoder_init(&d, ALL_KINDS);
		rv = mt_frame_feed(&d, bytes, 6, see, &s, &err);
		ck_assert_int_eq(rv,
				 mt_frame_max_bytes(kind) < 0 ? MT_EPROTO : 0);
		bytes[4] = MT_FRAME_VERSION + 1;
		ck_assert_int_eq(mt_frame_feed(&d, bytes, 6, see, &s, &err),
				 MT_EPROTO);
		mt_frame_decoder_release(&d);
	}
}
END_TEST

START_TEST(a_kind_not_allowed_now_costs_no_memory)
{
	uint8_t bytes[6];
	struct mt_frame_decoder d;
	struct seen s = {0};
	struct mt_err err;

	mt_frame_put_header(bytes, MT_FRAME_RAFT, 4 * 1024 * 1024);
	mt_frame_decoder_init(&d, MT_FRAME_BIT(MT_FRAME_HELLO));
	ck_assert_int_eq(mt_frame_feed(&d, bytes, 6, see, &s, &err), MT_EPROTO);
	ck_assert_str_eq(err.text, "unexpected frame \"raft\"");
	ck_assert_ptr_null(d.buf);
	mt_frame_decoder_release(&d);
}
END_TEST

START_TEST(the_callback_can_stop_the_feeding)
{
	uint8_t bytes[512];
	struct mt_frame_decoder d;
	struct seen s = {.stop_at = 2};
	struct mt_err err;

	mt_frame_decoder_init(&d, ALL_KINDS);
	ck_assert_int_eq(mt_frame_feed(&d, bytes, three(bytes), see, &s, &err),
			 7);
	ck_assert_uint_eq(s.n, 2);
	mt_frame_decoder_release(&d);
}
END_TEST

static int
count(void *arg, enum mt_frame_kind kind, const uint8_t *payload, size_t n)
{
	(void)payload;
	ck_assert_int_ge(mt_frame_max_bytes((int)kind), (int)n);
	(*(size_t *)arg)++;
	return 0;
}

START_TEST(random_bytes_never_break_the_decoder)
{
	uint64_t x = 1;

	for (int round = 0; round < 20000; round++) {
		struct mt_frame_decoder d;
		uint8_t bytes[64];
		struct mt_err err;
		size_t n_frames = 0;

		for (size_t i = 0; i < sizeof(bytes); i++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			bytes[i] = (uint8_t)(x >> 33);
		}
		/* Mostly past the first hurdles. */
		bytes[0] = bytes[1] = 0;
		bytes[2] &= 1;
		if (round % 4 != 0)
			bytes[4] = MT_FRAME_VERSION;
		mt_frame_decoder_init(&d, ALL_KINDS);
		for (size_t at = 0, piece; at < sizeof(bytes); at += piece) {
			piece = 1 + bytes[at] % 13;
			if (piece > sizeof(bytes) - at)
				piece = sizeof(bytes) - at;
			if (mt_frame_feed(&d, bytes + at, piece, count,
					  &n_frames, &err) != 0)
				break;
		}
		mt_frame_decoder_release(&d);
	}
}
END_TEST

int
main(void)
{
	RUN_TESTS("frame", frames_come_out_the_same_split_at_every_byte,
		  frames_come_out_the_same_in_pieces_of_any_size,
		  every_kind_goes_through_at_its_bound_and_not_beyond,
		  every_other_kind_and_version_is_refused,
		  a_kind_not_allowed_now_costs_no_memory,
		  the_callback_can_stop_the_feeding,
		  random_bytes_never_break_the_decoder);
}
