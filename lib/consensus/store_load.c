/* SPDX-License-Identifier: PostgreSQL */
/*
 * The durable store, reading half: what is on disk is believed only if all of
 * it fits together.
 *
 * Happy path: the file is ours by its application id, SQLite finds no damage,
 * there is one meta row, and each row's checksum, the log's ends and the hashes
 * in the meta row agree; then the image and the record are returned.
 *
 * Failure modes: anything that does not fit is refused. An older state is as
 * bad as a wrong one, because a forgotten vote may be given twice; hence the
 * remedy is always to come back as a new member.
 *
 * It does not: write.
 */
#include <string.h>

#include "base/text.h"
#include "consensus/store_internal.h"

/* Different seeds, so that a row of one table is none of another. */
enum { SEED_META = 11, SEED_ENTRY, SEED_SNAPSHOT, SEED_RECORD };

static uint64_t
hash_of(uint64_t kind, const uint64_t *numbers, size_t n)
{
	uint64_t h = mt_hash(MT_HASH_SEED, &kind, sizeof kind);

	return mt_hash(h, numbers, n * sizeof *numbers);
}

static uint64_t
nonzero(uint64_t h)
{
	return h == 0 ? 1 : h;
}

void
store__meta_fields(const struct store_meta *m,
		   uint64_t fields[STORE_META_FIELDS])
{
	const uint64_t v[STORE_META_FIELDS] = {
	    m->present,   m->term,          m->vote,        m->first, m->last,
	    m->last_hash, m->snapshot_hash, m->record_hash, m->tests,
	};

	memcpy(fields, v, sizeof v);
}

uint64_t
store__hash_meta(const struct store_meta *m)
{
	uint64_t fields[STORE_META_FIELDS];

	store__meta_fields(m, fields);
	return hash_of(SEED_META, fields, STORE_META_FIELDS);
}

uint64_t
store__hash_entry(uint64_t index, const struct mt_entry *e)
{
	const uint64_t v[] = {index, e->term, (uint64_t)e->type, e->data.n};

	return nonzero(
	    mt_hash(hash_of(SEED_ENTRY, v, MT_COUNT(v)), e->data.p, e->data.n));
}

uint64_t
store__hash_snapshot(const struct mt_snapshot *s)
{
	const uint64_t v[] = {s->index,
			      s->term,
			      s->configuration_index,
			      s->configuration_term,
			      s->configuration.n,
			      s->data.n};
	uint64_t h = hash_of(SEED_SNAPSHOT, v, MT_COUNT(v));

	h = mt_hash(h, s->configuration.p, s->configuration.n);
	return nonzero(mt_hash(h, s->data.p, s->data.n));
}

uint64_t
store__hash_record(const void *p, size_t n)
{
	const uint64_t v[] = {n};

	return nonzero(mt_hash(hash_of(SEED_RECORD, v, MT_COUNT(v)), p, n));
}

int
store__damaged(const struct mt_store *s, const char *what, struct mt_err *err)
{
	return mt_err_set(err, MT_EIO,
			  "file \"%s\" is damaged (%s): this member must not "
			  "vote with it; stop it, empty directory \"%s\" and "
			  "let it join as a new member",
			  s->path, what, s->dir);
}

static int
damaged_sqlite(const struct mt_store *s, struct mt_err *err)
{
	return store__damaged(s, sqlite3_errmsg(s->db), err);
}

static uint64_t
column_u64(sqlite3_stmt *st, int column)
{
	return (uint64_t)sqlite3_column_int64(st, column);
}

static struct mt_blob
column_blob(sqlite3_stmt *st, int column)
{
	struct mt_blob b;

	b.p = (uint8_t *)sqlite3_column_blob(st, column);
	b.n = (size_t)sqlite3_column_bytes(st, column);
	return b;
}

/* Do the row's columns have these types? 'i' integer, 'b' blob. */
static bool
has_types(sqlite3_stmt *st, const char *types)
{
	int i;

	for (i = 0; types[i] != '\0'; i++)
		if (sqlite3_column_type(st, i) !=
		    (types[i] == 'i' ? SQLITE_INTEGER : SQLITE_BLOB))
			return false;
	return true;
}

static int
read_number(struct mt_store *s, const char *sql, int64_t *v, struct mt_err *err)
{
	sqlite3_stmt *st;
	int rc;

	if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK)
		return damaged_sqlite(s, err);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 0 : damaged_sqlite(s, err);
}

static int
check_file(struct mt_store *s, struct mt_err *err)
{
	sqlite3_stmt *st;
	int64_t magic = 0, format = 0;
	bool sound;
	int rv;

	rv = read_number(s, "PRAGMA application_id", &magic, err);
	if (rv == 0)
		rv = read_number(s, "PRAGMA user_version", &format, err);
	if (rv != 0)
		return rv;
	if (magic != STORE_MAGIC)
		return store__damaged(s, "it is not a store of this program",
				      err);
	if (format != STORE_FORMAT)
		return mt_err_set(err, MT_EREFUSED,
				  "file \"%s\" has format %lld, this program "
				  "knows %d; start the version that wrote it",
				  s->path, (long long)format, STORE_FORMAT);
	if (sqlite3_prepare_v2(s->db, "PRAGMA integrity_check(1)", -1, &st,
			       NULL) != SQLITE_OK)
		return damaged_sqlite(s, err);
	sound = sqlite3_step(st) == SQLITE_ROW &&
		strcmp((const char *)sqlite3_column_text(st, 0), "ok") == 0;
	sqlite3_finalize(st);
	return sound ? 0 : store__damaged(s, "integrity check", err);
}

