/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A provisioning ATR is rotated over itself: its key K is replaced by K', over the link.
 * Documentation/protocol.rst, "Rotation". Here is what both ends compute; the issuer's
 * side is peers_rotate.c, the subject's rotate_subject.c.
 *
 *   T       = SHA-256("akm1 rotate" | provisioning ATR ID | hardware value | be64(n) | exporter | nonce)
 *   W       = TPM2_HMAC(K, "akm1 rotate offer" | T)
 *   wrapped = AES-256-GCM(key W, IV 0^12, additional data T, K' duplicated) | tag
 *
 * W serves once: exporter and nonce make it new. It is what makes the offer that of who has K in its TPM, of this TLS
 * session, and secret to who breaks the asymmetric wrapping inside it (P13).
 */
#ifndef AKM_ROTATE_H
#define AKM_ROTATE_H

#include "keystore.h"

struct rotate_context {
	uint8_t id[AKM_ID_LEN];			/* of the provisioning ATR */
	uint8_t hardware[AKM_DIGEST_LEN];	/* the subject's: what is so, there; as recorded, at the issuer */
	uint64_t n;				/* of the first link key that K' makes */
	uint8_t binding[AKM_KEY_LEN];		/* link_binding() */
	uint8_t nonce[AKM_DIGEST_LEN];		/* the issuer's */
};

/* Both in the TPM thread. @domain, @key: K, as for keystore_hmac(). */
int rotate_wrap(struct keystore *ks, const struct akm_blob *domain, const struct akm_blob *key,
		const struct rotate_context *c, const struct akm_blob *dup, struct akm_blob *ret_wrapped);
/* -EKEYREJECTED: not by who has K, not for this session, or for another hardware value. */
int rotate_unwrap(struct keystore *ks, const struct akm_blob *domain, const struct akm_blob *key,
		  const struct rotate_context *c, const struct akm_blob *wrapped, struct akm_blob *ret_dup);

#endif /* AKM_ROTATE_H */
