// SPDX-License-Identifier: GPL-2.0
/* The family "akm": requests and answers, attribute by attribute (include/uapi/linux/akm.h). */
#include <netlink/genl/genl.h>

#include "nl_internal.h"

_Static_assert(PACKET_SHOWN_MAX == AKM_EVENT_PACKET_MAX, "what the kernel shows is what a record holds");

#define PAIR_BYTES	(NLA_HDRLEN + NLA_ALIGN(NLA_HDRLEN + sizeof(uint16_t)) + NLA_HDRLEN + AKM_CHAIN_LEN)

/* Names, as in Documentation/netlink/specs/akm.yaml */

static const char *const dev_name[] = {
	[AKM_A_DEV_IFINDEX] = "ifindex", [AKM_A_DEV_IFNAME] = "ifname", [AKM_A_DEV_ATR_ID] = "atr-id",
	[AKM_A_DEV_LABEL] = "label", [AKM_A_DEV_SELF] = "self", [AKM_A_DEV_SUITE] = "suite", [AKM_A_DEV_PORT] = "port",
	[AKM_A_DEV_INCARNATION] = "incarnation", [AKM_A_DEV_FWMARK] = "fwmark",
	[AKM_A_DEV_EPOCH_INTERVAL] = "epoch-interval", [AKM_A_DEV_EPOCH_GRACE] = "epoch-grace",
	[AKM_A_DEV_FRESHNESS] = "freshness", [AKM_A_DEV_FLOW_PORT_LOW] = "flow-port-low",
	[AKM_A_DEV_FLOW_PORT_HIGH] = "flow-port-high", [AKM_A_DEV_SPREAD] = "spread", [AKM_A_DEV_GROUP] = "group",
	[AKM_A_DEV_GROUP_LINK] = "group-link", [AKM_A_DEV_GROUP_TTL] = "group-ttl",
};
static const char *const prefix_name[] = { [AKM_A_PREFIX_ADDR] = "addr", [AKM_A_PREFIX_LEN] = "len" };
static const char *const member_name[] = {
	[AKM_A_MEMBER_IFINDEX] = "ifindex", [AKM_A_MEMBER_IFNAME] = "ifname", [AKM_A_MEMBER_INDEX] = "index",
	[AKM_A_MEMBER_NAME] = "name", [AKM_A_MEMBER_PREFIX] = "prefix", [AKM_A_MEMBER_ENDPOINT] = "endpoint",
	[AKM_A_MEMBER_ROAMS] = "roams", [AKM_A_MEMBER_KEEPALIVE] = "keepalive",
};
static const char *const pair_name[] = { [AKM_A_PAIR_INDEX] = "index", [AKM_A_PAIR_CHAIN] = "chain" };
static const char *const generation_name[] = {
	[AKM_A_GENERATION_IFINDEX] = "ifindex", [AKM_A_GENERATION_IFNAME] = "ifname", [AKM_A_GENERATION_NUMBER] = "number",
	[AKM_A_GENERATION_KEY_ID] = "key-id", [AKM_A_GENERATION_EPOCH] = "epoch", [AKM_A_GENERATION_CHAIN] = "chain",
	[AKM_A_GENERATION_PAIR] = "pair", [AKM_A_GENERATION_EXPECT] = "expect", [AKM_A_GENERATION_GRACE] = "grace",
	[AKM_A_GENERATION_UNUSED] = "unused", [AKM_A_GENERATION_ANNOUNCE] = "announce",
};

static const struct nl_names dev_names = { .name = dev_name, .n = ARRAY_SIZE(dev_name) };
static const struct nl_names prefix_names = { .name = prefix_name, .n = ARRAY_SIZE(prefix_name) };
static const struct nl_names member_names = {
	.name = member_name,
	.n = ARRAY_SIZE(member_name),
	.nested_type = AKM_A_MEMBER_PREFIX,
	.nested = &prefix_names,
};
static const struct nl_names pair_names = { .name = pair_name, .n = ARRAY_SIZE(pair_name) };
static const struct nl_names generation_names = {
	.name = generation_name,
	.n = ARRAY_SIZE(generation_name),
	.nested_type = AKM_A_GENERATION_PAIR,
	.nested = &pair_names,
};

