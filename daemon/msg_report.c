// SPDX-License-Identifier: GPL-2.0
#include "msg_codec.h"

#define INCARNATION_MAX	0xffffff	/* 24 bits of the packet number */
#define INDEX_MAX	0xfffe

/* ---- heartbeat ---- */

static void put_state(struct wire_writer *w, const struct msg_atr_state *s)
{
	wr_map(w, 15);
	wr_key_range(w, 1, s->atr_id, 1, UINT32_MAX);
	wr_key_uint(w, 2, s->generation);
	wr_key_uint(w, 3, s->pending);
	wr_key_uint(w, 4, s->epoch);
	wr_key_range(w, 5, s->incarnation, 0, INCARNATION_MAX);
	wr_key_uint(w, 6, s->rx_packets);
	wr_key_uint(w, 7, s->tx_packets);
	wr_key_uint(w, 8, s->rx_auth_fail);
	wr_key_uint(w, 9, s->rx_replay);
	wr_key_uint(w, 10, s->rx_unknown_key);
	wr_key_uint(w, 11, s->rx_malformed);
	wr_key_uint(w, 12, s->rx_prefix);
	wr_key_uint(w, 13, s->tx_exhausted);
	wr_key_uint(w, 14, s->rx_clone);
	wr_key_uint(w, 15, s->rx_epoch_stale);
}

static int get_state(struct wire_reader *c, struct msg_atr_state *s)
{
	return rd_map(c, "") ?:
	       rd_key_u32(c, 1, "atr-id", 1, UINT32_MAX, &s->atr_id) ?:
	       rd_key_u32(c, 2, "generation", 0, UINT32_MAX, &s->generation) ?:
	       rd_key_u32(c, 3, "pending", 0, UINT32_MAX, &s->pending) ?:
	       rd_key_u64(c, 4, "epoch", 0, UINT64_MAX, &s->epoch) ?:
	       rd_key_u32(c, 5, "incarnation", 0, INCARNATION_MAX, &s->incarnation) ?:
	       rd_key_u64(c, 6, "rx-packets", 0, UINT64_MAX, &s->rx_packets) ?:
	       rd_key_u64(c, 7, "tx-packets", 0, UINT64_MAX, &s->tx_packets) ?:
	       rd_key_u64(c, 8, "rx-auth-fail", 0, UINT64_MAX, &s->rx_auth_fail) ?:
	       rd_key_u64(c, 9, "rx-replay", 0, UINT64_MAX, &s->rx_replay) ?:
	       rd_key_u64(c, 10, "rx-unknown-key", 0, UINT64_MAX, &s->rx_unknown_key) ?:
	       rd_key_u64(c, 11, "rx-malformed", 0, UINT64_MAX, &s->rx_malformed) ?:
	       rd_key_u64(c, 12, "rx-prefix", 0, UINT64_MAX, &s->rx_prefix) ?:
	       rd_key_u64(c, 13, "tx-exhausted", 0, UINT64_MAX, &s->tx_exhausted) ?:
	       rd_key_u64(c, 14, "rx-clone", 0, UINT64_MAX, &s->rx_clone) ?:
	       rd_key_u64(c, 15, "rx-epoch-stale", 0, UINT64_MAX, &s->rx_epoch_stale) ?:
	       rd_leave(c);
}

static void put_heartbeat(struct wire_writer *w, const struct msg *m)
{
	const struct msg_heartbeat *h = &m->heartbeat;

	if (h->n_atrs > ATRS_MAX) {
		wr_fail(w, -EINVAL);
		return;
	}
	wr_map(w, 4);
	wr_key_uint(w, 1, h->seq);
	wr_key_uint(w, 2, h->uptime_ms);
	wr_key_array(w, 3, h->n_atrs);
	for (size_t i = 0; i < h->n_atrs; i++)
		put_state(w, &h->atrs[i]);
	wr_key_bool(w, 4, h->blind);
}

static int get_heartbeat(struct wire_reader *c, struct msg *m)
{
	struct msg_heartbeat *h = &m->heartbeat;
	size_t n;
	int r;

	r = rd_key_u64(c, 1, "seq", 0, UINT64_MAX, &h->seq) ?:
	    rd_key_u64(c, 2, "uptime-ms", 0, UINT64_MAX, &h->uptime_ms) ?:
	    rd_key_array(c, 3, "atrs", 0, ATRS_MAX, &n);
	if (r < 0)
		return r;
	h->atrs = calloc(n ?: 1, sizeof(*h->atrs));
	if (!h->atrs)
		return -ENOMEM;
	h->n_atrs = n;
	for (size_t i = 0; !r && i < n; i++)
		r = get_state(c, &h->atrs[i]);
	return r ?: rd_leave(c) ?: rd_key_bool(c, 4, "blind", &h->blind);
}

