/* SPDX-License-Identifier: GPL-2.0 */
/* Where the policy comes from: the root's, a file, or the rules that akmd.conf has itself. */
#ifndef AKM_POLICY_LOAD_H
#define AKM_POLICY_LOAD_H

#include "../include/akm-policy.h"
#include "config.h"

/* Where a text is to blame @err's field is FILE:LINE:COLUMN. What they return is to be given to policy_free(). */

/* The file, or without one what akmd.conf says; of a manager to which its root has not sent a policy. */
int policy_load(const struct config *c, struct policy *ret, struct akm_error *err);
/* A manager's: its root's policy, with its own file on top where there is one; and the root's alone. */
int policy_load_over(const struct config *c, const struct policy *root, struct policy *ret, struct akm_error *err);
int policy_load_root_alone(const struct config *c, const struct policy *root, struct policy *ret);
/* What a root sends, or is about to, checked; @path is what errors call it. */
int policy_of_root(const struct akm_blob *text, const char *path, struct policy *ret, struct akm_error *err);
/* @err's field says where in @path @why is about, its reason which word, and why. Return: -EINVAL */
int policy_explain(const char *path, const struct policy_error *why, struct akm_error *err);
/* The text of [policy] file */
int policy_read(const struct config *c, struct akm_blob *ret, struct akm_error *err);

#endif /* AKM_POLICY_LOAD_H */
