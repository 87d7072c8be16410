// SPDX-License-Identifier: GPL-2.0
/*
 * Commands of the family "akm": parse and check everything, then change.
 *
 * Requests that carry secrets (GENERATION_INSTALL, PAIR_SET) are wiped as a whole
 * on every way out, before the kernel echoes a refused request. For that the core's
 * own parser must not refuse them before this file has seen them: it is told to be
 * lenient with these two, and pre_doit parses them strictly. What the core refuses
 * without looking at attributes (no permission, no such command) is not wiped: a
 * caller without CAP_NET_ADMIN has no business with keys.
 */
#include "netlink.h"

#include <linux/akm.h>
#include <linux/bitmap.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include "atr.h"
#include "compat/compat.h"
#include "device.h"
#include "keys.h"
#include "socket.h"

#define EPOCH_MS_MAX	(30U * 24 * 3600 * 1000)	/* fits jiffies arithmetic everywhere */
#define GRACE_MS_MAX	(24U * 3600 * 1000)

/* IFINDEX and IFNAME have the same numbers in all three attribute sets. */
enum {
	A_IFINDEX = AKM_A_DEV_IFINDEX,
	A_IFNAME = AKM_A_DEV_IFNAME,
};

static_assert((int)AKM_A_MEMBER_IFINDEX == A_IFINDEX);
static_assert((int)AKM_A_MEMBER_IFNAME == A_IFNAME);
static_assert((int)AKM_A_GENERATION_IFINDEX == A_IFINDEX);
static_assert((int)AKM_A_GENERATION_IFNAME == A_IFNAME);

/* beyond what fits a policy's own s16 */
static struct netlink_range_validation range_index = { .max = AKM_INDEX_MAX };

#define POLICY_DEVICE \
	[A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1), \
	[A_IFNAME] = { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 }

static const struct nla_policy policy_device[] = { POLICY_DEVICE };

