// SPDX-License-Identifier: GPL-2.0
/* Commands on members. */
#include "netlink.h"

#include <linux/akm.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include "atr.h"
#include "device.h"
#include "keepalive.h"
#include "socket.h"

static int check_endpoint4(const struct sockaddr_in *in, struct netlink_ext_ack *extack)
{
	if (!akm_endpoint_valid4(in)) {
		NL_SET_ERR_MSG(extack, "the endpoint is not a unicast address and a port");
		return -EINVAL;
	}
	return 0;
}

static int check_endpoint6(const struct sockaddr_in6 *in, struct netlink_ext_ack *extack)
{
	if (!akm_endpoint_valid6(in)) {
		NL_SET_ERR_MSG(extack, "the endpoint is not a unicast address and a port");
		return -EINVAL;
	}
	if (ipv6_addr_type(&in->sin6_addr) & IPV6_ADDR_LINKLOCAL && !in->sin6_scope_id) {
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
	endpoint = akm_endpoint_create((struct sockaddr *)&addr, nla_len(attr), GFP_KERNEL);
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

	err = akm_nl_parse_nest(tb, AKM_A_PREFIX_MAX, nest, akm_policy_prefix, extack);
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

	nla_for_each_attr(attr, akm_nl_request_head(info), akm_nl_request_len(info), rem) {
		if (nla_type(attr) != AKM_A_MEMBER_PREFIX)
			continue;
		err = add_prefix(config, attr, info->extack);
		if (err)
			return err;
	}
	return 0;
}

static int parse_keepalive(const struct nlattr *attr, struct akm_keepalive **ret_keepalive,
			   struct netlink_ext_ack *extack)
{
	u32 ms = attr ? nla_get_u32(attr) : 0;
	struct akm_keepalive *keepalive;

	if (ms && (ms < AKM_KEEPALIVE_MIN_MS || ms > AKM_KEEPALIVE_MAX_MS)) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "a keepalive is due every second to every day");
		return -ERANGE;
	}
	keepalive = akm_keepalive_create(ms);
	if (IS_ERR(keepalive))
		return PTR_ERR(keepalive);
	*ret_keepalive = keepalive;
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
	config->roams = nla_get_flag(attrs[AKM_A_MEMBER_ROAMS]);
	err = parse_endpoint(attrs[AKM_A_MEMBER_ENDPOINT], &config->endpoint, info->extack);
	err = err ?: parse_keepalive(attrs[AKM_A_MEMBER_KEEPALIVE], &config->keepalive,
				     info->extack);
	return err ?: parse_prefixes(config, info);
}

int akm_nl_member_set(struct sk_buff *skb, struct genl_info *info)
{
	struct akm_member_config config = {};
	struct akm_device *akm;
	int err;

	INIT_LIST_HEAD(&config.prefixes);
	err = parse_member(&config, info);
	if (!err)
		err = akm_nl_lock(info, &akm);
	if (!err) {
		err = akm_member_set(akm, &config, info->extack);
		akm_nl_unlock(akm);
	}
	free_prefixes(&config.prefixes);
	akm_endpoint_free(config.endpoint);
	akm_keepalive_free(config.keepalive);
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

int akm_nl_member_del(struct sk_buff *skb, struct genl_info *info)
{
	struct akm_member *member;
	struct akm_device *akm;
	int err;

	err = akm_nl_lock(info, &akm);
	if (err)
		return err;
	member = find_member(akm, info);
	if (IS_ERR(member))
		err = PTR_ERR(member);
	else
		akm_member_delete(akm, member);
	akm_nl_unlock(akm);
	return err;
}

static int fill_member(struct sk_buff *msg, struct genl_info *info, struct akm_device *akm)
{
	struct akm_member *member = find_member(akm, info);

	return IS_ERR(member) ? PTR_ERR(member) : akm_fill_member(msg, akm, member);
}

int akm_nl_member_get(struct sk_buff *skb, struct genl_info *info)
{
	return akm_nl_reply(info, AKM_CMD_MEMBER_GET, fill_member);
}
