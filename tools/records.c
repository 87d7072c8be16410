// SPDX-License-Identifier: GPL-2.0
#include "records.h"

#include <errno.h>
#include <string.h>

#include <arpa/inet.h>

#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>

#include <linux/akm.h>

#include "format.h"
#include "nl.h"

#define DUMP_TRIES	5

enum field_kind { F_U8, F_U16, F_U32, F_U64, F_FLAG, F_STRING, F_SUITE, F_FRESHNESS, F_SPREAD, F_FRESH, F_STATE,
		  F_EVENT, F_SOCKADDR, F_ADDRESS, F_BYTES, F_STATS, F_PREFIX };

struct field {
	uint16_t attr;
	enum field_kind kind;
	const char *name;
};

static const struct field dev_fields[] = {
	{ AKM_A_DEV_IFINDEX, F_U32, "ifindex" },
	{ AKM_A_DEV_IFNAME, F_STRING, "ifname" },
	{ AKM_A_DEV_ATR_ID, F_U32, "atr_id" },
	{ AKM_A_DEV_LABEL, F_STRING, "label" },
	{ AKM_A_DEV_SELF, F_U16, "self" },
	{ AKM_A_DEV_SUITE, F_SUITE, "suite" },
	{ AKM_A_DEV_DRIVER, F_STRING, "driver" },
	{ AKM_A_DEV_PORT, F_U16, "port" },
	{ AKM_A_DEV_INCARNATION, F_U32, "incarnation" },
	{ AKM_A_DEV_FWMARK, F_U32, "fwmark" },
	{ AKM_A_DEV_EPOCH_INTERVAL, F_U32, "epoch_interval" },
	{ AKM_A_DEV_EPOCH_GRACE, F_U32, "epoch_grace" },
	{ AKM_A_DEV_FRESHNESS, F_FRESHNESS, "freshness" },
	{ AKM_A_DEV_GROUP, F_ADDRESS, "group" },
	{ AKM_A_DEV_GROUP_LINK, F_U32, "group_link" },
	{ AKM_A_DEV_GROUP_TTL, F_U8, "group_ttl" },
	{ AKM_A_DEV_FLOW_PORT_LOW, F_U16, "flow_port_low" },
	{ AKM_A_DEV_FLOW_PORT_HIGH, F_U16, "flow_port_high" },
	{ AKM_A_DEV_SPREAD, F_SPREAD, "spread" },
	{ AKM_A_DEV_MEMBERS, F_U32, "members_count" },
	{ AKM_A_DEV_GENERATIONS, F_U32, "generations_count" },
	{ AKM_A_DEV_ACTIVE_GENERATION, F_U32, "active_generation" },
	{ AKM_A_DEV_STATS, F_STATS, "stats" },
	{}
};

static const struct field member_fields[] = {
	{ AKM_A_MEMBER_IFINDEX, F_U32, "ifindex" },
	{ AKM_A_MEMBER_IFNAME, F_STRING, "ifname" },
	{ AKM_A_MEMBER_INDEX, F_U16, "index" },
	{ AKM_A_MEMBER_NAME, F_STRING, "name" },
	{ AKM_A_MEMBER_PREFIX, F_PREFIX, "prefixes" },
	{ AKM_A_MEMBER_ENDPOINT, F_SOCKADDR, "endpoint" },
	{ AKM_A_MEMBER_ROAMS, F_FLAG, "roams" },
	{ AKM_A_MEMBER_LEARNT, F_SOCKADDR, "learnt" },
	{ AKM_A_MEMBER_KEEPALIVE, F_U32, "keepalive" },
	{ AKM_A_MEMBER_LAST_RX, F_U64, "last_rx" },
	{ AKM_A_MEMBER_FRESH, F_FRESH, "fresh" },
	{ AKM_A_MEMBER_WAITING, F_U32, "waiting" },
	{ AKM_A_MEMBER_STATS, F_STATS, "stats" },
	{}
};

