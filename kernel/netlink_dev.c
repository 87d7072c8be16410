// SPDX-License-Identifier: GPL-2.0
/* Commands on devices. */
#include "netlink.h"

#include <linux/akm.h>
#include <linux/rtnetlink.h>
#include "atr.h"
#include "compat/compat.h"
#include "device.h"
#include "flow.h"
#include "group.h"
#include "keepalive.h"
#include "keys.h"
#include "socket.h"
#include "spread.h"

#define EPOCH_MS_MAX	(30U * 24 * 3600 * 1000)	/* fits jiffies arithmetic everywhere */

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

	if (!port && !attrs[AKM_A_DEV_FWMARK] && !attrs[AKM_A_DEV_GROUP] &&
	    !attrs[AKM_A_DEV_FLOW_PORT_LOW])
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
	if (grace && nla_get_u32(grace) > AKM_GRACE_MS_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, grace, "more than a day");
		return -ERANGE;
	}
	return 0;
}

/* Both ends or none; 0 and 0 for no range. */
static int check_flow_ports(struct nlattr **attrs, struct netlink_ext_ack *extack)
{
	const struct nlattr *low = attrs[AKM_A_DEV_FLOW_PORT_LOW];
	const struct nlattr *high = attrs[AKM_A_DEV_FLOW_PORT_HIGH];

	if (!low && !high)
		return 0;
	if (!low || !high) {
		NL_SET_ERR_MSG_ATTR(extack, low ?: high, "the range's other end is missing");
		return -EINVAL;
	}
	if (nla_get_u16(high) < nla_get_u16(low)) {
		NL_SET_ERR_MSG_ATTR(extack, high, "the range ends before it begins");
		return -EINVAL;
	}
	if (nla_get_u16(high) && !nla_get_u16(low)) {
		NL_SET_ERR_MSG_ATTR(extack, low, "0 is no port");
		return -EINVAL;
	}
	return 0;
}

/* --- the underlay's multicast group --- */

static int check_group(struct nlattr **attrs, struct netlink_ext_ack *extack)
{
	const struct nlattr *group = attrs[AKM_A_DEV_GROUP];
	const struct nlattr *link = attrs[AKM_A_DEV_GROUP_LINK];
	const struct nlattr *ttl = attrs[AKM_A_DEV_GROUP_TTL];

	if (!group || !nla_len(group)) {
		if (!link && !ttl)
			return 0;
		NL_SET_ERR_MSG_ATTR(extack, link ?: ttl, "there is no group to which this belongs");
		return -EINVAL;
	}
	if (nla_len(group) != sizeof(struct in_addr) && nla_len(group) != sizeof(struct in6_addr)) {
		NL_SET_ERR_MSG_ATTR(extack, group, "an address has 4 or 16 bytes");
		return -EINVAL;
	}
	if (nla_len(group) == sizeof(struct in_addr) ? !akm_group_valid4(nla_get_in_addr(group)) :
						       !akm_group_valid6(nla_data(group))) {
		NL_SET_ERR_MSG_ATTR(extack, group, "the group is no multicast address");
		return -EINVAL;
	}
	return REQUIRE(attrs, AKM_A_DEV_GROUP_LINK, extack);
}

static struct akm_endpoint *create_group(struct nlattr **attrs)
{
	const struct nlattr *addr = attrs[AKM_A_DEV_GROUP], *ttl = attrs[AKM_A_DEV_GROUP_TTL];
	struct sockaddr_in in4 = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct akm_endpoint *group;

	if (nla_len(addr) == sizeof(in4.sin_addr)) {
		in4.sin_addr.s_addr = nla_get_in_addr(addr);
		group = akm_endpoint_create((struct sockaddr *)&in4, sizeof(in4), GFP_KERNEL);
	} else {
		in6.sin6_addr = nla_get_in6_addr(addr);
		group = akm_endpoint_create((struct sockaddr *)&in6, sizeof(in6), GFP_KERNEL);
	}
	if (IS_ERR(group))
		return group;
	group->link = nla_get_u32(attrs[AKM_A_DEV_GROUP_LINK]);
	group->ttl = ttl ? nla_get_u8(ttl) : AKM_GROUP_TTL;
	return group;
}

/* Return: the group, joined; NULL if there is to be none, or an ERR_PTR. */
static struct akm_endpoint *take_group(struct akm_device *akm, struct nlattr **attrs,
				       struct netlink_ext_ack *extack)
{
	struct akm_endpoint *group;
	int err;

	if (!attrs[AKM_A_DEV_GROUP] || !nla_len(attrs[AKM_A_DEV_GROUP]))
		return NULL;
	group = create_group(attrs);
	if (IS_ERR(group))
		return group;
	err = akm_group_prepare(akm, group, extack);
	if (err) {
		NL_SET_BAD_ATTR(extack, attrs[AKM_A_DEV_GROUP_LINK]);
		akm_endpoint_free(group);
		return ERR_PTR(err);
	}
	return group;
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
		akm_keepalive_all(akm);
	}
	mutex_unlock(&an->lock);
	return err;
}

