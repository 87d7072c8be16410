// SPDX-License-Identifier: GPL-2.0
#include "pulse.h"

#include "clock.h"
#include "log.h"
#include "notify.h"

struct pulse {
	struct event *timer;
	uint64_t interval_ms, due_ms;
	bool watchdog;
	uint64_t late_ms, late_at_ms, late_wall_ms;	/* the last time */
};

/* $WATCHDOG_USEC, unless it is another process's; 0: nobody waits for us. */
static uint64_t watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!usec || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(usec, NULL, 10) / 1000;
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct pulse *p = arg;
	uint64_t now = now_ms();

	(void)fd, (void)what;
	if (now > p->due_ms + PULSE_LATE_MS) {
		p->late_ms = now - p->due_ms;
		p->late_at_ms = now;
		p->late_wall_ms = wall_ms();
		log_warning("the event loop stood still ms=%llu", (unsigned long long)p->late_ms);
	}
	if (p->watchdog && notify_send("WATCHDOG=1") < 0)
		log_debug("cannot feed the watchdog");
	p->due_ms = now + p->interval_ms;
	timer_set(p->timer, p->interval_ms);
}

int pulse_new(struct event_base *base, struct pulse **ret)
{
	struct pulse *p = calloc(1, sizeof(*p));
	uint64_t limit = watchdog_ms();

	if (!p)
		return -ENOMEM;
	p->watchdog = limit;
	p->interval_ms = limit && limit / 3 < PULSE_MS ? limit / 3 : PULSE_MS;
	p->timer = evtimer_new(base, on_beat, p);
	p->due_ms = now_ms() + p->interval_ms;
	if (!p->timer || timer_set(p->timer, p->interval_ms) < 0) {
		pulse_free(p);
		return -ENOMEM;
	}
	*ret = p;
	return 0;
}

void pulse_free(struct pulse *p)
{
	if (!p)
		return;
	if (p->timer)
		event_free(p->timer);
	free(p);
}

void pulse_health(const struct pulse *p, struct health *h)
{
	if (!p || !p->late_ms || now_ms() - p->late_at_ms > PULSE_REMEMBERED_MS)
		return;
	health_find(h, HEALTH_FINDING("stalled", SEV_WARNING, .since_ms = p->late_wall_ms,
				      .remedy = "Look for what starved it: a full disk or a slow one, a suspended machine, load."),
		    "akmd stood still for %llu ms: nothing was watched meanwhile", (unsigned long long)p->late_ms);
}
