/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is to be known of a packet before it is decrypted: which key may open it, and whether
 * that is worth it. Nothing that it says is proven here. RCU, BH disabled.
 */
#ifndef _AKM_ADMIT_H
#define _AKM_ADMIT_H

#include "monitor.h"
#include "proto.h"

struct akm_key;
struct akm_socket;

/* What a packet says about itself */
struct akm_claims {
	enum akm_packet_type type;
	u64 number;
	u16 print;
};

/* Return: the key that opens it, held, or NULL: it is not worth it, and counted, or it waits. */
struct akm_key *akm_admit(const struct akm_socket *as, const struct akm_datagram *at,
			  struct akm_claims *ret_claims);

/*
 * How many packets there are, at most @max, from @first on, each of that length but perhaps
 * the last, that name the same key, and are of the same type: what holds for the key of the first holds for
 * them. At least 1.
 */
unsigned int akm_admit_run(const struct akm_datagram *first, unsigned int max);
/* One of those: is it worth opening? If not it is counted. Need not be where it came. */
bool akm_admit_next(struct akm_key *key, const struct akm_datagram *at,
		    struct akm_claims *ret_claims);

#endif /* _AKM_ADMIT_H */
