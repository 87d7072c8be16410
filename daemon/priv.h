/* SPDX-License-Identifier: GPL-2.0 */
/* The one place that drops privilege, once everything that needs it is open. */
#ifndef AKM_PRIV_H
#define AKM_PRIV_H

#include "util.h"

/* Before any secret exists: no core dumps, not dumpable, no swap for secrets, umask 077. */
int priv_harden(struct akm_error *err);
/* Capabilities left: CAP_NET_ADMIN (node) or none; no_new_privs; seccomp filter for the role. @user may be NULL: stay. */
int priv_drop(const char *user, bool net_admin, struct akm_error *err);

#endif /* AKM_PRIV_H */
