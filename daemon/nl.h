/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel, as the daemon sees it: generic netlink family "akm", and rtnetlink
 * for the device itself (libnl). Synchronous calls on one socket (short: the kernel
 * answers at once), events on another in the event loop. Secrets in requests are
 * wiped after sending. Errors: negative errno, with the kernel's own words and
 * attribute in @err; -ENOPKG when the module is not loaded, -ETIMEDOUT when the
 * kernel does not answer.
 *
 * The _each functions read everything first: fn may call functions of this file.
 * A non-zero result of fn ends them and is returned.
 */
#ifndef AKM_NL_H
#define AKM_NL_H

#include <event2/event.h>
#include "../include/uapi/linux/akm.h"
#include "msg.h"

struct nl;

struct nl_event {
	uint32_t type, ifindex, atr_id, generation, key_id, state, suppressed;
	int32_t member;			/* -1: none */
	uint64_t epoch, packet_number, count, time_ns;
	struct sockaddr_storage source;	/* ss_family 0: none */
	struct msg_packet packet;	/* that it is about */
	uint8_t inner[16], inner_len;	/* source address, of AKM_EVENT_PREFIX; 0: none */
};
struct nl_stats { uint64_t v[AKM_A_STATS_MAX + 1]; };	/* by enum akm_a_stats */

struct nl_dev {
	char ifname[16];
	uint32_t ifindex, atr_id, suite, incarnation, fwmark, epoch_interval_ms, epoch_grace_ms, freshness, members, generations,
		 active;
	uint16_t self, port;
	char label[AKM_NAME_LEN];
	struct msg_group group;
	uint32_t group_link;		/* ifindex */
	struct nl_stats stats;
};
struct nl_generation { uint32_t number, key_id, state, pairs; uint64_t epoch, age_ms; };

/* What may be other than was thought: each time, look at the kernel again. */
enum nl_change {
	NL_EVENTS_LOST,		/* the kernel dropped events (ENOBUFS), or one was not understood */
	NL_DEVICE_GONE,		/* an akm device of this namespace was deleted, by this program or by others */
	NL_MODULE_GONE,		/* the module was removed: requests end with -ENOPKG until it is back */
	NL_MODULE_BACK,		/* it was loaded again, and holds nothing */
	NL_GROUP_LINK_GONE,	/* the link of nl_group_link() is not the one it was: what was joined there is joined no more */
	NL_GROUP_LINK_THERE,	/* there is one of that name, or something about it changed */
};

typedef void (*nl_event_fn)(void *ctx, const struct nl_event *e);
typedef void (*nl_change_fn)(void *ctx, enum nl_change change);
int nl_open(struct event_base *base, nl_event_fn event, nl_change_fn change, void *ctx, struct nl **ret,
	    struct akm_error *err);
void nl_free(struct nl *n);		/* NULL is fine. Not nl_close: that is a symbol of libnl's */

int nl_dev_add(struct nl *n, const char *ifname, struct akm_error *err);		/* -EEXIST is an error */
int nl_dev_del(struct nl *n, const char *ifname, struct akm_error *err);		/* only akm devices: -EOPNOTSUPP */
int nl_dev_get(struct nl *n, const char *ifname, struct nl_dev *ret, struct akm_error *err);
int nl_dev_each(struct nl *n, int (*fn)(const struct nl_dev *d, void *ctx), void *ctx, struct akm_error *err);
/*
 * Which fields of @d to send: bit 1 << AKM_A_DEV_*. AKM_A_DEV_FLOW_PORT_LOW is for both, as
 * nl_flow_ports() said, and AKM_A_DEV_SPREAD as nl_spread() did; AKM_A_DEV_GROUP for its link and TTL
 * as well, with no address: none.
 */
int nl_dev_set(struct nl *n, const struct nl_dev *d, uint32_t fields, struct akm_error *err);
int nl_dev_up(struct nl *n, const char *ifname, bool up, struct akm_error *err);
/* Makes the device's addresses exactly these, but for the link-local ones that the kernel makes. */
int nl_dev_addresses(struct nl *n, const char *ifname, const struct msg_prefix *a, size_t n_a, struct akm_error *err);

/* The name of the link on which groups of the underlay are, "": none; what becomes of it is told. At first: none. */
void nl_group_link(struct nl *n, const char *ifname);
int nl_group_link_index(struct nl *n, uint32_t *ret, struct akm_error *err);	/* -ENODEV: there is no such link now */

/* Outer source ports by inner flow, 0 and 0: none. At first: none. */
void nl_flow_ports(struct nl *n, uint16_t low, uint16_t high);
/* Large packets are sealed by several processors. At first: not. */
void nl_spread(struct nl *n, bool on);
/* Members that are set from then on are sent to where their packets come from. At first: they are not. */
void nl_members_roam(struct nl *n, bool roam);
/* … are sent an empty packet when nothing was sent to them for @ms, 0: never. At first: never. */
void nl_members_keepalive(struct nl *n, uint32_t ms);
int nl_member_set(struct nl *n, const char *ifname, const struct msg_member *m, uint16_t default_port, struct akm_error *err);
int nl_member_del(struct nl *n, const char *ifname, uint16_t index, struct akm_error *err);
int nl_member_each(struct nl *n, const char *ifname, int (*fn)(uint16_t index, const char *name, const struct nl_stats *s, void *ctx),
		   void *ctx, struct akm_error *err);

/*
 * @p's generation, key_id, epoch, chain and pairs, in as many messages as it takes. The first one installs;
 * when a later one fails the generation stays pending without those pairs: install again, or retire it.
 */
int nl_generation_install(struct nl *n, const char *ifname, const struct msg_atr_prepare *p, struct akm_error *err);
/* @p's pairs alone, at @p's epoch, for a generation that is installed and may stand at a later one. */
int nl_generation_pairs(struct nl *n, const char *ifname, const struct msg_atr_prepare *p, struct akm_error *err);
/* Steps the active generation once; -ESTALE: @number is not the active one. */
int nl_epoch_roll(struct nl *n, const char *ifname, uint32_t number, struct akm_error *err);
int nl_generation_activate(struct nl *n, const char *ifname, uint32_t number, uint32_t grace_ms, struct akm_error *err);
/* Every member is sent something under @number, which is active already. */
int nl_generation_announce(struct nl *n, const char *ifname, uint32_t number, struct akm_error *err);
int nl_generation_retire(struct nl *n, const char *ifname, uint32_t number, struct akm_error *err);
int nl_generation_each(struct nl *n, const char *ifname, int (*fn)(const struct nl_generation *g, void *ctx), void *ctx,
		       struct akm_error *err);

#endif /* AKM_NL_H */
