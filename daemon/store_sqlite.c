// SPDX-License-Identifier: GPL-2.0
#include "store_sqlite.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>

#define APPLICATION_ID	0x414b4d31	/* "AKM1" */
#define SCHEMA_VERSION	9
#define PAGE_MIN	512		/* the SQLite file format's smallest page */

/* What came later, by version: written as it changes a database of before, so that both end up the same to the letter. */
#define SCHEMA_2 \
	"ALTER TABLE atr ADD COLUMN freshness INTEGER NOT NULL DEFAULT 1 CHECK (freshness BETWEEN 1 AND 2);"
#define SCHEMA_3 \
	"ALTER TABLE atr ADD COLUMN fallback INTEGER NOT NULL DEFAULT 1 CHECK (fallback IN (0, 1));"
#define SCHEMA_4 \
	"ALTER TABLE atr ADD COLUMN group_addr BLOB NOT NULL DEFAULT x'' CHECK (length(group_addr) IN (0, 4, 16));" \
	"ALTER TABLE atr ADD COLUMN group_ttl INTEGER NOT NULL DEFAULT 0" \
	" CHECK (group_ttl BETWEEN 0 AND 255 AND (group_ttl > 0) = (length(group_addr) > 0));"
#define SCHEMA_5 \
	"CREATE TABLE attest (" \
	" node BLOB NOT NULL PRIMARY KEY REFERENCES node (id) ON DELETE CASCADE," \
	" ak_public BLOB NOT NULL, signer BLOB NOT NULL CHECK (length(signer) <= 64)," \
	" pcrs INTEGER NOT NULL CHECK (pcrs BETWEEN 1 AND 16777215)," \
	" digest BLOB NOT NULL CHECK (length(digest) = 32)," \
	" firmware INTEGER NOT NULL," \
	" resets INTEGER NOT NULL CHECK (resets BETWEEN 0 AND 4294967295)," \
	" restarts INTEGER NOT NULL CHECK (restarts BETWEEN 0 AND 4294967295)," \
	" clock_ms INTEGER NOT NULL CHECK (clock_ms >= 0)" \
	") STRICT, WITHOUT ROWID;"
#define SCHEMA_6 \
	"ALTER TABLE member ADD COLUMN prefixes BLOB NOT NULL DEFAULT x'';"
#define SCHEMA_7 \
	"ALTER TABLE event ADD COLUMN packet_len INTEGER NOT NULL DEFAULT 0 CHECK (packet_len BETWEEN 0 AND 65535);" \
	"ALTER TABLE event ADD COLUMN packet BLOB NOT NULL DEFAULT x'' CHECK (length(packet) <= min(64, packet_len));"
#define SCHEMA_8 \
	"CREATE TABLE rotation (" \
	" node BLOB NOT NULL PRIMARY KEY REFERENCES node (id) ON DELETE CASCADE," \
	" state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3)," \
	" key BLOB NOT NULL CHECK ((state = 2) = (length(key) > 0))," \
	" n INTEGER NOT NULL CHECK (n >= 0 AND (state = 3) = (n > 0))," \
	" since_ms INTEGER NOT NULL CHECK (since_ms >= 0)," \
	" reason TEXT NOT NULL" \
	") STRICT, WITHOUT ROWID;"
#define SCHEMA_9 \
	"ALTER TABLE atr ADD COLUMN locked_ms INTEGER NOT NULL DEFAULT 0 CHECK (locked_ms >= 0);" \
	"ALTER TABLE atr ADD COLUMN locked_why TEXT NOT NULL DEFAULT ''" \
	" CHECK (length(locked_why) <= 63 AND (locked_ms > 0) = (length(locked_why) > 0));"

