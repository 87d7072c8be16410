/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A sealed store: a directory with two slots, each one file: AES-256-GCM under a key
 * that the TPM unseals, versioned by a TPM NV counter so that an older copy put back
 * is noticed. A write goes to the slot not in use, is fsynced, then counts. Power may
 * go at any instant: the next open finds the old or the new contents. P4, P7, P10.
 *
 * Master key: 32 random bytes, sealed (keystore_seal) in DIR/master. Only sealed_open
 * and sealed_write talk to the TPM: call them through tpmq.
 */
#ifndef AKM_SEALED_H
#define AKM_SEALED_H

#include "keystore.h"

struct sealed;

/*
 * Opens or creates @dir. *ret_content is empty for a new store.
 * Return: 0; -ENOKEY another TPM's; -EBADMSG corrupt; -ESTALE rolled back (older
 * than the TPM's counter says); -EIO, -ENOMEM.
 */
int sealed_open(struct keystore *ks, const char *dir, struct sealed **ret, struct akm_secret *ret_content,
		struct akm_error *err);
/* Replaces the contents, durably: 0 means on disk and counted. The old slot is overwritten, then unlinked. */
int sealed_write(struct sealed *s, struct keystore *ks, const struct akm_secret *content, struct akm_error *err);
void sealed_close(struct sealed *s);

/* For secrets that live in a database (manager): seal/open one value under the store's master key. @aad binds it to its row. */
int sealed_wrap(const struct sealed *s, const char *aad, const struct akm_secret *value, struct akm_blob *ret);
int sealed_unwrap(const struct sealed *s, const char *aad, const struct akm_blob *wrapped, struct akm_secret *ret);

#endif /* AKM_SEALED_H */
