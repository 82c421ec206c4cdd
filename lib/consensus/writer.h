/* SPDX-License-Identifier: PostgreSQL */
/*
 * A thread of its own for the store's writes (a stalled disk must stop neither
 * the event loop nor libuv's pool). Jobs run in order; each gets exactly one
 * completion, on the owner's thread, from mt_disk_collect() or mt_disk_stop().
 */
#ifndef MT_CONSENSUS_WRITER_H
#define MT_CONSENSUS_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "consensus/log.h"
#include "consensus/store.h"

struct mt_disk;

/* rv: 0 or the store's error, words in err (never NULL). */
typedef void (*mt_disk_cb)(void *arg, int rv, const struct mt_err *err);
/* With the image that was read; its content may be taken (leave it empty or
 * initialised), the rest is released afterwards. */
typedef void (*mt_disk_image_cb)(void *arg, int rv, struct mt_image *image,
				 const struct mt_err *err);

struct mt_disk_stats {
	uint64_t writes, failures;
	int64_t last_ms, max_ms; /* duration of a write */
	int64_t running_ms;      /* of the one under way; 0: none */
	size_t waiting;          /* jobs not yet finished */
};

/* The store is borrowed and belongs to the thread until mt_disk_stop(). notify
 * runs on the writer's thread whenever something waits to be collected. */
int mt_disk_start(struct mt_disk **disk, struct mt_store *store,
		  void (*notify)(void *arg), void *arg,
		  struct mt_err *err) MT_MUSTCHECK;
/* Waits for the job under way; those not begun complete with MT_ECANCELED.
 * Runs all completions, then frees. notify may still run until it returns. */
void mt_disk_stop(struct mt_disk *disk);

/* The batch and the record are copied. */
void mt_disk_write(struct mt_disk *disk, const struct mt_batch *batch,
		   mt_disk_cb cb, void *arg);
void mt_disk_write_record(struct mt_disk *disk, const void *p, size_t n,
			  mt_disk_cb cb, void *arg);
void mt_disk_bootstrap(struct mt_disk *disk, const struct mt_image *image,
		       mt_disk_cb cb, void *arg);
/* A cheap durable write that changes nothing. */
void mt_disk_test(struct mt_disk *disk, mt_disk_cb cb, void *arg);
/* Test write and, if it works, read everything again. */
void mt_disk_reload(struct mt_disk *disk, mt_disk_image_cb cb, void *arg);

/* Owner's thread: run the completions that wait. Completions may submit. */
void mt_disk_collect(struct mt_disk *disk);
/* Any thread. */
void mt_disk_stats(struct mt_disk *disk, struct mt_disk_stats *stats);

#endif
