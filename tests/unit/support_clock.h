/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The clocks of a program of tests. Its clock_gettime() stands before libc's, for libevent as well. Without a call of
 * these, time is the machine's.
 */
#ifndef SUPPORT_CLOCK_H
#define SUPPORT_CLOCK_H

#include <stdint.h>
#include <time.h>

void clock_wind(uint64_t ms);			/* all clocks, ahead */
/*
 * From now until the next call, intervals' clock goes on by @ms at most: where others have the processor, time stands
 * still. So what has a time limit has it for its own work, on a machine however busy.
 */
void clock_turn(unsigned int ms);
/* What the wall clock says is given to @distort first. NULL: no longer */
void clock_distort(void (*distort)(struct timespec *t));

#endif /* SUPPORT_CLOCK_H */
