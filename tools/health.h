/* SPDX-License-Identifier: GPL-2.0 */
/* "akmctl status": is all well, and if not, what is to be done? On one screen. */
#ifndef AKMCTL_HEALTH_H
#define AKMCTL_HEALTH_H

#include <json-c/json.h>

#include "command.h"


/*
 * Shows the answer to "status" (as JSON where that is wanted).
 * Return: 0 if all is well, else an error with nothing left to say.
 */
int akm_health_show(struct akm_ctx *ctx, struct json_object *status, struct akm_error *e);
/* There was no answer: a monitor that is dead is no good news. */
void akm_health_none(struct akm_ctx *ctx);

#endif /* AKMCTL_HEALTH_H */
