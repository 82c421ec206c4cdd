/* SPDX-License-Identifier: PostgreSQL */
/*
 * A server on loopback and its clients, in one thread: a client sends, then the
 * loop turns until it has what it waits for. All of 127.0.0.0/8 is ours, so a
 * client chooses from which address it comes.
 */
#ifndef MT_TEST_HTTP_TALK_H
#define MT_TEST_HTTP_TALK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "http/server.h"

extern uv_loop_t talk_loop;
extern struct mt_http_server *talk_server;

/* What the last read gave, with a zero after it. */
extern char talk_in[65536];
extern size_t talk_n;

/* Requests whose path is "/keep" are kept, the newest first. */
#define TALK_KEPT_MAX 16
extern struct mt_http_request *talk_kept[TALK_KEPT_MAX];
extern int talk_n_kept, talk_n_gone, talk_n_requests;

/* How long an answer to "/long" is. */
#define TALK_LONG_BYTES ((size_t)8 * 1024 * 1024)

/* The handler answers with "METHOD|PATH|QUERY|BYTES OF BODY". */
void talk_start(const struct mt_http_options *options);
void talk_end(void);

/* Connect from this address, "127.0.0.1" for example. */
int talk_dial(const char *from);
void talk_put(int fd, const char *text);
void talk_put_bytes(int fd, const void *p, size_t n);
/* For so long, and some turns of the loop at least. */
void talk_turn(int64_t for_ms);
/* -1: nothing came within that time; 0: the server closed. */
ssize_t talk_read(int fd, int64_t within_ms);
/* Everything up to and with this text. */
void talk_until(int fd, const char *end);
/* Everything there is to the end of the connection. */
void talk_to_the_end(int fd);
/* A whole exchange: 1 if it was answered with 200. */
int talk_check(const char *from);
/* Has the server closed it? Reads nothing. */
int talk_is_closed(int fd);

#endif
