/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The daemon's answers for a person: scalars as "name: value", lists of
 * objects as tables. What a newer daemon adds is shown as well.
 */
#ifndef AKMCTL_VIEW_H
#define AKMCTL_VIEW_H

#include <json-c/json.h>

#include "command.h"

/* Writes @o; a table among its members gets the columns known for its name. */
int akm_view_object(struct akm_ctx *ctx, struct json_object *o, struct akm_error *e);
/* The answer to a command with --dry-run */
bool akm_view_is_plan(struct json_object *o);
void akm_view_plan(struct akm_ctx *ctx, struct json_object *o);
/* One line of "akmctl events". */
void akm_view_event(struct akm_ctx *ctx, struct json_object *event);

#endif /* AKMCTL_VIEW_H */
