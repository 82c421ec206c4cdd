/* SPDX-License-Identifier: PostgreSQL */
/*
 * Frames on a stream between two nodes: u32 payload length, u8 version, u8
 * kind, payload; big-endian. Each kind has its own bound. Payloads of kinds 16
 * to 23 are opaque here.
 */
#ifndef MT_PEER_FRAME_H
#define MT_PEER_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MT_FRAME_VERSION 1
#define MT_FRAME_HEADER_BYTES 6

/* Numbers on the wire: never renumbered. All are below 32. */
enum mt_frame_kind {
	/* the transport's own */
	MT_FRAME_HELLO = 1,     /* dialler: who I am; again when it changes */
	MT_FRAME_HELLO_ACK = 2, /* acceptor: accepted, and who I am */
	MT_FRAME_HELLO_REFUSE = 3, /* acceptor: code and text, then the end */
	/* the owner's */
	MT_FRAME_RAFT = 16,
	MT_FRAME_REPORT = 17,
	MT_FRAME_SUPPORT_REQ = 18,
	MT_FRAME_SUPPORT_ANS = 19,
	MT_FRAME_FENCE_REQ = 20,
	MT_FRAME_FENCE_ANS = 21,
	MT_FRAME_PROPOSE = 22,
	MT_FRAME_PROPOSE_ANS = 23,
	/* the transport's own again */
	MT_FRAME_PING = 24, /* keeps "last contact" fresh on an idle stream */
};

#define MT_FRAME_BIT(kind) (UINT32_C(1) << (kind))
/* What the owner may send and receives. */
#define MT_FRAME_OWNER_KINDS UINT32_C(0x00ff0000)

/* Largest payload of a kind, in bytes; -1 for an unknown kind. */
int32_t mt_frame_max_bytes(int kind);
/* "raft", "support_req", ...; "unknown" */
const char *mt_frame_kind_name(int kind);

/* The header of a payload of n bytes, n <= mt_frame_max_bytes(kind). */
void mt_frame_put_header(uint8_t header[MT_FRAME_HEADER_BYTES],
			 enum mt_frame_kind kind, size_t n);

struct mt_frame_decoder {
	uint32_t kinds; /* MT_FRAME_BIT()s allowed now; the callback may change
			   it for the frames that follow */
	uint8_t *buf;   /* owned: a started frame with its header */
	size_t n, cap;  /* bytes in buf, size of buf */
};

/* payload is borrowed for the call. Not 0 stops the feeding. */
typedef int (*mt_frame_cb)(void *arg, enum mt_frame_kind kind,
			   const uint8_t *payload, size_t n);

void mt_frame_decoder_init(struct mt_frame_decoder *d, uint32_t kinds);
void mt_frame_decoder_release(struct mt_frame_decoder *d);

/*
 * Take in bytes as they came from the stream, in pieces of any size; cb is
 * called once per whole frame, in order. Returns 0; MT_EPROTO for bytes out of
 * form (version, kind, kind not allowed now, length); MT_ENOMEM; or what cb
 * returned if that was not 0. After anything but 0 feed no more. Never keeps
 * more than one frame of an allowed kind in memory. cb must not release d.
 */
int mt_frame_feed(struct mt_frame_decoder *d, const uint8_t *p, size_t n,
		  mt_frame_cb cb, void *arg, struct mt_err *err) MT_MUSTCHECK;

#endif
