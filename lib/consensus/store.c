/* SPDX-License-Identifier: PostgreSQL */
/*
 * The durable store, writing half: directory and lock, the file's creation,
 * and transactions.
 *
 * Happy path: open, check, load; then one transaction per batch or record, each
 * with the meta row rewritten, which holds term and vote and pins the ends of
 * the log. SQLite with a rollback journal that is truncated (not WAL: a flipped
 * bit in a WAL silently ends it, and acknowledged entries and votes with it),
 * synchronous FULL, and an exclusive lock.
 *
 * Failure modes: a failed write rolls back, or leaves it to the next opening;
 * the connection is then opened anew before anything else is written. A new
 * file is built under another name and renamed, so that a crash leaves none or
 * a whole one.
 *
 * It does not: repair. A store that lost its term and vote must not vote again.
 */
#include "consensus/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "consensus/store_internal.h"

static const char schema[] =
    "CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id=1), present INTEGER,"
    " term INTEGER, vote INTEGER, first INTEGER, last INTEGER,"
    " last_hash INTEGER, snapshot_hash INTEGER, record_hash INTEGER,"
    " tests INTEGER, hash INTEGER);"
    "CREATE TABLE log(idx INTEGER PRIMARY KEY, term INTEGER, type INTEGER,"
    " data BLOB, hash INTEGER);"
    "CREATE TABLE snapshot(id INTEGER PRIMARY KEY CHECK(id=1), idx INTEGER,"
    " term INTEGER, configuration_idx INTEGER,"
    " configuration_term INTEGER, configuration BLOB, data BLOB,"
    " hash INTEGER);"
    "CREATE TABLE record(id INTEGER PRIMARY KEY CHECK(id=1), data BLOB,"
    " hash INTEGER);";

static const char *const statements[STORE_STATEMENTS] = {
    [STORE_PUT_META] =
	"INSERT OR REPLACE INTO meta VALUES(1,?,?,?,?,?,?,?,?,?,?)",
    [STORE_PUT_ENTRY] = "INSERT INTO log VALUES(?,?,?,?,?)",
    [STORE_DELETE_FROM] = "DELETE FROM log WHERE idx >= ?",
    [STORE_DELETE_UPTO] = "DELETE FROM log WHERE idx <= ?",
    [STORE_PUT_SNAPSHOT] =
	"INSERT OR REPLACE INTO snapshot VALUES(1,?,?,?,?,?,?,?)",
    [STORE_PUT_RECORD] = "INSERT OR REPLACE INTO record VALUES(1,?,?)",
};

int
store__fail(const struct mt_store *s, const char *what, struct mt_err *err)
{
	int rc = s->db == NULL ? SQLITE_NOMEM : sqlite3_errcode(s->db);

	if (rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT)
		return store__damaged(s, sqlite3_errmsg(s->db), err);
	return mt_err_set(err, MT_EIO, "could not %s \"%s\": %s", what, s->path,
			  s->db == NULL ? "out of memory"
					: sqlite3_errmsg(s->db));
}

static int
execute(struct mt_store *s, const char *sql, const char *what,
	struct mt_err *err)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return store__fail(s, what, err);
	return 0;
}

static int
sync_directory(const struct mt_store *s, struct mt_err *err)
{
	int fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rv = 0;

	if (fd < 0)
		return mt_err_sys(err, errno, "could not open directory \"%s\"",
				  s->dir);
	if (fsync(fd) != 0)
		rv = mt_err_sys(err, errno, "could not fsync directory \"%s\"",
				s->dir);
	close(fd);
	return rv;
}

/* ---- connection ---- */

static int
connect_db(struct mt_store *s, const char *path, struct mt_err *err)
{
	/* FULL also syncs the journal after it was truncated, so that a
	 * transaction that was acknowledged cannot be rolled back. */
	static const char settings[] =
	    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=FULL;"
	    "PRAGMA cell_size_check=ON; PRAGMA trusted_schema=OFF;"
	    "PRAGMA temp_store=MEMORY;";
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW;

	if (path != s->path)
		flags |= SQLITE_OPEN_CREATE;
	if (sqlite3_open_v2(path, &s->db, flags, NULL) != SQLITE_OK)
		return store__fail(s, "open", err);
	sqlite3_busy_timeout(s->db, 1000);
	return execute(s, settings, "set up", err);
}

void
store__disconnect(struct mt_store *s)
{
	int i;

	for (i = 0; i < STORE_STATEMENTS; i++) {
		sqlite3_finalize(s->statements[i]);
		s->statements[i] = NULL;
	}
	sqlite3_close(s->db);
	s->db = NULL;
}

