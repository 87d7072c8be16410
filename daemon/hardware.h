/* SPDX-License-Identifier: GPL-2.0 */
/* Waiting for the hardware value: a source (a network interface, say) may appear after us. */
#ifndef AKM_HARDWARE_H
#define AKM_HARDWARE_H

#include "evidence.h"
#include "role.h"

struct hardware_wait;
#define HARDWARE_RETRY_MS 5000

/* Calls @known once env->hardware is known, from the event loop, once. */
int hardware_wait_new(struct role_env *env, struct evidence *evidence, void (*known)(void *ctx), void *ctx,
		      struct hardware_wait **ret);
void hardware_wait_free(struct hardware_wait *w);
/* Computes it now. Return: 0, or hwid_value()'s error with @err. */
int hardware_read(struct role_env *env, struct akm_error *err);

#endif /* AKM_HARDWARE_H */
