/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The event loop watches itself: a timer that comes late was kept from coming, and with it everything else. It also
 * feeds the service manager's watchdog (sd_notify(3)), which ends a daemon that stands still for good.
 */
#ifndef AKM_PULSE_H
#define AKM_PULSE_H

#include <event2/event.h>
#include <stdint.h>

#include "health.h"

#define PULSE_MS		1000
#define PULSE_LATE_MS		5000	/* later than this is worth a word … */
#define PULSE_REMEMBERED_MS	3600000	/* … for an hour */

struct pulse;

int pulse_new(struct event_base *base, struct pulse **ret);
void pulse_free(struct pulse *p);		/* NULL is fine */
void pulse_health(const struct pulse *p, struct health *h);	/* NULL is fine */

#endif /* AKM_PULSE_H */
