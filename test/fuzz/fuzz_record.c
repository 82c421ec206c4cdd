/* SPDX-License-Identifier: PostgreSQL */
/* The node record: what decodes encodes to the very same bytes. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "core/record.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct mt_record r = {.incarnation = 77}, before = r;
	uint8_t *p = fuzz_bytes(data, n), out[MT_RECORD_SIZE];
	struct mt_err err;

	if (mt_record_decode(&r, p, n, &err) == 0) {
		mt_record_encode(&r, out);
		MT_ASSERT(n == sizeof(out) && memcmp(out, p, n) == 0);
		MT_ASSERT(r.max_ttl_ms >= 0);
	} else {
		MT_ASSERT(err.code == MT_EIO);
		MT_ASSERT(memcmp(&r, &before, sizeof(r)) == 0);
	}
	free(p);
	return 0;
}

void
fuzz_seeds(void)
{
	static const struct mt_record r = {1, 2, 30000, 1, 99, 2, 3, 12345};
	uint8_t out[MT_RECORD_SIZE];

	mt_record_encode(&r, out);
	fuzz_seed(out, sizeof(out));
}