static int
prepare(struct mt_store *s, struct mt_err *err)
{
	int i;

	for (i = 0; i < STORE_STATEMENTS; i++)
		if (sqlite3_prepare_v2(s->db, statements[i], -1,
				       &s->statements[i], NULL) != SQLITE_OK)
			return store__fail(s, "read the tables of", err);
	return 0;
}

/* Connect, check and load. On error the connection is closed. */
static int
connect_and_load(struct mt_store *s, struct mt_image *image, struct mt_err *err)
{
	int rv;

	mt_image_init(image);
	s->broken = true;
	rv = connect_db(s, s->path, err);
	if (rv == 0)
		rv = store__load(s, image, err);
	/* only now: a foreign or damaged file must not be written to */
	if (rv == 0)
		rv = execute(s, "PRAGMA journal_mode=TRUNCATE", "set up", err);
	if (rv == 0)
		rv = prepare(s, err);
	if (rv != 0) {
		store__disconnect(s);
		mt_image_release(image);
		return rv;
	}
	s->broken = false;
	return 0;
}

/* ---- transactions ---- */

static sqlite3_stmt *
statement(struct mt_store *s, enum store_statement which)
{
	sqlite3_stmt *st = s->statements[which];

	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return st;
}

static void
bind_u64(sqlite3_stmt *st, int column, uint64_t v)
{
	sqlite3_bind_int64(st, column, (sqlite3_int64)v);
}

static void
bind_blob(sqlite3_stmt *st, int column, const struct mt_blob *b)
{
	/* a NULL pointer would bind NULL, not an empty blob */
	sqlite3_bind_blob64(st, column, b->p == NULL ? (const void *)"" : b->p,
			    b->n, SQLITE_STATIC);
}

