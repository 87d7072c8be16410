// SPDX-License-Identifier: GPL-2.0
/* Operational ATRs, their members, their generations, and how far each member is with them. */
#include "store_sqlite.h"

#define ATR_COLUMNS "id, label, suite, port, subnet4, subnet4_len, subnet6, subnet6_len, epoch_interval_ms, epoch_grace_ms," \
		    " definition, last_generation, deleted, freshness, fallback, group_addr, group_ttl," \
		    " locked_ms, locked_why"
#define GENERATION_COLUMNS "atr_id, number, key_id, state, epoch, secret, created_ms, reason"
#define ADDRESS_LEN 18	/* one address in a member's row: length | prefix length | 16 bytes */

void store_atr_free(struct store_atr *a)
{
	free(a->members);
	a->members = NULL;
	a->n_members = 0;
}

/* ATRs: writing */

static int atr_write(struct store *s, const struct store_atr *a)
{
	_cleanup_query_ struct query q = query_start(s,
		"INSERT INTO atr (" ATR_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
		" ON CONFLICT (id) DO UPDATE SET label = excluded.label, suite = excluded.suite, port = excluded.port,"
		" subnet4 = excluded.subnet4, subnet4_len = excluded.subnet4_len, subnet6 = excluded.subnet6,"
		" subnet6_len = excluded.subnet6_len, epoch_interval_ms = excluded.epoch_interval_ms,"
		" epoch_grace_ms = excluded.epoch_grace_ms, definition = excluded.definition,"
		" last_generation = excluded.last_generation, deleted = excluded.deleted, freshness = excluded.freshness,"
		" fallback = excluded.fallback, group_addr = excluded.group_addr, group_ttl = excluded.group_ttl,"
		" locked_ms = excluded.locked_ms, locked_why = excluded.locked_why");

	query_bind_u64(&q, a->id);
	query_bind_text(&q, a->label);
	query_bind_u64(&q, a->suite);
	query_bind_u64(&q, a->port);
	query_bind_bytes(&q, a->subnet4.addr, a->subnet4.addr_len);
	query_bind_u64(&q, a->subnet4.prefix_len);
	query_bind_bytes(&q, a->subnet6.addr, a->subnet6.addr_len);
	query_bind_u64(&q, a->subnet6.prefix_len);
	query_bind_u64(&q, a->epoch_interval_ms);
	query_bind_u64(&q, a->epoch_grace_ms);
	query_bind_u64(&q, a->definition);
	query_bind_u64(&q, a->last_generation);
	query_bind_u64(&q, a->deleted);
	query_bind_u64(&q, a->freshness);
	query_bind_u64(&q, a->fallback);
	query_bind_bytes(&q, a->group.addr, a->group.addr_len);
	query_bind_u64(&q, a->group.ttl);
	query_bind_u64(&q, a->locked_ms);
	query_bind_text(&q, a->locked_why);
	return query_run(&q);
}

static int pack(const struct msg_prefix *p, size_t n, uint8_t ret[ADDRESSES_MAX * ADDRESS_LEN])
{
	size_t i;

	if (n > ADDRESSES_MAX)
		return -EINVAL;
	for (i = 0; i < n; i++, p++) {
		if ((p->addr_len != 4 && p->addr_len != 16) || p->prefix_len > 8 * p->addr_len)
			return -EINVAL;
		ret[i * ADDRESS_LEN] = p->addr_len;
		ret[i * ADDRESS_LEN + 1] = p->prefix_len;
		memset(ret + i * ADDRESS_LEN + 2, 0, 16);
		memcpy(ret + i * ADDRESS_LEN + 2, p->addr, p->addr_len);
	}
	return 0;
}

