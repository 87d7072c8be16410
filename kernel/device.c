// SPDX-License-Identifier: GPL-2.0
#include "device.h"

#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/suspend.h>
#include <net/addrconf.h>
#include <net/ip.h>
#include <net/netns/generic.h>
#include <net/rtnetlink.h>
#include "atr.h"
#include "compat/compat.h"
#include "group.h"
#include "hello.h"
#include "keepalive.h"
#include "keys.h"
#include "past.h"
#include "path.h"
#include "proto.h"
#include "send.h"
#include "socket.h"
#include "spread.h"

#define FEATURES	(NETIF_F_HW_CSUM | NETIF_F_RXCSUM | NETIF_F_SG | NETIF_F_FRAGLIST | \
			 NETIF_F_GSO | NETIF_F_GSO_SOFTWARE | NETIF_F_HIGHDMA)

LIST_HEAD(akm_devices);
DEFINE_MUTEX(akm_devices_lock);		/* protects akm_devices and asleep */
struct workqueue_struct *akm_workqueue;

static unsigned int net_id;
static bool asleep;			/* between a suspend notification and its end */

bool akm_device_asleep(void)
{
	return READ_ONCE(asleep);
}

struct akm_place akm_device_place(const struct akm_device *akm)
{
	return (struct akm_place) {
		.net = dev_net(akm->dev),
		.dev = akm->dev,
		.atr_id = READ_ONCE(akm->atr_id),
	};
}

void akm_device_report(struct akm_device *akm, const struct akm_event *event)
{
	struct akm_place place;

	rcu_read_lock();		/* keeps the namespace while the device may move */
	place = akm_device_place(akm);
	akm_monitor_report(&akm->monitor, &place, event);
	rcu_read_unlock();
}

static int ndo_open(struct net_device *dev)
{
	struct inet6_dev *in6 = __in6_dev_get(dev);
	struct akm_device *akm = netdev_priv(dev);
	int err;

	/* a link-local address would be in nobody's prefixes */
	if (in6)
		WRITE_ONCE(in6->cnf.addr_gen_mode, IN6_ADDR_GEN_MODE_NONE);
	err = akm_socket_open(akm);
	if (err)
		return err;
	err = akm_group_open(akm);
	if (err) {
		akm_socket_close(akm);
		return err;
	}
	mutex_lock(&akm->lock);
	akm_keepalive_all(akm);
	mutex_unlock(&akm->lock);
	return 0;
}

static int ndo_stop(struct net_device *dev)
{
	struct akm_device *akm = netdev_priv(dev);

	akm_group_close(akm);
	akm_socket_close(akm);
	return 0;
}

/* A path that took every packet may not take a longer one. */
static int change_mtu(struct net_device *dev, int mtu)
{
	WRITE_ONCE(dev->mtu, mtu);
	akm_path_doubt(netdev_priv(dev));
	return 0;
}

static void get_stats64(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	const struct akm_device *akm = netdev_priv(dev);
	u64 v[AKM_STATS];

	akm_stats_read(&akm->stats, v);
	stats->rx_packets = v[AKM_STAT_RX_PACKETS];
	stats->rx_bytes = v[AKM_STAT_RX_BYTES];
	stats->tx_packets = v[AKM_STAT_TX_PACKETS];
	stats->tx_bytes = v[AKM_STAT_TX_BYTES];
	stats->rx_dropped = v[AKM_STAT_RX_DROPPED] + v[AKM_STAT_RX_SPREAD_DROPPED];
	stats->rx_crc_errors = v[AKM_STAT_RX_AUTH_FAIL];
	stats->rx_frame_errors = v[AKM_STAT_RX_MALFORMED] + v[AKM_STAT_RX_PREFIX];
	stats->rx_errors = stats->rx_crc_errors + stats->rx_frame_errors +
			   v[AKM_STAT_RX_REPLAY] + v[AKM_STAT_RX_UNKNOWN_KEY] +
			   v[AKM_STAT_RX_EPOCH_STALE];
	stats->tx_dropped = v[AKM_STAT_TX_DROPPED] + v[AKM_STAT_TX_NO_KEY] +
			    v[AKM_STAT_TX_EXHAUSTED] + v[AKM_STAT_TX_TOO_BIG] +
			    v[AKM_STAT_TX_SPREAD_DROPPED];
	stats->tx_carrier_errors = v[AKM_STAT_TX_NO_MEMBER] + v[AKM_STAT_TX_NO_ENDPOINT];
	stats->tx_errors = stats->tx_carrier_errors;
}

static int ndo_init(struct net_device *dev)
{
	struct akm_device *akm = netdev_priv(dev);

	mutex_lock(&akm_devices_lock);
	list_add_tail(&akm->list, &akm_devices);
	mutex_unlock(&akm_devices_lock);
	return 0;
}

