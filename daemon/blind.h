/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Does a node still hear its kernel? Each packet that the kernel refuses is counted, and told as an event, as far as
 * the rate allows. Counters that grow while no event comes mean that nobody would hear of a breach. Pure: is given
 * the time.
 */
#ifndef AKM_BLIND_H
#define AKM_BLIND_H

#include <stdbool.h>
#include <stdint.h>

#define BLIND_LOOK_MS	2000		/* between two looks: an event is told and read many times over */

struct blind {
	bool blind, looked;
	bool grew;			/* between the last two looks, without an event around it */
	uint64_t counted, heard, heard_last, looked_ms;
};

void blind_heard(struct blind *b);		/* an event, of any type */
/* @counted: all that was refused since the devices were made. Return: @b->blind has changed. */
bool blind_look(struct blind *b, uint64_t counted, uint64_t now_ms);

#endif /* AKM_BLIND_H */
