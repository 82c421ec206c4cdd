/* SPDX-License-Identifier: PostgreSQL */
/*
 * A byte stream between two nodes: what stands between the socket and the
 * framing. Today it is the plain socket; whatever encrypts stands in its place
 * with the same calls, so that nobody above has to know.
 */
#ifndef MT_PEER_STREAM_H
#define MT_PEER_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/err.h"

struct mt_stream; /* opaque, owns handles */

struct mt_stream_events {
	/* A dialled stream is ready to be written to. */
	void (*on_open)(void *arg);
	/* Bytes came; p is borrowed for the call. */
	void (*on_bytes)(void *arg, const uint8_t *p, size_t n);
	/* It is over: a negative uv status, UV_EOF if the other side ended it.
	 * At most once, nothing but on_closed follows; it still has to be
	 * closed. */
	void (*on_end)(void *arg, int status);
	/* After mt_stream_close(): the last callback. */
	void (*on_closed)(void *arg);
};

/* Callbacks never run from inside these calls. events must outlive the stream.
 * On error nothing is left to close. */
int mt_stream_dial(struct mt_stream **s, uv_loop_t *loop,
		   const struct sockaddr *to, unsigned int user_timeout_ms,
		   const struct mt_stream_events *events, void *arg,
		   struct mt_err *err) MT_MUSTCHECK;
int mt_stream_accept(struct mt_stream **s, uv_stream_t *listener,
		     unsigned int user_timeout_ms,
		     const struct mt_stream_events *events, void *arg,
		     struct mt_err *err) MT_MUSTCHECK;

/* The other end's address; false if it cannot be told. */
bool mt_stream_peer(const struct mt_stream *s, struct sockaddr_storage *ss);

/* Write n bytes; buf (from malloc) is taken, on error too. */
int mt_stream_write(struct mt_stream *s, uint8_t *buf, size_t n,
		    struct mt_err *err) MT_MUSTCHECK;

/* Written and not yet taken by the kernel. */
size_t mt_stream_queued_bytes(const struct mt_stream *s);

/* No more is written: what is queued goes out, then the end (FIN). */
void mt_stream_finish(struct mt_stream *s);

/* Once. No on_open, on_bytes or on_end follows. */
void mt_stream_close(struct mt_stream *s);

#endif