static const struct field generation_fields[] = {
	{ AKM_A_GENERATION_IFINDEX, F_U32, "ifindex" },
	{ AKM_A_GENERATION_IFNAME, F_STRING, "ifname" },
	{ AKM_A_GENERATION_NUMBER, F_U32, "number" },
	{ AKM_A_GENERATION_KEY_ID, F_U32, "key_id" },
	{ AKM_A_GENERATION_STATE, F_STATE, "state" },
	{ AKM_A_GENERATION_EPOCH, F_U64, "epoch" },
	{ AKM_A_GENERATION_PAIRS, F_U32, "pairs" },
	{ AKM_A_GENERATION_AGE, F_U64, "age" },
	{ AKM_A_GENERATION_GRACE, F_U32, "grace" },
	{}
};

static const struct field event_fields[] = {
	{ AKM_A_EVENT_TYPE, F_EVENT, "type" },
	{ AKM_A_EVENT_IFINDEX, F_U32, "ifindex" },
	{ AKM_A_EVENT_IFNAME, F_STRING, "ifname" },
	{ AKM_A_EVENT_ATR_ID, F_U32, "atr_id" },
	{ AKM_A_EVENT_MEMBER, F_U16, "member" },
	{ AKM_A_EVENT_GENERATION, F_U32, "generation" },
	{ AKM_A_EVENT_STATE, F_STATE, "state" },
	{ AKM_A_EVENT_KEY_ID, F_U32, "key_id" },
	{ AKM_A_EVENT_EPOCH, F_U64, "epoch" },
	{ AKM_A_EVENT_PACKET_NUMBER, F_U64, "packet_number" },
	{ AKM_A_EVENT_SOURCE, F_SOCKADDR, "source" },
	{ AKM_A_EVENT_INNER_SOURCE, F_ADDRESS, "inner_source" },
	{ AKM_A_EVENT_PACKET_LEN, F_U32, "packet_len" },
	{ AKM_A_EVENT_PACKET, F_BYTES, "packet" },
	{ AKM_A_EVENT_COUNT, F_U64, "count" },
	{ AKM_A_EVENT_SUPPRESSED, F_U32, "suppressed" },
	{ AKM_A_EVENT_TIME, F_U64, "time_ns" },
	{}
};

static const struct field stats_fields[] = {
	{ AKM_A_STATS_RX_PACKETS, F_U64, "rx_packets" },
	{ AKM_A_STATS_RX_BYTES, F_U64, "rx_bytes" },
	{ AKM_A_STATS_TX_PACKETS, F_U64, "tx_packets" },
	{ AKM_A_STATS_TX_BYTES, F_U64, "tx_bytes" },
	{ AKM_A_STATS_RX_AUTH_FAIL, F_U64, "rx_auth_fail" },
	{ AKM_A_STATS_RX_REPLAY, F_U64, "rx_replay" },
	{ AKM_A_STATS_RX_UNKNOWN_KEY, F_U64, "rx_unknown_key" },
	{ AKM_A_STATS_RX_MALFORMED, F_U64, "rx_malformed" },
	{ AKM_A_STATS_RX_PREFIX, F_U64, "rx_prefix" },
	{ AKM_A_STATS_RX_DROPPED, F_U64, "rx_dropped" },
	{ AKM_A_STATS_TX_NO_KEY, F_U64, "tx_no_key" },
	{ AKM_A_STATS_TX_NO_MEMBER, F_U64, "tx_no_member" },
	{ AKM_A_STATS_TX_NO_ENDPOINT, F_U64, "tx_no_endpoint" },
	{ AKM_A_STATS_TX_EXHAUSTED, F_U64, "tx_exhausted" },
	{ AKM_A_STATS_TX_DROPPED, F_U64, "tx_dropped" },
	{ AKM_A_STATS_RX_CLONE, F_U64, "rx_clone" },
	{ AKM_A_STATS_RX_WAITED, F_U64, "rx_waited" },
	{ AKM_A_STATS_RX_WAIT_DROPPED, F_U64, "rx_wait_dropped" },
	{ AKM_A_STATS_TX_HELLO, F_U64, "tx_hello" },
	{ AKM_A_STATS_TX_HELLO_ACK, F_U64, "tx_hello_ack" },
	{ AKM_A_STATS_RX_TRIED, F_U64, "rx_tried" },
	{ AKM_A_STATS_TX_NOTICE, F_U64, "tx_notice" },
	{ AKM_A_STATS_RX_UNREACHABLE, F_U64, "rx_unreachable" },
	{ AKM_A_STATS_TX_TOO_BIG, F_U64, "tx_too_big" },
	{ AKM_A_STATS_TX_GROUP, F_U64, "tx_group" },
	{ AKM_A_STATS_RX_KEEPALIVE, F_U64, "rx_keepalive" },
	{ AKM_A_STATS_TX_KEEPALIVE, F_U64, "tx_keepalive" },
	{ AKM_A_STATS_RX_EPOCH_STALE, F_U64, "rx_epoch_stale" },
	{ AKM_A_STATS_TX_SPREAD, F_U64, "tx_spread" },
	{ AKM_A_STATS_TX_SPREAD_DROPPED, F_U64, "tx_spread_dropped" },
	{ AKM_A_STATS_RX_SPREAD, F_U64, "rx_spread" },
	{ AKM_A_STATS_RX_SPREAD_DROPPED, F_U64, "rx_spread_dropped" },
	{}
};