static int
finish(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

static int
put_meta(struct mt_store *s, const struct store_meta *m)
{
	sqlite3_stmt *st = statement(s, STORE_PUT_META);
	uint64_t fields[STORE_META_FIELDS];
	int i;

	store__meta_fields(m, fields);
	for (i = 0; i < STORE_META_FIELDS; i++)
		bind_u64(st, i + 1, fields[i]);
	bind_u64(st, STORE_META_FIELDS + 1, store__hash_meta(m));
	return finish(st);
}

static int
put_snapshot(struct mt_store *s, const struct mt_snapshot *sn, uint64_t hash)
{
	sqlite3_stmt *st = statement(s, STORE_PUT_SNAPSHOT);

	bind_u64(st, 1, sn->index);
	bind_u64(st, 2, sn->term);
	bind_u64(st, 3, sn->configuration_index);
	bind_u64(st, 4, sn->configuration_term);
	bind_blob(st, 5, &sn->configuration);
	bind_blob(st, 6, &sn->data);
	bind_u64(st, 7, hash);
	return finish(st);
}

static int
put_entry(struct mt_store *s, uint64_t index, const struct mt_entry *e,
	  uint64_t hash)
{
	sqlite3_stmt *st = statement(s, STORE_PUT_ENTRY);

	bind_u64(st, 1, index);
	bind_u64(st, 2, e->term);
	bind_u64(st, 3, (uint64_t)e->type);
	bind_blob(st, 4, &e->data);
	bind_u64(st, 5, hash);
	return finish(st);
}

static int
delete_range(struct mt_store *s, enum store_statement which, uint64_t index)
{
	sqlite3_stmt *st = statement(s, which);

	bind_u64(st, 1, index);
	return finish(st);
}

static int
put_snapshot_of(struct mt_store *s, const struct mt_batch *b,
		struct store_meta *m)
{
	uint64_t upto = b->kind == MT_BATCH_INSTALLED ? INT64_MAX : b->trim;

	m->snapshot_hash = store__hash_snapshot(&b->snapshot);
	if (put_snapshot(s, &b->snapshot, m->snapshot_hash) != 0 ||
	    delete_range(s, STORE_DELETE_UPTO, upto) != 0)
		return -1;
	if (b->kind == MT_BATCH_INSTALLED) {
		m->first = b->snapshot.index + 1;
		m->last = b->snapshot.index;
	} else if (b->trim >= m->first) {
		m->first = b->trim + 1;
		if (m->last < b->trim)
			m->last = b->trim;
	}
	if (m->first > m->last)
		m->last_hash = 0;
	return 0;
}

static int
put_entries_of(struct mt_store *s, const struct mt_batch *b,
	       struct store_meta *m)
{
	size_t i;

	if (delete_range(s, STORE_DELETE_FROM, b->first) != 0)
		return -1;
	for (i = 0; i < b->n; i++) {
		m->last = b->first + i;
		m->last_hash = store__hash_entry(m->last, &b->entries[i]);
		if (put_entry(s, m->last, &b->entries[i], m->last_hash) != 0)
			return -1;
	}
	if (b->first < m->first)
		m->first = b->first;
	return 0;
}

static int
begin(struct mt_store *s, struct mt_err *err)
{
	if (s->broken)
		return mt_err_set(err, MT_EIO,
				  "could not write \"%s\": an earlier write "
				  "failed, and it was not read again since",
				  s->path);
	return execute(s, "BEGIN IMMEDIATE", "write", err);
}

/* rv: did the statements work? Commits with this meta row, or rolls back. */
static int
end(struct mt_store *s, int rv, const struct store_meta *m, struct mt_err *err)
{
	if (rv == 0 && put_meta(s, m) == 0 &&
	    sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK) {
		s->meta = *m;
		return 0;
	}
	store__fail(s, "write", err);
	sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	s->broken = true;
	return MT_EIO;
}

int
mt_store_write(struct mt_store *s, const struct mt_batch *b, struct mt_err *err)
{
	struct store_meta m = s->meta;
	int rv = begin(s, err);

	if (rv != 0)
		return rv;
	m.present = 1;
	m.term = b->term;
	m.vote = b->vote;
	if (b->kind != MT_BATCH_NO_SNAPSHOT)
		rv = put_snapshot_of(s, b, &m);
	if (rv == 0 && b->n > 0)
		rv = put_entries_of(s, b, &m);
	return end(s, rv, &m, err);
}

int
mt_store_bootstrap(struct mt_store *s, const struct mt_image *image,
		   struct mt_err *err)
{
	struct mt_batch b = {.term = image->term,
			     .vote = image->vote,
			     .first = image->first,
			     .n = image->n,
			     .entries = image->entries};
	int rv;

	if (s->meta.present)
		return mt_err_set(err, MT_EREFUSED,
				  "\"%s\" already belongs to a cluster",
				  s->path);
	rv = mt_image_check(image, err);
	if (rv != 0)
		return rv;
	if (image->snapshot.index > 0)
		return mt_err_set(err, MT_EINVAL,
				  "a new cluster begins without a snapshot");
	return mt_store_write(s, &b, err);
}

int
mt_store_write_record(struct mt_store *s, const void *p, size_t n,
		      struct mt_err *err)
{
	struct mt_blob b = {.p = (uint8_t *)p, .n = n};
	struct store_meta m = s->meta;
	sqlite3_stmt *st;
	int rv;

	if (n == 0 || n > MT_RECORD_MAX)
		return mt_err_set(err, MT_EINVAL,
				  "a node record of %zu bytes; 1 to %d work", n,
				  MT_RECORD_MAX);
	rv = begin(s, err);
	if (rv != 0)
		return rv;
	m.record_hash = store__hash_record(p, n);
	st = statement(s, STORE_PUT_RECORD);
	bind_blob(st, 1, &b);
	bind_u64(st, 2, m.record_hash);
	rv = end(s, finish(st), &m, err);
	if (rv == 0) {
		memcpy(s->record, p, n);
		s->record_n = n;
	}
	return rv;
}

int
mt_store_test_write(struct mt_store *s, struct mt_err *err)
{
	struct store_meta m;
	struct mt_image image;
	int rv;

	if (s->broken) {
		rv = mt_store_reload(s, &image, err);
		if (rv != 0)
			return rv;
		mt_image_release(&image);
	}
	rv = begin(s, err);
	if (rv != 0)
		return rv;
	m = s->meta;
	m.tests++;
	return end(s, 0, &m, err);
}

int
mt_store_reload(struct mt_store *s, struct mt_image *image, struct mt_err *err)
{
	struct mt_image loaded;
	int rv;

	store__disconnect(s);
	rv = connect_and_load(s, &loaded, err);
	if (rv == 0)
		*image = loaded;
	return rv;
}

/* ---- open and close ---- */

static int
take_lock(struct mt_store *s, struct mt_err *err)
{
	char path[STORE_PATH_MAX + 16];

	mt_format(path, sizeof path, "%s/lock", s->dir);
	s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock < 0)
		return mt_err_sys(err, errno, "could not open file \"%s\"",
				  path);
	if (flock(s->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return mt_err_sys(err, errno, "could not lock file \"%s\"",
				  path);
	return mt_err_set(
	    err, MT_EBUSY,
	    "could not lock file \"%s\": another process uses "
	    "this directory; stop it, or set another raft.data_dir",
	    path);
}

static int
prepare_directory(const struct mt_store *s, bool create, struct mt_err *err)
{
	struct stat st;

	if (create && mkdir(s->dir, 0700) != 0 && errno != EEXIST)
		return mt_err_sys(err, errno,
				  "could not create directory \"%s\"", s->dir);
	if (stat(s->dir, &st) != 0)
		return errno == ENOENT
			   ? mt_err_set(err, MT_ENOENT,
					"directory \"%s\" does not exist",
					s->dir)
			   : mt_err_sys(err, errno,
					"could not look at directory \"%s\"",
					s->dir);
	if (!S_ISDIR(st.st_mode))
		return mt_err_set(err, MT_EINVAL, "\"%s\" is no directory",
				  s->dir);
	if ((st.st_mode & 077) != 0 && chmod(s->dir, 0700) != 0)
		return mt_err_sys(err, errno,
				  "directory \"%s\" is open to others, and "
				  "could not be closed to them",
				  s->dir);
	return 0;
}

/* Under another name first: a crash leaves no file, or a whole one. */
static int
create_file(struct mt_store *s, struct mt_err *err)
{
	char fresh[STORE_PATH_MAX + 16], journal[STORE_PATH_MAX + 32];
	struct stat st;
	int rv;

	mt_format(journal, sizeof journal, "%s-journal", s->path);
	if (stat(journal, &st) == 0 && st.st_size > 0)
		return mt_err_set(err, MT_EIO,
				  "\"%s\" is missing, but \"%s\" is there: "
				  "this member lost its store; empty directory "
				  "\"%s\" and let it join as a new member",
				  s->path, journal, s->dir);
	mt_format(fresh, sizeof fresh, "%s.new", s->path);
	mt_format(journal, sizeof journal, "%s.new-journal", s->path);
	if ((unlink(fresh) != 0 && errno != ENOENT) ||
	    (unlink(journal) != 0 && errno != ENOENT))
		return mt_err_sys(err, errno, "could not remove file \"%s\"",
				  fresh);
	rv = connect_db(s, fresh, err);
	if (rv == 0)
		rv = execute(s,
			     "PRAGMA application_id=" STORE_MAGIC_TEXT
			     "; PRAGMA user_version=" STORE_FORMAT_TEXT
			     "; BEGIN",
			     "create", err);
	if (rv == 0)
		rv = execute(s, schema, "create", err);
	if (rv == 0)
		rv = prepare(s, err);
	if (rv == 0) {
		struct store_meta m = {.first = 1};

		rv = end(s, 0, &m, err);
	}
	store__disconnect(s);
	if (rv == 0 && chmod(fresh, 0600) != 0)
		rv = mt_err_sys(err, errno, "could not change mode of \"%s\"",
				fresh);
	if (rv == 0 && rename(fresh, s->path) != 0)
		rv = mt_err_sys(err, errno, "could not rename \"%s\"", fresh);
	return rv == 0 ? sync_directory(s, err) : rv;
}

static int
open_store(struct mt_store *s, bool create, struct mt_image *image,
	   struct mt_err *err)
{
	struct stat st;
	int rv;

	rv = prepare_directory(s, create, err);
	if (rv == 0)
		rv = take_lock(s, err);
	if (rv != 0)
		return rv;
	if (stat(s->path, &st) != 0) {
		if (errno != ENOENT)
			return mt_err_sys(err, errno,
					  "could not look at file \"%s\"",
					  s->path);
		if (!create)
			return mt_err_set(err, MT_ENOENT,
					  "file \"%s\" does not exist",
					  s->path);
		rv = create_file(s, err);
		if (rv != 0)
			return rv;
	}
	return connect_and_load(s, image, err);
}

int
mt_store_open(struct mt_store **store, const char *dir, bool create,
	      struct mt_image *image, struct mt_err *err)
{
	struct mt_store *s;
	struct mt_image loaded;
	int rv;

	s = calloc(1, sizeof *s);
	if (s == NULL)
		return mt_err_set(err, MT_ENOMEM, "could not open a store");
	s->lock = -1;
	if (!mt_copy(s->dir, sizeof s->dir, dir) ||
	    !mt_format(s->path, sizeof s->path, "%s/store.db", dir))
		rv = mt_err_set(err, MT_EINVAL, "directory \"%s\" is too long",
				dir);
	else
		rv = open_store(s, create, &loaded, err);
	if (rv != 0) {
		mt_store_close(s);
		return rv;
	}
	*image = loaded;
	*store = s;
	return 0;
}

void
mt_store_close(struct mt_store *s)
{
	if (s == NULL)
		return;
	store__disconnect(s);
	if (s->lock >= 0)
		close(s->lock);
	free(s);
}

bool
mt_store_has_image(const struct mt_store *s)
{
	return s->meta.present != 0;
}

size_t
mt_store_record(const struct mt_store *s, void *p)
{
	if (s->record_n > 0)
		memcpy(p, s->record, s->record_n);
	return s->record_n;
}
