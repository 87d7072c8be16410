// SPDX-License-Identifier: GPL-2.0
#include "store_sqlite.h"

int store_errno(int sqlite_result)
{
	switch (sqlite_result) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID:
		return -EEXIST;
	case SQLITE_CONSTRAINT_FOREIGNKEY:
		return -ENOENT;
	}
	switch (sqlite_result & 0xff) {
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
	case SQLITE_RANGE:
		return -EINVAL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR:		/* a table or column that is not there */
		return -EBADMSG;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
		return -EROFS;
	}
	return -EIO;
}

static void stick(struct query *q, int sqlite_result)
{
	if (!q->r)
		q->r = store_errno(sqlite_result);
}

/* From the cache, unless that one is in use: an _each whose fn asks the same again. */
static bool from_cache(struct query *q, const char *sql)
{
	size_t i;

	for (i = 0; i < q->s->n_cached; i++) {
		if (q->s->cache[i].sql != sql)
			continue;
		if (sqlite3_stmt_busy(q->s->cache[i].st))
			return false;
		q->st = q->s->cache[i].st;
		q->cached = true;
		return true;
	}
	return false;
}

static bool in_cache(const struct store *s, const char *sql)
{
	size_t i;

	for (i = 0; i < s->n_cached; i++)
		if (s->cache[i].sql == sql)
			return true;
	return false;
}

struct query query_start(struct store *s, const char *sql)
{
	struct query q = { .s = s };

	if (from_cache(&q, sql))
		return q;
	stick(&q, sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &q.st, NULL));
	if (!q.r && s->n_cached < STORE_STATEMENTS && !in_cache(s, sql)) {
		s->cache[s->n_cached].sql = sql;
		s->cache[s->n_cached++].st = q.st;
		q.cached = true;
	}
	return q;
}

void query_end(struct query *q)
{
	if (!q->st)
		return;
	if (q->cached) {
		/* Their results repeat what query_step() already reported. */
		(void)sqlite3_reset(q->st);
		(void)sqlite3_clear_bindings(q->st);
	} else {
		(void)sqlite3_finalize(q->st);
	}
	q->st = NULL;
}

void query_bind_i64(struct query *q, int64_t v)
{
	if (!q->r)
		stick(q, sqlite3_bind_int64(q->st, ++q->param, v));
}

void query_bind_u64(struct query *q, uint64_t v)
{
	if (v > INT64_MAX)
		stick(q, SQLITE_RANGE);
	query_bind_i64(q, (int64_t)v);
}

void query_bind_text(struct query *q, const char *s)
{
	if (!q->r)
		stick(q, sqlite3_bind_text(q->st, ++q->param, s, -1, SQLITE_STATIC));
}

void query_bind_bytes(struct query *q, const void *data, size_t len)
{
	/* A NULL pointer would bind NULL, not an empty value. */
	if (!q->r)
		stick(q, sqlite3_bind_blob64(q->st, ++q->param, data ? data : "", len, SQLITE_STATIC));
}

void query_bind_blob(struct query *q, const struct akm_blob *b)
{
	query_bind_bytes(q, b->data, b->len);
}

int query_step(struct query *q)
{
	int r;

	if (q->r)
		return q->r;
	q->column = 0;
	r = sqlite3_step(q->st);
	if (r == SQLITE_ROW)
		return 1;
	if (r != SQLITE_DONE)
		stick(q, r);
	return q->r;
}

int query_run(struct query *q)
{
	int r = query_step(q);

	return r > 0 ? -EIO : r;
}

/* A column of another type or size than we write: the file was changed by something else. */
static bool column_is(struct query *q, int type)
{
	if (sqlite3_column_type(q->st, q->column) == type)
		return true;
	stick(q, SQLITE_CORRUPT);
	q->column++;
	return false;
}

int64_t query_i64(struct query *q, int64_t min, int64_t max)
{
	int64_t v;

	if (!column_is(q, SQLITE_INTEGER))
		return min;
	v = sqlite3_column_int64(q->st, q->column++);
	if (v >= min && v <= max)
		return v;
	stick(q, SQLITE_CORRUPT);
	return min;
}

uint64_t query_u64(struct query *q, uint64_t max)
{
	return (uint64_t)query_i64(q, 0, max > INT64_MAX ? INT64_MAX : (int64_t)max);
}

void query_text(struct query *q, char *ret, size_t size)
{
	const unsigned char *s;
	size_t len;

	ret[0] = '\0';
	if (!column_is(q, SQLITE_TEXT))
		return;
	s = sqlite3_column_text(q->st, q->column);
	len = (size_t)sqlite3_column_bytes(q->st, q->column++);
	if (!s)
		stick(q, SQLITE_NOMEM);
	else if (len >= size || memchr(s, '\0', len))
		stick(q, SQLITE_CORRUPT);
	else
		memcpy(ret, s, len + 1);
}

size_t query_upto(struct query *q, void *ret, size_t max)
{
	const void *p;
	size_t len;

	if (!column_is(q, SQLITE_BLOB))
		return 0;
	p = sqlite3_column_blob(q->st, q->column);
	len = (size_t)sqlite3_column_bytes(q->st, q->column++);
	if (len > max) {
		stick(q, SQLITE_CORRUPT);
		return 0;
	}
	if (len)
		memcpy(ret, p, len);
	return len;
}

void query_bytes(struct query *q, void *ret, size_t len)
{
	if (query_upto(q, ret, len) != len)
		stick(q, SQLITE_CORRUPT);
}

void query_blob(struct query *q, struct akm_blob *ret)
{
	const void *p;

	if (!column_is(q, SQLITE_BLOB))
		return;
	p = sqlite3_column_blob(q->st, q->column);
	if (akm_blob_dup(p, (size_t)sqlite3_column_bytes(q->st, q->column++), ret) < 0)
		stick(q, SQLITE_NOMEM);
}

int query_check(const struct query *q)
{
	return q->r;
}
