// SPDX-License-Identifier: GPL-2.0
#include "blind.h"

void blind_heard(struct blind *b)
{
	b->heard++;
}

/*
 * What is counted just before a look may be told just after it: blind is who hears nothing until the look after the
 * one that saw the counters grow.
 */
bool blind_look(struct blind *b, uint64_t counted, uint64_t now_ms)
{
	bool before = b->blind, heard;

	if (b->looked && now_ms - b->looked_ms < BLIND_LOOK_MS)
		return false;
	heard = b->heard != b->heard_last;
	if (heard)
		b->blind = false;
	else if (b->grew)
		b->blind = true;
	/* Devices that were made anew count from zero. */
	b->grew = b->looked && !heard && counted > b->counted;
	b->looked = true;
	b->counted = counted;
	b->heard_last = b->heard;
	b->looked_ms = now_ms;
	return b->blind != before;
}