static const struct nla_policy policy_dev_set[] = {
	POLICY_DEVICE,
	[AKM_A_DEV_ATR_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[AKM_A_DEV_LABEL] = { .type = NLA_NUL_STRING, .len = AKM_LABEL_MAX },
	[AKM_A_DEV_SELF] = NLA_POLICY_FULL_RANGE(NLA_U16, &range_index),
	[AKM_A_DEV_SUITE] = NLA_POLICY_RANGE(NLA_U32, AKM_SUITE_AES256GCM,
					     AKM_SUITE_AES128GCM),
	[AKM_A_DEV_PORT] = NLA_POLICY_MIN(NLA_U16, 1),
	[AKM_A_DEV_INCARNATION] = { .type = NLA_U32 },
	[AKM_A_DEV_FWMARK] = { .type = NLA_U32 },
	[AKM_A_DEV_EPOCH_INTERVAL] = { .type = NLA_U32 },
	[AKM_A_DEV_EPOCH_GRACE] = { .type = NLA_U32 },
};

static const struct nla_policy policy_prefix[] = {
	[AKM_A_PREFIX_ADDR] = NLA_POLICY_RANGE(NLA_BINARY, 4, 16),
	[AKM_A_PREFIX_LEN] = NLA_POLICY_MAX(NLA_U8, 128),
};

static const struct nla_policy policy_member_index[] = {
	POLICY_DEVICE,
	[AKM_A_MEMBER_INDEX] = NLA_POLICY_FULL_RANGE(NLA_U16, &range_index),
};

static const struct nla_policy policy_member_set[] = {
	POLICY_DEVICE,
	[AKM_A_MEMBER_INDEX] = NLA_POLICY_FULL_RANGE(NLA_U16, &range_index),
	[AKM_A_MEMBER_NAME] = { .type = NLA_NUL_STRING, .len = AKM_NAME_MAX },
	[AKM_A_MEMBER_PREFIX] = NLA_POLICY_NESTED(policy_prefix),
	[AKM_A_MEMBER_ENDPOINT] = NLA_POLICY_RANGE(NLA_BINARY, sizeof(struct sockaddr_in),
						   sizeof(struct sockaddr_in6)),
};

static const struct nla_policy policy_pair[] = {
	[AKM_A_PAIR_INDEX] = NLA_POLICY_FULL_RANGE(NLA_U16, &range_index),
	[AKM_A_PAIR_CHAIN] = NLA_POLICY_EXACT_LEN(AKM_CHAIN_LEN),
};

static const struct nla_policy policy_generation_number[] = {
	POLICY_DEVICE,
	[AKM_A_GENERATION_NUMBER] = NLA_POLICY_MIN(NLA_U32, 1),
};

static const struct nla_policy policy_install[] = {
	POLICY_DEVICE,
	[AKM_A_GENERATION_NUMBER] = NLA_POLICY_MIN(NLA_U32, 1),
	[AKM_A_GENERATION_KEY_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[AKM_A_GENERATION_EPOCH] = { .type = NLA_U64 },
	[AKM_A_GENERATION_CHAIN] = NLA_POLICY_EXACT_LEN(AKM_CHAIN_LEN),
	[AKM_A_GENERATION_PAIR] = NLA_POLICY_NESTED(policy_pair),
	[AKM_A_GENERATION_EXPECT] = { .type = NLA_U32 },
};

static const struct nla_policy policy_pair_set[] = {
	POLICY_DEVICE,
	[AKM_A_GENERATION_NUMBER] = NLA_POLICY_MIN(NLA_U32, 1),
	[AKM_A_GENERATION_EPOCH] = { .type = NLA_U64 },
	[AKM_A_GENERATION_PAIR] = NLA_POLICY_NESTED(policy_pair),
	[AKM_A_GENERATION_EXPECT] = { .type = NLA_U32 },
};

static const struct nla_policy policy_activate[] = {
	POLICY_DEVICE,
	[AKM_A_GENERATION_NUMBER] = NLA_POLICY_MIN(NLA_U32, 1),
	[AKM_A_GENERATION_EXPECT] = { .type = NLA_U32 },
	[AKM_A_GENERATION_GRACE] = { .type = NLA_U32 },
};

static const struct nla_policy policy_retire[] = {
	POLICY_DEVICE,
	[AKM_A_GENERATION_NUMBER] = NLA_POLICY_MIN(NLA_U32, 1),
	[AKM_A_GENERATION_EXPECT] = { .type = NLA_U32 },
};

static const struct nla_policy policy_roll[] = {
	POLICY_DEVICE,
	[AKM_A_GENERATION_EXPECT] = { .type = NLA_U32 },
};

static struct genl_family family;

static bool carries_secrets(u8 cmd)
{
	return cmd == AKM_CMD_GENERATION_INSTALL || cmd == AKM_CMD_PAIR_SET;
}

/* May an attribute of the request's top level appear more than once? */
static bool is_repeated(u8 cmd, int type)
{
	if (cmd == AKM_CMD_MEMBER_SET)
		return type == AKM_A_MEMBER_PREFIX;
	return carries_secrets(cmd) && type == AKM_A_GENERATION_PAIR;
}

/* The parser takes the last of several without a word. */
static int check_duplicates(const struct nlattr *head, int len, u8 cmd,
			    struct netlink_ext_ack *extack)
{
	const struct nlattr *attr;
	u64 seen = 0;
	int rem;

	nla_for_each_attr(attr, head, len, rem) {
		if (seen & BIT_ULL(nla_type(attr)) && !is_repeated(cmd, nla_type(attr))) {
			NL_SET_ERR_MSG_ATTR(extack, attr, "attribute given twice");
			return -EINVAL;
		}
		seen |= BIT_ULL(nla_type(attr));
	}
	return 0;
}

static int parse_nest(struct nlattr *tb[], int max, const struct nlattr *nest,
		      const struct nla_policy *policy, struct netlink_ext_ack *extack)
{
	int err;

	err = nla_parse_nested(tb, max, nest, policy, extack);
	if (err)
		return err;
	return check_duplicates(nla_data(nest), nla_len(nest), AKM_CMD_UNSPEC, extack);
}

/* As the core does for commands from resv_start_op on */
static int check_header(const struct nlmsghdr *nlh, const struct genlmsghdr *header,
			struct netlink_ext_ack *extack)
{
	u16 known = NLM_F_REQUEST | NLM_F_ACK | NLM_F_ECHO;

	if (header->reserved) {
		NL_SET_ERR_MSG(extack, "the header's reserved field is not 0");
		return -EINVAL;
	}
	if ((nlh->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP)
		known |= NLM_F_DUMP;
	if (nlh->nlmsg_flags & ~known) {
		NL_SET_ERR_MSG(extack, "reserved or ambiguous bits are set in nlmsg_flags");
		return -EINVAL;
	}
	return 0;
}

static struct nlattr *request_head(const struct genl_info *info)
{
	return nlmsg_attrdata(info->nlhdr, GENL_HDRLEN);
}

static int request_len(const struct genl_info *info)
{
	return nlmsg_attrlen(info->nlhdr, GENL_HDRLEN);
}

static int require(struct nlattr **attrs, int type, const char *name,
		   struct netlink_ext_ack *extack)
{
	if (attrs[type])
		return 0;
	NL_SET_ERR_MSG_FMT(extack, "attribute %s is missing", name);
	return -EINVAL;
}

#define REQUIRE(attrs, type, extack)	require(attrs, type, #type, extack)

/* The device, with a reference, or an error. RTNL is not needed. */
static struct net_device *resolve(struct net *net, struct nlattr **attrs,
				  struct netlink_ext_ack *extack)
{
	const struct nlattr *index = attrs[A_IFINDEX], *name = attrs[A_IFNAME];
	struct net_device *dev = NULL;

	if (!index && !name) {
		NL_SET_ERR_MSG(extack, "no device: IFINDEX or IFNAME is missing");
		return ERR_PTR(-EINVAL);
	}
	if (index)
		dev = dev_get_by_index(net, nla_get_u32(index));
	else
		dev = dev_get_by_name(net, nla_data(name));
	if (!dev) {
		NL_SET_ERR_MSG_ATTR(extack, index ?: name, "no such device");
		return ERR_PTR(-ENODEV);
	}
	if (index && name && strcmp(dev->name, nla_data(name))) {
		NL_SET_ERR_MSG_ATTR(extack, name, "IFNAME is not the name of IFINDEX");
		dev_put(dev);
		return ERR_PTR(-EINVAL);
	}
	if (!akm_is_device(dev)) {
		NL_SET_ERR_MSG_ATTR(extack, index ?: name, "not an akm device");
		dev_put(dev);
		return ERR_PTR(-EOPNOTSUPP);
	}
	return dev;
}

static const struct {
	const struct nla_policy *policy;
	int max;
} secret_policies[] = {
	[AKM_CMD_GENERATION_INSTALL] = { policy_install, ARRAY_SIZE(policy_install) - 1 },
	[AKM_CMD_PAIR_SET] = { policy_pair_set, ARRAY_SIZE(policy_pair_set) - 1 },
};

/* What the core did not do. */
static int parse_secret(u8 cmd, struct genl_info *info)
{
	info->attrs = kcalloc(AKM_A_GENERATION_MAX + 1, sizeof(*info->attrs), GFP_KERNEL);
	if (!info->attrs)
		return -ENOMEM;
	return nla_parse(info->attrs, secret_policies[cmd].max, request_head(info),
			 request_len(info), secret_policies[cmd].policy, info->extack);
}

static void forget_secret(struct genl_info *info)
{
	memzero_explicit(request_head(info), request_len(info));
	kfree(info->attrs);
	info->attrs = NULL;
}

static int pre_doit(const akm_genl_op *op, struct sk_buff *skb, struct genl_info *info)
{
	struct net_device *dev;
	int err;

	err = check_header(info->nlhdr, info->genlhdr, info->extack);
	if (!err && carries_secrets(op->cmd))
		err = parse_secret(op->cmd, info);
	if (!err)
		err = check_duplicates(request_head(info), request_len(info), op->cmd,
				       info->extack);
	if (!err) {
		dev = resolve(genl_info_net(info), info->attrs, info->extack);
		err = PTR_ERR_OR_ZERO(dev);
	}
	if (!err)
		info->user_ptr[0] = dev;
	else if (carries_secrets(op->cmd))
		forget_secret(info);
	return err;
}

static void post_doit(const akm_genl_op *op, struct sk_buff *skb, struct genl_info *info)
{
	struct net_device *dev = info->user_ptr[0];

	if (carries_secrets(op->cmd))
		forget_secret(info);
	dev_put(dev);
}

/* The request's device, locked. */
static int lock_device(struct genl_info *info, struct akm_device **ret_akm)
{
	struct net_device *dev = info->user_ptr[0];
	struct akm_device *akm = netdev_priv(dev);

	mutex_lock(&akm->lock);
	if (akm->dead) {
		mutex_unlock(&akm->lock);
		NL_SET_ERR_MSG(info->extack, "the device is being deleted");
		return -ENODEV;
	}
	*ret_akm = akm;
	return 0;
}

static void unlock_device(struct akm_device *akm)
{
	mutex_unlock(&akm->lock);
}

/* --- devices --- */

/* Identity may change only as long as no key depends on it. */
static int check_identity(struct akm_device *akm, struct nlattr **attrs,
			  struct netlink_ext_ack *extack)
{
	const struct nlattr *atr_id = attrs[AKM_A_DEV_ATR_ID];
	const struct nlattr *self = attrs[AKM_A_DEV_SELF];
	const struct nlattr *suite = attrs[AKM_A_DEV_SUITE];
	const struct nlattr *bad = NULL;

	if (!akm->generation_count)
		return 0;
	if (atr_id && nla_get_u32(atr_id) != akm->atr_id)
		bad = atr_id;
	else if (self && (!akm->has_self || nla_get_u16(self) != akm->self))
		bad = self;
	else if (suite && nla_get_u32(suite) != akm->suite)
		bad = suite;
	if (!bad)
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, bad, "cannot change while a generation is installed");
	return -EBUSY;
}

/* What concerns the underlay is for the namespace that owns the underlay. */
static int check_underlay(struct akm_device *akm, struct nlattr **attrs,
			  struct netlink_ext_ack *extack)
{
	const struct nlattr *port = attrs[AKM_A_DEV_PORT];

	if (!port && !attrs[AKM_A_DEV_FWMARK])
		return 0;
	if (!ns_capable(akm->net->net->user_ns, CAP_NET_ADMIN)) {
		NL_SET_ERR_MSG(extack, "no permission in the network namespace of the underlay");
		return -EPERM;
	}
	if (port && nla_get_u16(port) != akm->port && netif_running(akm->dev)) {
		NL_SET_ERR_MSG_ATTR(extack, port, "the port cannot change while the device is up");
		return -EBUSY;
	}
	return 0;
}

static int check_epoch_times(struct akm_device *akm, struct nlattr **attrs,
			     struct netlink_ext_ack *extack)
{
	const struct nlattr *interval = attrs[AKM_A_DEV_EPOCH_INTERVAL];
	const struct nlattr *grace = attrs[AKM_A_DEV_EPOCH_GRACE];

	if (interval && nla_get_u32(interval) > EPOCH_MS_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, interval, "more than 30 days");
		return -ERANGE;
	}
	if (grace && nla_get_u32(grace) > GRACE_MS_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, grace, "more than a day");
		return -ERANGE;
	}
	return 0;
}

