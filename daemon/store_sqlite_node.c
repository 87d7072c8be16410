// SPDX-License-Identifier: GPL-2.0
/* Nodes: what root and manager know of those they provisioned. */
#include "store_sqlite.h"

#define COLUMNS "id, name, label, state, hardware, sources, key, ek_name, ek_public, parent_public, parent_name," \
		" link_n, since_ms, endpoint, port"

void store_node_free(struct store_node *n)
{
	akm_blob_free(&n->key);
	akm_blob_free(&n->ek_name);
	akm_blob_free(&n->ek_public);
	akm_blob_free(&n->parent_public);
	akm_blob_free(&n->parent_name);
}

int store_node_put(struct store *s, const struct store_node *n)
{
	_cleanup_query_ struct query q = query_start(s,
		"INSERT INTO node (" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
		" ON CONFLICT (id) DO UPDATE SET name = excluded.name, label = excluded.label, state = excluded.state,"
		" hardware = excluded.hardware, sources = excluded.sources, key = excluded.key, ek_name = excluded.ek_name,"
		" ek_public = excluded.ek_public, parent_public = excluded.parent_public, parent_name = excluded.parent_name,"
		" link_n = excluded.link_n, since_ms = excluded.since_ms, endpoint = excluded.endpoint, port = excluded.port");

	query_bind_bytes(&q, n->id, sizeof(n->id));
	query_bind_text(&q, n->name);
	query_bind_text(&q, n->label);
	query_bind_u64(&q, n->state);
	query_bind_bytes(&q, n->hardware, sizeof(n->hardware));
	query_bind_text(&q, n->sources);
	query_bind_blob(&q, &n->key);
	query_bind_blob(&q, &n->ek_name);
	query_bind_blob(&q, &n->ek_public);
	query_bind_blob(&q, &n->parent_public);
	query_bind_blob(&q, &n->parent_name);
	query_bind_u64(&q, n->link_n);
	query_bind_u64(&q, n->since_ms);
	query_bind_bytes(&q, n->endpoint.addr, n->endpoint.addr_len);
	query_bind_u64(&q, n->endpoint.port);
	return query_run(&q);
}

/* The row the query stands on */
static int node_read(struct query *q, struct store_node *ret)
{
	struct store_node n = {};

	query_bytes(q, n.id, sizeof(n.id));
	query_text(q, n.name, sizeof(n.name));
	query_text(q, n.label, sizeof(n.label));
	n.state = (enum store_node_state)query_i64(q, NODE_PENDING, NODE_EVICTED);
	query_bytes(q, n.hardware, sizeof(n.hardware));
	query_text(q, n.sources, sizeof(n.sources));
	query_blob(q, &n.key);
	query_blob(q, &n.ek_name);
	query_blob(q, &n.ek_public);
	query_blob(q, &n.parent_public);
	query_blob(q, &n.parent_name);
	n.link_n = query_u64(q, UINT64_MAX);
	n.since_ms = query_u64(q, UINT64_MAX);
	n.endpoint.addr_len = (uint8_t)query_upto(q, n.endpoint.addr, sizeof(n.endpoint.addr));
	n.endpoint.port = (uint16_t)query_u64(q, UINT16_MAX);
	if (query_check(q) < 0) {
		store_node_free(&n);
		return query_check(q);
	}
	*ret = n;
	return 0;
}

static int node_first(struct query *q, struct store_node *ret)
{
	int r = query_step(q);

	if (r <= 0)
		return r ?: -ENOENT;
	return node_read(q, ret);
}

int store_node_get(struct store *s, const uint8_t id[AKM_ID_LEN], struct store_node *ret)
{
	_cleanup_query_ struct query q = query_start(s, "SELECT " COLUMNS " FROM node WHERE id = ?");

	query_bind_bytes(&q, id, AKM_ID_LEN);
	return node_first(&q, ret);
}

int store_node_by_name(struct store *s, const char *name, struct store_node *ret)
{
	_cleanup_query_ struct query q = query_start(s, "SELECT " COLUMNS " FROM node WHERE name = ?"
		" ORDER BY state = 2 DESC, state = 1 DESC, since_ms DESC, rowid DESC LIMIT 1");

	query_bind_text(&q, name);
	return node_first(&q, ret);
}

int store_node_by_ek(struct store *s, const struct akm_blob *ek_name, struct store_node *ret)
{
	_cleanup_query_ struct query q =
		query_start(s, "SELECT " COLUMNS " FROM node WHERE ek_name = ? AND state != 3"
			       " ORDER BY since_ms DESC, rowid DESC LIMIT 1");

	query_bind_blob(&q, ek_name);
	return node_first(&q, ret);
}

int store_node_delete(struct store *s, const uint8_t id[AKM_ID_LEN])
{
	_cleanup_query_ struct query q = query_start(s, "DELETE FROM node WHERE id = ?");
	int r;

	query_bind_bytes(&q, id, AKM_ID_LEN);
	r = query_run(&q);
	if (r == -ENOENT)
		return -EBUSY;
	return r ?: sqlite3_changes(s->db) ? 0 : -ENOENT;
}