static int member_write(struct store *s, uint32_t atr_id, const struct store_member *m)
{
	_cleanup_query_ struct query q = query_start(s,
		"INSERT INTO member (atr_id, idx, node, removed, addresses, prefixes) VALUES (?, ?, ?, ?, ?, ?)"
		" ON CONFLICT (atr_id, idx) DO UPDATE SET node = excluded.node, removed = excluded.removed,"
		" addresses = excluded.addresses, prefixes = excluded.prefixes WHERE node != excluded.node"
		" OR removed != excluded.removed OR addresses != excluded.addresses OR prefixes != excluded.prefixes");
	uint8_t addresses[ADDRESSES_MAX * ADDRESS_LEN], prefixes[ADDRESSES_MAX * ADDRESS_LEN];
	int r = pack(m->addresses, m->n_addresses, addresses) ?: pack(m->prefixes, m->n_prefixes, prefixes);

	if (r < 0)
		return r;
	query_bind_u64(&q, atr_id);
	query_bind_u64(&q, m->index);
	query_bind_bytes(&q, m->node, sizeof(m->node));
	query_bind_u64(&q, m->removed);
	query_bind_bytes(&q, addresses, m->n_addresses * ADDRESS_LEN);
	query_bind_bytes(&q, prefixes, m->n_prefixes * ADDRESS_LEN);
	return query_run(&q);
}

static int member_count(struct store *s, uint32_t atr_id, size_t *ret)
{
	_cleanup_query_ struct query q = query_start(s, "SELECT count(*) FROM member WHERE atr_id = ?");
	int r;

	query_bind_u64(&q, atr_id);
	r = query_step(&q);
	if (r <= 0)
		return r ?: -EIO;
	*ret = (size_t)query_u64(&q, UINT32_MAX);
	return query_check(&q);
}

static bool indices_differ(const struct store_atr *a)
{
	uint8_t seen[(UINT16_MAX + 1) / 8] = {};
	size_t i;

	for (i = 0; i < a->n_members; i++) {
		uint8_t *byte = &seen[a->members[i].index / 8];
		uint8_t bit = (uint8_t)(1U << (a->members[i].index % 8));

		if (*byte & bit)
			return false;
		*byte |= bit;
	}
	return true;
}

/* More rows than @a has: it leaves out one whose index must not be used again. */
static int members_write(struct store *s, const struct store_atr *a)
{
	size_t i, n = 0;
	int r = indices_differ(a) ? 0 : -EINVAL;

	for (i = 0; !r && i < a->n_members; i++)
		r = member_write(s, a->id, &a->members[i]);
	r = r ?: member_count(s, a->id, &n);
	return r ?: n == a->n_members ? 0 : -EINVAL;
}

int store_atr_put(struct store *s, const struct store_atr *a)
{
	bool own;
	int r;

	r = store_enter(s, &own);
	if (r < 0)
		return r;
	r = atr_write(s, a);
	r = r ?: members_write(s, a);
	return store_leave(s, own, r);
}

/* ATRs: reading */

static void subnet_read(struct query *q, struct msg_prefix *ret, uint8_t len)
{
	ret->addr_len = (uint8_t)query_upto(q, ret->addr, len);
	ret->prefix_len = (uint8_t)query_u64(q, 8U * len);
}

static int atr_read(struct query *q, struct store_atr *ret)
{
	struct store_atr a = {};

	a.id = (uint32_t)query_u64(q, UINT32_MAX);
	query_text(q, a.label, sizeof(a.label));
	a.suite = (uint32_t)query_u64(q, UINT32_MAX);
	a.port = (uint16_t)query_u64(q, UINT16_MAX);
	subnet_read(q, &a.subnet4, 4);
	subnet_read(q, &a.subnet6, 16);
	a.epoch_interval_ms = (uint32_t)query_u64(q, UINT32_MAX);
	a.epoch_grace_ms = (uint32_t)query_u64(q, UINT32_MAX);
	a.definition = query_u64(q, UINT64_MAX);
	a.last_generation = (uint32_t)query_u64(q, UINT32_MAX);
	a.deleted = query_u64(q, 1);
	a.freshness = (uint32_t)query_u64(q, UINT32_MAX);
	a.fallback = query_u64(q, 1);
	a.group.addr_len = (uint8_t)query_upto(q, a.group.addr, sizeof(a.group.addr));
	a.group.ttl = (uint8_t)query_u64(q, UINT8_MAX);
	a.locked_ms = query_u64(q, UINT64_MAX);
	query_text(q, a.locked_why, sizeof(a.locked_why));
	*ret = a;
	return query_check(q);
}

