// SPDX-License-Identifier: GPL-2.0
#include "admit.h"

#include "atr.h"
#include "catchup.h"
#include "device.h"
#include "keys.h"
#include "notice.h"
#include "refuse.h"
#include "socket.h"
#include "warm.h"

/*
 * Packets whose number is too old or was seen are decrypted all the same, to tell
 * a replay from a forgery, but no more often than this.
 */
#define CLASSIFY_BURST	64
#define CLASSIFY_RATE	64		/* per second */

static struct akm_device *key_device(const struct akm_key *key)
{
	return key->epoch->gen->akm;
}

/* Lossy on purpose: two CPUs at once may let a few more through. */
static bool may_classify(struct akm_device *akm)
{
	return akm_bucket_take(&akm->classify, CLASSIFY_BURST, CLASSIFY_RATE, jiffies);
}

/*
 * Who can send a duplicate, with the tag of the original, could have sent the original
 * again: whether it would open does not matter.
 */
static bool worth_opening(struct akm_key *key, const struct akm_datagram *at,
			  const struct akm_claims *claims)
{
	enum akm_guess guess = akm_key_guess(key, claims->number, claims->print);

	if (likely(guess == AKM_OPEN))
		return true;
	if (guess == AKM_DUPLICATE) {
		akm_refuse(key, at, claims->number, AKM_STAT_RX_REPLAY, AKM_EVENT_REPLAY);
		return false;
	}
	if (may_classify(key_device(key)))
		return true;
	akm_refuse_count(key, AKM_STAT_RX_REPLAY);
	return false;
}

static struct akm_generation *find_generation(const struct akm_socket *as,
					      const struct akm_header *header)
{
	struct akm_generation *gen;

	gen = akm_generation_lookup(as->net, be32_to_cpu(header->key_id));
	return gen && rcu_access_pointer(gen->akm->sock) == as ? gen : NULL;
}

/* Held. NULL: there is none. -EINPROGRESS: it waits for its key, or was dropped and counted. */
static struct akm_key *epoch_key(struct akm_epoch *epoch, const struct akm_datagram *at,
				 const struct akm_header *header)
{
	enum akm_packet_type type = akm_header_type(header);
	u16 sender = be16_to_cpu(header->sender);
	struct akm_key *key = akm_key_rx(epoch, sender, type);

	if (likely(key && !READ_ONCE(key->waits)) || at->waited)
		return key;
	if (!key && !akm_key_is_cold(epoch, sender, type)) {
		key = akm_key_rx(epoch, sender, type);	/* between the two looks? */
		if (!key || !READ_ONCE(key->waits))
			return key;
	}
	if (akm_warm_wait_rx(epoch, sender, at->skb, at->offset, at->len)) {
		if (key)
			akm_key_put(key);
		return ERR_PTR(-EINPROGRESS);
	}
	return key ?: akm_key_rx(epoch, sender, type);	/* it came meanwhile */
}

/*
 * The key that is to open what is @at, as of epoch_key(). Perhaps its sender is far ahead of
 * us, perhaps it is behind: nothing tells which, so both are looked after.
 */
static struct akm_key *find_key(struct akm_generation *gen, const struct akm_datagram *at,
				const struct akm_header *header)
{
	struct akm_epoch *epoch = akm_epoch_lookup(gen, header->epoch);
	struct akm_key *key;

	if (unlikely(!epoch)) {
		akm_catch_up_offer(gen, at->skb, at->offset, at->len, header);
		akm_notice_send(gen, be16_to_cpu(header->sender), akm_header_type(header));
		return NULL;
	}
	key = epoch_key(epoch, at, header);
	if (!IS_ERR_OR_NULL(key) && unlikely(akm_catch_up_suspects(key, header)))
		akm_catch_up_offer(gen, at->skb, at->offset, at->len, header);
	return key;
}

static bool header_valid(const struct akm_header *header)
{
	return header->vertype >= akm_vertype(AKM_PACKET_PAIR) &&
	       header->vertype <= akm_vertype(AKM_PACKET_KEEPALIVE);
}

static void read_claims(const struct akm_datagram *at, const struct akm_header *header,
			struct akm_claims *ret_claims)
{
	u8 copy[AKM_TAG_LEN], *tag;

	tag = skb_header_pointer(at->skb, at->offset + at->len - AKM_TAG_LEN, AKM_TAG_LEN, copy);
	*ret_claims = (struct akm_claims) {
		.type = akm_header_type(header),
		.number = be64_to_cpu(header->packet_number),
		.print = tag ? akm_print(tag) : 0,
	};
}

struct akm_key *akm_admit(const struct akm_socket *as, const struct akm_datagram *at,
			  struct akm_claims *ret_claims)
{
	const struct akm_header *header;
	struct akm_generation *gen;
	struct akm_header copy;
	struct akm_key *key;

	header = skb_header_pointer(at->skb, at->offset, sizeof(copy), &copy);
	if (at->len < AKM_OVERHEAD || !header || !header_valid(header)) {
		akm_refuse_malformed(as, at);
		return NULL;
	}
	gen = find_generation(as, header);
	key = likely(gen) ? find_key(gen, at, header) : NULL;
	if (IS_ERR_OR_NULL(key)) {
		if (!key)
			akm_refuse_key(as, gen, at, header);
		return NULL;
	}
	read_claims(at, header, ret_claims);
	if (likely(worth_opening(key, at, ret_claims)))
		return key;
	akm_key_put(key);
	return NULL;
}

/* All of the header but the packet number: what names the key */
#define NAME_LEN	offsetof(struct akm_header, packet_number)

unsigned int akm_admit_run(const struct akm_datagram *first, unsigned int max)
{
	unsigned int offset = first->offset, end = first->skb->len, n = 1;
	u8 name_copy[NAME_LEN], copy[NAME_LEN], *name, *other;

	name = skb_header_pointer(first->skb, offset, NAME_LEN, name_copy);
	for (offset += first->len; name && n < max && end - offset >= AKM_OVERHEAD; n++) {
		other = skb_header_pointer(first->skb, offset, NAME_LEN, copy);
		if (!other || memcmp(name, other, NAME_LEN))
			break;
		offset += min(first->len, end - offset);
	}
	return n;
}

bool akm_admit_next(struct akm_key *key, const struct akm_datagram *at,
		    struct akm_claims *ret_claims)
{
	const struct akm_header *header;
	struct akm_header copy;

	header = skb_header_pointer(at->skb, at->offset, sizeof(copy), &copy);
	if (!header)
		return false;
	read_claims(at, header, ret_claims);
	return worth_opening(key, at, ret_claims);
}
