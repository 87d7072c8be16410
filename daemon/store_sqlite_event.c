// SPDX-License-Identifier: GPL-2.0
/* Evidence: own and remote, and the outbox towards the superior. */
#include "store_sqlite.h"

#define COLUMNS "seq, coalesce(source_seq, seq), time_ms, source, kind, severity, atr_id, member, count, text, packet_len, packet"
#define PRUNE_EVERY 1024	/* a power of two */
#define ACKED "outbox-acked"

static int event_insert(struct store *s, const struct msg_event *e, uint64_t *ret_seq)
{
	_cleanup_query_ struct query q = query_start(s,
		"INSERT INTO event (source_seq, time_ms, source, kind, severity, atr_id, member, count, text,"
		" packet_len, packet) VALUES (nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
	int r;

	query_bind_u64(&q, e->seq);
	query_bind_u64(&q, e->time_ms);
	query_bind_text(&q, e->source);
	query_bind_text(&q, e->kind);
	query_bind_u64(&q, e->severity);
	query_bind_u64(&q, e->atr_id);
	query_bind_i64(&q, e->member);
	query_bind_u64(&q, e->count);
	query_bind_text(&q, e->text);
	query_bind_u64(&q, e->packet.len);
	query_bind_bytes(&q, e->packet.bytes, e->packet.n);
	r = query_run(&q);
	if (!r)
		*ret_seq = (uint64_t)sqlite3_last_insert_rowid(s->db);
	return r;
}

static int prune(struct store *s, uint64_t newest)
{
	_cleanup_query_ struct query q = query_start(s, "DELETE FROM event WHERE seq <= ?");

	query_bind_u64(&q, newest - EVENTS_KEPT);
	return query_run(&q);
}

int store_event_add(struct store *s, const struct msg_event *e, uint64_t *ret_seq)
{
	uint64_t seq = 0;
	bool own;
	int r;

	r = store_enter(s, &own);
	if (r < 0)
		return r;
	r = event_insert(s, e, &seq);
	if (!r && seq > EVENTS_KEPT && !(seq & (PRUNE_EVERY - 1)))
		r = prune(s, seq);
	r = store_leave(s, own, r);
	if (!r)
		*ret_seq = seq;
	return r;
}

static int event_read(struct query *q, uint64_t *ret_seq, struct msg_event *ret)
{
	struct msg_event e = {};

	*ret_seq = query_u64(q, UINT64_MAX);
	e.seq = query_u64(q, UINT64_MAX);
	e.time_ms = query_u64(q, UINT64_MAX);
	query_text(q, e.source, sizeof(e.source));
	query_text(q, e.kind, sizeof(e.kind));
	e.severity = (enum msg_severity)query_i64(q, SEV_INFO, SEV_ALERT);
	e.atr_id = (uint32_t)query_u64(q, UINT32_MAX);
	e.member = (int32_t)query_i64(q, -1, UINT16_MAX);
	e.count = query_u64(q, UINT64_MAX);
	query_text(q, e.text, sizeof(e.text));
	e.packet.len = (uint16_t)query_u64(q, UINT16_MAX);
	e.packet.n = (uint8_t)query_upto(q, e.packet.bytes, sizeof(e.packet.bytes));
	*ret = e;
	return query_check(q);
}

static int each_row(struct query *q, int (*fn)(uint64_t seq, const struct msg_event *e, void *ctx), void *ctx)
{
	struct msg_event e;
	uint64_t seq;
	int r;

	while ((r = query_step(q)) > 0) {
		r = event_read(q, &seq, &e);
		r = r ?: fn(seq, &e, ctx);
		if (r)
			return r;
	}
	return r;
}

int store_event_each(struct store *s, uint64_t since, size_t limit,
		     int (*fn)(uint64_t seq, const struct msg_event *e, void *ctx), void *ctx)
{
	_cleanup_query_ struct query q =
		query_start(s, "SELECT " COLUMNS " FROM event WHERE seq > ? ORDER BY seq LIMIT ?");

	query_bind_u64(&q, since > INT64_MAX ? INT64_MAX : since);
	query_bind_u64(&q, limit > INT64_MAX ? INT64_MAX : limit);
	return each_row(&q, fn, ctx);
}

int store_event_last(struct store *s, uint64_t *ret_seq)
{
	_cleanup_query_ struct query q = query_start(s, "SELECT coalesce(max(seq), 0) FROM event");
	uint64_t seq = 0;
	int r = query_step(&q);

	if (r > 0)
		seq = query_u64(&q, INT64_MAX);
	r = r < 0 ? r : query_check(&q);
	if (!r)
		*ret_seq = seq;
	return r;
}

int store_event_alerts(struct store *s, uint64_t since,
		       int (*fn)(uint64_t seq, const struct msg_event *e, void *ctx), void *ctx)
{
	_cleanup_query_ struct query q =
		query_start(s, "SELECT " COLUMNS " FROM event WHERE seq > ? AND severity = ? ORDER BY seq");

	query_bind_u64(&q, since > INT64_MAX ? INT64_MAX : since);
	query_bind_u64(&q, SEV_ALERT);
	return each_row(&q, fn, ctx);
}

int store_outbox_acked(struct store *s, uint64_t seq)
{
	uint64_t before;
	int r;

	r = store_get_u64(s, ACKED, &before);
	if (r < 0 || seq <= before)
		return r;	/* an acknowledgement that was overtaken takes nothing back */
	return store_set_u64(s, ACKED, seq);
}

int store_outbox_each(struct store *s, size_t limit,
		      int (*fn)(uint64_t seq, const struct msg_event *e, void *ctx), void *ctx)
{
	uint64_t acked;
	int r;

	r = store_get_u64(s, ACKED, &acked);
	return r < 0 ? r : store_event_each(s, acked, limit, fn, ctx);
}
