/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of "status" that all roles have. */
#ifndef AKM_STATUS_H
#define AKM_STATUS_H

#include "record.h"
#include "health.h"
#include "report.h"
#include "role.h"
#include "superior.h"

struct json_object *status_new(const struct role_env *env, uint64_t term);
/* "peer": the way up; @record NULL: not provisioned, @progress: what provisioning last said. */
void status_add_peer(struct json_object *o, const struct superior *s, const struct record *record,
		     const char *progress);

/* What any role can say of itself: its TPM, its event loop, its hardware value. */
void status_health(const struct role_env *env, struct health *h);
void status_metrics(const struct role_env *env, uint64_t term, struct metrics *m);
/* The way up; @record NULL: not provisioned. */
void status_metrics_peer(const struct superior *s, struct metrics *m);
void status_health_peer(const struct role_env *env, const struct superior *s, const struct record *record,
			struct health *h);
#define STATUS_TPM_SLOW_MS	10000	/* a command takes 1.5 s at worst, and one job a few of them */
#define STATUS_LINK_DOWN_MS	15000	/* longer than a restart of the superior and the backoff of superior.h */

#endif /* AKM_STATUS_H */