static const struct kind {
	const struct field *fields;
	uint8_t cmd;
	uint16_t ifname;
	const char *what;
} kinds[] = {
	[AKM_RECORD_DEV] = { dev_fields, AKM_CMD_DEV_GET, AKM_A_DEV_IFNAME, "device" },
	[AKM_RECORD_MEMBER] = { member_fields, AKM_CMD_MEMBER_GET, AKM_A_MEMBER_IFNAME, "member" },
	[AKM_RECORD_GENERATION] = { generation_fields, AKM_CMD_GENERATION_GET, AKM_A_GENERATION_IFNAME, "generation" },
	[AKM_RECORD_EVENT] = { event_fields, AKM_CMD_EVENT, 0, "event" },
};

/* ------------------------------------------------------------ one attribute */

static int decode_fields(const struct field *fields, struct nlattr *first, int len, struct json_object *o);

static struct json_object *decode_number(enum field_kind kind, const struct nlattr *a)
{
	static const uint8_t width[] = { [F_U8] = 1, [F_U16] = 2, [F_U32] = 4, [F_U64] = 8, [F_SUITE] = 4,
					 [F_FRESHNESS] = 4, [F_SPREAD] = 4, [F_FRESH] = 4, [F_STATE] = 4,
					 [F_EVENT] = 4 };
	uint64_t n = 0;

	if (nla_len(a) != width[kind])
		return NULL;
	if (width[kind] == 8)
		memcpy(&n, nla_data(a), 8);
	else if (width[kind] == 4)
		n = nla_get_u32(a);
	else if (width[kind] == 2)
		n = nla_get_u16(a);
	else
		n = nla_get_u8(a);
	if (kind == F_SUITE)
		return json_object_new_string(akm_suite_name((uint32_t)n));
	if (kind == F_FRESHNESS)
		return json_object_new_string(akm_freshness_name((uint32_t)n));
	if (kind == F_SPREAD)
		return json_object_new_string(akm_spread_name((uint32_t)n));
	if (kind == F_FRESH)
		return json_object_new_string(akm_fresh_state_name((uint32_t)n));
	if (kind == F_STATE)
		return json_object_new_string(akm_gen_state_name((uint32_t)n));
	if (kind == F_EVENT)
		return json_object_new_string(akm_event_name((uint32_t)n));
	return json_object_new_uint64(n);
}

static struct json_object *decode_string(const struct nlattr *a)
{
	const char *s = nla_data(a);
	int len = nla_len(a);

	if (len < 1 || s[len - 1] || (int)strlen(s) != len - 1)
		return NULL;
	return json_object_new_string(s);
}

static struct json_object *decode_sockaddr(const struct nlattr *a)
{
	char buf[AKM_ENDPOINT_STRLEN];
	const char *text = akm_format_endpoint(nla_data(a), (size_t)nla_len(a), buf);

	return text ? json_object_new_string(text) : NULL;
}

static struct json_object *decode_address(const struct nlattr *a)
{
	char text[INET6_ADDRSTRLEN];

	if (nla_len(a) != 4 && nla_len(a) != 16)
		return NULL;
	return json_object_new_string(inet_ntop(nla_len(a) == 4 ? AF_INET : AF_INET6, nla_data(a), text,
						sizeof(text)));
}

static struct json_object *decode_bytes(const struct nlattr *a)
{
	char hex[2 * AKM_EVENT_PACKET_MAX + 1];
	const uint8_t *p = nla_data(a);