int store_node_each(struct store *s, int (*fn)(const struct store_node *n, void *ctx), void *ctx)
{
	_cleanup_query_ struct query q =
		query_start(s, "SELECT " COLUMNS " FROM node ORDER BY name, state, id");
	struct store_node n;
	int r;

	while ((r = query_step(&q)) > 0) {
		r = node_read(&q, &n);
		if (r < 0)
			return r;
		r = fn(&n, ctx);
		store_node_free(&n);
		if (r)
			return r;
	}
	return r;
}

#define ATTEST "ak_public, signer, pcrs, digest, firmware, resets, restarts, clock_ms"

int store_attest_put(struct store *s, const uint8_t id[AKM_ID_LEN], const struct quote_baseline *b)
{
	_cleanup_query_ struct query q = query_start(s,
		"INSERT INTO attest (node, " ATTEST ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
		" ON CONFLICT (node) DO UPDATE SET ak_public = excluded.ak_public, signer = excluded.signer,"
		" pcrs = excluded.pcrs, digest = excluded.digest, firmware = excluded.firmware, resets = excluded.resets,"
		" restarts = excluded.restarts, clock_ms = excluded.clock_ms");

	query_bind_bytes(&q, id, AKM_ID_LEN);
	query_bind_blob(&q, &b->ak_public);
	query_bind_blob(&q, &b->signer);
	query_bind_u64(&q, b->pcrs);
	query_bind_bytes(&q, b->facts.digest, sizeof(b->facts.digest));
	query_bind_i64(&q, (int64_t)b->facts.firmware);	/* all 64 bits count: the TPM adds a random number */
	query_bind_u64(&q, b->facts.resets);
	query_bind_u64(&q, b->facts.restarts);
	query_bind_u64(&q, b->facts.clock_ms);
	return query_run(&q);
}

int store_attest_get(struct store *s, const uint8_t id[AKM_ID_LEN], struct quote_baseline *ret)
{
	_cleanup_query_ struct query q = query_start(s, "SELECT " ATTEST " FROM attest WHERE node = ?");
	struct quote_baseline b = {};
	int r;

	query_bind_bytes(&q, id, AKM_ID_LEN);
	r = query_step(&q);
	if (r <= 0)
		return r ?: -ENOENT;
	query_blob(&q, &b.ak_public);
	query_blob(&q, &b.signer);
	b.pcrs = (uint32_t)query_u64(&q, QUOTE_PCRS_ALL);
	query_bytes(&q, b.facts.digest, sizeof(b.facts.digest));
	b.facts.firmware = (uint64_t)query_i64(&q, INT64_MIN, INT64_MAX);
	b.facts.resets = (uint32_t)query_u64(&q, UINT32_MAX);
	b.facts.restarts = (uint32_t)query_u64(&q, UINT32_MAX);
	b.facts.clock_ms = query_u64(&q, INT64_MAX);
	r = query_check(&q);
	if (r < 0) {
		quote_baseline_free(&b);
		return r;
	}
	*ret = b;
	return 0;
}

void store_rotation_free(struct store_rotation *r)
{
	akm_blob_free(&r->key);
}

int store_rotation_put(struct store *s, const uint8_t id[AKM_ID_LEN], const struct store_rotation *r)
{
	_cleanup_query_ struct query q = query_start(s,
		"INSERT INTO rotation (node, state, key, n, since_ms, reason) VALUES (?, ?, ?, ?, ?, ?)"
		" ON CONFLICT (node) DO UPDATE SET state = excluded.state, key = excluded.key, n = excluded.n,"
		" since_ms = excluded.since_ms, reason = excluded.reason");

	query_bind_bytes(&q, id, AKM_ID_LEN);
	query_bind_u64(&q, r->state);
	query_bind_blob(&q, &r->key);
	query_bind_u64(&q, r->n);
	query_bind_u64(&q, r->since_ms);
	query_bind_text(&q, r->reason);
	/* The key before this one is overwritten in the same transaction. */
	s->erasing = s->erasing || r->state == ROTATION_SETTLING;
	return query_run(&q);
}

int store_rotation_get(struct store *s, const uint8_t id[AKM_ID_LEN], struct store_rotation *ret)
{
	_cleanup_query_ struct query q =
		query_start(s, "SELECT state, key, n, since_ms, reason FROM rotation WHERE node = ?");
	struct store_rotation o = {};
	int r;

	query_bind_bytes(&q, id, AKM_ID_LEN);
	r = query_step(&q);
	if (r <= 0)
		return r ?: -ENOENT;
	o.state = (enum store_rotation_state)query_i64(&q, ROTATION_WANTED, ROTATION_SETTLING);
	query_blob(&q, &o.key);
	o.n = query_u64(&q, UINT64_MAX);
	o.since_ms = query_u64(&q, UINT64_MAX);
	query_text(&q, o.reason, sizeof(o.reason));
	r = query_check(&q);
	if (r < 0) {
		store_rotation_free(&o);
		return r;
	}
	*ret = o;
	return 0;
}

int store_rotation_delete(struct store *s, const uint8_t id[AKM_ID_LEN])
{
	_cleanup_query_ struct query q = query_start(s, "DELETE FROM rotation WHERE node = ?");

	query_bind_bytes(&q, id, AKM_ID_LEN);
	return query_run(&q);
}