/* What is needed for it is made once, and stays as long as the device. */
static int prepare_spread(struct akm_device *akm, const struct nlattr *attr)
{
	struct akm_spread *tx, *rx;

	if (!attr || nla_get_u32(attr) == AKM_SPREAD_OFF || akm->tx_spread)
		return 0;
	tx = akm_spread_create();
	rx = akm_spread_create();
	if (!tx || !rx) {
		akm_spread_free(tx);
		akm_spread_free(rx);
		return -ENOMEM;
	}
	smp_store_release(&akm->rx_spread, rx);	/* receive.c reads it without lock, */
	smp_store_release(&akm->tx_spread, tx);	/* and send.c this */
	return 0;
}

static void set_spread(struct akm_device *akm, bool on)
{
	WRITE_ONCE(akm->tx_spread->on, on);
	WRITE_ONCE(akm->rx_spread->on, on);
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
	if (attrs[AKM_A_DEV_FLOW_PORT_LOW])
		WRITE_ONCE(akm->flow_ports,
			   akm_flow_ports(nla_get_u16(attrs[AKM_A_DEV_FLOW_PORT_LOW]),
					  nla_get_u16(attrs[AKM_A_DEV_FLOW_PORT_HIGH])));
	if (attrs[AKM_A_DEV_SPREAD] && akm->tx_spread)
		set_spread(akm, nla_get_u32(attrs[AKM_A_DEV_SPREAD]) == AKM_SPREAD_ON);
	if (attrs[AKM_A_DEV_EPOCH_GRACE])
		akm->epoch_grace = nla_get_u32(attrs[AKM_A_DEV_EPOCH_GRACE]);
	if (attrs[AKM_A_DEV_FRESHNESS])
		akm->freshness = nla_get_u32(attrs[AKM_A_DEV_FRESHNESS]);
	if (attrs[AKM_A_DEV_EPOCH_INTERVAL]) {
		akm->epoch_interval = nla_get_u32(attrs[AKM_A_DEV_EPOCH_INTERVAL]);
		akm_generations_schedule_roll(akm);
	}
}

/* Group and incarnation come last: only they can fail after they have changed something. */
static int take(struct akm_device *akm, struct nlattr **attrs, struct netlink_ext_ack *extack,
		struct akm_endpoint **ret_group)
{
	struct akm_endpoint *group = take_group(akm, attrs, extack);
	int err = 0;

	if (IS_ERR(group))
		return PTR_ERR(group);
	if (attrs[AKM_A_DEV_INCARNATION])
		err = take_incarnation(akm, attrs[AKM_A_DEV_INCARNATION], extack);
	if (!err)
		*ret_group = group;
	else if (group)
		akm_group_abandon(akm, group);
	return err;
}

static int dev_set(struct akm_device *akm, struct nlattr **attrs,
		   struct netlink_ext_ack *extack)
{
	const struct nlattr *suite = attrs[AKM_A_DEV_SUITE];
	struct akm_endpoint *group = NULL;
	char driver[CRYPTO_MAX_ALG_NAME];
	int err;

	err = check_identity(akm, attrs, extack);
	err = err ?: check_underlay(akm, attrs, extack);
	err = err ?: check_epoch_times(akm, attrs, extack);
	err = err ?: check_flow_ports(attrs, extack);
	err = err ?: check_group(attrs, extack);
	if (!err && suite) {
		err = akm_aead_probe(nla_get_u32(suite), driver, extack);
		if (err)
			NL_SET_BAD_ATTR(extack, suite);
	}
	err = err ?: prepare_spread(akm, attrs[AKM_A_DEV_SPREAD]);
	err = err ?: take(akm, attrs, extack, &group);
	if (err)
		return err;
	if (suite)
		strscpy(akm->driver, driver, sizeof(akm->driver));
	apply_identity(akm, attrs);
	apply_settings(akm, attrs);
	if (attrs[AKM_A_DEV_GROUP])
		akm_group_replace(akm, group);
	return 0;
}

int akm_nl_dev_set(struct sk_buff *skb, struct genl_info *info)
{
	struct akm_device *akm;
	int err;

	rtnl_lock();		/* up or down stays as it is */
	err = akm_nl_lock(info, &akm);
	if (!err) {
		err = dev_set(akm, info->attrs, info->extack);
		akm_nl_unlock(akm);
	}
	rtnl_unlock();
	return err;
}

static int fill_dev(struct sk_buff *msg, struct genl_info *info, struct akm_device *akm)
{
	return akm_fill_device(msg, akm);
}

int akm_nl_dev_get(struct sk_buff *skb, struct genl_info *info)
{
	return akm_nl_reply(info, AKM_CMD_DEV_GET, fill_dev);
}
