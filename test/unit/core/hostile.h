/* SPDX-License-Identifier: PostgreSQL */
/* Bytes that nobody meant: the same on every run. */
#ifndef MT_TEST_CORE_HOSTILE_H
#define MT_TEST_CORE_HOSTILE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* splitmix64 */
static inline uint64_t
draw(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* A copy in a block of exactly n bytes, so that the sanitizer sees a read
 * beyond the end. The caller frees it. */
static inline void *
exact_copy(const void *p, size_t n)
{
	void *copy = malloc(n > 0 ? n : 1);

	if (copy == NULL)
		abort();
	if (n > 0)
		memcpy(copy, p, n);
	return copy;
}

/* Change one to four bytes. */
static inline void
damage(uint8_t *p, size_t n, uint64_t *seed)
{
	int changes = 1 + (int)(draw(seed) % 4);

	while (changes-- > 0 && n > 0) {
		size_t at = draw(seed) % n;

		if (draw(seed) % 2 == 0)
			p[at] ^= (uint8_t)(1u << draw(seed) % 8);
		else
			p[at] = (uint8_t)draw(seed);
	}
}

#endif
