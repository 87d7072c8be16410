// SPDX-License-Identifier: GPL-2.0
#include "msg_codec.h"

/* ---- quote-ask ---- */

static void put_ask(struct wire_writer *w, const struct msg *m)
{
	wr_map(w, 2);
	wr_key_bytes(w, 1, m->ask.nonce, sizeof(m->ask.nonce));
	wr_key_range(w, 2, m->ask.pcrs, 1, QUOTE_PCRS_ALL);
}

static int get_ask(struct wire_reader *c, struct msg *m)
{
	return rd_key_bytes(c, 1, "nonce", m->ask.nonce, sizeof(m->ask.nonce)) ?:
	       rd_key_u32(c, 2, "pcrs", 1, QUOTE_PCRS_ALL, &m->ask.pcrs);
}

const struct msg_codec msg_codec_quote_ask = { "quote-ask", put_ask, get_ask, NULL };

/* ---- quote ---- */

static void put_quote(struct wire_writer *w, const struct msg *m)
{
	const struct keystore_quote *q = &m->quote.quote;

	if (!q->attest.len || q->attest.len > QUOTE_MAX || !q->signature.len || q->signature.len > QUOTE_MAX) {
		wr_fail(w, -EINVAL);
		return;
	}
	wr_map(w, 2);
	wr_key_blob(w, 1, &q->attest);
	wr_key_blob(w, 2, &q->signature);
}

static int get_quote(struct wire_reader *c, struct msg *m)
{
	return rd_key_blob(c, 1, "attest", 1, QUOTE_MAX, &m->quote.quote.attest) ?:
	       rd_key_blob(c, 2, "signature", 1, QUOTE_MAX, &m->quote.quote.signature);
}

static void free_quote(struct msg *m)
{
	akm_blob_free(&m->quote.quote.attest);
	akm_blob_free(&m->quote.quote.signature);
}

const struct msg_codec msg_codec_quote = { "quote", put_quote, get_quote, free_quote };

/* ---- what is on record ---- */

void msg_put_baseline(struct wire_writer *w, const struct quote_baseline *b)
{
	if (!b->ak_public.len || b->ak_public.len > BLOB_MAX || !b->signer.len || b->signer.len > QUOTE_SIGNER_MAX) {
		wr_fail(w, -EINVAL);
		return;
	}
	wr_map(w, 8);
	wr_key_blob(w, 1, &b->ak_public);
	wr_key_blob(w, 2, &b->signer);
	wr_key_range(w, 3, b->pcrs, 1, QUOTE_PCRS_ALL);
	wr_key_bytes(w, 4, b->facts.digest, sizeof(b->facts.digest));
	wr_key_uint(w, 5, b->facts.firmware);
	wr_key_uint(w, 6, b->facts.resets);
	wr_key_uint(w, 7, b->facts.restarts);
	wr_key_range(w, 8, b->facts.clock_ms, 0, INT64_MAX);
}

int msg_get_baseline(struct wire_reader *c, struct quote_baseline *ret)
{
	return rd_key_blob(c, 1, "ak-public", 1, BLOB_MAX, &ret->ak_public) ?:
	       rd_key_blob(c, 2, "signer", 1, QUOTE_SIGNER_MAX, &ret->signer) ?:
	       rd_key_u32(c, 3, "pcrs", 1, QUOTE_PCRS_ALL, &ret->pcrs) ?:
	       rd_key_bytes(c, 4, "digest", ret->facts.digest, sizeof(ret->facts.digest)) ?:
	       rd_key_u64(c, 5, "firmware", 0, UINT64_MAX, &ret->facts.firmware) ?:
	       rd_key_u32(c, 6, "resets", 0, UINT32_MAX, &ret->facts.resets) ?:
	       rd_key_u32(c, 7, "restarts", 0, UINT32_MAX, &ret->facts.restarts) ?:
	       rd_key_u64(c, 8, "clock-ms", 0, INT64_MAX, &ret->facts.clock_ms);
}