/* All of it in STRICT tables with CHECKs: what does not fit is refused by the database as well. */
static const char schema[] =
	"CREATE TABLE setting ("
	" key TEXT NOT NULL PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 63),"
	" value BLOB NOT NULL"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE node ("
	" id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),"
	" name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 63),"
	" label TEXT NOT NULL,"
	" state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),"
	" hardware BLOB NOT NULL CHECK (length(hardware) = 32),"
	" sources TEXT NOT NULL,"
	" key BLOB NOT NULL, ek_name BLOB NOT NULL, ek_public BLOB NOT NULL,"
	" parent_public BLOB NOT NULL, parent_name BLOB NOT NULL,"
	" link_n INTEGER NOT NULL CHECK (link_n >= 0),"
	" since_ms INTEGER NOT NULL CHECK (since_ms >= 0),"
	" endpoint BLOB NOT NULL CHECK (length(endpoint) IN (0, 4, 16)),"
	" port INTEGER NOT NULL CHECK (port BETWEEN 0 AND 65535)"
	") STRICT;"
	"CREATE UNIQUE INDEX node_name ON node (name) WHERE state = 2;"
	"CREATE INDEX node_any_name ON node (name);"
	"CREATE INDEX node_ek ON node (ek_name);"

	"CREATE TABLE atr ("
	" id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 4294967295),"
	" label TEXT NOT NULL CHECK (length(label) BETWEEN 1 AND 63),"
	" suite INTEGER NOT NULL CHECK (suite BETWEEN 1 AND 4294967295),"
	" port INTEGER NOT NULL CHECK (port BETWEEN 0 AND 65535),"
	" subnet4 BLOB NOT NULL CHECK (length(subnet4) IN (0, 4)),"
	" subnet4_len INTEGER NOT NULL CHECK (subnet4_len BETWEEN 0 AND 32),"
	" subnet6 BLOB NOT NULL CHECK (length(subnet6) IN (0, 16)),"
	" subnet6_len INTEGER NOT NULL CHECK (subnet6_len BETWEEN 0 AND 128),"
	" epoch_interval_ms INTEGER NOT NULL CHECK (epoch_interval_ms BETWEEN 0 AND 4294967295),"
	" epoch_grace_ms INTEGER NOT NULL CHECK (epoch_grace_ms BETWEEN 0 AND 4294967295),"
	" definition INTEGER NOT NULL CHECK (definition >= 0),"
	" last_generation INTEGER NOT NULL CHECK (last_generation BETWEEN 0 AND 4294967295),"
	" deleted INTEGER NOT NULL CHECK (deleted IN (0, 1))"
	") STRICT;"
	"CREATE UNIQUE INDEX atr_label ON atr (label) WHERE deleted = 0;"

	"CREATE TABLE member ("
	" atr_id INTEGER NOT NULL REFERENCES atr (id),"
	" idx INTEGER NOT NULL CHECK (idx BETWEEN 0 AND 65534),"
	" node BLOB NOT NULL REFERENCES node (id) DEFERRABLE INITIALLY DEFERRED,"
	" removed INTEGER NOT NULL CHECK (removed IN (0, 1)),"
	" addresses BLOB NOT NULL,"
	" PRIMARY KEY (atr_id, idx)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX member_node ON member (node);"

	"CREATE TABLE generation ("
	" atr_id INTEGER NOT NULL REFERENCES atr (id),"
	" number INTEGER NOT NULL CHECK (number BETWEEN 1 AND 4294967295),"
	" key_id INTEGER NOT NULL CHECK (key_id BETWEEN 1 AND 4294967295),"
	" state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),"
	" epoch INTEGER NOT NULL CHECK (epoch >= 0),"
	" secret BLOB NOT NULL CHECK (state != 4 OR length(secret) = 0),"
	" created_ms INTEGER NOT NULL CHECK (created_ms >= 0),"
	" reason TEXT NOT NULL,"
	" PRIMARY KEY (atr_id, number)"
	") STRICT, WITHOUT ROWID;"
	"CREATE UNIQUE INDEX generation_key_id ON generation (key_id) WHERE state != 4;"

	"CREATE TABLE step ("
	" atr_id INTEGER NOT NULL, number INTEGER NOT NULL,"
	" node BLOB NOT NULL CHECK (length(node) = 16),"
	" step INTEGER NOT NULL CHECK (step BETWEEN 0 AND 3),"
	" PRIMARY KEY (atr_id, number, node),"
	" FOREIGN KEY (atr_id, number) REFERENCES generation (atr_id, number)"
	") STRICT, WITHOUT ROWID;"

	/* source_seq is NULL for our own: theirs is seq. */
	"CREATE TABLE event ("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT,"
	" source TEXT NOT NULL,"
	" source_seq INTEGER CHECK (source_seq > 0),"
	" time_ms INTEGER NOT NULL CHECK (time_ms >= 0),"
	" kind TEXT NOT NULL,"
	" severity INTEGER NOT NULL CHECK (severity BETWEEN 1 AND 3),"
	" atr_id INTEGER NOT NULL CHECK (atr_id BETWEEN 0 AND 4294967295),"
	" member INTEGER NOT NULL CHECK (member BETWEEN -1 AND 65534),"
	" count INTEGER NOT NULL CHECK (count >= 0),"
	" text TEXT NOT NULL,"
	" UNIQUE (source, source_seq, time_ms)"
	") STRICT;"
	SCHEMA_2 SCHEMA_3 SCHEMA_4 SCHEMA_5 SCHEMA_6 SCHEMA_7 SCHEMA_8 SCHEMA_9;

static int run(struct store *s, const char *sql)
{
	return store_errno(sqlite3_exec(s->db, sql, NULL, NULL, NULL));
}

/* A rollback that succeeds is SQLite's last word, and not the reason. */
const char *store_strerror(struct store *s)
{
	return sqlite3_errcode(s->db) == SQLITE_OK && s->why[0] ? s->why : sqlite3_errmsg(s->db);
}

/* Transactions */

int store_begin(struct store *s)
{
	if (!sqlite3_get_autocommit(s->db))
		return -EALREADY;
	return run(s, "BEGIN IMMEDIATE");
}

/*
 * What was erased is zeros in the database (secure_delete) once the log is merged into it,
 * and the log is cut. The log's next use overwrites the rest.
 */
static int finish_erasing(struct store *s)
{
	int r;

	if (!s->erasing || !sqlite3_get_autocommit(s->db))
		return 0;
	r = store_errno(sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
	if (r == -EBUSY)
		return 0;	/* a reader of our own: the next commit does it */
	if (!r)
		s->erasing = false;
	return r;
}

int store_commit(struct store *s)
{
	int r = run(s, "COMMIT");

	if (r < 0) {
		store_rollback(s);
		return r;
	}
	return finish_erasing(s);
}

void store_rollback(struct store *s)
{
	/* SQLite rolls back by itself after some failures; then there is nothing to do, which is fine. */
	if (sqlite3_get_autocommit(s->db))
		return;
	snprintf(s->why, sizeof(s->why), "%s", sqlite3_errmsg(s->db));
	(void)run(s, "ROLLBACK");
}

int store_enter(struct store *s, bool *ret_own)
{
	bool own = sqlite3_get_autocommit(s->db);
	int r = run(s, own ? "BEGIN IMMEDIATE" : "SAVEPOINT inner");

	if (!r)
		*ret_own = own;
	return r;
}

int store_leave(struct store *s, bool own, int r)
{
	if (own && !r)
		return store_commit(s);
	if (own) {
		store_rollback(s);
		return r;
	}
	if (r < 0)
		(void)run(s, "ROLLBACK TO inner");
	return run(s, "RELEASE inner") ?: r;
}

/* Opening */

/* For PRAGMAs that answer with one number */
static int pragma_number(struct store *s, const char *sql, int64_t *ret)
{
	_cleanup_query_ struct query q = query_start(s, sql);
	int r = query_step(&q);

	if (r < 0)
		return r;
	*ret = r > 0 ? query_i64(&q, INT64_MIN, INT64_MAX) : 0;
	return query_check(&q);
}

/* The file is there, ours alone, and a plain file: its log files get the same mode from SQLite. */
static int prepare_file(const char *path, struct akm_error *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return akm_error_set(err, -errno, "database", "%s cannot be opened: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return akm_error_set(err, -EBADMSG, "database", "%s is not a plain file", path);
	/* SQLite takes a file too short for its header for a new one. */
	if (st.st_size > 0 && st.st_size < PAGE_MIN)
		return akm_error_set(err, -EBADMSG, "database", "%s is damaged: %lld bytes", path,
				     (long long)st.st_size);
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return akm_error_set(err, -EPERM, "database", "%s must be ours, with mode 0600", path);
	return 0;
}

static int open_db(struct store *s, const char *path)
{
	int r = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL);

	if (r != SQLITE_OK)
		return store_errno(r);
	sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, SETTING_MAX + 4096);
	sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	return 0;
}

/* What concerns this connection only. Exclusive: a second daemon is refused instead of taking turns. */
static int configure(struct store *s)
{
	return run(s, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cell_size_check = ON;"
		      "PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON;"
		      "PRAGMA secure_delete = ON; PRAGMA journal_size_limit = 4194304");
}

/* What writes to the file, once it is known to be ours. SQLite answers with the mode it stays in. */
static int make_wal(struct store *s)
{
	_cleanup_query_ struct query q = query_start(s, "PRAGMA journal_mode = WAL");
	char mode[16] = "";
	int r = query_step(&q);

	if (r > 0)
		query_text(&q, mode, sizeof(mode));
	query_end(&q);
	r = r < 0 ? r : query_check(&q) ?: strcmp(mode, "wal") ? -EIO : 0;
	return r ?: run(s, "PRAGMA synchronous = FULL; BEGIN EXCLUSIVE; COMMIT");
}

/* What turns a database of this version into one of today's */
static const char *const changes_since[SCHEMA_VERSION] = {
	[1] = SCHEMA_2 SCHEMA_3 SCHEMA_4 SCHEMA_5 SCHEMA_6 SCHEMA_7 SCHEMA_8 SCHEMA_9,
	[2] = SCHEMA_3 SCHEMA_4 SCHEMA_5 SCHEMA_6 SCHEMA_7 SCHEMA_8 SCHEMA_9,
	[3] = SCHEMA_4 SCHEMA_5 SCHEMA_6 SCHEMA_7 SCHEMA_8 SCHEMA_9,
	[4] = SCHEMA_5 SCHEMA_6 SCHEMA_7 SCHEMA_8 SCHEMA_9,
	[5] = SCHEMA_6 SCHEMA_7 SCHEMA_8 SCHEMA_9,
	[6] = SCHEMA_7 SCHEMA_8 SCHEMA_9,
	[7] = SCHEMA_8 SCHEMA_9,
	[8] = SCHEMA_9,
};

static int change_schema(struct store *s, const char *sql)
{
	static const char ids[] = "PRAGMA application_id = 0x414b4d31; PRAGMA user_version = 9";
	int r = store_begin(s);

	if (r < 0)
		return r;
	r = run(s, sql);
	r = r ?: run(s, ids);
	r = r ?: store_commit(s);
	if (r < 0)
		store_rollback(s);
	return r;
}

/* One string of all definitions, in order of name */
#define DEFINITIONS "SELECT coalesce(group_concat(type || ' ' || name || ' ' || coalesce(sql, '-'), ';'), '') FROM" \
	" (SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\' ORDER BY type, name)"

static int definitions(sqlite3 *db, char **ret)
{
	sqlite3_stmt *st;
	int r;

	r = store_errno(sqlite3_prepare_v2(db, DEFINITIONS, -1, &st, NULL));
	if (r < 0)
		return r;
	r = sqlite3_step(st);
	if (r == SQLITE_ROW) {
		*ret = strdup((const char *)sqlite3_column_text(st, 0));
		r = *ret ? 0 : -ENOMEM;
	} else {
		r = store_errno(r) ?: -EBADMSG;
	}
	sqlite3_finalize(st);
	return r;
}

/* Tables, columns, checks and indices are ours, to the letter: compared with a new database in memory. */
static int check_definitions(struct store *s)
{
	_cleanup_free_ char *have = NULL, *want = NULL;
	sqlite3 *fresh = NULL;
	int r;

	r = store_errno(sqlite3_open_v2(":memory:", &fresh,
					SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL));
	r = r ?: store_errno(sqlite3_exec(fresh, schema, NULL, NULL, NULL));
	r = r ?: definitions(fresh, &want);
	r = r ?: definitions(s->db, &have);
	sqlite3_close(fresh);
	return r ?: strcmp(have, want) ? -EBADMSG : 0;
}

static int check_pages(struct store *s, const char *path, struct akm_error *err)
{
	_cleanup_query_ struct query q = query_start(s, "PRAGMA quick_check(1)");
	char text[160] = "no answer";
	int r = query_step(&q);

	if (r > 0)
		query_text(&q, text, sizeof(text));
	if (r < 0 || strcmp(text, "ok") != 0)
		return akm_error_set(err, -EBADMSG, "database", "%s is damaged: %.100s", path,
				     r < 0 ? store_strerror(s) : text);
	return 0;
}

struct file_ids { int64_t application, version, tables; };

static int read_ids(struct store *s, struct file_ids *ret)
{
	int r;

	r = pragma_number(s, "PRAGMA application_id", &ret->application);
	r = r ?: pragma_number(s, "PRAGMA user_version", &ret->version);
	return r ?: pragma_number(s, "SELECT count(*) FROM sqlite_schema", &ret->tables);
}

static int check_ids(const struct file_ids *id, const char *path, struct akm_error *err)
{
	if (!id->application && !id->version && !id->tables)
		return 0;	/* new */
	if (id->application != APPLICATION_ID)
		return akm_error_set(err, -EBADMSG, "database", "%s belongs to another program", path);
	if (id->version > SCHEMA_VERSION)
		return akm_error_set(
			err, -EBADMSG, "database",
			"%s has schema version %lld, this akmd knows %d: use the newer akmd", path,
			(long long)id->version, SCHEMA_VERSION);
	if (id->version < 1)
		return akm_error_set(err, -EBADMSG, "database", "%s is damaged: schema version %lld",
				     path, (long long)id->version);
	return 0;
}

static int check_contents(struct store *s, const char *path, struct akm_error *err)
{
	int r = check_pages(s, path, err);

	if (r < 0)
		return r;
	r = check_definitions(s);
	return r < 0 ? akm_error_set(err, r, "database", "%s: its tables are not akmd's", path) : 0;
}

/* For steps that have no better words than SQLite's */
static int explain(struct store *s, int r, const char *path, struct akm_error *err)
{
	if (r == -EBUSY)
		return akm_error_set(err, r, "database", "%s is in use by another process", path);
	if (r < 0)
		return akm_error_set(err, r, "database", "%s cannot be opened: %s", path,
				     s->db ? store_strerror(s) : strerror(-r));
	return r;
}

static int open_store(struct store *s, const char *path, struct akm_error *err)
{
	struct file_ids id = {};
	int r;

	r = open_db(s, path);
	r = r ?: configure(s);
	r = explain(s, r ?: read_ids(s, &id), path, err);
	r = r ?: check_ids(&id, path, err);
	r = r ?: explain(s, make_wal(s), path, err);
	if (r < 0)
		return r;
	if (!id.tables)
		return explain(s, change_schema(s, schema), path, err);
	if (id.version < SCHEMA_VERSION)
		r = explain(s, change_schema(s, changes_since[id.version]), path, err);
	return r ?: check_contents(s, path, err);
}

int store_open(const char *path, struct store **ret, struct akm_error *err)
{
	struct store *s;
	int r;

	r = prepare_file(path, err);
	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return akm_error_set(err, -ENOMEM, "database", "%s", strerror(ENOMEM));
	r = open_store(s, path, err);
	if (r < 0) {
		store_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

void store_close(struct store *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->n_cached; i++)
		(void)sqlite3_finalize(s->cache[i].st);
	(void)sqlite3_close(s->db);
	free(s);
}

/* Settings */

int store_set(struct store *s, const char *key, const void *data, size_t len)
{
	_cleanup_query_ struct query q = query_start(s,
		"INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value");

	if (len > SETTING_MAX)
		return -EINVAL;
	query_bind_text(&q, key);
	query_bind_bytes(&q, data, len);
	return query_run(&q);
}

int store_get(struct store *s, const char *key, struct akm_blob *ret)
{
	_cleanup_query_ struct query q = query_start(s, "SELECT value FROM setting WHERE key = ?");
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	int r;

	query_bind_text(&q, key);
	r = query_step(&q);
	if (r <= 0)
		return r ?: -ENOENT;
	query_blob(&q, &b);
	r = query_check(&q);
	if (r < 0)
		return r;
	*ret = b;
	b = (struct akm_blob){};
	return 0;
}

int store_set_u64(struct store *s, const char *key, uint64_t v)
{
	uint64_t be = htobe64(v);

	return store_set(s, key, &be, sizeof(be));
}

int store_get_u64(struct store *s, const char *key, uint64_t *ret)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	uint64_t be = 0;
	int r;

	r = store_get(s, key, &b);
	if (r < 0 && r != -ENOENT)
		return r;
	if (!r && b.len != sizeof(be))
		return -EBADMSG;
	if (!r)
		memcpy(&be, b.data, sizeof(be));
	*ret = be64toh(be);
	return 0;
}

/* Backup */

static int copy_pages(struct store *s, const char *path)
{
	sqlite3_backup *b;
	sqlite3 *to;
	int r;

	r = store_errno(sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL));
	if (r < 0)
		goto out;
	b = sqlite3_backup_init(to, "main", s->db, "main");
	if (!b) {
		r = store_errno(sqlite3_extended_errcode(to));
		goto out;
	}
	r = store_errno(sqlite3_backup_step(b, -1));
	r = store_errno(sqlite3_backup_finish(b)) ?: r;
out:
	return store_errno(sqlite3_close(to)) ?: r;
}

int store_backup(struct store *s, const char *path, struct akm_error *err)
{
	int fd, r;

	if (!sqlite3_get_autocommit(s->db))
		return akm_error_set(err, -EBUSY, "backup", "a transaction is open");
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return akm_error_set(err, -errno, "backup", "%s: %s", path, strerror(errno));
	r = copy_pages(s, path);
	if (!r && fsync(fd) < 0)
		r = -errno;
	close(fd);
	if (r < 0) {
		unlink(path);
		return akm_error_set(err, r, "backup", "%s cannot be written: %s", path, strerror(-r));
	}
	return 0;
}
