/* SPDX-License-Identifier: GPL-2.0 */
/* The one place that drops privilege, once everything that needs it is open. */
#ifndef AKM_PRIV_H
#define AKM_PRIV_H

#include "util.h"

/*
 * Before any secret exists: no core dumps, not dumpable (which also keeps debuggers of the same
 * user away), no swap for any page (mlockall), umask 077, SIGPIPE ignored; and as many descriptors as
 * the hard limit allows. Return: 0; 1, with @err for a warning, where only the secret memory can be locked (secret.h refuses less); negative errno.
 */
int priv_harden(struct akm_error *err);
/*
 * Capabilities left: CAP_NET_ADMIN (node) or none, also in the bounding set; no_new_privs; a seccomp
 * filter that kills. @user may be NULL: stay. Capabilities belong to threads: -EBUSY if there is a
 * second one. What must be open or made before: the TPM's device and its library, directories that
 * @user cannot make. Files of root's other users, as /dev/tpmrm0 of tss, cannot be opened afterwards.
 */
int priv_drop(const char *user, bool net_admin, struct akm_error *err);

#endif /* AKM_PRIV_H */
