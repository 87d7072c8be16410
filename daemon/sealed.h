/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A sealed store: a directory with two slots, each one file: AES-256-GCM under a key
 * that the TPM unseals, versioned by a TPM NV counter so that an older copy put back
 * is noticed. A write goes to the slot not in use, is fsynced, then counts. Power may
 * go at any instant: the next open finds the old or the new contents. P4, P7, P10.
 *
 * DIR/master  "AKMMSTR1" | counter at creation u64 | the 32-byte master key as keystore_seal() sealed it
 * DIR/slot0   "AKMSEAL1" | version u16 | slot u16 | length u32 | counter u64 | salt[32] | nonce[12] |
 * DIR/slot1    ciphertext[length] | tag[16]; the 68 bytes before the ciphertext are the additional data
 *
 * Big-endian. Key of a file: kdf_store_key(master, salt, "akm1 sealed store"). With the TPM's
 * counter at V the valid file says V, or V+1 when the power went between writing and counting
 * (open then counts). A write that was cut there and whose file was taken away could be put back
 * until the write after the next: a counter cannot tell two files of the same number apart.
 * Overwriting the old slot is what a file system lets us do; a flash translation layer may keep it.
 *
 * Only sealed_open and sealed_write talk to the TPM: call them through tpmq. One store at a
 * time per counter; the directory is locked while it is open.
 */
#ifndef AKM_SEALED_H
#define AKM_SEALED_H

#include "keystore.h"

struct sealed;

/*
 * Opens or creates @dir. *ret_content is empty for a new store.
 * Return: 0; -ENOKEY another TPM's; -EBADMSG corrupt; -ESTALE rolled back (older
 * than the TPM's counter says); -EBUSY open elsewhere; -EIO, -ENOMEM; the keystore's.
 */
int sealed_open(struct keystore *ks, const char *dir, struct sealed **ret, struct akm_secret *ret_content,
		struct akm_error *err);
/*
 * Replaces the contents, durably: 0 means on disk and counted, the old slot overwritten and
 * unlinked. After a failure the contents are the old or the new ones; write again.
 */
int sealed_write(struct sealed *s, struct keystore *ks, const struct akm_secret *content, struct akm_error *err);
void sealed_close(struct sealed *s);

/*
 * For secrets that live in a database (manager): seal/open one value under the store's master
 * key. @aad binds it to its row. -EBADMSG: not this value, row or store.
 */
int sealed_wrap(const struct sealed *s, const char *aad, const struct akm_secret *value, struct akm_blob *ret);
int sealed_unwrap(const struct sealed *s, const char *aad, const struct akm_blob *wrapped, struct akm_secret *ret);

#endif /* AKM_SEALED_H */