	if (nla_len(a) < 1 || nla_len(a) > AKM_EVENT_PACKET_MAX)
		return NULL;
	for (int i = 0; i < nla_len(a); i++)
		sprintf(hex + 2 * i, "%02x", p[i]);
	return json_object_new_string(hex);
}

static struct json_object *decode_stats(struct nlattr *a)
{
	struct json_object *o = json_object_new_object();

	if (o && decode_fields(stats_fields, nla_data(a), nla_len(a), o) < 0) {
		json_object_put(o);
		return NULL;
	}
	return o;
}

static struct json_object *decode_prefix(struct nlattr *a)
{
	struct nlattr *addr = nla_find(nla_data(a), nla_len(a), AKM_A_PREFIX_ADDR);
	struct nlattr *len = nla_find(nla_data(a), nla_len(a), AKM_A_PREFIX_LEN);
	char buf[AKM_PREFIX_STRLEN];

	if (!addr || !len || nla_len(len) != 1 || (nla_len(addr) != 4 && nla_len(addr) != 16) ||
	    nla_get_u8(len) > nla_len(addr) * 8)
		return NULL;
	return json_object_new_string(akm_format_prefix(nla_data(addr), (size_t)nla_len(addr), nla_get_u8(len), buf));
}

static struct json_object *decode_attr(enum field_kind kind, struct nlattr *a)
{
	switch (kind) {
	case F_U8:
	case F_U16:
	case F_U32:
	case F_U64:
	case F_SUITE:
	case F_FRESHNESS:
	case F_SPREAD:
	case F_FRESH:
	case F_STATE:
	case F_EVENT:
		return decode_number(kind, a);
	case F_FLAG:
		return nla_len(a) ? NULL : json_object_new_boolean(true);
	case F_STRING:
		return decode_string(a);
	case F_SOCKADDR:
		return decode_sockaddr(a);
	case F_ADDRESS:
		return decode_address(a);
	case F_BYTES:
		return decode_bytes(a);
	case F_STATS:
		return decode_stats(a);
	case F_PREFIX:
		return decode_prefix(a);
	}
	return NULL;
}

/* ------------------------------------------------------------ one record */

/* Repeated attributes collect in an array. Return: 0 or -ENOMEM. */
static int add_member(struct json_object *o, const struct field *f, struct json_object *v)
{
	struct json_object *array = NULL;

	if (f->kind != F_PREFIX)
		return json_object_object_add(o, f->name, v) ? -ENOMEM : 0;
	if (!json_object_object_get_ex(o, f->name, &array)) {
		array = json_object_new_array();
		if (!array || json_object_object_add(o, f->name, array)) {
			json_object_put(array);
			return -ENOMEM;
		}
	}
	return json_object_array_add(array, v) ? -ENOMEM : 0;
}

/* Return: 0, or minus the attribute that is not as the interface says. Unknown ones are a newer kernel's. */
static int decode_fields(const struct field *fields, struct nlattr *first, int len, struct json_object *o)
{
	const struct field *f;
	struct nlattr *a;
	int rem;

	nla_for_each_attr(a, first, len, rem) {
		struct json_object *v;

		for (f = fields; f->name && f->attr != nla_type(a); f++)
			;
		if (!f->name)
			continue;
		v = decode_attr(f->kind, a);
		if (!v)
			return -nla_type(a);
		if (add_member(o, f, v) < 0) {
			json_object_put(v);
			return -nla_type(a);
		}
	}
	return 0;
}

static void add_event_time(struct json_object *o)
{
	char buf[AKM_TIME_STRLEN];

	if (akm_json_has(o, "time_ns"))
		json_object_object_add(o, "time",
				       json_object_new_string(akm_format_time(akm_json_u64(o, "time_ns"), buf)));
}

int akm_record_decode(enum akm_record kind, struct nlmsghdr *h, struct json_object **ret, struct akm_error *e)
{
	struct json_object *o;
	int r;

	if (!genlmsg_valid_hdr(h, 0) || genlmsg_hdr(h)->cmd != kinds[kind].cmd)
		return akm_error_set(e, EPROTO, kinds[kind].what, "the module answered with another message");
	o = json_object_new_object();
	if (!o)
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	r = decode_fields(kinds[kind].fields, genlmsg_attrdata(nlmsg_data(h), 0), genlmsg_attrlen(nlmsg_data(h), 0), o);
	if (r < 0) {
		json_object_put(o);
		return akm_error_set(e, EPROTO, kinds[kind].what, "the module sent a malformed attribute %d", -r);
	}
	if (kind == AKM_RECORD_EVENT)
		add_event_time(o);
	*ret = o;
	return 0;
}

