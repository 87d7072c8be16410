// SPDX-License-Identifier: GPL-2.0
#include "monitor.h"

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/netdevice.h>
#include <linux/udp.h>

static const struct genl_family __rcu *event_family;	/* NULL: nobody can listen */

void akm_monitor_family(const struct genl_family *family)
{
	rcu_assign_pointer(event_family, family);
	if (!family)
		synchronize_rcu();	/* reports under way still use it */
}

int akm_stats_init(struct akm_stats *stats)
{
	struct akm_stats_hot __percpu *hot;
	int cpu;

	hot = alloc_percpu(struct akm_stats_hot);
	if (!hot)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(hot, cpu)->sync);
	stats->hot = hot;
	return 0;
}

void akm_stats_free(struct akm_stats *stats)
{
	free_percpu(stats->hot);
	stats->hot = NULL;
}

static void count_hot(struct akm_stats *stats, enum akm_stat packets,
		      unsigned int n, unsigned int bytes)
{
	struct akm_stats_hot *hot = this_cpu_ptr(stats->hot);

	u64_stats_update_begin(&hot->sync);
	u64_stats_add(&hot->value[packets], n);
	u64_stats_add(&hot->value[packets + 1], bytes);
	u64_stats_update_end(&hot->sync);
}

void akm_stats_rx(struct akm_stats *stats, unsigned int packets, unsigned int bytes)
{
	count_hot(stats, AKM_STAT_RX_PACKETS, packets, bytes);
}

void akm_stats_tx(struct akm_stats *stats, unsigned int packets, unsigned int bytes)
{
	count_hot(stats, AKM_STAT_TX_PACKETS, packets, bytes);
}

static void sum_cpu(const struct akm_stats_hot *hot, u64 values[AKM_STATS])
{
	u64 snapshot[AKM_STATS_HOT];
	unsigned int start;
	int i;

	do {
		start = u64_stats_fetch_begin(&hot->sync);
		for (i = 0; i < AKM_STATS_HOT; i++)
			snapshot[i] = u64_stats_read(&hot->value[i]);
	} while (u64_stats_fetch_retry(&hot->sync, start));

	for (i = 0; i < AKM_STATS_HOT; i++)
		values[i] += snapshot[i];
}

void akm_stats_read(const struct akm_stats *stats, u64 ret_values[AKM_STATS])
{
	int i, cpu;

	memset(ret_values, 0, AKM_STATS * sizeof(*ret_values));
	for_each_possible_cpu(cpu)
		sum_cpu(per_cpu_ptr(stats->hot, cpu), ret_values);
	for (i = AKM_STATS_HOT; i < AKM_STATS; i++)
		ret_values[i] = atomic64_read(&stats->cold[i - AKM_STATS_HOT]);
}

void akm_bucket_init(struct akm_bucket *bucket, u32 burst, unsigned long now)
{
	bucket->tokens = burst * HZ;
	bucket->stamp = now;
}

bool akm_bucket_take(struct akm_bucket *bucket, u32 burst, u32 rate, unsigned long now)
{
	unsigned long elapsed = now - bucket->stamp;
	u32 full = burst * HZ;

	/* a long pause fills the bucket; cap first, so that nothing overflows */
	elapsed = min_t(unsigned long, elapsed, full / rate + 1);
	bucket->tokens = min_t(u32, bucket->tokens + elapsed * rate, full);
	bucket->stamp = now;
	if (bucket->tokens < HZ)
		return false;
	bucket->tokens -= HZ;
	return true;
}

void akm_monitor_init(struct akm_monitor *monitor)
{
	int i;

	for (i = 0; i < AKM_EVENT_TYPES; i++) {
		spin_lock_init(&monitor->gauge[i].lock);
		akm_bucket_init(&monitor->gauge[i].bucket, AKM_EVENT_BURST, jiffies);
	}
}

/* A flood on several CPUs must not queue up here: who finds the lock taken is suppressed. */
static bool take_token(struct akm_gauge *gauge)
{
	bool admitted = false;
	unsigned long flags;

	if (spin_trylock_irqsave(&gauge->lock, flags)) {
		admitted = akm_bucket_take(&gauge->bucket, AKM_EVENT_BURST, AKM_EVENT_RATE,
					   jiffies);
		spin_unlock_irqrestore(&gauge->lock, flags);
	}
	return admitted;
}

static bool admit(struct akm_gauge *gauge, u32 *ret_suppressed)
{
	if (!take_token(gauge)) {
		atomic_inc(&gauge->suppressed);
		return false;
	}
	*ret_suppressed = atomic_xchg(&gauge->suppressed, 0);
	return true;
}

static int put_place(struct sk_buff *msg, const struct akm_place *place)
{
	if (!place->dev)
		return 0;
	if (nla_put_u32(msg, AKM_A_EVENT_IFINDEX, place->dev->ifindex) ||
	    nla_put_string(msg, AKM_A_EVENT_IFNAME, place->dev->name))
		return -EMSGSIZE;
	if (place->atr_id && nla_put_u32(msg, AKM_A_EVENT_ATR_ID, place->atr_id))
		return -EMSGSIZE;
	return 0;
}

