/* SPDX-License-Identifier: PostgreSQL */
/*
 * GET /openapi.json: the description of this API for programs, in OpenAPI 3.1.
 * It is the file openapi.json beside this one, which the Makefile puts into the
 * daemon as it is. Tests hold it against the router's table and against what is
 * answered; nothing here looks into it.
 */
#include "daemon/api/internal.h"

static const unsigned char text[] = {
#include "daemon/api/openapi.json.inc"
};

void
api__get_openapi(struct mt_api *api, struct mt_http_request *r)
{
	const struct mt_http_answer answer = {
	    .status = 200,
	    .type = "application/json",
	    .body = (const char *)text,
	    .body_bytes = sizeof(text),
	};

	(void)api;
	mt_http_respond(r, &answer);
}
