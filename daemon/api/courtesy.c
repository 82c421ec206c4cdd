/* SPDX-License-Identifier: PostgreSQL */
/*
 * Requests that change nothing here, and that clients of compatible servers may
 * send all the same. POST /sigterm is for such servers' tests on Windows: 202,
 * and the member goes on. POST /citus and /mpp tell a coordinator of several
 * clusters what a member of another does: this is no coordinator and heeds it
 * by 200, as every server does that is none.
 */
#include "daemon/api/internal.h"

void
api__post_sigterm(struct mt_api *api, struct mt_http_request *r)
{
	(void)api;
	api__respond_text(r, 202, "nothing is done: stop the service instead");
}

void
api__post_mpp(struct mt_api *api, struct mt_http_request *r)
{
	(void)api;
	api__respond_text(r, 200, "OK");
}
