/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between the kernels that AKM builds on (6.1 and 6.12), in one
 * place. Everything else is written for the newer one.
 */
#ifndef _AKM_COMPAT_H
#define _AKM_COMPAT_H

#include <linux/version.h>
#include <linux/crypto.h>
#include <linux/gfp.h>
#include <linux/ipv6.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>
#include <linux/udp.h>
#include <net/genetlink.h>

/* skb_gso_segment() moved out of netdevice.h */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#include <net/gso.h>
#endif

/* What pre_doit and post_doit are told about the command */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
typedef struct genl_ops akm_genl_op;
#else
typedef struct genl_split_ops akm_genl_op;
#endif

/* The parsed attributes of a dump request */
static inline struct nlattr **akm_dump_attrs(struct netlink_callback *cb)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
	return genl_dumpit_info(cb)->attrs;
#else
	return genl_info_dump(cb)->attrs;
#endif
}

/* Argument of a crypto completion callback: the request, then only its data */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
typedef struct crypto_async_request akm_crypto_arg;
static inline void *akm_crypto_data(akm_crypto_arg *arg)
{
	return arg->data;
}
#else
typedef void akm_crypto_arg;
static inline void *akm_crypto_data(akm_crypto_arg *arg)
{
	return arg;
}
#endif

/*
 * Formatted messages in an extended ack: 6.1 keeps a pointer only. The text then
 * lives in a ring; it would take that many refusals at the same instant for one
 * to be overwritten before its ack has been sent.
 */
#ifndef NL_SET_ERR_MSG_FMT
#define AKM_EXTACK_RING		64	/* power of two */
#define AKM_EXTACK_LEN		128

char *akm_extack_buffer(void);

#define NL_SET_ERR_MSG_FMT(extack, fmt, args...) do {			\
	struct netlink_ext_ack *__extack = (extack);			\
	char *__buffer = akm_extack_buffer();				\
									\
	snprintf(__buffer, AKM_EXTACK_LEN, fmt, ##args);		\
	if (__extack)							\
		__extack->_msg = __buffer;				\
} while (0)
#endif

/* Give back what a fragment cache holds */
static inline void akm_page_frag_drain(struct page_frag_cache *cache)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
	if (cache->va)
		__page_frag_cache_drain(virt_to_head_page(cache->va), cache->pagecnt_bias);
	cache->va = NULL;
#else
	page_frag_cache_drain(cache);
#endif
}

/* Have a UDP socket take datagrams that GRO has put together. */
static inline void akm_udp_accept_gso(struct sock *sk)
{
#ifdef udp_set_bit
	udp_set_bit(GRO_ENABLED, sk);
	udp_set_bit(ACCEPT_L4, sk);
#else
	udp_sk(sk)->gro_enabled = 1;
	udp_sk(sk)->accept_udp_l4 = 1;
#endif
}

/* What an IPv6 socket sends to a group does not come back to this machine. */
static inline void akm_no_multicast_loop6(struct sock *sk)
{
#if !IS_ENABLED(CONFIG_IPV6)
	return;
#elif defined(inet6_clear_bit)
	inet6_clear_bit(MC6_LOOP, sk);
#else
	inet6_sk(sk)->mc_loop = 0;
#endif
}

/* Lockless transmit: a feature bit, then a field of its own */
static inline void akm_netdev_set_lltx(struct net_device *dev)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
	dev->features |= NETIF_F_LLTX;
#else
	dev->lltx = true;
#endif
}

#endif /* _AKM_COMPAT_H */
