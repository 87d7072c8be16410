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
#include <linux/slab.h>
#include "compat/compat.h"
#include "device.h"

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
	[AKM_A_DEV_FRESHNESS] = NLA_POLICY_RANGE(NLA_U32, AKM_FRESHNESS_STRICT,
						 AKM_FRESHNESS_EPOCH),
	[AKM_A_DEV_GROUP] = { .type = NLA_BINARY, .len = sizeof(struct in6_addr) },
	[AKM_A_DEV_GROUP_LINK] = NLA_POLICY_MIN(NLA_U32, 1),
	[AKM_A_DEV_GROUP_TTL] = NLA_POLICY_MIN(NLA_U8, 1),
	[AKM_A_DEV_FLOW_PORT_LOW] = { .type = NLA_U16 },
	[AKM_A_DEV_FLOW_PORT_HIGH] = { .type = NLA_U16 },
	[AKM_A_DEV_SPREAD] = NLA_POLICY_RANGE(NLA_U32, AKM_SPREAD_OFF, AKM_SPREAD_ON),
};

const struct nla_policy akm_policy_prefix[AKM_A_PREFIX_MAX + 1] = {
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
	[AKM_A_MEMBER_PREFIX] = NLA_POLICY_NESTED(akm_policy_prefix),
	[AKM_A_MEMBER_ENDPOINT] = NLA_POLICY_RANGE(NLA_BINARY, sizeof(struct sockaddr_in),
						   sizeof(struct sockaddr_in6)),
	[AKM_A_MEMBER_ROAMS] = { .type = NLA_FLAG },
	[AKM_A_MEMBER_KEEPALIVE] = { .type = NLA_U32 },
};

const struct nla_policy akm_policy_pair[AKM_A_PAIR_MAX + 1] = {
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
	[AKM_A_GENERATION_PAIR] = NLA_POLICY_NESTED(akm_policy_pair),
	[AKM_A_GENERATION_EXPECT] = { .type = NLA_U32 },
	[AKM_A_GENERATION_UNUSED] = { .type = NLA_FLAG },
};

static const struct nla_policy policy_pair_set[] = {
	POLICY_DEVICE,
	[AKM_A_GENERATION_NUMBER] = NLA_POLICY_MIN(NLA_U32, 1),
	[AKM_A_GENERATION_EPOCH] = { .type = NLA_U64 },
	[AKM_A_GENERATION_PAIR] = NLA_POLICY_NESTED(akm_policy_pair),
	[AKM_A_GENERATION_EXPECT] = { .type = NLA_U32 },
};

