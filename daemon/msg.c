// SPDX-License-Identifier: GPL-2.0
#include "msg.h"

#include "msg_codec.h"

static const struct msg_codec *const codecs[] = {
	[MSG_HELLO] = &msg_codec_hello,
	[MSG_OK] = &msg_codec_ok,
	[MSG_ERROR] = &msg_codec_error,
	[MSG_HEARTBEAT] = &msg_codec_heartbeat,
	[MSG_EVENTS] = &msg_codec_events,
	[MSG_ATR_PREPARE] = &msg_codec_prepare,
	[MSG_ATR_ACTIVATE] = &msg_codec_activate,
	[MSG_ATR_RETIRE] = &msg_codec_retire,
	[MSG_ATR_DELETE] = &msg_codec_delete,
	[MSG_LINK_NEXT] = &msg_codec_link_next,
	[MSG_INVENTORY] = &msg_codec_inventory,
	[MSG_TAKEOVER] = &msg_codec_takeover,
	[MSG_ATR_ARM] = &msg_codec_arm,
	[MSG_QUOTE_ASK] = &msg_codec_quote_ask,
	[MSG_QUOTE] = &msg_codec_quote,
	[MSG_POLICY] = &msg_codec_policy,
	[MSG_POLICY_HELD] = &msg_codec_policy_held,
	[MSG_ROTATE] = &msg_codec_rotate,
	[MSG_ATR_ROLL] = &msg_codec_roll,
	[MSG_FEATURES] = &msg_codec_features,
};
_Static_assert(ARRAY_SIZE(codecs) == MSG_TYPE_MAX + 1, "a codec for every message");

/* NULL for what is no message type */
static const struct msg_codec *codec(uint64_t type)
{
	return type < ARRAY_SIZE(codecs) ? codecs[type] : NULL;
}

const char *msg_type_name(enum msg_type t)
{
	const struct msg_codec *k = codec(t);

	return k ? k->name : "unknown";
}

int msg_encode(const struct msg *m, struct akm_secret *ret)
{
	const struct msg_codec *k = codec(m->type);
	struct wire_writer w;

	if (!k)
		return -EINVAL;
	wr_init(&w, LINK_MESSAGE_MAX);
	wr_array(&w, 3);
	wr_uint(&w, m->type);
	wr_uint(&w, m->request);
	k->encode(&w, m);
	return wr_finish(&w, ret);
}

static int decode(struct wire_reader *c, struct msg *m)
{
	const struct msg_codec *k;
	uint64_t type, request;
	size_t n;
	int r;

	r = rd_array(c, "", 3, 3, &n) ?:
	    rd_uint(c, "type", 1, MSG_TYPE_MAX, &type) ?:
	    rd_uint(c, "request", 0, UINT32_MAX, &request);
	if (r < 0)
		return r;
	k = codec(type);
	m->type = (enum msg_type)type;
	m->request = (uint32_t)request;
	return rd_map(c, k->name) ?: k->decode(c, m) ?: rd_leave(c) ?: rd_leave(c) ?: rd_end(c);
}

static int decode_all(const uint8_t *data, size_t len, struct msg *ret, struct akm_error *err, size_t *ret_at)
{
	_cleanup_msg_ struct msg m = {};
	struct wire_reader c;
	int r;

	if (len > LINK_MESSAGE_MAX)
		return akm_error_set(err, -EBADMSG, "message", "has %zu bytes, allowed are %u", len, LINK_MESSAGE_MAX);
	rd_init(&c, "message", data, len, err);
	r = decode(&c, &m);
	*ret_at = (size_t)(c.pos - data);
	if (r < 0)
		return r;
	*ret = m;
	m = (struct msg) {};
	return 0;
}

int msg_decode(const uint8_t *data, size_t len, struct msg *ret, struct akm_error *err)
{
	size_t at;

	return decode_all(data, len, ret, err, &at);
}

int msg_decode_whence(const uint8_t *data, size_t len, struct msg *ret, struct akm_error *err)
{
	size_t at = 0, n;
	int r = decode_all(data, len, ret, err, &at);

	if (r == -EBADMSG) {
		n = strlen(err->reason);
		snprintf(err->reason + n, sizeof(err->reason) - n, " (read up to byte %zu of %zu)", at, len);
	}
	return r;
}

void msg_free(struct msg *m)
{
	const struct msg_codec *k = codec(m->type);

	if (k && k->free)
		k->free(m);
	*m = (struct msg) {};
}
