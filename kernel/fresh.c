// SPDX-License-Identifier: GPL-2.0
#include "fresh.h"

#include <crypto/algapi.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/string.h>

void akm_fresh_init(struct akm_fresh *fresh, const u8 nonce[AKM_HELLO_NONCE])
{
	memset(fresh, 0, sizeof(*fresh));
	fresh->state = AKM_FRESH_UNKNOWN;
	memcpy(fresh->nonce, nonce, sizeof(fresh->nonce));
}

void akm_fresh_ask(struct akm_fresh *fresh, unsigned long when)
{
	if (fresh->state == AKM_FRESH_UNKNOWN) {
		fresh->next = when;
		WRITE_ONCE(fresh->state, AKM_FRESH_ASKING);
	} else if (fresh->state == AKM_FRESH_ASKING && !fresh->tries &&
		   time_before(when, fresh->next)) {
		fresh->next = when;
	}
}

/* Three to five quarters of a time that doubles with each try */
static unsigned long pause(unsigned int tries, u32 random)
{
	unsigned long ms = min_t(unsigned long, AKM_HELLO_FIRST_MS << (tries - 1),
				 AKM_HELLO_LONGEST_MS);

	return msecs_to_jiffies(ms - ms / 4 + random % (ms / 2 + 1));
}

enum akm_fresh_step akm_fresh_step(struct akm_fresh *fresh, unsigned long now, u32 random)
{
	if (fresh->state != AKM_FRESH_ASKING || time_before(now, fresh->next))
		return AKM_FRESH_WAIT;
	if (fresh->tries == AKM_HELLO_TRIES) {
		fresh->tries = 0;
		WRITE_ONCE(fresh->state, AKM_FRESH_UNKNOWN);
		return AKM_FRESH_GIVE_UP;
	}
	fresh->tries++;
	fresh->next = now + pause(fresh->tries, random);
	return AKM_FRESH_SEND;
}

bool akm_fresh_answer(struct akm_fresh *fresh, const struct akm_hello_ack *ack)
{
	if (fresh->state == AKM_FRESH_YES ||
	    crypto_memneq(fresh->nonce, ack->nonce, sizeof(fresh->nonce)))
		return false;
	fresh->epoch = be64_to_cpu(ack->epoch);
	fresh->pair = be64_to_cpu(ack->pair);
	fresh->group = be64_to_cpu(ack->group);
	smp_store_release(&fresh->state, AKM_FRESH_YES);	/* akm_fresh_known() */
	return true;
}

/*
 * Everything that the sender had sent when it answered has an incarnation below that of
 * the answer, or the same one and then a lower epoch, or the same epoch and a lower number.
 * (A higher epoch under a lower incarnation is possible: it had gone further before it
 * was restarted itself.)
 */
u64 akm_fresh_floor(const struct akm_fresh *fresh, u64 epoch, bool group)
{
	u64 number = group ? fresh->group : fresh->pair;
	u32 incarnation = akm_packet_incarnation(fresh->pair);

	if (epoch == fresh->epoch)
		return number;
	return akm_packet_number(epoch < fresh->epoch ? incarnation + 1 : incarnation, 0);
}

bool akm_fresh_before(const struct akm_fresh_order *a, const struct akm_fresh_order *b)
{
	u32 incarnation_a = akm_packet_incarnation(a->number);
	u32 incarnation_b = akm_packet_incarnation(b->number);

	if (incarnation_a != incarnation_b)
		return incarnation_a < incarnation_b;
	if (a->epoch != b->epoch)
		return a->epoch < b->epoch;
	return a->number < b->number;
}

bool akm_fresh_same(const struct akm_fresh_answered *last, u32 key_id,
		    const struct akm_hello *hello, u32 incarnation)
{
	return last->key_id == key_id &&
	       akm_packet_incarnation(be64_to_cpu(last->ack.pair)) == incarnation &&
	       !crypto_memneq(last->ack.nonce, hello->nonce, sizeof(hello->nonce));
}