/* The next column */
static int unpack(struct query *q, struct msg_prefix *p, size_t *ret_n)
{
	uint8_t packed[ADDRESSES_MAX * ADDRESS_LEN], *at = packed;
	size_t len = query_upto(q, packed, sizeof(packed)), i;
	int r = query_check(q);

	if (r < 0 || len % ADDRESS_LEN)
		return r ?: -EBADMSG;
	*ret_n = len / ADDRESS_LEN;
	for (i = 0; i < *ret_n; i++, at += ADDRESS_LEN, p++) {
		p->addr_len = at[0];
		p->prefix_len = at[1];
		if ((p->addr_len != 4 && p->addr_len != 16) || p->prefix_len > 8 * p->addr_len)
			return -EBADMSG;
		memcpy(p->addr, at + 2, p->addr_len);
	}
	return 0;
}

static int member_read(struct query *q, struct store_member *ret)
{
	struct store_member m = {};
	int r;

	m.index = (uint16_t)query_u64(q, UINT16_MAX);
	query_bytes(q, m.node, sizeof(m.node));
	m.removed = query_u64(q, 1);
	r = unpack(q, m.addresses, &m.n_addresses) ?: unpack(q, m.prefixes, &m.n_prefixes);
	if (!r)
		*ret = m;
	return r;
}

static int members_read(struct store *s, struct store_atr *a)
{
	_cleanup_query_ struct query q = query_start(s,
		"SELECT idx, node, removed, addresses, prefixes FROM member WHERE atr_id = ? ORDER BY idx");
	size_t n;
	int r;

	r = member_count(s, a->id, &n);
	if (r < 0)
		return r;
	a->members = calloc(n ? n : 1, sizeof(*a->members));
	if (!a->members)
		return -ENOMEM;
	query_bind_u64(&q, a->id);
	while ((r = query_step(&q)) > 0) {
		if (a->n_members == n)
			return -EBADMSG;
		r = member_read(&q, &a->members[a->n_members]);
		if (r < 0)
			return r;
		a->n_members++;
	}
	return r;
}

/* The row the query stands on, and its members */
static int atr_load(struct store *s, struct query *q, struct store_atr *ret)
{
	struct store_atr a;
	int r;

	r = atr_read(q, &a);
	r = r ?: members_read(s, &a);
	if (r < 0)
		store_atr_free(&a);
	else
		*ret = a;
	return r;
}

int store_atr_get(struct store *s, uint32_t id, struct store_atr *ret)
{
	_cleanup_query_ struct query q = query_start(s, "SELECT " ATR_COLUMNS " FROM atr WHERE id = ?");
	int r;

	query_bind_u64(&q, id);
	r = query_step(&q);
	if (r <= 0)
		return r ?: -ENOENT;
	return atr_load(s, &q, ret);
}

int store_atr_each(struct store *s, int (*fn)(const struct store_atr *a, void *ctx), void *ctx)
{
	_cleanup_query_ struct query q = query_start(s, "SELECT " ATR_COLUMNS " FROM atr ORDER BY id");
	struct store_atr a;
	int r;

	while ((r = query_step(&q)) > 0) {
		r = atr_load(s, &q, &a);
		if (r < 0)
			return r;
		r = fn(&a, ctx);
		store_atr_free(&a);
		if (r)
			return r;
	}
	return r;
}

/* Generations */

void store_generation_free(struct store_generation *g)
{
	akm_blob_free(&g->secret);
}

