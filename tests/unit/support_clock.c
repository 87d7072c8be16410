// SPDX-License-Identifier: GPL-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support_clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NS_PER_MS	1000000LL
#define NS_PER_S	1000000000LL

/* No lock: the TPM's thread reads the clock as well, and some tests fork. */
static _Atomic int64_t wound_ns, held_ns, limit_ns = INT64_MAX;
static void (*_Atomic wall)(struct timespec *t);

static int64_t read_ns(clockid_t id)
{
	struct timespec t;

	if (syscall(SYS_clock_gettime, id, &t) < 0)
		abort();
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* The machine's without what was held back. */
static int64_t interval_ns(void)
{
	int64_t real = read_ns(CLOCK_MONOTONIC), held = atomic_load(&held_ns), limit = atomic_load(&limit_ns);

	while (real - held > limit)
		if (atomic_compare_exchange_weak(&held_ns, &held, real - limit))
			return limit;
	return real - held;
}

void clock_wind(uint64_t ms)
{
	atomic_fetch_add(&wound_ns, (int64_t)ms * NS_PER_MS);
}

void clock_turn(unsigned int ms)
{
	atomic_store(&limit_ns, interval_ns() + ms * NS_PER_MS);
}

void clock_distort(void (*distort)(struct timespec *t))
{
	atomic_store(&wall, distort);
}

static bool is_for_intervals(clockid_t id)
{
	return id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_MONOTONIC_RAW || id == CLOCK_BOOTTIME;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	void (*distort)(struct timespec *t) = atomic_load(&wall);
	int64_t ns;

	if (!is_for_intervals(id) && id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)
		return (int)syscall(SYS_clock_gettime, id, t);
	ns = (is_for_intervals(id) ? interval_ns() : read_ns(id)) + atomic_load(&wound_ns);
	*t = (struct timespec){ .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
	if (distort && !is_for_intervals(id))
		distort(t);
	return 0;
}
