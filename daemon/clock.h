/* SPDX-License-Identifier: GPL-2.0 */
/* The two clocks that roles read; pure code gets their values as arguments. */
#ifndef AKM_CLOCK_H
#define AKM_CLOCK_H

#include <event2/event.h>
#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static inline uint64_t now_ms(void)		/* for intervals */
{
	return clock_ms(CLOCK_MONOTONIC);
}

static inline uint64_t wall_ms(void)		/* for people and records */
{
	return clock_ms(CLOCK_REALTIME);
}

static inline int timer_set(struct event *e, uint64_t ms)
{
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	return event_add(e, &tv);
}

#endif /* AKM_CLOCK_H */