static int put_details(struct sk_buff *msg, const struct akm_event *event)
{
	size_t source_len = event->source.sa.sa_family == AF_INET6 ?
			    sizeof(event->source.in6) : sizeof(event->source.in4);

	if ((event->has & AKM_HAS_MEMBER) &&
	    nla_put_u16(msg, AKM_A_EVENT_MEMBER, event->member))
		return -EMSGSIZE;
	if ((event->has & AKM_HAS_GENERATION) &&
	    nla_put_u32(msg, AKM_A_EVENT_GENERATION, event->generation))
		return -EMSGSIZE;
	if ((event->has & (AKM_HAS_GENERATION | AKM_HAS_KEY_ID)) &&
	    nla_put_u32(msg, AKM_A_EVENT_KEY_ID, event->key_id))
		return -EMSGSIZE;
	if ((event->has & AKM_HAS_EPOCH) &&
	    nla_put_u64_64bit(msg, AKM_A_EVENT_EPOCH, event->epoch, AKM_A_EVENT_PAD))
		return -EMSGSIZE;
	if ((event->has & AKM_HAS_NUMBER) &&
	    nla_put_u64_64bit(msg, AKM_A_EVENT_PACKET_NUMBER, event->number, AKM_A_EVENT_PAD))
		return -EMSGSIZE;
	if ((event->has & AKM_HAS_STATE) &&
	    nla_put_u32(msg, AKM_A_EVENT_STATE, event->state))
		return -EMSGSIZE;
	if ((event->has & AKM_HAS_SOURCE) &&
	    nla_put(msg, AKM_A_EVENT_SOURCE, source_len, &event->source))
		return -EMSGSIZE;
	return 0;
}

int akm_event_put_packet(struct sk_buff *msg, const struct akm_event *event)
{
	const struct akm_datagram *at = &event->packet;
	u8 shown[AKM_EVENT_PACKET_MAX];

	if ((event->has & AKM_HAS_INNER) &&
	    nla_put(msg, AKM_A_EVENT_INNER_SOURCE, event->inner_len, event->inner))
		return -EMSGSIZE;
	if (!(event->has & AKM_HAS_PACKET))
		return 0;
	if (nla_put_u32(msg, AKM_A_EVENT_PACKET_LEN, at->len))
		return -EMSGSIZE;
	if (!event->shown || skb_copy_bits(at->skb, at->offset, shown, event->shown))
		return 0;
	return nla_put(msg, AKM_A_EVENT_PACKET, event->shown, shown);
}

static void send_event(const struct genl_family *family, const struct akm_place *place,
		       const struct akm_event *event, u64 count, u32 suppressed)
{
	struct sk_buff *msg;
	void *header;

	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_ATOMIC);
	if (!msg)
		return;		/* the count has it; there is nobody to tell here */

	header = genlmsg_put(msg, 0, 0, family, 0, AKM_CMD_EVENT);
	if (!header ||
	    nla_put_u32(msg, AKM_A_EVENT_TYPE, event->type) ||
	    put_place(msg, place) || put_details(msg, event) ||
	    akm_event_put_packet(msg, event) ||
	    nla_put_u64_64bit(msg, AKM_A_EVENT_COUNT, count, AKM_A_EVENT_PAD) ||
	    nla_put_u32(msg, AKM_A_EVENT_SUPPRESSED, suppressed) ||
	    nla_put_u64_64bit(msg, AKM_A_EVENT_TIME, ktime_get_real_ns(), AKM_A_EVENT_PAD)) {
		nlmsg_free(msg);
		return;
	}
	genlmsg_end(msg, header);
	genlmsg_multicast_netns(family, place->net, msg, 0, 0, GFP_ATOMIC);
}

void akm_monitor_report(struct akm_monitor *monitor, const struct akm_place *place,
			const struct akm_event *event)
{
	struct akm_gauge *gauge = &monitor->gauge[event->type];
	u64 count = atomic64_inc_return(&gauge->count);
	const struct genl_family *family;
	u32 suppressed;

	rcu_read_lock();
	family = rcu_dereference(event_family);
	if (family && genl_has_listeners(family, place->net, 0) && admit(gauge, &suppressed))
		send_event(family, place, event, count, suppressed);
	rcu_read_unlock();
}

void akm_event_source(struct akm_event *event, const struct sk_buff *skb)
{
	const struct udphdr *udp = udp_hdr(skb);

	event->has |= AKM_HAS_SOURCE;
	if (ip_hdr(skb)->version == 4) {
		event->source.in4 = (struct sockaddr_in) {
			.sin_family = AF_INET,
			.sin_port = udp->source,
			.sin_addr.s_addr = ip_hdr(skb)->saddr,
		};
	} else {
		event->source.in6 = (struct sockaddr_in6) {
			.sin6_family = AF_INET6,
			.sin6_port = udp->source,
			.sin6_addr = ipv6_hdr(skb)->saddr,
		};
	}
}

void akm_event_packet(struct akm_event *event, const struct akm_datagram *at, unsigned int shown)
{
	akm_event_source(event, at->skb);
	event->has |= AKM_HAS_PACKET;
	event->packet = *at;
	event->shown = min3(shown, at->len, (unsigned int)AKM_EVENT_PACKET_MAX);
}
