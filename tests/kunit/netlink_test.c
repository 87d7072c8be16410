// SPDX-License-Identifier: GPL-2.0
/*
 * The netlink interface, by real requests over a real socket: everything that
 * must be refused, with which error, that it says why, that it changes nothing,
 * and that no secret ever comes back. Mutants: mutants.txt.
 */
#include "netlink.h"

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/net.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/sockptr.h>
#include <net/flow.h>
#include <net/net_namespace.h>
#include <net/rtnetlink.h>
#include <net/sock.h>

#include "atr.h"
#include "device.h"
#include "keys.h"
#include "spread.h"
#include "util.h"

#define BUFFER		16384
#define DEVICE		"akmk0"
#define SECRET		0xc5		/* every byte of every chain in here */
#define SECRET2		0x5c

/* An attribute to be; lengths may be wrong on purpose. Ends with type 0. */
struct attr {
	u16 type;
	u16 len;
	const void *data;
	const struct attr *nest;
};

#define U8(t, v)	{ .type = (t), .len = 1, .data = (const u8[]) { v } }
#define U16(t, v)	{ .type = (t), .len = 2, .data = (const u16[]) { v } }
#define U32(t, v)	{ .type = (t), .len = 4, .data = (const u32[]) { v } }
#define U64(t, v)	{ .type = (t), .len = 8, .data = (const u64[]) { v } }
#define STR(t, s)	{ .type = (t), .len = sizeof(s), .data = (s) }
#define RAW(t, d, l)	{ .type = (t), .len = (l), .data = (d) }
#define NEST(t, ...)	{ .type = (t), .nest = (const struct attr[]) { __VA_ARGS__, {} } }
#define ATTRS(...)	((const struct attr[]) { __VA_ARGS__, {} })
#define CHAIN_OF(t, l)	RAW(t, secret, l)

static const u8 secret[64] = { [0 ... 63] = SECRET };
static const u8 secret2[64] = { [0 ... 63] = SECRET2 };
static const char long_text[] =
	"0123456789012345678901234567890123456789012345678901234567890123";

struct fixture {
	struct socket *sock;
	struct akm_device *akm;
	u32 seq;
	u8 *out, *in;
	size_t out_len, in_len;
};

/* What the kernel answered to one request */
struct answer {
	int err;
	bool has_text;
	bool has_secret;		/* anywhere in it, the echo of the request included */
	int objects;			/* messages that are neither ack nor end of dump */
};

/* ---- requests ---- */

static struct nlattr *put_head(struct fixture *f, u16 type, u16 len)
{
	struct nlattr *a = (struct nlattr *)(f->out + f->out_len);

	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + len;
	f->out_len += NLA_HDRLEN;
	return a;
}

static void put(struct fixture *f, const struct attr *list)
{
	for (; list->type; list++) {
		struct nlattr *a;

		if (list->nest) {
			a = put_head(f, list->type | NLA_F_NESTED, 0);
			put(f, list->nest);
			a->nla_len = f->out + f->out_len - (u8 *)a;
			continue;
		}
		put_head(f, list->type, list->len);
		memset(f->out + f->out_len, 0, NLA_ALIGN(list->len));
		memcpy(f->out + f->out_len, list->data, list->len);
		f->out_len += NLA_ALIGN(list->len);
	}
}

static void start(struct fixture *f, u8 cmd, u16 flags)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)f->out;
	struct genlmsghdr *genl = nlmsg_data(nlh);

	memset(f->out, 0, NLMSG_HDRLEN + GENL_HDRLEN);
	nlh->nlmsg_type = akm_family.id;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++f->seq;
	genl->cmd = cmd;
	genl->version = AKM_GENL_VERSION;
	f->out_len = NLMSG_HDRLEN + GENL_HDRLEN;
}

static bool holds_secret(const u8 *data, size_t len)
{
	size_t i, run = 0;

	for (i = 0; i < len; i++) {
		run = data[i] == SECRET || data[i] == SECRET2 ? run + 1 : 0;
		if (run == 8)
			return true;
	}
	return false;
}

static void read_ack(const struct nlmsghdr *nlh, struct answer *a)
{
	const struct nlmsgerr *e = nlmsg_data(nlh);
	size_t at = sizeof(*e);
	int rem;
	const struct nlattr *tlv;

	a->err = e->error;
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		at += e->msg.nlmsg_len - NLMSG_HDRLEN;
	nla_for_each_attr(tlv, (const struct nlattr *)((const u8 *)e + NLMSG_ALIGN(at)),
			  nlmsg_len(nlh) - NLMSG_ALIGN(at), rem)
		if (nla_type(tlv) == NLMSGERR_ATTR_MSG && nla_len(tlv) > 1)
			a->has_text = true;
}

/* Return: is there more to come? */
static bool read_messages(struct fixture *f, struct answer *a)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)f->in;
	int rem = f->in_len;

	a->has_secret |= holds_secret(f->in, f->in_len);
	for (; nlmsg_ok(nlh, rem); nlh = nlmsg_next(nlh, &rem)) {
		if (nlh->nlmsg_type == NLMSG_ERROR) {
			read_ack(nlh, a);
			return false;
		}
		if (nlh->nlmsg_type == NLMSG_DONE) {
			a->err = *(const int *)nlmsg_data(nlh);
			return false;
		}
		a->objects++;
	}
	return true;
}

static struct answer exchange(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct msghdr to = { .msg_name = &kernel, .msg_namelen = sizeof(kernel) };
	struct kvec out = { .iov_base = f->out, .iov_len = f->out_len };
	struct answer a = { .err = -EPROTO };
	int n;

	((struct nlmsghdr *)f->out)->nlmsg_len = f->out_len;
	KUNIT_ASSERT_EQ(test, kernel_sendmsg(f->sock, &to, &out, 1, f->out_len), (int)f->out_len);
	do {
		struct kvec in = { .iov_base = f->in, .iov_len = BUFFER };
		struct msghdr from = {};

		n = kernel_recvmsg(f->sock, &from, &in, 1, BUFFER, MSG_DONTWAIT);
		KUNIT_ASSERT_GT(test, n, 0);
		f->in_len = n;
	} while (read_messages(f, &a));
	return a;
}

