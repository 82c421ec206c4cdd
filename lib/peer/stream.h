/* SPDX-License-Identifier: PostgreSQL */
/*
 * A byte stream between two nodes: what stands between the socket and the
 * framing. It is encrypted or plain; nobody above has to know, but for whom a
 * certificate is for. The process ignores SIGPIPE.
 */
#ifndef MT_PEER_STREAM_H
#define MT_PEER_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/err.h"
#include "peer/secure.h"

struct mt_stream; /* opaque, owns handles */

struct mt_stream_events {
	/* A dialled stream is ready to be written to. An accepted one is when
	 * its first bytes came. */
	void (*on_open)(void *arg);
	/* Bytes came; p is borrowed for the call. */
	void (*on_bytes)(void *arg, const uint8_t *p, size_t n);
	/* It is over: a negative uv status, UV_EOF if the other side ended it,
	 * UV_EPROTO if encryption failed, see mt_stream_trouble(). At most
	 * once, nothing but on_closed follows; it still has to be closed. */
	void (*on_end)(void *arg, int status);
	/* After mt_stream_close(): the last callback. */
	void (*on_closed)(void *arg);
};

/* Callbacks never run from inside these calls. events must outlive the stream.
 * On error nothing is left to close. secure is held as long as it is needed;
 * NULL: plain. key: see mt_pump_new(). */
int mt_stream_dial(struct mt_stream **s, uv_loop_t *loop,
		   const struct sockaddr *to, struct mt_secure *secure,
		   unsigned int key, unsigned int user_timeout_ms,
		   const struct mt_stream_events *events, void *arg,
		   struct mt_err *err) MT_MUSTCHECK;
int mt_stream_accept(struct mt_stream **s, uv_stream_t *listener,
		     struct mt_secure *secure, unsigned int user_timeout_ms,
		     const struct mt_stream_events *events, void *arg,
		     struct mt_err *err) MT_MUSTCHECK;

/* The other end's address; false if it cannot be told. */
bool mt_stream_peer(const struct mt_stream *s, struct sockaddr_storage *ss);

/* Is what comes not encrypted? Of an accepted stream known with the first byte:
 * that of one who does not speak TLS although it should goes up as it is, so
 * that it can be answered in words. */
bool mt_stream_is_plain(const struct mt_stream *s);

/* Is its certificate for that host, or is none needed? */
bool mt_stream_is_host(const struct mt_stream *s, const char *host);

/* Why it could not be encrypted; "". */
const char *mt_stream_trouble(const struct mt_stream *s);

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
