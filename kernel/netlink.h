/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The generic netlink family "akm"; Documentation/netlink/specs/akm.yaml.
 * netlink.c holds the family and what its commands have in common, netlink_dev.c,
 * netlink_member.c and netlink_generation.c the commands, netlink_dump.c the dumps,
 * netlink_fill.c the answers.
 */
#ifndef _AKM_NETLINK_H
#define _AKM_NETLINK_H

#include <linux/akm.h>
#include <net/genetlink.h>

struct akm_device;
struct akm_generation;
struct akm_member;

#define AKM_GRACE_MS_MAX	(24U * 3600 * 1000)

/* IFINDEX and IFNAME have the same numbers in all three attribute sets. */
enum {
	A_IFINDEX = AKM_A_DEV_IFINDEX,
	A_IFNAME = AKM_A_DEV_IFNAME,
};

static_assert((int)AKM_A_MEMBER_IFINDEX == A_IFINDEX);
static_assert((int)AKM_A_MEMBER_IFNAME == A_IFNAME);
static_assert((int)AKM_A_GENERATION_IFINDEX == A_IFINDEX);
static_assert((int)AKM_A_GENERATION_IFNAME == A_IFNAME);

extern struct genl_family akm_family;
extern const struct nla_policy akm_policy_prefix[AKM_A_PREFIX_MAX + 1];
extern const struct nla_policy akm_policy_pair[AKM_A_PAIR_MAX + 1];

int akm_netlink_init(void);
void akm_netlink_exit(void);

/* Attributes of the request, as they came */
struct nlattr *akm_nl_request_head(const struct genl_info *info);
int akm_nl_request_len(const struct genl_info *info);

/* Return: 0, or -EINVAL and @extack says which one is missing. */
int akm_nl_require(struct nlattr **attrs, int type, const char *name,
		   struct netlink_ext_ack *extack);
#define REQUIRE(attrs, type, extack)	akm_nl_require(attrs, type, #type, extack)

/* The parser takes the last of several without a word; this refuses them. */
int akm_nl_check_duplicates(const struct nlattr *head, int len, u8 cmd,
			    struct netlink_ext_ack *extack);
/* As the core does for commands from resv_start_op on */
int akm_nl_check_header(const struct nlmsghdr *nlh, const struct genlmsghdr *header,
			struct netlink_ext_ack *extack);
/* Strict, and without duplicates. */
int akm_nl_parse_nest(struct nlattr *tb[], int max, const struct nlattr *nest,
		      const struct nla_policy *policy, struct netlink_ext_ack *extack);
/* The device that the attributes name, with a reference, or an error. */
struct net_device *akm_nl_resolve(struct net *net, struct nlattr **attrs,
				  struct netlink_ext_ack *extack);
/* Lock the request's device. Return: 0, or -ENODEV if it is being deleted. */
int akm_nl_lock(struct genl_info *info, struct akm_device **ret_akm);
void akm_nl_unlock(struct akm_device *akm);
/* Answer a do request with the one object that @fill puts into the message. */
int akm_nl_reply(struct genl_info *info, u8 cmd,
		 int (*fill)(struct sk_buff *msg, struct genl_info *info,
			     struct akm_device *akm));

/* doit */
int akm_nl_dev_get(struct sk_buff *skb, struct genl_info *info);
int akm_nl_dev_set(struct sk_buff *skb, struct genl_info *info);
int akm_nl_member_get(struct sk_buff *skb, struct genl_info *info);
int akm_nl_member_set(struct sk_buff *skb, struct genl_info *info);
int akm_nl_member_del(struct sk_buff *skb, struct genl_info *info);
int akm_nl_generation_get(struct sk_buff *skb, struct genl_info *info);
int akm_nl_generation_install(struct sk_buff *skb, struct genl_info *info);
int akm_nl_generation_activate(struct sk_buff *skb, struct genl_info *info);
int akm_nl_generation_retire(struct sk_buff *skb, struct genl_info *info);
int akm_nl_pair_set(struct sk_buff *skb, struct genl_info *info);
int akm_nl_epoch_roll(struct sk_buff *skb, struct genl_info *info);

/* start and dumpit */
int akm_nl_dump_start_all(struct netlink_callback *cb);
int akm_nl_dump_start_one(struct netlink_callback *cb);
int akm_nl_dump_devices(struct sk_buff *msg, struct netlink_callback *cb);
int akm_nl_dump_members(struct sk_buff *msg, struct netlink_callback *cb);
int akm_nl_dump_generations(struct sk_buff *msg, struct netlink_callback *cb);

/*
 * One object into the message, metadata only. Device locked.
 * Return: 0 or -EMSGSIZE; the caller takes back what was put.
 */
int akm_fill_device(struct sk_buff *msg, struct akm_device *akm);
int akm_fill_member(struct sk_buff *msg, struct akm_device *akm,
		    const struct akm_member *member);
int akm_fill_generation(struct sk_buff *msg, struct akm_device *akm,
			struct akm_generation *gen);

#endif /* _AKM_NETLINK_H */