/* Nobody can find or add anything afterwards; packets under way go on to their end. */
static void ndo_uninit(struct net_device *dev)
{
	struct akm_device *akm = netdev_priv(dev);

	mutex_lock(&akm_devices_lock);
	list_del(&akm->list);
	mutex_unlock(&akm_devices_lock);

	mutex_lock(&akm->lock);
	akm->dead = true;
	akm_generations_destroy(akm);
	akm_past_forget(akm);
	akm_members_destroy(akm);
	akm_group_replace(akm, NULL);
	mutex_unlock(&akm->lock);
}

static const struct net_device_ops device_ops = {
	.ndo_init = ndo_init,
	.ndo_uninit = ndo_uninit,
	.ndo_open = ndo_open,
	.ndo_stop = ndo_stop,
	.ndo_start_xmit = akm_send,
	.ndo_change_mtu = change_mtu,
	.ndo_get_stats64 = get_stats64,
};

bool akm_is_device(const struct net_device *dev)
{
	return dev->netdev_ops == &device_ops;
}

static void get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, KBUILD_MODNAME, sizeof(info->driver));
	strscpy(info->version, AKM_MODULE_VERSION, sizeof(info->version));
}

static const struct ethtool_ops device_ethtool_ops = {
	.get_drvinfo = get_drvinfo,
	.get_link = ethtool_op_get_link,
};

static void free_parts(struct akm_device *akm)
{
	gro_cells_destroy(&akm->gro);
	akm_prefixes_free(&akm->prefixes);
	xa_destroy(&akm->members);
	akm_stats_free(&akm->stats);
}

/* The last reference is gone, so is every key, so nothing can queue the work again. */
static void destructor(struct net_device *dev)
{
	struct akm_device *akm = netdev_priv(dev);

	cancel_delayed_work_sync(&akm->tend);
	cancel_delayed_work_sync(&akm->hello);
	akm_catch_up_stop(akm);
	akm_warm_stop(akm);
	akm_spread_free(akm->tx_spread);
	akm_spread_free(akm->rx_spread);
	free_parts(akm);
	mutex_destroy(&akm->lock);
}

static const struct device_type device_type = { .name = KBUILD_MODNAME };

static void device_setup(struct net_device *dev)
{
	dev->netdev_ops = &device_ops;
	dev->ethtool_ops = &device_ethtool_ops;
	dev->type = ARPHRD_NONE;
	dev->flags = IFF_NOARP | IFF_MULTICAST | IFF_BROADCAST;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->needs_free_netdev = true;
	akm_netdev_set_lltx(dev);
	dev->features |= FEATURES;
	dev->hw_features |= FEATURES;
	dev->hw_enc_features |= FEATURES;
	dev->needed_headroom = LL_MAX_HEADER + AKM_UDP_HEADROOM + sizeof(struct akm_header);
	dev->needed_tailroom = AKM_TAG_LEN;
	dev->mtu = ETH_DATA_LEN - AKM_UDP_HEADROOM - AKM_OVERHEAD;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = IP_MAX_MTU - AKM_UDP_HEADROOM - AKM_OVERHEAD;
	SET_NETDEV_DEVTYPE(dev, &device_type);
}

static int init_parts(struct akm_device *akm)
{
	int err;

	xa_init(&akm->members);
	err = akm_stats_init(&akm->stats);
	if (err)
		return err;
	err = akm_prefixes_init(&akm->prefixes);
	if (err)
		goto err_stats;
	err = gro_cells_init(&akm->gro, akm->dev);
	if (err)
		goto err_prefixes;
	return 0;

err_prefixes:
	akm_prefixes_free(&akm->prefixes);
err_stats:
	akm_stats_free(&akm->stats);
	return err;
}

static void set_defaults(struct akm_device *akm)
{
	mutex_init(&akm->lock);
	akm->suite = AKM_SUITE_AES256GCM;
	akm->port = AKM_DEFAULT_PORT;
	akm->epoch_grace = AKM_DEFAULT_GRACE_MS;
	akm->freshness = AKM_FRESHNESS_STRICT;
	akm->path_doubts = 1;
	get_random_bytes(&akm->flow_key, sizeof(akm->flow_key));
	akm_monitor_init(&akm->monitor);
	INIT_LIST_HEAD(&akm->past);
	akm_generations_init(akm);
	akm_hello_init(akm);
	akm_catch_up_init(akm);
	akm_warm_init(akm);
	spin_lock_init(&akm->roam_lock);
	/* a machine without it shall still be able to choose another suite */
	akm_aead_probe(akm->suite, akm->driver, NULL);
}

static int newlink(struct net *src_net, struct net_device *dev, struct nlattr *tb[],
		   struct nlattr *data[], struct netlink_ext_ack *extack)
{
	struct akm_device *akm = netdev_priv(dev);
	int err;

	akm->dev = dev;
	akm->net = net_generic(src_net, net_id);
	set_defaults(akm);
	err = init_parts(akm);
	if (err)
		return err;

	err = register_netdevice(dev);
	if (err) {
		cancel_delayed_work_sync(&akm->tend);
		free_parts(akm);
		return err;
	}
	dev->priv_destructor = destructor;
	return 0;
}

