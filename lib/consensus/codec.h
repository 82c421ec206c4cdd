/* SPDX-License-Identifier: PostgreSQL */
/*
 * Raft's messages as bytes: big-endian, bounded. Every byte is checked before
 * libraft sees it, because its own decoders and handlers trust their input.
 * What depends on the receiver's state (is it a candidate?) is the driver's.
 */
#ifndef MT_CONSENSUS_CODEC_H
#define MT_CONSENSUS_CODEC_H

#include <raft.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "consensus/log.h"

/* Entries of one message; the sender splits what is longer. */
#define MT_RAFT_ENTRIES_MAX 1024
/* Bytes of the entries of one message after which the sender stops. */
#define MT_RAFT_ENTRIES_BYTES (1u << 20)
/* No message is longer: the frame's bound. */
#define MT_RAFT_MESSAGE_MAX (MT_RAFT_SNAPSHOT_MAX + (64u << 10))

struct mt_message {
	/* server_id and server_address are the caller's; entries of an
	 * append_entries are not set: see below. conf and data of an
	 * install_snapshot are not set either. */
	struct raft_message raft;
	/* append_entries: array owned, data borrowed from the bytes */
	struct mt_entry *entries;
	/* install_snapshot: borrowed from the bytes */
	struct mt_blob configuration, data;
	uint64_t configuration_term; /* of its entry */
};

/* 0 or MT_EPROTO with words; *m needs no release after an error. */
int mt_message_decode(struct mt_message *m, const void *p, size_t n,
		      struct mt_err *err) MT_MUSTCHECK;
void mt_message_release(struct mt_message *m);

/* Entries and snapshot come from the image, at the indexes that the message
 * names; an append_entries is cut to the limits above. The bytes are *out's,
 * owned by the caller. MT_EINVAL: the image lacks what the message names. */
int mt_message_encode(const struct raft_message *raft,
		      const struct mt_image *image, struct mt_blob *out,
		      struct mt_err *err) MT_MUSTCHECK;

#endif