static int take_incarnation(struct akm_device *akm, const struct nlattr *attr,
			    struct netlink_ext_ack *extack)
{
	struct akm_net *an = akm->net;
	u32 incarnation = nla_get_u32(attr);
	int err = 0;

	if (!incarnation || incarnation > AKM_INCARNATION_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "an incarnation is 1 to 16777215");
		return -ERANGE;
	}
	if (akm_device_asleep()) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "the machine is about to sleep");
		return -EBUSY;
	}
	mutex_lock(&an->lock);
	if (incarnation <= an->incarnation) {
		NL_SET_BAD_ATTR(extack, attr);
		NL_SET_ERR_MSG_FMT(extack, "incarnation %u is not greater than %u, which was used",
				   incarnation, an->incarnation);
		err = -ESTALE;
	} else {
		an->incarnation = incarnation;
		WRITE_ONCE(akm->incarnation, incarnation);
	}
	mutex_unlock(&an->lock);
	return err;
}

static void apply_identity(struct akm_device *akm, struct nlattr **attrs)
{
	if (attrs[AKM_A_DEV_ATR_ID])
		WRITE_ONCE(akm->atr_id, nla_get_u32(attrs[AKM_A_DEV_ATR_ID]));
	if (attrs[AKM_A_DEV_LABEL])
		nla_strscpy(akm->label, attrs[AKM_A_DEV_LABEL], sizeof(akm->label));
	if (attrs[AKM_A_DEV_SELF]) {
		akm->self = nla_get_u16(attrs[AKM_A_DEV_SELF]);
		akm->has_self = true;
		akm_member_update_self(akm);
	}
	if (attrs[AKM_A_DEV_SUITE])
		akm->suite = nla_get_u32(attrs[AKM_A_DEV_SUITE]);
}