/* ------------------------------------------------------------ dumps */

struct collect {
	enum akm_record kind;
	struct json_object *array;
};

static int collect(struct nlmsghdr *h, void *arg, struct akm_error *e)
{
	struct collect *c = arg;
	struct json_object *o;
	int r = akm_record_decode(c->kind, h, &o, e);

	if (r < 0)
		return r;
	if (json_object_array_add(c->array, o)) {
		json_object_put(o);
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	}
	return 0;
}

static int ask(struct akm_ctx *ctx, enum akm_record kind, int flags, const char *ifname, struct json_object *array,
	       struct akm_error *e)
{
	_cleanup_(akm_nl_msg_freep) struct nl_msg *msg = NULL;
	struct collect c = { .kind = kind, .array = array };
	int r = akm_nl_request(ctx, kinds[kind].cmd, flags, AKM_MSG_ROOM, &msg, e);

	if (r < 0)
		return r;
	if (ifname && nla_put_string(msg, kinds[kind].ifname, ifname))
		return akm_error_set(e, EMSGSIZE, "interface", "does not fit into one request");
	r = akm_nl_talk(ctx, msg, collect, &c, e);
	if (r == -ENODEV || (r < 0 && e->attr == kinds[kind].ifname))
		akm_error_field(e, "interface");
	return r;
}

int akm_records_dump(struct akm_ctx *ctx, enum akm_record kind, const char *ifname, struct json_object **ret,
		     struct akm_error *e)
{
	struct json_object *array;
	int r, tries = DUMP_TRIES;

	do {
		array = json_object_new_array();
		if (!array)
			return akm_error_set(e, ENOMEM, NULL, "out of memory");
		r = ask(ctx, kind, NLM_F_DUMP, ifname, array, e);
		if (r < 0)
			json_object_put(array);
	} while (r == -EAGAIN && --tries);
	if (r >= 0)
		*ret = array;
	return r;
}

int akm_record_dev(struct akm_ctx *ctx, const char *ifname, struct json_object **ret, struct akm_error *e)
{
	_cleanup_(akm_json_freep) struct json_object *array = json_object_new_array();
	int r;

	if (!array)
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	r = ask(ctx, AKM_RECORD_DEV, 0, ifname, array, e);
	if (r < 0)
		return r;
	if (json_object_array_length(array) != 1)
		return akm_error_set(e, EPROTO, ifname, "the module did not answer with one device");
	*ret = json_object_get(json_object_array_get_idx(array, 0));
	return 0;
}

/* ------------------------------------------------------------ JSON */

const char *akm_json_str(struct json_object *o, const char *name)
{
	struct json_object *v;

	return json_object_object_get_ex(o, name, &v) && json_object_is_type(v, json_type_string) ?
		json_object_get_string(v) : NULL;
}

uint64_t akm_json_u64(struct json_object *o, const char *name)
{
	struct json_object *v;

	return json_object_object_get_ex(o, name, &v) && json_object_is_type(v, json_type_int) ?
		json_object_get_uint64(v) : 0;
}

bool akm_json_has(struct json_object *o, const char *name)
{
	struct json_object *v;

	return json_object_object_get_ex(o, name, &v) && v;
}

void akm_json_freep(struct json_object **o)
{
	json_object_put(*o);
}

void akm_json_print(FILE *f, struct json_object *o)
{
	fprintf(f, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
							     JSON_C_TO_STRING_NOSLASHESCAPE));
}

int akm_records_show(struct akm_ctx *ctx, struct json_object *array, const char *const *headings, size_t n,
		     akm_row_fn row, struct akm_error *e)
{
	_cleanup_(akm_table_freep) struct akm_table *t = akm_table_new(headings, n);
	int r = t ? 0 : -ENOMEM;
	size_t i;

	if (ctx->json) {
		akm_json_print(ctx->out, array);
		return 0;
	}
	for (i = 0; !r && i < json_object_array_length(array); i++)
		r = row(t, json_object_array_get_idx(array, i));
	if (r)
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	akm_table_print(t, ctx->out, ctx->colour);
	return 0;
}
