// SPDX-License-Identifier: GPL-2.0
#include "evidence_db.h"

static int add(void *ctx, const struct msg_event *e, uint64_t *ret_seq)
{
	return store_event_add(ctx, e, ret_seq);
}

static int each(void *ctx, uint64_t since, size_t limit, evidence_fn fn, void *fn_ctx)
{
	return store_event_each(ctx, since, limit, fn, fn_ctx);
}

static int acked(void *ctx, uint64_t seq)
{
	return store_outbox_acked(ctx, seq);
}

static int outbox(void *ctx, size_t limit, evidence_fn fn, void *fn_ctx)
{
	return store_outbox_each(ctx, limit, fn, fn_ctx);
}

static int alerts(void *ctx, uint64_t since, evidence_fn fn, void *fn_ctx)
{
	return store_event_alerts(ctx, since, fn, fn_ctx);
}

static int last(void *ctx, uint64_t *ret_seq)
{
	return store_event_last(ctx, ret_seq);
}

struct evidence_backend evidence_db(struct store *s)
{
	return (struct evidence_backend){ s, add, each, acked, outbox, alerts, last };
}
