/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a Raft node keeps on disk, in memory: term, vote, snapshot, entries. The
 * driver holds one as the mirror of its store (libraft itself remembers terms
 * only); a batch is the difference that one step makes, and the unit of
 * durability: all of it or nothing.
 *
 * Also the plain form of a configuration and its bounded decoder: the bytes
 * are libraft's, but libraft's own decoder trusts them.
 */
#ifndef MT_CONSENSUS_LOG_H
#define MT_CONSENSUS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MT_RAFT_SERVERS_MAX 16
#define MT_RAFT_ADDRESS_MAX 280         /* with the terminating zero */
#define MT_RAFT_ENTRY_MAX (512u << 10)  /* bytes of one entry */
#define MT_RAFT_SNAPSHOT_MAX (4u << 20) /* bytes of a state machine */
#define MT_RAFT_CONFIGURATION_MAX 8192  /* bytes of an encoded configuration */

/* Same values as libraft's RAFT_COMMAND and so on (checked when compiled). */
enum mt_entry_type {
	MT_ENTRY_COMMAND = 1,
	MT_ENTRY_BARRIER = 2,
	MT_ENTRY_CHANGE = 3,
};

/* Same values as libraft's. */
enum mt_server_role {
	MT_SERVER_STANDBY = 0, /* gets the log, does not vote */
	MT_SERVER_VOTER = 1,
	MT_SERVER_SPARE = 2, /* known, gets nothing */
};

struct mt_server {
	uint64_t id;
	enum mt_server_role role;
	char address[MT_RAFT_ADDRESS_MAX];
};

struct mt_configuration {
	uint64_t index; /* of the entry that brought it; 0: there is none */
	uint64_t term;  /* of that entry */
	unsigned n;
	struct mt_server servers[MT_RAFT_SERVERS_MAX];
};

struct mt_blob {
	uint8_t *p; /* malloc()ed, or NULL with n == 0 */
	size_t n;
};

struct mt_entry {
	uint64_t term;
	enum mt_entry_type type;
	struct mt_blob data; /* owned */
};

struct mt_snapshot {
	uint64_t index; /* 0: there is none */
	uint64_t term;
	uint64_t configuration_index, configuration_term; /* of its entry */
	struct mt_blob configuration; /* libraft's encoding */
	struct mt_blob data;          /* the state machine's own */
};

struct mt_image {
	uint64_t term, vote;
	struct mt_snapshot snapshot;
	uint64_t first; /* index of entries[0]; >= 1 */
	size_t n, cap;
	struct mt_entry *entries;
};

enum mt_batch_snapshot {
	MT_BATCH_NO_SNAPSHOT,
	MT_BATCH_INSTALLED, /* from the leader: the whole log goes */
	MT_BATCH_TAKEN,     /* our own: entries up to trim go */
};

/* Order of execution: term and vote, snapshot, entries. */
struct mt_batch {
	uint64_t term, vote;
	enum mt_batch_snapshot kind;
	struct mt_snapshot snapshot; /* only with a kind */
	uint64_t trim;               /* only with MT_BATCH_TAKEN */
	uint64_t first; /* n > 0: delete this index and above, then append */
	size_t n;
	struct mt_entry *entries;
};

void mt_image_init(struct mt_image *image); /* empty, term 0, first 1 */
void mt_image_release(struct mt_image *image);
void mt_image_copy(struct mt_image *dst, const struct mt_image *src);
bool mt_image_equal(const struct mt_image *a, const struct mt_image *b);
/* Nothing was ever written to it? */
bool mt_image_is_empty(const struct mt_image *image);

/* The same first image for each member of a new cluster: term 1 and one entry
 * with all members as voters. Sorts by id, so that all members agree. */
int mt_image_bootstrap(struct mt_image *image, const uint64_t ids[],
		       const char *const addresses[], unsigned n,
		       struct mt_err *err) MT_MUSTCHECK;

/* The rules that any image written by us keeps; words for what is broken. */
int mt_image_check(const struct mt_image *image,
		   struct mt_err *err) MT_MUSTCHECK;

uint64_t mt_image_last(const struct mt_image *image);
/* NULL if compacted away or not yet there. */
const struct mt_entry *mt_image_at(const struct mt_image *image,
				   uint64_t index);
/* Term of an entry, or of the snapshot's last one; 0 if not known. */
uint64_t mt_image_term_at(const struct mt_image *image, uint64_t index);
/* The newest configuration: in the log, else the snapshot's; n == 0: none.
 * Not necessarily committed. */
void mt_image_configuration(const struct mt_image *image,
			    struct mt_configuration *c);

void mt_image_append(struct mt_image *image, uint64_t term,
		     enum mt_entry_type type, const void *p, size_t n);
void mt_image_truncate(struct mt_image *image, uint64_t from);
void mt_image_trim(struct mt_image *image, uint64_t upto);
/* Copies the snapshot's bytes. */
void mt_image_set_snapshot(struct mt_image *image,
			   const struct mt_snapshot *snapshot);
/* What the store does with a batch, in memory. */
void mt_image_replay(struct mt_image *image, const struct mt_batch *batch);

/* Deep copy, for another thread. */
void mt_batch_copy(struct mt_batch *dst, const struct mt_batch *src);
void mt_batch_release(struct mt_batch *batch);

void mt_blob_set(struct mt_blob *b, const void *p, size_t n);
void mt_blob_release(struct mt_blob *b);

/* Bounded decoder; index and term are left alone. */
int mt_configuration_decode(struct mt_configuration *c, const void *p, size_t n,
			    struct mt_err *err) MT_MUSTCHECK;
int mt_configuration_encode(const struct mt_configuration *c,
			    struct mt_blob *out,
			    struct mt_err *err) MT_MUSTCHECK;
const struct mt_server *mt_configuration_find(const struct mt_configuration *c,
					      uint64_t id);
unsigned mt_configuration_voters(const struct mt_configuration *c);

#endif
