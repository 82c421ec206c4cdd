/* SPDX-License-Identifier: PostgreSQL */
/* The messages of the lease: what comes back, and what is no message. */
#include "core/lease.h"

#include <string.h>

#include "base/text.h"

#include "hostile.h"
#include "test/unit/run.h"

#define BIG UINT64_C(0xfedcba9876543210)

/* Each kind by way of one union, so that the hostile tests are one. */
union any {
	struct mt_support_req support_req;
	struct mt_support_ans support_ans;
	struct mt_fence_req fence_req;
	struct mt_fence_ans fence_ans;
};

static const union any samples[] = {
    {.support_req = {.raft_id = 1,
		     .incarnation = BIG,
		     .seq = 3,
		     .epoch = 4,
		     .ttl_ms = 5000}},
    {.support_ans = {.raft_id = BIG,
		     .incarnation = 2,
		     .holder_incarnation = 3,
		     .seq = 4,
		     .epoch = 5,
		     .yes = true,
		     .fenced = 6,
		     .applied_epoch = 7,
		     .clock_ms = -8}},
    {.fence_req = {.raft_id = 1,
		   .incarnation = 2,
		   .epoch = 3,
		   .term = UINT64_MAX,
		   .kind = MT_FENCE_SYNC}},
    {.fence_ans = {.raft_id = 1,
		   .incarnation = 2,
		   .epoch = 3,
		   .term = 4,
		   .yes = true,
		   .left_ms = INT64_MAX,
		   .fenced = BIG}},
};

static size_t
encode(size_t kind, const union any *m, void *buf)
{
	switch (kind) {
	case 0:
		return mt_support_req_encode(&m->support_req, buf);
	case 1:
		return mt_support_ans_encode(&m->support_ans, buf);
	case 2:
		return mt_fence_req_encode(&m->fence_req, buf);
	default:
		return mt_fence_ans_encode(&m->fence_ans, buf);
	}
}

static int
decode(size_t kind, union any *m, const void *p, size_t n)
{
	switch (kind) {
	case 0:
		return mt_support_req_decode(&m->support_req, p, n);
	case 1:
		return mt_support_ans_decode(&m->support_ans, p, n);
	case 2:
		return mt_fence_req_decode(&m->fence_req, p, n);
	default:
		return mt_fence_ans_decode(&m->fence_ans, p, n);
	}
}

START_TEST(a_request_for_support_comes_back)
{
	const struct mt_support_req *want = &samples[0].support_req;
	struct mt_support_req have;
	uint8_t buf[MT_LEASE_MESSAGE_MAX];
	size_t n = mt_support_req_encode(want, buf);

	ck_assert_uint_eq(n, 40);
	ck_assert_int_eq(mt_support_req_decode(&have, buf, n), 0);
	ck_assert(have.raft_id == want->raft_id &&
		  have.incarnation == want->incarnation &&
		  have.seq == want->seq && have.epoch == want->epoch &&
		  have.ttl_ms == want->ttl_ms);
}
END_TEST

START_TEST(an_answer_to_it_comes_back)
{
	const struct mt_support_ans *want = &samples[1].support_ans;
	struct mt_support_ans have;
	uint8_t buf[MT_LEASE_MESSAGE_MAX];
	size_t n = mt_support_ans_encode(want, buf);

	ck_assert_uint_eq(n, 65);
	ck_assert_int_eq(mt_support_ans_decode(&have, buf, n), 0);
	ck_assert(have.raft_id == want->raft_id &&
		  have.incarnation == want->incarnation &&
		  have.holder_incarnation == want->holder_incarnation &&
		  have.seq == want->seq && have.epoch == want->epoch &&
		  have.yes && have.fenced == want->fenced &&
		  have.applied_epoch == want->applied_epoch &&
		  have.clock_ms == want->clock_ms);
}
END_TEST