static struct net *get_link_net(const struct net_device *dev)
{
	const struct akm_device *akm = netdev_priv(dev);

	return akm->net->net;
}

struct rtnl_link_ops akm_link_ops __read_mostly = {
	.kind = KBUILD_MODNAME,
	.priv_size = sizeof(struct akm_device),
	.setup = device_setup,
	.newlink = newlink,
	.get_link_net = get_link_net,
};

static int net_init(struct net *net)
{
	struct akm_net *an = net_generic(net, net_id);

	an->net = net;
	mutex_init(&an->lock);
	INIT_LIST_HEAD(&an->sockets);
	hash_init(an->generations);
	hash_init(an->past);
	akm_monitor_init(&an->monitor);
	return 0;
}

/* Devices go with the namespace they were created in, wherever they are by now. */
static void remove_devices(const struct akm_net *an, struct list_head *kill)
{
	struct akm_device *akm;

	mutex_lock(&akm_devices_lock);
	list_for_each_entry(akm, &akm_devices, list)
		if (akm->net == an)
			unregister_netdevice_queue(akm->dev, kill);
	mutex_unlock(&akm_devices_lock);
}

static void net_exit_batch(struct list_head *nets)
{
	struct net *net;
	LIST_HEAD(kill);

	rtnl_lock();
	list_for_each_entry(net, nets, exit_list)
		remove_devices(net_generic(net, net_id), &kill);
	unregister_netdevice_many(&kill);
	rtnl_unlock();
}

static struct pernet_operations net_ops = {
	.init = net_init,
	.exit_batch = net_exit_batch,
	.id = &net_id,
	.size = sizeof(struct akm_net),
};

/*
 * What this kernel remembers about packet numbers may exist a second time, or be
 * older than what has been sent: nothing is sent until there is a new incarnation.
 */
static void stop_sending(void)
{
	struct akm_device *akm;

	lockdep_assert_held(&akm_devices_lock);
	list_for_each_entry(akm, &akm_devices, list) {
		mutex_lock(&akm->lock);
		WRITE_ONCE(akm->incarnation, 0);
		mutex_unlock(&akm->lock);
	}
}

static void report_lost(void)
{
	struct akm_event event = { .type = AKM_EVENT_STATE_LOST };
	struct akm_device *akm;

	lockdep_assert_held(&akm_devices_lock);
	list_for_each_entry(akm, &akm_devices, list)
		akm_device_report(akm, &event);
}

/* The daemon is told afterwards only: an incarnation set before would be in the image. */
static int pm_notification(struct notifier_block *nb, unsigned long action, void *data)
{
	bool going = action == PM_HIBERNATION_PREPARE || action == PM_SUSPEND_PREPARE;
	bool back = action == PM_POST_HIBERNATION || action == PM_POST_SUSPEND ||
		    action == PM_POST_RESTORE;

	if (!going && !back)
		return 0;
	mutex_lock(&akm_devices_lock);
	WRITE_ONCE(asleep, going);
	stop_sending();
	if (back)
		report_lost();
	mutex_unlock(&akm_devices_lock);
	synchronize_net();		/* senders that have read the old incarnation */
	return 0;
}

static int vmfork_notification(struct notifier_block *nb, unsigned long action, void *data)
{
	mutex_lock(&akm_devices_lock);
	stop_sending();
	report_lost();
	mutex_unlock(&akm_devices_lock);
	return 0;
}

static struct notifier_block pm_notifier = { .notifier_call = pm_notification };
static struct notifier_block vmfork_notifier = { .notifier_call = vmfork_notification };

int akm_device_init(void)
{
	int err;

	akm_workqueue = alloc_workqueue(KBUILD_MODNAME, WQ_UNBOUND, 0);
	if (!akm_workqueue)
		return -ENOMEM;
	err = akm_spread_init();
	if (err)
		goto err_workqueue;
	err = register_pernet_device(&net_ops);
	if (err)
		goto err_spread;
	err = register_pm_notifier(&pm_notifier);
	if (err)
		goto err_pernet;
	err = register_random_vmfork_notifier(&vmfork_notifier);
	if (err)
		goto err_pm;
	err = rtnl_link_register(&akm_link_ops);
	if (err)
		goto err_vmfork;
	return 0;

err_vmfork:
	unregister_random_vmfork_notifier(&vmfork_notifier);
err_pm:
	unregister_pm_notifier(&pm_notifier);
err_pernet:
	unregister_pernet_device(&net_ops);
err_spread:
	akm_spread_exit();
err_workqueue:
	destroy_workqueue(akm_workqueue);
	return err;
}

void akm_device_exit(void)
{
	rtnl_link_unregister(&akm_link_ops);
	unregister_random_vmfork_notifier(&vmfork_notifier);
	unregister_pm_notifier(&pm_notifier);
	unregister_pernet_device(&net_ops);
	rcu_barrier();			/* members, endpoints, prefixes */
	akm_spread_exit();
	destroy_workqueue(akm_workqueue);
	rcu_barrier();			/* what the last works let go */
}
