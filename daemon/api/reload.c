/* SPDX-License-Identifier: PostgreSQL */
/*
 * POST /reload: the member reads its own configuration again, as by SIGHUP. 202
 * when it could be read: what changed is taken over right after; 500 with the
 * first error when it could not, and nothing changes; 503 where the daemon ends
 * meanwhile. A client that goes away changes nothing.
 *
 * Life of struct api__reload: until the backend has called back.
 */
#include "daemon/api/internal.h"

#include <stdlib.h>

struct api__reload {
	struct mt_http_request *request; /* NULL: gone */
};

static void
on_gone(struct mt_http_request *r)
{
	struct api__reload *l = r->owner;

	l->request = NULL;
}

static void
on_read(void *arg, int rv, const char *why)
{
	struct api__reload *l = arg;
	struct mt_http_request *r = l->request;

	free(l);
	if (r == NULL)
		return;
	r->gone = NULL;
	if (rv == 0)
		api__respond_text(r, 202, "reload scheduled");
	else
		api__respond_text(r, rv == MT_ECANCELED ? 503 : 500,
				  "the configuration stays as it was: %s", why);
}

void
api__post_reload(struct mt_api *api, struct mt_http_request *r)
{
	const struct mt_api_backend *b = api->backend;
	struct api__reload *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		api__respond_text(r, 500, "could not keep the request");
		return;
	}
	l->request = r;
	r->owner = l;
	r->gone = on_gone;
	b->reload(b->arg, on_read, l);
}