static void apply_settings(struct akm_device *akm, struct nlattr **attrs)
{
	if (attrs[AKM_A_DEV_PORT])
		akm->port = nla_get_u16(attrs[AKM_A_DEV_PORT]);
	if (attrs[AKM_A_DEV_FWMARK]) {
		WRITE_ONCE(akm->fwmark, nla_get_u32(attrs[AKM_A_DEV_FWMARK]));
		akm_members_reset_routes(akm);
	}
	if (attrs[AKM_A_DEV_EPOCH_GRACE])
		akm->epoch_grace = nla_get_u32(attrs[AKM_A_DEV_EPOCH_GRACE]);
	if (attrs[AKM_A_DEV_EPOCH_INTERVAL]) {
		akm->epoch_interval = nla_get_u32(attrs[AKM_A_DEV_EPOCH_INTERVAL]);
		akm_generations_schedule_roll(akm);
	}
}

/* The incarnation comes last: it is the only thing that can fail and change something. */
static int dev_set(struct akm_device *akm, struct nlattr **attrs,
		   struct netlink_ext_ack *extack)
{
	const struct nlattr *suite = attrs[AKM_A_DEV_SUITE];
	char driver[CRYPTO_MAX_ALG_NAME];
	int err;

	err = check_identity(akm, attrs, extack);
	err = err ?: check_underlay(akm, attrs, extack);
	err = err ?: check_epoch_times(akm, attrs, extack);
	if (!err && suite) {
		err = akm_aead_probe(nla_get_u32(suite), driver, extack);
		if (err)
			NL_SET_BAD_ATTR(extack, suite);
	}
	if (!err && attrs[AKM_A_DEV_INCARNATION])
		err = take_incarnation(akm, attrs[AKM_A_DEV_INCARNATION], extack);
	if (err)
		return err;
	if (suite)
		strscpy(akm->driver, driver, sizeof(akm->driver));
	apply_identity(akm, attrs);
	apply_settings(akm, attrs);
	return 0;
}

static int do_dev_set(struct sk_buff *skb, struct genl_info *info)
{
	struct akm_device *akm;
	int err;

	rtnl_lock();		/* up or down stays as it is */
	err = lock_device(info, &akm);
	if (!err) {
		err = dev_set(akm, info->attrs, info->extack);
		unlock_device(akm);
	}
	rtnl_unlock();
	return err;
}

/* Answer a do request with one object. */
static int reply(struct genl_info *info, u8 cmd,
		 int (*fill)(struct sk_buff *msg, struct genl_info *info, struct akm_device *akm))
{
	struct akm_device *akm;
	struct sk_buff *msg;
	void *header;
	int err;

	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	header = genlmsg_put_reply(msg, info, &family, 0, cmd);
	err = header ? lock_device(info, &akm) : -EMSGSIZE;
	if (!err) {
		err = fill(msg, info, akm);
		unlock_device(akm);
	}
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	genlmsg_end(msg, header);
	return genlmsg_reply(msg, info);
}

static int fill_dev(struct sk_buff *msg, struct genl_info *info, struct akm_device *akm)
{
	return akm_fill_device(msg, akm);
}

static int do_dev_get(struct sk_buff *skb, struct genl_info *info)
{
	return reply(info, AKM_CMD_DEV_GET, fill_dev);
}

/* --- members --- */

static int check_endpoint4(const struct sockaddr_in *in, struct netlink_ext_ack *extack)
{
	if (!in->sin_port || ipv4_is_zeronet(in->sin_addr.s_addr) ||
	    ipv4_is_multicast(in->sin_addr.s_addr) || ipv4_is_lbcast(in->sin_addr.s_addr)) {
		NL_SET_ERR_MSG(extack, "the endpoint is not a unicast address and a port");
		return -EINVAL;
	}
	return 0;
}

static int check_endpoint6(const struct sockaddr_in6 *in, struct netlink_ext_ack *extack)
{
	int type = ipv6_addr_type(&in->sin6_addr);

	if (!in->sin6_port || !(type & IPV6_ADDR_UNICAST) || (type & IPV6_ADDR_MAPPED)) {
		NL_SET_ERR_MSG(extack, "the endpoint is not a unicast address and a port");
		return -EINVAL;
	}
	if ((type & IPV6_ADDR_LINKLOCAL) && !in->sin6_scope_id) {
		NL_SET_ERR_MSG(extack, "a link-local endpoint needs a scope ID");
		return -EINVAL;
	}
	return 0;
}

static int parse_endpoint(const struct nlattr *attr, struct akm_endpoint **ret_endpoint,
			  struct netlink_ext_ack *extack)
{
	struct sockaddr_in6 addr = {};		/* aligned, and long enough for both */
	struct akm_endpoint *endpoint;
	int err = -EINVAL;

	if (!attr)
		return 0;
	nla_memcpy(&addr, attr, sizeof(addr));
	if (addr.sin6_family == AF_INET && nla_len(attr) == sizeof(struct sockaddr_in))
		err = check_endpoint4((struct sockaddr_in *)&addr, extack);
	else if (addr.sin6_family == AF_INET6 && nla_len(attr) == sizeof(struct sockaddr_in6))
		err = check_endpoint6(&addr, extack);
	else
		NL_SET_ERR_MSG(extack, "the endpoint is no sockaddr_in or sockaddr_in6");
	if (err) {
		NL_SET_BAD_ATTR(extack, attr);
		return err;
	}
	endpoint = akm_endpoint_create((struct sockaddr *)&addr, nla_len(attr));
	if (IS_ERR(endpoint))
		return PTR_ERR(endpoint);
	*ret_endpoint = endpoint;
	return 0;
}

