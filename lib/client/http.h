/* SPDX-License-Identifier: PostgreSQL */
/*
 * A small synchronous HTTP client for the command line: one connection at a
 * time, a list of base URLs that are tried in order, JSON bodies, TLS where the
 * URL says so. Not thread
 * safe: one struct mt_http belongs to one thread. Proxies and redirects are
 * never used. Not for the daemon, whose loop must not block.
 */
#ifndef MT_CLIENT_HTTP_H
#define MT_CLIENT_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"

#define MT_HTTP_BASES_MAX 48
#define MT_HTTP_URL_MAX 512
#define MT_HTTP_BODY_MAX_BYTES ((size_t)16 << 20)

struct mt_http;

/* Who asks, and whom to believe; NULL and "" are the same: not given. */
struct mt_http_access {
	bool insecure; /* believe any certificate */
	/* PEM, those who sign members' certificates: one of theirs is enough,
	 * whatever name it has, as members have certificates for the names by
	 * which clients know them. Without it the system's authorities are
	 * believed, and the name has to be right. */
	const char *cacert;
	const char *certfile; /* PEM, to show to members */
	const char *keyfile;  /* PEM; none: in certfile */
	const char *keyfile_password;
	const char *username; /* with its password goes to every server */
	const char *password;
};

/* Start as = {0}, and release after each use. */
struct mt_http_reply {
	int status; /* 200, 503, ... */
	char *body; /* owned, terminated, never NULL after 0 */
	size_t body_bytes;
	char base[MT_HTTP_URL_MAX]; /* who answered */
};

/* agent is the User-Agent, copied. On error *http is unchanged. */
int mt_http_new(struct mt_http **http, const char *agent,
		struct mt_err *err) MT_MUSTCHECK;
/* NULL is allowed. */
void mt_http_free(struct mt_http *http);

/* Copied, and wiped at the end. From the next request on. */
int mt_http_use(struct mt_http *http, const struct mt_http_access *access,
		struct mt_err *err) MT_MUSTCHECK;

/* One more server, "https://host:port" or "http://..." (copied; a path in it is
 * cut off, a double is dropped). MT_EINVAL: no such URL; MT_ENOMEM: too many.
 */
int mt_http_add(struct mt_http *http, const char *base,
		struct mt_err *err) MT_MUSTCHECK;
size_t mt_http_count(const struct mt_http *http);

/*
 * GET path ("/cluster") from the first server that has an answer below 500;
 * where none has, the first answer of 500 or more is the result. 0 means that
 * there is an answer, whatever its status. Who answered is asked first next
 * time. timeout_ms bounds each try. Errors name each server that was tried and
 * why it failed: MT_ENOENT nobody could be reached, MT_ETIMEDOUT the last one
 * did not answer in time, MT_EPROTO the last one answered nonsense.
 */
int mt_http_get(struct mt_http *http, const char *path, int64_t timeout_ms,
		struct mt_http_reply *reply, struct mt_err *err) MT_MUSTCHECK;

/*
 * POST a JSON body (borrowed) to the first server that takes the connection.
 * After that there is no second try anywhere, as the request may have been
 * heard: MT_ETIMEDOUT or MT_EPROTO then mean that nobody knows the outcome.
 */
int mt_http_post(struct mt_http *http, const char *path, const json_t *body,
		 int64_t timeout_ms, struct mt_http_reply *reply,
		 struct mt_err *err) MT_MUSTCHECK;

/* The same with another method: "PATCH", "PUT". */
int mt_http_send(struct mt_http *http, const char *method, const char *path,
		 const json_t *body, int64_t timeout_ms,
		 struct mt_http_reply *reply, struct mt_err *err) MT_MUSTCHECK;

/* DELETE path, with the caution of POST. */
int mt_http_delete(struct mt_http *http, const char *path, int64_t timeout_ms,
		   struct mt_http_reply *reply,
		   struct mt_err *err) MT_MUSTCHECK;

/* GET one whole URL; the list of servers plays no part. */
int mt_http_get_url(struct mt_http *http, const char *url, int64_t timeout_ms,
		    struct mt_http_reply *reply,
		    struct mt_err *err) MT_MUSTCHECK;

/* The body as JSON; *json is the caller's to json_decref. */
int mt_http_json(const struct mt_http_reply *reply, json_t **json,
		 struct mt_err *err) MT_MUSTCHECK;
void mt_http_reply_release(struct mt_http_reply *reply);

#endif
