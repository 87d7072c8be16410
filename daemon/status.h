/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of "status" that all roles have. */
#ifndef AKM_STATUS_H
#define AKM_STATUS_H

#include "record.h"
#include "report.h"
#include "role.h"
#include "superior.h"

struct json_object *status_new(const struct role_env *env, uint64_t term);
/* "peer": the way up; @record NULL: not provisioned, @progress: what provisioning last said. */
void status_add_peer(struct json_object *o, const struct superior *s, const struct record *record,
		     const char *progress);

#endif /* AKM_STATUS_H */
