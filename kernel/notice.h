/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Epoch notices: a member that seems to be behind, because we have no key for what comes
 * from it, gets an authentic packet of ours to catch up by. Documentation/protocol.rst,
 * "Catching up".
 *
 * What causes one proves nothing. So notices go to where the member is known to be, never
 * to where a packet came from; they are few; and a notice causes none.
 *
 * And a member whose epoch steps by its own doing tells all others, to whom nobody may have
 * anything to say before they have something to say in an epoch that is gone. announce.h has
 * what is decided, and what keeps many members from telling all others at once.
 */
#ifndef _AKM_NOTICE_H
#define _AKM_NOTICE_H

#include <linux/types.h>
#include "proto.h"

struct akm_generation;
struct akm_key;

/*
 * A packet of member @sender and of @type could not be opened. The packet path: RCU, BH
 * disabled.
 */
void akm_notice_send(struct akm_generation *gen, u16 sender, enum akm_packet_type type);

/* The plaintext of a notice that opened with a key of epoch @epoch: does it say so, too? */
bool akm_notice_valid(const void *body, unsigned int len, u64 epoch);

/* One that did was received under @key: somebody else tells of that epoch. */
void akm_notice_heard(const struct akm_key *key);

/* Process context, the device is locked. */

/* Another epoch is the current one: nobody has told of it, nor do we. */
void akm_notice_stepped(struct akm_generation *gen);
/* Who has told us of the current epoch: the lowest index, as far as we know. */
u16 akm_notice_teller(const struct akm_generation *gen);
/* Tell those of the others whose turn it is of the current epoch. */
void akm_notice_tell(struct akm_generation *gen);

#endif /* _AKM_NOTICE_H */