static int parse_prefix_key(const struct nlattr *nest, struct akm_prefix_key *ret_key,
			    struct netlink_ext_ack *extack)
{
	struct nlattr *tb[AKM_A_PREFIX_MAX + 1];
	const struct nlattr *addr;
	int err;

	err = parse_nest(tb, AKM_A_PREFIX_MAX, nest, policy_prefix, extack);
	err = err ?: REQUIRE(tb, AKM_A_PREFIX_ADDR, extack);
	err = err ?: REQUIRE(tb, AKM_A_PREFIX_LEN, extack);
	if (err)
		return err;
	addr = tb[AKM_A_PREFIX_ADDR];
	*ret_key = (struct akm_prefix_key) {
		.family = nla_len(addr) == 4 ? AF_INET : AF_INET6,
		.len = nla_get_u8(tb[AKM_A_PREFIX_LEN]),
	};
	nla_memcpy(ret_key->addr, addr, sizeof(ret_key->addr));
	if (nla_len(addr) != 4 && nla_len(addr) != 16) {
		NL_SET_ERR_MSG_ATTR(extack, addr, "an address has 4 or 16 bytes");
		return -EINVAL;
	}
	if (ret_key->family == AF_INET && ret_key->len > 32) {
		NL_SET_ERR_MSG_ATTR(extack, tb[AKM_A_PREFIX_LEN], "longer than an IPv4 address");
		return -EINVAL;
	}
	if (akm_prefix_has_host_bits(ret_key)) {
		NL_SET_ERR_MSG_ATTR(extack, addr, "bits are set beyond the prefix length");
		return -EINVAL;
	}
	return 0;
}

static void free_prefixes(struct list_head *prefixes)
{
	struct akm_prefix *prefix, *next;

	list_for_each_entry_safe(prefix, next, prefixes, list) {
		list_del(&prefix->list);
		kfree(prefix);
	}
}

static int add_prefix(struct akm_member_config *config, const struct nlattr *nest,
		      struct netlink_ext_ack *extack)
{
	struct akm_prefix *prefix, *other;
	struct akm_prefix_key key;
	int err;

	if (config->prefix_count >= AKM_PREFIXES_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "more prefixes than a member can have");
		return -E2BIG;
	}
	err = parse_prefix_key(nest, &key, extack);
	if (err)
		return err;
	list_for_each_entry(other, &config->prefixes, list) {
		if (!memcmp(&other->key, &key, sizeof(key))) {
			NL_SET_ERR_MSG_ATTR(extack, nest, "prefix given twice");
			return -EINVAL;
		}
	}
	prefix = kzalloc(sizeof(*prefix), GFP_KERNEL);
	if (!prefix)
		return -ENOMEM;
	prefix->key = key;
	list_add_tail(&prefix->list, &config->prefixes);
	config->prefix_count++;
	return 0;
}

static int parse_prefixes(struct akm_member_config *config, const struct genl_info *info)
{
	const struct nlattr *attr;
	int rem, err;

	nla_for_each_attr(attr, request_head(info), request_len(info), rem) {
		if (nla_type(attr) != AKM_A_MEMBER_PREFIX)
			continue;
		err = add_prefix(config, attr, info->extack);
		if (err)
			return err;
	}
	return 0;
}

static int parse_member(struct akm_member_config *config, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	int err;

	err = REQUIRE(attrs, AKM_A_MEMBER_INDEX, info->extack);
	if (err)
		return err;
	config->index = nla_get_u16(attrs[AKM_A_MEMBER_INDEX]);
	if (attrs[AKM_A_MEMBER_NAME])
		config->name = nla_data(attrs[AKM_A_MEMBER_NAME]);
	err = parse_endpoint(attrs[AKM_A_MEMBER_ENDPOINT], &config->endpoint, info->extack);
	return err ?: parse_prefixes(config, info);
}

static int do_member_set(struct sk_buff *skb, struct genl_info *info)
{
	struct akm_member_config config = {};
	struct akm_device *akm;
	int err;

	INIT_LIST_HEAD(&config.prefixes);
	err = parse_member(&config, info);
	if (!err)
		err = lock_device(info, &akm);
	if (!err) {
		err = akm_member_set(akm, &config, info->extack);
		unlock_device(akm);
	}
	free_prefixes(&config.prefixes);
	akm_endpoint_free(config.endpoint);
	return err;
}

static struct akm_member *find_member(struct akm_device *akm, struct genl_info *info)
{
	const struct nlattr *index = info->attrs[AKM_A_MEMBER_INDEX];
	struct akm_member *member;

	if (REQUIRE(info->attrs, AKM_A_MEMBER_INDEX, info->extack))
		return ERR_PTR(-EINVAL);
	member = akm_member_find(akm, nla_get_u16(index));
	if (!member) {
		NL_SET_ERR_MSG_ATTR(info->extack, index, "no such member");
		return ERR_PTR(-ENOENT);
	}
	return member;
}

static int do_member_del(struct sk_buff *skb, struct genl_info *info)
{
	struct akm_member *member;
	struct akm_device *akm;
	int err;

	err = lock_device(info, &akm);
	if (err)
		return err;
	member = find_member(akm, info);
	if (IS_ERR(member))
		err = PTR_ERR(member);
	else
		akm_member_delete(akm, member);
	unlock_device(akm);
	return err;
}