/* A request on the test's device */
static struct answer request(struct kunit *test, u8 cmd, const struct attr *attrs)
{
	static const struct attr device[] = { STR(AKM_A_DEV_IFNAME, DEVICE), {} };
	struct fixture *f = test->priv;

	start(f, cmd, NLM_F_ACK);
	put(f, device);
	put(f, attrs);
	return exchange(test);
}

static void must(struct kunit *test, u8 cmd, const struct attr *attrs)
{
	struct answer a = request(test, cmd, attrs);

	KUNIT_ASSERT_EQ_MSG(test, a.err, 0, "command %u", cmd);
	KUNIT_EXPECT_FALSE(test, a.has_secret);
}

/* ---- the device and its state ---- */

/* Everything that a request could have changed */
struct state {
	u32 atr_id, suite, port, incarnation, interval, grace, fwmark, self;
	u32 members, member_changes, generations, generation_changes, newest, pairs, group;
	u32 flow, spread;
	char label[AKM_LABEL_MAX + 1];
};

static struct state state_of(struct kunit *test)
{
	struct akm_device *akm = ((struct fixture *)test->priv)->akm;
	struct akm_generation *gen;
	struct state s = {};

	mutex_lock(&akm->lock);
	s.atr_id = akm->atr_id;
	s.suite = akm->suite;
	s.port = akm->port;
	s.incarnation = akm->incarnation;
	s.interval = akm->epoch_interval;
	s.grace = akm->epoch_grace;
	s.fwmark = akm->fwmark;
	s.flow = akm->flow_ports;
	s.spread = akm->tx_spread && akm->tx_spread->on;
	s.group = !!rcu_access_pointer(akm->group);
	s.self = akm->has_self ? akm->self : U32_MAX;
	s.members = akm->member_count;
	s.member_changes = akm->member_changes;
	s.generations = akm->generation_count;
	s.generation_changes = akm->generation_changes;
	s.newest = akm->newest;
	list_for_each_entry(gen, &akm->generations, list)
		s.pairs += akm_generation_pairs(gen);
	strscpy(s.label, akm->label, sizeof(s.label));
	mutex_unlock(&akm->lock);
	return s;
}

static int netlink_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	int one = 1, err;

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	f->out = kunit_kzalloc(test, BUFFER, GFP_KERNEL);
	f->in = kunit_kzalloc(test, BUFFER, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->out);
	KUNIT_ASSERT_NOT_NULL(test, f->in);
	err = sock_create_kern(&init_net, PF_NETLINK, SOCK_RAW, NETLINK_GENERIC, &f->sock);
	KUNIT_ASSERT_EQ(test, err, 0);
	err = f->sock->ops->setsockopt(f->sock, SOL_NETLINK, NETLINK_EXT_ACK,
				       KERNEL_SOCKPTR(&one), sizeof(one));
	KUNIT_ASSERT_EQ(test, err, 0);
	f->akm = netdev_priv(akm_test_device(test, DEVICE));
	return 0;
}

static void netlink_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (!f)
		return;
	if (f->akm)
		akm_test_device_delete(f->akm->dev);
	if (f->sock)
		sock_release(f->sock);
}

/* A used incarnation stays used in the namespace, across devices and tests. */
static u32 fresh_incarnation(void)
{
	static u32 last;

	return ++last;
}

/*
 * ATR 1, self is member 1; members 2 (10.77.0.2/32) and 3 as well; generation 10
 * with key ID 100, epoch 5 and a pair with member 2, is active.
 */
static void configure(struct kunit *test)
{
	u32 incarnation = fresh_incarnation();

	must(test, AKM_CMD_DEV_SET, ATTRS(U32(AKM_A_DEV_ATR_ID, 1), U16(AKM_A_DEV_SELF, 1),
					  RAW(AKM_A_DEV_INCARNATION, &incarnation, 4)));
	must(test, AKM_CMD_MEMBER_SET, ATTRS(U16(AKM_A_MEMBER_INDEX, 1)));
	must(test, AKM_CMD_MEMBER_SET,
	     ATTRS(U16(AKM_A_MEMBER_INDEX, 2),
		   NEST(AKM_A_MEMBER_PREFIX, RAW(AKM_A_PREFIX_ADDR, "\x0a\x4d\x00\x02", 4),
			U8(AKM_A_PREFIX_LEN, 32))));
	must(test, AKM_CMD_MEMBER_SET, ATTRS(U16(AKM_A_MEMBER_INDEX, 3)));
	must(test, AKM_CMD_GENERATION_INSTALL,
	     ATTRS(U32(AKM_A_GENERATION_NUMBER, 10), U32(AKM_A_GENERATION_KEY_ID, 100),
		   U64(AKM_A_GENERATION_EPOCH, 5), CHAIN_OF(AKM_A_GENERATION_CHAIN, 32),
		   NEST(AKM_A_GENERATION_PAIR, U16(AKM_A_PAIR_INDEX, 2),
			CHAIN_OF(AKM_A_PAIR_CHAIN, 32))));
	must(test, AKM_CMD_GENERATION_ACTIVATE, ATTRS(U32(AKM_A_GENERATION_NUMBER, 10)));
}

/* ---- what must be refused ---- */

struct bad {
	const char *what;
	u8 cmd;
	int err;			/* 0: -EINVAL or -ERANGE, as the core's parser sees it */
	const struct attr *attrs;
};

static void expect_refused(struct kunit *test, const struct bad *b)
{
	struct state before = state_of(test), after;
	struct answer a = request(test, b->cmd, b->attrs);

	if (b->err)
		KUNIT_EXPECT_EQ_MSG(test, a.err, b->err, "%s", b->what);
	else
		KUNIT_EXPECT_TRUE_MSG(test, a.err == -EINVAL || a.err == -ERANGE, "%s: %d",
				      b->what, a.err);
	KUNIT_EXPECT_TRUE_MSG(test, a.has_text, "%s: no message", b->what);
	KUNIT_EXPECT_FALSE_MSG(test, a.has_secret, "%s: a secret comes back", b->what);
	after = state_of(test);
	KUNIT_EXPECT_FALSE_MSG(test, memcmp(&before, &after, sizeof(before)),
			       "%s: changed something", b->what);
}

