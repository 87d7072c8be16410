/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The network device: one device is one operational ATR. Holds everything that
 * belongs to it, and what the devices of one network namespace share.
 */
#ifndef _AKM_DEVICE_H
#define _AKM_DEVICE_H

#include <linux/akm.h>
#include <linux/crypto.h>
#include <linux/hashtable.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/siphash.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/gro_cells.h>
#include "catchup.h"
#include "monitor.h"
#include "prefix.h"
#include "warm.h"

struct akm_endpoint;
struct akm_epoch;
struct akm_member;
struct akm_socket;
struct akm_spread;

/* What the devices created in one network namespace share: the underlay. */
struct akm_net {
	struct net *net;
	struct mutex lock;		/* protects all of the below */
	struct list_head sockets;	/* struct akm_socket; readers under RCU */
#if IS_ENABLED(CONFIG_NETFILTER)
	struct nf_hook_ops hooks[2];	/* registered while there are sockets */
#endif
	u32 incarnation;		/* highest one that any device was given */
	DECLARE_HASHTABLE(generations, 8);	/* by key_id; readers under RCU */
	DECLARE_HASHTABLE(past, 8);	/* struct akm_past, likewise */
	struct akm_monitor monitor;	/* events that concern no device */
};

/*
 * Locks, outermost first: RTNL, akm_devices_lock, akm_device.lock, akm_net.lock.
 * The packet path takes none of them: it reads members, prefixes, generations and
 * keys under RCU, and the settings it needs with READ_ONCE().
 */
struct akm_device {
	struct net_device *dev;
	struct akm_net *net;		/* of the namespace it was created in */
	struct list_head list;		/* in akm_devices */

	struct mutex lock;		/* protects everything up to the empty line */
	bool dead;			/* is being deleted: nothing may be added */
	u32 atr_id;			/* 0: not set */
	char label[AKM_LABEL_MAX + 1];
	bool has_self;
	u16 self;			/* own member index */
	u32 suite;
	char driver[CRYPTO_MAX_ALG_NAME];
	u16 port;			/* RTNL as well; changes only while the device is down */
	u32 fwmark;
	u32 flow_ports;			/* akm_flow_ports(), 0: none */
	siphash_key_t flow_key;		/* for which of them; set once */
	u32 path_doubts;		/* path.c; not 0, and lockless */
	u32 incarnation;		/* 0: none, sends nothing */
	u32 epoch_interval;		/* ms, 0: no timer */
	u32 epoch_grace;		/* ms */
	u32 freshness;			/* enum akm_freshness, of generations to come */
	struct xarray members;		/* by member index; readers under RCU */
	u32 member_count;
	u32 member_changes;		/* for consistent dumps */
	struct akm_prefixes prefixes;
	struct akm_member __rcu *self_member;
	struct list_head generations;	/* struct akm_generation, oldest first */
	u32 generation_count;
	u32 generation_changes;		/* for consistent dumps */
	u32 newest;			/* highest generation number ever installed */
	struct list_head past;		/* struct akm_past, oldest first */
	u32 past_count;
	struct akm_epoch __rcu *tx;	/* current epoch of the active generation */
	unsigned long next_roll;	/* jiffies, where there is an interval */

	struct akm_spread *tx_spread;	/* NULL: it never was on; set once, under lock; send.c */
	struct akm_spread *rx_spread;	/* likewise; receive.c */
	struct akm_endpoint __rcu *group;	/* underlay multicast, or NULL; RTNL and lock */
	struct akm_socket __rcu *sock;	/* while the device is up; written under RTNL */
	struct gro_cells gro;
	struct delayed_work tend;	/* generation.c: everything that is due */
	struct akm_stats stats;
	struct akm_monitor monitor;
	struct akm_bucket classify;	/* late packets that are decrypted to tell why; lossy */

	spinlock_t hello_lock;		/* protects the next four, and struct akm_asking; BH */
	struct akm_bucket notices;	/* that may be sent to all members */
	struct list_head asking;	/* struct akm_asking that ask or have packets waiting */
	unsigned int waiting;		/* packets that wait for a hello-ack, */
	unsigned int waiting_bytes;	/* and the memory that they hold */
	struct delayed_work hello;	/* hello.c: what is due of it */

	spinlock_t roam_lock;		/* protects what is learnt about members; BH */

	struct akm_catch_up catch_up;
	struct akm_warm warm;
};

#define AKM_MODULE_VERSION	"0.1"
#define AKM_UDP_HEADROOM	(40 + 8)	/* outer IPv6 and UDP */
#define AKM_DEFAULT_GRACE_MS	10000

/* All devices of the machine, for what concerns all of them */
extern struct list_head akm_devices;
extern struct mutex akm_devices_lock;

extern struct workqueue_struct *akm_workqueue;

extern struct rtnl_link_ops akm_link_ops;

int akm_device_init(void);
void akm_device_exit(void);

/* Is @dev one of ours? */
bool akm_is_device(const struct net_device *dev);
/* Refuses incarnations while the machine is going to sleep. */
bool akm_device_asleep(void);
/* The place of events that concern @akm. RCU, or a reference on its namespace. */
struct akm_place akm_device_place(const struct akm_device *akm);
void akm_device_report(struct akm_device *akm, const struct akm_event *event);

#endif /* _AKM_DEVICE_H */
