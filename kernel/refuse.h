/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets that are refused: where they count, and what is told of them.
 * Documentation/protocol.rst, "Receiver". All of it under RCU, BH disabled.
 */
#ifndef _AKM_REFUSE_H
#define _AKM_REFUSE_H

#include <linux/akm.h>
#include <linux/skbuff.h>
#include "monitor.h"
#include "proto.h"

struct akm_generation;
struct akm_key;
struct akm_socket;

/* Nothing of it is proven, nor was it decrypted: as much of it is shown as an event may. */
void akm_refuse_malformed(const struct akm_socket *as, const struct akm_datagram *at);
/*
 * There is no key for what @header says. @gen: the generation that it names, NULL: it names
 * none. Tells those who are behind from those who know nothing of us.
 */
void akm_refuse_key(const struct akm_socket *as, struct akm_generation *gen,
		    const struct akm_datagram *at, const struct akm_header *header);

/*
 * The key was found, the sender is claimed or proven: @why counts at the device and at it. Behind the
 * header there may be plaintext by now, or what a forgery decrypts to: nothing of that is shown.
 */
void akm_refuse_count(const struct akm_key *key, enum akm_stat why);
void akm_refuse_report(const struct akm_key *key, const struct akm_datagram *at, u64 number,
		       enum akm_event_type type);
/* Both */
void akm_refuse(const struct akm_key *key, const struct akm_datagram *at, u64 number,
		enum akm_stat why, enum akm_event_type type);
/* For the source address of @inner, an IP packet. It is the one thing of it that is told. */
void akm_refuse_prefix(const struct akm_key *key, const struct akm_datagram *at, u64 number,
		       const u8 *inner);

#endif /* _AKM_REFUSE_H */