/* IFNAME has the same number in all three: one request() serves them. */
_Static_assert((int)AKM_A_DEV_IFNAME == (int)AKM_A_MEMBER_IFNAME &&
		       (int)AKM_A_DEV_IFNAME == (int)AKM_A_GENERATION_IFNAME,
	       "");

/* A request with the device's name in it, of at most @max bytes. @ifname NULL: all devices. */
static struct nl_request request(struct nl *n, uint8_t cmd, int flags, size_t max,
				 const char *ifname, const struct nl_names *names)
{
	struct nl_request q = { .msg = nlmsg_alloc_size(max),
				.names = names,
				.subject = ifname ?: "kernel" };

	if (!n->family)
		q.r = -ENOPKG;
	if (q.msg && !genlmsg_put(q.msg, NL_AUTO_PORT, NL_AUTO_SEQ, n->family, 0, flags, cmd,
				  AKM_GENL_VERSION))
		q.r = -EMSGSIZE;
	if (ifname)
		nl_put_text(&q, AKM_A_DEV_IFNAME, ifname);
	return q;
}

/* Decoding */

static bool parse(const struct nlmsghdr *h, struct nlattr **tb, int max,
		  const struct nla_policy *policy)
{
	return genlmsg_valid_hdr((struct nlmsghdr *)h, 0) &&
	       genlmsg_parse((struct nlmsghdr *)h, 0, tb, max, policy) == 0;
}

static uint32_t u32(struct nlattr *a)
{
	return a ? nla_get_u32(a) : 0;
}

static uint64_t u64(struct nlattr *a)
{
	return a ? nla_get_u64(a) : 0;
}

static int decode_stats(struct nlattr *nest, struct nl_stats *ret)
{
	struct nlattr *tb[AKM_A_STATS_MAX + 1];
	int i;

	memset(ret, 0, sizeof(*ret));
	if (!nest)
		return 0;
	if (nla_parse_nested(tb, AKM_A_STATS_MAX, nest, NULL) < 0)
		return -EPROTO;
	for (i = AKM_A_STATS_RX_PACKETS; i <= AKM_A_STATS_MAX; i++) {
		if (tb[i] && nla_len(tb[i]) != sizeof(uint64_t))
			return -EPROTO;
		ret->v[i] = u64(tb[i]);
	}
	return 0;
}

static int decode_group(struct nlattr *const *tb, struct nl_dev *d)
{
	const struct nlattr *addr = tb[AKM_A_DEV_GROUP];

	if (!addr)
		return 0;
	if ((nla_len(addr) != 4 && nla_len(addr) != 16) || !tb[AKM_A_DEV_GROUP_LINK] || !tb[AKM_A_DEV_GROUP_TTL])
		return -EPROTO;
	d->group.addr_len = (uint8_t)nla_len(addr);
	memcpy(d->group.addr, nla_data(addr), d->group.addr_len);
	d->group.ttl = nla_get_u8(tb[AKM_A_DEV_GROUP_TTL]);
	d->group_link = u32(tb[AKM_A_DEV_GROUP_LINK]);
	return 0;
}

