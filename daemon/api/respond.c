/* SPDX-License-Identifier: PostgreSQL */
/*
 * The forms of an answer: JSON, a short text, or nothing but the status. Happy
 * path: the body is made, copied by the server, freed. A document that cannot
 * be made for want of memory becomes a 500, not a half answer.
 */
#include "daemon/api/internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
api__respond_json(struct mt_http_request *r, int status, json_t *doc)
{
	char *text = doc == NULL ? NULL : json_dumps(doc, 0);
	const struct mt_http_answer answer = {
	    .status = status,
	    .type = "application/json",
	    .body = text,
	    .body_bytes = text == NULL ? 0 : strlen(text),
	};

	json_decref(doc);
	if (text == NULL) {
		api__respond_text(r, 500, "could not write the answer");
		return;
	}
	mt_http_respond(r, &answer);
	free(text);
}

void
api__respond_text(struct mt_http_request *r, int status, const char *fmt, ...)
{
	char text[1024];
	struct mt_http_answer answer = {
	    .status = status,
	    .type = "text/html",
	    .body = text,
	};
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	answer.body_bytes = strlen(text);
	mt_http_respond(r, &answer);
}

void
api__respond_empty(struct mt_http_request *r, int status, const char *header,
		   const char *value)
{
	const struct mt_http_answer answer = {
	    .status = status,
	    .header = header,
	    .value = value,
	};

	mt_http_respond(r, &answer);
}

json_t *
api__json_number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

json_t *
api__json_id(uint64_t id)
{
	char text[17];

	snprintf(text, sizeof(text), "%016" PRIx64, id);
	return json_string(text);
}

json_t *
api__json_name(const char *name)
{
	return *name == '\0' ? json_null() : json_string(name);
}