static void expect_all_refused(struct kunit *test, const struct bad *b, int n)
{
	int i;

	for (i = 0; i < n; i++)
		expect_refused(test, &b[i]);
}

#define DEV(what, err, ...)	{ what, AKM_CMD_DEV_SET, err, ATTRS(__VA_ARGS__) }
#define GROUP(addr, len, link) \
	RAW(AKM_A_DEV_GROUP, addr, len), U32(AKM_A_DEV_GROUP_LINK, link)
#define LABEL_ALSO		STR(AKM_A_DEV_LABEL, "must not appear")

/* With an acceptable label beside it each time: nothing of a bad request may happen. */
static const struct bad bad_dev[] = {
	DEV("ATR ID 0", 0, LABEL_ALSO, U32(AKM_A_DEV_ATR_ID, 0)),
	DEV("ATR ID too short", 0, LABEL_ALSO, U16(AKM_A_DEV_ATR_ID, 1)),
	DEV("ATR ID too long", 0, LABEL_ALSO, U64(AKM_A_DEV_ATR_ID, 1)),
	DEV("ATR ID empty", 0, LABEL_ALSO, RAW(AKM_A_DEV_ATR_ID, "", 0)),
	DEV("ATR ID twice", -EINVAL, LABEL_ALSO, U32(AKM_A_DEV_ATR_ID, 1),
	    U32(AKM_A_DEV_ATR_ID, 1)),
	DEV("label too long", 0, U32(AKM_A_DEV_ATR_ID, 1), STR(AKM_A_DEV_LABEL, long_text)),
	DEV("label without end", 0, U32(AKM_A_DEV_ATR_ID, 1), RAW(AKM_A_DEV_LABEL, "abcd", 4)),
	DEV("index 65535", 0, LABEL_ALSO, U16(AKM_A_DEV_SELF, 0xffff)),
	DEV("index of four bytes", 0, LABEL_ALSO, U32(AKM_A_DEV_SELF, 1)),
	DEV("suite 0", 0, LABEL_ALSO, U32(AKM_A_DEV_SUITE, 0)),
	DEV("suite 4", 0, LABEL_ALSO, U32(AKM_A_DEV_SUITE, 4)),
	DEV("port 0", 0, LABEL_ALSO, U16(AKM_A_DEV_PORT, 0)),
	DEV("incarnation 0", -ERANGE, LABEL_ALSO, U32(AKM_A_DEV_INCARNATION, 0)),
	DEV("incarnation of 25 bits", -ERANGE, LABEL_ALSO, U32(AKM_A_DEV_INCARNATION, 1 << 24)),
	DEV("interval too long", -ERANGE, LABEL_ALSO, U32(AKM_A_DEV_EPOCH_INTERVAL, U32_MAX)),
	DEV("grace too long", -ERANGE, LABEL_ALSO, U32(AKM_A_DEV_EPOCH_GRACE, U32_MAX)),
	DEV("a group that is unicast", -EINVAL, LABEL_ALSO, GROUP("\x0a\0\0\x01", 4, 1)),
	DEV("the last address before the groups", -EINVAL, LABEL_ALSO,
	    GROUP("\xdf\xff\xff\xff", 4, 1)),
	DEV("the first one after them", -EINVAL, LABEL_ALSO, GROUP("\xf0\0\0\0", 4, 1)),
	DEV("an IPv6 group that is unicast", -EINVAL, LABEL_ALSO,
	    GROUP("\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16, 1)),
	DEV("an IPv6 group that stays within the node", -EINVAL, LABEL_ALSO,
	    GROUP("\xff\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16, 1)),
	DEV("a group of 3 bytes", -EINVAL, LABEL_ALSO, GROUP("\xef\x01\x02", 3, 1)),
	DEV("a group of 5 bytes", -EINVAL, LABEL_ALSO, GROUP("\xef\x01\x02\x03\x04", 5, 1)),
	DEV("a group of 17 bytes", 0, LABEL_ALSO,
	    GROUP("\xff\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 17, 1)),
	DEV("a group without link", -EINVAL, LABEL_ALSO,
	    RAW(AKM_A_DEV_GROUP, "\xef\x01\x02\x03", 4)),
	DEV("a group on a link that is not there", -ENODEV, LABEL_ALSO,
	    GROUP("\xef\x01\x02\x03", 4, 0x7fffffff)),
	DEV("link 0", 0, LABEL_ALSO, GROUP("\xef\x01\x02\x03", 4, 0)),
	DEV("TTL 0", 0, LABEL_ALSO, GROUP("\xef\x01\x02\x03", 4, 1), U8(AKM_A_DEV_GROUP_TTL, 0)),
	DEV("a link without group", -EINVAL, LABEL_ALSO, U32(AKM_A_DEV_GROUP_LINK, 1)),
	DEV("a TTL without group", -EINVAL, LABEL_ALSO, U8(AKM_A_DEV_GROUP_TTL, 1)),
	DEV("a TTL of no group", -EINVAL, LABEL_ALSO, RAW(AKM_A_DEV_GROUP, "", 0),
	    U8(AKM_A_DEV_GROUP_TTL, 1)),
	DEV("spread 0", -ERANGE, LABEL_ALSO, U32(AKM_A_DEV_SPREAD, 0)),
	DEV("spread beyond on", -ERANGE, LABEL_ALSO, U32(AKM_A_DEV_SPREAD, AKM_SPREAD_ON + 1)),
	DEV("spread of two bytes", 0, LABEL_ALSO, U16(AKM_A_DEV_SPREAD, AKM_SPREAD_ON)),
	DEV("flow ports without an end", -EINVAL, LABEL_ALSO, U16(AKM_A_DEV_FLOW_PORT_LOW, 1)),
	DEV("flow ports without a beginning", -EINVAL, LABEL_ALSO,
	    U16(AKM_A_DEV_FLOW_PORT_HIGH, 0)),
	DEV("flow ports backwards", -EINVAL, LABEL_ALSO, U16(AKM_A_DEV_FLOW_PORT_LOW, 2),
	    U16(AKM_A_DEV_FLOW_PORT_HIGH, 1)),
	DEV("flow ports from 0", -EINVAL, LABEL_ALSO, U16(AKM_A_DEV_FLOW_PORT_LOW, 0),
	    U16(AKM_A_DEV_FLOW_PORT_HIGH, 1)),
	DEV("flow port of four bytes", 0, LABEL_ALSO, U32(AKM_A_DEV_FLOW_PORT_LOW, 1),
	    U16(AKM_A_DEV_FLOW_PORT_HIGH, 1)),
	DEV("an attribute that only comes out", 0, LABEL_ALSO, U32(AKM_A_DEV_MEMBERS, 1)),
	DEV("another one", 0, LABEL_ALSO, STR(AKM_A_DEV_DRIVER, "mine")),
	DEV("unknown attribute", 0, LABEL_ALSO, U32(AKM_A_DEV_MAX + 1, 1)),
	DEV("attribute far beyond", 0, LABEL_ALSO, U32(1000, 1)),
	DEV("another device's index", -EINVAL, LABEL_ALSO, U32(AKM_A_DEV_IFINDEX, 1)),
	DEV("name twice", -EINVAL, LABEL_ALSO, STR(AKM_A_DEV_IFNAME, DEVICE)),
	{ "no such command", AKM_CMD_EVENT, -EOPNOTSUPP, ATTRS(LABEL_ALSO) },
};

/* The device's own index is known to the test only. lo knows no multicast. */
static void netlink_bad_group_link(struct kunit *test)
{
	u32 self = ((struct fixture *)test->priv)->akm->dev->ifindex;
	struct bad loops = { "a group on the device itself", AKM_CMD_DEV_SET, -ELOOP };

	loops.attrs = ATTRS(LABEL_ALSO, RAW(AKM_A_DEV_GROUP, "\xef\x01\x02\x03", 4),
			    RAW(AKM_A_DEV_GROUP_LINK, &self, 4));
	expect_refused(test, &loops);
	loops = (struct bad)DEV("a group on lo", -EOPNOTSUPP, LABEL_ALSO,
				GROUP("\xef\x01\x02\x03", 4, LOOPBACK_IFINDEX));
	expect_refused(test, &loops);
}

static void netlink_bad_dev(struct kunit *test)
{
	int i;

	/* the core refuses an unknown command without a message */
	for (i = 0; i < ARRAY_SIZE(bad_dev) - 1; i++)
		expect_refused(test, &bad_dev[i]);
	KUNIT_EXPECT_EQ(test, request(test, AKM_CMD_EVENT, bad_dev[i].attrs).err, -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, request(test, AKM_CMD_MAX + 1, bad_dev[i].attrs).err, -EOPNOTSUPP);
}

#define MEMBER(what, err, ...) \
	{ what, AKM_CMD_MEMBER_SET, err, ATTRS(U16(AKM_A_MEMBER_INDEX, 7), __VA_ARGS__) }
#define PREFIX(addr, len, bits) \
	NEST(AKM_A_MEMBER_PREFIX, RAW(AKM_A_PREFIX_ADDR, addr, len), U8(AKM_A_PREFIX_LEN, bits))
#define ENDPOINT4(...) \
	RAW(AKM_A_MEMBER_ENDPOINT, ((const struct sockaddr_in[]) { { __VA_ARGS__ } }), \
	    sizeof(struct sockaddr_in))
#define ENDPOINT6(...) \
	RAW(AKM_A_MEMBER_ENDPOINT, ((const struct sockaddr_in6[]) { { __VA_ARGS__ } }), \
	    sizeof(struct sockaddr_in6))

static const struct bad bad_member[] = {
	{ "no index", AKM_CMD_MEMBER_SET, -EINVAL, ATTRS(STR(AKM_A_MEMBER_NAME, "x")) },
	{ "index 65535", AKM_CMD_MEMBER_SET, 0, ATTRS(U16(AKM_A_MEMBER_INDEX, 0xffff)) },
	MEMBER("index twice", -EINVAL, U16(AKM_A_MEMBER_INDEX, 7)),
	MEMBER("name too long", 0, STR(AKM_A_MEMBER_NAME, long_text)),
	MEMBER("name twice", -EINVAL, STR(AKM_A_MEMBER_NAME, "x"), STR(AKM_A_MEMBER_NAME, "x")),
	MEMBER("counters", 0, U32(AKM_A_MEMBER_STATS, 1)),
	MEMBER("prefix without length", -EINVAL,
	       NEST(AKM_A_MEMBER_PREFIX, RAW(AKM_A_PREFIX_ADDR, "\x0a\0\0\0", 4))),
	MEMBER("prefix without address", -EINVAL,
	       NEST(AKM_A_MEMBER_PREFIX, U8(AKM_A_PREFIX_LEN, 8))),
	MEMBER("prefix of nothing", 0, RAW(AKM_A_MEMBER_PREFIX | NLA_F_NESTED, "", 0)),
	MEMBER("prefix with two lengths", -EINVAL,
	       NEST(AKM_A_MEMBER_PREFIX, RAW(AKM_A_PREFIX_ADDR, "\x0a\0\0\0", 4),
		    U8(AKM_A_PREFIX_LEN, 8), U8(AKM_A_PREFIX_LEN, 8))),
	MEMBER("address of 3 bytes", 0, PREFIX("\x0a\0\0", 3, 8)),
	MEMBER("address of 5 bytes", 0, PREFIX("\x0a\0\0\0\0", 5, 8)),
	MEMBER("address of 17 bytes", 0, PREFIX("\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 17, 8)),
	MEMBER("length 33 of IPv4", -EINVAL, PREFIX("\x0a\0\0\0", 4, 33)),
	MEMBER("length 129", 0, PREFIX("\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, 129)),
	MEMBER("host bits", -EINVAL, PREFIX("\x0a\0\0\x01", 4, 24)),
	MEMBER("host bits of IPv6", -EINVAL,
	       PREFIX("\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16, 64)),
	MEMBER("a prefix twice", -EINVAL, PREFIX("\x0a\0\0\0", 4, 8), PREFIX("\x0a\0\0\0", 4, 8)),
	MEMBER("another member's prefix", -EEXIST, PREFIX("\x0a\x01\0\0", 4, 16),
	       PREFIX("\x0a\x4d\x00\x02", 4, 32)),
	MEMBER("endpoint of 15 bytes", 0, RAW(AKM_A_MEMBER_ENDPOINT, long_text, 15)),
	MEMBER("endpoint of 20 bytes", 0, RAW(AKM_A_MEMBER_ENDPOINT, long_text, 20)),
	MEMBER("endpoint of no family", -EINVAL, ENDPOINT4(.sin_port = htons(1))),
	MEMBER("IPv6 in the length of IPv4", -EINVAL,
	       ENDPOINT4(.sin_family = AF_INET6, .sin_port = htons(1))),
	MEMBER("IPv4 in the length of IPv6", -EINVAL, ENDPOINT6(.sin6_family = AF_INET)),
	MEMBER("endpoint without port", -EINVAL,
	       ENDPOINT4(.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001))),
	MEMBER("endpoint 0.0.0.0", -EINVAL,
	       ENDPOINT4(.sin_family = AF_INET, .sin_port = htons(1))),
	MEMBER("keepalive of two bytes", 0, U16(AKM_A_MEMBER_KEEPALIVE, 1000)),
	MEMBER("keepalive too often", -ERANGE, U32(AKM_A_MEMBER_KEEPALIVE, 999)),
	MEMBER("keepalive too seldom", -ERANGE, U32(AKM_A_MEMBER_KEEPALIVE, 86400001)),
	MEMBER("multicast endpoint", -EINVAL,
	       ENDPOINT4(.sin_family = AF_INET, .sin_port = htons(1),
			 .sin_addr.s_addr = htonl(0xe0000001))),
	MEMBER("broadcast endpoint", -EINVAL,
	       ENDPOINT4(.sin_family = AF_INET, .sin_port = htons(1),
			 .sin_addr.s_addr = htonl(0xffffffff))),
	MEMBER("endpoint ::", -EINVAL, ENDPOINT6(.sin6_family = AF_INET6, .sin6_port = htons(1))),
	MEMBER("link-local endpoint without scope", -EINVAL,
	       ENDPOINT6(.sin6_family = AF_INET6, .sin6_port = htons(1),
			 .sin6_addr.s6_addr = { 0xfe, 0x80, [15] = 1 })),
	{ "deleting nobody", AKM_CMD_MEMBER_DEL, -ENOENT, ATTRS(U16(AKM_A_MEMBER_INDEX, 9)) },
	{ "deleting without index", AKM_CMD_MEMBER_DEL, -EINVAL, ATTRS({}) },
	{ "looking for nobody", AKM_CMD_MEMBER_GET, -ENOENT, ATTRS(U16(AKM_A_MEMBER_INDEX, 9)) },
};

static void netlink_bad_member(struct kunit *test)
{
	configure(test);
	expect_all_refused(test, bad_member, ARRAY_SIZE(bad_member));
}

struct many {
	struct attr list[AKM_PREFIXES_MAX + 3];
	struct attr nest[AKM_PREFIXES_MAX + 1][3];
	u8 addr[AKM_PREFIXES_MAX + 1][4];
};

static void netlink_too_many_prefixes(struct kunit *test)
{
	struct many *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct bad b = { "65 prefixes", AKM_CMD_MEMBER_SET, -E2BIG };
	u16 index = 7;
	u8 bits = 32;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	configure(test);
	b.attrs = m->list;
	m->list[0] = (struct attr)RAW(AKM_A_MEMBER_INDEX, &index, sizeof(index));
	for (i = 0; i <= AKM_PREFIXES_MAX; i++) {
		m->addr[i][0] = 10;
		m->addr[i][3] = i;
		m->nest[i][0] = (struct attr)RAW(AKM_A_PREFIX_ADDR, m->addr[i], 4);
		m->nest[i][1] = (struct attr)RAW(AKM_A_PREFIX_LEN, &bits, 1);
		m->list[i + 1] = (struct attr){ .type = AKM_A_MEMBER_PREFIX, .nest = m->nest[i] };
	}
	expect_refused(test, &b);
	m->list[AKM_PREFIXES_MAX + 1].type = 0;
	must(test, AKM_CMD_MEMBER_SET, m->list);
}

#define INSTALL(what, err, ...)	{ what, AKM_CMD_GENERATION_INSTALL, err, ATTRS(__VA_ARGS__) }
#define NUMBER(n)		U32(AKM_A_GENERATION_NUMBER, n)
#define KEY_ID(n)		U32(AKM_A_GENERATION_KEY_ID, n)
#define EPOCH(n)		U64(AKM_A_GENERATION_EPOCH, n)
#define CHAIN			CHAIN_OF(AKM_A_GENERATION_CHAIN, 32)
#define OTHER_CHAIN		RAW(AKM_A_GENERATION_CHAIN, secret2, 32)
#define PAIR(i)	NEST(AKM_A_GENERATION_PAIR, U16(AKM_A_PAIR_INDEX, i), \
		     CHAIN_OF(AKM_A_PAIR_CHAIN, 32))
#define OTHER_PAIR(i)	NEST(AKM_A_GENERATION_PAIR, U16(AKM_A_PAIR_INDEX, i), \
			     RAW(AKM_A_PAIR_CHAIN, secret2, 32))

static const struct bad bad_install[] = {
	INSTALL("no number", -EINVAL, KEY_ID(101), CHAIN),
	INSTALL("number 0", 0, NUMBER(0), KEY_ID(101), CHAIN),
	INSTALL("no key ID", -EINVAL, NUMBER(11), CHAIN),
	INSTALL("key ID 0", 0, NUMBER(11), KEY_ID(0), CHAIN),
	INSTALL("no chain", -EINVAL, NUMBER(11), KEY_ID(101)),
	INSTALL("chain of 31 bytes", 0, NUMBER(11), KEY_ID(101),
		CHAIN_OF(AKM_A_GENERATION_CHAIN, 31)),
	INSTALL("chain of 33 bytes", 0, NUMBER(11), KEY_ID(101),
		CHAIN_OF(AKM_A_GENERATION_CHAIN, 33)),
	INSTALL("chain twice", -EINVAL, NUMBER(11), KEY_ID(101), CHAIN, CHAIN),
	INSTALL("unknown attribute", 0, NUMBER(11), KEY_ID(101), CHAIN,
		CHAIN_OF(AKM_A_GENERATION_MAX + 1, 32)),
	INSTALL("an attribute of other commands", 0, NUMBER(11), KEY_ID(101), CHAIN,
		U32(AKM_A_GENERATION_GRACE, 1)),
	INSTALL("epoch of 4 bytes", 0, NUMBER(11), KEY_ID(101), CHAIN,
		U32(AKM_A_GENERATION_EPOCH, 1)),
	INSTALL("epoch too large", -ERANGE, NUMBER(11), KEY_ID(101), CHAIN, EPOCH(U64_MAX)),
	INSTALL("pair without index", -EINVAL, NUMBER(11), KEY_ID(101), CHAIN,
		NEST(AKM_A_GENERATION_PAIR, CHAIN_OF(AKM_A_PAIR_CHAIN, 32))),
	INSTALL("pair without chain", -EINVAL, NUMBER(11), KEY_ID(101), CHAIN,
		NEST(AKM_A_GENERATION_PAIR, U16(AKM_A_PAIR_INDEX, 2))),
	INSTALL("pair chain of 31 bytes", 0, NUMBER(11), KEY_ID(101), CHAIN,
		NEST(AKM_A_GENERATION_PAIR, U16(AKM_A_PAIR_INDEX, 2),
		     CHAIN_OF(AKM_A_PAIR_CHAIN, 31))),
	INSTALL("pair that is no nest", 0, NUMBER(11), KEY_ID(101), CHAIN,
		CHAIN_OF(AKM_A_GENERATION_PAIR, 32)),
	INSTALL("pair twice", -EINVAL, NUMBER(11), KEY_ID(101), CHAIN, PAIR(2), PAIR(3), PAIR(2)),
	INSTALL("pair with itself", -EINVAL, NUMBER(11), KEY_ID(101), CHAIN, PAIR(2), PAIR(1)),
	INSTALL("pair with nobody", -ENOENT, NUMBER(11), KEY_ID(101), CHAIN, PAIR(2), PAIR(9)),
	INSTALL("pair index 65535", 0, NUMBER(11), KEY_ID(101), CHAIN, PAIR(0xffff)),
	INSTALL("an older generation", -ESTALE, NUMBER(9), KEY_ID(101), CHAIN),
	INSTALL("the same, another chain", -EEXIST, NUMBER(10), KEY_ID(100), EPOCH(5),
		OTHER_CHAIN),
	INSTALL("the same, another key ID", -EEXIST, NUMBER(10), KEY_ID(102), EPOCH(5), CHAIN),
	INSTALL("the same, another epoch", -EEXIST, NUMBER(10), KEY_ID(100), EPOCH(6), CHAIN),
	INSTALL("the same, another pair chain", -EEXIST, NUMBER(10), KEY_ID(100), EPOCH(5),
		CHAIN, PAIR(3), OTHER_PAIR(2)),
	INSTALL("a key ID in use", -EEXIST, NUMBER(11), KEY_ID(100), CHAIN),
	INSTALL("another generation was expected", -ESTALE, NUMBER(11), KEY_ID(101), CHAIN,
		U32(AKM_A_GENERATION_EXPECT, 9)),
	INSTALL("none was expected", -ESTALE, NUMBER(11), KEY_ID(101), CHAIN,
		U32(AKM_A_GENERATION_EXPECT, 0)),
};

static void netlink_bad_install(struct kunit *test)
{
	configure(test);
	expect_all_refused(test, bad_install, ARRAY_SIZE(bad_install));
}

#define PAIRS(what, err, ...)	{ what, AKM_CMD_PAIR_SET, err, ATTRS(__VA_ARGS__) }

static const struct bad bad_generation[] = {
	PAIRS("no number", -EINVAL, EPOCH(5), PAIR(3)),
	PAIRS("no pair", -EINVAL, NUMBER(10), EPOCH(5)),
	PAIRS("no such generation", -ENOENT, NUMBER(11), EPOCH(5), PAIR(3)),
	PAIRS("an epoch ahead", -ERANGE, NUMBER(10), EPOCH(6), PAIR(3)),
	PAIRS("another chain", -EEXIST, NUMBER(10), EPOCH(5), PAIR(3), OTHER_PAIR(2)),
	PAIRS("a generation's chain", 0, NUMBER(10), EPOCH(5), PAIR(3), CHAIN),
	PAIRS("pair with nobody", -ENOENT, NUMBER(10), EPOCH(5), PAIR(3), PAIR(9)),
	{ "no number", AKM_CMD_GENERATION_ACTIVATE, -EINVAL, ATTRS({}) },
	{ "no such generation", AKM_CMD_GENERATION_ACTIVATE, -ENOENT, ATTRS(NUMBER(11)) },
	{ "one that is gone", AKM_CMD_GENERATION_ACTIVATE, -ESTALE, ATTRS(NUMBER(9)) },
	{ "grace too long", AKM_CMD_GENERATION_ACTIVATE, -ERANGE,
	  ATTRS(NUMBER(10), U32(AKM_A_GENERATION_GRACE, U32_MAX)) },
	{ "expected another", AKM_CMD_GENERATION_ACTIVATE, -ESTALE,
	  ATTRS(NUMBER(10), U32(AKM_A_GENERATION_EXPECT, 11)) },
	{ "no number", AKM_CMD_GENERATION_RETIRE, -EINVAL, ATTRS({}) },
	{ "one that never was", AKM_CMD_GENERATION_RETIRE, -ENOENT, ATTRS(NUMBER(11)) },
	{ "expected another", AKM_CMD_GENERATION_RETIRE, -ESTALE,
	  ATTRS(NUMBER(10), U32(AKM_A_GENERATION_EXPECT, 11)) },
	{ "expected another", AKM_CMD_EPOCH_ROLL, -ESTALE,
	  ATTRS(U32(AKM_A_GENERATION_EXPECT, 11)) },
	{ "no such generation", AKM_CMD_GENERATION_GET, -ENOENT, ATTRS(NUMBER(11)) },
	{ "another ATR", AKM_CMD_DEV_SET, -EBUSY, ATTRS(U32(AKM_A_DEV_ATR_ID, 2)) },
	{ "another self", AKM_CMD_DEV_SET, -EBUSY, ATTRS(U16(AKM_A_DEV_SELF, 2)) },
	{ "another suite", AKM_CMD_DEV_SET, -EBUSY,
	  ATTRS(U32(AKM_A_DEV_SUITE, AKM_SUITE_CHACHA20POLY1305)) },
	{ "an incarnation that was used", AKM_CMD_DEV_SET, -ESTALE,
	  ATTRS(U32(AKM_A_DEV_INCARNATION, 1)) },
};

static void netlink_bad_generation(struct kunit *test)
{
	fresh_incarnation();	/* so that 1 was used, and is not the device's own */
	configure(test);
	expect_all_refused(test, bad_generation, ARRAY_SIZE(bad_generation));
}

/* A device that does not know yet who it is */
static const struct bad bad_early[] = {
	INSTALL("without ATR ID", -EINVAL, NUMBER(11), KEY_ID(101), CHAIN),
	{ "nothing is active", AKM_CMD_EPOCH_ROLL, -ENOENT, ATTRS({}) },
};

static const struct bad no_incarnation = {
	"without incarnation", AKM_CMD_GENERATION_ACTIVATE, -EINVAL, ATTRS(NUMBER(11)),
};

static void netlink_bad_order(struct kunit *test)
{
	expect_all_refused(test, bad_early, ARRAY_SIZE(bad_early));
	must(test, AKM_CMD_DEV_SET, ATTRS(U32(AKM_A_DEV_ATR_ID, 1)));
	expect_all_refused(test, bad_early, ARRAY_SIZE(bad_early));
	must(test, AKM_CMD_DEV_SET, ATTRS(U16(AKM_A_DEV_SELF, 1)));
	must(test, AKM_CMD_GENERATION_INSTALL, ATTRS(NUMBER(11), KEY_ID(101), CHAIN));
	expect_refused(test, &no_incarnation);
}

static const struct bad fifth =
	INSTALL("a fifth generation", -ENOSPC, NUMBER(14), KEY_ID(104), CHAIN);

static void netlink_generation_limit(struct kunit *test)
{
	configure(test);
	must(test, AKM_CMD_GENERATION_INSTALL, ATTRS(NUMBER(11), KEY_ID(101), CHAIN));
	must(test, AKM_CMD_GENERATION_INSTALL, ATTRS(NUMBER(12), KEY_ID(102), CHAIN));
	must(test, AKM_CMD_GENERATION_INSTALL, ATTRS(NUMBER(13), KEY_ID(103), CHAIN));
	expect_refused(test, &fifth);
	must(test, AKM_CMD_GENERATION_RETIRE, ATTRS(NUMBER(11)));
	must(test, AKM_CMD_GENERATION_INSTALL, fifth.attrs);
}

/* Which device? */
static const struct {
	const char *what;
	int err;
	const struct attr *attrs;
} bad_device[] = {
	{ "none named", -EINVAL, ATTRS({}) },
	{ "no such name", -ENODEV, ATTRS(STR(AKM_A_DEV_IFNAME, "akmk1")) },
	{ "no such index", -ENODEV, ATTRS(U32(AKM_A_DEV_IFINDEX, INT_MAX)) },
	{ "index 0", -ERANGE, ATTRS(U32(AKM_A_DEV_IFINDEX, 0)) },
	{ "of another kind", -EOPNOTSUPP, ATTRS(STR(AKM_A_DEV_IFNAME, "lo")) },
	{ "name too long", -EINVAL, ATTRS(STR(AKM_A_DEV_IFNAME, "0123456789abcdef")) },
};

static void netlink_bad_device(struct kunit *test)
{
	static const u8 cmds[] = {
		AKM_CMD_DEV_GET, AKM_CMD_DEV_SET, AKM_CMD_MEMBER_GET, AKM_CMD_MEMBER_SET,
		AKM_CMD_MEMBER_DEL, AKM_CMD_GENERATION_GET, AKM_CMD_GENERATION_INSTALL,
		AKM_CMD_GENERATION_ACTIVATE, AKM_CMD_GENERATION_RETIRE, AKM_CMD_PAIR_SET,
		AKM_CMD_EPOCH_ROLL,
	};
	struct fixture *f = test->priv;
	int i, k;

	for (i = 0; i < ARRAY_SIZE(bad_device); i++) {
		for (k = 0; k < ARRAY_SIZE(cmds); k++) {
			struct answer a;

			start(f, cmds[k], NLM_F_ACK);
			put(f, bad_device[i].attrs);
			a = exchange(test);
			KUNIT_EXPECT_EQ_MSG(test, a.err, bad_device[i].err, "command %u, %s",
					    cmds[k], bad_device[i].what);
			KUNIT_EXPECT_TRUE_MSG(test, a.has_text, "command %u, %s", cmds[k],
					      bad_device[i].what);
		}
	}
}

/* Bytes behind the last attribute, an attribute that reaches beyond the message */
static void netlink_bad_framing(struct kunit *test)
{
	static const u8 cmds[] = { AKM_CMD_DEV_SET, AKM_CMD_GENERATION_INSTALL };
	struct fixture *f = test->priv;
	struct answer a;
	int i;

	configure(test);
	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		start(f, cmds[i], NLM_F_ACK);
		put(f, ATTRS(STR(AKM_A_DEV_IFNAME, DEVICE)));
		memset(f->out + f->out_len, SECRET, 3);
		f->out_len += 3;
		a = exchange(test);
		KUNIT_EXPECT_LT(test, a.err, 0);

		start(f, cmds[i], NLM_F_ACK);
		put(f, ATTRS(STR(AKM_A_DEV_IFNAME, DEVICE)));
		put_head(f, 7, 100);
		memset(f->out + f->out_len, SECRET, 16);
		f->out_len += 16;
		a = exchange(test);
		KUNIT_EXPECT_LT(test, a.err, 0);
		if (cmds[i] == AKM_CMD_GENERATION_INSTALL)
			KUNIT_EXPECT_FALSE(test, a.has_secret);
	}
}

/* ---- what must work ---- */

static void netlink_install_is_idempotent(struct kunit *test)
{
	const struct attr *again = ATTRS(NUMBER(10), KEY_ID(100), EPOCH(5), CHAIN, PAIR(2));
	struct state before, after;

	configure(test);
	before = state_of(test);
	must(test, AKM_CMD_GENERATION_INSTALL, again);
	must(test, AKM_CMD_GENERATION_ACTIVATE, ATTRS(NUMBER(10)));
	must(test, AKM_CMD_PAIR_SET, ATTRS(NUMBER(10), EPOCH(5), PAIR(2)));
	after = state_of(test);
	KUNIT_EXPECT_FALSE(test, memcmp(&before, &after, sizeof(before)));
	/* also after a roll: the same chain, one epoch back, is stepped and compared */
	must(test, AKM_CMD_EPOCH_ROLL, ATTRS({}));
	must(test, AKM_CMD_GENERATION_INSTALL, again);
	must(test, AKM_CMD_PAIR_SET, ATTRS(NUMBER(10), EPOCH(5), PAIR(3)));
	KUNIT_EXPECT_EQ(test, state_of(test).pairs, 2);
}

static u64 current_epoch(struct kunit *test)
{
	struct akm_device *akm = ((struct fixture *)test->priv)->akm;
	u64 number;

	mutex_lock(&akm->lock);
	number = rcu_dereference_protected(akm->tx, true)->number;
	mutex_unlock(&akm->lock);
	return number;
}

static void netlink_roll(struct kunit *test)
{
	int i;

	configure(test);
	for (i = 0; i < 300; i++) {	/* the low byte on the wire wraps */
		KUNIT_ASSERT_EQ(test, current_epoch(test), 5 + i);
		must(test, AKM_CMD_EPOCH_ROLL, ATTRS({}));
	}
}

static const struct bad older = {
	"the one before", AKM_CMD_GENERATION_ACTIVATE, -ESTALE, ATTRS(NUMBER(10)),
};

static void netlink_generation_order(struct kunit *test)
{
	configure(test);
	must(test, AKM_CMD_GENERATION_INSTALL, ATTRS(NUMBER(12), KEY_ID(102), CHAIN));
	must(test, AKM_CMD_GENERATION_ACTIVATE,
	     ATTRS(NUMBER(12), U32(AKM_A_GENERATION_EXPECT, 10)));
	expect_refused(test, &older);
	must(test, AKM_CMD_GENERATION_RETIRE, ATTRS(NUMBER(10)));
	must(test, AKM_CMD_GENERATION_RETIRE, ATTRS(NUMBER(10)));	/* it is gone: done */
	KUNIT_EXPECT_EQ(test, state_of(test).generations, 1);
}

static struct answer dump(struct kunit *test, u8 cmd, bool named)
{
	struct fixture *f = test->priv;

	start(f, cmd, NLM_F_DUMP);
	if (named)
		put(f, ATTRS(STR(AKM_A_DEV_IFNAME, DEVICE)));
	return exchange(test);
}

static const struct {
	u8 cmd;
	const struct attr *attrs;
} get[] = {
	{ AKM_CMD_DEV_GET, ATTRS({}) },
	{ AKM_CMD_MEMBER_GET, ATTRS(U16(AKM_A_MEMBER_INDEX, 2)) },
	{ AKM_CMD_GENERATION_GET, ATTRS(NUMBER(10)) },
};

static void netlink_nothing_secret_comes_out(struct kunit *test)
{
	static const struct {
		u8 cmd;
		bool named;
		int objects;
	} dumps[] = {
		{ AKM_CMD_DEV_GET, false, 1 },
		{ AKM_CMD_MEMBER_GET, true, 3 },
		{ AKM_CMD_GENERATION_GET, true, 1 },
	};
	struct answer a;
	int i;

	configure(test);
	for (i = 0; i < ARRAY_SIZE(get); i++) {
		a = request(test, get[i].cmd, get[i].attrs);
		KUNIT_EXPECT_EQ(test, a.err, 0);
		KUNIT_EXPECT_EQ(test, a.objects, 1);
		KUNIT_EXPECT_FALSE(test, a.has_secret);
	}
	for (i = 0; i < ARRAY_SIZE(dumps); i++) {
		a = dump(test, dumps[i].cmd, dumps[i].named);
		KUNIT_EXPECT_EQ(test, a.err, 0);
		KUNIT_EXPECT_EQ(test, a.objects, dumps[i].objects);
		KUNIT_EXPECT_FALSE(test, a.has_secret);
	}
}

/* priv_destructor does not free a net_device, this does */
static void netlink_device_is_freed(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_TRUE(test, f->akm->dev->needs_free_netdev);
}

static int __ref netlink_suite_init(struct kunit_suite *suite)
{
	int err = akm_test_module_init(suite);

	if (err)
		return err;
	err = akm_netlink_init();
	if (err)
		akm_test_module_exit(suite);
	return err;
}

static void netlink_suite_exit(struct kunit_suite *suite)
{
	akm_netlink_exit();
	akm_test_module_exit(suite);
}

static struct kunit_case netlink_cases[] = {
	KUNIT_CASE(netlink_bad_device),
	KUNIT_CASE(netlink_bad_framing),
	KUNIT_CASE(netlink_bad_dev),
	KUNIT_CASE(netlink_bad_group_link),
	KUNIT_CASE(netlink_bad_member),
	KUNIT_CASE(netlink_too_many_prefixes),
	KUNIT_CASE(netlink_bad_order),
	KUNIT_CASE(netlink_bad_install),
	KUNIT_CASE(netlink_bad_generation),
	KUNIT_CASE(netlink_generation_limit),
	KUNIT_CASE(netlink_install_is_idempotent),
	KUNIT_CASE(netlink_roll),
	KUNIT_CASE(netlink_generation_order),
	KUNIT_CASE(netlink_nothing_secret_comes_out),
	KUNIT_CASE(netlink_device_is_freed),
	{}
};

struct kunit_suite akm_netlink_suite = {
	.name = "akm_netlink",
	.suite_init = netlink_suite_init,
	.suite_exit = netlink_suite_exit,
	.init = netlink_init,
	.exit = netlink_exit,
	.test_cases = netlink_cases,
};
