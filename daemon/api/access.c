/* SPDX-License-Identifier: PostgreSQL */
/*
 * The rules of access, in their order: the address, the certificate, the
 * password. Each may be absent; the first that speaks against the client says
 * how it is answered. What is compared with a secret is compared in a time that
 * does not tell how much of it was right.
 */
#include "daemon/api/access.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* "user:password" in base64, and room for the longest of both */
#define PLAIN_BYTES 1024
#define CODED_BYTES (PLAIN_BYTES / 3 * 4 + 8)

bool
mt_access_is_read(const char *method)
{
	return mt_streq(method, "GET") || mt_streq(method, "HEAD") ||
	       mt_streq(method, "OPTIONS");
}

/* ---- the address ---- */

static bool
is_among(const struct mt_net *nets, size_t n, const struct mt_net *one)
{
	for (size_t i = 0; i < n; i++)
		if (mt_net_has(&nets[i], one))
			return true;
	return false;
}

static bool
is_listed(const struct mt_access_facts *f)
{
	bool members = f->include_members && !f->is_failsafe;

	if (!f->has_allowlist && !members)
		return true;
	if (!f->has_peer)
		return false;
	return is_among(f->listed, f->n_listed, &f->peer) ||
	       (members && is_among(f->members, f->n_members, &f->peer));
}

/* ---- the password ---- */

static void
encode(const char *plain, char *to)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno"
				     "pqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)plain;
	size_t n = strlen(plain);

	for (; n > 0; p += 3, n -= n < 3 ? n : 3) {
		uint32_t v = (uint32_t)p[0] << 16;

		if (n > 1)
			v |= (uint32_t)p[1] << 8;
		if (n > 2)
			v |= p[2];
		*to++ = digits[v >> 18];
		*to++ = digits[v >> 12 & 63];
		*to++ = '=';
		*to++ = '=';
		if (n > 1)
			to[-2] = digits[v >> 6 & 63];
		if (n > 2)
			to[-1] = digits[v & 63];
	}
	*to = '\0';
}

/* Over all the room that there is, however long either is. */
static bool
same(const char *given, const char *want)
{
	char a[CODED_BYTES] = {0}, b[CODED_BYTES] = {0};
	volatile unsigned char differs = 0;

	if (!mt_copy(a, sizeof(a), given))
		differs = 1;
	mt_copy(b, sizeof(b), want);
	for (size_t i = 0; i < sizeof(a); i++)
		differs = (unsigned char)(differs | ((unsigned char)a[i] ^
						     (unsigned char)b[i]));
	explicit_bzero(a, sizeof(a));
	explicit_bzero(b, sizeof(b));
	return differs == 0;
}

static bool
is_password(const struct mt_access_facts *f)
{
	static const char scheme[] = "Basic ";
	const char *given = f->authorization;
	char plain[PLAIN_BYTES], want[CODED_BYTES];
	bool right;

	if (strncasecmp(given, scheme, sizeof(scheme) - 1) != 0)
		return false;
	given += sizeof(scheme) - 1;
	given += strspn(given, " ");
	right =
	    mt_format(plain, sizeof(plain), "%s:%s", f->username, f->password);
	encode(plain, want);
	right = same(given, want) && right;
	explicit_bzero(plain, sizeof(plain));
	explicit_bzero(want, sizeof(want));
	return right;
}

/* ---- all of it ---- */

enum mt_access
mt_access_decide(const struct mt_access_facts *f)
{
	if (mt_access_is_read(f->method))
		return MT_ACCESS_GRANTED;
	if (!is_listed(f))
		return MT_ACCESS_NOT_LISTED;
	if (f->is_tls && f->wants_certificate && !f->client_verified)
		return MT_ACCESS_NO_CERTIFICATE;
	if (f->username[0] == '\0' && f->password[0] == '\0')
		return MT_ACCESS_GRANTED;
	if (f->authorization[0] == '\0')
		return MT_ACCESS_NO_PASSWORD;
	return is_password(f) ? MT_ACCESS_GRANTED : MT_ACCESS_WRONG_PASSWORD;
}