int nl_decode_dev(const struct nlmsghdr *h, void *ret)
{
	static const struct nla_policy policy[AKM_A_DEV_MAX + 1] = {
		[AKM_A_DEV_IFINDEX] = { .type = NLA_U32 }, [AKM_A_DEV_IFNAME] = { .type = NLA_STRING, .maxlen = 16 },
		[AKM_A_DEV_ATR_ID] = { .type = NLA_U32 }, [AKM_A_DEV_LABEL] = { .type = NLA_STRING, .maxlen = AKM_LABEL_MAX + 1 },
		[AKM_A_DEV_SELF] = { .type = NLA_U16 }, [AKM_A_DEV_SUITE] = { .type = NLA_U32 }, [AKM_A_DEV_PORT] = { .type = NLA_U16 },
		[AKM_A_DEV_INCARNATION] = { .type = NLA_U32 }, [AKM_A_DEV_FWMARK] = { .type = NLA_U32 },
		[AKM_A_DEV_EPOCH_INTERVAL] = { .type = NLA_U32 }, [AKM_A_DEV_EPOCH_GRACE] = { .type = NLA_U32 },
		[AKM_A_DEV_MEMBERS] = { .type = NLA_U32 }, [AKM_A_DEV_GENERATIONS] = { .type = NLA_U32 },
		[AKM_A_DEV_ACTIVE_GENERATION] = { .type = NLA_U32 }, [AKM_A_DEV_STATS] = { .type = NLA_NESTED },
		[AKM_A_DEV_FRESHNESS] = { .type = NLA_U32 }, [AKM_A_DEV_GROUP_LINK] = { .type = NLA_U32 },
		[AKM_A_DEV_GROUP_TTL] = { .type = NLA_U8 },
	};
	struct nlattr *tb[AKM_A_DEV_MAX + 1];
	struct nl_dev d = {};

	if (!parse(h, tb, AKM_A_DEV_MAX, policy) || !tb[AKM_A_DEV_IFINDEX] || !tb[AKM_A_DEV_IFNAME])
		return -EPROTO;
	d.ifindex = u32(tb[AKM_A_DEV_IFINDEX]);
	nla_strlcpy(d.ifname, tb[AKM_A_DEV_IFNAME], sizeof(d.ifname));
	d.atr_id = u32(tb[AKM_A_DEV_ATR_ID]);
	if (tb[AKM_A_DEV_LABEL])
		nla_strlcpy(d.label, tb[AKM_A_DEV_LABEL], sizeof(d.label));
	d.self = tb[AKM_A_DEV_SELF] ? nla_get_u16(tb[AKM_A_DEV_SELF]) : UINT16_MAX;
	d.suite = u32(tb[AKM_A_DEV_SUITE]);
	d.port = tb[AKM_A_DEV_PORT] ? nla_get_u16(tb[AKM_A_DEV_PORT]) : 0;
	d.incarnation = u32(tb[AKM_A_DEV_INCARNATION]);
	d.fwmark = u32(tb[AKM_A_DEV_FWMARK]);
	d.epoch_interval_ms = u32(tb[AKM_A_DEV_EPOCH_INTERVAL]);
	d.epoch_grace_ms = u32(tb[AKM_A_DEV_EPOCH_GRACE]);
	d.freshness = u32(tb[AKM_A_DEV_FRESHNESS]);
	d.members = u32(tb[AKM_A_DEV_MEMBERS]);
	d.generations = u32(tb[AKM_A_DEV_GENERATIONS]);
	d.active = u32(tb[AKM_A_DEV_ACTIVE_GENERATION]);
	if (decode_stats(tb[AKM_A_DEV_STATS], &d.stats) < 0 || decode_group(tb, &d) < 0)
		return -EPROTO;
	memcpy(ret, &d, sizeof(d));
	return 0;
}

struct member_row { uint16_t index; char name[AKM_NAME_LEN]; struct nl_stats stats; };

static int decode_member(const struct nlmsghdr *h, void *ret)
{
	static const struct nla_policy policy[AKM_A_MEMBER_MAX + 1] = {
		[AKM_A_MEMBER_INDEX] = { .type = NLA_U16 }, [AKM_A_MEMBER_NAME] = { .type = NLA_STRING, .maxlen = AKM_NAME_LEN },
		[AKM_A_MEMBER_STATS] = { .type = NLA_NESTED },
	};
	struct nlattr *tb[AKM_A_MEMBER_MAX + 1];
	struct member_row m = {};

	if (!parse(h, tb, AKM_A_MEMBER_MAX, policy) || !tb[AKM_A_MEMBER_INDEX])
		return -EPROTO;
	m.index = nla_get_u16(tb[AKM_A_MEMBER_INDEX]);
	if (tb[AKM_A_MEMBER_NAME])
		nla_strlcpy(m.name, tb[AKM_A_MEMBER_NAME], sizeof(m.name));
	if (decode_stats(tb[AKM_A_MEMBER_STATS], &m.stats) < 0)
		return -EPROTO;
	memcpy(ret, &m, sizeof(m));
	return 0;
}

