// SPDX-License-Identifier: GPL-2.0
#include "refuse.h"

#include <linux/ip.h>
#include <linux/ipv6.h>
#include "ahead.h"
#include "atr.h"
#include "device.h"
#include "keys.h"
#include "past.h"
#include "socket.h"

/* --- nothing is proven --- */

/* No device can be told from such a packet, unless the port serves only one. */
static void refuse_unknown(const struct akm_socket *as, const struct akm_datagram *at,
			   enum akm_stat stat, struct akm_event *event)
{
	struct akm_device *akm = rcu_dereference(as->sole);
	struct akm_place place = { .net = as->net->net };

	akm_event_packet(event, at, AKM_EVENT_PACKET_MAX);
	if (akm) {
		akm_stats_inc(&akm->stats, stat);
		akm_device_report(akm, event);
	} else {
		akm_monitor_report(&as->net->monitor, &place, event);
	}
}

void akm_refuse_malformed(const struct akm_socket *as, const struct akm_datagram *at)
{
	struct akm_event event = { .type = AKM_EVENT_MALFORMED };

	refuse_unknown(as, at, AKM_STAT_RX_MALFORMED, &event);
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

/* Could it be of an epoch of @gen that we have erased? Return: whose, or NULL. */
static struct akm_device *erased_epoch(struct akm_generation *gen,
				       const struct akm_header *header, struct akm_event *event)
{
	const struct akm_epoch *now = rcu_dereference(gen->epoch[AKM_EPOCH_CURRENT]);
	u8 behind = now ? akm_ahead_behind(now->number, header->epoch) : 0;

	/* of an epoch that is held it lacks a key, whatever the reason */
	if (!behind || akm_epoch_lookup(gen, header->epoch))
		return NULL;
	event->has |= AKM_HAS_GENERATION | AKM_HAS_EPOCH;
	event->generation = gen->ctx.generation;
	event->epoch = now->number - behind;
	return gen->akm;
}

/* Is it of a generation that we have erased? Likewise. */
static struct akm_device *erased_generation(const struct akm_socket *as,
					    const struct akm_header *header,
					    struct akm_event *event)
{
	const struct akm_past *past = akm_past_find(as->net, be32_to_cpu(header->key_id));

	if (!past || rcu_access_pointer(past->akm->sock) != as)
		return NULL;
	event->has |= AKM_HAS_GENERATION;
	event->generation = past->generation;
	return past->akm;
}

/*
 * Of a member that is left: who was evicted has nothing to say under any key, and that it still
 * tries is not what a member that slept does. Return: false: it is something else.
 */
static bool refuse_stale(struct akm_device *akm, const struct akm_datagram *at,
			 struct akm_event *event)
{
	struct akm_member *member = akm_member_find(akm, event->member);

	if (!member || member == rcu_access_pointer(akm->self_member))
		return false;
	event->type = AKM_EVENT_EPOCH_STALE;
	akm_event_packet(event, at, AKM_EVENT_PACKET_MAX);
	akm_stats_inc(&akm->stats, AKM_STAT_RX_EPOCH_STALE);
	akm_stats_inc(&member->stats, AKM_STAT_RX_EPOCH_STALE);
	akm_device_report(akm, event);
	return true;
}

void akm_refuse_key(const struct akm_socket *as, struct akm_generation *gen,
		    const struct akm_datagram *at, const struct akm_header *header)
{
	const struct akm_event unknown = {
		.type = AKM_EVENT_UNKNOWN_KEY,
		.has = AKM_HAS_KEY_ID | AKM_HAS_MEMBER | AKM_HAS_NUMBER,
		.key_id = be32_to_cpu(header->key_id),
		.member = be16_to_cpu(header->sender),
		.number = be64_to_cpu(header->packet_number),
	};
	struct akm_event event = unknown;
	struct akm_device *akm;

	if (no_keys_yet(as))
		return;
	akm = gen ? erased_epoch(gen, header, &event) : erased_generation(as, header, &event);
	if (akm && refuse_stale(akm, at, &event))
		return;
	event = unknown;
	refuse_unknown(as, at, AKM_STAT_RX_UNKNOWN_KEY, &event);
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

static struct akm_event event_of(const struct akm_key *key, const struct akm_datagram *at,
				 u64 number, enum akm_event_type type)
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

	akm_event_packet(&event, at, sizeof(struct akm_header));
	return event;
}

void akm_refuse_report(const struct akm_key *key, const struct akm_datagram *at, u64 number,
		       enum akm_event_type type)
{
	const struct akm_event event = event_of(key, at, number, type);

	akm_device_report(key_device(key), &event);
}

void akm_refuse(const struct akm_key *key, const struct akm_datagram *at, u64 number,
		enum akm_stat why, enum akm_event_type type)
{
	akm_refuse_count(key, why);
	akm_refuse_report(key, at, number, type);
}

void akm_refuse_prefix(const struct akm_key *key, const struct akm_datagram *at, u64 number,
		       const u8 *inner)
{
	struct akm_event event = event_of(key, at, number, AKM_EVENT_PREFIX);
	bool four = *inner >> 4 == 4;

	event.has |= AKM_HAS_INNER;
	event.inner_len = four ? sizeof(struct in_addr) : sizeof(struct in6_addr);
	memcpy(event.inner, inner + (four ? offsetof(struct iphdr, saddr) :
					    offsetof(struct ipv6hdr, saddr)), event.inner_len);
	akm_refuse_count(key, AKM_STAT_RX_PREFIX);
	akm_device_report(key_device(key), &event);
}
