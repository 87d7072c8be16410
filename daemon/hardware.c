// SPDX-License-Identifier: GPL-2.0
#include "hardware.h"

#include "clock.h"
#include "hwid.h"

struct hardware_wait {
	struct role_env *env;
	struct evidence *evidence;
	struct event *timer;
	void (*known)(void *ctx);
	void *ctx;
};

int hardware_read(struct role_env *env, struct akm_error *err)
{
	int r = hwid_value(env->config->sources, &env->ek_name, "/sys", env->hardware, err);

	env->hardware_known = !r;
	return r;
}

static void try_now(evutil_socket_t fd, short what, void *arg)
{
	struct hardware_wait *w = arg;
	struct akm_error err = {};

	(void)fd, (void)what;
	if (!w->env->hardware_known && hardware_read(w->env, &err) < 0) {
		evidence_add(w->evidence, EVIDENCE_NOTE("hardware", SEV_ALERT, .limit = "hardware"),
			     "The hardware value cannot be computed, so there is no link: %s: %s", err.field, err.reason);
		timer_set(w->timer, HARDWARE_RETRY_MS);
		return;
	}
	w->known(w->ctx);
}

int hardware_wait_new(struct role_env *env, struct evidence *evidence, void (*known)(void *ctx), void *ctx,
		      struct hardware_wait **ret)
{
	struct hardware_wait *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	*w = (struct hardware_wait){ .env = env, .evidence = evidence, .known = known, .ctx = ctx };
	w->timer = evtimer_new(env->base, try_now, w);
	if (!w->timer || timer_set(w->timer, 0) < 0) {
		hardware_wait_free(w);
		return -ENOMEM;
	}
	*ret = w;
	return 0;
}

void hardware_wait_free(struct hardware_wait *w)
{
	if (!w)
		return;
	if (w->timer)
		event_free(w->timer);
	free(w);
}
