// SPDX-License-Identifier: GPL-2.0
#include "notice.h"

#include "atr.h"
#include "device.h"
#include "hello.h"
#include "keys.h"
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
		akm_warm_notice(gen, member);
}

bool akm_notice_valid(const void *body, unsigned int len, u64 epoch)
{
	const struct akm_notice *notice = body;

	return len == sizeof(*notice) && be64_to_cpu(notice->epoch) == epoch;
}
