/* SPDX-License-Identifier: GPL-2.0 */
/* What the beginning of a packet says, for people: Documentation/protocol.rst, "Packet". */
#ifndef AKMCTL_PACKET_H
#define AKMCTL_PACKET_H

#include <stdint.h>
#include <stdio.h>

/*
 * "packet of 92 bytes: pair-data of member 3, key-id 0x00001234, epoch *05, number 1.77": @hex is its beginning as
 * hexadecimal digits, of another version's or a shorter one they are all there is to say. No newline.
 */
void akm_put_packet(FILE *f, const char *hex, uint64_t len);

#endif /* AKMCTL_PACKET_H */