int nl_decode_generation(const struct nlmsghdr *h, void *ret)
{
	static const struct nla_policy policy[AKM_A_GENERATION_MAX + 1] = {
		[AKM_A_GENERATION_NUMBER] = { .type = NLA_U32 }, [AKM_A_GENERATION_KEY_ID] = { .type = NLA_U32 },
		[AKM_A_GENERATION_EPOCH] = { .type = NLA_U64 }, [AKM_A_GENERATION_STATE] = { .type = NLA_U32 },
		[AKM_A_GENERATION_PAIRS] = { .type = NLA_U32 }, [AKM_A_GENERATION_AGE] = { .type = NLA_U64 },
	};
	struct nlattr *tb[AKM_A_GENERATION_MAX + 1];
	struct nl_generation g = {};

	if (!parse(h, tb, AKM_A_GENERATION_MAX, policy) || !tb[AKM_A_GENERATION_NUMBER] ||
	    !tb[AKM_A_GENERATION_STATE])
		return -EPROTO;
	g.number = u32(tb[AKM_A_GENERATION_NUMBER]);
	g.key_id = u32(tb[AKM_A_GENERATION_KEY_ID]);
	g.state = u32(tb[AKM_A_GENERATION_STATE]);
	g.pairs = u32(tb[AKM_A_GENERATION_PAIRS]);
	g.epoch = u64(tb[AKM_A_GENERATION_EPOCH]);
	g.age_ms = u64(tb[AKM_A_GENERATION_AGE]);
	memcpy(ret, &g, sizeof(g));
	return 0;
}

static int decode_source(struct nlattr *a, struct sockaddr_storage *ret)
{
	size_t len = a ? (size_t)nla_len(a) : 0;
	sa_family_t family;

	if (!a)
		return 0;
	if (len != sizeof(struct sockaddr_in) && len != sizeof(struct sockaddr_in6))
		return -EPROTO;
	memcpy(&family, nla_data(a), sizeof(family));
	if (family != (len == sizeof(struct sockaddr_in) ? AF_INET : AF_INET6))
		return -EPROTO;
	memcpy(ret, nla_data(a), len);
	return 0;
}

static int decode_packet(struct nlattr *a, struct nlattr *len, struct msg_packet *ret)
{
	if (u32(len) > UINT16_MAX || (a && ((uint32_t)nla_len(a) > u32(len) || nla_len(a) > PACKET_SHOWN_MAX)))
		return -EPROTO;
	ret->len = (uint16_t)u32(len);
	ret->n = a ? (uint8_t)nla_len(a) : 0;
	if (a)
		memcpy(ret->bytes, nla_data(a), ret->n);
	return 0;
}

static int decode_inner(struct nlattr *a, struct nl_event *e)
{
	if (!a)
		return 0;
	if (nla_len(a) != 4 && nla_len(a) != 16)
		return -EPROTO;
	e->inner_len = (uint8_t)nla_len(a);
	memcpy(e->inner, nla_data(a), e->inner_len);
	return 0;
}

