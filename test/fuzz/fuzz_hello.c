/* SPDX-License-Identifier: PostgreSQL */
/*
 * Hellos and refusals: what decodes encodes to the very same bytes, and may be
 * compared with any other hello. An even first byte chooses the hello.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "peer/hello.h"

static const struct mt_hello ours = {
    .protocol = MT_HELLO_PROTOCOL,
    .nonce = 1,
    .connection_seq = 1,
    .cluster_id = 7,
    .member_id = 3,
    .incarnation = 4,
    .is_formed = true,
    .name = "n1",
    .addr = "10.0.0.1:7500",
    .list = "10.0.0.1:7500,10.0.0.2:7500",
};

static void
compare(const struct mt_hello *theirs)
{
	struct mt_hello unformed = ours;
	bool replaces;
	char why[96];

	unformed.is_formed = false;
	mt_hello_check(&ours, theirs, why, sizeof(why));
	mt_hello_check(&unformed, theirs, why, sizeof(why));
	/* Nothing takes the place of itself. */
	mt_hello_succeeds(theirs, theirs, &replaces, why, sizeof(why));
	MT_ASSERT(!replaces);
	mt_hello_succeeds(&ours, theirs, &replaces, why, sizeof(why));
	mt_hello_succeeds(theirs, &ours, &replaces, why, sizeof(why));
	FUZZ_ENDS(why);
}

static void
try_hello(const uint8_t *p, size_t n)
{
	static struct mt_hello h;
	static uint8_t out[MT_HELLO_BYTES_MAX];
	struct mt_err err;

	memset(&h, 0xa5, sizeof(h));
	if (mt_hello_decode(&h, p, n, &err) != 0) {
		MT_ASSERT(err.code == MT_EPROTO || err.code == MT_EINVAL);
		return;
	}
	FUZZ_ENDS(h.name);
	FUZZ_ENDS(h.addr);
	FUZZ_ENDS(h.list);
	compare(&h);
	if (h.protocol != MT_HELLO_PROTOCOL)
		return;
	MT_ASSERT(mt_hello_encode(&h, out) == n);
	MT_ASSERT(memcmp(out, p, n) == 0);
}

static void
try_refuse(const uint8_t *p, size_t n)
{
	static struct mt_hello_refuse r;
	static uint8_t out[MT_HELLO_BYTES_MAX];
	struct mt_err err;

	if (mt_hello_refuse_decode(&r, p, n, &err) != 0)
		return;
	FUZZ_ENDS(r.name);
	FUZZ_ENDS(r.addr);
	FUZZ_ENDS(r.text);
	MT_ASSERT(mt_hello_refuse_encode(&r, out) == n);
	MT_ASSERT(memcmp(out, p, n) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *p;

	if (n == 0)
		return 0;
	p = fuzz_bytes(data + 1, n - 1);
	if (data[0] % 2 == 0)
		try_hello(p, n - 1);
	else
		try_refuse(p, n - 1);
	free(p);
	return 0;
}

void
fuzz_seeds(void)
{
	static const struct mt_hello_refuse refusal = {
	    .code = MT_REFUSE_LIST,
	    .nonce = 9,
	    .name = "n2",
	    .addr = "[::1]:7500",
	    .text = "lists of members differ",
	};
	static uint8_t out[MT_HELLO_BYTES_MAX];
	struct mt_hello other = ours;

	fuzz_seed_choice(0, out, mt_hello_encode(&ours, out));
	mt_copy(other.name, sizeof(other.name), "n2");
	mt_copy(other.addr, sizeof(other.addr), "[::1]:7500");
	other.nonce = 2;
	other.member_id = 0;
	other.is_formed = false;
	fuzz_seed_choice(0, out, mt_hello_encode(&other, out));
	other.protocol = 2;
	fuzz_seed_choice(0, out, mt_hello_encode(&other, out));
	fuzz_seed_choice(1, out, mt_hello_refuse_encode(&refusal, out));
}