static int fill_member(struct sk_buff *msg, struct genl_info *info, struct akm_device *akm)
{
	struct akm_member *member = find_member(akm, info);

	return IS_ERR(member) ? PTR_ERR(member) : akm_fill_member(msg, akm, member);
}

static int do_member_get(struct sk_buff *skb, struct genl_info *info)
{
	return reply(info, AKM_CMD_MEMBER_GET, fill_member);
}

/* --- generations --- */

static int parse_pair(struct akm_pair *ret_pair, const struct nlattr *nest,
		      unsigned long *seen, struct netlink_ext_ack *extack)
{
	struct nlattr *tb[AKM_A_PAIR_MAX + 1];
	int err;

	err = parse_nest(tb, AKM_A_PAIR_MAX, nest, policy_pair, extack);
	err = err ?: REQUIRE(tb, AKM_A_PAIR_INDEX, extack);
	err = err ?: REQUIRE(tb, AKM_A_PAIR_CHAIN, extack);
	if (err)
		return err;
	*ret_pair = (struct akm_pair) {
		.index = nla_get_u16(tb[AKM_A_PAIR_INDEX]),
		.chain = nla_data(tb[AKM_A_PAIR_CHAIN]),
		.attr = tb[AKM_A_PAIR_INDEX],
	};
	if (__test_and_set_bit(ret_pair->index, seen)) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "pair given twice");
		return -EINVAL;
	}
	return 0;
}

static u32 count_pairs(const struct genl_info *info)
{
	const struct nlattr *attr;
	u32 n = 0;
	int rem;

	nla_for_each_attr(attr, request_head(info), request_len(info), rem)
		n += nla_type(attr) == AKM_A_GENERATION_PAIR;
	return n;
}

static int parse_each_pair(struct akm_install *install, unsigned long *seen,
			   const struct genl_info *info)
{
	const struct nlattr *attr;
	int rem, err;
	u32 i = 0;

	nla_for_each_attr(attr, request_head(info), request_len(info), rem) {
		if (nla_type(attr) != AKM_A_GENERATION_PAIR)
			continue;
		err = parse_pair(&install->pairs[i++], attr, seen, info->extack);
		if (err)
			return err;
	}
	return 0;
}

/* The caller frees install->pairs with kvfree(), also after an error. */
static int parse_pairs(struct akm_install *install, const struct genl_info *info)
{
	unsigned long *seen;
	int err;

	install->pair_count = count_pairs(info);
	if (!install->pair_count)
		return 0;
	install->pairs = kvcalloc(install->pair_count, sizeof(*install->pairs), GFP_KERNEL);
	seen = bitmap_zalloc(AKM_INDEX_MAX + 1, GFP_KERNEL);
	err = install->pairs && seen ? parse_each_pair(install, seen, info) : -ENOMEM;
	bitmap_free(seen);
	return err;
}

static int parse_install(struct akm_install *install, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	int err;

	err = REQUIRE(attrs, AKM_A_GENERATION_NUMBER, info->extack);
	if (err)
		return err;
	install->number = nla_get_u32(attrs[AKM_A_GENERATION_NUMBER]);
	if (attrs[AKM_A_GENERATION_KEY_ID])
		install->key_id = nla_get_u32(attrs[AKM_A_GENERATION_KEY_ID]);
	if (attrs[AKM_A_GENERATION_CHAIN])
		install->chain = nla_data(attrs[AKM_A_GENERATION_CHAIN]);
	if (attrs[AKM_A_GENERATION_EPOCH])
		install->epoch = nla_get_u64(attrs[AKM_A_GENERATION_EPOCH]);
	if (install->epoch > AKM_EPOCH_MAX) {
		NL_SET_ERR_MSG_ATTR(info->extack, attrs[AKM_A_GENERATION_EPOCH],
				    "the epoch is too large");
		return -ERANGE;
	}
	return parse_pairs(install, info);
}

/* Compare-and-set on the active generation. */
static int check_expect(struct akm_device *akm, struct genl_info *info)
{
	const struct akm_generation *active = akm_generation_active(akm);
	const struct nlattr *expect = info->attrs[AKM_A_GENERATION_EXPECT];
	u32 number = active ? active->ctx.generation : 0;

	if (!expect || nla_get_u32(expect) == number)
		return 0;
	NL_SET_BAD_ATTR(info->extack, expect);
	NL_SET_ERR_MSG_FMT(info->extack, "expected active generation %u, it is %u",
			   nla_get_u32(expect), number);
	return -ESTALE;
}

static int with_install(struct genl_info *info,
			int (*act)(struct akm_device *akm, const struct akm_install *install,
				   struct netlink_ext_ack *extack))
{
	struct akm_install install = {};
	struct akm_device *akm;
	int err;

	err = parse_install(&install, info);
	if (!err)
		err = lock_device(info, &akm);
	if (!err) {
		err = check_expect(akm, info);
		if (!err)
			err = act(akm, &install, info->extack);
		unlock_device(akm);
	}
	kvfree(install.pairs);
	return err;
}

static int do_install(struct sk_buff *skb, struct genl_info *info)
{
	int err;

	err = REQUIRE(info->attrs, AKM_A_GENERATION_KEY_ID, info->extack);
	err = err ?: REQUIRE(info->attrs, AKM_A_GENERATION_CHAIN, info->extack);
	return err ?: with_install(info, akm_generation_install);
}

static int do_pair_set(struct sk_buff *skb, struct genl_info *info)
{
	int err;

	err = REQUIRE(info->attrs, AKM_A_GENERATION_PAIR, info->extack);
	return err ?: with_install(info, akm_generation_add_pairs);
}