int nl_decode_event(const struct nlmsghdr *h, struct nl_event *ret)
{
	static const struct nla_policy policy[AKM_A_EVENT_MAX + 1] = {
		[AKM_A_EVENT_TYPE] = { .type = NLA_U32 }, [AKM_A_EVENT_IFINDEX] = { .type = NLA_U32 },
		[AKM_A_EVENT_ATR_ID] = { .type = NLA_U32 }, [AKM_A_EVENT_MEMBER] = { .type = NLA_U16 },
		[AKM_A_EVENT_GENERATION] = { .type = NLA_U32 }, [AKM_A_EVENT_KEY_ID] = { .type = NLA_U32 },
		[AKM_A_EVENT_EPOCH] = { .type = NLA_U64 }, [AKM_A_EVENT_PACKET_NUMBER] = { .type = NLA_U64 },
		[AKM_A_EVENT_STATE] = { .type = NLA_U32 }, [AKM_A_EVENT_COUNT] = { .type = NLA_U64 },
		[AKM_A_EVENT_SUPPRESSED] = { .type = NLA_U32 }, [AKM_A_EVENT_TIME] = { .type = NLA_U64 },
		[AKM_A_EVENT_PACKET_LEN] = { .type = NLA_U32 },
	};
	struct nlattr *tb[AKM_A_EVENT_MAX + 1];
	struct nl_event e = { .member = -1 };

	if (!parse(h, tb, AKM_A_EVENT_MAX, policy) || !tb[AKM_A_EVENT_TYPE] ||
	    ((struct genlmsghdr *)nlmsg_data(h))->cmd != AKM_CMD_EVENT)
		return -EPROTO;
	e.type = u32(tb[AKM_A_EVENT_TYPE]);
	e.ifindex = u32(tb[AKM_A_EVENT_IFINDEX]);
	e.atr_id = u32(tb[AKM_A_EVENT_ATR_ID]);
	if (tb[AKM_A_EVENT_MEMBER])
		e.member = nla_get_u16(tb[AKM_A_EVENT_MEMBER]);
	e.generation = u32(tb[AKM_A_EVENT_GENERATION]);
	e.key_id = u32(tb[AKM_A_EVENT_KEY_ID]);
	e.epoch = u64(tb[AKM_A_EVENT_EPOCH]);
	e.packet_number = u64(tb[AKM_A_EVENT_PACKET_NUMBER]);
	e.state = u32(tb[AKM_A_EVENT_STATE]);
	e.count = u64(tb[AKM_A_EVENT_COUNT]);
	e.suppressed = u32(tb[AKM_A_EVENT_SUPPRESSED]);
	e.time_ns = u64(tb[AKM_A_EVENT_TIME]);
	if (decode_source(tb[AKM_A_EVENT_SOURCE], &e.source) < 0 ||
	    decode_packet(tb[AKM_A_EVENT_PACKET], tb[AKM_A_EVENT_PACKET_LEN], &e.packet) < 0 ||
	    decode_inner(tb[AKM_A_EVENT_INNER_SOURCE], &e) < 0)
		return -EPROTO;
	*ret = e;
	return 0;
}

/* Devices */

struct one { bool seen; struct nl_dev dev; };

static int one_dev(const struct nlmsghdr *h, void *ctx)
{
	struct one *one = ctx;
	int r = nl_decode_dev(h, &one->dev);

	one->seen = !r;
	return r;
}

int nl_dev_get(struct nl *n, const char *ifname, struct nl_dev *ret, struct akm_error *err)
{
	struct nl_request q = request(n, AKM_CMD_DEV_GET, 0, 256, ifname, &dev_names);
	struct one one = {};
	int r;

	q.row = one_dev;
	q.ctx = &one;
	r = nl_transact(n, n->genl, &q, err);
	if (!r && !one.seen)
		r = akm_error_set(err, -EPROTO, ifname, "the kernel's answer is empty");
	if (!r)
		*ret = one.dev;
	return r;
}

/* A dump into rows; the caller frees rows->data. */
static int dump(struct nl *n, uint8_t cmd, const char *ifname, const struct nl_names *names,
		struct nl_rows *rows, struct akm_error *err)
{
	struct nl_request q = request(n, cmd, NLM_F_DUMP, 256, ifname, names);

	q.row = nl_rows_add;
	q.again = nl_rows_again;
	q.ctx = rows;
	return nl_transact(n, n->genl, &q, err);
}

int nl_dev_each(struct nl *n, int (*fn)(const struct nl_dev *d, void *ctx), void *ctx,
		struct akm_error *err)
{
	struct nl_rows rows = { .size = sizeof(struct nl_dev), .decode = nl_decode_dev };
	const struct nl_dev *d;
	size_t i;
	int r;

	r = dump(n, AKM_CMD_DEV_GET, NULL, &dev_names, &rows, err);
	for (d = rows.data, i = 0; !r && i < rows.n; i++)
		r = fn(&d[i], ctx);
	free(rows.data);
	return r;
}

