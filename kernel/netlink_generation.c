// SPDX-License-Identifier: GPL-2.0
/* Commands on generations. */
#include "netlink.h"

#include <linux/akm.h>
#include <linux/bitmap.h>
#include <linux/slab.h>
#include "atr.h"
#include "compat/compat.h"
#include "device.h"
#include "hello.h"
#include "keys.h"

static int parse_pair(struct akm_pair *ret_pair, const struct nlattr *nest,
		      unsigned long *seen, struct netlink_ext_ack *extack)
{
	struct nlattr *tb[AKM_A_PAIR_MAX + 1];
	int err;

	err = akm_nl_parse_nest(tb, AKM_A_PAIR_MAX, nest, akm_policy_pair, extack);
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

	nla_for_each_attr(attr, akm_nl_request_head(info), akm_nl_request_len(info), rem)
		n += nla_type(attr) == AKM_A_GENERATION_PAIR;
	return n;
}

static int parse_each_pair(struct akm_install *install, unsigned long *seen,
			   const struct genl_info *info)
{
	const struct nlattr *attr;
	int rem, err;
	u32 i = 0;

	nla_for_each_attr(attr, akm_nl_request_head(info), akm_nl_request_len(info), rem) {
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
	install->unused = nla_get_flag(attrs[AKM_A_GENERATION_UNUSED]);
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

/* The generation is missing or too old: what generation.c refuses in this way is the number. */
static int blame_number(struct genl_info *info, int err)
{
	if ((err == -ESTALE || err == -ENOENT) && !info->extack->bad_attr)
		NL_SET_BAD_ATTR(info->extack, info->attrs[AKM_A_GENERATION_NUMBER]);
	return err;
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
		err = akm_nl_lock(info, &akm);
	if (!err) {
		err = check_expect(akm, info);
		if (!err)
			err = blame_number(info, act(akm, &install, info->extack));
		akm_nl_unlock(akm);
	}
	kvfree(install.pairs);
	return err;
}

int akm_nl_generation_install(struct sk_buff *skb, struct genl_info *info)
{
	int err;

	err = REQUIRE(info->attrs, AKM_A_GENERATION_KEY_ID, info->extack);
	err = err ?: REQUIRE(info->attrs, AKM_A_GENERATION_CHAIN, info->extack);
	return err ?: with_install(info, akm_generation_install);
}

int akm_nl_pair_set(struct sk_buff *skb, struct genl_info *info)
{
	int err;

	err = REQUIRE(info->attrs, AKM_A_GENERATION_PAIR, info->extack);
	return err ?: with_install(info, akm_generation_add_pairs);
}

static int activate(struct akm_device *akm, u32 number, struct genl_info *info)
{
	const struct nlattr *grace = info->attrs[AKM_A_GENERATION_GRACE];
	u32 ms = grace ? nla_get_u32(grace) : AKM_DEFAULT_GRACE_MS;
	int err;

	if (ms > AKM_GRACE_MS_MAX) {
		NL_SET_ERR_MSG_ATTR(info->extack, grace, "more than a day");
		return -ERANGE;
	}
	err = akm_generation_activate(akm, number, ms, info->extack);
	if (!err && nla_get_flag(info->attrs[AKM_A_GENERATION_ANNOUNCE]))
		akm_hello_announce(akm_generation_find(akm, number));
	return err;
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
		err = akm_nl_lock(info, &akm);
	if (err)
		return err;
	err = check_expect(akm, info);
	if (!err)
		err = blame_number(info, act(akm, nla_get_u32(info->attrs[AKM_A_GENERATION_NUMBER]),
					     info));
	akm_nl_unlock(akm);
	return err;
}

int akm_nl_generation_activate(struct sk_buff *skb, struct genl_info *info)
{
	return with_number(info, activate);
}

int akm_nl_generation_retire(struct sk_buff *skb, struct genl_info *info)
{
	return with_number(info, retire);
}

int akm_nl_epoch_roll(struct sk_buff *skb, struct genl_info *info)
{
	struct akm_device *akm;
	int err;

	err = akm_nl_lock(info, &akm);
	if (err)
		return err;
	err = check_expect(akm, info);
	if (!err)
		err = akm_generation_roll(akm, info->extack);
	akm_nl_unlock(akm);
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

int akm_nl_generation_get(struct sk_buff *skb, struct genl_info *info)
{
	return akm_nl_reply(info, AKM_CMD_GENERATION_GET, fill_generation);
}
