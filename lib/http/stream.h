/* SPDX-License-Identifier: PostgreSQL */
/*
 * An answer without an end: head first, then pieces, as they come. HTTP/1.1
 * clients get chunks, older ones the plain bytes until the connection ends. All
 * functions belong to the loop's thread.
 *
 * One piece is under way at a time, and no queue stands behind it: whoever
 * writes waits until the stream is ready, and so notices who reads slowly.
 */
#ifndef MT_HTTP_STREAM_H
#define MT_HTTP_STREAM_H

#include "http/server.h"

struct mt_http_stream;

struct mt_http_stream_owner {
	void *arg;
	/* The last piece was taken by the kernel: another may be written, also
	 * from within. Not called from within a function of this file. */
	void (*ready)(void *arg);
	/* The client left, or the server ended it. The last that is heard of
	 * the stream, whose memory is gone after it. */
	void (*gone)(void *arg);
};

/* Begin an answer to a request, which is gone when this returns. The body of
 * answer, which is not empty, is the first piece and under way: ready comes
 * before the next may be written. To HEAD it is left out: end the stream at
 * once. A client whose machine takes nothing for 15 seconds is gone, where the
 * kernel can tell. */
struct mt_http_stream *
mt_http_stream_begin(struct mt_http_request *request,
		     const struct mt_http_answer *answer,
		     const struct mt_http_stream_owner *o);

/* Is nothing under way? */
bool mt_http_stream_is_ready(const struct mt_http_stream *stream);

/* A piece, n > 0, which is copied. Only while it is ready. */
void mt_http_stream_write(struct mt_http_stream *stream, const void *p,
			  size_t n);

/* In good order, after what is under way. Nothing is called for the stream any
 * more, whose memory is gone for the caller. */
void mt_http_stream_end(struct mt_http_stream *stream);

/* The same, at once: its connection is shut, what is under way is lost. */
void mt_http_stream_cut(struct mt_http_stream *stream);

#endif