/* Without an address: no group any more. */
static void put_group(struct nl_request *q, const struct nl_dev *d)
{
	nl_put(q, AKM_A_DEV_GROUP, d->group.addr, d->group.addr_len);
	if (!d->group.addr_len)
		return;
	nl_put_u32(q, AKM_A_DEV_GROUP_LINK, d->group_link);
	nl_put_u8(q, AKM_A_DEV_GROUP_TTL, d->group.ttl);
}

int nl_dev_set(struct nl *n, const struct nl_dev *d, uint32_t fields, struct akm_error *err)
{
	const uint32_t known = 1U << AKM_A_DEV_ATR_ID | 1U << AKM_A_DEV_LABEL | 1U << AKM_A_DEV_SELF | 1U << AKM_A_DEV_SUITE |
			       1U << AKM_A_DEV_PORT | 1U << AKM_A_DEV_INCARNATION | 1U << AKM_A_DEV_FWMARK |
			       1U << AKM_A_DEV_EPOCH_INTERVAL | 1U << AKM_A_DEV_EPOCH_GRACE | 1U << AKM_A_DEV_FRESHNESS |
			       1U << AKM_A_DEV_FLOW_PORT_LOW | 1U << AKM_A_DEV_SPREAD | 1U << AKM_A_DEV_GROUP;
	const struct { int type; uint32_t value; } numbers[] = {
		{ AKM_A_DEV_ATR_ID, d->atr_id }, { AKM_A_DEV_SUITE, d->suite }, { AKM_A_DEV_INCARNATION, d->incarnation },
		{ AKM_A_DEV_FWMARK, d->fwmark }, { AKM_A_DEV_EPOCH_INTERVAL, d->epoch_interval_ms },
		{ AKM_A_DEV_EPOCH_GRACE, d->epoch_grace_ms }, { AKM_A_DEV_FRESHNESS, d->freshness },
	};
	struct nl_request q;
	size_t i;

	if (fields & ~known)
		return akm_error_set(err, -EINVAL, d->ifname, "fields 0x%x cannot be set", fields & ~known);
	q = request(n, AKM_CMD_DEV_SET, 0, 512, d->ifname, &dev_names);
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (fields & 1U << numbers[i].type)
			nl_put_u32(&q, numbers[i].type, numbers[i].value);
	if (fields & 1U << AKM_A_DEV_LABEL)
		nl_put_text(&q, AKM_A_DEV_LABEL, d->label);
	if (fields & 1U << AKM_A_DEV_SELF)
		nl_put_u16(&q, AKM_A_DEV_SELF, d->self);
	if (fields & 1U << AKM_A_DEV_PORT)
		nl_put_u16(&q, AKM_A_DEV_PORT, d->port);
	if (fields & 1U << AKM_A_DEV_FLOW_PORT_LOW) {
		nl_put_u16(&q, AKM_A_DEV_FLOW_PORT_LOW, n->flow_port_low);
		nl_put_u16(&q, AKM_A_DEV_FLOW_PORT_HIGH, n->flow_port_high);
	}
	if (fields & 1U << AKM_A_DEV_SPREAD)
		nl_put_u32(&q, AKM_A_DEV_SPREAD, n->spread ? AKM_SPREAD_ON : AKM_SPREAD_OFF);
	if (fields & 1U << AKM_A_DEV_GROUP)
		put_group(&q, d);
	return nl_transact(n, n->genl, &q, err);
}

/* Members */

static void put_endpoint(struct nl_request *q, const struct msg_endpoint *e, uint16_t default_port)
{
	const uint16_t port = htons(e->port ? e->port : default_port);
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = port };
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = port };

	if (e->addr_len == 4) {
		memcpy(&in4.sin_addr, e->addr, 4);
		nl_put(q, AKM_A_MEMBER_ENDPOINT, &in4, sizeof(in4));
	} else if (e->addr_len == 16) {
		memcpy(&in6.sin6_addr, e->addr, 16);
		nl_put(q, AKM_A_MEMBER_ENDPOINT, &in6, sizeof(in6));
	}
}

static void put_prefix(struct nl_request *q, const struct msg_prefix *p)
{
	struct nlattr *nest = nl_nest(q, AKM_A_MEMBER_PREFIX);

	nl_put(q, AKM_A_PREFIX_ADDR, p->addr, p->addr_len);
	nl_put_u8(q, AKM_A_PREFIX_LEN, p->prefix_len);
	nl_nest_end(q, nest);
}

