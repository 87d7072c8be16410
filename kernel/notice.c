// SPDX-License-Identifier: GPL-2.0
#include "notice.h"

#include "atr.h"
#include "device.h"
#include "hello.h"
#include "keys.h"
#include "roam.h"
#include "warm.h"

static bool may_send(struct akm_device *akm, struct akm_member *member)
{
	bool may;

	spin_lock(&akm->hello_lock);
	may = akm_bucket_take(&member->notices, AKM_NOTICE_BURST, AKM_NOTICE_RATE, jiffies) &&
	      akm_bucket_take(&akm->notices, AKM_NOTICE_DEVICE_BURST, AKM_NOTICE_DEVICE_RATE,
			      jiffies);
	spin_unlock(&akm->hello_lock);
	return may;
}

void akm_notice_send(struct akm_generation *gen, u16 sender, enum akm_packet_type type)
{
	struct akm_member *member = akm_member_find(gen->akm, sender);

	if (!member || member->index == gen->self || type == AKM_PACKET_NOTICE ||
	    READ_ONCE(gen->state) == AKM_GEN_RETIRING)
		return;
	if (may_send(gen->akm, member) && !akm_hello_notice(gen, member->index))
		akm_warm_notice(gen, member, false);
}

/* --- of our own steps --- */

/* What akm_generation.teller is; 0: nobody. The next epoch's index is of no use in this one. */
static u32 told_by(u32 epoch, u16 index)
{
	return BIT(24) | (u8)epoch << 16 | index;
}

void akm_notice_heard(const struct akm_key *key)
{
	struct akm_generation *gen = key->epoch->gen;
	u32 epoch = key->epoch->number, heard = told_by(epoch, key->member->index);
	u32 known = READ_ONCE(gen->teller);

	if ((s32)(epoch - READ_ONCE(gen->current_number)) < 0)
		return;
	if (known >> 16 != heard >> 16 || heard < known)
		WRITE_ONCE(gen->teller, heard);
}

u16 akm_notice_teller(const struct akm_generation *gen)
{
	u32 known = READ_ONCE(gen->teller);

	return known >> 16 == told_by(gen->current_number, 0) >> 16 ? known : AKM_ANNOUNCE_NOBODY;
}

void akm_notice_stepped(struct akm_generation *gen)
{
	akm_announce_stop(&gen->tell);
	/* 256 epochs on it would look as if it were of that one */
	if (akm_notice_teller(gen) == AKM_ANNOUNCE_NOBODY)
		WRITE_ONCE(gen->teller, 0);
}

/* The first member beyond @place in a round (announce.h), or NULL. */
static struct akm_member *member_beyond(struct akm_generation *gen, u32 place)
{
	unsigned long index = akm_announce_index(gen->self, place + 1);
	struct akm_member *member = NULL;

	if (index > gen->self) {
		member = xa_find(&gen->akm->members, &index, AKM_INDEX_MAX, XA_PRESENT);
		if (!member)
			index = 0;
	}
	if (!member && index < gen->self)
		member = xa_find(&gen->akm->members, &index, gen->self - 1, XA_PRESENT);
	return member;
}

/*
 * Also who is cold: its own timer may be due much later, and what it begins to say until then
 * would come under an epoch that we have erased. It gets keys for a moment.
 */
static void tell_member(struct akm_generation *gen, struct akm_member *member)
{
	local_bh_disable();
	rcu_read_lock();		/* who takes the incarnation away waits for us */
	if (akm_member_reachable(member) && !akm_hello_notice(gen, member->index))
		akm_warm_notice(gen, member, true);
	rcu_read_unlock();
	local_bh_enable();
	akm_warm_breathe(gen->akm);
}

void akm_notice_tell(struct akm_generation *gen)
{
	u32 place = gen->tell.place;
	struct akm_member *member;
	unsigned int n = 0;

	lockdep_assert_held(&gen->akm->lock);
	do {
		member = member_beyond(gen, place);
		if (member) {
			place = akm_announce_place(gen->self, member->index);
			tell_member(gen, member);
			n++;
		}
	} while (member && n < AKM_ANNOUNCE_BURST);
	akm_announce_told(&gen->tell, jiffies, place, !member);
}

/* --- hearing --- */

bool akm_notice_valid(const void *body, unsigned int len, u64 epoch)
{
	const struct akm_notice *notice = body;

	return len == sizeof(*notice) && be64_to_cpu(notice->epoch) == epoch;
}
