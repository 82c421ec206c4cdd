/* SPDX-License-Identifier: PostgreSQL */
/* What the store's writing and reading halves share. */
#ifndef MT_CONSENSUS_STORE_INTERNAL_H
#define MT_CONSENSUS_STORE_INTERNAL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "consensus/store.h"

#define STORE_PATH_MAX 512
/* "mtrh"; marks the file as ours, and version of the tables */
#define STORE_MAGIC 1836347000
#define STORE_MAGIC_TEXT "1836347000"
#define STORE_FORMAT 1
#define STORE_FORMAT_TEXT "1"

enum store_statement {
	STORE_PUT_META,
	STORE_PUT_ENTRY,
	STORE_DELETE_FROM,
	STORE_DELETE_UPTO,
	STORE_PUT_SNAPSHOT,
	STORE_PUT_RECORD,
	STORE_STATEMENTS,
};

/* The row that is rewritten by each transaction. */
struct store_meta {
	uint64_t present; /* 1: there is a Raft image */
	uint64_t term, vote;
	uint64_t first, last; /* of the log; last == first - 1: empty */
	uint64_t last_hash;   /* of the last entry, 0: none */
	uint64_t snapshot_hash, record_hash; /* 0: none */
	uint64_t tests;                      /* counts test writes */
};
#define STORE_META_FIELDS 9

struct mt_store {
	char dir[STORE_PATH_MAX - 16];
	char path[STORE_PATH_MAX];
	int lock;
	bool broken; /* a write failed: reconnect before the next */
	sqlite3 *db;
	sqlite3_stmt *statements[STORE_STATEMENTS];
	struct store_meta meta; /* durable */
	uint8_t record[MT_RECORD_MAX];
	size_t record_n;
};

/* store.c */
int store__fail(const struct mt_store *s, const char *what, struct mt_err *err);
void store__disconnect(struct mt_store *s);

/* store_load.c */
int store__damaged(const struct mt_store *s, const char *what,
		   struct mt_err *err);
int store__load(struct mt_store *s, struct mt_image *image, struct mt_err *err);
void store__meta_fields(const struct store_meta *m,
			uint64_t fields[STORE_META_FIELDS]);
uint64_t store__hash_meta(const struct store_meta *m);
/* never 0: 0 stands for none */
uint64_t store__hash_entry(uint64_t index, const struct mt_entry *e);
uint64_t store__hash_snapshot(const struct mt_snapshot *s);
uint64_t store__hash_record(const void *p, size_t n);

#endif
