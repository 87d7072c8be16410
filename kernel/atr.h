/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The members of an operational ATR: index, name, overlay prefixes, endpoint.
 */
#ifndef _AKM_ATR_H
#define _AKM_ATR_H

#include <linux/akm.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/netlink.h>
#include "fresh.h"
#include "monitor.h"
#include "prefix.h"
#include "spread.h"

struct akm_cold;
struct akm_device;
struct akm_endpoint;
struct akm_keepalive;

/* Thousands may never have anything to say: apart from the member */
struct akm_lines {
	struct akm_line tx;		/* of what is sealed for it */
	struct akm_line rx;		/* of what came from it, or so it says */
};

struct akm_member {
	struct kref refs;		/* the table's, and one per traffic key */
	u16 index;
	char name[AKM_NAME_MAX + 1];	/* device lock */
	struct list_head prefixes;	/* struct akm_prefix; device lock */
	u32 prefix_count;
	struct akm_prefix __rcu *host4;	/* one of length 32, if there is any; written under the */
	struct akm_prefix __rcu *host6;	/* device lock, like that of length 128 */
	struct akm_endpoint __rcu *endpoint;	/* NULL: none; written under the device lock */
	struct akm_endpoint __rcu *learnt;	/* goes before endpoint; akm_device.roam_lock, */
	bool roams;				/* like the next two */
	struct akm_bucket moves;
	struct akm_keepalive *keepalive;	/* NULL: none; device lock */
	struct akm_stats stats;
	unsigned long last_rx;		/* jiffies of the last authentic packet, if has_rx */
	bool has_rx;
	u16 suspect;			/* catchup.c, lossy: BIT(8) | epoch of what did not open; 0: all did */
	struct akm_fresh_answered answered;	/* akm_device.hello_lock, like the next */
	struct akm_bucket answers;	/* hellos of this member that may be answered; likewise */
	struct akm_bucket notices;	/* that may be sent to it; likewise */
	struct akm_cold *cold;		/* akm_warm.lock; NULL: nothing waits for its keys */
	struct akm_lines *lines;	/* there from its first key on; written under the device lock */
	struct rcu_head rcu;		/* once the last hold is gone */
};

/* What a member shall be; nothing of it is kept */
struct akm_member_config {
	u16 index;
	const char *name;		/* NULL: none */
	struct akm_endpoint *endpoint;	/* NULL: none; taken over on success */
	bool roams;			/* its endpoint is learnt from its packets */
	struct akm_keepalive *keepalive;	/* NULL: none; taken over on success */
	struct list_head prefixes;	/* struct akm_prefix; taken over on success */
	u32 prefix_count;
};

void akm_member_put(struct akm_member *member);
static inline void akm_member_get(struct akm_member *member)
{
	kref_get(&member->refs);
}

/* A key of it is about to be made. The device is locked. Return: 0 or -ENOMEM. */
int akm_member_need_lines(struct akm_member *member);

/* RCU, or the device lock. Return: the member or NULL. */
struct akm_member *akm_member_find(struct akm_device *akm, u16 index);

/**
 * akm_member_set() - create a member, or replace what describes it
 * @akm: the device, locked
 * @config: everything that describes the member
 * @extack: says why not
 *
 * A member that was there before keeps its counters and keys; a new one gets
 * keys in every generation. All of it happens or nothing.
 *
 * Return: 0 or a negative errno.
 */
int akm_member_set(struct akm_device *akm, struct akm_member_config *config,
		   struct netlink_ext_ack *extack);
/* The device is locked. Its keys and pair chains are erased. */
void akm_member_delete(struct akm_device *akm, struct akm_member *member);
/* The device is locked: find which member is the device itself. */
void akm_member_update_self(struct akm_device *akm);
/* The device is locked, and dead. */
void akm_members_destroy(struct akm_device *akm);
/* The device is locked: routes may have changed by what we changed. */
void akm_members_reset_routes(struct akm_device *akm);

#endif /* _AKM_ATR_H */