static const struct nla_policy policy_activate[] = {
	POLICY_DEVICE,
	[AKM_A_GENERATION_NUMBER] = NLA_POLICY_MIN(NLA_U32, 1),
	[AKM_A_GENERATION_EXPECT] = { .type = NLA_U32 },
	[AKM_A_GENERATION_GRACE] = { .type = NLA_U32 },
	[AKM_A_GENERATION_ANNOUNCE] = { .type = NLA_FLAG },
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
int akm_nl_check_duplicates(const struct nlattr *head, int len, u8 cmd,
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

int akm_nl_parse_nest(struct nlattr *tb[], int max, const struct nlattr *nest,
		      const struct nla_policy *policy, struct netlink_ext_ack *extack)
{
	int err;

	err = nla_parse_nested(tb, max, nest, policy, extack);
	if (err)
		return err;
	return akm_nl_check_duplicates(nla_data(nest), nla_len(nest), AKM_CMD_UNSPEC, extack);
}

/* As the core does for commands from resv_start_op on */
int akm_nl_check_header(const struct nlmsghdr *nlh, const struct genlmsghdr *header,
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

struct nlattr *akm_nl_request_head(const struct genl_info *info)
{
	return nlmsg_attrdata(info->nlhdr, GENL_HDRLEN);
}

int akm_nl_request_len(const struct genl_info *info)
{
	return nlmsg_attrlen(info->nlhdr, GENL_HDRLEN);
}

int akm_nl_require(struct nlattr **attrs, int type, const char *name,
		   struct netlink_ext_ack *extack)
{
	if (attrs[type])
		return 0;
	NL_SET_ERR_MSG_FMT(extack, "attribute %s is missing", name);
	return -EINVAL;
}

/* The device, with a reference, or an error. RTNL is not needed. */
struct net_device *akm_nl_resolve(struct net *net, struct nlattr **attrs,
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
	return nla_parse(info->attrs, secret_policies[cmd].max, akm_nl_request_head(info),
			 akm_nl_request_len(info), secret_policies[cmd].policy, info->extack);
}

static void forget_secret(struct genl_info *info)
{
	memzero_explicit(akm_nl_request_head(info), akm_nl_request_len(info));
	kfree(info->attrs);
	info->attrs = NULL;
}

static int pre_doit(const akm_genl_op *op, struct sk_buff *skb, struct genl_info *info)
{
	struct net_device *dev;
	int err;

	err = akm_nl_check_header(info->nlhdr, info->genlhdr, info->extack);
	if (!err && carries_secrets(op->cmd))
		err = parse_secret(op->cmd, info);
	if (!err)
		err = akm_nl_check_duplicates(akm_nl_request_head(info), akm_nl_request_len(info),
					      op->cmd, info->extack);
	if (!err) {
		dev = akm_nl_resolve(genl_info_net(info), info->attrs, info->extack);
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
int akm_nl_lock(struct genl_info *info, struct akm_device **ret_akm)
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

void akm_nl_unlock(struct akm_device *akm)
{
	mutex_unlock(&akm->lock);
}

/* Answer a do request with one object. */
int akm_nl_reply(struct genl_info *info, u8 cmd,
		 int (*fill)(struct sk_buff *msg, struct genl_info *info,
			     struct akm_device *akm))
{
	struct akm_device *akm;
	struct sk_buff *msg;
	void *header;
	int err;

	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	header = genlmsg_put_reply(msg, info, &akm_family, 0, cmd);
	err = header ? akm_nl_lock(info, &akm) : -EMSGSIZE;
	if (!err) {
		err = fill(msg, info, akm);
		akm_nl_unlock(akm);
	}
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	genlmsg_end(msg, header);
	return genlmsg_reply(msg, info);
}

#define OP(_cmd, _policy, _doit) \
	.cmd = (_cmd), .policy = (_policy), .maxattr = ARRAY_SIZE(_policy) - 1, \
	.flags = GENL_UNS_ADMIN_PERM, .doit = (_doit)

static const struct genl_ops ops[] = {
	{
		OP(AKM_CMD_DEV_GET, policy_device, akm_nl_dev_get),
		.start = akm_nl_dump_start_all,
		.dumpit = akm_nl_dump_devices,
	},
	{ OP(AKM_CMD_DEV_SET, policy_dev_set, akm_nl_dev_set) },
	{
		OP(AKM_CMD_MEMBER_GET, policy_member_index, akm_nl_member_get),
		.start = akm_nl_dump_start_one,
		.dumpit = akm_nl_dump_members,
	},
	{ OP(AKM_CMD_MEMBER_SET, policy_member_set, akm_nl_member_set) },
	{ OP(AKM_CMD_MEMBER_DEL, policy_member_index, akm_nl_member_del) },
	{
		OP(AKM_CMD_GENERATION_GET, policy_generation_number, akm_nl_generation_get),
		.start = akm_nl_dump_start_one,
		.dumpit = akm_nl_dump_generations,
	},
	{
		.cmd = AKM_CMD_GENERATION_INSTALL,	/* no policy, see above */
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = akm_nl_generation_install,
	},
	{ OP(AKM_CMD_GENERATION_ACTIVATE, policy_activate, akm_nl_generation_activate) },
	{ OP(AKM_CMD_GENERATION_RETIRE, policy_retire, akm_nl_generation_retire) },
	{
		.cmd = AKM_CMD_PAIR_SET,		/* no policy, see above */
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = akm_nl_pair_set,
	},
	{ OP(AKM_CMD_EPOCH_ROLL, policy_roll, akm_nl_epoch_roll) },
};

static const struct genl_multicast_group groups[] = {
	{ .name = AKM_MCGRP_EVENTS, .flags = GENL_MCAST_CAP_NET_ADMIN },
};

struct genl_family akm_family __ro_after_init = {
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
	int err = genl_register_family(&akm_family);

	if (!err)
		akm_monitor_family(&akm_family);
	return err;
}

void akm_netlink_exit(void)
{
	akm_monitor_family(NULL);	/* devices that go afterwards report to nobody */
	genl_unregister_family(&akm_family);
}
