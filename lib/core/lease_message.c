/* SPDX-License-Identifier: PostgreSQL */
/* The four messages of the lease as bytes: fixed fields, big-endian. */
#include "base/bytes.h"
#include "core/lease.h"

#define WRITER(buf) \
	{ \
		.p = (buf), .cap = MT_LEASE_MESSAGE_MAX \
	}
#define READER(bytes, n) \
	{ \
		.p = (bytes), .left = (n) \
	}

static void
put_i64(struct mt_writer *w, int64_t v)
{
	mt_put_u64(w, (uint64_t)v);
}

static int64_t
get_i64(struct mt_reader *r)
{
	return (int64_t)mt_get_u64(r);
}

/* A boolean is 0 or 1, anything else is no message of ours. */
static bool
get_bool(struct mt_reader *r)
{
	uint8_t v = mt_get_u8(r);

	if (v > 1)
		r->bad = true;
	return v == 1;
}

size_t
mt_support_req_encode(const struct mt_support_req *m, void *buf)
{
	struct mt_writer w = WRITER(buf);

	mt_put_u64(&w, m->raft_id);
	mt_put_u64(&w, m->incarnation);
	mt_put_u64(&w, m->seq);
	mt_put_u64(&w, m->epoch);
	put_i64(&w, m->ttl_ms);
	return w.n;
}

int
mt_support_req_decode(struct mt_support_req *m, const void *p, size_t n)
{
	struct mt_reader r = READER(p, n);

	m->raft_id = mt_get_u64(&r);
	m->incarnation = mt_get_u64(&r);
	m->seq = mt_get_u64(&r);
	m->epoch = mt_get_u64(&r);
	m->ttl_ms = get_i64(&r);
	return mt_reader_done(&r) ? 0 : MT_EPROTO;
}

size_t
mt_support_ans_encode(const struct mt_support_ans *m, void *buf)
{
	struct mt_writer w = WRITER(buf);

	mt_put_u64(&w, m->raft_id);
	mt_put_u64(&w, m->incarnation);
	mt_put_u64(&w, m->holder_incarnation);
	mt_put_u64(&w, m->seq);
	mt_put_u64(&w, m->epoch);
	mt_put_u8(&w, m->yes);
	mt_put_u64(&w, m->fenced);
	mt_put_u64(&w, m->applied_epoch);
	put_i64(&w, m->clock_ms);
	return w.n;
}

int
mt_support_ans_decode(struct mt_support_ans *m, const void *p, size_t n)
{
	struct mt_reader r = READER(p, n);

	m->raft_id = mt_get_u64(&r);
	m->incarnation = mt_get_u64(&r);
	m->holder_incarnation = mt_get_u64(&r);
	m->seq = mt_get_u64(&r);
	m->epoch = mt_get_u64(&r);
	m->yes = get_bool(&r);
	m->fenced = mt_get_u64(&r);
	m->applied_epoch = mt_get_u64(&r);
	m->clock_ms = get_i64(&r);
	return mt_reader_done(&r) ? 0 : MT_EPROTO;
}

size_t
mt_fence_req_encode(const struct mt_fence_req *m, void *buf)
{
	struct mt_writer w = WRITER(buf);

	mt_put_u64(&w, m->raft_id);
	mt_put_u64(&w, m->incarnation);
	mt_put_u64(&w, m->epoch);
	mt_put_u64(&w, m->term);
	mt_put_u8(&w, m->kind);
	return w.n;
}

int
mt_fence_req_decode(struct mt_fence_req *m, const void *p, size_t n)
{
	struct mt_reader r = READER(p, n);

	m->raft_id = mt_get_u64(&r);
	m->incarnation = mt_get_u64(&r);
	m->epoch = mt_get_u64(&r);
	m->term = mt_get_u64(&r);
	m->kind = get_bool(&r) ? MT_FENCE_SYNC : MT_FENCE_NORMAL;
	return mt_reader_done(&r) ? 0 : MT_EPROTO;
}

size_t
mt_fence_ans_encode(const struct mt_fence_ans *m, void *buf)
{
	struct mt_writer w = WRITER(buf);

	mt_put_u64(&w, m->raft_id);
	mt_put_u64(&w, m->incarnation);
	mt_put_u64(&w, m->epoch);
	mt_put_u64(&w, m->term);
	mt_put_u8(&w, m->yes);
	put_i64(&w, m->left_ms);
	mt_put_u64(&w, m->fenced);
	return w.n;
}

int
mt_fence_ans_decode(struct mt_fence_ans *m, const void *p, size_t n)
{
	struct mt_reader r = READER(p, n);

	m->raft_id = mt_get_u64(&r);
	m->incarnation = mt_get_u64(&r);
	m->epoch = mt_get_u64(&r);
	m->term = mt_get_u64(&r);
	m->yes = get_bool(&r);
	m->left_ms = get_i64(&r);
	m->fenced = mt_get_u64(&r);
	if (m->left_ms < 0)
		r.bad = true;
	return mt_reader_done(&r) ? 0 : MT_EPROTO;
}
