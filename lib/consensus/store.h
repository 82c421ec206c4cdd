/* SPDX-License-Identifier: PostgreSQL */
/*
 * The durable store of one node: "<dir>/store.db", an SQLite file with the Raft
 * image (term, vote, snapshot, log) and the node record (the owner's bytes),
 * and
 * "<dir>/lock". All rows carry checksums; a meta row pins the log's ends. A
 * file that is damaged, foreign, cut or older than its own meta row is refused
 * with words that name it and the remedy.
 *
 * Not thread-safe: one thread at a time. Open no other descriptor of store.db
 * in the process: closing it would drop SQLite's lock.
 */
#ifndef MT_CONSENSUS_STORE_H
#define MT_CONSENSUS_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "consensus/log.h"

#define MT_RECORD_MAX 256 /* bytes of the node record */

struct mt_store;

/* Open and check everything, load the image into *image (initialised here,
 * owned by the caller; empty if there is none). create: make directory (0700)
 * and file if the file is absent; without it that is MT_ENOENT. MT_EBUSY:
 * another process holds the lock. MT_EIO: damaged. On error *store and *image
 * are unchanged. */
int mt_store_open(struct mt_store **store, const char *dir, bool create,
		  struct mt_image *image, struct mt_err *err) MT_MUSTCHECK;
void mt_store_close(struct mt_store *store);

/* Was a Raft image ever written? */
bool mt_store_has_image(const struct mt_store *store);
/* Copy the node record to p (MT_RECORD_MAX bytes); returns its length, 0 if
 * none was ever written. */
size_t mt_store_record(const struct mt_store *store, void *p);

/* Each of these returns after fsync, and changes all or nothing. After
 * MT_EIO the disk's content is unknown: reload before writing on. */
int mt_store_write(struct mt_store *store, const struct mt_batch *batch,
		   struct mt_err *err) MT_MUSTCHECK;
int mt_store_write_record(struct mt_store *store, const void *p, size_t n,
			  struct mt_err *err) MT_MUSTCHECK;
/* The first image of an empty store; MT_EREFUSED if it has one. */
int mt_store_bootstrap(struct mt_store *store, const struct mt_image *image,
		       struct mt_err *err) MT_MUSTCHECK;
/* Does writing work (again)? Reopens after a failure, writes and fsyncs. */
int mt_store_test_write(struct mt_store *store,
			struct mt_err *err) MT_MUSTCHECK;
/* Read and check everything again, as mt_store_open() does. */
int mt_store_reload(struct mt_store *store, struct mt_image *image,
		    struct mt_err *err) MT_MUSTCHECK;

#endif
