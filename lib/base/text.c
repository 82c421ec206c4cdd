/* SPDX-License-Identifier: PostgreSQL */
/*
 * Strings, hashes, LSNs and random numbers. Happy path: plain functions without
 * state. Failure modes: text that does not fit is cut and said; a kernel that
 * gives no random numbers ends the process, for identities made of guesses
 * could collide. The hash is for comparing and spreading, not for security.
 */
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

bool
mt_copy(char *dst, size_t size, const char *src)
{
	size_t n = strnlen(src, size);
	bool fits = n < size;

	if (size == 0)
		return false;
	if (!fits)
		n = size - 1;
	memmove(dst, src, n);
	dst[n] = '\0';
	return fits;
}

bool
mt_streq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

bool
mt_format(char *dst, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(dst, size, fmt, ap);
	va_end(ap);
	return n >= 0 && (size_t)n < size;
}

uint64_t
mt_hash(uint64_t seed, const void *p, size_t n)
{
	const uint8_t *b = p;
	uint64_t h = seed;

	for (size_t i = 0; i < n; i++) {
		h ^= b[i];
		h *= UINT64_C(1099511628211);
	}
	/* murmur3's finish: FNV alone spreads the last bytes badly */
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	h ^= h >> 33;
	return h;
}

char *
mt_lsn_format(char *buf, uint64_t lsn)
{
	snprintf(buf, MT_LSN_MAX, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32),
		 (uint32_t)lsn);
	return buf;
}

/* 1 to 8 hex digits; the place after them, or NULL. */
static const char *
hex32(const char *s, uint32_t *v)
{
	int n = 0;

	*v = 0;
	for (; n < 9; n++, s++) {
		uint32_t d;

		if (*s >= '0' && *s <= '9')
			d = (uint32_t)(*s - '0');
		else if (*s >= 'a' && *s <= 'f')
			d = (uint32_t)(*s - 'a' + 10);
		else if (*s >= 'A' && *s <= 'F')
			d = (uint32_t)(*s - 'A' + 10);
		else
			break;
		*v = *v << 4 | d;
	}
	return n >= 1 && n <= 8 ? s : NULL;
}

int
mt_lsn_parse(const char *s, uint64_t *lsn)
{
	uint32_t high, low;

	s = hex32(s, &high);
	if (s == NULL || *s != '/')
		return MT_EINVAL;
	s = hex32(s + 1, &low);
	if (s == NULL || *s != '\0')
		return MT_EINVAL;
	*lsn = (uint64_t)high << 32 | low;
	return 0;
}

uint64_t
mt_random_u64(void)
{
	uint64_t v;
	ssize_t n;

	do {
		n = getrandom(&v, sizeof(v), 0);
	} while (n < 0 && errno == EINTR);
	MT_ASSERT(n == (ssize_t)sizeof(v));
	return v;
}
