/* SPDX-License-Identifier: GPL-2.0 */
/* Where the policy comes from: its file, or the rules that akmd.conf has itself. */
#ifndef AKM_POLICY_LOAD_H
#define AKM_POLICY_LOAD_H

#include "../include/akm-policy.h"
#include "config.h"

/* @err's field is FILE:LINE:COLUMN where the file is to blame. policy_free() it. */
int policy_load(const struct config *c, struct policy *ret, struct akm_error *err);

#endif /* AKM_POLICY_LOAD_H */
