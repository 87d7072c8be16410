// SPDX-License-Identifier: GPL-2.0
/* Dumps: in parts, and nothing is held between them. */
#include "netlink.h"

#include <linux/akm.h>
#include <linux/rtnetlink.h>
#include <net/sock.h>
#include "atr.h"
#include "compat/compat.h"
#include "device.h"
#include "keys.h"

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

	err = akm_nl_check_header(nlh, header, cb->extack);
	if (err)
		return err;
	return akm_nl_check_duplicates(nlmsg_attrdata(nlh, GENL_HDRLEN),
				nlmsg_attrlen(nlh, GENL_HDRLEN), AKM_CMD_UNSPEC, cb->extack);
}

int akm_nl_dump_start_all(struct netlink_callback *cb)
{
	struct nlattr **attrs = akm_dump_attrs(cb);

	if (attrs && (attrs[A_IFINDEX] || attrs[A_IFNAME])) {
		NL_SET_ERR_MSG(cb->extack, "a dump of devices is of all devices");
		return -EINVAL;
	}
	return dump_check(cb);
}

int akm_nl_dump_start_one(struct netlink_callback *cb)
{
	static struct nlattr *none[AKM_A_GENERATION_MAX + 1];
	struct net_device *dev;
	int err;

	err = dump_check(cb);
	if (err)
		return err;
	dev = akm_nl_resolve(sock_net(cb->skb->sk), akm_dump_attrs(cb) ?: none, cb->extack);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	dump_of(cb)->ifindex = dev->ifindex;
	dev_put(dev);
	return 0;
}

static void *dump_put(struct sk_buff *msg, struct netlink_callback *cb, u8 cmd)
{
	void *header = genlmsg_put(msg, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				   &akm_family, NLM_F_MULTI, cmd);

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

int akm_nl_dump_devices(struct sk_buff *msg, struct netlink_callback *cb)
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

int akm_nl_dump_members(struct sk_buff *msg, struct netlink_callback *cb)
{
	return dumpit(msg, cb, dump_members);
}

int akm_nl_dump_generations(struct sk_buff *msg, struct netlink_callback *cb)
{
	return dumpit(msg, cb, dump_generations);
}
