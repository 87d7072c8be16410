// SPDX-License-Identifier: GPL-2.0
#include "refuse.h"

#include "atr.h"
#include "device.h"
#include "keys.h"
#include "socket.h"

/* --- nothing is proven --- */

/* No device can be told from such a packet, unless the port serves only one. */
static void refuse_unknown(const struct akm_socket *as, const struct sk_buff *skb,
			   enum akm_stat stat, struct akm_event *event)
{
	struct akm_device *akm = rcu_dereference(as->sole);
	struct akm_place place = { .net = as->net->net };

	akm_event_source(event, skb);
	if (akm) {
		akm_stats_inc(&akm->stats, stat);
		akm_device_report(akm, event);
	} else {
		akm_monitor_report(&as->net->monitor, &place, event);
	}
}

void akm_refuse_malformed(const struct akm_socket *as, const struct sk_buff *skb)
{
	struct akm_event event = { .type = AKM_EVENT_MALFORMED };

	refuse_unknown(as, skb, AKM_STAT_RX_MALFORMED, &event);
}

/*
 * Members go on sending to one that reboots: until it is given its keys, every key is unknown
 * to it, and that says nothing of who sends. Counts what it drops.
 */
static bool no_keys_yet(const struct akm_socket *as)
{
	struct akm_device *akm = rcu_dereference(as->sole);

	if (!akm || !list_empty(&akm->generations))
		return false;
	akm_stats_inc(&akm->stats, AKM_STAT_RX_DROPPED);
	return true;
}

void akm_refuse_key(const struct akm_socket *as, const struct sk_buff *skb,
		    const struct akm_header *header)
{
	struct akm_event event = {
		.type = AKM_EVENT_UNKNOWN_KEY,
		.has = AKM_HAS_KEY_ID | AKM_HAS_MEMBER | AKM_HAS_NUMBER,
		.key_id = be32_to_cpu(header->key_id),
		.member = be16_to_cpu(header->sender),
		.number = be64_to_cpu(header->packet_number),
	};

	if (!no_keys_yet(as))
		refuse_unknown(as, skb, AKM_STAT_RX_UNKNOWN_KEY, &event);
}

/* --- the key was found --- */

static struct akm_device *key_device(const struct akm_key *key)
{
	return key->epoch->gen->akm;
}

void akm_refuse_count(const struct akm_key *key, enum akm_stat why)
{
	akm_stats_inc(&key_device(key)->stats, why);
	akm_stats_inc(&key->member->stats, why);
}

void akm_refuse_report(const struct akm_key *key, const struct sk_buff *skb, u64 number,
		       enum akm_event_type type)
{
	const struct akm_epoch *epoch = key->epoch;
	struct akm_event event = {
		.type = type,
		.has = AKM_HAS_MEMBER | AKM_HAS_GENERATION | AKM_HAS_EPOCH | AKM_HAS_NUMBER,
		.member = key->member->index,
		.generation = epoch->gen->ctx.generation,
		.key_id = epoch->gen->ctx.key_id,
		.epoch = epoch->number,
		.number = number,
	};

	akm_event_source(&event, skb);
	akm_device_report(key_device(key), &event);
}

void akm_refuse(const struct akm_key *key, const struct sk_buff *skb, u64 number,
		enum akm_stat why, enum akm_event_type type)
{
	akm_refuse_count(key, why);
	akm_refuse_report(key, skb, number, type);
}
