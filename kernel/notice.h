/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Epoch notices: a member that seems to be behind, because we have no key for what comes
 * from it, gets an authentic packet of ours to catch up by. Documentation/protocol.rst,
 * "Catching up".
 *
 * What causes one proves nothing. So notices go to where the member is known to be, never
 * to where a packet came from; they are few; and a notice causes none.
 */
#ifndef _AKM_NOTICE_H
#define _AKM_NOTICE_H

#include <linux/types.h>
#include "proto.h"

struct akm_epoch;
struct akm_generation;

/*
 * A packet of member @sender and of @type could not be opened. The packet path: RCU, BH
 * disabled.
 */
void akm_notice_send(struct akm_generation *gen, u16 sender, enum akm_packet_type type);

/* The plaintext of a notice that opened with a key of epoch @epoch: does it say so, too? */
bool akm_notice_valid(const void *body, unsigned int len, u64 epoch);

#endif /* _AKM_NOTICE_H */
