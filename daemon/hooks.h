/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The programs of a policy, as the daemon sees them: orders to the runner (runner.h), and what became of them, as
 * evidence. Nothing here waits: what the runner cannot take now is dropped, and that is said.
 */
#ifndef AKM_HOOKS_H
#define AKM_HOOKS_H

#include <json-c/json.h>

#include "../include/akm-policy.h"
#include "evidence.h"

#define HOOKS_OPEN_MAX	16		/* orders that were not answered yet: running, or waiting for that */

struct hooks;

/* @fd: of runner_start(), taken. @directory outlives it. */
int hooks_new(struct event_base *base, struct evidence *e, const char *directory, int fd, struct hooks **ret);
void hooks_free(struct hooks *h);	/* NULL is fine */
/* Runs @name with @record on its standard input; @h may be NULL: there is no runner. */
void hooks_run(struct hooks *h, const char *name, uint32_t atr_id, struct json_object *record);
/* What is wrong with the files of these: evidence now, or findings. */
void hooks_check(struct hooks *h, const char (*names)[POLICY_NAME_LEN], size_t n);
void hooks_health(const struct hooks *h, const char (*names)[POLICY_NAME_LEN], size_t n, struct health *health);
void hooks_metrics(const struct hooks *h, struct metrics *m);

#endif /* AKM_HOOKS_H */
