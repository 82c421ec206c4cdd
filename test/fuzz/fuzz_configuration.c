/* SPDX-License-Identifier: PostgreSQL */
/*
 * Raft configurations: what our decoder accepts, libraft's own, which trusts
 * its input, reads alike; and it encodes to the very same bytes.
 */
#include "fuzz.h"

#include <raft.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "consensus/log.h"

static void
compare_with_libraft(const struct mt_configuration *c, uint8_t *p, size_t n)
{
	struct raft_buffer bytes = {.base = p, .len = n};
	struct raft_configuration rc;

	raft_configuration_init(&rc);
	MT_ASSERT(raft_configuration_decode(&bytes, &rc) == 0);
	MT_ASSERT(rc.n == c->n);
	for (unsigned i = 0; i < c->n; i++) {
		MT_ASSERT(rc.servers[i].id == c->servers[i].id);
		MT_ASSERT(rc.servers[i].role == (int)c->servers[i].role);
		MT_ASSERT(
		    mt_streq(rc.servers[i].address, c->servers[i].address));
	}
	raft_configuration_close(&rc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct mt_configuration c = {.index = 5, .term = 6};
	uint8_t *p = fuzz_bytes(data, n);
	struct mt_blob again = {0};
	struct mt_err err;

	if (mt_configuration_decode(&c, p, n, &err) != 0) {
		MT_ASSERT(err.code == MT_EPROTO && c.n == 0);
	} else {
		MT_ASSERT(c.n > 0 && c.n <= MT_RAFT_SERVERS_MAX);
		MT_ASSERT(c.index == 5 && c.term == 6);
		MT_ASSERT(mt_configuration_voters(&c) <= c.n);
		MT_ASSERT(mt_configuration_find(&c, c.servers[0].id) ==
			  &c.servers[0]);
		compare_with_libraft(&c, p, n);
		MT_ASSERT(mt_configuration_encode(&c, &again, &err) == 0);
		MT_ASSERT(again.n == n && memcmp(again.p, p, n) == 0);
		mt_blob_release(&again);
	}
	free(p);
	return 0;
}

void
fuzz_seeds(void)
{
	struct mt_configuration c = {0};
	struct mt_blob bytes = {0};

	for (unsigned i = 0; i < 5; i++) {
		c.servers[i].id = UINT64_C(1) << (i * 13);
		c.servers[i].role = (enum mt_server_role)((i + 1) % 3);
		mt_format(c.servers[i].address, sizeof(c.servers[i].address),
			  "10.0.0.%u:7500", i + 1);
		c.n = i + 1;
		MT_ASSERT(mt_configuration_encode(&c, &bytes, NULL) == 0);
		fuzz_seed(bytes.p, bytes.n);
		mt_blob_release(&bytes);
	}
}
