/* SPDX-License-Identifier: PostgreSQL */
/*
 * What every answer says: the header Server, and those that users want besides.
 * Happy path: set at the start and with each reload, copied into each answer.
 * What h2o answers itself, to what is no HTTP request at all, has Server alone.
 * Fails only without memory, and ends then.
 */
#include "http/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void
http__free_headers(struct mt_http_server *server)
{
	for (size_t i = 0; i < server->n_headers; i++) {
		free(server->headers[i].name);
		free(server->headers[i].value);
	}
	free(server->headers);
	free(server->server_name);
	server->headers = NULL;
	server->n_headers = 0;
	server->server_name = NULL;
}

void
mt_http_set_headers(struct mt_http_server *server, const char *server_name,
		    const struct mt_http_header *headers, size_t n)
{
	http__free_headers(server);
	server->server_name = strdup(server_name);
	server->headers = calloc(n + 1, sizeof(*server->headers));
	MT_ASSERT(server->server_name != NULL && server->headers != NULL);
	for (size_t i = 0; i < n; i++) {
		struct http__header *to = &server->headers[i];

		to->name = strdup(headers[i].name);
		to->value = strdup(headers[i].value);
		MT_ASSERT(to->name != NULL && to->value != NULL);
	}
	server->n_headers = n;
	/* An answer under way has its copy already. */
	server->config.server_name =
	    h2o_iovec_init(server->server_name, strlen(server->server_name));
}

static bool
has(const struct mt_http_answer *answer, const char *name)
{
	const char *const *h = answer->headers;

	if (answer->header != NULL && mt_streq(answer->header, name))
		return true;
	while (h != NULL && *h != NULL && !mt_streq(*h, name))
		h += 2;
	return h != NULL && *h != NULL;
}

void
http__add_headers(const struct mt_http_server *server, h2o_req_t *req,
		  const struct mt_http_answer *answer)
{
	for (size_t i = 0; i < server->n_headers; i++) {
		const struct http__header *h = &server->headers[i];
		h2o_iovec_t name, value;

		if (has(answer, h->name))
			continue;
		name = h2o_strdup(&req->pool, h->name, SIZE_MAX);
		value = h2o_strdup(&req->pool, h->value, SIZE_MAX);
		h2o_add_header_by_str(&req->pool, &req->res.headers, name.base,
				      name.len, 1, NULL, value.base, value.len);
	}
}
