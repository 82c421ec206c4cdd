/* SPDX-License-Identifier: PostgreSQL */
/*
 * The node record as bytes: a version and eight big-endian numbers. The store
 * adds the checksum.
 */
#include "core/record.h"

#include "base/bytes.h"

#define RECORD_VERSION 1

void
mt_record_encode(const struct mt_record *rec, void *buf)
{
	struct mt_writer w = {.p = buf, .cap = MT_RECORD_SIZE};

	mt_put_u64(&w, RECORD_VERSION);
	mt_put_u64(&w, rec->incarnation);
	mt_put_u64(&w, rec->fenced);
	mt_put_u64(&w, (uint64_t)rec->max_ttl_ms);
	mt_put_u64(&w, rec->given_up);
	mt_put_u64(&w, rec->data_id);
	mt_put_u64(&w, rec->pg_epoch);
	mt_put_u64(&w, rec->raft_id);
	mt_put_u64(&w, rec->cluster_id);
	MT_ASSERT(!w.bad && w.n == MT_RECORD_SIZE);
}

int
mt_record_decode(struct mt_record *rec, const void *buf, size_t n,
		 struct mt_err *err)
{
	struct mt_reader r = {.p = buf, .left = n};
	struct mt_record got = {0};
	uint64_t version = mt_get_u64(&r);

	if (version != RECORD_VERSION)
		return mt_err_set(err, MT_EIO,
				  "node record has version %llu, this program "
				  "knows %d",
				  (unsigned long long)version, RECORD_VERSION);
	got.incarnation = mt_get_u64(&r);
	got.fenced = mt_get_u64(&r);
	got.max_ttl_ms = (int64_t)mt_get_u64(&r);
	got.given_up = mt_get_u64(&r);
	got.data_id = mt_get_u64(&r);
	got.pg_epoch = mt_get_u64(&r);
	got.raft_id = mt_get_u64(&r);
	got.cluster_id = mt_get_u64(&r);
	if (!mt_reader_done(&r) || got.max_ttl_ms < 0)
		return mt_err_set(err, MT_EIO, "node record is malformed");
	*rec = got;
	return 0;
}
