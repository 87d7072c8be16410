/* SPDX-License-Identifier: GPL-2.0 */
#ifndef AKMCTL_PORCELAIN_H
#define AKMCTL_PORCELAIN_H

#include <json-c/json.h>

#include "command.h"

/* The args of a control request from the words of a command. Pure. */
int akm_ctl_args(const struct akm_values *v, struct json_object **ret, struct akm_error *e);

#endif /* AKMCTL_PORCELAIN_H */