static int
load_meta(struct mt_store *s, struct mt_err *err)
{
	struct store_meta *m = &s->meta;
	sqlite3_stmt *st;
	uint64_t hash = 0;
	int rc, more = 0;

	if (sqlite3_prepare_v2(s->db,
			       "SELECT present, term, vote, first, last,"
			       " last_hash, snapshot_hash, record_hash, tests,"
			       " hash FROM meta",
			       -1, &st, NULL) != SQLITE_OK)
		return damaged_sqlite(s, err);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW && has_types(st, "iiiiiiiiii")) {
		m->present = column_u64(st, 0);
		m->term = column_u64(st, 1);
		m->vote = column_u64(st, 2);
		m->first = column_u64(st, 3);
		m->last = column_u64(st, 4);
		m->last_hash = column_u64(st, 5);
		m->snapshot_hash = column_u64(st, 6);
		m->record_hash = column_u64(st, 7);
		m->tests = column_u64(st, 8);
		hash = column_u64(st, 9);
		more = sqlite3_step(st);
	}
	sqlite3_finalize(st);
	if (rc != SQLITE_ROW || more != SQLITE_DONE ||
	    hash != store__hash_meta(m))
		return store__damaged(s, "meta row", err);
	return 0;
}

static int
load_snapshot(struct mt_store *s, struct mt_image *image, struct mt_err *err)
{
	struct mt_snapshot sn = {0};
	sqlite3_stmt *st;
	uint64_t hash = 0;
	bool good = true;
	int rc;

	if (sqlite3_prepare_v2(s->db,
			       "SELECT idx, term, configuration_idx,"
			       " configuration_term, configuration, data, hash"
			       " FROM snapshot",
			       -1, &st, NULL) != SQLITE_OK)
		return damaged_sqlite(s, err);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		good = has_types(st, "iiiibbi");
		sn.index = column_u64(st, 0);
		sn.term = column_u64(st, 1);
		sn.configuration_index = column_u64(st, 2);
		sn.configuration_term = column_u64(st, 3);
		sn.configuration = column_blob(st, 4);
		sn.data = column_blob(st, 5);
		hash = store__hash_snapshot(&sn);
		good = good && hash == column_u64(st, 6);
		if (good)
			mt_image_set_snapshot(image, &sn);
		rc = sqlite3_step(st);
	}
	sqlite3_finalize(st);
	if (!good || rc != SQLITE_DONE || hash != s->meta.snapshot_hash)
		return store__damaged(s, "snapshot", err);
	return 0;
}

static int
load_log(struct mt_store *s, struct mt_image *image, struct mt_err *err)
{
	const struct store_meta *m = &s->meta;
	sqlite3_stmt *st;
	uint64_t hash = 0;
	bool good = true;
	int rc;

	if (sqlite3_prepare_v2(s->db,
			       "SELECT idx, term, type, data, hash FROM log"
			       " ORDER BY idx",
			       -1, &st, NULL) != SQLITE_OK)
		return damaged_sqlite(s, err);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW && good) {
		struct mt_entry e = {.term = column_u64(st, 1),
				     .data = column_blob(st, 3)};
		uint64_t type = column_u64(st, 2);
		uint64_t index = mt_image_last(image) + 1;

		e.type = (enum mt_entry_type)type;
		hash = store__hash_entry(index, &e);
		good = has_types(st, "iiibi") && column_u64(st, 0) == index &&
		       column_u64(st, 4) == hash && type >= MT_ENTRY_COMMAND &&
		       type <= MT_ENTRY_CHANGE;
		if (good)
			mt_image_append(image, e.term, e.type, e.data.p,
					e.data.n);
	}
	sqlite3_finalize(st);
	if (!good || rc != SQLITE_DONE)
		return store__damaged(s, "log entry", err);
	if (mt_image_last(image) != m->last || hash != m->last_hash)
		return store__damaged(s, "the log's end", err);
	return 0;
}

static int
load_record(struct mt_store *s, struct mt_err *err)
{
	sqlite3_stmt *st;
	uint64_t hash = 0;
	bool good = true;
	int rc;

	s->record_n = 0;
	if (sqlite3_prepare_v2(s->db, "SELECT data, hash FROM record", -1, &st,
			       NULL) != SQLITE_OK)
		return damaged_sqlite(s, err);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		struct mt_blob b = column_blob(st, 0);

		good = has_types(st, "bi") && b.n > 0 && b.n <= MT_RECORD_MAX;
		if (good) {
			hash = store__hash_record(b.p, b.n);
			good = hash == column_u64(st, 1);
			memcpy(s->record, b.p, b.n);
			s->record_n = b.n;
		}
		rc = sqlite3_step(st);
	}
	sqlite3_finalize(st);
	if (!good || rc != SQLITE_DONE || hash != s->meta.record_hash)
		return store__damaged(s, "node record", err);
	return 0;
}

int
store__load(struct mt_store *s, struct mt_image *image, struct mt_err *err)
{
	struct mt_err why;
	int rv;

	rv = check_file(s, err);
	if (rv == 0)
		rv = load_meta(s, err);
	if (rv != 0)
		return rv;
	image->term = s->meta.term;
	image->vote = s->meta.vote;
	image->first = s->meta.first;
	rv = load_snapshot(s, image, err);
	if (rv == 0)
		rv = load_log(s, image, err);
	if (rv == 0)
		rv = load_record(s, err);
	if (rv == 0 && mt_image_check(image, &why) != 0)
		rv = store__damaged(s, why.text, err);
	return rv;
}