void nl_flow_ports(struct nl *n, uint16_t low, uint16_t high)
{
	n->flow_port_low = low;
	n->flow_port_high = high;
}

void nl_spread(struct nl *n, bool on)
{
	n->spread = on;
}

void nl_members_roam(struct nl *n, bool roam)
{
	n->members_roam = roam;
}

void nl_members_keepalive(struct nl *n, uint32_t ms)
{
	n->members_keepalive = ms;
}

int nl_member_set(struct nl *n, const char *ifname, const struct msg_member *m,
		  uint16_t default_port, struct akm_error *err)
{
	struct nl_request q = request(n, AKM_CMD_MEMBER_SET, 0, 2048, ifname, &member_names);
	size_t i;

	nl_put_u16(&q, AKM_A_MEMBER_INDEX, m->index);
	if (m->name[0])
		nl_put_text(&q, AKM_A_MEMBER_NAME, m->name);
	for (i = 0; i < m->n_prefixes; i++)
		put_prefix(&q, &m->prefixes[i]);
	put_endpoint(&q, &m->endpoint, default_port);
	if (n->members_roam)
		nl_put(&q, AKM_A_MEMBER_ROAMS, NULL, 0);
	if (n->members_keepalive)
		nl_put_u32(&q, AKM_A_MEMBER_KEEPALIVE, n->members_keepalive);
	return nl_transact(n, n->genl, &q, err);
}

int nl_member_del(struct nl *n, const char *ifname, uint16_t index, struct akm_error *err)
{
	struct nl_request q = request(n, AKM_CMD_MEMBER_DEL, 0, 256, ifname, &member_names);

	nl_put_u16(&q, AKM_A_MEMBER_INDEX, index);
	return nl_transact(n, n->genl, &q, err);
}

int nl_member_each(struct nl *n, const char *ifname,
		   int (*fn)(uint16_t index, const char *name, const struct nl_stats *s, void *ctx),
		   void *ctx, struct akm_error *err)
{
	struct nl_rows rows = { .size = sizeof(struct member_row), .decode = decode_member };
	const struct member_row *m;
	size_t i;
	int r;

	r = dump(n, AKM_CMD_MEMBER_GET, ifname, &member_names, &rows, err);
	for (m = rows.data, i = 0; !r && i < rows.n; i++)
		r = fn(m[i].index, m[i].name, &m[i].stats, ctx);
	free(rows.data);
	return r;
}

/* Generations */

/* As many pairs from *@next on as fit; moves it. */
static void put_pairs(struct nl_request *q, const struct msg_atr_prepare *p, size_t *next)
{
	struct nlattr *nest;

	for (; !q->r && *next < p->n_pairs && nl_room(q) >= PAIR_BYTES; ++*next) {
		nest = nl_nest(q, AKM_A_GENERATION_PAIR);
		nl_put_u16(q, AKM_A_PAIR_INDEX, p->pairs[*next].index);
		nl_put(q, AKM_A_PAIR_CHAIN, p->pair_chains.data + *next * AKM_CHAIN_LEN, AKM_CHAIN_LEN);
		nl_nest_end(q, nest);
	}
}

static int install_first(struct nl *n, const char *ifname, const struct msg_atr_prepare *p,
			 size_t *next, struct akm_error *err)
{
	struct nl_request q =
		request(n, AKM_CMD_GENERATION_INSTALL, 0, NL_REQUEST_MAX, ifname, &generation_names);

	nl_put_u32(&q, AKM_A_GENERATION_NUMBER, p->generation);
	nl_put_u32(&q, AKM_A_GENERATION_KEY_ID, p->key_id);
	nl_put_u64(&q, AKM_A_GENERATION_EPOCH, p->epoch);
	if (p->unused)
		nl_put(&q, AKM_A_GENERATION_UNUSED, NULL, 0);
	nl_put(&q, AKM_A_GENERATION_CHAIN, p->chain.data, AKM_CHAIN_LEN);
	put_pairs(&q, p, next);
	return nl_transact(n, n->genl, &q, err);
}

