// SPDX-License-Identifier: GPL-2.0
/*
 * What GET commands answer. Secrets are not at hand here: nothing in this file
 * touches a chain or a key.
 */
#include "netlink.h"

#include <linux/akm.h>
#include "atr.h"
#include "device.h"
#include "flow.h"
#include "hello.h"
#include "keepalive.h"
#include "keys.h"
#include "socket.h"
#include "spread.h"

static_assert(AKM_A_STATS_MAX - AKM_A_STATS_RX_PACKETS + 1 == AKM_STATS);

static int put_stats(struct sk_buff *msg, int type, const struct akm_stats *stats)
{
	struct nlattr *nest = nla_nest_start(msg, type);
	u64 values[AKM_STATS];
	int i;

	if (!nest)
		return -EMSGSIZE;
	akm_stats_read(stats, values);
	for (i = 0; i < AKM_STATS; i++)
		if (nla_put_u64_64bit(msg, AKM_A_STATS_RX_PACKETS + i, values[i],
				      AKM_A_STATS_PAD))
			return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

static int put_settings(struct sk_buff *msg, const struct akm_device *akm)
{
	if ((akm->atr_id && nla_put_u32(msg, AKM_A_DEV_ATR_ID, akm->atr_id)) ||
	    (akm->label[0] && nla_put_string(msg, AKM_A_DEV_LABEL, akm->label)) ||
	    (akm->has_self && nla_put_u16(msg, AKM_A_DEV_SELF, akm->self)) ||
	    nla_put_u32(msg, AKM_A_DEV_SUITE, akm->suite) ||
	    (akm->driver[0] && nla_put_string(msg, AKM_A_DEV_DRIVER, akm->driver)) ||
	    nla_put_u16(msg, AKM_A_DEV_PORT, akm->port) ||
	    (akm->incarnation && nla_put_u32(msg, AKM_A_DEV_INCARNATION, akm->incarnation)) ||
	    nla_put_u32(msg, AKM_A_DEV_FWMARK, akm->fwmark) ||
	    nla_put_u32(msg, AKM_A_DEV_EPOCH_INTERVAL, akm->epoch_interval) ||
	    nla_put_u32(msg, AKM_A_DEV_EPOCH_GRACE, akm->epoch_grace) ||
	    nla_put_u32(msg, AKM_A_DEV_FRESHNESS, akm->freshness) ||
	    nla_put_u32(msg, AKM_A_DEV_SPREAD,
			akm->tx_spread && akm->tx_spread->on ? AKM_SPREAD_ON : AKM_SPREAD_OFF))
		return -EMSGSIZE;
	return 0;
}

static int put_flow_ports(struct sk_buff *msg, u32 ports)
{
	if (ports && (nla_put_u16(msg, AKM_A_DEV_FLOW_PORT_LOW, akm_flow_low(ports)) ||
		      nla_put_u16(msg, AKM_A_DEV_FLOW_PORT_HIGH, akm_flow_high(ports))))
		return -EMSGSIZE;
	return 0;
}

static int put_group(struct sk_buff *msg, const struct akm_endpoint *group)
{
	int err;

	if (group->addr.sa.sa_family == AF_INET)
		err = nla_put_in_addr(msg, AKM_A_DEV_GROUP, group->addr.in4.sin_addr.s_addr);
	else
		err = nla_put_in6_addr(msg, AKM_A_DEV_GROUP, &group->addr.in6.sin6_addr);
	if (err || nla_put_u32(msg, AKM_A_DEV_GROUP_LINK, group->link) ||
	    nla_put_u8(msg, AKM_A_DEV_GROUP_TTL, group->ttl))
		return -EMSGSIZE;
	return 0;
}

int akm_fill_device(struct sk_buff *msg, struct akm_device *akm)
{
	const struct akm_generation *active = akm_generation_active(akm);
	const struct akm_endpoint *group =
		rcu_dereference_protected(akm->group, lockdep_is_held(&akm->lock));

	if (nla_put_u32(msg, AKM_A_DEV_IFINDEX, akm->dev->ifindex) ||
	    nla_put_string(msg, AKM_A_DEV_IFNAME, akm->dev->name) ||
	    put_settings(msg, akm) || (group && put_group(msg, group)) ||
	    put_flow_ports(msg, akm->flow_ports) ||
	    nla_put_u32(msg, AKM_A_DEV_MEMBERS, akm->member_count) ||
	    nla_put_u32(msg, AKM_A_DEV_GENERATIONS, akm->generation_count) ||
	    (active && nla_put_u32(msg, AKM_A_DEV_ACTIVE_GENERATION, active->ctx.generation)) ||
	    put_stats(msg, AKM_A_DEV_STATS, &akm->stats))
		return -EMSGSIZE;
	return 0;
}

static int put_prefix(struct sk_buff *msg, const struct akm_prefix *prefix)
{
	struct nlattr *nest = nla_nest_start(msg, AKM_A_MEMBER_PREFIX);
	size_t len = prefix->key.family == AF_INET ? sizeof(struct in_addr) :
						     sizeof(struct in6_addr);

	if (!nest || nla_put(msg, AKM_A_PREFIX_ADDR, len, prefix->key.addr) ||
	    nla_put_u8(msg, AKM_A_PREFIX_LEN, prefix->key.len))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

static int put_endpoint(struct sk_buff *msg, int type, const struct akm_endpoint *endpoint)
{
	if (!endpoint)
		return 0;
	if (endpoint->addr.sa.sa_family == AF_INET)
		return nla_put(msg, type, sizeof(endpoint->addr.in4), &endpoint->addr);
	return nla_put(msg, type, sizeof(endpoint->addr.in6), &endpoint->addr);
}

static int put_whereabouts(struct sk_buff *msg, const struct akm_member *member)
{
	int err;

	if (READ_ONCE(member->roams) && nla_put_flag(msg, AKM_A_MEMBER_ROAMS))
		return -EMSGSIZE;
	rcu_read_lock();
	err = put_endpoint(msg, AKM_A_MEMBER_ENDPOINT, rcu_dereference(member->endpoint)) ?:
	      put_endpoint(msg, AKM_A_MEMBER_LEARNT, rcu_dereference(member->learnt));
	rcu_read_unlock();
	return err;
}

static int put_keepalive(struct sk_buff *msg, const struct akm_member *member)
{
	u32 ms = akm_keepalive_interval(member);

	return ms ? nla_put_u32(msg, AKM_A_MEMBER_KEEPALIVE, ms) : 0;
}

static int put_last_rx(struct sk_buff *msg, const struct akm_member *member)
{
	if (!READ_ONCE(member->has_rx))
		return 0;
	return nla_put_u64_64bit(msg, AKM_A_MEMBER_LAST_RX,
				 jiffies_to_msecs(jiffies - READ_ONCE(member->last_rx)),
				 AKM_A_MEMBER_PAD);
}

static int put_freshness(struct sk_buff *msg, struct akm_device *akm,
			 const struct akm_member *member)
{
	struct akm_generation *active = akm_generation_active(akm);
	unsigned int waiting;
	u32 state;

	if (!active || member->index == active->self)
		return 0;
	state = akm_hello_state(active, member->index, &waiting);
	if (nla_put_u32(msg, AKM_A_MEMBER_FRESH, state) ||
	    nla_put_u32(msg, AKM_A_MEMBER_WAITING, waiting))
		return -EMSGSIZE;
	return 0;
}

int akm_fill_member(struct sk_buff *msg, struct akm_device *akm,
		    const struct akm_member *member)
{
	const struct akm_prefix *prefix;

	if (nla_put_u32(msg, AKM_A_MEMBER_IFINDEX, akm->dev->ifindex) ||
	    nla_put_string(msg, AKM_A_MEMBER_IFNAME, akm->dev->name) ||
	    nla_put_u16(msg, AKM_A_MEMBER_INDEX, member->index) ||
	    (member->name[0] && nla_put_string(msg, AKM_A_MEMBER_NAME, member->name)))
		return -EMSGSIZE;
	list_for_each_entry(prefix, &member->prefixes, list)
		if (put_prefix(msg, prefix))
			return -EMSGSIZE;
	if (put_whereabouts(msg, member) || put_keepalive(msg, member) ||
	    put_stats(msg, AKM_A_MEMBER_STATS, &member->stats) ||
	    put_last_rx(msg, member) || put_freshness(msg, akm, member))
		return -EMSGSIZE;
	return 0;
}

int akm_fill_generation(struct sk_buff *msg, struct akm_device *akm,
			struct akm_generation *gen)
{
	const struct akm_epoch *epoch =
		rcu_dereference_protected(gen->epoch[AKM_EPOCH_CURRENT],
					  lockdep_is_held(&akm->lock));

	if (nla_put_u32(msg, AKM_A_GENERATION_IFINDEX, akm->dev->ifindex) ||
	    nla_put_string(msg, AKM_A_GENERATION_IFNAME, akm->dev->name) ||
	    nla_put_u32(msg, AKM_A_GENERATION_NUMBER, gen->ctx.generation) ||
	    nla_put_u32(msg, AKM_A_GENERATION_KEY_ID, gen->ctx.key_id) ||
	    nla_put_u64_64bit(msg, AKM_A_GENERATION_EPOCH, epoch->number,
			      AKM_A_GENERATION_PAD) ||
	    nla_put_u32(msg, AKM_A_GENERATION_STATE, gen->state) ||
	    nla_put_u32(msg, AKM_A_GENERATION_PAIRS, akm_generation_pairs(gen)) ||
	    nla_put_u64_64bit(msg, AKM_A_GENERATION_AGE,
			      jiffies_to_msecs(jiffies - gen->installed), AKM_A_GENERATION_PAD))
		return -EMSGSIZE;
	return 0;
}
