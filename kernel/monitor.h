/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters and rate-limited events. Knows no sibling: who reports says what
 * happened, this file counts it and tells the listeners of the netlink
 * multicast group "events", no more often than a token bucket per type allows.
 */
#ifndef _AKM_MONITOR_H
#define _AKM_MONITOR_H

#include <linux/akm.h>
#include <linux/atomic.h>
#include <linux/in6.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/u64_stats_sync.h>
#include <net/genetlink.h>

#define AKM_EVENT_TYPES		(AKM_EVENT_EPOCH_STALE + 1)
#define AKM_EVENT_BURST		16	/* reports of one type at once */
#define AKM_EVENT_RATE		8	/* reports of one type per second afterwards */

/* Same order as enum akm_a_stats from AKM_A_STATS_RX_PACKETS on */
enum akm_stat {
	AKM_STAT_RX_PACKETS,		/* the first four are per CPU */
	AKM_STAT_RX_BYTES,
	AKM_STAT_TX_PACKETS,
	AKM_STAT_TX_BYTES,
	AKM_STAT_RX_AUTH_FAIL,
	AKM_STAT_RX_REPLAY,
	AKM_STAT_RX_UNKNOWN_KEY,
	AKM_STAT_RX_MALFORMED,
	AKM_STAT_RX_PREFIX,
	AKM_STAT_RX_DROPPED,
	AKM_STAT_TX_NO_KEY,
	AKM_STAT_TX_NO_MEMBER,
	AKM_STAT_TX_NO_ENDPOINT,
	AKM_STAT_TX_EXHAUSTED,
	AKM_STAT_TX_DROPPED,
	AKM_STAT_RX_CLONE,
	AKM_STAT_RX_WAITED,
	AKM_STAT_RX_WAIT_DROPPED,
	AKM_STAT_TX_HELLO,
	AKM_STAT_TX_HELLO_ACK,
	AKM_STAT_RX_TRIED,
	AKM_STAT_TX_NOTICE,
	AKM_STAT_RX_UNREACHABLE,
	AKM_STAT_TX_TOO_BIG,
	AKM_STAT_TX_GROUP,
	AKM_STAT_RX_KEEPALIVE,
	AKM_STAT_TX_KEEPALIVE,
	AKM_STAT_RX_EPOCH_STALE,
	AKM_STAT_TX_SPREAD,
	AKM_STAT_TX_SPREAD_DROPPED,
	AKM_STAT_RX_SPREAD,
	AKM_STAT_RX_SPREAD_DROPPED,
	AKM_STATS,
};

#define AKM_STATS_HOT	(AKM_STAT_TX_BYTES + 1)

struct akm_stats_hot {
	u64_stats_t value[AKM_STATS_HOT];
	struct u64_stats_sync sync;
};

struct akm_stats {
	struct akm_stats_hot __percpu *hot;
	atomic64_t cold[AKM_STATS - AKM_STATS_HOT];
};

int akm_stats_init(struct akm_stats *stats);
void akm_stats_free(struct akm_stats *stats);
/* Count packets that have @bytes together; BH disabled. */
void akm_stats_rx(struct akm_stats *stats, unsigned int packets, unsigned int bytes);
void akm_stats_tx(struct akm_stats *stats, unsigned int packets, unsigned int bytes);
void akm_stats_read(const struct akm_stats *stats, u64 ret_values[AKM_STATS]);

static inline void akm_stats_add(struct akm_stats *stats, enum akm_stat stat, unsigned int n)
{
	atomic64_add(n, &stats->cold[stat - AKM_STATS_HOT]);
}

static inline void akm_stats_inc(struct akm_stats *stats, enum akm_stat stat)
{
	akm_stats_add(stats, stat, 1);
}

/* Token bucket. Pure: the time is an argument, the caller locks. */
struct akm_bucket {
	u32 tokens;			/* in 1 / HZ of a report */
	unsigned long stamp;		/* jiffies of the last refill */
};

void akm_bucket_init(struct akm_bucket *bucket, u32 burst, unsigned long now);
bool akm_bucket_take(struct akm_bucket *bucket, u32 burst, u32 rate, unsigned long now);

struct akm_gauge {
	spinlock_t lock;		/* protects bucket; of one type, so that a flood */
	struct akm_bucket bucket;	/* of another does not keep its events back */
	atomic_t suppressed;		/* since the last report */
	atomic64_t count;
};

struct akm_monitor {
	struct akm_gauge gauge[AKM_EVENT_TYPES];
};

/* Bits of akm_event.has */
#define AKM_HAS_MEMBER		BIT(0)
#define AKM_HAS_GENERATION	BIT(1)	/* generation and key_id */
#define AKM_HAS_KEY_ID		BIT(2)
#define AKM_HAS_EPOCH		BIT(3)
#define AKM_HAS_NUMBER		BIT(4)
#define AKM_HAS_STATE		BIT(5)
#define AKM_HAS_SOURCE		BIT(6)
#define AKM_HAS_PACKET		BIT(7)
#define AKM_HAS_INNER		BIT(8)

/* Which datagram: one that came alone, or one of several in a buffer */
struct akm_datagram {
	const struct sk_buff *skb;	/* has the outer headers */
	unsigned int offset;		/* in its data, of the AKM header */
	unsigned int len;
	bool waited;			/* for its key */
};

struct akm_event {
	enum akm_event_type type;
	u32 has;
	u16 member;
	u32 generation;
	u32 key_id;
	u64 epoch;
	u64 number;
	u32 state;
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	} source;
	struct akm_datagram packet;	/* read when it is told, if it is: a flood is not copied */
	unsigned int shown;		/* bytes of it */
	u8 inner[16];			/* address */
	u8 inner_len;
};

/* Where an event happened */
struct akm_place {
	struct net *net;
	const struct net_device *dev;	/* NULL: no device was concerned */
	u32 atr_id;
};

void akm_monitor_init(struct akm_monitor *monitor);
/**
 * akm_monitor_report() - count an event and tell the listeners
 * @monitor: of the device, or of the namespace if no device is concerned
 * @place: where
 * @event: what
 *
 * Context: any that holds a reference on, or RCU-protects, what @place names.
 */
void akm_monitor_report(struct akm_monitor *monitor, const struct akm_place *place,
			const struct akm_event *event);
/* Fill in an event's source from a received UDP packet's headers. */
void akm_event_source(struct akm_event *event, const struct sk_buff *skb);
/*
 * The event is about @at, whose first @shown bytes nobody has decrypted. Where it came from, and what it
 * was; of the latter no more than AKM_EVENT_PACKET_MAX bytes.
 */
void akm_event_packet(struct akm_event *event, const struct akm_datagram *at, unsigned int shown);
/* Adds that to @msg. Return: 0 or -EMSGSIZE. */
int akm_event_put_packet(struct sk_buff *msg, const struct akm_event *event);
/* The family whose first multicast group carries the events. */
/* NULL: there is none any more; process context then. */
void akm_monitor_family(const struct genl_family *family);

#endif /* _AKM_MONITOR_H */
