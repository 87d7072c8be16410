/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the store: one prepared statement with its parameters and columns, in order.
 * Errors stick in the query, so that a function binds or reads a whole row and checks
 * once: query_step() and query_run() return what went wrong while binding,
 * query_check() what went wrong while reading.
 */
#ifndef AKM_STORE_SQLITE_H
#define AKM_STORE_SQLITE_H

#include <sqlite3.h>
#include "store.h"

#define STORE_STATEMENTS 64

struct store {
	sqlite3 *db;
	struct { const char *sql; sqlite3_stmt *st; } cache[STORE_STATEMENTS];
	size_t n_cached;
	bool erasing;			/* a secret was overwritten in the transaction that runs */
	char why[200];			/* what a transaction was rolled back for */
};

struct query {
	struct store *s;
	sqlite3_stmt *st;
	bool cached;
	int r;				/* first failure */
	int param, column;
};

int store_errno(int sqlite_result);

/* @sql: a string literal, with ? for parameters. */
struct query query_start(struct store *s, const char *sql);
void query_end(struct query *q);
#define _cleanup_query_ _cleanup_(query_end)

/* What is bound must stay until query_end(). */
void query_bind_u64(struct query *q, uint64_t v);	/* at most INT64_MAX */
void query_bind_i64(struct query *q, int64_t v);
void query_bind_text(struct query *q, const char *s);
void query_bind_bytes(struct query *q, const void *data, size_t len);
void query_bind_blob(struct query *q, const struct akm_blob *b);

int query_step(struct query *q);	/* 1: a row, 0: no more, or an error */
int query_run(struct query *q);		/* for statements that give no row */

uint64_t query_u64(struct query *q, uint64_t max);
int64_t query_i64(struct query *q, int64_t min, int64_t max);
void query_text(struct query *q, char *ret, size_t size);
void query_bytes(struct query *q, void *ret, size_t len);	/* exactly */
size_t query_upto(struct query *q, void *ret, size_t max);	/* at most */
void query_blob(struct query *q, struct akm_blob *ret);
int query_check(const struct query *q);

/* A change of several statements: a transaction of its own, or a savepoint inside the caller's. */
int store_enter(struct store *s, bool *ret_own);
int store_leave(struct store *s, bool own, int r);	/* keeps it if @r is 0, else undoes; returns @r or why it is not kept */

#endif /* AKM_STORE_SQLITE_H */