START_TEST(a_fence_and_its_answer_come_back)
{
	const struct mt_fence_req *req = &samples[2].fence_req;
	const struct mt_fence_ans *ans = &samples[3].fence_ans;
	struct mt_fence_req have_req;
	struct mt_fence_ans have;
	uint8_t buf[MT_LEASE_MESSAGE_MAX];
	size_t n = mt_fence_req_encode(req, buf);

	ck_assert_uint_eq(n, 33);
	ck_assert_int_eq(mt_fence_req_decode(&have_req, buf, n), 0);
	ck_assert(have_req.raft_id == req->raft_id &&
		  have_req.incarnation == req->incarnation &&
		  have_req.epoch == req->epoch && have_req.term == req->term &&
		  have_req.kind == MT_FENCE_SYNC);
	buf[32] = 0;
	ck_assert_int_eq(mt_fence_req_decode(&have_req, buf, n), 0);
	ck_assert_int_eq(have_req.kind, MT_FENCE_NORMAL);
	n = mt_fence_ans_encode(ans, buf);
	ck_assert_uint_eq(n, 49);
	ck_assert_int_eq(mt_fence_ans_decode(&have, buf, n), 0);
	ck_assert(have.raft_id == ans->raft_id &&
		  have.incarnation == ans->incarnation &&
		  have.epoch == ans->epoch && have.term == ans->term &&
		  have.yes && have.left_ms == ans->left_ms &&
		  have.fenced == ans->fenced);
}
END_TEST

START_TEST(every_other_length_is_refused)
{
	for (size_t kind = 0; kind < MT_COUNT(samples); kind++) {
		uint8_t buf[2 * MT_LEASE_MESSAGE_MAX] = {0};
		size_t n = encode(kind, &samples[kind], buf);

		ck_assert_uint_le(n, MT_LEASE_MESSAGE_MAX);
		for (size_t cut = 0; cut < sizeof(buf); cut++) {
			uint8_t *p = exact_copy(buf, cut);
			union any m;

			ck_assert_int_eq(decode(kind, &m, p, cut),
					 cut == n ? 0 : MT_EPROTO);
			free(p);
		}
	}
}
END_TEST

START_TEST(a_truth_is_zero_or_one)
{
	for (size_t kind = 1; kind <= 3; kind++) {
		uint8_t buf[MT_LEASE_MESSAGE_MAX];
		size_t n = encode(kind, &samples[kind], buf);
		size_t at = kind == 1 ? 40 : 32;
		union any m;

		ck_assert_uint_eq(buf[at], 1);
		for (unsigned v = 0; v < 256; v++) {
			buf[at] = (uint8_t)v;
			ck_assert_int_eq(decode(kind, &m, buf, n),
					 v <= 1 ? 0 : MT_EPROTO);
		}
	}
}
END_TEST

START_TEST(less_than_nothing_cannot_be_left_of_a_promise)
{
	struct mt_fence_ans m = samples[3].fence_ans;
	uint8_t buf[MT_LEASE_MESSAGE_MAX];

	m.left_ms = -1;
	ck_assert_int_eq(
	    mt_fence_ans_decode(&m, buf, mt_fence_ans_encode(&m, buf)),
	    MT_EPROTO);
}
END_TEST

/* What is taken is what would be sent: nothing is lost or made up. */
START_TEST(damaged_messages_are_refused_or_read_as_they_are)
{
	uint64_t seed = 1;

	for (int i = 0; i < 20000; i++) {
		size_t kind = (size_t)i % MT_COUNT(samples);
		uint8_t buf[MT_LEASE_MESSAGE_MAX];
		uint8_t back[MT_LEASE_MESSAGE_MAX];
		size_t n = encode(kind, &samples[kind], buf);
		uint8_t *p;
		union any m;

		damage(buf, n, &seed);
		p = exact_copy(buf, n);
		if (decode(kind, &m, p, n) == 0 &&
		    (encode(kind, &m, back) != n || memcmp(buf, back, n) != 0))
			ck_abort_msg("kind %zu, try %d", kind, i);
		free(p);
	}
}
END_TEST

int
main(void)
{
	RUN_TESTS("lease_message", a_request_for_support_comes_back,
		  an_answer_to_it_comes_back, a_fence_and_its_answer_come_back,
		  every_other_length_is_refused, a_truth_is_zero_or_one,
		  less_than_nothing_cannot_be_left_of_a_promise,
		  damaged_messages_are_refused_or_read_as_they_are);
}