static int install_more(struct nl *n, const char *ifname, const struct msg_atr_prepare *p,
			size_t *next, struct akm_error *err)
{
	struct nl_request q = request(n, AKM_CMD_PAIR_SET, 0, NL_REQUEST_MAX, ifname, &generation_names);

	nl_put_u32(&q, AKM_A_GENERATION_NUMBER, p->generation);
	nl_put_u64(&q, AKM_A_GENERATION_EPOCH, p->epoch);
	put_pairs(&q, p, next);
	return nl_transact(n, n->genl, &q, err);
}

static int check_lengths(const struct msg_atr_prepare *p, struct akm_error *err)
{
	if (p->chain.len != AKM_CHAIN_LEN || p->pair_chains.len != p->n_pairs * AKM_CHAIN_LEN)
		return akm_error_set(err, -EINVAL, "chain", "%zu and %zu bytes for %zu pairs",
				     p->chain.len, p->pair_chains.len, p->n_pairs);
	return 0;
}

int nl_generation_install(struct nl *n, const char *ifname, const struct msg_atr_prepare *p,
			  struct akm_error *err)
{
	size_t next = 0;
	int r;

	r = check_lengths(p, err) ?: install_first(n, ifname, p, &next, err);
	while (!r && next < p->n_pairs)
		r = install_more(n, ifname, p, &next, err);
	return r;
}

int nl_generation_pairs(struct nl *n, const char *ifname, const struct msg_atr_prepare *p,
			struct akm_error *err)
{
	size_t next = 0;
	int r = check_lengths(p, err);

	while (!r && next < p->n_pairs)
		r = install_more(n, ifname, p, &next, err);
	return r;
}

int nl_epoch_roll(struct nl *n, const char *ifname, uint32_t number, struct akm_error *err)
{
	struct nl_request q = request(n, AKM_CMD_EPOCH_ROLL, 0, 256, ifname, &generation_names);

	nl_put_u32(&q, AKM_A_GENERATION_EXPECT, number);
	return nl_transact(n, n->genl, &q, err);
}

int nl_generation_activate(struct nl *n, const char *ifname, uint32_t number, uint32_t grace_ms,
			   struct akm_error *err)
{
	struct nl_request q = request(n, AKM_CMD_GENERATION_ACTIVATE, 0, 256, ifname, &generation_names);

	nl_put_u32(&q, AKM_A_GENERATION_NUMBER, number);
	nl_put_u32(&q, AKM_A_GENERATION_GRACE, grace_ms);
	return nl_transact(n, n->genl, &q, err);
}

int nl_generation_announce(struct nl *n, const char *ifname, uint32_t number, struct akm_error *err)
{
	struct nl_request q = request(n, AKM_CMD_GENERATION_ACTIVATE, 0, 256, ifname, &generation_names);

	nl_put_u32(&q, AKM_A_GENERATION_NUMBER, number);
	nl_put_u32(&q, AKM_A_GENERATION_EXPECT, number);
	nl_put(&q, AKM_A_GENERATION_ANNOUNCE, NULL, 0);
	return nl_transact(n, n->genl, &q, err);
}

int nl_generation_retire(struct nl *n, const char *ifname, uint32_t number, struct akm_error *err)
{
	struct nl_request q = request(n, AKM_CMD_GENERATION_RETIRE, 0, 256, ifname, &generation_names);

	nl_put_u32(&q, AKM_A_GENERATION_NUMBER, number);
	return nl_transact(n, n->genl, &q, err);
}

int nl_generation_each(struct nl *n, const char *ifname,
		       int (*fn)(const struct nl_generation *g, void *ctx), void *ctx,
		       struct akm_error *err)
{
	struct nl_rows rows = { .size = sizeof(struct nl_generation), .decode = nl_decode_generation };
	const struct nl_generation *g;
	size_t i;
	int r;

	r = dump(n, AKM_CMD_GENERATION_GET, ifname, &generation_names, &rows, err);
	for (g = rows.data, i = 0; !r && i < rows.n; i++)
		r = fn(&g[i], ctx);
	free(rows.data);
	return r;
}
