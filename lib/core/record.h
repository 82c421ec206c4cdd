/* SPDX-License-Identifier: PostgreSQL */
/*
 * The node record: what one node remembers across restarts and never forgets,
 * apart from the Raft log. It is written as a whole, fsynced, before the fact
 * that depends on it leaves the node (doc/protocol.md, "Durable").
 */
#ifndef MT_CORE_RECORD_H
#define MT_CORE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct mt_record {
	uint64_t incarnation; /* plus one at each start of the daemon */
	uint64_t fenced;      /* the highest epoch never to be supported */
	int64_t max_ttl_ms;   /* no longer promise was given; boot hold */
	uint64_t given_up;    /* the highest epoch that we as holder gave up */
	uint64_t data_id;     /* the data directory that pg_epoch speaks of */
	uint64_t pg_epoch;    /* epoch under which it last ran as primary */
	uint64_t raft_id;     /* 0 before the group is formed or joined */
	uint64_t cluster_id;  /* 0 before */
};

#define MT_RECORD_SIZE 72
/* buf has MT_RECORD_SIZE; always succeeds. */
void mt_record_encode(const struct mt_record *rec, void *buf);
int mt_record_decode(struct mt_record *rec, const void *buf, size_t n,
		     struct mt_err *err) MT_MUSTCHECK;

#endif
