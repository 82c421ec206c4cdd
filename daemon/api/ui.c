/* SPDX-License-Identifier: PostgreSQL */
/*
 * GET /ui: the status page, ui.html, which the build puts into the program. The
 * browser is told to run the page's own script and style and nothing else, by
 * their digests, which are taken of the page as it is sent. The page asks only
 * this API; nothing here knows what it shows.
 */
#include <string.h>

#include <openssl/evp.h>

#include "base/text.h"
#include "daemon/api/internal.h"

static const unsigned char bytes[] = {
#include "daemon/api/ui.html.inc"
    0};

#define DIGEST_MAX 64 /* SHA-256 in base64 */

/* Of what stands between the only <tag> and </tag>, as a browser takes it. */
static void
digest_of(const char *tag, char out[DIGEST_MAX])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char begin[16], end[16];
	const char *page = (const char *)bytes, *from, *to;
	unsigned n = 0;
	int rv;

	mt_format(begin, sizeof(begin), "<%s>", tag);
	mt_format(end, sizeof(end), "</%s>", tag);
	from = strstr(page, begin);
	MT_ASSERT(from != NULL);
	from += strlen(begin);
	to = strstr(from, end);
	MT_ASSERT(to != NULL);
	rv = EVP_Digest(from, (size_t)(to - from), digest, &n, EVP_sha256(),
			NULL);
	MT_ASSERT(rv == 1);
	EVP_EncodeBlock((unsigned char *)out, digest, (int)n);
}

static const char *
policy(void)
{
	static char text[512];
	char script[DIGEST_MAX], style[DIGEST_MAX];

	if (*text != '\0')
		return text;
	digest_of("script", script);
	digest_of("style", style);
	mt_format(text, sizeof(text),
		  "default-src 'none'; script-src 'sha256-%s'; "
		  "style-src 'sha256-%s'; img-src data:; connect-src 'self'; "
		  "base-uri 'none'; form-action 'none'; "
		  "frame-ancestors 'none'",
		  script, style);
	return text;
}

void
api__get_ui(struct mt_api *api, struct mt_http_request *r)
{
	const char *const headers[] = {
	    "content-security-policy",
	    policy(),
	    "x-content-type-options",
	    "nosniff",
	    "referrer-policy",
	    "no-referrer",
	    "cache-control",
	    "no-cache",
	    NULL,
	};
	const struct mt_http_answer answer = {
	    .status = 200,
	    .type = "text/html; charset=utf-8",
	    .headers = headers,
	    .body = bytes,
	    .body_bytes = sizeof(bytes) - 1,
	};

	(void)api;
	mt_http_respond(r, &answer);
}