static int activate(struct akm_device *akm, u32 number, struct genl_info *info)
{
	const struct nlattr *grace = info->attrs[AKM_A_GENERATION_GRACE];
	u32 ms = grace ? nla_get_u32(grace) : AKM_DEFAULT_GRACE_MS;

	if (ms > GRACE_MS_MAX) {
		NL_SET_ERR_MSG_ATTR(info->extack, grace, "more than a day");
		return -ERANGE;
	}
	return akm_generation_activate(akm, number, ms, info->extack);
}

static int retire(struct akm_device *akm, u32 number, struct genl_info *info)
{
	return akm_generation_retire(akm, number, info->extack);
}

static int with_number(struct genl_info *info,
		       int (*act)(struct akm_device *akm, u32 number, struct genl_info *info))
{
	struct akm_device *akm;
	int err;

	err = REQUIRE(info->attrs, AKM_A_GENERATION_NUMBER, info->extack);
	if (!err)
		err = lock_device(info, &akm);
	if (err)
		return err;
	err = check_expect(akm, info);
	if (!err)
		err = act(akm, nla_get_u32(info->attrs[AKM_A_GENERATION_NUMBER]), info);
	unlock_device(akm);
	return err;
}

static int do_activate(struct sk_buff *skb, struct genl_info *info)
{
	return with_number(info, activate);
}

static int do_retire(struct sk_buff *skb, struct genl_info *info)
{
	return with_number(info, retire);
}

static int do_roll(struct sk_buff *skb, struct genl_info *info)
{
	struct akm_device *akm;
	int err;

	err = lock_device(info, &akm);
	if (err)
		return err;
	err = check_expect(akm, info);
	if (!err)
		err = akm_generation_roll(akm, info->extack);
	unlock_device(akm);
	return err;
}

static int fill_generation(struct sk_buff *msg, struct genl_info *info, struct akm_device *akm)
{
	const struct nlattr *number = info->attrs[AKM_A_GENERATION_NUMBER];
	struct akm_generation *gen;

	if (REQUIRE(info->attrs, AKM_A_GENERATION_NUMBER, info->extack))
		return -EINVAL;
	gen = akm_generation_find(akm, nla_get_u32(number));
	if (!gen) {
		NL_SET_ERR_MSG_ATTR(info->extack, number, "no such generation");
		return -ENOENT;
	}
	return akm_fill_generation(msg, akm, gen);
}

static int do_generation_get(struct sk_buff *skb, struct genl_info *info)
{
	return reply(info, AKM_CMD_GENERATION_GET, fill_generation);
}

/* --- dumps --- */

/* Between the parts of a dump nothing is held; the device may go. */
struct dump {
	int ifindex;			/* of the one device; 0: all devices */
	unsigned long position;		/* what comes next */
};

static struct dump *dump_of(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct dump) > sizeof(cb->ctx));
	return (struct dump *)cb->ctx;
}

static int dump_check(struct netlink_callback *cb)
{
	const struct nlmsghdr *nlh = cb->nlh;
	const struct genlmsghdr *header = nlmsg_data(nlh);
	int err;

	err = check_header(nlh, header, cb->extack);
	if (err)
		return err;
	return check_duplicates(nlmsg_attrdata(nlh, GENL_HDRLEN),
				nlmsg_attrlen(nlh, GENL_HDRLEN), AKM_CMD_UNSPEC, cb->extack);
}

static int dump_start_all(struct netlink_callback *cb)
{
	struct nlattr **attrs = akm_dump_attrs(cb);

	if (attrs && (attrs[A_IFINDEX] || attrs[A_IFNAME])) {
		NL_SET_ERR_MSG(cb->extack, "a dump of devices is of all devices");
		return -EINVAL;
	}
	return dump_check(cb);
}

static int dump_start_one(struct netlink_callback *cb)
{
	static struct nlattr *none[AKM_A_GENERATION_MAX + 1];
	struct net_device *dev;
	int err;

	err = dump_check(cb);
	if (err)
		return err;
	dev = resolve(sock_net(cb->skb->sk), akm_dump_attrs(cb) ?: none, cb->extack);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	dump_of(cb)->ifindex = dev->ifindex;
	dev_put(dev);
	return 0;
}

static void *dump_put(struct sk_buff *msg, struct netlink_callback *cb, u8 cmd)
{
	void *header = genlmsg_put(msg, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				   &family, NLM_F_MULTI, cmd);

	if (header)
		genl_dump_check_consistent(cb, header);
	return header;
}

static int dump_device(struct sk_buff *msg, struct netlink_callback *cb, struct akm_device *akm)
{
	void *header = dump_put(msg, cb, AKM_CMD_DEV_GET);
	int err;

	if (!header)
		return -EMSGSIZE;
	mutex_lock(&akm->lock);
	err = akm_fill_device(msg, akm);
	mutex_unlock(&akm->lock);
	if (err) {
		genlmsg_cancel(msg, header);
		return err;
	}
	genlmsg_end(msg, header);
	return 0;
}

static int dumpit_devices(struct sk_buff *msg, struct netlink_callback *cb)
{
	struct net *net = sock_net(cb->skb->sk);
	struct dump *dump = dump_of(cb);
	unsigned long position = 0;
	struct net_device *dev;
	int err = 0;

	rtnl_lock();
	cb->seq = net->dev_base_seq;
	for_each_netdev(net, dev) {
		if (!akm_is_device(dev))
			continue;
		if (position++ < dump->position)
			continue;
		err = dump_device(msg, cb, netdev_priv(dev));
		if (err)
			break;
		dump->position = position;
	}
	rtnl_unlock();
	return err && !msg->len ? err : msg->len;
}

