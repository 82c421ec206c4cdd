/* SPDX-License-Identifier: PostgreSQL */
/*
 * Query strings: pairs fit into any room, and looking a key up finds what the
 * walk finds first. The first byte is the room.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "http/query.h"

static void
walk(const char *query, size_t room)
{
	char *key = malloc(room), *value = malloc(room), *found = malloc(room);
	const char *cursor = query, *before = query;
	bool is_first = true;

	while (mt_http_query_next(&cursor, key, room, value, room)) {
		fuzz_ends(key, room);
		fuzz_ends(value, room);
		MT_ASSERT(cursor > before);
		before = cursor;
		/* A key that was cut is not what stands there. */
		if (strlen(key) + 1 < room && strlen(key) < 255) {
			MT_ASSERT(mt_http_query(query, key, found, room));
			MT_ASSERT(!is_first || mt_streq(found, value));
		}
		is_first = false;
	}
	MT_ASSERT(*cursor == '\0');
	free(key);
	free(value);
	free(found);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *query, buf[16];

	if (n == 0)
		return 0;
	query = fuzz_text(data + 1, n - 1);
	walk(query, (size_t)data[0] + 1);
	if (mt_http_query(query, "lag", buf, sizeof(buf)))
		FUZZ_ENDS(buf);
	free(query);
	return 0;
}

void
fuzz_seeds(void)
{
	static const char *const texts[] = {"lag=1MB&tag_zone=a+b",
					    "a=%41%4a&b=%00&c=%zz&d=%",
					    "&&a=&=b&a==c", "lag=1&lag=2"};

	for (size_t i = 0; i < MT_COUNT(texts); i++)
		fuzz_seed_choice((uint8_t)(i * 60 + 3), texts[i],
				 strlen(texts[i]));
}
