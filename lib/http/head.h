/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a request's head must not say. The library below understands a request;
 * this refuses those that two servers may understand differently, by RFC 9112.
 */
#ifndef MT_HTTP_HEAD_H
#define MT_HTTP_HEAD_H

#include <stddef.h>

/* The bytes of a head, from the request line to the empty line, and whatever
 * follows. 0, or the status of the refusal, and why in one static line. Never
 * reads beyond n. */
int mt_http_head_judge(const char *head, size_t n, const char **why);

/* Where the head ends: the bytes up to and with the empty line, 0 if it does
 * not end within n. An empty line before the request line is none. */
size_t mt_http_head_bytes(const char *head, size_t n);

/* From a request's target to the path: of "http://host:1/a?b" it is "/a?b".
 * path points into target, or to "/". */
void mt_http_head_path(const char *target, size_t n, const char **path,
		       size_t *path_bytes);

#endif