int store_generation_put(struct store *s, const struct store_generation *g)
{
	_cleanup_query_ struct query q = query_start(s,
		"INSERT INTO generation (" GENERATION_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
		" ON CONFLICT (atr_id, number) DO UPDATE SET key_id = excluded.key_id, state = excluded.state,"
		" epoch = excluded.epoch, secret = excluded.secret, created_ms = excluded.created_ms, reason = excluded.reason");
	static const struct akm_blob erased;
	bool own;
	int r;

	r = store_enter(s, &own);
	if (r < 0)
		return r;
	query_bind_u64(&q, g->atr_id);
	query_bind_u64(&q, g->number);
	query_bind_u64(&q, g->key_id);
	query_bind_u64(&q, g->state);
	query_bind_u64(&q, g->epoch);
	query_bind_blob(&q, g->state == GEN_RETIRED ? &erased : &g->secret);
	query_bind_u64(&q, g->created_ms);
	query_bind_text(&q, g->reason);
	r = query_run(&q);
	/* Also a chain that has moved on: the one it came from must go. */
	s->erasing = s->erasing || !r;
	return store_leave(s, own, r);
}

static int generation_read(struct query *q, struct store_generation *ret)
{
	struct store_generation g = {};

	g.atr_id = (uint32_t)query_u64(q, UINT32_MAX);
	g.number = (uint32_t)query_u64(q, UINT32_MAX);
	g.key_id = (uint32_t)query_u64(q, UINT32_MAX);
	g.state = (enum store_gen_state)query_i64(q, GEN_PREPARING, GEN_RETIRED);
	g.epoch = query_u64(q, UINT64_MAX);
	query_blob(q, &g.secret);
	g.created_ms = query_u64(q, UINT64_MAX);
	query_text(q, g.reason, sizeof(g.reason));
	if (query_check(q) < 0) {
		store_generation_free(&g);
		return query_check(q);
	}
	*ret = g;
	return 0;
}

int store_generation_get(struct store *s, uint32_t atr_id, uint32_t number,
			 struct store_generation *ret)
{
	_cleanup_query_ struct query q = query_start(s,
		"SELECT " GENERATION_COLUMNS " FROM generation WHERE atr_id = ? AND number = ?");
	int r;

	query_bind_u64(&q, atr_id);
	query_bind_u64(&q, number);
	r = query_step(&q);
	if (r <= 0)
		return r ?: -ENOENT;
	return generation_read(&q, ret);
}

int store_generation_each(struct store *s, uint32_t atr_id,
			  int (*fn)(const struct store_generation *g, void *ctx), void *ctx)
{
	_cleanup_query_ struct query q = query_start(s,
		"SELECT " GENERATION_COLUMNS " FROM generation WHERE atr_id = ? ORDER BY number");
	struct store_generation g;
	int r;

	query_bind_u64(&q, atr_id);
	while ((r = query_step(&q)) > 0) {
		r = generation_read(&q, &g);
		if (r < 0)
			return r;
		r = fn(&g, ctx);
		store_generation_free(&g);
		if (r)
			return r;
	}
	return r;
}

/* Steps */

int store_step_set(struct store *s, uint32_t atr_id, uint32_t number,
		   const uint8_t node[AKM_ID_LEN], enum store_step step)
{
	_cleanup_query_ struct query q = query_start(s,
		"INSERT INTO step (atr_id, number, node, step) VALUES (?, ?, ?, ?)"
		" ON CONFLICT (atr_id, number, node) DO UPDATE SET step = excluded.step");

	query_bind_u64(&q, atr_id);
	query_bind_u64(&q, number);
	query_bind_bytes(&q, node, AKM_ID_LEN);
	query_bind_u64(&q, step);
	return query_run(&q);
}

int store_step_get(struct store *s, uint32_t atr_id, uint32_t number,
		   const uint8_t node[AKM_ID_LEN], enum store_step *ret)
{
	_cleanup_query_ struct query q = query_start(
		s, "SELECT step FROM step WHERE atr_id = ? AND number = ? AND node = ?");
	enum store_step step = STEP_NONE;
	int r;

	query_bind_u64(&q, atr_id);
	query_bind_u64(&q, number);
	query_bind_bytes(&q, node, AKM_ID_LEN);
	r = query_step(&q);
	if (r > 0)
		step = (enum store_step)query_i64(&q, STEP_NONE, STEP_RETIRED);
	r = r < 0 ? r : query_check(&q);
	if (!r)
		*ret = step;
	return r;
}
