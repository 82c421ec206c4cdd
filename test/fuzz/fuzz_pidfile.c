/* SPDX-License-Identifier: PostgreSQL */
/* postmaster.pid, cut anywhere: a pid or an error that changes nothing. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pg/files.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct mt_pg_pidfile f, before;
	char *text = fuzz_text(data, n);
	struct mt_err err;

	memset(&f, 0x5a, sizeof(f));
	before = f;
	if (mt_pg_pidfile_parse(&f, text, &err) == 0) {
		MT_ASSERT(f.pid != 0);
		FUZZ_ENDS(f.data_dir);
		FUZZ_ENDS(f.socket_dir);
		FUZZ_ENDS(f.listen);
		FUZZ_ENDS(f.status);
	} else {
		MT_ASSERT(err.code == MT_EIO);
		MT_ASSERT(memcmp(&f, &before, sizeof(f)) == 0);
	}
	free(text);
	return 0;
}

void
fuzz_seeds(void)
{
	static const char ready[] =
	    "4711\n/var/lib/postgresql/15/main\n1700000000\n5432\n"
	    "/var/run/postgresql\nlocalhost\n  5432001         0\nready   \n";
	static const char *const texts[] = {
	    ready, "-4711\n/data\n1700000000\n5432\n\n*\n", "4711\n"};

	for (size_t i = 0; i < MT_COUNT(texts); i++)
		fuzz_seed(texts[i], strlen(texts[i]));
}