/* Lock the device of the dump; it may have been deleted since the last part. */
static int dump_lock(struct netlink_callback *cb, struct net_device **ret_dev)
{
	struct net_device *dev;
	struct akm_device *akm;

	dev = dev_get_by_index(sock_net(cb->skb->sk), dump_of(cb)->ifindex);
	if (!dev)
		return -ENODEV;
	akm = netdev_priv(dev);
	if (akm_is_device(dev)) {
		mutex_lock(&akm->lock);
		if (!akm->dead) {
			*ret_dev = dev;
			return 0;
		}
		mutex_unlock(&akm->lock);
	}
	dev_put(dev);
	return -ENODEV;
}

static void dump_unlock(struct net_device *dev)
{
	struct akm_device *akm = netdev_priv(dev);

	mutex_unlock(&akm->lock);
	dev_put(dev);
}

static int dump_members(struct sk_buff *msg, struct netlink_callback *cb, struct akm_device *akm)
{
	struct dump *dump = dump_of(cb);
	struct akm_member *member;
	unsigned long index;
	void *header;
	int err;

	cb->seq = akm->member_changes + 1;
	xa_for_each_start(&akm->members, index, member, dump->position) {
		header = dump_put(msg, cb, AKM_CMD_MEMBER_GET);
		err = header ? akm_fill_member(msg, akm, member) : -EMSGSIZE;
		if (err) {
			if (header)
				genlmsg_cancel(msg, header);
			return err;
		}
		genlmsg_end(msg, header);
		dump->position = index + 1;
	}
	return 0;
}

/* Generations are in the order of their numbers. */
static int dump_generations(struct sk_buff *msg, struct netlink_callback *cb,
			    struct akm_device *akm)
{
	struct dump *dump = dump_of(cb);
	struct akm_generation *gen;
	void *header;
	int err;

	cb->seq = akm->generation_changes + 1;
	list_for_each_entry(gen, &akm->generations, list) {
		if (gen->ctx.generation < dump->position)
			continue;
		header = dump_put(msg, cb, AKM_CMD_GENERATION_GET);
		err = header ? akm_fill_generation(msg, akm, gen) : -EMSGSIZE;
		if (err) {
			if (header)
				genlmsg_cancel(msg, header);
			return err;
		}
		genlmsg_end(msg, header);
		dump->position = (unsigned long)gen->ctx.generation + 1;
	}
	return 0;
}

static int dumpit(struct sk_buff *msg, struct netlink_callback *cb,
		  int (*dump)(struct sk_buff *msg, struct netlink_callback *cb,
			      struct akm_device *akm))
{
	struct net_device *dev;
	int err;

	err = dump_lock(cb, &dev);
	if (err)
		return err;
	err = dump(msg, cb, netdev_priv(dev));
	dump_unlock(dev);
	return err && !msg->len ? err : msg->len;
}

static int dumpit_members(struct sk_buff *msg, struct netlink_callback *cb)
{
	return dumpit(msg, cb, dump_members);
}

static int dumpit_generations(struct sk_buff *msg, struct netlink_callback *cb)
{
	return dumpit(msg, cb, dump_generations);
}

/* --- the family --- */

#define OP(_cmd, _policy, _doit) \
	.cmd = (_cmd), .policy = (_policy), .maxattr = ARRAY_SIZE(_policy) - 1, \
	.flags = GENL_UNS_ADMIN_PERM, .doit = (_doit)

static const struct genl_ops ops[] = {
	{
		OP(AKM_CMD_DEV_GET, policy_device, do_dev_get),
		.start = dump_start_all,
		.dumpit = dumpit_devices,
	},
	{ OP(AKM_CMD_DEV_SET, policy_dev_set, do_dev_set) },
	{
		OP(AKM_CMD_MEMBER_GET, policy_member_index, do_member_get),
		.start = dump_start_one,
		.dumpit = dumpit_members,
	},
	{ OP(AKM_CMD_MEMBER_SET, policy_member_set, do_member_set) },
	{ OP(AKM_CMD_MEMBER_DEL, policy_member_index, do_member_del) },
	{
		OP(AKM_CMD_GENERATION_GET, policy_generation_number, do_generation_get),
		.start = dump_start_one,
		.dumpit = dumpit_generations,
	},
	{
		.cmd = AKM_CMD_GENERATION_INSTALL,	/* no policy, see above */
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = do_install,
	},
	{ OP(AKM_CMD_GENERATION_ACTIVATE, policy_activate, do_activate) },
	{ OP(AKM_CMD_GENERATION_RETIRE, policy_retire, do_retire) },
	{
		.cmd = AKM_CMD_PAIR_SET,		/* no policy, see above */
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = do_pair_set,
	},
	{ OP(AKM_CMD_EPOCH_ROLL, policy_roll, do_roll) },
};

static const struct genl_multicast_group groups[] = {
	{ .name = AKM_MCGRP_EVENTS, .flags = GENL_MCAST_CAP_NET_ADMIN },
};

static struct genl_family family __ro_after_init = {
	.name = AKM_GENL_NAME,
	.version = AKM_GENL_VERSION,
	.netnsok = true,
	.parallel_ops = true,
	.module = THIS_MODULE,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.resv_start_op = AKM_CMD_MAX + 1,	/* see above */
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
	.pre_doit = pre_doit,
	.post_doit = post_doit,
};

int __init akm_netlink_init(void)
{
	akm_monitor_family(&family);
	return genl_register_family(&family);
}

void akm_netlink_exit(void)
{
	genl_unregister_family(&family);
}