static void free_heartbeat(struct msg *m)
{
	free(m->heartbeat.atrs);
}

const struct msg_codec msg_codec_heartbeat = { "heartbeat", put_heartbeat, get_heartbeat, free_heartbeat };

/* ---- events ---- */

static void put_event(struct wire_writer *w, const struct msg_event *e)
{
	const struct msg_packet *p = &e->packet;

	if (e->member < -1 || p->n > PACKET_SHOWN_MAX || p->n > p->len) {
		wr_fail(w, -EINVAL);
		return;
	}
	wr_map(w, 8u + (e->member >= 0) + (p->len > 0) + (p->n > 0));
	wr_key_range(w, 1, e->seq, 1, UINT64_MAX);
	wr_key_uint(w, 2, e->time_ms);
	wr_key_name(w, 3, e->source);
	wr_key_name(w, 4, e->kind);
	wr_key_range(w, 5, e->severity, SEV_INFO, SEV_ALERT);
	wr_key_uint(w, 6, e->atr_id);
	if (e->member >= 0)
		wr_key_range(w, 7, (uint64_t)e->member, 0, INDEX_MAX);
	wr_key_uint(w, 8, e->count);
	wr_key_text(w, 9, e->text);
	if (p->len)
		wr_key_uint(w, 10, p->len);
	if (p->n)
		wr_key_bytes(w, 11, p->bytes, p->n);
}

static int get_member(struct wire_reader *c, int32_t *ret)
{
	uint64_t index;
	int r;

	*ret = -1;
	if (!rd_has(c, 7))
		return 0;
	r = rd_key_u64(c, 7, "member", 0, INDEX_MAX, &index);
	if (r < 0)
		return r;
	*ret = (int32_t)index;
	return 0;
}

static int get_packet(struct wire_reader *c, struct msg_packet *p)
{
	const uint8_t *bytes;
	size_t n;
	int r;

	if (!rd_has(c, 10))
		return 0;
	r = rd_key_u16(c, 10, "packet-len", 1, UINT16_MAX, &p->len);
	if (r < 0 || !rd_has(c, 11))
		return r;
	r = rd_key(c, 11, "packet") ?:
	    rd_view(c, "packet", 1, p->len < PACKET_SHOWN_MAX ? p->len : PACKET_SHOWN_MAX, &bytes, &n);
	if (r < 0)
		return r;
	memcpy(p->bytes, bytes, n);
	p->n = (uint8_t)n;
	return 0;
}

static int get_event(struct wire_reader *c, struct msg_event *e)
{
	uint32_t severity;
	int r;

	r = rd_map(c, "") ?:
	    rd_key_u64(c, 1, "seq", 1, UINT64_MAX, &e->seq) ?:
	    rd_key_u64(c, 2, "time-ms", 0, UINT64_MAX, &e->time_ms) ?:
	    rd_key_name(c, 3, "source", e->source, sizeof(e->source)) ?:
	    rd_key_name(c, 4, "kind", e->kind, sizeof(e->kind)) ?:
	    rd_key_u32(c, 5, "severity", SEV_INFO, SEV_ALERT, &severity) ?:
	    rd_key_u32(c, 6, "atr-id", 0, UINT32_MAX, &e->atr_id) ?:
	    get_member(c, &e->member) ?:
	    rd_key_u64(c, 8, "count", 0, UINT64_MAX, &e->count) ?:
	    rd_key_text(c, 9, "text", e->text, sizeof(e->text)) ?:
	    get_packet(c, &e->packet) ?:
	    rd_leave(c);
	if (r < 0)
		return r;
	e->severity = (enum msg_severity)severity;
	return 0;
}

static void put_events(struct wire_writer *w, const struct msg *m)
{
	const struct msg_events *e = &m->events;

	if (e->n < 1 || e->n > EVENTS_PER_MESSAGE) {
		wr_fail(w, -EINVAL);
		return;
	}
	wr_map(w, 1);
	wr_key_array(w, 1, e->n);
	for (size_t i = 0; i < e->n; i++)
		put_event(w, &e->events[i]);
}

static int get_events(struct wire_reader *c, struct msg *m)
{
	struct msg_events *e = &m->events;
	size_t n;
	int r;

	r = rd_key_array(c, 1, "events", 1, EVENTS_PER_MESSAGE, &n);
	if (r < 0)
		return r;
	e->events = calloc(n, sizeof(*e->events));
	if (!e->events)
		return -ENOMEM;
	e->n = n;
	for (size_t i = 0; !r && i < n; i++)
		r = get_event(c, &e->events[i]);
	return r ?: rd_leave(c);
}

static void free_events(struct msg *m)
{
	free(m->events.events);
}

const struct msg_codec msg_codec_events = { "events", put_events, get_events, free_events };
