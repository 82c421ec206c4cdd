/* SPDX-License-Identifier: PostgreSQL */
/*
 * The four messages of the lease: what decodes encodes to the very same bytes,
 * and both sides of the lease take whatever numbers it has. The first byte
 * chooses the message.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/lease.h"

#define NOW_MS 100000
#define EPOCH 5

static struct mt_state state; /* 200 kB */
static const struct mt_record record = {
    .incarnation = 2,
    .fenced = EPOCH - 1,
    .max_ttl_ms = 30000,
    .raft_id = 2,
};

static void
prepare(struct mt_voter *v, int64_t now_ms)
{
	state.leader.epoch = state.leader.since = EPOCH;
	state.leader.ttl_ms = 30000;
	mt_copy(state.leader.holder, sizeof(state.leader.holder), "n1");
	state.n_members = 1;
	state.members[0].raft_id = 1;
	mt_copy(state.members[0].name, sizeof(state.members[0].name), "n1");
	memset(v, 0, sizeof(*v));
	mt_voter_start(v, &record, now_ms);
}

static size_t
try_support_req(const uint8_t *p, size_t n, uint8_t *out)
{
	struct mt_record want = record;
	struct mt_support_req m;
	struct mt_support_ans ans;
	struct mt_voter v;

	if (mt_support_req_decode(&m, p, n) != 0)
		return 0;
	prepare(&v, 0);
	if (mt_voter_support(&v, &want, &record, &state, &m, NOW_MS, &ans) ==
	    MT_VOTER_PERSIST)
		mt_voter_support(&v, &want, &want, &state, &m, NOW_MS, &ans);
	return mt_support_req_encode(&m, out);
}

static size_t
try_support_ans(const uint8_t *p, size_t n, uint8_t *out)
{
	static const struct mt_voters voters = {
	    .n = 3, .raft_id = {1, 2, 3}, .index = 1, .term = 1};
	struct mt_support_req req;
	struct mt_support_ans m;
	struct mt_holder h = {0};
	bool paused = false;

	if (mt_support_ans_decode(&m, p, n) != 0)
		return 0;
	mt_holder_start(&h, EPOCH, 30000, 2);
	mt_holder_set_voters(&h, &voters);
	for (int round = 0; round < 3; round++) {
		struct mt_support_ans turned = m;

		/* its clock may be anywhere, and jump */
		turned.seq += (uint64_t)round;
		if (round == 1)
			turned.clock_ms = ~m.clock_ms;
		mt_holder_ask(&h, 1, NOW_MS + round * 1000, &req);
		mt_holder_answer(&h, &turned, NOW_MS + round * 1000 + 5,
				 &paused);
	}
	/* One voter is no majority, whatever it says. */
	MT_ASSERT(!mt_holder_writable(&h, NOW_MS + 3000));
	MT_ASSERT(mt_holder_deadline_ms(&h) == 0);
	return mt_support_ans_encode(&m, out);
}

static size_t
try_fence_req(const uint8_t *p, size_t n, uint8_t *out)
{
	struct mt_record want = record;
	struct mt_fence_req m;
	struct mt_fence_ans ans;
	struct mt_voter v;

	if (mt_fence_req_decode(&m, p, n) != 0)
		return 0;
	prepare(&v, 0);
	if (mt_voter_fence(&v, &want, &record, 1, &m, NOW_MS, &ans) ==
	    MT_VOTER_PERSIST)
		mt_voter_persisted(&v, &want, NOW_MS + 1, &ans);
	prepare(&v, NOW_MS); /* a promise lasts: a normal fence is refused */
	want = record;
	if (mt_voter_fence(&v, &want, &record, 1, &m, NOW_MS, &ans) ==
	    MT_VOTER_ANSWER)
		MT_ASSERT(!ans.yes || m.epoch <= record.fenced);
	else
		MT_ASSERT(m.kind == MT_FENCE_SYNC && m.epoch > record.fenced);
	return mt_fence_req_encode(&m, out);
}

static size_t
try_fence_ans(const uint8_t *p, size_t n, uint8_t *out)
{
	struct mt_fence_ans m;

	if (mt_fence_ans_decode(&m, p, n) != 0)
		return 0;
	return mt_fence_ans_encode(&m, out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static size_t (*const tries[])(const uint8_t *, size_t, uint8_t *) = {
	    try_support_req, try_support_ans, try_fence_req, try_fence_ans};
	uint8_t out[MT_LEASE_MESSAGE_MAX], *p;
	size_t again;

	if (n == 0)
		return 0;
	p = fuzz_bytes(data + 1, n - 1);
	again = tries[data[0] % MT_COUNT(tries)](p, n - 1, out);
	if (again > 0)
		MT_ASSERT(again == n - 1 && memcmp(out, p, again) == 0);
	free(p);
	return 0;
}

void
fuzz_seeds(void)
{
	static const struct mt_support_req sr = {1, 2, 1, EPOCH, 30000};
	static const struct mt_support_ans sa = {2,    2, 2,     1,   EPOCH,
						 true, 4, EPOCH, 5000};
	static const struct mt_fence_req fr = {3, 2, EPOCH, 1, MT_FENCE_NORMAL};
	static const struct mt_fence_req fs = {3, 2, EPOCH, 1, MT_FENCE_SYNC};
	static const struct mt_fence_ans fa = {2, 2, EPOCH, 1, true, 0, EPOCH};
	uint8_t buf[MT_LEASE_MESSAGE_MAX];
	struct mt_support_ans wild = sa;

	fuzz_seed_choice(0, buf, mt_support_req_encode(&sr, buf));
	fuzz_seed_choice(1, buf, mt_support_ans_encode(&sa, buf));
	wild.clock_ms = INT64_MIN;
	fuzz_seed_choice(1, buf, mt_support_ans_encode(&wild, buf));
	fuzz_seed_choice(2, buf, mt_fence_req_encode(&fr, buf));
	fuzz_seed_choice(2, buf, mt_fence_req_encode(&fs, buf));
	fuzz_seed_choice(3, buf, mt_fence_ans_encode(&fa, buf));
}
